/* Operators: what a task is made of, and what they may ask of it.
 *
 * A task is a chain of operators; the head reads the task's inputs (or is a source), the tail writes its outputs.
 * Exactly one worker runs a subtask at a time, so an operator needs no locks; only leat_context_wake may be called by
 * others.
 *
 * Steps never block and are bounded: a call handles at most one batch and emits at most one. An operator that has more
 * to say returns LEAT_AGAIN and is resumed, when its output has room, before it sees anything new:
 *
 *            process_batch / on_timer / on_wake / end_input
 *     READY ────────────────────────────────────────────────▶ LEAT_DONE: READY
 *       ▲                      │ LEAT_AGAIN
 *       └──── resume: DONE ── PENDING ◀─┐ resume: AGAIN
 *                              └────────┘
 *
 * A barrier waits until nothing in the chain is pending, then each operator is cut by `snapshot`, head first.
 *
 * A topic is an opaque name of something that some write and others read (a table's path). Who follows one is told soon
 * after something was committed to it in the same cluster. That is a hint, which may be lost or come twice: whoever
 * must not miss anything looks from time to time as well. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "columnar/batch.h"
#include "common/bytes.h"
#include "common/config.h"
#include "common/env.h"
#include "common/error.h"

typedef enum leat_progress {
    LEAT_DONE,
    LEAT_AGAIN,
} leat_progress;

typedef enum leat_source_status {
    LEAT_SOURCE_MORE, /* call again */
    LEAT_SOURCE_IDLE, /* call again after a wake, a timer or new splits */
    LEAT_SOURCE_END,  /* never again */
} leat_source_status;

typedef struct leat_operator leat_operator;
typedef struct leat_operator_context leat_operator_context;
struct leat_registry; /* flow/registry.h */

/* One operator's part of a checkpoint, filled by its `snapshot` (and `snapshot_resume`). It stays where it is until the
 * operator has said DONE or is closed, so that steps on the stream may add to it too. */
typedef struct leat_operator_snapshot {
    int64_t checkpoint_id;
    bool is_final;     /* taken after the end of all input: nothing comes after it */
    size_t part_bytes; /* the host's: state that is_appended is taken away in parts of about this size; 0: is not */
    bool is_appended;  /* the operator's: what is in `state` is never looked at again, it only grows at its end */
    leat_bytes state;  /* opaque; empty: none */
    leat_bytes *committables; /* of a two-phase sink: everything prepared and not yet confirmed */
    size_t committables_count, committables_capacity;
} leat_operator_snapshot;

/* Moves `committable` (it is empty after it) into the snapshot. */
LEAT_CHECKED leat_code leat_operator_snapshot_add(leat_operator_snapshot *snapshot, leat_bytes *committable,
                                                  leat_error *error);
void leat_operator_snapshot_done(leat_operator_snapshot *snapshot);

/* What a checkpoint held for an operator. With unchanged parallelism there is one part, the subtask's own; after a
 * rescale every subtask gets all parts and takes what is its (keyed state: by key group). */
typedef struct leat_restored_part {
    int32_t subtask, parallelism; /* when it was written */
    const uint8_t *state;
    size_t state_size;
} leat_restored_part;

typedef struct leat_restored {
    int64_t checkpoint_id;
    const leat_restored_part *parts;
    size_t parts_count;
} leat_restored;

typedef struct leat_operator_vtable {
    const char *type;
    /* Before anything else. `restored` is NULL in a fresh start. */
    leat_code (*open)(leat_operator *self, const leat_restored *restored, leat_error *error);
    /* Takes the batch by setting *batch to NULL, or leaves it for the caller to free. */
    leat_code (*process_batch)(leat_operator *self, int32_t input, leat_batch **batch, leat_progress *progress,
                               leat_error *error);
    leat_code (*resume)(leat_operator *self, leat_progress *progress, leat_error *error);
    /* Optional (NULL: passed on to the next operator as it is). The minimum over inputs was taken already. */
    leat_code (*process_watermark)(leat_operator *self, int64_t watermark_ms, leat_error *error);
    /* The time set by leat_context_set_timer has come. */
    leat_code (*on_timer)(leat_operator *self, int64_t now_us, leat_progress *progress, leat_error *error);
    /* After leat_context_wake. */
    leat_code (*on_wake)(leat_operator *self, leat_progress *progress, leat_error *error);
    /* All inputs have ended: emit what is held. Optional. */
    leat_code (*end_input)(leat_operator *self, leat_progress *progress, leat_error *error);
    /* Optional. False: give me no batch now (barriers still pass); asked before each, see lookup joins. */
    bool (*has_room)(const leat_operator *self);
    /* Optional. True: rows wait for something outside (a timer, a wake); `end_input` comes when they are done. */
    bool (*is_waiting)(const leat_operator *self);
    /* The cut: what came before is in the snapshot, what comes after is not. Returns AGAIN when the rest is done later,
     * while the stream goes on: `snapshot_resume` is then called after each wake or timer and whenever the subtask is
     * idle, until it says DONE. Optional: NULL means no state. */
    leat_code (*snapshot)(leat_operator *self, leat_operator_snapshot *snapshot, leat_progress *progress,
                          leat_error *error);
    leat_code (*snapshot_resume)(leat_operator *self, leat_operator_snapshot *snapshot, leat_progress *progress,
                                 leat_error *error);
    /* The checkpoint is durable and, for sinks, its committables are committed. Optional. */
    leat_code (*checkpoint_complete)(leat_operator *self, int64_t checkpoint_id, leat_error *error);
    leat_code (*checkpoint_aborted)(leat_operator *self, int64_t checkpoint_id, leat_error *error);
    /* Sources only: emit at most one batch. */
    leat_code (*produce)(leat_operator *self, leat_source_status *status, leat_error *error);
    leat_code (*add_split)(leat_operator *self, const uint8_t *split, size_t size, leat_error *error);
    leat_code (*no_more_splits)(leat_operator *self, leat_error *error);
    leat_code (*on_event)(leat_operator *self, const uint8_t *event, size_t size, leat_error *error);
    /* The topic that it follows (leat_context_follow) has news. Optional. */
    leat_code (*on_news)(leat_operator *self, leat_progress *progress, leat_error *error);
    /* Frees the operator; accepts one that was never opened or half opened. Jobs it spawned have ended before. */
    void (*close)(leat_operator *self);
} leat_operator_vtable;

/* Embedded first in each operator's own struct. */
struct leat_operator {
    const leat_operator_vtable *vtable;
    leat_operator_context *context;
};

/* What the subtask offers. The functions are the host's (taskmanager/chain.c, or a test's). */
typedef struct leat_operator_host {
    leat_code (*emit)(leat_operator_context *context, leat_batch **batch, leat_error *error);
    leat_code (*emit_watermark)(leat_operator_context *context, int64_t watermark_ms, leat_error *error);
    void (*wake)(leat_operator_context *context);
    void (*set_timer)(leat_operator_context *context, int64_t at_us);
    leat_code (*spawn)(leat_operator_context *context, leat_job *job, leat_error *error);
    leat_code (*send_event)(leat_operator_context *context, const uint8_t *event, size_t size, leat_error *error);
    leat_code (*collect)(leat_operator_context *context, leat_batch *batch, bool is_end, leat_error *error);
    void (*set_gauge)(leat_operator_context *context, const char *name, int64_t value);
    void (*follow)(leat_operator_context *context, const char *topic);
    bool (*may_write)(leat_operator_context *context);
} leat_operator_host;

struct leat_operator_context {
    const leat_operator_host *host;
    leat_env *env;
    const leat_config *config;            /* the job's */
    const struct leat_registry *registry; /* for operators that make others: lookup joins */
    const char *job_id;                   /* 32 hex digits */
    const char *job_name;
    const char *operator_uid;
    const char *operator_name;
    int32_t attempt;
    int32_t subtask, parallelism, max_parallelism;
    bool is_batch;
    bool has_checkpoints; /* two-phase sinks commit with them; else at the end */
    int64_t memory_bytes; /* what this operator may hold, its share of the task manager's budget */
};

/* Passes a batch on (takes it). At most one a step. */
LEAT_CHECKED static inline leat_code leat_context_emit(leat_operator_context *context, leat_batch **batch,
                                                       leat_error *error)
{
    return context->host->emit(context, batch, error);
}
LEAT_CHECKED static inline leat_code leat_context_emit_watermark(leat_operator_context *context, int64_t watermark_ms,
                                                                 leat_error *error)
{
    return context->host->emit_watermark(context, watermark_ms, error);
}
/* on_wake (and produce, snapshot_resume) will be called soon. Any thread; many wakes may become one call. */
static inline void leat_context_wake(leat_operator_context *context)
{
    context->host->wake(context);
}
/* One timer an operator, monotonic µs; INT64_MAX: none. Setting it again replaces it. */
static inline void leat_context_set_timer(leat_operator_context *context, int64_t at_us)
{
    context->host->set_timer(context, at_us);
}
/* Runs the job on an I/O thread; `done` is called there and usually ends with leat_context_wake. The subtask is not
 * closed before all its jobs are done. */
LEAT_CHECKED static inline leat_code leat_context_spawn(leat_operator_context *context, leat_job *job,
                                                        leat_error *error)
{
    return context->host->spawn(context, job, error);
}
/* Sources: tells the enumerator something; size 0 with event NULL asks for a split. */
LEAT_CHECKED static inline leat_code leat_context_send_event(leat_operator_context *context, const uint8_t *event,
                                                             size_t size, leat_error *error)
{
    return context->host->send_event(context, event, size, error);
}
/* The `collect` sink: rows to the job manager, borrowed. LEAT_LIMIT: the window is full, try after the next wake. */
LEAT_CHECKED static inline leat_code leat_context_collect(leat_operator_context *context, leat_batch *batch,
                                                          bool is_end, leat_error *error)
{
    return context->host->collect(context, batch, is_end, error);
}
/* A named figure of the operator, shown with the task's metrics. `name` is static; at most 16 an operator. */
static inline void leat_context_set_gauge(leat_operator_context *context, const char *name, int64_t value)
{
    context->host->set_gauge(context, name, value);
}
/* From `open`: on_news is called when the topic has news. One an operator; borrowed until the operator is closed. */
static inline void leat_context_follow(leat_operator_context *context, const char *topic)
{
    context->host->follow(context, topic);
}
/* Whether this attempt may still change something outside that no commit protects (rows of another database). False
 * once it is being ended, or the task manager lost its job manager: another attempt may have gone on. To be asked right
 * before each change. Any thread. */
static inline bool leat_context_may_write(leat_operator_context *context)
{
    return !context->host->may_write || context->host->may_write(context);
}
