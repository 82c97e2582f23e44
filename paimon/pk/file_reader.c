#include "paimon/pk/file_reader.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/file_reader.h"
#include "paimon/path.h"

enum { ARENA_BYTES_MAX = 1 << 20 };

struct leat_pk_file_reader {
    leat_arena arena;
    const char *path;
    leat_paimon_file_reader *reader;
    int32_t columns_count; /* wanted ones */
};

static leat_code make_schema(leat_pk_file_reader *self, const leat_schema *columns, leat_schema *out, leat_error *error)
{
    out->fields_count = columns->fields_count + 2;
    out->fields = leat_arena_take(&self->arena, (size_t)out->fields_count * sizeof *out->fields);
    if (!out->fields) return leat_fail_no_memory(error);
    memcpy(out->fields, columns->fields, (size_t)columns->fields_count * sizeof *out->fields);
    out->fields[columns->fields_count] = (leat_field){"_SEQUENCE_NUMBER", leat_type_make(LEAT_TYPE_BIGINT, false)};
    out->fields[columns->fields_count + 1] = (leat_field){"_VALUE_KIND", leat_type_make(LEAT_TYPE_TINYINT, false)};
    return LEAT_OK;
}

static leat_code open_reader(leat_pk_file_reader *self, const leat_pk_io *io, const char *bucket_path,
                             const leat_paimon_file *file, const leat_schema *columns, leat_error *error)
{
    leat_schema schema;
    LEAT_TRY(make_schema(self, columns, &schema, error));
    self->path = leat_paimon_file_path(bucket_path, file, &self->arena);
    if (!self->path) return leat_fail_no_memory(error);
    leat_paimon_file_reader_options options = {.path = self->path,
                                               .size_bytes = (uint64_t)file->size_bytes,
                                               .columns = &schema,
                                               .env = io->env,
                                               .context = io->context};
    return leat_paimon_file_reader_new(&options, &self->reader, error);
}

leat_code leat_pk_file_reader_new(const leat_pk_io *io, const char *bucket_path, const leat_paimon_file *file,
                                  const leat_schema *columns, leat_pk_file_reader **out, leat_error *error)
{
    leat_pk_file_reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->columns_count = columns->fields_count;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = open_reader(self, io, bucket_path, file, columns, error);
    if (code != LEAT_OK) {
        leat_pk_file_reader_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_pk_file_reader_start_at(leat_pk_file_reader *self, int64_t row)
{
    leat_paimon_file_reader_start_at(self->reader, row);
}

int64_t leat_pk_file_reader_first_row(const leat_pk_file_reader *self)
{
    return leat_paimon_file_reader_first_row(self->reader);
}

bool leat_pk_file_reader_is_busy(const leat_pk_file_reader *self)
{
    return leat_paimon_file_reader_is_busy(self->reader);
}

void leat_pk_file_reader_free(leat_pk_file_reader *self)
{
    if (!self) return;
    if (self->reader) leat_paimon_file_reader_free(self->reader);
    leat_arena_done(&self->arena);
    leat_free(self);
}

/* The last column becomes the row kinds. */
static leat_code take_kinds(leat_pk_file_reader *self, leat_batch *batch, leat_error *error)
{
    leat_column *kind = &batch->columns[self->columns_count + 1];
    const int8_t *kinds = kind->values;
    uint8_t worst = 0;
    for (int32_t i = 0; i < batch->rows; i++)
        worst |= (uint8_t)kinds[i];
    if (worst > LEAT_ROW_DELETE || kind->validity) {
        return leat_fail(error, LEAT_CORRUPT, "%s: _VALUE_KIND is not one of 0, 1, 2, 3", self->path);
    }
    leat_buffer_unref(batch->kinds_buffer);
    batch->kinds = kinds;
    batch->kinds_buffer = leat_buffer_ref(kind->values_buffer);
    leat_column_clear(kind);
    batch->columns_count = self->columns_count + 1;
    return LEAT_OK;
}

leat_code leat_pk_file_reader_step(leat_pk_file_reader *self, int32_t rows_max, leat_pk_status *status,
                                   leat_batch **out, leat_error *error)
{
    leat_paimon_read_status got;
    LEAT_TRY(leat_paimon_file_reader_step(self->reader, rows_max, &got, out, error));
    switch (got) {
    case LEAT_PAIMON_READ_END: *status = LEAT_PK_END; return LEAT_OK;
    case LEAT_PAIMON_READ_WAIT: *status = LEAT_PK_WAIT; return LEAT_OK;
    case LEAT_PAIMON_READ_BATCH: break;
    }
    *status = LEAT_PK_BATCH;
    leat_code code = take_kinds(self, *out, error);
    if (code != LEAT_OK) {
        leat_batch_free(*out);
        *out = NULL;
    }
    return code;
}
