/* A session's inside: what session.c, tables.c, define.c, show.c and insert.c share. */
#pragma once

#include "sql/catalog.h"
#include "sql/parse.h"
#include "sql/plan.h"
#include "sql/script.h"
#include "sql/session.h"

struct leat_session {
    leat_session_options options;
    leat_config own;    /* what SET changed */
    leat_config merged; /* the cluster's and the session's */
    leat_catalog *default_catalog;
    leat_catalog *temporary; /* in memory; its database is "catalog<TAB>database" */
    char *current_catalog, *current_database;
    leat_script script;
    bool has_script;
    leat_parse parse;
    int32_t node_number; /* of execution nodes, over the session: Calc[7] */
};

/* One statement under way. */
typedef struct leat_statement {
    leat_session *session;
    const leat_ast_statement *ast;
    leat_session_result *result;
    leat_plan plan;
} leat_statement;

/* A reference; NULL with an error: none of that name. */
leat_catalog *leat_session_get_catalog(leat_session *session, const char *name, leat_arena *arena, leat_error *error);
/* Fills up a name with what is current: catalog, database, table. LEAT_INVALID for more than three parts. */
LEAT_CHECKED leat_code leat_full_name(leat_plan *plan, const leat_ast_name *name, const char *full[3]);
const char *leat_temporary_database(leat_arena *arena, const char *catalog, const char *database);

/* CREATE, DROP, USE. (define.c, define_table.c) */
LEAT_CHECKED leat_code leat_define(leat_statement *self);
LEAT_CHECKED leat_code leat_create_table(leat_statement *self);
LEAT_CHECKED leat_code leat_create_view(leat_statement *self);
/* SHOW, DESCRIBE. (show.c) */
LEAT_CHECKED leat_code leat_show(leat_statement *self);
/* Result rows of texts. */
LEAT_CHECKED leat_code leat_result_columns(leat_session_result *result, const char *const *names, int32_t count,
                                           leat_error *error);
LEAT_CHECKED leat_code leat_result_row(leat_session_result *result, const char *const *texts, leat_error *error);
/* INSERT, SELECT, EXPLAIN, statement sets. (execute.c, bind_insert.c) */
LEAT_CHECKED leat_code leat_execute(leat_statement *self);
LEAT_CHECKED leat_code leat_bind_insert(leat_plan *plan, const leat_ast_statement *insert, leat_rel **rel,
                                        leat_sink_target *target);
