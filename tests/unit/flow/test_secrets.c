// clang-format off
#include "tests/unit.h"
// clang-format on
#include "flow/secrets.h"

static void a_plan_holds_a_name_and_the_job_the_value(void **state)
{
    (void)state;
    leat_arena arena;
    leat_arena_init(&arena, 1 << 20);
    leat_secrets secrets = {0};
    const char *names[9] = {0};
    static const char *const values[9] = {"hunter2", "", "b", "c", "d", "e", "hunter2", NULL, "${secret:0}"};
    for (int i = 0; i < 9; i++)
        assert_int_equal(leat_secrets_add(&secrets, &arena, values[i], &names[i], NULL), LEAT_OK);
    assert_string_equal(names[0], "${secret:0}");
    assert_string_equal(names[6], names[0]);
    assert_null(names[7]);
    assert_string_equal(names[8], "${secret:6}"); /* a password that looks like a name is a password */

    Leat__Pb__JobGraph graph = LEAT__PB__JOB_GRAPH__INIT;
    assert_int_equal(leat_secrets_pack(&secrets, &arena, &graph, NULL), LEAT_OK);
    assert_int_equal(graph.n_secrets, 7);
    leat_config config = {0};
    assert_int_equal(leat_secrets_unpack(&graph, &config, NULL), LEAT_OK);
    for (int i = 0; i < 9; i++) {
        const char *text = names[i];
        assert_int_equal(leat_secret_reveal(&config, &text, NULL), LEAT_OK);
        if (values[i])
            assert_string_equal(text, values[i]);
        else
            assert_null(text);
    }
    leat_error error = {0};
    const char *text = "${secret:7}";
    assert_int_equal(leat_secret_reveal(&config, &text, &error), LEAT_CORRUPT);
    text = "plain";
    assert_int_equal(leat_secret_reveal(&config, &text, &error), LEAT_OK);
    assert_string_equal(text, "plain");
    leat_config_done(&config);
    leat_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_plan_holds_a_name_and_the_job_the_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
