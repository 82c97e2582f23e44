/* Removes files that a writer made and that no message will name (compacted away within one checkpoint), on an I/O
 * thread. What cannot be removed stays as an orphan and is logged. Belongs to one writer; zero at the start. */
#pragma once

#include <stdatomic.h>

#include "flow/operator.h"
#include "paimon/pk/bucket.h"

enum { LEAT_PK_GARBAGE_MAX = 64 /* files a job */ };

typedef struct leat_pk_garbage {
    leat_job job; /* first */
    leat_operator_context *context;
    leat_arena arena;
    const char *paths[LEAT_PK_GARBAGE_MAX];
    size_t count;
    atomic_bool has_ended;
    bool is_running;
} leat_pk_garbage;

/* Starts to remove what the buckets have, unless a job is still under way; the writer is woken at its end. */
LEAT_CHECKED leat_code leat_pk_garbage_collect(leat_pk_garbage *self, leat_operator_context *context,
                                               leat_pk_bucket *const *buckets, size_t buckets_count, leat_error *error);
/* The job has ended before. */
void leat_pk_garbage_done(leat_pk_garbage *self);
