/* Columnar batches, laid out as the Arrow columnar format lays them out, with two differences that the kernels want:
 * BOOLEAN is a byte a value, and there are row kinds.
 *
 *   batch ── columns[i] ── values   (fixed width, or 16-byte views)  ┐ each in a reference-counted
 *        │             ├─ validity  (bit r = 1: row r is not NULL)   ├ leat_buffer; views point into heaps
 *        │             └─ heaps[]   (bytes of strings over 12 B)     ┘
 *        ├─ kinds      (a leat_row_kind a row; NULL: all +I)
 *        └─ selection  (rows still in, ascending; NULL: all)
 *
 * A batch has one owner; passing it on moves it (leat_batch ** set to NULL). Buffers may be shared by reference count
 * and are then read-only. A batch is used by one thread at a time; reference counts are atomic. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "columnar/type.h"
#include "common/error.h"

enum { LEAT_BATCH_ROWS_MAX = 8192 };

typedef enum leat_row_kind {
    LEAT_ROW_INSERT = 0,
    LEAT_ROW_UPDATE_BEFORE = 1,
    LEAT_ROW_UPDATE_AFTER = 2,
    LEAT_ROW_DELETE = 3,
} leat_row_kind;

/* "+I", "-U", "+U", "-D". */
const char *leat_row_kind_text(leat_row_kind kind);
/* +I and +U add a row, -U and -D take one away. */
static inline bool leat_row_kind_is_add(int8_t kind)
{
    return kind == LEAT_ROW_INSERT || kind == LEAT_ROW_UPDATE_AFTER;
}

typedef struct leat_buffer leat_buffer;
struct leat_buffer {
    atomic_int references;
    uint8_t *data;
    size_t size_bytes;
    void (*release)(leat_buffer *buffer); /* frees data's owner and the struct */
    void *owner;
};

/* 64-byte aligned, not zeroed, one reference. NULL: no memory. */
leat_buffer *leat_buffer_new(size_t size_bytes);
leat_buffer *leat_buffer_ref(leat_buffer *buffer);
void leat_buffer_unref(leat_buffer *buffer); /* NULL is fine */

/* Arrow's string view: up to 12 bytes inline, else a prefix and a place in one of the column's heaps. */
typedef struct leat_view {
    int32_t length;
    union {
        char inlined[12]; /* unused bytes are 0, so that equal short strings are equal 16-byte values */
        struct {
            char prefix[4];
            int32_t heap;
            int32_t offset;
        };
    };
} leat_view;

enum { LEAT_VIEW_INLINE_MAX = 12 };

typedef struct leat_column {
    leat_layout layout;
    int32_t heaps_count;
    const uint8_t *validity; /* NULL: no NULLs. Values of NULL rows are zero bytes */
    const void *values;
    leat_buffer *validity_buffer, *values_buffer; /* what keeps them alive; NULL: nothing to release */
    leat_buffer **heaps;                          /* of VIEW; the array is the column's own */
} leat_column;

typedef struct leat_batch {
    int32_t rows;
    int32_t columns_count;
    leat_column *columns;
    const int8_t *kinds;
    leat_buffer *kinds_buffer;
    const uint16_t *selection;
    leat_buffer *selection_buffer;
    int32_t selected; /* length of selection; == rows when selection is NULL */
} leat_batch;

/* An empty batch with room for the columns, all zero. NULL: no memory. */
leat_batch *leat_batch_new(int32_t columns_count);
void leat_batch_free(leat_batch *batch); /* NULL is fine */
/* A second batch over the same buffers. NULL: no memory. */
leat_batch *leat_batch_share(const leat_batch *batch);
/* Releases what a column holds and zeroes it. */
void leat_column_clear(leat_column *column);
/* Lets *to share from's buffers. */
LEAT_CHECKED leat_code leat_column_share(leat_column *to, const leat_column *from, leat_error *error);
/* Lets *to, which has only columns so far, have the number of rows, the kinds and the selection of *from. */
void leat_batch_share_rows(leat_batch *to, const leat_batch *from);
/* Takes the rows that are -U and -D out of the selection. */
LEAT_CHECKED leat_code leat_batch_keep_adds(leat_batch *batch, leat_error *error);
/* Bytes of the selected rows, roughly: what budgets and credits count. */
size_t leat_batch_bytes(const leat_batch *batch);

static inline bool leat_bit_get(const uint8_t *bits, int32_t at)
{
    return (bits[at >> 3] >> (at & 7)) & 1;
}
static inline void leat_bit_set(uint8_t *bits, int32_t at)
{
    bits[at >> 3] |= (uint8_t)(1u << (at & 7));
}
static inline void leat_bit_clear(uint8_t *bits, int32_t at)
{
    bits[at >> 3] &= (uint8_t) ~(1u << (at & 7));
}
static inline bool leat_column_is_null(const leat_column *column, int32_t row)
{
    return column->validity && !leat_bit_get(column->validity, row);
}
static inline const char *leat_view_data(const leat_column *column, const leat_view *view)
{
    return view->length <= LEAT_VIEW_INLINE_MAX ? view->inlined
                                                : (const char *)column->heaps[view->heap]->data + view->offset;
}
/* The row at position i of what is selected. */
static inline int32_t leat_batch_row(const leat_batch *batch, int32_t i)
{
    return batch->selection ? batch->selection[i] : i;
}
static inline int8_t leat_batch_kind(const leat_batch *batch, int32_t row)
{
    return batch->kinds ? batch->kinds[row] : (int8_t)LEAT_ROW_INSERT;
}

/* Builds batches row by row or by gathering rows of other batches. Life: init, append…, finish (again append…), done.
 * Strings are copied into the builder's own heap. Failure leaves the builder usable only for done. */
typedef struct leat_column_builder {
    leat_layout layout;
    leat_buffer *values, *validity, *heap; /* validity exists once a NULL came */
    size_t heap_used;
} leat_column_builder;

typedef struct leat_batch_builder {
    int32_t columns_count, rows, capacity_rows;
    leat_column_builder *columns;
    leat_buffer *kinds; /* exists once another kind than +I came */
    size_t heap_bytes;  /* of all columns */
} leat_batch_builder;

LEAT_CHECKED leat_code leat_batch_builder_init(leat_batch_builder *builder, const leat_layout *layouts,
                                               int32_t columns_count, int32_t capacity_rows, leat_error *error);
LEAT_CHECKED leat_code leat_batch_builder_init_schema(leat_batch_builder *builder, const leat_schema *schema,
                                                      int32_t capacity_rows, leat_error *error);
void leat_batch_builder_done(leat_batch_builder *builder);
static inline bool leat_batch_builder_is_full(const leat_batch_builder *builder)
{
    return builder->rows >= builder->capacity_rows;
}
size_t leat_batch_builder_bytes(const leat_batch_builder *builder);
/* Takes over the rows so far; the builder is empty after it. *out may have 0 rows. */
LEAT_CHECKED leat_code leat_batch_builder_finish(leat_batch_builder *builder, leat_batch **out, leat_error *error);
/* Gathers `count` rows (indices into the batch, not into its selection). They must fit: the caller checks
 * capacity_rows - rows first. Row kinds come along. */
LEAT_CHECKED leat_code leat_batch_builder_append_rows(leat_batch_builder *builder, const leat_batch *batch,
                                                      const uint16_t *rows, int32_t count, leat_error *error);

/* As above, row rows[i] of batches[i]: batches of any size, of the same layouts, without kinds. */
LEAT_CHECKED leat_code leat_batch_builder_append_far(leat_batch_builder *builder, const leat_batch *const *batches,
                                                     const int32_t *rows, int32_t count, leat_error *error);

/* Row by row: begin a row, set each column once, in any order; unset columns are NULL. */
LEAT_CHECKED leat_code leat_batch_builder_begin_row(leat_batch_builder *builder, leat_row_kind kind, leat_error *error);
void leat_batch_builder_set_fixed(leat_batch_builder *builder, int32_t column, const void *value);
LEAT_CHECKED leat_code leat_batch_builder_set_bytes(leat_batch_builder *builder, int32_t column, const void *data,
                                                    size_t length, leat_error *error);
/* Copies one value, NULL included, from a column of another batch. */
LEAT_CHECKED leat_code leat_batch_builder_copy_value(leat_batch_builder *builder, int32_t column,
                                                     const leat_column *from, int32_t row, leat_error *error);

/* Makes a view of `length` bytes, appending them to a growing heap when they are not inline (heap index 0). */
LEAT_CHECKED leat_code leat_view_make(leat_view *view, const void *data, size_t length, leat_buffer **heap,
                                      size_t *heap_used, leat_error *error);

/* A batch without selection: the same if there is none, else a dense copy. Takes *batch. */
LEAT_CHECKED leat_code leat_batch_compact(leat_batch **batch, leat_batch **out, leat_error *error);
