#include "paimon/binary_row.h"

#include <inttypes.h>

enum { SLOT_BYTES = 8, INLINE_MAX = 7, DECIMAL_COMPACT_MAX = 18, DECIMAL_BYTES = 16, TIMESTAMP_COMPACT_MAX = 3 };
enum { ARITY_MAX = 16 * 1024, KIND_BITS = 8 };

const uint8_t leat_binary_row_empty[LEAT_BINARY_ROW_EMPTY_SIZE] = {0};

static size_t null_bytes(int32_t arity)
{
    return ((size_t)arity + 63 + KIND_BITS) / 64 * 8;
}

static size_t fixed_bytes(int32_t arity)
{
    return null_bytes(arity) + (size_t)arity * SLOT_BYTES;
}

void leat_binary_row_begin(leat_binary_row_writer *writer, leat_bytes *out, int32_t arity, bool with_arity)
{
    if (with_arity) leat_bytes_put_u32(out, __builtin_bswap32((uint32_t)arity));
    *writer = (leat_binary_row_writer){.out = out, .start = out->size, .arity = arity};
    uint8_t *room = leat_bytes_extend(out, fixed_bytes(arity));
    if (room) memset(room, 0, fixed_bytes(arity));
}

static uint8_t *slot_of(const leat_binary_row_writer *writer, int32_t field)
{
    return writer->out->data + writer->start + null_bytes(writer->arity) + (size_t)field * SLOT_BYTES;
}

/* Room for a variable part, zeroed and padded; its offset goes to the slot's upper half, `low` to the lower. */
static uint8_t *variable_part(leat_binary_row_writer *writer, int32_t field, size_t size, uint32_t low)
{
    uint64_t offset = writer->out->size - writer->start;
    size_t padded = (size + 7) & ~(size_t)7;
    uint8_t *room = leat_bytes_extend(writer->out, padded);
    if (!room) return NULL;
    memset(room, 0, padded);
    uint64_t slot = offset << 32 | low;
    memcpy(slot_of(writer, field), &slot, sizeof slot);
    return room;
}

static void set_bytes(leat_binary_row_writer *writer, int32_t field, const uint8_t *data, size_t size)
{
    if (size <= INLINE_MAX) {
        uint8_t *slot = slot_of(writer, field);
        if (size) memcpy(slot, data, size);
        slot[INLINE_MAX] = (uint8_t)(0x80 | size);
        return;
    }
    uint8_t *room = variable_part(writer, field, size, (uint32_t)size);
    if (room) memcpy(room, data, size);
}

/* Two's complement, big-endian, as few bytes as keep the sign: what Java's BigInteger gives. */
static size_t decimal_to_bytes(__int128 value, uint8_t out[DECIMAL_BYTES])
{
    uint8_t all[DECIMAL_BYTES];
    for (int i = DECIMAL_BYTES - 1; i >= 0; i--) {
        all[i] = (uint8_t)value;
        value >>= 8;
    }
    size_t skip = 0;
    while (skip < DECIMAL_BYTES - 1 &&
           ((all[skip] == 0x00 && !(all[skip + 1] & 0x80)) || (all[skip] == 0xff && (all[skip + 1] & 0x80)))) {
        skip++;
    }
    memcpy(out, all + skip, DECIMAL_BYTES - skip);
    return DECIMAL_BYTES - skip;
}

static void set_decimal(leat_binary_row_writer *writer, int32_t field, __int128 value)
{
    uint8_t bytes[DECIMAL_BYTES];
    size_t size = decimal_to_bytes(value, bytes);
    uint8_t *room = variable_part(writer, field, DECIMAL_BYTES, (uint32_t)size);
    if (room) memcpy(room, bytes, size);
}

static int64_t floor_div(int64_t value, int64_t by)
{
    int64_t quotient = value / by;
    return value % by < 0 ? quotient - 1 : quotient;
}

static void set_timestamp(leat_binary_row_writer *writer, int32_t field, const leat_type *type,
                          const leat_paimon_value *value)
{
    int64_t ms = floor_div(value->integer, 1000);
    if (type->precision <= TIMESTAMP_COMPACT_MAX) {
        memcpy(slot_of(writer, field), &ms, sizeof ms);
        return;
    }
    uint32_t nanos = (uint32_t)(value->integer - ms * 1000) * 1000 + (uint32_t)value->nanos;
    uint8_t *room = variable_part(writer, field, sizeof ms, nanos);
    if (room) memcpy(room, &ms, sizeof ms);
}

static void set_null(leat_binary_row_writer *writer, int32_t field, const leat_type *type)
{
    leat_bit_set(writer->out->data + writer->start, field + KIND_BITS);
    /* Two kinds take their variable part although they are NULL, so that they can be updated in place. */
    bool is_timestamp = type->kind == LEAT_TYPE_TIMESTAMP || type->kind == LEAT_TYPE_TIMESTAMP_LTZ;
    if (type->kind == LEAT_TYPE_DECIMAL && type->precision > DECIMAL_COMPACT_MAX) {
        (void)variable_part(writer, field, DECIMAL_BYTES, 0);
    } else if (is_timestamp && type->precision > TIMESTAMP_COMPACT_MAX) {
        (void)variable_part(writer, field, sizeof(int64_t), 0);
    }
}

static size_t integer_bytes(leat_type_kind kind)
{
    switch (kind) {
    case LEAT_TYPE_BOOLEAN:
    case LEAT_TYPE_TINYINT: return 1;
    case LEAT_TYPE_SMALLINT: return 2;
    case LEAT_TYPE_INT:
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME: return 4;
    default: return 8;
    }
}

void leat_binary_row_set(leat_binary_row_writer *writer, int32_t field, const leat_type *type,
                         const leat_paimon_value *value)
{
    if (writer->out->failed) return;
    LEAT_ASSERT(field >= 0 && field < writer->arity);
    if (value->is_null) {
        set_null(writer, field, type);
        return;
    }
    switch (type->kind) {
    case LEAT_TYPE_FLOAT: memcpy(slot_of(writer, field), &value->real, sizeof value->real); break;
    case LEAT_TYPE_DOUBLE: memcpy(slot_of(writer, field), &value->number, sizeof value->number); break;
    case LEAT_TYPE_DECIMAL:
        if (type->precision <= DECIMAL_COMPACT_MAX) {
            int64_t unscaled = (int64_t)value->decimal;
            memcpy(slot_of(writer, field), &unscaled, sizeof unscaled);
        } else {
            set_decimal(writer, field, value->decimal);
        }
        break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: set_bytes(writer, field, value->bytes.data, value->bytes.size); break;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: set_timestamp(writer, field, type, value); break;
    default: memcpy(slot_of(writer, field), &value->integer, integer_bytes(type->kind)); break;
    }
}

leat_code leat_binary_row_open(const uint8_t *data, size_t size, const char *what, leat_binary_row *out,
                               leat_error *error)
{
    uint32_t arity = 0;
    if (size < sizeof arity) return leat_fail(error, LEAT_CORRUPT, "%s has %zu bytes, too few for a row", what, size);
    memcpy(&arity, data, sizeof arity);
    arity = __builtin_bswap32(arity);
    if (arity > ARITY_MAX || size - sizeof arity < fixed_bytes((int32_t)arity)) {
        return leat_fail(error, LEAT_CORRUPT, "%s of %u fields does not fit in its %zu bytes", what, arity, size);
    }
    *out = (leat_binary_row){data + sizeof arity, size - sizeof arity, (int32_t)arity};
    return LEAT_OK;
}

bool leat_binary_row_is_null(const leat_binary_row *row, int32_t field)
{
    return leat_bit_get(row->data, field + KIND_BITS);
}

/* The variable part that a slot names; NULL when it lies outside the row. */
static const uint8_t *part_of(const leat_binary_row *row, uint64_t slot, size_t size)
{
    uint64_t offset = slot >> 32;
    return offset > row->size || size > row->size - offset ? NULL : row->data + offset;
}

static leat_code outside(int32_t field, leat_error *error)
{
    return leat_fail(error, LEAT_CORRUPT, "field %d of a row points outside of it", field);
}

static leat_code get_decimal(const leat_binary_row *row, int32_t field, uint64_t slot, leat_paimon_value *out,
                             leat_error *error)
{
    size_t size = (uint32_t)slot;
    const uint8_t *part = part_of(row, slot, size);
    if (!part || size > DECIMAL_BYTES || size == 0) return outside(field, error);
    unsigned __int128 bits = part[0] & 0x80 ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < size; i++)
        bits = bits << 8 | part[i];
    out->decimal = (__int128)bits;
    return LEAT_OK;
}

/* Milliseconds since the epoch that fit in microseconds. */
static bool ms_fits(int64_t ms)
{
    return ms > INT64_MIN / 1000 + 1 && ms < INT64_MAX / 1000 - 1;
}

static leat_code get_timestamp(const leat_binary_row *row, int32_t field, const leat_type *type, uint64_t slot,
                               leat_paimon_value *out, leat_error *error)
{
    int64_t ms = (int64_t)slot;
    uint32_t nanos = 0;
    if (type->precision > TIMESTAMP_COMPACT_MAX) {
        const uint8_t *part = part_of(row, slot, sizeof ms);
        if (!part) return outside(field, error);
        memcpy(&ms, part, sizeof ms);
        nanos = (uint32_t)slot;
    }
    if (nanos >= 1000000 || !ms_fits(ms)) {
        return leat_fail(error, LEAT_CORRUPT, "field %d of a row is no timestamp: %" PRId64 " ms, %u ns", field, ms,
                         nanos);
    }
    out->integer = ms * 1000 + nanos / 1000;
    out->nanos = (int16_t)(nanos % 1000);
    return LEAT_OK;
}

static leat_code get_bytes(const leat_binary_row *row, int32_t field, const uint8_t *at, uint64_t slot,
                           leat_paimon_value *out, leat_error *error)
{
    if (at[INLINE_MAX] & 0x80) {
        out->bytes.data = at;
        out->bytes.size = at[INLINE_MAX] & 0x7f;
        return out->bytes.size <= INLINE_MAX ? LEAT_OK : outside(field, error);
    }
    out->bytes.size = (uint32_t)slot;
    out->bytes.data = part_of(row, slot, out->bytes.size);
    return out->bytes.data ? LEAT_OK : outside(field, error);
}

leat_code leat_binary_row_get(const leat_binary_row *row, int32_t field, const leat_type *type, leat_paimon_value *out,
                              leat_error *error)
{
    if (field < 0 || field >= row->arity) {
        return leat_fail(error, LEAT_CORRUPT, "a row of %d fields has no field %d", row->arity, field);
    }
    *out = (leat_paimon_value){.is_null = leat_binary_row_is_null(row, field)};
    if (out->is_null) return LEAT_OK;
    const uint8_t *at = row->data + null_bytes(row->arity) + (size_t)field * SLOT_BYTES;
    uint64_t slot;
    memcpy(&slot, at, sizeof slot);
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: out->integer = (slot & 0xff) != 0; return LEAT_OK;
    case LEAT_TYPE_TINYINT: out->integer = (int8_t)slot; return LEAT_OK;
    case LEAT_TYPE_SMALLINT: out->integer = (int16_t)slot; return LEAT_OK;
    case LEAT_TYPE_INT:
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME: out->integer = (int32_t)slot; return LEAT_OK;
    case LEAT_TYPE_BIGINT: out->integer = (int64_t)slot; return LEAT_OK;
    case LEAT_TYPE_FLOAT: memcpy(&out->real, at, sizeof out->real); return LEAT_OK;
    case LEAT_TYPE_DOUBLE: memcpy(&out->number, at, sizeof out->number); return LEAT_OK;
    case LEAT_TYPE_DECIMAL:
        if (type->precision > DECIMAL_COMPACT_MAX) return get_decimal(row, field, slot, out, error);
        out->decimal = (int64_t)slot;
        return LEAT_OK;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: return get_bytes(row, field, at, slot, out, error);
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: return get_timestamp(row, field, type, slot, out, error);
    default: break;
    }
    return leat_binary_row_check_types(type, 1, error);
}

leat_code leat_binary_row_check_types(const leat_type *types, int32_t count, leat_error *error)
{
    for (int32_t i = 0; i < count; i++) {
        bool is_simple = types[i].kind >= LEAT_TYPE_BOOLEAN && types[i].kind <= LEAT_TYPE_TIMESTAMP_LTZ;
        if (is_simple) continue;
        leat_bytes name = {0};
        leat_type_print(&types[i], true, &name);
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "values of type %s in keys and partitions",
                                   name.failed ? "?" : (const char *)name.data);
        leat_bytes_done(&name);
        return code;
    }
    return LEAT_OK;
}
