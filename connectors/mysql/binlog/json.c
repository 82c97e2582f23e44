#include "connectors/mysql/binlog/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/mysql/binlog/row.h"
#include "connectors/mysql/value.h"

enum {
    DEPTH_MAX = 100,
    TEXT_PER_BYTE_MAX = 8, /* an escaped character takes 6, small numbers and their separator fewer than 3 a byte */
    SMALL_OBJECT = 0,
    LARGE_OBJECT = 1,
    SMALL_ARRAY = 2,
    LARGE_ARRAY = 3,
    LITERAL = 4,
    INT16 = 5,
    UINT16 = 6,
    INT32 = 7,
    UINT32 = 8,
    INT64 = 9,
    UINT64 = 10,
    DOUBLE = 11,
    STRING = 12,
    OPAQUE = 15,
    OPAQUE_TIMESTAMP = 7,
    OPAQUE_DATE = 10,
    OPAQUE_TIME = 11,
    OPAQUE_DATETIME = 12,
    OPAQUE_DECIMAL = 246,
};

/* Bytes of a container's body, or of one value: offsets count from `data`. */
typedef struct part {
    const uint8_t *data;
    size_t size;
} part;

typedef struct printer {
    leat_bytes *out;
    size_t limit; /* of out's size: parts that point at each other could print for ever */
} printer;

static leat_code broken(leat_error *error)
{
    return leat_fail(error, LEAT_CORRUPT, "a JSON value's bytes are no binary JSON");
}

static uint64_t little_endian(const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | data[i];
    return value;
}

static void put_quoted(const uint8_t *text, size_t size, leat_bytes *out)
{
    static const char escapes[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    leat_bytes_put_u8(out, '"');
    for (size_t i = 0; i < size; i++) {
        uint8_t c = text[i];
        if (c == '"' || c == '\\')
            leat_bytes_format(out, "\\%c", c);
        else if (c < sizeof escapes && escapes[c])
            leat_bytes_format(out, "\\%c", escapes[c]);
        else if (c < ' ')
            leat_bytes_format(out, "\\u%04x", c);
        else
            leat_bytes_put_u8(out, c);
    }
    leat_bytes_put_u8(out, '"');
}

/* Length in 7 bits a byte, the lowest first; then that many bytes. */
static bool take_counted(part value, part *out)
{
    size_t length = 0;
    for (size_t i = 0; i < 5 && i < value.size; i++) {
        length |= (size_t)(value.data[i] & 0x7F) << (7 * i);
        if (value.data[i] & 0x80) continue;
        if (length > value.size - i - 1) return false;
        *out = (part){value.data + i + 1, length};
        return true;
    }
    return false;
}

static void put_base64(uint8_t type, part bytes, leat_bytes *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    leat_bytes_format(out, "\"base64:type%u:", type);
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (left > 2 ? bytes.data[i + 2] : 0);
        for (size_t d = 0; d < 4; d++)
            leat_bytes_put_u8(out, (uint8_t)(d <= left ? digits[three >> (18 - 6 * d) & 63] : '='));
    }
    leat_bytes_put_u8(out, '"');
}

static leat_code put_temporal(uint8_t type, part bytes, leat_bytes *out, leat_error *error)
{
    if (bytes.size != 8) return broken(error);
    int64_t packed = (int64_t)little_endian(bytes.data, 8);
    bool is_negative = packed < 0;
    uint64_t value = is_negative ? 0 - (uint64_t)packed : (uint64_t)packed;
    unsigned us = (unsigned)(value & 0xFFFFFF), clock = (unsigned)(value >> 24 & 0x1FFFF);
    unsigned second = clock & 63, minute = clock >> 6 & 63;
    if (type == OPAQUE_TIME) {
        leat_bytes_format(out, "\"%s%02u:%02u:%02u.%06u\"", is_negative ? "-" : "", (unsigned)(value >> 36 & 0xFFF),
                          minute, second, us);
        return LEAT_OK;
    }
    unsigned days = (unsigned)(value >> 41), month = days >> 5;
    leat_bytes_format(out, "\"%04u-%02u-%02u", month / 13, month % 13, days & 31);
    if (type != OPAQUE_DATE) leat_bytes_format(out, " %02u:%02u:%02u.%06u", clock >> 12, minute, second, us);
    leat_bytes_put_u8(out, '"');
    return LEAT_OK;
}

static leat_code put_decimal(part bytes, leat_bytes *out, leat_error *error)
{
    if (bytes.size < 2) return broken(error);
    leat_reader reader;
    leat_reader_init(&reader, bytes.data + 2, bytes.size - 2);
    leat_binlog_column column = {.type = OPAQUE_DECIMAL, .meta = (uint16_t)(bytes.data[0] << 8 | bytes.data[1])};
    leat_bytes scratch = {0};
    leat_mysql_cell cell;
    leat_code code = leat_binlog_value_read(&reader, &column, false, &scratch, &cell, error);
    if (code == LEAT_OK) leat_mysql_cell_text(&cell, out);
    leat_bytes_done(&scratch);
    return code;
}

static leat_code put_opaque(part value, leat_bytes *out, leat_error *error)
{
    part bytes;
    if (value.size < 1 || !take_counted((part){value.data + 1, value.size - 1}, &bytes)) return broken(error);
    switch (value.data[0]) {
    case OPAQUE_DECIMAL: return put_decimal(bytes, out, error);
    case OPAQUE_DATE:
    case OPAQUE_TIME:
    case OPAQUE_TIMESTAMP:
    case OPAQUE_DATETIME: return put_temporal(value.data[0], bytes, out, error);
    default: put_base64(value.data[0], bytes, out); return LEAT_OK;
    }
}

/* The shortest digits that give the number back; an exponent outside 1e-15 … 1e15, as MySQL's my_gcvt; always marked as
 * no integer. */
static void put_double(uint64_t bits, leat_bytes *out)
{
    double value;
    char text[40];
    memcpy(&value, &bits, sizeof value);
    int precision = 0;
    do {
        snprintf(text, sizeof text, "%.*e", precision, value);
    } while (strtod(text, NULL) != value && ++precision < 17);
    char *mark = strchr(text, 'e');
    if (!mark) { /* no finite number: MySQL stores none */
        leat_bytes_text(out, "null");
        return;
    }
    int exponent = (int)strtol(mark + 1, NULL, 10), point = exponent + 1;
    *mark = '\0';
    bool is_plain = point >= -14 && point <= 15;
    if (!is_plain) {
        leat_bytes_format(out, "%se%d", text, exponent);
        return;
    }
    int places = precision - exponent > 1 ? precision - exponent : 1;
    leat_bytes_format(out, "%.*f", places, value);
}

static leat_code put_scalar(uint8_t type, part value, leat_bytes *out, leat_error *error)
{
    static const size_t sizes[] = {
        [LITERAL] = 1, [INT16] = 2, [UINT16] = 2, [INT32] = 4, [UINT32] = 4, [INT64] = 8, [UINT64] = 8, [DOUBLE] = 8};
    if (type == OPAQUE) return put_opaque(value, out, error);
    if (type == STRING) {
        part text;
        if (!take_counted(value, &text)) return broken(error);
        put_quoted(text.data, text.size, out);
        return LEAT_OK;
    }
    if (type >= sizeof sizes / sizeof *sizes || !sizes[type] || value.size < sizes[type]) return broken(error);
    uint64_t number = little_endian(value.data, sizes[type]);
    switch (type) {
    case LITERAL:
        if (number > 2) return broken(error);
        leat_bytes_text(out, number == 0 ? "null" : number == 1 ? "true" : "false");
        return LEAT_OK;
    case INT16: leat_bytes_format(out, "%d", (int16_t)number); return LEAT_OK;
    case INT32: leat_bytes_format(out, "%" PRId32, (int32_t)number); return LEAT_OK;
    case INT64: leat_bytes_format(out, "%" PRId64, (int64_t)number); return LEAT_OK;
    case DOUBLE: put_double(number, out); return LEAT_OK;
    default: leat_bytes_format(out, "%" PRIu64, number); return LEAT_OK;
    }
}

static leat_code put_value(printer *self, uint8_t type, part value, int depth, leat_error *error);

/* The value of an entry: small ones lie in it, others where it points. */
static leat_code put_entry(printer *self, part body, const uint8_t *entry, size_t width, int depth, leat_error *error)
{
    uint8_t type = entry[0];
    bool is_inlined =
        type == LITERAL || type == INT16 || type == UINT16 || (width == 4 && (type == INT32 || type == UINT32));
    if (is_inlined) return put_scalar(type, (part){entry + 1, width}, self->out, error);
    size_t offset = (size_t)little_endian(entry + 1, width);
    if (offset >= body.size) return broken(error);
    return put_value(self, type, (part){body.data + offset, body.size - offset}, depth, error);
}

/* Count, size, entries of keys (of an object), entries of values; then what they point to. */
static leat_code put_container(printer *self, uint8_t type, part value, int depth, leat_error *error)
{
    leat_bytes *out = self->out;
    bool is_object = type == SMALL_OBJECT || type == LARGE_OBJECT;
    size_t width = type == SMALL_OBJECT || type == SMALL_ARRAY ? 2 : 4;
    if (depth > DEPTH_MAX || value.size < 2 * width) return broken(error);
    size_t count = (size_t)little_endian(value.data, width), size = (size_t)little_endian(value.data + width, width);
    size_t key_bytes = is_object ? width + 2 : 0, entry_bytes = key_bytes + 1 + width;
    if (size > value.size || size < 2 * width || count > (size - 2 * width) / entry_bytes) return broken(error);
    part body = {value.data, size};
    const uint8_t *keys = body.data + 2 * width, *entries = keys + count * key_bytes;
    leat_bytes_put_u8(out, is_object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) leat_bytes_text(out, ", ");
        if (is_object) {
            size_t offset = (size_t)little_endian(keys + i * key_bytes, width);
            size_t length = (size_t)little_endian(keys + i * key_bytes + width, 2);
            if (offset > size || length > size - offset) return broken(error);
            put_quoted(body.data + offset, length, out);
            leat_bytes_text(out, ": ");
        }
        LEAT_TRY(put_entry(self, body, entries + i * (1 + width), width, depth + 1, error));
        if (out->size > self->limit) return broken(error);
    }
    leat_bytes_put_u8(out, is_object ? '}' : ']');
    return leat_bytes_check(out, error);
}

static leat_code put_value(printer *self, uint8_t type, part value, int depth, leat_error *error)
{
    return type <= LARGE_ARRAY ? put_container(self, type, value, depth, error)
                               : put_scalar(type, value, self->out, error);
}

leat_code leat_binlog_json_text(const uint8_t *data, size_t size, leat_bytes *out, leat_error *error)
{
    printer self = {out, out->size + size * TEXT_PER_BYTE_MAX + 64};
    if (size == 0)
        leat_bytes_text(out, "null");
    else
        LEAT_TRY(put_value(&self, data[0], (part){data + 1, size - 1}, 1, error));
    return leat_bytes_check(out, error);
}

size_t leat_mysql_json_compact(char *text, size_t size)
{
    size_t used = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (!is_in_string && c == ' ') continue;
        if (c == '"') is_in_string = !is_in_string;
        text[used++] = c;
        if (c == '\\' && i + 1 < size) text[used++] = text[++i];
    }
    return used;
}
