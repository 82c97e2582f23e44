#include "operators/aggregate.h"

#include <string.h>

#include "columnar/hash.h"
#include "common/memory.h"
#include "operators/aggregate_state.h"
#include "operators/config.h"

enum {
    STATE_VERSION = 1,
    /* Parts of a snapshot that may wait for their upload: with more its walk pauses. */
    PARTS_WAITING = 2,
    /* With so many of all snapshots, which are groups written because they change, no input is taken. There are no more
     * snapshots than that, so that one of them has a whole part and the wait ends. */
    PARTS_WAITING_MAX = LEAT_STATE_CUTS_MAX,
};

/* --- records --- */

static void clear_group(void *operator, void * record)
{
    leat_aggregate *self = operator;
    leat_aggregate_group *at = record;
    for (int32_t i = 0; i < self->config.calls_count; i++)
        leat_accumulator_clear(&self->kinds[i], &at->accumulators[i]);
}

static void write_group(void *operator, const void * record, leat_bytes *out)
{
    leat_aggregate *self = operator;
    const leat_aggregate_group *at = record;
    leat_bytes_put_i64(out, at->rows);
    leat_bytes_put_u8(out, at->is_out);
    for (int32_t i = 0; i < self->config.calls_count; i++) {
        leat_accumulator_write(&self->kinds[i], &at->accumulators[i], out);
    }
}

static leat_code read_group(void *operator, leat_reader * reader, void *record, leat_error *error)
{
    leat_aggregate *self = operator;
    leat_aggregate_group *at = record;
    at->rows = leat_reader_i64(reader);
    at->is_out = leat_reader_u8(reader) != 0;
    for (int32_t i = 0; i < self->config.calls_count; i++) {
        LEAT_TRY(leat_accumulator_read(&self->kinds[i], &at->accumulators[i], reader, error));
    }
    return LEAT_OK;
}

static leat_code restore_parts(leat_aggregate *self, const leat_restored *restored, leat_error *error)
{
    const leat_operator_context *context = self->operator.context;
    int32_t first = leat_key_group_first(context->subtask, context->max_parallelism, context->parallelism);
    int32_t end = leat_key_group_first(context->subtask + 1, context->max_parallelism, context->parallelism);
    for (size_t i = 0; i < restored->parts_count; i++) {
        if (restored->parts[i].state_size == 0) continue;
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[i].state, restored->parts[i].state_size);
        if (leat_reader_u8(&reader) != STATE_VERSION)
            return leat_fail(error, LEAT_UNSUPPORTED, "aggregate state of another version");
        LEAT_TRY(self->state->vtable->restore(self->state, &reader, context->max_parallelism, first, end, error));
        LEAT_TRY(leat_reader_check(&reader, true, "aggregate state", error));
    }
    return LEAT_OK;
}

static leat_code aggregate_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    leat_aggregate *self = (leat_aggregate *)operator;
    int32_t columns = self->config.keys_count + self->config.calls_count;
    leat_state_records records = {.record_bytes = sizeof(leat_aggregate_group) +
                                                  (size_t)self->config.calls_count * sizeof(leat_accumulator),
                                  .self = self,
                                  .clear = clear_group,
                                  .write = write_group,
                                  .read = read_group};
    LEAT_TRY(leat_state_hashmap_new(&records, &self->state, error));
    self->groups = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->groups);
    self->accumulators = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->accumulators);
    self->rows = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->rows);
    self->signs = leat_alloc(LEAT_BATCH_ROWS_MAX);
    self->touched = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->touched);
    bool is_whole = self->groups && self->accumulators && self->rows && self->signs && self->touched;
    if (!is_whole) return leat_fail_no_memory(error);
    LEAT_TRY(leat_aggregate_rows_open(self, error));
    LEAT_TRY(leat_batch_builder_init(&self->before, self->output_layouts, columns, LEAT_BATCH_ROWS_MAX, error));
    LEAT_TRY(leat_batch_builder_init(&self->out, self->output_layouts, columns, LEAT_BATCH_ROWS_MAX, error));
    return restored ? restore_parts(self, restored, error) : LEAT_OK;
}

/* --- output rows --- */

static leat_code append_group(leat_aggregate *self, leat_aggregate_group *at, leat_row_kind kind,
                              leat_batch_builder *builder, leat_error *error)
{
    LEAT_TRY(leat_batch_builder_begin_row(builder, kind, error));
    leat_state_entry entry = self->state->vtable->entry(self->state, at);
    LEAT_TRY(
        leat_state_key_decode(entry.key, entry.key_size, self->key_types, self->config.keys_count, builder, error));
    for (int32_t i = 0; i < self->config.calls_count; i++) {
        int32_t column = self->config.keys_count + i;
        LEAT_TRY(leat_accumulator_set(&self->kinds[i], &at->accumulators[i], builder, column, error));
    }
    return LEAT_OK;
}

/* A group that this batch meets first: what the downstream knows of it is written down before it changes. */
static leat_code touch_groups(leat_aggregate *self, int32_t count, leat_error *error)
{
    for (int32_t i = 0; i < count; i++) {
        leat_aggregate_group *at = self->groups[i];
        if (at->touched == self->batch_number) continue;
        at->touched = self->batch_number;
        self->touched[self->touched_count++] = at;
        if (self->operator.context->is_batch) continue;
        if (at->is_out)
            LEAT_TRY(append_group(self, at, LEAT_ROW_UPDATE_BEFORE, &self->before, error));
        else
            LEAT_TRY(leat_batch_builder_begin_row(&self->before, LEAT_ROW_INSERT, error)); /* holds the place */
    }
    return LEAT_OK;
}

static bool same_value(const leat_column *a, int32_t i, const leat_column *b, int32_t j)
{
    bool a_null = leat_column_is_null(a, i), b_null = leat_column_is_null(b, j);
    if (a_null || b_null) return a_null == b_null;
    if (a->layout != LEAT_LAYOUT_VIEW) {
        size_t width = leat_layout_bytes(a->layout);
        return memcmp((const uint8_t *)a->values + (size_t)i * width, (const uint8_t *)b->values + (size_t)j * width,
                      width) == 0;
    }
    const leat_view *x = (const leat_view *)a->values + i, *y = (const leat_view *)b->values + j;
    return x->length == y->length && memcmp(leat_view_data(a, x), leat_view_data(b, y), (size_t)x->length) == 0;
}

static leat_code copy_row(leat_aggregate *self, const leat_batch *from, int32_t row, leat_row_kind kind,
                          leat_error *error)
{
    LEAT_TRY(leat_batch_builder_begin_row(&self->out, kind, error));
    for (int32_t c = 0; c < self->out.columns_count; c++) {
        LEAT_TRY(leat_batch_builder_copy_value(&self->out, c, &from->columns[c], row, error));
    }
    return LEAT_OK;
}

/* The touched groups' rows before (`before`) and after this batch, at equal places. */
static leat_code take_rows(leat_aggregate *self, leat_error *error)
{
    LEAT_TRY(leat_batch_builder_finish(&self->before, &self->old_rows, error));
    for (int32_t i = 0; i < self->touched_count; i++) {
        leat_aggregate_group *at = self->touched[i];
        if (at->rows > 0)
            LEAT_TRY(append_group(self, at, LEAT_ROW_INSERT, &self->before, error));
        else
            LEAT_TRY(leat_batch_builder_begin_row(&self->before, LEAT_ROW_INSERT, error)); /* holds the place */
    }
    return leat_batch_builder_finish(&self->before, &self->new_rows, error);
}

static bool is_changed(const leat_aggregate *self, int32_t row)
{
    for (int32_t c = self->config.keys_count; c < self->new_rows->columns_count; c++) {
        if (!same_value(&self->new_rows->columns[c], row, &self->old_rows->columns[c], row)) return true;
    }
    return false;
}

static leat_code change_group(leat_aggregate *self, int32_t index, leat_error *error)
{
    leat_aggregate_group *at = self->touched[index];
    bool was_out = at->is_out;
    at->is_out = at->rows > 0;
    if (!at->is_out) {
        if (was_out) LEAT_TRY(copy_row(self, self->old_rows, index, LEAT_ROW_DELETE, error));
        /* A row taken away before it was given leaves a negative count: the group waits for it. */
        return at->rows == 0 ? self->state->vtable->remove(self->state, at, error) : LEAT_OK;
    }
    if (!was_out) return copy_row(self, self->new_rows, index, LEAT_ROW_INSERT, error);
    if (!is_changed(self, index)) return LEAT_OK;
    bool retracts = self->config.output == LEAT_AGGREGATE_RETRACT;
    if (retracts) LEAT_TRY(copy_row(self, self->old_rows, index, LEAT_ROW_UPDATE_BEFORE, error));
    return copy_row(self, self->new_rows, index, LEAT_ROW_UPDATE_AFTER, error);
}

static leat_code emit_out(leat_aggregate *self, leat_error *error)
{
    if (self->out.rows == 0) return LEAT_OK;
    leat_batch *batch = NULL;
    LEAT_TRY(leat_batch_builder_finish(&self->out, &batch, error));
    leat_code code = leat_context_emit(self->operator.context, &batch, error);
    leat_batch_free(batch);
    return code;
}

/* Changes of the touched groups, as many as one output batch holds. */
static leat_code emit_changes(leat_aggregate *self, leat_progress *progress, leat_error *error)
{
    while (self->touched_next < self->touched_count && self->out.rows + 2 <= LEAT_BATCH_ROWS_MAX) {
        LEAT_TRY(change_group(self, self->touched_next++, error));
    }
    *progress = self->touched_next < self->touched_count ? LEAT_AGAIN : LEAT_DONE;
    if (*progress == LEAT_DONE) {
        leat_batch_free(self->old_rows);
        leat_batch_free(self->new_rows);
        self->old_rows = self->new_rows = NULL;
    }
    return emit_out(self, error);
}

/* --- input --- */

static leat_code update_call(leat_aggregate *self, int32_t call, const leat_batch *batch, leat_error *error)
{
    const leat_accumulator_kind *kind = &self->kinds[call];
    const leat_column *filter = kind->call.filter >= 0 ? &batch->columns[kind->call.filter] : NULL;
    int32_t count = 0;
    bool has_signs = batch->kinds != NULL;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        bool is_in = !filter || (!leat_column_is_null(filter, row) && ((const int8_t *)filter->values)[row]);
        self->rows[count] = (uint16_t)row;
        if (has_signs) self->signs[count] = leat_row_kind_is_add(batch->kinds[row]) ? 1 : -1;
        self->accumulators[count] = &((leat_aggregate_group *)self->groups[i])->accumulators[call];
        count += is_in;
    }
    const leat_column *column = kind->call.column >= 0 ? &batch->columns[kind->call.column] : NULL;
    if (kind->call.function == LEAT_AGGREGATE_COUNT_STAR) column = NULL;
    return leat_accumulate(kind, column, self->rows, has_signs ? self->signs : NULL, count, self->accumulators, error);
}

static leat_code check_kinds(const leat_aggregate *self, const leat_batch *batch, leat_error *error)
{
    if (!batch->kinds || self->config.has_retractions) return LEAT_OK;
    for (int32_t i = 0; i < batch->selected; i++) {
        if (leat_row_kind_is_add(batch->kinds[leat_batch_row(batch, i)])) continue;
        return leat_fail(error, LEAT_CORRUPT,
                         "a row is taken away from an aggregate that was planned for inserts only");
    }
    return LEAT_OK;
}

static leat_code check_memory(const leat_aggregate *self, leat_error *error)
{
    int64_t budget = self->operator.context->memory_bytes;
    size_t held = self->state->vtable->bytes(self->state);
    if (budget <= 0 || held <= (size_t)budget) return LEAT_OK;
    leat_code code =
        leat_fail(error, LEAT_LIMIT, "the groups of an aggregate take %zu bytes, more than their share of %lld", held,
                  (long long)budget);
    leat_fail_hint(error, "raise taskmanager.memory.process.size or the parallelism");
    return code;
}

/* Into the groups; what changed of them is said once. */
static leat_code fold_batch(leat_aggregate *self, const leat_batch *batch, leat_progress *progress, leat_error *error)
{
    LEAT_TRY(touch_groups(self, batch->selected, error));
    for (int32_t i = 0; i < batch->selected; i++) {
        int8_t kind = leat_batch_kind(batch, leat_batch_row(batch, i));
        ((leat_aggregate_group *)self->groups[i])->rows += leat_row_kind_is_add(kind) ? 1 : -1;
    }
    for (int32_t i = 0; i < self->config.calls_count; i++)
        LEAT_TRY(update_call(self, i, batch, error));
    LEAT_TRY(self->state->vtable->put_many(self->state, (void *const *)self->touched, self->touched_count, error));
    if (self->operator.context->is_batch) return LEAT_OK;
    LEAT_TRY(take_rows(self, error));
    return emit_changes(self, progress, error);
}

static leat_code aggregate_process(leat_operator *operator, int32_t input, leat_batch **given, leat_progress *progress,
                                   leat_error *error)
{
    (void)input;
    leat_aggregate *self = (leat_aggregate *)operator;
    const leat_batch *batch = *given;
    LEAT_TRY(check_kinds(self, batch, error));
    LEAT_TRY(
        leat_state_keys_encode(&self->keys, batch, self->config.keys, self->key_types, self->config.keys_count, error));
    LEAT_TRY(self->state->vtable->get_many(self->state, &self->keys, true, self->groups, error));
    self->batch_number++;
    self->touched_count = self->touched_next = self->next = 0;
    leat_context_set_gauge(operator->context, "aggregate.groups", self->state->vtable->count(self->state));
    LEAT_TRY(check_memory(self, error));
    if (operator->context->is_batch || self->config.folds_batches) return fold_batch(self, batch, progress, error);
    self->current = *given;
    *given = NULL;
    return leat_aggregate_rows_step(self, progress, error);
}

/* The final pass of a batch job: a row a group. */
static leat_code emit_groups(leat_aggregate *self, leat_progress *progress, leat_error *error)
{
    leat_state_entry entry;
    bool has_more = true;
    while (self->out.rows < LEAT_BATCH_ROWS_MAX &&
           (has_more = self->state->vtable->iterate(self->state, &self->cursor, &entry))) {
        leat_aggregate_group *at = entry.record;
        bool is_there = at->rows > 0 || self->config.keys_count == 0;
        if (is_there) LEAT_TRY(append_group(self, at, LEAT_ROW_INSERT, &self->out, error));
    }
    *progress = has_more ? LEAT_AGAIN : LEAT_DONE;
    return emit_out(self, error);
}

/* A global aggregate over nothing has a row too, in batch. */
static leat_code ensure_global_group(leat_aggregate *self, leat_error *error)
{
    bool is_needed = self->config.keys_count == 0 && self->operator.context->subtask == 0 &&
                                                         self->state->vtable->count(self->state) == 0;
    if (!is_needed) return LEAT_OK;
    leat_batch empty = {.rows = 1, .selected = 1};
    LEAT_TRY(leat_state_keys_encode(&self->keys, &empty, self->config.keys, self->key_types, 0, error));
    return self->state->vtable->get_many(self->state, &self->keys, true, self->groups, error);
}

static leat_code aggregate_end_input(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    leat_aggregate *self = (leat_aggregate *)operator;
    if (!operator->context->is_batch) return LEAT_OK;
    LEAT_TRY(ensure_global_group(self, error));
    self->is_final = true;
    return emit_groups(self, progress, error);
}

static leat_code aggregate_resume(leat_operator *operator, leat_progress * progress, leat_error *error)
{
    leat_aggregate *self = (leat_aggregate *)operator;
    if (self->current) return leat_aggregate_rows_step(self, progress, error);
    return self->is_final ? emit_groups(self, progress, error) : emit_changes(self, progress, error);
}

static bool aggregate_has_room(const leat_operator *operator)
{
    const leat_aggregate *self = (const leat_aggregate *)operator;
    if (!self->part_bytes) return true;
    return self->state->vtable->waiting_bytes(self->state) / self->part_bytes < PARTS_WAITING_MAX;
}

static leat_code aggregate_snapshot_resume(leat_operator *operator, leat_operator_snapshot * snapshot,
                                           leat_progress *progress, leat_error *error)
{
    leat_aggregate *self = (leat_aggregate *)operator;
    *progress = LEAT_AGAIN;
    bool has_waiting = snapshot->part_bytes && snapshot->state.size / snapshot->part_bytes >= PARTS_WAITING;
    if (has_waiting) return LEAT_OK; /* called again when a part is away */
    bool is_whole;
    LEAT_TRY(self->state->vtable->advance(self->state, &snapshot->state, &is_whole, error));
    if (is_whole)
        *progress = LEAT_DONE;
    else
        leat_context_wake(operator->context);
    return LEAT_OK;
}

static leat_code aggregate_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                                    leat_error *error)
{
    leat_aggregate *self = (leat_aggregate *)operator;
    if (!operator->context->has_checkpoints) return LEAT_OK; /* the end of a job: nothing is ever restored */
    self->part_bytes = snapshot->part_bytes;
    snapshot->is_appended = true;
    leat_bytes_put_u8(&snapshot->state, STATE_VERSION);
    LEAT_TRY(self->state->vtable->cut(self->state, &snapshot->state, error));
    leat_context_wake(operator->context);
    *progress = LEAT_AGAIN;
    return LEAT_OK;
}

static void aggregate_close(leat_operator *operator)
{
    leat_aggregate *self = (leat_aggregate *)operator;
    if (self->state) self->state->vtable->close(self->state);
    leat_state_keys_done(&self->keys);
    if (self->before.columns) leat_batch_builder_done(&self->before);
    if (self->out.columns) leat_batch_builder_done(&self->out);
    leat_batch_free(self->old_rows);
    leat_batch_free(self->new_rows);
    leat_free(self->groups);
    leat_free(self->accumulators);
    leat_free(self->rows);
    leat_free(self->signs);
    leat_free(self->touched);
    leat_aggregate_rows_close(self);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable aggregate_vtable = {.type = "aggregate",
                                                      .open = aggregate_open,
                                                      .process_batch = aggregate_process,
                                                      .resume = aggregate_resume,
                                                      .end_input = aggregate_end_input,
                                                      .has_room = aggregate_has_room,
                                                      .snapshot = aggregate_snapshot,
                                                      .snapshot_resume = aggregate_snapshot_resume,
                                                      .close = aggregate_close};

static leat_code aggregate_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                                  leat_operator **out, leat_error *error)
{
    leat_aggregate *self = leat_operator_new(sizeof *self, offsetof(leat_aggregate, arena));
    if (!self) return leat_fail_no_memory(error);
    self->operator=(leat_operator){&aggregate_vtable, context};
    leat_code code = leat_aggregate_config_read(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        aggregate_close(&self->operator);
    return code;
}

const leat_operator_factory leat_aggregate_factory = {"aggregate", aggregate_create};
