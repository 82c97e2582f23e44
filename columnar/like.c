/* [NOT] LIKE with % and _ over UTF-8, and an optional escape character. Patterns are matched with one step back to the
 * last %, so that the time is bounded by the product of both lengths. */
#include "columnar/kernels.h"
#include "columnar/text.h"

static int32_t step(leat_text text, int32_t at)
{
    at++;
    while (at < text.length && ((unsigned char)text.data[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* One pattern element at `at`: its bytes, or a wildcard; false when an escape stands before something else. */
typedef struct pattern_element {
    char kind; /* '%', '_', or 'c' for a character */
    int32_t from, next;
} pattern_element;

static bool next_element(leat_text pattern, int32_t at, const leat_text *escape, pattern_element *out)
{
    bool is_escaped = escape && escape->length > 0 && at + escape->length <= pattern.length &&
                      memcmp(pattern.data + at, escape->data, (size_t)escape->length) == 0;
    if (is_escaped) {
        at += escape->length;
        bool is_known = at < pattern.length && (pattern.data[at] == '%' || pattern.data[at] == '_');
        bool is_self = at + escape->length <= pattern.length &&
                       memcmp(pattern.data + at, escape->data, (size_t)escape->length) == 0;
        if (!is_known && !is_self) return false;
        *out = (pattern_element){'c', at, step(pattern, at)};
        return true;
    }
    char c = pattern.data[at];
    *out = (pattern_element){c == '%' || c == '_' ? c : 'c', at, step(pattern, at)};
    return true;
}

static bool check_pattern(leat_text pattern, const leat_text *escape)
{
    pattern_element element;
    for (int32_t at = 0; at < pattern.length; at = element.next) {
        if (!next_element(pattern, at, escape, &element)) return false;
    }
    return true;
}

/* The pattern was checked. */
static bool matches(leat_text text, leat_text pattern, const leat_text *escape)
{
    int32_t t = 0, p = 0, star = -1, star_text = 0;
    while (t < text.length) {
        pattern_element element = {0};
        bool has = p < pattern.length && next_element(pattern, p, escape, &element);
        if (has && element.kind == '%') {
            star = element.next;
            star_text = t;
            p = element.next;
            continue;
        }
        int32_t after = step(text, t);
        bool is_same = has && element.kind == 'c' && after - t == element.next - element.from &&
                       memcmp(text.data + t, pattern.data + element.from, (size_t)(after - t)) == 0;
        if (is_same || (has && element.kind == '_')) {
            t = after;
            p = element.next;
        } else if (star >= 0) {
            star_text = step(text, star_text);
            t = star_text;
            p = star;
        } else {
            return false;
        }
    }
    pattern_element element;
    while (p < pattern.length && next_element(pattern, p, escape, &element) && element.kind == '%')
        p = element.next;
    return p == pattern.length;
}

static leat_code like_rows(leat_kernel_call *call, leat_error *error)
{
    int8_t *out = call->values;
    const leat_operand *operands = call->operands;
    for (int32_t i = 0; i < call->active_count; i++) {
        int32_t row = call->active[i];
        leat_text text = leat_operand_text(&operands[0], row), pattern = leat_operand_text(&operands[1], row), escape;
        bool has_escape = call->operands_count > 2;
        if (has_escape) escape = leat_operand_text(&operands[2], row);
        if (has_escape && (escape.length == 0 || step(escape, 0) != escape.length)) {
            return leat_fail(error, LEAT_INVALID, "Invalid escape character '%.*s'", escape.length, escape.data);
        }
        if (!check_pattern(pattern, has_escape ? &escape : NULL)) {
            return leat_fail(error, LEAT_INVALID, "Invalid escape sequence '%.*s'", pattern.length, pattern.data);
        }
        out[row] = matches(text, pattern, has_escape ? &escape : NULL);
    }
    return LEAT_OK;
}

leat_kernel_choice leat_select_like(const leat_type *arguments, int32_t count, const leat_type *result)
{
    (void)arguments;
    (void)result;
    return (leat_kernel_choice){.run = like_rows, .can_fail = count > 2};
}
