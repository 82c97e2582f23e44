#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "common/memory.h"
#include "storage/s3_http.h"

/* libcurl and the thirty libraries it brings are opened at the first request: linked in, they would cost every task
 * manager memory and a slower start. The names stay those of its header. */
typedef struct curl_functions {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    void (*easy_reset)(CURL *easy);
    void (*easy_cleanup)(CURL *easy);
    CURLcode (*easy_perform)(CURL *easy);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    const char *(*easy_strerror)(CURLcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *line);
    void (*slist_free_all)(struct curl_slist *list);
} curl_functions;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static curl_functions curl;
static leat_error curl_error; /* LEAT_OK: `curl` is filled in */

static void open_curl(void)
{
    static const struct {
        const char *name;
        void *place; /* POSIX's way from an object pointer to a function pointer */
    } wanted[] = {
        {"curl_global_init", &curl.global_init},       {"curl_easy_init", &curl.easy_init},
        {"curl_easy_reset", &curl.easy_reset},         {"curl_easy_cleanup", &curl.easy_cleanup},
        {"curl_easy_perform", &curl.easy_perform},     {"curl_easy_setopt", &curl.easy_setopt},
        {"curl_easy_strerror", &curl.easy_strerror},   {"curl_slist_append", &curl.slist_append},
        {"curl_slist_free_all", &curl.slist_free_all},
    };
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    bool is_whole = library != NULL;
    for (size_t i = 0; is_whole && i < sizeof wanted / sizeof *wanted; i++) {
        void *found = dlsym(library, wanted[i].name);
        memcpy(wanted[i].place, &found, sizeof found);
        is_whole = found != NULL;
    }
    if (!is_whole) {
        const char *reason = dlerror();
        (void)leat_fail(&curl_error, LEAT_UNSUPPORTED, "S3 needs libcurl: %s", reason ? reason : "it cannot be opened");
        leat_fail_hint(&curl_error, "install it; Debian's package is libcurl4");
    } else if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)leat_fail(&curl_error, LEAT_UNSUPPORTED, "S3 needs libcurl, which cannot be started");
    }
}

typedef struct curl_transport {
    leat_s3_transport transport;
    pthread_mutex_t lock;
    pthread_cond_t is_back; /* a handle, or the place for one */
    CURL **idle;            /* each keeps its connection alive */
    size_t idle_count, used_count, max;
} curl_transport;

static CURL *take_handle(curl_transport *self)
{
    CURL *easy = NULL;
    pthread_mutex_lock(&self->lock);
    while (!self->idle_count && self->used_count >= self->max)
        pthread_cond_wait(&self->is_back, &self->lock);
    if (self->idle_count) easy = self->idle[--self->idle_count];
    self->used_count++;
    pthread_mutex_unlock(&self->lock);
    return easy ? easy : curl.easy_init();
}

static void give_handle(curl_transport *self, CURL *easy)
{
    if (easy) curl.easy_reset(easy); /* its connections stay */
    pthread_mutex_lock(&self->lock);
    self->used_count--;
    if (easy) self->idle[self->idle_count++] = easy;
    pthread_cond_signal(&self->is_back);
    pthread_mutex_unlock(&self->lock);
}

typedef struct exchange {
    const leat_s3_wire *wire;
    leat_s3_reply *reply;
    size_t sent, out_before;
    leat_code code; /* what our own callbacks refused */
} exchange;

static size_t take_line(char *data, size_t size, size_t count, void *arg)
{
    exchange *self = arg;
    leat_s3_reply_line(self->reply, data, size * count);
    return size * count;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    exchange *self = arg;
    leat_s3_reply *reply = self->reply;
    size_t length = size * count;
    if (reply->status / 100 == 2 && reply->out) {
        if (length > reply->out_max - (reply->out->size - self->out_before)) {
            self->code = LEAT_LIMIT;
            return 0;
        }
        leat_bytes_put(reply->out, data, length);
        if (reply->out->failed) self->code = LEAT_NO_MEMORY;
        return reply->out->failed ? 0 : length;
    }
    size_t room = LEAT_S3_ERROR_BYTES_MAX - reply->text.size;
    leat_bytes_put(&reply->text, data, length < room ? length : room); /* the rest of an error says nothing new */
    if (reply->text.failed) self->code = LEAT_NO_MEMORY;
    return reply->text.failed ? 0 : length;
}

static size_t give_body(char *to, size_t size, size_t count, void *arg)
{
    exchange *self = arg;
    size_t left = self->wire->body_size - self->sent, length = size * count < left ? size * count : left;
    if (length) memcpy(to, (const char *)self->wire->body + self->sent, length);
    self->sent += length;
    return length;
}

static int seek_body(void *arg, curl_off_t offset, int origin)
{
    exchange *self = arg;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > self->wire->body_size) return CURL_SEEKFUNC_FAIL;
    self->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int count_send(void *arg, char *their_ip, char *our_ip, int their_port, int our_port)
{
    (void)their_ip;
    (void)our_ip;
    (void)their_port;
    (void)our_port;
    ((exchange *)arg)->reply->sends++;
    return CURL_PREREQFUNC_OK;
}

enum { STALL_BYTES_A_SECOND = 1024, ADDRESS_CACHE_S = 60 };

static void set_patience(CURL *easy, const leat_s3_wire *wire)
{
    curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)wire->connect_timeout_ms);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_A_SECOND);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((wire->stall_timeout_ms + 999) / 1000));
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)wire->timeout_ms);
    curl.easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)ADDRESS_CACHE_S);
    curl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

/* Redirects are not followed: the signature is of one host, and S3's errors say which. */
static void set_request(CURL *easy, exchange *self, struct curl_slist *headers)
{
    const leat_s3_wire *wire = self->wire;
    curl.easy_setopt(easy, CURLOPT_URL, wire->url);
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl.easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl.easy_setopt(easy, CURLOPT_PREREQFUNCTION, count_send);
    curl.easy_setopt(easy, CURLOPT_PREREQDATA, self);
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_line);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, self);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, self);
    const char *authorities = getenv("AWS_CA_BUNDLE"); /* as the AWS tools do */
    if (authorities && *authorities) curl.easy_setopt(easy, CURLOPT_CAINFO, authorities);
    if (strcmp(wire->method, "HEAD") == 0) {
        curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(wire->method, "PUT") == 0 || strcmp(wire->method, "POST") == 0) {
        curl.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)wire->body_size);
        curl.easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
        curl.easy_setopt(easy, CURLOPT_READDATA, self);
        curl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
        curl.easy_setopt(easy, CURLOPT_SEEKDATA, self);
        curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, wire->method);
    } else {
        curl.easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, wire->method);
    }
}

static leat_code make_headers(const leat_s3_wire *wire, struct curl_slist **out, leat_error *error)
{
    struct curl_slist *list = curl.slist_append(NULL, "Expect:"); /* no waiting for a "100 Continue" */
    for (size_t i = 0; list && i < wire->headers_count; i++) {
        const leat_s3_pair *header = &wire->headers[i];
        /* "name;" is how libcurl is asked for a header without value. */
        char *line =
            *header->value ? leat_format("%s: %s", header->name, header->value) : leat_format("%s;", header->name);
        struct curl_slist *longer = line ? curl.slist_append(list, line) : NULL;
        leat_free(line);
        if (!longer) curl.slist_free_all(list);
        list = longer;
    }
    *out = list;
    return list ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code fail_of(const exchange *self, CURLcode result, const char *detail, leat_error *error)
{
    const char *text = *detail ? detail : curl.easy_strerror(result);
    leat_code code = LEAT_IO;
    switch (result) {
    case CURLE_WRITE_ERROR:
        if (self->code == LEAT_NO_MEMORY) return leat_fail_no_memory(error);
        if (self->code == LEAT_LIMIT)
            return leat_fail(error, LEAT_LIMIT, "the answer is longer than %zu bytes", self->reply->out_max);
        break;
    case CURLE_OUT_OF_MEMORY: return leat_fail_no_memory(error);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR: code = LEAT_UNAVAILABLE; break;
    case CURLE_OPERATION_TIMEDOUT: code = LEAT_TIMEOUT; break;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: code = LEAT_INVALID; break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        code = leat_fail(error, LEAT_DENIED, "%s", text);
        leat_fail_hint(error, "the server's certificate is not trusted; AWS_CA_BUNDLE names a file of authorities");
        return code;
    default: break;
    }
    return leat_fail(error, code, "%s", text);
}

static leat_code curl_send(leat_s3_transport *transport, const leat_s3_wire *wire, leat_s3_reply *reply,
                           leat_error *error)
{
    curl_transport *self = (curl_transport *)transport;
    struct curl_slist *headers;
    LEAT_TRY(make_headers(wire, &headers, error));
    exchange both = {.wire = wire, .reply = reply, .out_before = reply->out ? reply->out->size : 0};
    char detail[CURL_ERROR_SIZE] = "";
    CURL *easy = take_handle(self);
    CURLcode result = CURLE_OUT_OF_MEMORY;
    if (easy) {
        set_request(easy, &both, headers);
        set_patience(easy, wire);
        curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
        result = curl.easy_perform(easy);
    }
    give_handle(self, easy);
    curl.slist_free_all(headers);
    if (result != CURLE_OK) return fail_of(&both, result, detail, error);
    /* libcurl takes a connection that closes in the middle of the head for the head's end. */
    return reply->is_head_whole ? LEAT_OK : leat_fail(error, LEAT_IO, "the head of the reply was cut");
}

static void transport_free(leat_s3_transport *transport)
{
    curl_transport *self = (curl_transport *)transport;
    for (size_t i = 0; i < self->idle_count; i++)
        curl.easy_cleanup(self->idle[i]);
    pthread_cond_destroy(&self->is_back);
    pthread_mutex_destroy(&self->lock);
    leat_free(self->idle);
    leat_free(self);
}

leat_code leat_s3_curl_new(size_t connections_max, leat_s3_transport **out, leat_error *error)
{
    pthread_once(&curl_once, open_curl);
    if (curl_error.code != LEAT_OK) {
        if (error) *error = curl_error;
        return curl_error.code;
    }
    curl_transport *self = leat_calloc(1, sizeof *self);
    if (self) self->idle = leat_calloc(connections_max, sizeof *self->idle);
    if (!self || !self->idle) {
        leat_free(self);
        return leat_fail_no_memory(error);
    }
    self->transport = (leat_s3_transport){curl_send, transport_free};
    self->max = connections_max;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->is_back, NULL);
    *out = &self->transport;
    return LEAT_OK;
}
