#include <string.h>

#include "common/memory.h"
#include "formats/arrow_columns.h"

enum { FORMAT_BYTES = 32 };

typedef struct exported_schema {
    struct ArrowSchema *children;
    struct ArrowSchema **pointers;
    char (*formats)[FORMAT_BYTES];
} exported_schema;

static void release_child_schema(struct ArrowSchema *schema)
{
    schema->release = NULL; /* its memory is the parent's */
}

static void release_schema(struct ArrowSchema *schema)
{
    exported_schema *exported = schema->private_data;
    for (int64_t i = 0; i < schema->n_children; i++)
        leat_free((char *)(uintptr_t)exported->children[i].name);
    leat_free(exported->children);
    leat_free(exported->pointers);
    leat_free(exported->formats);
    leat_free(exported);
    schema->release = NULL;
}

static bool is_millis(const leat_type *type)
{
    return type->precision <= 3;
}

static void format_of(const leat_type *type, char *out)
{
    const char *simple = "";
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: simple = "b"; break;
    case LEAT_TYPE_TINYINT: simple = "c"; break;
    case LEAT_TYPE_SMALLINT: simple = "s"; break;
    case LEAT_TYPE_INT: simple = "i"; break;
    case LEAT_TYPE_BIGINT: simple = "l"; break;
    case LEAT_TYPE_FLOAT: simple = "f"; break;
    case LEAT_TYPE_DOUBLE: simple = "g"; break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR: simple = "u"; break;
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: simple = "z"; break;
    case LEAT_TYPE_DATE: simple = "tdD"; break;
    case LEAT_TYPE_TIME: simple = "ttm"; break;
    case LEAT_TYPE_TIMESTAMP: simple = is_millis(type) ? "tsm:" : "tsu:"; break;
    case LEAT_TYPE_TIMESTAMP_LTZ: simple = is_millis(type) ? "tsm:UTC" : "tsu:UTC"; break;
    case LEAT_TYPE_DECIMAL: snprintf(out, FORMAT_BYTES, "d:%d,%d", type->precision, type->scale); return;
    default: break;
    }
    snprintf(out, FORMAT_BYTES, "%s", simple);
}

leat_code leat_arrow_export_schema(const leat_schema *schema, struct ArrowSchema *out, leat_error *error)
{
    size_t count = (size_t)schema->fields_count;
    exported_schema *exported = leat_calloc(1, sizeof *exported);
    if (!exported) return leat_fail_no_memory(error);
    exported->children = leat_calloc(count + 1, sizeof *exported->children);
    exported->pointers = leat_calloc(count + 1, sizeof *exported->pointers);
    exported->formats = leat_calloc(count + 1, sizeof *exported->formats);
    *out = (struct ArrowSchema){.format = "+s",
                                .name = "",
                                .children = exported->pointers,
                                .release = release_schema,
                                .private_data = exported};
    leat_code code =
        exported->children && exported->pointers && exported->formats ? LEAT_OK : leat_fail_no_memory(error);
    for (size_t i = 0; code == LEAT_OK && i < count; i++) {
        const leat_field *field = &schema->fields[i];
        struct ArrowSchema *child = &exported->children[i];
        exported->pointers[i] = child;
        format_of(&field->type, exported->formats[i]);
        *child = (struct ArrowSchema){.format = exported->formats[i], .release = release_child_schema};
        child->flags = field->type.nullable ? ARROW_FLAG_NULLABLE : 0;
        child->name = leat_strdup(field->name);
        out->n_children = (int64_t)i + 1;
        if (!child->name)
            code = leat_fail_no_memory(error);
        else if (!leat_type_has_column(&field->type) || !exported->formats[i][0]) {
            code = leat_fail(error, LEAT_UNSUPPORTED, "column '%s': its type cannot be written yet", field->name);
        }
    }
    if (code != LEAT_OK) release_schema(out);
    return code;
}

enum { BUFFERS_MAX = 3 };

typedef struct exported_column {
    struct ArrowArray array;
    const void *buffers[BUFFERS_MAX];
    void *converted[2]; /* owned */
} exported_column;

typedef struct exported_batch {
    exported_column *columns;
    struct ArrowArray **pointers;
    const void *buffers[1];
} exported_batch;

static void release_child(struct ArrowArray *array)
{
    array->release = NULL;
}

static void release_batch(struct ArrowArray *array)
{
    exported_batch *exported = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++) {
        leat_free(exported->columns[i].converted[0]);
        leat_free(exported->columns[i].converted[1]);
    }
    leat_free(exported->columns);
    leat_free(exported->pointers);
    leat_free(exported);
    array->release = NULL;
}

static leat_code pack_bits(exported_column *out, const int8_t *values, int32_t rows, leat_error *error)
{
    size_t bytes = ((size_t)rows + 7) / 8;
    uint8_t *bits = leat_alloc_aligned(bytes + 1);
    if (!bits) return leat_fail_no_memory(error);
    memset(bits, 0, bytes + 1);
    for (int32_t i = 0; i < rows; i++)
        bits[i >> 3] |= (uint8_t)((values[i] & 1) << (i & 7));
    out->converted[0] = bits;
    out->buffers[1] = bits;
    return LEAT_OK;
}

static leat_code to_millis(exported_column *out, const int64_t *micros, int32_t rows, leat_error *error)
{
    int64_t *millis = leat_alloc_aligned((size_t)rows * sizeof *millis + 1);
    if (!millis) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < rows; i++)
        millis[i] = micros[i] / 1000 - (micros[i] % 1000 < 0);
    out->converted[0] = millis;
    out->buffers[1] = millis;
    return LEAT_OK;
}

static leat_code to_offsets(exported_column *out, const leat_column *column, int32_t rows, leat_error *error)
{
    const leat_view *views = column->values;
    int32_t *offsets = leat_alloc_aligned(((size_t)rows + 1) * sizeof *offsets);
    out->converted[0] = offsets;
    if (!offsets) return leat_fail_no_memory(error);
    int64_t total = 0;
    for (int32_t i = 0; i < rows; i++) {
        offsets[i] = (int32_t)total;
        total += views[i].length;
        if (total > INT32_MAX) return leat_fail(error, LEAT_LIMIT, "more than 2 GiB of text in one batch column");
    }
    offsets[rows] = (int32_t)total;
    char *data = leat_alloc_aligned((size_t)total + LEAT_VIEW_INLINE_MAX + 1);
    out->converted[1] = data;
    if (!data) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < rows; i++) {
        const leat_view *view = &views[i];
        /* Short values: a fixed size is one or two moves; what is too much is overwritten by the next value. */
        if (view->length <= LEAT_VIEW_INLINE_MAX)
            memcpy(data + offsets[i], view->inlined, LEAT_VIEW_INLINE_MAX);
        else
            memcpy(data + offsets[i], leat_view_data(column, view), (size_t)view->length);
    }
    out->buffers[1] = offsets;
    out->buffers[2] = data;
    return LEAT_OK;
}

static leat_code export_column(const leat_type *type, const leat_column *column, int32_t rows, exported_column *out,
                               leat_error *error)
{
    bool is_view = column->layout == LEAT_LAYOUT_VIEW;
    out->array = (struct ArrowArray){.length = rows,
                                     .null_count = column->validity ? -1 : 0,
                                     .n_buffers = is_view ? 3 : 2,
                                     .buffers = out->buffers,
                                     .release = release_child};
    out->buffers[0] = column->validity;
    out->buffers[1] = column->values;
    bool is_timestamp = type->kind == LEAT_TYPE_TIMESTAMP || type->kind == LEAT_TYPE_TIMESTAMP_LTZ;
    if (is_view) return to_offsets(out, column, rows, error);
    if (type->kind == LEAT_TYPE_BOOLEAN) return pack_bits(out, column->values, rows, error);
    if (is_timestamp && is_millis(type)) return to_millis(out, column->values, rows, error);
    return LEAT_OK;
}

leat_code leat_arrow_export_batch(const leat_schema *schema, const leat_batch *batch, struct ArrowArray *out,
                                  leat_error *error)
{
    LEAT_ASSERT(!batch->selection);
    size_t count = (size_t)schema->fields_count;
    exported_batch *exported = leat_calloc(1, sizeof *exported);
    if (!exported) return leat_fail_no_memory(error);
    exported->columns = leat_calloc(count + 1, sizeof *exported->columns);
    exported->pointers = leat_calloc(count + 1, sizeof *exported->pointers);
    *out = (struct ArrowArray){.length = batch->rows,
                               .n_buffers = 1,
                               .buffers = exported->buffers,
                               .children = exported->pointers,
                               .release = release_batch,
                               .private_data = exported};
    leat_code code = exported->columns && exported->pointers ? LEAT_OK : leat_fail_no_memory(error);
    for (size_t i = 0; code == LEAT_OK && i < count; i++) {
        exported->pointers[i] = &exported->columns[i].array;
        out->n_children = (int64_t)i + 1;
        code = export_column(&schema->fields[i].type, &batch->columns[i], batch->rows, &exported->columns[i], error);
    }
    if (code != LEAT_OK) release_batch(out);
    return code;
}
