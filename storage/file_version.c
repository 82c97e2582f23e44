#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include "storage/file.h"

/* A file's version is a hash of its bytes: times are too coarse, and inodes come again. Reading is free; who replaces
 * holds a lock (flock) on ".NAME.lock" beside it while it compares and renames, so that of several processes one after
 * the other does so. The lock goes with its process. The lock's file stays: removing it would let two hold "the" lock.
 */

void leat_version_of(const void *data, size_t size, leat_storage_version *out)
{
    XXH128_hash_t hash = XXH3_128bits(data, size);
    snprintf(out->text, sizeof out->text, "%016" PRIx64 "%016" PRIx64 "-%zu", (uint64_t)hash.high64,
             (uint64_t)hash.low64, size);
}

leat_code leat_file_get_version(leat_storage *storage, const char *uri, size_t limit_bytes, leat_bytes *out,
                                leat_storage_version *version, leat_error *error)
{
    size_t before = out->size;
    LEAT_TRY(leat_storage_get_all(storage, uri, limit_bytes, out, error));
    leat_version_of(out->data ? out->data + before : NULL, out->size - before, version);
    return LEAT_OK;
}

static leat_code lock(const char *path, int *out, leat_error *error)
{
    const char *slash = strrchr(path, '/');
    char name[PATH_MAX];
    int length = snprintf(name, sizeof name, "%.*s/.%s.lock", (int)(slash - path), path, slash + 1);
    if (length >= (int)sizeof name) return leat_fail(error, LEAT_LIMIT, "path %s is too long", path);
    int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return leat_fail_errno(error, leat_code_of_errno(errno), errno, "open %s", name);
    int locked;
    do {
        locked = flock(file, LOCK_EX);
    } while (locked != 0 && errno == EINTR);
    if (locked != 0) {
        int reason = errno;
        close(file);
        return leat_fail_errno(error, leat_code_of_errno(reason), reason, "lock %s", name);
    }
    *out = file;
    return LEAT_OK;
}

enum { VERSIONED_BYTES_MAX = 64 << 20 };

static leat_code replace_locked(leat_storage *storage, const char *uri, const void *data, size_t size,
                                leat_storage_version *version, leat_error *error)
{
    leat_bytes now = {0};
    leat_storage_version there;
    leat_code code = leat_file_get_version(storage, uri, VERSIONED_BYTES_MAX, &now, &there, error);
    leat_bytes_done(&now);
    bool is_same = code == LEAT_OK && strcmp(there.text, version->text) == 0;
    if (code == LEAT_NOT_FOUND || (code == LEAT_OK && !is_same))
        return leat_fail(error, LEAT_CONFLICT, "replace %s: it has changed", uri);
    LEAT_TRY(code);
    LEAT_TRY(leat_storage_put(storage, uri, data, size, LEAT_PUT_REPLACE, error));
    leat_version_of(data, size, version);
    return LEAT_OK;
}

leat_code leat_file_replace(leat_storage *storage, const char *uri, const void *data, size_t size,
                            leat_storage_version *version, leat_error *error)
{
    const char *path;
    LEAT_TRY(leat_file_path(uri, &path, error));
    int file;
    leat_code code = lock(path, &file, error);
    if (code == LEAT_NOT_FOUND) return leat_fail(error, LEAT_CONFLICT, "replace %s: it is gone", uri);
    LEAT_TRY(code);
    code = replace_locked(storage, uri, data, size, version, error);
    close(file); /* unlocks */
    return code;
}
