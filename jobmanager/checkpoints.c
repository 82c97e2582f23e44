#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "columnar/hash.h"
#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"
#include "jobmanager/metadata.h"

/* The coordinator's shell: carries out its effects, and keeps what came with the acknowledgements. */

struct leat_jm_pending {
    leat_jm_pending *next;
    int64_t checkpoint_id;
    int32_t enumerators_due;
    Leat__Pb__CheckpointMetadata *metadata; /* being filled */
    uint64_t state_bytes;
};

static void carry_out(leat_jm_job *job, const leat_coordinator_effects *effects);
static void abort_checkpoint(leat_jm_job *job, int64_t checkpoint_id, const char *reason);

/* --- statistics --- */

static leat_jm_checkpoint_stats *find_stats(leat_jm_job *job, int64_t checkpoint_id)
{
    for (int32_t i = job->checkpoints_count - 1; i >= 0; i--) {
        if (job->checkpoints[i].checkpoint_id == checkpoint_id) return &job->checkpoints[i];
    }
    return NULL;
}

static void add_stats(leat_jm_job *job, int64_t checkpoint_id)
{
    if (job->checkpoints_count == LEAT_JM_CHECKPOINTS_MAX) {
        leat_free(job->checkpoints[0].path);
        memmove(&job->checkpoints[0], &job->checkpoints[1], (LEAT_JM_CHECKPOINTS_MAX - 1) * sizeof job->checkpoints[0]);
        job->checkpoints_count--;
    }
    job->checkpoints[job->checkpoints_count++] =
        (leat_jm_checkpoint_stats){.checkpoint_id = checkpoint_id, .triggered_ms = leat_jm_now_ms(job->jobmanager)};
    job->counts.triggered++;
}

static void end_stats(leat_jm_job *job, int64_t checkpoint_id, leat_jm_checkpoint_status status, const char *failure)
{
    leat_jm_checkpoint_stats *stats = find_stats(job, checkpoint_id);
    if (status == LEAT_JM_CHECKPOINT_COMPLETED)
        job->counts.completed++;
    else
        job->counts.failed++;
    if (!stats) return;
    stats->status = status;
    stats->failure = failure;
    stats->ended_ms = leat_jm_now_ms(job->jobmanager);
    if (status == LEAT_JM_CHECKPOINT_COMPLETED)
        stats->path = leat_format("%s/chk-%" PRId64, job->checkpoint_dir, checkpoint_id);
}

/* --- pending --- */

static leat_jm_pending *find_pending(leat_jm_job *job, int64_t checkpoint_id)
{
    leat_jm_pending *pending = job->pending;
    while (pending && pending->checkpoint_id != checkpoint_id)
        pending = pending->next;
    return pending;
}

static void free_pending(leat_jm_pending *pending)
{
    leat_metadata_free(pending->metadata);
    leat_free(pending);
}

static void drop_pending(leat_jm_job *job, int64_t checkpoint_id)
{
    for (leat_jm_pending **at = &job->pending; *at; at = &(*at)->next) {
        if ((*at)->checkpoint_id != checkpoint_id) continue;
        leat_jm_pending *dropped = *at;
        *at = dropped->next;
        free_pending(dropped);
        return;
    }
}

static leat_jm_pending *add_pending(leat_jm_job *job, int64_t checkpoint_id)
{
    leat_jm_pending *pending = leat_calloc(1, sizeof *pending);
    if (!pending) return NULL;
    pending->checkpoint_id = checkpoint_id;
    pending->metadata =
        leat_metadata_new(job->graph, job->id, checkpoint_id, leat_jm_now_ms(job->jobmanager), job->commit_user);
    if (!pending->metadata) {
        leat_free(pending);
        return NULL;
    }
    pending->next = job->pending;
    job->pending = pending;
    return pending;
}

/* --- start and stop --- */

leat_code leat_jm_checkpoints_start(leat_jm_job *job, leat_error *error)
{
    leat_coordinator_options options = {
        .interval_ms =
            job->has_checkpoints ? leat_config_duration_ms(&job->config, LEAT_OPTION_CHECKPOINT_INTERVAL) : 0,
        .timeout_ms = leat_config_duration_ms(&job->config, LEAT_OPTION_CHECKPOINT_TIMEOUT),
        .min_pause_ms = leat_config_duration_ms(&job->config, LEAT_OPTION_CHECKPOINT_MIN_PAUSE),
        .concurrent_max = (int32_t)leat_config_int(&job->config, LEAT_OPTION_CHECKPOINT_MAX_CONCURRENT),
        .tolerable_failures = (int32_t)leat_config_int(&job->config, LEAT_OPTION_CHECKPOINT_TOLERABLE_FAILURES),
    };
    if (options.concurrent_max < 1 || options.concurrent_max > LEAT_COORDINATOR_PENDING_MAX) {
        return leat_fail(error, LEAT_INVALID, "execution.checkpointing.max-concurrent-checkpoints must be 1 to %d",
                         LEAT_COORDINATOR_PENDING_MAX);
    }
    LEAT_TRY(leat_coordinator_init(&job->coordinator, &options, job->tasks_count, job->next_checkpoint_id,
                                   leat_jm_mono_ms(job->jobmanager), error));
    job->has_coordinator = true;
    if (!job->has_checkpoints) {
        /* The one and only: what tasks send when they end, under the number Paimon uses for "end of input". */
        if (!add_pending(job, INT64_MAX)) return leat_fail_no_memory(error);
    }
    return LEAT_OK;
}

void leat_jm_checkpoints_stop(leat_jm_job *job)
{
    if (!job->has_coordinator) return;
    leat_coordinator_effects effects = {0};
    leat_coordinator_stop(&job->coordinator, &effects);
    job->has_coordinator = false;
    for (int i = 0; i < effects.count; i++)
        abort_checkpoint(job, effects.list[i].checkpoint_id, effects.list[i].reason);
    leat_coordinator_done(&job->coordinator);
    while (job->pending)
        drop_pending(job, job->pending->checkpoint_id);
}

void leat_jm_checkpoints_free(leat_jm_job *job)
{
    leat_jm_checkpoints_stop(job);
    leat_metadata_free(job->completed);
    leat_metadata_free(job->committing);
    leat_metadata_free(job->uncertain);
    for (int32_t i = 0; i < job->checkpoints_count; i++)
        leat_free(job->checkpoints[i].path);
    leat_free(job->retained);
    leat_free(job->aborted);
}

void leat_jm_checkpoints_tick(leat_jm_job *job, int64_t now_ms, int64_t *next_ms)
{
    if (!job->has_coordinator || job->state != LEAT_JOB_RUNNING) return;
    leat_coordinator_effects effects = {0};
    leat_coordinator_on_tick(&job->coordinator, now_ms, &effects);
    carry_out(job, &effects);
    if (!job->has_coordinator) return;
    int64_t due_ms = leat_coordinator_next_tick_ms(&job->coordinator);
    if (due_ms < *next_ms) *next_ms = due_ms;
}

void leat_jm_checkpoints_request(leat_jm_job *job)
{
    if (!job->has_coordinator || !job->has_checkpoints) return;
    leat_coordinator_effects effects = {0};
    leat_coordinator_on_request(&job->coordinator, leat_jm_mono_ms(job->jobmanager), &effects);
    carry_out(job, &effects);
}

/* --- messages --- */

static leat_jm_job *running_job(leat_jobmanager *self, ProtobufCBinaryData id, uint32_t attempt)
{
    leat_jm_job *job = id.len == LEAT_JM_JOB_ID_BYTES ? leat_jobmanager_find(self, id.data) : NULL;
    return job && job->has_coordinator && leat_jm_region_of_attempt(job, attempt) >= 0 ? job : NULL;
}

static int32_t task_number(leat_jm_job *job, uint32_t vertex, uint32_t subtask)
{
    leat_jm_task *task = leat_jm_find_task(job, vertex, subtask);
    return task ? (int32_t)(task - job->tasks) : -1;
}

static void fail_no_memory(leat_jm_job *job)
{
    leat_error error = {0};
    (void)leat_fail_no_memory(&error);
    leat_jm_fail(job, "checkpoint coordinator", &error);
}

/* Jobs without checkpoints: the acknowledgement of the end. All of them → commit. */
static void on_end_ack(leat_jm_job *job, leat_jm_pending *pending)
{
    size_t arrived = 0;
    for (size_t v = 0; v < pending->metadata->n_vertices; v++)
        arrived += pending->metadata->vertices[v]->n_subtasks;
    if (arrived < (size_t)job->tasks_count || job->committing) return;
    job->committing = pending->metadata;
    pending->metadata = NULL;
    drop_pending(job, INT64_MAX);
    leat_jm_commit(job, job->committing);
}

void leat_jm_on_ack(leat_jobmanager *self, const Leat__Pb__CheckpointAck *message)
{
    leat_jm_job *job = running_job(self, message->job, message->attempt);
    int32_t number = job ? task_number(job, message->vertex, message->subtask) : -1;
    leat_jm_pending *pending = number >= 0 ? find_pending(job, (int64_t)message->checkpoint) : NULL;
    if (!pending) return; /* late: of an aborted checkpoint */
    if (!leat_metadata_add(pending->metadata, message, &pending->state_bytes)) {
        fail_no_memory(job);
        return;
    }
    leat_jm_checkpoint_stats *stats = find_stats(job, pending->checkpoint_id);
    if (stats) {
        stats->acks_count++;
        stats->state_bytes = pending->state_bytes;
    }
    if (!job->has_checkpoints) {
        on_end_ack(job, pending);
        return;
    }
    if (message->is_finished) {
        /* Later checkpoints go on without this task; what it said last is its part of them. */
        leat_jm_task *task = &job->tasks[number];
        if (task->final_snapshot) leat__pb__subtask_snapshot__free_unpacked(task->final_snapshot, NULL);
        task->final_snapshot = leat_metadata_copy_subtask(pending->metadata, message->vertex, message->subtask);
        if (!task->final_snapshot) {
            fail_no_memory(job);
            return;
        }
    }
    leat_coordinator_effects effects = {0};
    (void)leat_coordinator_on_ack(&job->coordinator, (int64_t)message->checkpoint, number, leat_jm_mono_ms(self),
                                  &effects);
    carry_out(job, &effects);
}

void leat_jm_on_decline(leat_jobmanager *self, const Leat__Pb__CheckpointDecline *message)
{
    leat_jm_job *job = running_job(self, message->job, message->attempt);
    if (!job) return;
    leat_coordinator_effects effects = {0};
    leat_coordinator_on_decline(&job->coordinator, (int64_t)message->checkpoint, leat_jm_mono_ms(self), &effects);
    carry_out(job, &effects);
}

static void tell_begun(leat_jm_job *job, int64_t checkpoint_id, bool ok)
{
    leat_coordinator_effects effects = {0};
    leat_coordinator_on_begun(&job->coordinator, checkpoint_id, ok, leat_jm_mono_ms(job->jobmanager), &effects);
    carry_out(job, &effects);
}

void leat_jm_on_enumerator_snapshot(leat_jm_job *job, int64_t checkpoint_id, int32_t vertex, bool ok, leat_bytes *state)
{
    leat_jm_pending *pending = job->has_coordinator ? find_pending(job, checkpoint_id) : NULL;
    if (!pending) {
        leat_jm_enumerators_open_gates(job, checkpoint_id);
        return;
    }
    if (ok) ok = leat_metadata_set_enumerator(pending->metadata, vertex, state);
    pending->enumerators_due--;
    if (!ok || pending->enumerators_due == 0) tell_begun(job, checkpoint_id, ok);
}

/* --- effects --- */

static void begin(leat_jm_job *job, int64_t checkpoint_id)
{
    job->next_checkpoint_id = checkpoint_id + 1;
    add_stats(job, checkpoint_id);
    leat_jm_pending *pending = add_pending(job, checkpoint_id);
    if (!pending) {
        tell_begun(job, checkpoint_id, false);
        return;
    }
    pending->enumerators_due = job->enumerators_count;
    if (job->enumerators_count == 0)
        tell_begun(job, checkpoint_id, true);
    else
        leat_jm_enumerators_snapshot(job, checkpoint_id);
}

/* A finished task can't answer: its last word counts again, unless it was this checkpoint's. */
static void acknowledge_finished(leat_jm_job *job, int64_t checkpoint_id, int32_t number)
{
    const leat_jm_task *task = &job->tasks[number];
    leat_jm_pending *pending = job->has_coordinator ? find_pending(job, checkpoint_id) : NULL;
    if (!pending || task->state != LEAT__PB__TASK_STATE__TASK_FINISHED || !task->final_snapshot) return;
    leat_coordinator_effects effects = {0};
    int64_t now_ms = leat_jm_mono_ms(job->jobmanager);
    if (!leat_coordinator_on_ack(&job->coordinator, checkpoint_id, number, now_ms, &effects)) return;
    if (leat_metadata_add_subtask(pending->metadata, (uint32_t)task->vertex, task->final_snapshot))
        carry_out(job, &effects);
    else
        fail_no_memory(job);
}

static leat_jm_pending *next_pending(const leat_jm_job *job, int64_t after_id)
{
    leat_jm_pending *next = NULL;
    for (leat_jm_pending *at = job->pending; at; at = at->next) {
        if (at->checkpoint_id > after_id && (!next || at->checkpoint_id < next->checkpoint_id)) next = at;
    }
    return next;
}

/* A checkpoint may have been triggered after the task's last one was complete and before it said so. */
void leat_jm_checkpoints_task_finished(leat_jm_job *job, const leat_jm_task *task)
{
    int32_t number = (int32_t)(task - job->tasks);
    int64_t last_id = 0;
    for (leat_jm_pending *pending; (pending = next_pending(job, last_id));) {
        last_id = pending->checkpoint_id;
        acknowledge_finished(job, last_id, number);
    }
}

static void trigger(leat_jm_job *job, int64_t checkpoint_id)
{
    Leat__Pb__TriggerCheckpoint message = LEAT__PB__TRIGGER_CHECKPOINT__INIT;
    message.job = leat_jm_job_id(job);
    message.checkpoint = (uint64_t)checkpoint_id;
    message.timestamp_ms = leat_jm_now_ms(job->jobmanager);
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_TRIGGER;
    envelope.trigger = &message;
    leat_jm_send_job(job, &envelope, &message.attempt, LEAT_JM_UP);
    for (int32_t i = 0; i < job->tasks_count; i++)
        acknowledge_finished(job, checkpoint_id, i);
}

typedef struct store_job {
    leat_job job; /* first */
    leat_jm_message message;
    leat_jm_job *owner;
    uint32_t attempt;
    int64_t checkpoint_id;
    char *path;
    leat_bytes packed;
    leat_code code;
    leat_error error;
} store_job;

static void run_store(leat_job *job, leat_env *env)
{
    store_job *store = (store_job *)job;
    store->code = leat_metadata_store(env->storage, store->path, &store->packed, &store->error);
}

static void done_store(leat_job *job, leat_env *env)
{
    (void)env;
    store_job *store = (store_job *)job;
    leat_jobmanager_post(store->owner->jobmanager, &store->message);
}

static void tell_stored(leat_jm_job *job, int64_t checkpoint_id, bool ok)
{
    leat_coordinator_effects effects = {0};
    leat_coordinator_on_stored(&job->coordinator, checkpoint_id, ok, leat_jm_mono_ms(job->jobmanager), &effects);
    carry_out(job, &effects);
}

static void on_store_done(leat_jobmanager *self, leat_jm_message *message)
{
    (void)self;
    store_job *store = (store_job *)((char *)message - offsetof(store_job, message));
    leat_jm_job *job = store->owner;
    job->io_running--;
    if (store->code != LEAT_OK) leat_log(LEAT_LOG_WARN, "checkpoint", "%s", store->error.text);
    bool is_live = job->has_coordinator && job->attempt == store->attempt;
    if (is_live) tell_stored(job, store->checkpoint_id, store->code == LEAT_OK);
    leat_bytes_done(&store->packed);
    leat_free(store->path);
    leat_free(store);
    leat_jm_check_ended(job);
}

static leat_code start_store(leat_jm_job *job, leat_jm_pending *pending, leat_error *error)
{
    store_job *store = leat_calloc(1, sizeof *store);
    if (!store) return leat_fail_no_memory(error);
    store->job = (leat_job){.run = run_store, .done = done_store};
    store->message.handle = on_store_done;
    store->owner = job;
    store->attempt = job->attempt;
    store->checkpoint_id = pending->checkpoint_id;
    store->path = leat_format("%s/chk-%" PRId64 "/_metadata", job->checkpoint_dir, pending->checkpoint_id);
    leat_code code =
        store->path ? leat_metadata_pack(pending->metadata, &store->packed, error) : leat_fail_no_memory(error);
    job->io_running++;
    if (code == LEAT_OK) code = leat_env_spawn(job->jobmanager->env, &store->job, error);
    if (code != LEAT_OK) {
        job->io_running--;
        leat_bytes_done(&store->packed);
        leat_free(store->path);
        leat_free(store);
    }
    return code;
}

static void store(leat_jm_job *job, int64_t checkpoint_id)
{
    leat_jm_pending *pending = find_pending(job, checkpoint_id);
    leat_error error = {0};
    if (pending && start_store(job, pending, &error) == LEAT_OK) return;
    tell_stored(job, checkpoint_id, false);
}

/* Stored: its committables are to be committed, one checkpoint at a time. The next one waits in `pending`. */
static void complete(leat_jm_job *job, int64_t checkpoint_id)
{
    leat_jm_pending *pending = find_pending(job, checkpoint_id);
    LEAT_ASSERT(pending);
    if (job->committing) {
        pending->enumerators_due = -1; /* marks it: stored, waits for its turn */
        return;
    }
    job->committing = pending->metadata;
    pending->metadata = NULL;
    drop_pending(job, checkpoint_id);
    leat_jm_commit(job, job->committing);
}

static void abort_checkpoint(leat_jm_job *job, int64_t checkpoint_id, const char *reason)
{
    leat_log(LEAT_LOG_INFO, "checkpoint", "job %s: checkpoint %" PRId64 " aborted: %s", job->id_text, checkpoint_id,
             reason);
    end_stats(job, checkpoint_id, LEAT_JM_CHECKPOINT_FAILED, reason);
    drop_pending(job, checkpoint_id);
    leat_jm_checkpoints_left(job, checkpoint_id);
    leat_jm_enumerators_open_gates(job, checkpoint_id);
    Leat__Pb__CheckpointAborted message = LEAT__PB__CHECKPOINT_ABORTED__INIT;
    message.job = leat_jm_job_id(job);
    message.checkpoint = (uint64_t)checkpoint_id;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_ABORTED;
    envelope.aborted = &message;
    leat_jm_send_job(job, &envelope, &message.attempt, LEAT_JM_UP);
}

static void carry_out(leat_jm_job *job, const leat_coordinator_effects *effects)
{
    for (int i = 0; i < effects->count && job->has_coordinator; i++) {
        const leat_coordinator_effect *effect = &effects->list[i];
        switch (effect->kind) {
        case LEAT_COORDINATOR_BEGIN: begin(job, effect->checkpoint_id); break;
        case LEAT_COORDINATOR_TRIGGER: trigger(job, effect->checkpoint_id); break;
        case LEAT_COORDINATOR_STORE: store(job, effect->checkpoint_id); break;
        case LEAT_COORDINATOR_COMPLETE: complete(job, effect->checkpoint_id); break;
        case LEAT_COORDINATOR_ABORT: abort_checkpoint(job, effect->checkpoint_id, effect->reason); break;
        case LEAT_COORDINATOR_FAIL: {
            leat_error error = {0};
            (void)leat_fail(&error, LEAT_IO, "%s", effect->reason);
            leat_jm_fail(job, "checkpoint coordinator", &error);
            break;
        }
        }
    }
}

/* --- after the commit (completion.c) --- */

static void tell_complete(leat_jm_job *job, int64_t checkpoint_id)
{
    Leat__Pb__CheckpointComplete message = LEAT__PB__CHECKPOINT_COMPLETE__INIT;
    message.job = leat_jm_job_id(job);
    message.checkpoint = (uint64_t)checkpoint_id;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_COMPLETE;
    envelope.complete = &message;
    leat_jm_send_job(job, &envelope, &message.attempt, LEAT_JM_UP);
    leat_jm_enumerators_complete(job, checkpoint_id);
}

void leat_jm_checkpoint_failed(leat_jm_job *job, int64_t checkpoint_id, const char *reason)
{
    end_stats(job, checkpoint_id, LEAT_JM_CHECKPOINT_FAILED, reason);
}

void leat_jm_checkpoints_committed(leat_jm_job *job, int64_t checkpoint_id)
{
    if (checkpoint_id > job->resumed_id) end_stats(job, checkpoint_id, LEAT_JM_CHECKPOINT_COMPLETED, NULL);
    if (!leat_jm_all_down(job)) tell_complete(job, checkpoint_id);
    if (!job->has_coordinator) return; /* (a part of) the job is ending, or has ended */
    leat_jm_changed(job);
    leat_jm_pending *waiting = NULL;
    for (leat_jm_pending *pending = job->pending; pending; pending = pending->next) {
        bool is_stored = pending->enumerators_due < 0;
        if (is_stored && (!waiting || pending->checkpoint_id < waiting->checkpoint_id)) waiting = pending;
    }
    if (waiting) complete(job, waiting->checkpoint_id);
    leat_coordinator_effects effects = {0};
    leat_coordinator_on_committed(&job->coordinator, checkpoint_id, leat_jm_mono_ms(job->jobmanager), &effects);
    carry_out(job, &effects);
}
