/* The inside of the mysql-cdc reader, shared by its files: cdc_reader.c (life, state), cdc_snapshot.c, cdc_stream.c,
 * cdc_row.c, cdc_key.c. */
#pragma once

#include "columnar/timezone.h"
#include "connectors/mysql/binlog/ddl.h"
#include "connectors/mysql/binlog/row.h"
#include "connectors/mysql/cdc.h"

enum {
    LEAT_CDC_KEY_COLUMNS_MAX = 32, /* MariaDB's limit; MySQL's is 16 */
    LEAT_CDC_NEWS_MAX = 512,       /* images judged at once */
};

typedef struct leat_cdc_table {
    leat_arena arena; /* of the definition */
    leat_mysql_table definition;
    int32_t *targets; /* for each MySQL column the output column, or -1 */
    bool has_warned;
    /* Its segments, which lie together; found when the stream first asks. */
    bool knows_segments;
    size_t first_segment, segments_count;
    leat_binlog_position oldest, newest; /* of their positions */
} leat_cdc_table;

/* Which definition a table id of the log stands for. */
typedef struct leat_cdc_map {
    leat_binlog_table map;
    int32_t table;
    bool is_used;
} leat_cdc_map;

/* Keys of a table up to `upper` (a list of SQL literals; NULL: all keys above the segment before) are as of `high`. */
typedef struct leat_cdc_segment {
    int32_t table;
    char *upper;
    leat_binlog_position high;
} leat_cdc_segment;

typedef enum leat_cdc_phase { LEAT_CDC_PHASE_NEW, LEAT_CDC_PHASE_SNAPSHOT, LEAT_CDC_PHASE_STREAM } leat_cdc_phase;

/* Keys above `lower` (NULL: all) up to `upper` (NULL: all) of its only table, and nothing after them: what one of
 * several readers reads. */
typedef struct leat_cdc_part {
    bool is_set;
    char *lower, *upper;
} leat_cdc_part;

struct leat_cdc_reader {
    leat_cdc_config config;
    leat_env *env;
    uint32_t server_id;
    const leat_zone *zone;
    leat_cdc_phase phase;
    leat_cdc_table *tables;
    int32_t tables_count;
    /* Snapshot. */
    int32_t at_table;           /* being read; tables_count: all are */
    leat_cdc_segment *segments; /* the last one is open while its table is being read */
    size_t segments_count, segments_capacity;
    leat_cdc_part part;
    MYSQL *query;
    bool has_view, is_open; /* is_open: the last segment is of this view */
    leat_binlog_position view;
    int64_t view_since_us;
    /* Stream. */
    leat_binlog_dump dump;
    leat_binlog_position newest; /* of the segments' positions */
    bool knows_newest;
    leat_binlog_position safe; /* where the running transaction began: a dump may start here */
    uint64_t rows_done;        /* changes of captured tables since then */
    uint64_t rows_to_skip;     /* of those to come: they were done before a restart */
    bool is_in_transaction, is_xa, has_moved;
    leat_cdc_map *maps;
    size_t maps_count, maps_capacity;
    leat_bytes inflated, scratch, refined, key, key_parts[LEAT_CDC_KEY_COLUMNS_MAX];
    bool news[LEAT_CDC_NEWS_MAX]; /* of the event's next images, from news_at on */
    int news_at, news_count;
    /* Both. */
    leat_batch_builder builder;
    leat_cdc_item *first, **last;
    int failures;
};

/* cdc_reader.c */
/* Finds the tables and where to begin. */
LEAT_CHECKED leat_code leat_cdc_begin(leat_cdc_reader *self, leat_error *error);
void leat_cdc_write_state(const leat_cdc_reader *self, leat_bytes *out);
LEAT_CHECKED leat_code leat_cdc_add_segment(leat_cdc_reader *self, const leat_cdc_segment *segment, leat_error *error);
void leat_cdc_forget_segments(leat_cdc_reader *self);
/* Appends what leat_cdc_reader_write_segments wrote of a part of this table. */
LEAT_CHECKED leat_code leat_cdc_read_segments(leat_cdc_reader *self, int32_t table, const uint8_t *data, size_t size,
                                              leat_error *error);
LEAT_CHECKED leat_code leat_cdc_describe(leat_cdc_reader *self, MYSQL *mysql, const char *database, const char *name,
                                         leat_cdc_table *out, leat_error *error);
void leat_cdc_table_done(leat_cdc_table *table);
LEAT_CHECKED leat_code leat_cdc_query_connection(leat_cdc_reader *self, MYSQL **out, leat_error *error);
/* Makes an item of the builder's rows (if any) and the present state. */
LEAT_CHECKED leat_code leat_cdc_push(leat_cdc_reader *self, leat_error *error);

/* cdc_snapshot.c: one chunk. *is_done: all tables are read. */
LEAT_CHECKED leat_code leat_cdc_snapshot_step(leat_cdc_reader *self, bool *is_done, leat_error *error);
void leat_cdc_close_view(leat_cdc_reader *self);
/* The key `rows` rows behind `lower` (NULL: the first), as literals, or NULL if there are fewer: the caller's. */
LEAT_CHECKED leat_code leat_cdc_find_bound(leat_cdc_reader *self, const char *lower, int64_t rows, char **out,
                                           leat_error *error);
/* Between snapshot and stream: the lowest position of the segments, from which on the log is read. */
void leat_cdc_begin_stream(leat_cdc_reader *self);

/* cdc_stream.c: events for a bounded time. *is_idle: there is none now. */
LEAT_CHECKED leat_code leat_cdc_stream_step(leat_cdc_reader *self, bool *is_idle, bool *is_done, leat_error *error);

/* cdc_row.c */
/* One cell into the builder's newest row. */
LEAT_CHECKED leat_code leat_cdc_put(leat_cdc_reader *self, const leat_cdc_table *table, int32_t column,
                                    leat_mysql_cell *cell, leat_error *error);
/* All changes of a rows event; those that are too old are counted only. */
LEAT_CHECKED leat_code leat_cdc_put_changes(leat_cdc_reader *self, const leat_cdc_map *map, leat_binlog_rows *rows,
                                            bool is_too_old, leat_error *error);

/* cdc_key.c */
/* What to SELECT of a key's column to make a literal of, and that literal: it compares as the column's index is
 * ordered. Quotes in it are delimiters, so that a list of literals is easily taken apart. */
void leat_cdc_put_key_expression(const leat_mysql_column *column, leat_bytes *sql);
LEAT_CHECKED leat_code leat_cdc_put_key_literal(const leat_mysql_column *column, const leat_mysql_cell *cell,
                                                leat_bytes *out, leat_error *error);
/* Whether the next row's images, before and after, come after what the snapshot read of their keys. To be called for
 * each of an event's rows from some row on. */
LEAT_CHECKED leat_code leat_cdc_judge(leat_cdc_reader *self, const leat_cdc_map *map, const leat_binlog_rows *rows,
                                      bool news[2], leat_error *error);

static inline bool leat_cdc_bit(const uint8_t *bits, int32_t at)
{
    return bits[at / 8] >> (at % 8) & 1;
}
