/* A source with splits for the counting job: the enumerator hands out ranges of numbers, readers ask for one after the
 * other. What the gates of the job manager are for: a split must be in the enumerator's state or in a reader's, never
 * in both or neither. */
#include <string.h>

#include "common/memory.h"
#include "tests/sim/counting.h"

void sim_splits_config(const sim_splits *config, leat_bytes *out)
{
    leat_bytes_put_i64(out, config->number);
    leat_bytes_put_i64(out, config->first);
    leat_bytes_put_i64(out, config->end);
    leat_bytes_put_i64(out, config->split_rows);
    leat_bytes_put_i64(out, config->rows_per_second);
    leat_bytes_put_i64(out, config->batch_rows);
}

static leat_code read_config(const uint8_t *data, size_t size, sim_splits *out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    out->number = (int32_t)leat_reader_i64(&reader);
    out->first = leat_reader_i64(&reader);
    out->end = leat_reader_i64(&reader);
    out->split_rows = leat_reader_i64(&reader);
    out->rows_per_second = leat_reader_i64(&reader);
    out->batch_rows = (int32_t)leat_reader_i64(&reader);
    bool is_sane = out->first >= 0 && out->end <= SIM_NUMBERS_MAX && out->split_rows > 0 && out->rows_per_second > 0 &&
                   out->batch_rows > 0;
    if (!is_sane) return leat_fail(error, LEAT_CORRUPT, "split configuration");
    return leat_reader_check(&reader, true, "split configuration", error);
}

/* --- the enumerator: state is the next number --- */

typedef struct enumerator {
    leat_enumerator enumerator; /* first */
    sim_splits config;
    int64_t next;
} enumerator;

static leat_code enumerator_start(leat_enumerator *base, const uint8_t *state, size_t size, leat_error *error)
{
    enumerator *self = (enumerator *)base;
    self->next = self->config.first;
    if (!state) return LEAT_OK;
    leat_reader reader;
    leat_reader_init(&reader, state, size);
    self->next = leat_reader_i64(&reader);
    return leat_reader_check(&reader, true, "split enumerator state", error);
}

static leat_code enumerator_request(leat_enumerator *base, int32_t subtask, leat_error *error)
{
    enumerator *self = (enumerator *)base;
    int64_t end = self->config.end;
    if (self->next >= end) {
        base->context->no_more_splits(base->context, subtask);
        return LEAT_OK;
    }
    leat_env_sleep_ms(base->context->env,
                      (int64_t)(leat_env_random(base->context->env) % 20)); /* listing files, asking a server */
    int64_t count = end - self->next < self->config.split_rows ? end - self->next : self->config.split_rows;
    leat_bytes split = {0};
    leat_bytes_put_i64(&split, self->next);
    leat_bytes_put_i64(&split, count);
    leat_code code = leat_bytes_check(&split, error);
    if (code == LEAT_OK) {
        self->next += count;
        base->context->assign(base->context, subtask, split.data, split.size);
    }
    leat_bytes_done(&split);
    return code;
}

/* Looks for more, which takes a while, and finds nothing. */
static leat_code enumerator_poll(leat_enumerator *base, leat_error *error)
{
    (void)error;
    leat_env *env = base->context->env;
    ((sim_process *)env)->world->counts.news++;
    leat_env_sleep_ms(env, (int64_t)(leat_env_random(env) % 20));
    return LEAT_OK;
}

static leat_code enumerator_snapshot(leat_enumerator *base, int64_t checkpoint_id, leat_bytes *state, leat_error *error)
{
    (void)checkpoint_id;
    leat_bytes_put_i64(state, ((enumerator *)base)->next);
    return leat_bytes_check(state, error);
}

static void enumerator_close(leat_enumerator *base)
{
    leat_free(base);
}

static const leat_enumerator_vtable enumerator_vtable = {.start = enumerator_start,
                                                         .on_request = enumerator_request,
                                                         .poll = enumerator_poll,
                                                         .snapshot = enumerator_snapshot,
                                                         .close = enumerator_close};

static leat_code enumerator_create(leat_enumerator_context *context, const uint8_t *config, size_t config_size,
                                   leat_enumerator **out, leat_error *error)
{
    (void)context;
    enumerator *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->enumerator.vtable = &enumerator_vtable;
    leat_code code = read_config(config, config_size, &self->config, error);
    self->enumerator.topic = sim_counting_topic(self->config.number);
    if (code != LEAT_OK) {
        leat_free(self);
        return code;
    }
    *out = &self->enumerator;
    return LEAT_OK;
}

/* --- the reader: state is what is left of its splits --- */

enum { HELD_MAX = 4 };

typedef struct range {
    int64_t start, count;
} range;

typedef struct reader {
    leat_operator operator; /* first */
    sim_splits config;
    range held[HELD_MAX];
    int held_count;
    bool is_asked, no_more;
    int64_t next_us;
    leat_batch_builder builder;
} reader;

static leat_code hold(reader *self, leat_reader *bytes, leat_error *error)
{
    range added;
    added.start = leat_reader_i64(bytes);
    added.count = leat_reader_i64(bytes);
    bool is_whole = !bytes->failed && added.start >= 0 && added.start <= SIM_NUMBERS_MAX && added.count > 0 &&
                    added.count <= SIM_NUMBERS_MAX;
    if (!is_whole || self->held_count == HELD_MAX) return leat_fail(error, LEAT_CORRUPT, "split");
    self->held[self->held_count++] = added;
    return LEAT_OK;
}

static leat_code reader_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    reader *self = (reader *)operator;
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        leat_reader bytes;
        leat_reader_init(&bytes, restored->parts[i].state, restored->parts[i].state_size);
        self->no_more = leat_reader_u8(&bytes) != 0;
        while (leat_reader_left(&bytes))
            LEAT_TRY(hold(self, &bytes, error));
    }
    leat_layout layouts[2] = {LEAT_LAYOUT_64, LEAT_LAYOUT_32};
    return leat_batch_builder_init(&self->builder, layouts, 2, self->config.batch_rows, error);
}

static leat_code emit_some(reader *self, leat_error *error)
{
    leat_env *env = self->operator.context->env;
    range *current = &self->held[0];
    int64_t rows = 1 + (int64_t)(leat_env_random(env) % (uint64_t)self->config.batch_rows);
    if (rows > current->count) rows = current->count;
    for (int64_t i = 0; i < rows; i++) {
        int64_t n = current->start++;
        int32_t k = 1 + (int32_t)(leat_env_random(env) % SIM_KEYS);
        LEAT_TRY(leat_batch_builder_begin_row(&self->builder, LEAT_ROW_INSERT, error));
        leat_batch_builder_set_fixed(&self->builder, 0, &n);
        leat_batch_builder_set_fixed(&self->builder, 1, &k);
    }
    current->count -= rows;
    if (current->count == 0) memmove(&self->held[0], &self->held[1], (size_t)--self->held_count * sizeof self->held[0]);
    leat_batch *batch;
    LEAT_TRY(leat_batch_builder_finish(&self->builder, &batch, error));
    self->next_us = leat_env_mono_us(env) + rows * 1000000 / self->config.rows_per_second;
    leat_code code = leat_context_emit(self->operator.context, &batch, error);
    leat_batch_free(batch);
    return code;
}

static leat_code reader_produce(leat_operator *operator, leat_source_status * status, leat_error *error)
{
    reader *self = (reader *)operator;
    *status = LEAT_SOURCE_IDLE;
    if (self->held_count < 2 && !self->no_more && !self->is_asked) {
        self->is_asked = true;
        LEAT_TRY(leat_context_send_event(operator->context, NULL, 0, error));
    }
    if (self->held_count == 0) {
        if (self->no_more) *status = LEAT_SOURCE_END;
        return LEAT_OK;
    }
    if (leat_env_mono_us(operator->context->env) < self->next_us) {
        leat_context_set_timer(operator->context, self->next_us);
        return LEAT_OK;
    }
    *status = LEAT_SOURCE_MORE;
    return emit_some(self, error);
}

static leat_code reader_add_split(leat_operator *operator, const uint8_t * split, size_t size, leat_error *error)
{
    reader *self = (reader *)operator;
    self->is_asked = false;
    leat_reader bytes;
    leat_reader_init(&bytes, split, size);
    return hold(self, &bytes, error);
}

static leat_code reader_no_more(leat_operator *operator, leat_error * error)
{
    (void)error;
    ((reader *)operator)->no_more = true;
    return LEAT_OK;
}

static leat_code reader_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                 leat_error *error)
{
    (void)progress;
    reader *self = (reader *)operator;
    leat_bytes_put_u8(&snapshot->state, self->no_more);
    for (int i = 0; i < self->held_count; i++) {
        leat_bytes_put_i64(&snapshot->state, self->held[i].start);
        leat_bytes_put_i64(&snapshot->state, self->held[i].count);
    }
    return leat_bytes_check(&snapshot->state, error);
}

static void reader_close(leat_operator *operator)
{
    leat_batch_builder_done(&((reader *)operator)->builder);
    leat_free(operator);
}

static const leat_operator_vtable reader_vtable = {.type = "sim-splits",
                                                   .open = reader_open,
                                                   .snapshot = reader_snapshot,
                                                   .produce = reader_produce,
                                                   .add_split = reader_add_split,
                                                   .no_more_splits = reader_no_more,
                                                   .close = reader_close};

static leat_code reader_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    (void)context;
    reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & reader_vtable;
    leat_code code = read_config(config, config_size, &self->config, error);
    if (code != LEAT_OK) {
        leat_free(self);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory sim_splits_reader_factory = {"sim-splits", reader_create};
const leat_enumerator_factory sim_splits_enumerator_factory = {"sim-splits", enumerator_create};
