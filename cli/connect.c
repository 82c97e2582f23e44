#include "cli/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/state.h"
#include "common/memory.h"

enum { START_TIMEOUT_MS = 10000, END_PATIENCE_MS = 12000, SLOTS_EMBEDDED = 64, ARGUMENTS_MAX = 128, FD_MIN = 10 };

static leat_code check_running(const leat_state *state, leat_error *error)
{
    const leat_state_process *jobmanager = leat_state_jobmanager(state);
    if (jobmanager && leat_process_is_alive(&jobmanager->process)) return LEAT_OK;
    leat_code code = leat_fail(error, LEAT_UNAVAILABLE, "the job manager of the cluster in %s has ended", state->dir);
    leat_fail_hint(
        error,
        "'leat cluster start' starts it again, and it goes on with its jobs; 'leat cluster stop' ends what is left");
    return code;
}

/* The URL of a cluster that was named or started; empty: none. */
static leat_code find_url(const leat_cli_place *place, char *out, size_t size, leat_error *error)
{
    const char *named = place->jobmanager ? place->jobmanager : place->dir ? NULL : getenv("LEAT_JOBMANAGER");
    out[0] = '\0';
    if (named && named[0]) {
        snprintf(out, size, "%s", named);
        return LEAT_OK;
    }
    char dir[4096];
    leat_state state;
    LEAT_TRY(leat_state_dir(place->dir, dir, sizeof dir, error));
    leat_code code = leat_state_read(dir, &state, error);
    if (code == LEAT_OK && state.exists) {
        code = check_running(&state, error);
        snprintf(out, size, "%s", state.rest);
    } else if (code == LEAT_OK && place->dir) {
        code = leat_fail(error, LEAT_NOT_FOUND, "there is no cluster in %s", dir);
        leat_fail_hint(error, "start one with 'leat cluster start --dir %s'", place->dir);
    }
    leat_state_done(&state);
    return code;
}

/* --- embedded --- */

typedef struct arguments {
    char *list[ARGUMENTS_MAX];
    int count;
} arguments;

static void put(arguments *self, char *text)
{
    if (text && self->count < ARGUMENTS_MAX - 1)
        self->list[self->count++] = text;
    else
        leat_free(text);
}

static void free_arguments(arguments *self)
{
    for (int i = 0; i < self->count; i++)
        leat_free(self->list[i]);
}

static void put_options(arguments *self, const leat_config *options)
{
    for (size_t i = 0; i < options->count; i++)
        put(self, leat_format("-D%s=%s", options->entries[i].key, options->entries[i].value));
}

/* Descriptors above what children get: posix_spawn's copies cannot meet their sources. */
static leat_code make_pipe(int ends[2], leat_error *error)
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0) return leat_fail_errno(error, LEAT_LIMIT, errno, "pipe");
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FD_MIN);
        close(low[i]);
    }
    return ends[0] >= 0 && ends[1] >= 0 ? LEAT_OK : leat_fail_errno(error, LEAT_LIMIT, errno, "pipe");
}

static leat_code add_child(leat_connection *self, pid_t pid, leat_error *error)
{
    leat_process_id child = {pid, leat_process_start_time(pid)};
    self->children[self->children_count++] = child;
    return child.started ? LEAT_OK
                         : leat_fail(error, LEAT_UNAVAILABLE, "a process of the embedded cluster ended at once");
}

static leat_code start_jobmanager(leat_connection *self, const leat_config *options, int parent, json_t **report,
                                  leat_error *error)
{
    char program[4096];
    LEAT_TRY(leat_process_find("leat-jobmanager", program, sizeof program, error));
    int ends[2];
    LEAT_TRY(make_pipe(ends, error));
    arguments given = {0};
    put(&given, leat_strdup("leat-jobmanager"));
    put(&given, leat_format("--dir=%s", self->dir));
    put(&given, leat_strdup("--remove-dir"));
    put_options(&given, options);
    put(&given, leat_strdup("--rest-port=0"));
    put(&given, leat_strdup("--parent-fd=3"));
    put(&given, leat_strdup("--report-fd=4"));
    put(&given, leat_format("--log=%s/log/jobmanager.log", self->dir));
    leat_process_options spawn = {.program = program, .arguments = given.list, .inherited = {parent, ends[1]}};
    pid_t pid = 0;
    leat_code code = leat_process_spawn(&spawn, &pid, error);
    free_arguments(&given);
    close(ends[1]);
    if (code == LEAT_OK) code = add_child(self, pid, error);
    if (code == LEAT_OK) code = leat_process_read_report(ends[0], START_TIMEOUT_MS, report, error);
    close(ends[0]);
    return code;
}

static leat_code start_taskmanager(leat_connection *self, const leat_config *options, int parent, const char *control,
                                   leat_error *error)
{
    char program[4096];
    LEAT_TRY(leat_process_find("leat-taskmanager", program, sizeof program, error));
    arguments given = {0};
    put(&given, leat_strdup("leat-taskmanager"));
    put(&given, leat_format("--jobmanager=%s", control));
    put(&given, leat_strdup("--id=tm-1"));
    if (!leat_config_find(options, "taskmanager.numberOfTaskSlots"))
        put(&given, leat_format("--slots=%d", SLOTS_EMBEDDED));
    put_options(&given, options);
    put(&given, leat_strdup("--parent-fd=3"));
    put(&given, leat_format("--log=%s/log/tm-1.log", self->dir));
    leat_process_options spawn = {.program = program, .arguments = given.list, .inherited = {parent, -1}};
    pid_t pid = 0;
    leat_code code = leat_process_spawn(&spawn, &pid, error);
    free_arguments(&given);
    return code == LEAT_OK ? add_child(self, pid, error) : code;
}

/* Of what has ended, the log's last lines: the folder goes with the cluster. */
static void say_last_words(const leat_connection *connection)
{
    static const char *const names[] = {"jobmanager", "tm-1"};
    enum { NAMES = sizeof names / sizeof names[0] };
    for (size_t i = 0; i < connection->children_count && i < NAMES; i++) {
        if (leat_process_is_alive(&connection->children[i])) continue;
        leat_bytes words = {0};
        char *path = leat_format("%s/log/%s.log", connection->dir, names[i]);
        if (path) leat_process_last_words(path, &words);
        if (words.size) leat_cli_say("the last words of %s:\n%s", names[i], (const char *)words.data);
        leat_free(path);
        leat_bytes_done(&words);
    }
}

static leat_code start_embedded(leat_connection *self, const leat_config *options, leat_error *error)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(self->dir, sizeof self->dir, "%s/leat-XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
    self->is_embedded = true;
    if (!mkdtemp(self->dir)) {
        leat_code code =
            leat_fail_errno(error, leat_code_of_errno(errno), errno, "make a temporary folder %s", self->dir);
        self->dir[0] = '\0';
        return code;
    }
    LEAT_TRY(leat_state_make_dir(self->dir, error));
    int ends[2];
    LEAT_TRY(make_pipe(ends, error));
    self->pipe = ends[1];
    json_t *report = NULL;
    leat_code code = start_jobmanager(self, options, ends[0], &report, error);
    const char *control = json_string_value(json_object_get(report, "control"));
    if (code == LEAT_OK && !control) code = leat_fail(error, LEAT_CORRUPT, "the job manager did not report its ports");
    if (code == LEAT_OK) code = start_taskmanager(self, options, ends[0], control, error);
    close(ends[0]);
    if (code == LEAT_OK) {
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%d", (int)json_integer_value(json_object_get(report, "rest")));
        code = leat_client_new(url, &self->client, error);
    }
    leat_cli_signals_watch_children();
    json_decref(report);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "start an embedded cluster");
}

leat_code leat_connection_open(const leat_cli_place *place, const leat_config *options, leat_connection *out,
                               leat_error *error)
{
    *out = (leat_connection){.pipe = -1};
    char url[512];
    leat_code code = find_url(place, url, sizeof url, error);
    if (code != LEAT_OK) return code;
    if (url[0]) return leat_client_new(url, &out->client, error);
    if (options) {
        code = start_embedded(out, options, error);
        if (code != LEAT_OK) leat_connection_done(out);
        return code;
    }
    code = leat_fail(error, LEAT_NOT_FOUND, "there is no cluster to talk to");
    leat_fail_hint(error, "start one with 'leat cluster start', or name one with --jobmanager URL");
    return code;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    (void)remove(path); /* the folder above tells whether anything is left */
    return 0;
}

void leat_connection_done(leat_connection *connection)
{
    leat_client_free(connection->client);
    say_last_words(connection);
    if (connection->pipe >= 0) close(connection->pipe); /* the children read its end, and end */
    if (connection->children_count)
        leat_process_end_all(connection->children, connection->children_count, END_PATIENCE_MS);
    if (connection->dir[0]) (void)nftw(connection->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    *connection = (leat_connection){.pipe = -1};
}
