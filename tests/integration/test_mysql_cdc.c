/* The mysql-cdc source against a real MariaDB (tests/integration/with_mariadb build/connectors/mysql/test_mysql_cdc):
 * tables are read while others write, the reader is killed and restored at random, and what it made must replay, change
 * by change, into what the server has. */
// clang-format off
#include "tests/unit.h"
// clang-format on
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/mysql/cdc.h"
#include "tests/integration/host.h"

static leat_env *env;
static uint16_t port;

#define GOOD(call)                                                                                                     \
    do {                                                                                                               \
        leat_error error_ = {0};                                                                                       \
        leat_error *error = &error_;                                                                                   \
        if ((call) != LEAT_OK) fail_msg("%s (%s)", error_.text, error_.hint);                                          \
    } while (0)

static leat_mysql_address address(void)
{
    return (leat_mysql_address){.host = "127.0.0.1", .port = port, .user = "root", .password = "root"};
}

static MYSQL *connect_to_test(void)
{
    leat_mysql_address where = address();
    MYSQL *mysql = NULL;
    GOOD(leat_mysql_connect(&where, &mysql, error));
    GOOD(leat_mysql_run(mysql, "CREATE DATABASE IF NOT EXISTS cdc_test", "test", error));
    GOOD(leat_mysql_run(mysql, "USE cdc_test", "test", error));
    return mysql;
}

static void sql(const char *text)
{
    MYSQL *mysql = connect_to_test();
    GOOD(leat_mysql_run(mysql, text, "test", error));
    leat_mysql_close(mysql);
}

static uint64_t ask_number(const char *text)
{
    char answer[64] = "";
    MYSQL *mysql = connect_to_test();
    GOOD(leat_mysql_query_text(mysql, text, "test", answer, sizeof answer, error));
    leat_mysql_close(mysql);
    return strtoull(answer, NULL, 10);
}

/* --- the table as the changelog makes it: rows by id --- */

enum { IDS = 40000, NAME_BYTES = 48 };

typedef struct row {
    bool is_there;
    int32_t v;
    char name[NAME_BYTES];
} row;

typedef struct replica {
    row *rows;
    int64_t changes, wrong;
    char why[256];
} replica;

static void apply(test_host *host, leat_batch *batch)
{
    replica *self = host->owner;
    for (int32_t i = 0; i < batch->rows; i++) {
        int32_t id = ((const int32_t *)batch->columns[0].values)[i];
        row given = {.is_there = true, .v = ((const int32_t *)batch->columns[1].values)[i]};
        const leat_view *view = (const leat_view *)batch->columns[2].values + i;
        if (leat_column_is_null(&batch->columns[2], i))
            snprintf(given.name, sizeof given.name, "(null)");
        else
            snprintf(given.name, sizeof given.name, "%.*s", view->length, leat_view_data(&batch->columns[2], view));
        int8_t kind = leat_batch_kind(batch, i);
        bool is_known = id >= 0 && id < IDS;
        row *known = is_known ? &self->rows[id] : NULL;
        bool is_add = leat_row_kind_is_add(kind);
        bool is_wrong = !known || (is_add && known->is_there) ||
                        (!is_add && (!known->is_there || known->v != given.v || strcmp(known->name, given.name) != 0));
        if (is_wrong && self->wrong++ == 0) {
            snprintf(self->why, sizeof self->why, "%s id %d v %d name %s, there is: %d v %d name %s",
                     leat_row_kind_text((leat_row_kind)kind), id, given.v, given.name, known ? known->is_there : -1,
                     known ? known->v : 0, known ? known->name : "");
        }
        if (known) *known = is_add ? given : (row){0};
        self->changes++;
    }
}

static uint64_t count_rows(const replica *self, int64_t *sum)
{
    uint64_t count = 0;
    *sum = 0;
    for (int i = 0; i < IDS; i++) {
        if (!self->rows[i].is_there) continue;
        count++;
        *sum += (int64_t)self->rows[i].v * (i + 1) + (int64_t)strlen(self->rows[i].name);
    }
    return count;
}

/* --- writers --- */

typedef struct writer {
    pthread_t thread;
    unsigned seed;
    atomic_bool stops;
    atomic_llong transactions;
} writer;

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void *write_at_random(void *arg)
{
    writer *self = arg;
    leat_mysql_address where = address();
    MYSQL *mysql = NULL;
    if (leat_mysql_connect(&where, &mysql, NULL) != LEAT_OK) return NULL;
    (void)!leat_mysql_run(mysql, "USE cdc_test", "test", NULL);
    while (!atomic_load(&self->stops)) {
        char text[256];
        unsigned id = draw(&self->seed) % IDS, other = draw(&self->seed) % IDS, value = draw(&self->seed) % 1000;
        (void)!leat_mysql_run(mysql, "START TRANSACTION", "test", NULL);
        for (unsigned n = draw(&self->seed) % 4 + 1; n > 0; n--) {
            switch (draw(&self->seed) % 6) {
            case 0: snprintf(text, sizeof text, "DELETE FROM t WHERE id = %u", id); break;
            case 1: snprintf(text, sizeof text, "UPDATE IGNORE t SET id = %u WHERE id = %u", other, id); break;
            case 2:
                snprintf(text, sizeof text, "UPDATE t SET v = v + 1 WHERE id BETWEEN %u AND %u", id, id + 50);
                break;
            case 3: snprintf(text, sizeof text, "UPDATE t SET name = NULL WHERE id = %u", id); break;
            default:
                snprintf(text, sizeof text, "REPLACE INTO t (id, v, name) VALUES (%u, %u, 'a longer name %u')", id,
                         value, other);
            }
            (void)!leat_mysql_run(mysql, text, "test", NULL);
            id = other;
        }
        (void)!leat_mysql_run(mysql, draw(&self->seed) % 8 ? "COMMIT" : "ROLLBACK", "test", NULL);
        if (draw(&self->seed) % 50 == 0) (void)!leat_mysql_run(mysql, "FLUSH BINARY LOGS", "test", NULL);
        atomic_fetch_add(&self->transactions, 1);
    }
    leat_mysql_close(mysql);
    return NULL;
}

static leat_field fields[] = {
    {"id", {.kind = LEAT_TYPE_INT}},
    {"v", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"name", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
};

static void make_config(const char *table, leat_cdc_startup startup, leat_bytes *out)
{
    leat_cdc_config config = {.address = address(),
                              .database_pattern = "cdc_test",
                              .table_pattern = table,
                              .schema = {3, fields},
                              .chunk_rows = 97,
                              .heartbeat_ms = 5000,
                              .startup = startup};
    leat_cdc_config_write(&config, out);
}

static void turns_until_quiet(test_host *host, replica *made, uint64_t wanted_count, int64_t wanted_sum)
{
    for (int i = 0; i < 6000; i++) {
        GOOD(test_host_turn(host, 20, error));
        int64_t sum;
        if (i % 20 == 0 && count_rows(made, &sum) == wanted_count && sum == wanted_sum) return;
    }
    int64_t sum;
    uint64_t count = count_rows(made, &sum);
    fail_msg("rows %llu of %llu, sum %lld of %lld", (unsigned long long)count, (unsigned long long)wanted_count,
             (long long)sum, (long long)wanted_sum);
}

static void copy_rows(row *to, const row *from)
{
    memcpy(to, from, IDS * sizeof *to);
}

/* Reads while two writers change everything; `kills` times the reader is closed at a random moment and restored. */
static void run_under_load(const char *create, unsigned seed, int kills)
{
    sql("DROP TABLE IF EXISTS t");
    sql(create);
    if (strstr(create, "PRIMARY KEY (k, id)")) {
        sql("CREATE TRIGGER make_key BEFORE INSERT ON t FOR EACH ROW SET NEW.k = CONCAT(ELT(NEW.id % 5 + 1, 'a', 'B', "
            "'c', 'D''x', '\xc3\xa9'), NEW.id % 7)");
    }
    sql("INSERT INTO t (id, v, name) SELECT seq, seq % 1000, CONCAT('name ', seq) FROM seq_1_to_39999 WHERE seq % 3");
    replica made = {.rows = leat_calloc(IDS, sizeof(row))};
    row *kept = leat_calloc(IDS, sizeof(row));
    writer writers[2] = {{.seed = seed}, {.seed = seed + 77}};
    for (int i = 0; i < 2; i++)
        pthread_create(&writers[i].thread, NULL, write_at_random, &writers[i]);
    while (atomic_load(&writers[0].transactions) + atomic_load(&writers[1].transactions) < 20)
        leat_env_sleep_ms(env, 1);
    leat_bytes config = {0}, state = {0};
    make_config("t", LEAT_CDC_INITIAL, &config);
    test_host host;
    test_host_init(&host, env);
    host.on_batch = apply;
    host.owner = &made;
    GOOD(test_host_open(&host, &leat_mysql_cdc_factory, &config, NULL, error));
    for (int kill = 0; kill < kills; kill++) {
        unsigned before = draw(&seed) % 25 + 1, after = draw(&seed) % 12;
        for (unsigned i = 0; i < before; i++)
            GOOD(test_host_turn(&host, 20, error));
        GOOD(test_host_snapshot(&host, kill + 1, &state, error));
        copy_rows(kept, made.rows);
        for (unsigned i = 0; i < after; i++)
            GOOD(test_host_turn(&host, 20, error));
        test_host_close(&host);
        copy_rows(made.rows, kept);
        GOOD(test_host_open(&host, &leat_mysql_cdc_factory, &config, state.size ? &state : NULL, error));
        if (!state.size) memset(made.rows, 0, IDS * sizeof(row));
    }
    for (int i = 0; i < 2; i++)
        atomic_store(&writers[i].stops, true);
    for (int i = 0; i < 2; i++)
        pthread_join(writers[i].thread, NULL);
    uint64_t count = ask_number("SELECT COUNT(*) FROM t");
    int64_t sum = (int64_t)ask_number("SELECT SUM(v * (id + 1) + LENGTH(IFNULL(name, '(null)'))) FROM t");
    turns_until_quiet(&host, &made, count, sum);
    test_host_close(&host);
    print_message("%lld changes, %lld transactions, %d kills\n", (long long)made.changes,
                  (long long)(atomic_load(&writers[0].transactions) + atomic_load(&writers[1].transactions)), kills);
    if (made.wrong)
        fail_msg("%lld changes don't follow from those before; the first: %s", (long long)made.wrong, made.why);
    leat_free(made.rows);
    leat_free(kept);
    leat_bytes_done(&config);
    leat_bytes_done(&state);
}

static void a_snapshot_under_load_is_exact(void **state)
{
    (void)state;
    run_under_load("CREATE TABLE t (id INT PRIMARY KEY, v INT, name VARCHAR(40))", 1, 0);
}

static void killed_readers_go_on_exactly(void **state)
{
    (void)state;
    run_under_load("CREATE TABLE t (name VARCHAR(40), id INT PRIMARY KEY, v INT)", 2, 60);
}

/* Text keys, in another charset than ours, with a collation that ignores case; the key's order is not that of bytes. */
static void composite_keys_with_text_are_compared_as_the_server_does(void **state)
{
    (void)state;
    run_under_load(
        "CREATE TABLE t (id INT NOT NULL, v INT, name VARCHAR(40), k VARCHAR(20) CHARACTER SET latin1 NOT NULL "
        "DEFAULT '', PRIMARY KEY (k, id), UNIQUE (id))",
        3, 12);
}

/* --- other tables --- */

typedef struct printed {
    leat_bytes text;
} printed;

static void print_rows(test_host *host, leat_batch *batch)
{
    printed *self = host->owner;
    for (int32_t i = 0; i < batch->rows; i++) {
        leat_bytes_format(&self->text, "%s", leat_row_kind_text((leat_row_kind)leat_batch_kind(batch, i)));
        for (int32_t c = 0; c < batch->columns_count; c++) {
            leat_bytes_text(&self->text, c ? "," : "[");
            const leat_column *column = &batch->columns[c];
            if (leat_column_is_null(column, i)) {
                leat_bytes_text(&self->text, "null");
            } else if (column->layout == LEAT_LAYOUT_VIEW) {
                const leat_view *view = (const leat_view *)column->values + i;
                leat_bytes_put(&self->text, leat_view_data(column, view), (size_t)view->length);
            } else {
                leat_bytes_format(&self->text, "%d", ((const int32_t *)column->values)[i]);
            }
        }
        leat_bytes_text(&self->text, "]");
    }
}

static leat_code turns_until(test_host *host, const char *wanted, leat_error *error)
{
    printed *self = host->owner;
    for (int i = 0; i < 400; i++) {
        LEAT_TRY(test_host_turn(host, 20, error));
        if (wanted && self->text.data && strstr((const char *)self->text.data, wanted)) return LEAT_OK;
    }
    return wanted ? leat_fail(error, LEAT_TIMEOUT, "no '%s' in '%s'", wanted, (const char *)self->text.data) : LEAT_OK;
}

static const char *const types[][2] = {
    {"TINYINT", "-128"},
    {"TINYINT UNSIGNED", "255"},
    {"SMALLINT UNSIGNED", "65535"},
    {"MEDIUMINT", "-8388608"},
    {"MEDIUMINT UNSIGNED", "16777215"},
    {"INT UNSIGNED", "4294967295"},
    {"BIGINT", "-9223372036854775808"},
    {"BIGINT UNSIGNED", "18446744073709551615"},
    {"DECIMAL(20,5)", "-12345.67891"},
    {"DECIMAL(38,30)", "-99999999.000000000000000000000000000001"},
    {"DECIMAL(65,30)", "123456789012345678901234567890.5"},
    {"DECIMAL(5,5)", "0.00001"},
    {"DECIMAL(10,0)", "0"},
    {"FLOAT", "0.1"},
    {"FLOAT", "16777217"},
    {"DOUBLE", "0.1"},
    {"DOUBLE", "-1.7976931348623157e308"},
    {"DATE", "'1000-01-01'"},
    {"DATE", "'9999-12-31'"},
    {"DATETIME", "'2024-02-29 23:59:59'"},
    {"DATETIME(6)", "'1000-01-01 00:00:00.000001'"},
    {"DATETIME(3)", "'9999-12-31 23:59:59.999'"},
    {"TIMESTAMP(6)", "'2038-01-19 03:14:07.999999'"},
    {"TIMESTAMP", "'1970-01-01 00:00:01'"},
    {"TIME", "'-838:59:59'"},
    {"TIME(6)", "'-00:00:00.000001'"},
    {"TIME(2)", "'12:34:56.78'"},
    {"YEAR", "2155"},
    {"YEAR", "0"},
    {"CHAR(10)", "'abc  '"},
    {"CHAR(255) CHARACTER SET utf8mb4", "REPEAT('\xf0\x9f\x98\x80', 255)"},
    {"VARCHAR(300)", "REPEAT('x', 300)"},
    {"VARCHAR(10) CHARACTER SET latin1", "'\xc3\xa9\xe2\x82\xac'"},
    {"VARCHAR(10) CHARACTER SET utf16", "'\xc3\xa9\xe2\x82\xac'"},
    {"VARCHAR(10) CHARACTER SET sjis", "'\\\\x'"},
    {"VARCHAR(10) CHARACTER SET latin1", "X'8190'"},
    {"TEXT CHARACTER SET gbk", "'\xe4\xb8\xad\xe6\x96\x87'"},
    {"VARCHAR(10) COMPRESSED", "'zzzzz'"},
    {"LONGTEXT", "REPEAT('y', 70000)"},
    {"JSON", "'{\"b\": 1, \"a\": [true]}'"},
    {"ENUM('a','b''c','d,e')", "'b''c'"},
    {"SET('x','y','z')", "'x,z'"},
    {"SET('x','y')", "''"},
    {"UUID", "'123e4567-e89b-12d3-a456-426655440000'"},
    {"BIT(1)", "b'1'"},
    {"BIT(10)", "b'1010101010'"},
};

/* Every type as text, in the snapshot and from the log: both must be equal. */
static void snapshot_and_stream_give_equal_values(void **state)
{
    (void)state;
    enum { TYPES = sizeof types / sizeof *types };
    leat_bytes create = {0}, insert = {0}, again = {0};
    leat_field *columns = leat_calloc(TYPES + 1, sizeof *columns);
    leat_bytes_text(&create, "CREATE OR REPLACE TABLE types (id INT PRIMARY KEY");
    leat_bytes_text(&insert, "INSERT INTO types VALUES (1");
    leat_bytes_text(&again, "INSERT INTO types SELECT 2");
    columns[0] = fields[0];
    for (int i = 0; i < TYPES; i++) {
        leat_bytes_format(&create, ", c%d %s", i, types[i][0]);
        leat_bytes_format(&insert, ", %s", types[i][1]);
        leat_bytes_format(&again, ", c%d", i);
        columns[i + 1] = (leat_field){leat_format("c%d", i), leat_type_string(true)};
    }
    leat_bytes_text(&create, ")");
    leat_bytes_text(&insert, ")");
    leat_bytes_text(&again, " FROM types WHERE id = 1");
    sql((const char *)create.data);
    sql((const char *)insert.data);
    leat_cdc_config given = {.address = address(),
                             .database_pattern = "cdc_test",
                             .table_pattern = "types",
                             .schema = {TYPES + 1, columns},
                             .chunk_rows = 10,
                             .heartbeat_ms = 5000};
    leat_bytes config = {0};
    leat_cdc_config_write(&given, &config);
    printed made = {0};
    test_host host;
    test_host_init(&host, env);
    host.on_batch = print_rows;
    host.owner = &made;
    GOOD(test_host_open(&host, &leat_mysql_cdc_factory, &config, NULL, error));
    GOOD(turns_until(&host, "]", error));
    char *first = leat_strdup((const char *)made.text.data);
    leat_bytes_reset(&made.text);
    sql((const char *)again.data);
    GOOD(turns_until(&host, "]", error));
    assert_memory_equal(made.text.data, "+I[2,", 5);
    made.text.data[3] = '1';
    assert_string_equal(first, (const char *)made.text.data);
    leat_bytes_reset(&made.text);
    sql("UPDATE types SET c1 = NULL WHERE id = 2");
    GOOD(turns_until(&host, "+U[2,-128,null,65535", error));
    leat_bytes_reset(&made.text);
    sql("DELETE FROM types WHERE id = 1");
    GOOD(turns_until(&host, "-D[1,", error));
    test_host_close(&host);
    leat_free(first);
    for (int i = 0; i < TYPES; i++)
        leat_free((void *)(uintptr_t)columns[i + 1].name);
    leat_free(columns);
    leat_bytes_done(&create);
    leat_bytes_done(&insert);
    leat_bytes_done(&again);
    leat_bytes_done(&config);
    leat_bytes_done(&made.text);
}

static void ddl_is_survived_or_refused_with_a_reason(void **state)
{
    (void)state;
    sql("CREATE OR REPLACE TABLE d (id INT PRIMARY KEY, v INT, name VARCHAR(40))");
    sql("INSERT INTO d VALUES (1, 10, 'x')");
    leat_bytes config = {0};
    make_config("d", LEAT_CDC_INITIAL, &config);
    printed made = {0};
    test_host host;
    test_host_init(&host, env);
    host.on_batch = print_rows;
    host.owner = &made;
    GOOD(test_host_open(&host, &leat_mysql_cdc_factory, &config, NULL, error));
    GOOD(turns_until(&host, "+I[1,10,x]", error));
    sql("ALTER TABLE d ADD COLUMN extra INT");
    sql("INSERT INTO d VALUES (2, 20, 'y', 5)");
    GOOD(turns_until(&host, "+I[2,20,y]", error));
    sql("ALTER TABLE d ADD COLUMN front DATETIME(3) FIRST");
    sql("INSERT INTO d (id, v, name) VALUES (3, 30, 'z')");
    GOOD(turns_until(&host, "+I[3,30,z]", error));
    sql("CREATE INDEX i ON d (v)");
    sql("TRUNCATE TABLE d");
    sql("INSERT INTO d (id, v, name) VALUES (4, 40, 'w')");
    GOOD(turns_until(&host, "+I[4,40,w]", error));
    sql("ALTER TABLE d DROP COLUMN v");
    leat_error error = {0};
    assert_int_not_equal(turns_until(&host, NULL, &error), LEAT_OK);
    assert_non_null(strstr(error.text, "'v'"));
    test_host_close(&host);
    leat_bytes_done(&config);
    leat_bytes_done(&made.text);
}

static void startup_modes_begin_where_they_say(void **state)
{
    (void)state;
    sql("CREATE OR REPLACE TABLE m (id INT PRIMARY KEY, v INT, name VARCHAR(40))");
    sql("INSERT INTO m VALUES (1, 10, 'x')");
    static const leat_cdc_startup modes[] = {LEAT_CDC_LATEST, LEAT_CDC_EARLIEST, LEAT_CDC_SNAPSHOT};
    for (int i = 0; i < 3; i++) {
        leat_bytes config = {0};
        make_config("m", modes[i], &config);
        printed made = {0};
        test_host host;
        test_host_init(&host, env);
        host.on_batch = print_rows;
        host.owner = &made;
        GOOD(test_host_open(&host, &leat_mysql_cdc_factory, &config, NULL, error));
        for (int turn = 0; turn < 10; turn++)
            GOOD(test_host_turn(&host, 20, error));
        if (modes[i] == LEAT_CDC_SNAPSHOT) {
            while (host.status != LEAT_SOURCE_END)
                GOOD(test_host_turn(&host, 20, error));
        } else {
            sql("UPDATE m SET v = v + 1 WHERE id = 1");
            GOOD(turns_until(&host,
                             modes[i] == LEAT_CDC_LATEST ? "-U[1,10,x]+U[1,11,x]"
                                                         : "+I[1,10,x]-U[1,10,x]+U[1,11,x]-U[1,11,x]+U[1,12,x]",
                             error));
        }
        const char *text = (const char *)made.text.data;
        if (modes[i] == LEAT_CDC_LATEST) assert_string_equal(text, "-U[1,10,x]+U[1,11,x]");
        if (modes[i] == LEAT_CDC_SNAPSHOT) assert_string_equal(text, "+I[1,12,x]");
        test_host_close(&host);
        leat_bytes_done(&config);
        leat_bytes_done(&made.text);
    }
}

static void a_purged_binlog_is_told_clearly(void **state)
{
    (void)state;
    leat_cdc_config given = {.address = address(),
                             .database_pattern = "cdc_test",
                             .table_pattern = "m",
                             .schema = {3, fields},
                             .chunk_rows = 10,
                             .heartbeat_ms = 5000,
                             .startup = LEAT_CDC_SPECIFIC,
                             .startup_position = {"binlog.999999", 4}};
    leat_bytes config = {0};
    leat_cdc_config_write(&given, &config);
    test_host host;
    test_host_init(&host, env);
    GOOD(test_host_open(&host, &leat_mysql_cdc_factory, &config, NULL, error));
    leat_error error = {0};
    leat_code code = LEAT_OK;
    for (int i = 0; i < 200 && code == LEAT_OK; i++)
        code = test_host_turn(&host, 20, &error);
    assert_int_equal(code, LEAT_NOT_FOUND);
    assert_non_null(strstr(error.hint, "SHOW BINARY LOGS"));
    test_host_close(&host);
    leat_bytes_done(&config);
}

/* A clean shutdown ends the stream with an EOF packet, a crash breaks the connection, and may leave half an event in
 * the log; all are repaired, the reader goes on. */
static void a_restarted_server_is_found_again(void **state)
{
    (void)state;
    /* The header of a QUERY event of 1000 bytes, and a few of them, as printf takes them. */
    static const char half_an_event[] = "\\0\\0\\0\\145\\2\\1\\0\\0\\0\\350\\3\\0\\0\\0\\0\\0\\0\\0\\0abcdefgh";
    const char *service = getenv("MARIADB_SERVICE"), *folder = getenv("MARIADB_DIR");
    if (!service || !folder) {
        print_message("MARIADB_DIR is not set: this server is not restarted\n");
        return;
    }
    sql("CREATE OR REPLACE TABLE r (id INT PRIMARY KEY, v INT, name VARCHAR(40))");
    sql("INSERT INTO r VALUES (0, 0, 'x')");
    leat_bytes config = {0};
    make_config("r", LEAT_CDC_INITIAL, &config);
    printed made = {0};
    test_host host;
    test_host_init(&host, env);
    host.on_batch = print_rows;
    host.owner = &made;
    GOOD(test_host_open(&host, &leat_mysql_cdc_factory, &config, NULL, error));
    GOOD(turns_until(&host, "+I[0,0,x]", error));
    for (int i = 1; i <= 3; i++) {
        char text[768], wanted[64];
        snprintf(text, sizeof text,
                 "'%s' %s '%s' >/dev/null 2>&1 && log=$(ls '%s'/data/binlog.0* | tail -1) && printf '%s' >>\"$log\" && "
                 "'%s' start '%s' >/dev/null 2>&1",
                 service, i == 1 ? "stop" : "crash", folder, folder, i == 3 ? half_an_event : "", service, folder);
        leat_env_sleep_ms(env, 1500); /* the test's server writes its log to disk once a second */
        assert_int_equal(system(text), 0);
        snprintf(text, sizeof text, "INSERT INTO r VALUES (%d, %d, 'y')", i, i);
        sql(text);
        snprintf(wanted, sizeof wanted, "+I[%d,%d,y]", i, i);
        GOOD(turns_until(&host, wanted, error));
    }
    assert_string_equal((const char *)made.text.data, "+I[0,0,x]+I[1,1,y]+I[2,2,y]+I[3,3,y]");
    test_host_close(&host);
    leat_bytes_done(&config);
    leat_bytes_done(&made.text);
}

int main(void)
{
    const char *text = getenv("MYSQL_PORT");
    int64_t number = 0;
    if (!text || leat_parse_int(text, &number, NULL) != LEAT_OK) {
        fprintf(stderr, "MYSQL_PORT is not set: run tests/integration/with_mariadb %s\n", "test_mysql_cdc");
        return 1;
    }
    port = (uint16_t)number;
    if (leat_env_system_new(4, 100, &env, NULL) != LEAT_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_under_load_is_exact),
        cmocka_unit_test(killed_readers_go_on_exactly),
        cmocka_unit_test(composite_keys_with_text_are_compared_as_the_server_does),
        cmocka_unit_test(snapshot_and_stream_give_equal_values),
        cmocka_unit_test(ddl_is_survived_or_refused_with_a_reason),
        cmocka_unit_test(startup_modes_begin_where_they_say),
        cmocka_unit_test(a_purged_binlog_is_told_clearly),
        cmocka_unit_test(a_restarted_server_is_found_again),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    leat_env_system_free(env);
    return failed;
}
