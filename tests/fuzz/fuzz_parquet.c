/* A data file of the corpus' table (tests/fuzz/seeds.py), damaged. Arrow's library behind the module is not
 * instrumented: what is looked for here is a crash of it, and what it hands over. */
#include <string.h>

#include "columnar/expr.h"
#include "common/memory.h"
#include "formats/datafile.h"
#include "tests/fuzz/fuzz.h"

enum { COLUMNS = 6, STEPS_MAX = 1000, RANGES_MAX = 8, ROWS_A_BATCH = 100 };

static leat_field fields[COLUMNS] = {
    {"i", {.kind = LEAT_TYPE_INT, .nullable = true}},
    {"l", {.kind = LEAT_TYPE_BIGINT, .nullable = true}},
    {"s", {.kind = LEAT_TYPE_VARCHAR, .nullable = true, .precision = LEAT_LENGTH_MAX}},
    {"d", {.kind = LEAT_TYPE_DOUBLE, .nullable = true}},
    {"n", {.kind = LEAT_TYPE_DECIMAL, .nullable = true, .precision = 20, .scale = 2}},
    {"b", {.kind = LEAT_TYPE_BOOLEAN, .nullable = true}},
};
static const leat_schema schema = {COLUMNS, fields};

static leat_code give(leat_datafile_reader *reader, const uint8_t *data, size_t size)
{
    leat_datafile_range ranges[RANGES_MAX];
    size_t count = leat_datafile_reader_needed(reader, ranges, RANGES_MAX);
    if (!count) return leat_fail(NULL, LEAT_CORRUPT, "it needs nothing, and goes on needing it");
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].offset > size || ranges[i].size > size - ranges[i].offset)
            return leat_fail(NULL, LEAT_CORRUPT, "a range outside the file");
        leat_buffer *bytes = leat_buffer_new((size_t)ranges[i].size);
        if (!bytes) return leat_fail_no_memory(NULL);
        memcpy(bytes->data, data + ranges[i].offset, (size_t)ranges[i].size);
        leat_code code = leat_datafile_reader_give(reader, ranges[i].offset, bytes, NULL);
        leat_buffer_unref(bytes);
        LEAT_TRY(code);
    }
    return LEAT_OK;
}

static void print(const leat_batch *batch)
{
    leat_bytes text = {0};
    for (int32_t c = 0; c < batch->columns_count; c++) {
        for (int32_t r = 0; r < batch->rows; r++)
            leat_value_print(&fields[c].type, &batch->columns[c], r, NULL, &text);
    }
    leat_bytes_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    leat_datafile_reader *reader;
    if (leat_datafile_reader_new("parquet", size, &schema, &reader, NULL) != LEAT_OK) return 0;
    leat_code code = LEAT_OK;
    leat_datafile_status status = LEAT_DATAFILE_NEED;
    for (int i = 0; i < STEPS_MAX && code == LEAT_OK && status != LEAT_DATAFILE_END; i++) {
        leat_batch *batch = NULL;
        code = leat_datafile_reader_step(reader, ROWS_A_BATCH, &status, &batch, NULL);
        if (code == LEAT_OK && status == LEAT_DATAFILE_NEED) code = give(reader, data, size);
        if (batch) print(batch);
        leat_batch_free(batch);
    }
    leat_datafile_reader_free(reader);
    return 0;
}
