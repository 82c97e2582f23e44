/* The operator "paimon-pk-writer": rows of the table's columns, then INT bucket and INT key hash, into its buckets. */
#include <inttypes.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/carried.h"
#include "paimon/catalog.h"
#include "paimon/hash.h"
#include "paimon/pk.h"
#include "paimon/pk/bucket.h"
#include "paimon/pk/garbage.h"
#include "paimon/pk/loader.h"
#include "paimon/pk/route.h"
#include "paimon/row_split.h"
#include "paimon/table_config.h"
#include "storage/storage.h"

enum {
    ARENA_BYTES_MAX = 64 << 20,
    CUTS_MAX = 64,
    SLICE_US = 5000, /* of flushing and compacting before rows come again */
};

/* A checkpoint whose message is still to be made. */
typedef struct writer_cut {
    int64_t checkpoint_id;
    bool full;
} writer_cut;

/* Writes the index files of a checkpoint: copies of hashes, so that rows may go on. */
typedef struct index_item {
    leat_pk_bucket *bucket;
    int32_t *hashes;
    size_t count;
    const char *name;
    leat_paimon_index_file file;
} index_item;

typedef struct index_job {
    leat_job job; /* first */
    leat_operator_context *context;
    const char *table_path;
    leat_arena arena;
    index_item *items;
    size_t count;
    leat_code code;
    leat_error error;
    atomic_bool has_ended;
    bool is_started;
} index_job;

typedef struct pk_writer {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_pk_shared shared;
    leat_type *partition_types;
    leat_pk_bucket **buckets;
    size_t buckets_count, buckets_capacity;
    leat_pk_bucket *last; /* that rows went to: most batches have one */
    size_t next_worked;
    leat_pk_loader loader;
    bool is_loaded;
    int64_t base_snapshot;
    leat_paimon_row_split split;
    int32_t *split_buckets;
    uint16_t *kept_rows;
    uint32_t *hashes;
    leat_bytes scratch;
    leat_paimon_carried carried;
    leat_paimon_names index_names;
    writer_cut cuts[CUTS_MAX];
    int32_t cuts_count;
    index_job index;
    leat_pk_garbage garbage;
    int64_t buffer_bytes_max;
} pk_writer;

/* --- buckets --- */

static bool is_bucket(const leat_pk_bucket *bucket, const uint8_t *partition, size_t size, int32_t number)
{
    return bucket->bucket == number && bucket->partition_size == size &&
           memcmp(bucket->partition, partition, size) == 0;
}

static leat_code find_bucket(pk_writer *self, const uint8_t *partition, size_t size, int32_t number,
                             leat_pk_bucket **out, leat_error *error)
{
    if (self->last && is_bucket(self->last, partition, size, number)) {
        *out = self->last;
        return LEAT_OK;
    }
    for (size_t i = 0; i < self->buckets_count; i++) {
        if (!is_bucket(self->buckets[i], partition, size, number)) continue;
        *out = self->last = self->buckets[i];
        return LEAT_OK;
    }
    LEAT_TRY(
        leat_grow(&self->buckets, &self->buckets_capacity, self->buckets_count + 1, sizeof(leat_pk_bucket *), error));
    LEAT_TRY(leat_pk_bucket_new(&self->shared, partition, size, number, out, error));
    self->buckets[self->buckets_count++] = *out;
    self->last = *out;
    return LEAT_OK;
}

/* Whether this subtask owns the bucket. */
static bool owns(const pk_writer *self, const uint8_t *partition, size_t size, int32_t bucket)
{
    const leat_operator_context *context = self->operator.context;
    int32_t hash = leat_paimon_hash(partition + 4, size - 4); /* without the arity */
    return leat_pk_writer_of(hash, bucket, context->parallelism) == context->subtask;
}

static leat_code check_total_buckets(const pk_writer *self, const leat_paimon_entry *entry, leat_error *error)
{
    if (entry->total_buckets == self->shared.options.bucket) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID,
                     "Try to write table with a new bucket num %d, but the previous bucket num is %d. Please switch to "
                     "batch mode, and perform INSERT OVERWRITE to rescale current data layout first.",
                     self->shared.options.bucket, entry->total_buckets);
}

static leat_code take_loaded(pk_writer *self, leat_error *error)
{
    leat_pk_loader *loader = &self->loader;
    for (size_t i = 0; i < loader->entries.count; i++) {
        const leat_paimon_entry *entry = &loader->entries.items[i];
        if (entry->bucket < 0 || !owns(self, entry->partition, entry->partition_size, entry->bucket)) continue;
        LEAT_TRY(check_total_buckets(self, entry, error));
        leat_pk_bucket *bucket;
        LEAT_TRY(find_bucket(self, entry->partition, entry->partition_size, entry->bucket, &bucket, error));
        LEAT_TRY(leat_pk_bucket_add_file(bucket, &entry->file, error));
    }
    for (size_t i = 0; i < loader->hashes_count; i++) {
        const leat_pk_key_hashes *keys = &loader->hashes[i];
        if (!owns(self, keys->file->partition, keys->file->partition_size, keys->file->bucket)) continue;
        leat_pk_bucket *bucket;
        LEAT_TRY(
            find_bucket(self, keys->file->partition, keys->file->partition_size, keys->file->bucket, &bucket, error));
        for (size_t k = 0; k < keys->count; k++)
            LEAT_TRY(leat_pk_hash_set_add(&bucket->keys, keys->hashes[k], 0, error));
        bucket->keys_stored = bucket->keys.count;
    }
    self->base_snapshot = loader->snapshot_id;
    self->is_loaded = true;
    leat_pk_loader_reset(loader);
    return LEAT_OK;
}

/* --- rows --- */

static bool is_dropped(const leat_pk_options *options, int8_t kind)
{
    if (options->ignore_delete && !leat_row_kind_is_add(kind)) return true;
    return options->ignore_update_before && kind == LEAT_ROW_UPDATE_BEFORE;
}

/* Rows and hashes of a set, without what the table's options drop. */
static int32_t choose_rows(pk_writer *self, const leat_batch *batch, const uint16_t *rows, int32_t count)
{
    const leat_pk_options *options = &self->shared.options;
    const int32_t *hashes = batch->columns[options->schema.fields_count + 1].values;
    bool may_drop = batch->kinds && (options->ignore_delete || options->ignore_update_before);
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        uint16_t row = rows ? rows[i] : (uint16_t)leat_batch_row(batch, i);
        if (may_drop && is_dropped(options, batch->kinds[row])) continue;
        self->kept_rows[kept] = row;
        self->hashes[kept++] = (uint32_t)hashes[row];
    }
    return kept;
}

static leat_code write_rows(pk_writer *self, const leat_batch *batch, const uint16_t *rows, int32_t count,
                            int32_t first_row, int32_t number, leat_error *error)
{
    const leat_pk_options *options = &self->shared.options;
    const uint8_t *partition = leat_binary_row_empty;
    size_t size = LEAT_BINARY_ROW_EMPTY_SIZE;
    if (options->partition_count) {
        leat_bytes_reset(&self->scratch);
        leat_binary_row_from_batch(batch, first_row, options->partition, self->partition_types,
                                   options->partition_count, true, &self->scratch);
        LEAT_TRY(leat_bytes_check(&self->scratch, error));
        partition = self->scratch.data;
        size = self->scratch.size;
    }
    leat_pk_bucket *bucket;
    LEAT_TRY(find_bucket(self, partition, size, number, &bucket, error));
    int32_t kept = choose_rows(self, batch, rows, count);
    return leat_pk_bucket_write(bucket, batch, self->kept_rows, self->hashes, kept, error);
}

static bool has_one_bucket(const pk_writer *self, const leat_batch *batch)
{
    if (self->shared.options.partition_count) return false;
    const int32_t *buckets = batch->columns[self->shared.options.schema.fields_count].values;
    int32_t first = buckets[leat_batch_row(batch, 0)];
    uint32_t differs = 0;
    for (int32_t i = 0; i < batch->selected; i++)
        differs |= (uint32_t)(buckets[leat_batch_row(batch, i)] ^ first);
    return differs == 0;
}

static leat_code seal_largest(pk_writer *self, leat_error *error)
{
    leat_pk_bucket *largest = NULL;
    int64_t bytes = 0, largest_bytes = 0;
    for (size_t i = 0; i < self->buckets_count; i++) {
        int64_t active_bytes = (int64_t)leat_pk_buffer_bytes(&self->buckets[i]->active);
        bytes += active_bytes;
        if (largest && active_bytes <= largest_bytes) continue;
        largest = self->buckets[i];
        largest_bytes = active_bytes;
    }
    /* Half of the bound: what is sealed stays in memory until it is written, and would make each batch a run of its
     * own if it counted here. */
    if (!largest || bytes < self->buffer_bytes_max / 2 || self->cuts_count > 0) return LEAT_OK;
    LEAT_TRY(leat_pk_bucket_seal(largest, 0, error));
    leat_context_wake(self->operator.context);
    return LEAT_OK;
}

static leat_code writer_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                leat_error *error)
{
    (void)input;
    (void)progress;
    pk_writer *self = (pk_writer *)operator;
    const leat_batch *rows = *batch;
    LEAT_ASSERT(self->is_loaded); /* has_room said no before */
    if (rows->selected == 0) return LEAT_OK;
    const int32_t *buckets = rows->columns[self->shared.options.schema.fields_count].values;
    if (has_one_bucket(self, rows)) {
        int32_t first = leat_batch_row(rows, 0);
        LEAT_TRY(write_rows(self, rows, NULL, rows->selected, first, buckets[first], error));
        return seal_largest(self, error);
    }
    for (int32_t i = 0; i < rows->selected; i++)
        self->split_buckets[i] = buckets[leat_batch_row(rows, i)];
    leat_paimon_row_split_run(&self->split, rows, self->shared.options.partition, self->partition_types,
                              self->shared.options.partition_count, self->split_buckets);
    for (int32_t i = 0; i < self->split.sets_count; i++) {
        const leat_paimon_row_set *set = &self->split.sets[i];
        LEAT_TRY(write_rows(self, rows, self->split.rows + set->start, set->count, set->first_row, set->bucket, error));
    }
    return seal_largest(self, error);
}

static bool writer_has_room(const leat_operator *operator)
{
    const pk_writer *self = (const pk_writer *)operator;
    if (!self->is_loaded) return false;
    int64_t bytes = 0;
    for (size_t i = 0; i < self->buckets_count; i++)
        bytes += (int64_t)leat_pk_bucket_bytes(self->buckets[i]);
    return bytes < self->buffer_bytes_max;
}

static bool writer_is_waiting(const leat_operator *operator)
{
    return !((const pk_writer *)operator)->is_loaded;
}

/* --- flushing and compacting, a slice at a time --- */

static leat_code work(pk_writer *self, leat_error *error)
{
    leat_env *env = self->operator.context->env;
    const writer_cut *cut = self->cuts_count ? &self->cuts[0] : NULL;
    int64_t end_us = leat_env_mono_us(env) + SLICE_US;
    size_t idle = 0;
    bool has_more = false;
    while (idle < self->buckets_count) {
        leat_pk_bucket *bucket = self->buckets[self->next_worked % self->buckets_count];
        leat_pk_status status;
        LEAT_TRY(leat_pk_bucket_work(bucket, cut ? cut->checkpoint_id : 0, cut && cut->full, &status, error));
        if (status == LEAT_PK_AGAIN) {
            idle = 0;
            has_more = leat_env_mono_us(env) >= end_us;
            if (has_more) break;
        } else {
            self->next_worked++;
            idle++;
        }
    }
    if (has_more) leat_context_wake(self->operator.context);
    return LEAT_OK;
}

static leat_code writer_on_wake(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    (void)progress;
    pk_writer *self = (pk_writer *)operator;
    if (!self->is_loaded) {
        bool has_ended;
        LEAT_TRY(leat_pk_loader_poll(&self->loader, &has_ended, error));
        if (!has_ended) return LEAT_OK;
        LEAT_TRY(take_loaded(self, error));
    }
    LEAT_TRY(seal_largest(self, error)); /* a cut held it back, and no rows come while there is no room */
    LEAT_TRY(work(self, error));
    return leat_pk_garbage_collect(&self->garbage, self->operator.context, self->buckets, self->buckets_count, error);
}

/* --- index files --- */

static void run_index(leat_job *job, leat_env *env)
{
    index_job *index = (index_job *)job;
    for (size_t i = 0; i < index->count && index->code == LEAT_OK; i++) {
        index_item *item = &index->items[i];
        index->code = leat_paimon_hash_index_store(env, index->table_path, item->name, item->hashes, item->count,
                                                   &item->file, &index->error);
    }
}

static void done_index(leat_job *job, leat_env *env)
{
    (void)env;
    index_job *index = (index_job *)job;
    leat_operator_context *context = index->context;
    atomic_store_explicit(&index->has_ended, true, memory_order_release); /* pairs with the acquire in index_step */
    leat_context_wake(context);
}

static leat_code prepare_index(pk_writer *self, leat_error *error)
{
    index_job *index = &self->index;
    *index = (index_job){.job = {.run = run_index, .done = done_index},
                         .context = self->operator.context,
                         .table_path = self->table.path,
                         .is_started = true};
    leat_arena_init(&index->arena, (size_t)1 << 30);
    index->items = leat_arena_take(&index->arena, (self->buckets_count + 1) * sizeof *index->items);
    if (!index->items) return leat_fail_no_memory(error);
    for (size_t i = 0; i < self->buckets_count; i++) {
        leat_pk_bucket *bucket = self->buckets[i];
        if (bucket->keys.count == bucket->keys_stored) continue;
        index_item *item = &index->items[index->count];
        *item = (index_item){.bucket = bucket, .count = bucket->keys.count};
        item->hashes = leat_arena_take(&index->arena, item->count * sizeof *item->hashes);
        item->name = leat_paimon_names_next(&self->index_names, "index-", "", &index->arena);
        if (!item->hashes || !item->name) return leat_fail_no_memory(error);
        memcpy(item->hashes, bucket->keys.items, item->count * sizeof *item->hashes);
        index->count++;
    }
    return LEAT_OK;
}

/* Writes what is new; *is_done when it is durable. */
static leat_code index_step(pk_writer *self, bool *is_done, leat_error *error)
{
    index_job *index = &self->index;
    *is_done = false;
    if (!index->is_started) {
        LEAT_TRY(prepare_index(self, error));
        if (index->count) return leat_context_spawn(self->operator.context, &index->job, error);
        atomic_store_explicit(&index->has_ended, true, memory_order_relaxed);
    }
    *is_done = atomic_load_explicit(&index->has_ended, memory_order_acquire);
    if (!*is_done || index->code == LEAT_OK) return LEAT_OK;
    if (error) *error = index->error;
    return index->code;
}

static const index_item *find_index(const pk_writer *self, const leat_pk_bucket *bucket)
{
    for (size_t i = 0; i < self->index.count; i++) {
        if (self->index.items[i].bucket == bucket) return &self->index.items[i];
    }
    return NULL;
}

/* --- checkpoints --- */

static bool wants_full(const pk_writer *self, const leat_operator_snapshot *snapshot)
{
    const leat_pk_options *options = &self->shared.options;
    if (options->write_only || options->delta_commits == 0) return false;
    return snapshot->is_final || snapshot->checkpoint_id == INT64_MAX ||
           snapshot->checkpoint_id % options->delta_commits == 0;
}

static leat_code writer_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                 leat_error *error)
{
    pk_writer *self = (pk_writer *)operator;
    if (self->cuts_count == CUTS_MAX)
        return leat_fail(error, LEAT_LIMIT, "more than %d checkpoints are under way", CUTS_MAX);
    for (size_t i = 0; i < self->buckets_count; i++) {
        LEAT_TRY(leat_pk_bucket_seal(self->buckets[i], snapshot->checkpoint_id, error));
    }
    self->cuts[self->cuts_count++] = (writer_cut){snapshot->checkpoint_id, wants_full(self, snapshot)};
    leat_context_wake(operator->context);
    *progress = LEAT_AGAIN;
    return LEAT_OK;
}

static leat_code add_messages(pk_writer *self, int64_t checkpoint_id, leat_error *error)
{
    for (size_t i = 0; i < self->buckets_count; i++) {
        leat_pk_bucket *bucket = self->buckets[i];
        const index_item *item = find_index(self, bucket);
        if (!item && !leat_pk_bucket_has_changes(bucket)) continue;
        leat_bytes message = {0};
        leat_code code = leat_pk_bucket_message(bucket, checkpoint_id, self->base_snapshot, item ? &item->file : NULL,
                                                item ? item->count : 0, &message, error);
        if (code == LEAT_OK) code = leat_paimon_carried_add(&self->carried, checkpoint_id, &message, error);
        leat_bytes_done(&message);
        LEAT_TRY(code);
    }
    return LEAT_OK;
}

static leat_code writer_snapshot_resume(leat_operator *operator, leat_operator_snapshot * snapshot,
                                        leat_progress *progress, leat_error *error)
{
    pk_writer *self = (pk_writer *)operator;
    const writer_cut *cut = &self->cuts[0];
    LEAT_ASSERT(self->cuts_count > 0 && cut->checkpoint_id == snapshot->checkpoint_id);
    *progress = LEAT_AGAIN;
    if (!self->is_loaded && snapshot->is_final) return LEAT_OK;
    for (size_t i = 0; i < self->buckets_count; i++) {
        if (!leat_pk_bucket_is_ready(self->buckets[i], cut->checkpoint_id, cut->full)) return LEAT_OK;
    }
    bool is_done;
    LEAT_TRY(index_step(self, &is_done, error));
    if (!is_done) return LEAT_OK;
    leat_code code = add_messages(self, snapshot->checkpoint_id, error);
    leat_arena_done(&self->index.arena);
    self->index.is_started = false;
    LEAT_TRY(code);
    self->cuts_count--;
    memmove(&self->cuts[0], &self->cuts[1], (size_t)self->cuts_count * sizeof self->cuts[0]);
    LEAT_TRY(leat_paimon_carried_snapshot(&self->carried, snapshot, error));
    leat_context_wake(operator->context); /* the next cut's buffers may be flushed now */
    *progress = LEAT_DONE;
    return LEAT_OK;
}

static leat_code writer_complete(leat_operator *operator, int64_t checkpoint_id, leat_error *error)
{
    (void)error;
    leat_paimon_carried_confirm(&((pk_writer *)operator)->carried, checkpoint_id);
    return LEAT_OK;
}

/* --- life --- */

static leat_code writer_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    pk_writer *self = (pk_writer *)operator;
    leat_operator_context *context = operator->context;
    self->shared.io = (leat_pk_io){context->env, context};
    self->buffer_bytes_max = self->shared.options.write_buffer_bytes;
    int64_t budget = context->memory_bytes / 2;
    if (budget > 0 && budget < self->buffer_bytes_max) self->buffer_bytes_max = budget;
    leat_paimon_names_init(&self->index_names, context->env);
    LEAT_TRY(leat_paimon_carried_restore(&self->carried, context, restored, error));
    self->loader.wants_files = true;
    self->loader.wants_hashes = self->shared.options.bucket == LEAT_PK_BUCKET_DYNAMIC;
    return leat_pk_loader_start(&self->loader, context, &self->table, error);
}

static void writer_close(leat_operator *operator)
{
    pk_writer *self = (pk_writer *)operator;
    for (size_t i = 0; i < self->buckets_count; i++)
        leat_pk_bucket_free(self->buckets[i]);
    leat_free(self->buckets);
    leat_pk_loader_done(&self->loader);
    leat_paimon_row_split_done(&self->split);
    leat_pk_garbage_done(&self->garbage);
    if (self->index.is_started) leat_arena_done(&self->index.arena);
    leat_free(self->split_buckets);
    leat_free(self->kept_rows);
    leat_free(self->hashes);
    leat_bytes_done(&self->scratch);
    leat_paimon_carried_done(&self->carried);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable writer_vtable = {
    .type = "paimon-pk-writer",
    .open = writer_open,
    .process_batch = writer_process,
    .has_room = writer_has_room,
    .is_waiting = writer_is_waiting,
    .on_wake = writer_on_wake,
    .snapshot = writer_snapshot,
    .snapshot_resume = writer_snapshot_resume,
    .checkpoint_complete = writer_complete,
    .close = writer_close,
};

static leat_code read_config(pk_writer *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, config, size);
    LEAT_TRY(leat_paimon_table_read(&reader, &self->arena, &self->table, error));
    leat_pk_options *options = &self->shared.options;
    LEAT_TRY(leat_pk_options_read(&self->table.schema, true, &self->arena, options, error));
    self->shared.table = &self->table;
    self->partition_types = leat_arena_take(&self->arena, ((size_t)options->partition_count + 1) * sizeof(leat_type));
    self->split_buckets = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->split_buckets);
    self->kept_rows = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->kept_rows);
    self->hashes = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes);
    if (!self->partition_types || !self->split_buckets || !self->kept_rows || !self->hashes) {
        return leat_fail_no_memory(error);
    }
    for (int32_t i = 0; i < options->partition_count; i++) {
        self->partition_types[i] = options->schema.fields[options->partition[i]].type;
    }
    return leat_paimon_row_split_init(&self->split, error);
}

static leat_code writer_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    (void)context;
    pk_writer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & writer_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        writer_close(&self->operator);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_paimon_pk_writer_factory = {"paimon-pk-writer", writer_create};
