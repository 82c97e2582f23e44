#include "paimon/pk/options.h"

#include <string.h>
#include <strings.h>

typedef struct function_name {
    const char *name;
    leat_pk_function function;
} function_name;

static const function_name function_names[] = {
    {"sum", LEAT_PK_SUM},
    {"product", LEAT_PK_PRODUCT},
    {"min", LEAT_PK_MIN},
    {"max", LEAT_PK_MAX},
    {"last_value", LEAT_PK_LAST_VALUE},
    {"last_non_null_value", LEAT_PK_LAST_NON_NULL_VALUE},
    {"first_value", LEAT_PK_FIRST_VALUE},
    {"first_non_null_value", LEAT_PK_FIRST_NON_NULL_VALUE},
    {"bool_and", LEAT_PK_BOOL_AND},
    {"bool_or", LEAT_PK_BOOL_OR},
};

/* Options that change what is read or written and are not done here, with the value that means "off". */
typedef struct refused_option {
    const char *key, *off;
    bool also_reading;
} refused_option;

static const refused_option refused[] = {
    {"sequence.field", NULL, true},
    {"rowkind.field", NULL, false},
    {"deletion-vectors.enabled", "false", true},
    {"force-lookup", "false", false},
    {"record-level.expire-time", NULL, true},
    {"file.format.per.level", NULL, false},
    {"file.compression.per.level", NULL, false},
    {"data-file.external-paths", NULL, false},
    {"data-file.thin-mode", "false", false},
    {"changelog-file.format", "parquet", false},
    {"changelog-producer.compaction-interval", NULL, false},
    {"changelog-producer.row-deduplicate-ignore-fields", NULL, false},
    {"bucket-function.type", "default", false},
    {"compaction.optimization-interval", NULL, false},
    {"compaction.force-up-level-0", "false", false},
    {"compaction.offpeak.start.hour", "-1", false},
    {"index-file-in-data-file-dir", "false", false},
    {"file.suffix.include.compression", "false", false},
};

static leat_code refuse(const char *key, const char *value, leat_error *error)
{
    (void)leat_fail(error, LEAT_UNSUPPORTED, "option '%s' = '%s' of a primary-key table is not supported yet", key,
                    value);
    leat_fail_hint(error, "create the table without it");
    return LEAT_UNSUPPORTED;
}

static leat_code check_refused(const leat_config *options, bool for_writing, leat_error *error)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (!for_writing && !refused[i].also_reading) continue;
        const char *value = leat_config_find(options, refused[i].key);
        if (value && (!refused[i].off || strcasecmp(value, refused[i].off) != 0)) {
            return refuse(refused[i].key, value, error);
        }
    }
    return LEAT_OK;
}

static leat_code read_int(const leat_config *options, const char *key, int64_t fallback, int64_t min, int64_t *out,
                          leat_error *error)
{
    const char *value = leat_config_find(options, key);
    *out = fallback;
    if (!value) return LEAT_OK;
    leat_code code = leat_parse_int(value, out, error);
    if (code == LEAT_OK && *out < min) code = leat_fail(error, LEAT_INVALID, "%s is too small", value);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "option '%s'", key);
}

static leat_code read_bytes(const leat_config *options, const char *key, int64_t fallback, int64_t *out,
                            leat_error *error)
{
    const char *value = leat_config_find(options, key);
    *out = fallback;
    if (!value) return LEAT_OK;
    leat_code code = leat_parse_memory_bytes(value, out, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "option '%s'", key);
}

static leat_code read_bool(const leat_config *options, const char *key, bool *out, leat_error *error)
{
    const char *value = leat_config_find(options, key);
    *out = false;
    if (!value) return LEAT_OK;
    leat_code code = leat_parse_bool(value, out, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "option '%s'", key);
}

static leat_code read_flags(const leat_config *options, leat_pk_options *out, leat_error *error)
{
    LEAT_TRY(read_bool(options, "aggregation.remove-record-on-delete", &out->remove_record_on_delete, error));
    LEAT_TRY(read_bool(options, "ignore-delete", &out->ignore_delete, error));
    LEAT_TRY(read_bool(options, "ignore-update-before", &out->ignore_update_before, error));
    LEAT_TRY(read_bool(options, "changelog-producer.row-deduplicate", &out->row_deduplicate, error));
    return read_bool(options, "write-only", &out->write_only, error);
}

static leat_code read_modes(const leat_config *options, bool for_writing, leat_pk_options *out, leat_error *error)
{
    const char *engine = leat_config_find(options, "merge-engine");
    if (!engine || strcasecmp(engine, "deduplicate") == 0) {
        out->engine = LEAT_PK_DEDUPLICATE;
    } else if (strcasecmp(engine, "aggregation") == 0) {
        out->engine = LEAT_PK_AGGREGATION;
    } else {
        return refuse("merge-engine", engine, error);
    }
    const char *producer = leat_config_find(options, "changelog-producer");
    if (!producer || strcasecmp(producer, "none") == 0) {
        out->changelog = LEAT_PK_CHANGELOG_NONE;
    } else if (strcasecmp(producer, "input") == 0) {
        out->changelog = LEAT_PK_CHANGELOG_INPUT;
    } else if (strcasecmp(producer, "full-compaction") == 0) {
        out->changelog = LEAT_PK_CHANGELOG_FULL_COMPACTION;
    } else if (!for_writing) {
        out->changelog = LEAT_PK_CHANGELOG_OTHER;
    } else {
        return refuse("changelog-producer", producer, error);
    }
    const char *format = leat_config_find(options, "file.format");
    if (for_writing && format && strcasecmp(format, "parquet") != 0) return refuse("file.format", format, error);
    return LEAT_OK;
}

static leat_code read_sizes(const leat_config *options, bool for_writing, leat_pk_options *out, leat_error *error)
{
    int64_t value, trigger;
    LEAT_TRY(read_int(options, "bucket", -1, -2, &value, error));
    if (for_writing && (value == -2 || value == 0)) return refuse("bucket", leat_config_find(options, "bucket"), error);
    out->bucket = (int32_t)value;
    LEAT_TRY(read_int(options, "num-sorted-run.compaction-trigger", 5, 1, &trigger, error));
    out->trigger = (int32_t)trigger;
    LEAT_TRY(read_int(options, "num-sorted-run.stop-trigger", trigger + 3, 1, &value, error));
    out->stop_trigger = (int32_t)(value > trigger ? value : trigger);
    LEAT_TRY(read_int(options, "sort-spill-threshold", (int64_t)out->stop_trigger + 1, 2, &value, error));
    out->merge_runs_max = (int32_t)(value < INT32_MAX ? value : INT32_MAX);
    LEAT_TRY(read_bytes(options, "sort-spill-buffer-size", 64 << 20, &out->merge_bytes_max, error));
    LEAT_TRY(read_int(options, "num-levels", trigger + 1, 2, &value, error));
    out->levels_count = (int32_t)value;
    LEAT_TRY(read_int(options, "compaction.max-size-amplification-percent", 200, 0, &out->size_amplification, error));
    LEAT_TRY(read_int(options, "compaction.size-ratio", 1, 0, &out->size_ratio, error));
    LEAT_TRY(read_int(options, "full-compaction.delta-commits",
                      out->changelog == LEAT_PK_CHANGELOG_FULL_COMPACTION ? 1 : 0, 0, &out->delta_commits, error));
    LEAT_TRY(read_bytes(options, "target-file-size", 128 << 20, &out->target_file_bytes, error));
    LEAT_TRY(read_bytes(options, "write-buffer-size", 256 << 20, &out->write_buffer_bytes, error));
    /* Smaller row groups than Parquet's usual 128 MiB: a merge holds one of each sorted run in memory. */
    LEAT_TRY(read_bytes(options, "file.block-size", 2 << 20, &out->row_group_bytes, error));
    LEAT_TRY(read_int(options, "dynamic-bucket.target-row-num", 2000000, 1, &out->target_row_num, error));
    LEAT_TRY(read_int(options, "dynamic-bucket.max-buckets", -1, -1, &out->buckets_max, error));
    LEAT_TRY(read_int(options, "file.compression.zstd-level", 1, 1, &value, error));
    out->compression_level = (int32_t)value;
    const char *compression = leat_config_find(options, "file.compression");
    out->compression = compression ? compression : "zstd";
    const char *prefix = leat_config_find(options, "data-file.prefix");
    out->data_prefix = prefix ? prefix : "data-";
    prefix = leat_config_find(options, "changelog-file.prefix");
    out->changelog_prefix = prefix ? prefix : "changelog-";
    return LEAT_OK;
}

static int32_t find_field(const leat_paimon_schema *schema, const char *name, size_t length)
{
    for (int32_t i = 0; i < schema->fields_count; i++) {
        if (strlen(schema->fields[i].name) == length && memcmp(schema->fields[i].name, name, length) == 0) return i;
    }
    return -1;
}

static bool is_partition_key(const leat_paimon_schema *schema, const char *name)
{
    for (int32_t i = 0; i < schema->partition_keys_count; i++) {
        if (strcmp(schema->partition_keys[i], name) == 0) return true;
    }
    return false;
}

static leat_code read_bucket_key(const leat_paimon_schema *schema, leat_pk_options *out, leat_error *error)
{
    const char *text = leat_config_find(&schema->options, "bucket-key");
    if (!text || out->bucket == LEAT_PK_BUCKET_DYNAMIC) {
        memcpy(out->bucket_key, out->keys, (size_t)out->keys_count * sizeof *out->keys);
        out->bucket_key_count = out->keys_count;
        return LEAT_OK;
    }
    while (*text) {
        size_t length = strcspn(text, ",");
        const char *end = text + length;
        while (length && *text == ' ')
            text++, length--;
        while (length && text[length - 1] == ' ')
            length--;
        int32_t field = find_field(schema, text, length);
        if (field < 0 || out->bucket_key_count == schema->fields_count) {
            return leat_fail(error, LEAT_INVALID, "option 'bucket-key' names '%.*s', which is no column", (int)length,
                             text);
        }
        out->bucket_key[out->bucket_key_count++] = field;
        text = *end ? end + 1 : end;
    }
    return LEAT_OK;
}

static leat_code read_keys(const leat_paimon_schema *schema, bool for_writing, leat_arena *arena, leat_pk_options *out,
                           leat_error *error)
{
    size_t count = (size_t)schema->fields_count;
    out->keys = leat_arena_take(arena, count * sizeof *out->keys);
    out->partition = leat_arena_take(arena, count * sizeof *out->partition);
    out->bucket_key = leat_arena_take(arena, count * sizeof *out->bucket_key);
    if (!out->keys || !out->partition || !out->bucket_key) return leat_fail_no_memory(error);
    int32_t partitions_in_key = 0;
    for (int32_t i = 0; i < schema->primary_keys_count; i++) {
        const char *name = schema->primary_keys[i];
        int32_t field = find_field(schema, name, strlen(name));
        if (field < 0) return leat_fail(error, LEAT_CORRUPT, "primary key column '%s' is not in the schema", name);
        if (is_partition_key(schema, name)) {
            partitions_in_key++;
        } else {
            out->keys[out->keys_count++] = field;
        }
    }
    for (int32_t i = 0; i < schema->partition_keys_count; i++) {
        const char *name = schema->partition_keys[i];
        int32_t field = find_field(schema, name, strlen(name));
        if (field < 0) return leat_fail(error, LEAT_CORRUPT, "partition column '%s' is not in the schema", name);
        out->partition[out->partition_count++] = field;
    }
    if (out->keys_count == 0)
        return leat_fail(error, LEAT_INVALID, "the table has no primary key beside its partition");
    if (for_writing && partitions_in_key < schema->partition_keys_count) {
        (void)leat_fail(error, LEAT_UNSUPPORTED,
                        "a primary key without all partition columns (cross-partition updates) is not supported yet");
        leat_fail_hint(error, "put the partition columns into the primary key");
        return LEAT_UNSUPPORTED;
    }
    return read_bucket_key(schema, out, error);
}

static leat_code check_function(const leat_paimon_field *field, leat_pk_function function, const char *name,
                                leat_error *error)
{
    leat_type_kind kind = field->type.kind;
    bool is_fine = true;
    if (function == LEAT_PK_SUM || function == LEAT_PK_PRODUCT) is_fine = leat_type_is_numeric(&field->type);
    if (function == LEAT_PK_BOOL_AND || function == LEAT_PK_BOOL_OR) is_fine = kind == LEAT_TYPE_BOOLEAN;
    return is_fine ? LEAT_OK
                   : leat_fail(error, LEAT_INVALID, "aggregate function '%s' does not take the type of column '%s'",
                               name, field->name);
}

static leat_code find_function(const leat_paimon_field *field, const char *name, leat_pk_function *out,
                               leat_error *error)
{
    for (size_t i = 0; i < sizeof function_names / sizeof function_names[0]; i++) {
        if (strcmp(function_names[i].name, name) != 0) continue;
        *out = function_names[i].function;
        return check_function(field, *out, name, error);
    }
    (void)leat_fail(error, LEAT_UNSUPPORTED, "aggregate function '%s' of column '%s' is not supported", name,
                    field->name);
    leat_fail_hint(error, "there are sum, product, min, max, last_value, last_non_null_value, first_value, "
                          "first_non_null_value, bool_and, bool_or");
    return LEAT_UNSUPPORTED;
}

static bool is_key_column(const leat_pk_options *options, int32_t column)
{
    for (int32_t i = 0; i < options->keys_count; i++) {
        if (options->keys[i] == column) return true;
    }
    for (int32_t i = 0; i < options->partition_count; i++) {
        if (options->partition[i] == column) return true;
    }
    return false;
}

static leat_code read_functions(const leat_paimon_schema *schema, leat_arena *arena, leat_pk_options *out,
                                leat_error *error)
{
    const char *fallback = leat_config_find(&schema->options, "fields.default-aggregate-function");
    size_t count = (size_t)schema->fields_count;
    out->functions = leat_arena_take(arena, count * sizeof *out->functions);
    out->ignore_retract = leat_arena_take(arena, count * sizeof *out->ignore_retract);
    if (!out->functions || !out->ignore_retract) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < schema->fields_count; i++) {
        const leat_paimon_field *field = &schema->fields[i];
        char *key = leat_arena_format(arena, "fields.%s.aggregate-function", field->name);
        char *ignore = leat_arena_format(arena, "fields.%s.ignore-retract", field->name);
        if (!key || !ignore) return leat_fail_no_memory(error);
        LEAT_TRY(read_bool(&schema->options, ignore, &out->ignore_retract[i], error));
        if (out->engine == LEAT_PK_DEDUPLICATE) {
            out->functions[i] = LEAT_PK_LAST_VALUE;
            continue;
        }
        if (is_key_column(out, i)) continue; /* takes the input, whatever the default is */
        const char *name = leat_config_find(&schema->options, key);
        if (!name) name = fallback ? fallback : "last_non_null_value";
        LEAT_TRY(find_function(field, name, &out->functions[i], error));
    }
    for (int32_t i = 0; i < out->keys_count; i++)
        out->functions[out->keys[i]] = LEAT_PK_PRIMARY_KEY;
    for (int32_t i = 0; i < out->partition_count; i++)
        out->functions[out->partition[i]] = LEAT_PK_PRIMARY_KEY;
    return LEAT_OK;
}

static leat_code read_schema(const leat_paimon_schema *schema, leat_arena *arena, leat_pk_options *out,
                             leat_error *error)
{
    size_t count = (size_t)schema->fields_count;
    leat_field *fields = leat_arena_take(arena, count * sizeof *fields);
    int32_t *ids = leat_arena_take(arena, count * sizeof *ids);
    if (!fields || !ids) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < schema->fields_count; i++) {
        const leat_paimon_field *field = &schema->fields[i];
        if (field->type_json || !leat_type_has_column(&field->type)) {
            (void)leat_fail(error, LEAT_UNSUPPORTED, "column '%s' has a type that is not supported yet", field->name);
            return LEAT_UNSUPPORTED;
        }
        fields[i] = (leat_field){field->name, field->type};
        ids[i] = field->id;
    }
    out->schema = (leat_schema){schema->fields_count, fields};
    out->field_ids = ids;
    out->schema_id = schema->id;
    return LEAT_OK;
}

leat_code leat_pk_options_read(const leat_paimon_schema *schema, bool for_writing, leat_arena *arena,
                               leat_pk_options *out, leat_error *error)
{
    *out = (leat_pk_options){0};
    LEAT_TRY(check_refused(&schema->options, for_writing, error));
    LEAT_TRY(read_modes(&schema->options, for_writing, out, error));
    LEAT_TRY(read_flags(&schema->options, out, error));
    LEAT_TRY(read_sizes(&schema->options, for_writing, out, error));
    LEAT_TRY(read_schema(schema, arena, out, error));
    LEAT_TRY(read_keys(schema, for_writing, arena, out, error));
    return read_functions(schema, arena, out, error);
}
