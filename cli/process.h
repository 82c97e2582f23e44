/* Starting and ending the other two programs. */
#pragma once

#include <sys/types.h>

#include "cli/cli.h"

/* "leat-jobmanager" beside this very program: in the build folder and after installation. NOT_FOUND names the place. */
LEAT_CHECKED leat_code leat_process_find(const char *name, char *out, size_t size, leat_error *error);

typedef struct leat_process_options {
    const char *program;
    char *const *arguments; /* with argv[0]; ended by NULL */
    bool is_daemon;         /* a session of its own; else a process group of its own */
    const char *output;     /* file for stdout and stderr (appended); NULL: ours */
    int inherited[2];       /* descriptors that become 3 and 4 there; -1: none */
} leat_process_options;

LEAT_CHECKED leat_code leat_process_spawn(const leat_process_options *options, pid_t *out, leat_error *error);

/* A process is named by pid and start time (clock ticks since boot), so that a reused pid is not mistaken for it. */
typedef struct leat_process_id {
    int64_t pid, started;
} leat_process_id;

/* 0 when there is no such process (or it is a zombie). */
int64_t leat_process_start_time(pid_t pid);
bool leat_process_is_alive(const leat_process_id *id);
/* SIGTERM to all, then waits; SIGKILL for those that stay longer than `patience_ms`. */
void leat_process_end_all(const leat_process_id *ids, size_t count, int64_t patience_ms);

/* Reads one line of JSON from `fd` (what a job manager reports), at most `timeout_ms`. */
LEAT_CHECKED leat_code leat_process_read_report(int fd, int64_t timeout_ms, json_t **out, leat_error *error);
/* The last lines of a file of words, for errors; appended. */
void leat_process_last_words(const char *path, leat_bytes *out);
