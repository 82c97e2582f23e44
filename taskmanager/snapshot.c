#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <string.h>

#include "common/memory.h"
#include "flow/state_path.h"
#include "storage/storage.h"
#include "taskmanager/job.h"
#include "taskmanager/subtask.h"
#include "taskmanager/taskmanager.h"
#include "taskmanager/upload.h"

static void snapshot_done(leat_subtask *subtask, leat_subtask_snapshot *snapshot)
{
    for (int32_t i = 0; snapshot->operators && i < subtask->chain_count; i++) {
        leat_operator_snapshot_done(&snapshot->operators[i]);
    }
    for (int32_t i = 0; snapshot->uploads && i < subtask->chain_count; i++)
        leat_upload_free(snapshot->uploads[i]);
    leat_free(snapshot->operators);
    leat_free(snapshot->progress);
    leat_free(snapshot->uploads);
    *snapshot = (leat_subtask_snapshot){0};
}

static leat_code cut_operator(leat_subtask *subtask, leat_subtask_snapshot *snapshot, int32_t i, leat_error *error)
{
    leat_chain_link *link = &subtask->chain[i];
    leat_operator_snapshot *part = &snapshot->operators[i];
    part->checkpoint_id = snapshot->checkpoint_id;
    part->is_final = snapshot->is_final;
    part->part_bytes = subtask->job->state_part_bytes;
    snapshot->progress[i] = LEAT_DONE;
    if (!link->operator->vtable->snapshot) return LEAT_OK;
    leat_code code = link->operator->vtable->snapshot(link->operator, part, &snapshot->progress[i], error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "snapshot of %s", link->context.operator_name);
    /* A cut may emit (mini-batches): below, nothing has been cut yet, so it belongs to this checkpoint. */
    return leat_chain_drain(subtask, error);
}

static void tell_source_barrier(leat_subtask *subtask, int64_t checkpoint_id)
{
    leat_task_job *job = subtask->job;
    Leat__Pb__SourceBarrier message = LEAT__PB__SOURCE_BARRIER__INIT;
    message.job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, job->id};
    message.attempt = job->attempt;
    message.checkpoint = (uint64_t)checkpoint_id;
    message.vertex = (uint32_t)subtask->vertex;
    message.subtask = (uint32_t)subtask->index;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_SOURCE_BARRIER;
    envelope.source_barrier = &message;
    leat_taskmanager_send(job->taskmanager, &envelope);
}

leat_code leat_subtask_cut(leat_subtask *subtask, int64_t checkpoint_id, int64_t alignment_us, leat_error *error)
{
    if (subtask->snapshots_count == LEAT_SNAPSHOTS_MAX) {
        return leat_fail(error, LEAT_LIMIT, "more than %d checkpoints are under way", LEAT_SNAPSHOTS_MAX);
    }
    LEAT_TRY(leat_chain_drain(subtask, error)); /* the barrier waits for the batch in hand, never for credit */
    int64_t started_us = leat_subtask_now_us(subtask);
    leat_subtask_snapshot *snapshot = &subtask->snapshots[subtask->snapshots_count];
    *snapshot = (leat_subtask_snapshot){.checkpoint_id = checkpoint_id,
                                        .is_final = subtask->state == LEAT_SUBTASK_ENDED,
                                        .cut_us = started_us,
                                        .alignment_us = alignment_us};
    snapshot->operators = leat_calloc((size_t)subtask->chain_count, sizeof *snapshot->operators);
    snapshot->progress = leat_calloc((size_t)subtask->chain_count, sizeof *snapshot->progress);
    snapshot->uploads = leat_calloc((size_t)subtask->chain_count, sizeof *snapshot->uploads);
    subtask->snapshots_count++;
    if (!snapshot->operators || !snapshot->progress || !snapshot->uploads) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        LEAT_TRY(cut_operator(subtask, snapshot, i, error));
    }
    if (snapshot->is_final && !subtask->final_checkpoint_id) subtask->final_checkpoint_id = checkpoint_id;
    if (subtask->is_source) tell_source_barrier(subtask, checkpoint_id);
    LEAT_TRY(leat_outputs_broadcast(subtask, LEAT_ELEMENT_BARRIER, checkpoint_id, error));
    snapshot->sync_us = leat_subtask_now_us(subtask) - started_us;
    return LEAT_OK;
}

/* --- state in objects --- */

enum { NAME_BYTES = 96 };

/* The object that holds an operator's state: its name in the metadata, and its path (to be freed; NULL: no memory). It
 * goes with its checkpoint's folder; but what a task leaves at its end is named by all later checkpoints too, and lies
 * in "shared/" until the job ends. */
static char *name_state(const leat_subtask *subtask, const leat_subtask_snapshot *snapshot, int32_t i,
                        char name[NAME_BYTES])
{
    const leat_task_job *job = subtask->job;
    if (snapshot->is_final)
        snprintf(name, NAME_BYTES, LEAT_STATE_SHARED "v%d-s%d-o%d-a%u-c%" PRId64, subtask->vertex, subtask->index, i,
                 job->attempt, snapshot->checkpoint_id);
    else
        snprintf(name, NAME_BYTES, "v%d-s%d-o%d-a%u", subtask->vertex, subtask->index, i, job->attempt);
    return leat_state_path(job->deploy->checkpoint_dir, (uint64_t)snapshot->checkpoint_id, name);
}

/* A state that is large enough leaves in parts while it grows. */
static leat_code send_part(leat_subtask *subtask, leat_subtask_snapshot *snapshot, int32_t i, leat_error *error)
{
    leat_operator_snapshot *part = &snapshot->operators[i];
    leat_upload **upload = &snapshot->uploads[i];
    if (!part->is_appended || part->part_bytes == 0 || part->state.size < part->part_bytes) return LEAT_OK;
    if (snapshot->is_aborted) {
        leat_bytes_done(&part->state);
        return LEAT_OK;
    }
    if (!*upload) {
        char name[NAME_BYTES];
        char *path = name_state(subtask, snapshot, i, name);
        if (!path) return leat_fail_no_memory(error);
        leat_code code = leat_upload_new(subtask, path, upload, error);
        leat_free(path);
        if (code != LEAT_OK) return code;
    }
    if (leat_upload_is_busy(*upload)) return LEAT_OK;
    leat_code code = leat_upload_send(*upload, &part->state, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "checkpoint %" PRId64, snapshot->checkpoint_id);
}

static leat_code send_parts(leat_subtask *subtask, leat_error *error)
{
    for (int32_t s = 0; s < subtask->snapshots_count; s++) {
        for (int32_t i = 0; i < subtask->chain_count; i++)
            LEAT_TRY(send_part(subtask, &subtask->snapshots[s], i, error));
    }
    return LEAT_OK;
}

static bool is_uploading(const leat_subtask *subtask, const leat_subtask_snapshot *snapshot)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        if (snapshot->uploads[i] && leat_upload_is_busy(snapshot->uploads[i])) return true;
    }
    return false;
}

/* --- acknowledgement: small state inline, large state in an object written by an I/O thread --- */

typedef struct ack_job {
    leat_job job;
    leat_subtask *subtask;
    leat_task_job *owner;
    leat_subtask_snapshot snapshot; /* owned */
    int32_t operators_count;
} ack_job;

static leat_code store_state(ack_job *ack, leat_env *env, int32_t i, Leat__Pb__OperatorSnapshot *message, char *name,
                             leat_error *error)
{
    const leat_bytes *state = &ack->snapshot.operators[i].state;
    leat_upload *upload = ack->snapshot.uploads[i];
    char *path = name_state(ack->subtask, &ack->snapshot, i, name);
    if (!path) return leat_fail_no_memory(error);
    leat_code code;
    if (upload) {
        code = leat_upload_finish(upload, state, &message->size, &message->checksum, error);
    } else {
        code = leat_storage_put(env->storage, path, state->data, state->size, LEAT_PUT_REPLACE, error);
        message->size = state->size;
        message->checksum = XXH3_64bits(state->data, state->size);
    }
    leat_free(path);
    message->path = name;
    message->has_size = message->has_checksum = true;
    return code;
}

static leat_code fill_operator(ack_job *ack, leat_env *env, int32_t i, Leat__Pb__OperatorSnapshot *message,
                               ProtobufCBinaryData *committables, char *name, leat_error *error)
{
    leat_operator_snapshot *part = &ack->snapshot.operators[i];
    leat__pb__operator_snapshot__init(message);
    message->uid = ack->subtask->plan->operators[i]->uid;
    bool is_large = (int64_t)part->state.size > ack->owner->state_inline_bytes && ack->owner->deploy->checkpoint_dir[0];
    if (is_large || ack->snapshot.uploads[i]) {
        LEAT_TRY(store_state(ack, env, i, message, name, error));
    } else if (part->state.size && ack->owner->has_checkpoints) {
        /* Without checkpoints nothing is ever restored: only committables count, and a large state would not even fit a
         * message. */
        message->has_state = true;
        message->state = (ProtobufCBinaryData){part->state.size, part->state.data};
    }
    for (size_t c = 0; c < part->committables_count; c++) {
        committables[c] = (ProtobufCBinaryData){part->committables[c].size, part->committables[c].data};
    }
    message->n_committables = part->committables_count;
    message->committables = committables;
    return LEAT_OK;
}

static leat_code send_ack(ack_job *ack, leat_env *env, leat_error *error)
{
    leat_task_job *job = ack->owner;
    size_t count = (size_t)ack->operators_count, committables_count = 0;
    for (size_t i = 0; i < count; i++)
        committables_count += ack->snapshot.operators[i].committables_count;
    Leat__Pb__OperatorSnapshot *parts = leat_calloc(count, sizeof *parts);
    Leat__Pb__OperatorSnapshot **pointers = leat_calloc(count, sizeof *pointers);
    ProtobufCBinaryData *committables = leat_calloc(committables_count, sizeof *committables);
    char *names = leat_calloc(count, NAME_BYTES);
    leat_code code = parts && pointers && committables && names ? LEAT_OK : leat_fail_no_memory(error);
    ProtobufCBinaryData *next = committables;
    for (size_t i = 0; code == LEAT_OK && i < count; i++) {
        pointers[i] = &parts[i];
        code = fill_operator(ack, env, (int32_t)i, &parts[i], next, names + i * NAME_BYTES, error);
        next += ack->snapshot.operators[i].committables_count;
    }
    if (code == LEAT_OK) {
        Leat__Pb__CheckpointAck message = LEAT__PB__CHECKPOINT_ACK__INIT;
        message.job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, job->id};
        message.attempt = job->attempt;
        message.checkpoint = (uint64_t)ack->snapshot.checkpoint_id;
        message.vertex = (uint32_t)ack->subtask->vertex;
        message.subtask = (uint32_t)ack->subtask->index;
        message.n_operators = count;
        message.operators = pointers;
        message.sync_us = (uint64_t)ack->snapshot.sync_us;
        message.async_us = (uint64_t)(leat_env_mono_us(env) - ack->snapshot.cut_us);
        message.alignment_us = (uint64_t)ack->snapshot.alignment_us;
        message.is_finished = ack->snapshot.is_final;
        Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
        envelope.body_case = LEAT__PB__ENVELOPE__BODY_ACK;
        envelope.ack = &message;
        leat_taskmanager_send(job->taskmanager, &envelope);
    }
    leat_free(parts);
    leat_free(pointers);
    leat_free(committables);
    leat_free(names);
    return code;
}

static void run_ack(leat_job *job, leat_env *env)
{
    ack_job *ack = (ack_job *)job;
    leat_error error = {0};
    leat_code code = ack->snapshot.is_aborted ? LEAT_OK : send_ack(ack, env, &error);
    if (code == LEAT_OK) return;
    (void)leat_fail_in(&error, code, "checkpoint %" PRId64, ack->snapshot.checkpoint_id);
    leat_mail *mail = leat_mail_new(LEAT_MAIL_FAIL, code, error.text, strlen(error.text) + 1);
    if (mail) (void)leat_subtask_post(ack->subtask, mail); /* closed: nobody needs the checkpoint any more */
}

static void done_ack(leat_job *job, leat_env *env)
{
    (void)env;
    ack_job *ack = (ack_job *)job;
    leat_task_job *owner = ack->owner;
    leat_subtask *subtask = ack->subtask;
    snapshot_done(subtask, &ack->snapshot);
    leat_free(ack);
    atomic_fetch_sub_explicit(&subtask->jobs_running, 1, memory_order_acq_rel);
    leat_executor *executor = owner->taskmanager->executor;
    executor->schedule(executor, &subtask->runnable);
    leat_task_job_unref(owner);
}

static leat_code spawn_ack(leat_subtask *subtask, leat_subtask_snapshot *snapshot, leat_error *error)
{
    ack_job *ack = leat_calloc(1, sizeof *ack);
    if (!ack) return leat_fail_no_memory(error);
    ack->job = (leat_job){.run = run_ack, .done = done_ack};
    ack->subtask = subtask;
    ack->owner = leat_task_job_ref(subtask->job);
    ack->snapshot = *snapshot;
    ack->operators_count = subtask->chain_count;
    *snapshot = (leat_subtask_snapshot){0};
    atomic_fetch_add_explicit(&subtask->jobs_running, 1, memory_order_relaxed);
    leat_env *env = subtask->job->taskmanager->env;
    leat_code code = leat_env_spawn(env, &ack->job, error);
    if (code != LEAT_OK) done_ack(&ack->job, env);
    return code;
}

static leat_code resume_operators(leat_subtask *subtask, leat_subtask_snapshot *snapshot, bool *is_whole,
                                  leat_error *error)
{
    *is_whole = true;
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        if (snapshot->progress[i] == LEAT_DONE) continue;
        leat_chain_link *link = &subtask->chain[i];
        leat_operator_snapshot *part = &snapshot->operators[i];
        leat_code code = link->operator->vtable->snapshot_resume(link->operator, part, &snapshot->progress[i], error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "snapshot of %s", link->context.operator_name);
        *is_whole = *is_whole && snapshot->progress[i] == LEAT_DONE;
    }
    return LEAT_OK;
}

/* In order: a later checkpoint is not acknowledged before an earlier one, so that carried committables are whole. */
leat_code leat_subtask_snapshots_step(leat_subtask *subtask, bool *did_work, leat_error *error)
{
    *did_work = false;
    if (subtask->snapshots_count == 0) return LEAT_OK;
    leat_subtask_snapshot *snapshot = &subtask->snapshots[0];
    bool is_whole;
    LEAT_TRY(resume_operators(subtask, snapshot, &is_whole, error));
    LEAT_TRY(send_parts(subtask, error));
    if (!is_whole || is_uploading(subtask, snapshot)) return LEAT_OK;
    *did_work = true;
    LEAT_TRY(spawn_ack(subtask, snapshot, error));
    subtask->snapshots_count--;
    memmove(&subtask->snapshots[0], &subtask->snapshots[1],
            (size_t)subtask->snapshots_count * sizeof subtask->snapshots[0]);
    subtask->snapshots[subtask->snapshots_count] = (leat_subtask_snapshot){0};
    return LEAT_OK;
}

void leat_subtask_snapshots_abort(leat_subtask *subtask, int64_t checkpoint_id)
{
    for (int32_t i = 0; i < subtask->snapshots_count; i++) {
        if (subtask->snapshots[i].checkpoint_id == checkpoint_id) subtask->snapshots[i].is_aborted = true;
    }
}

void leat_subtask_snapshots_drop(leat_subtask *subtask)
{
    for (int32_t i = 0; i < subtask->snapshots_count; i++) {
        leat_subtask_snapshot *snapshot = &subtask->snapshots[i];
        snapshot->is_aborted = true;
        if (spawn_ack(subtask, snapshot, NULL) != LEAT_OK) snapshot_done(subtask, snapshot);
    }
    subtask->snapshots_count = 0;
}
