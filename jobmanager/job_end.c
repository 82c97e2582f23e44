#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"
#include "jobmanager/metadata.h"

/* What is left of a job when it has ended: its record in the store and its checkpoints.
 *
 * The record says first that the job has ended, then the checkpoints go, then the record: whoever comes between (the
 * next job manager) finds out what is still to be done. */

typedef struct clean_up {
    leat_job job;                /* first */
    const leat_job_store *store; /* NULL: the job is not in it */
    Leat__Pb__JobRecord record;
    uint8_t id[LEAT_JM_JOB_ID_BYTES];
    char *dir; /* of its checkpoints; empty: none, or they stay */
} clean_up;

static leat_code remove_all(leat_storage *storage, const char *dir, leat_error *error)
{
    return dir[0] ? leat_storage_remove_folder(storage, dir, error) : LEAT_OK;
}

leat_code leat_jm_finish_clean_up(const leat_job_store *store, const Leat__Pb__JobRecord *record, leat_error *error)
{
    char id[LEAT_JM_JOB_ID_TEXT_BYTES];
    leat_jm_print_job_id(record->job.data, id);
    LEAT_TRY(remove_all(store->env->storage, record->checkpoint_dir, error));
    return leat_job_store_remove(store, id, error);
}

static leat_code clean(clean_up *self, leat_env *env, leat_error *error)
{
    if (!self->store) return remove_all(env->storage, self->dir, error);
    LEAT_TRY(leat_job_store_check(self->store, error)); /* else it is the other's job by now */
    LEAT_TRY(leat_job_store_put(self->store, &self->record, error));
    return leat_jm_finish_clean_up(self->store, &self->record, error);
}

enum { TRIES_MAX = 6, PAUSE_MS = 500 };

static void run_clean_up(leat_job *job, leat_env *env)
{
    clean_up *self = (clean_up *)job;
    leat_error error = {0};
    leat_code code = clean(self, env, &error);
    for (int i = 1; i < TRIES_MAX && leat_code_is_transient(code); i++) {
        leat_env_sleep_ms(env, (int64_t)PAUSE_MS << i);
        code = clean(self, env, &error);
    }
    if (code != LEAT_OK) leat_log(LEAT_LOG_WARN, "jobmanager", "what is left of an ended job stays: %s", error.text);
}

static void done_clean_up(leat_job *job, leat_env *env)
{
    (void)env;
    leat_free(((clean_up *)job)->dir);
    leat_free(job);
}

/* As in Flink: those of a finished job are of no use; else it is for the option to say. */
static bool keeps_checkpoints(const leat_jm_job *job)
{
    const char *retention = leat_config_string(&job->config, LEAT_OPTION_CHECKPOINT_RETENTION);
    bool keeps_all = strcasecmp(retention, "RETAIN_ON_CANCELLATION") == 0;
    bool keeps_failed = keeps_all || strcasecmp(retention, "DELETE_ON_CANCELLATION") == 0;
    if (job->is_doomed) return true; /* it takes a person to go on */
    return (job->state == LEAT_JOB_CANCELED && keeps_all) || (job->state == LEAT_JOB_FAILED && keeps_failed);
}

void leat_jm_clean_up(leat_jm_job *job)
{
    leat_env *env = job->jobmanager->env;
    bool keeps = keeps_checkpoints(job);
    if (keeps && job->retained_count)
        leat_log(LEAT_LOG_INFO, "checkpoint", "job %s has ended; its checkpoint %s/chk-%lld stays", job->id_text,
                 job->checkpoint_dir, (long long)job->retained[job->retained_count - 1]);
    if (job->jobmanager->is_deposed || (!job->is_stored && (keeps || !job->has_checkpoints))) return;
    clean_up *self = leat_calloc(1, sizeof *self);
    char *dir = leat_strdup(keeps ? "" : job->checkpoint_dir);
    if (self && dir) {
        *self = (clean_up){.job = {.run = run_clean_up, .done = done_clean_up},
                           .store = job->is_stored ? job->jobmanager->store : NULL,
                           .dir = dir};
        memcpy(self->id, job->id, sizeof self->id);
        leat__pb__job_record__init(&self->record);
        self->record.job = (ProtobufCBinaryData){sizeof self->id, self->id};
        self->record.commit_user = (char *)(uintptr_t) "";
        self->record.submitted_ms = job->submitted_ms;
        self->record.checkpoint_dir = dir;
        self->record.has_ended_as = true;
        self->record.ended_as = (uint32_t)job->state;
        if (leat_env_spawn(env, &self->job, NULL) == LEAT_OK) return;
    }
    leat_log(LEAT_LOG_WARN, "jobmanager", "what is left of job %s stays: no memory or a full queue", job->id_text);
    leat_free(self);
    leat_free(dir);
}

typedef struct forgetting {
    leat_job job; /* first */
    const leat_job_store *store;
    char id[LEAT_JM_JOB_ID_TEXT_BYTES];
} forgetting;

static void run_forget(leat_job *job, leat_env *env)
{
    (void)env;
    forgetting *self = (forgetting *)job;
    leat_error error = {0};
    if (leat_job_store_remove(self->store, self->id, &error) != LEAT_OK)
        leat_log(LEAT_LOG_WARN, "jobmanager", "a job that was not submitted stays in the store: %s", error.text);
}

static void done_forget(leat_job *job, leat_env *env)
{
    (void)env;
    leat_free(job);
}

void leat_jm_forget_stored(leat_jobmanager *self, const uint8_t *job_id)
{
    forgetting *forget = leat_calloc(1, sizeof *forget);
    if (!forget || !self->store) {
        leat_free(forget);
        return;
    }
    *forget = (forgetting){.job = {.run = run_forget, .done = done_forget}, .store = self->store};
    leat_jm_print_job_id(job_id, forget->id);
    if (leat_env_spawn(self->env, &forget->job, NULL) != LEAT_OK) leat_free(forget);
}

/* --- a job that is to end --- */

typedef struct storing {
    leat_job job; /* first */
    leat_jm_message message;
    leat_jm_job *owner;
    const leat_job_store *store;
    Leat__Pb__JobRecord record; /* points into the owner */
    char *given_path;
} storing;

static void run_store(leat_job *job, leat_env *env)
{
    (void)env;
    storing *self = (storing *)job;
    leat_error error = {0};
    leat_code code = leat_job_store_check(self->store, &error);
    if (code == LEAT_OK) code = leat_job_store_put(self->store, &self->record, &error);
    if (code != LEAT_OK) leat_log(LEAT_LOG_WARN, "jobmanager", "%s", error.text);
}

static void done_store(leat_job *job, leat_env *env)
{
    (void)env;
    storing *self = (storing *)job;
    leat_jobmanager_post(self->owner->jobmanager, &self->message);
}

static void on_stored(leat_jobmanager *manager, leat_jm_message *message)
{
    (void)manager;
    storing *self = (storing *)((char *)message - offsetof(storing, message));
    leat_jm_job *job = self->owner;
    job->io_running--;
    leat_free(self->given_path);
    leat_free(self);
    leat_jm_check_ended(job);
}

void leat_jm_store_again(leat_jm_job *job)
{
    if (!job->is_stored) return;
    storing *self = leat_calloc(1, sizeof *self);
    if (!self) return; /* only a restart of the job manager would find the difference */
    *self = (storing){.job = {.run = run_store, .done = done_store},
                      .message = {.handle = on_stored},
                      .owner = job,
                      .store = job->jobmanager->store};
    leat__pb__job_record__init(&self->record);
    self->record.job = leat_jm_job_id(job);
    self->record.graph = (ProtobufCBinaryData){job->graph_bytes.size, job->graph_bytes.data};
    self->record.commit_user = job->commit_user;
    self->record.submitted_ms = job->submitted_ms;
    self->record.checkpoint_dir = job->checkpoint_dir;
    self->record.has_is_stopping = true;
    self->record.is_stopping = job->is_stopping;
    if (job->given_dir) self->given_path = leat_format("%s/chk-%lld", job->given_dir, (long long)job->given_id);
    self->record.restored_path = self->given_path;
    job->io_running++;
    if (leat_env_spawn(job->jobmanager->env, &self->job, NULL) == LEAT_OK) return;
    job->io_running--;
    leat_free(self->given_path);
    leat_free(self);
}
