#include "tests/sim/counting.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/datagen/datagen.h"

const char *sim_counting_topic(int32_t number)
{
    static const char *const topics[] = {"mem:/table-0", "mem:/table-1", "mem:/table-2", "mem:/table-3",
                                         "mem:/table-4", "mem:/table-5", "mem:/table-6", "mem:/table-7",
                                         "mem:/table-8", "mem:/table-9", "mem:/table-a", "mem:/table-b"};
    LEAT_ASSERT(number >= 0 && (size_t)number < sizeof topics / sizeof *topics);
    return topics[number];
}

int32_t sim_counting_number(const uint8_t *config, size_t size)
{
    enum { NUMBERS = 12 };
    return size == 1 ? config[0] % NUMBERS : 0; /* a fuzzer's graph may say anything */
}

/* --- the sink: rows of a checkpoint are written to an object by a job, then prepared; carried until confirmed --- */

typedef struct prepared {
    int64_t checkpoint_id;
    char path[96];
} prepared;

typedef struct sink sink;

typedef struct write_job {
    leat_job job; /* first */
    sink *owner;
    int64_t checkpoint_id;
    char path[96];
    leat_bytes rows;
    bool is_done;
    leat_code code;
    leat_error error;
} write_job;

enum { PREPARED_MAX = 256, WRITES_MAX = 32 };

struct sink {
    leat_operator operator; /* first */
    int32_t number;         /* of the job */
    leat_bytes rows;        /* since the last cut: n, k, c a row */
    prepared prepared[PREPARED_MAX];
    int prepared_count;
    write_job *writes[WRITES_MAX];
    int writes_count;
};

static leat_code sink_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    sink *self = (sink *)operator;
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[i].state, restored->parts[i].state_size);
        uint32_t count = leat_reader_u32(&reader);
        for (uint32_t p = 0; p < count && !reader.failed && self->prepared_count < PREPARED_MAX; p++) {
            prepared *carried = &self->prepared[self->prepared_count++];
            carried->checkpoint_id = leat_reader_i64(&reader);
            size_t length;
            const uint8_t *path = leat_reader_block(&reader, &length);
            snprintf(carried->path, sizeof carried->path, "%.*s", (int)length, (const char *)path);
        }
        LEAT_TRY(leat_reader_check(&reader, true, "sink state", error));
    }
    return LEAT_OK;
}

static leat_code sink_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                              leat_error *error)
{
    (void)input;
    (void)progress;
    sink *self = (sink *)operator;
    const int64_t *numbers = (*batch)->columns[0].values, *counts = (*batch)->columns[2].values;
    const int32_t *keys = (*batch)->columns[1].values;
    for (int32_t i = 0; i < (*batch)->selected; i++) {
        int32_t row = leat_batch_row(*batch, i);
        leat_bytes_put_i64(&self->rows, numbers[row]);
        leat_bytes_put_i64(&self->rows, keys[row]);
        leat_bytes_put_i64(&self->rows, counts[row]);
    }
    return leat_bytes_check(&self->rows, error);
}

static void run_write(leat_job *job, leat_env *env)
{
    write_job *write = (write_job *)job;
    enum { TRIES = 8 };
    for (int i = 0; i < TRIES; i++) {
        write->code = leat_storage_put(env->storage, write->path, write->rows.data, write->rows.size, LEAT_PUT_REPLACE,
                                       &write->error);
        if (write->code == LEAT_OK) return;
        leat_env_sleep_ms(env, 5);
    }
}

static void done_write(leat_job *job, leat_env *env)
{
    (void)env;
    write_job *write = (write_job *)job;
    leat_operator_context *context = write->owner->operator.context;
    write->is_done = true; /* one thread: no barrier needed in the simulation */
    leat_context_wake(context);
}

static leat_code sink_resume_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot,
                                      leat_progress *progress, leat_error *error);

static leat_code sink_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot, leat_progress *progress,
                               leat_error *error)
{
    sink *self = (sink *)operator;
    const leat_operator_context *context = operator->context;
    if (self->rows.size && self->writes_count < WRITES_MAX) {
        write_job *write = leat_calloc(1, sizeof *write);
        if (!write) return leat_fail_no_memory(error);
        write->job = (leat_job){.run = run_write, .done = done_write};
        write->owner = self;
        write->checkpoint_id = snapshot->checkpoint_id;
        write->rows = self->rows;
        self->rows = (leat_bytes){0};
        snprintf(write->path, sizeof write->path, "%s/data-%" PRId64 "-%d-%d", sim_counting_topic(self->number),
                 snapshot->checkpoint_id, context->subtask, context->attempt);
        self->writes[self->writes_count++] = write;
        LEAT_TRY(leat_context_spawn(operator->context, &write->job, error));
    }
    return sink_resume_snapshot(operator, snapshot, progress, error);
}

/* Done when every write of this or an earlier checkpoint is. */
static leat_code sink_resume_snapshot(leat_operator *operator, leat_operator_snapshot * snapshot,
                                      leat_progress *progress, leat_error *error)
{
    sink *self = (sink *)operator;
    *progress = LEAT_AGAIN;
    while (self->writes_count && self->writes[0]->checkpoint_id <= snapshot->checkpoint_id) {
        write_job *write = self->writes[0];
        if (!write->is_done) return LEAT_OK;
        if (write->code != LEAT_OK) {
            if (error) *error = write->error;
            return write->code;
        }
        if (self->prepared_count == PREPARED_MAX) return leat_fail(error, LEAT_LIMIT, "nobody confirms");
        prepared *added = &self->prepared[self->prepared_count++];
        added->checkpoint_id = write->checkpoint_id;
        snprintf(added->path, sizeof added->path, "%s", write->path);
        leat_bytes_done(&write->rows);
        leat_free(write);
        memmove(&self->writes[0], &self->writes[1], (size_t)--self->writes_count * sizeof self->writes[0]);
    }
    uint32_t count = 0; /* a later checkpoint may have been prepared before this one's turn came */
    while (count < (uint32_t)self->prepared_count && self->prepared[count].checkpoint_id <= snapshot->checkpoint_id)
        count++;
    leat_bytes_put_u32(&snapshot->state, count);
    for (uint32_t i = 0; i < count; i++) {
        const prepared *carried = &self->prepared[i];
        leat_bytes_put_i64(&snapshot->state, carried->checkpoint_id);
        leat_bytes_put_block(&snapshot->state, carried->path, strlen(carried->path));
        leat_bytes committable = {0};
        leat_bytes_put(&committable, carried->path, strlen(carried->path));
        LEAT_TRY(leat_operator_snapshot_add(snapshot, &committable, error));
    }
    *progress = LEAT_DONE;
    return leat_bytes_check(&snapshot->state, error);
}

static leat_code sink_complete(leat_operator *operator, int64_t checkpoint_id, leat_error *error)
{
    (void)error;
    sink *self = (sink *)operator;
    int kept = 0;
    for (int i = 0; i < self->prepared_count; i++) {
        if (self->prepared[i].checkpoint_id > checkpoint_id) self->prepared[kept++] = self->prepared[i];
    }
    self->prepared_count = kept;
    return LEAT_OK;
}

static void sink_close(leat_operator *operator)
{
    sink *self = (sink *)operator;
    for (int i = 0; i < self->writes_count; i++) {
        leat_bytes_done(&self->writes[i]->rows);
        leat_free(self->writes[i]);
    }
    leat_bytes_done(&self->rows);
    leat_free(self);
}

static const leat_operator_vtable sink_vtable = {.type = "sim-sink",
                                                 .open = sink_open,
                                                 .process_batch = sink_process,
                                                 .snapshot = sink_snapshot,
                                                 .snapshot_resume = sink_resume_snapshot,
                                                 .checkpoint_complete = sink_complete,
                                                 .close = sink_close};

static leat_code sink_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                             leat_operator **out, leat_error *error)
{
    (void)context;
    sink *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->number = sim_counting_number(config, config_size);
    self->operator.vtable = & sink_vtable;
    *out = &self->operator;
    return LEAT_OK;
}

/* --- the committer: "<table>/commit-<n>", n = 1, 2, …, each put where nothing is yet; so one that comes late finds its
 * place taken. A line is a path, or "checkpoint <n>"; a path is in the table once it is in any commit --- */

typedef struct committer {
    leat_committer committer; /* first */
    leat_env *env;
} committer;

static void committer_close(leat_committer *self)
{
    leat_free(self);
}

/* The lines of all commits, and how many these are. */
static leat_code read_commits(committer *self, leat_bytes *lines, int *count, leat_error *error)
{
    leat_storage *storage = self->env->storage;
    leat_storage_list list = {0};
    leat_code code = leat_storage_list_folder(storage, self->committer.topic, &list, error);
    *count = 0;
    for (size_t i = 0; code == LEAT_OK && i < list.count; i++) {
        if (strncmp(list.entries[i].name, "commit-", 7) != 0) continue;
        char path[96];
        snprintf(path, sizeof path, "%s/%.60s", self->committer.topic, list.entries[i].name);
        code = leat_storage_get_all(storage, path, 1 << 20, lines, error);
        ++*count;
    }
    leat_bytes_text(lines, "");
    leat_storage_list_done(&list);
    return code == LEAT_OK ? leat_bytes_check(lines, error) : code;
}

/* Idempotent by path: what an earlier commit has is left out. */
static leat_code committer_commit(leat_committer *base, int64_t checkpoint_id, const leat_committable *committables,
                                  size_t count, leat_error *error)
{
    committer *self = (committer *)base;
    leat_code code = LEAT_EXISTS;
    while (code == LEAT_EXISTS) { /* another was faster: what has it committed? */
        leat_bytes known = {0}, added = {0};
        char text[100];
        int commits;
        code = read_commits(self, &known, &commits, error);
        for (size_t i = 0; code == LEAT_OK && i < count; i++) {
            snprintf(text, sizeof text, "%.*s\n", (int)committables[i].size, (const char *)committables[i].data);
            if (!strstr((const char *)known.data, text)) leat_bytes_text(&added, text);
        }
        if (code == LEAT_OK && added.size) {
            snprintf(text, sizeof text, "checkpoint %" PRId64 "\n", checkpoint_id);
            leat_bytes_text(&added, text);
            snprintf(text, sizeof text, "%s/commit-%06d", base->topic, commits + 1);
            code = leat_storage_put(self->env->storage, text, added.data, added.size, LEAT_PUT_IF_ABSENT, error);
        }
        leat_bytes_done(&known);
        leat_bytes_done(&added);
    }
    return code;
}

static leat_code committer_newest(leat_committer *base, int64_t *checkpoint_id, leat_error *error)
{
    leat_bytes lines = {0};
    int commits;
    leat_code code = read_commits((committer *)base, &lines, &commits, error);
    const char *at = code == LEAT_OK ? (const char *)lines.data : NULL;
    while (at && (at = strstr(at, "checkpoint ")))
        *checkpoint_id = strtoll(at += strlen("checkpoint "), NULL, 10);
    leat_bytes_done(&lines);
    return code;
}

static const leat_committer_vtable committer_vtable = {
    .commit = committer_commit, .close = committer_close, .newest = committer_newest};

static leat_code committer_create(leat_env *env, const leat_config *config, const char *commit_user,
                                  const uint8_t *commit_config, size_t config_size, leat_committer **out,
                                  leat_error *error)
{
    (void)config;
    (void)commit_user;
    committer *self = leat_alloc(sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    *self = (committer){
        .committer = {&committer_vtable, sim_counting_topic(sim_counting_number(commit_config, config_size))},
        .env = env};
    *out = &self->committer;
    return LEAT_OK;
}

static const leat_operator_factory sink_factory = {"sim-sink", sink_create};
static const leat_committer_factory committer_factory = {"sim-commit", committer_create};

void sim_counting_register(leat_registry *registry)
{
    leat_registry_add_operator(registry, &leat_datagen_factory);
    leat_registry_add_operator(registry, &sim_counter_factory);
    leat_registry_add_operator(registry, &sink_factory);
    leat_registry_add_committer(registry, &committer_factory);
    leat_registry_add_operator(registry, &sim_splits_reader_factory);
    leat_registry_add_enumerator(registry, &sim_splits_enumerator_factory);
}

/* --- the graph --- */

static void fill_operator(Leat__Pb__Operator *operator, const char * type, const leat_bytes *config)
{
    leat__pb__operator__init(operator);
    operator->type = operator->uid = operator->name = operator->description =(char *)(uintptr_t) type;
    if (config) operator->config =(ProtobufCBinaryData){config->size, config->data};
}

static void fill_vertex(Leat__Pb__Vertex *vertex, Leat__Pb__Operator **chain, int32_t parallelism)
{
    leat__pb__vertex__init(vertex);
    vertex->name = chain[0]->name;
    vertex->parallelism = (uint32_t)parallelism;
    vertex->operators = chain;
    vertex->n_operators = 1;
}

static void fill_edge(Leat__Pb__Edge *edge, uint32_t source, uint32_t target, uint32_t *key, const leat_bytes *schema)
{
    leat__pb__edge__init(edge);
    edge->source = source;
    edge->target = target;
    edge->exchange = LEAT__PB__EXCHANGE__HASH;
    edge->key_columns = key;
    edge->n_key_columns = 1;
    edge->schema = (ProtobufCBinaryData){schema->size, schema->data};
}

/* How many of the rows source `index` makes: half each, when there are two. */
static int64_t rows_of(const sim_counting *job, int32_t index)
{
    if (job->rows_count < 0) return SIM_NUMBERS_MAX / 2;
    if (job->sources == 1) return job->rows_count;
    return index == 0 ? job->rows_count / 2 : job->rows_count - job->rows_count / 2;
}

static void write_source(const sim_counting *job, int32_t index, leat_field *fields, leat_bytes *config)
{
    if (job->split_rows) {
        int64_t first = index ? SIM_NUMBERS_MAX / 2 : 0;
        const sim_splits splits = {job->number,          first,          first + rows_of(job, index), job->split_rows,
                                   job->rows_per_second, job->batch_rows};
        sim_splits_config(&splits, config);
        return;
    }
    leat_datagen_field generators[2] = {leat_datagen_field_default(&fields[0].type),
                                        leat_datagen_field_default(&fields[1].type)};
    generators[0].kind = LEAT_DATAGEN_SEQUENCE;
    generators[0].min = 0;
    generators[0].max = SIM_NUMBERS_MAX - 1;
    generators[1].min = 1;
    generators[1].max = SIM_KEYS;
    leat_datagen_config datagen = {{2, fields}, generators, job->rows_per_second, job->rows_count};
    leat_datagen_config_write(&datagen, config);
}

/* Vertices: the sources, then count, then the sink. */
leat_code sim_counting_graph(const sim_counting *job, leat_bytes *out, leat_error *error)
{
    leat_type bigint = leat_type_make(LEAT_TYPE_BIGINT, true), integer = leat_type_make(LEAT_TYPE_INT, true);
    leat_field fields[3] = {{"n", bigint}, {"k", integer}, {"c", bigint}};
    leat_bytes configs[2] = {{0}, {0}}, in = {0}, counted = {0}, number = {0};
    leat_bytes_put_u8(&number, (uint8_t)job->number);
    leat_schema_write(&(leat_schema){2, fields}, &in);
    leat_schema_write(&(leat_schema){3, fields}, &counted);
    Leat__Pb__Operator operators[4], *chains[4];
    Leat__Pb__Vertex vertices[4], *all[4];
    Leat__Pb__Edge edges[3], *all_edges[3];
    uint32_t by_key = 1, by_number = 0, count_at = (uint32_t)job->sources;
    for (int32_t i = 0; i < job->sources; i++) {
        write_source(job, i, fields, &configs[i]);
        fill_operator(&operators[i], job->split_rows ? "sim-splits" : "datagen", &configs[i]);
        fill_edge(&edges[i], (uint32_t)i, count_at, &by_key, &in);
    }
    if (job->sources == 2) operators[1].uid = "second-source";
    fill_operator(&operators[count_at], "sim-count", &number);
    fill_operator(&operators[count_at + 1], "sim-sink", &number);
    fill_edge(&edges[count_at], count_at, count_at + 1, &by_number, &counted);
    for (uint32_t i = 0; i < count_at + 2; i++) {
        chains[i] = &operators[i];
        int32_t parallelism = i < count_at    ? job->source_parallelism
                              : i == count_at ? job->count_parallelism
                                              : job->sink_parallelism;
        fill_vertex(&vertices[i], &chains[i], parallelism);
        all[i] = &vertices[i];
        if (i <= count_at) all_edges[i] = &edges[i];
        vertices[i].is_source = i < count_at;
        if (i >= count_at || !job->split_rows) continue;
        vertices[i].enumerator = "sim-splits";
        vertices[i].has_enumerator_config = true;
        vertices[i].enumerator_config = (ProtobufCBinaryData){configs[i].size, configs[i].data};
    }
    vertices[count_at + 1].committer = "sim-commit";
    vertices[count_at + 1].has_committer_config = true;
    vertices[count_at + 1].committer_config = (ProtobufCBinaryData){number.size, number.data};
    Leat__Pb__JobGraph graph = LEAT__PB__JOB_GRAPH__INIT;
    graph.version = 1;
    graph.name = "counting";
    graph.vertices = all;
    graph.n_vertices = count_at + 2;
    graph.edges = all_edges;
    graph.n_edges = count_at + 1;
    uint8_t *room = leat_bytes_extend(out, leat__pb__job_graph__get_packed_size(&graph));
    if (room) leat__pb__job_graph__pack(&graph, room);
    for (int i = 0; i < 2; i++)
        leat_bytes_done(&configs[i]);
    leat_bytes_done(&in);
    leat_bytes_done(&counted);
    leat_bytes_done(&number);
    return leat_bytes_check(out, error);
}

/* --- the reader --- */

typedef struct tally {
    uint8_t *seen; /* a bit a number */
    int64_t rows;
    int64_t count_sum[SIM_KEYS + 1], count_max[SIM_KEYS + 1], count_rows[SIM_KEYS + 1];
} tally;

static void read_data(sim_world *world, const char *path, tally *into)
{
    leat_bytes bytes = {0};
    leat_code code = leat_storage_get_all(world->objects, path, 64 << 20, &bytes, NULL);
    SIM_REQUIRE(world, code == LEAT_OK, "committed object %s can't be read", path);
    leat_reader reader;
    leat_reader_init(&reader, bytes.data, bytes.size);
    while (leat_reader_left(&reader) >= 24) {
        int64_t n = leat_reader_i64(&reader), k = leat_reader_i64(&reader), c = leat_reader_i64(&reader);
        bool is_sane = n >= 0 && n < SIM_NUMBERS_MAX && k >= 1 && k <= SIM_KEYS;
        SIM_REQUIRE(world, is_sane, "row %" PRId64 ", %" PRId64, n, k);
        if (!is_sane) break;
        SIM_REQUIRE(world, !leat_bit_get(into->seen, (int32_t)n), "number %" PRId64 " is there twice", n);
        leat_bit_set(into->seen, (int32_t)n);
        into->rows++;
        into->count_rows[k]++;
        into->count_sum[k] += c;
        if (c > into->count_max[k]) into->count_max[k] = c;
    }
    leat_bytes_done(&bytes);
}

/* Within a split the numbers come in order, so that each split is there up to some number. */
static void check_splits(sim_world *world, const sim_counting *job, const tally *table)
{
    for (int32_t source = 0; source < job->sources; source++) {
        int64_t first = source ? SIM_NUMBERS_MAX / 2 : 0, end = first + rows_of(job, source);
        for (int64_t start = first; start < end && !world->failure[0]; start += job->split_rows) {
            bool has_ended = false;
            for (int64_t n = start; n < start + job->split_rows && n < end; n++) {
                bool is_there = leat_bit_get(table->seen, (int32_t)n);
                SIM_REQUIRE(world, !(is_there && has_ended),
                            "number %" PRId64 " of job %d comes after a gap in its split", n, job->number);
                has_ended = has_ended || !is_there;
            }
        }
    }
}

static void check_prefixes(sim_world *world, const sim_counting *job, const tally *table)
{
    if (job->split_rows) check_splits(world, job, table);
    for (int32_t s = 0; !job->split_rows && s < job->source_parallelism; s++) {
        bool has_ended = false;
        for (int64_t n = s; n < SIM_NUMBERS_MAX && !world->failure[0]; n += job->source_parallelism) {
            bool is_there = leat_bit_get(table->seen, (int32_t)n);
            SIM_REQUIRE(world, !(is_there && has_ended), "number %" PRId64 " of job %d comes after a gap", n,
                        job->number);
            has_ended = has_ended || !is_there;
            if (n > table->rows * job->source_parallelism + job->source_parallelism && has_ended) break;
        }
    }
    for (int k = 1; k <= SIM_KEYS; k++) {
        int64_t rows = table->count_rows[k];
        SIM_REQUIRE(world, table->count_max[k] == rows && table->count_sum[k] == rows * (rows + 1) / 2,
                    "key %d: %" PRId64 " rows, greatest count %" PRId64 ", sum %" PRId64, k, rows, table->count_max[k],
                    table->count_sum[k]);
    }
}

void sim_counting_check(sim_world *world, const sim_counting *job, int64_t *rows)
{
    tally table = {.seen = leat_calloc(1, SIM_NUMBERS_MAX / 8)};
    LEAT_ASSERT(table.seen);
    leat_storage_list list = {0};
    leat_code code = leat_storage_list_folder(world->objects, sim_counting_topic(job->number), &list, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    for (size_t i = 0; i < list.count; i++) {
        if (strncmp(list.entries[i].name, "commit-", 7) != 0) continue;
        char path[96];
        leat_bytes paths = {0};
        snprintf(path, sizeof path, "%s/%.60s", sim_counting_topic(job->number), list.entries[i].name);
        code = leat_storage_get_all(world->objects, path, 1 << 20, &paths, NULL);
        LEAT_ASSERT(code == LEAT_OK);
        leat_bytes_text(&paths, "");
        for (char *line = (char *)paths.data, *end; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            if (strncmp(line, "mem:", 4) == 0) read_data(world, line, &table);
        }
        leat_bytes_done(&paths);
    }
    check_prefixes(world, job, &table);
    *rows = table.rows;
    leat_storage_list_done(&list);
    leat_free(table.seen);
}
