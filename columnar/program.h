/* A compiled program: flat steps over registers (a column each) and selections (the rows that a branch is for).
 * compile.c makes it, run.c runs it. */
#pragma once

#include "columnar/kernel.h"
#include "columnar/timezone.h"

typedef struct leat_register {
    leat_column column; /* as of this run; its values and validity are the buffers below, or borrowed from the batch */
    leat_type type;
    bool is_constant; /* row 0 stands for all */
    bool is_borrowed; /* a column of the batch: nothing to release */
    leat_buffer *values, *validity;
    size_t values_bytes, validity_bytes; /* what they were made with */
} leat_register;

typedef struct leat_selection {
    uint16_t *rows; /* LEAT_BATCH_ROWS_MAX, owned; the batch's own for selection 0 */
    const uint16_t *at;
    int32_t count;
    int32_t parent; /* -1: the batch's */
} leat_selection;

typedef enum leat_narrow {
    LEAT_NARROW_TRUE,
    LEAT_NARROW_NOT_TRUE,
    LEAT_NARROW_NOT_FALSE,
    LEAT_NARROW_NULL,
    LEAT_NARROW_NOT_NULL,
} leat_narrow;

typedef enum leat_step_kind {
    LEAT_STEP_KERNEL, /* out = kernel(operands) */
    LEAT_STEP_NARROW, /* selection out_selection = rows of selection where operands[0] is so */
    LEAT_STEP_AND,    /* three-valued; operand i + 1 counts only where the earlier ones leave it open */
    LEAT_STEP_OR,
    LEAT_STEP_MERGE, /* out = operands[i] on selections[i] */
} leat_step_kind;

typedef struct leat_step {
    leat_step_kind kind;
    leat_kernel_choice kernel;
    leat_null_rule nulls;
    leat_narrow narrow;
    int32_t selection, out_selection;
    int32_t out;
    int32_t operands_count;
    int32_t *operands;
    int32_t *selections; /* of MERGE */
} leat_step;

struct leat_program {
    leat_arena arena;
    leat_program_options options;
    const leat_zone *zone;
    leat_register *registers;
    size_t registers_count, registers_capacity;
    leat_step *steps;
    size_t steps_count, steps_capacity;
    leat_selection *selections;
    size_t selections_count, selections_capacity;
    int32_t *inputs; /* registers of the input's columns; -1: not used */
    int32_t inputs_count;
    int32_t *outputs;
    int32_t outputs_count;
    uint16_t *identity;     /* 0 … LEAT_BATCH_ROWS_MAX - 1 */
    uint16_t *active;       /* scratch */
    leat_operand *operands; /* scratch, LEAT_EXPR_ARGUMENTS_MAX */
    leat_bytes scratch;
    int64_t now_ms; /* of the batch that is evaluated; 0: nobody has asked yet */
};
