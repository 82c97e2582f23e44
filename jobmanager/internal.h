/* Between the job manager's own files. */
#pragma once

#include "jobmanager/jobmanager.h"

typedef enum leat_jm_whom {
    LEAT_JM_ALL,
    LEAT_JM_DOWN, /* regions that are down */
    LEAT_JM_UP,   /* regions that run */
} leat_jm_whom;

/* --- core.c --- */
int64_t leat_jm_now_ms(leat_jobmanager *self); /* the wall clock: for what is shown and written */
/* Never jumps: for all that is due, late or timed out. */
int64_t leat_jm_mono_ms(leat_jobmanager *self);
/* The task manager has said something now. */
void leat_jm_heard(leat_jobmanager *self, leat_jm_taskmanager *taskmanager);
void leat_jm_send(leat_jobmanager *self, int32_t taskmanager, Leat__Pb__Envelope *envelope);
/* Also to one that is not registered. */
void leat_jm_send_to(leat_jobmanager *self, const char *task_manager, Leat__Pb__Envelope *envelope);
/* To every task manager that runs a part of the region. */
void leat_jm_send_region(leat_jm_job *job, int32_t region, Leat__Pb__Envelope *envelope);
/* To every task manager that runs a part of the job; `attempt` is the field of the message that says whose it is. */
void leat_jm_send_job(leat_jm_job *job, Leat__Pb__Envelope *envelope, uint32_t *attempt, leat_jm_whom whom);
void leat_jm_set_state(leat_jm_job *job, leat_job_state state);
void leat_jm_changed(leat_jm_job *job);
ProtobufCBinaryData leat_jm_job_id(leat_jm_job *job);

/* --- submission.c --- */
enum { LEAT_JM_EPOCH_ATTEMPT_BITS = 16 };
LEAT_CHECKED leat_code leat_jm_read_graph(const leat_bytes *packed, Leat__Pb__JobGraph **out, leat_error *error);
/* What is in force for the job: the cluster's options, then its own, with its secrets. */
LEAT_CHECKED leat_code leat_jm_read_config(const leat_config *cluster, const Leat__Pb__JobGraph *graph,
                                           leat_config *out, leat_error *error);
/* Names, and the place of checkpoints. `job_id` NULL: a random one. Blocks not. */
LEAT_CHECKED leat_code leat_jm_submission_make(leat_jobmanager *self, const uint8_t *job_id, leat_bytes *graph,
                                               leat_jm_submission *out, leat_error *error);

/* --- job_end.c --- */
/* In the background: the job's checkpoints go, but for what is to be retained; then the job is forgotten. */
void leat_jm_clean_up(leat_jm_job *job);

/* In the background: what has changed goes to the store. */
void leat_jm_store_again(leat_jm_job *job);
/* In the background: a record in the store of a job that there is not. */
void leat_jm_forget_stored(leat_jobmanager *self, const uint8_t *job_id);
/* leat_jm_clean_up of what a job manager before left undone. Blocks. */
LEAT_CHECKED leat_code leat_jm_finish_clean_up(const leat_job_store *store, const Leat__Pb__JobRecord *record,
                                               leat_error *error);

/* --- fallback.c --- */
/* Before an attempt begins: whether the checkpoint that could not be restored is whole; if not, the job goes on from
 * the one before. True when that was started; the restart comes after it. */
bool leat_jm_examine_suspect(leat_jm_job *job);

/* --- jobs.c --- */
void leat_jm_job_free(leat_jm_job *job);
void leat_jm_free_final_snapshot(leat_jm_task *task);

/* --- regions.c --- */
/* From the graph; all of a job without checkpoints is one region, for what it has done is nowhere written. */
LEAT_CHECKED leat_code leat_jm_regions_make(leat_jm_job *job, leat_error *error);
/* The region whose attempt it is; -1: none (any more). */
int32_t leat_jm_region_of_attempt(const leat_jm_job *job, uint32_t attempt);
int32_t leat_jm_region_of_vertex(const leat_jm_job *job, int32_t vertex);
static inline uint32_t leat_jm_task_attempt(const leat_jm_job *job, const leat_jm_task *task)
{
    return job->regions[task->region].attempt;
}
bool leat_jm_is_down(const leat_jm_job *job, int32_t vertex);
bool leat_jm_all_down(const leat_jm_job *job);

/* --- cluster.c --- */
void leat_jm_on_register(leat_jobmanager *self, const char *from, const Leat__Pb__Register *message);
void leat_jm_on_heartbeat(leat_jobmanager *self, const char *from, const Leat__Pb__Heartbeat *message);
int32_t leat_jm_find_taskmanager(leat_jobmanager *self, const char *id);
void leat_jm_taskmanager_lost(leat_jobmanager *self, int32_t taskmanager, const char *why);
/* Slots and a task manager for each task; false when there are not enough. */
LEAT_CHECKED leat_code leat_jm_place(leat_jm_job *job, bool *placed, leat_error *error);
void leat_jm_release_slots(leat_jm_job *job);

/* --- execution.c --- */
void leat_jm_try_schedule(leat_jobmanager *self);
void leat_jm_on_task_state(leat_jobmanager *self, const Leat__Pb__TaskStateChanged *message);
/* The region is broken: end its tasks, then restart it or fail. */
void leat_jm_fail_region(leat_jm_job *job, int32_t region, const char *task, const leat_error *error);
/* All of the job is. */
void leat_jm_fail(leat_jm_job *job, const char *task, const leat_error *error);
/* Into the job's history of failures. */
void leat_jm_remember(leat_jm_job *job, const char *task, const leat_error *error);
/* The same as leat_jm_fail, and no attempt may follow. */
void leat_jm_fail_for_good(leat_jm_job *job, const char *task, const leat_error *error);
/* Goes on when tasks, enumerators and committers of an ending attempt have all ended. */
void leat_jm_check_ended(leat_jm_job *job);
bool leat_jm_task_is_over(const leat_jm_task *task);
void leat_jm_tick_job(leat_jm_job *job, int64_t now_ms, int64_t *next_ms);
leat_jm_task *leat_jm_find_task(leat_jm_job *job, uint32_t vertex, uint32_t subtask);

/* --- checkpoints.c --- */
/* Where the job's first attempt begins: takes it from the submission. */
LEAT_CHECKED leat_code leat_jm_checkpoints_begin_at(leat_jm_job *job, leat_jm_submission *submission,
                                                    leat_error *error);
/* The folder of the job that wrote job->completed. */
const char *leat_jm_completed_dir(const leat_jm_job *job);
bool leat_jm_is_given(const leat_jm_job *job, int64_t checkpoint_id);
/* The next attempt begins at an older checkpoint (taken) than the newest. */
void leat_jm_checkpoints_go_back(leat_jm_job *job, Leat__Pb__CheckpointMetadata *older);
LEAT_CHECKED leat_code leat_jm_checkpoints_start(leat_jm_job *job, leat_error *error);
void leat_jm_checkpoints_stop(leat_jm_job *job);
void leat_jm_checkpoints_tick(leat_jm_job *job, int64_t now_ms, int64_t *next_ms);
void leat_jm_checkpoints_request(leat_jm_job *job);
void leat_jm_checkpoints_task_finished(leat_jm_job *job, const leat_jm_task *task);
void leat_jm_on_ack(leat_jobmanager *self, const Leat__Pb__CheckpointAck *message);
void leat_jm_on_decline(leat_jobmanager *self, const Leat__Pb__CheckpointDecline *message);
/* An enumerator's part of a checkpoint (taken). */
void leat_jm_on_enumerator_snapshot(leat_jm_job *job, int64_t checkpoint_id, int32_t vertex, bool ok,
                                    leat_bytes *state);
typedef struct leat_jm_commit_result {
    leat_code code;
    bool is_torn;    /* of a conflict: another sink of the job has committed the checkpoint, so there is no way back */
    bool is_deposed; /* nothing was done: another job manager leads */
    int64_t newest_id; /* the newest checkpoint that a sink held before, where that was looked for; else -1 */
    leat_error error;
} leat_jm_commit_result;
void leat_jm_on_committed(leat_jm_job *job, int64_t checkpoint_id, const leat_jm_commit_result *result);
void leat_jm_checkpoints_free(leat_jm_job *job);
/* The checkpoint's commit is done: tasks are told, the next one's turn has come. */
void leat_jm_checkpoints_committed(leat_jm_job *job, int64_t checkpoint_id);
void leat_jm_checkpoint_failed(leat_jm_job *job, int64_t checkpoint_id, const char *reason);

/* --- completion.c --- */
bool leat_jm_commit_uncertain(leat_jm_job *job);
/* The checkpoint came to nothing, and may have left objects. */
void leat_jm_checkpoints_left(leat_jm_job *job, int64_t checkpoint_id);
/* The parts that a vertex gets on restore, into the Deploy message's arrays (allocated; freed by
 * leat_jm_free_restored). */
LEAT_CHECKED leat_code leat_jm_fill_restored(leat_jm_job *job, Leat__Pb__Deploy *deploy, leat_error *error);
void leat_jm_free_restored(Leat__Pb__Deploy *deploy);
const Leat__Pb__VertexSnapshot *leat_jm_restored_vertex(const leat_jm_job *job, int32_t vertex);

/* --- enumerators.c --- */
LEAT_CHECKED leat_code leat_jm_enumerators_start(leat_jm_job *job, leat_error *error);
void leat_jm_enumerators_stop(leat_jm_job *job);
bool leat_jm_enumerators_have_ended(const leat_jm_job *job);
void leat_jm_enumerators_free(leat_jm_job *job);
void leat_jm_enumerators_snapshot(leat_jm_job *job, int64_t checkpoint_id);
void leat_jm_enumerators_complete(leat_jm_job *job, int64_t checkpoint_id);
void leat_jm_enumerators_open_gates(leat_jm_job *job, int64_t checkpoint_id);
/* Its reader has ended: no barrier of it will open its gate. */
void leat_jm_enumerators_task_finished(leat_jm_job *job, const leat_jm_task *task);
void leat_jm_on_source_event(leat_jobmanager *self, const Leat__Pb__SourceEvent *message);
void leat_jm_on_source_barrier(leat_jobmanager *self, const Leat__Pb__SourceBarrier *message);
void leat_jm_enumerators_tick(leat_jm_job *job, int64_t now_ms, int64_t *next_ms);

/* The topic has news: enumerators that follow it look at once. */
void leat_jm_enumerators_news(leat_jm_job *job, const char *topic);

/* --- metrics.c --- */
void leat_jm_take_heartbeat(leat_jobmanager *self, leat_jm_taskmanager *from, const Leat__Pb__Heartbeat *message);

/* --- topics.c --- */
/* What the task said that it follows. */
void leat_jm_take_topics(leat_jm_task *task, const Leat__Pb__TaskStateChanged *message);
void leat_jm_forget_topics(leat_jm_task *task);
/* Something was committed to the topic: all who follow it, in any job, are told. */
void leat_jm_announce(leat_jobmanager *self, const char *topic);

/* --- committers.c --- */
/* Commits the metadata's committables with every committer of the job; ends in leat_jm_on_committed, always. */
void leat_jm_commit(leat_jm_job *job, const Leat__Pb__CheckpointMetadata *metadata);
bool leat_jm_committers_are_busy(const leat_jm_job *job);
void leat_jm_committers_free(leat_jm_job *job);
