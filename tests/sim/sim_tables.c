/* sim-tables: Paimon tables (tables.h) written under crashes, broken and slow connections, sick storage; many seeds
 * (drive.h). */
#include "tests/sim/drive.h"
#include "tests/sim/tables.h"

static int64_t draw(sim_world *dice, void *plan)
{
    sim_table *table = plan;
    *table = (sim_table){.kind = (sim_table_kind)sim_below(dice, SIM_TABLE_KINDS),
                         .keys = 1 + (int32_t)sim_below(dice, 40),
                         .sink_parallelism = 1 + (int32_t)sim_below(dice, 3),
                         .rows_per_second = 300 + (int64_t)sim_below(dice, 2000),
                         .has_changelog = sim_below(dice, 2) == 0,
                         .buckets = 1 + (int32_t)sim_below(dice, 4)};
    table->rows_count = sim_below(dice, 4) == 0 ? 300 + (int64_t)sim_below(dice, 4000) : -1;
    return table->rows_count;
}

static leat_code make_graph(sim_world *world, const void *plan, leat_bytes *out, leat_error *error)
{
    return sim_table_graph(world, plan, out, error);
}

static void check(sim_world *world, const void *plan, int64_t *rows)
{
    sim_table_check(world, plan, rows);
}

int main(int argc, char **argv)
{
    static const sim_scenario scenario = {.name = "sim-tables",
                                          .plan_bytes = sizeof(sim_table),
                                          .draw = draw,
                                          .add_kinds = sim_tables_register,
                                          .make_graph = make_graph,
                                          .check = check};
    return sim_main(argc, argv, &scenario);
}
