#include "common/config.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "common/memory.h"

static const leat_option_info options[LEAT_OPTIONS_COUNT] = {
#define LEAT_OPTION(name, key, type, fallback, doc) {key, LEAT_OPTION_##type, fallback, doc},
#include "common/options.inc"
#undef LEAT_OPTION
};

const leat_option_info *leat_option_get_info(leat_option option)
{
    return &options[option];
}

leat_option leat_option_by_key(const char *key)
{
    for (int i = 0; i < LEAT_OPTIONS_COUNT; i++) {
        if (strcmp(options[i].key, key) == 0) return (leat_option)i;
    }
    return LEAT_OPTIONS_COUNT;
}

enum { EDIT_CHARS_MAX = 64 };

int leat_edit_distance(const char *left, const char *right)
{
    size_t left_length = strnlen(left, EDIT_CHARS_MAX), right_length = strnlen(right, EDIT_CHARS_MAX);
    int row[EDIT_CHARS_MAX + 1];
    for (size_t j = 0; j <= right_length; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= left_length; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= right_length; j++) {
            int same = tolower((unsigned char)left[i - 1]) == tolower((unsigned char)right[j - 1]);
            int best = diagonal + (same ? 0 : 1);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[right_length];
}

void leat_nearest_look(leat_nearest *self, const char *candidate)
{
    int distance = leat_edit_distance(candidate, self->word);
    if (distance >= self->less_than) return;
    self->less_than = distance;
    self->found = candidate;
}

const char *leat_option_nearest_key(const char *key)
{
    leat_nearest near = {.word = key, .less_than = (int)strlen(key) / 3 + 1};
    for (int i = 0; i < LEAT_OPTIONS_COUNT; i++)
        leat_nearest_look(&near, options[i].key);
    return near.found;
}

bool leat_option_is_secret(const char *key)
{
    static const char *const words[] = {"password",   "passwd",     "secret",    "token",  "access-key",
                                        "access.key", "access_key", "accesskey", "apikey", "credential"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasestr(key, words[i])) return true;
    }
    return false;
}

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

/* A number, blanks, a unit. The table's first entry is what a bare number means. */
static leat_code parse_with_unit(const char *text, const unit *units, const char *what, int64_t *out, leat_error *error)
{
    const char *at = text;
    while (isspace((unsigned char)*at))
        at++;
    char *end;
    errno = 0;
    long long number = strtoll(at, &end, 10);
    if (end == at || errno || number < 0) {
        return leat_fail(error, LEAT_INVALID, "'%s' is not a %s", text, what);
    }
    while (isspace((unsigned char)*end))
        end++;
    size_t length = strlen(end);
    while (length && isspace((unsigned char)end[length - 1]))
        length--;
    for (const unit *known = units; known->name; known++) {
        if ((length == 0 && known == units) ||
            (strlen(known->name) == length && strncasecmp(known->name, end, length) == 0)) {
            if (__builtin_mul_overflow((int64_t)number, known->factor, out)) {
                return leat_fail(error, LEAT_INVALID, "'%s' is too large a %s", text, what);
            }
            return LEAT_OK;
        }
    }
    return leat_fail(error, LEAT_INVALID, "'%s' is not a %s: unknown unit '%.*s'", text, what, (int)length, end);
}

leat_code leat_parse_duration_ms(const char *text, int64_t *out, leat_error *error)
{
    static const unit units[] = {
        {"ms", 1},         {"milli", 1},       {"millis", 1},     {"millisecond", 1}, {"milliseconds", 1},
        {"s", 1000},       {"sec", 1000},      {"secs", 1000},    {"second", 1000},   {"seconds", 1000},
        {"min", 60000},    {"m", 60000},       {"minute", 60000}, {"minutes", 60000}, {"h", 3600000},
        {"hour", 3600000}, {"hours", 3600000}, {"d", 86400000},   {"day", 86400000},  {"days", 86400000},
        {NULL, 0},
    };
    leat_code code = parse_with_unit(text, units, "duration", out, error);
    if (code != LEAT_OK) leat_fail_hint(error, "write for example '500 ms', '10 s' or '1 min'");
    return code;
}

leat_code leat_parse_memory_bytes(const char *text, int64_t *out, leat_error *error)
{
    static const unit units[] = {
        {"b", 1},
        {"bytes", 1},
        {"k", 1 << 10},
        {"kb", 1 << 10},
        {"kibibytes", 1 << 10},
        {"m", 1 << 20},
        {"mb", 1 << 20},
        {"mebibytes", 1 << 20},
        {"g", 1 << 30},
        {"gb", 1 << 30},
        {"gibibytes", 1 << 30},
        {"t", INT64_C(1) << 40},
        {"tb", INT64_C(1) << 40},
        {"tebibytes", INT64_C(1) << 40},
        {NULL, 0},
    };
    leat_code code = parse_with_unit(text, units, "memory size", out, error);
    if (code != LEAT_OK) leat_fail_hint(error, "write for example '64 kb', '256 mb' or '1 gb'");
    return code;
}

leat_code leat_parse_int(const char *text, int64_t *out, leat_error *error)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    while (isspace((unsigned char)*end))
        end++;
    if (end == text || *end || errno) return leat_fail(error, LEAT_INVALID, "'%s' is not a whole number", text);
    *out = number;
    return LEAT_OK;
}

leat_code leat_parse_double(const char *text, double *out, leat_error *error)
{
    char *end;
    double number = strtod(text, &end);
    while (isspace((unsigned char)*end))
        end++;
    if (end == text || *end || !isfinite(number)) return leat_fail(error, LEAT_INVALID, "'%s' is not a number", text);
    *out = number;
    return LEAT_OK;
}

leat_code leat_parse_bool(const char *text, bool *out, leat_error *error)
{
    if (strcasecmp(text, "true") == 0)
        *out = true;
    else if (strcasecmp(text, "false") == 0)
        *out = false;
    else
        return leat_fail(error, LEAT_INVALID, "'%s' is neither 'true' nor 'false'", text);
    return LEAT_OK;
}

leat_code leat_option_check(leat_option_type type, const char *value, leat_error *error)
{
    int64_t number;
    double real;
    bool flag;
    switch (type) {
    case LEAT_OPTION_STRING: return LEAT_OK;
    case LEAT_OPTION_INT: return leat_parse_int(value, &number, error);
    case LEAT_OPTION_DOUBLE: return leat_parse_double(value, &real, error);
    case LEAT_OPTION_BOOL: return leat_parse_bool(value, &flag, error);
    case LEAT_OPTION_DURATION: return leat_parse_duration_ms(value, &number, error);
    case LEAT_OPTION_MEMORY: return leat_parse_memory_bytes(value, &number, error);
    }
    return LEAT_OK;
}

void leat_config_done(leat_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        leat_free(config->entries[i].key);
        leat_free(config->entries[i].value);
    }
    leat_free(config->entries);
    *config = (leat_config){0};
}

static leat_config_entry *find_entry(const leat_config *config, const char *key)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->entries[i].key, key) == 0) return &config->entries[i];
    }
    return NULL;
}

leat_code leat_config_set(leat_config *config, const char *key, const char *value, leat_error *error)
{
    leat_option option = leat_option_by_key(key);
    if (option != LEAT_OPTIONS_COUNT) {
        leat_code code = leat_option_check(options[option].type, value, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "option '%s'", key);
    }
    char *value_copy = leat_strdup(value);
    if (!value_copy) return leat_fail_no_memory(error);
    leat_config_entry *entry = find_entry(config, key);
    if (entry) {
        leat_free(entry->value);
        entry->value = value_copy;
        return LEAT_OK;
    }
    char *key_copy = leat_strdup(key);
    if (!key_copy ||
        leat_grow(&config->entries, &config->capacity, config->count + 1, sizeof *config->entries, error) != LEAT_OK) {
        leat_free(key_copy);
        leat_free(value_copy);
        return leat_fail_no_memory(error);
    }
    config->entries[config->count++] = (leat_config_entry){key_copy, value_copy};
    return LEAT_OK;
}

void leat_config_remove(leat_config *config, const char *key)
{
    leat_config_entry *entry = find_entry(config, key);
    if (!entry) return;
    leat_free(entry->key);
    leat_free(entry->value);
    size_t after = config->count - (size_t)(entry - config->entries) - 1;
    memmove(entry, entry + 1, after * sizeof *entry);
    config->count--;
}

leat_code leat_config_merge(leat_config *into, const leat_config *from, leat_error *error)
{
    for (size_t i = 0; i < from->count; i++) {
        LEAT_TRY(leat_config_set(into, from->entries[i].key, from->entries[i].value, error));
    }
    return LEAT_OK;
}

leat_code leat_config_set_pair(leat_config *config, const char *pair, leat_error *error)
{
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair) return leat_fail(error, LEAT_INVALID, "'%s' is not key=value", pair);
    char *key = leat_strndup(pair, (size_t)(equals - pair));
    if (!key) return leat_fail_no_memory(error);
    leat_code code = leat_config_set(config, key, equals + 1, error);
    leat_free(key);
    return code;
}

enum { YAML_DEPTH_MAX = 16, YAML_KEY_BYTES_MAX = 512 };

/* Walks one document's events: mapping keys are joined by dots; sequences are refused. */
static leat_code load_events(leat_config *config, yaml_parser_t *parser, const char *path, leat_error *error)
{
    char key[YAML_KEY_BYTES_MAX] = "";
    size_t lengths[YAML_DEPTH_MAX] = {0};
    int depth = 0;
    bool has_key = false;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return leat_fail(error, LEAT_INVALID, "%s:%zu:%zu: %s", path, parser->problem_mark.line + 1,
                             parser->problem_mark.column + 1, parser->problem ? parser->problem : "not YAML");
        }
        leat_code code = LEAT_OK;
        bool is_end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_MAPPING_START_EVENT) {
            if (++depth >= YAML_DEPTH_MAX)
                code = leat_fail(error, LEAT_LIMIT, "%s: nested too deeply", path);
            else
                lengths[depth] = strlen(key);
            has_key = false;
        } else if (event.type == YAML_MAPPING_END_EVENT) {
            depth--;
            key[depth >= 0 ? lengths[depth] : 0] = '\0';
            has_key = false;
        } else if (event.type == YAML_SCALAR_EVENT && depth > 0) {
            const char *text = (const char *)event.data.scalar.value;
            if (!has_key) {
                size_t used = lengths[depth];
                int wrote = snprintf(key + used, sizeof key - used, "%s%s", used ? "." : "", text);
                if (wrote < 0 || (size_t)wrote >= sizeof key - used)
                    code = leat_fail(error, LEAT_LIMIT, "%s: key too long", path);
                has_key = true;
            } else {
                code = leat_config_set(config, key, text, error);
                if (code != LEAT_OK) (void)leat_fail_in(error, code, "%s:%zu", path, event.start_mark.line + 1);
                key[lengths[depth]] = '\0';
                has_key = false;
            }
        } else if (event.type == YAML_SEQUENCE_START_EVENT) {
            code = leat_fail(error, LEAT_INVALID, "%s:%zu: a list is not an option's value", path,
                             event.start_mark.line + 1);
        }
        yaml_event_delete(&event);
        if (code != LEAT_OK || is_end) return code;
    }
}

leat_code leat_config_load_yaml(leat_config *config, const char *path, leat_error *error)
{
    FILE *file = fopen(path, "re");
    if (!file) return leat_fail_errno(error, leat_code_of_errno(errno), errno, "open %s", path);
    yaml_parser_t parser;
    leat_code code = LEAT_OK;
    if (!yaml_parser_initialize(&parser)) {
        code = leat_fail_no_memory(error);
    } else {
        yaml_parser_set_input_file(&parser, file);
        code = load_events(config, &parser, path, error);
        yaml_parser_delete(&parser);
    }
    (void)fclose(file); /* only read */
    return code;
}

const char *leat_config_find(const leat_config *config, const char *key)
{
    leat_config_entry *entry = find_entry(config, key);
    return entry ? entry->value : NULL;
}

const char *leat_config_string(const leat_config *config, leat_option option)
{
    const char *value = leat_config_find(config, options[option].key);
    return value ? value : options[option].fallback;
}

int64_t leat_config_int(const leat_config *config, leat_option option)
{
    int64_t value = 0;
    leat_code code = leat_parse_int(leat_config_string(config, option), &value, NULL);
    LEAT_ASSERT(code == LEAT_OK); /* checked when set; defaults are ours */
    return value;
}

double leat_config_double(const leat_config *config, leat_option option)
{
    double value = 0;
    leat_code code = leat_parse_double(leat_config_string(config, option), &value, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    return value;
}

bool leat_config_bool(const leat_config *config, leat_option option)
{
    bool value = false;
    leat_code code = leat_parse_bool(leat_config_string(config, option), &value, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    return value;
}

int64_t leat_config_duration_ms(const leat_config *config, leat_option option)
{
    int64_t value = 0;
    leat_code code = leat_parse_duration_ms(leat_config_string(config, option), &value, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    return value;
}

int64_t leat_config_memory_bytes(const leat_config *config, leat_option option)
{
    int64_t value = 0;
    leat_code code = leat_parse_memory_bytes(leat_config_string(config, option), &value, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    return value;
}
