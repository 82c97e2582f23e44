/* ORDER BY [OFFSET] [LIMIT] of a bounded, insert-only input: collects it, and emits at its end. With a limit only the
 * first offset + limit rows are kept. Stable: equal rows keep the order they came in. No state: batch jobs have no
 * checkpoints before their end. Memory is bounded by the context's budget: LEAT_LIMIT beyond it. */
#pragma once

#include "flow/registry.h"

typedef struct leat_sort_key {
    int32_t column;
    bool is_descending;
    bool nulls_last; /* Flink's default: first when ascending, last when descending */
} leat_sort_key;

typedef struct leat_sort_config {
    leat_schema input;
    int32_t keys_count;
    const leat_sort_key *keys;
    int64_t offset;
    int64_t limit; /* -1: none */
} leat_sort_config;

void leat_sort_config_write(const leat_sort_config *config, leat_bytes *out);

extern const leat_operator_factory leat_sort_factory; /* "sort" */
