/* ABS, SIGN, FLOOR, CEIL, ROUND, TRUNCATE by type, and functions of DOUBLE (their operands were cast). */
#include <math.h>

#include "columnar/decimal.h"
#include "columnar/kernels.h"

#define ROWS(call) for (int32_t i_ = 0, row; i_ < (call)->active_count && (row = (call)->active[i_], true); i_++)

/* Widest form of a row's number; DECIMALs have their own paths. */
#define PER_TYPE(call, MACRO)                                                                                          \
    switch ((call)->type->kind) {                                                                                      \
    case LEAT_TYPE_TINYINT: MACRO(int8_t) break;                                                                       \
    case LEAT_TYPE_SMALLINT: MACRO(int16_t) break;                                                                     \
    case LEAT_TYPE_INT: MACRO(int32_t) break;                                                                          \
    case LEAT_TYPE_BIGINT: MACRO(int64_t) break;                                                                       \
    case LEAT_TYPE_FLOAT: MACRO(float) break;                                                                          \
    case LEAT_TYPE_DOUBLE: MACRO(double) break;                                                                        \
    default: break;                                                                                                    \
    }

static leat_code abs_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const leat_operand *in = &call->operands[0];
#define ABS(ctype)                                                                                                     \
    ROWS(call)                                                                                                         \
    {                                                                                                                  \
        ctype value = LEAT_AT(ctype, in, row);                                                                         \
        ((ctype *)call->values)[row] = value < 0 ? (ctype)(0 - (uint64_t)(int64_t)value) : value;                      \
    }
#define ABS_REAL(ctype) ROWS(call)((ctype *)call->values)[row] = (ctype)fabs((double)LEAT_AT(ctype, in, row));
    switch (call->type->kind) {
    case LEAT_TYPE_TINYINT: ABS(int8_t) break;
    case LEAT_TYPE_SMALLINT: ABS(int16_t) break;
    case LEAT_TYPE_INT: ABS(int32_t) break;
    case LEAT_TYPE_BIGINT: ABS(int64_t) break;
    case LEAT_TYPE_FLOAT: ABS_REAL(float) break;
    case LEAT_TYPE_DOUBLE: ABS_REAL(double) break;
    default:
        ROWS(call)
        {
            __int128 value = LEAT_AT(__int128, in, row);
            ((__int128 *)call->values)[row] = value < 0 ? -value : value;
        }
    }
    return LEAT_OK;
}
LEAT_SELECT(abs, .run = abs_rows)

static leat_code sign_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const leat_operand *in = &call->operands[0];
#define SIGN(ctype)                                                                                                    \
    ROWS(call)                                                                                                         \
    {                                                                                                                  \
        ctype value = LEAT_AT(ctype, in, row);                                                                         \
        ((ctype *)call->values)[row] = (ctype)(value != value ? value : (ctype)((value > 0) - (value < 0)));           \
    }
    PER_TYPE(call, SIGN)
    if (call->type->kind != LEAT_TYPE_DECIMAL) return LEAT_OK;
    __int128 one = leat_decimal_power(call->type->scale);
    ROWS(call)
    {
        __int128 value = LEAT_AT(__int128, in, row);
        ((__int128 *)call->values)[row] = value > 0 ? one : value < 0 ? -one : 0;
    }
    return LEAT_OK;
}
LEAT_SELECT(sign, .run = sign_rows)

/* Towards minus (up: plus) infinity, to an integer at scale 0. */
static __int128 floor_decimal(__int128 value, int32_t scale, bool up)
{
    __int128 unit = leat_decimal_power(scale), quotient = value / unit, rest = value % unit;
    if (rest != 0 && up && value > 0) quotient++;
    if (rest != 0 && !up && value < 0) quotient--;
    return quotient;
}

static leat_code floor_ceil(leat_kernel_call *call, bool up)
{
    const leat_operand *in = &call->operands[0];
    switch (call->type->kind) {
    case LEAT_TYPE_FLOAT:
        ROWS(call)
        {
            float value = LEAT_AT(float, in, row);
            ((float *)call->values)[row] = up ? ceilf(value) : floorf(value);
        }
        break;
    case LEAT_TYPE_DOUBLE:
        ROWS(call)
        {
            double value = LEAT_AT(double, in, row);
            ((double *)call->values)[row] = up ? ceil(value) : floor(value);
        }
        break;
    case LEAT_TYPE_DECIMAL:
        ROWS(call)((__int128 *)call->values)[row] = floor_decimal(LEAT_AT(__int128, in, row), in->type->scale, up);
        break;
    default: {
        size_t width = leat_layout_bytes(leat_type_layout(call->type));
        ROWS(call)
        {
            memcpy((uint8_t *)call->values + (size_t)row * width,
                   (const uint8_t *)in->column->values + (size_t)leat_operand_row(in, row) * width, width);
        }
    }
    }
    return LEAT_OK;
}

static leat_code floor_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    return floor_ceil(call, false);
}
LEAT_SELECT(floor, .run = floor_rows)

static leat_code ceil_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    return floor_ceil(call, true);
}
LEAT_SELECT(ceil, .run = ceil_rows)

/* To `digits` after the point (negative: before it), keeping the value's scale. */
static __int128 round_decimal(__int128 value, int32_t scale, int32_t digits, bool is_cut)
{
    if (digits >= scale) return value;
    if (scale - digits > 38) return 0;
    __int128 unit = leat_decimal_power(scale - digits), rest = value % unit;
    value -= rest;
    __int128 size = rest < 0 ? -rest : rest;
    if (!is_cut && size >= unit - size) value += rest < 0 ? -unit : unit;
    return value;
}

/* Through the shortest decimal text, as BigDecimal.valueOf(double).setScale does. */
static double round_double(double value, int32_t digits, bool is_cut)
{
    if (!isfinite(value) || fabs(value) >= 1e22 || digits > 22) return value;
    if (digits < -22) return 0;
    __int128 decimal;
    int32_t scale = digits > 0 ? digits : 0;
    int32_t wide = scale + 8 > 15 ? 15 : scale + 8; /* enough digits that the first rounding does not decide */
    if (!leat_decimal_from_double(value, 38, wide < scale ? scale : wide, &decimal)) return value;
    wide = wide < scale ? scale : wide;
    return leat_decimal_to_double(round_decimal(decimal, wide, digits, is_cut), wide);
}

static leat_code round_any(leat_kernel_call *call, bool is_cut)
{
    const leat_operand *in = &call->operands[0];
    ROWS(call)
    {
        int32_t digits = call->operands_count > 1 ? LEAT_AT(int32_t, &call->operands[1], row) : 0;
        switch (call->type->kind) {
        case LEAT_TYPE_FLOAT:
            ((float *)call->values)[row] = (float)round_double((double)LEAT_AT(float, in, row), digits, is_cut);
            break;
        case LEAT_TYPE_DOUBLE:
            ((double *)call->values)[row] = round_double(LEAT_AT(double, in, row), digits, is_cut);
            break;
        case LEAT_TYPE_TINYINT:
            ((int8_t *)call->values)[row] = (int8_t)round_decimal(LEAT_AT(int8_t, in, row), 0, digits, is_cut);
            break;
        case LEAT_TYPE_SMALLINT:
            ((int16_t *)call->values)[row] = (int16_t)round_decimal(LEAT_AT(int16_t, in, row), 0, digits, is_cut);
            break;
        case LEAT_TYPE_INT:
            ((int32_t *)call->values)[row] = (int32_t)round_decimal(LEAT_AT(int32_t, in, row), 0, digits, is_cut);
            break;
        case LEAT_TYPE_BIGINT:
            ((int64_t *)call->values)[row] = (int64_t)round_decimal(LEAT_AT(int64_t, in, row), 0, digits, is_cut);
            break;
        default: {
            __int128 rounded = round_decimal(LEAT_AT(__int128, in, row), in->type->scale, digits, is_cut);
            __int128 *out = (__int128 *)call->values + row;
            if (!leat_decimal_rescale(rounded, in->type->scale, call->type->scale, call->type->precision, out)) {
                leat_call_set_null(call, row);
            }
        }
        }
    }
    return LEAT_OK;
}

static leat_code round_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    return round_any(call, false);
}
LEAT_SELECT(round, .run = round_rows)

static leat_code truncate_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    return round_any(call, true);
}
LEAT_SELECT(truncate, .run = truncate_rows)

#define OF_DOUBLE(name, expression)                                                                                    \
    static leat_code name##_rows(leat_kernel_call *call, leat_error *error)                                            \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        ROWS(call)                                                                                                     \
        {                                                                                                              \
            double x = LEAT_AT(double, &call->operands[0], row);                                                       \
            ((double *)call->values)[row] = expression;                                                                \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }                                                                                                                  \
    LEAT_SELECT(name, .run = name##_rows)
OF_DOUBLE(sqrt, sqrt(x))
OF_DOUBLE(exp, exp(x))
OF_DOUBLE(ln, log(x))
OF_DOUBLE(log10, log10(x))
OF_DOUBLE(log2, log(x) / log(2))
OF_DOUBLE(sin, sin(x))
OF_DOUBLE(cos, cos(x))
OF_DOUBLE(tan, tan(x))
OF_DOUBLE(cot, 1 / tan(x))
OF_DOUBLE(asin, asin(x))
OF_DOUBLE(acos, acos(x))
OF_DOUBLE(atan, atan(x))
OF_DOUBLE(sinh, sinh(x))
OF_DOUBLE(cosh, cosh(x))
OF_DOUBLE(tanh, tanh(x))
OF_DOUBLE(degrees, x *(180 / M_PI))
OF_DOUBLE(radians, x / 180 * M_PI)

#define OF_TWO(name, expression)                                                                                       \
    static leat_code name##_rows(leat_kernel_call *call, leat_error *error)                                            \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        ROWS(call)                                                                                                     \
        {                                                                                                              \
            double x = LEAT_AT(double, &call->operands[0], row), y = LEAT_AT(double, &call->operands[1], row);         \
            ((double *)call->values)[row] = expression;                                                                \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }                                                                                                                  \
    LEAT_SELECT(name, .run = name##_rows)
OF_TWO(power, pow(x, y))
OF_TWO(atan2, atan2(x, y))

static leat_code log_base_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    ROWS(call)
    {
        double base = LEAT_AT(double, &call->operands[0], row), x = LEAT_AT(double, &call->operands[1], row);
        ((double *)call->values)[row] = log(x) / log(base);
    }
    return LEAT_OK;
}

leat_kernel_choice leat_select_log(const leat_type *arguments, int32_t count, const leat_type *result)
{
    (void)arguments;
    (void)result;
    return (leat_kernel_choice){.run = count == 1 ? ln_rows : log_base_rows};
}

static leat_code fill_constant(leat_kernel_call *call, double value)
{
    ROWS(call)((double *)call->values)[row] = value;
    return LEAT_OK;
}

static leat_code pi_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    return fill_constant(call, M_PI);
}
LEAT_SELECT(pi, .run = pi_rows)

static leat_code e_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    return fill_constant(call, M_E);
}
LEAT_SELECT(e, .run = e_rows)
