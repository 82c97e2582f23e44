#include "columnar/batch.h"

#include "common/memory.h"

const char *leat_row_kind_text(leat_row_kind kind)
{
    static const char *const texts[] = {"+I", "-U", "+U", "-D"};
    return texts[kind & 3];
}

static void release_own(leat_buffer *buffer)
{
    leat_free(buffer->data);
    leat_free(buffer);
}

leat_buffer *leat_buffer_new(size_t size_bytes)
{
    leat_buffer *buffer = leat_alloc(sizeof *buffer);
    uint8_t *data = leat_alloc_aligned(size_bytes);
    if (!buffer || !data) {
        leat_free(buffer);
        leat_free(data);
        return NULL;
    }
    *buffer = (leat_buffer){.data = data, .size_bytes = size_bytes, .release = release_own};
    atomic_init(&buffer->references, 1);
    return buffer;
}

leat_buffer *leat_buffer_ref(leat_buffer *buffer)
{
    if (buffer) atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

void leat_buffer_unref(leat_buffer *buffer)
{
    /* acq_rel: whoever drops the last reference sees all writes of the others before it frees. */
    if (buffer && atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) == 1) buffer->release(buffer);
}

leat_batch *leat_batch_new(int32_t columns_count)
{
    size_t columns_bytes = (size_t)columns_count * sizeof(leat_column);
    leat_batch *batch = leat_calloc(1, sizeof *batch + columns_bytes);
    if (!batch) return NULL;
    batch->columns = (leat_column *)(batch + 1);
    batch->columns_count = columns_count;
    return batch;
}

void leat_column_clear(leat_column *column)
{
    leat_buffer_unref(column->validity_buffer);
    leat_buffer_unref(column->values_buffer);
    for (int32_t i = 0; i < column->heaps_count; i++) {
        leat_buffer_unref(column->heaps[i]);
    }
    leat_free(column->heaps);
    *column = (leat_column){.layout = column->layout};
}

void leat_batch_free(leat_batch *batch)
{
    if (!batch) return;
    for (int32_t i = 0; i < batch->columns_count; i++) {
        leat_column_clear(&batch->columns[i]);
    }
    leat_buffer_unref(batch->kinds_buffer);
    leat_buffer_unref(batch->selection_buffer);
    leat_free(batch);
}

leat_code leat_column_share(leat_column *to, const leat_column *from, leat_error *error)
{
    leat_buffer **heaps = NULL;
    if (from->heaps_count) {
        heaps = leat_alloc((size_t)from->heaps_count * sizeof *heaps);
        if (!heaps) return leat_fail_no_memory(error);
        for (int32_t i = 0; i < from->heaps_count; i++) {
            heaps[i] = leat_buffer_ref(from->heaps[i]);
        }
    }
    *to = *from;
    to->heaps = heaps;
    leat_buffer_ref(to->validity_buffer);
    leat_buffer_ref(to->values_buffer);
    return LEAT_OK;
}

leat_batch *leat_batch_share(const leat_batch *batch)
{
    leat_batch *shared = leat_batch_new(batch->columns_count);
    if (!shared) return NULL;
    for (int32_t i = 0; i < batch->columns_count; i++) {
        if (leat_column_share(&shared->columns[i], &batch->columns[i], NULL) != LEAT_OK) {
            leat_batch_free(shared);
            return NULL;
        }
    }
    leat_batch_share_rows(shared, batch);
    return shared;
}

void leat_batch_share_rows(leat_batch *to, const leat_batch *from)
{
    to->rows = from->rows;
    to->selected = from->selected;
    to->kinds = from->kinds;
    to->kinds_buffer = leat_buffer_ref(from->kinds_buffer);
    to->selection = from->selection;
    to->selection_buffer = leat_buffer_ref(from->selection_buffer);
}

leat_code leat_batch_keep_adds(leat_batch *batch, leat_error *error)
{
    if (!batch->kinds) return LEAT_OK;
    uint8_t removes = 0;
    for (int32_t i = 0; i < batch->rows; i++)
        removes |= (uint8_t)!leat_row_kind_is_add(batch->kinds[i]);
    if (!removes) return LEAT_OK;
    leat_buffer *selection = leat_buffer_new((size_t)batch->selected * sizeof(uint16_t));
    if (!selection) return leat_fail_no_memory(error);
    uint16_t *rows = (uint16_t *)(void *)selection->data;
    int32_t count = 0;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        rows[count] = (uint16_t)row;
        count += leat_row_kind_is_add(batch->kinds[row]);
    }
    leat_buffer_unref(batch->selection_buffer);
    batch->selection = rows;
    batch->selection_buffer = selection;
    batch->selected = count;
    return LEAT_OK;
}

size_t leat_batch_bytes(const leat_batch *batch)
{
    size_t bytes = 64;
    for (int32_t i = 0; i < batch->columns_count; i++) {
        const leat_column *column = &batch->columns[i];
        bytes += (size_t)batch->selected * leat_layout_bytes(column->layout);
        for (int32_t heap = 0; heap < column->heaps_count; heap++) {
            bytes += column->heaps[heap]->size_bytes;
        }
    }
    return bytes;
}

leat_code leat_view_make(leat_view *view, const void *data, size_t length, leat_buffer **heap, size_t *heap_used,
                         leat_error *error)
{
    if (length <= LEAT_VIEW_INLINE_MAX) {
        *view = (leat_view){.length = (int32_t)length};
        if (length) memcpy(view->inlined, data, length);
        return LEAT_OK;
    }
    size_t needed = *heap_used + length;
    if (needed > INT32_MAX) return leat_fail(error, LEAT_LIMIT, "more than 2 GiB of text in one batch column");
    if (!*heap || (*heap)->size_bytes < needed) {
        size_t grown_bytes = *heap ? (*heap)->size_bytes * 2 : 4096;
        if (grown_bytes < needed) grown_bytes = needed;
        leat_buffer *grown = leat_buffer_new(grown_bytes);
        if (!grown) return leat_fail_no_memory(error);
        if (*heap) memcpy(grown->data, (*heap)->data, *heap_used);
        leat_buffer_unref(*heap);
        *heap = grown;
    }
    memcpy((*heap)->data + *heap_used, data, length);
    *view = (leat_view){.length = (int32_t)length};
    memcpy(view->prefix, data, sizeof view->prefix);
    view->heap = 0;
    view->offset = (int32_t)*heap_used;
    *heap_used = needed;
    return LEAT_OK;
}

leat_code leat_batch_compact(leat_batch **batch, leat_batch **out, leat_error *error)
{
    leat_batch *given = *batch;
    if (!given->selection) {
        *out = given;
        *batch = NULL;
        return LEAT_OK;
    }
    leat_layout layouts[256];
    leat_layout *all = layouts;
    leat_code code = LEAT_OK;
    if (given->columns_count > 256) {
        all = leat_alloc((size_t)given->columns_count * sizeof *all);
        if (!all) return leat_fail_no_memory(error);
    }
    for (int32_t i = 0; i < given->columns_count; i++)
        all[i] = given->columns[i].layout;
    leat_batch_builder builder = {0};
    code = leat_batch_builder_init(&builder, all, given->columns_count, given->selected ? given->selected : 1, error);
    if (code == LEAT_OK)
        code = leat_batch_builder_append_rows(&builder, given, given->selection, given->selected, error);
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, out, error);
    leat_batch_builder_done(&builder);
    if (all != layouts) leat_free(all);
    if (code != LEAT_OK) return code;
    leat_batch_free(given);
    *batch = NULL;
    return LEAT_OK;
}
