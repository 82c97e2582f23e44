/* Text functions. Lengths and positions are in characters (code points) of UTF-8. Row kernels over valid rows. */
#include <string.h>
#include <utf8proc.h>

#include "columnar/kernels.h"
#include "columnar/text.h"

#define ROWS(call) for (int32_t i_ = 0, row; i_ < (call)->active_count && (row = (call)->active[i_], true); i_++)

static int32_t int_at(const leat_operand *operand, int32_t row)
{
    return LEAT_AT(int32_t, operand, row);
}

/* A prefix of at most `length` characters of the result's type: CHAR(n) and VARCHAR(n) cut. */
static leat_code set_cut(leat_kernel_call *call, int32_t row, const void *data, size_t length, leat_error *error)
{
    if ((int64_t)length > call->type->precision) {
        length = (size_t)leat_utf8_offset(data, (int32_t)length, call->type->precision);
    }
    return leat_call_set_text(call, row, data, length, error);
}

static leat_code concat_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        leat_bytes_reset(call->scratch);
        for (int32_t k = 0; k < call->operands_count; k++) {
            leat_text text = leat_operand_text(&call->operands[k], row);
            leat_bytes_put(call->scratch, text.data, (size_t)text.length);
        }
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(leat_call_set_text(call, row, call->scratch->data, call->scratch->size, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(concat, .run = concat_rows)

/* NULL separator: NULL; NULL parts are left out. */
static leat_code concat_ws_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        if (leat_operand_is_null(&call->operands[0], row)) {
            leat_call_set_null(call, row);
            continue;
        }
        leat_text separator = leat_operand_text(&call->operands[0], row);
        leat_bytes_reset(call->scratch);
        bool is_first = true;
        for (int32_t k = 1; k < call->operands_count; k++) {
            if (leat_operand_is_null(&call->operands[k], row)) continue;
            if (!is_first) leat_bytes_put(call->scratch, separator.data, (size_t)separator.length);
            is_first = false;
            leat_text text = leat_operand_text(&call->operands[k], row);
            leat_bytes_put(call->scratch, text.data, (size_t)text.length);
        }
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(leat_call_set_text(call, row, call->scratch->data, call->scratch->size, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(concat_ws, .run = concat_ws_rows)

static void put_code_point(leat_bytes *out, utf8proc_int32_t code)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t length = utf8proc_encode_char(code, bytes);
    leat_bytes_put(out, bytes, (size_t)length);
}

typedef enum letter_case { UPPER_CASE, LOWER_CASE, TITLE_CASE } letter_case;

static void put_changed(leat_bytes *out, utf8proc_int32_t code, letter_case to, bool is_in_word)
{
    bool to_upper = to == UPPER_CASE || (to == TITLE_CASE && !is_in_word);
    if (to == TITLE_CASE && code > 127) { /* INITCAP knows ASCII letters only; others part words */
        put_code_point(out, code);
        return;
    }
    if (code == 0xdf && to_upper) { /* the one letter in common use that becomes two */
        leat_bytes_put(out, "SS", 2);
        return;
    }
    put_code_point(out, to_upper ? utf8proc_toupper(code) : utf8proc_tolower(code));
}

static bool is_letter_or_digit(utf8proc_int32_t code)
{
    bool is_digit = code >= '0' && code <= '9';
    return is_digit || ((code | 32) >= 'a' && (code | 32) <= 'z');
}

static void change_case(leat_bytes *out, leat_text text, letter_case to)
{
    bool is_in_word = false;
    for (int32_t at = 0; at < text.length;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, text.length - at, &code);
        if (length <= 0) { /* not UTF-8: as it is */
            leat_bytes_put_u8(out, (uint8_t)text.data[at++]);
            continue;
        }
        put_changed(out, code, to, is_in_word);
        is_in_word = is_letter_or_digit(code);
        at += (int32_t)length;
    }
}

static leat_code case_rows(leat_kernel_call *call, letter_case to, leat_error *error)
{
    ROWS(call)
    {
        leat_bytes_reset(call->scratch);
        change_case(call->scratch, leat_operand_text(&call->operands[0], row), to);
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(set_cut(call, row, call->scratch->data, call->scratch->size, error));
    }
    return LEAT_OK;
}

static leat_code upper_rows(leat_kernel_call *call, leat_error *error)
{
    return case_rows(call, UPPER_CASE, error);
}
LEAT_SELECT(upper, .run = upper_rows)

static leat_code lower_rows(leat_kernel_call *call, leat_error *error)
{
    return case_rows(call, LOWER_CASE, error);
}
LEAT_SELECT(lower, .run = lower_rows)

static leat_code initcap_rows(leat_kernel_call *call, leat_error *error)
{
    return case_rows(call, TITLE_CASE, error);
}
LEAT_SELECT(initcap, .run = initcap_rows)

static int32_t character_bytes(const char *text, int32_t length)
{
    int32_t bytes = 1;
    while (bytes < length && ((unsigned char)text[bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

static bool has_character(leat_text set, const char *character, int32_t bytes)
{
    for (int32_t at = 0; at < set.length;) {
        int32_t length = character_bytes(set.data + at, set.length - at);
        if (length == bytes && memcmp(set.data + at, character, (size_t)bytes) == 0) return true;
        at += length;
    }
    return false;
}

static leat_code trim_rows(leat_kernel_call *call, bool leading, bool trailing, leat_error *error)
{
    ROWS(call)
    {
        leat_text text = leat_operand_text(&call->operands[0], row), set = {" ", 1};
        if (call->operands_count > 1) set = leat_operand_text(&call->operands[1], row);
        while (leading && text.length > 0) {
            int32_t bytes = character_bytes(text.data, text.length);
            if (!has_character(set, text.data, bytes)) break;
            text.data += bytes;
            text.length -= bytes;
        }
        while (trailing && text.length > 0) {
            int32_t start = text.length - 1;
            while (start > 0 && ((unsigned char)text.data[start] & 0xc0) == 0x80)
                start--;
            if (!has_character(set, text.data + start, text.length - start)) break;
            text.length = start;
        }
        LEAT_TRY(leat_call_set_text(call, row, text.data, (size_t)text.length, error));
    }
    return LEAT_OK;
}

static leat_code trim_both_rows(leat_kernel_call *call, leat_error *error)
{
    return trim_rows(call, true, true, error);
}
LEAT_SELECT(trim_both, .run = trim_both_rows)

static leat_code trim_leading_rows(leat_kernel_call *call, leat_error *error)
{
    return trim_rows(call, true, false, error);
}
LEAT_SELECT(trim_leading, .run = trim_leading_rows)

static leat_code trim_trailing_rows(leat_kernel_call *call, leat_error *error)
{
    return trim_rows(call, false, true, error);
}
LEAT_SELECT(trim_trailing, .run = trim_trailing_rows)

static leat_code set_slice(leat_kernel_call *call, int32_t row, leat_text text, int64_t first, int64_t count,
                           leat_error *error)
{
    int32_t from = leat_utf8_offset(text.data, text.length, first > INT32_MAX ? INT32_MAX : (int32_t)first);
    int32_t left = text.length - from;
    int32_t bytes = leat_utf8_offset(text.data + from, left, count > INT32_MAX ? INT32_MAX : (int32_t)count);
    return leat_call_set_text(call, row, text.data + from, (size_t)bytes, error);
}

/* Positions count from 1; 0 is as 1; negative ones count from the end. A negative length is NULL. */
static leat_code substring_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        leat_text text = leat_operand_text(&call->operands[0], row);
        int64_t start = int_at(&call->operands[1], row);
        int64_t count = call->operands_count > 2 ? int_at(&call->operands[2], row) : INT32_MAX;
        if (count < 0) {
            leat_call_set_null(call, row);
            continue;
        }
        int64_t first = start > 0 ? start - 1 : 0;
        if (start < 0) {
            first = leat_utf8_count(text.data, text.length) + start;
            if (first < 0) count = 0, first = 0;
        }
        LEAT_TRY(set_slice(call, row, text, first, count, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(substring, .run = substring_rows)

static leat_code left_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        int32_t count = int_at(&call->operands[1], row);
        LEAT_TRY(set_slice(call, row, leat_operand_text(&call->operands[0], row), 0, count > 0 ? count : 0, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(left, .run = left_rows)

static leat_code right_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        leat_text text = leat_operand_text(&call->operands[0], row);
        int64_t count = int_at(&call->operands[1], row), all = leat_utf8_count(text.data, text.length);
        if (count < 0) count = 0;
        LEAT_TRY(set_slice(call, row, text, count < all ? all - count : 0, count, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(right, .run = right_rows)

static leat_code char_length_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    int32_t *out = call->values;
    ROWS(call)
    {
        leat_text text = leat_operand_text(&call->operands[0], row);
        out[row] = leat_utf8_count(text.data, text.length);
    }
    return LEAT_OK;
}
LEAT_SELECT(char_length, .run = char_length_rows)

/* Character position of the needle at or after byte `from`, from 1; 0: none. An empty needle is at 1. */
static int32_t find_text(leat_text hay, leat_text needle, int32_t from)
{
    if (needle.length == 0) return 1;
    if (from > hay.length) return 0;
    const char *found = memmem(hay.data + from, (size_t)(hay.length - from), needle.data, (size_t)needle.length);
    return found ? leat_utf8_count(hay.data, (int32_t)(found - hay.data)) + 1 : 0;
}

/* POSITION(needle IN hay) has the needle first, as LOCATE. */
static leat_code locate_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    int32_t *out = call->values;
    ROWS(call)
    {
        leat_text needle = leat_operand_text(&call->operands[0], row), hay = leat_operand_text(&call->operands[1], row);
        int32_t from = 0;
        if (call->operands_count > 2) {
            int32_t start = int_at(&call->operands[2], row);
            from = leat_utf8_offset(hay.data, hay.length, start > 1 ? start - 1 : 0);
        }
        out[row] = find_text(hay, needle, from);
    }
    return LEAT_OK;
}
LEAT_SELECT(locate, .run = locate_rows)

static leat_code position_rows(leat_kernel_call *call, leat_error *error)
{
    return locate_rows(call, error);
}
LEAT_SELECT(position, .run = position_rows)

static leat_code instr_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    int32_t *out = call->values;
    ROWS(call)
    {
        out[row] = find_text(leat_operand_text(&call->operands[0], row), leat_operand_text(&call->operands[1], row), 0);
    }
    return LEAT_OK;
}
LEAT_SELECT(instr, .run = instr_rows)

/* An empty text to be replaced stands before each character and at the end. */
static void put_between(leat_bytes *out, leat_text text, leat_text to)
{
    for (int32_t at = 0; at < text.length;) {
        int32_t bytes = character_bytes(text.data + at, text.length - at);
        leat_bytes_put(out, to.data, (size_t)to.length);
        leat_bytes_put(out, text.data + at, (size_t)bytes);
        at += bytes;
    }
    leat_bytes_put(out, to.data, (size_t)to.length);
}

static void put_replaced(leat_bytes *out, leat_text text, leat_text from, leat_text to)
{
    if (from.length == 0) {
        put_between(out, text, to);
        return;
    }
    int32_t at = 0;
    while (from.length <= text.length - at) {
        const char *start = text.data + at;
        const char *found = memmem(start, (size_t)(text.length - at), from.data, (size_t)from.length);
        if (!found) break;
        leat_bytes_put(out, start, (size_t)(found - start));
        leat_bytes_put(out, to.data, (size_t)to.length);
        at = (int32_t)(found - text.data) + from.length;
    }
    leat_bytes_put(out, text.data + at, (size_t)(text.length - at));
}

static leat_code replace_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        leat_bytes_reset(call->scratch);
        put_replaced(call->scratch, leat_operand_text(&call->operands[0], row),
                     leat_operand_text(&call->operands[1], row), leat_operand_text(&call->operands[2], row));
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(leat_call_set_text(call, row, call->scratch->data, call->scratch->size, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(replace, .run = replace_rows)

static leat_code reverse_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        leat_text text = leat_operand_text(&call->operands[0], row);
        leat_bytes_reset(call->scratch);
        for (int32_t end = text.length; end > 0;) {
            int32_t start = end - 1;
            while (start > 0 && ((unsigned char)text.data[start] & 0xc0) == 0x80)
                start--;
            leat_bytes_put(call->scratch, text.data + start, (size_t)(end - start));
            end = start;
        }
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(leat_call_set_text(call, row, call->scratch->data, call->scratch->size, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(reverse, .run = reverse_rows)

enum { TEXT_BYTES_MAX = 16 * 1024 * 1024 }; /* of a value made by REPEAT, LPAD, RPAD */

static leat_code repeat_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        leat_text text = leat_operand_text(&call->operands[0], row);
        int32_t count = int_at(&call->operands[1], row);
        leat_bytes_reset(call->scratch);
        if (count > 0 && (int64_t)count * text.length > TEXT_BYTES_MAX) {
            return leat_fail(error, LEAT_LIMIT, "REPEAT makes a text of more than %d bytes", TEXT_BYTES_MAX);
        }
        for (int32_t k = 0; k < count && text.length > 0; k++)
            leat_bytes_put(call->scratch, text.data, (size_t)text.length);
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(leat_call_set_text(call, row, call->scratch->data, call->scratch->size, error));
    }
    return LEAT_OK;
}

LEAT_SELECT(repeat, .run = repeat_rows, .can_fail = true)

static leat_code pad_row(leat_kernel_call *call, int32_t row, bool is_left, leat_error *error)
{
    leat_text text = leat_operand_text(&call->operands[0], row), pad = leat_operand_text(&call->operands[2], row);
    int32_t wanted = int_at(&call->operands[1], row);
    if (wanted < 0 || pad.length == 0) {
        leat_call_set_null(call, row);
        return LEAT_OK;
    }
    if (wanted > TEXT_BYTES_MAX / 4) return leat_fail(error, LEAT_LIMIT, "a text padded to %d characters", wanted);
    int32_t have = leat_utf8_count(text.data, text.length);
    leat_bytes_reset(call->scratch);
    if (have >= wanted) return set_slice(call, row, text, 0, wanted, error);
    if (!is_left) leat_bytes_put(call->scratch, text.data, (size_t)text.length);
    for (int32_t at = 0; have < wanted; have++) {
        int32_t bytes = character_bytes(pad.data + at, pad.length - at);
        leat_bytes_put(call->scratch, pad.data + at, (size_t)bytes);
        at = at + bytes < pad.length ? at + bytes : 0;
    }
    if (is_left) leat_bytes_put(call->scratch, text.data, (size_t)text.length);
    LEAT_TRY(leat_bytes_check(call->scratch, error));
    return leat_call_set_text(call, row, call->scratch->data, call->scratch->size, error);
}

static leat_code lpad_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call) LEAT_TRY(pad_row(call, row, true, error));
    return LEAT_OK;
}

static leat_code rpad_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call) LEAT_TRY(pad_row(call, row, false, error));
    return LEAT_OK;
}

LEAT_SELECT(lpad, .run = lpad_rows, .can_fail = true)

LEAT_SELECT(rpad, .run = rpad_rows, .can_fail = true)

static leat_code ascii_rows(leat_kernel_call *call, leat_error *error)
{
    (void)error;
    int32_t *out = call->values;
    ROWS(call)
    {
        leat_text text = leat_operand_text(&call->operands[0], row);
        out[row] = text.length > 0 ? (int8_t)text.data[0] : 0;
    }
    return LEAT_OK;
}
LEAT_SELECT(ascii, .run = ascii_rows)

static leat_code chr_rows(leat_kernel_call *call, leat_error *error)
{
    ROWS(call)
    {
        int64_t code = LEAT_AT(int64_t, &call->operands[0], row);
        leat_bytes_reset(call->scratch);
        if (code >= 0) put_code_point(call->scratch, (utf8proc_int32_t)(code & 0xff));
        LEAT_TRY(leat_bytes_check(call->scratch, error));
        LEAT_TRY(leat_call_set_text(call, row, call->scratch->data, call->scratch->size, error));
    }
    return LEAT_OK;
}
LEAT_SELECT(chr, .run = chr_rows)
