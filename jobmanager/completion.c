#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"
#include "jobmanager/metadata.h"

/* What comes after a checkpoint's commit, or after its failure; and where attempts begin. */

static const int64_t commit_again_ms = 1000; /* after a commit that failed while the job waits to restart */

/* --- which checkpoints stay --- */

static void add_id(int64_t **list, size_t *count, size_t *capacity, int64_t id)
{
    if (leat_grow(list, capacity, *count + 1, sizeof **list, NULL) == LEAT_OK) (*list)[(*count)++] = id;
}

static void remove_first(leat_jm_job *job, int64_t *list, size_t *count)
{
    leat_metadata_remove_later(job->jobmanager->env, job->checkpoint_dir, list[0]);
    memmove(&list[0], &list[1], --*count * sizeof *list);
}

bool leat_jm_is_given(const leat_jm_job *job, int64_t checkpoint_id)
{
    return job->given_dir && checkpoint_id == job->given_id;
}

const char *leat_jm_completed_dir(const leat_jm_job *job)
{
    bool is_given = job->completed && leat_jm_is_given(job, (int64_t)job->completed->checkpoint);
    return is_given ? job->given_dir : job->checkpoint_dir;
}

void leat_jm_checkpoints_left(leat_jm_job *job, int64_t checkpoint_id)
{
    /* A number that was not begun is given again. */
    if (job->has_checkpoints && checkpoint_id < job->next_checkpoint_id)
        add_id(&job->aborted, &job->aborted_count, &job->aborted_capacity, checkpoint_id);
}

static void retain(leat_jm_job *job, int64_t checkpoint_id)
{
    if (leat_jm_is_given(job, checkpoint_id)) return; /* it is somebody else's */
    add_id(&job->retained, &job->retained_count, &job->retained_capacity, checkpoint_id);
    int64_t kept = leat_config_int(&job->config, LEAT_OPTION_CHECKPOINT_RETAINED);
    if (kept < 1) kept = 1;
    while ((int64_t)job->retained_count > kept)
        remove_first(job, job->retained, &job->retained_count);
    /* By now tasks have heard of the abort of older ones, and write nothing more for them. */
    while (job->aborted_count && job->aborted[0] < checkpoint_id)
        remove_first(job, job->aborted, &job->aborted_count);
}

/* --- where attempts begin --- */

static leat_code begin_afresh(leat_jm_job *job, const leat_jm_submission *submission, leat_error *error)
{
    leat_code code = submission->damage.code;
    if (code == LEAT_OK) return code;
    if (error) *error = submission->damage;
    (void)leat_fail_in(error, code, "no checkpoint of job %s is whole", job->id_text);
    leat_fail_hint(error, "bring the object back, and start the job manager again");
    return code;
}

leat_code leat_jm_checkpoints_begin_at(leat_jm_job *job, leat_jm_submission *submission, leat_error *error)
{
    const leat_checkpoint_ids *found = &submission->found;
    job->must_look_ahead = submission->is_resumed && job->has_checkpoints;
    if (found->count) job->next_checkpoint_id = found->list[found->count - 1] + 1;
    Leat__Pb__CheckpointMetadata *restored = submission->restored;
    int64_t id = restored ? (int64_t)restored->checkpoint : 0;
    for (size_t i = 0; i < found->count; i++) {
        if (found->list[i] < id)
            add_id(&job->retained, &job->retained_count, &job->retained_capacity, found->list[i]);
        else if (found->list[i] > id)
            leat_jm_checkpoints_left(job, found->list[i]);
    }
    if (!restored) return begin_afresh(job, submission, error);
    if (job->next_checkpoint_id <= id) job->next_checkpoint_id = id + 1;
    job->resumed_id = id;
    job->given_dir = submission->given_dir;
    job->given_id = id;
    submission->given_dir = NULL;
    job->must_look_ahead = true;
    job->uncertain = restored;
    submission->restored = NULL;
    if (submission->damage.code == LEAT_OK) return LEAT_OK;
    (void)leat_fail_in(&submission->damage, submission->damage.code, "the job goes on from checkpoint %" PRId64, id);
    leat_jm_remember(job, "restore", &submission->damage);
    return LEAT_OK;
}

void leat_jm_checkpoints_go_back(leat_jm_job *job, Leat__Pb__CheckpointMetadata *older)
{
    int64_t id = (int64_t)older->checkpoint;
    size_t kept = 0;
    for (size_t i = 0; i < job->retained_count; i++) {
        if (job->retained[i] < id)
            job->retained[kept++] = job->retained[i];
        else if (job->retained[i] > id)
            leat_jm_checkpoints_left(job, job->retained[i]);
    }
    job->retained_count = kept;
    leat_metadata_free(job->completed);
    job->completed = NULL;
    leat_metadata_free(job->uncertain);
    job->uncertain = older;
    job->must_look_ahead = true;
}

/* --- after the commit --- */

/* A conflict is certain: nothing of the checkpoint is in a table and nothing of it can be, so a restart begins at the
 * one before it; unless it is in another sink's table, which has no way back. After any other error the commit may have
 * been done with its answer lost: then only the same checkpoint is a place to begin, after it was committed once more
 * (which finds what is there). */
static void on_commit_failed(leat_jm_job *job, Leat__Pb__CheckpointMetadata *metadata,
                             const leat_jm_commit_result *result)
{
    int64_t checkpoint_id = (int64_t)metadata->checkpoint;
    const leat_error *error = &result->error;
    bool was_ended = !job->has_attempt &&
                     job->state != LEAT_JOB_RUNNING; /* it was the commit before the next attempt: that comes later */
    if (was_ended) leat_log(LEAT_LOG_WARN, "committer", "%s", error->text);
    if (job->has_checkpoints && result->code != LEAT_CONFLICT) {
        leat_metadata_free(job->uncertain);
        job->uncertain = metadata;
    } else {
        if (job->has_checkpoints) {
            leat_jm_checkpoint_failed(job, checkpoint_id, "Its commit failed.");
            if (!leat_jm_is_given(job, checkpoint_id) && !result->is_torn)
                leat_metadata_remove_later(job->jobmanager->env, job->checkpoint_dir, checkpoint_id);
        }
        leat_metadata_free(metadata);
    }
    bool is_first = !job->completed && checkpoint_id <= job->resumed_id; /* nothing but it to begin from is known */
    if (result->code == LEAT_CONFLICT && is_first) job->conflicted_id = checkpoint_id;
    bool is_given = is_first && leat_jm_is_given(job, checkpoint_id); /* whoever gave it chooses another */
    if (result->is_torn || (result->code == LEAT_CONFLICT && is_given))
        leat_jm_fail_for_good(job, "committer", error);
    else
        leat_jm_fail(job, "committer", error);
    if (was_ended && job->state == LEAT_JOB_RESTARTING)
        job->restart_at_ms = leat_jm_mono_ms(job->jobmanager) + commit_again_ms;
}

/* Before an attempt begins: the commit that nobody knows the end of. True when one was started; the restart comes after
 * it. */
bool leat_jm_commit_uncertain(leat_jm_job *job)
{
    if (!job->uncertain) return false;
    job->committing = job->uncertain;
    job->uncertain = NULL;
    job->restart_at_ms = INT64_MAX;
    leat_jm_commit(job, job->committing);
    return true;
}

/* Whoever chose an older checkpoint gets it, under numbers that the sinks have not seen. */
static void look_back(leat_jm_job *job, int64_t checkpoint_id, int64_t newest_id)
{
    job->must_look_ahead = false;
    if (newest_id <= checkpoint_id) return;
    leat_log(LEAT_LOG_WARN, "checkpoint",
             "job %s begins from checkpoint %" PRId64 ", but its sinks hold the rows up to checkpoint %" PRId64
             ": those between are written again",
             job->id_text, checkpoint_id, newest_id);
    if (job->next_checkpoint_id <= newest_id) job->next_checkpoint_id = newest_id + 1;
}

void leat_jm_on_committed(leat_jm_job *job, int64_t checkpoint_id, const leat_jm_commit_result *result)
{
    Leat__Pb__CheckpointMetadata *metadata = job->committing;
    job->committing = NULL;
    if (result->code != LEAT_OK) {
        on_commit_failed(job, metadata, result);
        return;
    }
    if (!job->has_checkpoints) {
        leat_metadata_free(metadata);
        return;
    }
    look_back(job, checkpoint_id, result->newest_id);
    leat_metadata_free(job->completed);
    job->completed = metadata;
    retain(job, checkpoint_id);
    if (!job->has_attempt) job->restart_at_ms = leat_jm_mono_ms(job->jobmanager); /* the next attempt begins here */
    leat_jm_checkpoints_committed(job, checkpoint_id);
}
