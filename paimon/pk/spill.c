#include "paimon/pk/spill.h"

#include <string.h>

#include "columnar/wire.h"
#include "common/memory.h"
#include "storage/storage.h"

/* Scratch bytes: frames (u32 size, a body of columnar/wire.h) of one run after those of another. */
enum {
    RUN_BYTES = 2 << 20,       /* a run being read, beside what grows with its files */
    BYTES_PER_BYTE = 3,        /* of a compressed file: the row group, its pages unpacked */
    FRAMES_BYTES = 32 << 20,   /* of all runs in the second pass, two frames each */
    FRAME_BYTES_MIN = 8 << 10, /* more runs than this lets hold only by having very many files */
    FRAME_BYTES_MAX = 256 << 10,
    BACKLOG_BYTES = 2 << 20, /* that wait to be written before the merge waits */
};

typedef struct made_run {
    size_t first; /* run of the section */
    uint64_t offset, end;
} made_run;

struct leat_pk_spill {
    leat_job job; /* first; writes `writing`; at most one is under way */
    leat_pk_merge_options options;
    leat_layout *layouts;
    leat_scratch *scratch; /* the job's while it runs */
    made_run *runs;
    int32_t runs_count, run;
    leat_pk_section part; /* of the run that is being made */
    leat_pk_merge *merge;
    size_t frame_bytes;
    uint64_t bytes; /* framed so far */
    leat_bytes waiting, writing;
    leat_code code;
    leat_error error;
    bool is_writing;
    atomic_bool has_ended;
};

/* The merge holds at most so much of one run: no row group is larger than its file. */
static int64_t bytes_of(const leat_pk_run *run)
{
    int64_t largest = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (run->files[i]->size_bytes > largest) largest = run->files[i]->size_bytes;
    }
    return RUN_BYTES + BYTES_PER_BYTE * largest;
}

/* The first run after `first` that is not merged together with it. */
static size_t end_of_group(const leat_pk_merge_options *options, size_t first)
{
    const leat_pk_section *section = options->section;
    int64_t bytes = 0;
    size_t at = first;
    for (; at < section->runs_count; at++) {
        bytes += bytes_of(&section->runs[at]);
        bool is_few = at - first < (size_t)options->options->merge_runs_max;
        if (!is_few && bytes > options->options->merge_bytes_max) break;
    }
    return at;
}

bool leat_pk_spill_is_needed(const leat_pk_merge_options *options)
{
    return options->io->env->tmp_folder && end_of_group(options, 0) < options->section->runs_count;
}

static void run_write(leat_job *job, leat_env *env)
{
    leat_pk_spill *self = (leat_pk_spill *)job;
    if (!self->scratch) self->code = leat_storage_scratch(env->storage, env->tmp_folder, &self->scratch, &self->error);
    if (self->code == LEAT_OK)
        self->code = leat_scratch_append(self->scratch, self->writing.data, self->writing.size, &self->error);
}

static void done_write(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_spill *self = (leat_pk_spill *)job;
    leat_operator_context *context = self->options.io->context;
    atomic_store_explicit(&self->has_ended, true, memory_order_release); /* pairs with the acquire in poll_write */
    if (context) leat_context_wake(context);
}

static leat_code prepare(leat_pk_spill *self, leat_error *error)
{
    size_t count = self->options.section->runs_count, columns = (size_t)self->options.columns_count;
    self->runs = leat_calloc(count, sizeof *self->runs);
    self->layouts = leat_alloc((columns + 1) * sizeof *self->layouts);
    if (!self->runs || !self->layouts) return leat_fail_no_memory(error);
    for (size_t first = 0; first < count; first = end_of_group(&self->options, first))
        self->runs[self->runs_count++].first = first;
    for (size_t i = 0; i < columns; i++) {
        self->layouts[i] = leat_type_layout(&self->options.options->schema.fields[self->options.columns[i]].type);
    }
    self->layouts[columns] = LEAT_LAYOUT_64;
    self->frame_bytes = (size_t)FRAMES_BYTES / 2 / (size_t)self->runs_count;
    if (self->frame_bytes < FRAME_BYTES_MIN) self->frame_bytes = FRAME_BYTES_MIN;
    if (self->frame_bytes > FRAME_BYTES_MAX) self->frame_bytes = FRAME_BYTES_MAX;
    return LEAT_OK;
}

leat_code leat_pk_spill_new(const leat_pk_merge_options *options, leat_pk_spill **out, leat_error *error)
{
    leat_pk_spill *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->job = (leat_job){.run = run_write, .done = done_write};
    self->options = *options;
    leat_code code = prepare(self, error);
    if (code != LEAT_OK) {
        leat_pk_spill_free(self);
        return code;
    }
    *out = self;
    return LEAT_OK;
}

void leat_pk_spill_free(leat_pk_spill *self)
{
    if (!self) return;
    leat_pk_merge_free(self->merge);
    leat_scratch_free(self->scratch);
    leat_bytes_done(&self->waiting);
    leat_bytes_done(&self->writing);
    leat_free(self->layouts);
    leat_free(self->runs);
    leat_free(self);
}

/* --- writing --- */

static leat_code poll_write(leat_pk_spill *self, leat_error *error)
{
    if (!self->is_writing || !atomic_load_explicit(&self->has_ended, memory_order_acquire)) return LEAT_OK;
    self->is_writing = false;
    if (self->code == LEAT_OK) return LEAT_OK;
    if (error) *error = self->error;
    return leat_fail_in(error, self->code, "merge %zu runs of %s in passes", self->options.section->runs_count,
                        self->options.bucket_path);
}

/* Starts to write what waits, if nothing is being written. */
static leat_code write_waiting(leat_pk_spill *self, leat_error *error)
{
    LEAT_TRY(poll_write(self, error));
    if (self->is_writing || self->waiting.size == 0) return LEAT_OK;
    leat_bytes free_bytes = self->writing;
    leat_bytes_reset(&free_bytes);
    self->writing = self->waiting;
    self->waiting = free_bytes;
    atomic_store_explicit(&self->has_ended, false, memory_order_relaxed);
    leat_operator_context *context = self->options.io->context;
    if (context) {
        leat_code code = leat_context_spawn(context, &self->job, error);
        self->is_writing = code == LEAT_OK;
        if (code == LEAT_OK) return code;
        self->waiting = self->writing;
        self->writing = free_bytes;
        if (code != LEAT_LIMIT) return code;
        leat_context_wake(context); /* the queue of jobs is full: try again */
        return LEAT_OK;
    }
    self->is_writing = true;
    run_write(&self->job, self->options.io->env);
    done_write(&self->job, self->options.io->env);
    return poll_write(self, error);
}

static leat_code put_frame(leat_pk_spill *self, const leat_batch *batch, leat_error *error)
{
    size_t bytes = leat_batch_wire_bytes(batch);
    if (bytes > UINT32_MAX) return leat_fail(error, LEAT_LIMIT, "%d rows need %zu bytes", batch->selected, bytes);
    leat_buffer *body = leat_buffer_new(bytes); /* aligned, as a wire body must be */
    if (!body) return leat_fail_no_memory(error);
    leat_batch_wire_write(batch, body->data);
    leat_bytes_put_u32(&self->waiting, (uint32_t)bytes);
    leat_bytes_put(&self->waiting, body->data, bytes);
    leat_buffer_unref(body);
    self->bytes += sizeof(uint32_t) + bytes;
    return leat_bytes_check(&self->waiting, error);
}

/* In frames of about frame_bytes. The batch's rows are all selected. */
static leat_code put_batch(leat_pk_spill *self, leat_batch *batch, leat_error *error)
{
    _Static_assert(LEAT_PK_MERGE_ROWS <= UINT16_MAX, "rows are numbered by 16 bits");
    int32_t rows = batch->rows, frames = (int32_t)(leat_batch_wire_bytes(batch) / self->frame_bytes) + 1;
    if (frames == 1) return put_frame(self, batch, error);
    int32_t step = (rows + frames - 1) / frames;
    batch->selection_buffer = leat_buffer_new((size_t)rows * sizeof(uint16_t));
    if (!batch->selection_buffer) return leat_fail_no_memory(error);
    uint16_t *numbers = (uint16_t *)(void *)batch->selection_buffer->data;
    for (int32_t i = 0; i < rows; i++)
        numbers[i] = (uint16_t)i;
    for (int32_t at = 0; at < rows; at += step) {
        batch->selection = numbers + at;
        batch->selected = rows - at < step ? rows - at : step;
        LEAT_TRY(put_frame(self, batch, error));
    }
    return LEAT_OK;
}

static leat_code start_run(leat_pk_spill *self, leat_error *error)
{
    made_run *run = &self->runs[self->run];
    const leat_pk_section *section = self->options.section;
    bool is_last = self->run + 1 == self->runs_count;
    self->part = (leat_pk_section){.runs = section->runs + run->first};
    self->part.runs_count = (is_last ? section->runs_count : run[1].first) - run->first;
    run->offset = self->bytes;
    leat_pk_merge_options options = self->options;
    options.section = &self->part;
    options.keeps_all = true;
    return leat_pk_merge_new(&options, &self->merge, error);
}

static leat_code merge_slice(leat_pk_spill *self, leat_pk_status *status, leat_error *error)
{
    leat_batch *batch = NULL;
    if (!self->merge) LEAT_TRY(start_run(self, error));
    LEAT_TRY(leat_pk_merge_step(self->merge, status, &batch, NULL, error));
    if (*status == LEAT_PK_END) {
        leat_pk_merge_free(self->merge);
        self->merge = NULL;
        self->runs[self->run++].end = self->bytes;
        *status = LEAT_PK_AGAIN;
    }
    if (*status != LEAT_PK_BATCH) return LEAT_OK;
    *status = LEAT_PK_AGAIN;
    leat_code code = put_batch(self, batch, error);
    leat_batch_free(batch);
    return code;
}

leat_code leat_pk_spill_step(leat_pk_spill *self, leat_pk_status *status, leat_error *error)
{
    LEAT_TRY(write_waiting(self, error));
    bool is_merged = self->run == self->runs_count;
    *status = LEAT_PK_WAIT;
    if (self->waiting.size > BACKLOG_BYTES || (is_merged && self->is_writing)) return LEAT_OK;
    if (!is_merged) return merge_slice(self, status, error);
    if (self->waiting.size > 0) return LEAT_OK; /* the queue of jobs is full, see write_waiting */
    leat_bytes_done(&self->waiting);
    leat_bytes_done(&self->writing);
    *status = LEAT_PK_END;
    return LEAT_OK;
}

int32_t leat_pk_spill_runs(const leat_pk_spill *self)
{
    return self->runs_count;
}

/* --- reading --- */

typedef enum read_state { READ_NONE, READ_RUNNING, READ_ENDED } read_state;

struct leat_pk_spilled {
    leat_job job; /* first; reads the next frame */
    leat_pk_spill *spill;
    uint64_t at, end;
    leat_buffer *frame;
    leat_code code;
    leat_error error;
    atomic_int state; /* read_state; release by the job, acquire by the owner */
};

static leat_code read_frame(leat_pk_spilled *self)
{
    uint32_t bytes;
    leat_scratch *scratch = self->spill->scratch;
    LEAT_TRY(leat_scratch_read(scratch, self->at, sizeof bytes, &bytes, &self->error));
    self->frame = leat_buffer_new(bytes);
    if (!self->frame) return leat_fail_no_memory(&self->error);
    LEAT_TRY(leat_scratch_read(scratch, self->at + sizeof bytes, bytes, self->frame->data, &self->error));
    self->at += sizeof bytes + bytes;
    return LEAT_OK;
}

static void run_read(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_spilled *self = (leat_pk_spilled *)job;
    self->code = read_frame(self);
}

static void done_read(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_spilled *self = (leat_pk_spilled *)job;
    leat_operator_context *context = self->spill->options.io->context;
    atomic_store_explicit(&self->state, READ_ENDED, memory_order_release);
    if (context) leat_context_wake(context);
}

leat_code leat_pk_spilled_open(leat_pk_spill *spill, int32_t run, leat_pk_spilled **out, leat_error *error)
{
    leat_pk_spilled *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->job = (leat_job){.run = run_read, .done = done_read};
    self->spill = spill;
    self->at = spill->runs[run].offset;
    self->end = spill->runs[run].end;
    atomic_init(&self->state, READ_NONE);
    *out = self;
    return LEAT_OK;
}

static leat_code start_read(leat_pk_spilled *self, leat_error *error)
{
    const leat_pk_io *io = self->spill->options.io;
    atomic_store_explicit(&self->state, READ_RUNNING, memory_order_relaxed);
    if (!io->context) {
        run_read(&self->job, io->env);
        done_read(&self->job, io->env);
        return LEAT_OK;
    }
    leat_code code = leat_context_spawn(io->context, &self->job, error);
    if (code == LEAT_OK) return code;
    atomic_store_explicit(&self->state, READ_NONE, memory_order_relaxed);
    if (code != LEAT_LIMIT) return code;
    leat_context_wake(io->context); /* the queue of jobs is full: try again */
    return LEAT_OK;
}

leat_code leat_pk_spilled_step(leat_pk_spilled *self, leat_pk_status *status, leat_batch **out, leat_error *error)
{
    int state = atomic_load_explicit(&self->state, memory_order_acquire);
    *status = LEAT_PK_END;
    if (state == READ_NONE && self->at == self->end) return LEAT_OK;
    if (state == READ_NONE) LEAT_TRY(start_read(self, error));
    *status = LEAT_PK_WAIT;
    if (atomic_load_explicit(&self->state, memory_order_acquire) != READ_ENDED) return LEAT_OK;
    if (self->code != LEAT_OK) {
        if (error) *error = self->error;
        return self->code;
    }
    *status = LEAT_PK_BATCH;
    leat_buffer *frame = self->frame;
    self->frame = NULL;
    const leat_pk_spill *spill = self->spill;
    leat_code code = leat_batch_wire_read(frame, spill->layouts, spill->options.columns_count + 1, out, error);
    leat_buffer_unref(frame);
    atomic_store_explicit(&self->state, READ_NONE, memory_order_relaxed);
    if (code == LEAT_OK && self->at < self->end) code = start_read(self, error); /* ahead of the need */
    return code;
}

void leat_pk_spilled_free(leat_pk_spilled *self)
{
    if (!self) return;
    leat_buffer_unref(self->frame);
    leat_free(self);
}
