/* Growing bytes to write into, and a cursor to read untrusted bytes with.
 *
 * Both keep a sticky state, so that a format is written and read straight through and checked once at the end:
 * a writer that ran out of memory, a reader that ran off its end, ignores what follows. Integers are little-endian.
 * Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"

typedef struct leat_bytes {
    uint8_t *data; /* NUL-terminated once something was appended by leat_bytes_text or _format */
    size_t size, capacity;
    bool failed; /* out of memory: nothing was added since */
} leat_bytes;

void leat_bytes_done(leat_bytes *bytes);
void leat_bytes_reset(leat_bytes *bytes);
/* Room for `size` more bytes at the end, counted as written; NULL when failed. */
uint8_t *leat_bytes_extend(leat_bytes *bytes, size_t size);
void leat_bytes_put(leat_bytes *bytes, const void *data, size_t size);
void leat_bytes_put_u8(leat_bytes *bytes, uint8_t value);
void leat_bytes_put_u32(leat_bytes *bytes, uint32_t value);
void leat_bytes_put_u64(leat_bytes *bytes, uint64_t value);
void leat_bytes_put_i64(leat_bytes *bytes, int64_t value);
/* Length (u32), then the bytes. */
void leat_bytes_put_block(leat_bytes *bytes, const void *data, size_t size);
/* Text or NULL, as leat_reader_text takes it: whether it is there (u8), then a block. */
void leat_bytes_put_text(leat_bytes *bytes, const char *text);
/* Text without its NUL; a NUL is kept behind the end, so that data is a C string. */
void leat_bytes_text(leat_bytes *bytes, const char *text);
void leat_bytes_format(leat_bytes *bytes, const char *format, ...) LEAT_PRINTF(2, 3);
/* LEAT_NO_MEMORY if anything failed. */
LEAT_CHECKED leat_code leat_bytes_check(const leat_bytes *bytes, leat_error *error);

typedef struct leat_reader {
    const uint8_t *at, *end;
    const uint8_t *start; /* for offsets in errors */
    bool failed;
} leat_reader;

void leat_reader_init(leat_reader *reader, const void *data, size_t size);
size_t leat_reader_left(const leat_reader *reader);
/* `size` bytes, borrowed from the input; NULL (and failed) when there are fewer. */
const uint8_t *leat_reader_take(leat_reader *reader, size_t size);
uint8_t leat_reader_u8(leat_reader *reader);
uint32_t leat_reader_u32(leat_reader *reader);
uint64_t leat_reader_u64(leat_reader *reader);
int64_t leat_reader_i64(leat_reader *reader);
/* What leat_bytes_put_block wrote: borrowed bytes, size in *size; NULL and 0 when failed. */
const uint8_t *leat_reader_block(leat_reader *reader, size_t *size);
/* What leat_bytes_put_text wrote, copied into the arena; NULL where that was. */
LEAT_CHECKED leat_code leat_reader_text(leat_reader *reader, leat_arena *arena, const char **out, leat_error *error);
/* LEAT_CORRUPT with `what` and the offset if the reader failed, or (when `whole`) if bytes are left. */
LEAT_CHECKED leat_code leat_reader_check(const leat_reader *reader, bool whole, const char *what, leat_error *error);
