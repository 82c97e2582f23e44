#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"

/* One commit at a time a job, in checkpoint order: the coordinator stores a checkpoint only when no older one is
 * pending, and checkpoints.c starts a commit only when the one before has ended. */

struct leat_jm_committer {
    int32_t vertex;
    leat_committer *committer; /* made at the first commit, on an I/O thread */
    bool has_news;             /* the last commit brought something */
};

typedef struct commit_job {
    leat_job job; /* first */
    leat_jm_message message;
    leat_jm_job *owner;
    const Leat__Pb__CheckpointMetadata *metadata; /* the owner's; kept while io_running */
    leat_code code;
    leat_error error;
} commit_job;

static size_t collect(const Leat__Pb__CheckpointMetadata *metadata, int32_t vertex, leat_committable *out)
{
    size_t count = 0;
    const Leat__Pb__VertexSnapshot *part = metadata->vertices[vertex];
    for (size_t s = 0; s < part->n_subtasks; s++) {
        const Leat__Pb__SubtaskSnapshot *subtask = part->subtasks[s];
        for (size_t o = 0; o < subtask->n_operators; o++) {
            const Leat__Pb__OperatorSnapshot *operator= subtask->operators[o];
            for (size_t c = 0; c < operator->n_committables; c++, count++) {
                if (!out) continue;
                out[count] = (leat_committable){
                    vertex, (int32_t)subtask->subtask, operator->committables[c].data, operator->committables[c].len };
            }
        }
    }
    return count;
}

static leat_code commit_vertex(commit_job *commit, leat_jm_committer *self, leat_env *env)
{
    leat_jm_job *job = commit->owner;
    leat_error *error = &commit->error;
    const Leat__Pb__Vertex *vertex = job->graph->vertices[self->vertex];
    if (!self->committer) {
        const leat_committer_factory *factory;
        LEAT_TRY(leat_registry_find_committer(job->jobmanager->registry, vertex->committer, &factory, error));
        LEAT_TRY(factory->create(env, &job->config, job->commit_user, vertex->committer_config.data,
                                 vertex->committer_config.len, &self->committer, error));
    }
    size_t count = collect(commit->metadata, self->vertex, NULL);
    leat_committable *committables = leat_calloc(count, sizeof *committables);
    if (!committables) return leat_fail_no_memory(error);
    (void)collect(commit->metadata, self->vertex, committables);
    leat_code code = self->committer->vtable->commit(self->committer, (int64_t)commit->metadata->checkpoint,
                                                     committables, count, error);
    leat_free(committables);
    self->has_news = code == LEAT_OK && count > 0;
    return code == LEAT_OK ? code
                           : leat_fail_in(error, code, "commit checkpoint %" PRIu64 " of %s",
                                          commit->metadata->checkpoint, vertex->name);
}

enum { RETRIES_MAX = 5, RETRY_MS = 200 };

static void run_commit(leat_job *job, leat_env *env)
{
    commit_job *commit = (commit_job *)job;
    for (int32_t i = 0; commit->code == LEAT_OK && i < commit->owner->committers_count; i++) {
        leat_jm_committer *committer = &commit->owner->committers[i];
        leat_code code = commit_vertex(commit, committer, env);
        /* Commits are idempotent, so what may have been a passing fault is tried again. */
        for (int retry = 0; retry < RETRIES_MAX && leat_code_is_transient(code); retry++) {
            leat_log(LEAT_LOG_WARN, "committer", "%s; trying again", commit->error.text);
            leat_env_sleep_ms(env, (int64_t)RETRY_MS << retry);
            code = commit_vertex(commit, committer, env);
        }
        commit->code = code;
    }
}

static void done_commit(leat_job *job, leat_env *env)
{
    (void)env;
    commit_job *commit = (commit_job *)job;
    leat_jobmanager_post(commit->owner->jobmanager, &commit->message);
}

static void on_commit_done(leat_jobmanager *self, leat_jm_message *message)
{
    commit_job *commit = (commit_job *)((char *)message - offsetof(commit_job, message));
    leat_jm_job *job = commit->owner;
    job->io_running--;
    for (int32_t i = 0; i < job->committers_count; i++) {
        leat_jm_committer *committer = &job->committers[i];
        if (committer->has_news && committer->committer->topic) leat_jm_announce(self, committer->committer->topic);
        committer->has_news = false;
    }
    leat_jm_on_committed(job, (int64_t)commit->metadata->checkpoint, commit->code, &commit->error);
    leat_free(commit);
    leat_jm_check_ended(job);
}

static leat_code make_committers(leat_jm_job *job, leat_error *error)
{
    if (job->committers) return LEAT_OK;
    job->committers = leat_calloc(job->graph->n_vertices, sizeof *job->committers);
    if (!job->committers) return leat_fail_no_memory(error);
    for (size_t v = 0; v < job->graph->n_vertices; v++) {
        if (job->graph->vertices[v]->committer) job->committers[job->committers_count++].vertex = (int32_t)v;
    }
    return LEAT_OK;
}

leat_code leat_jm_commit(leat_jm_job *job, const Leat__Pb__CheckpointMetadata *metadata, leat_error *error)
{
    LEAT_TRY(make_committers(job, error));
    commit_job *commit = leat_calloc(1, sizeof *commit);
    if (!commit) return leat_fail_no_memory(error);
    commit->job = (leat_job){.run = run_commit, .done = done_commit};
    commit->message.handle = on_commit_done;
    commit->owner = job;
    commit->metadata = metadata;
    job->io_running++;
    leat_code code = leat_env_spawn(job->jobmanager->env, &commit->job, error);
    if (code != LEAT_OK) {
        job->io_running--;
        leat_free(commit);
    }
    return code;
}

bool leat_jm_committers_are_busy(const leat_jm_job *job)
{
    return job->committing != NULL;
}

void leat_jm_committers_free(leat_jm_job *job)
{
    for (int32_t i = 0; i < job->committers_count; i++) {
        leat_committer *committer = job->committers[i].committer;
        if (committer) committer->vtable->close(committer);
    }
    leat_free(job->committers);
    job->committers = NULL;
    job->committers_count = 0;
}
