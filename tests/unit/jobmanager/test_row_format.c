#include "tests/unit.h"

#include <string.h>

#include "common/memory.h"
#include "jobmanager/row_format.h"

enum { COLUMNS = 10 };

static leat_type with_precision(leat_type_kind kind, int32_t precision)
{
    leat_type type = leat_type_make(kind, true);
    type.precision = precision;
    return type;
}

static leat_schema make_schema(leat_field fields[COLUMNS])
{
    const leat_field all[COLUMNS] = {{"id", leat_type_make(LEAT_TYPE_INT, true)},
                                     {"na,me", leat_type_string(true)},
                                     {"amount", leat_type_decimal(10, 2, true)},
                                     {"flag", leat_type_make(LEAT_TYPE_BOOLEAN, true)},
                                     {"raw", with_precision(LEAT_TYPE_VARBINARY, LEAT_LENGTH_MAX)},
                                     {"day", leat_type_make(LEAT_TYPE_DATE, true)},
                                     {"at", with_precision(LEAT_TYPE_TIME, 0)},
                                     {"ts", with_precision(LEAT_TYPE_TIMESTAMP, 3)},
                                     {"ltz", with_precision(LEAT_TYPE_TIMESTAMP_LTZ, 3)},
                                     {"x", leat_type_make(LEAT_TYPE_DOUBLE, true)}};
    memcpy(fields, all, sizeof all);
    return (leat_schema){COLUMNS, fields};
}

typedef struct values {
    int32_t id;
    const char *name;
    size_t name_length;
    __int128 amount;
    int8_t flag;
    const char *raw;
    size_t raw_length;
    int32_t day, at;
    int64_t ts, ltz;
    double x;
} values;

static void append(leat_batch_builder *builder, leat_row_kind kind, const values *row)
{
    assert_int_equal(leat_batch_builder_begin_row(builder, kind, NULL), LEAT_OK);
    if (!row) return; /* all NULL */
    leat_batch_builder_set_fixed(builder, 0, &row->id);
    assert_int_equal(leat_batch_builder_set_bytes(builder, 1, row->name, row->name_length, NULL), LEAT_OK);
    leat_batch_builder_set_fixed(builder, 2, &row->amount);
    leat_batch_builder_set_fixed(builder, 3, &row->flag);
    assert_int_equal(leat_batch_builder_set_bytes(builder, 4, row->raw, row->raw_length, NULL), LEAT_OK);
    leat_batch_builder_set_fixed(builder, 5, &row->day);
    leat_batch_builder_set_fixed(builder, 6, &row->at);
    leat_batch_builder_set_fixed(builder, 7, &row->ts);
    leat_batch_builder_set_fixed(builder, 8, &row->ltz);
    leat_batch_builder_set_fixed(builder, 9, &row->x);
}

static char *format(leat_row_format format, bool has_kind, leat_row_kind kind, const values *row)
{
    leat_field fields[COLUMNS];
    leat_schema schema = make_schema(fields);
    leat_batch_builder builder;
    leat_batch *batch = NULL;
    leat_bytes out = {0};
    assert_int_equal(leat_batch_builder_init_schema(&builder, &schema, 4, NULL), LEAT_OK);
    append(&builder, kind, row);
    assert_int_equal(leat_batch_builder_finish(&builder, &batch, NULL), LEAT_OK);
    assert_int_equal(leat_row_format_write(format, &schema, batch, has_kind, "UTC", &out, NULL), LEAT_OK);
    leat_bytes_text(&out, "");
    leat_batch_free(batch);
    leat_batch_builder_done(&builder);
    return (char *)out.data;
}

static const values ordinary = {.id = -7,
                                .name = "a \"q\" \\ b\n",
                                .name_length = 10,
                                .amount = -5,
                                .flag = 1,
                                .raw = "\x00\xff",
                                .raw_length = 2,
                                .day = 19782,
                                .at = 43200000,
                                .ts = INT64_C(1709208000001000),
                                .ltz = -1000,
                                .x = 0.5};

static void json_has_typed_values_and_iso_times(void **state)
{
    (void)state;
    char *text = format(LEAT_ROW_FORMAT_JSON, true, LEAT_ROW_UPDATE_AFTER, &ordinary);
    assert_string_equal(
        text, "{\"$kind\":\"+U\",\"id\":-7,\"na,me\":\"a \\\"q\\\" \\\\ b\\n\",\"amount\":\"-0.05\",\"flag\":true,"
              "\"raw\":\"0x00ff\",\"day\":\"2024-02-29\",\"at\":\"12:00\",\"ts\":\"2024-02-29T12:00:00.001\","
              "\"ltz\":\"1969-12-31T23:59:59.999Z\",\"x\":0.5}\n");
    leat_free(text);
}

static void json_leaves_the_kind_out_unless_asked(void **state)
{
    (void)state;
    char *text = format(LEAT_ROW_FORMAT_JSON, false, LEAT_ROW_INSERT, NULL);
    assert_string_equal(
        text, "{\"id\":null,\"na,me\":null,\"amount\":null,\"flag\":null,\"raw\":null,\"day\":null,\"at\":null,"
              "\"ts\":null,\"ltz\":null,\"x\":null}\n");
    leat_free(text);
}

static void numbers_that_json_lacks_are_strings(void **state)
{
    (void)state;
    values row = ordinary;
    row.x = -__builtin_inf();
    char *text = format(LEAT_ROW_FORMAT_JSON, false, LEAT_ROW_INSERT, &row);
    assert_non_null(strstr(text, "\"x\":\"-Infinity\""));
    leat_free(text);
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    values row = ordinary;
    row.name = "\xc3\xa4\xff\xed\xa0\x80|";
    row.name_length = 7;
    char *text = format(LEAT_ROW_FORMAT_JSON, false, LEAT_ROW_INSERT, &row);
    assert_non_null(strstr(text, "\"na,me\":\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\""));
    leat_free(text);
}

static void rows_have_texts_as_flinks_client_prints_them(void **state)
{
    (void)state;
    char *text = format(LEAT_ROW_FORMAT_ROWS, false, LEAT_ROW_DELETE, &ordinary);
    assert_string_equal(
        text, "[\"-D\",\"-7\",\"a \\\"q\\\" \\\\ b\\n\",\"-0.05\",\"TRUE\",\"x'00ff'\",\"2024-02-29\",\"12:00:00\","
              "\"2024-02-29 12:00:00.001\",\"1969-12-31 23:59:59.999\",\"0.5\"]\n");
    leat_free(text);
}

static void csv_quotes_what_needs_it(void **state)
{
    (void)state;
    leat_field fields[COLUMNS];
    leat_schema schema = make_schema(fields);
    leat_bytes head = {0};
    leat_row_format_csv_header(&schema, true, &head);
    leat_bytes_text(&head, "");
    assert_string_equal(head.data, "$kind,id,\"na,me\",amount,flag,raw,day,at,ts,ltz,x\n");
    leat_bytes_done(&head);
    values row = ordinary;
    row.name_length = 0;
    char *text = format(LEAT_ROW_FORMAT_CSV, false, LEAT_ROW_INSERT, &row);
    assert_string_equal(
        text, "-7,\"\",-0.05,TRUE,x'00ff',2024-02-29,12:00:00,2024-02-29 12:00:00.001,1969-12-31 23:59:59.999,0.5\n");
    leat_free(text);
    text = format(LEAT_ROW_FORMAT_CSV, true, LEAT_ROW_INSERT, NULL);
    assert_string_equal(text, "+I,,,,,,,,,,\n");
    leat_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_typed_values_and_iso_times),
        cmocka_unit_test(json_leaves_the_kind_out_unless_asked),
        cmocka_unit_test(numbers_that_json_lacks_are_strings),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(rows_have_texts_as_flinks_client_prints_them),
        cmocka_unit_test(csv_quotes_what_needs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
