%{
/* The grammar of Flink's dialect. What the grammar understands and later stages do not do is kept in the tree by name
 * (`unsupported`), so that it is refused with its place instead of as a syntax error. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/memory.h"
#include "sql/parse.h"
#include "sql/parser.h"

#define YYLLOC_DEFAULT(current, rhs, n)                                                                                \
    do {                                                                                                               \
        if (n) {                                                                                                       \
            (current).start = YYRHSLOC(rhs, 1).start;                                                                  \
            (current).end = YYRHSLOC(rhs, n).end;                                                                      \
        } else {                                                                                                       \
            (current).start = (current).end = YYRHSLOC(rhs, 0).end;                                                    \
        }                                                                                                              \
    } while (0)
#define YYMALLOC leat_alloc
#define YYFREE   leat_free
/* A maker answered NULL: it has said why, or there is no memory. */
#define MAKE(what)                                                                                                     \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            if (parse->code == LEAT_OK) parse->code = leat_fail_no_memory(parse->error);                               \
            YYABORT;                                                                                                   \
        }                                                                                                              \
    } while (0)
#define REFUSE(place, ...)                                                                                             \
    do {                                                                                                               \
        (void)leat_parse_fail(parse, place, LEAT_INVALID, __VA_ARGS__);                                                \
        YYABORT;                                                                                                       \
    } while (0)
#define EXPR(to, kind, place) MAKE((to) = leat_ast_expr_new(parse, kind, place))
#define CLOSE(expr)           MAKE(leat_ast_expr_close(parse, expr))
#define ADD(list, item)       MAKE(leat_ast_add(parse, &(list), item))

int leat_sql_yylex(YYSTYPE *value, leat_sql_range *place, void *scanner);
static void leat_sql_yyerror(leat_sql_range *place, leat_parse *parse, void *scanner, const char *message);
static leat_ast_statement *statement_new(leat_parse *parse, leat_ast_kind kind, leat_sql_range place);
static leat_ast_expr *binary(leat_parse *parse, const char *sign, leat_sql_range place, leat_ast_expr *left,
                             leat_ast_expr *right);
static leat_ast_query *query_new(leat_parse *parse, leat_ast_query_kind kind, leat_sql_range place);
static leat_ast_source *source_new(leat_parse *parse, leat_ast_source_kind kind, leat_sql_range place);
static const char *upper(leat_parse *parse, const char *text);
static bool set_nested(leat_parse *parse, leat_ast_type *type, leat_ast_list *children);
%}

%code requires {
#include "sql/parse.h"

/* A word of a list. */
typedef struct leat_ast_order_parts {
    leat_ast_list order_by;
    leat_ast_expr *limit, *offset;
} leat_ast_order_parts;
}

%define api.pure full
%define api.prefix {leat_sql_yy}
%define api.location.type {leat_sql_range}
%define parse.error custom
%define parse.lac full
%define lr.default-reduction consistent
%parse-param {leat_parse *parse} {void *scanner}
%lex-param {void *scanner}
%locations
/* Each a word that is also a name (IF, CATALOG, DATABASE before a name), or TO behind INTERVAL '…' DAY: shifting is right. */
%expect 8

%union {
    const char *text;
    struct { const char *data; int32_t length; } string;
    leat_ast_name *name;
    leat_ast_expr *expr;
    leat_ast_type *type;
    leat_ast_query *query;
    leat_ast_source *source;
    leat_ast_item *item;
    leat_ast_order *order;
    leat_ast_order_parts order_parts;
    leat_ast_statement *statement;
    leat_ast_pair *pair;
    leat_ast_hint *hint;
    leat_ast_column *column;
    leat_ast_key *key;
    leat_ast_with *with;
    leat_ast_list list;
    leat_ast_join_kind join;
    bool flag;
    int number;
}

%token END_OF_TEXT 0 "the end of the text"
%token T_BAD "a valid token"
%token <text> T_IDENTIFIER "a name" T_RESERVED "a reserved word"
%token <string> T_STRING_LITERAL "a string" T_BYTES_LITERAL "a binary literal"
%token <text> T_INTEGER_LITERAL "a whole number" T_DECIMAL_LITERAL "a decimal number" T_DOUBLE_LITERAL "a number with exponent"
%token T_HINT "/*+" T_HINT_END "*/" T_NOT_EQUAL "<>" T_LESS_EQUAL "<=" T_GREATER_EQUAL ">=" T_CONCAT "||" T_ARROW "=>"
%token <text> T_ALL "ALL" T_AND "AND" T_ARRAY "ARRAY" T_AS "AS" T_ASC "ASC" T_BEGIN "BEGIN"
%token <text> T_BETWEEN "BETWEEN" T_BIGINT "BIGINT" T_BINARY "BINARY" T_BOOLEAN "BOOLEAN" T_BOTH "BOTH" T_BY "BY"
%token <text> T_BYTES "BYTES" T_CASCADE "CASCADE" T_CASE "CASE" T_CAST "CAST" T_CATALOG "CATALOG" T_CATALOGS "CATALOGS"
%token <text> T_CEIL "CEIL" T_CEILING "CEILING" T_CHANGELOG_MODE "CHANGELOG_MODE" T_CHAR "CHAR" T_CHARACTER "CHARACTER" T_COLUMNS "COLUMNS"
%token <text> T_COMMENT "COMMENT" T_CONSTRAINT "CONSTRAINT" T_CONSTRAINTS "CONSTRAINTS" T_CREATE "CREATE" T_CROSS "CROSS" T_CUBE "CUBE"
%token <text> T_CURRENT "CURRENT" T_CURRENT_DATE "CURRENT_DATE" T_CURRENT_TIME "CURRENT_TIME" T_CURRENT_TIMESTAMP "CURRENT_TIMESTAMP" T_DATABASE "DATABASE" T_DATABASES "DATABASES"
%token <text> T_DATE "DATE" T_DAY "DAY" T_DEC "DEC" T_DECIMAL "DECIMAL" T_DEFAULT "DEFAULT" T_DESC "DESC"
%token <text> T_DESCRIBE "DESCRIBE" T_DISTINCT "DISTINCT" T_DISTRIBUTED "DISTRIBUTED" T_DISTRIBUTION "DISTRIBUTION" T_DOUBLE "DOUBLE" T_DROP "DROP"
%token <text> T_ELSE "ELSE" T_END "END" T_ENFORCED "ENFORCED" T_ESCAPE "ESCAPE" T_ESTIMATED_COST "ESTIMATED_COST" T_EXCEPT "EXCEPT"
%token <text> T_EXCLUDING "EXCLUDING" T_EXECUTE "EXECUTE" T_EXISTS "EXISTS" T_EXPLAIN "EXPLAIN" T_EXTENDED "EXTENDED" T_EXTRACT "EXTRACT"
%token <text> T_FALSE "FALSE" T_FETCH "FETCH" T_FILTER "FILTER" T_FIRST "FIRST" T_FLOAT "FLOAT" T_FLOOR "FLOOR"
%token <text> T_FOR "FOR" T_FROM "FROM" T_FULL "FULL" T_GENERATED "GENERATED" T_GROUP "GROUP" T_GROUPING "GROUPING"
%token <text> T_HAVING "HAVING" T_HOUR "HOUR" T_IF "IF" T_IN "IN" T_INCLUDING "INCLUDING" T_INNER "INNER"
%token <text> T_INSERT "INSERT" T_INT "INT" T_INTEGER "INTEGER" T_INTERSECT "INTERSECT" T_INTERVAL "INTERVAL" T_INTO "INTO"
%token <text> T_IS "IS" T_JOIN "JOIN" T_JSON_EXECUTION_PLAN "JSON_EXECUTION_PLAN" T_KEY "KEY" T_LAST "LAST" T_LATERAL "LATERAL"
%token <text> T_LEADING "LEADING" T_LEFT "LEFT" T_LIKE "LIKE" T_LIMIT "LIMIT" T_LOCAL "LOCAL" T_LOCALTIME "LOCALTIME"
%token <text> T_LOCALTIMESTAMP "LOCALTIMESTAMP" T_MAP "MAP" T_METADATA "METADATA" T_MATCH_RECOGNIZE "MATCH_RECOGNIZE" T_MINUTE "MINUTE" T_MONTH "MONTH"
%token <text> T_MULTISET "MULTISET" T_NATURAL "NATURAL" T_NEXT "NEXT" T_NOT "NOT" T_NULL "NULL" T_NULLS "NULLS"
%token <text> T_NUMERIC "NUMERIC" T_OF "OF" T_OFFSET "OFFSET" T_ON "ON" T_ONLY "ONLY" T_OPTIONS "OPTIONS"
%token <text> T_OR "OR" T_ORDER "ORDER" T_OUTER "OUTER" T_OVER "OVER" T_OVERLAY "OVERLAY" T_OVERWRITE "OVERWRITE"
%token <text> T_OVERWRITING "OVERWRITING" T_PARTITION "PARTITION" T_PARTITIONED "PARTITIONED" T_PARTITIONS "PARTITIONS" T_PLACING "PLACING" T_PLAN "PLAN"
%token <text> T_PLAN_ADVICE "PLAN_ADVICE" T_POSITION "POSITION" T_PRECISION "PRECISION" T_PRIMARY "PRIMARY" T_RAW "RAW" T_REAL "REAL"
%token <text> T_REPLACE "REPLACE" T_RESET "RESET" T_RESTRICT "RESTRICT" T_RIGHT "RIGHT" T_ROLLUP "ROLLUP" T_ROW "ROW"
%token <text> T_ROWS "ROWS" T_SECOND "SECOND" T_SELECT "SELECT" T_SET "SET" T_SETS "SETS" T_SHOW "SHOW"
%token <text> T_SIMILAR "SIMILAR" T_SMALLINT "SMALLINT" T_STATEMENT "STATEMENT" T_STRING "STRING" T_SUBSTRING "SUBSTRING" T_SYMMETRIC "SYMMETRIC"
%token <text> T_ASYMMETRIC "ASYMMETRIC" T_SYSTEM "SYSTEM" T_SYSTEM_TIME "SYSTEM_TIME" T_TABLE "TABLE" T_TABLES "TABLES" T_TABLESAMPLE "TABLESAMPLE"
%token <text> T_TEMPORARY "TEMPORARY" T_THEN "THEN" T_TIME "TIME" T_TIMESTAMP "TIMESTAMP" T_TIMESTAMP_LTZ "TIMESTAMP_LTZ" T_TINYINT "TINYINT"
%token <text> T_TO "TO" T_TRAILING "TRAILING" T_TRIM "TRIM" T_TRUE "TRUE" T_TRY_CAST "TRY_CAST" T_UNION "UNION"
%token <text> T_UNIQUE "UNIQUE" T_UNKNOWN "UNKNOWN" T_UNNEST "UNNEST" T_USE "USE" T_USING "USING" T_VALUES "VALUES"
%token <text> T_VALUE "VALUE" T_VARBINARY "VARBINARY" T_VARCHAR "VARCHAR" T_VARYING "VARYING" T_VIEW "VIEW" T_VIEWS "VIEWS"
%token <text> T_VIRTUAL "VIRTUAL" T_WATERMARK "WATERMARK" T_WATERMARKS "WATERMARKS" T_WHEN "WHEN" T_WHERE "WHERE" T_WINDOW "WINDOW"
%token <text> T_WITH "WITH" T_WITHOUT "WITHOUT" T_YEAR "YEAR" T_ZONE "ZONE"

%type <text> identifier word nonreserved function_word unit string_text alias opt_alias like_feature show_like what_dropped drop_what
%type <text> explain_detail cmp time_zone_tail current_function opt_comment hint_word
%type <name> name column_name
%type <expr> expr predicate value primary literal opt_where opt_having call case opt_else case_operand argument limit_value  interval_sign opt_filter
%type <expr> fetch_count
%type <type> type plain_type
%type <query> query query_no_parens simple_query query_clause paren_query select values
%type <source> from table_ref table_primary joined
%type <item> select_item
%type <order> order_item
%type <order_parts> opt_order_limit order_limit
%type <list> exprs arguments opt_arguments when_list hints opt_hints hint_list hint_options opt_hint_options select_items opt_group_by group_items rows
%type <list> with_list opt_column_aliases names alias_names order_items opt_with pairs opt_with_options opt_like_options like_options opt_partition partition_pairs
%type <list> opt_partitioned column_names inserts opt_details details nested_fields nested_types opt_view_columns
%type <hint> hint
%type <pair> pair hint_option partition_pair nested_field
%type <with> with_item
%type <column> column_definition column_rest
%type <key> table_key
%type <statement> statement create drop use show describe set reset insert query_statement explain statement_set table_body table_elements explained
%type <statement> begin_set
%type <flag> opt_distinct opt_if_not_exists opt_if_exists opt_not opt_all opt_temporary opt_or_replace opt_direction into_overwrite opt_enforced opt_virtual opt_extended opt_asymmetric
%type <join> join_kind
%type <number> opt_nulls

%left T_UNION T_EXCEPT
%left T_INTERSECT
%left T_OR
%left T_AND
%precedence T_NOT
%precedence T_IS
%left '+' '-'
%left '*' '/' '%' T_CONCAT
%precedence UNARY
%precedence ')'

%%
script: %empty { parse->statement = NULL; parse->end = parse->at; }
    | ';' { MAKE(parse->statement = statement_new(parse, LEAT_AST_EMPTY, @1)); parse->end = @1.end; YYACCEPT; }
    | statement { parse->statement = $1; parse->end = parse->at; }
    | statement ';' { parse->statement = $1; parse->end = @2.end; YYACCEPT; };

statement: create | drop | use | show | describe | set | reset | insert | query_statement | explain | statement_set;

/* ---- names ---- */
nonreserved: T_ASC
    | T_CASCADE
    | T_CATALOG
    | T_CHANGELOG_MODE
    | T_COLUMNS
    | T_CONSTRAINTS
    | T_DATABASE
    | T_DESC
    | T_ENFORCED
    | T_ESTIMATED_COST
    | T_EXCLUDING
    | T_FIRST
    | T_GENERATED
    | T_IF
    | T_INCLUDING
    | T_JSON_EXECUTION_PLAN
    | T_KEY
    | T_LAST
    | T_MAP
    | T_METADATA
    | T_NULLS
    | T_OPTIONS
    | T_OVERWRITE
    | T_OVERWRITING
    | T_PARTITIONED
    | T_PARTITIONS
    | T_PLACING
    | T_PLAN
    | T_PLAN_ADVICE
    | T_REPLACE
    | T_RESTRICT
    | T_SETS
    | T_TEMPORARY
    | T_VIEW
    | T_VIRTUAL
    | T_ZONE;
identifier: T_IDENTIFIER | nonreserved;
name: identifier { MAKE($$ = leat_ast_name_new(parse, $1, @1)); }
    | name '.' identifier { MAKE(leat_ast_name_add(parse, $1, $3, @3)); $$ = $1; };
column_name: identifier { MAKE($$ = leat_ast_name_new(parse, $1, @1)); };
names: column_name { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | names ',' column_name { $$ = $1; ADD($$, $3); };
column_names: '(' names ')' { $$ = $2; };
alias_names: identifier { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | alias_names ',' identifier { $$ = $1; ADD($$, $3); };
string_text: T_STRING_LITERAL { $$ = $1.data; };

/* ---- expressions ---- */
exprs: expr { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | exprs ',' expr { $$ = $1; ADD($$, $3); };

expr: predicate
    | expr T_OR expr { MAKE($$ = leat_ast_logic_new(parse, LEAT_AST_OR, @$, $1, $3)); }
    | expr T_AND expr { MAKE($$ = leat_ast_logic_new(parse, LEAT_AST_AND, @$, $1, $3)); }
    | T_NOT expr { MAKE($$ = leat_ast_call_new(parse, "NOT", @$, $2, NULL)); $$->is_operator = true; }
    | expr T_IS opt_not T_NULL { MAKE($$ = leat_ast_call_new(parse, $3 ? "IS NOT NULL" : "IS NULL", @$, $1, NULL)); $$->is_operator = true; }
    | expr T_IS opt_not T_TRUE { MAKE($$ = leat_ast_call_new(parse, $3 ? "IS NOT TRUE" : "IS TRUE", @$, $1, NULL)); $$->is_operator = true; }
    | expr T_IS opt_not T_FALSE { MAKE($$ = leat_ast_call_new(parse, $3 ? "IS NOT FALSE" : "IS FALSE", @$, $1, NULL)); $$->is_operator = true; }
    | expr T_IS opt_not T_UNKNOWN { MAKE($$ = leat_ast_call_new(parse, $3 ? "IS NOT NULL" : "IS NULL", @$, $1, NULL)); $$->is_operator = true; }
    | expr T_IS opt_not T_DISTINCT T_FROM value {
        MAKE($$ = leat_ast_call_new(parse, $3 ? "IS NOT DISTINCT FROM" : "IS DISTINCT FROM", @$, $1, $6));
        $$->is_operator = true;
    };

cmp: '=' { $$ = "="; } | T_NOT_EQUAL { $$ = "<>"; } | '<' { $$ = "<"; } | '>' { $$ = ">"; } | T_LESS_EQUAL { $$ = "<="; } | T_GREATER_EQUAL { $$ = ">="; };

predicate: value
    | predicate cmp value { MAKE($$ = binary(parse, $2, @$, $1, $3)); }
    | value opt_not T_BETWEEN opt_asymmetric value T_AND value {
        EXPR($$, LEAT_AST_BETWEEN, @$);
        $$->is_negated = $2;
        $$->is_symmetric = $4;
        ADD($$->arguments, $1);
        ADD($$->arguments, $5);
        ADD($$->arguments, $7);
        CLOSE($$);
    }
    | value opt_not T_IN '(' exprs ')' {
        EXPR($$, LEAT_AST_IN, @$);
        $$->is_negated = $2;
        ADD($$->arguments, $1);
        for (int32_t i = 0; i < $5.count; i++) ADD($$->arguments, $5.items[i]);
        CLOSE($$);
    }
    | value opt_not T_IN paren_query {
        EXPR($$, LEAT_AST_IN, @$);
        $$->is_negated = $2;
        $$->query = $4;
        ADD($$->arguments, $1);
        CLOSE($$);
    }
    | value opt_not T_LIKE value {
        EXPR($$, LEAT_AST_LIKE, @$);
        $$->is_negated = $2;
        $$->function = "LIKE";
        ADD($$->arguments, $1);
        ADD($$->arguments, $4);
        CLOSE($$);
    }
    | value opt_not T_LIKE value T_ESCAPE value {
        EXPR($$, LEAT_AST_LIKE, @$);
        $$->is_negated = $2;
        $$->function = "LIKE";
        ADD($$->arguments, $1);
        ADD($$->arguments, $4);
        ADD($$->arguments, $6);
        CLOSE($$);
    }
    | value opt_not T_SIMILAR T_TO value {
        EXPR($$, LEAT_AST_LIKE, @$);
        $$->is_negated = $2;
        $$->function = "SIMILAR TO";
        ADD($$->arguments, $1);
        ADD($$->arguments, $5);
        CLOSE($$);
    };

opt_not: %empty { $$ = false; } | T_NOT { $$ = true; };
opt_asymmetric: %empty { $$ = false; } | T_ASYMMETRIC { $$ = false; } | T_SYMMETRIC { $$ = true; };

value: primary
    | value '+' value { MAKE($$ = binary(parse, "+", @$, $1, $3)); }
    | value '-' value { MAKE($$ = binary(parse, "-", @$, $1, $3)); }
    | value '*' value { MAKE($$ = binary(parse, "*", @$, $1, $3)); }
    | value '/' value { MAKE($$ = binary(parse, "/", @$, $1, $3)); }
    | value '%' value { MAKE($$ = binary(parse, "%", @$, $1, $3)); }
    | value T_CONCAT value { MAKE($$ = binary(parse, "||", @$, $1, $3)); }
    | '-' value %prec UNARY { MAKE($$ = binary(parse, "-", @$, $2, NULL)); }
    | '+' value %prec UNARY { MAKE($$ = binary(parse, "+", @$, $2, NULL)); };

primary: literal | call | case
    | name { EXPR($$, LEAT_AST_COLUMN, @$); $$->name = $1; }
    | '(' expr ')' { $$ = $2; }
    | '(' expr ',' exprs ')' {
        EXPR($$, LEAT_AST_ROW, @$);
        ADD($$->arguments, $2);
        for (int32_t i = 0; i < $4.count; i++) ADD($$->arguments, $4.items[i]);
        CLOSE($$);
    }
    | T_ROW '(' exprs ')' { EXPR($$, LEAT_AST_ROW, @$); $$->arguments = $3; CLOSE($$); }
    | paren_query %prec UNARY { EXPR($$, LEAT_AST_SUBQUERY, @$); $$->query = $1; CLOSE($$); }
    | T_EXISTS paren_query { EXPR($$, LEAT_AST_EXISTS, @$); $$->query = $2; CLOSE($$); }
    | T_CAST '(' expr T_AS type ')' { EXPR($$, LEAT_AST_CAST, @$); $$->type = $5; ADD($$->arguments, $3); CLOSE($$); }
    | T_TRY_CAST '(' expr T_AS type ')' {
        EXPR($$, LEAT_AST_CAST, @$);
        $$->type = $5;
        $$->is_try = true;
        ADD($$->arguments, $3);
        CLOSE($$);
    }
    | T_ARRAY { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "ARRAY values are not supported yet"); YYABORT; }
    | T_MULTISET { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "MULTISET values are not supported yet"); YYABORT; };

literal: T_INTEGER_LITERAL { EXPR($$, LEAT_AST_NUMBER, @$); $$->text = $1; }
    | T_DECIMAL_LITERAL { EXPR($$, LEAT_AST_NUMBER, @$); $$->text = $1; }
    | T_DOUBLE_LITERAL { EXPR($$, LEAT_AST_NUMBER, @$); $$->text = $1; }
    | T_STRING_LITERAL { EXPR($$, LEAT_AST_STRING, @$); $$->text = $1.data; $$->text_length = $1.length; }
    | T_BYTES_LITERAL { EXPR($$, LEAT_AST_BYTES, @$); $$->text = $1.data; $$->text_length = $1.length; }
    | T_TRUE { EXPR($$, LEAT_AST_BOOLEAN, @$); $$->is_true = true; }
    | T_FALSE { EXPR($$, LEAT_AST_BOOLEAN, @$); }
    | T_UNKNOWN { EXPR($$, LEAT_AST_NULL, @$); $$->is_true = true; }
    | T_NULL { EXPR($$, LEAT_AST_NULL, @$); }
    | T_DEFAULT { EXPR($$, LEAT_AST_DEFAULT, @$); }
    | T_DATE string_text { EXPR($$, LEAT_AST_DATE, @$); $$->text = $2; }
    | T_TIME string_text { EXPR($$, LEAT_AST_TIME, @$); $$->text = $2; }
    | T_TIMESTAMP string_text { EXPR($$, LEAT_AST_TIMESTAMP, @$); $$->text = $2; }
    | T_INTERVAL interval_sign string_text unit {
        EXPR($$, LEAT_AST_INTERVAL, @$);
        $$->is_negated = $2 != NULL;
        $$->text = $3;
        $$->unit_from = $4;
    }
    | T_INTERVAL interval_sign string_text unit T_TO unit {
        EXPR($$, LEAT_AST_INTERVAL, @$);
        $$->is_negated = $2 != NULL;
        $$->text = $3;
        $$->unit_from = $4;
        $$->unit_to = $6;
    };
interval_sign: %empty { $$ = NULL; } | '+' { $$ = NULL; } | '-' { EXPR($$, LEAT_AST_NULL, @$); };
unit: T_YEAR { $$ = "YEAR"; } | T_MONTH { $$ = "MONTH"; } | T_DAY { $$ = "DAY"; } | T_HOUR { $$ = "HOUR"; } | T_MINUTE { $$ = "MINUTE"; } | T_SECOND { $$ = "SECOND"; };

case: T_CASE case_operand when_list opt_else T_END {
        EXPR($$, LEAT_AST_CASE, @$);
        $$->has_operand = $2 != NULL;
        if ($2) ADD($$->arguments, $2);
        for (int32_t i = 0; i < $3.count; i++) ADD($$->arguments, $3.items[i]);
        ADD($$->arguments, $4);
        CLOSE($$);
    };
case_operand: %empty { $$ = NULL; } | expr;
when_list: T_WHEN expr T_THEN expr { $$ = (leat_ast_list){0}; ADD($$, $2); ADD($$, $4); }
    | when_list T_WHEN expr T_THEN expr { $$ = $1; ADD($$, $3); ADD($$, $5); };
opt_else: %empty { $$ = NULL; } | T_ELSE expr { $$ = $2; };

function_word: T_RESERVED | T_LEFT { $$ = "LEFT"; } | T_RIGHT { $$ = "RIGHT"; } | T_GROUPING { $$ = "GROUPING"; } | unit;
current_function: T_CURRENT_DATE { $$ = "CURRENT_DATE"; } | T_CURRENT_TIME { $$ = "CURRENT_TIME"; }
    | T_CURRENT_TIMESTAMP { $$ = "CURRENT_TIMESTAMP"; } | T_LOCALTIME { $$ = "LOCALTIME"; } | T_LOCALTIMESTAMP { $$ = "LOCALTIMESTAMP"; };

call: name '(' opt_distinct opt_arguments ')' opt_filter {
        EXPR($$, LEAT_AST_CALL, @$);
        $$->function = $1->parts[$1->count - 1];
        $$->is_distinct = $3;
        $$->arguments = $4;
        $$->filter = $6;
        CLOSE($$);
    }
    | function_word '(' opt_distinct opt_arguments ')' opt_filter {
        EXPR($$, LEAT_AST_CALL, @$);
        $$->function = $1;
        $$->is_distinct = $3;
        $$->arguments = $4;
        $$->filter = $6;
        CLOSE($$);
    }
    | function_word '(' '*' ')' opt_filter {
        EXPR($$, LEAT_AST_CALL, @$);
        $$->function = $1;
        $$->is_star = true;
        $$->filter = $5;
        CLOSE($$);
    }
    | call T_OVER { (void)leat_parse_fail(parse, @2, LEAT_UNSUPPORTED, "OVER windows are not supported yet"); YYABORT; }
    | current_function { MAKE($$ = leat_ast_call_new(parse, $1, @$, NULL, NULL)); }
    | current_function '(' ')' { MAKE($$ = leat_ast_call_new(parse, $1, @$, NULL, NULL)); }
    | floor_word '(' expr ')' { MAKE($$ = leat_ast_call_new(parse, $<text>1, @$, $3, NULL)); }
    | floor_word '(' expr T_TO unit ')' {
        leat_ast_expr *symbol;
        EXPR(symbol, LEAT_AST_SYMBOL, @5);
        symbol->text = $5;
        MAKE($$ = leat_ast_call_new(parse, $<text>1, @$, $3, symbol));
    }
    | T_EXTRACT '(' unit T_FROM expr ')' {
        leat_ast_expr *symbol;
        EXPR(symbol, LEAT_AST_SYMBOL, @3);
        symbol->text = $3;
        MAKE($$ = leat_ast_call_new(parse, "EXTRACT", @$, symbol, $5));
    }
    | T_EXTRACT '(' identifier T_FROM expr ')' {
        leat_ast_expr *symbol;
        EXPR(symbol, LEAT_AST_SYMBOL, @3);
        MAKE(symbol->text = upper(parse, $3));
        MAKE($$ = leat_ast_call_new(parse, "EXTRACT", @$, symbol, $5));
    }
    | T_SUBSTRING '(' arguments ')' { MAKE($$ = leat_ast_call_new(parse, "SUBSTRING", @$, NULL, NULL)); $$->arguments = $3; CLOSE($$); }
    | T_SUBSTRING '(' expr T_FROM expr ')' { MAKE($$ = leat_ast_call_new(parse, "SUBSTRING", @$, $3, $5)); }
    | T_SUBSTRING '(' expr T_FROM expr T_FOR expr ')' {
        MAKE($$ = leat_ast_call_new(parse, "SUBSTRING", @$, $3, $5));
        ADD($$->arguments, $7);
        CLOSE($$);
    }
    | T_TRIM '(' expr ')' { MAKE($$ = leat_ast_call_new(parse, "TRIM", @$, $3, NULL)); }
    | T_TRIM '(' expr T_FROM expr ')' { MAKE($$ = leat_ast_call_new(parse, "TRIM", @$, $5, $3)); }
    | T_TRIM '(' trim_side expr T_FROM expr ')' { MAKE($$ = leat_ast_call_new(parse, $<text>3, @$, $6, $4)); }
    | T_TRIM '(' trim_side T_FROM expr ')' { MAKE($$ = leat_ast_call_new(parse, $<text>3, @$, $5, NULL)); }
    | T_POSITION '(' value T_IN expr ')' { MAKE($$ = leat_ast_call_new(parse, "POSITION", @$, $3, $5)); }
    | T_OVERLAY { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "OVERLAY is not supported yet"); YYABORT; };
floor_word: T_FLOOR { $<text>$ = "FLOOR"; } | T_CEIL { $<text>$ = "CEIL"; } | T_CEILING { $<text>$ = "CEIL"; };
trim_side: T_BOTH { $<text>$ = "TRIM"; } | T_LEADING { $<text>$ = "LTRIM"; } | T_TRAILING { $<text>$ = "RTRIM"; };

opt_distinct: %empty { $$ = false; } | T_ALL { $$ = false; } | T_DISTINCT { $$ = true; };
opt_arguments: %empty { $$ = (leat_ast_list){0}; } | arguments;
arguments: argument { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | arguments ',' argument { $$ = $1; ADD($$, $3); };
argument: expr
    | unit { EXPR($$, LEAT_AST_SYMBOL, @$); $$->text = $1; };
opt_filter: %empty { $$ = NULL; } | T_FILTER '(' T_WHERE expr ')' { $$ = $4; };

/* ---- types ---- */
type: plain_type
    | plain_type T_NULL
    | plain_type T_NOT T_NULL { $$ = $1; $$->type.nullable = false; };

plain_type: simple_kind { MAKE($$ = leat_ast_type_new(parse, (leat_type_kind)$<number>1, @$)); }
    | length_kind { MAKE($$ = leat_ast_type_new(parse, (leat_type_kind)$<number>1, @$)); }
    | length_kind '(' T_INTEGER_LITERAL ')' {
        MAKE($$ = leat_ast_type_new(parse, (leat_type_kind)$<number>1, @$));
        MAKE(leat_ast_type_length(parse, $$, $3, @3));
    }
    | T_STRING { MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_VARCHAR, @$)); $$->type.precision = LEAT_LENGTH_MAX; }
    | T_BYTES { MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_VARBINARY, @$)); $$->type.precision = LEAT_LENGTH_MAX; }
    | decimal_word { MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_DECIMAL, @$)); }
    | decimal_word '(' T_INTEGER_LITERAL ')' {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_DECIMAL, @$));
        MAKE(leat_ast_type_length(parse, $$, $3, @3));
    }
    | decimal_word '(' T_INTEGER_LITERAL ',' T_INTEGER_LITERAL ')' {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_DECIMAL, @$));
        MAKE(leat_ast_type_length(parse, $$, $3, @3));
        MAKE(leat_ast_type_scale(parse, $$, $5, @5));
    }
    | T_TIME time_zone_tail { MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_TIME, @$)); }
    | T_TIME '(' T_INTEGER_LITERAL ')' time_zone_tail {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_TIME, @$));
        MAKE(leat_ast_type_length(parse, $$, $3, @3));
    }
    | T_TIMESTAMP time_zone_tail {
        MAKE($$ = leat_ast_type_new(parse, $2 ? LEAT_TYPE_TIMESTAMP_LTZ : LEAT_TYPE_TIMESTAMP, @$));
    }
    | T_TIMESTAMP '(' T_INTEGER_LITERAL ')' time_zone_tail {
        MAKE($$ = leat_ast_type_new(parse, $5 ? LEAT_TYPE_TIMESTAMP_LTZ : LEAT_TYPE_TIMESTAMP, @$));
        MAKE(leat_ast_type_length(parse, $$, $3, @3));
    }
    | T_TIMESTAMP_LTZ { MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_TIMESTAMP_LTZ, @$)); }
    | T_TIMESTAMP_LTZ '(' T_INTEGER_LITERAL ')' {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_TIMESTAMP_LTZ, @$));
        MAKE(leat_ast_type_length(parse, $$, $3, @3));
    }
    | T_ARRAY '<' nested_types '>' {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_ARRAY, @$));
        if ($3.count != 1) REFUSE(@3, "ARRAY has one element type");
        MAKE(set_nested(parse, $$, &$3));
    }
    | T_MULTISET '<' nested_types '>' {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_MULTISET, @$));
        if ($3.count != 1) REFUSE(@3, "MULTISET has one element type");
        MAKE(set_nested(parse, $$, &$3));
    }
    | T_MAP '<' nested_types '>' {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_MAP, @$));
        if ($3.count != 2) REFUSE(@3, "MAP has a key type and a value type");
        MAKE(set_nested(parse, $$, &$3));
    }
    | T_ROW '<' nested_fields '>' {
        MAKE($$ = leat_ast_type_new(parse, LEAT_TYPE_ROW, @$));
        MAKE(set_nested(parse, $$, &$3));
    }
    | T_RAW '(' { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "The type RAW is not supported"); YYABORT; };

simple_kind: T_BOOLEAN { $<number>$ = LEAT_TYPE_BOOLEAN; } | T_TINYINT { $<number>$ = LEAT_TYPE_TINYINT; }
    | T_SMALLINT { $<number>$ = LEAT_TYPE_SMALLINT; } | T_INT { $<number>$ = LEAT_TYPE_INT; }
    | T_INTEGER { $<number>$ = LEAT_TYPE_INT; } | T_BIGINT { $<number>$ = LEAT_TYPE_BIGINT; }
    | T_FLOAT { $<number>$ = LEAT_TYPE_FLOAT; } | T_REAL { $<number>$ = LEAT_TYPE_FLOAT; }
    | T_DOUBLE { $<number>$ = LEAT_TYPE_DOUBLE; } | T_DOUBLE T_PRECISION { $<number>$ = LEAT_TYPE_DOUBLE; }
    | T_DATE { $<number>$ = LEAT_TYPE_DATE; };
length_kind: T_CHAR { $<number>$ = LEAT_TYPE_CHAR; } | T_CHARACTER { $<number>$ = LEAT_TYPE_CHAR; }
    | T_VARCHAR { $<number>$ = LEAT_TYPE_VARCHAR; } | T_CHAR T_VARYING { $<number>$ = LEAT_TYPE_VARCHAR; }
    | T_CHARACTER T_VARYING { $<number>$ = LEAT_TYPE_VARCHAR; }
    | T_BINARY { $<number>$ = LEAT_TYPE_BINARY; } | T_VARBINARY { $<number>$ = LEAT_TYPE_VARBINARY; }
    | T_BINARY T_VARYING { $<number>$ = LEAT_TYPE_VARBINARY; };
decimal_word: T_DECIMAL | T_DEC | T_NUMERIC;
time_zone_tail: %empty { $$ = NULL; }
    | T_WITHOUT T_TIME T_ZONE { $$ = NULL; }
    | T_WITH T_LOCAL T_TIME T_ZONE { $$ = "LOCAL"; };
nested_types: type { $$ = (leat_ast_list){0}; leat_ast_pair *pair; MAKE(pair = leat_arena_take(parse->arena, sizeof *pair)); pair->value = (const char *)$1; ADD($$, pair); }
    | nested_types ',' type { $$ = $1; leat_ast_pair *pair; MAKE(pair = leat_arena_take(parse->arena, sizeof *pair)); pair->value = (const char *)$3; ADD($$, pair); };
nested_fields: nested_field { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | nested_fields ',' nested_field { $$ = $1; ADD($$, $3); };
nested_field: identifier type opt_comment { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); $$->key = $1; $$->value = (const char *)$2; };

/* ---- queries ---- */
query_statement: query { MAKE($$ = statement_new(parse, LEAT_AST_QUERY, @$)); $$->query = $1; $$->query_place = @1; };
query: query_no_parens | paren_query %prec UNARY;
paren_query: '(' query_no_parens ')' { $$ = $2; } | '(' paren_query ')' { $$ = $2; };
query_no_parens: simple_query
    | query_clause order_limit {
        $$ = $1;
        if ($1->order_by.count > 0 || $1->limit || $1->offset) { /* (… LIMIT 3) ORDER BY …: a query around it */
            MAKE($$ = query_new(parse, LEAT_AST_QUERY_SELECT, @$));
            leat_ast_item *item;
            MAKE(item = leat_arena_take(parse->arena, sizeof *item));
            EXPR(item->expr, LEAT_AST_STAR, @1);
            ADD($$->items, item);
            MAKE($$->from = source_new(parse, LEAT_AST_SOURCE_QUERY, @1));
            $$->from->query = $1;
            $$->from->depth = $1->depth;
        }
        $$->order_by = $2.order_by;
        $$->limit = $2.limit;
        $$->offset = $2.offset;
        MAKE(leat_ast_query_close(parse, $$));
    }
    | T_WITH with_list query_clause opt_order_limit {
        $$ = $3;
        if ($3->with.count > 0) REFUSE(@3, "WITH stands within WITH: give the inner one parentheses and a FROM");
        $$->with = $2;
        if ($4.order_by.count > 0 || $4.limit || $4.offset) {
            if ($3->order_by.count > 0 || $3->limit || $3->offset) REFUSE(@4, "The query has an ORDER BY or LIMIT already");
            $$->order_by = $4.order_by;
            $$->limit = $4.limit;
            $$->offset = $4.offset;
        }
        MAKE(leat_ast_query_close(parse, $$));
    };
with_list: with_item { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | with_list ',' with_item { $$ = $1; ADD($$, $3); };
with_item: identifier opt_column_aliases T_AS paren_query {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->place = @1;
        $$->name = $1;
        $$->column_aliases = $2;
        $$->query = $4;
    };
opt_column_aliases: %empty { $$ = (leat_ast_list){0}; } | '(' alias_names ')' { $$ = $2; };
query_clause: simple_query | paren_query;
simple_query: select | values
    | query_clause T_UNION opt_all query_clause { MAKE($$ = query_new(parse, LEAT_AST_QUERY_SET, @$)); $$->set_operator = "UNION"; $$->is_all = $3; $$->left = $1; $$->right = $4; MAKE(leat_ast_query_close(parse, $$)); }
    | query_clause T_EXCEPT opt_all query_clause { MAKE($$ = query_new(parse, LEAT_AST_QUERY_SET, @$)); $$->set_operator = "EXCEPT"; $$->is_all = $3; $$->left = $1; $$->right = $4; MAKE(leat_ast_query_close(parse, $$)); }
    | query_clause T_INTERSECT opt_all query_clause { MAKE($$ = query_new(parse, LEAT_AST_QUERY_SET, @$)); $$->set_operator = "INTERSECT"; $$->is_all = $3; $$->left = $1; $$->right = $4; MAKE(leat_ast_query_close(parse, $$)); };
opt_all: %empty { $$ = false; } | T_ALL { $$ = true; } | T_DISTINCT { $$ = false; };

values: T_VALUES rows { MAKE($$ = query_new(parse, LEAT_AST_QUERY_VALUES, @$)); $$->rows = $2; MAKE(leat_ast_query_close(parse, $$)); };
rows: expr { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | rows ',' expr { $$ = $1; ADD($$, $3); };

select: T_SELECT opt_hints opt_distinct select_items opt_from opt_where opt_group_by opt_having opt_window {
        MAKE($$ = query_new(parse, LEAT_AST_QUERY_SELECT, @$));
        $$->hints = $2;
        $$->is_distinct = $3;
        $$->items = $4;
        $$->from = $<source>5;
        $$->where = $6;
        $$->has_group_by = $7.capacity > 0;
        $$->group_by = $7;
        $$->having = $8;
        MAKE(leat_ast_query_close(parse, $$));
    };
opt_from: %empty { $<source>$ = NULL; } | T_FROM from { $<source>$ = $2; };
opt_where: %empty { $$ = NULL; } | T_WHERE expr { $$ = $2; };
opt_having: %empty { $$ = NULL; } | T_HAVING expr { $$ = $2; };
opt_window: %empty | T_WINDOW { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "The WINDOW clause is not supported yet"); YYABORT; };
opt_group_by: %empty { $$ = (leat_ast_list){0}; } | T_GROUP T_BY group_items { $$ = $3; };
group_items: expr { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | group_items ',' expr { $$ = $1; ADD($$, $3); }
    | '(' ')' { $$ = (leat_ast_list){0}; ADD($$, NULL); $$.count = 0; }
    | T_GROUPING T_SETS { (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "GROUPING SETS are not supported yet"); YYABORT; }
    | T_ROLLUP { (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "ROLLUP is not supported yet"); YYABORT; }
    | T_CUBE { (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "CUBE is not supported yet"); YYABORT; };

select_items: select_item { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | select_items ',' select_item { $$ = $1; ADD($$, $3); };
select_item: expr opt_alias { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); $$->place = @1; $$->expr = $1; $$->alias = $2; }
    | '*' { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); $$->place = @1; EXPR($$->expr, LEAT_AST_STAR, @1); }
    | name '.' '*' {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->place = @$;
        EXPR($$->expr, LEAT_AST_STAR, @$);
        $$->expr->name = $1;
    };
alias: identifier;
opt_alias: %empty { $$ = NULL; } | T_AS alias { $$ = $2; } | alias;

from: table_ref
    | from ',' table_ref {
        MAKE($$ = source_new(parse, LEAT_AST_SOURCE_JOIN, @$));
        $$->join = LEAT_AST_JOIN_CROSS;
        $$->left = $1;
        $$->right = $3;
        $$->depth = $1->depth + 1;
        if ($$->depth > LEAT_SQL_DEPTH_MAX) REFUSE(@3, "More than %d joins", LEAT_SQL_DEPTH_MAX);
    };
table_ref: table_primary | joined;
joined: table_ref join_kind T_JOIN table_primary join_condition {
        MAKE($$ = source_new(parse, LEAT_AST_SOURCE_JOIN, @$));
        $$->join = $2;
        $$->left = $1;
        $$->right = $4;
        $$->on = $<item>5->expr;
        $$->using_columns = $<item>5->alias ? *(const leat_ast_list *)(const void *)$<item>5->alias : (leat_ast_list){0};
        $$->depth = $1->depth + 1;
        if ($$->depth > LEAT_SQL_DEPTH_MAX) REFUSE(@4, "More than %d joins", LEAT_SQL_DEPTH_MAX);
    }
    | table_ref T_CROSS T_JOIN table_primary {
        MAKE($$ = source_new(parse, LEAT_AST_SOURCE_JOIN, @$));
        $$->join = LEAT_AST_JOIN_CROSS;
        $$->left = $1;
        $$->right = $4;
        $$->depth = $1->depth + 1;
        if ($$->depth > LEAT_SQL_DEPTH_MAX) REFUSE(@4, "More than %d joins", LEAT_SQL_DEPTH_MAX);
    }
    | table_ref T_NATURAL { (void)leat_parse_fail(parse, @2, LEAT_UNSUPPORTED, "NATURAL JOIN is not supported yet"); YYABORT; };
join_kind: %empty { $$ = LEAT_AST_JOIN_INNER; } | T_INNER { $$ = LEAT_AST_JOIN_INNER; }
    | T_LEFT opt_outer { $$ = LEAT_AST_JOIN_LEFT; } | T_RIGHT opt_outer { $$ = LEAT_AST_JOIN_RIGHT; }
    | T_FULL opt_outer { $$ = LEAT_AST_JOIN_FULL; };
opt_outer: %empty | T_OUTER;
join_condition: T_ON expr { MAKE($<item>$ = leat_arena_take(parse->arena, sizeof(leat_ast_item))); $<item>$->expr = $2; }
    | T_USING column_names {
        MAKE($<item>$ = leat_arena_take(parse->arena, sizeof(leat_ast_item)));
        leat_ast_list *columns;
        MAKE(columns = leat_arena_take(parse->arena, sizeof *columns));
        *columns = $2;
        $<item>$->alias = (const char *)columns;
    };

table_primary: name opt_hints opt_system_time table_alias {
        MAKE($$ = source_new(parse, LEAT_AST_SOURCE_TABLE, @1));
        $$->name = $1;
        $$->hints = $2;
        $$->system_time = $<expr>3;
        $$->alias = $<with>4->name;
        $$->alias_place = $<with>4->place;
        $$->column_aliases = $<with>4->column_aliases;
    }
    | paren_query table_alias {
        MAKE($$ = source_new(parse, LEAT_AST_SOURCE_QUERY, @1));
        $$->query = $1;
        $$->depth = $1->depth;
        $$->alias = $<with>2->name;
        $$->alias_place = $<with>2->place;
        $$->column_aliases = $<with>2->column_aliases;
    }
    | '(' joined ')' { $$ = $2; }
    | T_UNNEST { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "UNNEST is not supported yet"); YYABORT; }
    | T_LATERAL { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "LATERAL is not supported yet"); YYABORT; }
    | T_TABLE { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "Table functions and windows in FROM are not supported yet"); YYABORT; }
    | name T_MATCH_RECOGNIZE { (void)leat_parse_fail(parse, @2, LEAT_UNSUPPORTED, "MATCH_RECOGNIZE is not supported yet"); YYABORT; }
    | name T_TABLESAMPLE { (void)leat_parse_fail(parse, @2, LEAT_UNSUPPORTED, "TABLESAMPLE is not supported yet"); YYABORT; };
opt_system_time: %empty { $<expr>$ = NULL; } | T_FOR T_SYSTEM_TIME T_AS T_OF expr { $<expr>$ = $5; };
table_alias: %empty { MAKE($<with>$ = leat_arena_take(parse->arena, sizeof(leat_ast_with))); }
    | alias opt_column_aliases {
        MAKE($<with>$ = leat_arena_take(parse->arena, sizeof(leat_ast_with)));
        $<with>$->name = $1;
        $<with>$->place = @1;
        $<with>$->column_aliases = $2;
    }
    | T_AS alias opt_column_aliases {
        MAKE($<with>$ = leat_arena_take(parse->arena, sizeof(leat_ast_with)));
        $<with>$->name = $2;
        $<with>$->place = @2;
        $<with>$->column_aliases = $3;
    };

opt_order_limit: %empty { $$ = (leat_ast_order_parts){0}; } | order_limit;
order_limit: T_ORDER T_BY order_items { $$ = (leat_ast_order_parts){.order_by = $3}; }
    | T_ORDER T_BY order_items limits { $$ = $<order_parts>4; $$.order_by = $3; }
    | limits { $$ = $<order_parts>1; };
limits: T_LIMIT limit_value { $<order_parts>$ = (leat_ast_order_parts){.limit = $2}; }
    | T_LIMIT limit_value T_OFFSET value opt_rows { $<order_parts>$ = (leat_ast_order_parts){.limit = $2, .offset = $4}; }
    | T_OFFSET value opt_rows { $<order_parts>$ = (leat_ast_order_parts){.offset = $2}; }
    | T_OFFSET value opt_rows fetch { $<order_parts>$ = (leat_ast_order_parts){.offset = $2, .limit = $<expr>4}; }
    | T_OFFSET value opt_rows T_LIMIT limit_value { $<order_parts>$ = (leat_ast_order_parts){.offset = $2, .limit = $5}; }
    | fetch { $<order_parts>$ = (leat_ast_order_parts){.limit = $<expr>1}; };
limit_value: value | T_ALL { $$ = NULL; };
opt_rows: %empty | T_ROW | T_ROWS;
fetch: T_FETCH first_or_next fetch_count row_or_rows T_ONLY { $<expr>$ = $3; };
fetch_count: value;
first_or_next: T_FIRST | T_NEXT;
row_or_rows: T_ROW | T_ROWS;
order_items: order_item { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | order_items ',' order_item { $$ = $1; ADD($$, $3); };
order_item: expr opt_direction opt_nulls {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->expr = $1;
        $$->is_descending = $2;
        $$->has_nulls = $3 != 0;
        $$->nulls_first = $3 == 1;
    };
opt_direction: %empty { $$ = false; } | T_ASC { $$ = false; } | T_DESC { $$ = true; };
opt_nulls: %empty { $$ = 0; } | T_NULLS T_FIRST { $$ = 1; } | T_NULLS T_LAST { $$ = 2; };

/* ---- hints ---- */
opt_hints: %empty { $$ = (leat_ast_list){0}; } | hints;
hints: T_HINT hint_list T_HINT_END { $$ = $2; };
hint_list: hint { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | hint_list hint { $$ = $1; ADD($$, $2); }
    | hint_list ',' hint { $$ = $1; ADD($$, $3); };
hint_word: identifier { MAKE($$ = upper(parse, $1)); };
hint: hint_word opt_hint_options {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->place = @1;
        $$->name = $1;
        $$->options = $2;
    };
opt_hint_options: %empty { $$ = (leat_ast_list){0}; } | '(' ')' { $$ = (leat_ast_list){0}; } | '(' hint_options ')' { $$ = $2; };
hint_options: hint_option { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | hint_options ',' hint_option { $$ = $1; ADD($$, $3); };
hint_option: string_text '=' string_text { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); *$$ = (leat_ast_pair){.place = @1, .value_place = @3, .key = $1, .value = $3}; }
    | word '=' string_text { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); *$$ = (leat_ast_pair){.place = @1, .value_place = @3, .key = $1, .value = $3}; }
    | string_text { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); *$$ = (leat_ast_pair){.place = @1, .value_place = @1, .value = $1}; }
    | word { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); *$$ = (leat_ast_pair){.place = @1, .value_place = @1, .value = $1}; };
word: identifier | T_TABLE { $$ = "table"; };

/* ---- definitions ---- */
opt_if_not_exists: %empty { $$ = false; } | T_IF T_NOT T_EXISTS { $$ = true; };
opt_if_exists: %empty { $$ = false; } | T_IF T_EXISTS { $$ = true; };
opt_temporary: %empty { $$ = false; } | T_TEMPORARY { $$ = true; };
opt_or_replace: %empty { $$ = false; } | T_OR T_REPLACE { $$ = true; };
opt_comment: %empty { $$ = NULL; } | T_COMMENT string_text { $$ = $2; };
opt_with: T_WITH '(' pairs ')' { $$ = $3; } | T_WITH '(' ')' { $$ = (leat_ast_list){0}; };
opt_with_options: %empty { $$ = (leat_ast_list){0}; } | opt_with;
pairs: pair { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | pairs ',' pair { $$ = $1; ADD($$, $3); };
pair: string_text '=' string_text { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); *$$ = (leat_ast_pair){.place = @1, .value_place = @3, .key = $1, .value = $3}; };

create: T_CREATE T_CATALOG opt_if_not_exists identifier opt_comment opt_with_options {
        MAKE($$ = statement_new(parse, LEAT_AST_CREATE_CATALOG, @$));
        $$->if_not_exists = $3;
        MAKE($$->name = leat_ast_name_new(parse, $4, @4));
        $$->comment = $5;
        $$->options = $6;
    }
    | T_CREATE T_DATABASE opt_if_not_exists name opt_comment opt_with_options {
        MAKE($$ = statement_new(parse, LEAT_AST_CREATE_DATABASE, @$));
        $$->if_not_exists = $3;
        $$->name = $4;
        $$->comment = $5;
        $$->options = $6;
    }
    | T_CREATE opt_or_replace opt_temporary T_TABLE opt_if_not_exists name table_body {
        $$ = $7;
        $$->place = @$;
        $$->is_or_replace = $2;
        $$->is_temporary = $3;
        $$->if_not_exists = $5;
        $$->name = $6;
    }
    | T_CREATE opt_or_replace opt_temporary T_VIEW opt_if_not_exists name opt_view_columns opt_comment T_AS query {
        MAKE($$ = statement_new(parse, LEAT_AST_CREATE_VIEW, @$));
        $$->is_or_replace = $2;
        $$->is_temporary = $3;
        $$->if_not_exists = $5;
        $$->name = $6;
        $$->column_names = $7;
        $$->comment = $8;
        $$->query = $10;
        $$->query_place = @10;
    }
    | T_CREATE opt_or_replace opt_temporary T_RESERVED {
        (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "CREATE %s is not supported", $4);
        YYABORT;
    };
opt_view_columns: %empty { $$ = (leat_ast_list){0}; } | column_names;

table_body: table_elements opt_comment opt_distribution opt_partitioned opt_with_options {
        $$ = $1;
        $$->comment = $2;
        $$->partitioned_by = $4;
        $$->options = $5;
    }
    | table_elements opt_comment opt_distribution opt_partitioned opt_with_options T_LIKE name opt_like_options {
        $$ = $1;
        $$->comment = $2;
        $$->partitioned_by = $4;
        $$->options = $5;
        $$->like = $7;
        $$->like_options = $8;
    }
    | table_elements opt_comment opt_distribution opt_partitioned opt_with_options T_AS query {
        $$ = $1;
        $$->comment = $2;
        $$->partitioned_by = $4;
        $$->options = $5;
        $$->query = $7;
        $$->query_place = @7;
    };
table_elements: %empty { MAKE($$ = statement_new(parse, LEAT_AST_CREATE_TABLE, @$)); }
    | '(' { MAKE(parse->table = statement_new(parse, LEAT_AST_CREATE_TABLE, @1)); } elements ')' { $$ = parse->table; };
elements: element | elements ',' element;
element: column_definition { ADD(parse->table->columns, $1); }
    | table_key { ADD(parse->table->keys, $1); }
    | T_WATERMARK T_FOR name T_AS expr {
        leat_ast_watermark *watermark;
        MAKE(watermark = leat_arena_take(parse->arena, sizeof *watermark));
        *watermark = (leat_ast_watermark){.place = @$, .column = $3, .expr = $5};
        ADD(parse->table->watermarks, watermark);
    };
column_definition: identifier column_rest { $$ = $2; $$->name = $1; $$->place = @1; };
column_rest: type opt_comment {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->type = $1;
        $$->comment = $2;
    }
    | type T_PRIMARY T_KEY opt_enforced opt_comment {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->type = $1;
        $$->is_key = true;
        if ($4) REFUSE(@4, "Flink doesn't support ENFORCED mode for PRIMARY KEY constraint: write PRIMARY KEY NOT ENFORCED");
        $$->comment = $5;
    }
    | type T_METADATA opt_metadata_key opt_virtual opt_comment {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->kind = LEAT_AST_COLUMN_METADATA;
        $$->type = $1;
        $$->metadata_key = $<text>3;
        $$->is_virtual = $4;
        $$->comment = $5;
    }
    | T_AS expr opt_comment {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->kind = LEAT_AST_COLUMN_COMPUTED;
        $$->expr = $2;
        $$->expr_place = @2;
        $$->comment = $3;
    };
opt_metadata_key: %empty { $<text>$ = NULL; } | T_FROM string_text { $<text>$ = $2; };
opt_virtual: %empty { $$ = false; } | T_VIRTUAL { $$ = true; };
opt_enforced: %empty { $$ = true; } | T_ENFORCED { $$ = true; } | T_NOT T_ENFORCED { $$ = false; };
table_key: opt_constraint T_PRIMARY T_KEY column_names opt_enforced {
        MAKE($$ = leat_arena_take(parse->arena, sizeof *$$));
        $$->place = @$;
        $$->columns = $4;
        if ($5) REFUSE(@$, "Flink doesn't support ENFORCED mode for PRIMARY KEY constraint: write PRIMARY KEY (…) NOT ENFORCED");
    }
    | opt_constraint T_UNIQUE { (void)leat_parse_fail(parse, @2, LEAT_UNSUPPORTED, "UNIQUE constraint is not supported yet"); YYABORT; };
opt_constraint: %empty | T_CONSTRAINT identifier;
opt_distribution: %empty
    | T_DISTRIBUTED { (void)leat_parse_fail(parse, @1, LEAT_UNSUPPORTED, "DISTRIBUTED BY is not supported: give the table's 'bucket' and 'bucket-key' options"); YYABORT; };
opt_partitioned: %empty { $$ = (leat_ast_list){0}; } | T_PARTITIONED T_BY column_names { $$ = $3; };
opt_like_options: %empty { $$ = (leat_ast_list){0}; } | '(' like_options ')' { $$ = $2; };
like_options: like_option { $$ = (leat_ast_list){0}; ADD($$, $<item>1); }
    | like_options like_option { $$ = $1; ADD($$, $<item>2); };
like_option: like_action like_feature {
        leat_ast_like_option *option;
        MAKE(option = leat_arena_take(parse->arena, sizeof *option));
        *option = (leat_ast_like_option){.place = @$, .is_including = $<number>1 != 0, .is_overwriting = $<number>1 == 2, .feature = $2};
        $<item>$ = (leat_ast_item *)(void *)option;
    };
like_action: T_EXCLUDING { $<number>$ = 0; } | T_INCLUDING { $<number>$ = 1; } | T_OVERWRITING { $<number>$ = 2; };
like_feature: T_ALL { $$ = "ALL"; } | T_CONSTRAINTS { $$ = "CONSTRAINTS"; } | T_DISTRIBUTION { $$ = "DISTRIBUTION"; }
    | T_GENERATED { $$ = "GENERATED"; } | T_METADATA { $$ = "METADATA"; } | T_OPTIONS { $$ = "OPTIONS"; }
    | T_PARTITIONS { $$ = "PARTITIONS"; } | T_WATERMARKS { $$ = "WATERMARKS"; };

drop: T_DROP opt_temporary drop_what opt_if_exists name drop_mode {
        MAKE($$ = statement_new(parse, LEAT_AST_DROP, @$));
        $$->what = $3;
        $$->is_temporary = $2;
        $$->if_exists = $4;
        $$->name = $5;
        $$->is_cascade = $<number>6 != 0;
    }
    | T_DROP opt_temporary T_RESERVED { (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "DROP %s is not supported", $3); YYABORT; };
drop_what: what_dropped;
what_dropped: T_TABLE { $$ = "TABLE"; } | T_VIEW { $$ = "VIEW"; } | T_DATABASE { $$ = "DATABASE"; } | T_CATALOG { $$ = "CATALOG"; };
drop_mode: %empty { $<number>$ = 0; } | T_RESTRICT { $<number>$ = 0; } | T_CASCADE { $<number>$ = 1; };

use: T_USE T_CATALOG identifier { MAKE($$ = statement_new(parse, LEAT_AST_USE, @$)); $$->what = "CATALOG"; MAKE($$->name = leat_ast_name_new(parse, $3, @3)); }
    | T_USE name { MAKE($$ = statement_new(parse, LEAT_AST_USE, @$)); $$->what = "DATABASE"; $$->name = $2; }
    | T_USE T_RESERVED { (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "USE %s is not supported", $2); YYABORT; };

show: T_SHOW T_CATALOGS show_like { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "CATALOGS"; $$->value = $3; }
    | T_SHOW T_DATABASES show_from opt_not_like { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "DATABASES"; $$->name = $<name>3; $$->value = $<pair>4->value; $$->is_negated = $<pair>4->key != NULL; }
    | T_SHOW T_TABLES show_from opt_not_like { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "TABLES"; $$->name = $<name>3; $$->value = $<pair>4->value; $$->is_negated = $<pair>4->key != NULL; }
    | T_SHOW T_VIEWS show_from opt_not_like { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "VIEWS"; $$->name = $<name>3; $$->value = $<pair>4->value; $$->is_negated = $<pair>4->key != NULL; }
    | T_SHOW T_COLUMNS from_or_in name opt_not_like { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "COLUMNS"; $$->name = $4; $$->value = $<pair>5->value; $$->is_negated = $<pair>5->key != NULL; }
    | T_SHOW T_CURRENT T_CATALOG { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "CURRENT CATALOG"; }
    | T_SHOW T_CURRENT T_DATABASE { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "CURRENT DATABASE"; }
    | T_SHOW T_CREATE T_TABLE name { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "CREATE TABLE"; $$->name = $4; }
    | T_SHOW T_CREATE T_VIEW name { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "CREATE VIEW"; $$->name = $4; }
    | T_SHOW T_CREATE T_CATALOG identifier { MAKE($$ = statement_new(parse, LEAT_AST_SHOW, @$)); $$->what = "CREATE CATALOG"; MAKE($$->name = leat_ast_name_new(parse, $4, @4)); }
    | T_SHOW T_RESERVED { (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "SHOW %s is not supported", $2); YYABORT; }
    | T_SHOW T_IDENTIFIER { (void)leat_parse_fail(parse, @$, LEAT_UNSUPPORTED, "SHOW %s is not supported", $2); YYABORT; };
show_like: %empty { $$ = NULL; } | T_LIKE string_text { $$ = $2; };
show_from: %empty { $<name>$ = NULL; } | from_or_in name { $<name>$ = $2; };
from_or_in: T_FROM | T_IN;
opt_not_like: %empty { MAKE($<pair>$ = leat_arena_take(parse->arena, sizeof(leat_ast_pair))); }
    | opt_not T_LIKE string_text { MAKE($<pair>$ = leat_arena_take(parse->arena, sizeof(leat_ast_pair))); $<pair>$->key = $1 ? "NOT" : NULL; $<pair>$->value = $3; };

describe: describe_word opt_extended name { MAKE($$ = statement_new(parse, LEAT_AST_DESCRIBE, @$)); $$->what = "TABLE"; $$->is_extended = $2; $$->name = $3; }
    | describe_word T_CATALOG opt_extended identifier { MAKE($$ = statement_new(parse, LEAT_AST_DESCRIBE, @$)); $$->what = "CATALOG"; $$->is_extended = $3; MAKE($$->name = leat_ast_name_new(parse, $4, @4)); }
    | describe_word T_DATABASE opt_extended name { MAKE($$ = statement_new(parse, LEAT_AST_DESCRIBE, @$)); $$->what = "DATABASE"; $$->is_extended = $3; $$->name = $4; };
describe_word: T_DESCRIBE | T_DESC;
opt_extended: %empty { $$ = false; } | T_EXTENDED { $$ = true; };

set: T_SET { MAKE($$ = statement_new(parse, LEAT_AST_SET, @$)); }
    | T_SET string_text '=' string_text { MAKE($$ = statement_new(parse, LEAT_AST_SET, @$)); $$->key = $2; $$->name_place = @2; $$->value = $4; $$->value_place = @4; };
reset: T_RESET { MAKE($$ = statement_new(parse, LEAT_AST_RESET, @$)); }
    | T_RESET string_text { MAKE($$ = statement_new(parse, LEAT_AST_RESET, @$)); $$->key = $2; };

insert: T_INSERT into_overwrite name opt_hints opt_partition column_names query {
        MAKE($$ = statement_new(parse, LEAT_AST_INSERT, @$));
        $$->is_overwrite = $2;
        $$->name = $3;
        $$->hints = $4;
        $$->partition = $5;
        $$->column_names = $6;
        $$->query = $7;
        $$->query_place = @7;
    }
    | T_INSERT into_overwrite name opt_hints opt_partition query {
        MAKE($$ = statement_new(parse, LEAT_AST_INSERT, @$));
        $$->is_overwrite = $2;
        $$->name = $3;
        $$->hints = $4;
        $$->partition = $5;
        $$->query = $6;
        $$->query_place = @6;
    };
into_overwrite: T_INTO opt_table { $$ = false; } | T_OVERWRITE opt_table { $$ = true; };
opt_table: %empty | T_TABLE;
opt_partition: %empty { $$ = (leat_ast_list){0}; } | T_PARTITION '(' partition_pairs ')' { $$ = $3; };
partition_pairs: partition_pair { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | partition_pairs ',' partition_pair { $$ = $1; ADD($$, $3); };
partition_pair: identifier '=' value { MAKE($$ = leat_arena_take(parse->arena, sizeof *$$)); *$$ = (leat_ast_pair){.place = @1, .value_place = @3, .key = $1, .expr = $3}; };

explain: T_EXPLAIN opt_details explained { MAKE($$ = statement_new(parse, LEAT_AST_EXPLAIN, @$)); $$->details = $2; ADD($$->statements, $3); };
explained: insert | query_statement | T_STATEMENT T_SET T_BEGIN inserts T_END { MAKE($$ = statement_new(parse, LEAT_AST_STATEMENT_SET, @$)); $$->statements = $4; };
opt_details: %empty { $$ = (leat_ast_list){0}; } | T_PLAN T_FOR { $$ = (leat_ast_list){0}; } | details;
details: explain_detail { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | details ',' explain_detail { $$ = $1; ADD($$, $3); };
explain_detail: T_CHANGELOG_MODE { $$ = "CHANGELOG_MODE"; } | T_ESTIMATED_COST { $$ = "ESTIMATED_COST"; }
    | T_JSON_EXECUTION_PLAN { $$ = "JSON_EXECUTION_PLAN"; } | T_PLAN_ADVICE { $$ = "PLAN_ADVICE"; };

statement_set: T_EXECUTE T_STATEMENT T_SET T_BEGIN inserts T_END { MAKE($$ = statement_new(parse, LEAT_AST_STATEMENT_SET, @$)); $$->statements = $5; }
    | begin_set inserts T_END { $$ = $1; $$->place = @$; $$->statements = $2; };
begin_set: T_BEGIN T_STATEMENT T_SET ';' { MAKE($$ = statement_new(parse, LEAT_AST_STATEMENT_SET, @$)); };
inserts: insert ';' { $$ = (leat_ast_list){0}; ADD($$, $1); }
    | inserts insert ';' { $$ = $1; ADD($$, $2); };
%%

static leat_ast_statement *statement_new(leat_parse *parse, leat_ast_kind kind, leat_sql_range place)
{
    leat_ast_statement *statement = leat_arena_take(parse->arena, sizeof *statement);
    if (!statement) return NULL;
    statement->kind = kind;
    statement->place = place;
    return statement;
}

static leat_ast_expr *binary(leat_parse *parse, const char *sign, leat_sql_range place, leat_ast_expr *left,
                             leat_ast_expr *right)
{
    leat_ast_expr *expr = leat_ast_call_new(parse, sign, place, left, right);
    if (expr) expr->is_operator = true;
    return expr;
}

static leat_ast_query *query_new(leat_parse *parse, leat_ast_query_kind kind, leat_sql_range place)
{
    leat_ast_query *query = leat_arena_take(parse->arena, sizeof *query);
    if (!query) return NULL;
    query->kind = kind;
    query->place = place;
    query->depth = 1;
    return query;
}

static leat_ast_source *source_new(leat_parse *parse, leat_ast_source_kind kind, leat_sql_range place)
{
    leat_ast_source *source = leat_arena_take(parse->arena, sizeof *source);
    if (!source) return NULL;
    source->kind = kind;
    source->place = place;
    source->depth = 1;
    return source;
}

static const char *upper(leat_parse *parse, const char *text)
{
    char *copy = leat_arena_strdup(parse->arena, text);
    for (char *at = copy; at && *at; at++)
        if (*at >= 'a' && *at <= 'z') *at = (char)(*at - 'a' + 'A');
    return copy;
}

static int32_t type_depth(const leat_type *type, int32_t depth)
{
    int32_t deepest = depth;
    for (int32_t i = 0; i < type->children_count && depth <= LEAT_TYPE_DEPTH_MAX; i++) {
        int32_t child = type_depth(&type->children[i], depth + 1);
        if (child > deepest) deepest = child;
    }
    return deepest;
}

/* Children of ARRAY, MULTISET, MAP and ROW: pairs whose value is the leat_ast_type. */
static bool set_nested(leat_parse *parse, leat_ast_type *type, leat_ast_list *children)
{
    leat_type *types = leat_arena_take(parse->arena, (size_t)children->count * sizeof *types);
    const char **names = leat_arena_take(parse->arena, (size_t)children->count * sizeof *names);
    if (!types || !names) return false;
    for (int32_t i = 0; i < children->count; i++) {
        const leat_ast_pair *pair = children->items[i];
        types[i] = ((const leat_ast_type *)(const void *)pair->value)->type;
        names[i] = pair->key;
    }
    type->type.children_count = children->count;
    type->type.children = types;
    if (type->type.kind == LEAT_TYPE_ROW) type->type.child_names = names;
    if (type_depth(&type->type, 1) <= LEAT_TYPE_DEPTH_MAX) return true;
    (void)leat_parse_fail(parse, type->place, LEAT_LIMIT, "The type is nested deeper than %d levels", LEAT_TYPE_DEPTH_MAX);
    return false;
}

static void leat_sql_yyerror(leat_sql_range *place, leat_parse *parse, void *scanner, const char *message)
{
    (void)scanner;
    if (strstr(message, "memory exhausted"))
        (void)leat_parse_fail(parse, *place, LEAT_LIMIT, "The statement is nested too deep");
    else
        (void)leat_parse_fail(parse, *place, LEAT_INVALID, "%s", message);
}

/* "Encountered 'x'; expected A, B or C". With many possibilities only words that end a clause help; they are left out. */
static int yyreport_syntax_error(const yypcontext_t *context, leat_parse *parse, void *scanner)
{
    (void)scanner;
    enum { SHOWN = 6 };
    yysymbol_kind_t expected[SHOWN];
    leat_sql_range place = *yypcontext_location(context);
    yysymbol_kind_t found = yypcontext_token(context);
    if (found == YYSYMBOL_T_BAD && parse->code != LEAT_OK) return 0; /* the lexer said it */
    char list[512] = "";
    int count = yypcontext_expected_tokens(context, NULL, YYNTOKENS);
    if (count > 0 && count <= SHOWN && yypcontext_expected_tokens(context, expected, SHOWN) > 0) {
        size_t used = 0;
        for (int i = 0; i < count && used < sizeof list; i++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     i == 0 ? "" : (i == count - 1 ? " or " : ", "), yysymbol_name(expected[i]));
    } else if (count > SHOWN) {
        bool takes_name = false, takes_value = false;
        yysymbol_kind_t all[YYNTOKENS];
        int all_count = yypcontext_expected_tokens(context, all, YYNTOKENS);
        for (int i = 0; i < all_count; i++) {
            takes_name |= all[i] == YYSYMBOL_T_IDENTIFIER;
            takes_value |= all[i] == YYSYMBOL_T_DOUBLE_LITERAL;
        }
        if (takes_value)
            snprintf(list, sizeof list, "an expression");
        else if (takes_name)
            snprintf(list, sizeof list, "a name");
    }
    if (found == YYSYMBOL_YYEOF)
        (void)leat_parse_fail(parse, place, LEAT_INVALID, "The statement ends too early%s%s", *list ? "; expected " : "", list);
    else
        (void)leat_parse_fail(parse, place, LEAT_INVALID, "Encountered \"%.*s\"%s%s", place.end - place.start < 60 ? place.end - place.start : 60,
                              parse->text + place.start, *list ? "; expected " : "", list);
    bool is_reserved = false;
    if (place.end > place.start && leat_keyword_find(parse->text + place.start, place.end - place.start, &is_reserved) >= 0 && is_reserved)
        leat_fail_hint(parse->error, "%.*s is a reserved word: as a name write `%.*s`", place.end - place.start, parse->text + place.start,
                       place.end - place.start, parse->text + place.start);
    return 0;
}
