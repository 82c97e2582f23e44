#include <pthread.h>
#include <string.h>

#include "common/memory.h"
#include "storage/file.h"

/* A sorted array of objects under one lock: small and slow, for tests. Folders exist where objects are. */

typedef struct object {
    char *path;
    leat_bytes data;
} object;

typedef struct memory_storage {
    leat_storage storage;
    pthread_mutex_t lock;
    object *objects;
    size_t count, capacity;
} memory_storage;

typedef struct memory_writer {
    leat_storage_writer writer;
    memory_storage *storage;
    char *path;
    leat_bytes data;
} memory_writer;

/* First object whose path is not less than `path`. */
static size_t lower_bound(const memory_storage *self, const char *path)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(self->objects[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static object *find(const memory_storage *self, const char *path)
{
    size_t at = lower_bound(self, path);
    return at < self->count && strcmp(self->objects[at].path, path) == 0 ? &self->objects[at] : NULL;
}

static void remove_at(memory_storage *self, size_t at)
{
    leat_free(self->objects[at].path);
    leat_bytes_done(&self->objects[at].data);
    memmove(&self->objects[at], &self->objects[at + 1], (--self->count - at) * sizeof *self->objects);
}

static leat_code put_locked(memory_storage *self, const char *path, const void *data, size_t size, leat_put_mode mode,
                            leat_error *error)
{
    object *known = find(self, path);
    if (known && mode == LEAT_PUT_IF_ABSENT) return leat_fail(error, LEAT_EXISTS, "create %s: File exists", path);
    leat_bytes copy = {0};
    leat_bytes_put(&copy, data, size);
    LEAT_TRY(leat_bytes_check(&copy, error));
    if (known) {
        leat_bytes_done(&known->data);
        known->data = copy;
        return LEAT_OK;
    }
    char *name = leat_strdup(path);
    if (!name || leat_grow(&self->objects, &self->capacity, self->count + 1, sizeof *self->objects, error) != LEAT_OK) {
        leat_free(name);
        leat_bytes_done(&copy);
        return leat_fail_no_memory(error);
    }
    size_t at = lower_bound(self, path);
    memmove(&self->objects[at + 1], &self->objects[at], (self->count++ - at) * sizeof *self->objects);
    self->objects[at] = (object){name, copy};
    return LEAT_OK;
}

static leat_code memory_put(leat_storage *storage, const char *path, const void *data, size_t size, leat_put_mode mode,
                            leat_error *error)
{
    memory_storage *self = (memory_storage *)storage;
    pthread_mutex_lock(&self->lock);
    leat_code code = put_locked(self, path, data, size, mode, error);
    pthread_mutex_unlock(&self->lock);
    return code;
}

static leat_code memory_get(leat_storage *storage, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                            leat_error *error)
{
    memory_storage *self = (memory_storage *)storage;
    pthread_mutex_lock(&self->lock);
    object *known = find(self, path);
    leat_code code = known ? LEAT_OK : leat_fail(error, LEAT_NOT_FOUND, "open %s: No such file or directory", path);
    if (known && offset < known->data.size) {
        size_t left = known->data.size - (size_t)offset;
        leat_bytes_put(out, known->data.data + offset, size < left ? size : left);
        code = leat_bytes_check(out, error);
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

static leat_code memory_size(leat_storage *storage, const char *path, uint64_t *out, leat_error *error)
{
    memory_storage *self = (memory_storage *)storage;
    pthread_mutex_lock(&self->lock);
    object *known = find(self, path);
    if (known) *out = known->data.size;
    pthread_mutex_unlock(&self->lock);
    return known ? LEAT_OK : leat_fail(error, LEAT_NOT_FOUND, "stat %s: No such file or directory", path);
}

static leat_code add_entry(leat_storage_list *out, const char *name, size_t length, bool is_folder, size_t size,
                           leat_error *error)
{
    if (out->count) {
        const char *last = out->entries[out->count - 1].name;
        if (strncmp(last, name, length) == 0 && last[length] == '\0') return LEAT_OK; /* the folder again */
    }
    LEAT_TRY(leat_grow(&out->entries, &out->capacity, out->count + 1, sizeof *out->entries, error));
    char *copy = leat_strndup(name, length);
    if (!copy) return leat_fail_no_memory(error);
    out->entries[out->count++] = (leat_storage_entry){.name = copy, .is_folder = is_folder, .size = size};
    return LEAT_OK;
}

static leat_code memory_list(leat_storage *storage, const char *folder, leat_storage_list *out, leat_error *error)
{
    memory_storage *self = (memory_storage *)storage;
    size_t length = strlen(folder);
    leat_code code = LEAT_OK;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; code == LEAT_OK && i < self->count; i++) {
        const char *path = self->objects[i].path;
        if (strncmp(path, folder, length) != 0 || path[length] != '/') continue;
        const char *name = path + length + 1, *slash = strchr(name, '/');
        size_t name_length = slash ? (size_t)(slash - name) : strlen(name);
        code = add_entry(out, name, name_length, slash != NULL, self->objects[i].data.size, error);
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

static leat_code memory_remove(leat_storage *storage, const char *path, leat_error *error)
{
    (void)error;
    memory_storage *self = (memory_storage *)storage;
    pthread_mutex_lock(&self->lock);
    object *known = find(self, path);
    if (known) remove_at(self, (size_t)(known - self->objects));
    pthread_mutex_unlock(&self->lock);
    return LEAT_OK;
}

static leat_code memory_remove_folder(leat_storage *storage, const char *folder, leat_error *error)
{
    (void)error;
    memory_storage *self = (memory_storage *)storage;
    size_t length = strlen(folder);
    pthread_mutex_lock(&self->lock);
    for (size_t i = self->count; i-- > 0;) {
        const char *path = self->objects[i].path;
        if (strncmp(path, folder, length) == 0 && path[length] == '/') remove_at(self, i);
    }
    pthread_mutex_unlock(&self->lock);
    return LEAT_OK;
}

static leat_code writer_write(leat_storage_writer *writer, const void *data, size_t size, leat_error *error)
{
    memory_writer *self = (memory_writer *)writer;
    leat_bytes_put(&self->data, data, size);
    return leat_bytes_check(&self->data, error);
}

static void writer_abort(leat_storage_writer *writer)
{
    memory_writer *self = (memory_writer *)writer;
    leat_bytes_done(&self->data);
    leat_free(self->path);
    leat_free(self);
}

static leat_code writer_finish(leat_storage_writer *writer, leat_error *error)
{
    memory_writer *self = (memory_writer *)writer;
    leat_code code =
        memory_put(&self->storage->storage, self->path, self->data.data, self->data.size, LEAT_PUT_REPLACE, error);
    writer_abort(writer);
    return code;
}

static const leat_storage_writer_vtable writer_vtable = {writer_write, writer_finish, writer_abort};

static leat_code memory_create(leat_storage *storage, const char *path, leat_storage_writer **out, leat_error *error)
{
    memory_writer *self = leat_calloc(1, sizeof *self);
    char *copy = leat_strdup(path);
    if (!self || !copy) {
        leat_free(self);
        leat_free(copy);
        return leat_fail_no_memory(error);
    }
    self->writer.vtable = &writer_vtable;
    self->storage = (memory_storage *)storage;
    self->path = copy;
    *out = &self->writer;
    return LEAT_OK;
}

typedef struct memory_scratch {
    leat_scratch scratch;
    leat_bytes data;
} memory_scratch;

static leat_code scratch_append(leat_scratch *scratch, const void *data, size_t size, leat_error *error)
{
    memory_scratch *self = (memory_scratch *)scratch;
    leat_bytes_put(&self->data, data, size);
    return leat_bytes_check(&self->data, error);
}

static leat_code scratch_read(leat_scratch *scratch, uint64_t offset, size_t size, void *out, leat_error *error)
{
    const memory_scratch *self = (const memory_scratch *)scratch;
    if (offset > self->data.size || size > self->data.size - offset) {
        return leat_fail(error, LEAT_IO, "scratch bytes end too early");
    }
    if (size) memcpy(out, self->data.data + offset, size);
    return LEAT_OK;
}

static void scratch_free(leat_scratch *scratch)
{
    memory_scratch *self = (memory_scratch *)scratch;
    leat_bytes_done(&self->data);
    leat_free(self);
}

static const leat_scratch_vtable scratch_vtable = {scratch_append, scratch_read, scratch_free};

static leat_code memory_scratch_new(leat_storage *storage, const char *folder, leat_scratch **out, leat_error *error)
{
    (void)storage;
    (void)folder;
    memory_scratch *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->scratch.vtable = &scratch_vtable;
    *out = &self->scratch;
    return LEAT_OK;
}

static void memory_free(leat_storage *storage)
{
    memory_storage *self = (memory_storage *)storage;
    while (self->count)
        remove_at(self, self->count - 1);
    leat_free(self->objects);
    pthread_mutex_destroy(&self->lock);
    leat_free(self);
}

static leat_code memory_get_version(leat_storage *storage, const char *path, size_t limit_bytes, leat_bytes *out,
                                    leat_storage_version *version, leat_error *error)
{
    size_t before = out->size;
    LEAT_TRY(leat_storage_get_all(storage, path, limit_bytes, out, error));
    leat_version_of(out->data ? out->data + before : NULL, out->size - before, version);
    return LEAT_OK;
}

static leat_code memory_replace(leat_storage *storage, const char *path, const void *data, size_t size,
                                leat_storage_version *version, leat_error *error)
{
    memory_storage *self = (memory_storage *)storage;
    leat_storage_version there = {0};
    pthread_mutex_lock(&self->lock);
    object *known = find(self, path);
    if (known) leat_version_of(known->data.data, known->data.size, &there);
    leat_code code = known && strcmp(there.text, version->text) == 0
                         ? put_locked(self, path, data, size, LEAT_PUT_REPLACE, error)
                         : leat_fail(error, LEAT_CONFLICT, "replace %s: it has changed", path);
    if (code == LEAT_OK) leat_version_of(data, size, version);
    pthread_mutex_unlock(&self->lock);
    return code;
}

static const leat_storage_vtable memory_vtable = {.put = memory_put,
                                                  .get = memory_get,
                                                  .size = memory_size,
                                                  .list = memory_list,
                                                  .remove = memory_remove,
                                                  .remove_folder = memory_remove_folder,
                                                  .create = memory_create,
                                                  .free = memory_free,
                                                  .scratch = memory_scratch_new,
                                                  .get_version = memory_get_version,
                                                  .replace = memory_replace};

leat_code leat_storage_memory_new(leat_storage **out, leat_error *error)
{
    memory_storage *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->storage.vtable = &memory_vtable;
    pthread_mutex_init(&self->lock, NULL);
    *out = &self->storage;
    return LEAT_OK;
}
