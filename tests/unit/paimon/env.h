/* An environment for tests: counted time, a repeating random, given storage; nothing sleeps. */
#pragma once

#include "common/env.h"
#include "storage/storage.h"

typedef struct test_env {
    leat_env env; /* first */
    int64_t now_ms;
    uint64_t seed;
    void (*on_sleep)(struct test_env *self); /* NULL: nothing */
} test_env;

static int64_t test_now_ms(leat_env *env)
{
    return ((test_env *)env)->now_ms++;
}

static int64_t test_mono_us(leat_env *env)
{
    return ((test_env *)env)->now_ms * 1000;
}

static void test_sleep_ms(leat_env *env, int64_t ms)
{
    test_env *self = (test_env *)env;
    self->now_ms += ms;
    if (self->on_sleep) self->on_sleep(self);
}

static uint64_t test_random(leat_env *env)
{
    test_env *self = (test_env *)env;
    self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
    return self->seed ^ self->seed >> 29;
}

static leat_code test_spawn(leat_env *env, leat_job *job, leat_error *error)
{
    (void)error;
    job->run(job, env);
    job->done(job, env);
    return LEAT_OK;
}

static const leat_env_vtable test_env_vtable = {test_now_ms, test_mono_us, test_sleep_ms, test_random, test_spawn};

static inline void test_env_init(test_env *self, leat_storage *storage)
{
    *self = (test_env){.env = {&test_env_vtable, storage, "/tmp"}, .now_ms = 1795535719000, .seed = 42};
}
