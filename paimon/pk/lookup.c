/* The lookup "paimon-lookup": a copy of the table in memory, by primary key, kept current by the table's changes. */
#include <string.h>

#include "common/memory.h"
#include "paimon/path.h"
#include "paimon/pk.h"
#include "paimon/pk/buffer.h"
#include "paimon/pk/lookup_config.h"
#include "paimon/pk/lookup_load.h"

enum {
    APPLY_BATCHES = 16,      /* of a refresh: the stream goes on in between */
    NARROW_ROWS_MAX = 65536, /* row numbers fit 16 bits, and the rows the cache */
    GARBAGE_BYTES_MIN = 16 << 20,
};

typedef struct pk_lookup {
    leat_lookup lookup; /* first */
    leat_pk_lookup_config config;
    int64_t next_load_us;
    leat_pk_buffer copy;
    size_t heap_bytes_clean; /* after the last rebuild */
    bool is_ready;
    bool has_news; /* more was committed than the last load may have seen */
    leat_pk_changes changes;
    size_t applied; /* batches of `changes` that were */
    bool is_applying;
    leat_batch *view; /* of the copy */
    uint64_t *hashes64;
    uint32_t *hashes;
    int32_t *targets;
    uint16_t *rows;
    const leat_batch **sources;
} pk_lookup;

/* --- keeping current --- */

static leat_code apply_batch(pk_lookup *self, leat_pk_buffer *copy, const leat_batch *batch, leat_error *error)
{
    leat_pk_lookup_hash_kept(&self->config, batch, self->hashes64, self->hashes);
    for (int32_t i = 0; i < batch->selected; i++)
        self->rows[i] = (uint16_t)leat_batch_row(batch, i);
    return leat_pk_buffer_add(copy, batch, self->rows, self->hashes, batch->selected, 0, error);
}

/* Strings that were replaced, and deleted rows, stay in the copy until it is made anew. */
static leat_code rebuild(pk_lookup *self, leat_error *error)
{
    leat_pk_state *state = &self->copy.state;
    if (state->heap_bytes < 2 * self->heap_bytes_clean + GARBAGE_BYTES_MIN) return LEAT_OK;
    leat_pk_buffer fresh;
    uint32_t *order = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *order);
    if (!order) return leat_fail_no_memory(error);
    leat_code code = leat_pk_buffer_init(&fresh, &self->config.options, error);
    for (int32_t at = 0; code == LEAT_OK && at < state->rows;) {
        int32_t count = 0;
        for (; at < state->rows && count < LEAT_BATCH_ROWS_MAX; at++) {
            if (leat_row_kind_is_add(state->kinds[at])) order[count++] = (uint32_t)at;
        }
        leat_batch *batch;
        code = leat_pk_state_gather(state, order, count, &batch, error);
        if (code != LEAT_OK) break;
        code = apply_batch(self, &fresh, batch, error);
        leat_batch_free(batch);
    }
    leat_free(order);
    if (code != LEAT_OK) {
        leat_pk_buffer_done(&fresh);
        return code;
    }
    leat_pk_buffer_done(&self->copy);
    self->copy = fresh;
    self->heap_bytes_clean = fresh.state.heap_bytes;
    return LEAT_OK;
}

static leat_code apply_some(pk_lookup *self, leat_error *error)
{
    leat_pk_changes *changes = &self->changes;
    size_t end = changes->batches_count - self->applied;
    end = self->applied + (end < APPLY_BATCHES ? end : APPLY_BATCHES);
    for (; self->applied < end; self->applied++) {
        leat_batch *batch = changes->batches[self->applied];
        changes->batches[self->applied] = NULL;
        leat_code code = apply_batch(self, &self->copy, batch, error);
        leat_batch_free(batch);
        LEAT_TRY(code);
    }
    if (self->applied < changes->batches_count) {
        leat_pk_lookup_view_refresh(&self->config, &self->copy.state, self->view);
        leat_context_wake(self->lookup.context);
        return LEAT_OK;
    }
    changes->batches_count = 0;
    self->is_applying = false;
    self->is_ready = true;
    LEAT_TRY(rebuild(self, error));
    leat_pk_lookup_view_refresh(&self->config, &self->copy.state, self->view);
    int64_t bytes = (int64_t)leat_pk_buffer_bytes(&self->copy);
    if (changes->bytes_max > 0 && bytes > changes->bytes_max) {
        (void)leat_fail(error, LEAT_LIMIT, "the copy of %s for lookups takes more than %lld bytes",
                        self->config.table.path, (long long)changes->bytes_max);
        leat_fail_hint(error, "give the task manager more memory, or fewer slots");
        return LEAT_LIMIT;
    }
    return LEAT_OK;
}

static leat_code lookup_refresh(leat_lookup *lookup, bool *changed, leat_error *error)
{
    pk_lookup *self = (pk_lookup *)lookup;
    *changed = false;
    bool has_ended;
    int64_t now_us = leat_env_mono_us(lookup->context->env);
    LEAT_TRY(leat_pk_changes_poll(&self->changes, &has_ended, error));
    if (has_ended) {
        self->next_load_us = now_us + self->config.interval_ms * 1000;
        if (self->changes.is_whole) {
            leat_pk_buffer_reset(&self->copy);
            self->is_ready = false;
        }
        self->is_applying = self->changes.batches_count > 0 || !self->is_ready;
        self->applied = 0;
    }
    if (self->is_applying) {
        *changed = true;
        LEAT_TRY(apply_some(self, error));
        if (!self->is_applying && self->has_news) leat_context_wake(lookup->context);
        return LEAT_OK;
    }
    if (self->changes.is_running || (now_us < self->next_load_us && !self->has_news)) return LEAT_OK;
    self->has_news = false;
    return leat_pk_changes_start(&self->changes, error);
}

static void lookup_on_news(leat_lookup *lookup)
{
    ((pk_lookup *)lookup)->has_news = true;
}

/* --- answering --- */

/* NULL equals nothing; a deleted row is none. */
static int32_t check_targets(pk_lookup *self, const leat_batch *keys, int32_t first, int32_t count, int32_t *counts)
{
    const int8_t *kinds = self->copy.state.kinds;
    int32_t found = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t target = self->targets[i], row = leat_batch_row(keys, first + i);
        bool is_match = target >= 0 && leat_row_kind_is_add(kinds[target]);
        if (is_match && self->config.extra_count)
            is_match = leat_pk_lookup_extras_match(&self->config, keys, row, self->view, target);
        counts[i] = is_match;
        self->targets[found] = target;
        found += is_match;
    }
    return found;
}

static void drop_null_keys(pk_lookup *self, const leat_batch *keys, int32_t first, int32_t count)
{
    for (int32_t k = 0; k < self->config.options.keys_count; k++) {
        const leat_column *column = &keys->columns[self->config.probe_columns[k]];
        if (!column->validity) continue;
        for (int32_t i = 0; i < count; i++) {
            if (!leat_bit_get(column->validity, leat_batch_row(keys, first + i))) self->targets[i] = -1;
        }
    }
}

static leat_code gather(pk_lookup *self, leat_batch_builder *builder, int32_t found, leat_error *error)
{
    if (self->copy.state.rows <= NARROW_ROWS_MAX) {
        for (int32_t i = 0; i < found; i++)
            self->rows[i] = (uint16_t)self->targets[i];
        return leat_batch_builder_append_rows(builder, self->view, self->rows, found, error);
    }
    for (int32_t i = 0; i < found; i++)
        self->sources[i] = self->view;
    return leat_batch_builder_append_far(builder, self->sources, self->targets, found, error);
}

static leat_code lookup_get_many(leat_lookup *lookup, const leat_batch *keys, int32_t first, leat_lookup_result *result,
                                 int32_t *done, leat_error *error)
{
    pk_lookup *self = (pk_lookup *)lookup;
    int32_t count = keys->selected - first;
    *done = count;
    if (!self->is_ready) {
        for (int32_t i = 0; i < count; i++)
            result->counts[i] = LEAT_LOOKUP_PENDING;
        return LEAT_OK;
    }
    int32_t room = result->rows.capacity_rows - result->rows.rows; /* a key has at most one row */
    if (count > room) *done = count = room;
    leat_pk_lookup_hash(&self->config, keys, first, self->hashes64, self->hashes);
    leat_pk_buffer_find(&self->copy, keys, self->config.probe_columns, first, self->hashes, count, self->targets);
    drop_null_keys(self, keys, first, count);
    int32_t found = check_targets(self, keys, first, count, result->counts);
    return gather(self, &result->rows, found, error);
}

/* --- life --- */

static leat_code lookup_open(leat_lookup *lookup, leat_error *error)
{
    pk_lookup *self = (pk_lookup *)lookup;
    self->changes.context = lookup->context;
    self->changes.bytes_max = lookup->context->memory_bytes;
    return leat_pk_changes_start(&self->changes, error);
}

static void lookup_close(leat_lookup *lookup)
{
    pk_lookup *self = (pk_lookup *)lookup;
    leat_pk_changes_done(&self->changes);
    leat_pk_buffer_done(&self->copy);
    leat_pk_lookup_view_free(self->view);
    leat_free(self->hashes64);
    leat_free(self->hashes);
    leat_free(self->targets);
    leat_free(self->rows);
    leat_free(self->sources);
    leat_pk_lookup_config_done(&self->config);
    leat_free(self);
}

static const leat_lookup_vtable lookup_vtable = {.open = lookup_open,
                                                 .get_many = lookup_get_many,
                                                 .refresh = lookup_refresh,
                                                 .close = lookup_close,
                                                 .on_news = lookup_on_news};

static leat_code take_arrays(pk_lookup *self, leat_error *error)
{
    self->hashes64 = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes64);
    self->hashes = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes);
    self->targets = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->targets);
    self->rows = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->rows);
    self->sources = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->sources);
    bool has_all = self->hashes64 && self->hashes && self->targets && self->rows && self->sources;
    return has_all ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code read_config(pk_lookup *self, const uint8_t *config, size_t size, leat_error *error)
{
    LEAT_TRY(leat_pk_lookup_config_read(&self->config, config, size, error));
    LEAT_TRY(take_arrays(self, error));
    self->changes.table = &self->config.table;
    self->changes.columns = self->config.kept;
    self->changes.columns_count = self->config.kept_count;
    self->changes.next_snapshot = -1;
    LEAT_TRY(leat_pk_lookup_view_new(&self->config, &self->view, error));
    return leat_pk_buffer_init(&self->copy, &self->config.options, error);
}

static leat_code lookup_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_lookup **out, leat_error *error)
{
    pk_lookup *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->lookup = (leat_lookup){.vtable = &lookup_vtable, .context = context};
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        lookup_close(&self->lookup);
        return code;
    }
    self->lookup.topic = leat_paimon_topic(self->config.table.path);
    *out = &self->lookup;
    return LEAT_OK;
}

const leat_lookup_factory leat_paimon_lookup_factory = {"paimon-lookup", lookup_create};
