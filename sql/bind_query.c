/* SELECT, VALUES, UNION, ORDER BY, WITH: the shape of a query. */
#include <stdlib.h>
#include <string.h>

#include "sql/bind.h"

enum { AGGREGATES_MAX = 256, SELECT_MAX = 4096 };

/* What SELECT lists, stars expanded. */
typedef struct selected {
    const leat_expr **exprs;
    leat_field *fields;
    const leat_ast_expr **asts; /* NULL: from a star */
    int32_t count, capacity;
} selected;

static leat_code add_selected(leat_plan *plan, selected *list, const leat_expr *expr, const char *name,
                              const leat_ast_expr *ast)
{
    if (list->count == list->capacity) {
        int32_t capacity = list->capacity ? list->capacity * 2 : 16;
        if (capacity > SELECT_MAX) return leat_fail(plan->error, LEAT_LIMIT, "More than %d columns", SELECT_MAX);
        selected grown = {.capacity = capacity, .count = list->count};
        grown.exprs = leat_arena_take(plan->arena, (size_t)capacity * sizeof *grown.exprs);
        grown.fields = leat_arena_take(plan->arena, (size_t)capacity * sizeof *grown.fields);
        grown.asts = leat_arena_take(plan->arena, (size_t)capacity * sizeof *grown.asts);
        if (!grown.exprs || !grown.fields || !grown.asts) return leat_fail_no_memory(plan->error);
        for (int32_t i = 0; i < list->count; i++) {
            grown.exprs[i] = list->exprs[i];
            grown.fields[i] = list->fields[i];
            grown.asts[i] = list->asts[i];
        }
        *list = grown;
    }
    list->exprs[list->count] = expr;
    list->fields[list->count].name = name;
    list->asts[list->count++] = ast;
    return LEAT_OK;
}

/* A sub-query may give a name twice as long as nobody asks for it. */
static leat_code refuse_twins(leat_plan *plan, const leat_scope *scope, const leat_scope_relation *relation,
                              const leat_ast_expr *ast)
{
    const leat_field *fields = scope->rel->schema.fields + relation->first;
    for (int32_t i = 1; i < relation->count; i++)
        for (int32_t k = 0; k < i; k++)
            if (strcmp(fields[i].name, fields[k].name) == 0)
                return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Column '%s' is ambiguous", fields[i].name);
    return LEAT_OK;
}

static leat_code add_star(leat_plan *plan, const leat_scope *scope, const leat_ast_expr *ast, selected *list)
{
    int32_t first = 0, end = scope->rel ? scope->rel->schema.fields_count : 0;
    if (!scope->rel) return leat_plan_fail(plan, ast->place, LEAT_INVALID, "SELECT * requires a FROM clause");
    if (ast->name) {
        const char *alias = ast->name->parts[ast->name->count - 1];
        const leat_scope_relation *relation = NULL;
        for (int32_t i = 0; i < scope->relations_count; i++)
            if (scope->relations[i].alias && strcmp(scope->relations[i].alias, alias) == 0)
                relation = &scope->relations[i];
        if (!relation) return leat_plan_fail(plan, ast->name->place, LEAT_INVALID, "Unknown identifier '%s'", alias);
        first = relation->first;
        end = relation->first + relation->count;
    }
    for (int32_t r = 0; r < scope->relations_count; r++) {
        const leat_scope_relation *relation = &scope->relations[r];
        if (relation->first >= first && relation->first < end) LEAT_TRY(refuse_twins(plan, scope, relation, ast));
    }
    for (int32_t i = first; i < end; i++) {
        const leat_field *field = &scope->rel->schema.fields[i];
        if (!leat_type_has_column(&field->type))
            return leat_plan_fail(plan, ast->place, LEAT_UNSUPPORTED, "The type of column '%s' is not supported yet",
                                  field->name);
        const leat_expr *expr = leat_expr_column(plan, &scope->rel->schema, i);
        if (!expr) return leat_fail_no_memory(plan->error);
        LEAT_TRY(add_selected(plan, list, expr, field->name, NULL));
    }
    return LEAT_OK;
}

/* Equal names get a number, as Flink's row types do: a, a0, a1. */
static leat_code make_names_unique(leat_plan *plan, leat_field *fields, int32_t count)
{
    for (int32_t i = 1; i < count; i++) {
        const char *name = fields[i].name;
        for (int32_t number = 0, other = 0; other < i; other++) {
            if (strcmp(fields[other].name, fields[i].name) != 0) continue;
            fields[i].name = leat_arena_format(plan->arena, "%s%d", name, number++);
            if (!fields[i].name) return leat_fail_no_memory(plan->error);
            other = -1; /* the new name may be taken as well */
        }
    }
    return LEAT_OK;
}

static leat_code bind_items(leat_plan *plan, leat_scope *scope, const leat_ast_query *query, selected *list)
{
    for (int32_t i = 0; i < query->items.count; i++) {
        const leat_ast_item *item = query->items.items[i];
        if (item->expr->kind == LEAT_AST_STAR) {
            if (scope->is_grouped)
                return leat_plan_fail(plan, item->place, LEAT_INVALID,
                                      "'*' can't be selected with GROUP BY: name the columns");
            LEAT_TRY(add_star(plan, scope, item->expr, list));
            continue;
        }
        const leat_expr *expr;
        LEAT_TRY(leat_bind_expr(plan, scope, item->expr, &expr));
        const char *name = item->alias;
        if (!name && item->expr->kind == LEAT_AST_COLUMN) name = item->expr->name->parts[item->expr->name->count - 1];
        if (!name) name = leat_arena_format(plan->arena, "EXPR$%d", i);
        if (!name) return leat_fail_no_memory(plan->error);
        LEAT_TRY(add_selected(plan, list, expr, name, item->expr));
    }
    return LEAT_OK;
}

/* A NULL that no context gave a type. */
static leat_code refuse_untyped(leat_plan *plan, const selected *list, leat_sql_range place)
{
    for (int32_t i = 0; i < list->count; i++)
        if (list->exprs[i]->type.kind == LEAT_TYPE_NULL)
            return leat_plan_fail(plan, list->asts[i] ? list->asts[i]->place : place, LEAT_INVALID,
                                  "Illegal use of 'NULL': its type is not known; write CAST(NULL AS …)");
    return LEAT_OK;
}

/* The row of keys, arguments and filters, and the aggregate over it; the scope then means its output. */
static leat_code make_aggregate(leat_plan *plan, leat_scope *scope, leat_rel **out)
{
    int32_t count = scope->keys_count + 2 * scope->calls_count, used = 0;
    const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *exprs);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *fields);
    leat_field *output = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *output);
    int32_t *keys = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *keys);
    leat_aggregate_call *calls = leat_arena_take(plan->arena, (size_t)(scope->calls_count + 1) * sizeof *calls);
    if (!exprs || !fields || !output || !keys || !calls) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < scope->keys_count; i++) {
        const leat_expr *key = scope->keys[i];
        const char *name = key->kind == LEAT_EXPR_COLUMN ? scope->rel->schema.fields[key->column].name
                                                         : leat_arena_format(plan->arena, "$f%d", i);
        if (!name) return leat_fail_no_memory(plan->error);
        exprs[used] = key;
        fields[used].name = name;
        keys[i] = used++;
        output[i] = (leat_field){name, key->type};
    }
    for (int32_t i = 0; i < scope->calls_count; i++) {
        const leat_bound_call *bound = &scope->calls[i];
        calls[i] = bound->call;
        calls[i].column = calls[i].filter = -1;
        const leat_expr *parts[2] = {bound->argument, bound->filter};
        for (int p = 0; p < 2; p++) {
            if (!parts[p]) continue;
            int32_t at = 0;
            while (at < used && !leat_expr_is_equal(exprs[at], parts[p]))
                at++;
            *(p == 0 ? &calls[i].column : &calls[i].filter) = at;
            if (at < used) continue;
            fields[used].name = parts[p]->kind == LEAT_EXPR_COLUMN ? scope->rel->schema.fields[parts[p]->column].name
                                                                   : leat_arena_format(plan->arena, "$f%d", used);
            if (!fields[used].name) return leat_fail_no_memory(plan->error);
            exprs[used++] = parts[p];
        }
        output[scope->keys_count + i].name = leat_arena_format(plan->arena, "EXPR$%d", i);
        output[scope->keys_count + i].type = calls[i].type;
        if (!output[scope->keys_count + i].name) return leat_fail_no_memory(plan->error);
    }
    leat_rel *input = scope->rel; /* COUNT(*) alone reads no column */
    LEAT_TRY(make_names_unique(plan, fields, used));
    if (used > 0) LEAT_TRY(leat_rel_project(plan, scope->rel, exprs, fields, used, &input));
    leat_rel *rel = leat_rel_new(plan, LEAT_REL_AGGREGATE, input);
    if (!rel) return leat_fail_no_memory(plan->error);
    rel->keys = keys;
    rel->keys_count = scope->keys_count;
    rel->calls = calls;
    rel->calls_count = scope->calls_count;
    rel->schema = (leat_schema){scope->keys_count + scope->calls_count, output};
    *out = rel;
    return LEAT_OK;
}

/* GROUP BY 1 is the first of the list. */
static leat_code bind_group_keys(leat_plan *plan, leat_scope *scope, const leat_ast_query *query)
{
    scope->keys = leat_arena_take(plan->arena, (size_t)(query->group_by.count + 1) * sizeof *scope->keys);
    if (!scope->keys) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < query->group_by.count; i++) {
        const leat_ast_expr *ast = query->group_by.items[i];
        if (ast->kind == LEAT_AST_NUMBER && strspn(ast->text, "0123456789") == strlen(ast->text)) {
            long at = strtol(ast->text, NULL, 10);
            if (at < 1 || at > query->items.count)
                return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Ordinal out of range");
            ast = ((const leat_ast_item *)query->items.items[at - 1])->expr;
        }
        const leat_expr *key;
        LEAT_TRY(leat_bind_expr(plan, scope, ast, &key));
        bool is_known = false;
        for (int32_t k = 0; k < scope->keys_count; k++)
            is_known |= leat_expr_is_equal(scope->keys[k], key);
        if (!is_known) scope->keys[scope->keys_count++] = key;
    }
    return LEAT_OK;
}

static bool has_aggregates(const leat_ast_query *query)
{
    if (query->has_group_by || query->having) return true;
    for (int32_t i = 0; i < query->items.count; i++)
        if (leat_ast_has_aggregate(((const leat_ast_item *)query->items.items[i])->expr)) return true;
    return false;
}

/* ORDER BY: a select alias, an ordinal, a column or expression of the list, or (without DISTINCT) of what is below. */
static leat_code bind_order(leat_plan *plan, leat_scope *scope, const leat_ast_query *query, selected *list,
                            int32_t *columns)
{
    int32_t shown = list->count;
    for (int32_t i = 0; i < query->order_by.count; i++) {
        const leat_ast_order *order = query->order_by.items[i];
        const leat_ast_expr *ast = order->expr;
        columns[i] = -1;
        if (ast->kind == LEAT_AST_NUMBER && strspn(ast->text, "0123456789") == strlen(ast->text)) {
            long at = strtol(ast->text, NULL, 10);
            if (at < 1 || at > shown) return leat_plan_fail(plan, ast->place, LEAT_INVALID, "Ordinal out of range");
            columns[i] = (int32_t)at - 1;
        } else if (ast->kind == LEAT_AST_COLUMN && ast->name->count == 1) {
            for (int32_t k = 0; k < shown && columns[i] < 0; k++)
                if (strcmp(list->fields[k].name, ast->name->parts[0]) == 0) columns[i] = k;
        }
        if (columns[i] >= 0) continue;
        const leat_expr *expr;
        LEAT_TRY(leat_bind_expr(plan, scope, ast, &expr));
        for (int32_t k = 0; k < list->count && columns[i] < 0; k++)
            if (leat_expr_is_equal(list->exprs[k], expr)) columns[i] = k;
        if (columns[i] >= 0) continue;
        if (query->is_distinct)
            return leat_plan_fail(plan, ast->place, LEAT_INVALID,
                                  "Expression is not in the select clause, as SELECT DISTINCT … ORDER BY needs");
        columns[i] = list->count;
        const char *name = leat_arena_format(plan->arena, "$o%d", i);
        if (!name) return leat_fail_no_memory(plan->error);
        LEAT_TRY(add_selected(plan, list, expr, name, ast));
    }
    return LEAT_OK;
}

static leat_code bind_count(leat_plan *plan, const leat_ast_expr *ast, const char *what, int64_t *out)
{
    if (!ast) return LEAT_OK;
    char *end;
    *out = ast->kind == LEAT_AST_NUMBER ? strtoll(ast->text, &end, 10) : -1;
    if (ast->kind != LEAT_AST_NUMBER || *end || *out < 0 || *out > INT32_MAX)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID, "%s must be a whole number, not negative", what);
    return LEAT_OK;
}

static leat_code make_sort(leat_plan *plan, const leat_ast_query *query, const int32_t *columns, leat_rel **rel)
{
    if (query->order_by.count == 0 && !query->limit && !query->offset) return LEAT_OK;
    if (!query->limit && query->offset && !plan->is_batch)
        return leat_plan_fail(plan, query->offset->place, LEAT_UNSUPPORTED,
                              "FETCH is missed, which on streaming table is not supported currently.");
    if (query->order_by.count > 0 && !plan->is_batch) {
        const leat_ast_order *first = query->order_by.items[0];
        if (!query->limit)
            return leat_plan_fail(plan, first->expr->place, LEAT_UNSUPPORTED,
                                  "Sort on a non-time-attribute field is not supported.");
        return leat_plan_fail(plan, first->expr->place, LEAT_UNSUPPORTED,
                              "ORDER BY with LIMIT (Top-N) is not supported in streaming mode yet");
    }
    leat_rel *sort = leat_rel_new(plan, LEAT_REL_SORT, *rel);
    if (!sort) return leat_fail_no_memory(plan->error);
    LEAT_TRY(bind_count(plan, query->limit, "LIMIT", &sort->fetch));
    LEAT_TRY(bind_count(plan, query->offset, "OFFSET", &sort->offset));
    sort->sort_keys = leat_arena_take(plan->arena, (size_t)(query->order_by.count + 1) * sizeof *sort->sort_keys);
    if (!sort->sort_keys) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < query->order_by.count; i++) {
        const leat_ast_order *order = query->order_by.items[i];
        sort->sort_keys[sort->sort_keys_count++] =
            (leat_sort_key){.column = columns[i],
                            .is_descending = order->is_descending,
                            .nulls_last = order->has_nulls ? !order->nulls_first : order->is_descending};
    }
    *rel = sort;
    return LEAT_OK;
}

/* The first `count` columns. */
static leat_code keep_first(leat_plan *plan, leat_rel *rel, int32_t count, leat_rel **out)
{
    *out = rel;
    if (rel->schema.fields_count == count) return LEAT_OK;
    const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *exprs);
    if (!exprs) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++) {
        exprs[i] = leat_expr_column(plan, &rel->schema, i);
        if (!exprs[i]) return leat_fail_no_memory(plan->error);
    }
    return leat_rel_project(plan, rel, exprs, rel->schema.fields, count, out);
}

static leat_code make_distinct(leat_plan *plan, leat_rel **rel)
{
    leat_rel *distinct = leat_rel_new(plan, LEAT_REL_AGGREGATE, *rel);
    if (!distinct) return leat_fail_no_memory(plan->error);
    distinct->keys_count = (*rel)->schema.fields_count;
    distinct->keys = leat_arena_take(plan->arena, (size_t)(distinct->keys_count + 1) * sizeof *distinct->keys);
    if (!distinct->keys) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < distinct->keys_count; i++)
        distinct->keys[i] = i;
    *rel = distinct;
    return LEAT_OK;
}

static leat_code bind_select(leat_plan *plan, const leat_cte *ctes, const leat_ast_query *query, leat_rel **out)
{
    leat_scope scope = {0};
    leat_config ignored = {0};
    selected list = {0};
    LEAT_TRY(leat_bind_hints(plan, &query->hints, &ignored));
    if (query->from) LEAT_TRY(leat_bind_from(plan, ctes, query->from, &scope));
    if (!scope.rel) { /* one row without columns: a VALUES whose row is a number nobody reads */
        scope.rel = leat_rel_new(plan, LEAT_REL_VALUES, NULL);
        const leat_expr **exprs = leat_arena_take(plan->arena, sizeof *exprs);
        leat_field *field = leat_arena_take(plan->arena, sizeof *field);
        if (!scope.rel || !exprs || !field) return leat_fail_no_memory(plan->error);
        exprs[0] = leat_expr_literal_int(plan, 0);
        if (!exprs[0]) return leat_fail_no_memory(plan->error);
        *field = (leat_field){"ZERO", exprs[0]->type};
        scope.rel->exprs = exprs;
        scope.rel->rows_count = 1;
        scope.rel->schema = (leat_schema){1, field};
    }
    leat_rel *source = scope.rel;
    bool has_from = query->from != NULL;
    if (query->where) {
        const leat_expr *condition;
        LEAT_TRY(leat_bind_condition(plan, &scope, query->where, "WHERE", &condition));
        LEAT_TRY(leat_rel_filter(plan, source, condition, &scope.rel));
    }
    bool is_grouped = has_aggregates(query);
    const leat_expr *having = NULL;
    if (is_grouped) {
        scope.calls = leat_arena_take(plan->arena, AGGREGATES_MAX * sizeof *scope.calls);
        scope.calls_capacity = AGGREGATES_MAX;
        if (!scope.calls) return leat_fail_no_memory(plan->error);
        LEAT_TRY(bind_group_keys(plan, &scope, query));
        scope.is_grouped = scope.allows_aggregates = true;
        if (query->having) LEAT_TRY(leat_bind_condition(plan, &scope, query->having, "HAVING", &having));
    }
    leat_rel *row = scope.rel;
    if (!has_from && !is_grouped) scope.rel = NULL; /* `*` and names mean nothing */
    LEAT_TRY(bind_items(plan, &scope, query, &list));
    int32_t shown = list.count,
            *order = leat_arena_take(plan->arena, (size_t)(query->order_by.count + 1) * sizeof *order);
    if (!order) return leat_fail_no_memory(plan->error);
    LEAT_TRY(bind_order(plan, &scope, query, &list, order));
    scope.rel = row;
    if (is_grouped) LEAT_TRY(make_aggregate(plan, &scope, &scope.rel));
    if (having) LEAT_TRY(leat_rel_filter(plan, scope.rel, having, &scope.rel));
    LEAT_TRY(refuse_untyped(plan, &list, query->place));
    LEAT_TRY(leat_rel_project(plan, scope.rel, list.exprs, list.fields, list.count, out));
    if (query->is_distinct) LEAT_TRY(make_distinct(plan, out));
    LEAT_TRY(make_sort(plan, query, order, out));
    return keep_first(plan, *out, shown, out);
}

static leat_code bind_values(leat_plan *plan, const leat_ast_query *query, leat_rel **out)
{
    leat_scope scope = {0};
    int32_t rows = query->rows.count, columns = -1;
    const leat_expr **exprs = NULL;
    for (int32_t r = 0; r < rows; r++) {
        const leat_ast_expr *row = query->rows.items[r];
        int32_t count = row->kind == LEAT_AST_ROW ? row->arguments.count : 1;
        if (columns < 0) {
            columns = count;
            exprs = leat_arena_take(plan->arena, (size_t)rows * (size_t)count * sizeof *exprs);
            if (!exprs) return leat_fail_no_memory(plan->error);
        }
        if (count != columns)
            return leat_plan_fail(plan, row->place, LEAT_INVALID,
                                  "Values passed to VALUES operator must have compatible types: %d columns, not %d",
                                  columns, count);
        for (int32_t c = 0; c < count; c++) {
            const leat_ast_expr *item = row->kind == LEAT_AST_ROW ? row->arguments.items[c] : row;
            LEAT_TRY(leat_bind_expr(plan, &scope, item, &exprs[r * columns + c]));
        }
    }
    leat_field *fields = leat_arena_take(plan->arena, (size_t)columns * sizeof *fields);
    leat_type *types = leat_arena_take(plan->arena, (size_t)rows * sizeof *types);
    leat_rel *rel = leat_rel_new(plan, LEAT_REL_VALUES, NULL);
    if (!fields || !types || !rel) return leat_fail_no_memory(plan->error);
    for (int32_t c = 0; c < columns; c++) {
        bool nullable = false;
        for (int32_t r = 0; r < rows; r++) {
            types[r] = exprs[r * columns + c]->type;
            nullable |= types[r].nullable;
        }
        leat_code code = leat_type_common(types, rows, &fields[c].type, plan->error);
        if (code != LEAT_OK) return leat_plan_at(plan, query->place, code);
        fields[c].type.nullable = nullable;
        fields[c].name = leat_arena_format(plan->arena, "EXPR$%d", c);
        if (!fields[c].name) return leat_fail_no_memory(plan->error);
        for (int32_t r = 0; r < rows; r++) {
            exprs[r * columns + c] = leat_expr_cast(plan, exprs[r * columns + c], &fields[c].type);
            if (!exprs[r * columns + c]) return leat_fail_no_memory(plan->error);
        }
    }
    rel->exprs = exprs;
    rel->rows_count = rows;
    rel->schema = (leat_schema){columns, fields};
    *out = rel;
    return LEAT_OK;
}

/* Both sides with the common types of their columns. */
static leat_code bind_set(leat_plan *plan, const leat_cte *ctes, const leat_ast_query *query, leat_rel **out)
{
    leat_rel *sides[2], *rel;
    if (strcmp(query->set_operator, "UNION") != 0)
        return leat_plan_fail(plan, query->place, LEAT_UNSUPPORTED, "%s is not supported yet", query->set_operator);
    LEAT_TRY(leat_bind_query_in(plan, ctes, query->left, &sides[0]));
    LEAT_TRY(leat_bind_query_in(plan, ctes, query->right, &sides[1]));
    int32_t count = sides[0]->schema.fields_count;
    if (count != sides[1]->schema.fields_count)
        return leat_plan_fail(plan, query->right->place, LEAT_INVALID, "Column count mismatch in UNION%s: %d and %d",
                              query->is_all ? " ALL" : "", count, sides[1]->schema.fields_count);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)count * sizeof *fields);
    if (!fields) return leat_fail_no_memory(plan->error);
    for (int32_t c = 0; c < count; c++) {
        leat_type types[2] = {sides[0]->schema.fields[c].type, sides[1]->schema.fields[c].type};
        fields[c].name = sides[0]->schema.fields[c].name;
        leat_code code = leat_type_common(types, 2, &fields[c].type, plan->error);
        if (code != LEAT_OK) return leat_plan_at(plan, query->right->place, code);
        fields[c].type.nullable = types[0].nullable || types[1].nullable;
    }
    rel = leat_rel_new(plan, LEAT_REL_UNION, NULL);
    leat_rel **inputs = leat_arena_take(plan->arena, 2 * sizeof *inputs);
    if (!rel || !inputs) return leat_fail_no_memory(plan->error);
    for (int s = 0; s < 2; s++) {
        bool differs = false;
        const leat_expr **exprs = leat_arena_take(plan->arena, (size_t)count * sizeof *exprs);
        if (!exprs) return leat_fail_no_memory(plan->error);
        for (int32_t c = 0; c < count; c++) {
            const leat_expr *column = leat_expr_column(plan, &sides[s]->schema, c);
            exprs[c] = column ? leat_expr_cast(plan, column, &fields[c].type) : NULL;
            if (!exprs[c]) return leat_fail_no_memory(plan->error);
            differs |= exprs[c] != column;
        }
        inputs[s] = sides[s];
        if (differs) LEAT_TRY(leat_rel_project(plan, sides[s], exprs, fields, count, &inputs[s]));
    }
    rel->inputs = inputs;
    rel->inputs_count = 2;
    rel->schema = (leat_schema){count, fields};
    *out = rel;
    return query->is_all ? LEAT_OK : make_distinct(plan, out);
}

leat_code leat_bind_query_in(leat_plan *plan, const leat_cte *ctes, const leat_ast_query *query, leat_rel **out)
{
    for (int32_t i = 0; i < query->with.count; i++) {
        leat_cte *cte = leat_arena_take(plan->arena, sizeof *cte);
        if (!cte) return leat_fail_no_memory(plan->error);
        *cte = (leat_cte){.outer = ctes, .with = query->with.items[i], .visible = ctes};
        ctes = cte;
    }
    if (query->kind == LEAT_AST_QUERY_SELECT) return bind_select(plan, ctes, query, out);
    if (query->kind == LEAT_AST_QUERY_VALUES)
        LEAT_TRY(bind_values(plan, query, out));
    else
        LEAT_TRY(bind_set(plan, ctes, query, out));
    int32_t *columns = leat_arena_take(plan->arena, (size_t)(query->order_by.count + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < query->order_by.count; i++) { /* only columns of the result can be named */
        const leat_ast_expr *ast = ((const leat_ast_order *)query->order_by.items[i])->expr;
        if (ast->kind == LEAT_AST_NUMBER)
            columns[i] = (int32_t)strtol(ast->text, NULL, 10) - 1;
        else if (ast->kind == LEAT_AST_COLUMN && ast->name->count == 1)
            columns[i] = leat_schema_find(&(*out)->schema, ast->name->parts[0]);
        else
            columns[i] = -1;
        if (columns[i] < 0 || columns[i] >= (*out)->schema.fields_count)
            return leat_plan_fail(plan, ast->place, LEAT_INVALID, "ORDER BY names a column of the result");
    }
    return make_sort(plan, query, columns, out);
}

leat_code leat_bind_query(leat_plan *plan, const leat_ast_query *query, leat_rel **out)
{
    LEAT_TRY(leat_bind_query_in(plan, NULL, query, out));
    leat_field *fields = leat_arena_take(plan->arena, (size_t)((*out)->schema.fields_count + 1) * sizeof *fields);
    leat_rel *named = leat_arena_take(plan->arena, sizeof *named);
    if (!fields || !named) return leat_fail_no_memory(plan->error);
    memcpy(fields, (*out)->schema.fields, (size_t)(*out)->schema.fields_count * sizeof *fields);
    *named = **out;
    named->schema.fields = fields;
    *out = named;
    return make_names_unique(plan, fields, named->schema.fields_count);
}
