#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "common/memory.h"
#include "formats/text/internal.h"

/* Numbers are kept as text (JSON_DECODE_INT_AS_REAL would lose digits of BIGINT and DECIMAL), but Jansson has no such
 * mode: integers come as int64, others as double, printed with 17 digits and parsed again at the column's precision. */
static leat_code set_value(leat_decoder *self, const leat_field *field, const json_t *value,
                           leat_batch_builder *builder, int32_t column, leat_error *error)
{
    char number[64];
    const char *text = number;
    size_t length = 0;
    switch (json_typeof(value)) {
    case JSON_NULL: return LEAT_OK;
    case JSON_TRUE:
        text = "true";
        length = 4;
        break;
    case JSON_FALSE:
        text = "false";
        length = 5;
        break;
    case JSON_STRING:
        text = json_string_value(value);
        length = json_string_length(value);
        break;
    case JSON_INTEGER:
        length = (size_t)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL: {
        bool is_decimal =
            field->type.kind == LEAT_TYPE_DECIMAL; /* 15 digits: what was written, not its binary neighbour */
        length = (size_t)snprintf(number, sizeof number, is_decimal ? "%.15g" : "%.17g", json_real_value(value));
        break;
    }
    case JSON_ARRAY:
    case JSON_OBJECT: {
        if (!leat_type_is_text(&field->type))
            return leat_fail(error, LEAT_INVALID, "an array or object is not a value of column '%s'", field->name);
        char *dumped = json_dumps(value, JSON_COMPACT);
        if (!dumped) return leat_fail_no_memory(error);
        leat_code code = leat_batch_builder_set_bytes(builder, column, dumped, strlen(dumped), error);
        free(dumped);
        return code;
    }
    }
    /* Whole numbers of a decimal's or double's column may be cut for integer columns: Flink takes 1.0 for an INT by its
     * integer part. */
    if (json_typeof(value) == JSON_REAL && leat_type_is_integer(&field->type)) {
        length = (size_t)snprintf(number, sizeof number, "%" PRId64, (int64_t)json_real_value(value));
    }
    return leat_scalar_parse(&field->type, text, length, &self->scalar, builder, column, error);
}

static leat_code set_row(leat_decoder *self, const json_t *object, leat_row_kind kind, leat_batch_builder *builder,
                         leat_error *error)
{
    if (!json_is_object(object)) return leat_fail(error, LEAT_INVALID, "a row must be a JSON object");
    LEAT_TRY(leat_batch_builder_begin_row(builder, kind, error));
    for (int32_t i = 0; i < self->schema->fields_count; i++) {
        const leat_field *field = &self->schema->fields[i];
        const json_t *value = json_object_get(object, field->name);
        if (!value && self->fails_on_missing)
            return leat_fail(error, LEAT_INVALID, "Could not find field with name '%s'.", field->name);
        if (!value) continue;
        leat_code code = set_value(self, field, value, builder, i, error);
        if (code != LEAT_OK && !(code == LEAT_INVALID && self->ignores_errors)) {
            return leat_fail_in(error, code, "column '%s'", field->name);
        }
    }
    return LEAT_OK;
}

static leat_code parse(const char *line, size_t length, json_t **out, leat_error *error)
{
    json_error_t problem;
    *out = json_loadb(line, length, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (*out) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "not JSON at offset %d: %s", problem.position, problem.text);
}

leat_code leat_decode_json(leat_decoder *self, const char *line, size_t length, leat_batch_builder *builder,
                           leat_error *error)
{
    json_t *object;
    LEAT_TRY(parse(line, length, &object, error));
    leat_code code = set_row(self, object, LEAT_ROW_INSERT, builder, error);
    json_decref(object);
    return code;
}

/* Debezium: {"before": …, "after": …, "op": "c"|"r"|"u"|"d"}, within "payload" when the schema is included. */
static leat_code decode_change(leat_decoder *self, const json_t *envelope, leat_batch_builder *builder,
                               leat_error *error)
{
    if (self->has_schema) envelope = json_object_get(envelope, "payload");
    const char *op = json_string_value(json_object_get(envelope, "op"));
    const json_t *before = json_object_get(envelope, "before"), *after = json_object_get(envelope, "after");
    if (!op) return leat_fail(error, LEAT_INVALID, "a Debezium message has no \"op\"");
    if (strcmp(op, "c") == 0 || strcmp(op, "r") == 0) return set_row(self, after, LEAT_ROW_INSERT, builder, error);
    bool is_update = strcmp(op, "u") == 0;
    if (!is_update && strcmp(op, "d") != 0) return leat_fail(error, LEAT_INVALID, "Unknown \"op\" value \"%s\".", op);
    if (!json_is_object(before)) {
        leat_code code = leat_fail(error, LEAT_INVALID, "The \"before\" field of %s message is null",
                                   is_update ? "UPDATE" : "DELETE");
        leat_fail_hint(error, "if this is a PostgreSQL table, set its REPLICA IDENTITY to FULL");
        return code;
    }
    LEAT_TRY(set_row(self, before, is_update ? LEAT_ROW_UPDATE_BEFORE : LEAT_ROW_DELETE, builder, error));
    return is_update ? set_row(self, after, LEAT_ROW_UPDATE_AFTER, builder, error) : LEAT_OK;
}

leat_code leat_decode_debezium(leat_decoder *self, const char *line, size_t length, leat_batch_builder *builder,
                               leat_error *error)
{
    json_t *envelope;
    LEAT_TRY(parse(line, length, &envelope, error));
    leat_code code = decode_change(self, envelope, builder, error);
    json_decref(envelope);
    return code;
}
