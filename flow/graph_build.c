#include "flow/graph_build.h"

#include <string.h>

enum { VERTICES_MAX = LEAT_SINK_STAGES_MAX + 1, OPERATORS_MAX = 1 + LEAT_SINK_STAGES_MAX * LEAT_STAGE_OPERATORS_MAX };

typedef struct builder {
    const leat_plan_context *context;
    const leat_graph_parts *parts;
    Leat__Pb__Vertex vertices[VERTICES_MAX], *all_vertices[VERTICES_MAX];
    Leat__Pb__Operator operators[OPERATORS_MAX], *chains[VERTICES_MAX][OPERATORS_MAX];
    Leat__Pb__Edge edges[VERTICES_MAX], *all_edges[VERTICES_MAX];
    leat_bytes schemas[VERTICES_MAX];
    size_t vertices_count, operators_count, edges_count;
} builder;

static ProtobufCBinaryData data_of(const leat_bytes *bytes)
{
    return (ProtobufCBinaryData){bytes->size, bytes->data};
}

static Leat__Pb__Vertex *add_vertex(builder *self, const char *name, int32_t parallelism)
{
    size_t at = self->vertices_count++;
    Leat__Pb__Vertex *vertex = &self->vertices[at];
    leat__pb__vertex__init(vertex);
    vertex->name = (char *)(uintptr_t)name;
    vertex->parallelism = (uint32_t)parallelism;
    vertex->operators = self->chains[at];
    self->all_vertices[at] = vertex;
    return vertex;
}

static leat_code add_operator(builder *self, const leat_plan_operator *plan, const char *uid, leat_error *error)
{
    size_t at = self->vertices_count - 1;
    Leat__Pb__Vertex *vertex = &self->vertices[at];
    Leat__Pb__Operator *operator_ = &self->operators[self->operators_count++];
    leat__pb__operator__init(operator_);
    if (!uid) return leat_fail_no_memory(error);
    operator_->type = (char *)(uintptr_t)plan->type;
    operator_->uid = (char *)(uintptr_t)uid;
    operator_->name = (char *)(uintptr_t)plan->name;
    operator_->description = (char *)(uintptr_t)(plan->description ? plan->description : plan->name);
    operator_->config = data_of(&plan->config);
    bool is_first = vertex->n_operators == 0;
    self->chains[at][vertex->n_operators++] = operator_;
    if (is_first) return LEAT_OK;
    vertex->name = leat_arena_format(self->context->arena, "%s -> %s", vertex->name, plan->name);
    return vertex->name ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code add_edge(builder *self, const leat_sink_stage *stage, leat_error *error)
{
    size_t at = self->edges_count++;
    Leat__Pb__Edge *edge = &self->edges[at];
    leat__pb__edge__init(edge);
    leat_schema_write(&stage->input, &self->schemas[at]);
    LEAT_TRY(leat_bytes_check(&self->schemas[at], error));
    edge->source = (uint32_t)self->vertices_count - 2;
    edge->target = (uint32_t)self->vertices_count - 1;
    bool is_even = self->vertices[edge->source].parallelism == self->vertices[edge->target].parallelism;
    bool is_forward = stage->exchange == LEAT__PB__EXCHANGE__FORWARD;
    edge->exchange = is_forward && !is_even ? LEAT__PB__EXCHANGE__REBALANCE : stage->exchange;
    edge->key_columns = (uint32_t *)(uintptr_t)stage->key_columns;
    edge->n_key_columns = stage->key_columns_count;
    edge->schema = data_of(&self->schemas[at]);
    edge->ship_strategy = (char *)(uintptr_t)stage->ship_strategy;
    self->all_edges[at] = edge;
    return LEAT_OK;
}

static leat_code add_stage(builder *self, int32_t index, leat_error *error)
{
    const leat_sink_stage *stage = &self->parts->sink->stages[index];
    Leat__Pb__Vertex *before = &self->vertices[self->vertices_count - 1];
    int32_t parallelism = stage->parallelism > 0 ? stage->parallelism : (int32_t)before->parallelism;
    bool is_chained = stage->exchange == LEAT__PB__EXCHANGE__FORWARD && !stage->is_unchained &&
                      (uint32_t)parallelism == before->parallelism;
    if (!is_chained) {
        add_vertex(self, stage->operators[0].name, parallelism);
        LEAT_TRY(add_edge(self, stage, error));
    }
    for (int32_t i = 0; i < stage->operators_count; i++) {
        const char *uid = leat_arena_format(self->context->arena, "%s-sink-%d-%d", self->parts->uid_prefix, index, i);
        LEAT_TRY(add_operator(self, &stage->operators[i], uid, error));
    }
    if (!stage->committer) return LEAT_OK;
    Leat__Pb__Vertex *vertex = &self->vertices[self->vertices_count - 1];
    vertex->committer = (char *)(uintptr_t)stage->committer;
    vertex->has_committer_config = true;
    vertex->committer_config = data_of(&stage->committer_config);
    return LEAT_OK;
}

static leat_code add_source(builder *self, leat_error *error)
{
    const leat_source_plan *plan = self->parts->source;
    Leat__Pb__Vertex *vertex =
        add_vertex(self, plan->source.name, plan->parallelism > 0 ? plan->parallelism : self->context->parallelism);
    vertex->is_source = true;
    if (plan->enumerator) {
        vertex->enumerator = (char *)(uintptr_t)plan->enumerator;
        vertex->has_enumerator_config = true;
        vertex->enumerator_config = data_of(&plan->enumerator_config);
    }
    return add_operator(self, &plan->source,
                        leat_arena_format(self->context->arena, "%s-source", self->parts->uid_prefix), error);
}

static leat_code pack(builder *self, leat_bytes *out, leat_error *error)
{
    const leat_config *config = self->parts->config;
    size_t count = config ? config->count : 0;
    Leat__Pb__ConfigEntry *entries = leat_arena_take(self->context->arena, (count + 1) * sizeof *entries);
    Leat__Pb__ConfigEntry **pointers = leat_arena_take(self->context->arena, (count + 1) * sizeof *pointers);
    if (!entries || !pointers) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        leat__pb__config_entry__init(&entries[i]);
        entries[i].key = config->entries[i].key;
        entries[i].value.data = (uint8_t *)config->entries[i].value;
        entries[i].value.len = strlen(config->entries[i].value);
        pointers[i] = &entries[i];
    }
    Leat__Pb__JobGraph graph = LEAT__PB__JOB_GRAPH__INIT;
    graph.version = 1;
    graph.name = (char *)(uintptr_t)self->parts->name;
    graph.vertices = self->all_vertices;
    graph.n_vertices = self->vertices_count;
    graph.edges = self->all_edges;
    graph.n_edges = self->edges_count;
    graph.config = pointers;
    graph.n_config = count;
    graph.is_batch = self->context->is_batch;
    if (self->context->secrets)
        LEAT_TRY(leat_secrets_pack(self->context->secrets, self->context->arena, &graph, error));
    uint8_t *room = leat_bytes_extend(out, leat__pb__job_graph__get_packed_size(&graph));
    if (room) (void)leat__pb__job_graph__pack(&graph, room);
    return leat_bytes_check(out, error);
}

leat_code leat_graph_build(const leat_plan_context *context, const leat_graph_parts *parts, leat_bytes *out,
                           leat_error *error)
{
    builder *self = leat_arena_take(context->arena, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->context = context;
    self->parts = parts;
    leat_code code = add_source(self, error);
    for (int32_t i = 0; code == LEAT_OK && i < parts->sink->stages_count; i++) {
        code = add_stage(self, i, error);
    }
    if (code == LEAT_OK) code = pack(self, out, error);
    for (size_t i = 0; i < self->edges_count; i++)
        leat_bytes_done(&self->schemas[i]);
    return code;
}
