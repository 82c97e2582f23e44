/* Many sorted runs, merged in passes: the same rows in the same order as when they are merged at once. */
#include "tests/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/memory.h"
#include "paimon/merge_read.h"
#include "paimon/path.h"
#include "paimon/scan.h"
#include "storage/storage.h"
#include "tests/unit/paimon/env.h"
#include "tests/unit/paimon/pk_job.h"

enum { RUNS = 200, ROWS = 60, IDS = 500 };

static test_env env;
static char folder[256];

/* --- tables (s STRING, id INT, n BIGINT) with the key id and RUNS files of level 0 --- */

static void create_table(const char *name, const char *engine, leat_arena *arena, leat_paimon_table *out)
{
    static const char *const keys[] = {"id"};
    leat_error error = {0};
    leat_config options = {0};
    const char *const pairs[][2] = {{"bucket", "1"},
                                    {"write-only", "true"},
                                    {"merge-engine", engine},
                                    {"fields.n.aggregate-function", "sum"},
                                    {"fields.s.aggregate-function", "last_value"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        pk_ok(leat_config_set(&options, pairs[i][0], pairs[i][1], &error), &error);
    leat_paimon_new_column columns[] = {{.name = "s", .type = leat_type_string(true)},
                                        {.name = "id", .type = leat_type_make(LEAT_TYPE_INT, false)},
                                        {.name = "n", .type = leat_type_make(LEAT_TYPE_BIGINT, true)}};
    leat_paimon_new_table table = {.database = "default",
                                   .name = name,
                                   .columns = columns,
                                   .columns_count = 3,
                                   .primary_keys = keys,
                                   .primary_keys_count = 1,
                                   .options = &options};
    pk_ok(leat_paimon_create_table(&env.env, folder, &table, &error), &error);
    leat_config_done(&options);
    pk_ok(leat_paimon_get_table(&env.env, folder, "default", name, arena, out, &error), &error);
}

static leat_batch *make_rows(int run)
{
    leat_error error = {0};
    leat_batch_builder builder;
    leat_batch *batch;
    const leat_layout layouts[] = {LEAT_LAYOUT_VIEW, LEAT_LAYOUT_32, LEAT_LAYOUT_64};
    pk_ok(leat_batch_builder_init(&builder, layouts, 3, ROWS, &error), &error);
    for (int i = 0; i < ROWS; i++) {
        uint64_t random = leat_env_random(&env.env);
        int32_t id = (int32_t)(random % IDS);
        int64_t n = (int64_t)(random / IDS % 1000);
        char text[64];
        int length = snprintf(text, sizeof text, random & 64 ? "run %d" : "what run %d says of a key", run);
        leat_row_kind kind = random / 7 % 9 == 0 ? LEAT_ROW_DELETE : LEAT_ROW_INSERT;
        pk_ok(leat_batch_builder_begin_row(&builder, kind, &error), &error);
        if (random / 11 % 5) pk_ok(leat_batch_builder_set_bytes(&builder, 0, text, (size_t)length, &error), &error);
        leat_batch_builder_set_fixed(&builder, 1, &id);
        leat_batch_builder_set_fixed(&builder, 2, &n);
    }
    pk_ok(leat_batch_builder_finish(&builder, &batch, &error), &error);
    leat_batch_builder_done(&builder);
    return batch;
}

static void make_table(const char *name, const char *engine, leat_arena *arena, leat_paimon_table *out)
{
    static pk_job job;
    leat_error error = {0};
    create_table(name, engine, arena, out);
    pk_job_open(&job, &env.env, out, 1, "tester");
    for (int run = 1; run <= RUNS; run++) {
        pk_write(&job, make_rows(run));
        pk_ok(pk_checkpoint(&job, run, false, &error), &error);
    }
    pk_job_close(&job);
}

/* --- reading --- */

static void plan(const leat_paimon_table *table, leat_arena *arena, leat_paimon_split *out)
{
    leat_error error = {0};
    int64_t latest;
    leat_paimon_snapshot snapshot;
    leat_paimon_splits splits = {0};
    leat_paimon_scan scan = {.bucket = -1, .is_one_split_a_bucket = true};
    pk_ok(leat_paimon_snapshot_latest_id(&env.env, table->path, &latest, &error), &error);
    pk_ok(leat_paimon_snapshot_load(&env.env, table->path, latest, arena, &snapshot, &error), &error);
    pk_ok(leat_paimon_plan_snapshot(&env.env, table, &snapshot, &scan, arena, &splits, &error), &error);
    assert_int_equal(splits.count, 1);
    assert_int_equal(splits.items[0].files.count, RUNS);
    *out = splits.items[0];
}

static void print_rows(const leat_batch *batch, leat_bytes *out)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t at = leat_batch_row(batch, i);
        const leat_view *text = (const leat_view *)batch->columns[1].values + at;
        bool has_text = !leat_column_is_null(&batch->columns[1], at);
        leat_bytes_format(out, "%lld %.*s|", (long long)((const int64_t *)batch->columns[0].values)[at],
                          has_text ? text->length : 0, has_text ? leat_view_data(&batch->columns[1], text) : "");
    }
}

/* The columns n and s: the key comes along for the merge alone. `host` NULL: in place. */
static leat_code read_all(const leat_paimon_table *table, const leat_paimon_split *split, fake_host *host,
                          leat_bytes *out, leat_error *error)
{
    static const int32_t columns[] = {2, 0};
    leat_arena arena;
    const char *path;
    leat_arena_init(&arena, 1 << 20);
    leat_code code = leat_paimon_bucket_path(table->path, &table->schema, split->partition, split->partition_size, 0,
                                             &arena, &path, error);
    leat_merge_read_options options = {.table = table,
                                       .bucket_path = path,
                                       .files = split->files.files,
                                       .files_count = split->files.count,
                                       .columns = columns,
                                       .columns_count = 2,
                                       .env = &env.env,
                                       .context = host ? &host->context : NULL};
    leat_merge_reader *reader = NULL;
    if (code == LEAT_OK) code = leat_merge_reader_new(&options, &reader, error);
    leat_merge_read_status status = LEAT_MERGE_READ_AGAIN;
    while (code == LEAT_OK && status != LEAT_MERGE_READ_END) {
        leat_batch *batch = NULL;
        code = leat_merge_reader_step(reader, &status, &batch, error);
        if (code == LEAT_OK && status == LEAT_MERGE_READ_WAIT) {
            assert_true(host && host->jobs_count + host->wakes > 0);
            host->wakes = 0;
            fake_host_run_jobs(host);
        }
        if (code == LEAT_OK && status == LEAT_MERGE_READ_BATCH) print_rows(batch, out);
        leat_batch_free(batch);
    }
    leat_merge_reader_free(reader);
    leat_arena_done(&arena);
    return code;
}

/* At most `runs` at once. */
static void bound(leat_paimon_table *table, const char *runs)
{
    leat_error error = {0};
    pk_ok(leat_config_set(&table->schema.options, "sort-spill-threshold", runs, &error), &error);
    pk_ok(leat_config_set(&table->schema.options, "sort-spill-buffer-size", "1 kb", &error), &error);
}

static void runs_merged_in_passes_give_what_runs_merged_at_once_give(void **state)
{
    (void)state;
    static const char *const engines[] = {"deduplicate", "aggregation"}, *const bounds[] = {"2", "9", "199"};
    for (int i = 0; i < 2; i++) {
        leat_arena arena;
        leat_error error = {0};
        leat_paimon_table table;
        leat_paimon_split split;
        leat_bytes expected = {0}, got = {0};
        leat_arena_init(&arena, 64 << 20);
        make_table(engines[i], engines[i], &arena, &table);
        plan(&table, &arena, &split);
        bound(&table, "200");
        pk_ok(read_all(&table, &split, NULL, &expected, &error), &error);
        assert_true(expected.size > 1000);
        for (int b = 0; b < 6; b++) {
            fake_host host;
            fake_host_init(&host, &env.env, 0, 1);
            bound(&table, bounds[b / 2]);
            leat_bytes_reset(&got);
            pk_ok(read_all(&table, &split, b % 2 ? &host : NULL, &got, &error), &error);
            assert_int_equal(got.size, expected.size);
            assert_memory_equal(got.data, expected.data, got.size);
            fake_host_done(&host);
        }
        leat_bytes_done(&expected);
        leat_bytes_done(&got);
        leat_paimon_table_done(&table);
        leat_arena_done(&arena);
    }
}

static void faults_of_disk_and_memory_are_told(void **state)
{
    (void)state;
    leat_arena arena;
    leat_error error = {0};
    leat_paimon_table table;
    leat_paimon_split split;
    leat_bytes out = {0};
    leat_arena_init(&arena, 64 << 20);
    pk_ok(leat_paimon_get_table(&env.env, folder, "default", "deduplicate", &arena, &table, &error), &error);
    plan(&table, &arena, &split);
    bound(&table, "50");
    env.env.tmp_folder = "/proc/none";
    assert_int_not_equal(read_all(&table, &split, NULL, &out, &error), LEAT_OK);
    assert_non_null(strstr(error.text, "/proc/none"));
    assert_non_null(strstr(error.text, "200 runs"));
    env.env.tmp_folder = NULL; /* nowhere to go: at once */
    pk_ok(read_all(&table, &split, NULL, &out, &error), &error);
    env.env.tmp_folder = "/tmp";
    leat_code code = LEAT_NO_MEMORY;
    for (int64_t n = 1; code != LEAT_OK; n += 1 + n / 50) {
        leat_bytes_reset(&out);
        leat_memory_fail_nth(n);
        code = read_all(&table, &split, NULL, &out, &error);
        leat_memory_fail_nth(0);
        if (code != LEAT_OK) assert_int_equal(code, LEAT_NO_MEMORY);
    }
    leat_bytes_done(&out);
    leat_paimon_table_done(&table);
    leat_arena_done(&arena);
}

int main(void)
{
    leat_storage *storage;
    if (leat_storage_file_new(&storage, NULL) != LEAT_OK) return 1;
    test_env_init(&env, storage);
    /* Hundreds of commits wait for the disk twice as long as all the rest takes. */
    snprintf(folder, sizeof folder, "%s/leat-spill-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) return 1;
    if (leat_paimon_create_database(&env.env, folder, "default", NULL) != LEAT_OK) return 1;
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(runs_merged_in_passes_give_what_runs_merged_at_once_give),
        cmocka_unit_test(faults_of_disk_and_memory_are_told),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    if (leat_storage_remove_folder(storage, folder, NULL) != LEAT_OK) failed++;
    leat_storage_free(storage);
    return failed;
}
