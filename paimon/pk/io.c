#include "paimon/pk/io.h"

#include <string.h>

#include "common/memory.h"

static leat_code start_job(const leat_pk_io *io, leat_job *job, leat_error *error)
{
    if (io->context) return leat_context_spawn(io->context, job, error);
    job->run(job, io->env);
    job->done(job, io->env);
    return LEAT_OK;
}

/* --- reads --- */

static void run_read(leat_job *job, leat_env *env)
{
    leat_pk_read *read = (leat_pk_read *)job;
    read->code = leat_storage_get(env->storage, read->path, read->offset, read->size, &read->bytes, &read->error);
    if (read->code == LEAT_OK && read->bytes.size < read->size) {
        read->code = leat_fail(&read->error, LEAT_CORRUPT, "%s ends before offset %llu", read->path,
                               (unsigned long long)(read->offset + read->size));
    }
}

static void done_read(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_read *read = (leat_pk_read *)job;
    leat_operator_context *context = read->io.context;
    /* release: pairs with the acquire in poll; after it the owner may reuse the struct. */
    atomic_store_explicit(&read->is_done, true, memory_order_release);
    if (context) leat_context_wake(context);
}

leat_code leat_pk_read_start(leat_pk_read *read, const leat_pk_io *io, const char *path, uint64_t offset, size_t size,
                             leat_error *error)
{
    LEAT_ASSERT(!read->is_running);
    *read = (leat_pk_read){.job = {.run = run_read, .done = done_read},
                           .io = *io,
                           .path = path,
                           .offset = offset,
                           .size = size,
                           .is_running = true};
    leat_code code = start_job(io, &read->job, error);
    if (code != LEAT_OK) read->is_running = false;
    return code;
}

static void release_bytes(leat_buffer *buffer)
{
    leat_free(buffer->data);
    leat_free(buffer);
}

leat_code leat_pk_read_poll(leat_pk_read *read, bool *is_done, leat_buffer **out, leat_error *error)
{
    *is_done = false;
    if (!read->is_running || !atomic_load_explicit(&read->is_done, memory_order_acquire)) return LEAT_OK;
    read->is_running = false;
    *is_done = true;
    if (read->code != LEAT_OK) {
        if (error) *error = read->error;
        leat_bytes_done(&read->bytes);
        return read->code;
    }
    leat_buffer *buffer = leat_alloc(sizeof *buffer);
    if (!buffer) return leat_fail_no_memory(error);
    *buffer = (leat_buffer){.data = read->bytes.data, .size_bytes = read->bytes.size, .release = release_bytes};
    atomic_init(&buffer->references, 1);
    read->bytes = (leat_bytes){0};
    *out = buffer;
    return LEAT_OK;
}

void leat_pk_read_done(leat_pk_read *read)
{
    leat_bytes_done(&read->bytes);
}

/* --- uploads --- */

struct leat_pk_upload {
    leat_job job; /* first */
    leat_pk_io io;
    char *path;
    leat_storage_writer *writer; /* the job's while it runs */
    leat_bytes queued, running;
    bool is_finishing, is_running, is_finished;
    bool finishes_now; /* the running job ends the object */
    leat_code code;
    leat_error error;
    atomic_bool is_done;
};

static leat_code write_chunk(leat_pk_upload *upload, leat_env *env)
{
    leat_error *error = &upload->error;
    if (!upload->writer) LEAT_TRY(leat_storage_create(env->storage, upload->path, &upload->writer, error));
    if (upload->running.size) {
        LEAT_TRY(leat_storage_write(upload->writer, upload->running.data, upload->running.size, error));
    }
    if (!upload->finishes_now) return LEAT_OK;
    leat_storage_writer *writer = upload->writer;
    upload->writer = NULL;
    return leat_storage_finish(writer, error);
}

static void run_upload(leat_job *job, leat_env *env)
{
    leat_pk_upload *upload = (leat_pk_upload *)job;
    upload->code = write_chunk(upload, env);
    if (upload->code != LEAT_OK) (void)leat_fail_in(&upload->error, upload->code, "write %s", upload->path);
}

static void done_upload(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_upload *upload = (leat_pk_upload *)job;
    leat_operator_context *context = upload->io.context;
    atomic_store_explicit(&upload->is_done, true, memory_order_release); /* pairs with the acquire in poll */
    if (context) leat_context_wake(context);
}

leat_code leat_pk_upload_new(const leat_pk_io *io, const char *path, leat_pk_upload **out, leat_error *error)
{
    leat_pk_upload *upload = leat_calloc(1, sizeof *upload);
    char *copy = leat_strdup(path);
    if (!upload || !copy) {
        leat_free(upload);
        leat_free(copy);
        return leat_fail_no_memory(error);
    }
    upload->job = (leat_job){.run = run_upload, .done = done_upload};
    upload->io = *io;
    upload->path = copy;
    *out = upload;
    return LEAT_OK;
}

static leat_code start_upload(leat_pk_upload *upload, leat_error *error)
{
    bool has_work = upload->queued.size || (upload->is_finishing && !upload->finishes_now);
    if (upload->is_running || !has_work) return LEAT_OK;
    leat_bytes_reset(&upload->running);
    leat_bytes swapped = upload->running;
    upload->running = upload->queued;
    upload->queued = swapped;
    upload->finishes_now = upload->is_finishing;
    upload->is_running = true;
    atomic_store_explicit(&upload->is_done, false, memory_order_relaxed);
    leat_code code = start_job(&upload->io, &upload->job, error);
    if (code != LEAT_OK) upload->is_running = false;
    return code;
}

leat_code leat_pk_upload_write(leat_pk_upload *upload, leat_bytes *bytes, leat_error *error)
{
    if (upload->queued.size == 0) {
        leat_bytes_done(&upload->queued);
        upload->queued = *bytes;
        *bytes = (leat_bytes){0};
    } else {
        leat_bytes_put(&upload->queued, bytes->data, bytes->size);
        leat_bytes_done(bytes);
        LEAT_TRY(leat_bytes_check(&upload->queued, error));
    }
    bool is_finished;
    return leat_pk_upload_poll(upload, &is_finished, error);
}

leat_code leat_pk_upload_finish(leat_pk_upload *upload, leat_error *error)
{
    upload->is_finishing = true;
    bool is_finished;
    return leat_pk_upload_poll(upload, &is_finished, error);
}

leat_code leat_pk_upload_poll(leat_pk_upload *upload, bool *is_finished, leat_error *error)
{
    for (;;) {
        if (upload->is_running) {
            if (!atomic_load_explicit(&upload->is_done, memory_order_acquire)) break;
            upload->is_running = false;
            if (upload->code != LEAT_OK) {
                if (error) *error = upload->error;
                return upload->code;
            }
            upload->is_finished = upload->finishes_now;
        }
        LEAT_TRY(start_upload(upload, error));
        if (!upload->is_running) break;
    }
    *is_finished = upload->is_finished;
    return LEAT_OK;
}

size_t leat_pk_upload_queued(const leat_pk_upload *upload)
{
    return upload->queued.size + (upload->is_running ? upload->running.size : 0);
}

void leat_pk_upload_free(leat_pk_upload *upload)
{
    if (!upload) return;
    leat_storage_abort(upload->writer);
    leat_bytes_done(&upload->queued);
    leat_bytes_done(&upload->running);
    leat_free(upload->path);
    leat_free(upload);
}
