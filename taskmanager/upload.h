/* An operator's state on its way to an object, part by part while the snapshot is still being written, so that it is
 * never whole in memory. One I/O job at a time; the object appears when it is finished, or not at all.
 *
 *   subtask:  new ──▶ send, send, … (is_busy: one is under way) ──▶ [acknowledgement, I/O thread:] finish ──▶ free
 *                                  any time but while busy: ──▶ free */
#pragma once

#include "taskmanager/subtask.h"

typedef struct leat_upload leat_upload;

/* A copy of the path is kept. */
LEAT_CHECKED leat_code leat_upload_new(leat_subtask *subtask, const char *path, leat_upload **out, leat_error *error);
/* Acquires what the job wrote: false means that the subtask (or its acknowledgement) has the upload to itself. */
bool leat_upload_is_busy(const leat_upload *self);
/* The error of an earlier part, else takes the bytes (which are empty after it) and begins to write them. Not while
 * busy. The subtask is scheduled when they are written. */
LEAT_CHECKED leat_code leat_upload_send(leat_upload *self, leat_bytes *part, leat_error *error);
/* I/O thread. The last bytes; the object is there after it. */
LEAT_CHECKED leat_code leat_upload_finish(leat_upload *self, const leat_bytes *rest, uint64_t *size_bytes,
                                          uint64_t *checksum, leat_error *error);
/* What was not finished is removed: blocks a little then. NULL is fine. Not while busy. */
void leat_upload_free(leat_upload *self);
