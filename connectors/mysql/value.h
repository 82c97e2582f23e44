/* Values on their way between MySQL and columns. A cell is a value as MySQL means it, whatever way it came (text of a
 * result, bytes of a binlog row): both ways end in leat_mysql_put_cell, so that a row read in the snapshot and the same
 * row read from the binlog give equal columns. Type rules: spec/cdc types §1. */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"
#include "common/bytes.h"

typedef enum leat_mysql_cell_kind {
    LEAT_CELL_NULL,
    LEAT_CELL_INT,      /* number; YEAR too */
    LEAT_CELL_DOUBLE,   /* real; scale 4: it is a FLOAT, printed with as few digits as that needs */
    LEAT_CELL_DECIMAL,  /* number, scale; more than 38 digits come as BYTES (the text) */
    LEAT_CELL_BYTES,    /* data, size: text in UTF-8, or bytes */
    LEAT_CELL_BITS,     /* data, size: BIT(n), big-endian */
    LEAT_CELL_DATE,     /* number: days since 1970 */
    LEAT_CELL_TIME,     /* number: µs, may be negative or beyond a day */
    LEAT_CELL_DATETIME, /* number: µs since 1970, wall clock (of TIMESTAMP: UTC) */
    LEAT_CELL_ZERO,     /* 0000-00-00; with number != 0: a date with a zero part, or with a time */
} leat_mysql_cell_kind;

typedef struct leat_mysql_cell {
    leat_mysql_cell_kind kind;
    int32_t scale; /* of DECIMAL; digits of the fraction of TIME and DATETIME when printed */
    __int128 number;
    double real;
    const uint8_t *data; /* borrowed */
    size_t size;
} leat_mysql_cell;

/* Sets the column of the builder's newest row. LEAT_INVALID when the value does not fit the type. */
LEAT_CHECKED leat_code leat_mysql_put_cell(leat_batch_builder *builder, int32_t column, const leat_type *type,
                                           const leat_mysql_cell *cell, leat_error *error);

/* Whether a column of this type can take cells of these kinds at all is leat_mysql_column_fits (table.h). */

/* Text forms of MySQL → cells: "-12.50", "2024-02-29 10:20:30.5", "-838:59:59". */
LEAT_CHECKED leat_code leat_mysql_parse_number(const char *text, size_t size, leat_mysql_cell *out, leat_error *error);
LEAT_CHECKED leat_code leat_mysql_parse_date(const char *text, size_t size, leat_mysql_cell *out, leat_error *error);
LEAT_CHECKED leat_code leat_mysql_parse_datetime(const char *text, size_t size, leat_mysql_cell *out,
                                                 leat_error *error);
LEAT_CHECKED leat_code leat_mysql_parse_time(const char *text, size_t size, leat_mysql_cell *out, leat_error *error);

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
int64_t leat_mysql_days(int64_t year, int64_t month, int64_t day);
/* As MySQL prints a cell; appends. */
void leat_mysql_cell_text(const leat_mysql_cell *cell, leat_bytes *out);

/* A column's value as an SQL literal. */
LEAT_CHECKED leat_code leat_mysql_put_literal(leat_bytes *sql, const leat_type *type, const leat_column *column,
                                              int32_t row, leat_error *error);
