/* CAST between numbers and BOOLEAN: vector kernels. Integers wrap; from floating point they saturate (NaN: 0), as
 * Java's conversions; a decimal that does not fit is NULL. The rest is in cast_text.c and cast_time.c. */
#include "columnar/cast.h"

#include <math.h>

#include "columnar/decimal.h"

#define INTEGER_OF_INTEGER(to, x) ((to)(x))
/* Java narrows a float to byte and short through int. */
static inline int32_t int_of_real(double x)
{
    return x != x ? 0 : x >= 2147483647.0 ? INT32_MAX : x <= -2147483648.0 ? INT32_MIN : (int32_t)x;
}
static inline int64_t long_of_real(double x)
{
    return x != x ? 0 : x >= 9223372036854775807.0 ? INT64_MAX : x <= -9223372036854775808.0 ? INT64_MIN : (int64_t)x;
}

#define VECTOR_CAST(from, to, expression)                                                                              \
    static leat_code from##_to_##to(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        const from *restrict in = call->operands[0].column->values;                                                    \
        to *restrict out = call->values;                                                                               \
        int32_t rows = call->rows;                                                                                     \
        for (int32_t i = 0; i < rows; i++) {                                                                           \
            from x = in[i];                                                                                            \
            out[i] = (to)(expression);                                                                                 \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }

#define FROM_INTEGER(from)                                                                                             \
    VECTOR_CAST(from, int8_t, x)                                                                                       \
    VECTOR_CAST(from, int16_t, x)                                                                                      \
    VECTOR_CAST(from, int32_t, x)                                                                                      \
    VECTOR_CAST(from, int64_t, x)                                                                                      \
    VECTOR_CAST(from, float, x)                                                                                        \
    VECTOR_CAST(from, double, x)
#define FROM_REAL(from)                                                                                                \
    VECTOR_CAST(from, int8_t, int_of_real((double)x))                                                                  \
    VECTOR_CAST(from, int16_t, int_of_real((double)x))                                                                 \
    VECTOR_CAST(from, int32_t, int_of_real((double)x))                                                                 \
    VECTOR_CAST(from, int64_t, long_of_real((double)x))                                                                \
    VECTOR_CAST(from, float, x)                                                                                        \
    VECTOR_CAST(from, double, x)
FROM_INTEGER(int8_t)
FROM_INTEGER(int16_t)
FROM_INTEGER(int32_t)
FROM_INTEGER(int64_t)
FROM_REAL(float)
FROM_REAL(double)

#define TO_BOOLEAN(from)                                                                                               \
    static leat_code from##_to_boolean(leat_kernel_call *call, leat_error *error)                                      \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        const from *restrict in = call->operands[0].column->values;                                                    \
        int8_t *restrict out = call->values;                                                                           \
        for (int32_t i = 0; i < call->rows; i++)                                                                       \
            out[i] = in[i] != 0;                                                                                       \
        return LEAT_OK;                                                                                                \
    }
TO_BOOLEAN(int8_t)
TO_BOOLEAN(int16_t)
TO_BOOLEAN(int32_t)
TO_BOOLEAN(int64_t)
TO_BOOLEAN(float)
TO_BOOLEAN(double)

/* --- decimals: row kernels --- */

static leat_code to_decimal(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const leat_operand *in = &call->operands[0];
    __int128 *out = call->values;
    int32_t precision = call->type->precision, scale = call->type->scale;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        bool fits;
        switch (in->type->kind) {
        case LEAT_TYPE_DECIMAL:
            fits = leat_decimal_rescale(LEAT_AT(__int128, in, row), in->type->scale, scale, precision, &out[row]);
            break;
        case LEAT_TYPE_FLOAT:
            fits = leat_decimal_from_double((double)LEAT_AT(float, in, row), precision, scale, &out[row]);
            break;
        case LEAT_TYPE_DOUBLE:
            fits = leat_decimal_from_double(LEAT_AT(double, in, row), precision, scale, &out[row]);
            break;
        default: fits = leat_decimal_rescale(leat_operand_integer(in, row), 0, scale, precision, &out[row]);
        }
        if (!fits) leat_call_set_null(call, row);
    }
    return LEAT_OK;
}

static leat_code from_decimal(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const leat_operand *in = &call->operands[0];
    int32_t scale = in->type->scale;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        __int128 value = LEAT_AT(__int128, in, row);
        switch (call->type->kind) {
        case LEAT_TYPE_BOOLEAN: ((int8_t *)call->values)[row] = value != 0; break;
        case LEAT_TYPE_TINYINT: ((int8_t *)call->values)[row] = (int8_t)leat_decimal_to_i64(value, scale); break;
        case LEAT_TYPE_SMALLINT: ((int16_t *)call->values)[row] = (int16_t)leat_decimal_to_i64(value, scale); break;
        case LEAT_TYPE_INT: ((int32_t *)call->values)[row] = (int32_t)leat_decimal_to_i64(value, scale); break;
        case LEAT_TYPE_BIGINT: ((int64_t *)call->values)[row] = leat_decimal_to_i64(value, scale); break;
        case LEAT_TYPE_FLOAT: ((float *)call->values)[row] = (float)leat_decimal_to_double(value, scale); break;
        default: ((double *)call->values)[row] = leat_decimal_to_double(value, scale);
        }
    }
    return LEAT_OK;
}

/* --- selection --- */

#define VECTOR(kernel) ((leat_kernel_choice){.run = kernel, .is_vector = true})
#define TO_ANY(from)                                                                                                   \
    switch (to->kind) {                                                                                                \
    case LEAT_TYPE_BOOLEAN: return VECTOR(from##_to_boolean);                                                          \
    case LEAT_TYPE_TINYINT: return VECTOR(from##_to_int8_t);                                                           \
    case LEAT_TYPE_SMALLINT: return VECTOR(from##_to_int16_t);                                                         \
    case LEAT_TYPE_INT: return VECTOR(from##_to_int32_t);                                                              \
    case LEAT_TYPE_BIGINT: return VECTOR(from##_to_int64_t);                                                           \
    case LEAT_TYPE_FLOAT: return VECTOR(from##_to_float);                                                              \
    case LEAT_TYPE_DOUBLE: return VECTOR(from##_to_double);                                                            \
    default: return (leat_kernel_choice){.run = to_decimal};                                                           \
    }

static leat_kernel_choice select_number(const leat_type *from, const leat_type *to)
{
    switch (from->kind) {
    case LEAT_TYPE_BOOLEAN:
    case LEAT_TYPE_TINYINT: TO_ANY(int8_t)
    case LEAT_TYPE_SMALLINT: TO_ANY(int16_t)
    case LEAT_TYPE_INT: TO_ANY(int32_t)
    case LEAT_TYPE_BIGINT: TO_ANY(int64_t)
    case LEAT_TYPE_FLOAT: TO_ANY(float)
    case LEAT_TYPE_DOUBLE: TO_ANY(double)
    default: return (leat_kernel_choice){.run = to->kind == LEAT_TYPE_DECIMAL ? to_decimal : from_decimal};
    }
}

leat_kernel_choice leat_cast_select(const leat_type *from, const leat_type *to, bool is_try)
{
    bool from_number = leat_type_is_numeric(from) || from->kind == LEAT_TYPE_BOOLEAN;
    bool to_number = leat_type_is_numeric(to) || to->kind == LEAT_TYPE_BOOLEAN;
    if (from_number && to_number) return select_number(from, to);
    if (leat_type_is_text(from) && leat_cast_is_known(from, to)) return leat_cast_select_from_text(to, is_try);
    if (leat_type_is_text(to) && leat_cast_is_known(from, to)) return leat_cast_select_to_text();
    if (leat_type_is_bytes(from) && leat_type_is_bytes(to)) return leat_cast_select_bytes();
    return leat_cast_select_time(from, to);
}

static bool is_time(leat_type_kind kind)
{
    return kind >= LEAT_TYPE_DATE && kind <= LEAT_TYPE_TIMESTAMP_LTZ;
}

bool leat_cast_is_known(const leat_type *from, const leat_type *to)
{
    if (!leat_type_has_column(from) || !leat_type_has_column(to)) return false;
    if (from->kind == LEAT_TYPE_NULL) return true;
    bool from_number = leat_type_is_numeric(from) || from->kind == LEAT_TYPE_BOOLEAN;
    bool to_number = leat_type_is_numeric(to) || to->kind == LEAT_TYPE_BOOLEAN;
    bool is_interval = to->kind == LEAT_TYPE_INTERVAL_DAY_TIME || to->kind == LEAT_TYPE_INTERVAL_YEAR_MONTH;
    if (leat_type_is_text(to)) return true;
    if (leat_type_is_text(from)) return !is_interval;
    if (from_number) return to_number;
    if (leat_type_is_bytes(from)) return leat_type_is_bytes(to);
    if (is_time(from->kind) && is_time(to->kind)) {
        bool is_date_time = from->kind == LEAT_TYPE_DATE && to->kind == LEAT_TYPE_TIME;
        bool is_time_date = from->kind == LEAT_TYPE_TIME && to->kind == LEAT_TYPE_DATE;
        return !is_date_time && !is_time_date;
    }
    return from->kind == to->kind;
}

bool leat_cast_is_implicit(const leat_type *from, const leat_type *to)
{
    if (from->kind == LEAT_TYPE_NULL) return true;
    if (leat_type_is_numeric(from) && leat_type_is_numeric(to)) return true;
    if (leat_type_is_text(from) && leat_type_is_text(to)) return true;
    if (leat_type_is_bytes(from) && leat_type_is_bytes(to)) return true;
    bool from_stamp = from->kind == LEAT_TYPE_TIMESTAMP || from->kind == LEAT_TYPE_TIMESTAMP_LTZ;
    bool to_stamp = to->kind == LEAT_TYPE_TIMESTAMP || to->kind == LEAT_TYPE_TIMESTAMP_LTZ;
    return (from_stamp && to_stamp) || from->kind == to->kind;
}
