#include "columnar/value.h"

#include <stdio.h>

#include "columnar/decimal.h"
#include "columnar/kernel.h"
#include "columnar/text.h"
#include "columnar/timezone.h"

static void put_text(leat_bytes *out, const char *text, int32_t length)
{
    leat_bytes_put(out, text, (size_t)length);
}

static void print_hex(leat_bytes *out, leat_text text)
{
    static const char digits[] = "0123456789abcdef";
    leat_bytes_text(out, "x'");
    for (int32_t i = 0; i < text.length; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        char pair[2] = {digits[byte >> 4], digits[byte & 15]};
        leat_bytes_put(out, pair, 2);
    }
    leat_bytes_text(out, "'");
}

static void print_interval(leat_bytes *out, int64_t ms)
{
    uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    leat_bytes_format(out, "%c%llu %02u:%02u:%02u.%03u", ms < 0 ? '-' : '+', (unsigned long long)(size / 86400000),
                      (unsigned)(size / 3600000 % 24), (unsigned)(size / 60000 % 60), (unsigned)(size / 1000 % 60),
                      (unsigned)(size % 1000));
}

void leat_value_print_in(const leat_type *type, const leat_column *column, int32_t row, const leat_zone *zone,
                         leat_bytes *out)
{
    leat_operand value = {.column = column, .type = type};
    char buffer[LEAT_DECIMAL_TEXT_MAX];
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: leat_bytes_text(out, LEAT_AT(int8_t, &value, row) ? "TRUE" : "FALSE"); break;
    case LEAT_TYPE_TINYINT: leat_bytes_format(out, "%d", LEAT_AT(int8_t, &value, row)); break;
    case LEAT_TYPE_SMALLINT: leat_bytes_format(out, "%d", LEAT_AT(int16_t, &value, row)); break;
    case LEAT_TYPE_INT: leat_bytes_format(out, "%d", LEAT_AT(int32_t, &value, row)); break;
    case LEAT_TYPE_BIGINT: leat_bytes_format(out, "%lld", (long long)LEAT_AT(int64_t, &value, row)); break;
    case LEAT_TYPE_FLOAT: put_text(out, buffer, leat_float_print(LEAT_AT(float, &value, row), buffer)); break;
    case LEAT_TYPE_DOUBLE: put_text(out, buffer, leat_double_print(LEAT_AT(double, &value, row), buffer)); break;
    case LEAT_TYPE_DECIMAL:
        put_text(out, buffer, leat_decimal_print(LEAT_AT(__int128, &value, row), type->scale, buffer));
        break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR: {
        leat_text text = leat_operand_text(&value, row);
        put_text(out, text.data, text.length);
        break;
    }
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: print_hex(out, leat_operand_text(&value, row)); break;
    case LEAT_TYPE_DATE: put_text(out, buffer, leat_date_print(LEAT_AT(int32_t, &value, row), buffer)); break;
    case LEAT_TYPE_TIME:
        put_text(out, buffer, leat_time_print(LEAT_AT(int32_t, &value, row), type->precision, buffer));
        break;
    case LEAT_TYPE_TIMESTAMP:
        put_text(out, buffer, leat_timestamp_print(LEAT_AT(int64_t, &value, row), type->precision, buffer));
        break;
    case LEAT_TYPE_TIMESTAMP_LTZ: {
        int64_t local = leat_zone_to_local_us(zone, LEAT_AT(int64_t, &value, row));
        put_text(out, buffer, leat_timestamp_print(local, type->precision, buffer));
        break;
    }
    case LEAT_TYPE_INTERVAL_DAY_TIME: print_interval(out, LEAT_AT(int64_t, &value, row)); break;
    case LEAT_TYPE_INTERVAL_YEAR_MONTH: {
        int32_t months = LEAT_AT(int32_t, &value, row), size = months < 0 ? -months : months;
        leat_bytes_format(out, "%c%d-%02d", months < 0 ? '-' : '+', size / 12, size % 12);
        break;
    }
    default: leat_bytes_text(out, "?"); break;
    }
    leat_bytes_text(out, "");
}

void leat_value_print(const leat_type *type, const leat_column *column, int32_t row, const char *time_zone,
                      leat_bytes *out)
{
    if (type->kind == LEAT_TYPE_NULL || leat_column_is_null(column, row)) {
        leat_bytes_text(out, "NULL");
        return;
    }
    const leat_zone *zone = NULL;
    bool needs_zone = type->kind == LEAT_TYPE_TIMESTAMP_LTZ && time_zone;
    if (needs_zone && leat_zone_find(time_zone, &zone, NULL) != LEAT_OK) zone = NULL; /* was checked when it was set */
    leat_value_print_in(type, column, row, zone, out);
}
