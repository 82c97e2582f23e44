#include "connectors/mysql/client.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "common/config.h"
#include "common/memory.h"

enum { CONNECT_TIMEOUT_MS = 30000, READ_TIMEOUT_MS = 600000 };

/* --- URLs --- */

static leat_code bad_url(const char *why, leat_error *error)
{
    leat_code code = leat_fail(error, LEAT_INVALID, "option 'url': %s", why);
    leat_fail_hint(error, "write jdbc:mysql://host:port/database");
    return code;
}

/* "%41" → "A"; a NUL or a broken escape is refused. */
static char *unescape(leat_arena *arena, const char *text, size_t length)
{
    char *out = leat_arena_strndup(arena, text, length);
    if (!out) return NULL;
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned value;
        if (text[i] == '%' && i + 2 < length && sscanf(text + i + 1, "%2x", &value) == 1 && value) {
            out[used++] = (char)value;
            i += 2;
        } else {
            out[used++] = text[i];
        }
    }
    out[used] = '\0';
    return out;
}

static bool is_key(const char *key, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(key, name, length) == 0;
}

static leat_code take_parameter(const char *key, size_t key_length, const char *value, leat_mysql_address *out,
                                leat_error *error)
{
    bool is_tls =
        (is_key(key, key_length, "useSSL") || is_key(key, key_length, "requireSSL")) && strcasecmp(value, "true") == 0;
    bool is_tls_mode = is_key(key, key_length, "sslMode") && strcasecmp(value, "DISABLED") != 0 &&
                       strcasecmp(value, "PREFERRED") != 0 && strcasecmp(value, "disable") != 0;
    if (is_tls || is_tls_mode) {
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "option 'url': TLS to MySQL ('%.*s=%s') is not there yet",
                                   (int)key_length, key, value);
        leat_fail_hint(error, "leave the parameter out to connect without TLS");
        return code;
    }
    if (is_key(key, key_length, "user")) out->user = value;
    if (is_key(key, key_length, "password")) out->password = value;
    if (is_key(key, key_length, "connectTimeout")) return leat_parse_int(value, &out->connect_timeout_ms, error);
    if (is_key(key, key_length, "socketTimeout")) return leat_parse_int(value, &out->read_timeout_ms, error);
    return LEAT_OK;
}

static leat_code take_parameters(const char *at, leat_arena *arena, leat_mysql_address *out, leat_error *error)
{
    while (*at) {
        size_t length = strcspn(at, "&");
        const char *equals = memchr(at, '=', length);
        if (equals) {
            const char *value = unescape(arena, equals + 1, length - (size_t)(equals + 1 - at));
            if (!value) return leat_fail_no_memory(error);
            LEAT_TRY(take_parameter(at, (size_t)(equals - at), value, out, error));
        }
        at += length;
        if (*at == '&') at++;
    }
    return LEAT_OK;
}

static leat_code take_host(const char *at, size_t length, leat_arena *arena, leat_mysql_address *out, leat_error *error)
{
    if (memchr(at, ',', length) || memchr(at, '(', length) || memchr(at, '@', length)) {
        return leat_fail(error, LEAT_UNSUPPORTED, "option 'url': one host and one port, without user, are understood");
    }
    const char *end = at + length, *port = NULL, *host_end = end;
    if (length && *at == '[') { /* IPv6 */
        host_end = memchr(at, ']', length);
        if (!host_end) return bad_url("']' is missing", error);
        if (host_end + 1 < end && host_end[1] == ':') port = host_end + 2;
        at++;
    } else {
        const char *colon = memchr(at, ':', length);
        if (colon) host_end = colon, port = colon + 1;
    }
    if (port) {
        int64_t number = 0;
        char text[8];
        snprintf(text, sizeof text, "%.*s", (int)(end - port), port);
        if (end - port > 5 || leat_parse_int(text, &number, NULL) != LEAT_OK || number < 1 || number > 65535) {
            return bad_url("the port is not a number from 1 to 65535", error);
        }
        out->port = (uint16_t)number;
    }
    out->host = host_end > at ? leat_arena_strndup(arena, at, (size_t)(host_end - at)) : "localhost";
    return out->host ? LEAT_OK : leat_fail_no_memory(error);
}

leat_code leat_mysql_url_parse(const char *url, leat_arena *arena, leat_mysql_address *out, leat_error *error)
{
    static const char *const schemes[] = {"jdbc:mysql://", "jdbc:mariadb://"};
    const char *at = NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0) at = url + strlen(schemes[i]);
    }
    if (!at) {
        size_t shown = strcspn(url, "/?@"); /* what follows may hold a password */
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED,
                                   "Could not find any jdbc factory that can handle url '%.*s…'", (int)shown, url);
        leat_fail_hint(error, "jdbc:mysql://host:port/database and jdbc:mariadb://… are understood");
        return code;
    }
    *out = (leat_mysql_address){0};
    size_t host_length = strcspn(at, "/?");
    LEAT_TRY(take_host(at, host_length, arena, out, error));
    if (!out->port) out->port = 3306; /* as the Java drivers: TCP, also for localhost */
    at += host_length;
    if (*at == '/') {
        size_t length = strcspn(++at, "?");
        if (length) {
            out->database = unescape(arena, at, length);
            if (!out->database) return leat_fail_no_memory(error);
        }
        at += length;
    }
    return *at == '?' ? take_parameters(at + 1, arena, out, error) : LEAT_OK;
}

/* --- connections --- */

static void init_library(void)
{
    (void)mysql_library_init(0, NULL, NULL); /* not thread-safe by itself */
}

static void set_hint(leat_error *error, unsigned number)
{
    switch (number) {
    case ER_ACCESS_DENIED_ERROR:
    case 1698:
        leat_fail_hint(error, "check 'username' and 'password', and from which hosts this user may connect");
        break;
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR: leat_fail_hint(error, "GRANT the right on it to this user"); break;
    case ER_SPECIFIC_ACCESS_DENIED_ERROR: leat_fail_hint(error, "GRANT the right that the text names"); break;
    case ER_BAD_DB_ERROR: leat_fail_hint(error, "create the database, or correct its name"); break;
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST: leat_fail_hint(error, "check host and port, and that the server is running"); break;
    default: break;
    }
}

static leat_code code_of(unsigned number)
{
    switch (number) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case 1698: return LEAT_DENIED;
    case ER_BAD_DB_ERROR:
    case ER_NO_SUCH_TABLE: return LEAT_NOT_FOUND;
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case ER_SERVER_SHUTDOWN:
    case ER_CON_COUNT_ERROR:
    case 1927: /* ER_CONNECTION_KILLED */
    case 4031: /* MySQL 8: disconnected by the server because of inactivity */ return LEAT_UNAVAILABLE;
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK: return LEAT_IO;
    case CR_OUT_OF_MEMORY: return LEAT_NO_MEMORY;
    default: return LEAT_INVALID;
    }
}

leat_code leat_mysql_fail(MYSQL *mysql, const char *what, leat_error *error)
{
    unsigned number = mysql_errno(mysql);
    leat_code code = leat_fail(error, code_of(number), "%s: MySQL error %u: %s", what, number, mysql_error(mysql));
    set_hint(error, number);
    return code;
}

static leat_code open_session(MYSQL *mysql, const leat_mysql_address *address, leat_error *error)
{
    unsigned protocol = MYSQL_PROTOCOL_TCP; /* "localhost" would mean the local socket, whatever the port */
    if (address->port) (void)mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    int64_t connect_ms = address->connect_timeout_ms > 0 ? address->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    int64_t read_ms = address->read_timeout_ms > 0 ? address->read_timeout_ms : READ_TIMEOUT_MS;
    unsigned connect_s = (unsigned)((connect_ms + 999) / 1000), read_s = (unsigned)((read_ms + 999) / 1000);
    (void)mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    (void)mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &read_s);
    (void)mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &read_s);
    (void)mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    char what[192];
    snprintf(what, sizeof what, "connect to MySQL at %s:%u", address->host, address->port);
    if (!mysql_real_connect(mysql, address->host, address->user, address->password, address->database, address->port,
                            NULL, 0)) {
        return leat_mysql_fail(mysql, what, error);
    }
    return leat_mysql_run(mysql, "SET time_zone = '+00:00'", what, error);
}

leat_code leat_mysql_connect(const leat_mysql_address *address, MYSQL **out, leat_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    MYSQL *mysql = mysql_init(NULL);
    if (!mysql) return leat_fail_no_memory(error);
    leat_code code = open_session(mysql, address, error);
    if (code == LEAT_OK)
        *out = mysql;
    else
        mysql_close(mysql);
    return code;
}

void leat_mysql_close(MYSQL *mysql)
{
    if (mysql) mysql_close(mysql);
}

leat_code leat_mysql_run(MYSQL *mysql, const char *sql, const char *what, leat_error *error)
{
    if (mysql_real_query(mysql, sql, strlen(sql)) != 0) return leat_mysql_fail(mysql, what, error);
    MYSQL_RES *result = mysql_store_result(mysql);
    if (result)
        mysql_free_result(result);
    else if (mysql_errno(mysql))
        return leat_mysql_fail(mysql, what, error);
    return LEAT_OK;
}

leat_code leat_mysql_query(MYSQL *mysql, const char *sql, const char *what, MYSQL_RES **out, leat_error *error)
{
    if (mysql_real_query(mysql, sql, strlen(sql)) != 0) return leat_mysql_fail(mysql, what, error);
    MYSQL_RES *result = mysql_store_result(mysql);
    if (!result) return leat_mysql_fail(mysql, what, error);
    *out = result;
    return LEAT_OK;
}

leat_code leat_mysql_query_text(MYSQL *mysql, const char *sql, const char *what, char *out, size_t out_size,
                                leat_error *error)
{
    MYSQL_RES *result = NULL;
    LEAT_TRY(leat_mysql_query(mysql, sql, what, &result, error));
    MYSQL_ROW row = mysql_fetch_row(result);
    bool is_there = row && row[0];
    if (is_there) snprintf(out, out_size, "%s", row[0]);
    mysql_free_result(result);
    return is_there ? LEAT_OK : leat_fail(error, LEAT_NOT_FOUND, "%s: the server answers nothing", what);
}

bool leat_mysql_is_mariadb(MYSQL *mysql)
{
    return mariadb_connection(mysql);
}

/* --- SQL text --- */

void leat_mysql_put_name(leat_bytes *sql, const char *name)
{
    leat_bytes_put_u8(sql, '`');
    for (; *name; name++) {
        if (*name == '`') leat_bytes_put_u8(sql, '`');
        leat_bytes_put_u8(sql, (uint8_t)*name);
    }
    leat_bytes_put_u8(sql, '`');
}

void leat_mysql_put_hex(leat_bytes *sql, const void *data, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *bytes = data;
    leat_bytes_put(sql, "X'", 2);
    for (size_t i = 0; i < size; i++) {
        leat_bytes_put_u8(sql, (uint8_t)digits[bytes[i] >> 4]);
        leat_bytes_put_u8(sql, (uint8_t)digits[bytes[i] & 15]);
    }
    leat_bytes_put_u8(sql, '\'');
}

void leat_mysql_put_text(leat_bytes *sql, const void *text, size_t size)
{
    /* A backslash is an escape or not by sql_mode; text with one goes as bytes. */
    if (size && (memchr(text, '\\', size) || memchr(text, '\0', size))) {
        leat_bytes_put(sql, "CONVERT(", 8);
        leat_mysql_put_hex(sql, text, size);
        leat_bytes_put(sql, " USING utf8mb4)", 15);
        return;
    }
    const char *bytes = text;
    leat_bytes_put_u8(sql, '\'');
    for (size_t from = 0, i = 0; i <= size; i++) {
        if (i < size && bytes[i] != '\'') continue;
        leat_bytes_put(sql, bytes + from, i - from);
        if (i < size) leat_bytes_put(sql, "''", 2);
        from = i + 1;
    }
    leat_bytes_put_u8(sql, '\'');
}
