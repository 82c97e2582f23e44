/* The write buffer of one bucket: rows of one key are merged as they come, before anything is sorted (a hash table over
 * the key columns of a leat_pk_state). With changelog-producer=input every row is kept beside it, unmerged.
 *
 * Cost sketch, 10 keys of short text and two INT sums: probe (one slot, one 16-byte compare) 5 ns a row, sums 1.5 ns
 * each. */
#pragma once

#include "paimon/pk/state.h"

typedef struct leat_pk_raw_rows {
    leat_batch **batches; /* each of LEAT_BATCH_ROWS_MAX rows but the last */
    size_t batches_count, batches_capacity;
    leat_batch_builder builder;
    uint32_t *targets;
    size_t targets_capacity;
    int64_t *sequences;
    size_t sequences_capacity;
    size_t count, bytes;
} leat_pk_raw_rows;

typedef struct leat_pk_buffer {
    const leat_pk_options *options;
    leat_pk_state state;
    uint32_t *slots; /* row + 1; 0: empty */
    uint32_t slots_mask;
    int32_t slots_shift;
    uint32_t *hashes; /* of each row's key */
    size_t hashes_capacity;
    bool keeps_raw;
    leat_pk_raw_rows raw;
} leat_pk_buffer;

LEAT_CHECKED leat_code leat_pk_buffer_init(leat_pk_buffer *buffer, const leat_pk_options *options, leat_error *error);
void leat_pk_buffer_done(leat_pk_buffer *buffer);
void leat_pk_buffer_reset(leat_pk_buffer *buffer);
size_t leat_pk_buffer_bytes(const leat_pk_buffer *buffer);
/* Merges `count` rows of the batch (whose first columns are the table's); hashes[i] is of the key of rows[i]. Sequence
 * numbers rise from first_sequence. New keys are the state's rows from its old count on; their hashes in
 * buffer->hashes. */
LEAT_CHECKED leat_code leat_pk_buffer_add(leat_pk_buffer *buffer, const leat_batch *batch, const uint16_t *rows,
                                          const uint32_t *hashes, int32_t count, int64_t first_sequence,
                                          leat_error *error);
/* targets[i]: the state's row with the key in `columns` of the batch's selected row at position first + i, or -1. */
void leat_pk_buffer_find(const leat_pk_buffer *buffer, const leat_batch *batch, const int32_t *columns, int32_t first,
                         const uint32_t *hashes, int32_t count, int32_t *targets);
/* Rows of the state in key order: allocated, freed by the caller. */
LEAT_CHECKED leat_code leat_pk_buffer_sort(const leat_pk_buffer *buffer, uint32_t **order, leat_error *error);
/* Raw rows in key order, then by sequence: allocated. `order` is that of leat_pk_buffer_sort. */
LEAT_CHECKED leat_code leat_pk_buffer_sort_raw(leat_pk_buffer *buffer, const uint32_t *order, uint32_t **raw_order,
                                               leat_error *error);
/* As leat_pk_state_gather, of raw rows. count ≤ LEAT_BATCH_ROWS_MAX. */
LEAT_CHECKED leat_code leat_pk_buffer_gather_raw(leat_pk_buffer *buffer, const uint32_t *raw_order, int32_t count,
                                                 leat_batch **out, leat_error *error);
