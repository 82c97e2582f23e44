/* A set of key hashes in the order of their coming: what a HASH index file holds (hashing.md §4); as a map, the bucket
 * of each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

typedef struct leat_pk_hash_set {
    int32_t *items;  /* in order */
    int32_t *values; /* of a map; NULL: a set */
    size_t count, capacity;
    uint32_t *slots; /* index + 1; 0: empty */
    size_t slots_count;
    bool is_map;
    size_t values_capacity;
} leat_pk_hash_set;

void leat_pk_hash_set_done(leat_pk_hash_set *set);
/* -1: not there. */
int64_t leat_pk_hash_set_find(const leat_pk_hash_set *set, int32_t hash);
/* Adds it if it is not there; `value` counts for maps only (the first one stays). */
LEAT_CHECKED leat_code leat_pk_hash_set_add(leat_pk_hash_set *set, int32_t hash, int32_t value, leat_error *error);
