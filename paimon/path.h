/* Where the files of a table are (spec/paimon layout.md §1, files.md §1). All paths are text in the arena given; NULL
 * only when there is no memory. */
#pragma once

#include "columnar/type.h"
#include "common/arena.h"
#include "common/env.h"
#include "paimon/table.h"

/* Escapes a name or value of a partition folder. */
void leat_paimon_path_escape(const char *text, size_t size, leat_bytes *out);

/* "k1=v1/k2=v2" of a serialised partition row, "" for unpartitioned tables. LEAT_CORRUPT for rows that do not fit. */
LEAT_CHECKED leat_code leat_paimon_partition_path(const leat_paimon_schema *schema, const uint8_t *partition,
                                                  size_t size, leat_arena *arena, const char **out, leat_error *error);
/* "<table>/k1=v1/bucket-0" (bucket-postpone for -2; below data-file.path-directory if the table has one). */
LEAT_CHECKED leat_code leat_paimon_bucket_path(const char *table_path, const leat_paimon_schema *schema,
                                               const uint8_t *partition, size_t size, int32_t bucket, leat_arena *arena,
                                               const char **out, leat_error *error);
/* A data or changelog file in a bucket's folder, or where its external path says. */
const char *leat_paimon_file_path(const char *bucket_path, const leat_paimon_file *file, leat_arena *arena);
/* "<table>/<folder>/<name>": folder is "manifest", "index", "snapshot", "schema". */
const char *leat_paimon_path(const char *table_path, const char *folder, const char *name, leat_arena *arena);

/* The table's topic (flow/operator.h): its path, without what a file's path may have before it. Part of the path. */
const char *leat_paimon_topic(const char *table_path);

/* Fresh names "<prefix><uuid>-<n><suffix>" as one writer makes them; in the arena. */
typedef struct leat_paimon_names {
    char uuid[37];
    int32_t next;
} leat_paimon_names;
void leat_paimon_names_init(leat_paimon_names *names, leat_env *env);
const char *leat_paimon_names_next(leat_paimon_names *names, const char *prefix, const char *suffix, leat_arena *arena);
