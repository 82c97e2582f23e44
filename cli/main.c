/* leat: the command line. Thin: what it knows is how to talk to a job manager, and how to start one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("leat " LEAT_VERSION);
    return LEAT_EXIT_GOOD;
}

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *doc;
} command;

static const command commands[] = {
    {"run", leat_cli_run, "Run SQL files or statements and show their results"},
    {"tail", leat_cli_tail, "Watch the current rows of a table"},
    {"action", leat_cli_action, "Run a ready-made job: mysql_sync_table"},
    {"cluster", leat_cli_cluster, "Start, stop or look at a cluster on this machine"},
    {"list", leat_cli_list, "List jobs"},
    {"show", leat_cli_show, "Show one job: its tasks, checkpoints, failures"},
    {"stop", leat_cli_stop, "End a job in good order: no row is left on its way"},
    {"cancel", leat_cli_cancel, "Cancel a job"},
    {"checkpoint", leat_cli_checkpoint, "Look into a checkpoint"},
    {"version", version, "Print the version"},
};
enum { COMMANDS_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to)
{
    fputs("Usage: leat COMMAND [OPTION…]\n\nLeat runs streaming SQL over tables in open formats.\n\nCommands:\n", to);
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].doc);
    fputs("\nExamples:\n"
          "  leat run -e \"SELECT 1 + 1 AS two\"\n"
          "  leat cluster start --task-managers 2\n"
          "  leat run -i catalog.sql ingest.sql --detach\n"
          "  leat tail house.default.country_sales\n"
          "\n`leat COMMAND --help` says more about each. Commands find their cluster by --jobmanager URL, else by\n"
          "$LEAT_JOBMANAGER, else by the folder of `leat cluster start` (--dir, $LEAT_DIR, ~/.local/state/leat); "
          "without\n"
          "any, `run` and `action` start one of their own for as long as they last.\n",
          to);
}

static int unknown(const char *given)
{
    const char *names[COMMANDS_COUNT + 1] = {NULL};
    for (size_t i = 0; i < COMMANDS_COUNT; i++)
        names[i] = commands[i].name;
    const char *nearest = leat_cli_nearest(given, names);
    leat_cli_say("leat: there is no command '%s'", given);
    if (nearest)
        leat_cli_say("hint: did you mean 'leat %s'?", nearest);
    else
        leat_cli_say("hint: 'leat --help' lists the commands");
    return LEAT_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = LEAT_EXIT_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return LEAT_EXIT_USAGE;
    }
    const char *name = argv[1];
    bool wants_help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "-?") == 0;
    if (strcmp(name, "help") == 0 && argc > 2) { /* leat help run */
        argv[1] = argv[2];
        static char help[] = "--help";
        argv[2] = help;
        argc = 3;
        name = argv[1];
    } else if (wants_help || strcmp(name, "help") == 0) {
        print_help(stdout);
        return LEAT_EXIT_GOOD;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) return version(argc, argv);
    leat_cli_signals_block();
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) return commands[i].run(argc - 1, argv + 1);
    }
    return unknown(name);
}
