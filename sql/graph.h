/* The job graph under construction: vertices with their chains, edges, and the tree that EXPLAIN prints. */
#pragma once

#include "sql/plan.h"

enum { LEAT_GRAPH_VERTICES_MAX = 512, LEAT_GRAPH_CHAIN_MAX = 32, LEAT_STREAM_PARTS_MAX = 64 };

typedef struct leat_graph_operator {
    const char *type, *uid, *name, *description;
    const uint8_t *config;
    size_t config_size;
} leat_graph_operator;

typedef struct leat_graph_vertex {
    leat_graph_operator operators[LEAT_GRAPH_CHAIN_MAX];
    int32_t operators_count;
    int32_t parallelism;
    bool is_source;
    const char *enumerator, *committer;
    const uint8_t *enumerator_config, *committer_config;
    size_t enumerator_config_size, committer_config_size;
} leat_graph_vertex;

typedef struct leat_graph_edge {
    int32_t source, target;
    Leat__Pb__Exchange exchange;
    const uint32_t *keys;
    int32_t keys_count;
    const uint8_t *schema;
    size_t schema_size;
    const char *ship_strategy;
} leat_graph_edge;

/* A node of the printed plan. */
typedef struct leat_exec_node leat_exec_node;
struct leat_exec_node {
    const char *text;
    int32_t changes;
    leat_exec_node **inputs;
    int32_t inputs_count;
};

/* Rows on their way: what the newest operators of one branch put out. */
typedef struct leat_stream {
    int32_t vertices[LEAT_STREAM_PARTS_MAX]; /* more than one: a union */
    int32_t vertices_count;
    leat_schema schema;
    int32_t parallelism;
    int32_t changes; /* LEAT_CHANGES_… */
    bool is_bounded;
    bool has_lost_key; /* it had one, and a projection left it out */
    bool has_key;      /* `key`: no two rows that are there at a time agree in these columns */
    const int32_t *key;
    int32_t key_count;
    leat_exec_node *node;
} leat_stream;

struct leat_graph {
    leat_plan *plan;
    int32_t *node_number;
    leat_graph_vertex *vertices[LEAT_GRAPH_VERTICES_MAX];
    int32_t vertices_count;
    leat_graph_edge *edges;
    int32_t edges_count, edges_capacity;
    leat_exec_node *roots[64];
    int32_t roots_count;
    int32_t operators_count;
    int32_t changes;
    bool is_bounded, is_chaining;
};

/* How an operator is reached. */
typedef struct leat_graph_step {
    Leat__Pb__Exchange exchange;
    const uint32_t *keys;
    int32_t keys_count;
    int32_t parallelism;
    const char *ship_strategy;
    bool is_unchained;
} leat_graph_step;

/* A source: a vertex of its own. Takes over the plan's configs. */
LEAT_CHECKED leat_code leat_graph_add_source(leat_graph *graph, const leat_source_plan *source, int32_t parallelism,
                                             leat_stream *stream);
/* An operator behind a stream: chained, or a new vertex with edges. Empties operator->config. */
LEAT_CHECKED leat_code leat_graph_add_operator(leat_graph *graph, leat_stream *stream, leat_plan_operator *operator_,
                                               const leat_graph_step *step);
/* Puts `text` on top of the stream's printed plan. */
LEAT_CHECKED leat_code leat_graph_note(leat_graph *graph, leat_stream *stream, const char *text);
/* "Calc" → "Calc[7]". */
const char *leat_graph_name(leat_graph *graph, const char *name);

/* Queries and sinks. (physical.c, physical_sink.c) */
LEAT_CHECKED leat_code leat_physical_source(leat_graph *graph, leat_rel *rel, leat_source_plan *out);
LEAT_CHECKED leat_code leat_physical(leat_graph *graph, leat_rel *rel, bool wants_upsert, leat_stream *out);
