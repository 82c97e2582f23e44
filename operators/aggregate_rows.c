/* A change a row. A slice of n input rows becomes a batch of 2n rows: row 2i is the group's row before input row i, row
 * 2i + 1 the one after it, filled a call at a time. The selection says which of them are changes, so that nothing moves
 * once it is computed. n is at most half a batch: a step's output always fits. */
#include <math.h>
#include <string.h>

#include "common/memory.h"
#include "operators/aggregate_state.h"

enum { SLICE_ROWS = LEAT_BATCH_ROWS_MAX / 2 };

/* What a row does to its group: whether the downstream knows it before and after, and whether it leaves it empty. */
enum { STEP_WAS_OUT = 1, STEP_IS_OUT = 2, STEP_EMPTIED = 4 };

leat_code leat_aggregate_rows_open(leat_aggregate *self, leat_error *error)
{
    self->steps = leat_alloc(SLICE_ROWS);
    self->changed = leat_alloc(SLICE_ROWS);
    self->deltas = leat_alloc(SLICE_ROWS);
    self->key_columns = leat_alloc((size_t)(self->config.keys_count + 1) * sizeof *self->key_columns);
    bool is_whole = self->steps && self->changed && self->deltas && self->key_columns;
    return is_whole ? LEAT_OK : leat_fail_no_memory(error);
}

void leat_aggregate_rows_close(leat_aggregate *self)
{
    leat_batch_free(self->current);
    leat_free(self->steps);
    leat_free(self->changed);
    leat_free(self->deltas);
    leat_free(self->key_columns);
}

/* Counts the slice's rows in their groups. */
static void step_groups(leat_aggregate *self, int32_t count)
{
    const leat_batch *batch = self->current;
    for (int32_t i = 0; i < count; i++) {
        leat_aggregate_group *at = self->groups[self->next + i];
        int32_t row = leat_batch_row(batch, self->next + i);
        self->rows[i] = (uint16_t)row;
        self->signs[i] = leat_row_kind_is_add(leat_batch_kind(batch, row)) ? 1 : -1;
        bool was_out = at->is_out;
        at->rows += self->signs[i];
        at->is_out = at->rows > 0;
        self->steps[i] = (uint8_t)((was_out ? STEP_WAS_OUT : 0) | (at->is_out ? STEP_IS_OUT : 0) |
                                   (at->rows == 0 ? STEP_EMPTIED : 0));
        if (at->touched == self->batch_number) continue;
        at->touched = self->batch_number;
        self->touched[self->touched_count++] = at;
    }
}

/* 2 · count rows of NULLs in an empty column. */
static leat_code begin_column(leat_column_builder *column, int32_t count, leat_error *error)
{
    size_t bytes = (size_t)count * 2 * leat_layout_bytes(column->layout), bits = ((size_t)count * 2 + 7) / 8;
    column->values = leat_buffer_new(bytes);
    column->validity = leat_buffer_new(bits);
    if (!column->values || !column->validity) return leat_fail_no_memory(error);
    memset(column->values->data, 0, bytes);
    memset(column->validity->data, 0, bits);
    return LEAT_OK;
}

/* What each row brings to the call: ±1, or 0 where the filter or a NULL leaves it out. */
static void find_deltas(leat_aggregate *self, const leat_accumulator_kind *kind, const leat_column *column,
                        int32_t count)
{
    const leat_column *filter = kind->call.filter >= 0 ? &self->current->columns[kind->call.filter] : NULL;
    memcpy(self->deltas, self->signs, (size_t)count);
    for (int32_t i = 0; filter && i < count; i++) {
        int32_t row = self->rows[i];
        bool is_in = !leat_column_is_null(filter, row) && ((const int8_t *)filter->values)[row];
        if (!is_in) self->deltas[i] = 0;
    }
    for (int32_t i = 0; column && column->validity && i < count; i++)
        if (leat_column_is_null(column, self->rows[i])) self->deltas[i] = 0;
}

static leat_accumulator *accumulator_of(const leat_aggregate *self, int32_t call, int32_t i)
{
    return &((leat_aggregate_group *)self->groups[self->next + i])->accumulators[call];
}

static void image_count(leat_aggregate *self, int32_t call, leat_column_builder *out, int32_t count)
{
    int64_t *values = (int64_t *)(void *)out->values->data;
    for (int32_t i = 0; i < count; i++) {
        leat_accumulator *at = accumulator_of(self, call, i);
        values[2 * i] = at->count;
        at->count += self->deltas[i];
        values[2 * i + 1] = at->count;
        self->changed[i] |= self->deltas[i] != 0;
        if (self->steps[i] & STEP_EMPTIED) at->count = 0;
    }
    leat_buffer_unref(out->validity);
    out->validity = NULL;
}

/* SUM of integers, which wrap: a load, an add and two stores a row. */
#define IMAGE_SUM(ctype)                                                                                               \
    {                                                                                                                  \
        const ctype *given = column->values;                                                                           \
        ctype *values = (ctype *)(void *)out->values->data;                                                            \
        for (int32_t i = 0; i < count; i++) {                                                                          \
            leat_accumulator *at = accumulator_of(self, call, i);                                                      \
            int32_t delta = self->deltas[i];                                                                           \
            if (at->count != 0) leat_bit_set(out->validity->data, 2 * i);                                              \
            values[2 * i] = (ctype)at->value.i64;                                                                      \
            bool was_null = at->count == 0;                                                                            \
            at->count += delta;                                                                                        \
            at->value.i64 = (int64_t)((uint64_t)at->value.i64 +                                                        \
                                      (delta ? (uint64_t)delta * (uint64_t)(int64_t)given[self->rows[i]] : 0));        \
            if (at->count == 0) at->value.i64 = 0;                                                                     \
            if (at->count != 0) leat_bit_set(out->validity->data, 2 * i + 1);                                          \
            values[2 * i + 1] = (ctype)at->value.i64;                                                                  \
            self->changed[i] |= values[2 * i] != values[2 * i + 1] || was_null != (at->count == 0);                    \
            if (self->steps[i] & STEP_EMPTIED) *at = (leat_accumulator){0};                                            \
        }                                                                                                              \
        return true;                                                                                                   \
    }

static bool image_sum(leat_aggregate *self, int32_t call, const leat_column *column, leat_column_builder *out,
                      int32_t count)
{
    const leat_accumulator_kind *kind = &self->kinds[call];
    if (kind->keeps_set || kind->call.function != LEAT_AGGREGATE_SUM) return false;
    switch (kind->argument.kind) {
    case LEAT_TYPE_TINYINT: IMAGE_SUM(int8_t)
    case LEAT_TYPE_SMALLINT: IMAGE_SUM(int16_t)
    case LEAT_TYPE_INT: IMAGE_SUM(int32_t)
    case LEAT_TYPE_BIGINT: IMAGE_SUM(int64_t)
    default: return false;
    }
}

static bool is_same_image(const leat_column_builder *out, int32_t before)
{
    bool was = leat_bit_get(out->validity->data, before), is = leat_bit_get(out->validity->data, before + 1);
    if (!was || !is) return was == is;
    if (out->layout != LEAT_LAYOUT_VIEW) {
        size_t width = leat_layout_bytes(out->layout);
        const uint8_t *at = out->values->data + (size_t)before * width;
        return memcmp(at, at + width, width) == 0;
    }
    const leat_view *old = (const leat_view *)(const void *)out->values->data + before, *new = old + 1;
    if (old->length != new->length) return false;
    if (old->length <= LEAT_VIEW_INLINE_MAX) return memcmp(old, new, sizeof *old) == 0;
    return memcmp(out->heap->data + old->offset, out->heap->data + new->offset, (size_t)old->length) == 0;
}

/* Any call, through its accumulator. Images that nobody will see are left NULL. */
static leat_code image_any(leat_aggregate *self, int32_t call, const leat_column *column, int32_t count,
                           leat_error *error)
{
    const leat_accumulator_kind *kind = &self->kinds[call];
    int32_t at = self->config.keys_count + call;
    leat_batch_builder *out = &self->out;
    for (int32_t i = 0; i < count; i++) {
        leat_accumulator *accumulator = accumulator_of(self, call, i);
        out->rows = 2 * i + 1; /* the accumulator writes into the newest row */
        if (self->steps[i] & STEP_WAS_OUT) LEAT_TRY(leat_accumulator_set(kind, accumulator, out, at, error));
        if (self->deltas[i])
            LEAT_TRY(leat_accumulate(kind, column, &self->rows[i], &self->deltas[i], 1, &accumulator, error));
        out->rows = 2 * i + 2;
        if (self->steps[i] & STEP_IS_OUT) LEAT_TRY(leat_accumulator_set(kind, accumulator, out, at, error));
        self->changed[i] |= self->deltas[i] && !is_same_image(&out->columns[at], 2 * i);
        if (self->steps[i] & STEP_EMPTIED) leat_accumulator_clear(kind, accumulator);
    }
    return LEAT_OK;
}

static leat_code image_call(leat_aggregate *self, int32_t call, int32_t count, leat_error *error)
{
    const leat_accumulator_kind *kind = &self->kinds[call];
    leat_column_builder *out = &self->out.columns[self->config.keys_count + call];
    bool is_star = kind->call.function == LEAT_AGGREGATE_COUNT_STAR;
    const leat_column *column = is_star ? NULL : &self->current->columns[kind->call.column];
    LEAT_TRY(begin_column(out, count, error));
    find_deltas(self, kind, column, count);
    bool only_counts = is_star || (kind->call.function == LEAT_AGGREGATE_COUNT && !kind->keeps_set);
    if (only_counts)
        image_count(self, call, out, count);
    else if (!image_sum(self, call, column, out, count))
        return image_any(self, call, column, count, error);
    return LEAT_OK;
}

/* Row kinds and which rows are changes. *selected: how many. */
static leat_code select_changes(const leat_aggregate *self, int32_t count, leat_buffer **kinds_out,
                                leat_buffer **selection_out, int32_t *selected, leat_error *error)
{
    leat_buffer *kinds = *kinds_out = leat_buffer_new((size_t)count * 2);
    leat_buffer *selection = *selection_out = leat_buffer_new((size_t)count * 2 * sizeof(uint16_t));
    if (!kinds || !selection) return leat_fail_no_memory(error);
    bool retracts = self->config.output == LEAT_AGGREGATE_RETRACT;
    uint16_t *chosen = (uint16_t *)(void *)selection->data;
    int32_t n = 0;
    for (int32_t i = 0; i < count; i++) {
        bool was_out = self->steps[i] & STEP_WAS_OUT, is_out = self->steps[i] & STEP_IS_OUT;
        kinds->data[2 * i] = is_out ? LEAT_ROW_UPDATE_BEFORE : LEAT_ROW_DELETE;
        kinds->data[2 * i + 1] = was_out ? LEAT_ROW_UPDATE_AFTER : LEAT_ROW_INSERT;
        bool is_update = was_out && is_out && self->changed[i];
        chosen[n] = (uint16_t)(2 * i);
        n += (was_out && !is_out) || (is_update && retracts);
        chosen[n] = (uint16_t)(2 * i + 1);
        n += (!was_out && is_out) || is_update;
    }
    *selected = n;
    return LEAT_OK;
}

/* −0.0 and NaNs of a group are one key: all its changes must show it alike. */
static void normalise_key(const leat_type *type, leat_column_builder *column, int32_t rows)
{
    if (type->kind == LEAT_TYPE_FLOAT) {
        float *values = (float *)(void *)column->values->data;
        for (int32_t i = 0; i < rows; i++)
            values[i] = isnan(values[i]) ? NAN : values[i] + 0.0f;
    } else if (type->kind == LEAT_TYPE_DOUBLE) {
        double *values = (double *)(void *)column->values->data;
        for (int32_t i = 0; i < rows; i++)
            values[i] = isnan(values[i]) ? (double)NAN : values[i] + 0.0;
    }
}

/* The keys are those of the input rows, each twice. */
static leat_code gather_keys(leat_aggregate *self, int32_t count, leat_error *error)
{
    leat_batch_builder keys = self->out; /* its first columns: the array is shared */
    keys.columns_count = self->config.keys_count;
    keys.rows = 0;
    for (int32_t k = 0; k < self->config.keys_count; k++)
        self->key_columns[k] = self->current->columns[self->config.keys[k]];
    leat_batch from = {.rows = self->current->rows, .columns_count = keys.columns_count, .columns = self->key_columns};
    for (int32_t i = count - 1; i >= 0; i--)
        self->rows[2 * i] = self->rows[2 * i + 1] = self->rows[i];
    LEAT_TRY(leat_batch_builder_append_rows(&keys, &from, self->rows, 2 * count, error));
    for (int32_t k = 0; k < self->config.keys_count; k++)
        normalise_key(&self->key_types[k], &self->out.columns[k], 2 * count);
    return LEAT_OK;
}

/* Takes kinds and selection. Nothing is emitted if no row changed its group's. */
static leat_code emit_slice(leat_aggregate *self, int32_t count, leat_buffer *kinds, leat_buffer *selection,
                            int32_t selected, leat_error *error)
{
    leat_batch *batch = NULL;
    leat_code code = gather_keys(self, count, error);
    self->out.rows = 2 * count;
    if (code == LEAT_OK) code = leat_batch_builder_finish(&self->out, &batch, error);
    if (code != LEAT_OK) {
        leat_buffer_unref(kinds);
        leat_buffer_unref(selection);
        return code;
    }
    batch->kinds_buffer = kinds;
    batch->kinds = (const int8_t *)kinds->data;
    batch->selection_buffer = selection;
    batch->selection = (const uint16_t *)(const void *)selection->data;
    batch->selected = selected;
    if (selected > 0) code = leat_context_emit(self->operator.context, &batch, error);
    leat_batch_free(batch);
    return code;
}

/* The batch is done: groups that it left empty go, which may not be while rows of it still point at them. */
static leat_code finish_batch(leat_aggregate *self, leat_error *error)
{
    LEAT_TRY(self->state->vtable->put_many(self->state, (void *const *)self->touched, self->touched_count, error));
    for (int32_t i = 0; i < self->touched_count; i++) {
        if (self->touched[i]->rows == 0) LEAT_TRY(self->state->vtable->remove(self->state, self->touched[i], error));
    }
    self->touched_count = 0;
    leat_batch_free(self->current);
    self->current = NULL;
    return LEAT_OK;
}

leat_code leat_aggregate_rows_step(leat_aggregate *self, leat_progress *progress, leat_error *error)
{
    int32_t left = self->current->selected - self->next, count = left < SLICE_ROWS ? left : SLICE_ROWS, selected = 0;
    leat_buffer *kinds = NULL, *selection = NULL;
    self->out.capacity_rows = 2 * count;
    memset(self->changed, 0, (size_t)count);
    step_groups(self, count);
    for (int32_t i = 0; i < self->config.calls_count; i++)
        LEAT_TRY(image_call(self, i, count, error));
    leat_code code = select_changes(self, count, &kinds, &selection, &selected, error);
    if (code != LEAT_OK) {
        leat_buffer_unref(kinds);
        leat_buffer_unref(selection);
        return code;
    }
    LEAT_TRY(emit_slice(self, count, kinds, selection, selected, error));
    self->next += count;
    *progress = self->next < self->current->selected ? LEAT_AGAIN : LEAT_DONE;
    return *progress == LEAT_DONE ? finish_batch(self, error) : LEAT_OK;
}
