/* Manifests and their lists into Avro. */
#include <string.h>

#include "common/memory.h"
#include "formats/avro/avro.h"
#include "paimon/binary_row.h"
#include "paimon/manifest.h"
#include "paimon/manifest_schema.h"
#include "paimon/path.h"
#include "paimon/schema.h"
#include "storage/storage.h"

enum { LIST_FORMAT = 2, MANIFEST_FORMAT = 2, INDEX_FORMAT = 1, RECORD_BYTES_MAX = 64 << 20 };

/* A file being written: records are built in the arena, which is reset between them. */
typedef struct store {
    leat_arena schemas, arena;
    leat_bytes out;
    leat_avro_writer writer;
} store;

static leat_code store_begin(store *self, leat_env *env, const leat_paimon_schema *schema, const char *schema_json,
                             leat_error *error)
{
    *self = (store){0};
    leat_arena_init(&self->schemas, RECORD_BYTES_MAX);
    leat_arena_init(&self->arena, RECORD_BYTES_MAX);
    const leat_avro_schema *avro;
    LEAT_TRY(leat_avro_schema_parse(schema_json, strlen(schema_json), &self->schemas, &avro, error));
    uint64_t sync[2] = {leat_env_random(env), leat_env_random(env)};
    const char *codec = leat_paimon_option_text(&schema->options, "manifest.compression", "zstandard");
    return leat_avro_writer_init(&self->writer, schema_json, avro, codec, (const uint8_t *)sync, &self->out, error);
}

static leat_code store_end(store *self, leat_env *env, const char *table_path, const char *name, int64_t *size_bytes,
                           leat_error *error)
{
    LEAT_TRY(leat_avro_writer_finish(&self->writer, error));
    *size_bytes = (int64_t)self->out.size;
    const char *path = leat_paimon_path(table_path, "manifest", name, &self->schemas);
    if (!path) return leat_fail_no_memory(error);
    return leat_storage_put(env->storage, path, self->out.data, self->out.size, LEAT_PUT_IF_ABSENT, error);
}

static void store_done(store *self)
{
    leat_avro_writer_done(&self->writer);
    leat_bytes_done(&self->out);
    leat_arena_done(&self->schemas);
    leat_arena_done(&self->arena);
}

/* `count` values for a record or a list; NULL when the arena is full. */
static leat_avro_value *take_items(store *self, leat_avro_kind kind, size_t count, leat_avro_value *out)
{
    *out = (leat_avro_value){.kind = kind};
    out->list.count = count;
    out->list.items = leat_arena_take(&self->arena, count * sizeof *out->list.items);
    return out->list.items;
}

static leat_avro_value bytes_or_empty_row(const uint8_t *data, size_t size)
{
    return data && size ? leat_avro_bytes(data, size)
                        : leat_avro_bytes(leat_binary_row_empty, LEAT_BINARY_ROW_EMPTY_SIZE);
}

static leat_avro_value long_if(bool is_set, int64_t value)
{
    return is_set ? leat_avro_long(value) : leat_avro_null();
}

static leat_code put_texts(store *self, const char *const *texts, size_t count, leat_avro_value *out, leat_error *error)
{
    leat_avro_value *items = take_items(self, LEAT_AVRO_ARRAY, count, out);
    if (!items) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++)
        items[i] = leat_avro_text(texts[i]);
    return LEAT_OK;
}

static leat_code put_stats(store *self, const leat_paimon_stats *stats, leat_avro_value *out, leat_error *error)
{
    leat_avro_value *items = take_items(self, LEAT_AVRO_RECORD, STATS_FIELDS, out);
    if (!items) return leat_fail_no_memory(error);
    items[STATS_MIN_VALUES] = bytes_or_empty_row(stats->min, stats->min_size);
    items[STATS_MAX_VALUES] = bytes_or_empty_row(stats->max, stats->max_size);
    size_t count = stats->null_counts ? stats->null_counts_size : 0;
    leat_avro_value *counts = take_items(self, LEAT_AVRO_ARRAY, count, &items[STATS_NULL_COUNTS]);
    if (!counts) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++)
        counts[i] = long_if(stats->null_counts[i] >= 0, stats->null_counts[i]);
    return LEAT_OK;
}

static leat_code put_manifest(store *self, const leat_paimon_manifest *manifest, leat_error *error)
{
    leat_avro_value record;
    leat_avro_value *items = take_items(self, LEAT_AVRO_RECORD, LIST_FIELDS, &record);
    if (!items) return leat_fail_no_memory(error);
    items[LIST_VERSION] = leat_avro_int(LIST_FORMAT);
    items[LIST_FILE_NAME] = leat_avro_text(manifest->name);
    items[LIST_FILE_SIZE] = leat_avro_long(manifest->size_bytes);
    items[LIST_NUM_ADDED_FILES] = leat_avro_long(manifest->added_files);
    items[LIST_NUM_DELETED_FILES] = leat_avro_long(manifest->deleted_files);
    LEAT_TRY(put_stats(self, &manifest->partition_stats, &items[LIST_PARTITION_STATS], error));
    items[LIST_SCHEMA_ID] = leat_avro_long(manifest->schema_id);
    items[LIST_MIN_BUCKET] = long_if(manifest->has_buckets, manifest->min_bucket);
    items[LIST_MAX_BUCKET] = long_if(manifest->has_buckets, manifest->max_bucket);
    items[LIST_MIN_LEVEL] = long_if(manifest->has_levels, manifest->min_level);
    items[LIST_MAX_LEVEL] = long_if(manifest->has_levels, manifest->max_level);
    return leat_avro_writer_add(&self->writer, &record, error);
}

leat_code leat_paimon_manifest_list_store(leat_env *env, const char *table_path, const leat_paimon_schema *schema,
                                          const char *name, const leat_paimon_manifests *manifests, int64_t *size_bytes,
                                          leat_error *error)
{
    store self;
    leat_code code = store_begin(&self, env, schema, leat_paimon_manifest_list_avro, error);
    for (size_t i = 0; code == LEAT_OK && i < manifests->count; i++) {
        leat_arena_reset(&self.arena);
        code = put_manifest(&self, &manifests->items[i], error);
    }
    if (code == LEAT_OK) code = store_end(&self, env, table_path, name, size_bytes, error);
    store_done(&self);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "write manifest list %s", name);
}

static leat_code put_file(store *self, const leat_paimon_file *file, leat_avro_value *out, leat_error *error)
{
    leat_avro_value *items = take_items(self, LEAT_AVRO_RECORD, FILE_FIELDS, out);
    if (!items) return leat_fail_no_memory(error);
    items[FILE_NAME] = leat_avro_text(file->name);
    items[FILE_SIZE] = leat_avro_long(file->size_bytes);
    items[FILE_ROW_COUNT] = leat_avro_long(file->rows);
    items[FILE_MIN_KEY] = bytes_or_empty_row(file->min_key, file->min_key_size);
    items[FILE_MAX_KEY] = bytes_or_empty_row(file->max_key, file->max_key_size);
    LEAT_TRY(put_stats(self, &file->key_stats, &items[FILE_KEY_STATS], error));
    LEAT_TRY(put_stats(self, &file->value_stats, &items[FILE_VALUE_STATS], error));
    items[FILE_MIN_SEQUENCE_NUMBER] = leat_avro_long(file->min_sequence);
    items[FILE_MAX_SEQUENCE_NUMBER] = leat_avro_long(file->max_sequence);
    items[FILE_SCHEMA_ID] = leat_avro_long(file->schema_id);
    items[FILE_LEVEL] = leat_avro_int(file->level);
    LEAT_TRY(put_texts(self, file->extra_files, file->extra_files_count, &items[FILE_EXTRA_FILES], error));
    items[FILE_CREATION_TIME] = leat_avro_long(file->creation_ms);
    items[FILE_DELETE_ROW_COUNT] = long_if(file->has_delete_rows, file->delete_rows);
    if (file->embedded_index) {
        items[FILE_EMBEDDED_FILE_INDEX] = leat_avro_bytes(file->embedded_index, file->embedded_index_size);
    }
    items[FILE_SOURCE] = long_if(file->has_file_source, file->file_source);
    if (file->value_stats_columns) {
        LEAT_TRY(put_texts(self, file->value_stats_columns, file->value_stats_columns_count,
                           &items[FILE_VALUE_STATS_COLS], error));
    }
    items[FILE_EXTERNAL_PATH] = leat_avro_text(file->external_path);
    items[FILE_FIRST_ROW_ID] = long_if(file->has_first_row_id, file->first_row_id);
    if (!file->write_columns) return LEAT_OK; /* what was not set is null */
    return put_texts(self, file->write_columns, file->write_columns_count, &items[FILE_WRITE_COLS], error);
}

static leat_code put_entry(store *self, const leat_paimon_entry *entry, leat_error *error)
{
    leat_avro_value record;
    leat_avro_value *items = take_items(self, LEAT_AVRO_RECORD, ENTRY_FIELDS, &record);
    if (!items) return leat_fail_no_memory(error);
    items[ENTRY_VERSION] = leat_avro_int(MANIFEST_FORMAT);
    items[ENTRY_KIND] = leat_avro_int(entry->kind);
    items[ENTRY_PARTITION] = bytes_or_empty_row(entry->partition, entry->partition_size);
    items[ENTRY_BUCKET] = leat_avro_int(entry->bucket);
    items[ENTRY_TOTAL_BUCKETS] = leat_avro_int(entry->total_buckets);
    LEAT_TRY(put_file(self, &entry->file, &items[ENTRY_FILE], error));
    return leat_avro_writer_add(&self->writer, &record, error);
}

static bool has_bounds(leat_type_kind kind)
{
    return kind != LEAT_TYPE_BINARY && kind != LEAT_TYPE_VARBINARY;
}

/* Bounds of one partition value over the entries. */
static leat_code part_bounds(const leat_paimon_entry *const *entries, size_t count, int32_t field,
                             const leat_type *type, leat_paimon_value *min, leat_paimon_value *max, int64_t *nulls,
                             leat_error *error)
{
    *min = *max = (leat_paimon_value){.is_null = true};
    *nulls = 0;
    for (size_t i = 0; i < count; i++) {
        leat_binary_row row;
        leat_paimon_value value;
        LEAT_TRY(leat_binary_row_open(entries[i]->partition, entries[i]->partition_size, "partition", &row, error));
        LEAT_TRY(leat_binary_row_get(&row, field, type, &value, error));
        *nulls += value.is_null;
        if (value.is_null || !has_bounds(type->kind)) continue;
        if (min->is_null || leat_paimon_value_compare(type, &value, min) < 0) *min = value;
        if (max->is_null || leat_paimon_value_compare(type, &value, max) > 0) *max = value;
    }
    return LEAT_OK;
}

/* The rows of minima and maxima go to `min` and `max`. */
static leat_code part_rows(const leat_paimon_entry *const *entries, size_t count, const leat_paimon_key *key,
                           int64_t *nulls, leat_bytes *min, leat_bytes *max, leat_error *error)
{
    leat_binary_row_writer min_row, max_row;
    leat_binary_row_begin(&min_row, min, key->count, true);
    leat_binary_row_begin(&max_row, max, key->count, true);
    for (int32_t i = 0; i < key->count; i++) {
        leat_paimon_value low, high;
        LEAT_TRY(part_bounds(entries, count, i, &key->types[i], &low, &high, &nulls[i], error));
        leat_binary_row_set(&min_row, i, &key->types[i], &low);
        leat_binary_row_set(&max_row, i, &key->types[i], &high);
    }
    LEAT_TRY(leat_bytes_check(min, error));
    return leat_bytes_check(max, error);
}

static leat_code partition_stats(const leat_paimon_schema *schema, const leat_paimon_entry *const *entries,
                                 size_t count, leat_arena *arena, leat_paimon_stats *out, leat_error *error)
{
    leat_paimon_key key;
    LEAT_TRY(leat_paimon_schema_partition_key(schema, arena, &key, error));
    int64_t *nulls = leat_arena_take(arena, (size_t)key.count * sizeof *nulls);
    if (!nulls) return leat_fail_no_memory(error);
    leat_bytes min = {0}, max = {0};
    leat_code code = part_rows(entries, count, &key, nulls, &min, &max, error);
    if (code == LEAT_OK) {
        *out = (leat_paimon_stats){.min = (const uint8_t *)leat_arena_strndup(arena, (const char *)min.data, min.size),
                                   .min_size = min.size,
                                   .max = (const uint8_t *)leat_arena_strndup(arena, (const char *)max.data, max.size),
                                   .max_size = max.size,
                                   .null_counts = nulls,
                                   .null_counts_size = (size_t)key.count};
        if (!out->min || !out->max) code = leat_fail_no_memory(error);
    }
    leat_bytes_done(&min);
    leat_bytes_done(&max);
    return code;
}

static void describe(const leat_paimon_entry *const *entries, size_t count, leat_paimon_manifest *out)
{
    for (size_t i = 0; i < count; i++) {
        const leat_paimon_entry *entry = entries[i];
        if (entry->kind == LEAT_PAIMON_ADD)
            out->added_files++;
        else
            out->deleted_files++;
        if (i == 0 || entry->bucket < out->min_bucket) out->min_bucket = entry->bucket;
        if (i == 0 || entry->bucket > out->max_bucket) out->max_bucket = entry->bucket;
        if (i == 0 || entry->file.level < out->min_level) out->min_level = entry->file.level;
        if (i == 0 || entry->file.level > out->max_level) out->max_level = entry->file.level;
    }
    out->has_buckets = out->has_levels = count > 0;
}

leat_code leat_paimon_manifest_store(leat_env *env, const char *table_path, const leat_paimon_schema *schema,
                                     const char *name, const leat_paimon_entry *const *entries, size_t count,
                                     leat_arena *arena, leat_paimon_manifest *out, leat_error *error)
{
    leat_paimon_manifest manifest = {.name = name, .schema_id = schema->id};
    LEAT_TRY(partition_stats(schema, entries, count, arena, &manifest.partition_stats, error));
    describe(entries, count, &manifest);
    store self;
    leat_code code = store_begin(&self, env, schema, leat_paimon_manifest_avro, error);
    for (size_t i = 0; code == LEAT_OK && i < count; i++) {
        leat_arena_reset(&self.arena);
        code = put_entry(&self, entries[i], error);
    }
    if (code == LEAT_OK) code = store_end(&self, env, table_path, name, &manifest.size_bytes, error);
    store_done(&self);
    if (code != LEAT_OK) return leat_fail_in(error, code, "write manifest %s", name);
    *out = manifest;
    return LEAT_OK;
}

static leat_code put_ranges(store *self, const leat_paimon_index_file *file, leat_avro_value *out, leat_error *error)
{
    if (!file->dv_ranges) return LEAT_OK;
    leat_avro_value *ranges = take_items(self, LEAT_AVRO_ARRAY, file->dv_ranges_count, out);
    if (!ranges) return leat_fail_no_memory(error);
    for (size_t i = 0; i < file->dv_ranges_count; i++) {
        const leat_paimon_dv_range *range = &file->dv_ranges[i];
        leat_avro_value *items = take_items(self, LEAT_AVRO_RECORD, RANGE_FIELDS, &ranges[i]);
        if (!items) return leat_fail_no_memory(error);
        items[RANGE_DATA_FILE] = leat_avro_text(range->data_file);
        items[RANGE_OFFSET] = leat_avro_int(range->offset);
        items[RANGE_LENGTH] = leat_avro_int(range->length);
        items[RANGE_CARDINALITY] = long_if(range->cardinality >= 0, range->cardinality);
    }
    return LEAT_OK;
}

static leat_code put_index_file(store *self, const leat_paimon_index_file *file, leat_error *error)
{
    leat_avro_value record;
    leat_avro_value *items = take_items(self, LEAT_AVRO_RECORD, INDEX_FIELDS, &record);
    if (!items) return leat_fail_no_memory(error);
    items[INDEX_VERSION] = leat_avro_int(INDEX_FORMAT);
    items[INDEX_KIND] = leat_avro_int(LEAT_PAIMON_ADD); /* the file lists a full state */
    items[INDEX_PARTITION] = bytes_or_empty_row(file->partition, file->partition_size);
    items[INDEX_BUCKET] = leat_avro_int(file->bucket);
    items[INDEX_TYPE] = leat_avro_text(file->index_type);
    items[INDEX_FILE_NAME] = leat_avro_text(file->name);
    items[INDEX_FILE_SIZE] = leat_avro_long(file->size_bytes);
    items[INDEX_ROW_COUNT] = leat_avro_long(file->rows);
    LEAT_TRY(put_ranges(self, file, &items[INDEX_DELETIONS_VECTORS_RANGES], error));
    items[INDEX_EXTERNAL_PATH] = leat_avro_text(file->external_path);
    return leat_avro_writer_add(&self->writer, &record, error);
}

leat_code leat_paimon_index_manifest_store(leat_env *env, const char *table_path, const leat_paimon_schema *schema,
                                           const char *name, const leat_paimon_index_files *files, leat_error *error)
{
    store self;
    int64_t size_bytes;
    leat_code code = store_begin(&self, env, schema, leat_paimon_index_manifest_avro, error);
    for (size_t i = 0; code == LEAT_OK && i < files->count; i++) {
        leat_arena_reset(&self.arena);
        code = put_index_file(&self, &files->items[i], error);
    }
    if (code == LEAT_OK) code = store_end(&self, env, table_path, name, &size_bytes, error);
    store_done(&self);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "write index manifest %s", name);
}
