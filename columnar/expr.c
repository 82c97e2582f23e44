#include "columnar/expr.h"

#include <stdio.h>
#include <string.h>

#include "columnar/decimal.h"
#include "columnar/kernel.h"
#include "columnar/text.h"
#include "columnar/value.h"

static void write_type(const leat_type *type, leat_bytes *out)
{
    leat_bytes text = {0};
    leat_type_print(type, false, &text);
    if (text.failed) out->failed = true;
    leat_bytes_put_block(out, text.data, text.size);
    leat_bytes_done(&text);
}

static bool is_f64(const leat_type *type)
{
    return type->kind == LEAT_TYPE_FLOAT || type->kind == LEAT_TYPE_DOUBLE;
}

static void write_value(const leat_expr *expr, leat_bytes *out)
{
    leat_bytes_put_u8(out, expr->value.is_null);
    if (expr->value.is_null) return;
    if (is_f64(&expr->type)) {
        leat_bytes_put(out, &expr->value.f64, 8);
        return;
    }
    switch (leat_type_layout(&expr->type)) {
    case LEAT_LAYOUT_128: leat_bytes_put(out, &expr->value.i128, 16); break;
    case LEAT_LAYOUT_VIEW: leat_bytes_put_block(out, expr->value.text.data, (size_t)expr->value.text.length); break;
    default: leat_bytes_put_i64(out, expr->value.i64);
    }
}

void leat_expr_write(const leat_expr *expr, leat_bytes *out)
{
    leat_bytes_put_u8(out, (uint8_t)expr->kind);
    write_type(&expr->type, out);
    if (expr->kind == LEAT_EXPR_LITERAL) write_value(expr, out);
    if (expr->kind == LEAT_EXPR_COLUMN) leat_bytes_put_u32(out, (uint32_t)expr->column);
    if (expr->kind == LEAT_EXPR_CALL) leat_bytes_put_block(out, expr->function, strlen(expr->function));
    leat_bytes_put_u32(out, (uint32_t)expr->arguments_count);
    for (int32_t i = 0; i < expr->arguments_count; i++)
        leat_expr_write(expr->arguments[i], out);
}

static leat_code read_block(leat_reader *reader, leat_arena *arena, const char **out, size_t *length, leat_error *error)
{
    const uint8_t *data = leat_reader_block(reader, length);
    if (reader->failed) return leat_fail(error, LEAT_CORRUPT, "an expression ends early");
    *out = leat_arena_strndup(arena, (const char *)data, *length);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code read_value(leat_reader *reader, leat_arena *arena, leat_expr *expr, leat_error *error)
{
    expr->value.is_null = leat_reader_u8(reader) != 0;
    if (expr->value.is_null) return LEAT_OK;
    const uint8_t *bytes;
    if (is_f64(&expr->type)) {
        bytes = leat_reader_take(reader, 8);
        if (bytes) memcpy(&expr->value.f64, bytes, 8);
        return LEAT_OK;
    }
    switch (leat_type_layout(&expr->type)) {
    case LEAT_LAYOUT_128:
        bytes = leat_reader_take(reader, 16);
        if (bytes) memcpy(&expr->value.i128, bytes, 16);
        return LEAT_OK;
    case LEAT_LAYOUT_VIEW: {
        size_t length;
        LEAT_TRY(read_block(reader, arena, &expr->value.text.data, &length, error));
        if (length > INT32_MAX) return leat_fail(error, LEAT_CORRUPT, "a literal of %zu bytes", length);
        expr->value.text.length = (int32_t)length;
        return LEAT_OK;
    }
    default: expr->value.i64 = leat_reader_i64(reader); return LEAT_OK;
    }
}

static leat_code read_expr(leat_reader *reader, leat_arena *arena, int depth, const leat_expr **out, leat_error *error)
{
    if (depth > LEAT_EXPR_DEPTH_MAX) return leat_fail(error, LEAT_CORRUPT, "an expression is too deep");
    leat_expr *expr = leat_arena_take(arena, sizeof *expr);
    if (!expr) return leat_fail_no_memory(error);
    uint8_t kind = leat_reader_u8(reader);
    if (kind > LEAT_EXPR_COALESCE) return leat_fail(error, LEAT_CORRUPT, "an expression of kind %u", kind);
    expr->kind = (leat_expr_kind)kind;
    const char *text;
    size_t length;
    LEAT_TRY(read_block(reader, arena, &text, &length, error));
    LEAT_TRY(leat_type_parse(text, arena, &expr->type, error));
    if (expr->kind == LEAT_EXPR_LITERAL) LEAT_TRY(read_value(reader, arena, expr, error));
    if (expr->kind == LEAT_EXPR_COLUMN) expr->column = (int32_t)leat_reader_u32(reader);
    if (expr->kind == LEAT_EXPR_CALL) LEAT_TRY(read_block(reader, arena, &expr->function, &length, error));
    uint32_t count = leat_reader_u32(reader);
    if (reader->failed || count > 2 * LEAT_EXPR_ARGUMENTS_MAX)
        return leat_fail(error, LEAT_CORRUPT, "an expression is cut");
    const leat_expr **arguments = leat_arena_take(arena, (count + 1) * sizeof *arguments);
    if (!arguments) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++)
        LEAT_TRY(read_expr(reader, arena, depth + 1, &arguments[i], error));
    expr->arguments = arguments;
    expr->arguments_count = (int32_t)count;
    *out = expr;
    return LEAT_OK;
}

leat_code leat_expr_read(leat_reader *reader, leat_arena *arena, const leat_expr **out, leat_error *error)
{
    return read_expr(reader, arena, 0, out, error);
}

static void print_literal(const leat_expr *expr, leat_bytes *out)
{
    if (expr->value.is_null || expr->type.kind == LEAT_TYPE_NULL) {
        leat_bytes_text(out, "NULL");
        return;
    }
    uint8_t value[16] = {0};
    leat_buffer heap = {0}, *heaps[1] = {&heap};
    leat_column column = {.layout = leat_type_layout(&expr->type), .values = value, .heaps = heaps, .heaps_count = 1};
    if (column.layout == LEAT_LAYOUT_VIEW) {
        leat_view view = {.length = expr->value.text.length};
        heap.data = (uint8_t *)(uintptr_t)expr->value.text.data;
        if (view.length <= LEAT_VIEW_INLINE_MAX) memcpy(view.inlined, heap.data, (size_t)view.length);
        memcpy(value, &view, sizeof view);
    } else if (column.layout == LEAT_LAYOUT_128) {
        memcpy(value, &expr->value.i128, 16);
    } else if (expr->type.kind == LEAT_TYPE_FLOAT) {
        float number = (float)expr->value.f64;
        memcpy(value, &number, sizeof number);
    } else {
        memcpy(value, &expr->value.i64, 8); /* little-endian: narrower values are its first bytes; f64 lies there too */
    }
    const char *quote = leat_type_is_text(&expr->type) ? "'" : "";
    leat_bytes_text(out, quote);
    leat_value_print_in(&expr->type, &column, 0, NULL, out);
    leat_bytes_text(out, quote);
}

static void print_list(const leat_expr *expr, const leat_schema *schema, const char *between, leat_bytes *out)
{
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        if (i > 0) leat_bytes_text(out, between);
        leat_expr_print(expr->arguments[i], schema, out);
    }
}

static void print_call(const leat_expr *expr, const leat_schema *schema, leat_bytes *out)
{
    const char *name = expr->function;
    bool is_word = name[0] >= 'A' && name[0] <= 'Z';
    bool is_after = strncmp(name, "IS ", 3) == 0 && expr->arguments_count == 1;
    char between[64];
    if (is_after) {
        leat_bytes_text(out, "(");
        print_list(expr, schema, "", out);
        leat_bytes_format(out, " %s)", name);
    } else if (expr->arguments_count == 2 && (!is_word || strncmp(name, "IS ", 3) == 0 || strcmp(name, "LIKE") == 0)) {
        snprintf(between, sizeof between, " %s ", name);
        leat_bytes_text(out, "(");
        print_list(expr, schema, between, out);
        leat_bytes_text(out, ")");
    } else {
        leat_bytes_format(out, "%s(", strcmp(name, "NEGATE") == 0 ? "-" : name);
        print_list(expr, schema, ", ", out);
        leat_bytes_text(out, ")");
    }
}

void leat_expr_print(const leat_expr *expr, const leat_schema *schema, leat_bytes *out)
{
    switch (expr->kind) {
    case LEAT_EXPR_LITERAL: print_literal(expr, out); break;
    case LEAT_EXPR_COLUMN:
        if (expr->column < schema->fields_count)
            leat_bytes_text(out, schema->fields[expr->column].name);
        else
            leat_bytes_format(out, "$%d", expr->column);
        break;
    case LEAT_EXPR_CALL: print_call(expr, schema, out); break;
    case LEAT_EXPR_CAST:
    case LEAT_EXPR_TRY_CAST: {
        leat_type plain = leat_type_with_nullable(&expr->type, true);
        leat_bytes_text(out, expr->kind == LEAT_EXPR_CAST ? "CAST(" : "TRY_CAST(");
        print_list(expr, schema, ", ", out);
        leat_bytes_text(out, " AS ");
        leat_type_print(&plain, true, out);
        leat_bytes_text(out, ")");
        break;
    }
    case LEAT_EXPR_CASE:
    case LEAT_EXPR_COALESCE:
        leat_bytes_text(out, expr->kind == LEAT_EXPR_CASE ? "CASE(" : "COALESCE(");
        print_list(expr, schema, ", ", out);
        leat_bytes_text(out, ")");
        break;
    case LEAT_EXPR_AND:
    case LEAT_EXPR_OR:
        leat_bytes_text(out, "(");
        print_list(expr, schema, expr->kind == LEAT_EXPR_AND ? " AND " : " OR ", out);
        leat_bytes_text(out, ")");
        break;
    }
}
