/* VALUES: a bounded source of constant rows, needing no splits: subtask 0 emits them, others are empty. Expressions
 * have no columns and are evaluated when the source opens. State: whether the rows are out. */
#pragma once

#include "columnar/expr.h"
#include "flow/registry.h"

typedef struct leat_values_config {
    leat_schema output;
    int32_t rows_count;
    const leat_expr *const *exprs; /* rows_count × output.fields_count, row by row; each of its column's type */
    const char *time_zone;
} leat_values_config;

void leat_values_config_write(const leat_values_config *config, leat_bytes *out);

extern const leat_operator_factory leat_values_factory; /* "values" */
