#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/memory.h"

static void durations_are_read_with_every_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},           {"250", 250},     {"10 s", 10000},     {"500ms", 500},        {"1 min", 60000},
        {" 2 h ", 7200000}, {"1d", 86400000}, {"3 SECONDS", 3000}, {"7 milliseconds", 7}, {"1 m", 60000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1;
        assert_int_equal(leat_parse_duration_ms(cases[i].text, &ms, NULL), LEAT_OK);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void what_is_no_duration_is_refused_with_a_hint(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "s", "-1 s", "1 fortnight", "99999999999999999999 s", "9223372036854775807 d", "1.5 s", "10 s s"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t ms = 42;
        leat_error error = {0};
        assert_int_equal(leat_parse_duration_ms(wrong[i], &ms, &error), LEAT_INVALID);
        assert_true(error.hint[0] != '\0');
    }
}

static void sizes_are_read_with_every_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"64", 64},
                 {"64 kb", 65536},
                 {"1g", INT64_C(1) << 30},
                 {"20 KiBiBytes", 20480},
                 {"2 TB", INT64_C(2) << 40},
                 {"1728 mb", INT64_C(1728) << 20}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t bytes = -1;
        assert_int_equal(leat_parse_memory_bytes(cases[i].text, &bytes, NULL), LEAT_OK);
        assert_int_equal(bytes, cases[i].bytes);
    }
    int64_t bytes;
    assert_int_equal(leat_parse_memory_bytes("10000000 tb", &bytes, NULL), LEAT_INVALID);
    assert_int_equal(leat_parse_memory_bytes("1 s", &bytes, NULL), LEAT_INVALID);
}

static void whole_numbers_and_flags_are_strict(void **state)
{
    (void)state;
    int64_t number;
    bool flag;
    assert_int_equal(leat_parse_int("-17", &number, NULL), LEAT_OK);
    assert_int_equal(number, -17);
    assert_int_equal(leat_parse_int("17x", &number, NULL), LEAT_INVALID);
    assert_int_equal(leat_parse_int("", &number, NULL), LEAT_INVALID);
    assert_int_equal(leat_parse_int("9223372036854775808", &number, NULL), LEAT_INVALID);
    assert_int_equal(leat_parse_bool("TRUE", &flag, NULL), LEAT_OK);
    assert_true(flag);
    assert_int_equal(leat_parse_bool("yes", &flag, NULL), LEAT_INVALID);
}

static void every_default_has_its_options_type(void **state)
{
    (void)state;
    leat_config config = {0};
    for (int i = 0; i < LEAT_OPTIONS_COUNT; i++) {
        const leat_option_info *info = leat_option_get_info((leat_option)i);
        assert_int_equal(leat_option_by_key(info->key), i); /* no key twice */
        if (info->fallback[0] == '\0') assert_int_equal(info->type, LEAT_OPTION_STRING);
        assert_int_equal(leat_config_set(&config, info->key, info->fallback, NULL), LEAT_OK);
    }
    leat_config_done(&config);
}

static void an_option_that_is_not_set_has_its_default(void **state)
{
    (void)state;
    leat_config config = {0};
    assert_int_equal(leat_config_duration_ms(&config, LEAT_OPTION_CHECKPOINT_TIMEOUT), 600000);
    assert_int_equal(leat_config_memory_bytes(&config, LEAT_OPTION_BATCH_BYTES), 256 << 10);
    assert_true(leat_config_bool(&config, LEAT_OPTION_OPERATOR_CHAINING));
    assert_null(leat_config_find(&config, "parallelism.default"));
    leat_config_done(&config);
}

static void the_last_value_set_wins(void **state)
{
    (void)state;
    leat_config config = {0}, later = {0};
    assert_int_equal(leat_config_set_pair(&config, "parallelism.default=3", NULL), LEAT_OK);
    assert_int_equal(leat_config_set_pair(&config, "some.table=a=b", NULL), LEAT_OK);
    assert_int_equal(leat_config_set(&later, "parallelism.default", "5", NULL), LEAT_OK);
    assert_int_equal(leat_config_merge(&config, &later, NULL), LEAT_OK);
    assert_int_equal(leat_config_int(&config, LEAT_OPTION_PARALLELISM), 5);
    assert_string_equal(leat_config_find(&config, "some.table"), "a=b");
    leat_config_remove(&config, "parallelism.default");
    assert_int_equal(leat_config_int(&config, LEAT_OPTION_PARALLELISM), 1);
    assert_int_equal(config.count, 1);
    leat_config_done(&config);
    leat_config_done(&later);
}

static void a_wrong_value_is_refused_and_nothing_is_set(void **state)
{
    (void)state;
    leat_config config = {0};
    leat_error error = {0};
    assert_int_equal(leat_config_set(&config, "parallelism.default", "many", &error), LEAT_INVALID);
    assert_non_null(strstr(error.text, "parallelism.default"));
    assert_int_equal(leat_config_set_pair(&config, "no-equals-sign", &error), LEAT_INVALID);
    assert_int_equal(leat_config_set_pair(&config, "=value", &error), LEAT_INVALID);
    assert_int_equal(config.count, 0);
    leat_config_done(&config);
}

static void an_unknown_key_has_a_nearest_one(void **state)
{
    (void)state;
    assert_string_equal(leat_option_nearest_key("execution.checkpoint.interval"), "execution.checkpointing.interval");
    assert_string_equal(leat_option_nearest_key("paralellism.default"), "parallelism.default");
    assert_null(leat_option_nearest_key("zzzzzz"));
    assert_null(leat_option_nearest_key(""));
}

static void edit_distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(leat_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(leat_edit_distance("", "abc"), 3);
    assert_int_equal(leat_edit_distance("Country", "country"), 0);
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(leat_edit_distance(longer, longer + 50), 0); /* only the first 64 are looked at */
    assert_int_equal(leat_edit_distance(longer, ""), 64);
}

/* Writes the text to a fresh file and loads it. */
static leat_code load(const char *text, leat_config *config, leat_error *error)
{
    char path[] = "/tmp/leat-test-config-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(close(file), 0);
    leat_code code = leat_config_load_yaml(config, path, error);
    assert_int_equal(unlink(path), 0);
    return code;
}

static void yaml_may_be_flat_or_nested(void **state)
{
    (void)state;
    leat_config config = {0};
    static const char text[] = "# a comment\n"
                               "parallelism.default: 4\n"
                               "execution:\n"
                               "  checkpointing:\n"
                               "    interval: 5 s\n"
                               "    timeout: \"1 min\"\n"
                               "  runtime-mode: batch\n"
                               "rest.port: 0\n"
                               "my.own: kept\n";
    assert_int_equal(load(text, &config, NULL), LEAT_OK);
    assert_int_equal(leat_config_int(&config, LEAT_OPTION_PARALLELISM), 4);
    assert_int_equal(leat_config_duration_ms(&config, LEAT_OPTION_CHECKPOINT_INTERVAL), 5000);
    assert_int_equal(leat_config_duration_ms(&config, LEAT_OPTION_CHECKPOINT_TIMEOUT), 60000);
    assert_string_equal(leat_config_string(&config, LEAT_OPTION_RUNTIME_MODE), "batch");
    assert_int_equal(leat_config_int(&config, LEAT_OPTION_REST_PORT), 0);
    assert_string_equal(leat_config_find(&config, "my.own"), "kept");
    leat_config_done(&config);
}

static void yaml_errors_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
        leat_code code;
    } cases[] = {
        {"a: 1\nparallelism.default: many\n", ":2: option 'parallelism.default'", LEAT_INVALID},
        {"a: [1, 2]\n", ":1: a list", LEAT_INVALID},
        {"a: \"open\nb: 1\n", ":", LEAT_INVALID},
        {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: 1}}}}}}}}}}}}}}}}\n", "nested",
         LEAT_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_config config = {0};
        leat_error error = {0};
        assert_int_equal(load(cases[i].text, &config, &error), cases[i].code);
        assert_non_null(strstr(error.text, cases[i].place));
        leat_config_done(&config);
    }
    leat_config config = {0};
    assert_int_equal(leat_config_load_yaml(&config, "/nowhere/leat.yaml", NULL), LEAT_NOT_FOUND);
}

static void setting_survives_every_allocation_failure(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 100; n++) {
        leat_config config = {0};
        leat_memory_fail_nth(n);
        leat_code code = LEAT_OK;
        for (int i = 0; code == LEAT_OK && i < 5; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "key-%d", i);
            code = leat_config_set(&config, key, "value", NULL);
        }
        leat_memory_fail_nth(0);
        if (code == LEAT_OK) assert_int_equal(config.count, 5);
        leat_config_done(&config);
        if (code == LEAT_OK) return;
        assert_int_equal(code, LEAT_NO_MEMORY);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(durations_are_read_with_every_unit),
        cmocka_unit_test(what_is_no_duration_is_refused_with_a_hint),
        cmocka_unit_test(sizes_are_read_with_every_unit),
        cmocka_unit_test(whole_numbers_and_flags_are_strict),
        cmocka_unit_test(every_default_has_its_options_type),
        cmocka_unit_test(an_option_that_is_not_set_has_its_default),
        cmocka_unit_test(the_last_value_set_wins),
        cmocka_unit_test(a_wrong_value_is_refused_and_nothing_is_set),
        cmocka_unit_test(an_unknown_key_has_a_nearest_one),
        cmocka_unit_test(edit_distance_counts_edits),
        cmocka_unit_test(yaml_may_be_flat_or_nested),
        cmocka_unit_test(yaml_errors_name_the_place),
        cmocka_unit_test(setting_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
