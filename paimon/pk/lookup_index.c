#include "paimon/pk/lookup_index.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/path.h"
#include "paimon/pk/value.h"

enum {
    FILES_MAX = 1 << 20,      /* of a table: about a gigabyte of descriptions */
    BUCKETS_MAX = 1 << 16,    /* of a partition; Paimon's own limit is half of it */
    PARTITIONS_MAX = 1 << 18, /* of a table */
    SLOTS_MIN = 64,
    PATH_ARENA_BYTES = 1 << 20,
};

/* --- ranges --- */

static leat_code make_range(const leat_pk_lookup_index *self, const leat_batch *view, const int32_t *rows,
                            const leat_paimon_file *file, leat_batch **out, leat_error *error)
{
    const leat_pk_lookup_config *config = self->config;
    int32_t keys = config->table_options.keys_count;
    leat_batch_builder builder;
    LEAT_TRY(leat_batch_builder_init(&builder, self->key_layouts, keys, 2, error));
    leat_code code = LEAT_OK;
    for (int end = 0; code == LEAT_OK && end < 2; end++) {
        leat_binary_row row = {0};
        code = leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, error);
        if (code == LEAT_OK && file) {
            code = leat_binary_row_open(end ? file->max_key : file->min_key,
                                        end ? file->max_key_size : file->min_key_size, "key of a file", &row, error);
        }
        for (int32_t k = 0; code == LEAT_OK && k < keys; k++) {
            leat_paimon_value value;
            const leat_type *type = &config->key_types[k];
            if (!file) {
                const leat_column *from = &view->columns[config->wanted_count + config->options.keys[k]];
                code = leat_batch_builder_copy_value(&builder, k, from, rows[end], error);
                continue;
            }
            code = leat_binary_row_get(&row, k, type, &value, error);
            if (code == LEAT_OK) code = leat_paimon_value_to_builder(&value, type, &builder, k, error);
        }
    }
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, out, error);
    leat_batch_builder_done(&builder);
    return code;
}

leat_code leat_pk_lookup_range_new(const leat_pk_lookup_index *self, const leat_batch *view, int32_t first,
                                   int32_t last, leat_batch **out, leat_error *error)
{
    const int32_t rows[] = {first, last};
    return make_range(self, view, rows, NULL, out, error);
}

int leat_pk_lookup_range_compare(const leat_pk_lookup_config *config, const leat_batch *range, const leat_batch *keys,
                                 int32_t row)
{
    for (int end = 0; end < 2; end++) {
        int order = 0;
        for (int32_t k = 0; k < config->table_options.keys_count && order == 0; k++) {
            const leat_column *key = &keys->columns[config->probe_columns[k]];
            order = leat_pk_compare(&config->key_types[k], key, row, &range->columns[k], end);
        }
        if (end ? order > 0 : order < 0) return end ? 1 : -1;
    }
    return 0;
}

/* --- files --- */

void leat_pk_piece_drop(leat_pk_piece *piece)
{
    leat_pk_lookup_view_free(piece->view);
    leat_pk_buffer_done(&piece->rows);
    piece->view = NULL;
    piece->is_there = false;
}

void leat_pk_piece_free(leat_pk_piece *piece)
{
    if (!piece) return;
    leat_pk_piece_drop(piece);
    leat_batch_free(piece->range);
    leat_free(piece);
}

static void free_file(leat_pk_lookup_file *file)
{
    for (size_t i = 0; i < file->pieces_count; i++)
        leat_pk_piece_free(file->pieces[i]);
    leat_free(file->pieces);
    leat_batch_free(file->range);
    leat_free(file->name);
    leat_free(file->external_path);
    leat_free(file);
}

static leat_code new_file(const leat_pk_lookup_index *self, const leat_paimon_file *meta, leat_pk_lookup_file **out,
                          leat_error *error)
{
    leat_pk_lookup_file *file = leat_calloc(1, sizeof *file);
    if (!file) return leat_fail_no_memory(error);
    file->name = leat_strdup(meta->name);
    file->external_path = meta->external_path ? leat_strdup(meta->external_path) : NULL;
    bool has_text = file->name && (file->external_path || !meta->external_path);
    file->meta = (leat_paimon_file){.name = file->name,
                                    .external_path = file->external_path,
                                    .size_bytes = meta->size_bytes,
                                    .rows = meta->rows,
                                    .min_sequence = meta->min_sequence,
                                    .max_sequence = meta->max_sequence,
                                    .schema_id = meta->schema_id,
                                    .level = meta->level};
    leat_code code = has_text ? make_range(self, NULL, NULL, meta, &file->range, error) : leat_fail_no_memory(error);
    if (code != LEAT_OK) {
        free_file(file);
        return leat_fail_in(error, code, "file %s", meta->name);
    }
    *out = file;
    return LEAT_OK;
}

static bool is_younger(const leat_paimon_file *left, const leat_paimon_file *right)
{
    if (left->max_sequence != right->max_sequence) return left->max_sequence > right->max_sequence;
    return left->level < right->level;
}

static leat_code insert_file(leat_pk_lookup_bucket *bucket, leat_pk_lookup_file *file, leat_error *error)
{
    LEAT_TRY(leat_grow(&bucket->files, &bucket->files_capacity, bucket->files_count + 1, sizeof *bucket->files, error));
    size_t at = bucket->files_count++;
    for (; at > 0 && is_younger(&file->meta, &bucket->files[at - 1]->meta); at--)
        bucket->files[at] = bucket->files[at - 1];
    bucket->files[at] = file;
    file->bucket = bucket;
    return LEAT_OK;
}

static void remove_file(leat_pk_lookup_index *self, leat_pk_lookup_bucket *bucket, size_t at)
{
    leat_pk_lookup_file *file = bucket->files[at];
    bucket->files_count--;
    memmove(&bucket->files[at], &bucket->files[at + 1], (bucket->files_count - at) * sizeof *bucket->files);
    if (self->on_delete) self->on_delete(self->on_delete_context, file);
    self->files_count--;
    free_file(file);
}

static leat_pk_lookup_file *find_file(const leat_pk_lookup_bucket *bucket, const char *name)
{
    for (size_t i = 0; i < bucket->files_count; i++) {
        if (strcmp(bucket->files[i]->name, name) == 0) return bucket->files[i];
    }
    return NULL;
}

/* --- partitions and buckets --- */

static uint64_t hash_bytes(const uint8_t *data, size_t size)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * UINT64_C(1099511628211);
    return hash ^ (hash >> 32);
}

static uint32_t *find_slot(const leat_pk_lookup_index *self, const uint8_t *row, size_t size)
{
    size_t at = (size_t)hash_bytes(row, size) & (self->slots_count - 1);
    for (; self->slots[at]; at = (at + 1) & (self->slots_count - 1)) {
        const leat_pk_lookup_partition *partition = self->partitions[self->slots[at] - 1];
        if (partition->row_size == size && memcmp(partition->row, row, size) == 0) break;
    }
    return &self->slots[at];
}

leat_pk_lookup_partition *leat_pk_lookup_index_find(const leat_pk_lookup_index *self, const uint8_t *row, size_t size)
{
    uint32_t slot = *find_slot(self, row, size);
    return slot ? self->partitions[slot - 1] : NULL;
}

static leat_code grow_slots(leat_pk_lookup_index *self, leat_error *error)
{
    if (self->slots_count > 2 * (self->partitions_count + 1)) return LEAT_OK;
    size_t count = self->slots_count ? self->slots_count * 2 : SLOTS_MIN;
    uint32_t *slots = leat_calloc(count, sizeof *slots);
    if (!slots) return leat_fail_no_memory(error);
    leat_free(self->slots);
    self->slots = slots;
    self->slots_count = count;
    for (size_t i = 0; i < self->partitions_count; i++)
        *find_slot(self, self->partitions[i]->row, self->partitions[i]->row_size) = (uint32_t)i + 1;
    return LEAT_OK;
}

static leat_code need_partition(leat_pk_lookup_index *self, const leat_paimon_entry *entry,
                                leat_pk_lookup_partition **out, leat_error *error)
{
    *out = leat_pk_lookup_index_find(self, entry->partition, entry->partition_size);
    if (*out) return LEAT_OK;
    if (self->partitions_count == PARTITIONS_MAX)
        return leat_fail(error, LEAT_LIMIT, "the table has more than %d partitions", PARTITIONS_MAX);
    LEAT_TRY(leat_grow(&self->partitions, &self->partitions_capacity, self->partitions_count + 1,
                       sizeof *self->partitions, error));
    LEAT_TRY(grow_slots(self, error));
    leat_pk_lookup_partition *partition = leat_calloc(1, sizeof *partition);
    if (partition) partition->row = (uint8_t *)leat_strndup((const char *)entry->partition, entry->partition_size);
    if (!partition || !partition->row) {
        leat_free(partition);
        return leat_fail_no_memory(error);
    }
    partition->row_size = entry->partition_size;
    uint32_t *slot = find_slot(self, partition->row, partition->row_size);
    self->partitions[self->partitions_count++] = partition;
    *slot = (uint32_t)self->partitions_count;
    *out = partition;
    return LEAT_OK;
}

static leat_code make_bucket_path(const leat_pk_lookup_index *self, const leat_paimon_entry *entry, char **out,
                                  leat_error *error)
{
    leat_arena arena;
    const char *path;
    const leat_paimon_table *table = &self->config->table;
    leat_arena_init(&arena, PATH_ARENA_BYTES);
    leat_code code = leat_paimon_bucket_path(table->path, &table->schema, entry->partition, entry->partition_size,
                                             entry->bucket, &arena, &path, error);
    if (code == LEAT_OK) {
        *out = leat_strdup(path);
        if (!*out) code = leat_fail_no_memory(error);
    }
    leat_arena_done(&arena);
    return code;
}

static leat_code need_bucket(leat_pk_lookup_index *self, const leat_paimon_entry *entry, leat_pk_lookup_bucket **out,
                             leat_error *error)
{
    leat_pk_lookup_partition *partition;
    if (entry->bucket < 0 || entry->bucket >= BUCKETS_MAX)
        return leat_fail(error, LEAT_CORRUPT, "file %s is in bucket %d", entry->file.name, entry->bucket);
    LEAT_TRY(need_partition(self, entry, &partition, error));
    if (entry->kind == LEAT_PAIMON_ADD) partition->total_buckets = entry->total_buckets;
    size_t count = (size_t)entry->bucket + 1;
    LEAT_TRY(leat_grow(&partition->buckets, &partition->buckets_capacity, count, sizeof *partition->buckets, error));
    while (partition->buckets_count < count)
        partition->buckets[partition->buckets_count++] = NULL;
    *out = partition->buckets[entry->bucket];
    if (*out) return LEAT_OK;
    leat_pk_lookup_bucket *bucket = leat_calloc(1, sizeof *bucket);
    if (!bucket) return leat_fail_no_memory(error);
    leat_code code = make_bucket_path(self, entry, &bucket->path, error);
    if (code != LEAT_OK) {
        leat_free(bucket);
        return code;
    }
    *out = partition->buckets[entry->bucket] = bucket;
    return LEAT_OK;
}

/* --- applying --- */

static void touch(leat_pk_lookup_bucket *bucket)
{
    if (!bucket->is_touched) bucket->version++;
    bucket->is_touched = true;
}

/* A file that only moved to another level keeps what is known of it. */
static leat_code add_entry(leat_pk_lookup_index *self, const leat_paimon_entry *entry, bool *is_stale,
                           leat_error *error)
{
    leat_pk_lookup_bucket *bucket;
    LEAT_TRY(need_bucket(self, entry, &bucket, error));
    leat_pk_lookup_file *file = find_file(bucket, entry->file.name);
    if (entry->kind == LEAT_PAIMON_DELETE) {
        *is_stale = *is_stale || !file;
        if (file) file->is_deleted = true;
        touch(bucket);
        return LEAT_OK;
    }
    if (file) {
        bool has_moved = file->meta.level != entry->file.level;
        file->is_deleted = false;
        file->meta.level = entry->file.level;
        if (has_moved) touch(bucket);
        return LEAT_OK;
    }
    if (self->files_count == FILES_MAX)
        return leat_fail(error, LEAT_LIMIT, "the table has more than %d files", FILES_MAX);
    touch(bucket);
    LEAT_TRY(new_file(self, &entry->file, &file, error));
    leat_code code = insert_file(bucket, file, error);
    if (code == LEAT_OK)
        self->files_count++;
    else
        free_file(file);
    return code;
}

typedef void bucket_action(leat_pk_lookup_index *self, leat_pk_lookup_bucket *bucket);

static void for_buckets(leat_pk_lookup_index *self, bucket_action *action)
{
    for (size_t p = 0; p < self->partitions_count; p++) {
        for (size_t b = 0; b < self->partitions[p]->buckets_count; b++) {
            if (self->partitions[p]->buckets[b]) action(self, self->partitions[p]->buckets[b]);
        }
    }
}

static void mark_deleted(leat_pk_lookup_index *self, leat_pk_lookup_bucket *bucket)
{
    (void)self;
    for (size_t i = 0; i < bucket->files_count; i++)
        bucket->files[i]->is_deleted = true;
}

static void sweep(leat_pk_lookup_index *self, leat_pk_lookup_bucket *bucket)
{
    for (size_t i = bucket->files_count; i-- > 0;) {
        if (!bucket->files[i]->is_deleted) continue;
        touch(bucket);
        remove_file(self, bucket, i);
    }
    bucket->is_touched = false;
}

leat_code leat_pk_lookup_index_apply(leat_pk_lookup_index *self, const leat_paimon_entries *entries, bool is_whole,
                                     bool *is_stale, leat_error *error)
{
    *is_stale = false;
    if (is_whole) for_buckets(self, mark_deleted);
    for (size_t i = 0; i < entries->count; i++)
        LEAT_TRY(add_entry(self, &entries->items[i], is_stale, error));
    for_buckets(self, sweep);
    return LEAT_OK;
}

leat_code leat_pk_lookup_index_init(leat_pk_lookup_index *self, const leat_pk_lookup_config *config, leat_error *error)
{
    int32_t keys = config->table_options.keys_count;
    *self = (leat_pk_lookup_index){.config = config};
    self->key_layouts = leat_alloc((size_t)keys * sizeof *self->key_layouts);
    if (!self->key_layouts) return leat_fail_no_memory(error);
    for (int32_t k = 0; k < keys; k++)
        self->key_layouts[k] = leat_type_layout(&config->key_types[k]);
    return grow_slots(self, error);
}

static void free_bucket(leat_pk_lookup_index *self, leat_pk_lookup_bucket *bucket)
{
    (void)self;
    for (size_t i = 0; i < bucket->files_count; i++)
        free_file(bucket->files[i]);
    leat_free(bucket->files);
    leat_free(bucket->path);
    leat_free(bucket);
}

void leat_pk_lookup_index_done(leat_pk_lookup_index *self)
{
    for_buckets(self, free_bucket);
    for (size_t p = 0; p < self->partitions_count; p++) {
        leat_free(self->partitions[p]->row);
        leat_free(self->partitions[p]->buckets);
        leat_free(self->partitions[p]);
    }
    leat_free(self->partitions);
    leat_free(self->slots);
    leat_free(self->key_layouts);
    *self = (leat_pk_lookup_index){0};
}
