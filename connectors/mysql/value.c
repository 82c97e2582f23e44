#include "connectors/mysql/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/mysql/client.h"

enum { MICROS = 1000000, DIGITS_MAX = 38 };
static const int64_t day_us = INT64_C(86400) * MICROS;

int64_t leat_mysql_days(int64_t year, int64_t month, int64_t day)
{
    /* Years begin in March, so that the leap day is the last: 400 years have 146097 days. */
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_of_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* --- text → cell --- */

static leat_code bad_text(const char *what, const char *text, size_t size, leat_error *error)
{
    return leat_fail(error, LEAT_INVALID, "'%.*s' is not a %s", (int)(size < 64 ? size : 64), text, what);
}

leat_code leat_mysql_parse_number(const char *text, size_t size, leat_mysql_cell *out, leat_error *error)
{
    bool is_negative = size && text[0] == '-', has_point = false;
    size_t at = size && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    __int128 value = 0;
    int32_t scale = 0, digits = 0;
    if (at == size) return bad_text("number", text, size, error);
    for (; at < size; at++) {
        if (text[at] == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (text[at] < '0' || text[at] > '9') return bad_text("number", text, size, error);
        if (value != 0 || text[at] != '0') digits++;
        if (digits > DIGITS_MAX) { /* DECIMAL beyond ours: kept as text */
            *out = (leat_mysql_cell){.kind = LEAT_CELL_BYTES, .data = (const uint8_t *)text, .size = size};
            return LEAT_OK;
        }
        value = value * 10 + (text[at] - '0');
        scale += has_point;
    }
    *out = (leat_mysql_cell){
        .kind = has_point ? LEAT_CELL_DECIMAL : LEAT_CELL_INT, .number = is_negative ? -value : value, .scale = scale};
    return LEAT_OK;
}

/* Digits up to something else; -1 when there are none. */
static int64_t take_digits(const char **at, const char *end)
{
    int64_t value = 0;
    const char *start = *at;
    for (; *at < end && **at >= '0' && **at <= '9' && *at - start < 9; ++*at)
        value = value * 10 + (**at - '0');
    return *at == start ? -1 : value;
}

/* ".5" → 500000, and how many digits it had. */
static bool take_fraction(const char **at, const char *end, int64_t *us, int32_t *digits)
{
    *us = 0;
    *digits = 0;
    if (*at == end || **at != '.') return true;
    const char *start = ++*at;
    int64_t value = take_digits(at, end);
    *digits = (int32_t)(*at - start);
    if (value < 0 || *digits > 6) return false;
    for (int32_t i = *digits; i < 6; i++)
        value *= 10;
    *us = value;
    return true;
}

static bool take_char(const char **at, const char *end, char wanted)
{
    if (*at == end || **at != wanted) return false;
    ++*at;
    return true;
}

/* False: not a date. *is_zero: one with zero parts. */
static bool take_date(const char **at, const char *end, int64_t *days, bool *is_zero)
{
    int64_t year = take_digits(at, end);
    if (year < 0 || !take_char(at, end, '-')) return false;
    int64_t month = take_digits(at, end);
    if (month < 0 || month > 12 || !take_char(at, end, '-')) return false;
    int64_t day = take_digits(at, end);
    if (day < 0 || day > 31) return false;
    *is_zero = month == 0 || day == 0;
    *days = *is_zero ? (year | month | day) != 0 : leat_mysql_days(year, month, day);
    return true;
}

leat_code leat_mysql_parse_date(const char *text, size_t size, leat_mysql_cell *out, leat_error *error)
{
    const char *at = text, *end = text + size;
    int64_t days;
    bool is_zero;
    if (!take_date(&at, end, &days, &is_zero) || at != end) return bad_text("date", text, size, error);
    *out = (leat_mysql_cell){.kind = is_zero ? LEAT_CELL_ZERO : LEAT_CELL_DATE, .number = days};
    return LEAT_OK;
}

/* "hh:mm:ss[.ffffff]" → µs. */
static bool take_clock(const char **at, const char *end, int64_t *us, int32_t *digits)
{
    int64_t hour = take_digits(at, end);
    if (hour < 0 || !take_char(at, end, ':')) return false;
    int64_t minute = take_digits(at, end);
    if (minute < 0 || minute > 59 || !take_char(at, end, ':')) return false;
    int64_t second = take_digits(at, end);
    if (second < 0 || second > 59) return false;
    int64_t fraction;
    if (!take_fraction(at, end, &fraction, digits)) return false;
    *us = ((hour * 60 + minute) * 60 + second) * MICROS + fraction;
    return true;
}

leat_code leat_mysql_parse_datetime(const char *text, size_t size, leat_mysql_cell *out, leat_error *error)
{
    const char *at = text, *end = text + size;
    int64_t days, us;
    bool is_zero;
    int32_t digits;
    if (!take_date(&at, end, &days, &is_zero) || !take_char(&at, end, ' ') || !take_clock(&at, end, &us, &digits) ||
        at != end) {
        return bad_text("date and time", text, size, error);
    }
    *out = (leat_mysql_cell){
        .kind = is_zero ? LEAT_CELL_ZERO : LEAT_CELL_DATETIME, .number = days * day_us + us, .scale = digits};
    return LEAT_OK;
}

leat_code leat_mysql_parse_time(const char *text, size_t size, leat_mysql_cell *out, leat_error *error)
{
    const char *at = text, *end = text + size;
    bool is_negative = take_char(&at, end, '-');
    int64_t us;
    int32_t digits;
    if (!take_clock(&at, end, &us, &digits) || at != end) return bad_text("time", text, size, error);
    *out = (leat_mysql_cell){.kind = LEAT_CELL_TIME, .number = is_negative ? -us : us, .scale = digits};
    return LEAT_OK;
}

/* --- cell → text --- */

static void put_decimal(leat_bytes *out, __int128 value, int32_t scale)
{
    char digits[48];
    int used = 0;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    if (value < 0) leat_bytes_put_u8(out, '-');
    do {
        digits[used++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest);
    while (used <= scale)
        digits[used++] = '0';
    while (used-- > 0) {
        leat_bytes_put_u8(out, (uint8_t)digits[used]);
        if (used == scale && scale > 0) leat_bytes_put_u8(out, '.');
    }
}

static void put_fraction(leat_bytes *out, int64_t us, int32_t digits)
{
    if (digits <= 0) return;
    char text[16];
    snprintf(text, sizeof text, "%06" PRId64, us);
    leat_bytes_put_u8(out, '.');
    leat_bytes_put(out, text, (size_t)(digits < 6 ? digits : 6));
}

static void put_date(leat_bytes *out, int64_t days)
{
    int64_t year;
    int month, day;
    civil_of_days(days, &year, &month, &day);
    leat_bytes_format(out, "%04" PRId64 "-%02d-%02d", year, month, day);
}

static void put_clock(leat_bytes *out, int64_t us, int32_t digits)
{
    int64_t seconds = us / MICROS;
    leat_bytes_format(out, "%02" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60), (int)(seconds % 60));
    put_fraction(out, us % MICROS, digits);
}

static void put_datetime(leat_bytes *out, int64_t us, int32_t digits)
{
    int64_t days = us / day_us - (us % day_us < 0);
    put_date(out, days);
    leat_bytes_put_u8(out, ' ');
    put_clock(out, us - days * day_us, digits);
}

/* The shortest text that reads back as the same number. */
static void put_double(leat_bytes *out, double value, bool is_float)
{
    char text[40];
    for (int precision = is_float ? 6 : 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        double back = strtod(text, NULL);
        if (is_float ? (float)back == (float)value : back == value) break;
    }
    leat_bytes_text(out, text);
}

void leat_mysql_cell_text(const leat_mysql_cell *cell, leat_bytes *out)
{
    switch (cell->kind) {
    case LEAT_CELL_NULL:
    case LEAT_CELL_ZERO: break;
    case LEAT_CELL_INT: put_decimal(out, cell->number, 0); break;
    case LEAT_CELL_DECIMAL: put_decimal(out, cell->number, cell->scale); break;
    case LEAT_CELL_DOUBLE: put_double(out, cell->real, cell->scale == 4); break;
    case LEAT_CELL_BYTES:
        if (cell->size) leat_bytes_put(out, cell->data, cell->size);
        break;
    case LEAT_CELL_BITS:
        for (size_t i = 0; i < cell->size; i++) {
            for (int bit = 7; bit >= 0; bit--)
                leat_bytes_put_u8(out, (uint8_t)('0' + ((cell->data[i] >> bit) & 1)));
        }
        break;
    case LEAT_CELL_DATE: put_date(out, (int64_t)cell->number); break;
    case LEAT_CELL_TIME: {
        int64_t us = (int64_t)cell->number;
        if (us < 0) leat_bytes_put_u8(out, '-');
        put_clock(out, us < 0 ? -us : us, cell->scale);
        break;
    }
    case LEAT_CELL_DATETIME: put_datetime(out, (int64_t)cell->number, cell->scale); break;
    }
}

/* --- cell → column --- */

static leat_code does_not_fit(const leat_type *type, const leat_mysql_cell *cell, leat_error *error)
{
    leat_bytes name = {0}, value = {0};
    leat_type_print(type, true, &name);
    leat_mysql_cell_text(cell, &value);
    leat_bytes_put_u8(&value, 0);
    leat_code code = leat_fail(error, LEAT_INVALID, "value '%.64s' does not fit %s",
                               value.data ? (char *)value.data : "", name.data ? (char *)name.data : "");
    leat_bytes_done(&name);
    leat_bytes_done(&value);
    return code;
}

static bool rescale(__int128 value, int32_t from, int32_t to, __int128 *out)
{
    for (; from < to; from++) {
        if (__builtin_mul_overflow(value, (__int128)10, &value)) return false;
    }
    if (from > to) { /* rounds half away from zero, as MySQL and Flink do */
        __int128 divisor = 1;
        for (; from > to; from--)
            divisor *= 10;
        __int128 half = divisor / 2, rest = value % divisor;
        value /= divisor;
        if (rest >= half) value++;
        if (-rest >= half) value--;
    }
    *out = value;
    return true;
}

static bool cell_number(const leat_mysql_cell *cell, int32_t scale, __int128 *out)
{
    switch (cell->kind) {
    case LEAT_CELL_INT: return rescale(cell->number, 0, scale, out);
    case LEAT_CELL_DECIMAL: return rescale(cell->number, cell->scale, scale, out);
    case LEAT_CELL_DOUBLE: {
        double value = cell->real;
        for (int32_t i = 0; i < scale; i++)
            value *= 10;
        if (!(fabs(value) < 1e37)) return false;
        *out = (__int128)(value + (value < 0 ? -0.5 : 0.5) * (scale > 0));
        return true;
    }
    case LEAT_CELL_BITS:
        if (cell->size > 8) return false;
        *out = 0;
        for (size_t i = 0; i < cell->size; i++)
            *out = *out << 8 | cell->data[i];
        return true;
    default: return false;
    }
}

static bool cell_real(const leat_mysql_cell *cell, double *out)
{
    if (cell->kind == LEAT_CELL_DOUBLE) {
        *out = cell->real;
        return true;
    }
    __int128 number;
    if (cell->kind != LEAT_CELL_INT && cell->kind != LEAT_CELL_DECIMAL) return false;
    number = cell->number;
    *out = (double)number;
    for (int32_t i = 0; cell->kind == LEAT_CELL_DECIMAL && i < cell->scale; i++)
        *out /= 10;
    return true;
}

static leat_code put_integer(leat_batch_builder *builder, int32_t column, const leat_type *type,
                             const leat_mysql_cell *cell, leat_error *error)
{
    __int128 number;
    if (!cell_number(cell, 0, &number)) return does_not_fit(type, cell, error);
    int bits = type->kind == LEAT_TYPE_TINYINT    ? 8
               : type->kind == LEAT_TYPE_SMALLINT ? 16
               : type->kind == LEAT_TYPE_INT      ? 32
                                                  : 64;
    __int128 limit = (__int128)1 << (bits - 1);
    if (number < -limit || number >= limit) return does_not_fit(type, cell, error);
    int64_t value = (int64_t)number; /* little-endian: the low bytes are the narrow value */
    leat_batch_builder_set_fixed(builder, column, &value);
    return LEAT_OK;
}

static leat_code put_decimal_cell(leat_batch_builder *builder, int32_t column, const leat_type *type,
                                  const leat_mysql_cell *cell, leat_error *error)
{
    __int128 number, limit = 1;
    for (int32_t i = 0; i < type->precision; i++)
        limit *= 10;
    if (!cell_number(cell, type->scale, &number) || number <= -limit || number >= limit) {
        return does_not_fit(type, cell, error);
    }
    leat_batch_builder_set_fixed(builder, column, &number);
    return LEAT_OK;
}

static leat_code put_temporal(leat_batch_builder *builder, int32_t column, const leat_type *type,
                              const leat_mysql_cell *cell, leat_error *error)
{
    int64_t number = (int64_t)cell->number;
    if (type->kind == LEAT_TYPE_DATE) {
        int64_t days = cell->kind == LEAT_CELL_DATETIME ? number / day_us - (number % day_us < 0) : number;
        if (cell->kind != LEAT_CELL_DATE && cell->kind != LEAT_CELL_DATETIME) return does_not_fit(type, cell, error);
        int32_t value = (int32_t)days;
        leat_batch_builder_set_fixed(builder, column, &value);
        return LEAT_OK;
    }
    if (type->kind == LEAT_TYPE_TIME) {
        if (cell->kind != LEAT_CELL_TIME || number < 0 || number >= day_us) {
            leat_code code = does_not_fit(type, cell, error);
            leat_fail_hint(error, "declare the column as STRING: MySQL's TIME runs from -838 to 838 hours");
            return code;
        }
        int32_t value = (int32_t)(number / 1000);
        leat_batch_builder_set_fixed(builder, column, &value);
        return LEAT_OK;
    }
    if (cell->kind == LEAT_CELL_DATE)
        number *= day_us;
    else if (cell->kind != LEAT_CELL_DATETIME)
        return does_not_fit(type, cell, error);
    int64_t unit = 1;
    for (int32_t i = type->precision; i < 6; i++)
        unit *= 10;
    int64_t rest = number % unit;
    number -= rest < 0 ? rest + unit : rest; /* towards the past, as a TIMESTAMP of less precision is */
    leat_batch_builder_set_fixed(builder, column, &number);
    return LEAT_OK;
}

static leat_code put_text(leat_batch_builder *builder, int32_t column, const leat_type *type,
                          const leat_mysql_cell *cell, leat_error *error)
{
    if (cell->kind == LEAT_CELL_BYTES || (cell->kind == LEAT_CELL_BITS && leat_type_is_bytes(type))) {
        return leat_batch_builder_set_bytes(builder, column, cell->data, cell->size, error);
    }
    if (leat_type_is_bytes(type)) return does_not_fit(type, cell, error);
    leat_bytes text = {0};
    leat_mysql_cell_text(cell, &text);
    leat_code code = leat_bytes_check(&text, error);
    if (code == LEAT_OK) code = leat_batch_builder_set_bytes(builder, column, text.data, text.size, error);
    leat_bytes_done(&text);
    return code;
}

static leat_code put_real(leat_batch_builder *builder, int32_t column, const leat_type *type,
                          const leat_mysql_cell *cell, leat_error *error)
{
    double real;
    if (!cell_real(cell, &real)) return does_not_fit(type, cell, error);
    float narrow = (float)real;
    leat_batch_builder_set_fixed(builder, column, type->kind == LEAT_TYPE_FLOAT ? (void *)&narrow : (void *)&real);
    return LEAT_OK;
}

/* 0000-00-00: NULL, or the epoch where NULL is not allowed. */
static leat_code put_zero_date(leat_batch_builder *builder, int32_t column, const leat_type *type,
                               const leat_mysql_cell *cell, leat_error *error)
{
    if (type->nullable) return LEAT_OK;
    static const leat_mysql_cell epoch = {.kind = LEAT_CELL_DATE};
    if (leat_type_is_text(type)) return leat_batch_builder_set_bytes(builder, column, "1970-01-01", 10, error);
    if (type->kind == LEAT_TYPE_TIME) return does_not_fit(type, cell, error);
    return put_temporal(builder, column, type, &epoch, error);
}

leat_code leat_mysql_put_cell(leat_batch_builder *builder, int32_t column, const leat_type *type,
                              const leat_mysql_cell *cell, leat_error *error)
{
    if (cell->kind == LEAT_CELL_NULL) return LEAT_OK; /* begin_row set it so */
    if (cell->kind == LEAT_CELL_ZERO) return put_zero_date(builder, column, type, cell, error);
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: {
        __int128 number;
        if (!cell_number(cell, 0, &number)) return does_not_fit(type, cell, error);
        uint8_t value = number != 0;
        leat_batch_builder_set_fixed(builder, column, &value);
        return LEAT_OK;
    }
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT: return put_integer(builder, column, type, cell, error);
    case LEAT_TYPE_FLOAT:
    case LEAT_TYPE_DOUBLE: return put_real(builder, column, type, cell, error);
    case LEAT_TYPE_DECIMAL: return put_decimal_cell(builder, column, type, cell, error);
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: return put_text(builder, column, type, cell, error);
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME:
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: return put_temporal(builder, column, type, cell, error);
    default: return does_not_fit(type, cell, error);
    }
}

/* --- column → literal --- */

static int64_t integer_at(const leat_type *type, const leat_column *column, int32_t row)
{
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN:
    case LEAT_TYPE_TINYINT: return ((const int8_t *)column->values)[row];
    case LEAT_TYPE_SMALLINT: return ((const int16_t *)column->values)[row];
    case LEAT_TYPE_INT:
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME: return ((const int32_t *)column->values)[row];
    default: return ((const int64_t *)column->values)[row];
    }
}

static leat_code put_real_literal(leat_bytes *sql, double value, bool is_float, leat_error *error)
{
    if (!isfinite(value)) {
        return leat_fail(error, LEAT_INVALID, "MySQL has no %s", isnan(value) ? "NaN" : "infinity");
    }
    put_double(sql, value, is_float);
    return LEAT_OK;
}

leat_code leat_mysql_put_literal(leat_bytes *sql, const leat_type *type, const leat_column *column, int32_t row,
                                 leat_error *error)
{
    if (leat_column_is_null(column, row)) {
        leat_bytes_text(sql, "NULL");
        return LEAT_OK;
    }
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN:
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT: put_decimal(sql, integer_at(type, column, row), 0); break;
    case LEAT_TYPE_FLOAT: return put_real_literal(sql, ((const float *)column->values)[row], true, error);
    case LEAT_TYPE_DOUBLE: return put_real_literal(sql, ((const double *)column->values)[row], false, error);
    case LEAT_TYPE_DECIMAL: put_decimal(sql, ((const __int128 *)column->values)[row], type->scale); break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: {
        const leat_view *view = (const leat_view *)column->values + row;
        const char *data = leat_view_data(column, view);
        if (leat_type_is_text(type))
            leat_mysql_put_text(sql, data, (size_t)view->length);
        else
            leat_mysql_put_hex(sql, data, (size_t)view->length);
        break;
    }
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME:
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: {
        int64_t value = integer_at(type, column, row);
        leat_bytes_put_u8(sql, '\'');
        if (type->kind == LEAT_TYPE_DATE)
            put_date(sql, value);
        else if (type->kind == LEAT_TYPE_TIME)
            put_clock(sql, value * 1000, 3);
        else
            put_datetime(sql, value, 6);
        leat_bytes_put_u8(sql, '\'');
        break;
    }
    default: return leat_fail(error, LEAT_UNSUPPORTED, "the jdbc connector can't write values of this type");
    }
    return LEAT_OK;
}
