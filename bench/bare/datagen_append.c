/* ROWS FILE: three random INT columns into one Parquet file with zstd, by Arrow's writer (through formats/parquet). */
#include "bench/bare/bare.h"
#include "formats/datafile.h"

static leat_code write_rows(leat_datafile_writer *writer, int64_t rows, FILE *file, leat_error *error)
{
    static bare_block block;
    bare_random random = {1};
    leat_bytes ready = {0};
    leat_code code = LEAT_OK;
    for (int64_t left = rows; code == LEAT_OK && left > 0; left -= BARE_ROWS) {
        int32_t count = left < BARE_ROWS ? (int32_t)left : BARE_ROWS;
        bare_generate(&random, &block);
        leat_column columns[BARE_COLUMNS] = {0};
        for (int c = 0; c < BARE_COLUMNS; c++)
            columns[c] = (leat_column){.layout = LEAT_LAYOUT_32, .values = block.columns[c]};
        leat_batch batch = {.rows = count, .selected = count, .columns_count = BARE_COLUMNS, .columns = columns};
        code = leat_datafile_write(writer, &batch, error);
        if (code == LEAT_OK) code = leat_datafile_writer_take(writer, &ready, error);
        if (code == LEAT_OK && ready.size && fwrite(ready.data, 1, ready.size, file) != ready.size) {
            code = leat_fail(error, LEAT_IO, "write the file");
        }
        leat_bytes_reset(&ready);
    }
    leat_column_stats stats[BARE_COLUMNS] = {0};
    if (code == LEAT_OK) code = leat_datafile_writer_finish(writer, stats, error);
    if (code == LEAT_OK) code = leat_datafile_writer_take(writer, &ready, error);
    if (code == LEAT_OK && fwrite(ready.data, 1, ready.size, file) != ready.size) code = LEAT_IO;
    for (int c = 0; c < BARE_COLUMNS; c++) {
        leat_bytes_done(&stats[c].min);
        leat_bytes_done(&stats[c].max);
    }
    leat_bytes_done(&ready);
    return code;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    int64_t rows = strtoll(argv[1], NULL, 10);
    leat_type type = leat_type_make(LEAT_TYPE_INT, true);
    leat_field fields[BARE_COLUMNS] = {{"order_id", type}, {"amount", type}, {"client_id", type}};
    leat_schema schema = {BARE_COLUMNS, fields};
    leat_datafile_write_options options = {.compression = "zstd", .compression_level = 1};
    leat_datafile_writer *writer = NULL;
    leat_error error = {0};
    FILE *file = fopen(argv[2], "we");
    leat_code code = file ? LEAT_OK : LEAT_IO;
    if (code == LEAT_OK) code = leat_datafile_writer_new("parquet", &schema, &options, &writer, &error);
    if (code == LEAT_OK) code = write_rows(writer, rows, file, &error);
    leat_datafile_writer_free(writer);
    if (file && fclose(file) != 0) code = LEAT_IO;
    if (code != LEAT_OK) {
        fprintf(stderr, "datagen_append: %s\n", error.text);
        return 1;
    }
    bare_report(rows, 0);
    return 0;
}
