/* Values between columns, BinaryRows and text; their order. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "paimon/binary_row.h"

void leat_paimon_value_of_column(const leat_column *column, int32_t row, const leat_type *type, leat_paimon_value *out)
{
    *out = (leat_paimon_value){.is_null = leat_column_is_null(column, row)};
    if (out->is_null) return;
    switch (column->layout) {
    case LEAT_LAYOUT_8: out->integer = ((const int8_t *)column->values)[row]; break;
    case LEAT_LAYOUT_16: out->integer = ((const int16_t *)column->values)[row]; break;
    case LEAT_LAYOUT_32:
        if (type->kind == LEAT_TYPE_FLOAT)
            out->real = ((const float *)column->values)[row];
        else
            out->integer = ((const int32_t *)column->values)[row];
        break;
    case LEAT_LAYOUT_64:
        if (type->kind == LEAT_TYPE_DOUBLE)
            out->number = ((const double *)column->values)[row];
        else
            out->integer = ((const int64_t *)column->values)[row];
        break;
    case LEAT_LAYOUT_128: memcpy(&out->decimal, (const char *)column->values + (size_t)row * 16, 16); break;
    case LEAT_LAYOUT_VIEW: {
        const leat_view *view = &((const leat_view *)column->values)[row];
        out->bytes.data = (const uint8_t *)leat_view_data(column, view);
        out->bytes.size = (size_t)view->length;
        break;
    }
    }
}

leat_code leat_paimon_value_to_builder(const leat_paimon_value *value, const leat_type *type,
                                       leat_batch_builder *builder, int32_t column, leat_error *error)
{
    if (value->is_null) return LEAT_OK; /* unset columns are NULL */
    int8_t i8 = (int8_t)value->integer;
    int16_t i16 = (int16_t)value->integer;
    int32_t i32 = (int32_t)value->integer;
    switch (leat_type_layout(type)) {
    case LEAT_LAYOUT_8: leat_batch_builder_set_fixed(builder, column, &i8); break;
    case LEAT_LAYOUT_16: leat_batch_builder_set_fixed(builder, column, &i16); break;
    case LEAT_LAYOUT_32:
        leat_batch_builder_set_fixed(builder, column,
                                     type->kind == LEAT_TYPE_FLOAT ? (const void *)&value->real : (const void *)&i32);
        break;
    case LEAT_LAYOUT_64:
        leat_batch_builder_set_fixed(builder, column,
                                     type->kind == LEAT_TYPE_DOUBLE ? (const void *)&value->number
                                                                    : (const void *)&value->integer);
        break;
    case LEAT_LAYOUT_128: leat_batch_builder_set_fixed(builder, column, &value->decimal); break;
    case LEAT_LAYOUT_VIEW:
        return leat_batch_builder_set_bytes(builder, column, value->bytes.data, value->bytes.size, error);
    }
    return LEAT_OK;
}

void leat_binary_row_from_batch(const leat_batch *batch, int32_t row, const int32_t *columns, const leat_type *types,
                                int32_t columns_count, bool with_arity, leat_bytes *out)
{
    leat_binary_row_writer writer;
    leat_binary_row_begin(&writer, out, columns_count, with_arity);
    for (int32_t i = 0; i < columns_count; i++) {
        leat_paimon_value value;
        leat_paimon_value_of_column(&batch->columns[columns[i]], row, &types[i], &value);
        leat_binary_row_set(&writer, i, &types[i], &value);
    }
}

#define COMPARE(left, right) (((left) > (right)) - ((left) < (right)))

/* As Java's Float.compare and Double.compare: -0.0 before 0.0, NaN last and equal to itself. */
static int compare_floats(double left, double right)
{
    if (isnan(left) || isnan(right)) return COMPARE(isnan(left) != 0, isnan(right) != 0);
    if (left != right) return COMPARE(left, right);
    return COMPARE(signbit(right) != 0, signbit(left) != 0);
}

static int compare_bytes(const leat_paimon_value *left, const leat_paimon_value *right)
{
    size_t shorter = left->bytes.size < right->bytes.size ? left->bytes.size : right->bytes.size;
    int order = shorter ? memcmp(left->bytes.data, right->bytes.data, shorter) : 0;
    return order ? order : COMPARE(left->bytes.size, right->bytes.size);
}

int leat_paimon_value_compare(const leat_type *type, const leat_paimon_value *left, const leat_paimon_value *right)
{
    if (left->is_null || right->is_null) return COMPARE(right->is_null, left->is_null);
    switch (type->kind) {
    case LEAT_TYPE_FLOAT: return compare_floats((double)left->real, (double)right->real);
    case LEAT_TYPE_DOUBLE: return compare_floats(left->number, right->number);
    case LEAT_TYPE_DECIMAL: return COMPARE(left->decimal, right->decimal);
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: return compare_bytes(left, right);
    default: break;
    }
    int order = COMPARE(left->integer, right->integer);
    return order ? order : COMPARE(left->nanos, right->nanos);
}

leat_code leat_binary_row_compare(const uint8_t *left, size_t left_size, const uint8_t *right, size_t right_size,
                                  const leat_type *types, int32_t count, int *out, leat_error *error)
{
    leat_binary_row left_row, right_row;
    LEAT_TRY(leat_binary_row_open(left, left_size, "key", &left_row, error));
    LEAT_TRY(leat_binary_row_open(right, right_size, "key", &right_row, error));
    *out = 0;
    for (int32_t i = 0; i < count && *out == 0; i++) {
        leat_paimon_value left_value, right_value;
        LEAT_TRY(leat_binary_row_get(&left_row, i, &types[i], &left_value, error));
        LEAT_TRY(leat_binary_row_get(&right_row, i, &types[i], &right_value, error));
        *out = leat_paimon_value_compare(&types[i], &left_value, &right_value);
    }
    return LEAT_OK;
}

/* Proleptic Gregorian date of a day number. */
static void civil_of_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void print_date(int64_t days, leat_bytes *out)
{
    int64_t year;
    int month, day;
    civil_of_days(days, &year, &month, &day);
    if (year > 9999) leat_bytes_text(out, "+");
    leat_bytes_format(out, year < 0 ? "%05" PRId64 "-%02d-%02d" : "%04" PRId64 "-%02d-%02d", year, month, day);
}

static void print_timestamp(const leat_type *type, const leat_paimon_value *value, bool as_cast, leat_bytes *out)
{
    enum { SECONDS_A_DAY = 86400 };
    int64_t us = value->integer % 1000000;
    int64_t seconds = value->integer / 1000000;
    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    int64_t of_day = seconds % SECONDS_A_DAY;
    if (of_day < 0) of_day += SECONDS_A_DAY;
    int nanos = (int)us * 1000 + value->nanos;
    int second = (int)(of_day % 60);
    print_date((seconds - of_day) / SECONDS_A_DAY, out);
    leat_bytes_format(out, "%c%02d:%02d", as_cast ? ' ' : 'T', (int)(of_day / 3600), (int)(of_day / 60 % 60));
    if (as_cast) {
        /* As many digits as the precision says, more when they are not zero. */
        leat_bytes_format(out, ":%02d", second);
        char digits[12];
        snprintf(digits, sizeof digits, "%09d", nanos);
        int length = 9;
        while (length > type->precision && digits[length - 1] == '0')
            length--;
        if (length > 0) leat_bytes_format(out, ".%.*s", length, digits);
        return;
    }
    if (second || nanos) leat_bytes_format(out, ":%02d", second);
    if (nanos % 1000000 == 0 && nanos)
        leat_bytes_format(out, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0 && nanos)
        leat_bytes_format(out, ".%06d", nanos / 1000);
    else if (nanos)
        leat_bytes_format(out, ".%09d", nanos);
}

static void print_decimal(const leat_type *type, __int128 value, leat_bytes *out)
{
    char digits[48];
    size_t at = sizeof digits;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    for (int32_t i = 0; rest || i <= type->scale; i++) {
        if (i == type->scale && type->scale) digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (value < 0) digits[--at] = '-';
    leat_bytes_format(out, "%.*s", (int)(sizeof digits - at), digits + at);
}

/* The shortest digits that read back as the same number, laid out as Java does: 1.0, 1.5E10, 1.0E-4. */
static void print_floating(double value, bool is_float, leat_bytes *out)
{
    if (isnan(value))
        leat_bytes_text(out, "NaN");
    else if (isinf(value))
        leat_bytes_text(out, value < 0 ? "-Infinity" : "Infinity");
    else if (value == 0)
        leat_bytes_text(out, signbit(value) ? "-0.0" : "0.0");
    if (isnan(value) || isinf(value) || value == 0) return;
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) break;
    }
    char *exponent_text = strchr(text, 'e');
    int exponent = (int)strtol(exponent_text + 1, NULL, 10);
    *exponent_text = '\0';
    const char *mantissa = text + (text[0] == '-');
    if (value < 0) leat_bytes_text(out, "-");
    bool is_plain = exponent >= -3 && exponent < 7;
    char digits[24];
    int count = 0;
    for (const char *at = mantissa; *at; at++)
        if (*at != '.') digits[count++] = *at;
    if (!is_plain) {
        leat_bytes_format(out, "%c.%.*sE%d", digits[0], count > 1 ? count - 1 : 1, count > 1 ? digits + 1 : "0",
                          exponent);
    } else if (exponent < 0) {
        leat_bytes_format(out, "0.%.*s%.*s", -exponent - 1, "000", count, digits);
    } else {
        while (count <= exponent + 1)
            digits[count++] = '0';
        leat_bytes_format(out, "%.*s.%.*s", exponent + 1, digits, count - exponent - 1, digits + exponent + 1);
    }
}

static void print_time(int64_t ms, int32_t precision, leat_bytes *out)
{
    leat_bytes_format(out, "%02d:%02d:%02d", (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60));
    int rest = (int)(ms % 1000);
    for (int32_t i = 0; i < precision && (i == 0 || rest); i++) {
        leat_bytes_format(out, i ? "%d" : ".%d", rest / 100);
        rest = rest % 100 * 10;
    }
}

void leat_paimon_value_print(const leat_type *type, const leat_paimon_value *value, bool as_cast, leat_bytes *out)
{
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: leat_bytes_text(out, value->integer ? "true" : "false"); break;
    case LEAT_TYPE_FLOAT: print_floating((double)value->real, true, out); break;
    case LEAT_TYPE_DOUBLE: print_floating(value->number, false, out); break;
    case LEAT_TYPE_DECIMAL: print_decimal(type, value->decimal, out); break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY:
        leat_bytes_put(out, value->bytes.data, value->bytes.size);
        leat_bytes_text(out, "");
        break;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: print_timestamp(type, value, as_cast, out); break;
    case LEAT_TYPE_DATE:
        if (as_cast)
            print_date(value->integer, out);
        else
            leat_bytes_format(out, "%" PRId64, value->integer);
        break;
    case LEAT_TYPE_TIME:
        if (as_cast)
            print_time(value->integer, type->precision, out);
        else
            leat_bytes_format(out, "%" PRId64, value->integer);
        break;
    default: leat_bytes_format(out, "%" PRId64, value->integer); break;
    }
}
