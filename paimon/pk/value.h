/* Order of values as files and runs are sorted (spec/paimon files.md §9), and order-preserving prefixes for sorting. */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"

/* < 0, 0, > 0. NULL is the smallest; −0.0 < 0.0, NaN is the greatest; text and bytes by unsigned bytes. */
int leat_pk_compare(const leat_type *type, const leat_column *left, int32_t left_row, const leat_column *right,
                    int32_t right_row);
/* A number whose unsigned order agrees with leat_pk_compare where it differs. */
uint64_t leat_pk_prefix(const leat_type *type, const leat_column *column, int32_t row);
