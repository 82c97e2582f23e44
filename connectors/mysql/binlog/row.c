#include "connectors/mysql/binlog/row.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "connectors/mysql/binlog/json.h"

enum { MICROS = 1000000, DECIMAL_DIGITS_MAX = 82 };

static leat_code broken(const char *what, leat_error *error)
{
    return leat_fail(error, LEAT_CORRUPT, "value of a %s column is broken", what);
}

static uint64_t big_endian(leat_reader *reader, size_t bytes)
{
    const uint8_t *taken = leat_reader_take(reader, bytes);
    uint64_t value = 0;
    for (size_t i = 0; taken && i < bytes; i++)
        value = value << 8 | taken[i];
    return value;
}

static leat_mysql_cell integer(leat_reader *reader, size_t bytes, bool is_unsigned)
{
    uint64_t value = leat_binlog_uint(reader, bytes);
    leat_mysql_cell cell = {.kind = LEAT_CELL_INT, .number = value};
    if (!is_unsigned) {
        int shift = (int)(64 - 8 * bytes);
        cell.number = (int64_t)(value << shift) >> shift;
    }
    return cell;
}

/* Fraction digits → (fsp + 1) / 2 bytes, big-endian, of hundredths, ten-thousandths or millionths. */
static int64_t fraction_us(uint64_t value, size_t bytes)
{
    static const int64_t units[] = {0, 10000, 100, 1};
    return (int64_t)value * units[bytes];
}

/* A date of fields, µs or days; zero month or day makes it a zero date. */
static leat_code date_cell(int64_t year, int64_t month, int64_t day, int64_t us, bool has_time, int32_t digits,
                           leat_mysql_cell *out, leat_error *error)
{
    if (month > 12 || day > 31 || year > 9999) return broken("date", error);
    if (month == 0 || day == 0) {
        *out = (leat_mysql_cell){.kind = LEAT_CELL_ZERO, .number = year | month | day | us};
        return LEAT_OK;
    }
    int64_t days = leat_mysql_days(year, month, day);
    *out = (leat_mysql_cell){.kind = has_time ? LEAT_CELL_DATETIME : LEAT_CELL_DATE, .number = days, .scale = digits};
    if (has_time) out->number = days * INT64_C(86400) * MICROS + us;
    return LEAT_OK;
}

static leat_code datetime2(leat_reader *reader, uint16_t digits, leat_mysql_cell *out, leat_error *error)
{
    size_t bytes = (size_t)(digits + 1) / 2;
    int64_t value = (int64_t)big_endian(reader, 5) - INT64_C(0x8000000000);
    int64_t us = fraction_us(big_endian(reader, bytes), bytes);
    if (reader->failed || value < 0) return broken("DATETIME", error);
    int64_t second = value & 63, minute = value >> 6 & 63, hour = value >> 12 & 31, day = value >> 17 & 31;
    int64_t months = value >> 22;
    us += ((hour * 60 + minute) * 60 + second) * MICROS;
    return date_cell(months / 13, months % 13, day, us, true, digits, out, error);
}

static leat_code time2(leat_reader *reader, uint16_t digits, leat_mysql_cell *out, leat_error *error)
{
    LEAT_ASSERT(digits <= 6); /* the caller has looked */
    unsigned bytes = (digits + 1u) / 2, bits = 8 * bytes;
    /* The analyzer thinks that 3 + bytes may be 0. */
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
    int64_t value = (int64_t)big_endian(reader, 3 + bytes) - (INT64_C(0x800000) << bits);
    if (reader->failed) return broken("TIME", error);
    bool is_negative = value < 0;
    if (is_negative) value = -value;
    int64_t us = fraction_us((uint64_t)value & ((UINT64_C(1) << bits) - 1), bytes);
    value >>= bits;
    us += (((value >> 12 & 1023) * 60 + (value >> 6 & 63)) * 60 + (value & 63)) * MICROS;
    *out = (leat_mysql_cell){.kind = LEAT_CELL_TIME, .number = is_negative ? -us : us, .scale = digits};
    return LEAT_OK;
}

static leat_code timestamp2(leat_reader *reader, uint16_t digits, leat_mysql_cell *out, leat_error *error)
{
    size_t bytes = (size_t)(digits + 1) / 2;
    int64_t seconds = (int64_t)big_endian(reader, 4);
    int64_t us = fraction_us(big_endian(reader, bytes), bytes);
    if (reader->failed) return broken("TIMESTAMP", error);
    bool is_zero = seconds == 0 && us == 0;
    *out = (leat_mysql_cell){
        .kind = is_zero ? LEAT_CELL_ZERO : LEAT_CELL_DATETIME, .number = seconds * MICROS + us, .scale = digits};
    return LEAT_OK;
}

/* Forms from before 5.6. */
static leat_code old_temporal(leat_reader *reader, uint8_t type, leat_mysql_cell *out, leat_error *error)
{
    if (type == 7) {
        int64_t seconds = (int64_t)leat_binlog_uint(reader, 4);
        *out = (leat_mysql_cell){.kind = seconds ? LEAT_CELL_DATETIME : LEAT_CELL_ZERO,
                                 .number = (__int128)seconds * MICROS};
        return LEAT_OK;
    }
    if (type == 11) {
        int64_t value = (int64_t)integer(reader, 3, false).number;
        int64_t size = value < 0 ? -value : value;
        int64_t us = ((size / 10000 * 60 + size / 100 % 100) * 60 + size % 100) * MICROS;
        *out = (leat_mysql_cell){.kind = LEAT_CELL_TIME, .number = value < 0 ? -us : us};
        return LEAT_OK;
    }
    uint64_t value = leat_binlog_uint(reader, 8);
    int64_t date = (int64_t)(value / 1000000), clock = (int64_t)(value % 1000000);
    int64_t us = ((clock / 10000 * 60 + clock / 100 % 100) * 60 + clock % 100) * MICROS;
    return date_cell(date / 10000, date / 100 % 100, date % 100, us, true, 0, out, error);
}

/* Groups of nine digits in four big-endian bytes; the group at each end may be shorter. The top bit is the sign,
 * flipped; negatives are complemented. */
static leat_code decimal(leat_reader *reader, int32_t precision, int32_t scale, leat_bytes *scratch,
                         leat_mysql_cell *out, leat_error *error)
{
    static const uint8_t bytes_of[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
    int32_t whole = precision - scale;
    if (precision > 65 || scale > 38 || whole < 0) return broken("DECIMAL", error);
    int32_t groups[16], groups_count = 0;
    if (whole % 9) groups[groups_count++] = whole % 9;
    for (int32_t i = 0; i < whole / 9; i++)
        groups[groups_count++] = 9;
    for (int32_t i = 0; i < scale / 9; i++)
        groups[groups_count++] = 9;
    if (scale % 9) groups[groups_count++] = scale % 9;
    size_t size = 0;
    for (int32_t i = 0; i < groups_count; i++)
        size += bytes_of[groups[i]];
    const uint8_t *data = leat_reader_take(reader, size);
    if (!data || size == 0) return broken("DECIMAL", error);
    if (!out) return LEAT_OK;
    bool is_negative = !(data[0] & 0x80);
    char digits[DECIMAL_DIGITS_MAX] = "";
    size_t at = 0, used = 0;
    for (int32_t i = 0; i < groups_count; i++) {
        uint32_t value = 0;
        for (size_t b = 0; b < bytes_of[groups[i]]; b++, at++) {
            uint8_t byte = (uint8_t)(at == 0 ? data[0] ^ 0x80 : data[at]);
            value = value << 8 | (uint8_t)(is_negative ? ~byte : byte);
        }
        int32_t width = groups[i];
        uint32_t limit = 1;
        for (int32_t d = 0; d < width; d++)
            limit *= 10;
        if (value >= limit) return broken("DECIMAL", error);
        snprintf(digits + used, sizeof digits - used, "%0*" PRIu32, width, value);
        used += (size_t)width;
    }
    size_t first = 0; /* leading zeros go, up to the last whole digit */
    while ((int32_t)first + 1 < whole && digits[first] == '0')
        first++;
    leat_bytes_reset(scratch);
    if (is_negative) leat_bytes_put_u8(scratch, '-');
    if (whole == 0) leat_bytes_put_u8(scratch, '0');
    leat_bytes_put(scratch, digits + first, (size_t)whole - first);
    if (scale) leat_bytes_put_u8(scratch, '.');
    leat_bytes_put(scratch, digits + whole, (size_t)scale);
    LEAT_TRY(leat_bytes_check(scratch, error));
    LEAT_TRY(leat_mysql_parse_number((const char *)scratch->data, scratch->size, out, error));
    if (out->kind == LEAT_CELL_INT) out->kind = LEAT_CELL_DECIMAL;
    return LEAT_OK;
}

static void bytes_cell(leat_reader *reader, size_t length_bytes, leat_mysql_cell *out)
{
    size_t size = (size_t)leat_binlog_uint(reader, length_bytes);
    *out = (leat_mysql_cell){.kind = LEAT_CELL_BYTES, .size = size, .data = leat_reader_take(reader, size)};
}

/* MariaDB's compressed columns: empty, 0x00 and the value as it is, or 8 << 4 | 8 | n, n bytes of length, raw deflate.
 */
static leat_code inflate_cell(leat_bytes *scratch, leat_mysql_cell *cell, leat_error *error)
{
    if (cell->size == 0) return LEAT_OK;
    if (cell->data[0] == 0) {
        cell->data++;
        cell->size--;
        return LEAT_OK;
    }
    leat_reader reader;
    leat_reader_init(&reader, cell->data + 1, cell->size - 1);
    size_t count = cell->data[0] & 7;
    if (cell->data[0] >> 4 != 8 || count < 1 || count > 4) return broken("COMPRESSED", error);
    size_t size = (size_t)big_endian(&reader, count);
    if (reader.failed || size > LEAT_BINLOG_INFLATED_BYTES_MAX) return broken("COMPRESSED", error);
    leat_bytes_reset(scratch);
    uint8_t *to = leat_bytes_extend(scratch, size);
    if (!to) return leat_bytes_check(scratch, error);
    z_stream stream = {.next_out = to, .avail_out = (uInt)size, .avail_in = (uInt)leat_reader_left(&reader)};
    stream.next_in = (Bytef *)(uintptr_t)reader.at;
    int result = inflateInit2(&stream, cell->data[0] & 8 ? -15 : 15);
    if (result == Z_OK) result = inflate(&stream, Z_FINISH);
    (void)inflateEnd(&stream);
    if (result != Z_STREAM_END || stream.avail_out) return broken("COMPRESSED", error);
    cell->data = to;
    cell->size = size;
    return LEAT_OK;
}

static leat_code json_cell(leat_bytes *scratch, leat_mysql_cell *cell, leat_error *error)
{
    leat_bytes_reset(scratch);
    LEAT_TRY(leat_binlog_json_text(cell->data, cell->size, scratch, error));
    cell->data = scratch->data;
    cell->size = scratch->size;
    return LEAT_OK;
}

static leat_code real(leat_reader *reader, size_t size, leat_mysql_cell *out, leat_error *error)
{
    const uint8_t *data = leat_reader_take(reader, size);
    if (!data) return broken("FLOAT", error);
    float narrow;
    double wide;
    if (size == 4)
        memcpy(&narrow, data, 4), wide = narrow;
    else
        memcpy(&wide, data, 8);
    *out = (leat_mysql_cell){.kind = LEAT_CELL_DOUBLE, .real = wide, .scale = (int32_t)size};
    return LEAT_OK;
}

static leat_code date(leat_reader *reader, leat_mysql_cell *out, leat_error *error)
{
    int64_t value = (int64_t)leat_binlog_uint(reader, 3);
    return date_cell(value >> 9, value >> 5 & 15, value & 31, 0, false, 0, out, error);
}

static leat_code read_value(leat_reader *reader, const leat_binlog_column *column, bool is_unsigned,
                            leat_bytes *scratch, leat_mysql_cell *out, leat_error *error)
{
    uint16_t meta = column->meta;
    switch (column->type) {
    case 1: *out = integer(reader, 1, is_unsigned); return LEAT_OK;
    case 2: *out = integer(reader, 2, is_unsigned); return LEAT_OK;
    case 9: *out = integer(reader, 3, is_unsigned); return LEAT_OK;
    case 3: *out = integer(reader, 4, is_unsigned); return LEAT_OK;
    case 8: *out = integer(reader, 8, is_unsigned); return LEAT_OK;
    case 4: return real(reader, 4, out, error);
    case 5: return real(reader, 8, out, error);
    case 6: *out = (leat_mysql_cell){.kind = LEAT_CELL_NULL}; return LEAT_OK;
    case 7:
    case 11:
    case 12: return old_temporal(reader, column->type, out, error);
    case 10: return date(reader, out, error);
    case 13:
        *out = integer(reader, 1, true);
        if (out->number) out->number += 1900;
        return LEAT_OK;
    case 15:
    case 141:
    case 253: bytes_cell(reader, meta > 255 ? 2 : 1, out); return LEAT_OK;
    case 16: {
        size_t size = (size_t)(meta >> 8) + ((meta & 255) != 0);
        *out = (leat_mysql_cell){.kind = LEAT_CELL_BITS, .size = size, .data = leat_reader_take(reader, size)};
        return LEAT_OK;
    }
    case 17: return meta > 6 ? broken("TIMESTAMP", error) : timestamp2(reader, meta, out, error);
    case 18: return meta > 6 ? broken("DATETIME", error) : datetime2(reader, meta, out, error);
    case 19: return meta > 6 ? broken("TIME", error) : time2(reader, meta, out, error);
    case 246: return decimal(reader, meta >> 8, meta & 255, scratch, out, error);
    case 247:
    case 248:
        if (meta < 1 || meta > 8) return broken("ENUM or SET", error);
        *out = integer(reader, meta, true);
        return LEAT_OK;
    case 254: bytes_cell(reader, meta > 255 ? 2 : 1, out); return LEAT_OK;
    case 140:
    case 242:
    case 245:
    case 252:
    case 255:
        if (meta < 1 || meta > 4) return broken("BLOB", error);
        bytes_cell(reader, meta, out);
        return LEAT_OK;
    default: return leat_fail(error, LEAT_UNSUPPORTED, "binlog values of type %u", column->type);
    }
}

leat_code leat_binlog_value_read(leat_reader *reader, const leat_binlog_column *column, bool is_unsigned,
                                 leat_bytes *scratch, leat_mysql_cell *out, leat_error *error)
{
    leat_mysql_cell cell;
    leat_mysql_cell *to = out ? out : &cell;
    LEAT_TRY(read_value(reader, column, is_unsigned, scratch, to, error));
    if (reader->failed) return leat_fail(error, LEAT_CORRUPT, "a row ends inside a value of type %u", column->type);
    if (out && (column->type == 140 || column->type == 141)) return inflate_cell(scratch, out, error);
    if (out && column->type == 245) return json_cell(scratch, out, error);
    return LEAT_OK;
}

leat_code leat_binlog_image_read(leat_reader *reader, const uint8_t *present, int32_t columns_count,
                                 leat_binlog_image *out, leat_error *error)
{
    size_t count = 0;
    for (int32_t i = 0; i < columns_count; i++)
        count += (size_t)(present[i / 8] >> (i % 8) & 1);
    out->present = present;
    out->nulls = leat_reader_take(reader, (count + 7) / 8);
    return out->nulls ? LEAT_OK : leat_fail(error, LEAT_CORRUPT, "a row ends inside its null bitmap");
}
