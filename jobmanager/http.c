#include "jobmanager/http.h"

#include <errno.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "common/memory.h"

enum { CONNECTIONS_MAX = 512, WRITE_BYTES_MAX = 64 << 10, TICK_US = 1000 * 1000, IDLE_SECONDS = 60 };

typedef struct connection connection;

struct leat_http {
    leat_http_options options;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws_protocols protocols[2];
    lws_sorted_usec_list_t tick;
    connection *waiting; /* the service thread's */
    pthread_t thread;
    bool has_thread;
    atomic_bool is_stopping;
    pthread_mutex_t lock;
    leat_http_request *answered; /* under lock: waits to be written */
};

/* What libwebsockets keeps for a connection. */
struct connection {
    connection *next, **link; /* among those whose client waits for an answer */
    struct lws *wsi;
    leat_http_request *request; /* NULL: between two requests */
    bool closes;                /* after this answer */
    bool is_handed;             /* to the handler */
    bool is_answered;           /* the answer may be written */
    bool has_head;              /* its head is written */
    bool has_body;              /* the end of its body was told */
};

void leat_http_forget(leat_http_request *request)
{
    for (int i = 0; i < request->query_count; i++)
        leat_free(request->query[i]);
    leat_bytes_done(&request->body);
    leat_bytes_done(&request->answer);
    leat_free(request);
}

static const struct {
    enum lws_token_indexes token;
    leat_http_method method;
} method_tokens[] = {
    {WSI_TOKEN_GET_URI, LEAT_HTTP_GET},       {WSI_TOKEN_POST_URI, LEAT_HTTP_POST},
    {WSI_TOKEN_PUT_URI, LEAT_HTTP_PUT},       {WSI_TOKEN_PATCH_URI, LEAT_HTTP_PATCH},
    {WSI_TOKEN_DELETE_URI, LEAT_HTTP_DELETE}, {WSI_TOKEN_HEAD_URI, LEAT_HTTP_OTHER},
    {WSI_TOKEN_OPTIONS_URI, LEAT_HTTP_OTHER}, {WSI_TOKEN_CONNECT, LEAT_HTTP_OTHER},
};

static leat_http_method method_of(struct lws *wsi)
{
    for (size_t i = 0; i < sizeof method_tokens / sizeof method_tokens[0]; i++) {
        if (lws_hdr_total_length(wsi, method_tokens[i].token) > 0) return method_tokens[i].method;
    }
    return LEAT_HTTP_OTHER;
}

static leat_http_request *make_request(leat_http *self, struct lws *wsi, const char *path, size_t length)
{
    leat_http_request *request = leat_calloc(1, sizeof *request);
    if (!request) return NULL;
    request->http = self;
    request->connection = wsi;
    request->method = method_of(wsi);
    if (length >= sizeof request->path) length = sizeof request->path - 1;
    memcpy(request->path, path, length);
    char fragment[1024];
    for (int i = 0; i < LEAT_HTTP_QUERY_MAX; i++) {
        if (lws_hdr_copy_fragment(wsi, fragment, sizeof fragment, WSI_TOKEN_HTTP_URI_ARGS, i) < 0) break;
        request->query[i] = leat_strdup(fragment);
        if (!request->query[i]) break;
        request->query_count++;
    }
    return request;
}

/* 1: there is a body to wait for; 0: none; -1: too large. */
static int body_follows(struct lws *wsi, leat_http_method method, bool *closes)
{
    char text[24] = "";
    bool has_length = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0;
    bool takes_body = method == LEAT_HTTP_POST || method == LEAT_HTTP_PUT || method == LEAT_HTTP_PATCH;
    if (method == LEAT_HTTP_OTHER)
        *closes = true; /* HEAD wants no body: the end of the connection ends the confusion */
    if (!takes_body) return 0;
    if (!has_length) { /* libwebsockets would wait for a body that never comes: answer, then close */
        *closes = true;
        return 0;
    }
    int64_t size;
    if (leat_parse_int(text, &size, NULL) != LEAT_OK || size < 0 || size > LEAT_HTTP_BODY_BYTES_MAX) {
        *closes = true;
        return -1;
    }
    return size > 0; /* whether libwebsockets tells the end of an empty body depends on the method */
}

static void answer_text(leat_http_request *request, int status, const char *json)
{
    leat_bytes body = {0};
    leat_bytes_text(&body, json);
    leat_http_answer(request, status, "application/json; charset=UTF-8", &body);
}

/* What a connection answered last, if it wants to know when the client goes. It hangs on the socket's object and not on
 * `connection`, which libwebsockets makes anew for each request. */
static void drop_last(struct lws *wsi)
{
    leat_http_request *last = lws_get_opaque_user_data(wsi);
    if (last) leat_http_forget(last);
    lws_set_opaque_user_data(wsi, NULL);
}

static void on_destroy(struct lws *wsi)
{
    leat_http_request *last = lws_get_opaque_user_data(wsi);
    if (last) last->on_lost(last);
    lws_set_opaque_user_data(wsi, NULL);
}

static void begin_wait(leat_http *self, connection *peer)
{
    peer->next = self->waiting;
    peer->link = &self->waiting;
    if (peer->next) peer->next->link = &peer->next;
    self->waiting = peer;
}

static void end_wait(connection *peer)
{
    if (!peer->link) return;
    *peer->link = peer->next;
    if (peer->next) peer->next->link = peer->link;
    peer->link = NULL;
}

static int on_request(leat_http *self, struct lws *wsi, connection *peer, const char *path, size_t length)
{
    peer->request = make_request(self, wsi, path, length);
    drop_last(wsi);
    *peer = (connection){.wsi = wsi, .request = peer->request};
    if (!peer->request) return -1;
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0); /* an answer may take long: long polls */
    begin_wait(self, peer);
    int body = body_follows(wsi, peer->request->method, &peer->closes);
    if (body < 0) answer_text(peer->request, 413, "{\"errors\":[\"The request's body is too large.\"]}");
    peer->is_handed = body <= 0;
    if (body == 0) self->options.handle(self->options.arg, peer->request);
    return 0;
}

static int on_body(connection *peer, const void *data, size_t size)
{
    leat_http_request *request = peer->request;
    if (!request || peer->is_handed) return size ? -1 : 0; /* an empty body is told, too, after it was answered */
    if (request->body.size + size > LEAT_HTTP_BODY_BYTES_MAX) return -1;
    leat_bytes_put(&request->body, data, size);
    return request->body.failed ? -1 : 0;
}

/* Of a body that came in one piece with the request before it, libwebsockets tells the end again and again, and looks
 * at nothing else: such a client, who did not wait for the answer before, loses its connection. */
static int on_body_end(leat_http *self, struct lws *wsi, connection *peer)
{
    if (peer->has_body) return -1;
    peer->has_body = true;
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    if (peer->request && !peer->is_handed) {
        peer->is_handed = true;
        self->options.handle(self->options.arg, peer->request);
    }
    return 0;
}

static int write_head(struct lws *wsi, connection *peer)
{
    leat_http_request *request = peer->request;
    uint8_t buffer[LWS_PRE + 1024], *start = buffer + LWS_PRE, *at = start, *end = buffer + sizeof buffer - 1;
    const char *type = request->content_type;
    if (lws_add_http_common_headers(wsi, (unsigned)request->status, type, request->answer.size, &at, end)) return -1;
    if (lws_add_http_header_by_name(wsi, (const uint8_t *)"access-control-allow-origin:", (const uint8_t *)"*", 1, &at,
                                    end))
        return -1;
    if (peer->closes &&
        lws_add_http_header_by_token(wsi, WSI_TOKEN_CONNECTION, (const uint8_t *)"close", 5, &at, end)) {
        return -1;
    }
    if (lws_finalize_http_header(wsi, &at, end)) return -1;
    size_t size = (size_t)(at - start);
    if (lws_write(wsi, start, size, LWS_WRITE_HTTP_HEADERS) != (int)size) return -1;
    peer->has_head = true;
    return 0;
}

/* Whether the client closed its end: libwebsockets does not look while it waits for us. */
static bool has_left(struct lws *wsi)
{
    char byte;
    ssize_t got = recv(lws_get_socket_fd(wsi), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* One write a callback: libwebsockets calls again when the socket takes more. */
static int on_writable(struct lws *wsi, connection *peer)
{
    leat_http_request *request = peer->request;
    if (!request || !peer->is_answered) return 0;
    if (!peer->has_head) {
        if (request->on_lost && has_left(wsi)) return -1;
        if (write_head(wsi, peer) != 0) return -1;
        if (request->answer.size) {
            lws_callback_on_writable(wsi);
            return 0;
        }
    }
    size_t left = request->answer.size - request->answered_bytes;
    if (left) {
        size_t size = left < WRITE_BYTES_MAX ? left : WRITE_BYTES_MAX;
        static _Thread_local uint8_t buffer[LWS_PRE + WRITE_BYTES_MAX]; /* the service thread's */
        memcpy(buffer + LWS_PRE, request->answer.data + request->answered_bytes, size);
        bool is_last = size == left;
        int wrote = lws_write(wsi, buffer + LWS_PRE, size, is_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP);
        if (wrote < (int)size) return -1;
        request->answered_bytes += size;
        if (!is_last) {
            lws_callback_on_writable(wsi);
            return 0;
        }
    }
    peer->request = NULL;
    end_wait(peer);
    if (request->on_lost)
        lws_set_opaque_user_data(wsi, request);
    else
        leat_http_forget(request);
    if (peer->closes) return -1;
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_KEEPALIVE_IDLE, IDLE_SECONDS);
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static void on_closed(leat_http *self, connection *peer)
{
    leat_http_request *request = peer->request;
    peer->request = NULL;
    end_wait(peer);
    if (!request) return;
    if (!peer->is_handed) { /* its body was still to come: nobody will answer it */
        leat_http_forget(request);
        return;
    }
    pthread_mutex_lock(&self->lock);
    bool is_answered = request->content_type != NULL;
    request->connection = NULL; /* who answers later frees it */
    atomic_store_explicit(&request->is_gone, true, memory_order_relaxed);
    for (leat_http_request **link = &self->answered; *link; link = &(*link)->next) {
        if (*link != request) continue;
        *link = request->next;
        break;
    }
    pthread_mutex_unlock(&self->lock);
    if (is_answered && request->on_lost)
        request->on_lost(request);
    else if (is_answered)
        leat_http_forget(request);
}

static void take_answers(leat_http *self)
{
    pthread_mutex_lock(&self->lock);
    leat_http_request *request = self->answered;
    self->answered = NULL;
    pthread_mutex_unlock(&self->lock);
    while (request) {
        leat_http_request *next = request->next;
        ((connection *)lws_wsi_user(request->connection))->is_answered = true;
        lws_callback_on_writable(request->connection);
        request = next;
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
    struct lws_context *context = lws_get_context(wsi);
    leat_http *self = context ? lws_context_user(context) : NULL;
    connection *peer = user;
    if (!self) return 0; /* before the context is whole */
    switch ((int)reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED: take_answers(self); return 0;
    case LWS_CALLBACK_HTTP: return on_request(self, wsi, peer, in, length);
    case LWS_CALLBACK_HTTP_BODY: return on_body(peer, in, length);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION: return on_body_end(self, wsi, peer);
    case LWS_CALLBACK_HTTP_WRITEABLE: return on_writable(wsi, peer);
    case LWS_CALLBACK_WSI_DESTROY: on_destroy(wsi); return 0;
    case LWS_CALLBACK_CLOSED_HTTP:
        if (peer) on_closed(self, peer);
        return 0;
    default: return 0;
    }
}

static void close_abandoned(leat_http *self)
{
    for (connection *peer = self->waiting, *next; peer; peer = next) {
        next = peer->next;
        if (has_left(peer->wsi)) lws_set_timeout(peer->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    }
}

static void on_tick(lws_sorted_usec_list_t *list)
{
    leat_http *self = lws_container_of(list, leat_http, tick);
    close_abandoned(self);
    self->options.tick(self->options.arg);
    lws_sul_schedule(self->context, 0, &self->tick, on_tick, TICK_US);
}

enum { SAME_LINE_SECONDS = 10 };

/* A connection could not be accepted, for want of descriptors: it stays in the queue, so that the library tries again
 * at once, and says so each time. It must not do so a million times a second. */
static atomic_bool is_starved;
static const struct timespec starved_pause = {.tv_nsec = 100000000};

static void *serve(void *arg)
{
    leat_http *self = arg;
    lws_sul_schedule(self->context, 0, &self->tick, on_tick, TICK_US);
    while (!atomic_load_explicit(&self->is_stopping, memory_order_acquire)) {
        if (lws_service(self->context, 0) < 0) break;
        if (atomic_exchange_explicit(&is_starved, false, memory_order_relaxed)) nanosleep(&starved_pause, NULL);
    }
    return NULL;
}

/* True when this line was said within the last SAME_LINE_SECONDS. */
static bool was_said(const char *line, size_t length)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char last[128];
    static time_t said_s;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&lock);
    bool is_same = strlen(last) == length && memcmp(last, line, length) == 0;
    bool was = is_same && now.tv_sec - said_s < SAME_LINE_SECONDS;
    if (!was) {
        snprintf(last, sizeof last, "%.*s", (int)length, line);
        said_s = now.tv_sec;
    }
    pthread_mutex_unlock(&lock);
    return was;
}

static void take_log(int level, const char *line)
{
    size_t length = strcspn(line, "\n");
    if (strncmp(line, "accept:", strlen("accept:")) == 0)
        atomic_store_explicit(&is_starved, true, memory_order_relaxed);
    if (was_said(line, length)) return;
    leat_log(level == LLL_ERR ? LEAT_LOG_ERROR : LEAT_LOG_WARN, "http", "%.*s", (int)length, line);
}

static leat_code start(leat_http *self, leat_error *error)
{
    self->protocols[0] =
        (struct lws_protocols){.name = "http", .callback = on_event, .per_session_data_size = sizeof(connection)};
    /* Listening is done by the vhost: no default one, so that a taken port is our error and not the context's. */
    struct lws_context_creation_info info = {
        .port = self->options.port ? self->options.port : 0,
        .iface = self->options.address,
        .protocols = self->protocols,
        .user = self,
        .fd_limit_per_thread = CONNECTIONS_MAX,
        .max_http_header_data = 4096,
        .max_http_header_pool = 64,
        .keepalive_timeout = IDLE_SECONDS,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6,
        .vhost_name = "leat",
        .gid = -1,
        .uid = -1,
    };
    self->context = lws_create_context(&info);
    if (!self->context) return leat_fail(error, LEAT_LIMIT, "start the HTTP server");
    self->vhost = lws_create_vhost(self->context, &info);
    if (!self->vhost || lws_get_vhost_listen_port(self->vhost) <= 0) {
        leat_code code = leat_fail(error, LEAT_UNAVAILABLE, "listen on %s:%d for HTTP: the port is taken",
                                   self->options.address, self->options.port);
        leat_fail_hint(error, "choose another with --rest-port (0: any free one)");
        return code;
    }
    int failed = pthread_create(&self->thread, NULL, serve, self);
    if (failed) return leat_fail_errno(error, LEAT_LIMIT, failed, "start the HTTP thread");
    self->has_thread = true;
    return LEAT_OK;
}

leat_code leat_http_new(const leat_http_options *options, leat_http **out, leat_error *error)
{
    leat_http *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->options = *options;
    pthread_mutex_init(&self->lock, NULL);
    lws_set_log_level(LLL_ERR | LLL_WARN, take_log);
    leat_code code = start(self, error);
    if (code != LEAT_OK) {
        leat_http_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

int leat_http_port(const leat_http *http)
{
    return lws_get_vhost_listen_port(http->vhost);
}

void leat_http_stop(leat_http *self)
{
    if (!self->has_thread) return;
    self->has_thread = false;
    atomic_store_explicit(&self->is_stopping, true, memory_order_release);
    lws_cancel_service(self->context);
    pthread_join(self->thread, NULL);
}

void leat_http_free(leat_http *self)
{
    if (!self) return;
    leat_http_stop(self);
    if (self->context) lws_context_destroy(self->context);
    pthread_mutex_destroy(&self->lock);
    leat_free(self);
}

void leat_http_answer(leat_http_request *request, int status, const char *content_type, leat_bytes *body)
{
    leat_http *self = request->http;
    request->status = status;
    request->answer = *body;
    *body = (leat_bytes){0};
    pthread_mutex_lock(&self->lock);
    request->content_type = content_type;
    bool is_gone = !request->connection;
    if (!is_gone) {
        request->next = self->answered;
        self->answered = request;
    }
    pthread_mutex_unlock(&self->lock);
    if (is_gone)
        leat_http_forget(request);
    else
        lws_cancel_service(self->context);
}

const char *leat_http_query(const leat_http_request *request, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < request->query_count; i++) {
        if (strncmp(request->query[i], name, length) == 0 && request->query[i][length] == '=') {
            return request->query[i] + length + 1;
        }
    }
    return NULL;
}
