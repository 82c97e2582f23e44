#include "paimon/pk/state.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/pk/merge_function.h"

enum { ROWS_MIN = 64, HEAP_BYTES_MIN = 16 * 1024, HEAP_BYTES_MAX = 1024 * 1024 };

leat_code leat_pk_state_init(leat_pk_state *state, const leat_pk_options *options, const int32_t *columns,
                             int32_t columns_count, leat_error *error)
{
    if (!columns) columns_count = options->schema.fields_count;
    *state = (leat_pk_state){.engine = options->engine,
                             .remove_record_on_delete = options->remove_record_on_delete,
                             .ignore_delete = options->ignore_delete};
    state->columns = leat_calloc((size_t)columns_count, sizeof *state->columns);
    if (!state->columns) return leat_fail_no_memory(error);
    state->columns_count = columns_count;
    for (int32_t i = 0; i < columns_count; i++) {
        int32_t from = columns ? columns[i] : i;
        leat_pk_column *column = &state->columns[i];
        column->type = options->schema.fields[from].type;
        column->function = options->functions[from];
        column->ignore_retract = options->ignore_retract[from];
        column->column.layout = leat_type_layout(&column->type);
    }
    return LEAT_OK;
}

static void clear_heaps(leat_pk_column *column)
{
    for (int32_t i = 0; i < column->column.heaps_count; i++)
        leat_buffer_unref(column->column.heaps[i]);
    column->column.heaps_count = 0;
    column->heap_used = 0;
}

void leat_pk_state_done(leat_pk_state *state)
{
    for (int32_t i = 0; state->columns && i < state->columns_count; i++) {
        leat_pk_column *column = &state->columns[i];
        clear_heaps(column);
        leat_free(column->column.heaps);
        leat_buffer_unref(column->column.values_buffer);
        leat_buffer_unref(column->column.validity_buffer);
    }
    leat_free(state->columns);
    leat_free(state->kinds);
    leat_free(state->records);
    leat_free(state->sequences);
    *state = (leat_pk_state){0};
}

void leat_pk_state_reset(leat_pk_state *state)
{
    for (int32_t i = 0; i < state->columns_count && state->capacity; i++) {
        leat_pk_column *column = &state->columns[i];
        clear_heaps(column);
        memset(column->column.values_buffer->data, 0, (size_t)state->rows * leat_layout_bytes(column->column.layout));
        memset(column->column.validity_buffer->data, 0, ((size_t)state->rows + 7) / 8);
    }
    if (state->records) memset(state->records, 0, (size_t)state->rows);
    state->rows = state->lone_retracts = 0;
    state->heap_bytes = 0;
}

size_t leat_pk_state_bytes(const leat_pk_state *state)
{
    size_t row_bytes = sizeof *state->kinds + sizeof *state->records + sizeof *state->sequences;
    for (int32_t i = 0; i < state->columns_count; i++) {
        row_bytes += leat_layout_bytes(state->columns[i].column.layout) + 1;
    }
    return row_bytes * (size_t)state->capacity + state->heap_bytes;
}

static leat_code grow_buffer(leat_buffer **buffer, size_t used_bytes, size_t bytes, leat_error *error)
{
    leat_buffer *grown = leat_buffer_new(bytes);
    if (!grown) return leat_fail_no_memory(error);
    if (used_bytes) memcpy(grown->data, (*buffer)->data, used_bytes);
    memset(grown->data + used_bytes, 0, bytes - used_bytes);
    leat_buffer_unref(*buffer);
    *buffer = grown;
    return LEAT_OK;
}

static leat_code grow_array(void *array_pointer, size_t used_bytes, size_t bytes, leat_error *error)
{
    void **array = array_pointer;
    uint8_t *grown = leat_realloc(*array, bytes);
    if (!grown) return leat_fail_no_memory(error);
    memset(grown + used_bytes, 0, bytes - used_bytes);
    *array = grown;
    return LEAT_OK;
}

leat_code leat_pk_state_reserve(leat_pk_state *state, int32_t rows, leat_error *error)
{
    if (rows <= state->capacity) return LEAT_OK;
    if (rows > INT32_MAX / 4) return leat_fail(error, LEAT_LIMIT, "more than %d keys in a write buffer", INT32_MAX / 4);
    int32_t capacity = state->capacity ? state->capacity : ROWS_MIN;
    while (capacity < rows)
        capacity *= 2;
    size_t old_rows = (size_t)state->capacity, new_rows = (size_t)capacity;
    for (int32_t i = 0; i < state->columns_count; i++) {
        leat_column *column = &state->columns[i].column;
        size_t width = leat_layout_bytes(column->layout);
        LEAT_TRY(grow_buffer(&column->values_buffer, old_rows * width, new_rows * width, error));
        column->values = column->values_buffer->data;
        LEAT_TRY(grow_buffer(&column->validity_buffer, old_rows / 8, new_rows / 8, error));
        column->validity = column->validity_buffer->data;
    }
    LEAT_TRY(grow_array(&state->kinds, old_rows, new_rows, error));
    LEAT_TRY(grow_array(&state->records, old_rows, new_rows, error));
    LEAT_TRY(grow_array(&state->sequences, old_rows * sizeof(int64_t), new_rows * sizeof(int64_t), error));
    state->capacity = capacity;
    return LEAT_OK;
}

static leat_code add_heap(leat_pk_state *state, leat_pk_column *column, size_t length, leat_error *error)
{
    if (column->column.heaps_count == column->heaps_capacity) {
        int32_t capacity = column->heaps_capacity ? column->heaps_capacity * 2 : 4;
        leat_buffer **grown = leat_realloc(column->column.heaps, (size_t)capacity * sizeof *grown);
        if (!grown) return leat_fail_no_memory(error);
        column->column.heaps = grown;
        column->heaps_capacity = capacity;
    }
    size_t bytes = HEAP_BYTES_MIN;
    if (column->column.heaps_count) {
        size_t last = column->column.heaps[column->column.heaps_count - 1]->size_bytes;
        bytes = last * 2 < HEAP_BYTES_MAX ? last * 2 : HEAP_BYTES_MAX;
    }
    if (bytes < length) bytes = length;
    leat_buffer *heap = leat_buffer_new(bytes);
    if (!heap) return leat_fail_no_memory(error);
    column->column.heaps[column->column.heaps_count++] = heap;
    column->heap_used = 0;
    state->heap_bytes += bytes;
    return LEAT_OK;
}

leat_code leat_pk_state_set_view(leat_pk_state *state, leat_pk_column *column, int32_t target, const leat_column *from,
                                 int32_t row, leat_error *error)
{
    const leat_view *source = (const leat_view *)from->values + row;
    leat_view *view = (leat_view *)column->column.values_buffer->data + target;
    if (source->length <= LEAT_VIEW_INLINE_MAX) {
        *view = *source;
        return LEAT_OK;
    }
    const char *data = leat_view_data(from, source);
    size_t length = (size_t)source->length;
    int32_t heaps = column->column.heaps_count;
    /* The same long string again, as in most updates, takes no more room. */
    if (view->length == source->length && memcmp(leat_view_data(&column->column, view), data, length) == 0)
        return LEAT_OK;
    if (heaps == 0 || column->column.heaps[heaps - 1]->size_bytes - column->heap_used < length) {
        LEAT_TRY(add_heap(state, column, length, error));
        heaps = column->column.heaps_count;
    }
    leat_buffer *heap = column->column.heaps[heaps - 1];
    memcpy(heap->data + column->heap_used, data, length);
    *view = (leat_view){.length = source->length};
    memcpy(view->prefix, data, sizeof view->prefix);
    view->heap = heaps - 1;
    view->offset = (int32_t)column->heap_used;
    column->heap_used += length;
    return LEAT_OK;
}

static leat_code gather_column(const leat_pk_column *from, const uint32_t *order, int32_t count, leat_column *to,
                               leat_error *error)
{
    size_t width = leat_layout_bytes(from->column.layout);
    to->layout = from->column.layout;
    to->values_buffer = leat_buffer_new((size_t)count * width);
    leat_buffer *validity = leat_buffer_new(((size_t)count + 7) / 8);
    to->validity_buffer = validity;
    if (!to->values_buffer || !validity) return leat_fail_no_memory(error);
    memset(validity->data, 0, ((size_t)count + 7) / 8);
    uint8_t *values = to->values_buffer->data;
    const uint8_t *source = from->column.values;
    int32_t valid = 0;
    for (int32_t i = 0; i < count; i++) {
        memcpy(values + (size_t)i * width, source + (size_t)order[i] * width, width);
        if (leat_bit_get(from->column.validity, (int32_t)order[i])) {
            leat_bit_set(validity->data, i);
            valid++;
        }
    }
    to->values = values;
    to->validity = validity->data;
    if (valid == count) {
        leat_buffer_unref(validity);
        to->validity_buffer = NULL;
        to->validity = NULL;
    }
    if (from->column.heaps_count == 0) return LEAT_OK;
    to->heaps = leat_alloc((size_t)from->column.heaps_count * sizeof *to->heaps);
    if (!to->heaps) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < from->column.heaps_count; i++)
        to->heaps[i] = leat_buffer_ref(from->column.heaps[i]);
    to->heaps_count = from->column.heaps_count;
    return LEAT_OK;
}

static leat_code gather_system(const leat_pk_state *state, const uint32_t *order, int32_t count, leat_batch *batch,
                               leat_error *error)
{
    leat_column *sequence = &batch->columns[state->columns_count];
    sequence->layout = LEAT_LAYOUT_64;
    sequence->values_buffer = leat_buffer_new((size_t)count * sizeof(int64_t));
    batch->kinds_buffer = leat_buffer_new((size_t)count);
    if (!sequence->values_buffer || !batch->kinds_buffer) return leat_fail_no_memory(error);
    int64_t *sequences = (int64_t *)(void *)sequence->values_buffer->data;
    int8_t *kinds = (int8_t *)batch->kinds_buffer->data;
    for (int32_t i = 0; i < count; i++) {
        sequences[i] = state->sequences[order[i]];
        kinds[i] = state->kinds[order[i]];
    }
    sequence->values = sequences;
    batch->kinds = kinds;
    return LEAT_OK;
}

leat_code leat_pk_state_gather(const leat_pk_state *state, const uint32_t *order, int32_t count, leat_batch **out,
                               leat_error *error)
{
    leat_batch *batch = leat_batch_new(state->columns_count + 1);
    if (!batch) return leat_fail_no_memory(error);
    batch->rows = batch->selected = count;
    leat_code code = LEAT_OK;
    for (int32_t i = 0; i < state->columns_count && code == LEAT_OK; i++) {
        code = gather_column(&state->columns[i], order, count, &batch->columns[i], error);
    }
    if (code == LEAT_OK) code = gather_system(state, order, count, batch, error);
    if (code != LEAT_OK) {
        leat_batch_free(batch);
        return code;
    }
    *out = batch;
    return LEAT_OK;
}
