/* Lines of csv, json and debezium-json as a table of every type. The first byte says which format, and what is done
 * with lines that can't be read. */
#include <string.h>

#include "common/memory.h"
#include "formats/text/decoder.h"
#include "tests/fuzz/fuzz.h"

enum { COLUMNS = 17 };

static leat_field fields[COLUMNS] = {
    {"b", {.kind = LEAT_TYPE_BOOLEAN, .nullable = true}},
    {"t", {.kind = LEAT_TYPE_TINYINT, .nullable = true}},
    {"s", {.kind = LEAT_TYPE_SMALLINT, .nullable = true}},
    {"i", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"l", {.kind = LEAT_TYPE_BIGINT, .nullable = true}},
    {"f", {.kind = LEAT_TYPE_FLOAT, .nullable = true}},
    {"d", {.kind = LEAT_TYPE_DOUBLE, .nullable = true}},
    {"n", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 20, .scale = 5}},
    {"c", {.kind = LEAT_TYPE_CHAR, .nullable = true, .precision = 3}},
    {"v", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"y", {.kind = LEAT_TYPE_VARBINARY, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"bin", {.kind = LEAT_TYPE_BINARY, .nullable = true, .precision = 4}},
    {"date", {.kind = LEAT_TYPE_DATE, .nullable = true}},
    {"time", {.kind = LEAT_TYPE_TIME, .nullable = true, .precision = 3}},
    {"ts", {.kind = LEAT_TYPE_TIMESTAMP, .nullable = true, .precision = 6}},
    {"ltz", {.kind = LEAT_TYPE_TIMESTAMP_LTZ, .nullable = true, .precision = 3}},
    {"big", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 38, .scale = 0}},
};
static const leat_schema schema = {COLUMNS, fields};

static void read_lines(leat_decoder *decoder, const char *data, size_t size)
{
    leat_batch_builder builder;
    leat_batch *batch = NULL;
    leat_code code = leat_batch_builder_init_schema(&builder, &schema, LEAT_BATCH_ROWS_MAX, NULL);
    while (code == LEAT_OK && size && builder.rows + LEAT_DECODER_ROWS_MAX <= LEAT_BATCH_ROWS_MAX) {
        const char *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) + 1 : size;
        code = leat_decoder_decode(decoder, data, length, &builder, NULL);
        data += length;
        size -= length;
    }
    if (code == LEAT_OK) code = leat_batch_builder_finish(&builder, &batch, NULL);
    leat_batch_free(batch);
    leat_batch_builder_done(&builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    static const char *const formats[] = {"csv", "json", "debezium-json", "csv"};
    const char *format = formats[data[0] & 3];
    leat_config options = {0};
    char key[64];
    snprintf(key, sizeof key, "%s.ignore-parse-errors", format);
    leat_code code = leat_config_set(&options, key, data[0] & 4 ? "true" : "false", NULL);
    if (code == LEAT_OK && (data[0] & 3) == 3) { /* csv in another dress */
        code = leat_config_set(&options, "csv.escape-character", "\\", NULL);
        if (code == LEAT_OK) code = leat_config_set(&options, "csv.null-literal", "n/a", NULL);
        if (code == LEAT_OK) code = leat_config_set(&options, "csv.allow-comments", "true", NULL);
    }
    snprintf(key, sizeof key, "%s.timestamp-format.standard", format);
    if (code == LEAT_OK && data[0] & 8 && (data[0] & 3) != 0 && (data[0] & 3) != 3)
        code = leat_config_set(&options, key, "ISO-8601", NULL);
    leat_decoder *decoder;
    if (code == LEAT_OK && leat_decoder_new(format, &schema, &options, &decoder, NULL) == LEAT_OK) {
        read_lines(decoder, (const char *)data + 1, size - 1);
        leat_decoder_free(decoder);
    }
    leat_config_done(&options);
    return 0;
}
