/* The job manager without its threads and sockets: task managers, slots, jobs, their attempts, checkpoints, enumerators
 * and committers. Production gives it a ZeroMQ transport and a loop (net.c); tests/sim a simulated network and clock.
 *
 * One thread owns all of it and calls every function here, except leat_jobmanager_post, which any thread may call.
 * Nothing here blocks: what must (storage, enumerators, commits) runs as jobs of the env, and comes back through the
 * inbox. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/env.h"
#include "common/metrics.h"
#include "flow/coordinator.h"
#include "flow/registry.h"
#include "flow/restart.h"
#include "jobmanager/checkpoint_files.h"
#include "jobmanager/job_store.h"
#include "proto/checkpoint.pb-c.h"
#include "proto/control.pb-c.h"
#include "proto/graph.pb-c.h"

enum { LEAT_JM_EXCEPTIONS_MAX = 16, LEAT_JM_CHECKPOINTS_MAX = 64 };

typedef struct leat_jobmanager leat_jobmanager;
typedef struct leat_jm_job leat_jm_job;
typedef struct leat_jm_message leat_jm_message;

/* A message to the loop: an I/O job that is done, a request of another thread. Embedded in the sender's struct. */
struct leat_jm_message {
    leat_jm_message *next;
    void (*handle)(leat_jobmanager *self, leat_jm_message *message); /* on the loop; frees the message */
};

typedef struct leat_jm_transport leat_jm_transport;
struct leat_jm_transport {
    void (*send)(leat_jm_transport *self, const char *task_manager, Leat__Pb__Envelope *envelope);
    void (*wake)(leat_jm_transport *self); /* any thread: the inbox has something */
};

typedef struct leat_jm_taskmanager {
    char *id, *data_endpoint, *host, *version;
    int32_t slots, slots_used;
    uint32_t pid, cores;
    int64_t heard_ms, registered_ms; /* by the wall clock, to be shown */
    int64_t heard_mono_ms;           /* what the timeout is counted from */
    uint64_t memory_bytes;
    leat_metrics metrics;
    leat_process_load load;
    bool is_alive;
} leat_jm_taskmanager;

/* Flink's job states. */
typedef enum leat_job_state {
    LEAT_JOB_CREATED,      /* waits for slots */
    LEAT_JOB_INITIALIZING, /* deploying */
    LEAT_JOB_RUNNING,
    LEAT_JOB_RESTARTING, /* tasks are being ended, or the pause before the next attempt */
    LEAT_JOB_FAILING,
    LEAT_JOB_CANCELLING,
    LEAT_JOB_FINISHED,
    LEAT_JOB_FAILED,
    LEAT_JOB_CANCELED,
} leat_job_state;

const char *leat_job_state_name(leat_job_state state);
static inline bool leat_job_state_is_terminal(leat_job_state state)
{
    return state >= LEAT_JOB_FINISHED;
}

/* A part of the job that no rows leave or enter (Flink's pipelined region): vertices that edges connect. When one of
 * its tasks fails, its tasks are ended and deployed again from the last checkpoint, and the others' run on. */
typedef struct leat_jm_region {
    uint32_t attempt; /* of its tasks; no two of a job have the same one */
    bool is_down;     /* it does not run: not yet, or not any more */
} leat_jm_region;

typedef struct leat_jm_task {
    int32_t vertex, subtask, region;
    Leat__Pb__TaskState state;
    int32_t taskmanager; /* index; -1: not placed */
    bool is_at_end;
    bool is_lost; /* its task manager is, and nothing has been done about it yet */
    int64_t started_ms, ended_ms;
    /* newest metrics */
    uint64_t records_in, records_out, bytes_in, bytes_out, busy_us, idle_us, backpressured_us;
    int64_t watermark_ms;
    double busy_ratio, backpressured_ratio; /* of the time between the last two heartbeats */
    int64_t measured_ms;
    leat_metrics metrics; /* the task's, and its operators' behind their names */
    char **topics;        /* that its operators follow */
    size_t topics_count;
    Leat__Pb__SubtaskSnapshot *final_snapshot; /* of a finished task: goes into later checkpoints */
} leat_jm_task;

typedef struct leat_jm_exception {
    int64_t at_ms;
    leat_code code;
    char task[256], text[1024], hint[256];
} leat_jm_exception;

/* Statistics of one checkpoint, for `show` and REST. */
typedef enum leat_jm_checkpoint_status {
    LEAT_JM_CHECKPOINT_IN_PROGRESS,
    LEAT_JM_CHECKPOINT_COMPLETED,
    LEAT_JM_CHECKPOINT_FAILED,
} leat_jm_checkpoint_status;

typedef struct leat_jm_checkpoint_stats {
    int64_t checkpoint_id;
    leat_jm_checkpoint_status status;
    int64_t triggered_ms, ended_ms;
    uint64_t state_bytes;
    int32_t acks_count;
    const char *failure; /* static */
    char *path;          /* of a completed one; owned */
} leat_jm_checkpoint_stats;

typedef struct leat_jm_checkpoint_counts {
    int64_t triggered, completed, failed, restored;
    int64_t restored_id, restored_ms;
} leat_jm_checkpoint_counts;

typedef struct leat_jm_pending leat_jm_pending;       /* checkpoints.c */
typedef struct leat_jm_enumerator leat_jm_enumerator; /* enumerators.c */
typedef struct leat_jm_committer leat_jm_committer;   /* committers.c */

/* Rows of a SELECT on their way to whoever asked. */
typedef struct leat_jm_collected {
    struct leat_jm_collected *next;
    uint64_t sequence; /* of the first row */
    uint32_t rows;
    leat_bytes batch; /* columnar/wire */
} leat_jm_collected;

struct leat_jm_job {
    leat_jm_job *next;
    leat_jobmanager *jobmanager;
    uint8_t id[LEAT_JM_JOB_ID_BYTES];
    char id_text[LEAT_JM_JOB_ID_TEXT_BYTES];
    leat_bytes graph_bytes;
    Leat__Pb__JobGraph *graph;
    leat_config config;
    leat_job_state state;
    int64_t submitted_ms, ended_ms, state_since_ms[LEAT_JOB_CANCELED + 1];
    char commit_user[37];
    uint32_t attempt; /* the newest of its regions' */
    leat_jm_region *regions;
    int32_t regions_count;
    bool has_attempt; /* what is down was deployed, or is being ended: the end is still to be handled */
    leat_jm_task *tasks;
    int32_t tasks_count;
    int32_t *slots; /* taskmanager index a slot that the attempt took */
    int32_t slots_count;
    int64_t waiting_since_ms; /* for slots, monotonic; 0: it does not */
    bool was_wait_logged;
    leat_jm_exception exceptions[LEAT_JM_EXCEPTIONS_MAX]; /* newest last */
    int32_t exceptions_count;
    int32_t restarts;
    bool is_doomed;   /* no attempt may follow: it could only write rows twice */
    bool is_stored;   /* in the job store */
    bool is_stopping; /* somebody asked it to end by itself */
    leat_restart restart;
    int64_t restart_delay_ms; /* of the restart that is under way */
    int64_t restart_at_ms;    /* monotonic; of RESTARTING, once all tasks have ended; INT64_MAX before */
    bool has_checkpoints;
    char *checkpoint_dir; /* "<dir>/<job-id>" */
    leat_coordinator coordinator;
    bool has_coordinator;
    int64_t next_checkpoint_id;
    leat_jm_pending *pending;                 /* list */
    Leat__Pb__CheckpointMetadata *completed;  /* newest whose commit is done: where a restart begins */
    Leat__Pb__CheckpointMetadata *committing; /* stored, its commit is under way */
    /* Stored, and nobody knows whether its commit was done (storage went away): committed again before the next
     * attempt, which begins there. NULL: none. */
    Leat__Pb__CheckpointMetadata *uncertain;
    /* The checkpoint that it was submitted with lies elsewhere and is not this job's to remove; NULL: none. */
    char *given_dir;
    int64_t given_id, resumed_id; /* resumed_id: newest that an earlier job manager completed; 0: none */
    /* Whether sinks have more than the checkpoint that is committed next is to be found out: it was not the newest, or
     * nobody knows. */
    bool must_look_ahead;
    bool is_suspect; /* the last attempt could not be restored: are the checkpoint's objects whole? */
    bool is_examining;
    int64_t conflicted_id; /* the checkpoint to go on from can't be committed: an older one is looked for; 0: none */
    int64_t *retained;     /* ids, oldest first */
    size_t retained_count, retained_capacity;
    int64_t *aborted; /* ids of checkpoints that may have left objects */
    size_t aborted_count, aborted_capacity;
    leat_jm_checkpoint_stats checkpoints[LEAT_JM_CHECKPOINTS_MAX]; /* oldest first */
    int32_t checkpoints_count;
    leat_jm_checkpoint_counts counts;
    leat_jm_enumerator *enumerators; /* one a vertex that has one */
    int32_t enumerators_count;
    leat_jm_committer *committers;
    int32_t committers_count;
    int32_t io_running; /* I/O jobs that still point here */
    leat_jm_collected *collected, **collected_last;
    uint64_t collected_next; /* sequence that is due from the task manager */
    uint64_t collected_base; /* what it had reached when the sink of this attempt began, which counts from 0 */
    uint32_t collected_attempt;
    uint64_t collected_rows;
    bool has_collect_ended;
    leat_metrics metrics; /* as of the last leat_jobmanager_measure_job */
    /* Called on the loop whenever state or collected rows changed; may be NULL. */
    void (*on_change)(leat_jm_job *job, void *arg);
    void *on_change_arg;
};

struct leat_jobmanager {
    leat_env *env;
    const leat_config *config;
    const leat_registry *registry;
    leat_jm_transport *transport;
    const char *cluster_dir;     /* default place of checkpoints */
    const leat_job_store *store; /* where jobs outlive this process; NULL: they don't */
    char cluster_id[37];
    uint64_t leader_epoch;
    bool is_deposed; /* another job manager leads: this one has to end, and to touch nothing more */
    int64_t started_ms;
    int64_t ticked_ms; /* monotonic; 0: not yet */
    leat_jm_taskmanager *taskmanagers;
    size_t taskmanagers_count, taskmanagers_capacity;
    leat_jm_job *jobs;    /* newest first */
    leat_metrics metrics; /* as of the last leat_jobmanager_measure */
    leat_process_load load;
    pthread_mutex_t inbox_lock;
    leat_jm_message *inbox, **inbox_last; /* under inbox_lock */
};

/* The fields up to `store` are filled in by the caller; pointers are borrowed. */
LEAT_CHECKED leat_code leat_jobmanager_init(leat_jobmanager *self, leat_error *error);
/* All jobs are dropped; I/O jobs must have ended. */
void leat_jobmanager_done(leat_jobmanager *self);

/* An Envelope from a task manager, untrusted bytes; `from` is the connection's identity, the task manager's id. */
void leat_jobmanager_on_control(leat_jobmanager *self, const char *from, const uint8_t *data, size_t size);
/* Its connection closed: it is taken for dead at once. */
void leat_jobmanager_on_disconnect(leat_jobmanager *self, const char *task_manager);
/* Timers: heartbeats, checkpoints, restarts. Returns when to call again (monotonic ms). */
int64_t leat_jobmanager_on_tick(leat_jobmanager *self);
/* Any thread. */
void leat_jobmanager_post(leat_jobmanager *self, leat_jm_message *message);
void leat_jobmanager_handle_inbox(leat_jobmanager *self);

/* Takes the packed graph. `job_id` NULL: a random one. The job is scheduled as soon as there are slots. */
LEAT_CHECKED leat_code leat_jobmanager_submit(leat_jobmanager *self, const uint8_t *job_id, leat_bytes *graph,
                                              leat_jm_job **out, leat_error *error);

typedef struct leat_jm_submission {
    uint8_t job_id[LEAT_JM_JOB_ID_BYTES];
    char commit_user[37];
    char *checkpoint_dir; /* "<dir>/<job-id>"; empty: no checkpoints */
    leat_bytes graph;
    int64_t submitted_ms;
    bool is_stored;
    bool is_resumed; /* it ran under a job manager before this one */
    bool is_stopping;
    /* Where it begins: NULL: afresh. */
    Leat__Pb__CheckpointMetadata *restored;
    char *given_dir;           /* of a checkpoint of another job; NULL: it is in checkpoint_dir */
    leat_checkpoint_ids found; /* in checkpoint_dir */
    leat_error damage;         /* of newer checkpoints than `restored`; code OK: none */
} leat_jm_submission;

/* Makes a submission of a packed graph (taken): names, places, and the checkpoint of
 * `execution.state-recovery.path`, if the graph has one. Then writes it into the job store, so that an accepted job is
 * never lost; without a store it does not. Linear code: blocks, any thread, changes nothing in the job manager. */
LEAT_CHECKED leat_code leat_jobmanager_prepare(leat_jobmanager *self, leat_bytes *graph, leat_jm_submission *out,
                                               leat_error *error);
void leat_jm_submission_done(leat_jm_submission *submission);
/* On the loop: takes what is in the submission, also on failure. */
LEAT_CHECKED leat_code leat_jobmanager_submit_prepared(leat_jobmanager *self, leat_jm_submission *submission,
                                                       leat_jm_job **out, leat_error *error);

/* On the loop: one that is not submitted after all is forgotten, also by the store. Fine for one that was. */
void leat_jobmanager_drop_prepared(leat_jobmanager *self, leat_jm_submission *submission);

/* The jobs that an earlier job manager left in the store, with the checkpoints they go on from. */
typedef struct leat_jm_recovery {
    leat_jm_submission *list;
    size_t count;
} leat_jm_recovery;

/* Linear code: blocks. Also ends what was left of jobs that had ended. */
LEAT_CHECKED leat_code leat_jobmanager_load(const leat_job_store *store, leat_jm_recovery *out, leat_error *error);
/* On the loop: takes what is in it. A job that can't be gone on with is logged, and stays in the store. */
void leat_jobmanager_resume(leat_jobmanager *self, leat_jm_recovery *recovery);

leat_jm_job *leat_jobmanager_find(leat_jobmanager *self, const uint8_t *job_id);
/* Brings the metrics of the cluster, and of a job, up to date. Those of tasks and task managers are as of their last
 * heartbeat. */
void leat_jobmanager_measure(leat_jobmanager *self);
void leat_jobmanager_measure_job(leat_jm_job *job);
/* By 32 hex digits; NULL when there is none. */
leat_jm_job *leat_jobmanager_find_text(leat_jobmanager *self, const char *job_id);
/* LEAT_INVALID when it has ended already. */
LEAT_CHECKED leat_code leat_jobmanager_cancel(leat_jobmanager *self, leat_jm_job *job, leat_error *error);
/* The job ends by itself: its sources produce nothing more, what is on its way is worked off, a last checkpoint is
 * committed. Goes through failures and restarts. LEAT_INVALID when it has ended or is being ended already. */
LEAT_CHECKED leat_code leat_jobmanager_stop(leat_jobmanager *self, leat_jm_job *job, leat_error *error);
/* Frees what was collected before `sequence` and tells the sink so. */
void leat_jobmanager_collect_ack(leat_jobmanager *self, leat_jm_job *job, uint64_t sequence);
int32_t leat_jobmanager_slots_free(const leat_jobmanager *self);
/* How many slots the job can't do without; whether it would run if there were enough. */
int32_t leat_jobmanager_slots_needed(const leat_jm_job *job);
bool leat_jobmanager_waits_for_slots(const leat_jm_job *job);
