/* Columns that nobody reads are not read, moved or computed. */
#include <string.h>

#include "sql/plan.h"

/* The node without the columns that are not needed. map[old] = new, -1: gone. More than the needed ones may stay. */
static leat_code prune(leat_plan *plan, leat_rel *rel, bool *needed, leat_rel **out, int32_t *map);

static void *take(leat_plan *plan, int32_t count, size_t bytes)
{
    return leat_arena_take(plan->arena, (size_t)(count + 1) * bytes);
}

/* Keeps the marked columns of a list; at least one, so that rows can be counted. */
static int32_t keep_marked(bool *needed, int32_t count, int32_t *map)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++)
        kept += needed[i];
    if (kept == 0 && count > 0) needed[0] = true;
    kept = 0;
    for (int32_t i = 0; i < count; i++)
        map[i] = needed[i] ? kept++ : -1;
    return kept;
}

static leat_code keep_fields(leat_plan *plan, leat_rel *rel, const int32_t *map, int32_t kept)
{
    leat_field *fields = take(plan, kept, sizeof *fields);
    if (!fields) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < rel->schema.fields_count; i++)
        if (map[i] >= 0) fields[map[i]] = rel->schema.fields[i];
    rel->schema = (leat_schema){kept, fields};
    return LEAT_OK;
}

static leat_code prune_input(leat_plan *plan, leat_rel *rel, bool *needed, int32_t **map)
{
    *map = take(plan, rel->inputs[0]->schema.fields_count, sizeof **map);
    if (!*map) return leat_fail_no_memory(plan->error);
    return prune(plan, rel->inputs[0], needed, &rel->inputs[0], *map);
}

static leat_code prune_scan(leat_plan *plan, leat_rel *rel, bool *needed, int32_t *map)
{
    int32_t count = rel->schema.fields_count, kept = keep_marked(needed, count, map);
    int32_t *columns = take(plan, kept, sizeof *columns);
    if (!columns) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++)
        if (map[i] >= 0) columns[map[i]] = rel->columns[i];
    LEAT_TRY(keep_fields(plan, rel, map, kept));
    rel->columns = columns;
    rel->columns_count = kept;
    if (rel->pushed) rel->pushed = leat_expr_remap(plan, rel->pushed, map);
    return LEAT_OK;
}

static leat_code prune_exprs(leat_plan *plan, leat_rel *rel, bool *needed, int32_t *map)
{
    int32_t count = rel->schema.fields_count, kept = keep_marked(needed, count, map);
    int32_t rows = rel->kind == LEAT_REL_VALUES ? rel->rows_count : 1;
    const leat_expr **exprs = take(plan, kept * rows, sizeof *exprs);
    if (!exprs) return leat_fail_no_memory(plan->error);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t i = 0; i < count; i++)
            if (map[i] >= 0) exprs[r * kept + map[i]] = rel->exprs[r * count + i];
    rel->exprs = exprs;
    LEAT_TRY(keep_fields(plan, rel, map, kept));
    if (rel->kind == LEAT_REL_VALUES) return LEAT_OK;
    int32_t *input_map;
    bool *input = take(plan, rel->inputs[0]->schema.fields_count, sizeof *input);
    if (!input) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < kept; i++)
        leat_expr_mark(exprs[i], input);
    LEAT_TRY(prune_input(plan, rel, input, &input_map));
    for (int32_t i = 0; i < kept; i++) {
        exprs[i] = leat_expr_remap(plan, exprs[i], input_map);
        if (!exprs[i]) return leat_fail_no_memory(plan->error);
    }
    return LEAT_OK;
}

/* Nodes whose rows are their input's: FILTER, SORT. */
static leat_code prune_through(leat_plan *plan, leat_rel *rel, bool *needed, int32_t *map)
{
    int32_t *input_map, count = rel->schema.fields_count;
    bool *input = take(plan, count, sizeof *input);
    if (!input) return leat_fail_no_memory(plan->error);
    memcpy(input, needed, (size_t)count * sizeof *input);
    if (rel->condition) leat_expr_mark(rel->condition, input);
    for (int32_t i = 0; i < rel->sort_keys_count; i++)
        input[rel->sort_keys[i].column] = true;
    LEAT_TRY(prune_input(plan, rel, input, &input_map));
    memcpy(map, input_map, (size_t)count * sizeof *map);
    rel->schema = rel->inputs[0]->schema;
    if (rel->condition) {
        rel->condition = leat_expr_remap(plan, rel->condition, map);
        if (!rel->condition) return leat_fail_no_memory(plan->error);
    }
    for (int32_t i = 0; i < rel->sort_keys_count; i++)
        rel->sort_keys[i].column = map[rel->sort_keys[i].column];
    return LEAT_OK;
}

static leat_code prune_aggregate(leat_plan *plan, leat_rel *rel, const bool *needed, int32_t *map)
{
    int32_t *input_map, calls = 0;
    bool *input = take(plan, rel->inputs[0]->schema.fields_count, sizeof *input);
    if (!input) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < rel->keys_count; i++) {
        input[rel->keys[i]] = true;
        map[i] = i;
    }
    for (int32_t i = 0; i < rel->calls_count; i++) {
        const leat_aggregate_call call = rel->calls[i];
        bool is_kept = needed[rel->keys_count + i] || (rel->keys_count == 0 && calls == 0 && i + 1 == rel->calls_count);
        map[rel->keys_count + i] = is_kept ? rel->keys_count + calls : -1;
        if (!is_kept) continue;
        rel->calls[calls++] = call;
        if (call.column >= 0) input[call.column] = true;
        if (call.filter >= 0) input[call.filter] = true;
    }
    LEAT_TRY(keep_fields(plan, rel, map, rel->keys_count + calls));
    rel->calls_count = calls;
    LEAT_TRY(prune_input(plan, rel, input, &input_map));
    for (int32_t i = 0; i < rel->keys_count; i++)
        rel->keys[i] = input_map[rel->keys[i]];
    for (int32_t i = 0; i < calls; i++) {
        if (rel->calls[i].column >= 0) rel->calls[i].column = input_map[rel->calls[i].column];
        if (rel->calls[i].filter >= 0) rel->calls[i].filter = input_map[rel->calls[i].filter];
    }
    return LEAT_OK;
}

static leat_code prune_lookup(leat_plan *plan, leat_rel *rel, bool *needed, int32_t *map)
{
    int32_t left = rel->inputs[0]->schema.fields_count, table = rel->columns_count, kept = 0, *left_map;
    bool *all = take(plan, left + table, sizeof *all);
    int32_t *columns = take(plan, table, sizeof *columns);
    if (!all || !columns) return leat_fail_no_memory(plan->error);
    memcpy(all, needed, (size_t)(left + table) * sizeof *all);
    if (rel->condition) leat_expr_mark(rel->condition, all);
    for (int32_t i = 0; i < rel->keys_count; i++)
        all[rel->keys[i]] = true;
    leat_field *right = rel->schema.fields + left;
    LEAT_TRY(prune_input(plan, rel, all, &left_map));
    const leat_schema *input = &rel->inputs[0]->schema;
    leat_field *fields = take(plan, input->fields_count + table, sizeof *fields);
    if (!fields) return leat_fail_no_memory(plan->error);
    memcpy(fields, input->fields, (size_t)input->fields_count * sizeof *fields);
    memcpy(map, left_map, (size_t)left * sizeof *map);
    for (int32_t i = 0; i < table; i++) {
        map[left + i] = -1;
        if (!all[left + i]) continue;
        fields[input->fields_count + kept] = right[i];
        columns[kept] = rel->columns[i];
        map[left + i] = input->fields_count + kept++;
    }
    rel->schema = (leat_schema){input->fields_count + kept, fields};
    rel->columns = columns;
    rel->columns_count = kept;
    for (int32_t i = 0; i < rel->keys_count; i++)
        rel->keys[i] = left_map[rel->keys[i]];
    if (rel->condition) rel->condition = leat_expr_remap(plan, rel->condition, map);
    return LEAT_OK;
}

/* Exactly the wanted columns, in their order. */
static leat_code select_columns(leat_plan *plan, leat_rel *rel, const int32_t *columns, const leat_field *names,
                                int32_t count, leat_rel **out)
{
    bool is_same = rel->schema.fields_count == count;
    for (int32_t i = 0; i < count && is_same; i++)
        is_same = columns[i] == i;
    *out = rel;
    if (is_same) return LEAT_OK;
    const leat_expr **exprs = take(plan, count, sizeof *exprs);
    if (!exprs) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++) {
        exprs[i] = leat_expr_column(plan, &rel->schema, columns[i]);
        if (!exprs[i]) return leat_fail_no_memory(plan->error);
    }
    return leat_rel_project(plan, rel, exprs, names, count, out);
}

static leat_code prune_union(leat_plan *plan, leat_rel *rel, bool *needed, int32_t *map)
{
    int32_t count = rel->schema.fields_count, kept = keep_marked(needed, count, map);
    for (int32_t u = 0; u < rel->inputs_count; u++) {
        int32_t *input_map = take(plan, count, sizeof *input_map), *columns = take(plan, kept, sizeof *columns);
        bool *input = take(plan, count, sizeof *input);
        leat_field *names = take(plan, kept, sizeof *names);
        if (!input_map || !columns || !input || !names) return leat_fail_no_memory(plan->error);
        memcpy(input, needed, (size_t)count * sizeof *input);
        LEAT_TRY(prune(plan, rel->inputs[u], input, &rel->inputs[u], input_map));
        for (int32_t i = 0; i < count; i++) {
            if (map[i] < 0) continue;
            columns[map[i]] = input_map[i];
            names[map[i]] = rel->schema.fields[i];
        }
        LEAT_TRY(select_columns(plan, rel->inputs[u], columns, names, kept, &rel->inputs[u]));
    }
    return keep_fields(plan, rel, map, kept);
}

/* A projection that gives its input's columns as they are is left out; its names stay. */
static leat_code drop_identity(leat_plan *plan, leat_rel *rel, leat_rel **out)
{
    leat_rel *input = rel->inputs[0];
    bool is_same = input->schema.fields_count == rel->schema.fields_count;
    for (int32_t i = 0; i < rel->schema.fields_count && is_same; i++)
        is_same = rel->exprs[i]->kind == LEAT_EXPR_COLUMN && rel->exprs[i]->column == i;
    if (!is_same) return LEAT_OK;
    leat_field *fields = take(plan, rel->schema.fields_count, sizeof *fields);
    leat_rel *named = take(plan, 0, sizeof *named);
    if (!fields || !named) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < rel->schema.fields_count; i++)
        fields[i] = (leat_field){rel->schema.fields[i].name, input->schema.fields[i].type};
    *named = *input;
    named->schema.fields = fields;
    *out = named;
    return LEAT_OK;
}

static leat_code prune(leat_plan *plan, leat_rel *rel, bool *needed, leat_rel **out, int32_t *map)
{
    *out = rel;
    switch (rel->kind) {
    case LEAT_REL_SCAN: return prune_scan(plan, rel, needed, map);
    case LEAT_REL_VALUES: return prune_exprs(plan, rel, needed, map);
    case LEAT_REL_PROJECT: LEAT_TRY(prune_exprs(plan, rel, needed, map)); return drop_identity(plan, rel, out);
    case LEAT_REL_FILTER:
    case LEAT_REL_SORT: return prune_through(plan, rel, needed, map);
    case LEAT_REL_AGGREGATE: return prune_aggregate(plan, rel, needed, map);
    case LEAT_REL_LOOKUP_JOIN: return prune_lookup(plan, rel, needed, map);
    case LEAT_REL_UNION: return prune_union(plan, rel, needed, map);
    }
    return LEAT_OK;
}

leat_code leat_rule_prune(leat_plan *plan, leat_rel **rel)
{
    int32_t count = (*rel)->schema.fields_count, *map = take(plan, count, sizeof *map);
    bool *needed = take(plan, count, sizeof *needed);
    leat_field *names = (*rel)->schema.fields;
    if (!map || !needed) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++)
        needed[i] = true;
    LEAT_TRY(prune(plan, *rel, needed, rel, map));
    LEAT_TRY(select_columns(plan, *rel, map, names, count, rel));
    leat_field *fields = take(plan, count, sizeof *fields); /* what filters and sorts took from below */
    if (!fields) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++)
        fields[i] = (leat_field){names[i].name, (*rel)->schema.fields[i].type};
    (*rel)->schema.fields = fields;
    return LEAT_OK;
}
