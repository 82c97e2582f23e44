/* Filter and projection in one operator ("Calc"): narrows the selection by a condition, then computes the output
 * columns. A plain column reference moves no data. Row kinds come along. No state. */
#pragma once

#include "columnar/expr.h"
#include "flow/registry.h"

typedef struct leat_calc_config {
    leat_schema input;
    const leat_expr *condition;    /* BOOLEAN over the input; NULL: every row */
    int32_t exprs_count;           /* may be 0 only when `keeps_columns` */
    const leat_expr *const *exprs; /* over the input, one an output column */
    bool keeps_columns;            /* no projection: the output is the input's columns */
    const char *time_zone;         /* IANA name; NULL: UTC */
} leat_calc_config;

/* Binary form: the factory's config. Failure shows in `out` (leat_bytes_check). */
void leat_calc_config_write(const leat_calc_config *config, leat_bytes *out);

extern const leat_operator_factory leat_calc_factory; /* "calc" */
