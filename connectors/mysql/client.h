/* Connections to MySQL and MariaDB over libmariadb: addresses, connecting, running statements, and what the server's
 * errors mean to us.
 *
 * Everything here blocks: I/O threads only. A connection may be used by one thread at a time. Passwords go to the
 * server and nowhere else: no error, no log line holds one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/bytes.h"
#include "common/error.h"

/* libmariadb's, so that who includes this need not see all of <mysql.h>. */
typedef struct st_mysql MYSQL;
typedef struct st_mysql_res MYSQL_RES;

/* Where a server is and who asks. Text is borrowed. */
typedef struct leat_mysql_address {
    const char *host;
    uint16_t port;        /* 0: the client library's default, over the local socket if the host is "localhost" */
    const char *database; /* NULL: none */
    const char *user, *password;
    int64_t connect_timeout_ms; /* 0: 30 s */
    int64_t read_timeout_ms;    /* 0: 600 s */
} leat_mysql_address;

/* "jdbc:mysql://host[:port][/database][?key=value&…]", also jdbc:mariadb. Parameters of the Java drivers that only
 * concern them are passed over; `user`, `password`, `connectTimeout`, `socketTimeout` (ms) are taken; TLS is refused by
 * name (LEAT_UNSUPPORTED). Text lives in the arena. */
LEAT_CHECKED leat_code leat_mysql_url_parse(const char *url, leat_arena *arena, leat_mysql_address *out,
                                            leat_error *error);

/* *out is closed with leat_mysql_close (or mysql_close). The session speaks utf8mb4, its time zone is UTC, autocommit
 * is on. */
LEAT_CHECKED leat_code leat_mysql_connect(const leat_mysql_address *address, MYSQL **out, leat_error *error);
void leat_mysql_close(MYSQL *mysql); /* NULL is fine */

/* The connection's last error as ours: `what` was being done. DENIED, NOT_FOUND, UNAVAILABLE and IO (deadlock, lock
 * timeout) mean what they say; anything else is INVALID. */
leat_code leat_mysql_fail(MYSQL *mysql, const char *what, leat_error *error);

/* A statement without rows. */
LEAT_CHECKED leat_code leat_mysql_run(MYSQL *mysql, const char *sql, const char *what, leat_error *error);
/* A statement with few rows, which are all fetched: mysql_free_result(*out). */
LEAT_CHECKED leat_code leat_mysql_query(MYSQL *mysql, const char *sql, const char *what, MYSQL_RES **out,
                                        leat_error *error);
/* The first column of the first row, copied into `out` (cut to its size); LEAT_NOT_FOUND when there is no row or NULL.
 */
LEAT_CHECKED leat_code leat_mysql_query_text(MYSQL *mysql, const char *sql, const char *what, char *out,
                                             size_t out_size, leat_error *error);

/* `name` in backquotes. */
void leat_mysql_put_name(leat_bytes *sql, const char *name);
/* A text literal that means the same in every sql_mode, and bytes as X'…'. */
void leat_mysql_put_text(leat_bytes *sql, const void *text, size_t size);
void leat_mysql_put_hex(leat_bytes *sql, const void *data, size_t size);

bool leat_mysql_is_mariadb(MYSQL *mysql);
