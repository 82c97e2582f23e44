/* sim-tables: Paimon tables (tables.h) written under crashes, broken and slow connections, sick storage; many seeds
 * (drive.h). One job writes one table, or two, into which another job may write as well: then commits conflict. */
#include <string.h>

#include "tests/sim/drive.h"
#include "tests/sim/tables.h"

typedef struct plan {
    sim_table tables[2], foreign[2];
    int tables_count, foreign_count;
    int64_t retained, expire_us; /* another engine leaves so many snapshots, about so often; 0: all */
} plan;

static sim_table draw_table(sim_world *dice, const char *name)
{
    return (sim_table){.name = name,
                       .kind = (sim_table_kind)sim_below(dice, SIM_TABLE_KINDS),
                       .keys = 1 + (int32_t)sim_below(dice, 40),
                       .sink_parallelism = 1 + (int32_t)sim_below(dice, 3),
                       .rows_per_second = 300 + (int64_t)sim_below(dice, 2000),
                       .has_changelog = sim_below(dice, 2) == 0,
                       .buckets = 1 + (int32_t)sim_below(dice, 4),
                       .levels = 2 + (int32_t)sim_below(dice, 4),
                       .amplification = sim_below(dice, 2) ? 200 : 1000000,
                       .rows_count = -1,
                       .chain = sim_chain_new(),
                       .follower = sim_follower_new()};
}

/* Two jobs that give new keys buckets: they conflict until all keys have one. */
static void draw_foreign(sim_world *dice, plan *self)
{
    self->tables[0].keys = self->tables[1].keys = 20 + (int32_t)sim_below(dice, 150);
    for (int i = 0; i < self->tables_count; i++) {
        if (self->tables[i].kind != SIM_TABLE_AGGREGATION_DYNAMIC) continue;
        sim_table *foreign = &self->foreign[self->foreign_count++];
        *foreign = self->tables[i];
        foreign->is_foreign = true;
        foreign->is_compacting = sim_below(dice, 3) == 0;
        foreign->keys = self->tables[0].keys;
        foreign->rows_per_second = 100 + (int64_t)sim_below(dice, 1000);
        foreign->rows_count = 300 + (int64_t)sim_below(dice, 3000);
    }
}

static int64_t draw(sim_world *dice, void *arg)
{
    plan *self = arg;
    self->tables_count = 1;
    /* Not so few that a job's last commit is gone before the job knows that it was done. */
    self->retained = 8 + (int64_t)sim_below(dice, 8);
    self->expire_us = sim_below(dice, 2) ? 50000 + (int64_t)sim_below(dice, 1000000) : 0;
    self->tables[0] = draw_table(dice, "t");
    if (sim_below(dice, 4) == 0) self->tables[0].rows_count = 300 + (int64_t)sim_below(dice, 4000);
    if (sim_below(dice, 3) == 0) {
        self->tables[self->tables_count++] = draw_table(dice, "u");
        draw_foreign(dice, self);
    }
    return self->tables[0].rows_count;
}

static void expire(sim_world *world, void *arg)
{
    const plan *self = arg;
    if (world->taskmanagers_count == 0) return; /* the world is being taken down */
    for (int i = 0; i < self->tables_count; i++)
        sim_table_expire(world, &self->tables[i], self->retained);
    sim_after(world, 1 + (int64_t)sim_below(world, (uint64_t)self->expire_us * 2), expire, arg);
}

static leat_code make_graph(sim_world *world, const void *arg, leat_bytes *out, leat_error *error)
{
    const plan *self = arg;
    if (self->expire_us) sim_after(world, self->expire_us, expire, (void *)(uintptr_t)self);
    return sim_tables_graph(world, self->tables, self->tables_count, out, error);
}

static leat_code make_foreign_graph(sim_world *world, const void *arg, leat_bytes *out, leat_error *error)
{
    const plan *self = arg;
    return self->foreign_count ? sim_tables_graph(world, self->foreign, self->foreign_count, out, error) : LEAT_OK;
}

/* After a commit of the job both tables hold the same rows. */
static void check(sim_world *world, const void *arg, int64_t *rows)
{
    const plan *self = arg;
    sim_table_check(world, &self->tables[0], rows);
    if (self->tables_count == 1) return;
    int64_t others;
    sim_table_check(world, &self->tables[1], &others);
    SIM_REQUIRE(world, others == *rows, "%lld rows in one table, %lld in the other", (long long)*rows,
                (long long)others);
}

/* With two tables of which each may conflict, one may have committed when the other can't. And a job manager that
 * begins may find that the job's last commit was expired, or that another job was in the way of the first: then nobody
 * knows where to begin. Nothing is doubled. */
static bool may_fail(sim_world *world, const void *arg, const char *error)
{
    const plan *self = arg;
    bool may_conflict = self->tables_count == 2 && self->foreign_count > 0;
    for (int i = 0; i < self->tables_count; i++)
        may_conflict = may_conflict && self->tables[i].kind != SIM_TABLE_APPEND;
    bool is_new = world->counts.faults[SIM_MASTER_KILL] > 0 && (self->expire_us || self->foreign_count);
    bool is_torn = strstr(error, "and can't be in"),
         has_none = strstr(error, "can't be committed, and there is no older");
    if (!(may_conflict && is_torn) && !(is_new && (is_torn || has_none))) return false;
    int64_t rows;
    for (int i = 0; i < self->tables_count; i++)
        sim_table_check(world, &self->tables[i], &rows);
    return true;
}

static void done(void *arg)
{
    plan *self = arg;
    for (int i = 0; i < self->tables_count; i++) {
        sim_chain_free(self->tables[i].chain);
        sim_follower_free(self->tables[i].follower);
    }
}

int main(int argc, char **argv)
{
    static const sim_scenario scenario = {.name = "sim-tables",
                                          .plan_bytes = sizeof(plan),
                                          .draw = draw,
                                          .add_kinds = sim_tables_register,
                                          .make_graph = make_graph,
                                          .make_foreign_graph = make_foreign_graph,
                                          .may_fail = may_fail,
                                          .check = check,
                                          .done = done,
                                          .checkpoint_ms = 1000};
    return sim_main(argc, argv, &scenario);
}
