/* How the planner asks a connector for sources, sinks and lookups: the planning half of a connector, in the job
 * manager. The table of all connectors is connectors/registry.h; the running half are operators, enumerators and
 * committers in the registry (flow/registry.h).
 *
 * Everything given is borrowed for the call; everything returned lives in the arena. Options are checked here: a
 * missing, unknown or wrong option is LEAT_INVALID with Flink's words (spec: connectors §1). */
#pragma once

#include "columnar/expr.h"
#include "common/arena.h"
#include "common/config.h"
#include "common/env.h"
#include "flow/registry.h"
#include "flow/secrets.h"

/* Which row kinds a changelog may hold. */
enum {
    LEAT_CHANGES_INSERT = 1,
    LEAT_CHANGES_UPDATE_BEFORE = 2,
    LEAT_CHANGES_UPDATE_AFTER = 4,
    LEAT_CHANGES_DELETE = 8,
    LEAT_CHANGES_UPSERT = 1 | 4 | 8,
    LEAT_CHANGES_ALL = 15,
};

typedef struct leat_table {
    const char *catalog, *database, *name;
    leat_schema schema; /* physical columns */
    const int32_t *primary_key;
    int32_t primary_key_count;
    const char *const *partition_keys;
    int32_t partition_keys_count;
    const leat_config *options; /* WITH, then hints over them; of a Paimon table also "path" */
    const char *comment;
} leat_table;

typedef struct leat_plan_context {
    leat_arena *arena;
    leat_env *env; /* Paimon reads its schema and snapshots; may block (session threads) */
    const leat_config *session;
    bool is_batch;
    int32_t parallelism; /* of the session */
    const char *time_zone;
    leat_secrets *secrets; /* where passwords go; NULL: they stay in the configurations (tests) */
} leat_plan_context;

/* An operator of a plan; text and config in the arena. */
typedef struct leat_plan_operator {
    const char *type; /* in the registry */
    const char *name; /* as in the job graph: "Source: orders_gen", "Writer : orders" */
    const char *description;
    leat_bytes config; /* the planner copies it and frees it */
} leat_plan_operator;

typedef struct leat_source_request {
    const int32_t *columns; /* of the table's schema that are wanted, in that order; NULL: all */
    int32_t columns_count;
    const leat_expr *filter; /* over the wanted columns; a hint: the planner filters again unless is_filtered */
    int64_t limit;           /* a hint; -1: none */
} leat_source_request;

typedef struct leat_source_plan {
    leat_plan_operator source;
    const char *enumerator; /* NULL: none */
    leat_bytes enumerator_config;
    int32_t changes; /* LEAT_CHANGES_… */
    bool is_bounded;
    bool is_filtered;
    int32_t parallelism; /* -1: the session's; else fixed (1 for CDC and the like) */
} leat_source_plan;

enum { LEAT_SINK_STAGES_MAX = 8, LEAT_STAGE_OPERATORS_MAX = 4 };

/* A sink is a line of stages, each a vertex unless its exchange is FORWARD and parallelism equal: then it is chained.
 */
typedef struct leat_sink_stage {
    Leat__Pb__Exchange exchange; /* into this stage */
    const uint32_t *key_columns;
    uint32_t key_columns_count;
    const char *ship_strategy; /* as shown; NULL: by exchange */
    leat_schema input;         /* of this stage */
    leat_plan_operator operators[LEAT_STAGE_OPERATORS_MAX];
    int32_t operators_count;
    int32_t parallelism;   /* -1: as the stage before (the query, for the first) */
    bool is_unchained;     /* a vertex of its own although it could be chained */
    const char *committer; /* of a two-phase sink: its last operator is the writer; NULL: none */
    leat_bytes committer_config;
} leat_sink_stage;

typedef struct leat_sink_request {
    int32_t changes; /* what the query makes */
    bool is_overwrite;
    const char *const *static_partition; /* pairs key, value of INSERT … PARTITION (…) */
    int32_t static_partition_count;
} leat_sink_request;

typedef struct leat_sink_plan {
    leat_sink_stage stages[LEAT_SINK_STAGES_MAX];
    int32_t stages_count;
    int32_t accepts; /* LEAT_CHANGES_… that it wants: INSERT only, UPSERT (the planner may leave out −U), or ALL */
    bool needs_key_order; /* changes of one key must reach it in order: upsert sinks */
} leat_sink_plan;

/* A lookup is the configuration of the running half (flow/lookup.h), embedded in the lookup join operator's. */
typedef struct leat_lookup_plan {
    const char *type; /* leat_lookup_factory in the registry */
    leat_bytes config;
    bool is_async; /* default of the table's options; a LOOKUP hint overrides */
} leat_lookup_plan;

typedef struct leat_connector {
    const char *identifier; /* 'connector' = '…' */
    /* NULL: can't be used so; the planner says it in Flink's words. */
    leat_code (*plan_source)(const leat_plan_context *context, const leat_table *table,
                             const leat_source_request *request, leat_source_plan *out, leat_error *error);
    leat_code (*plan_sink)(const leat_plan_context *context, const leat_table *table, const leat_sink_request *request,
                           leat_sink_plan *out, leat_error *error);
    /* `keys`: columns of the table that are compared with the stream, in this order; `columns`: those that are wanted.
     */
    leat_code (*plan_lookup)(const leat_plan_context *context, const leat_table *table, const int32_t *keys,
                             int32_t keys_count, const int32_t *columns, int32_t columns_count, leat_lookup_plan *out,
                             leat_error *error);
} leat_connector;

/* An option that a connector knows. */
typedef struct leat_connector_option {
    const char *key; /* "fields.#.kind": # stands for a column's name */
    leat_option_type type;
    bool is_required;
    const char *doc;
} leat_connector_option;

/* Checks keys and value forms of a table's options against the connector's list (ended by a NULL key), with Flink's
 * messages. 'connector' and the options of all connectors are known. */
LEAT_CHECKED leat_code leat_connector_check_options(const char *identifier, const leat_config *options,
                                                    const leat_schema *schema, const leat_connector_option *known,
                                                    leat_error *error);
