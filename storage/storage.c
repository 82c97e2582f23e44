#include "storage/storage.h"

#include <inttypes.h>

#include "common/memory.h"

leat_code leat_storage_put(leat_storage *storage, const char *path, const void *data, size_t size, leat_put_mode mode,
                           leat_error *error)
{
    return storage->vtable->put(storage, path, data, size, mode, error);
}

leat_code leat_storage_get(leat_storage *storage, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                           leat_error *error)
{
    return storage->vtable->get(storage, path, offset, size, out, error);
}

leat_code leat_storage_get_all(leat_storage *storage, const char *path, size_t limit_bytes, leat_bytes *out,
                               leat_error *error)
{
    size_t before = out->size;
    LEAT_TRY(leat_storage_get(storage, path, 0, limit_bytes + 1, out, error));
    if (out->size - before > limit_bytes) {
        return leat_fail(error, LEAT_LIMIT, "%s is larger than %zu bytes", path, limit_bytes);
    }
    return LEAT_OK;
}

leat_code leat_storage_size(leat_storage *storage, const char *path, uint64_t *out, leat_error *error)
{
    return storage->vtable->size(storage, path, out, error);
}

leat_code leat_storage_list_folder(leat_storage *storage, const char *folder, leat_storage_list *out, leat_error *error)
{
    return storage->vtable->list(storage, folder, out, error);
}

void leat_storage_list_done(leat_storage_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        leat_free(list->entries[i].name);
    leat_free(list->entries);
    *list = (leat_storage_list){0};
}

leat_code leat_storage_remove(leat_storage *storage, const char *path, leat_error *error)
{
    return storage->vtable->remove(storage, path, error);
}

leat_code leat_storage_remove_folder(leat_storage *storage, const char *folder, leat_error *error)
{
    return storage->vtable->remove_folder(storage, folder, error);
}

leat_code leat_storage_create(leat_storage *storage, const char *path, leat_storage_writer **out, leat_error *error)
{
    return storage->vtable->create(storage, path, out, error);
}

leat_code leat_storage_write(leat_storage_writer *writer, const void *data, size_t size, leat_error *error)
{
    return writer->vtable->write(writer, data, size, error);
}

leat_code leat_storage_finish(leat_storage_writer *writer, leat_error *error)
{
    return writer->vtable->finish(writer, error);
}

void leat_storage_abort(leat_storage_writer *writer)
{
    if (writer) writer->vtable->abort(writer);
}

static leat_code copy_bytes(leat_storage *storage, const char *from, leat_storage_writer *writer, leat_error *error)
{
    enum { STEP_BYTES = 1 << 20 };
    leat_bytes bytes = {0};
    leat_code code = LEAT_OK;
    for (uint64_t offset = 0; code == LEAT_OK; offset += bytes.size) {
        leat_bytes_reset(&bytes);
        code = leat_storage_get(storage, from, offset, STEP_BYTES, &bytes, error);
        if (code != LEAT_OK || bytes.size == 0) break;
        code = leat_storage_write(writer, bytes.data, bytes.size, error);
    }
    leat_bytes_done(&bytes);
    return code;
}

leat_code leat_storage_copy(leat_storage *storage, const char *from, const char *to, leat_error *error)
{
    leat_code code = storage->vtable->copy ? storage->vtable->copy(storage, from, to, error) : LEAT_UNSUPPORTED;
    if (code != LEAT_UNSUPPORTED) return code;
    leat_storage_writer *writer;
    LEAT_TRY(leat_storage_create(storage, to, &writer, error));
    code = copy_bytes(storage, from, writer, error);
    if (code == LEAT_OK) return leat_storage_finish(writer, error);
    leat_storage_abort(writer);
    return code;
}

leat_code leat_storage_scratch(leat_storage *storage, const char *folder, leat_scratch **out, leat_error *error)
{
    if (storage->vtable->scratch) return storage->vtable->scratch(storage, folder, out, error);
    leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "%s can't hold scratch bytes", folder);
    leat_fail_hint(error, "'io.tmp.dirs' names a local folder");
    return code;
}

leat_code leat_scratch_append(leat_scratch *scratch, const void *data, size_t size, leat_error *error)
{
    return scratch->vtable->append(scratch, data, size, error);
}

leat_code leat_scratch_read(leat_scratch *scratch, uint64_t offset, size_t size, void *out, leat_error *error)
{
    return scratch->vtable->read(scratch, offset, size, out, error);
}

void leat_scratch_free(leat_scratch *scratch)
{
    if (scratch) scratch->vtable->free(scratch);
}

leat_code leat_storage_get_version(leat_storage *storage, const char *path, size_t limit_bytes, leat_bytes *out,
                                   leat_storage_version *version, leat_error *error)
{
    return storage->vtable->get_version(storage, path, limit_bytes, out, version, error);
}

leat_code leat_storage_replace(leat_storage *storage, const char *path, const void *data, size_t size,
                               leat_storage_version *version, leat_error *error)
{
    return storage->vtable->replace(storage, path, data, size, version, error);
}

void leat_storage_free(leat_storage *storage)
{
    if (storage) storage->vtable->free(storage);
}
