#include "paimon/pk/file_writer.h"

#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/file_writer.h"
#include "paimon/stats.h"

enum {
    KEY_ID_BASE = 1073741823,
    SEQUENCE_ID = 2147483646,
    KIND_ID = 2147483645,
    BACKLOG_BYTES_MAX = 8 << 20,
    ROLL_CHECK_ROWS = 1000, /* a file has at least so many rows unless it is the last */
};

/* A file that is being written or whose last bytes are on their way. */
typedef struct open_file {
    leat_paimon_file_writer *writer;
    leat_pk_file *file; /* what is known of it */
    bool is_finished;
} open_file;

struct leat_pk_file_writer {
    leat_pk_file_writer_options options;
    leat_arena arena, last_key; /* last_key: of the row written last */
    leat_config file_options;
    leat_schema schema; /* of the files */
    int32_t *field_ids;
    leat_type *key_types;
    open_file *open; /* the last one takes rows unless it is finished */
    size_t open_count, open_capacity;
    leat_pk_files files; /* durable */
};

static leat_code make_schema(leat_pk_file_writer *self, leat_error *error)
{
    const leat_pk_options *table = self->options.options;
    int32_t keys = table->keys_count, values = table->schema.fields_count;
    self->schema.fields_count = keys + 2 + values;
    leat_field *fields = leat_arena_take(&self->arena, (size_t)self->schema.fields_count * sizeof *fields);
    self->field_ids = leat_arena_take(&self->arena, (size_t)self->schema.fields_count * sizeof *self->field_ids);
    self->key_types = leat_arena_take(&self->arena, (size_t)keys * sizeof *self->key_types);
    if (!fields || !self->field_ids || !self->key_types) return leat_fail_no_memory(error);
    for (int32_t k = 0; k < keys; k++) {
        const leat_field *from = &table->schema.fields[table->keys[k]];
        self->key_types[k] = leat_type_with_nullable(&from->type, false);
        fields[k] = (leat_field){leat_arena_format(&self->arena, "_KEY_%s", from->name), self->key_types[k]};
        self->field_ids[k] = KEY_ID_BASE + table->field_ids[table->keys[k]];
        if (!fields[k].name) return leat_fail_no_memory(error);
    }
    fields[keys] = (leat_field){"_SEQUENCE_NUMBER", leat_type_make(LEAT_TYPE_BIGINT, false)};
    fields[keys + 1] = (leat_field){"_VALUE_KIND", leat_type_make(LEAT_TYPE_TINYINT, false)};
    self->field_ids[keys] = SEQUENCE_ID;
    self->field_ids[keys + 1] = KIND_ID;
    memcpy(fields + keys + 2, table->schema.fields, (size_t)values * sizeof *fields);
    memcpy(self->field_ids + keys + 2, table->field_ids, (size_t)values * sizeof *self->field_ids);
    self->schema.fields = fields;
    return LEAT_OK;
}

static leat_code make_file_options(leat_pk_file_writer *self, leat_error *error)
{
    const leat_pk_options *table = self->options.options;
    char number[32];
    LEAT_TRY(leat_config_set(&self->file_options, "file.compression", table->compression, error));
    snprintf(number, sizeof number, "%d", table->compression_level);
    LEAT_TRY(leat_config_set(&self->file_options, "file.compression.zstd-level", number, error));
    snprintf(number, sizeof number, "%lld b", (long long)table->row_group_bytes);
    return leat_config_set(&self->file_options, "file.block-size", number, error);
}

leat_code leat_pk_file_writer_new(const leat_pk_file_writer_options *options, leat_pk_file_writer **out,
                                  leat_error *error)
{
    leat_pk_file_writer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->options = *options;
    leat_arena_init(&self->arena, 4 << 20);
    leat_arena_init(&self->last_key, 4 << 20);
    leat_code code = make_schema(self, error);
    if (code == LEAT_OK) code = make_file_options(self, error);
    if (code != LEAT_OK) {
        leat_pk_file_writer_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_pk_file_writer_free(leat_pk_file_writer *self)
{
    if (!self) return;
    for (size_t i = 0; i < self->open_count; i++) {
        if (self->open[i].writer) leat_paimon_file_writer_free(self->open[i].writer);
        leat_pk_file_unref(self->open[i].file);
    }
    leat_free(self->open);
    leat_pk_files_done(&self->files);
    leat_config_done(&self->file_options);
    leat_arena_done(&self->arena);
    leat_arena_done(&self->last_key);
    leat_free(self);
}

static leat_code start_file(leat_pk_file_writer *self, leat_error *error)
{
    const leat_pk_options *table = self->options.options;
    LEAT_TRY(leat_grow(&self->open, &self->open_capacity, self->open_count + 1, sizeof *self->open, error));
    open_file *open = &self->open[self->open_count];
    *open = (open_file){0};
    LEAT_TRY(leat_pk_file_new(&open->file, error));
    self->open_count++;
    const char *prefix = self->options.is_changelog ? table->changelog_prefix : table->data_prefix;
    open->file->meta.name = leat_paimon_names_next(self->options.names, prefix, ".parquet", &open->file->arena);
    if (!open->file->meta.name) return leat_fail_no_memory(error);
    leat_paimon_file_writer_options options = {.folder = self->options.bucket_path,
                                               .name = open->file->meta.name,
                                               .columns = &self->schema,
                                               .field_ids = self->field_ids,
                                               .options = &self->file_options,
                                               .env = self->options.io.env,
                                               .context = self->options.io.context};
    return leat_paimon_file_writer_new(&options, &open->writer, error);
}

/* The file's columns over the same buffers: keys are the value columns again. */
static leat_code make_batch(leat_pk_file_writer *self, const leat_batch *batch, leat_batch **out, leat_error *error)
{
    const leat_pk_options *table = self->options.options;
    int32_t keys = table->keys_count, values = table->schema.fields_count;
    leat_batch *made = leat_batch_new(self->schema.fields_count);
    if (!made) return leat_fail_no_memory(error);
    made->rows = batch->rows;
    made->selected = batch->selected;
    made->selection = batch->selection;
    made->selection_buffer = leat_buffer_ref(batch->selection_buffer);
    leat_code code = LEAT_OK;
    for (int32_t k = 0; k < keys && code == LEAT_OK; k++) {
        code = leat_column_share(&made->columns[k], &batch->columns[table->keys[k]], error);
    }
    if (code == LEAT_OK) code = leat_column_share(&made->columns[keys], &batch->columns[values], error);
    leat_column *kind = &made->columns[keys + 1];
    kind->layout = LEAT_LAYOUT_8;
    if (batch->kinds) {
        kind->values = batch->kinds;
        kind->values_buffer = leat_buffer_ref(batch->kinds_buffer);
    } else {
        kind->values_buffer = leat_buffer_new((size_t)batch->rows);
        if (!kind->values_buffer && code == LEAT_OK) code = leat_fail_no_memory(error);
        if (kind->values_buffer) memset(kind->values_buffer->data, LEAT_ROW_INSERT, (size_t)batch->rows);
        kind->values = kind->values_buffer ? kind->values_buffer->data : NULL;
    }
    for (int32_t i = 0; i < values && code == LEAT_OK; i++) {
        code = leat_column_share(&made->columns[keys + 2 + i], &batch->columns[i], error);
    }
    if (code != LEAT_OK) {
        leat_batch_free(made);
        return code;
    }
    *out = made;
    return LEAT_OK;
}

static leat_code note_key(leat_pk_file_writer *self, const leat_batch *batch, int32_t row, leat_arena *arena,
                          const uint8_t **key, size_t *size, leat_error *error)
{
    const leat_pk_options *table = self->options.options;
    leat_bytes bytes = {0};
    leat_binary_row_from_batch(batch, row, table->keys, self->key_types, table->keys_count, true, &bytes);
    leat_code code = leat_bytes_check(&bytes, error);
    uint8_t *copy = code == LEAT_OK ? leat_arena_take(arena, bytes.size) : NULL;
    if (copy) {
        memcpy(copy, bytes.data, bytes.size);
        *key = copy;
        *size = bytes.size;
    } else if (code == LEAT_OK) {
        code = leat_fail_no_memory(error);
    }
    leat_bytes_done(&bytes);
    return code;
}

static void note_counts(const leat_pk_file_writer *self, const leat_batch *batch, leat_paimon_file *meta)
{
    const int64_t *sequences = batch->columns[self->options.options->schema.fields_count].values;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        int64_t sequence = sequences[row];
        if (meta->rows == 0 || sequence < meta->min_sequence) meta->min_sequence = sequence;
        if (meta->rows == 0 || sequence > meta->max_sequence) meta->max_sequence = sequence;
        meta->delete_rows += !leat_row_kind_is_add(leat_batch_kind(batch, row));
        meta->rows++;
    }
}

/* The greatest key is that of the row written last. */
static leat_code note_batch(leat_pk_file_writer *self, open_file *open, const leat_batch *batch, leat_error *error)
{
    leat_paimon_file *meta = &open->file->meta;
    if (meta->rows == 0) {
        LEAT_TRY(note_key(self, batch, leat_batch_row(batch, 0), &open->file->arena, &meta->min_key,
                          &meta->min_key_size, error));
    }
    note_counts(self, batch, meta);
    leat_arena_reset(&self->last_key);
    return note_key(self, batch, leat_batch_row(batch, batch->selected - 1), &self->last_key, &meta->max_key,
                    &meta->max_key_size, error);
}

static leat_code describe(leat_pk_file_writer *self, open_file *open, leat_error *error)
{
    leat_paimon_file *meta = &open->file->meta;
    leat_arena *arena = &open->file->arena;
    uint8_t *key = leat_arena_take(arena, meta->max_key_size);
    if (!key) return leat_fail_no_memory(error);
    memcpy(key, meta->max_key, meta->max_key_size);
    meta->max_key = key;
    const leat_column_stats *stats = leat_paimon_file_writer_stats(open->writer);
    int32_t keys = self->options.options->keys_count;
    LEAT_TRY(leat_paimon_stats_make_key(self->key_types, stats, keys, arena, &meta->key_stats, error));
    leat_paimon_stats_columns names;
    LEAT_TRY(
        leat_paimon_stats_make_value(self->options.schema, stats + keys + 2, arena, &meta->value_stats, &names, error));
    for (size_t i = 0; i < names.count; i++) { /* the file outlives the schema */
        names.names[i] = leat_arena_strdup(arena, names.names[i]);
        if (!names.names[i]) return leat_fail_no_memory(error);
    }
    meta->value_stats_columns = names.names;
    meta->value_stats_columns_count = names.count;
    return LEAT_OK;
}

static leat_code finish_file(leat_pk_file_writer *self, open_file *open, leat_error *error)
{
    open->is_finished = true;
    LEAT_TRY(leat_paimon_file_writer_finish(open->writer, error));
    return describe(self, open, error);
}

static bool has_current(const leat_pk_file_writer *self)
{
    return self->open_count > 0 && !self->open[self->open_count - 1].is_finished;
}

leat_code leat_pk_file_writer_write(leat_pk_file_writer *self, const leat_batch *batch, leat_error *error)
{
    if (batch->selected == 0) return LEAT_OK;
    if (!has_current(self)) LEAT_TRY(start_file(self, error));
    open_file *open = &self->open[self->open_count - 1];
    leat_batch *made;
    LEAT_TRY(make_batch(self, batch, &made, error));
    leat_code code = leat_paimon_file_writer_write(open->writer, made, error);
    leat_batch_free(made);
    LEAT_TRY(code);
    LEAT_TRY(note_batch(self, open, batch, error));
    bool is_big = leat_paimon_file_writer_bytes(open->writer) >= self->options.options->target_file_bytes;
    return is_big && open->file->meta.rows >= ROLL_CHECK_ROWS ? finish_file(self, open, error) : LEAT_OK;
}

static leat_code close_file(leat_pk_file_writer *self, open_file *open, leat_error *error)
{
    leat_paimon_file written, *meta = &open->file->meta;
    LEAT_TRY(leat_paimon_file_writer_fill(open->writer, &open->file->arena, &written, error));
    meta->size_bytes = written.size_bytes;
    meta->creation_ms = written.creation_ms;
    meta->schema_id = self->options.options->schema_id;
    meta->level = self->options.level;
    meta->has_delete_rows = true;
    meta->has_file_source = true;
    meta->file_source = self->options.source;
    LEAT_TRY(leat_pk_files_add(&self->files, open->file, error));
    leat_paimon_file_writer_free(open->writer);
    leat_pk_file_unref(open->file);
    *open = (open_file){0};
    return LEAT_OK;
}

/* Files end in the order they were begun, so that `files` is in key order. */
static leat_code poll_files(leat_pk_file_writer *self, leat_error *error)
{
    size_t closed = 0;
    for (size_t i = 0; i < self->open_count; i++) {
        bool is_done;
        LEAT_TRY(leat_paimon_file_writer_poll(self->open[i].writer, &is_done, error));
        if (!is_done || !self->open[i].is_finished || closed < i) continue;
        LEAT_TRY(close_file(self, &self->open[i], error));
        closed = i + 1;
    }
    self->open_count -= closed;
    if (closed) memmove(self->open, self->open + closed, self->open_count * sizeof *self->open);
    return LEAT_OK;
}

leat_code leat_pk_file_writer_is_full(leat_pk_file_writer *self, bool *is_full, leat_error *error)
{
    LEAT_TRY(poll_files(self, error));
    int64_t backlog = 0;
    for (size_t i = 0; i < self->open_count; i++)
        backlog += leat_paimon_file_writer_backlog(self->open[i].writer);
    *is_full = backlog > BACKLOG_BYTES_MAX;
    return LEAT_OK;
}

leat_code leat_pk_file_writer_finish(leat_pk_file_writer *self, leat_error *error)
{
    return has_current(self) ? finish_file(self, &self->open[self->open_count - 1], error) : LEAT_OK;
}

leat_code leat_pk_file_writer_poll(leat_pk_file_writer *self, bool *is_done, leat_error *error)
{
    LEAT_TRY(poll_files(self, error));
    *is_done = self->open_count == 0;
    return LEAT_OK;
}

const leat_pk_files *leat_pk_file_writer_files(const leat_pk_file_writer *self)
{
    return &self->files;
}
