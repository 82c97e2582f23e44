/* A server's binlog as a stream of events, over the replication protocol (spec/cdc binlog §1, §2). Blocks; one thread
 * at a time. */
#pragma once

#include "connectors/mysql/binlog/payload.h"
#include "connectors/mysql/client.h"

enum { LEAT_BINLOG_FILE_BYTES = 256 };

typedef struct leat_binlog_position {
    char file[LEAT_BINLOG_FILE_BYTES]; /* "": none */
    uint64_t position;
} leat_binlog_position;

/* By the number at the end of the file's name, then by position. */
int leat_binlog_position_compare(const leat_binlog_position *left, const leat_binlog_position *right);

typedef struct leat_binlog_dump {
    MYSQL *mysql;
    leat_binlog_format format;
    leat_binlog_position position; /* behind the last event */
    int64_t heartbeat_ms, last_packet_us;
    bool is_truncated;           /* it failed because the file ends within an event */
    leat_binlog_payload payload; /* when open, events come out of it; they lie before `position` */
} leat_binlog_dump;

/* Starts at `from`. UNAVAILABLE and the like may be retried; a position that is gone is LEAT_NOT_FOUND. */
LEAT_CHECKED leat_code leat_binlog_dump_open(const leat_mysql_address *address, uint32_t server_id,
                                             int64_t heartbeat_ms, const leat_binlog_position *from,
                                             leat_binlog_dump *out, leat_error *error);
void leat_binlog_dump_close(leat_binlog_dump *dump);

/* Waits up to wait_ms for the next event; *has_event false: there is none yet. The event is valid until the next call.
 */
LEAT_CHECKED leat_code leat_binlog_dump_next(leat_binlog_dump *dump, int wait_ms, leat_binlog_event *out,
                                             bool *has_event, leat_error *error);

/* Where the log ends now, and where the oldest file begins. */
LEAT_CHECKED leat_code leat_binlog_newest(MYSQL *mysql, leat_binlog_position *out, leat_error *error);
LEAT_CHECKED leat_code leat_binlog_oldest(MYSQL *mysql, leat_binlog_position *out, leat_error *error);

/* The beginning of the file behind the position's; LEAT_NOT_FOUND: there is none. */
LEAT_CHECKED leat_code leat_binlog_next_file(MYSQL *mysql, const leat_binlog_position *position,
                                             leat_binlog_position *out, leat_error *error);

/* Settings without which the log can't be used: LEAT_INVALID with what to set. */
LEAT_CHECKED leat_code leat_binlog_check_server(MYSQL *mysql, leat_error *error);
