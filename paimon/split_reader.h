/* Reads one split to its end: append files one after another, splits of primary-key tables through the merging reader.
 * Columns come in the order and with the types of the table; what a file's schema does not have is NULL. Used by one
 * thread at a time. */
#pragma once

#include "flow/operator.h"
#include "paimon/file_reader.h"
#include "paimon/source.h"

typedef struct leat_paimon_split_reader leat_paimon_split_reader;

typedef struct leat_paimon_split_reader_options {
    const leat_paimon_source_config *config; /* borrowed until freed */
    const uint8_t *split;                    /* leat_paimon_source_split_write; borrowed until freed */
    size_t split_size;
    int64_t skip_rows; /* that were emitted before */
    leat_env *env;
    leat_operator_context *context; /* NULL: blocking */
} leat_paimon_split_reader_options;

LEAT_CHECKED leat_code leat_paimon_split_reader_new(const leat_paimon_split_reader_options *options,
                                                    leat_paimon_split_reader **out, leat_error *error);
/* BATCH with a NULL *out: a slice of work was done, step again. */
LEAT_CHECKED leat_code leat_paimon_split_reader_step(leat_paimon_split_reader *reader, leat_paimon_read_status *status,
                                                     leat_batch **out, leat_error *error);
/* Rows emitted so far, with those that were skipped. */
int64_t leat_paimon_split_reader_position(const leat_paimon_split_reader *reader);
void leat_paimon_split_reader_free(leat_paimon_split_reader *reader);
