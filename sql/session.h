/* SQL sessions: text → statements → results and job graphs (spec: Flink's dialect). What the job manager's session
 * endpoints and actions call. Blocking linear code: a session is used by one thread at a time (a session thread),
 * several sessions by several threads; the catalog store is shared by all sessions of a cluster and locks itself.
 *
 *   leat_session_new ─▶ leat_session_begin(text) ─▶ leat_session_next … until *has_result is false ─▶ leat_session_free
 *                             ▲                              │ JOB, QUERY: the caller submits `graph`, then goes on
 *                             └──────────────────────────────┘
 *
 * Temporary tables and views, the current catalog and database, and what SET changed belong to the session; catalogs
 * that it creates belong to the cluster. A failed statement ends its script (begin again with another text). */
#pragma once

#include "columnar/type.h"
#include "common/arena.h"
#include "common/bytes.h"
#include "common/config.h"
#include "common/env.h"
#include "common/error.h"
#include "flow/connector.h"
#include "flow/registry.h"

/* Catalogs by name, for all sessions of a cluster. Thread-safe. */
typedef struct leat_catalog_store leat_catalog_store;

LEAT_CHECKED leat_code leat_catalog_store_new(leat_env *env, leat_catalog_store **out, leat_error *error);
void leat_catalog_store_free(leat_catalog_store *store);

typedef struct leat_session leat_session;

typedef struct leat_session_options {
    leat_env *env;
    const leat_config *config;    /* of the cluster, under what the session sets; borrowed, outlives the session */
    leat_catalog_store *catalogs; /* borrowed */
    /* Finds connectors; NULL: leat_connector_find. Tests bring their own. */
    const leat_connector *(*find_connector)(const char *identifier);
    const char *time_zone; /* of the machine, for 'default'; NULL: UTC */
} leat_session_options;

LEAT_CHECKED leat_code leat_session_new(const leat_session_options *options, leat_session **out, leat_error *error);
void leat_session_free(leat_session *session);

/* As SET 'key' = 'value'. */
LEAT_CHECKED leat_code leat_session_set(leat_session *session, const char *key, const char *value, leat_error *error);
/* The configuration as statements see it now; borrowed. */
const leat_config *leat_session_config(const leat_session *session);
const char *leat_session_current_catalog(const leat_session *session);
const char *leat_session_current_database(const leat_session *session);

typedef struct leat_sql_variable {
    const char *name, *value;
} leat_sql_variable;

/* Starts a script: statements separated by ';' (the last one need not have it). `${NAME}` and `${NAME:-default}` are
 * replaced from the variables, first match wins (the caller puts --var before the environment); an unknown name without
 * default is an error. `name` is the file as errors show it. Everything is copied. LEAT_INVALID with the place. */
LEAT_CHECKED leat_code leat_session_begin(leat_session *session, const char *name, const char *text, size_t size,
                                          const leat_sql_variable *variables, size_t variables_count,
                                          leat_error *error);

typedef enum leat_result_kind {
    LEAT_RESULT_OK,    /* done: `message` says what */
    LEAT_RESULT_ROWS,  /* SHOW, DESCRIBE, EXPLAIN: texts */
    LEAT_RESULT_JOB,   /* INSERT: submit `graph` */
    LEAT_RESULT_QUERY, /* SELECT: submit `graph`; its "collect" sink answers rows of `schema` */
} leat_result_kind;

typedef struct leat_session_result {
    leat_result_kind kind;
    const char *statement;    /* the text, variables replaced, without ';'; secrets masked */
    int32_t line;             /* of the script, from 1 */
    const char *message;      /* OK: "Execute statement succeeded." */
    const char *warning;      /* NULL: none; one a line */
    leat_schema schema;       /* ROWS: all STRING or BOOLEAN…: the texts are what to show; QUERY: the rows' types */
    const char *const *texts; /* ROWS: rows_count × fields_count; NULL: SQL NULL */
    int32_t rows_count;
    leat_bytes graph; /* JOB, QUERY: a packed leat.pb.JobGraph; may be moved out */
    const char *job_name;
    int32_t changes; /* QUERY: LEAT_CHANGES_… that its rows may have */
    bool is_bounded; /* JOB, QUERY: it ends by itself */
    bool is_batch;
    bool waits;            /* JOB: 'table.dml-sync' is on: wait for its end before the next statement */
    const char *time_zone; /* QUERY: for printing TIMESTAMP_LTZ */
    leat_arena arena;      /* everything above lives here */
} leat_session_result;

/* Runs the next statement. At the end of the script *has_result is false. On success the caller calls
 * leat_session_result_done. Errors: "file:line:column: what", then the line and a caret; the hint names what is near.
 */
LEAT_CHECKED leat_code leat_session_next(leat_session *session, leat_session_result *result, bool *has_result,
                                         leat_error *error);
void leat_session_result_done(leat_session_result *result);

/* A SELECT over one table for `tail` and REST, e.g. "SELECT * FROM `house`.`default`.`t`", is an ordinary statement.
 * The table as catalogs know it, for pages about it; NOT_FOUND names the nearest. Lives in the arena. */
LEAT_CHECKED leat_code leat_session_find_table(leat_session *session, const char *catalog, const char *database,
                                               const char *table, leat_arena *arena, leat_table *out,
                                               leat_error *error);
