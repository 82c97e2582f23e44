/* Text → value of a column, as Flink's csv and json formats read it: numbers in Java's forms, DATE 2024-02-29, TIME
 * 12:34:56[.fff], TIMESTAMP "2024-02-29 12:34:56[.fff]" (SQL) or with 'T' (ISO-8601), TIMESTAMP_LTZ the same with a
 * 'Z', bytes as base64. */
#pragma once

#include "columnar/batch.h"

typedef struct leat_scalar_options {
    bool is_iso; /* timestamps with 'T' instead of a blank */
} leat_scalar_options;

/* Sets the value in the builder's current row. LEAT_INVALID: the text is not of the type. */
LEAT_CHECKED leat_code leat_scalar_parse(const leat_type *type, const char *text, size_t length,
                                         const leat_scalar_options *options, leat_batch_builder *builder,
                                         int32_t column, leat_error *error);

/* Pieces of it: whole number within [low, high]; decimal rounded half up to the type (false: too many digits). */
bool leat_scalar_integer(const char *text, size_t length, int64_t low, int64_t high, int64_t *out);
bool leat_scalar_decimal(const char *text, size_t length, int32_t precision, int32_t scale, __int128 *out);
/* Days of a civil date since 1970-01-01 (proleptic Gregorian). */
int64_t leat_scalar_days(int64_t year, int64_t month, int64_t day);
