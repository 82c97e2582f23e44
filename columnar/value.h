/* Printing values in a zone that is loaded already. */
#pragma once

#include "columnar/expr.h"

struct leat_zone;

/* As leat_value_print; the value is not NULL. */
void leat_value_print_in(const leat_type *type, const leat_column *column, int32_t row, const struct leat_zone *zone,
                         leat_bytes *out);
