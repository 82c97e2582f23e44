#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"

const char *sim_fault_name(sim_fault fault)
{
    static const char *const names[] = {
        [SIM_KILL] = "kills",
        [SIM_PAUSE] = "pauses",
        [SIM_SLOW] = "slow-processes",
        [SIM_MASTER_KILL] = "master-kills",
        [SIM_MASTER_PAUSE] = "master-pauses",
        [SIM_MASTER_SLOW] = "slow-master",
        [SIM_BREAK] = "breaks",
        [SIM_STALL] = "stalls",
        [SIM_STORE_FAIL] = "store-failures",
        [SIM_STORE_LOSE] = "store-lost-replies",
        [SIM_STORE_REPEAT] = "store-repeats",
        [SIM_STORE_LATE] = "store-late-effects",
        [SIM_STORE_SLOW] = "store-slow-calls",
        [SIM_STORE_TORN] = "store-torn-work",
        [SIM_STORE_OUTAGE] = "store-outages",
        [SIM_CANCEL] = "cancels",
    };
    return names[fault];
}

/* --- chance --- */

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t *state, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)next(state) * bound) >> 64);
}

uint64_t sim_random(sim_world *world)
{
    return next(&world->random);
}

uint64_t sim_below(sim_world *world, uint64_t bound)
{
    return below(&world->random, bound);
}

uint64_t sim_fault_below(sim_world *world, sim_fault fault, uint64_t bound)
{
    return below(&world->streams[fault], bound);
}

bool sim_is_on(const sim_world *world, sim_fault fault)
{
    return !world->is_healed && !(world->off >> fault & 1);
}

bool sim_strikes(sim_world *world, sim_fault fault, int of_10000)
{
    bool does = of_10000 > 0 && (int)sim_fault_below(world, fault, 10000) < of_10000 && sim_is_on(world, fault);
    world->counts.faults[fault] += does;
    return does;
}

/* --- time --- */

static bool event_before(const sim_event *left, const sim_event *right)
{
    return left->at_us < right->at_us || (left->at_us == right->at_us && left->order < right->order);
}

static void add_event(sim_world *world, sim_event event)
{
    leat_code code = leat_grow(&world->events, &world->events_capacity, world->events_count + 2, sizeof event, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    size_t at = ++world->events_count;
    for (; at > 1 && event_before(&event, &world->events[at / 2]); at /= 2)
        world->events[at] = world->events[at / 2];
    world->events[at] = event;
}

void sim_after(sim_world *world, int64_t us, sim_action fire, void *arg)
{
    add_event(world, (sim_event){world->now_us + (us > 0 ? us : 0), world->next_order++, NULL, fire, arg});
}

void sim_after_in(sim_process *process, int64_t us, sim_action fire, void *arg)
{
    sim_world *world = process->world;
    if (us < 0) us = 0;
    if (process->slow_us_max) us += (int64_t)sim_below(world, (uint64_t)process->slow_us_max);
    process->events++;
    add_event(world, (sim_event){world->now_us + us, world->next_order++, process, fire, arg});
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

static void hold(sim_process *process, const sim_event *event)
{
    leat_code code =
        leat_grow(&process->held, &process->held_capacity, process->held_count + 1, sizeof *process->held, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    process->held[process->held_count++] = *event;
}

static void fire(sim_world *world, sim_event event)
{
    if (event.owner && event.owner->is_paused) {
        hold(event.owner, &event);
        return;
    }
    world->counts.events++;
    event.fire(world, event.arg);
    if (event.owner) event.owner->events--;
}

void sim_pause(sim_process *process)
{
    process->is_paused = true;
}

/* In the order in which it came, and before anything that comes now. */
void sim_wake(sim_process *process)
{
    if (!process->is_paused) return;
    process->is_paused = false;
    for (size_t i = 0; i < process->held_count; i++)
        fire(process->world, process->held[i]);
    process->held_count = 0;
}

/* --- the end of processes --- */

void sim_bury_later(sim_process *process)
{
    sim_world *world = process->world;
    leat_code code = leat_grow(&world->dead, &world->dead_capacity, world->dead_count + 1, sizeof *world->dead, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    world->dead[world->dead_count++] = process;
}

static bool is_gone(const sim_world *world, sim_process *process)
{
    if (process->fibers || process->events) return false;
    if (process->refuses_jobs) return &world->master->process != process;
    return sim_index_of(world, process) < 0 && leat_taskmanager_jobs_count(&process->taskmanager) == 0;
}

static void bury(sim_world *world)
{
    for (size_t i = 0; i < world->dead_count;) {
        sim_process *process = world->dead[i];
        if (!is_gone(world, process)) {
            i++;
            continue;
        }
        world->dead[i] = world->dead[--world->dead_count];
        if (process->refuses_jobs) {
            sim_free_master((sim_master *)process);
            continue;
        }
        leat_taskmanager_done(&process->taskmanager);
        leat_storage_free(process->env.storage);
        leat_free(process->held);
        leat_free(process);
    }
}

/* --- the world --- */

void sim_fail(sim_world *world, const char *condition, const char *format, ...)
{
    if (world->failure[0]) return;
    world->condition = condition;
    int used =
        snprintf(world->failure, sizeof world->failure,
                 "seed %" PRIu64 ", t = %" PRId64 " ms: broken: %s: ", world->seed, world->now_us / 1000, condition);
    va_list args;
    va_start(args, format);
    vsnprintf(world->failure + used, sizeof world->failure - (size_t)used, format, args);
    va_end(args);
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
        fire(world, event);
        if (world->dead_count) bury(world);
        if (is_over && is_over(world, arg)) return;
    }
}

void sim_run_well(sim_world *world, bool (*is_over)(sim_world *world, void *arg), void *arg)
{
    enum { LONG_US = 60000000 };
    bool was_healed = world->is_healed;
    world->is_healed = true;
    sim_run(world, world->now_us + LONG_US, is_over, arg);
    world->is_healed = was_healed;
}

static bool master_is_up(sim_world *world, void *arg)
{
    (void)arg;
    return sim_master_is_up(world);
}

void sim_world_init(sim_world *world, uint64_t seed, const sim_weather *weather)
{
    enum { SLOTS = 4 };
    *world = (sim_world){
        .seed = seed, .random = seed * UINT64_C(0xd1342543de82ef95) + 1, .weather = *weather, .slots = SLOTS};
    for (int i = 0; i < SIM_FAULTS_COUNT; i++)
        world->streams[i] = (seed + 1) * UINT64_C(0xd1342543de82ef95) + (uint64_t)i * UINT64_C(0xa0761d6478bd642f);
    leat_log_set_level(LEAT_LOG_OFF);
    leat_code code = leat_storage_memory_new(&world->objects, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_init_process(world, &world->jm, "looker");
    sim_start_master(world);
    sim_run_well(world, master_is_up, NULL);
}

void sim_heal(sim_world *world)
{
    world->is_healed = true;
    for (int i = 0; i < world->taskmanagers_count; i++) {
        world->taskmanagers[i]->slow_us_max = 0;
        sim_wake(world->taskmanagers[i]);
    }
    world->master->process.slow_us_max = 0;
    sim_wake(&world->master->process);
}

static void cancel_all(sim_world *world)
{
    for (leat_jm_job *job = world->manager->jobs; job; job = job->next) {
        if (leat_job_state_is_terminal(job->state)) continue;
        leat_code code = leat_jobmanager_cancel(world->manager, job, NULL);
        LEAT_ASSERT(code == LEAT_OK);
    }
}

void sim_world_done(sim_world *world)
{
    enum { RUN_DOWN_US = 30 * 1000 * 1000, STEP_US = 100000, STEPS_MAX = 100000 };
    sim_heal(world);
    world->failure[0] = '\0';
    if (sim_master_answers(world)) cancel_all(world);
    sim_run(world, world->now_us + RUN_DOWN_US, NULL, NULL);
    for (int i = 0; i < world->taskmanagers_count; i++)
        sim_kill_taskmanager(world, i);
    sim_kill_master(world);
    world->is_ending = true; /* nobody is told anything any more */
    world->taskmanagers_count = 0;
    for (int i = 0; i < STEPS_MAX && (world->dead_count > 1 || world->events_count); i++) {
        world->failure[0] = '\0';
        sim_run(world, world->now_us + STEP_US, NULL, NULL);
    }
    LEAT_ASSERT(world->dead_count == 1 && world->events_count == 0);
    sim_free_master(world->master);
    leat_storage_free(world->jm.env.storage);
    leat_storage_free(world->objects);
    leat_config_done(&world->config);
    leat_free(world->lost);
    leat_free(world->events);
    leat_free(world->dead);
}
