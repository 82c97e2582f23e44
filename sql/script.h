/* A script: the user's text, the text with its variables replaced, and how a place in the second is found in the first,
 * so that errors show what the user wrote. */
#pragma once

#include "common/error.h"
#include "sql/ast.h"
#include "sql/session.h"

enum { LEAT_SCRIPT_BYTES_MAX = 8 << 20 };

/* From `at` in the replaced text on, places are `from_original` + distance; inside a value all are its '$'. */
typedef struct leat_script_piece {
    int32_t at, original;
    bool is_value;
} leat_script_piece;

typedef struct leat_script {
    char *name;
    char *original, *text;
    int32_t original_size, size;
    leat_script_piece *pieces;
    size_t pieces_count, pieces_capacity;
} leat_script;

LEAT_CHECKED leat_code leat_script_init(leat_script *script, const char *name, const char *text, size_t size,
                                        const leat_sql_variable *variables, size_t variables_count, leat_error *error);
void leat_script_done(leat_script *script);

/* Line from 1 of a place in the replaced text. */
int32_t leat_script_line(const leat_script *script, int32_t at);
/* Puts "name:line:column: " before the error's text and the line with a caret behind. Returns the code. */
leat_code leat_script_locate(const leat_script *script, leat_sql_range place, leat_code code, leat_error *error);
