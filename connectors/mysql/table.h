/* Tables of MySQL and MariaDB as their servers describe them: what a binlog row means can only be told with this, since
 * its TABLE_MAP may say neither names nor signs nor charsets. */
#pragma once

#include "columnar/type.h"
#include "connectors/mysql/binlog/event.h"
#include "connectors/mysql/client.h"
#include "connectors/mysql/value.h"

typedef enum leat_mysql_kind {
    LEAT_MYSQL_TINYINT,
    LEAT_MYSQL_SMALLINT,
    LEAT_MYSQL_MEDIUMINT,
    LEAT_MYSQL_INT,
    LEAT_MYSQL_BIGINT,
    LEAT_MYSQL_FLOAT,
    LEAT_MYSQL_DOUBLE,
    LEAT_MYSQL_DECIMAL,
    LEAT_MYSQL_YEAR,
    LEAT_MYSQL_DATE,
    LEAT_MYSQL_TIME,
    LEAT_MYSQL_DATETIME,
    LEAT_MYSQL_TIMESTAMP,
    LEAT_MYSQL_BIT,
    LEAT_MYSQL_CHAR,
    LEAT_MYSQL_VARCHAR,
    LEAT_MYSQL_BINARY,
    LEAT_MYSQL_VARBINARY,
    LEAT_MYSQL_TEXT, /* the whole family */
    LEAT_MYSQL_LONGTEXT,
    LEAT_MYSQL_BLOB, /* the whole family */
    LEAT_MYSQL_ENUM,
    LEAT_MYSQL_SET,
    LEAT_MYSQL_JSON, /* MySQL's binary one; MariaDB's is LONGTEXT */
    LEAT_MYSQL_UUID,
    LEAT_MYSQL_OTHER, /* not understood: type_text names it */
} leat_mysql_kind;

typedef struct leat_mysql_column {
    const char *name, *type_text; /* "int(10) unsigned" */
    leat_mysql_kind kind;
    bool is_unsigned, is_nullable;
    int32_t length; /* CHAR, VARCHAR: characters; BINARY, VARBINARY: bytes; BIT: bits; DECIMAL: precision; temporal:
                       fraction digits; TINYINT: display width (0: none) */
    int32_t scale;  /* of DECIMAL */
    const char *collation; /* of text; NULL: none */
    const char *charset;   /* of text; NULL: none */
    const char **members;  /* of ENUM and SET */
    int32_t members_count;
    const char *comment;
} leat_mysql_column;

typedef struct leat_mysql_table {
    const char *database, *name, *comment;
    leat_mysql_column *columns;
    int32_t columns_count;
    int32_t *primary_key; /* columns, in key order */
    int32_t primary_key_count;
} leat_mysql_table;

/* Tables (not views) whose names match regular expressions as a whole, in order of names: `out` in the arena.
 * LEAT_NOT_FOUND when there is none. Blocks. */
typedef struct leat_mysql_table_name {
    const char *database, *name;
} leat_mysql_table_name;
LEAT_CHECKED leat_code leat_mysql_list_tables(MYSQL *mysql, const char *database_pattern, const char *table_pattern,
                                              leat_arena *arena, leat_mysql_table_name **out, int32_t *count,
                                              leat_error *error);
/* Whether the whole of `text` matches; LEAT_INVALID for a broken expression. */
LEAT_CHECKED leat_code leat_mysql_matches(const char *pattern, const char *text, size_t size, bool *out,
                                          leat_error *error);

/* Blocks. */
LEAT_CHECKED leat_code leat_mysql_table_describe(MYSQL *mysql, const char *database, const char *name,
                                                 leat_arena *arena, leat_mysql_table *out, leat_error *error);

int32_t leat_mysql_table_find(const leat_mysql_table *table, const char *name); /* -1: none; case does not matter */
bool leat_mysql_table_equal(const leat_mysql_table *left, const leat_mysql_table *right);

void leat_mysql_table_write(const leat_mysql_table *table, leat_bytes *out);
LEAT_CHECKED leat_code leat_mysql_table_read(leat_reader *reader, leat_arena *arena, leat_mysql_table *out,
                                             leat_error *error);

/* Whether the TABLE_MAP can be of this table: number of columns, their type bytes, and names if it has them. `why` gets
 * what differs. */
bool leat_mysql_table_agrees(const leat_mysql_table *table, const leat_binlog_table *map, char *why, size_t why_size);

/* Whether the column's values may be declared as this type; `why` says why not. */
bool leat_mysql_column_fits(const leat_mysql_column *column, const leat_type *type, char *why, size_t why_size);

/* Makes of a raw cell of the binlog what a SELECT would give: names for ENUM and SET, UTF-8 for text, padding for
 * BINARY. `scratch` holds what is made, until it is reset. */
LEAT_CHECKED leat_code leat_mysql_refine(const leat_mysql_column *column, leat_mysql_cell *cell, leat_bytes *scratch,
                                         leat_error *error);
