#include "paimon/pk/lookup_probe.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/hash.h"
#include "paimon/schema.h"

enum {
    GROUP_FILES_MAX = 8, /* of a bucket that is probed many keys at a time */
    VALUE_BYTES_MAX = 16,
};

/* --- buckets --- */

static void mark_null_keys(leat_pk_probe *self, const leat_batch *keys, int32_t first, int32_t count)
{
    memset(self->records, 0, LEAT_BATCH_ROWS_MAX);
    for (int32_t k = 0; k < self->config->options.keys_count; k++) {
        const leat_column *column = &keys->columns[self->config->probe_columns[k]];
        if (!column->validity) continue;
        for (int32_t i = 0; i < count; i++)
            self->records[i] |= !leat_bit_get(column->validity, leat_batch_row(keys, first + i));
    }
}

static int32_t bucket_of(const leat_pk_probe *self, const leat_batch *keys, int32_t position, int32_t total)
{
    if (!self->is_mod) return leat_paimon_bucket(self->bucket_hashes[position], total);
    const leat_column *column = &keys->columns[self->bucket_columns[0]];
    int32_t row = leat_batch_row(keys, position);
    bool is_wide = column->layout == LEAT_LAYOUT_64;
    int64_t value = is_wide ? ((const int64_t *)column->values)[row] : ((const int32_t *)column->values)[row];
    return leat_paimon_bucket_mod(value, total);
}

static leat_pk_lookup_bucket *find_bucket(const leat_pk_probe *self, const leat_pk_lookup_partition *partition,
                                          const leat_batch *keys, int32_t position)
{
    if (!partition) return NULL;
    int32_t total = partition->total_buckets > 0 ? partition->total_buckets : self->config->table_options.bucket;
    size_t bucket = (size_t)bucket_of(self, keys, position, total);
    return bucket < partition->buckets_count ? partition->buckets[bucket] : NULL;
}

/* The partition of a key; mostly that of the key before. */
static leat_code find_partition(leat_pk_probe *self, const leat_batch *keys, int32_t row,
                                const leat_pk_lookup_partition **partition, leat_error *error)
{
    const leat_pk_lookup_config *config = self->config;
    int32_t from = config->table_options.keys_count, count = config->table_options.partition_count;
    size_t size = self->partition.size;
    leat_binary_row_from_batch(keys, row, config->probe_columns + from, config->key_types + from, count, true,
                               &self->partition);
    LEAT_TRY(leat_bytes_check(&self->partition, error));
    size_t fresh = self->partition.size - size;
    bool is_same = size == fresh && memcmp(self->partition.data, self->partition.data + size, size) == 0;
    memmove(self->partition.data, self->partition.data + size, fresh);
    self->partition.size = fresh;
    if (!is_same || !*partition)
        *partition = leat_pk_lookup_index_find(self->index, self->partition.data, self->partition.size);
    return LEAT_OK;
}

static leat_code find_buckets(leat_pk_probe *self, const leat_batch *keys, int32_t first, int32_t count,
                              leat_error *error)
{
    bool is_partitioned = self->config->table_options.partition_count > 0;
    const leat_pk_lookup_partition *partition =
        is_partitioned ? NULL
                       : leat_pk_lookup_index_find(self->index, leat_binary_row_empty, LEAT_BINARY_ROW_EMPTY_SIZE);
    LEAT_TRY(leat_pk_key_hash_run(&self->bucket_hash, keys, self->bucket_hashes, error));
    mark_null_keys(self, keys, first, count);
    leat_bytes_reset(&self->partition);
    for (int32_t i = 0; i < count; i++) {
        bool has_null = self->records[i];
        self->buckets[i] = NULL;
        if (has_null) continue; /* NULL equals nothing */
        if (is_partitioned) LEAT_TRY(find_partition(self, keys, leat_batch_row(keys, first + i), &partition, error));
        self->buckets[i] = find_bucket(self, partition, keys, first + i);
    }
    return LEAT_OK;
}

/* Orders the keys by bucket: order[bucket's start …]. Returns the number of groups; group g ends at groups[g]->group.
 */
static int32_t group_keys(leat_pk_probe *self, int32_t count)
{
    int32_t groups = 0;
    uint32_t start = 0;
    self->call++;
    for (int32_t i = 0; i < count; i++) {
        leat_pk_lookup_bucket *bucket = self->buckets[i];
        if (!bucket) continue;
        if (bucket->call != self->call) {
            bucket->call = self->call;
            bucket->count = 0;
            self->groups[groups++] = bucket;
        }
        bucket->count++;
    }
    for (int32_t g = 0; g < groups; g++) {
        self->groups[g]->group = start;
        start += self->groups[g]->count;
    }
    for (int32_t i = 0; i < count; i++) {
        if (self->buckets[i]) self->order[self->buckets[i]->group++] = (uint16_t)i;
    }
    return groups;
}

/* --- one key --- */

/* The piece of a file that would hold the key; NULL: none, or (*is_unknown) it is not known yet. */
static leat_pk_piece *find_piece(const leat_pk_probe *self, const leat_pk_lookup_file *file, const leat_batch *keys,
                                 int32_t row, bool *is_unknown)
{
    *is_unknown = false;
    if (leat_pk_lookup_range_compare(self->config, file->range, keys, row) != 0) return NULL;
    size_t low = 0, high = file->pieces_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = leat_pk_lookup_range_compare(self->config, file->pieces[middle]->range, keys, row);
        if (order == 0) return file->pieces[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *is_unknown = low == file->pieces_count && !file->is_mapped;
    return NULL;
}

static leat_code want(leat_pk_probe *self, leat_pk_lookup_file *file, leat_pk_piece *piece, bool *is_pending,
                      leat_error *error)
{
    *is_pending = true;
    return leat_pk_blocks_want(self->blocks, file, piece, &self->has_wanted, error);
}

/* The records of a key that matter, in self->hits. *is_pending: some are not in memory. */
static leat_code collect_hits(leat_pk_probe *self, const leat_batch *keys, int32_t position, uint32_t hash,
                              const leat_pk_lookup_bucket *bucket, size_t *count, bool *is_pending, leat_error *error)
{
    int32_t row = leat_batch_row(keys, position), target;
    int64_t youngest = INT64_MIN;
    *count = 0;
    *is_pending = false;
    LEAT_TRY(leat_grow(&self->hits, &self->hits_capacity, bucket->files_count + 1, sizeof *self->hits, error));
    for (size_t f = 0; f < bucket->files_count; f++) {
        leat_pk_lookup_file *file = bucket->files[f];
        bool is_unknown, is_older = *count > 0 && file->meta.max_sequence < youngest;
        if (self->takes_youngest && is_older) break; /* and so are all that follow */
        leat_pk_piece *piece = find_piece(self, file, keys, row, &is_unknown);
        if (is_unknown || (piece && !piece->is_there)) {
            LEAT_TRY(want(self, file, piece, is_pending, error));
            continue;
        }
        if (!piece) continue;
        piece->is_pinned = piece->is_pinned || !self->blocks->has_first;
        leat_pk_buffer_find(&piece->rows, keys, self->config->probe_columns, position, &hash, 1, &target);
        if (target < 0) continue;
        int64_t sequence = piece->rows.state.sequences[target];
        self->hits[(*count)++] = (leat_pk_hit){piece, target, sequence};
        if (sequence > youngest) youngest = sequence;
    }
    self->blocks->has_first = self->blocks->has_first || *is_pending;
    return LEAT_OK;
}

/* Oldest first. Few: one a sorted run at most. */
static void sort_hits(leat_pk_hit *hits, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        leat_pk_hit hit = hits[i];
        size_t at = i;
        for (; at > 0 && hits[at - 1].sequence > hit.sequence; at--)
            hits[at] = hits[at - 1];
        hits[at] = hit;
    }
}

static leat_batch kept_columns(const leat_pk_probe *self, const leat_batch *view)
{
    leat_batch kept = *view;
    kept.columns = view->columns + self->config->wanted_count;
    kept.columns_count = self->config->kept_count;
    return kept;
}

static void take_merged(leat_pk_probe *self, int32_t i, int32_t target)
{
    self->merged_hashes[target] = self->hashes[i];
    self->merged_buckets[target] = self->buckets[i];
    self->sources[i] = self->merged_view;
    self->targets[i] = target;
    self->answers[i] = leat_row_kind_is_add(self->merged.kinds[target]) ? LEAT_PK_FOUND : LEAT_PK_NONE;
}

static leat_code merge_hits(leat_pk_probe *self, const leat_batch *keys, int32_t position, int32_t i, size_t count,
                            leat_error *error)
{
    int32_t target = leat_pk_state_new_row(&self->merged);
    sort_hits(self->hits, count);
    if (count == 0) { /* the key as a deleted one */
        for (int32_t k = 0; k < self->config->options.keys_count; k++)
            self->absent->columns[self->config->options.keys[k]] = keys->columns[self->config->probe_columns[k]];
        LEAT_TRY(leat_pk_state_add(&self->merged, target, self->absent, leat_batch_row(keys, position), LEAT_ROW_DELETE,
                                   0, error));
    }
    for (size_t h = self->takes_youngest && count > 0 ? count - 1 : 0; h < count; h++) {
        const leat_pk_hit *hit = &self->hits[h];
        leat_batch kept = kept_columns(self, hit->piece->view);
        leat_row_kind kind = (leat_row_kind)hit->piece->rows.state.kinds[hit->row];
        LEAT_TRY(leat_pk_state_add(&self->merged, target, &kept, hit->row, kind, hit->sequence, error));
        leat_pk_blocks_use(self->blocks, hit->piece);
    }
    take_merged(self, i, target);
    return LEAT_OK;
}

/* A row of the cache's older generation goes into the younger one. */
static leat_code renew(leat_pk_probe *self, const leat_pk_cache_generation *generation, int32_t row, int32_t i,
                       leat_error *error)
{
    int32_t target = leat_pk_state_new_row(&self->merged);
    leat_batch kept = kept_columns(self, generation->view);
    leat_row_kind kind = (leat_row_kind)generation->rows.state.kinds[row];
    LEAT_TRY(leat_pk_state_add(&self->merged, target, &kept, row, kind, 0, error));
    take_merged(self, i, target);
    return LEAT_OK;
}

static leat_code answer_key(leat_pk_probe *self, const leat_batch *keys, int32_t first, int32_t i, leat_error *error)
{
    int32_t row;
    size_t hits;
    bool is_pending;
    const leat_pk_lookup_bucket *bucket = self->buckets[i];
    const leat_pk_cache_generation *cached =
        leat_pk_row_cache_find(&self->cache, keys, first + i, self->hashes[i], bucket, &row);
    if (cached == &self->cache.old) return renew(self, cached, row, i, error);
    if (cached) {
        self->sources[i] = cached->view;
        self->targets[i] = row;
        self->answers[i] = leat_row_kind_is_add(cached->rows.state.kinds[row]) ? LEAT_PK_FOUND : LEAT_PK_NONE;
        return LEAT_OK;
    }
    LEAT_TRY(collect_hits(self, keys, first + i, self->hashes[i], bucket, &hits, &is_pending, error));
    if (!is_pending) return merge_hits(self, keys, first + i, i, hits, error);
    self->answers[i] = LEAT_PK_PENDING;
    return LEAT_OK;
}

/* --- the keys of a bucket --- */

static bool is_in_memory(const leat_pk_lookup_bucket *bucket)
{
    if (bucket->files_count > GROUP_FILES_MAX) return false;
    for (size_t f = 0; f < bucket->files_count; f++) {
        const leat_pk_lookup_file *file = bucket->files[f];
        if (!file->is_mapped || file->pieces_count != 1 || !file->pieces[0]->is_there) return false;
    }
    return true;
}

static bool is_put(const leat_pk_piece *piece, int32_t target)
{
    return !piece->has_deletes || leat_row_kind_is_add(piece->rows.state.kinds[target]);
}

static void take_record(leat_pk_probe *self, const leat_pk_piece *piece, int32_t i, int32_t target)
{
    const leat_pk_piece *other = self->pieces[i];
    bool is_first = self->records[i] == 0;
    self->records[i] = is_first ? 1 : 2;
    if (!is_first && piece->rows.state.sequences[target] < other->rows.state.sequences[self->targets[i]]) return;
    self->answers[i] = is_put(piece, target) ? LEAT_PK_FOUND : LEAT_PK_NONE;
    self->sources[i] = piece->view;
    self->targets[i] = target;
    self->pieces[i] = piece;
}

/* Of a bucket with one file: there is nothing to compare or merge. */
static void take_records(leat_pk_probe *self, const leat_pk_piece *piece, int32_t count)
{
    for (int32_t k = 0; k < count; k++) {
        int32_t i = self->asked[k], target = self->found[k];
        self->answers[i] = target >= 0 && is_put(piece, target) ? LEAT_PK_FOUND : LEAT_PK_NONE;
        self->sources[i] = piece->view;
        self->targets[i] = target;
    }
}

/* A file's range of keys that are one number; false: they are something else. */
static bool number_range(const leat_pk_probe *self, const leat_pk_lookup_file *file, int64_t *min, int64_t *max)
{
    const leat_column *column = &file->range->columns[0];
    leat_type_kind kind = self->config->key_types[0].kind;
    if (self->config->table_options.keys_count != 1) return false;
    if (kind == LEAT_TYPE_INT || kind == LEAT_TYPE_DATE) {
        const int32_t *values = column->values;
        *min = values[0];
        *max = values[1];
        return true;
    }
    if (kind != LEAT_TYPE_BIGINT) return false;
    memcpy(min, column->values, sizeof *min);
    memcpy(max, (const int64_t *)column->values + 1, sizeof *max);
    return true;
}

/* Which of a bucket's keys may have a record in a file that matters: into asked, selection and group_hashes. */
static int32_t select_keys(leat_pk_probe *self, const leat_batch *keys, int32_t first,
                           const leat_pk_lookup_bucket *bucket, const leat_pk_lookup_file *file, const uint16_t *order,
                           int32_t count)
{
    int32_t selected = 0;
    int64_t min = 0, max = 0;
    bool is_one = bucket->files_count == 1, is_number = !is_one && number_range(self, file, &min, &max);
    const leat_column *column = &keys->columns[self->config->probe_columns[0]];
    bool is_wide = column->layout == LEAT_LAYOUT_64;
    for (int32_t k = 0; k < count; k++) {
        int32_t i = order[k], row = leat_batch_row(keys, first + i);
        if (!is_one) {
            bool has_younger = self->takes_youngest && self->records[i] > 0 &&
                               self->pieces[i]->file->meta.min_sequence > file->meta.max_sequence;
            int64_t value = !is_number ? 0
                            : is_wide  ? ((const int64_t *)column->values)[row]
                                       : ((const int32_t *)column->values)[row];
            bool is_within = is_number ? value >= min && value <= max
                                       : leat_pk_lookup_range_compare(self->config, file->range, keys, row) == 0;
            if (has_younger || !is_within) continue;
        }
        self->asked[selected] = (uint16_t)i;
        self->selection[selected] = (uint16_t)row;
        self->group_hashes[selected++] = self->hashes[i];
    }
    return selected;
}

static leat_code answer_group(leat_pk_probe *self, const leat_batch *keys, int32_t first,
                              const leat_pk_lookup_bucket *bucket, const uint16_t *order, int32_t count,
                              leat_error *error)
{
    leat_batch group = *keys; /* borrowed columns */
    group.selection = self->selection;
    for (size_t f = 0; f < bucket->files_count; f++) {
        leat_pk_piece *piece = bucket->files[f]->pieces[0];
        group.selected = select_keys(self, keys, first, bucket, bucket->files[f], order, count);
        leat_pk_buffer_find(&piece->rows, &group, self->config->probe_columns, 0, self->group_hashes, group.selected,
                            self->found);
        leat_pk_blocks_use(self->blocks, piece);
        if (bucket->files_count == 1) take_records(self, piece, group.selected);
        for (int32_t k = 0; k < group.selected && bucket->files_count > 1; k++) {
            if (self->found[k] >= 0) take_record(self, piece, self->asked[k], self->found[k]);
        }
    }
    if (self->takes_youngest) return LEAT_OK;
    for (int32_t k = 0; k < count; k++) {
        if (self->records[order[k]] > 1) LEAT_TRY(answer_key(self, keys, first, order[k], error));
    }
    return LEAT_OK;
}

static leat_code answer_all(leat_pk_probe *self, const leat_batch *keys, int32_t first, int32_t count,
                            leat_error *error)
{
    int32_t groups = group_keys(self, count);
    uint32_t start = 0;
    memset(self->answers, LEAT_PK_NONE, LEAT_BATCH_ROWS_MAX);
    memset(self->records, 0, LEAT_BATCH_ROWS_MAX);
    for (int32_t g = 0; g < groups; g++) {
        const leat_pk_lookup_bucket *bucket = self->groups[g];
        const uint16_t *order = self->order + start;
        int32_t size = (int32_t)bucket->count;
        start += bucket->count;
        if (is_in_memory(bucket)) {
            LEAT_TRY(answer_group(self, keys, first, bucket, order, size, error));
            continue;
        }
        for (int32_t k = 0; k < size; k++)
            LEAT_TRY(answer_key(self, keys, first, order[k], error));
    }
    return LEAT_OK;
}

/* --- results --- */

static leat_code append_found(leat_pk_probe *self, const leat_batch *keys, int32_t first, int32_t count,
                              leat_lookup_result *result, leat_error *error)
{
    int32_t found = 0;
    for (int32_t i = 0; i < count; i++) {
        const leat_batch *source = self->sources[i];
        int32_t target = self->targets[i];
        bool is_found = self->answers[i] == LEAT_PK_FOUND;
        if (is_found && self->config->extra_count) {
            int32_t row = leat_batch_row(keys, first + i);
            is_found = leat_pk_lookup_extras_match(self->config, keys, row, source, target);
        }
        result->counts[i] = self->answers[i] == LEAT_PK_PENDING ? LEAT_LOOKUP_PENDING : is_found;
        if (!is_found) continue;
        self->sources[found] = source;
        self->targets[found++] = target;
    }
    return leat_batch_builder_append_far(&result->rows, self->sources, self->targets, found, error);
}

static leat_code cache_merged(leat_pk_probe *self, leat_error *error)
{
    leat_batch kept = kept_columns(self, self->merged_view);
    kept.kinds = self->merged.kinds;
    return leat_pk_row_cache_add(&self->cache, &kept, self->merged_hashes, self->merged_buckets, self->merged.rows,
                                 error);
}

leat_code leat_pk_probe_run(leat_pk_probe *self, const leat_batch *keys, int32_t first, int32_t count,
                            leat_lookup_result *result, bool *has_wanted, leat_error *error)
{
    leat_pk_state_reset(&self->merged);
    self->has_wanted = false;
    leat_pk_lookup_hash(self->config, keys, first, self->hashes64, self->hashes);
    LEAT_TRY(find_buckets(self, keys, first, count, error));
    LEAT_TRY(answer_all(self, keys, first, count, error));
    *has_wanted = self->has_wanted;
    leat_pk_lookup_view_refresh(self->config, &self->merged, self->merged_view);
    LEAT_TRY(append_found(self, keys, first, count, result, error));
    return cache_merged(self, error);
}

/* --- life --- */

static leat_code take_arrays(leat_pk_probe *self, leat_error *error)
{
    size_t rows = LEAT_BATCH_ROWS_MAX;
    self->hashes64 = leat_alloc(rows * sizeof *self->hashes64);
    self->hashes = leat_alloc(rows * sizeof *self->hashes);
    self->bucket_hashes = leat_alloc(rows * sizeof *self->bucket_hashes);
    self->buckets = leat_alloc(rows * sizeof *self->buckets);
    self->answers = leat_alloc(rows * sizeof *self->answers);
    self->sources = leat_alloc(rows * sizeof *self->sources);
    self->targets = leat_alloc(rows * sizeof *self->targets);
    self->pieces = leat_alloc(rows * sizeof *self->pieces);
    self->records = leat_alloc(rows * sizeof *self->records);
    self->groups = leat_alloc(rows * sizeof *self->groups);
    self->order = leat_alloc(rows * sizeof *self->order);
    self->selection = leat_alloc(rows * sizeof *self->selection);
    self->asked = leat_alloc(rows * sizeof *self->asked);
    self->group_hashes = leat_alloc(rows * sizeof *self->group_hashes);
    self->found = leat_alloc(rows * sizeof *self->found);
    self->merged_hashes = leat_alloc(rows * sizeof *self->merged_hashes);
    self->merged_buckets = leat_alloc(rows * sizeof *self->merged_buckets);
    self->zeros = leat_calloc(rows, VALUE_BYTES_MAX);
    bool has_all = self->hashes64 && self->hashes && self->bucket_hashes && self->buckets && self->answers &&
                   self->sources && self->targets && self->pieces && self->records && self->groups && self->order &&
                   self->asked && self->selection && self->group_hashes && self->found && self->merged_hashes &&
                   self->merged_buckets && self->zeros;
    return has_all ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code init_bucket_key(leat_pk_probe *self, leat_error *error)
{
    const leat_pk_options *table = &self->config->table_options;
    int32_t count = table->bucket_key_count;
    const char *function =
        leat_paimon_option_text(&self->config->table.schema.options, "bucket-function.type", "default");
    self->is_mod = strcmp(function, "mod") == 0;
    self->bucket_columns = leat_alloc(((size_t)count + 1) * sizeof *self->bucket_columns);
    self->bucket_types = leat_alloc(((size_t)count + 1) * sizeof *self->bucket_types);
    if (!self->bucket_columns || !self->bucket_types) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++) {
        int32_t k = 0;
        while (k < table->keys_count && table->keys[k] != table->bucket_key[i])
            k++;
        if (k == table->keys_count)
            return leat_fail(error, LEAT_INVALID, "the option 'bucket-key' names a column that is no key column");
        self->bucket_columns[i] = self->config->probe_columns[k];
        self->bucket_types[i] = self->config->key_types[k];
    }
    leat_type_kind kind = count == 1 ? self->bucket_types[0].kind : LEAT_TYPE_NULL;
    if (self->is_mod && kind != LEAT_TYPE_INT && kind != LEAT_TYPE_BIGINT)
        return leat_fail(error, LEAT_INVALID, "'bucket-function.type' = 'mod' takes one INT or BIGINT column");
    return leat_pk_key_hash_init(&self->bucket_hash, self->bucket_columns, self->bucket_types, count, error);
}

static leat_code init_rows(leat_pk_probe *self, leat_error *error)
{
    const leat_pk_lookup_config *config = self->config;
    LEAT_TRY(leat_pk_state_init(&self->merged, &config->table_options, config->kept, config->kept_count, error));
    LEAT_TRY(leat_pk_state_reserve(&self->merged, LEAT_BATCH_ROWS_MAX, error));
    LEAT_TRY(leat_pk_lookup_view_new(config, &self->merged_view, error));
    self->absent = leat_batch_new(config->kept_count);
    if (!self->absent) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < config->kept_count; i++) {
        self->absent->columns[i] = (leat_column){
            .layout = self->merged.columns[i].column.layout, .values = self->zeros, .validity = self->zeros};
    }
    return LEAT_OK;
}

leat_code leat_pk_probe_init(leat_pk_probe *self, const leat_pk_lookup_config *config, leat_pk_lookup_index *index,
                             leat_pk_blocks *blocks, int32_t cache_rows, leat_error *error)
{
    *self = (leat_pk_probe){.config = config, .index = index, .blocks = blocks};
    const leat_pk_options *table = &config->table_options;
    self->takes_youngest = table->engine == LEAT_PK_DEDUPLICATE && !table->ignore_delete;
    LEAT_TRY(take_arrays(self, error));
    LEAT_TRY(init_bucket_key(self, error));
    LEAT_TRY(init_rows(self, error));
    return leat_pk_row_cache_init(&self->cache, config, cache_rows, error);
}

void leat_pk_probe_done(leat_pk_probe *self)
{
    void *blocks[] = {self->asked,         self->hashes64,      self->hashes,         self->bucket_hashes,
                      self->buckets,       self->answers,       self->sources,        self->targets,
                      self->pieces,        self->records,       self->groups,         self->order,
                      self->selection,     self->group_hashes,  self->found,          self->hits,
                      self->zeros,         self->merged_hashes, self->merged_buckets, self->bucket_types,
                      self->bucket_columns};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        leat_free(blocks[i]);
    leat_pk_lookup_view_free(self->merged_view);
    leat_pk_lookup_view_free(self->absent);
    leat_pk_state_done(&self->merged);
    leat_pk_row_cache_done(&self->cache);
    leat_pk_key_hash_done(&self->bucket_hash);
    leat_bytes_done(&self->partition);
    *self = (leat_pk_probe){0};
}
