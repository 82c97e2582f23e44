#include <strings.h>

#include "columnar/kernel.h"
#include "operators/aggregate_state.h"
#include "operators/config.h"

/* --- resolution --- */

bool leat_aggregate_exists(const char *name)
{
    static const char *const names[] = {"COUNT", "SUM", "MIN", "MAX", "AVG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(name, names[i]) == 0) return true;
    }
    return false;
}

static leat_code fail_type(const char *name, const leat_type *argument, leat_error *error)
{
    leat_bytes text = {0};
    leat_type_print_calcite(argument, &text);
    leat_code code = leat_fail(error, LEAT_INVALID,
                               "Cannot apply '%s' to arguments of type '%s(<%s>)'. Supported form(s): '%s(<NUMERIC>)'",
                               name, name, text.failed || !text.data ? "?" : (char *)text.data, name);
    leat_bytes_done(&text);
    return code;
}

static leat_type sum_type(const leat_type *argument, bool nullable)
{
    if (argument->kind != LEAT_TYPE_DECIMAL) return leat_type_with_nullable(argument, nullable);
    return leat_type_decimal(LEAT_DECIMAL_PRECISION_MAX, argument->scale, nullable);
}

static leat_type average_type(const leat_type *argument, bool nullable)
{
    if (argument->kind != LEAT_TYPE_DECIMAL) return leat_type_with_nullable(argument, nullable);
    return leat_type_decimal(LEAT_DECIMAL_PRECISION_MAX, argument->scale > 6 ? argument->scale : 6, nullable);
}

leat_code leat_aggregate_resolve(const char *name, const leat_type *argument, bool is_global, leat_aggregate_call *out,
                                 leat_error *error)
{
    *out = (leat_aggregate_call){.column = -1, .filter = -1};
    if (strcasecmp(name, "COUNT") == 0) {
        out->function = argument ? LEAT_AGGREGATE_COUNT : LEAT_AGGREGATE_COUNT_STAR;
        out->type = leat_type_make(LEAT_TYPE_BIGINT, false);
        return LEAT_OK;
    }
    if (!leat_aggregate_exists(name))
        return leat_fail(error, LEAT_NOT_FOUND, "No match found for function signature %s", name);
    if (!argument) return leat_fail(error, LEAT_INVALID, "Invalid number of arguments to function '%s'", name);
    bool nullable = argument->nullable || is_global;
    if (strcasecmp(name, "MIN") == 0 || strcasecmp(name, "MAX") == 0) {
        out->function = strcasecmp(name, "MIN") == 0 ? LEAT_AGGREGATE_MIN : LEAT_AGGREGATE_MAX;
        out->type = leat_type_with_nullable(argument, nullable);
        bool is_ordered = leat_type_has_column(argument) && argument->kind != LEAT_TYPE_NULL;
        return is_ordered ? LEAT_OK : fail_type(name, argument, error);
    }
    if (!leat_type_is_numeric(argument)) return fail_type(name, argument, error);
    bool is_sum = strcasecmp(name, "SUM") == 0;
    out->function = is_sum ? LEAT_AGGREGATE_SUM : LEAT_AGGREGATE_AVG;
    out->type = is_sum ? sum_type(argument, nullable) : average_type(argument, nullable);
    return LEAT_OK;
}

/* --- configuration --- */

static void put_type(const leat_type *type, leat_bytes *out)
{
    leat_bytes text = {0};
    leat_type_print(type, false, &text);
    if (text.failed) out->failed = true;
    leat_bytes_put_block(out, text.data, text.size);
    leat_bytes_done(&text);
}

void leat_aggregate_config_write(const leat_aggregate_config *config, leat_bytes *out)
{
    leat_schema_write(&config->input, out);
    leat_config_put_columns(out, config->keys, config->keys_count);
    leat_bytes_put_u8(out, config->has_retractions);
    leat_bytes_put_u8(out, (uint8_t)config->output);
    leat_bytes_put_u8(out, config->folds_batches);
    leat_bytes_put_u32(out, (uint32_t)config->calls_count);
    for (int32_t i = 0; i < config->calls_count; i++) {
        const leat_aggregate_call *call = &config->calls[i];
        leat_bytes_put_u8(out, (uint8_t)call->function);
        leat_bytes_put_u8(out, call->is_distinct);
        leat_bytes_put_u32(out, (uint32_t)call->column);
        leat_bytes_put_u32(out, (uint32_t)call->filter);
        put_type(&call->type, out);
    }
}

static leat_code read_call(leat_aggregate *self, leat_reader *reader, leat_accumulator_kind *kind, leat_error *error)
{
    uint8_t function = leat_reader_u8(reader);
    kind->call.is_distinct = leat_reader_u8(reader) != 0;
    kind->call.column = (int32_t)leat_reader_u32(reader);
    kind->call.filter = (int32_t)leat_reader_u32(reader);
    size_t length;
    const uint8_t *type = leat_reader_block(reader, &length);
    int32_t columns = self->config.input.fields_count;
    bool is_star = function == LEAT_AGGREGATE_COUNT_STAR;
    bool is_sane = !reader->failed && function <= LEAT_AGGREGATE_AVG && kind->call.column < columns &&
                   kind->call.filter < columns && (is_star || kind->call.column >= 0);
    if (!is_sane) return leat_fail(error, LEAT_CORRUPT, "aggregate configuration");
    kind->call.function = (leat_aggregate_function)function;
    const char *text = leat_arena_strndup(&self->arena, (const char *)type, length);
    if (!text) return leat_fail_no_memory(error);
    LEAT_TRY(leat_type_parse(text, &self->arena, &kind->call.type, error));
    if (!is_star) kind->argument = self->config.input.fields[kind->call.column].type;
    bool is_extreme = function == LEAT_AGGREGATE_MIN || function == LEAT_AGGREGATE_MAX;
    kind->keeps_set = is_extreme ? self->config.has_retractions : kind->call.is_distinct && !is_star;
    return LEAT_OK;
}

leat_code leat_aggregate_config_read(leat_aggregate *self, const uint8_t *data, size_t size, leat_error *error)
{
    leat_aggregate_config *config = &self->config;
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    LEAT_TRY(leat_schema_read(&reader, &self->arena, &config->input, error));
    LEAT_TRY(leat_config_take_columns(&reader, &self->arena, config->input.fields_count, &config->keys,
                                      &config->keys_count, error));
    config->has_retractions = leat_reader_u8(&reader) != 0;
    config->output = leat_reader_u8(&reader) ? LEAT_AGGREGATE_UPSERT : LEAT_AGGREGATE_RETRACT;
    config->folds_batches = leat_reader_u8(&reader) != 0;
    uint32_t calls = leat_reader_u32(&reader);
    if (reader.failed || calls > LEAT_OPERATOR_COLUMNS_MAX)
        return leat_fail(error, LEAT_CORRUPT, "aggregate configuration");
    config->calls_count = (int32_t)calls;
    size_t columns = (size_t)config->keys_count + calls + 1;
    self->kinds = leat_arena_take(&self->arena, columns * sizeof *self->kinds);
    self->key_types = leat_arena_take(&self->arena, columns * sizeof *self->key_types);
    self->output_layouts = leat_arena_take(&self->arena, columns * sizeof *self->output_layouts);
    if (!self->kinds || !self->key_types || !self->output_layouts) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < config->keys_count; i++) {
        self->key_types[i] = config->input.fields[config->keys[i]].type;
        self->output_layouts[i] = leat_type_layout(&self->key_types[i]);
    }
    for (int32_t i = 0; i < config->calls_count; i++) {
        LEAT_TRY(read_call(self, &reader, &self->kinds[i], error));
        self->output_layouts[config->keys_count + i] = leat_type_layout(&self->kinds[i].call.type);
    }
    return leat_reader_check(&reader, true, "aggregate configuration", error);
}
