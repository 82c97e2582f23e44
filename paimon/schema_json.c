/* Schema files from and to JSON. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/json.h"
#include "paimon/schema.h"

static leat_code parse_type(const json_t *json, int depth, leat_arena *arena, leat_type *out, leat_error *error);

static leat_code parse_children(const json_t *json, int depth, leat_arena *arena, leat_type *out, leat_error *error)
{
    static const char *const element[] = {"element"}, *const entry[] = {"key", "value"};
    bool is_map = out->kind == LEAT_TYPE_MAP, is_row = out->kind == LEAT_TYPE_ROW;
    const json_t *fields = is_row ? json_object_get(json, "fields") : NULL;
    size_t count = is_row ? json_array_size(fields) : is_map ? 2 : 1;
    if (count > LEAT_PAIMON_FIELDS_MAX) return leat_fail(error, LEAT_LIMIT, "a type of %zu fields", count);
    leat_type *children = leat_arena_take(arena, count * sizeof *children);
    const char **names = leat_arena_take(arena, count * sizeof *names);
    if (!children || !names) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        const json_t *child = is_row ? json_array_get(fields, i) : json;
        const char *key = is_row ? "type" : is_map ? entry[i] : element[0];
        if (is_row) LEAT_TRY(leat_paimon_json_text(child, "name", arena, &names[i], error));
        if (is_row && !names[i]) return leat_fail(error, LEAT_CORRUPT, "a nested field has no name");
        LEAT_TRY(parse_type(json_object_get(child, key), depth + 1, arena, &children[i], error));
    }
    out->children = children;
    out->children_count = (int32_t)count;
    out->child_names = is_row ? names : NULL;
    return LEAT_OK;
}

/* "ARRAY", "MAP NOT NULL" … of a nested type's object. */
static bool parse_nested_word(const char *text, leat_type *out)
{
    static const struct {
        const char *word;
        leat_type_kind kind;
    } words[] = {
        {"ARRAY", LEAT_TYPE_ARRAY}, {"MULTISET", LEAT_TYPE_MULTISET}, {"MAP", LEAT_TYPE_MAP}, {"ROW", LEAT_TYPE_ROW}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i].word);
        if (strncmp(text, words[i].word, length) != 0) continue;
        *out = leat_type_make(words[i].kind, text[length] == '\0');
        return text[length] == '\0' || strcmp(text + length, " NOT NULL") == 0;
    }
    return false;
}

static leat_code parse_type(const json_t *json, int depth, leat_arena *arena, leat_type *out, leat_error *error)
{
    if (depth > LEAT_TYPE_DEPTH_MAX) return leat_fail(error, LEAT_LIMIT, "a type is nested too deeply");
    if (json_is_object(json)) {
        const char *word = json_string_value(json_object_get(json, "type"));
        if (!word || !parse_nested_word(word, out)) {
            return leat_fail(error, LEAT_UNSUPPORTED, "type '%s' is not known", word ? word : "?");
        }
        return parse_children(json, depth, arena, out, error);
    }
    const char *text = json_string_value(json);
    if (!text) return leat_fail(error, LEAT_CORRUPT, "a field has no type");
    leat_error cause;
    leat_code code = leat_type_parse(text, arena, out, &cause);
    if (code == LEAT_OK || code == LEAT_NO_MEMORY) return code == LEAT_OK ? code : leat_fail_no_memory(error);
    /* VARIANT and what newer versions bring: kept as text, a kind without columns. */
    *out = leat_type_make(LEAT_TYPE_NULL, !strstr(text, " NOT NULL"));
    return LEAT_OK;
}

static bool is_kept_as_json(const leat_type *type)
{
    return type->kind == LEAT_TYPE_NULL || type->children_count > 0 || type->kind == LEAT_TYPE_ROW;
}

static leat_code parse_field(const json_t *json, leat_arena *arena, leat_paimon_field *out, leat_error *error)
{
    int64_t id;
    LEAT_TRY(leat_paimon_json_int(json, "id", -1, &id, error));
    LEAT_TRY(leat_paimon_json_text(json, "name", arena, &out->name, error));
    LEAT_TRY(leat_paimon_json_text(json, "description", arena, &out->description, error));
    LEAT_TRY(leat_paimon_json_text(json, "defaultValue", arena, &out->default_value, error));
    if (!out->name || id < 0 || id > INT32_MAX) return leat_fail(error, LEAT_CORRUPT, "a field has no name or id");
    out->id = (int32_t)id;
    const json_t *type = json_object_get(json, "type");
    leat_code code = parse_type(type, 0, arena, &out->type, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "field '%s'", out->name);
    if (!is_kept_as_json(&out->type)) return LEAT_OK;
    char *dump = json_dumps(type, JSON_COMPACT | JSON_ENCODE_ANY);
    out->type_json = dump ? leat_arena_strdup(arena, dump) : NULL;
    free(dump);
    return out->type_json ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code parse_fields(const json_t *root, leat_arena *arena, leat_paimon_schema *out, leat_error *error)
{
    const json_t *fields = json_object_get(root, "fields");
    size_t count = json_array_size(fields);
    if (!json_is_array(fields)) return leat_fail(error, LEAT_CORRUPT, "there is no array 'fields'");
    if (count > LEAT_PAIMON_FIELDS_MAX) return leat_fail(error, LEAT_LIMIT, "%zu fields", count);
    out->fields = leat_arena_take(arena, count * sizeof *out->fields);
    if (!out->fields) return leat_fail_no_memory(error);
    out->fields_count = (int32_t)count;
    for (size_t i = 0; i < count; i++)
        LEAT_TRY(parse_field(json_array_get(fields, i), arena, &out->fields[i], error));
    return LEAT_OK;
}

static leat_code parse_names(const json_t *root, const char *key, leat_arena *arena, const char ***out, int32_t *count,
                             leat_error *error)
{
    const json_t *names = json_object_get(root, key);
    size_t size = json_array_size(names);
    if (size > LEAT_PAIMON_FIELDS_MAX) return leat_fail(error, LEAT_LIMIT, "'%s' has %zu names", key, size);
    *out = leat_arena_take(arena, size * sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    for (size_t i = 0; i < size; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (!name) return leat_fail(error, LEAT_CORRUPT, "'%s' holds something that is no text", key);
        if (!((*out)[i] = leat_arena_strdup(arena, name))) return leat_fail_no_memory(error);
    }
    *count = (int32_t)size;
    return LEAT_OK;
}

static leat_code parse_options(const json_t *root, int64_t version, leat_config *out, leat_error *error)
{
    const char *key;
    json_t *value;
    json_t *options = json_object_get(root, "options");
    json_object_foreach(options, key, value)
    {
        if (!json_is_string(value)) return leat_fail(error, LEAT_CORRUPT, "option '%s' is no text", key);
        LEAT_TRY(leat_config_set(out, key, json_string_value(value), error));
    }
    if (version <= 1 && !leat_config_find(out, "bucket")) LEAT_TRY(leat_config_set(out, "bucket", "1", error));
    if (version <= 2 && !leat_config_find(out, "file.format")) {
        LEAT_TRY(leat_config_set(out, "file.format", "orc", error));
    }
    return LEAT_OK;
}

static leat_code parse_schema(const json_t *root, leat_arena *arena, leat_paimon_schema *out, leat_error *error)
{
    int64_t version, highest;
    LEAT_TRY(leat_paimon_json_int(root, "version", 1, &version, error));
    LEAT_TRY(leat_paimon_json_int(root, "id", 0, &out->id, error));
    LEAT_TRY(leat_paimon_json_int(root, "highestFieldId", -1, &highest, error));
    LEAT_TRY(leat_paimon_json_int(root, "timeMillis", 0, &out->time_ms, error));
    LEAT_TRY(leat_paimon_json_text(root, "comment", arena, &out->comment, error));
    LEAT_TRY(parse_fields(root, arena, out, error));
    LEAT_TRY(parse_names(root, "partitionKeys", arena, &out->partition_keys, &out->partition_keys_count, error));
    LEAT_TRY(parse_names(root, "primaryKeys", arena, &out->primary_keys, &out->primary_keys_count, error));
    if (highest < -1 || highest > INT32_MAX) return leat_fail(error, LEAT_CORRUPT, "highestFieldId %" PRId64, highest);
    out->highest_field_id = (int32_t)highest;
    return parse_options(root, version, &out->options, error);
}

leat_code leat_paimon_schema_parse(const char *text, size_t size, leat_arena *arena, leat_paimon_schema *out,
                                   leat_error *error)
{
    json_t *root;
    LEAT_TRY(leat_paimon_json_load(text, size, "schema", &root, error));
    leat_paimon_schema schema = {0};
    leat_code code = parse_schema(root, arena, &schema, error);
    json_decref(root);
    if (code != LEAT_OK)
        leat_paimon_schema_done(&schema);
    else
        *out = schema;
    return code;
}

void leat_paimon_schema_done(leat_paimon_schema *schema)
{
    leat_config_done(&schema->options);
    schema->options = (leat_config){0};
}

static void print_field(const leat_paimon_field *field, leat_bytes *out)
{
    leat_bytes_format(out, "{\n    \"id\" : %d,\n    \"name\" : ", field->id);
    leat_paimon_json_put(out, field->name);
    leat_bytes_text(out, ",\n    \"type\" : ");
    if (field->type_json) {
        leat_bytes_text(out, field->type_json);
    } else {
        leat_bytes type = {0};
        leat_type_print(&field->type, true, &type);
        if (type.failed)
            out->failed = true;
        else
            leat_paimon_json_put(out, (const char *)type.data);
        leat_bytes_done(&type);
    }
    if (field->description) {
        leat_bytes_text(out, ",\n    \"description\" : ");
        leat_paimon_json_put(out, field->description);
    }
    if (field->default_value) {
        leat_bytes_text(out, ",\n    \"defaultValue\" : ");
        leat_paimon_json_put(out, field->default_value);
    }
    leat_bytes_text(out, "\n  }");
}

static void print_names(const char *key, const char *const *names, int32_t count, leat_bytes *out)
{
    leat_bytes_format(out, "  \"%s\" : [", key);
    for (int32_t i = 0; i < count; i++) {
        leat_bytes_text(out, i ? ", " : " ");
        leat_paimon_json_put(out, names[i]);
    }
    leat_bytes_text(out, " ],\n");
}

leat_code leat_paimon_schema_print(const leat_paimon_schema *schema, leat_bytes *out, leat_error *error)
{
    leat_bytes_format(out, "{\n  \"version\" : 3,\n  \"id\" : %" PRId64 ",\n  \"fields\" : [ ", schema->id);
    for (int32_t i = 0; i < schema->fields_count; i++) {
        if (i) leat_bytes_text(out, ", ");
        print_field(&schema->fields[i], out);
    }
    leat_bytes_format(out, " ],\n  \"highestFieldId\" : %d,\n", schema->highest_field_id);
    print_names("partitionKeys", schema->partition_keys, schema->partition_keys_count, out);
    print_names("primaryKeys", schema->primary_keys, schema->primary_keys_count, out);
    leat_bytes_text(out, "  \"options\" : {");
    for (size_t i = 0; i < schema->options.count; i++) {
        leat_bytes_text(out, i ? ",\n    " : "\n    ");
        leat_paimon_json_put(out, schema->options.entries[i].key);
        leat_bytes_text(out, " : ");
        leat_paimon_json_put(out, schema->options.entries[i].value);
    }
    leat_bytes_text(out, schema->options.count ? "\n  },\n" : " },\n");
    if (schema->comment) {
        leat_bytes_text(out, "  \"comment\" : ");
        leat_paimon_json_put(out, schema->comment);
        leat_bytes_text(out, ",\n");
    }
    leat_bytes_format(out, "  \"timeMillis\" : %" PRId64 "\n}", schema->time_ms);
    return leat_bytes_check(out, error);
}
