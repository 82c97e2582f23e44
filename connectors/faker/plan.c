#include <stdlib.h>
#include <string.h>

#include "connectors/faker/expression.h"
#include "connectors/faker/faker.h"
#include "connectors/generator.h"

static const char *field_option(const leat_plan_context *context, const leat_table *table, const char *name,
                                const char *what)
{
    const char *key = leat_arena_format(context->arena, "fields.%s.%s", name, what);
    return key ? leat_config_find(table->options, key) : NULL;
}

static leat_code read_null_rate(const char *text, const char *name, double *out, leat_error *error)
{
    *out = 0;
    if (!text) return LEAT_OK;
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end)
        return leat_fail(error, LEAT_INVALID, "Invalid value for option 'fields.%s.null-rate'.", name);
    if (*out < 0 || *out > 1) {
        return leat_fail(error, LEAT_INVALID, "Null rate needs to be in [0,1]. Null rate of %s is %s", name, text);
    }
    return LEAT_OK;
}

static leat_code read_column(const leat_plan_context *context, const leat_table *table, const leat_field *field,
                             const char **expression, double *null_rate, leat_error *error)
{
    if (!leat_type_has_column(&field->type)) {
        return leat_fail(error, LEAT_UNSUPPORTED, "column '%s': faker does not make values of its type yet",
                         field->name);
    }
    *expression = field_option(context, table, field->name, "expression");
    if (!*expression) {
        return leat_fail(error, LEAT_INVALID,
                         "Every column needs a corresponding expression. No expression found for %s.", field->name);
    }
    leat_faker_expression *parsed;
    leat_code code = leat_faker_parse(*expression, context->arena, &parsed, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "Invalid expression for column \"%s\".", field->name);
    return read_null_rate(field_option(context, table, field->name, "null-rate"), field->name, null_rate, error);
}

static leat_code plan_source(const leat_plan_context *context, const leat_table *table,
                             const leat_source_request *request, leat_source_plan *out, leat_error *error)
{
    /* flink-faker does not refuse options that it does not know; every column must have its expression all the same. */
    const char *expression;
    double null_rate;
    for (int32_t i = 0; i < table->schema.fields_count; i++) {
        LEAT_TRY(read_column(context, table, &table->schema.fields[i], &expression, &null_rate, error));
    }
    int32_t count = request->columns ? request->columns_count : table->schema.fields_count;
    leat_faker_config config = {.schema = {.fields_count = count}};
    config.schema.fields = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *config.schema.fields);
    config.expressions = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *config.expressions);
    config.null_rates = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *config.null_rates);
    if (!config.schema.fields || !config.expressions || !config.null_rates) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++) {
        config.schema.fields[i] = table->schema.fields[request->columns ? request->columns[i] : i];
        LEAT_TRY(read_column(context, table, &config.schema.fields[i], &config.expressions[i], &config.null_rates[i],
                             error));
    }
    leat_generator_pace pace;
    LEAT_TRY(leat_generator_read_pace(table->options, &pace, error));
    config.rows_per_second = pace.rows_per_second;
    config.rows_count = pace.rows_count;
    const char *name = leat_arena_format(context->arena, "Source: %s", table->name);
    if (!name) return leat_fail_no_memory(error);
    out->source = (leat_plan_operator){.type = "faker", .name = name, .description = name};
    leat_faker_config_write(&config, &out->source.config);
    out->changes = LEAT_CHANGES_INSERT;
    out->is_bounded = config.rows_count >= 0;
    out->parallelism = pace.parallelism;
    return leat_bytes_check(&out->source.config, error);
}

const leat_connector leat_faker_connector = {.identifier = "faker", .plan_source = plan_source};
