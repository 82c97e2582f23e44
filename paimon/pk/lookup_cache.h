/* Rows that lookups found by merging, or with some search, by key: at most so many, in two generations; what is asked
 * for again moves to the younger one, and when that is full the older one is dropped. Keys that are not there count as
 * rows. Each row knows its bucket's version: when the bucket has changed, the row is not found any more. */
#pragma once

#include "paimon/pk/lookup_index.h"

typedef struct leat_pk_cache_origin {
    const leat_pk_lookup_bucket *bucket;
    uint32_t version;
} leat_pk_cache_origin;

typedef struct leat_pk_cache_generation {
    leat_pk_buffer rows;
    leat_batch *view;
    leat_pk_cache_origin *origins; /* one a row */
} leat_pk_cache_generation;

typedef struct leat_pk_row_cache {
    const leat_pk_lookup_config *config;
    int32_t rows_max; /* of a generation; 0: nothing is cached */
    leat_pk_cache_generation young, old;
    int32_t *targets; /* scratch */
} leat_pk_row_cache;

LEAT_CHECKED leat_code leat_pk_row_cache_init(leat_pk_row_cache *self, const leat_pk_lookup_config *config,
                                              int32_t rows_max, leat_error *error);
void leat_pk_row_cache_done(leat_pk_row_cache *self);
/* The generation and *row in it of the key at a position of `keys`; NULL: it is not cached. */
const leat_pk_cache_generation *leat_pk_row_cache_find(const leat_pk_row_cache *self, const leat_batch *keys,
                                                       int32_t position, uint32_t hash,
                                                       const leat_pk_lookup_bucket *bucket, int32_t *row);
/* Rows 0 … count of a batch of the kept columns; a deletion says that the key is not there. What `find` gave is not
 * valid any more after it. */
LEAT_CHECKED leat_code leat_pk_row_cache_add(leat_pk_row_cache *self, const leat_batch *batch, const uint32_t *hashes,
                                             leat_pk_lookup_bucket *const *buckets, int32_t count, leat_error *error);
