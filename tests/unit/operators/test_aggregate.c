#include "tests/unit/operators/harness.h"

#include "operators/aggregate.h"

static leat_field fields[] = {
    {"k", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"v", {.kind = LEAT_TYPE_INT, .nullable = true}},
};
static const leat_schema input = {2, fields};

static leat_field out_fields[8];
static leat_schema output = {0, out_fields};

/* COUNT(*), SUM, MIN, MAX, AVG, COUNT(DISTINCT) of v by k (or of everything). */
static leat_bytes make_folding_config(bool is_keyed, bool has_retractions, leat_aggregate_output kind,
                                      bool folds_batches)
{
    static const int32_t keys[] = {0};
    static const char *const names[] = {"COUNT", "SUM", "MIN", "MAX", "AVG", "COUNT"};
    leat_aggregate_call calls[6];
    leat_error error = {0};
    output.fields_count = 0;
    if (is_keyed) out_fields[output.fields_count++] = fields[0];
    for (int i = 0; i < 6; i++) {
        const leat_type *argument = i == 0 ? NULL : &fields[1].type;
        assert_int_equal(leat_aggregate_resolve(names[i], argument, !is_keyed, &calls[i], &error), LEAT_OK);
        calls[i].column = i == 0 ? -1 : 1;
        calls[i].is_distinct = i == 5;
        out_fields[output.fields_count++] = (leat_field){names[i], calls[i].type};
    }
    leat_aggregate_config config = {.input = input,
                                    .keys = keys,
                                    .keys_count = is_keyed,
                                    .calls = calls,
                                    .calls_count = 6,
                                    .has_retractions = has_retractions,
                                    .output = kind,
                                    .folds_batches = folds_batches};
    leat_bytes bytes = {0};
    leat_aggregate_config_write(&config, &bytes);
    assert_false(bytes.failed);
    return bytes;
}

static leat_bytes make_config(bool is_keyed, bool has_retractions, leat_aggregate_output kind)
{
    return make_folding_config(is_keyed, has_retractions, kind, false);
}

static void every_row_makes_its_change(void **state)
{
    (void)state;
    harness test = {0};
    leat_bytes config = make_config(true, false, LEAT_AGGREGATE_RETRACT);
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1;+I b 5;+I a 4;+I NULL NULL;+I a NULL"));
    harness_expect(&test, "+I[a, 1, 1, 1, 1, 1, 1]\n+I[b, 1, 5, 5, 5, 5, 1]\n"
                          "-U[a, 1, 1, 1, 1, 1, 1]\n+U[a, 2, 5, 1, 4, 2, 2]\n"
                          "+I[NULL, 1, NULL, NULL, NULL, NULL, 0]\n"
                          "-U[a, 2, 5, 1, 4, 2, 2]\n+U[a, 3, 5, 1, 4, 2, 2]\n");
    harness_process(&test, harness_batch(&input, "+I b 5"));
    harness_expect(&test, "-U[b, 1, 5, 5, 5, 5, 1]\n+U[b, 2, 10, 5, 5, 5, 1]\n");
    harness_stop(&test);
    leat_bytes_done(&config);
}

static void a_folding_aggregate_says_a_group_once_a_batch(void **state)
{
    (void)state;
    harness test = {0};
    leat_bytes config = make_folding_config(true, false, LEAT_AGGREGATE_RETRACT, true);
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1;+I b 5;+I a 4;+I a NULL"));
    harness_expect(&test, "+I[a, 3, 5, 1, 4, 2, 2]\n+I[b, 1, 5, 5, 5, 5, 1]\n");
    harness_process(&test, harness_batch(&input, "+I b 5;+I NULL NULL"));
    harness_expect(&test,
                   "-U[b, 1, 5, 5, 5, 5, 1]\n+U[b, 2, 10, 5, 5, 5, 1]\n+I[NULL, 1, NULL, NULL, NULL, NULL, 0]\n");
    harness_stop(&test);
    leat_bytes_done(&config);
}

/* It goes with −D and comes back with +I, all in one batch, and forgets what it was. */
static void a_group_may_empty_and_come_back_within_a_batch(void **state)
{
    (void)state;
    harness test = {0};
    leat_bytes config = make_config(true, true, LEAT_AGGREGATE_RETRACT);
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1;-D a 1;+I b 2;+I a 7;-D b 2"));
    harness_expect(&test, "+I[a, 1, 1, 1, 1, 1, 1]\n-D[a, 1, 1, 1, 1, 1, 1]\n+I[b, 1, 2, 2, 2, 2, 1]\n"
                          "+I[a, 1, 7, 7, 7, 7, 1]\n-D[b, 1, 2, 2, 2, 2, 1]\n");
    harness_process(&test, harness_batch(&input, "+I b 3"));
    harness_expect(&test, "+I[b, 1, 3, 3, 3, 3, 1]\n");
    harness_stop(&test);
    leat_bytes_done(&config);
}

/* A full batch makes almost two batches of changes: the rest comes when it is resumed, and each old row is the group's
 * newest row before it. */
static void a_full_batch_is_said_in_steps(void **state)
{
    (void)state;
    enum { KEYS = 7, ROWS = LEAT_BATCH_ROWS_MAX };
    leat_layout layouts[] = {LEAT_LAYOUT_VIEW, LEAT_LAYOUT_32};
    leat_batch_builder builder;
    leat_error error = {0};
    assert_int_equal(leat_batch_builder_init(&builder, layouts, 2, ROWS, &error), LEAT_OK);
    for (int32_t i = 0; i < ROWS; i++) {
        char key[40];
        int length = snprintf(key, sizeof key, "a key beyond a view's room %d", i % KEYS);
        assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, &error), LEAT_OK);
        assert_int_equal(leat_batch_builder_set_bytes(&builder, 0, key, (size_t)length, &error), LEAT_OK);
        leat_batch_builder_set_fixed(&builder, 1, &i);
    }
    leat_batch *batch;
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, &error), LEAT_OK);
    leat_batch_builder_done(&builder);
    harness test = {0};
    leat_bytes config = make_config(true, true, LEAT_AGGREGATE_RETRACT);
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    harness_process(&test, batch);
    assert_int_equal(test.rows, 2 * ROWS - KEYS);
    static char last[KEYS][120];
    memset(last, 0, sizeof last);
    leat_bytes_put_u8(&test.lines, 0);
    char *rest = NULL;
    for (char *line = strtok_r((char *)test.lines.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int key;
        assert_int_equal(sscanf(line + 2, "[a key beyond a view's room %d,", &key), 1);
        if (strncmp(line, "-U", 2) == 0) assert_string_equal(line + 2, last[key]);
        snprintf(last[key], sizeof last[key], "%s", line + 2);
    }
    assert_string_equal(last[0], "[a key beyond a view's room 0, 1171, 4795245, 0, 8190, 4095, 1171]");
    harness_stop(&test);
    leat_bytes_done(&config);
}

static void an_upsert_output_leaves_out_what_was(void **state)
{
    (void)state;
    harness test = {0};
    leat_bytes config = make_config(true, false, LEAT_AGGREGATE_UPSERT);
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1"));
    harness_process(&test, harness_batch(&input, "+I a 2"));
    harness_expect(&test, "+I[a, 1, 1, 1, 1, 1, 1]\n+U[a, 2, 3, 1, 2, 1, 2]\n");
    harness_stop(&test);
    leat_bytes_done(&config);
}

static void rows_taken_away_bring_back_the_second_best(void **state)
{
    (void)state;
    harness test = {0};
    leat_bytes config = make_config(true, true, LEAT_AGGREGATE_RETRACT);
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1;+I a 9;+I a 9"));
    leat_bytes_reset(&test.lines);
    harness_process(&test, harness_batch(&input, "-D a 9"));
    harness_expect(&test, "-U[a, 3, 19, 1, 9, 6, 2]\n+U[a, 2, 10, 1, 9, 5, 2]\n");
    harness_process(&test, harness_batch(&input, "-U a 9;+U a 9"));
    harness_expect(&test, "-U[a, 2, 10, 1, 9, 5, 2]\n+U[a, 1, 1, 1, 1, 1, 1]\n"
                          "-U[a, 1, 1, 1, 1, 1, 1]\n+U[a, 2, 10, 1, 9, 5, 2]\n");
    harness_process(&test, harness_batch(&input, "-D a 9"));
    harness_expect(&test, "-U[a, 2, 10, 1, 9, 5, 2]\n+U[a, 1, 1, 1, 1, 1, 1]\n");
    harness_process(&test, harness_batch(&input, "-D a 1"));
    harness_process(&test, harness_batch(&input, "+I a 7"));
    harness_expect(&test, "-D[a, 1, 1, 1, 1, 1, 1]\n+I[a, 1, 7, 7, 7, 7, 1]\n");
    harness_stop(&test);
    leat_bytes_done(&config);
}

static void a_global_aggregate_over_nothing_is_a_row_in_batch_only(void **state)
{
    (void)state;
    for (int is_batch = 0; is_batch < 2; is_batch++) {
        harness test = {.context = {.is_batch = is_batch}};
        leat_bytes config = make_config(false, false, LEAT_AGGREGATE_RETRACT);
        harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
        harness_end(&test);
        harness_expect(&test, is_batch ? "+I[0, NULL, NULL, NULL, NULL, 0]\n" : "");
        harness_stop(&test);
        leat_bytes_done(&config);
    }
}

static void a_batch_job_says_each_group_once_at_the_end(void **state)
{
    (void)state;
    harness test = {.context = {.is_batch = true}};
    leat_bytes config = make_config(true, false, LEAT_AGGREGATE_RETRACT);
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    harness_process(&test, harness_batch(&input, "+I a 1;+I b 5"));
    harness_process(&test, harness_batch(&input, "+I a 2"));
    harness_expect(&test, "");
    harness_end(&test);
    harness_expect(&test, "+I[a, 2, 3, 1, 2, 1, 2]\n+I[b, 1, 5, 5, 5, 5, 1]\n");
    harness_stop(&test);
    leat_bytes_done(&config);
}

/* Random changes over many groups; sums against a table of the test, with a rescale from 1 to 3 subtasks in the middle.
 */
static void state_follows_its_key_groups_through_a_rescale(void **state)
{
    (void)state;
    enum { KEYS = 500, SUBTASKS = 3 };
    static int64_t counts[KEYS], sums[KEYS];
    memset(counts, 0, sizeof counts);
    memset(sums, 0, sizeof sums);
    leat_bytes config = make_config(true, true, LEAT_AGGREGATE_RETRACT);
    harness one = {0};
    harness_start(&one, &leat_aggregate_factory, &config, NULL, NULL);
    unsigned seed = 7;
    for (int b = 0; b < 20; b++) {
        char text[4096] = "", *at = text;
        for (int i = 0; i < 200; i++) {
            seed = seed * 1103515245 + 12345;
            int key = (int)(seed >> 16) % KEYS, value = (int)(seed >> 8) % 100;
            counts[key]++;
            sums[key] += value;
            at += snprintf(at, (size_t)(text + sizeof text - at), "+I k%d %d;", key, value);
        }
        harness_process(&one, harness_batch(&input, text));
    }
    leat_bytes saved = harness_snapshot(&one);
    harness_stop(&one);
    leat_restored_part part = {0, 1, saved.data, saved.size};
    leat_restored restored = {1, &part, 1};
    int64_t found = 0;
    for (int s = 0; s < SUBTASKS; s++) {
        /* As a batch job: it says all its groups at the end. */
        harness test = {.context = {.is_batch = true, .subtask = s, .parallelism = SUBTASKS}};
        harness_start(&test, &leat_aggregate_factory, &config, &output, &restored);
        harness_end(&test);
        char *rest, *lines = (char *)test.lines.data;
        for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            int key;
            long long count, sum;
            assert_int_equal(sscanf(line, "+I[k%d, %lld, %lld", &key, &count, &sum), 3);
            assert_int_equal(count, counts[key]);
            assert_int_equal(sum, sums[key]);
            found++;
        }
        harness_stop(&test);
    }
    int64_t expected = 0;
    for (int k = 0; k < KEYS; k++)
        expected += counts[k] > 0;
    assert_int_equal(found, expected);
    leat_bytes_done(&saved);
    leat_bytes_done(&config);
}

/* MIN and MAX against the obvious scan, while values come and go. */
static void extremes_with_retractions_match_a_scan(void **state)
{
    (void)state;
    enum { VALUES = 64 };
    int have[VALUES] = {0};
    leat_bytes config = make_config(false, true, LEAT_AGGREGATE_UPSERT);
    harness test = {0};
    harness_start(&test, &leat_aggregate_factory, &config, &output, NULL);
    unsigned seed = 3;
    int total = 0;
    for (int step = 0; step < 2000; step++) {
        seed = seed * 1103515245 + 12345;
        int value = (int)(seed >> 16) % VALUES;
        bool takes = have[value] > 0 && (seed >> 9) % 2;
        char text[64];
        snprintf(text, sizeof text, "%s x %d", takes ? "-D" : "+I", value);
        have[value] += takes ? -1 : 1;
        total += takes ? -1 : 1;
        harness_process(&test, harness_batch(&input, text));
        int least = -1, greatest = -1, distinct = 0;
        for (int v = 0; v < VALUES; v++) {
            if (!have[v]) continue;
            if (least < 0) least = v;
            greatest = v;
            distinct++;
        }
        if (total > 0 && test.lines.size) {
            long long count, sum, min, max, average, values;
            int n = sscanf((char *)test.lines.data + 2, "[%lld, %lld, %lld, %lld, %lld, %lld", &count, &sum, &min, &max,
                           &average, &values);
            assert_int_equal(n, 6);
            assert_int_equal(count, total);
            assert_int_equal(min, least);
            assert_int_equal(max, greatest);
            assert_int_equal(values, distinct);
        }
        leat_bytes_reset(&test.lines);
    }
    harness_stop(&test);
    leat_bytes_done(&config);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    leat_batch *batches[] = {harness_batch(&input, "+I a 1;+I a_key_that_is_longer_than_a_view 2;+I a 3"),
                             harness_batch(&input, "-D a 1;-D a 3;+I b 4")};
    for (int way = 0; way < 3; way++) {
        leat_operator_context context = {.is_batch = way == 2};
        leat_bytes config = make_folding_config(true, true, LEAT_AGGREGATE_RETRACT, way == 1);
        harness_fail_allocations(&leat_aggregate_factory, &context, NULL, &config, batches, 2);
        leat_bytes_done(&config);
    }
    for (int i = 0; i < 2; i++)
        leat_batch_free(batches[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_makes_its_change),
        cmocka_unit_test(a_folding_aggregate_says_a_group_once_a_batch),
        cmocka_unit_test(a_group_may_empty_and_come_back_within_a_batch),
        cmocka_unit_test(a_full_batch_is_said_in_steps),
        cmocka_unit_test(an_upsert_output_leaves_out_what_was),
        cmocka_unit_test(rows_taken_away_bring_back_the_second_best),
        cmocka_unit_test(a_global_aggregate_over_nothing_is_a_row_in_batch_only),
        cmocka_unit_test(a_batch_job_says_each_group_once_at_the_end),
        cmocka_unit_test(state_follows_its_key_groups_through_a_rescale),
        cmocka_unit_test(extremes_with_retractions_match_a_scan),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
