#include "tests/unit/operators/harness.h"

#include "operators/calc.h"
#include "operators/collect.h"
#include "operators/limit.h"
#include "operators/not_null.h"
#include "operators/sort.h"
#include "operators/values.h"

static leat_field fields[] = {
    {"k", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"v", {.kind = LEAT_TYPE_INT, .nullable = true}},
};
static const leat_schema input = {2, fields};

static leat_expr k_column, v_column, five;
static const leat_expr *sum_arguments[2], *more_arguments[2];
static leat_expr sum, is_more;

static void make_exprs(void)
{
    k_column = (leat_expr){.kind = LEAT_EXPR_COLUMN, .type = fields[0].type, .column = 0};
    v_column = (leat_expr){.kind = LEAT_EXPR_COLUMN, .type = fields[1].type, .column = 1};
    five = (leat_expr){.kind = LEAT_EXPR_LITERAL, .type = leat_type_make(LEAT_TYPE_INT, false), .value = {.i64 = 5}};
    sum_arguments[0] = &v_column, sum_arguments[1] = &five;
    sum = (leat_expr){.kind = LEAT_EXPR_CALL,
                      .type = fields[1].type,
                      .function = "+",
                      .arguments = sum_arguments,
                      .arguments_count = 2};
    more_arguments[0] = &v_column, more_arguments[1] = &five;
    is_more = (leat_expr){.kind = LEAT_EXPR_CALL,
                          .type = leat_type_make(LEAT_TYPE_BOOLEAN, true),
                          .function = ">",
                          .arguments = more_arguments,
                          .arguments_count = 2};
}

static void calc_filters_then_computes_and_keeps_kinds(void **state)
{
    (void)state;
    make_exprs();
    leat_field out_fields[] = {{"s", fields[1].type}, {"k", fields[0].type}, {"five", five.type}};
    leat_schema output = {3, out_fields};
    const leat_expr *exprs[] = {&sum, &k_column, &five};
    leat_calc_config config = {.input = input, .condition = &is_more, .exprs = exprs, .exprs_count = 3};
    leat_bytes bytes = {0};
    leat_calc_config_write(&config, &bytes);
    harness test = {0};
    harness_start(&test, &leat_calc_factory, &bytes, &output, NULL);
    harness_process(&test, harness_batch(&input, "+I a 6;-U b 5;-D c 7;+U d NULL;+U NULL 9"));
    harness_expect(&test, "+I[11, a, 5]\n-D[12, c, 5]\n+U[14, NULL, 5]\n");
    harness_process(&test, harness_batch(&input, "+I a 1"));
    harness_expect(&test, "");
    harness_stop(&test);
    leat_bytes_done(&bytes);
}

static void calc_without_projection_keeps_the_columns(void **state)
{
    (void)state;
    make_exprs();
    leat_calc_config config = {.input = input, .condition = &is_more, .keeps_columns = true};
    leat_bytes bytes = {0};
    leat_calc_config_write(&config, &bytes);
    harness test = {0};
    harness_start(&test, &leat_calc_factory, &bytes, &input, NULL);
    harness_process(&test, harness_batch(&input, "+I a 6;+I b 5"));
    harness_expect(&test, "+I[a, 6]\n");
    harness_stop(&test);
    leat_bytes_done(&bytes);
}

static void limit_counts_over_batches_and_restores(void **state)
{
    (void)state;
    leat_limit_config config = {.offset = 1, .limit = 3};
    leat_bytes bytes = {0};
    leat_limit_config_write(&config, &bytes);
    harness test = {0};
    harness_start(&test, &leat_limit_factory, &bytes, &input, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1;+I b 2"));
    harness_expect(&test, "+I[b, 2]\n");
    leat_bytes saved = harness_snapshot(&test);
    harness_stop(&test);
    leat_restored_part part = {0, 1, saved.data, saved.size};
    leat_restored restored = {1, &part, 1};
    harness again = {0};
    harness_start(&again, &leat_limit_factory, &bytes, &input, &restored);
    harness_process(&again, harness_batch(&input, "+I c 3;+I d 4;+I e 5"));
    harness_process(&again, harness_batch(&input, "+I f 6"));
    harness_expect(&again, "+I[c, 3]\n+I[d, 4]\n");
    harness_stop(&again);
    leat_bytes_done(&saved);
    leat_bytes_done(&bytes);
}

static void nulls_in_a_not_null_column_fail_or_are_dropped(void **state)
{
    (void)state;
    static const int32_t columns[] = {1};
    static const char *const names[] = {"v"};
    for (int action = LEAT_NOT_NULL_ERROR; action <= LEAT_NOT_NULL_DROP; action++) {
        leat_not_null_config config = {
            .action = (leat_not_null_action)action, .columns = columns, .columns_count = 1, .names = names};
        leat_bytes bytes = {0};
        leat_not_null_config_write(&config, &bytes);
        harness test = {0};
        harness_start(&test, &leat_not_null_factory, &bytes, &input, NULL);
        leat_error error = {0};
        leat_code code = harness_process_code(&test, harness_batch(&input, "+I a 1;+I b NULL;+I NULL 3"), &error);
        if (action == LEAT_NOT_NULL_DROP) {
            harness_expect(&test, "+I[a, 1]\n+I[NULL, 3]\n");
        } else {
            assert_int_equal(code, LEAT_INVALID);
            assert_non_null(
                strstr(error.text, "Column 'v' is NOT NULL, however, a null value is being written into it"));
        }
        harness_stop(&test);
        leat_bytes_done(&bytes);
    }
}

static void sort_is_stable_and_knows_where_nulls_go(void **state)
{
    (void)state;
    leat_sort_key keys[] = {{.column = 1, .is_descending = true, .nulls_last = true}};
    leat_sort_config config = {.input = input, .keys = keys, .keys_count = 1, .limit = -1};
    leat_bytes bytes = {0};
    leat_sort_config_write(&config, &bytes);
    harness test = {.context = {.is_batch = true}};
    harness_start(&test, &leat_sort_factory, &bytes, &input, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1;+I b NULL;+I c 3"));
    harness_process(&test, harness_batch(&input, "+I d 3;+I e 1;+I f 2"));
    harness_end(&test);
    harness_expect(&test, "+I[c, 3]\n+I[d, 3]\n+I[f, 2]\n+I[a, 1]\n+I[e, 1]\n+I[b, NULL]\n");
    harness_stop(&test);
    leat_bytes_done(&bytes);
}

static void sort_with_a_limit_keeps_the_best_of_many(void **state)
{
    (void)state;
    leat_sort_key keys[] = {{.column = 1}};
    leat_sort_config config = {.input = input, .keys = keys, .keys_count = 1, .offset = 1, .limit = 2};
    leat_bytes bytes = {0};
    leat_sort_config_write(&config, &bytes);
    harness test = {.context = {.is_batch = true}};
    harness_start(&test, &leat_sort_factory, &bytes, &input, NULL);
    for (int b = 0; b < 300; b++) {
        char text[4096] = "", *at = text;
        for (int i = 0; i < 100; i++)
            at += snprintf(at, (size_t)(text + sizeof text - at), "+I x %d;", 100000 - b * 100 - i);
        harness_process(&test, harness_batch(&input, text));
    }
    harness_end(&test);
    harness_expect(&test, "+I[x, 70002]\n+I[x, 70003]\n");
    harness_stop(&test);
    leat_bytes_done(&bytes);
}

static void values_come_once_from_the_first_subtask(void **state)
{
    (void)state;
    make_exprs();
    leat_expr text = {
        .kind = LEAT_EXPR_LITERAL, .type = fields[0].type, .value = {.text = {"a text of more than twelve", 26}}};
    leat_expr null = {.kind = LEAT_EXPR_LITERAL, .type = fields[0].type, .value = {.is_null = true}};
    leat_expr nested[] = {sum};
    const leat_expr *arguments[] = {&five, &five};
    nested[0].arguments = arguments;
    const leat_expr *exprs[] = {&text, &five, &null, &nested[0]};
    leat_values_config config = {.output = input, .rows_count = 2, .exprs = exprs};
    leat_bytes bytes = {0};
    leat_values_config_write(&config, &bytes);
    for (int subtask = 0; subtask < 2; subtask++) {
        harness test = {.context = {.subtask = subtask, .parallelism = 2}};
        harness_start(&test, &leat_values_factory, &bytes, &input, NULL);
        leat_source_status status = LEAT_SOURCE_MORE;
        leat_error error = {0};
        while (status != LEAT_SOURCE_END) {
            assert_int_equal(test.operator->vtable->produce(test.operator, & status, &error), LEAT_OK);
        }
        harness_expect(&test, subtask ? "" : "+I[a text of more than twelve, 5]\n+I[NULL, 10]\n");
        harness_stop(&test);
    }
    leat_bytes_done(&bytes);
}

static void collect_waits_for_its_window(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    harness test = {.is_window_full = true};
    harness_start(&test, &leat_collect_factory, &bytes, &input, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1"));
    assert_false(test.operator->vtable->has_room(test.operator));
    assert_true(test.operator->vtable->is_waiting(test.operator));
    harness_wake_up(&test);
    harness_expect(&test, "");
    test.is_window_full = false;
    harness_wake_up(&test);
    harness_expect(&test, "+I[a, 1]\n");
    assert_false(test.operator->vtable->is_waiting(test.operator));
    harness_end(&test);
    assert_true(test.has_ended);
    harness_stop(&test);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    make_exprs();
    const leat_expr *exprs[] = {&sum, &k_column, &five};
    leat_calc_config calc = {.input = input, .condition = &is_more, .exprs = exprs, .exprs_count = 3};
    leat_sort_key keys[] = {{.column = 1}};
    leat_sort_config sort = {.input = input, .keys = keys, .keys_count = 1, .limit = 1};
    leat_limit_config limit = {.offset = 1, .limit = 1};
    leat_bytes configs[3] = {{0}, {0}, {0}};
    leat_calc_config_write(&calc, &configs[0]);
    leat_sort_config_write(&sort, &configs[1]);
    leat_limit_config_write(&limit, &configs[2]);
    const leat_operator_factory *factories[] = {&leat_calc_factory, &leat_sort_factory, &leat_limit_factory};
    leat_batch *batches[] = {harness_batch(&input, "+I a 7;+I a_key_that_is_longer_than_a_view 9;+I c NULL")};
    leat_operator_context context = {.is_batch = true};
    for (int i = 0; i < 3; i++) {
        harness_fail_allocations(factories[i], &context, NULL, &configs[i], batches, 1);
        leat_bytes_done(&configs[i]);
    }
    leat_batch_free(batches[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calc_filters_then_computes_and_keeps_kinds),
        cmocka_unit_test(calc_without_projection_keeps_the_columns),
        cmocka_unit_test(limit_counts_over_batches_and_restores),
        cmocka_unit_test(nulls_in_a_not_null_column_fail_or_are_dropped),
        cmocka_unit_test(sort_is_stable_and_knows_where_nulls_go),
        cmocka_unit_test(sort_with_a_limit_keeps_the_best_of_many),
        cmocka_unit_test(values_come_once_from_the_first_subtask),
        cmocka_unit_test(collect_waits_for_its_window),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
