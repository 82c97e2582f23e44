#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/memory.h"
#include "storage/file.h"

/* A file appears under its name only when it is whole and on disk: it is written as ".NAME.<pid>-<n>.tmp" in the same
 * folder, fsynced, then renamed (REPLACE) or linked (IF_ABSENT: link(2) fails if the name is taken), then the folder is
 * fsynced. */

typedef struct file_writer {
    leat_storage_writer writer;
    int file;
    char path[PATH_MAX], temporary[PATH_MAX];
} file_writer;

static atomic_uint temporary_number;

leat_code leat_file_path(const char *uri, const char **out, leat_error *error)
{
    const char *path = uri;
    if (strncmp(path, "file:", 5) == 0) {
        path += 5;
        if (strncmp(path, "//", 2) == 0) path += 2;
    }
    if (path[0] != '/') {
        leat_code code = leat_fail(error, LEAT_INVALID, "'%s' is not a path of a file", uri);
        leat_fail_hint(error, "write file:/absolute/path or /absolute/path");
        return code;
    }
    *out = path;
    return LEAT_OK;
}

static leat_code fail_at(leat_error *error, int errno_value, const char *what, const char *path)
{
    return leat_fail_errno(error, leat_code_of_errno(errno_value), errno_value, "%s %s", what, path);
}

static leat_code make_folders(const char *path, leat_error *error)
{
    char folder[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder) {
        return leat_fail(error, LEAT_LIMIT, "path %s is too long", path);
    }
    for (char *at = strchr(folder + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(folder, 0755) != 0 && errno != EEXIST) return fail_at(error, errno, "make folder", folder);
        *at = '/';
    }
    return LEAT_OK;
}

static leat_code sync_folder_of(const char *path, leat_error *error)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == folder) slash++;
    *slash = '\0';
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return fail_at(error, errno, "open folder", folder);
    leat_code code = fsync(file) == 0 ? LEAT_OK : fail_at(error, errno, "sync folder", folder);
    close(file);
    return code;
}

static leat_code write_all(int file, const char *path, const void *data, size_t size, leat_error *error)
{
    const char *at = data;
    while (size > 0) {
        ssize_t wrote = write(file, at, size);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return fail_at(error, errno, "write", path);
        at += wrote;
        size -= (size_t)wrote;
    }
    return LEAT_OK;
}

static leat_code file_write(leat_storage_writer *writer, const void *data, size_t size, leat_error *error)
{
    file_writer *self = (file_writer *)writer;
    return write_all(self->file, self->path, data, size, error);
}

static void file_abort(leat_storage_writer *writer)
{
    file_writer *self = (file_writer *)writer;
    if (self->file >= 0) close(self->file);
    (void)unlink(self->temporary); /* best effort: a stray one is hidden and harmless */
    leat_free(self);
}

static leat_code finish_with(file_writer *self, leat_put_mode mode, leat_error *error)
{
    leat_code code = LEAT_OK;
    if (fsync(self->file) != 0) code = fail_at(error, errno, "sync", self->path);
    if (close(self->file) != 0 && code == LEAT_OK) code = fail_at(error, errno, "close", self->path);
    self->file = -1;
    if (code == LEAT_OK && mode == LEAT_PUT_REPLACE && rename(self->temporary, self->path) != 0) {
        code = fail_at(error, errno, "rename to", self->path);
    }
    if (code == LEAT_OK && mode == LEAT_PUT_IF_ABSENT && link(self->temporary, self->path) != 0) {
        code = fail_at(error, errno, "create", self->path);
    }
    if (code == LEAT_OK) code = sync_folder_of(self->path, error);
    file_abort(&self->writer); /* the temporary name is gone, or goes now */
    return code;
}

static leat_code file_finish(leat_storage_writer *writer, leat_error *error)
{
    return finish_with((file_writer *)writer, LEAT_PUT_REPLACE, error);
}

static const leat_storage_writer_vtable file_writer_vtable = {file_write, file_finish, file_abort};

static leat_code name_temporary(const char *path, char out[PATH_MAX], leat_error *error)
{
    const char *slash = strrchr(path, '/');
    unsigned number = atomic_fetch_add_explicit(&temporary_number, 1, memory_order_relaxed);
    int length =
        snprintf(out, PATH_MAX, "%.*s/.%s.%d-%u.tmp", (int)(slash - path), path, slash + 1, (int)getpid(), number);
    return length < PATH_MAX ? LEAT_OK : leat_fail(error, LEAT_LIMIT, "path %s is too long", path);
}

static leat_code open_temporary(file_writer *self, leat_error *error)
{
    LEAT_TRY(name_temporary(self->path, self->temporary, error));
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    self->file = open(self->temporary, flags, 0644);
    if (self->file < 0 && errno == ENOENT) {
        LEAT_TRY(make_folders(self->path, error));
        self->file = open(self->temporary, flags, 0644);
    }
    return self->file < 0 ? fail_at(error, errno, "create", self->path) : LEAT_OK;
}

static leat_code file_create(leat_storage *storage, const char *uri, leat_storage_writer **out, leat_error *error)
{
    (void)storage;
    const char *path;
    LEAT_TRY(leat_file_path(uri, &path, error));
    file_writer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->writer.vtable = &file_writer_vtable;
    snprintf(self->path, sizeof self->path, "%s", path);
    leat_code code = open_temporary(self, error);
    if (code != LEAT_OK) {
        leat_free(self);
        return code;
    }
    *out = &self->writer;
    return LEAT_OK;
}

static leat_code file_put(leat_storage *storage, const char *uri, const void *data, size_t size, leat_put_mode mode,
                          leat_error *error)
{
    leat_storage_writer *writer;
    LEAT_TRY(file_create(storage, uri, &writer, error));
    leat_code code = file_write(writer, data, size, error);
    if (code != LEAT_OK) {
        file_abort(writer);
        return code;
    }
    return finish_with((file_writer *)writer, mode, error);
}

/* Another program may have written it without waiting for the disk. */
static leat_code sync_file(const char *path, leat_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail_at(error, errno, "open", path);
    leat_code code = fsync(file) == 0 ? LEAT_OK : fail_at(error, errno, "sync", path);
    close(file);
    return code;
}

/* Other file systems, and some that have no links or do not let everyone link. */
static bool may_not_link(int errno_value)
{
    static const int known[] = {EXDEV, EPERM, EACCES, EMLINK, ENOSYS, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (errno_value == known[i]) return true;
    }
    return false;
}

static leat_code make_link(const char *from, const char *temporary, leat_error *error)
{
    if (link(from, temporary) == 0) return LEAT_OK;
    return may_not_link(errno) ? LEAT_UNSUPPORTED : fail_at(error, errno, "link to", from);
}

static leat_code file_copy(leat_storage *storage, const char *from_uri, const char *to_uri, leat_error *error)
{
    (void)storage;
    const char *from, *to;
    char temporary[PATH_MAX];
    LEAT_TRY(leat_file_path(from_uri, &from, error));
    LEAT_TRY(leat_file_path(to_uri, &to, error));
    LEAT_TRY(name_temporary(to, temporary, error));
    LEAT_TRY(sync_file(from, error));
    LEAT_TRY(make_folders(to, error));
    LEAT_TRY(make_link(from, temporary, error));
    leat_code code = rename(temporary, to) == 0 ? LEAT_OK : fail_at(error, errno, "rename to", to);
    if (code == LEAT_OK) code = sync_folder_of(to, error);
    (void)unlink(temporary); /* still there when the rename failed, or both were one file before */
    return code;
}

static leat_code read_range(int file, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                            leat_error *error)
{
    enum { STEP_BYTES = 1 << 20 };
    while (size > 0) {
        size_t step = size < STEP_BYTES ? size : STEP_BYTES;
        uint8_t *room = leat_bytes_extend(out, step);
        if (!room) return leat_fail_no_memory(error);
        ssize_t got = pread(file, room, step, (off_t)offset);
        out->size -= step - (got > 0 ? (size_t)got : 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_at(error, errno, "read", path);
        if (got == 0) break;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return LEAT_OK;
}

static leat_code file_get(leat_storage *storage, const char *uri, uint64_t offset, size_t size, leat_bytes *out,
                          leat_error *error)
{
    (void)storage;
    const char *path;
    LEAT_TRY(leat_file_path(uri, &path, error));
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail_at(error, errno, "open", path);
    struct stat status;
    leat_code code = LEAT_OK;
    if (fstat(file, &status) != 0) code = fail_at(error, errno, "stat", path);
    /* Ask for no more than there is, so that "the whole object" does not reserve the caller's limit. */
    uint64_t left = code == LEAT_OK && (uint64_t)status.st_size > offset ? (uint64_t)status.st_size - offset : 0;
    if (size > left) size = (size_t)left;
    if (code == LEAT_OK) code = read_range(file, path, offset, size, out, error);
    close(file);
    return code;
}

static leat_code file_size(leat_storage *storage, const char *uri, uint64_t *out, leat_error *error)
{
    (void)storage;
    const char *path;
    LEAT_TRY(leat_file_path(uri, &path, error));
    struct stat status;
    if (stat(path, &status) != 0) return fail_at(error, errno, "stat", path);
    if (S_ISDIR(status.st_mode)) return leat_fail(error, LEAT_NOT_FOUND, "%s is a folder", path);
    *out = (uint64_t)status.st_size;
    return LEAT_OK;
}

static int compare_entries(const void *left, const void *right)
{
    return strcmp(((const leat_storage_entry *)left)->name, ((const leat_storage_entry *)right)->name);
}

static leat_code add_entry(DIR *folder, const char *name, leat_storage_list *out, leat_error *error)
{
    struct stat status;
    if (fstatat(dirfd(folder), name, &status, 0) != 0) return LEAT_OK; /* removed meanwhile */
    LEAT_TRY(leat_grow(&out->entries, &out->capacity, out->count + 1, sizeof *out->entries, error));
    char *copy = leat_strdup(name);
    if (!copy) return leat_fail_no_memory(error);
    out->entries[out->count++] =
        (leat_storage_entry){.name = copy,
                             .is_folder = S_ISDIR(status.st_mode),
                             .size = (uint64_t)status.st_size,
                             .modified_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000};
    return LEAT_OK;
}

/* Files that are being written, and locks. */
static bool is_ours(const char *name)
{
    const char *last = strrchr(name, '.');
    return name[0] == '.' && last != name && (strcmp(last, ".tmp") == 0 || strcmp(last, ".lock") == 0);
}

static leat_code file_list(leat_storage *storage, const char *uri, leat_storage_list *out, leat_error *error)
{
    (void)storage;
    const char *path;
    LEAT_TRY(leat_file_path(uri, &path, error));
    DIR *folder = opendir(path);
    if (!folder) return errno == ENOENT ? LEAT_OK : fail_at(error, errno, "open folder", path);
    leat_code code = LEAT_OK;
    for (struct dirent *entry; code == LEAT_OK && (entry = readdir(folder));) {
        if (is_ours(entry->d_name) || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        code = add_entry(folder, entry->d_name, out, error);
    }
    closedir(folder);
    if (code == LEAT_OK && out->count) qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
    return code;
}

static leat_code file_remove(leat_storage *storage, const char *uri, leat_error *error)
{
    (void)storage;
    const char *path;
    LEAT_TRY(leat_file_path(uri, &path, error));
    if (unlink(path) != 0 && errno != ENOENT) return fail_at(error, errno, "remove", path);
    return LEAT_OK;
}

enum { FOLDER_DEPTH_MAX = 32 };

static leat_code remove_tree(const char *path, int depth, leat_error *error)
{
    if (depth > FOLDER_DEPTH_MAX) return leat_fail(error, LEAT_LIMIT, "%s is nested too deeply", path);
    DIR *folder = opendir(path);
    if (!folder) return errno == ENOENT ? LEAT_OK : fail_at(error, errno, "open folder", path);
    leat_code code = LEAT_OK;
    for (struct dirent *entry; code == LEAT_OK && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *child = leat_format("%s/%s", path, entry->d_name);
        if (!child)
            code = leat_fail_no_memory(error);
        else if (unlink(child) != 0) {
            code = errno == EISDIR || errno == EPERM ? remove_tree(child, depth + 1, error)
                   : errno == ENOENT                 ? LEAT_OK
                                                     : fail_at(error, errno, "remove", child);
        }
        leat_free(child);
    }
    closedir(folder);
    if (code == LEAT_OK && rmdir(path) != 0 && errno != ENOENT) code = fail_at(error, errno, "remove folder", path);
    return code;
}

static leat_code file_remove_folder(leat_storage *storage, const char *uri, leat_error *error)
{
    (void)storage;
    const char *path;
    LEAT_TRY(leat_file_path(uri, &path, error));
    return remove_tree(path, 0, error);
}

typedef struct file_scratch {
    leat_scratch scratch;
    int file;
} file_scratch;

static leat_code scratch_append(leat_scratch *scratch, const void *data, size_t size, leat_error *error)
{
    return write_all(((file_scratch *)scratch)->file, "scratch bytes", data, size, error);
}

static leat_code scratch_read(leat_scratch *scratch, uint64_t offset, size_t size, void *out, leat_error *error)
{
    char *at = out;
    while (size > 0) {
        ssize_t got = pread(((file_scratch *)scratch)->file, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_at(error, errno, "read", "scratch bytes");
        if (got == 0) return leat_fail(error, LEAT_IO, "scratch bytes end too early");
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return LEAT_OK;
}

static void scratch_free(leat_scratch *scratch)
{
    close(((file_scratch *)scratch)->file);
    leat_free(scratch);
}

static const leat_scratch_vtable scratch_vtable = {scratch_append, scratch_read, scratch_free};

static leat_code open_scratch(const char *folder, int *out, leat_error *error)
{
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s/leat-scratch-XXXXXX", folder) >= (int)sizeof name) {
        return leat_fail(error, LEAT_LIMIT, "path %s is too long", folder);
    }
    LEAT_TRY(make_folders(name, error));
    *out = mkostemp(name, O_CLOEXEC);
    if (*out < 0) return fail_at(error, errno, "make a scratch file in", folder);
    if (unlink(name) == 0) return LEAT_OK;
    leat_code code = fail_at(error, errno, "remove", name);
    close(*out);
    return code;
}

static leat_code file_scratch_new(leat_storage *storage, const char *uri, leat_scratch **out, leat_error *error)
{
    (void)storage;
    const char *folder;
    LEAT_TRY(leat_file_path(uri, &folder, error));
    file_scratch *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->scratch.vtable = &scratch_vtable;
    leat_code code = open_scratch(folder, &self->file, error);
    if (code != LEAT_OK) {
        leat_free(self);
        return code;
    }
    *out = &self->scratch;
    return LEAT_OK;
}

static void file_free(leat_storage *storage)
{
    leat_free(storage);
}

static const leat_storage_vtable file_vtable = {.put = file_put,
                                                .get = file_get,
                                                .size = file_size,
                                                .list = file_list,
                                                .remove = file_remove,
                                                .remove_folder = file_remove_folder,
                                                .create = file_create,
                                                .free = file_free,
                                                .copy = file_copy,
                                                .scratch = file_scratch_new,
                                                .get_version = leat_file_get_version,
                                                .replace = leat_file_replace};

leat_code leat_storage_file_new(leat_storage **out, leat_error *error)
{
    leat_storage *self = leat_alloc(sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->vtable = &file_vtable;
    *out = self;
    return LEAT_OK;
}
