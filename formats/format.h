/* What a format implements behind formats/datafile.h. Statistics and selections are dealt with before: a format's
 * `write` sees dense batches with at least one row. */
#pragma once

#include "common/arena.h"
#include "formats/column_stats.h"
#include "formats/datafile.h"

typedef struct leat_datafile_format {
    const char *name;
    leat_code (*writer_new)(const leat_schema *schema, const leat_datafile_write_options *options,
                            leat_datafile_writer **out, leat_error *error);
    leat_code (*write)(leat_datafile_writer *self, leat_batch *batch, leat_error *error);
    leat_code (*take)(leat_datafile_writer *self, leat_bytes *out, leat_error *error);
    int64_t (*bytes)(const leat_datafile_writer *self);
    leat_code (*finish)(leat_datafile_writer *self, leat_error *error);
    void (*writer_free)(leat_datafile_writer *self);

    leat_code (*reader_new)(uint64_t file_size, const leat_schema *columns, leat_datafile_reader **out,
                            leat_error *error);
    leat_code (*give)(leat_datafile_reader *self, uint64_t offset, leat_buffer *bytes, leat_error *error);
    leat_code (*step)(leat_datafile_reader *self, int32_t rows_max, leat_datafile_status *status, leat_batch **out,
                      leat_error *error);
    /* NULL, both, of formats that always begin with the first row. */
    void (*start_at)(leat_datafile_reader *self, int64_t row);
    int64_t (*first_row)(const leat_datafile_reader *self);
    size_t (*needed)(leat_datafile_reader *self, leat_datafile_range *ranges, size_t ranges_max);
    void (*reader_free)(leat_datafile_reader *self);
} leat_datafile_format;

/* Embedded first in a format's own; format and schema are filled by datafile.c. */
struct leat_datafile_writer {
    const leat_datafile_format *format;
    leat_arena arena;
    leat_schema schema;
    leat_stats_collector stats;
};

struct leat_datafile_reader {
    const leat_datafile_format *format;
    leat_arena arena;
    leat_schema columns;
};

extern const leat_datafile_format leat_parquet_format;

/* One more format, found before those of the same name; to be called before anything runs. The simulator brings a small
 * one in place of Parquet, as Arrow is not simulated. */
void leat_datafile_add_format(const leat_datafile_format *format);
