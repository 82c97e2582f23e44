#define LEAT_ERROR_DEFINED_HERE
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(leat_error *error, leat_code code, const char *format, va_list args)
{
    vsnprintf(error->text, sizeof error->text, format, args);
    error->hint[0] = '\0';
    error->code = code;
}

static void append(leat_error *error, const char *text)
{
    size_t used = strlen(error->text);
    snprintf(error->text + used, sizeof error->text - used, ": %s", text); /* cut, never overrun */
}

leat_code leat_fail(leat_error *error, leat_code code, const char *format, ...)
{
    if (!error) return code;
    va_list args;
    va_start(args, format);
    start(error, code, format, args);
    va_end(args);
    return code;
}

leat_code leat_fail_errno(leat_error *error, leat_code code, int errno_value, const char *format, ...)
{
    if (!error) return code;
    va_list args;
    va_start(args, format);
    start(error, code, format, args);
    va_end(args);
    char reason[128];
    append(error, strerror_r(errno_value, reason, sizeof reason)); /* GNU's, which always gives a text */
    return code;
}

leat_code leat_fail_in(leat_error *error, leat_code code, const char *format, ...)
{
    if (!error) return code;
    leat_error inner = *error;
    va_list args;
    va_start(args, format);
    start(error, code, format, args);
    va_end(args);
    append(error, inner.text);
    memcpy(error->hint, inner.hint, sizeof error->hint);
    return code;
}

void leat_fail_hint(leat_error *error, const char *format, ...)
{
    if (!error) return;
    va_list args;
    va_start(args, format);
    vsnprintf(error->hint, sizeof error->hint, format, args);
    va_end(args);
}

leat_code leat_fail_no_memory(leat_error *error)
{
    return leat_fail(error, LEAT_NO_MEMORY, "out of memory");
}

leat_code leat_code_of_errno(int errno_value)
{
    switch (errno_value) {
    case 0: return LEAT_OK;
    case ENOENT: return LEAT_NOT_FOUND;
    case EEXIST: return LEAT_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS: return LEAT_DENIED;
    case ENOMEM: return LEAT_NO_MEMORY;
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT: return LEAT_LIMIT;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE: return LEAT_UNAVAILABLE;
    case ETIMEDOUT: return LEAT_TIMEOUT;
    default: return LEAT_IO;
    }
}

const char *leat_code_name(leat_code code)
{
    switch (code) {
    case LEAT_OK: return "ok";
    case LEAT_INVALID: return "invalid";
    case LEAT_NOT_FOUND: return "not_found";
    case LEAT_EXISTS: return "exists";
    case LEAT_DENIED: return "denied";
    case LEAT_UNSUPPORTED: return "unsupported";
    case LEAT_CONFLICT: return "conflict";
    case LEAT_CORRUPT: return "corrupt";
    case LEAT_IO: return "io";
    case LEAT_UNAVAILABLE: return "unavailable";
    case LEAT_TIMEOUT: return "timeout";
    case LEAT_CANCELED: return "canceled";
    case LEAT_LIMIT: return "limit";
    case LEAT_NO_MEMORY: return "no_memory";
    }
    return "unknown";
}

int leat_code_is_transient(leat_code code)
{
    return code == LEAT_IO || code == LEAT_UNAVAILABLE || code == LEAT_TIMEOUT;
}

_Noreturn void leat_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "leat: broken assumption %s at %s:%d\n", condition, file, line);
    abort();
}
