#include "tests/unit.h"

#include <stdio.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/catalog.h"
#include "paimon/commit.h"
#include "paimon/hash.h"
#include "paimon/manifest.h"
#include "paimon/scan.h"
#include "tests/unit/paimon/commit_world.h"

static void a_created_table_is_as_it_was_told(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, "bucket", "2");
    const leat_paimon_schema *schema = &w.table.schema;
    assert_int_equal(schema->fields_count, 2);
    assert_int_equal(schema->highest_field_id, 1);
    assert_false(schema->fields[0].type.nullable);
    assert_string_equal(schema->fields[1].description, "a \"value\"");
    leat_paimon_computed *computed;
    int32_t count;
    OK(leat_paimon_schema_computed(schema, &w.arena, &computed, &count, error));
    assert_int_equal(count, 1);
    assert_int_equal(computed[0].position, 2);
    assert_string_equal(computed[0].name, "twice");
    assert_string_equal(computed[0].expression, "`k` * 2");
    leat_paimon_bucket_mode mode;
    int32_t buckets;
    OK(leat_paimon_schema_bucket_mode(schema, &mode, &buckets, error));
    assert_int_equal(mode, LEAT_PAIMON_BUCKET_FIXED);
    assert_int_equal(buckets, 2);
    assert_int_equal(leat_paimon_create_database(&w.env.env, "mem:/w", "default", NULL), LEAT_EXISTS);
    leat_paimon_new_column column = {.name = "k", .type = leat_type_make(LEAT_TYPE_INT, true)};
    leat_paimon_new_table again = {.database = "default", .name = "t", .columns = &column, .columns_count = 1};
    assert_int_equal(leat_paimon_create_table(&w.env.env, "mem:/w", &again, NULL), LEAT_EXISTS);
    again.database = "nowhere";
    assert_int_equal(leat_paimon_create_table(&w.env.env, "mem:/w", &again, NULL), LEAT_NOT_FOUND);
    assert_int_equal(leat_paimon_drop_database(&w.env.env, "mem:/w", "default", false, NULL), LEAT_INVALID);
    OK(leat_paimon_drop_table(&w.env.env, "mem:/w", "default", "t", error));
    OK(leat_paimon_drop_database(&w.env.env, "mem:/w", "default", false, error));
    bool is_there;
    OK(leat_paimon_database_exists(&w.env.env, "mem:/w", "default", &is_there, error));
    assert_false(is_there);
    end_world(&w);
}

static void new_files_and_compaction_make_two_snapshots(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, NULL, NULL);
    leat_paimon_message m = make_message(&w);
    leat_paimon_file a = make_file(&w, "a", 0, 1, 5, 10);
    add(&w, &m.new_files, a);
    add(&w, &m.changelog_files, make_file(&w, "changelog-a", 0, 1, 5, 12));
    add(&w, &m.compact_before, a);
    a.level = 5; /* an upgrade */
    add(&w, &m.compact_after, a);
    leat_paimon_commit_result result;
    OK(commit(&w, "me", 1, &m, false, &result, error));
    assert_int_equal(result.snapshots_count, 2);
    leat_paimon_snapshot second = latest(&w), first;
    OK(leat_paimon_snapshot_load(&w.env.env, table_path, 1, &w.arena, &first, error));
    assert_int_equal(first.commit_kind, LEAT_PAIMON_COMMIT_APPEND);
    assert_int_equal(first.changelog_records, 12);
    assert_int_equal(second.id, 2);
    assert_int_equal(second.commit_kind, LEAT_PAIMON_COMMIT_COMPACT);
    assert_int_equal(second.commit_identifier, 1);
    assert_null(second.changelog_manifest_list);
    assert_live(&w, "a");
    leat_paimon_splits splits = {0};
    OK(leat_paimon_plan_changes(&w.env.env, &w.table, &first, NULL, &w.arena, &splits, error));
    assert_int_equal(splits.count, 1);
    assert_true(splits.items[0].is_changes);
    OK(leat_paimon_plan_changes(&w.env.env, &w.table, &second, NULL, &w.arena, &splits, error));
    assert_int_equal(splits.count, 1); /* a compaction brings no changes */
    end_world(&w);
}

static void a_checkpoint_is_committed_once(void **state)
{
    (void)state;
    world w;
    make_world(&w, false, NULL, NULL);
    leat_paimon_message m = make_message(&w);
    add(&w, &m.new_files, make_file(&w, "a", 0, 0, 0, 10));
    leat_paimon_commit_result result;
    OK(commit(&w, "me", 7, &m, true, &result, error));
    assert_int_equal(result.snapshots_count, 1);
    OK(commit(&w, "me", 7, &m, true, &result, error));
    assert_true(result.was_committed);
    assert_int_equal(result.snapshots_count, 0);
    OK(commit(&w, "me", 6, &m, true, &result, error));
    assert_true(result.was_committed);
    assert_live(&w, "a");
    /* Nothing to commit makes no snapshot. */
    OK(commit(&w, "me", 8, NULL, false, &result, error));
    assert_int_equal(result.snapshots_count, 0);
    assert_int_equal(latest(&w).id, 1);
    /* What was removed meanwhile can't be committed. */
    leat_paimon_message lost = make_message(&w);
    add(&w, &lost.new_files, (leat_paimon_file){.name = "gone", .rows = 1});
    assert_int_equal(commit(&w, "me", 9, &lost, true, &result, NULL), LEAT_CONFLICT);
    end_world(&w);
}

static void an_interrupted_compaction_half_is_made_up(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, NULL, NULL);
    leat_paimon_message m = make_message(&w);
    leat_paimon_file a = make_file(&w, "a", 0, 1, 5, 10);
    add(&w, &m.new_files, a);
    OK(commit(&w, "me", 1, &m, false, NULL, error)); /* as if it ended after the APPEND half */
    add(&w, &m.compact_before, a);
    add(&w, &m.compact_after, make_file(&w, "b", 5, 1, 5, 9));
    leat_paimon_commit_result result;
    OK(commit(&w, "me", 1, &m, true, &result, error));
    assert_int_equal(result.snapshots_count, 1);
    assert_live(&w, "b");
    OK(commit(&w, "me", 1, &m, true, &result, error));
    assert_true(result.was_committed);
    end_world(&w);
}

static void two_compactions_of_one_file_conflict(void **state)
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
    OK(commit(&w, "me", 2, &left, false, NULL, error));
    add(&w, &right.new_files, make_file(&w, "n", 0, 1, 5, 3));
    add(&w, &right.compact_before, a);
    add(&w, &right.compact_after, make_file(&w, "c", 5, 1, 5, 10));
    leat_error error = {0};
    assert_int_equal(commit(&w, "you", 1, &right, false, NULL, &error), LEAT_CONFLICT);
    assert_non_null(strstr(error.text, "file deletion conflicts detected"));
    assert_live(&w, "b"); /* nothing of it, not even its APPEND half */
    leat_paimon_message overlap = make_message(&w);
    add(&w, &overlap.compact_after, make_file(&w, "d", 5, 5, 9, 10));
    assert_int_equal(commit(&w, "you", 2, &overlap, false, NULL, &error), LEAT_CONFLICT);
    assert_non_null(strstr(error.text, "LSM conflicts detected"));
    end_world(&w);
}

static leat_paimon_commit_memory memory_of_me; /* as its committer keeps it */

static void commit_keys(world *self, const char *user, int64_t identifier, int64_t base, const char *name,
                        int32_t bucket, const int32_t *all, size_t all_count, const int32_t *fresh, size_t fresh_count,
                        leat_code wanted)
{
    leat_paimon_message m = make_message(self);
    m.bucket = bucket;
    m.base_snapshot = base;
    m.new_key_hashes = fresh;
    m.new_key_hashes_count = fresh_count;
    leat_paimon_index_file index =
        index_of(self, leat_arena_format(&self->arena, "index-%s", name), bucket, all, all_count);
    m.new_index_files = &index;
    m.new_index_files_count = 1;
    add(self, &m.new_files, make_file(self, name, 0, 1, 5, 1));
    leat_error error = {0};
    leat_paimon_commit_options options = {.memory = strcmp(user, "me") == 0 ? &memory_of_me : NULL};
    leat_code code = leat_paimon_commit(&self->env.env, &self->table, user, identifier, &m, 1, &options, NULL, &error);
    if (code != wanted) fail_msg("%s: %s", name, error.text);
}

static void assert_index(world *self, int32_t bucket, const int32_t *wanted, size_t wanted_count)
{
    leat_paimon_snapshot snapshot = latest(self);
    leat_paimon_index_files files = {0};
    OK(leat_paimon_index_manifest_load(&self->env.env, table_path, snapshot.index_manifest, &self->arena, &files,
                                       error));
    for (size_t i = 0; i < files.count; i++) {
        if (files.items[i].bucket != bucket) continue;
        int32_t *hashes;
        size_t count;
        OK(leat_paimon_hash_index_load(&self->env.env, table_path, &files.items[i], &self->arena, &hashes, &count,
                                       error));
        assert_int_equal(count, wanted_count);
        assert_memory_equal(hashes, wanted, count * sizeof *hashes);
        assert_int_equal(files.items[i].rows, count);
        return;
    }
    fail_msg("no index of bucket %d", bucket);
}

static void two_jobs_may_add_keys_to_a_dynamic_bucket_table(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, NULL, NULL);
    memory_of_me = (leat_paimon_commit_memory){0};
    commit_keys(&w, "me", 1, -1, "a", 0, (int32_t[]){10, 20}, 2, (int32_t[]){10, 20}, 2, LEAT_OK);
    /* Another job, from snapshot 1 on: other keys into the same bucket. */
    commit_keys(&w, "you", 1, 1, "b", 0, (int32_t[]){10, 20, 30}, 3, (int32_t[]){30}, 1, LEAT_OK);
    /* The first job knows nothing of 30: the file becomes the union. */
    commit_keys(&w, "me", 2, 1, "c", 0, (int32_t[]){10, 20, 25}, 3, (int32_t[]){25}, 1, LEAT_OK);
    assert_index(&w, 0, (int32_t[]){10, 20, 25, 30}, 4);
    /* The first job's own index changes are no foreign ones. */
    commit_keys(&w, "me", 3, 3, "d", 1, (int32_t[]){40}, 1, (int32_t[]){40}, 1, LEAT_OK);
    assert_int_equal(memory_of_me.clean, 3);
    commit_keys(&w, "me", 4, 3, "e", 0, (int32_t[]){10, 20, 25, 30, 50}, 5, (int32_t[]){50}, 1, LEAT_OK);
    /* Key 40 was put into bucket 1 since snapshot 3: it can't go into bucket 0. */
    commit_keys(&w, "you", 2, 3, "f", 0, (int32_t[]){40}, 1, (int32_t[]){40}, 1, LEAT_CONFLICT);
    assert_int_equal(memory_of_me.clean, 4);
    commit_keys(&w, "you", 2, 3, "g", 1, (int32_t[]){40, 60}, 2, (int32_t[]){40, 60}, 2, LEAT_OK);
    assert_index(&w, 1, (int32_t[]){40, 60}, 2);
    assert_live(&w, "a b c d e g");
    end_world(&w);
}

static void many_small_manifests_are_merged(void **state)
{
    (void)state;
    world w;
    make_world(&w, false, "manifest.merge-min-count", "3");
    for (int i = 0; i < 8; i++) {
        leat_paimon_message m = make_message(&w);
        add(&w, &m.new_files, make_file(&w, leat_arena_format(&w.arena, "f%d", i), 0, 0, 0, 1));
        OK(commit(&w, "me", i + 1, &m, false, NULL, error));
        leat_paimon_manifests base = {0};
        OK(leat_paimon_manifest_list_load(&w.env.env, table_path, latest(&w).base_manifest_list, &w.arena, &base,
                                          error));
        static const int64_t wanted[][3] = {{0},    {1}, {1, 1}, {3},
                                            {3, 1}, {5}, {5, 1}, {7}}; /* as measured with Paimon */
        for (size_t k = 0; k < base.count; k++)
            assert_int_equal(base.items[k].added_files, wanted[i][k]);
    }
    assert_live(&w, "f0 f1 f2 f3 f4 f5 f6 f7");
    end_world(&w);
}

static void a_full_merge_leaves_adds_only(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, "manifest.full-compaction-threshold-size", "3 kb");
    leat_paimon_file files[6];
    for (int i = 0; i < 6; i++) {
        leat_paimon_message m = make_message(&w);
        files[i] = make_file(&w, leat_arena_format(&w.arena, "f%d", i), 0, i, i, 1);
        add(&w, &m.new_files, files[i]);
        if (i == 3) {
            for (int k = 0; k < 3; k++)
                add(&w, &m.compact_before, files[k]);
            add(&w, &m.compact_after, make_file(&w, "c", 5, 0, 2, 3));
        }
        OK(commit(&w, "me", i + 1, &m, false, NULL, error));
    }
    leat_paimon_manifests base = {0};
    OK(leat_paimon_manifest_list_load(&w.env.env, table_path, latest(&w).base_manifest_list, &w.arena, &base, error));
    int64_t deletes = 0;
    for (size_t i = 0; i < base.count; i++)
        deletes += base.items[i].deleted_files;
    assert_int_equal(deletes, 0);
    assert_true(base.count <= 2);
    leat_paimon_snapshot snapshot = latest(&w);
    assert_int_equal(snapshot.total_records, 6);
    end_world(&w);
}

/* A world in which someone else commits while we wait, and before our snapshot is made. */
static world *racing;
static int races_left;

static leat_code (*plain_put)(leat_storage *self, const char *path, const void *data, size_t size, leat_put_mode mode,
                              leat_error *error);

static void commit_other(int number)
{
    leat_paimon_message m = make_message(racing);
    add(racing, &m.new_files, make_file(racing, leat_arena_format(&racing->arena, "other%d", number), 0, 0, 0, 100));
    OK(leat_paimon_commit(&racing->env.env, &racing->table, "other", number + 1, &m, 1, NULL, NULL, error));
}

static leat_code racing_put(leat_storage *self, const char *path, const void *data, size_t size, leat_put_mode mode,
                            leat_error *error)
{
    if (strstr(path, "/snapshot/snapshot-") && races_left > 0) {
        races_left--;
        int left = races_left;
        races_left = 0; /* the other one is not raced */
        commit_other(left);
        races_left = left;
    }
    return plain_put(self, path, data, size, mode, error);
}

static void the_loser_of_a_race_commits_on_top(void **state)
{
    (void)state;
    world w;
    make_world(&w, false, NULL, NULL);
    leat_storage_vtable vtable = *w.storage->vtable;
    plain_put = vtable.put;
    vtable.put = racing_put;
    w.storage->vtable = &vtable;
    racing = &w;
    races_left = 3;
    leat_paimon_message m = make_message(&w);
    add(&w, &m.new_files, make_file(&w, "mine", 0, 0, 0, 1));
    leat_paimon_commit_result result;
    OK(commit(&w, "me", 1, &m, false, &result, error));
    assert_int_equal(result.attempts, 4);
    assert_int_equal(result.snapshots[0], 4);
    assert_live(&w, "other2 other1 other0 mine");
    races_left = 20;
    leat_paimon_message n = make_message(&w);
    add(&w, &n.new_files, make_file(&w, "late", 0, 0, 0, 1));
    assert_int_equal(commit(&w, "me", 2, &n, false, &result, NULL), LEAT_TIMEOUT);
    races_left = 0;
    end_world(&w);
}

/* The n-th write fails: before it happens, or after it happened with a lost answer. */
static int fail_at, puts_count;
static bool fails_after;

static leat_code failing_put(leat_storage *self, const char *path, const void *data, size_t size, leat_put_mode mode,
                             leat_error *error)
{
    bool is_hit = ++puts_count == fail_at;
    if (is_hit && !fails_after) return leat_fail(error, LEAT_DENIED, "put %s: not now", path);
    leat_code code = plain_put(self, path, data, size, mode, error);
    return is_hit && code == LEAT_OK ? leat_fail(error, LEAT_IO, "put %s: the answer is lost", path) : code;
}

static void whatever_write_fails_a_repeated_commit_doubles_nothing(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        fails_after = after;
        for (fail_at = 1;; fail_at++) {
            world w;
            make_world(&w, true, NULL, NULL);
            leat_paimon_message m = make_message(&w);
            leat_paimon_file a = make_file(&w, "a", 0, 1, 5, 10);
            add(&w, &m.new_files, a);
            add(&w, &m.compact_before, a);
            add(&w, &m.compact_after, make_file(&w, "b", 5, 1, 5, 9));
            leat_storage_vtable vtable = *w.storage->vtable;
            plain_put = vtable.put;
            vtable.put = failing_put;
            w.storage->vtable = &vtable;
            puts_count = 0;
            leat_code code = commit(&w, "me", 1, &m, false, NULL, NULL);
            bool is_beyond = puts_count < fail_at;
            vtable.put = plain_put;
            if (code != LEAT_OK) OK(commit(&w, "me", 1, &m, true, NULL, error));
            assert_live(&w, "b");
            assert_int_equal(latest(&w).id, 2);
            end_world(&w);
            if (is_beyond) break;
        }
        assert_true(fail_at > 10);
    }
}

static void memory_that_runs_out_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    world w;
    make_world(&w, true, NULL, NULL);
    leat_paimon_message m = make_message(&w);
    leat_paimon_file a = make_file(&w, "a", 0, 1, 5, 10);
    add(&w, &m.new_files, a);
    add(&w, &m.compact_before, a);
    add(&w, &m.compact_after, make_file(&w, "b", 5, 1, 5, 9));
    leat_code code = LEAT_NO_MEMORY;
    for (int n = 1; code != LEAT_OK; n += 3) {
        leat_memory_fail_nth(n);
        code = commit(&w, "me", 1, &m, true, NULL, NULL);
        leat_memory_fail_nth(0);
    }
    assert_live(&w, "b");
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_created_table_is_as_it_was_told),
        cmocka_unit_test(new_files_and_compaction_make_two_snapshots),
        cmocka_unit_test(a_checkpoint_is_committed_once),
        cmocka_unit_test(an_interrupted_compaction_half_is_made_up),
        cmocka_unit_test(two_compactions_of_one_file_conflict),
        cmocka_unit_test(two_jobs_may_add_keys_to_a_dynamic_bucket_table),
        cmocka_unit_test(many_small_manifests_are_merged),
        cmocka_unit_test(a_full_merge_leaves_adds_only),
        cmocka_unit_test(the_loser_of_a_race_commits_on_top),
        cmocka_unit_test(whatever_write_fails_a_repeated_commit_doubles_nothing),
        cmocka_unit_test(memory_that_runs_out_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
