#include "columnar/type.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool leat_type_has_column(const leat_type *type)
{
    switch (type->kind) {
    case LEAT_TYPE_ARRAY:
    case LEAT_TYPE_MULTISET:
    case LEAT_TYPE_MAP:
    case LEAT_TYPE_ROW:
    case LEAT_TYPE_KINDS_COUNT: return false;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ: return type->precision <= 6;
    default: return true;
    }
}

leat_layout leat_type_layout(const leat_type *type)
{
    switch (type->kind) {
    case LEAT_TYPE_NULL:
    case LEAT_TYPE_BOOLEAN:
    case LEAT_TYPE_TINYINT: return LEAT_LAYOUT_8;
    case LEAT_TYPE_SMALLINT: return LEAT_LAYOUT_16;
    case LEAT_TYPE_INT:
    case LEAT_TYPE_FLOAT:
    case LEAT_TYPE_DATE:
    case LEAT_TYPE_TIME:
    case LEAT_TYPE_INTERVAL_YEAR_MONTH: return LEAT_LAYOUT_32;
    case LEAT_TYPE_BIGINT:
    case LEAT_TYPE_DOUBLE:
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ:
    case LEAT_TYPE_INTERVAL_DAY_TIME: return LEAT_LAYOUT_64;
    case LEAT_TYPE_DECIMAL: return LEAT_LAYOUT_128;
    default: return LEAT_LAYOUT_VIEW;
    }
}

size_t leat_layout_bytes(leat_layout layout)
{
    static const uint8_t bytes[] = {1, 2, 4, 8, 16, 16};
    return bytes[layout];
}

leat_type leat_type_string(bool nullable)
{
    return (leat_type){.kind = LEAT_TYPE_VARCHAR, .nullable = nullable, .precision = LEAT_LENGTH_MAX};
}

leat_type leat_type_decimal(int32_t precision, int32_t scale, bool nullable)
{
    return (leat_type){.kind = LEAT_TYPE_DECIMAL, .nullable = nullable, .precision = precision, .scale = scale};
}

leat_type leat_type_with_nullable(const leat_type *type, bool nullable)
{
    leat_type changed = *type;
    changed.nullable = nullable;
    return changed;
}

bool leat_type_is_integer(const leat_type *type)
{
    return type->kind >= LEAT_TYPE_TINYINT && type->kind <= LEAT_TYPE_BIGINT;
}

bool leat_type_is_numeric(const leat_type *type)
{
    return type->kind >= LEAT_TYPE_TINYINT && type->kind <= LEAT_TYPE_DECIMAL;
}

bool leat_type_is_text(const leat_type *type)
{
    return type->kind == LEAT_TYPE_CHAR || type->kind == LEAT_TYPE_VARCHAR;
}

bool leat_type_is_bytes(const leat_type *type)
{
    return type->kind == LEAT_TYPE_BINARY || type->kind == LEAT_TYPE_VARBINARY;
}

bool leat_type_equal(const leat_type *left, const leat_type *right, bool with_nullable)
{
    if (left->kind != right->kind || left->precision != right->precision || left->scale != right->scale ||
        left->children_count != right->children_count || (with_nullable && left->nullable != right->nullable)) {
        return false;
    }
    for (int32_t i = 0; i < left->children_count; i++) {
        if (!leat_type_equal(&left->children[i], &right->children[i], with_nullable)) return false;
        if (left->child_names && strcmp(left->child_names[i], right->child_names[i]) != 0) return false;
    }
    return true;
}

static const char *const kind_names[LEAT_TYPE_KINDS_COUNT] = {
    [LEAT_TYPE_NULL] = "NULL",
    [LEAT_TYPE_BOOLEAN] = "BOOLEAN",
    [LEAT_TYPE_TINYINT] = "TINYINT",
    [LEAT_TYPE_SMALLINT] = "SMALLINT",
    [LEAT_TYPE_INT] = "INT",
    [LEAT_TYPE_BIGINT] = "BIGINT",
    [LEAT_TYPE_FLOAT] = "FLOAT",
    [LEAT_TYPE_DOUBLE] = "DOUBLE",
    [LEAT_TYPE_DECIMAL] = "DECIMAL",
    [LEAT_TYPE_CHAR] = "CHAR",
    [LEAT_TYPE_VARCHAR] = "VARCHAR",
    [LEAT_TYPE_BINARY] = "BINARY",
    [LEAT_TYPE_VARBINARY] = "VARBINARY",
    [LEAT_TYPE_DATE] = "DATE",
    [LEAT_TYPE_TIME] = "TIME",
    [LEAT_TYPE_TIMESTAMP] = "TIMESTAMP",
    [LEAT_TYPE_TIMESTAMP_LTZ] = "TIMESTAMP",
    [LEAT_TYPE_INTERVAL_YEAR_MONTH] = "INTERVAL YEAR TO MONTH",
    [LEAT_TYPE_INTERVAL_DAY_TIME] = "INTERVAL DAY TO SECOND(3)",
    [LEAT_TYPE_ARRAY] = "ARRAY",
    [LEAT_TYPE_MULTISET] = "MULTISET",
    [LEAT_TYPE_MAP] = "MAP",
    [LEAT_TYPE_ROW] = "ROW",
};

/* `name`, with a backtick inside doubled, and a blank. */
static void print_quoted(const char *name, leat_bytes *out)
{
    leat_bytes_text(out, "`");
    for (; *name; name++)
        leat_bytes_format(out, *name == '`' ? "``" : "%c", *name);
    leat_bytes_text(out, "` ");
}

static void print_children(const leat_type *type, bool short_names, leat_bytes *out)
{
    leat_bytes_text(out, "<");
    for (int32_t i = 0; i < type->children_count; i++) {
        if (i) leat_bytes_text(out, ", ");
        if (type->child_names) print_quoted(type->child_names[i], out);
        leat_type_print(&type->children[i], short_names, out);
    }
    leat_bytes_text(out, ">");
}

void leat_type_print(const leat_type *type, bool short_names, leat_bytes *out)
{
    bool is_max = short_names && type->precision == LEAT_LENGTH_MAX;
    if (is_max && type->kind == LEAT_TYPE_VARCHAR)
        leat_bytes_text(out, "STRING");
    else if (is_max && type->kind == LEAT_TYPE_VARBINARY)
        leat_bytes_text(out, "BYTES");
    else {
        leat_bytes_text(out, kind_names[type->kind]);
        switch (type->kind) {
        case LEAT_TYPE_DECIMAL: leat_bytes_format(out, "(%d, %d)", type->precision, type->scale); break;
        case LEAT_TYPE_CHAR:
        case LEAT_TYPE_VARCHAR:
        case LEAT_TYPE_BINARY:
        case LEAT_TYPE_VARBINARY:
        case LEAT_TYPE_TIME:
        case LEAT_TYPE_TIMESTAMP: leat_bytes_format(out, "(%d)", type->precision); break;
        case LEAT_TYPE_TIMESTAMP_LTZ: leat_bytes_format(out, "(%d) WITH LOCAL TIME ZONE", type->precision); break;
        case LEAT_TYPE_ARRAY:
        case LEAT_TYPE_MULTISET:
        case LEAT_TYPE_MAP:
        case LEAT_TYPE_ROW: print_children(type, short_names, out); break;
        default: break;
        }
    }
    if (!type->nullable) leat_bytes_text(out, " NOT NULL");
}

typedef struct type_parser {
    const char *start, *at;
    leat_arena *arena;
    leat_error *error;
} type_parser;

static void skip_blanks(type_parser *parser)
{
    while (isspace((unsigned char)*parser->at))
        parser->at++;
}

static leat_code wrong(type_parser *parser, const char *what)
{
    return leat_fail(parser->error, LEAT_INVALID, "type '%s': expected %s at offset %zu", parser->start, what,
                     (size_t)(parser->at - parser->start));
}

static bool accept_char(type_parser *parser, char wanted)
{
    skip_blanks(parser);
    if (*parser->at != wanted) return false;
    parser->at++;
    return true;
}

static bool accept_word(type_parser *parser, const char *word)
{
    skip_blanks(parser);
    size_t length = strlen(word);
    if (strncasecmp(parser->at, word, length) != 0) return false;
    unsigned char next = (unsigned char)parser->at[length];
    if (isalnum(next) || next == '_') return false;
    parser->at += length;
    return true;
}

static leat_code parse_number(type_parser *parser, int32_t max, int32_t *out)
{
    skip_blanks(parser);
    if (!isdigit((unsigned char)*parser->at)) return wrong(parser, "a number");
    int64_t value = 0;
    while (isdigit((unsigned char)*parser->at)) {
        value = value * 10 + (*parser->at - '0');
        if (value > max) return wrong(parser, "a smaller number");
        parser->at++;
    }
    *out = (int32_t)value;
    return LEAT_OK;
}

/* "(n)" if it is there, else the fallback. */
static leat_code parse_length(type_parser *parser, int32_t fallback, int32_t max, int32_t *out)
{
    *out = fallback;
    if (!accept_char(parser, '(')) return LEAT_OK;
    LEAT_TRY(parse_number(parser, max, out));
    return accept_char(parser, ')') ? LEAT_OK : wrong(parser, "')'");
}

static leat_code parse_decimal(type_parser *parser, leat_type *out)
{
    out->precision = 10;
    if (!accept_char(parser, '(')) return LEAT_OK;
    LEAT_TRY(parse_number(parser, LEAT_DECIMAL_PRECISION_MAX, &out->precision));
    if (accept_char(parser, ',')) LEAT_TRY(parse_number(parser, out->precision, &out->scale));
    if (out->precision < 1) return wrong(parser, "a precision from 1 to 38");
    return accept_char(parser, ')') ? LEAT_OK : wrong(parser, "')'");
}

static leat_code parse_type(type_parser *parser, int depth, leat_type *out);

/* After the opening backtick; a doubled one stands for itself. */
static leat_code parse_quoted_name(type_parser *parser, const char **out)
{
    const char *start = parser->at;
    for (; *parser->at && (*parser->at != '`' || parser->at[1] == '`'); parser->at++)
        parser->at += *parser->at == '`';
    if (*parser->at != '`') return wrong(parser, "'`'");
    char *name = leat_arena_strndup(parser->arena, start, (size_t)(parser->at++ - start));
    if (!name) return leat_fail_no_memory(parser->error);
    char *to = name;
    for (const char *from = name; *from; from++) {
        if (*from == '`') from++;
        *to++ = *from;
    }
    *to = '\0';
    *out = name;
    return *name ? LEAT_OK : wrong(parser, "a field name");
}

static leat_code parse_field_name(type_parser *parser, const char **out)
{
    if (accept_char(parser, '`')) return parse_quoted_name(parser, out);
    const char *start = parser->at;
    while (isalnum((unsigned char)*parser->at) || *parser->at == '_')
        parser->at++;
    if (parser->at == start) return wrong(parser, "a field name");
    *out = leat_arena_strndup(parser->arena, start, (size_t)(parser->at - start));
    return *out ? LEAT_OK : leat_fail_no_memory(parser->error);
}

enum { CHILDREN_MAX = 256 };

static leat_code parse_children(type_parser *parser, int depth, int32_t least, int32_t most, leat_type *out)
{
    bool is_row = out->kind == LEAT_TYPE_ROW;
    char closing = accept_char(parser, '<') ? '>' : is_row && accept_char(parser, '(') ? ')' : '\0';
    if (!closing) return wrong(parser, "'<'");
    leat_type *children = leat_arena_take(parser->arena, (size_t)most * sizeof *children);
    const char **names = is_row ? leat_arena_take(parser->arena, (size_t)most * sizeof *names) : NULL;
    if (!children || (is_row && !names)) return leat_fail_no_memory(parser->error);
    int32_t count = 0;
    while (!accept_char(parser, closing)) {
        if (count && !accept_char(parser, ',')) return wrong(parser, "',' or the end of the list");
        if (count == most) return wrong(parser, "fewer element types");
        if (is_row) LEAT_TRY(parse_field_name(parser, &names[count]));
        LEAT_TRY(parse_type(parser, depth + 1, &children[count++]));
    }
    if (count < least) return wrong(parser, "more element types");
    out->children = children;
    out->children_count = count;
    out->child_names = names;
    return LEAT_OK;
}

static leat_code parse_timestamp(type_parser *parser, leat_type *out)
{
    LEAT_TRY(parse_length(parser, 6, 9, &out->precision));
    if (accept_word(parser, "WITH")) {
        bool is_local = accept_word(parser, "LOCAL");
        if (!accept_word(parser, "TIME") || !accept_word(parser, "ZONE")) return wrong(parser, "'LOCAL TIME ZONE'");
        if (!is_local) {
            return leat_fail(parser->error, LEAT_UNSUPPORTED, "type '%s': TIMESTAMP WITH TIME ZONE is not supported",
                             parser->start);
        }
        out->kind = LEAT_TYPE_TIMESTAMP_LTZ;
    } else if (accept_word(parser, "WITHOUT")) {
        if (!accept_word(parser, "TIME") || !accept_word(parser, "ZONE")) return wrong(parser, "'TIME ZONE'");
    }
    return LEAT_OK;
}

typedef struct type_name {
    const char *name;
    leat_type_kind kind;
    int32_t fixed_length; /* of STRING and BYTES */
} type_name;

static const type_name type_names[] = {
    {"BOOLEAN", LEAT_TYPE_BOOLEAN, 0},
    {"TINYINT", LEAT_TYPE_TINYINT, 0},
    {"SMALLINT", LEAT_TYPE_SMALLINT, 0},
    {"INTEGER", LEAT_TYPE_INT, 0},
    {"INT", LEAT_TYPE_INT, 0},
    {"BIGINT", LEAT_TYPE_BIGINT, 0},
    {"FLOAT", LEAT_TYPE_FLOAT, 0},
    {"DOUBLE", LEAT_TYPE_DOUBLE, 0},
    {"DECIMAL", LEAT_TYPE_DECIMAL, 0},
    {"NUMERIC", LEAT_TYPE_DECIMAL, 0},
    {"DEC", LEAT_TYPE_DECIMAL, 0},
    {"CHAR", LEAT_TYPE_CHAR, 0},
    {"CHARACTER", LEAT_TYPE_CHAR, 0},
    {"VARCHAR", LEAT_TYPE_VARCHAR, 0},
    {"STRING", LEAT_TYPE_VARCHAR, LEAT_LENGTH_MAX},
    {"BINARY", LEAT_TYPE_BINARY, 0},
    {"VARBINARY", LEAT_TYPE_VARBINARY, 0},
    {"BYTES", LEAT_TYPE_VARBINARY, LEAT_LENGTH_MAX},
    {"DATE", LEAT_TYPE_DATE, 0},
    {"TIMESTAMP_LTZ", LEAT_TYPE_TIMESTAMP_LTZ, 0},
    {"TIMESTAMP", LEAT_TYPE_TIMESTAMP, 0},
    {"TIME", LEAT_TYPE_TIME, 0},
    {"ARRAY", LEAT_TYPE_ARRAY, 0},
    {"MULTISET", LEAT_TYPE_MULTISET, 0},
    {"MAP", LEAT_TYPE_MAP, 0},
    {"ROW", LEAT_TYPE_ROW, 0},
    {"INTERVAL YEAR TO MONTH", LEAT_TYPE_INTERVAL_YEAR_MONTH, 0},
    {"INTERVAL DAY TO SECOND(3)", LEAT_TYPE_INTERVAL_DAY_TIME, 0}, /* as printed: the only precision there is */
};

static const type_name *accept_type_name(type_parser *parser)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
        if (accept_word(parser, type_names[i].name)) return &type_names[i];
    }
    return NULL;
}

static leat_code parse_type(type_parser *parser, int depth, leat_type *out)
{
    if (depth > LEAT_TYPE_DEPTH_MAX) {
        return leat_fail(parser->error, LEAT_LIMIT, "type '%s' is nested too deeply", parser->start);
    }
    const type_name *name = accept_type_name(parser);
    if (!name) return wrong(parser, "a type name");
    *out = (leat_type){.kind = name->kind, .nullable = true, .precision = name->fixed_length};
    switch (name->kind) {
    case LEAT_TYPE_DOUBLE: (void)accept_word(parser, "PRECISION"); break;
    case LEAT_TYPE_DECIMAL: LEAT_TRY(parse_decimal(parser, out)); break;
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR:
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY:
        if (!name->fixed_length) LEAT_TRY(parse_length(parser, 1, LEAT_LENGTH_MAX, &out->precision));
        break;
    case LEAT_TYPE_TIME:
        LEAT_TRY(parse_length(parser, 0, 9, &out->precision));
        if (accept_word(parser, "WITHOUT") && (!accept_word(parser, "TIME") || !accept_word(parser, "ZONE"))) {
            return wrong(parser, "'TIME ZONE'");
        }
        break;
    case LEAT_TYPE_TIMESTAMP: LEAT_TRY(parse_timestamp(parser, out)); break;
    case LEAT_TYPE_TIMESTAMP_LTZ: LEAT_TRY(parse_length(parser, 6, 9, &out->precision)); break;
    case LEAT_TYPE_ARRAY:
    case LEAT_TYPE_MULTISET: LEAT_TRY(parse_children(parser, depth, 1, 1, out)); break;
    case LEAT_TYPE_MAP: LEAT_TRY(parse_children(parser, depth, 2, 2, out)); break;
    case LEAT_TYPE_ROW: LEAT_TRY(parse_children(parser, depth, 0, CHILDREN_MAX, out)); break;
    default: break;
    }
    if (accept_word(parser, "NOT")) {
        if (!accept_word(parser, "NULL")) return wrong(parser, "'NULL'");
        out->nullable = false;
    } else {
        (void)accept_word(parser, "NULL");
    }
    return LEAT_OK;
}

leat_code leat_type_parse(const char *text, leat_arena *arena, leat_type *out, leat_error *error)
{
    type_parser parser = {.start = text, .at = text, .arena = arena, .error = error};
    leat_type parsed;
    LEAT_TRY(parse_type(&parser, 0, &parsed));
    skip_blanks(&parser);
    if (*parser.at) return wrong(&parser, "the end");
    *out = parsed;
    return LEAT_OK;
}
