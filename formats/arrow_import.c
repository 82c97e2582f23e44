#include <string.h>

#include "common/memory.h"
#include "formats/arrow_columns.h"

/* The array that was imported, shared by all buffers that point into it. */
typedef struct imported {
    atomic_int references;
    struct ArrowArray array;
} imported;

static void imported_unref(imported *self)
{
    if (atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) != 1) return;
    self->array.release(&self->array);
    leat_free(self);
}

static void release_imported(leat_buffer *buffer)
{
    imported_unref(buffer->owner);
    leat_free(buffer);
}

static leat_buffer *wrap(imported *owner, const void *data, size_t size)
{
    leat_buffer *buffer = leat_alloc(sizeof *buffer);
    if (!buffer) return NULL;
    *buffer = (leat_buffer){
        .data = (uint8_t *)(uintptr_t)data, .size_bytes = size, .release = release_imported, .owner = owner};
    atomic_init(&buffer->references, 1);
    atomic_fetch_add_explicit(&owner->references, 1, memory_order_relaxed);
    return buffer;
}

/* A column in the making. */
typedef struct import {
    imported *owner;
    const struct ArrowArray *array;
    const char *format; /* of the values; of a dictionary's, when there is one */
    const char *name;
    const leat_type *type;
    leat_column *out;
    int32_t rows;
    leat_error *error;
} import;

static leat_code refuse(const import *self)
{
    leat_bytes wanted = {0};
    leat_type_print(self->type, true, &wanted);
    leat_code code = leat_fail(self->error, LEAT_UNSUPPORTED,
                               "column '%s': the file's type (Arrow format '%s') cannot be read as %s", self->name,
                               self->format, wanted.data ? (const char *)wanted.data : "its type");
    leat_bytes_done(&wanted);
    return code;
}

static leat_code take_validity(const import *self)
{
    const struct ArrowArray *array = self->array;
    const uint8_t *bits = array->n_buffers ? array->buffers[0] : NULL;
    if (!bits || array->null_count == 0) return LEAT_OK;
    size_t bytes = ((size_t)self->rows + 7) / 8;
    if (array->offset % 8 == 0) {
        self->out->validity_buffer = wrap(self->owner, bits + array->offset / 8, bytes);
    } else {
        self->out->validity_buffer = leat_buffer_new(bytes);
        if (self->out->validity_buffer) memset(self->out->validity_buffer->data, 0, bytes);
        for (int32_t i = 0; self->out->validity_buffer && i < self->rows; i++) {
            int64_t at = array->offset + i;
            if ((bits[at >> 3] >> (at & 7)) & 1) leat_bit_set(self->out->validity_buffer->data, i);
        }
    }
    if (!self->out->validity_buffer) return leat_fail_no_memory(self->error);
    self->out->validity = self->out->validity_buffer->data;
    return LEAT_OK;
}

/* Our columns have zero bytes where a row is NULL. The values are ours alone: the reader made them for this batch. */
static void zero_nulls(leat_column *column, int32_t rows)
{
    if (!column->validity) return;
    size_t width = leat_layout_bytes(column->layout);
    uint8_t *values = column->values_buffer->data;
    for (int32_t i = 0; i < rows; i++) {
        if (!leat_bit_get(column->validity, i)) memset(values + (size_t)i * width, 0, width);
    }
}

static leat_code new_values(const import *self)
{
    self->out->values_buffer = leat_buffer_new((size_t)self->rows * leat_layout_bytes(self->out->layout));
    if (!self->out->values_buffer) return leat_fail_no_memory(self->error);
    self->out->values = self->out->values_buffer->data;
    return LEAT_OK;
}

static leat_code take_values(const import *self)
{
    size_t width = leat_layout_bytes(self->out->layout);
    const uint8_t *values = (const uint8_t *)self->array->buffers[1] + (size_t)self->array->offset * width;
    self->out->values_buffer = wrap(self->owner, values, (size_t)self->rows * width);
    if (!self->out->values_buffer) return leat_fail_no_memory(self->error);
    self->out->values = values;
    return LEAT_OK;
}

/* Widens and rescales: one loop a pair of widths. */
#define CONVERT(from_type, to_type, expression)                                                                        \
    do {                                                                                                               \
        const from_type *restrict from = (const from_type *)self->array->buffers[1] + self->array->offset;             \
        to_type *restrict to = (to_type *)(void *)self->out->values_buffer->data;                                      \
        for (int32_t i = 0; i < self->rows; i++)                                                                       \
            to[i] = (to_type)(expression);                                                                             \
        return LEAT_OK;                                                                                                \
    } while (0)

static leat_code unpack_bits(const import *self)
{
    LEAT_TRY(new_values(self));
    const uint8_t *bits = self->array->buffers[1];
    uint8_t *to = self->out->values_buffer->data;
    for (int32_t i = 0; i < self->rows; i++) {
        int64_t at = self->array->offset + i;
        to[i] = (bits[at >> 3] >> (at & 7)) & 1;
    }
    return LEAT_OK;
}

/* Parquet knows no integers under 32 bits but by annotation, and some writers (pypaimon's _VALUE_KIND) leave that out.
 */
static leat_code narrow_integer(const import *self)
{
    const int32_t *wide = (const int32_t *)self->array->buffers[1] + self->array->offset;
    bool is_tiny = self->type->kind == LEAT_TYPE_TINYINT;
    int32_t min = is_tiny ? INT8_MIN : INT16_MIN, max = is_tiny ? INT8_MAX : INT16_MAX;
    for (int32_t i = 0; i < self->rows; i++) {
        if ((wide[i] >= min && wide[i] <= max) || leat_column_is_null(self->out, i)) continue;
        return leat_fail(self->error, LEAT_CORRUPT, "column '%s': %d does not fit in its type", self->name, wide[i]);
    }
    LEAT_TRY(new_values(self));
    if (is_tiny) CONVERT(int32_t, int8_t, from[i]);
    CONVERT(int32_t, int16_t, from[i]);
}

static leat_code take_integer(const import *self)
{
    static const char letters[] = "csil"; /* 1, 2, 4, 8 bytes */
    const char *have = self->format[0] && !self->format[1] ? strchr(letters, self->format[0]) : NULL;
    int want = (int)self->type->kind - (int)LEAT_TYPE_TINYINT;
    if (self->format[0] == 'i' && !self->format[1] && want < 2) return narrow_integer(self);
    if (!have || have - letters > want) return refuse(self);
    if (have - letters == want) return take_values(self);
    LEAT_TRY(new_values(self));
    switch (self->format[0] == 'c' ? want : 10 * (int)(have - letters) + want) {
    case 1: CONVERT(int8_t, int16_t, from[i]);
    case 2: CONVERT(int8_t, int32_t, from[i]);
    case 3: CONVERT(int8_t, int64_t, from[i]);
    case 12: CONVERT(int16_t, int32_t, from[i]);
    case 13: CONVERT(int16_t, int64_t, from[i]);
    default: CONVERT(int32_t, int64_t, from[i]);
    }
}

static leat_code take_double(const import *self)
{
    if (strcmp(self->format, "g") == 0) return take_values(self);
    if (strcmp(self->format, "f") != 0) return refuse(self);
    LEAT_TRY(new_values(self));
    CONVERT(float, double, from[i]);
}

static leat_code take_timestamp(const import *self)
{
    if (strncmp(self->format, "ts", 2) != 0) return refuse(self);
    if (self->format[2] == 'u') return take_values(self);
    LEAT_TRY(new_values(self));
    switch (self->format[2]) {
    case 's': CONVERT(int64_t, int64_t, (uint64_t)from[i] * 1000000);
    case 'm': CONVERT(int64_t, int64_t, (uint64_t)from[i] * 1000);
    case 'n': CONVERT(int64_t, int64_t, from[i] / 1000 - (from[i] % 1000 < 0));
    default: return refuse(self);
    }
}

static leat_code take_time(const import *self)
{
    if (strcmp(self->format, "ttm") == 0) return take_values(self);
    LEAT_TRY(new_values(self));
    if (strcmp(self->format, "ttu") == 0) CONVERT(int64_t, int32_t, from[i] / 1000);
    if (strcmp(self->format, "ttn") == 0) CONVERT(int64_t, int32_t, from[i] / 1000000);
    if (strcmp(self->format, "tts") == 0) CONVERT(int32_t, int32_t, from[i] * 1000);
    return refuse(self);
}

static leat_code take_decimal(const import *self)
{
    int precision = 0, scale = 0;
    char rest = 0;
    int count = sscanf(self->format, "d:%d,%d%c", &precision, &scale, &rest);
    if (count != 2 || scale != self->type->scale || precision > self->type->precision) return refuse(self);
    return take_values(self);
}

/* --- text --- */

static leat_code add_heap(const import *self, const void *data, size_t size)
{
    leat_column *out = self->out;
    out->heaps = leat_alloc(sizeof *out->heaps);
    if (!out->heaps) return leat_fail_no_memory(self->error);
    out->heaps[0] = wrap(self->owner, data, size);
    if (!out->heaps[0]) return leat_fail_no_memory(self->error);
    out->heaps_count = 1;
    return LEAT_OK;
}

/* Views of `count` values from `first` on, over 32- or 64-bit offsets. False: the data is beyond what a view reaches.
 */
static bool make_views(const struct ArrowArray *array, bool is_large, int64_t first, int64_t count, leat_view *out)
{
    const int32_t *narrow = array->buffers[1];
    const int64_t *wide = array->buffers[1];
    const char *data = array->buffers[2];
    for (int64_t i = 0; i < count; i++) {
        int64_t start = is_large ? wide[first + i] : narrow[first + i];
        int64_t length = (is_large ? wide[first + i + 1] : narrow[first + i + 1]) - start;
        if (start + length > INT32_MAX) return false;
        leat_view view = {.length = (int32_t)length};
        if (length <= LEAT_VIEW_INLINE_MAX) {
            if (length) memcpy(view.inlined, data + start, (size_t)length);
        } else {
            memcpy(view.prefix, data + start, sizeof view.prefix);
            view.offset = (int32_t)start;
        }
        out[i] = view;
    }
    return true;
}

static bool is_text_format(const char *format)
{
    return format[0] && !format[1] && strchr("uzUZ", format[0]);
}

static leat_code too_long(const import *self)
{
    return leat_fail(self->error, LEAT_LIMIT, "column '%s': more than 2 GiB of text in one batch", self->name);
}

static size_t data_bytes(const struct ArrowArray *array, bool is_large)
{
    int64_t end = array->offset + array->length;
    return (size_t)(is_large ? ((const int64_t *)array->buffers[1])[end] : ((const int32_t *)array->buffers[1])[end]);
}

static leat_code take_dictionary(const import *self, const char *index_format)
{
    const struct ArrowArray *dictionary = self->array->dictionary;
    if (strcmp(index_format, "i") != 0 || !is_text_format(self->format)) return refuse(self);
    bool is_large = self->format[0] == 'U' || self->format[0] == 'Z';
    LEAT_TRY(new_values(self));
    leat_view *entries = leat_alloc_aligned(((size_t)dictionary->length + 1) * sizeof *entries);
    if (!entries) return leat_fail_no_memory(self->error);
    leat_code code = LEAT_OK;
    if (!make_views(dictionary, is_large, dictionary->offset, dictionary->length, entries)) code = too_long(self);
    if (code == LEAT_OK) code = add_heap(self, dictionary->buffers[2], data_bytes(dictionary, is_large));
    const int32_t *indices = (const int32_t *)self->array->buffers[1] + self->array->offset;
    leat_view *to = (leat_view *)(void *)self->out->values_buffer->data;
    entries[dictionary->length] = (leat_view){0};
    for (int32_t i = 0; code == LEAT_OK && i < self->rows; i++) {
        /* The index of a NULL is arbitrary. */
        bool is_known = indices[i] >= 0 && indices[i] < dictionary->length;
        to[i] = entries[is_known ? indices[i] : dictionary->length];
    }
    leat_free(entries);
    return code;
}

static leat_code take_text(const import *self, const char *index_format)
{
    if (self->array->dictionary) return take_dictionary(self, index_format);
    if (!is_text_format(self->format)) return refuse(self);
    bool is_large = self->format[0] == 'U' || self->format[0] == 'Z';
    LEAT_TRY(new_values(self));
    leat_view *views = (leat_view *)(void *)self->out->values_buffer->data;
    if (!make_views(self->array, is_large, self->array->offset, self->rows, views)) return too_long(self);
    return add_heap(self, self->array->buffers[2], data_bytes(self->array, is_large));
}

static leat_code take_column(const import *self, const char *index_format)
{
    LEAT_TRY(take_validity(self));
    leat_code code = LEAT_UNSUPPORTED;
    switch (self->type->kind) {
    case LEAT_TYPE_BOOLEAN: code = strcmp(self->format, "b") == 0 ? unpack_bits(self) : refuse(self); break;
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT: code = take_integer(self); break;
    case LEAT_TYPE_FLOAT: code = strcmp(self->format, "f") == 0 ? take_values(self) : refuse(self); break;
    case LEAT_TYPE_DOUBLE: code = take_double(self); break;
    case LEAT_TYPE_DATE: code = strcmp(self->format, "tdD") == 0 ? take_values(self) : refuse(self); break;
    case LEAT_TYPE_TIME: code = take_time(self); break;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: code = take_timestamp(self); break;
    case LEAT_TYPE_DECIMAL: code = take_decimal(self); break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: code = take_text(self, index_format); break;
    default: code = refuse(self);
    }
    if (code == LEAT_OK) zero_nulls(self->out, self->rows);
    return code;
}

leat_code leat_arrow_import_batch(const leat_schema *columns, struct ArrowArray *array,
                                  const struct ArrowSchema *array_schema, leat_batch **out, leat_error *error)
{
    imported *owner = leat_calloc(1, sizeof *owner);
    leat_batch *batch = leat_batch_new(columns->fields_count);
    if (!owner || !batch) {
        leat_free(owner);
        leat_batch_free(batch);
        array->release(array);
        return leat_fail_no_memory(error);
    }
    atomic_init(&owner->references, 1);
    owner->array = *array;
    array->release = NULL;
    LEAT_ASSERT(owner->array.n_children == columns->fields_count);
    batch->rows = batch->selected = (int32_t)owner->array.length;
    leat_code code = LEAT_OK;
    if (owner->array.length > LEAT_BATCH_ROWS_MAX) {
        code = leat_fail(error, LEAT_CORRUPT, "a batch of %lld rows", (long long)owner->array.length);
    }
    for (int32_t i = 0; code == LEAT_OK && i < columns->fields_count; i++) {
        const struct ArrowSchema *schema = array_schema->children[i];
        batch->columns[i].layout = leat_type_layout(&columns->fields[i].type);
import column = {.owner = owner, .array = owner->array.children[i], .format = schema->dictionary ? schema->dictionary->format:schema->format, .name = columns->fields[i].name, .type = & columns->fields[i].type, .out = & batch->columns[i], .rows = batch->rows, .error = error };
        code = take_column(&column, schema->format);
    }
    imported_unref(owner);
    if (code == LEAT_OK)
        *out = batch;
    else
        leat_batch_free(batch);
    return code;
}
