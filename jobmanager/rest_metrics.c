#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "jobmanager/rest.h"

/* …/metrics: names without `get`, values (always text) with it; where it is over several scopes, aggregates (numbers).
 */

/* Whether the comma-separated list has the word; no list has all. */
static bool is_in(const char *list, const char *word)
{
    if (!list) return true;
    size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || !at[length])) return true;
    }
    return false;
}

/* --- one scope --- */

static void put(json_t *list, const char *wanted, const char *prefix, const leat_metrics *metrics)
{
    for (size_t i = 0; i < metrics->count; i++) {
        char id[LEAT_METRIC_NAME_BYTES + 16], value[512];
        snprintf(id, sizeof id, "%s%s", prefix, metrics->items[i].name);
        if (!is_in(wanted, id)) continue;
        json_t *metric = json_pack("{s:o}", "id", leat_rest_text(id));
        leat_metric_print(&metrics->items[i], value, sizeof value);
        if (wanted) json_object_set_new(metric, "value", leat_rest_text(value));
        json_array_append_new(list, metric);
    }
}

static void answer_one(leat_rest_call *call, const leat_metrics *metrics)
{
    json_t *list = json_array();
    put(list, leat_http_query(call->request, "get"), "", metrics);
    leat_rest_json(call->request, 200, list);
}

void leat_rest_jobmanager_metrics(leat_rest_call *call)
{
    leat_jobmanager_measure(call->manager);
    answer_one(call, &call->manager->metrics);
}

void leat_rest_taskmanager_metrics(leat_rest_call *call)
{
    static const leat_metrics none;
    const leat_metrics *found = &none; /* as Flink: nothing is known of it */
    for (size_t i = 0; i < call->manager->taskmanagers_count; i++) {
        const leat_jm_taskmanager *taskmanager = &call->manager->taskmanagers[i];
        if (taskmanager->is_alive && strcmp(taskmanager->id, call->parameters[0]) == 0) found = &taskmanager->metrics;
    }
    answer_one(call, found);
}

void leat_rest_job_metrics(leat_rest_call *call)
{
    leat_jm_job *job = leat_jobmanager_find_text(call->manager, call->parameters[0]);
    if (!job) { /* Flink's manners: not 404 */
        leat_rest_json(call->request, 200, json_array());
        return;
    }
    leat_jobmanager_measure_job(job);
    answer_one(call, &job->metrics);
}

void leat_rest_vertex_metrics(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    int32_t index = job ? leat_rest_find_vertex(call, job) : -1;
    if (index < 0) return;
    json_t *list = json_array();
    for (int32_t t = 0; t < job->tasks_count; t++) {
        if (job->tasks[t].vertex != index) continue;
        char prefix[16];
        snprintf(prefix, sizeof prefix, "%d.", job->tasks[t].subtask);
        put(list, leat_http_query(call->request, "get"), prefix, &job->tasks[t].metrics);
    }
    leat_rest_json(call->request, 200, list);
}

void leat_rest_subtask_metrics(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    int32_t index = job ? leat_rest_find_vertex(call, job) : -1;
    if (index < 0) return;
    int64_t subtask;
    bool is_number = leat_parse_int(call->parameters[2], &subtask, NULL) == LEAT_OK;
    for (int32_t t = 0; is_number && t < job->tasks_count; t++) {
        if (job->tasks[t].vertex != index || job->tasks[t].subtask != subtask) continue;
        answer_one(call, &job->tasks[t].metrics);
        return;
    }
    leat_rest_fail(call->request, 404,
                   "org.apache.flink.runtime.rest.handler.RestHandlerException: Invalid subtask index for vertex %s",
                   call->parameters[1]);
}

/* --- several scopes --- */

static const char *const aggregates[] = {"min", "max", "avg", "sum", "skew"};
enum { AGGREGATES_COUNT = sizeof aggregates / sizeof aggregates[0], SCOPES_MAX = 65536 };

typedef struct scopes {
    const leat_metrics **list;
    size_t count, capacity;
} scopes;

static void add_scope(scopes *self, const leat_metrics *metrics)
{
    if (self->count == SCOPES_MAX ||
        leat_grow(&self->list, &self->capacity, self->count + 1, sizeof *self->list, NULL) != LEAT_OK) {
        return; /* a scope less */
    }
    self->list[self->count++] = metrics;
}

/* False: `agg` names what is none. */
static bool are_aggregates(const char *list)
{
    size_t known = 0, words = list ? 1 : 0;
    for (const char *at = list; at && *at; at++)
        words += *at == ',';
    for (int i = 0; list && i < AGGREGATES_COUNT; i++)
        known += is_in(list, aggregates[i]);
    return known == words;
}

static json_t *summary_json(const char *name, const leat_metric_summary *of, const char *wanted)
{
    const double values[AGGREGATES_COUNT] = {of->min, of->max, of->avg, of->sum, of->skew};
    json_t *json = json_pack("{s:o}", "id", leat_rest_text(name));
    for (int i = 0; i < AGGREGATES_COUNT; i++) {
        if (is_in(wanted, aggregates[i])) json_object_set_new(json, aggregates[i], json_real(values[i]));
    }
    return json;
}

/* A name that no scope before `at` has. */
static bool is_first(const scopes *self, size_t at, const char *name)
{
    for (size_t s = 0; s < at; s++) {
        if (leat_metrics_find(self->list[s], name)) return false;
    }
    return true;
}

static void put_summary(json_t *list, const scopes *self, const char *name, const char *wanted, double *values)
{
    size_t count = 0;
    for (size_t s = 0; s < self->count; s++) {
        const leat_metric *metric = leat_metrics_find(self->list[s], name);
        if (metric && leat_metric_number(metric, &values[count])) count++;
    }
    leat_metric_summary summary;
    leat_metric_summarize(values, count, &summary);
    if (count) json_array_append_new(list, summary_json(name, &summary, wanted));
}

/* Frees the scopes. */
static void answer_all(leat_rest_call *call, scopes *self)
{
    const char *wanted = leat_http_query(call->request, "get"), *agg = leat_http_query(call->request, "agg");
    double *values = leat_calloc(self->count, sizeof *values);
    json_t *list = json_array();
    for (size_t s = 0; values && s < self->count; s++) {
        for (size_t i = 0; i < self->list[s]->count; i++) {
            const char *name = self->list[s]->items[i].name;
            if (!is_in(wanted, name) || !is_first(self, s, name)) continue;
            if (wanted)
                put_summary(list, self, name, agg, values);
            else
                json_array_append_new(list, json_pack("{s:o}", "id", leat_rest_text(name)));
        }
    }
    leat_free(values);
    leat_free(self->list);
    leat_rest_json(call->request, 200, list);
}

/* Before anything is collected; false: it was answered. */
static bool check_query(leat_rest_call *call)
{
    const char *agg = leat_http_query(call->request, "agg");
    if (are_aggregates(agg)) return true;
    leat_rest_fail(call->request, 400,
                   "org.apache.flink.runtime.rest.handler.RestHandlerException: Bad request, could not parse "
                   "parameters: Cannot resolve query parameter (agg) from value \"%s\".",
                   agg);
    return false;
}

void leat_rest_jobs_metrics(leat_rest_call *call)
{
    if (!check_query(call)) return;
    scopes all = {0};
    for (leat_jm_job *job = call->manager->jobs; job; job = job->next) {
        if (!is_in(leat_http_query(call->request, "jobs"), job->id_text)) continue;
        leat_jobmanager_measure_job(job);
        add_scope(&all, &job->metrics);
    }
    answer_all(call, &all);
}

void leat_rest_taskmanagers_metrics(leat_rest_call *call)
{
    if (!check_query(call)) return;
    scopes all = {0};
    for (size_t i = 0; i < call->manager->taskmanagers_count; i++) {
        const leat_jm_taskmanager *taskmanager = &call->manager->taskmanagers[i];
        bool is_wanted = is_in(leat_http_query(call->request, "taskmanagers"), taskmanager->id);
        if (taskmanager->is_alive && is_wanted) add_scope(&all, &taskmanager->metrics);
    }
    answer_all(call, &all);
}

/* "0,2-4"; no list has all. */
static bool is_in_ranges(const char *list, int64_t number)
{
    for (const char *at = list; at && *at;) {
        char *end;
        long long from = strtoll(at, &end, 10), to = from;
        if (*end == '-') to = strtoll(end + 1, &end, 10);
        if (number >= from && number <= to) return true;
        at = strchr(end, ',');
        if (at) at++;
    }
    return !list;
}

void leat_rest_subtasks_metrics(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    int32_t index = job ? leat_rest_find_vertex(call, job) : -1;
    if (index < 0 || !check_query(call)) return;
    scopes all = {0};
    for (int32_t t = 0; t < job->tasks_count; t++) {
        bool is_wanted = is_in_ranges(leat_http_query(call->request, "subtasks"), job->tasks[t].subtask);
        if (job->tasks[t].vertex == index && is_wanted) add_scope(&all, &job->tasks[t].metrics);
    }
    answer_all(call, &all);
}
