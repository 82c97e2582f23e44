/* FILE…: reads amount and client_id of Parquet files (by Arrow's reader, through formats/parquet), looks each order's
 * client up in a table of ten, sums by it. What is left of the lab when there is no engine. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bare/bare.h"
#include "common/memory.h"
#include "formats/datafile.h"

enum { CLIENTS_MAX = 4096 };

typedef struct sums {
    int64_t rows, amounts[CLIENTS_MAX], counts[CLIENTS_MAX];
} sums;

static void add_batch(sums *self, const leat_batch *batch)
{
    const int32_t *amounts = batch->columns[0].values, *clients = batch->columns[1].values;
    for (int32_t i = 0; i < batch->rows; i++) {
        uint32_t client = (uint32_t)clients[i] % CLIENTS_MAX;
        self->amounts[client] += amounts[i];
        self->counts[client]++;
    }
    self->rows += batch->rows;
}

static void release_map(leat_buffer *buffer)
{
    munmap(buffer->data, buffer->size_bytes);
    leat_free(buffer);
}

static leat_code map_file(const char *path, leat_buffer **out, leat_error *error)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) return leat_fail(error, LEAT_IO, "open %s", path);
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    leat_buffer *buffer = leat_calloc(1, sizeof *buffer);
    if (data == MAP_FAILED || !buffer) return leat_fail_no_memory(error);
    *buffer = (leat_buffer){.data = data, .size_bytes = (size_t)status.st_size, .release = release_map};
    atomic_init(&buffer->references, 1);
    *out = buffer;
    return LEAT_OK;
}

static leat_code read_file(const char *path, sums *into, leat_error *error)
{
    leat_type type = leat_type_make(LEAT_TYPE_INT, true);
    leat_field fields[] = {{"amount", type}, {"client_id", type}};
    leat_schema schema = {2, fields};
    leat_buffer *bytes = NULL;
    leat_datafile_reader *reader = NULL;
    LEAT_TRY(map_file(path, &bytes, error));
    leat_code code = leat_datafile_reader_new("parquet", bytes->size_bytes, &schema, &reader, error);
    if (code == LEAT_OK) code = leat_datafile_reader_give(reader, 0, bytes, error);
    leat_datafile_status status = LEAT_DATAFILE_BATCH;
    while (code == LEAT_OK && status == LEAT_DATAFILE_BATCH) {
        leat_batch *batch = NULL;
        code = leat_datafile_reader_step(reader, BARE_ROWS, &status, &batch, error);
        if (code == LEAT_OK && status == LEAT_DATAFILE_BATCH) add_batch(into, batch);
        leat_batch_free(batch);
    }
    leat_datafile_reader_free(reader);
    leat_buffer_unref(bytes);
    return code;
}

int main(int argc, char **argv)
{
    static sums total;
    leat_error error = {0};
    for (int i = 1; i < argc; i++) {
        if (read_file(argv[i], &total, &error) != LEAT_OK) {
            fprintf(stderr, "lab: %s\n", error.text);
            return 1;
        }
    }
    uint64_t check = 0;
    for (int i = 0; i < CLIENTS_MAX; i++)
        check += (uint64_t)total.amounts[i] + (uint64_t)total.counts[i];
    bare_report(total.rows, check);
    return 0;
}
