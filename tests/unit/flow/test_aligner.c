#include "tests/unit.h"

#include <string.h>

#include "common/memory.h"
#include "flow/aligner.h"

static leat_aligner aligner;

static void make(int32_t channels)
{
    assert_int_equal(leat_aligner_init(&aligner, channels, NULL), LEAT_OK);
}

static int drop(void **state)
{
    (void)state;
    leat_aligner_done(&aligner);
    return 0;
}

static void one_channel_is_cut_at_once(void **state)
{
    (void)state;
    make(1);
    leat_align_effect effect = leat_aligner_on_barrier(&aligner, 0, 1, 5);
    assert_int_equal(effect.kind, LEAT_ALIGN_CUT);
    assert_int_equal(effect.checkpoint_id, 1);
    assert_int_equal(effect.aligned_since_us, 5);
    assert_false(leat_aligner_is_blocked(&aligner, 0));
}

static void a_channel_is_blocked_until_all_have_brought_the_barrier(void **state)
{
    (void)state;
    make(3);
    assert_int_equal(leat_aligner_on_barrier(&aligner, 1, 7, 100).kind, LEAT_ALIGN_NONE);
    assert_true(leat_aligner_is_blocked(&aligner, 1));
    assert_false(leat_aligner_is_blocked(&aligner, 0));
    assert_int_equal(leat_aligner_on_barrier(&aligner, 0, 7, 200).kind, LEAT_ALIGN_NONE);
    leat_align_effect effect = leat_aligner_on_barrier(&aligner, 2, 7, 300);
    assert_int_equal(effect.kind, LEAT_ALIGN_CUT);
    assert_int_equal(effect.aligned_since_us, 100);
    for (int32_t i = 0; i < 3; i++)
        assert_false(leat_aligner_is_blocked(&aligner, i));
}

static void a_newer_barrier_gives_the_older_checkpoint_up(void **state)
{
    (void)state;
    make(2);
    (void)leat_aligner_on_barrier(&aligner, 0, 1, 0);
    leat_align_effect effect = leat_aligner_on_barrier(&aligner, 1, 2, 10);
    assert_int_equal(effect.kind, LEAT_ALIGN_NONE);
    assert_int_equal(effect.given_up_id, 1);
    assert_false(leat_aligner_is_blocked(&aligner, 0));
    assert_true(leat_aligner_is_blocked(&aligner, 1));
    effect = leat_aligner_on_barrier(&aligner, 0, 2, 20);
    assert_int_equal(effect.kind, LEAT_ALIGN_CUT);
    assert_int_equal(effect.checkpoint_id, 2);
    assert_int_equal(effect.aligned_since_us, 10);
}

static void old_barriers_are_ignored_and_counted(void **state)
{
    (void)state;
    make(2);
    (void)leat_aligner_on_barrier(&aligner, 0, 5, 0);
    (void)leat_aligner_on_barrier(&aligner, 1, 5, 0);
    assert_int_equal(leat_aligner_on_barrier(&aligner, 0, 5, 0).kind, LEAT_ALIGN_NONE);
    assert_int_equal(leat_aligner_on_barrier(&aligner, 0, 4, 0).kind, LEAT_ALIGN_NONE);
    assert_int_equal(aligner.stale_barriers, 2);
    assert_false(leat_aligner_is_blocked(&aligner, 0));
}

static void a_channel_that_has_ended_counts_as_aligned(void **state)
{
    (void)state;
    make(2);
    assert_int_equal(leat_aligner_on_end(&aligner, 0, 0).kind, LEAT_ALIGN_NONE);
    assert_int_equal(leat_aligner_on_barrier(&aligner, 1, 1, 0).kind, LEAT_ALIGN_CUT);
    assert_int_equal(leat_aligner_on_barrier(&aligner, 1, 2, 0).kind, LEAT_ALIGN_CUT);
}

static void the_end_of_the_last_missing_channel_completes_the_alignment(void **state)
{
    (void)state;
    make(3);
    (void)leat_aligner_on_barrier(&aligner, 0, 1, 7);
    assert_int_equal(leat_aligner_on_end(&aligner, 1, 8).kind, LEAT_ALIGN_NONE);
    leat_align_effect effect = leat_aligner_on_end(&aligner, 2, 9);
    assert_int_equal(effect.kind, LEAT_ALIGN_CUT);
    assert_int_equal(effect.checkpoint_id, 1);
    assert_int_equal(leat_aligner_on_end(&aligner, 2, 9).kind, LEAT_ALIGN_NONE); /* told twice */
}

/* Channels that deliver barriers in order, with some missing, some ending: each checkpoint is cut at most once, in
 * order, and only when every open channel has brought its barrier. */
static void any_interleaving_cuts_in_order(void **state)
{
    (void)state;
    enum { CHANNELS = 4, BARRIERS = 30 };
    for (uint64_t seed = 1; seed < 2000; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
        int64_t at[CHANNELS] = {0}, newest_cut = 0;
        bool has_ended[CHANNELS] = {false};
        make(CHANNELS);
        for (int step = 0; step < 300; step++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            int32_t channel = (int32_t)((random >> 33) % CHANNELS);
            if (has_ended[channel] || leat_aligner_is_blocked(&aligner, channel)) continue;
            leat_align_effect effect;
            if (at[channel] >= BARRIERS || (random >> 40) % 60 == 0) {
                has_ended[channel] = true;
                effect = leat_aligner_on_end(&aligner, channel, step);
            } else {
                at[channel] += 1 + ((random >> 50) % 8 == 0); /* one in eight never arrives */
                effect = leat_aligner_on_barrier(&aligner, channel, at[channel], step);
            }
            if (effect.kind != LEAT_ALIGN_CUT) continue;
            assert_true(effect.checkpoint_id > newest_cut);
            newest_cut = effect.checkpoint_id;
            for (int32_t i = 0; i < CHANNELS; i++)
                assert_true(has_ended[i] || at[i] == newest_cut);
        }
        assert_true(newest_cut > 0);
        leat_aligner_done(&aligner);
    }
}

static void initialising_reports_every_allocation_failure(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 2; n++) {
        leat_memory_fail_nth(n);
        assert_int_equal(leat_aligner_init(&aligner, 8, NULL), LEAT_NO_MEMORY);
        leat_memory_fail_nth(0);
        leat_aligner_done(&aligner);
    }
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test_teardown(one_channel_is_cut_at_once, drop),
        cmocka_unit_test_teardown(a_channel_is_blocked_until_all_have_brought_the_barrier, drop),
        cmocka_unit_test_teardown(a_newer_barrier_gives_the_older_checkpoint_up, drop),
        cmocka_unit_test_teardown(old_barriers_are_ignored_and_counted, drop),
        cmocka_unit_test_teardown(a_channel_that_has_ended_counts_as_aligned, drop),
        cmocka_unit_test_teardown(the_end_of_the_last_missing_channel_completes_the_alignment, drop),
        cmocka_unit_test_teardown(any_interleaving_cuts_in_order, drop),
        cmocka_unit_test_teardown(initialising_reports_every_allocation_failure, drop),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
