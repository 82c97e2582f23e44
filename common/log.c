#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static atomic_int level_min = LEAT_LOG_INFO;
static atomic_int log_file = STDERR_FILENO;

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR", "OFF"};

void leat_log_set_level(leat_log_level level)
{
    atomic_store_explicit(&level_min, (int)level, memory_order_relaxed);
}

leat_code leat_log_open(const char *path, leat_error *error)
{
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) return leat_fail_errno(error, leat_code_of_errno(errno), errno, "open log %s", path);
    atomic_store_explicit(&log_file, file, memory_order_relaxed);
    return LEAT_OK;
}

void leat_log(leat_log_level level, const char *component, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&level_min, memory_order_relaxed)) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    char line[2048];
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &parts);
    used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %-5s %s: ", now.tv_nsec / 1000000,
                             level_names[level], component);
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(line + used, sizeof line - used - 1, format, args);
    va_end(args);
    used = wanted < 0 ? used : used + (size_t)wanted;
    if (used > sizeof line - 2) used = sizeof line - 2;
    line[used++] = '\n';
    /* One write a line, so that lines of several threads do not mix. A full disk must not stop the work. */
    ssize_t written = write(atomic_load_explicit(&log_file, memory_order_relaxed), line, used);
    (void)written;
}

leat_code leat_log_level_parse(const char *text, leat_log_level *out, leat_error *error)
{
    for (int i = 0; i <= LEAT_LOG_OFF; i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *out = (leat_log_level)i;
            return LEAT_OK;
        }
    }
    return leat_fail(error, LEAT_INVALID, "log level '%s' is none of DEBUG, INFO, WARN, ERROR, OFF", text);
}
