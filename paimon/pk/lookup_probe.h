/* Answers keys from what a lookup has of the table's files in memory, and asks for what it lacks. The inside of
 * lookup_files.c. */
#pragma once

#include "flow/lookup.h"
#include "paimon/pk/key_hash.h"
#include "paimon/pk/lookup_blocks.h"
#include "paimon/pk/lookup_cache.h"
#include "paimon/pk/lookup_plan.h"

/* A record of a key. */
typedef struct leat_pk_hit {
    leat_pk_piece *piece;
    int32_t row;
    int64_t sequence;
} leat_pk_hit;

typedef enum leat_pk_answer { LEAT_PK_NONE, LEAT_PK_FOUND, LEAT_PK_PENDING } leat_pk_answer;

typedef struct leat_pk_probe {
    const leat_pk_lookup_config *config;
    leat_pk_lookup_index *index;
    leat_pk_blocks *blocks;
    leat_pk_row_cache cache;
    bool takes_youngest; /* of a key's records the youngest is its row; else they are merged */
    bool is_mod;         /* bucket-function.type */
    leat_pk_key_hash bucket_hash;
    int32_t *bucket_columns; /* places among the lookup's keys */
    leat_type *bucket_types;
    leat_bytes partition; /* the last key's, serialised */
    uint64_t call;
    bool has_wanted;

    /* Of each key of the call: */
    uint64_t *hashes64;
    uint32_t *hashes;
    int32_t *bucket_hashes;
    leat_pk_lookup_bucket **buckets; /* NULL: there is none */
    uint8_t *answers;                /* leat_pk_answer */
    const leat_batch **sources;
    int32_t *targets;
    const leat_pk_piece **pieces; /* where the youngest record is, of a bucket of several files */
    uint8_t *records;

    /* Keys by bucket. */
    leat_pk_lookup_bucket **groups;
    uint16_t *order;
    /* Those of them that one file is asked for. */
    uint16_t *asked, *selection;
    uint32_t *group_hashes;
    int32_t *found;

    /* Rows that were merged or searched for, which are cached then. */
    leat_pk_state merged;
    leat_batch *merged_view;
    uint32_t *merged_hashes;
    leat_pk_lookup_bucket **merged_buckets;
    leat_pk_hit *hits;
    size_t hits_capacity;
    leat_batch *absent; /* kept columns: the key's are borrowed from the keys, others NULL */
    uint8_t *zeros;
} leat_pk_probe;

LEAT_CHECKED leat_code leat_pk_probe_init(leat_pk_probe *self, const leat_pk_lookup_config *config,
                                          leat_pk_lookup_index *index, leat_pk_blocks *blocks, int32_t cache_rows,
                                          leat_error *error);
void leat_pk_probe_done(leat_pk_probe *self);
/* As get_many, of `count` keys whose rows fit. *has_wanted: something was asked for. */
LEAT_CHECKED leat_code leat_pk_probe_run(leat_pk_probe *self, const leat_batch *keys, int32_t first, int32_t count,
                                         leat_lookup_result *result, bool *has_wanted, leat_error *error);
