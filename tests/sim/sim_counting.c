/* sim-counting: the counting job under crashes, broken and slow connections, sick storage; many seeds.
 *
 *   sim-counting [--seeds N] [--first S] [--verbose]
 *
 * A seed counts only with at least 3 completed checkpoints and a failure after the first. Exits 1 on the first broken
 * seed, which it prints; "sim-counting --first S --seeds 1" replays it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/counting.h"

typedef struct run {
    sim_world world;
    sim_counting plan;
    leat_jm_job *job;
    int64_t kill_every_us;
    int64_t checked_id; /* newest completed checkpoint whose table was checked */
    int64_t first_complete_us, failures_after;
    int64_t healed_completed;
    int64_t rows;
    int restarts_seen;
} run;

typedef struct totals {
    int64_t seeds, counted, kills, breaks, storage_failures, storage_losses, restarts, checkpoints, rows, events;
} totals;

static run *run_of(sim_world *world)
{
    return (run *)world; /* its first member */
}

static void set(sim_world *world, const char *key, const char *format, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, format, value);
    leat_code code = leat_config_set(&world->config, key, text, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

/* Every knob is drawn from the seed. */
static void draw(run *self, sim_weather *weather)
{
    uint64_t seed = self->world.seed;
    sim_world dice = {.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 7};
    *weather = (sim_weather){.delay_us_max = 1 + (int)sim_below(&dice, 5000),
                             .break_chance = (int)sim_below(&dice, 8),
                             .storage_delay_us_max = (int)sim_below(&dice, 20000),
                             .storage_fail_chance = (int)sim_below(&dice, 300),
                             .storage_lose_chance = (int)sim_below(&dice, 200)};
    self->plan = (sim_counting){.source_parallelism = 1 + (int32_t)sim_below(&dice, 3),
                                .count_parallelism = 1 + (int32_t)sim_below(&dice, 3),
                                .sink_parallelism = 1 + (int32_t)sim_below(&dice, 3),
                                .rows_per_second = 500 + (int64_t)sim_below(&dice, 4000)};
    /* A quarter of the jobs is bounded: they must end, with every row, and with the final checkpoint. */
    bool is_bounded = sim_below(&dice, 4) == 0;
    self->plan.rows_count = is_bounded ? 500 + (int64_t)sim_below(&dice, 12000) : -1;
    self->plan.split_rows = sim_below(&dice, 2) ? 20 + (int64_t)sim_below(&dice, 400) : 0;
    self->plan.sources = self->plan.split_rows ? 1 + (int32_t)sim_below(&dice, 2) : 1;
    self->kill_every_us = 300000 + (int64_t)sim_below(&dice, 1500000);
}

static void draw_config(run *self)
{
    sim_world *world = &self->world;
    sim_world dice = {.random = world->seed * UINT64_C(0xbf58476d1ce4e5b9) + 3};
    set(world, "execution.checkpointing.interval", "%" PRId64, 40 + (int64_t)sim_below(&dice, 200));
    set(world, "execution.checkpointing.timeout", "%" PRId64, 500 + (int64_t)sim_below(&dice, 1500));
    set(world, "execution.checkpointing.max-concurrent-checkpoints", "%" PRId64, 1 + (int64_t)sim_below(&dice, 4));
    set(world, "execution.checkpointing.min-pause", "%" PRId64, (int64_t)sim_below(&dice, 30));
    set(world, "execution.checkpointing.tolerable-failed-checkpoints", "%" PRId64, (int64_t)sim_below(&dice, 3));
    set(world, "execution.checkpointing.num-retained", "%" PRId64, 1 + (int64_t)sim_below(&dice, 3));
    set(world, "execution.buffer-timeout.interval", "%" PRId64, (int64_t)sim_below(&dice, 30));
    set(world, "state.storage.fs.memory-threshold", "%" PRId64 " b", (int64_t)sim_below(&dice, 300));
    set(world, "taskmanager.channel.credit-bytes", "%" PRId64 " b", 256 + (int64_t)sim_below(&dice, 1 << 16));
    set(world, "taskmanager.memory.segment-size", "%" PRId64 " b", 1 + (int64_t)sim_below(&dice, 1 << 14));
    set(world, "heartbeat.timeout", "%" PRId64, 1000 + (int64_t)sim_below(&dice, 2000));
    set(world, "restart-strategy.fixed-delay.delay", "%" PRId64, (int64_t)sim_below(&dice, 100));
    set(world, "restart-strategy.fixed-delay.attempts", "%" PRId64, -1);
    leat_code code = leat_config_set(&world->config, "restart-strategy.type", "fixed-delay", NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static void restart_taskmanager(sim_world *world, void *arg)
{
    int index = (int)(intptr_t)arg;
    if (world->taskmanagers_count && world->taskmanagers[index]->is_dead) sim_start_taskmanager(world, index);
}

static void kill_one(sim_world *world, void *arg)
{
    run *self = run_of(world);
    if (world->is_healed) return;
    int index = (int)sim_below(world, (uint64_t)world->taskmanagers_count);
    if (!world->taskmanagers[index]->is_dead) {
        if (self->first_complete_us) self->failures_after++;
        sim_kill_taskmanager(world, index);
        sim_after(world, (int64_t)sim_below(world, 500000), restart_taskmanager, (void *)(intptr_t)index);
    }
    sim_after(world, (int64_t)sim_below(world, (uint64_t)self->kill_every_us * 2), kill_one, arg);
}

/* After every event: whenever a commit was done, a reader looks. */
static bool watch(sim_world *world, void *arg)
{
    (void)arg;
    run *self = run_of(world);
    int64_t completed = self->job->completed ? (int64_t)self->job->completed->checkpoint : 0;
    if (completed != self->checked_id) {
        SIM_REQUIRE(world, completed > self->checked_id, "checkpoint %" PRId64 " completed after %" PRId64, completed,
                    self->checked_id);
        self->checked_id = completed;
        if (!self->first_complete_us) self->first_complete_us = world->now_us;
        int64_t before = self->rows;
        sim_counting_check(world, &self->plan, &self->rows);
        SIM_REQUIRE(world, self->rows >= before, "the table shrank from %" PRId64 " rows", before);
        if (world->is_healed) self->healed_completed++;
    }
    bool has_finished = self->plan.rows_count >= 0 && self->job->state == LEAT_JOB_FINISHED;
    SIM_REQUIRE(world, has_finished || !leat_job_state_is_terminal(self->job->state), "the job ended as %s: %s",
                leat_job_state_name(self->job->state),
                self->job->exceptions_count ? self->job->exceptions[self->job->exceptions_count - 1].text : "");
    return has_finished || (world->is_healed && self->plan.rows_count < 0 && self->healed_completed >= 3);
}

static void run_seed(uint64_t seed, totals *sum, char *failure, size_t failure_size)
{
    run *self = leat_calloc(1, sizeof *self);
    LEAT_ASSERT(self);
    self->world.seed = seed;
    sim_weather weather;
    draw(self, &weather);
    sim_world_init(&self->world, seed, &weather);
    sim_world *world = &self->world;
    draw_config(self);
    sim_counting_register(&world->registry);
    for (int i = 0; i < 3; i++)
        sim_start_taskmanager(world, i);
    leat_bytes graph = {0};
    leat_code code = sim_counting_graph(&self->plan, &graph, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    code = leat_jobmanager_submit(&world->manager, NULL, &graph, &self->job, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_after(world, self->kill_every_us, kill_one, NULL);
    sim_run(world, 4000000, watch, NULL);
    sim_heal(world);
    if (!leat_job_state_is_terminal(self->job->state)) sim_run(world, world->now_us + 60000000, watch, NULL);
    if (self->plan.rows_count >= 0) {
        SIM_REQUIRE(world, self->job->state == LEAT_JOB_FINISHED, "after 60 s well the bounded job is %s",
                    leat_job_state_name(self->job->state));
        SIM_REQUIRE(world, self->rows == self->plan.rows_count, "%" PRId64 " rows of %" PRId64, self->rows,
                    self->plan.rows_count);
    } else {
        SIM_REQUIRE(world, self->healed_completed >= 3, "%" PRId64 " checkpoints in 60 s after healing; state %s",
                    self->healed_completed, leat_job_state_name(self->job->state));
    }
    sum->seeds++;
    sum->counted += self->job->counts.completed >= 3 && self->failures_after >= 1;
    sum->kills += world->counts.kills;
    sum->breaks += world->counts.breaks;
    sum->storage_failures += world->counts.storage_failures;
    sum->storage_losses += world->counts.storage_losses;
    sum->restarts += self->job->restarts;
    sum->checkpoints += self->job->counts.completed;
    sum->rows += self->rows;
    sum->events += world->counts.events;
    snprintf(failure, failure_size, "%s", world->failure);
    sim_world_done(world);
    leat_free(self);
}

int main(int argc, char **argv)
{
    uint64_t first = 1, seeds = 600;
    bool is_verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0 && i + 1 < argc)
            first = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--verbose") == 0)
            is_verbose = true;
        else {
            fprintf(stderr, "usage: sim-counting [--seeds N] [--first S] [--verbose]\n");
            return 2;
        }
    }
    totals sum = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        char failure[512];
        run_seed(seed, &sum, failure, sizeof failure);
        if (failure[0]) {
            printf("%s\nreplay: sim-counting --first %" PRIu64 " --seeds 1\n", failure, seed);
            return 1;
        }
        if (is_verbose) printf("seed %" PRIu64 ": %" PRId64 " events so far\n", seed, sum.events);
    }
    printf("%" PRId64 " seeds (%" PRId64 " count), %" PRId64 " kills, %" PRId64 " broken connections, %" PRId64
           " storage failures, %" PRId64 " lost replies, %" PRId64 " restarts, %" PRId64 " checkpoints, %" PRId64
           " rows, %" PRId64 " events\n",
           sum.seeds, sum.counted, sum.kills, sum.breaks, sum.storage_failures, sum.storage_losses, sum.restarts,
           sum.checkpoints, sum.rows, sum.events);
    return 0;
}
