#include "paimon/split_reader.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/file_cast.h"
#include "paimon/merge_read.h"
#include "paimon/path.h"
#include "paimon/schema.h"

enum { SPLIT_ARENA_BYTES = 128 << 20 };

struct leat_paimon_split_reader {
    const leat_paimon_source_config *config;
    leat_env *env;
    leat_operator_context *context;
    leat_arena arena;
    leat_paimon_source_split split;
    const char *bucket_path;
    leat_paimon_schema *schemas; /* parsed, one of split.schemas each */
    uint32_t schemas_parsed;

    leat_merge_reader *merging; /* of primary-key tables */
    size_t next_file;           /* of append tables */
    leat_paimon_file_reader *file;
    leat_paimon_file_cast *cast; /* NULL: the file's types are read as the table's */
    int32_t *places;             /* of wanted column c: its place among the file's columns that are read; -1: NULLs */

    int64_t skip_rows, position;
    bool has_ended;
};

static leat_code parse_schemas(leat_paimon_split_reader *self, leat_error *error)
{
    self->schemas = leat_arena_take(&self->arena, ((size_t)self->split.schemas_count + 1) * sizeof *self->schemas);
    if (!self->schemas) return leat_fail_no_memory(error);
    for (uint32_t i = 0; i < self->split.schemas_count; i++) {
        const leat_paimon_source_schema *schema = &self->split.schemas[i];
        LEAT_TRY(
            leat_paimon_schema_parse((const char *)schema->text, schema->size, &self->arena, &self->schemas[i], error));
        self->schemas_parsed++;
    }
    return LEAT_OK;
}

static leat_code open_merging(leat_paimon_split_reader *self, leat_error *error)
{
    leat_merge_read_options options = {.table = self->config->table,
                                       .bucket_path = self->bucket_path,
                                       .files = self->split.split.files.files,
                                       .files_count = self->split.split.files.count,
                                       .columns = self->config->columns,
                                       .columns_count = self->config->columns_count,
                                       .is_changes = self->split.split.is_changes,
                                       .env = self->env,
                                       .context = self->context};
    return leat_merge_reader_new(&options, &self->merging, error);
}

static leat_code refuse_deletions(const leat_paimon_split_reader *self, leat_error *error)
{
    const leat_paimon_split *split = &self->split.split;
    for (size_t i = 0; split->deletions && i < split->files.count; i++) {
        if (!split->deletions[i].path) continue;
        return leat_fail(error, LEAT_UNSUPPORTED, "file %s has a deletion vector; reading those is not supported yet",
                         split->files.files[i].name);
    }
    return LEAT_OK;
}

static leat_code open_split(leat_paimon_split_reader *self, const leat_paimon_split_reader_options *options,
                            leat_error *error)
{
    const leat_paimon_table *table = self->config->table;
    LEAT_TRY(leat_paimon_source_split_read(options->split, options->split_size, &self->arena, &self->split, error));
    LEAT_TRY(refuse_deletions(self, error));
    const leat_paimon_split *split = &self->split.split;
    LEAT_TRY(leat_paimon_bucket_path(table->path, &table->schema, split->partition, split->partition_size,
                                     split->bucket, &self->arena, &self->bucket_path, error));
    self->places = leat_arena_take(&self->arena, ((size_t)self->config->columns_count + 1) * sizeof *self->places);
    if (!self->places) return leat_fail_no_memory(error);
    LEAT_TRY(parse_schemas(self, error));
    if (table->schema.primary_keys_count > 0) return open_merging(self, error);
    return LEAT_OK;
}

leat_code leat_paimon_split_reader_new(const leat_paimon_split_reader_options *options, leat_paimon_split_reader **out,
                                       leat_error *error)
{
    leat_paimon_split_reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->config = options->config;
    self->env = options->env;
    self->context = options->context;
    self->skip_rows = options->skip_rows;
    leat_arena_init(&self->arena, SPLIT_ARENA_BYTES);
    leat_code code = open_split(self, options, error);
    if (code == LEAT_OK)
        *out = self;
    else
        leat_paimon_split_reader_free(self);
    return code;
}

static leat_code schema_of(const leat_paimon_split_reader *self, int64_t id, const leat_paimon_schema **out,
                           leat_error *error)
{
    if (id == self->config->table->schema.id) {
        *out = &self->config->table->schema;
        return LEAT_OK;
    }
    for (uint32_t i = 0; i < self->split.schemas_count; i++) {
        if (self->split.schemas[i].id != id) continue;
        *out = &self->schemas[i];
        return LEAT_OK;
    }
    return leat_fail(error, LEAT_CORRUPT, "a split without the schema %lld of its file", (long long)id);
}

/* Columns are the same by id, whatever they are called in the file. They are read with the table's types where the
 * format widens by itself, else with the file's, and then cast. */
static void choose_columns(leat_paimon_split_reader *self, const leat_paimon_schema *schema, leat_schema *wanted,
                           leat_schema *types)
{
    const leat_paimon_schema *table_schema = &self->config->table->schema;
    for (int32_t c = 0; c < self->config->columns_count; c++) {
        const leat_paimon_field *field = &table_schema->fields[self->config->columns[c]];
        int32_t found = leat_paimon_schema_find_id(schema, field->id);
        self->places[c] = found < 0 ? -1 : wanted->fields_count;
        if (found < 0) continue;
        const leat_paimon_field *in_file = &schema->fields[found];
        bool is_readable = leat_paimon_file_type_is_readable(&in_file->type, &field->type);
        wanted->fields[wanted->fields_count++] = (leat_field){in_file->name, is_readable ? field->type : in_file->type};
        types->fields[types->fields_count++] = (leat_field){in_file->name, field->type};
    }
}

static leat_code open_file(leat_paimon_split_reader *self, const leat_paimon_file *file, leat_error *error)
{
    const leat_paimon_schema *schema;
    LEAT_TRY(schema_of(self, file->schema_id, &schema, error));
    leat_arena scratch;
    leat_arena_init(&scratch, 4 << 20);
    leat_schema wanted = {0}, types = {0};
    size_t fields_bytes = ((size_t)self->config->columns_count + 1) * sizeof *wanted.fields;
    wanted.fields = leat_arena_take(&scratch, fields_bytes);
    types.fields = leat_arena_take(&scratch, fields_bytes);
    const char *path = leat_paimon_file_path(self->bucket_path, file, &scratch);
    leat_code code = wanted.fields && types.fields && path ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK) {
        choose_columns(self, schema, &wanted, &types);
        leat_paimon_file_cast_free(self->cast);
        code = leat_paimon_file_cast_new(&wanted, &types, self->env, &self->cast, error);
    }
    if (code == LEAT_OK) {
        leat_paimon_file_reader_options options = {.path = path,
                                                   .size_bytes = (uint64_t)file->size_bytes,
                                                   .columns = &wanted,
                                                   .env = self->env,
                                                   .context = self->context};
        code = leat_paimon_file_reader_new(&options, &self->file, error);
    }
    leat_arena_done(&scratch);
    return code;
}

static leat_code null_column(const leat_type *type, int32_t rows, leat_column *out, leat_error *error)
{
    out->layout = leat_type_layout(type);
    size_t bytes = (size_t)rows * leat_layout_bytes(out->layout), bits = ((size_t)rows + 7) / 8;
    out->values_buffer = leat_buffer_new(bytes);
    out->validity_buffer = leat_buffer_new(bits);
    if (!out->values_buffer || !out->validity_buffer) return leat_fail_no_memory(error);
    memset(out->values_buffer->data, 0, bytes);
    memset(out->validity_buffer->data, 0, bits);
    out->values = out->values_buffer->data;
    out->validity = out->validity_buffer->data;
    return LEAT_OK;
}

/* The batch with the table's columns, moved from those of the file. Takes *batch. */
static leat_code arrange(const leat_paimon_split_reader *self, leat_batch **batch, leat_error *error)
{
    bool has_all = true;
    for (int32_t c = 0; c < self->config->columns_count; c++)
        has_all = has_all && self->places[c] == c;
    if (has_all) return LEAT_OK;
    leat_batch *from = *batch, *to = leat_batch_new(self->config->columns_count);
    *batch = NULL;
    leat_code code = to ? LEAT_OK : leat_fail_no_memory(error);
    for (int32_t c = 0; code == LEAT_OK && c < self->config->columns_count; c++) {
        const leat_type *type = &self->config->table->schema.fields[self->config->columns[c]].type;
        if (self->places[c] < 0) {
            code = null_column(type, from->rows, &to->columns[c], error);
        } else {
            code = leat_column_share(&to->columns[c], &from->columns[self->places[c]], error);
        }
    }
    if (code == LEAT_OK) {
        to->rows = to->selected = from->rows;
        *batch = to;
    } else {
        leat_batch_free(to);
    }
    leat_batch_free(from);
    return code;
}

static leat_code step_append(leat_paimon_split_reader *self, leat_paimon_read_status *status, leat_batch **out,
                             leat_error *error)
{
    const leat_paimon_files *files = &self->split.split.files;
    *status = LEAT_PAIMON_READ_BATCH;
    if (!self->file) {
        while (self->next_file < files->count && files->files[self->next_file].rows <= self->skip_rows) {
            int64_t rows = files->files[self->next_file++].rows; /* all of it was emitted before */
            self->skip_rows -= rows;
            self->position += rows;
        }
        if (self->next_file == files->count) {
            *status = LEAT_PAIMON_READ_END;
            return LEAT_OK;
        }
        LEAT_TRY(open_file(self, &files->files[self->next_file++], error));
    }
    LEAT_TRY(leat_paimon_file_reader_step(self->file, LEAT_BATCH_ROWS_MAX, status, out, error));
    if (*status == LEAT_PAIMON_READ_BATCH) {
        if (self->cast) LEAT_TRY(leat_paimon_file_cast_run(self->cast, *out, error));
        return arrange(self, out, error);
    }
    if (*status == LEAT_PAIMON_READ_END) {
        leat_paimon_file_reader_free(self->file);
        self->file = NULL;
        *status = LEAT_PAIMON_READ_BATCH; /* nothing yet: the next file */
    }
    return LEAT_OK;
}

static leat_code step_merging(leat_paimon_split_reader *self, leat_paimon_read_status *status, leat_batch **out,
                              leat_error *error)
{
    leat_merge_read_status merged;
    LEAT_TRY(leat_merge_reader_step(self->merging, &merged, out, error));
    *status = merged == LEAT_MERGE_READ_WAIT  ? LEAT_PAIMON_READ_WAIT
              : merged == LEAT_MERGE_READ_END ? LEAT_PAIMON_READ_END
                                              : LEAT_PAIMON_READ_BATCH;
    if (merged != LEAT_MERGE_READ_BATCH) *out = NULL;
    return LEAT_OK;
}

/* Rows that were emitted before a restart are read again and left out. */
static leat_code skip(leat_paimon_split_reader *self, leat_batch **batch, leat_error *error)
{
    leat_batch *given = *batch;
    int32_t skipped = given->selected < self->skip_rows ? given->selected : (int32_t)self->skip_rows;
    self->skip_rows -= skipped;
    if (skipped == 0) return LEAT_OK;
    if (skipped == given->selected) {
        leat_batch_free(given);
        *batch = NULL;
        return LEAT_OK;
    }
    leat_buffer *buffer = leat_buffer_new((size_t)given->selected * sizeof(uint16_t));
    if (!buffer) return leat_fail_no_memory(error);
    uint16_t *selection = (uint16_t *)(void *)buffer->data;
    for (int32_t i = skipped; i < given->selected; i++)
        selection[i - skipped] = (uint16_t)leat_batch_row(given, i);
    leat_buffer_unref(given->selection_buffer);
    given->selection_buffer = buffer;
    given->selection = selection;
    given->selected -= skipped;
    return LEAT_OK;
}

leat_code leat_paimon_split_reader_step(leat_paimon_split_reader *self, leat_paimon_read_status *status,
                                        leat_batch **out, leat_error *error)
{
    *out = NULL;
    leat_code code = self->merging ? step_merging(self, status, out, error) : step_append(self, status, out, error);
    if (code == LEAT_OK && *out) {
        self->position += (*out)->selected;
        code = skip(self, out, error);
    }
    if (code == LEAT_OK) return code;
    leat_batch_free(*out);
    *out = NULL;
    return code;
}

int64_t leat_paimon_split_reader_position(const leat_paimon_split_reader *self)
{
    /* Before the rows of an earlier run are reached again, those count: a checkpoint may come first. */
    return self->position + self->skip_rows;
}

void leat_paimon_split_reader_free(leat_paimon_split_reader *self)
{
    if (!self) return;
    leat_merge_reader_free(self->merging);
    leat_paimon_file_reader_free(self->file);
    leat_paimon_file_cast_free(self->cast);
    for (uint32_t i = 0; i < self->schemas_parsed; i++)
        leat_paimon_schema_done(&self->schemas[i]);
    leat_arena_done(&self->arena);
    leat_free(self);
}
