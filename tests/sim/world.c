#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"

uint64_t sim_random(sim_world *world)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_below(sim_world *world, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)sim_random(world) * bound) >> 64);
}

bool sim_chance(sim_world *world, int of_10000)
{
    return !world->is_healed && (int)sim_below(world, 10000) < of_10000;
}

static bool event_before(const sim_event *left, const sim_event *right)
{
    return left->at_us < right->at_us || (left->at_us == right->at_us && left->order < right->order);
}

void sim_after(sim_world *world, int64_t us, void (*fire)(sim_world *world, void *arg), void *arg)
{
    sim_event event = {world->now_us + (us > 0 ? us : 0), world->next_order++, fire, arg};
    leat_code code = leat_grow(&world->events, &world->events_capacity, world->events_count + 2, sizeof event, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    size_t at = ++world->events_count;
    for (; at > 1 && event_before(&event, &world->events[at / 2]); at /= 2)
        world->events[at] = world->events[at / 2];
    world->events[at] = event;
}

static sim_event take_event(sim_world *world)
{
    sim_event first = world->events[1], last = world->events[world->events_count--];
    size_t at = 1;
    for (;;) {
        size_t child = at * 2;
        if (child > world->events_count) break;
        if (child < world->events_count && event_before(&world->events[child + 1], &world->events[child])) child++;
        if (!event_before(&world->events[child], &last)) break;
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return first;
}

void sim_fail(sim_world *world, const char *condition, const char *format, ...)
{
    if (world->failure[0]) return;
    int used =
        snprintf(world->failure, sizeof world->failure,
                 "seed %" PRIu64 ", t = %" PRId64 " ms: broken: %s: ", world->seed, world->now_us / 1000, condition);
    va_list args;
    va_start(args, format);
    vsnprintf(world->failure + used, sizeof world->failure - (size_t)used, format, args);
    va_end(args);
}

static void jm_tick(sim_world *world, void *arg)
{
    (void)arg;
    int64_t next_ms = leat_jobmanager_on_tick(&world->manager);
    int64_t wait_ms = next_ms - leat_env_mono_us(&world->jm.env) / 1000;
    if (wait_ms < 1) wait_ms = 1;
    if (wait_ms > 50) wait_ms = 50;
    sim_after(world, wait_ms * 1000, jm_tick, NULL);
}

void sim_world_init(sim_world *world, uint64_t seed, const sim_weather *weather)
{
    *world = (sim_world){.seed = seed, .random = seed * UINT64_C(0xd1342543de82ef95) + 1, .weather = *weather};
    leat_log_set_level(LEAT_LOG_OFF);
    leat_code code = leat_storage_memory_new(&world->objects, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_init_process(world, &world->jm, "jm");
    sim_connect(world);
    world->manager = (leat_jobmanager){.env = &world->jm.env,
                                       .config = &world->config,
                                       .registry = &world->registry,
                                       .transport = &world->jm_transport,
                                       .cluster_dir = "mem:/cluster"};
    code = leat_jobmanager_init(&world->manager, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_after(world, 0, jm_tick, NULL);
}

static void bury(sim_world *world)
{
    for (size_t i = 0; i < world->dead_count;) {
        sim_process *process = world->dead[i];
        bool is_gone = process->fibers == 0 && process->events == 0 && sim_index_of(world, process) < 0 &&
                       leat_taskmanager_jobs_count(&process->taskmanager) == 0;
        if (!is_gone) {
            i++;
            continue;
        }
        leat_taskmanager_done(&process->taskmanager);
        leat_storage_free(process->env.storage);
        leat_free(process);
        world->dead[i] = world->dead[--world->dead_count];
    }
}

void sim_run(sim_world *world, int64_t until_us, bool (*is_over)(sim_world *world, void *arg), void *arg)
{
    while (world->events_count && !world->failure[0]) {
        if (world->events[1].at_us > until_us) {
            world->now_us = until_us;
            return;
        }
        sim_event event = take_event(world);
        world->now_us = event.at_us;
        world->counts.events++;
        event.fire(world, event.arg);
        if (world->dead_count) bury(world);
        if (is_over && is_over(world, arg)) return;
    }
}

void sim_heal(sim_world *world)
{
    world->is_healed = true;
}

void sim_world_done(sim_world *world)
{
    enum { RUN_DOWN_US = 30 * 1000 * 1000, STEP_US = 100000, STEPS_MAX = 100000 };
    world->failure[0] = '\0';
    sim_heal(world);
    for (leat_jm_job *job = world->manager.jobs; job; job = job->next) {
        if (leat_job_state_is_terminal(job->state)) continue;
        leat_code code = leat_jobmanager_cancel(&world->manager, job, NULL);
        LEAT_ASSERT(code == LEAT_OK);
    }
    sim_run(world, world->now_us + RUN_DOWN_US, NULL, NULL);
    for (int i = 0; i < world->taskmanagers_count; i++)
        sim_kill_taskmanager(world, i);
    world->jm.is_dead = true;
    world->taskmanagers_count = 0; /* nobody is told anything any more */
    for (int i = 0; i < STEPS_MAX && (world->dead_count || world->jm.fibers || world->events_count > 2); i++) {
        sim_run(world, world->now_us + STEP_US, NULL, NULL);
        bury(world);
    }
    LEAT_ASSERT(world->dead_count == 0 && world->jm.fibers == 0);
    leat_jobmanager_done(&world->manager);
    leat_storage_free(world->jm.env.storage);
    leat_storage_free(world->objects);
    leat_config_done(&world->config);
    leat_free(world->events);
    leat_free(world->dead);
}
