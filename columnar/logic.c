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

LEAT_SELECT(not, .run = not_vector, .is_vector = true)
LEAT_SELECT(is_null, .run = is_null_vector, .is_vector = true)
LEAT_SELECT(is_not_null, .run = is_not_null_vector, .is_vector = true)
LEAT_SELECT(is_true, .run = is_true_vector, .is_vector = true)
LEAT_SELECT(is_not_true, .run = is_not_true_vector, .is_vector = true)
LEAT_SELECT(is_false, .run = is_false_vector, .is_vector = true)
LEAT_SELECT(is_not_false, .run = is_not_false_vector, .is_vector = true)
