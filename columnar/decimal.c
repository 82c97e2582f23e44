#include "columnar/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/text.h"

typedef unsigned __int128 u128;

/* 256 bits, high part first in meaning: high × 2^128 + low. */
typedef struct u256 {
    u128 high, low;
} u256;

__int128 leat_decimal_power(int32_t power)
{
    static const uint64_t small[] = {1,
                                     10,
                                     100,
                                     1000,
                                     10000,
                                     100000,
                                     1000000,
                                     10000000,
                                     100000000,
                                     1000000000,
                                     10000000000,
                                     100000000000,
                                     1000000000000,
                                     10000000000000,
                                     100000000000000,
                                     1000000000000000,
                                     10000000000000000,
                                     100000000000000000,
                                     1000000000000000000,
                                     UINT64_C(10000000000000000000)};
    if (power <= 19) return small[power];
    return (__int128)small[19] * (__int128)small[power - 19];
}

static u128 magnitude(__int128 value)
{
    return value < 0 ? (u128)0 - (u128)value : (u128)value;
}

static __int128 with_sign(u128 value, bool is_negative)
{
    return is_negative ? (__int128)((u128)0 - value) : (__int128)value;
}

bool leat_decimal_fits(__int128 value, int32_t precision)
{
    return magnitude(value) < (u128)leat_decimal_power(precision);
}

static u256 multiply_wide(u128 a, u128 b)
{
    u128 a0 = (uint64_t)a, a1 = a >> 64, b0 = (uint64_t)b, b1 = b >> 64;
    u128 low = a0 * b0, middle = a1 * b0 + (low >> 64);
    u128 middle2 = a0 * b1 + (uint64_t)middle;
    return (u256){a1 * b1 + (middle >> 64) + (middle2 >> 64), (middle2 << 64) | (uint64_t)low};
}

/* Quotient rounded half up; false when it is beyond 127 bits. Bit by bit only when the dividend needs more than 128. */
static bool divide_wide(u256 dividend, u128 divisor, u128 *out)
{
    if (dividend.high >= divisor) return false;
    u128 quotient, rest;
    if (dividend.high == 0) {
        quotient = dividend.low / divisor;
        rest = dividend.low % divisor;
    } else {
        quotient = 0;
        rest = dividend.high;
        for (int bit = 127; bit >= 0; bit--) {
            bool carry = rest >> 127;
            rest = (rest << 1) | ((dividend.low >> bit) & 1);
            if (carry || rest >= divisor) {
                rest -= divisor;
                quotient |= (u128)1 << bit;
            }
        }
    }
    if (rest >= divisor - rest) quotient++;
    *out = quotient;
    return quotient >> 127 == 0;
}

/* The whole quotient, cut off. */
static u256 divide_cut(u256 dividend, u128 divisor)
{
    u256 quotient = {dividend.high / divisor, 0};
    u128 rest = dividend.high % divisor;
    for (int bit = 127; bit >= 0; bit--) {
        bool carry = rest >> 127;
        rest = (rest << 1) | ((dividend.low >> bit) & 1);
        if (carry || rest >= divisor) {
            rest -= divisor;
            quotient.low |= (u128)1 << bit;
        }
    }
    return quotient;
}

/* value / 10^power, rounded; power may be beyond 38: then in two steps, the first cut off, which a half cannot see. */
static bool divide_by_power(u256 value, int32_t power, u128 *out)
{
    if (power > 76) {
        *out = 0;
        return true;
    }
    if (power > 38) {
        value = divide_cut(value, (u128)leat_decimal_power(power - 38));
        power = 38;
    }
    return divide_wide(value, (u128)leat_decimal_power(power), out);
}

bool leat_decimal_rescale(__int128 value, int32_t from_scale, int32_t to_scale, int32_t precision, __int128 *out)
{
    if (from_scale == to_scale) {
        *out = value;
        return leat_decimal_fits(value, precision);
    }
    u128 wanted;
    if (to_scale > from_scale) {
        int32_t power = to_scale - from_scale;
        if (value == 0) {
            *out = 0;
            return true;
        }
        if (power > 38) return false;
        u256 wide = multiply_wide(magnitude(value), (u128)leat_decimal_power(power));
        if (wide.high || wide.low >> 127) return false;
        wanted = wide.low;
    } else if (!divide_by_power((u256){0, magnitude(value)}, from_scale - to_scale, &wanted)) {
        return false;
    }
    *out = with_sign(wanted, value < 0);
    return leat_decimal_fits(*out, precision);
}

bool leat_decimal_add(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                      int32_t scale, __int128 *out)
{
    int32_t common = left_scale > right_scale ? left_scale : right_scale;
    __int128 sum;
    u256 l = multiply_wide(magnitude(left), (u128)leat_decimal_power(common - left_scale));
    u256 r = multiply_wide(magnitude(right), (u128)leat_decimal_power(common - right_scale));
    bool is_small = !l.high && !r.high && !(l.low >> 126) && !(r.low >> 126);
    if (is_small) {
        sum = with_sign(l.low, left < 0) + with_sign(r.low, right < 0);
        return leat_decimal_rescale(sum, common, scale, precision, out);
    }
    bool is_negative = left < 0;
    u256 total;
    if ((left < 0) == (right < 0)) {
        total.low = l.low + r.low;
        total.high = l.high + r.high + (total.low < l.low);
    } else {
        bool left_is_less = l.high < r.high || (l.high == r.high && l.low < r.low);
        u256 more = left_is_less ? r : l, less = left_is_less ? l : r;
        total.low = more.low - less.low;
        total.high = more.high - less.high - (more.low < less.low);
        is_negative = left_is_less ? right < 0 : left < 0;
    }
    u128 rounded;
    if (scale > common || !divide_by_power(total, common - scale, &rounded)) return false;
    *out = with_sign(rounded, is_negative);
    return leat_decimal_fits(*out, precision);
}

bool leat_decimal_multiply(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                           int32_t scale, __int128 *out)
{
    u256 product = multiply_wide(magnitude(left), magnitude(right));
    int32_t exact = left_scale + right_scale;
    bool is_negative = (left < 0) != (right < 0);
    u128 rounded;
    if (scale >= exact) {
        if (product.high || product.low >> 127) return false;
        return leat_decimal_rescale(with_sign(product.low, is_negative), exact, scale, precision, out);
    }
    if (!divide_by_power(product, exact - scale, &rounded)) return false;
    *out = with_sign(rounded, is_negative);
    return leat_decimal_fits(*out, precision);
}

bool leat_decimal_divide(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                         int32_t scale, __int128 *out)
{
    int32_t power = scale - left_scale + right_scale;
    u256 dividend = {0, magnitude(left)};
    u128 quotient;
    if (power < 0) {
        u256 divisor = multiply_wide(magnitude(right), (u128)leat_decimal_power(-power > 38 ? 38 : -power));
        if (divisor.high || -power > 38) {
            *out = 0; /* less than half a unit: at most 38 digits by more than 38 */
            return true;
        }
        if (!divide_wide(dividend, divisor.low, &quotient)) return false;
    } else {
        if (left == 0) {
            *out = 0;
            return true;
        }
        dividend = multiply_wide(dividend.low, (u128)leat_decimal_power(power > 38 ? 38 : power));
        if (power > 38) {
            u128 rest = (u128)leat_decimal_power(power - 38);
            u256 low = multiply_wide(dividend.low, rest), high = multiply_wide(dividend.high, rest);
            if (high.high || high.low + low.high < high.low) return false; /* beyond 256 bits: beyond 38 digits too */
            dividend = (u256){high.low + low.high, low.low};
        }
        if (!divide_wide(dividend, magnitude(right), &quotient)) return false;
    }
    *out = with_sign(quotient, (left < 0) != (right < 0));
    return leat_decimal_fits(*out, precision);
}

bool leat_decimal_modulo(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale, int32_t precision,
                         int32_t scale, __int128 *out)
{
    int32_t common = left_scale > right_scale ? left_scale : right_scale;
    u256 l = multiply_wide(magnitude(left), (u128)leat_decimal_power(common - left_scale));
    u256 r = multiply_wide(magnitude(right), (u128)leat_decimal_power(common - right_scale));
    if (r.high) { /* the divisor is greater than any dividend that fits beside it */
        if (l.high) return false;
        return leat_decimal_rescale(left, left_scale, scale, precision, out);
    }
    u128 rest = 0;
    if (l.high == 0) {
        rest = l.low % r.low;
    } else {
        rest = l.high % r.low;
        for (int bit = 127; bit >= 0; bit--) {
            bool carry = rest >> 127;
            rest = (rest << 1) | ((l.low >> bit) & 1);
            if (carry || rest >= r.low) rest -= r.low;
        }
    }
    return leat_decimal_rescale(with_sign(rest, left < 0), common, scale, precision, out);
}

int leat_decimal_compare(__int128 left, int32_t left_scale, __int128 right, int32_t right_scale)
{
    if (left_scale == right_scale) return (left > right) - (left < right);
    if ((left < 0) != (right < 0)) return left < 0 ? -1 : 1;
    int32_t common = left_scale > right_scale ? left_scale : right_scale;
    u256 l = multiply_wide(magnitude(left), (u128)leat_decimal_power(common - left_scale));
    u256 r = multiply_wide(magnitude(right), (u128)leat_decimal_power(common - right_scale));
    int order = l.high != r.high ? (l.high > r.high ? 1 : -1) : (l.low > r.low) - (l.low < r.low);
    return left < 0 ? -order : order;
}

double leat_decimal_to_double(__int128 value, int32_t scale)
{
    /* Both exact: one correctly rounded division. Else through the text, as BigDecimal.doubleValue. */
    if (scale <= 22 && magnitude(value) < ((u128)1 << 53)) {
        return (double)(int64_t)value / (double)leat_decimal_power(scale);
    }
    char text[LEAT_DECIMAL_TEXT_MAX];
    leat_decimal_print(value, scale, text);
    return strtod(text, NULL);
}

int64_t leat_decimal_to_i64(__int128 value, int32_t scale)
{
    return (int64_t)(uint64_t)(u128)(value / leat_decimal_power(scale));
}

bool leat_decimal_from_double(double value, int32_t precision, int32_t scale, __int128 *out)
{
    char text[LEAT_DOUBLE_TEXT_MAX];
    if (!isfinite(value)) return false;
    int32_t length = leat_double_print(value, text);
    return leat_decimal_parse(text, length, precision, scale, out) == LEAT_DECIMAL_OK;
}

int32_t leat_decimal_print(__int128 value, int32_t scale, char out[LEAT_DECIMAL_TEXT_MAX])
{
    char digits[LEAT_DECIMAL_TEXT_MAX];
    int32_t count = 0;
    u128 rest = magnitude(value);
    while (rest >> 64) {
        digits[count++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    for (uint64_t low = (uint64_t)rest; low || count == 0; low /= 10)
        digits[count++] = (char)('0' + (int)(low % 10));
    while (count <= scale)
        digits[count++] = '0';
    int32_t length = 0;
    if (value < 0) out[length++] = '-';
    while (count > 0) {
        if (count == scale) out[length++] = '.';
        out[length++] = digits[--count];
    }
    out[length] = 0;
    return length;
}

static bool parse_exponent(const char *text, int32_t length, int32_t at, int32_t *out)
{
    bool is_negative = at < length && text[at] == '-';
    if (at < length && (text[at] == '-' || text[at] == '+')) at++;
    if (at == length) return false;
    int32_t exponent = 0;
    for (; at < length; at++) {
        if (text[at] < '0' || text[at] > '9') return false;
        if (exponent < 100000) exponent = exponent * 10 + (text[at] - '0');
    }
    *out = is_negative ? -exponent : exponent;
    return true;
}

/* Digits as a number of at most 38 digits plus how many were dropped; the first dropped one rounds. */
leat_decimal_result leat_decimal_parse(const char *text, int32_t length, int32_t precision, int32_t scale,
                                       __int128 *out)
{
    int32_t at = 0;
    bool is_negative = length > 0 && text[0] == '-', has_point = false, has_digit = false;
    if (length > 0 && (text[0] == '-' || text[0] == '+')) at++;
    u128 value = 0;
    int32_t digits = 0, fraction = 0, dropped = 0, exponent = 0;
    bool round_up = false;
    for (; at < length; at++) {
        char c = text[at];
        if (c == '.' && !has_point) {
            has_point = true;
        } else if (c >= '0' && c <= '9') {
            has_digit = true;
            if (digits < 38) {
                value = value * 10 + (unsigned)(c - '0');
                digits += value != 0;
                fraction += has_point;
            } else {
                if (dropped == 0) round_up = c >= '5';
                dropped++;
                fraction += has_point;
            }
        } else if ((c == 'e' || c == 'E') && has_digit) {
            if (!parse_exponent(text, length, at + 1, &exponent)) return LEAT_DECIMAL_BAD;
            break;
        } else {
            return LEAT_DECIMAL_BAD;
        }
    }
    if (!has_digit) return LEAT_DECIMAL_BAD;
    if (value == 0) {
        *out = 0;
        return LEAT_DECIMAL_OK;
    }
    int32_t value_scale = fraction - dropped - exponent;
    if (dropped && round_up && value_scale <= scale) value++;
    if (value_scale - scale > 77) {
        *out = 0;
        return LEAT_DECIMAL_OK;
    }
    bool fits = leat_decimal_rescale(with_sign(value, is_negative), value_scale, scale, precision, out);
    return fits ? LEAT_DECIMAL_OK : LEAT_DECIMAL_OVERFLOW;
}
