/* The job manager's HTTP server: libwebsockets on one service thread, which only moves requests and answers.
 *
 *   service thread ── handler(request) ──▶ answers at once, or hands the request to another thread
 *         ▲                                      │
 *         └───────── leat_http_answer ◀──────────┘   (any thread; once a request)
 *
 * A request lives until it is answered, also when its client has gone meanwhile. Request bodies, headers and the number
 * of connections are bounded. HTTP/1.1 with keep-alive; no TLS yet: it listens where it is told, 127.0.0.1 by default.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/error.h"
#include "jobmanager/jobmanager.h"

typedef struct leat_http leat_http;
typedef struct leat_http_request leat_http_request;

enum { LEAT_HTTP_BODY_BYTES_MAX = 16 << 20, LEAT_HTTP_PATH_BYTES_MAX = 1024, LEAT_HTTP_QUERY_MAX = 16 };

typedef enum leat_http_method {
    LEAT_HTTP_GET,
    LEAT_HTTP_POST,
    LEAT_HTTP_PUT,
    LEAT_HTTP_PATCH,
    LEAT_HTTP_DELETE,
    LEAT_HTTP_OTHER,
} leat_http_method;

struct leat_http_request {
    leat_jm_message message; /* first: a handler posts the request to the job manager's loop with it */
    leat_http *http;
    leat_http_method method;
    char path[LEAT_HTTP_PATH_BYTES_MAX]; /* decoded, without query */
    char *query[LEAT_HTTP_QUERY_MAX];    /* "name=value", decoded */
    int query_count;
    leat_bytes body;
    void *handler_data;  /* the handler's */
    atomic_bool is_gone; /* the client closed the connection */
    /* Optional: on any thread, when the client closed its connection before the answer was delivered, or after
     * it without another request. Takes the request; leat_http_forget. */
    void (*on_lost)(leat_http_request *request);
    /* The server's. */
    void *connection;
    leat_http_request *next;
    int status;
    const char *content_type; /* static */
    leat_bytes answer;
    size_t answered_bytes;
};

typedef struct leat_http_options {
    const char *address;
    int port;                                              /* 0: any free one */
    void (*handle)(void *arg, leat_http_request *request); /* on the service thread; does not block */
    void (*tick)(void *arg);                               /* on the service thread, once a second */
    void *arg;
} leat_http_options;

/* Binds and starts the service thread. LEAT_UNAVAILABLE when the port is taken. */
LEAT_CHECKED leat_code leat_http_new(const leat_http_options *options, leat_http **out, leat_error *error);
int leat_http_port(const leat_http *http);
/* Ends the thread: no request comes any more; answers are still taken, and dropped. */
void leat_http_stop(leat_http *http);
/* Stops it if need be. Requests that were not answered yet must be answered before (or their memory is lost). */
void leat_http_free(leat_http *http);

/* Ends the request (do not touch it afterwards). Takes *body. `content_type` is static. */
void leat_http_answer(leat_http_request *request, int status, const char *content_type, leat_bytes *body);
/* Frees a request that on_lost took. */
void leat_http_forget(leat_http_request *request);
/* NULL when the query has no such parameter; borrowed. */
const char *leat_http_query(const leat_http_request *request, const char *name);
