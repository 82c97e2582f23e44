#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"
#include "jobmanager/metadata.h"

/* An attempt could not be restored because something is missing or not as it was written. If that is an object of the
 * checkpoint, the job goes on from the newest older one that is whole. So it does when the checkpoint that a job
 * manager before has left can't be committed: from the beginning it would write what the sinks hold once more. */

static const int64_t examine_again_ms = 1000;

typedef struct examination {
    leat_job job; /* first */
    leat_jm_message message;
    leat_jm_job *owner;
    int64_t checkpoint_id;
    char *dir;
    bool is_given;                                /* not the job's own: whoever gave it chooses another */
    const Leat__Pb__CheckpointMetadata *metadata; /* the owner's, kept while it examines; NULL: it can't be committed */
    Leat__Pb__CheckpointMetadata *older;
    leat_error damage; /* code OK: it is whole */
    leat_code code;    /* whether that could be found out */
    leat_error error;
} examination;

static leat_code find_older(examination *self, leat_env *env, leat_error *error)
{
    leat_checkpoint_ids ids;
    leat_error older_damage = {0};
    LEAT_TRY(leat_checkpoint_list(env->storage, self->dir, &ids, error));
    leat_code code = leat_checkpoint_find(env->storage, self->dir, &ids, self->checkpoint_id, LEAT_CHECKPOINT_BYTES,
                                          &self->older, &older_damage, error);
    leat_checkpoint_ids_done(&ids);
    return code;
}

static void run_examination(leat_job *job, leat_env *env)
{
    examination *self = (examination *)job;
    if (!self->metadata) {
        self->code = find_older(self, env, &self->error);
        (void)leat_fail(&self->damage, LEAT_CONFLICT, "its rows conflict with what is in the tables");
        self->damage.code = LEAT_CONFLICT;
        return;
    }
    leat_code code =
        leat_checkpoint_verify(env->storage, self->dir, self->metadata, LEAT_CHECKPOINT_BYTES, &self->damage);
    bool is_damaged = code == LEAT_CORRUPT || code == LEAT_NOT_FOUND;
    if (code != LEAT_OK && !is_damaged) {
        self->error = self->damage;
        self->code = code;
        return;
    }
    self->damage.code = code;
    if (is_damaged && !self->is_given) self->code = find_older(self, env, &self->error);
}

static void done_examination(leat_job *job, leat_env *env)
{
    (void)env;
    examination *self = (examination *)job;
    leat_jobmanager_post(self->owner->jobmanager, &self->message);
}

static void fail_without_older(leat_jm_job *job, examination *self)
{
    (void)leat_fail_in(&self->damage, self->damage.code,
                       "checkpoint %" PRId64 " can't be %s, and there is no older one that is whole",
                       self->checkpoint_id, self->metadata ? "restored" : "committed");
    if (self->metadata)
        leat_fail_hint(&self->damage, "bring the object back and start the job with --from-checkpoint %s/chk-%" PRId64,
                       self->dir, self->checkpoint_id);
    leat_jm_fail_for_good(job, "restore", &self->damage);
}

static void fall_back(leat_jm_job *job, examination *self)
{
    (void)leat_fail_in(&self->damage, self->damage.code,
                       "checkpoint %" PRId64 " %s; the job goes on from checkpoint %" PRIu64, self->checkpoint_id,
                       self->metadata ? "is damaged" : "can't be committed", self->older->checkpoint);
    leat_log(LEAT_LOG_ERROR, "checkpoint", "job %s: %s", job->id_text, self->damage.text);
    leat_jm_checkpoints_go_back(job, self->older);
    self->older = NULL;
    if (!leat_jm_all_down(job)) { /* the rest has gone on from the newer one */
        leat_jm_fail(job, "restore", &self->damage);
        return;
    }
    leat_jm_remember(job, "restore", &self->damage);
    job->restart_at_ms = leat_jm_mono_ms(job->jobmanager);
}

static void on_examined(leat_jobmanager *manager, leat_jm_message *message)
{
    examination *self = (examination *)((char *)message - offsetof(examination, message));
    leat_jm_job *job = self->owner;
    job->io_running--;
    job->is_examining = false;
    if (job->state != LEAT_JOB_RESTARTING) {
        /* Cancelled meanwhile. */
    } else if (self->code != LEAT_OK) {
        leat_log(LEAT_LOG_WARN, "checkpoint", "%s", self->error.text);
        job->restart_at_ms = leat_jm_mono_ms(manager) + examine_again_ms;
    } else {
        job->is_suspect = false;
        job->conflicted_id = 0;
        if (self->older)
            fall_back(job, self);
        else if (self->damage.code != LEAT_OK)
            fail_without_older(job, self);
    }
    leat_metadata_free(self->older);
    leat_free(self->dir);
    leat_free(self);
    leat_jm_try_schedule(manager);
}

bool leat_jm_examine_suspect(leat_jm_job *job)
{
    bool is_conflicted = job->conflicted_id != 0;
    if (!is_conflicted && (!job->is_suspect || !job->completed)) return false;
    int64_t checkpoint_id = is_conflicted ? job->conflicted_id : (int64_t)job->completed->checkpoint;
    examination *self = leat_calloc(1, sizeof *self);
    char *dir = leat_strdup(is_conflicted ? job->checkpoint_dir : leat_jm_completed_dir(job));
    if (self && dir) {
        *self = (examination){.job = {.run = run_examination, .done = done_examination},
                              .message = {.handle = on_examined},
                              .owner = job,
                              .checkpoint_id = checkpoint_id,
                              .dir = dir,
                              .is_given = !is_conflicted && leat_jm_is_given(job, checkpoint_id),
                              .metadata = is_conflicted ? NULL : job->completed};
        job->io_running++;
        job->is_examining = true;
        if (leat_env_spawn(job->jobmanager->env, &self->job, NULL) == LEAT_OK) return true;
        job->io_running--;
        job->is_examining = false;
    }
    leat_free(self);
    leat_free(dir);
    if (is_conflicted) { /* no attempt may begin without an answer */
        job->restart_at_ms = leat_jm_mono_ms(job->jobmanager) + examine_again_ms;
        return true;
    }
    job->is_suspect = false; /* no memory: the next attempt tells again */
    return false;
}
