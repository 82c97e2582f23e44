/* Configuration: text values by key, read through one registry of options (common/options.inc).
 *
 * A config is a plain map and may hold keys that nobody knows; leat_config_check_keys warns about those with the
 * nearest known one. Not thread-safe; read-only use from several threads is fine. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

typedef enum leat_option {
#define LEAT_OPTION(name, key, type, fallback, doc) LEAT_OPTION_##name,
#include "common/options.inc"
#undef LEAT_OPTION
    LEAT_OPTIONS_COUNT,
} leat_option;

typedef enum leat_option_type {
    LEAT_OPTION_STRING,
    LEAT_OPTION_INT,
    LEAT_OPTION_DOUBLE,
    LEAT_OPTION_BOOL,
    LEAT_OPTION_DURATION, /* "10 s", "500ms", "1 min"; a bare number is milliseconds */
    LEAT_OPTION_MEMORY,   /* "64 kb", "1gb"; a bare number is bytes */
} leat_option_type;

typedef struct leat_option_info {
    const char *key;
    leat_option_type type;
    const char *fallback; /* "" = not set */
    const char *doc;
} leat_option_info;

const leat_option_info *leat_option_get_info(leat_option option);
/* Whether the text is a value of that type. */
LEAT_CHECKED leat_code leat_option_check(leat_option_type type, const char *value, leat_error *error);
/* The option with this key, or LEAT_OPTIONS_COUNT. */
leat_option leat_option_by_key(const char *key);
/* The known key nearest to `key` by edit distance; NULL when none is near. */
const char *leat_option_nearest_key(const char *key);

typedef struct leat_config_entry {
    char *key, *value;
} leat_config_entry;

typedef struct leat_config {
    leat_config_entry *entries; /* in order of first setting */
    size_t count, capacity;
} leat_config;

void leat_config_done(leat_config *config);
/* Sets or replaces. Known options are checked for their type: LEAT_INVALID with a hint. */
LEAT_CHECKED leat_code leat_config_set(leat_config *config, const char *key, const char *value, leat_error *error);
void leat_config_remove(leat_config *config, const char *key);
LEAT_CHECKED leat_code leat_config_merge(leat_config *into, const leat_config *from, leat_error *error);
/* "key=value" as -D takes it. */
LEAT_CHECKED leat_code leat_config_set_pair(leat_config *config, const char *pair, leat_error *error);
/* Flat "key: value" YAML (conf/leat.yaml), nested maps joined by dots. Unknown keys are kept. */
LEAT_CHECKED leat_code leat_config_load_yaml(leat_config *config, const char *path, leat_error *error);

/* NULL when the key is not set. Borrowed. */
const char *leat_config_find(const leat_config *config, const char *key);
/* The value or the option's default; the types were checked when set. */
const char *leat_config_string(const leat_config *config, leat_option option);
int64_t leat_config_int(const leat_config *config, leat_option option);
double leat_config_double(const leat_config *config, leat_option option);
bool leat_config_bool(const leat_config *config, leat_option option);
int64_t leat_config_duration_ms(const leat_config *config, leat_option option);
int64_t leat_config_memory_bytes(const leat_config *config, leat_option option);

/* Parsers of the value forms, for options of connectors and tables. */
LEAT_CHECKED leat_code leat_parse_duration_ms(const char *text, int64_t *out, leat_error *error);
LEAT_CHECKED leat_code leat_parse_memory_bytes(const char *text, int64_t *out, leat_error *error);
LEAT_CHECKED leat_code leat_parse_int(const char *text, int64_t *out, leat_error *error);
LEAT_CHECKED leat_code leat_parse_double(const char *text, double *out, leat_error *error);
LEAT_CHECKED leat_code leat_parse_bool(const char *text, bool *out, leat_error *error);

/* Edit distance; at most 64 characters are looked at. Case is ignored. */
int leat_edit_distance(const char *left, const char *right);

/* Of several words the nearest to one, for "did you mean". Begin with {word, edits}: only what takes fewer edits
 * counts.
 */
typedef struct leat_nearest {
    const char *word;
    int less_than;
    const char *found; /* borrowed; NULL: none is near */
} leat_nearest;
void leat_nearest_look(leat_nearest *self, const char *candidate);

/* Whether an option holds a secret by its name: password, secret, token, access key. Its value is never shown. */
bool leat_option_is_secret(const char *key);
