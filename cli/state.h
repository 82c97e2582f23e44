/* The folder of a cluster on this machine, and the file in it that says what runs:
 *
 *   DIR/cluster.json   {"rest":URL,"control":"tcp://…","slots":N,"processes":[{"role","id","pid","started","log"}]}
 *   DIR/log/           logs of the processes
 *   DIR/conf/leat.yaml configuration, if there is one
 *   DIR/checkpoints/   checkpoints of jobs that name no other place
 *
 * The file is replaced as a whole (rename), so readers see the old or the new one. Who changes it holds the folder's
 * lock. */
#pragma once

#include "cli/cli.h"
#include "cli/process.h"

enum { LEAT_STATE_PROCESSES_MAX = 257 };

typedef struct leat_state_process {
    bool is_jobmanager;
    char id[64]; /* of a task manager: "tm-1" */
    leat_process_id process;
    char log[4096];
} leat_state_process;

typedef struct leat_state {
    char dir[4096]; /* absolute */
    bool exists;    /* the file was there */
    char rest[256], control[256];
    int slots;
    int processes_count;
    leat_state_process *processes; /* of LEAT_STATE_PROCESSES_MAX */
} leat_state;

/* --dir, else $LEAT_DIR, else ~/.local/state/leat. Need not exist. */
LEAT_CHECKED leat_code leat_state_dir(const char *given, char *out, size_t size, leat_error *error);
/* Reads DIR's file; without one, `exists` is false. leat_state_done frees. */
LEAT_CHECKED leat_code leat_state_read(const char *dir, leat_state *out, leat_error *error);
LEAT_CHECKED leat_code leat_state_write(const leat_state *state, leat_error *error);
void leat_state_remove(const leat_state *state);
void leat_state_done(leat_state *state);
/* Makes DIR and DIR/log. */
LEAT_CHECKED leat_code leat_state_make_dir(const char *dir, leat_error *error);
/* Takes the folder's lock until the descriptor is closed; CONFLICT when another `leat cluster` command has it. */
LEAT_CHECKED leat_code leat_state_lock(const char *dir, int *fd, leat_error *error);
/* The job manager's process; NULL when there is none. */
const leat_state_process *leat_state_jobmanager(const leat_state *state);
