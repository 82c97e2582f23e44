#include "paimon/pk/file.h"

#include <string.h>

#include "common/memory.h"

enum { FILE_BYTES_MAX = 16 << 20 };

leat_code leat_pk_file_new(leat_pk_file **out, leat_error *error)
{
    leat_pk_file *file = leat_calloc(1, sizeof *file);
    if (!file) return leat_fail_no_memory(error);
    leat_arena_init(&file->arena, FILE_BYTES_MAX);
    file->references = 1;
    *out = file;
    return LEAT_OK;
}

leat_code leat_pk_file_copy(const leat_paimon_file *from, leat_pk_file **out, leat_error *error)
{
    leat_pk_file *file;
    LEAT_TRY(leat_pk_file_new(&file, error));
    leat_code code = leat_paimon_file_copy(&file->arena, from, &file->meta, error);
    if (code != LEAT_OK) {
        leat_pk_file_unref(file);
        return code;
    }
    *out = file;
    return LEAT_OK;
}

leat_pk_file *leat_pk_file_ref(leat_pk_file *file)
{
    file->references++;
    return file;
}

void leat_pk_file_unref(leat_pk_file *file)
{
    if (!file || --file->references > 0) return;
    leat_arena_done(&file->arena);
    leat_free(file);
}

leat_code leat_pk_files_add(leat_pk_files *files, leat_pk_file *file, leat_error *error)
{
    LEAT_TRY(leat_grow(&files->items, &files->capacity, files->count + 1, sizeof *files->items, error));
    files->items[files->count++] = leat_pk_file_ref(file);
    return LEAT_OK;
}

bool leat_pk_files_remove(leat_pk_files *files, const leat_pk_file *file)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->items[i] != file) continue;
        leat_pk_file_unref(files->items[i]);
        files->count--;
        memmove(&files->items[i], &files->items[i + 1], (files->count - i) * sizeof *files->items);
        return true;
    }
    return false;
}

void leat_pk_files_clear(leat_pk_files *files)
{
    for (size_t i = 0; i < files->count; i++) leat_pk_file_unref(files->items[i]);
    files->count = 0;
}

void leat_pk_files_done(leat_pk_files *files)
{
    leat_pk_files_clear(files);
    leat_free(files->items);
    *files = (leat_pk_files){0};
}

/* --- copying a description --- */

static bool copy_bytes(leat_arena *arena, const uint8_t **data, size_t size)
{
    if (!*data) return true;
    uint8_t *copy = leat_arena_take(arena, size);
    if (copy) memcpy(copy, *data, size);
    *data = copy;
    return copy != NULL;
}

static bool copy_text(leat_arena *arena, const char **text)
{
    if (!*text) return true;
    *text = leat_arena_strdup(arena, *text);
    return *text != NULL;
}

static bool copy_texts(leat_arena *arena, const char ***texts, size_t count)
{
    if (!*texts) return true;
    const char **copy = leat_arena_take(arena, (count + 1) * sizeof *copy);
    bool is_fine = copy != NULL;
    for (size_t i = 0; i < count && is_fine; i++) {
        copy[i] = (*texts)[i];
        is_fine = copy_text(arena, &copy[i]);
    }
    *texts = copy;
    return is_fine;
}

static bool copy_stats(leat_arena *arena, leat_paimon_stats *stats)
{
    size_t bytes = stats->null_counts_size * sizeof *stats->null_counts;
    const uint8_t *nulls = (const uint8_t *)stats->null_counts;
    bool is_fine = copy_bytes(arena, &stats->min, stats->min_size) && copy_bytes(arena, &stats->max, stats->max_size) &&
                   copy_bytes(arena, &nulls, bytes);
    stats->null_counts = (const int64_t *)(const void *)nulls;
    return is_fine;
}

leat_code leat_paimon_file_copy(leat_arena *arena, const leat_paimon_file *from, leat_paimon_file *out, leat_error *error)
{
    *out = *from;
    bool is_fine = copy_text(arena, &out->name) && copy_bytes(arena, &out->min_key, out->min_key_size) &&
                   copy_bytes(arena, &out->max_key, out->max_key_size) && copy_stats(arena, &out->key_stats) &&
                   copy_stats(arena, &out->value_stats) &&
                   copy_texts(arena, &out->extra_files, out->extra_files_count) &&
                   copy_bytes(arena, &out->embedded_index, out->embedded_index_size) &&
                   copy_texts(arena, &out->value_stats_columns, out->value_stats_columns_count) &&
                   copy_text(arena, &out->external_path);
    return is_fine ? LEAT_OK : leat_fail_no_memory(error);
}
