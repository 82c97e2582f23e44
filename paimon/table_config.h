/* A table in an operator's configuration: its path and its schema with all options (those of hints are in it already),
 * so that operators need no storage to know their table. */
#pragma once

#include "common/arena.h"
#include "common/bytes.h"
#include "paimon/table.h"

LEAT_CHECKED leat_code leat_paimon_table_write(const leat_paimon_table *table, leat_bytes *out, leat_error *error);
/* The caller ends it with leat_paimon_table_done (paimon/catalog.h). */
LEAT_CHECKED leat_code leat_paimon_table_read(leat_reader *reader, leat_arena *arena, leat_paimon_table *out,
                                              leat_error *error);
