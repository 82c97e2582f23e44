#include "paimon/commit.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/commit_internal.h"
#include "paimon/schema.h"
#include "storage/storage.h"

leat_code leat_commit_scrap(leat_commit *self, const char *folder, const char *name, leat_error *error)
{
    const char *path = leat_paimon_path(self->table->path, folder, name, &self->attempt);
    if (!path) return leat_fail_no_memory(error);
    LEAT_TRY(leat_grow(&self->scraps, &self->scraps_capacity, self->scraps_count + 1, sizeof *self->scraps, error));
    self->scraps[self->scraps_count++] = path;
    return LEAT_OK;
}

/* Objects that nobody has seen. What can't be removed stays as an orphan. */
static void remove_scraps(leat_commit *self)
{
    for (size_t i = 0; i < self->scraps_count; i++) {
        leat_error error;
        if (leat_storage_remove(self->env->storage, self->scraps[i], &error) != LEAT_OK) {
            leat_log(LEAT_LOG_INFO, "paimon", "left behind: %s", error.text);
        }
    }
    self->scraps_count = 0;
}

static leat_code add_files(leat_commit *self, const leat_paimon_message *message, leat_paimon_entry_kind kind,
                           const leat_paimon_files *files, leat_paimon_entries *out, leat_error *error)
{
    for (size_t i = 0; i < files->count; i++) {
        leat_paimon_entry entry = {.kind = kind,
                                   .partition = message->partition,
                                   .partition_size = message->partition_size,
                                   .bucket = message->bucket,
                                   .total_buckets = message->total_buckets,
                                   .file = files->files[i]};
        LEAT_TRY(leat_paimon_entries_add(out, &entry, &self->arena, error));
    }
    return LEAT_OK;
}

static leat_code add_index(leat_commit *self, leat_paimon_entry_kind kind, const leat_paimon_index_file *files,
                           size_t count, leat_paimon_index_files *out, leat_error *error)
{
    for (size_t i = 0; i < count; i++) {
        leat_paimon_index_file file = files[i];
        file.kind = kind;
        LEAT_TRY(leat_paimon_index_files_add(out, &file, &self->arena, error));
    }
    return LEAT_OK;
}

/* Deletes come first: in committables of older versions an upgrade is DELETE, then ADD, of one name. */
static leat_code collect(leat_commit *self, leat_commit_changes *append, leat_commit_changes *compact,
                         leat_error *error)
{
    append->kind = LEAT_PAIMON_COMMIT_APPEND;
    compact->kind = LEAT_PAIMON_COMMIT_COMPACT;
    for (size_t i = 0; i < self->messages_count; i++) {
        const leat_paimon_message *m = &self->messages[i];
        LEAT_TRY(add_files(self, m, LEAT_PAIMON_DELETE, &m->deleted_files, &append->delta, error));
        append->has_deletes |= m->deleted_files.count > 0;
        LEAT_TRY(add_files(self, m, LEAT_PAIMON_ADD, &m->new_files, &append->delta, error));
        LEAT_TRY(add_files(self, m, LEAT_PAIMON_ADD, &m->changelog_files, &append->changelog, error));
        LEAT_TRY(add_index(self, LEAT_PAIMON_DELETE, m->deleted_index_files, m->deleted_index_files_count,
                           &append->index, error));
        LEAT_TRY(add_index(self, LEAT_PAIMON_ADD, m->new_index_files, m->new_index_files_count, &append->index, error));
        LEAT_TRY(add_files(self, m, LEAT_PAIMON_DELETE, &m->compact_before, &compact->delta, error));
        LEAT_TRY(add_files(self, m, LEAT_PAIMON_ADD, &m->compact_after, &compact->delta, error));
        LEAT_TRY(add_files(self, m, LEAT_PAIMON_ADD, &m->compact_changelog_files, &compact->changelog, error));
    }
    compact->has_deletes = true; /* always checked */
    if (append->has_deletes) append->kind = LEAT_PAIMON_COMMIT_OVERWRITE;
    return LEAT_OK;
}

static bool is_empty(const leat_commit_changes *changes)
{
    return changes->delta.count == 0 && changes->changelog.count == 0 && changes->index.count == 0;
}

static int64_t sum_rows(const leat_paimon_entries *entries)
{
    int64_t rows = 0;
    for (size_t i = 0; i < entries->count; i++) {
        int64_t more = entries->items[i].file.rows;
        rows += entries->items[i].kind == LEAT_PAIMON_ADD ? more : -more;
    }
    return rows;
}

/* Delta and changelog, once for all attempts. */
static leat_code write_changes(leat_commit *self, leat_commit_changes *changes, leat_error *error)
{
    if (changes->delta_list) return LEAT_OK;
    leat_paimon_manifests delta = {0}, changelog = {0};
    const char *delta_list;
    if (changes->changelog.count) {
        LEAT_TRY(leat_commit_write_manifests(self, &changes->changelog, &self->arena, &changelog, error));
        LEAT_TRY(leat_commit_write_list(self, &changelog, &self->arena, &changes->changelog_list,
                                        &changes->changelog_list_size, error));
    }
    LEAT_TRY(leat_commit_write_manifests(self, &changes->delta, &self->arena, &delta, error));
    LEAT_TRY(leat_commit_write_list(self, &delta, &self->arena, &delta_list, &changes->delta_list_size, error));
    changes->delta_list = delta_list;
    return LEAT_OK;
}

static leat_code write_base(leat_commit *self, const leat_paimon_snapshot *latest, leat_paimon_snapshot *out,
                            leat_error *error)
{
    leat_paimon_manifests before = {0}, merged = {0};
    const char *path = self->table->path;
    if (latest) {
        LEAT_TRY(leat_paimon_manifest_list_load(self->env, path, latest->base_manifest_list, &self->attempt, &before,
                                                error));
        LEAT_TRY(leat_paimon_manifest_list_load(self->env, path, latest->delta_manifest_list, &self->attempt, &before,
                                                error));
    }
    LEAT_TRY(leat_commit_merge_manifests(self, &before, &merged, error));
    LEAT_TRY(leat_commit_write_list(self, &merged, &self->attempt, &out->base_manifest_list,
                                    &out->base_manifest_list_size, error));
    return leat_commit_scrap(self, "manifest", out->base_manifest_list, error);
}

/* The snapshot that comes after `latest` (NULL: the first). */
static leat_code build_snapshot(leat_commit *self, const leat_paimon_snapshot *latest, leat_commit_changes *changes,
                                leat_paimon_snapshot *out, leat_error *error)
{
    *out = (leat_paimon_snapshot){
        .version = 3,
        .id = latest ? latest->id + 1 : 1,
        .changelog_manifest_list_size = -1,
        .commit_user = self->user,
        .commit_identifier = self->identifier,
        .commit_kind = changes->kind,
        .time_ms = leat_env_now_ms(self->env),
        .delta_records = sum_rows(&changes->delta),
        .changelog_records = sum_rows(&changes->changelog),
        .has_delta_records = true,
        .has_changelog_records = true,
        .next_row_id = latest && latest->next_row_id > 0 ? latest->next_row_id : 0,
    };
    LEAT_TRY(leat_paimon_schema_newest_id(self->env, self->table->path, &out->schema_id, error));
    LEAT_TRY(leat_commit_index(self, latest, changes, &out->index_manifest, error));
    LEAT_TRY(write_base(self, latest, out, error));
    LEAT_TRY(write_changes(self, changes, error));
    out->delta_manifest_list = changes->delta_list;
    out->delta_manifest_list_size = changes->delta_list_size;
    if (changes->changelog_list) {
        out->changelog_manifest_list = changes->changelog_list;
        out->changelog_manifest_list_size = changes->changelog_list_size;
    }
    out->total_records = out->delta_records;
    if (!latest) return LEAT_OK;
    if (latest->total_records >= 0) out->total_records += latest->total_records;
    out->has_watermark = latest->has_watermark;
    out->watermark = latest->watermark;
    out->log_offsets = latest->log_offsets;
    out->log_offsets_count = latest->log_offsets_count;
    if (latest->schema_id == out->schema_id) out->statistics = latest->statistics;
    return LEAT_OK;
}

/* Whether one of the snapshots after `seen` is ours: an attempt whose answer was lost had won. */
static leat_code find_own(leat_commit *self, int64_t seen, int64_t latest_id, leat_paimon_commit_kind kind,
                          int64_t *out, leat_error *error)
{
    *out = 0;
    for (int64_t id = seen + 1; id <= latest_id; id++) {
        leat_paimon_snapshot snapshot;
        LEAT_TRY(leat_paimon_snapshot_load(self->env, self->table->path, id, &self->attempt, &snapshot, error));
        if (strcmp(snapshot.commit_user, self->user) != 0 || snapshot.commit_identifier != self->identifier) continue;
        if (snapshot.commit_kind == kind) *out = id;
    }
    return LEAT_OK;
}

typedef struct retry {
    int64_t retries_max, timeout_ms, wait_min_ms, wait_max_ms;
    int64_t started_us;
} retry;

static leat_code read_retry(const leat_commit *self, retry *out, leat_error *error)
{
    const leat_config *options = &self->table->schema.options;
    out->started_us = leat_env_mono_us(self->env);
    LEAT_TRY(leat_paimon_option_int(options, "commit.max-retries", 10, &out->retries_max, error));
    LEAT_TRY(leat_paimon_option_duration(options, "commit.timeout", INT64_MAX / 2000, &out->timeout_ms, error));
    LEAT_TRY(leat_paimon_option_duration(options, "commit.min-retry-wait", 10, &out->wait_min_ms, error));
    return leat_paimon_option_duration(options, "commit.max-retry-wait", 10000, &out->wait_max_ms, error);
}

static leat_code wait_for_retry(leat_commit *self, const retry *limits, int64_t tries, leat_error *error)
{
    enum { SHIFT_MAX = 20 };
    int64_t elapsed_ms = (leat_env_mono_us(self->env) - limits->started_us) / 1000;
    if (tries >= limits->retries_max || elapsed_ms > limits->timeout_ms) {
        leat_code code = leat_fail(error, LEAT_TIMEOUT, "others committed first %" PRId64 " times in %" PRId64 " ms",
                                   tries + 1, elapsed_ms);
        leat_fail_hint(error, "raise the table's options commit.max-retries or commit.timeout");
        return code;
    }
    int64_t wait = limits->wait_min_ms << (tries < SHIFT_MAX ? tries : SHIFT_MAX);
    if (wait > limits->wait_max_ms || wait < 0) wait = limits->wait_max_ms;
    wait += wait > 4 ? (int64_t)(leat_env_random(self->env) % (uint64_t)(wait / 5 + 1)) : 0;
    leat_env_sleep_ms(self->env, wait);
    return LEAT_OK;
}

/* Hints may be lost: readers find the way without them. */
static void store_hints(leat_commit *self, int64_t id)
{
    leat_error error;
    if (leat_paimon_hint_store(self->env, self->table->path, "LATEST", id, &error) != LEAT_OK) {
        leat_log(LEAT_LOG_WARN, "paimon", "%s: hint LATEST: %s", self->table->path, error.text);
    }
    if (id != 1) return;
    if (leat_paimon_hint_store(self->env, self->table->path, "EARLIEST", id, &error) != LEAT_OK) {
        leat_log(LEAT_LOG_WARN, "paimon", "%s: hint EARLIEST: %s", self->table->path, error.text);
    }
}

static leat_code check_changes(leat_commit *self, const leat_paimon_snapshot *latest,
                               const leat_commit_changes *changes, leat_error *error)
{
    bool is_compact = changes->kind == LEAT_PAIMON_COMMIT_COMPACT;
    bool fits = self->memory.fitting == self->identifier && self->memory.fits_on == (latest ? latest->id : 0);
    bool is_checked = is_compact ? latest && latest->id == self->compact_checked_at : fits;
    if (is_checked || !(changes->has_deletes || self->is_recovery)) return LEAT_OK;
    return leat_commit_check(self, latest, NULL, changes, error);
}

/* One attempt on the latest snapshot. LEAT_EXISTS: someone else took the id, nothing is left of the attempt. */
static leat_code attempt(leat_commit *self, int64_t *seen, leat_commit_changes *changes, int64_t *committed,
                         leat_error *error)
{
    leat_arena_reset(&self->attempt);
    self->scraps_count = 0;
    self->attempts++;
    int64_t latest_id;
    leat_paimon_snapshot latest, next;
    LEAT_TRY(leat_paimon_snapshot_latest_id(self->env, self->table->path, &latest_id, error));
    if (*seen >= 0) {
        LEAT_TRY(find_own(self, *seen, latest_id, changes->kind, committed, error));
        if (*committed) return LEAT_OK;
    }
    *seen = latest_id;
    const leat_paimon_snapshot *base = NULL;
    if (latest_id > 0) {
        LEAT_TRY(leat_paimon_snapshot_load(self->env, self->table->path, latest_id, &self->attempt, &latest, error));
        base = &latest;
    }
    LEAT_TRY(check_changes(self, base, changes, error));
    LEAT_TRY(build_snapshot(self, base, changes, &next, error));
    leat_code code = leat_paimon_snapshot_create(self->env, self->table->path, &next, error);
    if (code == LEAT_OK) *committed = next.id;
    if (code == LEAT_EXISTS) remove_scraps(self);
    return code; /* other errors: whether the snapshot exists is not known, so nothing is removed */
}

static leat_code commit_changes(leat_commit *self, leat_commit_changes *changes, int64_t *committed, leat_error *error)
{
    retry limits;
    LEAT_TRY(read_retry(self, &limits, error));
    int64_t seen = -1;
    for (int64_t tries = 0;; tries++) {
        *committed = 0;
        leat_code code = attempt(self, &seen, changes, committed, error);
        if (code == LEAT_OK) break;
        if (code != LEAT_EXISTS && !leat_code_is_transient(code)) {
            return leat_fail_in(error, code, "commit %s of checkpoint %" PRId64 " to %s",
                                leat_paimon_commit_kind_name(changes->kind), self->identifier, self->table->path);
        }
        leat_error why;
        leat_code waited = wait_for_retry(self, &limits, tries, &why);
        if (waited == LEAT_OK) continue;
        if (code != LEAT_EXISTS) return leat_fail_in(error, code, "commit to %s", self->table->path);
        if (error) *error = why;
        return leat_fail_in(error, waited, "commit to %s", self->table->path);
    }
    store_hints(self, *committed);
    return LEAT_OK;
}

/* What the user's newest snapshot says of this identifier. */
static leat_code find_done(leat_commit *self, bool *is_append_done, bool *is_compact_done, leat_error *error)
{
    int64_t latest, id, identifier;
    *is_append_done = *is_compact_done = false;
    LEAT_TRY(leat_paimon_snapshot_latest_id(self->env, self->table->path, &latest, error));
    LEAT_TRY(leat_paimon_snapshot_of_user(self->env, self->table->path, latest, self->user, &id, &identifier, error));
    if (id == 0 || identifier < self->identifier) return LEAT_OK;
    *is_append_done = true;
    *is_compact_done = identifier > self->identifier;
    if (*is_compact_done) return LEAT_OK;
    leat_arena_reset(&self->attempt);
    leat_paimon_snapshot snapshot;
    LEAT_TRY(leat_paimon_snapshot_load(self->env, self->table->path, id, &self->attempt, &snapshot, error));
    *is_compact_done = snapshot.commit_kind == LEAT_PAIMON_COMMIT_COMPACT;
    return LEAT_OK;
}

/* After a restore: what is to be committed must still be there. */
static leat_code check_files_exist(leat_commit *self, const leat_commit_changes *changes, leat_error *error)
{
    const leat_paimon_entries *lists[] = {&changes->delta, &changes->changelog};
    for (size_t i = 0; i < changes->delta.count + changes->changelog.count; i++) {
        bool is_delta = i < changes->delta.count;
        const leat_paimon_entry *entry = &lists[is_delta ? 0 : 1]->items[is_delta ? i : i - changes->delta.count];
        if (entry->kind != LEAT_PAIMON_ADD) continue;
        const char *folder;
        leat_arena_reset(&self->attempt);
        LEAT_TRY(leat_paimon_bucket_path(self->table->path, &self->table->schema, entry->partition,
                                         entry->partition_size, entry->bucket, &self->attempt, &folder, error));
        const char *path = leat_paimon_file_path(folder, &entry->file, &self->attempt);
        if (!path) return leat_fail_no_memory(error);
        uint64_t size;
        leat_code code = leat_storage_size(self->env->storage, path, &size, error);
        if (code == LEAT_NOT_FOUND) {
            return leat_fail(error, LEAT_CONFLICT,
                             "file %s, which the restored checkpoint wants to commit, was removed", path);
        }
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

static leat_code load_latest(leat_commit *self, leat_paimon_snapshot *latest, int64_t *id, leat_error *error)
{
    leat_arena_reset(&self->attempt);
    LEAT_TRY(leat_paimon_snapshot_latest_id(self->env, self->table->path, id, error));
    if (*id <= 0) return LEAT_OK;
    return leat_paimon_snapshot_load(self->env, self->table->path, *id, &self->attempt, latest, error);
}

/* Before the APPEND half is made, so that a conflict of the COMPACT half leaves nothing half committed: the job then
 * goes back to the checkpoint before, and its rows are not yet in the table. */
static leat_code precheck_compact(leat_commit *self, const leat_commit_changes *append,
                                  const leat_commit_changes *compact, leat_error *error)
{
    int64_t latest_id;
    leat_paimon_snapshot latest;
    LEAT_TRY(load_latest(self, &latest, &latest_id, error));
    bool fits = self->memory.fitting == self->identifier && self->memory.fits_on == latest_id;
    if (!fits) LEAT_TRY(leat_commit_check(self, latest_id > 0 ? &latest : NULL, append, compact, error));
    self->compact_checked_at = is_empty(append) ? latest_id : latest_id + 1;
    return LEAT_OK;
}

/* The COMPACT half after the APPEND half is in the table. A conflict now drops it: the rows are safe, and the writers'
 * next compaction will find out (precheck_compact) and start the job again from the newest snapshot. */
static leat_code commit_compact(leat_commit *self, leat_commit_changes *compact, bool is_append_done,
                                int64_t *committed, leat_error *error)
{
    leat_code code = commit_changes(self, compact, committed, error);
    if (code != LEAT_CONFLICT || !is_append_done) return code;
    leat_log(LEAT_LOG_WARN, "paimon", "%s: compaction of checkpoint %" PRId64 " is dropped: %s", self->table->path,
             self->identifier, error ? error->text : "conflict");
    return LEAT_OK;
}

/* Which halves there are to commit. */
typedef struct halves {
    leat_commit_changes append, compact;
    bool is_append_done, wants_append, wants_compact;
} halves;

static leat_code find_halves(leat_commit *self, bool is_empty_allowed, halves *out, leat_error *error)
{
    bool is_compact_done = false;
    LEAT_TRY(collect(self, &out->append, &out->compact, error));
    if (self->is_recovery) LEAT_TRY(find_done(self, &out->is_append_done, &is_compact_done, error));
    bool has_append = !is_empty(&out->append) || (is_empty_allowed && is_empty(&out->compact));
    out->wants_append = !out->is_append_done && has_append;
    out->wants_compact = !is_compact_done && !is_empty(&out->compact);
    if (self->is_recovery && out->wants_append) return check_files_exist(self, &out->append, error);
    return LEAT_OK;
}

static leat_code commit_messages(leat_commit *self, bool is_empty_allowed, leat_paimon_commit_result *result,
                                 leat_error *error)
{
    halves todo = {0};
    LEAT_TRY(find_halves(self, is_empty_allowed, &todo, error));
    result->was_committed = todo.is_append_done && !todo.wants_compact;
    if (todo.wants_append) {
        if (todo.wants_compact) LEAT_TRY(precheck_compact(self, &todo.append, &todo.compact, error));
        LEAT_TRY(commit_changes(self, &todo.append, &result->snapshots[result->snapshots_count], error));
        if (result->snapshots[result->snapshots_count] != self->compact_checked_at) self->compact_checked_at = -1;
        result->snapshots_count++;
    }
    if (!todo.wants_compact) return LEAT_OK;
    int64_t id = 0;
    LEAT_TRY(commit_compact(self, &todo.compact, todo.is_append_done || todo.wants_append, &id, error));
    if (id) result->snapshots[result->snapshots_count++] = id;
    return LEAT_OK;
}

/* As commit_messages finds out, without writing. After the APPEND half nothing conflicts any more. */
static leat_code check_messages(leat_commit *self, bool is_empty_allowed, leat_commit_outlook *out, leat_error *error)
{
    halves todo = {0};
    leat_code code = find_halves(self, is_empty_allowed, &todo, error);
    out->is_done = todo.is_append_done;
    if (code != LEAT_OK || out->is_done || !(todo.wants_append || todo.wants_compact)) return code;
    bool has_keys = todo.wants_append && leat_commit_has_keys(self);
    bool is_append_checked = todo.wants_append && (todo.append.has_deletes || self->is_recovery);
    /* Rows alone are in nobody's way; after a restore they are looked at all the same. */
    out->may_conflict = todo.wants_compact || has_keys || (todo.wants_append && todo.append.has_deletes);
    if (!out->may_conflict && !is_append_checked) return LEAT_OK;
    int64_t latest_id;
    leat_paimon_snapshot latest;
    LEAT_TRY(load_latest(self, &latest, &latest_id, error));
    const leat_paimon_snapshot *base = latest_id > 0 ? &latest : NULL;
    if (todo.wants_compact) LEAT_TRY(leat_commit_check(self, base, &todo.append, &todo.compact, error));
    if (is_append_checked) LEAT_TRY(leat_commit_check(self, base, NULL, &todo.append, error));
    if (has_keys) LEAT_TRY(leat_commit_index_check(self, base, &todo.append, error));
    self->memory.fitting = self->identifier;
    self->memory.fits_on = latest_id;
    return LEAT_OK;
}

static leat_code is_empty_commit_allowed(const leat_paimon_table *table, bool *out, leat_error *error)
{
    bool is_forced, is_ignored;
    LEAT_TRY(leat_paimon_option_bool(&table->schema.options, "commit.force-create-snapshot", false, &is_forced, error));
    LEAT_TRY(leat_paimon_option_bool(&table->schema.options, "snapshot.ignore-empty-commit", true, &is_ignored, error));
    *out |= is_forced || !is_ignored;
    return LEAT_OK;
}

/* Both calls: `result` NULL makes it a check. */
static leat_code run(leat_commit *self, const leat_paimon_commit_options *options, leat_paimon_commit_result *result,
                     leat_commit_outlook *outlook, leat_error *error)
{
    LEAT_TRY(leat_paimon_schema_check_writable(&self->table->schema, error));
    bool is_empty_allowed = options && options->is_empty_allowed;
    LEAT_TRY(is_empty_commit_allowed(self->table, &is_empty_allowed, error));
    self->is_recovery = options && options->is_recovery;
    self->compact_checked_at = -1;
    if (options && options->memory) self->memory = *options->memory;
    leat_arena_init(&self->arena, LEAT_COMMIT_ARENA_BYTES);
    leat_arena_init(&self->attempt, LEAT_COMMIT_ARENA_BYTES);
    leat_paimon_names *names[] = {&self->manifest_names, &self->list_names, &self->index_names, &self->hash_names};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        leat_paimon_names_init(names[i], self->env);
    leat_code code = result ? commit_messages(self, is_empty_allowed, result, error)
                            : check_messages(self, is_empty_allowed, outlook, error);
    if (code == LEAT_OK && options && options->memory) *options->memory = self->memory;
    leat_free(self->scraps);
    leat_arena_done(&self->arena);
    leat_arena_done(&self->attempt);
    return code;
}

leat_code leat_paimon_commit(leat_env *env, const leat_paimon_table *table, const char *commit_user, int64_t identifier,
                             const leat_paimon_message *messages, size_t count,
                             const leat_paimon_commit_options *options, leat_paimon_commit_result *result,
                             leat_error *error)
{
    leat_paimon_commit_result done = {0};
    leat_commit self = {.env = env,
                        .table = table,
                        .user = commit_user,
                        .identifier = identifier,
                        .messages = messages,
                        .messages_count = count};
    leat_code code = run(&self, options, &done, NULL, error);
    done.attempts = self.attempts;
    if (result) *result = done;
    return code;
}

leat_code leat_paimon_commit_check(leat_env *env, const leat_paimon_table *table, const char *commit_user,
                                   int64_t identifier, const leat_paimon_message *messages, size_t count,
                                   const leat_paimon_commit_options *options, leat_commit_outlook *out,
                                   leat_error *error)
{
    leat_commit self = {.env = env,
                        .table = table,
                        .user = commit_user,
                        .identifier = identifier,
                        .messages = messages,
                        .messages_count = count};
    *out = (leat_commit_outlook){0};
    return run(&self, options, NULL, out, error);
}
