/* Planning of reads (spec/paimon merge-tree.md §6): a snapshot's live files, or what a snapshot changed, as splits.
 * Blocking; linear code for enumerators and sessions. */
#pragma once

#include "common/arena.h"
#include "common/bytes.h"
#include "common/env.h"
#include "paimon/binary_row.h"
#include "paimon/manifest.h"
#include "paimon/snapshot.h"
#include "paimon/table.h"

/* The deletion vector of a data file. */
typedef struct leat_paimon_deletion {
    const char *path; /* of the index file; NULL: the data file has none */
    int64_t offset, length, cardinality;
} leat_paimon_deletion;

/* What one reader reads as a unit. */
typedef struct leat_paimon_split {
    int64_t snapshot_id;
    const uint8_t *partition;
    size_t partition_size;
    int32_t bucket, total_buckets;
    leat_paimon_files files;
    leat_paimon_deletion *deletions; /* one a file; NULL: none at all */
    /* Each file's rows are the table's rows (minus deletions). Otherwise (primary key) the files are merged by key. Of
     * changes (is_changes) rows come out file by file, with the kind that each record has, and nothing is merged. */
    bool is_raw;
    bool is_changes;
    int64_t rows; /* physical rows of the files */
} leat_paimon_split;

typedef struct leat_paimon_splits {
    leat_paimon_split *items;
    size_t count, capacity;
} leat_paimon_splits;

/* Binary form, for enumerators' state and for readers. */
void leat_paimon_split_write(const leat_paimon_split *split, leat_bytes *out);
LEAT_CHECKED leat_code leat_paimon_split_read(const uint8_t *data, size_t size, leat_arena *arena,
                                              leat_paimon_split *out, leat_error *error);

/* A condition on one column, for leaving files out; the reader filters again. Conditions are ANDed. */
typedef enum leat_paimon_compare {
    LEAT_PAIMON_EQUAL,
    LEAT_PAIMON_NOT_EQUAL,
    LEAT_PAIMON_LESS,
    LEAT_PAIMON_LESS_EQUAL,
    LEAT_PAIMON_GREATER,
    LEAT_PAIMON_GREATER_EQUAL,
    LEAT_PAIMON_IS_NULL,
    LEAT_PAIMON_IS_NOT_NULL,
} leat_paimon_compare;

typedef struct leat_paimon_predicate {
    int32_t field_id; /* of the table's newest schema */
    leat_paimon_compare compare;
    leat_paimon_value value; /* of the field's type, not NULL */
} leat_paimon_predicate;

typedef struct leat_paimon_scan {
    const leat_paimon_predicate *predicates;
    size_t predicates_count;
    int32_t bucket;    /* -1: all */
    int32_t min_level; /* full phase of streams: 1 for producer lookup, the max level for full-compaction; 0: all */
    /* Only this partition (serialised row); NULL: all. */
    const uint8_t *partition;
    size_t partition_size;
    int64_t split_target_bytes, split_open_bytes; /* 0: the table's options source.split.* */
    bool is_one_split_a_bucket;                   /* streams: keep a bucket's files together */
} leat_paimon_scan;

/* All live files of a snapshot, merged over its manifests, in manifest order; no pruning but the scan's. `scan` may be
 * NULL. */
LEAT_CHECKED leat_code leat_paimon_scan_entries(leat_env *env, const leat_paimon_table *table,
                                                const leat_paimon_snapshot *snapshot, const leat_paimon_scan *scan,
                                                leat_arena *arena, leat_paimon_entries *out, leat_error *error);
/* Entries (ADD and DELETE) of the delta, or of the changelog, of one snapshot. */
LEAT_CHECKED leat_code leat_paimon_scan_delta(leat_env *env, const leat_paimon_table *table,
                                              const leat_paimon_snapshot *snapshot, leat_arena *arena,
                                              leat_paimon_entries *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_scan_changelog(leat_env *env, const leat_paimon_table *table,
                                                  const leat_paimon_snapshot *snapshot, leat_arena *arena,
                                                  leat_paimon_entries *out, leat_error *error);

/* Splits of a whole snapshot, for batch reads and the full phase of streams. */
LEAT_CHECKED leat_code leat_paimon_plan_snapshot(leat_env *env, const leat_paimon_table *table,
                                                 const leat_paimon_snapshot *snapshot, const leat_paimon_scan *scan,
                                                 leat_arena *arena, leat_paimon_splits *out, leat_error *error);
/* Splits of what one snapshot changed, for streams: the delta of APPEND snapshots when the table has no changelog
 * producer, else the changelog files. Nothing (LEAT_OK) for snapshots that bring no changes. */
LEAT_CHECKED leat_code leat_paimon_plan_changes(leat_env *env, const leat_paimon_table *table,
                                                const leat_paimon_snapshot *snapshot, const leat_paimon_scan *scan,
                                                leat_arena *arena, leat_paimon_splits *out, leat_error *error);
/* Whether a table can be read as a stream: LEAT_UNSUPPORTED in Paimon's words for partial-update, aggregation and
 * first-row without a changelog producer. */
LEAT_CHECKED leat_code leat_paimon_check_streaming(const leat_paimon_table *table, leat_error *error);

/* The full phase at a stream's start reads only this level and above (0 for producers none and input). */
LEAT_CHECKED leat_code leat_paimon_full_phase_min_level(const leat_paimon_table *table, int32_t *out,
                                                        leat_error *error);
