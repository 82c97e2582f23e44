#include "tests/unit.h"

#include "tests/unit/jobmanager/cluster.h"

static const Leat__Pb__Envelope__BodyCase again = LEAT__PB__ENVELOPE__BODY_REGISTER_AGAIN;

static void beat(cluster *test)
{
    Leat__Pb__Heartbeat message = LEAT__PB__HEARTBEAT__INIT;
    message.task_manager = (char[]){"tm"};
    cluster_say(test, LEAT__PB__ENVELOPE__BODY_HEARTBEAT, &message);
}

static void one_that_nobody_knows_is_asked_to_register(void **state)
{
    (void)state;
    cluster test;
    cluster_start(&test);
    beat(&test);
    assert_int_equal(cluster_count_sent(&test, again), 1);
    cluster_register(&test, 4);
    beat(&test);
    assert_int_equal(cluster_count_sent(&test, again), 0);
    cluster_stop(&test);
}

/* A process that was stopped for a while: its connection stands, so it would never register by itself. */
static void one_that_was_given_up_is_asked_to_register(void **state)
{
    (void)state;
    cluster test;
    cluster_start(&test);
    cluster_register(&test, 4);
    cluster_settle(&test, 3600 * 1000); /* the job manager itself was still: that says nothing of others */
    assert_int_equal(leat_jobmanager_slots_free(&test.manager), 4);
    for (int second = 0; second < 3600; second++)
        cluster_settle(&test, 1000);
    assert_int_equal(leat_jobmanager_slots_free(&test.manager), 0);
    beat(&test);
    assert_int_equal(cluster_count_sent(&test, again), 1);
    cluster_register(&test, 4);
    assert_int_equal(leat_jobmanager_slots_free(&test.manager), 4);
    cluster_stop(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_nobody_knows_is_asked_to_register),
        cmocka_unit_test(one_that_was_given_up_is_asked_to_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
