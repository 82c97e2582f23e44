#include "columnar/rules.h"

#include <string.h>

static int32_t max32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static int32_t min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static bool any_nullable(const leat_type *arguments, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (arguments[i].nullable || arguments[i].kind == LEAT_TYPE_NULL) return true;
    }
    return false;
}

void leat_type_print_calcite(const leat_type *type, leat_bytes *out)
{
    switch (type->kind) {
    case LEAT_TYPE_INT: leat_bytes_text(out, "INTEGER"); return;
    case LEAT_TYPE_TIMESTAMP_LTZ: leat_bytes_format(out, "TIMESTAMP_WITH_LOCAL_TIME_ZONE(%d)", type->precision); return;
    case LEAT_TYPE_INTERVAL_DAY_TIME: leat_bytes_text(out, "INTERVAL DAY TO SECOND"); return;
    default: break;
    }
    leat_type plain = leat_type_with_nullable(type, true);
    leat_type_print(&plain, false, out);
}

static bool is_infix(const leat_function *self)
{
    char c = self->name[0];
    return !(c >= 'A' && c <= 'Z');
}

leat_code leat_fail_apply(const leat_function *self, const leat_type *arguments, int32_t count, leat_error *error)
{
    leat_bytes text = {0};
    bool infix = is_infix(self) && count == 2;
    if (!infix) leat_bytes_format(&text, "%s(", self->name);
    for (int32_t i = 0; i < count && i < 8; i++) {
        if (i > 0) leat_bytes_text(&text, infix ? " " : ", ");
        if (i > 0 && infix) leat_bytes_format(&text, "%s ", self->name);
        leat_bytes_text(&text, "<");
        leat_type_print_calcite(&arguments[i], &text);
        leat_bytes_text(&text, ">");
    }
    if (!infix) leat_bytes_text(&text, ")");
    leat_code code = leat_bytes_check(&text, error);
    if (code == LEAT_OK) {
        code = leat_fail(error, LEAT_INVALID, "Cannot apply '%s' to arguments of type '%s'. Supported form(s): %s",
                         self->name, (const char *)text.data, self->signature);
    }
    leat_bytes_done(&text);
    return code;
}

/* --- numbers --- */

static bool is_exact(const leat_type *type)
{
    return leat_type_is_integer(type) || type->kind == LEAT_TYPE_DECIMAL;
}

static bool is_real(const leat_type *type)
{
    return type->kind == LEAT_TYPE_FLOAT || type->kind == LEAT_TYPE_DOUBLE;
}

static leat_type as_decimal(const leat_type *type)
{
    switch (type->kind) {
    case LEAT_TYPE_TINYINT: return leat_type_decimal(3, 0, type->nullable);
    case LEAT_TYPE_SMALLINT: return leat_type_decimal(5, 0, type->nullable);
    case LEAT_TYPE_INT: return leat_type_decimal(10, 0, type->nullable);
    case LEAT_TYPE_BIGINT: return leat_type_decimal(19, 0, type->nullable);
    default: return *type;
    }
}

/* When more than 38 digits would be needed, the fraction gives way, but not below 6 digits. */
static leat_type fit_decimal(int32_t precision, int32_t scale, bool nullable)
{
    if (precision <= LEAT_DECIMAL_PRECISION_MAX) return leat_type_decimal(precision, scale, nullable);
    int32_t kept = max32(LEAT_DECIMAL_PRECISION_MAX - (precision - scale), min32(scale, 6));
    return leat_type_decimal(LEAT_DECIMAL_PRECISION_MAX, kept, nullable);
}

/* The type in which two numbers meet, decimals aside: FLOAT with DOUBLE is the one that comes first. */
static leat_type_kind meet(const leat_type *left, const leat_type *right)
{
    bool has_decimal = left->kind == LEAT_TYPE_DECIMAL || right->kind == LEAT_TYPE_DECIMAL;
    if (is_real(left) || is_real(right)) {
        if (has_decimal) return LEAT_TYPE_DOUBLE;
        return is_real(left) ? left->kind : right->kind;
    }
    if (has_decimal) return LEAT_TYPE_DECIMAL;
    return left->kind > right->kind ? left->kind : right->kind;
}

/* A bare NULL takes the other's type. */
static leat_code take_numbers(const leat_function *self, const leat_type *arguments, int32_t count, leat_type pair[2],
                              leat_error *error)
{
    pair[0] = arguments[0];
    pair[1] = arguments[1];
    for (int i = 0; i < 2; i++) {
        if (pair[i].kind == LEAT_TYPE_NULL) pair[i] = leat_type_with_nullable(&arguments[1 - i], true);
    }
    if (leat_type_is_numeric(&pair[0]) && leat_type_is_numeric(&pair[1])) return LEAT_OK;
    return leat_fail_apply(self, arguments, count, error);
}

/* Sets the casts; returns whether the decimal rules apply to pair (which then holds decimals). */
static bool settle(leat_type pair[2], const leat_type *arguments, int32_t count, leat_function_match *out)
{
    leat_type_kind kind = meet(&pair[0], &pair[1]);
    bool nullable = any_nullable(arguments, count);
    if (kind != LEAT_TYPE_DECIMAL) {
        out->type = leat_type_make(kind, nullable);
        for (int i = 0; i < 2; i++)
            out->casts[i] = leat_type_make(kind, pair[i].nullable);
        return false;
    }
    for (int i = 0; i < 2; i++)
        out->casts[i] = pair[i] = as_decimal(&pair[i]);
    return true;
}

leat_code leat_rule_plus(const leat_function *self, const leat_type *arguments, int32_t count, leat_function_match *out,
                         leat_error *error)
{
    leat_type pair[2];
    if (count == 1) { /* the sign */
        if (!leat_type_is_numeric(&arguments[0])) return leat_fail_apply(self, arguments, count, error);
        out->type = arguments[0];
        return LEAT_OK;
    }
    LEAT_TRY(take_numbers(self, arguments, count, pair, error));
    if (!settle(pair, arguments, count, out)) return LEAT_OK;
    int32_t scale = max32(pair[0].scale, pair[1].scale);
    int32_t whole = max32(pair[0].precision - pair[0].scale, pair[1].precision - pair[1].scale);
    out->type = fit_decimal(whole + scale + 1, scale, any_nullable(arguments, count));
    return LEAT_OK;
}

leat_code leat_rule_times(const leat_function *self, const leat_type *arguments, int32_t count,
                          leat_function_match *out, leat_error *error)
{
    leat_type pair[2];
    LEAT_TRY(take_numbers(self, arguments, count, pair, error));
    if (!settle(pair, arguments, count, out)) return LEAT_OK;
    out->type = fit_decimal(pair[0].precision + pair[1].precision + 1, pair[0].scale + pair[1].scale,
                            any_nullable(arguments, count));
    return LEAT_OK;
}

leat_code leat_rule_divide(const leat_function *self, const leat_type *arguments, int32_t count,
                           leat_function_match *out, leat_error *error)
{
    leat_type pair[2];
    LEAT_TRY(take_numbers(self, arguments, count, pair, error));
    if (!settle(pair, arguments, count, out)) return LEAT_OK;
    int32_t scale = max32(6, pair[0].scale + pair[1].precision + 1);
    out->type =
        fit_decimal(pair[0].precision - pair[0].scale + pair[1].scale + scale, scale, any_nullable(arguments, count));
    return LEAT_OK;
}

leat_code leat_rule_modulo(const leat_function *self, const leat_type *arguments, int32_t count,
                           leat_function_match *out, leat_error *error)
{
    leat_type pair[2];
    LEAT_TRY(take_numbers(self, arguments, count, pair, error));
    if (!is_exact(&pair[0]) || !is_exact(&pair[1])) return leat_fail_apply(self, arguments, count, error);
    bool nullable = any_nullable(arguments, count);
    if (leat_type_is_integer(&pair[0]) && leat_type_is_integer(&pair[1])) {
        out->casts[0] = pair[0];
        out->casts[1] = pair[1];
        out->type = leat_type_make(pair[1].kind, nullable);
        return LEAT_OK;
    }
    settle(pair, arguments, count, out);
    int32_t scale = max32(pair[0].scale, pair[1].scale);
    int32_t whole = min32(pair[0].precision - pair[0].scale, pair[1].precision - pair[1].scale);
    out->type = fit_decimal(max32(whole + scale, 1), scale, nullable);
    return LEAT_OK;
}

/* --- common types --- */

static bool merge_numbers(leat_type *into, const leat_type *type)
{
    leat_type_kind kind = meet(into, type);
    if (kind != LEAT_TYPE_DECIMAL) {
        *into = leat_type_make(kind, false);
        return true;
    }
    leat_type left = as_decimal(into), right = as_decimal(type);
    int32_t scale = max32(left.scale, right.scale);
    int32_t whole = max32(left.precision - left.scale, right.precision - right.scale);
    if (whole + scale > LEAT_DECIMAL_PRECISION_MAX) scale = max32(LEAT_DECIMAL_PRECISION_MAX - whole, 0);
    *into = leat_type_decimal(min32(whole + scale, LEAT_DECIMAL_PRECISION_MAX), scale, false);
    return true;
}

static bool merge_strings(leat_type *into, const leat_type *type, leat_type_kind fixed, leat_type_kind varying)
{
    bool stays_fixed = into->kind == fixed && type->kind == fixed && into->precision == type->precision;
    into->kind = stays_fixed ? fixed : varying;
    into->precision = max32(into->precision, type->precision);
    return true;
}

static bool is_stamp(const leat_type *type)
{
    return type->kind == LEAT_TYPE_TIMESTAMP || type->kind == LEAT_TYPE_TIMESTAMP_LTZ;
}

static bool merge(leat_type *into, const leat_type *type)
{
    if (leat_type_is_numeric(into) && leat_type_is_numeric(type)) return merge_numbers(into, type);
    if (leat_type_is_text(into) && leat_type_is_text(type)) {
        return merge_strings(into, type, LEAT_TYPE_CHAR, LEAT_TYPE_VARCHAR);
    }
    if (leat_type_is_bytes(into) && leat_type_is_bytes(type)) {
        return merge_strings(into, type, LEAT_TYPE_BINARY, LEAT_TYPE_VARBINARY);
    }
    if (is_stamp(into) && is_stamp(type)) {
        into->precision = max32(into->precision, type->precision);
        return true;
    }
    bool is_day = (into->kind == LEAT_TYPE_DATE && type->kind == LEAT_TYPE_TIMESTAMP) ||
                  (into->kind == LEAT_TYPE_TIMESTAMP && type->kind == LEAT_TYPE_DATE);
    if (is_day) {
        if (is_stamp(type)) *into = *type;
        return true;
    }
    return leat_type_equal(into, type, false);
}

leat_code leat_type_common(const leat_type *types, int32_t count, leat_type *out, leat_error *error)
{
    leat_type common = {.kind = LEAT_TYPE_NULL};
    for (int32_t i = 0; i < count; i++) {
        if (types[i].kind == LEAT_TYPE_NULL) continue;
        if (common.kind == LEAT_TYPE_NULL) {
            common = types[i];
        } else if (!merge(&common, &types[i])) {
            return leat_fail(error, LEAT_INVALID, "Illegal mixing of types in CASE or COALESCE statement");
        }
    }
    common.nullable = any_nullable(types, count);
    *out = common;
    return LEAT_OK;
}

/* --- comparisons --- */

static leat_code fail_implicit(const leat_type *left, const leat_type *right, leat_error *error)
{
    leat_bytes text[2] = {{0}, {0}};
    const leat_type *types[2] = {left, right};
    for (int i = 0; i < 2; i++) {
        leat_type_print_calcite(types[i], &text[i]);
        char *bracket = text[i].data ? strchr((char *)text[i].data, '(') : NULL;
        if (bracket) *bracket = 0;
    }
    leat_code code =
        leat_fail(error, LEAT_INVALID, "implicit type conversion between %s and %s is not supported now",
                  text[0].failed ? "?" : (char *)text[0].data, text[1].failed ? "?" : (char *)text[1].data);
    leat_fail_hint(error, "write the conversion out: CAST(… AS …)");
    leat_bytes_done(&text[0]);
    leat_bytes_done(&text[1]);
    return code;
}

/* The types in which two values are compared. Decimals of any scale compare as they are. */
static bool comparable(const leat_type *left, const leat_type *right, leat_type *left_as, leat_type *right_as)
{
    *left_as = left->kind == LEAT_TYPE_NULL ? leat_type_with_nullable(right, true) : *left;
    *right_as = right->kind == LEAT_TYPE_NULL ? leat_type_with_nullable(left, true) : *right;
    left = left_as, right = right_as;
    if (left->kind == LEAT_TYPE_NULL) { /* NULL = NULL */
        *left_as = *right_as = leat_type_make(LEAT_TYPE_BOOLEAN, true);
        return true;
    }
    if (leat_type_is_numeric(left) && leat_type_is_numeric(right)) {
        leat_type_kind kind = meet(left, right);
        /* As Java promotes: a FLOAT beside a DOUBLE is widened, whichever comes first. */
        if (is_real(left) && is_real(right) && left->kind != right->kind) kind = LEAT_TYPE_DOUBLE;
        *left_as = kind == LEAT_TYPE_DECIMAL ? as_decimal(left) : leat_type_make(kind, left->nullable);
        *right_as = kind == LEAT_TYPE_DECIMAL ? as_decimal(right) : leat_type_make(kind, right->nullable);
        return true;
    }
    if (leat_type_is_text(left) && leat_type_is_text(right)) return true;
    if (leat_type_is_bytes(left) && leat_type_is_bytes(right)) return true;
    if (is_stamp(left) && is_stamp(right)) {
        if (left->kind == right->kind) return true;
        left_as->kind = right_as->kind = LEAT_TYPE_TIMESTAMP_LTZ;
        return true;
    }
    bool left_text = leat_type_is_text(left), right_text = leat_type_is_text(right);
    if (left_text != right_text) { /* text takes the other's type */
        const leat_type *other = left_text ? right : left;
        bool is_known =
            !leat_type_is_bytes(other) && leat_type_has_column(other) && other->kind < LEAT_TYPE_INTERVAL_YEAR_MONTH;
        if (!is_known) return false;
        if (left_text)
            *left_as = leat_type_with_nullable(right, left->nullable);
        else
            *right_as = leat_type_with_nullable(left, right->nullable);
        return true;
    }
    return left->kind == right->kind && leat_type_has_column(left);
}

leat_code leat_rule_compare(const leat_function *self, const leat_type *arguments, int32_t count,
                            leat_function_match *out, leat_error *error)
{
    const leat_type *left = &arguments[0], *right = &arguments[1];
    bool is_equality = strcmp(self->name, "=") == 0 || strcmp(self->name, "<>") == 0 || self->name[0] == 'I';
    bool is_mixed = (leat_type_is_text(left) && leat_type_is_numeric(right)) ||
                    (leat_type_is_numeric(left) && leat_type_is_text(right));
    if (is_equality && is_mixed) return fail_implicit(left, right, error);
    if (!comparable(left, right, &out->casts[0], &out->casts[1])) return leat_fail_apply(self, arguments, count, error);
    /* A BOOLEAN beside text is compared as the text TRUE or FALSE. */
    if (left->kind == LEAT_TYPE_BOOLEAN && leat_type_is_text(right)) {
        out->casts[0] = leat_type_string(left->nullable);
        out->casts[1] = *right;
    } else if (right->kind == LEAT_TYPE_BOOLEAN && leat_type_is_text(left)) {
        out->casts[0] = *left;
        out->casts[1] = leat_type_string(right->nullable);
    }
    out->type = leat_type_make(LEAT_TYPE_BOOLEAN, any_nullable(arguments, count));
    return LEAT_OK;
}

leat_code leat_rule_distinct(const leat_function *self, const leat_type *arguments, int32_t count,
                             leat_function_match *out, leat_error *error)
{
    LEAT_TRY(leat_rule_compare(self, arguments, count, out, error));
    out->type.nullable = false;
    return LEAT_OK;
}

leat_code leat_rule_between(const leat_function *self, const leat_type *arguments, int32_t count,
                            leat_function_match *out, leat_error *error)
{
    leat_type common;
    if (leat_type_common(arguments, count, &common, NULL) != LEAT_OK) {
        return leat_fail_apply(self, arguments, count, error);
    }
    bool is_decimal = common.kind == LEAT_TYPE_DECIMAL;
    for (int32_t i = 0; i < count; i++) {
        leat_type value, bound;
        if (!comparable(&arguments[0], &arguments[i], &value, &bound))
            return leat_fail_apply(self, arguments, count, error);
        out->casts[i] =
            is_decimal ? as_decimal(&arguments[i]) : leat_type_with_nullable(&common, arguments[i].nullable);
        if (arguments[i].kind == LEAT_TYPE_NULL) out->casts[i] = leat_type_with_nullable(&common, true);
        if (leat_type_is_text(&common) || leat_type_is_bytes(&common)) out->casts[i] = arguments[i];
    }
    out->type = leat_type_make(LEAT_TYPE_BOOLEAN, any_nullable(arguments, count));
    return LEAT_OK;
}

/* Elements take the value's type: text in a list of others is compared as text, others in a list of texts parse them.
 */
leat_code leat_rule_in(const leat_function *self, const leat_type *arguments, int32_t count, leat_function_match *out,
                       leat_error *error)
{
    leat_type common;
    bool has_common = leat_type_common(arguments, count, &common, NULL) == LEAT_OK;
    for (int32_t i = 1; i < count; i++) {
        leat_type value, element;
        if (!comparable(&arguments[0], &arguments[i], &value, &element)) {
            return leat_fail(error, LEAT_INVALID, "Values passed to IN operator must have compatible types");
        }
        bool is_printed = leat_type_is_text(&arguments[0]) && !leat_type_is_text(&arguments[i]) &&
                          arguments[i].kind != LEAT_TYPE_NULL;
        out->casts[0] = is_printed ? arguments[0] : value;
        out->casts[i] = is_printed ? leat_type_string(arguments[i].nullable) : element;
    }
    if (has_common) return leat_rule_between(self, arguments, count, out, error);
    out->type = leat_type_make(LEAT_TYPE_BOOLEAN, any_nullable(arguments, count));
    return LEAT_OK;
}

/* --- the rest: parameters were checked and cast --- */

#define FIXED_RULE(name, made)                                                                                         \
    leat_code leat_rule_##name(const leat_function *self, const leat_type *arguments, int32_t count,                   \
                               leat_function_match *out, leat_error *error)                                            \
    {                                                                                                                  \
        (void)self;                                                                                                    \
        (void)error;                                                                                                   \
        bool nullable = any_nullable(arguments, count);                                                                \
        (void)nullable;                                                                                                \
        out->type = made;                                                                                              \
        return LEAT_OK;                                                                                                \
    }

static leat_type with_precision(leat_type_kind kind, int32_t precision, bool nullable)
{
    return (leat_type){.kind = kind, .precision = precision, .nullable = nullable};
}

FIXED_RULE(boolean, leat_type_make(LEAT_TYPE_BOOLEAN, nullable))
FIXED_RULE(boolean_not_null, leat_type_make(LEAT_TYPE_BOOLEAN, false))
FIXED_RULE(int_of, leat_type_make(LEAT_TYPE_INT, nullable))
FIXED_RULE(double_of, leat_type_make(LEAT_TYPE_DOUBLE, nullable))
FIXED_RULE(string_of, leat_type_string(nullable))
FIXED_RULE(string_nullable, leat_type_string(true))
FIXED_RULE(first, leat_type_with_nullable(&arguments[0], nullable))
FIXED_RULE(varchar_of_first, with_precision(LEAT_TYPE_VARCHAR, arguments[0].precision, nullable))
FIXED_RULE(varchar_nullable, with_precision(LEAT_TYPE_VARCHAR, arguments[0].precision, true))
FIXED_RULE(timestamp_ltz, with_precision(LEAT_TYPE_TIMESTAMP_LTZ, 3, false))
FIXED_RULE(timestamp_ltz_nullable, with_precision(LEAT_TYPE_TIMESTAMP_LTZ, 3, true))
FIXED_RULE(timestamp, with_precision(LEAT_TYPE_TIMESTAMP, 3, false))
FIXED_RULE(date, leat_type_make(LEAT_TYPE_DATE, false))
FIXED_RULE(time, with_precision(LEAT_TYPE_TIME, 0, false))

leat_code leat_rule_concat_operator(const leat_function *self, const leat_type *arguments, int32_t count,
                                    leat_function_match *out, leat_error *error)
{
    bool is_text = true, is_fixed = true;
    int64_t length = 0;
    for (int32_t i = 0; i < count; i++) {
        is_text = is_text && leat_type_is_text(&arguments[i]);
        is_fixed = is_fixed && arguments[i].kind == LEAT_TYPE_CHAR;
        length += arguments[i].precision;
    }
    if (!is_text) return leat_fail_apply(self, arguments, count, error);
    if (length > LEAT_LENGTH_MAX) length = LEAT_LENGTH_MAX;
    out->type =
        with_precision(is_fixed ? LEAT_TYPE_CHAR : LEAT_TYPE_VARCHAR, (int32_t)length, any_nullable(arguments, count));
    return LEAT_OK;
}

static leat_code cast_to_common(const leat_type *arguments, int32_t first, int32_t count, leat_function_match *out,
                                leat_error *error)
{
    LEAT_TRY(leat_type_common(arguments + first, count - first, &out->type, error));
    for (int32_t i = first; i < count; i++) {
        bool nullable = arguments[i].nullable || arguments[i].kind == LEAT_TYPE_NULL;
        out->casts[i] = leat_type_with_nullable(&out->type, nullable);
    }
    return LEAT_OK;
}

leat_code leat_rule_common(const leat_function *self, const leat_type *arguments, int32_t count,
                           leat_function_match *out, leat_error *error)
{
    if (cast_to_common(arguments, 0, count, out, NULL) == LEAT_OK) return LEAT_OK;
    return leat_fail_apply(self, arguments, count, error);
}

leat_code leat_rule_if(const leat_function *self, const leat_type *arguments, int32_t count, leat_function_match *out,
                       leat_error *error)
{
    bool is_condition = arguments[0].kind == LEAT_TYPE_BOOLEAN || arguments[0].kind == LEAT_TYPE_NULL;
    if (!is_condition || cast_to_common(arguments, 1, count, out, NULL) != LEAT_OK) {
        return leat_fail_apply(self, arguments, count, error);
    }
    out->casts[0] = leat_type_make(LEAT_TYPE_BOOLEAN, arguments[0].nullable);
    out->type.nullable = out->type.nullable || arguments[0].nullable;
    return LEAT_OK;
}

/* Where COALESCE takes another kind than CASE: DOUBLE wins, a FLOAT before a DECIMAL becomes a DOUBLE, after one it
 * stays a FLOAT, and an instant beside a local timestamp wins. */
static void settle_kinds(const leat_type *arguments, int32_t count, leat_function_match *out)
{
    leat_type_kind real = LEAT_TYPE_NULL;
    bool has_double = false, has_ltz = false;
    for (int32_t i = 0; i < count; i++) {
        has_double = has_double || arguments[i].kind == LEAT_TYPE_DOUBLE;
        has_ltz = has_ltz || arguments[i].kind == LEAT_TYPE_TIMESTAMP_LTZ;
        if (arguments[i].kind == LEAT_TYPE_FLOAT) real = LEAT_TYPE_FLOAT;
        if (arguments[i].kind == LEAT_TYPE_DECIMAL && real == LEAT_TYPE_FLOAT) has_double = true;
    }
    if (has_double) real = LEAT_TYPE_DOUBLE;
    if (real != LEAT_TYPE_NULL)
        out->type = leat_type_make(real, out->type.nullable);
    else if (has_ltz && is_stamp(&out->type))
        out->type.kind = LEAT_TYPE_TIMESTAMP_LTZ;
    for (int32_t i = 0; i < count; i++)
        out->casts[i] = leat_type_with_nullable(&out->type, out->casts[i].nullable);
}

leat_code leat_rule_coalesce(const leat_function *self, const leat_type *arguments, int32_t count,
                             leat_function_match *out, leat_error *error)
{
    (void)self;
    if (cast_to_common(arguments, 0, count, out, NULL) != LEAT_OK) {
        return leat_fail(error, LEAT_INVALID, "Invalid input arguments.");
    }
    settle_kinds(arguments, count, out);
    bool nullable = true;
    for (int32_t i = 0; i < count; i++) {
        nullable = nullable && (arguments[i].nullable || arguments[i].kind == LEAT_TYPE_NULL);
    }
    out->type.nullable = nullable;
    return LEAT_OK;
}

/* The comparison's casts are put in when it is compiled: the result keeps the first argument's own type. */
leat_code leat_rule_nullif(const leat_function *self, const leat_type *arguments, int32_t count,
                           leat_function_match *out, leat_error *error)
{
    leat_type left, right;
    if (!comparable(&arguments[0], &arguments[1], &left, &right)) return leat_fail_apply(self, arguments, count, error);
    out->casts[1] = leat_type_with_nullable(leat_type_equal(&left, &arguments[0], false) ? &right : &arguments[0],
                                            arguments[1].nullable || arguments[1].kind == LEAT_TYPE_NULL);
    out->type = leat_type_with_nullable(&arguments[0], true);
    return LEAT_OK;
}

leat_code leat_rule_floor(const leat_function *self, const leat_type *arguments, int32_t count,
                          leat_function_match *out, leat_error *error)
{
    (void)self;
    (void)count;
    (void)error;
    out->type = arguments[0];
    if (arguments[0].kind == LEAT_TYPE_DECIMAL) out->type.scale = 0;
    return LEAT_OK;
}

/* As with a literal of 0 digits; leat_function_resolve_exprs knows the digits. */
leat_code leat_rule_round(const leat_function *self, const leat_type *arguments, int32_t count,
                          leat_function_match *out, leat_error *error)
{
    (void)self;
    (void)error;
    out->type = leat_type_with_nullable(&arguments[0], any_nullable(arguments, count));
    if (arguments[0].kind != LEAT_TYPE_DECIMAL || count > 1) return LEAT_OK;
    int32_t precision =
        arguments[0].scale > 0 ? arguments[0].precision - arguments[0].scale + 1 : arguments[0].precision;
    out->type = leat_type_decimal(min32(precision, LEAT_DECIMAL_PRECISION_MAX), 0, out->type.nullable);
    return LEAT_OK;
}
