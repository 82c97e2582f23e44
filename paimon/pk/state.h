/* Merged rows, columnar: one row a key, into which records of that key are merged by the table's merge engine
 * (merge-tree.md §4). The write buffer keeps one for all keys it holds; a merge of sorted runs one for the rows of its
 * next output batch.
 *
 * A key with one record passes as it is, kind and all; the engine comes in with the second record. Strings are copied
 * into heaps that only grow: `bytes` counts what was replaced, too. */
#pragma once

#include "columnar/batch.h"
#include "paimon/pk/options.h"

typedef struct leat_pk_column {
    leat_column column; /* validity always there; its bits of rows to come are 0 */
    leat_type type;
    leat_pk_function function;
    bool ignore_retract;
    size_t heap_used; /* of the last heap */
    int32_t heaps_capacity;
} leat_pk_column;

typedef struct leat_pk_state {
    leat_pk_engine engine;
    bool remove_record_on_delete, ignore_delete;
    int32_t columns_count;
    leat_pk_column *columns;
    int8_t *kinds;      /* leat_row_kind of each row */
    uint8_t *records;   /* 0, 1, or 2: two and more */
    int64_t *sequences; /* of the last record */
    int32_t rows, capacity;
    int32_t lone_retracts; /* rows of one record that is a retraction (aggregation): all changes go the slow way */
    size_t heap_bytes;
} leat_pk_state;

/* Columns: those of the table's schema that are kept, in this order; NULL: all. */
LEAT_CHECKED leat_code leat_pk_state_init(leat_pk_state *state, const leat_pk_options *options, const int32_t *columns,
                                          int32_t columns_count, leat_error *error);
void leat_pk_state_done(leat_pk_state *state);
/* Forgets all rows and their strings; keeps the capacity. */
void leat_pk_state_reset(leat_pk_state *state);
size_t leat_pk_state_bytes(const leat_pk_state *state);
/* Room for `rows` rows in all. */
LEAT_CHECKED leat_code leat_pk_state_reserve(leat_pk_state *state, int32_t rows, leat_error *error);
/* An empty row at the end (there must be room), into which nothing was merged yet. */
static inline int32_t leat_pk_state_new_row(leat_pk_state *state)
{
    return state->rows++;
}
/* Merges row `row` of the batch, whose columns are the state's in order, into row `target`. */
LEAT_CHECKED leat_code leat_pk_state_add(leat_pk_state *state, int32_t target, const leat_batch *batch, int32_t row,
                                         leat_row_kind kind, int64_t sequence, leat_error *error);
/* Merges `count` rows of the batch, a column at a time; sequence numbers rise from first_sequence. */
LEAT_CHECKED leat_code leat_pk_state_add_many(leat_pk_state *state, const leat_batch *batch, const uint16_t *rows,
                                              const uint32_t *targets, int32_t count, int64_t first_sequence,
                                              leat_error *error);
/* A batch of the rows order[0 … count): the state's columns, then a BIGINT column of sequence numbers; kinds always
 * there. Heaps are shared: the batch outlives the state's reset. */
LEAT_CHECKED leat_code leat_pk_state_gather(const leat_pk_state *state, const uint32_t *order, int32_t count,
                                            leat_batch **out, leat_error *error);
