#include <stdio.h>
#include <string.h>

#include "cli/attach.h"
#include "cli/connect.h"
#include "cli/results.h"
#include "common/memory.h"

enum { SCRIPTS_MAX = 256 };
enum { OPTION_FORMAT = 256, OPTION_DETACH, OPTION_VAR, OPTION_FROM_CHECKPOINT };

typedef struct script {
    const char *path; /* NULL: `text` is from -e */
    const char *text;
} script;

typedef struct run_arguments {
    leat_cli_place place;
    script init[SCRIPTS_MAX], scripts[SCRIPTS_MAX];
    int init_count, scripts_count;
    leat_cli_format format;
    bool is_detached;
    leat_config config, variables;
} run_arguments;

static const struct argp_option options[] = {
    {"init", 'i', "FILE", 0, "SQL that comes before: catalogs, tables, SET. May be given several times", 0},
    {NULL, 'e', "SQL", 0, "Run this text; may be given several times", 0},
    {"format", OPTION_FORMAT, "FORMAT", 0, "How rows are shown: table (the default), json, csv, rows", 0},
    {"detach", OPTION_DETACH, NULL, 0, "Submit the jobs and return; needs a cluster", 0},
    {"from-checkpoint", OPTION_FROM_CHECKPOINT, "PATH", 0,
     "The job begins from this checkpoint: a folder …/chk-7, or the job's above it for the newest", 0},
    {"var", OPTION_VAR, "NAME=VALUE", 0, "Value of ${NAME} in the SQL; else the environment's", 0},
    {NULL, 'D', "KEY=VALUE", 0, "Set an option of the session, as SET does", 0},
    {0},
};

static void add_script(struct argp_state *state, script *list, int *count, script added)
{
    if (*count == SCRIPTS_MAX) argp_error(state, "more than %d scripts", SCRIPTS_MAX);
    list[(*count)++] = added;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    run_arguments *given = state->input;
    leat_error error = {0};
    leat_code code = LEAT_OK;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &given->place; break;
    case 'i': add_script(state, given->init, &given->init_count, (script){.path = value}); break;
    case 'e': add_script(state, given->scripts, &given->scripts_count, (script){.text = value}); break;
    case ARGP_KEY_ARG: add_script(state, given->scripts, &given->scripts_count, (script){.path = value}); break;
    case OPTION_FORMAT:
        if (!leat_cli_format_parse(value, &given->format))
            argp_error(state, "format '%s' is none of table, json, csv, rows", value);
        break;
    case OPTION_DETACH: given->is_detached = true; break;
    case OPTION_FROM_CHECKPOINT: {
        char *path = leat_cli_absolute(value);
        code = leat_config_set(&given->config, "execution.state-recovery.path", path ? path : value, &error);
        leat_free(path);
        break;
    }
    case OPTION_VAR: code = leat_config_set_pair(&given->variables, value, &error); break;
    case 'D': code = leat_config_set_pair(&given->config, value, &error); break;
    case ARGP_KEY_END:
        if (!given->scripts_count && !given->init_count)
            argp_error(state, "nothing to run: name a file, or text with -e");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (code != LEAT_OK) argp_error(state, "%s%s%s", error.text, error.hint[0] ? "; " : "", error.hint);
    return 0;
}

typedef struct run {
    const run_arguments *given;
    leat_connection connection;
    leat_cli_session session;
    leat_attached attached;
} run;

static leat_code take_statement(run *self, const json_t *statement, leat_error *error)
{
    const char *kind = json_string_value(json_object_get(statement, "kind"));
    if (strcmp(kind, "rows") == 0) return leat_results_show(statement, self->given->format, error);
    if (strcmp(kind, "query") == 0) {
        if (!self->given->is_detached) return leat_results_query(&self->session, statement, self->given->format, error);
        leat_code code = leat_fail(error, LEAT_INVALID, "a SELECT needs somebody who reads its rows");
        leat_fail_hint(error, "run it without --detach, or INSERT its rows into a table");
        return code;
    }
    if (strcmp(kind, "job") != 0) return LEAT_OK;
    LEAT_TRY(leat_attached_add(&self->attached, statement, error));
    bool waits = json_is_true(json_object_get(statement, "waits"));
    return waits ? leat_attached_wait(&self->attached, self->connection.client, error) : LEAT_OK;
}

static leat_code run_script(run *self, const script *what, leat_error *error)
{
    leat_bytes text = {0};
    leat_code code = LEAT_OK;
    if (what->path)
        code = leat_cli_read_file(what->path, &text, error);
    else
        leat_bytes_text(&text, what->text);
    if (code == LEAT_OK) {
        code = leat_cli_session_begin(&self->session, what->path ? what->path : "SQL", &text, &self->given->variables,
                                      error);
    }
    for (bool is_end = false; code == LEAT_OK && !is_end;) {
        json_t *statement = NULL;
        code = leat_cli_session_next(&self->session, &statement, error);
        const char *kind = json_string_value(json_object_get(statement, "kind"));
        is_end = !kind || strcmp(kind, "end") == 0;
        if (code == LEAT_OK && !is_end) code = take_statement(self, statement, error);
        json_decref(statement);
    }
    leat_bytes_done(&text);
    return code;
}

static leat_code run_all(run *self, leat_error *error)
{
    const run_arguments *given = self->given;
    LEAT_TRY(leat_connection_open(&given->place, given->is_detached ? NULL : &given->config, &self->connection, error));
    self->attached.is_embedded = self->connection.is_embedded;
    LEAT_TRY(leat_cli_session_open(&self->session, self->connection.client, &given->config, error));
    for (int i = 0; i < given->init_count; i++)
        LEAT_TRY(run_script(self, &given->init[i], error));
    for (int i = 0; i < given->scripts_count; i++)
        LEAT_TRY(run_script(self, &given->scripts[i], error));
    return given->is_detached ? LEAT_OK : leat_attached_wait(&self->attached, self->connection.client, error);
}

int leat_cli_run(int argc, char **argv)
{
    static const struct argp_child children[] = {{&leat_cli_place_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse_option,
        "[FILE.sql…]",
        "Run SQL. SELECT shows its rows on stdout; INSERT starts a job, and `run` stays until its jobs have "
        "ended (Ctrl-C cancels them). \"-\" is standard input.\vExamples:\n"
        "  leat run -e \"SELECT 1 + 1 AS two\"\n"
        "  leat run -i catalog.sql ingest.sql aggregate.sql --detach\n"
        "  leat run --format json --var RATE=50 query.sql\n"
        "  leat run -D execution.runtime-mode=batch -D parallelism.default=2 job.sql",
        children,
        NULL,
        NULL};
    static run_arguments given;
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_cli_check_keys(&given.config);
    static run self;
    self = (run){.given = &given, .connection = {.pipe = -1}};
    leat_error error = {0};
    leat_code code = run_all(&self, &error);
    int exit_code =
        code == LEAT_OK ? (self.attached.failed ? LEAT_EXIT_FAILED : LEAT_EXIT_GOOD) : leat_cli_failed(&error);
    if (self.connection.client) {
        if (code != LEAT_OK && !given.is_detached) leat_attached_cancel(&self.attached, self.connection.client);
        if (code != LEAT_OK) leat_client_finish(self.connection.client);
        leat_cli_session_close(&self.session);
    }
    leat_connection_done(&self.connection);
    leat_config_done(&given.config);
    leat_config_done(&given.variables);
    leat_cli_progress_end();
    return exit_code;
}
