/* The validator's inside: scopes. */
#pragma once

#include "sql/plan.h"

/* A table, view or sub-query of FROM and its columns in the scope's row. */
typedef struct leat_scope_relation {
    const char *alias;              /* the name that columns are qualified with */
    const char *catalog, *database; /* of a table without alias; else NULL */
    int32_t first, count;
} leat_scope_relation;

typedef struct leat_bound_call {
    leat_aggregate_call call;
    const leat_expr *argument, *filter; /* over the scope's row; NULL: none */
} leat_bound_call;

typedef struct leat_scope {
    leat_rel *rel; /* whose schema names mean; NULL: no columns */
    leat_scope_relation *relations;
    int32_t relations_count;
    /* GROUP BY: expressions mean the aggregate's output, keys then calls. */
    bool is_grouped, allows_aggregates;
    const leat_expr **keys; /* over the row */
    int32_t keys_count;
    leat_bound_call *calls;
    int32_t calls_count, calls_capacity;
} leat_scope;

LEAT_CHECKED leat_code leat_bind_expr(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast,
                                      const leat_expr **out);
/* As a condition: BOOLEAN (or NULL). `what`: WHERE, HAVING, ON. */
LEAT_CHECKED leat_code leat_bind_condition(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast,
                                           const char *what, const leat_expr **out);
/* Literals of every kind. (bind_literal.c) */
LEAT_CHECKED leat_code leat_bind_literal(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **out);
/* -123: the least numbers have no positive counterpart. */
LEAT_CHECKED leat_code leat_bind_negative(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **out);
/* -1 and an error with the nearest name. (bind_name.c) */
LEAT_CHECKED leat_code leat_bind_column(leat_plan *plan, const leat_scope *scope, const leat_ast_name *name,
                                        int32_t *out);
LEAT_CHECKED leat_code leat_scope_add(leat_plan *plan, leat_scope *scope, const leat_scope_relation *relation);
bool leat_ast_has_aggregate(const leat_ast_expr *ast);

/* FROM. (bind_from.c) */
typedef struct leat_cte leat_cte;
struct leat_cte {
    const leat_cte *outer;
    const leat_ast_with *with;
    const leat_cte *visible; /* what the query itself may see */
};
LEAT_CHECKED leat_code leat_bind_from(leat_plan *plan, const leat_cte *ctes, const leat_ast_source *source,
                                      leat_scope *scope);
/* A query within a query. (bind_query.c) */
LEAT_CHECKED leat_code leat_bind_query_in(leat_plan *plan, const leat_cte *ctes, const leat_ast_query *query,
                                          leat_rel **out);
/* Gives the columns new names; their number must fit. */
LEAT_CHECKED leat_code leat_rename(leat_plan *plan, leat_rel *rel, const leat_ast_list *names, leat_sql_range place,
                                   leat_rel **out);
