/* Events of a binlog stream: headers, checksums, and the bodies that matter, of MySQL and MariaDB (spec/cdc binlog
 * §3–§6). Pure decoding of bytes that are not trusted: each length is checked against the event's end, errors are
 * LEAT_CORRUPT.
 *
 * A stream is events in order; FORMAT_DESCRIPTION sets what the later ones look like. Everything that points, points
 * into the event's bytes, or into the buffer that a compressed one was inflated into. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/error.h"

enum {
    LEAT_BINLOG_HEADER_BYTES = 19,
    LEAT_BINLOG_FLAG_ARTIFICIAL = 0x20,
    LEAT_BINLOG_FLAG_IGNORABLE = 0x80,
    LEAT_BINLOG_COLUMNS_MAX = 4096,
    LEAT_BINLOG_INFLATED_BYTES_MAX = 1 << 30, /* max_allowed_packet is at most this */
};

typedef enum leat_binlog_type {
    LEAT_BINLOG_QUERY = 2,
    LEAT_BINLOG_STOP = 3,
    LEAT_BINLOG_ROTATE = 4,
    LEAT_BINLOG_FORMAT_DESCRIPTION = 15,
    LEAT_BINLOG_XID = 16,
    LEAT_BINLOG_TABLE_MAP = 19,
    LEAT_BINLOG_WRITE_V0 = 20,
    LEAT_BINLOG_UPDATE_V0 = 21,
    LEAT_BINLOG_DELETE_V0 = 22,
    LEAT_BINLOG_WRITE_V1 = 23,
    LEAT_BINLOG_UPDATE_V1 = 24,
    LEAT_BINLOG_DELETE_V1 = 25,
    LEAT_BINLOG_INCIDENT = 26,
    LEAT_BINLOG_HEARTBEAT = 27,
    LEAT_BINLOG_WRITE_V2 = 30,
    LEAT_BINLOG_UPDATE_V2 = 31,
    LEAT_BINLOG_DELETE_V2 = 32,
    LEAT_BINLOG_GTID = 33,
    LEAT_BINLOG_ANONYMOUS_GTID = 34,
    LEAT_BINLOG_XA_PREPARE = 38,
    LEAT_BINLOG_PARTIAL_UPDATE = 39,
    LEAT_BINLOG_TRANSACTION_PAYLOAD = 40,
    LEAT_BINLOG_HEARTBEAT_V2 = 41,
    LEAT_BINLOG_GTID_TAGGED = 42,
    LEAT_BINLOG_MARIADB_GTID = 162,
    LEAT_BINLOG_QUERY_COMPRESSED = 165,
    LEAT_BINLOG_WRITE_COMPRESSED_V1 = 166,
    LEAT_BINLOG_UPDATE_COMPRESSED_V1 = 167,
    LEAT_BINLOG_DELETE_COMPRESSED_V1 = 168,
} leat_binlog_type;

typedef struct leat_binlog_event {
    uint32_t timestamp_s; /* set by clients, may run back */
    uint8_t type;         /* leat_binlog_type */
    uint32_t server_id;
    uint32_t length;        /* in the file, checksum included */
    uint32_t next_position; /* wraps at 4 GiB */
    uint16_t flags;
    const uint8_t *body; /* behind the header, without the checksum */
    size_t body_size;
} leat_binlog_event;

typedef struct leat_binlog_format {
    bool is_known, has_checksums;
    uint8_t post_header_lengths[256]; /* by type; 0 when not listed */
} leat_binlog_format;

/* Reads the header, verifies and cuts off the checksum, and keeps what a FORMAT_DESCRIPTION says in *format. `data` is
 * the packet behind its status byte. */
LEAT_CHECKED leat_code leat_binlog_event_read(leat_binlog_format *format, const uint8_t *data, size_t size,
                                              leat_binlog_event *out, leat_error *error);

typedef struct leat_binlog_rotate {
    uint64_t position;
    const char *file; /* not NUL-terminated */
    size_t file_size;
} leat_binlog_rotate;

LEAT_CHECKED leat_code leat_binlog_rotate_read(const leat_binlog_event *event, leat_binlog_rotate *out,
                                               leat_error *error);

typedef struct leat_binlog_query {
    const char *database, *sql; /* not NUL-terminated */
    size_t database_size, sql_size;
    bool has_ansi_quotes, has_no_backslash_escapes; /* of the sql_mode it ran under */
} leat_binlog_query;

/* QUERY and QUERY_COMPRESSED; the latter is inflated into `inflated`. */
LEAT_CHECKED leat_code leat_binlog_query_read(const leat_binlog_event *event, leat_bytes *inflated,
                                              leat_binlog_query *out, leat_error *error);

/* What a TABLE_MAP says of a column. */
typedef struct leat_binlog_column {
    uint8_t type;     /* MySQL's type byte; of STRING the real one: 0xF7 ENUM, 0xF8 SET, 0xFE */
    uint16_t meta;    /* length, precision << 8 | scale, fraction digits, … by type */
    bool is_unsigned; /* when the map has signedness */
} leat_binlog_column;

typedef struct leat_binlog_table {
    uint64_t id;
    const char *database, *name;
    size_t database_size, name_size;
    int32_t columns_count;
    leat_binlog_column *columns; /* owned */
    size_t columns_capacity;
    bool has_signedness;
    const uint8_t *names; /* lenenc strings, one a column; NULL: not sent */
    size_t names_size;
} leat_binlog_table;

/* Reuses what *out owns. */
LEAT_CHECKED leat_code leat_binlog_table_read(const leat_binlog_format *format, const leat_binlog_event *event,
                                              leat_binlog_table *out, leat_error *error);
void leat_binlog_table_done(leat_binlog_table *table);

typedef enum leat_binlog_change { LEAT_BINLOG_INSERT, LEAT_BINLOG_UPDATE, LEAT_BINLOG_DELETE } leat_binlog_change;

typedef struct leat_binlog_rows {
    leat_binlog_change change;
    uint64_t table_id;
    uint16_t flags;
    int32_t columns_count;
    const uint8_t *present[2]; /* bitmaps: of the only image, or of the one before and the one after */
    leat_reader rows;          /* the images */
} leat_binlog_rows;

/* True for the types that leat_binlog_rows_read takes. */
bool leat_binlog_is_rows(uint8_t type);
LEAT_CHECKED leat_code leat_binlog_rows_read(const leat_binlog_format *format, const leat_binlog_event *event,
                                             leat_bytes *inflated, leat_binlog_rows *out, leat_error *error);

/* MySQL's length-encoded integer; sets the reader failed when it is broken. */
uint64_t leat_binlog_lenenc(leat_reader *reader);
/* `bytes` bytes, little-endian (at most 8). */
uint64_t leat_binlog_uint(leat_reader *reader, size_t bytes);
