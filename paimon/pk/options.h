/* What a primary-key table's options say about writing, merging and compacting it (spec/paimon options.md,
 * merge-tree.md). Immutable once read; lives in the arena it was read with. */
#pragma once

#include "paimon/table.h"

typedef enum leat_pk_engine { LEAT_PK_DEDUPLICATE, LEAT_PK_AGGREGATION } leat_pk_engine;
typedef enum leat_pk_changelog {
    LEAT_PK_CHANGELOG_NONE,
    LEAT_PK_CHANGELOG_INPUT,
    LEAT_PK_CHANGELOG_FULL_COMPACTION,
    LEAT_PK_CHANGELOG_OTHER, /* readable, not written here */
} leat_pk_changelog;

/* What a column's values of one key become (merge-tree.md §4). */
typedef enum leat_pk_function {
    LEAT_PK_PRIMARY_KEY, /* takes the input */
    LEAT_PK_LAST_VALUE,
    LEAT_PK_LAST_NON_NULL_VALUE,
    LEAT_PK_FIRST_VALUE,
    LEAT_PK_FIRST_NON_NULL_VALUE,
    LEAT_PK_SUM,
    LEAT_PK_PRODUCT,
    LEAT_PK_MIN,
    LEAT_PK_MAX,
    LEAT_PK_BOOL_AND,
    LEAT_PK_BOOL_OR,
} leat_pk_function;

enum { LEAT_PK_BUCKET_DYNAMIC = -1 };

typedef struct leat_pk_options {
    leat_pk_engine engine;
    leat_pk_changelog changelog;
    leat_schema schema;          /* all columns of the table */
    leat_pk_function *functions; /* one a column */
    bool *ignore_retract;        /* one a column */
    int32_t *keys, keys_count;   /* columns of the trimmed primary key, in its order */
    int32_t *partition, partition_count;
    int32_t *bucket_key, bucket_key_count;
    int32_t bucket; /* > 0, or LEAT_PK_BUCKET_DYNAMIC */
    bool remove_record_on_delete, ignore_delete, ignore_update_before, row_deduplicate, write_only;
    int32_t trigger, stop_trigger, levels_count; /* sorted runs; levels with level 0 */
    int32_t merge_runs_max;                      /* of one compaction; a read may hold more within merge_bytes_max */
    int64_t merge_bytes_max;                     /* that readers of runs hold, when they are more than merge_runs_max */
    int64_t size_amplification, size_ratio;      /* percent */
    int64_t delta_commits;                       /* full compaction every so many checkpoints; 0: never forced */
    int64_t target_file_bytes, write_buffer_bytes, row_group_bytes;
    int64_t target_row_num, buckets_max;
    const char *compression;
    int32_t compression_level;
    const char *data_prefix, *changelog_prefix;
    const int32_t *field_ids; /* one a column */
    int64_t schema_id;
} leat_pk_options;

/* Reading asks for less: what only shapes new files is not refused then. LEAT_UNSUPPORTED names the first option, value
 * or type that is not there yet; LEAT_INVALID a wrong one. */
LEAT_CHECKED leat_code leat_pk_options_read(const leat_paimon_schema *schema, bool for_writing, leat_arena *arena,
                                            leat_pk_options *out, leat_error *error);
