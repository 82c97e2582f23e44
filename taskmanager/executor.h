/* Who runs subtasks: a fixed set of worker threads in production (pool.c), the simulator's loop in tests/sim.
 *
 *          schedule             picked            run returns WAIT
 *   IDLE ───────────▶ QUEUED ───────────▶ RUNNING ────────────────▶ IDLE
 *                        ▲   run returns AGAIN, or scheduled meanwhile  │ run returns CLOSED
 *                        └──────────────────────────────────────────────┴──▶ CLOSED (never runs again)
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "common/error.h"

typedef enum leat_run_status {
    LEAT_RUN_AGAIN,  /* has more to do at once */
    LEAT_RUN_WAIT,   /* until scheduled, or its deadline */
    LEAT_RUN_CLOSED, /* done for ever */
} leat_run_status;

typedef struct leat_runnable leat_runnable;
struct leat_runnable {
    /* A bounded step. One worker at a time. *deadline_us: when to run again without being scheduled (monotonic);
     * INT64_MAX: never. */
    leat_run_status (*run)(leat_runnable *self, int64_t *deadline_us);
    /* After CLOSED: the executor has let go of it, it may be freed. */
    void (*closed)(leat_runnable *self);
    atomic_int state; /* the executor's; zero at the start */
    int home;         /* the worker that ran it last; at first any number, to spread them */
    leat_runnable *next;
    int64_t deadline_us;
    int32_t heap_at; /* place in the timer heap, from 1; 0: not in it */
};

typedef struct leat_executor leat_executor;
struct leat_executor {
    /* Any thread. The runnable must stay valid during the call. */
    void (*schedule)(leat_executor *self, leat_runnable *runnable);
};

/* `workers` threads; 0: one a core. */
LEAT_CHECKED leat_code leat_pool_new(int workers, leat_executor **out, leat_error *error);
/* Stops the workers; what is queued is not run. */
void leat_pool_free(leat_executor *executor);
