#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/state.h"
#include "cli/statements.h"
#include "common/memory.h"

enum { START_TIMEOUT_MS = 10000, REGISTER_TIMEOUT_MS = 15000, END_PATIENCE_MS = 12000, TASKMANAGERS_MAX = 256 };
enum { OPTION_DIR = 256, OPTION_TASK_MANAGERS, OPTION_SLOTS, OPTION_REST_PORT, OPTION_CONFIG, OPTION_JSON };

typedef struct cluster_arguments {
    const char *dir, *config_file;
    int64_t task_managers, slots, rest_port; /* -1: not given */
    int64_t control_port;                    /* 0: any */
    bool is_json;
    leat_config config;
} cluster_arguments;

static const struct argp_option dir_option = {
    "dir", OPTION_DIR, "DIR", 0, "Folder of the cluster (else $LEAT_DIR, else ~/.local/state/leat)", 0};

static leat_code parse_count(const char *value, int64_t smallest, int64_t largest, int64_t *out, leat_error *error)
{
    LEAT_TRY(leat_parse_int(value, out, error));
    if (*out >= smallest && *out <= largest) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "'%s' is not between %lld and %lld", value, (long long)smallest,
                     (long long)largest);
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    cluster_arguments *given = state->input;
    leat_error error = {0};
    leat_code code = LEAT_OK;
    switch (key) {
    case OPTION_DIR: given->dir = value; break;
    case OPTION_TASK_MANAGERS: code = parse_count(value, 0, TASKMANAGERS_MAX, &given->task_managers, &error); break;
    case OPTION_SLOTS: code = parse_count(value, 1, 4096, &given->slots, &error); break;
    case OPTION_REST_PORT: code = parse_count(value, 0, 65535, &given->rest_port, &error); break;
    case OPTION_CONFIG: given->config_file = value; break;
    case OPTION_JSON: given->is_json = true; break;
    case 'D': code = leat_config_set_pair(&given->config, value, &error); break;
    case ARGP_KEY_ARG: argp_error(state, "'%s' is one word too many", value); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (code != LEAT_OK) argp_error(state, "%s%s%s", error.text, error.hint[0] ? "; " : "", error.hint);
    return 0;
}

static leat_state_process *state_process(leat_state *state, bool is_jobmanager, const char *id, leat_error *error)
{
    if (state->processes_count == LEAT_STATE_PROCESSES_MAX) {
        (void)leat_fail(error, LEAT_LIMIT, "a cluster on one machine has at most %d processes",
                        LEAT_STATE_PROCESSES_MAX);
        return NULL;
    }
    leat_state_process *process = &state->processes[state->processes_count];
    *process = (leat_state_process){.is_jobmanager = is_jobmanager};
    snprintf(process->id, sizeof process->id, "%s", id);
    int wanted = snprintf(process->log, sizeof process->log, "%s/log/%s.log", state->dir, id);
    if (wanted < 0 || (size_t)wanted >= sizeof process->log) {
        (void)leat_fail(error, LEAT_LIMIT, "the folder's path is too long");
        return NULL;
    }
    return process;
}

enum { ARGUMENTS_MAX = 256 };

/* Spawns with "<program> <fixed…> --log=… [--config=…] -Dk=v…", output to DIR/log/<id>.out, and notes it in the state.
 */
static leat_code spawn(leat_state *state, const cluster_arguments *given, const char *name, leat_state_process *process,
                       const char *const *fixed, int report_fd, leat_error *error)
{
    char program[4096];
    LEAT_TRY(leat_process_find(name, program, sizeof program, error));
    char *list[ARGUMENTS_MAX];
    int count = 0;
    list[count++] = leat_strdup(name);
    char *default_config = leat_format("%s/conf/leat.yaml", state->dir);
    const char *file = given->config_file ? given->config_file : default_config;
    if (file && (given->config_file || access(file, R_OK) == 0)) list[count++] = leat_format("--config=%s", file);
    for (int i = 0; fixed[i]; i++)
        list[count++] = leat_strdup(fixed[i]);
    list[count++] = leat_format("--log=%s", process->log);
    for (size_t i = 0; i < given->config.count && count < ARGUMENTS_MAX - 1; i++) {
        list[count++] = leat_format("-D%s=%s", given->config.entries[i].key, given->config.entries[i].value);
    }
    list[count] = NULL;
    char *output = leat_format("%s/log/%s.out", state->dir, process->id);
    bool is_whole = output != NULL;
    for (int i = 0; i < count; i++)
        is_whole = is_whole && list[i];
    leat_process_options options = {
        .program = program, .arguments = list, .is_daemon = true, .output = output, .inherited = {-1, report_fd}};
    pid_t pid = 0;
    leat_code code = is_whole ? leat_process_spawn(&options, &pid, error) : leat_fail_no_memory(error);
    if (code == LEAT_OK) {
        process->process = (leat_process_id){pid, leat_process_start_time(pid)};
        state->processes_count++;
    }
    for (int i = 0; i < count; i++)
        leat_free(list[i]);
    leat_free(output);
    leat_free(default_config);
    return code;
}

static leat_code fail_with_output(const leat_state *state, const char *id, leat_code code, leat_error *error)
{
    leat_bytes words = {0};
    char *path = leat_format("%s/log/%s.out", state->dir, id);
    if (path) leat_process_last_words(path, &words);
    if (words.size) code = leat_fail(error, code, "%s", (const char *)words.data);
    leat_free(path);
    leat_bytes_done(&words);
    return code;
}

static leat_code start_jobmanager(leat_state *state, const cluster_arguments *given, leat_error *error)
{
    leat_state_process *process = state_process(state, true, "jobmanager", error);
    if (!process) return LEAT_LIMIT;
    char *output = leat_format("%s/log/jobmanager.out", state->dir);
    if (!output) return leat_fail_no_memory(error);
    leat_code emptied = LEAT_OK;
    if (truncate(output, 0) != 0 && errno != ENOENT) /* last words of an earlier run would mislead */
        emptied = leat_fail_errno(error, leat_code_of_errno(errno), errno, "empty %s", output);
    leat_free(output);
    if (emptied != LEAT_OK) return emptied;
    int low[2], ends[2];
    if (pipe2(low, O_CLOEXEC) != 0) return leat_fail(error, LEAT_LIMIT, "pipe");
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 10);
        close(low[i]);
    }
    char *dir = leat_format("--dir=%s", state->dir), *port = leat_format("--rest-port=%d", (int)given->rest_port);
    char *control_port = leat_format("--control-port=%d", (int)given->control_port);
    const char *fixed[] = {dir, "--report-fd=4", control_port, given->rest_port >= 0 ? port : NULL, NULL};
    json_t *report = NULL;
    leat_code code = dir && port && control_port
                         ? spawn(state, given, "leat-jobmanager", process, fixed, ends[1], error)
                         : leat_fail_no_memory(error);
    close(ends[1]);
    if (code == LEAT_OK) code = leat_process_read_report(ends[0], START_TIMEOUT_MS, &report, error);
    close(ends[0]);
    if (code == LEAT_UNAVAILABLE) code = fail_with_output(state, "jobmanager", code, error);
    if (code == LEAT_OK) {
        snprintf(state->rest, sizeof state->rest, "http://127.0.0.1:%d",
                 (int)json_integer_value(json_object_get(report, "rest")));
        const char *control = json_string_value(json_object_get(report, "control"));
        snprintf(state->control, sizeof state->control, "%s", control ? control : "");
    }
    json_decref(report);
    leat_free(dir);
    leat_free(port);
    leat_free(control_port);
    return code;
}

/* The lowest number that no task manager of the cluster had. */
static int next_number(const leat_state *state)
{
    int next = 1;
    for (int i = 0; i < state->processes_count; i++) {
        int number = 0;
        if (sscanf(state->processes[i].id, "tm-%d", &number) == 1 && number >= next) next = number + 1;
    }
    return next;
}

static leat_code start_taskmanager(leat_state *state, const cluster_arguments *given, leat_error *error)
{
    char id[32];
    snprintf(id, sizeof id, "tm-%d", next_number(state));
    leat_state_process *process = state_process(state, false, id, error);
    if (!process) return LEAT_LIMIT;
    char *control = leat_format("--jobmanager=%s", state->control), *name = leat_format("--id=%s", id);
    char *slots = leat_format("--slots=%d", given->slots > 0 ? (int)given->slots : state->slots);
    const char *fixed[] = {control, name, slots, NULL};
    leat_code code = control && name && slots ? spawn(state, given, "leat-taskmanager", process, fixed, -1, error)
                                              : leat_fail_no_memory(error);
    leat_free(control);
    leat_free(name);
    leat_free(slots);
    return code;
}

/* Waits until the job manager lists the processes of the state from `first` on: those that were started now. An older
 * one may end meanwhile, that is not this command's matter. */
static leat_code wait_registered(const leat_state *state, int first, leat_error *error)
{
    leat_client *client;
    LEAT_TRY(leat_client_new(state->rest, &client, error));
    int64_t until_ms = leat_cli_now_ms() + REGISTER_TIMEOUT_MS;
    leat_code code = LEAT_OK;
    bool is_complete = false;
    while (code == LEAT_OK && !is_complete) {
        json_t *answer = NULL;
        code = leat_client_json(client, "GET", "/taskmanagers", NULL, &answer, error);
        const json_t *list = json_object_get(answer, "taskmanagers");
        is_complete = true;
        for (int i = first; code == LEAT_OK && i < state->processes_count; i++) {
            const leat_state_process *process = &state->processes[i];
            if (process->is_jobmanager) continue;
            bool is_listed = false;
            for (size_t t = 0; t < json_array_size(list); t++) {
                const char *id = json_string_value(json_object_get(json_array_get(list, t), "id"));
                is_listed = is_listed || (id && strcmp(id, process->id) == 0);
            }
            is_complete = is_complete && is_listed;
            if (is_listed || leat_process_is_alive(&process->process)) continue;
            code = leat_fail(error, LEAT_UNAVAILABLE, "task manager %s ended while it started", process->id);
            code = fail_with_output(state, process->id, code, error);
        }
        json_decref(answer);
        if (code == LEAT_OK && !is_complete && leat_cli_now_ms() > until_ms) {
            code = leat_fail(error, LEAT_TIMEOUT, "the task managers did not register; their logs are in %s/log",
                             state->dir);
        }
        if (code == LEAT_OK && !is_complete) code = leat_cli_sleep(10, error);
    }
    leat_client_free(client);
    return code;
}

static void end_all(const leat_state *state)
{
    leat_process_id ids[LEAT_STATE_PROCESSES_MAX];
    for (int i = 0; i < state->processes_count; i++)
        ids[i] = state->processes[i].process;
    leat_process_end_all(ids, (size_t)state->processes_count, END_PATIENCE_MS);
}

static int living(const leat_state *state)
{
    int count = 0;
    for (int i = 0; i < state->processes_count; i++)
        count += leat_process_is_alive(&state->processes[i].process);
    return count;
}

/* Task managers that ended are forgotten here: their numbers are not used again. */
static void forget_ended(leat_state *state, int newest)
{
    int kept = 0;
    for (int i = 0; i < state->processes_count; i++) {
        const leat_state_process *process = &state->processes[i];
        if (process->is_jobmanager || i == newest || leat_process_is_alive(&process->process)) {
            state->processes[kept++] = *process;
        }
    }
    state->processes_count = kept;
}

/* --- start --- */

static leat_code port_of(const char *address, int64_t *out, leat_error *error)
{
    const char *colon = strrchr(address, ':');
    return leat_parse_int(colon ? colon + 1 : "", out, error);
}

/* The job manager has ended and task managers have not: it comes back where they look for it. */
static leat_code restart_jobmanager(const cluster_arguments *given, leat_state *state, leat_error *error)
{
    cluster_arguments again = *given;
    LEAT_TRY(port_of(state->control, &again.control_port, error));
    LEAT_TRY(port_of(state->rest, &again.rest_port, error));
    int kept = 0;
    for (int i = 0; i < state->processes_count; i++) {
        if (!state->processes[i].is_jobmanager) state->processes[kept++] = state->processes[i];
    }
    state->processes_count = kept;
    forget_ended(state, -1);
    LEAT_TRY(start_jobmanager(state, &again, error));
    LEAT_TRY(leat_state_write(state, error));
    return wait_registered(state, 0, error);
}

static leat_code start_in(const char *dir, const cluster_arguments *given, leat_state *state, bool *was_restarted,
                          leat_error *error)
{
    LEAT_TRY(leat_state_read(dir, state, error));
    if (living(state)) {
        const leat_state_process *jobmanager = leat_state_jobmanager(state);
        *was_restarted = !jobmanager || !leat_process_is_alive(&jobmanager->process);
        if (*was_restarted) return restart_jobmanager(given, state, error);
        leat_code code = leat_fail(error, LEAT_EXISTS, "a cluster runs in %s already: %s", dir, state->rest);
        leat_fail_hint(error, "'leat cluster stop' ends it; --dir names another folder");
        return code;
    }
    state->processes_count = 0;
    state->slots = given->slots > 0 ? (int)given->slots : (int)leat_config_int(&given->config, LEAT_OPTION_TASK_SLOTS);
    leat_code code = start_jobmanager(state, given, error);
    if (code == LEAT_OK) code = leat_state_write(state, error);
    for (int64_t i = 0; code == LEAT_OK && i < given->task_managers; i++) {
        code = start_taskmanager(state, given, error);
        if (code == LEAT_OK) code = leat_state_write(state, error);
    }
    if (code == LEAT_OK) code = wait_registered(state, 0, error);
    if (code != LEAT_OK) {
        end_all(state);
        leat_state_remove(state);
    }
    return code;
}

static const struct argp_option start_options[] = {
    {"dir", OPTION_DIR, "DIR", 0, "Folder of the cluster (else $LEAT_DIR, else ~/.local/state/leat)", 0},
    {"task-managers", OPTION_TASK_MANAGERS, "N", 0, "Task managers (2)", 0},
    {"slots", OPTION_SLOTS, "N", 0, "Slots of each task manager (8)", 0},
    {"rest-port", OPTION_REST_PORT, "PORT", 0, "Port of REST and web page; 0: any free one (8081)", 0},
    {"config", OPTION_CONFIG, "FILE", 0, "Configuration file (DIR/conf/leat.yaml if there is one)", 0},
    {NULL, 'D', "KEY=VALUE", 0, "Set an option of all processes", 0},
    {0},
};

static int cluster_start(int argc, char **argv)
{
    static const struct argp argp = {
        start_options,
        parse_option,
        NULL,
        "Start a job manager and task managers on this machine. They go on with the jobs that ran in the folder when "
        "it was "
        "stopped. Where task managers run and their job manager has died, that alone is started again.\vExamples:\n"
        "  leat cluster start\n"
        "  leat cluster start --dir /tmp/shop --task-managers 3 --slots 4 --rest-port 0\n"
        "  leat cluster start -D heartbeat.timeout=10s",
        NULL,
        NULL,
        NULL};
    cluster_arguments given = {.task_managers = 2, .slots = -1, .rest_port = -1};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_cli_check_keys(&given.config);
    leat_error error = {0};
    char dir[4096];
    int lock = -1;
    leat_state state = {0};
    leat_code code = leat_state_dir(given.dir, dir, sizeof dir, &error);
    if (code == LEAT_OK) code = leat_state_make_dir(dir, &error);
    if (code == LEAT_OK) code = leat_state_lock(dir, &lock, &error);
    bool was_restarted = false;
    if (code == LEAT_OK) code = start_in(dir, &given, &state, &was_restarted, &error);
    if (code == LEAT_OK && was_restarted) {
        leat_cli_say("started the job manager of the cluster in %s again; it goes on with its jobs", dir);
        puts(state.rest);
    } else if (code == LEAT_OK) {
        leat_cli_say("started a cluster of %d task managers with %d slots each in %s", (int)given.task_managers,
                     state.slots, dir);
        puts(state.rest);
    }
    leat_state_done(&state);
    leat_config_done(&given.config);
    if (lock >= 0) close(lock);
    return code == LEAT_OK ? LEAT_EXIT_GOOD : leat_cli_failed(&error);
}

/* --- stop --- */

static int cluster_stop(int argc, char **argv)
{
    const struct argp_option options[] = {dir_option, {0}};
    const struct argp argp = {options,
                              parse_option,
                              NULL,
                              "End the cluster on this machine: its processes and its state file. Jobs go on from "
                              "their last checkpoint when a "
                              "cluster is started in the folder again, unless they were cancelled before; tables, "
                              "checkpoints and logs stay.\vExample:\n  leat cluster stop --dir /tmp/shop",
                              NULL,
                              NULL,
                              NULL};
    cluster_arguments given = {0};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_error error = {0};
    char dir[4096];
    int lock = -1;
    leat_state state = {0};
    leat_code code = leat_state_dir(given.dir, dir, sizeof dir, &error);
    bool has_dir = code == LEAT_OK && access(dir, F_OK) == 0;
    if (has_dir) code = leat_state_lock(dir, &lock, &error);
    if (has_dir && code == LEAT_OK) code = leat_state_read(dir, &state, &error);
    if (code == LEAT_OK && state.exists) {
        int count = living(&state);
        end_all(&state);
        leat_state_remove(&state);
        leat_cli_say("stopped %d processes", count);
    } else if (code == LEAT_OK) {
        leat_cli_say("there is no cluster in %s", dir);
    }
    leat_state_done(&state);
    if (lock >= 0) close(lock);
    return code == LEAT_OK ? LEAT_EXIT_GOOD : leat_cli_failed(&error);
}

/* --- status --- */

static void print_status(const leat_state *state)
{
    printf("%s\n", state->rest);
    for (int i = 0; i < state->processes_count; i++) {
        const leat_state_process *process = &state->processes[i];
        printf("%-12s %-12s pid %-8lld %s\n", process->is_jobmanager ? "job manager" : "task manager",
               process->is_jobmanager ? "" : process->id, (long long)process->process.pid,
               leat_process_is_alive(&process->process) ? "runs" : "has ended");
    }
}

static void print_status_json(const leat_state *state)
{
    json_t *processes = json_array();
    for (int i = 0; i < state->processes_count; i++) {
        const leat_state_process *process = &state->processes[i];
        json_array_append_new(processes, json_pack("{s:s,s:I,s:s,s:b,s:s}", "role",
                                                   process->is_jobmanager ? "jobmanager" : "taskmanager", "pid",
                                                   (json_int_t)process->process.pid, "id", process->id, "alive",
                                                   leat_process_is_alive(&process->process), "log", process->log));
    }
    json_t *json = json_pack("{s:s,s:s,s:s,s:i,s:o}", "rest", state->rest, "control", state->control, "dir", state->dir,
                             "slots", state->slots, "processes", processes);
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
}

static int cluster_status(int argc, char **argv)
{
    const struct argp_option options[] = {dir_option, {"json", OPTION_JSON, NULL, 0, "As JSON", 0}, {0}};
    const struct argp argp = {
        options,
        parse_option,
        NULL,
        "Show the cluster on this machine: its address and its processes. Exit code 1 when there is none or "
        "its job manager has ended.\vExample:\n  leat cluster status --json",
        NULL,
        NULL,
        NULL};
    cluster_arguments given = {0};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_error error = {0};
    char dir[4096];
    leat_state state = {0};
    leat_code code = leat_state_dir(given.dir, dir, sizeof dir, &error);
    if (code == LEAT_OK) code = leat_state_read(dir, &state, &error);
    if (code == LEAT_OK && !state.exists) {
        code = leat_fail(&error, LEAT_NOT_FOUND, "there is no cluster in %s", dir);
        leat_fail_hint(&error, "start one with 'leat cluster start'");
    }
    bool is_good = false;
    if (code == LEAT_OK) {
        const leat_state_process *jobmanager = leat_state_jobmanager(&state);
        is_good = jobmanager && leat_process_is_alive(&jobmanager->process);
        if (given.is_json)
            print_status_json(&state);
        else
            print_status(&state);
    }
    leat_state_done(&state);
    if (code != LEAT_OK) return leat_cli_failed(&error);
    return is_good ? LEAT_EXIT_GOOD : LEAT_EXIT_FAILED;
}

/* --- add-taskmanager --- */

static leat_code add_in(const char *dir, const cluster_arguments *given, leat_state *state, leat_error *error)
{
    LEAT_TRY(leat_state_read(dir, state, error));
    const leat_state_process *jobmanager = leat_state_jobmanager(state);
    if (!jobmanager || !leat_process_is_alive(&jobmanager->process)) {
        leat_code code = leat_fail(error, LEAT_NOT_FOUND, "no cluster runs in %s", dir);
        leat_fail_hint(error, "start one with 'leat cluster start'");
        return code;
    }
    LEAT_TRY(start_taskmanager(state, given, error));
    forget_ended(state, state->processes_count - 1);
    leat_code code = leat_state_write(state, error);
    if (code == LEAT_OK) code = wait_registered(state, (int)state->processes_count - 1, error);
    if (code == LEAT_OK) return code;
    leat_process_end_all(&state->processes[state->processes_count - 1].process, 1, END_PATIENCE_MS);
    state->processes_count--;
    if (leat_state_write(state, NULL) != LEAT_OK) leat_cli_say("leat: the state file in %s could not be written", dir);
    return code;
}

static int cluster_add(int argc, char **argv)
{
    const struct argp_option options[] = {dir_option,
                                          {"slots", OPTION_SLOTS, "N", 0, "Its slots (as the others)", 0},
                                          {"config", OPTION_CONFIG, "FILE", 0, "Configuration file", 0},
                                          {NULL, 'D', "KEY=VALUE", 0, "Set an option", 0},
                                          {0}};
    const struct argp argp = {
        options,
        parse_option,
        NULL,
        "Add a task manager to the cluster on this machine; jobs that wait or restart use its slots.\vExample:\n"
        "  leat cluster add-taskmanager --slots 4",
        NULL,
        NULL,
        NULL};
    cluster_arguments given = {.slots = -1};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_error error = {0};
    char dir[4096];
    int lock = -1;
    leat_state state = {0};
    leat_code code = leat_state_dir(given.dir, dir, sizeof dir, &error);
    if (code == LEAT_OK) code = leat_state_lock(dir, &lock, &error);
    if (code == LEAT_OK) code = add_in(dir, &given, &state, &error);
    if (code == LEAT_OK) puts(state.processes[state.processes_count - 1].id);
    leat_state_done(&state);
    leat_config_done(&given.config);
    if (lock >= 0) close(lock);
    return code == LEAT_OK ? LEAT_EXIT_GOOD : leat_cli_failed(&error);
}

static void print_help(FILE *to)
{
    fputs("Usage: leat cluster start|stop|status|add-taskmanager [OPTION…]\n\n"
          "  start            Start a job manager and task managers on this machine\n"
          "  stop             End them\n"
          "  status           Show them\n"
          "  add-taskmanager  Add one more task manager (a dead one is not restarted by itself)\n\n"
          "Examples:\n  leat cluster start --task-managers 2 --slots 8\n  leat cluster status --json\n  leat cluster "
          "stop\n\n"
          "`leat cluster start --help` says more about it, and so on.\n",
          to);
}

int leat_cli_cluster(int argc, char **argv)
{
    static const struct {
        const char *name, *shown;
        int (*run)(int argc, char **argv);
    } parts[] = {{"start", "cluster start", cluster_start},
                 {"stop", "cluster stop", cluster_stop},
                 {"status", "cluster status", cluster_status},
                 {"add-taskmanager", "cluster add-taskmanager", cluster_add}};
    static const char *const names[] = {"start", "stop", "status", "add-taskmanager", NULL};
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
        print_help(stdout);
        return LEAT_EXIT_GOOD;
    }
    for (size_t i = 0; argc >= 2 && i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i].name, argv[1]) != 0) continue;
        argv[1] = (char *)(uintptr_t)parts[i].shown;
        return parts[i].run(argc - 1, argv + 1);
    }
    if (argc < 2) {
        print_help(stderr);
        return LEAT_EXIT_USAGE;
    }
    const char *nearest = leat_cli_nearest(argv[1], names);
    leat_cli_say("leat cluster: there is no '%s'", argv[1]);
    leat_cli_say("hint: %s%s", nearest ? "did you mean " : "one of start, stop, status, add-taskmanager",
                 nearest ? nearest : "");
    return LEAT_EXIT_USAGE;
}
