/* Hostile messages on every port of a small cluster that runs a job: the production job manager and two task managers,
 * in the simulator's world (tests/sim), good weather, always the same seed, so that the ids in the corpus' messages are
 * the job's.
 *
 * The input is messages: to whom (u8), length (u32), bytes. The bytes of data are a header and a body. */
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "operators/registry.h"
#include "paimon/registry.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/counting.h"

enum {
    MESSAGES_MAX = 64,
    TASKMANAGERS = 2,
    BEFORE_US = 100000,
    BEGIN_US_MAX = 10000000,
    BETWEEN_US = 1000,
    AFTER_US = 30000
};

typedef enum whom {
    JM_FROM_FIRST,
    JM_FROM_SECOND,
    JM_FROM_STRANGER,
    TM_FIRST,
    TM_SECOND,
    TM_FIRST_DATA,
    TM_SECOND_DATA,
    TIME, /* passes; no bytes */
    WHOM_COUNT,
} whom;

/* Who is told something by a hostile message may not be there: the world's network knows its own only. */
static void (*send_to)(leat_jm_transport *self, const char *task_manager, Leat__Pb__Envelope *envelope);
static void (*send_data)(leat_transport *self, const char *endpoint, const leat_frame *frame, leat_buffer *body);

static bool is_known(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    bool is_number = name[length] >= '0' && name[length] < '0' + TASKMANAGERS && !name[length + 1];
    return strncmp(name, prefix, length) == 0 && is_number;
}

static void send_to_known(leat_jm_transport *self, const char *task_manager, Leat__Pb__Envelope *envelope)
{
    if (is_known(task_manager, "tm-")) send_to(self, task_manager, envelope);
}

static void send_data_to_known(leat_transport *self, const char *endpoint, const leat_frame *frame, leat_buffer *body)
{
    if (is_known(endpoint, "sim-")) send_data(self, endpoint, frame, body);
}

static void give_data(leat_taskmanager *taskmanager, const uint8_t *data, size_t size)
{
    size_t header_size = size < LEAT_FRAME_BYTES ? size : LEAT_FRAME_BYTES;
    leat_buffer *body = size > header_size ? leat_buffer_new(size - header_size) : NULL;
    if (body) memcpy(body->data, data + header_size, size - header_size);
    leat_taskmanager_on_data(taskmanager, data, header_size, body);
}

static void give(sim_world *world, whom to, const uint8_t *data, size_t size)
{
    leat_taskmanager *first = &world->taskmanagers[0]->taskmanager, *second = &world->taskmanagers[1]->taskmanager;
    switch (to) {
    case JM_FROM_FIRST: leat_jobmanager_on_control(world->manager, "tm-0", data, size); break;
    case JM_FROM_SECOND: leat_jobmanager_on_control(world->manager, "tm-1", data, size); break;
    case JM_FROM_STRANGER: leat_jobmanager_on_control(world->manager, "tm-7", data, size); break;
    case TM_FIRST: leat_taskmanager_on_control(first, data, size); break;
    case TM_SECOND: leat_taskmanager_on_control(second, data, size); break;
    case TM_FIRST_DATA: give_data(first, data, size); break;
    case TM_SECOND_DATA: give_data(second, data, size); break;
    case TIME:
    case WHOM_COUNT: break;
    }
    sim_run(world, world->now_us + BETWEEN_US, NULL, NULL);
}

static void set(sim_world *world, const char *key, const char *value)
{
    leat_code code = leat_config_set(&world->config, key, value, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static bool is_well_under_way(sim_world *world, void *arg)
{
    (void)arg;
    const leat_jm_job *job = world->manager->jobs;
    return job && job->completed && job->completed->checkpoint >= 2;
}

static void begin(sim_world *world)
{
    const sim_weather good = {.delay_us_max = 100, .storage_delay_us_max = 100};
    const sim_counting job = {.source_parallelism = 2,
                              .count_parallelism = 2,
                              .sink_parallelism = 1,
                              .rows_per_second = 2000,
                              .rows_count = -1,
                              .sources = 1,
                              .split_rows = 50,
                              .batch_rows = 64};
    sim_world_init(world, 1, &good);
    set(world, "execution.checkpointing.interval", "40");
    set(world, "restart-strategy.type", "fixed-delay");
    set(world, "restart-strategy.fixed-delay.delay", "5");
    set(world, "restart-strategy.fixed-delay.attempts", "20");
    sim_counting_register(&world->registry);
    leat_operators_register(&world->registry);
    leat_paimon_register(&world->registry);
    send_to = world->manager->transport->send;
    world->manager->transport->send = send_to_known;
    for (int i = 0; i < TASKMANAGERS; i++) {
        sim_start_taskmanager(world, i);
        send_data = world->taskmanagers[i]->transport.send_data;
        world->taskmanagers[i]->transport.send_data = send_data_to_known;
    }
    sim_run(world, BEFORE_US, NULL, NULL); /* both are there: rows will go from one to the other */
    leat_bytes graph = {0};
    leat_code code = sim_counting_graph(&job, &graph, NULL);
    if (code == LEAT_OK) code = leat_jobmanager_submit(world->manager, NULL, &graph, NULL, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_run(world, BEGIN_US_MAX, is_well_under_way, NULL);
    LEAT_ASSERT(is_well_under_way(world, NULL));
}

static void end(sim_world *world)
{
    sim_run(world, world->now_us + AFTER_US, NULL, NULL);
    for (int i = 0; i < TASKMANAGERS; i++) /* jobs that only a hostile message spoke of */
        leat_taskmanager_cancel_all(&world->taskmanagers[i]->taskmanager);
    sim_world_done(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sim_world *world = leat_calloc(1, sizeof *world);
    LEAT_ASSERT(world);
    begin(world);
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    for (int i = 0; i < MESSAGES_MAX && leat_reader_left(&reader); i++) {
        whom to = (whom)(leat_reader_u8(&reader) % WHOM_COUNT);
        uint32_t length = leat_reader_u32(&reader);
        if (length > leat_reader_left(&reader)) length = (uint32_t)leat_reader_left(&reader);
        uint8_t *exact = leat_alloc(length ? length : 1);
        LEAT_ASSERT(exact);
        if (length) memcpy(exact, leat_reader_take(&reader, length), length);
        give(world, to, exact, length);
        leat_free(exact);
    }
    end(world);
    leat_free(world);
    return 0;
}
