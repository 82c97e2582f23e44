/* Numbers, dates and times as text, the way Java and Flink write and read them. Pure functions; no allocation. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LEAT_DOUBLE_TEXT_MAX = 32, LEAT_TIME_TEXT_MAX = 40 };

/* Double.toString, Float.toString: "1.0", "1.0E10", "NaN". Return the length; NUL-terminated. */
int32_t leat_double_print(double value, char out[LEAT_DOUBLE_TEXT_MAX]);
int32_t leat_float_print(float value, char out[LEAT_DOUBLE_TEXT_MAX]);
/* Double.parseDouble: blanks around are fine, "NaN", "Infinity", a trailing d or f too. */
bool leat_double_parse(const char *text, int32_t length, double *out);
bool leat_float_parse(const char *text, int32_t length, float *out);
/* Flink's cast: blanks around, a sign, digits, and a fraction that is cut off. */
bool leat_integer_parse(const char *text, int32_t length, int64_t min, int64_t max, int64_t *out);
/* 't', 'true', 'y', 'yes', '1' and their opposites, any case. */
bool leat_boolean_parse(const char *text, int32_t length, bool *out);

/* Days since 1970-01-01 of the proleptic Gregorian calendar, and back. */
int32_t leat_date_from_civil(int32_t year, int32_t month, int32_t day);
void leat_date_to_civil(int32_t date, int32_t *year, int32_t *month, int32_t *day);
int32_t leat_month_days(int32_t year, int32_t month);

int32_t leat_date_print(int32_t date, char out[LEAT_TIME_TEXT_MAX]);
int32_t leat_time_print(int32_t time_ms, int32_t precision, char out[LEAT_TIME_TEXT_MAX]);
int32_t leat_timestamp_print(int64_t timestamp_us, int32_t precision, char out[LEAT_TIME_TEXT_MAX]);
/* "2024-2-9", blanks around; a year or year and month alone mean their first day. */
bool leat_date_parse(const char *text, int32_t length, int32_t *out);
/* "12:34:56.789", "12:34", "12". Milliseconds. */
bool leat_time_parse(const char *text, int32_t length, int32_t *out);
/* "2024-02-09 1:2:3[.fraction]", also a date alone; the fraction beyond microseconds is cut off. */
bool leat_timestamp_parse(const char *text, int32_t length, int64_t *out);

/* Characters of UTF-8 text (a bad byte counts as one), and the byte offset of the n-th (or the length). */
int32_t leat_utf8_count(const char *text, int32_t length);
int32_t leat_utf8_offset(const char *text, int32_t length, int32_t characters);
