#include "common/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"

void leat_bytes_done(leat_bytes *bytes)
{
    leat_free(bytes->data);
    *bytes = (leat_bytes){0};
}

void leat_bytes_reset(leat_bytes *bytes)
{
    bytes->size = 0;
    bytes->failed = false;
    if (bytes->data) bytes->data[0] = 0;
}

static bool reserve(leat_bytes *bytes, size_t more)
{
    size_t needed;
    if (more <= bytes->capacity - bytes->size && !bytes->failed) return true;
    if (bytes->failed || !leat_add_size(bytes->size, more, &needed) ||
        leat_grow(&bytes->data, &bytes->capacity, needed, 1, NULL) != LEAT_OK) {
        bytes->failed = true;
        return false;
    }
    return true;
}

uint8_t *leat_bytes_extend(leat_bytes *bytes, size_t size)
{
    if (!reserve(bytes, size ? size : 1)) return NULL; /* never NULL plus nothing */
    uint8_t *room = bytes->data + bytes->size;
    bytes->size += size;
    return room;
}

void leat_bytes_put(leat_bytes *bytes, const void *data, size_t size)
{
    uint8_t *room = leat_bytes_extend(bytes, size);
    if (room && size) memcpy(room, data, size);
}

void leat_bytes_put_u8(leat_bytes *bytes, uint8_t value)
{
    leat_bytes_put(bytes, &value, 1);
}

void leat_bytes_put_u32(leat_bytes *bytes, uint32_t value)
{
    leat_bytes_put(bytes, &value, sizeof value);
}

void leat_bytes_put_u64(leat_bytes *bytes, uint64_t value)
{
    leat_bytes_put(bytes, &value, sizeof value);
}

void leat_bytes_put_i64(leat_bytes *bytes, int64_t value)
{
    leat_bytes_put(bytes, &value, sizeof value);
}

void leat_bytes_put_block(leat_bytes *bytes, const void *data, size_t size)
{
    if (size > UINT32_MAX) {
        bytes->failed = true;
        return;
    }
    leat_bytes_put_u32(bytes, (uint32_t)size);
    leat_bytes_put(bytes, data, size);
}

static void terminate(leat_bytes *bytes)
{
    if (reserve(bytes, 1)) bytes->data[bytes->size] = 0;
}

void leat_bytes_put_text(leat_bytes *bytes, const char *text)
{
    leat_bytes_put_u8(bytes, text != NULL);
    if (text) leat_bytes_put_block(bytes, text, strlen(text));
}

void leat_bytes_text(leat_bytes *bytes, const char *text)
{
    leat_bytes_put(bytes, text, strlen(text));
    terminate(bytes);
}

void leat_bytes_format(leat_bytes *bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(bytes, (size_t)length + 1)) {
        bytes->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf((char *)bytes->data + bytes->size, (size_t)length + 1, format, args);
    va_end(args);
    bytes->size += (size_t)length;
}

leat_code leat_bytes_check(const leat_bytes *bytes, leat_error *error)
{
    return bytes->failed ? leat_fail_no_memory(error) : LEAT_OK;
}

void leat_reader_init(leat_reader *reader, const void *data, size_t size)
{
    const uint8_t *start = data ? data : (const uint8_t *)"";
    *reader = (leat_reader){.at = start, .end = start + size, .start = start};
}

size_t leat_reader_left(const leat_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

const uint8_t *leat_reader_take(leat_reader *reader, size_t size)
{
    if (reader->failed || size > leat_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += size;
    return taken;
}

uint8_t leat_reader_u8(leat_reader *reader)
{
    const uint8_t *taken = leat_reader_take(reader, 1);
    return taken ? *taken : 0;
}

uint32_t leat_reader_u32(leat_reader *reader)
{
    uint32_t value = 0;
    const uint8_t *taken = leat_reader_take(reader, sizeof value);
    if (taken) memcpy(&value, taken, sizeof value);
    return value;
}

uint64_t leat_reader_u64(leat_reader *reader)
{
    uint64_t value = 0;
    const uint8_t *taken = leat_reader_take(reader, sizeof value);
    if (taken) memcpy(&value, taken, sizeof value);
    return value;
}

int64_t leat_reader_i64(leat_reader *reader)
{
    return (int64_t)leat_reader_u64(reader);
}

const uint8_t *leat_reader_block(leat_reader *reader, size_t *size)
{
    *size = leat_reader_u32(reader);
    const uint8_t *taken = leat_reader_take(reader, *size);
    if (!taken) *size = 0;
    return taken;
}

leat_code leat_reader_text(leat_reader *reader, leat_arena *arena, const char **out, leat_error *error)
{
    *out = NULL;
    size_t size;
    bool is_there = leat_reader_u8(reader) != 0;
    const uint8_t *text = is_there ? leat_reader_block(reader, &size) : NULL;
    if (reader->failed) return leat_reader_check(reader, false, "text", error);
    if (!is_there) return LEAT_OK;
    *out = leat_arena_strndup(arena, (const char *)text, size);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

leat_code leat_reader_check(const leat_reader *reader, bool whole, const char *what, leat_error *error)
{
    size_t offset = (size_t)(reader->at - reader->start);
    if (reader->failed) return leat_fail(error, LEAT_CORRUPT, "%s ends too early, after offset %zu", what, offset);
    if (whole && reader->at != reader->end) {
        return leat_fail(error, LEAT_CORRUPT, "%s has %zu bytes too many, from offset %zu", what,
                         leat_reader_left(reader), offset);
    }
    return LEAT_OK;
}
