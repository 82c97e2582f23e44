#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "columnar/type.h"
#include "common/memory.h"

static leat_arena arena;

static int make_arena(void **state)
{
    (void)state;
    leat_arena_init(&arena, 1 << 20);
    return 0;
}

static int drop_arena(void **state)
{
    (void)state;
    leat_arena_done(&arena);
    return 0;
}

static void check_text(const char *given, const char *expected, bool short_names)
{
    leat_type type;
    leat_error error = {0};
    leat_bytes printed = {0};
    if (leat_type_parse(given, &arena, &type, &error) != LEAT_OK) fail_msg("%s", error.text);
    leat_type_print(&type, short_names, &printed);
    assert_string_equal((const char *)printed.data, expected);
    leat_bytes_done(&printed);
}

/* What a type prints is parsed back to an equal type. */
static void check_round_trip(const char *text)
{
    leat_type type, again;
    leat_bytes printed = {0};
    assert_int_equal(leat_type_parse(text, &arena, &type, NULL), LEAT_OK);
    leat_type_print(&type, false, &printed);
    assert_int_equal(leat_type_parse((const char *)printed.data, &arena, &again, NULL), LEAT_OK);
    assert_true(leat_type_equal(&type, &again, true));
    leat_bytes_done(&printed);
}

static void types_print_as_flink_prints_them(void **state)
{
    (void)state;
    check_text("int", "INT", false);
    check_text("INTEGER NOT NULL", "INT NOT NULL", false);
    check_text("STRING", "VARCHAR(2147483647)", false);
    check_text("string", "STRING", true);
    check_text("BYTES", "VARBINARY(2147483647)", false);
    check_text("VARCHAR", "VARCHAR(1)", false);
    check_text("CHAR(7)", "CHAR(7)", true);
    check_text("DECIMAL", "DECIMAL(10, 0)", false);
    check_text("decimal( 5 )", "DECIMAL(5, 0)", false);
    check_text("NUMERIC(38,18)", "DECIMAL(38, 18)", false);
    check_text("DOUBLE PRECISION", "DOUBLE", false);
    check_text("TIMESTAMP", "TIMESTAMP(6)", false);
    check_text("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)", false);
    check_text("TIMESTAMP_LTZ(3)", "TIMESTAMP(3) WITH LOCAL TIME ZONE", false);
    check_text("TIMESTAMP(0) WITH LOCAL TIME ZONE NOT NULL", "TIMESTAMP(0) WITH LOCAL TIME ZONE NOT NULL", false);
    check_text("TIME", "TIME(0)", false);
    check_text("ARRAY<INT NOT NULL>", "ARRAY<INT NOT NULL>", false);
    check_text("MAP<STRING,ARRAY<DATE>>", "MAP<STRING, ARRAY<DATE>>", true);
    check_text("ROW<a INT, `b c` BOOLEAN NOT NULL>", "ROW<`a` INT, `b c` BOOLEAN NOT NULL>", false);
    check_text("ROW(`x` INT)", "ROW<`x` INT>", false);
}

static void printed_types_are_parsed_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "BOOLEAN",       "TINYINT",         "SMALLINT NOT NULL", "BIGINT",
        "FLOAT",         "DECIMAL(38, 38)", "BINARY(3)",         "VARBINARY(9)",
        "DATE",          "TIME(3)",         "TIMESTAMP(9)",      "TIMESTAMP_LTZ",
        "MULTISET<INT>", "ROW<>",           "ROW<`a``b` INT>",   "MAP<INT, ROW<`x` ARRAY<BYTES>>>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_round_trip(texts[i]);
}

static void wrong_types_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        leat_code code;
    } cases[] = {
        {"", LEAT_INVALID},
        {"INTT", LEAT_INVALID},
        {"DECIMAL(39, 0)", LEAT_INVALID},
        {"DECIMAL(0, 0)", LEAT_INVALID},
        {"DECIMAL(5, 6)", LEAT_INVALID},
        {"VARCHAR(99999999999)", LEAT_INVALID},
        {"TIMESTAMP(10)", LEAT_INVALID},
        {"TIMESTAMP(3) WITH TIME ZONE", LEAT_UNSUPPORTED},
        {"ARRAY<INT", LEAT_INVALID},
        {"ARRAY<INT, INT>", LEAT_INVALID},
        {"MAP<INT>", LEAT_INVALID},
        {"ROW<INT>", LEAT_INVALID},
        {"ROW<`a INT>", LEAT_INVALID},
        {"INT NOT", LEAT_INVALID},
        {"INT NULL NULL", LEAT_INVALID},
        {"INT garbage", LEAT_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_type type;
        leat_error error = {0};
        leat_code code = leat_type_parse(cases[i].text, &arena, &type, &error);
        if (code != cases[i].code) fail_msg("'%s': %s (%s)", cases[i].text, leat_code_name(code), error.text);
        assert_true(error.text[0] != '\0');
    }
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    char text[2000] = "";
    size_t used = 0;
    for (int i = 0; i < 40; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "ARRAY<");
    used += (size_t)snprintf(text + used, sizeof text - used, "INT");
    for (int i = 0; i < 40; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ">");
    leat_type type;
    assert_int_equal(leat_type_parse(text, &arena, &type, NULL), LEAT_LIMIT);
}

static void layouts_follow_the_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        leat_layout layout;
    } cases[] = {{"BOOLEAN", LEAT_LAYOUT_8},    {"SMALLINT", LEAT_LAYOUT_16},     {"DATE", LEAT_LAYOUT_32},
                 {"TIME", LEAT_LAYOUT_32},      {"TIMESTAMP(3)", LEAT_LAYOUT_64}, {"DECIMAL(3, 1)", LEAT_LAYOUT_128},
                 {"CHAR(2)", LEAT_LAYOUT_VIEW}, {"BYTES", LEAT_LAYOUT_VIEW}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_type type;
        assert_int_equal(leat_type_parse(cases[i].text, &arena, &type, NULL), LEAT_OK);
        assert_true(leat_type_has_column(&type));
        assert_int_equal(leat_type_layout(&type), cases[i].layout);
    }
    leat_type type;
    assert_int_equal(leat_type_parse("ARRAY<INT>", &arena, &type, NULL), LEAT_OK);
    assert_false(leat_type_has_column(&type));
    assert_int_equal(leat_type_parse("TIMESTAMP(9)", &arena, &type, NULL), LEAT_OK);
    assert_false(leat_type_has_column(&type));
}

static void make_schema(leat_schema *schema)
{
    static leat_field fields[3];
    fields[0] = (leat_field){"client_id", leat_type_make(LEAT_TYPE_INT, false)};
    fields[1] = (leat_field){"full name", leat_type_string(true)};
    fields[2] = (leat_field){"nested", {0}};
    assert_int_equal(leat_type_parse("ROW<`a` INT, `b` MAP<STRING, DECIMAL(5, 2)>>", &arena, &fields[2].type, NULL),
                     LEAT_OK);
    *schema = (leat_schema){3, fields};
}

static void assert_same_schema(const leat_schema *left, const leat_schema *right)
{
    assert_int_equal(left->fields_count, right->fields_count);
    for (int32_t i = 0; i < left->fields_count; i++) {
        assert_string_equal(left->fields[i].name, right->fields[i].name);
        assert_true(leat_type_equal(&left->fields[i].type, &right->fields[i].type, true));
    }
}

static void a_schema_is_written_copied_and_found(void **state)
{
    (void)state;
    leat_schema schema, copy, back;
    leat_bytes bytes = {0};
    leat_reader reader;
    make_schema(&schema);
    assert_int_equal(leat_schema_copy(&arena, &schema, &copy, NULL), LEAT_OK);
    assert_same_schema(&schema, &copy);
    leat_schema_write(&schema, &bytes);
    leat_reader_init(&reader, bytes.data, bytes.size);
    assert_int_equal(leat_schema_read(&reader, &arena, &back, NULL), LEAT_OK);
    assert_int_equal(leat_reader_check(&reader, true, "schema", NULL), LEAT_OK);
    assert_same_schema(&schema, &back);
    assert_int_equal(leat_schema_find(&schema, "full name"), 1);
    assert_int_equal(leat_schema_find(&schema, "Full Name"), -1);
    leat_bytes_done(&bytes);
}

static void a_cut_schema_is_corrupt(void **state)
{
    (void)state;
    leat_schema schema, back;
    leat_bytes bytes = {0};
    make_schema(&schema);
    leat_schema_write(&schema, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        leat_reader reader;
        leat_reader_init(&reader, bytes.data, size);
        assert_int_not_equal(leat_schema_read(&reader, &arena, &back, NULL), LEAT_OK);
    }
    leat_bytes_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(types_print_as_flink_prints_them),
        cmocka_unit_test(printed_types_are_parsed_back),
        cmocka_unit_test(wrong_types_are_refused_with_their_place),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(layouts_follow_the_types),
        cmocka_unit_test(a_schema_is_written_copied_and_found),
        cmocka_unit_test(a_cut_schema_is_corrupt),
    };
    return cmocka_run_group_tests(list, make_arena, drop_arena);
}
