/* Between the function table, the kernels and programs; nobody outside columnar/ needs it.
 *
 * A kernel computes one column from some. Operands are whole columns, or constants: one value in row 0 that stands for
 * every row. Two kinds:
 *   vector   plain loops over all rows, selected or not; never fails
 *   row      visits call->active only: rows that are selected and, for strict functions, have no NULL operand
 * The driver (run.c) combines the operands' validity for strict functions and zeroes the values of NULL rows. */
#pragma once

#include "columnar/expr.h"

typedef struct leat_operand {
    const leat_column *column;
    bool is_constant;
    const leat_type *type;
} leat_operand;

typedef struct leat_kernel_call {
    int32_t rows;
    const uint16_t *active;
    int32_t active_count;
    const leat_operand *operands;
    int32_t operands_count;
    const leat_type *type; /* of the result */
    void *values;          /* of the result: rows values, zero where a row kernel does not go */
    uint8_t *validity;     /* of the result, rows bits; bits of NULL operands are clear already */
    bool has_nulls;        /* some bit of validity is clear */
    leat_buffer *heap;     /* of the result's long strings; made when needed */
    size_t heap_used;
    leat_bytes *scratch;
    const leat_program_options *options;
    int64_t *now_ms;              /* of the batch; 0 at first */
    const struct leat_zone *zone; /* of the options; NULL: UTC */
} leat_kernel_call;

typedef leat_code (*leat_kernel)(leat_kernel_call *call, leat_error *error);

typedef struct leat_kernel_choice {
    leat_kernel run;
    bool is_vector;
    bool can_fail;
} leat_kernel_choice;

typedef enum leat_null_rule {
    LEAT_NULLS_STRICT, /* any NULL operand: NULL */
    LEAT_NULLS_OWN,    /* the kernel looks itself */
} leat_null_rule;

/* What a call is compiled to. */
typedef enum leat_function_form {
    LEAT_FORM_KERNEL,
    LEAT_FORM_IF,       /* CASE WHEN a THEN b ELSE c */
    LEAT_FORM_NULLIF,   /* CASE WHEN a = b THEN NULL ELSE a */
    LEAT_FORM_COALESCE, /* COALESCE, IFNULL */
    LEAT_FORM_BETWEEN,  /* a >= b AND a <= c */
} leat_function_form;

enum { LEAT_FUNCTION_DYNAMIC = 1 };

typedef struct leat_function leat_function;
struct leat_function {
    const char *id;
    const char *name; /* upper case, or a sign */
    /* What arguments may be: T text, I INT, L BIGINT, D DOUBLE, N number, B BOOLEAN, A any, C all of one common type;
     * the last one stands for all that follow. NULL: the rule looks itself. Numbers are cast to I, L, D. */
    const char *parameters;
    int32_t arguments_min, arguments_max;
    /* Result type (and casts, where parameters is NULL or has a C), or an error in Flink's words. */
    leat_code (*rule)(const leat_function *self, const leat_type *arguments, int32_t count, leat_function_match *out,
                      leat_error *error);
    leat_kernel_choice (*select)(const leat_type *arguments, int32_t count, const leat_type *result);
    leat_null_rule nulls;
    leat_function_form form;
    int32_t flags;
    const char *signature; /* as errors show it */
    const char *doc;
    const char *example, *answer; /* SQL, and what Flink's client prints for it */
};

extern const leat_function leat_functions[];
extern const int32_t leat_functions_count;
const leat_function *leat_function_by_id(const char *id);

/* Kernel of a cast; run is NULL when there is none. `is_try`: NULL instead of a failure. */
leat_kernel_choice leat_cast_select(const leat_type *from, const leat_type *to, bool is_try);

/* Type as Calcite's messages show it: "INTEGER", "TIMESTAMP_WITH_LOCAL_TIME_ZONE(3)". */
void leat_type_print_calcite(const leat_type *type, leat_bytes *out);

static inline int32_t leat_operand_row(const leat_operand *operand, int32_t row)
{
    return operand->is_constant ? 0 : row;
}
static inline bool leat_operand_is_null(const leat_operand *operand, int32_t row)
{
    return leat_column_is_null(operand->column, leat_operand_row(operand, row));
}
static inline void leat_call_set_null(leat_kernel_call *call, int32_t row)
{
    leat_bit_clear(call->validity, row);
    call->has_nulls = true;
}

/* A text or bytes operand's value. */
typedef struct leat_text {
    const char *data;
    int32_t length;
} leat_text;

static inline leat_text leat_operand_text(const leat_operand *operand, int32_t row)
{
    const leat_view *view = (const leat_view *)operand->column->values + leat_operand_row(operand, row);
    return (leat_text){leat_view_data(operand->column, view), view->length};
}
LEAT_CHECKED static inline leat_code leat_call_set_text(leat_kernel_call *call, int32_t row, const void *data,
                                                        size_t length, leat_error *error)
{
    return leat_view_make((leat_view *)call->values + row, data, length, &call->heap, &call->heap_used, error);
}

/* Typed access for row kernels: LEAT_AT(int32_t, &call->operands[0], row). */
#define LEAT_AT(ctype, operand, row) (((const ctype *)(operand)->column->values)[leat_operand_row(operand, row)])

/* The value of an integer operand of any width. */
static inline int64_t leat_operand_integer(const leat_operand *in, int32_t row)
{
    switch (leat_type_layout(in->type)) {
    case LEAT_LAYOUT_8: return LEAT_AT(int8_t, in, row);
    case LEAT_LAYOUT_16: return LEAT_AT(int16_t, in, row);
    case LEAT_LAYOUT_32: return LEAT_AT(int32_t, in, row);
    default: return LEAT_AT(int64_t, in, row);
    }
}
