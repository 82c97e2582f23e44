/* NOT, IS [NOT] NULL / TRUE / FALSE. A NULL's value byte is 0. */
#include "columnar/kernels.h"

static leat_code not_vector(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    const int8_t *restrict in = call->operands[0].column->values;
    int8_t *restrict out = call->values;
    int32_t rows = call->rows;
    for (int32_t i = 0; i < rows; i++)
        out[i] = in[i] ^ 1;
    return LEAT_OK;
}

static void fill_validity(leat_kernel_call *call, int8_t when_null)
{
    const leat_operand *in = &call->operands[0];
    int8_t *out = call->values;
    int8_t when_value = when_null ^ 1;
    if (!in->column->validity) {
        memset(out, when_value, (size_t)call->rows);
        return;
    }
    for (int32_t i = 0; i < call->rows; i++)
        out[i] = leat_operand_is_null(in, i) ? when_null : when_value;
}

static leat_code is_null_vector(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    fill_validity(call, 1);
    return LEAT_OK;
}

static leat_code is_not_null_vector(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    fill_validity(call, 0);
    return LEAT_OK;
}

/* out = (value is `wanted` and not NULL) xor `negated`. */
static void fill_truth(leat_kernel_call *call, int8_t wanted, int8_t negated)
{
    const leat_operand *in = &call->operands[0];
    const int8_t *values = in->column->values;
    int8_t *out = call->values;
    for (int32_t i = 0; i < call->rows; i++) {
        bool is_so = values[leat_operand_row(in, i)] == wanted && !leat_operand_is_null(in, i);
        out[i] = (int8_t)(is_so ^ negated);
    }
}

#define TRUTH(name, wanted, negated)                                                                                   \
    static leat_code name##_vector(leat_kernel_call *call, leat_error *error)                                          \
    {                                                                                                                  \
        (void)error;                                                                                                   \
        fill_truth(call, wanted, negated);                                                                             \
        return LEAT_OK;                                                                                                \
    }
TRUTH(is_true, 1, 0)
TRUTH(is_not_true, 1, 1)
TRUTH(is_false, 0, 0)
TRUTH(is_not_false, 0, 1)

#define SELECT(name)                                                                                                   \
    leat_kernel_choice leat_select_##name(const leat_type *arguments, int32_t count, const leat_type *result)          \
    {                                                                                                                  \
        (void)arguments;                                                                                               \
        (void)count;                                                                                                   \
        (void)result;                                                                                                  \
        return (leat_kernel_choice){.run = name##_vector, .is_vector = true};                                          \
    }
SELECT(not )
SELECT(is_null)
SELECT(is_not_null)
SELECT(is_true)
SELECT(is_not_true)
SELECT(is_false)
SELECT(is_not_false)
