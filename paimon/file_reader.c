#include "paimon/file_reader.h"

#include <string.h>

#include "common/memory.h"
#include "storage/storage.h"

enum {
    RANGES_MAX = 32,     /* of one job; what is left is asked for by the next */
    BATCHES_A_LOOK = 32, /* how often the next row group is thought of */
};

typedef enum job_state { JOB_NONE, JOB_RUNNING, JOB_ENDED } job_state;

struct leat_paimon_file_reader {
    leat_job job; /* first; at most one is under way */
    leat_env *env;
    leat_operator_context *context;
    char *path;
    leat_datafile_reader *decoder;
    int32_t batches_since_look;

    /* The job's while it runs. */
    atomic_int state; /* job_state; release by the job, acquire by the owner */
    leat_datafile_range ranges[RANGES_MAX];
    leat_bytes fetched[RANGES_MAX];
    size_t ranges_count;
    leat_code code;
    leat_error error;
};

static void run_fetch(leat_job *job, leat_env *env)
{
    leat_paimon_file_reader *self = (leat_paimon_file_reader *)job;
    self->code = LEAT_OK;
    for (size_t i = 0; i < self->ranges_count && self->code == LEAT_OK; i++) {
        leat_datafile_range range = self->ranges[i];
        self->code =
            leat_storage_get(env->storage, self->path, range.offset, range.size, &self->fetched[i], &self->error);
        if (self->code == LEAT_OK && self->fetched[i].size < range.size) {
            self->code = leat_fail(&self->error, LEAT_CORRUPT, "%s is shorter than its metadata says", self->path);
        }
    }
}

static void done_fetch(leat_job *job, leat_env *env)
{
    (void)env;
    leat_paimon_file_reader *self = (leat_paimon_file_reader *)job;
    leat_operator_context *context = self->context;
    atomic_store_explicit(&self->state, JOB_ENDED, memory_order_release); /* the owner may free self from here on */
    if (context) leat_context_wake(context);
}

leat_code leat_paimon_file_reader_new(const leat_paimon_file_reader_options *options, leat_paimon_file_reader **out,
                                      leat_error *error)
{
    const char *format = strrchr(options->path, '.');
    if (!format || strchr(format, '/')) return leat_fail(error, LEAT_INVALID, "file %s names no format", options->path);
    leat_paimon_file_reader *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->job = (leat_job){.run = run_fetch, .done = done_fetch};
    self->env = options->env;
    self->context = options->context;
    atomic_init(&self->state, JOB_NONE);
    self->path = leat_strdup(options->path);
    leat_code code = self->path ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK) {
        code = leat_datafile_reader_new(format + 1, options->size_bytes, options->columns, &self->decoder, error);
        if (code != LEAT_OK) (void)leat_fail_in(error, code, "open %s", options->path);
    }
    if (code == LEAT_OK)
        *out = self;
    else
        leat_paimon_file_reader_free(self);
    return code;
}

void leat_paimon_file_reader_start_at(leat_paimon_file_reader *self, int64_t row)
{
    leat_datafile_reader_start_at(self->decoder, row);
}

int64_t leat_paimon_file_reader_first_row(const leat_paimon_file_reader *self)
{
    return leat_datafile_reader_first_row(self->decoder);
}

static leat_code start_fetch(leat_paimon_file_reader *self, leat_error *error)
{
    atomic_store_explicit(&self->state, JOB_RUNNING, memory_order_relaxed);
    if (!self->context) {
        run_fetch(&self->job, self->env);
        done_fetch(&self->job, self->env);
        return LEAT_OK;
    }
    leat_code code = leat_context_spawn(self->context, &self->job, error);
    if (code == LEAT_OK) return code;
    atomic_store_explicit(&self->state, JOB_NONE, memory_order_relaxed);
    if (code != LEAT_LIMIT) return code;
    leat_context_wake(self->context); /* the queue of jobs is full: try again */
    return LEAT_OK;
}

static void release_bytes(leat_buffer *buffer)
{
    leat_free(buffer->data);
    leat_free(buffer);
}

/* Moves the bytes into a buffer. */
static leat_buffer *buffer_of(leat_bytes *bytes)
{
    leat_buffer *buffer = leat_alloc(sizeof *buffer);
    if (!buffer) return NULL;
    *buffer = (leat_buffer){.data = bytes->data, .size_bytes = bytes->size, .release = release_bytes};
    atomic_init(&buffer->references, 1);
    *bytes = (leat_bytes){0};
    return buffer;
}

/* What a job brought goes to the decoder. */
static leat_code take_fetched(leat_paimon_file_reader *self, leat_error *error)
{
    if (atomic_load_explicit(&self->state, memory_order_acquire) != JOB_ENDED) return LEAT_OK;
    atomic_store_explicit(&self->state, JOB_NONE, memory_order_relaxed);
    if (self->code != LEAT_OK) {
        if (error) *error = self->error;
        return self->code;
    }
    for (size_t i = 0; i < self->ranges_count; i++) {
        leat_buffer *buffer = buffer_of(&self->fetched[i]);
        if (!buffer) return leat_fail_no_memory(error);
        leat_code code = leat_datafile_reader_give(self->decoder, self->ranges[i].offset, buffer, error);
        leat_buffer_unref(buffer);
        if (code != LEAT_OK) return code;
    }
    self->ranges_count = 0;
    return LEAT_OK;
}

static leat_code ask(leat_paimon_file_reader *self, leat_error *error)
{
    if (atomic_load_explicit(&self->state, memory_order_acquire) != JOB_NONE) return LEAT_OK;
    self->ranges_count = leat_datafile_reader_needed(self->decoder, self->ranges, RANGES_MAX);
    return self->ranges_count ? start_fetch(self, error) : LEAT_OK;
}

static leat_code step(leat_paimon_file_reader *self, int32_t rows_max, leat_paimon_read_status *status,
                      leat_batch **out, leat_error *error)
{
    for (;;) { /* again only after bytes came: the decoder gets further each time */
        LEAT_TRY(take_fetched(self, error));
        leat_datafile_status decoded;
        LEAT_TRY(leat_datafile_reader_step(self->decoder, rows_max, &decoded, out, error));
        if (decoded == LEAT_DATAFILE_END) {
            *status = LEAT_PAIMON_READ_END;
            return LEAT_OK;
        }
        if (decoded == LEAT_DATAFILE_BATCH) {
            *status = LEAT_PAIMON_READ_BATCH;
            leat_code code = self->batches_since_look++ % BATCHES_A_LOOK == 0 ? ask(self, error) : LEAT_OK;
            if (code != LEAT_OK) leat_batch_free(*out);
            return code;
        }
        LEAT_TRY(ask(self, error));
        int state = atomic_load_explicit(&self->state, memory_order_acquire);
        if (state == JOB_ENDED) continue;
        *status = LEAT_PAIMON_READ_WAIT;
        return LEAT_OK;
    }
}

leat_code leat_paimon_file_reader_step(leat_paimon_file_reader *self, int32_t rows_max, leat_paimon_read_status *status,
                                       leat_batch **out, leat_error *error)
{
    leat_code code = step(self, rows_max, status, out, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "read %s", self->path);
}

bool leat_paimon_file_reader_is_busy(const leat_paimon_file_reader *self)
{
    return atomic_load_explicit(&self->state, memory_order_acquire) == JOB_RUNNING;
}

void leat_paimon_file_reader_free(leat_paimon_file_reader *self)
{
    if (!self) return;
    LEAT_ASSERT(!leat_paimon_file_reader_is_busy(self));
    leat_datafile_reader_free(self->decoder);
    for (size_t i = 0; i < RANGES_MAX; i++)
        leat_bytes_done(&self->fetched[i]);
    leat_free(self->path);
    leat_free(self);
}
