#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "flow/coordinator.h"

static leat_coordinator coordinator;
static leat_coordinator_effects effects;

static const leat_coordinator_options usual = {
    .interval_ms = 100, .timeout_ms = 1000, .concurrent_max = 1, .tolerable_failures = 0};

static void make(const leat_coordinator_options *options, int32_t tasks)
{
    assert_int_equal(leat_coordinator_init(&coordinator, options, tasks, 1, 0, NULL), LEAT_OK);
    effects.count = 0;
}

static int drop(void **state)
{
    (void)state;
    leat_coordinator_done(&coordinator);
    return 0;
}

/* What came out since the last call, as text: "BEGIN 1 TRIGGER 1". */
static const char *drain(void)
{
    static const char *const names[] = {"BEGIN", "TRIGGER", "STORE", "COMPLETE", "ABORT", "FAIL"};
    static char text[1024];
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < effects.count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %d", i ? " " : "", names[effects.list[i].kind],
                                 (int)effects.list[i].checkpoint_id);
        bool has_reason = effects.list[i].kind >= LEAT_COORDINATOR_ABORT;
        assert_int_equal(effects.list[i].reason != NULL, has_reason);
    }
    effects.count = 0;
    return text;
}

#define EXPECT(text) assert_string_equal(drain(), text)

static void tick(int64_t now_ms)
{
    leat_coordinator_on_tick(&coordinator, now_ms, &effects);
}

static void begun(int64_t id, int64_t now_ms)
{
    leat_coordinator_on_begun(&coordinator, id, true, now_ms, &effects);
}

static bool ack(int64_t id, int32_t task, int64_t now_ms)
{
    return leat_coordinator_on_ack(&coordinator, id, task, now_ms, &effects);
}

static void committed(int64_t id, int64_t now_ms)
{
    leat_coordinator_on_committed(&coordinator, id, now_ms, &effects);
}

/* Stored, and (if that went well) committed at once. */
static void stored(int64_t id, bool ok, int64_t now_ms)
{
    leat_coordinator_on_stored(&coordinator, id, ok, now_ms, &effects);
    if (ok) committed(id, now_ms);
}

/* From a tick at `now_ms` to "collecting". */
static void start(int64_t id, int64_t now_ms)
{
    tick(now_ms);
    begun(id, now_ms);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "BEGIN %d TRIGGER %d", (int)id, (int)id);
    EXPECT(expected);
}

static void commits_that_lag_hold_checkpoints_back(void **state)
{
    (void)state;
    make(&usual, 1);
    start(1, 100);
    assert_true(ack(1, 0, 110));
    EXPECT("STORE 1");
    leat_coordinator_on_stored(&coordinator, 1, true, 120, &effects);
    EXPECT("COMPLETE 1");
    tick(5000); /* neither expires nor makes room for another */
    EXPECT("");
    leat_coordinator_on_decline(&coordinator, 1, 5001, &effects);
    EXPECT("");
    committed(1, 5002);
    EXPECT("BEGIN 2");
    committed(1, 5003); /* told twice */
    EXPECT("");
}

static void a_commit_under_way_is_not_aborted_by_the_end(void **state)
{
    (void)state;
    make(&usual, 1);
    start(1, 100);
    assert_true(ack(1, 0, 110));
    leat_coordinator_on_stored(&coordinator, 1, true, 120, &effects);
    EXPECT("STORE 1 COMPLETE 1");
    leat_coordinator_stop(&coordinator, &effects);
    EXPECT("");
}

static void a_checkpoint_goes_its_way(void **state)
{
    (void)state;
    make(&usual, 2);
    assert_int_equal(leat_coordinator_next_tick_ms(&coordinator), 100);
    tick(99);
    EXPECT("");
    start(1, 100);
    assert_true(ack(1, 0, 110));
    EXPECT("");
    assert_true(ack(1, 1, 120));
    EXPECT("STORE 1");
    stored(1, true, 130);
    EXPECT("COMPLETE 1");
    tick(199);
    EXPECT("");
    tick(200);
    EXPECT("BEGIN 2");
}

static void acks_count_once_and_only_while_collecting(void **state)
{
    (void)state;
    make(&usual, 2);
    tick(100);
    assert_false(ack(1, 0, 100)); /* not triggered yet */
    begun(1, 100);
    assert_true(ack(1, 0, 100));
    assert_false(ack(1, 0, 100));
    assert_false(ack(9, 0, 100));
    (void)drain();
    assert_true(ack(1, 1, 100));
    EXPECT("STORE 1");
    assert_false(ack(1, 1, 100));
    stored(1, true, 100);
    stored(1, true, 100); /* told twice */
    EXPECT("COMPLETE 1");
    assert_true(coordinator.stale_events >= 4);
}

static void a_checkpoint_that_takes_too_long_is_aborted_and_may_fail_the_job(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.tolerable_failures = 1;
    make(&options, 1);
    start(1, 100);
    assert_int_equal(leat_coordinator_next_tick_ms(&coordinator), 1100);
    tick(1100);
    EXPECT("ABORT 1 BEGIN 2");
    begun(2, 1100);
    (void)drain();
    assert_false(ack(1, 0, 1200)); /* late */
    tick(2100);
    assert_non_null(strstr(drain(), "ABORT 2 FAIL 2"));
}

/* Its number would be taken for used by an attempt that never heard of it, and used by the next. */
static void nothing_begins_in_the_step_that_fails_the_job(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.timeout_ms = 300;
    make(&options, 1);
    start(1, 100);
    tick(400); /* the next one is due, too */
    EXPECT("ABORT 1 FAIL 1");
    leat_coordinator_stop(&coordinator, &effects);
    EXPECT("");
    assert_int_equal(leat_coordinator_next_tick_ms(&coordinator), INT64_MAX);
}

static void a_completed_checkpoint_forgives_earlier_failures(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.tolerable_failures = 1;
    make(&options, 1);
    int64_t now = 100;
    for (int64_t id = 1; id < 10; id += 2) {
        start(id, now);
        tick(now + 1000);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "ABORT %d BEGIN %d", (int)id, (int)id + 1);
        EXPECT(expected);
        begun(id + 1, now + 1000);
        assert_true(ack(id + 1, 0, now + 1000));
        stored(id + 1, true, now + 1000);
        (void)drain();
        now += 1100;
    }
}

static void storing_never_expires(void **state)
{
    (void)state;
    make(&usual, 1);
    start(1, 100);
    assert_true(ack(1, 0, 100));
    EXPECT("STORE 1");
    tick(1000000);
    EXPECT("");
    stored(1, true, 1000000);
    EXPECT("COMPLETE 1 BEGIN 2");
}

static void a_failed_store_counts_as_a_failure(void **state)
{
    (void)state;
    make(&usual, 1);
    start(1, 100);
    assert_true(ack(1, 0, 100));
    (void)drain();
    stored(1, false, 110);
    EXPECT("ABORT 1 FAIL 1");
}

static void an_enumerator_that_fails_counts_as_a_failure(void **state)
{
    (void)state;
    make(&usual, 1);
    tick(100);
    (void)drain();
    leat_coordinator_on_begun(&coordinator, 1, false, 100, &effects);
    EXPECT("ABORT 1 FAIL 1");
}

static void a_decline_is_no_failure(void **state)
{
    (void)state;
    make(&usual, 2);
    for (int64_t id = 1; id < 20; id++) {
        start(id, id * 100);
        leat_coordinator_on_decline(&coordinator, id, id * 100 + 1, &effects);
        leat_coordinator_on_decline(&coordinator, id, id * 100 + 1, &effects);
        char expected[32];
        (void)snprintf(expected, sizeof expected, "ABORT %d", (int)id);
        EXPECT(expected);
    }
}

static void a_decline_while_storing_comes_too_late(void **state)
{
    (void)state;
    make(&usual, 1);
    start(1, 100);
    assert_true(ack(1, 0, 100));
    (void)drain();
    leat_coordinator_on_decline(&coordinator, 1, 100, &effects);
    EXPECT("");
}

static void so_many_may_be_under_way_at_once(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.concurrent_max = 3;
    make(&options, 1);
    start(1, 100);
    start(2, 200);
    start(3, 300);
    tick(400);
    EXPECT("");
    assert_true(ack(1, 0, 410));
    stored(1, true, 420);
    EXPECT("STORE 1 COMPLETE 1 BEGIN 4");
}

static void a_newer_whole_checkpoint_supersedes_older_ones(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.concurrent_max = 4;
    make(&options, 2);
    start(1, 100);
    start(2, 200);
    start(3, 300);
    assert_true(ack(1, 0, 310));
    assert_true(ack(2, 0, 310) && ack(2, 1, 310));
    EXPECT("ABORT 1 STORE 2");
    assert_true(ack(3, 0, 320) && ack(3, 1, 320));
    EXPECT(""); /* one at a time goes to storage */
    assert_false(ack(1, 1, 330));
    stored(2, true, 340);
    EXPECT("COMPLETE 2 STORE 3");
    stored(3, true, 400);
    EXPECT("COMPLETE 3 BEGIN 4");
}

static void the_pause_counts_from_the_end_of_the_last(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.min_pause_ms = 500;
    make(&options, 1);
    start(1, 100);
    assert_true(ack(1, 0, 150));
    stored(1, true, 150);
    (void)drain();
    assert_int_equal(leat_coordinator_next_tick_ms(&coordinator), 650);
    tick(649);
    EXPECT("");
    tick(650);
    EXPECT("BEGIN 2");
}

static void one_may_be_asked_for_out_of_turn(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.interval_ms = 0;
    make(&options, 1);
    assert_true(leat_coordinator_next_tick_ms(&coordinator) == INT64_MAX);
    tick(1000);
    EXPECT("");
    leat_coordinator_on_request(&coordinator, 1000, &effects);
    EXPECT("BEGIN 1");
    leat_coordinator_on_request(&coordinator, 1001, &effects); /* while one is under way: right after it */
    EXPECT("");
    begun(1, 1001);
    assert_true(ack(1, 0, 1001));
    stored(1, true, 1002);
    EXPECT("TRIGGER 1 STORE 1 COMPLETE 1 BEGIN 2");
}

static void stopping_aborts_all_and_starts_nothing(void **state)
{
    (void)state;
    leat_coordinator_options options = usual;
    options.concurrent_max = 2;
    make(&options, 1);
    start(1, 100);
    tick(200);
    (void)drain();
    leat_coordinator_stop(&coordinator, &effects);
    EXPECT("ABORT 1 ABORT 2");
    tick(10000);
    leat_coordinator_on_request(&coordinator, 10000, &effects);
    stored(1, true, 10000);
    assert_false(ack(2, 0, 10000));
    EXPECT("");
}

/* Random events, some twice, some late: completions are in order, each at most once, never after an abort, and the
 * machine never has more under way than allowed. */
static void any_order_of_events_keeps_the_rules(void **state)
{
    (void)state;
    enum { TASKS = 3, IDS = 512 };
    int64_t completed = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
        leat_coordinator_options options = usual;
        options.concurrent_max = 1 + (int32_t)(seed % 4);
        options.tolerable_failures = -1;
        make(&options, TASKS);
        char ended[IDS] = {0};
        int64_t newest = 0, newest_complete = 0, now = 0;
        for (int step = 0; step < 2000; step++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            int64_t id = newest - (int64_t)((random >> 33) % 4);
            if (id < 1) id = 1;
            now += (int64_t)((random >> 36) % 30);
            switch ((random >> 44) % 8) {
            case 0: tick(now); break;
            case 1: leat_coordinator_on_begun(&coordinator, id, (random >> 50) % 8 != 0, now, &effects); break;
            case 2: stored(id, (random >> 50) % 8 != 0, now); break;
            case 3:
                if ((random >> 50) % 16 == 0) leat_coordinator_on_decline(&coordinator, id, now, &effects);
                break;
            default: (void)ack(id, (int32_t)((random >> 50) % TASKS), now); break;
            }
            for (int i = 0; i < effects.count; i++) {
                leat_coordinator_effect effect = effects.list[i];
                assert_true(effect.checkpoint_id < IDS);
                if (effect.kind == LEAT_COORDINATOR_BEGIN) {
                    assert_int_equal(effect.checkpoint_id, newest + 1);
                    newest++;
                } else if (effect.kind == LEAT_COORDINATOR_COMPLETE || effect.kind == LEAT_COORDINATOR_ABORT) {
                    assert_false(ended[effect.checkpoint_id]);
                    ended[effect.checkpoint_id] = 1;
                    if (effect.kind == LEAT_COORDINATOR_ABORT) continue;
                    assert_true(effect.checkpoint_id > newest_complete);
                    newest_complete = effect.checkpoint_id;
                    completed++;
                }
            }
            effects.count = 0;
        }
        leat_coordinator_done(&coordinator);
    }
    assert_true(completed > 2000);
}

static void initialising_reports_every_allocation_failure(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= LEAT_COORDINATOR_PENDING_MAX; n++) {
        leat_memory_fail_nth(n);
        assert_int_equal(leat_coordinator_init(&coordinator, &usual, 5, 1, 0, NULL), LEAT_NO_MEMORY);
        leat_memory_fail_nth(0);
        leat_coordinator_done(&coordinator);
    }
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test_teardown(a_checkpoint_goes_its_way, drop),
        cmocka_unit_test_teardown(commits_that_lag_hold_checkpoints_back, drop),
        cmocka_unit_test_teardown(a_commit_under_way_is_not_aborted_by_the_end, drop),
        cmocka_unit_test_teardown(acks_count_once_and_only_while_collecting, drop),
        cmocka_unit_test_teardown(a_checkpoint_that_takes_too_long_is_aborted_and_may_fail_the_job, drop),
        cmocka_unit_test_teardown(nothing_begins_in_the_step_that_fails_the_job, drop),
        cmocka_unit_test_teardown(a_completed_checkpoint_forgives_earlier_failures, drop),
        cmocka_unit_test_teardown(storing_never_expires, drop),
        cmocka_unit_test_teardown(a_failed_store_counts_as_a_failure, drop),
        cmocka_unit_test_teardown(an_enumerator_that_fails_counts_as_a_failure, drop),
        cmocka_unit_test_teardown(a_decline_is_no_failure, drop),
        cmocka_unit_test_teardown(a_decline_while_storing_comes_too_late, drop),
        cmocka_unit_test_teardown(so_many_may_be_under_way_at_once, drop),
        cmocka_unit_test_teardown(a_newer_whole_checkpoint_supersedes_older_ones, drop),
        cmocka_unit_test_teardown(the_pause_counts_from_the_end_of_the_last, drop),
        cmocka_unit_test_teardown(one_may_be_asked_for_out_of_turn, drop),
        cmocka_unit_test_teardown(stopping_aborts_all_and_starts_nothing, drop),
        cmocka_unit_test_teardown(any_order_of_events_keeps_the_rules, drop),
        cmocka_unit_test_teardown(initialising_reports_every_allocation_failure, drop),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
