#include "cli/jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/connect.h"
#include "common/memory.h"

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static int64_t number_of(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    return json_is_real(value) ? (int64_t)json_real_value(value) : (int64_t)json_integer_value(value);
}

bool leat_jobs_has_ended(const char *state)
{
    return strcmp(state, "FINISHED") == 0 || strcmp(state, "FAILED") == 0 || strcmp(state, "CANCELED") == 0;
}

bool leat_jobs_print_wait(const json_t *job, char *out, size_t size)
{
    const json_t *wait = json_object_get(job, "waiting-for-slots");
    if (!json_is_object(wait)) return false;
    int64_t needed = number_of(wait, "needed"), available = number_of(wait, "free");
    snprintf(out, size, "it needs %" PRId64 " slot%s, %" PRId64 " %s free%s", needed, needed == 1 ? "" : "s", available,
             available == 1 ? "is" : "are", available >= needed ? "; an older job waits before it" : "");
    return true;
}

leat_code leat_jobs_cancel(leat_client *client, const char *id, leat_error *error)
{
    char path[64];
    snprintf(path, sizeof path, "/jobs/%s?mode=cancel", id);
    leat_code code = leat_client_json(client, "PATCH", path, NULL, NULL, error);
    return code == LEAT_CONFLICT ? LEAT_OK : code;
}

/* The list is newest first. */
static const json_t *find_in(const json_t *jobs, const char *given, int *matches)
{
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        if (strncasecmp(text_of(job, "jid"), given, strlen(given)) != 0) continue;
        (*matches)++;
        found = job;
    }
    for (size_t i = 0; !found && i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        if (strcmp(text_of(job, "name"), given) == 0 && !leat_jobs_has_ended(text_of(job, "state"))) found = job;
    }
    for (size_t i = 0; !found && i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        if (strcmp(text_of(job, "name"), given) == 0) found = job;
    }
    return found;
}

leat_code leat_jobs_find(leat_client *client, const char *given, char out[33], leat_error *error)
{
    json_t *answer = NULL;
    LEAT_TRY(leat_client_json(client, "GET", "/jobs/overview", NULL, &answer, error));
    int matches = 0;
    const json_t *found = given[0] ? find_in(json_object_get(answer, "jobs"), given, &matches) : NULL;
    leat_code code = LEAT_OK;
    if (matches > 1) {
        code = leat_fail(error, LEAT_INVALID, "%d jobs have ids that begin with '%s'", matches, given);
    } else if (!found) {
        code = leat_fail(error, LEAT_NOT_FOUND, "there is no job '%s'", given);
    } else {
        snprintf(out, 33, "%s", text_of(found, "jid"));
    }
    if (code != LEAT_OK) leat_fail_hint(error, "'leat list' shows ids and names");
    json_decref(answer);
    return code;
}

void leat_jobs_explain(leat_client *client, const char *id, const char *name, leat_error *error)
{
    char path[64];
    snprintf(path, sizeof path, "/jobs/%s/exceptions", id);
    json_t *answer = NULL;
    if (leat_client_json(client, "GET", path, NULL, &answer, error) != LEAT_OK) return;
    const json_t *entries = json_object_get(json_object_get(answer, "exceptionHistory"), "entries");
    const json_t *newest = json_array_get(entries, 0);
    const char *task = text_of(newest, "taskName"), *text = text_of(newest, "stacktrace");
    (void)leat_fail(error, LEAT_IO, "job '%s' failed: %s%s%s", name, task, task[0] ? ": " : "",
                    text[0] ? text : "no cause is known");
    if (text_of(newest, "hint")[0]) leat_fail_hint(error, "%s", text_of(newest, "hint"));
    json_decref(answer);
}

/* --- list --- */

typedef struct jobs_arguments {
    leat_cli_place place;
    const char *job;
    bool is_json, takes_job;
} jobs_arguments;

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    jobs_arguments *given = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &given->place; return 0;
    case 'j': given->is_json = true; return 0;
    case ARGP_KEY_ARG:
        if (!given->takes_job || given->job) argp_error(state, "'%s' is one word too many", value);
        given->job = value;
        return 0;
    case ARGP_KEY_END:
        if (given->takes_job && !given->job)
            argp_error(state, "say which job: its id, the beginning of its id, or its name");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option json_option[] = {{"json", 'j', NULL, 0, "As JSON", 0}, {0}};
static const struct argp_child place_child[] = {{&leat_cli_place_argp, 0, NULL, 0}, {0}};

static void print_time(int64_t at_ms, char *out, size_t size)
{
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    strftime(out, size, "%Y-%m-%d %H:%M:%S", &parts);
}

static const char add_slots_hint[] = "leat cluster add-taskmanager";

static void print_jobs(const json_t *jobs)
{
    bool has_waiting = false;
    printf("%-32s  %-12s %-19s  %-12s %-9s %s\n", "ID", "STATE", "STARTED", "DURATION", "TASKS", "NAME");
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i), *tasks = json_object_get(job, "tasks");
        char started[32], duration[32], counts[32];
        print_time(number_of(job, "start-time"), started, sizeof started);
        leat_cli_print_duration(number_of(job, "duration"), duration, sizeof duration);
        snprintf(counts, sizeof counts, "%" PRId64 "/%" PRId64, number_of(tasks, "running"), number_of(tasks, "total"));
        char wait[96] = "";
        bool is_waiting = leat_jobs_print_wait(job, wait, sizeof wait);
        has_waiting = has_waiting || is_waiting;
        printf("%-32s  %-12s %-19s  %-12s %-9s %s%s%s%s\n", text_of(job, "jid"), text_of(job, "state"), started,
               duration, counts, text_of(job, "name"), is_waiting ? " (waits: " : "", wait, is_waiting ? ")" : "");
    }
    if (has_waiting) printf("hint: %s\n", add_slots_hint);
}

static int end(leat_connection *connection, leat_code code, leat_error *error)
{
    leat_connection_done(connection);
    if (code == LEAT_OK) code = leat_cli_flush(error);
    return code == LEAT_OK ? LEAT_EXIT_GOOD : leat_cli_failed(error);
}

int leat_cli_list(int argc, char **argv)
{
    static const struct argp argp = {
        json_option, parse_option,
        NULL,        "List the jobs of a cluster, newest first.\vExamples:\n  leat list\n  leat list --json",
        place_child, NULL,
        NULL};
    jobs_arguments given = {0};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_connection connection;
    leat_error error = {0};
    json_t *answer = NULL;
    leat_code code = leat_connection_open(&given.place, NULL, &connection, &error);
    if (code == LEAT_OK) code = leat_client_json(connection.client, "GET", "/jobs/overview", NULL, &answer, &error);
    if (code == LEAT_OK && given.is_json) {
        json_dumpf(json_object_get(answer, "jobs"), stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (code == LEAT_OK) {
        print_jobs(json_object_get(answer, "jobs"));
    }
    json_decref(answer);
    return end(&connection, code, &error);
}

/* --- show --- */

static void print_vertices(const json_t *vertices)
{
    printf("\n%-14s %-12s %14s %14s %10s %10s  %s\n", "STATE", "PARALLELISM", "RECORDS IN", "RECORDS OUT", "BUSY",
           "HELD BACK", "TASK");
    for (size_t i = 0; i < json_array_size(vertices); i++) {
        const json_t *vertex = json_array_get(vertices, i), *metrics = json_object_get(vertex, "metrics");
        char busy[32], held[32];
        leat_cli_print_duration(number_of(metrics, "accumulated-busy-time"), busy, sizeof busy);
        leat_cli_print_duration(number_of(metrics, "accumulated-backpressured-time"), held, sizeof held);
        printf("%-14s %-12" PRId64 " %14" PRId64 " %14" PRId64 " %10s %10s  %s\n", text_of(vertex, "status"),
               number_of(vertex, "parallelism"), number_of(metrics, "read-records"),
               number_of(metrics, "write-records"), busy, held, text_of(vertex, "name"));
    }
}

static void print_checkpoints(const json_t *checkpoints)
{
    const json_t *counts = json_object_get(checkpoints, "counts");
    const json_t *last = json_object_get(json_object_get(checkpoints, "latest"), "completed");
    if (!number_of(counts, "total")) return;
    printf("\ncheckpoints   %" PRId64 " completed, %" PRId64 " failed, %" PRId64 " under way, %" PRId64 " restored\n",
           number_of(counts, "completed"), number_of(counts, "failed"), number_of(counts, "in_progress"),
           number_of(counts, "restored"));
    if (!json_is_object(last)) return;
    char at[32];
    print_time(number_of(last, "trigger_timestamp"), at, sizeof at);
    printf("last one      #%" PRId64 " of %s, %" PRId64 " ms, %" PRId64 " bytes, %s\n", number_of(last, "id"), at,
           number_of(last, "end_to_end_duration"), number_of(last, "state_size"), text_of(last, "external_path"));
}

static void print_failures(const json_t *exceptions)
{
    const json_t *entries = json_object_get(json_object_get(exceptions, "exceptionHistory"), "entries");
    for (size_t i = 0; i < json_array_size(entries) && i < 3; i++) {
        const json_t *entry = json_array_get(entries, i);
        char at[32];
        print_time(number_of(entry, "timestamp"), at, sizeof at);
        printf("\nfailed        %s in %s: %s\n", at, text_of(entry, "taskName"), text_of(entry, "stacktrace"));
        if (text_of(entry, "hint")[0]) printf("hint          %s\n", text_of(entry, "hint"));
    }
}

static void print_job(const json_t *job, const json_t *checkpoints, const json_t *exceptions)
{
    char started[32], duration[32];
    print_time(number_of(job, "start-time"), started, sizeof started);
    leat_cli_print_duration(number_of(job, "duration"), duration, sizeof duration);
    printf(
        "job           %s\nid            %s\nstate         %s\ntype          %s\nstarted       %s\nduration      %s\n",
        text_of(job, "name"), text_of(job, "jid"), text_of(job, "state"), text_of(job, "job-type"), started, duration);
    char wait[96];
    if (leat_jobs_print_wait(job, wait, sizeof wait))
        printf("waits         for slots: %s\nhint          %s\n", wait, add_slots_hint);
    print_vertices(json_object_get(job, "vertices"));
    print_checkpoints(checkpoints);
    print_failures(exceptions);
}

static leat_code get_of_job(leat_client *client, const char *id, const char *rest, json_t **out, leat_error *error)
{
    char path[96];
    snprintf(path, sizeof path, "/jobs/%s%s", id, rest);
    return leat_client_json(client, "GET", path, NULL, out, error);
}

int leat_cli_show(int argc, char **argv)
{
    static const struct argp argp = {
        json_option,
        parse_option,
        "JOB",
        "Show a job: state, tasks, checkpoints, failures. JOB is its id, the beginning of its id, or its "
        "name.\vExamples:\n  leat show e49f\n  leat show \"Make orders\" --json",
        place_child,
        NULL,
        NULL};
    jobs_arguments given = {.takes_job = true};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_connection connection;
    leat_error error = {0};
    json_t *job = NULL, *checkpoints = NULL, *exceptions = NULL;
    char id[33];
    leat_code code = leat_connection_open(&given.place, NULL, &connection, &error);
    if (code == LEAT_OK) code = leat_jobs_find(connection.client, given.job, id, &error);
    if (code == LEAT_OK) code = get_of_job(connection.client, id, "", &job, &error);
    if (code == LEAT_OK) code = get_of_job(connection.client, id, "/checkpoints", &checkpoints, &error);
    if (code == LEAT_OK) code = get_of_job(connection.client, id, "/exceptions", &exceptions, &error);
    if (code == LEAT_OK && given.is_json) {
        json_object_set(job, "checkpoints", checkpoints);
        json_object_set(job, "exceptions", exceptions);
        json_dumpf(job, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (code == LEAT_OK) {
        print_job(job, checkpoints, exceptions);
    }
    json_decref(job);
    json_decref(checkpoints);
    json_decref(exceptions);
    return end(&connection, code, &error);
}

/* --- cancel and stop --- */

enum { CANCEL_TIMEOUT_MS = 60000, CANCEL_POLL_MS = 50 };

static leat_code cancel_and_wait(leat_client *client, const char *id, leat_error *error)
{
    LEAT_TRY(leat_jobs_cancel(client, id, error));
    int64_t until_ms = leat_cli_now_ms() + CANCEL_TIMEOUT_MS;
    for (;;) {
        json_t *answer = NULL;
        LEAT_TRY(get_of_job(client, id, "/status", &answer, error));
        char state[32];
        snprintf(state, sizeof state, "%s", text_of(answer, "status"));
        json_decref(answer);
        if (leat_jobs_has_ended(state)) {
            leat_cli_say("job %s is %s", id, state);
            return LEAT_OK;
        }
        if (leat_cli_now_ms() > until_ms) return leat_fail(error, LEAT_TIMEOUT, "job %s is still %s", id, state);
        LEAT_TRY(leat_cli_sleep(CANCEL_POLL_MS, error));
    }
}

enum { STOP_POLL_MS = 100 };

/* For as long as it takes: the last rows may have a long way. */
static leat_code stop_and_wait(leat_client *client, const char *id, leat_error *error)
{
    char path[96];
    snprintf(path, sizeof path, "/leat/v1/jobs/%s/stop", id);
    LEAT_TRY(leat_client_json(client, "POST", path, NULL, NULL, error));
    int64_t started_ms = leat_cli_now_ms();
    for (;;) {
        json_t *answer = NULL;
        LEAT_TRY(get_of_job(client, id, "/status", &answer, error));
        char state[32], waited[32];
        snprintf(state, sizeof state, "%s", text_of(answer, "status"));
        json_decref(answer);
        if (leat_jobs_has_ended(state)) {
            leat_cli_progress_end();
            leat_cli_say("job %s is %s", id, state);
            if (strcmp(state, "FAILED") == 0) leat_jobs_explain(client, id, id, error);
            return strcmp(state, "FAILED") == 0 ? LEAT_IO : LEAT_OK;
        }
        leat_cli_print_duration(leat_cli_now_ms() - started_ms, waited, sizeof waited);
        leat_cli_progress("job %s is %s: the last rows are worked off, %s", id, state, waited);
        LEAT_TRY(leat_cli_sleep(STOP_POLL_MS, error));
    }
}

static int on_one_job(const struct argp *argp, int argc, char **argv,
                      leat_code (*what)(leat_client *client, const char *id, leat_error *error))
{
    jobs_arguments given = {.takes_job = true};
    leat_cli_parse(argp, argc, argv, 0, &given);
    leat_connection connection;
    leat_error error = {0};
    char id[33];
    leat_code code = leat_connection_open(&given.place, NULL, &connection, &error);
    if (code == LEAT_OK) code = leat_jobs_find(connection.client, given.job, id, &error);
    if (code == LEAT_OK) code = what(connection.client, id, &error);
    return end(&connection, code, &error);
}

int leat_cli_stop(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse_option,
        "JOB",
        "End a job in good order and wait until it has: its sources produce nothing more, what is on its way is worked "
        "off, and a last checkpoint is committed. JOB is its id, the beginning of its id, or its "
        "name.\vExamples:\n  leat stop e49f\n  leat stop \"Make orders\"",
        place_child,
        NULL,
        NULL};
    return on_one_job(&argp, argc, argv, stop_and_wait);
}

int leat_cli_cancel(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse_option,
        "JOB",
        "Cancel a job and wait until it has ended. JOB is its id, the beginning of its id, or its "
        "name.\vExamples:\n  leat cancel e49f\n  leat cancel \"Make orders\"",
        place_child,
        NULL,
        NULL};
    return on_one_job(&argp, argc, argv, cancel_and_wait);
}
