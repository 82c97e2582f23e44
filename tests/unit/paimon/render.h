/* Values as fixtures/paimon-flink writes them into JSON: decimals, dates and times as ISO text, binary as "0x…". */
#pragma once

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "columnar/batch.h"

static inline void render_date(int64_t days, char *out, size_t size)
{
    /* Howard Hinnant's civil_from_days. */
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153, day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    snprintf(out, size, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, yoe + era * 400 + (month <= 2), month, day);
}

/* "HH:MM[:SS[.fff[fff]]]"; `with_seconds` also when they are 0. */
static inline void render_time(int64_t micros, bool with_seconds, char *out, size_t size)
{
    int64_t seconds = micros / 1000000, fraction = micros % 1000000;
    int used = snprintf(out, size, "%02" PRId64 ":%02" PRId64, seconds / 3600, seconds / 60 % 60);
    if (!with_seconds && seconds % 60 == 0 && fraction == 0) return;
    used += snprintf(out + used, size - (size_t)used, ":%02" PRId64, seconds % 60);
    if (fraction % 1000)
        snprintf(out + used, size - (size_t)used, ".%06" PRId64, fraction);
    else if (fraction)
        snprintf(out + used, size - (size_t)used, ".%03" PRId64, fraction / 1000);
}

static inline void render_decimal(__int128 value, int32_t scale, char *out, size_t size)
{
    char digits[64];
    int count = 0;
    bool is_negative = value < 0;
    unsigned __int128 rest = is_negative ? -(unsigned __int128)value : (unsigned __int128)value;
    while (rest || count <= scale) {
        digits[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    size_t at = 0;
    if (is_negative) out[at++] = '-';
    while (count > 0 && at + 2 < size) {
        if (count == scale) out[at++] = '.';
        out[at++] = digits[--count];
    }
    out[at] = '\0';
}

static inline json_t *render_bytes(const char *data, int32_t length)
{
    static const char hex[] = "0123456789abcdef";
    char text[512] = "0x";
    for (int32_t i = 0; i < length && i < 250; i++) {
        text[2 + 2 * i] = hex[(uint8_t)data[i] >> 4];
        text[3 + 2 * i] = hex[data[i] & 15];
    }
    return json_string(text);
}

static inline json_t *render_value(const leat_type *type, const leat_column *column, int32_t row)
{
    if (leat_column_is_null(column, row)) return json_null();
    char text[96], clock[48];
    const leat_view *view = (const leat_view *)column->values + row;
    int64_t micros = column->layout == LEAT_LAYOUT_64 ? ((const int64_t *)column->values)[row] : 0;
    int64_t day_micros = INT64_C(86400000000), of_day = ((micros % day_micros) + day_micros) % day_micros;
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: return json_boolean(((const int8_t *)column->values)[row]);
    case LEAT_TYPE_TINYINT: return json_integer(((const int8_t *)column->values)[row]);
    case LEAT_TYPE_SMALLINT: return json_integer(((const int16_t *)column->values)[row]);
    case LEAT_TYPE_INT: return json_integer(((const int32_t *)column->values)[row]);
    case LEAT_TYPE_BIGINT: return json_integer(micros);
    case LEAT_TYPE_FLOAT: return json_real((double)((const float *)column->values)[row]);
    case LEAT_TYPE_DOUBLE: return json_real(((const double *)column->values)[row]);
    case LEAT_TYPE_DECIMAL:
        render_decimal(((const __int128 *)column->values)[row], type->scale, text, sizeof text);
        return json_string(text);
    case LEAT_TYPE_DATE:
        render_date(((const int32_t *)column->values)[row], text, sizeof text);
        return json_string(text);
    case LEAT_TYPE_TIME:
        render_time((int64_t)((const int32_t *)column->values)[row] * 1000, false, text, sizeof text);
        return json_string(text);
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: {
        bool is_instant = type->kind == LEAT_TYPE_TIMESTAMP_LTZ;
        render_date((micros - of_day) / day_micros, text, 40);
        render_time(of_day, is_instant, clock, sizeof clock);
        snprintf(text + strlen(text), sizeof text - strlen(text), "T%s%s", clock, is_instant ? "Z" : "");
        return json_string(text);
    }
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: return render_bytes(leat_view_data(column, view), view->length);
    default: return json_stringn(leat_view_data(column, view), (size_t)view->length);
    }
}
