/* What a lookup's copy of a table is kept current with: the newest snapshot once, then the changes of each new one.
 * Read by a job, on an I/O thread, with plain blocking code. */
#pragma once

#include <stdatomic.h>

#include "flow/operator.h"
#include "paimon/table.h"

typedef struct leat_pk_changes {
    leat_job job; /* first */
    leat_operator_context *context;
    const leat_paimon_table *table; /* borrowed */
    const int32_t *columns;         /* that are read */
    int32_t columns_count;
    int64_t bytes_max;
    int64_t next_snapshot; /* -1: nothing was loaded yet */
    /* Of the last run: */
    bool is_whole; /* the batches are the whole table, not changes */
    leat_batch **batches;
    size_t batches_count, batches_capacity;
    int64_t bytes;
    leat_code code;
    leat_error error;
    atomic_bool has_ended;
    bool is_running;
} leat_pk_changes;

/* Reads what has come since the last run; wakes the operator. */
LEAT_CHECKED leat_code leat_pk_changes_start(leat_pk_changes *changes, leat_error *error);
/* True once when it has ended. Batches are the caller's to take (set to NULL). */
LEAT_CHECKED leat_code leat_pk_changes_poll(leat_pk_changes *changes, bool *has_ended, leat_error *error);
void leat_pk_changes_done(leat_pk_changes *changes);
