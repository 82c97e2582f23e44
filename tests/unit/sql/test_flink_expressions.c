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

/* --- expressions over columns: types.tsv holds the table (name and type a line, an empty line, then the rows), values
 * as texts that are cast to their types, bytes in hex --- */

enum { COLUMNS_MAX = 32, TABLE_ROWS_MAX = 32 };

typedef struct table {
    leat_arena arena;
    leat_field fields[COLUMNS_MAX];
    leat_schema schema;
    char *cells[TABLE_ROWS_MAX][COLUMNS_MAX];
    leat_batch *batch;
} table;

/* Splits at the next tab; *rest is NULL after the last. */
static char *next_cell(char **rest)
{
    char *cell = *rest, *tab = strchr(cell, '\t');
    if (tab) *tab = 0;
    *rest = tab ? tab + 1 : NULL;
    return cell;
}

static size_t decode_hex(char *text)
{
    size_t length = strlen(text) / 2;
    for (size_t i = 0; i < length; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        text[i] = (char)strtol(pair, NULL, 16);
    }
    return length;
}

/* A column of texts, cast to the column's type unless it is text or bytes itself. */
static void load_column(table *self, int32_t c)
{
    leat_error error = {0};
    leat_field field = {"x", leat_type_string(true)};
    leat_schema texts = {1, &field};
    leat_batch_builder builder;
    leat_batch *batch = NULL;
    assert_int_equal(leat_batch_builder_init_schema(&builder, &texts, TABLE_ROWS_MAX, &error), LEAT_OK);
    for (int32_t r = 0; r < self->batch->rows; r++) {
        char *cell = self->cells[r][c];
        assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, &error), LEAT_OK);
        if (strcmp(cell, "\\N") == 0) continue;
        size_t length = leat_type_is_bytes(&self->fields[c].type) ? decode_hex(cell) : strlen(cell);
        assert_int_equal(leat_batch_builder_set_bytes(&builder, 0, cell, length, &error), LEAT_OK);
    }
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, &error), LEAT_OK);
    leat_batch_builder_done(&builder);
    if (leat_type_layout(&self->fields[c].type) == LEAT_LAYOUT_VIEW) {
        assert_int_equal(leat_column_share(&self->batch->columns[c], &batch->columns[0], &error), LEAT_OK);
    } else {
        leat_expr column = {.kind = LEAT_EXPR_COLUMN, .type = field.type};
        const leat_expr *argument = &column;
        leat_expr cast = {
            .kind = LEAT_EXPR_CAST, .type = self->fields[c].type, .arguments = &argument, .arguments_count = 1};
        const leat_expr *expr = &cast;
        leat_program *program;
        assert_int_equal(leat_program_compile(&expr, 1, &texts, NULL, &program, &error), LEAT_OK);
        assert_int_equal(leat_program_run(program, batch, &self->batch->columns[c], &error), LEAT_OK);
        leat_program_free(program);
    }
    leat_batch_free(batch);
}

static void load_table(table *self, char *text)
{
    leat_error error = {0};
    leat_arena_init(&self->arena, 1 << 20);
    self->schema.fields = self->fields;
    int32_t rows = 0;
    bool is_head = true;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        if (is_head && !*line) {
            is_head = false;
        } else if (is_head) {
            leat_field *field = &self->fields[self->schema.fields_count++];
            field->name = next_cell(&line);
            assert_int_equal(leat_type_parse(line, &self->arena, &field->type, &error), LEAT_OK);
        } else {
            for (int32_t c = 0; c < self->schema.fields_count; c++)
                self->cells[rows][c] = next_cell(&line);
            rows++;
        }
    }
    self->batch = leat_batch_new(self->schema.fields_count);
    assert_non_null(self->batch);
    self->batch->rows = self->batch->selected = rows;
    for (int32_t c = 0; c < self->schema.fields_count; c++)
        load_column(self, c);
}

/* "TYPE\tvalue\tvalue…". */
static leat_code answer_rows(const table *self, leat_arena *arena, const char *sql, leat_bytes *out, leat_error *error)
{
    leat_ast_expr *ast = NULL;
    LEAT_TRY(leat_parse_expr(arena, sql, &ast, error));
    leat_plan plan = {.arena = arena, .is_batch = true, .parallelism = 1, .error = error};
    leat_rel rel = {.schema = self->schema};
    leat_scope_relation relation = {.alias = "t", .count = self->schema.fields_count};
    leat_scope scope = {.rel = &rel, .relations = &relation, .relations_count = 1};
    const leat_expr *expr;
    LEAT_TRY(leat_bind_expr(&plan, &scope, ast, &expr));
    leat_program_options options = {0};
    LEAT_TRY(leat_expr_fold(arena, expr, &options, &expr, error));
    leat_program *program;
    LEAT_TRY(leat_program_compile(&expr, 1, &self->schema, &options, &program, error));
    leat_column column = {0};
    leat_code code = leat_program_run(program, self->batch, &column, error);
    if (code == LEAT_OK) leat_type_print(&expr->type, false, out);
    for (int32_t row = 0; code == LEAT_OK && row < self->batch->rows; row++) {
        leat_bytes_text(out, "\t");
        if (leat_column_is_null(&column, row))
            leat_bytes_text(out, "\\N");
        else
            leat_value_print(&expr->type, &column, row, NULL, out);
    }
    leat_column_clear(&column);
    leat_program_free(program);
    return code;
}

static void columns_are_answered_as_flink_does(void **state)
{
    (void)state;
    char *types = read_whole("types.tsv"), *cases = read_whole("column-expressions.tsv");
    char *differ = read_whole("expressions-differ.txt"), *rest;
    table self = {0};
    load_table(&self, types);
    int agree = 0, listed = 0, unexpected = 0;
    for (char *line = strtok_r(cases, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *id = next_cell(&line), *sql = next_cell(&line);
        unescape(sql);
        unescape(line);
        leat_arena arena;
        leat_arena_init(&arena, 16 << 20);
        leat_bytes got = {0};
        leat_error error = {0};
        leat_code code = answer_rows(&self, &arena, sql, &got, &error);
        bool is_same =
            strcmp(line, "!") == 0 ? code != LEAT_OK : code == LEAT_OK && strcmp((char *)got.data, line) == 0;
        bool is_listed = has_line(differ, id);
        if (is_same == is_listed) {
            print_message("%s %s\n   Flink: %s\n   Leat:  %s\n", id, sql, line,
                          code == LEAT_OK ? (char *)got.data : error.text);
        }
        agree += is_same;
        listed += is_listed;
        unexpected += !is_same && !is_listed;
        leat_bytes_done(&got);
        leat_arena_done(&arena);
    }
    print_message("%d cases agree, %d are listed differences, %d are unexpected\n", agree, listed, unexpected);
    leat_batch_free(self.batch);
    leat_arena_done(&self.arena);
    free(types);
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
                                       cmocka_unit_test(columns_are_answered_as_flink_does),
                                       cmocka_unit_test(examples_of_the_function_table_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
