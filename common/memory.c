#include "common/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_llong fail_countdown; /* > 0: allocations until one fails */

static int must_fail(void)
{
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0) return 0;
    return atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) == 1;
}

void *leat_alloc(size_t bytes)
{
    return must_fail() ? NULL : malloc(bytes ? bytes : 1);
}

void *leat_calloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : calloc(count ? count : 1, bytes ? bytes : 1);
}

void *leat_realloc(void *old, size_t bytes)
{
    return must_fail() ? NULL : realloc(old, bytes ? bytes : 1);
}

void leat_free(void *block)
{
    free(block);
}

void *leat_alloc_aligned(size_t bytes)
{
    size_t rounded;
    if (must_fail() || !leat_add_size(bytes, 63, &rounded)) return NULL;
    rounded &= ~(size_t)63;
    return aligned_alloc(64, rounded ? rounded : 64);
}

char *leat_strndup(const char *text, size_t length)
{
    char *copy = leat_alloc(length + 1);
    if (!copy) return NULL;
    if (length) memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *leat_strdup(const char *text)
{
    return leat_strndup(text, strlen(text));
}

char *leat_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) return NULL;
    char *text = leat_alloc((size_t)length + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

leat_code leat_grow(void *array_pointer, size_t *capacity, size_t needed, size_t element_bytes, leat_error *error)
{
    if (needed <= *capacity) return LEAT_OK;
    size_t wanted = *capacity * 2 > needed ? *capacity * 2 : needed;
    if (wanted < 8) wanted = 8;
    size_t bytes;
    if (!leat_mul_size(wanted, element_bytes, &bytes)) return leat_fail_no_memory(error);
    void *old;
    memcpy(&old, array_pointer, sizeof old);
    void *grown = leat_realloc(old, bytes);
    if (!grown) return leat_fail_no_memory(error);
    memcpy(array_pointer, &grown, sizeof grown);
    *capacity = wanted;
    return LEAT_OK;
}

void leat_memory_fail_nth(int64_t n)
{
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}
