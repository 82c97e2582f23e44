/* JSON of schema and snapshot files: reading by Jansson, writing as Paimon's files look. Internal to paimon/. */
#pragma once

#include <jansson.h>

#include "common/arena.h"
#include "common/bytes.h"

/* A JSON object out of a file's text. The caller ends it with json_decref. LEAT_CORRUPT with line and column. */
LEAT_CHECKED leat_code leat_paimon_json_load(const char *text, size_t size, const char *what, json_t **out,
                                             leat_error *error);

/* Members of an object, the fallback when absent or null. LEAT_CORRUPT when of another type. */
LEAT_CHECKED leat_code leat_paimon_json_int(const json_t *object, const char *key, int64_t fallback, int64_t *out,
                                            leat_error *error);
LEAT_CHECKED leat_code leat_paimon_json_text(const json_t *object, const char *key, leat_arena *arena, const char **out,
                                             leat_error *error);

/* A quoted and escaped string. */
void leat_paimon_json_put(leat_bytes *out, const char *text);
/* Whether a text can be in a JSON file: valid UTF-8. */
bool leat_paimon_json_is_text(const char *text);
