#include <string.h>
#include <strings.h>

#include "columnar/kernels.h"
#include "columnar/rules.h"
#include "common/config.h"

const leat_function leat_functions[] = {
#define FUNCTION(id, name, parameters, min, max, rule, selector, nulls, form, flags, signature, doc, example, answer)  \
    {id,                                                                                                               \
     name,                                                                                                             \
     parameters,                                                                                                       \
     min,                                                                                                              \
     max,                                                                                                              \
     leat_rule_##rule,                                                                                                 \
     leat_select_##selector,                                                                                           \
     LEAT_NULLS_##nulls,                                                                                               \
     LEAT_FORM_##form,                                                                                                 \
     flags,                                                                                                            \
     signature,                                                                                                        \
     doc,                                                                                                              \
     example,                                                                                                          \
     answer},
#include "columnar/functions.inc"
#undef FUNCTION
};

const int32_t leat_functions_count = (int32_t)(sizeof leat_functions / sizeof leat_functions[0]);

const leat_function *leat_function_by_id(const char *id)
{
    for (int32_t i = 0; i < leat_functions_count; i++) {
        if (strcmp(leat_functions[i].id, id) == 0) return &leat_functions[i];
    }
    return NULL;
}

static const leat_function *find_by_name(const char *name)
{
    for (int32_t i = 0; i < leat_functions_count; i++) {
        if (strcasecmp(leat_functions[i].name, name) == 0) return &leat_functions[i];
    }
    return leat_function_by_id(name); /* TRIM_LEADING and the like, as the parser names TRIM's forms */
}

bool leat_function_exists(const char *name)
{
    return find_by_name(name) != NULL;
}

static const char *family(const leat_type *type)
{
    if (leat_type_is_numeric(type)) return "NUMERIC";
    if (leat_type_is_text(type)) return "CHARACTER";
    if (leat_type_is_bytes(type)) return "BINARY";
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: return "BOOLEAN";
    case LEAT_TYPE_DATE: return "DATE";
    case LEAT_TYPE_TIME: return "TIME";
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: return "TIMESTAMP";
    default: return "ANY";
    }
}

static leat_code fail_unknown(const char *name, const leat_type *arguments, int32_t count, leat_error *error)
{
    leat_bytes text = {0};
    for (int32_t i = 0; i < count && i < 8; i++) {
        leat_bytes_format(&text, "%s<%s>", i > 0 ? ", " : "", family(&arguments[i]));
    }
    leat_code code = leat_fail(error, LEAT_NOT_FOUND, "No match found for function signature %s(%s)", name,
                               text.size && !text.failed ? (const char *)text.data : "");
    leat_bytes_done(&text);
    leat_nearest near = {.word = name, .less_than = 3};
    for (int32_t i = 0; i < leat_functions_count; i++)
        leat_nearest_look(&near, leat_functions[i].name);
    if (near.found) leat_fail_hint(error, "did you mean %s?", near.found);
    return code;
}

static bool fits_parameter(char parameter, const leat_type *type)
{
    if (type->kind == LEAT_TYPE_NULL) return true;
    switch (parameter) {
    case 'T': return leat_type_is_text(type);
    case 'I': return leat_type_is_integer(type);
    case 'L': return leat_type_is_integer(type) || type->kind == LEAT_TYPE_DECIMAL;
    case 'D':
    case 'N': return leat_type_is_numeric(type);
    case 'B': return type->kind == LEAT_TYPE_BOOLEAN;
    default: return true;
    }
}

static leat_type cast_of(char parameter, const leat_type *type)
{
    bool nullable = type->nullable || type->kind == LEAT_TYPE_NULL;
    bool is_null = type->kind == LEAT_TYPE_NULL;
    switch (parameter) {
    case 'I': return leat_type_make(LEAT_TYPE_INT, nullable);
    case 'L': return leat_type_make(LEAT_TYPE_BIGINT, nullable);
    case 'D': return leat_type_make(LEAT_TYPE_DOUBLE, nullable);
    case 'T': return is_null ? leat_type_string(true) : *type;
    case 'N': return is_null ? leat_type_make(LEAT_TYPE_INT, true) : *type;
    case 'B':
    case 'A': return is_null ? leat_type_make(LEAT_TYPE_BOOLEAN, true) : *type;
    default: return *type;
    }
}

leat_code leat_function_resolve(const char *name, const leat_type *arguments, int32_t count, leat_function_match *out,
                                leat_error *error)
{
    const leat_function *function = find_by_name(name);
    if (!function && strcmp(name, "!=") == 0) function = find_by_name("<>");
    if (!function || count > LEAT_EXPR_ARGUMENTS_MAX) return fail_unknown(name, arguments, count, error);
    if (count < function->arguments_min || count > function->arguments_max) {
        return leat_fail(error, LEAT_INVALID,
                         "Invalid number of arguments to function '%s'. Was expecting %d arguments", function->name,
                         count < function->arguments_min ? function->arguments_min : function->arguments_max);
    }
    for (int32_t i = 0; i < count; i++)
        out->casts[i] = arguments[i];
    size_t parameters = function->parameters ? strlen(function->parameters) : 0;
    for (int32_t i = 0; i < count && strncmp(function->name, "CONCAT", 6) == 0; i++) {
        if (arguments[i].kind == LEAT_TYPE_NULL) return leat_fail(error, LEAT_INVALID, "Illegal use of 'NULL'");
    }
    for (int32_t i = 0; i < count && parameters; i++) {
        char parameter = function->parameters[(size_t)i < parameters ? (size_t)i : parameters - 1];
        if (!fits_parameter(parameter, &arguments[i])) return leat_fail_apply(function, arguments, count, error);
        out->casts[i] = cast_of(parameter, &arguments[i]);
    }
    const leat_type *given = parameters ? out->casts : arguments;
    LEAT_TRY(function->rule(function, given, count, out, error));
    for (int32_t i = 0; i < count; i++) {
        if (!leat_type_has_column(&out->casts[i]) || out->casts[i].kind == LEAT_TYPE_NULL) {
            if (function->form == LEAT_FORM_KERNEL) return leat_fail_apply(function, arguments, count, error);
        }
    }
    out->id = function->id;
    if (count == 1 && strcmp(out->id, "-") == 0) out->id = "NEGATE";
    out->is_dynamic = function->flags & LEAT_FUNCTION_DYNAMIC;
    out->is_deterministic = !out->is_dynamic;
    return LEAT_OK;
}

/* A literal, also with a minus before it. */
static bool constant_digits(const leat_expr *expr, int64_t *out)
{
    bool is_negated = expr->kind == LEAT_EXPR_CALL && strcmp(expr->function, "NEGATE") == 0;
    const leat_expr *literal = is_negated ? expr->arguments[0] : expr;
    if (literal->kind != LEAT_EXPR_LITERAL || !leat_type_is_integer(&literal->type)) return false;
    *out = literal->value.is_null ? 0 : is_negated ? -literal->value.i64 : literal->value.i64;
    return true;
}

leat_code leat_function_resolve_exprs(const char *name, const leat_expr *const *arguments, int32_t count,
                                      leat_function_match *out, leat_error *error)
{
    leat_type types[LEAT_EXPR_ARGUMENTS_MAX];
    if (count > LEAT_EXPR_ARGUMENTS_MAX) {
        return leat_fail(error, LEAT_LIMIT, "function '%s' with more than %d arguments", name, LEAT_EXPR_ARGUMENTS_MAX);
    }
    for (int32_t i = 0; i < count; i++)
        types[i] = arguments[i]->type;
    LEAT_TRY(leat_function_resolve(name, types, count, out, error));
    bool has_digits = count == 2 && (strcmp(out->id, "ROUND") == 0 || strcmp(out->id, "TRUNCATE") == 0);
    int64_t digits;
    if (!has_digits || types[0].kind != LEAT_TYPE_DECIMAL || !constant_digits(arguments[1], &digits)) return LEAT_OK;
    if (digits >= types[0].scale) return LEAT_OK;
    int32_t scale = digits > 0 ? (int32_t)digits : 0;
    int32_t precision = types[0].precision - types[0].scale + 1 + scale;
    if (precision > LEAT_DECIMAL_PRECISION_MAX) precision = LEAT_DECIMAL_PRECISION_MAX;
    out->type = leat_type_decimal(precision, scale, out->type.nullable);
    return LEAT_OK;
}
