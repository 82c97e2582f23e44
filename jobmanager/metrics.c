#include "common/metrics.h"

#include <stdio.h>
#include <string.h>

#include "jobmanager/internal.h"

/* The scopes of Flink's metrics that the job manager knows: the cluster, task managers, jobs, tasks with their
 * operators. Names and meanings are Flink's; a process' memory is shown as its heap. */

/* --- tasks, from heartbeats --- */

static void put_operator(leat_metrics *metrics, const Leat__Pb__Vertex *vertex,
                         const Leat__Pb__OperatorMetrics *message, int64_t now_ms)
{
    if (message->index >= vertex->n_operators) return;
    const char *scope = vertex->operators[message->index]->name;
    char name[LEAT_METRIC_NAME_BYTES];
    leat_metric_scoped(scope, "numRecordsIn", name);
    leat_metrics_count(metrics, name, message->records_in, now_ms);
    leat_metric_scoped(scope, "numRecordsOut", name);
    leat_metrics_count(metrics, name, message->records_out, now_ms);
    leat_metric_scoped(scope, "currentInputWatermark", name);
    if (message->has_input_watermark_ms) leat_metrics_set(metrics, name, message->input_watermark_ms);
    leat_metric_scoped(scope, "currentOutputWatermark", name);
    if (message->has_output_watermark_ms) leat_metrics_set(metrics, name, message->output_watermark_ms);
    for (size_t i = 0; i < message->n_gauges && i < message->n_gauge_names; i++) {
        leat_metric_scoped(scope, message->gauge_names[i], name);
        leat_metrics_set(metrics, name, message->gauges[i]);
    }
}

static void put_times(leat_jm_task *task, const Leat__Pb__SubtaskMetrics *message)
{
    leat_metrics *metrics = &task->metrics;
    uint64_t busy = message->busy_us - task->busy_us, idle = message->idle_us - task->idle_us;
    uint64_t backpressured = message->backpressured_us - task->backpressured_us;
    double total = (double)busy + (double)idle + (double)backpressured;
    if (total > 0) {
        task->busy_ratio = (double)busy / total;
        task->backpressured_ratio = (double)backpressured / total;
        leat_metrics_set(metrics, "busyTimeMsPerSecond", (int64_t)(task->busy_ratio * 1000));
        leat_metrics_set(metrics, "backPressuredTimeMsPerSecond", (int64_t)(task->backpressured_ratio * 1000));
        leat_metrics_set(metrics, "idleTimeMsPerSecond", (int64_t)((double)idle / total * 1000));
    }
    leat_metrics_set(metrics, "accumulateBusyTimeMs", (int64_t)(message->busy_us / 1000));
    leat_metrics_set(metrics, "accumulateIdleTimeMs", (int64_t)(message->idle_us / 1000));
    leat_metrics_set(metrics, "accumulateBackPressuredTimeMs", (int64_t)(message->backpressured_us / 1000));
    task->busy_us = message->busy_us;
    task->idle_us = message->idle_us;
    task->backpressured_us = message->backpressured_us;
}

static void take_task(leat_jm_job *job, leat_jm_task *task, const Leat__Pb__SubtaskMetrics *message)
{
    int64_t now_ms = leat_jm_now_ms(job->jobmanager);
    const Leat__Pb__Vertex *vertex = job->graph->vertices[task->vertex];
    leat_metrics *metrics = &task->metrics;
    task->records_in = message->records_in;
    task->records_out = message->records_out;
    task->bytes_in = message->bytes_in;
    task->bytes_out = message->bytes_out;
    task->watermark_ms = message->has_watermark_ms ? message->watermark_ms : INT64_MIN;
    task->measured_ms = now_ms;
    leat_metrics_count(metrics, "numRecordsIn", message->records_in, now_ms);
    leat_metrics_count(metrics, "numRecordsOut", message->records_out, now_ms);
    leat_metrics_count(metrics, "numBytesIn", message->bytes_in, now_ms);
    leat_metrics_count(metrics, "numBytesOut", message->bytes_out, now_ms);
    put_times(task, message);
    if (!vertex->is_source) leat_metrics_set(metrics, "currentInputWatermark", task->watermark_ms);
    for (size_t i = 0; i < message->n_operators; i++)
        put_operator(metrics, vertex, message->operators[i], now_ms);
}

void leat_jm_take_heartbeat(leat_jobmanager *self, leat_jm_taskmanager *from, const Leat__Pb__Heartbeat *message)
{
    leat_process_figures figures = {message->memory_bytes, message->cpu_us, message->threads};
    int64_t budget = leat_config_memory_bytes(self->config, LEAT_OPTION_PROCESS_MEMORY);
    from->memory_bytes = message->memory_bytes;
    leat_metrics_set_process(&from->metrics, &figures, budget, &from->load, leat_jm_now_ms(self));
    leat_metrics_set(&from->metrics, "Status.Flink.Memory.Managed.Total", budget);
    for (size_t j = 0; j < message->n_jobs; j++) {
        const Leat__Pb__JobMetrics *metrics = message->jobs[j];
        leat_jm_job *job =
            metrics->job.len == LEAT_JM_JOB_ID_BYTES ? leat_jobmanager_find(self, metrics->job.data) : NULL;
        int32_t region = job ? leat_jm_region_of_attempt(job, metrics->attempt) : -1;
        if (region < 0) continue;
        for (size_t i = 0; i < metrics->n_subtasks; i++) {
            leat_jm_task *task = leat_jm_find_task(job, metrics->subtasks[i]->vertex, metrics->subtasks[i]->subtask);
            if (task && task->region == region) take_task(job, task, metrics->subtasks[i]);
        }
    }
}

/* --- the cluster --- */

void leat_jobmanager_measure(leat_jobmanager *self)
{
    int64_t taskmanagers = 0, slots = 0, running = 0;
    for (size_t i = 0; i < self->taskmanagers_count; i++) {
        taskmanagers += self->taskmanagers[i].is_alive;
        if (self->taskmanagers[i].is_alive) slots += self->taskmanagers[i].slots;
    }
    for (const leat_jm_job *job = self->jobs; job; job = job->next)
        running += !leat_job_state_is_terminal(job->state);
    leat_metrics_set(&self->metrics, "numRegisteredTaskManagers", taskmanagers);
    leat_metrics_set(&self->metrics, "numRunningJobs", running);
    leat_metrics_set(&self->metrics, "taskSlotsTotal", slots);
    leat_metrics_set(&self->metrics, "taskSlotsAvailable", leat_jobmanager_slots_free(self));
    leat_process_figures figures;
    leat_process_measure(&figures);
    leat_metrics_set_process(&self->metrics, &figures, -1, &self->load, leat_jm_now_ms(self));
}

/* --- jobs --- */

static void put_states(leat_jm_job *job, int64_t now_ms)
{
    static const struct {
        const char *name;
        leat_job_state state;
    } states[] = {{"createdTime", LEAT_JOB_CREATED},       {"initializingTime", LEAT_JOB_INITIALIZING},
                  {"runningTime", LEAT_JOB_RUNNING},       {"restartingTime", LEAT_JOB_RESTARTING},
                  {"cancellingTime", LEAT_JOB_CANCELLING}, {"failingTime", LEAT_JOB_FAILING}};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        int64_t since_ms = job->state_since_ms[states[i].state];
        leat_metrics_set(&job->metrics, states[i].name, job->state == states[i].state ? now_ms - since_ms : 0);
    }
    bool is_running = job->state == LEAT_JOB_RUNNING;
    leat_metrics_set(&job->metrics, "uptime", is_running ? now_ms - job->state_since_ms[LEAT_JOB_RUNNING] : 0);
    bool is_failing = job->state == LEAT_JOB_FAILING;
    bool is_down = is_failing || (job->restarts > 0 && !is_running && !leat_job_state_is_terminal(job->state));
    int64_t down_ms = job->state_since_ms[is_failing ? LEAT_JOB_FAILING : LEAT_JOB_RESTARTING];
    leat_metrics_set(&job->metrics, "downtime", is_down ? now_ms - down_ms : 0);
    leat_metrics_set(&job->metrics, "numRestarts", job->restarts);
    leat_metrics_set(&job->metrics, "fullRestarts", job->restarts);
}

static void put_checkpoints(leat_jm_job *job)
{
    leat_metrics *metrics = &job->metrics;
    const leat_jm_checkpoint_counts *counts = &job->counts;
    const leat_jm_checkpoint_stats *last = NULL;
    for (int32_t i = 0; i < job->checkpoints_count; i++) {
        if (job->checkpoints[i].status == LEAT_JM_CHECKPOINT_COMPLETED) last = &job->checkpoints[i];
    }
    int64_t bytes = last ? (int64_t)last->state_bytes : -1;
    leat_metrics_set(metrics, "totalNumberOfCheckpoints", counts->triggered);
    leat_metrics_set(metrics, "numberOfCompletedCheckpoints", counts->completed);
    leat_metrics_set(metrics, "numberOfFailedCheckpoints", counts->failed);
    leat_metrics_set(metrics, "numberOfInProgressCheckpoints", counts->triggered - counts->completed - counts->failed);
    leat_metrics_set(metrics, "lastCheckpointDuration", last ? last->ended_ms - last->triggered_ms : -1);
    leat_metrics_set(metrics, "lastCheckpointSize", bytes);
    leat_metrics_set(metrics, "lastCheckpointFullSize", bytes);
    leat_metrics_set(metrics, "lastCompletedCheckpointId", last ? last->checkpoint_id : -1);
    leat_metrics_set(metrics, "lastCheckpointRestoreTimestamp", counts->restored ? counts->restored_ms : -1);
    leat_metrics_set_text(metrics, "lastCheckpointExternalPath", last && last->path ? last->path : "n/a");
}

void leat_jobmanager_measure_job(leat_jm_job *job)
{
    put_states(job, leat_jm_now_ms(job->jobmanager));
    if (job->has_checkpoints) put_checkpoints(job);
}
