/* A batch with INT columns behind its own: what routers and assigners make. */
#pragma once

#include "columnar/batch.h"

enum { LEAT_PK_COLUMNS_MAX = 4 };

/* Shares the first `kept` columns, kinds and selection of `from`; `added[i]` points to the values, one a row (also of
 * rows that are not selected), to be filled by the caller. */
LEAT_CHECKED leat_code leat_pk_append_columns(const leat_batch *from, int32_t kept, int32_t added_count,
                                              int32_t **added, leat_batch **out, leat_error *error);
