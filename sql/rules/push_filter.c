/* Conditions go as far down as they mean the same: below projections, into both sides of a union, below a lookup join
 * when they read the stream only, and as a hint into the scan. */
#include "sql/plan.h"

static leat_code push(leat_plan *plan, leat_rel **rel);

static leat_code below_project(leat_plan *plan, leat_rel **rel)
{
    leat_rel *filter = *rel, *project = filter->inputs[0];
    const leat_expr *moved = leat_expr_substitute(plan, filter->condition, project->exprs);
    if (!moved) return leat_fail_no_memory(plan->error);
    if (!leat_expr_is_deterministic(moved) || leat_expr_depth(moved) > LEAT_EXPR_DEPTH_MAX) return LEAT_OK;
    LEAT_TRY(leat_rel_filter(plan, project->inputs[0], moved, &project->inputs[0]));
    *rel = project;
    return push(plan, &project->inputs[0]);
}

static leat_code into_union(leat_plan *plan, leat_rel **rel)
{
    leat_rel *filter = *rel, *both = filter->inputs[0];
    for (int32_t i = 0; i < both->inputs_count; i++) {
        LEAT_TRY(leat_rel_filter(plan, both->inputs[i], filter->condition, &both->inputs[i]));
        LEAT_TRY(push(plan, &both->inputs[i]));
    }
    *rel = both;
    return LEAT_OK;
}

static bool reads_only(const leat_expr *expr, int32_t count)
{
    if (expr->kind == LEAT_EXPR_COLUMN) return expr->column < count;
    for (int32_t i = 0; i < expr->arguments_count; i++)
        if (!reads_only(expr->arguments[i], count)) return false;
    return true;
}

static leat_code below_lookup(leat_plan *plan, leat_rel **rel)
{
    leat_rel *filter = *rel, *join = filter->inputs[0];
    int32_t left = join->inputs[0]->schema.fields_count;
    const leat_expr *moved = NULL, *stays = NULL, *condition = filter->condition;
    int32_t count = condition->kind == LEAT_EXPR_AND ? condition->arguments_count : 1;
    for (int32_t i = 0; i < count; i++) {
        const leat_expr *part = condition->kind == LEAT_EXPR_AND ? condition->arguments[i] : condition;
        const leat_expr **side = reads_only(part, left) && leat_expr_is_deterministic(part) ? &moved : &stays;
        *side = leat_expr_and(plan, *side, part);
        if (!*side) return leat_fail_no_memory(plan->error);
    }
    if (!moved) return LEAT_OK;
    LEAT_TRY(leat_rel_filter(plan, join->inputs[0], moved, &join->inputs[0]));
    filter->condition = stays;
    if (!stays) *rel = join;
    return push(plan, &join->inputs[0]);
}

/* Moves one filter down. */
static leat_code push(leat_plan *plan, leat_rel **rel)
{
    leat_rel *filter = *rel, *input = filter->inputs[0];
    while (input->kind == LEAT_REL_FILTER) {
        filter->condition = leat_expr_and(plan, input->condition, filter->condition);
        if (!filter->condition) return leat_fail_no_memory(plan->error);
        input = filter->inputs[0] = input->inputs[0];
    }
    switch (input->kind) {
    case LEAT_REL_PROJECT: return below_project(plan, rel);
    case LEAT_REL_UNION: return into_union(plan, rel);
    case LEAT_REL_LOOKUP_JOIN: return below_lookup(plan, rel);
    case LEAT_REL_SCAN: /* what a source of changes leaves out, nobody could take back: only of plain rows */
        if (plan->is_batch || input->source->table.primary_key_count == 0) input->pushed = filter->condition;
        return LEAT_OK;
    default: return LEAT_OK;
    }
}

/* LIMIT alone: the source need not read more. */
static void push_limit(leat_rel *sort)
{
    leat_rel *at = sort->inputs[0];
    while (at->kind == LEAT_REL_PROJECT)
        at = at->inputs[0];
    if (at->kind == LEAT_REL_SCAN && sort->sort_keys_count == 0 && sort->fetch >= 0)
        at->limit = sort->offset + sort->fetch;
}

leat_code leat_rule_push_filter(leat_plan *plan, leat_rel **rel)
{
    for (int32_t i = 0; i < (*rel)->inputs_count; i++)
        LEAT_TRY(leat_rule_push_filter(plan, &(*rel)->inputs[i]));
    leat_rel *at = *rel;
    if (at->kind == LEAT_REL_FILTER) return push(plan, rel);
    if (at->kind == LEAT_REL_SORT) push_limit(at);
    if (at->kind == LEAT_REL_PROJECT && at->inputs[0]->kind == LEAT_REL_PROJECT)
        return leat_rel_project(plan, at->inputs[0], at->exprs, at->schema.fields, at->schema.fields_count, rel);
    return LEAT_OK;
}
