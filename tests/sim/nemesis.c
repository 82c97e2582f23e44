#include "tests/sim/nemesis.h"

#include "common/memory.h"

/* An earlier one may be gone by then, another in its place. */
typedef struct later {
    int index;
    uint64_t generation;
    bool is_slowness;
} later;

static sim_process *find(const sim_world *world, const later *which)
{
    bool is_master = which->index == SIM_JOBMANAGER;
    if (!is_master && which->index >= world->taskmanagers_count) return NULL;
    sim_process *process = is_master ? &world->master->process : world->taskmanagers[which->index];
    return process->generation == which->generation && !process->is_dead ? process : NULL;
}

static void end_of_blow(sim_world *world, void *arg)
{
    later *which = arg;
    sim_process *process = world->is_ending ? NULL : find(world, which);
    if (process && which->is_slowness) process->slow_us_max = 0;
    if (process && !which->is_slowness) sim_wake(process);
    leat_free(which);
}

static void end_later(sim_world *world, sim_process *process, int index, int64_t us, bool is_slowness)
{
    later *which = leat_alloc(sizeof *which);
    LEAT_ASSERT(which);
    *which = (later){index, process->generation, is_slowness};
    sim_after(world, us, end_of_blow, which);
}

static void start_taskmanager(sim_world *world, void *arg)
{
    int index = (int)(intptr_t)arg;
    if (!world->is_ending && world->taskmanagers[index]->is_dead) sim_start_taskmanager(world, index);
}

static void start_master(sim_world *world, void *arg)
{
    (void)arg;
    if (!world->is_ending && world->master->process.is_dead) sim_start_master(world);
}

/* Every order of magnitude from 1 ms to `most_us` is as likely as another. */
static int64_t draw_span(sim_world *world, sim_fault fault, int64_t most_us)
{
    int64_t span_us = most_us >> sim_fault_below(world, fault, 12);
    return 1000 + (int64_t)sim_fault_below(world, fault, (uint64_t)span_us);
}

static void strike(sim_world *world, sim_fault fault, sim_process *process, int index)
{
    enum { GONE_US = 5000, GONE_US_MAX = 500000, PAUSE_US_MAX = 12000000, SLOW_US_MAX = 3000000, STEP_US_MAX = 20000 };
    switch (fault) {
    case SIM_KILL:
        sim_kill_taskmanager(world, index);
        sim_after(world, GONE_US + (int64_t)sim_fault_below(world, fault, GONE_US_MAX), start_taskmanager,
                  (void *)(intptr_t)index);
        break;
    case SIM_MASTER_KILL:
        sim_kill_master(world);
        sim_after(world, GONE_US + draw_span(world, fault, PAUSE_US_MAX / 4), start_master, NULL);
        break;
    case SIM_PAUSE:
    case SIM_MASTER_PAUSE:
        sim_pause(process);
        end_later(world, process, index, draw_span(world, fault, PAUSE_US_MAX), false);
        break;
    default:
        process->slow_us_max = 1 + (int)sim_fault_below(world, fault, STEP_US_MAX);
        end_later(world, process, index, draw_span(world, fault, SLOW_US_MAX), true);
        break;
    }
}

static void fall(sim_world *world, void *arg)
{
    sim_blow *self = arg;
    if (!sim_is_on(world, self->fault)) return;
    bool at_master =
        self->fault == SIM_MASTER_KILL || self->fault == SIM_MASTER_PAUSE || self->fault == SIM_MASTER_SLOW;
    int index =
        at_master ? SIM_JOBMANAGER : (int)sim_fault_below(world, self->fault, (uint64_t)world->taskmanagers_count);
    sim_process *process = at_master ? &world->master->process : world->taskmanagers[index];
    bool is_kill = self->fault == SIM_KILL || self->fault == SIM_MASTER_KILL;
    bool is_untouched = !process->is_dead && (is_kill || (!process->is_paused && !process->slow_us_max));
    if (is_untouched) {
        world->counts.faults[self->fault]++;
        strike(world, self->fault, process, index);
    }
    sim_after(world, (int64_t)sim_fault_below(world, self->fault, (uint64_t)self->every_us * 2), fall, self);
}

void sim_nemesis_draw(sim_nemesis *self, sim_world *dice)
{
    *self = (sim_nemesis){0};
    int64_t *kill = &self->blows[SIM_KILL].every_us, *pause = &self->blows[SIM_PAUSE].every_us;
    *kill = 300000 + (int64_t)sim_below(dice, 1500000);
    *pause = sim_below(dice, 3) ? 300000 + (int64_t)sim_below(dice, 3000000) : 0;
    self->blows[SIM_SLOW].every_us = sim_below(dice, 3) ? 300000 + (int64_t)sim_below(dice, 3000000) : 0;
    self->blows[SIM_MASTER_KILL].every_us = sim_below(dice, 2) ? 500000 + (int64_t)sim_below(dice, 4000000) : 0;
    self->blows[SIM_MASTER_PAUSE].every_us = sim_below(dice, 3) == 0 ? 500000 + (int64_t)sim_below(dice, 4000000) : 0;
    self->blows[SIM_MASTER_SLOW].every_us = sim_below(dice, 3) == 0 ? 500000 + (int64_t)sim_below(dice, 4000000) : 0;
    if (*pause && sim_below(dice, 3) == 0) *kill *= 8; /* what only those who live on do */
}

void sim_nemesis_start(sim_nemesis *self, sim_world *world)
{
    self->world = world;
    for (int i = 0; i < SIM_FAULTS_COUNT; i++) {
        sim_blow *blow = &self->blows[i];
        blow->owner = self;
        blow->fault = (sim_fault)i;
        if (blow->every_us) sim_after(world, blow->every_us, fall, blow);
    }
}
