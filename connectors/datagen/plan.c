#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/datagen/datagen.h"
#include "connectors/generator.h"

static const leat_connector_option known[] = {
    {"rows-per-second", LEAT_OPTION_INT, false, "Rows a second over all subtasks (10000); each makes at least one"},
    {"number-of-rows", LEAT_OPTION_INT, false, "Total number of rows; endless when not set"},
    {"fields.#.kind", LEAT_OPTION_STRING, false, "'random' or 'sequence'"},
    {"fields.#.min", LEAT_OPTION_STRING, false, "Least random number, inclusive"},
    {"fields.#.max", LEAT_OPTION_STRING, false, "Greatest random number, inclusive"},
    {"fields.#.max-past", LEAT_OPTION_DURATION, false, "Random timestamps are up to this long ago"},
    {"fields.#.length", LEAT_OPTION_INT, false, "Length of random text and bytes (100)"},
    {"fields.#.var-len", LEAT_OPTION_BOOL, false, "Random length from 1 to the length"},
    {"fields.#.null-rate", LEAT_OPTION_STRING, false, "Share of NULLs, 0 to 1"},
    {"fields.#.start", LEAT_OPTION_STRING, false, "First number of a sequence"},
    {"fields.#.end", LEAT_OPTION_STRING, false, "Last number of a sequence, inclusive"},
    {.key = NULL},
};

/* The value of "fields.<name>.<what>", or NULL. */
static const char *field_option(const leat_plan_context *context, const leat_table *table, const char *name,
                                const char *what)
{
    const char *key = leat_arena_format(context->arena, "fields.%s.%s", name, what);
    return key ? leat_config_find(table->options, key) : NULL;
}

static leat_code wrong_value(const char *name, const char *what, const char *text, leat_error *error)
{
    return leat_fail(error, LEAT_INVALID, "Invalid value for option 'fields.%s.%s'.: For input string: \"%s\"", name,
                     what, text);
}

/* "12.5" as the unscaled number of a DECIMAL with `scale`; more digits than the scale are cut. */
static leat_code parse_unscaled(const char *text, int32_t scale, int64_t *out, leat_error *error)
{
    const char *at = text;
    bool is_negative = *at == '-';
    if (*at == '-' || *at == '+') at++;
    __int128 value = 0;
    int32_t fraction = -1;
    bool has_digits = false;
    for (; *at; at++) {
        if (*at == '.' && fraction < 0) {
            fraction = 0;
            continue;
        }
        if (*at < '0' || *at > '9') return leat_fail(error, LEAT_INVALID, "'%s' is not a number", text);
        has_digits = true;
        if (fraction >= scale && fraction >= 0) continue;
        value = value * 10 + (*at - '0');
        if (fraction >= 0) fraction++;
        if (value > INT64_MAX) return leat_fail(error, LEAT_LIMIT, "'%s' is too large for a random DECIMAL", text);
    }
    if (!has_digits) return leat_fail(error, LEAT_INVALID, "'%s' is not a number", text);
    for (int32_t i = fraction < 0 ? 0 : fraction; i < scale; i++) {
        value *= 10;
        if (value > INT64_MAX) return leat_fail(error, LEAT_LIMIT, "'%s' is too large for a random DECIMAL", text);
    }
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return LEAT_OK;
}

static leat_code read_bound(const leat_type *type, const char *name, const char *what, const char *text,
                            int64_t *number, double *real, leat_error *error)
{
    if (!text) return LEAT_OK;
    if (type->kind == LEAT_TYPE_FLOAT || type->kind == LEAT_TYPE_DOUBLE) {
        char *end;
        errno = 0;
        *real = strtod(text, &end);
        *number = (int64_t)*real;
        return end == text || *end ? wrong_value(name, what, text, error) : LEAT_OK;
    }
    leat_code code = type->kind == LEAT_TYPE_DECIMAL ? parse_unscaled(text, type->scale, number, error)
                                                     : leat_parse_int(text, number, error);
    return code == LEAT_INVALID ? wrong_value(name, what, text, error) : code;
}

static leat_code check_range(const leat_type *type, const char *name, const leat_datagen_field *field,
                             leat_error *error)
{
    leat_datagen_field whole = leat_datagen_field_default(type);
    if (leat_type_is_integer(type) && (field->min < whole.min || field->max > whole.max)) {
        return leat_fail(error, LEAT_INVALID,
                         "Invalid value for option 'fields.%s': its bounds do not fit the column's type", name);
    }
    return LEAT_OK;
}

static leat_code read_sequence(const leat_plan_context *context, const leat_table *table, const leat_field *column,
                               leat_datagen_field *field, leat_error *error)
{
    const leat_type *type = &column->type;
    if (!leat_type_is_numeric(type) && !leat_type_is_text(type)) {
        leat_bytes text = {0};
        leat_type_print(type, true, &text);
        leat_code code =
            leat_fail(error, LEAT_INVALID, "Unsupported type: %s", text.data ? (const char *)text.data : "");
        leat_bytes_done(&text);
        return code;
    }
    field->kind = LEAT_DATAGEN_SEQUENCE;
    static const char *const ends[] = {"start", "end"};
    for (int i = 0; i < 2; i++) {
        const char *text = field_option(context, table, column->name, ends[i]);
        if (!text) {
            return leat_fail(error, LEAT_INVALID,
                             "Could not find required property 'fields.%s.%s' for sequence generator.", column->name,
                             ends[i]);
        }
        double real = 0;
        leat_type number = leat_type_is_text(type) ? leat_type_make(LEAT_TYPE_BIGINT, true) : *type;
        LEAT_TRY(read_bound(&number, column->name, ends[i], text, i ? &field->max : &field->min, &real, error));
    }
    return LEAT_OK;
}

static leat_code read_length(const leat_plan_context *context, const leat_table *table, const leat_field *column,
                             leat_datagen_field *field, leat_error *error)
{
    const char *text = field_option(context, table, column->name, "length");
    bool is_fixed = column->type.kind == LEAT_TYPE_CHAR || column->type.kind == LEAT_TYPE_BINARY;
    bool has_length = leat_type_is_text(&column->type) || leat_type_is_bytes(&column->type);
    if (text && (!has_length || is_fixed)) {
        return leat_fail(error, LEAT_INVALID,
                         "Custom length for fixed-length type (CHAR/BINARY) field '%s' is not supported.",
                         column->name);
    }
    int64_t length = field->length;
    if (text) LEAT_TRY(leat_parse_int(text, &length, error));
    if (text && (length < 1 || length > column->type.precision)) {
        return leat_fail(
            error, LEAT_INVALID,
            "Custom length '%s' for variable-length type (VARCHAR/STRING/VARBINARY/BYTES) field '%s' should "
            "be shorter than '%d' defined in the schema.",
            text, column->name, column->type.precision);
    }
    field->length = (int32_t)length;
    const char *var_len = field_option(context, table, column->name, "var-len");
    return var_len ? leat_parse_bool(var_len, &field->is_var_length, error) : LEAT_OK;
}

static leat_code read_field(const leat_plan_context *context, const leat_table *table, const leat_field *column,
                            leat_datagen_field *field, leat_error *error)
{
    *field = leat_datagen_field_default(&column->type);
    if (!leat_type_has_column(&column->type)) {
        return leat_fail(error, LEAT_UNSUPPORTED, "column '%s': datagen does not make values of its type yet",
                         column->name);
    }
    const char *kind = field_option(context, table, column->name, "kind");
    if (kind && strcmp(kind, "sequence") == 0) return read_sequence(context, table, column, field, error);
    if (kind && strcmp(kind, "random") != 0)
        return leat_fail(error, LEAT_INVALID, "Unsupported generator kind: %s", kind);
    LEAT_TRY(read_bound(&column->type, column->name, "min", field_option(context, table, column->name, "min"),
                        &field->min, &field->min_double, error));
    LEAT_TRY(read_bound(&column->type, column->name, "max", field_option(context, table, column->name, "max"),
                        &field->max, &field->max_double, error));
    LEAT_TRY(check_range(&column->type, column->name, field, error));
    const char *past = field_option(context, table, column->name, "max-past");
    if (past) LEAT_TRY(leat_parse_duration_ms(past, &field->max_past_ms, error));
    const char *null_rate = field_option(context, table, column->name, "null-rate");
    if (null_rate) {
        char *end;
        field->null_rate = strtod(null_rate, &end);
        if (end == null_rate || *end) return wrong_value(column->name, "null-rate", null_rate, error);
    }
    return read_length(context, table, column, field, error);
}

static leat_code plan_source(const leat_plan_context *context, const leat_table *table,
                             const leat_source_request *request, leat_source_plan *out, leat_error *error)
{
    LEAT_TRY(leat_connector_check_options("datagen", table->options, &table->schema, known, error));
    int32_t count = request->columns ? request->columns_count : table->schema.fields_count;
    leat_datagen_config config = {0};
    leat_generator_pace pace;
    config.schema.fields_count = count;
    config.schema.fields = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *config.schema.fields);
    config.fields = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *config.fields);
    if (!config.schema.fields || !config.fields) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++) {
        config.schema.fields[i] = table->schema.fields[request->columns ? request->columns[i] : i];
        LEAT_TRY(read_field(context, table, &config.schema.fields[i], &config.fields[i], error));
    }
    LEAT_TRY(leat_generator_read_pace(table->options, &pace, error));
    config.rows_per_second = pace.rows_per_second;
    config.rows_count = pace.rows_count;
    /* A sequence ends the source even when its column is not wanted. */
    for (int32_t i = 0; i < table->schema.fields_count; i++) {
        leat_datagen_field field;
        LEAT_TRY(read_field(context, table, &table->schema.fields[i], &field, error));
        if (field.kind != LEAT_DATAGEN_SEQUENCE) continue;
        int64_t total = field.max >= field.min ? field.max - field.min + 1 : 0;
        if (config.rows_count < 0 || total < config.rows_count) config.rows_count = total;
    }
    const char *name = leat_arena_format(context->arena, "Source: %s", table->name);
    if (!name) return leat_fail_no_memory(error);
    out->source = (leat_plan_operator){.type = "datagen", .name = name, .description = name};
    leat_datagen_config_write(&config, &out->source.config);
    out->changes = LEAT_CHANGES_INSERT;
    out->is_bounded = config.rows_count >= 0;
    out->parallelism = pace.parallelism;
    return leat_bytes_check(&out->source.config, error);
}

const leat_connector leat_datagen_connector = {.identifier = "datagen", .plan_source = plan_source};
