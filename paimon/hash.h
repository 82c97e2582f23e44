/* Paimon's Murmur hash over BinaryRow, and which bucket a hash belongs to (spec/paimon hashing.md). Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "columnar/batch.h"
#include "common/bytes.h"

/* Murmur3 x86 32-bit, seed 42, over whole little-endian words: `size` is a multiple of 4 (a BinaryRow's is one of 8).
 */
int32_t leat_paimon_hash(const uint8_t *data, size_t size);

/* |hash rem n|, the remainder with the sign of the hash as in C and Java. buckets > 0. */
static inline int32_t leat_paimon_bucket(int32_t hash, int32_t buckets)
{
    int32_t rest = hash % buckets;
    return rest < 0 ? -rest : rest;
}

/* bucket-function.type=mod: the floor modulo of an INT or BIGINT key. */
static inline int32_t leat_paimon_bucket_mod(int64_t value, int32_t buckets)
{
    int64_t rest = value % buckets;
    return (int32_t)(rest < 0 ? rest + buckets : rest);
}

/* hashes[i] of the BinaryRow made of the given columns of the i-th selected row. `types[k]` is the type of columns[k].
 * `scratch` is kept between calls. LEAT_UNSUPPORTED for types without columns. */
LEAT_CHECKED leat_code leat_paimon_hash_rows(const leat_batch *batch, const int32_t *columns, const leat_type *types,
                                             int32_t columns_count, leat_bytes *scratch, int32_t *hashes,
                                             leat_error *error);
