#include <string.h>

#include "columnar/hash.h"
#include "common/memory.h"
#include "flow/state.h"

static void put_value(leat_bytes *out, const leat_column *column, leat_type_kind kind, int32_t row)
{
    if (leat_column_is_null(column, row)) {
        leat_bytes_put_u8(out, 1);
        return;
    }
    leat_bytes_put_u8(out, 0);
    if (column->layout == LEAT_LAYOUT_VIEW) {
        const leat_view *view = (const leat_view *)column->values + row;
        leat_bytes_put_block(out, leat_view_data(column, view), (size_t)view->length);
        return;
    }
    size_t width = leat_layout_bytes(column->layout);
    const uint8_t *value = (const uint8_t *)column->values + (size_t)row * width;
    if (kind == LEAT_TYPE_FLOAT) {
        float number;
        memcpy(&number, value, sizeof number);
        if (number != number) number = __builtin_nanf("");
        if (number == 0) number = 0;
        leat_bytes_put(out, &number, sizeof number);
    } else if (kind == LEAT_TYPE_DOUBLE) {
        double number;
        memcpy(&number, value, sizeof number);
        if (number != number) number = __builtin_nan("");
        if (number == 0) number = 0;
        leat_bytes_put(out, &number, sizeof number);
    } else {
        leat_bytes_put(out, value, width);
    }
}

leat_code leat_state_keys_encode(leat_state_keys *keys, const leat_batch *batch, const int32_t *columns,
                                 const leat_type *types, int32_t columns_count, leat_error *error)
{
    size_t count = (size_t)batch->selected;
    LEAT_TRY(leat_grow(&keys->offsets, &keys->offsets_capacity, count + 1, sizeof *keys->offsets, error));
    LEAT_TRY(leat_grow(&keys->hashes, &keys->hashes_capacity, count + 1, sizeof *keys->hashes, error));
    leat_bytes_reset(&keys->data);
    leat_hash_rows(batch, columns, types, columns_count, keys->hashes);
    for (size_t i = 0; i < count; i++) {
        int32_t row = leat_batch_row(batch, (int32_t)i);
        keys->offsets[i] = (uint32_t)keys->data.size;
        for (int32_t c = 0; c < columns_count; c++) {
            put_value(&keys->data, &batch->columns[columns[c]], types[c].kind, row);
        }
    }
    if (keys->data.size > UINT32_MAX) return leat_fail(error, LEAT_LIMIT, "keys of a batch beyond 4 GiB");
    keys->offsets[count] = (uint32_t)keys->data.size;
    keys->count = (int32_t)count;
    return leat_bytes_check(&keys->data, error);
}

void leat_state_keys_done(leat_state_keys *keys)
{
    leat_bytes_done(&keys->data);
    leat_free(keys->offsets);
    leat_free(keys->hashes);
    *keys = (leat_state_keys){0};
}

leat_code leat_state_key_decode(const uint8_t *key, size_t size, const leat_type *types, int32_t columns_count,
                                leat_batch_builder *builder, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, key, size);
    for (int32_t c = 0; c < columns_count; c++) {
        if (leat_reader_u8(&reader)) continue; /* unset columns are NULL */
        leat_layout layout = leat_type_layout(&types[c]);
        size_t length = leat_layout_bytes(layout);
        bool is_view = layout == LEAT_LAYOUT_VIEW;
        const uint8_t *value = is_view ? leat_reader_block(&reader, &length) : leat_reader_take(&reader, length);
        if (reader.failed) break;
        if (is_view)
            LEAT_TRY(leat_batch_builder_set_bytes(builder, c, value, length, error));
        else
            leat_batch_builder_set_fixed(builder, c, value);
    }
    return leat_reader_check(&reader, true, "key of a state", error);
}
