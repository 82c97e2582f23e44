/* The data file format of the simulation, behind the interface that Parquet stands behind: the schema, then blocks of
 * rows as columnar/wire writes them. */
#include <string.h>

#include "columnar/wire.h"
#include "common/memory.h"
#include "formats/format.h"
#include "tests/sim/rows_format.h"

enum { BLOCK_ROWS_MAX = 64, COLUMNS_MAX = 256 };

typedef struct writer {
    leat_datafile_writer base; /* first */
    leat_bytes bytes;
    int64_t taken_bytes;
    bool has_header;
} writer;

static leat_code rows_writer_new(const leat_schema *schema, const leat_datafile_write_options *options,
                                 leat_datafile_writer **out, leat_error *error)
{
    (void)schema;
    (void)options;
    writer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    *out = &self->base;
    return LEAT_OK;
}

static void put_header(writer *self)
{
    if (!self->has_header) leat_schema_write(&self->base.schema, &self->bytes);
    self->has_header = true;
}

static leat_code put_block(writer *self, leat_batch *block)
{
    size_t size = leat_batch_wire_bytes(block);
    leat_bytes_put_u32(&self->bytes, (uint32_t)size);
    leat_buffer *aligned = leat_buffer_new(size);
    if (!aligned) return LEAT_NO_MEMORY;
    leat_batch_wire_write(block, aligned->data);
    leat_bytes_put(&self->bytes, aligned->data, size);
    leat_buffer_unref(aligned);
    return LEAT_OK;
}

static leat_code rows_write(leat_datafile_writer *base, leat_batch *batch, leat_error *error)
{
    writer *self = (writer *)base;
    put_header(self);
    uint16_t rows[BLOCK_ROWS_MAX];
    for (int32_t first = 0; first < batch->rows; first += BLOCK_ROWS_MAX) {
        int32_t count = batch->rows - first < BLOCK_ROWS_MAX ? batch->rows - first : BLOCK_ROWS_MAX;
        for (int32_t i = 0; i < count; i++)
            rows[i] = (uint16_t)(first + i);
        leat_batch block = *batch; /* the same columns under a selection of its own */
        block.selection = rows;
        block.selected = count;
        block.kinds = NULL;
        if (put_block(self, &block) != LEAT_OK) return leat_fail_no_memory(error);
    }
    return leat_bytes_check(&self->bytes, error);
}

static leat_code rows_take(leat_datafile_writer *base, leat_bytes *out, leat_error *error)
{
    writer *self = (writer *)base;
    leat_bytes_put(out, self->bytes.data, self->bytes.size);
    self->taken_bytes += (int64_t)self->bytes.size;
    leat_bytes_reset(&self->bytes);
    return leat_bytes_check(out, error);
}

static int64_t rows_bytes(const leat_datafile_writer *base)
{
    const writer *self = (const writer *)base;
    return self->taken_bytes + (int64_t)self->bytes.size;
}

static leat_code rows_finish(leat_datafile_writer *base, leat_error *error)
{
    writer *self = (writer *)base;
    put_header(self);
    return leat_bytes_check(&self->bytes, error);
}

static void rows_writer_free(leat_datafile_writer *base)
{
    leat_bytes_done(&((writer *)base)->bytes);
    leat_free(base);
}

typedef struct reader {
    leat_datafile_reader base; /* first */
    uint64_t file_size;
    leat_buffer *file;
    size_t at;          /* in the file; 0: the header was not read */
    leat_schema schema; /* of the file, in base.arena */
} reader;

static leat_code rows_reader_new(uint64_t file_size, const leat_schema *columns, leat_datafile_reader **out,
                                 leat_error *error)
{
    (void)columns;
    reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->file_size = file_size;
    *out = &self->base;
    return LEAT_OK;
}

static leat_code rows_give(leat_datafile_reader *base, uint64_t offset, leat_buffer *bytes, leat_error *error)
{
    reader *self = (reader *)base;
    if (offset != 0 || bytes->size_bytes < self->file_size)
        return leat_fail(error, LEAT_CORRUPT, "a piece of a rows file");
    leat_buffer_unref(self->file);
    self->file = leat_buffer_ref(bytes);
    return LEAT_OK;
}

static size_t rows_needed(leat_datafile_reader *base, leat_datafile_range *ranges, size_t ranges_max)
{
    reader *self = (reader *)base;
    if (ranges_max == 0 || self->file) return 0; /* one piece, and it is there */
    ranges[0] = (leat_datafile_range){0, self->file_size};
    return 1;
}

static leat_code pick_columns(reader *self, leat_batch *whole, leat_batch **out, leat_error *error)
{
    leat_batch *wanted = leat_batch_new(self->base.columns.fields_count);
    if (!wanted) return leat_fail_no_memory(error);
    wanted->rows = wanted->selected = whole->rows;
    for (int32_t i = 0; i < wanted->columns_count; i++) {
        int32_t from = leat_schema_find(&self->schema, self->base.columns.fields[i].name);
        leat_code code =
            from < 0 ? leat_fail(error, LEAT_NOT_FOUND, "no column '%s' in the file", self->base.columns.fields[i].name)
                     : leat_column_share(&wanted->columns[i], &whole->columns[from], error);
        if (code != LEAT_OK) {
            leat_batch_free(wanted);
            return code;
        }
    }
    *out = wanted;
    return LEAT_OK;
}

static leat_code read_block(reader *self, const uint8_t *data, size_t size, leat_batch **out, leat_error *error)
{
    leat_layout layouts[COLUMNS_MAX];
    if (self->schema.fields_count > COLUMNS_MAX)
        return leat_fail(error, LEAT_LIMIT, "%d columns", self->schema.fields_count);
    for (int32_t i = 0; i < self->schema.fields_count; i++)
        layouts[i] = leat_type_layout(&self->schema.fields[i].type);
    leat_buffer *body = leat_buffer_new(size);
    if (!body) return leat_fail_no_memory(error);
    memcpy(body->data, data, size);
    leat_batch *whole = NULL;
    leat_code code = leat_batch_wire_read(body, layouts, self->schema.fields_count, &whole, error);
    if (code == LEAT_OK) code = pick_columns(self, whole, out, error);
    leat_batch_free(whole);
    leat_buffer_unref(body);
    return code;
}

static leat_code rows_step(leat_datafile_reader *base, int32_t rows_max, leat_datafile_status *status, leat_batch **out,
                           leat_error *error)
{
    (void)rows_max; /* blocks are small */
    reader *self = (reader *)base;
    *status = LEAT_DATAFILE_NEED;
    if (!self->file) return LEAT_OK;
    leat_reader bytes;
    leat_reader_init(&bytes, self->file->data, (size_t)self->file_size);
    if (self->at == 0) {
        LEAT_TRY(leat_schema_read(&bytes, &self->base.arena, &self->schema, error));
        self->at = (size_t)(bytes.at - bytes.start);
    }
    bytes.at = bytes.start + self->at;
    *status = LEAT_DATAFILE_END;
    if (leat_reader_left(&bytes) == 0) return LEAT_OK;
    size_t size;
    const uint8_t *block = leat_reader_block(&bytes, &size);
    LEAT_TRY(leat_reader_check(&bytes, false, "rows file", error));
    self->at = (size_t)(bytes.at - bytes.start);
    *status = LEAT_DATAFILE_BATCH;
    return read_block(self, block, size, out, error);
}

static void rows_reader_free(leat_datafile_reader *base)
{
    leat_buffer_unref(((reader *)base)->file);
    leat_free(base);
}

static const leat_datafile_format rows_format = {
    .name = "parquet", /* in its place */
    .writer_new = rows_writer_new,
    .write = rows_write,
    .take = rows_take,
    .bytes = rows_bytes,
    .finish = rows_finish,
    .writer_free = rows_writer_free,
    .reader_new = rows_reader_new,
    .give = rows_give,
    .step = rows_step,
    .needed = rows_needed,
    .reader_free = rows_reader_free,
};

void sim_rows_format_add(void)
{
    leat_datafile_add_format(&rows_format);
}
