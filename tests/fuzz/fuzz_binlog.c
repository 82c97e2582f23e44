/* A binlog stream: events one after another, each behind its length (u32). Checksums are made right, or nothing would
 * come behind them. */
#include <string.h>
#include <zlib.h>

#include "common/memory.h"
#include "connectors/mysql/binlog/ddl.h"
#include "connectors/mysql/binlog/json.h"
#include "connectors/mysql/binlog/payload.h"
#include "connectors/mysql/binlog/row.h"
#include "tests/fuzz/fuzz.h"

enum { TABLES_MAX = 8, PAYLOAD_EVENTS_MAX = 1000, ROWS_MAX = 1000, CRC_BYTES = 4 };

typedef struct stream {
    leat_binlog_format format;
    leat_binlog_table tables[TABLES_MAX];
    int next_table;
    leat_bytes inflated, scratch, text;
    leat_binlog_payload payload;
} stream;

static void read_query(stream *self, const leat_binlog_event *event)
{
    leat_binlog_query query;
    if (leat_binlog_query_read(event, &self->inflated, &query, NULL) != LEAT_OK) return;
    static leat_ddl ddl;
    leat_ddl_read(&query, &ddl);
    (void)leat_ddl_mentions(&query, "orders");
}

static bool read_value(stream *self, leat_reader *reader, const leat_binlog_column *column)
{
    leat_mysql_cell cell;
    if (leat_binlog_value_read(reader, column, column->is_unsigned, &self->scratch, &cell, NULL) != LEAT_OK)
        return false;
    leat_mysql_cell_text(&cell, &self->text);
    if (column->type == 245 && cell.kind == LEAT_CELL_BYTES) { /* JSON */
        leat_bytes json = {0};
        if (leat_binlog_json_text(cell.data, cell.size, &json, NULL) == LEAT_OK && json.size)
            (void)leat_mysql_json_compact((char *)json.data, json.size);
        leat_bytes_done(&json);
    }
    return true;
}

static bool read_image(stream *self, const leat_binlog_table *table, leat_binlog_rows *rows, int which)
{
    leat_binlog_image image;
    const uint8_t *present = rows->present[which];
    if (leat_binlog_image_read(&rows->rows, present, rows->columns_count, &image, NULL) != LEAT_OK) return false;
    for (int32_t i = 0, at = 0; i < rows->columns_count; i++) {
        if (!(present[i / 8] >> (i % 8) & 1)) continue;
        bool is_null = image.nulls[at / 8] >> (at % 8) & 1;
        at++;
        if (!is_null && !read_value(self, &rows->rows, &table->columns[i])) return false;
    }
    return true;
}

static void read_rows(stream *self, const leat_binlog_event *event)
{
    leat_binlog_rows rows;
    if (leat_binlog_rows_read(&self->format, event, &self->inflated, &rows, NULL) != LEAT_OK) return;
    for (int t = 0; t < TABLES_MAX; t++) {
        const leat_binlog_table *table = &self->tables[t];
        if (table->id != rows.table_id || table->columns_count != rows.columns_count) continue;
        int images = rows.change == LEAT_BINLOG_UPDATE ? 2 : 1;
        bool is_whole = true;
        for (int i = 0; i < ROWS_MAX && is_whole && leat_reader_left(&rows.rows); i++) {
            for (int k = 0; k < images && is_whole; k++)
                is_whole = read_image(self, table, &rows, k);
        }
        return;
    }
}

static void read_event(stream *self, const leat_binlog_event *event)
{
    leat_binlog_rotate rotate;
    leat_bytes_reset(&self->text);
    leat_bytes_reset(&self->scratch);
    if (leat_binlog_is_rows(event->type)) {
        read_rows(self, event);
        return;
    }
    switch ((int)event->type) {
    case LEAT_BINLOG_QUERY:
    case LEAT_BINLOG_QUERY_COMPRESSED: read_query(self, event); break;
    case LEAT_BINLOG_ROTATE:
        if (leat_binlog_rotate_read(event, &rotate, NULL) != LEAT_OK) return;
        leat_bytes_put(&self->text, rotate.file, rotate.file_size);
        break;
    case LEAT_BINLOG_TABLE_MAP: {
        leat_binlog_table *table = &self->tables[self->next_table++ % TABLES_MAX];
        if (leat_binlog_table_read(&self->format, event, table, NULL) != LEAT_OK) table->columns_count = 0;
        break;
    }
    default: break;
    }
}

static void read_payload(stream *self, const leat_binlog_event *event)
{
    if (leat_binlog_payload_open(&self->payload, event, NULL) != LEAT_OK) return;
    bool has_event = true;
    for (int i = 0; i < PAYLOAD_EVENTS_MAX && has_event; i++) {
        leat_binlog_event inner;
        if (leat_binlog_payload_next(&self->payload, &self->format, &inner, &has_event, NULL) != LEAT_OK) break;
        if (has_event && inner.type != LEAT_BINLOG_TRANSACTION_PAYLOAD) read_event(self, &inner);
    }
}

static void set_checksum(uint8_t *data, size_t size)
{
    if (size < LEAT_BINLOG_HEADER_BYTES + CRC_BYTES) return;
    uint32_t crc = (uint32_t)crc32(0, data, (uInt)(size - CRC_BYTES));
    memcpy(data + size - CRC_BYTES, &crc, sizeof crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stream self = {0};
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    while (!reader.failed && leat_reader_left(&reader)) {
        uint32_t length = leat_reader_u32(&reader);
        const uint8_t *bytes = leat_reader_take(&reader, length);
        uint8_t *event_bytes = bytes ? leat_alloc(length) : NULL;
        if (!event_bytes) break;
        if (length) memcpy(event_bytes, bytes, length);
        set_checksum(event_bytes, length);
        leat_binlog_event event;
        if (leat_binlog_event_read(&self.format, event_bytes, length, &event, NULL) == LEAT_OK) {
            if (event.type == LEAT_BINLOG_TRANSACTION_PAYLOAD)
                read_payload(&self, &event);
            else
                read_event(&self, &event);
        }
        leat_free(event_bytes);
    }
    for (int i = 0; i < TABLES_MAX; i++)
        leat_binlog_table_done(&self.tables[i]);
    leat_binlog_payload_done(&self.payload);
    leat_bytes_done(&self.inflated);
    leat_bytes_done(&self.scratch);
    leat_bytes_done(&self.text);
    return 0;
}
