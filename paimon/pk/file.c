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
    leat_code code = leat_paimon_file_copy(from, &file->arena, &file->meta, error);
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
    for (size_t i = 0; i < files->count; i++)
        leat_pk_file_unref(files->items[i]);
    files->count = 0;
}

void leat_pk_files_done(leat_pk_files *files)
{
    leat_pk_files_clear(files);
    leat_free(files->items);
    *files = (leat_pk_files){0};
}
