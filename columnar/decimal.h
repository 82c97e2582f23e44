/* Decimals of up to 38 digits: an unscaled __int128, precision and scale beside it. Rounding is half up (away from
 * zero), and what does not fit is "no value" (false), as Flink's DecimalData has it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"

enum { LEAT_DECIMAL_TEXT_MAX = 48 };

/* 10^power, 0 … 38. */
__int128 leat_decimal_power(int32_t power);
bool leat_decimal_fits(__int128 value, int32_t precision);
/* value × 10^(to - from), rounded; false when it is beyond `precision` digits. */
bool leat_decimal_rescale(__int128 value, int32_t from_scale, int32_t to_scale, int32_t precision, __int128 *out);
/* Exact, then rounded to the result's scale. Scales of the operands are any. */
bool leat_decimal_add(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                      int32_t scale, __int128 *out);
bool leat_decimal_multiply(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                           int32_t scale, __int128 *out);
/* right != 0. */
bool leat_decimal_divide(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                         int32_t scale, __int128 *out);
/* The sign is the left's. right != 0. */
bool leat_decimal_modulo(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                         int32_t scale, __int128 *out);
int leat_decimal_compare(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale);
double leat_decimal_to_double(__int128 value, int32_t scale);
/* Towards zero, wrapping to 64 bits as Java's longValue. */
int64_t leat_decimal_to_i64(__int128 value, int32_t scale);
/* From the shortest decimal text of the double, as BigDecimal.valueOf. */
bool leat_decimal_from_double(double value, int32_t precision, int32_t scale, __int128 *out);
/* "-12.50"; returns the length. */
int32_t leat_decimal_print(__int128 value, int32_t scale, char out[LEAT_DECIMAL_TEXT_MAX]);

typedef enum leat_decimal_result {
    LEAT_DECIMAL_OK,
    LEAT_DECIMAL_BAD,      /* not a number */
    LEAT_DECIMAL_OVERFLOW, /* beyond the precision */
} leat_decimal_result;
/* "[+-]digits[.digits][e[+-]digits]" without blanks around. */
leat_decimal_result leat_decimal_parse(const char *text, int32_t length, int32_t precision, int32_t scale,
                                       __int128 *out);
