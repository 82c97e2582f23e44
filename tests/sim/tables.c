#include "tests/sim/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/datagen/datagen.h"
#include "paimon/catalog.h"
#include "paimon/connector.h"
#include "paimon/registry.h"
#include "tests/sim/rows_format.h"
#include "tests/sim/table_reader.h"

enum { ARENA_BYTES_MAX = 256 << 20, NUMBERS_MAX = 1 << 20 };
enum { PATH_BYTES = 64 };
static const char warehouse[] = "mem:/house";

static void path_of(const sim_table *table, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/default.db/%s", warehouse, table->name);
}

void sim_tables_register(leat_registry *registry)
{
    sim_rows_format_add();
    leat_registry_add_operator(registry, &leat_datagen_factory);
    leat_paimon_register(registry);
}

static void set(leat_config *options, const char *key, const char *value)
{
    leat_code code = leat_config_set(options, key, value, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static void fill_options(const sim_table *table, leat_config *options)
{
    char text[16];
    snprintf(text, sizeof text, "%d", table->kind == SIM_TABLE_AGGREGATION_FIXED ? table->buckets : -1);
    set(options, "bucket", text);
    if (table->kind == SIM_TABLE_APPEND) return;
    set(options, "merge-engine", "aggregation");
    set(options, "fields.n.aggregate-function", "sum");
    set(options, "fields.one.aggregate-function", "sum");
    set(options, "num-sorted-run.compaction-trigger", "3");
    snprintf(text, sizeof text, "%d", table->levels);
    set(options, "num-levels", text);
    snprintf(text, sizeof text, "%d", table->amplification);
    set(options, "compaction.max-size-amplification-percent", text);
    set(options, "sort-spill-threshold", "2"); /* large compactions go in rounds, reads in passes */
    set(options, "sort-spill-buffer-size", "1 kb");
    set(options, "write-buffer-size", "64 kb");
    if (table->kind == SIM_TABLE_AGGREGATION_DYNAMIC) set(options, "dynamic-bucket.target-row-num", "7");
    if (!table->has_changelog) return;
    set(options, "changelog-producer", "full-compaction");
    set(options, "full-compaction.delta-commits", "2");
}

static leat_code create_table(leat_env *env, const sim_table *table, leat_error *error)
{
    bool has_key = table->kind != SIM_TABLE_APPEND;
    leat_config options = {0};
    fill_options(table, &options);
    leat_paimon_new_column columns[3] = {{.name = "k", .type = leat_type_make(LEAT_TYPE_INT, !has_key)},
                                         {.name = "n", .type = leat_type_make(LEAT_TYPE_BIGINT, true)},
                                         {.name = "one", .type = leat_type_make(LEAT_TYPE_BIGINT, true)}};
    const char *primary_keys[] = {"k"};
    leat_paimon_new_table made = {.database = "default",
                                  .name = table->name,
                                  .columns = columns,
                                  .columns_count = 3,
                                  .primary_keys = primary_keys,
                                  .primary_keys_count = has_key,
                                  .options = &options};
    leat_code code = leat_paimon_create_database(env, warehouse, "default", error);
    if (code == LEAT_EXISTS) code = LEAT_OK; /* another table's */
    if (code == LEAT_OK) code = leat_paimon_create_table(env, warehouse, &made, error);
    leat_config_done(&options);
    return code;
}

/* --- the graph: a source, then for each table a vertex a stage --- */

enum { VERTICES_MAX = 16, OPERATORS_MAX = 32 };

typedef struct draft {
    Leat__Pb__Operator operators[OPERATORS_MAX], *chains[VERTICES_MAX][4];
    Leat__Pb__Vertex vertices[VERTICES_MAX], *all_vertices[VERTICES_MAX];
    Leat__Pb__Edge edges[VERTICES_MAX], *all_edges[VERTICES_MAX];
    leat_bytes schemas[VERTICES_MAX];
    int operators_count, vertices_count;
} draft;

static void fill_operator(Leat__Pb__Operator *operator, const leat_plan_operator * from, const char *uid)
{
    leat__pb__operator__init(operator);
    operator->type =(char *)(uintptr_t) from->type;
    operator->uid =(char *)(uintptr_t) uid;
    operator->name = operator->description =(char *)(uintptr_t) from->name;
    operator->config =(ProtobufCBinaryData){from->config.size, from->config.data};
}

static void add_vertex(draft *graph, leat_arena *arena, const leat_plan_operator *operators, int count,
                       int32_t parallelism)
{
    Leat__Pb__Vertex *vertex = &graph->vertices[graph->vertices_count];
    leat__pb__vertex__init(vertex);
    for (int i = 0; i < count; i++) {
        Leat__Pb__Operator *operator= & graph->operators[graph->operators_count++];
        fill_operator(operator, & operators[i],
                      leat_arena_format(arena, "%d-%s", graph->operators_count, operators[i].type));
        graph->chains[graph->vertices_count][i] = operator;
    }
    vertex->name = (char *)(uintptr_t)operators[0].name;
    vertex->operators = graph->chains[graph->vertices_count];
    vertex->n_operators = (size_t)count;
    vertex->parallelism = (uint32_t)parallelism;
    graph->all_vertices[graph->vertices_count] = vertex;
    graph->vertices_count++;
}

static void add_stage(draft *graph, leat_arena *arena, const leat_sink_stage *stage, int source, int32_t parallelism)
{
    int at = graph->vertices_count;
    int32_t before = (int32_t)graph->vertices[source].parallelism;
    add_vertex(graph, arena, stage->operators, stage->operators_count,
               stage->parallelism > 0 ? stage->parallelism : parallelism);
    Leat__Pb__Edge *edge = &graph->edges[at - 1];
    leat__pb__edge__init(edge);
    leat_schema_write(&stage->input, &graph->schemas[at]);
    edge->source = (uint32_t)source;
    edge->target = (uint32_t)at;
    edge->exchange = stage->exchange;
    bool is_equal = before == (int32_t)graph->vertices[at].parallelism;
    if (edge->exchange == LEAT__PB__EXCHANGE__FORWARD && !is_equal) edge->exchange = LEAT__PB__EXCHANGE__REBALANCE;
    edge->key_columns = (uint32_t *)(uintptr_t)stage->key_columns;
    edge->n_key_columns = stage->key_columns_count;
    edge->schema = (ProtobufCBinaryData){graph->schemas[at].size, graph->schemas[at].data};
    graph->all_edges[at - 1] = edge;
    if (!stage->committer) return;
    graph->vertices[at].committer = (char *)(uintptr_t)stage->committer;
    graph->vertices[at].has_committer_config = true;
    graph->vertices[at].committer_config =
        (ProtobufCBinaryData){stage->committer_config.size, stage->committer_config.data};
}

static leat_code plan_sink(leat_env *env, const sim_table *table, leat_arena *arena, leat_config *session,
                           leat_schema schema, leat_sink_plan *out, leat_error *error)
{
    leat_config options = {0};
    char path[PATH_BYTES];
    path_of(table, path);
    set(&options, "path", path);
    if (table->is_foreign && !table->is_compacting) set(&options, "write-only", "true"); /* as users are told */
    static const int32_t key[] = {0};
    leat_table target = {.catalog = "house",
                         .database = "default",
                         .name = table->name,
                         .schema = schema,
                         .primary_key = key,
                         .primary_key_count = table->kind != SIM_TABLE_APPEND,
                         .options = &options};
    leat_plan_context context = {
        .arena = arena, .env = env, .session = session, .parallelism = table->sink_parallelism};
    leat_sink_request request = {.changes = LEAT_CHANGES_INSERT};
    leat_code code = leat_paimon_connector.plan_sink(&context, &target, &request, out, error);
    leat_config_done(&options);
    return code;
}

static void write_source(const sim_table *table, const leat_schema *schema, leat_bytes *out)
{
    leat_datagen_field generators[3];
    for (int i = 0; i < 3; i++)
        generators[i] = leat_datagen_field_default(&schema->fields[i].type);
    generators[0].min = 1;
    generators[0].max = table->keys;
    generators[1].kind = LEAT_DATAGEN_SEQUENCE;
    generators[1].min = 0;
    generators[1].max = NUMBERS_MAX - 1;
    generators[2].min = generators[2].max = 1;
    if (table->is_foreign) { /* changes no sum */
        generators[1].kind = generators[2].kind;
        generators[1].max = generators[2].min = generators[2].max = 0;
    }
    leat_datagen_config config = {*schema, generators, table->rows_per_second, table->rows_count};
    leat_datagen_config_write(&config, out);
}

static leat_code pack(draft *graph, leat_bytes *out, leat_error *error)
{
    Leat__Pb__JobGraph message = LEAT__PB__JOB_GRAPH__INIT;
    message.version = 1;
    message.name = "tables";
    message.vertices = graph->all_vertices;
    message.n_vertices = (size_t)graph->vertices_count;
    message.edges = graph->all_edges;
    message.n_edges = (size_t)graph->vertices_count - 1;
    uint8_t *room = leat_bytes_extend(out, leat__pb__job_graph__get_packed_size(&message));
    if (room) leat__pb__job_graph__pack(&message, room);
    return leat_bytes_check(out, error);
}

static void free_plan(leat_sink_plan *sink)
{
    for (int32_t i = 0; i < sink->stages_count; i++) {
        for (int32_t o = 0; o < sink->stages[i].operators_count; o++)
            leat_bytes_done(&sink->stages[i].operators[o].config);
        leat_bytes_done(&sink->stages[i].committer_config);
    }
    leat_free(sink);
}

/* Moves the bytes into the arena. */
static void keep_bytes(leat_arena *arena, leat_bytes *bytes)
{
    uint8_t *copy = leat_arena_take(arena, bytes->size + 1);
    LEAT_ASSERT(copy);
    if (bytes->size) memcpy(copy, bytes->data, bytes->size);
    size_t size = bytes->size;
    leat_bytes_done(bytes);
    *bytes = (leat_bytes){.data = copy, .size = size};
}

/* The table's stages behind the source. */
static leat_code add_sink(draft *graph, leat_env *env, const sim_table *table, leat_arena *arena, leat_config *session,
                          leat_schema schema, leat_error *error)
{
    leat_sink_plan *sink = leat_calloc(1, sizeof *sink);
    LEAT_ASSERT(sink);
    leat_code code = table->is_foreign ? LEAT_OK : create_table(env, table, error);
    if (code == LEAT_OK) code = plan_sink(env, table, arena, session, schema, sink, error);
    for (int32_t i = 0; code == LEAT_OK && i < sink->stages_count; i++) {
        leat_sink_stage *stage = &sink->stages[i];
        for (int32_t o = 0; o < stage->operators_count; o++) /* the plan goes before the graph is packed */
            keep_bytes(arena, &stage->operators[o].config);
        keep_bytes(arena, &stage->committer_config);
        add_stage(graph, arena, stage, i == 0 ? 0 : graph->vertices_count - 1, table->sink_parallelism);
    }
    if (code == LEAT_OK)
        leat_free(sink);
    else
        free_plan(sink);
    return code;
}

leat_code sim_tables_graph(sim_world *world, const sim_table *tables, int count, leat_bytes *out, leat_error *error)
{
    sim_process process = sim_looker(world);
    leat_field fields[3] = {{"k", leat_type_make(LEAT_TYPE_INT, tables[0].kind == SIM_TABLE_APPEND)},
                            {"n", leat_type_make(LEAT_TYPE_BIGINT, true)},
                            {"one", leat_type_make(LEAT_TYPE_BIGINT, true)}};
    leat_schema schema = {3, fields};
    leat_arena arena;
    leat_arena_init(&arena, ARENA_BYTES_MAX);
    draft *graph = leat_calloc(1, sizeof *graph);
    LEAT_ASSERT(graph);
    leat_plan_operator source = {.type = "datagen", .name = "source"};
    write_source(&tables[0], &schema, &source.config);
    add_vertex(graph, &arena, &source, 1, 1);
    graph->vertices[0].is_source = true;
    leat_code code = LEAT_OK;
    for (int i = 0; code == LEAT_OK && i < count; i++) {
        fields[0].type.nullable = tables[i].kind == SIM_TABLE_APPEND;
        code = add_sink(graph, &process.env, &tables[i], &arena, &world->config, schema, error);
    }
    if (code == LEAT_OK) code = pack(graph, out, error);
    leat_bytes_done(&source.config);
    for (int i = 0; i < VERTICES_MAX; i++)
        leat_bytes_done(&graph->schemas[i]);
    leat_free(graph);
    leat_arena_done(&arena);
    return code;
}

/* --- the reader --- */

typedef struct tally {
    sim_world *world;
    const sim_table *table;
    uint8_t *numbers, *keys; /* a bit each */
    int64_t rows, n_sum, one_sum, n_max;
} tally;

static void count_batch(void *arg, const leat_batch *batch)
{
    tally *into = arg;
    sim_world *world = into->world;
    const sim_table *table = into->table;
    const int32_t *keys = batch->columns[0].values;
    const int64_t *numbers = batch->columns[1].values, *ones = batch->columns[2].values;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        into->rows++;
        into->n_sum += numbers[row];
        into->one_sum += ones[row];
        if (numbers[row] > into->n_max) into->n_max = numbers[row];
        bool is_append = table->kind == SIM_TABLE_APPEND;
        int32_t bit = is_append ? (int32_t)numbers[row] : keys[row];
        uint8_t *seen = is_append ? into->numbers : into->keys;
        SIM_REQUIRE(world, !leat_bit_get(seen, bit), "%s %d is there twice", is_append ? "number" : "key", bit);
        leat_bit_set(seen, bit);
    }
}

static void follow(sim_world *world, const sim_table *table, const char *path)
{
    if (table->kind != SIM_TABLE_APPEND && table->has_changelog) sim_follower_read(table->follower, world, path);
}

void sim_table_expire(sim_world *world, const sim_table *table, int64_t retained)
{
    char path[PATH_BYTES];
    path_of(table, path);
    follow(world, table, path);
    sim_expire(world, path, retained);
}

void sim_table_check(sim_world *world, const sim_table *table, int64_t *rows)
{
    char path[PATH_BYTES];
    path_of(table, path);
    tally now = {.world = world,
                 .table = table,
                 .numbers = leat_calloc(1, NUMBERS_MAX / 8),
                 .keys = leat_calloc(1, 8192),
                 .n_max = -1};
    LEAT_ASSERT(now.numbers && now.keys);
    sim_read_table(world, path, count_batch, &now);
    sim_chain_check(table->chain, world, path);
    follow(world, table, path);
    int64_t m = now.one_sum;
    SIM_REQUIRE(world, now.n_sum == m * (m - 1) / 2, "%" PRId64 " rows were counted, their numbers sum to %" PRId64, m,
                now.n_sum);
    if (table->kind == SIM_TABLE_APPEND) {
        SIM_REQUIRE(world, now.n_max == m - 1, "%" PRId64 " rows, greatest number %" PRId64, m, now.n_max);
    }
    *rows = m;
    leat_free(now.numbers);
    leat_free(now.keys);
}
