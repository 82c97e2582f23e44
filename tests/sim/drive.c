#include "tests/sim/drive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum {
    STORM_US = 4000000,
    OUTAGE_US = 9000000,
    CALM_US = 60000000,
    GRACE_US = 10000000,
    HEALED_CHECKPOINTS = 3,
    TASKMANAGERS = 3
};

struct sim_drive {
    sim_world world; /* first */
    const sim_scenario *scenario;
    void *plan;
    leat_jm_job *job;
    int64_t rows_count; /* of a bounded job; -1 */
    int64_t kill_every_us;
    int64_t checked_id; /* newest completed checkpoint whose table was looked at */
    int64_t first_complete_us, failures_after;
    int64_t healed_completed, rows;
    int64_t calm_from_us; /* since when failures of before the healing are through; 0: not healed */
    int64_t restarts_seen;
    bool has_failed; /* as it may */
};

typedef struct totals {
    int64_t seeds, counted, kills, breaks, storage_failures, storage_losses, restarts, checkpoints, rows, events;
    int64_t conflicts, failed, news;
} totals;

static sim_drive *drive_of(sim_world *world)
{
    return (sim_drive *)world;
}

static void set(sim_world *world, const char *key, const char *format, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, format, value);
    leat_code code = leat_config_set(&world->config, key, text, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static sim_weather draw_weather(sim_world *dice)
{
    /* An outage outlasts the committer's patience: nobody knows then whether its last commit was done. */
    int64_t outage_us = sim_below(dice, 8) == 0 ? 500000 + (int64_t)sim_below(dice, 2000000) : 0;
    return (sim_weather){.outage_from_us = outage_us,
                         .outage_until_us = outage_us ? outage_us + OUTAGE_US : 0,
                         .delay_us_max = 1 + (int)sim_below(dice, 5000),
                         .break_chance = (int)sim_below(dice, 8),
                         .storage_delay_us_max = (int)sim_below(dice, 20000),
                         .storage_fail_chance = (int)sim_below(dice, 300),
                         .storage_lose_chance = (int)sim_below(dice, 200)};
}

/* Every knob is drawn from the seed. */
static void draw_config(sim_world *world, sim_world *dice)
{
    set(world, "execution.checkpointing.interval", "%" PRId64, 40 + (int64_t)sim_below(dice, 200));
    set(world, "execution.checkpointing.timeout", "%" PRId64, 500 + (int64_t)sim_below(dice, 1500));
    set(world, "execution.checkpointing.max-concurrent-checkpoints", "%" PRId64, 1 + (int64_t)sim_below(dice, 4));
    set(world, "execution.checkpointing.min-pause", "%" PRId64, (int64_t)sim_below(dice, 30));
    set(world, "execution.checkpointing.tolerable-failed-checkpoints", "%" PRId64, (int64_t)sim_below(dice, 3));
    set(world, "execution.checkpointing.num-retained", "%" PRId64, 1 + (int64_t)sim_below(dice, 3));
    set(world, "execution.buffer-timeout.interval", "%" PRId64, (int64_t)sim_below(dice, 30));
    set(world, "state.storage.fs.memory-threshold", "%" PRId64 " b", (int64_t)sim_below(dice, 300));
    set(world, "execution.checkpointing.write-buffer-size", "%" PRId64 " b", 1 + (int64_t)sim_below(dice, 300));
    set(world, "taskmanager.channel.credit-bytes", "%" PRId64 " b", 256 + (int64_t)sim_below(dice, 1 << 16));
    set(world, "taskmanager.memory.segment-size", "%" PRId64 " b", 1 + (int64_t)sim_below(dice, 1 << 14));
    set(world, "heartbeat.timeout", "%" PRId64, 1000 + (int64_t)sim_below(dice, 2000));
    set(world, "restart-strategy.fixed-delay.delay", "%" PRId64, (int64_t)sim_below(dice, 100));
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
    sim_drive *self = drive_of(world);
    if (world->is_healed) return;
    int index = (int)sim_below(world, (uint64_t)world->taskmanagers_count);
    if (!world->taskmanagers[index]->is_dead) {
        if (self->first_complete_us) self->failures_after++;
        sim_kill_taskmanager(world, index);
        sim_after(world, (int64_t)sim_below(world, 500000), restart_taskmanager, (void *)(intptr_t)index);
    }
    sim_after(world, (int64_t)sim_below(world, (uint64_t)self->kill_every_us * 2), kill_one, arg);
}

static void look(sim_drive *self, int64_t completed)
{
    sim_world *world = &self->world;
    SIM_REQUIRE(world, completed > self->checked_id, "checkpoint %" PRId64 " completed after %" PRId64, completed,
                self->checked_id);
    self->checked_id = completed;
    if (!self->first_complete_us) self->first_complete_us = world->now_us;
    int64_t before = self->rows;
    self->scenario->check(world, self->plan, &self->rows);
    SIM_REQUIRE(world, self->rows >= before, "the table shrank from %" PRId64 " rows", before);
    if (world->is_healed) self->healed_completed++;
}

static const char *last_error(const sim_drive *self)
{
    return self->job->exceptions_count ? self->job->exceptions[self->job->exceptions_count - 1].text : "";
}

/* Of an endless job. */
static bool has_progressed(sim_drive *self)
{
    const sim_scenario *scenario = self->scenario;
    if (!self->world.is_healed || self->healed_completed < HEALED_CHECKPOINTS) return false;
    return !scenario->has_settled || scenario->has_settled(&self->world, self->plan);
}

/* What fails in good weather would be cured by a restart, again and again. A conflict is another job's doing. */
static void require_calm(sim_drive *self)
{
    sim_world *world = &self->world;
    const leat_jm_job *job = self->job;
    bool has_restarted = job->restarts > self->restarts_seen;
    self->restarts_seen = job->restarts;
    if (!has_restarted || !self->calm_from_us || world->now_us < self->calm_from_us) return;
    if (self->scenario->has_damage && self->scenario->has_damage(world, self->plan)) return;
    bool is_conflict = job->exceptions_count && job->exceptions[job->exceptions_count - 1].code == LEAT_CONFLICT;
    SIM_REQUIRE(world, is_conflict, "the job restarted although all is well: %s", last_error(self));
}

static bool has_gone_back(sim_drive *self, int64_t completed)
{
    bool may = self->scenario->has_damage && self->scenario->has_damage(&self->world, self->plan);
    return may && completed < self->checked_id;
}

/* After every event: whenever a commit was done, a reader looks. */
static bool watch(sim_world *world, void *arg)
{
    (void)arg;
    sim_drive *self = drive_of(world);
    int64_t completed = self->job->completed ? (int64_t)self->job->completed->checkpoint : 0;
    if (completed != self->checked_id && !has_gone_back(self, completed)) look(self, completed);
    require_calm(self);
    bool has_finished = self->rows_count >= 0 && self->job->state == LEAT_JOB_FINISHED;
    if (self->job->state == LEAT_JOB_FAILED && self->scenario->may_fail) {
        self->has_failed = self->scenario->may_fail(world, self->plan, last_error(self));
        if (self->has_failed) return true;
    }
    SIM_REQUIRE(world, has_finished || !leat_job_state_is_terminal(self->job->state), "the job ended as %s: %s",
                leat_job_state_name(self->job->state), last_error(self));
    return has_finished || (self->rows_count < 0 && has_progressed(self));
}

static void require_progress(sim_drive *self)
{
    sim_world *world = &self->world;
    if (self->has_failed) return;
    if (self->rows_count < 0) {
        SIM_REQUIRE(world, has_progressed(self),
                    "%" PRId64 " checkpoints in a minute after healing; state %s; last error: %s",
                    self->healed_completed, leat_job_state_name(self->job->state), last_error(self));
        return;
    }
    SIM_REQUIRE(world, self->job->state == LEAT_JOB_FINISHED,
                "a minute after healing the bounded job is %s; last error: %s", leat_job_state_name(self->job->state),
                last_error(self));
    if (!self->job->has_checkpoints) self->scenario->check(world, self->plan, &self->rows); /* nobody looked before */
    SIM_REQUIRE(world, self->rows == self->rows_count, "%" PRId64 " rows of %" PRId64, self->rows, self->rows_count);
}

static void add_up(const sim_drive *self, totals *sum)
{
    const sim_counts *counts = &self->world.counts;
    sum->seeds++;
    sum->counted += self->job->counts.completed >= 3 && self->failures_after >= 1;
    sum->kills += counts->kills;
    sum->breaks += counts->breaks;
    sum->storage_failures += counts->storage_failures;
    sum->storage_losses += counts->storage_losses;
    sum->restarts += self->job->restarts;
    sum->checkpoints += self->job->counts.completed;
    sum->rows += self->rows;
    sum->events += counts->events;
    sum->failed += self->has_failed;
    sum->news += counts->news;
    for (int32_t i = 0; i < self->job->exceptions_count; i++)
        sum->conflicts += self->job->exceptions[i].code == LEAT_CONFLICT;
}

static void run_seed(const sim_scenario *scenario, uint64_t seed, totals *sum, char *failure, size_t failure_size)
{
    sim_drive *self = leat_calloc(1, sizeof *self);
    LEAT_ASSERT(self);
    self->scenario = scenario;
    self->plan = leat_calloc(1, scenario->plan_bytes);
    LEAT_ASSERT(self->plan);
    sim_world dice = {.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 7}, *world = &self->world;
    sim_weather weather = draw_weather(&dice);
    self->rows_count = scenario->draw(&dice, self->plan);
    self->kill_every_us = 300000 + (int64_t)sim_below(&dice, 1500000);
    sim_world_init(world, seed, &weather);
    draw_config(world, &dice);
    scenario->add_kinds(&world->registry);
    for (int i = 0; i < TASKMANAGERS; i++)
        sim_start_taskmanager(world, i);
    leat_bytes graph = {0};
    leat_error error = {0};
    leat_code code = scenario->make_graph(world, self->plan, &graph, &error);
    if (code != LEAT_OK) fprintf(stderr, "%s\n", error.text);
    LEAT_ASSERT(code == LEAT_OK);
    code = leat_jobmanager_submit(&world->manager, NULL, &graph, &self->job, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    if (scenario->make_foreign_graph) code = scenario->make_foreign_graph(world, self->plan, &graph, &error);
    if (code == LEAT_OK && graph.size) code = leat_jobmanager_submit(&world->manager, NULL, &graph, NULL, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_after(world, self->kill_every_us, kill_one, NULL);
    sim_run(world, weather.outage_until_us + STORM_US, watch, NULL);
    sim_heal(world);
    self->calm_from_us = world->now_us + GRACE_US;
    if (!leat_job_state_is_terminal(self->job->state)) sim_run(world, world->now_us + CALM_US, watch, NULL);
    require_progress(self);
    add_up(self, sum);
    snprintf(failure, failure_size, "%s", world->failure);
    sim_world_done(world);
    if (scenario->done) scenario->done(self->plan);
    leat_free(self->plan);
    leat_free(self);
}

static void print_totals(const totals *sum)
{
    printf("%" PRId64 " seeds (%" PRId64 " count), %" PRId64 " kills, %" PRId64 " broken connections, %" PRId64
           " storage failures, %" PRId64 " lost replies, %" PRId64 " restarts, %" PRId64 " checkpoints, %" PRId64
           " rows, %" PRId64 " events, %" PRId64 " conflicts seen, %" PRId64 " jobs ended by one, %" PRId64 " news\n",
           sum->seeds, sum->counted, sum->kills, sum->breaks, sum->storage_failures, sum->storage_losses, sum->restarts,
           sum->checkpoints, sum->rows, sum->events, sum->conflicts, sum->failed, sum->news);
}

int sim_main(int argc, char **argv, const sim_scenario *scenario)
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
            fprintf(stderr, "usage: %s [--seeds N] [--first S] [--verbose]\n", scenario->name);
            return 2;
        }
    }
    totals sum = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        char failure[512];
        run_seed(scenario, seed, &sum, failure, sizeof failure);
        if (failure[0]) {
            printf("%s\nreplay: %s --first %" PRIu64 " --seeds 1\n", failure, scenario->name, seed);
            return 1;
        }
        if (is_verbose) printf("seed %" PRIu64 ": %" PRId64 " events so far\n", seed, sum.events);
    }
    print_totals(&sum);
    if (!scenario->has_news || sum.news > 0) return 0;
    printf("nobody heard of a commit\n");
    return 1;
}
