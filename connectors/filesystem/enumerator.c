#include <string.h>

#include "common/memory.h"
#include "connectors/filesystem/filesystem.h"
#include "storage/storage.h"

/* Configuration: the path. State: the files that are not assigned yet. */

typedef struct enumerator {
    leat_enumerator enumerator; /* first */
    char *path;
    char **files; /* those from `next` on are to be assigned */
    size_t count, capacity, next;
} enumerator;

static leat_code add_file(enumerator *self, char *path, leat_error *error)
{
    if (!path || leat_grow(&self->files, &self->capacity, self->count + 1, sizeof *self->files, error) != LEAT_OK) {
        leat_free(path);
        return leat_fail_no_memory(error);
    }
    self->files[self->count++] = path;
    return LEAT_OK;
}

/* A file, or the files of a folder (and of its folders); hidden ones (. and _) are not data. */
static leat_code list_files(enumerator *self, const char *folder, int depth, leat_error *error)
{
    enum { DEPTH_MAX = 16 };
    leat_storage *storage = self->enumerator.context->env->storage;
    if (depth > DEPTH_MAX) return leat_fail(error, LEAT_LIMIT, "%s is nested too deeply", folder);
    leat_storage_list list = {0};
    leat_code code = leat_storage_list_folder(storage, folder, &list, error);
    for (size_t i = 0; code == LEAT_OK && i < list.count; i++) {
        const leat_storage_entry *entry = &list.entries[i];
        if (entry->name[0] == '.' || entry->name[0] == '_') continue;
        char *path = leat_format("%s/%s", folder, entry->name);
        if (!path)
            code = leat_fail_no_memory(error);
        else if (entry->is_folder) {
            code = list_files(self, path, depth + 1, error);
            leat_free(path);
        } else {
            code = add_file(self, path, error);
        }
    }
    leat_storage_list_done(&list);
    return code;
}

static leat_code enumerator_start(leat_enumerator *base, const uint8_t *state, size_t size, leat_error *error)
{
    enumerator *self = (enumerator *)base;
    if (state) {
        leat_reader reader;
        leat_reader_init(&reader, state, size);
        uint32_t count = leat_reader_u32(&reader);
        for (uint32_t i = 0; i < count && !reader.failed; i++) {
            size_t length;
            const uint8_t *path = leat_reader_block(&reader, &length);
            if (path) LEAT_TRY(add_file(self, leat_strndup((const char *)path, length), error));
        }
        return leat_reader_check(&reader, true, "filesystem enumerator state", error);
    }
    uint64_t file_size;
    leat_code code = leat_storage_size(base->context->env->storage, self->path, &file_size, error);
    if (code == LEAT_OK) return add_file(self, leat_strdup(self->path), error);
    if (code != LEAT_NOT_FOUND) return code;
    LEAT_TRY(list_files(self, self->path, 0, error));
    if (self->count == 0)
        return leat_fail(error, LEAT_NOT_FOUND, "%s: there is no file and no folder with files", self->path);
    return LEAT_OK;
}

static leat_code enumerator_request(leat_enumerator *base, int32_t subtask, leat_error *error)
{
    (void)error;
    enumerator *self = (enumerator *)base;
    if (self->next == self->count) {
        base->context->no_more_splits(base->context, subtask);
        return LEAT_OK;
    }
    const char *path = self->files[self->next++];
    base->context->assign(base->context, subtask, (const uint8_t *)path, strlen(path));
    return LEAT_OK;
}

static leat_code enumerator_snapshot(leat_enumerator *base, int64_t checkpoint_id, leat_bytes *state, leat_error *error)
{
    (void)checkpoint_id;
    enumerator *self = (enumerator *)base;
    leat_bytes_put_u32(state, (uint32_t)(self->count - self->next));
    for (size_t i = self->next; i < self->count; i++)
        leat_bytes_put_block(state, self->files[i], strlen(self->files[i]));
    return leat_bytes_check(state, error);
}

static void enumerator_close(leat_enumerator *base)
{
    enumerator *self = (enumerator *)base;
    for (size_t i = 0; i < self->count; i++)
        leat_free(self->files[i]);
    leat_free(self->files);
    leat_free(self->path);
    leat_free(self);
}

static const leat_enumerator_vtable enumerator_vtable = {.start = enumerator_start,
                                                         .on_request = enumerator_request,
                                                         .snapshot = enumerator_snapshot,
                                                         .close = enumerator_close};

static leat_code enumerator_create(leat_enumerator_context *context, const uint8_t *config, size_t config_size,
                                   leat_enumerator **out, leat_error *error)
{
    (void)context;
    enumerator *self = leat_calloc(1, sizeof *self);
    char *path = leat_strndup((const char *)config, config_size);
    if (!self || !path) {
        leat_free(self);
        leat_free(path);
        return leat_fail_no_memory(error);
    }
    while (config_size > 1 && path[config_size - 1] == '/')
        path[--config_size] = '\0';
    self->enumerator.vtable = &enumerator_vtable;
    self->path = path;
    *out = &self->enumerator;
    return LEAT_OK;
}

const leat_enumerator_factory leat_filesystem_enumerator_factory = {"filesystem", enumerator_create};
