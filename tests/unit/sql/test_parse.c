#include "tests/unit.h"

#include <string.h>

#include "common/memory.h"
#include "sql/parse.h"
#include "sql/script.h"

static leat_arena arena;

/* The first statement's kind, or the error's code negated; the error's text in `failure`. */
static leat_error failure;
static leat_ast_statement *first;

static leat_code parse(const char *text)
{
    leat_arena_reset(&arena);
    failure = (leat_error){0};
    leat_parse run = {.arena = &arena, .text = text, .size = (int32_t)strlen(text)};
    leat_code code = leat_parse_statement(&run, &failure);
    first = run.statement;
    return code;
}

static void assert_parses(const char *text)
{
    if (parse(text) != LEAT_OK) fail_msg("%s: %s", text, failure.text);
    assert_non_null(first);
}

static void statements_of_the_dialect_are_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = 'file:/tmp/x');",
        "USE CATALOG house",
        "USE shop",
        "USE a.b",
        "USE CATALOG catalog",
        "CREATE DATABASE IF NOT EXISTS db COMMENT 'x' WITH ('a'='b')",
        "CREATE TEMPORARY TABLE t (a INT PRIMARY KEY NOT ENFORCED COMMENT 'c', b STRING NOT NULL, c AS a + 1, "
        "d TIMESTAMP(3) METADATA FROM 'ts' VIRTUAL, WATERMARK FOR d AS d - INTERVAL '5' SECOND) "
        "COMMENT 'x' PARTITIONED BY (b) WITH ('connector' = 'print')",
        "CREATE TABLE t (PRIMARY KEY (a, b) NOT ENFORCED) WITH ('x'='y') LIKE s (EXCLUDING ALL INCLUDING OPTIONS)",
        "CREATE TABLE t (CONSTRAINT c PRIMARY KEY (a) NOT ENFORCED, a DECIMAL(10, 2), key STRING, m MAP<STRING, ROW<a "
        "INT>>)",
        "CREATE TABLE IF NOT EXISTS t LIKE s",
        "DROP TEMPORARY TABLE IF EXISTS a.b.c",
        "DROP DATABASE d CASCADE",
        "SHOW TABLES FROM a.b NOT LIKE 'x%'",
        "SHOW CREATE TABLE t",
        "DESC t",
        "DESCRIBE CATALOG EXTENDED c",
        "SET",
        "SET 'a.b' = 'c'",
        "SET execution.runtime-mode = batch;",
        "RESET",
        "RESET 'a'",
        "RESET a.b-c",
        "INSERT INTO t /*+ LOOKUP('table'='c') */ (a, b) SELECT 1, 2",
        "INSERT INTO t (SELECT 1)",
        "INSERT INTO t ((SELECT 1) UNION ALL (SELECT 2))",
        "INSERT OVERWRITE t PARTITION (a = 1, b = 'x') VALUES (1, 'a'), (2, NULL)",
        "SELECT /*+ LOOKUP('table'='c', 'retry-predicate'='x') */ c.a, o.* FROM o AS o JOIN t /*+ OPTIONS('a'='b') */ "
        "FOR SYSTEM_TIME AS OF o.p AS c ON o.a = c.a AND c.b > 1",
        "WITH x (a) AS (SELECT 1), y AS (VALUES (1, 2)) SELECT DISTINCT a b FROM x, y WHERE NOT a = 1 OR a IS NOT NULL "
        "GROUP BY a, b HAVING COUNT(*) > 1 ORDER BY a DESC NULLS LAST, 2 LIMIT 3 OFFSET 4",
        "SELECT a FROM (SELECT 1 AS a UNION ALL SELECT 2 ORDER BY a FETCH FIRST 2 ROWS ONLY) AS t (a)",
        "SELECT ((SELECT 1)), (1), a NOT IN (1, 2), a IN (SELECT b FROM c), ((1, 2)) FROM t",
        "SELECT CASE a WHEN 1 THEN 'x' ELSE NULL END, CAST(a AS VARCHAR(3)), TRY_CAST(a AS TIMESTAMP(3) WITH LOCAL "
        "TIME ZONE)",
        "SELECT COUNT(DISTINCT a), COUNT(*), SUM(a) FILTER (WHERE b), YEAR(d), FLOOR(t TO DAY), TRIM(BOTH 'x' FROM a), "
        "SUBSTRING(a FROM 1 FOR 2), EXTRACT(DAY FROM d), TIMESTAMPDIFF(DAY, a, b)",
        "SELECT -a - -1, a || b * 2, X'41', DATE '2024-01-01', 1e3, .5, a BETWEEN 1 AND 2 AND b, a LIKE 'x' ESCAPE "
        "'/', 2*/* c */3",
        "EXPLAIN PLAN FOR SELECT 1",
        "EXPLAIN CHANGELOG_MODE, ESTIMATED_COST INSERT INTO a SELECT 1",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END;",
        "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;",
        "-- c\n/* ; */ SELECT ';' -- ;\n",
        "SELECT `a``b` FROM `c;d`",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_parses(texts[i]);
}

static void wrong_statements_are_refused_with_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"SELECT 1 FRM t", "Encountered \"t\""},
        {"SELECT a FROM", "ends too early; expected"},
        {"CREATE TABLE t (a INTT)", "Encountered \"INTT\""},
        {"CREATE TABLE t (a INT PRIMARY KEY)", "ENFORCED"},
        {"SELECT order FROM t", "Encountered \"order\"; expected"},
        {"SELECT 'a", "not closed"},
        {"SELECT a != 1", "'<>'"},
        {"SELECT \"a\"", "double quote"},
        {"SELECT 1 2", "Encountered \"2\""},
        {"CREATE TABLE t (a DECIMAL(39, 2))", "between 1 and 38"},
        {"SELECT SUM(a) OVER (PARTITION BY b)", "OVER windows are not supported"},
        {"SELECT 1abc", "neither a number nor a name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_not_equal(parse(cases[i].text), LEAT_OK);
        if (!strstr(failure.text, cases[i].message)) fail_msg("%s: %s", cases[i].text, failure.text);
    }
    assert_int_equal(parse("SELECT order FROM t"), LEAT_INVALID);
    assert_string_equal(failure.hint, "order is a reserved word: as a name write `order`");
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    leat_bytes text = {0};
    leat_bytes_text(&text, "SELECT ");
    for (int i = 0; i < 3000; i++)
        leat_bytes_text(&text, "(-");
    leat_bytes_text(&text, "1");
    for (int i = 0; i < 3000; i++)
        leat_bytes_text(&text, ")");
    assert_int_equal(parse((const char *)text.data), LEAT_LIMIT);
    leat_bytes_reset(&text);
    leat_bytes_text(&text, "SELECT 1 = 1");
    for (int i = 0; i < 3000; i++)
        leat_bytes_text(&text, " OR a = 1");
    assert_int_equal(parse((const char *)text.data), LEAT_OK); /* flat */
    leat_bytes_reset(&text);
    leat_bytes_text(&text, "SELECT 1");
    for (int i = 0; i < 3000; i++)
        leat_bytes_text(&text, " + 1");
    assert_int_equal(parse((const char *)text.data), LEAT_LIMIT);
    leat_bytes_done(&text);
}

static void variables_are_replaced_and_places_are_the_users(void **state)
{
    (void)state;
    leat_script script;
    leat_error error = {0};
    const leat_sql_variable variables[] = {{"A", "12345"}, {"A", "no"}};
    const char *text = "SELECT '${A}', ${B:-x} + ${A} $ ${\n  AND ${B:-} wrong";
    assert_int_equal(leat_script_init(&script, "f.sql", text, strlen(text), variables, 2, &error), LEAT_OK);
    assert_string_equal(script.text, "SELECT '12345', x + 12345 $ ${\n  AND  wrong");
    int32_t at = (int32_t)(strstr(script.text, "wrong") - script.text);
    error = (leat_error){.text = "bad"};
    assert_int_equal(leat_script_locate(&script, (leat_sql_range){at, at + 5}, LEAT_INVALID, &error), LEAT_INVALID);
    assert_string_equal(error.text, "f.sql:2:14: bad\n  AND ${B:-} wrong\n             ^");
    leat_script_done(&script);
    text = "SELECT 1;\nSELECT ${NONE}";
    assert_int_equal(leat_script_init(&script, "f.sql", text, strlen(text), variables, 2, &error), LEAT_INVALID);
    assert_non_null(strstr(error.text, "f.sql:2:8: The variable 'NONE' has no value\nSELECT ${NONE}\n       ^"));
    leat_script_done(&script);
}

static void a_script_is_split_by_the_grammar(void **state)
{
    (void)state;
    const char *text = "SELECT 1; ; -- ;\nSET 'a' = ';'; BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END; SELECT 2";
    const leat_ast_kind kinds[] = {LEAT_AST_QUERY, LEAT_AST_EMPTY, LEAT_AST_SET, LEAT_AST_STATEMENT_SET,
                                   LEAT_AST_QUERY};
    leat_parse run = {.arena = &arena, .text = text, .size = (int32_t)strlen(text)};
    leat_error error;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(leat_parse_statement(&run, &error), LEAT_OK);
        assert_non_null(run.statement);
        assert_int_equal(run.statement->kind, kinds[i]);
        run.at = run.end;
    }
    assert_int_equal(leat_parse_statement(&run, &error), LEAT_OK);
    assert_null(run.statement);
}

int main(void)
{
    leat_arena_init(&arena, 16 << 20);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(statements_of_the_dialect_are_read),
        cmocka_unit_test(wrong_statements_are_refused_with_what_was_expected),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(variables_are_replaced_and_places_are_the_users),
        cmocka_unit_test(a_script_is_split_by_the_grammar),
    };
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    leat_arena_done(&arena);
    return failed;
}
