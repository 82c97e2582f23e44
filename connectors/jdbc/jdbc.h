/* The `jdbc` connector for MySQL and MariaDB: an upsert (or, without a primary key, appending) sink, and a bounded
 * scan. Options and messages: Flink's jdbc 3.3 (spec: connectors §5). There is no Java here; the name and the URL are
 * what people's scripts have. Lookups and other databases are refused by name.
 *
 *   "jdbc-sink"    rows → SQL text on the worker ─▶ a flush on an I/O thread, one at a time, in order; at least once
 *   "jdbc-source"  one SELECT, streamed; one subtask */
#pragma once

#include "connectors/mysql/client.h"
#include "flow/connector.h"

typedef struct leat_jdbc_config {
    leat_mysql_address address;
    const char *table;          /* as given: "t" or "db.t" */
    leat_schema schema;         /* of the sink's input, or of the rows wanted from the source */
    const int32_t *primary_key; /* columns of the schema */
    int32_t primary_key_count;
    /* Sink. */
    int64_t flush_rows;        /* rows that start a flush; 0: by bytes only */
    int64_t flush_interval_ms; /* 0: off */
    int32_t max_retries;
    /* Source. */
    int64_t limit; /* -1: none */
} leat_jdbc_config;

void leat_jdbc_config_write(const leat_jdbc_config *config, leat_bytes *out);
LEAT_CHECKED leat_code leat_jdbc_config_read(const uint8_t *data, size_t size, leat_arena *arena, leat_jdbc_config *out,
                                             leat_error *error);

/* `db`.`t` of "db.t". */
void leat_jdbc_put_table(leat_bytes *sql, const char *table);

/* Appends the batch's selected rows as statements. Runs of rows of one kind share a statement (up to about a megabyte),
 * so the order of rows is kept; -U is passed over when there is a primary key. Each statement is a block (length and
 * text); *rows counts what was taken. */
LEAT_CHECKED leat_code leat_jdbc_render(const leat_jdbc_config *config, const leat_batch *batch, leat_bytes *statements,
                                        int64_t *rows, leat_error *error);

extern const leat_operator_factory leat_jdbc_sink_factory, leat_jdbc_source_factory;
extern const leat_connector leat_jdbc_connector;
