/* The inside of leat_pk_state: how one column takes values of a record (merge-tree.md §4). Only state.c and
 * merge_function.c. */
#pragma once

#include "paimon/pk/state.h"

/* Sets a view cell to a copy of another column's. */
LEAT_CHECKED leat_code leat_pk_state_set_view(leat_pk_state *state, leat_pk_column *column, int32_t target,
                                              const leat_column *from, int32_t row, leat_error *error);
