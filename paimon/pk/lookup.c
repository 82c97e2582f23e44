/* The lookup "paimon-lookup": a copy of the table in memory, by primary key, kept current by the table's changes. */
#include <string.h>

#include "columnar/hash.h"
#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/path.h"
#include "paimon/pk.h"
#include "paimon/pk/buffer.h"
#include "paimon/pk/lookup_load.h"
#include "paimon/pk/value.h"
#include "paimon/scan.h"
#include "paimon/table_config.h"

enum {
    ARENA_BYTES_MAX = 64 << 20,
    APPLY_BATCHES = 16,      /* of a refresh: the stream goes on in between */
    NARROW_ROWS_MAX = 65536, /* row numbers fit 16 bits: results are gathered a column at a time */
    GARBAGE_BYTES_MIN = 16 << 20,
};
static const int64_t interval_ms_default = 1000;

typedef struct pk_lookup {
    leat_lookup lookup; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_pk_options options;       /* of the copy: the kept columns, deduplicated by key */
    int32_t *kept;                 /* columns of the table that are kept */
    int32_t *wanted, wanted_count; /* places among the kept ones */
    int32_t *probe_columns;        /* for each key column its place among the lookup's keys */
    leat_type *probe_types;
    int32_t *extra_keys, *extra_places, extra_count; /* other compared columns: place among the keys, among the kept */
    int64_t interval_ms, next_load_us;
    leat_pk_buffer copy;
    size_t heap_bytes_clean; /* after the last rebuild */
    bool is_ready;
    bool has_news; /* more was committed than the last load may have seen */
    leat_pk_changes changes;
    size_t applied; /* batches of `changes` that were */
    bool is_applying;
    leat_batch *view; /* the wanted columns of the copy; its buffers are the copy's */
    uint64_t *hashes64;
    uint32_t *hashes;
    int32_t *targets;
    uint16_t *rows;
    leat_type *key_types; /* of the copy's key columns */
} pk_lookup;

/* --- keeping current --- */

static void fold(const uint64_t *from, uint32_t *to, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        to[i] = (uint32_t)(from[i] ^ (from[i] >> 32));
}

static leat_code apply_batch(pk_lookup *self, leat_pk_buffer *copy, const leat_batch *batch, leat_error *error)
{
    leat_hash_rows(batch, self->options.keys, self->key_types, self->options.keys_count, self->hashes64);
    fold(self->hashes64, self->hashes, batch->selected);
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
    leat_code code = leat_pk_buffer_init(&fresh, &self->options, error);
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

static bool has_nulls(const leat_column *column, int32_t rows)
{
    for (int32_t i = 0; i < rows / 8; i++) {
        if (column->validity[i] != 0xff) return true;
    }
    for (int32_t i = rows & ~7; i < rows; i++) {
        if (!leat_bit_get(column->validity, i)) return true;
    }
    return false;
}

/* The columns that results are gathered from, as they are now: nothing is referenced, nothing is to be released. */
static void refresh_view(pk_lookup *self)
{
    const leat_pk_state *state = &self->copy.state;
    self->view->rows = self->view->selected = state->rows;
    for (int32_t i = 0; i < self->wanted_count; i++) {
        const leat_column *from = &state->columns[self->wanted[i]].column;
        leat_column *to = &self->view->columns[i];
        *to = (leat_column){.layout = from->layout, .values = from->values, .validity = from->validity};
        to->heaps = from->heaps;
        to->heaps_count = from->heaps_count;
        if (state->rows && !has_nulls(from, state->rows)) to->validity = NULL;
    }
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
        refresh_view(self);
        leat_context_wake(self->lookup.context);
        return LEAT_OK;
    }
    changes->batches_count = 0;
    self->is_applying = false;
    self->is_ready = true;
    LEAT_TRY(rebuild(self, error));
    refresh_view(self);
    int64_t bytes = (int64_t)leat_pk_buffer_bytes(&self->copy);
    if (changes->bytes_max > 0 && bytes > changes->bytes_max) {
        (void)leat_fail(error, LEAT_LIMIT, "the copy of %s for lookups takes more than %lld bytes", self->table.path,
                        (long long)changes->bytes_max);
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
        self->next_load_us = now_us + self->interval_ms * 1000;
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

static bool extras_match(const pk_lookup *self, const leat_batch *keys, int32_t row, int32_t target)
{
    for (int32_t i = 0; i < self->extra_count; i++) {
        const leat_pk_column *kept = &self->copy.state.columns[self->extra_places[i]];
        const leat_column *key = &keys->columns[self->extra_keys[i]];
        if (leat_column_is_null(key, row) || leat_column_is_null(&kept->column, target)) return false;
        if (leat_pk_compare(&kept->type, key, row, &kept->column, target) != 0) return false;
    }
    return true;
}

/* NULL equals nothing; a deleted row is none. */
static int32_t check_targets(pk_lookup *self, const leat_batch *keys, int32_t first, int32_t count, int32_t *counts)
{
    const int8_t *kinds = self->copy.state.kinds;
    int32_t found = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t target = self->targets[i], row = leat_batch_row(keys, first + i);
        bool is_match = target >= 0 && leat_row_kind_is_add(kinds[target]);
        if (is_match && self->extra_count) is_match = extras_match(self, keys, row, target);
        counts[i] = is_match;
        self->targets[found] = target;
        found += is_match;
    }
    return found;
}

static void drop_null_keys(pk_lookup *self, const leat_batch *keys, int32_t first, int32_t count)
{
    for (int32_t k = 0; k < self->options.keys_count; k++) {
        const leat_column *column = &keys->columns[self->probe_columns[k]];
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
    for (int32_t i = 0; i < found; i++) {
        LEAT_TRY(leat_batch_builder_begin_row(builder, LEAT_ROW_INSERT, error));
        for (int32_t c = 0; c < self->wanted_count; c++) {
            LEAT_TRY(leat_batch_builder_copy_value(builder, c, &self->view->columns[c], self->targets[i], error));
        }
    }
    return LEAT_OK;
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
    leat_hash_rows(keys, self->probe_columns, self->probe_types, self->options.keys_count, self->hashes64);
    fold(self->hashes64 + first, self->hashes, count);
    leat_pk_buffer_find(&self->copy, keys, self->probe_columns, first, self->hashes, count, self->targets);
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
    if (self->view) {
        self->view->columns_count = 0; /* its columns are the copy's */
        leat_batch_free(self->view);
    }
    leat_free(self->hashes64);
    leat_free(self->hashes);
    leat_free(self->targets);
    leat_free(self->rows);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_lookup_vtable lookup_vtable = {.open = lookup_open,
                                                 .get_many = lookup_get_many,
                                                 .refresh = lookup_refresh,
                                                 .close = lookup_close,
                                                 .on_news = lookup_on_news};

static int32_t keep(pk_lookup *self, int32_t column)
{
    for (int32_t i = 0; i < self->changes.columns_count; i++) {
        if (self->kept[i] == column) return i;
    }
    self->kept[self->changes.columns_count] = column;
    return self->changes.columns_count++;
}

/* Which columns are kept, and where key columns are among the lookup's keys. `keys` holds table columns. */
static leat_code lay_out(pk_lookup *self, const leat_pk_options *table, const int32_t *keys, int32_t keys_count,
                         leat_error *error)
{
    for (int32_t k = 0; k < table->keys_count + table->partition_count; k++) {
        int32_t column = k < table->keys_count ? table->keys[k] : table->partition[k - table->keys_count];
        int32_t at = 0;
        while (at < keys_count && keys[at] != column)
            at++;
        if (at == keys_count) return leat_fail(error, LEAT_CORRUPT, "the lookup lacks a key column");
        self->options.keys[self->options.keys_count] = keep(self, column);
        self->probe_columns[self->options.keys_count++] = at;
    }
    for (int32_t i = 0; i < keys_count; i++) {
        int32_t place = keep(self, keys[i]);
        if (place < self->options.keys_count) continue;
        self->extra_keys[self->extra_count] = i;
        self->extra_places[self->extra_count++] = place;
    }
    for (int32_t i = 0; i < self->wanted_count; i++)
        self->wanted[i] = keep(self, self->wanted[i]);
    return LEAT_OK;
}

static leat_code make_options(pk_lookup *self, const leat_pk_options *table, leat_error *error)
{
    size_t count = (size_t)self->changes.columns_count;
    leat_pk_options *options = &self->options;
    options->engine = LEAT_PK_DEDUPLICATE;
    options->schema.fields_count = self->changes.columns_count;
    options->schema.fields = leat_arena_take(&self->arena, count * sizeof *options->schema.fields);
    options->functions = leat_arena_take(&self->arena, count * sizeof *options->functions);
    options->ignore_retract = leat_arena_take(&self->arena, count * sizeof *options->ignore_retract);
    self->key_types = leat_arena_take(&self->arena, ((size_t)options->keys_count + 1) * sizeof *self->key_types);
    if (!options->schema.fields || !options->functions || !options->ignore_retract || !self->key_types) {
        return leat_fail_no_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        options->schema.fields[i] = table->schema.fields[self->kept[i]];
        options->functions[i] = LEAT_PK_LAST_VALUE;
    }
    for (int32_t k = 0; k < options->keys_count; k++) {
        self->key_types[k] = options->schema.fields[options->keys[k]].type;
        options->functions[options->keys[k]] = LEAT_PK_PRIMARY_KEY;
    }
    self->probe_types = self->key_types;
    return LEAT_OK;
}

static leat_code take_arrays(pk_lookup *self, size_t columns, leat_error *error)
{
    int32_t **arrays[] = {&self->kept, &self->probe_columns, &self->extra_keys, &self->extra_places,
                          &self->options.keys};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i] = leat_arena_take(&self->arena, (columns + 1) * sizeof **arrays[i]);
        if (!*arrays[i]) return leat_fail_no_memory(error);
    }
    self->hashes64 = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes64);
    self->hashes = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes);
    self->targets = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->targets);
    self->rows = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->rows);
    bool has_all = self->hashes64 && self->hashes && self->targets && self->rows;
    return has_all ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code read_columns(pk_lookup *self, leat_reader *reader, int32_t **out, int32_t *count, leat_error *error)
{
    *count = (int32_t)leat_reader_u32(reader);
    if (*count < 0 || (size_t)*count > leat_reader_left(reader) / 4)
        return leat_fail(error, LEAT_CORRUPT, "lookup configuration");
    *out = leat_arena_take(&self->arena, ((size_t)*count + 1) * sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < *count; i++)
        (*out)[i] = (int32_t)leat_reader_u32(reader);
    return LEAT_OK;
}

static leat_code check_columns(const leat_pk_options *table, const int32_t *columns, int32_t count, leat_error *error)
{
    for (int32_t i = 0; i < count; i++) {
        if (columns[i] < 0 || columns[i] >= table->schema.fields_count)
            return leat_fail(error, LEAT_CORRUPT, "lookup column");
    }
    return LEAT_OK;
}

static leat_code read_config(pk_lookup *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    int32_t *keys, keys_count;
    leat_pk_options table;
    leat_reader_init(&reader, config, size);
    self->interval_ms = leat_reader_i64(&reader);
    LEAT_TRY(read_columns(self, &reader, &keys, &keys_count, error));
    LEAT_TRY(read_columns(self, &reader, &self->wanted, &self->wanted_count, error));
    LEAT_TRY(leat_paimon_table_read(&reader, &self->arena, &self->table, error));
    LEAT_TRY(leat_pk_options_read(&self->table.schema, false, &self->arena, &table, error));
    LEAT_TRY(check_columns(&table, keys, keys_count, error));
    LEAT_TRY(check_columns(&table, self->wanted, self->wanted_count, error));
    LEAT_TRY(take_arrays(self, (size_t)(table.schema.fields_count + keys_count), error));
    LEAT_TRY(lay_out(self, &table, keys, keys_count, error));
    LEAT_TRY(make_options(self, &table, error));
    self->changes.table = &self->table;
    self->changes.columns = self->kept;
    self->changes.next_snapshot = -1;
    self->view = leat_batch_new(self->wanted_count);
    if (!self->view) return leat_fail_no_memory(error);
    return leat_pk_buffer_init(&self->copy, &self->options, error);
}

static leat_code lookup_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_lookup **out, leat_error *error)
{
    pk_lookup *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->lookup = (leat_lookup){.vtable = &lookup_vtable, .context = context};
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        lookup_close(&self->lookup);
        return code;
    }
    self->lookup.topic = leat_paimon_topic(self->table.path);
    *out = &self->lookup;
    return LEAT_OK;
}

const leat_lookup_factory leat_paimon_lookup_factory = {"paimon-lookup", lookup_create};

/* --- planning --- */

static leat_code check_keys(const leat_paimon_schema *schema, const int32_t *keys, int32_t keys_count,
                            leat_error *error)
{
    if (schema->primary_keys_count == 0) {
        return leat_fail(error, LEAT_UNSUPPORTED, "a lookup into a table without primary key is not supported yet");
    }
    for (int32_t i = 0; i < schema->primary_keys_count; i++) {
        bool is_there = false;
        for (int32_t k = 0; k < keys_count; k++) {
            is_there = is_there || strcmp(schema->fields[keys[k]].name, schema->primary_keys[i]) == 0;
        }
        if (is_there) continue;
        (void)leat_fail(error, LEAT_UNSUPPORTED,
                        "a lookup that does not compare the primary key column '%s' is not supported yet",
                        schema->primary_keys[i]);
        leat_fail_hint(error, "join on all primary key columns");
        return LEAT_UNSUPPORTED;
    }
    return LEAT_OK;
}

static leat_code read_interval(const leat_config *options, int64_t *out, leat_error *error)
{
    static const char *const names[] = {"lookup.continuous-discovery-interval", "continuous.discovery-interval"};
    *out = interval_ms_default;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = leat_config_find(options, names[i]);
        if (!text) continue;
        leat_code code = leat_parse_duration_ms(text, out, error);
        return code == LEAT_OK ? code : leat_fail_in(error, code, "option '%s'", names[i]);
    }
    return LEAT_OK;
}

static void put_columns(leat_bytes *out, const int32_t *columns, int32_t count)
{
    leat_bytes_put_u32(out, (uint32_t)count);
    for (int32_t i = 0; i < count; i++)
        leat_bytes_put_u32(out, (uint32_t)columns[i]);
}

leat_code leat_paimon_plan_lookup(const leat_plan_context *context, const leat_table *table,
                                  const leat_paimon_table *paimon_table, const int32_t *keys, int32_t keys_count,
                                  const int32_t *columns, int32_t columns_count, leat_lookup_plan *out,
                                  leat_error *error)
{
    (void)table;
    leat_pk_options options;
    const leat_config *config = &paimon_table->schema.options;
    LEAT_TRY(check_keys(&paimon_table->schema, keys, keys_count, error));
    LEAT_TRY(leat_pk_options_read(&paimon_table->schema, false, context->arena, &options, error));
    LEAT_TRY(leat_paimon_check_streaming(paimon_table, error));
    int64_t interval_ms;
    LEAT_TRY(read_interval(config, &interval_ms, error));
    *out = (leat_lookup_plan){.type = leat_paimon_lookup_factory.type};
    const char *async = leat_config_find(config, "lookup.async");
    if (async) LEAT_TRY(leat_parse_bool(async, &out->is_async, error));
    leat_bytes_put_i64(&out->config, interval_ms);
    put_columns(&out->config, keys, keys_count);
    put_columns(&out->config, columns, columns_count);
    leat_code code = leat_paimon_table_write(paimon_table, &out->config, error);
    if (code == LEAT_OK) code = leat_bytes_check(&out->config, error);
    if (code != LEAT_OK) leat_bytes_done(&out->config);
    return code;
}
