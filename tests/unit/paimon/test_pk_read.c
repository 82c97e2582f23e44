#include "tests/unit.h"

#include <stdlib.h>

#include "paimon/catalog.h"
#include "paimon/merge_read.h"
#include "paimon/path.h"
#include "paimon/scan.h"
#include "storage/storage.h"
#include "tests/unit/paimon/env.h"
#include "tests/unit/paimon/render.h"

enum { ROWS_MAX = 4096 };

static test_env env;
static const char *data_folder; /* fixtures that Flink and Paimon wrote */

typedef struct rows {
    char *texts[ROWS_MAX];
    size_t count;
} rows;

static void assert_ok(leat_code code, const leat_error *error)
{
    if (code != LEAT_OK) fail_msg("%s", error->text);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void rows_add(rows *self, json_t *row)
{
    assert_true(self->count < ROWS_MAX);
    self->texts[self->count++] = json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    json_decref(row);
}

static void add_batch(rows *out, const leat_paimon_table *table, const leat_batch *batch)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t at = leat_batch_row(batch, i);
        json_t *row = json_array();
        json_array_append_new(row, json_string(leat_row_kind_text((leat_row_kind)leat_batch_kind(batch, at))));
        for (int32_t c = 0; c < batch->columns_count; c++) {
            json_array_append_new(row, render_value(&table->schema.fields[c].type, &batch->columns[c], at));
        }
        rows_add(out, row);
    }
}

static void read_split(const leat_paimon_table *table, const leat_paimon_split *split, leat_arena *arena, rows *out)
{
    leat_error error = {0};
    const char *path;
    int32_t columns[64];
    for (int32_t i = 0; i < table->schema.fields_count; i++)
        columns[i] = i;
    assert_ok(leat_paimon_bucket_path(table->path, &table->schema, split->partition, split->partition_size,
                                      split->bucket, arena, &path, &error),
              &error);
    leat_merge_read_options options = {.table = table,
                                       .bucket_path = path,
                                       .files = split->files.files,
                                       .files_count = split->files.count,
                                       .columns = columns,
                                       .columns_count = table->schema.fields_count,
                                       .env = &env.env};
    leat_merge_reader *reader;
    assert_ok(leat_merge_reader_new(&options, &reader, &error), &error);
    for (leat_merge_read_status status = LEAT_MERGE_READ_AGAIN; status != LEAT_MERGE_READ_END;) {
        leat_batch *batch = NULL;
        assert_ok(leat_merge_reader_step(reader, &status, &batch, &error), &error);
        assert_int_not_equal(status, LEAT_MERGE_READ_WAIT);
        if (status != LEAT_MERGE_READ_BATCH) continue;
        add_batch(out, table, batch);
        leat_batch_free(batch);
    }
    leat_merge_reader_free(reader);
}

static void read_table(const char *name, rows *out)
{
    leat_error error = {0};
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    char path[512];
    snprintf(path, sizeof path, "%s/%s", data_folder, name);
    leat_paimon_table table;
    assert_ok(leat_paimon_open_table(&env.env, path, NULL, &arena, &table, &error), &error);
    int64_t id;
    leat_paimon_snapshot snapshot;
    leat_paimon_splits splits = {0};
    leat_paimon_scan scan = {.bucket = -1};
    assert_ok(leat_paimon_snapshot_latest_id(&env.env, path, &id, &error), &error);
    assert_ok(leat_paimon_snapshot_load(&env.env, path, id, &arena, &snapshot, &error), &error);
    assert_ok(leat_paimon_plan_snapshot(&env.env, &table, &snapshot, &scan, &arena, &splits, &error), &error);
    for (size_t i = 0; i < splits.count; i++)
        read_split(&table, &splits.items[i], &arena, out);
    leat_paimon_table_done(&table);
    leat_arena_done(&arena);
}

static void read_expected(const char *name, rows *out)
{
    char path[512];
    snprintf(path, sizeof path, "%s/expected/%s.json", data_folder, name);
    json_t *document = json_load_file(path, 0, NULL), *row;
    assert_non_null(document);
    size_t index;
    json_array_foreach(json_object_get(document, "rows"), index, row) rows_add(out, json_incref(row));
    json_decref(document);
}

/* A raw read says +I where a merging one passes the kind of the put on: both are a row. */
static void assert_reads_as_expected(const char *name)
{
    static rows got, expected;
    got.count = expected.count = 0;
    read_table(name, &got);
    read_expected(name, &expected);
    rows *both[] = {&got, &expected};
    for (int b = 0; b < 2; b++) {
        for (size_t i = 0; i < both[b]->count; i++) {
            char *kind = strstr(both[b]->texts[i], "\"+U\"");
            if (kind) kind[2] = 'I';
        }
        qsort(both[b]->texts, both[b]->count, sizeof both[b]->texts[0], compare_texts);
    }
    for (size_t i = 0; i < got.count && i < expected.count; i++)
        assert_string_equal(got.texts[i], expected.texts[i]);
    assert_int_equal(got.count, expected.count);
    for (int b = 0; b < 2; b++) {
        for (size_t i = 0; i < both[b]->count; i++)
            free(both[b]->texts[i]);
    }
}

static void deduplicated_tables_read_as_flink_reads_them(void **state)
{
    (void)state;
    assert_reads_as_expected("clients_none");
    assert_reads_as_expected("clients_full_compaction");
}

static void aggregated_tables_read_as_flink_reads_them(void **state)
{
    (void)state;
    assert_reads_as_expected("agg_num");
    assert_reads_as_expected("agg_retract");
    assert_reads_as_expected("country_sales");
}

static void dynamic_buckets_and_partitions_are_read(void **state)
{
    (void)state;
    assert_reads_as_expected("dyn");
    assert_reads_as_expected("dyn_part");
}

static void fixed_buckets_and_keys_of_seven_types_are_read(void **state)
{
    (void)state;
    assert_reads_as_expected("fixed4");
    assert_reads_as_expected("types_key");
}

static void several_runs_on_several_levels_are_merged(void **state)
{
    (void)state;
    assert_reads_as_expected("lv");
}

int main(int argc, char **argv)
{
    if (argc != 2) return 1;
    data_folder = argv[1];
    leat_storage *storage;
    if (leat_storage_file_new(&storage, NULL) != LEAT_OK) return 1;
    test_env_init(&env, storage);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(deduplicated_tables_read_as_flink_reads_them),
        cmocka_unit_test(aggregated_tables_read_as_flink_reads_them),
        cmocka_unit_test(dynamic_buckets_and_partitions_are_read),
        cmocka_unit_test(fixed_buckets_and_keys_of_seven_types_are_read),
        cmocka_unit_test(several_runs_on_several_levels_are_merged),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    leat_storage_free(storage);
    return failed;
}
