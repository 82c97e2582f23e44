#include <string.h>

#include "operators/calc.h"
#include "operators/limit.h"
#include "operators/lookup_join.h"
#include "operators/values.h"
#include "sql/graph.h"

/* From the logical plan to operators: which kind, what exchange before it, which changes come out. */

leat_plan_context leat_physical_context(const leat_plan *plan)
{
    return (leat_plan_context){.arena = plan->arena,
                               .env = plan->env,
                               .session = plan->config,
                               .is_batch = plan->is_batch,
                               .parallelism = plan->parallelism,
                               .time_zone = plan->time_zone};
}

static leat_step forward(const leat_stream *stream)
{
    return (leat_step){.exchange = LEAT__PB__EXCHANGE__FORWARD, .parallelism = stream->parallelism};
}

/* "Calc(select=[a, b], where=[…])" and the like: a name and what it does. */
static leat_code set_names(leat_graph *graph, leat_plan_operator *operator, const char * base, leat_bytes *details)
{
    operator->name = leat_graph_name(graph, base);
    bool has_details = !details->failed && details->size > 0;
    operator->description = has_details
        ? leat_arena_format(graph->plan->arena, "%s(%.*s)", base, (int)details->size, (const char *)details->data)
        :
        operator->name;
    leat_bytes_done(details);
    return operator->name && operator->description ? LEAT_OK : leat_fail_no_memory(graph->plan->error);
}

static void print_names(const leat_schema *schema, const char *what, leat_bytes *out)
{
    leat_bytes_format(out, "%s%s=[", out->size ? ", " : "", what);
    for (int32_t i = 0; i < schema->fields_count; i++)
        leat_bytes_format(out, "%s%s", i ? ", " : "", schema->fields[i].name);
    leat_bytes_text(out, "]");
}

/* --- changes --- */

static int32_t aggregate_changes(const leat_plan *plan, int32_t in, bool upsert)
{
    if (plan->is_batch) return LEAT_CHANGES_INSERT;
    int32_t out = LEAT_CHANGES_INSERT | LEAT_CHANGES_UPDATE_AFTER;
    if (!upsert) out |= LEAT_CHANGES_UPDATE_BEFORE;
    bool has_retractions = in & (LEAT_CHANGES_UPDATE_BEFORE | LEAT_CHANGES_DELETE);
    return has_retractions ? out | LEAT_CHANGES_DELETE : out;
}

/* A DISTINCT (no calls) over insertions only ever adds groups. */
static int32_t changes_of_aggregate(const leat_plan *plan, const leat_rel *rel, int32_t in, bool upsert)
{
    if (rel->calls_count == 0 && in == LEAT_CHANGES_INSERT) return LEAT_CHANGES_INSERT;
    return aggregate_changes(plan, in, upsert);
}

static int32_t source_changes(const leat_plan *plan, const leat_rel *rel)
{
    leat_plan_context context = leat_physical_context(plan);
    leat_source_request request = {.columns = rel->columns, .columns_count = rel->columns_count, .limit = -1};
    leat_source_plan planned = {0};
    const leat_connector *connector = rel->source->connector;
    bool is_planned = connector->plan_source &&
                      connector->plan_source(&context, &rel->source->table, &request, &planned, NULL) == LEAT_OK;
    leat_bytes_done(&planned.source.config);
    leat_bytes_done(&planned.enumerator_config);
    return is_planned ? planned.changes : LEAT_CHANGES_INSERT; /* what is wrong is told when it is planned for good */
}

int32_t leat_physical_changes(const leat_plan *plan, const leat_rel *rel, bool upsert)
{
    switch (rel->kind) {
    case LEAT_REL_SCAN: return source_changes(plan, rel);
    case LEAT_REL_VALUES: return LEAT_CHANGES_INSERT;
    case LEAT_REL_PROJECT: return leat_physical_changes(plan, rel->inputs[0], upsert);
    case LEAT_REL_AGGREGATE:
        return changes_of_aggregate(plan, rel, leat_physical_changes(plan, rel->inputs[0], false), upsert);
    case LEAT_REL_UNION: {
        int32_t all = 0;
        for (int32_t i = 0; i < rel->inputs_count; i++)
            all |= leat_physical_changes(plan, rel->inputs[i], false);
        return all;
    }
    case LEAT_REL_FILTER:
    case LEAT_REL_LOOKUP_JOIN:
    case LEAT_REL_SORT: return leat_physical_changes(plan, rel->inputs[0], false);
    }
    return LEAT_CHANGES_ALL;
}

/* --- nodes --- */

static leat_code plan_scan(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    const leat_bound_table *table = rel->source;
    if (!table->connector->plan_source) {
        return leat_plan_fail(plan, table->place, LEAT_INVALID,
                              "Connector '%s' can only be used as a sink. It cannot be used as a source.",
                              table->connector->identifier);
    }
    leat_plan_context context = leat_physical_context(plan);
    leat_source_request request = {
        .columns = rel->columns, .columns_count = rel->columns_count, .filter = rel->pushed, .limit = rel->limit};
    leat_source_plan planned = {.parallelism = -1};
    leat_code code = table->connector->plan_source(&context, &table->table, &request, &planned, plan->error);
    if (code == LEAT_OK && plan->is_batch && !planned.is_bounded) {
        code = leat_plan_fail(
            plan, table->place, LEAT_INVALID,
            "Querying an unbounded table '%s' in batch mode is not allowed. The table source is unbounded.",
            table->path);
    }
    if (code != LEAT_OK) {
        leat_bytes_done(&planned.source.config);
        leat_bytes_done(&planned.enumerator_config);
        (void)leat_fail_in(plan->error, code, "table '%s'", table->path);
        return leat_plan_at(plan, table->place, code);
    }
    graph->is_unbounded = graph->is_unbounded || !planned.is_bounded;
    leat_bytes details = {0};
    leat_bytes_format(&details, "table=[%s]", table->path);
    print_names(&rel->schema, "fields", &details);
    const char *name = planned.source.name;
    code = set_names(graph, &planned.source, name ? name : "Source", &details);
    if (code != LEAT_OK) return code;
    int32_t parallelism = planned.parallelism > 0 ? planned.parallelism : plan->parallelism;
    LEAT_TRY(leat_graph_source(graph, &planned.source, parallelism, out));
    leat_draft_vertex *vertex = graph->vertices[out->tails[0]];
    vertex->enumerator = planned.enumerator;
    vertex->enumerator_config = planned.enumerator_config;
    out->schema = rel->schema;
    leat_graph_set_changes(graph, out, planned.changes);
    return LEAT_OK;
}

static leat_code plan_values(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan_operator operator= {.type = "values"};
    leat_values_config config = {
        .output = rel->schema, .rows_count = rel->rows_count, .exprs = rel->exprs, .time_zone = graph->plan->time_zone};
    leat_values_config_write(&config, &operator.config);
    leat_bytes details = {0};
    print_names(&rel->schema, "values", &details);
    LEAT_TRY(set_names(graph, &operator, "Source: Values", &details));
    LEAT_TRY(leat_graph_source(graph, &operator, 1, out));
    out->schema = rel->schema;
    leat_graph_set_changes(graph, out, LEAT_CHANGES_INSERT);
    return LEAT_OK;
}

/* PROJECT, FILTER, or PROJECT right over FILTER: one Calc. */
static leat_code plan_calc(leat_graph *graph, leat_rel *rel, bool upsert, leat_stream *out)
{
    leat_rel *projection = rel->kind == LEAT_REL_PROJECT ? rel : NULL;
    leat_rel *below = projection ? rel->inputs[0] : rel;
    leat_rel *filter = below->kind == LEAT_REL_FILTER ? below : NULL;
    leat_rel *input = filter ? filter->inputs[0] : below;
    LEAT_TRY(leat_physical_rel(graph, input, upsert && !filter, out));
    leat_calc_config config = {.input = out->schema,
                               .condition = filter ? filter->condition : NULL,
                               .exprs_count = projection ? rel->schema.fields_count : 0,
                               .exprs = projection ? rel->exprs : NULL,
                               .keeps_columns = !projection,
                               .time_zone = graph->plan->time_zone};
    leat_plan_operator operator= {.type = "calc"};
    leat_calc_config_write(&config, &operator.config);
    leat_bytes details = {0};
    leat_bytes_text(&details, "select=[");
    for (int32_t i = 0; i < rel->schema.fields_count; i++) {
        if (i) leat_bytes_text(&details, ", ");
        if (!projection) {
            leat_bytes_text(&details, rel->schema.fields[i].name);
            continue;
        }
        leat_expr_print(rel->exprs[i], &out->schema, &details);
        bool is_same = rel->exprs[i]->kind == LEAT_EXPR_COLUMN &&
                       strcmp(out->schema.fields[rel->exprs[i]->column].name, rel->schema.fields[i].name) == 0;
        if (!is_same) leat_bytes_format(&details, " AS %s", rel->schema.fields[i].name);
    }
    leat_bytes_text(&details, "]");
    if (filter) {
        leat_bytes_text(&details, ", where=[");
        leat_expr_print(filter->condition, &out->schema, &details);
        leat_bytes_text(&details, "]");
    }
    LEAT_TRY(set_names(graph, &operator, "Calc", &details));
    leat_step step = forward(out);
    int32_t changes = out->changes;
    LEAT_TRY(leat_graph_append(graph, out, &step, &operator));
    out->schema = rel->schema;
    leat_graph_set_changes(graph, out, changes);
    return LEAT_OK;
}

static leat_code key_columns(leat_graph *graph, const int32_t *keys, int32_t count, const uint32_t **out)
{
    uint32_t *copy = leat_arena_take(graph->plan->arena, ((size_t)count + 1) * sizeof *copy);
    if (!copy) return leat_fail_no_memory(graph->plan->error);
    for (int32_t i = 0; i < count; i++)
        copy[i] = (uint32_t)keys[i];
    *out = copy;
    return LEAT_OK;
}

/* All rows to one subtask: a GLOBAL exchange, or none when there is one already. */
static leat_step to_single(const leat_stream *stream)
{
    bool is_single = stream->parallelism == 1 && stream->tails_count == 1;
    return (leat_step){.exchange = is_single ? LEAT__PB__EXCHANGE__FORWARD : LEAT__PB__EXCHANGE__GLOBAL,
                       .parallelism = 1};
}

static leat_code plan_aggregate(leat_graph *graph, leat_rel *rel, bool upsert, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    LEAT_TRY(leat_physical_rel(graph, rel->inputs[0], false, out));
    bool has_retractions = out->changes & (LEAT_CHANGES_UPDATE_BEFORE | LEAT_CHANGES_DELETE);
    bool lacks_before = (out->changes & LEAT_CHANGES_UPDATE_AFTER) && !(out->changes & LEAT_CHANGES_UPDATE_BEFORE);
    if (lacks_before) {
        return leat_fail(plan->error, LEAT_UNSUPPORTED,
                         "an aggregation over an upsert source (without −U) is not supported yet");
    }
    int32_t changes = changes_of_aggregate(plan, rel, out->changes, upsert);
    leat_aggregate_config config = {.input = out->schema,
                                    .keys_count = rel->keys_count,
                                    .keys = rel->keys,
                                    .calls_count = rel->calls_count,
                                    .calls = rel->calls,
                                    .has_retractions = has_retractions,
                                    .output = upsert ? LEAT_AGGREGATE_UPSERT : LEAT_AGGREGATE_RETRACT};
    leat_plan_operator operator= {.type = "aggregate"};
    leat_aggregate_config_write(&config, &operator.config);
    leat_bytes details = {0};
    if (rel->keys_count) {
        leat_bytes_text(&details, "groupBy=[");
        for (int32_t i = 0; i < rel->keys_count; i++) {
            leat_bytes_format(&details, "%s%s", i ? ", " : "", out->schema.fields[rel->keys[i]].name);
        }
        leat_bytes_text(&details, "]");
    }
    print_names(&rel->schema, "select", &details);
    LEAT_TRY(set_names(graph, &operator, plan->is_batch ? "HashAggregate" : "GroupAggregate", &details));
    leat_step step = to_single(out);
    if (rel->keys_count) {
        step = (leat_step){.exchange = LEAT__PB__EXCHANGE__HASH,
                           .keys_count = (uint32_t)rel->keys_count,
                           .parallelism = plan->parallelism};
        LEAT_TRY(key_columns(graph, rel->keys, rel->keys_count, &step.keys));
    }
    LEAT_TRY(leat_graph_append(graph, out, &step, &operator));
    out->schema = rel->schema;
    leat_graph_set_changes(graph, out, changes);
    return LEAT_OK;
}

static leat_code fill_lookup(leat_graph *graph, leat_rel *rel, const leat_stream *in, const leat_lookup_plan *lookup,
                             leat_lookup_join_config *config)
{
    leat_arena *arena = graph->plan->arena;
    const leat_lookup_hint *hint = rel->hint;
    int32_t columns = rel->schema.fields_count;
    leat_field *fields = leat_arena_take(arena, ((size_t)rel->columns_count + 1) * sizeof *fields);
    int32_t *output = leat_arena_take(arena, ((size_t)columns + 1) * sizeof *output);
    if (!fields || !output) return leat_fail_no_memory(graph->plan->error);
    for (int32_t i = 0; i < rel->columns_count; i++)
        fields[i] = rel->source->table.schema.fields[rel->columns[i]];
    for (int32_t i = 0; i < columns; i++)
        output[i] = i;
    bool is_append = in->changes == LEAT_CHANGES_INSERT;
    *config = (leat_lookup_join_config){
        .input = in->schema,
        .table = {rel->columns_count, fields},
        .lookup_type = lookup->type,
        .lookup_config = lookup->config.data,
        .lookup_config_size = lookup->config.size,
        .keys_count = rel->keys_count,
        .key_columns = rel->keys,
        .is_left = rel->is_left,
        .condition = rel->condition,
        .output_count = columns,
        .output = output,
        .allow_unordered = hint && hint->allow_unordered && is_append,
        .capacity = hint ? hint->capacity : 0,
        .timeout_ms = hint ? hint->timeout_ms : 0,
        .retry_delay_ms = hint && hint->has_retry ? hint->delay_ms : 0,
        .retry_attempts = hint && hint->has_retry ? hint->attempts : 0,
        .time_zone = graph->plan->time_zone,
    };
    return LEAT_OK;
}

static void describe_lookup(const leat_rel *rel, const leat_lookup_join_config *config, bool is_async, leat_bytes *out)
{
    leat_bytes_format(out, "table=[%s], joinType=[%s], lookup=[", rel->source->path,
                      rel->is_left ? "LeftOuterJoin" : "InnerJoin");
    for (int32_t i = 0; i < rel->keys_count; i++) {
        leat_bytes_format(out, "%s%s=%s", i ? ", " : "", rel->source->table.schema.fields[rel->table_keys[i]].name,
                          config->input.fields[rel->keys[i]].name);
    }
    leat_bytes_text(out, "]");
    print_names(&rel->schema, "select", out);
    if (is_async) {
        leat_bytes_format(out, ", async=[%s, %lldms, %d]", config->allow_unordered ? "UNORDERED" : "ORDERED",
                          config->timeout_ms ? (long long)config->timeout_ms : 180000LL,
                          config->capacity ? config->capacity : 100);
    }
    if (config->retry_attempts) {
        leat_bytes_format(out, ", retry=[lookup_miss, FIXED_DELAY, %lldms, %d]", (long long)config->retry_delay_ms,
                          config->retry_attempts);
    }
}

static leat_code plan_lookup_join(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    const leat_bound_table *table = rel->source;
    if (!table->connector->plan_lookup) {
        return leat_plan_fail(plan, table->place, LEAT_UNSUPPORTED, "Connector '%s' can't be looked up: table '%s'",
                              table->connector->identifier, table->path);
    }
    LEAT_TRY(leat_physical_rel(graph, rel->inputs[0], false, out));
    leat_plan_context context = leat_physical_context(plan);
    leat_lookup_plan lookup = {0};
    leat_code code = table->connector->plan_lookup(&context, &table->table, rel->table_keys, rel->keys_count,
                                                   rel->columns, rel->columns_count, &lookup, plan->error);
    leat_lookup_join_config config;
    leat_plan_operator operator= {.type = "lookup-join"};
    if (code == LEAT_OK) code = fill_lookup(graph, rel, out, &lookup, &config);
    if (code == LEAT_OK) leat_lookup_join_config_write(&config, &operator.config);
    leat_bytes_done(&lookup.config);
    if (code != LEAT_OK) {
        (void)leat_fail_in(plan->error, code, "table '%s'", table->path);
        return leat_plan_at(plan, table->place, code);
    }
    leat_bytes details = {0};
    bool is_async = rel->hint && rel->hint->has_async ? rel->hint->is_async || lookup.is_async : lookup.is_async;
    describe_lookup(rel, &config, is_async, &details);
    LEAT_TRY(set_names(graph, &operator, "LookupJoin", &details));
    leat_step step = forward(out);
    int32_t changes = out->changes;
    LEAT_TRY(leat_graph_append(graph, out, &step, &operator));
    out->schema = rel->schema;
    leat_graph_set_changes(graph, out, changes);
    return LEAT_OK;
}

static leat_code plan_union(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    *out = (leat_stream){.schema = rel->schema};
    for (int32_t i = 0; i < rel->inputs_count; i++) {
        leat_stream part;
        LEAT_TRY(leat_physical_rel(graph, rel->inputs[i], false, &part));
        if (out->tails_count + part.tails_count > LEAT_GRAPH_TAILS_MAX) {
            return leat_fail(graph->plan->error, LEAT_LIMIT, "a union of more than %d queries", LEAT_GRAPH_TAILS_MAX);
        }
        for (int32_t t = 0; t < part.tails_count; t++)
            out->tails[out->tails_count++] = part.tails[t];
        out->changes |= part.changes;
        if (part.parallelism > out->parallelism) out->parallelism = part.parallelism;
    }
    return LEAT_OK;
}

static leat_code plan_sort(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    if (rel->sort_keys_count && !plan->is_batch) {
        return leat_fail(plan->error, LEAT_UNSUPPORTED, "Sort on a non-time-attribute field is not supported.");
    }
    LEAT_TRY(leat_physical_rel(graph, rel->inputs[0], false, out));
    if (out->changes != LEAT_CHANGES_INSERT) {
        return leat_fail(plan->error, LEAT_UNSUPPORTED,
                         "LIMIT over a changing input is not supported yet in streaming mode");
    }
    leat_plan_operator operator= {.type = rel->sort_keys_count ? "sort" : "limit"};
    if (rel->sort_keys_count) {
        leat_sort_config config = {.input = out->schema,
                                   .keys_count = rel->sort_keys_count,
                                   .keys = rel->sort_keys,
                                   .offset = rel->offset,
                                   .limit = rel->fetch};
        leat_sort_config_write(&config, &operator.config);
    } else {
        leat_limit_config_write(&(leat_limit_config){rel->offset, rel->fetch}, &operator.config);
    }
    leat_bytes details = {0};
    for (int32_t i = 0; i < rel->sort_keys_count; i++) {
        const leat_sort_key *key = &rel->sort_keys[i];
        leat_bytes_format(&details, "%s%s %s", i ? ", " : "orderBy=[", out->schema.fields[key->column].name,
                          key->is_descending ? "DESC" : "ASC");
    }
    if (rel->sort_keys_count) leat_bytes_text(&details, "]");
    leat_bytes_format(&details, "%soffset=[%lld], fetch=[%lld]", rel->sort_keys_count ? ", " : "",
                      (long long)rel->offset, (long long)rel->fetch);
    LEAT_TRY(set_names(graph, &operator, rel->sort_keys_count ? (rel->fetch >= 0 ? "SortLimit" : "Sort") : "Limit",
                       &details));
    leat_step step = to_single(out);
    LEAT_TRY(leat_graph_append(graph, out, &step, &operator));
    out->schema = rel->schema;
    leat_graph_set_changes(graph, out, LEAT_CHANGES_INSERT);
    return LEAT_OK;
}

leat_code leat_physical_rel(leat_graph *graph, leat_rel *rel, bool upsert, leat_stream *out)
{
    switch (rel->kind) {
    case LEAT_REL_SCAN: return plan_scan(graph, rel, out);
    case LEAT_REL_VALUES: return plan_values(graph, rel, out);
    case LEAT_REL_PROJECT:
    case LEAT_REL_FILTER: return plan_calc(graph, rel, upsert, out);
    case LEAT_REL_AGGREGATE: return plan_aggregate(graph, rel, upsert, out);
    case LEAT_REL_LOOKUP_JOIN: return plan_lookup_join(graph, rel, out);
    case LEAT_REL_UNION: return plan_union(graph, rel, out);
    case LEAT_REL_SORT: return plan_sort(graph, rel, out);
    }
    return leat_fail(graph->plan->error, LEAT_UNSUPPORTED, "plan node %d", (int)rel->kind);
}
