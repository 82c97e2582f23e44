#include "paimon/json.h"

#include <string.h>

leat_code leat_paimon_json_load(const char *text, size_t size, const char *what, json_t **out, leat_error *error)
{
    json_error_t cause;
    json_t *root = json_loadb(text, size, 0, &cause);
    if (!root) {
        return leat_fail(error, LEAT_CORRUPT, "%s is not JSON: line %d, column %d: %s", what, cause.line, cause.column,
                         cause.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return leat_fail(error, LEAT_CORRUPT, "%s is no JSON object", what);
    }
    *out = root;
    return LEAT_OK;
}

leat_code leat_paimon_json_int(const json_t *object, const char *key, int64_t fallback, int64_t *out, leat_error *error)
{
    const json_t *value = json_object_get(object, key);
    *out = fallback;
    if (!value || json_is_null(value)) return LEAT_OK;
    if (!json_is_integer(value)) return leat_fail(error, LEAT_CORRUPT, "'%s' is no integer", key);
    *out = json_integer_value(value);
    return LEAT_OK;
}

leat_code leat_paimon_json_text(const json_t *object, const char *key, leat_arena *arena, const char **out,
                                leat_error *error)
{
    const json_t *value = json_object_get(object, key);
    *out = NULL;
    if (!value || json_is_null(value)) return LEAT_OK;
    if (!json_is_string(value)) return leat_fail(error, LEAT_CORRUPT, "'%s' is no text", key);
    *out = leat_arena_strndup(arena, json_string_value(value), json_string_length(value));
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

void leat_paimon_json_put(leat_bytes *out, const char *text)
{
    leat_bytes_text(out, "\"");
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        switch (*at) {
        case '"': leat_bytes_text(out, "\\\""); break;
        case '\\': leat_bytes_text(out, "\\\\"); break;
        case '\n': leat_bytes_text(out, "\\n"); break;
        case '\r': leat_bytes_text(out, "\\r"); break;
        case '\t': leat_bytes_text(out, "\\t"); break;
        default:
            if (*at < 0x20)
                leat_bytes_format(out, "\\u%04x", *at);
            else
                leat_bytes_put_u8(out, *at);
        }
    }
    leat_bytes_text(out, "\"");
}

bool leat_paimon_json_is_text(const char *text)
{
    json_t *value = json_string(text);
    json_decref(value);
    return value != NULL;
}
