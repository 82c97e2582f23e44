#include <iconv.h>
#include <string.h>
#include <strings.h>

#include "common/memory.h"
#include "connectors/mysql/table.h"

/* --- against TABLE_MAP --- */

/* Which type bytes a column of this kind has in the log. */
static bool has_type(leat_mysql_kind kind, uint8_t type)
{
    switch (kind) {
    case LEAT_MYSQL_TINYINT: return type == 1;
    case LEAT_MYSQL_SMALLINT: return type == 2;
    case LEAT_MYSQL_MEDIUMINT: return type == 9;
    case LEAT_MYSQL_INT: return type == 3;
    case LEAT_MYSQL_BIGINT: return type == 8;
    case LEAT_MYSQL_FLOAT: return type == 4;
    case LEAT_MYSQL_DOUBLE: return type == 5;
    case LEAT_MYSQL_DECIMAL: return type == 246;
    case LEAT_MYSQL_YEAR: return type == 13;
    case LEAT_MYSQL_DATE: return type == 10;
    case LEAT_MYSQL_TIME: return type == 19 || type == 11;
    case LEAT_MYSQL_DATETIME: return type == 18 || type == 12;
    case LEAT_MYSQL_TIMESTAMP: return type == 17 || type == 7;
    case LEAT_MYSQL_BIT: return type == 16;
    case LEAT_MYSQL_CHAR:
    case LEAT_MYSQL_BINARY:
    case LEAT_MYSQL_UUID: return type == 254;
    case LEAT_MYSQL_VARCHAR:
    case LEAT_MYSQL_VARBINARY: return type == 15 || type == 253 || type == 141;
    case LEAT_MYSQL_TEXT:
    case LEAT_MYSQL_LONGTEXT:
    case LEAT_MYSQL_BLOB: return type == 252 || type == 140;
    case LEAT_MYSQL_ENUM: return type == 247;
    case LEAT_MYSQL_SET: return type == 248;
    case LEAT_MYSQL_JSON: return type == 245;
    case LEAT_MYSQL_OTHER: return true;
    }
    return false;
}

/* Lengths that the log gives exactly. */
static bool has_meta(const leat_mysql_column *column, const leat_binlog_column *map)
{
    switch (map->type) {
    case 246: return map->meta == (uint16_t)(column->length << 8 | column->scale);
    case 17:
    case 18:
    case 19: return map->meta == column->length;
    case 16: return (map->meta >> 8) * 8 + (map->meta & 255) == column->length;
    default: return true;
    }
}

bool leat_mysql_table_agrees(const leat_mysql_table *table, const leat_binlog_table *map, char *why, size_t why_size)
{
    if (table->columns_count != map->columns_count) {
        snprintf(why, why_size, "its rows have %d columns, its definition %d", map->columns_count,
                 table->columns_count);
        return false;
    }
    leat_reader names;
    leat_reader_init(&names, map->names, map->names_size);
    for (int32_t i = 0; i < table->columns_count; i++) {
        const leat_mysql_column *column = &table->columns[i];
        size_t size = map->names ? (size_t)leat_binlog_lenenc(&names) : 0;
        const char *name = map->names ? (const char *)leat_reader_take(&names, size) : NULL;
        if (name && (strlen(column->name) != size || strncasecmp(name, column->name, size) != 0)) {
            snprintf(why, why_size, "its column %d is now '%.*s', not '%s'", i + 1, (int)size, name, column->name);
            return false;
        }
        if (!has_type(column->kind, map->columns[i].type) || !has_meta(column, &map->columns[i])) {
            snprintf(why, why_size, "its column '%s' is %s by its definition, and not in its rows", column->name,
                     column->type_text);
            return false;
        }
    }
    return true;
}

/* --- against declared types --- */

static bool is_numeric(leat_mysql_kind kind)
{
    return kind <= LEAT_MYSQL_YEAR;
}

static bool is_bytes(leat_mysql_kind kind)
{
    return kind == LEAT_MYSQL_BINARY || kind == LEAT_MYSQL_VARBINARY || kind == LEAT_MYSQL_BLOB;
}

static bool is_text(leat_mysql_kind kind)
{
    return kind == LEAT_MYSQL_CHAR || kind == LEAT_MYSQL_VARCHAR || kind == LEAT_MYSQL_TEXT ||
           kind == LEAT_MYSQL_LONGTEXT;
}

static bool fits(const leat_mysql_column *column, const leat_type *type)
{
    leat_mysql_kind kind = column->kind;
    switch (type->kind) {
    case LEAT_TYPE_BOOLEAN: return kind <= LEAT_MYSQL_BIGINT || (kind == LEAT_MYSQL_BIT && column->length <= 64);
    case LEAT_TYPE_TINYINT:
    case LEAT_TYPE_SMALLINT:
    case LEAT_TYPE_INT:
    case LEAT_TYPE_BIGINT: return is_numeric(kind) && kind != LEAT_MYSQL_FLOAT && kind != LEAT_MYSQL_DOUBLE;
    case LEAT_TYPE_FLOAT:
    case LEAT_TYPE_DOUBLE:
    case LEAT_TYPE_DECIMAL: return is_numeric(kind);
    case LEAT_TYPE_CHAR:
    case LEAT_TYPE_VARCHAR: return !is_bytes(kind);
    case LEAT_TYPE_BINARY:
    case LEAT_TYPE_VARBINARY: return is_bytes(kind) || is_text(kind) || kind == LEAT_MYSQL_BIT;
    case LEAT_TYPE_DATE: return kind == LEAT_MYSQL_DATE || kind == LEAT_MYSQL_DATETIME;
    case LEAT_TYPE_TIME: return kind == LEAT_MYSQL_TIME;
    case LEAT_TYPE_TIMESTAMP:
    case LEAT_TYPE_TIMESTAMP_LTZ:
        return kind == LEAT_MYSQL_DATETIME || kind == LEAT_MYSQL_TIMESTAMP || kind == LEAT_MYSQL_DATE;
    default: return false;
    }
}

bool leat_mysql_column_fits(const leat_mysql_column *column, const leat_type *type, char *why, size_t why_size)
{
    if (column->kind == LEAT_MYSQL_OTHER) {
        snprintf(why, why_size, "MySQL type '%.64s' is not there yet", column->type_text);
        return false;
    }
    if (fits(column, type) && leat_type_has_column(type)) return true;
    leat_bytes name = {0};
    leat_type_print(type, true, &name);
    snprintf(why, why_size, "MySQL's %.64s can't become %.64s", column->type_text,
             name.data ? (const char *)name.data : "");
    leat_bytes_done(&name);
    return false;
}

/* --- raw cells --- */

/* A character that iconv's charset has in another character's place. */
typedef struct charset_swap {
    const char *theirs, *ours;
} charset_swap;

static const charset_swap japanese[] = {
    {"\xef\xbc\xbc", "\\"},           {"\xef\xbd\x9e", "\xe3\x80\x9c"},
    {"\xe2\x88\xa5", "\xe2\x80\x96"}, {"\xef\xbc\x8d", "\xe2\x88\x92"},
    {"\xef\xbf\xa0", "\xc2\xa2"},     {"\xef\xbf\xa1", "\xc2\xa3"},
    {"\xef\xbf\xa2", "\xc2\xac"},     {NULL, NULL},
};
static const charset_swap greek[] = {{"\xe2\x80\x98", "\xca\xbd"}, {"\xe2\x80\x99", "\xca\xbc"}, {NULL, NULL}};
static const charset_swap hebrew[] = {{"\xc2\xaf", "\xe2\x80\xbe"}, {NULL, NULL}};
static const charset_swap cp866[] = {{"\xe2\x84\x96", "\xe2\x81\xbf"}, {"\xc2\xa4", "\xc2\xb2"}, {NULL, NULL}};
static const charset_swap koi8u[] = {{"\xe2\x88\x99", "\xe2\x80\xa2"}, {NULL, NULL}};
static const charset_swap macroman[] = {{"\xce\x94", "\xe2\x88\x86"}, {"\xee\x80\x9e", "\xef\xa3\xbf"}, {NULL, NULL}};

typedef struct charset_name {
    const char *mysql, *iconv;
    const charset_swap *swaps; /* NULL: none */
} charset_name;

/* MySQL's names → iconv's, such that both mean the same by each byte (compared with MariaDB 10.11, code by code). What
 * is left: 267 rare characters of big5. */
static const charset_name charsets[] = {
    {"latin1", "CP1252", NULL},      {"latin2", "ISO-8859-2", NULL}, {"latin5", "ISO-8859-9", NULL},
    {"latin7", "ISO-8859-13", NULL}, {"greek", "ISO-8859-7", greek}, {"hebrew", "ISO-8859-8", hebrew},
    {"cp1250", "CP1250", NULL},      {"cp1251", "CP1251", NULL},     {"cp1256", "CP1256", NULL},
    {"cp1257", "CP1257", NULL},      {"cp850", "CP850", NULL},       {"cp852", "CP852", NULL},
    {"cp866", "CP866", cp866},       {"koi8r", "KOI8-R", NULL},      {"koi8u", "KOI8-U", koi8u},
    {"gbk", "CP936", NULL},          {"gb2312", "GB2312", NULL},     {"gb18030", "GB18030", NULL},
    {"big5", "BIG5", NULL},          {"sjis", "CP932", japanese},    {"cp932", "CP932", NULL},
    {"ujis", "EUC-JP-MS", japanese}, {"eucjpms", "EUC-JP-MS", NULL}, {"euckr", "CP949", NULL},
    {"ucs2", "UCS-2BE", NULL},       {"utf16", "UTF-16BE", NULL},    {"utf16le", "UTF-16LE", NULL},
    {"utf32", "UTF-32BE", NULL},     {"tis620", "TIS-620", NULL},    {"macroman", "MACINTOSH", macroman},
};

static bool is_utf8(const char *charset)
{
    return !charset || strncasecmp(charset, "utf8", 4) == 0 || strcasecmp(charset, "ascii") == 0 ||
           strcasecmp(charset, "binary") == 0;
}

static bool is_ascii(const uint8_t *data, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= data[i];
    return any < 0x80;
}

/* Bytes that a charset does not have: in the range of control characters they are those, else U+FFFD. */
static size_t put_unknown(uint8_t byte, char *out)
{
    bool is_control = byte >= 0x80 && byte < 0xa0;
    memcpy(out, is_control ? "\xc2" : "\xef\xbf\xbd", is_control ? 1 : 3);
    if (is_control) out[1] = (char)byte;
    return is_control ? 2 : 3;
}

/* A byte or two of any of these charsets become at most three of UTF-8; a swap may make two of them three. */
static size_t room_for(size_t size)
{
    return size * 3 + 4;
}

static leat_code convert(const char *from, leat_mysql_cell *cell, leat_bytes *scratch, leat_error *error)
{
    iconv_t converter = iconv_open("UTF-8", from);
    if (converter == (iconv_t)-1) {
        return leat_fail(error, LEAT_UNSUPPORTED, "text in charset '%s' can't be converted here", from);
    }
    size_t start = scratch->size, room = room_for(cell->size);
    uint8_t *to = leat_bytes_extend(scratch, room);
    if (!to) {
        iconv_close(converter);
        return leat_bytes_check(scratch, error);
    }
    char *in = (char *)(uintptr_t)cell->data, *out = (char *)to;
    size_t in_left = cell->size, out_left = room;
    while (in_left && iconv(converter, &in, &in_left, &out, &out_left) == (size_t)-1 && in_left && out_left >= 3) {
        size_t put = put_unknown((uint8_t)*in, out);
        out += put, out_left -= put;
        in++, in_left--;
    }
    iconv_close(converter);
    scratch->size = start + room - out_left;
    cell->data = scratch->data + start;
    cell->size = room - out_left;
    return LEAT_OK;
}

/* `bytes`: of the text before it was converted. */
static leat_code swap_characters(const charset_swap *swaps, size_t bytes, leat_mysql_cell *cell, leat_bytes *scratch,
                                 leat_error *error)
{
    size_t start = scratch->size, from = (size_t)(cell->data - scratch->data), used = 0;
    uint8_t *to = leat_bytes_extend(scratch, room_for(bytes));
    if (!to) return leat_bytes_check(scratch, error);
    const uint8_t *at = scratch->data + from, *end = at + cell->size;
    while (at < end) {
        const charset_swap *swap = swaps;
        while (swap->theirs &&
               ((size_t)(end - at) < strlen(swap->theirs) || memcmp(at, swap->theirs, strlen(swap->theirs)) != 0))
            swap++;
        size_t size = swap->theirs ? strlen(swap->ours) : 1;
        memcpy(to + used, swap->theirs ? (const uint8_t *)swap->ours : at, size);
        used += size;
        at += swap->theirs ? strlen(swap->theirs) : 1;
    }
    scratch->size = start + used;
    cell->data = to;
    cell->size = used;
    return LEAT_OK;
}

static leat_code refine_text(const leat_mysql_column *column, leat_mysql_cell *cell, leat_bytes *scratch,
                             leat_error *error)
{
    if (is_utf8(column->charset)) return LEAT_OK;
    bool is_wide = strncasecmp(column->charset, "utf", 3) == 0 || strcasecmp(column->charset, "ucs2") == 0;
    if (!is_wide && is_ascii(cell->data, cell->size)) return LEAT_OK;
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
        if (strcasecmp(charsets[i].mysql, column->charset) != 0) continue;
        size_t bytes = cell->size;
        LEAT_TRY(convert(charsets[i].iconv, cell, scratch, error));
        return charsets[i].swaps ? swap_characters(charsets[i].swaps, bytes, cell, scratch, error) : LEAT_OK;
    }
    return leat_fail(error, LEAT_UNSUPPORTED, "charset '%s' is not known", column->charset);
}

static void put_set(const leat_mysql_column *column, uint64_t mask, leat_bytes *scratch)
{
    bool is_first = true;
    for (int32_t i = 0; i < column->members_count && i < 64; i++) {
        if (!(mask >> i & 1)) continue;
        if (!is_first) leat_bytes_put_u8(scratch, ',');
        is_first = false;
        leat_bytes_put(scratch, column->members[i], strlen(column->members[i]));
    }
}

static leat_code refine_members(const leat_mysql_column *column, leat_mysql_cell *cell, leat_bytes *scratch,
                                leat_error *error)
{
    uint64_t number = (uint64_t)cell->number;
    *cell = (leat_mysql_cell){.kind = LEAT_CELL_BYTES, .data = (const uint8_t *)""};
    if (column->kind == LEAT_MYSQL_SET) {
        size_t start = scratch->size;
        put_set(column, number, scratch);
        LEAT_TRY(leat_bytes_check(scratch, error));
        if (scratch->size > start) cell->data = scratch->data + start;
        cell->size = scratch->size - start;
        return LEAT_OK;
    }
    if (number > (uint64_t)column->members_count) {
        return leat_fail(error, LEAT_CORRUPT, "ENUM has no member %llu", (unsigned long long)number);
    }
    if (number == 0) return LEAT_OK; /* '', the error value */
    cell->data = (const uint8_t *)column->members[number - 1];
    cell->size = strlen(column->members[number - 1]);
    return LEAT_OK;
}

/* What the log left out at the end of BINARY(n). */
static leat_code pad(size_t length, leat_mysql_cell *cell, leat_bytes *scratch, leat_error *error)
{
    if (cell->size >= length) return LEAT_OK;
    size_t start = scratch->size;
    uint8_t *to = leat_bytes_extend(scratch, length);
    if (!to) return leat_bytes_check(scratch, error);
    memset(to, 0, length);
    if (cell->size) memcpy(to, cell->data, cell->size);
    cell->data = scratch->data + start;
    cell->size = length;
    return LEAT_OK;
}

static leat_code refine_uuid(leat_mysql_cell *cell, leat_bytes *scratch, leat_error *error)
{
    uint8_t id[16] = {0};
    if (cell->size > sizeof id) return leat_fail(error, LEAT_CORRUPT, "UUID of %zu bytes", cell->size);
    if (cell->size) memcpy(id, cell->data, cell->size);
    size_t start = scratch->size;
    for (int i = 0; i < 16; i++) {
        bool has_dash = i == 4 || i == 6 || i == 8 || i == 10;
        leat_bytes_format(scratch, has_dash ? "-%02x" : "%02x", id[i]);
    }
    LEAT_TRY(leat_bytes_check(scratch, error));
    *cell = (leat_mysql_cell){.kind = LEAT_CELL_BYTES, .data = scratch->data + start, .size = 36};
    return LEAT_OK;
}

leat_code leat_mysql_refine(const leat_mysql_column *column, leat_mysql_cell *cell, leat_bytes *scratch,
                            leat_error *error)
{
    if (cell->kind == LEAT_CELL_NULL) return LEAT_OK;
    switch (column->kind) {
    case LEAT_MYSQL_ENUM:
    case LEAT_MYSQL_SET: return refine_members(column, cell, scratch, error);
    case LEAT_MYSQL_CHAR:
    case LEAT_MYSQL_VARCHAR:
    case LEAT_MYSQL_TEXT:
    case LEAT_MYSQL_LONGTEXT: return refine_text(column, cell, scratch, error);
    case LEAT_MYSQL_BINARY: return pad((size_t)column->length, cell, scratch, error);
    case LEAT_MYSQL_UUID: return refine_uuid(cell, scratch, error);
    default: return LEAT_OK;
    }
}
