/* Which subtask of the writer owns a bucket, and of the assigner a key (hashing.md §3, §4). Any rule is right as long
 * as all that route and all that own use the same. */
#pragma once

#include <stdint.h>

/* |x|, of the least number the greatest. */
static inline int32_t leat_pk_absolute(int32_t value)
{
    return value == INT32_MIN ? INT32_MAX : value < 0 ? -value : value;
}
static inline int32_t leat_pk_writer_of(int32_t partition_hash, int32_t bucket, int32_t parallelism)
{
    return (int32_t)(((int64_t)(leat_pk_absolute(partition_hash) % parallelism) + bucket) % parallelism);
}
static inline int32_t leat_pk_assigner_of(int32_t partition_hash, int32_t key_hash, int32_t parallelism)
{
    return (int32_t)(((int64_t)(leat_pk_absolute(partition_hash) % parallelism) +
                      leat_pk_absolute(key_hash % parallelism)) %
                     parallelism);
}
/* The number of an assigner within a partition: it owns the hashes h with |h rem A| = this, and makes buckets b with
 * b rem A = this. */
static inline int32_t leat_pk_assigner_number(int32_t partition_hash, int32_t subtask, int32_t parallelism)
{
    return (int32_t)(((int64_t)subtask - leat_pk_absolute(partition_hash) % parallelism + parallelism) % parallelism);
}
