#include "tests/unit.h"

#include <stdio.h>

#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/manifest.h"
#include "paimon/path.h"
#include "paimon/scan.h"
#include "tests/unit/paimon/env.h"

/* Tables whose metadata the reference writer (Paimon 1.3.1) made: the files below tests/data/paimon/tables, or another
 * warehouse given as second argument. */
static char *warehouse;
static leat_storage *files, *memory;
static test_env reading, writing;

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        leat_error error_ = {0};                                                                                       \
        leat_error *error = &error_;                                                                                   \
        leat_code code_ = (call);                                                                                      \
        if (code_ != LEAT_OK) fail_msg("%s", error_.text);                                                             \
    } while (0)

static int set_up(void **state)
{
    (void)state;
    if (leat_storage_file_new(&files, NULL) != LEAT_OK || leat_storage_memory_new(&memory, NULL) != LEAT_OK) return 1;
    test_env_init(&reading, files);
    test_env_init(&writing, memory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    leat_storage_free(files);
    leat_storage_free(memory);
    return 0;
}

typedef void visit(const leat_paimon_table *table, const leat_paimon_snapshot *snapshot, leat_arena *arena);

static void visit_snapshots(const leat_paimon_table *table, visit *visitor)
{
    int64_t latest, earliest;
    OK(leat_paimon_snapshot_latest_id(&reading.env, table->path, &latest, error));
    OK(leat_paimon_snapshot_earliest_id(&reading.env, table->path, &earliest, error));
    for (int64_t id = earliest; id > 0 && id <= latest; id++) {
        leat_arena arena;
        leat_arena_init(&arena, 256 << 20);
        leat_paimon_snapshot snapshot;
        OK(leat_paimon_snapshot_load(&reading.env, table->path, id, &arena, &snapshot, error));
        visitor(table, &snapshot, &arena);
        leat_arena_done(&arena);
    }
}

static int visit_tables(visit *visitor, void (*of_table)(const leat_paimon_table *table))
{
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    leat_paimon_names_list tables;
    OK(leat_paimon_list_tables(&reading.env, warehouse, "default", &arena, &tables, error));
    for (size_t i = 0; i < tables.count; i++) {
        leat_paimon_table table;
        OK(leat_paimon_get_table(&reading.env, warehouse, "default", tables.items[i], &arena, &table, error));
        assert_string_equal(table.name, tables.items[i]);
        assert_string_equal(table.database, "default");
        if (of_table) of_table(&table);
        if (visitor) visit_snapshots(&table, visitor);
        leat_paimon_table_done(&table);
    }
    int count = (int)tables.count;
    leat_arena_done(&arena);
    return count;
}

static int64_t rows_of(const leat_paimon_entries *entries)
{
    int64_t rows = 0;
    for (size_t i = 0; i < entries->count; i++) {
        rows += entries->items[i].kind == LEAT_PAIMON_ADD ? entries->items[i].file.rows : -entries->items[i].file.rows;
    }
    return rows;
}

static void check_counts(const leat_paimon_table *table, const leat_paimon_snapshot *snapshot, leat_arena *arena)
{
    leat_paimon_entries live = {0}, delta = {0}, changelog = {0};
    OK(leat_paimon_scan_entries(&reading.env, table, snapshot, NULL, arena, &live, error));
    OK(leat_paimon_scan_delta(&reading.env, table, snapshot, arena, &delta, error));
    OK(leat_paimon_scan_changelog(&reading.env, table, snapshot, arena, &changelog, error));
    assert_int_equal(rows_of(&live), snapshot->total_records);
    assert_int_equal(rows_of(&delta), snapshot->delta_records);
    assert_int_equal(rows_of(&changelog), snapshot->changelog_records);
}

static void all_manifests_add_up_to_the_snapshots_counts(void **state)
{
    (void)state;
    assert_true(visit_tables(check_counts, NULL) >= 15);
}

static void check_print(const leat_paimon_table *table, const leat_paimon_snapshot *snapshot, leat_arena *arena)
{
    leat_bytes ours = {0}, theirs = {0};
    const char *path = leat_arena_format(arena, "%s/snapshot/snapshot-%lld", table->path, (long long)snapshot->id);
    OK(leat_storage_get_all(files, path, 1 << 20, &theirs, error));
    leat_paimon_snapshot_print(snapshot, &ours);
    assert_int_equal(ours.size, theirs.size);
    assert_memory_equal(ours.data, theirs.data, ours.size);
    leat_bytes_done(&ours);
    leat_bytes_done(&theirs);
}

static void snapshots_are_printed_byte_for_byte(void **state)
{
    (void)state;
    visit_tables(check_print, NULL);
}

static void check_schema(const leat_paimon_table *table)
{
    leat_arena arena;
    leat_arena_init(&arena, 16 << 20);
    leat_bytes ours = {0}, theirs = {0}, again = {0};
    OK(leat_paimon_schema_print(&table->schema, &ours, error));
    leat_paimon_schema copy;
    OK(leat_paimon_schema_parse((const char *)ours.data, ours.size, &arena, &copy, error));
    OK(leat_paimon_schema_print(&copy, &again, error));
    assert_int_equal(again.size, ours.size);
    assert_memory_equal(again.data, ours.data, ours.size);
    bool is_nested = false;
    for (int32_t i = 0; i < table->schema.fields_count; i++)
        is_nested |= table->schema.fields[i].type_json != NULL;
    const char *path = leat_arena_format(&arena, "%s/schema/schema-%lld", table->path, (long long)table->schema.id);
    OK(leat_storage_get_all(files, path, 1 << 20, &theirs, error));
    /* Options come in the order of the file, nested types are printed closer: only flat schemas are alike to the byte.
     * An empty list is "[ ]". */
    if (!is_nested) {
        assert_int_equal(ours.size, theirs.size);
        assert_memory_equal(ours.data, theirs.data, ours.size);
    }
    leat_bytes_done(&ours);
    leat_bytes_done(&again);
    leat_bytes_done(&theirs);
    leat_paimon_schema_done(&copy);
    leat_arena_done(&arena);
}

static void schemas_are_printed_byte_for_byte(void **state)
{
    (void)state;
    visit_tables(NULL, check_schema);
}

static void assert_same_entry(const leat_paimon_entry *left, const leat_paimon_entry *right)
{
    leat_bytes a = {0}, b = {0};
    leat_paimon_file_write(&left->file, &a);
    leat_paimon_file_write(&right->file, &b);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    assert_int_equal(left->kind, right->kind);
    assert_int_equal(left->bucket, right->bucket);
    assert_int_equal(left->total_buckets, right->total_buckets);
    assert_int_equal(left->partition_size, right->partition_size);
    assert_memory_equal(left->partition, right->partition, left->partition_size);
    leat_bytes_done(&a);
    leat_bytes_done(&b);
}

static void check_manifest(const leat_paimon_table *table, const leat_paimon_manifest *theirs, leat_arena *arena)
{
    leat_paimon_entries entries = {0}, again = {0};
    OK(leat_paimon_manifest_load(&reading.env, table->path, theirs->name, arena, &entries, error));
    const leat_paimon_entry **pointers = leat_arena_take(arena, entries.count * sizeof *pointers);
    for (size_t i = 0; i < entries.count; i++)
        pointers[i] = &entries.items[i];
    leat_paimon_names names;
    leat_paimon_names_init(&names, &writing.env);
    const char *name = leat_paimon_names_next(&names, "manifest-", "", arena);
    leat_paimon_manifest ours;
    OK(leat_paimon_manifest_store(&writing.env, "mem:/t", &table->schema, name, pointers, entries.count, arena, &ours,
                                  error));
    OK(leat_paimon_manifest_load(&writing.env, "mem:/t", name, arena, &again, error));
    assert_int_equal(again.count, entries.count);
    for (size_t i = 0; i < entries.count; i++)
        assert_same_entry(&entries.items[i], &again.items[i]);
    assert_int_equal(ours.added_files, theirs->added_files);
    assert_int_equal(ours.deleted_files, theirs->deleted_files);
    assert_int_equal(ours.partition_stats.min_size, theirs->partition_stats.min_size);
    assert_memory_equal(ours.partition_stats.min, theirs->partition_stats.min, ours.partition_stats.min_size);
    assert_memory_equal(ours.partition_stats.max, theirs->partition_stats.max, ours.partition_stats.max_size);
    assert_int_equal(ours.partition_stats.null_counts_size, theirs->partition_stats.null_counts_size);
    for (size_t i = 0; i < ours.partition_stats.null_counts_size; i++)
        assert_int_equal(ours.partition_stats.null_counts[i], theirs->partition_stats.null_counts[i]);
    assert_int_equal(ours.min_bucket, theirs->min_bucket);
    assert_int_equal(ours.max_bucket, theirs->max_bucket);
    assert_int_equal(ours.min_level, theirs->min_level);
    assert_int_equal(ours.max_level, theirs->max_level);
}

static void check_rewrite(const leat_paimon_table *table, const leat_paimon_snapshot *snapshot, leat_arena *arena)
{
    leat_paimon_manifests list = {0}, again = {0};
    OK(leat_paimon_manifest_list_load(&reading.env, table->path, snapshot->delta_manifest_list, arena, &list, error));
    for (size_t i = 0; i < list.count; i++)
        check_manifest(table, &list.items[i], arena);
    leat_paimon_names names;
    leat_paimon_names_init(&names, &writing.env);
    const char *name = leat_paimon_names_next(&names, "manifest-list-", "", arena);
    int64_t size;
    OK(leat_paimon_manifest_list_store(&writing.env, "mem:/t", &table->schema, name, &list, &size, error));
    OK(leat_paimon_manifest_list_load(&writing.env, "mem:/t", name, arena, &again, error));
    assert_int_equal(again.count, list.count);
    for (size_t i = 0; i < list.count; i++)
        assert_string_equal(again.items[i].name, list.items[i].name);
    if (!snapshot->index_manifest) return;
    leat_paimon_index_files index = {0}, index_again = {0};
    OK(leat_paimon_index_manifest_load(&reading.env, table->path, snapshot->index_manifest, arena, &index, error));
    const char *index_name = leat_paimon_names_next(&names, "index-manifest-", "", arena);
    OK(leat_paimon_index_manifest_store(&writing.env, "mem:/t", &table->schema, index_name, &index, error));
    OK(leat_paimon_index_manifest_load(&writing.env, "mem:/t", index_name, arena, &index_again, error));
    assert_int_equal(index_again.count, index.count);
    for (size_t i = 0; i < index.count; i++) {
        leat_bytes a = {0}, b = {0};
        leat_paimon_index_file_write(&index.items[i], &a);
        leat_paimon_index_file_write(&index_again.items[i], &b);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        leat_bytes_done(&a);
        leat_bytes_done(&b);
    }
}

static void manifests_written_by_us_hold_the_same(void **state)
{
    (void)state;
    visit_tables(check_rewrite, NULL);
}

static void check_splits(const leat_paimon_table *table, const leat_paimon_snapshot *snapshot, leat_arena *arena)
{
    leat_paimon_splits splits = {0}, changes = {0};
    OK(leat_paimon_plan_snapshot(&reading.env, table, snapshot, NULL, arena, &splits, error));
    OK(leat_paimon_plan_changes(&reading.env, table, snapshot, NULL, arena, &changes, error));
    for (size_t i = 0; i < splits.count; i++) {
        leat_bytes first = {0}, second = {0};
        leat_paimon_split copy;
        leat_paimon_split_write(&splits.items[i], &first);
        OK(leat_paimon_split_read(first.data, first.size, arena, &copy, error));
        leat_paimon_split_write(&copy, &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        assert_true(copy.files.count > 0);
        for (size_t cut = 0; cut < first.size; cut += 7)
            assert_int_not_equal(leat_paimon_split_read(first.data, cut, arena, &copy, NULL), LEAT_OK);
        leat_bytes_done(&first);
        leat_bytes_done(&second);
    }
}

static void every_snapshot_can_be_planned(void **state)
{
    (void)state;
    visit_tables(check_splits, NULL);
}

static void hash_indexes_are_read(void **state)
{
    (void)state;
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    leat_paimon_table table;
    OK(leat_paimon_get_table(&reading.env, warehouse, "default", "dyn_part", &arena, &table, error));
    int64_t latest;
    leat_paimon_snapshot snapshot;
    leat_paimon_index_files index = {0};
    OK(leat_paimon_snapshot_latest_id(&reading.env, table.path, &latest, error));
    OK(leat_paimon_snapshot_load(&reading.env, table.path, latest, &arena, &snapshot, error));
    OK(leat_paimon_index_manifest_load(&reading.env, table.path, snapshot.index_manifest, &arena, &index, error));
    assert_true(index.count > 0);
    int32_t *hashes;
    size_t count;
    OK(leat_paimon_hash_index_load(&reading.env, table.path, &index.items[0], &arena, &hashes, &count, error));
    assert_int_equal(count, index.items[0].rows);
    leat_paimon_index_file copy = {0};
    OK(leat_paimon_hash_index_store(&writing.env, "mem:/t", "index-copy", hashes, count, &copy, error));
    int32_t *again;
    size_t again_count;
    OK(leat_paimon_hash_index_load(&writing.env, "mem:/t", &copy, &arena, &again, &again_count, error));
    assert_int_equal(again_count, count);
    assert_memory_equal(again, hashes, count * sizeof *hashes);
    assert_int_equal(copy.size_bytes, index.items[0].size_bytes);
    leat_paimon_table_done(&table);
    leat_arena_done(&arena);
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    warehouse = argc > 2 ? leat_strdup(argv[2]) : leat_format("%s/tables", argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_manifests_add_up_to_the_snapshots_counts),
        cmocka_unit_test(snapshots_are_printed_byte_for_byte),
        cmocka_unit_test(schemas_are_printed_byte_for_byte),
        cmocka_unit_test(manifests_written_by_us_hold_the_same),
        cmocka_unit_test(every_snapshot_can_be_planned),
        cmocka_unit_test(hash_indexes_are_read),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    leat_free(warehouse);
    return failed;
}
