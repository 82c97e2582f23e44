#include "operators/collect.h"

#include "common/memory.h"

typedef struct collect {
    leat_operator operator; /* first */
    leat_batch *waiting;    /* the window was full */
    bool has_ended, has_told_end;
} collect;

static leat_code collect_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)operator;
    (void)restored;
    (void)error;
    return LEAT_OK;
}

/* Sends what waits, then the end. While the window is full nothing happens until the next wake. */
static leat_code send(collect *self, leat_error *error)
{
    leat_operator_context *context = self->operator.context;
    leat_error local = {0}; /* a full window is no failure */
    leat_code code = LEAT_OK;
    if (self->waiting) {
        code = leat_context_collect(context, self->waiting, false, &local);
        if (code == LEAT_OK) {
            leat_batch_free(self->waiting);
            self->waiting = NULL;
        }
    }
    if (code == LEAT_OK && self->has_ended && !self->has_told_end) {
        code = leat_context_collect(context, NULL, true, &local);
        self->has_told_end = code == LEAT_OK;
    }
    if (code == LEAT_OK || code == LEAT_LIMIT) return LEAT_OK;
    if (error) *error = local;
    return code;
}

static leat_code collect_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                 leat_error *error)
{
    (void)input;
    (void)progress;
    collect *self = (collect *)operator;
    if (self->waiting) return leat_fail(error, LEAT_LIMIT, "collect got a batch while one waits");
    self->waiting = *batch;
    *batch = NULL;
    return send(self, error);
}

/* No batch is given while one waits, and the input does not end: barriers pass, and nothing spins. */
static bool collect_has_room(const leat_operator *operator)
{
    return !((const collect *)operator)->waiting;
}

static bool collect_is_waiting(const leat_operator *operator)
{
    return ((const collect *)operator)->waiting != NULL;
}

static leat_code collect_on_wake(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    (void)progress;
    return send((collect *)operator, error);
}

static leat_code collect_end_input(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    (void)progress;
    collect *self = (collect *)operator;
    self->has_ended = true;
    return send(self, error);
}

static void collect_close(leat_operator *operator)
{
    collect *self = (collect *)operator;
    leat_batch_free(self->waiting);
    leat_free(self);
}

static const leat_operator_vtable collect_vtable = {.type = "collect",
                                                    .open = collect_open,
                                                    .process_batch = collect_process,
                                                    .has_room = collect_has_room,
                                                    .is_waiting = collect_is_waiting,
                                                    .on_wake = collect_on_wake,
                                                    .end_input = collect_end_input,
                                                    .close = collect_close};

static leat_code collect_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                                leat_operator **out, leat_error *error)
{
    (void)config;
    (void)config_size;
    collect *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&collect_vtable, context};
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_collect_factory = {"collect", collect_create};
