#include "formats/datafile.h"

#include <string.h>

#include "common/memory.h"
#include "formats/format.h"

enum { FORMATS_MAX = 4 };

static const leat_datafile_format *formats[FORMATS_MAX] = {&leat_parquet_format};
static size_t formats_count = 1;

void leat_datafile_add_format(const leat_datafile_format *format)
{
    for (size_t i = 0; i < formats_count; i++) {
        if (formats[i] == format) return;
    }
    LEAT_ASSERT(formats_count < FORMATS_MAX);
    memmove(&formats[1], &formats[0], formats_count++ * sizeof formats[0]);
    formats[0] = format;
}

enum { ARENA_BYTES_MAX = 16 << 20 };

static leat_code find_format(const char *name, const leat_datafile_format **out, leat_error *error)
{
    for (size_t i = 0; i < formats_count; i++) {
        if (strcmp(formats[i]->name, name) != 0) continue;
        *out = formats[i];
        return LEAT_OK;
    }
    leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "file format '%s' is not supported", name);
    leat_fail_hint(error, "'file.format' = 'parquet' is");
    return code;
}

static leat_code check_schema(const leat_schema *schema, leat_error *error)
{
    for (int32_t i = 0; i < schema->fields_count; i++) {
        const leat_field *field = &schema->fields[i];
        if (leat_type_has_column(&field->type)) continue;
        leat_bytes text = {0};
        leat_type_print(&field->type, true, &text);
        leat_code code = leat_fail(error, LEAT_UNSUPPORTED, "column '%s': type %s is not supported yet", field->name,
                                   text.data ? (const char *)text.data : "");
        leat_bytes_done(&text);
        return code;
    }
    return LEAT_OK;
}

leat_code leat_datafile_writer_new(const char *format, const leat_schema *schema,
                                   const leat_datafile_write_options *options, leat_datafile_writer **out,
                                   leat_error *error)
{
    const leat_datafile_format *found;
    LEAT_TRY(find_format(format, &found, error));
    LEAT_TRY(check_schema(schema, error));
    leat_datafile_writer *self;
    LEAT_TRY(found->writer_new(schema, options, &self, error));
    self->format = found;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = leat_schema_copy(&self->arena, schema, &self->schema, error);
    if (code == LEAT_OK) code = leat_stats_init(&self->stats, schema, error);
    if (code == LEAT_OK)
        *out = self;
    else
        leat_datafile_writer_free(self);
    return code;
}

leat_code leat_datafile_write(leat_datafile_writer *self, const leat_batch *batch, leat_error *error)
{
    if (batch->selected == 0) return LEAT_OK;
    leat_batch *shared = leat_batch_share(batch), *dense = NULL;
    if (!shared) return leat_fail_no_memory(error);
    leat_code code = leat_batch_compact(&shared, &dense, error);
    if (code == LEAT_OK) code = leat_stats_add(&self->stats, dense, error);
    if (code == LEAT_OK) code = self->format->write(self, dense, error);
    leat_batch_free(shared);
    leat_batch_free(dense);
    return code;
}

leat_code leat_datafile_writer_take(leat_datafile_writer *self, leat_bytes *out, leat_error *error)
{
    return self->format->take(self, out, error);
}

int64_t leat_datafile_writer_bytes(const leat_datafile_writer *self)
{
    return self->format->bytes(self);
}

leat_code leat_datafile_writer_finish(leat_datafile_writer *self, leat_column_stats *stats, leat_error *error)
{
    LEAT_TRY(self->format->finish(self, error));
    return leat_stats_finish(&self->stats, stats, error);
}

void leat_datafile_writer_free(leat_datafile_writer *self)
{
    if (!self) return;
    leat_stats_done(&self->stats);
    leat_arena_done(&self->arena);
    self->format->writer_free(self);
}

leat_code leat_datafile_reader_new(const char *format, uint64_t file_size, const leat_schema *columns,
                                   leat_datafile_reader **out, leat_error *error)
{
    const leat_datafile_format *found;
    LEAT_TRY(find_format(format, &found, error));
    LEAT_TRY(check_schema(columns, error));
    leat_datafile_reader *self;
    LEAT_TRY(found->reader_new(file_size, columns, &self, error));
    self->format = found;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = leat_schema_copy(&self->arena, columns, &self->columns, error);
    if (code == LEAT_OK)
        *out = self;
    else
        leat_datafile_reader_free(self);
    return code;
}

leat_code leat_datafile_reader_give(leat_datafile_reader *self, uint64_t offset, leat_buffer *bytes, leat_error *error)
{
    return self->format->give(self, offset, bytes, error);
}

leat_code leat_datafile_reader_step(leat_datafile_reader *self, int32_t rows_max, leat_datafile_status *status,
                                    leat_batch **out, leat_error *error)
{
    return self->format->step(self, rows_max < LEAT_BATCH_ROWS_MAX ? rows_max : LEAT_BATCH_ROWS_MAX, status, out,
                              error);
}

void leat_datafile_reader_start_at(leat_datafile_reader *self, int64_t row)
{
    if (self->format->start_at) self->format->start_at(self, row);
}

int64_t leat_datafile_reader_first_row(const leat_datafile_reader *self)
{
    return self->format->first_row ? self->format->first_row(self) : 0;
}

size_t leat_datafile_reader_needed(leat_datafile_reader *self, leat_datafile_range *ranges, size_t ranges_max)
{
    return self->format->needed(self, ranges, ranges_max);
}

void leat_datafile_reader_free(leat_datafile_reader *self)
{
    if (!self) return;
    leat_arena_done(&self->arena);
    self->format->reader_free(self);
}
