/* sim-counting: the counting job (counting.h) under crashes, broken and slow connections, sick storage; many seeds
 * (drive.h). */
#include "tests/sim/counting.h"
#include "tests/sim/drive.h"

static int64_t draw(sim_world *dice, void *plan)
{
    sim_counting *job = plan;
    *job = (sim_counting){.source_parallelism = 1 + (int32_t)sim_below(dice, 3),
                          .count_parallelism = 1 + (int32_t)sim_below(dice, 3),
                          .sink_parallelism = 1 + (int32_t)sim_below(dice, 3),
                          .rows_per_second = 500 + (int64_t)sim_below(dice, 4000)};
    /* A quarter of the jobs is bounded: they must end, with every row, and with the final checkpoint. */
    bool is_bounded = sim_below(dice, 4) == 0;
    job->rows_count = is_bounded ? 500 + (int64_t)sim_below(dice, 12000) : -1;
    job->split_rows = sim_below(dice, 2) ? 20 + (int64_t)sim_below(dice, 400) : 0;
    job->sources = job->split_rows ? 1 + (int32_t)sim_below(dice, 2) : 1;
    job->batch_rows = 1 << sim_below(dice, 9);
    return job->rows_count;
}

static void set_number(void *plan, int number)
{
    ((sim_counting *)plan)->number = number;
}

static leat_code make_graph(sim_world *world, const void *plan, leat_bytes *out, leat_error *error)
{
    (void)world;
    return sim_counting_graph(plan, out, error);
}

static void check(sim_world *world, const void *plan, int64_t *rows)
{
    sim_counting_check(world, plan, rows);
}

int main(int argc, char **argv)
{
    static const sim_scenario scenario = {.name = "sim-counting",
                                          .plan_bytes = sizeof(sim_counting),
                                          .draw = draw,
                                          .set_number = set_number,
                                          .add_kinds = sim_counting_register,
                                          .make_graph = make_graph,
                                          .check = check,
                                          .checkpoint_ms = 60,
                                          .has_news = true};
    return sim_main(argc, argv, &scenario);
}
