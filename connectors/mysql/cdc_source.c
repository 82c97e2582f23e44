#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/cdc.h"

/* The operator around the reader: it emits the items that jobs bring, and its state is that of the last item emitted.
 * One slice is read ahead. */

enum { ARENA_BYTES_MAX = 4 << 20, BUSY_WAIT_US = 50000 };

typedef struct cdc_source {
    leat_operator base; /* first */
    leat_arena arena;
    leat_cdc_config config;
    leat_bytes state;
    leat_cdc_item *ready, **ready_last;
    int64_t emitted;
    bool is_reading, is_at_end;
    int64_t not_before_us;
    /* The job's while it runs. */
    leat_job job;
    leat_cdc_reader *reader;
    leat_cdc_slice slice;
    leat_code code;
    leat_error error;
    atomic_bool is_done;
} cdc_source;

static void run_slice(leat_job *job, leat_env *env)
{
    (void)env;
    cdc_source *self = (cdc_source *)((char *)job - offsetof(cdc_source, job));
    self->error = (leat_error){0};
    self->code = leat_cdc_reader_run(self->reader, &self->slice, &self->error);
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

static leat_code read_on(cdc_source *self, leat_error *error)
{
    if (self->is_reading || self->is_at_end) return LEAT_OK;
    if (self->not_before_us > leat_env_mono_us(self->base.context->env)) {
        leat_context_set_timer(self->base.context, self->not_before_us);
        return LEAT_OK;
    }
    self->job = (leat_job){.run = run_slice, .done = slice_done};
    leat_error busy = {0};
    leat_code code = leat_context_spawn(self->base.context, &self->job, &busy);
    self->is_reading = code == LEAT_OK;
    if (code == LEAT_LIMIT) { /* all I/O threads have enough to do */
        self->not_before_us = leat_env_mono_us(self->base.context->env) + BUSY_WAIT_US;
        leat_context_set_timer(self->base.context, self->not_before_us);
        return LEAT_OK;
    }
    if (code != LEAT_OK && error) *error = busy;
    return code;
}

static leat_code source_produce(leat_operator *base, leat_source_status *status, leat_error *error)
{
    cdc_source *self = (cdc_source *)base;
    /* What is ready comes before the next slice is taken: so at most two slices are in memory. */
    if (!self->ready) LEAT_TRY(take_slice(self, error));
    leat_cdc_item *item = self->ready;
    if (item) {
        self->ready = item->next;
        if (!self->ready) self->ready_last = &self->ready;
    }
    LEAT_TRY(read_on(self, error));
    *status = item ? LEAT_SOURCE_MORE : self->is_at_end && !self->is_reading ? LEAT_SOURCE_END : LEAT_SOURCE_IDLE;
    if (!item) return LEAT_OK;
    leat_batch *batch = item->batch;
    item->batch = NULL;
    leat_bytes_done(&self->state);
    self->state = item->state;
    item->state = (leat_bytes){0};
    leat_cdc_item_free(item);
    if (!batch) return LEAT_OK;
    self->emitted += batch->rows;
    leat_context_set_gauge(base->context, "numRecordsRead", self->emitted);
    return leat_context_emit(base->context, &batch, error);
}

static leat_code source_snapshot(leat_operator *base, leat_operator_snapshot *snapshot, leat_progress *progress,
                                 leat_error *error)
{
    (void)progress;
    const cdc_source *self = (const cdc_source *)base;
    if (self->state.size) leat_bytes_put(&snapshot->state, self->state.data, self->state.size);
    return leat_bytes_check(&snapshot->state, error);
}

static leat_code source_open(leat_operator *base, const leat_restored *restored, leat_error *error)
{
    cdc_source *self = (cdc_source *)base;
    if (base->context->parallelism != 1) {
        return leat_fail(error, LEAT_UNSUPPORTED, "mysql-cdc runs with parallelism 1, not %d",
                         base->context->parallelism);
    }
    const uint8_t *state = NULL;
    size_t size = 0;
    if (restored && restored->parts_count) state = restored->parts[0].state, size = restored->parts[0].state_size;
    if (size) leat_bytes_put(&self->state, state, size);
    LEAT_TRY(leat_bytes_check(&self->state, error));
    return leat_cdc_reader_new(&self->config, base->context->env, state, size, &self->reader, error);
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
    leat_bytes_done(&self->state);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable source_vtable = {
    .type = "mysql-cdc",
    .open = source_open,
    .produce = source_produce,
    .snapshot = source_snapshot,
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
