#include "tests/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/decimal.h"
#include "columnar/kernel.h"
#include "columnar/text.h"
#include "common/memory.h"

static leat_arena arena;
static unsigned seed = 1;

static unsigned next_random(void)
{
    seed = seed * 1103515245 + 12345;
    return seed >> 8;
}

static const leat_expr *keep(leat_expr expr)
{
    leat_expr *kept = leat_arena_take(&arena, sizeof *kept);
    assert_non_null(kept);
    *kept = expr;
    return kept;
}

static const leat_expr *column(int32_t index, leat_type type)
{
    return keep((leat_expr){.kind = LEAT_EXPR_COLUMN, .type = type, .column = index});
}

static const leat_expr *number(int64_t value)
{
    return keep(
        (leat_expr){.kind = LEAT_EXPR_LITERAL, .type = leat_type_make(LEAT_TYPE_INT, false), .value = {.i64 = value}});
}

static const leat_expr *text(const char *value)
{
    leat_type type = {.kind = LEAT_TYPE_CHAR, .precision = (int32_t)strlen(value)};
    return keep((leat_expr){.kind = LEAT_EXPR_LITERAL, .type = type, .value = {.text = {value, type.precision}}});
}

static const leat_expr *cast(const leat_expr *from, leat_type type, leat_expr_kind kind)
{
    const leat_expr **arguments = leat_arena_take(&arena, sizeof *arguments);
    arguments[0] = from;
    return keep((leat_expr){.kind = kind, .type = type, .arguments = arguments, .arguments_count = 1});
}

static const leat_expr *many(leat_expr_kind kind, leat_type type, const leat_expr *const *arguments, int32_t count)
{
    const leat_expr **kept = leat_arena_take(&arena, (size_t)count * sizeof *kept);
    memcpy(kept, arguments, (size_t)count * sizeof *kept);
    return keep((leat_expr){.kind = kind, .type = type, .arguments = kept, .arguments_count = count});
}

/* Resolves as the validator does, casts put in. */
static const leat_expr *call(const char *name, const leat_expr *a, const leat_expr *b, const leat_expr *c)
{
    static leat_function_match match;
    const leat_expr *arguments[] = {a, b, c};
    int32_t count = c ? 3 : b ? 2 : a ? 1 : 0;
    leat_error error = {0};
    leat_code code = leat_function_resolve_exprs(name, arguments, count, &match, &error);
    if (code != LEAT_OK) fail_msg("%s: %s", name, error.text);
    for (int32_t i = 0; i < count; i++) {
        if (leat_type_equal(&arguments[i]->type, &match.casts[i], false)) continue;
        arguments[i] = cast(arguments[i], match.casts[i], LEAT_EXPR_CAST);
    }
    const leat_expr *made = many(LEAT_EXPR_CALL, match.type, arguments, count);
    leat_expr copy = *made;
    copy.function = match.id;
    return keep(copy);
}

/* --- random batches: a INT, b INT, c BIGINT, d DOUBLE, e BOOLEAN, s STRING, m DECIMAL(10, 2) --- */

static leat_field fields[] = {
    {"a", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"b", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"c", {.kind = LEAT_TYPE_BIGINT, .nullable = true}},
    {"d", {.kind = LEAT_TYPE_DOUBLE, .nullable = true}},
    {"e", {.kind = LEAT_TYPE_BOOLEAN, .nullable = true}},
    {"s", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"m", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 10, .scale = 2}},
};
enum { A, B, C, D, E, S, M, COLUMNS };
static const leat_schema schema = {COLUMNS, fields};

static const leat_expr *col(int32_t index)
{
    return column(index, fields[index].type);
}

static leat_batch *random_batch(int32_t rows, bool has_nulls, bool has_selection)
{
    leat_batch_builder builder;
    leat_error error = {0};
    assert_int_equal(leat_batch_builder_init_schema(&builder, &schema, rows ? rows : 1, &error), LEAT_OK);
    for (int32_t i = 0; i < rows; i++) {
        assert_int_equal(leat_batch_builder_begin_row(&builder, LEAT_ROW_INSERT, &error), LEAT_OK);
        for (int32_t c = 0; c < COLUMNS; c++) {
            if (has_nulls && next_random() % 4 == 0) continue;
            int32_t small = (int32_t)(next_random() % 11) - 5;
            int64_t wide = (int64_t)((uint64_t)next_random() << 40 | next_random());
            double real = (double)small / 4;
            __int128 decimal = (__int128)small * 25;
            char name[40];
            bool is_true = small > 0;
            switch (c) {
            case A:
                small = next_random() % 3 ? small : INT32_MAX;
                leat_batch_builder_set_fixed(&builder, c, &small);
                break;
            case B: leat_batch_builder_set_fixed(&builder, c, &small); break;
            case C: leat_batch_builder_set_fixed(&builder, c, &wide); break;
            case D: leat_batch_builder_set_fixed(&builder, c, &real); break;
            case E: leat_batch_builder_set_fixed(&builder, c, &is_true); break;
            case M: leat_batch_builder_set_fixed(&builder, c, &decimal); break;
            default:
                snprintf(name, sizeof name, next_random() % 2 ? "n%d" : "a longer text that is no inline %d", small);
                assert_int_equal(leat_batch_builder_set_bytes(&builder, c, name, strlen(name), &error), LEAT_OK);
            }
        }
    }
    leat_batch *batch = NULL;
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, &error), LEAT_OK);
    leat_batch_builder_done(&builder);
    if (has_selection) {
        batch->selection_buffer = leat_buffer_new((size_t)rows * 2 + 2);
        uint16_t *selection = (uint16_t *)(void *)batch->selection_buffer->data;
        batch->selected = 0;
        for (int32_t i = 0; i < rows; i++) {
            if (next_random() % 3) selection[batch->selected++] = (uint16_t)i;
        }
        batch->selection = selection;
    }
    return batch;
}

static int64_t int_of(const leat_batch *batch, int32_t c, int32_t row)
{
    return ((const int32_t *)batch->columns[c].values)[row];
}
static bool null_of(const leat_batch *batch, int32_t c, int32_t row)
{
    return leat_column_is_null(&batch->columns[c], row);
}

/* What an expression answers for a row, by an obvious loop: prints it, or "NULL". */
typedef void (*oracle)(const leat_batch *batch, int32_t row, char *out, size_t size);

static void check(const leat_expr *expr, oracle expected)
{
    leat_program *program;
    leat_error error = {0};
    leat_code code = leat_program_compile(&expr, 1, &schema, NULL, &program, &error);
    if (code != LEAT_OK) fail_msg("compile: %s", error.text);
    for (int32_t rows = 0; rows <= 300; rows += rows < 70 ? 1 : 23) {
        for (int kind = 0; kind < 4; kind++) {
            leat_batch *batch = random_batch(rows, kind & 1, kind & 2);
            leat_column out = {0};
            code = leat_program_run(program, batch, &out, &error);
            if (code != LEAT_OK) fail_msg("run: %s", error.text);
            for (int32_t i = 0; i < batch->selected; i++) {
                int32_t row = leat_batch_row(batch, i);
                leat_bytes got = {0};
                char want[128];
                leat_value_print(&expr->type, &out, row, NULL, &got);
                expected(batch, row, want, sizeof want);
                assert_string_equal((char *)got.data, want);
                leat_bytes_done(&got);
            }
            leat_column_clear(&out);
            leat_batch_free(batch);
        }
    }
    leat_program_free(program);
}

#define ORACLE(name, is_null, format, value)                                                                           \
    static void name(const leat_batch *batch, int32_t row, char *out, size_t size)                                     \
    {                                                                                                                  \
        int64_t a = int_of(batch, A, row), b = int_of(batch, B, row);                                                  \
        bool an = null_of(batch, A, row), bn = null_of(batch, B, row);                                                 \
        (void)a, (void)b, (void)an, (void)bn;                                                                          \
        if (is_null)                                                                                                   \
            snprintf(out, size, "NULL");                                                                               \
        else                                                                                                           \
            snprintf(out, size, format, value);                                                                        \
    }
#define TEXT(condition) ((condition) ? "TRUE" : "FALSE")

ORACLE(sum_of, an || bn, "%d", (int32_t)(uint32_t)(a + b))
ORACLE(product_by_7, an, "%d", (int32_t)(uint32_t)(a * 7))
ORACLE(less_of, an || bn, "%s", TEXT(a < b))
ORACLE(distinct_of, false, "%s", TEXT(an || bn ? an != bn : a != b))
ORACLE(quotient_of, an || bn || b == 0, "%d", (int32_t)(a / b))
ORACLE(and_of, !((!an && a <= 0) || (!bn && b <= 0)) && (an || bn), "%s", TEXT(!an && !bn && a > 0 && b > 0))
ORACLE(or_of, !((!an && a > 0) || (!bn && b > 0)) && (an || bn), "%s", TEXT((!an && a > 0) || (!bn && b > 0)))
ORACLE(coalesce_of, an &&bn, "%d", (int32_t)(an ? b : a))
ORACLE(between_of, an || bn ? !((!an && a < 0) || (!an && !bn && a > b)) : false, "%s",
       TEXT(!an && a >= 0 && !bn && a <= b))
ORACLE(in_of, an || (a != 1 && a != 2 && (bn || a != b) && bn), "%s", TEXT(a == 1 || a == 2 || (!bn && a == b)))
ORACLE(abs_of, bn, "%d", (int32_t)(b < 0 ? -b : b))

static void numbers_match_the_row_loop(void **state)
{
    (void)state;
    check(call("+", col(A), col(B), NULL), sum_of);
    check(call("*", col(A), number(7), NULL), product_by_7);
    check(call("*", number(7), col(A), NULL), product_by_7);
    check(call("<", col(A), col(B), NULL), less_of);
    check(call("IS DISTINCT FROM", col(A), col(B), NULL), distinct_of);
    check(call("ABS", col(B), NULL, NULL), abs_of);
}

static void logic_matches_the_row_loop(void **state)
{
    (void)state;
    const leat_expr *a = call(">", col(A), number(0), NULL), *b = call(">", col(B), number(0), NULL);
    const leat_expr *both[] = {a, b};
    leat_type boolean = leat_type_make(LEAT_TYPE_BOOLEAN, true);
    check(many(LEAT_EXPR_AND, boolean, both, 2), and_of);
    check(many(LEAT_EXPR_OR, boolean, both, 2), or_of);
    check(call("COALESCE", col(A), col(B), NULL), coalesce_of);
    check(call("BETWEEN", col(A), number(0), col(B)), between_of);
    const leat_expr *list[] = {col(A), number(1), number(2), col(B)};
    leat_expr in = *many(LEAT_EXPR_CALL, boolean, list, 4);
    in.function = "IN";
    check(keep(in), in_of);
}

/* a / b fails where b is 0: guarded by CASE, IF and AND it must never be asked. */
static void guarded_rows_never_fail(void **state)
{
    (void)state;
    leat_type type = leat_type_make(LEAT_TYPE_INT, true), boolean = leat_type_make(LEAT_TYPE_BOOLEAN, true);
    const leat_expr *guard = call("<>", col(B), number(0), NULL), *quotient = call("/", col(A), col(B), NULL);
    const leat_expr *null = keep((leat_expr){.kind = LEAT_EXPR_LITERAL, .type = type, .value = {.is_null = true}});
    const leat_expr *branches[] = {guard, quotient, null};
    check(many(LEAT_EXPR_CASE, type, branches, 3), quotient_of);
    check(call("IF", guard, quotient, null), quotient_of);
    const leat_expr *parts[] = {guard, call(">", quotient, number(0), NULL)};
    leat_program *program;
    leat_error error = {0};
    const leat_expr *both = many(LEAT_EXPR_AND, boolean, parts, 2);
    assert_int_equal(leat_program_compile(&both, 1, &schema, NULL, &program, &error), LEAT_OK);
    leat_batch *batch = random_batch(200, true, false);
    assert_int_equal(leat_program_filter(program, batch, &error), LEAT_OK);
    for (int32_t i = 0; i < batch->selected; i++)
        assert_true(int_of(batch, A, leat_batch_row(batch, i)) / int_of(batch, B, leat_batch_row(batch, i)) > 0);
    /* … and what a filter dropped is not computed any more. */
    leat_program *division;
    leat_column out = {0};
    assert_int_equal(leat_program_compile(&quotient, 1, &schema, NULL, &division, &error), LEAT_OK);
    assert_int_equal(leat_program_run(division, batch, &out, &error), LEAT_OK);
    leat_column_clear(&out);
    leat_batch_free(batch);
    batch = random_batch(200, false, false);
    assert_int_equal(leat_program_run(division, batch, &out, &error), LEAT_INVALID);
    assert_string_equal(error.text, "/ by zero");
    leat_batch_free(batch);
    leat_program_free(division);
    leat_program_free(program);
}

static void upper_of(const leat_batch *batch, int32_t row, char *out, size_t size)
{
    const leat_column *texts = &batch->columns[S];
    if (leat_column_is_null(texts, row)) {
        snprintf(out, size, "NULL");
        return;
    }
    const leat_view *view = (const leat_view *)texts->values + row;
    snprintf(out, size, "%.*s|", view->length, leat_view_data(texts, view));
    for (char *c = out; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
}

static void case_text_of(const leat_batch *batch, int32_t row, char *out, size_t size)
{
    if (!null_of(batch, A, row) && int_of(batch, A, row) > 0) {
        snprintf(out, size, "the other branch is constant");
        return;
    }
    upper_of(batch, row, out, size);
}

static void texts_match_the_row_loop(void **state)
{
    (void)state;
    const leat_expr *upper = call("UPPER", call("||", col(S), text("|"), NULL), NULL, NULL);
    check(upper, upper_of);
    const leat_expr *branches[] = {call(">", col(A), number(0), NULL), text("the other branch is constant"), upper};
    check(many(LEAT_EXPR_CASE, upper->type, branches, 3), case_text_of);
}

static void decimal_of(const leat_batch *batch, int32_t row, char *out, size_t size)
{
    if (null_of(batch, M, row) || null_of(batch, B, row)) {
        snprintf(out, size, "NULL");
        return;
    }
    double value = (double)((const __int128 *)batch->columns[M].values)[row] / 100 * (double)int_of(batch, B, row);
    snprintf(out, size, "%.2f", value == 0 ? 0.0 : value);
}

static void decimals_match_the_row_loop(void **state)
{
    (void)state;
    check(call("*", col(M), col(B), NULL), decimal_of);
}

static void common_parts_are_computed_once_and_outputs_outlive_the_next_run(void **state)
{
    (void)state;
    const leat_expr *sum = call("+", col(A), col(B), NULL);
    const leat_expr *exprs[] = {sum, call("+", sum, sum, NULL), col(S), text("a constant text of some length")};
    leat_program *program;
    leat_error error = {0};
    assert_int_equal(leat_program_compile(exprs, 4, &schema, NULL, &program, &error), LEAT_OK);
    leat_batch *first = random_batch(100, true, false), *second = random_batch(100, true, true);
    leat_column one[4], two[4];
    assert_int_equal(leat_program_run(program, first, one, &error), LEAT_OK);
    assert_int_equal(leat_program_run(program, second, two, &error), LEAT_OK);
    for (int32_t row = 0; row < 100; row++) {
        bool is_null = null_of(first, A, row) || null_of(first, B, row);
        assert_int_equal(leat_column_is_null(&one[1], row), is_null);
        if (is_null) continue;
        int32_t want = (int32_t)(uint32_t)(2 * (int_of(first, A, row) + int_of(first, B, row)));
        assert_int_equal(((const int32_t *)one[1].values)[row], want);
    }
    for (int i = 0; i < 4; i++) {
        leat_column_clear(&one[i]);
        leat_column_clear(&two[i]);
    }
    leat_batch_free(first);
    leat_batch_free(second);
    leat_program_free(program);
}

static int64_t hurrying_ms(leat_env *env)
{
    static int64_t now_ms = 1700000000000;
    (void)env;
    return now_ms += 1000;
}

static void all_clocks_of_a_batch_show_one_instant(void **state)
{
    (void)state;
    static const leat_env_vtable vtable = {.now_ms = hurrying_ms};
    leat_env env = {.vtable = &vtable};
    const leat_expr *one = call("NOW", NULL, NULL, NULL), *other = call("CURRENT_TIMESTAMP", NULL, NULL, NULL);
    const leat_expr *exprs[] = {one, other};
    leat_program_options options = {.env = &env};
    leat_program *program;
    assert_int_equal(leat_program_compile(exprs, 2, &schema, &options, &program, NULL), LEAT_OK);
    leat_batch *batch = random_batch(3, true, false);
    int64_t before = 0;
    for (int i = 0; i < 3; i++) {
        leat_column out[2];
        assert_int_equal(leat_program_run(program, batch, out, NULL), LEAT_OK);
        int64_t first = ((const int64_t *)out[0].values)[0];
        assert_int_equal(((const int64_t *)out[1].values)[0], first);
        assert_true(first > before);
        before = first;
        leat_column_clear(&out[0]);
        leat_column_clear(&out[1]);
    }
    leat_batch_free(batch);
    leat_program_free(program);
}

static void a_tree_survives_writing_and_reading(void **state)
{
    (void)state;
    const leat_expr *expr = call("IF", call("LIKE", col(S), text("n%"), NULL),
                                 cast(col(M), leat_type_string(true), LEAT_EXPR_TRY_CAST), text("x"));
    leat_bytes bytes = {0}, one = {0}, two = {0};
    leat_expr_write(expr, &bytes);
    leat_reader reader;
    leat_reader_init(&reader, bytes.data, bytes.size);
    const leat_expr *again;
    leat_error error = {0};
    assert_int_equal(leat_expr_read(&reader, &arena, &again, &error), LEAT_OK);
    leat_expr_print(expr, &schema, &one);
    leat_expr_print(again, &schema, &two);
    assert_string_equal((char *)one.data, (char *)two.data);
    for (size_t cut = 0; cut < bytes.size; cut++) { /* any prefix is refused, none is believed */
        leat_reader_init(&reader, bytes.data, cut);
        assert_int_not_equal(leat_expr_read(&reader, &arena, &again, &error), LEAT_OK);
    }
    leat_bytes_done(&bytes);
    leat_bytes_done(&one);
    leat_bytes_done(&two);
}

static void errors_are_in_flinks_words(void **state)
{
    (void)state;
    static leat_function_match match;
    leat_error error = {0};
    leat_type types[] = {{.kind = LEAT_TYPE_CHAR, .precision = 1}, {.kind = LEAT_TYPE_INT}};
    assert_int_equal(leat_function_resolve("+", types, 2, &match, &error), LEAT_INVALID);
    assert_string_equal(error.text, "Cannot apply '+' to arguments of type '<CHAR(1)> + <INTEGER>'. Supported form(s): "
                                    "'<NUMERIC> + <NUMERIC>'");
    assert_int_equal(leat_function_resolve("=", types, 2, &match, &error), LEAT_INVALID);
    assert_string_equal(error.text, "implicit type conversion between CHAR and INTEGER is not supported now");
    assert_int_equal(leat_function_resolve("UPER", types, 1, &match, &error), LEAT_NOT_FOUND);
    assert_string_equal(error.text, "No match found for function signature UPER(<CHARACTER>)");
    assert_string_equal(error.hint, "did you mean UPPER?");
}

static void texts_of_numbers_are_javas(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *want;
    } cases[] = {{1, "1.0"},
                 {1e10, "1.0E10"},
                 {1e7, "1.0E7"},
                 {9999999, "9999999.0"},
                 {0.001, "0.001"},
                 {1e-4, "1.0E-4"},
                 {-0.0, "-0.0"},
                 {0.1, "0.1"},
                 {123456789.123, "1.23456789123E8"},
                 {2.0 / 3, "0.6666666666666666"},
                 {4.9e-324, "4.9E-324"},
                 {1.7976931348623157e308, "1.7976931348623157E308"},
                 {NAN, "NaN"},
                 {-INFINITY, "-Infinity"}};
    char out[LEAT_DOUBLE_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        leat_double_print(cases[i].value, out);
        assert_string_equal(out, cases[i].want);
    }
    leat_float_print(0.1f, out);
    assert_string_equal(out, "0.1");
}

static void decimals_keep_38_digits(void **state)
{
    (void)state;
    __int128 value, other;
    char out[LEAT_DECIMAL_TEXT_MAX];
    assert_int_equal(leat_decimal_parse("99999999999999999999999999999999999999", 38, 38, 0, &value), LEAT_DECIMAL_OK);
    leat_decimal_print(value, 0, out);
    assert_string_equal(out, "99999999999999999999999999999999999999");
    assert_false(leat_decimal_add(value, 0, 1, 0, 38, 0, &other));
    assert_true(leat_decimal_divide(1, 0, 3, 0, 38, 38, &other));
    leat_decimal_print(other, 38, out);
    assert_string_equal(out, "0.33333333333333333333333333333333333333");
    assert_true(leat_decimal_multiply(value, 38, value, 38, 38, 6, &other)); /* 0.99…² to six digits */
    leat_decimal_print(other, 6, out);
    assert_string_equal(out, "1.000000");
    assert_true(leat_decimal_compare(value, 0, value, 38) > 0);
    assert_int_equal(leat_decimal_parse("-1.005", 6, 3, 2, &other), LEAT_DECIMAL_OK);
    leat_decimal_print(other, 2, out);
    assert_string_equal(out, "-1.01");
}

static int setup(void **state)
{
    (void)state;
    leat_arena_init(&arena, 64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_match_the_row_loop),
        cmocka_unit_test(logic_matches_the_row_loop),
        cmocka_unit_test(guarded_rows_never_fail),
        cmocka_unit_test(texts_match_the_row_loop),
        cmocka_unit_test(decimals_match_the_row_loop),
        cmocka_unit_test(common_parts_are_computed_once_and_outputs_outlive_the_next_run),
        cmocka_unit_test(a_tree_survives_writing_and_reading),
        cmocka_unit_test(errors_are_in_flinks_words),
        cmocka_unit_test(all_clocks_of_a_batch_show_one_instant),
        cmocka_unit_test(texts_of_numbers_are_javas),
        cmocka_unit_test(decimals_keep_38_digits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
