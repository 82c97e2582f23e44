#include "tests/unit.h"

#include <string.h>

#include "common/memory.h"
#include "connectors/datagen/datagen.h"
#include "storage/storage.h"

/* A host whose clock the test moves, and whose source is asked until it idles or ends. */
typedef struct host {
    leat_operator_context context; /* first */
    leat_env env;
    leat_operator *source;
    int64_t now_us, rows;
    void (*on_batch)(const leat_batch *batch);
} host;

static host here;

static int64_t now_ms(leat_env *env)
{
    (void)env;
    return INT64_C(1700000000000) + here.now_us / 1000;
}

static int64_t mono_us(leat_env *env)
{
    (void)env;
    return here.now_us;
}

static uint64_t random_of(leat_env *env)
{
    (void)env;
    return 42;
}

static const leat_env_vtable env_vtable = {.now_ms = now_ms, .mono_us = mono_us, .random = random_of};

static leat_code emit(leat_operator_context *context, leat_batch **batch, leat_error *error)
{
    (void)context;
    (void)error;
    assert_true((*batch)->rows > 0 && (*batch)->rows <= LEAT_BATCH_ROWS_MAX);
    here.rows += (*batch)->rows;
    if (here.on_batch) here.on_batch(*batch);
    leat_batch_free(*batch);
    *batch = NULL;
    return LEAT_OK;
}

static void set_timer(leat_operator_context *context, int64_t at_us)
{
    (void)context;
    assert_true(at_us > here.now_us);
}

static const leat_operator_host host_vtable = {.emit = emit, .set_timer = set_timer};

enum { FIELDS_MAX = 16 };
static leat_field fields[FIELDS_MAX];
static leat_datagen_field generators[FIELDS_MAX];
static leat_datagen_config config;

static void add_field(const char *name, leat_type type)
{
    int32_t i = config.schema.fields_count++;
    fields[i] = (leat_field){name, type};
    generators[i] = leat_datagen_field_default(&type);
}

static int start(void **state)
{
    (void)state;
    here = (host){.env = {.vtable = &env_vtable}};
    config = (leat_datagen_config){
        .schema = {0, fields}, .fields = generators, .rows_per_second = INT64_MAX, .rows_count = -1};
    return 0;
}

static leat_code open_source(int32_t subtask, int32_t parallelism, const leat_restored *restored, leat_error *error)
{
    leat_bytes bytes = {0};
    leat_datagen_config_write(&config, &bytes);
    here.context =
        (leat_operator_context){.host = &host_vtable, .env = &here.env, .subtask = subtask, .parallelism = parallelism};
    leat_code code = leat_datagen_factory.create(&here.context, bytes.data, bytes.size, &here.source, error);
    leat_bytes_done(&bytes);
    if (code != LEAT_OK) return code;
    here.source->context = &here.context;
    return here.source->vtable->open(here.source, restored, error);
}

static void close_source(void)
{
    here.source->vtable->close(here.source);
    here.source = NULL;
}

/* Until it idles, ends, or has made `rows_max` in all. */
static leat_source_status produce(int64_t rows_max)
{
    leat_source_status status = LEAT_SOURCE_MORE;
    while (status == LEAT_SOURCE_MORE && here.rows < rows_max)
        assert_int_equal(here.source->vtable->produce(here.source, &status, NULL), LEAT_OK);
    return status;
}

static void the_number_of_rows_is_shared_exactly(void **state)
{
    (void)state;
    add_field("a", leat_type_make(LEAT_TYPE_INT, true));
    config.rows_count = 100001;
    for (int32_t parallelism = 1; parallelism <= 4; parallelism++) {
        int64_t total = 0;
        for (int32_t subtask = 0; subtask < parallelism; subtask++) {
            here.rows = 0;
            assert_int_equal(open_source(subtask, parallelism, NULL, NULL), LEAT_OK);
            here.now_us += 1000000;
            assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_END);
            assert_true(here.rows >= 100001 / parallelism && here.rows <= 100001 / parallelism + 1);
            total += here.rows;
            close_source();
        }
        assert_int_equal(total, 100001);
    }
}

static void the_rate_is_kept_evenly(void **state)
{
    (void)state;
    add_field("a", leat_type_make(LEAT_TYPE_INT, true));
    config.rows_per_second = 50;
    assert_int_equal(open_source(0, 1, NULL, NULL), LEAT_OK);
    assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_IDLE);
    assert_int_equal(here.rows, 1); /* the first comes at once */
    for (int i = 1; i <= 100; i++) {
        here.now_us += 100000;
        assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_IDLE);
        assert_in_range(here.rows, 5 * i, 5 * i + 1);
    }
    close_source();
}

static void each_subtask_makes_at_least_one_row_a_second(void **state)
{
    (void)state;
    add_field("a", leat_type_make(LEAT_TYPE_INT, true));
    config.rows_per_second = 1;
    assert_int_equal(open_source(3, 4, NULL, NULL), LEAT_OK);
    here.now_us += 10000000;
    assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_IDLE);
    assert_in_range(here.rows, 10, 11);
    close_source();
}

static bool seen[1000];

static void mark_numbers(const leat_batch *batch)
{
    for (int32_t i = 0; i < batch->rows; i++) {
        int64_t value = ((const int64_t *)batch->columns[0].values)[i];
        assert_in_range(value, 0, 999);
        assert_false(seen[value]);
        seen[value] = true;
    }
}

static void a_sequence_is_whole_over_all_subtasks_and_over_a_restore(void **state)
{
    (void)state;
    add_field("n", leat_type_make(LEAT_TYPE_BIGINT, false));
    generators[0].kind = LEAT_DATAGEN_SEQUENCE;
    generators[0].min = 0;
    generators[0].max = 999;
    config.rows_per_second = 300;
    memset(seen, 0, sizeof seen);
    here.on_batch = mark_numbers;
    for (int32_t subtask = 0; subtask < 3; subtask++) {
        leat_operator_snapshot snapshot = {.checkpoint_id = 1};
        leat_progress progress = LEAT_DONE;
        here.rows = 0;
        assert_int_equal(open_source(subtask, 3, NULL, NULL), LEAT_OK);
        here.now_us += 1000000;
        assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_IDLE);
        assert_int_equal(here.source->vtable->snapshot(here.source, &snapshot, &progress, NULL), LEAT_OK);
        close_source();
        leat_restored_part part = {subtask, 3, snapshot.state.data, snapshot.state.size};
        leat_restored restored = {.checkpoint_id = 1, .parts = &part, .parts_count = 1};
        assert_int_equal(open_source(subtask, 3, &restored, NULL), LEAT_OK);
        here.now_us += 10000000;
        assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_END);
        close_source();
        leat_operator_snapshot_done(&snapshot);
    }
    for (int i = 0; i < 1000; i++)
        assert_true(seen[i]);
}

static int64_t nulls, least, greatest;

static void check_values(const leat_batch *batch)
{
    const leat_column *amounts = &batch->columns[0], *texts = &batch->columns[1], *decimals = &batch->columns[2];
    for (int32_t i = 0; i < batch->rows; i++) {
        int64_t amount = ((const int32_t *)amounts->values)[i];
        assert_true(amount >= -3 && amount <= 1000);
        if (amount < least) least = amount;
        if (amount > greatest) greatest = amount;
        nulls += leat_column_is_null(texts, i);
        const leat_view *view = (const leat_view *)texts->values + i;
        assert_int_equal(view->length, leat_column_is_null(texts, i) ? 0 : 20);
        __int128 decimal = ((const __int128 *)decimals->values)[i];
        assert_true(decimal >= 0 && decimal <= 99999);
    }
}

static void values_keep_their_bounds_lengths_and_null_rate(void **state)
{
    (void)state;
    add_field("amount", leat_type_make(LEAT_TYPE_INT, true));
    add_field("note", leat_type_string(true));
    add_field("price", leat_type_decimal(5, 2, true));
    generators[0].min = -3;
    generators[0].max = 1000;
    generators[1].length = 20;
    generators[1].null_rate = 0.25;
    config.rows_count = 100000;
    nulls = 0;
    least = INT64_MAX;
    greatest = INT64_MIN;
    here.on_batch = check_values;
    assert_int_equal(open_source(0, 1, NULL, NULL), LEAT_OK);
    here.now_us += 1000000;
    assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_END);
    close_source();
    assert_int_equal(least, -3);
    assert_int_equal(greatest, 1000);
    assert_in_range(nulls, 24000, 26000);
}

static void the_whole_range_of_every_kind_can_be_made(void **state)
{
    (void)state;
    static const leat_type_kind kinds[] = {LEAT_TYPE_BOOLEAN, LEAT_TYPE_TINYINT, LEAT_TYPE_SMALLINT,
                                           LEAT_TYPE_INT,     LEAT_TYPE_BIGINT,  LEAT_TYPE_FLOAT,
                                           LEAT_TYPE_DOUBLE,  LEAT_TYPE_DATE,    LEAT_TYPE_TIME};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        add_field("f", leat_type_make(kinds[i], true));
    add_field("decimal", leat_type_decimal(18, 0, true));
    add_field("at", (leat_type){.kind = LEAT_TYPE_TIMESTAMP, .nullable = true, .precision = 3});
    add_field("bytes", (leat_type){.kind = LEAT_TYPE_VARBINARY, .nullable = true, .precision = LEAT_LENGTH_MAX});
    config.rows_count = 20000;
    assert_int_equal(open_source(0, 1, NULL, NULL), LEAT_OK);
    here.now_us += 1000000;
    assert_int_equal(produce(INT64_MAX), LEAT_SOURCE_END);
    assert_int_equal(here.rows, 20000);
    close_source();
}

static void bounds_the_wrong_way_round_are_refused_by_name(void **state)
{
    (void)state;
    leat_error error = {0};
    add_field("amount", leat_type_make(LEAT_TYPE_INT, true));
    generators[0].min = 2;
    generators[0].max = 1;
    assert_int_equal(open_source(0, 1, NULL, &error), LEAT_INVALID);
    assert_non_null(strstr(error.text, "'amount'"));
    close_source();
}

static void a_damaged_configuration_is_refused(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    add_field("amount", leat_type_make(LEAT_TYPE_INT, true));
    leat_datagen_config_write(&config, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        leat_operator *source = NULL;
        assert_int_not_equal(leat_datagen_factory.create(&here.context, bytes.data, size, &source, NULL), LEAT_OK);
    }
    leat_bytes_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test_setup(the_number_of_rows_is_shared_exactly, start),
        cmocka_unit_test_setup(the_rate_is_kept_evenly, start),
        cmocka_unit_test_setup(each_subtask_makes_at_least_one_row_a_second, start),
        cmocka_unit_test_setup(a_sequence_is_whole_over_all_subtasks_and_over_a_restore, start),
        cmocka_unit_test_setup(values_keep_their_bounds_lengths_and_null_rate, start),
        cmocka_unit_test_setup(the_whole_range_of_every_kind_can_be_made, start),
        cmocka_unit_test_setup(bounds_the_wrong_way_round_are_refused_by_name, start),
        cmocka_unit_test_setup(a_damaged_configuration_is_refused, start),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
