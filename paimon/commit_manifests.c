/* Writing and merging of manifests in a commit. */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/commit_internal.h"
#include "paimon/schema.h"

/* A manifest's entries are cut by number: an entry takes about so many bytes packed. */
enum { ENTRY_BYTES = 256, ENTRIES_MIN = 64 };

typedef struct limits {
    int64_t target_bytes, full_bytes, merge_min;
} limits;

static leat_code read_limits(const leat_commit *self, limits *out, leat_error *error)
{
    const leat_config *options = &self->table->schema.options;
    LEAT_TRY(leat_paimon_option_memory(options, "manifest.target-file-size", 8 << 20, &out->target_bytes, error));
    LEAT_TRY(leat_paimon_option_memory(options, "manifest.full-compaction-threshold-size", 16 << 20, &out->full_bytes,
                                       error));
    return leat_paimon_option_int(options, "manifest.merge-min-count", 30, &out->merge_min, error);
}

leat_code leat_commit_write_manifests(leat_commit *self, const leat_paimon_entries *entries, leat_arena *arena,
                                      leat_paimon_manifests *out, leat_error *error)
{
    limits limit;
    LEAT_TRY(read_limits(self, &limit, error));
    size_t most =
        limit.target_bytes / ENTRY_BYTES > ENTRIES_MIN ? (size_t)limit.target_bytes / ENTRY_BYTES : ENTRIES_MIN;
    for (size_t at = 0; at < entries->count;) {
        size_t count = entries->count - at < most ? entries->count - at : most;
        const leat_paimon_entry **slice = leat_arena_take(arena, count * sizeof *slice);
        const char *name = leat_paimon_names_next(&self->manifest_names, "manifest-", "", arena);
        if (!slice || !name) return leat_fail_no_memory(error);
        for (size_t i = 0; i < count; i++)
            slice[i] = &entries->items[at + i];
        leat_paimon_manifest manifest;
        LEAT_TRY(leat_paimon_manifest_store(self->env, self->table->path, &self->table->schema, name, slice, count,
                                            arena, &manifest, error));
        LEAT_TRY(leat_paimon_manifests_add(out, &manifest, arena, error));
        at += count;
    }
    return LEAT_OK;
}

leat_code leat_commit_write_list(leat_commit *self, const leat_paimon_manifests *manifests, leat_arena *arena,
                                 const char **name, int64_t *size_bytes, leat_error *error)
{
    *name = leat_paimon_names_next(&self->list_names, "manifest-list-", "", arena);
    if (!*name) return leat_fail_no_memory(error);
    return leat_paimon_manifest_list_store(self->env, self->table->path, &self->table->schema, *name, manifests,
                                           size_bytes, error);
}

static leat_code load_all(leat_commit *self, const leat_paimon_manifest *manifests, size_t count,
                          leat_paimon_entries *out, leat_error *error)
{
    for (size_t i = 0; i < count; i++)
        LEAT_TRY(
            leat_paimon_manifest_load(self->env, self->table->path, manifests[i].name, &self->attempt, out, error));
    return LEAT_OK;
}

/* Writes merged entries; the new manifests are this attempt's. */
static leat_code write_merged(leat_commit *self, const leat_paimon_entries *entries, leat_paimon_manifests *out,
                              leat_error *error)
{
    size_t first = out->count;
    LEAT_TRY(leat_commit_write_manifests(self, entries, &self->attempt, out, error));
    for (size_t i = first; i < out->count; i++)
        LEAT_TRY(leat_commit_scrap(self, "manifest", out->items[i].name, error));
    return LEAT_OK;
}

static leat_code merge_slice(leat_commit *self, const leat_paimon_manifest *manifests, size_t count,
                             leat_paimon_manifests *out, leat_error *error)
{
    if (count == 1) return leat_paimon_manifests_add(out, manifests, &self->attempt, error);
    leat_paimon_entries entries = {0};
    LEAT_TRY(load_all(self, manifests, count, &entries, error));
    LEAT_TRY(leat_paimon_entries_merge(&entries, true, error));
    return write_merged(self, &entries, out, error);
}

/* Neighbours are merged whenever they reach the target size together; the rest only when there are enough of them. */
static leat_code merge_minor(leat_commit *self, const leat_paimon_manifests *before, const limits *limit,
                             leat_paimon_manifests *out, leat_error *error)
{
    size_t first = 0;
    int64_t bytes = 0;
    for (size_t i = 0; i < before->count; i++) {
        bytes += before->items[i].size_bytes;
        if (bytes < limit->target_bytes) continue;
        LEAT_TRY(merge_slice(self, before->items + first, i + 1 - first, out, error));
        first = i + 1;
        bytes = 0;
    }
    size_t left = before->count - first;
    if (left == 0) return LEAT_OK;
    if ((int64_t)left >= limit->merge_min) return merge_slice(self, before->items + first, left, out, error);
    for (size_t i = first; i < before->count; i++)
        LEAT_TRY(leat_paimon_manifests_add(out, &before->items[i], &self->attempt, error));
    return LEAT_OK;
}

static bool is_small_or_has_deletes(const leat_paimon_manifest *manifest, const limits *limit)
{
    return manifest->deleted_files > 0 || manifest->size_bytes < limit->target_bytes;
}

static bool has_delete(const leat_paimon_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        if (entries->items[i].kind == LEAT_PAIMON_DELETE) return true;
    return false;
}

/* Everything small or with deletes becomes pure adds. Large manifests of adds are rewritten only if one of their files
 * may be deleted by an entry that found no ADD among the others. */
static leat_code merge_full(leat_commit *self, const leat_paimon_manifests *before, const limits *limit,
                            leat_paimon_manifests *out, leat_error *error)
{
    leat_paimon_entries entries = {0};
    for (size_t i = 0; i < before->count; i++) {
        if (is_small_or_has_deletes(&before->items[i], limit))
            LEAT_TRY(load_all(self, &before->items[i], 1, &entries, error));
    }
    LEAT_TRY(leat_paimon_entries_merge(&entries, true, error));
    if (has_delete(&entries)) {
        entries.count = 0;
        LEAT_TRY(load_all(self, before->items, before->count, &entries, error));
        LEAT_TRY(leat_paimon_entries_merge(&entries, false, error));
        return write_merged(self, &entries, out, error);
    }
    for (size_t i = 0; i < before->count; i++) {
        if (is_small_or_has_deletes(&before->items[i], limit)) continue;
        LEAT_TRY(leat_paimon_manifests_add(out, &before->items[i], &self->attempt, error));
    }
    return write_merged(self, &entries, out, error);
}

leat_code leat_commit_merge_manifests(leat_commit *self, const leat_paimon_manifests *before,
                                      leat_paimon_manifests *out, leat_error *error)
{
    limits limit;
    LEAT_TRY(read_limits(self, &limit, error));
    int64_t bytes = 0;
    size_t count = 0;
    for (size_t i = 0; i < before->count; i++) {
        if (!is_small_or_has_deletes(&before->items[i], &limit)) continue;
        bytes += before->items[i].size_bytes;
        count++;
    }
    leat_code code = bytes >= limit.full_bytes && count > 1 ? merge_full(self, before, &limit, out, error)
                                                            : merge_minor(self, before, &limit, out, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "merge manifests");
}
