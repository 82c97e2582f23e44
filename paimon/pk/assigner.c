/* The operator "paimon-bucket-assigner" (hashing.md §4): gives each key of a table with dynamic buckets its bucket. It
 * knows the hashes that are its own from the HASH index files, and looks at them again when someone changed them. */
#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/catalog.h"
#include "paimon/hash.h"
#include "paimon/pk.h"
#include "paimon/pk/append_columns.h"
#include "paimon/pk/hash_set.h"
#include "paimon/pk/loader.h"
#include "paimon/pk/options.h"
#include "paimon/pk/route.h"
#include "paimon/row_split.h"
#include "paimon/table_config.h"

enum {
    ARENA_BYTES_MAX = 64 << 20,
    BUCKETS_MAX = 32767, /* Paimon keeps bucket numbers in a short */
    REFRESH_US = 1000000,
    REFRESH_FACTOR = 20, /* and not more often than this times what the last one took */
};

typedef struct assigned_partition {
    uint8_t *key;
    size_t key_size;
    int32_t number;           /* of this assigner in the partition */
    leat_pk_hash_set buckets; /* own hash → bucket */
    int64_t *counts;          /* keys of each bucket of the partition; -1: it does not exist */
    size_t counts_size, counts_capacity;
    int32_t filling; /* own bucket that takes new keys; -1: none is known */
} assigned_partition;

typedef struct assigner {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_pk_options options;
    leat_type *partition_types;
    int32_t writers;
    assigned_partition **partitions;
    size_t partitions_count, partitions_capacity;
    leat_paimon_row_split split;
    leat_bytes scratch;
    leat_pk_loader loader;
    int64_t load_started_us;
    bool is_loaded;
} assigner;

static leat_code find_partition(assigner *self, const uint8_t *key, size_t size, assigned_partition **out,
                                leat_error *error)
{
    for (size_t i = 0; i < self->partitions_count; i++) {
        assigned_partition *partition = self->partitions[i];
        if (partition->key_size == size && memcmp(partition->key, key, size) == 0) {
            *out = partition;
            return LEAT_OK;
        }
    }
    LEAT_TRY(leat_grow(&self->partitions, &self->partitions_capacity, self->partitions_count + 1,
                       sizeof(assigned_partition *), error));
    assigned_partition *partition = leat_calloc(1, sizeof *partition);
    uint8_t *copy = leat_alloc(size);
    if (!partition || !copy) {
        leat_free(partition);
        leat_free(copy);
        return leat_fail_no_memory(error);
    }
    memcpy(copy, key, size);
    const leat_operator_context *context = self->operator.context;
    *partition = (assigned_partition){.key = copy, .key_size = size, .buckets.is_map = true, .filling = -1};
    partition->number =
        leat_pk_assigner_number(leat_paimon_hash(key + 4, size - 4), context->subtask, context->parallelism);
    self->partitions[self->partitions_count++] = partition;
    *out = partition;
    return LEAT_OK;
}

static leat_code note_bucket(assigned_partition *partition, int32_t bucket, int64_t count, leat_error *error)
{
    if (bucket < 0 || bucket > BUCKETS_MAX) return leat_fail(error, LEAT_CORRUPT, "bucket %d", bucket);
    LEAT_TRY(leat_grow(&partition->counts, &partition->counts_capacity, (size_t)bucket + 1, sizeof *partition->counts,
                       error));
    while (partition->counts_size <= (size_t)bucket)
        partition->counts[partition->counts_size++] = -1;
    if (count > partition->counts[bucket]) partition->counts[bucket] = count;
    return LEAT_OK;
}

static leat_code take_loaded(assigner *self, leat_error *error)
{
    int32_t parallelism = self->operator.context->parallelism;
    for (size_t i = 0; i < self->loader.hashes_count; i++) {
        const leat_pk_key_hashes *keys = &self->loader.hashes[i];
        assigned_partition *partition;
        LEAT_TRY(find_partition(self, keys->file->partition, keys->file->partition_size, &partition, error));
        LEAT_TRY(note_bucket(partition, keys->file->bucket, (int64_t)keys->count, error));
        for (size_t k = 0; k < keys->count; k++) {
            if (leat_pk_absolute(keys->hashes[k] % parallelism) != partition->number) continue;
            /* What was assigned here before someone else did stays: the commit finds the conflict. */
            LEAT_TRY(leat_pk_hash_set_add(&partition->buckets, keys->hashes[k], keys->file->bucket, error));
        }
    }
    leat_pk_loader_reset(&self->loader);
    self->is_loaded = true;
    return LEAT_OK;
}

/* --- assignment --- */

static bool has_space(const assigner *self, const assigned_partition *partition, int32_t bucket)
{
    return bucket >= 0 && (size_t)bucket < partition->counts_size && partition->counts[bucket] >= 0 &&
           partition->counts[bucket] < self->options.target_row_num;
}

/* A bucket for a new key: an own one with space, else the smallest own number that is free, else any. */
static leat_code choose_bucket(assigner *self, assigned_partition *partition, int32_t *out, leat_error *error)
{
    int32_t step = self->operator.context->parallelism;
    if (has_space(self, partition, partition->filling)) {
        *out = partition->filling;
        return LEAT_OK;
    }
    for (size_t b = (size_t)partition->number; b < partition->counts_size; b += (size_t)step) {
        if (!has_space(self, partition, (int32_t)b)) continue;
        *out = partition->filling = (int32_t)b;
        return LEAT_OK;
    }
    int64_t limit = self->options.buckets_max < 0 ? BUCKETS_MAX : self->options.buckets_max;
    for (int64_t b = partition->number; b < limit; b += step) {
        if ((size_t)b < partition->counts_size && partition->counts[b] >= 0) continue;
        LEAT_TRY(note_bucket(partition, (int32_t)b, 0, error));
        *out = partition->filling = (int32_t)b;
        return LEAT_OK;
    }
    size_t start = (size_t)(leat_env_random(self->operator.context->env) % (partition->counts_size + 1));
    for (size_t i = 0; i < partition->counts_size; i++) {
        size_t b = (start + i) % partition->counts_size;
        if (partition->counts[b] < 0) continue;
        *out = (int32_t)b;
        return LEAT_OK;
    }
    LEAT_TRY(note_bucket(partition, 0, 0, error)); /* the limit leaves this assigner none, and nobody has made one */
    *out = 0;
    return LEAT_OK;
}

static leat_code assign(assigner *self, assigned_partition *partition, int32_t hash, int32_t *bucket, leat_error *error)
{
    int64_t known = leat_pk_hash_set_find(&partition->buckets, hash);
    if (known >= 0) {
        *bucket = partition->buckets.values[known];
        return LEAT_OK;
    }
    LEAT_TRY(choose_bucket(self, partition, bucket, error));
    partition->counts[*bucket]++;
    return leat_pk_hash_set_add(&partition->buckets, hash, *bucket, error);
}

typedef struct row_list {
    const uint16_t *rows; /* NULL: all selected ones */
    int32_t count, first_row;
} row_list;

static leat_code assign_rows(assigner *self, const leat_batch *batch, row_list list, int32_t **added, leat_error *error)
{
    const uint8_t *key = leat_binary_row_empty;
    size_t size = LEAT_BINARY_ROW_EMPTY_SIZE;
    const leat_pk_options *options = &self->options;
    if (options->partition_count) {
        leat_bytes_reset(&self->scratch);
        leat_binary_row_from_batch(batch, list.first_row, options->partition, self->partition_types,
                                   options->partition_count, true, &self->scratch);
        LEAT_TRY(leat_bytes_check(&self->scratch, error));
        key = self->scratch.data;
        size = self->scratch.size;
    }
    assigned_partition *partition;
    LEAT_TRY(find_partition(self, key, size, &partition, error));
    int32_t partition_hash = leat_paimon_hash(key + 4, size - 4);
    const int32_t *hashes = batch->columns[options->schema.fields_count].values;
    for (int32_t i = 0; i < list.count; i++) {
        int32_t row = list.rows ? list.rows[i] : leat_batch_row(batch, i), bucket;
        LEAT_TRY(assign(self, partition, hashes[row], &bucket, error));
        added[0][row] = bucket;
        added[1][row] = hashes[row];
        added[2][row] = leat_pk_writer_of(partition_hash, bucket, self->writers);
    }
    return LEAT_OK;
}

static leat_code assign_batch(assigner *self, const leat_batch *batch, int32_t **added, leat_error *error)
{
    if (self->options.partition_count == 0) {
        return assign_rows(self, batch, (row_list){NULL, batch->selected, 0}, added, error);
    }
    leat_paimon_row_split_run(&self->split, batch, self->options.partition, self->partition_types,
                              self->options.partition_count, NULL);
    for (int32_t i = 0; i < self->split.sets_count; i++) {
        const leat_paimon_row_set *set = &self->split.sets[i];
        row_list list = {self->split.rows + set->start, set->count, set->first_row};
        LEAT_TRY(assign_rows(self, batch, list, added, error));
    }
    return LEAT_OK;
}

static leat_code assigner_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                  leat_error *error)
{
    (void)input;
    (void)progress;
    assigner *self = (assigner *)operator;
    LEAT_ASSERT(self->is_loaded); /* has_room said no before */
    if ((*batch)->selected == 0) return LEAT_OK;
    int32_t *added[LEAT_PK_COLUMNS_MAX];
    leat_batch *assigned;
    LEAT_TRY(leat_pk_append_columns(*batch, self->options.schema.fields_count, 3, added, &assigned, error));
    leat_code code = assign_batch(self, *batch, added, error);
    if (code == LEAT_OK) code = leat_context_emit(operator->context, &assigned, error);
    leat_batch_free(assigned);
    return code;
}

static bool assigner_has_room(const leat_operator *operator)
{
    return ((const assigner *)operator)->is_loaded;
}

static bool assigner_is_waiting(const leat_operator *operator)
{
    return !((const assigner *)operator)->is_loaded;
}

/* --- refreshing --- */

static leat_code start_load(assigner *self, leat_error *error)
{
    self->load_started_us = leat_env_mono_us(self->operator.context->env);
    return leat_pk_loader_start(&self->loader, self->operator.context, &self->table, error);
}

static leat_code assigner_on_wake(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    (void)progress;
    assigner *self = (assigner *)operator;
    bool has_ended;
    LEAT_TRY(leat_pk_loader_poll(&self->loader, &has_ended, error));
    if (!has_ended) return LEAT_OK;
    LEAT_TRY(take_loaded(self, error));
    if (operator->context->is_batch) return LEAT_OK;
    int64_t now_us = leat_env_mono_us(operator->context->env);
    int64_t pause_us = (now_us - self->load_started_us) * REFRESH_FACTOR;
    leat_context_set_timer(operator->context, now_us + (pause_us > REFRESH_US ? pause_us : REFRESH_US));
    return LEAT_OK;
}

static leat_code assigner_on_timer(leat_operator *operator, int64_t now_us, leat_progress *progress, leat_error *error)
{
    (void)now_us;
    (void)progress;
    assigner *self = (assigner *)operator;
    return self->loader.is_running ? LEAT_OK : start_load(self, error);
}

/* --- life --- */

static leat_code assigner_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)restored; /* all that was assigned and committed is in the index files */
    assigner *self = (assigner *)operator;
    self->loader.wants_hashes = true;
    return start_load(self, error);
}

static void assigner_close(leat_operator *operator)
{
    assigner *self = (assigner *)operator;
    for (size_t i = 0; i < self->partitions_count; i++) {
        leat_pk_hash_set_done(&self->partitions[i]->buckets);
        leat_free(self->partitions[i]->counts);
        leat_free(self->partitions[i]->key);
        leat_free(self->partitions[i]);
    }
    leat_free(self->partitions);
    leat_paimon_row_split_done(&self->split);
    leat_pk_loader_done(&self->loader);
    leat_bytes_done(&self->scratch);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable assigner_vtable = {
    .type = "paimon-bucket-assigner",
    .open = assigner_open,
    .process_batch = assigner_process,
    .has_room = assigner_has_room,
    .is_waiting = assigner_is_waiting,
    .on_wake = assigner_on_wake,
    .on_timer = assigner_on_timer,
    .close = assigner_close,
};

static leat_code read_config(assigner *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, config, size);
    self->writers = (int32_t)leat_reader_u32(&reader);
    LEAT_TRY(leat_paimon_table_read(&reader, &self->arena, &self->table, error));
    if (self->writers < 1) return leat_fail(error, LEAT_CORRUPT, "assigner for %d writers", self->writers);
    leat_pk_options *options = &self->options;
    LEAT_TRY(leat_pk_options_read(&self->table.schema, true, &self->arena, options, error));
    self->partition_types = leat_arena_take(&self->arena, ((size_t)options->partition_count + 1) * sizeof(leat_type));
    if (!self->partition_types) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < options->partition_count; i++) {
        self->partition_types[i] = options->schema.fields[options->partition[i]].type;
    }
    return leat_paimon_row_split_init(&self->split, error);
}

static leat_code assigner_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                                 leat_operator **out, leat_error *error)
{
    (void)context;
    assigner *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & assigner_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        assigner_close(&self->operator);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_paimon_bucket_assigner_factory = {"paimon-bucket-assigner", assigner_create};
