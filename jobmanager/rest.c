#include "jobmanager/rest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/memory.h"
#include "jobmanager/page.h"

static const char content_type[] = "application/json; charset=UTF-8";

/* --- answers --- */

void leat_rest_json(leat_http_request *request, int status, json_t *json)
{
    leat_bytes body = {0};
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    leat_bytes_text(&body, text ? text : "{\"errors\":[\"Internal server error.\"]}");
    free(text); /* Jansson's allocation */
    json_decref(json);
    leat_http_answer(request, text ? status : 500, content_type, &body);
}

void leat_rest_fail(leat_http_request *request, int status, const char *format, ...)
{
    char text[1400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    leat_rest_json(request, status, json_pack("{s:[o]}", "errors", leat_rest_text(text)));
}

static int status_of(leat_code code)
{
    switch (code) {
    case LEAT_INVALID:
    case LEAT_EXISTS:
    case LEAT_UNSUPPORTED: return 400;
    case LEAT_DENIED: return 403;
    case LEAT_NOT_FOUND: return 404;
    case LEAT_CONFLICT: return 409;
    case LEAT_LIMIT: return 429;
    case LEAT_UNAVAILABLE:
    case LEAT_TIMEOUT: return 503;
    default: return 500;
    }
}

json_t *leat_rest_text(const char *text)
{
    json_t *string = json_string(text);
    if (string) return string;
    char *copy = leat_strdup(text);
    for (char *at = copy; at && *at; at++) {
        if ((unsigned char)*at >= 0x80) *at = '?';
    }
    string = json_string(copy ? copy : "");
    leat_free(copy);
    return string;
}

void leat_rest_error(leat_http_request *request, const leat_error *error)
{
    json_t *json = json_pack("{s:[o],s:s}", "errors", leat_rest_text(error->text), "code", leat_code_name(error->code));
    if (json && error->hint[0]) json_object_set_new(json, "hint", leat_rest_text(error->hint));
    leat_rest_json(request, status_of(error->code), json);
}

/* --- helpers --- */

leat_jm_job *leat_rest_find_job(leat_rest_call *call)
{
    const char *id = call->parameters[0];
    if (strlen(id) != 32 || strspn(id, "0123456789abcdefABCDEF") != 32) {
        leat_rest_fail(
            call->request, 400,
            "org.apache.flink.runtime.rest.handler.RestHandlerException: Bad request, could not parse parameters: "
            "Cannot resolve path parameter (jobid) from value \"%s\".",
            id);
        return NULL;
    }
    char lower[33] = {0};
    for (int i = 0; i < 32; i++)
        lower[i] = (char)(id[i] >= 'A' && id[i] <= 'F' ? id[i] + 32 : id[i]);
    leat_jm_job *job = leat_jobmanager_find_text(call->manager, lower);
    if (!job)
        leat_rest_fail(call->request, 404, "org.apache.flink.runtime.rest.NotFoundException: Job %s not found", lower);
    return job;
}

void leat_rest_vertex_id(const Leat__Pb__Vertex *vertex, char out[LEAT_REST_VERTEX_ID_BYTES])
{
    const char *uid = vertex->n_operators ? vertex->operators[0]->uid : vertex->name;
    XXH128_hash_t hash = XXH3_128bits(uid, strlen(uid));
    snprintf(out, LEAT_REST_VERTEX_ID_BYTES, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

const char *leat_rest_task_state(Leat__Pb__TaskState state)
{
    static const char *const names[] = {"CREATED",  "DEPLOYING", "INITIALIZING", "RUNNING",
                                        "FINISHED", "CANCELING", "CANCELED",     "FAILED"};
    return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "CREATED";
}

/* --- routes --- */

static const leat_rest_route routes[] = {
    {LEAT_HTTP_GET, "/overview", leat_rest_overview},
    {LEAT_HTTP_GET, "/config", leat_rest_config},
    {LEAT_HTTP_GET, "/jobmanager/config", leat_rest_cluster_config},
    {LEAT_HTTP_GET, "/jobmanager/metrics", leat_rest_jobmanager_metrics},
    {LEAT_HTTP_GET, "/taskmanagers", leat_rest_taskmanagers},
    {LEAT_HTTP_GET, "/taskmanagers/metrics", leat_rest_taskmanagers_metrics},
    {LEAT_HTTP_GET, "/taskmanagers/:id", leat_rest_taskmanager},
    {LEAT_HTTP_GET, "/taskmanagers/:id/metrics", leat_rest_taskmanager_metrics},
    {LEAT_HTTP_GET, "/jobs", leat_rest_jobs},
    {LEAT_HTTP_GET, "/jobs/metrics", leat_rest_jobs_metrics},
    {LEAT_HTTP_GET, "/jobs/overview", leat_rest_jobs_overview},
    {LEAT_HTTP_GET, "/jobs/:jobid", leat_rest_job},
    {LEAT_HTTP_PATCH, "/jobs/:jobid", leat_rest_job_cancel},
    {LEAT_HTTP_GET, "/jobs/:jobid/yarn-cancel", leat_rest_job_cancel},
    {LEAT_HTTP_POST, "/leat/v1/jobs/:jobid/stop", leat_rest_job_stop},
    {LEAT_HTTP_GET, "/jobs/:jobid/metrics", leat_rest_job_metrics},
    {LEAT_HTTP_GET, "/jobs/:jobid/plan", leat_rest_job_plan},
    {LEAT_HTTP_GET, "/jobs/:jobid/status", leat_rest_job_status},
    {LEAT_HTTP_GET, "/jobs/:jobid/config", leat_rest_job_config},
    {LEAT_HTTP_GET, "/jobs/:jobid/exceptions", leat_rest_job_exceptions},
    {LEAT_HTTP_GET, "/jobs/:jobid/execution-result", leat_rest_job_result},
    {LEAT_HTTP_GET, "/jobs/:jobid/checkpoints", leat_rest_checkpoints},
    {LEAT_HTTP_GET, "/jobs/:jobid/checkpoints/config", leat_rest_checkpoints_config},
    {LEAT_HTTP_GET, "/jobs/:jobid/checkpoints/details/:checkpointid", leat_rest_checkpoint},
    {LEAT_HTTP_GET, "/jobs/:jobid/vertices/:vertexid", leat_rest_vertex},
    {LEAT_HTTP_GET, "/jobs/:jobid/vertices/:vertexid/backpressure", leat_rest_vertex_backpressure},
    {LEAT_HTTP_GET, "/jobs/:jobid/vertices/:vertexid/metrics", leat_rest_vertex_metrics},
    {LEAT_HTTP_GET, "/jobs/:jobid/vertices/:vertexid/subtasks/metrics", leat_rest_subtasks_metrics},
    {LEAT_HTTP_GET, "/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/metrics", leat_rest_subtask_metrics},
    {LEAT_HTTP_GET, "/jobs/:jobid/vertices/:vertexid/watermarks", leat_rest_vertex_watermarks},
    {.path = NULL},
};

bool leat_rest_match(const char *pattern, const char *path, leat_rest_call *call)
{
    int count = 0;
    while (*pattern && *path) {
        if (*pattern != ':') {
            if (*pattern++ != *path++) return false;
            continue;
        }
        size_t length = strcspn(path, "/");
        if (!length || length >= LEAT_REST_PARAMETER_BYTES || count == LEAT_REST_PARAMETERS_MAX) return false;
        memcpy(call->parameters[count], path, length);
        call->parameters[count++][length] = '\0';
        path += length;
        pattern += strcspn(pattern, "/");
    }
    return !*pattern && !*path;
}

static void answer_page(leat_http_request *request)
{
    leat_bytes body = {0};
    leat_bytes_put(&body, leat_page, leat_page_bytes);
    leat_http_answer(request, 200, "text/html; charset=UTF-8", &body);
}

static void on_loop(leat_jobmanager *manager, leat_jm_message *message)
{
    leat_http_request *request = (leat_http_request *)message;
    leat_rest_call call = {.rest = request->handler_data, .manager = manager, .request = request};
    const char *path = request->path;
    if (strncmp(path, "/v1/", 4) == 0) path += 3;
    const leat_rest_route *const tables[] = {routes, call.rest->more_routes};
    bool is_known = false;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const leat_rest_route *route = tables[t]; route && route->path; route++) {
            if (!leat_rest_match(route->path, path, &call)) continue;
            is_known = true;
            if (route->method != request->method) continue;
            route->handle(&call);
            return;
        }
    }
    if (is_known)
        leat_rest_fail(request, 404, "Not found: %s", request->path);
    else
        leat_rest_fail(request, 404, "Unable to load requested file %s.", request->path);
}

void leat_rest_handle(void *arg, leat_http_request *request)
{
    leat_rest *rest = arg;
    bool is_page = strcmp(request->path, "/") == 0 || strcmp(request->path, "/index.html") == 0;
    if (is_page && request->method == LEAT_HTTP_GET) {
        answer_page(request);
        return;
    }
    request->handler_data = rest;
    request->message.handle = on_loop;
    leat_jobmanager_post(rest->manager, &request->message);
}

void leat_rest_tick(void *arg)
{
    leat_rest *rest = arg;
    if (rest->tick) rest->tick(rest->sessions);
}
