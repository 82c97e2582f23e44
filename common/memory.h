/* The one allocator interface. Everything that Leat allocates goes through here, so that a test can fail the n-th
 * allocation and a process can say how much it holds. All functions may be called from any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* NULL when there is no memory (or the test hook says so). `bytes` may be 0: then a pointer that may be freed. */
void *leat_alloc(size_t bytes) __attribute__((malloc, alloc_size(1)));
void *leat_calloc(size_t count, size_t bytes) __attribute__((malloc, alloc_size(1, 2)));
/* On failure the old block stays valid. */
void *leat_realloc(void *old, size_t bytes);
void leat_free(void *block);

/* 64-byte aligned, as columns want it. Freed with leat_free. */
void *leat_alloc_aligned(size_t bytes) __attribute__((malloc, alloc_size(1)));

/* A copy of `length` bytes with a NUL behind; NULL when there is no memory. */
char *leat_strndup(const char *text, size_t length);
char *leat_strdup(const char *text);

/* Formats into a fresh string; NULL when there is no memory. The caller frees it with leat_free. */
char *leat_format(const char *format, ...) LEAT_PRINTF(1, 2);

/* Grows *array to hold `needed` elements of `element_bytes`, at least doubling. *capacity is in elements. */
LEAT_CHECKED leat_code leat_grow(void *array_pointer, size_t *capacity, size_t needed, size_t element_bytes,
                                 leat_error *error);

/* Checked size arithmetic: false when the result does not fit. */
static inline int leat_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline int leat_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* Test hook: the n-th allocation from now on fails (1 = the next); 0 switches it off. */
void leat_memory_fail_nth(int64_t n);
