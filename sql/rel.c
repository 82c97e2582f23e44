#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sql/plan.h"

leat_code leat_plan_fail(leat_plan *plan, leat_sql_range place, leat_code code, const char *format, ...)
{
    char text[sizeof plan->error->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)leat_fail(plan->error, code, "%s", text);
    return leat_plan_at(plan, place, code);
}

leat_code leat_plan_at(leat_plan *plan, leat_sql_range place, leat_code code)
{
    if (!plan->has_place) plan->place = place;
    plan->has_place = true;
    return code;
}

leat_rel *leat_rel_new(leat_plan *plan, leat_rel_kind kind, leat_rel *input)
{
    leat_rel *rel = leat_arena_take(plan->arena, sizeof *rel);
    if (!rel) return NULL;
    rel->kind = kind;
    rel->limit = rel->fetch = -1;
    if (!input) return rel;
    rel->inputs = leat_arena_take(plan->arena, sizeof *rel->inputs);
    if (!rel->inputs) return NULL;
    rel->inputs[0] = input;
    rel->inputs_count = 1;
    rel->schema = input->schema;
    return rel;
}

/* A program computes common parts once, so merging repeats no work; only the depth counts. */
static bool may_merge(const leat_rel *below, const leat_expr **exprs, int32_t count)
{
    for (int32_t c = 0; c < below->schema.fields_count; c++) {
        const leat_expr *inner = below->exprs[c];
        if (inner->kind == LEAT_EXPR_COLUMN || inner->kind == LEAT_EXPR_LITERAL) continue;
        if (leat_expr_depth(inner) > LEAT_EXPR_DEPTH_MAX / 2) return false;
    }
    for (int32_t i = 0; i < count; i++)
        if (leat_expr_depth(exprs[i]) > LEAT_EXPR_DEPTH_MAX / 2) return false;
    return true;
}

/* A row of constants: SELECT without FROM. */
static leat_code constant_row(leat_plan *plan, const leat_expr **exprs, const leat_field *names, int32_t count,
                              leat_rel **out)
{
    leat_rel *rel = leat_rel_new(plan, LEAT_REL_VALUES, NULL);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *fields);
    if (!rel || !fields) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++)
        fields[i] = (leat_field){names[i].name, exprs[i]->type};
    rel->exprs = exprs;
    rel->rows_count = 1;
    rel->schema = (leat_schema){count, fields};
    *out = rel;
    return LEAT_OK;
}

leat_code leat_rel_project(leat_plan *plan, leat_rel *input, const leat_expr **exprs, const leat_field *fields,
                           int32_t count, leat_rel **out)
{
    const leat_expr **merged = exprs;
    bool is_constant = input->kind == LEAT_REL_VALUES && input->rows_count == 1;
    if ((input->kind == LEAT_REL_PROJECT || is_constant) && may_merge(input, exprs, count)) {
        merged = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *merged);
        if (!merged) return leat_fail_no_memory(plan->error);
        for (int32_t i = 0; i < count; i++) {
            merged[i] = leat_expr_substitute(plan, exprs[i], input->exprs);
            if (!merged[i]) return leat_fail_no_memory(plan->error);
        }
        if (is_constant) return constant_row(plan, merged, fields, count, out);
        input = input->inputs[0];
    }
    bool is_same = input->schema.fields_count == count; /* only other names, if any: not a node */
    for (int32_t i = 0; i < count && is_same; i++)
        is_same = merged[i]->kind == LEAT_EXPR_COLUMN && merged[i]->column == i;
    leat_rel *rel = leat_rel_new(plan, LEAT_REL_PROJECT, input);
    if (rel && is_same) *rel = *input;
    leat_field *copy = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *copy);
    if (!rel || !copy) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++)
        copy[i] = (leat_field){fields[i].name, is_same ? input->schema.fields[i].type : exprs[i]->type};
    if (!is_same) rel->exprs = merged;
    rel->schema = (leat_schema){count, copy};
    *out = rel;
    return LEAT_OK;
}

leat_code leat_rel_filter(leat_plan *plan, leat_rel *input, const leat_expr *condition, leat_rel **out)
{
    leat_rel *rel = leat_rel_new(plan, LEAT_REL_FILTER, input);
    if (!rel) return leat_fail_no_memory(plan->error);
    rel->condition = condition;
    *out = rel;
    return LEAT_OK;
}

bool leat_rel_is_proctime(const leat_rel *rel, int32_t column)
{
    while (rel) {
        switch (rel->kind) {
        case LEAT_REL_PROJECT: {
            const leat_expr *expr = rel->exprs[column];
            if (expr->kind == LEAT_EXPR_CALL) return strcmp(expr->function, "PROCTIME") == 0;
            if (expr->kind != LEAT_EXPR_COLUMN) return false;
            column = expr->column;
            break;
        }
        case LEAT_REL_FILTER:
        case LEAT_REL_SORT: break;
        case LEAT_REL_LOOKUP_JOIN:
            if (column >= rel->inputs[0]->schema.fields_count) return false;
            break;
        case LEAT_REL_UNION: /* all must be: the first stands for them, the binder gives all the same type */ break;
        case LEAT_REL_SCAN:
        case LEAT_REL_VALUES:
        case LEAT_REL_AGGREGATE: return false;
        }
        rel = rel->inputs_count > 0 ? rel->inputs[0] : NULL;
    }
    return false;
}

static void print_names(const leat_schema *schema, leat_bytes *out)
{
    for (int32_t i = 0; i < schema->fields_count; i++)
        leat_bytes_format(out, "%s%s", i > 0 ? ", " : "", schema->fields[i].name);
}

static void print_node(const leat_rel *rel, leat_bytes *out)
{
    const leat_schema *input = rel->inputs_count > 0 ? &rel->inputs[0]->schema : NULL;
    switch (rel->kind) {
    case LEAT_REL_SCAN:
        leat_bytes_format(out, "LogicalTableScan(table=[[%s, %s, %s]])", rel->source->table.catalog,
                          rel->source->table.database, rel->source->table.name);
        break;
    case LEAT_REL_VALUES: leat_bytes_format(out, "LogicalValues(rows=[%d])", rel->rows_count); break;
    case LEAT_REL_PROJECT:
        leat_bytes_text(out, "LogicalProject(");
        for (int32_t i = 0; i < rel->schema.fields_count; i++) {
            leat_bytes_format(out, "%s%s=[", i > 0 ? ", " : "", rel->schema.fields[i].name);
            leat_expr_print(rel->exprs[i], input, out);
            leat_bytes_text(out, "]");
        }
        leat_bytes_text(out, ")");
        break;
    case LEAT_REL_FILTER:
        leat_bytes_text(out, "LogicalFilter(condition=[");
        leat_expr_print(rel->condition, input, out);
        leat_bytes_text(out, "])");
        break;
    case LEAT_REL_AGGREGATE:
        leat_bytes_format(out, "LogicalAggregate(group=[{%d}], select=[", rel->keys_count);
        print_names(&rel->schema, out);
        leat_bytes_text(out, "])");
        break;
    case LEAT_REL_LOOKUP_JOIN:
        leat_bytes_format(out, "LogicalLookupJoin(table=[%s], joinType=[%s])", rel->source->path,
                          rel->is_left ? "left" : "inner");
        break;
    case LEAT_REL_UNION: leat_bytes_text(out, "LogicalUnion(all=[true])"); break;
    case LEAT_REL_SORT:
        leat_bytes_format(out, "LogicalSort(keys=[%d], offset=[%lld], fetch=[%lld])", rel->sort_keys_count,
                          (long long)rel->offset, (long long)rel->fetch);
        break;
    }
}

static void explain_at(const leat_rel *rel, int32_t depth, leat_bytes *out)
{
    if (depth > LEAT_REL_DEPTH_MAX) return;
    for (int32_t i = 0; i < depth; i++)
        leat_bytes_text(out, i + 1 == depth ? "+- " : "   ");
    print_node(rel, out);
    leat_bytes_text(out, "\n");
    for (int32_t i = 0; i < rel->inputs_count; i++)
        explain_at(rel->inputs[i], depth + 1, out);
}

void leat_rel_explain(const leat_rel *rel, leat_bytes *out)
{
    explain_at(rel, 0, out);
}
