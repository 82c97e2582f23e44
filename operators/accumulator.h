/* Accumulators of the aggregate operator: one a call and group. */
#pragma once

#include "operators/aggregate.h"
#include "operators/multiset.h"

typedef struct leat_accumulator {
    int64_t count;      /* values (not NULL) in it */
    leat_scalar value;  /* SUM and AVG: the sum; MIN and MAX: the value, whose text is owned */
    leat_multiset *set; /* DISTINCT; MIN and MAX with retractions */
    bool has_overflown; /* a decimal sum beyond 38 digits: NULL from then on, as in Flink */
} leat_accumulator;

/* What all groups share. */
typedef struct leat_accumulator_kind {
    leat_aggregate_call call;
    leat_type argument;
    bool keeps_set;
} leat_accumulator_kind;

void leat_accumulator_clear(const leat_accumulator_kind *kind, leat_accumulator *self);
/* Rows i = 0 … count - 1: row rows[i] of the column goes into `*accumulators[i]`, with signs[i] (NULL: all +1). The
 * call's column decides which values count (NULLs do not). */
LEAT_CHECKED leat_code leat_accumulate(const leat_accumulator_kind *kind, const leat_column *column,
                                       const uint16_t *rows, const int8_t *signs, int32_t count,
                                       leat_accumulator *const *accumulators, leat_error *error);
/* The result as column `at` of the builder's newest row; leaves it unset for NULL. */
LEAT_CHECKED leat_code leat_accumulator_set(const leat_accumulator_kind *kind, const leat_accumulator *self,
                                            leat_batch_builder *builder, int32_t at, leat_error *error);
void leat_accumulator_write(const leat_accumulator_kind *kind, const leat_accumulator *self, leat_bytes *out);
LEAT_CHECKED leat_code leat_accumulator_read(const leat_accumulator_kind *kind, leat_accumulator *self,
                                             leat_reader *reader, leat_error *error);
