#include <string.h>

#include "formats/text/internal.h"

/* One field, unquoted and unescaped into decoder->text; moves past its delimiter. *is_quoted: it stood in quotes. */
static leat_code take_field(leat_decoder *self, const char **at, const char *end, bool *is_quoted, leat_error *error)
{
    leat_bytes_reset(&self->text);
    const char *p = *at;
    *is_quoted = self->quote && p < end && *p == self->quote;
    if (*is_quoted) p++;
    for (;; p++) {
        if (p >= end) {
            if (*is_quoted) return leat_fail(error, LEAT_INVALID, "a quoted field has no end");
            break;
        }
        if (self->escape && *p == self->escape && p + 1 < end) {
            leat_bytes_put_u8(&self->text, (uint8_t) * ++p);
            continue;
        }
        if (*is_quoted && *p == self->quote) {
            if (p + 1 < end && p[1] == self->quote)
                p++;
            else
                break;
        } else if (!*is_quoted && *p == self->delimiter) {
            break;
        }
        leat_bytes_put_u8(&self->text, (uint8_t)*p);
    }
    if (*is_quoted) {
        p++;
        while (p < end && *p == ' ')
            p++;
        if (p < end && *p != self->delimiter) return leat_fail(error, LEAT_INVALID, "text after a quoted field");
    }
    *at = p < end ? p + 1 : end + 1; /* one past the end: no field follows */
    return leat_bytes_check(&self->text, error);
}

leat_code leat_decode_csv(leat_decoder *self, const char *line, size_t length, leat_batch_builder *builder,
                          leat_error *error)
{
    if (self->allows_comments && line[0] == '#') return LEAT_OK;
    const char *at = line, *end = line + length;
    LEAT_TRY(leat_batch_builder_begin_row(builder, LEAT_ROW_INSERT, error));
    for (int32_t i = 0; i < self->schema->fields_count; i++) {
        const leat_field *field = &self->schema->fields[i];
        if (at > end) { /* fewer fields than columns: NULL, as Flink's reader does with ignore-parse-errors only */
            if (self->ignores_errors) break;
            return leat_fail(error, LEAT_INVALID, "Row length mismatch. %d fields expected but was %d.",
                             self->schema->fields_count, i);
        }
        bool is_quoted;
        LEAT_TRY(take_field(self, &at, end, &is_quoted, error));
        const char *text = self->text.data ? (const char *)self->text.data : "";
        size_t size = self->text.size;
        bool is_null =
            self->null_literal && size == strlen(self->null_literal) && memcmp(text, self->null_literal, size) == 0;
        bool is_text = leat_type_is_text(&field->type);
        if (is_null || (size == 0 && !is_text)) continue; /* Flink's csv reads an empty field of another type as NULL */
        leat_code code = leat_scalar_parse(&field->type, text, size, &self->scalar, builder, i, error);
        if (code != LEAT_OK && !(code == LEAT_INVALID && self->ignores_errors)) {
            return leat_fail_in(error, code, "column '%s'", field->name);
        }
    }
    if (at <= end && !self->ignores_errors) {
        return leat_fail(error, LEAT_INVALID, "Row length mismatch. %d fields expected but there are more.",
                         self->schema->fields_count);
    }
    return LEAT_OK;
}
