#include "connectors/mysql/binlog/event.h"

#include <string.h>
#include <zlib.h>

#include "common/memory.h"

enum { CHECKSUM_BYTES = 4, TYPE_STRING = 254, TYPE_ENUM = 247, TYPE_SET = 248 };

uint64_t leat_binlog_uint(leat_reader *reader, size_t bytes)
{
    const uint8_t *taken = leat_reader_take(reader, bytes);
    uint64_t value = 0;
    for (size_t i = 0; taken && i < bytes; i++)
        value |= (uint64_t)taken[i] << (8 * i);
    return value;
}

uint64_t leat_binlog_lenenc(leat_reader *reader)
{
    uint8_t first = leat_reader_u8(reader);
    switch (first) {
    case 0xFC: return leat_binlog_uint(reader, 2);
    case 0xFD: return leat_binlog_uint(reader, 3);
    case 0xFE: return leat_binlog_uint(reader, 8);
    case 0xFB:
    case 0xFF: reader->failed = true; return 0;
    default: return first;
    }
}

/* --- headers --- */

static uint32_t load_u32(const uint8_t *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof value);
    return value;
}

static bool checksum_holds(const uint8_t *data, size_t size, bool is_format)
{
    size_t covered = size - CHECKSUM_BYTES;
    uint8_t header[LEAT_BINLOG_HEADER_BYTES];
    memcpy(header, data, sizeof header);
    if (is_format) header[17] &= 0xFE; /* "in use" is set in the file later, and not covered */
    uLong crc = crc32_z(0, header, sizeof header);
    crc = crc32_z(crc, data + sizeof header, covered - sizeof header);
    return (uint32_t)crc == load_u32(data + covered);
}

/* Body: version u16, server char[50], created u32, header length u8, post header lengths, checksum algorithm u8. */
static leat_code read_format(leat_binlog_format *format, leat_binlog_event *event, const uint8_t *data, size_t size,
                             leat_error *error)
{
    enum { FIXED = 2 + 50 + 4 + 1 };
    if (event->body_size < FIXED + 1 + CHECKSUM_BYTES) {
        return leat_fail(error, LEAT_CORRUPT, "FORMAT_DESCRIPTION of %zu bytes", event->body_size);
    }
    size_t lengths = event->body_size - FIXED - 1 - CHECKSUM_BYTES;
    if (event->body[0] != 4 || event->body[FIXED - 1] != LEAT_BINLOG_HEADER_BYTES || lengths > 255) {
        return leat_fail(error, LEAT_UNSUPPORTED, "binlog format version %u", event->body[0]);
    }
    *format = (leat_binlog_format){.is_known = true};
    memcpy(format->post_header_lengths + 1, event->body + FIXED, lengths);
    uint8_t algorithm = event->body[FIXED + lengths];
    if (algorithm > 1) return leat_fail(error, LEAT_UNSUPPORTED, "binlog checksum algorithm %u", algorithm);
    format->has_checksums = algorithm == 1;
    if (format->has_checksums && !checksum_holds(data, size, true)) {
        return leat_fail(error, LEAT_CORRUPT, "checksum of FORMAT_DESCRIPTION does not hold");
    }
    event->body_size -= CHECKSUM_BYTES;
    return LEAT_OK;
}

leat_code leat_binlog_event_read(leat_binlog_format *format, const uint8_t *data, size_t size, leat_binlog_event *out,
                                 leat_error *error)
{
    if (size < LEAT_BINLOG_HEADER_BYTES) return leat_fail(error, LEAT_CORRUPT, "event of %zu bytes", size);
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    leat_binlog_event event;
    event.timestamp_s = leat_reader_u32(&reader);
    event.type = leat_reader_u8(&reader);
    event.server_id = leat_reader_u32(&reader);
    event.length = leat_reader_u32(&reader);
    event.next_position = leat_reader_u32(&reader);
    event.flags = (uint16_t)leat_binlog_uint(&reader, 2);
    event.body = reader.at;
    event.body_size = leat_reader_left(&reader);
    if (event.length != size) {
        return leat_fail(error, LEAT_CORRUPT, "event of type %u says %u bytes and has %zu", event.type, event.length,
                         size);
    }
    if (event.type == LEAT_BINLOG_FORMAT_DESCRIPTION) {
        LEAT_TRY(read_format(format, &event, data, size, error));
    } else if (format->has_checksums || !format->is_known) {
        bool holds = event.body_size >= CHECKSUM_BYTES && checksum_holds(data, size, false);
        if (!holds && format->is_known) {
            return leat_fail(error, LEAT_CORRUPT, "checksum of an event of type %u does not hold", event.type);
        }
        if (holds)
            event.body_size -= CHECKSUM_BYTES; /* the first ROTATE comes before it is said whether there are any */
    }
    *out = event;
    return LEAT_OK;
}

leat_code leat_binlog_rotate_read(const leat_binlog_event *event, leat_binlog_rotate *out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, event->body, event->body_size);
    out->position = leat_reader_u64(&reader);
    out->file_size = leat_reader_left(&reader);
    out->file = (const char *)leat_reader_take(&reader, out->file_size);
    return leat_reader_check(&reader, true, "ROTATE", error);
}

/* --- MariaDB's compression: 0x80 | algorithm << 4 | n, n bytes of length (big-endian), a zlib stream --- */

static leat_code inflate_rest(leat_reader *reader, leat_bytes *out, leat_error *error)
{
    uint8_t head = leat_reader_u8(reader);
    size_t count = head & 7, size = 0;
    const uint8_t *length = leat_reader_take(reader, count);
    for (size_t i = 0; length && i < count; i++)
        size = size << 8 | length[i];
    if (!(head & 0x80) || (head >> 4 & 7) != 0 || count < 1 || count > 4 || size > LEAT_BINLOG_INFLATED_BYTES_MAX) {
        return leat_fail(error, LEAT_CORRUPT, "header of compressed data (0x%02x)", head);
    }
    LEAT_TRY(leat_reader_check(reader, false, "compressed data", error));
    leat_bytes_reset(out);
    uint8_t *to = leat_bytes_extend(out, size);
    if (!to) return leat_bytes_check(out, error);
    uLongf made = (uLongf)size;
    size_t left = leat_reader_left(reader);
    int result = uncompress(to, &made, leat_reader_take(reader, left), (uLong)left);
    if (result != Z_OK || made != size) {
        return leat_fail(error, LEAT_CORRUPT, "compressed data does not inflate (zlib %d)", result);
    }
    return LEAT_OK;
}

/* --- QUERY --- */

/* Only sql_mode is wanted; it is variable 1, behind flags2 (0). */
static void read_sql_mode(const uint8_t *data, size_t size, leat_binlog_query *out)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    while (leat_reader_left(&reader) && !reader.failed) {
        uint8_t code = leat_reader_u8(&reader);
        if (code == 0) {
            (void)leat_reader_u32(&reader);
        } else if (code == 1) {
            uint64_t mode = leat_reader_u64(&reader);
            out->has_ansi_quotes = (mode & 0x4) != 0;
            out->has_no_backslash_escapes = (mode & 0x100000) != 0;
            return;
        } else {
            return;
        }
    }
}

leat_code leat_binlog_query_read(const leat_binlog_event *event, leat_bytes *inflated, leat_binlog_query *out,
                                 leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, event->body, event->body_size);
    *out = (leat_binlog_query){0};
    (void)leat_reader_take(&reader, 8); /* thread, seconds */
    out->database_size = leat_reader_u8(&reader);
    (void)leat_reader_take(&reader, 2); /* error code */
    size_t variables_size = (size_t)leat_binlog_uint(&reader, 2);
    const uint8_t *variables = leat_reader_take(&reader, variables_size);
    out->database = (const char *)leat_reader_take(&reader, out->database_size);
    (void)leat_reader_u8(&reader);
    LEAT_TRY(leat_reader_check(&reader, false, "QUERY", error));
    read_sql_mode(variables, variables_size, out);
    if (event->type == LEAT_BINLOG_QUERY_COMPRESSED) {
        LEAT_TRY(inflate_rest(&reader, inflated, error));
        out->sql = (const char *)inflated->data;
        out->sql_size = inflated->size;
    } else {
        out->sql_size = leat_reader_left(&reader);
        out->sql = (const char *)leat_reader_take(&reader, out->sql_size);
    }
    return LEAT_OK;
}

/* --- TABLE_MAP --- */

static size_t table_id_bytes(const leat_binlog_format *format, uint8_t type)
{
    return format->post_header_lengths[type] == 6 ? 4 : 6;
}

static void read_meta(leat_reader *reader, leat_binlog_column *column)
{
    switch (column->type) {
    case 4:   /* FLOAT */
    case 5:   /* DOUBLE */
    case 17:  /* TIMESTAMP2 */
    case 18:  /* DATETIME2 */
    case 19:  /* TIME2 */
    case 140: /* MariaDB BLOB_COMPRESSED */
    case 242: /* VECTOR */
    case 245: /* JSON */
    case 252: /* BLOB */
    case 255: /* GEOMETRY */ column->meta = leat_reader_u8(reader); break;
    case 15:  /* VARCHAR */
    case 16:  /* BIT: low byte bits % 8, high byte bits / 8 */
    case 141: /* MariaDB VARCHAR_COMPRESSED */
    case 253: /* VAR_STRING */ column->meta = (uint16_t)leat_binlog_uint(reader, 2); break;
    case 246: { /* NEWDECIMAL: precision, scale */
        uint8_t precision = leat_reader_u8(reader);
        column->meta = (uint16_t)(precision << 8 | leat_reader_u8(reader));
        break;
    }
    case TYPE_STRING: {
        uint8_t real = leat_reader_u8(reader), length = leat_reader_u8(reader);
        if (real == TYPE_ENUM || real == TYPE_SET) {
            column->type = real;
            column->meta = length;
        } else {
            column->meta = (uint16_t)(length | ((real & 0x30) ^ 0x30) << 4);
        }
        break;
    }
    default: break;
    }
}

static bool has_signedness(uint8_t type)
{
    return type == 1 || type == 2 || type == 3 || type == 4 || type == 5 || type == 8 || type == 9 || type == 13 ||
           type == 246;
}

static void read_signedness(const uint8_t *bits, size_t size, leat_binlog_table *table)
{
    size_t at = 0;
    table->has_signedness = true;
    for (int32_t i = 0; i < table->columns_count; i++) {
        leat_binlog_column *column = &table->columns[i];
        if (!has_signedness(column->type) || at / 8 >= size) continue;
        column->is_unsigned = (bits[at / 8] >> (7 - at % 8)) & 1;
        at++;
    }
}

static void read_optional(leat_reader *reader, leat_binlog_table *table)
{
    while (leat_reader_left(reader) && !reader->failed) {
        uint8_t type = leat_reader_u8(reader);
        size_t size = (size_t)leat_binlog_lenenc(reader);
        const uint8_t *value = leat_reader_take(reader, size);
        if (!value) return;
        if (type == 1) read_signedness(value, size, table);
        if (type == 4) table->names = value, table->names_size = size;
    }
}

leat_code leat_binlog_table_read(const leat_binlog_format *format, const leat_binlog_event *event,
                                 leat_binlog_table *out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, event->body, event->body_size);
    out->has_signedness = false;
    out->names = NULL;
    out->id = leat_binlog_uint(&reader, table_id_bytes(format, event->type));
    (void)leat_binlog_uint(&reader, 2);
    out->database_size = leat_reader_u8(&reader);
    out->database = (const char *)leat_reader_take(&reader, out->database_size);
    (void)leat_reader_u8(&reader);
    out->name_size = leat_reader_u8(&reader);
    out->name = (const char *)leat_reader_take(&reader, out->name_size);
    (void)leat_reader_u8(&reader);
    uint64_t count = leat_binlog_lenenc(&reader);
    LEAT_TRY(leat_reader_check(&reader, false, "TABLE_MAP", error));
    if (count > LEAT_BINLOG_COLUMNS_MAX) return leat_fail(error, LEAT_CORRUPT, "TABLE_MAP with too many columns");
    LEAT_TRY(leat_grow(&out->columns, &out->columns_capacity, (size_t)count + 1, sizeof *out->columns, error));
    out->columns_count = (int32_t)count;
    const uint8_t *types = leat_reader_take(&reader, (size_t)count);
    size_t meta_size = (size_t)leat_binlog_lenenc(&reader);
    const uint8_t *meta = leat_reader_take(&reader, meta_size);
    (void)leat_reader_take(&reader, ((size_t)count + 7) / 8); /* which may be NULL */
    LEAT_TRY(leat_reader_check(&reader, false, "TABLE_MAP", error));
    leat_reader meta_reader;
    leat_reader_init(&meta_reader, meta, meta_size);
    for (int32_t i = 0; i < out->columns_count; i++) {
        out->columns[i] = (leat_binlog_column){.type = types[i]};
        read_meta(&meta_reader, &out->columns[i]);
    }
    LEAT_TRY(leat_reader_check(&meta_reader, true, "TABLE_MAP metadata", error));
    read_optional(&reader, out);
    return leat_reader_check(&reader, true, "TABLE_MAP optional metadata", error);
}

void leat_binlog_table_done(leat_binlog_table *table)
{
    leat_free(table->columns);
    *table = (leat_binlog_table){0};
}

/* --- rows --- */

bool leat_binlog_is_rows(uint8_t type)
{
    return (type >= LEAT_BINLOG_WRITE_V1 && type <= LEAT_BINLOG_DELETE_V1) ||
           (type >= LEAT_BINLOG_WRITE_V2 && type <= LEAT_BINLOG_DELETE_V2) ||
           (type >= LEAT_BINLOG_WRITE_COMPRESSED_V1 && type <= LEAT_BINLOG_DELETE_COMPRESSED_V1);
}

static leat_binlog_change change_of(uint8_t type)
{
    switch (type) {
    case LEAT_BINLOG_UPDATE_V1:
    case LEAT_BINLOG_UPDATE_V2:
    case LEAT_BINLOG_UPDATE_COMPRESSED_V1: return LEAT_BINLOG_UPDATE;
    case LEAT_BINLOG_DELETE_V1:
    case LEAT_BINLOG_DELETE_V2:
    case LEAT_BINLOG_DELETE_COMPRESSED_V1: return LEAT_BINLOG_DELETE;
    default: return LEAT_BINLOG_INSERT;
    }
}

leat_code leat_binlog_rows_read(const leat_binlog_format *format, const leat_binlog_event *event, leat_bytes *inflated,
                                leat_binlog_rows *out, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, event->body, event->body_size);
    out->change = change_of(event->type);
    out->table_id = leat_binlog_uint(&reader, table_id_bytes(format, event->type));
    out->flags = (uint16_t)leat_binlog_uint(&reader, 2);
    if (event->type >= LEAT_BINLOG_WRITE_V2 && event->type <= LEAT_BINLOG_DELETE_V2) {
        size_t extra = (size_t)leat_binlog_uint(&reader, 2);
        if (extra < 2) return leat_fail(error, LEAT_CORRUPT, "rows event with %zu extra bytes", extra);
        (void)leat_reader_take(&reader, extra - 2);
    }
    uint64_t count = leat_binlog_lenenc(&reader);
    if (count > LEAT_BINLOG_COLUMNS_MAX) return leat_fail(error, LEAT_CORRUPT, "rows event with too many columns");
    out->columns_count = (int32_t)count;
    size_t bitmap = ((size_t)count + 7) / 8;
    out->present[0] = leat_reader_take(&reader, bitmap);
    out->present[1] = out->change == LEAT_BINLOG_UPDATE ? leat_reader_take(&reader, bitmap) : out->present[0];
    LEAT_TRY(leat_reader_check(&reader, false, "rows event", error));
    if (event->type >= LEAT_BINLOG_WRITE_COMPRESSED_V1) {
        LEAT_TRY(inflate_rest(&reader, inflated, error));
        leat_reader_init(&out->rows, inflated->data, inflated->size);
    } else {
        out->rows = reader;
    }
    return LEAT_OK;
}
