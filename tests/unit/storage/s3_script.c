#include "tests/unit.h"

#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "tests/unit/storage/s3_script.h"

const char secret_key[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
world here;

static int64_t fake_now(leat_env *env)
{
    return ((world *)env)->now_ms;
}

static int64_t fake_mono(leat_env *env)
{
    return ((world *)env)->mono_us;
}

static void fake_sleep(leat_env *env, int64_t ms)
{
    ((world *)env)->slept_ms += ms;
    ((world *)env)->mono_us += ms * 1000;
}

static uint64_t fake_random(leat_env *env)
{
    (void)env;
    return __atomic_fetch_add(&here.random, 1, __ATOMIC_SEQ_CST);
}

static const leat_env_vtable fake_env = {fake_now, fake_mono, fake_sleep, fake_random, NULL};

void put_lines(leat_s3_reply *reply, const char *head)
{
    char text[1024];
    const char *mark = strstr(head, "MARK");
    int before = (int)(mark ? (size_t)(mark - head) : strlen(head));
    (void)snprintf(text, sizeof text, "%.*s%s%s", before, head, mark ? here.mark : "", mark ? mark + 4 : "");
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        leat_s3_reply_line(reply, line, (size_t)(end + 1 - line));
}

static void note_headers(const leat_s3_wire *wire)
{
    here.condition[0] = '\0';
    for (size_t i = 0; i < wire->headers_count; i++) {
        const leat_s3_pair *header = &wire->headers[i];
        if (strcmp(header->name, "x-amz-meta-leat-mark") == 0)
            (void)snprintf(here.mark, sizeof here.mark, "%s", header->value);
        if (strncmp(header->name, "if-", 3) == 0)
            (void)snprintf(here.condition, sizeof here.condition, "%s: %s", header->name, header->value);
        if (strcmp(header->name, "x-amz-date") == 0) (void)snprintf(here.date, sizeof here.date, "%s", header->value);
        assert_null(strstr(header->value, secret_key));
    }
}

void give_body(leat_s3_reply *reply, const char *body)
{
    leat_bytes *out = reply->status / 100 == 2 && reply->out ? reply->out : &reply->text;
    leat_bytes_put(out, body, strlen(body));
}

static leat_code fake_send(leat_s3_transport *transport, const leat_s3_wire *wire, leat_s3_reply *reply,
                           leat_error *error)
{
    (void)transport;
    const step *next = &here.script[here.at++];
    if (!next->method) fail_msg("a request that was not expected: %s %s", wire->method, wire->url);
    size_t url = strlen(wire->url), end = strlen(next->url);
    assert_string_equal(wire->method, next->method);
    assert_true(url >= end);
    assert_string_equal(wire->url + url - end, next->url);
    note_headers(wire);
    here.mono_us += 1000;
    reply->sends = next->sends ? next->sends : next->code == LEAT_UNAVAILABLE ? 0 : 1;
    reply->status = next->status;
    if (next->head) put_lines(reply, next->head);
    if (next->body) give_body(reply, next->body);
    if (next->code != LEAT_OK) return leat_fail(error, next->code, "the line broke");
    return LEAT_OK;
}

static void fake_free(leat_s3_transport *transport)
{
    (void)transport;
}

void open_storage(int64_t uploads_max)
{
    leat_s3_options options = {.endpoint = leat_strdup("https://s3.example.com"),
                               .region = leat_strdup("eu-central-1"),
                               .access_key = leat_strdup("AKIAIOSFODNN7EXAMPLE"),
                               .secret_key = leat_strdup(secret_key),
                               .connect_timeout_ms = 1000,
                               .stall_timeout_ms = 5000,
                               .retry_interval_ms = 100,
                               .retry_budget_ms = 20000,
                               .retries_max = 5,
                               .connections_max = 4,
                               .uploads_max = uploads_max,
                               .part_bytes = 1000};
    assert_int_equal(leat_s3_new(&options, &here.env, &here.transport, &here.storage, NULL), LEAT_OK);
}

int begin(void **state)
{
    (void)state;
    here = (world){.env.vtable = &fake_env,
                   .transport = {fake_send, fake_free},
                   .now_ms = INT64_C(1764038395000), /* 2025-11-25 02:39:55 */
                   .lock = PTHREAD_MUTEX_INITIALIZER};
    leat_log_set_level(LEAT_LOG_OFF);
    open_storage(0);
    return 0;
}

int end(void **state)
{
    (void)state;
    leat_storage_free(here.storage);
    return 0;
}

void play(const step *script)
{
    here.script = script;
    here.at = 0;
    here.slept_ms = 0;
    here.error = (leat_error){0};
}

void assert_played(void)
{
    assert_null(here.script[here.at].method);
}
