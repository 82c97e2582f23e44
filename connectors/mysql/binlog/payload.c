#include "connectors/mysql/binlog/payload.h"

#include <string.h>
#include <zstd.h>

#include "connectors/mysql/binlog/event.h"

enum {
    FIELD_END = 0,
    FIELD_SIZE = 1,
    FIELD_COMPRESSION = 2,
    COMPRESSION_ZSTD = 0,
    COMPRESSION_NONE = 255,
    CHUNK_BYTES = 128 << 10,
    WINDOW_LOG_MAX = 27, /* 128 MiB, zstd's own bound for decoders; MySQL's levels need less */
};

static leat_code broken(const char *what, leat_error *error)
{
    return leat_fail(error, LEAT_CORRUPT, "TRANSACTION_PAYLOAD: %s", what);
}

leat_code leat_binlog_payload_open(leat_binlog_payload *self, const leat_binlog_event *event, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, event->body, event->body_size);
    uint64_t compression = COMPRESSION_NONE, size = UINT64_MAX;
    for (;;) {
        uint64_t field = leat_binlog_lenenc(&reader);
        if (reader.failed) return broken("its fields have no end", error);
        if (field == FIELD_END) break;
        uint64_t length = leat_binlog_lenenc(&reader);
        const uint8_t *data = leat_reader_take(&reader, length);
        leat_reader value;
        if (!data) return broken("a field is longer than it", error);
        leat_reader_init(&value, data, length);
        if (field == FIELD_SIZE) size = leat_binlog_lenenc(&value);
        if (field == FIELD_COMPRESSION) compression = leat_binlog_lenenc(&value);
        if (value.failed) return broken("a field is broken", error);
    }
    if (size != leat_reader_left(&reader)) return broken("its size is not what it says", error);
    if (compression != COMPRESSION_ZSTD && compression != COMPRESSION_NONE)
        return leat_fail(error, LEAT_UNSUPPORTED, "TRANSACTION_PAYLOAD: compression %llu is not known",
                         (unsigned long long)compression);
    if (compression == COMPRESSION_ZSTD) {
        if (!self->zstd) self->zstd = ZSTD_createDCtx();
        if (!self->zstd) return leat_fail_no_memory(error);
        (void)ZSTD_DCtx_reset(self->zstd, ZSTD_reset_session_and_parameters);
        (void)ZSTD_DCtx_setParameter(self->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    }
    self->packed = reader;
    self->is_compressed = compression == COMPRESSION_ZSTD;
    self->is_drained = false;
    self->is_open = true;
    leat_bytes_reset(&self->inflated);
    self->start = 0;
    return LEAT_OK;
}

/* Some more bytes into `inflated`. */
static leat_code inflate_more(leat_binlog_payload *self, leat_error *error)
{
    size_t left = leat_reader_left(&self->packed);
    if (self->start > 0) {
        self->inflated.size -= self->start;
        memmove(self->inflated.data, self->inflated.data + self->start, self->inflated.size);
        self->start = 0;
    }
    if (!self->is_compressed) {
        leat_bytes_put(&self->inflated, self->packed.at, left);
        (void)leat_reader_take(&self->packed, left);
        self->is_drained = true;
        return leat_bytes_check(&self->inflated, error);
    }
    size_t before = self->inflated.size;
    uint8_t *room = leat_bytes_extend(&self->inflated, CHUNK_BYTES);
    if (!room) return leat_bytes_check(&self->inflated, error);
    ZSTD_inBuffer in = {self->packed.at, left, 0};
    ZSTD_outBuffer out = {room, CHUNK_BYTES, 0};
    size_t result = ZSTD_decompressStream(self->zstd, &out, &in);
    if (ZSTD_isError(result)) return broken(ZSTD_getErrorName(result), error);
    self->inflated.size = before + out.pos;
    (void)leat_reader_take(&self->packed, in.pos);
    self->is_drained = result == 0 && in.pos == in.size;
    if (!self->is_drained && in.pos == 0 && out.pos == 0) return broken("it ends in the middle", error);
    return LEAT_OK;
}

/* At least `size` bytes from `start` on; false: there are not so many. */
static leat_code have(leat_binlog_payload *self, size_t size, bool *out, leat_error *error)
{
    while (self->inflated.size - self->start < size && !self->is_drained)
        LEAT_TRY(inflate_more(self, error));
    *out = self->inflated.size - self->start >= size;
    return LEAT_OK;
}

leat_code leat_binlog_payload_next(leat_binlog_payload *self, const leat_binlog_format *format, leat_binlog_event *out,
                                   bool *has_event, leat_error *error)
{
    *has_event = false;
    bool is_there;
    LEAT_TRY(have(self, LEAT_BINLOG_HEADER_BYTES, &is_there, error));
    if (!is_there) {
        self->is_open = false;
        return self->inflated.size == self->start ? LEAT_OK : broken("bytes behind its last event", error);
    }
    leat_reader header;
    leat_reader_init(&header, self->inflated.data + self->start, LEAT_BINLOG_HEADER_BYTES);
    (void)leat_reader_take(&header, 9); /* timestamp, type, server */
    size_t length = (size_t)leat_binlog_uint(&header, 4);
    if (length < LEAT_BINLOG_HEADER_BYTES || length > LEAT_BINLOG_INFLATED_BYTES_MAX)
        return broken("an event in it has no sound length", error);
    LEAT_TRY(have(self, length, &is_there, error));
    if (!is_there) return broken("it ends inside an event", error);
    leat_binlog_format inside = *format; /* no checksums in there */
    inside.has_checksums = false;
    LEAT_TRY(leat_binlog_event_read(&inside, self->inflated.data + self->start, length, out, error));
    if (out->type == LEAT_BINLOG_TRANSACTION_PAYLOAD || out->type == LEAT_BINLOG_FORMAT_DESCRIPTION ||
        out->type == LEAT_BINLOG_ROTATE)
        return broken("an event in it belongs outside", error);
    self->start += length;
    *has_event = true;
    return LEAT_OK;
}

void leat_binlog_payload_done(leat_binlog_payload *self)
{
    ZSTD_freeDCtx(self->zstd);
    leat_bytes_done(&self->inflated);
    *self = (leat_binlog_payload){0};
}
