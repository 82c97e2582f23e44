/* A value of a text-protocol result as a cell, by what the result says about its column. The session must be one of
 * leat_mysql_connect's (utf8mb4, UTC). `data` is borrowed by the cell; NULL is NULL. */
#pragma once

#include "connectors/mysql/value.h"

typedef struct st_mysql_field MYSQL_FIELD;

LEAT_CHECKED leat_code leat_mysql_result_cell(const MYSQL_FIELD *field, const char *data, size_t size,
                                              leat_mysql_cell *out, leat_error *error);
