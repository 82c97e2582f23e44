/* The shared vocabulary of paimon/: what a table, a data file and a commit are in memory. Formats: spec/paimon (layout,
 * files, commit). Paths and names are NUL-terminated text; everything lives in the arena it was made in. */
#pragma once

#include "columnar/type.h"
#include "common/arena.h"
#include "common/bytes.h"
#include "common/config.h"
#include "common/env.h"

/* A field of a schema file. Types without columns are kept as they are, so that tables can be described; using such a
 * column is refused by name. */
typedef struct leat_paimon_field {
    int32_t id;
    const char *name;
    leat_type type;
    const char *type_json;                   /* of nested types, as the schema file has it; NULL: type says all */
    const char *description, *default_value; /* NULL: none */
} leat_paimon_field;

typedef struct leat_paimon_schema {
    int64_t id;
    leat_paimon_field *fields;
    int32_t fields_count, highest_field_id;
    const char **partition_keys, **primary_keys;
    int32_t partition_keys_count, primary_keys_count;
    leat_config options; /* owned by the schema: leat_paimon_schema_done */
    const char *comment; /* NULL: none */
    int64_t time_ms;
} leat_paimon_schema;

typedef struct leat_paimon_table {
    const char *path; /* "<warehouse>/<db>.db/<table>" */
    const char *database, *name;
    leat_paimon_schema schema; /* the newest */
} leat_paimon_table;

/* SimpleStats: BinaryRows of minima and maxima, null counts (-1: not known). */
typedef struct leat_paimon_stats {
    const uint8_t *min, *max;
    size_t min_size, max_size;
    const int64_t *null_counts;
    size_t null_counts_size;
} leat_paimon_stats;

typedef enum leat_paimon_file_source {
    LEAT_PAIMON_FILE_APPEND = 0,
    LEAT_PAIMON_FILE_COMPACT = 1
} leat_paimon_file_source;

/* DataFileMeta (layout.md §5). Fields that may be absent have a has_… flag. */
typedef struct leat_paimon_file {
    const char *name;
    int64_t size_bytes, rows;
    const uint8_t *min_key, *max_key; /* serialised BinaryRow; the empty row for append tables */
    size_t min_key_size, max_key_size;
    leat_paimon_stats key_stats, value_stats;
    int64_t min_sequence, max_sequence, schema_id;
    int32_t level;
    const char **extra_files;
    size_t extra_files_count;
    int64_t creation_ms; /* local date-time as the format has it, ms */
    bool has_delete_rows;
    int64_t delete_rows;
    const uint8_t *embedded_index; /* NULL: none */
    size_t embedded_index_size;
    bool has_file_source;
    leat_paimon_file_source file_source;
    const char **value_stats_columns; /* NULL: all */
    size_t value_stats_columns_count;
    const char *external_path; /* NULL: none */
    bool has_first_row_id;
    int64_t first_row_id;
    const char **write_columns; /* NULL: all */
    size_t write_columns_count;
} leat_paimon_file;

typedef enum leat_paimon_entry_kind { LEAT_PAIMON_ADD = 0, LEAT_PAIMON_DELETE = 1 } leat_paimon_entry_kind;

/* ManifestEntry. */
typedef struct leat_paimon_entry {
    leat_paimon_entry_kind kind;
    const uint8_t *partition; /* serialised BinaryRow */
    size_t partition_size;
    int32_t bucket, total_buckets;
    leat_paimon_file file;
} leat_paimon_entry;

/* Where the deletion vector of one data file lies in an index file of type DELETION_VECTORS (files.md §8). */
typedef struct leat_paimon_dv_range {
    const char *data_file;
    int32_t offset, length;
    int64_t cardinality; /* -1: not known */
} leat_paimon_dv_range;

/* IndexManifestEntry: hash indexes of dynamic buckets, deletion vectors. */
typedef struct leat_paimon_index_file {
    leat_paimon_entry_kind kind;
    const uint8_t *partition;
    size_t partition_size;
    int32_t bucket;
    const char *index_type; /* "HASH", "DELETION_VECTORS" */
    const char *name;
    int64_t size_bytes, rows;
    const leat_paimon_dv_range *dv_ranges; /* NULL: none */
    size_t dv_ranges_count;
    const char *external_path; /* NULL: none */
} leat_paimon_index_file;

/* What one writer prepared for one partition and bucket: a committable. New files, changelog, compaction (before →
 * after, with its changelog), index files. Binary form: paimon/message.c, versioned. */
typedef struct leat_paimon_files {
    leat_paimon_file *files;
    size_t count, capacity;
} leat_paimon_files;

typedef struct leat_paimon_message {
    /* The checkpoint that prepared it. A later checkpoint carries messages of an aborted one: the committer commits
     * them under their own identifier, oldest first, and leaves out what was committed before. INT64_MAX: a batch job's
     * end. */
    int64_t checkpoint_id;
    const uint8_t *partition;
    size_t partition_size;
    int32_t bucket, total_buckets;
    leat_paimon_files new_files, deleted_files, changelog_files;
    leat_paimon_files compact_before, compact_after, compact_changelog_files;
    leat_paimon_index_file *new_index_files, *deleted_index_files;
    size_t new_index_files_count, deleted_index_files_count;
    /* Dynamic bucket: hashes of keys that this writer gave this bucket since the snapshot `base_snapshot` (DESIGN §8).
     */
    int64_t base_snapshot; /* -1: none */
    const int32_t *new_key_hashes;
    size_t new_key_hashes_count;
} leat_paimon_message;

/* Binary form of a committable: versioned, fixed little-endian fields (paimon/message.c). Borrowed text and bytes of
 * what was read live in the arena. LEAT_CORRUPT for anything that was not written by leat_paimon_message_write. */
void leat_paimon_message_write(const leat_paimon_message *message, leat_bytes *out);
LEAT_CHECKED leat_code leat_paimon_message_read(const uint8_t *data, size_t size, leat_arena *arena,
                                                leat_paimon_message *out, leat_error *error);

/* The same form of single files, for splits and operators' state. */
void leat_paimon_file_write(const leat_paimon_file *file, leat_bytes *out);
LEAT_CHECKED leat_code leat_paimon_file_read(leat_reader *reader, leat_arena *arena, leat_paimon_file *out,
                                             leat_error *error);
void leat_paimon_index_file_write(const leat_paimon_index_file *file, leat_bytes *out);
LEAT_CHECKED leat_code leat_paimon_index_file_read(leat_reader *reader, leat_arena *arena, leat_paimon_index_file *out,
                                                   leat_error *error);

/* Appends to a list whose array lives in the arena (it grows by copying). The file's own text and bytes are borrowed.
 */
LEAT_CHECKED leat_code leat_paimon_files_add(leat_paimon_files *files, const leat_paimon_file *file, leat_arena *arena,
                                             leat_error *error);
/* Copies all that a file points to into the arena. */
LEAT_CHECKED leat_code leat_paimon_file_copy(const leat_paimon_file *file, leat_arena *arena, leat_paimon_file *out,
                                             leat_error *error);
