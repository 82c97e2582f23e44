/* A host for one operator: jobs wait until the test runs them, emitted batches are kept. */
#pragma once

#include "common/env.h"
#include "common/memory.h"
#include "flow/operator.h"

enum { FAKE_BATCHES_MAX = 4096, FAKE_JOBS_MAX = 2048 };

typedef struct fake_host {
    leat_operator_context context; /* first */
    leat_job *jobs[FAKE_JOBS_MAX];
    int jobs_count, wakes;
    leat_batch *emitted[FAKE_BATCHES_MAX];
    int emitted_count;
    int requests; /* events without bytes: a source asks for a split */
} fake_host;

static inline leat_code fake_emit(leat_operator_context *context, leat_batch **batch, leat_error *error)
{
    fake_host *self = (fake_host *)context;
    if (self->emitted_count == FAKE_BATCHES_MAX) return leat_fail(error, LEAT_LIMIT, "too many batches for the test");
    self->emitted[self->emitted_count++] = *batch;
    *batch = NULL;
    return LEAT_OK;
}

static inline void fake_wake(leat_operator_context *context)
{
    ((fake_host *)context)->wakes++;
}

static inline void fake_set_timer(leat_operator_context *context, int64_t at_us)
{
    (void)context;
    (void)at_us;
}

static inline leat_code fake_spawn(leat_operator_context *context, leat_job *job, leat_error *error)
{
    fake_host *self = (fake_host *)context;
    if (self->jobs_count == FAKE_JOBS_MAX) return leat_fail(error, LEAT_LIMIT, "too many jobs for the test");
    self->jobs[self->jobs_count++] = job;
    return LEAT_OK;
}

static inline leat_code fake_send_event(leat_operator_context *context, const uint8_t *event, size_t size,
                                        leat_error *error)
{
    (void)size;
    (void)error;
    if (!event) ((fake_host *)context)->requests++;
    return LEAT_OK;
}

static inline void fake_set_gauge(leat_operator_context *context, const char *name, int64_t value)
{
    (void)context;
    (void)name;
    (void)value;
}

static const leat_operator_host fake_operator_host = {
    .emit = fake_emit,
    .wake = fake_wake,
    .set_timer = fake_set_timer,
    .spawn = fake_spawn,
    .send_event = fake_send_event,
    .set_gauge = fake_set_gauge,
};

static inline void fake_host_init(fake_host *self, leat_env *env, int32_t subtask, int32_t parallelism)
{
    *self = (fake_host){.context = {.host = &fake_operator_host,
                                    .env = env,
                                    .job_id = "0",
                                    .operator_name = "operator",
                                    .subtask = subtask,
                                    .parallelism = parallelism,
                                    .has_checkpoints = true,
                                    .memory_bytes = 64 << 20}};
}

/* Runs the jobs that wait, not those that they bring. */
static inline void fake_host_run_jobs(fake_host *self)
{
    int count = self->jobs_count;
    for (int i = 0; i < count; i++) {
        self->jobs[i]->run(self->jobs[i], self->context.env);
        self->jobs[i]->done(self->jobs[i], self->context.env);
    }
    self->jobs_count -= count;
    for (int i = 0; i < self->jobs_count; i++)
        self->jobs[i] = self->jobs[i + count];
}

static inline void fake_host_done(fake_host *self)
{
    while (self->jobs_count)
        fake_host_run_jobs(self);
    for (int i = 0; i < self->emitted_count; i++)
        leat_batch_free(self->emitted[i]);
    self->emitted_count = 0;
}
