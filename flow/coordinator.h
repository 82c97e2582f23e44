/* The checkpoint coordinator of one job attempt: a pure machine. Time, messages and durability are its shell's.
 *
 *   tick ──▶ BEGIN n      the shell snapshots the enumerators, closes their gates, then says `begun` …
 *            TRIGGER n    … and triggers the sources
 *            all acks ──▶ STORE n   metadata goes to storage; the shell says `stored`
 *            COMPLETE n   told to all tasks; committers run in order
 *            timeout, decline, store failure ──▶ ABORT n; too many in a row ──▶ FAIL
 *
 * At most `concurrent_max` are under way; completions keep their order: n is stored only when nothing older is pending
 * (an older one that is still pending when n is acknowledged is superseded and aborted, as its barriers are past).
 * Stale and repeated events are ignored and counted. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

enum { LEAT_COORDINATOR_PENDING_MAX = 16, LEAT_COORDINATOR_EFFECTS_MAX = 64 };

typedef struct leat_coordinator_options {
    int64_t interval_ms; /* 0: no periodic checkpoints */
    int64_t timeout_ms;
    int64_t min_pause_ms;
    int32_t concurrent_max;     /* 1 … LEAT_COORDINATOR_PENDING_MAX */
    int32_t tolerable_failures; /* consecutive; -1: any number */
} leat_coordinator_options;

typedef enum leat_checkpoint_phase {
    LEAT_CHECKPOINT_NONE,
    LEAT_CHECKPOINT_BEGINNING,
    LEAT_CHECKPOINT_COLLECTING,
    LEAT_CHECKPOINT_STORING,
    LEAT_CHECKPOINT_COMMITTING, /* still counts as under way: commits that lag hold checkpoints back, they never queue
                                   up */
} leat_checkpoint_phase;

typedef struct leat_pending_checkpoint {
    leat_checkpoint_phase phase;
    int64_t checkpoint_id;
    int64_t started_ms;
    int32_t acks_count;
    uint64_t *acked; /* bitmap of tasks; owned by the coordinator */
} leat_pending_checkpoint;

typedef enum leat_coordinator_effect_kind {
    LEAT_COORDINATOR_BEGIN,
    LEAT_COORDINATOR_TRIGGER,
    LEAT_COORDINATOR_STORE,
    LEAT_COORDINATOR_COMPLETE,
    LEAT_COORDINATOR_ABORT,
    LEAT_COORDINATOR_FAIL, /* the job's attempt: too many failed checkpoints */
} leat_coordinator_effect_kind;

typedef struct leat_coordinator_effect {
    leat_coordinator_effect_kind kind;
    int64_t checkpoint_id;
    const char *reason; /* static text, of ABORT and FAIL */
} leat_coordinator_effect;

typedef struct leat_coordinator_effects {
    int count;
    leat_coordinator_effect list[LEAT_COORDINATOR_EFFECTS_MAX];
} leat_coordinator_effects;

typedef struct leat_coordinator {
    leat_coordinator_options options;
    int32_t tasks_count;
    int64_t next_id;
    int64_t last_started_ms, last_ended_ms; /* -1: never */
    int32_t failures_in_row;
    bool is_stopped;
    bool is_wanted; /* one was asked for out of turn */
    int64_t stale_events;
    leat_pending_checkpoint pending[LEAT_COORDINATOR_PENDING_MAX];
} leat_coordinator;

/* `first_id` is one past the newest checkpoint id ever used by the job. */
LEAT_CHECKED leat_code leat_coordinator_init(leat_coordinator *self, const leat_coordinator_options *options,
                                             int32_t tasks_count, int64_t first_id, int64_t now_ms, leat_error *error);
void leat_coordinator_done(leat_coordinator *self);

void leat_coordinator_on_tick(leat_coordinator *self, int64_t now_ms, leat_coordinator_effects *effects);
/* A checkpoint soon, whatever the interval (bounded sources have ended). */
void leat_coordinator_on_request(leat_coordinator *self, int64_t now_ms, leat_coordinator_effects *effects);
void leat_coordinator_on_begun(leat_coordinator *self, int64_t checkpoint_id, bool ok, int64_t now_ms,
                               leat_coordinator_effects *effects);
/* Task numbers are 0 … tasks_count - 1. Returns whether the ack counted: else the shell drops what came with it. */
bool leat_coordinator_on_ack(leat_coordinator *self, int64_t checkpoint_id, int32_t task, int64_t now_ms,
                             leat_coordinator_effects *effects);
void leat_coordinator_on_decline(leat_coordinator *self, int64_t checkpoint_id, int64_t now_ms,
                                 leat_coordinator_effects *effects);
void leat_coordinator_on_stored(leat_coordinator *self, int64_t checkpoint_id, bool ok, int64_t now_ms,
                                leat_coordinator_effects *effects);
/* The commit of a COMPLETE checkpoint is done (a failed one ends the attempt, see leat_coordinator_stop). */
void leat_coordinator_on_committed(leat_coordinator *self, int64_t checkpoint_id, int64_t now_ms,
                                   leat_coordinator_effects *effects);
/* The attempt ends: everything pending is aborted, nothing new starts. */
void leat_coordinator_stop(leat_coordinator *self, leat_coordinator_effects *effects);
/* When on_tick has work next; INT64_MAX: never. */
int64_t leat_coordinator_next_tick_ms(const leat_coordinator *self);
