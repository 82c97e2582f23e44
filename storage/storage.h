/* Object storage: whole objects by path, ranged reads, conditional writes. Paths are URIs: "file:/a/b", "file:///a/b"
 * or a plain "/a/b"; "s3://bucket/a/b"; "mem:/…" for tests. '/' separates, there are no empty parts.
 *
 * Blocking: called on I/O threads (or fibers) only. Any thread. Nothing is acknowledged before it is durable: files are
 * fsynced, and so is their folder. Errors carry the path. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/error.h"

struct leat_config;
struct leat_env;
typedef struct leat_storage leat_storage;
typedef struct leat_storage_writer leat_storage_writer;
typedef struct leat_scratch leat_scratch;

typedef enum leat_put_mode {
    LEAT_PUT_REPLACE,
    LEAT_PUT_IF_ABSENT, /* LEAT_EXISTS when it is there; of several writers at once exactly one wins */
} leat_put_mode;

/* What tells an object's content from what it was before: S3's etag, a hash. Not to be looked into. */
typedef struct leat_storage_version {
    char text[128];
} leat_storage_version;

typedef struct leat_storage_entry {
    char *name; /* without the folder */
    bool is_folder;
    uint64_t size;
    int64_t modified_ms;
} leat_storage_entry;

typedef struct leat_storage_list {
    leat_storage_entry *entries; /* sorted by name */
    size_t count, capacity;
} leat_storage_list;

typedef struct leat_storage_vtable {
    leat_code (*put)(leat_storage *self, const char *path, const void *data, size_t size, leat_put_mode mode,
                     leat_error *error);
    leat_code (*get)(leat_storage *self, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                     leat_error *error);
    leat_code (*size)(leat_storage *self, const char *path, uint64_t *out, leat_error *error);
    leat_code (*list)(leat_storage *self, const char *folder, leat_storage_list *out, leat_error *error);
    leat_code (*remove)(leat_storage *self, const char *path, leat_error *error);
    leat_code (*remove_folder)(leat_storage *self, const char *folder, leat_error *error);
    leat_code (*create)(leat_storage *self, const char *path, leat_storage_writer **out, leat_error *error);
    void (*free)(leat_storage *self);
    /* Without moving the bytes; LEAT_UNSUPPORTED where that cannot be. NULL: never. */
    leat_code (*copy)(leat_storage *self, const char *from, const char *to, leat_error *error);
    leat_code (*scratch)(leat_storage *self, const char *folder, leat_scratch **out, leat_error *error);
    leat_code (*get_version)(leat_storage *self, const char *path, size_t limit_bytes, leat_bytes *out,
                             leat_storage_version *version, leat_error *error);
    leat_code (*replace)(leat_storage *self, const char *path, const void *data, size_t size,
                         leat_storage_version *version, leat_error *error);
} leat_storage_vtable;

struct leat_storage {
    const leat_storage_vtable *vtable;
};

/* An object that is written piece by piece and appears whole when finished, or not at all. */
typedef struct leat_storage_writer_vtable {
    leat_code (*write)(leat_storage_writer *self, const void *data, size_t size, leat_error *error);
    /* Makes it durable and visible. Frees the writer in any case. */
    leat_code (*finish)(leat_storage_writer *self, leat_error *error);
    /* Throws it away. Frees the writer. */
    void (*abort)(leat_storage_writer *self);
} leat_storage_writer_vtable;

struct leat_storage_writer {
    const leat_storage_writer_vtable *vtable;
};

/* Bytes that need not outlive the process: they have no name, are not made durable, and are gone when freed or when the
 * process dies. */
typedef struct leat_scratch_vtable {
    leat_code (*append)(leat_scratch *self, const void *data, size_t size, leat_error *error);
    leat_code (*read)(leat_scratch *self, uint64_t offset, size_t size, void *out, leat_error *error);
    void (*free)(leat_scratch *self);
} leat_scratch_vtable;

struct leat_scratch {
    const leat_scratch_vtable *vtable;
};

/* Folders above the path are made. */
LEAT_CHECKED leat_code leat_storage_put(leat_storage *storage, const char *path, const void *data, size_t size,
                                        leat_put_mode mode, leat_error *error);
/* Appends up to `size` bytes from `offset` to out; fewer only at the object's end. LEAT_NOT_FOUND. */
LEAT_CHECKED leat_code leat_storage_get(leat_storage *storage, const char *path, uint64_t offset, size_t size,
                                        leat_bytes *out, leat_error *error);
/* The whole object, at most limit_bytes (LEAT_LIMIT). */
LEAT_CHECKED leat_code leat_storage_get_all(leat_storage *storage, const char *path, size_t limit_bytes,
                                            leat_bytes *out, leat_error *error);
/* LEAT_NOT_FOUND for what is not there, or is a folder. */
LEAT_CHECKED leat_code leat_storage_size(leat_storage *storage, const char *path, uint64_t *out, leat_error *error);
/* A folder that is not there lists as empty. */
LEAT_CHECKED leat_code leat_storage_list_folder(leat_storage *storage, const char *folder, leat_storage_list *out,
                                                leat_error *error);
void leat_storage_list_done(leat_storage_list *list);
/* Removing what is not there is fine. */
LEAT_CHECKED leat_code leat_storage_remove(leat_storage *storage, const char *path, leat_error *error);
LEAT_CHECKED leat_code leat_storage_remove_folder(leat_storage *storage, const char *folder, leat_error *error);
LEAT_CHECKED leat_code leat_storage_create(leat_storage *storage, const char *path, leat_storage_writer **out,
                                           leat_error *error);
LEAT_CHECKED leat_code leat_storage_write(leat_storage_writer *writer, const void *data, size_t size,
                                          leat_error *error);
LEAT_CHECKED leat_code leat_storage_finish(leat_storage_writer *writer, leat_error *error);
void leat_storage_abort(leat_storage_writer *writer); /* NULL is fine */
/* The bytes of `from` under a second name, which appears whole or not at all. Neither may be changed in place later:
 * storage may keep the bytes once (files: a hard link). LEAT_NOT_FOUND. */
LEAT_CHECKED leat_code leat_storage_copy(leat_storage *storage, const char *from, const char *to, leat_error *error);

/* `folder` is made if it is not there. */
LEAT_CHECKED leat_code leat_storage_scratch(leat_storage *storage, const char *folder, leat_scratch **out,
                                            leat_error *error);
/* One thread at a time, and not while anyone reads. */
LEAT_CHECKED leat_code leat_scratch_append(leat_scratch *scratch, const void *data, size_t size, leat_error *error);
/* Exactly `size` bytes that were appended; any number of threads. */
LEAT_CHECKED leat_code leat_scratch_read(leat_scratch *scratch, uint64_t offset, size_t size, void *out,
                                         leat_error *error);
void leat_scratch_free(leat_scratch *scratch); /* NULL is fine */

/* As leat_storage_get_all, and the version that these bytes are. */
LEAT_CHECKED leat_code leat_storage_get_version(leat_storage *storage, const char *path, size_t limit_bytes,
                                                leat_bytes *out, leat_storage_version *version, leat_error *error);
/* Replaces the object if it is still of this version, which becomes that of the new bytes. LEAT_CONFLICT when it is of
 * another or gone; of several at once exactly one wins, in whatever processes. For leases and pointers: objects that
 * are made by LEAT_PUT_IF_ABSENT and changed in no other way. After LEAT_IO and the like it is not known which bytes
 * there are. */
LEAT_CHECKED leat_code leat_storage_replace(leat_storage *storage, const char *path, const void *data, size_t size,
                                            leat_storage_version *version, leat_error *error);

/* Files below "/". */
LEAT_CHECKED leat_code leat_storage_file_new(leat_storage **out, leat_error *error);
/* In memory; for tests. */
LEAT_CHECKED leat_code leat_storage_memory_new(leat_storage **out, leat_error *error);
/* Objects of S3. Both are borrowed, and must outlive the storage. LEAT_DENIED: no credentials. */
LEAT_CHECKED leat_code leat_storage_s3_new(const struct leat_config *config, struct leat_env *env, leat_storage **out,
                                           leat_error *error);
/* One storage for all paths, by their scheme: files, and S3, which is set up when its first path comes. What programs
 * use. Both are borrowed, and must outlive the storage. */
LEAT_CHECKED leat_code leat_storage_schemes_new(const struct leat_config *config, struct leat_env *env,
                                                leat_storage **out, leat_error *error);
void leat_storage_free(leat_storage *storage);
