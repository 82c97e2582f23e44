/* Counts by k, in keyed state, with snapshots that take a while: they wait a few turns before they are written, while
 * counts change. */
#include <string.h>

#include "columnar/hash.h"
#include "common/memory.h"
#include "flow/state.h"
#include "tests/sim/counting.h"

typedef struct counter {
    leat_operator operator; /* first */
    int32_t number;         /* of the job */
    leat_state *state;
    leat_state_keys keys;
    void *records[LEAT_BATCH_ROWS_MAX];
    leat_batch_builder builder;
    int64_t turns_left; /* before the oldest snapshot is written */
} counter;

enum { TURNS_MAX = 12 };

static const leat_type key_type = {.kind = LEAT_TYPE_INT, .nullable = true};

static void clear_count(void *self, void *record)
{
    (void)self;
    (void)record;
}

static void write_count(void *self, const void *record, leat_bytes *out)
{
    (void)self;
    leat_bytes_put_i64(out, *(const int64_t *)record);
}

static leat_code read_count(void *self, leat_reader *reader, void *record, leat_error *error)
{
    (void)self;
    *(int64_t *)record = leat_reader_i64(reader);
    return leat_reader_check(reader, false, "a count", error);
}

static leat_code counter_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    counter *self = (counter *)operator;
    leat_context_follow(operator->context, sim_counting_topic(self->number));
    const leat_operator_context *context = operator->context;
    const leat_state_records records = {sizeof(int64_t), self, clear_count, write_count, read_count};
    LEAT_TRY(leat_state_hashmap_new(&records, &self->state, error));
    int32_t first = leat_key_group_first(context->subtask, context->max_parallelism, context->parallelism);
    int32_t end = leat_key_group_first(context->subtask + 1, context->max_parallelism, context->parallelism);
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[i].state, restored->parts[i].state_size);
        LEAT_TRY(self->state->vtable->restore(self->state, &reader, context->max_parallelism, first, end, error));
        LEAT_TRY(leat_reader_check(&reader, true, "counter state", error));
    }
    leat_layout layouts[3] = {LEAT_LAYOUT_64, LEAT_LAYOUT_32, LEAT_LAYOUT_64};
    return leat_batch_builder_init(&self->builder, layouts, 3, LEAT_BATCH_ROWS_MAX, error);
}

static leat_code counter_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                 leat_error *error)
{
    (void)input;
    (void)progress;
    counter *self = (counter *)operator;
    const int64_t *numbers = (*batch)->columns[0].values;
    const int32_t *keys = (*batch)->columns[1].values, key_column = 1;
    LEAT_TRY(leat_state_keys_encode(&self->keys, *batch, &key_column, &key_type, 1, error));
    LEAT_TRY(self->state->vtable->get_many(self->state, &self->keys, true, self->records, error));
    for (int32_t i = 0; i < (*batch)->selected; i++) {
        int32_t row = leat_batch_row(*batch, i);
        int64_t *count = self->records[i];
        ++*count;
        LEAT_TRY(leat_batch_builder_begin_row(&self->builder, LEAT_ROW_INSERT, error));
        leat_batch_builder_set_fixed(&self->builder, 0, &numbers[row]);
        leat_batch_builder_set_fixed(&self->builder, 1, &keys[row]);
        leat_batch_builder_set_fixed(&self->builder, 2, count);
    }
    LEAT_TRY(self->state->vtable->put_many(self->state, self->records, (*batch)->selected, error));
    leat_batch *out;
    LEAT_TRY(leat_batch_builder_finish(&self->builder, &out, error));
    leat_code code = leat_context_emit(operator->context, &out, error);
    leat_batch_free(out);
    return code;
}

static leat_code counter_resume_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot,
                                         leat_progress *progress, leat_error *error)
{
    counter *self = (counter *)operator;
    bool is_whole = false;
    if (self->turns_left > 0)
        self->turns_left--;
    else
        LEAT_TRY(self->state->vtable->advance(self->state, &snapshot->state, &is_whole, error));
    *progress = is_whole ? LEAT_DONE : LEAT_AGAIN;
    if (is_whole)
        self->turns_left = (int64_t)(leat_env_random(operator->context->env) % TURNS_MAX);
    else
        leat_context_wake(operator->context);
    return LEAT_OK;
}

static leat_code counter_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                  leat_error *error)
{
    counter *self = (counter *)operator;
    snapshot->is_appended = true;
    *progress = LEAT_AGAIN;
    leat_context_wake(operator->context);
    return self->state->vtable->cut(self->state, &snapshot->state, error);
}

static leat_code counter_on_news(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    (void)progress;
    (void)error;
    ((sim_process *)operator->context->env)->world->counts.news++;
    return LEAT_OK;
}

static void counter_close(leat_operator *operator)
{
    counter *self = (counter *)operator;
    if (self->state) self->state->vtable->close(self->state);
    leat_state_keys_done(&self->keys);
    leat_batch_builder_done(&self->builder);
    leat_free(operator);
}

static const leat_operator_vtable counter_vtable = {.type = "sim-count",
                                                    .open = counter_open,
                                                    .process_batch = counter_process,
                                                    .snapshot = counter_snapshot,
                                                    .snapshot_resume = counter_resume_snapshot,
                                                    .on_news = counter_on_news,
                                                    .close = counter_close};

static leat_code counter_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                                leat_operator **out, leat_error *error)
{
    (void)context;
    counter *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & counter_vtable;
    self->number = sim_counting_number(config, config_size);
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory sim_counter_factory = {"sim-count", counter_create};
