// clang-format off
#include "tests/unit.h"
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/binlog/json.h"
#include "connectors/mysql/binlog/payload.h"
#include "connectors/mysql/binlog/row.h"

/* Recorded streams of real servers (tests/data/cdc/README.md): each line of the .hex file is an event; the .txt file
 * has an independent decoding. The rows are printed as there and compared. */

enum { LINE_MAX_BYTES = 1 << 20, TABLES_MAX = 64 };

typedef struct stream {
    FILE *hex, *text;
    char *line;
    leat_binlog_format format;
    leat_binlog_table tables[TABLES_MAX];
    int tables_count;
    leat_bytes event, inflated, scratch, printed, json;
    leat_binlog_payload payload;
    int rows, queries;
} stream;

static FILE *open_data(const char *name, const char *ending)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s", CDC_DATA, name, ending);
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("can't open %s", path);
    return file;
}

static void stream_init(stream *self, const char *name)
{
    *self = (stream){.hex = open_data(name, "hex"), .text = open_data(name, "txt"), .line = leat_alloc(LINE_MAX_BYTES)};
}

static void stream_done(stream *self)
{
    fclose(self->hex);
    fclose(self->text);
    for (int i = 0; i < self->tables_count; i++)
        leat_binlog_table_done(&self->tables[i]);
    leat_bytes_done(&self->event);
    leat_bytes_done(&self->inflated);
    leat_bytes_done(&self->scratch);
    leat_bytes_done(&self->printed);
    leat_bytes_done(&self->json);
    leat_binlog_payload_done(&self->payload);
    leat_free(self->line);
}

static bool next_event(stream *self)
{
    if (!fgets(self->line, LINE_MAX_BYTES, self->hex)) return false;
    leat_bytes_reset(&self->event);
    for (const char *at = self->line; at[0] > ' ' && at[1] > ' '; at += 2) {
        unsigned byte;
        assert_int_equal(sscanf(at, "%2x", &byte), 1);
        leat_bytes_put_u8(&self->event, (uint8_t)byte);
    }
    return true;
}

/* The next line of rows of an event that is not a partial update. */
static bool next_expected(stream *self)
{
    static const char *const kinds[] = {"WRITE", "UPDATE", "DELETE"};
    static bool is_rows; /* of the event whose lines come */
    while (fgets(self->line, LINE_MAX_BYTES, self->text)) {
        if (strncmp(self->line, "      ", 6) == 0 && is_rows) {
            self->line[strcspn(self->line, "\n")] = '\0';
            return true;
        }
        if (strncmp(self->line, "      ", 6) == 0) continue;
        is_rows = false;
        for (int i = 0; i < 3; i++)
            is_rows = is_rows || strncmp(self->line + strspn(self->line, " "), kinds[i], strlen(kinds[i])) == 0;
    }
    return false;
}

/* Python's repr of bytes. */
static void print_bytes(leat_bytes *out, const uint8_t *data, size_t size)
{
    char quote = size && memchr(data, '\'', size) && !memchr(data, '"', size) ? '"' : '\'';
    leat_bytes_format(out, "b%c", quote);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = data[i];
        if (byte == '\t')
            leat_bytes_text(out, "\\t");
        else if (byte == '\n')
            leat_bytes_text(out, "\\n");
        else if (byte == '\r')
            leat_bytes_text(out, "\\r");
        else if (byte == '\\' || byte == (uint8_t)quote)
            leat_bytes_format(out, "\\%c", byte);
        else if (byte < 32 || byte > 126)
            leat_bytes_format(out, "\\x%02x", byte);
        else
            leat_bytes_put_u8(out, byte);
    }
    leat_bytes_put_u8(out, (uint8_t)quote);
}

static void print_cell(stream *self, const leat_binlog_column *column, leat_mysql_cell cell)
{
    leat_bytes *out = &self->printed;
    switch (cell.kind) {
    case LEAT_CELL_INT:
        if (column->type == 247 || column->type == 248) {
            leat_bytes_format(out, "('%s', %d)", column->type == 247 ? "enum" : "set", (int)cell.number);
        } else {
            leat_mysql_cell_text(&cell, out);
        }
        break;
    case LEAT_CELL_DOUBLE: leat_bytes_format(out, "%.1f", cell.real); break;
    case LEAT_CELL_BITS: {
        uint64_t value = 0;
        for (size_t i = 0; i < cell.size; i++)
            value = value << 8 | cell.data[i];
        leat_bytes_format(out, "('bit', %d, %llu)", (column->meta >> 8) * 8 + (column->meta & 255),
                          (unsigned long long)value);
        break;
    }
    case LEAT_CELL_BYTES:
        if (column->type == 246)
            leat_bytes_format(out, "'%.*s'", (int)cell.size, (const char *)cell.data);
        else
            print_bytes(out, cell.data, cell.size);
        break;
    case LEAT_CELL_DATETIME:
        if (column->type == 17) {
            leat_bytes_format(out, "('ts', %lld, %lld)", (long long)(cell.number / 1000000),
                              (long long)(cell.number % 1000000));
            break;
        }
        __attribute__((fallthrough));
    default:
        cell.scale = cell.kind == LEAT_CELL_DECIMAL ? cell.scale : 6;
        leat_bytes_put_u8(out, '\'');
        leat_mysql_cell_text(&cell, out);
        leat_bytes_put_u8(out, '\'');
    }
}

static void check_inflated(stream *self, leat_reader reader, leat_binlog_column column)
{
    leat_mysql_cell cell;
    assert_int_equal(leat_binlog_value_read(&reader, &column, false, &self->scratch, &cell, NULL), LEAT_OK);
    for (size_t i = 1; i < cell.size; i++)
        assert_int_equal(cell.data[i], cell.data[0]); /* REPEAT('z', 200) and the like */
    if (column.type == 140) assert_int_equal(cell.size, 200);
}

static void print_image(stream *self, const leat_binlog_table *table, leat_binlog_rows *rows, const uint8_t *present)
{
    leat_error error = {0};
    leat_binlog_image image;
    if (leat_binlog_image_read(&rows->rows, present, rows->columns_count, &image, &error) != LEAT_OK) {
        fail_msg("%s", error.text);
    }
    leat_bytes_text(&self->printed, "[");
    int32_t at = 0;
    for (int32_t i = 0; i < rows->columns_count; i++) {
        if (!(present[i / 8] >> (i % 8) & 1)) continue;
        if (at) leat_bytes_text(&self->printed, ", ");
        bool is_null = image.nulls[at / 8] >> (at % 8) & 1;
        at++;
        if (is_null) {
            leat_bytes_text(&self->printed, "None");
            continue;
        }
        leat_mysql_cell cell;
        leat_binlog_column column = table->columns[i];
        /* The .txt has compressed columns as they are logged. */
        if (column.type == 140 || column.type == 141) check_inflated(self, rows->rows, column);
        if (column.type == 140) column.type = 252;
        if (column.type == 141) column.type = 15;
        if (column.type == 245) { /* and JSON in its binary form; its text is another line of ours */
            leat_reader copy = rows->rows;
            assert_int_equal(leat_binlog_value_read(&copy, &column, false, &self->scratch, &cell, &error), LEAT_OK);
            leat_bytes_format(&self->json, "%.*s\n", (int)cell.size, (const char *)cell.data);
            column.type = 252;
        }
        if (leat_binlog_value_read(&rows->rows, &column, column.is_unsigned, &self->scratch, &cell, &error) !=
            LEAT_OK) {
            fail_msg("%s", error.text);
        }
        print_cell(self, &table->columns[i], cell);
    }
    leat_bytes_text(&self->printed, "]");
}

static void check_rows(stream *self, const leat_binlog_event *event)
{
    leat_error error = {0};
    leat_binlog_rows rows;
    if (leat_binlog_rows_read(&self->format, event, &self->inflated, &rows, &error) != LEAT_OK)
        fail_msg("%s", error.text);
    const leat_binlog_table *table = NULL;
    for (int i = 0; i < self->tables_count; i++)
        if (self->tables[i].id == rows.table_id) table = &self->tables[i];
    assert_non_null(table);
    while (leat_reader_left(&rows.rows)) {
        leat_bytes_reset(&self->printed);
        leat_bytes_text(&self->printed, rows.change == LEAT_BINLOG_UPDATE ? "      (" : "      ");
        print_image(self, table, &rows, rows.present[0]);
        if (rows.change == LEAT_BINLOG_UPDATE) {
            leat_bytes_text(&self->printed, ", '->', ");
            print_image(self, table, &rows, rows.present[1]);
            leat_bytes_text(&self->printed, ")");
        }
        assert_true(next_expected(self));
        assert_string_equal((const char *)self->printed.data, self->line);
        self->rows++;
    }
}

/* The maps point into their events, which do not stay: only what is copied may be used. */
static void keep_table(stream *self, const leat_binlog_event *event)
{
    leat_error error = {0};
    leat_binlog_table table = {0};
    if (leat_binlog_table_read(&self->format, event, &table, &error) != LEAT_OK) fail_msg("%s", error.text);
    for (int i = 0; i < self->tables_count; i++) {
        if (self->tables[i].id != table.id) continue;
        leat_binlog_table_done(&self->tables[i]);
        self->tables[i] = table;
        return;
    }
    if (self->tables_count == TABLES_MAX) {
        leat_binlog_table_done(&self->tables[0]);
        memmove(&self->tables[0], &self->tables[1], sizeof self->tables[0] * (TABLES_MAX - 1));
        self->tables_count--;
    }
    self->tables[self->tables_count++] = table;
}

static void decode_event(stream *self, const leat_binlog_event *event)
{
    leat_error error = {0};
    if (event->type == LEAT_BINLOG_TABLE_MAP) keep_table(self, event);
    if (leat_binlog_is_rows(event->type)) check_rows(self, event);
    if (event->type == LEAT_BINLOG_QUERY || event->type == LEAT_BINLOG_QUERY_COMPRESSED) {
        leat_binlog_query query;
        if (leat_binlog_query_read(event, &self->inflated, &query, &error) != LEAT_OK) fail_msg("%s", error.text);
        assert_true(query.sql_size > 0);
        self->queries++;
    }
}

static void decode_payload(stream *self, const leat_binlog_event *payload)
{
    leat_error error = {0};
    leat_binlog_event event;
    bool has_event = true;
    if (leat_binlog_payload_open(&self->payload, payload, &error) != LEAT_OK) fail_msg("%s", error.text);
    while (has_event) {
        if (leat_binlog_payload_next(&self->payload, &self->format, &event, &has_event, &error) != LEAT_OK)
            fail_msg("%s", error.text);
        if (has_event) decode_event(self, &event);
    }
    assert_false(self->payload.is_open);
}

static void decode_stream(const char *name, int rows, int queries, const char *json)
{
    stream self;
    stream_init(&self, name);
    leat_error error = {0};
    while (next_event(&self)) {
        leat_binlog_event event;
        if (leat_binlog_event_read(&self.format, self.event.data, self.event.size, &event, &error) != LEAT_OK) {
            fail_msg("%s", error.text);
        }
        if (event.type == LEAT_BINLOG_TRANSACTION_PAYLOAD)
            decode_payload(&self, &event);
        else
            decode_event(&self, &event);
    }
    assert_false(next_expected(&self));
    leat_bytes_text(&self.json, "");
    assert_string_equal((const char *)self.json.data, json);
    assert_int_equal(self.rows, rows);
    assert_int_equal(self.queries, queries);
    stream_done(&self);
}

static void mariadb_types_decode(void **state)
{
    (void)state;
    decode_stream("mariadb-10.11-types", 76, 40, "");
}

static void mariadb_compressed_events_decode(void **state)
{
    (void)state;
    decode_stream("mariadb-10.11-compressed-full", 7, 10, "");
}

static void mysql_types_decode(void **state)
{
    (void)state;
    decode_stream(
        "mysql-9.7-types", 85, 136,
        "{}\n"
        "{\"a\": 1, \"b\": [1, 2.5, \"x\", null, true, false], \"d\": 1e300, \"o\": {\"k\": []}, \"s\": \"\xc3\xbc\", "
        "\"big\": 70000, \"neg\": -5000000000}\n"
        "[]\n\"str\"\n18446744073709551615\n\"2024-02-29 10:20:30.123456\"\n"
        "{\"d\": \"2024-02-29\", \"t\": \"-11:22:33.500000\", \"dt\": \"2024-02-29 10:20:30.123456\", "
        "\"bin\": \"base64:type15:AP8=\", \"bit\": \"base64:type15:BQ==\", \"dec\": 123.450}\n"
        "{}\n{}\n{}\n{}\n[]\n\"str\"\n1\n2\n");
}

/* Nothing that a broken stream holds may crash, hang or read past the end. */
static void every_flipped_byte_is_noticed_by_the_checksum(void **state)
{
    (void)state;
    stream self;
    stream_init(&self, "mariadb-10.11-compressed-full");
    while (next_event(&self)) {
        leat_binlog_format before = self.format;
        leat_binlog_event event;
        for (size_t at = 0; at < self.event.size && before.is_known; at += 7) {
            self.event.data[at] ^= 0x10;
            leat_binlog_format flipped = before;
            if (at < 9 || at > 12) { /* the length is compared first */
                assert_int_not_equal(leat_binlog_event_read(&flipped, self.event.data, self.event.size, &event, NULL),
                                     LEAT_OK);
            }
            self.event.data[at] ^= 0x10;
        }
        assert_int_equal(leat_binlog_event_read(&self.format, self.event.data, self.event.size, &event, NULL), LEAT_OK);
    }
    stream_done(&self);
}

static void broken_rows_without_checksums_are_errors_at_worst(void **state)
{
    (void)state;
    stream self;
    stream_init(&self, "mysql-9.7-types");
    leat_binlog_table table = {0};
    while (next_event(&self)) {
        leat_binlog_event event;
        assert_int_equal(leat_binlog_event_read(&self.format, self.event.data, self.event.size, &event, NULL), LEAT_OK);
        bool is_table = event.type == LEAT_BINLOG_TABLE_MAP;
        if (is_table) assert_int_equal(leat_binlog_table_read(&self.format, &event, &table, NULL), LEAT_OK);
        if (!is_table && !leat_binlog_is_rows(event.type)) continue;
        for (size_t at = 0; at < event.body_size; at++) {
            uint8_t *byte = self.event.data + LEAT_BINLOG_HEADER_BYTES + at, old = *byte;
            *byte ^= (uint8_t)(1u << (at % 8));
            leat_binlog_table other = {0};
            leat_binlog_rows rows;
            if (is_table) {
                (void)!leat_binlog_table_read(&self.format, &event, &other, NULL);
            } else if (leat_binlog_rows_read(&self.format, &event, &self.inflated, &rows, NULL) == LEAT_OK) {
                leat_binlog_image image;
                leat_mysql_cell cell;
                leat_code code = leat_binlog_image_read(&rows.rows, rows.present[0], rows.columns_count, &image, NULL);
                for (int32_t i = 0; code == LEAT_OK && i < rows.columns_count && i < table.columns_count; i++) {
                    code = leat_binlog_value_read(&rows.rows, &table.columns[i], false, &self.scratch, &cell, NULL);
                }
            }
            leat_binlog_table_done(&other);
            *byte = old;
        }
    }
    leat_binlog_table_done(&table);
    stream_done(&self);
}

static void numbers_of_json_are_printed_as_mysql_does(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text; /* of SELECT CAST('…' AS JSON), MySQL 9.7 */
    } cases[] = {
        {1, "1.0"},
        {1e20, "1e20"},
        {1e-20, "1e-20"},
        {0.1, "0.1"},
        {1e15, "1e15"},
        {1e14, "100000000000000.0"},
        {123456789012345.6, "123456789012345.6"},
        {0.00000000000001234, "0.00000000000001234"},
        {0.000000000000001234, "0.000000000000001234"},
        {1.234e-16, "1.234e-16"},
        {-0.0, "-0.0"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {5e-324, "5e-324"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[9] = {11};
        memcpy(bytes + 1, &cases[i].value, 8);
        leat_bytes text = {0};
        assert_int_equal(leat_binlog_json_text(bytes, 9, &text, NULL), LEAT_OK);
        leat_bytes_put_u8(&text, 0);
        assert_string_equal((const char *)text.data, cases[i].text);
        leat_bytes_done(&text);
    }
    char given[] = "{\"a b\": [1, \" \\\" , \", null]}";
    given[leat_mysql_json_compact(given, strlen(given))] = '\0';
    assert_string_equal(given, "{\"a b\":[1,\" \\\" , \",null]}");
}

static void json_that_points_at_itself_is_refused(void **state)
{
    (void)state;
    /* Sixteen arrays, each of which names the next one twice: 2^16 values in 200 bytes. */
    enum { LEVELS = 16, BYTES = 10 };
    leat_bytes value = {0}, text = {0};
    leat_bytes_put_u8(&value, 2);
    for (int i = 0; i < LEVELS; i++) {
        uint8_t next = i + 1 < LEVELS ? 2 : 4; /* a small array behind this one, or null */
        uint8_t to = i + 1 < LEVELS ? BYTES : 0;
        uint8_t size = (uint8_t)((LEVELS - i) * BYTES);
        const uint8_t body[BYTES] = {2, 0, size, 0, next, to, 0, next, to, 0};
        leat_bytes_put(&value, body, sizeof body);
    }
    assert_int_equal(leat_binlog_json_text(value.data, value.size, &text, NULL), LEAT_CORRUPT);
    assert_true(text.size < 8192);
    leat_bytes_done(&value);
    leat_bytes_done(&text);
}

/* As a flipped byte behind a checksum that fits: errors at worst, and never without end. */
static void broken_payloads_are_errors_at_worst(void **state)
{
    (void)state;
    stream self;
    int payloads = 0;
    stream_init(&self, "mysql-9.7-types");
    while (next_event(&self)) {
        leat_binlog_event event, inner;
        assert_int_equal(leat_binlog_event_read(&self.format, self.event.data, self.event.size, &event, NULL), LEAT_OK);
        if (event.type != LEAT_BINLOG_TRANSACTION_PAYLOAD) continue;
        payloads++;
        for (size_t bit = 0; bit < event.body_size * 8; bit++) {
            uint8_t *byte = self.event.data + LEAT_BINLOG_HEADER_BYTES + bit / 8;
            *byte ^= (uint8_t)(1u << (bit % 8));
            leat_code code = leat_binlog_payload_open(&self.payload, &event, NULL);
            bool has_event = true;
            for (int i = 0; code == LEAT_OK && has_event; i++) {
                code = leat_binlog_payload_next(&self.payload, &self.format, &inner, &has_event, NULL);
                assert_true(i < 100);
            }
            *byte ^= (uint8_t)(1u << (bit % 8));
        }
        for (size_t size = 0; size < event.body_size; size++) { /* torn */
            leat_binlog_event torn = event;
            torn.body_size = size;
            assert_int_not_equal(leat_binlog_payload_open(&self.payload, &torn, NULL), LEAT_OK);
        }
    }
    assert_true(payloads > 0);
    stream_done(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mariadb_types_decode),
        cmocka_unit_test(mariadb_compressed_events_decode),
        cmocka_unit_test(mysql_types_decode),
        cmocka_unit_test(every_flipped_byte_is_noticed_by_the_checksum),
        cmocka_unit_test(broken_rows_without_checksums_are_errors_at_worst),
        cmocka_unit_test(broken_payloads_are_errors_at_worst),
        cmocka_unit_test(numbers_of_json_are_printed_as_mysql_does),
        cmocka_unit_test(json_that_points_at_itself_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
