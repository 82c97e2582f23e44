#include "connectors/mysql/sync_schema.h"

#include <ctype.h>
#include <string.h>

#include "common/memory.h"

leat_code leat_type_mapping_read(const char *text, leat_type_mapping *out, leat_error *error)
{
    bool ignored; /* they only matter when a schema changes while the job runs, which fails here */
    struct {
        const char *name;
        bool *flag;
    } names[] = {
        {"tinyint1-not-bool", &out->tinyint1_not_bool},
        {"to-nullable", &out->to_nullable},
        {"to-string", &out->to_string},
        {"char-to-string", &out->char_to_string},
        {"longtext-to-bytes", &out->longtext_to_bytes},
        {"bigint-unsigned-to-bigint", &out->bigint_unsigned_to_bigint},
        {"decimal-no-change", &ignored},
        {"allow-non-string-to-string", &ignored},
    };
    for (const char *at = text; *at;) {
        char word[64];
        size_t length = strcspn(at, ","), used = 0;
        for (size_t i = 0; i < length && used + 1 < sizeof word; i++)
            if (at[i] != ' ') word[used++] = at[i] == '_' ? '-' : at[i];
        word[used] = '\0';
        bool is_known = used == 0;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (strcmp(names[i].name, word) != 0) continue;
            *names[i].flag = is_known = true;
        }
        if (!is_known) {
            leat_code code = leat_fail(error, LEAT_INVALID, "Unsupported type mapping option: %s", word);
            leat_fail_hint(error, "tinyint1-not-bool, to-nullable, to-string, char-to-string, longtext-to-bytes, "
                                  "bigint-unsigned-to-bigint, decimal-no-change, allow-non-string-to-string");
            return code;
        }
        at += length;
        if (*at) at++;
    }
    return LEAT_OK;
}

static leat_type sized(leat_type_kind kind, int32_t length)
{
    leat_type type = leat_type_make(kind, true);
    type.precision = length;
    return type;
}

static leat_code not_there(const leat_mysql_column *column, leat_error *error)
{
    leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "Don't support MySQL type '%s' of column '%s' yet",
                               column->type_text, column->name);
    leat_fail_hint(error, "leave the table out, or drop the column");
    return code;
}

static leat_code integer_type(const leat_mysql_column *column, const leat_type_mapping *mapping, leat_type *out)
{
    leat_type_kind kind = LEAT_TYPE_BIGINT;
    bool is_unsigned = column->is_unsigned;
    switch (column->kind) {
    case LEAT_MYSQL_TINYINT:
        kind = is_unsigned ? LEAT_TYPE_SMALLINT : LEAT_TYPE_TINYINT;
        if (column->length == 1 && !mapping->tinyint1_not_bool) kind = LEAT_TYPE_BOOLEAN;
        break;
    case LEAT_MYSQL_SMALLINT: kind = is_unsigned ? LEAT_TYPE_INT : LEAT_TYPE_SMALLINT; break;
    case LEAT_MYSQL_MEDIUMINT:
    case LEAT_MYSQL_INT: kind = is_unsigned ? LEAT_TYPE_BIGINT : LEAT_TYPE_INT; break;
    default:
        if (is_unsigned && !mapping->bigint_unsigned_to_bigint) {
            *out = leat_type_decimal(20, 0, true);
            return LEAT_OK;
        }
    }
    *out = leat_type_make(kind, true);
    return LEAT_OK;
}

static leat_code map_type(const leat_mysql_column *column, const leat_type_mapping *mapping, leat_type *out,
                          leat_error *error)
{
    int32_t length = column->length > 0 ? column->length : LEAT_LENGTH_MAX;
    switch (column->kind) {
    case LEAT_MYSQL_TINYINT:
    case LEAT_MYSQL_SMALLINT:
    case LEAT_MYSQL_MEDIUMINT:
    case LEAT_MYSQL_INT:
    case LEAT_MYSQL_BIGINT: return integer_type(column, mapping, out);
    case LEAT_MYSQL_FLOAT: *out = leat_type_make(LEAT_TYPE_FLOAT, true); break;
    case LEAT_MYSQL_DOUBLE: *out = leat_type_make(LEAT_TYPE_DOUBLE, true); break;
    case LEAT_MYSQL_DECIMAL:
        *out = column->length <= LEAT_DECIMAL_PRECISION_MAX ? leat_type_decimal(column->length, column->scale, true)
                                                            : leat_type_string(true);
        break;
    case LEAT_MYSQL_YEAR: *out = leat_type_make(LEAT_TYPE_INT, true); break;
    case LEAT_MYSQL_DATE: *out = leat_type_make(LEAT_TYPE_DATE, true); break;
    case LEAT_MYSQL_TIME: *out = sized(LEAT_TYPE_TIME, 0); break;
    case LEAT_MYSQL_DATETIME:
    case LEAT_MYSQL_TIMESTAMP: *out = sized(LEAT_TYPE_TIMESTAMP, column->length); break;
    case LEAT_MYSQL_BIT:
        *out = column->length == 1 ? leat_type_make(LEAT_TYPE_BOOLEAN, true)
                                   : sized(LEAT_TYPE_BINARY, (column->length + 7) / 8);
        break;
    case LEAT_MYSQL_CHAR:
        *out = mapping->char_to_string ? leat_type_string(true) : sized(LEAT_TYPE_CHAR, length);
        break;
    case LEAT_MYSQL_VARCHAR:
        *out = mapping->char_to_string ? leat_type_string(true) : sized(LEAT_TYPE_VARCHAR, length);
        break;
    case LEAT_MYSQL_LONGTEXT:
        *out = mapping->longtext_to_bytes ? sized(LEAT_TYPE_VARBINARY, LEAT_LENGTH_MAX) : leat_type_string(true);
        break;
    case LEAT_MYSQL_TEXT:
    case LEAT_MYSQL_ENUM:
    case LEAT_MYSQL_JSON:
    case LEAT_MYSQL_UUID: *out = leat_type_string(true); break;
    case LEAT_MYSQL_BINARY:
    case LEAT_MYSQL_VARBINARY: *out = sized(LEAT_TYPE_VARBINARY, length); break;
    case LEAT_MYSQL_BLOB: *out = sized(LEAT_TYPE_VARBINARY, LEAT_LENGTH_MAX); break;
    case LEAT_MYSQL_SET: /* Paimon: ARRAY<STRING>, which has no columns here yet */
        if (!mapping->to_string) return not_there(column, error);
        break;
    case LEAT_MYSQL_OTHER: return not_there(column, error);
    }
    return LEAT_OK;
}

leat_code leat_mysql_column_type(const leat_mysql_column *column, const leat_type_mapping *mapping, leat_type *out,
                                 leat_error *error)
{
    LEAT_TRY(map_type(column, mapping, out, error));
    bool is_bytes =
        column->kind == LEAT_MYSQL_BINARY || column->kind == LEAT_MYSQL_VARBINARY || column->kind == LEAT_MYSQL_BLOB;
    if (mapping->to_string && is_bytes) return not_there(column, error);
    if (mapping->to_string) *out = leat_type_string(true);
    out->nullable = column->is_nullable || mapping->to_nullable;
    return LEAT_OK;
}

void leat_sync_columns_done(leat_sync_columns *columns)
{
    leat_free(columns->items);
    *columns = (leat_sync_columns){0};
}

/* The wider of two types of one family; false when there is none. */
static bool widen(leat_type *known, const leat_type *other)
{
    bool is_nullable = known->nullable || other->nullable;
    leat_type wide = *known;
    bool are_integers = leat_type_is_integer(known) && leat_type_is_integer(other);
    bool are_sized = (leat_type_is_text(known) && leat_type_is_text(other)) ||
                     (leat_type_is_bytes(known) && leat_type_is_bytes(other)) ||
                     (known->kind == LEAT_TYPE_TIMESTAMP && other->kind == LEAT_TYPE_TIMESTAMP);
    bool are_real = (known->kind == LEAT_TYPE_FLOAT || known->kind == LEAT_TYPE_DOUBLE) &&
                    (other->kind == LEAT_TYPE_FLOAT || other->kind == LEAT_TYPE_DOUBLE);
    if (are_integers || are_real) {
        if (other->kind > known->kind) wide = *other;
    } else if (are_sized) {
        if (other->kind > known->kind) wide.kind = other->kind;
        if (other->precision > wide.precision) wide.precision = other->precision;
    } else if (known->kind == LEAT_TYPE_DECIMAL && other->kind == LEAT_TYPE_DECIMAL) {
        int32_t whole = known->precision - known->scale, other_whole = other->precision - other->scale;
        wide.scale = other->scale > known->scale ? other->scale : known->scale;
        wide.precision = (other_whole > whole ? other_whole : whole) + wide.scale;
        if (wide.precision > LEAT_DECIMAL_PRECISION_MAX) return false;
    } else if (!leat_type_equal(known, other, false)) {
        return false;
    }
    *known = wide;
    known->nullable = is_nullable;
    return true;
}

static leat_code cannot_merge(const leat_sync_column *known, const leat_type *type, const leat_mysql_table *table,
                              leat_error *error)
{
    leat_bytes left = {0}, right = {0};
    leat_type_print(&known->type, true, &left);
    leat_type_print(type, true, &right);
    leat_code code = leat_fail(error, LEAT_INVALID, "column '%s' is %s in one table and %s in %s.%s", known->name,
                               left.data ? (char *)left.data : "", right.data ? (char *)right.data : "",
                               table->database, table->name);
    leat_bytes_done(&left);
    leat_bytes_done(&right);
    return code;
}

leat_code leat_sync_columns_add(leat_sync_columns *columns, const leat_mysql_table *table,
                                const leat_type_mapping *mapping, bool is_case_sensitive, leat_arena *arena,
                                leat_error *error)
{
    size_t before = columns->count;
    for (int32_t i = 0; i < table->columns_count; i++) {
        const leat_mysql_column *column = &table->columns[i];
        leat_type type;
        leat_code code = leat_mysql_column_type(column, mapping, &type, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "table %s.%s", table->database, table->name);
        char *name = leat_arena_strdup(arena, column->name);
        if (!name) return leat_fail_no_memory(error);
        for (char *at = name; *at && !is_case_sensitive; at++)
            *at = (char)tolower((unsigned char)*at);
        leat_sync_column *known = NULL;
        for (size_t k = 0; k < columns->count; k++)
            if (strcmp(columns->items[k].name, name) == 0) known = &columns->items[k];
        if (known && known >= columns->items + before) {
            return leat_fail(error, LEAT_INVALID, "table %s.%s has two columns '%s'", table->database, table->name,
                             name);
        }
        if (known) {
            if (!widen(&known->type, &type)) return cannot_merge(known, &type, table, error);
            continue;
        }
        if (before) type.nullable = true; /* earlier tables have no such column */
        LEAT_TRY(leat_grow(&columns->items, &columns->capacity, columns->count + 1, sizeof *columns->items, error));
        columns->items[columns->count++] = (leat_sync_column){name, leat_arena_strdup(arena, column->comment), type};
    }
    return LEAT_OK;
}
