/* `datagen`: made-up rows (Flink's connector of that name). The operator "datagen" is a source without an enumerator:
 * each subtask makes its share. Random values differ each run; sequences and the number of rows are state. */
#pragma once

#include "columnar/batch.h"
#include "flow/connector.h"
#include "flow/registry.h"

typedef enum leat_datagen_kind {
    LEAT_DATAGEN_RANDOM,
    LEAT_DATAGEN_SEQUENCE,
} leat_datagen_kind;

typedef struct leat_datagen_field {
    leat_datagen_kind kind;
    int64_t min, max;              /* integers, decimals (unscaled, must fit), sequence start and end; both inclusive */
    double min_double, max_double; /* FLOAT, DOUBLE */
    int32_t length;                /* of text and bytes */
    bool is_var_length;            /* random length 1 … length */
    double null_rate;              /* 0 … 1 */
    int64_t max_past_ms;           /* of timestamps: now minus up to this */
} leat_datagen_field;

typedef struct leat_datagen_config {
    leat_schema schema;
    leat_datagen_field *fields; /* one a column */
    int64_t rows_per_second;    /* over all subtasks; each makes at least 1 */
    int64_t rows_count;         /* over all subtasks; -1: endless */
} leat_datagen_config;

/* Defaults of a column, as Flink's: whole ranges, lengths. */
leat_datagen_field leat_datagen_field_default(const leat_type *type);

void leat_datagen_config_write(const leat_datagen_config *config, leat_bytes *out);

extern const leat_operator_factory leat_datagen_factory;
extern const leat_connector leat_datagen_connector;
