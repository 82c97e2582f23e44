/* CREATE TABLE: checks of a definition, numbering of fields, the first schema file. */
#include <inttypes.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/json.h"

static bool is_among(const char *name, const char *const *names, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static leat_code check_keys(const leat_paimon_schema *schema, const char *what, const char *const *keys, int32_t count,
                            leat_error *error)
{
    for (int32_t i = 0; i < count; i++) {
        int32_t at = leat_paimon_schema_find(schema, keys[i]);
        if (at < 0) return leat_fail(error, LEAT_INVALID, "%s '%s' is not a column of the table", what, keys[i]);
        if (is_among(keys[i], keys, i)) return leat_fail(error, LEAT_INVALID, "%s '%s' is named twice", what, keys[i]);
        const leat_type *type = &schema->fields[at].type;
        if (type->kind == LEAT_TYPE_NULL || type->children_count > 0) {
            return leat_fail(error, LEAT_INVALID, "%s '%s' has a type that can't be in a key", what, keys[i]);
        }
    }
    return LEAT_OK;
}

static leat_code check_columns(const leat_paimon_schema *schema, leat_error *error)
{
    static const char *const reserved[] = {"_SEQUENCE_NUMBER", "_VALUE_KIND", "_LEVEL", "rowkind", "_ROW_ID"};
    if (schema->fields_count == 0) return leat_fail(error, LEAT_INVALID, "a table needs at least one column");
    for (int32_t i = 0; i < schema->fields_count; i++) {
        const char *name = schema->fields[i].name;
        if (is_among(name, reserved, 5) || strncmp(name, "_KEY_", 5) == 0) {
            return leat_fail(error, LEAT_INVALID, "column name '%s' is reserved by the table format", name);
        }
        if (!*name || !leat_paimon_json_is_text(name))
            return leat_fail(error, LEAT_INVALID, "a column's name is empty or no text");
        for (int32_t k = 0; k < i; k++) {
            if (strcmp(schema->fields[k].name, name) == 0) {
                return leat_fail(error, LEAT_INVALID, "column '%s' is defined twice", name);
            }
        }
    }
    return LEAT_OK;
}

leat_code leat_paimon_schema_check_writable(const leat_paimon_schema *schema, leat_error *error)
{
    static const struct {
        const char *key, *value, *hint; /* value NULL: whatever it is set to */
    } refused[] = {
        {"row-tracking.enabled", "true", "row ids are not written"},
        {"data-evolution.enabled", "true", "column subsets are not read"},
        {"deletion-vectors.enabled", "true", "deletion vectors are not written"},
        {"index-file-in-data-file-dir", "true", "index files are looked for in index/"},
        {"data-file.external-paths", NULL, "data files are written below the table"},
        {"type", "format-table", "only Paimon's own tables"},
        {"type", "object-table", "only Paimon's own tables"},
        {"type", "materialized-table", "only Paimon's own tables"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *value = leat_config_find(&schema->options, refused[i].key);
        if (!value || (refused[i].value && strcasecmp(value, refused[i].value) != 0)) continue;
        leat_code code =
            leat_fail(error, LEAT_UNSUPPORTED, "table option '%s' = '%s' is not supported yet", refused[i].key, value);
        leat_fail_hint(error, "%s", refused[i].hint);
        return code;
    }
    return LEAT_OK;
}

static leat_code check_buckets(const leat_paimon_schema *schema, leat_arena *arena, leat_error *error)
{
    leat_paimon_bucket_mode mode;
    int32_t buckets;
    leat_paimon_key key, trimmed;
    LEAT_TRY(leat_paimon_schema_bucket_mode(schema, &mode, &buckets, error));
    LEAT_TRY(leat_paimon_schema_trimmed_key(schema, arena, &trimmed, error));
    LEAT_TRY(leat_paimon_schema_bucket_key(schema, arena, &key, error));
    bool has_primary = schema->primary_keys_count > 0;
    bool names_key = leat_config_find(&schema->options, "bucket-key") != NULL;
    if (has_primary && trimmed.count == 0) {
        return leat_fail(error, LEAT_INVALID, "the primary key has only partition columns: one record a partition");
    }
    if (mode == LEAT_PAIMON_BUCKET_FIXED && key.count == 0) {
        return leat_fail(error, LEAT_INVALID,
                         "a table without primary key and with 'bucket' = '%d' needs a 'bucket-key'", buckets);
    }
    if (names_key && mode != LEAT_PAIMON_BUCKET_FIXED) {
        return leat_fail(error, LEAT_INVALID, "'bucket-key' needs a fixed number of buckets, 'bucket' is %d", buckets);
    }
    for (int32_t i = 0; names_key && i < key.count; i++) {
        const char *name = schema->fields[key.columns[i]].name;
        bool is_partition = is_among(name, schema->partition_keys, schema->partition_keys_count);
        if (is_partition || (has_primary && !is_among(name, schema->primary_keys, schema->primary_keys_count))) {
            return leat_fail(error, LEAT_INVALID, "bucket key '%s' is a partition key or not in the primary key", name);
        }
    }
    return LEAT_OK;
}

leat_code leat_paimon_schema_check(const leat_paimon_schema *schema, leat_error *error)
{
    LEAT_TRY(check_columns(schema, error));
    LEAT_TRY(check_keys(schema, "primary key", schema->primary_keys, schema->primary_keys_count, error));
    LEAT_TRY(check_keys(schema, "partition key", schema->partition_keys, schema->partition_keys_count, error));
    LEAT_TRY(leat_paimon_schema_check_writable(schema, error));
    leat_paimon_changelog_producer producer;
    leat_paimon_merge_engine engine;
    LEAT_TRY(leat_paimon_schema_changelog_producer(schema, &producer, error));
    LEAT_TRY(leat_paimon_schema_merge_engine(schema, &engine, error));
    if (producer != LEAT_PAIMON_CHANGELOG_NONE && schema->primary_keys_count == 0) {
        return leat_fail(error, LEAT_INVALID, "a changelog producer needs a primary key");
    }
    leat_arena arena;
    leat_arena_init(&arena, 16 << 20);
    leat_code code = check_buckets(schema, &arena, error);
    leat_arena_done(&arena);
    return code;
}

/* JSON of a type; inside nested types fields are numbered children first (layout.md §2). */
static leat_code print_type_json(const leat_type *type, int depth, int32_t *next_id, leat_bytes *out, leat_error *error)
{
    if (depth > LEAT_TYPE_DEPTH_MAX) return leat_fail(error, LEAT_LIMIT, "a type is nested too deeply");
    const char *suffix = type->nullable ? "" : " NOT NULL";
    switch (type->kind) {
    case LEAT_TYPE_ARRAY:
    case LEAT_TYPE_MULTISET:
        leat_bytes_format(out, "{\"type\":\"%s%s\",\"element\":", type->kind == LEAT_TYPE_ARRAY ? "ARRAY" : "MULTISET",
                          suffix);
        LEAT_TRY(print_type_json(&type->children[0], depth + 1, next_id, out, error));
        break;
    case LEAT_TYPE_MAP:
        leat_bytes_format(out, "{\"type\":\"MAP%s\",\"key\":", suffix);
        LEAT_TRY(print_type_json(&type->children[0], depth + 1, next_id, out, error));
        leat_bytes_text(out, ",\"value\":");
        LEAT_TRY(print_type_json(&type->children[1], depth + 1, next_id, out, error));
        break;
    case LEAT_TYPE_ROW:
        leat_bytes_format(out, "{\"type\":\"ROW%s\",\"fields\":[", suffix);
        for (int32_t i = 0; i < type->children_count; i++) {
            leat_bytes child = {0};
            leat_code code = print_type_json(&type->children[i], depth + 1, next_id, &child, error);
            if (code == LEAT_OK) code = leat_bytes_check(&child, error);
            if (code == LEAT_OK) {
                leat_bytes_format(out, "%s{\"id\":%d,\"name\":", i ? "," : "", (*next_id)++);
                leat_paimon_json_put(out, type->child_names[i]);
                leat_bytes_format(out, ",\"type\":%s}", (const char *)child.data);
            }
            leat_bytes_done(&child);
            LEAT_TRY(code);
        }
        leat_bytes_text(out, "]");
        break;
    default: {
        leat_bytes text = {0};
        leat_type_print(type, true, &text);
        if (text.failed)
            out->failed = true;
        else
            leat_paimon_json_put(out, (const char *)text.data);
        leat_bytes_done(&text);
        return leat_bytes_check(out, error);
    }
    }
    leat_bytes_text(out, "}");
    return leat_bytes_check(out, error);
}

static leat_code add_field(const leat_paimon_new_column *column, bool is_key, int32_t *next_id, leat_arena *arena,
                           leat_paimon_schema *schema, leat_error *error)
{
    leat_paimon_field *field = &schema->fields[schema->fields_count++];
    *field = (leat_paimon_field){.id = (*next_id)++,
                                 .name = column->name,
                                 .type = column->type,
                                 .description = column->comment,
                                 .default_value = column->default_value};
    if (is_key) field->type.nullable = false;
    if (field->type.children_count == 0 && field->type.kind != LEAT_TYPE_ROW) return LEAT_OK;
    leat_bytes json = {0};
    leat_code code = print_type_json(&field->type, 0, next_id, &json, error);
    if (code == LEAT_OK) {
        field->type_json = leat_arena_strdup(arena, (const char *)json.data);
        if (!field->type_json) code = leat_fail_no_memory(error);
    }
    leat_bytes_done(&json);
    return code;
}

static leat_code set_option(leat_paimon_schema *schema, int32_t position, const char *part, const char *value,
                            leat_arena *arena, leat_error *error)
{
    const char *key = leat_arena_format(arena, "schema.%d.%s", position, part);
    return key ? leat_config_set(&schema->options, key, value, error) : leat_fail_no_memory(error);
}

static leat_code add_computed(const leat_paimon_new_column *column, int32_t position, leat_arena *arena,
                              leat_paimon_schema *schema, leat_error *error)
{
    leat_bytes type = {0};
    leat_type_print(&column->type, false, &type);
    leat_code code = leat_bytes_check(&type, error);
    if (code == LEAT_OK) code = set_option(schema, position, "name", column->name, arena, error);
    if (code == LEAT_OK) code = set_option(schema, position, "expr", column->expression, arena, error);
    if (code == LEAT_OK) code = set_option(schema, position, "data-type", (const char *)type.data, arena, error);
    leat_bytes_done(&type);
    return code;
}

static leat_code build_schema(leat_env *env, const leat_paimon_new_table *table, leat_arena *arena,
                              leat_paimon_schema *schema, leat_error *error)
{
    int32_t next_id = 0;
    schema->fields = leat_arena_take(arena, (size_t)table->columns_count * sizeof *schema->fields);
    if (!schema->fields) return leat_fail_no_memory(error);
    if (table->options) LEAT_TRY(leat_config_merge(&schema->options, table->options, error));
    for (int32_t i = 0; i < table->columns_count; i++) {
        const leat_paimon_new_column *column = &table->columns[i];
        bool is_key = is_among(column->name, table->primary_keys, table->primary_keys_count);
        LEAT_TRY(column->expression ? add_computed(column, i, arena, schema, error)
                                    : add_field(column, is_key, &next_id, arena, schema, error));
    }
    schema->highest_field_id = next_id - 1;
    schema->primary_keys = (const char **)(uintptr_t)table->primary_keys; /* read only from here on */
    schema->primary_keys_count = table->primary_keys_count;
    schema->partition_keys = (const char **)(uintptr_t)table->partition_keys;
    schema->partition_keys_count = table->partition_keys_count;
    schema->comment = table->comment ? table->comment : "";
    schema->time_ms = leat_env_now_ms(env);
    leat_config_remove(&schema->options, "path");
    leat_config_remove(&schema->options, "connector");
    return leat_paimon_schema_check(schema, error);
}

static leat_code create(leat_env *env, const char *warehouse, const leat_paimon_new_table *table, leat_arena *arena,
                        leat_paimon_schema *schema, leat_error *error)
{
    LEAT_TRY(build_schema(env, table, arena, schema, error));
    size_t length = strlen(warehouse);
    while (length && warehouse[length - 1] == '/')
        length--;
    const char *path = leat_arena_format(arena, "%.*s/%s.db/%s", (int)length, warehouse, table->database, table->name);
    if (!path) return leat_fail_no_memory(error);
    int64_t id;
    leat_code code = leat_paimon_schema_newest_id(env, path, &id, error);
    if (code != LEAT_NOT_FOUND && code != LEAT_OK) return code;
    if (code == LEAT_NOT_FOUND)
        code = leat_paimon_schema_store(env, path, schema, error);
    else
        code = LEAT_EXISTS;
    return code == LEAT_EXISTS
               ? leat_fail(error, LEAT_EXISTS, "table '%s.%s' exists already", table->database, table->name)
               : code;
}

leat_code leat_paimon_create_table(leat_env *env, const char *warehouse, const leat_paimon_new_table *table,
                                   leat_error *error)
{
    bool has_database;
    LEAT_TRY(leat_paimon_database_exists(env, warehouse, table->database, &has_database, error));
    if (!has_database) {
        return leat_fail(error, LEAT_NOT_FOUND, "there is no database '%s' in %s", table->database, warehouse);
    }
    if (!*table->name || strchr(table->name, '/') || table->name[0] == '.' || !leat_paimon_json_is_text(table->name)) {
        return leat_fail(error, LEAT_INVALID, "'%s' can't be the name of a table", table->name);
    }
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    leat_paimon_schema schema = {0};
    leat_code code = create(env, warehouse, table, &arena, &schema, error);
    leat_paimon_schema_done(&schema);
    leat_arena_done(&arena);
    return code;
}
