#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "sql/session.h"
#include "storage/storage.h"

typedef struct world {
    leat_storage *storage;
    leat_env *env;
    leat_config config;
    leat_catalog_store *catalogs;
    leat_session *session;
} world;

static void begin_session(world *self)
{
    leat_session_options options = {.env = self->env, .config = &self->config, .catalogs = self->catalogs};
    assert_int_equal(leat_session_new(&options, &self->session, NULL), LEAT_OK);
}

static int begin(void **state)
{
    world *self = leat_calloc(1, sizeof *self);
    assert_non_null(self);
    assert_int_equal(leat_storage_memory_new(&self->storage, NULL), LEAT_OK);
    assert_int_equal(leat_env_system_new(1, 16, &self->env, NULL), LEAT_OK);
    self->env->storage = self->storage;
    assert_int_equal(leat_catalog_store_new(self->env, &self->catalogs, NULL), LEAT_OK);
    begin_session(self);
    *state = self;
    return 0;
}

static int end(void **state)
{
    world *self = *state;
    leat_session_free(self->session);
    leat_catalog_store_free(self->catalogs);
    leat_env_system_free(self->env);
    leat_storage_free(self->storage);
    leat_config_done(&self->config);
    leat_free(self);
    return 0;
}

/* Runs a script; what its last statement made is in *last (the caller ends it). */
static leat_code run(world *self, const char *sql, leat_session_result *last, leat_error *error)
{
    bool has_result;
    leat_session_result result;
    *last = (leat_session_result){0};
    LEAT_TRY(leat_session_begin(self->session, "test.sql", sql, strlen(sql), NULL, 0, error));
    for (;;) {
        LEAT_TRY(leat_session_next(self->session, &result, &has_result, error));
        if (!has_result) return LEAT_OK;
        leat_session_result_done(last);
        *last = result;
    }
}

static void must(world *self, const char *sql)
{
    leat_session_result last;
    leat_error error = {0};
    if (run(self, sql, &last, &error) != LEAT_OK) fail_msg("%s: %s", sql, error.text);
    leat_session_result_done(&last);
}

/* Name of each vertex and parallelism, then the edges. */
static void graph_is(world *self, const char *sql, const char *expected)
{
    leat_session_result last;
    leat_error error = {0};
    if (run(self, sql, &last, &error) != LEAT_OK) fail_msg("%s: %s", sql, error.text);
    assert_true(last.graph.size > 0);
    Leat__Pb__JobGraph *graph = leat__pb__job_graph__unpack(NULL, last.graph.size, last.graph.data);
    assert_non_null(graph);
    leat_bytes text = {0};
    for (size_t i = 0; i < graph->n_vertices; i++) {
        leat_bytes_format(&text, "%s%s:%u", i > 0 ? "; " : "", graph->vertices[i]->operators[0]->type,
                          graph->vertices[i]->parallelism);
        for (size_t k = 1; k < graph->vertices[i]->n_operators; k++)
            leat_bytes_format(&text, ">%s", graph->vertices[i]->operators[k]->type);
    }
    for (size_t i = 0; i < graph->n_edges; i++) {
        const Leat__Pb__Edge *edge = graph->edges[i];
        leat_bytes_format(&text, " | %u-%u %d", edge->source, edge->target, (int)edge->exchange);
        for (size_t k = 0; k < edge->n_key_columns; k++)
            leat_bytes_format(&text, ",%u", edge->key_columns[k]);
    }
    assert_string_equal((const char *)text.data, expected);
    leat_bytes_done(&text);
    leat__pb__job_graph__free_unpacked(graph, NULL);
    leat_session_result_done(&last);
}

static void fails(world *self, const char *sql, leat_code code, const char *text, const char *hint)
{
    leat_session_result last;
    leat_error error = {0};
    leat_code got = run(self, sql, &last, &error);
    leat_session_result_done(&last);
    if (got != code) fail_msg("%s: code %d: %s", sql, (int)got, error.text);
    if (!strstr(error.text, text)) fail_msg("%s: %s", sql, error.text);
    if (hint && !strstr(error.hint, hint)) fail_msg("%s: hint '%s'", sql, error.hint);
}

static const char tables[] =
    "CREATE TABLE g (a INT, b BIGINT, s STRING, p AS PROCTIME()) WITH ('connector'='datagen', 'number-of-rows'='9');"
    "CREATE TABLE bh (x BIGINT, y STRING) WITH ('connector'='blackhole');";

static void a_projection_reads_only_its_columns_and_is_chained(void **state)
{
    must(*state, tables);
    graph_is(*state, "INSERT INTO bh SELECT a + 1, UPPER(s) FROM g WHERE b > 5", "datagen:1>calc>blackhole");
    graph_is(*state, "INSERT INTO bh SELECT b, s FROM g", "datagen:1>blackhole");
    graph_is(*state, "SET 'pipeline.operator-chaining.enabled'='false'; INSERT INTO bh SELECT b + 1, s FROM g",
             "datagen:1; calc:1; blackhole:1 | 0-1 0 | 1-2 0");
}

static void grouping_is_behind_a_hash_exchange(void **state)
{
    must(*state, tables);
    graph_is(*state, "SET 'parallelism.default'='3'; SELECT s, COUNT(*) FROM g GROUP BY s",
             "datagen:3; aggregate:3; collect:1 | 0-1 1,0 | 1-2 4");
    graph_is(*state, "SELECT COUNT(*) FROM g", "datagen:3; aggregate:1>collect | 0-1 4");
    graph_is(*state, "SELECT DISTINCT a FROM (SELECT a FROM g UNION ALL SELECT a + 1 FROM g) AS t",
             "datagen:3; datagen:3>calc; aggregate:3; collect:1 | 0-2 1,0 | 1-2 1,0 | 2-3 4");
    graph_is(*state, "SET 'execution.runtime-mode'='batch'; SELECT a FROM g ORDER BY b DESC LIMIT 3",
             "datagen:3; sort:1>calc>collect | 0-1 4");
}

static void errors_name_their_place_and_what_is_near(void **state)
{
    must(*state, tables);
    fails(*state, "SELECT a,\n  bb FROM g", LEAT_INVALID,
          "test.sql:2:3: Column 'bb' not found in any table\n  bb FROM g\n  ^", "'b'");
    fails(*state, "SELECT A FROM g", LEAT_INVALID, "Column 'A' not found", "case-sensitive");
    fails(*state, "SELECT * FROM gg", LEAT_NOT_FOUND,
          "test.sql:1:15: Object 'gg' not found within 'default_catalog.default_database'", "'g'");
    fails(*state, "SELECT x.a FROM g", LEAT_INVALID, "Table 'x' not found", NULL);
    fails(*state, "SELECT UPER(s) FROM g", LEAT_NOT_FOUND, "UPER", "UPPER");
    fails(*state, "INSERT INTO bh SELECT s, s FROM g", LEAT_INVALID,
          "Incompatible types for sink column 'x' at position 0.", NULL);
    fails(*state, "INSERT INTO bh SELECT b FROM g", LEAT_INVALID, "Different number of columns.", NULL);
    fails(*state, "INSERT INTO bh (x, z) SELECT b, s FROM g", LEAT_INVALID, "Unknown target column 'z'", NULL);
    fails(*state, "SELECT a, COUNT(*) FROM g GROUP BY b", LEAT_INVALID, "Expression 'a' is not being grouped", NULL);
    fails(*state, "SELECT * FROM bh", LEAT_INVALID, "Connector 'blackhole' can only be used as a sink", NULL);
    fails(*state, "SELECT '1' + 1", LEAT_INVALID, "Cannot apply '+' to arguments of type '<CHAR(1)> + <INTEGER>'",
          NULL);
    fails(*state, "SELECT a FROM g WHERE s", LEAT_INVALID, "WHERE must be a condition", NULL);
    fails(*state, "SELECT 9223372036854775808", LEAT_INVALID, "Numeric literal '9223372036854775808' out of range",
          NULL);
    fails(*state, "CREATE TABLE t (a INT) WITH ('a'='b')", LEAT_INVALID, "'connector'", NULL);
    fails(*state, "CREATE TABLE g (a INT) WITH ('connector'='print')", LEAT_EXISTS, "already exists", NULL);
    fails(*state, "SELECT * FROM g AS l JOIN g AS r ON l.a = r.a", LEAT_UNSUPPORTED, "Regular joins are not supported",
          "FOR SYSTEM_TIME");
    fails(*state, "SELECT 1; SELECT 2 +; SELECT 3", LEAT_INVALID,
          "test.sql:1:21: Encountered \";\"; expected an expression", NULL);
    fails(*state, "SELECT /*+ LOOKUP('table'='z') */ * FROM g", LEAT_INVALID,
          "cannot match the name of input tables or views: `z` in `LOOKUP`", NULL);
    fails(*state, "SET 'execution.runtime-mode'='bach'; SELECT 1", LEAT_INVALID, "'streaming' or 'batch'", NULL);
}

static void columns_meet_the_target_by_name_or_place(void **state)
{
    must(*state, tables);
    graph_is(*state, "INSERT INTO bh (y, x) SELECT s, a FROM g", "datagen:1>calc>blackhole");
    must(*state, "INSERT INTO bh (y) VALUES ('a'), (NULL); INSERT INTO bh SELECT CAST(1 AS TINYINT), 'x'");
    must(*state, "CREATE TABLE n (x INT NOT NULL, y STRING) WITH ('connector'='blackhole')");
    fails(*state, "INSERT INTO n (y) SELECT s FROM g", LEAT_INVALID,
          "Column 'x' has no default value and does not allow NULLs", NULL);
    graph_is(*state, "INSERT INTO n SELECT a, s FROM g", "datagen:1>not-null>blackhole");
}

static void like_takes_what_it_is_told(void **state)
{
    leat_session_result last;
    must(*state, "CREATE TEMPORARY TABLE base (k INT, v STRING, c AS k + 1, PRIMARY KEY (k) NOT ENFORCED) WITH "
                 "('connector'='datagen');"
                 "CREATE TEMPORARY TABLE copy (PRIMARY KEY (k) NOT ENFORCED) WITH ('connector'='print') LIKE base "
                 "(EXCLUDING ALL);"
                 "CREATE TEMPORARY TABLE more (w INT) WITH ('number-of-rows'='3') LIKE base");
    assert_int_equal(run(*state, "DESCRIBE copy", &last, NULL), LEAT_OK);
    assert_int_equal(last.rows_count, 2);
    assert_string_equal(last.texts[3], "PRI(k)");
    leat_session_result_done(&last);
    assert_int_equal(run(*state, "SHOW CREATE TABLE more", &last, NULL), LEAT_OK);
    assert_string_equal(last.texts[0],
                        "CREATE TEMPORARY TABLE `default_catalog`.`default_database`.`more` (\n  `k` INT NOT NULL,\n  "
                        "`v` VARCHAR(2147483647),\n"
                        "  `c` AS k + 1,\n  `w` INT,\n  CONSTRAINT `PK_k` PRIMARY KEY (`k`) NOT ENFORCED\n)\nWITH (\n  "
                        "'connector' = 'datagen',\n  'number-of-rows' = '3'\n)\n");
    leat_session_result_done(&last);
}

static void catalogs_are_the_clusters_temporary_objects_the_sessions(void **state)
{
    world *self = *state;
    must(self, "CREATE CATALOG house WITH ('type'='paimon', 'warehouse'='mem:/house'); USE CATALOG house;"
               "CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, p AS PROCTIME()); CREATE TEMPORARY TABLE tmp (a INT) "
               "WITH ('connector'='print')");
    leat_session *first = self->session;
    begin_session(self);
    must(self, "CREATE CATALOG house WITH ('type'='paimon', 'warehouse'='mem:/house')");
    fails(self, "CREATE CATALOG house WITH ('type'='paimon', 'warehouse'='mem:/other')", LEAT_EXISTS,
          "with other options", "DROP CATALOG");
    fails(self, "CREATE CATALOG s WITH ('type'='paimon', 'warehouse'='s3://b/w', 's3.endpoint'='http://h')",
          LEAT_UNSUPPORTED, "'s3.endpoint' is not supported", "whole cluster");
    leat_session_result last;
    assert_int_equal(run(self, "SHOW TABLES FROM house.`default`", &last, NULL), LEAT_OK);
    assert_int_equal(last.rows_count, 1);
    assert_string_equal(last.texts[0], "t");
    leat_session_result_done(&last);
    fails(self, "SELECT * FROM house.`default`.tmp", LEAT_NOT_FOUND, "Object 'tmp' not found", NULL);
    fails(self, "USE CATALOG hous", LEAT_NOT_FOUND, "does not exist", "'house'");
    leat_session_free(first);
}

static const char lab[] =
    "CREATE CATALOG house WITH ('type'='paimon', 'warehouse'='mem:/lab'); USE CATALOG house;"
    "CREATE TABLE clients (client_id INT PRIMARY KEY NOT ENFORCED, full_name STRING, country STRING, zip STRING) WITH "
    "('changelog-producer'='input');"
    "CREATE TABLE orders (order_id INT, amount INT, client_id INT, proc_time AS PROCTIME()) WITH ('bucket'='-1');"
    "CREATE TABLE country_sales (country STRING, revenue INT, orders_count INT, PRIMARY KEY (country) NOT ENFORCED) "
    "WITH ("
    "'merge-engine'='aggregation', 'fields.revenue.aggregate-function'='sum', "
    "'fields.orders_count.aggregate-function'='sum');";

static void the_lab_is_planned(void **state)
{
    static const char join[] = "INSERT INTO country_sales %s SELECT %s c.country, o.amount, 1 AS orders_count FROM "
                               "orders AS o JOIN clients /*+ OPTIONS('lookup.async'='true')%s */ "
                               "FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.client_id = c.client_id";
    static const char hint[] = "LOOKUP('table'='c', 'retry-predicate'='lookup_miss', 'output-mode'='allow_unordered', "
                               "'retry-strategy'='fixed_delay', 'fixed-delay'='1s', 'max-attempts'='600')";
    must(*state, lab);
    for (int place = 0; place < 3; place++) { /* the hint in each of its three places */
        char sql[1400], own[300];
        leat_session_result last;
        snprintf(own, sizeof own, place < 2 ? "/*+ %s */" : ", %s", hint);
        snprintf(sql, sizeof sql, join, place == 0 ? own : "", place == 1 ? own : "", place == 2 ? own : "");
        graph_is(*state, sql,
                 "paimon-source:1>lookup-join>calc>not-null>paimon-pk-router; paimon-bucket-assigner:1; "
                 "paimon-pk-writer:1 | 0-1 5,4 | 1-2 5,5");
        char explain[1500];
        snprintf(explain, sizeof explain, "EXPLAIN %s", sql);
        assert_int_equal(run(*state, explain, &last, NULL), LEAT_OK);
        assert_non_null(
            strstr(last.texts[0], "async=[UNORDERED, 180000ms, 100], retry=[lookup_miss, FIXED_DELAY, 1000ms, 600]"));
        assert_non_null(strstr(last.texts[0], "lookup=[client_id=client_id]"));
        leat_session_result_done(&last);
    }
}

static void a_lookup_key_may_be_computed(void **state)
{
    must(*state, lab);
    must(*state, "CREATE TABLE wide (id BIGINT PRIMARY KEY NOT ENFORCED, c STRING) WITH ('bucket'='2')");
    graph_is(*state,
             "SELECT * FROM orders AS o JOIN wide FOR SYSTEM_TIME AS OF o.proc_time AS w ON w.id = o.client_id AND w.c "
             "<> 'x'",
             "paimon-source:1>calc>lookup-join>calc>collect");
    fails(*state, "SELECT * FROM orders AS o JOIN wide FOR SYSTEM_TIME AS OF o.proc_time AS w ON o.amount > 3",
          LEAT_INVALID, "requires an equality condition", "not cast");
    fails(*state, "SELECT * FROM orders AS o JOIN wide FOR SYSTEM_TIME AS OF o.amount AS w ON o.amount = w.id",
          LEAT_UNSUPPORTED, "processing time attribute", "PROCTIME()");
}

static void secrets_are_masked(void **state)
{
    leat_session_result last;
    assert_int_equal(
        run(*state, "CREATE TABLE t (a INT) WITH ('connector'='jdbc', 'password' = 'pssst', 'url'='x')", &last, NULL),
        LEAT_OK);
    assert_null(strstr(last.statement, "pssst"));
    assert_non_null(strstr(last.statement, "'password' = '******'"));
    leat_session_result_done(&last);
    assert_int_equal(run(*state, "SHOW CREATE TABLE t", &last, NULL), LEAT_OK);
    assert_null(strstr(last.texts[0], "pssst"));
    leat_session_result_done(&last);
}

static void every_failing_allocation_is_an_error(void **state)
{
    world *self = *state;
    must(self, lab);
    must(self, "SET 'execution.runtime-mode'='batch'");
    leat_code code = LEAT_NO_MEMORY;
    for (int64_t n = 1; code != LEAT_OK && n < 5000; n++) {
        leat_session_result last;
        leat_error error = {0};
        leat_memory_fail_nth(n);
        code = run(self,
                   "EXPLAIN SELECT country, SUM(revenue) FROM country_sales WHERE country LIKE 'a%' GROUP BY country",
                   &last, &error);
        leat_memory_fail_nth(0);
        leat_session_result_done(&last);
    }
    assert_int_equal(code, LEAT_OK);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(a_projection_reads_only_its_columns_and_is_chained, begin, end),
        cmocka_unit_test_setup_teardown(grouping_is_behind_a_hash_exchange, begin, end),
        cmocka_unit_test_setup_teardown(errors_name_their_place_and_what_is_near, begin, end),
        cmocka_unit_test_setup_teardown(columns_meet_the_target_by_name_or_place, begin, end),
        cmocka_unit_test_setup_teardown(like_takes_what_it_is_told, begin, end),
        cmocka_unit_test_setup_teardown(catalogs_are_the_clusters_temporary_objects_the_sessions, begin, end),
        cmocka_unit_test_setup_teardown(the_lab_is_planned, begin, end),
        cmocka_unit_test_setup_teardown(a_lookup_key_may_be_computed, begin, end),
        cmocka_unit_test_setup_teardown(secrets_are_masked, begin, end),
        cmocka_unit_test_setup_teardown(every_failing_allocation_is_an_error, begin, end),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
