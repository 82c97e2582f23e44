#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "storage/s3_client.h"

enum {
    PAUSE_MS_MAX = 10000,
    CLOCK_OFF_MS_MAX = 10 * 60 * 1000, /* S3 bears 15 minutes */
    SLOWEST_BYTES_A_MS = 64,           /* beyond its patience, a request gets time for its bytes at 64 KB/s */
};

/* --- pure parts --- */

leat_s3_verdict leat_s3_judge(leat_code sent, int status, const leat_s3_failure *failure, int64_t clock_off_ms)
{
    if (sent != LEAT_OK) return leat_code_is_transient(sent) ? LEAT_S3_AGAIN : LEAT_S3_NEVER;
    if (status / 100 == 2) return LEAT_S3_DONE;
    if (status == 501 || status == 505) return LEAT_S3_NEVER; /* it will never be implemented in time */
    if (status >= 500 || status == 429) return LEAT_S3_AGAIN;
    /* Of the 4xx those that say "not now" in a word of their own. */
    static const char *const passing[] = {"RequestTimeout", "SlowDown", "ConditionalRequestConflict",
                                          "OperationAborted"};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        if (strcmp(failure->code, passing[i]) == 0) return LEAT_S3_AGAIN;
    }
    bool is_far_off = clock_off_ms > CLOCK_OFF_MS_MAX || clock_off_ms < -CLOCK_OFF_MS_MAX;
    /* The reply to HEAD has no body with words. */
    bool is_silent = status == 403 && !failure->code[0] && is_far_off;
    return strcmp(failure->code, "RequestTimeTooSkewed") == 0 || is_silent ? LEAT_S3_CLOCK : LEAT_S3_NEVER;
}

int64_t leat_s3_pause_ms(int64_t interval_ms, int64_t retry, uint64_t random)
{
    int64_t pause = interval_ms < PAUSE_MS_MAX ? interval_ms : PAUSE_MS_MAX;
    for (int64_t i = 0; i < retry && pause < PAUSE_MS_MAX; i++)
        pause *= 2;
    if (pause > PAUSE_MS_MAX) pause = PAUSE_MS_MAX;
    return pause - (int64_t)(random % ((uint64_t)pause / 2 + 1));
}

static const char *host_of(const leat_s3_options *options)
{
    return strstr(options->endpoint, "://") + 3;
}

bool leat_s3_is_path_style(const leat_s3_options *options, const char *bucket)
{
    bool is_dotted = strchr(bucket, '.') != NULL; /* a wildcard certificate covers no further dots */
    if (options->is_path_style || !options->endpoint) return options->is_path_style || is_dotted;
    const char *host = host_of(options);
    size_t length = strcspn(host, ":");
    bool is_address = host[0] == '[' || strspn(host, "0123456789.") == length || !memchr(host, '.', length);
    return is_address || (is_dotted && strncmp(options->endpoint, "https:", 6) == 0);
}

leat_code leat_s3_address(const leat_s3_options *options, const leat_s3_call *call, leat_bytes *host, leat_bytes *path,
                          leat_bytes *url, leat_error *error)
{
    const char *bucket = call->place->bucket;
    bool is_path_style = leat_s3_is_path_style(options, bucket);
    if (!is_path_style) leat_bytes_format(host, "%s.", bucket);
    if (options->endpoint)
        leat_bytes_text(host, host_of(options));
    else
        leat_bytes_format(host, "s3.%s.amazonaws.com", options->region);
    leat_bytes_text(path, "/");
    if (is_path_style) leat_s3_escape(bucket, false, path);
    if (is_path_style && !call->is_of_bucket) leat_bytes_text(path, "/");
    if (!call->is_of_bucket) leat_s3_escape(call->place->key, true, path);
    LEAT_TRY(leat_bytes_check(host, error));
    LEAT_TRY(leat_bytes_check(path, error));
    bool is_plain = options->endpoint && strncmp(options->endpoint, "http:", 5) == 0;
    leat_bytes_format(url, "%s://%s%s", is_plain ? "http" : "https", (const char *)host->data,
                      (const char *)path->data);
    if (!call->query_count) return leat_bytes_check(url, error);
    leat_bytes_text(url, "?");
    return leat_s3_query(call->query, call->query_count, url, error);
}

/* A bucket comes into host names and addresses, also from other engines' metadata: nothing else than a name may be it.
 */
static bool is_bucket(const char *text, size_t length)
{
    if (length < 1 || length >= LEAT_S3_BUCKET_BYTES || text[0] == '.' || text[0] == '-') return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                       c == '-' || c == '_';
        if (!is_fine) return false;
    }
    return true;
}

leat_code leat_s3_place_of(const char *path, bool is_folder, leat_s3_place *out, leat_error *error)
{
    const char *bucket = strstr(path, "://");
    bucket = bucket ? bucket + 3 : "";
    size_t length = strcspn(bucket, "/");
    const char *key = bucket + length + (bucket[length] == '/');
    size_t key_length = strlen(key);
    while (is_folder && key_length && key[key_length - 1] == '/')
        key_length--;
    if (!is_bucket(bucket, length) || (!is_folder && !key_length)) {
        leat_code code = leat_fail(error, LEAT_INVALID, "'%s' is not a path of an object", path);
        leat_fail_hint(error, "write s3://bucket/path");
        return code;
    }
    if (key_length >= LEAT_S3_KEY_BYTES_MAX) {
        return leat_fail(error, LEAT_LIMIT, "the key of %.100s… is longer than %d bytes", path, LEAT_S3_KEY_BYTES_MAX);
    }
    memcpy(out->bucket, bucket, length);
    out->bucket[length] = '\0';
    memcpy(out->key, key, key_length);
    if (is_folder && key_length) out->key[key_length++] = '/';
    out->key[key_length] = '\0';
    return LEAT_OK;
}

/* --- the call --- */

void leat_s3_call_query(leat_s3_call *call, const char *name, const char *value)
{
    LEAT_ASSERT(call->query_count < sizeof call->query / sizeof *call->query);
    call->query[call->query_count++] = (leat_s3_pair){name, value};
}

void leat_s3_call_header(leat_s3_call *call, const char *name, const char *value)
{
    LEAT_ASSERT(call->headers_count < sizeof call->headers / sizeof *call->headers);
    call->headers[call->headers_count++] = (leat_s3_pair){name, value};
}

void leat_s3_call_done(leat_s3_call *call)
{
    leat_bytes_done(&call->reply.text);
}

/* What a try is made of; the buffers serve all tries of a call. */
typedef struct attempt {
    leat_bytes host, path, url, authorization;
    char payload[LEAT_SHA256_HEX_BYTES], time[LEAT_S3_TIME_BYTES];
    int64_t time_ms; /* that was signed */
    leat_s3_pair headers[LEAT_S3_PAIRS_MAX];
    size_t headers_count;
} attempt;

static void attempt_done(attempt *self)
{
    leat_bytes_done(&self->host);
    leat_bytes_done(&self->path);
    leat_bytes_done(&self->url);
    leat_bytes_done(&self->authorization);
}

/* All headers are signed but the signature. */
static leat_code sign(leat_s3 *self, const leat_s3_call *call, attempt *made, leat_error *error)
{
    const leat_s3_options *options = &self->options;
    made->time_ms = leat_env_now_ms(self->env) + atomic_load(&self->skew_ms);
    leat_s3_time(made->time_ms, made->time);
    leat_s3_pair *headers = made->headers;
    size_t count = call->headers_count;
    memcpy(headers, call->headers, count * sizeof *headers);
    headers[count++] = (leat_s3_pair){"host", (const char *)made->host.data};
    headers[count++] = (leat_s3_pair){"x-amz-date", made->time};
    headers[count++] = (leat_s3_pair){"x-amz-content-sha256", made->payload};
    bool has_body = strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0;
    if (has_body) headers[count++] = (leat_s3_pair){"content-type", "application/octet-stream"};
    if (options->session_token) headers[count++] = (leat_s3_pair){"x-amz-security-token", options->session_token};
    leat_s3_to_sign to_sign = {.method = call->method,
                               .path = (const char *)made->path.data,
                               .query = call->query,
                               .query_count = call->query_count,
                               .headers = headers,
                               .headers_count = count,
                               .payload_sha256 = made->payload,
                               .region = options->region,
                               .service = "s3",
                               .time = made->time};
    leat_s3_credentials credentials = {options->access_key, options->secret_key, options->session_token};
    leat_bytes_reset(&made->authorization);
    LEAT_TRY(leat_s3_authorization(&to_sign, &credentials, &made->authorization, error));
    headers[count++] = (leat_s3_pair){"authorization", (const char *)made->authorization.data};
    made->headers_count = count;
    return LEAT_OK;
}

static int64_t bytes_of(const leat_s3_call *call)
{
    size_t wanted = call->reply.out ? call->reply.out_max : 0;
    size_t most = wanted > call->body_size ? wanted : call->body_size;
    return (int64_t)(most < (size_t)1 << 40 ? most : (size_t)1 << 40);
}

static leat_code try_once(leat_s3 *self, leat_s3_call *call, attempt *made, leat_error *error)
{
    const leat_s3_options *options = &self->options;
    LEAT_TRY(sign(self, call, made, error));
    leat_s3_wire wire = {.method = call->method,
                         .url = (const char *)made->url.data,
                         .headers = made->headers,
                         .headers_count = made->headers_count,
                         .body = call->body,
                         .body_size = call->body_size,
                         .connect_timeout_ms = options->connect_timeout_ms,
                         .stall_timeout_ms = options->stall_timeout_ms,
                         .timeout_ms = options->connect_timeout_ms + options->stall_timeout_ms +
                                       bytes_of(call) / SLOWEST_BYTES_A_MS};
    return self->transport->send(self->transport, &wire, &call->reply, error);
}

static void hint_for(const leat_s3 *self, const leat_s3_call *call, leat_error *error)
{
    static const struct {
        const char *code, *hint;
    } hints[] = {
        {"SignatureDoesNotMatch", "the secret key is wrong, or a proxy changes the request"},
        {"InvalidAccessKeyId", "the server does not know the access key: is s3.endpoint the right one?"},
        {"AccessDenied", "the key may not do this: look at its policy and the bucket's"},
        {"ExpiredToken", "the temporary credentials are too old; start the cluster with new ones"},
        {"InvalidToken", "the session token does not belong to the access key"},
        {"NoSuchBucket", "make the bucket, or look at its name and s3.endpoint"},
        {"RequestTimeTooSkewed", "the clock of this machine is wrong"},
        {"QuotaExceeded", "there is no room left"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (strcmp(call->failure.code, hints[i].code) == 0) leat_fail_hint(error, "%s", hints[i].hint);
    }
    const char *region = call->failure.region[0] ? call->failure.region : call->reply.region;
    bool is_elsewhere =
        call->reply.status / 100 == 3 || strcmp(call->failure.code, "AuthorizationHeaderMalformed") == 0;
    if (is_elsewhere && *region && strcmp(region, self->options.region) != 0)
        leat_fail_hint(error, "the bucket is in region %s: set s3.region", region);
    else if (is_elsewhere)
        leat_fail_hint(error, "the bucket is elsewhere: look at s3.region, s3.endpoint and s3.path.style.access");
}

static leat_code code_of(const leat_s3_call *call)
{
    int status = call->reply.status;
    const char *code = call->failure.code;
    if (strcmp(code, "InvalidAccessKeyId") == 0) return LEAT_DENIED;
    /* Only an object's absence is that; a bucket's, for example, is a mistake. */
    bool is_absence = !*code || strncmp(code, "NoSuchKey", 9) == 0 || strcmp(code, "NoSuchUpload") == 0;
    if (status == 404) return is_absence ? LEAT_NOT_FOUND : LEAT_INVALID;
    if (status == 401 || status == 403) return LEAT_DENIED;
    if (status == 412) return LEAT_CONFLICT;
    if (leat_s3_judge(LEAT_OK, status, &call->failure, 0) == LEAT_S3_AGAIN) return LEAT_UNAVAILABLE;
    if (status == 501 || status == 505) return LEAT_UNSUPPORTED;
    return LEAT_INVALID;
}

static leat_code fail_call(const leat_s3 *self, const leat_s3_call *call, leat_code sent, leat_error *error)
{
    const leat_s3_failure *failure = &call->failure;
    const char *key = call->is_of_bucket ? "" : call->place->key, *bucket = call->place->bucket;
    if (sent != LEAT_OK) return leat_fail_in(error, sent, "%s s3://%s/%.200s", call->operation, bucket, key);
    const char *request = failure->request_id[0] ? failure->request_id : call->reply.request_id;
    leat_code code =
        leat_fail(error, code_of(call), "%s s3://%s/%.200s: status %d%s%s%s%s%s%s%s", call->operation, bucket, key,
                  call->reply.status, failure->code[0] ? ", " : "", failure->code, failure->message[0] ? ": " : "",
                  failure->message, request[0] ? " (request " : "", request, request[0] ? ")" : "");
    hint_for(self, call, error);
    return code;
}

/* After a try: whether to make another, after how long. */
static leat_s3_verdict look(leat_s3 *self, leat_s3_call *call, const attempt *made, leat_code sent, bool *is_clock_set)
{
    call->failure = (leat_s3_failure){0};
    if (sent == LEAT_OK && call->reply.status / 100 != 2)
        (void)leat_s3_read_failure(call->reply.text.data, call->reply.text.size, &call->failure);
    int64_t theirs_ms = sent == LEAT_OK ? leat_s3_parse_date(call->reply.date) : -1;
    int64_t off_ms = theirs_ms < 0 ? 0 : theirs_ms - made->time_ms;
    leat_s3_verdict verdict = leat_s3_judge(sent, call->reply.status, &call->failure, off_ms);
    /* A request that went out and came to no clear end may have been carried out; so may one that was sent twice. */
    bool is_open = verdict == LEAT_S3_AGAIN && (sent == LEAT_OK ? call->reply.status >= 500 : call->reply.sends > 0);
    call->is_unsure |= is_open || call->reply.sends > 1;
    if (verdict != LEAT_S3_CLOCK) return verdict;
    if (*is_clock_set || theirs_ms < 0) return LEAT_S3_NEVER;
    *is_clock_set = true;
    /* Stored, not added: other threads find out the same. */
    atomic_store(&self->skew_ms, theirs_ms - leat_env_now_ms(self->env));
    leat_log(LEAT_LOG_WARN, "s3", "the clock is %" PRId64 " s off from the server's; signing with the server's time",
             -off_ms / 1000);
    return LEAT_S3_CLOCK;
}

static leat_code send_until(leat_s3 *self, leat_s3_call *call, attempt *made, leat_error *error)
{
    const leat_s3_options *options = &self->options;
    size_t out_size = call->reply.out ? call->reply.out->size : 0;
    int64_t began_us = leat_env_mono_us(self->env);
    bool is_clock_set = false;
    for (int64_t retry = 0;;) {
        leat_error last = {0}; /* a try's own: the call may succeed yet */
        leat_s3_reply_reset(&call->reply, out_size);
        leat_code sent = try_once(self, call, made, &last);
        leat_s3_verdict verdict = look(self, call, made, sent, &is_clock_set);
        if (verdict == LEAT_S3_DONE && call->check) {
            sent = call->check(call, &last);
            if (sent != LEAT_OK) verdict = leat_code_is_transient(sent) ? LEAT_S3_AGAIN : LEAT_S3_NEVER;
            call->is_unsure |= sent != LEAT_OK;
        }
        if (verdict == LEAT_S3_DONE) return LEAT_OK;
        if (verdict == LEAT_S3_CLOCK) continue;
        int64_t pause_ms = leat_s3_pause_ms(options->retry_interval_ms, retry, leat_env_random(self->env));
        int64_t spent_ms = (leat_env_mono_us(self->env) - began_us) / 1000 + pause_ms;
        bool is_last = verdict == LEAT_S3_NEVER || retry >= options->retries_max || spent_ms > options->retry_budget_ms;
        if (is_last) {
            if (call->reply.out) call->reply.out->size = out_size;
            sent = fail_call(self, call, sent, &last);
            if (retry) sent = leat_fail_in(&last, sent, "after %" PRId64 " retries", retry);
            if (error) *error = last;
            return sent;
        }
        leat_env_sleep_ms(self->env, pause_ms);
        retry++;
    }
}

leat_code leat_s3_send(leat_s3 *self, leat_s3_call *call, leat_error *error)
{
    attempt made = {0};
    leat_code code = leat_s3_address(&self->options, call, &made.host, &made.path, &made.url, error);
    if (code == LEAT_OK) code = leat_sha256_hex(call->body, call->body_size, made.payload, error);
    if (code == LEAT_OK) code = send_until(self, call, &made, error);
    attempt_done(&made);
    return code;
}

void leat_s3_mark(leat_s3 *self, char out[LEAT_S3_MARK_BYTES])
{
    uint64_t random[2] = {leat_env_random(self->env), leat_env_random(self->env)};
    leat_hex((const uint8_t *)random, sizeof random, out);
}

leat_code leat_s3_has_mark(leat_s3 *self, const leat_s3_place *place, const char *mark, bool *out,
                           leat_storage_version *version, leat_error *error)
{
    leat_s3_call call = {.operation = "HeadObject", .method = "HEAD", .place = place};
    leat_code code = leat_s3_send(self, &call, error);
    *out = code == LEAT_OK && strcmp(call.reply.mark, mark) == 0;
    if (*out && version) snprintf(version->text, sizeof version->text, "%s", call.reply.etag);
    leat_s3_call_done(&call);
    return code == LEAT_NOT_FOUND ? LEAT_OK : code;
}
