#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"

/* One commit at a time a job, in checkpoint order: the coordinator stores a checkpoint only when no older one is
 * pending, and checkpoints.c starts a commit only when the one before has ended.
 *
 * A conflict sends the job back to the checkpoint before, so no sink may have committed this one. Of several sinks all
 * are checked before the first commits, and those that others may still get in the way of go first. What is left is a
 * conflict of one of these after another of them has committed (or after a restore that finds a sink's part done). Then
 * the job ends: any restart would write rows twice or leave them out. */

struct leat_jm_committer {
    int32_t vertex;
    leat_committer *committer; /* made at the first commit, on an I/O thread */
    bool has_news;             /* the last commit brought something */
    /* Of the commit under way: */
    leat_committable *committables;
    size_t count;
    leat_commit_outlook outlook;
    int64_t begun_id; /* newest checkpoint that it may have committed; 0: none */
};

typedef struct commit_job {
    leat_job job; /* first */
    leat_jm_message message;
    leat_jm_job *owner;
    const Leat__Pb__CheckpointMetadata *metadata; /* the owner's; kept while io_running */
    bool must_look_ahead;                         /* whether sinks have more than this checkpoint */
    bool may_lag;                                 /* and that is as somebody wanted it */
    leat_jm_commit_result result;
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

static const char *vertex_name(const commit_job *commit, const leat_jm_committer *self)
{
    return commit->owner->graph->vertices[self->vertex]->name;
}

static leat_code prepare_one(commit_job *commit, leat_jm_committer *self, leat_env *env)
{
    leat_jm_job *job = commit->owner;
    leat_error *error = &commit->result.error;
    const Leat__Pb__Vertex *vertex = job->graph->vertices[self->vertex];
    if (!self->committer) {
        const leat_committer_factory *factory;
        LEAT_TRY(leat_registry_find_committer(job->jobmanager->registry, vertex->committer, &factory, error));
        LEAT_TRY(factory->create(env, &job->config, job->commit_user, vertex->committer_config.data,
                                 vertex->committer_config.len, &self->committer, error));
    }
    self->count = collect(commit->metadata, self->vertex, NULL);
    self->committables = leat_calloc(self->count, sizeof *self->committables);
    if (!self->committables) return leat_fail_no_memory(error);
    (void)collect(commit->metadata, self->vertex, self->committables);
    self->outlook = (leat_commit_outlook){0};
    return LEAT_OK;
}

static leat_code check_one(commit_job *commit, leat_jm_committer *self, leat_env *env)
{
    (void)env;
    const leat_committer_vtable *vtable = self->committer->vtable;
    int64_t checkpoint_id = (int64_t)commit->metadata->checkpoint;
    self->outlook = (leat_commit_outlook){.is_done = self->begun_id == checkpoint_id};
    if (!vtable->check || self->count == 0) return LEAT_OK; /* without rows nothing is in the way */
    self->outlook.is_done = false;
    leat_code code = vtable->check(self->committer, checkpoint_id, self->committables, self->count, &self->outlook,
                                   &commit->result.error);
    if (code == LEAT_OK) return code;
    return leat_fail_in(&commit->result.error, code, "commit checkpoint %" PRId64 " of %s", checkpoint_id,
                        vertex_name(commit, self));
}

static leat_code commit_one(commit_job *commit, leat_jm_committer *self, leat_env *env)
{
    (void)env;
    int64_t checkpoint_id = (int64_t)commit->metadata->checkpoint;
    self->begun_id = checkpoint_id;
    leat_code code = self->committer->vtable->commit(self->committer, checkpoint_id, self->committables, self->count,
                                                     &commit->result.error);
    self->has_news = code == LEAT_OK && self->count > 0;
    if (code == LEAT_CONFLICT) self->begun_id = 0;
    if (code == LEAT_OK) {
        self->outlook.is_done = true;
        return code;
    }
    return leat_fail_in(&commit->result.error, code, "commit checkpoint %" PRId64 " of %s", checkpoint_id,
                        vertex_name(commit, self));
}

enum { RETRIES_MAX = 5, RETRY_MS = 200 };

typedef leat_code (*step)(commit_job *commit, leat_jm_committer *self, leat_env *env);

/* Steps are idempotent, so what may have been a passing fault is tried again. */
static leat_code try_step(commit_job *commit, leat_jm_committer *self, step what, leat_env *env)
{
    leat_code code = what(commit, self, env);
    for (int retry = 0; retry < RETRIES_MAX && leat_code_is_transient(code); retry++) {
        leat_log(LEAT_LOG_WARN, "committer", "%s; trying again", commit->result.error.text);
        leat_env_sleep_ms(env, (int64_t)RETRY_MS << retry);
        code = what(commit, self, env);
    }
    return code;
}

/* Another sink whose part of the checkpoint is in its table: going back would write that twice. */
static const leat_jm_committer *find_done(const commit_job *commit, const leat_jm_committer *but)
{
    for (int32_t i = 0; i < commit->owner->committers_count; i++) {
        const leat_jm_committer *other = &commit->owner->committers[i];
        if (other != but && other->outlook.is_done && other->count > 0) return other;
    }
    return NULL;
}

static void on_conflict(commit_job *commit, const leat_jm_committer *conflicting)
{
    const leat_jm_committer *done = find_done(commit, conflicting);
    if (!done) return;
    commit->result.is_torn = true;
    leat_error *error = &commit->result.error;
    const char *topic = done->committer->topic, *other = conflicting->committer->topic;
    char what[48] = "the result";
    if (commit->owner->has_checkpoints)
        snprintf(what, sizeof what, "checkpoint %" PRIu64, commit->metadata->checkpoint);
    (void)leat_fail_in(error, LEAT_CONFLICT,
                       "%s is in %.200s and can't be in %.200s; the job ends, as starting from before it would write "
                       "rows to the former twice",
                       what, topic ? topic : vertex_name(commit, done),
                       other ? other : vertex_name(commit, conflicting));
    leat_fail_hint(error, "take these rows out of the former table, or add them to the latter by hand, then start the "
                          "job afresh; let one job only write and compact tables that a statement set writes");
}

/* All of it is checked, so that a conflict finds out whether another sink's part is done. */
static leat_code check_all(commit_job *commit, leat_env *env)
{
    leat_jm_job *job = commit->owner;
    const leat_jm_committer *conflicting = NULL;
    leat_error conflict = {0};
    for (int32_t i = 0; i < job->committers_count; i++) {
        leat_code code = try_step(commit, &job->committers[i], check_one, env);
        if (code != LEAT_OK && code != LEAT_CONFLICT) return code;
        if (code == LEAT_OK || conflicting) continue;
        conflicting = &job->committers[i];
        conflict = commit->result.error;
    }
    if (!conflicting) return LEAT_OK;
    commit->result.error = conflict;
    on_conflict(commit, conflicting);
    return LEAT_CONFLICT;
}

static leat_code commit_all(commit_job *commit, leat_env *env)
{
    leat_jm_job *job = commit->owner;
    for (int round = 0; round < 2; round++) {
        for (int32_t i = 0; i < job->committers_count; i++) {
            leat_jm_committer *committer = &job->committers[i];
            if (committer->outlook.may_conflict != (round == 0)) continue;
            leat_code code = try_step(commit, committer, commit_one, env);
            if (code == LEAT_CONFLICT) on_conflict(commit, committer);
            if (code != LEAT_OK) return code;
        }
    }
    return LEAT_OK;
}

/* Another job manager may have taken this one for dead, and gone on without it. */
static leat_code check_leader(commit_job *commit, leat_jm_committer *self, leat_env *env)
{
    (void)self;
    (void)env;
    const leat_job_store *store = commit->owner->jobmanager->store;
    return store ? leat_job_store_check(store, &commit->result.error) : LEAT_OK;
}

static leat_code look_ahead_one(commit_job *commit, leat_jm_committer *self, leat_env *env)
{
    (void)env;
    int64_t newest_id = -1;
    const leat_committer_vtable *vtable = self->committer->vtable;
    if (vtable->newest) LEAT_TRY(vtable->newest(self->committer, &newest_id, &commit->result.error));
    if (newest_id > commit->result.newest_id) commit->result.newest_id = newest_id;
    int64_t checkpoint_id = (int64_t)commit->metadata->checkpoint;
    if (newest_id <= checkpoint_id || commit->may_lag) return LEAT_OK;
    commit->result.is_torn = true;
    const char *topic = self->committer->topic;
    leat_code code = leat_fail(&commit->result.error, LEAT_CONFLICT,
                               "%.200s holds the rows of checkpoint %" PRId64 " already: going on from checkpoint "
                               "%" PRId64 " would write them twice",
                               topic ? topic : vertex_name(commit, self), newest_id, checkpoint_id);
    leat_fail_hint(&commit->result.error,
                   "bring the damaged checkpoint back and start the job with --from-checkpoint; or take these rows out "
                   "of the table and start it from an older one");
    return code;
}

/* After a restore from what may not be the newest checkpoint. */
static leat_code look_ahead(commit_job *commit, leat_env *env)
{
    leat_code code = LEAT_OK;
    leat_jm_job *job = commit->owner;
    for (int32_t i = 0; commit->must_look_ahead && code == LEAT_OK && i < job->committers_count; i++)
        code = try_step(commit, &job->committers[i], look_ahead_one, env);
    return code;
}

static void run_commit(leat_job *job, leat_env *env)
{
    commit_job *commit = (commit_job *)job;
    leat_jm_job *owner = commit->owner;
    leat_code code = try_step(commit, NULL, check_leader, env);
    commit->result.is_deposed = code == LEAT_CANCELED;
    for (int32_t i = 0; code == LEAT_OK && i < owner->committers_count; i++)
        code = try_step(commit, &owner->committers[i], prepare_one, env);
    if (code == LEAT_OK) code = look_ahead(commit, env);
    if (code == LEAT_OK && owner->committers_count > 1) code = check_all(commit, env);
    if (code == LEAT_OK) code = commit_all(commit, env);
    for (int32_t i = 0; i < owner->committers_count; i++) {
        leat_free(owner->committers[i].committables);
        owner->committers[i].committables = NULL;
    }
    commit->result.code = code;
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
    if (commit->result.is_deposed) {
        leat_log(LEAT_LOG_ERROR, "jobmanager", "%s", commit->result.error.text);
        self->is_deposed = true;
    }
    for (int32_t i = 0; i < job->committers_count; i++) {
        leat_jm_committer *committer = &job->committers[i];
        if (committer->has_news && committer->committer->topic) leat_jm_announce(self, committer->committer->topic);
        committer->has_news = false;
    }
    leat_jm_on_committed(job, (int64_t)commit->metadata->checkpoint, &commit->result);
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

static leat_code start(leat_jm_job *job, const Leat__Pb__CheckpointMetadata *metadata, leat_error *error)
{
    LEAT_TRY(make_committers(job, error));
    commit_job *commit = leat_calloc(1, sizeof *commit);
    if (!commit) return leat_fail_no_memory(error);
    commit->job = (leat_job){.run = run_commit, .done = done_commit};
    commit->message.handle = on_commit_done;
    commit->owner = job;
    commit->metadata = metadata;
    commit->must_look_ahead = job->must_look_ahead;
    commit->may_lag = leat_jm_is_given(job, (int64_t)metadata->checkpoint);
    commit->result.newest_id = -1;
    job->io_running++;
    leat_code code = leat_env_spawn(job->jobmanager->env, &commit->job, error);
    if (code != LEAT_OK) {
        job->io_running--;
        leat_free(commit);
    }
    return code;
}

void leat_jm_commit(leat_jm_job *job, const Leat__Pb__CheckpointMetadata *metadata)
{
    leat_jm_commit_result result = {.newest_id = -1};
    result.code = start(job, metadata, &result.error);
    if (result.code != LEAT_OK) leat_jm_on_committed(job, (int64_t)metadata->checkpoint, &result);
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
