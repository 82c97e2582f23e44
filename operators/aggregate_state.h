/* Inside of the aggregate: aggregate.c drives and folds a batch's changes, aggregate_rows.c makes a change a row,
 * aggregate_config.c knows functions and the configuration. */
#pragma once

#include "flow/state.h"
#include "operators/accumulator.h"

/* A group's record. */
typedef struct leat_aggregate_group {
    int64_t rows;    /* of the input in it */
    int64_t touched; /* the batch that changed it last */
    bool is_out;     /* the downstream knows it */
    leat_accumulator accumulators[];
} leat_aggregate_group;

typedef struct leat_aggregate {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_aggregate_config config;
    leat_accumulator_kind *kinds;
    leat_type *key_types;
    leat_layout *output_layouts;
    leat_state *state;
    leat_state_keys keys;
    void **groups;                   /* of the batch's rows */
    leat_accumulator **accumulators; /* of one call, of the rows that count */
    uint16_t *rows;
    int8_t *signs;
    leat_aggregate_group **touched; /* in order of first touch */
    int32_t touched_count, touched_next;
    int64_t batch_number;
    leat_batch_builder before, out;  /* rows as the downstream knows them; rows to emit */
    leat_batch *old_rows, *new_rows; /* of the touched groups */
    size_t cursor;                   /* of the final pass of a batch job */
    size_t part_bytes;               /* of the newest snapshot */
    bool is_final;
    /* a change a row (aggregate_rows.c) */
    leat_batch *current; /* in hand; its rows before `next` are done */
    int32_t next;
    leat_column *key_columns;
    uint8_t *steps, *changed;
    int8_t *deltas;
} leat_aggregate;

LEAT_CHECKED leat_code leat_aggregate_config_read(leat_aggregate *self, const uint8_t *data, size_t size,
                                                  leat_error *error);

/* A change a row of the batch in `current`, whose groups are in `groups`: as many rows as one output batch surely
 * holds; AGAIN: there are more. */
LEAT_CHECKED leat_code leat_aggregate_rows_open(leat_aggregate *self, leat_error *error);
LEAT_CHECKED leat_code leat_aggregate_rows_step(leat_aggregate *self, leat_progress *progress, leat_error *error);
void leat_aggregate_rows_close(leat_aggregate *self);
