/* XXH3 of normalised keys, a whole batch at once (DESIGN 5): for key groups and for hash tables. Equal SQL values hash
 * equally: -0.0 as 0.0, every NaN as one. Seed and version go into checkpoints as LEAT_KEY_HASH_VERSION. */
#pragma once

#include "columnar/batch.h"

enum { LEAT_KEY_HASH_VERSION = 1 };

/* hashes[i] of the i-th selected row over the given columns. `types` gives the columns' types, for FLOAT and DOUBLE. */
void leat_hash_rows(const leat_batch *batch, const int32_t *columns, const leat_type *types, int32_t columns_count,
                    uint64_t *hashes);

/* Key group from the high bits; hash tables take the low ones. */
static inline int32_t leat_key_group(uint64_t hash, int32_t max_parallelism)
{
    return (int32_t)(((hash >> 32) * (uint64_t)max_parallelism) >> 32);
}
/* Flink's rules: which subtask owns a key group, and the first group of a subtask (of subtask + 1: one past its last).
 */
static inline int32_t leat_key_group_subtask(int32_t group, int32_t max_parallelism, int32_t parallelism)
{
    return (int32_t)((int64_t)group * parallelism / max_parallelism);
}
static inline int32_t leat_key_group_first(int32_t subtask, int32_t max_parallelism, int32_t parallelism)
{
    return (int32_t)(((int64_t)subtask * max_parallelism + parallelism - 1) / parallelism);
}
/* roundUpToPowerOfTwo(p + p/2), at least 128, at most 32768. */
int32_t leat_default_max_parallelism(int32_t parallelism);
