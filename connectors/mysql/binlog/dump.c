#include "connectors/mysql/binlog/dump.h"

#include <inttypes.h>
#include <ma_pvio.h>
#include <mysql.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

enum { PACKET_ERROR = -1, EOF_BYTES_MAX = 9, PURGED = 1236 };

static uint64_t suffix_of(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot ? strtoull(dot + 1, NULL, 10) : 0;
}

int leat_binlog_position_compare(const leat_binlog_position *left, const leat_binlog_position *right)
{
    uint64_t a = suffix_of(left->file), b = suffix_of(right->file);
    if (a != b) return a < b ? -1 : 1;
    return left->position < right->position ? -1 : left->position > right->position;
}

static leat_code dump_failed(leat_binlog_dump *self, leat_error *error)
{
    unsigned number = mysql_errno(self->mysql);
    char what[LEAT_BINLOG_FILE_BYTES + 64];
    snprintf(what, sizeof what, "read the binlog from %s:%" PRIu64, self->position.file, self->position.position);
    leat_code code = leat_mysql_fail(self->mysql, what, error);
    const char *text = mysql_error(self->mysql);
    if (number == 4052 || strstr(text, "same server_uuid/server_id")) {
        leat_fail_hint(error, "another reader has this 'server-id': give each job its own");
        return LEAT_INVALID;
    }
    self->is_truncated = number == PURGED && strstr(text, "truncated in the middle of event") != NULL;
    if (self->is_truncated) return code;
    if (number == PURGED) {
        leat_fail_hint(error, "the position is gone (SHOW BINARY LOGS says what is there): start the job without its "
                              "state, so that it reads the table again");
        return LEAT_NOT_FOUND;
    }
    if (code == LEAT_DENIED) {
        leat_fail_hint(error,
                       "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO this user (MariaDB: BINLOG MONITOR)");
    }
    return code;
}

static leat_code send_dump(leat_binlog_dump *self, uint32_t server_id, leat_error *error)
{
    leat_bytes registration = {0}, dump = {0};
    static const uint8_t nobody[3 + 2 + 4 + 4]; /* host, user, password; port; rank; master id */
    leat_bytes_put_u32(&registration, server_id);
    leat_bytes_put(&registration, nobody, sizeof nobody);
    leat_bytes_put_u32(&dump, (uint32_t)self->position.position);
    leat_bytes_put(&dump, nobody, 2); /* flags */
    leat_bytes_put_u32(&dump, server_id);
    leat_bytes_put(&dump, self->position.file, strlen(self->position.file));
    leat_code code = leat_bytes_check(&dump, error);
    if (code == LEAT_OK) code = leat_bytes_check(&registration, error);
    MYSQL *mysql = self->mysql;
    if (code == LEAT_OK &&
        (mysql->methods->db_command(mysql, COM_REGISTER_SLAVE, (const char *)registration.data, registration.size, 0,
                                    NULL) != 0 ||
         mysql->methods->db_command(mysql, COM_BINLOG_DUMP, (const char *)dump.data, dump.size, 1, NULL) != 0)) {
        code = dump_failed(self, error);
    }
    leat_bytes_done(&registration);
    leat_bytes_done(&dump);
    return code;
}

leat_code leat_binlog_dump_open(const leat_mysql_address *address, uint32_t server_id, int64_t heartbeat_ms,
                                const leat_binlog_position *from, leat_binlog_dump *out, leat_error *error)
{
    *out = (leat_binlog_dump){.position = *from, .heartbeat_ms = heartbeat_ms};
    if (from->position > UINT32_MAX) {
        return leat_fail(error, LEAT_UNSUPPORTED, "a binlog can't be read from position %" PRIu64 ", beyond 4 GiB",
                         from->position);
    }
    leat_mysql_address where = *address;
    where.read_timeout_ms = heartbeat_ms * 3;
    LEAT_TRY(leat_mysql_connect(&where, &out->mysql, error));
    char heartbeat[160];
    snprintf(heartbeat, sizeof heartbeat,
             "SET @master_heartbeat_period = %" PRId64 ", @source_heartbeat_period = %" PRId64, heartbeat_ms * 1000000,
             heartbeat_ms * 1000000);
    const char *const settings[] = {"SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'",
                                    "SET @mariadb_slave_capability = 4", heartbeat};
    leat_code code = LEAT_OK;
    for (int i = 0; code == LEAT_OK && i < 3; i++) {
        code = leat_mysql_run(out->mysql, settings[i], "prepare to read the binlog", error);
    }
    if (code == LEAT_OK) code = send_dump(out, server_id, error);
    if (code != LEAT_OK) leat_binlog_dump_close(out);
    return code;
}

void leat_binlog_dump_close(leat_binlog_dump *dump)
{
    if (dump->mysql) mysql_close(dump->mysql);
    dump->mysql = NULL;
    leat_binlog_payload_done(&dump->payload);
}

/* Bytes may lie in the library's own cache, where poll does not see them. */
static bool has_input(MYSQL *mysql, int wait_ms)
{
    const MARIADB_PVIO *pvio = mysql->net.pvio;
    if (pvio && pvio->cache && pvio->cache_pos < pvio->cache + pvio->cache_size) return true;
    struct pollfd socket = {.fd = (int)mysql_get_socket(mysql), .events = POLLIN};
    return poll(&socket, 1, wait_ms) != 0; /* an error is found by reading */
}

static void advance(leat_binlog_dump *self, const leat_binlog_event *event)
{
    bool is_real = !(event->flags & LEAT_BINLOG_FLAG_ARTIFICIAL) && event->next_position != 0 &&
                   event->type != LEAT_BINLOG_HEARTBEAT && event->type != LEAT_BINLOG_HEARTBEAT_V2;
    if (!is_real) return;
    uint64_t next = (self->position.position & ~(uint64_t)UINT32_MAX) | event->next_position;
    if (next < self->position.position) next += UINT64_C(1) << 32; /* 32 bits wrap in files over 4 GiB */
    self->position.position = next;
}

static leat_code next_of_payload(leat_binlog_dump *self, leat_binlog_event *out, bool *has_event, leat_error *error)
{
    leat_code code = leat_binlog_payload_next(&self->payload, &self->format, out, has_event, error);
    return code == LEAT_OK
               ? code
               : leat_fail_in(error, code, "binlog %s before %" PRIu64, self->position.file, self->position.position);
}

leat_code leat_binlog_dump_next(leat_binlog_dump *dump, int wait_ms, leat_binlog_event *out, bool *has_event,
                                leat_error *error)
{
    *has_event = false;
    if (dump->payload.is_open) LEAT_TRY(next_of_payload(dump, out, has_event, error));
    if (*has_event || !has_input(dump->mysql, wait_ms)) return LEAT_OK;
    unsigned long size = mysql_net_read_packet(dump->mysql);
    if ((int)size == PACKET_ERROR) return dump_failed(dump, error); /* 32 bits of it, in a 64-bit long */
    const uint8_t *packet = dump->mysql->net.read_pos;
    if (size == 0 || packet[0] == 0xFF) return leat_fail(error, LEAT_CORRUPT, "unexpected packet in a binlog stream");
    if (packet[0] == 0xFE && size < EOF_BYTES_MAX) {
        return leat_fail(error, LEAT_UNAVAILABLE, "the server ended the binlog stream"); /* it shuts down */
    }
    leat_code code = leat_binlog_event_read(&dump->format, packet + 1, size - 1, out, error);
    if (code != LEAT_OK) {
        return leat_fail_in(error, code, "binlog %s:%" PRIu64, dump->position.file, dump->position.position);
    }
    advance(dump, out);
    if (out->type == LEAT_BINLOG_ROTATE) {
        leat_binlog_rotate rotate;
        LEAT_TRY(leat_binlog_rotate_read(out, &rotate, error));
        if (rotate.file_size >= sizeof dump->position.file) return leat_fail(error, LEAT_CORRUPT, "ROTATE: long name");
        memcpy(dump->position.file, rotate.file, rotate.file_size);
        dump->position.file[rotate.file_size] = '\0';
        dump->position.position = rotate.position;
    }
    if (out->type != LEAT_BINLOG_TRANSACTION_PAYLOAD) {
        *has_event = true;
        return LEAT_OK;
    }
    LEAT_TRY(leat_binlog_payload_open(&dump->payload, out, error));
    return next_of_payload(dump, out, has_event, error);
}

/* --- positions and settings --- */

static leat_code first_row(MYSQL *mysql, const char *sql, bool has_position, leat_binlog_position *out,
                           leat_error *error)
{
    MYSQL_RES *result;
    LEAT_TRY(leat_mysql_query(mysql, sql, "ask for the binlog's position", &result, error));
    MYSQL_ROW row = mysql_fetch_row(result);
    bool is_there = row && row[0];
    if (is_there) {
        snprintf(out->file, sizeof out->file, "%s", row[0]);
        out->position = has_position ? strtoull(row[1], NULL, 10) : 4;
    }
    mysql_free_result(result);
    if (is_there) return LEAT_OK;
    leat_code code = leat_fail(error, LEAT_INVALID, "the server writes no binlog");
    leat_fail_hint(error, "start it with log_bin=ON and binlog_format=ROW");
    return code;
}

leat_code leat_binlog_newest(MYSQL *mysql, leat_binlog_position *out, leat_error *error)
{
    bool is_new = !leat_mysql_is_mariadb(mysql) && mysql_get_server_version(mysql) >= 80200;
    return first_row(mysql, is_new ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", true, out, error);
}

leat_code leat_binlog_next_file(MYSQL *mysql, const leat_binlog_position *position, leat_binlog_position *out,
                                leat_error *error)
{
    MYSQL_RES *result;
    bool is_found = false;
    LEAT_TRY(leat_mysql_query(mysql, "SHOW BINARY LOGS", "look for the next binlog", &result, error));
    for (MYSQL_ROW row; !is_found && (row = mysql_fetch_row(result));) {
        is_found = suffix_of(row[0]) > suffix_of(position->file);
        if (is_found) snprintf(out->file, sizeof out->file, "%s", row[0]);
    }
    mysql_free_result(result);
    out->position = 4;
    return is_found ? LEAT_OK : leat_fail(error, LEAT_NOT_FOUND, "no binlog follows %s", position->file);
}

leat_code leat_binlog_oldest(MYSQL *mysql, leat_binlog_position *out, leat_error *error)
{
    return first_row(mysql, "SHOW BINARY LOGS", false, out, error);
}

leat_code leat_binlog_check_server(MYSQL *mysql, leat_error *error)
{
    static const struct {
        const char *sql, *wanted, *setting;
    } checks[] = {
        {"SELECT @@global.log_bin", "1", "log_bin=ON"},
        {"SELECT @@global.binlog_format", "ROW", "binlog_format=ROW"},
        {"SELECT @@global.binlog_row_image", "FULL", "binlog_row_image=FULL"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        char value[64];
        LEAT_TRY(
            leat_mysql_query_text(mysql, checks[i].sql, "check the server's settings", value, sizeof value, error));
        if (strcasecmp(value, checks[i].wanted) == 0) continue;
        leat_code code =
            leat_fail(error, LEAT_INVALID, "mysql-cdc needs %s, the server has '%s'", checks[i].setting, value);
        leat_fail_hint(error, "set it in the server's configuration and restart it");
        return code;
    }
    return LEAT_OK;
}
