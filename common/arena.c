#include "common/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"

enum { BLOCK_BYTES_MIN = 8 * 1024, ALIGNMENT = 16 };

struct leat_arena_block {
    leat_arena_block *next;
    size_t used_bytes, size_bytes;
    _Alignas(ALIGNMENT) unsigned char data[];
};

void leat_arena_init(leat_arena *arena, size_t limit_bytes)
{
    *arena = (leat_arena){.limit_bytes = limit_bytes};
}

void leat_arena_done(leat_arena *arena)
{
    for (leat_arena_block *block = arena->block; block;) {
        leat_arena_block *next = block->next;
        leat_free(block);
        block = next;
    }
    arena->block = NULL;
    arena->taken_bytes = 0;
}

void leat_arena_reset(leat_arena *arena)
{
    leat_arena_block *kept = arena->block; /* blocks grow, so the newest is the largest */
    if (!kept) return;
    arena->block = kept->next;
    leat_arena_done(arena);
    kept->next = NULL;
    kept->used_bytes = 0;
    arena->block = kept;
}

void *leat_arena_take(leat_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 4) return NULL;
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded > arena->limit_bytes - arena->taken_bytes) return NULL;
    leat_arena_block *block = arena->block;
    if (!block || rounded > block->size_bytes - block->used_bytes) {
        size_t size_bytes = block ? block->size_bytes * 2 : BLOCK_BYTES_MIN;
        if (size_bytes < rounded) size_bytes = rounded;
        block = leat_alloc(sizeof *block + size_bytes);
        if (!block) return NULL;
        *block = (leat_arena_block){.next = arena->block, .size_bytes = size_bytes};
        arena->block = block;
    }
    void *taken = block->data + block->used_bytes;
    block->used_bytes += rounded;
    arena->taken_bytes += rounded;
    memset(taken, 0, rounded);
    return taken;
}

char *leat_arena_strndup(leat_arena *arena, const char *text, size_t length)
{
    char *copy = leat_arena_take(arena, length + 1);
    if (copy && length) memcpy(copy, text, length);
    return copy;
}

char *leat_arena_strdup(leat_arena *arena, const char *text)
{
    return leat_arena_strndup(arena, text, strlen(text));
}

char *leat_arena_format(leat_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : leat_arena_take(arena, (size_t)length + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
