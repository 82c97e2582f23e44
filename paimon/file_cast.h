/* Columns of files that an older schema wrote, whose types were changed since (ALTER TABLE … MODIFY): cast as SQL does.
 * Widenings that the file format does by itself (INT to BIGINT, FLOAT to DOUBLE, text to text) are none. */
#pragma once

#include "columnar/expr.h"

typedef struct leat_paimon_file_cast leat_paimon_file_cast;

/* Whether values of the one type, as they are in a file, are read as the other without a cast. */
bool leat_paimon_file_type_is_readable(const leat_type *file_type, const leat_type *type);
/* From the columns of a file to the same columns with other types. *out = NULL when there is nothing to cast.
 * LEAT_UNSUPPORTED names a column whose types have no cast. */
LEAT_CHECKED leat_code leat_paimon_file_cast_new(const leat_schema *from, const leat_schema *to, leat_env *env,
                                                 leat_paimon_file_cast **out, leat_error *error);
/* Replaces the batch's columns. LEAT_INVALID: a value that cannot be cast. */
LEAT_CHECKED leat_code leat_paimon_file_cast_run(leat_paimon_file_cast *self, leat_batch *batch, leat_error *error);
void leat_paimon_file_cast_free(leat_paimon_file_cast *self);
