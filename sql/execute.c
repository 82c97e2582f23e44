/* Statements that make jobs, and EXPLAIN. */
#include <string.h>

#include "common/memory.h"
#include "sql/internal.h"

/* Validated, then improved by the rules. */
static leat_code optimise(leat_plan *plan, leat_rel **rel, leat_bytes *logical)
{
    if (logical) leat_rel_explain(*rel, logical);
    LEAT_TRY(leat_rule_fold(plan, *rel));
    LEAT_TRY(leat_rule_push_filter(plan, rel));
    LEAT_TRY(leat_rule_fold(plan, *rel));
    return leat_rule_prune(plan, rel);
}

static leat_code check_hints(leat_plan *plan)
{
    for (int32_t i = 0; i < plan->hints_count; i++) {
        const leat_lookup_hint *hint = plan->hints[i];
        if (hint->is_used) continue;
        (void)leat_plan_fail(
            plan, hint->place, LEAT_INVALID,
            "The options of following hints cannot match the name of input tables or views: `%s` in `LOOKUP`",
            hint->table ? hint->table : "");
        leat_fail_hint(plan->error, "'table' is the alias (or name) of the looked-up table");
        return LEAT_INVALID;
    }
    return LEAT_OK;
}

static leat_code add_insert(leat_plan *plan, leat_graph *graph, const leat_ast_statement *insert, leat_bytes *logical,
                            const char **name)
{
    leat_rel *rel;
    leat_sink_target target;
    plan->hints_count = 0;
    LEAT_TRY(leat_bind_insert(plan, insert, &rel, &target));
    LEAT_TRY(check_hints(plan));
    if (logical) leat_bytes_format(logical, "LogicalSink(table=[%s])\n", target.table->path);
    LEAT_TRY(optimise(plan, &rel, logical));
    *name = target.table->path;
    return leat_graph_add(graph, rel, &target);
}

/* Flink guards results too: a decimal that overflowed is NULL whatever its type says. */
static leat_code guard_result(leat_plan *plan, const leat_rel *rel, leat_sink_target *target)
{
    int32_t *columns = leat_arena_take(plan->arena, (size_t)(rel->schema.fields_count + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < rel->schema.fields_count; i++)
        if (!rel->schema.fields[i].type.nullable && rel->schema.fields[i].type.kind == LEAT_TYPE_DECIMAL)
            columns[target->not_null_count++] = i;
    target->not_null = columns;
    return LEAT_OK;
}

static leat_code add_query(leat_plan *plan, leat_graph *graph, const leat_ast_query *query, leat_bytes *logical,
                           leat_schema *schema)
{
    leat_rel *rel;
    leat_sink_target target = {0};
    plan->hints_count = 0;
    LEAT_TRY(leat_bind_query(plan, query, &rel));
    LEAT_TRY(check_hints(plan));
    LEAT_TRY(optimise(plan, &rel, logical));
    if (schema) *schema = rel->schema;
    LEAT_TRY(guard_result(plan, rel, &target));
    return leat_graph_add(graph, rel, &target);
}

static const char *job_name(leat_plan *plan, const char *made)
{
    const char *name = leat_config_string(plan->config, LEAT_OPTION_PIPELINE_NAME);
    return *name ? name : made;
}

static leat_code finish(leat_statement *self, leat_graph *graph, leat_result_kind kind, const char *name)
{
    leat_session_result *result = self->result;
    result->kind = kind;
    result->job_name = leat_arena_strdup(&result->arena, job_name(&self->plan, name));
    if (!result->job_name) return leat_fail_no_memory(self->plan.error);
    result->is_bounded = leat_graph_is_bounded(graph);
    result->is_batch = self->plan.is_batch;
    result->changes = leat_graph_changes(graph);
    result->waits = leat_config_bool(self->plan.config, LEAT_OPTION_DML_SYNC);
    result->time_zone = self->plan.time_zone ? leat_arena_strdup(&result->arena, self->plan.time_zone) : NULL;
    return leat_graph_pack(graph, result->job_name, &result->graph);
}

static leat_code run_inserts(leat_statement *self, const leat_ast_list *inserts)
{
    leat_plan *plan = &self->plan;
    leat_graph *graph = leat_graph_new(plan, &self->session->node_number);
    const char *name = "insert-into_", *table;
    if (!graph) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < inserts->count; i++) {
        LEAT_TRY(add_insert(plan, graph, inserts->items[i], NULL, &table));
        name = leat_arena_format(plan->arena, "%s%s%s", name, i > 0 ? "," : "", table);
        if (!name) return leat_fail_no_memory(plan->error);
    }
    return finish(self, graph, LEAT_RESULT_JOB, name);
}

static leat_code run_query(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    leat_graph *graph = leat_graph_new(plan, &self->session->node_number);
    leat_schema schema;
    if (!graph) return leat_fail_no_memory(plan->error);
    LEAT_TRY(add_query(plan, graph, self->ast->query, NULL, &schema));
    LEAT_TRY(leat_schema_copy(&self->result->arena, &schema, &self->result->schema, plan->error));
    return finish(self, graph, LEAT_RESULT_QUERY, self->result->statement);
}

static leat_code explain(leat_statement *self)
{
    leat_plan *plan = &self->plan;
    const leat_ast_statement *what = self->ast->statements.items[0];
    int32_t number = self->session->node_number; /* explaining takes no numbers */
    leat_graph *graph = leat_graph_new(plan, &number);
    bool with_changes = false;
    const char *name;
    leat_bytes text = {0};
    if (!graph) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < self->ast->details.count; i++)
        with_changes |= strcmp(self->ast->details.items[i], "CHANGELOG_MODE") == 0;
    leat_bytes_text(&text, "== Abstract Syntax Tree ==\n");
    leat_code code = LEAT_OK;
    if (what->kind == LEAT_AST_INSERT)
        code = add_insert(plan, graph, what, &text, &name);
    else if (what->kind == LEAT_AST_QUERY)
        code = add_query(plan, graph, what->query, &text, NULL);
    for (int32_t i = 0; what->kind == LEAT_AST_STATEMENT_SET && i < what->statements.count && code == LEAT_OK; i++)
        code = add_insert(plan, graph, what->statements.items[i], &text, &name);
    if (code == LEAT_OK) code = leat_graph_explain(graph, with_changes, &text);
    const char *column = "result";
    if (code == LEAT_OK) code = leat_result_columns(self->result, &column, 1, plan->error);
    const char *row = (const char *)text.data;
    if (code == LEAT_OK) code = leat_result_row(self->result, &row, plan->error);
    leat_bytes_done(&text);
    return code;
}

leat_code leat_execute(leat_statement *self)
{
    leat_ast_list one = {0};
    void *item = (void *)(uintptr_t)self->ast;
    switch (self->ast->kind) {
    case LEAT_AST_INSERT: one = (leat_ast_list){.items = &item, .count = 1}; return run_inserts(self, &one);
    case LEAT_AST_STATEMENT_SET: return run_inserts(self, &self->ast->statements);
    case LEAT_AST_QUERY: return run_query(self);
    default: return explain(self);
    }
}
