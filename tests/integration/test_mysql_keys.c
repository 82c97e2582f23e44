/* The mysql-cdc source and primary keys of every kind, by random tables from a seed: writers insert, replace, move and
 * delete rows, in transactions over several tables, some of them rolled back; the log rotates, the server is killed,
 * the reader is restored from checkpoints at random moments. What it made must replay, change by change, into what the
 * tables hold at the end.
 *
 *   tests/integration/with_mariadb build/connectors/mysql/test_mysql_keys [FIRST-SEED [SEEDS]] */
// clang-format off
#include "tests/unit.h"
// clang-format on
#include <errmsg.h>
#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/cdc.h"
#include "tests/integration/cdc_readers.h"

enum { TABLES = 2, WRITERS = 3, KEYS_MAX = 3, FILL_STATEMENTS = 12, FILL_ROWS = 120, SETTLE_TURNS = 2000 };

static leat_env *env;
static uint16_t port;
static const char *service, *folder;
static unsigned first_seed, seeds_count; /* 0: the few below */

/* Those that found something once: order of TIME keys, ENUM and SET keys, charsets that iconv knows otherwise. */
static const unsigned usual_seeds[] = {6, 7, 9, 1002};

#define GOOD(call)                                                                                                     \
    do {                                                                                                               \
        leat_error error_ = {0};                                                                                       \
        leat_error *error = &error_;                                                                                   \
        if ((call) != LEAT_OK) fail_msg("%s (%s)", error_.text, error_.hint);                                          \
    } while (0)

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static MYSQL *connect_or_null(void)
{
    leat_mysql_address where = {.host = "127.0.0.1", .port = port, .user = "root", .password = "root"};
    MYSQL *mysql = NULL;
    if (leat_mysql_connect(&where, &mysql, NULL) != LEAT_OK) return NULL;
    if (leat_mysql_run(mysql, "CREATE DATABASE IF NOT EXISTS cdc_keys", "test", NULL) == LEAT_OK &&
        leat_mysql_run(mysql, "USE cdc_keys", "test", NULL) == LEAT_OK) {
        return mysql;
    }
    leat_mysql_close(mysql);
    return NULL;
}

static void sql(const char *text)
{
    MYSQL *mysql = connect_or_null();
    assert_non_null(mysql);
    GOOD(leat_mysql_run(mysql, text, "test", error));
    leat_mysql_close(mysql);
}

/* --- tables --- */

typedef enum domain { TEXT, BYTES, NUMBER, DECIMAL, DATE, DATETIME, TIME, YEAR, MEMBER, SET, UUID } domain;

static const struct {
    const char *type;
    domain domain;
} kinds[] = {
    {"VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", TEXT},
    {"VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", TEXT},
    {"VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", TEXT},
    {"VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", TEXT},
    {"VARCHAR(20) CHARACTER SET utf8mb4 COLLATE uca1400_swedish_as_cs", TEXT},
    {"VARCHAR(20) CHARACTER SET latin1", TEXT},
    {"VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci", TEXT},
    {"VARCHAR(20) CHARACTER SET utf16", TEXT},
    {"VARCHAR(20) CHARACTER SET sjis", TEXT},
    {"VARCHAR(20) CHARACTER SET gbk", TEXT},
    {"CHAR(12) CHARACTER SET utf8mb4", TEXT},
    {"CHAR(12) CHARACTER SET latin1 COLLATE latin1_bin", TEXT},
    {"VARBINARY(20)", BYTES},
    {"BINARY(6)", BYTES},
    {"BIGINT UNSIGNED", NUMBER},
    {"INT", NUMBER},
    {"TINYINT UNSIGNED", NUMBER},
    {"DECIMAL(20,5)", DECIMAL},
    {"DECIMAL(60,10)", DECIMAL},
    {"DATE", DATE},
    {"DATETIME(6)", DATETIME},
    {"DATETIME", DATETIME},
    {"TIMESTAMP(3) DEFAULT '2024-01-01'", DATETIME},
    {"TIME(3)", TIME},
    {"YEAR", YEAR},
    {"ENUM('zeta','alpha','Beta','\xc3\xa9','d''x','g,h')", MEMBER},
    {"SET('zeta','alpha','Beta','d')", SET},
    {"UUID", UUID},
};

typedef struct shape {
    int kinds[KEYS_MAX]; /* of columns a, b, c; -1: not there */
    bool is_key[KEYS_MAX];
} shape;

static void put_value(unsigned *seed, int kind, leat_bytes *out)
{
    static const char *const pieces[] = {"a",
                                         "A",
                                         "\xc3\xa4",
                                         "\xc3\x84",
                                         "b",
                                         "ss",
                                         "\xc3\x9f",
                                         "_",
                                         "-",
                                         "x y",
                                         "D''x",
                                         "ae",
                                         "\xc3\xa9",
                                         "z, z",
                                         "~",
                                         "O",
                                         "\xc3\xb8",
                                         "\xc3\xa5",
                                         "\xc3\x85",
                                         "'' , ''",
                                         "\xe2\x82\xac",
                                         "Zz",
                                         "",
                                         "\\\\",
                                         "\xc5\xa0",
                                         "\xf0\x9f\x98\x80"};
    unsigned n = draw(seed, 60);
    switch (kinds[kind].domain) {
    case TEXT:
        leat_bytes_format(out, "'%s", pieces[draw(seed, sizeof pieces / sizeof *pieces)]);
        leat_bytes_format(out, "%s%s'", draw(seed, 3) ? pieces[n % 9] : "", n % 7 == 0 ? " " : n % 5 == 0 ? "\t" : "");
        break;
    case BYTES: leat_bytes_format(out, "X'%02X%02X'", draw(seed, 16) * 16, n % 4 * 32); break;
    case NUMBER:
        leat_bytes_format(out, "%s%u", strstr(kinds[kind].type, "UNSIGNED") || n % 2 ? "" : "-", n);
        if (strstr(kinds[kind].type, "BIGINT") && n % 4) leat_bytes_format(out, "+184467440737095515%02u", n % 16);
        break;
    case DECIMAL: leat_bytes_format(out, "%s%u.%05u", n % 2 ? "" : "-", draw(seed, 9) * 1111111u, n % 4 * 50); break;
    case DATE: leat_bytes_format(out, "'%04u-%02u-%02u'", 999 + n * 37, n % 12 + 1, draw(seed, 28) + 1); break;
    case DATETIME:
        leat_bytes_format(out, "'%04u-%02u-01 %02u:00:%02u.%06u'", 1971 + n, n % 12 + 1, draw(seed, 24), n,
                          draw(seed, 9) * 123000);
        break;
    case TIME: leat_bytes_format(out, "'%s%u:%02u:07.%03u'", n % 3 ? "" : "-", n * 13, draw(seed, 60), n); break;
    case YEAR: leat_bytes_format(out, "%u", n ? 1901 + n * 4 : 0); break;
    case MEMBER: leat_bytes_format(out, "%u", draw(seed, 6) + 1); break;
    case SET: leat_bytes_format(out, "%u", draw(seed, 16)); break;
    case UUID:
        leat_bytes_format(out, "'%08x-00%02x-11ee-%04x-00000000%04x'", draw(seed, 4) << 24, n, 0x8000 + n % 3, n);
        break;
    }
}

static const char *name_of(int column)
{
    static const char *const names[KEYS_MAX] = {"a", "b", "c"};
    return names[column];
}

/* Columns a and c of any kind, b of bytes (the reader gives bytes no text); two or three of them are the key. */
static void make_table(unsigned *seed, int index, shape *out, leat_bytes *create)
{
    enum { KINDS = sizeof kinds / sizeof *kinds };
    for (int i = 0; i < KEYS_MAX; i++) {
        do
            out->kinds[i] = (int)draw(seed, KINDS);
        while ((kinds[out->kinds[i]].domain == BYTES) != (i == 1));
        out->is_key[i] = true;
    }
    int other = (int)draw(seed, 5);
    if (other < KEYS_MAX) out->is_key[other] = false;
    if (!out->is_key[1] && draw(seed, 2)) out->kinds[1] = -1;
    leat_bytes_format(create, "CREATE TABLE k%d (v INT", index);
    for (int i = 0; i < KEYS_MAX; i++)
        if (out->kinds[i] >= 0) leat_bytes_format(create, ", %s %s NOT NULL", name_of(i), kinds[out->kinds[i]].type);
    leat_bytes_format(create, ", t INT NOT NULL DEFAULT %d, name VARCHAR(40), PRIMARY KEY (", index);
    int from = (int)draw(seed, KEYS_MAX), used = 0;
    for (int i = 0; i < KEYS_MAX; i++) {
        int column = (from + i) % KEYS_MAX;
        if (out->is_key[column]) leat_bytes_format(create, used++ ? ", %s" : "%s", name_of(column));
    }
    leat_bytes_text(create, "))");
}

/* "INSERT … INTO k1 (a, c, v, name) VALUES (…), …" */
static void put_insert(unsigned *seed, const char *verb, int index, const shape *tables, unsigned rows, leat_bytes *out)
{
    const shape *table = &tables[index];
    leat_bytes_format(out, "%s INTO k%d (", verb, index);
    for (int i = 0; i < KEYS_MAX; i++)
        if (table->kinds[i] >= 0) leat_bytes_format(out, "%s, ", name_of(i));
    leat_bytes_text(out, "v, name) VALUES ");
    for (unsigned row = 0; row < rows; row++) {
        leat_bytes_text(out, row ? ", (" : "(");
        for (int i = 0; i < KEYS_MAX; i++) {
            if (table->kinds[i] < 0) continue;
            put_value(seed, table->kinds[i], out);
            leat_bytes_text(out, ", ");
        }
        leat_bytes_format(out, "%u, 'name %u')", draw(seed, 1000), draw(seed, 1000));
    }
}

/* --- writers --- */

typedef struct writer {
    pthread_t thread;
    unsigned seed;
    const shape *tables;
    atomic_bool *stops;
    atomic_llong statements;
} writer;

static int a_key(unsigned *seed, const shape *table)
{
    int column;
    do
        column = (int)draw(seed, KEYS_MAX);
    while (!table->is_key[column]);
    return column;
}

/* Errors are part of it: keys that are there, deadlocks, values that a charset can't say. */
static void put_statement(unsigned *seed, const shape *tables, leat_bytes *out)
{
    int index = (int)draw(seed, TABLES);
    const shape *table = &tables[index];
    int column = a_key(seed, table);
    const char *name = name_of(column), *order = draw(seed, 2) ? ">=" : "<=";
    unsigned limit = draw(seed, 12) + 1;
    switch (draw(seed, 9)) {
    case 0: put_insert(seed, "INSERT", index, tables, draw(seed, 3) + 1, out); break;
    case 1: put_insert(seed, "INSERT IGNORE", index, tables, limit, out); break;
    case 2: put_insert(seed, "REPLACE", index, tables, limit, out); break;
    case 3:
        put_insert(seed, "INSERT", index, tables, limit, out);
        leat_bytes_text(out, " ON DUPLICATE KEY UPDATE v = k");
        leat_bytes_format(out, "%d.v + 1", index);
        if (draw(seed, 2)) leat_bytes_format(out, ", %s = VALUES(%s)", name, name);
        break;
    case 4:
    case 5: /* the key moves */
        leat_bytes_format(out, "UPDATE IGNORE k%d SET %s = ", index, name);
        put_value(seed, table->kinds[column], out);
        leat_bytes_format(out, " WHERE v %s %u LIMIT %u", order, draw(seed, 1000), limit);
        break;
    case 6: /* or only looks different */
        if (kinds[table->kinds[column]].domain == TEXT)
            leat_bytes_format(out, "UPDATE IGNORE k%d SET %s = %s(%s) WHERE v %s %u LIMIT %u", index, name,
                              draw(seed, 2) ? "UPPER" : "LOWER", name, order, draw(seed, 1000), limit);
        else
            leat_bytes_format(out, "UPDATE k%d SET v = v + 1, name = NULL WHERE v > 500 LIMIT %u", index, limit);
        break;
    default:
        leat_bytes_format(out, draw(seed, 2) ? "DELETE FROM k%d" : "UPDATE k%d SET v = v * 7 %% 1000", index);
        leat_bytes_format(out, " WHERE %s %s ", name, order);
        put_value(seed, table->kinds[column], out);
        leat_bytes_format(out, " LIMIT %u", limit);
    }
}

static void write_transaction(writer *self, MYSQL *mysql, leat_bytes *text)
{
    (void)!leat_mysql_run(mysql, "START TRANSACTION", "test", NULL);
    for (unsigned n = draw(&self->seed, 5) + 1; n > 0; n--) {
        leat_bytes_reset(text);
        put_statement(&self->seed, self->tables, text);
        (void)!leat_mysql_run(mysql, (const char *)text->data, "test", NULL);
        if (draw(&self->seed, 9) == 0) (void)!leat_mysql_run(mysql, "SAVEPOINT s", "test", NULL);
        if (draw(&self->seed, 12) == 0) (void)!leat_mysql_run(mysql, "ROLLBACK TO SAVEPOINT s", "test", NULL);
        atomic_fetch_add(&self->statements, 1);
    }
    (void)!leat_mysql_run(mysql, draw(&self->seed, 8) ? "COMMIT" : "ROLLBACK", "test", NULL);
    if (draw(&self->seed, 60) == 0) (void)!leat_mysql_run(mysql, "FLUSH BINARY LOGS", "test", NULL);
}

static void *write_at_random(void *arg)
{
    writer *self = arg;
    MYSQL *mysql = NULL;
    leat_bytes text = {0};
    while (!atomic_load(self->stops)) {
        if (!mysql) mysql = connect_or_null();
        if (!mysql) {
            leat_env_sleep_ms(env, 20);
            continue;
        }
        write_transaction(self, mysql, &text);
        leat_env_sleep_ms(env, draw(&self->seed, 8));
        if (mysql_ping(mysql) == 0) continue;
        leat_mysql_close(mysql); /* the server was killed */
        mysql = NULL;
    }
    leat_mysql_close(mysql);
    leat_bytes_done(&text);
    return NULL;
}

/* --- what the tables hold --- */

static leat_field fields[] = {
    {"t", {.kind = LEAT_TYPE_INT}},
    {"a", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"b", {.kind = LEAT_TYPE_VARBINARY, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"c", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"v", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"name", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
};

static void read_tables(const shape *tables, changelog *out)
{
    MYSQL *mysql = connect_or_null();
    assert_non_null(mysql);
    for (int index = 0; index < TABLES; index++) {
        char text[128];
        MYSQL_RES *result = NULL;
        snprintf(text, sizeof text, "SELECT t, a, %s, c, v, name FROM k%d", tables[index].kinds[1] < 0 ? "NULL" : "b",
                 index);
        GOOD(leat_mysql_query(mysql, text, "test", &result, error));
        for (MYSQL_ROW row; (row = mysql_fetch_row(result));) {
            const unsigned long *lengths = mysql_fetch_lengths(result);
            for (int i = 0; i < 6; i++) {
                bool is_zero_year = row[i] && strcmp(row[i], "0000") == 0; /* as text, a YEAR is the number it is */
                changelog_put(out, row[i], is_zero_year ? 1 : lengths[i]);
            }
            changelog_end_row(out, 0, LEAT_ROW_INSERT);
        }
        mysql_free_result(result);
    }
    leat_mysql_close(mysql);
}

static void take_batch(changelog *self, int owner, const leat_batch *batch)
{
    for (int32_t i = 0; i < batch->rows; i++) {
        for (int32_t c = 0; c < batch->columns_count; c++) {
            const leat_column *column = &batch->columns[c];
            if (leat_column_is_null(column, i)) {
                changelog_put(self, NULL, 0);
            } else if (column->layout == LEAT_LAYOUT_VIEW) {
                const leat_view *view = (const leat_view *)column->values + i;
                changelog_put(self, leat_view_data(column, view), (size_t)view->length);
            } else {
                char text[16];
                snprintf(text, sizeof text, "%d", ((const int32_t *)column->values)[i]);
                changelog_put(self, text, strlen(text));
            }
        }
        changelog_end_row(self, owner, (leat_row_kind)leat_batch_kind(batch, i));
    }
}

/* --- the run --- */

static void restart_server(void)
{
    char text[512];
    snprintf(text, sizeof text,
             "'%s' crash '%s' >/dev/null 2>&1; '%s' start '%s' %u --innodb-flush-log-at-trx-commit=2 >/dev/null 2>&1",
             service, folder, service, folder, port);
    assert_int_equal(system(text), 0);
}

static void make_config(unsigned *seed, bool is_parallel, leat_bytes *out)
{
    leat_cdc_config config = {
        .address = {.host = "127.0.0.1", .port = port, .user = "root", .password = "root"},
        .database_pattern = "cdc_keys",
        .table_pattern = "k[0-9]",
        .schema = {6, fields},
        .chunk_rows = draw(seed, 90) + 3,
        .heartbeat_ms = 5000,
        .startup = LEAT_CDC_INITIAL,
        .allows_missing = true,
        .is_parallel = is_parallel,
    };
    leat_cdc_config_write(&config, out);
}

/* Turns with checkpoints now and then; readers cut them one after the other. */
static void turns(unsigned *seed, cdc_readers *readers, unsigned count, int64_t *checkpoint)
{
    for (; count > 0; count--) {
        GOOD(cdc_readers_turn(readers, 20, error));
        leat_env_sleep_ms(env, draw(seed, 9)); /* so that writers come between the chunks */
        if (!readers->checkpoint && draw(seed, 6) == 0)
            GOOD(cdc_readers_begin_checkpoint(readers, ++*checkpoint, error));
        int reader = (int)draw(seed, (unsigned)readers->count);
        if (draw(seed, 2)) GOOD(cdc_readers_cut(readers, reader, error));
    }
}

/* Reads under load, restored every now and then. */
static void read_under_load(unsigned *seed, cdc_readers *readers, const leat_bytes *config, int64_t *checkpoint)
{
    unsigned restores = draw(seed, 14), crash_at = service && draw(seed, 3) == 0 ? draw(seed, restores + 1) : ~0u;
    GOOD(cdc_readers_open(readers, config, error));
    for (unsigned i = 0; i <= restores; i++) {
        turns(seed, readers, draw(seed, 35) + 1, checkpoint);
        if (i == crash_at) restart_server();
        if (i == restores) break;
        cdc_readers_close(readers);
        GOOD(cdc_readers_open(readers, config, error));
    }
}

/* At the end it must hold what the tables hold. */
static void settle(unsigned *seed, cdc_readers *readers, changelog *wanted, int64_t *checkpoint)
{
    for (int i = 0; i < SETTLE_TURNS; i++) {
        turns(seed, readers, 1, checkpoint);
        if (changelog_equal(readers->made, wanted) || readers->made->wrong) return;
    }
    changelog_print_difference(readers->made, wanted);
    fail_msg("%zu rows, of %zu wanted", readers->made->rows_count, wanted->rows_count);
}

static void prepare(unsigned *seed, shape *tables)
{
    sql("CREATE OR REPLACE DATABASE cdc_keys");
    sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2"); /* what is in the log survives a kill: it must in tables too
                                                           */
    leat_bytes text = {0};
    for (int i = 0; i < TABLES; i++) {
        leat_bytes_reset(&text);
        make_table(seed, i, &tables[i], &text);
        print_message("  %s\n", (const char *)text.data);
        sql((const char *)text.data);
        for (int n = 0; n < FILL_STATEMENTS; n++) {
            leat_bytes_reset(&text);
            put_insert(seed, "INSERT IGNORE", i, tables, FILL_ROWS, &text);
            sql((const char *)text.data);
        }
    }
    leat_bytes_done(&text);
}

static void run_seed(unsigned number)
{
    unsigned seed = number * 2654435761u;
    shape tables[TABLES];
    print_message("seed %u\n", number);
    prepare(&seed, tables);
    atomic_bool stops = false;
    writer writers[WRITERS] = {0};
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.seed = seed + 77u * (unsigned)i, .tables = tables, .stops = &stops};
        pthread_create(&writers[i].thread, NULL, write_at_random, &writers[i]);
    }
    changelog made, wanted;
    changelog_init(&made, 6);
    changelog_init(&wanted, 6);
    for (int t = 0; t < TABLES; t++)
        for (int i = 0; i < KEYS_MAX; i++) {
            changelog_set_key(&made, t, i + 1, tables[t].is_key[i]);
            changelog_set_key(&wanted, t, i + 1, tables[t].is_key[i]);
        }
    int count = (int)draw(&seed, 3) + 1;
    int64_t checkpoint = 0;
    leat_bytes config = {0};
    make_config(&seed, count > 1, &config);
    static cdc_readers readers;
    cdc_readers_init(&readers, env, count, &made);
    readers.take_batch = take_batch;
    read_under_load(&seed, &readers, &config, &checkpoint);
    atomic_store(&stops, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    read_tables(tables, &wanted);
    settle(&seed, &readers, &wanted, &checkpoint);
    cdc_readers_close(&readers);
    cdc_readers_done(&readers);
    print_message("  %d readers, %lld checkpoints, %zu changes, %zu rows\n", count, (long long)checkpoint,
                  made.changes_count, made.rows_count);
    if (made.wrong) fail_msg("%zu changes don't follow from those before; the first: %s", made.wrong, made.why);
    changelog_done(&made);
    changelog_done(&wanted);
    leat_bytes_done(&config);
}

static void changes_of_any_key_replay_into_the_tables(void **state)
{
    (void)state;
    for (unsigned i = 0; i < seeds_count; i++)
        run_seed(first_seed + i);
    for (size_t i = 0; seeds_count == 0 && i < sizeof usual_seeds / sizeof *usual_seeds; i++)
        run_seed(usual_seeds[i]);
}

int main(int argc, char **argv)
{
    const char *text = getenv("MYSQL_PORT");
    if (!text) {
        fprintf(stderr, "MYSQL_PORT is not set: run tests/integration/with_mariadb %s\n", argv[0]);
        return 1;
    }
    port = (uint16_t)strtoul(text, NULL, 10);
    service = getenv("MARIADB_SERVICE");
    folder = getenv("MARIADB_DIR");
    if (argc > 1) first_seed = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 1) seeds_count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    if (leat_env_system_new(4, 100, &env, NULL) != LEAT_OK) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(changes_of_any_key_replay_into_the_tables)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    leat_env_system_free(env);
    return failed;
}
