#include "tests/unit.h"

#include "common/memory.h"
#include "formats/avro/avro.h"

static const char schema_text[] =
    "{\"type\":\"record\",\"name\":\"r\",\"namespace\":\"n\",\"fields\":["
    "{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"l\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-"
    "millis\"}},"
    "{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"b\",\"type\":\"boolean\"},"
    "{\"name\":\"s\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"colour\",\"symbols\":[\"RED\",\"BLUE\"]}},"
    "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"four\",\"size\":4}},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"long\"]}},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"bytes\"}},"
    "{\"name\":\"next\",\"type\":[\"null\",\"r\"]}]}";

static leat_arena arena;

static int set_up(void **state)
{
    (void)state;
    leat_arena_init(&arena, 64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    leat_arena_done(&arena);
    return 0;
}

static const leat_avro_schema *parse(const char *text)
{
    const leat_avro_schema *schema;
    leat_error error = {0};
    if (leat_avro_schema_parse(text, strlen(text), &arena, &schema, &error) != LEAT_OK) fail_msg("%s", error.text);
    return schema;
}

static leat_avro_value make_record(int64_t number, const leat_avro_value *next)
{
    leat_avro_value *items = leat_arena_take(&arena, 11 * sizeof *items);
    leat_avro_value *list = leat_arena_take(&arena, 4 * sizeof *list);
    list[0] = leat_avro_null();
    list[1] = leat_avro_long(number);
    list[2] = leat_avro_text("key");
    list[3] = leat_avro_bytes("\0\1", 2);
    items[0] = leat_avro_int(number);
    items[1] = leat_avro_long(-number * 1000000007);
    items[2] = (leat_avro_value){.kind = LEAT_AVRO_FLOAT, .number = 1.5};
    items[3] = (leat_avro_value){.kind = LEAT_AVRO_DOUBLE, .number = -0.1};
    items[4] = (leat_avro_value){.kind = LEAT_AVRO_BOOLEAN, .boolean = true};
    items[5] = number % 2 ? leat_avro_text("odd") : leat_avro_null();
    items[6] = (leat_avro_value){.kind = LEAT_AVRO_ENUM, .integer = 1};
    items[7] = (leat_avro_value){.kind = LEAT_AVRO_FIXED, .bytes = {(const uint8_t *)"four", 4}};
    items[8] = (leat_avro_value){.kind = LEAT_AVRO_ARRAY, .list = {list, NULL, 2}};
    items[9] = (leat_avro_value){.kind = LEAT_AVRO_MAP, .list = {list + 3, list + 2, 1}};
    items[10] = next ? *next : leat_avro_null();
    return (leat_avro_value){.kind = LEAT_AVRO_RECORD, .list = {items, NULL, 11}};
}

static void write_file(const char *codec, int records, leat_bytes *out)
{
    const leat_avro_schema *schema = parse(schema_text);
    leat_avro_writer writer;
    assert_int_equal(
        leat_avro_writer_init(&writer, schema_text, schema, codec, (const uint8_t *)"sixteen bytes...", out, NULL),
        LEAT_OK);
    for (int i = 0; i < records; i++) {
        leat_avro_value inner = make_record(7, NULL), record = make_record(i, i % 3 ? NULL : &inner);
        leat_error error = {0};
        if (leat_avro_writer_add(&writer, &record, &error) != LEAT_OK) fail_msg("%s", error.text);
    }
    assert_int_equal(leat_avro_writer_finish(&writer, NULL), LEAT_OK);
    leat_avro_writer_done(&writer);
}

static leat_code read_file(const leat_bytes *bytes, const leat_avro_schema *wanted, int *records, leat_avro_value *last,
                           leat_error *error)
{
    leat_avro_file file;
    *records = 0;
    LEAT_TRY(leat_avro_file_open(bytes->data, bytes->size, &arena, &file, error));
    for (;;) {
        bool has_value;
        leat_avro_value value;
        LEAT_TRY(leat_avro_file_next(&file, wanted, &arena, &has_value, &value, error));
        if (!has_value) return LEAT_OK;
        *last = value;
        ++*records;
    }
}

static void every_codec_gives_back_what_was_written(void **state)
{
    (void)state;
    static const char *const codecs[] = {"null", "deflate", "zstandard", "zstd"};
    for (size_t c = 0; c < 4; c++) {
        leat_bytes bytes = {0};
        write_file(codecs[c], 2000, &bytes);
        int records;
        leat_avro_value last;
        leat_error error = {0};
        if (read_file(&bytes, NULL, &records, &last, &error) != LEAT_OK) fail_msg("%s: %s", codecs[c], error.text);
        assert_int_equal(records, 2000);
        const leat_avro_value *items = last.list.items;
        assert_int_equal(items[0].integer, 1999);
        assert_int_equal(items[1].integer, -1999 * 1000000007LL);
        assert_true(items[2].number == 1.5 && items[3].number == -0.1 && items[4].boolean);
        assert_int_equal(items[5].bytes.size, 3);
        assert_int_equal(items[6].integer, 1);
        assert_memory_equal(items[7].bytes.data, "four", 4);
        assert_int_equal(items[8].list.count, 2);
        assert_int_equal(items[8].list.items[0].kind, LEAT_AVRO_NULL);
        assert_int_equal(items[8].list.items[1].integer, 1999);
        assert_memory_equal(items[9].list.keys[0].bytes.data, "key", 3);
        assert_int_equal(items[9].list.items[0].bytes.size, 2);
        assert_int_equal(items[10].kind, LEAT_AVRO_NULL);
        leat_bytes_done(&bytes);
        leat_arena_reset(&arena);
    }
}

static void the_reader_sees_the_fields_that_it_wants(void **state)
{
    (void)state;
    leat_bytes bytes = {0};
    write_file("zstandard", 4, &bytes);
    const leat_avro_schema *wanted =
        parse("{\"type\":\"record\",\"name\":\"other\",\"fields\":[{\"name\":\"s\",\"type\":[\"string\",\"null\"]},"
              "{\"name\":\"new\",\"type\":{\"type\":\"array\",\"items\":\"int\"},\"default\":[1,2]},"
              "{\"name\":\"i\",\"type\":[\"null\",\"double\"]},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":"
              "\"colour\","
              "\"symbols\":[\"GREEN\",\"BLUE\"]}}]}");
    int records;
    leat_avro_value last;
    assert_int_equal(read_file(&bytes, wanted, &records, &last, NULL), LEAT_OK);
    assert_int_equal(records, 4);
    const leat_avro_value *items = last.list.items;
    assert_int_equal(items[0].kind, LEAT_AVRO_STRING);
    assert_int_equal(items[1].list.count, 2);
    assert_int_equal(items[1].list.items[1].integer, 2);
    assert_true(items[2].kind == LEAT_AVRO_DOUBLE && items[2].number == 3);
    assert_int_equal(items[3].integer, 1);
    const leat_avro_schema *missing =
        parse("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"nowhere\",\"type\":\"int\"}]}");
    assert_int_equal(read_file(&bytes, missing, &records, &last, NULL), LEAT_CORRUPT);
    const leat_avro_schema *narrower =
        parse("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"l\",\"type\":\"int\"}]}");
    assert_int_equal(read_file(&bytes, narrower, &records, &last, NULL), LEAT_CORRUPT);
    leat_bytes_done(&bytes);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    static const char *const codecs[] = {"null", "deflate", "zstandard"};
    for (size_t c = 0; c < 3; c++) {
        leat_bytes bytes = {0};
        write_file(codecs[c], 20, &bytes);
        int records;
        leat_avro_value last;
        for (size_t at = 0; at < bytes.size; at++) {
            uint8_t was = bytes.data[at];
            for (int bit = 0; bit < 8; bit += 3) {
                bytes.data[at] = (uint8_t)(was ^ 1u << bit);
                (void)!read_file(&bytes, NULL, &records, &last, NULL); /* any answer but a crash */
                leat_arena_reset(&arena);
            }
            bytes.data[at] = was;
            leat_bytes cut = {.data = bytes.data, .size = at};
            leat_code code = read_file(&cut, NULL, &records, &last, NULL);
            if (code == LEAT_OK) assert_int_equal(records, 0); /* only right behind the header */
            leat_arena_reset(&arena);
        }
        leat_bytes_done(&bytes);
    }
}

static void broken_schemas_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "\"nope\"",
        "{\"type\":\"record\"}",
        "{\"type\":\"array\"}",
        "{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\"}]}",
        "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[1]}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"string\",\"default\":3}]}",
        "3",
        "null",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const leat_avro_schema *schema;
        assert_int_equal(leat_avro_schema_parse(texts[i], strlen(texts[i]), &arena, &schema, NULL), LEAT_CORRUPT);
    }
    leat_bytes deep = {0};
    for (int i = 0; i < 1000; i++)
        leat_bytes_text(&deep, "{\"type\":\"array\",\"items\":");
    leat_bytes_text(&deep, "\"int\"");
    for (int i = 0; i < 1000; i++)
        leat_bytes_text(&deep, "}");
    const leat_avro_schema *schema;
    assert_int_equal(leat_avro_schema_parse((const char *)deep.data, deep.size, &arena, &schema, NULL), LEAT_LIMIT);
    leat_bytes_done(&deep);
}

/* A list that says it has 2^40 elements of no bytes, and a record within itself without end. */
static void lists_and_records_are_bounded(void **state)
{
    (void)state;
    const leat_avro_schema *nulls = parse("{\"type\":\"array\",\"items\":\"null\"}");
    leat_reader reader;
    leat_avro_value value;
    static const uint8_t many[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0};
    leat_reader_init(&reader, many, sizeof many);
    assert_int_equal(leat_avro_decode(&reader, nulls, NULL, &arena, &value, NULL), LEAT_CORRUPT);
    const leat_avro_schema *nested =
        parse("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"r\",\"type\":[\"null\",\"r\"]}]}");
    uint8_t deeper[1000];
    memset(deeper, 2, sizeof deeper);
    leat_reader_init(&reader, deeper, sizeof deeper);
    assert_int_equal(leat_avro_decode(&reader, nested, NULL, &arena, &value, NULL), LEAT_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_codec_gives_back_what_was_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_reader_sees_the_fields_that_it_wants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_schemas_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_and_records_are_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
