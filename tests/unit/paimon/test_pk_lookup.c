#include "tests/unit.h"

#include "paimon/pk.h"
#include "paimon/schema.h"
#include "tests/batches.h"
#include "tests/unit/paimon/lookup_world.h"

static world w;

#define SMALL_LEVELS                                                                                                   \
    {"num-sorted-run.compaction-trigger", "3"},                                                                        \
    {                                                                                                                  \
        "num-levels", "4"                                                                                              \
    }
#define SUMS                                                                                                           \
    {"merge-engine", "aggregation"}, {"fields.n.aggregate-function", "sum"},                                           \
        {"fields.note.aggregate-function", "last_value"}, {"fields.n.ignore-retract", "true"},                         \
    {                                                                                                                  \
        "fields.note.ignore-retract", "true"                                                                           \
    }

/* Several snapshots, one after another, each probed at random keys; compared with a merged read. */
static void run(const world_option *options, bool is_partitioned, int percent_deleted, uint64_t seed)
{
    leat_error error = {0};
    world_open(&w, options, is_partitioned, seed);
    pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
    for (int round = 0; round < 12; round++) {
        world_read(&w);
        pk_ok(world_settle(&w, &error), &error);
        for (int i = 0; i < 3; i++)
            world_ask_random(&w, 1 + (int32_t)(world_random(&w) % 300));
        world_begin_random(&w, 20); /* files may be deleted while they are read */
        world_write(&w, 1 + (int32_t)(world_random(&w) % 300), percent_deleted);
        world_commit(&w);
        w.env.now_ms += 2000;
    }
    world_close(&w);
}

static void the_youngest_record_of_several_levels_is_found(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "3"}, SMALL_LEVELS, {NULL, NULL}};
    for (uint64_t seed = 1; seed < 4; seed++)
        run(options, false, 25, seed);
}

static void files_of_level_0_alone_are_searched(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "1"}, {"write-only", "true"}, {NULL, NULL}};
    run(options, false, 25, 1);
}

static void sums_are_merged_over_the_levels(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "2"}, SMALL_LEVELS, SUMS, {NULL, NULL}};
    for (uint64_t seed = 1; seed < 4; seed++)
        run(options, false, 0, seed);
    static const world_option removing[] = {
        {"bucket", "2"}, SMALL_LEVELS, SUMS, {"aggregation.remove-record-on-delete", "true"}, {NULL, NULL}};
    run(removing, false, 20, 7);
}

static void keys_of_partitions_find_theirs(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "2"}, SMALL_LEVELS, {NULL, NULL}};
    run(options, true, 20, 5);
}

static void ignored_deletes_hide_nothing(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "2"}, SMALL_LEVELS, {"ignore-delete", "true"}, {NULL, NULL}};
    run(options, false, 25, 3);
}

/* With next to no memory every piece is let go before the next one comes. */
static void little_memory_changes_no_answer(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "2"},
                                           SMALL_LEVELS,
                                           {"lookup.cache-max-memory-size", "1 kb"},
                                           {"lookup.cache-rows", "7"},
                                           {NULL, NULL}};
    run(options, false, 25, 9);
    static const world_option uncached[] = {
        {"bucket", "2"}, SMALL_LEVELS, SUMS, {"lookup.cache-rows", "0"}, {NULL, NULL}};
    run(uncached, false, 0, 9);
}

static void other_columns_are_compared_too(void **state)
{
    (void)state;
    leat_error error = {0};
    static const world_option options[] = {{"bucket", "2"}, {"write-only", "true"}, SUMS, {NULL, NULL}};
    world_open(&w, options, false, 5);
    w.compares_region = true;
    for (int i = 0; i < 2; i++) {
        world_write(&w, 200, 0);
        world_commit(&w);
    }
    world_read(&w);
    pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
    pk_ok(world_settle(&w, &error), &error);
    for (int i = 0; i < 4; i++) {
        w.asks_elsewhere = i % 2 == 1;
        world_ask_random(&w, 300);
    }
    world_close(&w);
}

/* Files of many pieces and row groups, of which some are in memory. */
static void large_files_are_kept_in_pieces(void **state)
{
    (void)state;
    leat_error error = {0};
    static const world_option options[] = {{"bucket", "1"},
                                           {"file.block-size", "256 kb"},
                                           {"lookup.cache-max-memory-size", "1 mb"},
                                           {"lookup.cache-rows", "100"},
                                           {NULL, NULL}};
    world_open(&w, options, false, 12);
    w.ids = WORLD_IDS_MAX;
    for (int i = 0; i < 10; i++)
        world_write(&w, 8000, 10);
    world_commit(&w);
    world_write(&w, 100, 10);
    world_commit(&w);
    world_read(&w);
    pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
    pk_ok(world_settle(&w, &error), &error);
    for (int i = 0; i < 20; i++) {
        world_ask_random(&w, 30);
        assert_true(world_cache_bytes < 3 << 20);
    }
    assert_true(world_files_opened > 4);
    world_close(&w);
}

static void the_planner_takes_files_for_fixed_buckets_and_a_copy_else(void **state)
{
    (void)state;
    static const struct {
        const char *bucket, *cache, *type;
    } cases[] = {{"2", "auto", "paimon-lookup-files"},
                 {"2", "full", "paimon-lookup"},
                 {"2", "memory", "paimon-lookup"},
                 {"-1", "auto", "paimon-lookup"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        leat_error error = {0};
        const world_option options[] = {{"bucket", cases[i].bucket}, {"lookup.cache", cases[i].cache}, {NULL, NULL}};
        world_open(&w, options, false, 1);
        world_write(&w, 100, 0);
        world_commit(&w);
        world_read(&w);
        pk_ok(world_start(&w, cases[i].type, &error), &error);
        pk_ok(world_settle(&w, &error), &error);
        world_ask_random(&w, 200);
        world_close(&w);
    }
}

static void files_are_read_once_and_only_those_that_may_have_the_key(void **state)
{
    (void)state;
    leat_error error = {0};
    static const world_option options[] = {{"bucket", "4"}, SMALL_LEVELS, {NULL, NULL}};
    world_open(&w, options, false, 2);
    world_write(&w, 2000, 0);
    world_commit(&w);
    world_read(&w);
    pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
    pk_ok(world_settle(&w, &error), &error);
    assert_int_equal(world_data_reads, 0); /* nothing was asked for */
    int32_t id = 1;
    pk_ok(world_ask(&w, &id, 1, &error), &error);
    assert_int_equal(world_files_opened, 1); /* the one of its bucket */
    id = 100000;
    pk_ok(world_ask(&w, &id, 1, &error), &error);
    assert_int_equal(world_files_opened, 1); /* greater than all keys */
    world_ask_random(&w, 1000);
    assert_int_equal(world_files_opened, 4);
    int reads = world_data_reads;
    for (int i = 0; i < 20; i++)
        world_ask_random(&w, 1000);
    assert_int_equal(world_files_opened, 4);
    assert_int_equal(world_data_reads, reads);
    world_close(&w);
}

static void a_new_snapshot_costs_its_own_manifests_and_files(void **state)
{
    (void)state;
    leat_error error = {0};
    static const world_option options[] = {{"bucket", "4"}, {"write-only", "true"}, {NULL, NULL}};
    world_open(&w, options, false, 4);
    world_write(&w, 2000, 0);
    world_commit(&w);
    world_read(&w);
    pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
    pk_ok(world_settle(&w, &error), &error);
    world_ask_random(&w, 1000);
    assert_int_equal(world_files_opened, 4);
    int lists = world_list_reads;
    for (int i = 1; i <= 5; i++) {
        world_write(&w, 1, 0); /* one file in one bucket */
        world_commit(&w);
        int before = world_list_reads; /* the commit's own reads are done */
        world_read(&w);
        int reading = world_list_reads - before;
        w.env.now_ms += 2000;
        pk_ok(world_settle(&w, &error), &error);
        assert_int_equal(world_list_reads - before - reading, 1); /* the delta's list */
        world_ask_random(&w, 1000);
        assert_in_range(world_files_opened, 4, 4 + i); /* not all keys reach into a file of one key */
    }
    assert_true(world_list_reads > lists);
    world_close(&w);
}

static void remove_files(bool only_dead)
{
    leat_error error = {0};
    leat_storage_list list = {0};
    leat_arena arena;
    leat_paimon_splits splits;
    leat_arena_init(&arena, 16 << 20);
    world_plan(&w, &arena, &splits);
    const char *folder = leat_arena_format(&arena, "%s/bucket-0", w.table.path);
    pk_ok(leat_storage_list_folder(w.storage, folder, &list, &error), &error);
    for (size_t i = 0; i < list.count; i++) {
        bool is_live = false;
        for (size_t s = 0; s < splits.count; s++) {
            for (size_t f = 0; f < splits.items[s].files.count; f++)
                is_live = is_live || strcmp(splits.items[s].files.files[f].name, list.entries[i].name) == 0;
        }
        if (is_live && only_dead) continue;
        const char *path = leat_arena_format(&arena, "%s/%s", folder, list.entries[i].name);
        pk_ok(leat_storage_remove(w.storage, path, &error), &error);
    }
    leat_storage_list_done(&list);
    leat_arena_done(&arena);
}

static void files_that_compaction_took_away_are_planned_around(void **state)
{
    (void)state;
    leat_error error = {0};
    static const world_option options[] = {{"bucket", "1"}, SMALL_LEVELS, {NULL, NULL}};
    world_open(&w, options, false, 6);
    world_write(&w, 200, 0);
    world_commit(&w);
    pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
    pk_ok(world_settle(&w, &error), &error);
    for (int i = 0; i < 6; i++) {
        world_write(&w, 200, 10);
        world_commit(&w);
    }
    world_read(&w);
    remove_files(true);
    int32_t ids[300]; /* within the range of the old plan's files, which are found to have gone */
    for (int32_t i = 0; i < 300; i++)
        ids[i] = 50 + i;
    pk_ok(world_ask(&w, ids, 300, &error), &error);
    world_close(&w);
}

static void a_file_that_should_be_there_is_an_error(void **state)
{
    (void)state;
    leat_error error = {0};
    static const world_option options[] = {{"bucket", "1"}, {NULL, NULL}};
    world_open(&w, options, false, 6);
    world_write(&w, 200, 0);
    world_commit(&w);
    world_read(&w);
    pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
    pk_ok(world_settle(&w, &error), &error);
    remove_files(false);
    int32_t id = 7;
    assert_int_equal(world_ask(&w, &id, 1, &error), LEAT_NOT_FOUND);
    assert_non_null(strstr(error.text, "look up mem:/w/default.db/t"));
    assert_non_null(strstr(error.text, "bucket-0/data-"));
    world_close(&w);
}

static void corrupt_files_are_an_error(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "1"}, {NULL, NULL}};
    for (uint64_t seed = 0; seed < 150; seed++) {
        leat_error error = {0};
        leat_arena arena;
        leat_paimon_splits splits;
        leat_bytes bytes = {0};
        leat_arena_init(&arena, 16 << 20);
        world_open(&w, options, false, seed);
        world_write(&w, 200, 0);
        world_commit(&w);
        world_plan(&w, &arena, &splits);
        const char *path =
            leat_arena_format(&arena, "%s/bucket-0/%s", w.table.path, splits.items[0].files.files[0].name);
        pk_ok(leat_storage_get_all(w.storage, path, 1 << 20, &bytes, &error), &error);
        for (int i = 0; i < 3; i++)
            bytes.data[world_random(&w) % bytes.size] ^= (uint8_t)(1 + world_random(&w) % 255);
        pk_ok(leat_storage_put(w.storage, path, bytes.data, bytes.size, LEAT_PUT_REPLACE, &error), &error);
        pk_ok(world_start(&w, "paimon-lookup-files", &error), &error);
        pk_ok(world_settle(&w, &error), &error);
        int32_t pending = 1, id = (int32_t)(seed % 20);
        leat_code code = LEAT_OK;
        memset(w.rows, 0, sizeof w.rows);
        /* What is answered may be wrong; that it ends, and how, is what is looked at. */
        for (int tries = 0; code == LEAT_OK && pending && tries < 100; tries++) {
            bool changed;
            int32_t counts[1], done;
            const leat_layout layouts[] = {LEAT_LAYOUT_64, LEAT_LAYOUT_VIEW};
            leat_batch *keys = world_keys(&w, &id, 1, &error);
            leat_lookup_result result = {.counts = counts};
            pk_ok(leat_batch_builder_init(&result.rows, layouts, 2, 8, &error), &error);
            code = w.lookup->vtable->get_many(w.lookup, keys, 0, &result, &done, &error);
            pending = counts[0] == LEAT_LOOKUP_PENDING;
            leat_batch_builder_done(&result.rows);
            leat_batch_free(keys);
            fake_host_run_jobs(&w.host);
            if (code == LEAT_OK) code = w.lookup->vtable->refresh(w.lookup, &changed, &error);
        }
        assert_true(code != LEAT_OK || pending == 0);
        if (code != LEAT_OK) assert_non_null(strstr(error.text, "look up mem:/w/default.db/t"));
        leat_bytes_done(&bytes);
        leat_arena_done(&arena);
        world_close(&w);
    }
}

/* --- tables that Flink and Paimon wrote: buckets, orders and merges must be theirs --- */

static const char *data_folder;

enum { FIXTURE_COLUMNS_MAX = 16 };

/* The lookup by the whole primary key, of all columns. */
static int32_t start_fixture(const char *name)
{
    leat_error error = {0};
    leat_lookup_plan plan;
    int32_t keys[FIXTURE_COLUMNS_MAX], columns[FIXTURE_COLUMNS_MAX];
    leat_arena_init(&w.arena, 64 << 20);
    char path[512];
    snprintf(path, sizeof path, "%s/%s", data_folder, name);
    pk_ok(leat_paimon_open_table(&w.env.env, path, NULL, &w.arena, &w.table, &error), &error);
    const leat_paimon_schema *schema = &w.table.schema;
    for (int32_t k = 0; k < schema->primary_keys_count; k++) {
        for (int32_t i = 0; i < schema->fields_count; i++)
            if (strcmp(schema->fields[i].name, schema->primary_keys[k]) == 0) keys[k] = i;
    }
    for (int32_t i = 0; i < schema->fields_count; i++)
        columns[i] = i;
    leat_plan_context context = {.arena = &w.arena, .env = &w.env.env, .parallelism = 1};
    pk_ok(leat_paimon_plan_lookup(&context, NULL, &w.table, keys, schema->primary_keys_count, columns,
                                  schema->fields_count, &plan, &error),
          &error);
    assert_string_equal(plan.type, "paimon-lookup-files");
    fake_host_init(&w.host, &w.env.env, 0, 1);
    pk_ok(world_create(&w, &plan, &error), &error);
    leat_bytes_done(&plan.config);
    pk_ok(w.lookup->vtable->open(w.lookup, &error), &error);
    pk_ok(world_settle(&w, &error), &error);
    return schema->fields_count;
}

/* Each row of a merged read is found by its key. */
static void find_rows(const leat_batch *rows)
{
    leat_error error = {0};
    const leat_paimon_schema *schema = &w.table.schema;
    leat_layout layouts[FIXTURE_COLUMNS_MAX];
    leat_batch keys = *rows; /* borrowed columns */
    leat_column key_columns[FIXTURE_COLUMNS_MAX];
    keys.columns = key_columns;
    keys.columns_count = schema->primary_keys_count;
    for (int32_t k = 0; k < schema->primary_keys_count; k++)
        key_columns[k] = rows->columns[leat_paimon_schema_find(schema, schema->primary_keys[k])];
    for (int32_t i = 0; i < schema->fields_count; i++)
        layouts[i] = leat_type_layout(&schema->fields[i].type);
    for (int32_t pending = 1, tries = 0; pending > 0; tries++) {
        int32_t counts[LEAT_BATCH_ROWS_MAX], done;
        leat_batch *found;
        leat_lookup_result result = {.counts = counts};
        pk_ok(leat_batch_builder_init(&result.rows, layouts, schema->fields_count, LEAT_BATCH_ROWS_MAX, &error),
              &error);
        pk_ok(w.lookup->vtable->get_many(w.lookup, &keys, 0, &result, &done, &error), &error);
        pk_ok(leat_batch_builder_finish(&result.rows, &found, &error), &error);
        pending = 0;
        for (int32_t i = 0; i < done; i++)
            pending += counts[i] == LEAT_LOOKUP_PENDING;
        for (int32_t i = 0; pending == 0 && i < done; i++) {
            assert_int_equal(counts[i], 1);
            for (int32_t c = 0; c < schema->fields_count; c++)
                assert_true(batches_same_value(&rows->columns[c], leat_batch_row(rows, i), &found->columns[c], i));
        }
        leat_batch_free(found);
        leat_batch_builder_done(&result.rows);
        pk_ok(world_settle(&w, &error), &error);
        assert_true(tries < 100);
    }
}

static void look_up_fixture(const char *name)
{
    leat_error error = {0};
    leat_arena arena;
    leat_paimon_splits splits;
    int32_t columns[FIXTURE_COLUMNS_MAX], count = start_fixture(name), rows = 0;
    for (int32_t i = 0; i < count; i++)
        columns[i] = i;
    leat_arena_init(&arena, 64 << 20);
    world_plan(&w, &arena, &splits);
    for (size_t s = 0; s < splits.count; s++) {
        leat_merge_reader *reader;
        world_read_begin(&w, &splits.items[s], columns, count, &arena, &reader);
        for (leat_merge_read_status status = LEAT_MERGE_READ_AGAIN; status != LEAT_MERGE_READ_END;) {
            leat_batch *batch = NULL;
            pk_ok(leat_merge_reader_step(reader, &status, &batch, &error), &error);
            if (status != LEAT_MERGE_READ_BATCH) continue;
            find_rows(batch);
            rows += batch->selected;
            leat_batch_free(batch);
        }
        leat_merge_reader_free(reader);
    }
    assert_true(rows > 0);
    leat_arena_done(&arena);
    world_stop(&w);
    leat_paimon_table_done(&w.table);
    leat_arena_done(&w.arena);
}

static void tables_of_flink_are_looked_up(void **state)
{
    (void)state;
    static const char *const names[] = {"clients_none",  "clients_full_compaction",
                                        "agg_num",       "agg_retract",
                                        "country_sales", "fixed4",
                                        "types_key",     "lv"};
    leat_error error = {0};
    memset(&w, 0, sizeof w);
    pk_ok(leat_storage_file_new(&w.storage, &error), &error);
    test_env_init(&w.env, w.storage);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        look_up_fixture(names[i]);
    leat_storage_free(w.storage);
}

static leat_code look_up_all(leat_error *error)
{
    int32_t ids[64];
    leat_code code = world_start(&w, "paimon-lookup-files", error);
    if (code == LEAT_OK) code = world_settle(&w, error);
    for (int32_t i = 0; i < 64; i++)
        ids[i] = i * 3;
    if (code == LEAT_OK) code = world_ask(&w, ids, 64, error);
    return code == LEAT_OK ? world_ask(&w, ids, 64, error) : code;
}

static void a_lookup_survives_every_allocation_failing(void **state)
{
    (void)state;
    static const world_option options[] = {{"bucket", "1"}, SUMS, {"write-only", "true"}, {NULL, NULL}};
    world_open(&w, options, false, 11);
    for (int i = 0; i < 2; i++) {
        world_write(&w, 100, 0);
        world_commit(&w);
    }
    world_read(&w);
    leat_error error = {0};
    pk_ok(look_up_all(&error), &error); /* the module is loaded, one-time things are made */
    world_stop(&w);
    leat_code code = LEAT_NO_MEMORY;
    for (int n = 1; code != LEAT_OK; n++) {
        leat_memory_fail_nth(n);
        code = look_up_all(&error);
        leat_memory_fail_nth(0);
        world_stop(&w);
        assert_true(n < 20000);
    }
    world_close(&w);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 1;
    data_folder = argv[1];
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_youngest_record_of_several_levels_is_found),
        cmocka_unit_test(files_of_level_0_alone_are_searched),
        cmocka_unit_test(sums_are_merged_over_the_levels),
        cmocka_unit_test(keys_of_partitions_find_theirs),
        cmocka_unit_test(ignored_deletes_hide_nothing),
        cmocka_unit_test(little_memory_changes_no_answer),
        cmocka_unit_test(other_columns_are_compared_too),
        cmocka_unit_test(large_files_are_kept_in_pieces),
        cmocka_unit_test(the_planner_takes_files_for_fixed_buckets_and_a_copy_else),
        cmocka_unit_test(files_are_read_once_and_only_those_that_may_have_the_key),
        cmocka_unit_test(a_new_snapshot_costs_its_own_manifests_and_files),
        cmocka_unit_test(files_that_compaction_took_away_are_planned_around),
        cmocka_unit_test(a_file_that_should_be_there_is_an_error),
        cmocka_unit_test(corrupt_files_are_an_error),
        cmocka_unit_test(tables_of_flink_are_looked_up),
        cmocka_unit_test(a_lookup_survives_every_allocation_failing),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
