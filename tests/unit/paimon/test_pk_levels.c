#include "tests/unit.h"

#include <stdio.h>

#include "paimon/pk/levels.h"

/* Sizes and decisions of the reference writer: fixture levels/lv (T = 3, 4 levels, amplification 1000 %, ratio 1 %). */

static leat_pk_options options_of(int32_t trigger, int32_t levels, int64_t amplification)
{
    return (leat_pk_options){
        .trigger = trigger, .levels_count = levels, .size_amplification = amplification, .size_ratio = 1};
}

typedef struct run {
    int32_t level;
    int64_t size;
} run;

/* Youngest first, as the picker sees them. */
static void add_runs(leat_pk_levels *levels, const leat_pk_options *options, const run *runs, size_t count)
{
    leat_error error = {0};
    leat_pk_levels_init(levels, options);
    for (size_t i = 0; i < count; i++) {
        leat_paimon_file meta = {.name = "f", .size_bytes = runs[i].size, .level = runs[i].level};
        meta.max_sequence = meta.min_sequence = (int64_t)(100 - i);
        leat_pk_file *file;
        assert_int_equal(leat_pk_file_copy(&meta, &file, &error), LEAT_OK);
        assert_int_equal(leat_pk_levels_add(levels, file, &error), LEAT_OK);
        leat_pk_file_unref(file);
    }
}

static leat_pk_unit pick(const leat_pk_options *options, const run *runs, size_t count)
{
    leat_error error = {0};
    leat_pk_levels levels;
    leat_pk_unit unit;
    add_runs(&levels, options, runs, count);
    assert_int_equal(leat_pk_levels_pick(&levels, options, &unit, &error), LEAT_OK);
    leat_pk_levels_done(&levels);
    return unit;
}

#define ASSERT_PICK(options, files, level, ...)                                                                        \
    do {                                                                                                               \
        const run runs_[] = {__VA_ARGS__};                                                                             \
        leat_pk_unit unit_ = pick(options, runs_, sizeof runs_ / sizeof runs_[0]);                                     \
        assert_int_equal(unit_.files_count, files);                                                                    \
        if (files) assert_int_equal(unit_.output_level, level);                                                        \
    } while (0)

static void runs_of_about_one_size_are_taken_together(void **state)
{
    (void)state;
    leat_pk_options options = options_of(3, 4, 1000);
    ASSERT_PICK(&options, 3, 3, {0, 6949}, {0, 6942}, {0, 6991});
    ASSERT_PICK(&options, 2, 2, {0, 1618}, {0, 1618}, {3, 15840});
    ASSERT_PICK(&options, 3, 2, {0, 1617}, {0, 1618}, {2, 1819}, {3, 15840});
}

static void a_run_that_is_much_smaller_than_the_next_waits(void **state)
{
    (void)state;
    leat_pk_options options = options_of(3, 4, 1000);
    ASSERT_PICK(&options, 0, 0, {0, 1618}, {2, 1819}, {3, 15840});
    ASSERT_PICK(&options, 0, 0, {0, 1618}, {3, 15840});
}

static void much_younger_data_is_merged_into_the_oldest(void **state)
{
    (void)state;
    leat_pk_options options = options_of(3, 4, 200);
    ASSERT_PICK(&options, 3, 3, {0, 100}, {0, 2000}, {3, 1000});
}

static void too_many_runs_are_reduced_whatever_their_sizes(void **state)
{
    (void)state;
    leat_pk_options options = options_of(3, 4, 100000);
    ASSERT_PICK(&options, 2, 1, {0, 10}, {0, 1000}, {2, 100000}, {3, 10000000});
    ASSERT_PICK(&options, 2, 1, {0, 10}, {0, 1000}, {2, 1000000}, {3, 10000000});
}

/* A full compaction of `young` runs of level 0 above one run on each of the levels, at most four at once. */
static leat_pk_unit first_round(size_t young, const int32_t *levels_with_files, size_t count)
{
    leat_error error = {0};
    leat_pk_options options = options_of(3, 4, 200);
    options.merge_runs_max = 4;
    leat_pk_levels levels;
    run runs[16];
    assert_true(young + count <= 16);
    for (size_t i = 0; i < young + count; i++)
        runs[i] = (run){i < young ? 0 : levels_with_files[i - young], 100};
    add_runs(&levels, &options, runs, young + count);
    leat_pk_unit unit = leat_pk_levels_pick_full(&levels);
    assert_int_equal(leat_pk_levels_bound(&levels, &options, &unit, &error), LEAT_OK);
    leat_pk_levels_done(&levels);
    return unit;
}

static void assert_unit(leat_pk_unit unit, size_t first, size_t files, int32_t level)
{
    assert_int_equal(unit.first, first);
    assert_int_equal(unit.files_count, files);
    assert_int_equal(unit.output_level, level);
}

static void more_runs_than_a_merge_may_hold_are_merged_in_rounds_oldest_first(void **state)
{
    (void)state;
    const int32_t all[] = {1, 2, 3};
    assert_unit(first_round(4, NULL, 0), 0, 4, 3);
    assert_unit(first_round(10, NULL, 0), 6, 4, 2); /* the top is for the last round */
    assert_unit(first_round(10, &all[2], 1), 6, 4, 2);
    assert_unit(first_round(6, &all[1], 2), 2, 4, 1);
    assert_unit(first_round(3, all, 3), 0, 4, 1); /* no level is free: with the lowest one */
    assert_unit(first_round(9, all, 3), 6, 4, 1);
    assert_unit(first_round(1, all, 3), 0, 4, 3);
}

static void a_full_compaction_has_nothing_to_do_at_the_top(void **state)
{
    (void)state;
    leat_error error = {0};
    leat_pk_options options = options_of(5, 6, 200);
    leat_pk_levels levels;
    leat_pk_file *file;
    leat_paimon_file meta = {.name = "f", .size_bytes = 1, .level = 5};
    leat_pk_levels_init(&levels, &options);
    assert_int_equal(leat_pk_levels_pick_full(&levels).files_count, 0);
    assert_int_equal(leat_pk_file_copy(&meta, &file, &error), LEAT_OK);
    assert_int_equal(leat_pk_levels_add(&levels, file, &error), LEAT_OK);
    leat_pk_file_unref(file);
    assert_int_equal(leat_pk_levels_pick_full(&levels).files_count, 0);
    meta.level = 0;
    assert_int_equal(leat_pk_file_copy(&meta, &file, &error), LEAT_OK);
    assert_int_equal(leat_pk_levels_add(&levels, file, &error), LEAT_OK);
    leat_pk_file_unref(file);
    leat_pk_unit unit = leat_pk_levels_pick_full(&levels);
    assert_int_equal(unit.files_count, 2);
    assert_int_equal(unit.output_level, 5);
    assert_int_equal(leat_pk_levels_runs_count(&levels), 2);
    leat_pk_levels_done(&levels);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(runs_of_about_one_size_are_taken_together),
        cmocka_unit_test(a_run_that_is_much_smaller_than_the_next_waits),
        cmocka_unit_test(much_younger_data_is_merged_into_the_oldest),
        cmocka_unit_test(more_runs_than_a_merge_may_hold_are_merged_in_rounds_oldest_first),
        cmocka_unit_test(too_many_runs_are_reduced_whatever_their_sizes),
        cmocka_unit_test(a_full_compaction_has_nothing_to_do_at_the_top),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
