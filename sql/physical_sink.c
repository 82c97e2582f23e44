#include <string.h>

#include "operators/not_null.h"
#include "sql/graph.h"

/* Where rows end: the collect sink of a SELECT, or the stages that a connector planned. */

static leat_code add_collect(leat_graph *graph, leat_stream *stream)
{
    leat_plan_operator operator= {.type = "collect", .name = leat_graph_name(graph, "Sink: Collect")};
    operator.description = operator.name;
    bool is_single = stream->parallelism == 1 && stream->tails_count == 1;
    leat_step step = {.exchange = is_single ? LEAT__PB__EXCHANGE__FORWARD : LEAT__PB__EXCHANGE__GLOBAL,
                      .parallelism = 1};
    int32_t changes = stream->changes;
    LEAT_TRY(leat_graph_append(graph, stream, &step, &operator));
    leat_graph_set_changes(graph, stream, changes);
    graph->changes = changes;
    return LEAT_OK;
}

static leat_code add_not_null(leat_graph *graph, leat_stream *stream, const leat_sink_target *target)
{
    if (target->not_null_count == 0) return LEAT_OK;
    leat_plan *plan = graph->plan;
    bool drops = strcasecmp(leat_config_string(plan->config, LEAT_OPTION_NOT_NULL_ENFORCER), "DROP") == 0;
    const char **names = leat_arena_take(plan->arena, (size_t)target->not_null_count * sizeof *names);
    if (!names) return leat_fail_no_memory(plan->error);
    leat_bytes text = {0};
    for (int32_t i = 0; i < target->not_null_count; i++) {
        names[i] = target->table->table.schema.fields[target->not_null[i]].name;
        leat_bytes_format(&text, "%s%s", i ? ", " : "", names[i]);
    }
    leat_not_null_config config = {.action = drops ? LEAT_NOT_NULL_DROP : LEAT_NOT_NULL_ERROR,
                                   .columns_count = target->not_null_count,
                                   .columns = target->not_null,
                                   .names = names};
    leat_plan_operator operator= {.type = "not-null", .name = leat_graph_name(graph, "ConstraintEnforcer")};
    operator.description = leat_arena_format(plan->arena, "ConstraintEnforcer[NotNullEnforcer(fields=[%s])]",
                                             text.data ? (const char *)text.data : "");
    leat_bytes_done(&text);
    leat_not_null_config_write(&config, &operator.config);
    leat_step step = {.exchange = LEAT__PB__EXCHANGE__FORWARD, .parallelism = stream->parallelism};
    int32_t changes = stream->changes;
    LEAT_TRY(leat_graph_append(graph, stream, &step, &operator));
    leat_graph_set_changes(graph, stream, changes);
    return LEAT_OK;
}

/* Changes of one key must reach an upsert sink by one way: hash by the sink's key, unless one subtask sees everything
 * or the first stage spreads by key itself. */
static leat_code keep_key_order(leat_graph *graph, const leat_stream *stream, const leat_sink_target *target,
                                const leat_sink_plan *sink, leat_step *step)
{
    const leat_table *table = &target->table->table;
    bool is_spread = step->exchange != LEAT__PB__EXCHANGE__FORWARD && step->exchange != LEAT__PB__EXCHANGE__REBALANCE;
    bool is_single = stream->parallelism == 1 && step->parallelism == 1;
    if (!sink->needs_key_order || stream->changes == LEAT_CHANGES_INSERT || is_spread || is_single) return LEAT_OK;
    if (table->primary_key_count == 0) {
        return leat_plan_fail(
            graph->plan, target->table->place, LEAT_INVALID,
            "Table sink '%s' has no primary key, and its changelog comes from several subtasks: a primary key "
            "is required but could not be found.",
            target->table->path);
    }
    uint32_t *keys = leat_arena_take(graph->plan->arena, (size_t)table->primary_key_count * sizeof *keys);
    if (!keys) return leat_fail_no_memory(graph->plan->error);
    for (int32_t i = 0; i < table->primary_key_count; i++)
        keys[i] = (uint32_t)table->primary_key[i];
    step->exchange = LEAT__PB__EXCHANGE__HASH;
    step->keys = keys;
    step->keys_count = (uint32_t)table->primary_key_count;
    return LEAT_OK;
}

static leat_code add_stage(leat_graph *graph, leat_stream *stream, const leat_sink_target *target, leat_sink_plan *sink,
                           int32_t index)
{
    leat_sink_stage *stage = &sink->stages[index];
    int32_t changes = stream->changes;
    for (int32_t i = 0; i < stage->operators_count; i++) {
        leat_plan_operator operator= stage->operators[i];
        stage->operators[i].config = (leat_bytes){0}; /* the graph's from here on */
        operator.name = leat_graph_name(graph, operator.name);
        leat_step step = {.exchange = LEAT__PB__EXCHANGE__FORWARD, .parallelism = stream->parallelism};
        if (i == 0) {
            step = (leat_step){.exchange = stage->exchange,
                               .keys = stage->key_columns,
                               .keys_count = stage->key_columns_count,
                               .ship_strategy = stage->ship_strategy,
                               .parallelism = stage->parallelism > 0 ? stage->parallelism : stream->parallelism,
                               .is_unchained = stage->is_unchained};
            if (index == 0) LEAT_TRY(keep_key_order(graph, stream, target, sink, &step));
            /* The rows on the way into a stage are what the stage says it reads; a column behind them may steer the
             * exchange. */
            stream->schema = stage->input;
        }
        LEAT_TRY(leat_graph_append(graph, stream, &step, &operator));
    }
    if (stage->operators_count) leat_graph_set_changes(graph, stream, changes);
    if (!stage->committer) return LEAT_OK;
    leat_draft_vertex *vertex = graph->vertices[stream->tails[0]];
    vertex->committer = stage->committer;
    vertex->committer_config = stage->committer_config;
    stage->committer_config = (leat_bytes){0};
    return LEAT_OK;
}

/* What was planned and not handed over to the graph. */
static void free_stages(leat_sink_plan *sink)
{
    for (int32_t s = 0; s < sink->stages_count; s++) {
        for (int32_t o = 0; o < sink->stages[s].operators_count; o++)
            leat_bytes_done(&sink->stages[s].operators[o].config);
        leat_bytes_done(&sink->stages[s].committer_config);
    }
}

static leat_code check_changes(leat_graph *graph, const leat_sink_target *target, int32_t accepts, int32_t changes)
{
    if (accepts & (LEAT_CHANGES_UPDATE_AFTER | LEAT_CHANGES_DELETE) || changes == LEAT_CHANGES_INSERT) return LEAT_OK;
    bool has_updates = changes & LEAT_CHANGES_UPDATE_AFTER;
    return leat_plan_fail(graph->plan, target->table->place, LEAT_INVALID,
                          "Table sink '%s' doesn't support consuming %s changes which is produced by the query",
                          target->table->path, has_updates ? "update" : "delete");
}

static leat_code plan_stages(leat_graph *graph, leat_rel *rel, const leat_sink_target *target, leat_sink_plan *sink)
{
    leat_plan *plan = graph->plan;
    const leat_bound_table *table = target->table;
    leat_plan_context context = leat_physical_context(plan);
    leat_sink_request request = {.changes = leat_physical_changes(plan, rel, false),
                                 .is_overwrite = target->is_overwrite,
                                 .static_partition = target->static_partition,
                                 .static_partition_count = target->static_partition_count};
    if (!table->connector->plan_sink) {
        return leat_plan_fail(plan, table->place, LEAT_INVALID,
                              "Connector '%s' can only be used as a source. It cannot be used as a sink.",
                              table->connector->identifier);
    }
    leat_code code = table->connector->plan_sink(&context, &table->table, &request, sink, plan->error);
    if (code == LEAT_OK) return check_changes(graph, target, sink->accepts, request.changes);
    (void)leat_fail_in(plan->error, code, "table '%s'", table->path);
    return leat_plan_at(plan, table->place, code);
}

leat_code leat_graph_add(leat_graph *graph, leat_rel *rel, const leat_sink_target *target)
{
    leat_stream stream;
    if (!target->table) {
        LEAT_TRY(leat_physical_rel(graph, rel, false, &stream));
        return add_collect(graph, &stream);
    }
    leat_sink_plan *sink = leat_arena_take(graph->plan->arena, sizeof *sink);
    if (!sink) return leat_fail_no_memory(graph->plan->error);
    leat_code code = plan_stages(graph, rel, target, sink);
    bool upsert = !(sink->accepts & LEAT_CHANGES_UPDATE_BEFORE);
    if (code == LEAT_OK) code = leat_physical_rel(graph, rel, upsert, &stream);
    if (code == LEAT_OK) code = add_not_null(graph, &stream, target);
    if (code == LEAT_OK) graph->changes = stream.changes;
    for (int32_t i = 0; code == LEAT_OK && i < sink->stages_count; i++)
        code = add_stage(graph, &stream, target, sink, i);
    free_stages(sink);
    return code;
}
