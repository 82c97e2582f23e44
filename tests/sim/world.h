/* The simulated world: one thread, one seed. Time jumps from event to event; processes (a job manager, task managers)
 * are the production objects without their sockets and threads; their jobs are fibers; the network and the storage are
 * models.
 *
 * The network keeps the order of messages on one connection (TCP does) but not between connections; a connection may be
 * slow, stand still for a while, or break: what is under way on it is lost and both ends are told. A process may be
 * killed at any moment: from then on nothing it does has any effect (but for requests that storage has already), and
 * its memory is taken down quietly. It may be stopped and woken (SIGSTOP, SIGCONT): meanwhile the world goes on, and
 * what was meant for it comes to pass when it wakes. The storage model is told in storage.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/env.h"
#include "common/fiber.h"
#include "jobmanager/jobmanager.h"
#include "storage/storage.h"
#include "taskmanager/taskmanager.h"
#include "tests/sim/faults.h"

enum { SIM_TASKMANAGERS_MAX = 8, SIM_JOBMANAGER = SIM_TASKMANAGERS_MAX /* as an end of a connection */ };

typedef struct sim_world sim_world;
typedef struct sim_process sim_process;

typedef void (*sim_action)(sim_world *world, void *arg);

typedef struct sim_event {
    int64_t at_us;
    uint64_t order;     /* of equal times */
    sim_process *owner; /* a step of this process: it waits while that is stopped; NULL: the world's own */
    sim_action fire;
    void *arg;
} sim_event;

/* Chances are in 1 of 10,000. */
typedef struct sim_weather {
    int delay_us_max; /* of a message */
    int break_chance; /* a message's connection breaks under it */
    int stall_chance; /* it stands still under it for up to stall_us_max */
    int stall_us_max;
    bool is_object_store; /* else files: nothing takes effect after its caller's death, or twice */
    int storage_delay_us_max;
    int storage_fail_chance;   /* fails without effect */
    int storage_lose_chance;   /* has its effect, and fails */
    int storage_repeat_chance; /* has its effect again later */
    int storage_slow_chance;   /* takes seconds */
    int64_t outage_from_us,
        outage_until_us; /* between them most storage calls fail, half of those after their effect */
} sim_weather;

struct sim_process {
    leat_env env; /* first */
    sim_world *world;
    char id[16], endpoint[16];
    bool is_dead; /* killed: no effects any more */
    bool is_paused;
    bool refuses_jobs; /* being taken down: the env's spawn fails */
    int slow_us_max;   /* each of its steps comes up to this much later */
    uint64_t generation;
    sim_event *held; /* what came while it was stopped */
    size_t held_count, held_capacity;
    leat_executor executor;
    leat_transport transport;
    leat_taskmanager taskmanager;
    int fibers;  /* jobs that are running */
    int events;  /* that point here */
    int uploads; /* objects begun and not finished */
};

/* The job manager's process. */
typedef struct sim_master {
    sim_process process; /* first */
    leat_jm_transport transport;
    leat_jobmanager manager;
    leat_job_store store;
    bool is_up; /* it has begun its work */
} sim_master;

typedef struct sim_counts {
    int64_t faults[SIM_FAULTS_COUNT];
    int64_t messages, events, checks;
    int64_t news; /* of a topic that arrived, where the scenario counts them */
} sim_counts;

typedef struct sim_link {
    int64_t until_us; /* the last message arrives then: keeps the order */
    uint64_t epoch;   /* grows when it breaks */
    int64_t cut_us;   /* what arrives after this time was lost when it broke last */
    uint64_t seen;    /* newest epoch of which the end it goes to has had a message */
} sim_link;

typedef struct sim_packet sim_packet;

typedef struct sim_lost {
    uint8_t job[LEAT_JOB_ID_BYTES];
    uint32_t attempt;
} sim_lost;

struct sim_world {
    uint64_t seed, random;
    uint64_t streams[SIM_FAULTS_COUNT];
    uint64_t off; /* a bit a fault: does not happen */
    int64_t now_us;
    uint64_t next_order, next_generation;
    sim_event *events; /* heap, from 1 */
    size_t events_count, events_capacity;
    sim_weather weather;
    bool is_healed, is_ending;
    sim_process jm; /* for whoever looks from outside: an environment without failures is made of it */
    sim_master *master;
    leat_jobmanager *manager; /* the master's */
    leat_config config;
    leat_registry registry;
    leat_storage *objects; /* the durable truth; processes see it through a decorator */
    sim_process *taskmanagers[SIM_TASKMANAGERS_MAX];
    int taskmanagers_count, slots; /* slots of each */
    sim_process **dead;            /* being taken down */
    size_t dead_count, dead_capacity;
    sim_link links[SIM_TASKMANAGERS_MAX + 1][SIM_TASKMANAGERS_MAX + 1];
    sim_packet *under_way; /* list of data packets */
    sim_lost *lost;        /* attempts of which data was lost */
    size_t lost_count, lost_capacity;
    sim_counts counts;
    char failure[512];     /* the first broken invariant; empty: none */
    const char *condition; /* it, without the circumstances */
};

/* Everything is set up but no task manager is there yet. `registry` and `config` are the test's to fill. */
void sim_world_init(sim_world *world, uint64_t seed, const sim_weather *weather);
/* Heals, cancels, kills, and lets everything run down, so that nothing leaks. */
void sim_world_done(sim_world *world);
uint64_t sim_random(sim_world *world);
uint64_t sim_below(sim_world *world, uint64_t bound);
/* From the fault's own stream. */
uint64_t sim_fault_below(sim_world *world, sim_fault fault, uint64_t bound);
/* Whether it happens now, which is counted. Never once the world is healed. */
bool sim_strikes(sim_world *world, sim_fault fault, int of_10000);
bool sim_is_on(const sim_world *world, sim_fault fault);
void sim_after(sim_world *world, int64_t us, sim_action fire, void *arg);
/* A step of the process. */
void sim_after_in(sim_process *process, int64_t us, sim_action fire, void *arg);
/* A task manager starts (also in the place of one that was killed). */
void sim_start_taskmanager(sim_world *world, int index);
void sim_kill_taskmanager(sim_world *world, int index);
/* The job manager: one that was killed is followed by another on the same storage. */
void sim_start_master(sim_world *world);
void sim_kill_master(sim_world *world);
bool sim_master_is_up(const sim_world *world);
/* Whether somebody who asks it something gets an answer. */
bool sim_master_answers(const sim_world *world);
void sim_pause(sim_process *process);
void sim_wake(sim_process *process);
/* Runs events until `until_us`, a failure, or `is_over` says so. */
void sim_run(sim_world *world, int64_t until_us, bool (*is_over)(sim_world *world, void *arg), void *arg);
/* The same in good weather, at the beginning. */
void sim_run_well(sim_world *world, bool (*is_over)(sim_world *world, void *arg), void *arg);
/* From now on the network and the storage are well, and all processes run: the job must get on. */
void sim_heal(sim_world *world);

#define SIM_REQUIRE(world, condition, ...)                                                                             \
    do {                                                                                                               \
        if (!(condition)) sim_fail(world, #condition, __VA_ARGS__);                                                    \
    } while (0)
void sim_fail(sim_world *world, const char *condition, const char *format, ...) LEAT_PRINTF(3, 4);

/* What must hold at any moment (invariants.c): credits, bounds, and that nothing is gone that a checkpoint refers to.
 */
void sim_check_channels(sim_world *world);
void sim_check_job(sim_world *world, const leat_jm_job *job);
void sim_check_checkpoints(sim_world *world, const leat_jm_job *job);

/* --- between world.c, network.c, process.c, master.c, storage.c, invariants.c --- */
struct sim_packet {
    sim_packet *next, **link; /* among the data packets under way */
    int from, to;
    sim_process *receiver;
    uint64_t epoch;
    int64_t at_us;
    bool is_data;
    leat_frame frame; /* of data */
    leat_buffer *body;
    leat_bytes bytes;
};

void sim_init_process(sim_world *world, sim_process *process, const char *id);
void sim_bury_later(sim_process *process);
void sim_free_master(sim_master *master);
/* The fiber that runs gives way for so long. */
void sim_wait(sim_process *process, int64_t us);
/* The same, for a server that does not know whose fiber calls it. It goes on also where the process is stopped: what
 * that does next is held. */
void sim_wait_outside(sim_world *world, int64_t us);
leat_storage *sim_storage_new(sim_process *process);
void sim_connect_master(sim_master *master);
void sim_connect_taskmanager(sim_process *process);
/* A killed process's connections close. */
void sim_disconnect(sim_world *world, int index);
int sim_index_of(const sim_world *world, const sim_process *process);
