/* Constant folding: what has only literals below is computed once. Branches that are not always evaluated keep a
 * failing constant as it is: it may never be reached. */
#include <string.h>

#include "columnar/kernel.h"

static leat_code fold(leat_arena *arena, const leat_expr *expr, const leat_program_options *options, bool is_lazy,
                      int depth, const leat_expr **out, leat_error *error);

static leat_code to_literal(leat_arena *arena, const leat_expr *expr, const leat_column *column, const leat_expr **out,
                            leat_error *error)
{
    leat_expr *literal = leat_arena_take(arena, sizeof *literal);
    if (!literal) return leat_fail_no_memory(error);
    *literal = (leat_expr){.kind = LEAT_EXPR_LITERAL, .type = expr->type};
    *out = literal;
    if (leat_column_is_null(column, 0)) {
        literal->value.is_null = true;
        return LEAT_OK;
    }
    leat_operand value = {.column = column, .type = &expr->type};
    switch (column->layout) {
    case LEAT_LAYOUT_8: literal->value.i64 = LEAT_AT(int8_t, &value, 0); break;
    case LEAT_LAYOUT_16: literal->value.i64 = LEAT_AT(int16_t, &value, 0); break;
    case LEAT_LAYOUT_32:
        if (expr->type.kind == LEAT_TYPE_FLOAT)
            literal->value.f64 = (double)LEAT_AT(float, &value, 0);
        else
            literal->value.i64 = LEAT_AT(int32_t, &value, 0);
        break;
    case LEAT_LAYOUT_64:
        if (expr->type.kind == LEAT_TYPE_DOUBLE)
            literal->value.f64 = LEAT_AT(double, &value, 0);
        else
            literal->value.i64 = LEAT_AT(int64_t, &value, 0);
        break;
    case LEAT_LAYOUT_128: literal->value.i128 = LEAT_AT(__int128, &value, 0); break;
    case LEAT_LAYOUT_VIEW: {
        leat_text text = leat_operand_text(&value, 0);
        literal->value.text.data = leat_arena_strndup(arena, text.data, (size_t)text.length);
        literal->value.text.length = text.length;
        if (!literal->value.text.data) return leat_fail_no_memory(error);
        break;
    }
    }
    return LEAT_OK;
}

static leat_code evaluate(leat_arena *arena, const leat_expr *expr, const leat_program_options *options,
                          const leat_expr **out, leat_error *error)
{
    leat_program *program;
    leat_schema none = {0};
    LEAT_TRY(leat_program_compile(&expr, 1, &none, options, &program, error));
    leat_batch batch = {.rows = 1, .selected = 1};
    leat_column column = {0};
    leat_code code = leat_program_run(program, &batch, &column, error);
    if (code == LEAT_OK) code = to_literal(arena, expr, &column, out, error);
    leat_column_clear(&column);
    leat_program_free(program);
    return code;
}

static bool is_zero(const leat_expr *expr)
{
    if (expr->kind != LEAT_EXPR_LITERAL || expr->value.is_null) return false;
    bool is_real = expr->type.kind == LEAT_TYPE_FLOAT || expr->type.kind == LEAT_TYPE_DOUBLE;
    if (is_real) return expr->value.f64 == 0;
    return expr->type.kind == LEAT_TYPE_DECIMAL ? expr->value.i128 == 0 : expr->value.i64 == 0;
}

/* The arguments from this one on may never be evaluated. */
static int32_t first_lazy(const leat_expr *expr)
{
    switch (expr->kind) {
    case LEAT_EXPR_CASE:
    case LEAT_EXPR_AND:
    case LEAT_EXPR_OR:
    case LEAT_EXPR_COALESCE: return 1;
    case LEAT_EXPR_CALL: {
        const leat_function *function = leat_function_by_id(expr->function);
        bool is_branching = function && (function->form == LEAT_FORM_IF || function->form == LEAT_FORM_COALESCE);
        return is_branching ? 1 : INT32_MAX;
    }
    default: return INT32_MAX;
    }
}

static bool is_foldable(const leat_expr *expr, const leat_program_options *options)
{
    if (expr->kind == LEAT_EXPR_LITERAL || expr->kind == LEAT_EXPR_COLUMN) return false;
    if (!leat_type_has_column(&expr->type)) return false;
    if (expr->kind == LEAT_EXPR_CALL) {
        const leat_function *function = leat_function_by_id(expr->function);
        if (!function) return false;
        bool is_of_row = strcmp(function->id, "PROCTIME") == 0 || strcmp(function->id, "CURRENT_ROW_TIMESTAMP") == 0;
        bool reads_clock = function->flags & LEAT_FUNCTION_DYNAMIC;
        if (reads_clock && (is_of_row || !options || !options->folds_clock || !options->env)) return false;
    }
    return true;
}

static bool has_columns_or_clock(const leat_expr *expr, const leat_program_options *options, int depth)
{
    if (depth > LEAT_EXPR_DEPTH_MAX || expr->kind == LEAT_EXPR_COLUMN) return true;
    if (expr->kind != LEAT_EXPR_LITERAL && !is_foldable(expr, options)) return true;
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        if (has_columns_or_clock(expr->arguments[i], options, depth + 1)) return true;
    }
    return false;
}

static leat_code fold(leat_arena *arena, const leat_expr *expr, const leat_program_options *options, bool is_lazy,
                      int depth, const leat_expr **out, leat_error *error)
{
    *out = expr;
    if (depth > LEAT_EXPR_DEPTH_MAX)
        return leat_fail(error, LEAT_LIMIT, "an expression deeper than %d", LEAT_EXPR_DEPTH_MAX);
    if (expr->kind == LEAT_EXPR_LITERAL || expr->kind == LEAT_EXPR_COLUMN) return LEAT_OK;
    leat_expr *copy = leat_arena_take(arena, sizeof *copy);
    const leat_expr **arguments = leat_arena_take(arena, (size_t)(expr->arguments_count + 1) * sizeof *arguments);
    if (!copy || !arguments) return leat_fail_no_memory(error);
    int32_t lazy_from = first_lazy(expr);
    for (int32_t i = 0; i < expr->arguments_count; i++) {
        LEAT_TRY(fold(arena, expr->arguments[i], options, is_lazy || i >= lazy_from, depth + 1, &arguments[i], error));
    }
    *copy = *expr;
    copy->arguments = arguments;
    *out = copy;
    bool is_division = copy->kind == LEAT_EXPR_CALL && strcmp(copy->function, "/") == 0;
    bool divides_by_zero = is_division && is_zero(arguments[1]);
    if (divides_by_zero && !is_lazy) return leat_fail(error, LEAT_INVALID, "Division by zero");
    if (divides_by_zero || !is_foldable(copy, options) || has_columns_or_clock(copy, options, depth)) return LEAT_OK;
    leat_code code = evaluate(arena, copy, options, out, is_lazy ? NULL : error);
    if (code == LEAT_OK || !is_lazy || code == LEAT_NO_MEMORY) return code;
    *out = copy;
    return LEAT_OK;
}

leat_code leat_expr_fold(leat_arena *arena, const leat_expr *expr, const leat_program_options *options,
                         const leat_expr **out, leat_error *error)
{
    return fold(arena, expr, options, false, 0, out, error);
}
