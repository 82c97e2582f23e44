/* What a QUERY event of the binlog does, as far as a reader must know: which statement it is, and which tables it
 * names. Not an SQL parser: comments, quotes and names are understood, clauses are not. */
#pragma once

#include "connectors/mysql/binlog/event.h"

typedef enum leat_ddl_kind {
    LEAT_DDL_OTHER, /* users, indexes, views, comments, …: nothing that changes a table's rows or columns */
    LEAT_DDL_BEGIN,
    LEAT_DDL_COMMIT,    /* and ROLLBACK: the end of a group whose changes happened */
    LEAT_DDL_SAVEPOINT, /* and ROLLBACK TO: inside a group */
    LEAT_DDL_XA,
    LEAT_DDL_ALTER,
    LEAT_DDL_CREATE,
    LEAT_DDL_DROP,
    LEAT_DDL_TRUNCATE,
    LEAT_DDL_RENAME, /* RENAME TABLE, and ALTER TABLE … RENAME TO: names has the old and the new */
    LEAT_DDL_DML,    /* logged as a statement */
} leat_ddl_kind;

enum { LEAT_DDL_NAMES_MAX = 32, LEAT_DDL_NAME_BYTES = 256 };

typedef struct leat_ddl_name {
    char database[LEAT_DDL_NAME_BYTES], table[LEAT_DDL_NAME_BYTES];
} leat_ddl_name;

typedef struct leat_ddl {
    leat_ddl_kind kind;
    leat_ddl_name names[LEAT_DDL_NAMES_MAX]; /* of DML: none, see leat_ddl_mentions */
    int names_count;
} leat_ddl;

void leat_ddl_read(const leat_binlog_query *query, leat_ddl *out);
/* Whether a word or quoted name of the text is `name`. */
bool leat_ddl_mentions(const leat_binlog_query *query, const char *name);
