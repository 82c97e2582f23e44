#include <stdio.h>
#include <string.h>

#include "jobmanager/internal.h"
#include "jobmanager/rest.h"

static const char *const state_names[] = {"SCHEDULED", "DEPLOYING",    "CREATED",  "FAILED",      "RUNNING",
                                          "FINISHED",  "INITIALIZING", "CANCELED", "RECONCILING", "CANCELING"};
enum { STATES_COUNT = sizeof state_names / sizeof state_names[0] };

/* The sums of a vertex' tasks, or of one task. */
typedef struct sums {
    uint64_t records_in, records_out, bytes_in, bytes_out, busy_us, idle_us, backpressured_us;
    bool is_complete;
} sums;

static void add(sums *to, const leat_jm_task *task)
{
    to->records_in += task->records_in;
    to->records_out += task->records_out;
    to->bytes_in += task->bytes_in;
    to->bytes_out += task->bytes_out;
    to->busy_us += task->busy_us;
    to->idle_us += task->idle_us;
    to->backpressured_us += task->backpressured_us;
    to->is_complete = to->is_complete && task->measured_ms > 0;
}

static json_t *metrics_json(const sums *of)
{
    return json_pack("{s:I,s:b,s:I,s:b,s:I,s:b,s:I,s:b,s:I,s:I,s:f}", "read-bytes", (json_int_t)of->bytes_in,
                     "read-bytes-complete", of->is_complete, "write-bytes", (json_int_t)of->bytes_out,
                     "write-bytes-complete", of->is_complete, "read-records", (json_int_t)of->records_in,
                     "read-records-complete", of->is_complete, "write-records", (json_int_t)of->records_out,
                     "write-records-complete", of->is_complete, "accumulated-backpressured-time",
                     (json_int_t)(of->backpressured_us / 1000), "accumulated-idle-time",
                     (json_int_t)(of->idle_us / 1000), "accumulated-busy-time", (double)of->busy_us / 1000);
}

/* As Flink aggregates: the state that says most about the whole. */
static const char *aggregate_state(const int counts[STATES_COUNT], int total)
{
    static const int by_weight[] = {3, 9, 7, 4, 6, 1, 0, 2}; /* FAILED, CANCELING, CANCELED, RUNNING, INITIALIZING, … */
    if (counts[5] == total) return "FINISHED";
    for (size_t i = 0; i < sizeof by_weight / sizeof by_weight[0]; i++) {
        if (counts[by_weight[i]]) return state_names[by_weight[i]];
    }
    return "RUNNING";
}

static int state_index(const leat_jm_task *task)
{
    const char *name = leat_rest_task_state(task->state);
    int at = 0;
    while (at < STATES_COUNT - 1 && strcmp(state_names[at], name) != 0)
        at++;
    return at;
}

static json_t *counts_json(const int counts[STATES_COUNT])
{
    json_t *json = json_object();
    for (int s = 0; s < STATES_COUNT; s++)
        json_object_set_new(json, state_names[s], json_integer(counts[s]));
    return json;
}

static json_t *vertex_json(const leat_jm_job *job, int32_t index, int64_t now_ms)
{
    const Leat__Pb__Vertex *vertex = job->graph->vertices[index];
    int counts[STATES_COUNT] = {0}, total = 0;
    sums of = {.is_complete = true};
    int64_t started_ms = -1, ended_ms = -1;
    for (int32_t t = 0; t < job->tasks_count; t++) {
        const leat_jm_task *task = &job->tasks[t];
        if (task->vertex != index) continue;
        counts[state_index(task)]++;
        total++;
        add(&of, task);
        if (task->started_ms > 0 && (started_ms < 0 || task->started_ms < started_ms)) started_ms = task->started_ms;
        if (task->ended_ms > ended_ms) ended_ms = task->ended_ms;
    }
    bool has_ended = counts[5] + counts[7] + counts[3] == total; /* FINISHED, CANCELED, FAILED */
    if (!has_ended || ended_ms == 0) ended_ms = -1;
    char id[LEAT_REST_VERTEX_ID_BYTES];
    leat_rest_vertex_id(vertex, id);
    json_int_t max = vertex->has_max_parallelism ? (json_int_t)vertex->max_parallelism : 128;
    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:s,s:I,s:I,s:I,s:o,s:o}", "id", id, "slotSharingGroupId", job->id_text,
                     "name", vertex->name, "maxParallelism", max, "parallelism", (json_int_t)vertex->parallelism,
                     "status", aggregate_state(counts, total), "start-time", (json_int_t)started_ms, "end-time",
                     (json_int_t)ended_ms, "duration",
                     (json_int_t)(started_ms < 0 ? -1 : (ended_ms > 0 ? ended_ms : now_ms) - started_ms), "tasks",
                     counts_json(counts), "metrics", metrics_json(&of));
}

json_t *leat_rest_vertices(const leat_jm_job *job, int64_t now_ms)
{
    json_t *list = json_array();
    for (size_t v = 0; v < job->graph->n_vertices; v++)
        json_array_append_new(list, vertex_json(job, (int32_t)v, now_ms));
    return list;
}

json_t *leat_rest_status_counts(const json_t *vertices)
{
    int counts[STATES_COUNT] = {0};
    for (size_t i = 0; i < json_array_size(vertices); i++) {
        const char *status = json_string_value(json_object_get(json_array_get(vertices, i), "status"));
        for (int s = 0; status && s < STATES_COUNT; s++)
            counts[s] += strcmp(state_names[s], status) == 0;
    }
    return counts_json(counts);
}

/* --- one vertex --- */

int32_t leat_rest_find_vertex(leat_rest_call *call, const leat_jm_job *job)
{
    for (size_t v = 0; v < job->graph->n_vertices; v++) {
        char id[LEAT_REST_VERTEX_ID_BYTES];
        leat_rest_vertex_id(job->graph->vertices[v], id);
        if (strcasecmp(id, call->parameters[1]) == 0) return (int32_t)v;
    }
    leat_rest_fail(call->request, 404, "org.apache.flink.runtime.rest.NotFoundException: JobVertex %s not found",
                   call->parameters[1]);
    return -1;
}

/* As people count: from 0, under each job manager anew. */
static json_int_t attempt_number(const leat_jm_job *job, const leat_jm_task *task)
{
    uint32_t attempt = leat_jm_task_attempt(job, task) & ((1U << LEAT_JM_EPOCH_ATTEMPT_BITS) - 1);
    return attempt ? (json_int_t)attempt - 1 : 0;
}

static json_t *subtask_json(const leat_jm_job *job, const leat_jm_task *task, int64_t now_ms)
{
    const leat_jobmanager *manager = job->jobmanager;
    const leat_jm_taskmanager *on = task->taskmanager >= 0 ? &manager->taskmanagers[task->taskmanager] : NULL;
    sums of = {.is_complete = true};
    add(&of, task);
    int64_t end_ms = task->ended_ms > 0 ? task->ended_ms : -1;
    int64_t duration_ms = task->started_ms <= 0 ? -1 : (end_ms > 0 ? end_ms : now_ms) - task->started_ms;
    const char *state = leat_rest_task_state(task->state);
    return json_pack("{s:i,s:s,s:I,s:s,s:s,s:I,s:I,s:I,s:o,s:s,s:{s:I},s:I}", "subtask", (int)task->subtask, "status",
                     state, "attempt", attempt_number(job, task), "host", on ? on->host : "(unassigned)", "endpoint",
                     on ? on->data_endpoint : "(unassigned)", "start-time", (json_int_t)task->started_ms, "end-time",
                     (json_int_t)end_ms, "duration", (json_int_t)duration_ms, "metrics", metrics_json(&of),
                     "taskmanager-id", on ? on->id : "(unassigned)", "status-duration", state, (json_int_t)duration_ms,
                     "start_time", (json_int_t)task->started_ms);
}

void leat_rest_vertex(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    int32_t index = job ? leat_rest_find_vertex(call, job) : -1;
    if (index < 0) return;
    int64_t now_ms = leat_env_now_ms(call->manager->env);
    json_t *subtasks = json_array();
    for (int32_t t = 0; t < job->tasks_count; t++) {
        if (job->tasks[t].vertex == index) json_array_append_new(subtasks, subtask_json(job, &job->tasks[t], now_ms));
    }
    const Leat__Pb__Vertex *vertex = job->graph->vertices[index];
    json_int_t max = vertex->has_max_parallelism ? (json_int_t)vertex->max_parallelism : 128;
    leat_rest_json(call->request, 200,
                   json_pack("{s:s,s:s,s:I,s:I,s:I,s:o}", "id", call->parameters[1], "name", vertex->name,
                             "parallelism", (json_int_t)vertex->parallelism, "maxParallelism", max, "now",
                             (json_int_t)now_ms, "subtasks", subtasks));
}

static const char *level_of(double ratio)
{
    return ratio <= 0.1 ? "ok" : ratio <= 0.5 ? "low" : "high";
}

void leat_rest_vertex_backpressure(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    int32_t index = job ? leat_rest_find_vertex(call, job) : -1;
    if (index < 0) return;
    json_t *subtasks = json_array();
    double worst = 0;
    bool is_measured = false;
    for (int32_t t = 0; t < job->tasks_count; t++) {
        const leat_jm_task *task = &job->tasks[t];
        if (task->vertex != index) continue;
        double ratio = task->backpressured_ratio, idle = 1 - ratio - task->busy_ratio;
        if (ratio > worst) worst = ratio;
        is_measured = is_measured || task->measured_ms > 0;
        json_array_append_new(subtasks,
                              json_pack("{s:i,s:s,s:f,s:f,s:f,s:s}", "subtask", (int)task->subtask, "backpressureLevel",
                                        level_of(ratio), "ratio", ratio, "idleRatio", idle > 0 ? idle : 0.0,
                                        "busyRatio", task->busy_ratio, "backpressure-level", level_of(ratio)));
    }
    leat_rest_json(call->request, 200,
                   json_pack("{s:s,s:s,s:I,s:o,s:s}", "status", is_measured ? "ok" : "deprecated", "backpressureLevel",
                             level_of(worst), "end-timestamp", (json_int_t)leat_env_now_ms(call->manager->env),
                             "subtasks", subtasks, "backpressure-level", level_of(worst)));
}

void leat_rest_vertex_watermarks(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    int32_t index = job ? leat_rest_find_vertex(call, job) : -1;
    if (index < 0) return;
    json_t *list = json_array();
    for (int32_t t = 0; t < job->tasks_count; t++) {
        const leat_jm_task *task = &job->tasks[t];
        if (task->vertex != index || job->graph->vertices[index]->is_source || task->watermark_ms == INT64_MIN)
            continue;
        char id[64], value[32];
        snprintf(id, sizeof id, "%d.currentInputWatermark", task->subtask);
        snprintf(value, sizeof value, "%lld", (long long)task->watermark_ms);
        json_array_append_new(list, json_pack("{s:s,s:s}", "id", id, "value", value));
    }
    leat_rest_json(call->request, 200, list);
}
