/* One data or changelog file being read: ranges come from storage by jobs of the operator, which they wake (or in
 * place, without a context); decoding is done in the caller's thread, a batch a step. The next row group is fetched
 * while one is decoded. Used by one thread at a time. */
#pragma once

#include "flow/operator.h"
#include "formats/datafile.h"

typedef struct leat_paimon_file_reader leat_paimon_file_reader;

typedef enum leat_paimon_read_status {
    LEAT_PAIMON_READ_BATCH, /* *out is the next batch */
    LEAT_PAIMON_READ_WAIT,  /* bytes are on their way: step again after on_wake */
    LEAT_PAIMON_READ_END,
} leat_paimon_read_status;

typedef struct leat_paimon_file_reader_options {
    const char *path; /* copied; the last extension is the format */
    uint64_t size_bytes;
    const leat_schema *columns; /* wanted columns of the file by its own names; copied */
    leat_env *env;
    leat_operator_context *context; /* NULL: blocking */
} leat_paimon_file_reader_options;

LEAT_CHECKED leat_code leat_paimon_file_reader_new(const leat_paimon_file_reader_options *options,
                                                   leat_paimon_file_reader **out, leat_error *error);
/* As leat_datafile_reader_start_at and _first_row. */
void leat_paimon_file_reader_start_at(leat_paimon_file_reader *reader, int64_t row);
int64_t leat_paimon_file_reader_first_row(const leat_paimon_file_reader *reader);
LEAT_CHECKED leat_code leat_paimon_file_reader_step(leat_paimon_file_reader *reader, int32_t rows_max,
                                                    leat_paimon_read_status *status, leat_batch **out,
                                                    leat_error *error);
/* Only when it is not busy: in `close` of the operator, or after END. */
void leat_paimon_file_reader_free(leat_paimon_file_reader *reader);
bool leat_paimon_file_reader_is_busy(const leat_paimon_file_reader *reader);
