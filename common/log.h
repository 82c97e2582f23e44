/* The one logger: a line an event on stderr or a file, with time, level, component and text. Any thread may call it.
 * Who logs an error does not return it; library code returns. Secrets never come here. */
#pragma once

#include "common/error.h"

typedef enum leat_log_level {
    LEAT_LOG_DEBUG,
    LEAT_LOG_INFO,
    LEAT_LOG_WARN,
    LEAT_LOG_ERROR,
    LEAT_LOG_OFF
} leat_log_level;

/* Messages below `level` are dropped. Default: INFO. */
void leat_log_set_level(leat_log_level level);
/* Appends to `path` instead of stderr. */
LEAT_CHECKED leat_code leat_log_open(const char *path, leat_error *error);
/* `component` is a short static name: "scheduler", "paimon". */
void leat_log(leat_log_level level, const char *component, const char *format, ...) LEAT_PRINTF(3, 4);
/* DEBUG, INFO, WARN, ERROR, OFF in any case; LEAT_INVALID else. */
LEAT_CHECKED leat_code leat_log_level_parse(const char *text, leat_log_level *out, leat_error *error);
