#include "connectors/mysql/table.h"

#include <mysql.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>
#include <strings.h>

#include "common/memory.h"

enum { TABLES_MAX = 10000, LIST_BYTES_MAX = 1 << 16 };

/* --- names --- */

leat_code leat_mysql_matches(const char *pattern, const char *text, size_t size, bool *out, leat_error *error)
{
    int number;
    PCRE2_SIZE offset;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                         PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF, &number, &offset, NULL);
    if (!compiled) {
        char message[128] = "";
        (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
        return leat_fail(error, LEAT_INVALID, "'%s' is not a regular expression: %s, at offset %zu", pattern, message,
                         (size_t)offset);
    }
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(compiled, NULL);
    int found = match ? pcre2_match(compiled, (PCRE2_SPTR)text, size, 0, 0, match, NULL) : PCRE2_ERROR_NOMEMORY;
    pcre2_match_data_free(match);
    pcre2_code_free(compiled);
    if (found == PCRE2_ERROR_NOMEMORY) return leat_fail_no_memory(error);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
        return leat_fail(error, LEAT_INVALID, "matching '%s' gives up (PCRE2 error %d)", pattern, found);
    }
    *out = found >= 0;
    return LEAT_OK;
}

static leat_code take_names(MYSQL_RES *result, const char *database_pattern, const char *table_pattern,
                            leat_arena *arena, leat_mysql_table_name **out, int32_t *count, leat_error *error)
{
    uint64_t rows = mysql_num_rows(result);
    if (rows > TABLES_MAX) return leat_fail(error, LEAT_LIMIT, "the server has more than %d tables", TABLES_MAX);
    leat_mysql_table_name *names = leat_arena_take(arena, (size_t)(rows + 1) * sizeof *names);
    if (!names) return leat_fail_no_memory(error);
    *count = 0;
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));) {
        bool is_database, is_table;
        LEAT_TRY(leat_mysql_matches(database_pattern, row[0], strlen(row[0]), &is_database, error));
        LEAT_TRY(leat_mysql_matches(table_pattern, row[1], strlen(row[1]), &is_table, error));
        if (!is_database || !is_table) continue;
        leat_mysql_table_name *name = &names[(*count)++];
        name->database = leat_arena_strdup(arena, row[0]);
        name->name = leat_arena_strdup(arena, row[1]);
        if (!name->database || !name->name) return leat_fail_no_memory(error);
    }
    *out = names;
    return LEAT_OK;
}

leat_code leat_mysql_list_tables(MYSQL *mysql, const char *database_pattern, const char *table_pattern,
                                 leat_arena *arena, leat_mysql_table_name **out, int32_t *count, leat_error *error)
{
    MYSQL_RES *result;
    LEAT_TRY(leat_mysql_query(mysql,
                              "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE "
                              "TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', "
                              "'performance_schema') ORDER BY TABLE_SCHEMA, TABLE_NAME",
                              "list tables", &result, error));
    leat_code code = take_names(result, database_pattern, table_pattern, arena, out, count, error);
    mysql_free_result(result);
    if (code == LEAT_OK && *count == 0) {
        code = leat_fail(error, LEAT_NOT_FOUND, "no table matches database-name '%s' and table-name '%s'",
                         database_pattern, table_pattern);
        leat_fail_hint(error, "both are regular expressions for whole names; the user must be allowed to SELECT");
    }
    return code;
}

/* --- descriptions --- */

typedef struct kind_name {
    const char *name;
    leat_mysql_kind kind;
} kind_name;

static const kind_name kinds[] = {
    {"tinyint", LEAT_MYSQL_TINYINT},     {"smallint", LEAT_MYSQL_SMALLINT},
    {"mediumint", LEAT_MYSQL_MEDIUMINT}, {"int", LEAT_MYSQL_INT},
    {"bigint", LEAT_MYSQL_BIGINT},       {"float", LEAT_MYSQL_FLOAT},
    {"double", LEAT_MYSQL_DOUBLE},       {"decimal", LEAT_MYSQL_DECIMAL},
    {"year", LEAT_MYSQL_YEAR},           {"date", LEAT_MYSQL_DATE},
    {"time", LEAT_MYSQL_TIME},           {"datetime", LEAT_MYSQL_DATETIME},
    {"timestamp", LEAT_MYSQL_TIMESTAMP}, {"bit", LEAT_MYSQL_BIT},
    {"char", LEAT_MYSQL_CHAR},           {"varchar", LEAT_MYSQL_VARCHAR},
    {"binary", LEAT_MYSQL_BINARY},       {"varbinary", LEAT_MYSQL_VARBINARY},
    {"tinytext", LEAT_MYSQL_TEXT},       {"text", LEAT_MYSQL_TEXT},
    {"mediumtext", LEAT_MYSQL_TEXT},     {"longtext", LEAT_MYSQL_LONGTEXT},
    {"tinyblob", LEAT_MYSQL_BLOB},       {"blob", LEAT_MYSQL_BLOB},
    {"mediumblob", LEAT_MYSQL_BLOB},     {"longblob", LEAT_MYSQL_BLOB},
    {"enum", LEAT_MYSQL_ENUM},           {"set", LEAT_MYSQL_SET},
    {"json", LEAT_MYSQL_JSON},           {"uuid", LEAT_MYSQL_UUID},
};

static leat_mysql_kind kind_of(const char *data_type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcasecmp(kinds[i].name, data_type) == 0) return kinds[i].kind;
    }
    return LEAT_MYSQL_OTHER;
}

/* "enum('a','b''c')" → members. */
static leat_code read_members(const char *text, leat_arena *arena, leat_mysql_column *out, leat_error *error)
{
    size_t most = 0;
    for (const char *at = text; *at; at++)
        most += *at == ',';
    out->members = leat_arena_take(arena, (most + 1) * sizeof *out->members);
    const char *at = strchr(text, '(');
    if (!out->members) return leat_fail_no_memory(error);
    while (at && at[1] == '\'') {
        char *member = leat_arena_strdup(arena, at + 2), *to = member;
        if (!member) return leat_fail_no_memory(error);
        for (at += 2; *at && !(*at == '\'' && at[1] != '\''); at++) {
            if (*at == '\'') at++;
            *to++ = *at;
        }
        *to = '\0';
        out->members[out->members_count++] = member;
        at = *at && at[1] == ',' ? at + 1 : NULL;
    }
    return LEAT_OK;
}

static int32_t number_of(const char *text)
{
    long long value = text ? strtoll(text, NULL, 10) : 0;
    return value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

/* The number in parentheses: "tinyint(1)" → 1. */
static int32_t width_of(const char *type_text)
{
    const char *open = strchr(type_text, '(');
    return open ? number_of(open + 1) : 0;
}

static leat_code read_column(MYSQL_ROW row, leat_arena *arena, leat_mysql_column *out, leat_error *error)
{
    *out = (leat_mysql_column){.kind = kind_of(row[1]), .is_nullable = strcmp(row[3], "YES") == 0};
    out->name = leat_arena_strdup(arena, row[0]);
    out->type_text = leat_arena_strdup(arena, row[2]);
    out->comment = leat_arena_strdup(arena, row[9] ? row[9] : "");
    out->charset = row[8] ? leat_arena_strdup(arena, row[8]) : NULL;
    out->collation = row[10] ? leat_arena_strdup(arena, row[10]) : NULL;
    if (row[10] && !out->collation) return leat_fail_no_memory(error);
    if (!out->name || !out->type_text || !out->comment || (row[8] && !out->charset)) return leat_fail_no_memory(error);
    out->is_unsigned = strstr(row[2], "unsigned") != NULL || strstr(row[2], "zerofill") != NULL;
    switch (out->kind) {
    case LEAT_MYSQL_DECIMAL:
    case LEAT_MYSQL_BIT:
        out->length = number_of(row[5]);
        out->scale = number_of(row[6]);
        break;
    case LEAT_MYSQL_TIME:
    case LEAT_MYSQL_DATETIME:
    case LEAT_MYSQL_TIMESTAMP: out->length = number_of(row[7]); break;
    case LEAT_MYSQL_TINYINT: out->length = width_of(row[2]); break;
    case LEAT_MYSQL_ENUM:
    case LEAT_MYSQL_SET: return read_members(row[2], arena, out, error);
    default: out->length = number_of(row[4]); break;
    }
    return LEAT_OK;
}

static leat_code query_about(MYSQL *mysql, const char *select, const char *database, const char *name, const char *tail,
                             MYSQL_RES **out, leat_error *error)
{
    leat_bytes sql = {0};
    leat_bytes_text(&sql, select);
    leat_bytes_text(&sql, " WHERE TABLE_SCHEMA = ");
    leat_mysql_put_text(&sql, database, strlen(database));
    leat_bytes_text(&sql, " AND TABLE_NAME = ");
    leat_mysql_put_text(&sql, name, strlen(name));
    leat_bytes_text(&sql, tail);
    leat_code code = leat_bytes_check(&sql, error);
    if (code == LEAT_OK) code = leat_mysql_query(mysql, (const char *)sql.data, "describe a table", out, error);
    leat_bytes_done(&sql);
    return code;
}

static leat_code read_columns(MYSQL *mysql, leat_arena *arena, leat_mysql_table *out, leat_error *error)
{
    MYSQL_RES *result;
    LEAT_TRY(query_about(mysql,
                         "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, "
                         "NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_SET_NAME, COLUMN_COMMENT, "
                         "COLLATION_NAME "
                         "FROM information_schema.COLUMNS",
                         out->database, out->name, " ORDER BY ORDINAL_POSITION", &result, error));
    out->columns = leat_arena_take(arena, (size_t)(mysql_num_rows(result) + 1) * sizeof *out->columns);
    leat_code code = out->columns ? LEAT_OK : leat_fail_no_memory(error);
    for (MYSQL_ROW row; code == LEAT_OK && (row = mysql_fetch_row(result));) {
        code = read_column(row, arena, &out->columns[out->columns_count++], error);
    }
    mysql_free_result(result);
    if (code == LEAT_OK && out->columns_count == 0) {
        code = leat_fail(error, LEAT_NOT_FOUND, "table %s.%s is not there", out->database, out->name);
    }
    return code;
}

static leat_code read_primary_key(MYSQL *mysql, leat_arena *arena, leat_mysql_table *out, leat_error *error)
{
    MYSQL_RES *result;
    LEAT_TRY(query_about(mysql, "SELECT COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS", out->database,
                         out->name, " AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX", &result, error));
    out->primary_key = leat_arena_take(arena, (size_t)(mysql_num_rows(result) + 1) * sizeof *out->primary_key);
    leat_code code = out->primary_key ? LEAT_OK : leat_fail_no_memory(error);
    for (MYSQL_ROW row; code == LEAT_OK && (row = mysql_fetch_row(result));) {
        int32_t column = leat_mysql_table_find(out, row[0]);
        if (column < 0) continue;
        out->primary_key[out->primary_key_count++] = column;
    }
    mysql_free_result(result);
    return code;
}

leat_code leat_mysql_table_describe(MYSQL *mysql, const char *database, const char *name, leat_arena *arena,
                                    leat_mysql_table *out, leat_error *error)
{
    leat_mysql_table table = {.comment = ""};
    table.database = leat_arena_strdup(arena, database);
    table.name = leat_arena_strdup(arena, name);
    if (!table.database || !table.name) return leat_fail_no_memory(error);
    MYSQL_RES *result;
    LEAT_TRY(
        query_about(mysql, "SELECT TABLE_COMMENT FROM information_schema.TABLES", database, name, "", &result, error));
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row && row[0]) table.comment = leat_arena_strdup(arena, row[0]);
    mysql_free_result(result);
    if (!table.comment) return leat_fail_no_memory(error);
    LEAT_TRY(read_columns(mysql, arena, &table, error));
    LEAT_TRY(read_primary_key(mysql, arena, &table, error));
    *out = table;
    return LEAT_OK;
}

int32_t leat_mysql_table_find(const leat_mysql_table *table, const char *name)
{
    for (int32_t i = 0; i < table->columns_count; i++) {
        if (strcasecmp(table->columns[i].name, name) == 0) return i;
    }
    return -1;
}

/* Compared by what they are stored as. */
bool leat_mysql_table_equal(const leat_mysql_table *left, const leat_mysql_table *right)
{
    leat_bytes a = {0}, b = {0};
    leat_mysql_table_write(left, &a);
    leat_mysql_table_write(right, &b);
    bool is_equal = !a.failed && !b.failed && a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    leat_bytes_done(&a);
    leat_bytes_done(&b);
    return is_equal;
}

/* --- binary form --- */

void leat_mysql_table_write(const leat_mysql_table *table, leat_bytes *out)
{
    leat_bytes_put_text(out, table->database);
    leat_bytes_put_text(out, table->name);
    leat_bytes_put_text(out, table->comment);
    leat_bytes_put_u32(out, (uint32_t)table->columns_count);
    for (int32_t i = 0; i < table->columns_count; i++) {
        const leat_mysql_column *column = &table->columns[i];
        leat_bytes_put_text(out, column->name);
        leat_bytes_put_text(out, column->type_text);
        leat_bytes_put_text(out, column->charset);
        leat_bytes_put_text(out, column->collation);
        leat_bytes_put_text(out, column->comment);
        leat_bytes_put_u8(out, (uint8_t)column->kind);
        leat_bytes_put_u8(out, (uint8_t)(column->is_unsigned | column->is_nullable << 1));
        leat_bytes_put_u32(out, (uint32_t)column->length);
        leat_bytes_put_u32(out, (uint32_t)column->scale);
        leat_bytes_put_u32(out, (uint32_t)column->members_count);
        for (int32_t m = 0; m < column->members_count; m++)
            leat_bytes_put_text(out, column->members[m]);
    }
    leat_bytes_put_u32(out, (uint32_t)table->primary_key_count);
    for (int32_t i = 0; i < table->primary_key_count; i++)
        leat_bytes_put_u32(out, (uint32_t)table->primary_key[i]);
}

static leat_code get_column(leat_reader *reader, leat_arena *arena, leat_mysql_column *out, leat_error *error)
{
    LEAT_TRY(leat_reader_text(reader, arena, &out->name, error));
    LEAT_TRY(leat_reader_text(reader, arena, &out->type_text, error));
    LEAT_TRY(leat_reader_text(reader, arena, &out->charset, error));
    LEAT_TRY(leat_reader_text(reader, arena, &out->collation, error));
    LEAT_TRY(leat_reader_text(reader, arena, &out->comment, error));
    out->kind = (leat_mysql_kind)leat_reader_u8(reader);
    uint8_t flags = leat_reader_u8(reader);
    out->is_unsigned = flags & 1;
    out->is_nullable = (flags & 2) != 0;
    out->length = (int32_t)leat_reader_u32(reader);
    out->scale = (int32_t)leat_reader_u32(reader);
    uint32_t count = leat_reader_u32(reader);
    if (count > LIST_BYTES_MAX || !out->name || !out->type_text) reader->failed = true;
    LEAT_TRY(leat_reader_check(reader, false, "table definition", error));
    out->members = leat_arena_take(arena, (count + 1) * sizeof *out->members);
    if (!out->members) return leat_fail_no_memory(error);
    for (uint32_t m = 0; m < count; m++) {
        LEAT_TRY(leat_reader_text(reader, arena, &out->members[m], error));
        if (!out->members[m]) reader->failed = true;
    }
    out->members_count = (int32_t)count;
    return leat_reader_check(reader, false, "table definition", error);
}

leat_code leat_mysql_table_read(leat_reader *reader, leat_arena *arena, leat_mysql_table *out, leat_error *error)
{
    *out = (leat_mysql_table){0};
    LEAT_TRY(leat_reader_text(reader, arena, &out->database, error));
    LEAT_TRY(leat_reader_text(reader, arena, &out->name, error));
    LEAT_TRY(leat_reader_text(reader, arena, &out->comment, error));
    uint32_t count = leat_reader_u32(reader);
    if (count > LEAT_BINLOG_COLUMNS_MAX || !out->database || !out->name) reader->failed = true;
    LEAT_TRY(leat_reader_check(reader, false, "table definition", error));
    out->columns = leat_arena_take(arena, (count + 1) * sizeof *out->columns);
    if (!out->columns) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < count; i++)
        LEAT_TRY(get_column(reader, arena, &out->columns[i], error));
    out->columns_count = (int32_t)count;
    uint32_t keys = leat_reader_u32(reader);
    if (keys > count) reader->failed = true;
    LEAT_TRY(leat_reader_check(reader, false, "table definition", error));
    out->primary_key = leat_arena_take(arena, (keys + 1) * sizeof *out->primary_key);
    if (!out->primary_key) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < keys; i++) {
        out->primary_key[i] = (int32_t)leat_reader_u32(reader);
        if (out->primary_key[i] < 0 || out->primary_key[i] >= out->columns_count) reader->failed = true;
    }
    out->primary_key_count = (int32_t)keys;
    return leat_reader_check(reader, false, "table definition", error);
}
