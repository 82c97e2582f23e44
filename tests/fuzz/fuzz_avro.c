/* Any bytes as an Avro container file: as written, then through the eyes of a reader with another schema. */
#include <stdint.h>
#include <string.h>

#include "formats/avro/avro.h"
#include "tests/fuzz/fuzz.h"

static const char wanted_text[] = "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"_VERSION\",\"type\":["
                                  "\"null\",\"double\"],\"default\":null},"
                                  "{\"name\":\"_FILE_NAME\",\"type\":\"bytes\",\"default\":\"x\"},{\"name\":\"new\","
                                  "\"type\":{\"type\":\"map\",\"values\":\"int\"},"
                                  "\"default\":{\"a\":1}}]}";

static void read_all(const uint8_t *data, size_t size, const leat_avro_schema *wanted, leat_arena *arena)
{
    leat_avro_file file;
    bool has_value = true;
    leat_avro_value value;
    if (leat_avro_file_open(data, size, arena, &file, NULL) != LEAT_OK) return;
    while (has_value && leat_avro_file_next(&file, wanted, arena, &has_value, &value, NULL) == LEAT_OK)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    const leat_avro_schema *wanted;
    read_all(data, size, NULL, &arena);
    leat_arena_reset(&arena);
    if (leat_avro_schema_parse(wanted_text, strlen(wanted_text), &arena, &wanted, NULL) == LEAT_OK) {
        read_all(data, size, wanted, &arena);
    }
    leat_arena_done(&arena);
    return 0;
}
