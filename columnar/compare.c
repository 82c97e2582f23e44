/* Comparisons, IN, GREATEST, LEAST. NaN equals itself and is greater than every number; text compares by its bytes;
 * decimals of different scales by value. */
#include "columnar/compare.h"

#include "columnar/decimal.h"
#include "columnar/kernels.h"

#define ORDER(ctype, expression)                                                                                       \
    static int order_##ctype(const leat_operand *a, int32_t i, const leat_operand *b, int32_t j)                       \
    {                                                                                                                  \
        ctype left = LEAT_AT(ctype, a, i), right = LEAT_AT(ctype, b, j);                                               \
        return expression;                                                                                             \
    }
ORDER(int8_t, (left > right) - (left < right))
ORDER(int16_t, (left > right) - (left < right))
ORDER(int32_t, (left > right) - (left < right))
ORDER(int64_t, (left > right) - (left < right))
ORDER(float, left == right ? 0 : left < right ? -1 : left > right ? 1 : (left != left) - (right != right))
ORDER(double, left == right ? 0 : left < right ? -1 : left > right ? 1 : (left != left) - (right != right))

static int order_decimal(const leat_operand *a, int32_t i, const leat_operand *b, int32_t j)
{
    return leat_decimal_compare(LEAT_AT(__int128, a, i), a->type->scale, LEAT_AT(__int128, b, j), b->type->scale);
}

static int order_text(const leat_operand *a, int32_t i, const leat_operand *b, int32_t j)
{
    leat_text left = leat_operand_text(a, i), right = leat_operand_text(b, j);
    int order = memcmp(left.data, right.data, (size_t)(left.length < right.length ? left.length : right.length));
    if (order == 0) order = (left.length > right.length) - (left.length < right.length);
    return (order > 0) - (order < 0);
}

leat_order leat_order_of(const leat_type *type)
{
    switch (leat_type_layout(type)) {
    case LEAT_LAYOUT_8: return order_int8_t;
    case LEAT_LAYOUT_16: return order_int16_t;
    case LEAT_LAYOUT_32: return type->kind == LEAT_TYPE_FLOAT ? order_float : order_int32_t;
    case LEAT_LAYOUT_64: return type->kind == LEAT_TYPE_DOUBLE ? order_double : order_int64_t;
    case LEAT_LAYOUT_128: return order_decimal;
    case LEAT_LAYOUT_VIEW: return order_text;
    }
    return order_int8_t;
}

/* For integers and dates: a byte a row, auto-vectorised. */
#define VECTOR_COMPARE(name, ctype, op)                                                                                \
    static leat_code name##_##ctype(leat_kernel_call *call, leat_error *error)                                         \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        const leat_operand *a = &call->operands[0], *b = &call->operands[1];                                           \
        const ctype *restrict left = a->column->values, *restrict right = b->column->values;                           \
        int8_t *restrict out = call->values;                                                                           \
        int32_t rows = call->rows;                                                                                     \
        if (a->is_constant) {                                                                                          \
            ctype fixed = left[0];                                                                                     \
            for (int32_t i = 0; i < rows; i++)                                                                         \
                out[i] = fixed op right[i];                                                                            \
        } else if (b->is_constant) {                                                                                   \
            ctype fixed = right[0];                                                                                    \
            for (int32_t i = 0; i < rows; i++)                                                                         \
                out[i] = left[i] op fixed;                                                                             \
        } else {                                                                                                       \
            for (int32_t i = 0; i < rows; i++)                                                                         \
                out[i] = left[i] op right[i];                                                                          \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }

/* For the rest: through the order of two values. */
#define ROW_COMPARE(name, op)                                                                                          \
    static leat_code name##_row(leat_kernel_call *call, leat_error *error)                                             \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        const leat_operand *a = &call->operands[0], *b = &call->operands[1];                                           \
        leat_order order = leat_order_of(a->type);                                                                     \
        int8_t *out = call->values;                                                                                    \
        for (int32_t i = 0; i < call->active_count; i++) {                                                             \
            int32_t row = call->active[i];                                                                             \
            out[row] = order(a, row, b, row) op 0;                                                                     \
        }                                                                                                              \
        return LEAT_OK;                                                                                                \
    }

#define COMPARE(name, op)                                                                                              \
    VECTOR_COMPARE(name, int8_t, op)                                                                                   \
    VECTOR_COMPARE(name, int16_t, op)                                                                                  \
    VECTOR_COMPARE(name, int32_t, op)                                                                                  \
    VECTOR_COMPARE(name, int64_t, op)                                                                                  \
    ROW_COMPARE(name, op)                                                                                              \
    leat_kernel_choice leat_select_##name(const leat_type *arguments, int32_t count, const leat_type *result)          \
    {                                                                                                                  \
        (void)count;                                                                                                   \
        (void)result;                                                                                                  \
        bool is_real = arguments[0].kind == LEAT_TYPE_FLOAT || arguments[0].kind == LEAT_TYPE_DOUBLE;                  \
        if (is_real) return (leat_kernel_choice){.run = name##_row};                                                   \
        switch (leat_type_layout(&arguments[0])) {                                                                     \
        case LEAT_LAYOUT_8: return (leat_kernel_choice){.run = name##_int8_t, .is_vector = true};                      \
        case LEAT_LAYOUT_16: return (leat_kernel_choice){.run = name##_int16_t, .is_vector = true};                    \
        case LEAT_LAYOUT_32: return (leat_kernel_choice){.run = name##_int32_t, .is_vector = true};                    \
        case LEAT_LAYOUT_64: return (leat_kernel_choice){.run = name##_int64_t, .is_vector = true};                    \
        case LEAT_LAYOUT_128:                                                                                          \
        case LEAT_LAYOUT_VIEW: break;                                                                                  \
        }                                                                                                              \
        return (leat_kernel_choice){.run = name##_row};                                                                \
    }
COMPARE(equal, ==)
COMPARE(not_equal, !=)
COMPARE(less, <)
COMPARE(less_equal, <=)
COMPARE(greater, >)
COMPARE(greater_equal, >=)

static void fill_distinct(leat_kernel_call *call, bool answer)
{
    const leat_operand *a = &call->operands[0], *b = &call->operands[1];
    leat_order order = leat_order_of(a->type);
    int8_t *out = call->values;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        bool left = leat_operand_is_null(a, row), right = leat_operand_is_null(b, row);
        bool is_distinct = left || right ? left != right : order(a, row, b, row) != 0;
        out[row] = is_distinct == answer;
    }
}

static leat_code distinct_row(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    fill_distinct(call, true);
    return LEAT_OK;
}

static leat_code not_distinct_row(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    fill_distinct(call, false);
    return LEAT_OK;
}

/* TRUE if any equals; else NULL if the value or any element is NULL; else FALSE. */
static leat_code in_row(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const leat_operand *value = &call->operands[0];
    leat_order order = leat_order_of(value->type);
    int8_t *out = call->values;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        bool has_null = leat_operand_is_null(value, row), is_found = false;
        for (int32_t k = 1; !has_null && !is_found && k < call->operands_count; k++) {
            if (leat_operand_is_null(&call->operands[k], row)) continue;
            is_found = order(value, row, &call->operands[k], row) == 0;
        }
        for (int32_t k = 1; !has_null && !is_found && k < call->operands_count; k++) {
            has_null = leat_operand_is_null(&call->operands[k], row);
        }
        out[row] = is_found;
        if (!is_found && has_null) leat_call_set_null(call, row);
    }
    return LEAT_OK;
}

static leat_code copy_value(leat_kernel_call *call, const leat_operand *from, int32_t row, leat_error *error)
{
    leat_layout layout = leat_type_layout(call->type);
    if (layout == LEAT_LAYOUT_VIEW) {
        leat_text text = leat_operand_text(from, row);
        return leat_call_set_text(call, row, text.data, (size_t)text.length, error);
    }
    size_t width = leat_layout_bytes(layout);
    memcpy((uint8_t *)call->values + (size_t)row * width,
           (const uint8_t *)from->column->values + (size_t)leat_operand_row(from, row) * width, width);
    return LEAT_OK;
}

static leat_code pick(leat_kernel_call *call, int sign, leat_error *error)
{
    leat_order order = leat_order_of(call->operands[0].type);
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        const leat_operand *best = &call->operands[0];
        for (int32_t k = 1; k < call->operands_count; k++) {
            if (order(&call->operands[k], row, best, row) * sign > 0) best = &call->operands[k];
        }
        LEAT_TRY(copy_value(call, best, row, error));
    }
    return LEAT_OK;
}

static leat_code greatest_row(leat_kernel_call *call, leat_error *error)
{
    return pick(call, 1, error);
}

static leat_code least_row(leat_kernel_call *call, leat_error *error)
{
    return pick(call, -1, error);
}

LEAT_SELECT(distinct, .run = distinct_row)
LEAT_SELECT(not_distinct, .run = not_distinct_row)
LEAT_SELECT(in, .run = in_row)
LEAT_SELECT(greatest, .run = greatest_row)
LEAT_SELECT(least, .run = least_row)
