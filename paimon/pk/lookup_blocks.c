#include "paimon/pk/lookup_blocks.h"

#include <string.h>

#include "common/memory.h"

enum {
    READ_ROWS = 4096,    /* of a batch that is decoded */
    STEP_BATCHES = 8,    /* of a step, a load: some ms */
    WHOLE_SHARE = 2,     /* a file is one piece when it is expected to take less than this part of the budget */
    PIECE_SHARE = 32,    /* else its pieces take about this part */
    ROW_EXTRA_BYTES = 24 /* of a row in a piece, beside its values: slots, hash, kind, sequence number */
};
static const int64_t piece_bytes_min = 64 * 1024;

/* A file being read. */
struct leat_pk_load {
    leat_pk_lookup_file *file; /* NULL: it was let go of, and waits only for its job to end */
    leat_pk_file_reader *reader;
    int64_t row;          /* of the file, that comes next */
    leat_pk_piece *piece; /* being made; of a mapped file one of its own */
    int64_t piece_bytes_max;
    int64_t expected_bytes; /* of what is being made */
};

leat_code leat_pk_blocks_init(leat_pk_blocks *self, const leat_pk_lookup_config *config,
                              const leat_pk_lookup_index *index, leat_error *error)
{
    *self = (leat_pk_blocks){.config = config, .index = index};
    self->hashes64 = leat_alloc(READ_ROWS * sizeof *self->hashes64);
    self->hashes = leat_alloc(READ_ROWS * sizeof *self->hashes);
    self->rows = leat_alloc(READ_ROWS * sizeof *self->rows);
    if (!self->hashes64 || !self->hashes || !self->rows) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < READ_ROWS; i++)
        self->rows[i] = (uint16_t)i;
    return LEAT_OK;
}

/* --- memory --- */

static void let_go(leat_pk_blocks *self, leat_pk_piece *piece)
{
    self->bytes -= piece->bytes;
    piece->bytes = 0;
    leat_pk_piece_drop(piece);
    for (size_t i = 0; i < self->pieces_count; i++) {
        if (self->pieces[i] != piece) continue;
        self->pieces[i] = self->pieces[--self->pieces_count];
        return;
    }
}

static void keep_to_budget(leat_pk_blocks *self)
{
    while (self->bytes > self->budget_bytes) {
        leat_pk_piece *oldest = NULL;
        for (size_t i = 0; i < self->pieces_count; i++) {
            leat_pk_piece *piece = self->pieces[i];
            if (!piece->stays && (!oldest || piece->used < oldest->used)) oldest = piece;
        }
        if (!oldest) return;
        let_go(self, oldest);
    }
}

static void count_bytes(leat_pk_blocks *self, leat_pk_piece *piece)
{
    int64_t bytes = (int64_t)leat_pk_buffer_bytes(&piece->rows);
    self->bytes += bytes - piece->bytes;
    piece->bytes = bytes;
    keep_to_budget(self);
}

/* --- loads --- */

/* What is being made is the load's own, unless the file knows it already. */
static void drop_unfinished(leat_pk_blocks *self, leat_pk_load *load)
{
    leat_pk_piece *piece = load->piece;
    load->piece = NULL;
    if (!piece) return;
    self->bytes -= piece->bytes;
    piece->bytes = 0;
    bool is_known = load->file && load->file->is_mapped;
    if (is_known)
        leat_pk_piece_drop(piece);
    else
        leat_pk_piece_free(piece);
}

static void detach(leat_pk_blocks *self, leat_pk_load *load)
{
    drop_unfinished(self, load);
    if (load->file) load->file->load = NULL;
    load->file = NULL;
}

static void free_load(leat_pk_blocks *self, int32_t at)
{
    leat_pk_load *load = self->loads[at];
    detach(self, load);
    leat_pk_file_reader_free(load->reader);
    leat_free(load);
    self->loads[at] = self->loads[--self->loads_count];
}

/* The reader may be fetching ahead. */
static void end_load(leat_pk_blocks *self, int32_t at)
{
    detach(self, self->loads[at]);
    if (!leat_pk_file_reader_is_busy(self->loads[at]->reader)) free_load(self, at);
}

static int64_t expected_bytes(const leat_pk_blocks *self, const leat_paimon_file *meta)
{
    int64_t row_bytes = ROW_EXTRA_BYTES;
    for (int32_t i = 0; i < self->config->kept_count; i++) {
        row_bytes += (int64_t)leat_layout_bytes(leat_type_layout(&self->config->options.schema.fields[i].type));
    }
    int64_t rows = meta->rows < INT32_MAX ? meta->rows : INT32_MAX;
    return rows * row_bytes + meta->size_bytes;
}

static bool is_one_piece(const leat_pk_blocks *self, int64_t expected)
{
    return expected <= self->budget_bytes / WHOLE_SHARE;
}

static int64_t cut_bytes(const leat_pk_blocks *self)
{
    int64_t bytes = self->budget_bytes / PIECE_SHARE;
    return bytes < piece_bytes_min ? piece_bytes_min : bytes;
}

/* What is being made cannot be let go: no more of it at once than fits. */
static bool may_begin(const leat_pk_blocks *self, int64_t expected)
{
    int64_t bytes = is_one_piece(self, expected) ? expected : cut_bytes(self);
    for (int32_t i = 0; i < self->loads_count; i++) {
        const leat_pk_load *load = self->loads[i];
        bytes += is_one_piece(self, load->expected_bytes) ? load->expected_bytes : cut_bytes(self);
    }
    return self->loads_count == 0 || (self->loads_count < LEAT_PK_LOADS_MAX && bytes <= self->budget_bytes);
}

/* The row from which on something is wanted. */
static int64_t first_wanted(const leat_pk_lookup_file *file)
{
    if (!file->is_mapped) return 0;
    for (size_t i = 0; i < file->pieces_count; i++) {
        if (file->pieces[i]->is_wanted && !file->pieces[i]->is_there) return file->pieces[i]->first_row;
    }
    return -1;
}

static leat_code begin_load(leat_pk_blocks *self, leat_pk_lookup_file *file, int64_t expected, leat_error *error)
{
    int64_t first_row = first_wanted(file);
    if (first_row < 0) return LEAT_OK;
    leat_pk_load *load = leat_calloc(1, sizeof *load);
    if (!load) return leat_fail_no_memory(error);
    load->expected_bytes = expected;
    load->piece_bytes_max = is_one_piece(self, expected) ? INT64_MAX : cut_bytes(self);
    leat_code code = leat_pk_file_reader_new(&self->io, file->bucket->path, &file->meta, &self->config->options.schema,
                                             &load->reader, error);
    if (code != LEAT_OK) {
        leat_free(load);
        return code;
    }
    leat_pk_file_reader_start_at(load->reader, first_row);
    load->file = file;
    file->load = load;
    self->loads[self->loads_count++] = load;
    self->files_opened++;
    return LEAT_OK;
}

leat_code leat_pk_blocks_want(leat_pk_blocks *self, leat_pk_lookup_file *file, leat_pk_piece *piece, bool *is_new,
                              leat_error *error)
{
    if (piece) piece->is_wanted = true;
    if (file->is_queued || file->load || file->is_missing) return LEAT_OK;
    LEAT_TRY(leat_grow(&self->queue, &self->queue_capacity, self->queue_count + 1, sizeof *self->queue, error));
    self->queue[self->queue_count++] = file;
    file->is_queued = *is_new = true;
    return LEAT_OK;
}

static leat_code begin_loads(leat_pk_blocks *self, leat_error *error)
{
    size_t taken = 0;
    leat_code code = LEAT_OK;
    while (code == LEAT_OK && taken < self->queue_count) {
        leat_pk_lookup_file *file = self->queue[taken];
        int64_t expected = expected_bytes(self, &file->meta);
        if (!may_begin(self, expected)) break;
        taken++;
        file->is_queued = false;
        code = begin_load(self, file, expected, error);
    }
    self->queue_count -= taken;
    if (taken) memmove(self->queue, self->queue + taken, self->queue_count * sizeof *self->queue);
    return code;
}

void leat_pk_blocks_forget(leat_pk_blocks *self, leat_pk_lookup_file *file)
{
    if (file->load) detach(self, file->load);
    if (file->is_missing) self->missing_count--;
    for (size_t i = 0; file->is_queued && i < self->queue_count; i++) {
        if (self->queue[i] != file) continue;
        self->queue_count--;
        memmove(&self->queue[i], &self->queue[i + 1], (self->queue_count - i) * sizeof *self->queue);
        file->is_queued = false;
    }
    for (size_t i = 0; i < file->pieces_count; i++) {
        if (file->pieces[i]->is_there) let_go(self, file->pieces[i]);
    }
}

/* --- pieces --- */

static leat_code start_piece(leat_pk_blocks *self, leat_pk_piece *piece, leat_error *error)
{
    return leat_pk_buffer_init(&piece->rows, &self->config->options, error);
}

/* The piece that the load's next row belongs to; *skip: so many rows are of one that nobody wants. */
static leat_code find_piece(leat_pk_blocks *self, leat_pk_load *load, int64_t *skip, leat_error *error)
{
    leat_pk_lookup_file *file = load->file;
    *skip = 0;
    if (load->piece) return LEAT_OK;
    if (!file->is_mapped) {
        leat_pk_piece *piece = leat_calloc(1, sizeof *piece);
        if (!piece) return leat_fail_no_memory(error);
        piece->file = file;
        piece->first_row = load->row;
        load->piece = piece;
        return start_piece(self, piece, error);
    }
    for (size_t i = 0; i < file->pieces_count; i++) {
        leat_pk_piece *piece = file->pieces[i];
        int64_t end = piece->first_row + piece->rows_count;
        if (load->row >= end) continue;
        if (piece->first_row == load->row && piece->is_wanted && !piece->is_there) {
            load->piece = piece;
            return start_piece(self, piece, error);
        }
        *skip = end - load->row;
        return LEAT_OK;
    }
    return leat_fail(error, LEAT_CORRUPT, "file %s has more rows than it had", file->name);
}

static leat_code finish_piece(leat_pk_blocks *self, leat_pk_load *load, leat_error *error)
{
    leat_pk_piece *piece = load->piece;
    leat_pk_lookup_file *file = load->file;
    if (!piece->view) LEAT_TRY(leat_pk_lookup_view_new(self->config, &piece->view, error));
    leat_pk_lookup_view_refresh(self->config, &piece->rows.state, piece->view);
    int32_t rows = piece->rows.state.rows;
    uint8_t removes = 0;
    for (int32_t i = 0; i < rows; i++)
        removes |= (uint8_t)!leat_row_kind_is_add(piece->rows.state.kinds[i]);
    piece->has_deletes = removes != 0;
    LEAT_TRY(leat_grow(&self->pieces, &self->pieces_capacity, self->pieces_count + 1, sizeof *self->pieces, error));
    if (!file->is_mapped) {
        LEAT_TRY(leat_pk_lookup_range_new(self->index, piece->view, 0, rows - 1, &piece->range, error));
        LEAT_TRY(leat_grow(&file->pieces, &file->pieces_capacity, file->pieces_count + 1, sizeof *file->pieces, error));
        file->pieces[file->pieces_count++] = piece;
        piece->rows_count = rows;
    }
    load->piece = NULL;
    self->pieces[self->pieces_count++] = piece;
    piece->is_there = piece->stays = true;
    piece->is_wanted = false;
    leat_pk_blocks_use(self, piece);
    return LEAT_OK;
}

/* Rows [first, first + count) of a batch, whose hashes are there. */
static leat_code add_rows(leat_pk_blocks *self, leat_pk_load *load, const leat_batch *batch, int32_t first,
                          int32_t count, leat_error *error)
{
    leat_pk_piece *piece = load->piece;
    int32_t before = piece->rows.state.rows;
    LEAT_TRY(leat_pk_buffer_add(&piece->rows, batch, self->rows + first, self->hashes + first, count, 0, error));
    if (piece->rows.state.rows != before + count)
        return leat_fail(error, LEAT_CORRUPT, "file %s has a key twice", load->file->name);
    const int64_t *sequences = batch->columns[self->config->kept_count].values;
    memcpy(piece->rows.state.sequences + before, sequences + first, (size_t)count * sizeof *sequences);
    count_bytes(self, piece);
    return LEAT_OK;
}

static leat_code take_batch(leat_pk_blocks *self, leat_pk_load *load, const leat_batch *batch, leat_error *error)
{
    leat_pk_lookup_file *file = load->file;
    leat_pk_lookup_hash_kept(self->config, batch, self->hashes64, self->hashes);
    for (int32_t at = 0; at < batch->rows;) {
        int64_t count = batch->rows - at, skip;
        LEAT_TRY(find_piece(self, load, &skip, error));
        if (skip > 0) {
            count = skip < count ? skip : count;
        } else {
            leat_pk_piece *piece = load->piece;
            int64_t left = file->is_mapped ? piece->rows_count - piece->rows.state.rows : count;
            count = left < count ? left : count;
            LEAT_TRY(add_rows(self, load, batch, at, (int32_t)count, error));
            bool is_full = file->is_mapped ? count == left : piece->bytes >= load->piece_bytes_max;
            if (is_full) LEAT_TRY(finish_piece(self, load, error));
        }
        at += (int32_t)count;
        load->row += count;
    }
    return LEAT_OK;
}

static leat_code take_end(leat_pk_blocks *self, leat_pk_load *load, leat_error *error)
{
    leat_pk_lookup_file *file = load->file;
    if (load->row != file->meta.rows) {
        return leat_fail(error, LEAT_CORRUPT, "file %s has %lld rows, and should have %lld", file->name,
                         (long long)load->row, (long long)file->meta.rows);
    }
    if (load->piece) LEAT_TRY(finish_piece(self, load, error));
    file->is_mapped = true;
    return LEAT_OK;
}

/* Nothing is to be read for the file any more. */
static bool is_satisfied(const leat_pk_load *load)
{
    return load->file->is_mapped && !load->piece && first_wanted(load->file) < 0;
}

/* *has_ended: nothing more is wanted of it. */
static leat_code step_load(leat_pk_blocks *self, leat_pk_load *load, bool *has_ended, bool *has_more, leat_error *error)
{
    *has_ended = !load->file;
    if (!load->file) return LEAT_OK;
    for (int i = 0; i < STEP_BATCHES && !*has_ended; i++) {
        leat_pk_status status;
        leat_batch *batch = NULL;
        LEAT_TRY(leat_pk_file_reader_step(load->reader, READ_ROWS, &status, &batch, error));
        if (status == LEAT_PK_WAIT) return LEAT_OK;
        leat_code code = LEAT_OK;
        if (i == 0 && load->row == 0) load->row = leat_pk_file_reader_first_row(load->reader);
        if (status == LEAT_PK_BATCH) code = take_batch(self, load, batch, error);
        leat_batch_free(batch);
        if (code == LEAT_OK && status == LEAT_PK_END) code = take_end(self, load, error);
        if (code != LEAT_OK) return code;
        *has_ended = status == LEAT_PK_END || is_satisfied(load);
    }
    *has_more = true;
    return LEAT_OK;
}

/* A file that is gone is no error yet: a newer snapshot may not have it any more. */
static leat_code fail_load(leat_pk_blocks *self, int32_t at, leat_code code, leat_error *error)
{
    leat_pk_lookup_file *file = self->loads[at]->file;
    end_load(self, at);
    if (code != LEAT_NOT_FOUND) return code;
    file->is_missing = true;
    self->missing_count++;
    self->missing_code = code;
    if (error) self->missing = *error;
    return LEAT_OK;
}

leat_code leat_pk_blocks_step(leat_pk_blocks *self, bool *has_more, leat_error *error)
{
    leat_error local = {0};
    *has_more = false;
    for (size_t i = 0; i < self->pieces_count; i++) {
        self->pieces[i]->stays = self->pieces[i]->is_pinned;
        self->pieces[i]->is_pinned = false;
    }
    self->has_first = false;
    keep_to_budget(self);
    leat_code code = begin_loads(self, error);
    if (code != LEAT_OK) return code;
    for (int32_t i = self->loads_count - 1; i >= 0; i--) {
        leat_pk_load *load = self->loads[i];
        leat_pk_lookup_file *file = load->file;
        bool has_ended;
        code = step_load(self, load, &has_ended, has_more, &local);
        if (code != LEAT_OK) {
            if (fail_load(self, i, code, &local) == LEAT_OK) continue;
            if (error) *error = local;
            return code;
        }
        if (!has_ended) continue;
        end_load(self, i);
        if (file && first_wanted(file) >= 0) LEAT_TRY(leat_pk_blocks_want(self, file, NULL, has_more, error));
    }
    *has_more = *has_more || (self->queue_count > 0 && self->loads_count == 0);
    return LEAT_OK;
}

void leat_pk_blocks_done(leat_pk_blocks *self)
{
    while (self->loads_count > 0)
        free_load(self, self->loads_count - 1);
    leat_free(self->queue);
    leat_free(self->pieces);
    leat_free(self->hashes64);
    leat_free(self->hashes);
    leat_free(self->rows);
    *self = (leat_pk_blocks){0};
}
