// clang-format off
#include "tests/unit.h"
// clang-format on
#include <string.h>

#include "connectors/generator.h"

static leat_code read_pace(const char *key, const char *value, leat_generator_pace *out, leat_error *error)
{
    leat_config options = {0};
    leat_code code = key ? leat_config_set(&options, key, value, error) : LEAT_OK;
    if (code == LEAT_OK) code = leat_generator_read_pace(&options, out, error);
    leat_config_done(&options);
    return code;
}

static void without_options_it_is_endless(void **state)
{
    (void)state;
    leat_generator_pace pace;
    assert_int_equal(read_pace(NULL, NULL, &pace, NULL), LEAT_OK);
    assert_int_equal(pace.rows_per_second, 10000);
    assert_int_equal(pace.rows_count, -1);
    assert_int_equal(pace.parallelism, -1);
}

static void options_are_taken(void **state)
{
    (void)state;
    leat_generator_pace pace;
    assert_int_equal(read_pace("rows-per-second", "7", &pace, NULL), LEAT_OK);
    assert_int_equal(pace.rows_per_second, 7);
    assert_int_equal(read_pace("number-of-rows", "0", &pace, NULL), LEAT_OK);
    assert_int_equal(pace.rows_count, 0);
    assert_int_equal(read_pace("scan.parallelism", "3", &pace, NULL), LEAT_OK);
    assert_int_equal(pace.parallelism, 3);
}

static void wrong_numbers_are_refused(void **state)
{
    (void)state;
    leat_generator_pace pace;
    leat_error error = {0};
    assert_int_equal(read_pace("rows-per-second", "0", &pace, &error), LEAT_INVALID);
    assert_non_null(strstr(error.text, "'rows-per-second'"));
    assert_int_equal(read_pace("number-of-rows", "many", &pace, NULL), LEAT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_it_is_endless),
        cmocka_unit_test(options_are_taken),
        cmocka_unit_test(wrong_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
