/* The parts of a commit (commit.c says how they go together). Internal to paimon/. */
#pragma once

#include "paimon/commit.h"
#include "paimon/manifest.h"
#include "paimon/path.h"
#include "paimon/snapshot.h"

/* Memory of one commit: what it reads of the table while it checks and merges manifests. */
#define LEAT_COMMIT_ARENA_BYTES ((size_t)4 << 30)

/* What one snapshot changes; made once, used by every attempt. */
typedef struct leat_commit_changes {
    leat_paimon_commit_kind kind;
    leat_paimon_entries delta, changelog;
    leat_paimon_index_files index; /* kinds ADD and DELETE */
    bool has_deletes;              /* in delta */
    /* Written by the first attempt, then kept: their content does not depend on the latest snapshot. */
    const char *delta_list, *changelog_list; /* NULL: not written yet, or none */
    int64_t delta_list_size, changelog_list_size;
} leat_commit_changes;

typedef struct leat_commit {
    leat_env *env;
    const leat_paimon_table *table;
    const char *user;
    int64_t identifier;
    const leat_paimon_message *messages;
    size_t messages_count;
    bool is_recovery;
    leat_paimon_commit_memory memory; /* given back when the commit ends well */
    leat_arena arena;                 /* as long as the commit */
    leat_arena attempt;               /* reset by each attempt */
    leat_paimon_names manifest_names, list_names, index_names, hash_names;
    /* Objects that only this attempt would use: removed when someone else took the snapshot's id. Full paths, in
     * `attempt`. */
    const char **scraps;
    size_t scraps_count, scraps_capacity;
    int32_t attempts;
    int64_t compact_checked_at; /* the COMPACT half fits on this snapshot; -1: on none known */
} leat_commit;

/* Remembers an object below the table for removal. */
LEAT_CHECKED leat_code leat_commit_scrap(leat_commit *self, const char *folder, const char *name, leat_error *error);

/* commit_check.c: LEAT_CONFLICT when the changes do not fit on the table as of `latest` (NULL: no snapshot) together
 * with `before` (changes that are committed just before; NULL: none). */
LEAT_CHECKED leat_code leat_commit_check(leat_commit *self, const leat_paimon_snapshot *latest,
                                         const leat_commit_changes *before, const leat_commit_changes *changes,
                                         leat_error *error);

/* commit_manifests.c: writes entries as manifests (several when they are many) and adds these to *out. Arena: where the
 * text lives. */
LEAT_CHECKED leat_code leat_commit_write_manifests(leat_commit *self, const leat_paimon_entries *entries,
                                                   leat_arena *arena, leat_paimon_manifests *out, leat_error *error);
LEAT_CHECKED leat_code leat_commit_write_list(leat_commit *self, const leat_paimon_manifests *manifests,
                                              leat_arena *arena, const char **name, int64_t *size_bytes,
                                              leat_error *error);
/* The manifests of the snapshot before, merged where there are many small ones (commit.md §5). */
LEAT_CHECKED leat_code leat_commit_merge_manifests(leat_commit *self, const leat_paimon_manifests *before,
                                                   leat_paimon_manifests *out, leat_error *error);

/* commit_index.c: whether the commit brings new keys of dynamic buckets; the rule for them by itself. */
bool leat_commit_has_keys(const leat_commit *self);
LEAT_CHECKED leat_code leat_commit_index_check(leat_commit *self, const leat_paimon_snapshot *latest,
                                               const leat_commit_changes *changes, leat_error *error);
/* Name of the index manifest after the changes (NULL: none), writing a new one if they touch it; the
 * dynamic-bucket rule: LEAT_CONFLICT when a foreign index change gave one of our keys another bucket. */
LEAT_CHECKED leat_code leat_commit_index(leat_commit *self, const leat_paimon_snapshot *latest,
                                         const leat_commit_changes *changes, const char **out, leat_error *error);
