/* Which rows of a batch belong together: by the values of some columns and, for fixed buckets, by bucket. */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"

/* One set of rows of the batch that was split last. */
typedef struct leat_paimon_row_set {
    uint64_t hash;
    int32_t first_row, bucket, count;
    int32_t start; /* of its rows in `rows` */
} leat_paimon_row_set;

typedef struct leat_paimon_row_split {
    leat_paimon_row_set *sets; /* in order of their first rows */
    int32_t sets_count;
    uint16_t *rows; /* ascending within a set */

    uint64_t *hashes; /* scratch, for LEAT_BATCH_ROWS_MAX rows */
    uint16_t *set_of;
    int32_t *slots;
} leat_paimon_row_split;

LEAT_CHECKED leat_code leat_paimon_row_split_init(leat_paimon_row_split *self, leat_error *error);
void leat_paimon_row_split_done(leat_paimon_row_split *self);
/* Splits the selected rows by the columns' values (NULL is a value) and by `buckets` (one a selected row; NULL: all 0).
 */
void leat_paimon_row_split_run(leat_paimon_row_split *self, const leat_batch *batch, const int32_t *columns,
                               const leat_type *types, int32_t columns_count, const int32_t *buckets);
