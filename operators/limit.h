/* LIMIT and OFFSET without an order: skips the first `offset` rows, passes the next `limit`, drops the rest.
 * Insert-only input, parallelism 1. State: the rows counted so far. */
#pragma once

#include "flow/registry.h"

typedef struct leat_limit_config {
    int64_t offset;
    int64_t limit; /* -1: none */
} leat_limit_config;

void leat_limit_config_write(const leat_limit_config *config, leat_bytes *out);

extern const leat_operator_factory leat_limit_factory; /* "limit" */
