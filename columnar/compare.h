/* The order of two values, as ORDER BY, MIN, MAX and comparisons have it; NULLs are the caller's business. */
#pragma once

#include "columnar/kernel.h"

/* < 0, 0, > 0 for value i of a against value j of b; both of the type (decimals may differ in scale). */
typedef int (*leat_order)(const leat_operand *a, int32_t i, const leat_operand *b, int32_t j);
leat_order leat_order_of(const leat_type *type);
