#include "cli/statements.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

json_t *leat_cli_config_json(const leat_config *config)
{
    json_t *json = json_object();
    for (size_t i = 0; i < config->count; i++)
        json_object_set_new(json, config->entries[i].key, json_string(config->entries[i].value));
    return json;
}

void leat_cli_check_keys(const leat_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        const char *key = config->entries[i].key;
        if (leat_option_by_key(key) != LEAT_OPTIONS_COUNT) continue;
        const char *nearest = leat_option_nearest_key(key);
        leat_cli_say("warning: option '%s' is not known%s%s%s", key, nearest ? "; did you mean '" : "",
                     nearest ? nearest : "", nearest ? "'?" : "");
    }
}

leat_code leat_cli_session_open(leat_cli_session *session, leat_client *client, const leat_config *config,
                                leat_error *error)
{
    *session = (leat_cli_session){.client = client};
    json_t *body = json_pack("{s:o}", "config", leat_cli_config_json(config)), *answer = NULL;
    leat_code code = leat_client_json(client, "POST", "/leat/v1/sessions", body, &answer, error);
    const char *id = json_string_value(json_object_get(answer, "session"));
    if (code == LEAT_OK) snprintf(session->id, sizeof session->id, "%s", id ? id : "");
    json_decref(body);
    json_decref(answer);
    return code;
}

void leat_cli_session_close(leat_cli_session *session)
{
    if (!session->id[0]) return;
    char path[128];
    snprintf(path, sizeof path, "/leat/v1/sessions/%s", session->id);
    session->id[0] = '\0';
    leat_error ignored = {0};
    if (leat_client_json(session->client, "DELETE", path, NULL, NULL, &ignored) != LEAT_OK) {
        session->id[0] = '\0'; /* the job manager forgets it by itself */
    }
}

enum { NAME_BYTES_MAX = 128 };

/* Adds the environment's value of each ${NAME that the text uses and `json` lacks. Nothing else of it leaves this
 * process. */
static void put_environment(json_t *json, const leat_bytes *text)
{
    const char *at = text->data ? (const char *)text->data : "";
    while ((at = strstr(at, "${"))) {
        at += 2;
        size_t length = 0;
        while (isalnum((unsigned char)at[length]) || at[length] == '_')
            length++;
        if (!length || length >= NAME_BYTES_MAX) continue;
        char name[NAME_BYTES_MAX];
        memcpy(name, at, length);
        name[length] = '\0';
        const char *value = getenv(name);
        if (value && !json_object_get(json, name)) json_object_set_new(json, name, json_string(value));
    }
}

leat_code leat_cli_session_begin(leat_cli_session *session, const char *name, const leat_bytes *text,
                                 const leat_config *variables, leat_error *error)
{
    json_t *values = leat_cli_config_json(variables);
    put_environment(values, text);
    json_t *sql = json_stringn((const char *)text->data, text->size);
    if (!sql) {
        json_decref(values);
        return leat_fail(error, LEAT_INVALID, "%s is no UTF-8 text", name);
    }
    json_t *body = json_pack("{s:s,s:o,s:o}", "name", name, "text", sql, "variables", values);
    char path[128];
    snprintf(path, sizeof path, "/leat/v1/sessions/%s/scripts", session->id);
    leat_code code = leat_client_json(session->client, "POST", path, body, NULL, error);
    json_decref(body);
    return code;
}

leat_code leat_cli_session_next(leat_cli_session *session, json_t **out, leat_error *error)
{
    char path[128];
    snprintf(path, sizeof path, "/leat/v1/sessions/%s/statements", session->id);
    LEAT_TRY(leat_client_json(session->client, "POST", path, NULL, out, error));
    const char *warning = json_string_value(json_object_get(*out, "warning"));
    if (warning && warning[0]) leat_cli_say("warning: %s", warning);
    return LEAT_OK;
}

enum { FILE_BYTES_MAX = 8 << 20 };

leat_code leat_cli_read_file(const char *path, leat_bytes *out, leat_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    if (!file) return leat_fail_errno(error, leat_code_of_errno(errno), errno, "open %s", path);
    char chunk[16384];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0 && out->size <= FILE_BYTES_MAX)
        leat_bytes_put(out, chunk, got);
    leat_code code = LEAT_OK;
    if (ferror(file))
        code = leat_fail_errno(error, LEAT_IO, errno, "read %s", path);
    else if (out->size > FILE_BYTES_MAX)
        code = leat_fail(error, LEAT_LIMIT, "%s is larger than %d MB", path, FILE_BYTES_MAX >> 20);
    if (!is_stdin) fclose(file);
    leat_bytes_text(out, "");
    return code == LEAT_OK ? leat_bytes_check(out, error) : code;
}
