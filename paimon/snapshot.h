/* Snapshot files and their hints (spec/paimon layout.md §1, §3; commit.md §3). A snapshot is immutable; its text lives
 * in the arena it was read into. All functions with an env block. */
#pragma once

#include "common/arena.h"
#include "common/bytes.h"
#include "common/env.h"

typedef enum leat_paimon_commit_kind {
    LEAT_PAIMON_COMMIT_APPEND,
    LEAT_PAIMON_COMMIT_COMPACT,
    LEAT_PAIMON_COMMIT_OVERWRITE,
    LEAT_PAIMON_COMMIT_ANALYZE,
} leat_paimon_commit_kind;
const char *leat_paimon_commit_kind_name(leat_paimon_commit_kind kind); /* "APPEND" … */

typedef struct leat_paimon_property {
    const char *key, *value;
} leat_paimon_property;

typedef struct leat_paimon_log_offset {
    int32_t bucket;
    int64_t offset;
} leat_paimon_log_offset;

typedef struct leat_paimon_snapshot {
    int32_t version;
    int64_t id, schema_id;
    const char *base_manifest_list, *delta_manifest_list;
    const char *changelog_manifest_list, *index_manifest;                                    /* NULL: none */
    int64_t base_manifest_list_size, delta_manifest_list_size, changelog_manifest_list_size; /* -1: not known */
    const char *commit_user;
    int64_t commit_identifier;
    leat_paimon_commit_kind commit_kind;
    int64_t time_ms;
    int64_t total_records, delta_records, changelog_records; /* -1 of total: not known (version 1, 2) */
    bool has_delta_records, has_changelog_records;
    bool has_watermark;
    int64_t watermark;
    const char *statistics; /* NULL: none */
    int64_t next_row_id;    /* -1: not written */
    const leat_paimon_log_offset *log_offsets;
    size_t log_offsets_count;
    const leat_paimon_property *properties;
    size_t properties_count;
} leat_paimon_snapshot;

LEAT_CHECKED leat_code leat_paimon_snapshot_parse(const char *text, size_t size, leat_arena *arena,
                                                  leat_paimon_snapshot *out, leat_error *error);
void leat_paimon_snapshot_print(const leat_paimon_snapshot *snapshot, leat_bytes *out);

/* LEAT_NOT_FOUND: it expired, or is not made yet. */
LEAT_CHECKED leat_code leat_paimon_snapshot_load(leat_env *env, const char *table_path, int64_t id, leat_arena *arena,
                                                 leat_paimon_snapshot *out, leat_error *error);
/* Ids by hint, checked, else by listing. *out = 0: the table has no snapshot. */
LEAT_CHECKED leat_code leat_paimon_snapshot_latest_id(leat_env *env, const char *table_path, int64_t *out,
                                                      leat_error *error);
LEAT_CHECKED leat_code leat_paimon_snapshot_earliest_id(leat_env *env, const char *table_path, int64_t *out,
                                                        leat_error *error);
LEAT_CHECKED leat_code leat_paimon_snapshot_exists(leat_env *env, const char *table_path, int64_t id, bool *out,
                                                   leat_error *error);
/* Creates snapshot/snapshot-<id>: the commit point. LEAT_EXISTS when someone else took the id. */
LEAT_CHECKED leat_code leat_paimon_snapshot_create(leat_env *env, const char *table_path,
                                                   const leat_paimon_snapshot *snapshot, leat_error *error);
/* Overwrites snapshot/LATEST or snapshot/EARLIEST. */
LEAT_CHECKED leat_code leat_paimon_hint_store(leat_env *env, const char *table_path, const char *hint, int64_t id,
                                              leat_error *error);
/* Newest snapshot of a user: identifier and id; *id = 0 when there is none. Walks down from `latest_id`. */
LEAT_CHECKED leat_code leat_paimon_snapshot_of_user(leat_env *env, const char *table_path, int64_t latest_id,
                                                    const char *user, int64_t *id, int64_t *identifier,
                                                    leat_error *error);
