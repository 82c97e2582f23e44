/* Reads one data file of a primary-key table in slices: the wanted columns, then _SEQUENCE_NUMBER as the last column;
 * the row kinds from _VALUE_KIND. */
#pragma once

#include "flow/operator.h"
#include "paimon/table.h"

typedef enum leat_pk_status {
    LEAT_PK_BATCH,
    LEAT_PK_WAIT,  /* a job is under way, which wakes the operator */
    LEAT_PK_AGAIN, /* a slice is done: call again */
    LEAT_PK_END,
} leat_pk_status;

/* Where code that works in slices gets bytes from: by jobs of the context, or in place. */
typedef struct leat_pk_io {
    leat_env *env;
    leat_operator_context *context; /* NULL: in place, blocking */
} leat_pk_io;

typedef struct leat_pk_file_reader leat_pk_file_reader;

/* `columns` are those of the table; borrowed. */
LEAT_CHECKED leat_code leat_pk_file_reader_new(const leat_pk_io *io, const char *bucket_path,
                                               const leat_paimon_file *file, const leat_schema *columns,
                                               leat_pk_file_reader **out, leat_error *error);
/* As leat_datafile_reader_start_at and _first_row. */
void leat_pk_file_reader_start_at(leat_pk_file_reader *reader, int64_t row);
int64_t leat_pk_file_reader_first_row(const leat_pk_file_reader *reader);
LEAT_CHECKED leat_code leat_pk_file_reader_step(leat_pk_file_reader *reader, int32_t rows_max, leat_pk_status *status,
                                                leat_batch **out, leat_error *error);
bool leat_pk_file_reader_is_busy(const leat_pk_file_reader *reader);
/* When no job of it runs (it is not busy). NULL is fine. */
void leat_pk_file_reader_free(leat_pk_file_reader *reader);
