#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/cdc.h"

/* The operator around the reader: it emits the items that jobs bring, and its state is that of the last item emitted.
 * One slice is read ahead.
 *
 * Alone it has one split, without a number: everything. With others it gets splits from the enumerator, one after the
 * other. One that is read stays in its state, with its segments, until the enumerator says that it knows them. */

enum { ARENA_BYTES_MAX = 4 << 20, BUSY_WAIT_US = 50000, PARALLEL_VERSION = 0x81 };

typedef struct split {
    struct split *next;
    uint32_t number;
    bool is_read;
    leat_bytes state; /* of the reader; when it is read: its segments */
} split;

typedef struct cdc_source {
    leat_operator base; /* first */
    leat_arena arena;
    leat_cdc_config config;
    split *splits;  /* in order of their coming */
    split *current; /* the one being read */
    bool is_asked, has_all, wants_rest, reports;
    leat_cdc_item *ready, **ready_last;
    int64_t emitted;
    bool is_reading, is_at_end;
    int64_t not_before_us;
    /* The job's while it runs. */
    leat_job job;
    leat_cdc_reader *reader;
    bool is_new_split, is_rest;
    leat_cdc_slice slice;
    leat_code code;
    leat_error error;
    atomic_bool is_done;
} cdc_source;

/* --- splits --- */

static leat_code append_split(cdc_source *self, uint32_t number, bool is_read, const uint8_t *state, size_t size,
                              leat_error *error)
{
    split *added = leat_calloc(1, sizeof *added);
    if (!added) return leat_fail_no_memory(error);
    added->number = number;
    added->is_read = is_read;
    if (size) leat_bytes_put(&added->state, state, size);
    split **last = &self->splits;
    while (*last)
        last = &(*last)->next;
    *last = added;
    return leat_bytes_check(&added->state, error);
}

static void forget_split(cdc_source *self, uint32_t number)
{
    for (split **at = &self->splits; *at; at = &(*at)->next) {
        split *known = *at;
        if (known->number != number || !known->is_read) continue;
        *at = known->next;
        leat_bytes_done(&known->state);
        leat_free(known);
        return;
    }
}

static leat_code report(cdc_source *self, const split *read, leat_error *error)
{
    leat_bytes event = {0};
    leat_bytes_put_u32(&event, read->number);
    leat_bytes_put(&event, read->state.data, read->state.size);
    leat_code code = leat_bytes_check(&event, error);
    if (code == LEAT_OK) code = leat_context_send_event(self->base.context, event.data, event.size, error);
    leat_bytes_done(&event);
    return code;
}

/* What was read before a restore: perhaps the enumerator does not know it. */
static leat_code report_again(cdc_source *self, leat_error *error)
{
    self->reports = false;
    for (const split *at = self->splits; at; at = at->next)
        if (at->is_read) LEAT_TRY(report(self, at, error));
    return LEAT_OK;
}

/* The reader is not running. */
static leat_code end_split(cdc_source *self, leat_error *error)
{
    split *read = self->current;
    self->current = NULL;
    self->is_at_end = false;
    read->is_read = true;
    leat_bytes_reset(&read->state);
    leat_cdc_reader_write_segments(self->reader, &read->state);
    LEAT_TRY(leat_bytes_check(&read->state, error));
    return report(self, read, error);
}

/* --- the job --- */

static leat_code run_reader(cdc_source *self, leat_error *error)
{
    self->slice = (leat_cdc_slice){0};
    if (self->is_rest) {
        leat_cdc_reader_rest(self->reader);
        return LEAT_OK;
    }
    const leat_bytes *state = &self->current->state; /* nobody touches it before the first slice is taken */
    if (self->is_new_split && state->size)
        LEAT_TRY(leat_cdc_reader_assign(self->reader, state->data, state->size, error));
    self->is_new_split = false;
    return leat_cdc_reader_run(self->reader, &self->slice, error);
}

static void run_slice(leat_job *job, leat_env *env)
{
    (void)env;
    cdc_source *self = (cdc_source *)((char *)job - offsetof(cdc_source, job));
    self->error = (leat_error){0};
    self->code = run_reader(self, &self->error);
}

static void slice_done(leat_job *job, leat_env *env)
{
    (void)env;
    cdc_source *self = (cdc_source *)((char *)job - offsetof(cdc_source, job));
    atomic_store_explicit(&self->is_done, true, memory_order_release); /* pairs with take_slice */
    leat_context_wake(self->base.context);
}

static leat_code take_slice(cdc_source *self, leat_error *error)
{
    if (!self->is_reading || !atomic_exchange_explicit(&self->is_done, false, memory_order_acquire)) return LEAT_OK;
    self->is_reading = false;
    *self->ready_last = self->slice.first;
    while (*self->ready_last)
        self->ready_last = &(*self->ready_last)->next;
    self->slice.first = NULL;
    self->is_at_end = self->slice.is_at_end;
    int64_t wait_us = self->slice.wait_ms * 1000;
    self->not_before_us = wait_us ? leat_env_mono_us(self->base.context->env) + wait_us : 0;
    if (self->code == LEAT_OK) return LEAT_OK;
    if (error) *error = self->error;
    return self->code;
}

/* Begins the next, or asks for one. */
static leat_code next_split(cdc_source *self, leat_error *error)
{
    split *at = self->splits;
    while (at && at->is_read)
        at = at->next;
    self->current = at;
    self->is_new_split = at != NULL;
    if (at || self->is_asked || self->has_all) return LEAT_OK;
    self->is_asked = true;
    return leat_context_send_event(self->base.context, NULL, 0, error);
}

static leat_code read_on(cdc_source *self, leat_error *error)
{
    if (self->is_reading || self->is_at_end) return LEAT_OK;
    if (!self->current) LEAT_TRY(next_split(self, error));
    self->is_rest = !self->current && self->wants_rest;
    if (!self->current && !self->is_rest) return LEAT_OK;
    if (self->not_before_us > leat_env_mono_us(self->base.context->env)) {
        leat_context_set_timer(self->base.context, self->not_before_us);
        return LEAT_OK;
    }
    self->job = (leat_job){.run = run_slice, .done = slice_done};
    leat_error busy = {0};
    leat_code code = leat_context_spawn(self->base.context, &self->job, &busy);
    self->is_reading = code == LEAT_OK;
    if (code == LEAT_OK && self->is_rest) self->wants_rest = false;
    if (code == LEAT_LIMIT) { /* all I/O threads have enough to do */
        self->not_before_us = leat_env_mono_us(self->base.context->env) + BUSY_WAIT_US;
        leat_context_set_timer(self->base.context, self->not_before_us);
        return LEAT_OK;
    }
    if (code != LEAT_OK && error) *error = busy;
    return code;
}

static leat_source_status status_of(const cdc_source *self)
{
    if (self->is_reading) return LEAT_SOURCE_IDLE;
    return self->is_at_end || (self->has_all && !self->current) ? LEAT_SOURCE_END : LEAT_SOURCE_IDLE;
}

static leat_code source_produce(leat_operator *base, leat_source_status *status, leat_error *error)
{
    cdc_source *self = (cdc_source *)base;
    if (self->reports) LEAT_TRY(report_again(self, error));
    /* What is ready comes before the next slice is taken: so at most two slices are in memory. */
    if (!self->ready) LEAT_TRY(take_slice(self, error));
    leat_cdc_item *item = self->ready;
    if (item) {
        self->ready = item->next;
        if (!self->ready) self->ready_last = &self->ready;
    } else if (self->is_at_end && self->config.is_parallel) {
        LEAT_TRY(end_split(self, error));
    }
    LEAT_TRY(read_on(self, error));
    *status = item ? LEAT_SOURCE_MORE : status_of(self);
    if (!item) return LEAT_OK;
    leat_batch *batch = item->batch;
    item->batch = NULL;
    leat_bytes_done(&self->current->state);
    self->current->state = item->state;
    item->state = (leat_bytes){0};
    leat_cdc_item_free(item);
    if (!batch) return LEAT_OK;
    self->emitted += batch->rows;
    leat_context_set_gauge(base->context, "numRecordsRead", self->emitted);
    return leat_context_emit(base->context, &batch, error);
}

static leat_code source_add_split(leat_operator *base, const uint8_t *data, size_t size, leat_error *error)
{
    cdc_source *self = (cdc_source *)base;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    uint32_t number = leat_reader_u32(&reader);
    LEAT_TRY(leat_reader_check(&reader, false, "split of mysql-cdc", error));
    self->is_asked = false;
    return append_split(self, number, false, reader.at, leat_reader_left(&reader), error);
}

static leat_code source_no_more(leat_operator *base, leat_error *error)
{
    (void)error;
    ((cdc_source *)base)->has_all = true;
    return LEAT_OK;
}

static leat_code source_event(leat_operator *base, const uint8_t *event, size_t size, leat_error *error)
{
    cdc_source *self = (cdc_source *)base;
    leat_reader reader;
    leat_reader_init(&reader, event, size);
    uint32_t number = leat_reader_u32(&reader);
    LEAT_TRY(leat_reader_check(&reader, true, "event of mysql-cdc", error));
    if (number == LEAT_CDC_REST)
        self->wants_rest = true;
    else
        forget_split(self, number);
    return LEAT_OK;
}

static leat_code source_snapshot(leat_operator *base, leat_operator_snapshot *snapshot, leat_progress *progress,
                                 leat_error *error)
{
    (void)progress;
    const cdc_source *self = (const cdc_source *)base;
    leat_bytes *out = &snapshot->state;
    if (!self->config.is_parallel) {
        const leat_bytes *state = &self->splits->state;
        if (state->size) leat_bytes_put(out, state->data, state->size);
        return leat_bytes_check(out, error);
    }
    leat_bytes_put_u8(out, PARALLEL_VERSION);
    for (const split *at = self->splits; at; at = at->next) {
        leat_bytes_put_u32(out, at->number);
        leat_bytes_put_u8(out, at->is_read);
        leat_bytes_put_block(out, at->state.data, at->state.size);
    }
    return leat_bytes_check(out, error);
}

static leat_code restore_part(cdc_source *self, const leat_restored_part *part, leat_error *error)
{
    if (part->state_size == 0) return LEAT_OK;
    bool is_parallel = part->state[0] == PARALLEL_VERSION;
    if (is_parallel != self->config.is_parallel) {
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "the state of mysql-cdc is of %s",
                                   is_parallel ? "several readers" : "one reader");
        leat_fail_hint(error, is_parallel ? "run the job with checkpoints and a parallelism above 1, as before"
                                          : "run the job with parallelism 1, as before");
        return code;
    }
    if (!is_parallel) return append_split(self, LEAT_CDC_STREAM, false, part->state, part->state_size, error);
    leat_reader reader;
    leat_reader_init(&reader, part->state + 1, part->state_size - 1);
    while (leat_reader_left(&reader) && !reader.failed) {
        size_t size;
        uint32_t number = leat_reader_u32(&reader);
        bool is_read = leat_reader_u8(&reader) != 0;
        const uint8_t *state = leat_reader_block(&reader, &size);
        if (!reader.failed) LEAT_TRY(append_split(self, number, is_read, state, size, error));
    }
    self->reports = true;
    return leat_reader_check(&reader, true, "state of mysql-cdc", error);
}

static leat_code source_open(leat_operator *base, const leat_restored *restored, leat_error *error)
{
    cdc_source *self = (cdc_source *)base;
    const leat_operator_context *context = base->context;
    if (context->parallelism != 1 && !self->config.is_parallel) {
        return leat_fail(error, LEAT_UNSUPPORTED, "this mysql-cdc runs with parallelism 1, not %d",
                         context->parallelism);
    }
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        const leat_restored_part *part = &restored->parts[i];
        bool is_own =
            part->parallelism == context->parallelism || part->subtask % context->parallelism == context->subtask;
        if (is_own) LEAT_TRY(restore_part(self, part, error));
    }
    if (!self->splits && !self->config.is_parallel)
        LEAT_TRY(append_split(self, LEAT_CDC_STREAM, false, NULL, 0, error));
    return leat_cdc_reader_new(&self->config, context->env, NULL, 0, &self->reader, error);
}

static void source_close(leat_operator *base)
{
    cdc_source *self = (cdc_source *)base;
    for (int i = 0; i < 2; i++) {
        leat_cdc_item *item = i ? self->slice.first : self->ready;
        while (item) {
            leat_cdc_item *next = item->next;
            leat_cdc_item_free(item);
            item = next;
        }
    }
    leat_cdc_reader_free(self->reader);
    while (self->splits) {
        split *next = self->splits->next;
        leat_bytes_done(&self->splits->state);
        leat_free(self->splits);
        self->splits = next;
    }
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable source_vtable = {
    .type = "mysql-cdc",
    .open = source_open,
    .produce = source_produce,
    .snapshot = source_snapshot,
    .add_split = source_add_split,
    .no_more_splits = source_no_more,
    .on_event = source_event,
    .close = source_close,
};

static leat_code source_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    cdc_source *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->base.vtable = &source_vtable;
    self->ready_last = &self->ready;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = leat_cdc_config_read(config, config_size, &self->arena, &self->config, error);
    if (code == LEAT_OK) code = leat_secret_reveal(context->config, &self->config.address.password, error);
    if (code == LEAT_OK)
        *out = &self->base;
    else
        source_close(&self->base);
    return code;
}

const leat_operator_factory leat_mysql_cdc_factory = {"mysql-cdc", source_create};
