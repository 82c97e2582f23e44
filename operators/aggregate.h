/* GROUP BY: keyed (or, without keys, global) aggregation over an append-only or changing input. DISTINCT is an
 * aggregate without calls.
 *
 *   streaming, RETRACT   a row changes its group → −U old, +U new; a new group → +I; an emptied one → −D
 *   streaming, UPSERT    the same without −U
 *   batch                nothing until the end of input, then +I a group; without keys one row even for no input
 *
 * Output columns: the keys in the order given, then the calls. A group that did not change its row emits nothing.
 * Every input row gives its change, as in Flink; where `folds_batches` is set (Flink's mini-batch) the changes of one
 * input batch to one group are folded into one, and groups come in the order of their first row.
 *
 * State: a hash table of groups, cut by key group, so that a job may be rescaled: restored parts of several subtasks
 * are filtered by the key group range of this one. The exchange before it must hash the same key columns in the same
 * order (columnar/hash.h). MIN and MAX over a changing input, and DISTINCT calls, keep each value's count. */
#pragma once

#include "columnar/expr.h"
#include "flow/registry.h"

typedef enum leat_aggregate_function {
    LEAT_AGGREGATE_COUNT_STAR,
    LEAT_AGGREGATE_COUNT,
    LEAT_AGGREGATE_SUM,
    LEAT_AGGREGATE_MIN,
    LEAT_AGGREGATE_MAX,
    LEAT_AGGREGATE_AVG,
} leat_aggregate_function;

typedef struct leat_aggregate_call {
    leat_aggregate_function function;
    bool is_distinct;
    int32_t column; /* of the input; -1 for COUNT_STAR */
    int32_t filter; /* a BOOLEAN column of the input: rows where it is TRUE; -1: all rows */
    leat_type type; /* of the result, from leat_aggregate_resolve */
} leat_aggregate_call;

typedef enum leat_aggregate_output {
    LEAT_AGGREGATE_RETRACT,
    LEAT_AGGREGATE_UPSERT,
} leat_aggregate_output;

typedef struct leat_aggregate_config {
    leat_schema input;
    int32_t keys_count;
    const int32_t *keys; /* columns of the input */
    int32_t calls_count;
    const leat_aggregate_call *calls;
    bool has_retractions; /* the input may hold −U or −D */
    leat_aggregate_output output;
    bool folds_batches; /* streaming: one change a group and input batch, not one an input row */
} leat_aggregate_config;

/* Whether `name` (any case) is an aggregate function known here. */
bool leat_aggregate_exists(const char *name);
/* Finds the function and its result type. `argument` is NULL for COUNT(*). `is_global`: no GROUP BY (SUM, MIN, MAX and
 * AVG are then nullable). LEAT_INVALID in Flink's words when the type does not fit. Sets function, type; the rest is
 * zero. */
LEAT_CHECKED leat_code leat_aggregate_resolve(const char *name, const leat_type *argument, bool is_global,
                                              leat_aggregate_call *out, leat_error *error);

void leat_aggregate_config_write(const leat_aggregate_config *config, leat_bytes *out);

extern const leat_operator_factory leat_aggregate_factory; /* "aggregate" */
