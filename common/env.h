/* The seam between logic and the world (DESIGN 2.1): linear code gets time, sleep, randomness, storage and background
 * work from here and nowhere else, so that tests/sim can run the same objects in one thread from a seed.
 *
 * In production the functions are those of common/env_system.c and jobs run on a pool of I/O threads; in simulation
 * jobs are fibers and each call is a switch point. All functions may be called from any thread. */
#pragma once

#include <stdint.h>

#include "common/error.h"

typedef struct leat_env leat_env;
typedef struct leat_job leat_job;
struct leat_storage; /* storage/storage.h */

/* A piece of blocking-style work. Embedded in the caller's struct, which must live until `done` was called. */
struct leat_job {
    void (*run)(leat_job *job, leat_env *env);  /* on an I/O thread or fiber; may block */
    void (*done)(leat_job *job, leat_env *env); /* right after run, same thread; usually posts a message to the owner */
    leat_job *next;                             /* the pool's */
};

typedef struct leat_env_vtable {
    int64_t (*now_ms)(leat_env *env);  /* wall clock, since the epoch; may jump */
    int64_t (*mono_us)(leat_env *env); /* never runs back */
    void (*sleep_ms)(leat_env *env, int64_t ms);
    uint64_t (*random)(leat_env *env);
    /* Queues the job; never blocks. LEAT_LIMIT when the queue's bound is reached. */
    leat_code (*spawn)(leat_env *env, leat_job *job, leat_error *error);
} leat_env_vtable;

struct leat_env {
    const leat_env_vtable *vtable;
    struct leat_storage *storage;
    const char *tmp_folder; /* where scratch bytes may go (leat_storage_scratch); NULL: nowhere */
};

static inline int64_t leat_env_now_ms(leat_env *env)
{
    return env->vtable->now_ms(env);
}
static inline int64_t leat_env_mono_us(leat_env *env)
{
    return env->vtable->mono_us(env);
}
static inline void leat_env_sleep_ms(leat_env *env, int64_t ms)
{
    env->vtable->sleep_ms(env, ms);
}
static inline uint64_t leat_env_random(leat_env *env)
{
    return env->vtable->random(env);
}
LEAT_CHECKED static inline leat_code leat_env_spawn(leat_env *env, leat_job *job, leat_error *error)
{
    return env->vtable->spawn(env, job, error);
}

/* A random (version 4) UUID in text form, 36 characters and a NUL, as Paimon names its files. */
void leat_env_uuid(leat_env *env, char out[37]);

/* The production environment: `threads` I/O threads, queue bounded by `queue_max`. *out is freed by
 * leat_env_system_free, which waits for the jobs that run and drops none. */
LEAT_CHECKED leat_code leat_env_system_new(int threads, int queue_max, leat_env **out, leat_error *error);
void leat_env_system_free(leat_env *env);
