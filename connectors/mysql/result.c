#include "connectors/mysql/result.h"

#include <mysql.h>
#include <stdlib.h>

static leat_code real(const char *data, leat_mysql_cell *out, leat_error *error)
{
    char *end;
    double value = strtod(data, &end); /* rows of libmariadb end with a NUL */
    if (end == data || *end) return leat_fail(error, LEAT_INVALID, "'%.64s' is not a number", data);
    *out = (leat_mysql_cell){.kind = LEAT_CELL_DOUBLE, .real = value};
    return LEAT_OK;
}

leat_code leat_mysql_result_cell(const MYSQL_FIELD *field, const char *data, size_t size, leat_mysql_cell *out,
                                 leat_error *error)
{
    if (!data) {
        *out = (leat_mysql_cell){.kind = LEAT_CELL_NULL};
        return LEAT_OK;
    }
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: return leat_mysql_parse_number(data, size, out, error);
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE: return real(data, out, error);
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE: return leat_mysql_parse_date(data, size, out, error);
    case MYSQL_TYPE_TIME: return leat_mysql_parse_time(data, size, out, error);
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_DATETIME: return leat_mysql_parse_datetime(data, size, out, error);
    case MYSQL_TYPE_BIT:
        *out = (leat_mysql_cell){.kind = LEAT_CELL_BITS, .data = (const uint8_t *)data, .size = size};
        return LEAT_OK;
    default:
        *out = (leat_mysql_cell){.kind = LEAT_CELL_BYTES, .data = (const uint8_t *)data, .size = size};
        return LEAT_OK;
    }
}
