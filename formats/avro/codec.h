/* Block codecs of Avro container files. Internal to formats/avro. */
#pragma once

#include "common/arena.h"
#include "common/bytes.h"

typedef enum leat_avro_codec { LEAT_AVRO_CODEC_NULL, LEAT_AVRO_CODEC_DEFLATE, LEAT_AVRO_CODEC_ZSTD } leat_avro_codec;

/* LEAT_UNSUPPORTED names a codec that is not there. */
LEAT_CHECKED leat_code leat_avro_codec_find(const char *name, size_t length, int *out, leat_error *error);
const char *leat_avro_codec_name(int codec);
/* Unpacks into the arena (null: the same bytes). */
LEAT_CHECKED leat_code leat_avro_unpack(int codec, const uint8_t *data, size_t size, leat_arena *arena,
                                        const uint8_t **out, size_t *out_size, leat_error *error);
/* Replaces what `out` holds. */
LEAT_CHECKED leat_code leat_avro_pack(int codec, const uint8_t *data, size_t size, leat_bytes *out, leat_error *error);

/* Zigzag variable-length integers. */
int64_t leat_avro_read_long(leat_reader *reader);
void leat_avro_put_long(leat_bytes *out, int64_t value);
