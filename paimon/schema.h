/* Schema files (spec/paimon layout.md §2): read, write, versions; what follows from keys and options. Functions with an
 * env block. */
#pragma once

#include "common/arena.h"
#include "common/bytes.h"
#include "common/env.h"
#include "paimon/table.h"

enum { LEAT_PAIMON_FIELDS_MAX = 4096, LEAT_PAIMON_SCHEMA_BYTES_MAX = 16 << 20 };

/* Reads a schema file's text. On success the caller ends it with leat_paimon_schema_done (options are on the heap). */
LEAT_CHECKED leat_code leat_paimon_schema_parse(const char *text, size_t size, leat_arena *arena,
                                                leat_paimon_schema *out, leat_error *error);
/* JSON as Paimon prints it. */
LEAT_CHECKED leat_code leat_paimon_schema_print(const leat_paimon_schema *schema, leat_bytes *out, leat_error *error);
void leat_paimon_schema_done(leat_paimon_schema *schema);

/* Greatest N of schema/schema-N. LEAT_NOT_FOUND: no such table. */
LEAT_CHECKED leat_code leat_paimon_schema_newest_id(leat_env *env, const char *table_path, int64_t *out,
                                                    leat_error *error);
LEAT_CHECKED leat_code leat_paimon_schema_load(leat_env *env, const char *table_path, int64_t id, leat_arena *arena,
                                               leat_paimon_schema *out, leat_error *error);
/* Writes schema/schema-<id>. LEAT_EXISTS when someone was faster. */
LEAT_CHECKED leat_code leat_paimon_schema_store(leat_env *env, const char *table_path, const leat_paimon_schema *schema,
                                                leat_error *error);

/* -1: none of that name. */
int32_t leat_paimon_schema_find(const leat_paimon_schema *schema, const char *name);
int32_t leat_paimon_schema_find_id(const leat_paimon_schema *schema, int32_t field_id);
/* The physical columns as a row schema. LEAT_UNSUPPORTED names a column whose type has no columns yet. */
LEAT_CHECKED leat_code leat_paimon_schema_columns(const leat_paimon_schema *schema, leat_arena *arena, leat_schema *out,
                                                  leat_error *error);

/* Columns and types by key. Indices are into schema->fields; types are the fields'. */
typedef struct leat_paimon_key {
    int32_t *columns;
    leat_type *types;
    int32_t count;
} leat_paimon_key;

LEAT_CHECKED leat_code leat_paimon_schema_partition_key(const leat_paimon_schema *schema, leat_arena *arena,
                                                        leat_paimon_key *out, leat_error *error);
/* primaryKeys without partitionKeys, in primaryKeys' order; count 0 for append tables. */
LEAT_CHECKED leat_code leat_paimon_schema_trimmed_key(const leat_paimon_schema *schema, leat_arena *arena,
                                                      leat_paimon_key *out, leat_error *error);
/* Option bucket-key, else the trimmed primary key; count 0: none. */
LEAT_CHECKED leat_code leat_paimon_schema_bucket_key(const leat_paimon_schema *schema, leat_arena *arena,
                                                     leat_paimon_key *out, leat_error *error);

/* How rows find their bucket (hashing.md §2). */
typedef enum leat_paimon_bucket_mode {
    LEAT_PAIMON_BUCKET_FIXED,
    LEAT_PAIMON_BUCKET_UNAWARE,     /* append, bucket -1: always 0 */
    LEAT_PAIMON_BUCKET_DYNAMIC,     /* primary key with all partition keys, bucket -1 */
    LEAT_PAIMON_BUCKET_KEY_DYNAMIC, /* primary key without one: cross partition */
    LEAT_PAIMON_BUCKET_POSTPONE,    /* bucket -2 */
} leat_paimon_bucket_mode;
/* *buckets is the option "bucket" (-1 by default), which is _TOTAL_BUCKETS of the entries, too. */
LEAT_CHECKED leat_code leat_paimon_schema_bucket_mode(const leat_paimon_schema *schema, leat_paimon_bucket_mode *mode,
                                                      int32_t *buckets, leat_error *error);

typedef enum leat_paimon_changelog_producer {
    LEAT_PAIMON_CHANGELOG_NONE,
    LEAT_PAIMON_CHANGELOG_INPUT,
    LEAT_PAIMON_CHANGELOG_FULL_COMPACTION,
    LEAT_PAIMON_CHANGELOG_LOOKUP,
} leat_paimon_changelog_producer;
LEAT_CHECKED leat_code leat_paimon_schema_changelog_producer(const leat_paimon_schema *schema,
                                                             leat_paimon_changelog_producer *out, leat_error *error);

typedef enum leat_paimon_merge_engine {
    LEAT_PAIMON_MERGE_DEDUPLICATE,
    LEAT_PAIMON_MERGE_PARTIAL_UPDATE,
    LEAT_PAIMON_MERGE_AGGREGATION,
    LEAT_PAIMON_MERGE_FIRST_ROW,
} leat_paimon_merge_engine;
LEAT_CHECKED leat_code leat_paimon_schema_merge_engine(const leat_paimon_schema *schema, leat_paimon_merge_engine *out,
                                                       leat_error *error);

/* Typed reads of a table's options; the fallback when the key is not set. LEAT_INVALID names key and value. */
LEAT_CHECKED leat_code leat_paimon_option_int(const leat_config *options, const char *key, int64_t fallback,
                                              int64_t *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_option_bool(const leat_config *options, const char *key, bool fallback, bool *out,
                                               leat_error *error);
LEAT_CHECKED leat_code leat_paimon_option_memory(const leat_config *options, const char *key, int64_t fallback,
                                                 int64_t *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_option_duration(const leat_config *options, const char *key, int64_t fallback_ms,
                                                   int64_t *out_ms, leat_error *error);
const char *leat_paimon_option_text(const leat_config *options, const char *key, const char *fallback);

/* Computed columns live in the options, not in fields (layout.md §2; Flink's catalog): schema.<i>.name, .expr,
 * .data-type; <i> is the column's place among all columns. */
typedef struct leat_paimon_computed {
    int32_t position;
    const char *name, *expression, *data_type; /* as written, data_type with its nullability */
    leat_type type;
} leat_paimon_computed;
/* Sorted by position; in the arena. */
LEAT_CHECKED leat_code leat_paimon_schema_computed(const leat_paimon_schema *schema, leat_arena *arena,
                                                   leat_paimon_computed **out, int32_t *count, leat_error *error);
