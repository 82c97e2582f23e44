#include "sql/graph.h"

#include <string.h>

#include "common/memory.h"

leat_graph *leat_graph_new(leat_plan *plan, int32_t *node_number)
{
    leat_graph *graph = leat_arena_take(plan->arena, sizeof *graph);
    if (!graph) return NULL;
    graph->plan = plan;
    graph->node_number = node_number;
    graph->is_bounded = true;
    graph->is_chaining = leat_config_bool(plan->config, LEAT_OPTION_OPERATOR_CHAINING);
    return graph;
}

bool leat_graph_is_bounded(const leat_graph *graph)
{
    return graph->is_bounded;
}
int32_t leat_graph_changes(const leat_graph *graph)
{
    return graph->changes;
}

const char *leat_graph_name(leat_graph *graph, const char *name)
{
    return leat_arena_format(graph->plan->arena, "%s[%d]", name, ++*graph->node_number);
}

/* Moves bytes from the heap into the arena. */
static leat_code move_bytes(leat_graph *graph, leat_bytes *from, const uint8_t **data, size_t *size)
{
    leat_code code = leat_bytes_check(from, graph->plan->error);
    uint8_t *copy = code == LEAT_OK ? leat_arena_take(graph->plan->arena, from->size + 1) : NULL;
    if (code == LEAT_OK && !copy) code = leat_fail_no_memory(graph->plan->error);
    if (copy && from->size > 0) memcpy(copy, from->data, from->size);
    *data = copy;
    *size = from->size;
    leat_bytes_done(from);
    *from = (leat_bytes){0};
    return code;
}

static leat_code add_vertex(leat_graph *graph, int32_t parallelism, int32_t *out)
{
    if (graph->vertices_count == LEAT_GRAPH_VERTICES_MAX)
        return leat_fail(graph->plan->error, LEAT_LIMIT, "A job has at most %d vertices", LEAT_GRAPH_VERTICES_MAX);
    leat_graph_vertex *vertex = leat_arena_take(graph->plan->arena, sizeof *vertex);
    if (!vertex) return leat_fail_no_memory(graph->plan->error);
    vertex->parallelism = parallelism;
    *out = graph->vertices_count;
    graph->vertices[graph->vertices_count++] = vertex;
    return LEAT_OK;
}

/* The uid is the operator's place in the plan: the same statement over the same tables finds its state again. */
static leat_code append_operator(leat_graph *graph, int32_t vertex_index, leat_plan_operator *from)
{
    leat_graph_vertex *vertex = graph->vertices[vertex_index];
    leat_arena *arena = graph->plan->arena;
    leat_graph_operator *to = &vertex->operators[vertex->operators_count];
    LEAT_TRY(move_bytes(graph, &from->config, &to->config, &to->config_size));
    to->type = from->type;
    to->uid = leat_arena_format(arena, "%d-%s", ++graph->operators_count, from->type);
    to->name = leat_arena_strdup(arena, from->name);
    const char *bracket = to->name ? strrchr(to->name, '[') : NULL;
    const char *description = from->description ? from->description : from->name;
    to->description = bracket && bracket != to->name ? leat_arena_format(arena, "%s:%s", bracket, description)
                                                     : leat_arena_strdup(arena, description);
    if (!to->uid || !to->name || !to->description) return leat_fail_no_memory(graph->plan->error);
    vertex->operators_count++;
    return LEAT_OK;
}

leat_code leat_graph_note(leat_graph *graph, leat_stream *stream, const char *text)
{
    leat_exec_node *node = leat_arena_take(graph->plan->arena, sizeof *node);
    leat_exec_node **inputs = leat_arena_take(graph->plan->arena, sizeof *inputs);
    if (!node || !inputs) return leat_fail_no_memory(graph->plan->error);
    node->text = leat_arena_strdup(graph->plan->arena, text);
    if (!node->text) return leat_fail_no_memory(graph->plan->error);
    node->changes = stream->changes;
    inputs[0] = stream->node;
    node->inputs = inputs;
    node->inputs_count = stream->node ? 1 : 0;
    stream->node = node;
    return LEAT_OK;
}

leat_code leat_graph_add_source(leat_graph *graph, const leat_source_plan *source, int32_t parallelism,
                                leat_stream *stream)
{
    int32_t index;
    LEAT_TRY(add_vertex(graph, parallelism, &index));
    leat_graph_vertex *vertex = graph->vertices[index];
    leat_plan_operator operator_ = source->source;
    leat_bytes config = source->enumerator_config;
    vertex->is_source = true;
    vertex->enumerator = source->enumerator;
    leat_code code = move_bytes(graph, &config, &vertex->enumerator_config, &vertex->enumerator_config_size);
    if (code != LEAT_OK) {
        leat_bytes_done(&operator_.config);
        return code;
    }
    LEAT_TRY(append_operator(graph, index, &operator_));
    stream->vertices[0] = index;
    stream->vertices_count = 1;
    stream->parallelism = parallelism;
    return LEAT_OK;
}

static leat_code add_edges(leat_graph *graph, const leat_stream *stream, int32_t target, const leat_graph_step *step)
{
    leat_plan *plan = graph->plan;
    leat_bytes text = {0};
    const uint8_t *schema;
    size_t schema_size;
    leat_schema_write(&stream->schema, &text);
    LEAT_TRY(move_bytes(graph, &text, &schema, &schema_size));
    if (graph->edges_count + stream->vertices_count > graph->edges_capacity) {
        int32_t capacity = (graph->edges_count + stream->vertices_count) * 2;
        leat_graph_edge *edges = leat_arena_take(plan->arena, (size_t)capacity * sizeof *edges);
        if (!edges) return leat_fail_no_memory(plan->error);
        if (graph->edges_count > 0) memcpy(edges, graph->edges, (size_t)graph->edges_count * sizeof *edges);
        graph->edges = edges;
        graph->edges_capacity = capacity;
    }
    for (int32_t i = 0; i < stream->vertices_count; i++) {
        Leat__Pb__Exchange exchange = step->exchange;
        if (exchange == LEAT__PB__EXCHANGE__FORWARD &&
            graph->vertices[stream->vertices[i]]->parallelism != step->parallelism)
            exchange = LEAT__PB__EXCHANGE__REBALANCE;
        graph->edges[graph->edges_count++] = (leat_graph_edge){.source = stream->vertices[i],
                                                               .target = target,
                                                               .exchange = exchange,
                                                               .keys = step->keys,
                                                               .keys_count = step->keys_count,
                                                               .schema = schema,
                                                               .schema_size = schema_size,
                                                               .ship_strategy = step->ship_strategy};
    }
    return LEAT_OK;
}

leat_code leat_graph_add_operator(leat_graph *graph, leat_stream *stream, leat_plan_operator *operator_,
                                  const leat_graph_step *step)
{
    leat_graph_vertex *last = graph->vertices[stream->vertices[0]];
    bool is_chained = stream->vertices_count == 1 && step->exchange == LEAT__PB__EXCHANGE__FORWARD &&
                      last->parallelism == step->parallelism && graph->is_chaining && !step->is_unchained &&
                      !last->committer && last->operators_count < LEAT_GRAPH_CHAIN_MAX;
    int32_t index = stream->vertices[0];
    leat_code code = LEAT_OK;
    if (!is_chained) {
        code = add_vertex(graph, step->parallelism, &index);
        if (code == LEAT_OK) code = add_edges(graph, stream, index, step);
    }
    if (code != LEAT_OK) {
        leat_bytes_done(&operator_->config);
        operator_->config = (leat_bytes){0};
        return code;
    }
    LEAT_TRY(append_operator(graph, index, operator_));
    stream->vertices[0] = index;
    stream->vertices_count = 1;
    stream->parallelism = step->parallelism;
    return LEAT_OK;
}

static ProtobufCBinaryData binary(const uint8_t *data, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
}

#define TEXT(text) ((char *)(uintptr_t)(text))

static leat_code pack_vertex(leat_graph *graph, const leat_graph_vertex *from, Leat__Pb__Vertex *to)
{
    leat_arena *arena = graph->plan->arena;
    Leat__Pb__Operator *operators = leat_arena_take(arena, (size_t)from->operators_count * sizeof *operators);
    Leat__Pb__Operator **list = leat_arena_take(arena, (size_t)from->operators_count * sizeof *list);
    if (!operators || !list) return leat_fail_no_memory(graph->plan->error);
    leat__pb__vertex__init(to);
    const char *name = "";
    for (int32_t i = 0; i < from->operators_count; i++) {
        const leat_graph_operator *source = &from->operators[i];
        leat__pb__operator__init(&operators[i]);
        operators[i].type = TEXT(source->type);
        operators[i].uid = TEXT(source->uid);
        operators[i].name = TEXT(source->name);
        operators[i].description = TEXT(source->description);
        operators[i].config = binary(source->config, source->config_size);
        list[i] = &operators[i];
        name = leat_arena_format(arena, "%s%s%s", name, i > 0 ? " -> " : "", source->name);
        if (!name) return leat_fail_no_memory(graph->plan->error);
    }
    to->name = TEXT(name);
    to->parallelism = (uint32_t)from->parallelism;
    to->operators = list;
    to->n_operators = (size_t)from->operators_count;
    to->is_source = from->is_source;
    to->enumerator = TEXT(from->enumerator);
    to->has_enumerator_config = from->enumerator != NULL;
    to->enumerator_config = binary(from->enumerator_config, from->enumerator_config_size);
    to->committer = TEXT(from->committer);
    to->has_committer_config = from->committer != NULL;
    to->committer_config = binary(from->committer_config, from->committer_config_size);
    return LEAT_OK;
}

leat_code leat_graph_pack(leat_graph *graph, const char *job_name, leat_bytes *out)
{
    leat_plan *plan = graph->plan;
    size_t vertices_count = (size_t)graph->vertices_count, edges_count = (size_t)graph->edges_count;
    Leat__Pb__JobGraph job = LEAT__PB__JOB_GRAPH__INIT;
    Leat__Pb__Vertex *vertices = leat_arena_take(plan->arena, (vertices_count + 1) * sizeof *vertices);
    Leat__Pb__Edge *edges = leat_arena_take(plan->arena, (edges_count + 1) * sizeof *edges);
    Leat__Pb__ConfigEntry *entries = leat_arena_take(plan->arena, (plan->config->count + 1) * sizeof *entries);
    job.vertices = leat_arena_take(plan->arena, (vertices_count + 1) * sizeof *job.vertices);
    job.edges = leat_arena_take(plan->arena, (edges_count + 1) * sizeof *job.edges);
    job.config = leat_arena_take(plan->arena, (plan->config->count + 1) * sizeof *job.config);
    if (!vertices || !edges || !entries || !job.vertices || !job.edges || !job.config)
        return leat_fail_no_memory(plan->error);
    for (size_t i = 0; i < vertices_count; i++) {
        LEAT_TRY(pack_vertex(graph, graph->vertices[i], &vertices[i]));
        job.vertices[i] = &vertices[i];
    }
    for (size_t i = 0; i < edges_count; i++) {
        const leat_graph_edge *from = &graph->edges[i];
        leat__pb__edge__init(&edges[i]);
        edges[i].source = (uint32_t)from->source;
        edges[i].target = (uint32_t)from->target;
        edges[i].exchange = from->exchange;
        edges[i].key_columns = (uint32_t *)(uintptr_t)from->keys;
        edges[i].n_key_columns = (size_t)from->keys_count;
        edges[i].schema = binary(from->schema, from->schema_size);
        edges[i].ship_strategy = TEXT(from->ship_strategy);
        job.edges[i] = &edges[i];
    }
    for (size_t i = 0; i < plan->config->count; i++) {
        leat__pb__config_entry__init(&entries[i]);
        entries[i].key = plan->config->entries[i].key;
        entries[i].value =
            binary((const uint8_t *)plan->config->entries[i].value, strlen(plan->config->entries[i].value));
        job.config[i] = &entries[i];
    }
    LEAT_TRY(leat_secrets_pack(&plan->secrets, plan->arena, &job, plan->error));
    job.version = 1;
    job.name = TEXT(job_name);
    job.n_vertices = vertices_count;
    job.n_edges = edges_count;
    job.n_config = plan->config->count;
    job.is_batch = plan->is_batch;
    uint8_t *room = leat_bytes_extend(out, leat__pb__job_graph__get_packed_size(&job));
    if (room) leat__pb__job_graph__pack(&job, room);
    return leat_bytes_check(out, plan->error);
}

static void print_changes(int32_t changes, leat_bytes *out)
{
    static const struct {
        int32_t flag;
        const char *text;
    } names[] = {{LEAT_CHANGES_INSERT, "I"},
                 {LEAT_CHANGES_UPDATE_BEFORE, "UB"},
                 {LEAT_CHANGES_UPDATE_AFTER, "UA"},
                 {LEAT_CHANGES_DELETE, "D"}};
    const char *comma = "";
    leat_bytes_text(out, "changelogMode=[");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(changes & names[i].flag)) continue;
        leat_bytes_format(out, "%s%s", comma, names[i].text);
        comma = ",";
    }
    leat_bytes_text(out, "]");
}

/* `prefix` is what stands before the children's lines. */
static void print_node(const leat_exec_node *node, const char *branch, const char *prefix, bool with_changes,
                       int32_t depth, leat_bytes *out)
{
    leat_bytes below = {0};
    size_t length = strlen(node->text);
    leat_bytes_text(out, branch);
    if (with_changes && length > 0 && node->text[length - 1] == ')') {
        leat_bytes_format(out, "%.*s, ", (int)length - 1, node->text);
        print_changes(node->changes, out);
        leat_bytes_text(out, ")\n");
    } else {
        leat_bytes_format(out, "%s\n", node->text);
    }
    for (int32_t i = 0; i < node->inputs_count && depth < LEAT_REL_DEPTH_MAX; i++) {
        bool is_last = i + 1 == node->inputs_count;
        leat_bytes branch_text = {0};
        leat_bytes_reset(&below);
        leat_bytes_format(&below, "%s%s", prefix, is_last ? "   " : ":  ");
        leat_bytes_format(&branch_text, "%s%s", prefix, is_last ? "+- " : ":- ");
        if (below.data && branch_text.data)
            print_node(node->inputs[i], (const char *)branch_text.data, (const char *)below.data, with_changes,
                       depth + 1, out);
        leat_bytes_done(&branch_text);
    }
    leat_bytes_done(&below);
}

leat_code leat_graph_explain(const leat_graph *graph, bool with_changes, leat_bytes *out)
{
    for (int32_t pass = 0; pass < 2; pass++) {
        leat_bytes_text(out, pass == 0 ? "\n== Optimized Physical Plan ==\n" : "\n== Optimized Execution Plan ==\n");
        for (int32_t i = 0; i < graph->roots_count; i++)
            print_node(graph->roots[i], "", "", with_changes && pass == 0, 0, out);
    }
    return leat_bytes_check(out, graph->plan->error);
}
