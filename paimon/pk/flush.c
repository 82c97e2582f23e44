#include "paimon/pk/flush.h"

#include "common/memory.h"

enum { SLICE_ROWS = 4096 };

struct leat_pk_flush {
    leat_pk_bucket *bucket;
    leat_pk_buffer *buffer;
    uint32_t *order, *raw_order;
    int32_t at;
    size_t raw_at;
    leat_pk_file_writer *data, *changelog;
    bool is_finished;
};

leat_code leat_pk_flush_new(leat_pk_bucket *bucket, leat_pk_buffer *buffer, leat_pk_flush **out, leat_error *error)
{
    leat_pk_flush *flush = leat_calloc(1, sizeof *flush);
    if (!flush) return leat_fail_no_memory(error);
    *flush = (leat_pk_flush){.bucket = bucket, .buffer = buffer};
    leat_code code = leat_pk_buffer_sort(buffer, &flush->order, error);
    if (code == LEAT_OK && buffer->keeps_raw) {
        code = leat_pk_buffer_sort_raw(buffer, flush->order, &flush->raw_order, error);
    }
    leat_pk_file_writer_options options = {.options = &bucket->shared->options,
                                           .schema = &bucket->shared->table->schema,
                                           .io = bucket->shared->io,
                                           .bucket_path = bucket->path,
                                           .names = &bucket->names,
                                           .source = LEAT_PAIMON_FILE_APPEND};
    if (code == LEAT_OK) code = leat_pk_file_writer_new(&options, &flush->data, error);
    options.is_changelog = true;
    if (code == LEAT_OK && buffer->keeps_raw) code = leat_pk_file_writer_new(&options, &flush->changelog, error);
    if (code != LEAT_OK) {
        leat_pk_flush_free(flush);
        return code;
    }
    *out = flush;
    return LEAT_OK;
}

void leat_pk_flush_rebind(leat_pk_flush *flush, leat_pk_buffer *buffer)
{
    flush->buffer = buffer;
}

void leat_pk_flush_free(leat_pk_flush *flush)
{
    if (!flush) return;
    leat_pk_file_writer_free(flush->data);
    leat_pk_file_writer_free(flush->changelog);
    leat_free(flush->order);
    leat_free(flush->raw_order);
    leat_free(flush);
}

static leat_code write_rows(leat_pk_flush *flush, leat_error *error)
{
    const leat_pk_state *state = &flush->buffer->state;
    int32_t left = state->rows - flush->at, count = left < SLICE_ROWS ? left : SLICE_ROWS;
    leat_batch *batch;
    LEAT_TRY(leat_pk_state_gather(state, flush->order + flush->at, count, &batch, error));
    leat_code code = leat_pk_file_writer_write(flush->data, batch, error);
    leat_batch_free(batch);
    flush->at += count;
    return code;
}

static leat_code write_raw(leat_pk_flush *flush, leat_error *error)
{
    size_t left = flush->buffer->raw.count - flush->raw_at;
    int32_t count = left < SLICE_ROWS ? (int32_t)left : SLICE_ROWS;
    leat_batch *batch;
    LEAT_TRY(leat_pk_buffer_gather_raw(flush->buffer, flush->raw_order + flush->raw_at, count, &batch, error));
    leat_code code = leat_pk_file_writer_write(flush->changelog, batch, error);
    leat_batch_free(batch);
    flush->raw_at += (size_t)count;
    return code;
}

static leat_code finish(leat_pk_flush *flush, bool *is_done, leat_error *error)
{
    bool changelog_done = true;
    if (!flush->is_finished) {
        LEAT_TRY(leat_pk_file_writer_finish(flush->data, error));
        if (flush->changelog) LEAT_TRY(leat_pk_file_writer_finish(flush->changelog, error));
        flush->is_finished = true;
    }
    LEAT_TRY(leat_pk_file_writer_poll(flush->data, is_done, error));
    if (flush->changelog) LEAT_TRY(leat_pk_file_writer_poll(flush->changelog, &changelog_done, error));
    *is_done = *is_done && changelog_done;
    return LEAT_OK;
}

static leat_code collect(const leat_pk_file_writer *writer, leat_pk_files *into, leat_error *error)
{
    const leat_pk_files *files = leat_pk_file_writer_files(writer);
    for (size_t i = 0; i < files->count; i++)
        LEAT_TRY(leat_pk_files_add(into, files->items[i], error));
    return LEAT_OK;
}

leat_code leat_pk_flush_step(leat_pk_flush *flush, leat_pk_files *files, leat_pk_files *changelog,
                             leat_pk_status *status, leat_error *error)
{
    bool data_full, changelog_full = false, is_done;
    *status = LEAT_PK_WAIT;
    LEAT_TRY(leat_pk_file_writer_is_full(flush->data, &data_full, error));
    if (flush->changelog) LEAT_TRY(leat_pk_file_writer_is_full(flush->changelog, &changelog_full, error));
    if (!flush->is_finished && (data_full || changelog_full)) return LEAT_OK;
    *status = LEAT_PK_AGAIN;
    if (flush->at < flush->buffer->state.rows) return write_rows(flush, error);
    if (flush->changelog && flush->raw_at < flush->buffer->raw.count) return write_raw(flush, error);
    LEAT_TRY(finish(flush, &is_done, error));
    *status = is_done ? LEAT_PK_END : LEAT_PK_WAIT;
    if (!is_done) return LEAT_OK;
    LEAT_TRY(collect(flush->data, files, error));
    return flush->changelog ? collect(flush->changelog, changelog, error) : LEAT_OK;
}
