/* Restart strategies (Flink's): whether a job that failed starts again, and after which pause. A pure machine: time and
 * chance are handed in. */
#pragma once

#include "common/config.h"

typedef enum leat_restart_kind {
    LEAT_RESTART_NONE,
    LEAT_RESTART_FIXED_DELAY,
    LEAT_RESTART_FAILURE_RATE,
    LEAT_RESTART_EXPONENTIAL_DELAY,
} leat_restart_kind;

enum { LEAT_RESTART_RATE_MAX = 1024 };

typedef struct leat_restart {
    leat_restart_kind kind;
    int64_t attempts; /* of FIXED and EXPONENTIAL (there: without a reset); -1: without end */
    int64_t delay_ms; /* of FIXED and RATE; of EXPONENTIAL the last pause, without jitter; 0: none yet */
    int64_t restarts; /* that count towards `attempts` */
    int64_t interval_ms, failures_max;
    int64_t failures_ms[LEAT_RESTART_RATE_MAX]; /* a ring: when the last failures were */
    int64_t failures_count;
    int64_t initial_ms, most_ms, reset_ms, failed_ms; /* failed_ms: the last failure; INT64_MIN: none */
    double multiplier, jitter;
} leat_restart;

/* Reads "restart-strategy.*". Without a type: every second without end when the job has checkpoints, else none.
 * LEAT_INVALID for a strategy or figures that make no sense. */
LEAT_CHECKED leat_code leat_restart_init(leat_restart *self, const leat_config *config, bool has_checkpoints,
                                         leat_error *error);
/* The job failed now (a clock that does not run back): whether it restarts, *delay_ms later. `random`: any bits. */
bool leat_restart_on_failure(leat_restart *self, int64_t now_ms, uint64_t random, int64_t *delay_ms);
