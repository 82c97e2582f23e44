/* What the commands of `leat` share: exit codes, words on stderr, signals, and the choice of the cluster.
 *
 * The program has one thread. SIGINT, SIGTERM and SIGHUP are blocked and read from a descriptor: whoever waits looks
 * there too and returns LEAT_CANCELED, so that every command cleans up in the ordinary way. A second one ends the
 * program at once (an embedded cluster then ends by the end of its pipe). */
#pragma once

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/config.h"
#include "common/error.h"

enum { LEAT_EXIT_GOOD = 0, LEAT_EXIT_FAILED = 1, LEAT_EXIT_USAGE = 2, LEAT_EXIT_INTERRUPTED = 130 };

/* --- words (words.c) --- */
/* "leat: text" and "hint: …" on stderr; returns the exit code for the error. */
int leat_cli_failed(const leat_error *error);
/* A line on stderr. */
void leat_cli_say(const char *format, ...) LEAT_PRINTF(1, 2);
/* A line on stderr that the next one replaces, on a terminal; nothing elsewhere. NULL: ends it. */
void leat_cli_progress(const char *format, ...) LEAT_PRINTF(1, 2);
void leat_cli_progress_end(void);
bool leat_cli_has_colours(int file);
/* "1.2 s", "3 min 4 s". */
void leat_cli_print_duration(int64_t ms, char *out, size_t size);
/* The word of the list (ended by NULL) nearest to `given`; NULL when none is near. */
const char *leat_cli_nearest(const char *given, const char *const *words);
/* LEAT_CANCELED when stdout's reader is gone. */
LEAT_CHECKED leat_code leat_cli_flush(leat_error *error);

/* --- signals (signals.c) --- */
void leat_cli_signals_block(void);
int leat_cli_signals_fd(void);
/* Reads what came; true if anything did. After the second, ends the program. */
bool leat_cli_signals_take(void);
/* From now on the end of a child (of an embedded cluster) counts as a signal. */
void leat_cli_signals_watch_children(void);
/* The error for what was taken: LEAT_CANCELED, or LEAT_UNAVAILABLE when a child has ended. */
leat_code leat_cli_interrupted(leat_error *error);
/* Sleeps; leat_cli_interrupted at a signal. */
LEAT_CHECKED leat_code leat_cli_sleep(int64_t ms, leat_error *error);
int64_t leat_cli_now_ms(void); /* monotonic */

/* --- options that all commands take --- */
typedef struct leat_cli_place {
    const char *jobmanager; /* --jobmanager URL */
    const char *dir;        /* --dir */
} leat_cli_place;

/* For struct argp_child; its input is a leat_cli_place *. */
extern const struct argp leat_cli_place_argp;
/* Parses `argv` (argv[0] is the command's name) after setting the name shown in usage to "leat <name>". */
void leat_cli_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);

/* --- commands: take their own argv, return the exit code --- */
int leat_cli_run(int argc, char **argv);
int leat_cli_cluster(int argc, char **argv);
int leat_cli_list(int argc, char **argv);
int leat_cli_show(int argc, char **argv);
int leat_cli_cancel(int argc, char **argv);
int leat_cli_stop(int argc, char **argv);
int leat_cli_checkpoint(int argc, char **argv);
/* A path that the job manager is to open, which has another working folder: absolute, unless it has a scheme. To be
 * freed; NULL: no memory. */
char *leat_cli_absolute(const char *path);
int leat_cli_tail(int argc, char **argv);
int leat_cli_action(int argc, char **argv);
