/* Typed expressions: what the SQL validator makes of an expression, what plans carry, and what is compiled to run.
 *
 *   SQL text ── sql/ ──▶ leat_expr tree (typed, casts explicit) ── write/read ──▶ operator configuration
 *                                                             └── leat_program_compile ──▶ flat program, a column a
 * step
 *
 * A tree is immutable and lives in one arena. Functions are rows of the table columnar/functions.* (one table: names,
 * types, NULL rule, documentation, test vectors), found by name and argument types; a call names its function by a
 * stable text id. Not nested: children are an array of pointers, depth is limited to LEAT_EXPR_DEPTH_MAX. */
#pragma once

#include "columnar/batch.h"
#include "columnar/type.h"
#include "common/arena.h"
#include "common/env.h"

enum { LEAT_EXPR_DEPTH_MAX = 128, LEAT_EXPR_ARGUMENTS_MAX = 256 };

typedef enum leat_expr_kind {
    LEAT_EXPR_LITERAL,
    LEAT_EXPR_COLUMN,
    LEAT_EXPR_CALL,     /* kernel from the table */
    LEAT_EXPR_CAST,     /* arguments[0] to type; fails on bad input */
    LEAT_EXPR_TRY_CAST, /* NULL on bad input */
    LEAT_EXPR_CASE,     /* when1, then1, …, else: evaluated for the rows that reach each branch only */
    LEAT_EXPR_AND,      /* three-valued; the right side only for rows that the left does not decide */
    LEAT_EXPR_OR,
    LEAT_EXPR_COALESCE,
} leat_expr_kind;

/* A constant. NULL when is_null. */
typedef struct leat_value {
    bool is_null;
    union {
        int64_t i64;   /* BOOLEAN, integers, DATE, TIME, TIMESTAMPs, intervals: as the column holds them */
        double f64;    /* FLOAT, DOUBLE */
        __int128 i128; /* DECIMAL, unscaled */
        struct {
            const char *data; /* text and bytes; may hold NULs */
            int32_t length;
        } text;
    };
} leat_value;

typedef struct leat_expr leat_expr;
struct leat_expr {
    leat_expr_kind kind;
    leat_type type;       /* of the result */
    leat_value value;     /* LITERAL */
    int32_t column;       /* COLUMN: index in the input */
    const char *function; /* CALL: id in the function table */
    int32_t arguments_count;
    const leat_expr *const *arguments;
};

/* Binary form for operator configurations. */
void leat_expr_write(const leat_expr *expr, leat_bytes *out);
LEAT_CHECKED leat_code leat_expr_read(leat_reader *reader, leat_arena *arena, const leat_expr **out, leat_error *error);
/* As SQL, for EXPLAIN: names from `schema`. Appends NUL-terminated text. */
void leat_expr_print(const leat_expr *expr, const leat_schema *schema, leat_bytes *out);

/* A function call as the validator resolved it. `casts[i]`: the type argument i must be cast to (equal to its own:
 * none). */
typedef struct leat_function_match {
    const char *id;
    leat_type type; /* of the result */
    leat_type casts[LEAT_EXPR_ARGUMENTS_MAX];
    bool is_deterministic; /* may be folded while planning */
    bool is_dynamic;       /* PROCTIME, NOW, …: once a row in streaming, once a query in batch */
} leat_function_match;

/* `name` in any case; operators by their signs: "+", "=", "||", "LIKE", "IS NULL", "NOT", "BETWEEN", "IN" (value
 * first); a sole argument of "-" is negated; TRIM's forms are "TRIM", "TRIM_LEADING", "TRIM_TRAILING" (text,
 * characters). LEAT_NOT_FOUND (with the nearest name as a hint) or LEAT_INVALID with Flink's words: "Cannot apply '+'
 * to arguments of type …". */
LEAT_CHECKED leat_code leat_function_resolve(const char *name, const leat_type *arguments, int32_t count,
                                             leat_function_match *out, leat_error *error);
/* The same for expressions: the types of ROUND and TRUNCATE depend on a literal's value. Prefer this one. */
LEAT_CHECKED leat_code leat_function_resolve_exprs(const char *name, const leat_expr *const *arguments, int32_t count,
                                                   leat_function_match *out, leat_error *error);
/* Whether any function has this name. */
bool leat_function_exists(const char *name);

/* The type that all branches of CASE, COALESCE, UNION, IN take. LEAT_INVALID when there is none. */
LEAT_CHECKED leat_code leat_type_common(const leat_type *types, int32_t count, leat_type *out, leat_error *error);
/* Whether CAST(from AS to) is known at all; whether it may be put in implicitly (assignment to a column). */
bool leat_cast_is_known(const leat_type *from, const leat_type *to);
bool leat_cast_is_implicit(const leat_type *from, const leat_type *to);

typedef struct leat_program leat_program;

/* What programs need of the session. */
typedef struct leat_program_options {
    const char *time_zone; /* IANA name; NULL: UTC */
    leat_env *env;         /* for PROCTIME and the like */
    int64_t now_ms;        /* the instant that they all give; 0: of each batch its own, when it is evaluated */
    bool folds_clock;      /* leat_expr_fold: NOW and the like too, as a batch query has one instant; PROCTIME stays */
} leat_program_options;

/* Compiles several expressions over one input schema into one program; common parts are computed once. */
LEAT_CHECKED leat_code leat_program_compile(const leat_expr *const *exprs, int32_t count, const leat_schema *input,
                                            const leat_program_options *options, leat_program **out, leat_error *error);
void leat_program_free(leat_program *program);
/* Evaluates for the selected rows. out[i] is a column as long as batch->rows whose values at unselected rows are
 * undefined (but memory-safe); a plain column reference shares the input's buffers. The caller clears the columns.
 * LEAT_INVALID: an expression failed on a row (division by zero, a cast): the text is Flink's. */
LEAT_CHECKED leat_code leat_program_run(leat_program *program, const leat_batch *batch, leat_column *out,
                                        leat_error *error);
/* A filter: evaluates the one BOOLEAN expression and narrows the batch's selection to the rows where it is TRUE. */
LEAT_CHECKED leat_code leat_program_filter(leat_program *program, leat_batch *batch, leat_error *error);

/* Folds constants: an equal or simpler tree. Errors of constants are refused here, as Flink does while planning. */
LEAT_CHECKED leat_code leat_expr_fold(leat_arena *arena, const leat_expr *expr, const leat_program_options *options,
                                      const leat_expr **out, leat_error *error);

/* A value of a column as Flink's client prints it (fixtures/flink-sql); NULL → "NULL". Appends NUL-terminated text. */
void leat_value_print(const leat_type *type, const leat_column *column, int32_t row, const char *time_zone,
                      leat_bytes *out);
