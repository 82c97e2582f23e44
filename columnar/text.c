#include "columnar/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Shortest digits that read back as the same value: 15 (6) always identify a short one, 17 (9) every value. */
static int32_t shortest(double value, bool is_float, char digits[24], int32_t *exponent)
{
    char text[40];
    /* Subnormal values have fewer digits of their own; Java shows at least two. */
    bool is_subnormal = value < (is_float ? 1.17549435e-38 : 2.2250738585072014e-308);
    for (int32_t count = is_subnormal ? 2 : is_float ? 6 : 15;; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, value);
        bool is_same = is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
        if (is_same || count == (is_float ? 9 : 17)) break;
    }
    char *e = strchr(text, 'e');
    *exponent = (int32_t)strtol(e + 1, NULL, 10);
    int32_t length = 0;
    for (char *c = text; c < e; c++) {
        if (*c >= '0' && *c <= '9') digits[length++] = *c;
    }
    while (length > 1 && digits[length - 1] == '0')
        length--;
    digits[length] = 0;
    return length;
}

/* Whole numbers below 2^63 take another way in Java (before JDK 19), not always the shortest: all digits but those that
 * the value's precision cannot tell, the last one rounded: 2^31 as a FLOAT is 2.14748365E9. */
static int32_t whole_digits(double value, bool is_float, char digits[24], int32_t *exponent)
{
    int32_t binary_exponent = (int32_t)ilogb(value), spare = binary_exponent - (is_float ? 24 : 53) - 1;
    uint64_t whole = (uint64_t)value;
    int32_t dropped = spare > 1 ? (int32_t)(spare * 0.30102999566398120) : 0; /* of log10(2^spare) */
    uint64_t unit = 1;
    for (int32_t i = 0; i < dropped; i++)
        unit *= 10;
    whole = whole / unit + (dropped > 0 && whole % unit >= unit / 2);
    int32_t length = snprintf(digits, 24, "%llu", (unsigned long long)whole);
    *exponent = length - 1 + dropped;
    while (length > 1 && digits[length - 1] == '0')
        length--;
    digits[length] = 0;
    return length;
}

static int32_t print_real(double value, bool is_float, char out[LEAT_DOUBLE_TEXT_MAX])
{
    if (isnan(value)) return snprintf(out, LEAT_DOUBLE_TEXT_MAX, "NaN");
    const char *sign = signbit(value) ? "-" : "";
    double absolute = fabs(value);
    if (isinf(value)) return snprintf(out, LEAT_DOUBLE_TEXT_MAX, "%sInfinity", sign);
    if (absolute == 0) return snprintf(out, LEAT_DOUBLE_TEXT_MAX, "%s0.0", sign);
    char digits[24];
    bool is_whole = absolute >= 1 && absolute < 9.2e18 && absolute == floor(absolute);
    int32_t exponent, count = is_whole ? whole_digits(absolute, is_float, digits, &exponent)
                                       : shortest(absolute, is_float, digits, &exponent);
    if (exponent < -3 || exponent >= 7) {
        return snprintf(out, LEAT_DOUBLE_TEXT_MAX, "%s%c.%sE%d", sign, digits[0], count > 1 ? digits + 1 : "0",
                        exponent);
    }
    if (exponent < 0) {
        return snprintf(out, LEAT_DOUBLE_TEXT_MAX, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
    }
    if (count <= exponent + 1) {
        return snprintf(out, LEAT_DOUBLE_TEXT_MAX, "%s%s%.*s.0", sign, digits, exponent + 1 - count, "0000000");
    }
    return snprintf(out, LEAT_DOUBLE_TEXT_MAX, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
}

int32_t leat_double_print(double value, char out[LEAT_DOUBLE_TEXT_MAX])
{
    return print_real(value, false, out);
}

int32_t leat_float_print(float value, char out[LEAT_DOUBLE_TEXT_MAX])
{
    return print_real((double)value, true, out);
}

static void trim(const char **text, int32_t *length)
{
    while (*length > 0 && (unsigned char)(*text)[0] <= ' ')
        ++*text, --*length;
    while (*length > 0 && (unsigned char)(*text)[*length - 1] <= ' ')
        --*length;
}

/* Puts a trimmed number into a C string when it has only characters that Java's parser takes. */
static bool real_text(const char *text, int32_t length, char out[512])
{
    trim(&text, &length);
    if (length == 0 || length >= 512) return false;
    int32_t at = text[0] == '-' || text[0] == '+';
    bool is_named = strncmp(text + at, "NaN", (size_t)(length - at)) == 0 ||
                    strncmp(text + at, "Infinity", (size_t)(length - at)) == 0;
    if (is_named) is_named = length - at == 3 || length - at == 8;
    bool has_digit = false;
    for (int32_t i = at; i < length && !is_named; i++) {
        bool is_suffix = i == length - 1 && has_digit && strchr("dDfF", text[i]);
        if (is_suffix) {
            length--;
            break;
        }
        if (!strchr("0123456789.eE+-", text[i]) || text[i] == 0) return false;
        has_digit = has_digit || (text[i] >= '0' && text[i] <= '9');
    }
    if (!has_digit && !is_named) return false;
    memcpy(out, text, (size_t)length);
    out[length] = 0;
    return true;
}

bool leat_double_parse(const char *text, int32_t length, double *out)
{
    char copy[512], *end;
    if (!real_text(text, length, copy)) return false;
    *out = strtod(copy, &end);
    return *end == 0;
}

bool leat_float_parse(const char *text, int32_t length, float *out)
{
    char copy[512], *end;
    if (!real_text(text, length, copy)) return false;
    *out = strtof(copy, &end);
    return *end == 0;
}

bool leat_integer_parse(const char *text, int32_t length, int64_t min, int64_t max, int64_t *out)
{
    while (length > 0 && text[0] == ' ')
        text++, length--; /* blanks only, no tabs */
    while (length > 0 && text[length - 1] == ' ')
        length--;
    int32_t at = length > 0 && (text[0] == '-' || text[0] == '+');
    bool is_negative = length > 0 && text[0] == '-';
    if (at == length) return false;
    __int128 value = 0;
    for (; at < length && text[at] != '.'; at++) {
        if (text[at] < '0' || text[at] > '9') return false;
        value = value * 10 + (text[at] - '0');
        if (value > (__int128)INT64_MAX + 1) return false;
    }
    if (at < length) { /* a fraction is cut off, but must be digits */
        for (at++; at < length; at++) {
            if (text[at] < '0' || text[at] > '9') return false;
        }
    }
    if (is_negative) value = -value;
    if (value < min || value > max) return false;
    *out = (int64_t)value;
    return true;
}

bool leat_boolean_parse(const char *text, int32_t length, bool *out)
{
    static const char *const words[] = {"t", "true", "y", "yes", "1", "f", "false", "n", "no", "0"};
    for (size_t i = 0; i < 10; i++) {
        if ((size_t)length != strlen(words[i]) || strncasecmp(text, words[i], (size_t)length) != 0) continue;
        *out = i < 5;
        return true;
    }
    return false;
}

int32_t leat_date_from_civil(int32_t year, int32_t month, int32_t day)
{
    /* Years from March, in eras of 400. */
    int32_t y = month <= 2 ? year - 1 : year;
    int32_t era = (y >= 0 ? y : y - 399) / 400;
    int32_t of_era = y - era * 400;
    int32_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void leat_date_to_civil(int32_t date, int32_t *year, int32_t *month, int32_t *day)
{
    int64_t z = (int64_t)date + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int32_t of_era = (int32_t)(z - era * 146097);
    int32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t shifted = (5 * of_year + 2) / 153;
    *day = of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int32_t)(year_of_era + era * 400 + (*month <= 2));
}

int32_t leat_month_days(int32_t year, int32_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

int32_t leat_date_print(int32_t date, char out[LEAT_TIME_TEXT_MAX])
{
    int32_t year, month, day;
    leat_date_to_civil(date, &year, &month, &day);
    return snprintf(out, LEAT_TIME_TEXT_MAX, "%04d-%02d-%02d", year, month, day);
}

static int32_t print_clock(int64_t us, int32_t precision, char *out, size_t size)
{
    int32_t s = (int32_t)(us / 1000000);
    int32_t length = snprintf(out, size, "%02d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    if (precision > 0) {
        char fraction[12];
        snprintf(fraction, sizeof fraction, "%06d000", (int)(us % 1000000));
        length += snprintf(out + length, size - (size_t)length, ".%.*s", precision > 9 ? 9 : precision, fraction);
    }
    return length;
}

int32_t leat_time_print(int32_t time_ms, int32_t precision, char out[LEAT_TIME_TEXT_MAX])
{
    return print_clock((int64_t)time_ms * 1000, precision, out, LEAT_TIME_TEXT_MAX);
}

int32_t leat_timestamp_print(int64_t timestamp_us, int32_t precision, char out[LEAT_TIME_TEXT_MAX])
{
    const int64_t day_us = INT64_C(86400000000);
    int64_t days = timestamp_us / day_us, of_day = timestamp_us % day_us;
    if (of_day < 0) of_day += day_us, days--;
    int32_t length = leat_date_print((int32_t)days, out);
    out[length++] = ' ';
    return length + print_clock(of_day, precision, out + length, (size_t)(LEAT_TIME_TEXT_MAX - length));
}

/* Up to nine digits; false without any. */
static bool take_number(const char *text, int32_t length, int32_t *at, int32_t *out)
{
    int32_t start = *at, value = 0;
    while (*at < length && text[*at] >= '0' && text[*at] <= '9' && *at - start < 9)
        value = value * 10 + (text[(*at)++] - '0');
    *out = value;
    return *at > start;
}

/* Year, and optionally month and day; true when all are in range (the day to 31). */
static bool take_date(const char *text, int32_t length, int32_t *at, int32_t fields[3], int32_t *count)
{
    static const int32_t most[] = {9999, 12, 31};
    fields[0] = fields[1] = fields[2] = *count = 1;
    for (int32_t i = 0; i < 3; i++) {
        if (i > 0 && (*at == length || text[*at] != '-')) break;
        if (i > 0) ++*at;
        if (!take_number(text, length, at, &fields[i])) return false;
        if (fields[i] < (i > 0) || fields[i] > most[i]) return false;
        *count = i + 1;
    }
    return true;
}

bool leat_date_parse(const char *text, int32_t length, int32_t *out)
{
    trim(&text, &length);
    int32_t at = 0, fields[3], count;
    if (!take_date(text, length, &at, fields, &count) || fields[2] > leat_month_days(fields[0], fields[1]))
        return false;
    *out = leat_date_from_civil(fields[0], fields[1], fields[2]);
    /* What follows a date after a blank is ignored, as Flink's date cast does with a timestamp's text. */
    return at == length || text[at] == ' ';
}

/* Fractions of a second from after the point, in microseconds; more digits are cut off. */
static int64_t take_fraction(const char *text, int32_t length, int32_t *at)
{
    int64_t us = 0, unit = 100000;
    for (; *at < length && text[*at] >= '0' && text[*at] <= '9'; ++*at, unit /= 10)
        us += unit * (text[*at] - '0');
    return us;
}

/* hours[:minutes[:seconds[.fraction]]] in microseconds. */
static bool take_clock(const char *text, int32_t length, int32_t *at, int64_t *out_us)
{
    int32_t hour, minute = 0, second = 0;
    int64_t fraction_us = 0;
    if (!take_number(text, length, at, &hour)) return false;
    if (*at < length && text[*at] == ':') {
        ++*at;
        if (!take_number(text, length, at, &minute)) return false;
        if (*at < length && text[*at] == ':') {
            ++*at;
            if (!take_number(text, length, at, &second)) return false;
            if (*at < length && text[*at] == '.') {
                ++*at;
                fraction_us = take_fraction(text, length, at);
            }
        }
    }
    *out_us = ((int64_t)hour * 3600 + (int64_t)minute * 60 + second) * 1000000 + fraction_us;
    return hour <= 23 && minute <= 60 && second <= 60;
}

bool leat_time_parse(const char *text, int32_t length, int32_t *out)
{
    trim(&text, &length);
    int32_t at = 0;
    int64_t us;
    if (!take_clock(text, length, &at, &us) || at != length) return false;
    *out = (int32_t)(us / 1000);
    return true;
}

bool leat_timestamp_parse(const char *text, int32_t length, int64_t *out)
{
    int32_t at = 0, fields[3], count;
    if (!take_date(text, length, &at, fields, &count) || count < 3 || fields[0] < 1) return false;
    const char *dash = memchr(text, '-', (size_t)length);
    if (!dash || dash - text != 4) return false;
    int32_t last = leat_month_days(fields[0], fields[1]); /* days beyond the month's end are its last */
    int64_t date = leat_date_from_civil(fields[0], fields[1], fields[2] < last ? fields[2] : last), clock_us = 0;
    if (at < length) {
        int32_t parts[3];
        for (int32_t i = 0; i < 3; i++) {
            if (at == length || text[at++] != (i == 0 ? ' ' : ':')) return false;
            int32_t start = at;
            if (!take_number(text, length, &at, &parts[i]) || at - start > 2) return false;
            if (parts[i] > (i == 0 ? 24 : 59)) return false;
        }
        clock_us = ((int64_t)parts[0] * 3600 + (int64_t)parts[1] * 60 + parts[2]) * 1000000;
        if (at < length && text[at] == '.') {
            int32_t start = ++at;
            clock_us += take_fraction(text, length, &at);
            if (at - start > 9) return false;
        }
        if (at != length || clock_us > INT64_C(86400000000)) return false;
    }
    *out = date * INT64_C(86400000000) + clock_us;
    return true;
}

int32_t leat_utf8_count(const char *text, int32_t length)
{
    int32_t count = 0;
    for (int32_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

int32_t leat_utf8_offset(const char *text, int32_t length, int32_t characters)
{
    int32_t at = 0;
    for (; at < length; at++) {
        if (((unsigned char)text[at] & 0xc0) != 0x80 && characters-- == 0) break;
    }
    return at;
}
