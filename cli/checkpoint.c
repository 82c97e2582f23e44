#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/connect.h"
#include "common/memory.h"

char *leat_cli_absolute(const char *path)
{
    char folder[4096];
    if (path[0] == '/' || strchr(path, ':') || !getcwd(folder, sizeof folder)) return leat_strdup(path);
    return leat_format("%s/%s", folder, path);
}

typedef struct checkpoint_arguments {
    leat_cli_place place;
    const char *path;
    bool is_json;
    leat_config config;
} checkpoint_arguments;

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    checkpoint_arguments *given = state->input;
    leat_error error = {0};
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &given->place; return 0;
    case 'j': given->is_json = true; return 0;
    case 'D':
        if (leat_config_set_pair(&given->config, value, &error) != LEAT_OK) argp_error(state, "%s", error.text);
        return 0;
    case ARGP_KEY_ARG:
        if (given->path) argp_error(state, "'%s' is one word too many", value);
        given->path = value;
        return 0;
    case ARGP_KEY_END:
        if (!given->path) argp_error(state, "say which checkpoint: its folder, which ends in chk-<number>");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int64_t number_of(const json_t *json, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(json, key));
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

typedef struct operator_sums {
    int64_t subtasks, objects, bytes, committables;
} operator_sums;

/* Of the operator at place `at` of the chain, over the vertex' subtasks. */
static operator_sums sum_up(const json_t *subtasks, size_t at)
{
    operator_sums sums = {0};
    for (size_t s = 0; s < json_array_size(subtasks); s++) {
        const json_t *entry = json_array_get(json_object_get(json_array_get(subtasks, s), "operators"), at);
        if (!entry) continue;
        sums.subtasks++;
        sums.objects += json_object_get(entry, "object") != NULL;
        sums.bytes += number_of(entry, "state-bytes");
        sums.committables += number_of(entry, "committables");
    }
    return sums;
}

static void print_vertex(const json_t *vertex)
{
    const json_t *subtasks = json_object_get(vertex, "subtasks");
    const json_t *operators = json_object_get(json_array_get(subtasks, 0), "operators");
    int64_t finished = 0;
    for (size_t s = 0; s < json_array_size(subtasks); s++)
        finished += json_is_true(json_object_get(json_array_get(subtasks, s), "finished"));
    for (size_t i = 0; i < json_array_size(operators); i++) {
        operator_sums sums = sum_up(subtasks, i);
        printf("%-11s %12" PRId64 " %14" PRId64 " %8" PRId64 " %13" PRId64 "  %s", i ? "" : "task",
               number_of(vertex, "parallelism"), sums.bytes, sums.objects, sums.committables,
               text_of(json_array_get(operators, i), "uid"));
        if (i == 0 && finished) printf(" (%" PRId64 " finished)", finished);
        putchar('\n');
    }
    if (number_of(vertex, "enumerator-bytes"))
        printf("%-11s %12d %14" PRId64 " %8d %13d  its enumerator\n", "", 1, number_of(vertex, "enumerator-bytes"), 0,
               0);
}

static void print_checkpoint(const json_t *answer)
{
    time_t seconds = (time_t)(number_of(answer, "timestamp") / 1000);
    struct tm parts;
    char at[32];
    localtime_r(&seconds, &parts);
    strftime(at, sizeof at, "%Y-%m-%d %H:%M:%S", &parts);
    const json_t *problems = json_object_get(answer, "problems"), *vertices = json_object_get(answer, "vertices");
    printf("checkpoint    %" PRId64 " of %s\npath          %s\njob           %s (%s)\ncommit user   %s\n",
           number_of(answer, "checkpoint"), at, text_of(answer, "path"), text_of(answer, "name"),
           text_of(answer, "job"), text_of(answer, "commit-user"));
    printf("whole         %s\n", json_array_size(problems) ? "no" : "yes: every object has its checksum");
    for (size_t i = 0; i < json_array_size(problems); i++)
        printf("problem       %s\n", json_string_value(json_array_get(problems, i)));
    printf("\n%-11s %12s %14s %8s %13s  %s\n", "", "PARALLELISM", "STATE BYTES", "OBJECTS", "COMMITTABLES", "OPERATOR");
    for (size_t i = 0; i < json_array_size(vertices); i++)
        print_vertex(json_array_get(vertices, i));
}

static int inspect(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"json", 'j', NULL, 0, "As JSON", 0}, {NULL, 'D', "KEY=VALUE", 0, "Set an option: s3.endpoint, …", 0}, {0}};
    static const struct argp_child place_child[] = {{&leat_cli_place_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse_option,
        "PATH",
        "Show what a checkpoint holds, and read all of it to find out whether it is whole. PATH is its folder "
        "(…/chk-7), "
        "or the job's above it for the newest. Exit code 1 when it is damaged.\vExamples:\n"
        "  leat checkpoint inspect checkpoints/5f0c…/chk-7\n"
        "  leat checkpoint inspect s3://bucket/checkpoints/5f0c… --json",
        place_child,
        NULL,
        NULL};
    checkpoint_arguments given = {0};
    leat_cli_parse(&argp, argc, argv, 0, &given);
    leat_connection connection;
    leat_error error = {0};
    json_t *answer = NULL;
    char *path = leat_cli_absolute(given.path);
    json_t *body = json_pack("{s:s}", "path", path ? path : given.path);
    leat_code code = leat_connection_open(&given.place, &given.config, &connection, &error);
    if (code == LEAT_OK)
        code = leat_client_json(connection.client, "POST", "/leat/v1/checkpoints/inspect", body, &answer, &error);
    if (code == LEAT_OK && given.is_json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (code == LEAT_OK) {
        print_checkpoint(answer);
    }
    bool is_whole = json_array_size(json_object_get(answer, "problems")) == 0;
    json_decref(body);
    json_decref(answer);
    leat_free(path);
    leat_config_done(&given.config);
    leat_connection_done(&connection);
    if (code == LEAT_OK) code = leat_cli_flush(&error);
    if (code != LEAT_OK) return leat_cli_failed(&error);
    return is_whole ? LEAT_EXIT_GOOD : LEAT_EXIT_FAILED;
}

int leat_cli_checkpoint(int argc, char **argv)
{
    static char name[] = "checkpoint inspect";
    if (argc >= 2 && strcmp(argv[1], "inspect") == 0) {
        argv[1] = name;
        return inspect(argc - 1, argv + 1);
    }
    bool wants_help = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0);
    fputs("Usage: leat checkpoint inspect PATH [--json]\n\n`leat checkpoint inspect --help` says more.\n",
          wants_help ? stdout : stderr);
    return wants_help ? LEAT_EXIT_GOOD : LEAT_EXIT_USAGE;
}
