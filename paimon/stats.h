/* Column bounds of a data file as manifests hold them (spec/paimon layout.md, SimpleStats): from what the file's writer
 * says to BinaryRows of minima and maxima, by the table's stats modes. Pure. */
#pragma once

#include "formats/datafile.h"
#include "paimon/table.h"

typedef struct leat_paimon_stats_columns {
    const char **names; /* the columns that have statistics; NULL: all of them */
    size_t count;
} leat_paimon_stats_columns;

/* Of key columns and the like: truncate(128), all columns. */
LEAT_CHECKED leat_code leat_paimon_stats_make_key(const leat_type *types, const leat_column_stats *columns,
                                                  int32_t count, leat_arena *arena, leat_paimon_stats *out,
                                                  leat_error *error);
/* Of all columns of the table, by metadata.stats-mode (truncate(16) by default), fields.<f>.stats-mode,
 * metadata.stats-keep-first-n-columns and metadata.stats-dense-store. */
LEAT_CHECKED leat_code leat_paimon_stats_make_value(const leat_paimon_schema *schema, const leat_column_stats *columns,
                                                    leat_arena *arena, leat_paimon_stats *out,
                                                    leat_paimon_stats_columns *names, leat_error *error);
