/* + − × ÷ % and the unary minus. Integers wrap; an integer or decimal divided by zero fails on its row; a decimal that
 * does not fit becomes NULL. */
#include <math.h>

#include "columnar/decimal.h"
#include "columnar/kernels.h"

static const leat_kernel_choice none = {0};

/* Sketch: two loads and a store a value, auto-vectorised: memory-bound, about 0.2 ns an INT in L2. */
#define VECTOR_BINARY(name, ctype, wide, op)                                                                           \
    static leat_code name##_##ctype(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        const leat_operand *a = &call->operands[0], *b = &call->operands[1];                                           \
        const ctype *restrict left = a->column->values, *restrict right = b->column->values;                           \
        ctype *restrict out = call->values;                                                                            \
        int32_t rows = call->rows;                                                                                     \
        if (a->is_constant) {                                                                                          \
            wide fixed = (wide)left[0];                                                                                \
            for (int32_t i = 0; i < rows; i++)                                                                         \
                out[i] = (ctype)(fixed op(wide) right[i]);                                                             \
        } else if (b->is_constant) {                                                                                   \
            wide fixed = (wide)right[0];                                                                               \
            for (int32_t i = 0; i < rows; i++)                                                                         \
                out[i] = (ctype)((wide)left[i] op fixed);                                                              \
        } else {                                                                                                       \
            for (int32_t i = 0; i < rows; i++)                                                                         \
                out[i] = (ctype)((wide)left[i] op(wide) right[i]);                                                     \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }

#define VECTOR_ARITHMETIC(name, op)                                                                                    \
    VECTOR_BINARY(name, int8_t, int32_t, op)                                                                           \
    VECTOR_BINARY(name, int16_t, int32_t, op)                                                                          \
    VECTOR_BINARY(name, int32_t, uint32_t, op)                                                                         \
    VECTOR_BINARY(name, int64_t, uint64_t, op)                                                                         \
    VECTOR_BINARY(name, float, float, op)                                                                              \
    VECTOR_BINARY(name, double, double, op)

VECTOR_ARITHMETIC(add, +)
VECTOR_ARITHMETIC(subtract, -)
VECTOR_ARITHMETIC(multiply, *)
VECTOR_BINARY(divide, float, float, /)
VECTOR_BINARY(divide, double, double, /)

/* Operands have their own scales; integer operands were cast to decimals. */
#define DECIMAL_BINARY(name)                                                                                           \
    static leat_code name##_decimal(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        const leat_operand *a = &call->operands[0], *b = &call->operands[1];                                           \
        __int128 *out = call->values;                                                                                  \
        for (int32_t i = 0; i < call->active_count; i++) {                                                             \
            int32_t row = call->active[i];                                                                             \
            bool fits = leat_decimal_##name(LEAT_AT(__int128, a, row), a->type->scale, LEAT_AT(__int128, b, row),      \
                                            b->type->scale, call->type->precision, call->type->scale, &out[row]);      \
            if (!fits) leat_call_set_null(call, row);                                                                  \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }
DECIMAL_BINARY(add)
DECIMAL_BINARY(multiply)

static leat_code subtract_decimal(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const leat_operand *a = &call->operands[0], *b = &call->operands[1];
    __int128 *out = call->values;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        bool fits = leat_decimal_add(LEAT_AT(__int128, a, row), a->type->scale, -LEAT_AT(__int128, b, row),
                                     b->type->scale, call->type->precision, call->type->scale, &out[row]);
        if (!fits) leat_call_set_null(call, row);
    }
    return LEAT_OK;
}

static leat_code fail_zero(leat_error *error)
{
    return leat_fail(error, LEAT_INVALID, "/ by zero");
}

#define DECIMAL_DIVISION(name)                                                                                         \
    static leat_code name##_decimal(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        const leat_operand *a = &call->operands[0], *b = &call->operands[1];                                           \
        __int128 *out = call->values;                                                                                  \
        for (int32_t i = 0; i < call->active_count; i++) {                                                             \
            int32_t row = call->active[i];                                                                             \
            __int128 divisor = LEAT_AT(__int128, b, row);                                                              \
            if (divisor == 0) return fail_zero(error);                                                                 \
            bool fits = leat_decimal_##name(LEAT_AT(__int128, a, row), a->type->scale, divisor, b->type->scale,        \
                                            call->type->precision, call->type->scale, &out[row]);                      \
            if (!fits) leat_call_set_null(call, row);                                                                  \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }
DECIMAL_DIVISION(divide)
DECIMAL_DIVISION(modulo)

/* The least value by −1 wraps, as in Java; unsigned negation has no trap. */
#define INTEGER_DIVISION(ctype, utype)                                                                                 \
    static leat_code divide_##ctype(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        ctype *out = call->values;                                                                                     \
        for (int32_t i = 0; i < call->active_count; i++) {                                                             \
            int32_t row = call->active[i];                                                                             \
            ctype left = LEAT_AT(ctype, &call->operands[0], row), right = LEAT_AT(ctype, &call->operands[1], row);     \
            if (right == 0) return fail_zero(error);                                                                   \
            out[row] = right == -1 ? (ctype)(utype)(0 - (utype)left) : (ctype)(left / right);                          \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }                                                                                                                  \
    static leat_code modulo_##ctype(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        ctype *out = call->values;                                                                                     \
        for (int32_t i = 0; i < call->active_count; i++) {                                                             \
            int32_t row = call->active[i];                                                                             \
            ctype left = LEAT_AT(ctype, &call->operands[0], row), right = LEAT_AT(ctype, &call->operands[1], row);     \
            if (right == 0) return fail_zero(error);                                                                   \
            out[row] = right == -1 ? 0 : (ctype)(left % right);                                                        \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }
INTEGER_DIVISION(int8_t, uint8_t)
INTEGER_DIVISION(int16_t, uint16_t)
INTEGER_DIVISION(int32_t, uint32_t)
INTEGER_DIVISION(int64_t, uint64_t)

#define VECTOR_NEGATE(ctype, wide)                                                                                     \
    static leat_code negate_##ctype(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        const ctype *restrict in = call->operands[0].column->values;                                                   \
        ctype *restrict out = call->values;                                                                            \
        int32_t rows = call->rows;                                                                                     \
        for (int32_t i = 0; i < rows; i++)                                                                             \
            out[i] = (ctype)(-(wide)in[i]);                                                                            \
        return LEAT_OK;                                                                                                \
    }
VECTOR_NEGATE(int8_t, int32_t)
VECTOR_NEGATE(int16_t, int32_t)
VECTOR_NEGATE(int32_t, uint32_t)
VECTOR_NEGATE(int64_t, uint64_t)
VECTOR_NEGATE(float, float)
VECTOR_NEGATE(double, double)

static leat_code negate_decimal(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    __int128 *out = call->values;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        out[row] = -LEAT_AT(__int128, &call->operands[0], row);
    }
    return LEAT_OK;
}

#define SELECT_VECTOR(name, kernel)                                                                                    \
    leat_kernel_choice leat_select_##name(const leat_type *arguments, int32_t count, const leat_type *result)          \
    {                                                                                                                  \
        (void)arguments;                                                                                               \
        (void)count;                                                                                                   \
        switch (result->kind) {                                                                                        \
        case LEAT_TYPE_TINYINT: return (leat_kernel_choice){.run = kernel##_int8_t, .is_vector = true};                \
        case LEAT_TYPE_SMALLINT: return (leat_kernel_choice){.run = kernel##_int16_t, .is_vector = true};              \
        case LEAT_TYPE_INT:                                                                                            \
        case LEAT_TYPE_INTERVAL_YEAR_MONTH: return (leat_kernel_choice){.run = kernel##_int32_t, .is_vector = true};   \
        case LEAT_TYPE_BIGINT:                                                                                         \
        case LEAT_TYPE_INTERVAL_DAY_TIME: return (leat_kernel_choice){.run = kernel##_int64_t, .is_vector = true};     \
        case LEAT_TYPE_FLOAT: return (leat_kernel_choice){.run = kernel##_float, .is_vector = true};                   \
        case LEAT_TYPE_DOUBLE: return (leat_kernel_choice){.run = kernel##_double, .is_vector = true};                 \
        case LEAT_TYPE_DECIMAL: return (leat_kernel_choice){.run = kernel##_decimal};                                  \
        default: return none;                                                                                          \
        }                                                                                                              \
    }
SELECT_VECTOR(add, add)
SELECT_VECTOR(subtract, subtract)
SELECT_VECTOR(multiply, multiply)
SELECT_VECTOR(negate, negate)

leat_kernel_choice leat_select_divide(const leat_type *arguments, int32_t count, const leat_type *result)
{
    (void)arguments;
    (void)count;
    switch (result->kind) {
    case LEAT_TYPE_TINYINT: return (leat_kernel_choice){.run = divide_int8_t, .can_fail = true};
    case LEAT_TYPE_SMALLINT: return (leat_kernel_choice){.run = divide_int16_t, .can_fail = true};
    case LEAT_TYPE_INT: return (leat_kernel_choice){.run = divide_int32_t, .can_fail = true};
    case LEAT_TYPE_BIGINT: return (leat_kernel_choice){.run = divide_int64_t, .can_fail = true};
    case LEAT_TYPE_FLOAT: return (leat_kernel_choice){.run = divide_float, .is_vector = true};
    case LEAT_TYPE_DOUBLE: return (leat_kernel_choice){.run = divide_double, .is_vector = true};
    case LEAT_TYPE_DECIMAL: return (leat_kernel_choice){.run = divide_decimal, .can_fail = true};
    default: return none;
    }
}

/* Operands of two types: the result has the divisor's, which holds every rest. */
static leat_code modulo_mixed(leat_kernel_call *call, leat_error *error)
{
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        int64_t left = leat_operand_integer(&call->operands[0], row),
                right = leat_operand_integer(&call->operands[1], row);
        if (right == 0) return fail_zero(error);
        int64_t rest = right == -1 ? 0 : left % right;
        switch (call->type->kind) {
        case LEAT_TYPE_TINYINT: ((int8_t *)call->values)[row] = (int8_t)rest; break;
        case LEAT_TYPE_SMALLINT: ((int16_t *)call->values)[row] = (int16_t)rest; break;
        case LEAT_TYPE_INT: ((int32_t *)call->values)[row] = (int32_t)rest; break;
        default: ((int64_t *)call->values)[row] = rest;
        }
    }
    return LEAT_OK;
}

leat_kernel_choice leat_select_modulo(const leat_type *arguments, int32_t count, const leat_type *result)
{
    (void)count;
    if (result->kind == LEAT_TYPE_DECIMAL) return (leat_kernel_choice){.run = modulo_decimal, .can_fail = true};
    if (arguments[0].kind != arguments[1].kind) return (leat_kernel_choice){.run = modulo_mixed, .can_fail = true};
    switch (result->kind) {
    case LEAT_TYPE_TINYINT: return (leat_kernel_choice){.run = modulo_int8_t, .can_fail = true};
    case LEAT_TYPE_SMALLINT: return (leat_kernel_choice){.run = modulo_int16_t, .can_fail = true};
    case LEAT_TYPE_INT: return (leat_kernel_choice){.run = modulo_int32_t, .can_fail = true};
    case LEAT_TYPE_BIGINT: return (leat_kernel_choice){.run = modulo_int64_t, .can_fail = true};
    default: return none;
    }
}
