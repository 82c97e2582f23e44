/* Object container files: header, then blocks of count, size, packed values, sync marker. */
#include <inttypes.h>
#include <string.h>

#include "formats/avro/avro.h"
#include "formats/avro/codec.h"

enum { SYNC_BYTES = 16, MAGIC_BYTES = 4, METADATA_MAX = 1024 };

static const uint8_t magic[MAGIC_BYTES] = {'O', 'b', 'j', 1};

typedef struct text {
    const char *data;
    size_t size;
} text;

static text read_text(leat_reader *reader)
{
    int64_t size = leat_avro_read_long(reader);
    if (size < 0) reader->failed = true;
    const uint8_t *data = reader->failed ? NULL : leat_reader_take(reader, (size_t)size);
    return data ? (text){(const char *)data, (size_t)size} : (text){"", 0};
}

static bool is_key(text key, const char *name)
{
    return key.size == strlen(name) && memcmp(key.data, name, key.size) == 0;
}

static leat_code read_metadata(leat_reader *reader, text *schema, text *codec, leat_error *error)
{
    int64_t total = 0;
    for (;;) { /* each round reads at least a byte */
        int64_t count = leat_avro_read_long(reader);
        if (count == INT64_MIN || reader->failed) return leat_fail(error, LEAT_CORRUPT, "an Avro header is cut off");
        if (count == 0) return LEAT_OK;
        if (count < 0) {
            (void)leat_avro_read_long(reader); /* bytes */
            count = -count;
        }
        total += count > METADATA_MAX ? METADATA_MAX + 1 : count;
        if (total > METADATA_MAX)
            return leat_fail(error, LEAT_LIMIT, "an Avro header of more than %d entries", METADATA_MAX);
        for (int64_t i = 0; i < count; i++) {
            text key = read_text(reader), value = read_text(reader);
            if (is_key(key, "avro.schema")) *schema = value;
            if (is_key(key, "avro.codec")) *codec = value;
        }
    }
}

leat_code leat_avro_file_open(const uint8_t *data, size_t size, leat_arena *arena, leat_avro_file *out,
                              leat_error *error)
{
    leat_avro_file file = {.arena = arena};
    leat_reader_init(&file.reader, data, size);
    const uint8_t *start = leat_reader_take(&file.reader, MAGIC_BYTES);
    if (!start || memcmp(start, magic, MAGIC_BYTES) != 0) return leat_fail(error, LEAT_CORRUPT, "this is no Avro file");
    text schema = {NULL, 0}, codec = {"null", 4};
    LEAT_TRY(read_metadata(&file.reader, &schema, &codec, error));
    file.sync = leat_reader_take(&file.reader, SYNC_BYTES);
    if (!file.sync || !schema.data) return leat_fail(error, LEAT_CORRUPT, "an Avro header has no schema or is cut off");
    LEAT_TRY(leat_avro_codec_find(codec.data, codec.size, &file.codec, error));
    LEAT_TRY(leat_avro_schema_parse(schema.data, schema.size, arena, &file.schema, error));
    *out = file;
    return LEAT_OK;
}

static leat_code next_block(leat_avro_file *file, leat_error *error)
{
    enum { EMPTY_VALUES_MAX = 1 << 20 };
    leat_reader *reader = &file->reader;
    size_t offset = (size_t)(reader->at - reader->start);
    int64_t count = leat_avro_read_long(reader), size = leat_avro_read_long(reader);
    const uint8_t *packed = size < 0 || reader->failed ? NULL : leat_reader_take(reader, (size_t)size);
    const uint8_t *sync = packed ? leat_reader_take(reader, SYNC_BYTES) : NULL;
    if (!sync || count < 0 || memcmp(sync, file->sync, SYNC_BYTES) != 0) {
        return leat_fail(error, LEAT_CORRUPT, "the Avro block at offset %zu is broken", offset);
    }
    const uint8_t *data;
    size_t unpacked;
    LEAT_TRY(leat_avro_unpack(file->codec, packed, (size_t)size, file->arena, &data, &unpacked, error));
    size_t most = unpacked > EMPTY_VALUES_MAX ? unpacked : EMPTY_VALUES_MAX;
    if ((uint64_t)count > most) {
        return leat_fail(error, LEAT_CORRUPT, "the Avro block at offset %zu has %" PRId64 " values", offset, count);
    }
    leat_reader_init(&file->block, data, unpacked);
    file->block_left = count;
    return LEAT_OK;
}

leat_code leat_avro_file_next(leat_avro_file *file, const leat_avro_schema *wanted, leat_arena *arena, bool *has_value,
                              leat_avro_value *out, leat_error *error)
{
    while (file->block_left == 0) {
        if (file->block.start) LEAT_TRY(leat_reader_check(&file->block, true, "an Avro block", error));
        file->block.start = NULL;
        *has_value = false;
        if (leat_reader_left(&file->reader) == 0) return LEAT_OK;
        LEAT_TRY(next_block(file, error));
    }
    file->block_left--;
    *has_value = true;
    return leat_avro_decode(&file->block, file->schema, wanted, arena, out, error);
}

static void put_text(leat_bytes *out, const char *value)
{
    leat_avro_put_long(out, (int64_t)strlen(value));
    leat_bytes_put(out, value, strlen(value));
}

leat_code leat_avro_writer_init(leat_avro_writer *writer, const char *schema_json, const leat_avro_schema *schema,
                                const char *codec, const uint8_t sync[16], leat_bytes *out, leat_error *error)
{
    *writer = (leat_avro_writer){.schema = schema, .out = out};
    LEAT_TRY(leat_avro_codec_find(codec, strlen(codec), &writer->codec, error));
    memcpy(writer->sync, sync, SYNC_BYTES);
    leat_bytes_put(out, magic, MAGIC_BYTES);
    leat_avro_put_long(out, 2);
    put_text(out, "avro.schema");
    put_text(out, schema_json);
    put_text(out, "avro.codec");
    put_text(out, leat_avro_codec_name(writer->codec));
    leat_avro_put_long(out, 0);
    leat_bytes_put(out, sync, SYNC_BYTES);
    return leat_bytes_check(out, error);
}

static leat_code close_block(leat_avro_writer *writer, leat_error *error)
{
    if (writer->block_count == 0) return LEAT_OK;
    LEAT_TRY(leat_avro_pack(writer->codec, writer->block.data, writer->block.size, &writer->packed, error));
    leat_avro_put_long(writer->out, writer->block_count);
    leat_avro_put_long(writer->out, (int64_t)writer->packed.size);
    leat_bytes_put(writer->out, writer->packed.data, writer->packed.size);
    leat_bytes_put(writer->out, writer->sync, SYNC_BYTES);
    leat_bytes_reset(&writer->block);
    writer->block_count = 0;
    return leat_bytes_check(writer->out, error);
}

leat_code leat_avro_writer_add(leat_avro_writer *writer, const leat_avro_value *value, leat_error *error)
{
    LEAT_TRY(leat_avro_encode(writer->schema, value, &writer->block, error));
    writer->block_count++;
    return writer->block.size >= LEAT_AVRO_BLOCK_BYTES ? close_block(writer, error) : LEAT_OK;
}

leat_code leat_avro_writer_finish(leat_avro_writer *writer, leat_error *error)
{
    return close_block(writer, error);
}

void leat_avro_writer_done(leat_avro_writer *writer)
{
    leat_bytes_done(&writer->block);
    leat_bytes_done(&writer->packed);
}
