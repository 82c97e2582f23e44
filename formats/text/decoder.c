#include "formats/text/decoder.h"

#include <string.h>

#include "common/memory.h"
#include "formats/text/internal.h"

static const char *const json_options[] = {"fail-on-missing-field",
                                           "ignore-parse-errors",
                                           "timestamp-format.standard",
                                           "map-null-key.mode",
                                           "map-null-key.literal",
                                           "decode.json-parser.enabled",
                                           "encode.decimal-as-plain-number",
                                           "encode.ignore-null-fields",
                                           NULL};
static const char *const debezium_options[] = {"ignore-parse-errors", "timestamp-format.standard", "schema-include",
                                               "map-null-key.mode",   "map-null-key.literal",      NULL};
static const char *const csv_options[] = {"field-delimiter",
                                          "quote-character",
                                          "disable-quote-character",
                                          "allow-comments",
                                          "ignore-parse-errors",
                                          "array-element-delimiter",
                                          "escape-character",
                                          "null-literal",
                                          "write-bigdecimal-in-scientific-notation",
                                          NULL};

typedef struct format {
    const char *name;
    const char *const *options;
    leat_code (*decode)(leat_decoder *decoder, const char *line, size_t length, leat_batch_builder *builder,
                        leat_error *error);
    bool is_changelog;
} format;

static const format formats[] = {
    {"csv", csv_options, leat_decode_csv, false},
    {"debezium-json", debezium_options, leat_decode_debezium, true},
    {"json", json_options, leat_decode_json, false},
};

enum { FORMATS_COUNT = sizeof formats / sizeof *formats };

static const format *find_format(const char *name)
{
    for (int i = 0; i < FORMATS_COUNT; i++) {
        if (strcmp(formats[i].name, name) == 0) return &formats[i];
    }
    return NULL;
}

const char *const *leat_formats_list(void)
{
    static const char *const names[] = {"csv", "debezium-json", "json", NULL};
    return names;
}

bool leat_format_is_changelog(const char *name)
{
    const format *known = find_format(name);
    return known && known->is_changelog;
}

bool leat_format_knows_option(const char *name, const char *key)
{
    const format *known = find_format(name);
    size_t length = strlen(name);
    if (!known || strncmp(key, name, length) != 0 || key[length] != '.') return false;
    for (const char *const *option = known->options; *option; option++) {
        if (strcmp(*option, key + length + 1) == 0) return true;
    }
    return false;
}

static const char *option_of(const leat_config *options, const char *format_name, const char *name)
{
    char key[128];
    snprintf(key, sizeof key, "%s.%s", format_name, name);
    return leat_config_find(options, key);
}

static leat_code read_flag(const leat_config *options, const char *format_name, const char *name, bool *out,
                           leat_error *error)
{
    const char *value = option_of(options, format_name, name);
    return value ? leat_parse_bool(value, out, error) : LEAT_OK;
}

static leat_code read_char(const leat_config *options, const char *name, char *out, leat_error *error)
{
    const char *value = option_of(options, "csv", name);
    if (!value) return LEAT_OK;
    if (strcmp(value, "\\t") == 0) value = "\t";
    if (strlen(value) != 1) {
        return leat_fail(error, LEAT_INVALID, "Option 'csv.%s' must be a string with single character, but was: %s",
                         name, value);
    }
    *out = *value;
    return LEAT_OK;
}

static leat_code read_options(leat_decoder *self, const char *name, const leat_config *options, leat_error *error)
{
    bool no_quotes = false;
    LEAT_TRY(read_flag(options, name, "ignore-parse-errors", &self->ignores_errors, error));
    LEAT_TRY(read_flag(options, name, "fail-on-missing-field", &self->fails_on_missing, error));
    LEAT_TRY(read_flag(options, name, "schema-include", &self->has_schema, error));
    LEAT_TRY(read_flag(options, name, "allow-comments", &self->allows_comments, error));
    LEAT_TRY(read_flag(options, name, "disable-quote-character", &no_quotes, error));
    const char *standard = option_of(options, name, "timestamp-format.standard");
    if (standard && strcmp(standard, "ISO-8601") == 0)
        self->scalar.is_iso = true;
    else if (standard && strcmp(standard, "SQL") != 0) {
        return leat_fail(error, LEAT_INVALID,
                         "Unsupported value '%s' for timestamp-format.standard. Supported values are [SQL, ISO-8601].",
                         standard);
    }
    self->delimiter = ',';
    self->quote = '"';
    LEAT_TRY(read_char(options, "field-delimiter", &self->delimiter, error));
    LEAT_TRY(read_char(options, "quote-character", &self->quote, error));
    LEAT_TRY(read_char(options, "escape-character", &self->escape, error));
    if (no_quotes) self->quote = '\0';
    const char *null_literal = option_of(options, "csv", "null-literal");
    if (null_literal && !(self->null_literal = leat_strdup(null_literal))) return leat_fail_no_memory(error);
    return LEAT_OK;
}

leat_code leat_decoder_new(const char *name, const leat_schema *schema, const leat_config *options, leat_decoder **out,
                           leat_error *error)
{
    const format *known = find_format(name);
    if (!known) {
        leat_code code = leat_fail(error, LEAT_NOT_FOUND,
                                   "Could not find any format factory for identifier '%s' in the classpath.", name);
        leat_fail_hint(error, "formats: csv, debezium-json, json");
        return code;
    }
    for (int32_t i = 0; i < schema->fields_count; i++) {
        if (leat_type_has_column(&schema->fields[i].type)) continue;
        return leat_fail(error, LEAT_UNSUPPORTED, "column '%s': format '%s' does not read its type yet",
                         schema->fields[i].name, name);
    }
    leat_decoder *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->schema = schema;
    self->decode = known->decode;
    leat_code code = read_options(self, name, options, error);
    if (code != LEAT_OK) {
        leat_decoder_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_decoder_free(leat_decoder *self)
{
    if (!self) return;
    leat_bytes_done(&self->text);
    leat_free(self->null_literal);
    leat_free(self);
}

leat_code leat_decoder_decode(leat_decoder *self, const char *line, size_t length, leat_batch_builder *builder,
                              leat_error *error)
{
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (length == 0) return LEAT_OK;
    int32_t before = builder->rows;
    leat_code code = self->decode(self, line, length, builder, error);
    if (code == LEAT_INVALID && self->ignores_errors) {
        builder->rows = before; /* the next row overwrites what this one began */
        return LEAT_OK;
    }
    if (code != LEAT_OK) return leat_fail_in(error, code, "line '%.*s'", length > 200 ? 200 : (int)length, line);
    return code;
}
