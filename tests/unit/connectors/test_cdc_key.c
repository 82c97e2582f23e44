// clang-format off
#include "tests/unit.h"
// clang-format on
#include <string.h>

#include "connectors/mysql/cdc_reader.h"

#define BYTES(text) .kind = LEAT_CELL_BYTES, .data = (const uint8_t *)(text), .size = sizeof(text) - 1

static void literals_are_of_their_columns_type_and_collation(void **state)
{
    (void)state;
    static const struct {
        leat_mysql_column column;
        leat_mysql_cell cell;
        const char *wanted;
    } cases[] = {
        {{.kind = LEAT_MYSQL_VARCHAR, .charset = "latin1", .collation = "latin1_bin"},
         {BYTES("a'\xe9")},
         "_latin1 X'6127E9' COLLATE latin1_bin"},
        {{.kind = LEAT_MYSQL_VARBINARY}, {BYTES("")}, "_binary X''"},
        {{.kind = LEAT_MYSQL_UUID}, {BYTES("123e4567")}, "CAST('123e4567' AS UUID)"},
        {{.kind = LEAT_MYSQL_DECIMAL}, {BYTES("-1.5")}, "-1.5"},
        {{.kind = LEAT_MYSQL_ENUM}, {.kind = LEAT_CELL_INT, .number = 3}, "3"},
        {{.kind = LEAT_MYSQL_TIME}, {.kind = LEAT_CELL_TIME, .number = -1}, "TIME'-00:00:00.000001'"},
        {{.kind = LEAT_MYSQL_DATE}, {.kind = LEAT_CELL_DATE, .number = 1}, "DATE'1970-01-02'"},
        {{.kind = LEAT_MYSQL_DATETIME}, {.kind = LEAT_CELL_DATETIME}, "TIMESTAMP'1970-01-01 00:00:00.000000'"},
        {{.kind = LEAT_MYSQL_DATE}, {.kind = LEAT_CELL_ZERO}, "'0000-00-00'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_bytes text = {0};
        assert_int_equal(leat_cdc_put_key_literal(&cases[i].column, &cases[i].cell, &text, NULL), LEAT_OK);
        leat_bytes_text(&text, "");
        assert_string_equal((const char *)text.data, cases[i].wanted);
        leat_bytes_done(&text);
    }
}

static void keys_that_no_literal_says_are_refused(void **state)
{
    (void)state;
    const leat_mysql_column column = {.kind = LEAT_MYSQL_DATE, .name = "d", .type_text = "date"};
    leat_mysql_cell cell;
    leat_bytes text = {0};
    assert_int_equal(leat_mysql_parse_date("2024-00-10", 10, &cell, NULL), LEAT_OK);
    assert_int_equal(leat_cdc_put_key_literal(&column, &cell, &text, NULL), LEAT_UNSUPPORTED);
    cell = (leat_mysql_cell){.kind = LEAT_CELL_NULL};
    assert_int_equal(leat_cdc_put_key_literal(&column, &cell, &text, NULL), LEAT_UNSUPPORTED);
    leat_bytes_done(&text);
}

static void snapshots_select_keys_as_they_are_stored(void **state)
{
    (void)state;
    static const struct {
        leat_mysql_kind kind;
        const char *wanted;
    } cases[] = {{LEAT_MYSQL_CHAR, "CAST(`k` AS BINARY)"},
                 {LEAT_MYSQL_SET, "CAST(`k` AS UNSIGNED)"},
                 {LEAT_MYSQL_UUID, "`k`"},
                 {LEAT_MYSQL_BIGINT, "`k`"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const leat_mysql_column column = {.kind = cases[i].kind, .name = "k"};
        leat_bytes text = {0};
        leat_cdc_put_key_expression(&column, &text);
        leat_bytes_text(&text, "");
        assert_string_equal((const char *)text.data, cases[i].wanted);
        leat_bytes_done(&text);
    }
}

/* A table with one INT column, the key, read in three parts: up to 10 as of 100, up to 20 as of 300, the rest as of
 * 200. */
typedef struct parts {
    leat_cdc_reader reader;
    leat_cdc_table table;
    leat_mysql_column column;
    int32_t key;
    leat_cdc_segment segments[3];
    leat_binlog_column type;
    leat_cdc_map map;
} parts;

static void parts_init(parts *self, uint64_t position)
{
    *self = (parts){.column = {.kind = LEAT_MYSQL_INT, .name = "id"},
                    .segments = {{.upper = (char *)(uintptr_t) "10", .high = {"b.1", 100}},
                                 {.upper = (char *)(uintptr_t) "20", .high = {"b.1", 300}},
                                 {.high = {"b.1", 200}}},
                    .type = {.type = 3}};
    self->table.definition = (leat_mysql_table){
        .columns = &self->column, .columns_count = 1, .primary_key = &self->key, .primary_key_count = 1};
    self->map = (leat_cdc_map){.map = {.columns_count = 1, .columns = &self->type}, .is_used = true};
    self->reader = (leat_cdc_reader){.tables = &self->table,
                                     .tables_count = 1,
                                     .segments = self->segments,
                                     .segments_count = 3,
                                     .safe = {"b.1", position}};
}

static void parts_done(parts *self)
{
    leat_bytes_done(&self->reader.key);
    leat_bytes_done(&self->reader.key_parts[0]);
    leat_bytes_done(&self->reader.scratch);
    leat_bytes_done(&self->reader.refined);
}

static void a_change_is_news_if_it_came_after_its_keys_part_was_read(void **state)
{
    (void)state;
    static const uint8_t present[] = {1};
    static const int32_t keys[] = {10, 11, 20, 21, -5, 15, 25, 1};
    parts self;
    parts_init(&self, 250);
    uint8_t bytes[sizeof keys / sizeof *keys * 5] = {0}; /* null bitmap, value */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        memcpy(bytes + i * 5 + 1, &keys[i], 4);
    leat_binlog_rows rows = {.change = LEAT_BINLOG_UPDATE, .columns_count = 1, .present = {present, present}};
    leat_reader_init(&rows.rows, bytes, sizeof bytes);
    static const bool wanted[] = {true, false, false, true, true, false, true, true};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i += 2) {
        bool news[2];
        assert_int_equal(leat_cdc_judge(&self.reader, &self.map, &rows, news, NULL), LEAT_OK);
        assert_int_equal(news[0], wanted[i]);
        assert_int_equal(news[1], wanted[i + 1]);
        (void)leat_reader_take(&rows.rows, 10);
    }
    parts_done(&self);
}

static void keys_are_not_looked_at_before_the_first_and_after_the_last_view(void **state)
{
    (void)state;
    leat_binlog_rows rows = {.change = LEAT_BINLOG_INSERT}; /* no bytes at all */
    bool news[2];
    parts self;
    parts_init(&self, 99);
    assert_int_equal(leat_cdc_judge(&self.reader, &self.map, &rows, news, NULL), LEAT_OK);
    assert_false(news[0]);
    parts_init(&self, 300);
    assert_int_equal(leat_cdc_judge(&self.reader, &self.map, &rows, news, NULL), LEAT_OK);
    assert_true(news[0]);
    parts_init(&self, 250); /* of which nothing was read */
    self.reader.segments_count = 0;
    assert_int_equal(leat_cdc_judge(&self.reader, &self.map, &rows, news, NULL), LEAT_OK);
    assert_true(news[0]);
}

static void an_image_without_its_key_is_an_error(void **state)
{
    (void)state;
    static const uint8_t absent[] = {0};
    parts self;
    parts_init(&self, 250);
    leat_binlog_rows rows = {.change = LEAT_BINLOG_DELETE, .columns_count = 1, .present = {absent}};
    uint8_t bytes[1] = {0};
    leat_reader_init(&rows.rows, bytes, sizeof bytes);
    bool news[2];
    leat_error error = {0};
    assert_int_equal(leat_cdc_judge(&self.reader, &self.map, &rows, news, &error), LEAT_INVALID);
    assert_non_null(strstr(error.hint, "binlog_row_image=FULL"));
    parts_done(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_of_their_columns_type_and_collation),
        cmocka_unit_test(keys_that_no_literal_says_are_refused),
        cmocka_unit_test(snapshots_select_keys_as_they_are_stored),
        cmocka_unit_test(a_change_is_news_if_it_came_after_its_keys_part_was_read),
        cmocka_unit_test(keys_are_not_looked_at_before_the_first_and_after_the_last_view),
        cmocka_unit_test(an_image_without_its_key_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
