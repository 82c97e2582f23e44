/* What the operators' configurations have in common. */
#pragma once

#include "columnar/expr.h"
#include "common/bytes.h"

enum { LEAT_OPERATOR_CONFIG_BYTES_MAX = 16 << 20, LEAT_OPERATOR_COLUMNS_MAX = 4096 };

void leat_config_put_columns(leat_bytes *out, const int32_t *columns, int32_t count);
/* Each is checked to be in 0 … columns_count - 1. */
LEAT_CHECKED leat_code leat_config_take_columns(leat_reader *reader, leat_arena *arena, int32_t columns_count,
                                                const int32_t **out, int32_t *count, leat_error *error);
LEAT_CHECKED leat_code leat_config_take_exprs(leat_reader *reader, leat_arena *arena, uint32_t count,
                                              const leat_expr *const **out, leat_error *error);
/* A zeroed operator struct whose first members are a leat_operator and, at `arena_offset`, its arena. NULL: no memory.
 */
void *leat_operator_new(size_t bytes, size_t arena_offset);
