/* One bucket as its writer keeps it: write buffers, levels, the flush and the compaction under way, and what the next
 * checkpoint will commit. Moved on in slices by bucket_work; one thread.
 *
 *   rows ─▶ active buffer ──cut, or full──▶ sealed buffers ──flush──▶ level 0 ──compaction──▶ higher levels
 *
 * A sealed buffer belongs to the checkpoint that cut it; it is flushed only when no earlier checkpoint's message is
 * still to be made, so that a message holds exactly what came before its barrier. */
#pragma once

#include "paimon/pk/buffer.h"
#include "paimon/pk/compaction.h"
#include "paimon/pk/hash_set.h"

/* What all buckets of a writer have in common. */
typedef struct leat_pk_shared {
    leat_pk_io io;
    const leat_paimon_table *table;
    leat_pk_options options;
} leat_pk_shared;

typedef struct leat_pk_sealed {
    leat_pk_buffer buffer;
    int64_t checkpoint_id; /* 0: of the next one to be cut */
} leat_pk_sealed;

typedef struct leat_pk_flush leat_pk_flush;

typedef struct leat_pk_bucket {
    const leat_pk_shared *shared;
    leat_arena arena;
    const uint8_t *partition;
    size_t partition_size;
    int32_t bucket;
    const char *path;
    leat_paimon_names names;
    leat_pk_levels levels;
    int64_t next_sequence;
    leat_pk_buffer active;
    leat_pk_sealed *sealed; /* oldest first; not many */
    size_t sealed_count, sealed_capacity;
    leat_pk_flush *flush;
    leat_pk_compaction *compaction;
    bool wants_full;       /* files have come since the last full compaction */
    bool may_pick;         /* files have come since compaction last had nothing to do */
    leat_pk_hash_set keys; /* dynamic buckets: hashes of all keys */
    size_t keys_stored;    /* those in the newest index file */
    leat_pk_files garbage; /* files that no message will name: to be removed */
    leat_pk_files new_files, changelog_files, compact_before, compact_after,
        compact_changelog; /* for the next message */
} leat_pk_bucket;

LEAT_CHECKED leat_code leat_pk_bucket_new(const leat_pk_shared *shared, const uint8_t *partition, size_t partition_size,
                                          int32_t bucket, leat_pk_bucket **out, leat_error *error);
void leat_pk_bucket_free(leat_pk_bucket *bucket); /* when no job runs; NULL is fine */
/* A live file of the table, before the first row. */
LEAT_CHECKED leat_code leat_pk_bucket_add_file(leat_pk_bucket *bucket, const leat_paimon_file *file, leat_error *error);
LEAT_CHECKED leat_code leat_pk_bucket_write(leat_pk_bucket *bucket, const leat_batch *batch, const uint16_t *rows,
                                            const uint32_t *hashes, int32_t count, leat_error *error);
/* Bytes of all buffers. */
size_t leat_pk_bucket_bytes(const leat_pk_bucket *bucket);
/* Seals the active buffer if it has rows. */
LEAT_CHECKED leat_code leat_pk_bucket_seal(leat_pk_bucket *bucket, int64_t checkpoint_id, leat_error *error);
/* One slice: flushes what is sealed for checkpoints up to `checkpoint_id`, then compacts. `full`: what has come must
 * end in a full compaction. END: nothing to do; WAIT: a wake will come. */
LEAT_CHECKED leat_code leat_pk_bucket_work(leat_pk_bucket *bucket, int64_t checkpoint_id, bool full,
                                           leat_pk_status *status, leat_error *error);
/* Paths of files that can be removed now; in the arena. The list is empty after it. */
LEAT_CHECKED leat_code leat_pk_bucket_take_garbage(leat_pk_bucket *bucket, leat_arena *arena, const char **paths,
                                                   size_t paths_max, size_t *count, leat_error *error);
/* Whether all for the checkpoint's message is there. */
bool leat_pk_bucket_is_ready(const leat_pk_bucket *bucket, int64_t checkpoint_id, bool full);
/* Whether the next message would hold something. */
bool leat_pk_bucket_has_changes(const leat_pk_bucket *bucket);
/* The message of what has come since the last; `index` may be NULL. Nothing is left to be committed after it. */
LEAT_CHECKED leat_code leat_pk_bucket_message(leat_pk_bucket *bucket, int64_t checkpoint_id, int64_t base_snapshot,
                                              const leat_paimon_index_file *index, size_t index_keys, leat_bytes *out,
                                              leat_error *error);
