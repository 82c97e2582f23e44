/* Manifests and their lists out of Avro. */
#include <inttypes.h>
#include <string.h>

#include "common/memory.h"
#include "formats/avro/avro.h"
#include "paimon/manifest.h"
#include "paimon/manifest_schema.h"
#include "paimon/path.h"
#include "storage/storage.h"

enum { MANIFEST_BYTES_MAX = 256 << 20, SCRATCH_BYTES_MAX = 16 << 20 };

/* Takes one record; it is gone with the next, but its bytes stay as long as `arena`. */
typedef leat_code take_record(const leat_avro_value *record, leat_arena *arena, void *out, leat_error *error);

typedef struct load {
    leat_arena schemas, scratch;
    leat_bytes bytes;
    leat_avro_file file;
} load;

static leat_code load_records(load *self, const char *path, leat_env *env, const char *schema_json, take_record *take,
                              leat_arena *arena, void *out, leat_error *error)
{
    LEAT_TRY(leat_storage_get_all(env->storage, path, MANIFEST_BYTES_MAX, &self->bytes, error));
    const leat_avro_schema *wanted;
    LEAT_TRY(leat_avro_schema_parse(schema_json, strlen(schema_json), &self->schemas, &wanted, error));
    /* Codec null leaves values in the file's bytes: those must live as long as the arena. */
    uint8_t *data = leat_arena_take(arena, self->bytes.size);
    if (!data) return leat_fail(error, LEAT_LIMIT, "%zu bytes do not fit in the plan's memory", self->bytes.size);
    if (self->bytes.size) memcpy(data, self->bytes.data, self->bytes.size);
    LEAT_TRY(leat_avro_file_open(data, self->bytes.size, arena, &self->file, error));
    leat_bytes_done(&self->bytes);
    for (;;) { /* until the file's end */
        bool has_record;
        leat_avro_value record;
        leat_arena_reset(&self->scratch);
        LEAT_TRY(leat_avro_file_next(&self->file, wanted, &self->scratch, &has_record, &record, error));
        if (!has_record) return LEAT_OK;
        LEAT_TRY(take(&record, arena, out, error));
    }
}

static leat_code load_file(leat_env *env, const char *table_path, const char *name, const char *schema_json,
                           take_record *take, leat_arena *arena, void *out, leat_error *error)
{
    const char *path = leat_paimon_path(table_path, "manifest", name, arena);
    if (!path) return leat_fail_no_memory(error);
    load self = {0};
    leat_arena_init(&self.schemas, SCRATCH_BYTES_MAX);
    leat_arena_init(&self.scratch, SCRATCH_BYTES_MAX);
    leat_code code = load_records(&self, path, env, schema_json, take, arena, out, error);
    leat_bytes_done(&self.bytes);
    leat_arena_done(&self.schemas);
    leat_arena_done(&self.scratch);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "read %s", path);
}

static leat_code text_of(const leat_avro_value *value, leat_arena *arena, const char **out, leat_error *error)
{
    *out = NULL;
    if (value->kind == LEAT_AVRO_NULL) return LEAT_OK;
    *out = leat_arena_strndup(arena, (const char *)value->bytes.data, value->bytes.size);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code texts_of(const leat_avro_value *value, leat_arena *arena, const char ***out, size_t *count,
                          leat_error *error)
{
    *out = NULL;
    *count = 0;
    if (value->kind == LEAT_AVRO_NULL) return LEAT_OK;
    *count = value->list.count;
    *out = leat_arena_take(arena, *count * sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    for (size_t i = 0; i < *count; i++)
        LEAT_TRY(text_of(&value->list.items[i], arena, &(*out)[i], error));
    return LEAT_OK;
}

static leat_code stats_of(const leat_avro_value *value, leat_arena *arena, leat_paimon_stats *out, leat_error *error)
{
    const leat_avro_value *items = value->list.items, *counts = &items[STATS_NULL_COUNTS];
    *out = (leat_paimon_stats){.min = items[STATS_MIN_VALUES].bytes.data,
                               .min_size = items[STATS_MIN_VALUES].bytes.size,
                               .max = items[STATS_MAX_VALUES].bytes.data,
                               .max_size = items[STATS_MAX_VALUES].bytes.size};
    if (counts->kind == LEAT_AVRO_NULL) return LEAT_OK;
    int64_t *null_counts = leat_arena_take(arena, counts->list.count * sizeof *null_counts);
    if (!null_counts) return leat_fail_no_memory(error);
    for (size_t i = 0; i < counts->list.count; i++) {
        const leat_avro_value *count = &counts->list.items[i];
        null_counts[i] = count->kind == LEAT_AVRO_NULL ? -1 : count->integer;
    }
    out->null_counts = null_counts;
    out->null_counts_size = counts->list.count;
    return LEAT_OK;
}

static bool is_set(const leat_avro_value *value)
{
    return value->kind != LEAT_AVRO_NULL;
}

static int64_t integer_or(const leat_avro_value *value, int64_t fallback)
{
    return is_set(value) ? value->integer : fallback;
}

static leat_code take_manifest(const leat_avro_value *record, leat_arena *arena, void *out, leat_error *error)
{
    enum { CAPACITY_MIN = 32 };
    leat_paimon_manifests *list = out;
    const leat_avro_value *items = record->list.items;
    leat_paimon_manifest manifest = {
        .size_bytes = items[LIST_FILE_SIZE].integer,
        .added_files = items[LIST_NUM_ADDED_FILES].integer,
        .deleted_files = items[LIST_NUM_DELETED_FILES].integer,
        .schema_id = items[LIST_SCHEMA_ID].integer,
        .has_buckets = is_set(&items[LIST_MIN_BUCKET]) && is_set(&items[LIST_MAX_BUCKET]),
        .has_levels = is_set(&items[LIST_MIN_LEVEL]) && is_set(&items[LIST_MAX_LEVEL]),
        .min_bucket = (int32_t)integer_or(&items[LIST_MIN_BUCKET], 0),
        .max_bucket = (int32_t)integer_or(&items[LIST_MAX_BUCKET], 0),
        .min_level = (int32_t)integer_or(&items[LIST_MIN_LEVEL], 0),
        .max_level = (int32_t)integer_or(&items[LIST_MAX_LEVEL], 0),
    };
    LEAT_TRY(text_of(&items[LIST_FILE_NAME], arena, &manifest.name, error));
    LEAT_TRY(stats_of(&items[LIST_PARTITION_STATS], arena, &manifest.partition_stats, error));
    return leat_paimon_manifests_add(list, &manifest, arena, error);
}

leat_code leat_paimon_manifest_list_load(leat_env *env, const char *table_path, const char *name, leat_arena *arena,
                                         leat_paimon_manifests *out, leat_error *error)
{
    return load_file(env, table_path, name, leat_paimon_manifest_list_avro, take_manifest, arena, out, error);
}

static leat_code file_of(const leat_avro_value *value, leat_arena *arena, leat_paimon_file *out, leat_error *error)
{
    const leat_avro_value *items = value->list.items, *index = &items[FILE_EMBEDDED_FILE_INDEX];
    *out = (leat_paimon_file){
        .size_bytes = items[FILE_SIZE].integer,
        .rows = items[FILE_ROW_COUNT].integer,
        .min_key = items[FILE_MIN_KEY].bytes.data,
        .min_key_size = items[FILE_MIN_KEY].bytes.size,
        .max_key = items[FILE_MAX_KEY].bytes.data,
        .max_key_size = items[FILE_MAX_KEY].bytes.size,
        .min_sequence = items[FILE_MIN_SEQUENCE_NUMBER].integer,
        .max_sequence = items[FILE_MAX_SEQUENCE_NUMBER].integer,
        .schema_id = items[FILE_SCHEMA_ID].integer,
        .level = (int32_t)items[FILE_LEVEL].integer,
        .creation_ms = integer_or(&items[FILE_CREATION_TIME], 0),
        .has_delete_rows = is_set(&items[FILE_DELETE_ROW_COUNT]),
        .delete_rows = integer_or(&items[FILE_DELETE_ROW_COUNT], 0),
        .embedded_index = is_set(index) ? index->bytes.data : NULL,
        .embedded_index_size = is_set(index) ? index->bytes.size : 0,
        .has_file_source = is_set(&items[FILE_SOURCE]),
        .file_source = integer_or(&items[FILE_SOURCE], 0) ? LEAT_PAIMON_FILE_COMPACT : LEAT_PAIMON_FILE_APPEND,
        .has_first_row_id = is_set(&items[FILE_FIRST_ROW_ID]),
        .first_row_id = integer_or(&items[FILE_FIRST_ROW_ID], 0),
    };
    LEAT_TRY(text_of(&items[FILE_NAME], arena, &out->name, error));
    LEAT_TRY(stats_of(&items[FILE_KEY_STATS], arena, &out->key_stats, error));
    LEAT_TRY(stats_of(&items[FILE_VALUE_STATS], arena, &out->value_stats, error));
    LEAT_TRY(texts_of(&items[FILE_EXTRA_FILES], arena, &out->extra_files, &out->extra_files_count, error));
    LEAT_TRY(texts_of(&items[FILE_VALUE_STATS_COLS], arena, &out->value_stats_columns, &out->value_stats_columns_count,
                      error));
    LEAT_TRY(text_of(&items[FILE_EXTERNAL_PATH], arena, &out->external_path, error));
    return texts_of(&items[FILE_WRITE_COLS], arena, &out->write_columns, &out->write_columns_count, error);
}

static leat_code take_entry(const leat_avro_value *record, leat_arena *arena, void *out, leat_error *error)
{
    const leat_avro_value *items = record->list.items;
    int64_t kind = items[ENTRY_KIND].integer;
    if (kind != LEAT_PAIMON_ADD && kind != LEAT_PAIMON_DELETE) {
        return leat_fail(error, LEAT_CORRUPT, "an entry has kind %" PRId64, kind);
    }
    leat_paimon_entry entry = {
        .kind = (leat_paimon_entry_kind)kind,
        .partition = items[ENTRY_PARTITION].bytes.data,
        .partition_size = items[ENTRY_PARTITION].bytes.size,
        .bucket = (int32_t)items[ENTRY_BUCKET].integer,
        .total_buckets = (int32_t)items[ENTRY_TOTAL_BUCKETS].integer,
    };
    LEAT_TRY(file_of(&items[ENTRY_FILE], arena, &entry.file, error));
    return leat_paimon_entries_add(out, &entry, arena, error);
}

leat_code leat_paimon_manifest_load(leat_env *env, const char *table_path, const char *name, leat_arena *arena,
                                    leat_paimon_entries *out, leat_error *error)
{
    return load_file(env, table_path, name, leat_paimon_manifest_avro, take_entry, arena, out, error);
}

static leat_code ranges_of(const leat_avro_value *value, leat_arena *arena, leat_paimon_index_file *out,
                           leat_error *error)
{
    if (!is_set(value)) return LEAT_OK;
    leat_paimon_dv_range *ranges = leat_arena_take(arena, value->list.count * sizeof *ranges);
    if (!ranges) return leat_fail_no_memory(error);
    for (size_t i = 0; i < value->list.count; i++) {
        const leat_avro_value *range = &value->list.items[i];
        if (!is_set(range)) return leat_fail(error, LEAT_CORRUPT, "a deletion vector's range is null");
        const leat_avro_value *items = range->list.items;
        LEAT_TRY(text_of(&items[RANGE_DATA_FILE], arena, &ranges[i].data_file, error));
        ranges[i].offset = (int32_t)items[RANGE_OFFSET].integer;
        ranges[i].length = (int32_t)items[RANGE_LENGTH].integer;
        ranges[i].cardinality = integer_or(&items[RANGE_CARDINALITY], -1);
    }
    out->dv_ranges = ranges;
    out->dv_ranges_count = value->list.count;
    return LEAT_OK;
}

static leat_code take_index_file(const leat_avro_value *record, leat_arena *arena, void *out, leat_error *error)
{
    const leat_avro_value *items = record->list.items;
    leat_paimon_index_file file = {
        .kind = items[INDEX_KIND].integer ? LEAT_PAIMON_DELETE : LEAT_PAIMON_ADD,
        .partition = items[INDEX_PARTITION].bytes.data,
        .partition_size = items[INDEX_PARTITION].bytes.size,
        .bucket = (int32_t)items[INDEX_BUCKET].integer,
        .size_bytes = items[INDEX_FILE_SIZE].integer,
        .rows = items[INDEX_ROW_COUNT].integer,
    };
    LEAT_TRY(text_of(&items[INDEX_TYPE], arena, &file.index_type, error));
    LEAT_TRY(text_of(&items[INDEX_FILE_NAME], arena, &file.name, error));
    LEAT_TRY(text_of(&items[INDEX_EXTERNAL_PATH], arena, &file.external_path, error));
    LEAT_TRY(ranges_of(&items[INDEX_DELETIONS_VECTORS_RANGES], arena, &file, error));
    return leat_paimon_index_files_add(out, &file, arena, error);
}

leat_code leat_paimon_index_manifest_load(leat_env *env, const char *table_path, const char *name, leat_arena *arena,
                                          leat_paimon_index_files *out, leat_error *error)
{
    return load_file(env, table_path, name, leat_paimon_index_manifest_avro, take_index_file, arena, out, error);
}
