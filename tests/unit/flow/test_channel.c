#include "tests/unit.h"

#include <stdint.h>
#include <string.h>

#include "flow/channel.h"

static void a_sender_may_overdraw_by_one_element(void **state)
{
    (void)state;
    leat_channel_out out;
    leat_channel_out_init(&out, 100);
    assert_true(leat_channel_out_has_room(&out));
    assert_int_equal(leat_channel_out_send(&out, 99), 0);
    assert_true(leat_channel_out_has_room(&out));
    assert_int_equal(leat_channel_out_send(&out, 1000), 1);
    assert_false(leat_channel_out_has_room(&out));
    assert_int_equal(leat_channel_out_send(&out, 0), 2); /* a barrier takes no credit */
    assert_int_equal(leat_channel_out_grant(&out, 999, NULL), LEAT_OK);
    assert_false(leat_channel_out_has_room(&out));
    assert_int_equal(leat_channel_out_grant(&out, 100, NULL), LEAT_OK);
    assert_true(leat_channel_out_has_room(&out));
}

static void a_grant_beyond_what_was_sent_is_the_peers_fault(void **state)
{
    (void)state;
    leat_channel_out out;
    leat_channel_out_init(&out, 100);
    assert_int_equal(leat_channel_out_grant(&out, 1, NULL), LEAT_CORRUPT);
    (void)leat_channel_out_send(&out, 50);
    assert_int_equal(leat_channel_out_grant(&out, 51, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_channel_out_grant(&out, INT64_MAX, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_channel_out_grant(&out, -1, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_channel_out_grant(&out, INT64_MIN, NULL), LEAT_CORRUPT);
    assert_int_equal(out.credit_bytes, 50);
    assert_int_equal(leat_channel_out_grant(&out, 50, NULL), LEAT_OK);
}

static void gaps_and_repetitions_are_refused(void **state)
{
    (void)state;
    leat_channel_in in;
    leat_error error = {0};
    leat_channel_in_init(&in, 100);
    assert_int_equal(leat_channel_in_receive(&in, 0, LEAT_ELEMENT_BATCH, NULL), LEAT_OK);
    assert_int_equal(leat_channel_in_receive(&in, 0, LEAT_ELEMENT_BATCH, NULL), LEAT_CORRUPT);
    assert_int_equal(leat_channel_in_receive(&in, 2, LEAT_ELEMENT_BATCH, &error), LEAT_CORRUPT);
    assert_non_null(strstr(error.text, "element 2 where 1 is due"));
    assert_int_equal(leat_channel_in_receive(&in, 1, LEAT_ELEMENT_BARRIER, NULL), LEAT_OK);
}

static void barriers_may_follow_the_data_but_nothing_follows_the_end(void **state)
{
    (void)state;
    leat_channel_in in;
    leat_channel_in_init(&in, 100);
    assert_int_equal(leat_channel_in_receive(&in, 0, LEAT_ELEMENT_END_OF_DATA, NULL), LEAT_OK);
    assert_int_equal(leat_channel_in_receive(&in, 1, LEAT_ELEMENT_BARRIER, NULL), LEAT_OK);
    assert_int_equal(leat_channel_in_receive(&in, 2, LEAT_ELEMENT_END, NULL), LEAT_OK);
    assert_int_equal(leat_channel_in_receive(&in, 3, LEAT_ELEMENT_BATCH, NULL), LEAT_CORRUPT);
}

static void small_amounts_are_granted_together(void **state)
{
    (void)state;
    leat_channel_in in;
    leat_channel_in_init(&in, 100);
    assert_int_equal(leat_channel_in_consume(&in, 10), 0);
    assert_int_equal(leat_channel_in_consume(&in, 14), 0);
    assert_int_equal(leat_channel_in_consume(&in, 1), 25);
    assert_int_equal(leat_channel_in_consume(&in, 400), 400);
    assert_int_equal(in.consumed_bytes, 0);
}

/* However both sides take turns, the sender is never stuck for ever and never has more in flight than the limit plus
 * one element. */
static void credit_goes_round_for_ever(void **state)
{
    (void)state;
    uint64_t seed = 1;
    leat_channel_out out;
    leat_channel_in in;
    leat_channel_out_init(&out, 1000);
    leat_channel_in_init(&in, 1000);
    int64_t flying[4096], first = 0, last = 0, sum = 0, sent = 0;
    for (int step = 0; step < 100000; step++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        if ((seed >> 33) % 2 && leat_channel_out_has_room(&out)) {
            int64_t bytes = (int64_t)((seed >> 40) % 1500);
            assert_int_equal(leat_channel_out_send(&out, bytes), last);
            flying[last++ % 4096] = bytes;
            sum += bytes;
            sent++;
            assert_true(sum < 1000 + 1500);
        } else if (first < last) {
            int64_t bytes = flying[first % 4096];
            assert_int_equal(leat_channel_in_receive(&in, (uint64_t)first++, LEAT_ELEMENT_BATCH, NULL), LEAT_OK);
            sum -= bytes;
            assert_int_equal(leat_channel_out_grant(&out, leat_channel_in_consume(&in, bytes), NULL), LEAT_OK);
        } else {
            assert_true(leat_channel_out_has_room(&out)); /* all consumed: it may send */
        }
    }
    assert_true(sent > 10000);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(a_sender_may_overdraw_by_one_element),
        cmocka_unit_test(a_grant_beyond_what_was_sent_is_the_peers_fault),
        cmocka_unit_test(gaps_and_repetitions_are_refused),
        cmocka_unit_test(barriers_may_follow_the_data_but_nothing_follows_the_end),
        cmocka_unit_test(small_amounts_are_granted_together),
        cmocka_unit_test(credit_goes_round_for_ever),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
