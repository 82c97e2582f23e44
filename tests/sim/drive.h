/* What every simulation does: draw knobs from the seed, start a cluster, submit a job, let the weather rage, look at
 * the result after each commit, heal, and ask for progress.
 *
 *   PROGRAM [--seeds N] [--first S] [--verbose]
 *
 * A seed counts only with at least 3 completed checkpoints and a failure after the first (a kill or a broken
 * connection). Exits 1 on the first broken seed, which it prints with the command that replays it. */
#pragma once

#include "common/bytes.h"
#include "tests/sim/world.h"

typedef struct sim_drive sim_drive;

typedef struct sim_scenario {
    const char *name;
    size_t plan_bytes;
    /* Draws the job's plan; returns the rows of a bounded job, -1 of an endless one. */
    int64_t (*draw)(sim_world *dice, void *plan);
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
    bool has_news;            /* somebody follows what the job commits: of all seeds, some must have heard of it */
} sim_scenario;

int sim_main(int argc, char **argv, const sim_scenario *scenario);
