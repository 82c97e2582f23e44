/* CAST from and to text and bytes: row kernels. */
#include <stdio.h>
#include <string.h>

#include "columnar/cast.h"
#include "columnar/decimal.h"
#include "columnar/text.h"
#include "columnar/timezone.h"
#include "columnar/value.h"

static leat_code fail_parse(const leat_type *to, leat_text text, leat_error *error)
{
    int length = text.length > 200 ? 200 : text.length;
    switch (to->kind) {
    case LEAT_TYPE_BOOLEAN: return leat_fail(error, LEAT_INVALID, "Cannot parse '%.*s' as BOOLEAN.", length, text.data);
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT:
        return leat_fail(error, LEAT_INVALID, "For input string: '%.*s'. Invalid character found.", length, text.data);
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME: return leat_fail(error, LEAT_INVALID, "For input string: '%.*s'.", length, text.data);
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ:
        return leat_fail(error, LEAT_INVALID, "Text '%.*s' could not be parsed", length, text.data);
    default: return leat_fail(error, LEAT_INVALID, "For input string: \"%.*s\"", length, text.data);
    }
}

static leat_text trimmed(leat_text text)
{
    while (text.length > 0 && (unsigned char)text.data[0] <= ' ')
        text.data++, text.length--;
    while (text.length > 0 && (unsigned char)text.data[text.length - 1] <= ' ')
        text.length--;
    return text;
}

static int64_t cut_us(int64_t us, int32_t precision)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int64_t unit = units[precision > 6 ? 6 : precision], rest = us % unit;
    return us - (rest < 0 ? rest + unit : rest);
}

/* False: not a value of the type. */
static bool parse_value(leat_kernel_call *call, int32_t row, leat_text text)
{
    int64_t integer = 0;
    bool is_ok;
    switch (call->type->kind) {
    case LEAT_TYPE_BOOLEAN: return leat_boolean_parse(text.data, text.length, (bool *)call->values + row);
    case LEAT_TYPE_TINYINT:
        is_ok = leat_integer_parse(text.data, text.length, INT8_MIN, INT8_MAX, &integer);
        ((int8_t *)call->values)[row] = (int8_t)integer;
        return is_ok;
    case LEAT_TYPE_SMALLINT:
        is_ok = leat_integer_parse(text.data, text.length, INT16_MIN, INT16_MAX, &integer);
        ((int16_t *)call->values)[row] = (int16_t)integer;
        return is_ok;
    case LEAT_TYPE_INT:
        is_ok = leat_integer_parse(text.data, text.length, INT32_MIN, INT32_MAX, &integer);
        ((int32_t *)call->values)[row] = (int32_t)integer;
        return is_ok;
    case LEAT_TYPE_BIGINT:
        return leat_integer_parse(text.data, text.length, INT64_MIN, INT64_MAX, (int64_t *)call->values + row);
    case LEAT_TYPE_FLOAT: return leat_float_parse(text.data, text.length, (float *)call->values + row);
    case LEAT_TYPE_DOUBLE: return leat_double_parse(text.data, text.length, (double *)call->values + row);
    case LEAT_TYPE_DATE: return leat_date_parse(text.data, text.length, (int32_t *)call->values + row);
    case LEAT_TYPE_TIME: is_ok = leat_time_parse(text.data, text.length, (int32_t *)call->values + row); return is_ok;
    default:
        is_ok = leat_timestamp_parse(text.data, text.length, &integer);
        if (is_ok && call->type->kind == LEAT_TYPE_TIMESTAMP_LTZ) integer = leat_zone_to_utc_us(call->zone, integer);
        ((int64_t *)call->values)[row] = is_ok ? cut_us(integer, call->type->precision) : 0;
        return is_ok;
    }
}

static leat_code parse_rows(leat_kernel_call *call, bool is_try, leat_error *error)
{
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        leat_text text = leat_operand_text(&call->operands[0], row);
        bool is_ok;
        if (call->type->kind == LEAT_TYPE_DECIMAL) {
            leat_text number = trimmed(text);
            leat_decimal_result parse = leat_decimal_parse(number.data, number.length, call->type->precision,
                                                           call->type->scale, (__int128 *)call->values + row);
            if (parse == LEAT_DECIMAL_OVERFLOW) leat_call_set_null(call, row);
            is_ok = parse != LEAT_DECIMAL_BAD;
        } else {
            is_ok = parse_value(call, row, text);
        }
        if (is_ok) continue;
        if (!is_try) return fail_parse(call->type, text, error);
        leat_call_set_null(call, row);
    }
    return LEAT_OK;
}

static leat_code cast_text(leat_kernel_call *call, leat_error *error)
{
    return parse_rows(call, false, error);
}

static leat_code try_cast_text(leat_kernel_call *call, leat_error *error)
{
    return parse_rows(call, true, error);
}

static leat_code set_padded(leat_kernel_call *call, int32_t row, const char *data, int32_t length, char pad,
                            leat_error *error)
{
    bool is_bytes = leat_type_is_bytes(call->type);
    int32_t limit = call->type->precision;
    int32_t count = is_bytes                                                   ? length
                    : length <= limit && call->type->kind == LEAT_TYPE_VARCHAR ? 0
                                                                               : leat_utf8_count(data, length);
    if (count > limit) length = is_bytes ? limit : leat_utf8_offset(data, length, limit);
    bool is_fixed = call->type->kind == LEAT_TYPE_CHAR || call->type->kind == LEAT_TYPE_BINARY;
    if (!is_fixed || count >= limit) return leat_call_set_text(call, row, data, (size_t)length, error);
    leat_bytes padded = {0};
    leat_bytes_put(&padded, data, (size_t)length);
    uint8_t *blanks = leat_bytes_extend(&padded, (size_t)(limit - count));
    if (blanks) memset(blanks, pad, (size_t)(limit - count));
    leat_code code = leat_bytes_check(&padded, error);
    if (code == LEAT_OK) code = leat_call_set_text(call, row, padded.data, padded.size, error);
    leat_bytes_done(&padded);
    return code;
}

/* Text and bytes among themselves: cut, or padded for the fixed lengths. */
static leat_code resize_rows(leat_kernel_call *call, leat_error *error)
{
    char pad = leat_type_is_bytes(call->type) ? 0 : ' ';
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        leat_text text = leat_operand_text(&call->operands[0], row);
        LEAT_TRY(set_padded(call, row, text.data, text.length, pad, error));
    }
    return LEAT_OK;
}

static leat_code print_rows(leat_kernel_call *call, leat_error *error)
{
    const leat_operand *in = &call->operands[0];
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        if (leat_type_is_text(in->type) || leat_type_is_bytes(in->type)) {
            leat_text text = leat_operand_text(in, row);
            LEAT_TRY(set_padded(call, row, text.data, text.length, ' ', error));
            continue;
        }
        leat_bytes_reset(call->scratch);
        leat_value_print_in(in->type, in->column, leat_operand_row(in, row), call->zone, call->scratch);
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(set_padded(call, row, (const char *)call->scratch->data, (int32_t)call->scratch->size, ' ', error));
    }
    return LEAT_OK;
}

leat_kernel_choice leat_cast_select_from_text(const leat_type *to, bool is_try)
{
    if (leat_type_is_text(to) || leat_type_is_bytes(to)) return (leat_kernel_choice){.run = resize_rows};
    if (is_try) return (leat_kernel_choice){.run = try_cast_text};
    return (leat_kernel_choice){.run = cast_text, .can_fail = true};
}

leat_kernel_choice leat_cast_select_to_text(void)
{
    return (leat_kernel_choice){.run = print_rows};
}

leat_kernel_choice leat_cast_select_bytes(void)
{
    return (leat_kernel_choice){.run = resize_rows};
}
