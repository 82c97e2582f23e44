#include "tests/unit.h"

#include "tests/unit/paimon/commit_world.h"

static void the_committer_takes_what_aborted_checkpoints_prepared(void **state)
{
    (void)state;
    world w;
    make_world(&w, false, NULL, NULL);
    leat_bytes config = {0}, first = {0}, second = {0};
    leat_paimon_committer_config_write(table_path, NULL, &config);
    leat_paimon_message m = make_message(&w), n = make_message(&w);
    m.checkpoint_id = 1;
    n.checkpoint_id = 2;
    add(&w, &m.new_files, make_file(&w, "a", 0, 0, 0, 1));
    add(&w, &n.new_files, make_file(&w, "b", 0, 0, 0, 2));
    leat_paimon_message_write(&m, &first);
    leat_paimon_message_write(&n, &second);
    leat_committable list[] = {{0, 0, second.data, second.size}, {0, 1, first.data, first.size}};
    leat_committer *committer;
    OK(leat_paimon_committer_factory.create(&w.env.env, NULL, "me", config.data, config.size, &committer, error));
    OK(committer->vtable->commit(committer, 2, list, 2, error));
    OK(committer->vtable->commit(committer, 3, list, 2, error));
    committer->vtable->close(committer);
    /* A new one, after a restore. */
    OK(leat_paimon_committer_factory.create(&w.env.env, NULL, "me", config.data, config.size, &committer, error));
    OK(committer->vtable->commit(committer, 2, list, 2, error));
    OK(committer->vtable->commit(committer, 4, list, 2, error));
    committer->vtable->close(committer);
    assert_live(&w, "a b");
    assert_int_equal(latest(&w).id, 1);
    assert_int_equal(
        leat_paimon_committer_factory.create(&w.env.env, NULL, "me", config.data, config.size - 1, &committer, NULL),
        LEAT_CORRUPT);
    leat_paimon_message copy;
    for (size_t cut = 0; cut < first.size; cut++)
        assert_int_equal(leat_paimon_message_read(first.data, cut, &w.arena, &copy, NULL), LEAT_CORRUPT);
    leat_bytes_done(&config);
    leat_bytes_done(&first);
    leat_bytes_done(&second);
    end_world(&w);
}

/* A restored checkpoint brings along what was committed long ago. */
static void what_is_committed_stays_known_when_its_snapshot_expires(void **state)
{
    (void)state;
    world w;
    make_world(&w, false, NULL, NULL);
    leat_bytes config = {0}, first = {0}, bad = {0}, third = {0};
    leat_paimon_committer_config_write(table_path, NULL, &config);
    leat_paimon_message m = make_message(&w), n = make_message(&w), o = make_message(&w), theirs = make_message(&w);
    m.checkpoint_id = 1;
    n.checkpoint_id = 2;
    o.checkpoint_id = 3;
    add(&w, &m.new_files, make_file(&w, "a", 0, 0, 0, 1));
    add(&w, &n.compact_before, make_file(&w, "nowhere", 0, 0, 0, 1));
    add(&w, &o.new_files, make_file(&w, "c", 0, 0, 0, 1));
    add(&w, &theirs.new_files, make_file(&w, "b", 0, 0, 0, 1));
    leat_paimon_message_write(&m, &first);
    leat_paimon_message_write(&n, &bad);
    leat_paimon_message_write(&o, &third);
    leat_committer *committer;
    OK(leat_paimon_committer_factory.create(&w.env.env, NULL, "me", config.data, config.size, &committer, error));
    leat_committable one[] = {{0, 0, first.data, first.size}}, two[] = {{0, 0, bad.data, bad.size}};
    leat_committable all[] = {{0, 0, first.data, first.size}, {0, 0, third.data, third.size}};
    OK(committer->vtable->commit(committer, 1, one, 1, error));
    assert_int_equal(committer->vtable->commit(committer, 2, two, 1, NULL), LEAT_CONFLICT);
    OK(commit(&w, "you", 1, &theirs, false, NULL, error));
    OK(leat_storage_remove(w.storage, "mem:/w/default.db/t/snapshot/snapshot-1", error));
    OK(committer->vtable->commit(committer, 3, all, 2, error));
    committer->vtable->close(committer);
    assert_live(&w, "a b c");
    leat_bytes_done(&config);
    leat_bytes_done(&first);
    leat_bytes_done(&bad);
    leat_bytes_done(&third);
    end_world(&w);
}

/* Says what `check` says of a commit of the message, and that nothing was written. */
static leat_code check(world *self, const char *user, int64_t identifier, const leat_paimon_message *message,
                       bool is_recovery, leat_commit_outlook *out)
{
    leat_storage_list before = {0}, after = {0};
    OK(leat_storage_list_folder(self->storage, "mem:/w/default.db/t/manifest", &before, error));
    leat_paimon_commit_options options = {.is_recovery = is_recovery};
    leat_code code =
        leat_paimon_commit_check(&self->env.env, &self->table, user, identifier, message, 1, &options, out, NULL);
    OK(leat_storage_list_folder(self->storage, "mem:/w/default.db/t/manifest", &after, error));
    assert_int_equal(before.count, after.count);
    leat_storage_list_done(&before);
    leat_storage_list_done(&after);
    return code;
}

static void rows_alone_can_t_conflict(void **state)
{
    (void)state;
    world w;
    make_world(&w, false, NULL, NULL);
    leat_paimon_message m = make_message(&w);
    add(&w, &m.new_files, make_file(&w, "a", 0, 0, 0, 10));
    OK(commit(&w, "you", 1, &m, false, NULL, error));
    leat_paimon_message n = make_message(&w);
    add(&w, &n.new_files, make_file(&w, "b", 0, 0, 0, 10));
    leat_commit_outlook outlook;
    assert_int_equal(check(&w, "me", 1, &n, false, &outlook), LEAT_OK);
    assert_false(outlook.may_conflict || outlook.is_done);
    OK(commit(&w, "me", 1, &n, false, NULL, error));
    assert_int_equal(check(&w, "me", 1, &n, true, &outlook), LEAT_OK);
    assert_true(outlook.is_done);
    assert_int_equal(check(&w, "me", 2, &n, true, &outlook), LEAT_CONFLICT); /* a file that is there already */
    end_world(&w);
}

static void a_compaction_is_checked_without_a_trace(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, NULL, NULL);
    leat_paimon_message m = make_message(&w), left = make_message(&w), right = make_message(&w);
    leat_paimon_file a = make_file(&w, "a", 0, 1, 5, 10);
    add(&w, &m.new_files, a);
    OK(commit(&w, "me", 1, &m, false, NULL, error));
    add(&w, &left.compact_before, a);
    add(&w, &left.compact_after, make_file(&w, "b", 5, 1, 5, 10));
    add(&w, &right.new_files, make_file(&w, "n", 0, 1, 5, 3));
    add(&w, &right.compact_before, a);
    add(&w, &right.compact_after, make_file(&w, "c", 5, 1, 5, 10));
    leat_commit_outlook outlook;
    assert_int_equal(check(&w, "you", 1, &right, false, &outlook), LEAT_OK);
    assert_true(outlook.may_conflict && !outlook.is_done);
    OK(commit(&w, "me", 2, &left, false, NULL, error));
    assert_int_equal(check(&w, "you", 1, &right, false, &outlook), LEAT_CONFLICT);
    assert_live(&w, "b");
    end_world(&w);
}

static void a_key_that_another_job_put_elsewhere_is_seen(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, NULL, NULL);
    int32_t key[] = {40};
    leat_paimon_message m = make_message(&w), n = make_message(&w);
    leat_paimon_index_file ours = index_of(&w, "index-a", 0, key, 1), theirs = index_of(&w, "index-b", 1, key, 1);
    m.new_index_files = &ours;
    n.new_index_files = &theirs;
    n.bucket = 1;
    m.new_index_files_count = n.new_index_files_count = 1;
    m.new_key_hashes = n.new_key_hashes = key;
    m.new_key_hashes_count = n.new_key_hashes_count = 1;
    add(&w, &m.new_files, make_file(&w, "a", 0, 1, 5, 1));
    add(&w, &n.new_files, make_file(&w, "b", 0, 1, 5, 1));
    leat_commit_outlook outlook;
    assert_int_equal(check(&w, "me", 1, &m, false, &outlook), LEAT_OK);
    assert_true(outlook.may_conflict);
    OK(commit(&w, "you", 1, &n, false, NULL, error));
    assert_int_equal(check(&w, "me", 1, &m, false, &outlook), LEAT_CONFLICT);
    end_world(&w);
}

static void a_batch_job_that_starts_again_doubles_nothing(void **state)
{
    (void)state;
    world w;
    make_world(&w, false, NULL, NULL);
    leat_bytes config = {0}, first = {0}, second = {0};
    leat_paimon_committer_config_write(table_path, NULL, &config);
    leat_paimon_message m = make_message(&w), n = make_message(&w);
    m.checkpoint_id = n.checkpoint_id = LEAT_PAIMON_BATCH_IDENTIFIER;
    add(&w, &m.new_files, make_file(&w, "a", 0, 0, 0, 1));
    add(&w, &n.new_files, make_file(&w, "again", 0, 0, 0, 1));
    leat_paimon_message_write(&m, &first);
    leat_paimon_message_write(&n, &second);
    leat_committer *committer;
    OK(leat_paimon_committer_factory.create(&w.env.env, NULL, "me", config.data, config.size, &committer, error));
    assert_string_equal(committer->topic, table_path);
    leat_committable list[] = {{0, 0, first.data, first.size}}, repeated[] = {{0, 0, second.data, second.size}};
    leat_commit_outlook outlook;
    OK(committer->vtable->check(committer, INT64_MAX, list, 1, &outlook, error));
    assert_false(outlook.is_done);
    OK(committer->vtable->commit(committer, INT64_MAX, list, 1, error));
    OK(committer->vtable->check(committer, INT64_MAX, repeated, 1, &outlook, error));
    assert_true(outlook.is_done);
    OK(committer->vtable->commit(committer, INT64_MAX, repeated, 1, error));
    assert_live(&w, "a");
    committer->vtable->close(committer);
    leat_bytes_done(&config);
    leat_bytes_done(&first);
    leat_bytes_done(&second);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committer_takes_what_aborted_checkpoints_prepared),
        cmocka_unit_test(what_is_committed_stays_known_when_its_snapshot_expires),
        cmocka_unit_test(rows_alone_can_t_conflict),
        cmocka_unit_test(a_compaction_is_checked_without_a_trace),
        cmocka_unit_test(a_key_that_another_job_put_elsewhere_is_seen),
        cmocka_unit_test(a_batch_job_that_starts_again_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
