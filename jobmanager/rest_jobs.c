#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "jobmanager/rest.h"

static int64_t now_ms(const leat_rest_call *call)
{
    return leat_env_now_ms(call->manager->env);
}

static json_int_t end_of(const leat_jm_job *job)
{
    return leat_job_state_is_terminal(job->state) ? (json_int_t)job->ended_ms : -1;
}

static json_int_t duration_of(const leat_jm_job *job, int64_t now)
{
    return (json_int_t)((leat_job_state_is_terminal(job->state) ? job->ended_ms : now) - job->submitted_ms);
}

/* --- lists --- */

void leat_rest_jobs(leat_rest_call *call)
{
    json_t *list = json_array();
    for (const leat_jm_job *job = call->manager->jobs; job; job = job->next) {
        json_array_append_new(list,
                              json_pack("{s:s,s:s}", "id", job->id_text, "status", leat_job_state_name(job->state)));
    }
    leat_rest_json(call->request, 200, json_pack("{s:o}", "jobs", list));
}

static const char *const task_count_names[] = {"running",   "canceling",   "canceled", "created",      "scheduled",
                                               "deploying", "reconciling", "finished", "initializing", "failed"};

static json_t *count_tasks(const leat_jm_job *job)
{
    json_t *counts = json_pack("{s:i}", "total", job->tasks_count);
    for (size_t i = 0; i < sizeof task_count_names / sizeof task_count_names[0]; i++) {
        int count = 0;
        for (int32_t t = 0; t < job->tasks_count; t++) {
            count += strcasecmp(leat_rest_task_state(job->tasks[t].state), task_count_names[i]) == 0;
        }
        json_object_set_new(counts, task_count_names[i], json_integer(count));
    }
    return counts;
}

static int64_t last_change_ms(const leat_jm_job *job)
{
    int64_t last_ms = job->submitted_ms;
    for (int s = 0; s <= LEAT_JOB_CANCELED; s++) {
        if (job->state_since_ms[s] > last_ms) last_ms = job->state_since_ms[s];
    }
    return last_ms;
}

/* Not Flink's: a job that can't begin says what it lacks. */
static void put_wait(json_t *json, const leat_jm_job *job)
{
    if (!leat_jobmanager_waits_for_slots(job)) return;
    json_object_set_new(json, "waiting-for-slots",
                        json_pack("{s:i,s:i}", "needed", leat_jobmanager_slots_needed(job), "free",
                                  leat_jobmanager_slots_free(job->jobmanager)));
}

void leat_rest_jobs_overview(leat_rest_call *call)
{
    json_t *list = json_array();
    for (const leat_jm_job *job = call->manager->jobs; job; job = job->next) {
        json_t *json = json_pack("{s:s,s:s,s:I,s:I,s:I,s:s,s:I,s:o}", "jid", job->id_text, "name", job->graph->name,
                                 "start-time", (json_int_t)job->submitted_ms, "end-time", end_of(job), "duration",
                                 duration_of(job, now_ms(call)), "state", leat_job_state_name(job->state),
                                 "last-modification", (json_int_t)last_change_ms(job), "tasks", count_tasks(job));
        put_wait(json, job);
        json_array_append_new(list, json);
    }
    leat_rest_json(call->request, 200, json_pack("{s:o}", "jobs", list));
}

/* --- the plan --- */

static const char *strategy_of(const Leat__Pb__Edge *edge)
{
    static const char *const names[] = {"FORWARD", "HASH", "REBALANCE", "BROADCAST", "GLOBAL", "CUSTOM"};
    if (edge->ship_strategy) return edge->ship_strategy;
    return (size_t)edge->exchange < sizeof names / sizeof names[0] ? names[edge->exchange] : "FORWARD";
}

static json_t *describe(const Leat__Pb__Vertex *vertex)
{
    leat_bytes text = {0};
    for (size_t i = 0; i < vertex->n_operators; i++) {
        for (size_t blank = 1; blank < i; blank++)
            leat_bytes_text(&text, "   ");
        leat_bytes_format(&text, "%s%s<br/>", i ? "+- " : "", vertex->operators[i]->description);
    }
    json_t *json = json_string(text.data ? (const char *)text.data : "");
    leat_bytes_done(&text);
    return json;
}

json_t *leat_rest_plan(const leat_jm_job *job)
{
    json_t *nodes = json_array();
    for (size_t v = job->graph->n_vertices; v-- > 0;) {
        char id[LEAT_REST_VERTEX_ID_BYTES];
        leat_rest_vertex_id(job->graph->vertices[v], id);
        json_t *node = json_pack("{s:s,s:I,s:s,s:s,s:o}", "id", id, "parallelism",
                                 (json_int_t)job->graph->vertices[v]->parallelism, "operator", "", "operator_strategy",
                                 "", "description", describe(job->graph->vertices[v]));
        json_t *inputs = json_array();
        for (size_t e = 0; e < job->graph->n_edges; e++) {
            const Leat__Pb__Edge *edge = job->graph->edges[e];
            if (edge->target != v) continue;
            char source[LEAT_REST_VERTEX_ID_BYTES];
            leat_rest_vertex_id(job->graph->vertices[edge->source], source);
            json_array_append_new(inputs,
                                  json_pack("{s:I,s:s,s:s,s:s}", "num", (json_int_t)edge->input, "id", source,
                                            "ship_strategy", strategy_of(edge), "exchange", "pipelined_bounded"));
        }
        if (json_array_size(inputs)) json_object_set(node, "inputs", inputs);
        json_decref(inputs);
        json_object_set_new(node, "optimizer_properties", json_object());
        json_array_append_new(nodes, node);
    }
    return json_pack("{s:s,s:s,s:s,s:o}", "jid", job->id_text, "name", job->graph->name, "type",
                     job->graph->is_batch ? "BATCH" : "STREAMING", "nodes", nodes);
}

void leat_rest_job_plan(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (job) leat_rest_json(call->request, 200, json_pack("{s:o}", "plan", leat_rest_plan(job)));
}

/* --- one job --- */

static json_t *timestamps(const leat_jm_job *job)
{
    json_t *json = json_pack("{s:i,s:i}", "SUSPENDED", 0, "RECONCILING", 0);
    for (int s = 0; s <= LEAT_JOB_CANCELED; s++) {
        json_object_set_new(json, leat_job_state_name((leat_job_state)s),
                            json_integer((json_int_t)job->state_since_ms[s]));
    }
    return json;
}

static void set_metrics(leat_rest_call *call, json_t *json, leat_jm_job *job)
{
    json_object_set_new(json, "vertices", leat_rest_vertices(job, now_ms(call)));
    json_object_set_new(json, "status-counts", leat_rest_status_counts(json_object_get(json, "vertices")));
    json_object_set_new(json, "plan", leat_rest_plan(job));
}

void leat_rest_job(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    json_int_t max = (json_int_t)leat_config_int(&job->config, LEAT_OPTION_MAX_PARALLELISM);
    json_t *json = json_pack("{s:s,s:s,s:b,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:o}", "jid", job->id_text, "name",
                             job->graph->name, "isStoppable", 0, "state", leat_job_state_name(job->state), "job-type",
                             job->graph->is_batch ? "BATCH" : "STREAMING", "start-time", (json_int_t)job->submitted_ms,
                             "end-time", end_of(job), "duration", duration_of(job, now_ms(call)), "maxParallelism", max,
                             "now", (json_int_t)now_ms(call), "timestamps", timestamps(job));
    if (json) set_metrics(call, json, job);
    if (json) put_wait(json, job);
    leat_rest_json(call->request, 200, json);
}

void leat_rest_job_status(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (job) leat_rest_json(call->request, 200, json_pack("{s:s}", "status", leat_job_state_name(job->state)));
}

static const char *restart_strategy(const leat_jm_job *job)
{
    const char *strategy = leat_config_string(&job->config, LEAT_OPTION_RESTART_STRATEGY);
    return strategy[0] ? strategy : "Cluster level default restart strategy";
}

void leat_rest_job_config(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    json_t *user = json_object();
    for (size_t i = 0; i < job->graph->n_config; i++) {
        const Leat__Pb__ConfigEntry *entry = job->graph->config[i];
        json_t *value = leat_option_is_secret(entry->key)
                            ? json_string("******")
                            : json_stringn((const char *)entry->value.data, entry->value.len);
        json_object_set_new(user, entry->key, value ? value : json_string("?"));
    }
    json_t *execution = json_pack(
        "{s:s,s:s,s:I,s:b,s:o}", "execution-mode", job->graph->is_batch ? "BATCH" : "PIPELINED", "restart-strategy",
        restart_strategy(job), "job-parallelism", (json_int_t)leat_config_int(&job->config, LEAT_OPTION_PARALLELISM),
        "object-reuse-mode", 0, "user-config", user);
    leat_rest_json(
        call->request, 200,
        json_pack("{s:s,s:s,s:o}", "jid", job->id_text, "name", job->graph->name, "execution-config", execution));
}

/* --- failures --- */

static json_t *failure_text(const leat_jm_exception *exception)
{
    return leat_rest_text(exception->text);
}

void leat_rest_job_exceptions(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    const char *given = leat_http_query(call->request, "maxExceptions");
    int64_t limit = 20;
    if (given && (leat_parse_int(given, &limit, NULL) != LEAT_OK || limit < 0)) {
        leat_rest_fail(
            call->request, 400,
            "org.apache.flink.runtime.rest.handler.RestHandlerException: Bad request, could not parse parameters: "
            "Cannot resolve query parameter (maxExceptions) from value \"%s\".",
            given);
        return;
    }
    json_t *entries = json_array(), *all = json_array();
    for (int32_t i = job->exceptions_count; i-- > 0 && (int64_t)json_array_size(entries) < limit;) {
        const leat_jm_exception *exception = &job->exceptions[i];
        json_array_append_new(entries, json_pack("{s:s,s:o,s:I,s:{},s:s,s:s,s:s,s:s,s:[]}", "exceptionName",
                                                 leat_code_name(exception->code), "stacktrace", failure_text(exception),
                                                 "timestamp", (json_int_t)exception->at_ms, "failureLabels", "taskName",
                                                 exception->task, "location", "(unassigned)", "endpoint",
                                                 "(unassigned)", "hint", exception->hint, "concurrentExceptions"));
        if (json_array_size(all)) continue;
        json_array_append_new(all, json_pack("{s:o,s:s,s:s,s:s,s:I}", "exception", failure_text(exception), "task",
                                             exception->task, "location", "(unassigned)", "endpoint", "(unassigned)",
                                             "timestamp", (json_int_t)exception->at_ms));
    }
    const leat_jm_exception *last = job->exceptions_count ? &job->exceptions[job->exceptions_count - 1] : NULL;
    int is_cut = (int64_t)job->exceptions_count > limit;
    json_t *history = json_pack("{s:o,s:b}", "entries", entries, "truncated", is_cut);
    leat_rest_json(call->request, 200,
                   json_pack("{s:o,s:o,s:o,s:b,s:o}", "root-exception", last ? failure_text(last) : json_null(),
                             "timestamp", last ? json_integer((json_int_t)last->at_ms) : json_null(), "all-exceptions",
                             all, "truncated", is_cut, "exceptionHistory", history));
}

void leat_rest_job_result(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    if (!leat_job_state_is_terminal(job->state)) {
        leat_rest_json(call->request, 200, json_pack("{s:{s:s}}", "status", "id", "IN_PROGRESS"));
        return;
    }
    const char *status = job->state == LEAT_JOB_FINISHED ? "SUCCEEDED" : leat_job_state_name(job->state);
    json_t *result = json_pack("{s:s,s:s,s:{},s:I}", "id", job->id_text, "application-status", status,
                               "accumulator-results", "net-runtime", duration_of(job, now_ms(call)));
    if (job->state == LEAT_JOB_FAILED && job->exceptions_count) {
        const leat_jm_exception *last = &job->exceptions[job->exceptions_count - 1];
        json_object_set_new(result, "failure-cause",
                            json_pack("{s:s,s:o,s:s}", "class", leat_code_name(last->code), "stack-trace",
                                      failure_text(last), "hint", last->hint));
    }
    leat_rest_json(call->request, 200,
                   json_pack("{s:{s:s},s:o}", "status", "id", "COMPLETED", "job-execution-result", result));
}

void leat_rest_job_cancel(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    const char *mode = leat_http_query(call->request, "mode");
    if (mode && strcmp(mode, "stop") == 0) {
        leat_rest_fail(call->request, 308,
                       "The termination mode \"stop\" has been removed. For a graceful shutdown, please use "
                       "\"stop-with-savepoint\" instead.");
        return;
    }
    if (mode && strcmp(mode, "cancel") != 0) {
        leat_rest_fail(
            call->request, 400,
            "org.apache.flink.runtime.rest.handler.RestHandlerException: Bad request, could not parse parameters: "
            "Cannot resolve query parameter (mode) from value \"%s\".",
            mode);
        return;
    }
    leat_error error = {0};
    if (job->state != LEAT_JOB_CANCELED && leat_jobmanager_cancel(call->manager, job, &error) != LEAT_OK) {
        leat_rest_fail(call->request, 409,
                       "Job cancellation failed because the job has already reached another terminal state (%s).",
                       leat_job_state_name(job->state));
        return;
    }
    leat_rest_json(call->request, 202, json_object());
}

/* POST /leat/v1/jobs/:jobid/stop */
void leat_rest_job_stop(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    leat_error error = {0};
    if (leat_jobmanager_stop(call->manager, job, &error) == LEAT_OK)
        leat_rest_json(call->request, 202, json_object());
    else
        leat_rest_fail(call->request, 409, "%s", error.text);
}
