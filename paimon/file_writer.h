/* One data or changelog file in the making: rows are encoded in the caller's thread, bytes go to storage by jobs of the
 * operator (or in place, without a context). The file appears whole once it is done, or not at all.
 *
 *   write … write ── finish ── poll until *is_done ── fill ── free
 *                              (poll also now and then before: it sends what is ready)
 *
 * Used by one thread at a time. Jobs wake the context's operator. */
#pragma once

#include "flow/operator.h"
#include "formats/datafile.h"
#include "paimon/table.h"

typedef struct leat_paimon_file_writer leat_paimon_file_writer;

typedef struct leat_paimon_file_writer_options {
    const char *folder;         /* "<table>/<partition>/bucket-<n>"; copied, as is the name */
    const char *name;           /* its last extension is the format */
    const leat_schema *columns; /* of the file: system columns first; copied */
    const int32_t *field_ids;   /* one a column */
    const leat_config *options; /* of the table: file.compression, .zstd-level, file.block-size; read in _new only */
    leat_env *env;
    leat_operator_context *context; /* NULL: blocking */
} leat_paimon_file_writer_options;

LEAT_CHECKED leat_code leat_paimon_file_writer_new(const leat_paimon_file_writer_options *options,
                                                   leat_paimon_file_writer **out, leat_error *error);
/* Encodes the selected rows (borrowed); row kinds are not written. */
LEAT_CHECKED leat_code leat_paimon_file_writer_write(leat_paimon_file_writer *writer, const leat_batch *batch,
                                                     leat_error *error);
/* The file's size so far, for rolling; with what is buffered. */
int64_t leat_paimon_file_writer_bytes(const leat_paimon_file_writer *writer);
/* Encoded bytes in memory: what is buffered, and what storage has not taken yet. */
int64_t leat_paimon_file_writer_held(const leat_paimon_file_writer *writer);
int64_t leat_paimon_file_writer_rows(const leat_paimon_file_writer *writer);
/* Encoded bytes that storage has not taken yet: who writes more should wait for a wake beyond some MiB. */
int64_t leat_paimon_file_writer_backlog(const leat_paimon_file_writer *writer);
/* Ends the file; no more rows. */
LEAT_CHECKED leat_code leat_paimon_file_writer_finish(leat_paimon_file_writer *writer, leat_error *error);
/* Takes over what jobs did and starts the next. *is_done: finished, durable and visible. */
LEAT_CHECKED leat_code leat_paimon_file_writer_poll(leat_paimon_file_writer *writer, bool *is_done, leat_error *error);
/* After finish: statistics, one a column of the file; borrowed. */
const leat_column_stats *leat_paimon_file_writer_stats(const leat_paimon_file_writer *writer);
/* When done: name, size, rows, creation time; everything else of *out is zeroed for the caller. Text in the arena. */
LEAT_CHECKED leat_code leat_paimon_file_writer_fill(const leat_paimon_file_writer *writer, leat_arena *arena,
                                                    leat_paimon_file *out, leat_error *error);
/* Throws an unfinished file away. Only when no job of it is under way: in `close` of the operator, or after done. */
void leat_paimon_file_writer_free(leat_paimon_file_writer *writer);
/* Whether a job is under way, so that it must not be freed yet. */
bool leat_paimon_file_writer_is_busy(const leat_paimon_file_writer *writer);
