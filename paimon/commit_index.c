/* Index manifests, and the rule that lets several jobs write a table with dynamic buckets (DESIGN §8).
 *
 * A HASH index file holds all key hashes of its bucket and is replaced as a whole. Two jobs may each add keys: a job's
 * file is made from what it saw at its base snapshot. So when a foreign snapshot changed the index since:
 *   - one of our new keys is now in another bucket: LEAT_CONFLICT, the job starts again and routes the key there;
 *   - otherwise our file becomes the union of ours and what is there now. Indexes only grow, so that loses nothing. */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/commit_internal.h"
#include "storage/storage.h"

static bool is_hash(const leat_paimon_index_file *file)
{
    return strcmp(file->index_type, "HASH") == 0;
}

static bool same_bucket(const leat_paimon_index_file *left, const leat_paimon_index_file *right)
{
    return left->bucket == right->bucket && left->partition_size == right->partition_size &&
           memcmp(left->partition, right->partition, left->partition_size) == 0;
}

/* HASH: one file a bucket, replaced. Others by name. */
static bool is_replaced(const leat_paimon_index_file *old, const leat_paimon_index_file *change)
{
    if (strcmp(old->index_type, change->index_type) != 0) return false;
    if (is_hash(old) && change->kind == LEAT_PAIMON_ADD) return same_bucket(old, change);
    return strcmp(old->name, change->name) == 0;
}

/* Whether a snapshot of someone else after `base` changed the index. Snapshots that are gone count as foreign. What was
 * found clean is remembered. */
static leat_code has_foreign_change(leat_commit *self, int64_t base, const leat_paimon_snapshot *latest, bool *out,
                                    leat_error *error)
{
    leat_paimon_commit_memory *memory = &self->memory;
    if (base < 0) base = 0;
    bool is_known = memory->base <= base && memory->clean > base;
    int64_t from = is_known ? memory->clean : base;
    const char *before = NULL;
    for (int64_t id = from > 0 ? from : 1; id <= latest->id; id++) {
        leat_paimon_snapshot snapshot;
        leat_code code = leat_paimon_snapshot_load(self->env, self->table->path, id, &self->attempt, &snapshot, error);
        if (code != LEAT_OK && code != LEAT_NOT_FOUND) return code;
        const char *after = code == LEAT_OK ? snapshot.index_manifest : NULL;
        bool is_changed = id > from && after && (!before || strcmp(before, after) != 0);
        *out = code == LEAT_NOT_FOUND || (is_changed && strcmp(snapshot.commit_user, self->user) != 0);
        if (*out) return LEAT_OK;
        if (after) before = after;
    }
    *out = false;
    if (!is_known) memory->base = base;
    memory->clean = latest->id;
    return LEAT_OK;
}

static int compare_hashes(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static leat_code load_sorted(leat_commit *self, const leat_paimon_index_file *file, int32_t **hashes, size_t *count,
                             leat_error *error)
{
    LEAT_TRY(leat_paimon_hash_index_load(self->env, self->table->path, file, &self->attempt, hashes, count, error));
    if (*count) qsort(*hashes, *count, sizeof **hashes, compare_hashes);
    return LEAT_OK;
}

/* No new key of the message may be in another bucket of its partition. */
static leat_code check_keys(leat_commit *self, const leat_paimon_message *message, const leat_paimon_index_files *files,
                            leat_error *error)
{
    leat_paimon_index_file place = {.partition = message->partition, .partition_size = message->partition_size};
    for (size_t i = 0; i < files->count; i++) {
        const leat_paimon_index_file *file = &files->items[i];
        place.bucket = file->bucket;
        if (!is_hash(file) || file->bucket == message->bucket || !same_bucket(file, &place)) continue;
        int32_t *hashes;
        size_t count;
        LEAT_TRY(load_sorted(self, file, &hashes, &count, error));
        for (size_t k = 0; count && k < message->new_key_hashes_count; k++) {
            if (!bsearch(&message->new_key_hashes[k], hashes, count, sizeof *hashes, compare_hashes)) continue;
            return leat_fail(error, LEAT_CONFLICT,
                             "another job put a new key (hash %d) into bucket %d, this one into bucket %d",
                             message->new_key_hashes[k], file->bucket, message->bucket);
        }
    }
    return LEAT_OK;
}

/* Makes the union of our file and the one that is there, when that has hashes which ours lacks. */
static leat_code unite(leat_commit *self, const leat_paimon_index_file *there, leat_paimon_index_file *ours,
                       leat_error *error)
{
    int32_t *left, *right;
    size_t left_count, right_count;
    LEAT_TRY(load_sorted(self, ours, &left, &left_count, error));
    LEAT_TRY(load_sorted(self, there, &right, &right_count, error));
    int32_t *all = leat_arena_take(&self->attempt, (left_count + right_count) * sizeof *all);
    if (!all) return leat_fail_no_memory(error);
    size_t count = 0, i = 0, k = 0;
    while (i < left_count || k < right_count) {
        bool is_left = k == right_count || (i < left_count && left[i] <= right[k]);
        int32_t next = is_left ? left[i++] : right[k++];
        if (!count || all[count - 1] != next) all[count++] = next;
    }
    if (count == left_count) return LEAT_OK;
    const char *name = leat_paimon_names_next(&self->hash_names, "index-", "", &self->attempt);
    if (!name) return leat_fail_no_memory(error);
    LEAT_TRY(leat_commit_scrap(self, "index", name, error));
    ours->external_path = NULL;
    return leat_paimon_hash_index_store(self->env, self->table->path, name, all, count, ours, error);
}

static leat_code apply(leat_commit *self, const leat_commit_changes *changes, bool is_foreign,
                       leat_paimon_index_files *files, leat_error *error)
{
    for (size_t c = 0; c < changes->index.count; c++) {
        leat_paimon_index_file change = changes->index.items[c];
        size_t kept = 0;
        for (size_t i = 0; i < files->count; i++) {
            if (is_replaced(&files->items[i], &change)) {
                bool is_union = is_foreign && is_hash(&change) && change.kind == LEAT_PAIMON_ADD;
                if (is_union) LEAT_TRY(unite(self, &files->items[i], &change, error));
                continue;
            }
            files->items[kept++] = files->items[i];
        }
        files->count = kept;
        if (change.kind == LEAT_PAIMON_ADD)
            LEAT_TRY(leat_paimon_index_files_add(files, &change, &self->attempt, error));
    }
    return LEAT_OK;
}

/* The smallest base of the messages that hold keys; INT64_MAX: none does. */
static int64_t smallest_base(const leat_commit *self)
{
    int64_t base = INT64_MAX;
    for (size_t i = 0; i < self->messages_count; i++) {
        const leat_paimon_message *message = &self->messages[i];
        bool has_keys = message->new_key_hashes_count > 0;
        for (size_t k = 0; k < message->new_index_files_count; k++)
            has_keys |= is_hash(&message->new_index_files[k]);
        if (has_keys && message->base_snapshot < base) base = message->base_snapshot;
    }
    return base;
}

bool leat_commit_has_keys(const leat_commit *self)
{
    return smallest_base(self) != INT64_MAX;
}

/* Loads the index as it is when it matters: a foreign change is there, or `changes` touch it. */
static leat_code check_index(leat_commit *self, const leat_paimon_snapshot *latest, const leat_commit_changes *changes,
                             bool *is_foreign, leat_paimon_index_files *files, leat_error *error)
{
    const char *manifest = latest ? latest->index_manifest : NULL;
    *is_foreign = false;
    /* The rule concerns the snapshot that brings the keys; the COMPACT half has none. */
    bool has_keys = leat_commit_has_keys(self) && changes->kind != LEAT_PAIMON_COMMIT_COMPACT;
    if (has_keys && manifest) LEAT_TRY(has_foreign_change(self, smallest_base(self), latest, is_foreign, error));
    if (!manifest || (changes->index.count == 0 && !*is_foreign)) return LEAT_OK;
    LEAT_TRY(leat_paimon_index_manifest_load(self->env, self->table->path, manifest, &self->attempt, files, error));
    for (size_t i = 0; *is_foreign && i < self->messages_count; i++)
        LEAT_TRY(check_keys(self, &self->messages[i], files, error));
    return LEAT_OK;
}

leat_code leat_commit_index_check(leat_commit *self, const leat_paimon_snapshot *latest,
                                  const leat_commit_changes *changes, leat_error *error)
{
    leat_paimon_index_files files = {0};
    bool is_foreign;
    return check_index(self, latest, changes, &is_foreign, &files, error);
}

leat_code leat_commit_index(leat_commit *self, const leat_paimon_snapshot *latest, const leat_commit_changes *changes,
                            const char **out, leat_error *error)
{
    *out = latest ? latest->index_manifest : NULL;
    leat_paimon_index_files files = {0};
    bool is_foreign;
    LEAT_TRY(check_index(self, latest, changes, &is_foreign, &files, error));
    if (changes->index.count == 0) return LEAT_OK;
    LEAT_TRY(apply(self, changes, is_foreign, &files, error));
    const char *name = leat_paimon_names_next(&self->index_names, "index-manifest-", "", &self->attempt);
    if (!name) return leat_fail_no_memory(error);
    LEAT_TRY(leat_commit_scrap(self, "manifest", name, error));
    LEAT_TRY(leat_paimon_index_manifest_store(self->env, self->table->path, &self->table->schema, name, &files, error));
    *out = name;
    return LEAT_OK;
}
