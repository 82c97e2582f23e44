#include "paimon/pk/garbage.h"

#include "common/log.h"
#include "storage/storage.h"

enum { ARENA_BYTES_MAX = 1 << 20 };

static void run_garbage(leat_job *job, leat_env *env)
{
    leat_pk_garbage *self = (leat_pk_garbage *)job;
    for (size_t i = 0; i < self->count; i++) {
        leat_error error = {0};
        if (leat_storage_remove(env->storage, self->paths[i], &error) != LEAT_OK) {
            leat_log(LEAT_LOG_WARN, "paimon", "an unused file stays: %s", error.text);
        }
    }
}

static void done_garbage(leat_job *job, leat_env *env)
{
    (void)env;
    leat_pk_garbage *self = (leat_pk_garbage *)job;
    leat_operator_context *context = self->context;
    atomic_store_explicit(&self->has_ended, true, memory_order_release); /* pairs with the acquire below */
    leat_context_wake(context);
}

leat_code leat_pk_garbage_collect(leat_pk_garbage *self, leat_operator_context *context, leat_pk_bucket *const *buckets,
                                  size_t buckets_count, leat_error *error)
{
    if (self->is_running) {
        if (!atomic_load_explicit(&self->has_ended, memory_order_acquire)) return LEAT_OK;
        self->is_running = false;
        leat_arena_done(&self->arena);
    }
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    self->count = 0;
    leat_code code = LEAT_OK;
    for (size_t i = 0; i < buckets_count && code == LEAT_OK; i++) {
        code = leat_pk_bucket_take_garbage(buckets[i], &self->arena, self->paths, LEAT_PK_GARBAGE_MAX, &self->count,
                                           error);
    }
    if (code == LEAT_OK && self->count) {
        self->job = (leat_job){.run = run_garbage, .done = done_garbage};
        self->context = context;
        atomic_store_explicit(&self->has_ended, false, memory_order_relaxed);
        code = leat_context_spawn(context, &self->job, error);
        self->is_running = code == LEAT_OK;
    }
    if (!self->is_running) leat_arena_done(&self->arena);
    return code;
}

void leat_pk_garbage_done(leat_pk_garbage *self)
{
    if (self->is_running) leat_arena_done(&self->arena);
    self->is_running = false;
}
