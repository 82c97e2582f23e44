/* The simulated world: one thread, one seed. Time jumps from event to event; processes (a job manager, task managers)
 * are the production objects without their sockets and threads; their jobs are fibers; the network and the storage are
 * models.
 *
 * The network keeps the order of messages on one connection (TCP does) but not between connections; a connection may be
 * slow, and may break: what is under way on it is lost and both ends are told. A process may be killed at any moment:
 * from then on nothing it does has any effect, and its memory is taken down quietly. Storage calls take time, may fail
 * before they have an effect, or after it (a lost reply). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/env.h"
#include "common/fiber.h"
#include "jobmanager/jobmanager.h"
#include "storage/storage.h"
#include "taskmanager/taskmanager.h"

enum { SIM_TASKMANAGERS_MAX = 8, SIM_JOBMANAGER = SIM_TASKMANAGERS_MAX /* as an end of a connection */ };

typedef struct sim_world sim_world;
typedef struct sim_process sim_process;

typedef struct sim_event {
    int64_t at_us;
    uint64_t order; /* of equal times */
    void (*fire)(sim_world *world, void *arg);
    void *arg;
} sim_event;

/* Chances are in 1 of 10,000. */
typedef struct sim_weather {
    int delay_us_max; /* of a message */
    int break_chance; /* a message's connection breaks under it */
    int storage_delay_us_max;
    int storage_fail_chance; /* fails without effect */
    int storage_lose_chance; /* has its effect, and fails */
    int64_t outage_from_us,
        outage_until_us; /* between them most storage calls fail, half of those after their effect */
} sim_weather;

struct sim_process {
    leat_env env; /* first */
    sim_world *world;
    char id[16], endpoint[16];
    bool is_dead; /* killed: no effects any more */
    uint64_t generation;
    leat_executor executor;
    leat_transport transport;
    leat_taskmanager taskmanager;
    int fibers; /* jobs that are running */
    int events; /* that point here */
};

typedef struct sim_counts {
    int64_t kills, breaks, storage_failures, storage_losses, messages, events;
    int64_t news; /* of a topic that arrived, where the scenario counts them */
} sim_counts;

struct sim_world {
    uint64_t seed, random;
    int64_t now_us;
    uint64_t next_order, next_generation;
    sim_event *events; /* heap, from 1 */
    size_t events_count, events_capacity;
    sim_weather weather;
    bool is_healed;
    sim_process jm;
    leat_jm_transport jm_transport;
    leat_jobmanager manager;
    leat_config config;
    leat_registry registry;
    leat_storage *objects; /* the durable truth; processes see it through a decorator */
    sim_process *taskmanagers[SIM_TASKMANAGERS_MAX];
    int taskmanagers_count;
    sim_process **dead; /* being taken down */
    size_t dead_count, dead_capacity;
    int64_t link_until_us[SIM_TASKMANAGERS_MAX + 1][SIM_TASKMANAGERS_MAX + 1]; /* keeps the order on a connection */
    uint64_t link_epoch[SIM_TASKMANAGERS_MAX + 1][SIM_TASKMANAGERS_MAX + 1];   /* grows when it breaks */
    sim_counts counts;
    char failure[512]; /* the first broken invariant; empty: none */
};

/* Everything is set up but no task manager is there yet. `registry` and `config` are the test's to fill. */
void sim_world_init(sim_world *world, uint64_t seed, const sim_weather *weather);
/* Heals, cancels, kills, and lets everything run down, so that nothing leaks. */
void sim_world_done(sim_world *world);
uint64_t sim_random(sim_world *world);
uint64_t sim_below(sim_world *world, uint64_t bound);
bool sim_chance(sim_world *world, int of_10000); /* never once the world is healed */
void sim_after(sim_world *world, int64_t us, void (*fire)(sim_world *world, void *arg), void *arg);
/* A task manager starts (also in the place of one that was killed). */
void sim_start_taskmanager(sim_world *world, int index);
void sim_kill_taskmanager(sim_world *world, int index);
/* Runs events until `until_us`, a failure, or `is_over` says so. */
void sim_run(sim_world *world, int64_t until_us, bool (*is_over)(sim_world *world, void *arg), void *arg);
/* From now on the network and the storage are well: the job must get on. */
void sim_heal(sim_world *world);

#define SIM_REQUIRE(world, condition, ...)                                                                             \
    do {                                                                                                               \
        if (!(condition)) sim_fail(world, #condition, __VA_ARGS__);                                                    \
    } while (0)
void sim_fail(sim_world *world, const char *condition, const char *format, ...) LEAT_PRINTF(3, 4);

/* --- between world.c, network.c, process.c --- */
void sim_init_process(sim_world *world, sim_process *process, const char *id);
void sim_resume_fiber(sim_world *world, void *arg);
leat_storage *sim_storage_new(sim_process *process);
void sim_connect(sim_world *world); /* the job manager's transport */
void sim_connect_taskmanager(sim_process *process);
void sim_disconnect(sim_world *world, int index); /* a killed task manager's connections close */
int sim_index_of(const sim_world *world, const sim_process *process);
