/* From files to splits (spec/paimon merge-tree.md §6): a bucket's files are packed in order, up to the target size. Of
 * primary-key tables a section (files whose key ranges overlap) stays whole, because it is merged. */
#include <stdlib.h>
#include <string.h>

#include "paimon/path.h"
#include "paimon/scan_internal.h"

typedef struct planner {
    leat_env *env;
    const leat_paimon_table *table;
    const leat_paimon_snapshot *snapshot;
    const leat_paimon_scan *scan;
    leat_arena *arena;
    leat_paimon_splits *out;
    leat_paimon_key key; /* trimmed primary key; count 0: append table */
    leat_paimon_merge_engine engine;
    bool has_deletion_vectors;
    leat_paimon_index_files index;
    int64_t target_bytes, open_bytes;
    leat_error *error;
} planner;

static leat_code planner_init(planner *self, leat_env *env, const leat_paimon_table *table,
                              const leat_paimon_snapshot *snapshot, const leat_paimon_scan *scan, leat_arena *arena,
                              leat_paimon_splits *out, leat_error *error)
{
    const leat_config *options = &table->schema.options;
    *self = (planner){
        .env = env, .table = table, .snapshot = snapshot, .scan = scan, .arena = arena, .out = out, .error = error};
    LEAT_TRY(leat_paimon_schema_trimmed_key(&table->schema, arena, &self->key, error));
    LEAT_TRY(leat_paimon_schema_merge_engine(&table->schema, &self->engine, error));
    LEAT_TRY(leat_paimon_option_bool(options, "deletion-vectors.enabled", false, &self->has_deletion_vectors, error));
    LEAT_TRY(leat_paimon_option_memory(options, "source.split.target-size", 128 << 20, &self->target_bytes, error));
    LEAT_TRY(leat_paimon_option_memory(options, "source.split.open-file-cost", 4 << 20, &self->open_bytes, error));
    if (scan && scan->split_target_bytes) self->target_bytes = scan->split_target_bytes;
    if (scan && scan->split_open_bytes) self->open_bytes = scan->split_open_bytes;
    return LEAT_OK;
}

/* The newest index file that has a vector for this data file. */
static leat_code find_deletion(planner *self, const leat_paimon_entry *entry, leat_paimon_deletion *out)
{
    for (size_t i = 0; i < self->index.count; i++) {
        const leat_paimon_index_file *file = &self->index.items[i];
        if (file->bucket != entry->bucket || file->partition_size != entry->partition_size ||
            memcmp(file->partition, entry->partition, file->partition_size) != 0) {
            continue;
        }
        for (size_t k = 0; k < file->dv_ranges_count; k++) {
            const leat_paimon_dv_range *range = &file->dv_ranges[k];
            if (strcmp(range->data_file, entry->file.name) != 0) continue;
            const char *path = file->external_path
                                   ? file->external_path
                                   : leat_paimon_path(self->table->path, "index", file->name, self->arena);
            *out = (leat_paimon_deletion){path, range->offset, range->length, range->cardinality};
            return path ? LEAT_OK : leat_fail_no_memory(self->error);
        }
    }
    return LEAT_OK;
}

static leat_code add_split(planner *self, const leat_paimon_entry *const *entries, size_t count, bool is_raw,
                           bool is_changes)
{
    enum { CAPACITY_MIN = 16 };
    leat_paimon_splits *out = self->out;
    if (out->count == out->capacity) {
        size_t capacity = out->capacity ? out->capacity * 2 : CAPACITY_MIN;
        leat_paimon_split *grown = leat_arena_take(self->arena, capacity * sizeof *grown);
        if (!grown) return leat_fail_no_memory(self->error);
        if (out->count) memcpy(grown, out->items, out->count * sizeof *grown);
        out->items = grown;
        out->capacity = capacity;
    }
    leat_paimon_split *split = &out->items[out->count];
    *split = (leat_paimon_split){.snapshot_id = self->snapshot->id,
                                 .partition = entries[0]->partition,
                                 .partition_size = entries[0]->partition_size,
                                 .bucket = entries[0]->bucket,
                                 .total_buckets = entries[0]->total_buckets,
                                 .is_raw = is_raw,
                                 .is_changes = is_changes};
    if (self->index.count) {
        split->deletions = leat_arena_take(self->arena, count * sizeof *split->deletions);
        if (!split->deletions) return leat_fail_no_memory(self->error);
    }
    for (size_t i = 0; i < count; i++) {
        LEAT_TRY(leat_paimon_files_add(&split->files, &entries[i]->file, self->arena, self->error));
        if (split->deletions) LEAT_TRY(find_deletion(self, entries[i], &split->deletions[i]));
        split->rows += entries[i]->file.rows;
    }
    out->count++;
    return LEAT_OK;
}

static int64_t weight_of(const planner *self, const leat_paimon_entry *const *entries, size_t count)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += entries[i]->file.size_bytes;
    return bytes > self->open_bytes ? bytes : self->open_bytes;
}

static bool has_no_deletes(const leat_paimon_file *file)
{
    return file->has_delete_rows && file->delete_rows == 0;
}

/* Whether the files of a primary-key split are rows as they are. */
static bool is_single_raw(const leat_paimon_entry *const *entries, size_t count)
{
    return count == 1 && has_no_deletes(&entries[0]->file);
}

/* Packs groups (each `sizes[i]` entries, one after another) into splits. */
static leat_code pack(planner *self, const leat_paimon_entry *const *entries, const size_t *sizes, size_t groups,
                      bool is_all_raw, bool is_changes)
{
    size_t first = 0, at = 0;
    int64_t bytes = 0;
    for (size_t i = 0; i < groups; i++) {
        int64_t weight = weight_of(self, entries + at, sizes[i]);
        if (at > first && bytes + weight > self->target_bytes) {
            bool is_raw = is_all_raw || is_single_raw(entries + first, at - first);
            LEAT_TRY(add_split(self, entries + first, at - first, is_raw, is_changes));
            first = at;
            bytes = 0;
        }
        bytes += weight;
        at += sizes[i];
    }
    bool is_raw = is_all_raw || is_single_raw(entries + first, at - first);
    return at > first ? add_split(self, entries + first, at - first, is_raw, is_changes) : LEAT_OK;
}

static leat_code pack_files(planner *self, const leat_paimon_entry *const *entries, size_t count, bool is_raw,
                            bool is_changes)
{
    size_t *sizes = leat_arena_take(self->arena, count * sizeof *sizes);
    if (!sizes) return leat_fail_no_memory(self->error);
    for (size_t i = 0; i < count; i++)
        sizes[i] = 1;
    return pack(self, entries, sizes, count, is_raw, is_changes);
}

/* A file with its key range, for cutting a bucket into sections. */
typedef struct ranged {
    const leat_paimon_entry *entry;
    leat_paimon_value *min, *max;
} ranged;

static int compare_keys(const leat_paimon_key *key, const leat_paimon_value *left, const leat_paimon_value *right)
{
    int order = 0;
    for (int32_t i = 0; i < key->count && order == 0; i++)
        order = leat_paimon_value_compare(&key->types[i], &left[i], &right[i]);
    return order;
}

static int compare_ranged(const void *left, const void *right, void *context)
{
    const ranged *a = left, *b = right;
    int order = compare_keys(context, a->min, b->min);
    return order ? order : compare_keys(context, a->max, b->max);
}

static leat_code read_key(planner *self, const uint8_t *data, size_t size, leat_paimon_value **out)
{
    leat_binary_row row;
    *out = leat_arena_take(self->arena, (size_t)self->key.count * sizeof **out);
    if (!*out) return leat_fail_no_memory(self->error);
    LEAT_TRY(leat_binary_row_open(data, size, "key", &row, self->error));
    for (int32_t i = 0; i < self->key.count; i++)
        LEAT_TRY(leat_binary_row_get(&row, i, &self->key.types[i], &(*out)[i], self->error));
    return LEAT_OK;
}

/* Sorts the entries by key range; sizes[i] is the number of files of section i. */
static leat_code cut_sections(planner *self, const leat_paimon_entry **entries, size_t count, size_t *sizes,
                              size_t *sections)
{
    ranged *files = leat_arena_take(self->arena, count * sizeof *files);
    if (!files) return leat_fail_no_memory(self->error);
    for (size_t i = 0; i < count; i++) {
        const leat_paimon_file *file = &entries[i]->file;
        files[i].entry = entries[i];
        LEAT_TRY(read_key(self, file->min_key, file->min_key_size, &files[i].min));
        LEAT_TRY(read_key(self, file->max_key, file->max_key_size, &files[i].max));
    }
    qsort_r(files, count, sizeof *files, compare_ranged, &self->key);
    const leat_paimon_value *bound = NULL;
    *sections = 0;
    for (size_t i = 0; i < count; i++) {
        entries[i] = files[i].entry;
        if (!bound || compare_keys(&self->key, files[i].min, bound) > 0) sizes[(*sections)++] = 0;
        sizes[*sections - 1]++;
        if (!bound || compare_keys(&self->key, files[i].max, bound) > 0) bound = files[i].max;
    }
    return LEAT_OK;
}

/* Nothing to merge: above level 0, without delete records, and no key twice (one level, or the older ones are deleted
 * or not there). */
static bool is_bucket_raw(const planner *self, const leat_paimon_entry *const *entries, size_t count)
{
    bool is_one_level = true;
    for (size_t i = 0; i < count; i++) {
        if (entries[i]->file.level == 0 || !has_no_deletes(&entries[i]->file)) return false;
        is_one_level &= entries[i]->file.level == entries[0]->file.level;
    }
    return is_one_level || self->has_deletion_vectors || self->engine == LEAT_PAIMON_MERGE_FIRST_ROW;
}

static leat_code plan_key_bucket(planner *self, const leat_paimon_entry **entries, size_t count)
{
    if (self->scan && self->scan->is_one_split_a_bucket) {
        bool is_raw = is_bucket_raw(self, entries, count) || is_single_raw(entries, count);
        return add_split(self, entries, count, is_raw, false);
    }
    if (is_bucket_raw(self, entries, count)) return pack_files(self, entries, count, true, false);
    size_t *sizes = leat_arena_take(self->arena, count * sizeof *sizes), sections;
    if (!sizes) return leat_fail_no_memory(self->error);
    LEAT_TRY(cut_sections(self, entries, count, sizes, &sections));
    return pack(self, entries, sizes, sections, false, false);
}

static int compare_place(const leat_paimon_entry *left, const leat_paimon_entry *right)
{
    size_t shorter = left->partition_size < right->partition_size ? left->partition_size : right->partition_size;
    int order = memcmp(left->partition, right->partition, shorter);
    if (order) return order;
    if (left->partition_size != right->partition_size) return left->partition_size < right->partition_size ? -1 : 1;
    return left->bucket < right->bucket ? -1 : left->bucket > right->bucket;
}

/* By place; within a place as in the manifests, which is the array's order. */
static int compare_entries(const void *left, const void *right)
{
    const leat_paimon_entry *a = *(const leat_paimon_entry *const *)left, *b = *(const leat_paimon_entry *const *)right;
    int order = compare_place(a, b);
    return order ? order : (a > b) - (a < b);
}

static int compare_sequences(const void *left, const void *right)
{
    const leat_paimon_entry *a = *(const leat_paimon_entry *const *)left, *b = *(const leat_paimon_entry *const *)right;
    int64_t x = a->file.min_sequence, y = b->file.min_sequence;
    return x != y ? (x < y ? -1 : 1) : (a > b) - (a < b);
}

static leat_code plan_bucket(planner *self, const leat_paimon_entry **entries, size_t count, bool is_changes)
{
    if (self->key.count == 0) {
        if (entries[0]->total_buckets > 0) qsort(entries, count, sizeof *entries, compare_sequences);
        bool is_whole = self->scan && self->scan->is_one_split_a_bucket && entries[0]->total_buckets > 0;
        return is_whole ? add_split(self, entries, count, true, is_changes)
                        : pack_files(self, entries, count, true, is_changes);
    }
    return is_changes ? add_split(self, entries, count, false, true) : plan_key_bucket(self, entries, count);
}

/* Entries (all ADD) by partition and bucket. */
static leat_code plan_entries(planner *self, const leat_paimon_entries *entries, bool is_changes)
{
    const leat_paimon_entry **sorted = leat_arena_take(self->arena, entries->count * sizeof *sorted);
    if (!sorted) return leat_fail_no_memory(self->error);
    bool skips_level_0 = self->key.count > 0 && !is_changes &&
                         (self->has_deletion_vectors || self->engine == LEAT_PAIMON_MERGE_FIRST_ROW);
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++) {
        if (entries->items[i].file.write_columns) {
            return leat_fail(self->error, LEAT_UNSUPPORTED,
                             "file %s of table '%s' holds only some columns (data evolution)",
                             entries->items[i].file.name, self->table->name);
        }
        bool is_postponed = entries->items[i].bucket < 0; /* not yet part of the table (hashing.md §6) */
        if (is_postponed || (skips_level_0 && entries->items[i].file.level == 0)) continue;
        sorted[count++] = &entries->items[i];
    }
    if (count) qsort(sorted, count, sizeof *sorted, compare_entries);
    for (size_t first = 0, at = 0; first < count; first = at) {
        while (at < count && compare_place(sorted[first], sorted[at]) == 0)
            at++;
        LEAT_TRY(plan_bucket(self, sorted + first, at - first, is_changes));
    }
    return LEAT_OK;
}

static leat_code load_deletion_vectors(planner *self)
{
    const char *name = self->snapshot->index_manifest;
    if (!name) return LEAT_OK;
    leat_paimon_index_files files = {0};
    LEAT_TRY(leat_paimon_index_manifest_load(self->env, self->table->path, name, self->arena, &files, self->error));
    for (size_t i = 0; i < files.count; i++) {
        if (strcmp(files.items[i].index_type, "DELETION_VECTORS") != 0) continue;
        LEAT_TRY(leat_paimon_index_files_add(&self->index, &files.items[i], self->arena, self->error));
    }
    return LEAT_OK;
}

leat_code leat_paimon_plan_snapshot(leat_env *env, const leat_paimon_table *table, const leat_paimon_snapshot *snapshot,
                                    const leat_paimon_scan *scan, leat_arena *arena, leat_paimon_splits *out,
                                    leat_error *error)
{
    planner self;
    LEAT_TRY(planner_init(&self, env, table, snapshot, scan, arena, out, error));
    leat_paimon_entries entries = {0};
    LEAT_TRY(leat_paimon_scan_entries(env, table, snapshot, scan, arena, &entries, error));
    LEAT_TRY(load_deletion_vectors(&self));
    return plan_entries(&self, &entries, false);
}

/* Keeps ADD entries that the scan wants. */
static leat_code keep_wanted(planner *self, leat_paimon_entries *entries)
{
    leat_scan_filter filter;
    LEAT_TRY(leat_scan_filter_init(&filter, self->table, self->scan, self->arena, self->error));
    size_t kept = 0;
    for (size_t i = 0; i < entries->count; i++) {
        bool is_wanted = entries->items[i].kind == LEAT_PAIMON_ADD;
        if (is_wanted) LEAT_TRY(leat_scan_filter_place(&filter, &entries->items[i], &is_wanted, self->error));
        if (is_wanted) LEAT_TRY(leat_scan_filter_file(&filter, &entries->items[i].file, &is_wanted, self->error));
        if (is_wanted) entries->items[kept++] = entries->items[i];
    }
    entries->count = kept;
    return LEAT_OK;
}

leat_code leat_paimon_plan_changes(leat_env *env, const leat_paimon_table *table, const leat_paimon_snapshot *snapshot,
                                   const leat_paimon_scan *scan, leat_arena *arena, leat_paimon_splits *out,
                                   leat_error *error)
{
    planner self;
    leat_paimon_changelog_producer producer;
    LEAT_TRY(planner_init(&self, env, table, snapshot, scan, arena, out, error));
    LEAT_TRY(leat_paimon_schema_changelog_producer(&table->schema, &producer, error));
    leat_paimon_entries entries = {0};
    if (producer != LEAT_PAIMON_CHANGELOG_NONE) {
        if (snapshot->commit_kind == LEAT_PAIMON_COMMIT_OVERWRITE) return LEAT_OK;
        LEAT_TRY(leat_paimon_scan_changelog(env, table, snapshot, arena, &entries, error));
    } else if (snapshot->commit_kind == LEAT_PAIMON_COMMIT_APPEND) {
        LEAT_TRY(leat_paimon_scan_delta(env, table, snapshot, arena, &entries, error));
    }
    LEAT_TRY(keep_wanted(&self, &entries));
    return plan_entries(&self, &entries, true);
}
