// clang-format off
#include "tests/unit.h"
// clang-format on
#include <string.h>

#include "flow/restart.h"

static const uint64_t middle = UINT64_C(1) << 63; /* no jitter */

typedef const char *const pairs[][2];

static leat_code make(leat_restart *self, pairs options, int count, bool has_checkpoints, leat_error *error)
{
    leat_config config = {0};
    for (int i = 0; i < count; i++)
        assert_int_equal(leat_config_set(&config, options[i][0], options[i][1], NULL), LEAT_OK);
    leat_code code = leat_restart_init(self, &config, has_checkpoints, error);
    leat_config_done(&config);
    return code;
}

#define MAKE(self, checkpoints, ...)                                                                                   \
    make(self, (pairs){__VA_ARGS__}, (int)(sizeof((pairs){__VA_ARGS__}) / sizeof(char *[2])), checkpoints, NULL)

static void without_a_strategy_it_depends_on_checkpoints(void **state)
{
    (void)state;
    leat_restart self;
    int64_t delay_ms;
    assert_int_equal(make(&self, NULL, 0, false, NULL), LEAT_OK);
    assert_false(leat_restart_on_failure(&self, 0, middle, &delay_ms));
    assert_int_equal(make(&self, NULL, 0, true, NULL), LEAT_OK);
    for (int i = 0; i < 1000; i++) {
        assert_true(leat_restart_on_failure(&self, i, middle, &delay_ms));
        assert_int_equal(delay_ms, 1000);
    }
    assert_int_equal(MAKE(&self, true, {"restart-strategy.type", "Off"}), LEAT_OK);
    assert_false(leat_restart_on_failure(&self, 0, middle, &delay_ms));
}

static void fixed_delay_counts_its_attempts(void **state)
{
    (void)state;
    leat_restart self;
    int64_t delay_ms;
    assert_int_equal(MAKE(&self, false, {"restart-strategy.type", "fixed-delay"},
                          {"restart-strategy.fixed-delay.attempts", "3"},
                          {"restart-strategy.fixed-delay.delay", "250 ms"}),
                     LEAT_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(leat_restart_on_failure(&self, i * 1000000, middle, &delay_ms));
        assert_int_equal(delay_ms, 250);
    }
    assert_false(leat_restart_on_failure(&self, 9000000, middle, &delay_ms));
}

static void failure_rate_forgets_what_lies_outside_the_interval(void **state)
{
    (void)state;
    leat_restart self;
    int64_t delay_ms;
    assert_int_equal(MAKE(&self, false, {"restart-strategy.type", "failure-rate"},
                          {"restart-strategy.failure-rate.max-failures-per-interval", "2"},
                          {"restart-strategy.failure-rate.failure-rate-interval", "10 s"},
                          {"restart-strategy.failure-rate.delay", "5 ms"}),
                     LEAT_OK);
    static const struct {
        int64_t now_ms;
        bool restarts;
    } failures[] = {{0, true},      {9000, true},  {10001, true}, {19001, true},
                    {20001, false}, {40000, true}, {40001, true}};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        assert_int_equal(leat_restart_on_failure(&self, failures[i].now_ms, middle, &delay_ms), failures[i].restarts);
        assert_int_equal(delay_ms, 5);
    }
}

static void exponential_delay_grows_is_bounded_and_reset(void **state)
{
    (void)state;
    leat_restart self;
    int64_t delay_ms, now_ms = 0;
    assert_int_equal(MAKE(&self, false, {"restart-strategy.type", "exponential-delay"},
                          {"restart-strategy.exponential-delay.initial-backoff", "100 ms"},
                          {"restart-strategy.exponential-delay.max-backoff", "1 s"},
                          {"restart-strategy.exponential-delay.backoff-multiplier", "2.0"},
                          {"restart-strategy.exponential-delay.reset-backoff-threshold", "1 min"},
                          {"restart-strategy.exponential-delay.attempts-before-reset-backoff", "6"}),
                     LEAT_OK);
    static const int64_t expected[] = {100, 200, 400, 800, 1000, 1000};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 6; i++, now_ms += 2000) {
            assert_true(leat_restart_on_failure(&self, now_ms, middle, &delay_ms));
            assert_int_equal(delay_ms, expected[i]);
        }
        now_ms += 61000;
    }
    now_ms -= 61000;
    assert_false(leat_restart_on_failure(&self, now_ms, middle, &delay_ms));
}

static void jitter_stays_within_its_share_and_the_bound(void **state)
{
    (void)state;
    leat_restart self;
    int64_t delay_ms;
    assert_int_equal(MAKE(&self, false, {"restart-strategy.type", "exponential-delay"},
                          {"restart-strategy.exponential-delay.initial-backoff", "1000 ms"},
                          {"restart-strategy.exponential-delay.max-backoff", "1050 ms"},
                          {"restart-strategy.exponential-delay.jitter-factor", "0.1"},
                          {"restart-strategy.exponential-delay.reset-backoff-threshold", "0 ms"}),
                     LEAT_OK);
    int64_t least = INT64_MAX, most = 0;
    uint64_t random = 1;
    for (int i = 0; i < 1000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        assert_true(leat_restart_on_failure(&self, i * INT64_C(10000), random, &delay_ms));
        if (delay_ms < least) least = delay_ms;
        if (delay_ms > most) most = delay_ms;
    }
    assert_in_range(least, 900, 920);
    assert_int_equal(most, 1050);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    leat_restart self;
    leat_error error = {0};
    assert_int_equal(make(&self, (pairs){{"restart-strategy.type", "sometimes"}}, 1, true, &error), LEAT_INVALID);
    assert_non_null(strstr(error.hint, "failure-rate"));
    assert_int_equal(MAKE(&self, true, {"restart-strategy.type", "failure-rate"},
                          {"restart-strategy.failure-rate.max-failures-per-interval", "0"}),
                     LEAT_INVALID);
    assert_int_equal(MAKE(&self, true, {"restart-strategy.type", "exponential-delay"},
                          {"restart-strategy.exponential-delay.backoff-multiplier", "0.5"}),
                     LEAT_INVALID);
    assert_int_equal(MAKE(&self, true, {"restart-strategy.type", "exponential-delay"},
                          {"restart-strategy.exponential-delay.max-backoff", "1 ms"}),
                     LEAT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_strategy_it_depends_on_checkpoints),
        cmocka_unit_test(fixed_delay_counts_its_attempts),
        cmocka_unit_test(failure_rate_forgets_what_lies_outside_the_interval),
        cmocka_unit_test(exponential_delay_grows_is_bounded_and_reset),
        cmocka_unit_test(jitter_stays_within_its_share_and_the_bound),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
