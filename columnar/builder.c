#include <string.h>

#include "columnar/batch.h"
#include "common/memory.h"

leat_code leat_batch_builder_init(leat_batch_builder *builder, const leat_layout *layouts, int32_t columns_count,
                                  int32_t capacity_rows, leat_error *error)
{
    *builder = (leat_batch_builder){.columns_count = columns_count, .capacity_rows = capacity_rows};
    builder->columns = leat_calloc((size_t)columns_count, sizeof *builder->columns);
    if (!builder->columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < columns_count; i++) {
        builder->columns[i].layout = layouts[i];
    }
    return LEAT_OK;
}

leat_code leat_batch_builder_init_schema(leat_batch_builder *builder, const leat_schema *schema, int32_t capacity_rows,
                                         leat_error *error)
{
    *builder = (leat_batch_builder){.columns_count = schema->fields_count, .capacity_rows = capacity_rows};
    builder->columns = leat_calloc((size_t)schema->fields_count, sizeof *builder->columns);
    if (!builder->columns) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < schema->fields_count; i++) {
        builder->columns[i].layout = leat_type_layout(&schema->fields[i].type);
    }
    return LEAT_OK;
}

static void clear_column(leat_column_builder *column)
{
    leat_buffer_unref(column->values);
    leat_buffer_unref(column->validity);
    leat_buffer_unref(column->heap);
    *column = (leat_column_builder){.layout = column->layout};
}

void leat_batch_builder_done(leat_batch_builder *builder)
{
    for (int32_t i = 0; builder->columns && i < builder->columns_count; i++) {
        clear_column(&builder->columns[i]);
    }
    leat_free(builder->columns);
    leat_buffer_unref(builder->kinds);
    *builder = (leat_batch_builder){0};
}

size_t leat_batch_builder_bytes(const leat_batch_builder *builder)
{
    size_t bytes = 0;
    for (int32_t i = 0; i < builder->columns_count; i++) {
        bytes += (size_t)builder->rows * leat_layout_bytes(builder->columns[i].layout) + builder->columns[i].heap_used;
    }
    return bytes;
}

static leat_code ensure_values(leat_batch_builder *builder, leat_column_builder *column, leat_error *error)
{
    if (column->values) return LEAT_OK;
    column->values = leat_buffer_new((size_t)builder->capacity_rows * leat_layout_bytes(column->layout));
    return column->values ? LEAT_OK : leat_fail_no_memory(error);
}

static size_t bitmap_bytes(int32_t rows)
{
    return ((size_t)rows + 7) / 8;
}

/* From the first NULL on a column has a validity bitmap; bits of earlier rows, and of rows to come, are 1. */
static leat_code ensure_validity(leat_batch_builder *builder, leat_column_builder *column, leat_error *error)
{
    if (column->validity) return LEAT_OK;
    column->validity = leat_buffer_new(bitmap_bytes(builder->capacity_rows));
    if (!column->validity) return leat_fail_no_memory(error);
    memset(column->validity->data, 0xff, bitmap_bytes(builder->capacity_rows));
    return LEAT_OK;
}

static leat_code ensure_kinds(leat_batch_builder *builder, leat_error *error)
{
    if (builder->kinds) return LEAT_OK;
    builder->kinds = leat_buffer_new((size_t)builder->capacity_rows);
    if (!builder->kinds) return leat_fail_no_memory(error);
    memset(builder->kinds->data, LEAT_ROW_INSERT, (size_t)builder->capacity_rows);
    return LEAT_OK;
}

leat_code leat_batch_builder_finish(leat_batch_builder *builder, leat_batch **out, leat_error *error)
{
    leat_batch *batch = leat_batch_new(builder->columns_count);
    if (!batch) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < builder->columns_count; i++) {
        leat_column_builder *from = &builder->columns[i];
        leat_column *to = &batch->columns[i];
        to->layout = from->layout;
        if (from->heap) {
            to->heaps = leat_alloc(sizeof *to->heaps);
            if (!to->heaps) {
                leat_batch_free(batch);
                return leat_fail_no_memory(error);
            }
            to->heaps[0] = from->heap;
            to->heaps_count = 1;
            from->heap->size_bytes = from->heap_used; /* what budgets should count */
        }
        to->values_buffer = from->values;
        to->values = from->values ? from->values->data : NULL;
        to->validity_buffer = from->validity;
        to->validity = from->validity ? from->validity->data : NULL;
        *from = (leat_column_builder){.layout = from->layout};
    }
    batch->kinds_buffer = builder->kinds;
    batch->kinds = builder->kinds ? (const int8_t *)builder->kinds->data : NULL;
    batch->rows = batch->selected = builder->rows;
    builder->kinds = NULL;
    builder->rows = 0;
    *out = batch;
    return LEAT_OK;
}

/* One loop a width; the compiler turns the fixed-size memcpy into a load and a store. */
#define GATHER(width)                                                                                                  \
    for (int32_t i = 0; i < count; i++) {                                                                              \
        memcpy(to + (size_t)i * (width), from + (size_t)rows[i] * (width), width);                                     \
    }

static void gather_fixed(uint8_t *restrict to, const uint8_t *restrict from, const uint16_t *restrict rows,
                         int32_t count, leat_layout layout)
{
    switch (layout) {
    case LEAT_LAYOUT_8: GATHER(1) break;
    case LEAT_LAYOUT_16: GATHER(2) break;
    case LEAT_LAYOUT_32: GATHER(4) break;
    case LEAT_LAYOUT_64: GATHER(8) break;
    case LEAT_LAYOUT_128:
    case LEAT_LAYOUT_VIEW: GATHER(16) break;
    }
}

static leat_code gather_views(leat_column_builder *column, leat_view *to, const leat_column *from, const uint16_t *rows,
                              int32_t count, leat_error *error)
{
    const leat_view *views = from->values;
    for (int32_t i = 0; i < count; i++) {
        const leat_view *view = &views[rows[i]];
        if (view->length <= LEAT_VIEW_INLINE_MAX) {
            to[i] = *view;
        } else {
            LEAT_TRY(leat_view_make(&to[i], leat_view_data(from, view), (size_t)view->length, &column->heap,
                                    &column->heap_used, error));
        }
    }
    return LEAT_OK;
}

leat_code leat_batch_builder_append_rows(leat_batch_builder *builder, const leat_batch *batch, const uint16_t *rows,
                                         int32_t count, leat_error *error)
{
    LEAT_ASSERT(count <= builder->capacity_rows - builder->rows);
    if (count == 0) return LEAT_OK;
    for (int32_t c = 0; c < builder->columns_count; c++) {
        leat_column_builder *column = &builder->columns[c];
        const leat_column *from = &batch->columns[c];
        LEAT_TRY(ensure_values(builder, column, error));
        uint8_t *to = column->values->data + (size_t)builder->rows * leat_layout_bytes(column->layout);
        if (column->layout == LEAT_LAYOUT_VIEW && from->heaps_count) {
            LEAT_TRY(gather_views(column, (leat_view *)(void *)to, from, rows, count, error));
        } else {
            gather_fixed(to, from->values, rows, count, column->layout);
        }
        if (from->validity) {
            LEAT_TRY(ensure_validity(builder, column, error));
            for (int32_t i = 0; i < count; i++) {
                if (!leat_bit_get(from->validity, rows[i])) leat_bit_clear(column->validity->data, builder->rows + i);
            }
        }
    }
    if (batch->kinds) {
        LEAT_TRY(ensure_kinds(builder, error));
        for (int32_t i = 0; i < count; i++) {
            builder->kinds->data[builder->rows + i] = (uint8_t)batch->kinds[rows[i]];
        }
    }
    builder->rows += count;
    return LEAT_OK;
}

#define GATHER_FAR(width)                                                                                              \
    for (int32_t i = 0; i < count; i++) {                                                                              \
        const uint8_t *from = batches[i]->columns[c].values;                                                           \
        memcpy(to + (size_t)i * (width), from + (size_t)rows[i] * (width), width);                                     \
    }

static void gather_far(uint8_t *restrict to, const leat_batch *const *batches, int32_t c, const int32_t *rows,
                       int32_t count, leat_layout layout)
{
    switch (layout) {
    case LEAT_LAYOUT_8: GATHER_FAR(1) break;
    case LEAT_LAYOUT_16: GATHER_FAR(2) break;
    case LEAT_LAYOUT_32: GATHER_FAR(4) break;
    case LEAT_LAYOUT_64: GATHER_FAR(8) break;
    case LEAT_LAYOUT_128:
    case LEAT_LAYOUT_VIEW: GATHER_FAR(16) break;
    }
}

/* Long strings come into the builder's heap; NULLs are cleared where a batch has some. */
static leat_code gather_far_rest(leat_batch_builder *builder, int32_t c, const leat_batch *const *batches,
                                 const int32_t *rows, int32_t count, leat_error *error)
{
    leat_column_builder *column = &builder->columns[c];
    leat_view *views = (leat_view *)(void *)column->values->data + builder->rows;
    for (int32_t i = 0; i < count; i++) {
        const leat_column *from = &batches[i]->columns[c];
        if (leat_column_is_null(from, rows[i])) {
            LEAT_TRY(ensure_validity(builder, column, error));
            leat_bit_clear(column->validity->data, builder->rows + i);
        }
        if (column->layout != LEAT_LAYOUT_VIEW || views[i].length <= LEAT_VIEW_INLINE_MAX) continue;
        leat_view view = views[i];
        LEAT_TRY(leat_view_make(&views[i], leat_view_data(from, &view), (size_t)view.length, &column->heap,
                                &column->heap_used, error));
    }
    return LEAT_OK;
}

leat_code leat_batch_builder_append_far(leat_batch_builder *builder, const leat_batch *const *batches,
                                        const int32_t *rows, int32_t count, leat_error *error)
{
    LEAT_ASSERT(count <= builder->capacity_rows - builder->rows);
    if (count == 0) return LEAT_OK;
    for (int32_t c = 0; c < builder->columns_count; c++) {
        leat_column_builder *column = &builder->columns[c];
        LEAT_TRY(ensure_values(builder, column, error));
        size_t width = leat_layout_bytes(column->layout);
        gather_far(column->values->data + (size_t)builder->rows * width, batches, c, rows, count, column->layout);
        LEAT_TRY(gather_far_rest(builder, c, batches, rows, count, error));
    }
    if (builder->kinds) memset(builder->kinds->data + builder->rows, LEAT_ROW_INSERT, (size_t)count);
    builder->rows += count;
    return LEAT_OK;
}

leat_code leat_batch_builder_begin_row(leat_batch_builder *builder, leat_row_kind kind, leat_error *error)
{
    LEAT_ASSERT(builder->rows < builder->capacity_rows);
    for (int32_t c = 0; c < builder->columns_count; c++) {
        leat_column_builder *column = &builder->columns[c];
        LEAT_TRY(ensure_values(builder, column, error));
        LEAT_TRY(ensure_validity(builder, column, error));
        size_t width = leat_layout_bytes(column->layout);
        memset(column->values->data + (size_t)builder->rows * width, 0, width);
        leat_bit_clear(column->validity->data, builder->rows);
    }
    if (kind != LEAT_ROW_INSERT) LEAT_TRY(ensure_kinds(builder, error));
    if (builder->kinds) builder->kinds->data[builder->rows] = (uint8_t)kind;
    builder->rows++;
    return LEAT_OK;
}

void leat_batch_builder_set_fixed(leat_batch_builder *builder, int32_t column, const void *value)
{
    leat_column_builder *to = &builder->columns[column];
    size_t width = leat_layout_bytes(to->layout);
    int32_t row = builder->rows - 1;
    memcpy(to->values->data + (size_t)row * width, value, width);
    leat_bit_set(to->validity->data, row);
}

leat_code leat_batch_builder_set_bytes(leat_batch_builder *builder, int32_t column, const void *data, size_t length,
                                       leat_error *error)
{
    leat_column_builder *to = &builder->columns[column];
    int32_t row = builder->rows - 1;
    leat_view *views = (leat_view *)(void *)to->values->data;
    LEAT_TRY(leat_view_make(&views[row], data, length, &to->heap, &to->heap_used, error));
    leat_bit_set(to->validity->data, row);
    return LEAT_OK;
}

leat_code leat_batch_builder_copy_value(leat_batch_builder *builder, int32_t column, const leat_column *from,
                                        int32_t row, leat_error *error)
{
    if (leat_column_is_null(from, row)) return LEAT_OK;
    if (from->layout == LEAT_LAYOUT_VIEW) {
        const leat_view *view = (const leat_view *)from->values + row;
        return leat_batch_builder_set_bytes(builder, column, leat_view_data(from, view), (size_t)view->length, error);
    }
    leat_batch_builder_set_fixed(builder, column,
                                 (const uint8_t *)from->values + (size_t)row * leat_layout_bytes(from->layout));
    return LEAT_OK;
}
