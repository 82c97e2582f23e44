/* Random batches of every layout, and comparing them row by row, for unit tests. Deterministic from a seed. */
#pragma once

#include "tests/unit.h"

#include <string.h>

#include "columnar/batch.h"

enum { BATCHES_COLUMNS = 6 };

/* One of each layout. */
static const leat_layout batches_layouts[BATCHES_COLUMNS] = {LEAT_LAYOUT_8,  LEAT_LAYOUT_16,  LEAT_LAYOUT_32,
                                                             LEAT_LAYOUT_64, LEAT_LAYOUT_128, LEAT_LAYOUT_VIEW};

/* splitmix64 */
static inline uint64_t batches_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

typedef struct batches_options {
    int32_t rows;
    bool has_nulls, has_kinds;
    int32_t text_length_max;
} batches_options;

static inline leat_code batches_fill(leat_batch_builder *builder, const batches_options *options, uint64_t *seed)
{
    for (int32_t row = 0; row < options->rows; row++) {
        leat_row_kind kind = options->has_kinds ? (leat_row_kind)(batches_random(seed) % 4) : LEAT_ROW_INSERT;
        LEAT_TRY(leat_batch_builder_begin_row(builder, kind, NULL));
        for (int32_t column = 0; column < BATCHES_COLUMNS; column++) {
            if (options->has_nulls && batches_random(seed) % 4 == 0) continue;
            uint64_t value[2] = {batches_random(seed), batches_random(seed)};
            if (batches_layouts[column] != LEAT_LAYOUT_VIEW) {
                leat_batch_builder_set_fixed(builder, column, value);
                continue;
            }
            char text[256];
            size_t length = batches_random(seed) % (uint64_t)(options->text_length_max + 1);
            for (size_t i = 0; i < length; i++)
                text[i] = (char)(value[0] >> (i % 8 * 8));
            LEAT_TRY(leat_batch_builder_set_bytes(builder, column, text, length, NULL));
        }
    }
    return LEAT_OK;
}

/* NULL when there is no memory. */
static inline leat_batch *batches_make(const batches_options *options, uint64_t *seed)
{
    leat_batch_builder builder = {0};
    leat_batch *batch = NULL;
    leat_code code =
        leat_batch_builder_init(&builder, batches_layouts, BATCHES_COLUMNS, options->rows ? options->rows : 1, NULL);
    if (code == LEAT_OK) code = batches_fill(&builder, options, seed);
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &batch, NULL);
    leat_batch_builder_done(&builder);
    return code == LEAT_OK ? batch : NULL;
}

/* Selects about one row in `one_in`. */
static inline void batches_select(leat_batch *batch, uint64_t one_in, uint64_t *seed)
{
    leat_buffer *buffer = leat_buffer_new((size_t)(batch->rows + 1) * sizeof(uint16_t));
    assert_non_null(buffer);
    uint16_t *selection = (uint16_t *)(void *)buffer->data;
    batch->selected = 0;
    for (int32_t row = 0; row < batch->rows; row++) {
        if (batches_random(seed) % one_in == 0) selection[batch->selected++] = (uint16_t)row;
    }
    batch->selection = selection;
    batch->selection_buffer = buffer;
}

static inline bool batches_same_value(const leat_column *left, int32_t left_row, const leat_column *right,
                                      int32_t right_row)
{
    bool is_null = leat_column_is_null(left, left_row);
    if (left->layout != right->layout || is_null != leat_column_is_null(right, right_row)) return false;
    if (is_null) return true;
    if (left->layout == LEAT_LAYOUT_VIEW) {
        const leat_view *a = (const leat_view *)left->values + left_row,
                        *b = (const leat_view *)right->values + right_row;
        return a->length == b->length &&
               memcmp(leat_view_data(left, a), leat_view_data(right, b), (size_t)a->length) == 0;
    }
    size_t width = leat_layout_bytes(left->layout);
    return memcmp((const uint8_t *)left->values + (size_t)left_row * width,
                  (const uint8_t *)right->values + (size_t)right_row * width, width) == 0;
}

/* The selected rows of both are the same, in order, kinds included. */
static inline void batches_assert_same(const leat_batch *left, const leat_batch *right)
{
    assert_int_equal(left->columns_count, right->columns_count);
    assert_int_equal(left->selected, right->selected);
    for (int32_t i = 0; i < left->selected; i++) {
        int32_t a = leat_batch_row(left, i), b = leat_batch_row(right, i);
        assert_int_equal(leat_batch_kind(left, a), leat_batch_kind(right, b));
        for (int32_t column = 0; column < left->columns_count; column++)
            assert_true(batches_same_value(&left->columns[column], a, &right->columns[column], b));
    }
}
