/* Which files a table has, for lookups into them: the newest snapshot's once, then what each later one added and
 * deleted. Read by a job, on an I/O thread, with plain blocking code. */
#pragma once

#include <stdatomic.h>

#include "flow/operator.h"
#include "paimon/manifest.h"

typedef struct leat_pk_lookup_plan {
    leat_job job; /* first */
    leat_operator_context *context;
    const leat_paimon_table *table; /* borrowed */
    int64_t next_snapshot;          /* -1: nothing was read yet, or what was is not to be trusted */
    /* Of the last run: */
    leat_arena arena;
    leat_paimon_entries entries; /* in the arena */
    bool is_whole;               /* all live files, not what was added and deleted */
    leat_code code;
    leat_error error;
    atomic_bool has_ended;
    bool is_running;
} leat_pk_lookup_plan;

/* Reads what has come since the last run; wakes the operator. */
LEAT_CHECKED leat_code leat_pk_lookup_plan_start(leat_pk_lookup_plan *self, leat_error *error);
/* True once when it has ended. */
LEAT_CHECKED leat_code leat_pk_lookup_plan_poll(leat_pk_lookup_plan *self, bool *has_ended, leat_error *error);
/* Frees the entries, when no job runs. */
void leat_pk_lookup_plan_reset(leat_pk_lookup_plan *self);
