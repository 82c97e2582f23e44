/* What follows from a schema's keys and options. */
#include "paimon/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/numbers.h"

int32_t leat_paimon_schema_find(const leat_paimon_schema *schema, const char *name)
{
    for (int32_t i = 0; i < schema->fields_count; i++) {
        if (strcmp(schema->fields[i].name, name) == 0) return i;
    }
    return -1;
}

int32_t leat_paimon_schema_find_id(const leat_paimon_schema *schema, int32_t field_id)
{
    for (int32_t i = 0; i < schema->fields_count; i++) {
        if (schema->fields[i].id == field_id) return i;
    }
    return -1;
}

leat_code leat_paimon_schema_columns(const leat_paimon_schema *schema, leat_arena *arena, leat_schema *out,
                                     leat_error *error)
{
    leat_field *fields = leat_arena_take(arena, (size_t)schema->fields_count * sizeof *fields);
    if (!fields) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < schema->fields_count; i++) {
        const leat_paimon_field *field = &schema->fields[i];
        fields[i] = (leat_field){field->name, field->type};
        if (field->type.kind != LEAT_TYPE_NULL && leat_type_has_column(&field->type)) continue;
        leat_bytes type = {0};
        leat_type_print(&field->type, true, &type);
        leat_code code =
            leat_fail(error, LEAT_UNSUPPORTED, "column '%s' is of type %s, which is not supported yet", field->name,
                      field->type_json || type.failed ? field->type_json : (const char *)type.data);
        leat_bytes_done(&type);
        return code;
    }
    *out = (leat_schema){schema->fields_count, fields};
    return LEAT_OK;
}

static bool is_among(const char *name, const char *const *names, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static leat_code key_begin(leat_arena *arena, int32_t capacity, leat_paimon_key *out, leat_error *error)
{
    *out = (leat_paimon_key){.columns = leat_arena_take(arena, (size_t)capacity * sizeof *out->columns),
                             .types = leat_arena_take(arena, (size_t)capacity * sizeof *out->types)};
    return out->columns && out->types ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code key_add(const leat_paimon_schema *schema, const char *what, const char *name, leat_paimon_key *out,
                         leat_error *error)
{
    int32_t at = leat_paimon_schema_find(schema, name);
    if (at < 0) return leat_fail(error, LEAT_INVALID, "%s '%s' is not a column of the table", what, name);
    out->columns[out->count] = at;
    out->types[out->count++] = schema->fields[at].type;
    return LEAT_OK;
}

leat_code leat_paimon_schema_partition_key(const leat_paimon_schema *schema, leat_arena *arena, leat_paimon_key *out,
                                           leat_error *error)
{
    LEAT_TRY(key_begin(arena, schema->partition_keys_count, out, error));
    for (int32_t i = 0; i < schema->partition_keys_count; i++)
        LEAT_TRY(key_add(schema, "partition key", schema->partition_keys[i], out, error));
    return LEAT_OK;
}

leat_code leat_paimon_schema_trimmed_key(const leat_paimon_schema *schema, leat_arena *arena, leat_paimon_key *out,
                                         leat_error *error)
{
    LEAT_TRY(key_begin(arena, schema->primary_keys_count, out, error));
    for (int32_t i = 0; i < schema->primary_keys_count; i++) {
        if (is_among(schema->primary_keys[i], schema->partition_keys, schema->partition_keys_count)) continue;
        LEAT_TRY(key_add(schema, "primary key", schema->primary_keys[i], out, error));
    }
    return LEAT_OK;
}

leat_code leat_paimon_schema_bucket_key(const leat_paimon_schema *schema, leat_arena *arena, leat_paimon_key *out,
                                        leat_error *error)
{
    const char *at = leat_config_find(&schema->options, "bucket-key");
    if (!at || !*at) return leat_paimon_schema_trimmed_key(schema, arena, out, error);
    LEAT_TRY(key_begin(arena, schema->fields_count, out, error));
    while (*at) {
        size_t length = strcspn(at, ",");
        const char *start = at;
        at += length + (at[length] == ',');
        while (length && *start == ' ')
            start++, length--;
        while (length && start[length - 1] == ' ')
            length--;
        if (out->count == schema->fields_count)
            return leat_fail(error, LEAT_INVALID, "bucket-key names too many columns");
        const char *name = leat_arena_strndup(arena, start, length);
        if (!name) return leat_fail_no_memory(error);
        LEAT_TRY(key_add(schema, "bucket key", name, out, error));
    }
    return LEAT_OK;
}

leat_code leat_paimon_schema_bucket_mode(const leat_paimon_schema *schema, leat_paimon_bucket_mode *mode,
                                         int32_t *buckets, leat_error *error)
{
    enum { DYNAMIC = -1, POSTPONE = -2, BUCKETS_MAX = INT16_MAX + 1 };
    int64_t number;
    LEAT_TRY(leat_paimon_option_int(&schema->options, "bucket", DYNAMIC, &number, error));
    if (number == 0 || number < POSTPONE || number > BUCKETS_MAX) {
        return leat_fail(error, LEAT_INVALID, "option 'bucket' is %" PRId64 ": it takes -2, -1 or 1 to %d", number,
                         BUCKETS_MAX);
    }
    bool has_key = schema->primary_keys_count > 0, has_all = true;
    for (int32_t i = 0; i < schema->partition_keys_count; i++)
        has_all &= is_among(schema->partition_keys[i], schema->primary_keys, schema->primary_keys_count);
    if (number == POSTPONE && !has_key) return leat_fail(error, LEAT_INVALID, "bucket = -2 needs a primary key");
    *buckets = (int32_t)number;
    *mode = number > 0           ? LEAT_PAIMON_BUCKET_FIXED
            : number == POSTPONE ? LEAT_PAIMON_BUCKET_POSTPONE
            : !has_key           ? LEAT_PAIMON_BUCKET_UNAWARE
            : has_all            ? LEAT_PAIMON_BUCKET_DYNAMIC
                                 : LEAT_PAIMON_BUCKET_KEY_DYNAMIC;
    return LEAT_OK;
}

static leat_code option_word(const leat_paimon_schema *schema, const char *key, const char *const *words, int count,
                             int *out, leat_error *error)
{
    const char *value = leat_config_find(&schema->options, key);
    *out = 0;
    if (!value) return LEAT_OK;
    for (int i = 0; i < count; i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *out = i;
            return LEAT_OK;
        }
    }
    leat_code code = leat_fail(error, LEAT_INVALID, "option '%s' = '%s' is not known", key, value);
    leat_bytes list = {0};
    for (int i = 0; i < count; i++)
        leat_bytes_format(&list, i ? ", %s" : "%s", words[i]);
    if (!list.failed) leat_fail_hint(error, "one of: %s", (const char *)list.data);
    leat_bytes_done(&list);
    return code;
}

leat_code leat_paimon_schema_changelog_producer(const leat_paimon_schema *schema, leat_paimon_changelog_producer *out,
                                                leat_error *error)
{
    static const char *const words[] = {"none", "input", "full-compaction", "lookup"};
    int at;
    LEAT_TRY(option_word(schema, "changelog-producer", words, 4, &at, error));
    *out = (leat_paimon_changelog_producer)at;
    return LEAT_OK;
}

leat_code leat_paimon_schema_merge_engine(const leat_paimon_schema *schema, leat_paimon_merge_engine *out,
                                          leat_error *error)
{
    static const char *const words[] = {"deduplicate", "partial-update", "aggregation", "first-row"};
    int at;
    LEAT_TRY(option_word(schema, "merge-engine", words, 4, &at, error));
    *out = (leat_paimon_merge_engine)at;
    return LEAT_OK;
}

#define OPTION(suffix, type, parse)                                                                                    \
    leat_code leat_paimon_option_##suffix(const leat_config *options, const char *key, type fallback, type *out,       \
                                          leat_error *error)                                                           \
    {                                                                                                                  \
        const char *value = leat_config_find(options, key);                                                            \
        *out = fallback;                                                                                               \
        if (!value) return LEAT_OK;                                                                                    \
        leat_code code = parse(value, out, error);                                                                     \
        return code == LEAT_OK ? code : leat_fail_in(error, code, "option '%s'", key);                                 \
    }

OPTION(int, int64_t, leat_parse_int)
OPTION(bool, bool, leat_parse_bool)
OPTION(memory, int64_t, leat_parse_memory_bytes)
OPTION(duration, int64_t, leat_parse_duration_ms)

const char *leat_paimon_option_text(const leat_config *options, const char *key, const char *fallback)
{
    const char *value = leat_config_find(options, key);
    return value ? value : fallback;
}

/* The number in "schema.<i>.name"; -1 for other keys. */
static int64_t computed_position(const char *key)
{
    if (strncmp(key, "schema.", 7) != 0) return -1;
    const char *number = key + 7;
    size_t length = strcspn(number, ".");
    return strcmp(number + length, ".name") == 0 ? leat_paimon_parse_number(number, length) : -1;
}

static int compare_positions(const void *left, const void *right)
{
    int32_t a = ((const leat_paimon_computed *)left)->position, b = ((const leat_paimon_computed *)right)->position;
    return (a > b) - (a < b);
}

leat_code leat_paimon_schema_computed(const leat_paimon_schema *schema, leat_arena *arena, leat_paimon_computed **out,
                                      int32_t *count, leat_error *error)
{
    const leat_config *options = &schema->options;
    leat_paimon_computed *columns = leat_arena_take(arena, options->count * sizeof *columns);
    if (!columns) return leat_fail_no_memory(error);
    int32_t found = 0;
    for (size_t i = 0; i < options->count; i++) {
        int64_t position = computed_position(options->entries[i].key);
        if (position < 0 || position > INT32_MAX) continue;
        const char *expression_key = leat_arena_format(arena, "schema.%" PRId64 ".expr", position);
        const char *type_key = leat_arena_format(arena, "schema.%" PRId64 ".data-type", position);
        if (!expression_key || !type_key) return leat_fail_no_memory(error);
        const char *expression = leat_config_find(options, expression_key), *type = leat_config_find(options, type_key);
        if (!expression || !type) continue;
        leat_paimon_computed *column = &columns[found++];
        *column = (leat_paimon_computed){(int32_t)position, options->entries[i].value, expression, type, {0}};
        LEAT_TRY(leat_type_parse(type, arena, &column->type, error));
    }
    if (found) qsort(columns, (size_t)found, sizeof *columns, compare_positions);
    *out = columns;
    *count = found;
    return LEAT_OK;
}
