/* The filesystem catalog: <warehouse>/<database>.db/<table> (spec/paimon layout.md §1). Stateless; blocking; any
 * thread. Names are checked: not empty, no '/', no NUL. */
#pragma once

#include "common/arena.h"
#include "common/env.h"
#include "paimon/schema.h"
#include "paimon/table.h"

typedef struct leat_paimon_names_list {
    const char **items; /* sorted */
    size_t count;
} leat_paimon_names_list;

LEAT_CHECKED leat_code leat_paimon_list_databases(leat_env *env, const char *warehouse, leat_arena *arena,
                                                  leat_paimon_names_list *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_database_exists(leat_env *env, const char *warehouse, const char *database,
                                                   bool *out, leat_error *error);
/* LEAT_EXISTS. Stores have no folders: a database without tables is marked by an object "<database>.db/.leat". */
LEAT_CHECKED leat_code leat_paimon_create_database(leat_env *env, const char *warehouse, const char *database,
                                                   leat_error *error);
/* LEAT_NOT_FOUND; LEAT_INVALID when it has tables and `cascade` is not set. */
LEAT_CHECKED leat_code leat_paimon_drop_database(leat_env *env, const char *warehouse, const char *database,
                                                 bool cascade, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_list_tables(leat_env *env, const char *warehouse, const char *database,
                                               leat_arena *arena, leat_paimon_names_list *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_drop_table(leat_env *env, const char *warehouse, const char *database,
                                              const char *table, leat_error *error);

/* Newest schema. The caller ends it with leat_paimon_table_done. LEAT_NOT_FOUND. */
LEAT_CHECKED leat_code leat_paimon_get_table(leat_env *env, const char *warehouse, const char *database,
                                             const char *table, leat_arena *arena, leat_paimon_table *out,
                                             leat_error *error);
/* The same by path ("<warehouse>/<db>.db/<table>"; names are taken from it). `dynamic_options` (hints) go over the
 * table's own; NULL: none. Immutable ones that would change are LEAT_INVALID. */
LEAT_CHECKED leat_code leat_paimon_open_table(leat_env *env, const char *path, const leat_config *dynamic_options,
                                              leat_arena *arena, leat_paimon_table *out, leat_error *error);
void leat_paimon_table_done(leat_paimon_table *table);

/* What CREATE TABLE says. */
typedef struct leat_paimon_new_column {
    const char *name;
    leat_type type;
    const char *comment;       /* NULL: none */
    const char *default_value; /* NULL: none */
    const char *expression;    /* of a computed column; NULL: physical */
} leat_paimon_new_column;

typedef struct leat_paimon_new_table {
    const char *database, *name;
    const leat_paimon_new_column *columns;
    int32_t columns_count;
    const char *const *primary_keys;
    int32_t primary_keys_count;
    const char *const *partition_keys;
    int32_t partition_keys_count;
    const leat_config *options; /* without 'connector', 'path' */
    const char *comment;        /* NULL: "" is written, as Flink does */
} leat_paimon_new_table;

/* Checks the definition as Paimon does, numbers the fields, writes schema-0. LEAT_EXISTS, LEAT_NOT_FOUND (database),
 * LEAT_INVALID. */
LEAT_CHECKED leat_code leat_paimon_create_table(leat_env *env, const char *warehouse,
                                                const leat_paimon_new_table *table, leat_error *error);
/* The checks alone, of a schema that is to be written: LEAT_INVALID for what is wrong, and those of the next. */
LEAT_CHECKED leat_code leat_paimon_schema_check(const leat_paimon_schema *schema, leat_error *error);
/* LEAT_UNSUPPORTED names a table option under which this version would write what readers take wrongly; every commit
 * asks. */
LEAT_CHECKED leat_code leat_paimon_schema_check_writable(const leat_paimon_schema *schema, leat_error *error);
