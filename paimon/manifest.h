/* Manifest lists, manifests, index manifests and hash index files (spec/paimon layout.md §5–§7, hashing.md §4). Avro as
 * Paimon 1.3.1 writes it, zstd; read by Avro's schema resolution, so older and newer files are fine. All functions with
 * an env block. */
#pragma once

#include "common/arena.h"
#include "common/env.h"
#include "paimon/table.h"

/* A line of a manifest list. */
typedef struct leat_paimon_manifest {
    const char *name;
    int64_t size_bytes, added_files, deleted_files;
    leat_paimon_stats partition_stats;
    int64_t schema_id;
    bool has_buckets, has_levels; /* whether the ranges below are known */
    int32_t min_bucket, max_bucket, min_level, max_level;
} leat_paimon_manifest;

typedef struct leat_paimon_manifests {
    leat_paimon_manifest *items;
    size_t count, capacity;
} leat_paimon_manifests;

typedef struct leat_paimon_entries {
    leat_paimon_entry *items;
    size_t count, capacity;
} leat_paimon_entries;

typedef struct leat_paimon_index_files {
    leat_paimon_index_file *items;
    size_t count, capacity;
} leat_paimon_index_files;

/* Each appends to *out, whose arrays live in the arena. `name` is below <table>/manifest. */
LEAT_CHECKED leat_code leat_paimon_manifest_list_load(leat_env *env, const char *table_path, const char *name,
                                                      leat_arena *arena, leat_paimon_manifests *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_manifest_load(leat_env *env, const char *table_path, const char *name,
                                                 leat_arena *arena, leat_paimon_entries *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_index_manifest_load(leat_env *env, const char *table_path, const char *name,
                                                       leat_arena *arena, leat_paimon_index_files *out,
                                                       leat_error *error);

/* Each writes one new object below <table>/manifest (compression: option manifest.compression of `schema`). */
LEAT_CHECKED leat_code leat_paimon_manifest_list_store(leat_env *env, const char *table_path,
                                                       const leat_paimon_schema *schema, const char *name,
                                                       const leat_paimon_manifests *manifests, int64_t *size_bytes,
                                                       leat_error *error);
/* Also fills *out (statistics over the entries); its text is in the arena. */
LEAT_CHECKED leat_code leat_paimon_manifest_store(leat_env *env, const char *table_path,
                                                  const leat_paimon_schema *schema, const char *name,
                                                  const leat_paimon_entry *const *entries, size_t count,
                                                  leat_arena *arena, leat_paimon_manifest *out, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_index_manifest_store(leat_env *env, const char *table_path,
                                                        const leat_paimon_schema *schema, const char *name,
                                                        const leat_paimon_index_files *files, leat_error *error);

LEAT_CHECKED leat_code leat_paimon_manifests_add(leat_paimon_manifests *manifests, const leat_paimon_manifest *manifest,
                                                 leat_arena *arena, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_entries_add(leat_paimon_entries *entries, const leat_paimon_entry *entry,
                                               leat_arena *arena, leat_error *error);
LEAT_CHECKED leat_code leat_paimon_index_files_add(leat_paimon_index_files *files, const leat_paimon_index_file *file,
                                                   leat_arena *arena, leat_error *error);

/* Merges entries in order (layout.md §6): a DELETE takes its ADD away, or stays when `keep_deletes` (partial lists),
 * else is LEAT_CORRUPT; an ADD of what is there is LEAT_CORRUPT. In place; the order of what stays is kept. */
LEAT_CHECKED leat_code leat_paimon_entries_merge(leat_paimon_entries *entries, bool keep_deletes, leat_error *error);
/* Whether two entries name the same file: partition, bucket, level, name, extra files, embedded index, external path.
 */
bool leat_paimon_entry_same_file(const leat_paimon_entry *left, const leat_paimon_entry *right);

/* Hash index: int32 big-endian hashes of a bucket's keys. */
LEAT_CHECKED leat_code leat_paimon_hash_index_load(leat_env *env, const char *table_path,
                                                   const leat_paimon_index_file *file, leat_arena *arena,
                                                   int32_t **hashes, size_t *count, leat_error *error);
/* Writes <table>/index/<name> and fills size, rows, type and name of *out (kind, partition and bucket are the
 * caller's). */
LEAT_CHECKED leat_code leat_paimon_hash_index_store(leat_env *env, const char *table_path, const char *name,
                                                    const int32_t *hashes, size_t count, leat_paimon_index_file *out,
                                                    leat_error *error);
