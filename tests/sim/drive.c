#include "tests/sim/drive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "tests/sim/knobs.h"
#include "tests/sim/nemesis.h"

enum { STORM_US = 4000000, CALM_US = 200000000, GRACE_US = 60000000, HEALED_CHECKPOINTS = 3 };
enum { TRACKS_AT_ONCE_MAX = 3, TRACKS_MAX = 12, EVENTS_A_CHECK = 700 };

/* A job and what is known of it. It goes by its name: the job manager it was submitted to may die. */
typedef struct track {
    char name[24];
    leat_jm_job *job; /* NULL: no job manager that answers has it */
    void *plan;
    int64_t rows_count; /* of a bounded job; -1 */
    int64_t checked_id; /* newest completed checkpoint whose table was looked at */
    int64_t rows, healed_completed;
    int64_t restarts, checkpoints; /* under job managers that are gone */
    int64_t restarts_seen;         /* under this one */
    bool is_accepted;              /* whoever submitted it was told so: it must not get lost */
    bool is_lost;                  /* nobody was told anything, and it is not there */
    bool was_cancelled, is_over;
    bool was_over;   /* and came again, as the job manager died before it had put that down */
    bool has_failed; /* as it may */
} track;

typedef struct sim_drive {
    sim_world world; /* first */
    const sim_scenario *scenario;
    const sim_run_options *options;
    sim_world dice;
    sim_nemesis nemesis;
    track tracks[TRACKS_MAX];
    int tracks_count;
    int submissions; /* under way */
    uint64_t master; /* generation of the job manager that tracks' jobs are of */
    int64_t cancel_every_us;
    int64_t first_complete_us, failures_before;
    int64_t next_check;   /* in events */
    int64_t calm_from_us; /* since when failures of before the healing are through; 0: not healed */
} sim_drive;

static sim_drive *drive_of(sim_world *world)
{
    return (sim_drive *)world;
}

/* --- jobs --- */

static const char *last_error(const track *self)
{
    return self->job->exceptions_count ? self->job->exceptions[self->job->exceptions_count - 1].text : "";
}

/* The job's own options travel in its graph, and its name. What its SQL has set goes over them. */
static void add_options(leat_bytes *graph, const char *name, const leat_config *config)
{
    Leat__Pb__JobGraph *message = leat__pb__job_graph__unpack(NULL, graph->size, graph->data);
    LEAT_ASSERT(message);
    size_t count = config->count, set_count = message->n_config;
    Leat__Pb__ConfigEntry *entries = leat_calloc(count, sizeof *entries);
    Leat__Pb__ConfigEntry **all = leat_calloc(count + set_count, sizeof *all), **set = message->config;
    LEAT_ASSERT(entries && all);
    for (size_t i = 0; i < count; i++) {
        const leat_config_entry *entry = &config->entries[i];
        leat__pb__config_entry__init(&entries[i]);
        entries[i].key = entry->key;
        entries[i].value = (ProtobufCBinaryData){strlen(entry->value), (uint8_t *)(uintptr_t)entry->value};
        all[i] = &entries[i];
    }
    if (set_count) memcpy(all + count, set, set_count * sizeof *all);
    message->config = all;
    message->n_config = count + set_count;
    leat_free(message->name);
    message->name = leat_strdup(name);
    leat_bytes_reset(graph);
    uint8_t *room = leat_bytes_extend(graph, leat__pb__job_graph__get_packed_size(message));
    LEAT_ASSERT(room);
    leat__pb__job_graph__pack(message, room);
    message->config = set;
    message->n_config = set_count;
    leat_free(all);
    leat_free(entries);
    leat__pb__job_graph__free_unpacked(message, NULL);
}

/* Somebody submits: as sessions do it, on a thread of the job manager, which stores the job before it says yes. */
typedef struct submission {
    leat_job job; /* first */
    sim_drive *owner;
    sim_process *process;
    int track; /* -1: nobody follows it */
    leat_bytes graph;
    leat_code code;
    leat_jm_submission prepared;
} submission;

static void run_submission(leat_job *job, leat_env *env)
{
    submission *self = (submission *)job;
    leat_jobmanager *manager = &((sim_master *)self->process)->manager;
    (void)env;
    self->code = leat_jobmanager_prepare(manager, &self->graph, &self->prepared, NULL);
}

static void done_submission(leat_job *job, leat_env *env)
{
    (void)env;
    submission *self = (submission *)job;
    leat_jobmanager *manager = &((sim_master *)self->process)->manager;
    track *at = self->track >= 0 ? &self->owner->tracks[self->track] : NULL;
    leat_jm_job *submitted = NULL;
    if (self->process->is_dead) {
        leat_jm_submission_done(&self->prepared);
        self->code = LEAT_UNAVAILABLE;
    }
    if (self->code == LEAT_OK) {
        self->code = leat_jobmanager_submit_prepared(manager, &self->prepared, &submitted, NULL);
        LEAT_ASSERT(self->code == LEAT_OK);
    }
    if (at) {
        at->job = submitted;
        at->is_accepted = submitted != NULL;
        at->is_lost = !submitted;
    }
    self->owner->submissions--;
    leat_bytes_done(&self->graph);
    leat_free(self);
}

static void submit(sim_drive *self, int index, const char *name, leat_bytes *graph)
{
    leat_config config = {0};
    sim_draw_job(&self->dice, self->options->off, &config);
    int64_t timeout_ms = leat_config_duration_ms(&config, LEAT_OPTION_CHECKPOINT_TIMEOUT);
    if (timeout_ms < self->scenario->checkpoint_ms) sim_set_timeout(&config, self->scenario->checkpoint_ms);
    add_options(graph, name, &config);
    leat_config_done(&config);
    submission *begun = leat_calloc(1, sizeof *begun);
    LEAT_ASSERT(begun);
    *begun = (submission){.job = {.run = run_submission, .done = done_submission},
                          .owner = self,
                          .process = &self->world.master->process,
                          .track = index,
                          .graph = *graph};
    *graph = (leat_bytes){0};
    self->submissions++;
    leat_code code = leat_env_spawn(self->world.manager->env, &begun->job, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static void add_track(sim_drive *self)
{
    const sim_scenario *scenario = self->scenario;
    int index = self->tracks_count++;
    track *added = &self->tracks[index];
    leat_bytes graph = {0};
    leat_error error = {0};
    snprintf(added->name, sizeof added->name, "job-%d", index);
    added->plan = leat_calloc(1, scenario->plan_bytes);
    LEAT_ASSERT(added->plan);
    added->rows_count = scenario->draw(&self->dice, added->plan);
    if (scenario->set_number) scenario->set_number(added->plan, index);
    leat_code code = scenario->make_graph(&self->world, added->plan, &graph, &error);
    if (code != LEAT_OK) fprintf(stderr, "%s\n", error.text);
    LEAT_ASSERT(code == LEAT_OK);
    submit(self, index, added->name, &graph);
    if (!scenario->make_foreign_graph) return;
    code = scenario->make_foreign_graph(&self->world, added->plan, &graph, &error);
    LEAT_ASSERT(code == LEAT_OK);
    if (graph.size) submit(self, -1, "foreign", &graph);
}

static void add_another(sim_world *world, void *arg)
{
    (void)arg;
    sim_drive *self = drive_of(world);
    if (world->is_ending || self->tracks_count == TRACKS_MAX || !sim_master_answers(world)) return;
    add_track(self);
}

/* --- job managers come and go --- */

static leat_jm_job *find_job(const leat_jobmanager *manager, const char *name)
{
    leat_jm_job *job = manager->jobs;
    while (job && strcmp(job->graph->name, name) != 0)
        job = job->next;
    return job;
}

static void cancel(sim_world *world, const track *at)
{
    leat_code code = leat_jobmanager_cancel(world->manager, at->job, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static void lose_job(track *at)
{
    if (at->job) {
        at->restarts += at->job->restarts;
        at->checkpoints += at->job->counts.completed;
    }
    at->job = NULL;
    at->restarts_seen = 0;
}

/* What ended just before the job manager's death may come again: it had no time to put that down. */
static void find_again(sim_drive *self, track *at)
{
    sim_world *world = &self->world;
    at->job = find_job(world->manager, at->name);
    if (!at->job) {
        SIM_REQUIRE(world, at->is_over || !at->is_accepted, "the next job manager has lost %s", at->name);
        at->is_lost = !at->is_accepted;
        return;
    }
    at->was_over = at->was_over || at->is_over;
    at->is_over = at->is_lost = false;
    at->is_accepted = true;
}

static void follow_master(sim_drive *self)
{
    sim_world *world = &self->world;
    uint64_t master = sim_master_is_up(world) ? world->master->process.generation : 0;
    if (master == self->master) return;
    self->master = master;
    for (int i = 0; i < self->tracks_count; i++) {
        lose_job(&self->tracks[i]);
        if (master) find_again(self, &self->tracks[i]);
    }
}

static void cancel_one(sim_world *world, void *arg)
{
    sim_drive *self = drive_of(world);
    if (!sim_is_on(world, SIM_CANCEL)) return;
    track *which = &self->tracks[sim_fault_below(world, SIM_CANCEL, (uint64_t)self->tracks_count)];
    bool may_be = which->job && !leat_job_state_is_terminal(which->job->state) && !which->was_cancelled;
    if (may_be && self->tracks_count < TRACKS_MAX && sim_master_answers(world)) {
        world->counts.faults[SIM_CANCEL]++;
        which->was_cancelled = true;
        cancel(world, which);
        sim_after(world, (int64_t)sim_fault_below(world, SIM_CANCEL, 500000), add_another, NULL);
    }
    sim_after(world, (int64_t)sim_fault_below(world, SIM_CANCEL, (uint64_t)self->cancel_every_us * 2), cancel_one, arg);
}

/* --- looking on --- */

static int64_t failures_of(const sim_world *world)
{
    return world->counts.faults[SIM_KILL] + world->counts.faults[SIM_BREAK] + world->counts.faults[SIM_PAUSE];
}

static void look(sim_drive *self, track *at, int64_t completed)
{
    sim_world *world = &self->world;
    SIM_REQUIRE(world, completed > at->checked_id, "checkpoint %" PRId64 " completed after %" PRId64, completed,
                at->checked_id);
    at->checked_id = completed;
    if (!self->first_complete_us) {
        self->first_complete_us = world->now_us;
        self->failures_before = failures_of(world);
    }
    int64_t before = at->rows;
    self->scenario->check(world, at->plan, &at->rows);
    SIM_REQUIRE(world, at->rows >= before, "the table shrank from %" PRId64 " rows", before);
    sim_check_checkpoints(world, at->job);
    if (world->is_healed) at->healed_completed++;
}

static bool may_end(sim_drive *self, track *at)
{
    leat_job_state state = at->job->state;
    if (state == LEAT_JOB_FAILED && self->scenario->may_fail)
        at->has_failed = self->scenario->may_fail(&self->world, at->plan, last_error(at));
    return at->has_failed || at->was_over || (state == LEAT_JOB_FINISHED && at->rows_count >= 0) ||
           (state == LEAT_JOB_CANCELED && at->was_cancelled);
}

static bool has_damage(sim_drive *self, const track *at)
{
    return self->scenario->has_damage && self->scenario->has_damage(&self->world, at->plan);
}

/* What fails in good weather would be cured by a restart, again and again. A conflict is another job's doing. */
static void require_calm(sim_drive *self, track *at)
{
    sim_world *world = &self->world;
    const leat_jm_job *job = at->job;
    bool has_restarted = job->restarts > at->restarts_seen;
    at->restarts_seen = job->restarts;
    if (!has_restarted || !self->calm_from_us || world->now_us < self->calm_from_us || has_damage(self, at)) return;
    bool is_conflict = job->exceptions_count && job->exceptions[job->exceptions_count - 1].code == LEAT_CONFLICT;
    SIM_REQUIRE(world, is_conflict, "the job restarted although all is well: %s", last_error(at));
}

static void watch_track(sim_drive *self, track *at)
{
    sim_world *world = &self->world;
    if (!at->job) return;
    int64_t completed = at->job->completed ? (int64_t)at->job->completed->checkpoint : 0;
    bool has_gone_back = completed < at->checked_id && has_damage(self, at);
    if (completed && completed != at->checked_id && !has_gone_back) look(self, at, completed);
    require_calm(self, at);
    leat_job_state state = at->job->state;
    /* Whoever cancelled it sees it again, and does so again. */
    bool came_again = at->was_cancelled && state != LEAT_JOB_CANCELLING && !leat_job_state_is_terminal(state);
    if (came_again && sim_master_answers(world)) cancel(world, at);
    if (at->is_over || !leat_job_state_is_terminal(at->job->state)) return;
    at->is_over = true;
    SIM_REQUIRE(world, may_end(self, at), "the job ended as %s: %s", leat_job_state_name(at->job->state),
                last_error(at));
}

/* Of an endless job. */
static bool has_progressed(sim_drive *self, const track *at)
{
    const sim_scenario *scenario = self->scenario;
    if (!self->world.is_healed || at->healed_completed < HEALED_CHECKPOINTS) return false;
    return !scenario->has_settled || scenario->has_settled(&self->world, at->plan);
}

static bool has_got_on(sim_drive *self, const track *at)
{
    if (at->is_over || at->is_lost) return true;
    return at->rows_count < 0 && !at->was_cancelled && has_progressed(self, at);
}

/* After every event: whenever a commit was done, a reader looks. */
static bool watch(sim_world *world, void *arg)
{
    (void)arg;
    sim_drive *self = drive_of(world);
    bool is_over = true;
    follow_master(self);
    for (int i = 0; i < self->tracks_count; i++) {
        watch_track(self, &self->tracks[i]);
        is_over = is_over && has_got_on(self, &self->tracks[i]);
    }
    if (world->counts.events >= self->next_check) {
        self->next_check = world->counts.events + 1 + (int64_t)sim_below(&self->dice, EVENTS_A_CHECK * 2);
        sim_check_channels(world);
        for (int i = 0; i < self->tracks_count; i++) {
            if (self->tracks[i].job) sim_check_job(world, self->tracks[i].job);
        }
    }
    return is_over;
}

/* What is over stays as it was. */
static void check_end(sim_drive *self, track *at)
{
    sim_world *world = &self->world;
    if (at->has_failed || at->is_lost) return;
    const char *state = at->job ? leat_job_state_name(at->job->state) : "gone", *error = at->job ? last_error(at) : "";
    int64_t rows = 0;
    self->scenario->check(world, at->plan, &rows);
    if (at->job && !at->job->has_checkpoints) at->rows = rows; /* nobody looked before */
    SIM_REQUIRE(world, rows == at->rows || !at->is_over, "%" PRId64 " rows were there when the job ended, now %" PRId64,
                at->rows, rows);
    if (at->was_cancelled) {
        SIM_REQUIRE(world, at->is_over, "long after healing the cancelled job is %s", state);
    } else if (at->rows_count < 0) {
        SIM_REQUIRE(world, has_progressed(self, at),
                    "%" PRId64 " checkpoints long after healing; state %s; last error: %s", at->healed_completed, state,
                    error);
    } else {
        SIM_REQUIRE(world, at->is_over, "long after healing the bounded job is %s; last error: %s", state, error);
        SIM_REQUIRE(world, at->rows == at->rows_count, "%" PRId64 " rows of %" PRId64, at->rows, at->rows_count);
    }
}

/* --- a seed --- */

static void add_up(sim_drive *self, sim_totals *sum)
{
    const sim_counts *counts = &self->world.counts;
    int64_t checkpoints = 0;
    sum->seeds++;
    for (int i = 0; i < self->tracks_count; i++) {
        track *at = &self->tracks[i];
        const leat_jm_job *job = at->job;
        lose_job(at);
        checkpoints += at->checkpoints;
        sum->restarts += at->restarts;
        sum->rows += at->rows;
        sum->failed += at->has_failed;
        for (int32_t e = 0; job && e < job->exceptions_count; e++)
            sum->conflicts += job->exceptions[e].code == LEAT_CONFLICT;
    }
    sum->jobs += self->tracks_count;
    sum->checkpoints += checkpoints;
    sum->counted += checkpoints >= 3 && failures_of(&self->world) > self->failures_before;
    for (int i = 0; i < SIM_FAULTS_COUNT; i++)
        sum->counts.faults[i] += counts->faults[i];
    sum->counts.messages += counts->messages;
    sum->counts.events += counts->events;
    sum->counts.checks += counts->checks;
    sum->counts.news += counts->news;
}

static bool are_accepted(sim_world *world, void *arg)
{
    (void)arg;
    const sim_drive *self = drive_of(world);
    bool all = self->submissions == 0;
    for (int i = 0; i < self->tracks_count; i++)
        all = all && self->tracks[i].is_accepted;
    return all;
}

static void begin(sim_drive *self, int jobs)
{
    sim_world *world = &self->world;
    int taskmanagers;
    sim_draw_cluster(&self->dice, self->options->off, &world->config);
    sim_draw_size(&self->dice, self->options->off, jobs, &taskmanagers, &world->slots);
    self->scenario->add_kinds(&world->registry);
    for (int i = 0; i < taskmanagers; i++)
        sim_start_taskmanager(world, i);
    for (int i = 0; i < jobs; i++)
        add_track(self);
    sim_run_well(world, are_accepted, NULL);
    if (self->cancel_every_us) sim_after(world, self->cancel_every_us, cancel_one, NULL);
    sim_nemesis_start(&self->nemesis, world);
}

static void run(sim_drive *self)
{
    sim_world *world = &self->world;
    int64_t storm_us = world->weather.outage_until_us + STORM_US, until_us = self->options->until_ms * 1000;
    sim_run(world, until_us && until_us < storm_us ? until_us : storm_us, watch, NULL);
    sim_heal(world);
    self->calm_from_us = world->now_us + GRACE_US;
    if (!watch(world, NULL)) sim_run(world, world->now_us + CALM_US, watch, NULL);
    for (int i = 0; i < self->tracks_count && !world->failure[0]; i++)
        check_end(self, &self->tracks[i]);
}

bool sim_run_seed(const sim_scenario *scenario, const sim_run_options *options, sim_totals *sum,
                  char failure[SIM_FAILURE_BYTES], char condition[SIM_FAILURE_BYTES])
{
    sim_drive *self = leat_calloc(1, sizeof *self);
    LEAT_ASSERT(self);
    self->scenario = scenario;
    self->options = options;
    self->dice.random = options->seed * UINT64_C(0x9e3779b97f4a7c15) + 7;
    sim_weather weather = sim_draw_weather(&self->dice);
    sim_nemesis_draw(&self->nemesis, &self->dice);
    int jobs = scenario->set_number ? 1 + (int)sim_below(&self->dice, TRACKS_AT_ONCE_MAX) : 1;
    bool has_cancels = sim_below(&self->dice, 3) == 0 && scenario->set_number;
    self->cancel_every_us = has_cancels ? 400000 + (int64_t)sim_below(&self->dice, 2000000) : 0;
    sim_world_init(&self->world, options->seed, &weather);
    self->world.off = options->off;
    if (options->is_logged) leat_log_set_level(LEAT_LOG_DEBUG);
    self->master = self->world.master->process.generation;
    begin(self, jobs);
    run(self);
    add_up(self, sum);
    snprintf(failure, SIM_FAILURE_BYTES, "%s", self->world.failure);
    snprintf(condition, SIM_FAILURE_BYTES, "%s", failure[0] ? self->world.condition : "");
    sim_world_done(&self->world);
    for (int i = 0; i < self->tracks_count; i++) {
        if (scenario->done) scenario->done(self->tracks[i].plan);
        leat_free(self->tracks[i].plan);
    }
    leat_free(self);
    return !failure[0];
}
