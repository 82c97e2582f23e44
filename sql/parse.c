#include "sql/parse.h"

#include <string.h>

#include "common/memory.h"
#include "sql/parser.h"

int leat_sql_yylex_init_extra(leat_parse *parse, void **scanner);
int leat_sql_yylex_destroy(void *scanner);

enum { KEYWORD_LENGTH_MAX = 40 };

typedef struct keyword {
    const char *text;
    int token;
    bool is_reserved;
} keyword;

static const keyword keywords[] = {
#define LEAT_KEYWORD(text, token, is_reserved) {text, token, is_reserved},
#include "sql/keywords.inc"
#undef LEAT_KEYWORD
};

int leat_keyword_find(const char *word, int32_t length, bool *is_reserved)
{
    char upper[KEYWORD_LENGTH_MAX];
    *is_reserved = false;
    if (length <= 0 || length >= KEYWORD_LENGTH_MAX) return -1;
    for (int32_t i = 0; i < length; i++)
        upper[i] = word[i] >= 'a' && word[i] <= 'z' ? (char)(word[i] - 'a' + 'A') : word[i];
    upper[length] = 0;
    size_t low = 0, high = sizeof keywords / sizeof *keywords;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(upper, keywords[middle].text);
        if (order == 0) {
            *is_reserved = keywords[middle].is_reserved;
            return keywords[middle].token;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

leat_code leat_parse_statement(leat_parse *parse, leat_error *error)
{
    leat_error mine = {0};
    void *scanner;
    parse->error = error ? error : &mine;
    parse->code = LEAT_OK;
    parse->statement = NULL;
    parse->read_at = parse->end = parse->at;
    parse->in_hint = false;
    parse->is_first = true;
    if (leat_sql_yylex_init_extra(parse, &scanner) != 0) return leat_fail_no_memory(error);
    jmp_buf stop;
    volatile int failed = 1; /* the parser's own stacks are lost when the lexer stops: seldom, and small */
    parse->stop = &stop;
    if (setjmp(stop) == 0)
        failed = leat_sql_yyparse(parse, scanner);
    else
        parse->code = leat_fail_no_memory(parse->error);
    parse->stop = NULL;
    leat_sql_yylex_destroy(scanner);
    if (parse->code != LEAT_OK) return parse->code;
    return failed ? leat_fail(error, LEAT_INVALID, "The statement is not understood") : LEAT_OK;
}

/* Parses `text` behind "SELECT " or as it is; places in errors are not given: the text is not the user's script. */
static leat_code parse_alone(leat_arena *arena, const char *prefix, const char *text, leat_ast_query **out,
                             leat_error *error)
{
    char *whole = leat_arena_format(arena, "%s%s", prefix, text);
    if (!whole) return leat_fail_no_memory(error);
    leat_parse parse = {.arena = arena, .text = whole, .size = (int32_t)strlen(whole)};
    leat_code code = leat_parse_statement(&parse, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "%s", text);
    if (!parse.statement || parse.statement->kind != LEAT_AST_QUERY || parse.end != parse.size)
        return leat_fail(error, LEAT_INVALID, "%s: one expression or query is expected", text);
    *out = parse.statement->query;
    return LEAT_OK;
}

leat_code leat_parse_expr(leat_arena *arena, const char *text, leat_ast_expr **out, leat_error *error)
{
    leat_ast_query *query;
    LEAT_TRY(parse_alone(arena, "SELECT ", text, &query, error));
    if (query->kind != LEAT_AST_QUERY_SELECT || query->items.count != 1 || query->from)
        return leat_fail(error, LEAT_INVALID, "%s: one expression is expected", text);
    *out = ((leat_ast_item *)query->items.items[0])->expr;
    return LEAT_OK;
}

leat_code leat_parse_query(leat_arena *arena, const char *text, leat_ast_query **out, leat_error *error)
{
    return parse_alone(arena, "", text, out, error);
}
