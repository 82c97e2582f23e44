#include "tests/unit.h"

#include "tests/unit/jobmanager/cluster.h"

static int polls;

static leat_code enumerator_start(leat_enumerator *self, const uint8_t *state, size_t size, leat_error *error)
{
    (void)self;
    (void)state;
    (void)size;
    (void)error;
    return LEAT_OK;
}

static leat_code enumerator_poll(leat_enumerator *self, leat_error *error)
{
    (void)self;
    (void)error;
    polls++;
    return LEAT_OK;
}

static leat_code enumerator_snapshot(leat_enumerator *self, int64_t checkpoint_id, leat_bytes *state, leat_error *error)
{
    (void)self;
    (void)checkpoint_id;
    (void)state;
    (void)error;
    return LEAT_OK;
}

static void enumerator_close(leat_enumerator *self)
{
    leat_free(self);
}

static const leat_enumerator_vtable enumerator_vtable = {
    .start = enumerator_start, .poll = enumerator_poll, .snapshot = enumerator_snapshot, .close = enumerator_close};

static leat_code enumerator_create(leat_enumerator_context *context, const uint8_t *config, size_t size,
                                   leat_enumerator **out, leat_error *error)
{
    (void)context;
    *out = leat_calloc(1, sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    (*out)->vtable = &enumerator_vtable;
    (*out)->topic = size && config[0] == 'A' ? "/a" : "/b";
    return LEAT_OK;
}

static leat_code commit(leat_committer *self, int64_t checkpoint_id, const leat_committable *list, size_t count,
                        leat_error *error)
{
    (void)self;
    (void)checkpoint_id;
    (void)list;
    (void)count;
    (void)error;
    return LEAT_OK;
}

static void committer_close(leat_committer *self)
{
    leat_free(self);
}

static const leat_committer_vtable committer_vtable = {.commit = commit, .close = committer_close};

static leat_code committer_create(leat_env *env, const leat_config *config, const char *user, const uint8_t *own,
                                  size_t size, leat_committer **out, leat_error *error)
{
    (void)env;
    (void)config;
    (void)user;
    (void)own;
    (void)size;
    *out = leat_calloc(1, sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    (*out)->vtable = &committer_vtable;
    (*out)->topic = "/a";
    return LEAT_OK;
}

static const leat_enumerator_factory enumerator_factory = {"test", enumerator_create};
static const leat_committer_factory committer_factory = {"test", committer_create};

static void start(cluster *self)
{
    cluster_start(self);
    leat_registry_add_enumerator(&self->registry, &enumerator_factory);
    leat_registry_add_committer(&self->registry, &committer_factory);
    cluster_register(self, 8);
    polls = 0;
}

static void a_commit_wakes_the_enumerators_that_follow_its_topic(void **state)
{
    (void)state;
    cluster test;
    start(&test);
    leat_jm_job *writer =
        cluster_submit(&test, (cluster_vertex[]){{.name = "source"}, {.name = "sink", .committer = "test"}}, 2);
    leat_jm_job *reader =
        cluster_submit(&test, (cluster_vertex[]){{.name = "r", .enumerator = "test", .config = "A"}}, 1);
    leat_jm_job *other =
        cluster_submit(&test, (cluster_vertex[]){{.name = "o", .enumerator = "test", .config = "B"}}, 1);
    (void)reader;
    (void)other;
    cluster_run(&test, writer);
    assert_int_equal(polls, 0);
    cluster_checkpoint(&test, writer);
    assert_int_equal(writer->counts.completed, 1);
    assert_int_equal(polls, 1); /* of the one that reads /a */
    cluster_checkpoint(&test, writer);
    assert_int_equal(polls, 2);
    cluster_stop(&test);
}

static void a_commit_is_told_to_the_tasks_that_follow_its_topic(void **state)
{
    (void)state;
    cluster test;
    start(&test);
    leat_jm_job *writer =
        cluster_submit(&test, (cluster_vertex[]){{.name = "source"}, {.name = "sink", .committer = "test"}}, 2);
    leat_jm_job *joins = cluster_submit(&test, (cluster_vertex[]){{.name = "s"}, {.name = "j"}, {.name = "k"}}, 3);
    cluster_run(&test, writer);
    cluster_report(&test, joins, 0, LEAT__PB__TASK_STATE__TASK_RUNNING, NULL);
    cluster_report(&test, joins, 1, LEAT__PB__TASK_STATE__TASK_RUNNING, "/a");
    cluster_report(&test, joins, 2, LEAT__PB__TASK_STATE__TASK_RUNNING, "/b");
    test.sent_count = 0;
    cluster_checkpoint(&test, writer);
    assert_int_equal(cluster_count_sent(&test, LEAT__PB__ENVELOPE__BODY_NEWS), 1);
    assert_string_equal(test.topic, "/a");
    /* A task that has ended is told nothing. */
    cluster_report(&test, joins, 1, LEAT__PB__TASK_STATE__TASK_FINISHED, NULL);
    cluster_checkpoint(&test, writer);
    assert_int_equal(cluster_count_sent(&test, LEAT__PB__ENVELOPE__BODY_NEWS), 0);
    cluster_stop(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_wakes_the_enumerators_that_follow_its_topic),
        cmocka_unit_test(a_commit_is_told_to_the_tasks_that_follow_its_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
