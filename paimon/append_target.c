#include "paimon/append_target.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/stats.h"

enum { MESSAGE_ARENA_BYTES = 64 << 20 };

leat_code leat_append_target_init(leat_append_target *self, leat_append_shared *shared, const uint8_t *partition,
                                  size_t partition_size, int32_t bucket, leat_error *error)
{
    *self = (leat_append_target){.shared = shared, .partition_size = partition_size, .bucket = bucket};
    self->closing_last = &self->closing;
    LEAT_TRY(leat_paimon_bucket_path(shared->table->path, &shared->table->schema, partition, partition_size, bucket,
                                     shared->arena, &self->folder, error));
    leat_paimon_names_init(&self->names, shared->context->env);
    self->partition = leat_alloc(partition_size);
    if (!self->partition) return leat_fail_no_memory(error);
    memcpy(self->partition, partition, partition_size);
    return LEAT_OK;
}

static void closing_free(leat_append_closing *closing)
{
    leat_paimon_file_writer_free(closing->writer);
    leat_batch_free(closing->tail);
    leat_free(closing);
}

void leat_append_target_done(leat_append_target *self)
{
    leat_paimon_file_writer_free(self->open);
    leat_batch_builder_done(&self->buffer);
    while (self->closing) {
        leat_append_closing *next = self->closing->next;
        closing_free(self->closing);
        self->closing = next;
    }
    leat_free(self->partition);
}

static leat_code open_file(leat_append_target *self, leat_paimon_file_writer **out, leat_error *error)
{
    leat_append_shared *shared = self->shared;
    leat_arena scratch;
    leat_arena_init(&scratch, 64 * 1024);
    const char *suffix = leat_arena_format(&scratch, ".%s", shared->file_format);
    const char *name = suffix ? leat_paimon_names_next(&self->names, shared->file_prefix, suffix, &scratch) : NULL;
    leat_code code = name ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK) {
        leat_paimon_file_writer_options options = {.folder = self->folder,
                                                   .name = name,
                                                   .columns = &shared->columns,
                                                   .field_ids = shared->field_ids,
                                                   .options = &shared->table->schema.options,
                                                   .env = shared->context->env,
                                                   .context = shared->context};
        code = leat_paimon_file_writer_new(&options, out, error);
    }
    leat_arena_done(&scratch);
    return code;
}

bool leat_append_target_is_open(const leat_append_target *self)
{
    return self->open || self->buffer.rows > 0;
}

/* Moves the open file and the rows that wait for it to the closing ones. */
static leat_code close_open(leat_append_target *self, leat_error *error)
{
    if (!leat_append_target_is_open(self)) return LEAT_OK;
    leat_append_closing *closing = leat_calloc(1, sizeof *closing);
    if (!closing) return leat_fail_no_memory(error);
    leat_code code = self->buffer.rows ? leat_batch_builder_finish(&self->buffer, &closing->tail, error) : LEAT_OK;
    if (code != LEAT_OK) {
        closing_free(closing);
        return code;
    }
    closing->writer = self->open;
    closing->first_sequence = self->open_first_sequence;
    self->open = NULL;
    *self->closing_last = closing;
    self->closing_last = &closing->next;
    return LEAT_OK;
}

static leat_code finish(leat_append_target *self, leat_append_closing *closing, leat_error *error)
{
    if (!closing->writer) LEAT_TRY(open_file(self, &closing->writer, error));
    if (closing->tail) LEAT_TRY(leat_paimon_file_writer_write(closing->writer, closing->tail, error));
    leat_batch_free(closing->tail);
    closing->tail = NULL;
    closing->is_finished = true;
    return leat_paimon_file_writer_finish(closing->writer, error);
}

leat_code leat_append_target_roll(leat_append_target *self, leat_error *error)
{
    if (!leat_append_target_is_open(self)) return LEAT_OK;
    leat_append_closing **rolled = self->closing_last;
    LEAT_TRY(close_open(self, error));
    return finish(self, *rolled, error);
}

static leat_code encode(leat_append_target *self, const leat_batch *batch, leat_error *error)
{
    if (!self->open) LEAT_TRY(open_file(self, &self->open, error));
    return leat_paimon_file_writer_write(self->open, batch, error);
}

static leat_code flush_buffer(leat_append_target *self, leat_error *error)
{
    if (self->buffer.rows == 0) return LEAT_OK;
    leat_batch *rows = NULL;
    LEAT_TRY(leat_batch_builder_finish(&self->buffer, &rows, error));
    leat_code code = encode(self, rows, error);
    leat_batch_free(rows);
    return code;
}

static leat_code keep_rows(leat_append_target *self, const leat_batch *batch, leat_error *error)
{
    uint16_t all[LEAT_APPEND_BUFFER_ROWS];
    const uint16_t *rows = batch->selection;
    if (!rows) {
        for (int32_t i = 0; i < batch->selected; i++)
            all[i] = (uint16_t)i;
        rows = all;
    }
    if (!self->buffer.columns) {
        LEAT_TRY(leat_batch_builder_init_schema(&self->buffer, &self->shared->columns, LEAT_APPEND_BUFFER_ROWS, error));
    }
    if (self->buffer.rows + batch->selected > LEAT_APPEND_BUFFER_ROWS) LEAT_TRY(flush_buffer(self, error));
    return leat_batch_builder_append_rows(&self->buffer, batch, rows, batch->selected, error);
}

leat_code leat_append_target_write(leat_append_target *self, const leat_batch *batch, leat_error *error)
{
    if (!leat_append_target_is_open(self)) self->open_first_sequence = self->next_sequence;
    if (batch->selected < LEAT_APPEND_BUFFER_ROWS) {
        LEAT_TRY(keep_rows(self, batch, error));
    } else {
        LEAT_TRY(flush_buffer(self, error));
        LEAT_TRY(encode(self, batch, error));
    }
    self->next_sequence += batch->selected;
    bool is_full = self->open && leat_paimon_file_writer_bytes(self->open) >= self->shared->target_file_bytes;
    return is_full ? leat_append_target_roll(self, error) : LEAT_OK;
}

leat_code leat_append_target_cut(leat_append_target *self, int64_t checkpoint_id, leat_error *error)
{
    LEAT_TRY(close_open(self, error));
    for (leat_append_closing *at = self->closing; at; at = at->next) {
        if (at->checkpoint_id == 0) at->checkpoint_id = checkpoint_id;
    }
    return LEAT_OK;
}

leat_code leat_append_target_advance(leat_append_target *self, int64_t checkpoint_id, bool *all_done, bool *did_finish,
                                     leat_error *error)
{
    for (leat_append_closing *at = self->closing; at; at = at->next) {
        bool is_due = at->checkpoint_id != 0 && at->checkpoint_id <= checkpoint_id;
        if (is_due && !at->is_finished && !*did_finish) {
            *did_finish = true;
            LEAT_TRY(finish(self, at, error));
        }
        if (!at->is_done && at->is_finished) LEAT_TRY(leat_paimon_file_writer_poll(at->writer, &at->is_done, error));
        if (is_due && !at->is_done) *all_done = false;
    }
    return LEAT_OK;
}

static leat_code describe(const leat_append_closing *closing, const leat_append_shared *shared, leat_arena *arena,
                          leat_paimon_file *out, leat_error *error)
{
    const leat_paimon_schema *schema = &shared->table->schema;
    LEAT_TRY(leat_paimon_file_writer_fill(closing->writer, arena, out, error));
    out->min_key = out->max_key = leat_binary_row_empty;
    out->min_key_size = out->max_key_size = LEAT_BINARY_ROW_EMPTY_SIZE;
    out->key_stats.min = out->key_stats.max = leat_binary_row_empty;
    out->key_stats.min_size = out->key_stats.max_size = LEAT_BINARY_ROW_EMPTY_SIZE;
    out->schema_id = schema->id;
    out->min_sequence = closing->first_sequence;
    out->max_sequence = closing->first_sequence + out->rows - 1;
    out->has_delete_rows = true;
    out->has_file_source = true;
    out->file_source = LEAT_PAIMON_FILE_APPEND;
    leat_paimon_stats_columns names = {0};
    LEAT_TRY(leat_paimon_stats_make_value(schema, leat_paimon_file_writer_stats(closing->writer), arena,
                                          &out->value_stats, &names, error));
    out->value_stats_columns = names.names;
    out->value_stats_columns_count = names.count;
    return LEAT_OK;
}

static bool belongs(const leat_append_closing *closing, int64_t checkpoint_id)
{
    return closing->checkpoint_id != 0 && closing->checkpoint_id <= checkpoint_id;
}

static leat_code fill_message(leat_append_target *self, int64_t checkpoint_id, size_t count, leat_arena *arena,
                              leat_bytes *out, leat_error *error)
{
    leat_paimon_message message = {.checkpoint_id = checkpoint_id,
                                   .partition = self->partition,
                                   .partition_size = self->partition_size,
                                   .bucket = self->bucket,
                                   .total_buckets = self->shared->total_buckets,
                                   .base_snapshot = -1};
    message.new_files.files = leat_arena_take(arena, count * sizeof *message.new_files.files);
    if (!message.new_files.files) return leat_fail_no_memory(error);
    message.new_files.capacity = count;
    for (leat_append_closing *at = self->closing; at; at = at->next) {
        if (!belongs(at, checkpoint_id)) continue;
        LEAT_TRY(describe(at, self->shared, arena, &message.new_files.files[message.new_files.count++], error));
    }
    leat_paimon_message_write(&message, out);
    return leat_bytes_check(out, error);
}

leat_code leat_append_target_message(leat_append_target *self, int64_t checkpoint_id, leat_bytes *out,
                                     leat_error *error)
{
    size_t count = 0;
    for (leat_append_closing *at = self->closing; at; at = at->next)
        count += belongs(at, checkpoint_id);
    if (count == 0) return LEAT_OK;
    leat_arena arena;
    leat_arena_init(&arena, MESSAGE_ARENA_BYTES);
    leat_code code = fill_message(self, checkpoint_id, count, &arena, out, error);
    leat_arena_done(&arena);
    if (code != LEAT_OK) return code;
    leat_append_closing **at = &self->closing;
    while (*at) {
        leat_append_closing *closing = *at;
        if (belongs(closing, checkpoint_id)) {
            *at = closing->next;
            closing_free(closing);
        } else {
            at = &closing->next;
        }
    }
    self->closing_last = at;
    return LEAT_OK;
}

int64_t leat_append_target_open_bytes(const leat_append_target *self)
{
    int64_t bytes = self->open ? leat_paimon_file_writer_held(self->open) : 0;
    return bytes + (self->buffer.rows ? (int64_t)leat_batch_builder_bytes(&self->buffer) : 0);
}

int64_t leat_append_target_backlog(const leat_append_target *self)
{
    int64_t bytes = self->open ? leat_paimon_file_writer_backlog(self->open) : 0;
    for (const leat_append_closing *at = self->closing; at; at = at->next) {
        if (at->writer && !at->is_done) bytes += leat_paimon_file_writer_backlog(at->writer);
    }
    return bytes;
}
