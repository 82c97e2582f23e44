/* Constants are computed while planning; a condition that is always TRUE goes away. Depth is that of the query's text,
 * which the grammar bounds. */
#include "sql/plan.h"

static leat_code fold(leat_plan *plan, const leat_expr **expr)
{
    if (!plan->now_ms && plan->env) plan->now_ms = leat_env_now_ms(plan->env);
    leat_program_options options = {
        .time_zone = plan->time_zone, .env = plan->env, .now_ms = plan->now_ms, .folds_clock = plan->is_batch};
    return leat_expr_fold(plan->arena, *expr, &options, expr, plan->error);
}

static bool is_always_true(const leat_expr *expr)
{
    return expr->kind == LEAT_EXPR_LITERAL && !expr->value.is_null && expr->value.i64 != 0;
}

leat_code leat_rule_fold(leat_plan *plan, leat_rel *rel)
{
    for (int32_t i = 0; i < rel->inputs_count; i++) {
        LEAT_TRY(leat_rule_fold(plan, rel->inputs[i]));
        leat_rel *input = rel->inputs[i];
        while (input->kind == LEAT_REL_FILTER && is_always_true(input->condition))
            input = input->inputs[0];
        rel->inputs[i] = input;
    }
    int32_t count = rel->kind == LEAT_REL_PROJECT  ? rel->schema.fields_count
                    : rel->kind == LEAT_REL_VALUES ? rel->rows_count * rel->schema.fields_count
                                                   : 0;
    for (int32_t i = 0; i < count; i++)
        LEAT_TRY(fold(plan, &rel->exprs[i]));
    if (rel->condition) LEAT_TRY(fold(plan, &rel->condition));
    return LEAT_OK;
}
