/* The constraint enforcer before a sink: rows with NULL in a NOT NULL column fail the job, or are dropped
 * (table.exec.sink.not-null-enforcer). No state. */
#pragma once

#include "flow/registry.h"

typedef enum leat_not_null_action {
    LEAT_NOT_NULL_ERROR,
    LEAT_NOT_NULL_DROP,
} leat_not_null_action;

typedef struct leat_not_null_config {
    leat_not_null_action action;
    int32_t columns_count;
    const int32_t *columns;
    const char *const *names; /* of those columns, for the message */
} leat_not_null_config;

void leat_not_null_config_write(const leat_not_null_config *config, leat_bytes *out);

extern const leat_operator_factory leat_not_null_factory; /* "not-null" */
