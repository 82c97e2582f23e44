#include <string.h>

#include "common/memory.h"
#include "tests/sim/world.h"

/* The job manager's process: one after the other on the same storage. */

static sim_master *master_of(leat_jm_transport *transport)
{
    return (sim_master *)((char *)transport - offsetof(sim_master, transport));
}

/* Its supervisor starts it again, as `leat cluster start` does. */
static void start_again(sim_world *world, void *arg)
{
    (void)arg;
    if (!world->is_ending && world->master->process.is_dead) sim_start_master(world);
}

/* It can't begin, or another leads: the process ends. */
static void give_up(sim_world *world, void *arg)
{
    enum { PAUSE_US = 200000 };
    sim_master *self = arg;
    if (self->process.is_dead) return;
    sim_kill_master(world);
    sim_after(world, PAUSE_US, start_again, NULL);
}

static void tick(sim_world *world, void *arg)
{
    enum { TICK_MS_MAX = 50 };
    sim_master *self = arg;
    if (self->process.is_dead) return;
    int64_t next_ms = leat_jobmanager_on_tick(&self->manager);
    int64_t wait_ms = next_ms - leat_env_mono_us(&self->process.env) / 1000;
    if (wait_ms < 1) wait_ms = 1;
    if (wait_ms > TICK_MS_MAX) wait_ms = TICK_MS_MAX;
    if (self->manager.is_deposed)
        give_up(world, self);
    else
        sim_after_in(&self->process, wait_ms * 1000, tick, self);
}

static void handle_inbox(sim_world *world, void *arg)
{
    (void)world;
    sim_master *self = arg;
    if (!self->process.is_dead) leat_jobmanager_handle_inbox(&self->manager);
}

static void on_wake(leat_jm_transport *transport)
{
    sim_master *self = master_of(transport);
    if (self->process.is_dead) return;
    sim_after_in(&self->process, (int64_t)sim_below(self->process.world, 100), handle_inbox, self);
}

static void connect_again(sim_world *world, void *arg)
{
    (void)world;
    sim_process *process = arg;
    if (!process->is_dead) leat_taskmanager_register(&process->taskmanager);
}

/* --- its beginning, as jobmanager/main.c has it: the store, the jobs in it, then the network --- */

typedef struct beginning {
    leat_job job; /* first */
    sim_master *master;
    leat_jm_recovery recovery;
    leat_code code;
} beginning;

static void run_beginning(leat_job *job, leat_env *env)
{
    beginning *self = (beginning *)job;
    leat_job_store *store = &self->master->store;
    self->code = leat_job_store_open(store, env, "mem:/cluster/ha", NULL);
    if (self->code == LEAT_OK) self->code = leat_jobmanager_load(store, &self->recovery, NULL);
}

static void done_beginning(leat_job *job, leat_env *env)
{
    enum { CONNECT_US_MAX = 100000 };
    (void)env;
    beginning *self = (beginning *)job;
    sim_master *master = self->master;
    sim_world *world = master->process.world;
    if (self->code == LEAT_OK) {
        master->manager.store = &master->store;
        leat_code code = leat_jobmanager_init(&master->manager, NULL);
        LEAT_ASSERT(code == LEAT_OK);
        leat_jobmanager_resume(&master->manager, &self->recovery);
        master->is_up = true;
        sim_after_in(&master->process, 0, tick, master);
    } else {
        sim_after_in(&master->process, 0, give_up, master);
    }
    for (int i = 0; master->is_up && i < world->taskmanagers_count; i++) {
        sim_process *process = world->taskmanagers[i];
        if (!process->is_dead) sim_after_in(process, (int64_t)sim_below(world, CONNECT_US_MAX), connect_again, process);
    }
    leat_free(self);
}

void sim_start_master(sim_world *world)
{
    sim_master *self = leat_calloc(1, sizeof *self);
    beginning *begun = leat_calloc(1, sizeof *begun);
    LEAT_ASSERT(self && begun);
    sim_init_process(world, &self->process, "jm");
    self->process.generation = ++world->next_generation;
    self->transport.wake = on_wake;
    sim_connect_master(self);
    self->manager = (leat_jobmanager){.env = &self->process.env,
                                      .config = &world->config,
                                      .registry = &world->registry,
                                      .transport = &self->transport,
                                      .cluster_dir = "mem:/cluster"};
    world->master = self;
    world->manager = &self->manager;
    *begun = (beginning){.job = {.run = run_beginning, .done = done_beginning}, .master = self};
    leat_code code = leat_env_spawn(&self->process.env, &begun->job, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

void sim_kill_master(sim_world *world)
{
    sim_master *self = world->master;
    if (self->process.is_dead) return;
    self->process.is_dead = self->process.refuses_jobs = true;
    sim_bury_later(&self->process);
    sim_wake(&self->process);
    sim_disconnect(world, SIM_JOBMANAGER);
}

bool sim_master_is_up(const sim_world *world)
{
    return world->master->is_up && !world->master->process.is_dead;
}

bool sim_master_answers(const sim_world *world)
{
    return sim_master_is_up(world) && !world->master->process.is_paused;
}

/* What came in after its death is handled now, to be freed: nothing can begin any more. */
void sim_free_master(sim_master *master)
{
    while (master->is_up && master->manager.inbox)
        leat_jobmanager_handle_inbox(&master->manager);
    if (master->is_up) leat_jobmanager_done(&master->manager);
    leat_job_store_done(&master->store);
    leat_storage_free(master->process.env.storage);
    leat_free(master->process.held);
    leat_free(master);
}
