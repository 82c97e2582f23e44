/* Committables and data files in binary: a version byte, then fixed fields and blocks (u32 length, bytes),
 * little-endian. */
#include <string.h>

#include "paimon/table.h"

enum { VERSION = 1, LIST_MAX = 1 << 24 };

enum {
    HAS_DELETE_ROWS = 1,
    HAS_EMBEDDED_INDEX = 2,
    HAS_FILE_SOURCE = 4,
    HAS_STATS_COLUMNS = 8,
    HAS_EXTERNAL_PATH = 16,
    HAS_FIRST_ROW_ID = 32,
    HAS_WRITE_COLUMNS = 64,
};

static void put_text(leat_bytes *out, const char *text)
{
    leat_bytes_put_block(out, text, strlen(text));
}

static void put_texts(leat_bytes *out, const char *const *texts, size_t count)
{
    leat_bytes_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        put_text(out, texts[i]);
}

static void put_stats(leat_bytes *out, const leat_paimon_stats *stats)
{
    leat_bytes_put_block(out, stats->min, stats->min_size);
    leat_bytes_put_block(out, stats->max, stats->max_size);
    leat_bytes_put_u32(out, (uint32_t)stats->null_counts_size);
    for (size_t i = 0; i < stats->null_counts_size; i++)
        leat_bytes_put_i64(out, stats->null_counts[i]);
}

void leat_paimon_file_write(const leat_paimon_file *file, leat_bytes *out)
{
    uint32_t flags = (file->has_delete_rows ? HAS_DELETE_ROWS : 0u) | (file->embedded_index ? HAS_EMBEDDED_INDEX : 0u) |
                     (file->has_file_source ? HAS_FILE_SOURCE : 0u) |
                     (file->value_stats_columns ? HAS_STATS_COLUMNS : 0u) |
                     (file->external_path ? HAS_EXTERNAL_PATH : 0u) | (file->has_first_row_id ? HAS_FIRST_ROW_ID : 0u) |
                     (file->write_columns ? HAS_WRITE_COLUMNS : 0u);
    leat_bytes_put_u32(out, flags);
    put_text(out, file->name);
    leat_bytes_put_i64(out, file->size_bytes);
    leat_bytes_put_i64(out, file->rows);
    leat_bytes_put_block(out, file->min_key, file->min_key_size);
    leat_bytes_put_block(out, file->max_key, file->max_key_size);
    put_stats(out, &file->key_stats);
    put_stats(out, &file->value_stats);
    leat_bytes_put_i64(out, file->min_sequence);
    leat_bytes_put_i64(out, file->max_sequence);
    leat_bytes_put_i64(out, file->schema_id);
    leat_bytes_put_u32(out, (uint32_t)file->level);
    put_texts(out, file->extra_files, file->extra_files_count);
    leat_bytes_put_i64(out, file->creation_ms);
    if (file->has_delete_rows) leat_bytes_put_i64(out, file->delete_rows);
    if (file->embedded_index) leat_bytes_put_block(out, file->embedded_index, file->embedded_index_size);
    if (file->has_file_source) leat_bytes_put_u8(out, (uint8_t)file->file_source);
    if (file->value_stats_columns) put_texts(out, file->value_stats_columns, file->value_stats_columns_count);
    if (file->external_path) put_text(out, file->external_path);
    if (file->has_first_row_id) leat_bytes_put_i64(out, file->first_row_id);
    if (file->write_columns) put_texts(out, file->write_columns, file->write_columns_count);
}

void leat_paimon_index_file_write(const leat_paimon_index_file *file, leat_bytes *out)
{
    leat_bytes_put_u8(out, (uint8_t)file->kind);
    leat_bytes_put_block(out, file->partition, file->partition_size);
    leat_bytes_put_u32(out, (uint32_t)file->bucket);
    put_text(out, file->index_type);
    put_text(out, file->name);
    leat_bytes_put_i64(out, file->size_bytes);
    leat_bytes_put_i64(out, file->rows);
    put_text(out, file->external_path ? file->external_path : "");
    leat_bytes_put_u32(out, (uint32_t)file->dv_ranges_count);
    for (size_t i = 0; i < file->dv_ranges_count; i++) {
        const leat_paimon_dv_range *range = &file->dv_ranges[i];
        put_text(out, range->data_file);
        leat_bytes_put_u32(out, (uint32_t)range->offset);
        leat_bytes_put_u32(out, (uint32_t)range->length);
        leat_bytes_put_i64(out, range->cardinality);
    }
}

static void put_files(leat_bytes *out, const leat_paimon_files *files)
{
    leat_bytes_put_u32(out, (uint32_t)files->count);
    for (size_t i = 0; i < files->count; i++)
        leat_paimon_file_write(&files->files[i], out);
}

static void put_index_files(leat_bytes *out, const leat_paimon_index_file *files, size_t count)
{
    leat_bytes_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        leat_paimon_index_file_write(&files[i], out);
}

void leat_paimon_message_write(const leat_paimon_message *message, leat_bytes *out)
{
    leat_bytes_put_u8(out, VERSION);
    leat_bytes_put_i64(out, message->checkpoint_id);
    leat_bytes_put_block(out, message->partition, message->partition_size);
    leat_bytes_put_u32(out, (uint32_t)message->bucket);
    leat_bytes_put_u32(out, (uint32_t)message->total_buckets);
    put_files(out, &message->new_files);
    put_files(out, &message->deleted_files);
    put_files(out, &message->changelog_files);
    put_files(out, &message->compact_before);
    put_files(out, &message->compact_after);
    put_files(out, &message->compact_changelog_files);
    put_index_files(out, message->new_index_files, message->new_index_files_count);
    put_index_files(out, message->deleted_index_files, message->deleted_index_files_count);
    leat_bytes_put_i64(out, message->base_snapshot);
    leat_bytes_put_u32(out, (uint32_t)message->new_key_hashes_count);
    for (size_t i = 0; i < message->new_key_hashes_count; i++)
        leat_bytes_put_u32(out, (uint32_t)message->new_key_hashes[i]);
}

static leat_code no_room(leat_error *error)
{
    return leat_fail(error, LEAT_LIMIT, "a committable does not fit in its memory");
}

static leat_code read_text(leat_reader *reader, leat_arena *arena, const char **out, leat_error *error)
{
    size_t size;
    const uint8_t *data = leat_reader_block(reader, &size);
    *out = leat_arena_strndup(arena, (const char *)data, size);
    return *out ? LEAT_OK : no_room(error);
}

static leat_code read_bytes(leat_reader *reader, leat_arena *arena, const uint8_t **out, size_t *size,
                            leat_error *error)
{
    const uint8_t *data = leat_reader_block(reader, size);
    *out = (const uint8_t *)leat_arena_strndup(arena, (const char *)data, *size);
    return *out ? LEAT_OK : no_room(error);
}

/* A count of elements of at least `least` bytes each. */
static uint32_t read_count(leat_reader *reader, size_t least)
{
    uint32_t count = leat_reader_u32(reader);
    if (count > LIST_MAX || count > leat_reader_left(reader) / least) {
        reader->failed = true;
        return 0;
    }
    return count;
}

static leat_code read_texts(leat_reader *reader, leat_arena *arena, const char ***out, size_t *count, leat_error *error)
{
    *count = read_count(reader, sizeof(uint32_t));
    *out = leat_arena_take(arena, *count * sizeof **out);
    if (!*out) return no_room(error);
    for (size_t i = 0; i < *count; i++)
        LEAT_TRY(read_text(reader, arena, &(*out)[i], error));
    return LEAT_OK;
}

static leat_code read_stats(leat_reader *reader, leat_arena *arena, leat_paimon_stats *out, leat_error *error)
{
    LEAT_TRY(read_bytes(reader, arena, &out->min, &out->min_size, error));
    LEAT_TRY(read_bytes(reader, arena, &out->max, &out->max_size, error));
    out->null_counts_size = read_count(reader, sizeof(int64_t));
    int64_t *counts = leat_arena_take(arena, out->null_counts_size * sizeof *counts);
    if (!counts) return no_room(error);
    for (size_t i = 0; i < out->null_counts_size; i++)
        counts[i] = leat_reader_i64(reader);
    out->null_counts = counts;
    return LEAT_OK;
}

static leat_code read_optional(leat_reader *reader, uint32_t flags, leat_arena *arena, leat_paimon_file *out,
                               leat_error *error)
{
    out->has_delete_rows = flags & HAS_DELETE_ROWS;
    if (out->has_delete_rows) out->delete_rows = leat_reader_i64(reader);
    if (flags & HAS_EMBEDDED_INDEX) {
        LEAT_TRY(read_bytes(reader, arena, &out->embedded_index, &out->embedded_index_size, error));
    }
    out->has_file_source = flags & HAS_FILE_SOURCE;
    if (out->has_file_source)
        out->file_source = leat_reader_u8(reader) ? LEAT_PAIMON_FILE_COMPACT : LEAT_PAIMON_FILE_APPEND;
    if (flags & HAS_STATS_COLUMNS) {
        LEAT_TRY(read_texts(reader, arena, &out->value_stats_columns, &out->value_stats_columns_count, error));
    }
    if (flags & HAS_EXTERNAL_PATH) LEAT_TRY(read_text(reader, arena, &out->external_path, error));
    out->has_first_row_id = flags & HAS_FIRST_ROW_ID;
    if (out->has_first_row_id) out->first_row_id = leat_reader_i64(reader);
    if (flags & HAS_WRITE_COLUMNS) {
        LEAT_TRY(read_texts(reader, arena, &out->write_columns, &out->write_columns_count, error));
    }
    return LEAT_OK;
}

leat_code leat_paimon_file_read(leat_reader *reader, leat_arena *arena, leat_paimon_file *out, leat_error *error)
{
    *out = (leat_paimon_file){0};
    uint32_t flags = leat_reader_u32(reader);
    LEAT_TRY(read_text(reader, arena, &out->name, error));
    out->size_bytes = leat_reader_i64(reader);
    out->rows = leat_reader_i64(reader);
    LEAT_TRY(read_bytes(reader, arena, &out->min_key, &out->min_key_size, error));
    LEAT_TRY(read_bytes(reader, arena, &out->max_key, &out->max_key_size, error));
    LEAT_TRY(read_stats(reader, arena, &out->key_stats, error));
    LEAT_TRY(read_stats(reader, arena, &out->value_stats, error));
    out->min_sequence = leat_reader_i64(reader);
    out->max_sequence = leat_reader_i64(reader);
    out->schema_id = leat_reader_i64(reader);
    out->level = (int32_t)leat_reader_u32(reader);
    LEAT_TRY(read_texts(reader, arena, &out->extra_files, &out->extra_files_count, error));
    out->creation_ms = leat_reader_i64(reader);
    LEAT_TRY(read_optional(reader, flags, arena, out, error));
    return leat_reader_check(reader, false, "a data file's description", error);
}

leat_code leat_paimon_index_file_read(leat_reader *reader, leat_arena *arena, leat_paimon_index_file *out,
                                      leat_error *error)
{
    *out = (leat_paimon_index_file){.kind = leat_reader_u8(reader) ? LEAT_PAIMON_DELETE : LEAT_PAIMON_ADD};
    LEAT_TRY(read_bytes(reader, arena, &out->partition, &out->partition_size, error));
    out->bucket = (int32_t)leat_reader_u32(reader);
    LEAT_TRY(read_text(reader, arena, &out->index_type, error));
    LEAT_TRY(read_text(reader, arena, &out->name, error));
    out->size_bytes = leat_reader_i64(reader);
    out->rows = leat_reader_i64(reader);
    LEAT_TRY(read_text(reader, arena, &out->external_path, error));
    if (!out->external_path[0]) out->external_path = NULL;
    enum { RANGE_BYTES = 4 + 4 + 4 + 8 };
    out->dv_ranges_count = read_count(reader, RANGE_BYTES);
    leat_paimon_dv_range *ranges = leat_arena_take(arena, out->dv_ranges_count * sizeof *ranges);
    if (!ranges) return no_room(error);
    for (size_t i = 0; i < out->dv_ranges_count; i++) {
        LEAT_TRY(read_text(reader, arena, &ranges[i].data_file, error));
        ranges[i].offset = (int32_t)leat_reader_u32(reader);
        ranges[i].length = (int32_t)leat_reader_u32(reader);
        ranges[i].cardinality = leat_reader_i64(reader);
    }
    out->dv_ranges = out->dv_ranges_count ? ranges : NULL;
    return leat_reader_check(reader, false, "an index file's description", error);
}

static leat_code read_files(leat_reader *reader, leat_arena *arena, leat_paimon_files *out, leat_error *error)
{
    enum { FILE_BYTES_MIN = 64 };
    out->count = out->capacity = read_count(reader, FILE_BYTES_MIN);
    out->files = leat_arena_take(arena, out->count * sizeof *out->files);
    if (!out->files) return no_room(error);
    for (size_t i = 0; i < out->count; i++)
        LEAT_TRY(leat_paimon_file_read(reader, arena, &out->files[i], error));
    return LEAT_OK;
}

static leat_code read_index_files(leat_reader *reader, leat_arena *arena, leat_paimon_index_file **out, size_t *count,
                                  leat_error *error)
{
    enum { INDEX_FILE_BYTES_MIN = 32 };
    *count = read_count(reader, INDEX_FILE_BYTES_MIN);
    *out = leat_arena_take(arena, *count * sizeof **out);
    if (!*out) return no_room(error);
    for (size_t i = 0; i < *count; i++)
        LEAT_TRY(leat_paimon_index_file_read(reader, arena, &(*out)[i], error));
    return LEAT_OK;
}

static leat_code read_hashes(leat_reader *reader, leat_arena *arena, leat_paimon_message *out, leat_error *error)
{
    out->base_snapshot = leat_reader_i64(reader);
    out->new_key_hashes_count = read_count(reader, sizeof(int32_t));
    int32_t *hashes = leat_arena_take(arena, out->new_key_hashes_count * sizeof *hashes);
    if (!hashes) return no_room(error);
    for (size_t i = 0; i < out->new_key_hashes_count; i++)
        hashes[i] = (int32_t)leat_reader_u32(reader);
    out->new_key_hashes = hashes;
    return LEAT_OK;
}

leat_code leat_paimon_message_read(const uint8_t *data, size_t size, leat_arena *arena, leat_paimon_message *out,
                                   leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    uint8_t version = leat_reader_u8(&reader);
    if (version != VERSION) return leat_fail(error, LEAT_CORRUPT, "a committable has version %d", version);
    leat_paimon_message message = {.checkpoint_id = leat_reader_i64(&reader)};
    LEAT_TRY(read_bytes(&reader, arena, &message.partition, &message.partition_size, error));
    message.bucket = (int32_t)leat_reader_u32(&reader);
    message.total_buckets = (int32_t)leat_reader_u32(&reader);
    leat_paimon_files *lists[] = {&message.new_files,      &message.deleted_files, &message.changelog_files,
                                  &message.compact_before, &message.compact_after, &message.compact_changelog_files};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        LEAT_TRY(read_files(&reader, arena, lists[i], error));
    LEAT_TRY(read_index_files(&reader, arena, &message.new_index_files, &message.new_index_files_count, error));
    LEAT_TRY(read_index_files(&reader, arena, &message.deleted_index_files, &message.deleted_index_files_count, error));
    LEAT_TRY(read_hashes(&reader, arena, &message, error));
    LEAT_TRY(leat_reader_check(&reader, true, "a committable", error));
    *out = message;
    return LEAT_OK;
}

leat_code leat_paimon_files_add(leat_paimon_files *files, const leat_paimon_file *file, leat_arena *arena,
                                leat_error *error)
{
    enum { CAPACITY_MIN = 8 };
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? files->capacity * 2 : CAPACITY_MIN;
        leat_paimon_file *grown = leat_arena_take(arena, capacity * sizeof *grown);
        if (!grown) return leat_fail_no_memory(error);
        if (files->count) memcpy(grown, files->files, files->count * sizeof *grown);
        files->files = grown;
        files->capacity = capacity;
    }
    files->files[files->count++] = *file;
    return LEAT_OK;
}

/* Through its binary form: one place that knows all fields. */
leat_code leat_paimon_file_copy(const leat_paimon_file *file, leat_arena *arena, leat_paimon_file *out,
                                leat_error *error)
{
    leat_bytes bytes = {0};
    leat_paimon_file_write(file, &bytes);
    leat_code code = leat_bytes_check(&bytes, error);
    if (code == LEAT_OK) {
        leat_reader reader;
        leat_reader_init(&reader, bytes.data, bytes.size);
        code = leat_paimon_file_read(&reader, arena, out, error);
    }
    leat_bytes_done(&bytes);
    return code;
}
