/* Planning of lookups into primary-key tables, and what is read back from the plan. Tables of fixed buckets are looked
 * up in their files ("paimon-lookup-files"); where a key's bucket is not known without the table's index, a copy is
 * kept ("paimon-lookup"). */
#include "paimon/pk/lookup_config.h"

#include <string.h>

#include "columnar/hash.h"
#include "paimon/catalog.h"
#include "paimon/pk.h"
#include "paimon/pk/value.h"
#include "paimon/scan.h"
#include "paimon/schema.h"
#include "paimon/table_config.h"

enum { ARENA_BYTES_MAX = 64 << 20 };
static const int64_t interval_ms_default = 1000;

/* --- reading --- */

static int32_t keep(leat_pk_lookup_config *self, int32_t column)
{
    for (int32_t i = 0; i < self->kept_count; i++) {
        if (self->kept[i] == column) return i;
    }
    self->kept[self->kept_count] = column;
    return self->kept_count++;
}

/* Which columns are kept, and where key columns are among the lookup's keys. `keys` holds table columns. */
static leat_code lay_out(leat_pk_lookup_config *self, const int32_t *keys, int32_t keys_count, leat_error *error)
{
    const leat_pk_options *table = &self->table_options;
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

static leat_code make_options(leat_pk_lookup_config *self, leat_error *error)
{
    size_t count = (size_t)self->kept_count;
    leat_pk_options *options = &self->options;
    options->engine = LEAT_PK_DEDUPLICATE;
    options->schema.fields_count = self->kept_count;
    options->schema.fields = leat_arena_take(&self->arena, count * sizeof *options->schema.fields);
    options->functions = leat_arena_take(&self->arena, count * sizeof *options->functions);
    options->ignore_retract = leat_arena_take(&self->arena, count * sizeof *options->ignore_retract);
    self->key_types = leat_arena_take(&self->arena, ((size_t)options->keys_count + 1) * sizeof *self->key_types);
    if (!options->schema.fields || !options->functions || !options->ignore_retract || !self->key_types) {
        return leat_fail_no_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        options->schema.fields[i] = self->table_options.schema.fields[self->kept[i]];
        options->functions[i] = LEAT_PK_LAST_VALUE;
    }
    for (int32_t k = 0; k < options->keys_count; k++) {
        self->key_types[k] = options->schema.fields[options->keys[k]].type;
        options->functions[options->keys[k]] = LEAT_PK_PRIMARY_KEY;
    }
    return LEAT_OK;
}

static leat_code take_arrays(leat_pk_lookup_config *self, size_t columns, leat_error *error)
{
    int32_t **arrays[] = {&self->kept, &self->probe_columns, &self->extra_keys, &self->extra_places,
                          &self->options.keys};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i] = leat_arena_take(&self->arena, (columns + 1) * sizeof **arrays[i]);
        if (!*arrays[i]) return leat_fail_no_memory(error);
    }
    return LEAT_OK;
}

static leat_code read_columns(leat_pk_lookup_config *self, leat_reader *reader, int32_t **out, int32_t *count,
                              leat_error *error)
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

leat_code leat_pk_lookup_config_read(leat_pk_lookup_config *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    int32_t *keys, keys_count;
    *self = (leat_pk_lookup_config){0};
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_reader_init(&reader, config, size);
    self->interval_ms = leat_reader_i64(&reader);
    LEAT_TRY(read_columns(self, &reader, &keys, &keys_count, error));
    LEAT_TRY(read_columns(self, &reader, &self->wanted, &self->wanted_count, error));
    LEAT_TRY(leat_paimon_table_read(&reader, &self->arena, &self->table, error));
    LEAT_TRY(leat_pk_options_read(&self->table.schema, false, &self->arena, &self->table_options, error));
    LEAT_TRY(check_columns(&self->table_options, keys, keys_count, error));
    LEAT_TRY(check_columns(&self->table_options, self->wanted, self->wanted_count, error));
    LEAT_TRY(take_arrays(self, (size_t)(self->table_options.schema.fields_count + keys_count), error));
    LEAT_TRY(lay_out(self, keys, keys_count, error));
    return make_options(self, error);
}

void leat_pk_lookup_config_done(leat_pk_lookup_config *self)
{
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
}

/* --- rows --- */

leat_code leat_pk_lookup_view_new(const leat_pk_lookup_config *self, leat_batch **out, leat_error *error)
{
    *out = leat_batch_new(self->wanted_count + self->kept_count);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

void leat_pk_lookup_view_free(leat_batch *view)
{
    if (!view) return;
    view->columns_count = 0; /* its columns are the state's */
    leat_batch_free(view);
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

void leat_pk_lookup_view_refresh(const leat_pk_lookup_config *self, const leat_pk_state *state, leat_batch *view)
{
    view->rows = view->selected = state->rows;
    leat_column *kept = view->columns + self->wanted_count;
    for (int32_t i = 0; i < self->kept_count; i++) {
        const leat_column *from = &state->columns[i].column;
        kept[i] = (leat_column){.layout = from->layout, .values = from->values, .validity = from->validity};
        kept[i].heaps = from->heaps;
        kept[i].heaps_count = from->heaps_count;
        if (state->rows && !has_nulls(from, state->rows)) kept[i].validity = NULL;
    }
    for (int32_t i = 0; i < self->wanted_count; i++)
        view->columns[i] = kept[self->wanted[i]];
}

bool leat_pk_lookup_extras_match(const leat_pk_lookup_config *self, const leat_batch *keys, int32_t row,
                                 const leat_batch *view, int32_t target)
{
    for (int32_t i = 0; i < self->extra_count; i++) {
        int32_t place = self->extra_places[i];
        const leat_column *kept = &view->columns[self->wanted_count + place],
                          *key = &keys->columns[self->extra_keys[i]];
        if (leat_column_is_null(key, row) || leat_column_is_null(kept, target)) return false;
        if (leat_pk_compare(&self->options.schema.fields[place].type, key, row, kept, target) != 0) return false;
    }
    return true;
}

static void fold(const uint64_t *from, uint32_t *to, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        to[i] = (uint32_t)(from[i] ^ (from[i] >> 32));
}

void leat_pk_lookup_hash(const leat_pk_lookup_config *self, const leat_batch *keys, int32_t first, uint64_t *scratch,
                         uint32_t *hashes)
{
    leat_hash_rows(keys, self->probe_columns, self->key_types, self->options.keys_count, scratch);
    fold(scratch + first, hashes, keys->selected - first);
}

void leat_pk_lookup_hash_kept(const leat_pk_lookup_config *self, const leat_batch *batch, uint64_t *scratch,
                              uint32_t *hashes)
{
    leat_hash_rows(batch, self->options.keys, self->key_types, self->options.keys_count, scratch);
    fold(scratch, hashes, batch->selected);
}

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

/* Files answer when a key names its bucket; the option asks for the copy. */
static leat_code choose(const leat_paimon_schema *schema, const leat_pk_options *options, bool *uses_files,
                        leat_error *error)
{
    const char *cache = leat_paimon_option_text(&schema->options, "lookup.cache", "auto");
    const char *function = leat_paimon_option_text(&schema->options, "bucket-function.type", "default");
    bool is_auto = strcasecmp(cache, "auto") == 0;
    if (!is_auto && strcasecmp(cache, "full") != 0 && strcasecmp(cache, "memory") != 0) {
        return leat_fail(error, LEAT_INVALID, "'lookup.cache' = '%s' is none of auto, full, memory", cache);
    }
    bool is_known = strcmp(function, "default") == 0 || strcmp(function, "mod") == 0;
    bool has_partition_in_key = options->keys_count + options->partition_count == schema->primary_keys_count;
    *uses_files = is_auto && options->bucket > 0 && is_known && has_partition_in_key;
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
    bool uses_files;
    int64_t interval_ms;
    LEAT_TRY(check_keys(&paimon_table->schema, keys, keys_count, error));
    LEAT_TRY(leat_pk_options_read(&paimon_table->schema, false, context->arena, &options, error));
    LEAT_TRY(choose(&paimon_table->schema, &options, &uses_files, error));
    if (!uses_files) LEAT_TRY(leat_paimon_check_streaming(paimon_table, error)); /* a copy lives on changes */
    LEAT_TRY(read_interval(config, &interval_ms, error));
    *out =
        (leat_lookup_plan){.type = uses_files ? leat_paimon_file_lookup_factory.type : leat_paimon_lookup_factory.type};
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
