/* mysql-cdc: a table's rows, then its changes, exactly once (spec/cdc snapshot).
 *
 *   SNAPSHOT   chunks along the primary key, `chunk_rows` each, out of one consistent view of the server whose exact
 * binlog position is known, so no backfill is needed. A view is held for at most a minute; each view makes a *segment*
 *              of the key space: (keys up to an upper bound, as of a position)
 *   STREAM     the binlog from the lowest of these positions; a change whose key lies in a segment that was read later
 * than the change is left out; beyond the highest position the segments are forgotten
 *
 * With a parallelism above 1 (and checkpoints) the snapshot is read by all readers: the enumerator cuts tables in
 * parts, ranges of keys; a part is a reader's SNAPSHOT of its own, whose segments go back to the enumerator. When all
 * are read and a checkpoint holds their rows, one reader gets the STREAM with all segments, and the others end.
 *
 * The reader is linear, blocking code, run in slices by jobs on I/O threads. It makes items: a batch, and the state
 * that holds once the batch is emitted. The operator emits them and keeps the newest state for its checkpoints. */
#pragma once

#include "connectors/mysql/binlog/dump.h"
#include "connectors/mysql/table.h"
#include "flow/connector.h"
#include "flow/registry.h"

typedef enum leat_cdc_startup {
    LEAT_CDC_INITIAL,
    LEAT_CDC_SNAPSHOT,
    LEAT_CDC_LATEST,
    LEAT_CDC_EARLIEST,
    LEAT_CDC_SPECIFIC,
    LEAT_CDC_TIMESTAMP,
} leat_cdc_startup;

typedef struct leat_cdc_config {
    leat_mysql_address address;
    const char *database_pattern, *table_pattern; /* regular expressions */
    leat_schema schema;                           /* of the rows made; columns by name */
    uint32_t server_id;                           /* 0: random */
    int64_t chunk_rows, heartbeat_ms;
    leat_cdc_startup startup;
    int64_t startup_ms;                    /* of TIMESTAMP */
    leat_binlog_position startup_position; /* of SPECIFIC */
    const char *zone;    /* of the server (columnar/timezone.h; NULL: UTC): a TIMESTAMP becomes its wall clock there */
    bool is_append_only; /* every change as +I */
    bool is_delete_insert;  /* updates as -D, +I instead of -U, +U: the sync actions */
    bool allows_missing;    /* a table may lack columns (NULL then): merged tables */
    bool keeps_json_blanks; /* JSON as MySQL prints it, with blanks between its parts */
    bool is_parallel;       /* several readers, with an enumerator */
} leat_cdc_config;

void leat_cdc_config_write(const leat_cdc_config *config, leat_bytes *out);
LEAT_CHECKED leat_code leat_cdc_config_read(const uint8_t *data, size_t size, leat_arena *arena, leat_cdc_config *out,
                                            leat_error *error);

/* Fills a config from options in Flink's words (without 'schema'). `prefix_words` of errors are Flink's. */
LEAT_CHECKED leat_code leat_cdc_config_from_options(const leat_config *options, const char *time_zone,
                                                    leat_cdc_config *out, leat_error *error);
/* How many readers there are, and their configuration: into a plan whose source has its name. */
LEAT_CHECKED leat_code leat_cdc_plan_readers(const leat_plan_context *context, leat_cdc_config *config,
                                             leat_source_plan *out, leat_error *error);
/* All options it understands, ended by a NULL key. */
extern const leat_connector_option leat_cdc_options[];

typedef struct leat_cdc_item leat_cdc_item;
struct leat_cdc_item {
    leat_cdc_item *next;
    leat_batch *batch; /* NULL: only the state moved */
    leat_bytes state;
};
void leat_cdc_item_free(leat_cdc_item *item);

typedef struct leat_cdc_reader leat_cdc_reader;
/* `state` NULL or empty: a fresh start. */
LEAT_CHECKED leat_code leat_cdc_reader_new(const leat_cdc_config *config, leat_env *env, const uint8_t *state,
                                           size_t state_size, leat_cdc_reader **out, leat_error *error);
void leat_cdc_reader_free(leat_cdc_reader *reader);
/* Goes on from another state, over the connection that is there. Blocks. */
LEAT_CHECKED leat_code leat_cdc_reader_assign(leat_cdc_reader *reader, const uint8_t *state, size_t size,
                                              leat_error *error);
/* Closes its connections until it runs again. Blocks. */
void leat_cdc_reader_rest(leat_cdc_reader *reader);
/* Of a part that is read: as of which positions. */
void leat_cdc_reader_write_segments(const leat_cdc_reader *reader, leat_bytes *out);

typedef struct leat_cdc_slice {
    leat_cdc_item *first; /* in order; the caller's */
    int64_t wait_ms;      /* nothing to do before */
    bool is_at_end;       /* SNAPSHOT mode is done, or its part */
} leat_cdc_slice;
/* Reads on for a bounded time. Lost connections are repaired here, with a wait; other errors end the reader. Items may
 * be there also when it fails. */
LEAT_CHECKED leat_code leat_cdc_reader_run(leat_cdc_reader *reader, leat_cdc_slice *out, leat_error *error);

/* Between the enumerator and its readers: a split is a number (u32) and a reader's state; a reader tells that it is
 * read with the number and its segments, and is told with the number that this is known. */
enum {
    LEAT_CDC_REST = UINT32_MAX,       /* instead of a number: there is nothing to read now */
    LEAT_CDC_STREAM = UINT32_MAX - 1, /* number of the log's split, which has no end */
};

extern const leat_operator_factory leat_mysql_cdc_factory;
extern const leat_enumerator_factory leat_mysql_cdc_enumerator_factory;
extern const leat_connector leat_mysql_cdc_connector;
