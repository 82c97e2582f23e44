/* Bounds and NULL counts of columns, collected while a file is written. Text and numbers get bounds, BINARY and
 * VARBINARY none (as in Paimon); FLOAT and DOUBLE none once a NaN came, and zero counts as −0.0 below and +0.0 above
 * (as in Parquet). */
#pragma once

#include "formats/datafile.h"

typedef struct leat_stats_column {
    leat_type_kind kind;
    leat_layout layout;
    bool has_value, has_nan;
    int64_t null_count;
    uint8_t min[16], max[16]; /* of fixed layouts */
    leat_bytes text_min, text_max;
} leat_stats_column;

typedef struct leat_stats_collector {
    leat_stats_column *columns;
    int32_t columns_count;
    void *scratch; /* values that are not NULL, when some are */
} leat_stats_collector;

LEAT_CHECKED leat_code leat_stats_init(leat_stats_collector *self, const leat_schema *schema, leat_error *error);
void leat_stats_done(leat_stats_collector *self);
/* A batch without selection. */
LEAT_CHECKED leat_code leat_stats_add(leat_stats_collector *self, const leat_batch *batch, leat_error *error);
/* Moves what was collected out: one entry a column, whose bytes the caller frees. */
LEAT_CHECKED leat_code leat_stats_finish(leat_stats_collector *self, leat_column_stats *out, leat_error *error);
