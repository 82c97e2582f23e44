/* Reads a split of a primary-key table merged: files of one bucket (whole sections of it) are merged by key with the
 * table's merge engine, deletes are dropped. What a batch scan and the full phase of a streaming read deliver. A split
 * that needs no merging (leat_paimon_split_is_raw) is read file by file by the same reader.
 *
 * Steps never block when a context is given: storage is read by jobs of the context, which wake it; without a context
 * they are done in place (session threads, tests). Memory is bounded by the table's options sort-spill-threshold
 * and sort-spill-buffer-size: of more runs, some are merged on disk first. */
#pragma once

#include "flow/operator.h"
#include "paimon/table.h"

typedef struct leat_merge_reader leat_merge_reader;

typedef enum leat_merge_read_status {
    LEAT_MERGE_READ_BATCH, /* *out is the next batch, of the wanted columns */
    LEAT_MERGE_READ_WAIT,  /* bytes are on their way: step again after on_wake */
    LEAT_MERGE_READ_AGAIN, /* a slice of work was done: step again soon */
    LEAT_MERGE_READ_END,
} leat_merge_read_status;

typedef struct leat_merge_read_options {
    const leat_paimon_table *table; /* borrowed until the reader is freed */
    const char *bucket_path;        /* "<table>/<partition>/bucket-<n>"; copied */
    const leat_paimon_file *files;  /* of one bucket, in any order; borrowed until freed */
    size_t files_count;
    const int32_t *columns; /* wanted columns of the table's schema, in this order */
    int32_t columns_count;
    /* Delta and changelog files: every record as it is, with its kind (+U, −D …), in file and key order. */
    bool is_changes;
    leat_env *env;
    leat_operator_context *context; /* NULL: blocking */
} leat_merge_read_options;

LEAT_CHECKED leat_code leat_merge_reader_new(const leat_merge_read_options *options, leat_merge_reader **out,
                                             leat_error *error);
/* Row kinds: +I, or +U where the merged record says so; with is_changes all four. */
LEAT_CHECKED leat_code leat_merge_reader_step(leat_merge_reader *reader, leat_merge_read_status *status,
                                              leat_batch **out, leat_error *error);
/* Only when no job of it is under way: in `close` of the operator, or after END. */
void leat_merge_reader_free(leat_merge_reader *reader);
