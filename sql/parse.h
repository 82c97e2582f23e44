/* The parser's inside: what lexer.l, parser.y and ast.c share; and its one entrance.
 *
 * One call reads one statement from `offset` on and stops behind its ';', so that a script is split by the grammar
 * itself: a ';' within quotes, comments or BEGIN STATEMENT SET … END ends nothing. */
#pragma once

#include <setjmp.h>

#include "common/error.h"
#include "sql/ast.h"

typedef struct leat_parse {
    leat_arena *arena;
    const char *text; /* of the whole script, variables replaced */
    int32_t size;
    int32_t at;                    /* the lexer's place: end of the newest token */
    int32_t read_at;               /* what the lexer's buffer has read */
    int32_t end;                   /* behind the statement's ';' */
    leat_ast_statement *statement; /* NULL at the end of the text */
    leat_ast_statement *table;     /* the CREATE TABLE whose elements are being read */
    leat_code code;
    leat_error *error;
    leat_sql_range error_place;
    jmp_buf *stop; /* where the lexer goes without memory */
    bool in_hint, is_first;
} leat_parse;

/* Parses the statement that begins at `parse->at`. On failure `error` has text and hint but no place: that is
 * error_place. */
LEAT_CHECKED leat_code leat_parse_statement(leat_parse *parse, leat_error *error);

/* An expression by itself, whole text: computed columns that catalogs keep as text. */
LEAT_CHECKED leat_code leat_parse_expr(leat_arena *arena, const char *text, leat_ast_expr **out, leat_error *error);
/* A query by itself: views. */
LEAT_CHECKED leat_code leat_parse_query(leat_arena *arena, const char *text, leat_ast_query **out, leat_error *error);

/* Keyword table: the token of a word, or -1; *is_reserved says whether it needs quotes. */
int leat_keyword_find(const char *word, int32_t length, bool *is_reserved);

/* Refuses at a place; the first refusal counts. Returns the code. */
leat_code leat_parse_fail(leat_parse *parse, leat_sql_range place, leat_code code, const char *format, ...)
    LEAT_PRINTF(4, 5);

/* Makers of nodes; NULL: no memory (or too deep: then leat_parse_fail was called). */
bool leat_ast_add(leat_parse *parse, leat_ast_list *list, const void *item);
leat_ast_expr *leat_ast_expr_new(leat_parse *parse, leat_ast_expr_kind kind, leat_sql_range place);
leat_ast_expr *leat_ast_call_new(leat_parse *parse, const char *function, leat_sql_range place, leat_ast_expr *first,
                                 leat_ast_expr *second);
/* AND and OR of more than two are one flat node. */
leat_ast_expr *leat_ast_logic_new(leat_parse *parse, leat_ast_expr_kind kind, leat_sql_range place, leat_ast_expr *left,
                                  leat_ast_expr *right);
/* Takes the depth of the children; false when it is too deep. */
bool leat_ast_expr_close(leat_parse *parse, leat_ast_expr *expr);
bool leat_ast_query_close(leat_parse *parse, leat_ast_query *query);
leat_ast_name *leat_ast_name_new(leat_parse *parse, const char *part, leat_sql_range place);
bool leat_ast_name_add(leat_parse *parse, leat_ast_name *name, const char *part, leat_sql_range place);
leat_ast_type *leat_ast_type_new(leat_parse *parse, leat_type_kind kind, leat_sql_range place);
/* Checks the number against the type's bounds. */
bool leat_ast_type_length(leat_parse *parse, leat_ast_type *type, const char *text, leat_sql_range place);
bool leat_ast_type_scale(leat_parse *parse, leat_ast_type *type, const char *text, leat_sql_range place);
