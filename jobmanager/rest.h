/* The REST API: Flink's paths and shapes (spec: Flink 1.20 REST API), and Leat's own under /leat/v1.
 *
 * A request comes in on the HTTP thread and is posted to the job manager's loop; the functions here run there, build
 * their answer from the state in front of them, and hand it back. What takes long (statements, rows) goes on to session
 * and I/O threads (sessions.h). Every path is in the table of rest.c. */
#pragma once

#include <jansson.h>

#include "jobmanager/http.h"
#include "jobmanager/jobmanager.h"

typedef struct leat_sessions leat_sessions; /* sessions.h */
typedef struct leat_rest_call leat_rest_call;

typedef struct leat_rest_route {
    leat_http_method method;
    const char *path; /* "/jobs/:jobid": a colon begins a parameter, up to the next slash */
    void (*handle)(leat_rest_call *call);
} leat_rest_route;

typedef struct leat_rest {
    leat_jobmanager *manager;
    leat_sessions *sessions;
    const leat_rest_route *more_routes;    /* ended by a NULL path; NULL: none */
    void (*tick)(leat_sessions *sessions); /* on the HTTP thread, once a second; NULL: none */
} leat_rest;

enum { LEAT_REST_PARAMETERS_MAX = 4, LEAT_REST_PARAMETER_BYTES = 128 };

struct leat_rest_call {
    leat_rest *rest;
    leat_jobmanager *manager;
    leat_http_request *request;
    char parameters[LEAT_REST_PARAMETERS_MAX][LEAT_REST_PARAMETER_BYTES]; /* of the path, in order */
};

/* For leat_http_options. */
void leat_rest_handle(void *rest, leat_http_request *request);
void leat_rest_tick(void *rest);

/* --- answers: each ends the request --- */
/* Takes the reference; NULL: 500. */
void leat_rest_json(leat_http_request *request, int status, json_t *json);
void leat_rest_fail(leat_http_request *request, int status, const char *format, ...) LEAT_PRINTF(3, 4);
/* {"errors":[text],"code":…,"hint":…} with the status that the code stands for. */
void leat_rest_error(leat_http_request *request, const leat_error *error);

/* --- helpers --- */
/* Whether the path is the route's; fills the parameters. */
bool leat_rest_match(const char *pattern, const char *path, leat_rest_call *call);
/* The job of the path's first parameter, or NULL after it was answered with 400 or 404. */
leat_jm_job *leat_rest_find_job(leat_rest_call *call);
/* The index of the vertex of the path's second parameter; -1 after it was answered. */
int32_t leat_rest_find_vertex(leat_rest_call *call, const leat_jm_job *job);
enum { LEAT_REST_VERTEX_ID_BYTES = 33 };
/* 32 hex digits, made from the uid of the vertex' head operator: stable over submissions. */
void leat_rest_vertex_id(const Leat__Pb__Vertex *vertex, char out[LEAT_REST_VERTEX_ID_BYTES]);
const char *leat_rest_task_state(Leat__Pb__TaskState state);
/* Errors and names may quote bytes that are no UTF-8: those are shown as '?', so that the answer stays JSON. */
json_t *leat_rest_text(const char *text);
/* "vertices" of a job; counts of their states. */
json_t *leat_rest_vertices(const leat_jm_job *job, int64_t now_ms);
json_t *leat_rest_status_counts(const json_t *vertices);
json_t *leat_rest_plan(const leat_jm_job *job);

/* --- handlers --- */
void leat_rest_overview(leat_rest_call *call);
void leat_rest_config(leat_rest_call *call);
void leat_rest_cluster_config(leat_rest_call *call);
void leat_rest_taskmanagers(leat_rest_call *call);
void leat_rest_taskmanager(leat_rest_call *call);
void leat_rest_jobs(leat_rest_call *call);
void leat_rest_jobs_overview(leat_rest_call *call);
void leat_rest_job(leat_rest_call *call);
void leat_rest_job_plan(leat_rest_call *call);
void leat_rest_job_status(leat_rest_call *call);
void leat_rest_job_config(leat_rest_call *call);
void leat_rest_job_exceptions(leat_rest_call *call);
void leat_rest_job_result(leat_rest_call *call);
void leat_rest_job_cancel(leat_rest_call *call);
void leat_rest_job_stop(leat_rest_call *call);
void leat_rest_vertex(leat_rest_call *call);
void leat_rest_vertex_backpressure(leat_rest_call *call);
void leat_rest_vertex_metrics(leat_rest_call *call);
void leat_rest_subtask_metrics(leat_rest_call *call);
void leat_rest_subtasks_metrics(leat_rest_call *call);
void leat_rest_job_metrics(leat_rest_call *call);
void leat_rest_jobs_metrics(leat_rest_call *call);
void leat_rest_taskmanager_metrics(leat_rest_call *call);
void leat_rest_taskmanagers_metrics(leat_rest_call *call);
void leat_rest_jobmanager_metrics(leat_rest_call *call);
void leat_rest_vertex_watermarks(leat_rest_call *call);
void leat_rest_checkpoints(leat_rest_call *call);
void leat_rest_checkpoints_config(leat_rest_call *call);
void leat_rest_checkpoint(leat_rest_call *call);
