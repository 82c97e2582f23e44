/* The files of one (partition, bucket) of an append table that a subtask writes. Internal to append_writer.c. */
#pragma once

#include "paimon/file_writer.h"
#include "paimon/path.h"
#include "paimon/table.h"

/* What all targets of a writer have in common. */
typedef struct leat_append_shared {
    leat_operator_context *context;
    leat_arena *arena; /* the operator's */
    leat_paimon_table *table;
    leat_schema columns;
    int32_t *field_ids;
    int32_t total_buckets;
    int64_t target_file_bytes;
    const char *file_prefix, *file_format;
} leat_append_shared;

/* A file without more rows, on its way to storage. */
typedef struct leat_append_closing leat_append_closing;
struct leat_append_closing {
    leat_append_closing *next;
    leat_paimon_file_writer *writer; /* NULL: all of its rows are in the tail */
    leat_batch *tail;                /* rows that are written when it is finished; NULL: none */
    int64_t checkpoint_id;           /* that it belongs to; 0: rolled since the last cut, so the next one's */
    int64_t first_sequence;
    bool is_finished, is_done;
};

/* Few rows at a time, as they come with many partitions, wait in a buffer: an encoder's write has a price, and an
 * encoder that is not there needs no memory. */
enum { LEAT_APPEND_BUFFER_ROWS = 256 };

typedef struct leat_append_target {
    leat_append_shared *shared;
    uint8_t *partition; /* serialised row */
    size_t partition_size;
    int32_t bucket;
    const char *folder;
    leat_paimon_names names;
    leat_paimon_file_writer *open; /* NULL: none */
    leat_batch_builder buffer;     /* later rows of the same file; not initialised until the first */
    int64_t next_sequence, open_first_sequence;
    int64_t used; /* when rows came last, by the writer's count of batches */
    leat_append_closing *closing, **closing_last;
} leat_append_target;

LEAT_CHECKED leat_code leat_append_target_init(leat_append_target *self, leat_append_shared *shared,
                                               const uint8_t *partition, size_t partition_size, int32_t bucket,
                                               leat_error *error);
void leat_append_target_done(leat_append_target *self);
/* Writes the selected rows; rolls when the file is large enough. */
LEAT_CHECKED leat_code leat_append_target_write(leat_append_target *self, const leat_batch *batch, leat_error *error);
/* Whether a file is open, or rows wait for one. */
bool leat_append_target_is_open(const leat_append_target *self);
/* Ends the open file, if any, and sends it. */
LEAT_CHECKED leat_code leat_append_target_roll(leat_append_target *self, leat_error *error);
/* Closes for a checkpoint: all files so far belong to it (if to no earlier one). */
LEAT_CHECKED leat_code leat_append_target_cut(leat_append_target *self, int64_t checkpoint_id, leat_error *error);
/* Sends what is ready, finishes at most one file up to the checkpoint. *all_done: its files are durable; *did_finish: a
 * slice of work was done. */
LEAT_CHECKED leat_code leat_append_target_advance(leat_append_target *self, int64_t checkpoint_id, bool *all_done,
                                                  bool *did_finish, leat_error *error);
/* Once all are done: the message with the checkpoint's files, which are forgotten; nothing is appended when there are
 * none. */
LEAT_CHECKED leat_code leat_append_target_message(leat_append_target *self, int64_t checkpoint_id, leat_bytes *out,
                                                  leat_error *error);
/* Bytes held in the encoder and the buffer; bytes waiting for storage. */
int64_t leat_append_target_open_bytes(const leat_append_target *self);
int64_t leat_append_target_backlog(const leat_append_target *self);
