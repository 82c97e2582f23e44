/* Pieces of data files in memory, for lookups by key. A file that is asked for is decoded once, in slices, into pieces
 * that are hashed by key; they are let go, least recently used first, when they take more than the budget. A file that
 * fits easily is one piece; larger ones are cut, so that what is used of them stays. A piece that was let go comes back
 * by decoding from the start of the row group it lies in.
 *
 * Bytes come by jobs of the context, decoding is done by `step` in the operator's thread. Memory: the budget, what one
 * step brings, and what the first key that waits needs (a piece of each sorted run), so that there is always progress.
 * Used by one thread. */
#pragma once

#include "paimon/pk/file_reader.h"
#include "paimon/pk/lookup_index.h"

enum { LEAT_PK_LOADS_MAX = 4 };

typedef struct leat_pk_load leat_pk_load;

typedef struct leat_pk_blocks {
    const leat_pk_lookup_config *config;
    const leat_pk_lookup_index *index;
    leat_pk_io io;
    int64_t budget_bytes, bytes;
    leat_pk_load *loads[LEAT_PK_LOADS_MAX];
    int32_t loads_count;
    leat_pk_lookup_file **queue; /* files that are asked for, in order */
    size_t queue_count, queue_capacity;
    leat_pk_piece **pieces; /* that are in memory */
    size_t pieces_count, pieces_capacity;
    uint64_t clock;
    bool has_first;        /* what the first waiting key needs is pinned, since the last step */
    int64_t files_opened;  /* so far */
    int32_t missing_count; /* files that are not there (any more) */
    leat_error missing;    /* what was said of the last of them */
    leat_code missing_code;
    uint64_t *hashes64;
    uint32_t *hashes;
    uint16_t *rows; /* 0, 1, 2, … */
} leat_pk_blocks;

LEAT_CHECKED leat_code leat_pk_blocks_init(leat_pk_blocks *self, const leat_pk_lookup_config *config,
                                           const leat_pk_lookup_index *index, leat_error *error);
/* When no job of it runs; before the index goes. */
void leat_pk_blocks_done(leat_pk_blocks *self);
/* Asks for a file's rows: for the piece, or (NULL) for what is not known of it yet. *is_new becomes true when that is
 * news, so that a step is to follow. */
LEAT_CHECKED leat_code leat_pk_blocks_want(leat_pk_blocks *self, leat_pk_lookup_file *file, leat_pk_piece *piece,
                                           bool *is_new, leat_error *error);
/* Forgets a file that was deleted. */
void leat_pk_blocks_forget(leat_pk_blocks *self, leat_pk_lookup_file *file);
/* A slice of loading. *has_more: there is more to do at once; otherwise a job wakes the operator, if one runs. Pieces
 * that it brought stay at least until the next step; who waits should ask between the two. */
LEAT_CHECKED leat_code leat_pk_blocks_step(leat_pk_blocks *self, bool *has_more, leat_error *error);
static inline void leat_pk_blocks_use(leat_pk_blocks *self, leat_pk_piece *piece)
{
    piece->used = ++self->clock;
}
