#include "tests/unit/operators/harness.h"

#include "operators/lookup_join.h"

/* A table of the test: key k has rows[k] rows ("r<k>"), or no answer yet. */
enum { KEYS = 10000, NO_ANSWER = -1 };
static int table[KEYS];
static int64_t asked;

static leat_code table_open(leat_lookup *self, leat_error *error)
{
    (void)self;
    (void)error;
    return LEAT_OK;
}

static leat_code table_get_many(leat_lookup *self, const leat_batch *keys, int32_t first, leat_lookup_result *result,
                                int32_t *done, leat_error *error)
{
    (void)self;
    int32_t i = first;
    for (; i < keys->selected; i++) {
        int32_t row = leat_batch_row(keys, i);
        bool is_null = leat_column_is_null(&keys->columns[0], row);
        int key = ((const int32_t *)keys->columns[0].values)[row];
        int count = is_null ? 0 : table[key];
        asked++;
        result->counts[i - first] = count == NO_ANSWER ? LEAT_LOOKUP_PENDING : count;
        if (count > result->rows.capacity_rows - result->rows.rows) break;
        for (int r = 0; r < count; r++) {
            char text[32];
            int length = snprintf(text, sizeof text, "r%d.%d", key, r);
            LEAT_TRY(leat_batch_builder_begin_row(&result->rows, LEAT_ROW_INSERT, error));
            leat_batch_builder_set_fixed(&result->rows, 0, &key);
            LEAT_TRY(leat_batch_builder_set_bytes(&result->rows, 1, text, (size_t)length, error));
        }
    }
    *done = i - first;
    return LEAT_OK;
}

static bool table_changed;
static leat_code table_refresh(leat_lookup *self, bool *changed, leat_error *error)
{
    (void)self;
    (void)error;
    *changed = table_changed;
    table_changed = false;
    return LEAT_OK;
}

static void table_close(leat_lookup *self)
{
    leat_free(self);
}

static int table_news;
static void table_on_news(leat_lookup *self)
{
    (void)self;
    table_news++;
    table_changed = true; /* as the next refresh finds it */
}

static const leat_lookup_vtable table_vtable = {.open = table_open,
                                                .get_many = table_get_many,
                                                .refresh = table_refresh,
                                                .close = table_close,
                                                .on_news = table_on_news};

static leat_code table_create(leat_operator_context *context, const uint8_t *config, size_t size, leat_lookup **out,
                              leat_error *error)
{
    (void)context;
    assert_int_equal(size, 3);
    assert_memory_equal(config, "cfg", 3);
    *out = leat_calloc(1, sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    (*out)->vtable = &table_vtable;
    (*out)->topic = "the table";
    return LEAT_OK;
}

static const leat_lookup_factory table_factory = {"test", table_create};

static leat_field stream_fields[] = {
    {"name", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"id", {.kind = LEAT_TYPE_INT, .nullable = true}},
};
static leat_field table_fields[] = {
    {"id", {.kind = LEAT_TYPE_INT, .nullable = false}},
    {"text", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
};
static const leat_schema stream = {2, stream_fields}, lookup_schema = {2, table_fields};
static leat_field out_fields[2];
static leat_schema output = {2, out_fields};
static const int32_t key_columns[] = {1}, out_columns[] = {3, 0};

static leat_lookup_join_config base_config(void)
{
    out_fields[0] = table_fields[1];
    out_fields[1] = stream_fields[0];
    memset(table, 0, sizeof table);
    asked = 0;
    return (leat_lookup_join_config){.input = stream,
                                     .table = lookup_schema,
                                     .lookup_type = "test",
                                     .lookup_config = (const uint8_t *)"cfg",
                                     .lookup_config_size = 3,
                                     .keys_count = 1,
                                     .key_columns = key_columns,
                                     .output_count = 2,
                                     .output = out_columns};
}

static void start(harness *test, const leat_lookup_join_config *config, const leat_restored *restored)
{
    leat_bytes bytes = {0};
    leat_lookup_join_config_write(config, &bytes);
    assert_false(bytes.failed);
    if (!test->registry.lookups_count) leat_registry_add_lookup(&test->registry, &table_factory);
    harness_start(test, &leat_lookup_join_factory, &bytes, &output, restored);
    leat_bytes_done(&bytes);
}

static void an_inner_join_drops_rows_without_a_match(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    harness test = {0};
    start(&test, &config, NULL);
    table[1] = 1;
    table[3] = 2;
    harness_process(&test, harness_batch(&stream, "+I a 1;+U b 2;-U c 3;+I d NULL"));
    harness_expect(&test, "+I[r1.0, a]\n-U[r3.0, c]\n-U[r3.1, c]\n");
    harness_stop(&test);
}

static void a_steady_stream_does_not_put_off_the_refresh(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    harness test = {0};
    start(&test, &config, NULL);
    int64_t first = test.timer_us;
    for (int i = 0; i < 3; i++) {
        test.now_us += 400000;
        harness_process(&test, harness_batch(&stream, "+I a 1"));
        assert_int_equal(test.timer_us, first);
    }
    test.now_us = first;
    harness_fire(&test);
    assert_int_equal(test.timer_us, first + 1000000);
    harness_stop(&test);
}

static void a_left_join_fills_with_nulls(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    config.is_left = true;
    harness test = {0};
    start(&test, &config, NULL);
    table[1] = 2;
    harness_process(&test, harness_batch(&stream, "+I a 1;-D b 2;+I c NULL;+I d 1"));
    harness_expect(&test, "+I[r1.0, a]\n+I[r1.1, a]\n-D[NULL, b]\n+I[NULL, c]\n+I[r1.0, d]\n+I[r1.1, d]\n");
    harness_stop(&test);
}

static void a_condition_of_a_left_join_makes_rows_without_match(void **state)
{
    (void)state;
    leat_expr text = {.kind = LEAT_EXPR_COLUMN, .type = table_fields[1].type, .column = 3};
    leat_expr literal = {.kind = LEAT_EXPR_LITERAL, .type = table_fields[1].type, .value = {.text = {"r1.1", 4}}};
    const leat_expr *const arguments[] = {&text, &literal};
    leat_expr condition = {.kind = LEAT_EXPR_CALL,
                           .type = leat_type_make(LEAT_TYPE_BOOLEAN, true),
                           .function = "=",
                           .arguments = arguments,
                           .arguments_count = 2};
    for (int is_left = 0; is_left < 2; is_left++) {
        leat_lookup_join_config config = base_config();
        config.condition = &condition;
        config.is_left = is_left;
        harness test = {0};
        start(&test, &config, NULL);
        table[1] = 3;
        table[2] = 1;
        harness_process(&test, harness_batch(&stream, "+I a 1;+I b 2;+I c 3"));
        harness_expect(&test, is_left ? "+I[r1.1, a]\n+I[NULL, b]\n+I[NULL, c]\n" : "+I[r1.1, a]\n");
        harness_stop(&test);
    }
}

static void a_miss_is_asked_again_until_it_is_there(void **state)
{
    (void)state;
    for (int unordered = 0; unordered < 2; unordered++) {
        leat_lookup_join_config config = base_config();
        config.allow_unordered = unordered;
        config.retry_delay_ms = 1000;
        config.retry_attempts = 600;
        harness test = {0};
        start(&test, &config, NULL);
        table[1] = 1;
        harness_process(&test, harness_batch(&stream, "+I a 1;+I b 2;+I c 1;+I d 2"));
        harness_expect(&test, unordered ? "+I[r1.0, a]\n+I[r1.0, c]\n" : "+I[r1.0, a]\n");
        harness_process(&test, harness_batch(&stream, "+I e 1"));
        harness_expect(&test, unordered ? "+I[r1.0, e]\n" : "");
        assert_true(test.operator->vtable->is_waiting(test.operator));
        assert_true(test.operator->vtable->has_room(test.operator));
        for (int i = 0; i < 5; i++)
            harness_fire(&test);
        harness_expect(&test, "");
        table[2] = 1;
        harness_fire(&test);
        harness_expect(&test, unordered ? "+I[r2.0, b]\n+I[r2.0, d]\n"
                                        : "+I[r2.0, b]\n+I[r1.0, c]\n+I[r2.0, d]\n+I[r1.0, e]\n");
        assert_false(test.operator->vtable->is_waiting(test.operator));
        harness_stop(&test);
    }
}

static void news_of_the_table_answers_what_was_missed(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    config.retry_delay_ms = 60000;
    config.retry_attempts = 600;
    harness test = {0};
    start(&test, &config, NULL);
    assert_string_equal(test.topic, "the table");
    harness_process(&test, harness_batch(&stream, "+I a 2"));
    table[2] = 1;
    leat_progress progress = LEAT_DONE;
    table_news = 0;
    assert_int_equal(test.operator->vtable->on_news(test.operator, & progress, NULL), LEAT_OK);
    assert_int_equal(table_news, 1);
    assert_int_equal(progress, LEAT_DONE);
    harness_expect(&test, "+I[r2.0, a]\n");
    harness_stop(&test);
}

static void attempts_end_and_count_over_a_restore(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    config.is_left = true;
    config.retry_delay_ms = 100;
    config.retry_attempts = 3;
    harness test = {0};
    start(&test, &config, NULL);
    harness_process(&test, harness_batch(&stream, "+I a 2"));
    test.now_us += 100000;
    harness_fire(&test); /* the first retry */
    leat_bytes saved = harness_snapshot(&test);
    harness_stop(&test);
    assert_true(saved.size > 0);
    leat_restored_part part = {0, 1, saved.data, saved.size};
    leat_restored restored = {1, &part, 1};
    harness again = {.now_us = 5000000};
    start(&again, &config, &restored);
    asked = 0;
    int fires = 0;
    while (again.operator->vtable->is_waiting(again.operator) && fires++ < 10)
        harness_fire(&again);
    harness_expect(&again, "+I[NULL, a]\n");
    assert_int_equal(asked, 3); /* at once, then the two that were left */
    harness_stop(&again);
    leat_bytes_done(&saved);
}

static void a_full_set_takes_no_batch_but_its_rows_are_in_the_checkpoint(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    config.capacity = 2;
    config.allow_unordered = true;
    config.retry_attempts = 1000;
    config.retry_delay_ms = 1000;
    harness test = {0};
    start(&test, &config, NULL);
    table[9] = 1;
    harness_process(&test, harness_batch(&stream, "+I a 1;+I b 2;+I c 3;+I d 4;+I e 9"));
    harness_expect(&test, "+I[r9.0, e]\n");
    assert_false(test.operator->vtable->has_room(test.operator));
    leat_bytes saved = harness_snapshot(&test);
    harness_stop(&test);
    leat_restored_part part = {0, 1, saved.data, saved.size};
    leat_restored restored = {1, &part, 1};
    harness again = {0};
    start(&again, &config, &restored);
    for (int k = 1; k <= 4; k++)
        table[k] = 1;
    harness_fire(&again);
    harness_expect(&again, "+I[r1.0, a]\n+I[r2.0, b]\n+I[r3.0, c]\n+I[r4.0, d]\n");
    assert_true(again.operator->vtable->has_room(again.operator));
    harness_stop(&again);
    leat_bytes_done(&saved);
}

static void held_rows_are_shared_out_after_a_rescale(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    config.allow_unordered = true;
    config.retry_attempts = 10;
    harness test = {0};
    start(&test, &config, NULL);
    harness_process(&test, harness_batch(&stream, "+I a 1;+I b 2;+I c 3;+I d 4;+I e 5;+I f 6;+I g 7"));
    leat_bytes saved = harness_snapshot(&test);
    harness_stop(&test);
    leat_restored_part part = {0, 1, saved.data, saved.size};
    leat_restored restored = {1, &part, 1};
    int64_t rows = 0;
    for (int s = 0; s < 3; s++) {
        harness again = {.context = {.subtask = s, .parallelism = 3}};
        start(&again, &config, &restored);
        for (int k = 1; k < 8; k++)
            table[k] = 1;
        harness_fire(&again);
        rows += again.rows;
        harness_stop(&again);
    }
    assert_int_equal(rows, 7);
    leat_bytes_done(&saved);
}

static void an_unanswered_request_holds_its_rows_and_times_out(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    config.timeout_ms = 5000;
    harness test = {0};
    start(&test, &config, NULL);
    table[2] = NO_ANSWER;
    table[1] = 1;
    harness_process(&test, harness_batch(&stream, "+I a 1;+I b 2;+I c 1"));
    harness_expect(&test, "+I[r1.0, a]\n");
    table[2] = 1;
    harness_wake_up(&test);
    harness_expect(&test, "+I[r2.0, b]\n+I[r1.0, c]\n");
    table[2] = NO_ANSWER;
    harness_process(&test, harness_batch(&stream, "+I d 2"));
    test.now_us += 6000000;
    leat_progress progress = LEAT_DONE;
    leat_error error = {0};
    assert_int_equal(test.operator->vtable->on_timer(test.operator, test.now_us, &progress, &error), LEAT_TIMEOUT);
    harness_stop(&test);
}

static void more_rows_than_a_batch_come_out_in_several(void **state)
{
    (void)state;
    leat_lookup_join_config config = base_config();
    harness test = {0};
    start(&test, &config, NULL);
    test.output = NULL;
    table[1] = 3000;
    harness_process(&test, harness_batch(&stream, "+I a 1;+I b 1;+I c 1;+I d 1"));
    assert_int_equal(test.rows, 12000);
    harness_stop(&test);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        leat_lookup_join_config config = base_config();
        config.is_left = variant & 1;
        config.allow_unordered = variant & 2;
        config.retry_attempts = 3;
        table[1] = 2;
        leat_bytes bytes = {0};
        leat_lookup_join_config_write(&config, &bytes);
        leat_registry registry = {0};
        leat_registry_add_lookup(&registry, &table_factory);
        leat_batch *batches[] = {harness_batch(&stream, "+I a 1;+I b 1;+I a_name_longer_than_a_view 2;+I c 1"),
                                 harness_batch(&stream, "+I d 1;+I e 3")};
        leat_operator_context context = {.operator_name = "test"};
        harness_fail_allocations(&leat_lookup_join_factory, &context, &registry, &bytes, batches, 2);
        for (int i = 0; i < 2; i++)
            leat_batch_free(batches[i]);
        leat_bytes_done(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inner_join_drops_rows_without_a_match),
        cmocka_unit_test(a_steady_stream_does_not_put_off_the_refresh),
        cmocka_unit_test(a_left_join_fills_with_nulls),
        cmocka_unit_test(a_condition_of_a_left_join_makes_rows_without_match),
        cmocka_unit_test(a_miss_is_asked_again_until_it_is_there),
        cmocka_unit_test(news_of_the_table_answers_what_was_missed),
        cmocka_unit_test(attempts_end_and_count_over_a_restore),
        cmocka_unit_test(a_full_set_takes_no_batch_but_its_rows_are_in_the_checkpoint),
        cmocka_unit_test(held_rows_are_shared_out_after_a_rescale),
        cmocka_unit_test(an_unanswered_request_holds_its_rows_and_times_out),
        cmocka_unit_test(more_rows_than_a_batch_come_out_in_several),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
