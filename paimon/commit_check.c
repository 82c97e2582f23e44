/* What may be in the way of a commit (spec/paimon commit.md §4, checks 1 to 3). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/commit_internal.h"
#include "paimon/schema.h"

static bool same_partition(const leat_paimon_entry *left, const leat_paimon_entry *right)
{
    return left->partition_size == right->partition_size &&
           memcmp(left->partition, right->partition, left->partition_size) == 0;
}

/* Fixed buckets: everything of the partition counts (its number of buckets must be one); otherwise the bucket alone. */
static bool is_touched(const leat_paimon_entry *entry, const leat_commit_changes *changes)
{
    for (size_t i = 0; i < changes->delta.count; i++) {
        const leat_paimon_entry *ours = &changes->delta.items[i];
        if (!same_partition(entry, ours)) continue;
        if (ours->total_buckets > 0 || ours->bucket == entry->bucket) return true;
    }
    return false;
}

static leat_code add_touched(leat_commit *self, const leat_paimon_entries *from, const leat_commit_changes *changes,
                             leat_paimon_entries *out, leat_error *error)
{
    const leat_paimon_entry *known = NULL; /* neighbours are often of one bucket */
    bool is_known_touched = false;
    for (size_t i = 0; i < from->count; i++) {
        const leat_paimon_entry *entry = &from->items[i];
        if (!known || known->bucket != entry->bucket || !same_partition(known, entry)) {
            is_known_touched = is_touched(entry, changes);
            known = entry;
        }
        if (is_known_touched) LEAT_TRY(leat_paimon_entries_add(out, entry, &self->attempt, error));
    }
    return LEAT_OK;
}

static bool may_touch(const leat_paimon_manifest *manifest, const leat_commit_changes *changes)
{
    if (!manifest->has_buckets) return true;
    for (size_t i = 0; i < changes->delta.count; i++) {
        const leat_paimon_entry *ours = &changes->delta.items[i];
        if (ours->total_buckets > 0) return true;
        if (ours->bucket >= manifest->min_bucket && ours->bucket <= manifest->max_bucket) return true;
    }
    return false;
}

static leat_code load_list(leat_commit *self, const char *list, const leat_commit_changes *changes,
                           leat_paimon_entries *out, leat_error *error)
{
    leat_paimon_manifests manifests = {0};
    LEAT_TRY(leat_paimon_manifest_list_load(self->env, self->table->path, list, &self->attempt, &manifests, error));
    for (size_t i = 0; i < manifests.count; i++) {
        if (!may_touch(&manifests.items[i], changes)) continue;
        leat_paimon_entries entries = {0};
        LEAT_TRY(leat_paimon_manifest_load(self->env, self->table->path, manifests.items[i].name, &self->attempt,
                                           &entries, error));
        LEAT_TRY(add_touched(self, &entries, changes, out, error));
    }
    return LEAT_OK;
}

static leat_code conflict(leat_error *error, const char *text, const char *name)
{
    leat_code code = leat_fail(error, LEAT_CONFLICT, "%s%s", text, name);
    leat_fail_hint(
        error, "another job or process compacts or overwrites this table; with several writers, set write-only = true "
               "in all but one");
    return code;
}

static leat_code check_total_buckets(const leat_paimon_entries *entries, leat_error *error)
{
    const leat_paimon_entry *first = NULL;
    for (size_t i = 0; i < entries->count; i++) {
        const leat_paimon_entry *entry = &entries->items[i];
        if (entry->total_buckets <= 0 || entry->kind == LEAT_PAIMON_DELETE) continue;
        if (first && same_partition(first, entry) && first->total_buckets != entry->total_buckets) {
            return leat_fail(error, LEAT_CONFLICT,
                             "total buckets of a partition changed from %d to %d without overwrite",
                             first->total_buckets, entry->total_buckets);
        }
        if (!first || !same_partition(first, entry)) first = entry;
    }
    return LEAT_OK;
}

/* A file's identity may be added once, and be deleted only if it is there. The error says whose it is. */
static leat_code merge_checked(leat_paimon_entries *entries, leat_error *error)
{
    leat_error cause;
    leat_code code = leat_paimon_entries_merge(entries, false, &cause);
    if (code == LEAT_OK) return LEAT_OK;
    if (code == LEAT_CORRUPT) return conflict(error, "file deletion conflicts detected: ", cause.text);
    return leat_fail(error, code, "%s", cause.text);
}

typedef struct leveled {
    const leat_paimon_entry *entry;
    leat_paimon_value *min; /* values of the key */
} leveled;

typedef struct sort_context {
    const leat_paimon_key *key;
} sort_context;

static int compare_place(const leat_paimon_entry *left, const leat_paimon_entry *right)
{
    if (left->bucket != right->bucket) return left->bucket < right->bucket ? -1 : 1;
    if (left->file.level != right->file.level) return left->file.level < right->file.level ? -1 : 1;
    if (left->partition_size != right->partition_size) return left->partition_size < right->partition_size ? -1 : 1;
    return memcmp(left->partition, right->partition, left->partition_size);
}

static int compare_keys(const leat_paimon_key *key, const leat_paimon_value *left, const leat_paimon_value *right)
{
    int order = 0;
    for (int32_t i = 0; i < key->count && order == 0; i++)
        order = leat_paimon_value_compare(&key->types[i], &left[i], &right[i]);
    return order;
}

static int compare_leveled(const void *left, const void *right, void *context)
{
    const leveled *a = left, *b = right;
    int order = compare_place(a->entry, b->entry);
    return order ? order : compare_keys(((sort_context *)context)->key, a->min, b->min);
}

static leat_code read_key(leat_commit *self, const leat_paimon_key *key, const uint8_t *data, size_t size,
                          leat_paimon_value **out, leat_error *error)
{
    leat_binary_row row;
    *out = leat_arena_take(&self->attempt, (size_t)key->count * sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    LEAT_TRY(leat_binary_row_open(data, size, "key", &row, error));
    for (int32_t i = 0; i < key->count; i++)
        LEAT_TRY(leat_binary_row_get(&row, i, &key->types[i], &(*out)[i], error));
    return LEAT_OK;
}

/* Files of one level ≥ 1 of a bucket must not overlap. */
static leat_code check_levels(leat_commit *self, const leat_paimon_entries *entries, leat_error *error)
{
    leat_paimon_key key;
    LEAT_TRY(leat_paimon_schema_trimmed_key(&self->table->schema, &self->attempt, &key, error));
    leveled *files = leat_arena_take(&self->attempt, entries->count * sizeof *files);
    if (!files) return leat_fail_no_memory(error);
    size_t count = 0;
    for (size_t i = 0; key.count && i < entries->count; i++) {
        const leat_paimon_file *file = &entries->items[i].file;
        if (file->level < 1) continue;
        files[count].entry = &entries->items[i];
        LEAT_TRY(read_key(self, &key, file->min_key, file->min_key_size, &files[count].min, error));
        count++;
    }
    sort_context context = {&key};
    if (count) qsort_r(files, count, sizeof *files, compare_leveled, &context);
    for (size_t i = 1; i < count; i++) {
        if (compare_place(files[i - 1].entry, files[i].entry) != 0) continue;
        const leat_paimon_file *left = &files[i - 1].entry->file;
        leat_paimon_value *max;
        LEAT_TRY(read_key(self, &key, left->max_key, left->max_key_size, &max, error));
        if (compare_keys(&key, max, files[i].min) >= 0) {
            return conflict(error, "LSM conflicts detected: two files of one level overlap: ", left->name);
        }
    }
    return LEAT_OK;
}

leat_code leat_commit_check(leat_commit *self, const leat_paimon_snapshot *latest, const leat_commit_changes *before,
                            const leat_commit_changes *changes, leat_error *error)
{
    leat_paimon_entries entries = {0};
    if (latest) {
        LEAT_TRY(load_list(self, latest->base_manifest_list, changes, &entries, error));
        LEAT_TRY(load_list(self, latest->delta_manifest_list, changes, &entries, error));
    }
    /* What is there must hold together by itself; a fault of it is no conflict. */
    LEAT_TRY(leat_paimon_entries_merge(&entries, false, error));
    if (before) LEAT_TRY(add_touched(self, &before->delta, changes, &entries, error));
    LEAT_TRY(add_touched(self, &changes->delta, changes, &entries, error));
    if (changes->kind != LEAT_PAIMON_COMMIT_OVERWRITE) LEAT_TRY(check_total_buckets(&entries, error));
    LEAT_TRY(merge_checked(&entries, error));
    return check_levels(self, &entries, error);
}
