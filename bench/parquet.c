/* Rows a second through the Parquet module: three INT columns, written and read back, in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/memory.h"
#include "formats/datafile.h"

enum { BATCHES = 1200, ROWS = 8192 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void check(leat_code code, const leat_error *error)
{
    if (code == LEAT_OK) return;
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

static leat_batch *make_batch(uint64_t *random, const uint32_t *spans)
{
    leat_batch *batch = leat_batch_new(3);
    batch->rows = batch->selected = ROWS;
    for (int c = 0; c < 3; c++) {
        leat_column *column = &batch->columns[c];
        column->layout = LEAT_LAYOUT_32;
        column->values_buffer = leat_buffer_new((size_t)ROWS * 4);
        column->values = column->values_buffer->data;
        int32_t *values = (int32_t *)(void *)column->values_buffer->data;
        for (int i = 0; i < ROWS; i++) {
            *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            values[i] = (int32_t)(((*random >> 32) * spans[c]) >> 32) + 1;
        }
    }
    return batch;
}

static double write_all(const leat_schema *schema, const uint32_t *spans, leat_bytes *file)
{
    leat_error error = {0};
    leat_datafile_writer *writer;
    leat_datafile_write_options options = {.compression = "zstd", .compression_level = 1};
    check(leat_datafile_writer_new("parquet", schema, &options, &writer, &error), &error);
    uint64_t random = 7;
    double used_s = 0;
    for (int i = 0; i < BATCHES; i++) {
        leat_batch *batch = make_batch(&random, spans);
        double start_s = now_s();
        check(leat_datafile_write(writer, batch, &error), &error);
        check(leat_datafile_writer_take(writer, file, &error), &error);
        used_s += now_s() - start_s;
        leat_batch_free(batch);
    }
    double start_s = now_s();
    leat_column_stats stats[3];
    check(leat_datafile_writer_finish(writer, stats, &error), &error);
    check(leat_datafile_writer_take(writer, file, &error), &error);
    for (int i = 0; i < 3; i++) {
        leat_bytes_done(&stats[i].min);
        leat_bytes_done(&stats[i].max);
    }
    leat_datafile_writer_free(writer);
    return used_s + now_s() - start_s;
}

static double read_all(const leat_schema *schema, const leat_bytes *file)
{
    leat_error error = {0};
    leat_datafile_reader *reader;
    check(leat_datafile_reader_new("parquet", file->size, schema, &reader, &error), &error);
    leat_buffer *bytes = leat_buffer_new(file->size);
    memcpy(bytes->data, file->data, file->size);
    double start_s = now_s();
    check(leat_datafile_reader_give(reader, 0, bytes, &error), &error);
    leat_buffer_unref(bytes);
    int64_t rows = 0;
    for (leat_datafile_status status = LEAT_DATAFILE_BATCH; status == LEAT_DATAFILE_BATCH;) {
        leat_batch *batch = NULL;
        check(leat_datafile_reader_step(reader, LEAT_BATCH_ROWS_MAX, &status, &batch, &error), &error);
        rows += batch ? batch->rows : 0;
        leat_batch_free(batch);
    }
    double used_s = now_s() - start_s;
    leat_datafile_reader_free(reader);
    if (rows != (int64_t)BATCHES * ROWS) exit(2);
    return used_s;
}

int main(void)
{
    static const struct {
        const char *name;
        uint32_t spans[3];
    } cases[] = {{"few values (100, 1000, 10)", {100, 991, 10}}, {"any INT", {UINT32_MAX, UINT32_MAX, UINT32_MAX}}};
    leat_field fields[3] = {{"a", {.kind = LEAT_TYPE_INT, .nullable = true}},
                            {"b", {.kind = LEAT_TYPE_INT, .nullable = true}},
                            {"c", {.kind = LEAT_TYPE_INT, .nullable = true}}};
    leat_schema schema = {3, fields};
    for (size_t i = 0; i < 2; i++) {
        leat_bytes file = {0};
        double written_s = write_all(&schema, cases[i].spans, &file), read_s = read_all(&schema, &file);
        double rows = (double)BATCHES * ROWS / 1e6;
        printf("%-28s write %6.1f M rows/s, read %6.1f M rows/s, %5.2f bytes a row\n", cases[i].name, rows / written_s,
               rows / read_s, (double)file.size / rows / 1e6);
        leat_bytes_done(&file);
    }
    return 0;
}
