#include "tests/unit.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "common/arena.h"
#include "common/env.h"
#include "common/error.h"
#include "common/memory.h"

static void errors_read_outermost_first(void **state)
{
    (void)state;
    leat_error error = {0};
    leat_code code = leat_fail_errno(&error, leat_code_of_errno(ENOENT), ENOENT, "open %s", "/x");
    code = leat_fail_in(&error, code, "read snapshot %d", 7);
    assert_int_equal(code, LEAT_NOT_FOUND);
    assert_int_equal(error.code, LEAT_NOT_FOUND);
    assert_string_equal(error.text, "read snapshot 7: open /x: No such file or directory");
    leat_fail_hint(&error, "look at '%s'", "/x");
    assert_string_equal(error.hint, "look at '/x'");
}

static void a_text_too_long_is_cut_and_terminated(void **state)
{
    (void)state;
    leat_error error = {0};
    char longer[4000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(leat_fail(&error, LEAT_IO, "%s", longer), LEAT_IO);
    assert_int_equal(leat_fail_in(&error, LEAT_IO, "%s", longer), LEAT_IO);
    assert_true(strlen(error.text) < sizeof error.text);
    leat_fail_hint(&error, "%s", longer);
    assert_true(strlen(error.hint) < sizeof error.hint);
}

static void an_error_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(leat_fail(NULL, LEAT_LIMIT, "text"), LEAT_LIMIT);
    assert_int_equal(leat_fail_in(NULL, LEAT_LIMIT, "text"), LEAT_LIMIT);
    leat_fail_hint(NULL, "text");
    assert_true(leat_code_is_transient(LEAT_IO) && !leat_code_is_transient(LEAT_CORRUPT));
}

static void the_nth_allocation_fails_and_only_that(void **state)
{
    (void)state;
    leat_memory_fail_nth(2);
    void *first = leat_alloc(8), *second = leat_alloc(8), *third = leat_alloc(8);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    leat_free(first);
    leat_free(third);
}

static void aligned_blocks_are_aligned(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 300; bytes += 7) {
        void *block = leat_alloc_aligned(bytes);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        leat_free(block);
    }
    volatile size_t too_much = SIZE_MAX; /* the compiler would refuse the constant */
    assert_null(leat_alloc_aligned(too_much));
}

static void growing_keeps_what_is_there_and_refuses_overflow(void **state)
{
    (void)state;
    int *array = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(leat_grow(&array, &capacity, i + 1, sizeof *array, NULL), LEAT_OK);
        array[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    assert_int_not_equal(leat_grow(&array, &capacity, SIZE_MAX / 2, sizeof *array, NULL), LEAT_OK);
    assert_int_equal(array[999], 999);
    leat_free(array);
}

static void an_arena_gives_zeroed_memory_up_to_its_limit(void **state)
{
    (void)state;
    leat_arena arena;
    leat_arena_init(&arena, 10000);
    for (int round = 0; round < 3; round++) {
        size_t taken = 0;
        uint8_t *block;
        while ((block = leat_arena_take(&arena, 100))) {
            for (int i = 0; i < 100; i++)
                assert_int_equal(block[i], 0);
            memset(block, 0xee, 100);
            assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
            taken += 100;
        }
        assert_true(taken > 5000 && taken <= 10000);
        leat_arena_reset(&arena);
    }
    assert_string_equal(leat_arena_format(&arena, "%s-%d", "chk", 7), "chk-7");
    assert_null(leat_arena_take(&arena, SIZE_MAX));
    leat_arena_done(&arena);
}

typedef struct counting_job {
    leat_job job;
    atomic_int *ran, *done;
} counting_job;

static void run_job(leat_job *job, leat_env *env)
{
    leat_env_sleep_ms(env, 1);
    atomic_fetch_add(((counting_job *)job)->ran, 1);
}

static void job_done(leat_job *job, leat_env *env)
{
    (void)env;
    atomic_fetch_add(((counting_job *)job)->done, 1);
}

enum { JOBS = 40 };

static void freeing_the_environment_waits_for_its_jobs(void **state)
{
    (void)state;
    leat_env *env;
    atomic_int ran = 0, done = 0;
    static counting_job jobs[JOBS];
    assert_int_equal(leat_env_system_new(4, JOBS, &env, NULL), LEAT_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (counting_job){{run_job, job_done, NULL}, &ran, &done};
        assert_int_equal(leat_env_spawn(env, &jobs[i].job, NULL), LEAT_OK);
    }
    leat_env_system_free(env);
    assert_int_equal(ran, JOBS);
    assert_int_equal(done, JOBS);
}

static void uuids_have_their_form_and_differ(void **state)
{
    (void)state;
    leat_env *env;
    char left[37], right[37];
    assert_int_equal(leat_env_system_new(1, 1, &env, NULL), LEAT_OK);
    leat_env_uuid(env, left);
    leat_env_uuid(env, right);
    assert_int_equal(strlen(left), 36);
    assert_true(left[8] == '-' && left[13] == '-' && left[14] == '4' && left[18] == '-' && left[23] == '-');
    assert_true(strchr("89ab", left[19]) != NULL);
    assert_string_not_equal(left, right);
    leat_env_system_free(env);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(errors_read_outermost_first),
        cmocka_unit_test(a_text_too_long_is_cut_and_terminated),
        cmocka_unit_test(an_error_may_be_null),
        cmocka_unit_test(the_nth_allocation_fails_and_only_that),
        cmocka_unit_test(aligned_blocks_are_aligned),
        cmocka_unit_test(growing_keeps_what_is_there_and_refuses_overflow),
        cmocka_unit_test(an_arena_gives_zeroed_memory_up_to_its_limit),
        cmocka_unit_test(freeing_the_environment_waits_for_its_jobs),
        cmocka_unit_test(uuids_have_their_form_and_differ),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
