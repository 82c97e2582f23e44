#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/bind.h"

static leat_expr *literal_new(leat_plan *plan, leat_type type)
{
    leat_expr *expr = leat_arena_take(plan->arena, sizeof *expr);
    if (!expr) return NULL;
    expr->kind = LEAT_EXPR_LITERAL;
    expr->type = type;
    return expr;
}

static leat_code out_of_range(leat_plan *plan, const leat_ast_expr *ast)
{
    return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Numeric literal '%s' out of range", ast->text);
}

/* Digits with a dot: DECIMAL of as many digits as were written; without one: INT or BIGINT. */
static leat_code bind_exact(leat_plan *plan, const leat_ast_expr *ast, bool is_negative, const leat_expr **out)
{
    const char *dot = strchr(ast->text, '.');
    int32_t digits = (int32_t)strlen(ast->text) - (dot ? 1 : 0), scale = dot ? (int32_t)strlen(dot + 1) : 0;
    __int128 value = 0;
    for (const char *at = ast->text; *at; at++) {
        if (*at == '.') continue;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
            return out_of_range(plan, ast);
    }
    leat_type type;
    if (scale == 0) {
        __int128 room = is_negative ? 1 : 0;
        if (value > INT64_MAX + room) return out_of_range(plan, ast);
        type = leat_type_make(value <= INT32_MAX + room ? LEAT_TYPE_INT : LEAT_TYPE_BIGINT, false);
    } else {
        if (digits > LEAT_DECIMAL_PRECISION_MAX) return out_of_range(plan, ast);
        type = leat_type_decimal(digits, scale, false);
    }
    leat_expr *expr = literal_new(plan, type);
    if (!expr) return leat_fail_no_memory(plan->error);
    if (is_negative) value = -value;
    if (scale == 0)
        expr->value.i64 = (int64_t)value;
    else
        expr->value.i128 = value;
    *out = expr;
    return LEAT_OK;
}

static leat_code bind_double(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **out)
{
    leat_expr *expr = literal_new(plan, leat_type_make(LEAT_TYPE_DOUBLE, false));
    if (!expr) return leat_fail_no_memory(plan->error);
    expr->value.f64 = strtod(ast->text, NULL);
    if (expr->value.f64 > 1.7976931348623157e308) return out_of_range(plan, ast);
    *out = expr;
    return LEAT_OK;
}

/* Java's length: UTF-16 units. */
static int32_t text_length(const char *text, int32_t bytes)
{
    int32_t length = 0;
    for (int32_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c & 0xc0) != 0x80) length += c >= 0xf0 ? 2 : 1;
    }
    return length;
}

static leat_expr *text_new(leat_plan *plan, leat_type_kind kind, const char *text, int32_t bytes, int32_t length)
{
    leat_type type = leat_type_make(kind, false);
    type.precision = length;
    leat_expr *expr = literal_new(plan, type);
    if (!expr) return NULL;
    expr->value.text.data = text;
    expr->value.text.length = bytes;
    return expr;
}

/* DATE '…', TIME '…', TIMESTAMP '…': the cast of the text, computed now. */
static leat_code bind_moment(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **out)
{
    int32_t bytes = (int32_t)strlen(ast->text);
    leat_type type = leat_type_make(LEAT_TYPE_DATE, false);
    const char *name = "DATE";
    if (ast->kind == LEAT_AST_TIME) {
        type.kind = LEAT_TYPE_TIME;
        name = "TIME";
    } else if (ast->kind == LEAT_AST_TIMESTAMP) {
        const char *dot = strchr(ast->text, '.');
        type.kind = LEAT_TYPE_TIMESTAMP;
        type.precision = dot ? (int32_t)strspn(dot + 1, "0123456789") : 0;
        name = "TIMESTAMP";
    }
    if (type.precision > 9)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Illegal TIMESTAMP literal '%s': more than 9 digits",
                              ast->text);
    if (type.precision > 6)
        return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED,
                              "TIMESTAMP(%d) is not supported: microseconds are the finest", type.precision);
    const leat_expr *text = text_new(plan, LEAT_TYPE_CHAR, ast->text, bytes, text_length(ast->text, bytes));
    const leat_expr *cast = text ? leat_expr_cast(plan, text, &type) : NULL, *folded;
    if (!cast) return leat_fail_no_memory(plan->error);
    leat_program_options options = {.time_zone = plan->time_zone, .env = plan->env};
    leat_error ignored = {0};
    leat_code code = leat_expr_fold(plan->arena, cast, &options, &folded, &ignored);
    if (code == LEAT_NO_MEMORY) return leat_fail_no_memory(plan->error);
    if (code != LEAT_OK || folded->kind != LEAT_EXPR_LITERAL || folded->value.is_null)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Illegal %s literal '%s'", name, ast->text);
    leat_expr *expr = literal_new(plan, type);
    if (!expr) return leat_fail_no_memory(plan->error);
    expr->value = folded->value;
    *out = expr;
    return LEAT_OK;
}

static int unit_rank(const char *unit)
{
    static const char *const units[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};
    for (int i = 0; i < 6; i++)
        if (strcmp(unit, units[i]) == 0) return i;
    return -1;
}

/* 'n' of one unit, or 'n-n', 'n hh:mm:ss.fff' of FROM to TO: each number between the unit's neighbours' signs. */
static leat_code bind_interval(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **out)
{
    static const int64_t factors[] = {12, 1, 86400000, 3600000, 60000, 1000};
    int from = unit_rank(ast->unit_from), to = ast->unit_to ? unit_rank(ast->unit_to) : from;
    bool is_months = from <= 1;
    int64_t total = 0;
    const char *at = ast->text;
    bool is_negative = ast->is_negated, is_wrong = to < from || is_months != (to <= 1);
    if (*at == '-' || *at == '+') is_negative ^= *at++ == '-';
    for (int unit = from; unit <= to && !is_wrong; unit++) {
        char *end;
        errno = 0;
        if (unit > from && *at++ != (unit == 1 ? '-' : (unit == 3 ? ' ' : ':'))) is_wrong = true;
        if (*at < '0' || *at > '9') is_wrong = true;
        int64_t number = is_wrong ? 0 : strtoll(at, &end, 10);
        if (is_wrong) break;
        int64_t part;
        is_wrong = errno != 0 || __builtin_mul_overflow(number, factors[unit], &part) ||
                   __builtin_add_overflow(total, part, &total);
        at = end;
    }
    if (!is_wrong && to == 5 && *at == '.') {
        int64_t scale = 100;
        for (at++; *at >= '0' && *at <= '9'; at++, scale /= 10)
            total += (*at - '0') * scale;
    }
    if (is_wrong || *at)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID,
                              "Illegal interval literal format '%s' for INTERVAL %s%s%s", ast->text, ast->unit_from,
                              ast->unit_to ? " TO " : "", ast->unit_to ? ast->unit_to : "");
    leat_expr *expr = literal_new(
        plan, leat_type_make(is_months ? LEAT_TYPE_INTERVAL_YEAR_MONTH : LEAT_TYPE_INTERVAL_DAY_TIME, false));
    if (!expr) return leat_fail_no_memory(plan->error);
    expr->value.i64 = is_negative ? -total : total;
    *out = expr;
    return LEAT_OK;
}

leat_code leat_bind_negative(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **out)
{
    return bind_exact(plan, ast, true, out);
}

leat_code leat_bind_literal(leat_plan *plan, const leat_ast_expr *ast, const leat_expr **out)
{
    leat_expr *expr = NULL;
    leat_type boolean = leat_type_make(LEAT_TYPE_BOOLEAN, true);
    switch (ast->kind) {
    case LEAT_AST_NUMBER:
        return strpbrk(ast->text, "eE") ? bind_double(plan, ast, out) : bind_exact(plan, ast, false, out);
    case LEAT_AST_DATE:
    case LEAT_AST_TIME:
    case LEAT_AST_TIMESTAMP: return bind_moment(plan, ast, out);
    case LEAT_AST_INTERVAL: return bind_interval(plan, ast, out);
    case LEAT_AST_NULL: /* UNKNOWN is a BOOLEAN */
        expr = literal_new(plan, ast->is_true ? boolean : leat_type_make(LEAT_TYPE_NULL, true));
        if (expr) expr->value.is_null = true;
        break;
    case LEAT_AST_BOOLEAN:
        expr = literal_new(plan, leat_type_with_nullable(&boolean, false));
        if (expr) expr->value.i64 = ast->is_true;
        break;
    case LEAT_AST_STRING:
        expr = text_new(plan, LEAT_TYPE_CHAR, ast->text, ast->text_length, text_length(ast->text, ast->text_length));
        break;
    case LEAT_AST_BYTES: expr = text_new(plan, LEAT_TYPE_BINARY, ast->text, ast->text_length, ast->text_length); break;
    default: break;
    }
    *out = expr;
    return expr ? LEAT_OK : leat_fail_no_memory(plan->error);
}
