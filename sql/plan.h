/* The logical plan: what the validator (bind_*.c) makes of a query, the rules (rules/) improve, and the physical
 * planner (physical.c) turns into a job graph. Nodes are in the statement's arena; a rule makes new nodes or changes
 * those that it owns, each node has one parent. */
#pragma once

#include "flow/connector.h"
#include "operators/aggregate.h"
#include "operators/sort.h"
#include "sql/ast.h"
#include "sql/catalog.h"
#include "sql/session.h"

enum { LEAT_REL_DEPTH_MAX = 512 };

typedef enum leat_rel_kind {
    LEAT_REL_SCAN,
    LEAT_REL_VALUES,
    LEAT_REL_PROJECT,
    LEAT_REL_FILTER,
    LEAT_REL_AGGREGATE,
    LEAT_REL_LOOKUP_JOIN,
    LEAT_REL_UNION,
    LEAT_REL_SORT, /* with keys, or LIMIT and OFFSET alone */
} leat_rel_kind;

/* A table that a statement uses. */
typedef struct leat_bound_table {
    const leat_catalog_table *definition;
    const leat_connector *connector;
    leat_table table; /* physical columns; options with hints over them */
    const char *path; /* "house.default.orders", as messages name it */
    leat_sql_range place;
} leat_bound_table;

/* The LOOKUP hint. */
typedef struct leat_lookup_hint {
    const char *table; /* alias or name that it is for */
    leat_sql_range place;
    bool has_async, is_async, has_output_mode, allow_unordered, has_retry, is_used;
    int32_t capacity;
    int64_t timeout_ms, delay_ms;
    int32_t attempts;
} leat_lookup_hint;

typedef struct leat_rel leat_rel;
struct leat_rel {
    leat_rel_kind kind;
    leat_schema schema; /* of the rows that come out */
    leat_rel **inputs;
    int32_t inputs_count;
    /* SCAN, LOOKUP_JOIN */
    const leat_bound_table *source;
    const int32_t *columns; /* of the table's schema; those that are read */
    int32_t columns_count;
    const leat_expr *pushed; /* SCAN: a filter that the source may use; over `columns` */
    int64_t limit;           /* SCAN: the source may stop after so many rows; -1: none */
    /* PROJECT: one a column; VALUES: rows_count × columns */
    const leat_expr **exprs;
    int32_t rows_count;
    /* FILTER; LOOKUP_JOIN: over input ++ table columns, NULL: none */
    const leat_expr *condition;
    /* AGGREGATE */
    int32_t *keys;
    int32_t keys_count;
    leat_aggregate_call *calls;
    int32_t calls_count;
    /* LOOKUP_JOIN: keys[i] of the input equals table column table_keys[i] */
    int32_t *table_keys;
    bool is_left;
    const leat_lookup_hint *hint;
    /* SORT */
    leat_sort_key *sort_keys;
    int32_t sort_keys_count;
    int64_t offset, fetch; /* fetch -1: all */
};

/* What one statement's binding and planning share. */
typedef struct leat_plan {
    leat_arena *arena;
    leat_env *env;
    const leat_config *config; /* the session's */
    bool is_batch;
    int32_t parallelism;
    const char *time_zone;
    leat_error *error;
    leat_sql_range place; /* of the first error */
    bool has_place;
    /* Names are resolved against these; changed while a view is bound. */
    const char *current_catalog, *current_database;
    struct leat_session *session;
    leat_lookup_hint *hints[16]; /* LOOKUP hints of the statement */
    int32_t hints_count;
    int32_t view_depth;
    int64_t now_ms; /* the instant of a batch query, once something has asked for it */
    leat_secrets secrets;
    leat_bytes warnings;
} leat_plan;

/* Refuses at a place; what was said first counts. */
leat_code leat_plan_fail(leat_plan *plan, leat_sql_range place, leat_code code, const char *format, ...)
    LEAT_PRINTF(4, 5);
/* Gives an error that has none its place. Returns the code. */
leat_code leat_plan_at(leat_plan *plan, leat_sql_range place, leat_code code);

/* Finds a table or view; hints' options go over its own. LEAT_NOT_FOUND hints at the nearest. (session_tables.c) */
LEAT_CHECKED leat_code leat_plan_find_table(leat_plan *plan, const leat_ast_name *name, const leat_config *dynamic,
                                            const leat_catalog_table **out);
LEAT_CHECKED leat_code leat_plan_bind_table(leat_plan *plan, const leat_catalog_table *definition, leat_sql_range place,
                                            leat_bound_table **out);

/* What connectors plan with. */
leat_plan_context leat_plan_connector_context(leat_plan *plan);

/* Queries. (bind_query.c) */
LEAT_CHECKED leat_code leat_bind_query(leat_plan *plan, const leat_ast_query *query, leat_rel **out);
/* Reads LOOKUP hints; others than OPTIONS and LOOKUP are warned about. OPTIONS go into *dynamic (in the arena). */
LEAT_CHECKED leat_code leat_bind_hints(leat_plan *plan, const leat_ast_list *hints, leat_config *dynamic);

/* Makers of nodes. (rel.c) */
leat_rel *leat_rel_new(leat_plan *plan, leat_rel_kind kind, leat_rel *input);
/* Merges into a projection below where that copies no work. Names are taken over. */
LEAT_CHECKED leat_code leat_rel_project(leat_plan *plan, leat_rel *input, const leat_expr **exprs,
                                        const leat_field *fields, int32_t count, leat_rel **out);
LEAT_CHECKED leat_code leat_rel_filter(leat_plan *plan, leat_rel *input, const leat_expr *condition, leat_rel **out);
/* Whether the column is a processing time attribute: PROCTIME() somewhere below. */
bool leat_rel_is_proctime(const leat_rel *rel, int32_t column);

/* Expressions. (rel_expr.c) */
const leat_expr *leat_expr_column(leat_plan *plan, const leat_schema *schema, int32_t column);
const leat_expr *leat_expr_literal_int(leat_plan *plan, int32_t value);
const leat_expr *leat_expr_null(leat_plan *plan, const leat_type *type);
/* The expression as `type`: itself where only the nullability differs. NULL: no memory. */
const leat_expr *leat_expr_cast(leat_plan *plan, const leat_expr *expr, const leat_type *type);
const leat_expr *leat_expr_and(leat_plan *plan, const leat_expr *left, const leat_expr *right);
LEAT_CHECKED leat_code leat_expr_call(leat_plan *plan, leat_sql_range place, const char *function,
                                      const leat_expr *const *arguments, int32_t count, const leat_expr **out);
bool leat_expr_is_equal(const leat_expr *left, const leat_expr *right);
int32_t leat_expr_depth(const leat_expr *expr);
/* Column i becomes replacements[i]. NULL: no memory. */
const leat_expr *leat_expr_substitute(leat_plan *plan, const leat_expr *expr, const leat_expr *const *replacements);
/* Column i becomes column map[i]. */
const leat_expr *leat_expr_remap(leat_plan *plan, const leat_expr *expr, const int32_t *map);
/* Marks the columns that it reads. */
void leat_expr_mark(const leat_expr *expr, bool *used);
/* No function whose answer may differ from call to call. */
bool leat_expr_is_deterministic(const leat_expr *expr);

/* The rules, in the order they run. (rules/) */
LEAT_CHECKED leat_code leat_rule_fold(leat_plan *plan, leat_rel *rel);
/* Filters go below projections and unions, and as a hint into scans. */
LEAT_CHECKED leat_code leat_rule_push_filter(leat_plan *plan, leat_rel **rel);
/* Columns that nobody reads are not read. `out` answers the wanted columns only, in the order of `wanted`. */
LEAT_CHECKED leat_code leat_rule_prune(leat_plan *plan, leat_rel **rel);

/* Where a statement's rows go. */
typedef struct leat_sink_target {
    const leat_bound_table *table; /* NULL: collect */
    bool is_overwrite;
    const char *const *static_partition; /* pairs */
    int32_t static_partition_count;
    const int32_t *not_null; /* columns whose NULLs the enforcer catches */
    int32_t not_null_count;
} leat_sink_target;

/* The graph of a statement; several sinks make one job. (physical.c, graph.c) */
typedef struct leat_graph leat_graph;
leat_graph *leat_graph_new(leat_plan *plan, int32_t *node_number);
LEAT_CHECKED leat_code leat_graph_add(leat_graph *graph, leat_rel *rel, const leat_sink_target *target);
LEAT_CHECKED leat_code leat_graph_pack(leat_graph *graph, const char *job_name, leat_bytes *out);
bool leat_graph_is_bounded(const leat_graph *graph);
int32_t leat_graph_changes(const leat_graph *graph); /* what reaches the last sink */
/* As EXPLAIN shows it. */
LEAT_CHECKED leat_code leat_graph_explain(const leat_graph *graph, bool with_changes, leat_bytes *out);
void leat_rel_explain(const leat_rel *rel, leat_bytes *out);
