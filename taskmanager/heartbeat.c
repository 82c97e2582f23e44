#include <stdio.h>
#include <unistd.h>

#include "common/memory.h"
#include "taskmanager/taskmanager.h"

static uint64_t resident_bytes(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    int fields = fscanf(file, "%llu %llu", &total, &resident);
    (void)fclose(file); /* only read */
    return fields == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void fill_gauges(leat_subtask *subtask, leat_arena *arena, Leat__Pb__SubtaskMetrics *out)
{
    size_t room = (size_t)subtask->chain_count * LEAT_GAUGES_MAX;
    out->gauges = leat_arena_take(arena, room * sizeof *out->gauges);
    out->gauge_names = leat_arena_take(arena, room * sizeof *out->gauge_names);
    if (!out->gauges || !out->gauge_names) return;
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        leat_chain_link *link = &subtask->chain[i];
        /* acquire: pairs with the release in host_set_gauge, so the names up to the count are there. */
        int count = atomic_load_explicit(&link->gauges_count, memory_order_acquire);
        for (int g = 0; g < count; g++) {
            out->gauges[out->n_gauges++] = atomic_load_explicit(&link->gauges[g], memory_order_relaxed);
            out->gauge_names[out->n_gauge_names++] = (char *)(uintptr_t)link->gauge_names[g];
        }
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
    out->records_in = atomic_load_explicit(&metrics->records_in, memory_order_relaxed);
    out->records_out = atomic_load_explicit(&metrics->records_out, memory_order_relaxed);
    out->bytes_in = atomic_load_explicit(&metrics->bytes_in, memory_order_relaxed);
    out->bytes_out = atomic_load_explicit(&metrics->bytes_out, memory_order_relaxed);
    out->busy_us = atomic_load_explicit(&metrics->busy_us, memory_order_relaxed);
    out->idle_us = atomic_load_explicit(&metrics->idle_us, memory_order_relaxed);
    out->backpressured_us = atomic_load_explicit(&metrics->backpressured_us, memory_order_relaxed);
    out->has_watermark_ms = true;
    out->watermark_ms = atomic_load_explicit(&metrics->watermark_ms, memory_order_relaxed);
    /* The chain is made by the worker's first run; before that there are no gauges. */
    if (atomic_load_explicit(&metrics->busy_us, memory_order_acquire) > 0) fill_gauges(subtask, arena, out);
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
    message.memory_bytes = resident_bytes();
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
