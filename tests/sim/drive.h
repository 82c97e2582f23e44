/* What every simulation does: draw knobs from the seed, start a cluster, submit jobs, let the weather rage, look at the
 * result after each commit and at what must hold at any moment, heal, and ask for progress.
 *
 *   PROGRAM [--seeds N | --minutes M] [--first S] [--jobs J] [--known FILE] [--without SWITCH,…]
 *           [--until-ms T] [--verbose] [--log] [--plain]
 *
 * A seed counts only with at least 3 completed checkpoints and a failure after the first (a kill or a broken
 * connection). Exits 1 on the first broken seed, which is made smaller (what is not needed is turned off, the storm
 * ends sooner) and printed as the command that replays it. */
#pragma once

#include "common/bytes.h"
#include "tests/sim/world.h"

typedef struct sim_scenario {
    const char *name;
    size_t plan_bytes;
    /* Draws the job's plan; returns the rows of a bounded job, -1 of an endless one. */
    int64_t (*draw)(sim_world *dice, void *plan);
    /* Several jobs at once: the number tells their tables apart. Optional: then there is one job. */
    void (*set_number)(void *plan, int number);
    void (*add_kinds)(leat_registry *registry);
    leat_code (*make_graph)(sim_world *world, const void *plan, leat_bytes *out, leat_error *error);
    /* A job that gets in the way, submitted after the first. Optional; an empty graph: none. */
    leat_code (*make_foreign_graph)(sim_world *world, const void *plan, leat_bytes *out, leat_error *error);
    /* Whether the job may end with this error, and looks at what it has left. Optional: it may not. */
    bool (*may_fail)(sim_world *world, const void *plan, const char *error);
    /* Looks at what is committed; *rows: how many rows of the source it holds. */
    void (*check)(sim_world *world, const void *plan, int64_t *rows);
    /* After healing, of an endless job: whether what it is after has been reached. Optional: progress is enough. */
    bool (*has_settled)(sim_world *world, const void *plan);
    /* Whether storage has lost what it had acknowledged: then the job may go back to an older checkpoint. Optional. */
    bool (*has_damage)(sim_world *world, const void *plan);
    void (*done)(void *plan); /* frees what draw made; optional */
    int64_t checkpoint_ms;    /* what a checkpoint takes in good weather: its timeout is never less */
    bool has_news;            /* somebody follows what the job commits: of all seeds, some must have heard of it */
} sim_scenario;

/* What one seed was, or all of them. */
typedef struct sim_totals {
    int64_t seeds, counted, restarts, checkpoints, rows, jobs, conflicts, failed;
    sim_counts counts;
} sim_totals;

typedef struct sim_run_options {
    uint64_t seed, off; /* bits of faults, and of knobs from SIM_KNOBS_FIRST_BIT */
    int64_t until_ms;   /* the storm ends then; 0: when it will */
    bool is_logged;     /* what the processes log goes to stderr */
} sim_run_options;

enum { SIM_FAILURE_BYTES = 512 };

/* Runs one seed. False: something broke, `failure` says what, `condition` what of all invariants. */
bool sim_run_seed(const sim_scenario *scenario, const sim_run_options *options, sim_totals *sum,
                  char failure[SIM_FAILURE_BYTES], char condition[SIM_FAILURE_BYTES]);
int sim_main(int argc, char **argv, const sim_scenario *scenario);
