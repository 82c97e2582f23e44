/* The syntax tree: what the grammar (parser.y) makes of one statement, before names mean anything. Everything lives in
 * the statement's arena. Laid out for the whole dialect; what later stages do not do yet they refuse by name, at its
 * place. */
#pragma once

#include "columnar/type.h"
#include "common/arena.h"

enum { LEAT_SQL_DEPTH_MAX = 100, LEAT_SQL_NAME_PARTS_MAX = 4 };

/* Bytes of the script, end exclusive. */
typedef struct leat_sql_range {
    int32_t start, end;
} leat_sql_range;

/* Grows in the arena; items are pointers. */
typedef struct leat_ast_list {
    void **items;
    int32_t count, capacity;
} leat_ast_list;

/* a, a.b, a.b.c; `*` alone or last is is_star. */
typedef struct leat_ast_name {
    leat_sql_range place;
    const char *parts[LEAT_SQL_NAME_PARTS_MAX];
    leat_sql_range places[LEAT_SQL_NAME_PARTS_MAX];
    int32_t count;
} leat_ast_name;

typedef enum leat_ast_expr_kind {
    LEAT_AST_NULL,
    LEAT_AST_BOOLEAN,
    LEAT_AST_NUMBER, /* text: digits as written; with a dot: DECIMAL; with an exponent: DOUBLE */
    LEAT_AST_STRING,
    LEAT_AST_BYTES, /* X'…' */
    LEAT_AST_DATE,  /* DATE '…' */
    LEAT_AST_TIME,
    LEAT_AST_TIMESTAMP,
    LEAT_AST_INTERVAL, /* text, unit_from, unit_to, is_negative */
    LEAT_AST_COLUMN,   /* name */
    LEAT_AST_STAR,     /* name (may be empty): t.* */
    LEAT_AST_CALL,     /* function, arguments, is_distinct, filter, over */
    LEAT_AST_CAST,     /* arguments[0], type; is_try */
    LEAT_AST_CASE,     /* arguments: [operand], when, then, …, else or NULL item */
    LEAT_AST_AND,      /* arguments, flat */
    LEAT_AST_OR,
    LEAT_AST_BETWEEN,     /* value, low, high; is_negated, is_symmetric */
    LEAT_AST_IN,          /* value, items…; is_negated; or query */
    LEAT_AST_LIKE,        /* value, pattern, [escape]; function: LIKE, SIMILAR TO; is_negated */
    LEAT_AST_EXISTS,      /* query */
    LEAT_AST_SUBQUERY,    /* query */
    LEAT_AST_ROW,         /* arguments */
    LEAT_AST_SYMBOL,      /* a word as an argument: the unit of FLOOR(x TO DAY), BOTH of TRIM */
    LEAT_AST_DEFAULT,     /* DEFAULT in VALUES */
    LEAT_AST_UNSUPPORTED, /* understood by the grammar only: `function` names it */
} leat_ast_expr_kind;

typedef struct leat_ast_query leat_ast_query;
typedef struct leat_ast_type leat_ast_type;
typedef struct leat_ast_expr leat_ast_expr;
struct leat_ast_expr {
    leat_ast_expr_kind kind;
    leat_sql_range place;
    int32_t depth;
    const char *text; /* literals, SYMBOL; length in text_length (may hold NULs) */
    int32_t text_length;
    const char *function;            /* CALL: as written; operators by their sign */
    const char *unit_from, *unit_to; /* INTERVAL */
    int32_t unit_precision;
    leat_ast_name *name;
    leat_ast_list arguments;
    leat_ast_type *type;
    leat_ast_query *query;
    leat_ast_expr *filter; /* aggregate FILTER (WHERE …) */
    bool is_true, is_negated, is_try, is_distinct, is_symmetric, is_star, has_operand, has_over, is_operator;
};

/* A type in DDL and CAST. */
struct leat_ast_type {
    leat_sql_range place;
    leat_type type;
};

typedef struct leat_ast_pair {
    leat_sql_range place, value_place;
    const char *key, *value;
    leat_ast_expr *expr; /* PARTITION (k = expr) */
} leat_ast_pair;

typedef struct leat_ast_hint {
    leat_sql_range place;
    const char *name;      /* upper case */
    leat_ast_list options; /* of leat_ast_pair; a bare word or string: key NULL */
} leat_ast_hint;

typedef enum leat_ast_source_kind {
    LEAT_AST_SOURCE_TABLE,
    LEAT_AST_SOURCE_QUERY,
    LEAT_AST_SOURCE_JOIN,
    LEAT_AST_SOURCE_UNSUPPORTED, /* `what`: UNNEST, TABLE(…), LATERAL, MATCH_RECOGNIZE, … */
} leat_ast_source_kind;

typedef enum leat_ast_join_kind {
    LEAT_AST_JOIN_INNER,
    LEAT_AST_JOIN_LEFT,
    LEAT_AST_JOIN_RIGHT,
    LEAT_AST_JOIN_FULL,
    LEAT_AST_JOIN_CROSS,
} leat_ast_join_kind;

/* What FROM names. */
typedef struct leat_ast_source leat_ast_source;
struct leat_ast_source {
    leat_ast_source_kind kind;
    leat_sql_range place;
    int32_t depth;
    leat_ast_name *name;
    leat_ast_list hints;
    leat_ast_expr *system_time; /* FOR SYSTEM_TIME AS OF … */
    leat_ast_query *query;
    const char *alias;
    leat_sql_range alias_place;
    leat_ast_list column_aliases; /* of char */
    leat_ast_join_kind join;
    leat_ast_source *left, *right;
    leat_ast_expr *on;
    leat_ast_list using_columns; /* of leat_ast_name */
    bool is_natural;
    const char *what;
};

typedef struct leat_ast_item {
    leat_sql_range place;
    leat_ast_expr *expr;
    const char *alias;
} leat_ast_item;

typedef struct leat_ast_order {
    leat_ast_expr *expr;
    bool is_descending, has_nulls, nulls_first;
} leat_ast_order;

typedef struct leat_ast_with {
    leat_sql_range place;
    const char *name;
    leat_ast_list column_aliases;
    leat_ast_query *query;
} leat_ast_with;

typedef enum leat_ast_query_kind {
    LEAT_AST_QUERY_SELECT,
    LEAT_AST_QUERY_VALUES, /* rows: of leat_ast_expr of kind ROW */
    LEAT_AST_QUERY_SET,    /* left, right: UNION, EXCEPT, INTERSECT */
} leat_ast_query_kind;

struct leat_ast_query {
    leat_ast_query_kind kind;
    leat_sql_range place;
    int32_t depth;
    leat_ast_list with; /* of leat_ast_with */
    /* SELECT */
    leat_ast_list hints, items, group_by;
    leat_ast_source *from;
    leat_ast_expr *where, *having;
    bool is_distinct, has_group_by;
    const char *unsupported; /* WINDOW, QUALIFY, GROUPING SETS, … */
    leat_sql_range unsupported_place;
    /* VALUES */
    leat_ast_list rows;
    /* SET */
    const char *set_operator; /* "UNION", "EXCEPT", "INTERSECT" */
    bool is_all;
    leat_ast_query *left, *right;
    /* of all */
    leat_ast_list order_by;
    leat_ast_expr *limit, *offset;
};

typedef enum leat_ast_column_kind {
    LEAT_AST_COLUMN_PHYSICAL,
    LEAT_AST_COLUMN_COMPUTED,
    LEAT_AST_COLUMN_METADATA,
} leat_ast_column_kind;

typedef struct leat_ast_column {
    leat_ast_column_kind kind;
    leat_sql_range place;
    const char *name;
    leat_ast_type *type;
    leat_ast_expr *expr; /* COMPUTED */
    leat_sql_range expr_place;
    const char *metadata_key;
    bool is_virtual, is_key;
    const char *comment;
} leat_ast_column;

typedef struct leat_ast_key {
    leat_sql_range place;
    leat_ast_list columns; /* of leat_ast_name */
    bool is_unique, is_enforced;
} leat_ast_key;

typedef struct leat_ast_like_option {
    leat_sql_range place;
    bool is_including, is_overwriting;
    const char *feature; /* ALL, CONSTRAINTS, GENERATED, METADATA, OPTIONS, PARTITIONS, WATERMARKS, DISTRIBUTION */
} leat_ast_like_option;

typedef struct leat_ast_watermark {
    leat_sql_range place;
    leat_ast_name *column;
    leat_ast_expr *expr;
} leat_ast_watermark;

typedef enum leat_ast_kind {
    LEAT_AST_CREATE_CATALOG,
    LEAT_AST_CREATE_DATABASE,
    LEAT_AST_CREATE_TABLE,
    LEAT_AST_CREATE_VIEW,
    LEAT_AST_DROP, /* what: CATALOG, DATABASE, TABLE, VIEW */
    LEAT_AST_USE,  /* what: CATALOG, DATABASE */
    LEAT_AST_SHOW, /* what: CATALOGS, DATABASES, TABLES, VIEWS, CURRENT CATALOG, CURRENT DATABASE, CREATE TABLE, COLUMNS
                    */
    LEAT_AST_DESCRIBE, /* what: TABLE, CATALOG, DATABASE */
    LEAT_AST_SET,
    LEAT_AST_RESET,
    LEAT_AST_INSERT,
    LEAT_AST_QUERY,
    LEAT_AST_EXPLAIN,
    LEAT_AST_STATEMENT_SET, /* statements: INSERTs */
    LEAT_AST_EMPTY,
    LEAT_AST_UNSUPPORTED_STATEMENT, /* what */
} leat_ast_kind;

typedef struct leat_ast_statement leat_ast_statement;
struct leat_ast_statement {
    leat_ast_kind kind;
    leat_sql_range place;
    const char *what;
    leat_ast_name *name;
    leat_sql_range name_place;
    bool if_not_exists, if_exists, is_temporary, is_cascade, is_extended, is_or_replace, is_negated;
    /* CREATE TABLE */
    leat_ast_list columns, keys, watermarks, partitioned_by, options, like_options; /* options: of leat_ast_pair */
    leat_ast_name *like;
    const char *comment;
    const char *unsupported; /* DISTRIBUTED BY, … */
    leat_sql_range unsupported_place;
    /* CREATE VIEW, INSERT, QUERY, CTAS */
    leat_ast_query *query;
    leat_sql_range query_place;
    leat_ast_list column_names; /* of leat_ast_name: INSERT INTO t (a, b); CREATE VIEW v (a, b) */
    leat_ast_list partition;    /* of leat_ast_pair */
    leat_ast_list hints;
    bool is_overwrite;
    /* SET, RESET; SHOW … LIKE */
    const char *key, *value;
    leat_sql_range value_place;
    /* EXPLAIN, STATEMENT SET */
    leat_ast_list statements;
    leat_ast_list details; /* of char: CHANGELOG_MODE, ESTIMATED_COST, JSON_EXECUTION_PLAN, PLAN_ADVICE */
};
