#include "common/memory.h"
#include "common/metrics.h"
#include "taskmanager/taskmanager.h"

static Leat__Pb__OperatorMetrics *fill_operator(leat_chain_link *link, leat_arena *arena)
{
    Leat__Pb__OperatorMetrics *out = leat_arena_take(arena, sizeof *out);
    if (!out) return NULL;
    leat__pb__operator_metrics__init(out);
    out->index = (uint32_t)link->index;
    out->records_in = leat_counter_get(&link->records_in);
    out->records_out = leat_counter_get(&link->records_out);
    out->input_watermark_ms = atomic_load_explicit(&link->input_watermark_ms, memory_order_relaxed);
    out->output_watermark_ms = atomic_load_explicit(&link->output_watermark_ms, memory_order_relaxed);
    out->has_input_watermark_ms = out->input_watermark_ms != INT64_MIN;
    out->has_output_watermark_ms = out->output_watermark_ms != INT64_MIN;
    /* acquire: pairs with the release in host_set_gauge, so the names up to the count are there. */
    int count = atomic_load_explicit(&link->gauges_count, memory_order_acquire);
    out->gauges = leat_arena_take(arena, LEAT_GAUGES_MAX * sizeof *out->gauges);
    out->gauge_names = leat_arena_take(arena, LEAT_GAUGES_MAX * sizeof *out->gauge_names);
    for (int g = 0; out->gauges && out->gauge_names && g < count; g++) {
        out->gauges[out->n_gauges++] = atomic_load_explicit(&link->gauges[g], memory_order_relaxed);
        out->gauge_names[out->n_gauge_names++] = (char *)(uintptr_t)link->gauge_names[g];
    }
    return out;
}

static void fill_operators(leat_subtask *subtask, leat_arena *arena, Leat__Pb__SubtaskMetrics *out)
{
    out->operators = leat_arena_take(arena, (size_t)subtask->chain_count * sizeof *out->operators);
    for (int32_t i = 0; out->operators && i < subtask->chain_count; i++) {
        Leat__Pb__OperatorMetrics *operator= fill_operator(&subtask->chain[i], arena);
        if (operator) out->operators[out->n_operators++] = operator;
    }
}

static Leat__Pb__SubtaskMetrics *fill_subtask(leat_subtask *subtask, leat_arena *arena)
{
    Leat__Pb__SubtaskMetrics *out = leat_arena_take(arena, sizeof *out);
    if (!out) return NULL;
    leat__pb__subtask_metrics__init(out);
    leat_subtask_metrics *metrics = &subtask->metrics;
    out->vertex = (uint32_t)subtask->vertex;
    out->subtask = (uint32_t)subtask->index;
    out->records_in = leat_counter_get(&metrics->records_in);
    out->records_out = leat_counter_get(&metrics->records_out);
    out->bytes_in = leat_counter_get(&metrics->bytes_in);
    out->bytes_out = leat_counter_get(&metrics->bytes_out);
    out->busy_us = atomic_load_explicit(&metrics->busy_us, memory_order_relaxed);
    out->idle_us = leat_counter_get(&metrics->idle_us);
    out->backpressured_us = leat_counter_get(&metrics->backpressured_us);
    out->has_watermark_ms = true;
    out->watermark_ms = atomic_load_explicit(&metrics->watermark_ms, memory_order_relaxed);
    /* The chain is made by the worker's first run; before that there is nothing to say of operators. */
    if (atomic_load_explicit(&metrics->busy_us, memory_order_acquire) > 0) fill_operators(subtask, arena, out);
    return out;
}

static Leat__Pb__JobMetrics *fill_job(leat_task_job *job, leat_arena *arena)
{
    Leat__Pb__JobMetrics *out = leat_arena_take(arena, sizeof *out);
    if (!out) return NULL;
    leat__pb__job_metrics__init(out);
    out->job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, job->id};
    out->attempt = job->attempt;
    out->subtasks = leat_arena_take(arena, (size_t)job->subtasks_count * sizeof(void *));
    for (int32_t i = 0; out->subtasks && i < job->subtasks_count; i++) {
        Leat__Pb__SubtaskMetrics *subtask = fill_subtask(&job->subtasks[i], arena);
        if (subtask) out->subtasks[out->n_subtasks++] = subtask;
    }
    return out;
}

enum { ARENA_BYTES_MAX = 16 << 20, JOBS_MAX = 1024 };

void leat_taskmanager_heartbeat(leat_taskmanager *self)
{
    leat_arena arena;
    leat_arena_init(&arena, ARENA_BYTES_MAX);
    Leat__Pb__Heartbeat message = LEAT__PB__HEARTBEAT__INIT;
    message.task_manager = (char *)(uintptr_t)self->id;
    leat_process_figures figures;
    leat_process_measure(&figures);
    message.memory_bytes = figures.resident_bytes;
    message.cpu_us = figures.cpu_us;
    message.threads = figures.threads;
    message.jobs = leat_arena_take(&arena, JOBS_MAX * sizeof *message.jobs);
    pthread_mutex_lock(&self->lock);
    for (leat_task_job *job = self->jobs; job && message.jobs && message.n_jobs < JOBS_MAX; job = job->next) {
        Leat__Pb__JobMetrics *metrics = fill_job(job, &arena);
        if (metrics) message.jobs[message.n_jobs++] = metrics;
    }
    pthread_mutex_unlock(&self->lock);
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_HEARTBEAT;
    envelope.heartbeat = &message;
    leat_taskmanager_send(self, &envelope);
    leat_arena_done(&arena);
}
