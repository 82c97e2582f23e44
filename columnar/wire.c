#include "columnar/wire.h"

#include <inttypes.h>

#include "common/bytes.h"
#include "common/memory.h"

enum { MAGIC = 0x3154424c /* "LBT1" */, HAS_KINDS = 1, HAS_VALIDITY = 1, HEADER_BYTES = 16, COLUMN_BYTES = 40 };

static size_t align64(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static size_t bitmap_bytes(int32_t rows)
{
    return ((size_t)rows + 7) / 8;
}

static size_t header_bytes(int32_t columns_count)
{
    return align64(HEADER_BYTES + (size_t)columns_count * COLUMN_BYTES + 8);
}

/* Bytes of the selected strings that are not inline. */
static size_t heap_bytes(const leat_batch *batch, const leat_column *column)
{
    if (column->layout != LEAT_LAYOUT_VIEW || !column->heaps_count) return 0;
    const leat_view *views = column->values;
    size_t bytes = 0;
    for (int32_t i = 0; i < batch->selected; i++) {
        const leat_view *view = &views[leat_batch_row(batch, i)];
        if (view->length > LEAT_VIEW_INLINE_MAX) bytes += (size_t)view->length;
    }
    return bytes;
}

size_t leat_batch_wire_bytes(const leat_batch *batch)
{
    size_t bytes = header_bytes(batch->columns_count);
    for (int32_t i = 0; i < batch->columns_count; i++) {
        const leat_column *column = &batch->columns[i];
        bytes += align64((size_t)batch->selected * leat_layout_bytes(column->layout));
        if (column->validity) bytes += align64(bitmap_bytes(batch->selected));
        bytes += align64(heap_bytes(batch, column));
    }
    return bytes + (batch->kinds ? align64((size_t)batch->selected) : 0);
}

#define GATHER(width)                                                                                                  \
    for (int32_t i = 0; i < batch->selected; i++) {                                                                    \
        memcpy(to + (size_t)i * (width), from + (size_t)batch->selection[i] * (width), width);                         \
    }

static void write_values(const leat_batch *batch, const leat_column *column, uint8_t *restrict to)
{
    const uint8_t *restrict from = column->values;
    if (!batch->selection) {
        size_t bytes = (size_t)batch->rows * leat_layout_bytes(column->layout);
        if (bytes) memcpy(to, from, bytes);
        return;
    }
    switch (column->layout) {
    case LEAT_LAYOUT_8: GATHER(1) break;
    case LEAT_LAYOUT_16: GATHER(2) break;
    case LEAT_LAYOUT_32: GATHER(4) break;
    case LEAT_LAYOUT_64: GATHER(8) break;
    case LEAT_LAYOUT_128:
    case LEAT_LAYOUT_VIEW: GATHER(16) break;
    }
}

static void write_heap(const leat_batch *batch, const leat_column *column, leat_view *views, uint8_t *heap)
{
    size_t used = 0;
    for (int32_t i = 0; i < batch->selected; i++) {
        if (views[i].length <= LEAT_VIEW_INLINE_MAX) continue;
        memcpy(heap + used, leat_view_data(column, &views[i]), (size_t)views[i].length);
        views[i].heap = 0;
        views[i].offset = (int32_t)used;
        used += (size_t)views[i].length;
    }
}

static void write_validity(const leat_batch *batch, const leat_column *column, uint8_t *to)
{
    memset(to, 0, bitmap_bytes(batch->selected));
    for (int32_t i = 0; i < batch->selected; i++) {
        if (leat_bit_get(column->validity, leat_batch_row(batch, i))) leat_bit_set(to, i);
    }
}

static void put_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static void put_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* Where the next buffer goes; the padding behind `bytes` is zeroed so that no stale memory leaves the process. */
static size_t place(uint8_t *body, size_t *offset, size_t bytes)
{
    size_t at = *offset;
    *offset = at + align64(bytes);
    memset(body + at + bytes, 0, *offset - at - bytes);
    return at;
}

void leat_batch_wire_write(const leat_batch *batch, uint8_t *body)
{
    size_t offset = header_bytes(batch->columns_count);
    memset(body, 0, offset);
    put_u32(body, MAGIC);
    put_u32(body + 4, (uint32_t)batch->selected);
    put_u32(body + 8, (uint32_t)batch->columns_count);
    put_u32(body + 12, batch->kinds ? HAS_KINDS : 0);
    for (int32_t i = 0; i < batch->columns_count; i++) {
        const leat_column *column = &batch->columns[i];
        uint8_t *header = body + HEADER_BYTES + (size_t)i * COLUMN_BYTES;
        size_t values_at = place(body, &offset, (size_t)batch->selected * leat_layout_bytes(column->layout));
        write_values(batch, column, body + values_at);
        put_u32(header, (uint32_t)column->layout);
        put_u64(header + 16, values_at);
        if (column->validity) {
            size_t at = place(body, &offset, bitmap_bytes(batch->selected));
            write_validity(batch, column, body + at);
            put_u32(header + 4, HAS_VALIDITY);
            put_u64(header + 24, at);
        }
        size_t strings = heap_bytes(batch, column);
        if (strings) {
            size_t at = place(body, &offset, strings);
            write_heap(batch, column, (leat_view *)(void *)(body + values_at), body + at);
            put_u64(header + 8, strings);
            put_u64(header + 32, at);
        }
    }
    if (batch->kinds) {
        size_t at = place(body, &offset, (size_t)batch->selected);
        for (int32_t i = 0; i < batch->selected; i++) {
            body[at + (size_t)i] = (uint8_t)batch->kinds[leat_batch_row(batch, i)];
        }
        put_u64(body + HEADER_BYTES + (size_t)batch->columns_count * COLUMN_BYTES, at);
    }
}

static bool range_fits(const leat_buffer *body, uint64_t offset, uint64_t bytes)
{
    return offset % 64 == 0 && offset <= body->size_bytes && bytes <= body->size_bytes - offset;
}

/* A heap is a window into the body: a small buffer that holds a reference to it. */
static void release_window(leat_buffer *window)
{
    leat_buffer_unref(window->owner);
    leat_free(window);
}

static leat_code share_heap(leat_column *column, leat_buffer *body, uint64_t offset, uint64_t bytes, leat_error *error)
{
    leat_buffer *window = leat_alloc(sizeof *window);
    column->heaps = leat_alloc(sizeof *column->heaps);
    if (!window || !column->heaps) {
        leat_free(window);
        return leat_fail_no_memory(error);
    }
    *window = (leat_buffer){.data = body->data + offset, .size_bytes = bytes, .release = release_window, .owner = body};
    atomic_init(&window->references, 1);
    leat_buffer_ref(body);
    column->heaps[0] = window;
    column->heaps_count = 1;
    return LEAT_OK;
}

static leat_code check_views(const leat_view *views, int32_t rows, uint64_t heap_size, leat_error *error)
{
    for (int32_t i = 0; i < rows; i++) {
        const leat_view *view = &views[i];
        if (view->length < 0) return leat_fail(error, LEAT_CORRUPT, "string of %d bytes in row %d", view->length, i);
        if (view->length <= LEAT_VIEW_INLINE_MAX) continue;
        if (view->heap != 0 || view->offset < 0 || (uint64_t)view->length > heap_size ||
            (uint64_t)view->offset > heap_size - (uint64_t)view->length) {
            return leat_fail(error, LEAT_CORRUPT, "string in row %d points outside its heap", i);
        }
    }
    return LEAT_OK;
}

static leat_code read_column(leat_reader *reader, leat_buffer *body, leat_layout layout, int32_t rows,
                             leat_column *column, leat_error *error)
{
    uint32_t given = leat_reader_u32(reader), flags = leat_reader_u32(reader);
    uint64_t heap_size = leat_reader_u64(reader), values_at = leat_reader_u64(reader);
    uint64_t validity_at = leat_reader_u64(reader), heap_at = leat_reader_u64(reader);
    column->layout = layout;
    if (given != (uint32_t)layout)
        return leat_fail(error, LEAT_CORRUPT, "layout %u where %d is due", given, (int)layout);
    if (!range_fits(body, values_at, (uint64_t)rows * leat_layout_bytes(layout))) {
        return leat_fail(error, LEAT_CORRUPT, "values at %" PRIu64 " are outside the body", values_at);
    }
    column->values = body->data + values_at;
    column->values_buffer = leat_buffer_ref(body);
    if (flags & HAS_VALIDITY) {
        if (!range_fits(body, validity_at, bitmap_bytes(rows))) {
            return leat_fail(error, LEAT_CORRUPT, "validity at %" PRIu64 " is outside the body", validity_at);
        }
        column->validity = body->data + validity_at;
        column->validity_buffer = leat_buffer_ref(body);
    }
    if (layout != LEAT_LAYOUT_VIEW) return LEAT_OK;
    if (heap_size) {
        if (!range_fits(body, heap_at, heap_size)) {
            return leat_fail(error, LEAT_CORRUPT, "strings at %" PRIu64 " are outside the body", heap_at);
        }
        LEAT_TRY(share_heap(column, body, heap_at, heap_size, error));
    }
    return check_views(column->values, rows, heap_size, error);
}

static leat_code read_kinds(leat_reader *reader, leat_buffer *body, leat_batch *batch, leat_error *error)
{
    uint64_t at = leat_reader_u64(reader);
    if (!range_fits(body, at, (uint64_t)batch->rows)) {
        return leat_fail(error, LEAT_CORRUPT, "row kinds at %" PRIu64 " are outside the body", at);
    }
    for (int32_t i = 0; i < batch->rows; i++) {
        if (body->data[at + (uint64_t)i] > LEAT_ROW_DELETE) {
            return leat_fail(error, LEAT_CORRUPT, "row kind %u in row %d", body->data[at + (uint64_t)i], i);
        }
    }
    batch->kinds = (const int8_t *)(body->data + at);
    batch->kinds_buffer = leat_buffer_ref(body);
    return LEAT_OK;
}

leat_code leat_batch_wire_read(leat_buffer *body, const leat_layout *layouts, int32_t columns_count, leat_batch **out,
                               leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, body->data, body->size_bytes);
    uint32_t magic = leat_reader_u32(&reader), rows = leat_reader_u32(&reader);
    uint32_t columns = leat_reader_u32(&reader), flags = leat_reader_u32(&reader);
    if (reader.failed || magic != MAGIC || rows > LEAT_BATCH_ROWS_MAX || columns != (uint32_t)columns_count ||
        body->size_bytes < header_bytes(columns_count)) {
        return leat_fail(error, LEAT_CORRUPT, "not a batch of %d columns", columns_count);
    }
    leat_batch *batch = leat_batch_new(columns_count);
    if (!batch) return leat_fail_no_memory(error);
    batch->rows = batch->selected = (int32_t)rows;
    leat_code code = LEAT_OK;
    for (int32_t i = 0; code == LEAT_OK && i < columns_count; i++) {
        code = read_column(&reader, body, layouts[i], batch->rows, &batch->columns[i], error);
        if (code != LEAT_OK) (void)leat_fail_in(error, code, "column %d of a batch", i);
    }
    if (code == LEAT_OK && (flags & HAS_KINDS)) code = read_kinds(&reader, body, batch, error);
    if (code != LEAT_OK) {
        leat_batch_free(batch);
        return code;
    }
    *out = batch;
    return LEAT_OK;
}
