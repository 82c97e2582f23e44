#include "tests/unit.h"

#include <stdlib.h>

#include "paimon/catalog.h"
#include "paimon/schema.h"
#include "paimon/snapshot.h"
#include "paimon/source.h"
#include "storage/storage.h"
#include "tests/unit/paimon/fake_host.h"
#include "tests/unit/paimon/render.h"

static leat_env *env;
static const char *data_folder; /* fixtures that Flink and Paimon wrote */
static leat_arena arena;
static uint64_t random_state = 5;

enum { ROWS_MAX = 1000, READERS_MAX = 3 };

static uint64_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state >> 20;
}

static void assert_ok(leat_code code, const leat_error *error)
{
    if (code != LEAT_OK) fail_msg("%s", error->text);
}

/* --- rows as texts --- */

typedef struct rows {
    char *texts[ROWS_MAX];
    size_t count;
} rows;

static void rows_add(rows *self, json_t *row)
{
    assert_true(self->count < ROWS_MAX);
    self->texts[self->count++] = json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

static void rows_done(rows *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->texts[i]);
    self->count = 0;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void assert_same_rows(rows *got, rows *expected)
{
    qsort(got->texts, got->count, sizeof got->texts[0], compare_texts);
    qsort(expected->texts, expected->count, sizeof expected->texts[0], compare_texts);
    for (size_t i = 0; i < got->count && i < expected->count; i++)
        assert_string_equal(got->texts[i], expected->texts[i]);
    assert_int_equal(got->count, expected->count);
}

/* The wanted columns of the expected rows; FLOATs as floats, so that digits do not matter. */
static void read_expected(const char *name, const leat_paimon_table *table, const int32_t *columns, int32_t count,
                          rows *out)
{
    char path[512];
    snprintf(path, sizeof path, "%s/expected/%s.json", data_folder, name);
    json_t *document = json_load_file(path, 0, NULL), *row;
    assert_non_null(document);
    size_t index;
    json_array_foreach(json_object_get(document, "rows"), index, row)
    {
        json_t *picked = json_array();
        json_array_append(picked, json_array_get(row, 0));
        for (int32_t c = 0; c < count; c++) {
            json_t *value = json_array_get(row, (size_t)columns[c] + 1);
            leat_type_kind kind = table->schema.fields[columns[c]].type.kind;
            if (kind == LEAT_TYPE_FLOAT && json_is_number(value)) {
                json_array_append_new(picked, json_real((double)(float)json_number_value(value)));
            } else if (kind == LEAT_TYPE_DOUBLE && json_is_number(value)) {
                json_array_append_new(picked, json_real(json_number_value(value)));
            } else {
                json_array_append(picked, value);
            }
        }
        rows_add(out, picked);
        json_decref(picked);
    }
    json_decref(document);
}

static void add_batch(rows *out, const leat_paimon_source_config *config, const leat_batch *batch)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t at = leat_batch_row(batch, i);
        json_t *row = json_array();
        json_array_append_new(row, json_string(leat_row_kind_text((leat_row_kind)leat_batch_kind(batch, at))));
        for (int32_t c = 0; c < config->columns_count; c++) {
            const leat_type *type = &config->table->schema.fields[config->columns[c]].type;
            json_array_append_new(row, render_value(type, &batch->columns[c], at));
        }
        rows_add(out, row);
        json_decref(row);
    }
}

/* --- a job of one enumerator and some readers --- */

typedef struct job {
    leat_enumerator_context context; /* first */
    leat_enumerator *enumerator;
    int32_t readers_count;
    fake_host hosts[READERS_MAX];
    leat_operator *readers[READERS_MAX];
    bool has_ended[READERS_MAX];
    int requests_served[READERS_MAX];
    int64_t poll_after_ms;
    leat_bytes config;
    /* The last checkpoint. */
    leat_bytes enumerator_state;
    leat_operator_snapshot reader_states[READERS_MAX];
    size_t rows_at_cut;
    int assigned;
} job;

static void say_assign(leat_enumerator_context *context, int32_t subtask, const uint8_t *split, size_t size)
{
    job *self = (job *)context;
    leat_error error = {0};
    self->assigned++;
    leat_operator *reader = self->readers[subtask];
    assert_ok(reader->vtable->add_split(reader, split, size, &error), &error);
}

static void say_no_more(leat_enumerator_context *context, int32_t subtask)
{
    leat_operator *reader = ((job *)context)->readers[subtask];
    assert_int_equal(reader->vtable->no_more_splits(reader, NULL), LEAT_OK);
}

static void say_event(leat_enumerator_context *context, int32_t subtask, const uint8_t *event, size_t size)
{
    (void)context;
    (void)subtask;
    (void)event;
    (void)size;
}

static void say_poll_after(leat_enumerator_context *context, int64_t ms)
{
    ((job *)context)->poll_after_ms = ms;
}

static void job_start(job *self, bool from_checkpoint)
{
    leat_error error = {0};
    self->poll_after_ms = -1;
    const leat_enumerator_factory *factory = &leat_paimon_source_enumerator_factory;
    assert_ok(factory->create(&self->context, self->config.data, self->config.size, &self->enumerator, &error), &error);
    for (int32_t i = 0; i < self->readers_count; i++) {
        fake_host_init(&self->hosts[i], env, i, self->readers_count);
        self->has_ended[i] = false;
        self->requests_served[i] = 0;
        leat_operator **reader = &self->readers[i];
        assert_ok(leat_paimon_source_factory.create(&self->hosts[i].context, self->config.data, self->config.size,
                                                    reader, &error),
                  &error);
        (*reader)->context = &self->hosts[i].context;
        const leat_bytes *state = &self->reader_states[i].state;
        leat_restored_part part = {i, self->readers_count, state->data, state->size};
        leat_restored restored = {1, &part, 1};
        assert_ok((*reader)->vtable->open(*reader, from_checkpoint ? &restored : NULL, &error), &error);
    }
    const leat_bytes *state = &self->enumerator_state;
    assert_ok(
        self->enumerator->vtable->start(self->enumerator, from_checkpoint ? state->data : NULL, state->size, &error),
        &error);
}

static void job_stop(job *self)
{
    for (int32_t i = 0; i < self->readers_count; i++) {
        while (self->hosts[i].jobs_count)
            fake_host_run_jobs(&self->hosts[i]);
        self->readers[i]->vtable->close(self->readers[i]);
        fake_host_done(&self->hosts[i]);
    }
    self->enumerator->vtable->close(self->enumerator);
}

static void job_cut(job *self, const rows *so_far)
{
    leat_error error = {0};
    leat_bytes_reset(&self->enumerator_state);
    assert_ok(self->enumerator->vtable->snapshot(self->enumerator, 1, &self->enumerator_state, &error), &error);
    for (int32_t i = 0; i < self->readers_count; i++) {
        leat_operator_snapshot_done(&self->reader_states[i]);
        self->reader_states[i] = (leat_operator_snapshot){.checkpoint_id = 1};
        leat_progress progress = LEAT_DONE;
        leat_operator *reader = self->readers[i];
        assert_ok(reader->vtable->snapshot(reader, &self->reader_states[i], &progress, &error), &error);
    }
    self->rows_at_cut = so_far->count;
}

/* A step of everything; true while something happens. */
static bool job_step(job *self, const leat_paimon_source_config *config, rows *out)
{
    leat_error error = {0};
    bool did_work = false;
    if (self->poll_after_ms >= 0) {
        self->poll_after_ms = -1;
        int before = self->assigned;
        assert_ok(self->enumerator->vtable->poll(self->enumerator, &error), &error);
        did_work = self->assigned > before;
    }
    for (int32_t i = 0; i < self->readers_count; i++) {
        fake_host *host = &self->hosts[i];
        if (self->has_ended[i]) continue;
        while (self->requests_served[i] < host->requests) {
            self->requests_served[i]++;
            assert_ok(self->enumerator->vtable->on_request(self->enumerator, i, &error), &error);
        }
        if (next_random() % 2 && host->jobs_count) {
            fake_host_run_jobs(host);
            did_work = true;
        }
        leat_source_status status;
        leat_operator *reader = self->readers[i];
        assert_ok(reader->vtable->produce(reader, &status, &error), &error);
        self->has_ended[i] = status == LEAT_SOURCE_END;
        did_work =
            did_work || status != LEAT_SOURCE_IDLE || host->jobs_count || host->requests > self->requests_served[i];
        for (int b = 0; b < host->emitted_count; b++) {
            add_batch(out, config, host->emitted[b]);
            leat_batch_free(host->emitted[b]);
        }
        host->emitted_count = 0;
    }
    return did_work;
}

/* Runs until nothing happens; with restarts, a checkpoint is cut and gone back to now and then. */
static void run_job(const leat_paimon_source_config *config, int32_t readers_count, int restarts, rows *out)
{
    leat_error error = {0};
    static job self;
    self = (job){.context = {.env = env,
                             .parallelism = readers_count,
                             .assign = say_assign,
                             .no_more_splits = say_no_more,
                             .send_event = say_event,
                             .poll_after = say_poll_after},
                 .readers_count = readers_count};
    assert_ok(leat_paimon_source_config_write(config, &self.config, &error), &error);
    job_start(&self, false);
    job_cut(&self, out);
    int idle = 0;
    while (idle < 10) {
        idle = job_step(&self, config, out) ? 0 : idle + 1;
        if (next_random() % 5 == 0) job_cut(&self, out);
        if (restarts > 0 && next_random() % 6 == 0) {
            restarts--;
            idle = 0;
            job_stop(&self);
            while (out->count > self.rows_at_cut)
                free(out->texts[--out->count]); /* the sink goes back, too */
            job_start(&self, true);
        }
    }
    for (int32_t i = 0; i < readers_count; i++)
        assert_int_equal(self.has_ended[i], !config->is_streaming);
    job_stop(&self);
    for (int32_t i = 0; i < readers_count; i++)
        leat_operator_snapshot_done(&self.reader_states[i]);
    leat_bytes_done(&self.enumerator_state);
    leat_bytes_done(&self.config);
}

static void open_fixture(const char *name, const char *const *options, leat_paimon_table *out)
{
    leat_error error = {0};
    leat_config config = {0};
    for (; options && options[0]; options += 2)
        assert_ok(leat_config_set(&config, options[0], options[1], &error), &error);
    const char *path = leat_arena_format(&arena, "%s/%s", data_folder, name);
    assert_ok(leat_paimon_open_table(env, path, &config, &arena, out, &error), &error);
    leat_config_done(&config);
}

static int32_t all_columns(const leat_paimon_table *table, int32_t *columns)
{
    int32_t count = 0;
    for (int32_t i = 0; i < table->schema.fields_count; i++) {
        const leat_paimon_field *field = &table->schema.fields[i];
        if (!field->type_json && leat_type_has_column(&field->type)) columns[count++] = i;
    }
    return count;
}

static void check_reading(const char *name, const char *expected_name, const char *const *options, bool is_streaming,
                          int32_t readers, int restarts)
{
    leat_paimon_table table;
    open_fixture(name, options, &table);
    int32_t columns[64];
    leat_paimon_source_config config = {.table = &table, .columns = columns, .is_streaming = is_streaming};
    config.columns_count = all_columns(&table, columns);
    rows got = {.count = 0}, expected = {.count = 0};
    run_job(&config, readers, restarts, &got);
    read_expected(expected_name, &table, columns, config.columns_count, &expected);
    assert_same_rows(&got, &expected);
    rows_done(&got);
    /* Some columns, in another order. */
    int32_t some[2] = {columns[config.columns_count - 1], columns[0]};
    config.columns = some;
    config.columns_count = 2;
    rows_done(&expected);
    run_job(&config, readers, restarts, &got);
    read_expected(expected_name, &table, some, 2, &expected);
    assert_same_rows(&got, &expected);
    rows_done(&got);
    rows_done(&expected);
    leat_paimon_table_done(&table);
}

static void tables_that_paimon_wrote_are_read_as_flink_reads_them(void **state)
{
    (void)state;
    static const char *const names[] = {"orders_parquet", "orders_parquet_none", "orders_parquet_snappy", "visits",
                                        "sales",          "all_parquet_append"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_reading(names[i], names[i], NULL, false, 1, 0);
        check_reading(names[i], names[i], NULL, false, 3, 5);
    }
}

static void a_snapshot_can_be_named(void **state)
{
    (void)state;
    static const char *const options[] = {"scan.snapshot-id", "1", NULL, NULL};
    check_reading("orders_parquet", "orders_parquet.at1", options, false, 2, 2);
}

static void streams_deliver_each_change_once_whatever_restarts(void **state)
{
    (void)state;
    static const char *const from_two[] = {"scan.mode", "from-snapshot", "scan.snapshot-id", "2", NULL, NULL};
    for (int i = 0; i < 10; i++) {
        check_reading("orders_parquet", "orders_parquet", NULL, true, 1 + i % 3, i);
        check_reading("orders_parquet", "orders_parquet.changelog", from_two, true, 1 + i % 3, i);
    }
}

static void columns_are_found_by_id_in_files_of_older_schemas(void **state)
{
    (void)state;
    leat_paimon_table table;
    open_fixture("ev", NULL, &table);
    /* By now INT has become STRING and BIGINT, FLOAT DOUBLE, STRING DATE; names were given to other columns. */
    int32_t columns[8];
    int32_t count = all_columns(&table, columns);
    assert_int_equal(count, 8);
    leat_paimon_source_config config = {.table = &table, .columns = columns, .columns_count = count};
    rows got = {.count = 0}, expected = {.count = 0};
    run_job(&config, 2, 3, &got);
    read_expected("ev", &table, columns, count, &expected);
    assert_same_rows(&got, &expected);
    rows_done(&got);
    rows_done(&expected);
    leat_paimon_table_done(&table);
}

static void options_that_are_not_there_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"scan.tag-name", "x"}, {"consumer-id", "me"}, {"scan.mode", "compacted-full"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        leat_paimon_table table;
        leat_error error = {0};
        open_fixture("visits", NULL, &table);
        assert_int_equal(leat_config_set(&table.schema.options, cases[i][0], cases[i][1], NULL), LEAT_OK);
        assert_int_equal(leat_paimon_source_check(&table, true, &error), LEAT_UNSUPPORTED);
        assert_non_null(strstr(error.text, cases[i][0]));
        leat_paimon_table_done(&table);
    }
}

static int set_up(void **state)
{
    (void)state;
    leat_arena_init(&arena, 256 << 20);
    if (leat_env_system_new(1, 16, &env, NULL) != LEAT_OK) return 1;
    return leat_storage_file_new(&env->storage, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    leat_storage_free(env->storage);
    leat_env_system_free(env);
    leat_arena_done(&arena);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    data_folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_that_paimon_wrote_are_read_as_flink_reads_them),
        cmocka_unit_test(a_snapshot_can_be_named),
        cmocka_unit_test(streams_deliver_each_change_once_whatever_restarts),
        cmocka_unit_test(columns_are_found_by_id_in_files_of_older_schemas),
        cmocka_unit_test(options_that_are_not_there_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
