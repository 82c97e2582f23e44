/* Bump allocator with a hard size. An arena belongs to a lifetime (statement, batch, message), never to an object;
 * leat_arena_reset frees everything at once and keeps the largest block. Not thread-safe. */
#pragma once

#include <stddef.h>

#include "common/error.h"

typedef struct leat_arena_block leat_arena_block;

typedef struct leat_arena {
    leat_arena_block *block; /* newest first */
    size_t taken_bytes;      /* since the last reset */
    size_t limit_bytes;
} leat_arena;

void leat_arena_init(leat_arena *arena, size_t limit_bytes);
void leat_arena_done(leat_arena *arena);
void leat_arena_reset(leat_arena *arena);

/* Zeroed, aligned for any type. NULL: over the limit, or no memory. */
void *leat_arena_take(leat_arena *arena, size_t bytes);

/* A copy with a NUL behind; NULL as leat_arena_take. */
char *leat_arena_strndup(leat_arena *arena, const char *text, size_t length);
char *leat_arena_strdup(leat_arena *arena, const char *text);
char *leat_arena_format(leat_arena *arena, const char *format, ...) LEAT_PRINTF(2, 3);
