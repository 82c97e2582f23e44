/* The commit protocol (spec/paimon commit.md §2–§5, §7).
 *
 *   manifests, lists, index manifest   written under fresh names; nobody reads them yet
 *   snapshot/snapshot-<latest + 1>     created only if absent: the commit point
 *   snapshot/LATEST                    a hint, overwritten
 *
 * A commit with new files and with compaction results makes two snapshots of one identifier: APPEND, then COMPACT. When
 * the id was taken by someone else, the changes are checked against what they wrote and everything is built again on
 * the newest snapshot. A crash before the snapshot file leaves orphans only; after it, the identifier tells that the
 * work is done.
 *
 * Blocking; one commit at a time a table and job (any number of jobs and processes may compete). */
#pragma once

#include "common/env.h"
#include "flow/registry.h"
#include "paimon/table.h"

/* Identifier of batch jobs, as Flink's writers use it (Long.MAX). */
#define LEAT_PAIMON_BATCH_IDENTIFIER INT64_MAX

/* What a committer may keep between its calls. Zeroed at the start. */
typedef struct leat_paimon_commit_memory {
    /* No snapshot in (base, clean] holds a foreign change of the index, so that a long job need not look at all of them
     * again. */
    int64_t base, clean;
    /* leat_paimon_commit_check found that this identifier's changes fit on snapshot `fits_on`; 0: none. */
    int64_t fitting, fits_on;
} leat_paimon_commit_memory;

typedef struct leat_paimon_commit_options {
    bool is_empty_allowed; /* make a snapshot although there is nothing to commit */
    /* The identifier may have been committed before (a restored checkpoint): look for it first, and check that appended
     * files are still there and not yet part of the table. */
    bool is_recovery;
    leat_paimon_commit_memory *memory; /* NULL: none */
} leat_paimon_commit_options;

typedef struct leat_paimon_commit_result {
    int64_t snapshots[2]; /* ids made by this call: APPEND or OVERWRITE, COMPACT */
    int32_t snapshots_count;
    bool was_committed; /* nothing done: the identifier had been committed before */
    int32_t attempts;
} leat_paimon_commit_result;

/* Commits the messages of one checkpoint. LEAT_CONFLICT: someone changed what the messages build on; the job must
 * restart its writers from the newest snapshot. LEAT_TIMEOUT or LEAT_LIMIT: retries used up. An error after which it is
 * unknown whether the snapshot exists leaves all files; the same call with is_recovery finds out. `result` may be NULL.
 */
LEAT_CHECKED leat_code leat_paimon_commit(leat_env *env, const leat_paimon_table *table, const char *commit_user,
                                          int64_t identifier, const leat_paimon_message *messages, size_t count,
                                          const leat_paimon_commit_options *options, leat_paimon_commit_result *result,
                                          leat_error *error);

/* Says LEAT_CONFLICT when leat_paimon_commit would, as the table is now; writes nothing. Reads nothing when nobody can
 * get in the way. */
LEAT_CHECKED leat_code leat_paimon_commit_check(leat_env *env, const leat_paimon_table *table, const char *commit_user,
                                                int64_t identifier, const leat_paimon_message *messages, size_t count,
                                                const leat_paimon_commit_options *options, leat_commit_outlook *out,
                                                leat_error *error);

/* The committer of type "paimon": configuration = leat_paimon_committer_config_write, committables =
 * leat_paimon_message_write. */
extern const leat_committer_factory leat_paimon_committer_factory;
/* `table_options` are the dynamic options over the table's own; NULL: none. */
void leat_paimon_committer_config_write(const char *table_path, const leat_config *table_options, leat_bytes *out);
