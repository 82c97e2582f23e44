#include "paimon/pk/file_reader.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/path.h"

enum { READS_MAX = 16, ARENA_BYTES_MAX = 1 << 20 };

struct leat_pk_file_reader {
    leat_pk_io io;
    leat_arena arena;
    const char *path;
    leat_datafile_reader *reader;
    int32_t columns_count; /* wanted ones */
    leat_pk_read reads[READS_MAX];
    size_t reads_count; /* under way */
};

static leat_code format_of(const char *name, const char **out, leat_error *error)
{
    const char *dot = strrchr(name, '.');
    if (!dot) return leat_fail(error, LEAT_CORRUPT, "data file '%s' has no format in its name", name);
    *out = dot + 1;
    return LEAT_OK;
}

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

static leat_code open_reader(leat_pk_file_reader *self, const char *bucket_path, const leat_paimon_file *file,
                             const leat_schema *columns, leat_error *error)
{
    leat_schema schema;
    const char *format;
    LEAT_TRY(make_schema(self, columns, &schema, error));
    LEAT_TRY(format_of(file->name, &format, error));
    self->path = leat_paimon_file_path(bucket_path, file, &self->arena);
    if (!self->path) return leat_fail_no_memory(error);
    leat_code code = leat_datafile_reader_new(format, (uint64_t)file->size_bytes, &schema, &self->reader, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "open %s", self->path);
}

leat_code leat_pk_file_reader_new(const leat_pk_io *io, const char *bucket_path, const leat_paimon_file *file,
                                  const leat_schema *columns, leat_pk_file_reader **out, leat_error *error)
{
    leat_pk_file_reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->io = *io;
    self->columns_count = columns->fields_count;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = open_reader(self, bucket_path, file, columns, error);
    if (code != LEAT_OK) {
        leat_pk_file_reader_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_pk_file_reader_free(leat_pk_file_reader *self)
{
    if (!self) return;
    leat_datafile_reader_free(self->reader);
    for (size_t i = 0; i < READS_MAX; i++) leat_pk_read_done(&self->reads[i]);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static leat_code start_reads(leat_pk_file_reader *self, leat_error *error)
{
    leat_datafile_range ranges[READS_MAX];
    size_t count = leat_datafile_reader_needed(self->reader, ranges, READS_MAX);
    if (count == 0) return leat_fail(error, LEAT_CORRUPT, "%s: the reader waits for nothing", self->path);
    for (size_t i = 0; i < count; i++) {
        LEAT_TRY(leat_pk_read_start(&self->reads[i], &self->io, self->path, ranges[i].offset, ranges[i].size, error));
        self->reads_count = i + 1;
    }
    return LEAT_OK;
}

static leat_code take_reads(leat_pk_file_reader *self, bool *is_waiting, leat_error *error)
{
    *is_waiting = false;
    for (size_t i = 0; i < self->reads_count; i++) {
        leat_buffer *bytes = NULL;
        bool is_done;
        LEAT_TRY(leat_pk_read_poll(&self->reads[i], &is_done, &bytes, error));
        if (is_done) {
            leat_code code = leat_datafile_reader_give(self->reader, self->reads[i].offset, bytes, error);
            leat_buffer_unref(bytes);
            LEAT_TRY(code);
        }
        *is_waiting = *is_waiting || self->reads[i].is_running;
    }
    if (!*is_waiting) self->reads_count = 0;
    return LEAT_OK;
}

/* The last column becomes the row kinds. */
static leat_code take_kinds(leat_pk_file_reader *self, leat_batch *batch, leat_error *error)
{
    leat_column *kind = &batch->columns[self->columns_count + 1];
    const int8_t *kinds = kind->values;
    uint8_t worst = 0;
    for (int32_t i = 0; i < batch->rows; i++) worst |= (uint8_t)kinds[i];
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

leat_code leat_pk_file_reader_step(leat_pk_file_reader *self, int32_t rows_max, leat_pk_status *status, leat_batch **out,
                                   leat_error *error)
{
    for (;;) {
        bool is_waiting;
        LEAT_TRY(take_reads(self, &is_waiting, error));
        if (is_waiting) {
            *status = LEAT_PK_WAIT;
            return LEAT_OK;
        }
        leat_datafile_status got;
        leat_code code = leat_datafile_reader_step(self->reader, rows_max, &got, out, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "read %s", self->path);
        switch (got) {
            case LEAT_DATAFILE_END: *status = LEAT_PK_END; return LEAT_OK;
            case LEAT_DATAFILE_BATCH: *status = LEAT_PK_BATCH; return take_kinds(self, *out, error);
            case LEAT_DATAFILE_NEED: LEAT_TRY(start_reads(self, error)); break;
        }
    }
}
