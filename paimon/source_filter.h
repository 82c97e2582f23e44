/* What of a query's filter can leave files out: comparisons of a column with a constant, joined by AND. */
#pragma once

#include "columnar/expr.h"
#include "paimon/source.h"

/* Sets the predicates of the config. `filter` (over the config's columns) may be NULL; what is not understood is left
 * to the query, which filters again. Of primary-key tables only conditions on key columns count: a value may be changed
 * by a newer record in another file. */
LEAT_CHECKED leat_code leat_paimon_source_filter(const leat_expr *filter, leat_paimon_source_config *config,
                                                 leat_arena *arena, leat_error *error);
