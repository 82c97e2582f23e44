/* Values of a group with how often each is there: for MIN and MAX over a changing input and for DISTINCT. Sorted (a
 * skip list): O(log n) a change, least and greatest at hand. */
#pragma once

#include "columnar/expr.h"

/* A value outside of a column. Text is borrowed or, in a set, owned. */
typedef struct leat_scalar {
    union {
        int64_t i64;
        double f64;
        __int128 i128;
        struct {
            const char *data;
            int32_t length;
        } text;
    };
} leat_scalar;

/* The value of a row that is not NULL; text is borrowed from the column. */
leat_scalar leat_scalar_of(const leat_type *type, const leat_column *column, int32_t row);
int leat_scalar_compare(const leat_type *type, const leat_scalar *left, const leat_scalar *right);
void leat_scalar_write(const leat_type *type, const leat_scalar *value, leat_bytes *out);
/* Text is borrowed from the reader. */
leat_scalar leat_scalar_read(const leat_type *type, leat_reader *reader);
/* Sets the builder's column of the row begun last. */
LEAT_CHECKED leat_code leat_scalar_set(const leat_type *type, const leat_scalar *value, leat_batch_builder *builder,
                                       int32_t column, leat_error *error);

typedef struct leat_multiset leat_multiset;

leat_multiset *leat_multiset_new(void); /* NULL: no memory */
void leat_multiset_free(leat_multiset *set);
/* Adds `change` to the value's count; at 0 it is gone. *was, *is: the count before and after. A count below 0 is kept:
 * a row was taken away before it was given. */
LEAT_CHECKED leat_code leat_multiset_add(leat_multiset *set, const leat_type *type, const leat_scalar *value,
                                         int64_t change, int64_t *was, int64_t *is, leat_error *error);
/* The least or greatest value whose count is above 0; NULL: none. */
const leat_scalar *leat_multiset_least(const leat_multiset *set);
const leat_scalar *leat_multiset_greatest(const leat_multiset *set);
void leat_multiset_write(const leat_multiset *set, const leat_type *type, leat_bytes *out);
LEAT_CHECKED leat_code leat_multiset_read(leat_multiset *set, const leat_type *type, leat_reader *reader,
                                          leat_error *error);
