/* Inside of the lookup join: its rows in waiting. lookup_join.c drives, lookup_held.c keeps rows and keys,
 * lookup_emit.c makes output rows. */
#pragma once

#include "operators/lookup_join.h"

/* Held rows of one input batch, dense. */
typedef struct leat_held_chunk {
    leat_batch *batch;
    int32_t rows_left;
} leat_held_chunk;

typedef enum leat_waiting_state {
    LEAT_WAITING_MISS,    /* asked, not there: asked again at `next_us` */
    LEAT_WAITING_PENDING, /* asked, no answer yet */
    LEAT_WAITING_FOUND,
    LEAT_WAITING_GIVEN_UP,
} leat_waiting_state;

/* A distinct key that rows wait for. */
typedef struct leat_waiting_key {
    uint64_t hash;
    leat_waiting_state state;
    int32_t rows; /* that wait for it; 0: the slot is free */
    int32_t retries;
    int64_t next_us, asked_us;
    leat_held_chunk *chunk; /* where a row with the key lies, until it is found or given up */
    int32_t chunk_row;
    leat_batch *found;
    int32_t found_first, found_count;
} leat_waiting_key;

typedef struct leat_held_row {
    leat_held_chunk *chunk;
    int32_t row;
    int32_t key;     /* index in the waiting keys; -1: not asked yet (no room) */
    int32_t retries; /* that it brought from a checkpoint */
} leat_held_row;

typedef struct leat_lookup_join {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_lookup_join_config config;
    leat_lookup *lookup;
    leat_program *condition;
    leat_layout *key_layouts, *table_layouts;
    leat_type *key_types;
    int32_t joined_count;
    int32_t *needed; /* joined columns that output or condition use, ascending; the stream's come first */
    int32_t needed_count, needed_stream_count;
    leat_layout *needed_layouts;
    int32_t *counts;    /* of a get_many */
    int64_t refresh_us; /* when the lookup is to be refreshed at the latest */

    leat_batch *current, *current_keys; /* the batch in hand */
    int32_t cursor;                     /* selected rows of it that are done */
    leat_batch **outputs;               /* ready, in order */
    size_t outputs_count, outputs_capacity, outputs_next;

    leat_held_row *held; /* in order of arrival */
    size_t held_count, held_capacity;
    size_t held_bytes;
    int64_t unasked_count;
    leat_waiting_key *keys; /* config.capacity of them */
    int32_t keys_used;

    /* Rows being made (lookup_emit.c). */
    leat_batch_builder joined;
    int32_t *groups; /* of each joined row: which stream row it belongs to */
    uint8_t *is_null_row;
    int32_t group;
} leat_lookup_join;

/* --- lookup_emit.c --- */

LEAT_CHECKED leat_code leat_lookup_emit_init(leat_lookup_join *self, leat_error *error);
void leat_lookup_emit_done(leat_lookup_join *self);
/* One stream row with its `count` table rows from `first` of `found` on (none: NULLs for a left join, nothing for an
 * inner one), into the rows being made. */
LEAT_CHECKED leat_code leat_lookup_emit_row(leat_lookup_join *self, const leat_batch *stream, int32_t row,
                                            const leat_batch *found, int32_t first, int32_t count, leat_error *error);
/* Rows being made become output. */
LEAT_CHECKED leat_code leat_lookup_emit_flush(leat_lookup_join *self, leat_error *error);
/* Inner joins, a column at a time: row rows[i] of the stream with row i of `found`. Takes what it can from both. */
LEAT_CHECKED leat_code leat_lookup_emit_all(leat_lookup_join *self, const leat_batch *stream, const uint16_t *rows,
                                            int32_t count, leat_batch *found, leat_error *error);

/* --- lookup_held.c --- */

/* Holds selected rows first … end - 1 of the batch (positions in its selection). */
LEAT_CHECKED leat_code leat_lookup_hold(leat_lookup_join *self, const leat_batch *batch, const uint16_t *rows,
                                        int32_t count, leat_error *error);
/* Asks for what is due, emits what is decided, takes in held rows while there is room. */
LEAT_CHECKED leat_code leat_lookup_pump(leat_lookup_join *self, bool asks_misses, leat_error *error);
/* When a held key wants to be asked again; INT64_MAX: never. */
int64_t leat_lookup_deadline_us(const leat_lookup_join *self);
LEAT_CHECKED leat_code leat_lookup_held_write(leat_lookup_join *self, leat_bytes *out, leat_error *error);
LEAT_CHECKED leat_code leat_lookup_held_read(leat_lookup_join *self, const leat_restored *restored, leat_error *error);
void leat_lookup_held_done(leat_lookup_join *self);
/* A batch of the key columns of `batch` under its selection; shares buffers. */
LEAT_CHECKED leat_code leat_lookup_keys_of(const leat_lookup_join *self, const leat_batch *batch, leat_batch **out,
                                           leat_error *error);
LEAT_CHECKED leat_code leat_lookup_ask(leat_lookup_join *self, const leat_batch *keys, int32_t first, int32_t *done,
                                       leat_batch **found, leat_error *error);
