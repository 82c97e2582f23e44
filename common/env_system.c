#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/random.h>
#include <time.h>

#include "common/env.h"
#include "common/memory.h"

typedef struct system_env {
    leat_env env;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    leat_job *first, **last;
    int queued, queue_max;
    bool closing;
    int threads_count;
    pthread_t threads[];
} system_env;

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_now_ms(leat_env *env)
{
    (void)env;
    return clock_us(CLOCK_REALTIME) / 1000;
}

static int64_t system_mono_us(leat_env *env)
{
    (void)env;
    return clock_us(CLOCK_MONOTONIC);
}

static void system_sleep_ms(leat_env *env, int64_t ms)
{
    (void)env;
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static uint64_t system_random(leat_env *env)
{
    (void)env;
    uint64_t value = 0;
    while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value) {
    }
    return value;
}

static leat_code system_spawn(leat_env *env, leat_job *job, leat_error *error)
{
    system_env *self = (system_env *)env;
    leat_code code = LEAT_OK;
    pthread_mutex_lock(&self->lock);
    if (self->closing || self->queued >= self->queue_max) {
        code = leat_fail(error, LEAT_LIMIT, "the I/O queue is full (%d jobs)", self->queued);
    } else {
        job->next = NULL;
        *self->last = job;
        self->last = &job->next;
        self->queued++;
        pthread_cond_signal(&self->wake);
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

static void *run_jobs(void *arg)
{
    system_env *self = arg;
    pthread_mutex_lock(&self->lock);
    while (self->first || !self->closing) {
        leat_job *job = self->first;
        if (!job) {
            pthread_cond_wait(&self->wake, &self->lock);
            continue;
        }
        self->first = job->next;
        if (!self->first) self->last = &self->first;
        self->queued--;
        pthread_mutex_unlock(&self->lock);
        job->run(job, &self->env);
        job->done(job, &self->env);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static const leat_env_vtable system_vtable = {system_now_ms, system_mono_us, system_sleep_ms, system_random,
                                              system_spawn};

leat_code leat_env_system_new(int threads, int queue_max, leat_env **out, leat_error *error)
{
    system_env *self = leat_calloc(1, sizeof *self + (size_t)threads * sizeof(pthread_t));
    if (!self) return leat_fail_no_memory(error);
    self->env.vtable = &system_vtable;
    self->last = &self->first;
    self->queue_max = queue_max;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, NULL);
    for (; self->threads_count < threads; self->threads_count++) {
        int failed = pthread_create(&self->threads[self->threads_count], NULL, run_jobs, self);
        if (failed) {
            leat_env_system_free(&self->env);
            return leat_fail_errno(error, LEAT_LIMIT, failed, "start an I/O thread");
        }
    }
    *out = &self->env;
    return LEAT_OK;
}

void leat_env_system_free(leat_env *env)
{
    if (!env) return;
    system_env *self = (system_env *)env;
    pthread_mutex_lock(&self->lock);
    self->closing = true;
    pthread_cond_broadcast(&self->wake);
    pthread_mutex_unlock(&self->lock);
    for (int i = 0; i < self->threads_count; i++) {
        pthread_join(self->threads[i], NULL);
    }
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    leat_free(self);
}
