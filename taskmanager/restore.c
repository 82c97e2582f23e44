#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#include "common/memory.h"
#include "flow/state_path.h"
#include "storage/storage.h"
#include "taskmanager/job.h"
#include "taskmanager/taskmanager.h"

typedef struct restore_job {
    leat_job job; /* first */
    leat_task_job *owner;
    leat_error error;
} restore_job;

static void schedule_all(leat_task_job *job)
{
    leat_executor *executor = job->taskmanager->executor;
    for (int32_t i = 0; i < job->subtasks_count; i++)
        executor->schedule(executor, &job->subtasks[i].runnable);
}

/* Whether any subtask here will ask for the part: its own, or all of its operator's after a rescale. */
static bool is_needed(leat_task_job *job, const Leat__Pb__RestoredPart *part)
{
    if (part->vertex >= job->graph->n_vertices) return false;
    bool is_same = part->parallelism == job->graph->vertices[part->vertex]->parallelism;
    for (int32_t i = 0; i < job->subtasks_count; i++) {
        const leat_subtask *subtask = &job->subtasks[i];
        if (subtask->vertex == (int32_t)part->vertex && (!is_same || subtask->index == (int32_t)part->subtask))
            return true;
    }
    return false;
}

static leat_code fetch(leat_task_job *job, leat_env *env, Leat__Pb__RestoredPart *part, leat_error *error)
{
    Leat__Pb__OperatorSnapshot *snapshot = part->snapshot;
    const Leat__Pb__Deploy *deploy = job->deploy;
    const char *dir = deploy->restored_dir ? deploy->restored_dir : deploy->checkpoint_dir;
    char *path = leat_state_path(dir, deploy->restored_checkpoint, snapshot->path);
    if (!path) return leat_fail_no_memory(error);
    leat_bytes bytes = {0};
    leat_code code = leat_storage_get_all(env->storage, path, (size_t)snapshot->size, &bytes, error);
    bool is_whole = bytes.size == snapshot->size && XXH3_64bits(bytes.data, bytes.size) == snapshot->checksum;
    if (code == LEAT_OK && !is_whole)
        code = leat_fail(error, LEAT_CORRUPT, "%s is not the state that was written", path);
    leat_free(path);
    if (code != LEAT_OK) {
        leat_bytes_done(&bytes);
        return code;
    }
    leat_free(snapshot->state.data);
    snapshot->has_state = true;
    snapshot->state = (ProtobufCBinaryData){bytes.size, bytes.data}; /* freed with the message, by the same allocator */
    return LEAT_OK;
}

static void run_restore(leat_job *job, leat_env *env)
{
    restore_job *restore = (restore_job *)job;
    const Leat__Pb__Deploy *deploy = restore->owner->deploy;
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < deploy->n_restored; i++) {
        Leat__Pb__RestoredPart *part = deploy->restored[i];
        if (part->snapshot->path && is_needed(restore->owner, part))
            code = fetch(restore->owner, env, part, &restore->error);
    }
    if (code != LEAT_OK) restore->error.code = leat_fail_in(&restore->error, code, "restore");
}

static void done_restore(leat_job *job, leat_env *env)
{
    (void)env;
    restore_job *restore = (restore_job *)job;
    leat_task_job *owner = restore->owner;
    for (int32_t i = 0; restore->error.code != LEAT_OK && i < owner->subtasks_count; i++) {
        leat_mail *mail =
            leat_mail_new(LEAT_MAIL_FAIL, restore->error.code, restore->error.text, strlen(restore->error.text) + 1);
        if (mail) (void)leat_subtask_post(&owner->subtasks[i], mail);
    }
    leat_free(restore);
    schedule_all(owner);
    leat_task_job_unref(owner);
}

void leat_task_job_restore(leat_task_job *job)
{
    bool has_files = false;
    for (size_t i = 0; i < job->deploy->n_restored; i++)
        has_files = has_files || job->deploy->restored[i]->snapshot->path;
    if (!has_files) {
        schedule_all(job);
        return;
    }
    restore_job *restore = leat_calloc(1, sizeof *restore);
    leat_error error = {0};
    leat_code code = restore ? LEAT_OK : leat_fail_no_memory(&error);
    if (restore) {
        *restore = (restore_job){.job = {.run = run_restore, .done = done_restore}, .owner = leat_task_job_ref(job)};
        code = leat_env_spawn(job->taskmanager->env, &restore->job, &error);
    }
    if (code == LEAT_OK) return;
    if (restore) {
        restore->error = error;
        restore->error.code = code;
        done_restore(&restore->job, job->taskmanager->env);
    }
}
