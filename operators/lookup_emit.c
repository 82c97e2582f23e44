#include <string.h>

#include "common/memory.h"
#include "operators/lookup_join_state.h"

leat_code leat_lookup_emit_init(leat_lookup_join *self, leat_error *error)
{
    self->groups = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->groups);
    self->is_null_row = leat_alloc(LEAT_BATCH_ROWS_MAX);
    if (!self->groups || !self->is_null_row) return leat_fail_no_memory(error);
    return leat_batch_builder_init(&self->joined, self->needed_layouts, self->needed_count, LEAT_BATCH_ROWS_MAX, error);
}

void leat_lookup_emit_done(leat_lookup_join *self)
{
    if (self->joined.columns) leat_batch_builder_done(&self->joined);
    leat_free(self->groups);
    leat_free(self->is_null_row);
    for (size_t i = self->outputs_next; i < self->outputs_count; i++)
        leat_batch_free(self->outputs[i]);
    leat_free(self->outputs);
}

/* A row of the stream, and of `found` (NULL: NULLs), as the next joined row. */
static leat_code append(leat_lookup_join *self, const leat_batch *stream, int32_t row, const leat_batch *found,
                        int32_t found_row, leat_error *error)
{
    if (leat_batch_builder_is_full(&self->joined)) LEAT_TRY(leat_lookup_emit_flush(self, error));
    int32_t at = self->joined.rows;
    LEAT_TRY(leat_batch_builder_begin_row(&self->joined, (leat_row_kind)leat_batch_kind(stream, row), error));
    for (int32_t i = 0; i < self->needed_stream_count; i++) {
        LEAT_TRY(leat_batch_builder_copy_value(&self->joined, i, &stream->columns[self->needed[i]], row, error));
    }
    int32_t stream_columns = self->config.input.fields_count;
    for (int32_t i = self->needed_stream_count; found && i < self->needed_count; i++) {
        const leat_column *column = &found->columns[self->needed[i] - stream_columns];
        LEAT_TRY(leat_batch_builder_copy_value(&self->joined, i, column, found_row, error));
    }
    self->groups[at] = self->group;
    self->is_null_row[at] = !found;
    return LEAT_OK;
}

leat_code leat_lookup_emit_row(leat_lookup_join *self, const leat_batch *stream, int32_t row, const leat_batch *found,
                               int32_t first, int32_t count, leat_error *error)
{
    /* A group is not split over two batches: its row of NULLs stands for all of it. */
    bool is_whole = self->joined.rows + count + 1 <= LEAT_BATCH_ROWS_MAX;
    if (!is_whole) LEAT_TRY(leat_lookup_emit_flush(self, error));
    if (self->config.is_left && count >= LEAT_BATCH_ROWS_MAX) {
        return leat_fail(error, LEAT_LIMIT, "a key with %d rows in a left join", count);
    }
    self->group++;
    for (int32_t i = 0; i < count; i++)
        LEAT_TRY(append(self, stream, row, found, first + i, error));
    bool may_be_null = self->config.is_left && (count == 0 || self->condition);
    return may_be_null ? append(self, stream, row, NULL, 0, error) : LEAT_OK;
}

static leat_code push(leat_lookup_join *self, leat_batch *batch, leat_error *error)
{
    leat_code code =
        leat_grow(&self->outputs, &self->outputs_capacity, self->outputs_count + 1, sizeof *self->outputs, error);
    if (code != LEAT_OK)
        leat_batch_free(batch);
    else
        self->outputs[self->outputs_count++] = batch;
    return code;
}

/* Rows where the condition holds; of a left join also the row of NULLs of each group without such rows. */
static leat_code select_rows(leat_lookup_join *self, leat_batch *joined, leat_error *error)
{
    if (!self->config.is_left) return leat_program_filter(self->condition, joined, error);
    leat_column holds = {0};
    LEAT_TRY(leat_program_run(self->condition, joined, &holds, error));
    leat_buffer *buffer = leat_buffer_new((size_t)joined->rows * sizeof(uint16_t) + 1);
    if (!buffer) {
        leat_column_clear(&holds);
        return leat_fail_no_memory(error);
    }
    uint16_t *rows = (uint16_t *)(void *)buffer->data;
    int32_t kept = 0, last_group = -1;
    for (int32_t row = 0; row < joined->rows; row++) {
        bool is_true = ((const int8_t *)holds.values)[row] && !leat_column_is_null(&holds, row);
        bool is_kept = self->is_null_row[row] ? last_group != self->groups[row] : is_true;
        if (!is_kept) continue;
        last_group = self->groups[row];
        rows[kept++] = (uint16_t)row;
    }
    leat_column_clear(&holds);
    joined->selection_buffer = buffer;
    joined->selection = rows;
    joined->selected = kept;
    return LEAT_OK;
}

/* The joined batch (columns at their joined places) to the output's columns. Takes *joined. */
static leat_code finish(leat_lookup_join *self, leat_batch *joined, leat_error *error)
{
    leat_code code = self->condition ? select_rows(self, joined, error) : LEAT_OK;
    if (code != LEAT_OK || joined->selected == 0) {
        leat_batch_free(joined);
        return code;
    }
    leat_batch *out = leat_batch_new(self->config.output_count);
    if (!out) code = leat_fail_no_memory(error);
    for (int32_t i = 0; code == LEAT_OK && i < self->config.output_count; i++) {
        code = leat_column_share(&out->columns[i], &joined->columns[self->config.output[i]], error);
    }
    if (code == LEAT_OK) {
        out->rows = joined->rows;
        out->selected = joined->selected;
        out->kinds = joined->kinds;
        out->kinds_buffer = joined->kinds_buffer;
        out->selection = joined->selection;
        out->selection_buffer = joined->selection_buffer;
        joined->kinds_buffer = joined->selection_buffer = NULL;
        joined->kinds = NULL;
        joined->selection = NULL;
        code = push(self, out, error);
        out = NULL;
    }
    leat_batch_free(out);
    leat_batch_free(joined);
    return code;
}

/* Moves columns of `from` (needed columns `first` …) to their joined places. */
static void move_columns(const leat_lookup_join *self, leat_batch *from, int32_t first, leat_batch *joined)
{
    for (int32_t i = 0; i < from->columns_count && first + i < self->needed_count; i++) {
        joined->columns[self->needed[first + i]] = from->columns[i];
        from->columns[i] = (leat_column){0};
    }
}

leat_code leat_lookup_emit_flush(leat_lookup_join *self, leat_error *error)
{
    if (self->joined.rows == 0) return LEAT_OK;
    leat_batch *built = NULL;
    LEAT_TRY(leat_batch_builder_finish(&self->joined, &built, error));
    leat_batch *joined = leat_batch_new(self->joined_count);
    if (!joined) {
        leat_batch_free(built);
        return leat_fail_no_memory(error);
    }
    move_columns(self, built, 0, joined);
    joined->rows = joined->selected = built->rows;
    joined->kinds = built->kinds;
    joined->kinds_buffer = built->kinds_buffer;
    built->kinds = NULL;
    built->kinds_buffer = NULL;
    leat_batch_free(built);
    return finish(self, joined, error);
}

static bool is_identity(const leat_batch *stream, const uint16_t *rows, int32_t count)
{
    if (count != stream->rows) return false;
    for (int32_t i = 0; i < count; i++) {
        if (rows[i] != i) return false;
    }
    return true;
}

/* The needed stream columns of these rows: shared when all rows are meant, else gathered. */
static leat_code take_stream(const leat_lookup_join *self, const leat_batch *stream, const uint16_t *rows,
                             int32_t count, leat_batch **out, leat_error *error)
{
    leat_batch *view = leat_batch_new(self->needed_stream_count);
    if (!view) return leat_fail_no_memory(error);
    leat_code code = LEAT_OK;
    for (int32_t i = 0; code == LEAT_OK && i < self->needed_stream_count; i++) {
        code = leat_column_share(&view->columns[i], &stream->columns[self->needed[i]], error);
    }
    view->rows = view->selected = stream->rows;
    view->kinds = stream->kinds;
    if (stream->kinds_buffer) view->kinds_buffer = leat_buffer_ref(stream->kinds_buffer);
    if (code == LEAT_OK && is_identity(stream, rows, count)) {
        *out = view;
        return LEAT_OK;
    }
    leat_batch_builder builder = {0};
    if (code == LEAT_OK) {
        code = leat_batch_builder_init(&builder, self->needed_layouts, self->needed_stream_count, count, error);
    }
    if (code == LEAT_OK) code = leat_batch_builder_append_rows(&builder, view, rows, count, error);
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, out, error);
    if (builder.columns) leat_batch_builder_done(&builder);
    leat_batch_free(view);
    return code;
}

leat_code leat_lookup_emit_all(leat_lookup_join *self, const leat_batch *stream, const uint16_t *rows, int32_t count,
                               leat_batch *found, leat_error *error)
{
    if (count == 0) return LEAT_OK;
    leat_batch *left = NULL;
    LEAT_TRY(take_stream(self, stream, rows, count, &left, error));
    leat_batch *joined = leat_batch_new(self->joined_count);
    leat_code code = joined ? LEAT_OK : leat_fail_no_memory(error);
    int32_t stream_columns = self->config.input.fields_count;
    for (int32_t i = self->needed_stream_count; code == LEAT_OK && i < self->needed_count; i++) {
        code = leat_column_share(&joined->columns[self->needed[i]], &found->columns[self->needed[i] - stream_columns],
                                 error);
    }
    if (code != LEAT_OK) {
        leat_batch_free(joined);
        leat_batch_free(left);
        return code;
    }
    for (int32_t i = 0; i < self->needed_stream_count; i++) {
        joined->columns[self->needed[i]] = left->columns[i];
        left->columns[i] = (leat_column){0};
    }
    joined->rows = joined->selected = count;
    joined->kinds = left->kinds;
    joined->kinds_buffer = left->kinds_buffer;
    left->kinds = NULL;
    left->kinds_buffer = NULL;
    leat_batch_free(left);
    return finish(self, joined, error);
}
