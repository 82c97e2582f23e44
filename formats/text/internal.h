/* Between the decoders' files. */
#pragma once

#include "common/bytes.h"
#include "formats/text/decoder.h"
#include "formats/text/scalar.h"

struct leat_decoder {
    const leat_schema *schema;
    leat_code (*decode)(leat_decoder *decoder, const char *line, size_t length, leat_batch_builder *builder,
                        leat_error *error);
    leat_scalar_options scalar;
    bool ignores_errors, fails_on_missing, has_schema, allows_comments;
    char delimiter, quote, escape; /* csv; '\0': none */
    char *null_literal;            /* csv; NULL: none */
    leat_bytes text;               /* scratch */
};

leat_code leat_decode_csv(leat_decoder *decoder, const char *line, size_t length, leat_batch_builder *builder,
                          leat_error *error);
leat_code leat_decode_json(leat_decoder *decoder, const char *line, size_t length, leat_batch_builder *builder,
                           leat_error *error);
leat_code leat_decode_debezium(leat_decoder *decoder, const char *line, size_t length, leat_batch_builder *builder,
                               leat_error *error);
