/* The jdbc sink and source against a real server: MYSQL_PORT says where (tests/integration/with_mariadb starts one). */
// clang-format off
#include "tests/unit.h"
// clang-format on
#include <string.h>

#include "common/memory.h"
#include "connectors/jdbc/jdbc.h"
#include "tests/integration/host.h"

static leat_env *env;
static uint16_t port;

#define GOOD(call)                                                                                                     \
    do {                                                                                                               \
        leat_error error_ = {0};                                                                                       \
        leat_error *error = &error_;                                                                                   \
        if ((call) != LEAT_OK) fail_msg("%s", error_.text);                                                            \
    } while (0)

static leat_mysql_address address(void)
{
    return (leat_mysql_address){
        .host = "127.0.0.1", .port = port, .database = "jdbc_test", .user = "root", .password = "root"};
}

static void sql(const char *text)
{
    leat_mysql_address where = address();
    where.database = NULL;
    MYSQL *mysql = NULL;
    GOOD(leat_mysql_connect(&where, &mysql, error));
    GOOD(leat_mysql_run(mysql, "CREATE DATABASE IF NOT EXISTS jdbc_test", "test", error));
    GOOD(leat_mysql_run(mysql, "USE jdbc_test", "test", error));
    GOOD(leat_mysql_run(mysql, text, "test", error));
    leat_mysql_close(mysql);
}

static char *ask(const char *text)
{
    static char answer[512];
    leat_mysql_address where = address();
    MYSQL *mysql = NULL;
    GOOD(leat_mysql_connect(&where, &mysql, error));
    GOOD(leat_mysql_query_text(mysql, text, "test", answer, sizeof answer, error));
    leat_mysql_close(mysql);
    return answer;
}

static leat_field fields[] = {
    {"id", {.kind = LEAT_TYPE_INT}},
    {"name", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"amount", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 10, .scale = 2}},
    {"at", {.kind = LEAT_TYPE_TIMESTAMP, .nullable = true, .precision = 6}},
};
static const int32_t key[] = {0};

static leat_jdbc_config config(void)
{
    return (leat_jdbc_config){.address = address(),
                              .table = "t",
                              .schema = {4, fields},
                              .primary_key = key,
                              .primary_key_count = 1,
                              .flush_rows = 3,
                              .flush_interval_ms = 50,
                              .max_retries = 1,
                              .limit = -1};
}

static void add(leat_batch_builder *builder, leat_row_kind kind, int32_t id, const char *name, int64_t cents)
{
    GOOD(leat_batch_builder_begin_row(builder, kind, error));
    leat_batch_builder_set_fixed(builder, 0, &id);
    if (name) GOOD(leat_batch_builder_set_bytes(builder, 1, name, strlen(name), error));
    __int128 amount = cents;
    leat_batch_builder_set_fixed(builder, 2, &amount);
    int64_t at_us = -1; /* the last microsecond of 1969 */
    leat_batch_builder_set_fixed(builder, 3, &at_us);
}

static void give(test_host *host, leat_batch_builder *builder)
{
    leat_batch *batch = NULL;
    GOOD(leat_batch_builder_finish(builder, &batch, error));
    leat_progress progress = LEAT_DONE;
    GOOD(host->op->vtable->process_batch(host->op, 0, &batch, &progress, error));
    leat_batch_free(batch);
}

static void rows_are_upserted_and_deleted_in_order(void **state)
{
    (void)state;
    sql("CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(10,2), at DATETIME(6))");
    test_host host;
    test_host_init(&host, env);
    leat_jdbc_config given = config();
    leat_bytes bytes = {0}, snapshot = {0};
    leat_jdbc_config_write(&given, &bytes);
    GOOD(test_host_open(&host, &leat_jdbc_sink_factory, &bytes, NULL, error));
    leat_batch_builder builder;
    GOOD(leat_batch_builder_init_schema(&builder, &given.schema, 100, error));
    add(&builder, LEAT_ROW_INSERT, 1, "O'Neil \\ \"x\"", -5);
    add(&builder, LEAT_ROW_INSERT, 2, NULL, 123456789);
    add(&builder, LEAT_ROW_UPDATE_BEFORE, 1, "O'Neil", 0);
    add(&builder, LEAT_ROW_UPDATE_AFTER, 1, "\xc3\xa9t\xc3\xa9 \xf0\x9f\x98\x80", 7);
    add(&builder, LEAT_ROW_INSERT, 3, "gone", 1);
    add(&builder, LEAT_ROW_DELETE, 3, "gone", 1);
    give(&host, &builder);
    GOOD(test_host_snapshot(&host, 1, &snapshot, error));
    assert_string_equal(ask("SELECT COUNT(*) FROM t"), "2");
    assert_string_equal(ask("SELECT CONCAT_WS('|', HEX(name), amount, at) FROM t WHERE id = 1"),
                        "C3A974C3A920F09F9880|0.07|1969-12-31 23:59:59.999999");
    assert_string_equal(ask("SELECT amount FROM t WHERE id = 2 AND name IS NULL"), "1234567.89");
    add(&builder, LEAT_ROW_INSERT, 1, "O'Neil \\ \"x\"", 8); /* fewer than flush_rows: the interval sends it */
    give(&host, &builder);
    while (host.op->vtable->is_waiting(host.op))
        GOOD(test_host_turn(&host, 20, error));
    assert_string_equal(ask("SELECT name FROM t WHERE id = 1"), "O'Neil \\ \"x\"");
    test_host_close(&host);
    leat_batch_builder_done(&builder);
    leat_bytes_done(&bytes);
    leat_bytes_done(&snapshot);
}

static void a_wrong_password_is_denied_and_not_told(void **state)
{
    (void)state;
    leat_mysql_address where = address();
    where.password = "hunter2";
    MYSQL *mysql = NULL;
    leat_error error = {0};
    assert_int_equal(leat_mysql_connect(&where, &mysql, &error), LEAT_DENIED);
    assert_null(strstr(error.text, "hunter2"));
    assert_non_null(strstr(error.hint, "password"));
    where = address();
    where.database = "nowhere";
    assert_int_equal(leat_mysql_connect(&where, &mysql, &error), LEAT_NOT_FOUND);
    where.port = 1;
    assert_int_equal(leat_mysql_connect(&where, &mysql, &error), LEAT_UNAVAILABLE);
}

static void count_rows(test_host *host, leat_batch *batch)
{
    int64_t *sum = host->owner;
    for (int32_t i = 0; i < batch->rows; i++) {
        sum[0]++;
        sum[1] += ((const int32_t *)batch->columns[0].values)[i];
        if (leat_column_is_null(&batch->columns[1], i)) sum[2]++;
        sum[3] += (int64_t)((const __int128 *)batch->columns[2].values)[i];
    }
}

static void a_scan_reads_every_row_and_goes_on_after_a_restart(void **state)
{
    (void)state;
    sql("CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, name VARCHAR(40), amount DECIMAL(10,2), at DATETIME(6)) "
        "AS SELECT seq AS id, IF(seq % 2, 'x', NULL) AS name, seq / 100 AS amount, NOW(6) AS at FROM seq_1_to_10000");
    leat_jdbc_config given = config();
    leat_bytes bytes = {0}, snapshot = {0};
    leat_jdbc_config_write(&given, &bytes);
    test_host host;
    int64_t sum[4] = {0};
    test_host_init(&host, env);
    host.on_batch = count_rows;
    host.owner = sum;
    GOOD(test_host_open(&host, &leat_jdbc_source_factory, &bytes, NULL, error));
    while (sum[0] == 0)
        GOOD(test_host_turn(&host, 20, error));
    GOOD(test_host_snapshot(&host, 1, &snapshot, error));
    test_host_close(&host);
    assert_true(sum[0] < 10000);
    GOOD(test_host_open(&host, &leat_jdbc_source_factory, &bytes, &snapshot, error));
    while (host.status != LEAT_SOURCE_END)
        GOOD(test_host_turn(&host, 20, error));
    test_host_close(&host);
    assert_int_equal(sum[0], 10000);
    assert_int_equal(sum[1], 50005000);
    assert_int_equal(sum[2], 5000);
    assert_int_equal(sum[3], 50005000);
    leat_bytes_done(&bytes);
    leat_bytes_done(&snapshot);
}

int main(void)
{
    const char *text = getenv("MYSQL_PORT");
    int64_t number = 0;
    if (!text || leat_parse_int(text, &number, NULL) != LEAT_OK) {
        fprintf(stderr, "MYSQL_PORT is not set: run tests/integration/with_mariadb %s\n", "test_jdbc");
        return 1;
    }
    port = (uint16_t)number;
    if (leat_env_system_new(4, 100, &env, NULL) != LEAT_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_upserted_and_deleted_in_order),
        cmocka_unit_test(a_wrong_password_is_denied_and_not_told),
        cmocka_unit_test(a_scan_reads_every_row_and_goes_on_after_a_restart),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    leat_env_system_free(env);
    return failed;
}
