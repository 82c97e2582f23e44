/* Storage for code that works in slices: reads and writes are jobs of an operator's context, which they wake when done; without
 * a context they are done in place. One thread (the subtask's) calls all functions here; only the jobs run elsewhere. */
#pragma once

#include <stdatomic.h>

#include "columnar/batch.h"
#include "flow/operator.h"
#include "storage/storage.h"

typedef struct leat_pk_io {
    leat_env *env;
    leat_operator_context *context; /* NULL: in place */
} leat_pk_io;

/* One ranged read. Zeroed before first use; must live until it is idle. */
typedef struct leat_pk_read {
    leat_job job; /* first */
    leat_pk_io io;
    const char *path; /* borrowed */
    uint64_t offset;
    size_t size;
    leat_bytes bytes;
    leat_code code;
    leat_error error;
    atomic_bool is_done;
    bool is_running;
} leat_pk_read;

LEAT_CHECKED leat_code leat_pk_read_start(leat_pk_read *read, const leat_pk_io *io, const char *path, uint64_t offset,
                                          size_t size, leat_error *error);
/* True once: the read has ended; then *out is its buffer, or the call fails. */
LEAT_CHECKED leat_code leat_pk_read_poll(leat_pk_read *read, bool *is_done, leat_buffer **out, leat_error *error);
void leat_pk_read_done(leat_pk_read *read);

/* One object being written: chunks are queued and written by one job at a time. */
typedef struct leat_pk_upload leat_pk_upload;

LEAT_CHECKED leat_code leat_pk_upload_new(const leat_pk_io *io, const char *path, leat_pk_upload **out, leat_error *error);
/* Queues the bytes (taken). */
LEAT_CHECKED leat_code leat_pk_upload_write(leat_pk_upload *upload, leat_bytes *bytes, leat_error *error);
/* No more bytes come: the object is made durable once all are written. */
LEAT_CHECKED leat_code leat_pk_upload_finish(leat_pk_upload *upload, leat_error *error);
/* Moves it on; the error of a job that failed comes out here. */
LEAT_CHECKED leat_code leat_pk_upload_poll(leat_pk_upload *upload, bool *is_finished, leat_error *error);
/* Bytes that wait to be written. */
size_t leat_pk_upload_queued(const leat_pk_upload *upload);
/* When no job runs: aborts what is not finished. NULL is fine. */
void leat_pk_upload_free(leat_pk_upload *upload);
