#include "cli/results.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "common/memory.h"

bool leat_cli_format_parse(const char *name, leat_cli_format *out)
{
    static const char *const names[] = {"table", "json", "csv", "rows"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *out = (leat_cli_format)i;
        return true;
    }
    return false;
}

/* --- texts --- */

static const char *cell_of(const json_t *row, size_t column)
{
    return json_string_value(json_array_get(row, column));
}

static void show_csv_cell(const char *text)
{
    if (text && text[0] && !strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
    } else if (text) {
        putchar('"');
        for (; *text; text++) {
            if (*text == '"') putchar('"');
            putchar(*text);
        }
        putchar('"');
    }
}

static void show_csv(const json_t *columns, const json_t *rows)
{
    for (size_t c = 0; c < json_array_size(columns); c++) {
        if (c) putchar(',');
        show_csv_cell(json_string_value(json_object_get(json_array_get(columns, c), "name")));
    }
    putchar('\n');
    for (size_t r = 0; r < json_array_size(rows); r++) {
        for (size_t c = 0; c < json_array_size(columns); c++) {
            if (c) putchar(',');
            show_csv_cell(cell_of(json_array_get(rows, r), c));
        }
        putchar('\n');
    }
}

static void show_json(const json_t *columns, const json_t *rows, bool as_arrays)
{
    for (size_t r = 0; r < json_array_size(rows); r++) {
        json_t *row = json_array_get(rows, r), *shown = as_arrays ? json_pack("[s]", "+I") : json_object();
        for (size_t c = 0; c < json_array_size(columns); c++) {
            const char *name = json_string_value(json_object_get(json_array_get(columns, c), "name"));
            if (as_arrays)
                json_array_append(shown, json_array_get(row, c));
            else
                json_object_set(shown, name ? name : "", json_array_get(row, c));
        }
        json_dumpf(shown, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(shown);
    }
}

static leat_code show_table(const json_t *columns, const json_t *rows, leat_error *error)
{
    const char *only =
        json_array_size(rows) == 1 && json_array_size(columns) == 1 ? cell_of(json_array_get(rows, 0), 0) : NULL;
    if (only && strchr(only, '\n')) { /* EXPLAIN, SHOW CREATE: a text of its own */
        puts(only);
        return LEAT_OK;
    }
    if (!json_array_size(rows)) {
        leat_cli_say("Empty set");
        return LEAT_OK;
    }
    leat_table_view view = {0};
    LEAT_TRY(leat_table_view_init(&view, columns, NULL, error));
    for (size_t r = 0; r < json_array_size(rows); r++)
        leat_table_view_fit_row(&view, json_array_get(rows, r), 0, INT_MAX);
    leat_table_print_head(&view, columns, NULL, stdout);
    for (size_t r = 0; r < json_array_size(rows); r++)
        leat_table_print_row(&view, json_array_get(rows, r), 0, "", stdout);
    leat_table_print_rule(&view, stdout);
    leat_table_view_done(&view);
    return LEAT_OK;
}

leat_code leat_results_show(const json_t *statement, leat_cli_format format, leat_error *error)
{
    const json_t *columns = json_object_get(statement, "columns"), *rows = json_object_get(statement, "rows");
    leat_code code = LEAT_OK;
    switch (format) {
    case LEAT_CLI_TABLE: code = show_table(columns, rows, error); break;
    case LEAT_CLI_CSV: show_csv(columns, rows); break;
    case LEAT_CLI_JSON: show_json(columns, rows, false); break;
    case LEAT_CLI_ROWS: show_json(columns, rows, true); break;
    }
    return code == LEAT_OK ? leat_cli_flush(error) : code;
}

/* --- fetching --- */

void leat_rows_answer_done(leat_rows_answer *answer)
{
    leat_bytes_done(&answer->body);
}

static leat_code fail_as_told(const json_t *about, leat_error *error)
{
    const char *text = json_string_value(json_object_get(about, "error")),
               *hint = json_string_value(json_object_get(about, "hint"));
    const char *task = json_string_value(json_object_get(about, "task")),
               *state = json_string_value(json_object_get(about, "state"));
    const char *between = task && task[0] ? ": " : "";
    leat_code code;
    if (text)
        code = leat_fail(error, LEAT_IO, "the query failed: %s%s%s", task ? task : "", between, text);
    else if (state && strcmp(state, "FAILED") == 0)
        code = leat_fail(error, LEAT_IO, "the query failed");
    else
        code = leat_fail(error, LEAT_IO, "the query was cancelled");
    if (hint && hint[0]) leat_fail_hint(error, "%s", hint);
    return code;
}

leat_code leat_rows_fetch(leat_cli_session *session, const json_t *statement, const char *format, int64_t from,
                          bool waits, leat_rows_answer *out, leat_error *error)
{
    char path[256];
    snprintf(path, sizeof path, "/leat/v1/sessions/%s/statements/%d/rows?from=%lld&format=%s%s", session->id,
             (int)json_integer_value(json_object_get(statement, "number")), (long long)from, format,
             waits ? "" : "&wait=false");
    LEAT_TRY(leat_client_call(session->client, "GET", path, NULL, &out->body, error));
    const char *start = (const char *)out->body.data, *newline = memchr(start, '\n', out->body.size);
    json_t *about = newline ? json_loadb(start, (size_t)(newline - start), 0, NULL) : NULL;
    if (!about) return leat_fail(error, LEAT_CORRUPT, "the job manager's answer has no first line of JSON");
    out->lines = newline + 1;
    out->lines_size = out->body.size - (size_t)(out->lines - start);
    out->next = json_integer_value(json_object_get(about, "next"));
    out->rows = json_integer_value(json_object_get(about, "rows"));
    out->is_end = json_is_true(json_object_get(about, "end"));
    const char *state = json_string_value(json_object_get(about, "state"));
    leat_code code = out->is_end && state && strcmp(state, "FINISHED") != 0 ? fail_as_told(about, error) : LEAT_OK;
    json_decref(about);
    return code;
}

json_t *leat_rows_next(const leat_rows_answer *answer, const char **at)
{
    const char *end = answer->lines + answer->lines_size;
    if (*at >= end) return NULL;
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    if (!newline) newline = end;
    json_t *row = json_loadb(*at, (size_t)(newline - *at), JSON_ALLOW_NUL, NULL);
    *at = newline + 1;
    return row;
}

/* --- queries --- */

static leat_code pass_lines(leat_cli_session *session, const json_t *statement, const char *format, leat_error *error)
{
    int64_t from = 0;
    for (bool is_end = false; !is_end;) {
        leat_rows_answer answer = {0};
        leat_code code = leat_rows_fetch(session, statement, format, from, true, &answer, error);
        if (code == LEAT_OK) {
            fwrite(answer.lines, 1, answer.lines_size, stdout);
            code = leat_cli_flush(error);
            from = answer.next;
            is_end = answer.is_end;
        }
        leat_rows_answer_done(&answer);
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

enum { FITTED_ROWS_MAX = 1000 };

/* A table being printed: a bounded result's first rows are held back until the widths are known. */
typedef struct table {
    leat_table_view view;
    const json_t *columns;
    const char *first; /* "op" of a stream */
    json_t *held;      /* NULL: the head is printed */
    int64_t rows_count;
} table;

static void print_held(table *self)
{
    if (!self->held) return;
    leat_table_print_head(&self->view, self->columns, self->first, stdout);
    for (size_t r = 0; r < json_array_size(self->held); r++) {
        leat_table_print_row(&self->view, json_array_get(self->held, r), self->first ? 0 : 1, "<NULL>", stdout);
    }
    json_decref(self->held);
    self->held = NULL;
}

static void take_row(table *self, json_t *row)
{
    int offset = self->first ? 0 : 1; /* the kind is in front */
    self->rows_count++;
    if (self->held) {
        leat_table_view_fit_row(&self->view, row, offset, LEAT_TABLE_CELL_MAX);
        json_array_append(self->held, row);
        if (json_array_size(self->held) == FITTED_ROWS_MAX) print_held(self);
    } else {
        leat_table_print_row(&self->view, row, offset, "<NULL>", stdout);
    }
}

static leat_code draw_rows(leat_cli_session *session, const json_t *statement, table *self, leat_error *error)
{
    int64_t from = 0;
    for (bool is_end = false; !is_end;) {
        leat_rows_answer answer = {0};
        leat_code code = leat_rows_fetch(session, statement, "rows", from, true, &answer, error);
        const char *at = answer.lines;
        for (json_t *row = NULL; code == LEAT_OK && (row = leat_rows_next(&answer, &at)); json_decref(row))
            take_row(self, row);
        from = answer.next;
        is_end = answer.is_end;
        leat_rows_answer_done(&answer);
        if (code == LEAT_OK) code = leat_cli_flush(error);
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

static leat_code draw_table(leat_cli_session *session, const json_t *statement, leat_error *error)
{
    bool is_stream = json_is_false(json_object_get(statement, "batch"));
    table self = {.columns = json_object_get(statement, "columns"), .first = is_stream ? "op" : NULL};
    int64_t started_ms = leat_cli_now_ms();
    LEAT_TRY(leat_table_view_init(&self.view, self.columns, self.first, error));
    if (is_stream) {
        for (size_t c = 0; c < json_array_size(self.columns); c++) {
            const char *type = json_string_value(json_object_get(json_array_get(self.columns, c), "type"));
            leat_table_view_fit_type(&self.view, (int)c + 1, type ? type : "");
        }
        leat_table_print_head(&self.view, self.columns, self.first, stdout);
        (void)fflush(stdout); /* an error shows at the next flush */
    } else {
        self.held = json_array();
    }
    leat_code code = draw_rows(session, statement, &self, error);
    if (self.rows_count) print_held(&self);
    json_decref(self.held);
    if (is_stream || self.rows_count) leat_table_print_rule(&self.view, stdout);
    leat_table_view_done(&self.view);
    if (code == LEAT_OK) code = leat_cli_flush(error);
    double seconds = (double)(leat_cli_now_ms() - started_ms) / 1000;
    if (code == LEAT_OK && !self.rows_count && !is_stream)
        leat_cli_say("Empty set (%.2f seconds)", seconds);
    else if (code == LEAT_OK && is_stream)
        leat_cli_say("Received a total of %lld rows (%.2f seconds)", (long long)self.rows_count, seconds);
    else if (code == LEAT_OK)
        leat_cli_say("%lld row%s in set (%.2f seconds)", (long long)self.rows_count, self.rows_count == 1 ? "" : "s",
                     seconds);
    return code;
}

leat_code leat_results_query(leat_cli_session *session, const json_t *statement, leat_cli_format format,
                             leat_error *error)
{
    static const char *const names[] = {"table", "json", "csv", "rows"};
    if (format == LEAT_CLI_TABLE) return draw_table(session, statement, error);
    return pass_lines(session, statement, names[format], error);
}
