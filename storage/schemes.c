#include <pthread.h>
#include <string.h>

#include "common/memory.h"
#include "storage/storage.h"

/* Passes each call on to the storage of its path's scheme. */
typedef struct schemes {
    leat_storage storage; /* first */
    leat_storage *files;
    const struct leat_config *config;
    struct leat_env *env;
    pthread_mutex_t lock; /* of making s3 */
    leat_storage *s3;     /* NULL: no such path came yet */
} schemes;

static bool has_scheme(const char *path, const char *scheme)
{
    return strncmp(path, scheme, strlen(scheme)) == 0;
}

/* A failure is not remembered: credentials may be there the next time. */
static leat_code need_s3(schemes *self, leat_storage **out, leat_error *error)
{
    pthread_mutex_lock(&self->lock);
    leat_code code = self->s3 ? LEAT_OK : leat_storage_s3_new(self->config, self->env, &self->s3, error);
    *out = self->s3;
    pthread_mutex_unlock(&self->lock);
    return code;
}

static leat_code find(leat_storage *storage, const char *path, leat_storage **out, leat_error *error)
{
    schemes *self = (schemes *)storage;
    if (has_scheme(path, "s3://") || has_scheme(path, "s3a://")) return need_s3(self, out, error);
    const char *colon = strstr(path, "://");
    if (colon && !has_scheme(path, "file:") && path[0] != '/') {
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "%s: there is no storage of kind '%.*s'", path,
                                   (int)(colon - path), path);
        leat_fail_hint(error, "there are file:/path and s3://bucket/path");
        return code;
    }
    *out = self->files;
    return LEAT_OK;
}

static leat_code schemes_put(leat_storage *storage, const char *path, const void *data, size_t size, leat_put_mode mode,
                             leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, path, &target, error));
    return leat_storage_put(target, path, data, size, mode, error);
}

static leat_code schemes_get(leat_storage *storage, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                             leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, path, &target, error));
    return leat_storage_get(target, path, offset, size, out, error);
}

static leat_code schemes_size(leat_storage *storage, const char *path, uint64_t *out, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, path, &target, error));
    return leat_storage_size(target, path, out, error);
}

static leat_code schemes_list(leat_storage *storage, const char *folder, leat_storage_list *out, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, folder, &target, error));
    return leat_storage_list_folder(target, folder, out, error);
}

static leat_code schemes_remove(leat_storage *storage, const char *path, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, path, &target, error));
    return leat_storage_remove(target, path, error);
}

static leat_code schemes_remove_folder(leat_storage *storage, const char *folder, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, folder, &target, error));
    return leat_storage_remove_folder(target, folder, error);
}

static leat_code schemes_create(leat_storage *storage, const char *path, leat_storage_writer **out, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, path, &target, error));
    return leat_storage_create(target, path, out, error);
}

static leat_code schemes_copy(leat_storage *storage, const char *from, const char *to, leat_error *error)
{
    leat_storage *source, *target;
    LEAT_TRY(find(storage, from, &source, error));
    LEAT_TRY(find(storage, to, &target, error));
    return source == target ? target->vtable->copy(target, from, to, error) : LEAT_UNSUPPORTED;
}

static leat_code schemes_scratch(leat_storage *storage, const char *folder, leat_scratch **out, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, folder, &target, error));
    return leat_storage_scratch(target, folder, out, error);
}

static leat_code schemes_get_version(leat_storage *storage, const char *path, size_t limit_bytes, leat_bytes *out,
                                     leat_storage_version *version, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, path, &target, error));
    return leat_storage_get_version(target, path, limit_bytes, out, version, error);
}

static leat_code schemes_replace(leat_storage *storage, const char *path, const void *data, size_t size,
                                 leat_storage_version *version, leat_error *error)
{
    leat_storage *target;
    LEAT_TRY(find(storage, path, &target, error));
    return leat_storage_replace(target, path, data, size, version, error);
}

static void schemes_free(leat_storage *storage)
{
    schemes *self = (schemes *)storage;
    leat_storage_free(self->files);
    leat_storage_free(self->s3);
    pthread_mutex_destroy(&self->lock);
    leat_free(self);
}

static const leat_storage_vtable schemes_vtable = {.put = schemes_put,
                                                   .get = schemes_get,
                                                   .size = schemes_size,
                                                   .list = schemes_list,
                                                   .remove = schemes_remove,
                                                   .remove_folder = schemes_remove_folder,
                                                   .create = schemes_create,
                                                   .free = schemes_free,
                                                   .copy = schemes_copy,
                                                   .scratch = schemes_scratch,
                                                   .get_version = schemes_get_version,
                                                   .replace = schemes_replace};

leat_code leat_storage_schemes_new(const struct leat_config *config, struct leat_env *env, leat_storage **out,
                                   leat_error *error)
{
    schemes *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    leat_code code = leat_storage_file_new(&self->files, error);
    if (code != LEAT_OK) {
        leat_free(self);
        return code;
    }
    self->storage.vtable = &schemes_vtable;
    self->config = config;
    self->env = env;
    pthread_mutex_init(&self->lock, NULL);
    *out = &self->storage;
    return LEAT_OK;
}
