#include <string.h>

#include "common/memory.h"
#include "paimon/append.h"
#include "paimon/append_target.h"
#include "paimon/binary_row.h"
#include "paimon/carried.h"
#include "paimon/catalog.h"
#include "paimon/hash.h"
#include "paimon/row_split.h"
#include "paimon/scan.h"
#include "paimon/schema.h"
#include "paimon/snapshot.h"
#include "paimon/table_config.h"

enum {
    ARENA_BYTES = 16 << 20,
    SCAN_ARENA_BYTES = 512 << 20,
    OPEN_FILES_MAX = 256,         /* encoders; rows of further partitions wait in buffers */
    BACKLOG_BYTES_MAX = 64 << 20, /* beyond it rows wait for storage */
};
static const int64_t target_file_bytes_default = 256 << 20;

/* Fixed buckets: the greatest sequence numbers of the table's files, found by a job before the first row. */
typedef struct known_bucket {
    uint8_t *partition;
    size_t partition_size;
    int32_t bucket;
    int64_t next_sequence;
} known_bucket;

typedef struct append_writer append_writer;
typedef struct sequence_scan {
    leat_job job; /* first */
    append_writer *owner;
    atomic_bool has_ended; /* release by the job, acquire by the owner */
    leat_code code;
    leat_error error;
} sequence_scan;

struct append_writer {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_append_shared shared;
    leat_paimon_bucket_mode mode;
    leat_paimon_key partition_key, bucket_key;
    leat_append_target **targets;
    size_t targets_count, targets_capacity;
    int32_t *slots; /* hash table over targets: their indices, -1: free */
    size_t slots_count;
    leat_paimon_row_split split;
    leat_bytes scratch;
    int32_t *hashes;
    int64_t batches;
    leat_paimon_carried carried;

    bool is_ready; /* sequence numbers are known, or not needed */
    sequence_scan scan;
    known_bucket *known; /* the job's until it has ended */
    size_t known_count, known_capacity;
};

/* --- sequence numbers of fixed buckets --- */

static leat_code know(append_writer *self, const uint8_t *partition, size_t size, int32_t bucket, int64_t next_sequence,
                      leat_error *error)
{
    for (size_t i = 0; i < self->known_count; i++) {
        known_bucket *known = &self->known[i];
        if (known->bucket != bucket || known->partition_size != size || memcmp(known->partition, partition, size) != 0)
            continue;
        if (known->next_sequence < next_sequence) known->next_sequence = next_sequence;
        return LEAT_OK;
    }
    LEAT_TRY(leat_grow(&self->known, &self->known_capacity, self->known_count + 1, sizeof *self->known, error));
    uint8_t *copy = leat_alloc(size);
    if (!copy) return leat_fail_no_memory(error);
    memcpy(copy, partition, size);
    self->known[self->known_count++] = (known_bucket){copy, size, bucket, next_sequence};
    return LEAT_OK;
}

static leat_code scan_sequences(append_writer *self, leat_env *env, leat_error *error)
{
    leat_arena arena;
    leat_arena_init(&arena, SCAN_ARENA_BYTES);
    int64_t id = 0;
    leat_paimon_snapshot snapshot;
    leat_paimon_entries entries = {0};
    leat_code code = leat_paimon_snapshot_latest_id(env, self->table.path, &id, error);
    if (code == LEAT_OK && id > 0)
        code = leat_paimon_snapshot_load(env, self->table.path, id, &arena, &snapshot, error);
    if (code == LEAT_OK && id > 0)
        code = leat_paimon_scan_entries(env, &self->table, &snapshot, NULL, &arena, &entries, error);
    for (size_t i = 0; code == LEAT_OK && i < entries.count; i++) {
        const leat_paimon_entry *entry = &entries.items[i];
        if (entry->total_buckets != self->shared.total_buckets) {
            code = leat_fail(
                error, LEAT_INVALID,
                "Try to write table with a new bucket num %d, but the previous bucket num is %d. Please switch to "
                "batch mode, and perform INSERT OVERWRITE to rescale current data layout first.",
                self->shared.total_buckets, entry->total_buckets);
            break;
        }
        code = know(self, entry->partition, entry->partition_size, entry->bucket, entry->file.max_sequence + 1, error);
    }
    leat_arena_done(&arena);
    return code;
}

static void run_scan(leat_job *job, leat_env *env)
{
    sequence_scan *scan = (sequence_scan *)job;
    scan->code = scan_sequences(scan->owner, env, &scan->error);
}

static void done_scan(leat_job *job, leat_env *env)
{
    (void)env;
    sequence_scan *scan = (sequence_scan *)job;
    leat_operator_context *context = scan->owner->operator.context;
    atomic_store_explicit(&scan->has_ended, true, memory_order_release);
    leat_context_wake(context);
}

/* What carried messages hold is not in the table yet. */
static leat_code know_carried(append_writer *self, leat_error *error)
{
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < self->carried.count; i++) {
        const leat_bytes *data = &self->carried.items[i].committable;
        leat_arena arena;
        leat_arena_init(&arena, SCAN_ARENA_BYTES);
        leat_paimon_message message;
        code = leat_paimon_message_read(data->data, data->size, &arena, &message, error);
        for (size_t f = 0; code == LEAT_OK && f < message.new_files.count; f++) {
            code = know(self, message.partition, message.partition_size, message.bucket,
                        message.new_files.files[f].max_sequence + 1, error);
        }
        leat_arena_done(&arena);
    }
    return code;
}

/* --- rows --- */

static size_t slot_of(const append_writer *self, const uint8_t *partition, size_t size, int32_t bucket)
{
    uint32_t hash = (uint32_t)leat_paimon_hash(partition, size) + (uint32_t)bucket * 0x9e3779b9u;
    size_t slot = (hash ^ (hash >> 16)) & (self->slots_count - 1);
    for (; self->slots[slot] >= 0; slot = (slot + 1) & (self->slots_count - 1)) {
        const leat_append_target *target = self->targets[self->slots[slot]];
        if (target->bucket == bucket && target->partition_size == size &&
            memcmp(target->partition, partition, size) == 0)
            break;
    }
    return slot;
}

/* Room for one more; also after targets have moved. */
static leat_code make_slots(append_writer *self, leat_error *error)
{
    size_t count = 64;
    while (count < 4 * (self->targets_count + 1))
        count *= 2;
    int32_t *slots = leat_alloc(count * sizeof *slots);
    if (!slots) return leat_fail_no_memory(error);
    memset(slots, 0xff, count * sizeof *slots);
    leat_free(self->slots);
    self->slots = slots;
    self->slots_count = count;
    for (size_t i = 0; i < self->targets_count; i++) {
        const leat_append_target *target = self->targets[i];
        self->slots[slot_of(self, target->partition, target->partition_size, target->bucket)] = (int32_t)i;
    }
    return LEAT_OK;
}

static leat_code new_target(append_writer *self, const uint8_t *partition, size_t size, int32_t bucket,
                            leat_append_target **out, leat_error *error)
{
    LEAT_TRY(leat_grow(&self->targets, &self->targets_capacity, self->targets_count + 1, sizeof(leat_append_target *),
                       error));
    leat_append_target *target = leat_calloc(1, sizeof *target);
    if (!target) return leat_fail_no_memory(error);
    leat_code code = leat_append_target_init(target, &self->shared, partition, size, bucket, error);
    if (code != LEAT_OK) {
        leat_append_target_done(target);
        leat_free(target);
        return code;
    }
    for (size_t i = 0; i < self->known_count; i++) {
        const known_bucket *known = &self->known[i];
        bool is_it =
            known->bucket == bucket && known->partition_size == size && memcmp(known->partition, partition, size) == 0;
        if (is_it) target->next_sequence = known->next_sequence;
    }
    self->targets[self->targets_count++] = target;
    *out = target;
    return LEAT_OK;
}

static leat_code find_target(append_writer *self, const uint8_t *partition, size_t size, int32_t bucket,
                             leat_append_target **out, leat_error *error)
{
    if (self->slots_count < 2 * (self->targets_count + 1)) LEAT_TRY(make_slots(self, error));
    size_t slot = slot_of(self, partition, size, bucket);
    if (self->slots[slot] >= 0) {
        *out = self->targets[self->slots[slot]];
        return LEAT_OK;
    }
    LEAT_TRY(new_target(self, partition, size, bucket, out, error));
    self->slots[slot] = (int32_t)(self->targets_count - 1);
    return LEAT_OK;
}

static leat_code write_to(append_writer *self, leat_append_target *target, const leat_batch *batch, leat_error *error)
{
    target->used = self->batches;
    return leat_append_target_write(target, batch, error);
}

static leat_code write_set(append_writer *self, const leat_batch *batch, const leat_paimon_row_set *set,
                           leat_error *error)
{
    leat_bytes_reset(&self->scratch);
    leat_binary_row_from_batch(batch, set->first_row, self->partition_key.columns, self->partition_key.types,
                               self->partition_key.count, true, &self->scratch);
    LEAT_TRY(leat_bytes_check(&self->scratch, error));
    leat_append_target *target;
    LEAT_TRY(find_target(self, self->scratch.data, self->scratch.size, set->bucket, &target, error));
    leat_batch *part = leat_batch_share(batch);
    if (!part) return leat_fail_no_memory(error);
    leat_buffer_unref(part->selection_buffer);
    part->selection_buffer = NULL;
    part->selection = self->split.rows + set->start;
    part->selected = set->count;
    leat_code code = write_to(self, target, part, error);
    leat_batch_free(part);
    return code;
}

static leat_code check_rows(const append_writer *self, const leat_batch *batch, leat_error *error)
{
    for (int32_t i = 0; batch->kinds && i < batch->selected; i++) {
        int8_t kind = batch->kinds[leat_batch_row(batch, i)];
        if (kind == LEAT_ROW_INSERT) continue;
        return leat_fail(error, LEAT_INVALID, "Append only writer can not accept row with RowKind %s",
                         leat_row_kind_text((leat_row_kind)kind));
    }
    for (int32_t c = 0; c < self->shared.columns.fields_count; c++) {
        const leat_column *column = &batch->columns[c];
        if (self->shared.columns.fields[c].type.nullable || !column->validity) continue;
        for (int32_t i = 0; i < batch->selected; i++) {
            if (leat_bit_get(column->validity, leat_batch_row(batch, i))) continue;
            return leat_fail(error, LEAT_INVALID,
                             "Column '%s' is NOT NULL, however, a null value is being written into it.",
                             self->shared.columns.fields[c].name);
        }
    }
    return LEAT_OK;
}

/* Open files hold what they have encoded since their last row group, and rows: bounded in number and in bytes. */
static leat_code keep_bounds(append_writer *self, leat_error *error)
{
    int64_t bytes_max = self->operator.context->memory_bytes / 2;
    for (size_t rolled = 0; rolled < self->targets_count; rolled++) {
        int64_t bytes = 0;
        size_t open = 0;
        leat_append_target *largest = NULL, *oldest = NULL;
        for (size_t i = 0; i < self->targets_count; i++) {
            leat_append_target *target = self->targets[i];
            int64_t held = leat_append_target_open_bytes(target);
            bytes += held;
            if (held && (!largest || held > leat_append_target_open_bytes(largest))) largest = target;
            if (!target->open) continue;
            open++;
            if (!oldest || target->used < oldest->used) oldest = target;
        }
        bool is_over = bytes_max > 0 && bytes > bytes_max;
        if (open <= OPEN_FILES_MAX && !is_over) return LEAT_OK;
        LEAT_TRY(leat_append_target_roll(open > OPEN_FILES_MAX ? oldest : largest, error));
    }
    return LEAT_OK;
}

static leat_code compute_buckets(append_writer *self, const leat_batch *batch, leat_error *error)
{
    LEAT_TRY(leat_paimon_hash_rows(batch, self->bucket_key.columns, self->bucket_key.types, self->bucket_key.count,
                                   &self->scratch, self->hashes, error));
    for (int32_t i = 0; i < batch->selected; i++) {
        self->hashes[i] = leat_paimon_bucket(self->hashes[i], self->shared.total_buckets);
    }
    return LEAT_OK;
}

static leat_code append_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                leat_error *error)
{
    (void)input;
    (void)progress;
    append_writer *self = (append_writer *)operator;
    if ((*batch)->selected == 0) return LEAT_OK;
    LEAT_TRY(check_rows(self, *batch, error));
    self->batches++;
    bool is_fixed = self->mode == LEAT_PAIMON_BUCKET_FIXED;
    if (!is_fixed && self->partition_key.count == 0) {
        leat_append_target *target;
        LEAT_TRY(find_target(self, leat_binary_row_empty, LEAT_BINARY_ROW_EMPTY_SIZE, 0, &target, error));
        return write_to(self, target, *batch, error);
    }
    if (is_fixed) LEAT_TRY(compute_buckets(self, *batch, error));
    leat_paimon_row_split_run(&self->split, *batch, self->partition_key.columns, self->partition_key.types,
                              self->partition_key.count, is_fixed ? self->hashes : NULL);
    for (int32_t i = 0; i < self->split.sets_count; i++) {
        LEAT_TRY(write_set(self, *batch, &self->split.sets[i], error));
    }
    return keep_bounds(self, error);
}

static bool append_has_room(const leat_operator *operator)
{
    const append_writer *self = (const append_writer *)operator;
    if (!self->is_ready) return false;
    int64_t backlog = 0;
    for (size_t i = 0; i < self->targets_count; i++)
        backlog += leat_append_target_backlog(self->targets[i]);
    return backlog < BACKLOG_BYTES_MAX;
}

static bool append_is_waiting(const leat_operator *operator)
{
    return !((const append_writer *)operator)->is_ready;
}

static leat_code append_on_wake(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    (void)progress;
    append_writer *self = (append_writer *)operator;
    if (!self->is_ready && atomic_load_explicit(&self->scan.has_ended, memory_order_acquire)) {
        if (self->scan.code != LEAT_OK) {
            if (error) *error = self->scan.error;
            return leat_fail_in(error, self->scan.code, "find the sequence numbers of %s", self->table.path);
        }
        LEAT_TRY(know_carried(self, error));
        self->is_ready = true;
    }
    bool all_done = true, did_finish = true; /* only sends: finishing is the snapshot's */
    for (size_t i = 0; i < self->targets_count; i++) {
        LEAT_TRY(leat_append_target_advance(self->targets[i], 0, &all_done, &did_finish, error));
    }
    return LEAT_OK;
}

/* --- checkpoints --- */

/* A partition that gets no rows any more should not stay for ever; buckets keep their sequence numbers. */
static leat_code forget_idle(append_writer *self, leat_error *error)
{
    if (self->mode == LEAT_PAIMON_BUCKET_FIXED || self->targets_count <= OPEN_FILES_MAX) return LEAT_OK;
    size_t kept = 0;
    for (size_t i = 0; i < self->targets_count; i++) {
        leat_append_target *target = self->targets[i];
        if (leat_append_target_is_open(target) || target->closing) {
            self->targets[kept++] = target;
        } else {
            leat_append_target_done(target);
            leat_free(target);
        }
    }
    self->targets_count = kept;
    return make_slots(self, error);
}

static leat_code append_snapshot_resume(leat_operator *operator, leat_operator_snapshot * snapshot,
                                        leat_progress *progress, leat_error *error)
{
    append_writer *self = (append_writer *)operator;
    bool all_done = true, did_finish = false;
    for (size_t i = 0; i < self->targets_count; i++) {
        LEAT_TRY(leat_append_target_advance(self->targets[i], snapshot->checkpoint_id, &all_done, &did_finish, error));
    }
    *progress = LEAT_AGAIN;
    if (did_finish) leat_context_wake(operator->context); /* there may be more to finish */
    if (!all_done) return LEAT_OK;
    for (size_t i = 0; i < self->targets_count; i++) {
        leat_bytes message = {0};
        leat_code code = leat_append_target_message(self->targets[i], snapshot->checkpoint_id, &message, error);
        if (code == LEAT_OK && message.size) {
            code = leat_paimon_carried_add(&self->carried, snapshot->checkpoint_id, &message, error);
        }
        leat_bytes_done(&message);
        if (code != LEAT_OK) return code;
    }
    LEAT_TRY(forget_idle(self, error));
    LEAT_TRY(leat_paimon_carried_snapshot(&self->carried, snapshot, error));
    *progress = LEAT_DONE;
    return LEAT_OK;
}

static leat_code append_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                 leat_error *error)
{
    append_writer *self = (append_writer *)operator;
    for (size_t i = 0; i < self->targets_count; i++) {
        LEAT_TRY(leat_append_target_cut(self->targets[i], snapshot->checkpoint_id, error));
    }
    /* Nothing is finished here: the barrier goes on at once. */
    leat_context_wake(operator->context);
    *progress = LEAT_AGAIN;
    return LEAT_OK;
}

static leat_code append_complete(leat_operator *operator, int64_t checkpoint_id, leat_error *error)
{
    (void)error;
    leat_paimon_carried_confirm(&((append_writer *)operator)->carried, checkpoint_id);
    return LEAT_OK;
}

/* --- life --- */

static leat_code append_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    append_writer *self = (append_writer *)operator;
    self->shared.context = operator->context;
    LEAT_TRY(leat_paimon_carried_restore(&self->carried, operator->context, restored, error));
    self->is_ready = self->mode != LEAT_PAIMON_BUCKET_FIXED;
    if (self->is_ready) return LEAT_OK;
    self->scan.job = (leat_job){.run = run_scan, .done = done_scan};
    self->scan.owner = self;
    return leat_context_spawn(operator->context, &self->scan.job, error);
}

static void append_close(leat_operator *operator)
{
    append_writer *self = (append_writer *)operator;
    for (size_t i = 0; i < self->targets_count; i++) {
        leat_append_target_done(self->targets[i]);
        leat_free(self->targets[i]);
    }
    leat_free(self->targets);
    leat_free(self->slots);
    for (size_t i = 0; i < self->known_count; i++)
        leat_free(self->known[i].partition);
    leat_free(self->known);
    leat_paimon_row_split_done(&self->split);
    leat_bytes_done(&self->scratch);
    leat_free(self->hashes);
    leat_paimon_carried_done(&self->carried);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable append_vtable = {
    .type = "paimon-append-writer",
    .open = append_open,
    .process_batch = append_process,
    .has_room = append_has_room,
    .is_waiting = append_is_waiting,
    .on_wake = append_on_wake,
    .snapshot = append_snapshot,
    .snapshot_resume = append_snapshot_resume,
    .checkpoint_complete = append_complete,
    .close = append_close,
};

static leat_code read_config(append_writer *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, config, size);
    LEAT_TRY(leat_paimon_table_read(&reader, &self->arena, &self->table, error));
    const leat_paimon_schema *schema = &self->table.schema;
    leat_append_shared *shared = &self->shared;
    shared->arena = &self->arena;
    shared->table = &self->table;
    LEAT_TRY(leat_paimon_schema_columns(schema, &self->arena, &shared->columns, error));
    LEAT_TRY(leat_paimon_schema_bucket_mode(schema, &self->mode, &shared->total_buckets, error));
    LEAT_TRY(leat_paimon_schema_partition_key(schema, &self->arena, &self->partition_key, error));
    LEAT_TRY(leat_paimon_schema_bucket_key(schema, &self->arena, &self->bucket_key, error));
    LEAT_TRY(leat_paimon_option_memory(&schema->options, "target-file-size", target_file_bytes_default,
                                       &shared->target_file_bytes, error));
    shared->file_prefix = leat_paimon_option_text(&schema->options, "data-file.prefix", "data-");
    shared->file_format = leat_paimon_option_text(&schema->options, "file.format", "parquet");
    shared->field_ids = leat_arena_take(&self->arena, ((size_t)schema->fields_count + 1) * sizeof *shared->field_ids);
    if (!shared->field_ids) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < schema->fields_count; i++)
        shared->field_ids[i] = schema->fields[i].id;
    self->hashes = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes);
    if (!self->hashes) return leat_fail_no_memory(error);
    return leat_paimon_row_split_init(&self->split, error);
}

static leat_code append_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    append_writer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & append_vtable;
    self->operator.context = context;
    leat_arena_init(&self->arena, ARENA_BYTES);
    leat_code code = read_config(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        append_close(&self->operator);
    return code;
}

leat_code leat_paimon_append_config_write(const leat_paimon_table *table, leat_bytes *out, leat_error *error)
{
    return leat_paimon_table_write(table, out, error);
}

const leat_operator_factory leat_paimon_append_writer_factory = {"paimon-append-writer", append_create};
