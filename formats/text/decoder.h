/* Row formats of text: one line (or message) → rows. csv, json, debezium-json. A decoder belongs to one thread. */
#pragma once

#include "columnar/batch.h"
#include "common/config.h"

typedef struct leat_decoder leat_decoder;

enum { LEAT_DECODER_ROWS_MAX = 2 }; /* a line gives at most so many: −U and +U */

/* `format` as in 'format' = '…'; its options ("csv.field-delimiter" …) are taken from `options`. The schema is
 * borrowed. LEAT_NOT_FOUND in Flink's words for an unknown format; columns of types without columns are refused by
 * name. */
LEAT_CHECKED leat_code leat_decoder_new(const char *format, const leat_schema *schema, const leat_config *options,
                                        leat_decoder **out, leat_error *error);
void leat_decoder_free(leat_decoder *decoder);
/* Appends the line's rows; the builder has room for LEAT_DECODER_ROWS_MAX more. A line that can't be read is
 * LEAT_INVALID, or is skipped with ignore-parse-errors. Empty lines give nothing. */
LEAT_CHECKED leat_code leat_decoder_decode(leat_decoder *decoder, const char *line, size_t length,
                                           leat_batch_builder *builder, leat_error *error);
/* Whether rows of this format are a changelog. */
bool leat_format_is_changelog(const char *format);
/* Whether the option key belongs to the format ("json.ignore-parse-errors" of json). */
bool leat_format_knows_option(const char *format, const char *key);
/* The formats there are, ended by NULL. */
const char *const *leat_formats_list(void);
