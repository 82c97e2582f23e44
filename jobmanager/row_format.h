/* Rows as lines of text, for the REST API and the command line.
 *
 *   rows   ["+I","1",null,"2024-02-29 12:00:00.000"]         kind, then texts as Flink's client prints them
 *   json   {"$kind":"+I","id":1,"at":"2024-02-29T12:00:00"}  values as JSON has them; decimals, dates and times (ISO
 * 8601, as Java prints them) are strings, bytes "0x…"; the kind only if asked csv    +I,1,,2024-02-29 12:00:00.000 RFC
 * 4180; NULL is empty and an empty text is ""
 *
 * Text that is no UTF-8 has its bad bytes replaced by U+FFFD in JSON. */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"

typedef enum leat_row_format { LEAT_ROW_FORMAT_ROWS, LEAT_ROW_FORMAT_JSON, LEAT_ROW_FORMAT_CSV } leat_row_format;

/* false: unknown name. */
bool leat_row_format_parse(const char *name, leat_row_format *out);
/* The line of column names that CSV starts with. */
void leat_row_format_csv_header(const leat_schema *schema, bool has_kind, leat_bytes *out);
/* Appends the batch's selected rows, each with a newline. `time_zone` is for printing TIMESTAMP_LTZ (NULL: UTC). */
LEAT_CHECKED leat_code leat_row_format_write(leat_row_format format, const leat_schema *schema, const leat_batch *batch,
                                             bool has_kind, const char *time_zone, leat_bytes *out, leat_error *error);
/* A JSON string with its quotes. */
void leat_json_put_string(leat_bytes *out, const char *text, size_t length);
