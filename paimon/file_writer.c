#include "paimon/file_writer.h"

#include <string.h>
#include <time.h>

#include "common/memory.h"
#include "paimon/schema.h"
#include "storage/storage.h"

enum { SEND_BYTES = 1 << 20 }; /* less waits for more, until the end */

typedef enum job_state { JOB_NONE, JOB_RUNNING, JOB_ENDED } job_state;

struct leat_paimon_file_writer {
    leat_job job; /* first; at most one is under way */
    leat_env *env;
    leat_operator_context *context;
    char *path, *name;
    leat_datafile_writer *encoder;
    leat_column_stats *stats;
    int32_t columns_count;
    int64_t rows, sent_bytes, created_ms;
    leat_bytes pending; /* encoded, not given to a job yet */
    bool is_finished, is_done;

    /* The job's while it runs. */
    atomic_int state; /* job_state; release by the job, acquire by the owner */
    leat_bytes sending;
    bool is_last;
    leat_storage_writer *target;
    leat_code code;
    leat_error error;
};

static leat_code send(leat_paimon_file_writer *self, leat_env *env)
{
    if (!self->target) LEAT_TRY(leat_storage_create(env->storage, self->path, &self->target, &self->error));
    LEAT_TRY(leat_storage_write(self->target, self->sending.data, self->sending.size, &self->error));
    if (!self->is_last) return LEAT_OK;
    leat_storage_writer *target = self->target;
    self->target = NULL; /* finish frees it in any case */
    return leat_storage_finish(target, &self->error);
}

static void run_send(leat_job *job, leat_env *env)
{
    leat_paimon_file_writer *self = (leat_paimon_file_writer *)job;
    self->code = send(self, env);
}

static void done_send(leat_job *job, leat_env *env)
{
    (void)env;
    leat_paimon_file_writer *self = (leat_paimon_file_writer *)job;
    leat_operator_context *context = self->context;
    atomic_store_explicit(&self->state, JOB_ENDED, memory_order_release); /* the owner may free self from here on */
    if (context) leat_context_wake(context);
}

static leat_code open_encoder(leat_paimon_file_writer *self, const leat_paimon_file_writer_options *options,
                              leat_error *error)
{
    const char *format = strrchr(options->name, '.');
    if (!format) return leat_fail(error, LEAT_INVALID, "file name '%s' names no format", options->name);
    int64_t level, block_bytes;
    LEAT_TRY(leat_paimon_option_int(options->options, "file.compression.zstd-level", 1, &level, error));
    LEAT_TRY(leat_paimon_option_memory(options->options, "file.block-size", 0, &block_bytes, error));
    leat_datafile_write_options encoding = {
        .compression = leat_paimon_option_text(options->options, "file.compression", "zstd"),
        .row_group_bytes = block_bytes,
        .field_ids = options->field_ids,
    };
    if (strcmp(encoding.compression, "zstd") == 0) encoding.compression_level = (int)level;
    return leat_datafile_writer_new(format + 1, options->columns, &encoding, &self->encoder, error);
}

leat_code leat_paimon_file_writer_new(const leat_paimon_file_writer_options *options, leat_paimon_file_writer **out,
                                      leat_error *error)
{
    leat_paimon_file_writer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->job = (leat_job){.run = run_send, .done = done_send};
    self->env = options->env;
    self->context = options->context;
    self->columns_count = options->columns->fields_count;
    atomic_init(&self->state, JOB_NONE);
    self->path = leat_format("%s/%s", options->folder, options->name);
    self->name = leat_strdup(options->name);
    self->stats = leat_calloc((size_t)self->columns_count + 1, sizeof *self->stats);
    leat_code code = self->path && self->name && self->stats ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK) code = open_encoder(self, options, error);
    if (code == LEAT_OK)
        *out = self;
    else
        leat_paimon_file_writer_free(self);
    return code;
}

static leat_code start_send(leat_paimon_file_writer *self, leat_error *error)
{
    self->sending = self->pending;
    self->pending = (leat_bytes){0};
    self->sent_bytes += (int64_t)self->sending.size;
    self->is_last = self->is_finished;
    atomic_store_explicit(&self->state, JOB_RUNNING, memory_order_relaxed);
    if (!self->context) {
        run_send(&self->job, self->env);
        done_send(&self->job, self->env);
        return LEAT_OK;
    }
    leat_code code = leat_context_spawn(self->context, &self->job, error);
    if (code == LEAT_OK) return code;
    atomic_store_explicit(&self->state, JOB_NONE, memory_order_relaxed);
    self->pending = self->sending;
    self->sending = (leat_bytes){0};
    self->sent_bytes -= (int64_t)self->pending.size;
    if (code != LEAT_LIMIT) return code;
    leat_context_wake(self->context); /* the queue of jobs is full: try again */
    return LEAT_OK;
}

leat_code leat_paimon_file_writer_poll(leat_paimon_file_writer *self, bool *is_done, leat_error *error)
{
    int state = atomic_load_explicit(&self->state, memory_order_acquire);
    /* Twice without a context, where a job has ended as soon as it was started. */
    for (int turn = 0; turn < 2 && state != JOB_RUNNING && !self->is_done; turn++) {
        if (state == JOB_ENDED) {
            if (self->code != LEAT_OK) {
                if (error) *error = self->error;
                return leat_fail_in(error, self->code, "write %s", self->path);
            }
            leat_bytes_done(&self->sending);
            self->is_done = self->is_last;
            atomic_store_explicit(&self->state, JOB_NONE, memory_order_relaxed);
        }
        bool is_due = self->is_finished || self->pending.size >= SEND_BYTES;
        if (is_due && !self->is_done) LEAT_TRY(start_send(self, error));
        state = atomic_load_explicit(&self->state, memory_order_acquire);
    }
    *is_done = self->is_done;
    return LEAT_OK;
}

leat_code leat_paimon_file_writer_write(leat_paimon_file_writer *self, const leat_batch *batch, leat_error *error)
{
    LEAT_ASSERT(!self->is_finished);
    leat_code code = leat_datafile_write(self->encoder, batch, error);
    if (code == LEAT_OK) code = leat_datafile_writer_take(self->encoder, &self->pending, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "write %s", self->path);
    self->rows += batch->selected;
    bool is_done;
    return leat_paimon_file_writer_poll(self, &is_done, error);
}

int64_t leat_paimon_file_writer_bytes(const leat_paimon_file_writer *self)
{
    return self->encoder ? leat_datafile_writer_bytes(self->encoder) : self->sent_bytes + (int64_t)self->pending.size;
}

int64_t leat_paimon_file_writer_rows(const leat_paimon_file_writer *self)
{
    return self->rows;
}

int64_t leat_paimon_file_writer_backlog(const leat_paimon_file_writer *self)
{
    bool is_running = atomic_load_explicit(&self->state, memory_order_relaxed) == JOB_RUNNING;
    return (int64_t)self->pending.size + (is_running ? (int64_t)self->sending.size : 0);
}

int64_t leat_paimon_file_writer_held(const leat_paimon_file_writer *self)
{
    int64_t given = self->sent_bytes + (int64_t)self->pending.size;
    int64_t buffered = self->encoder ? leat_datafile_writer_bytes(self->encoder) - given : 0;
    return buffered + leat_paimon_file_writer_backlog(self);
}

/* What Paimon calls the creation time: the writer's local clock, taken as if it were UTC. */
static int64_t local_ms(leat_env *env)
{
    int64_t now_ms = leat_env_now_ms(env);
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm local;
    return localtime_r(&seconds, &local) ? now_ms + (int64_t)local.tm_gmtoff * 1000 : now_ms;
}

leat_code leat_paimon_file_writer_finish(leat_paimon_file_writer *self, leat_error *error)
{
    LEAT_ASSERT(!self->is_finished);
    leat_code code = leat_datafile_writer_finish(self->encoder, self->stats, error);
    if (code == LEAT_OK) code = leat_datafile_writer_take(self->encoder, &self->pending, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "finish %s", self->path);
    leat_datafile_writer_free(self->encoder);
    self->encoder = NULL;
    self->is_finished = true;
    self->created_ms = local_ms(self->env);
    bool is_done;
    return leat_paimon_file_writer_poll(self, &is_done, error);
}

const leat_column_stats *leat_paimon_file_writer_stats(const leat_paimon_file_writer *self)
{
    return self->stats;
}

leat_code leat_paimon_file_writer_fill(const leat_paimon_file_writer *self, leat_arena *arena, leat_paimon_file *out,
                                       leat_error *error)
{
    LEAT_ASSERT(self->is_done);
    *out = (leat_paimon_file){.name = leat_arena_strdup(arena, self->name),
                              .size_bytes = self->sent_bytes,
                              .rows = self->rows,
                              .creation_ms = self->created_ms};
    return out->name ? LEAT_OK : leat_fail_no_memory(error);
}

bool leat_paimon_file_writer_is_busy(const leat_paimon_file_writer *self)
{
    return atomic_load_explicit(&self->state, memory_order_acquire) == JOB_RUNNING;
}

void leat_paimon_file_writer_free(leat_paimon_file_writer *self)
{
    if (!self) return;
    LEAT_ASSERT(!leat_paimon_file_writer_is_busy(self));
    leat_datafile_writer_free(self->encoder);
    leat_storage_abort(self->target);
    for (int32_t i = 0; self->stats && i < self->columns_count; i++) {
        leat_bytes_done(&self->stats[i].min);
        leat_bytes_done(&self->stats[i].max);
    }
    leat_free(self->stats);
    leat_bytes_done(&self->pending);
    leat_bytes_done(&self->sending);
    leat_free(self->path);
    leat_free(self->name);
    leat_free(self);
}
