/* Showing what statements answer. Formats: `table` for people; `json` (an object a row), `csv` and `rows` (a JSON array
 * a row, kind first) for programs: those are made by the job manager (jobmanager/row_format.h) and passed on as they
 * come. */
#pragma once

#include "cli/statements.h"

typedef enum leat_cli_format { LEAT_CLI_TABLE, LEAT_CLI_JSON, LEAT_CLI_CSV, LEAT_CLI_ROWS } leat_cli_format;

/* false: unknown. */
bool leat_cli_format_parse(const char *name, leat_cli_format *out);

/* The texts of SHOW, DESCRIBE, EXPLAIN. */
LEAT_CHECKED leat_code leat_results_show(const json_t *statement, leat_cli_format format, leat_error *error);
/* The rows of a SELECT until its job has ended. CANCELED at a signal; a failed job is an error. */
LEAT_CHECKED leat_code leat_results_query(leat_cli_session *session, const json_t *statement, leat_cli_format format,
                                          leat_error *error);

/* A look at the rows of a query. */
typedef struct leat_rows_answer {
    leat_bytes body;
    const char *lines; /* in body */
    size_t lines_size;
    int64_t next, rows;
    bool is_end;
} leat_rows_answer;

/* Asks for the rows from number `from` on and waits until there are some (or the end, or, without `waits`, not at all).
 * A failed job is an error. leat_rows_answer_done frees. */
LEAT_CHECKED leat_code leat_rows_fetch(leat_cli_session *session, const json_t *statement, const char *format,
                                       int64_t from, bool waits, leat_rows_answer *out, leat_error *error);
void leat_rows_answer_done(leat_rows_answer *answer);
/* The next line of "rows" as a JSON array, NULL at the end. *at begins at answer->lines. */
json_t *leat_rows_next(const leat_rows_answer *answer, const char **at);
