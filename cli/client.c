#include "cli/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum { CONNECT_TIMEOUT_MS = 5000, FINISH_TIMEOUT_MS = 5000, GET_TIMEOUT_MS = 30000, ANSWER_BYTES_MAX = 256 << 20 };

struct leat_client {
    char *url;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    bool is_finishing;
};

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    leat_bytes *out = arg;
    if (out->size + size * count > ANSWER_BYTES_MAX) return 0;
    leat_bytes_put(out, data, size * count);
    return out->failed ? 0 : size * count;
}

leat_code leat_client_new(const char *url, leat_client **out, leat_error *error)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        leat_code code = leat_fail(error, LEAT_INVALID, "'%s' is not the URL of a job manager", url);
        leat_fail_hint(error, "write it as http://127.0.0.1:8081");
        return code;
    }
    leat_client *client = leat_calloc(1, sizeof *client);
    if (!client) return leat_fail_no_memory(error);
    client->url = leat_strdup(url);
    client->easy = curl_easy_init();
    client->multi = curl_multi_init();
    client->headers = curl_slist_append(NULL, "Content-Type: application/json");
    client->headers = curl_slist_append(client->headers, "Expect:"); /* no waiting for a "100 Continue" */
    if (!client->url || !client->easy || !client->multi) {
        leat_client_free(client);
        return leat_fail_no_memory(error);
    }
    size_t length = strlen(client->url);
    while (length && client->url[length - 1] == '/')
        client->url[--length] = '\0';
    *out = client;
    return LEAT_OK;
}

void leat_client_free(leat_client *client)
{
    if (!client) return;
    if (client->multi) curl_multi_cleanup(client->multi);
    if (client->easy) curl_easy_cleanup(client->easy);
    curl_slist_free_all(client->headers);
    leat_free(client->url);
    leat_free(client);
}

void leat_client_finish(leat_client *client)
{
    client->is_finishing = true;
}

void leat_client_escape(const char *text, leat_bytes *out)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (isalnum(*at) || strchr("-_.~", *at))
            leat_bytes_put_u8(out, *at);
        else
            leat_bytes_format(out, "%%%02X", *at);
    }
    leat_bytes_text(out, "");
}

static CURLcode wait_for(leat_client *client, bool *was_interrupted)
{
    struct curl_waitfd extra = {.fd = leat_cli_signals_fd(), .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0, left;
        if (curl_multi_perform(client->multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
        const CURLMsg *message = curl_multi_info_read(client->multi, &left);
        if (message && message->msg == CURLMSG_DONE) return message->data.result;
        extra.revents = 0;
        (void)curl_multi_poll(client->multi, &extra, 1, 1000, NULL);
        if (extra.revents && leat_cli_signals_take() && !client->is_finishing) {
            *was_interrupted = true;
            return CURLE_ABORTED_BY_CALLBACK;
        }
    }
}

/* The error that the answer tells: {"errors":[…],"code":…,"hint":…}. */
static leat_code fail_as_told(long status, const leat_bytes *answer, leat_error *error)
{
    json_t *json = answer->size ? json_loadb((const char *)answer->data, answer->size, 0, NULL) : NULL;
    const json_t *errors = json_object_get(json, "errors");
    const char *text =
        json_string_value(json_array_get(errors, json_array_size(errors) ? json_array_size(errors) - 1 : 0));
    const char *name = json_string_value(json_object_get(json, "code"));
    const char *hint = json_string_value(json_object_get(json, "hint"));
    leat_code code = status == 404   ? LEAT_NOT_FOUND
                     : status == 409 ? LEAT_CONFLICT
                     : status < 500  ? LEAT_INVALID
                                     : LEAT_IO;
    for (int c = LEAT_INVALID; name && c <= LEAT_NO_MEMORY; c++) {
        if (c != LEAT_CANCELED && strcmp(leat_code_name((leat_code)c), name) == 0) code = (leat_code)c;
    }
    if (text)
        code = leat_fail(error, code, "%s", text);
    else
        code = leat_fail(error, code, "the job manager answered with status %ld", status);
    if (hint) leat_fail_hint(error, "%s", hint);
    json_decref(json);
    return code;
}

static void set_body(leat_client *client, const char *method, const char *text)
{
    curl_easy_setopt(client->easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, client->headers);
    if (text || strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0) {
        curl_easy_setopt(client->easy, CURLOPT_POSTFIELDS, text ? text : "");
        curl_easy_setopt(client->easy, CURLOPT_POSTFIELDSIZE, (long)(text ? strlen(text) : 0));
    }
}

/* `timeout_ms` 0: none, as for long polls and statements. */
static leat_code call(leat_client *client, const char *method, const char *path, json_t *body, long timeout_ms,
                      leat_bytes *out, leat_error *error)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    char *url = leat_format("%s%s", client->url, path);
    leat_bytes_reset(out);
    curl_easy_reset(client->easy);
    if (url) curl_easy_setopt(client->easy, CURLOPT_URL, url);
    curl_easy_setopt(client->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(client->easy, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(client->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(client->easy, CURLOPT_TIMEOUT_MS, client->is_finishing ? (long)FINISH_TIMEOUT_MS : timeout_ms);
    set_body(client, method, text);
    bool was_interrupted = false;
    CURLcode result = CURLE_OUT_OF_MEMORY;
    if (url && curl_multi_add_handle(client->multi, client->easy) == CURLM_OK) {
        result = wait_for(client, &was_interrupted);
        curl_multi_remove_handle(client->multi, client->easy);
    }
    long status = 0;
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    leat_bytes_text(out, "");
    free(text); /* Jansson's allocation */
    leat_free(url);
    if (was_interrupted) return leat_cli_interrupted(error);
    if (result != CURLE_OK) {
        leat_code code =
            leat_fail(error, LEAT_UNAVAILABLE, "the job manager at %s: %s", client->url, curl_easy_strerror(result));
        if (result == CURLE_OPERATION_TIMEDOUT)
            leat_fail_hint(error, "it listens but gives no answer: is the process stopped, or the machine overloaded?");
        else
            leat_fail_hint(error, "is it running? 'leat cluster status' tells");
        return code;
    }
    return status < 400 ? LEAT_OK : fail_as_told(status, out, error);
}

leat_code leat_client_call(leat_client *client, const char *method, const char *path, json_t *body, leat_bytes *out,
                           leat_error *error)
{
    return call(client, method, path, body, 0, out, error);
}

leat_code leat_client_json(leat_client *client, const char *method, const char *path, json_t *body, json_t **out,
                           leat_error *error)
{
    leat_bytes answer = {0};
    long timeout_ms = strcmp(method, "GET") == 0 ? GET_TIMEOUT_MS : 0;
    leat_code code = call(client, method, path, body, timeout_ms, &answer, error);
    if (code == LEAT_OK && out) {
        json_error_t problem;
        *out = json_loadb((const char *)answer.data, answer.size, 0, &problem);
        if (!*out)
            code = leat_fail(error, LEAT_CORRUPT, "the job manager's answer to %s %s: %s", method, path, problem.text);
    }
    leat_bytes_done(&answer);
    return code;
}
