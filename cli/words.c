#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static bool has_progress; /* a line without its end is on the terminal */

bool leat_cli_has_colours(int file)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(file) && !(no_colour && no_colour[0]);
}

void leat_cli_progress_end(void)
{
    if (has_progress) fputs("\r\033[K", stderr);
    has_progress = false;
}

void leat_cli_progress(const char *format, ...)
{
    if (!isatty(STDERR_FILENO)) return;
    fputs("\r\033[K", stderr);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    has_progress = true;
}

void leat_cli_say(const char *format, ...)
{
    leat_cli_progress_end();
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int leat_cli_failed(const leat_error *error)
{
    if (error->code == LEAT_CANCELED) return LEAT_EXIT_INTERRUPTED;
    bool has_colours = leat_cli_has_colours(STDERR_FILENO);
    leat_cli_say("%sleat:%s %s", has_colours ? "\033[31;1m" : "", has_colours ? "\033[0m" : "", error->text);
    if (error->hint[0]) leat_cli_say("hint: %s", error->hint);
    return LEAT_EXIT_FAILED;
}

void leat_cli_print_duration(int64_t ms, char *out, size_t size)
{
    int64_t seconds = ms / 1000;
    if (ms < 1000)
        snprintf(out, size, "%" PRId64 " ms", ms);
    else if (seconds < 60)
        snprintf(out, size, "%.1f s", (double)ms / 1000);
    else if (seconds < 3600)
        snprintf(out, size, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    else
        snprintf(out, size, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds / 60 % 60);
}

const char *leat_cli_nearest(const char *given, const char *const *words)
{
    leat_nearest near = {.word = given, .less_than = (int)strlen(given) / 2 + 1};
    for (size_t i = 0; words[i]; i++)
        leat_nearest_look(&near, words[i]);
    return near.found;
}

leat_code leat_cli_flush(leat_error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return LEAT_OK;
    if (errno == EPIPE) return leat_fail(error, LEAT_CANCELED, "nobody reads the output any more");
    return leat_fail_errno(error, LEAT_IO, errno, "write to stdout");
}
