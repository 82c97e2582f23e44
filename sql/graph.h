/* A job graph in the making: vertices of chained operators, and edges. physical.c and physical_sink.c add to it;
 * graph.c packs and explains it. All in the statement's arena but the operators' configurations, which the draft owns
 * until leat_graph_done. */
#pragma once

#include "sql/plan.h"

enum { LEAT_GRAPH_VERTICES_MAX = 512, LEAT_GRAPH_OPERATORS_MAX = 64, LEAT_GRAPH_TAILS_MAX = 64 };

typedef struct leat_draft_operator {
    leat_plan_operator operator; /* its config is owned */
    const char *uid;
    int32_t changes; /* of what comes out */
} leat_draft_operator;

typedef struct leat_draft_vertex {
    leat_draft_operator operators[LEAT_GRAPH_OPERATORS_MAX];
    int32_t operators_count;
    int32_t parallelism;
    bool is_source;
    const char *enumerator, *committer;
    leat_bytes enumerator_config, committer_config; /* owned */
} leat_draft_vertex;

typedef struct leat_draft_edge {
    int32_t source, target;
    Leat__Pb__Exchange exchange;
    const uint32_t *keys;
    uint32_t keys_count;
    leat_schema schema;
    const char *ship_strategy;
} leat_draft_edge;

struct leat_graph {
    leat_plan *plan;
    int32_t *node_number; /* of the session: names count on */
    leat_draft_vertex *vertices[LEAT_GRAPH_VERTICES_MAX];
    int32_t vertices_count;
    leat_draft_edge edges[LEAT_GRAPH_VERTICES_MAX];
    int32_t edges_count, operators_count;
    bool is_unbounded;
    int32_t changes; /* of what reached the last sink */
};

/* Rows on their way: out of the last operator of one vertex, or of several after UNION ALL. */
typedef struct leat_stream {
    int32_t tails[LEAT_GRAPH_TAILS_MAX];
    int32_t tails_count;
    leat_schema schema;
    int32_t changes;
    int32_t parallelism;
} leat_stream;

/* How the next operator gets its rows. */
typedef struct leat_step {
    Leat__Pb__Exchange exchange; /* FORWARD: chained where it can be; REBALANCE instead when the parallelism changes */
    const uint32_t *keys;
    uint32_t keys_count;
    const char *ship_strategy;
    int32_t parallelism; /* of the operator */
    bool is_unchained;
} leat_step;

/* A new source vertex; *out is its stream (schema and changes are the caller's to set). Takes config. */
LEAT_CHECKED leat_code leat_graph_source(leat_graph *graph, const leat_plan_operator *source, int32_t parallelism,
                                         leat_stream *out);
/* Puts an operator behind the stream. Takes its config. The stream goes on behind it; the caller sets schema and
 * changes. */
LEAT_CHECKED leat_code leat_graph_append(leat_graph *graph, leat_stream *stream, const leat_step *step,
                                         const leat_plan_operator *operator);
/* Sets what the newest operator of the stream lets out. */
void leat_graph_set_changes(leat_graph *graph, leat_stream *stream, int32_t changes);
/* "Calc[7]": the session's next number. NULL: no memory. */
const char *leat_graph_name(leat_graph *graph, const char *base);
void leat_graph_done(leat_graph *graph);

/* Rows of the plan. `upsert`: the consumer needs no −U. (physical.c) */
LEAT_CHECKED leat_code leat_physical_rel(leat_graph *graph, leat_rel *rel, bool upsert, leat_stream *out);
/* Which changes it would make. */
int32_t leat_physical_changes(const leat_plan *plan, const leat_rel *rel, bool upsert);
leat_plan_context leat_physical_context(const leat_plan *plan);
