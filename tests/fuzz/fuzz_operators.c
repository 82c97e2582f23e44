/* States, splits, events and committables of every kind of operator, enumerator and committer: damaged ones must be
 * refused. Time stands still, storage is memory, jobs run at once.
 *
 * The input: kind (u8), which one (u8), then blocks (u32 length, bytes): the configuration, the restored state (empty:
 * none), and as many splits, events or committables as follow. The configuration is the planner's: its last 8 bytes are
 * a checksum, and a changed one is not run. */
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/memory.h"
#include "connectors/registry.h"
#include "operators/registry.h"
#include "paimon/registry.h"
#include "storage/storage.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 100, ITEMS_MAX = 16, CHECKSUM_BYTES = 8 };

typedef struct host {
    leat_operator_context context; /* first */
    leat_enumerator_context enumerator;
    leat_env env;
    leat_registry registry;
    leat_config config;
    int64_t now_us;
    bool is_offline; /* of kinds whose jobs would ask a server */
} host;

static int64_t now_ms(leat_env *env)
{
    (void)env;
    return 1700000000000;
}

static int64_t mono_us(leat_env *env)
{
    host *self = (host *)(void *)((char *)env - offsetof(host, env));
    return self->now_us += 1000;
}

static void sleep_ms(leat_env *env, int64_t ms)
{
    (void)env;
    (void)ms;
}

static uint64_t random_number(leat_env *env)
{
    return (uint64_t)mono_us(env) * UINT64_C(0x9e3779b97f4a7c15);
}

static leat_code spawn(leat_env *env, leat_job *job, leat_error *error)
{
    host *self = (host *)(void *)((char *)env - offsetof(host, env));
    if (self->is_offline) return leat_fail(error, LEAT_LIMIT, "no jobs here");
    job->run(job, env);
    job->done(job, env);
    return LEAT_OK;
}

static const leat_env_vtable env_vtable = {now_ms, mono_us, sleep_ms, random_number, spawn};

static leat_code emit(leat_operator_context *context, leat_batch **batch, leat_error *error)
{
    (void)context;
    (void)error;
    leat_batch_free(*batch);
    *batch = NULL;
    return LEAT_OK;
}

static leat_code emit_watermark(leat_operator_context *context, int64_t watermark, leat_error *error)
{
    (void)context;
    (void)watermark;
    (void)error;
    return LEAT_OK;
}

static void wake(leat_operator_context *context)
{
    (void)context;
}

static void set_timer(leat_operator_context *context, int64_t at_us)
{
    (void)context;
    (void)at_us;
}

static leat_code spawn_for(leat_operator_context *context, leat_job *job, leat_error *error)
{
    return leat_env_spawn(context->env, job, error);
}

static leat_code send_event(leat_operator_context *context, const uint8_t *event, size_t size, leat_error *error)
{
    (void)context;
    (void)event;
    (void)size;
    (void)error;
    return LEAT_OK;
}

static leat_code collect(leat_operator_context *context, leat_batch *batch, bool is_end, leat_error *error)
{
    (void)context;
    (void)batch;
    (void)is_end;
    (void)error;
    return LEAT_OK;
}

static void set_gauge(leat_operator_context *context, const char *name, int64_t value)
{
    (void)context;
    (void)name;
    (void)value;
}

static void follow(leat_operator_context *context, const char *topic)
{
    (void)context;
    (void)topic;
}

static const leat_operator_host host_vtable = {emit,       emit_watermark, wake,      set_timer, spawn_for,
                                               send_event, collect,        set_gauge, follow,    NULL};

static void assign(leat_enumerator_context *context, int32_t subtask, const uint8_t *split, size_t size)
{
    (void)context;
    (void)subtask;
    (void)split;
    (void)size;
}

static void no_more_splits(leat_enumerator_context *context, int32_t subtask)
{
    (void)context;
    (void)subtask;
}

static void poll_after(leat_enumerator_context *context, int64_t ms)
{
    (void)context;
    (void)ms;
}

typedef struct blocks {
    const uint8_t *config, *state, *items[ITEMS_MAX];
    size_t config_size, state_size, sizes[ITEMS_MAX];
    size_t items_count;
} blocks;

static blocks read_blocks(leat_reader *reader)
{
    blocks read = {0};
    read.config = leat_reader_block(reader, &read.config_size);
    if (leat_reader_left(reader)) read.state = leat_reader_block(reader, &read.state_size);
    while (read.items_count < ITEMS_MAX && leat_reader_left(reader) && !reader->failed) {
        size_t at = read.items_count++;
        read.items[at] = leat_reader_block(reader, &read.sizes[at]);
        if (reader->failed) read.items_count--;
    }
    return read;
}

/* Cuts the checksum off. */
static bool is_the_planners(blocks *given)
{
    uint64_t checksum;
    if (given->config_size < CHECKSUM_BYTES) return false;
    given->config_size -= CHECKSUM_BYTES;
    memcpy(&checksum, given->config + given->config_size, CHECKSUM_BYTES);
    return checksum == XXH3_64bits(given->config, given->config_size);
}

static leat_code run_source(leat_operator *operator, const blocks * given)
{
    const leat_operator_vtable *vtable = operator->vtable;
    leat_source_status status = LEAT_SOURCE_MORE;
    leat_progress progress;
    for (size_t i = 0; vtable->add_split && i < given->items_count; i++)
        LEAT_TRY(vtable->add_split(operator, given->items[i], given->sizes[i], NULL));
    for (size_t i = 0; vtable->on_event && i < given->items_count; i++)
        LEAT_TRY(vtable->on_event(operator, given->items[i], given->sizes[i], NULL));
    if (vtable->no_more_splits) LEAT_TRY(vtable->no_more_splits(operator, NULL));
    for (int i = 0; i < STEPS_MAX && status != LEAT_SOURCE_END; i++) {
        if (vtable->on_wake) LEAT_TRY(vtable->on_wake(operator, & progress, NULL));
        LEAT_TRY(vtable->produce(operator, & status, NULL));
    }
    return LEAT_OK;
}

static leat_code run_operator(leat_operator *operator, const blocks * given, leat_operator_snapshot *snapshot)
{
    const leat_operator_vtable *vtable = operator->vtable;
    const leat_restored_part part = {0, 1, given->state, given->state_size};
    const leat_restored restored = {1, &part, 1};
    leat_progress progress = LEAT_DONE;
    LEAT_TRY(vtable->open(operator, given->state_size ? &restored : NULL, NULL));
    if (vtable->produce) LEAT_TRY(run_source(operator, given));
    for (int i = 0; vtable->on_wake && i < STEPS_MAX; i++)
        LEAT_TRY(vtable->on_wake(operator, & progress, NULL));
    if (vtable->snapshot) LEAT_TRY(vtable->snapshot(operator, snapshot, &progress, NULL));
    for (int i = 0; progress == LEAT_AGAIN && vtable->snapshot_resume && i < STEPS_MAX; i++)
        LEAT_TRY(vtable->snapshot_resume(operator, snapshot, &progress, NULL));
    if (vtable->end_input) LEAT_TRY(vtable->end_input(operator, & progress, NULL));
    for (int i = 0; progress == LEAT_AGAIN && vtable->resume && i < STEPS_MAX; i++) {
        progress = LEAT_DONE;
        LEAT_TRY(vtable->resume(operator, & progress, NULL));
    }
    return LEAT_OK;
}

static void try_operator(host *self, const leat_operator_factory *factory, const blocks *given)
{
    leat_operator *operator;
    leat_operator_snapshot snapshot = {.checkpoint_id = 2};
    if (factory->create(&self->context, given->config, given->config_size, &operator, NULL) != LEAT_OK) return;
    operator->context = & self->context;
    leat_code code = run_operator(operator, given, &snapshot);
    (void)code; /* an error is as good as none */
    operator->vtable->close(operator);
    leat_operator_snapshot_done(&snapshot);
}

static void try_enumerator(host *self, const leat_enumerator_factory *factory, const blocks *given)
{
    leat_enumerator *made;
    leat_bytes state = {0};
    if (factory->create(&self->enumerator, given->config, given->config_size, &made, NULL) != LEAT_OK) return;
    made->context = &self->enumerator;
    const leat_enumerator_vtable *vtable = made->vtable;
    leat_code code = vtable->start(made, given->state_size ? given->state : NULL, given->state_size, NULL);
    for (size_t i = 0; code == LEAT_OK && vtable->on_event && i < given->items_count; i++)
        code = vtable->on_event(made, 0, given->items[i], given->sizes[i], NULL);
    for (int i = 0; code == LEAT_OK && vtable->on_request && i < ITEMS_MAX; i++)
        code = vtable->on_request(made, i & 1, NULL);
    if (code == LEAT_OK && vtable->poll) code = vtable->poll(made, NULL);
    if (code == LEAT_OK && vtable->snapshot) code = vtable->snapshot(made, 2, &state, NULL);
    vtable->close(made);
    leat_bytes_done(&state);
}

static void try_committer(host *self, const leat_committer_factory *factory, const blocks *given)
{
    leat_committer *made;
    leat_committable committables[ITEMS_MAX];
    leat_commit_outlook outlook;
    for (size_t i = 0; i < given->items_count; i++)
        committables[i] = (leat_committable){0, (int32_t)i, given->items[i], given->sizes[i]};
    if (factory->create(&self->env, &self->config, "user", given->config, given->config_size, &made, NULL) != LEAT_OK)
        return;
    leat_code code = LEAT_OK;
    if (made->vtable->check) code = made->vtable->check(made, 2, committables, given->items_count, &outlook, NULL);
    if (code == LEAT_OK) code = made->vtable->commit(made, 2, committables, given->items_count, NULL);
    made->vtable->close(made);
}

static void run(host *self, uint8_t kind, uint8_t which, const blocks *given)
{
    const leat_registry *registry = &self->registry;
    if (kind % 3 == 0) {
        const leat_operator_factory *factory = registry->operators[which % registry->operators_count];
        self->is_offline = strncmp(factory->type, "mysql", 5) == 0 || strncmp(factory->type, "jdbc", 4) == 0;
        if (strcmp(factory->type, "print") != 0) try_operator(self, factory, given);
    } else if (kind % 3 == 1) {
        const leat_enumerator_factory *factory = registry->enumerators[which % registry->enumerators_count];
        if (strncmp(factory->type, "mysql", 5) != 0) try_enumerator(self, factory, given); /* it asks its server */
    } else {
        try_committer(self, registry->committers[which % registry->committers_count], given);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    host self = {.env = {.vtable = &env_vtable, .tmp_folder = "mem:/tmp"}};
    if (leat_storage_memory_new(&self.env.storage, NULL) != LEAT_OK) return 0;
    leat_operators_register(&self.registry);
    leat_paimon_register(&self.registry);
    leat_connectors_register(&self.registry);
    self.context = (leat_operator_context){.host = &host_vtable,
                                           .env = &self.env,
                                           .config = &self.config,
                                           .registry = &self.registry,
                                           .job_id = "00000000000000000000000000000001",
                                           .job_name = "fuzz",
                                           .operator_uid = "uid",
                                           .operator_name = "fuzzed",
                                           .parallelism = 1,
                                           .max_parallelism = 128,
                                           .has_checkpoints = true,
                                           .memory_bytes = 64 << 20};
    self.enumerator = (leat_enumerator_context){.env = &self.env,
                                                .config = &self.config,
                                                .job_id = self.context.job_id,
                                                .parallelism = 2,
                                                .assign = assign,
                                                .no_more_splits = no_more_splits,
                                                .send_event = assign,
                                                .poll_after = poll_after};
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    uint8_t kind = leat_reader_u8(&reader), which = leat_reader_u8(&reader);
    blocks given = read_blocks(&reader);
    if (is_the_planners(&given)) run(&self, kind, which, &given);
    leat_config_done(&self.config);
    leat_storage_free(self.env.storage);
    return 0;
}
