/* Errors are values. A fallible function returns a leat_code and takes, last, a leat_error * (NULL allowed).
 *
 * On failure the error says, outermost first, what was being done, to what, and why; `hint` says what the user can do.
 * Nothing here allocates. A success leaves *error untouched. */
#pragma once

typedef enum leat_code {
    LEAT_OK = 0,
    LEAT_INVALID, /* the user's input is wrong; retrying cannot help */
    LEAT_NOT_FOUND,
    LEAT_EXISTS,      /* it is there already: create, conditional put */
    LEAT_DENIED,      /* credentials or permissions */
    LEAT_UNSUPPORTED, /* understood, and not done by this version */
    LEAT_CONFLICT,    /* someone else committed first; retry from the new snapshot */
    LEAT_CORRUPT,     /* checksum or format; retrying cannot help */
    LEAT_IO,          /* may be retried */
    LEAT_UNAVAILABLE, /* a peer or server is not there; may be retried */
    LEAT_TIMEOUT,     /* may be retried */
    LEAT_CANCELED,    /* the one who asked does not want it any more */
    LEAT_LIMIT,       /* a named bound was reached */
    LEAT_NO_MEMORY,
} leat_code;

typedef struct leat_error {
    leat_code code;
    char text[1024];
    char hint[256];
} leat_error;

#define LEAT_CHECKED           __attribute__((warn_unused_result))
#define LEAT_PRINTF(at, first) __attribute__((format(printf, at, first)))

/* Starts an error. Returns `code`, so that the caller writes `return leat_fail(...)`. */
leat_code leat_fail(leat_error *error, leat_code code, const char *format, ...) LEAT_PRINTF(3, 4);

/* As leat_fail, with ": " and the system's words for `errno_value` at the end. */
leat_code leat_fail_errno(leat_error *error, leat_code code, int errno_value, const char *format, ...)
    LEAT_PRINTF(4, 5);

/* Adds what was being done, in front of the text. Returns `code` unchanged. */
leat_code leat_fail_in(leat_error *error, leat_code code, const char *format, ...) LEAT_PRINTF(3, 4);

/* Says what the user can do about it. */
void leat_fail_hint(leat_error *error, const char *format, ...) LEAT_PRINTF(2, 3);

/* An allocation failed. The text says so; who knows what it was for adds it with leat_fail_in. */
leat_code leat_fail_no_memory(leat_error *error);

/* clang's analyzer does not see that these return the code they are given, and would follow paths that there are not.
 */
#if defined(__clang_analyzer__) && !defined(LEAT_ERROR_DEFINED_HERE)
#define leat_fail(error, code, ...)               (leat_fail(error, code, __VA_ARGS__), (code))
#define leat_fail_errno(error, code, number, ...) (leat_fail_errno(error, code, number, __VA_ARGS__), (code))
#define leat_fail_in(error, code, ...)            (leat_fail_in(error, code, __VA_ARGS__), (code))
#define leat_fail_no_memory(error)                (leat_fail_no_memory(error), LEAT_NO_MEMORY)
#endif

/* The code that a failed system call with this errno stands for. */
leat_code leat_code_of_errno(int errno_value);

/* The code's name in lower case, for logs and JSON. */
const char *leat_code_name(leat_code code);

/* Whether the same call may succeed later: IO, UNAVAILABLE, TIMEOUT. */
int leat_code_is_transient(leat_code code);

/* For a call whose error needs no more context. */
#define LEAT_TRY(call)                                                                                                 \
    do {                                                                                                               \
        leat_code code_ = (call);                                                                                      \
        if (code_ != LEAT_OK) return code_;                                                                            \
    } while (0)

/* Our own mistakes only; stays on in release builds, and ends the process before it can write a wrong row. */
#define LEAT_ASSERT(condition)                                                                                         \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0)) leat_assert_failed(#condition, __FILE__, __LINE__);                     \
    } while (0)

_Noreturn void leat_assert_failed(const char *condition, const char *file, int line);
