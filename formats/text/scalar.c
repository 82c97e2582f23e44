#include "formats/text/scalar.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "common/memory.h"

bool leat_scalar_integer(const char *text, size_t length, int64_t low, int64_t high, int64_t *out)
{
    size_t i = length && (text[0] == '-' || text[0] == '+');
    bool is_negative = length && text[0] == '-';
    if (i == length) return false;
    __int128 value = 0;
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
        if (value > (__int128)INT64_MAX + 1) return false;
    }
    if (is_negative) value = -value;
    if (value < low || value > high) return false;
    *out = (int64_t)value;
    return true;
}

/* Digits, point, exponent → an unscaled number at `scale`, rounded half up. */
bool leat_scalar_decimal(const char *text, size_t length, int32_t precision, int32_t scale, __int128 *out)
{
    size_t i = length && (text[0] == '-' || text[0] == '+');
    bool is_negative = length && text[0] == '-', has_digits = false, has_point = false;
    __int128 value = 0;
    int32_t digits = 0, fraction = 0;
    for (; i < length && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') return false;
        has_digits = true;
        if (digits == LEAT_DECIMAL_PRECISION_MAX) {
            if (!has_point) return false;
            continue; /* beyond what rounding to any scale that fits can see */
        }
        value = value * 10 + (text[i] - '0');
        digits += value != 0;
        fraction += has_point;
    }
    int64_t exponent = 0;
    if (i < length && !leat_scalar_integer(text + i + 1, length - i - 1, -1000, 1000, &exponent)) return false;
    if (!has_digits) return false;
    int64_t shift = scale - fraction + exponent; /* powers of ten still to multiply by */
    __int128 limit = 1;
    for (int32_t p = 0; p < precision; p++)
        limit *= 10;
    for (; shift > 0 && value != 0; shift--) {
        if (value > (limit - 1) / 10) return false;
        value *= 10;
    }
    int last = 0;
    for (; shift < 0 && (value != 0 || last != 0); shift++) {
        last = (int)(value % 10);
        value /= 10;
    }
    if (last >= 5) value++;
    if (value >= limit) return false;
    *out = is_negative ? -value : value;
    return true;
}

int64_t leat_scalar_days(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool take_number(const char **at, const char *end, int digits_min, int digits_max, int64_t *out)
{
    int digits = 0;
    *out = 0;
    for (; *at < end && digits < digits_max && **at >= '0' && **at <= '9'; (*at)++, digits++) {
        *out = *out * 10 + (**at - '0');
    }
    return digits >= digits_min;
}

static bool take_char(const char **at, const char *end, char wanted)
{
    if (*at >= end || **at != wanted) return false;
    (*at)++;
    return true;
}

static bool take_date(const char **at, const char *end, int64_t *days)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!take_number(at, end, 4, 4, &year) || !take_char(at, end, '-') || !take_number(at, end, 1, 2, &month) ||
        !take_char(at, end, '-') || !take_number(at, end, 1, 2, &day) || month < 1 || month > 12 || day < 1) {
        return false;
    }
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && is_leap)) return false;
    *days = leat_scalar_days(year, month, day);
    return true;
}

/* hh:mm[:ss[.fraction]] in µs; digits beyond µs are cut. */
static bool take_clock(const char **at, const char *end, int64_t *micros)
{
    int64_t hour, minute, second = 0, fraction = 0;
    if (!take_number(at, end, 1, 2, &hour) || !take_char(at, end, ':') || !take_number(at, end, 1, 2, &minute))
        return false;
    if (take_char(at, end, ':') && !take_number(at, end, 1, 2, &second)) return false;
    if (take_char(at, end, '.')) {
        int64_t unit = 100000;
        for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
            fraction += (**at - '0') * unit;
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    *micros = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return true;
}

static bool parse_timestamp(const leat_type *type, const char *text, size_t length, bool is_iso, int64_t *out)
{
    const char *at = text, *end = text + length;
    int64_t days, micros;
    if (!take_date(&at, end, &days) || !take_char(&at, end, is_iso ? 'T' : ' ') || !take_clock(&at, end, &micros))
        return false;
    if (type->kind == LEAT_TYPE_TIMESTAMP_LTZ && !take_char(&at, end, 'Z')) return false;
    int64_t unit = 1;
    for (int32_t p = type->precision; p < 6; p++)
        unit *= 10;
    *out = days * INT64_C(86400000000) + micros - micros % unit;
    return at == end;
}

static leat_code parse_base64(const char *text, size_t length, leat_batch_builder *builder, int32_t column,
                              leat_error *error)
{
    uint8_t *bytes = leat_alloc(length);
    if (!bytes) return leat_fail_no_memory(error);
    size_t used = 0;
    uint32_t group = 0;
    int bits = 0;
    leat_code code = LEAT_OK;
    for (size_t i = 0; i < length && text[i] != '='; i++) {
        char c = text[i];
        int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 26
                    : c >= '0' && c <= '9' ? c - '0' + 52
                    : c == '+'             ? 62
                    : c == '/'             ? 63
                                           : -1;
        if (value < 0) {
            code = leat_fail(error, LEAT_INVALID, "'%.*s' is not base64", (int)length, text);
            break;
        }
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[used++] = (uint8_t)(group >> bits);
        }
    }
    if (code == LEAT_OK) code = leat_batch_builder_set_bytes(builder, column, bytes, used, error);
    leat_free(bytes);
    return code;
}

static leat_code wrong(const leat_type *type, const char *text, size_t length, leat_error *error)
{
    leat_bytes name = {0};
    leat_type_print(type, true, &name);
    leat_code code = leat_fail(error, LEAT_INVALID, "'%.*s' is not a value of type %s", (int)length, text,
                               name.data ? (const char *)name.data : "");
    leat_bytes_done(&name);
    return code;
}

static bool parse_real(const char *text, size_t length, double *out)
{
    char buffer[64];
    if (length == 0 || length >= sizeof buffer) return false;
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    char *end;
    *out = strtod(buffer, &end);
    return end == buffer + length;
}

leat_code leat_scalar_parse(const leat_type *type, const char *text, size_t length, const leat_scalar_options *options,
                            leat_batch_builder *builder, int32_t column, leat_error *error)
{
    int64_t number = 0;
    double real = 0;
    __int128 unscaled = 0;
    int32_t small;
    const char *at = text, *end = text + length;
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN:
        number = length == 4 && strncasecmp(text, "true", 4) == 0;
        if (!number && !(length == 5 && strncasecmp(text, "false", 5) == 0)) return wrong(type, text, length, error);
        leat_batch_builder_set_fixed(builder, column, &number);
        return LEAT_OK;
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT: {
        int bits = 8 << (type->kind - LEAT_TYPE_TINYINT);
        int64_t high = bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
        if (!leat_scalar_integer(text, length, -high - 1, high, &number)) return wrong(type, text, length, error);
        leat_batch_builder_set_fixed(builder, column, &number); /* little-endian: its low bytes */
        return LEAT_OK;
    }
    case LEAT_TYPE_FLOAT:
    case LEAT_TYPE_DOUBLE: {
        if (!parse_real(text, length, &real)) return wrong(type, text, length, error);
        float narrow = (float)real;
        bool is_float = type->kind == LEAT_TYPE_FLOAT;
        leat_batch_builder_set_fixed(builder, column, is_float ? (const void *)&narrow : (const void *)&real);
        return LEAT_OK;
    }
    case LEAT_TYPE_DECIMAL:
        if (!leat_scalar_decimal(text, length, type->precision, type->scale, &unscaled))
            return wrong(type, text, length, error);
        leat_batch_builder_set_fixed(builder, column, &unscaled);
        return LEAT_OK;
    case LEAT_TYPE_DATE:
        if (!take_date(&at, end, &number) || at != end) return wrong(type, text, length, error);
        small = (int32_t)number;
        leat_batch_builder_set_fixed(builder, column, &small);
        return LEAT_OK;
    case LEAT_TYPE_TIME:
        if (!take_clock(&at, end, &number) || at != end) return wrong(type, text, length, error);
        small = (int32_t)(number / 1000);
        leat_batch_builder_set_fixed(builder, column, &small);
        return LEAT_OK;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ:
        if (!parse_timestamp(type, text, length, options->is_iso, &number)) return wrong(type, text, length, error);
        leat_batch_builder_set_fixed(builder, column, &number);
        return LEAT_OK;
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: return parse_base64(text, length, builder, column, error);
    default: return leat_batch_builder_set_bytes(builder, column, text, length, error);
    }
}
