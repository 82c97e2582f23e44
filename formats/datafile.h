/* Columnar data files (Parquet; ORC and Avro later) behind one interface: memory and ranges, not files; one slice a
 * step, so that a subtask can encode and decode between other work. Implemented by modules that are opened on first use
 * (formats/parquet: a shared object around Apache Arrow's C++ library, the only C++ in the tree).
 *
 * A writer or reader is used by one thread at a time. CPU work happens in the caller's thread. */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"
#include "common/bytes.h"
#include "common/error.h"

typedef struct leat_datafile_writer leat_datafile_writer;
typedef struct leat_datafile_reader leat_datafile_reader;

/* Bounds of a column, for manifests and pruning. Values are as in leat_view / fixed layouts, copied. */
typedef struct leat_column_stats {
    bool has_bounds;
    int64_t null_count;  /* -1: not known */
    leat_bytes min, max; /* fixed layouts: the value's bytes; text: the bytes, not truncated */
} leat_column_stats;

typedef struct leat_datafile_write_options {
    const char *compression;  /* "zstd", "snappy", "lz4", "gzip", "none"; NULL: zstd */
    int compression_level;    /* 0: the codec's default */
    int64_t row_group_bytes;  /* 0: 128 MiB */
    const int32_t *field_ids; /* one a column; NULL: none */
} leat_datafile_write_options;

/* Where a reader gets its bytes: from memory that the caller fetched. Called from step; must not block. Returns false
 * when the range is not there yet: step then says NEED, and the caller fetches leat_datafile_needed. */
typedef struct leat_datafile_range {
    uint64_t offset, size;
} leat_datafile_range;

typedef enum leat_datafile_status {
    LEAT_DATAFILE_BATCH, /* *out is the next batch */
    LEAT_DATAFILE_NEED,  /* bytes are missing: fetch `needed`, give them, call again */
    LEAT_DATAFILE_END,
} leat_datafile_status;

/* format: "parquet". LEAT_UNSUPPORTED names what is not there; columns of kinds without columns are refused by name. */
LEAT_CHECKED leat_code leat_datafile_writer_new(const char *format, const leat_schema *schema,
                                                const leat_datafile_write_options *options, leat_datafile_writer **out,
                                                leat_error *error);
/* Encodes the selected rows (borrowed). Row kinds are not written. */
LEAT_CHECKED leat_code leat_datafile_write(leat_datafile_writer *writer, const leat_batch *batch, leat_error *error);
/* Bytes that are ready, to be appended to the object; taken out of the writer. May be called after each write. */
LEAT_CHECKED leat_code leat_datafile_writer_take(leat_datafile_writer *writer, leat_bytes *out, leat_error *error);
/* Bytes written and buffered so far, roughly the file's size. */
int64_t leat_datafile_writer_bytes(const leat_datafile_writer *writer);
/* Ends the file (take the rest of the bytes afterwards) and fills one entry of `stats` a column. */
LEAT_CHECKED leat_code leat_datafile_writer_finish(leat_datafile_writer *writer, leat_column_stats *stats,
                                                   leat_error *error);
void leat_datafile_writer_free(leat_datafile_writer *writer);

/* `columns`: names of the file's columns that are wanted with the types they shall have (as the file's schema says
 * them); missing ones are LEAT_NOT_FOUND. `file_size` is known from the manifest. */
LEAT_CHECKED leat_code leat_datafile_reader_new(const char *format, uint64_t file_size, const leat_schema *columns,
                                                leat_datafile_reader **out, leat_error *error);
/* Bytes from `range.offset` on (copied or referenced until the reader is freed: the buffer is shared). */
LEAT_CHECKED leat_code leat_datafile_reader_give(leat_datafile_reader *reader, uint64_t offset, leat_buffer *bytes,
                                                 leat_error *error);
/* Decodes at most `rows_max` rows. */
LEAT_CHECKED leat_code leat_datafile_reader_step(leat_datafile_reader *reader, int32_t rows_max,
                                                 leat_datafile_status *status, leat_batch **out, leat_error *error);
/* Before the first step: rows come from the row group on that holds this one, so from at or before it. */
void leat_datafile_reader_start_at(leat_datafile_reader *reader, int64_t row);
/* Which row of the file the first batch begins with; known when it came. */
int64_t leat_datafile_reader_first_row(const leat_datafile_reader *reader);
/* What to fetch next, after NEED: at least one range. */
size_t leat_datafile_reader_needed(leat_datafile_reader *reader, leat_datafile_range *ranges, size_t ranges_max);
void leat_datafile_reader_free(leat_datafile_reader *reader);
