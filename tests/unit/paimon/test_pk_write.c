#include "tests/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paimon/manifest.h"
#include "paimon/merge_read.h"
#include "paimon/path.h"
#include "paimon/scan.h"
#include "storage/storage.h"
#include "tests/unit/paimon/env.h"
#include "tests/unit/paimon/pk_job.h"

enum { IDS = 300, BATCH_ROWS = 500 };

static test_env env;
static char folder[256];
static uint64_t random_state = 11;

static uint64_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state >> 24;
}

/* --- tables (note STRING, id INT, n BIGINT, d DECIMAL(20, 2), region STRING); key: id, or region and id --- */

typedef struct option_pair {
    const char *key, *value;
} option_pair;

static void make_table(const char *name, const option_pair *pairs, bool is_partitioned, leat_arena *arena,
                       leat_paimon_table *out)
{
    static const char *const keys[] = {"region", "id"}, *const partitions[] = {"region"};
    leat_error error = {0};
    leat_config options = {0};
    for (; pairs->key; pairs++)
        pk_ok(leat_config_set(&options, pairs->key, pairs->value, &error), &error);
    leat_paimon_new_column columns[] = {
        {.name = "note", .type = leat_type_string(true)},
        {.name = "id", .type = leat_type_make(LEAT_TYPE_INT, false)},
        {.name = "n", .type = leat_type_make(LEAT_TYPE_BIGINT, true)},
        {.name = "d", .type = leat_type_decimal(20, 2, true)},
        {.name = "region", .type = leat_type_string(!is_partitioned)},
    };
    leat_paimon_new_table table = {.database = "default",
                                   .name = name,
                                   .columns = columns,
                                   .columns_count = 5,
                                   .primary_keys = is_partitioned ? keys : keys + 1,
                                   .primary_keys_count = is_partitioned ? 2 : 1,
                                   .partition_keys = partitions,
                                   .partition_keys_count = is_partitioned ? 1 : 0,
                                   .options = &options};
    pk_ok(leat_paimon_create_table(&env.env, folder, &table, &error), &error);
    leat_config_done(&options);
    pk_ok(leat_paimon_get_table(&env.env, folder, "default", name, arena, out, &error), &error);
}

/* --- a model --- */

typedef struct model_row {
    bool exists, has_note;
    int64_t n, d;
    char note[48];
} model_row;

static model_row model[IDS], read_rows[IDS];
static bool is_changelog_exact; /* deletes only of what is there */

static void set_note(model_row *row, const char *note)
{
    row->has_note = note != NULL;
    snprintf(row->note, sizeof row->note, "%s", note ? note : "");
}

static void apply(leat_row_kind kind, bool is_sum, int32_t id, const char *note, int64_t n, int64_t d)
{
    model_row *row = &model[id];
    if (!leat_row_kind_is_add((int8_t)kind)) {
        *row = (model_row){0};
        return;
    }
    if (!row->exists) *row = (model_row){.exists = true, .d = INT64_MIN};
    row->n = is_sum ? row->n + n : n;
    row->d = is_sum && row->d > d ? row->d : d;
    set_note(row, note);
}

static void write_rows(pk_job *job, bool is_sum, int percent_deleted)
{
    leat_error error = {0};
    leat_batch_builder builder;
    const leat_layout layouts[] = {LEAT_LAYOUT_VIEW, LEAT_LAYOUT_32, LEAT_LAYOUT_64, LEAT_LAYOUT_128, LEAT_LAYOUT_VIEW};
    pk_ok(leat_batch_builder_init(&builder, layouts, 5, BATCH_ROWS, &error), &error);
    for (int i = 0; i < BATCH_ROWS; i++) {
        int32_t id = (int32_t)(next_random() % IDS);
        int64_t n = (int64_t)(next_random() % 1000), d = (int64_t)(next_random() % 100000);
        bool is_delete = (int)(next_random() % 100) < percent_deleted;
        leat_row_kind kind = is_delete ? LEAT_ROW_DELETE : LEAT_ROW_INSERT;
        char note[48], region[16];
        snprintf(note, sizeof note, next_random() % 2 ? "n%d" : "a rather long note number %d",
                 (int)(next_random() % 99));
        bool has_note = next_random() % 5 != 0;
        snprintf(region, sizeof region, "r%d", id % 3);
        __int128 decimal = d;
        pk_ok(leat_batch_builder_begin_row(&builder, kind, &error), &error);
        if (has_note) pk_ok(leat_batch_builder_set_bytes(&builder, 0, note, strlen(note), &error), &error);
        leat_batch_builder_set_fixed(&builder, 1, &id);
        leat_batch_builder_set_fixed(&builder, 2, &n);
        leat_batch_builder_set_fixed(&builder, 3, &decimal);
        pk_ok(leat_batch_builder_set_bytes(&builder, 4, region, strlen(region), &error), &error);
        apply(kind, is_sum, id, has_note ? note : NULL, n, d);
    }
    leat_batch *batch;
    pk_ok(leat_batch_builder_finish(&builder, &batch, &error), &error);
    leat_batch_builder_done(&builder);
    pk_write(job, batch);
}

/* --- reading back --- */

static void take_batch(const leat_batch *batch, bool is_changes)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t at = leat_batch_row(batch, i), id = ((const int32_t *)batch->columns[1].values)[at];
        assert_in_range(id, 0, IDS - 1);
        model_row *row = &read_rows[id];
        int8_t kind = leat_batch_kind(batch, at);
        if (!leat_row_kind_is_add(kind)) {
            if (is_changelog_exact) assert_true(row->exists);
            *row = (model_row){0};
            continue;
        }
        if (!is_changes) assert_false(row->exists); /* once a key */
        const leat_view *note = (const leat_view *)batch->columns[0].values + at;
        *row = (model_row){.exists = true, .n = ((const int64_t *)batch->columns[2].values)[at]};
        row->d = (int64_t)((const __int128 *)batch->columns[3].values)[at];
        row->has_note = !leat_column_is_null(&batch->columns[0], at);
        snprintf(row->note, sizeof row->note, "%.*s", (int)note->length, leat_view_data(&batch->columns[0], note));
    }
}

static void read_splits(const leat_paimon_table *table, const leat_paimon_splits *splits, leat_arena *arena)
{
    static const int32_t columns[] = {0, 1, 2, 3, 4};
    leat_error error = {0};
    for (size_t i = 0; i < splits->count; i++) {
        const leat_paimon_split *split = &splits->items[i];
        const char *path;
        pk_ok(leat_paimon_bucket_path(table->path, &table->schema, split->partition, split->partition_size,
                                      split->bucket, arena, &path, &error),
              &error);
        leat_merge_read_options options = {.table = table,
                                           .bucket_path = path,
                                           .files = split->files.files,
                                           .files_count = split->files.count,
                                           .columns = columns,
                                           .columns_count = 5,
                                           .is_changes = split->is_changes,
                                           .env = &env.env};
        leat_merge_reader *reader;
        pk_ok(leat_merge_reader_new(&options, &reader, &error), &error);
        for (leat_merge_read_status status = LEAT_MERGE_READ_AGAIN; status != LEAT_MERGE_READ_END;) {
            leat_batch *batch = NULL;
            pk_ok(leat_merge_reader_step(reader, &status, &batch, &error), &error);
            if (status != LEAT_MERGE_READ_BATCH) continue;
            take_batch(batch, split->is_changes);
            leat_batch_free(batch);
        }
        leat_merge_reader_free(reader);
    }
}

static void assert_model_was_read(void)
{
    for (int32_t id = 0; id < IDS; id++) {
        assert_int_equal(read_rows[id].exists, model[id].exists);
        if (!model[id].exists) continue;
        assert_int_equal(read_rows[id].n, model[id].n);
        assert_int_equal(read_rows[id].d, model[id].d);
        assert_int_equal(read_rows[id].has_note, model[id].has_note);
        assert_string_equal(read_rows[id].note, model[id].note);
    }
}

static int64_t latest(const leat_paimon_table *table)
{
    int64_t id;
    leat_error error = {0};
    pk_ok(leat_paimon_snapshot_latest_id(&env.env, table->path, &id, &error), &error);
    return id;
}

static void check_table(const leat_paimon_table *table)
{
    leat_error error = {0};
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    leat_paimon_snapshot snapshot;
    leat_paimon_splits splits = {0};
    leat_paimon_scan scan = {.bucket = -1};
    pk_ok(leat_paimon_snapshot_load(&env.env, table->path, latest(table), &arena, &snapshot, &error), &error);
    pk_ok(leat_paimon_plan_snapshot(&env.env, table, &snapshot, &scan, &arena, &splits, &error), &error);
    memset(read_rows, 0, sizeof read_rows);
    read_splits(table, &splits, &arena);
    assert_model_was_read();
    leat_arena_done(&arena);
}

/* All changes from the first snapshot on give the table. */
static void check_changelog(const leat_paimon_table *table)
{
    leat_error error = {0};
    memset(read_rows, 0, sizeof read_rows);
    for (int64_t id = 1; id <= latest(table); id++) {
        leat_arena arena;
        leat_arena_init(&arena, 64 << 20);
        leat_paimon_snapshot snapshot;
        leat_paimon_splits splits = {0};
        leat_paimon_scan scan = {.bucket = -1, .is_one_split_a_bucket = true};
        pk_ok(leat_paimon_snapshot_load(&env.env, table->path, id, &arena, &snapshot, &error), &error);
        pk_ok(leat_paimon_plan_changes(&env.env, table, &snapshot, &scan, &arena, &splits, &error), &error);
        read_splits(table, &splits, &arena);
        leat_arena_done(&arena);
    }
    assert_model_was_read();
}

/* --- names --- */

static void load_delta(const leat_paimon_table *table, int64_t id, leat_arena *arena, leat_paimon_snapshot *snapshot,
                       leat_paimon_entries *out)
{
    leat_error error = {0};
    leat_paimon_manifests manifests = {0};
    pk_ok(leat_paimon_snapshot_load(&env.env, table->path, id, arena, snapshot, &error), &error);
    pk_ok(
        leat_paimon_manifest_list_load(&env.env, table->path, snapshot->delta_manifest_list, arena, &manifests, &error),
        &error);
    for (size_t i = 0; i < manifests.count; i++) {
        pk_ok(leat_paimon_manifest_load(&env.env, table->path, manifests.items[i].name, arena, out, &error), &error);
    }
}

static ino_t inode_of(const leat_paimon_table *table, const leat_paimon_entry *entry, leat_arena *arena)
{
    leat_error error = {0};
    struct stat status;
    const char *path;
    pk_ok(leat_paimon_bucket_path(table->path, &table->schema, entry->partition, entry->partition_size, entry->bucket,
                                  arena, &path, &error),
          &error);
    assert_int_equal(stat(leat_paimon_file_path(path, &entry->file, arena), &status), 0);
    return status.st_ino;
}

/* Some readers take a name that was deleted once for gone, on whichever level it is added again. Returns how many files
 * went to another level with their bytes as they were. */
static int check_names(const leat_paimon_table *table)
{
    leat_arena arena;
    leat_paimon_entries entries = {0};
    leat_paimon_snapshot snapshot;
    int kept = 0;
    leat_arena_init(&arena, 64 << 20);
    for (int64_t id = 1; id <= latest(table); id++)
        load_delta(table, id, &arena, &snapshot, &entries);
    for (size_t i = 0; i < entries.count; i++) {
        for (size_t k = 0; k < entries.count && entries.items[i].kind == LEAT_PAIMON_ADD; k++) {
            const leat_paimon_entry *one = &entries.items[i], *other = &entries.items[k];
            bool is_add = other->kind == LEAT_PAIMON_ADD;
            if (i != k && is_add) assert_string_not_equal(one->file.name, other->file.name);
            if (is_add || one->file.size_bytes != other->file.size_bytes) continue;
            if (one->file.level == 0 || one->file.level == other->file.level) continue;
            if (inode_of(table, one, &arena) != inode_of(table, other, &arena)) continue;
            assert_int_equal(one->file.file_source, LEAT_PAIMON_FILE_COMPACT);
            kept++;
        }
    }
    leat_arena_done(&arena);
    return kept;
}

static int run(const char *name, const option_pair *options, bool is_partitioned, bool is_sum, int percent_deleted,
               int32_t parallelism, int64_t checkpoints)
{
    leat_arena arena;
    leat_error error = {0};
    static pk_job job;
    leat_paimon_table table;
    leat_arena_init(&arena, 64 << 20);
    memset(model, 0, sizeof model);
    is_changelog_exact = is_sum;
    make_table(name, options, is_partitioned, &arena, &table);
    pk_job_open(&job, &env.env, &table, parallelism, "tester");
    for (int64_t checkpoint = 1; checkpoint <= checkpoints; checkpoint++) {
        /* Merged rows forget that there was a delete before them (as Paimon's do): sums are deleted in their own
         * checkpoint. */
        int percent = is_sum && checkpoint % 3 != 2 ? 0 : percent_deleted;
        write_rows(&job, is_sum, percent);
        if (!is_sum || percent == 0) write_rows(&job, is_sum, percent);
        pk_ok(pk_checkpoint(&job, checkpoint, checkpoint == checkpoints, &error), &error);
        check_table(&table);
        if (checkpoint != checkpoints / 2) continue;
        pk_job_close(&job); /* a restart from what was committed */
        pk_job_open(&job, &env.env, &table, parallelism, "tester");
    }
    /* What came in is not what it summed up to. */
    const char *producer = leat_config_find(&table.schema.options, "changelog-producer");
    if (!is_sum || !producer || strcmp(producer, "input") != 0) check_changelog(&table);
    int kept = check_names(&table);
    pk_job_close(&job);
    leat_paimon_table_done(&table);
    leat_arena_done(&arena);
    return kept;
}

static void sums_with_full_compaction_changelog_are_right(void **state)
{
    (void)state;
    static const option_pair options[] = {{"merge-engine", "aggregation"},
                                          {"fields.n.aggregate-function", "sum"},
                                          {"fields.d.aggregate-function", "max"},
                                          {"fields.note.aggregate-function", "last_value"},
                                          {"changelog-producer", "full-compaction"},
                                          {"full-compaction.delta-commits", "2"},
                                          {NULL, NULL}};
    run("sums", options, false, true, 0, 1, 9);
}

static void three_subtasks_share_dynamic_buckets(void **state)
{
    (void)state;
    static const option_pair options[] = {{"merge-engine", "aggregation"},
                                          {"fields.n.aggregate-function", "sum"},
                                          {"fields.d.aggregate-function", "max"},
                                          {"fields.note.aggregate-function", "last_value"},
                                          {"dynamic-bucket.target-row-num", "40"},
                                          {"changelog-producer", "full-compaction"},
                                          {"aggregation.remove-record-on-delete", "true"},
                                          {"full-compaction.delta-commits", "3"},
                                          {NULL, NULL}};
    run("sums3", options, false, true, 100, 3, 9);
}

static void deduplicated_rows_with_deletes_are_right(void **state)
{
    (void)state;
    static const option_pair options[] = {{"bucket", "4"}, {NULL, NULL}};
    run("fixed", options, false, false, 20, 2, 17);
}

static void partitions_with_input_changelog_are_right(void **state)
{
    (void)state;
    static const option_pair options[] = {{"changelog-producer", "input"}, {NULL, NULL}};
    run("partitioned", options, true, false, 0, 3, 6);
}

/* What a batch job of one checkpoint leaves is one file a bucket, compacted at the end. */
static void a_file_that_only_gets_a_new_level_gets_a_new_name(void **state)
{
    (void)state;
    static const char *const engines[] = {"deduplicate", "aggregation"};
    static const char *const producers[] = {"none", "input", "full-compaction"};
    for (int i = 0; i < 6; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "upgraded%d", i);
        const option_pair options[] = {{"bucket", "2"},
                                       {"merge-engine", engines[i / 3]},
                                       {"fields.n.aggregate-function", "sum"},
                                       {"fields.d.aggregate-function", "max"},
                                       {"fields.note.aggregate-function", "last_value"},
                                       {"changelog-producer", producers[i % 3]},
                                       {"full-compaction.delta-commits", "1"},
                                       {NULL, NULL}};
        assert_int_equal(run(name, options, false, i / 3 == 1, 0, 1, 1), 2);
    }
}

int main(void)
{
    leat_storage *storage;
    if (leat_storage_file_new(&storage, NULL) != LEAT_OK) return 1;
    test_env_init(&env, storage);
    const char *given = getenv("LEAT_TEST_KEEP"); /* a folder that stays, to be looked at with other readers */
    snprintf(folder, sizeof folder, "%s", given ? given : "/tmp/leat-pk-XXXXXX");
    if (!given && !mkdtemp(folder)) return 1;
    if (leat_paimon_create_database(&env.env, folder, "default", NULL) != LEAT_OK) return 1;
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(sums_with_full_compaction_changelog_are_right),
        cmocka_unit_test(three_subtasks_share_dynamic_buckets),
        cmocka_unit_test(deduplicated_rows_with_deletes_are_right),
        cmocka_unit_test(partitions_with_input_changelog_are_right),
        cmocka_unit_test(a_file_that_only_gets_a_new_level_gets_a_new_name),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    if (!given && leat_storage_remove_folder(storage, folder, NULL) != LEAT_OK) failed++;
    leat_storage_free(storage);
    return failed;
}
