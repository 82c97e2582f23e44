#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paimon/append.h"
#include "paimon/catalog.h"
#include "paimon/commit.h"
#include "paimon/file_reader.h"
#include "paimon/path.h"
#include "storage/storage.h"
#include "tests/unit/paimon/fake_host.h"

static leat_env *env;
static char warehouse[64];
static leat_arena arena;
static uint64_t random_state = 3;

static uint64_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state >> 20;
}

static void assert_ok(leat_code code, const leat_error *error)
{
    if (code != LEAT_OK) fail_msg("%s", error->text);
}

/* order_id INT, amount DECIMAL(10, 2), country STRING, day DATE NOT NULL */
static void create(const char *name, const char *const *partition_keys, int32_t partition_keys_count,
                   const char *const *options, leat_paimon_table *out)
{
    leat_error error = {0};
    leat_paimon_new_column columns[] = {
        {.name = "order_id", .type = {.kind = LEAT_TYPE_INT, .nullable = true}},
        {.name = "amount", .type = leat_type_decimal(10, 2, true)},
        {.name = "country", .type = leat_type_string(true)},
        {.name = "day", .type = {.kind = LEAT_TYPE_DATE, .nullable = false}},
    };
    leat_config config = {0};
    for (; options && options[0]; options += 2)
        assert_ok(leat_config_set(&config, options[0], options[1], &error), &error);
    leat_paimon_new_table table = {.database = "default",
                                   .name = name,
                                   .columns = columns,
                                   .columns_count = 4,
                                   .partition_keys = partition_keys,
                                   .partition_keys_count = partition_keys_count,
                                   .options = &config};
    leat_code code = leat_paimon_create_database(env, warehouse, "default", &error);
    assert_true(code == LEAT_OK || code == LEAT_EXISTS);
    assert_ok(leat_paimon_create_table(env, warehouse, &table, &error), &error);
    assert_ok(leat_paimon_get_table(env, warehouse, "default", name, &arena, out, &error), &error);
    leat_config_done(&config);
}

/* Adds the rows' ids to *sum. */
static leat_batch *make_batch(int32_t rows, bool with_selection, int64_t *sum)
{
    static const char *const countries[] = {"China", "Brazil", "a/b=c%", "", "Democratic Republic of the Congo"};
    leat_field fields[] = {{"order_id", {.kind = LEAT_TYPE_INT, .nullable = true}},
                           {"amount", leat_type_decimal(10, 2, true)},
                           {"country", leat_type_string(true)},
                           {"day", {.kind = LEAT_TYPE_DATE, .nullable = false}}};
    leat_schema schema = {4, fields};
    leat_batch_builder builder = {0};
    assert_int_equal(leat_batch_builder_init_schema(&builder, &schema, rows, NULL), LEAT_OK);
    for (int32_t i = 0; i < rows; i++) {
        assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, NULL), LEAT_OK);
        int32_t id = (int32_t)(next_random() % 100000), day = 19000 + (int32_t)(next_random() % 3);
        __int128 amount = (__int128)(next_random() % 100000);
        leat_batch_builder_set_fixed(&builder, 0, &id);
        if (next_random() % 5) leat_batch_builder_set_fixed(&builder, 1, &amount);
        const char *country = countries[next_random() % 5];
        if (next_random() % 7) {
            assert_int_equal(leat_batch_builder_set_bytes(&builder, 2, country, strlen(country), NULL), LEAT_OK);
        }
        leat_batch_builder_set_fixed(&builder, 3, &day);
        if (!with_selection || i % 2 == 0) *sum += id;
    }
    leat_batch *batch;
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, NULL), LEAT_OK);
    leat_batch_builder_done(&builder);
    if (with_selection) {
        batch->selection_buffer = leat_buffer_new((size_t)rows * 2);
        uint16_t *selection = (uint16_t *)(void *)batch->selection_buffer->data;
        batch->selected = 0;
        for (int32_t i = 0; i < rows; i += 2)
            selection[batch->selected++] = (uint16_t)i;
        batch->selection = selection;
    }
    return batch;
}

static leat_operator *open_writer(fake_host *host, const leat_paimon_table *table, const leat_restored *restored)
{
    leat_error error = {0};
    leat_bytes config = {0};
    leat_operator *writer = NULL;
    assert_ok(leat_paimon_append_config_write(table, &config, &error), &error);
    const leat_operator_factory *factory = &leat_paimon_append_writer_factory;
    assert_ok(factory->create(&host->context, config.data, config.size, &writer, &error), &error);
    writer->context = &host->context;
    assert_ok(writer->vtable->open(writer, restored, &error), &error);
    leat_bytes_done(&config);
    return writer;
}

static void write_batch(fake_host *host, leat_operator *writer, leat_batch *batch)
{
    leat_error error = {0};
    leat_progress progress = LEAT_DONE;
    while (!writer->vtable->has_room(writer)) {
        assert_true(host->jobs_count > 0);
        fake_host_run_jobs(host);
        assert_ok(writer->vtable->on_wake(writer, &progress, &error), &error);
    }
    assert_ok(writer->vtable->process_batch(writer, 0, &batch, &progress, &error), &error);
    assert_int_equal(progress, LEAT_DONE);
    leat_batch_free(batch);
}

static void cut(leat_operator *writer, int64_t id, leat_operator_snapshot *snapshot)
{
    leat_error error = {0};
    leat_progress progress = LEAT_DONE;
    *snapshot = (leat_operator_snapshot){.checkpoint_id = id};
    assert_ok(writer->vtable->snapshot(writer, snapshot, &progress, &error), &error);
    assert_int_equal(progress, LEAT_AGAIN);
}

static void resume(fake_host *host, leat_operator *writer, leat_operator_snapshot *snapshot)
{
    leat_error error = {0};
    leat_progress progress = LEAT_AGAIN;
    for (int i = 0; i < 1000 && progress == LEAT_AGAIN; i++) {
        assert_ok(writer->vtable->snapshot_resume(writer, snapshot, &progress, &error), &error);
        fake_host_run_jobs(host);
    }
    assert_int_equal(progress, LEAT_DONE);
}

static size_t read_messages(const leat_operator_snapshot *snapshot, leat_paimon_message *out)
{
    leat_error error = {0};
    for (size_t i = 0; i < snapshot->committables_count; i++) {
        const leat_bytes *data = &snapshot->committables[i];
        assert_ok(leat_paimon_message_read(data->data, data->size, &arena, &out[i], &error), &error);
    }
    return snapshot->committables_count;
}

static void read_file(const char *folder, const leat_paimon_file *file, int64_t *rows, int64_t *sum)
{
    leat_error error = {0};
    leat_field field = {"order_id", {.kind = LEAT_TYPE_INT, .nullable = true}};
    leat_schema wanted = {1, &field};
    leat_paimon_file_reader_options options = {.path = leat_paimon_file_path(folder, file, &arena),
                                               .size_bytes = (uint64_t)file->size_bytes,
                                               .columns = &wanted,
                                               .env = env};
    leat_paimon_file_reader *reader;
    assert_ok(leat_paimon_file_reader_new(&options, &reader, &error), &error);
    for (leat_paimon_read_status status = LEAT_PAIMON_READ_BATCH; status == LEAT_PAIMON_READ_BATCH;) {
        leat_batch *batch = NULL;
        assert_ok(leat_paimon_file_reader_step(reader, 1000, &status, &batch, &error), &error);
        for (int32_t i = 0; batch && i < batch->rows; i++)
            *sum += ((const int32_t *)batch->columns[0].values)[i];
        if (batch) *rows += batch->rows;
        leat_batch_free(batch);
    }
    leat_paimon_file_reader_free(reader);
}

/* What the messages' files hold: rows and the sum of order_id. */
static void read_back(const leat_paimon_table *table, const leat_paimon_message *messages, size_t count, int64_t *rows,
                      int64_t *sum)
{
    leat_error error = {0};
    *rows = *sum = 0;
    for (size_t m = 0; m < count; m++) {
        const char *folder;
        const leat_paimon_message *message = &messages[m];
        assert_ok(leat_paimon_bucket_path(table->path, &table->schema, message->partition, message->partition_size,
                                          message->bucket, &arena, &folder, &error),
                  &error);
        for (size_t f = 0; f < message->new_files.count; f++) {
            const leat_paimon_file *file = &message->new_files.files[f];
            int64_t before = *rows;
            read_file(folder, file, rows, sum);
            assert_int_equal(*rows - before, file->rows);
            assert_int_equal(file->max_sequence - file->min_sequence + 1, file->rows);
        }
    }
}

static void commit(const leat_paimon_table *table, int64_t id, const leat_paimon_message *messages, size_t count)
{
    leat_error error = {0};
    leat_paimon_commit_options options = {0};
    assert_ok(leat_paimon_commit(env, table, "user", id, messages, count, &options, NULL, &error), &error);
}

static void rows_of_every_kind_of_table_come_back(void **state)
{
    (void)state;
    static const char *const day[] = {"day"}, *const both[] = {"country", "day"};
    static const char *const unaware[] = {"bucket", "-1", NULL, NULL};
    static const char *const fixed[] = {"bucket", "4", "bucket-key", "order_id", NULL, NULL};
    static const struct {
        const char *name;
        const char *const *partition_keys;
        int32_t count;
        const char *const *options;
    } cases[] = {{"plain", NULL, 0, unaware},
                 {"by_day", day, 1, unaware},
                 {"by_both", both, 2, unaware},
                 {"buckets", NULL, 0, fixed},
                 {"day_buckets", day, 1, fixed}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        leat_paimon_table table;
        create(cases[c].name, cases[c].partition_keys, cases[c].count, cases[c].options, &table);
        fake_host host;
        fake_host_init(&host, env, 0, 1);
        leat_operator *writer = open_writer(&host, &table, NULL);
        for (int64_t id = 1; id <= 3; id++) {
            int64_t written = 0, written_rows = 0, rows, sum;
            for (int b = 0; b < 5; b++) {
                leat_batch *batch = make_batch(1 + (int32_t)(next_random() % 3000), b % 2 == 1, &written);
                written_rows += batch->selected;
                write_batch(&host, writer, batch);
            }
            leat_operator_snapshot snapshot;
            cut(writer, id, &snapshot);
            resume(&host, writer, &snapshot);
            leat_paimon_message messages[64];
            size_t count = read_messages(&snapshot, messages);
            read_back(&table, messages, count, &rows, &sum);
            assert_int_equal(rows, written_rows);
            assert_int_equal(sum, written);
            commit(&table, id, messages, count);
            assert_int_equal(writer->vtable->checkpoint_complete(writer, id, NULL), LEAT_OK);
            leat_operator_snapshot_done(&snapshot);
        }
        writer->vtable->close(writer);
        fake_host_done(&host);
        leat_paimon_table_done(&table);
    }
}

static void what_an_aborted_checkpoint_prepared_is_carried(void **state)
{
    (void)state;
    leat_paimon_table table;
    create("carried", NULL, 0, NULL, &table);
    fake_host host;
    fake_host_init(&host, env, 0, 1);
    leat_operator *writer = open_writer(&host, &table, NULL);
    int64_t sums[2] = {0, 0}, rows, sum;
    leat_operator_snapshot first, second;
    leat_paimon_message messages[16];
    write_batch(&host, writer, make_batch(100, false, &sums[0]));
    cut(writer, 1, &first);
    write_batch(&host, writer, make_batch(200, false, &sums[1])); /* the stream goes on */
    cut(writer, 2, &second);
    resume(&host, writer, &first);
    resume(&host, writer, &second);
    size_t count = read_messages(&first, messages);
    read_back(&table, messages, count, &rows, &sum);
    assert_int_equal(rows, 100);
    count = read_messages(&second, messages);
    assert_int_equal(count, 2);
    assert_int_equal(messages[0].checkpoint_id, 1);
    assert_int_equal(messages[1].checkpoint_id, 2);
    read_back(&table, messages, count, &rows, &sum);
    assert_int_equal(rows, 300);
    assert_int_equal(sum, sums[0] + sums[1]);

    /* A restart: the state brings them back, until the checkpoint is confirmed. */
    leat_restored_part part = {0, 1, second.state.data, second.state.size};
    leat_restored restored = {2, &part, 1};
    leat_operator *again = open_writer(&host, &table, &restored);
    leat_operator_snapshot third;
    cut(again, 3, &third);
    resume(&host, again, &third);
    assert_int_equal(third.committables_count, 2);
    leat_operator_snapshot_done(&third);
    assert_int_equal(again->vtable->checkpoint_complete(again, 2, NULL), LEAT_OK);
    cut(again, 4, &third);
    resume(&host, again, &third);
    assert_int_equal(third.committables_count, 0);
    leat_operator_snapshot_done(&third);
    leat_operator_snapshot_done(&first);
    leat_operator_snapshot_done(&second);
    again->vtable->close(again);
    writer->vtable->close(writer);
    fake_host_done(&host);
    leat_paimon_table_done(&table);
}

static void files_roll_at_their_target_size(void **state)
{
    (void)state;
    static const char *const options[] = {"target-file-size", "20 kb", "file.block-size", "8 kb", NULL, NULL};
    leat_paimon_table table;
    create("rolling", NULL, 0, options, &table);
    fake_host host;
    fake_host_init(&host, env, 0, 1);
    leat_operator *writer = open_writer(&host, &table, NULL);
    int64_t written = 0, rows, sum;
    for (int b = 0; b < 40; b++)
        write_batch(&host, writer, make_batch(2000, false, &written));
    leat_operator_snapshot snapshot;
    cut(writer, 1, &snapshot);
    resume(&host, writer, &snapshot);
    leat_paimon_message message;
    assert_int_equal(read_messages(&snapshot, &message), 1);
    assert_true(message.new_files.count > 3);
    read_back(&table, &message, 1, &rows, &sum);
    assert_int_equal(rows, 80000);
    assert_int_equal(sum, written);
    commit(&table, 1, &message, 1);
    leat_operator_snapshot_done(&snapshot);
    writer->vtable->close(writer);
    fake_host_done(&host);
    leat_paimon_table_done(&table);
}

/* More partitions than encoders, a few rows each time. */
static void many_partitions_come_back(void **state)
{
    (void)state;
    static const char *const key[] = {"order_id"};
    leat_paimon_table table;
    create("many", key, 1, NULL, &table);
    fake_host host;
    fake_host_init(&host, env, 0, 1);
    leat_operator *writer = open_writer(&host, &table, NULL);
    int64_t written = 0, rows, sum;
    for (int b = 0; b < 3; b++) {
        leat_batch *batch = make_batch(3000, false, &written);
        int32_t *ids = (int32_t *)(void *)batch->columns[0].values_buffer->data;
        for (int32_t i = 0; i < batch->rows; i++) {
            written += ids[i] % 700 - ids[i];
            ids[i] %= 700;
        }
        write_batch(&host, writer, batch);
    }
    leat_operator_snapshot snapshot;
    cut(writer, 1, &snapshot);
    resume(&host, writer, &snapshot);
    leat_paimon_message *messages = leat_arena_take(&arena, 1000 * sizeof *messages);
    size_t count = read_messages(&snapshot, messages);
    assert_true(count > 600 && count <= 700);
    read_back(&table, messages, count, &rows, &sum);
    assert_int_equal(rows, 9000);
    assert_int_equal(sum, written);
    leat_operator_snapshot_done(&snapshot);
    writer->vtable->close(writer);
    fake_host_done(&host);
    leat_paimon_table_done(&table);
}

static void a_null_in_a_not_null_column_is_refused(void **state)
{
    (void)state;
    leat_paimon_table table;
    create("strict", NULL, 0, NULL, &table);
    fake_host host;
    fake_host_init(&host, env, 0, 1);
    leat_operator *writer = open_writer(&host, &table, NULL);
    int64_t sum = 0;
    leat_batch *batch = make_batch(10, false, &sum);
    leat_bit_clear(batch->columns[3].validity_buffer->data, 4);
    leat_error error = {0};
    leat_progress progress = LEAT_DONE;
    assert_int_equal(writer->vtable->process_batch(writer, 0, &batch, &progress, &error), LEAT_INVALID);
    assert_non_null(strstr(error.text, "'day' is NOT NULL"));
    leat_batch_free(batch);
    writer->vtable->close(writer);
    fake_host_done(&host);
    leat_paimon_table_done(&table);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(warehouse, sizeof warehouse, "/tmp/leat-test-append-XXXXXX");
    if (!mkdtemp(warehouse)) return 1;
    leat_arena_init(&arena, 256 << 20);
    if (leat_env_system_new(1, 16, &env, NULL) != LEAT_OK) return 1;
    return leat_storage_file_new(&env->storage, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    const char *keep = getenv("LEAT_TEST_KEEP");
    leat_code code = LEAT_OK;
    if (keep) fprintf(stderr, "tables are in %s\n", warehouse);
    if (!keep) code = leat_storage_remove_folder(env->storage, warehouse, NULL);
    leat_storage_free(env->storage);
    leat_env_system_free(env);
    leat_arena_done(&arena);
    return code != LEAT_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_every_kind_of_table_come_back),
        cmocka_unit_test(what_an_aborted_checkpoint_prepared_is_carried),
        cmocka_unit_test(files_roll_at_their_target_size),
        cmocka_unit_test(many_partitions_come_back),
        cmocka_unit_test(a_null_in_a_not_null_column_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
