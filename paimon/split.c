/* Splits in binary: a version byte, fixed fields, then files (paimon/message.c) and deletions. */
#include <string.h>

#include "paimon/scan.h"

enum { VERSION = 1, IS_RAW = 1, IS_CHANGES = 2, HAS_DELETIONS = 4, FILE_BYTES_MIN = 64 };

void leat_paimon_split_write(const leat_paimon_split *split, leat_bytes *out)
{
    uint32_t flags =
        (split->is_raw ? IS_RAW : 0u) | (split->is_changes ? IS_CHANGES : 0u) | (split->deletions ? HAS_DELETIONS : 0u);
    leat_bytes_put_u8(out, VERSION);
    leat_bytes_put_u32(out, flags);
    leat_bytes_put_i64(out, split->snapshot_id);
    leat_bytes_put_block(out, split->partition, split->partition_size);
    leat_bytes_put_u32(out, (uint32_t)split->bucket);
    leat_bytes_put_u32(out, (uint32_t)split->total_buckets);
    leat_bytes_put_i64(out, split->rows);
    leat_bytes_put_u32(out, (uint32_t)split->files.count);
    for (size_t i = 0; i < split->files.count; i++) {
        leat_paimon_file_write(&split->files.files[i], out);
        if (!split->deletions) continue;
        const leat_paimon_deletion *deletion = &split->deletions[i];
        const char *path = deletion->path ? deletion->path : "";
        leat_bytes_put_block(out, path, strlen(path));
        leat_bytes_put_i64(out, deletion->offset);
        leat_bytes_put_i64(out, deletion->length);
        leat_bytes_put_i64(out, deletion->cardinality);
    }
}

static leat_code read_deletion(leat_reader *reader, leat_arena *arena, leat_paimon_deletion *out, leat_error *error)
{
    size_t size;
    const uint8_t *path = leat_reader_block(reader, &size);
    if (size) {
        out->path = leat_arena_strndup(arena, (const char *)path, size);
        if (!out->path) return leat_fail_no_memory(error);
    }
    out->offset = leat_reader_i64(reader);
    out->length = leat_reader_i64(reader);
    out->cardinality = leat_reader_i64(reader);
    return LEAT_OK;
}

leat_code leat_paimon_split_read(const uint8_t *data, size_t size, leat_arena *arena, leat_paimon_split *out,
                                 leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    leat_paimon_split split = {0};
    if (leat_reader_u8(&reader) != VERSION) return leat_fail(error, LEAT_CORRUPT, "a split has another version");
    uint32_t flags = leat_reader_u32(&reader);
    split.is_raw = flags & IS_RAW;
    split.is_changes = flags & IS_CHANGES;
    split.snapshot_id = leat_reader_i64(&reader);
    const uint8_t *partition = leat_reader_block(&reader, &split.partition_size);
    split.partition = (const uint8_t *)leat_arena_strndup(arena, (const char *)partition, split.partition_size);
    split.bucket = (int32_t)leat_reader_u32(&reader);
    split.total_buckets = (int32_t)leat_reader_u32(&reader);
    split.rows = leat_reader_i64(&reader);
    uint32_t count = leat_reader_u32(&reader);
    if (count > leat_reader_left(&reader) / FILE_BYTES_MIN)
        return leat_fail(error, LEAT_CORRUPT, "a split of %u files", count);
    split.files.files = leat_arena_take(arena, count * sizeof *split.files.files);
    split.files.count = split.files.capacity = count;
    if (flags & HAS_DELETIONS) split.deletions = leat_arena_take(arena, count * sizeof *split.deletions);
    if (!split.partition || !split.files.files || ((flags & HAS_DELETIONS) && !split.deletions)) {
        return leat_fail_no_memory(error);
    }
    for (uint32_t i = 0; i < count; i++) {
        LEAT_TRY(leat_paimon_file_read(&reader, arena, &split.files.files[i], error));
        if (split.deletions) LEAT_TRY(read_deletion(&reader, arena, &split.deletions[i], error));
    }
    LEAT_TRY(leat_reader_check(&reader, true, "a split", error));
    *out = split;
    return LEAT_OK;
}
