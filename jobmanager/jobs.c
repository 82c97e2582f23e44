#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"

/* A job is made, kept for a while after its end, and freed. */

static leat_code make_tasks(leat_jm_job *job, leat_error *error)
{
    int32_t count = 0;
    for (size_t v = 0; v < job->graph->n_vertices; v++)
        count += (int32_t)job->graph->vertices[v]->parallelism;
    job->tasks = leat_calloc((size_t)count, sizeof *job->tasks);
    if (!job->tasks) return leat_fail_no_memory(error);
    for (size_t v = 0; v < job->graph->n_vertices; v++) {
        for (uint32_t s = 0; s < job->graph->vertices[v]->parallelism; s++) {
            job->tasks[job->tasks_count++] = (leat_jm_task){
                .vertex = (int32_t)v, .subtask = (int32_t)s, .taskmanager = -1, .watermark_ms = INT64_MIN};
        }
    }
    return LEAT_OK;
}

static leat_code fill_job(leat_jm_job *job, leat_jm_submission *submission, leat_error *error)
{
    memcpy(job->id, submission->job_id, sizeof job->id);
    leat_jm_print_job_id(job->id, job->id_text);
    memcpy(job->commit_user, submission->commit_user, sizeof job->commit_user);
    job->submitted_ms = submission->submitted_ms;
    job->state_since_ms[LEAT_JOB_CREATED] = leat_jm_now_ms(job->jobmanager);
    job->is_stored = submission->is_stored;
    job->is_stopping = submission->is_stopping;
    /* Attempts of an earlier job manager are never met again. */
    job->attempt = (uint32_t)((job->jobmanager->leader_epoch - 1) << LEAT_JM_EPOCH_ATTEMPT_BITS);
    job->checkpoint_dir = submission->checkpoint_dir;
    submission->checkpoint_dir = NULL;
    LEAT_ASSERT(job->checkpoint_dir);
    LEAT_TRY(leat_jm_read_graph(&job->graph_bytes, &job->graph, error));
    LEAT_TRY(make_tasks(job, error));
    LEAT_TRY(leat_jm_read_config(job->jobmanager->config, job->graph, &job->config, error));
    job->has_checkpoints = job->checkpoint_dir[0] != '\0';
    LEAT_TRY(leat_jm_regions_make(job, error));
    LEAT_TRY(leat_restart_init(&job->restart, &job->config, job->has_checkpoints, error));
    return leat_jm_checkpoints_begin_at(job, submission, error);
}

enum { ENDED_JOBS_KEPT = 200 };

/* Whether nothing points to the job any more: no I/O under way, nobody who reads its rows. */
static bool may_be_forgotten(const leat_jm_job *job)
{
    return leat_job_state_is_terminal(job->state) && !job->io_running && !job->on_change &&
           leat_jm_enumerators_have_ended(job) && !leat_jm_committers_are_busy(job);
}

/* The newest ended jobs stay, for `show` and REST. */
static void forget_old_jobs(leat_jobmanager *self)
{
    int kept = 0;
    for (leat_jm_job **link = &self->jobs; *link;) {
        leat_jm_job *job = *link;
        if (may_be_forgotten(job) && ++kept > ENDED_JOBS_KEPT) {
            *link = job->next;
            leat_jm_job_free(job);
        } else {
            link = &job->next;
        }
    }
}

leat_code leat_jobmanager_submit(leat_jobmanager *self, const uint8_t *job_id, leat_bytes *graph, leat_jm_job **out,
                                 leat_error *error)
{
    leat_jm_submission submission = {0};
    leat_code code = leat_jm_submission_make(self, job_id, graph, &submission, error);
    if (code == LEAT_OK) return leat_jobmanager_submit_prepared(self, &submission, out, error);
    leat_jm_submission_done(&submission);
    return leat_fail_in(error, code, "submit");
}

leat_code leat_jobmanager_submit_prepared(leat_jobmanager *self, leat_jm_submission *submission, leat_jm_job **out,
                                          leat_error *error)
{
    leat_jm_job *job = leat_calloc(1, sizeof *job);
    if (!job) {
        leat_jobmanager_drop_prepared(self, submission);
        return leat_fail_no_memory(error);
    }
    job->jobmanager = self;
    job->graph_bytes = submission->graph;
    submission->graph = (leat_bytes){0};
    job->restart_at_ms = INT64_MAX;
    job->next_checkpoint_id = 1;
    job->collected_last = &job->collected;
    leat_code code = fill_job(job, submission, error);
    if (code == LEAT_OK || submission->is_resumed) submission->is_stored = false; /* it stays in the store */
    leat_jobmanager_drop_prepared(self, submission);
    if (code != LEAT_OK) {
        leat_jm_job_free(job);
        return leat_fail_in(error, code, "submit");
    }
    forget_old_jobs(self);
    job->next = self->jobs;
    self->jobs = job;
    leat_log(LEAT_LOG_INFO, "jobmanager", "job %s (%s) submitted: %zu vertices, %d subtasks", job->id_text,
             job->graph->name, job->graph->n_vertices, job->tasks_count);
    if (out) *out = job;
    leat_jm_try_schedule(self);
    return LEAT_OK;
}

void leat_jm_free_final_snapshot(leat_jm_task *task)
{
    if (task->final_snapshot) leat__pb__subtask_snapshot__free_unpacked(task->final_snapshot, NULL);
    task->final_snapshot = NULL;
}

void leat_jm_job_free(leat_jm_job *job)
{
    leat_jm_checkpoints_free(job);
    leat_jm_enumerators_free(job);
    leat_jm_committers_free(job);
    for (int32_t i = 0; i < job->tasks_count; i++) {
        leat_metrics_done(&job->tasks[i].metrics);
        leat_jm_forget_topics(&job->tasks[i]);
        leat_jm_free_final_snapshot(&job->tasks[i]);
    }
    while (job->collected) {
        leat_jm_collected *next = job->collected->next;
        leat_bytes_done(&job->collected->batch);
        leat_free(job->collected);
        job->collected = next;
    }
    leat_free(job->tasks);
    leat_free(job->regions);
    leat_free(job->slots);
    leat_free(job->checkpoint_dir);
    leat_free(job->given_dir);
    leat_config_done(&job->config);
    if (job->graph) leat__pb__job_graph__free_unpacked(job->graph, NULL);
    leat_bytes_done(&job->graph_bytes);
    leat_metrics_done(&job->metrics);
    leat_free(job);
}
