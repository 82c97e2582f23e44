#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/connect.h"
#include "cli/results.h"
#include "cli/table.h"
#include "common/memory.h"

enum { OPTION_FORMAT = 256, OPTION_ONCE, ROWS_KEPT_MAX = 10000, REPAINT_MS = 250, PICTURE_LINES = 5 };

typedef enum tail_format { TAIL_TABLE, TAIL_JSON, TAIL_CHANGELOG } tail_format;

typedef struct tail_arguments {
    leat_cli_place place;
    char *table;
    tail_format format;
    bool is_once;
    leat_config config;
} tail_arguments;

static const struct argp_option options[] = {
    {"format", OPTION_FORMAT, "FORMAT", 0,
     "table (repainted; the default), json (an object a change), changelog (an array a change)", 0},
    {"once", OPTION_ONCE, NULL, 0, "Show the rows as they are now, and end", 0},
    {NULL, 'D', "KEY=VALUE", 0, "Set an option of the session", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    static const char *const formats[] = {"table", "json", "changelog"};
    tail_arguments *given = state->input;
    leat_error error = {0};
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &given->place; return 0;
    case OPTION_FORMAT:
        for (int i = 0; i < 3; i++) {
            if (strcmp(formats[i], value) != 0) continue;
            given->format = (tail_format)i;
            return 0;
        }
        argp_error(state, "format '%s' is none of table, json, changelog", value);
        return 0;
    case OPTION_ONCE: given->is_once = true; return 0;
    case 'D':
        if (leat_config_set_pair(&given->config, value, &error) != LEAT_OK) argp_error(state, "%s", error.text);
        return 0;
    case ARGP_KEY_ARG:
        if (given->table) argp_error(state, "'%s' is one word too many", value);
        given->table = value;
        return 0;
    case ARGP_KEY_END:
        if (!given->table) argp_error(state, "say which table: CATALOG.DATABASE.TABLE");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* --- the table's name --- */

typedef struct table_name {
    char parts[3][128];
} table_name;

/* catalog.database.table; a part in backquotes may hold dots. */
static leat_code parse_name(const char *text, table_name *out, leat_error *error)
{
    int part = 0;
    size_t length = 0;
    bool is_quoted = false;
    for (const char *at = text; *at; at++) {
        if (*at == '`')
            is_quoted = !is_quoted;
        else if (*at == '.' && !is_quoted && part < 2) {
            out->parts[part++][length] = '\0';
            length = 0;
        } else if (length < sizeof out->parts[0] - 1) {
            out->parts[part][length++] = *at;
        }
    }
    out->parts[part][length] = '\0';
    if (part == 2 && out->parts[0][0] && out->parts[1][0] && out->parts[2][0] && !is_quoted) return LEAT_OK;
    leat_code code = leat_fail(error, LEAT_INVALID, "'%s' is not the full name of a table", text);
    leat_fail_hint(error, "write CATALOG.DATABASE.TABLE, for example house.default.orders");
    return code;
}

/* --- current rows --- */

/* The rows as they are after the changes so far, by key: the primary key's texts, or the whole row where there is none.
 */
typedef struct current {
    json_t *rows;    /* key → row (with its kind in front) */
    json_t *columns; /* of the statement; borrowed */
    int keys[64], keys_count;
    int64_t changes;
    bool has_dropped;  /* too many rows: older ones are not shown */
    int painted_lines; /* of the last picture; PICTURE_LINES of them are no rows */
} current;

static void find_keys(current *self, const json_t *table)
{
    const json_t *names = json_object_get(table, "primary-key");
    for (size_t k = 0; k < json_array_size(names) && self->keys_count < 64; k++) {
        for (size_t c = 0; c < json_array_size(self->columns); c++) {
            const char *name = json_string_value(json_object_get(json_array_get(self->columns, c), "name"));
            const char *wanted = json_string_value(json_array_get(names, k));
            if (name && wanted && strcmp(name, wanted) == 0) self->keys[self->keys_count++] = (int)c;
        }
    }
}

static char *key_of(const current *self, const json_t *row)
{
    json_t *key = json_array();
    for (int k = 0; k < self->keys_count; k++)
        json_array_append(key, json_array_get(row, (size_t)self->keys[k] + 1));
    for (size_t c = 1; !self->keys_count && c < json_array_size(row); c++)
        json_array_append(key, json_array_get(row, c));
    char *text = json_dumps(key, JSON_COMPACT);
    json_decref(key);
    return text;
}

/* Of equal rows without a key each has a number behind: "…#2". */
static void apply(current *self, json_t *row)
{
    const char *kind = json_string_value(json_array_get(row, 0));
    bool is_add = kind && kind[0] == '+';
    char *key = key_of(self, row);
    self->changes++;
    if (!key) return;
    if (self->keys_count) {
        if (is_add)
            json_object_set(self->rows, key, row);
        else
            json_object_del(self->rows, key);
    } else {
        char *last = NULL;
        for (int n = 1;; n++) {
            char *numbered = leat_format("%s#%d", key, n);
            bool is_there = numbered && json_object_get(self->rows, numbered);
            if (numbered && !is_there && is_add) json_object_set(self->rows, numbered, row);
            if (!is_there) {
                leat_free(numbered);
                break;
            }
            leat_free(last);
            last = numbered;
        }
        if (!is_add && last) json_object_del(self->rows, last);
        leat_free(last);
    }
    free(key); /* Jansson's allocation */
    if (json_object_size(self->rows) > ROWS_KEPT_MAX) {
        json_object_del(self->rows, json_object_iter_key(json_object_iter(self->rows))); /* the oldest */
        self->has_dropped = true;
    }
}

static const current *sorting; /* qsort has no argument; one thread */

static int compare_cells(const json_t *left, const json_t *right)
{
    const char *a = json_string_value(left), *b = json_string_value(right);
    if (!a || !b) return (a != NULL) - (b != NULL);
    char *a_end, *b_end;
    double x = strtod(a, &a_end), y = strtod(b, &b_end);
    if (*a && *b && !*a_end && !*b_end) return (x > y) - (x < y);
    return strcmp(a, b);
}

static int compare_rows(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    int order = 0;
    for (int k = 0; k < sorting->keys_count && !order; k++) {
        size_t column = (size_t)sorting->keys[k] + 1;
        order = compare_cells(json_array_get(a, column), json_array_get(b, column));
    }
    return order;
}

static int terminal_rows(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 8 ? size.ws_row : 0;
}

/* On a terminal the picture takes the place of the one before, and what stands above it stays. Long lines are cut at
 * the edge: wrapped ones would take more lines than are gone back. */
static void begin_picture(int lines_before)
{
    if (lines_before) printf("\033[%dA", lines_before);
    fputs("\r\033[J\033[?7l", stdout);
}

static leat_code paint(current *self, const char *name, leat_error *error)
{
    size_t count = json_object_size(self->rows), used = 0;
    json_t **sorted = leat_calloc(count + 1, sizeof *sorted);
    if (!sorted) return leat_fail_no_memory(error);
    const char *key;
    json_t *row;
    json_object_foreach(self->rows, key, row) sorted[used++] = row;
    sorting = self;
    if (self->keys_count) qsort(sorted, used, sizeof *sorted, compare_rows);
    bool is_terminal = isatty(STDOUT_FILENO);
    size_t shown = used, room = (size_t)terminal_rows();
    if (is_terminal && room && used > room - 7) shown = room - 7;
    size_t first = self->keys_count ? 0 : used - shown; /* of a stream of rows the newest */
    leat_table_view view = {0};
    leat_code code = leat_table_view_init(&view, self->columns, NULL, error);
    for (size_t r = first; code == LEAT_OK && r < first + shown; r++)
        leat_table_view_fit_row(&view, sorted[r], 1, LEAT_TABLE_CELL_MAX);
    if (code == LEAT_OK) {
        if (is_terminal) begin_picture(self->painted_lines);
        if (is_terminal) printf("%s · %zu rows · %" PRId64 " changes\n", name, used, self->changes);
        leat_table_print_head(&view, self->columns, NULL, stdout);
        for (size_t r = first; r < first + shown; r++)
            leat_table_print_row(&view, sorted[r], 1, "<NULL>", stdout);
        leat_table_print_rule(&view, stdout);
        bool has_more = shown < used || self->has_dropped;
        if (has_more) printf("… %zu of %zu rows shown\n", shown, used);
        fputs(is_terminal ? "\033[?7h" : "\n", stdout);
        self->painted_lines = (int)shown + PICTURE_LINES + has_more;
        code = leat_cli_flush(error);
    }
    leat_table_view_done(&view);
    leat_free(sorted);
    return code;
}

static leat_code watch(leat_cli_session *session, const json_t *statement, const json_t *table, const char *name,
                       leat_error *error)
{
    current self = {.rows = json_object(), .columns = json_object_get(statement, "columns")};
    find_keys(&self, table);
    (void)setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* a picture is written at once: no flicker */
    int64_t from = 0, painted_ms = 0;
    bool is_dirty = false, is_end = false;
    leat_code code = LEAT_OK;
    while (code == LEAT_OK && (!is_end || is_dirty)) {
        leat_rows_answer answer = {0};
        /* With a picture due, look without waiting: rows that come quickly make one picture, not many. */
        code = leat_rows_fetch(session, statement, "rows", from, !is_dirty, &answer, error);
        const char *at = answer.lines;
        for (json_t *row = NULL; code == LEAT_OK && (row = leat_rows_next(&answer, &at)); json_decref(row))
            apply(&self, row);
        is_dirty = is_dirty || answer.rows > 0;
        from = answer.next;
        is_end = answer.is_end;
        int64_t now_ms = leat_cli_now_ms();
        bool is_due = now_ms - painted_ms >= REPAINT_MS || is_end;
        if (code == LEAT_OK && is_dirty && is_due) {
            code = paint(&self, name, error);
            painted_ms = now_ms;
            is_dirty = false;
        } else if (code == LEAT_OK && is_dirty && !answer.rows) {
            code = leat_cli_sleep(REPAINT_MS - (now_ms - painted_ms), error);
        }
        leat_rows_answer_done(&answer);
    }
    json_decref(self.rows);
    return code;
}

/* --- the command --- */

static leat_code start_query(leat_cli_session *session, const table_name *name, json_t **statement, leat_error *error)
{
    leat_bytes text = {0};
    leat_config none = {0};
    leat_bytes_format(&text, "SELECT * FROM `%s`.`%s`.`%s`", name->parts[0], name->parts[1], name->parts[2]);
    leat_code code = leat_bytes_check(&text, error);
    if (code == LEAT_OK) code = leat_cli_session_begin(session, "tail", &text, &none, error);
    if (code == LEAT_OK) code = leat_cli_session_next(session, statement, error);
    leat_bytes_done(&text);
    return code;
}

static leat_code get_table(leat_cli_session *session, const table_name *name, json_t **out, leat_error *error)
{
    leat_bytes path = {0};
    leat_bytes_format(&path, "/leat/v1/sessions/%s/tables", session->id);
    for (int i = 0; i < 3; i++) {
        leat_bytes_text(&path, "/");
        leat_client_escape(name->parts[i], &path);
    }
    leat_code code = leat_bytes_check(&path, error);
    if (code == LEAT_OK) code = leat_client_json(session->client, "GET", (const char *)path.data, NULL, out, error);
    leat_bytes_done(&path);
    return code;
}

static leat_code tail(tail_arguments *given, leat_connection *connection, leat_cli_session *session, leat_error *error)
{
    table_name name;
    LEAT_TRY(parse_name(given->table, &name, error));
    LEAT_TRY(leat_connection_open(&given->place, NULL, connection, error));
    LEAT_TRY(leat_config_set(&given->config, "execution.runtime-mode", given->is_once ? "batch" : "streaming", error));
    LEAT_TRY(leat_cli_session_open(session, connection->client, &given->config, error));
    json_t *table = NULL, *statement = NULL;
    leat_code code = get_table(session, &name, &table, error);
    if (code == LEAT_OK) code = start_query(session, &name, &statement, error);
    static const leat_cli_format formats[] = {LEAT_CLI_TABLE, LEAT_CLI_JSON, LEAT_CLI_ROWS};
    if (code == LEAT_OK && !given->is_once && given->format == TAIL_TABLE)
        code = watch(session, statement, table, given->table, error);
    else if (code == LEAT_OK)
        code = leat_results_query(session, statement, formats[given->format], error);
    json_decref(table);
    json_decref(statement);
    return code;
}

int leat_cli_tail(int argc, char **argv)
{
    static const struct argp_child children[] = {{&leat_cli_place_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse_option,
        "CATALOG.DATABASE.TABLE",
        "Watch a table: its current rows, repainted as they change, until Ctrl-C.\vExamples:\n"
        "  leat tail house.default.country_sales\n"
        "  leat tail house.default.orders --once --format json\n"
        "  leat tail house.default.clients --format changelog",
        children,
        NULL,
        NULL};
    tail_arguments given = {0};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_connection connection = {.pipe = -1};
    leat_cli_session session = {0};
    leat_error error = {0};
    leat_code code = tail(&given, &connection, &session, &error);
    if (connection.client) {
        if (code != LEAT_OK) leat_client_finish(connection.client);
        leat_cli_session_close(&session);
    }
    leat_connection_done(&connection);
    leat_config_done(&given.config);
    /* Watching ends by Ctrl-C: that is its good end. */
    bool is_watched = code == LEAT_CANCELED && !given.is_once;
    return code == LEAT_OK || is_watched ? LEAT_EXIT_GOOD : leat_cli_failed(&error);
}
