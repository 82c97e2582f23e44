#include "paimon/pk/copies.h"

#include "common/memory.h"
#include "paimon/path.h"
#include "storage/storage.h"

enum { ARENA_BYTES_MAX = 64 << 20 };

static void run_copies(leat_job *job, leat_env *env)
{
    leat_pk_copies *self = (leat_pk_copies *)job;
    for (size_t i = 0; i < self->count && self->code == LEAT_OK; i++)
        self->code = leat_storage_copy(env->storage, self->paths[i][0], self->paths[i][1], &self->error);
}

static void done_copies(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_copies *self = (leat_pk_copies *)job;
    leat_operator_context *context = self->io.context;
    atomic_store_explicit(&self->has_ended, true, memory_order_release); /* pairs with the acquire in _step */
    if (context) leat_context_wake(context);
}

void leat_pk_copies_init(leat_pk_copies *self, const leat_pk_io *io)
{
    *self = (leat_pk_copies){.job = {.run = run_copies, .done = done_copies}, .io = *io};
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
}

leat_code leat_pk_copies_add(leat_pk_copies *self, const char *bucket_path, const leat_paimon_file *from,
                             const leat_paimon_file *to, leat_error *error)
{
    LEAT_ASSERT(!self->is_started);
    LEAT_TRY(leat_grow(&self->paths, &self->capacity, self->count + 1, sizeof *self->paths, error));
    const char **pair = self->paths[self->count];
    pair[0] = leat_paimon_file_path(bucket_path, from, &self->arena);
    pair[1] = leat_paimon_file_path(bucket_path, to, &self->arena);
    if (!pair[0] || !pair[1]) return leat_fail_no_memory(error);
    self->count++;
    return LEAT_OK;
}

static leat_code start(leat_pk_copies *self, leat_error *error)
{
    if (!self->io.context) {
        run_copies(&self->job, self->io.env);
        done_copies(&self->job, self->io.env);
    } else {
        leat_code code = leat_context_spawn(self->io.context, &self->job, error);
        if (code == LEAT_LIMIT) {
            leat_context_wake(self->io.context); /* the queue of jobs is full: try again */
            return LEAT_OK;
        }
        if (code != LEAT_OK) return code;
    }
    self->is_started = true;
    return LEAT_OK;
}

leat_code leat_pk_copies_step(leat_pk_copies *self, bool *is_done, leat_error *error)
{
    *is_done = self->count == 0;
    if (*is_done) return LEAT_OK;
    if (!self->is_started) LEAT_TRY(start(self, error));
    *is_done = atomic_load_explicit(&self->has_ended, memory_order_acquire);
    if (!*is_done || self->code == LEAT_OK) return LEAT_OK;
    if (error) *error = self->error;
    return self->code;
}

void leat_pk_copies_done(leat_pk_copies *self)
{
    leat_free(self->paths);
    leat_arena_done(&self->arena);
}
