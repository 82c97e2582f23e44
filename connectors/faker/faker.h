/* `faker`: made-up rows from expressions (flink-faker's connector). The operator "faker" is a source without an
 * enumerator. */
#pragma once

#include "flow/connector.h"
#include "flow/registry.h"

typedef struct leat_faker_config {
    leat_schema schema;
    const char **expressions; /* one a column */
    double *null_rates;
    int64_t rows_per_second; /* over all subtasks; each makes at least 1 */
    int64_t rows_count;      /* over all subtasks; -1: endless */
} leat_faker_config;

void leat_faker_config_write(const leat_faker_config *config, leat_bytes *out);

extern const leat_operator_factory leat_faker_factory;
extern const leat_connector leat_faker_connector;
