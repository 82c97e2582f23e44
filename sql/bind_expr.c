/* Expressions: names and types. Flink's rules of types are those of columnar/expr.h; here is what SQL's forms mean. */
#include <string.h>

#include "sql/bind.h"

static leat_code bind_list(leat_plan *plan, leat_scope *scope, const leat_ast_list *list, const leat_expr ***out)
{
    const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)(list->count + 1) * sizeof *exprs);
    if (!exprs) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < list->count; i++)
        LEAT_TRY(leat_bind_expr(plan, scope, list->items[i], &exprs[i]));
    *out = exprs;
    return LEAT_OK;
}

static leat_expr *expr_of(leat_plan *plan, leat_expr_kind kind, leat_type type, const leat_expr **arguments,
                          int32_t count)
{
    leat_expr *expr = leat_arena_take(plan->arena, sizeof *expr);
    if (!expr) return NULL;
    expr->kind = kind;
    expr->type = type;
    expr->arguments = arguments;
    expr->arguments_count = count;
    return expr;
}

static leat_code fail_type(leat_plan *plan, leat_sql_range place, const char *what, const leat_type *from,
                           const leat_type *to)
{
    leat_bytes from_text = {0}, to_text = {0};
    leat_type_print(from, true, &from_text);
    leat_type_print(to, true, &to_text);
    leat_code code = leat_plan_fail(plan, place, LEAT_INVALID, what, from_text.data ? (char *)from_text.data : "?",
                                    to_text.data ? (char *)to_text.data : "?");
    leat_bytes_done(&from_text);
    leat_bytes_done(&to_text);
    return code;
}

static leat_code bind_cast(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    const leat_expr *from;
    const leat_type *to = &ast->type->type;
    LEAT_TRY(leat_bind_expr(plan, scope, ast->arguments.items[0], &from));
    if (!leat_type_has_column(to))
        return leat_plan_fail(plan, ast->type->place, LEAT_UNSUPPORTED, "Values of this type are not supported yet");
    if (from->type.kind != LEAT_TYPE_NULL && !leat_cast_is_known(&from->type, to))
        return fail_type(plan, ast->place, "Cast function cannot convert value of type %s to type %s", &from->type, to);
    const leat_expr **arguments = leat_arena_take(plan->arena, sizeof *arguments);
    if (!arguments) return leat_fail_no_memory(plan->error);
    arguments[0] = from;
    leat_type type = leat_type_with_nullable(to, ast->is_try || from->type.nullable);
    if (from->type.kind == LEAT_TYPE_NULL)
        *out = leat_expr_null(plan, &type);
    else if (!ast->is_try && leat_type_equal(&from->type, to, false))
        *out = from;
    else
        *out = expr_of(plan, ast->is_try ? LEAT_EXPR_TRY_CAST : LEAT_EXPR_CAST, type, arguments, 1);
    return *out ? LEAT_OK : leat_fail_no_memory(plan->error);
}

static leat_code as_boolean(leat_plan *plan, leat_sql_range place, const char *what, const leat_expr **expr)
{
    leat_type boolean = leat_type_make(LEAT_TYPE_BOOLEAN, true);
    if ((*expr)->type.kind == LEAT_TYPE_NULL) {
        *expr = leat_expr_null(plan, &boolean);
        return *expr ? LEAT_OK : leat_fail_no_memory(plan->error);
    }
    if ((*expr)->type.kind == LEAT_TYPE_BOOLEAN) return LEAT_OK;
    leat_bytes text = {0};
    leat_type_print(&(*expr)->type, true, &text);
    leat_code code = leat_plan_fail(plan, place, LEAT_INVALID, "%s must be a condition (BOOLEAN), not %s", what,
                                    text.data ? (const char *)text.data : "?");
    leat_bytes_done(&text);
    return code;
}

static leat_code bind_case(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    int32_t start = ast->has_operand ? 1 : 0, count = ast->arguments.count - start, thens = 0;
    if (count > LEAT_EXPR_ARGUMENTS_MAX)
        return leat_plan_fail(plan, ast->place, LEAT_LIMIT, "CASE has more than %d branches",
                              LEAT_EXPR_ARGUMENTS_MAX / 2);
    const leat_expr *operand = NULL, **list = leat_arena_take(plan->arena, (size_t)count * sizeof *list);
    leat_type *types = leat_arena_take(plan->arena, (size_t)count * sizeof *types), common;
    if (!list || !types) return leat_fail_no_memory(plan->error);
    if (ast->has_operand) LEAT_TRY(leat_bind_expr(plan, scope, ast->arguments.items[0], &operand));
    for (int32_t i = 0; i < count; i++) {
        const leat_ast_expr *item = ast->arguments.items[start + i];
        bool is_when = i % 2 == 0 && i + 1 < count;
        if (item)
            LEAT_TRY(leat_bind_expr(plan, scope, item, &list[i]));
        else
            list[i] = leat_expr_null(plan, &(leat_type){.kind = LEAT_TYPE_NULL, .nullable = true});
        if (!list[i]) return leat_fail_no_memory(plan->error);
        if (is_when && operand) {
            const leat_expr *pair[2] = {operand, list[i]};
            LEAT_TRY(leat_expr_call(plan, item->place, "=", pair, 2, &list[i]));
        }
        if (is_when)
            LEAT_TRY(as_boolean(plan, item->place, "WHEN", &list[i]));
        else
            types[thens++] = list[i]->type;
    }
    leat_code code = leat_type_common(types, thens, &common, plan->error);
    if (code != LEAT_OK) return leat_plan_at(plan, ast->place, code);
    for (int32_t i = 0; i < count; i++) {
        if (i % 2 == 0 && i + 1 < count) continue; /* a condition */
        list[i] = leat_expr_cast(plan, list[i], &common);
        if (!list[i]) return leat_fail_no_memory(plan->error);
    }
    *out = expr_of(plan, LEAT_EXPR_CASE, common, list, count);
    return *out ? LEAT_OK : leat_fail_no_memory(plan->error);
}

static leat_code bind_logic(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    const leat_expr **list;
    bool nullable = false;
    const char *name = ast->kind == LEAT_AST_AND ? "AND" : "OR";
    LEAT_TRY(bind_list(plan, scope, &ast->arguments, &list));
    int32_t count = ast->arguments.count;
    for (int32_t i = 0; i < count; i++) {
        const leat_ast_expr *item = ast->arguments.items[i];
        LEAT_TRY(as_boolean(plan, item->place, name, &list[i]));
        nullable |= list[i]->type.nullable;
    }
    leat_expr_kind kind = ast->kind == LEAT_AST_AND ? LEAT_EXPR_AND : LEAT_EXPR_OR;
    leat_type type = leat_type_make(LEAT_TYPE_BOOLEAN, nullable);
    while (count > LEAT_EXPR_ARGUMENTS_MAX) { /* groups of the greatest size, then groups of groups */
        int32_t groups = 0;
        for (int32_t at = 0; at < count; at += LEAT_EXPR_ARGUMENTS_MAX) {
            int32_t size = count - at < LEAT_EXPR_ARGUMENTS_MAX ? count - at : LEAT_EXPR_ARGUMENTS_MAX;
            const leat_expr **part = leat_arena_take(plan->arena, (size_t)size * sizeof *part);
            if (!part) return leat_fail_no_memory(plan->error);
            memcpy(part, list + at, (size_t)size * sizeof *part);
            list[groups] = size == 1 ? part[0] : expr_of(plan, kind, type, part, size);
            if (!list[groups++]) return leat_fail_no_memory(plan->error);
        }
        count = groups;
    }
    *out = expr_of(plan, kind, type, list, count);
    return *out ? LEAT_OK : leat_fail_no_memory(plan->error);
}

static leat_code negate(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **expr)
{
    if (!ast->is_negated) return LEAT_OK;
    const leat_expr *argument = *expr;
    return leat_expr_call(plan, ast->place, "NOT", &argument, 1, expr);
}

/* In groups, as a function has a bounded number of arguments. */
static leat_code bind_in(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    enum { GROUP = 200 };
    if (ast->query)
        return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "IN with a sub-query is not supported yet");
    const leat_expr **list, *part[GROUP + 1];
    LEAT_TRY(bind_list(plan, scope, &ast->arguments, &list));
    int32_t items = ast->arguments.count - 1, groups = (items + GROUP - 1) / GROUP;
    const leat_expr **parts = leat_arena_take(plan->arena, (size_t)groups * sizeof *parts);
    if (!parts) return leat_fail_no_memory(plan->error);
    if (groups > LEAT_EXPR_ARGUMENTS_MAX)
        return leat_plan_fail(plan, ast->place, LEAT_LIMIT, "IN lists more than %d values",
                              GROUP * LEAT_EXPR_ARGUMENTS_MAX);
    bool nullable = false;
    for (int32_t g = 0; g < groups; g++) {
        int32_t count = items - g * GROUP < GROUP ? items - g * GROUP : GROUP;
        part[0] = list[0];
        memcpy(part + 1, list + 1 + g * GROUP, (size_t)count * sizeof *part);
        LEAT_TRY(leat_expr_call(plan, ast->place, "IN", part, count + 1, &parts[g]));
        nullable |= parts[g]->type.nullable;
    }
    *out = groups == 1 ? parts[0]
                       : expr_of(plan, LEAT_EXPR_OR, leat_type_make(LEAT_TYPE_BOOLEAN, nullable), parts, groups);
    if (!*out) return leat_fail_no_memory(plan->error);
    return negate(plan, ast, out);
}

static leat_code bind_between(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    const leat_expr **list;
    LEAT_TRY(bind_list(plan, scope, &ast->arguments, &list));
    LEAT_TRY(leat_expr_call(plan, ast->place, "BETWEEN", list, 3, out));
    if (ast->is_symmetric) {
        const leat_expr *swapped[3] = {list[0], list[2], list[1]}, **both;
        both = leat_arena_take(plan->arena, 2 * sizeof *both);
        if (!both) return leat_fail_no_memory(plan->error);
        both[0] = *out;
        LEAT_TRY(leat_expr_call(plan, ast->place, "BETWEEN", swapped, 3, &both[1]));
        *out = expr_of(plan, LEAT_EXPR_OR, (*out)->type, both, 2);
        if (!*out) return leat_fail_no_memory(plan->error);
    }
    return negate(plan, ast, out);
}

static leat_code bind_aggregate(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    if (!scope->allows_aggregates)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Aggregate expression '%s' is not allowed here",
                              ast->function);
    leat_scope row = *scope; /* arguments mean the row */
    row.is_grouped = row.allows_aggregates = false;
    leat_bound_call bound = {0};
    if (ast->arguments.count > 1)
        return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "%s with more than one argument is not supported yet",
                              ast->function);
    if (ast->arguments.count == 1) LEAT_TRY(leat_bind_expr(plan, &row, ast->arguments.items[0], &bound.argument));
    if (ast->arguments.count == 0 && !ast->is_star)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "%s has an argument", ast->function);
    leat_code code = leat_aggregate_resolve(ast->function, bound.argument ? &bound.argument->type : NULL,
                                            scope->keys_count == 0, &bound.call, plan->error);
    if (code != LEAT_OK) return leat_plan_at(plan, ast->place, code);
    bound.call.is_distinct = ast->is_distinct;
    if (ast->filter) LEAT_TRY(leat_bind_condition(plan, &row, ast->filter, "FILTER", &bound.filter));
    int32_t at = 0;
    for (; at < scope->calls_count; at++) {
        const leat_bound_call *other = &scope->calls[at];
        bool is_same = other->call.function == bound.call.function &&
                       other->call.is_distinct == bound.call.is_distinct && !other->argument == !bound.argument &&
                       !other->filter == !bound.filter;
        if (is_same && bound.argument) is_same = leat_expr_is_equal(other->argument, bound.argument);
        if (is_same && bound.filter) is_same = leat_expr_is_equal(other->filter, bound.filter);
        if (is_same) break;
    }
    if (at == scope->calls_count) {
        if (at == scope->calls_capacity)
            return leat_plan_fail(plan, ast->place, LEAT_LIMIT, "More than %d aggregate functions",
                                  scope->calls_capacity);
        scope->calls[scope->calls_count++] = bound;
    }
    leat_expr *column = expr_of(plan, LEAT_EXPR_COLUMN, scope->calls[at].call.type, NULL, 0);
    if (!column) return leat_fail_no_memory(plan->error);
    column->column = scope->keys_count + at;
    *out = column;
    return LEAT_OK;
}

static leat_code bind_call(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    if (leat_aggregate_exists(ast->function)) return bind_aggregate(plan, scope, ast, out);
    if (ast->is_star || ast->is_distinct || ast->filter)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "'%s' is not an aggregate function that is supported",
                              ast->function);
    for (int32_t i = 0; i < ast->arguments.count; i++) {
        const leat_ast_expr *item = ast->arguments.items[i];
        if (item->kind == LEAT_AST_SYMBOL)
            return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "%s of a time unit is not supported yet",
                                  ast->function);
    }
    const leat_ast_expr *first = ast->arguments.count > 0 ? ast->arguments.items[0] : NULL;
    if (ast->is_operator && ast->arguments.count == 1 && strcmp(ast->function, "-") == 0 &&
        first->kind == LEAT_AST_NUMBER && !strpbrk(first->text, "eE"))
        return leat_bind_negative(plan, first, out);
    const leat_expr **list;
    LEAT_TRY(bind_list(plan, scope, &ast->arguments, &list));
    if (ast->is_operator && ast->arguments.count == 1 && strcmp(ast->function, "+") == 0) { /* unary plus */
        *out = list[0];
        if (leat_type_is_numeric(&list[0]->type)) return LEAT_OK;
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Cannot apply '+' to what is not a number");
    }
    const char *name = strcmp(ast->function, "LTRIM") == 0   ? "TRIM_LEADING"
                       : strcmp(ast->function, "RTRIM") == 0 ? "TRIM_TRAILING"
                                                             : ast->function;
    return leat_expr_call(plan, ast->place, name, list, ast->arguments.count, out);
}

static leat_code bind_here(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    const leat_expr **list;
    int32_t column;
    switch (ast->kind) {
    case LEAT_AST_COLUMN:
        if (scope->is_grouped)
            return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Expression '%s' is not being grouped",
                                  ast->name->parts[ast->name->count - 1]);
        LEAT_TRY(leat_bind_column(plan, scope, ast->name, &column));
        if (!leat_type_has_column(&scope->rel->schema.fields[column].type))
            return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "The type of column '%s' is not supported yet",
                                  scope->rel->schema.fields[column].name);
        *out = leat_expr_column(plan, &scope->rel->schema, column);
        return *out ? LEAT_OK : leat_fail_no_memory(plan->error);
    case LEAT_AST_CALL: return bind_call(plan, scope, ast, out);
    case LEAT_AST_CAST: return bind_cast(plan, scope, ast, out);
    case LEAT_AST_CASE: return bind_case(plan, scope, ast, out);
    case LEAT_AST_AND:
    case LEAT_AST_OR: return bind_logic(plan, scope, ast, out);
    case LEAT_AST_BETWEEN: return bind_between(plan, scope, ast, out);
    case LEAT_AST_IN: return bind_in(plan, scope, ast, out);
    case LEAT_AST_LIKE:
        if (strcmp(ast->function, "LIKE") != 0)
            return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "%s is not supported yet", ast->function);
        LEAT_TRY(bind_list(plan, scope, &ast->arguments, &list));
        LEAT_TRY(leat_expr_call(plan, ast->place, "LIKE", list, ast->arguments.count, out));
        return negate(plan, ast, out);
    case LEAT_AST_EXISTS: return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "EXISTS is not supported yet");
    case LEAT_AST_SUBQUERY:
        return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "Sub-queries in expressions are not supported yet");
    case LEAT_AST_ROW: return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "ROW values are not supported yet");
    case LEAT_AST_STAR:
    case LEAT_AST_SYMBOL:
    case LEAT_AST_DEFAULT:
    case LEAT_AST_UNSUPPORTED: return leat_plan_fail(plan, ast->place, LEAT_INVALID, "An expression is expected here");
    default: return leat_bind_literal(plan, ast, out);
    }
}

bool leat_ast_has_aggregate(const leat_ast_expr *ast)
{
    if (!ast) return false;
    if (ast->kind == LEAT_AST_CALL && leat_aggregate_exists(ast->function)) return true;
    for (int32_t i = 0; i < ast->arguments.count; i++)
        if (leat_ast_has_aggregate(ast->arguments.items[i])) return true;
    return false;
}

leat_code leat_bind_expr(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const leat_expr **out)
{
    if (scope->is_grouped && scope->keys_count > 0 && !leat_ast_has_aggregate(ast)) { /* a grouping key, as a whole? */
        leat_scope row = *scope;
        row.is_grouped = row.allows_aggregates = false;
        const leat_expr *expr;
        LEAT_TRY(leat_bind_expr(plan, &row, ast, &expr)); /* it must mean something in any case */
        for (int32_t i = 0; i < scope->keys_count; i++) {
            if (!leat_expr_is_equal(scope->keys[i], expr)) continue;
            leat_expr *column = expr_of(plan, LEAT_EXPR_COLUMN, expr->type, NULL, 0);
            if (!column) return leat_fail_no_memory(plan->error);
            column->column = i;
            *out = column;
            return LEAT_OK;
        }
    }
    LEAT_TRY(bind_here(plan, scope, ast, out));
    if (leat_expr_depth(*out) > LEAT_EXPR_DEPTH_MAX)
        return leat_plan_fail(plan, ast->place, LEAT_LIMIT, "The expression is nested deeper than %d levels",
                              LEAT_EXPR_DEPTH_MAX);
    return LEAT_OK;
}

leat_code leat_bind_condition(leat_plan *plan, leat_scope *scope, const leat_ast_expr *ast, const char *what,
                              const leat_expr **out)
{
    LEAT_TRY(leat_bind_expr(plan, scope, ast, out));
    return as_boolean(plan, ast->place, what, out);
}
