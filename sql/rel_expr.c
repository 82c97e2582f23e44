/* Small things done with typed expressions. Depth is bounded by LEAT_EXPR_DEPTH_MAX: the binder refuses deeper ones. */
#include <string.h>

#include "sql/plan.h"

static leat_expr *expr_new(leat_plan *plan, leat_expr_kind kind, const leat_type *type, int32_t arguments_count,
                           const leat_expr ***arguments)
{
    leat_expr *expr = leat_arena_take(plan->arena, sizeof *expr);
    const leat_expr **list =
        arguments_count ? leat_arena_take(plan->arena, (size_t)arguments_count * sizeof *list) : NULL;
    if (!expr || (arguments_count && !list)) return NULL;
    expr->kind = kind;
    expr->type = *type;
    expr->arguments_count = arguments_count;
    expr->arguments = list;
    if (arguments) *arguments = list;
    return expr;
}

const leat_expr *leat_expr_column(leat_plan *plan, const leat_schema *schema, int32_t column)
{
    leat_expr *expr = expr_new(plan, LEAT_EXPR_COLUMN, &schema->fields[column].type, 0, NULL);
    if (expr) expr->column = column;
    return expr;
}

const leat_expr *leat_expr_literal_int(leat_plan *plan, int32_t value)
{
    leat_type type = leat_type_make(LEAT_TYPE_INT, false);
    leat_expr *expr = expr_new(plan, LEAT_EXPR_LITERAL, &type, 0, NULL);
    if (expr) expr->value.i64 = value;
    return expr;
}

const leat_expr *leat_expr_null(leat_plan *plan, const leat_type *type)
{
    leat_type nullable = leat_type_with_nullable(type, true);
    leat_expr *expr = expr_new(plan, LEAT_EXPR_LITERAL, &nullable, 0, NULL);
    if (expr) expr->value.is_null = true;
    return expr;
}

const leat_expr *leat_expr_cast(leat_plan *plan, const leat_expr *expr, const leat_type *type)
{
    if (leat_type_equal(&expr->type, type, false)) return expr;
    leat_type to = leat_type_with_nullable(type, expr->type.nullable || expr->type.kind == LEAT_TYPE_NULL);
    if (expr->type.kind == LEAT_TYPE_NULL) return leat_expr_null(plan, &to);
    const leat_expr **arguments;
    leat_expr *cast = expr_new(plan, LEAT_EXPR_CAST, &to, 1, &arguments);
    if (cast) arguments[0] = expr;
    return cast;
}

const leat_expr *leat_expr_and(leat_plan *plan, const leat_expr *left, const leat_expr *right)
{
    if (!left || !right) return left ? left : right;
    const leat_expr *both[2] = {left, right};
    int32_t count = 0;
    for (int i = 0; i < 2; i++)
        count += both[i]->kind == LEAT_EXPR_AND ? both[i]->arguments_count : 1;
    leat_type type = leat_type_make(LEAT_TYPE_BOOLEAN, left->type.nullable || right->type.nullable);
    const leat_expr **arguments;
    bool is_flat = count <= LEAT_EXPR_ARGUMENTS_MAX;
    leat_expr *expr = expr_new(plan, LEAT_EXPR_AND, &type, is_flat ? count : 2, &arguments);
    if (!expr) return NULL;
    int32_t used = 0;
    for (int i = 0; i < 2; i++) {
        if (is_flat && both[i]->kind == LEAT_EXPR_AND)
            for (int32_t k = 0; k < both[i]->arguments_count; k++)
                arguments[used++] = both[i]->arguments[k];
        else
            arguments[used++] = both[i];
    }
    return expr;
}

leat_code leat_expr_call(leat_plan *plan, leat_sql_range place, const char *function, const leat_expr *const *arguments,
                         int32_t count, const leat_expr **out)
{
    leat_function_match *match = leat_arena_take(plan->arena, sizeof *match);
    if (!match) return leat_fail_no_memory(plan->error);
    if (count > LEAT_EXPR_ARGUMENTS_MAX)
        return leat_plan_fail(plan, place, LEAT_LIMIT, "%s has more than %d arguments", function,
                              LEAT_EXPR_ARGUMENTS_MAX);
    leat_code code = leat_function_resolve_exprs(function, arguments, count, match, plan->error);
    if (code != LEAT_OK) return leat_plan_at(plan, place, code);
    const leat_expr **list;
    leat_expr *call = expr_new(plan, LEAT_EXPR_CALL, &match->type, count, &list);
    if (!call) return leat_fail_no_memory(plan->error);
    call->function = leat_arena_strdup(plan->arena, match->id);
    if (!call->function) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++) {
        list[i] = leat_expr_cast(plan, arguments[i], &match->casts[i]);
        if (!list[i]) return leat_fail_no_memory(plan->error);
    }
    *out = call;
    return LEAT_OK;
}

bool leat_expr_is_equal(const leat_expr *left, const leat_expr *right)
{
    if (left == right) return true;
    leat_bytes a = {0}, b = {0};
    leat_expr_write(left, &a);
    leat_expr_write(right, &b);
    bool is_equal = !a.failed && !b.failed && a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    leat_bytes_done(&a);
    leat_bytes_done(&b);
    return is_equal;
}

int32_t leat_expr_depth(const leat_expr *expr)
{
    int32_t deepest = 0;
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        int32_t depth = leat_expr_depth(expr->arguments[i]);
        if (depth > deepest) deepest = depth;
    }
    return deepest + 1;
}

/* The expression alone: its arguments are the caller's to set. */
static leat_expr *copy_node(leat_plan *plan, const leat_expr *expr, const leat_expr ***arguments)
{
    leat_expr *copy = expr_new(plan, expr->kind, &expr->type, expr->arguments_count, arguments);
    if (!copy) return NULL;
    copy->value = expr->value;
    copy->function = expr->function;
    return copy;
}

const leat_expr *leat_expr_substitute(leat_plan *plan, const leat_expr *expr, const leat_expr *const *replacements)
{
    if (expr->kind == LEAT_EXPR_COLUMN) return replacements[expr->column];
    if (expr->arguments_count == 0) return expr;
    const leat_expr **arguments;
    leat_expr *copy = copy_node(plan, expr, &arguments);
    if (!copy) return NULL;
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        arguments[i] = leat_expr_substitute(plan, expr->arguments[i], replacements);
        if (!arguments[i]) return NULL;
    }
    return copy;
}

const leat_expr *leat_expr_remap(leat_plan *plan, const leat_expr *expr, const int32_t *map)
{
    if (expr->kind == LEAT_EXPR_COLUMN) {
        leat_expr *column = expr_new(plan, LEAT_EXPR_COLUMN, &expr->type, 0, NULL);
        if (column) column->column = map[expr->column];
        return column;
    }
    if (expr->arguments_count == 0) return expr;
    const leat_expr **arguments;
    leat_expr *copy = copy_node(plan, expr, &arguments);
    if (!copy) return NULL;
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        arguments[i] = leat_expr_remap(plan, expr->arguments[i], map);
        if (!arguments[i]) return NULL;
    }
    return copy;
}

void leat_expr_mark(const leat_expr *expr, bool *used)
{
    if (expr->kind == LEAT_EXPR_COLUMN) used[expr->column] = true;
    for (int32_t i = 0; i < expr->arguments_count; i++)
        leat_expr_mark(expr->arguments[i], used);
}

bool leat_expr_is_deterministic(const leat_expr *expr)
{
    static const char *const moving[] = {"PROCTIME",
                                         "NOW",
                                         "CURRENT_TIMESTAMP",
                                         "CURRENT_ROW_TIMESTAMP",
                                         "LOCALTIMESTAMP",
                                         "CURRENT_DATE",
                                         "CURRENT_TIME",
                                         "LOCALTIME",
                                         "RAND",
                                         "RAND_INTEGER",
                                         "UUID"};
    if (expr->kind == LEAT_EXPR_CALL)
        for (size_t i = 0; i < sizeof moving / sizeof *moving; i++)
            if (strcmp(expr->function, moving[i]) == 0) return false;
    for (int32_t i = 0; i < expr->arguments_count; i++)
        if (!leat_expr_is_deterministic(expr->arguments[i])) return false;
    return true;
}
