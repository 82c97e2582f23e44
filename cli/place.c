#include <stdio.h>

#include "cli/cli.h"

enum { OPTION_JOBMANAGER = 'm', OPTION_DIR = 1000 };

static const struct argp_option options[] = {
    {"jobmanager", OPTION_JOBMANAGER, "URL", 0, "Job manager to talk to, http://HOST:PORT (else $LEAT_JOBMANAGER)", 10},
    {"dir", OPTION_DIR, "DIR", 0, "Folder of a cluster on this machine (else $LEAT_DIR, else ~/.local/state/leat)", 10},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    leat_cli_place *place = state->input;
    switch (key) {
    case OPTION_JOBMANAGER: place->jobmanager = value; return 0;
    case OPTION_DIR: place->dir = value; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp leat_cli_place_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

void leat_cli_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
    static char name[64];
    snprintf(name, sizeof name, "leat %s", argv[0]);
    argv[0] = name;
    argp_parse(argp, argc, argv, flags, NULL, input); /* ends the program on --help and wrong usage */
}
