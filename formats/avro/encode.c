/* Binary values out of value trees. */
#include <string.h>

#include "formats/avro/avro.h"
#include "formats/avro/codec.h"

leat_avro_value leat_avro_text(const char *text)
{
    if (!text) return leat_avro_null();
    return (leat_avro_value){.kind = LEAT_AVRO_STRING, .bytes = {(const uint8_t *)text, strlen(text)}};
}

static leat_code encode(const leat_avro_schema *schema, const leat_avro_value *value, int depth, leat_bytes *out,
                        leat_error *error);

static bool is_number(leat_avro_kind kind)
{
    return kind == LEAT_AVRO_INT || kind == LEAT_AVRO_LONG;
}

static bool is_kind(const leat_avro_schema *schema, const leat_avro_value *value)
{
    return schema->kind == value->kind || (is_number(schema->kind) && is_number(value->kind)) ||
           (schema->kind == LEAT_AVRO_FLOAT && value->kind == LEAT_AVRO_DOUBLE) ||
           (schema->kind == LEAT_AVRO_DOUBLE && value->kind == LEAT_AVRO_FLOAT);
}

static leat_code encode_union(const leat_avro_schema *schema, const leat_avro_value *value, int depth, leat_bytes *out,
                              leat_error *error)
{
    size_t at = (size_t)value->branch;
    if (value->branch < 0 || at >= schema->count || !is_kind(schema->fields[at].schema, value)) {
        for (at = 0; at < schema->count && !is_kind(schema->fields[at].schema, value); at++)
            continue;
    }
    if (at == schema->count)
        return leat_fail(error, LEAT_INVALID, "an Avro union has no branch of kind %d", (int)value->kind);
    leat_avro_put_long(out, (int64_t)at);
    return encode(schema->fields[at].schema, value, depth + 1, out, error);
}

static leat_code encode_items(const leat_avro_schema *schema, const leat_avro_value *value, int depth, leat_bytes *out,
                              leat_error *error)
{
    if (value->list.count) leat_avro_put_long(out, (int64_t)value->list.count);
    for (size_t i = 0; i < value->list.count; i++) {
        if (schema->kind == LEAT_AVRO_MAP) {
            leat_avro_put_long(out, (int64_t)value->list.keys[i].bytes.size);
            leat_bytes_put(out, value->list.keys[i].bytes.data, value->list.keys[i].bytes.size);
        }
        LEAT_TRY(encode(schema->fields[0].schema, &value->list.items[i], depth + 1, out, error));
    }
    leat_avro_put_long(out, 0);
    return LEAT_OK;
}

static leat_code encode_record(const leat_avro_schema *schema, const leat_avro_value *value, int depth, leat_bytes *out,
                               leat_error *error)
{
    if (value->list.count != schema->count) {
        return leat_fail(error, LEAT_INVALID, "%zu values for the %zu fields of %s", value->list.count, schema->count,
                         schema->name);
    }
    for (size_t i = 0; i < schema->count; i++) {
        leat_code code = encode(schema->fields[i].schema, &value->list.items[i], depth + 1, out, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "field %s", schema->fields[i].name);
    }
    return LEAT_OK;
}

static void encode_number(leat_avro_kind kind, double value, leat_bytes *out)
{
    if (kind == LEAT_AVRO_DOUBLE) {
        leat_bytes_put(out, &value, sizeof value);
        return;
    }
    float single = (float)value;
    leat_bytes_put(out, &single, sizeof single);
}

static leat_code encode(const leat_avro_schema *schema, const leat_avro_value *value, int depth, leat_bytes *out,
                        leat_error *error)
{
    if (depth > LEAT_AVRO_DEPTH_MAX) return leat_fail(error, LEAT_LIMIT, "an Avro value is nested too deeply");
    if (schema->kind == LEAT_AVRO_UNION) return encode_union(schema, value, depth, out, error);
    if (!is_kind(schema, value)) {
        return leat_fail(error, LEAT_INVALID, "an Avro value of kind %d where the schema says %d", (int)value->kind,
                         (int)schema->kind);
    }
    switch (schema->kind) {
    case LEAT_AVRO_BOOLEAN: leat_bytes_put_u8(out, value->boolean); break;
    case LEAT_AVRO_INT:
        if (value->integer < INT32_MIN || value->integer > INT32_MAX) {
            return leat_fail(error, LEAT_INVALID, "an Avro int that does not fit in 32 bits");
        }
        leat_avro_put_long(out, value->integer);
        break;
    case LEAT_AVRO_LONG:
    case LEAT_AVRO_ENUM: leat_avro_put_long(out, value->integer); break;
    case LEAT_AVRO_FLOAT:
    case LEAT_AVRO_DOUBLE: encode_number(schema->kind, value->number, out); break;
    case LEAT_AVRO_FIXED:
        if (value->bytes.size != schema->count) return leat_fail(error, LEAT_INVALID, "a fixed of another size");
        leat_bytes_put(out, value->bytes.data, value->bytes.size);
        break;
    case LEAT_AVRO_BYTES:
    case LEAT_AVRO_STRING:
        leat_avro_put_long(out, (int64_t)value->bytes.size);
        leat_bytes_put(out, value->bytes.data, value->bytes.size);
        break;
    case LEAT_AVRO_RECORD: return encode_record(schema, value, depth, out, error);
    case LEAT_AVRO_ARRAY:
    case LEAT_AVRO_MAP: return encode_items(schema, value, depth, out, error);
    default: break;
    }
    return LEAT_OK;
}

leat_code leat_avro_encode(const leat_avro_schema *schema, const leat_avro_value *value, leat_bytes *out,
                           leat_error *error)
{
    LEAT_TRY(encode(schema, value, 0, out, error));
    return leat_bytes_check(out, error);
}
