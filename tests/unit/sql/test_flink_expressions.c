/* Constant expressions, bound, folded and computed, against what Flink answered: tests/data/flink/expressions.tsv, a
 * line a case: id, type (or "!": Flink refuses it), value ("\N": NULL), expression; tabs, newlines and backslashes are
 * escaped. Differences that are meant are listed in expressions-differ.txt with the reason; others fail, and listed
 * cases that agree by now are printed. */
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/kernel.h"
#include "sql/bind.h"
#include "sql/parse.h"

static const char *directory;

static void unescape(char *text)
{
    char *to = text;
    for (char *from = text; *from; from++) {
        if (*from != '\\' || from[1] == 'N') {
            *to++ = *from;
            continue;
        }
        from++;
        *to++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from;
    }
    *to = 0;
}

/* "TYPE\tvalue", or "!" and why. */
static leat_code answer(leat_arena *arena, const char *sql, leat_bytes *out, leat_error *error)
{
    leat_ast_expr *ast = NULL;
    LEAT_TRY(leat_parse_expr(arena, sql, &ast, error));
    leat_plan plan = {.arena = arena, .is_batch = true, .parallelism = 1, .error = error};
    leat_scope scope = {0};
    const leat_expr *expr;
    LEAT_TRY(leat_bind_expr(&plan, &scope, ast, &expr));
    leat_program_options options = {0};
    LEAT_TRY(leat_expr_fold(arena, expr, &options, &expr, error));
    leat_schema none = {0};
    leat_program *program;
    LEAT_TRY(leat_program_compile(&expr, 1, &none, &options, &program, error));
    leat_batch batch = {.rows = 1, .selected = 1};
    leat_column column = {0};
    leat_code code = leat_program_run(program, &batch, &column, error);
    if (code == LEAT_OK) {
        bool is_null = expr->type.kind == LEAT_TYPE_NULL || leat_column_is_null(&column, 0);
        leat_type_print(&expr->type, false, out);
        leat_bytes_text(out, "\t");
        if (is_null)
            leat_bytes_text(out, "\\N");
        else
            leat_value_print(&expr->type, &column, 0, NULL, out);
        /* Flink's own constraint: a NULL where the type says NOT NULL fails when it is written. */
        if (is_null && !expr->type.nullable) code = leat_fail(error, LEAT_INVALID, "NOT NULL, however, a null value");
    }
    leat_column_clear(&column);
    leat_program_free(program);
    return code;
}

static bool check_line(char *line, bool is_listed)
{
    char *state, *id = strtok_r(line, "\t", &state), *type = strtok_r(NULL, "\t", &state);
    char *value = state, *sql = strchr(state, '\t');
    *sql++ = 0;
    unescape(value);
    unescape(sql);
    leat_arena arena;
    leat_arena_init(&arena, 16 << 20);
    leat_bytes got = {0}, want = {0};
    leat_error error = {0};
    leat_code code = answer(&arena, sql, &got, &error);
    bool is_refusal = strcmp(type, "!") == 0, is_same;
    if (is_refusal) {
        is_same = code != LEAT_OK;
    } else {
        leat_bytes_format(&want, "%s\t%s", type, value);
        is_same = code == LEAT_OK && got.size == want.size && memcmp(got.data, want.data, got.size) == 0;
    }
    if (is_same == is_listed) {
        print_message("%s %s\n   Flink: %s %s\n   Leat:  %s\n", id, sql, type, value,
                      code == LEAT_OK ? (const char *)got.data : error.text);
    }
    leat_bytes_done(&got);
    leat_bytes_done(&want);
    leat_arena_done(&arena);
    return is_same;
}

static bool has_line(const char *list, const char *id)
{
    const char *at = strstr(list, id);
    return at && (at == list || at[-1] == '\n');
}

static char *read_whole(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 4 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (4 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void constants_are_answered_as_flink_does(void **state)
{
    (void)state;
    char *cases = read_whole("expressions.tsv"), *differ = read_whole("expressions-differ.txt"), *rest;
    int agree = 0, listed = 0, unexpected = 0;
    for (char *line = strtok_r(cases, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char id[32];
        snprintf(id, sizeof id, "%.*s", (int)strcspn(line, "\t"), line);
        bool is_listed = has_line(differ, id), is_same = check_line(line, is_listed);
        agree += is_same;
        listed += is_listed;
        unexpected += !is_same && !is_listed;
    }
    print_message("%d cases agree, %d are listed differences, %d are unexpected\n", agree, listed, unexpected);
    free(cases);
    free(differ);
    assert_int_equal(unexpected, 0);
}

/* Each row of the function table has a sentence, and an example that holds. */
static void examples_of_the_function_table_hold(void **state)
{
    (void)state;
    for (int32_t i = 0; i < leat_functions_count; i++) {
        const leat_function *function = &leat_functions[i];
        assert_true(strlen(function->doc) > 3);
        assert_true(strlen(function->signature) > 3);
        if (!function->example[0]) continue;
        leat_arena arena;
        leat_arena_init(&arena, 16 << 20);
        leat_bytes got = {0};
        leat_error error = {0};
        leat_code code = answer(&arena, function->example, &got, &error);
        if (code != LEAT_OK) fail_msg("%s: %s", function->example, error.text);
        assert_string_equal(strchr((const char *)got.data, '\t') + 1, function->answer);
        leat_bytes_done(&got);
        leat_arena_done(&arena);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    directory = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(constants_are_answered_as_flink_does),
                                       cmocka_unit_test(examples_of_the_function_table_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
