#include "sql/graph.h"

#include <string.h>

enum { JOB_GRAPH_VERSION = 1 };

leat_graph *leat_graph_new(leat_plan *plan, int32_t *node_number)
{
    leat_graph *graph = leat_arena_take(plan->arena, sizeof *graph);
    if (!graph) return NULL;
    graph->plan = plan;
    graph->node_number = node_number;
    return graph;
}

void leat_graph_done(leat_graph *graph)
{
    for (int32_t v = 0; graph && v < graph->vertices_count; v++) {
        leat_draft_vertex *vertex = graph->vertices[v];
        for (int32_t o = 0; o < vertex->operators_count; o++)
            leat_bytes_done(&vertex->operators[o].operator.config);
        leat_bytes_done(&vertex->enumerator_config);
        leat_bytes_done(&vertex->committer_config);
    }
}

const char *leat_graph_name(leat_graph *graph, const char *base)
{
    return leat_arena_format(graph->plan->arena, "%s[%d]", base, ++*graph->node_number);
}

static leat_draft_vertex *add_vertex(leat_graph *graph, int32_t parallelism)
{
    if (graph->vertices_count == LEAT_GRAPH_VERTICES_MAX) return NULL;
    leat_draft_vertex *vertex = leat_arena_take(graph->plan->arena, sizeof *vertex);
    if (!vertex) return NULL;
    vertex->parallelism = parallelism;
    graph->vertices[graph->vertices_count++] = vertex;
    return vertex;
}

/* The stable id: position and kind of the operator in the job. */
static leat_code add_operator(leat_graph *graph, leat_draft_vertex *vertex, const leat_plan_operator *operator)
{
    if (vertex->operators_count == LEAT_GRAPH_OPERATORS_MAX) {
        leat_bytes config = operator->config;
        leat_bytes_done(&config);
        return leat_fail(graph->plan->error, LEAT_LIMIT, "more than %d operators in one task",
                         LEAT_GRAPH_OPERATORS_MAX);
    }
    leat_draft_operator *added = &vertex->operators[vertex->operators_count++];
    added->operator= * operator;
    added->uid = leat_arena_format(graph->plan->arena, "%d-%s", ++graph->operators_count, operator->type);
    LEAT_TRY(leat_bytes_check(&operator->config, graph->plan->error));
    return added->uid && operator->name ? LEAT_OK : leat_fail_no_memory(graph->plan->error);
}

leat_code leat_graph_source(leat_graph *graph, const leat_plan_operator *source, int32_t parallelism, leat_stream *out)
{
    leat_draft_vertex *vertex = add_vertex(graph, parallelism);
    if (!vertex) {
        leat_bytes config = source->config;
        leat_bytes_done(&config);
        return leat_fail(graph->plan->error, LEAT_LIMIT, "more than %d vertices in one job", LEAT_GRAPH_VERTICES_MAX);
    }
    vertex->is_source = true;
    *out = (leat_stream){.tails = {graph->vertices_count - 1}, .tails_count = 1, .parallelism = parallelism};
    return add_operator(graph, vertex, source);
}

static bool may_chain(const leat_graph *graph, const leat_stream *stream, const leat_step *step)
{
    return step->exchange == LEAT__PB__EXCHANGE__FORWARD && !step->is_unchained && stream->tails_count == 1 &&
           stream->parallelism == step->parallelism &&
           leat_config_bool(graph->plan->config, LEAT_OPTION_OPERATOR_CHAINING) &&
           graph->vertices[stream->tails[0]]->operators_count < LEAT_GRAPH_OPERATORS_MAX;
}

leat_code leat_graph_append(leat_graph *graph, leat_stream *stream, const leat_step *step,
                            const leat_plan_operator *operator)
{
    if (may_chain(graph, stream, step)) return add_operator(graph, graph->vertices[stream->tails[0]], operator);
    leat_draft_vertex *vertex = add_vertex(graph, step->parallelism);
    if (!vertex || graph->edges_count + stream->tails_count > LEAT_GRAPH_VERTICES_MAX) {
        leat_bytes config = operator->config;
        leat_bytes_done(&config);
        return leat_fail(graph->plan->error, LEAT_LIMIT, "more than %d vertices in one job", LEAT_GRAPH_VERTICES_MAX);
    }
    for (int32_t i = 0; i < stream->tails_count; i++) {
        leat_draft_edge *edge = &graph->edges[graph->edges_count++];
        *edge = (leat_draft_edge){.source = stream->tails[i],
                                  .target = graph->vertices_count - 1,
                                  .exchange = step->exchange,
                                  .keys = step->keys,
                                  .keys_count = step->keys_count,
                                  .schema = stream->schema,
                                  .ship_strategy = step->ship_strategy};
        bool is_equal = graph->vertices[stream->tails[i]]->parallelism == step->parallelism;
        if (step->exchange == LEAT__PB__EXCHANGE__FORWARD && !is_equal) edge->exchange = LEAT__PB__EXCHANGE__REBALANCE;
    }
    stream->tails[0] = graph->vertices_count - 1;
    stream->tails_count = 1;
    stream->parallelism = step->parallelism;
    return add_operator(graph, vertex, operator);
}

void leat_graph_set_changes(leat_graph *graph, leat_stream *stream, int32_t changes)
{
    stream->changes = changes;
    leat_draft_vertex *vertex = graph->vertices[stream->tails[0]];
    vertex->operators[vertex->operators_count - 1].changes = changes;
}

bool leat_graph_is_bounded(const leat_graph *graph)
{
    return !graph->is_unbounded;
}

int32_t leat_graph_changes(const leat_graph *graph)
{
    return graph->changes;
}

/* --- packing --- */

static const char *vertex_name(leat_graph *graph, const leat_draft_vertex *vertex, bool is_description)
{
    leat_bytes text = {0};
    for (int32_t i = 0; i < vertex->operators_count; i++) {
        const leat_plan_operator *operator= & vertex->operators[i].operator;
        leat_bytes_format(&text, "%s%s", i ? " -> " : "",
                          is_description && operator->description ? operator->description : operator->name);
    }
    const char *copy = text.failed ? NULL : leat_arena_strndup(graph->plan->arena, (const char *)text.data, text.size);
    leat_bytes_done(&text);
    return copy;
}

static ProtobufCBinaryData as_data(const leat_bytes *bytes)
{
    return (ProtobufCBinaryData){bytes->size, bytes->data};
}

static leat_code pack_vertex(leat_graph *graph, leat_draft_vertex *draft, Leat__Pb__Vertex *out)
{
    leat_arena *arena = graph->plan->arena;
    size_t count = (size_t)draft->operators_count;
    Leat__Pb__Operator *operators = leat_arena_take(arena, count * sizeof *operators);
    out->operators = leat_arena_take(arena, count * sizeof *out->operators);
    out->name = (char *)(uintptr_t)vertex_name(graph, draft, false);
    if (!operators || !out->operators || !out->name) return leat_fail_no_memory(graph->plan->error);
    for (size_t i = 0; i < count; i++) {
        leat_draft_operator *from = &draft->operators[i];
        const char *description = from->operator.description ? from->operator.description : from->operator.name;
        leat__pb__operator__init(&operators[i]);
        operators[i].type = (char *)(uintptr_t)from->operator.type;
        operators[i].uid = (char *)(uintptr_t)from->uid;
        operators[i].name = (char *)(uintptr_t)from->operator.name;
        operators[i].description = (char *)(uintptr_t)description;
        operators[i].config = as_data(&from->operator.config);
        out->operators[out->n_operators++] = &operators[i];
    }
    out->parallelism = (uint32_t)draft->parallelism;
    out->is_source = draft->is_source;
    out->enumerator = (char *)(uintptr_t)draft->enumerator;
    out->has_enumerator_config = draft->enumerator != NULL;
    out->enumerator_config = as_data(&draft->enumerator_config);
    out->committer = (char *)(uintptr_t)draft->committer;
    out->has_committer_config = draft->committer != NULL;
    out->committer_config = as_data(&draft->committer_config);
    int64_t max_parallelism = leat_config_int(graph->plan->config, LEAT_OPTION_MAX_PARALLELISM);
    out->has_max_parallelism = max_parallelism > 0;
    out->max_parallelism = max_parallelism > 0 ? (uint32_t)max_parallelism : 0;
    return LEAT_OK;
}

static leat_code pack_edge(leat_graph *graph, const leat_draft_edge *draft, Leat__Pb__Edge *out, leat_bytes *schema)
{
    leat_schema_write(&draft->schema, schema);
    LEAT_TRY(leat_bytes_check(schema, graph->plan->error));
    out->source = (uint32_t)draft->source;
    out->target = (uint32_t)draft->target;
    out->exchange = draft->exchange;
    out->key_columns = (uint32_t *)(uintptr_t)draft->keys;
    out->n_key_columns = draft->keys_count;
    out->schema = as_data(schema);
    out->ship_strategy = (char *)(uintptr_t)draft->ship_strategy;
    return LEAT_OK;
}

static leat_code pack_config(leat_graph *graph, Leat__Pb__JobGraph *out)
{
    const leat_config *config = graph->plan->config;
    Leat__Pb__ConfigEntry *entries = leat_arena_take(graph->plan->arena, config->count * sizeof *entries);
    out->config = leat_arena_take(graph->plan->arena, config->count * sizeof *out->config);
    if (!entries || !out->config) return leat_fail_no_memory(graph->plan->error);
    for (size_t i = 0; i < config->count; i++) {
        leat__pb__config_entry__init(&entries[i]);
        entries[i].key = config->entries[i].key;
        entries[i].value = (ProtobufCBinaryData){strlen(config->entries[i].value), (uint8_t *)config->entries[i].value};
        out->config[out->n_config++] = &entries[i];
    }
    return LEAT_OK;
}

static leat_code fill(leat_graph *graph, Leat__Pb__JobGraph *message, leat_bytes *schemas)
{
    leat_arena *arena = graph->plan->arena;
    size_t vertices_count = (size_t)graph->vertices_count, edges_count = (size_t)graph->edges_count;
    Leat__Pb__Vertex *vertices = leat_arena_take(arena, vertices_count * sizeof *vertices);
    Leat__Pb__Edge *edges = leat_arena_take(arena, edges_count * sizeof *edges);
    message->vertices = leat_arena_take(arena, vertices_count * sizeof *message->vertices);
    message->edges = leat_arena_take(arena, edges_count * sizeof *message->edges);
    if (!vertices || !edges || !message->vertices || !message->edges) return leat_fail_no_memory(graph->plan->error);
    for (size_t i = 0; i < vertices_count; i++) {
        leat__pb__vertex__init(&vertices[i]);
        LEAT_TRY(pack_vertex(graph, graph->vertices[i], &vertices[i]));
        message->vertices[message->n_vertices++] = &vertices[i];
    }
    for (size_t i = 0; i < edges_count; i++) {
        leat__pb__edge__init(&edges[i]);
        LEAT_TRY(pack_edge(graph, &graph->edges[i], &edges[i], &schemas[i]));
        message->edges[message->n_edges++] = &edges[i];
    }
    return pack_config(graph, message);
}

leat_code leat_graph_pack(leat_graph *graph, const char *job_name, leat_bytes *out)
{
    Leat__Pb__JobGraph message = LEAT__PB__JOB_GRAPH__INIT;
    message.version = JOB_GRAPH_VERSION;
    message.name = (char *)(uintptr_t)job_name;
    message.is_batch = graph->plan->is_batch;
    leat_bytes *schemas = leat_arena_take(graph->plan->arena, ((size_t)graph->edges_count + 1) * sizeof *schemas);
    if (!schemas) return leat_fail_no_memory(graph->plan->error);
    leat_code code = fill(graph, &message, schemas);
    if (code == LEAT_OK) {
        uint8_t *room = leat_bytes_extend(out, leat__pb__job_graph__get_packed_size(&message));
        if (room) leat__pb__job_graph__pack(&message, room);
        code = leat_bytes_check(out, graph->plan->error);
    }
    for (int32_t i = 0; i < graph->edges_count; i++)
        leat_bytes_done(&schemas[i]);
    return code;
}

/* --- explaining --- */

static void print_changes(int32_t changes, leat_bytes *out)
{
    static const char *const names[] = {"I", "UB", "UA", "D"};
    leat_bytes_text(out, ", changelogMode=[");
    bool is_first = true;
    for (int i = 0; i < 4; i++) {
        if (!(changes & (1 << i))) continue;
        leat_bytes_format(out, "%s%s", is_first ? "" : ",", names[i]);
        is_first = false;
    }
    leat_bytes_text(out, "]");
}

static void explain_edges(const leat_graph *graph, int32_t target, leat_bytes *out)
{
    static const char *const names[] = {"FORWARD", "HASH", "REBALANCE", "BROADCAST", "GLOBAL", "CUSTOM"};
    for (int32_t i = 0; i < graph->edges_count; i++) {
        const leat_draft_edge *edge = &graph->edges[i];
        if (edge->target != target) continue;
        leat_bytes_format(out, "  <- %d: %s", edge->source + 1,
                          edge->ship_strategy ? edge->ship_strategy : names[edge->exchange]);
        for (uint32_t k = 0; edge->exchange == LEAT__PB__EXCHANGE__HASH && k < edge->keys_count; k++) {
            leat_bytes_format(out, "%s%s", k ? ", " : "[", edge->schema.fields[edge->keys[k]].name);
        }
        leat_bytes_text(out, edge->exchange == LEAT__PB__EXCHANGE__HASH && edge->keys_count ? "]\n" : "\n");
    }
}

leat_code leat_graph_explain(const leat_graph *graph, bool with_changes, leat_bytes *out)
{
    leat_bytes_text(out, "== Physical Execution Plan ==\n");
    for (int32_t v = 0; v < graph->vertices_count; v++) {
        const leat_draft_vertex *vertex = graph->vertices[v];
        leat_bytes_format(out, "%d: parallelism %d\n", v + 1, vertex->parallelism);
        explain_edges(graph, v, out);
        for (int32_t o = 0; o < vertex->operators_count; o++) {
            const leat_draft_operator *operator= & vertex->operators[o];
            leat_bytes_format(out, "  %s", operator->operator.description ? operator->operator.description : operator->operator.name);
            if (with_changes && operator->changes) print_changes(operator->changes, out);
            leat_bytes_text(out, "\n");
        }
    }
    return leat_bytes_check(out, graph->plan->error);
}
