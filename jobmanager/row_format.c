#include "jobmanager/row_format.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "columnar/expr.h"

bool leat_row_format_parse(const char *name, leat_row_format *out)
{
    if (strcmp(name, "rows") == 0)
        *out = LEAT_ROW_FORMAT_ROWS;
    else if (strcmp(name, "json") == 0)
        *out = LEAT_ROW_FORMAT_JSON;
    else if (strcmp(name, "csv") == 0)
        *out = LEAT_ROW_FORMAT_CSV;
    else
        return false;
    return true;
}

/* --- JSON strings --- */

/* Length of the valid UTF-8 sequence at `at`; 0: none. */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, length;
    } forms[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
                 {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                 {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first_min || at[0] > forms[i].first_max) continue;
        if (left < forms[i].length || at[1] < forms[i].second_min || at[1] > forms[i].second_max) return 0;
        for (size_t k = 2; k < forms[i].length; k++) {
            if ((at[k] & 0xC0) != 0x80) return 0;
        }
        return forms[i].length;
    }
    return 0;
}

static void put_escaped(leat_bytes *out, unsigned char byte)
{
    switch (byte) {
    case '"': leat_bytes_put(out, "\\\"", 2); break;
    case '\\': leat_bytes_put(out, "\\\\", 2); break;
    case '\n': leat_bytes_put(out, "\\n", 2); break;
    case '\r': leat_bytes_put(out, "\\r", 2); break;
    case '\t': leat_bytes_put(out, "\\t", 2); break;
    default: leat_bytes_format(out, "\\u%04x", byte); break;
    }
}

void leat_json_put_string(leat_bytes *out, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    leat_bytes_put_u8(out, '"');
    size_t plain = 0; /* start of what needs no escape */
    for (size_t i = 0; i < length;) {
        unsigned char byte = bytes[i];
        size_t step = byte >= 0x80 ? sequence_length(bytes + i, length - i) : 1;
        if (step > 1 || (step == 1 && byte >= 0x20 && byte != '"' && byte != '\\')) {
            i += step;
            continue;
        }
        leat_bytes_put(out, text + plain, i - plain);
        if (step)
            put_escaped(out, byte);
        else
            leat_bytes_put(out, "\xEF\xBF\xBD", 3);
        plain = ++i;
    }
    leat_bytes_put(out, text + plain, length - plain);
    leat_bytes_put_u8(out, '"');
}

/* --- dates and times as Java's toString writes them --- */

typedef struct civil {
    int64_t year;
    int month, day;
} civil;

/* Proleptic Gregorian date of a day since 1970. */
static civil civil_of(int64_t days)
{
    int64_t shifted = days + 719468; /* since 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * of_year + 2) / 153;
    int month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    return (civil){year_of_era + era * 400 + (month <= 2), month, (int)(of_year - (153 * shifted_month + 2) / 5 + 1)};
}

static void put_date(leat_bytes *out, int64_t days)
{
    civil date = civil_of(days);
    if (date.year > 9999) leat_bytes_text(out, "+");
    if (date.year < 0)
        leat_bytes_format(out, "-%04" PRId64 "-%02d-%02d", -date.year, date.month, date.day);
    else
        leat_bytes_format(out, "%04" PRId64 "-%02d-%02d", date.year, date.month, date.day);
}

/* Seconds are left out when they are 0 and may be; a fraction has 3 or 6 digits. */
static void put_time(leat_bytes *out, int64_t micros_of_day, bool keeps_seconds)
{
    int64_t seconds = micros_of_day / 1000000;
    int micros = (int)(micros_of_day % 1000000);
    leat_bytes_format(out, "%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60));
    if (!keeps_seconds && seconds % 60 == 0 && !micros) return;
    leat_bytes_format(out, ":%02d", (int)(seconds % 60));
    if (micros % 1000)
        leat_bytes_format(out, ".%06d", micros);
    else if (micros)
        leat_bytes_format(out, ".%03d", micros / 1000);
}

enum { DAY_US_E6 = 86400 };

static void put_timestamp(leat_bytes *out, int64_t micros, bool is_instant)
{
    const int64_t day_us = (int64_t)DAY_US_E6 * 1000000;
    int64_t days = micros / day_us, rest = micros % day_us;
    if (rest < 0) {
        rest += day_us;
        days--;
    }
    put_date(out, days);
    leat_bytes_text(out, "T");
    put_time(out, rest, is_instant);
    if (is_instant) leat_bytes_text(out, "Z");
}

/* --- values --- */

static void put_hex(leat_bytes *out, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *room = leat_bytes_extend(out, 2 * size + 2);
    if (!room) return;
    *room++ = '0';
    *room++ = 'x';
    for (size_t i = 0; i < size; i++) {
        *room++ = (uint8_t)digits[data[i] >> 4];
        *room++ = (uint8_t)digits[data[i] & 15];
    }
}

static int64_t integer_at(const leat_column *column, int32_t row)
{
    switch (column->layout) {
    case LEAT_LAYOUT_8: return ((const int8_t *)column->values)[row];
    case LEAT_LAYOUT_16: return ((const int16_t *)column->values)[row];
    case LEAT_LAYOUT_32: return ((const int32_t *)column->values)[row];
    default: return ((const int64_t *)column->values)[row];
    }
}

static bool is_finite_at(const leat_type *type, const leat_column *column, int32_t row)
{
    if (type->kind == LEAT_TYPE_FLOAT) return isfinite(((const float *)column->values)[row]);
    return isfinite(((const double *)column->values)[row]);
}

static void put_view_json(const leat_type *type, const leat_column *column, int32_t row, leat_bytes *out)
{
    const leat_view *view = &((const leat_view *)column->values)[row];
    const char *data = leat_view_data(column, view);
    if (leat_type_is_text(type)) {
        leat_json_put_string(out, data, (size_t)view->length);
        return;
    }
    leat_bytes_put_u8(out, '"');
    put_hex(out, (const uint8_t *)data, (size_t)view->length);
    leat_bytes_put_u8(out, '"');
}

/* `scratch` is reset here. */
static void put_json(const leat_type *type, const leat_column *column, int32_t row, leat_bytes *scratch,
                     leat_bytes *out)
{
    leat_bytes_reset(scratch);
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: leat_bytes_text(out, integer_at(column, row) ? "true" : "false"); return;
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT: leat_bytes_format(out, "%" PRId64, integer_at(column, row)); return;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: put_view_json(type, column, row, out); return;
    case LEAT_TYPE_DATE: put_date(scratch, integer_at(column, row)); break;
    case LEAT_TYPE_TIME: put_time(scratch, integer_at(column, row) * 1000, false); break;
    case LEAT_TYPE_TIMESTAMP: put_timestamp(scratch, integer_at(column, row), false); break;
    case LEAT_TYPE_TIMESTAMP_LTZ: put_timestamp(scratch, integer_at(column, row), true); break;
    default: leat_value_print(type, column, row, NULL, scratch); break;
    }
    bool is_float = type->kind == LEAT_TYPE_FLOAT || type->kind == LEAT_TYPE_DOUBLE;
    if (is_float && is_finite_at(type, column, row))
        leat_bytes_put(out, scratch->data, scratch->size);
    else
        leat_json_put_string(out, (const char *)scratch->data, scratch->size);
}

static void put_csv_text(leat_bytes *out, const char *text, size_t length)
{
    bool is_plain = length > 0;
    for (size_t i = 0; i < length && is_plain; i++)
        is_plain = !strchr(",\"\r\n", text[i]) || !text[i];
    if (is_plain) {
        leat_bytes_put(out, text, length);
        return;
    }
    leat_bytes_put_u8(out, '"');
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"') leat_bytes_put_u8(out, '"');
        leat_bytes_put_u8(out, (uint8_t)text[i]);
    }
    leat_bytes_put_u8(out, '"');
}

void leat_row_format_csv_header(const leat_schema *schema, bool has_kind, leat_bytes *out)
{
    if (has_kind) leat_bytes_text(out, "$kind");
    for (int32_t c = 0; c < schema->fields_count; c++) {
        if (c || has_kind) leat_bytes_put_u8(out, ',');
        put_csv_text(out, schema->fields[c].name, strlen(schema->fields[c].name));
    }
    leat_bytes_put_u8(out, '\n');
}

/* --- rows --- */

typedef struct writer {
    leat_row_format format;
    const leat_schema *schema;
    const leat_batch *batch;
    const char *time_zone;
    bool has_kind;
    leat_bytes scratch, *out;
} writer;

static void write_rows_row(writer *self, int32_t row)
{
    leat_bytes_format(self->out, "[\"%s\"", leat_row_kind_text((leat_row_kind)leat_batch_kind(self->batch, row)));
    for (int32_t c = 0; c < self->schema->fields_count; c++) {
        const leat_column *column = &self->batch->columns[c];
        leat_bytes_put_u8(self->out, ',');
        if (leat_column_is_null(column, row)) {
            leat_bytes_put(self->out, "null", 4);
            continue;
        }
        leat_bytes_reset(&self->scratch);
        leat_value_print(&self->schema->fields[c].type, column, row, self->time_zone, &self->scratch);
        leat_json_put_string(self->out, (const char *)self->scratch.data, self->scratch.size);
    }
    leat_bytes_put(self->out, "]\n", 2);
}

static void write_json_row(writer *self, int32_t row)
{
    leat_bytes_put_u8(self->out, '{');
    if (self->has_kind) {
        leat_bytes_format(self->out, "\"$kind\":\"%s\"",
                          leat_row_kind_text((leat_row_kind)leat_batch_kind(self->batch, row)));
    }
    for (int32_t c = 0; c < self->schema->fields_count; c++) {
        const leat_field *field = &self->schema->fields[c];
        const leat_column *column = &self->batch->columns[c];
        if (c || self->has_kind) leat_bytes_put_u8(self->out, ',');
        leat_json_put_string(self->out, field->name, strlen(field->name));
        leat_bytes_put_u8(self->out, ':');
        if (leat_column_is_null(column, row))
            leat_bytes_put(self->out, "null", 4);
        else
            put_json(&field->type, column, row, &self->scratch, self->out);
    }
    leat_bytes_put(self->out, "}\n", 2);
}

static void write_csv_row(writer *self, int32_t row)
{
    if (self->has_kind)
        leat_bytes_text(self->out, leat_row_kind_text((leat_row_kind)leat_batch_kind(self->batch, row)));
    for (int32_t c = 0; c < self->schema->fields_count; c++) {
        const leat_column *column = &self->batch->columns[c];
        if (c || self->has_kind) leat_bytes_put_u8(self->out, ',');
        if (leat_column_is_null(column, row)) continue;
        leat_bytes_reset(&self->scratch);
        leat_value_print(&self->schema->fields[c].type, column, row, self->time_zone, &self->scratch);
        put_csv_text(self->out, (const char *)self->scratch.data, self->scratch.size);
    }
    leat_bytes_put_u8(self->out, '\n');
}

leat_code leat_row_format_write(leat_row_format format, const leat_schema *schema, const leat_batch *batch,
                                bool has_kind, const char *time_zone, leat_bytes *out, leat_error *error)
{
    static void (*const writers[])(writer * self, int32_t row) = {[LEAT_ROW_FORMAT_ROWS] = write_rows_row,
                                                                  [LEAT_ROW_FORMAT_JSON] = write_json_row,
                                                                  [LEAT_ROW_FORMAT_CSV] = write_csv_row};
    writer self = {format, schema, batch, time_zone, has_kind, {0}, out};
    for (int32_t i = 0; i < batch->selected; i++)
        writers[format](&self, leat_batch_row(batch, i));
    leat_code code = leat_bytes_check(&self.scratch, error);
    leat_bytes_done(&self.scratch);
    return code == LEAT_OK ? leat_bytes_check(out, error) : code;
}
