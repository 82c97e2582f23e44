/* From MySQL's tables to one Paimon table: types and merged columns (spec/cdc types §1, §5). */
#pragma once

#include "connectors/mysql/table.h"

/* --type_mapping */
typedef struct leat_type_mapping {
    bool tinyint1_not_bool, to_nullable, to_string, char_to_string, longtext_to_bytes, bigint_unsigned_to_bigint;
} leat_type_mapping;
/* "a,b"; dashes or underscores. LEAT_INVALID: `Unsupported type mapping option: x`. */
LEAT_CHECKED leat_code leat_type_mapping_read(const char *text, leat_type_mapping *out, leat_error *error);

/* LEAT_UNSUPPORTED names the column and its type. */
LEAT_CHECKED leat_code leat_mysql_column_type(const leat_mysql_column *column, const leat_type_mapping *mapping,
                                              leat_type *out, leat_error *error);

typedef struct leat_sync_column {
    const char *name, *comment;
    leat_type type;
} leat_sync_column;

typedef struct leat_sync_columns {
    leat_sync_column *items;
    size_t count, capacity; /* heap: leat_sync_columns_done */
} leat_sync_columns;
void leat_sync_columns_done(leat_sync_columns *columns);

/* Adds a table's columns: new ones at the end, known ones with the wider type of the same family. Names live in
 * `arena`. */
LEAT_CHECKED leat_code leat_sync_columns_add(leat_sync_columns *columns, const leat_mysql_table *table,
                                             const leat_type_mapping *mapping, bool is_case_sensitive,
                                             leat_arena *arena, leat_error *error);
