#include "formats/column_stats.h"

#include <math.h>

#include "common/memory.h"

leat_code leat_stats_init(leat_stats_collector *self, const leat_schema *schema, leat_error *error)
{
    *self = (leat_stats_collector){.columns_count = schema->fields_count};
    self->columns = leat_calloc((size_t)schema->fields_count + 1, sizeof *self->columns);
    self->scratch = leat_alloc_aligned((size_t)LEAT_BATCH_ROWS_MAX * 16);
    if (!self->columns || !self->scratch) {
        leat_stats_done(self);
        return leat_fail_no_memory(error);
    }
    for (int32_t i = 0; i < schema->fields_count; i++) {
        self->columns[i].kind = schema->fields[i].type.kind;
        self->columns[i].layout = leat_type_layout(&schema->fields[i].type);
    }
    return LEAT_OK;
}

void leat_stats_done(leat_stats_collector *self)
{
    for (int32_t i = 0; self->columns && i < self->columns_count; i++) {
        leat_bytes_done(&self->columns[i].text_min);
        leat_bytes_done(&self->columns[i].text_max);
    }
    leat_free(self->columns);
    leat_free(self->scratch);
    *self = (leat_stats_collector){0};
}

/* Sketch: one load and two vector operations a value: memory bandwidth. */
#define BOUNDS(ctype)                                                                                                  \
    static void bounds_##ctype(leat_stats_column *column, const ctype *restrict values, int32_t rows)                  \
    {                                                                                                                  \
        ctype min = values[0], max = values[0];                                                                        \
        for (int32_t i = 0; i < rows; i++) {                                                                           \
            min = values[i] < min ? values[i] : min;                                                                   \
            max = values[i] > max ? values[i] : max;                                                                   \
        }                                                                                                              \
        if (column->has_value) {                                                                                       \
            ctype old_min, old_max;                                                                                    \
            memcpy(&old_min, column->min, sizeof min);                                                                 \
            memcpy(&old_max, column->max, sizeof max);                                                                 \
            min = old_min < min ? old_min : min;                                                                       \
            max = old_max > max ? old_max : max;                                                                       \
        }                                                                                                              \
        memcpy(column->min, &min, sizeof min);                                                                         \
        memcpy(column->max, &max, sizeof max);                                                                         \
    }
typedef __int128 int128;
BOUNDS(int8_t)
BOUNDS(int16_t)
BOUNDS(int32_t)
BOUNDS(int64_t)
BOUNDS(int128)
BOUNDS(float)
BOUNDS(double)

static bool has_nan_float(const float *values, int32_t rows)
{
    int found = 0;
    for (int32_t i = 0; i < rows; i++)
        found |= isnan(values[i]);
    return found != 0;
}

static bool has_nan_double(const double *values, int32_t rows)
{
    int found = 0;
    for (int32_t i = 0; i < rows; i++)
        found |= isnan(values[i]);
    return found != 0;
}

static void bounds_fixed(leat_stats_column *column, const void *values, int32_t rows)
{
    switch (column->kind) {
    case LEAT_TYPE_FLOAT:
        column->has_nan = column->has_nan || has_nan_float(values, rows);
        bounds_float(column, values, rows);
        return;
    case LEAT_TYPE_DOUBLE:
        column->has_nan = column->has_nan || has_nan_double(values, rows);
        bounds_double(column, values, rows);
        return;
    default: break;
    }
    switch (column->layout) {
    case LEAT_LAYOUT_8: bounds_int8_t(column, values, rows); break;
    case LEAT_LAYOUT_16: bounds_int16_t(column, values, rows); break;
    case LEAT_LAYOUT_32: bounds_int32_t(column, values, rows); break;
    case LEAT_LAYOUT_64: bounds_int64_t(column, values, rows); break;
    case LEAT_LAYOUT_128: bounds_int128(column, values, rows); break;
    case LEAT_LAYOUT_VIEW: break;
    }
}

static int compare_text(const void *left, size_t left_size, const void *right, size_t right_size)
{
    size_t shorter = left_size < right_size ? left_size : right_size;
    int order = shorter ? memcmp(left, right, shorter) : 0;
    return order ? order : (left_size > right_size) - (left_size < right_size);
}

/* The extremes of the batch are found among the views; bytes are copied once a batch at most. */
static leat_code bounds_text(leat_stats_column *column, const leat_column *values, const leat_view *views, int32_t rows,
                             leat_error *error)
{
    const leat_view *min = &views[0], *max = &views[0];
    const char *min_data = leat_view_data(values, min), *max_data = min_data;
    for (int32_t i = 1; i < rows; i++) {
        const char *data = leat_view_data(values, &views[i]);
        size_t length = (size_t)views[i].length;
        if (compare_text(data, length, min_data, (size_t)min->length) < 0) {
            min = &views[i];
            min_data = data;
        } else if (compare_text(data, length, max_data, (size_t)max->length) > 0) {
            max = &views[i];
            max_data = data;
        }
    }
    if (!column->has_value ||
        compare_text(min_data, (size_t)min->length, column->text_min.data, column->text_min.size) < 0) {
        leat_bytes_reset(&column->text_min);
        leat_bytes_put(&column->text_min, min_data, (size_t)min->length);
    }
    if (!column->has_value ||
        compare_text(max_data, (size_t)max->length, column->text_max.data, column->text_max.size) > 0) {
        leat_bytes_reset(&column->text_max);
        leat_bytes_put(&column->text_max, max_data, (size_t)max->length);
    }
    LEAT_TRY(leat_bytes_check(&column->text_min, error));
    return leat_bytes_check(&column->text_max, error);
}

/* Values that are not NULL, one after another, in the scratch. */
static int32_t without_nulls(const leat_column *column, int32_t rows, uint8_t *scratch)
{
    size_t width = leat_layout_bytes(column->layout);
    const uint8_t *from = column->values;
    int32_t count = 0;
    for (int32_t i = 0; i < rows; i++) {
        memcpy(scratch + (size_t)count * width, from + (size_t)i * width, width);
        count += leat_bit_get(column->validity, i);
    }
    return count;
}

leat_code leat_stats_add(leat_stats_collector *self, const leat_batch *batch, leat_error *error)
{
    LEAT_ASSERT(batch->rows <= LEAT_BATCH_ROWS_MAX && !batch->selection);
    for (int32_t c = 0; c < self->columns_count; c++) {
        leat_stats_column *column = &self->columns[c];
        const leat_column *from = &batch->columns[c];
        bool is_bytes = column->kind == LEAT_TYPE_BINARY || column->kind == LEAT_TYPE_VARBINARY;
        const void *values = from->values;
        int32_t rows = batch->rows;
        if (from->validity) {
            rows = without_nulls(from, batch->rows, self->scratch);
            values = self->scratch;
            column->null_count += batch->rows - rows;
        }
        if (rows == 0 || is_bytes) continue;
        if (column->layout == LEAT_LAYOUT_VIEW)
            LEAT_TRY(bounds_text(column, from, values, rows, error));
        else
            bounds_fixed(column, values, rows);
        column->has_value = true;
    }
    return LEAT_OK;
}

static void widen_zero(leat_stats_column *column)
{
    if (column->kind == LEAT_TYPE_FLOAT) {
        float min, max;
        memcpy(&min, column->min, sizeof min);
        memcpy(&max, column->max, sizeof max);
        if (min == 0) min = -0.0F;
        if (max == 0) max = 0.0F;
        memcpy(column->min, &min, sizeof min);
        memcpy(column->max, &max, sizeof max);
    } else if (column->kind == LEAT_TYPE_DOUBLE) {
        double min, max;
        memcpy(&min, column->min, sizeof min);
        memcpy(&max, column->max, sizeof max);
        if (min == 0) min = -0.0;
        if (max == 0) max = 0.0;
        memcpy(column->min, &min, sizeof min);
        memcpy(column->max, &max, sizeof max);
    }
}

leat_code leat_stats_finish(leat_stats_collector *self, leat_column_stats *out, leat_error *error)
{
    for (int32_t c = 0; c < self->columns_count; c++) {
        leat_stats_column *column = &self->columns[c];
        out[c] = (leat_column_stats){.null_count = column->null_count};
    }
    for (int32_t c = 0; c < self->columns_count; c++) {
        leat_stats_column *column = &self->columns[c];
        if (!column->has_value || column->has_nan) continue;
        out[c].has_bounds = true;
        if (column->layout == LEAT_LAYOUT_VIEW) {
            out[c].min = column->text_min;
            out[c].max = column->text_max;
            column->text_min = column->text_max = (leat_bytes){0};
        } else {
            widen_zero(column);
            leat_bytes_put(&out[c].min, column->min, leat_layout_bytes(column->layout));
            leat_bytes_put(&out[c].max, column->max, leat_layout_bytes(column->layout));
        }
        LEAT_TRY(leat_bytes_check(&out[c].min, error));
        LEAT_TRY(leat_bytes_check(&out[c].max, error));
    }
    return LEAT_OK;
}
