#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/world.h"

/* The environment of a process: time, and jobs as fibers; the executor of its subtasks, for which a run is an event;
 * and the task manager's process. */

static sim_process *process_of(leat_env *env)
{
    return (sim_process *)env;
}

/* The wall clock is set on by a day, and back again, every few seconds. */
static int64_t env_now_ms(leat_env *env)
{
    enum { HOP_EVERY_MS = 3000, DAY_MS = 86400000 };
    int64_t now_ms = process_of(env)->world->now_us / 1000;
    return INT64_C(1700000000000) + now_ms + now_ms / HOP_EVERY_MS % 3 * DAY_MS;
}

static int64_t env_mono_us(leat_env *env)
{
    return process_of(env)->world->now_us + 1;
}

static void resume(sim_world *world, void *arg)
{
    (void)world;
    if (leat_fiber_resume(arg)) leat_fiber_free(arg);
}

void sim_wait(sim_process *process, int64_t us)
{
    LEAT_ASSERT(leat_fiber_current()); /* only jobs may block */
    sim_after_in(process, us, resume, leat_fiber_current());
    leat_fiber_yield();
}

void sim_wait_outside(sim_world *world, int64_t us)
{
    sim_after(world, us, resume, leat_fiber_current());
    leat_fiber_yield();
}

static void env_sleep_ms(leat_env *env, int64_t ms)
{
    sim_process *process = process_of(env);
    sim_wait(process, process->is_dead ? 1000 : ms * 1000);
}

static uint64_t env_random(leat_env *env)
{
    return sim_random(process_of(env)->world);
}

typedef struct fiber_job {
    sim_process *process;
    leat_job *job;
} fiber_job;

static void run_fiber_job(void *arg)
{
    fiber_job *spawned = arg;
    sim_process *process = spawned->process;
    spawned->job->run(spawned->job, &process->env);
    spawned->job->done(spawned->job, &process->env);
    process->fibers--;
    leat_free(spawned);
}

static leat_code env_spawn(leat_env *env, leat_job *job, leat_error *error)
{
    sim_process *process = process_of(env);
    if (process->refuses_jobs) return leat_fail(error, LEAT_LIMIT, "the process is dead");
    fiber_job *spawned = leat_alloc(sizeof *spawned);
    leat_fiber *fiber;
    if (!spawned) return leat_fail_no_memory(error);
    *spawned = (fiber_job){process, job};
    leat_code code = leat_fiber_new(run_fiber_job, spawned, &fiber, error);
    LEAT_ASSERT(code == LEAT_OK);
    process->fibers++;
    sim_after_in(process, (int64_t)sim_below(process->world, 200), resume, fiber);
    return LEAT_OK;
}

static const leat_env_vtable sim_env_vtable = {env_now_ms, env_mono_us, env_sleep_ms, env_random, env_spawn};

void sim_init_process(sim_world *world, sim_process *process, const char *id)
{
    *process = (sim_process){.env = {.vtable = &sim_env_vtable}, .world = world};
    snprintf(process->id, sizeof process->id, "%s", id);
    process->env.storage = sim_storage_new(process);
    process->env.tmp_folder = "mem:/tmp";
}

/* --- the executor --- */

enum { IDLE, QUEUED, CLOSED };

typedef struct run_event {
    sim_process *process;
    leat_runnable *runnable;
    leat_task_job *job;  /* a reference: the runnable lives as long */
    int32_t runs_before; /* a deadline of an earlier wait is stale */
    bool is_deadline;
} run_event;

static void run_one(sim_world *world, void *arg);

static void queue_run(sim_process *process, leat_runnable *runnable, int64_t after_us, bool is_deadline)
{
    run_event *event = leat_alloc(sizeof *event);
    LEAT_ASSERT(event);
    leat_subtask *subtask = (leat_subtask *)runnable; /* all runnables are subtasks */
    *event = (run_event){process, runnable, leat_task_job_ref(subtask->job), runnable->heap_at, is_deadline};
    sim_after_in(process, after_us, run_one, event);
}

static void run_now(sim_world *world, sim_process *process, leat_runnable *runnable)
{
    atomic_store(&runnable->state, IDLE);
    runnable->heap_at++; /* counts runs here */
    int64_t deadline_us = INT64_MAX;
    leat_run_status status = runnable->run(runnable, &deadline_us);
    if (status == LEAT_RUN_CLOSED) {
        atomic_store(&runnable->state, CLOSED);
        runnable->closed(runnable);
        return;
    }
    if (atomic_load(&runnable->state) == QUEUED) return; /* scheduled meanwhile */
    if (status == LEAT_RUN_AGAIN) {
        atomic_store(&runnable->state, QUEUED);
        queue_run(process, runnable, 1 + (int64_t)sim_below(world, 50), false);
    } else if (deadline_us != INT64_MAX) {
        queue_run(process, runnable, deadline_us - world->now_us, true);
    }
}

static void run_one(sim_world *world, void *arg)
{
    run_event event = *(run_event *)arg;
    leat_free(arg);
    leat_runnable *runnable = event.runnable;
    int state = atomic_load(&runnable->state);
    bool is_stale = event.is_deadline && (state != IDLE || runnable->heap_at != event.runs_before);
    if (!is_stale && state != CLOSED) run_now(world, event.process, runnable);
    leat_task_job_unref(event.job);
}

static void sim_schedule(leat_executor *executor, leat_runnable *runnable)
{
    sim_process *process = (sim_process *)((char *)executor - offsetof(sim_process, executor));
    if (atomic_load(&runnable->state) != IDLE) return;
    atomic_store(&runnable->state, QUEUED);
    queue_run(process, runnable, 1 + (int64_t)sim_below(process->world, 50), false);
}

/* --- task managers --- */

static void tick(sim_world *world, void *arg)
{
    sim_process *process = arg;
    if (process->is_dead) return;
    int64_t next_us = leat_taskmanager_on_tick(&process->taskmanager);
    sim_after_in(process, next_us - leat_env_mono_us(&process->env), tick, process);
    (void)world;
}

int sim_index_of(const sim_world *world, const sim_process *process)
{
    for (int i = 0; i < world->taskmanagers_count; i++) {
        if (world->taskmanagers[i] == process) return i;
    }
    return -1;
}

void sim_start_taskmanager(sim_world *world, int index)
{
    char id[16];
    snprintf(id, sizeof id, "tm-%d", index);
    sim_process *process = leat_calloc(1, sizeof *process);
    LEAT_ASSERT(process);
    sim_init_process(world, process, id);
    process->generation = ++world->next_generation;
    snprintf(process->endpoint, sizeof process->endpoint, "sim-%d", index);
    process->executor.schedule = sim_schedule;
    sim_connect_taskmanager(process);
    process->taskmanager = (leat_taskmanager){.id = process->id,
                                              .data_endpoint = process->endpoint,
                                              .env = &process->env,
                                              .config = &world->config,
                                              .registry = &world->registry,
                                              .executor = &process->executor,
                                              .transport = &process->transport,
                                              .slots = world->slots};
    leat_code code = leat_taskmanager_init(&process->taskmanager, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    world->taskmanagers[index] = process;
    if (index >= world->taskmanagers_count) world->taskmanagers_count = index + 1;
    leat_taskmanager_register(&process->taskmanager);
    sim_after_in(process, 0, tick, process);
}

void sim_kill_taskmanager(sim_world *world, int index)
{
    sim_process *process = world->taskmanagers[index];
    if (process->is_dead) return;
    process->is_dead = true;
    if (!world->is_healed) world->counts.faults[SIM_STORE_TORN] += process->uploads;
    sim_bury_later(process);
    sim_wake(process);
    leat_taskmanager_cancel_all(&process->taskmanager); /* takes its memory down; nothing of it is seen outside */
    sim_disconnect(world, index);
}
