/* The live files of a table of fixed buckets as lookups want them: by partition and bucket, with the range of their
 * keys, and the pieces of them that are known (lookup_blocks.h). Used by one thread. */
#pragma once

#include "paimon/manifest.h"
#include "paimon/pk/buffer.h"
#include "paimon/pk/lookup_config.h"

typedef struct leat_pk_lookup_bucket leat_pk_lookup_bucket;
typedef struct leat_pk_lookup_file leat_pk_lookup_file;
struct leat_pk_load; /* lookup_blocks.c */

/* Consecutive rows of a file. Their place and the range of their keys stay known when the rows are let go. */
typedef struct leat_pk_piece {
    leat_pk_lookup_file *file;
    int64_t first_row;
    int32_t rows_count;
    leat_batch *range;   /* key columns of its first and its last row */
    bool is_there;       /* the rows are in memory: */
    bool stays;          /* until the next slice of work has ended */
    bool is_pinned;      /* the next one, too */
    leat_pk_buffer rows; /* hashed by key; sequence numbers and kinds as in the file */
    leat_batch *view;
    bool has_deletes;
    int64_t bytes;
    uint64_t used; /* when it answered last */
    bool is_wanted;
} leat_pk_piece;

struct leat_pk_lookup_file {
    leat_paimon_file meta; /* only what reading it takes */
    char *name, *external_path;
    leat_pk_lookup_bucket *bucket;
    leat_batch *range; /* key columns of its first and its last row */
    leat_pk_piece **pieces;
    size_t pieces_count, pieces_capacity;
    bool is_mapped; /* all of its pieces are known */
    bool is_queued, is_missing, is_deleted;
    struct leat_pk_load *load; /* NULL: it is not being read */
};

struct leat_pk_lookup_bucket {
    char *path;
    leat_pk_lookup_file **files; /* that with the youngest records first */
    size_t files_count, files_capacity;
    uint32_t version;      /* changes with the files */
    uint64_t call;         /* scratch of a lookup, as: */
    uint32_t group, count; /* where its keys end in the order by bucket, how many they are */
    bool is_touched;
};

typedef struct leat_pk_lookup_partition {
    uint8_t *row; /* serialised */
    size_t row_size;
    int32_t total_buckets; /* by which its keys are spread */
    leat_pk_lookup_bucket **buckets;
    size_t buckets_count, buckets_capacity;
} leat_pk_lookup_partition;

typedef struct leat_pk_lookup_index {
    const leat_pk_lookup_config *config;
    leat_pk_lookup_partition **partitions;
    size_t partitions_count, partitions_capacity;
    uint32_t *slots; /* of partitions by row: index + 1; 0: empty */
    size_t slots_count;
    size_t files_count;
    leat_layout *key_layouts; /* of ranges */
    /* Tells that a file has gone, before it is freed. */
    void (*on_delete)(void *context, leat_pk_lookup_file *file);
    void *on_delete_context;
} leat_pk_lookup_index;

LEAT_CHECKED leat_code leat_pk_lookup_index_init(leat_pk_lookup_index *self, const leat_pk_lookup_config *config,
                                                 leat_error *error);
void leat_pk_lookup_index_done(leat_pk_lookup_index *self);
/* What a plan brought. *is_stale: it does not fit to what is known, so the whole plan is to be read. */
LEAT_CHECKED leat_code leat_pk_lookup_index_apply(leat_pk_lookup_index *self, const leat_paimon_entries *entries,
                                                  bool is_whole, bool *is_stale, leat_error *error);
/* NULL: there is none. */
leat_pk_lookup_partition *leat_pk_lookup_index_find(const leat_pk_lookup_index *self, const uint8_t *row, size_t size);
/* A range of the key columns of rows `first` and `last` of a view. */
LEAT_CHECKED leat_code leat_pk_lookup_range_new(const leat_pk_lookup_index *self, const leat_batch *view, int32_t first,
                                                int32_t last, leat_batch **out, leat_error *error);
/* −1: before the range; 0: within; 1: behind. */
int leat_pk_lookup_range_compare(const leat_pk_lookup_config *config, const leat_batch *range, const leat_batch *keys,
                                 int32_t row);
/* Frees the rows of a piece; its place stays known. */
void leat_pk_piece_drop(leat_pk_piece *piece);
void leat_pk_piece_free(leat_pk_piece *piece);
