#include "formats/avro/codec.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "formats/avro/avro.h"

static const char *const codec_names[] = {"null", "deflate", "zstandard"};

const char *leat_avro_codec_name(int codec)
{
    return codec_names[codec];
}

leat_code leat_avro_codec_find(const char *name, size_t length, int *out, leat_error *error)
{
    *out = -1;
    for (int i = 0; i < 3; i++) {
        if (strlen(codec_names[i]) == length && memcmp(name, codec_names[i], length) == 0) *out = i;
    }
    if (length == 4 && memcmp(name, "zstd", 4) == 0) *out = LEAT_AVRO_CODEC_ZSTD;
    if (*out >= 0) return LEAT_OK;
    leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "Avro codec '%.*s' is not supported",
                               (int)(length < 64 ? length : 64), name);
    leat_fail_hint(error, "null, deflate and zstandard are");
    return code;
}

int64_t leat_avro_read_long(leat_reader *reader)
{
    uint64_t bits = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = leat_reader_u8(reader);
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
    }
    reader->failed = true;
    return 0;
}

void leat_avro_put_long(leat_bytes *out, int64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;
    uint64_t bits = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    while (bits > 0x7f) {
        bytes[size++] = (uint8_t)(bits | 0x80);
        bits >>= 7;
    }
    bytes[size++] = (uint8_t)bits;
    leat_bytes_put(out, bytes, size);
}

/* Doubles the room for what is unpacked, up to the limit. */
static leat_code more_room(leat_bytes *room, leat_error *error)
{
    enum { START_BYTES = 64 << 10 };
    size_t more = room->size ? room->size : START_BYTES;
    if (room->size + more > LEAT_AVRO_BLOCK_BYTES_MAX) {
        return leat_fail(error, LEAT_LIMIT, "an Avro block unpacks to more than %d bytes", LEAT_AVRO_BLOCK_BYTES_MAX);
    }
    return leat_bytes_extend(room, more) ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code unpack_zstd(const uint8_t *data, size_t size, leat_bytes *room, size_t *used, leat_error *error)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (!stream) return leat_fail_no_memory(error);
    ZSTD_inBuffer in = {data, size, 0};
    leat_code code = LEAT_OK;
    size_t left = 1; /* 0: a frame has ended */
    while (code == LEAT_OK && (in.pos < in.size || left != 0)) {
        if (*used == room->size) code = more_room(room, error);
        if (code != LEAT_OK) break;
        ZSTD_outBuffer out = {room->data, room->size, *used};
        size_t was = in.pos;
        left = ZSTD_decompressStream(stream, &out, &in);
        bool is_stuck = in.pos == was && out.pos == *used;
        *used = out.pos;
        if (ZSTD_isError(left))
            code = leat_fail(error, LEAT_CORRUPT, "Avro block: zstd: %s", ZSTD_getErrorName(left));
        else if (is_stuck)
            code = leat_fail(error, LEAT_CORRUPT, "Avro block: zstd: the frame is cut off");
    }
    ZSTD_freeDStream(stream);
    return code;
}

static leat_code unpack_deflate(const uint8_t *data, size_t size, leat_bytes *room, size_t *used, leat_error *error)
{
    if (size > UINT32_MAX) return leat_fail(error, LEAT_LIMIT, "an Avro block of %zu bytes", size);
    z_stream stream = {0};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return leat_fail_no_memory(error);
    stream.next_in = (Bytef *)(uintptr_t)data; /* zlib does not write to it */
    stream.avail_in = (uInt)size;
    leat_code code = LEAT_OK;
    int status = Z_OK;
    while (code == LEAT_OK && status == Z_OK) {
        if (*used == room->size) code = more_room(room, error);
        if (code != LEAT_OK) break;
        stream.next_out = room->data + *used;
        stream.avail_out = (uInt)(room->size - *used);
        status = inflate(&stream, Z_NO_FLUSH);
        *used = room->size - stream.avail_out;
        if (status == Z_BUF_ERROR && stream.avail_out == 0) status = Z_OK;
    }
    if (code == LEAT_OK && status != Z_STREAM_END) {
        code = leat_fail(error, LEAT_CORRUPT, "Avro block: deflate: %s", stream.msg ? stream.msg : "cut off");
    }
    inflateEnd(&stream);
    return code;
}

leat_code leat_avro_unpack(int codec, const uint8_t *data, size_t size, leat_arena *arena, const uint8_t **out,
                           size_t *out_size, leat_error *error)
{
    *out = data;
    *out_size = size;
    if (codec == LEAT_AVRO_CODEC_NULL) return LEAT_OK;
    leat_bytes room = {0};
    size_t used = 0;
    leat_code code = codec == LEAT_AVRO_CODEC_ZSTD ? unpack_zstd(data, size, &room, &used, error)
                                                   : unpack_deflate(data, size, &room, &used, error);
    if (code == LEAT_OK) {
        uint8_t *copy = leat_arena_take(arena, used);
        if (copy && used) memcpy(copy, room.data, used);
        *out = copy;
        *out_size = used;
        if (!copy) code = leat_fail(error, LEAT_LIMIT, "an Avro block of %zu bytes does not fit in memory", used);
    }
    leat_bytes_done(&room);
    return code;
}

static leat_code pack_zstd(const uint8_t *data, size_t size, leat_bytes *out, leat_error *error)
{
    enum { LEVEL = 3 };
    uint8_t *room = leat_bytes_extend(out, ZSTD_compressBound(size));
    if (!room) return leat_fail_no_memory(error);
    size_t packed = ZSTD_compress(room, out->size, data, size, LEVEL);
    if (ZSTD_isError(packed)) return leat_fail(error, LEAT_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(packed));
    out->size = packed;
    return LEAT_OK;
}

static leat_code pack_deflate(const uint8_t *data, size_t size, leat_bytes *out, leat_error *error)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        return leat_fail_no_memory(error);
    }
    leat_code code = LEAT_OK;
    uint8_t *room = leat_bytes_extend(out, deflateBound(&stream, size));
    if (!room) code = leat_fail_no_memory(error);
    if (room) {
        stream.next_in = (Bytef *)(uintptr_t)data;
        stream.avail_in = (uInt)size;
        stream.next_out = room;
        stream.avail_out = (uInt)out->size;
        if (deflate(&stream, Z_FINISH) != Z_STREAM_END) code = leat_fail(error, LEAT_NO_MEMORY, "deflate failed");
        out->size = stream.total_out;
    }
    deflateEnd(&stream);
    return code;
}

leat_code leat_avro_pack(int codec, const uint8_t *data, size_t size, leat_bytes *out, leat_error *error)
{
    leat_bytes_reset(out);
    if (codec == LEAT_AVRO_CODEC_ZSTD) return pack_zstd(data, size, out, error);
    if (codec == LEAT_AVRO_CODEC_DEFLATE) return pack_deflate(data, size, out, error);
    leat_bytes_put(out, data, size);
    return leat_bytes_check(out, error);
}
