#define XXH_INLINE_ALL
#include <xxhash.h>

#include "taskmanager/upload.h"

#include "common/memory.h"
#include "storage/storage.h"
#include "taskmanager/job.h"
#include "taskmanager/taskmanager.h"

struct leat_upload {
    XXH3_state_t checksum; /* first: it wants 64-byte alignment */
    leat_job job;
    leat_subtask *subtask;
    char *path;
    leat_storage_writer *writer; /* NULL before the first part, and after the end */
    uint64_t size_bytes;
    leat_bytes part;
    leat_error error; /* code other than OK: a part failed, nothing more can be written */
    atomic_bool is_busy;
};

static leat_storage *storage_of(const leat_upload *self)
{
    return self->subtask->job->taskmanager->env->storage;
}

leat_code leat_upload_new(leat_subtask *subtask, const char *path, leat_upload **out, leat_error *error)
{
    leat_upload *self = leat_alloc_aligned(sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    *self = (leat_upload){.subtask = subtask, .path = leat_strdup(path)};
    if (!self->path) {
        leat_free(self);
        return leat_fail_no_memory(error);
    }
    XXH3_64bits_reset(&self->checksum);
    *out = self;
    return LEAT_OK;
}

bool leat_upload_is_busy(const leat_upload *self)
{
    /* acquire: pairs with the release in done_part. */
    return atomic_load_explicit(&self->is_busy, memory_order_acquire);
}

static leat_code write_bytes(leat_upload *self, const leat_bytes *bytes, leat_error *error)
{
    if (!self->writer) LEAT_TRY(leat_storage_create(storage_of(self), self->path, &self->writer, error));
    LEAT_TRY(leat_storage_write(self->writer, bytes->data, bytes->size, error));
    XXH3_64bits_update(&self->checksum, bytes->data, bytes->size);
    self->size_bytes += bytes->size;
    return LEAT_OK;
}

static leat_upload *upload_of(leat_job *job)
{
    return (leat_upload *)(void *)((char *)job - offsetof(leat_upload, job));
}

static void run_part(leat_job *job, leat_env *env)
{
    (void)env;
    leat_upload *self = upload_of(job);
    self->error.code = write_bytes(self, &self->part, &self->error);
    leat_bytes_reset(&self->part);
}

static void done_part(leat_job *job, leat_env *env)
{
    (void)env;
    leat_upload *self = upload_of(job);
    leat_subtask *subtask = self->subtask;
    leat_task_job *owner = leat_task_job_ref(subtask->job); /* the subtask may close once the count is down */
    atomic_store_explicit(&self->is_busy, false, memory_order_release); /* self may be gone from here on */
    atomic_fetch_sub_explicit(&subtask->jobs_running, 1, memory_order_acq_rel);
    leat_executor *executor = owner->taskmanager->executor;
    executor->schedule(executor, &subtask->runnable);
    leat_task_job_unref(owner);
}

leat_code leat_upload_send(leat_upload *self, leat_bytes *part, leat_error *error)
{
    if (self->error.code != LEAT_OK) {
        *error = self->error;
        return error->code;
    }
    leat_bytes written = self->part;
    self->part = *part;
    *part = written;
    self->job = (leat_job){.run = run_part, .done = done_part};
    atomic_store_explicit(&self->is_busy, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->subtask->jobs_running, 1, memory_order_relaxed);
    leat_code code = leat_env_spawn(self->subtask->job->taskmanager->env, &self->job, error);
    if (code != LEAT_OK) {
        atomic_fetch_sub_explicit(&self->subtask->jobs_running, 1, memory_order_relaxed);
        atomic_store_explicit(&self->is_busy, false, memory_order_relaxed);
    }
    return code;
}

leat_code leat_upload_finish(leat_upload *self, const leat_bytes *rest, uint64_t *size_bytes, uint64_t *checksum,
                             leat_error *error)
{
    if (self->error.code != LEAT_OK) {
        *error = self->error;
        return error->code;
    }
    LEAT_TRY(write_bytes(self, rest, error));
    leat_storage_writer *writer = self->writer;
    self->writer = NULL;
    LEAT_TRY(leat_storage_finish(writer, error));
    *size_bytes = self->size_bytes;
    *checksum = XXH3_64bits_digest(&self->checksum);
    return LEAT_OK;
}

void leat_upload_free(leat_upload *self)
{
    if (!self) return;
    leat_storage_abort(self->writer);
    leat_bytes_done(&self->part);
    leat_free(self->path);
    leat_free(self);
}
