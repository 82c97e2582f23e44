/* Catalogs: databases, tables and views by name. Two kinds: in memory ("generic_in_memory"; also a session's temporary
 * objects) and Paimon's filesystem catalog. All functions may be called from any thread; they may block.
 *
 * A table that was got lives in the arena, its options too (never leat_config_done them). */
#pragma once

#include "columnar/type.h"
#include "common/arena.h"
#include "common/config.h"
#include "common/env.h"
#include "sql/session.h"

typedef struct leat_catalog_column {
    const char *name;
    leat_type type;         /* of a computed column: what its expression gave when it was created */
    const char *expression; /* computed; NULL: physical (or metadata) */
    bool is_metadata, is_virtual;
    const char *metadata_key; /* NULL: the name */
    const char *comment;      /* NULL: none */
} leat_catalog_column;

typedef struct leat_catalog_watermark {
    const char *column, *expression;
} leat_catalog_watermark;

typedef struct leat_catalog_table {
    const char *catalog, *database, *name;
    bool is_temporary;
    const char *connector; /* identifier; NULL: option 'connector' says it */
    leat_catalog_column *columns;
    int32_t columns_count;
    const char **primary_key, **partition_keys;
    int32_t primary_key_count, partition_keys_count;
    const leat_catalog_watermark *watermark; /* NULL: none */
    leat_config options;                     /* entries in the arena */
    const char *comment;
    const char *view_query; /* of a view: its text; NULL: a table */
    const char *view_catalog,
        *view_database; /* what was current when the view was made: its names are relative to it */
} leat_catalog_table;

typedef struct leat_catalog_names {
    const char **items; /* sorted */
    size_t count, capacity;
} leat_catalog_names;

typedef struct leat_catalog leat_catalog;

typedef struct leat_catalog_vtable {
    leat_code (*list_databases)(leat_catalog *self, leat_arena *arena, leat_catalog_names *out, leat_error *error);
    leat_code (*has_database)(leat_catalog *self, const char *database, bool *out, leat_error *error);
    leat_code (*create_database)(leat_catalog *self, const char *database, leat_error *error);
    leat_code (*drop_database)(leat_catalog *self, const char *database, bool cascade, leat_error *error);
    /* Tables and views. */
    leat_code (*list_tables)(leat_catalog *self, const char *database, leat_arena *arena, leat_catalog_names *out,
                             leat_error *error);
    /* LEAT_NOT_FOUND. */
    leat_code (*get_table)(leat_catalog *self, const char *database, const char *table, leat_arena *arena,
                           leat_catalog_table *out, leat_error *error);
    /* LEAT_EXISTS, LEAT_NOT_FOUND (database). */
    leat_code (*create_table)(leat_catalog *self, const leat_catalog_table *table, leat_error *error);
    leat_code (*drop_table)(leat_catalog *self, const char *database, const char *table, leat_error *error);
    /* Lines about options that its tables do not have; NULL: any are fine. */
    void (*warn_of_options)(const leat_config *options, leat_bytes *warnings);
    void (*free)(leat_catalog *self);
} leat_catalog_vtable;

struct leat_catalog {
    const leat_catalog_vtable *vtable;
    char *name, *default_database;
    leat_config options; /* as created */
    atomic_int references;
};

leat_catalog *leat_catalog_ref(leat_catalog *catalog);
void leat_catalog_unref(leat_catalog *catalog); /* NULL is fine */

/* In memory, with its default database if `database` is not NULL. */
LEAT_CHECKED leat_code leat_catalog_memory_new(const char *name, const char *database, leat_catalog **out,
                                               leat_error *error);
LEAT_CHECKED leat_code leat_catalog_paimon_new(leat_env *env, const char *name, const leat_config *options,
                                               leat_catalog **out, leat_error *error);

/* Makes a catalog by its option 'type' and keeps it. A catalog of this name with equal options is accepted (*is_new
 * false); with others it is LEAT_EXISTS. */
LEAT_CHECKED leat_code leat_catalog_store_create(leat_catalog_store *store, const char *name,
                                                 const leat_config *options, bool *is_new, leat_error *error);
/* A reference for the caller; NULL: none of that name. */
leat_catalog *leat_catalog_store_get(leat_catalog_store *store, const char *name);
LEAT_CHECKED leat_code leat_catalog_store_drop(leat_catalog_store *store, const char *name, leat_error *error);
LEAT_CHECKED leat_code leat_catalog_store_list(leat_catalog_store *store, leat_arena *arena, leat_catalog_names *out,
                                               leat_error *error);

LEAT_CHECKED leat_code leat_catalog_names_add(leat_catalog_names *names, leat_arena *arena, const char *name,
                                              leat_error *error);
void leat_catalog_names_sort(leat_catalog_names *names);
bool leat_catalog_names_has(const leat_catalog_names *names, const char *name);
/* The nearest name, for hints; NULL: none is near. */
const char *leat_catalog_names_nearest(const leat_catalog_names *names, const char *name);

/* Deep copy into an arena. */
LEAT_CHECKED leat_code leat_catalog_table_copy(leat_arena *arena, const leat_catalog_table *from,
                                               leat_catalog_table *out, leat_error *error);
/* A configuration whose entries live in the arena; `over` (NULL: none) replaces and adds. */
LEAT_CHECKED leat_code leat_config_copy_in(leat_arena *arena, const leat_config *from, const leat_config *over,
                                           leat_config *out, leat_error *error);
