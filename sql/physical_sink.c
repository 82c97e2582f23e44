/* Where the rows go: the constraint enforcer, the connector's stages, or the collect sink of a SELECT. */
#include <string.h>
#include <strings.h>

#include "operators/not_null.h"
#include "sql/graph.h"

static void free_sink_plan(leat_sink_plan *sink)
{
    for (int32_t s = 0; s < sink->stages_count; s++) {
        for (int32_t i = 0; i < sink->stages[s].operators_count; i++)
            leat_bytes_done(&sink->stages[s].operators[i].config);
        leat_bytes_done(&sink->stages[s].committer_config);
    }
    *sink = (leat_sink_plan){0};
}

static leat_code plan_sink(leat_graph *graph, const leat_sink_target *target, int32_t changes, leat_sink_plan *out)
{
    leat_plan *plan = graph->plan;
    const leat_bound_table *table = target->table;
    leat_plan_context context = leat_plan_connector_context(plan);
    leat_sink_request request = {.changes = changes,
                                 .is_overwrite = target->is_overwrite,
                                 .static_partition = target->static_partition,
                                 .static_partition_count = target->is_overwrite ? target->static_partition_count
                                                                                : 0}; /* else they are constants only */
    *out = (leat_sink_plan){0};
    leat_code code = table->connector->plan_sink(&context, &table->table, &request, out, plan->error);
    if (code == LEAT_OK) return LEAT_OK;
    code = leat_fail_in(plan->error, code, "Unable to create a sink for writing table '%s'", table->path);
    return leat_plan_at(plan, table->place, code);
}

/* Whether an aggregate's changes could reach the sink without −U: nothing but projections and unions in between. */
static bool may_upsert(const leat_rel *rel)
{
    while (rel->kind == LEAT_REL_PROJECT || rel->kind == LEAT_REL_UNION)
        rel = rel->inputs[0];
    return rel->kind == LEAT_REL_AGGREGATE && rel->calls_count > 0;
}

static leat_code refuse_changes(leat_graph *graph, const leat_sink_target *target, const leat_stream *stream)
{
    const leat_bound_table *table = target->table;
    bool updates = (stream->changes & LEAT_CHANGES_UPDATE_AFTER) != 0;
    return leat_plan_fail(graph->plan, table->place, LEAT_INVALID,
                          "Table sink '%s' doesn't support consuming %s changes which is produced by node %.300s",
                          table->path,
                          updates ? (stream->changes & LEAT_CHANGES_DELETE ? "update and delete" : "update") : "delete",
                          stream->node ? stream->node->text : "?");
}

/* Updates of one key must be those of the query's own key: else an older row of another key could overwrite a newer
 * one. */
static leat_code check_key(leat_graph *graph, const leat_sink_target *target, const leat_stream *stream)
{
    const leat_table *table = &target->table->table;
    const char *materialize = leat_config_find(graph->plan->config, "table.exec.sink.upsert-materialize");
    if (materialize && strcasecmp(materialize, "NONE") == 0) return LEAT_OK;
    if (stream->changes == LEAT_CHANGES_INSERT || table->primary_key_count == 0) return LEAT_OK;
    if (!stream->has_key && !stream->has_lost_key) return LEAT_OK; /* the source tells none: its order is trusted */
    bool is_same = stream->has_key && stream->key_count <= table->primary_key_count;
    for (int32_t k = 0; k < stream->key_count && is_same; k++) {
        bool is_found = false;
        for (int32_t p = 0; p < table->primary_key_count; p++)
            is_found |= table->primary_key[p] == stream->key[k];
        is_same = is_found;
    }
    if (is_same) return LEAT_OK;
    (void)leat_plan_fail(graph->plan, target->table->place, LEAT_UNSUPPORTED,
                         "The query's key is not the primary key of %s: its changes would have to be put in order "
                         "first (upsert materialize), which is not supported yet",
                         target->table->path);
    leat_fail_hint(
        graph->plan->error,
        "group by the columns of the table's primary key, or SET 'table.exec.sink.upsert-materialize' = 'NONE'");
    return LEAT_UNSUPPORTED;
}

static leat_code add_enforcer(leat_graph *graph, const leat_sink_target *target, leat_stream *stream)
{
    leat_plan *plan = graph->plan;
    if (target->not_null_count == 0) return LEAT_OK;
    const char **names = leat_arena_take(plan->arena, (size_t)target->not_null_count * sizeof *names);
    if (!names) return leat_fail_no_memory(plan->error);
    leat_bytes text = {0}, bytes = {0};
    leat_bytes_text(&text, "ConstraintEnforcer[NotNullEnforcer(fields=[");
    for (int32_t i = 0; i < target->not_null_count; i++) {
        names[i] = (target->table ? target->table->table.schema : stream->schema).fields[target->not_null[i]].name;
        leat_bytes_format(&text, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    leat_bytes_text(&text, "])]");
    leat_code code = leat_bytes_check(&text, plan->error);
    const char *description = code == LEAT_OK ? leat_arena_strdup(plan->arena, (const char *)text.data) : NULL;
    leat_bytes_done(&text);
    const char *name = leat_graph_name(graph, "ConstraintEnforcer");
    if (!description || !name) return leat_fail_no_memory(plan->error);
    bool drops = strcasecmp(leat_config_string(plan->config, LEAT_OPTION_NOT_NULL_ENFORCER), "DROP") == 0;
    leat_not_null_config config = {.action = drops ? LEAT_NOT_NULL_DROP : LEAT_NOT_NULL_ERROR,
                                   .columns_count = target->not_null_count,
                                   .columns = target->not_null,
                                   .names = names};
    leat_not_null_config_write(&config, &bytes);
    leat_plan_operator operator_ = {.type = "not-null", .name = name, .description = description, .config = bytes};
    leat_graph_step step = {.exchange = LEAT__PB__EXCHANGE__FORWARD, .parallelism = stream->parallelism};
    return leat_graph_add_operator(graph, stream, &operator_, &step);
}

/* The first stage: as the connector says, but by key where changes of a key must stay in order over several subtasks.
 */
static leat_code first_step(leat_graph *graph, const leat_sink_target *target, const leat_sink_plan *sink,
                            const leat_stream *stream, leat_graph_step *step)
{
    const leat_table *table = &target->table->table;
    bool is_plain = step->exchange == LEAT__PB__EXCHANGE__FORWARD || step->exchange == LEAT__PB__EXCHANGE__REBALANCE;
    if (!sink->needs_key_order || !is_plain || table->primary_key_count == 0) return LEAT_OK;
    if (step->parallelism == 1 && stream->parallelism == 1) return LEAT_OK;
    uint32_t *keys = leat_arena_take(graph->plan->arena, (size_t)table->primary_key_count * sizeof *keys);
    if (!keys) return leat_fail_no_memory(graph->plan->error);
    for (int32_t k = 0; k < table->primary_key_count; k++)
        keys[k] = (uint32_t)table->primary_key[k];
    step->exchange = LEAT__PB__EXCHANGE__HASH;
    step->keys = keys;
    step->keys_count = table->primary_key_count;
    return LEAT_OK;
}

static leat_code add_stage(leat_graph *graph, const leat_sink_target *target, leat_sink_plan *sink, int32_t at,
                           leat_stream *stream)
{
    leat_sink_stage *stage = &sink->stages[at];
    leat_plan *plan = graph->plan;
    leat_graph_step step = {.exchange = stage->exchange,
                            .keys = stage->key_columns,
                            .keys_count = (int32_t)stage->key_columns_count,
                            .parallelism = stage->parallelism > 0 ? stage->parallelism : stream->parallelism,
                            .ship_strategy = stage->ship_strategy,
                            .is_unchained = stage->is_unchained};
    if (at == 0) LEAT_TRY(first_step(graph, target, sink, stream, &step));
    if (at > 0) stream->schema = stage->input;
    for (int32_t i = 0; i < stage->operators_count; i++) {
        leat_plan_operator *operator_ = &stage->operators[i];
        if (strncmp(operator_->name, "Sink: ", 6) == 0) {
            operator_->name = leat_graph_name(graph, operator_->name);
            if (!operator_->name) return leat_fail_no_memory(plan->error);
        }
        LEAT_TRY(leat_graph_add_operator(graph, stream, operator_, &step));
        step = (leat_graph_step){.exchange = LEAT__PB__EXCHANGE__FORWARD, .parallelism = step.parallelism};
    }
    if (!stage->committer) return LEAT_OK;
    leat_graph_vertex *vertex = graph->vertices[stream->vertices[0]];
    uint8_t *copy = leat_arena_take(plan->arena, stage->committer_config.size + 1);
    LEAT_TRY(leat_bytes_check(&stage->committer_config, plan->error));
    if (!copy) return leat_fail_no_memory(plan->error);
    if (stage->committer_config.size > 0) memcpy(copy, stage->committer_config.data, stage->committer_config.size);
    vertex->committer = stage->committer;
    vertex->committer_config = copy;
    vertex->committer_config_size = stage->committer_config.size;
    return LEAT_OK;
}

static leat_code add_root(leat_graph *graph, leat_stream *stream, const char *text)
{
    if (graph->roots_count == (int32_t)(sizeof graph->roots / sizeof *graph->roots))
        return leat_fail(graph->plan->error, LEAT_LIMIT, "A statement set has at most %d sinks", graph->roots_count);
    if (text) LEAT_TRY(leat_graph_note(graph, stream, text));
    graph->roots[graph->roots_count++] = stream->node;
    graph->changes = stream->changes;
    graph->is_bounded &= stream->is_bounded;
    return LEAT_OK;
}

static leat_code add_collect(leat_graph *graph, const leat_sink_target *target, leat_stream *stream)
{
    leat_plan_operator operator_ = {.type = "collect",
                                    .name = leat_graph_name(graph, "Sink: Collect table sink"),
                                    .description = "Sink: Collect table sink"};
    if (!operator_.name) return leat_fail_no_memory(graph->plan->error);
    LEAT_TRY(add_enforcer(graph, target, stream));
    bool is_single = stream->parallelism == 1 && stream->vertices_count == 1;
    leat_graph_step step = {.exchange = is_single ? LEAT__PB__EXCHANGE__FORWARD : LEAT__PB__EXCHANGE__GLOBAL,
                            .parallelism = 1};
    leat_stream shown = *stream;
    LEAT_TRY(leat_graph_add_operator(graph, stream, &operator_, &step));
    return add_root(graph, &shown, NULL);
}

static leat_code add_stages(leat_graph *graph, const leat_sink_target *target, leat_sink_plan *sink,
                            leat_stream *stream)
{
    leat_plan *plan = graph->plan;
    int32_t taken = sink->accepts | (sink->accepts & LEAT_CHANGES_UPDATE_AFTER ? LEAT_CHANGES_UPDATE_BEFORE : 0);
    if (stream->changes & ~taken) return refuse_changes(graph, target, stream);
    LEAT_TRY(check_key(graph, target, stream));
    LEAT_TRY(add_enforcer(graph, target, stream));
    leat_bytes text = {0};
    leat_bytes_format(&text, "Sink(table=[%s], fields=[", target->table->path);
    for (int32_t i = 0; i < stream->schema.fields_count; i++)
        leat_bytes_format(&text, "%s%s", i > 0 ? ", " : "", stream->schema.fields[i].name);
    leat_bytes_text(&text, "])");
    leat_code code = leat_bytes_check(&text, plan->error);
    if (code == LEAT_OK) code = add_root(graph, stream, (const char *)text.data);
    leat_bytes_done(&text);
    for (int32_t s = 0; s < sink->stages_count && code == LEAT_OK; s++)
        code = add_stage(graph, target, sink, s, stream);
    return code;
}

leat_code leat_graph_add(leat_graph *graph, leat_rel *rel, const leat_sink_target *target)
{
    leat_plan *plan = graph->plan;
    leat_stream *stream = leat_arena_take(plan->arena, sizeof *stream);
    leat_sink_plan *sink = leat_arena_take(plan->arena, sizeof *sink);
    bool wants_upsert = false;
    if (!stream || !sink) return leat_fail_no_memory(plan->error);
    if (target->table && !plan->is_batch && may_upsert(rel)) { /* ask the sink first what it wants */
        LEAT_TRY(plan_sink(graph, target, LEAT_CHANGES_ALL, sink));
        wants_upsert = !(sink->accepts & LEAT_CHANGES_UPDATE_BEFORE);
        free_sink_plan(sink);
    }
    LEAT_TRY(leat_physical(graph, rel, wants_upsert, stream));
    if (!target->table) return add_collect(graph, target, stream);
    LEAT_TRY(plan_sink(graph, target, stream->changes, sink));
    leat_code code = add_stages(graph, target, sink, stream);
    free_sink_plan(sink);
    return code;
}
