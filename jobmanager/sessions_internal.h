/* Inside the sessions: what sessions.c (their life and threads), statements.c (what runs on a thread) and queries.c
 * (rows of SELECTs) share. */
#pragma once

#include <pthread.h>

#include "jobmanager/row_format.h"
#include "jobmanager/sessions.h"

typedef struct leat_session_entry leat_session_entry;
typedef struct leat_session_work leat_session_work;
typedef struct leat_query leat_query;

/* A request on its way: loop → session thread (`run`) → loop (`finish`, which answers it). */
struct leat_session_work {
    leat_jm_message message; /* first */
    leat_session_work *next;
    leat_session_entry *session;
    leat_http_request *request;
    /* On the session's thread; may block. */
    leat_code (*run)(leat_session_work *work, leat_error *error);
    /* On the loop, also after an error (`code`): answers the request. */
    void (*finish)(leat_session_work *work);
    json_t *input; /* the request's body; an object, or NULL */
    leat_code code;
    leat_error error;
    /* What `run` made. */
    json_t *output;
    leat_session_result result;
    bool has_result;               /* `result` is to be freed */
    leat_jm_submission submission; /* of a job: made from the result's graph, and stored */
    char table[3][LEAT_REST_PARAMETER_BYTES];
};

struct leat_session_entry {
    leat_session_entry *next;
    leat_sessions *owner;
    char id[33];
    int64_t used_ms; /* monotonic */
    int busy;        /* works that the thread has */
    bool is_closing;
    bool is_single; /* made for one work: ends after it */
    leat_query *queries;
    int queries_count;
    pthread_t thread;
    leat_jm_message ended; /* the thread's last word */
    /* The thread's. */
    leat_session *sql;
    int64_t restored_id; /* checkpoint that a job of the session began from; 0: none */
    /* Between them. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    leat_session_work *works, **works_last; /* under lock */
    bool must_end;                          /* under lock */
};

struct leat_sessions {
    leat_sessions_options options;
    leat_catalog_store *catalogs;
    leat_session_entry *sessions; /* the loop's */
    int sessions_count;
    leat_jm_message tick;
    atomic_bool is_ticking; /* the tick is posted and not handled yet */
};

/* A SELECT's result. The loop's; `references` counts the list and each fetch that formats rows of it. */
struct leat_query {
    leat_query *next;
    leat_session_entry *session;
    int number, references;
    int64_t read_ms;  /* when its reader was last heard or answered */
    bool was_asked;   /* for rows, at least once */
    bool was_read_up; /* its end was told */
    char job_id[33];
    leat_session_result result; /* schema, time zone, names */
    leat_http_request *waiting; /* NULL: nobody waits for rows */
    uint64_t waiting_from;
    leat_row_format waiting_format;
    int64_t abandoned_ms; /* when its reader closed the connection; 0: it did not */
};

/* --- sessions.c --- */
leat_session_entry *leat_sessions_find(leat_rest_call *call);
/* Hands the work to the session's thread; or fails the request. Takes `work`. */
void leat_session_post(leat_session_entry *session, leat_session_work *work);
/* A work for the call's request with its body parsed; NULL after the request was failed. */
leat_session_work *leat_session_work_new(leat_rest_call *call);
/* A session with a thread and its first work (leat_session_work_new), to be posted; NULL after the request was failed.
 */
leat_session_entry *leat_session_start(leat_rest_call *call, leat_session_work **work);
/* No new work; queries end; goes when the thread has. */
void leat_session_end(leat_session_entry *session);

/* --- statements.c --- */
/* On the session's thread: makes a job of the result's graph, and stores it. */
LEAT_CHECKED leat_code leat_session_prepare(leat_session_work *work, leat_error *error);

/* The end of most works: the error, or `output`. */
void leat_session_answer_output(leat_session_work *work);

/* --- queries.c --- */
/* Takes over *result. NULL: no memory. */
leat_query *leat_query_new(leat_session_entry *session, leat_jm_job *job, leat_session_result *result);
void leat_query_close(leat_query *query);
bool leat_query_was_abandoned(const leat_query *query, int64_t now_ms);
/* {"name","type"} a column. */
json_t *leat_query_columns(const leat_schema *schema);
