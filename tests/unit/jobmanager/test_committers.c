#include "tests/unit.h"

#include "tests/unit/jobmanager/cluster.h"

/* Sinks "A" and "B" of one job; the test says what they find. The journal has a letter a call: checks small, commits
 * large. */
typedef struct sink {
    leat_code check, commit;
    leat_commit_outlook outlook;
    int64_t done_id; /* newest that is in the table */
} sink;

static sink sinks[2];
static bool is_idle[2]; /* no rows */
static char journal[64];

typedef struct test_committer {
    leat_committer committer; /* first */
    int index;
} test_committer;

static void note(char letter)
{
    size_t length = strlen(journal);
    assert_true(length + 1 < sizeof journal);
    journal[length] = letter;
    journal[length + 1] = '\0';
}

static leat_code commit(leat_committer *base, int64_t checkpoint_id, const leat_committable *list, size_t count,
                        leat_error *error)
{
    (void)list;
    sink *self = &sinks[((test_committer *)base)->index];
    assert_int_equal(count, is_idle[((test_committer *)base)->index] ? 0 : 1);
    note((char)('A' + ((test_committer *)base)->index));
    if (self->commit != LEAT_OK) return leat_fail(error, self->commit, "it does not go");
    self->done_id = checkpoint_id;
    return LEAT_OK;
}

static leat_code check(leat_committer *base, int64_t checkpoint_id, const leat_committable *list, size_t count,
                       leat_commit_outlook *out, leat_error *error)
{
    (void)list;
    (void)count;
    const sink *self = &sinks[((test_committer *)base)->index];
    note((char)('a' + ((test_committer *)base)->index));
    *out = self->outlook;
    out->is_done = self->done_id == checkpoint_id;
    return self->check == LEAT_OK ? LEAT_OK : leat_fail(error, self->check, "somebody was there");
}

static void committer_close(leat_committer *base)
{
    leat_free(base);
}

static const leat_committer_vtable checking = {.commit = commit, .close = committer_close, .check = check},
                                   plain = {.commit = commit, .close = committer_close};

/* Configuration: the sink's letter, "+" when it has a check. */
static leat_code committer_create(leat_env *env, const leat_config *config, const char *user, const uint8_t *own,
                                  size_t size, leat_committer **out, leat_error *error)
{
    (void)env;
    (void)config;
    (void)user;
    test_committer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->index = own[0] - 'A';
    self->committer.vtable = size > 1 ? &checking : &plain;
    self->committer.topic = own[0] == 'A' ? "/house/a" : "/house/b";
    *out = &self->committer;
    return LEAT_OK;
}

static const leat_committer_factory committer_factory = {"test", committer_create};

static leat_jm_job *start(cluster *self, const char *first, const char *second)
{
    cluster_start(self);
    leat_registry_add_committer(&self->registry, &committer_factory);
    cluster_register(self, 4);
    memset(sinks, 0, sizeof sinks);
    memset(is_idle, 0, sizeof is_idle);
    journal[0] = '\0';
    cluster_vertex vertices[] = {{.name = "source"},
                                 {.name = "sink a", .committer = "test", .config = first},
                                 {.name = "sink b", .committer = "test", .config = second}};
    leat_jm_job *job = cluster_submit(self, vertices, second ? 3 : 2);
    cluster_run(self, job);
    return job;
}

static const char *newest_error(const leat_jm_job *job)
{
    return job->exceptions_count ? job->exceptions[job->exceptions_count - 1].text : "";
}

/* The next attempt. */
static void run_again(cluster *self, leat_jm_job *job)
{
    cluster_cancel_tasks(self, job);
    cluster_settle(self, 2000);
    assert_int_equal(job->state, LEAT_JOB_INITIALIZING);
    cluster_run(self, job);
}

static void all_sinks_are_checked_before_the_first_commits(void **state)
{
    (void)state;
    cluster test;
    leat_jm_job *job = start(&test, "A+", "B+");
    cluster_checkpoint(&test, job);
    assert_string_equal(journal, "abAB");
    assert_int_equal(job->counts.completed, 1);
    sinks[1].check = LEAT_CONFLICT;
    cluster_checkpoint(&test, job);
    assert_string_equal(journal, "abABab");
    assert_int_equal(job->state, LEAT_JOB_RESTARTING);
    assert_int_equal(job->completed->checkpoint, 1);
    sinks[1].check = LEAT_OK;
    run_again(&test, job);
    cluster_checkpoint(&test, job);
    assert_string_equal(journal, "abABababAB");
    assert_int_equal(job->counts.completed, 2);
    cluster_stop(&test);
}

static void one_sink_alone_is_not_checked(void **state)
{
    (void)state;
    cluster test;
    leat_jm_job *job = start(&test, "A+", NULL);
    cluster_checkpoint(&test, job);
    assert_string_equal(journal, "A");
    cluster_stop(&test);
}

static void a_sink_without_rows_is_not_checked_and_keeps_nobody_from_going_back(void **state)
{
    (void)state;
    cluster test;
    leat_jm_job *job = start(&test, "A+", "B+");
    is_idle[0] = true;
    test.idle_vertices = 1 << 1;
    sinks[1].commit = LEAT_CONFLICT;
    cluster_checkpoint(&test, job);
    assert_string_equal(journal, "bAB");
    assert_int_equal(job->state, LEAT_JOB_RESTARTING);
    cluster_stop(&test);
}

static void what_may_conflict_goes_first(void **state)
{
    (void)state;
    cluster test;
    leat_jm_job *job = start(&test, "A+", "B+");
    sinks[1].outlook.may_conflict = true;
    cluster_checkpoint(&test, job);
    assert_string_equal(journal, "abBA");
    /* It conflicts although the check saw nothing: nobody else has committed. */
    sinks[1].commit = LEAT_CONFLICT;
    cluster_checkpoint(&test, job);
    assert_string_equal(journal, "abBAabB");
    assert_int_equal(job->state, LEAT_JOB_RESTARTING);
    cluster_stop(&test);
}

static void a_conflict_after_another_sink_has_committed_ends_the_job(void **state)
{
    (void)state;
    for (int has_check = 0; has_check < 2; has_check++) {
        cluster test;
        leat_jm_job *job = start(&test, has_check ? "A+" : "A", has_check ? "B+" : "B");
        cluster_checkpoint(&test, job);
        sinks[0].outlook.may_conflict = sinks[1].outlook.may_conflict = true;
        sinks[1].commit = LEAT_CONFLICT;
        cluster_checkpoint(&test, job);
        assert_int_equal(job->state, LEAT_JOB_FAILING);
        cluster_cancel_tasks(&test, job);
        assert_int_equal(job->state, LEAT_JOB_FAILED);
        assert_non_null(strstr(newest_error(job), "checkpoint 2 is in /house/a and can't be in /house/b"));
        assert_true(strlen(job->exceptions[job->exceptions_count - 1].hint) > 0);
        cluster_stop(&test);
    }
}

static void a_conflict_when_a_commit_of_unknown_end_is_repeated_ends_the_job(void **state)
{
    (void)state;
    cluster test;
    leat_jm_job *job = start(&test, "A+", "B+");
    sinks[1].commit = LEAT_IO; /* A commits, of B nobody knows */
    cluster_checkpoint(&test, job);
    assert_int_equal(job->state, LEAT_JOB_RESTARTING);
    sinks[1].check = sinks[1].commit = LEAT_CONFLICT;
    cluster_cancel_tasks(&test, job);
    cluster_settle(&test, 2000);
    assert_int_equal(job->state, LEAT_JOB_FAILED);
    assert_non_null(strstr(newest_error(job), "is in /house/a and can't be in /house/b"));
    cluster_stop(&test);
}

static void a_conflict_when_nothing_was_done_yet_starts_the_next_attempt(void **state)
{
    (void)state;
    cluster test;
    leat_jm_job *job = start(&test, "A+", "B+");
    sinks[0].commit = LEAT_IO;
    cluster_checkpoint(&test, job);
    assert_int_equal(job->state, LEAT_JOB_RESTARTING);
    sinks[0].check = LEAT_CONFLICT;
    cluster_cancel_tasks(&test, job);
    cluster_settle(&test, 2000);
    cluster_settle(&test, 2000);
    assert_int_equal(job->state, LEAT_JOB_INITIALIZING);
    assert_null(job->completed);
    cluster_stop(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sinks_are_checked_before_the_first_commits),
        cmocka_unit_test(one_sink_alone_is_not_checked),
        cmocka_unit_test(a_sink_without_rows_is_not_checked_and_keeps_nobody_from_going_back),
        cmocka_unit_test(what_may_conflict_goes_first),
        cmocka_unit_test(a_conflict_after_another_sink_has_committed_ends_the_job),
        cmocka_unit_test(a_conflict_when_a_commit_of_unknown_end_is_repeated_ends_the_job),
        cmocka_unit_test(a_conflict_when_nothing_was_done_yet_starts_the_next_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
