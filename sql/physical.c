/* Queries become operators: which ones, over which exchanges, with which changes on the way. */
#include <string.h>

#include "operators/calc.h"
#include "operators/limit.h"
#include "operators/lookup_join.h"
#include "operators/values.h"
#include "sql/graph.h"

static void print_names(const leat_schema *schema, leat_bytes *out)
{
    for (int32_t i = 0; i < schema->fields_count; i++)
        leat_bytes_format(out, "%s%s", i > 0 ? ", " : "", schema->fields[i].name);
}

/* The text is kept when all is well, for the operator's description. */
static leat_code note(leat_graph *graph, leat_stream *stream, leat_bytes *text)
{
    leat_code code = leat_bytes_check(text, graph->plan->error);
    if (code == LEAT_OK) code = leat_graph_note(graph, stream, (const char *)text->data);
    if (code != LEAT_OK) leat_bytes_done(text);
    return code;
}

/* Appends an operator whose config and description are ready: description is "Name(…)". Both are taken. */
static leat_code add(leat_graph *graph, leat_stream *stream, const char *type, const char *name, leat_bytes *config,
                     leat_bytes *description, const leat_graph_step *step)
{
    leat_plan *plan = graph->plan;
    const char *numbered = leat_graph_name(graph, name);
    const char *text = description->data ? leat_arena_strdup(plan->arena, (const char *)description->data) : name;
    leat_bytes_done(description);
    if (!numbered || !text) {
        leat_bytes_done(config);
        return leat_fail_no_memory(plan->error);
    }
    leat_plan_operator operator_ = {.type = type, .name = numbered, .description = text, .config = *config};
    return leat_graph_add_operator(graph, stream, &operator_, step);
}

leat_code leat_physical_source(leat_graph *graph, leat_rel *rel, leat_source_plan *out)
{
    leat_plan *plan = graph->plan;
    const leat_bound_table *table = rel->source;
    leat_plan_context context = leat_plan_connector_context(graph->plan);
    if (!table->connector->plan_source)
        return leat_plan_fail(plan, table->place, LEAT_INVALID,
                              "Connector '%s' can only be used as a sink. It cannot be used as a source.",
                              table->connector->identifier);
    for (int32_t i = 0; i < rel->columns_count; i++)
        if (!leat_type_has_column(&table->table.schema.fields[rel->columns[i]].type))
            return leat_plan_fail(plan, table->place, LEAT_UNSUPPORTED,
                                  "The type of column '%s' of %s is not supported yet",
                                  table->table.schema.fields[rel->columns[i]].name, table->path);
    leat_source_request request = {
        .columns = rel->columns, .columns_count = rel->columns_count, .filter = rel->pushed, .limit = rel->limit};
    *out = (leat_source_plan){.parallelism = -1, .changes = LEAT_CHANGES_INSERT};
    leat_code code = table->connector->plan_source(&context, &table->table, &request, out, plan->error);
    if (code != LEAT_OK) {
        code = leat_fail_in(plan->error, code, "Unable to create a source for reading table '%s'", table->path);
        return leat_plan_at(plan, table->place, code);
    }
    if (plan->is_batch && !out->is_bounded) {
        (void)leat_plan_fail(
            plan, table->place, LEAT_INVALID,
            "Querying an unbounded table '%s' in batch mode is not allowed. The table source is unbounded.",
            table->path);
        leat_fail_hint(plan->error, "SET 'execution.runtime-mode' = 'streaming'");
        return LEAT_INVALID;
    }
    return LEAT_OK;
}

/* The table's key in the scanned columns, if all of it is read. */
static leat_code scan_key(leat_plan *plan, const leat_rel *rel, leat_stream *out)
{
    const leat_table *table = &rel->source->table;
    int32_t *key = leat_arena_take(plan->arena, (size_t)(table->primary_key_count + 1) * sizeof *key);
    if (!key) return leat_fail_no_memory(plan->error);
    out->has_key = table->primary_key_count > 0;
    for (int32_t k = 0; k < table->primary_key_count && out->has_key; k++) {
        int32_t at = 0;
        while (at < rel->columns_count && rel->columns[at] != table->primary_key[k])
            at++;
        out->has_key = at < rel->columns_count;
        key[k] = at;
    }
    out->key = key;
    out->key_count = table->primary_key_count;
    return LEAT_OK;
}

static leat_code make_scan(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    leat_source_plan source;
    LEAT_TRY(leat_physical_source(graph, rel, &source));
    const leat_table *table = &rel->source->table;
    leat_bytes text = {0};
    leat_bytes_format(&text, "TableSourceScan(table=[[%s, %s, %s]], fields=[", table->catalog, table->database,
                      table->name);
    print_names(&rel->schema, &text);
    leat_bytes_text(&text, "])");
    const char *description = text.data ? leat_arena_strdup(plan->arena, (const char *)text.data) : NULL;
    leat_bytes_done(&text);
    const char *name = leat_graph_name(graph, source.source.name ? source.source.name : "Source");
    leat_code code = description && name ? LEAT_OK : leat_fail_no_memory(plan->error);
    if (code != LEAT_OK) {
        leat_bytes_done(&source.source.config);
        leat_bytes_done(&source.enumerator_config);
        return code;
    }
    source.source.name = name;
    source.source.description = description;
    *out = (leat_stream){.schema = rel->schema, .changes = source.changes, .is_bounded = source.is_bounded};
    LEAT_TRY(
        leat_graph_add_source(graph, &source, source.parallelism > 0 ? source.parallelism : plan->parallelism, out));
    LEAT_TRY(scan_key(plan, rel, out));
    return leat_graph_note(graph, out, description);
}

static leat_code make_values(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    leat_source_plan source = {.changes = LEAT_CHANGES_INSERT, .is_bounded = true};
    leat_values_config config = {
        .output = rel->schema, .rows_count = rel->rows_count, .exprs = rel->exprs, .time_zone = plan->time_zone};
    source.source.type = "values";
    source.source.name = leat_graph_name(graph, "Source: Values");
    source.source.description = leat_arena_format(plan->arena, "Values(tuples=[%d rows])", rel->rows_count);
    if (!source.source.name || !source.source.description) return leat_fail_no_memory(plan->error);
    leat_values_config_write(&config, &source.source.config);
    *out = (leat_stream){.schema = rel->schema, .changes = LEAT_CHANGES_INSERT, .is_bounded = true};
    LEAT_TRY(leat_graph_add_source(graph, &source, 1, out));
    return leat_graph_note(graph, out, source.source.description);
}

/* The key goes along when its columns do. */
static leat_code project_key(leat_plan *plan, const leat_rel *project, leat_stream *stream)
{
    if (!stream->has_key) return LEAT_OK;
    int32_t *key = leat_arena_take(plan->arena, (size_t)(stream->key_count + 1) * sizeof *key);
    if (!key) return leat_fail_no_memory(plan->error);
    for (int32_t k = 0; k < stream->key_count && stream->has_key; k++) {
        int32_t at = 0, count = project->schema.fields_count;
        while (at < count &&
               !(project->exprs[at]->kind == LEAT_EXPR_COLUMN && project->exprs[at]->column == stream->key[k]))
            at++;
        stream->has_key = at < count;
        key[k] = at;
    }
    stream->key = key;
    stream->has_lost_key = !stream->has_key;
    return LEAT_OK;
}

/* A filter, a projection or both: one Calc. */
static leat_code make_calc(leat_graph *graph, leat_rel *rel, bool wants_upsert, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    leat_rel *project = rel->kind == LEAT_REL_PROJECT ? rel : NULL;
    leat_rel *filter = project ? (project->inputs[0]->kind == LEAT_REL_FILTER ? project->inputs[0] : NULL) : rel;
    leat_rel *input = filter ? filter->inputs[0] : project->inputs[0];
    /* a row that stops to fit the condition must be taken back by its −U */
    LEAT_TRY(leat_physical(graph, input, wants_upsert && !filter, out));
    leat_calc_config config = {.input = out->schema,
                               .condition = filter ? filter->condition : NULL,
                               .exprs_count = project ? project->schema.fields_count : 0,
                               .exprs = project ? project->exprs : NULL,
                               .keeps_columns = !project,
                               .time_zone = plan->time_zone};
    leat_bytes text = {0}, bytes = {0};
    leat_bytes_text(&text, "Calc(select=[");
    for (int32_t i = 0; i < rel->schema.fields_count; i++) {
        const char *name = rel->schema.fields[i].name;
        leat_bytes_text(&text, i > 0 ? ", " : "");
        bool is_plain = !project || (project->exprs[i]->kind == LEAT_EXPR_COLUMN &&
                                     strcmp(out->schema.fields[project->exprs[i]->column].name, name) == 0);
        if (!is_plain) leat_expr_print(project->exprs[i], &out->schema, &text);
        leat_bytes_format(&text, "%s%s", is_plain ? "" : " AS ", name);
    }
    leat_bytes_text(&text, "]");
    if (filter) {
        leat_bytes_text(&text, ", where=[");
        leat_expr_print(filter->condition, &out->schema, &text);
        leat_bytes_text(&text, "]");
    }
    leat_bytes_text(&text, ")");
    LEAT_TRY(note(graph, out, &text));
    leat_calc_config_write(&config, &bytes);
    leat_graph_step step = {.exchange = LEAT__PB__EXCHANGE__FORWARD, .parallelism = out->parallelism};
    LEAT_TRY(add(graph, out, "calc", "Calc", &bytes, &text, &step));
    if (project) LEAT_TRY(project_key(plan, project, out));
    out->schema = rel->schema;
    return LEAT_OK;
}

static void print_call(const leat_aggregate_call *call, const leat_schema *input, const char *name, leat_bytes *out)
{
    static const char *const names[] = {"COUNT", "COUNT", "SUM", "MIN", "MAX", "AVG"};
    leat_bytes_format(out, "%s(%s%s)%s%s AS %s", names[call->function], call->is_distinct ? "DISTINCT " : "",
                      call->column >= 0 ? input->fields[call->column].name : "*", call->filter >= 0 ? " FILTER " : "",
                      call->filter >= 0 ? input->fields[call->filter].name : "", name);
}

static leat_code make_aggregate(leat_graph *graph, leat_rel *rel, bool wants_upsert, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    LEAT_TRY(leat_physical(graph, rel->inputs[0], false, out));
    if ((out->changes & (LEAT_CHANGES_UPDATE_AFTER | LEAT_CHANGES_DELETE)) &&
        !(out->changes & LEAT_CHANGES_UPDATE_BEFORE) && (out->changes & LEAT_CHANGES_UPDATE_AFTER))
        return leat_fail(plan->error, LEAT_UNSUPPORTED,
                         "GROUP BY and DISTINCT over a stream of changes without their old rows (-U) are not supported "
                         "yet; a table with 'changelog-producer' = 'input', 'lookup' or 'full-compaction' has them");
    bool retracts = (out->changes & (LEAT_CHANGES_UPDATE_BEFORE | LEAT_CHANGES_DELETE)) != 0;
    leat_aggregate_config config = {.input = out->schema,
                                    .keys_count = rel->keys_count,
                                    .keys = rel->keys,
                                    .calls_count = rel->calls_count,
                                    .calls = rel->calls,
                                    .has_retractions = retracts,
                                    .output = wants_upsert ? LEAT_AGGREGATE_UPSERT : LEAT_AGGREGATE_RETRACT,
                                    .folds_batches = leat_config_bool(plan->config, LEAT_OPTION_MINI_BATCH)};
    uint32_t *keys = leat_arena_take(plan->arena, (size_t)(rel->keys_count + 1) * sizeof *keys);
    int32_t *key = leat_arena_take(plan->arena, (size_t)(rel->keys_count + 1) * sizeof *key);
    if (!keys || !key) return leat_fail_no_memory(plan->error);
    leat_bytes text = {0}, bytes = {0};
    const char *name = plan->is_batch ? "HashAggregate" : "GroupAggregate";
    leat_bytes_format(&text, "%s(", name);
    for (int32_t i = 0; i < rel->keys_count; i++) {
        keys[i] = (uint32_t)rel->keys[i];
        key[i] = i;
        leat_bytes_format(&text, "%s%s", i == 0 ? "groupBy=[" : ", ", out->schema.fields[rel->keys[i]].name);
    }
    leat_bytes_format(&text, "%sselect=[", rel->keys_count > 0 ? "], " : "");
    for (int32_t i = 0; i < rel->schema.fields_count; i++) {
        leat_bytes_text(&text, i > 0 ? ", " : "");
        if (i < rel->keys_count)
            leat_bytes_text(&text, rel->schema.fields[i].name);
        else
            print_call(&rel->calls[i - rel->keys_count], &out->schema, rel->schema.fields[i].name, &text);
    }
    leat_bytes_text(&text, "])");
    leat_code code = leat_bytes_check(&text, plan->error);
    if (code == LEAT_OK) {
        leat_bytes exchange = {0};
        leat_bytes_text(&exchange,
                        rel->keys_count > 0 ? "Exchange(distribution=[hash[" : "Exchange(distribution=[single");
        for (int32_t i = 0; i < rel->keys_count; i++)
            leat_bytes_format(&exchange, "%s%s", i > 0 ? ", " : "", out->schema.fields[rel->keys[i]].name);
        leat_bytes_text(&exchange, rel->keys_count > 0 ? "]])" : "])");
        code = leat_bytes_check(&exchange, plan->error);
        if (code == LEAT_OK) code = leat_graph_note(graph, out, (const char *)exchange.data);
        leat_bytes_done(&exchange);
    }
    if (!plan->is_batch) {
        out->changes = LEAT_CHANGES_INSERT | (rel->calls_count > 0 ? LEAT_CHANGES_UPDATE_AFTER : 0) |
                       (rel->calls_count > 0 && !wants_upsert ? LEAT_CHANGES_UPDATE_BEFORE : 0) |
                       (retracts ? LEAT_CHANGES_DELETE : 0);
    }
    if (code == LEAT_OK) code = leat_graph_note(graph, out, (const char *)text.data);
    if (code != LEAT_OK) {
        leat_bytes_done(&text);
        return code;
    }
    leat_aggregate_config_write(&config, &bytes);
    leat_graph_step step = {.exchange = rel->keys_count > 0 ? LEAT__PB__EXCHANGE__HASH : LEAT__PB__EXCHANGE__GLOBAL,
                            .keys = keys,
                            .keys_count = rel->keys_count,
                            .parallelism = rel->keys_count > 0 ? plan->parallelism : 1};
    LEAT_TRY(add(graph, out, "aggregate", name, &bytes, &text, &step));
    out->has_key = true;
    out->key = key;
    out->key_count = rel->keys_count;
    out->schema = rel->schema;
    return LEAT_OK;
}

static leat_code make_union(leat_graph *graph, leat_rel *rel, bool wants_upsert, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    leat_exec_node *node = leat_arena_take(plan->arena, sizeof *node);
    *out = (leat_stream){.schema = rel->schema, .is_bounded = true};
    if (!node) return leat_fail_no_memory(plan->error);
    node->inputs = leat_arena_take(plan->arena, (size_t)rel->inputs_count * sizeof *node->inputs);
    node->text = leat_arena_format(plan->arena, "Union(all=[true], union=[%d columns])", rel->schema.fields_count);
    if (!node->inputs || !node->text) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < rel->inputs_count; i++) {
        leat_stream *side = leat_arena_take(plan->arena, sizeof *side);
        if (!side) return leat_fail_no_memory(plan->error);
        LEAT_TRY(leat_physical(graph, rel->inputs[i], wants_upsert, side));
        if (out->vertices_count + side->vertices_count > LEAT_STREAM_PARTS_MAX)
            return leat_fail(plan->error, LEAT_LIMIT, "A UNION has at most %d parts", LEAT_STREAM_PARTS_MAX);
        for (int32_t v = 0; v < side->vertices_count; v++)
            out->vertices[out->vertices_count++] = side->vertices[v];
        out->changes |= side->changes;
        out->is_bounded &= side->is_bounded;
        if (side->parallelism > out->parallelism) out->parallelism = side->parallelism;
        node->inputs[node->inputs_count++] = side->node;
    }
    node->changes = out->changes;
    out->node = node;
    return LEAT_OK;
}

static leat_code make_sort(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    LEAT_TRY(leat_physical(graph, rel->inputs[0], false, out));
    if (out->changes != LEAT_CHANGES_INSERT)
        return leat_fail(plan->error, LEAT_UNSUPPORTED, "LIMIT over a stream of changes is not supported yet");
    bool is_sort = rel->sort_keys_count > 0;
    const char *name = is_sort ? (rel->fetch >= 0 ? "SortLimit" : "Sort") : "Limit";
    leat_bytes text = {0}, bytes = {0};
    leat_bytes_format(&text, "%s(", name);
    for (int32_t i = 0; i < rel->sort_keys_count; i++)
        leat_bytes_format(&text, "%s%s %s", i == 0 ? "orderBy=[" : ", ",
                          rel->schema.fields[rel->sort_keys[i].column].name,
                          rel->sort_keys[i].is_descending ? "DESC" : "ASC");
    if (is_sort) leat_bytes_text(&text, rel->fetch >= 0 || rel->offset > 0 ? "], " : "]");
    if (rel->fetch >= 0)
        leat_bytes_format(&text, "offset=[%lld], fetch=[%lld]", (long long)rel->offset, (long long)rel->fetch);
    else if (rel->offset > 0)
        leat_bytes_format(&text, "offset=[%lld]", (long long)rel->offset);
    leat_bytes_text(&text, ")");
    LEAT_TRY(note(graph, out, &text));
    if (is_sort)
        leat_sort_config_write(&(leat_sort_config){.input = out->schema,
                                                   .keys_count = rel->sort_keys_count,
                                                   .keys = rel->sort_keys,
                                                   .offset = rel->offset,
                                                   .limit = rel->fetch},
                               &bytes);
    else
        leat_limit_config_write(&(leat_limit_config){.offset = rel->offset, .limit = rel->fetch}, &bytes);
    bool is_single = out->parallelism == 1 && out->vertices_count == 1;
    leat_graph_step step = {.exchange = is_single ? LEAT__PB__EXCHANGE__FORWARD : LEAT__PB__EXCHANGE__GLOBAL,
                            .parallelism = 1};
    return add(graph, out, is_sort ? "sort" : "limit", name, &bytes, &text, &step);
}

static void print_lookup(const leat_rel *rel, const leat_schema *input, const leat_lookup_join_config *config,
                         bool is_async, leat_bytes *text)
{
    leat_bytes_format(text, "LookupJoin(table=[%s], joinType=[%s], lookup=[", rel->source->path,
                      rel->is_left ? "LeftOuterJoin" : "InnerJoin");
    for (int32_t i = 0; i < rel->keys_count; i++)
        leat_bytes_format(text, "%s%s=%s", i > 0 ? ", " : "", rel->source->table.schema.fields[rel->table_keys[i]].name,
                          input->fields[rel->keys[i]].name);
    leat_bytes_text(text, "], select=[");
    print_names(&rel->schema, text);
    leat_bytes_text(text, "]");
    if (is_async)
        leat_bytes_format(text, ", async=[%s, %lldms, %d]", config->allow_unordered ? "UNORDERED" : "ORDERED",
                          (long long)config->timeout_ms, config->capacity);
    if (config->retry_attempts > 0)
        leat_bytes_format(text, ", retry=[lookup_miss, FIXED_DELAY, %lldms, %d]", (long long)config->retry_delay_ms,
                          config->retry_attempts);
    leat_bytes_text(text, ")");
}

/* The stream keeps its key if each of its rows meets one row at most: the whole key of the table is compared. */
static bool meets_one(const leat_rel *rel)
{
    const leat_table *table = &rel->source->table;
    for (int32_t k = 0; k < table->primary_key_count; k++) {
        bool is_compared = false;
        for (int32_t i = 0; i < rel->keys_count; i++)
            is_compared |= rel->table_keys[i] == table->primary_key[k];
        if (!is_compared) return false;
    }
    return table->primary_key_count > 0;
}

static leat_code make_lookup_join(leat_graph *graph, leat_rel *rel, leat_stream *out)
{
    leat_plan *plan = graph->plan;
    leat_plan_context context = leat_plan_connector_context(graph->plan);
    leat_lookup_plan lookup = {0};
    LEAT_TRY(leat_physical(graph, rel->inputs[0], false, out));
    const leat_bound_table *table = rel->source;
    int32_t output_count = rel->schema.fields_count;
    int32_t *output = leat_arena_take(plan->arena, (size_t)(output_count + 1) * sizeof *output);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)(rel->columns_count + 1) * sizeof *fields);
    if (!output || !fields) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < output_count; i++)
        output[i] = i;
    for (int32_t i = 0; i < rel->columns_count; i++)
        fields[i] = table->table.schema.fields[rel->columns[i]];
    leat_code code = table->connector->plan_lookup(&context, &table->table, rel->table_keys, rel->keys_count,
                                                   rel->columns, rel->columns_count, &lookup, plan->error);
    if (code != LEAT_OK)
        return leat_plan_at(plan, table->place,
                            leat_fail_in(plan->error, code, "Unable to look up table '%s'", table->path));
    const leat_lookup_hint *hint = rel->hint;
    bool is_async = lookup.is_async || (hint && hint->has_async && hint->is_async);
    leat_lookup_join_config config = {.input = out->schema,
                                      .table = {rel->columns_count, fields},
                                      .lookup_type = lookup.type,
                                      .lookup_config = lookup.config.data,
                                      .lookup_config_size = lookup.config.size,
                                      .keys_count = rel->keys_count,
                                      .key_columns = rel->keys,
                                      .is_left = rel->is_left,
                                      .condition = rel->condition,
                                      .output_count = output_count,
                                      .output = output,
                                      /* rows of changes must not overtake each other */
                                      .allow_unordered = hint && hint->allow_unordered && is_async &&
                                                         out->changes == LEAT_CHANGES_INSERT,
                                      .capacity = hint && hint->capacity > 0 ? hint->capacity : 100,
                                      .timeout_ms = hint && hint->timeout_ms > 0 ? hint->timeout_ms : 180000,
                                      .retry_delay_ms = hint ? hint->delay_ms : 0,
                                      .retry_attempts = hint ? hint->attempts : 0,
                                      .time_zone = plan->time_zone};
    leat_bytes text = {0}, bytes = {0};
    leat_lookup_join_config_write(&config, &bytes);
    leat_bytes_done(&lookup.config);
    print_lookup(rel, &out->schema, &config, is_async, &text);
    code = leat_bytes_check(&text, plan->error);
    if (code == LEAT_OK) code = leat_graph_note(graph, out, (const char *)text.data);
    if (code != LEAT_OK) {
        leat_bytes_done(&text);
        leat_bytes_done(&bytes);
        return code;
    }
    leat_graph_step step = {.exchange = LEAT__PB__EXCHANGE__FORWARD, .parallelism = out->parallelism};
    LEAT_TRY(add(graph, out, "lookup-join", "LookupJoin", &bytes, &text, &step));
    out->has_key &= meets_one(rel);
    out->schema = rel->schema;
    return LEAT_OK;
}

leat_code leat_physical(leat_graph *graph, leat_rel *rel, bool wants_upsert, leat_stream *out)
{
    switch (rel->kind) {
    case LEAT_REL_SCAN: return make_scan(graph, rel, out);
    case LEAT_REL_VALUES: return make_values(graph, rel, out);
    case LEAT_REL_PROJECT:
    case LEAT_REL_FILTER: return make_calc(graph, rel, wants_upsert, out);
    case LEAT_REL_AGGREGATE: return make_aggregate(graph, rel, wants_upsert, out);
    case LEAT_REL_LOOKUP_JOIN: return make_lookup_join(graph, rel, out);
    case LEAT_REL_UNION: return make_union(graph, rel, wants_upsert, out);
    case LEAT_REL_SORT: return make_sort(graph, rel, out);
    }
    return LEAT_OK;
}
