#include "flow/connector.h"

#include <string.h>

/* Options that every connector knows (spec: connectors §1). */
static const char *const common_keys[] = {
    "connector",
    "type",
    "property-version",
    "scan.parallelism",
    "sink.parallelism",
    "scan.watermark.emit.strategy",
    "scan.watermark.idle-timeout",
    "scan.watermark.alignment.group",
    "scan.watermark.alignment.max-drift",
    "scan.watermark.alignment.update-interval",
};

/* Whether `key` is `pattern` with each '#' standing for a name of the schema. */
static bool matches(const char *pattern, const char *key, const leat_schema *schema)
{
    const char *hash = strchr(pattern, '#');
    if (!hash) return strcmp(pattern, key) == 0;
    size_t before = (size_t)(hash - pattern);
    if (strncmp(pattern, key, before) != 0) return false;
    for (int32_t i = 0; i < schema->fields_count; i++) {
        size_t length = strlen(schema->fields[i].name);
        if (strncmp(key + before, schema->fields[i].name, length) == 0 &&
            strcmp(key + before + length, hash + 1) == 0) {
            return true;
        }
    }
    return false;
}

static const leat_connector_option *find_option(const char *key, const leat_schema *schema,
                                                const leat_connector_option *known)
{
    for (; known->key; known++) {
        if (matches(known->key, key, schema)) return known;
    }
    return NULL;
}

static bool is_common(const char *key)
{
    for (size_t i = 0; i < sizeof common_keys / sizeof *common_keys; i++) {
        if (strcmp(common_keys[i], key) == 0) return true;
    }
    return false;
}

static const char *nearest(const char *key, const leat_connector_option *known)
{
    leat_nearest near = {.word = key, .less_than = (int)strlen(key) / 3 + 1};
    for (; known->key; known++)
        leat_nearest_look(&near, known->key);
    return near.found;
}

static leat_code fail_unknown(const char *identifier, const char *key, const leat_connector_option *known,
                              leat_error *error)
{
    leat_bytes list = {0};
    for (const leat_connector_option *option = known; option->key; option++) {
        leat_bytes_format(&list, "\n%s", option->key);
    }
    leat_code code =
        leat_fail(error, LEAT_INVALID,
                  "Unsupported options found for '%s'.\n\nUnsupported options:\n\n%s\n\nSupported options:\n%s",
                  identifier, key, list.data ? (const char *)list.data : "");
    leat_bytes_done(&list);
    const char *near = nearest(key, known);
    if (near) leat_fail_hint(error, "did you mean '%s'?", near);
    return code;
}

leat_code leat_connector_check_options(const char *identifier, const leat_config *options, const leat_schema *schema,
                                       const leat_connector_option *known, leat_error *error)
{
    for (size_t i = 0; i < options->count; i++) {
        const leat_config_entry *entry = &options->entries[i];
        const leat_connector_option *option = find_option(entry->key, schema, known);
        if (!option && !is_common(entry->key)) return fail_unknown(identifier, entry->key, known, error);
        if (!option) continue;
        leat_code code = leat_option_check(option->type, entry->value, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "Invalid value for option '%s'.", entry->key);
    }
    for (; known->key; known++) {
        if (known->is_required && !leat_config_find(options, known->key)) {
            return leat_fail(error, LEAT_INVALID,
                             "One or more required options are missing.\n\nMissing required options are:\n\n%s",
                             known->key);
        }
    }
    return LEAT_OK;
}
