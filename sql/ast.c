#include "sql/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

leat_code leat_parse_fail(leat_parse *parse, leat_sql_range place, leat_code code, const char *format, ...)
{
    if (parse->code != LEAT_OK) return parse->code;
    char text[sizeof parse->error->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    parse->code = code;
    parse->error_place = place;
    return leat_fail(parse->error, code, "%s", text);
}

bool leat_ast_add(leat_parse *parse, leat_ast_list *list, const void *item)
{
    if (list->count == list->capacity) {
        int32_t capacity = list->capacity ? list->capacity * 2 : 4;
        void **items = leat_arena_take(parse->arena, (size_t)capacity * sizeof *items);
        if (!items) return false;
        if (list->count > 0) memcpy(items, list->items, (size_t)list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (void *)(uintptr_t)item;
    return true;
}

leat_ast_expr *leat_ast_expr_new(leat_parse *parse, leat_ast_expr_kind kind, leat_sql_range place)
{
    leat_ast_expr *expr = leat_arena_take(parse->arena, sizeof *expr);
    if (!expr) return NULL;
    expr->kind = kind;
    expr->place = place;
    expr->depth = 1;
    return expr;
}

static bool take_depth(leat_parse *parse, int32_t *depth, int32_t child, leat_sql_range place)
{
    if (child + 1 > *depth) *depth = child + 1;
    if (*depth <= LEAT_SQL_DEPTH_MAX) return true;
    (void)leat_parse_fail(parse, place, LEAT_LIMIT, "The statement is nested deeper than %d levels",
                          LEAT_SQL_DEPTH_MAX);
    return false;
}

bool leat_ast_expr_close(leat_parse *parse, leat_ast_expr *expr)
{
    for (int32_t i = 0; i < expr->arguments.count; i++) {
        const leat_ast_expr *child = expr->arguments.items[i];
        if (child && !take_depth(parse, &expr->depth, child->depth, expr->place)) return false;
    }
    if (expr->filter && !take_depth(parse, &expr->depth, expr->filter->depth, expr->place)) return false;
    return !expr->query || take_depth(parse, &expr->depth, expr->query->depth, expr->place);
}

static bool take_exprs(leat_parse *parse, leat_ast_query *query, const leat_ast_list *exprs)
{
    for (int32_t i = 0; i < exprs->count; i++) {
        const leat_ast_expr *expr = exprs->items[i];
        if (expr && !take_depth(parse, &query->depth, expr->depth, query->place)) return false;
    }
    return true;
}

bool leat_ast_query_close(leat_parse *parse, leat_ast_query *query)
{
    int32_t *depth = &query->depth;
    if (*depth == 0) *depth = 1;
    for (int32_t i = 0; i < query->with.count; i++) {
        const leat_ast_with *with = query->with.items[i];
        if (!take_depth(parse, depth, with->query->depth, query->place)) return false;
    }
    for (int32_t i = 0; i < query->items.count; i++) {
        const leat_ast_item *item = query->items.items[i];
        if (!take_depth(parse, depth, item->expr->depth, query->place)) return false;
    }
    if (!take_exprs(parse, query, &query->rows)) return false;
    if (query->from && !take_depth(parse, depth, query->from->depth, query->place)) return false;
    if (query->where && !take_depth(parse, depth, query->where->depth, query->place)) return false;
    if (query->left && !take_depth(parse, depth, query->left->depth, query->place)) return false;
    return !query->right || take_depth(parse, depth, query->right->depth, query->place);
}

leat_ast_expr *leat_ast_call_new(leat_parse *parse, const char *function, leat_sql_range place, leat_ast_expr *first,
                                 leat_ast_expr *second)
{
    leat_ast_expr *expr = leat_ast_expr_new(parse, LEAT_AST_CALL, place);
    if (!expr) return NULL;
    expr->function = function;
    if (first && !leat_ast_add(parse, &expr->arguments, first)) return NULL;
    if (second && !leat_ast_add(parse, &expr->arguments, second)) return NULL;
    return leat_ast_expr_close(parse, expr) ? expr : NULL;
}

leat_ast_expr *leat_ast_logic_new(leat_parse *parse, leat_ast_expr_kind kind, leat_sql_range place, leat_ast_expr *left,
                                  leat_ast_expr *right)
{
    leat_ast_expr *expr = left;
    if (left->kind != kind ||
        left->is_operator) { /* is_operator: was in parentheses; still the same meaning, but keep its place */
        expr = leat_ast_expr_new(parse, kind, place);
        if (!expr || !leat_ast_add(parse, &expr->arguments, left)) return NULL;
    }
    expr->place = place;
    if (!leat_ast_add(parse, &expr->arguments, right)) return NULL;
    return leat_ast_expr_close(parse, expr) ? expr : NULL;
}

leat_ast_name *leat_ast_name_new(leat_parse *parse, const char *part, leat_sql_range place)
{
    leat_ast_name *name = leat_arena_take(parse->arena, sizeof *name);
    if (!name) return NULL;
    name->place = place;
    name->parts[0] = part;
    name->places[0] = place;
    name->count = 1;
    return name;
}

bool leat_ast_name_add(leat_parse *parse, leat_ast_name *name, const char *part, leat_sql_range place)
{
    if (name->count == LEAT_SQL_NAME_PARTS_MAX) {
        (void)leat_parse_fail(parse, place, LEAT_INVALID, "A name has at most %d parts", LEAT_SQL_NAME_PARTS_MAX);
        return false;
    }
    name->parts[name->count] = part;
    name->places[name->count++] = place;
    name->place.end = place.end;
    return true;
}

leat_ast_type *leat_ast_type_new(leat_parse *parse, leat_type_kind kind, leat_sql_range place)
{
    leat_ast_type *type = leat_arena_take(parse->arena, sizeof *type);
    if (!type) return NULL;
    type->place = place;
    type->type = leat_type_make(kind, true);
    switch (kind) { /* what stands without parentheses */
    case LEAT_TYPE_DECIMAL: type->type.precision = 10; break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_VARBINARY: type->type.precision = 1; break;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: type->type.precision = 6; break;
    default: break;
    }
    return type;
}

static bool read_number(leat_parse *parse, const char *text, leat_sql_range place, int64_t low, int64_t high,
                        const char *what, int32_t *out)
{
    int64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= INT32_MAX; at++)
        value = value * 10 + (*at - '0');
    if (*at || value < low || value > high) {
        (void)leat_parse_fail(parse, place, LEAT_INVALID, "%s must be between %lld and %lld (both inclusive), not %s",
                              what, (long long)low, (long long)high, text);
        return false;
    }
    *out = (int32_t)value;
    return true;
}

bool leat_ast_type_length(leat_parse *parse, leat_ast_type *type, const char *text, leat_sql_range place)
{
    int32_t *out = &type->type.precision;
    switch (type->type.kind) {
    case LEAT_TYPE_DECIMAL:
        return read_number(parse, text, place, 1, LEAT_DECIMAL_PRECISION_MAX, "Decimal precision", out);
    case LEAT_TYPE_TIME: return read_number(parse, text, place, 0, 9, "Time precision", out);
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: return read_number(parse, text, place, 0, 9, "Timestamp precision", out);
    default: return read_number(parse, text, place, 1, LEAT_LENGTH_MAX, "The length of a string", out);
    }
}

bool leat_ast_type_scale(leat_parse *parse, leat_ast_type *type, const char *text, leat_sql_range place)
{
    return read_number(parse, text, place, 0, type->type.precision, "Decimal scale", &type->type.scale);
}
