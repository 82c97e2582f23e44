#include "tests/integration/host.h"

#include <time.h>

#include "common/memory.h"

static leat_code host_emit(leat_operator_context *context, leat_batch **batch, leat_error *error)
{
    (void)error;
    test_host *self = (test_host *)context;
    if (self->on_batch) self->on_batch(self, *batch);
    leat_batch_free(*batch);
    *batch = NULL;
    return LEAT_OK;
}

static leat_code host_emit_watermark(leat_operator_context *context, int64_t watermark_ms, leat_error *error)
{
    (void)context;
    (void)watermark_ms;
    (void)error;
    return LEAT_OK;
}

static void host_wake(leat_operator_context *context)
{
    test_host *self = (test_host *)context;
    pthread_mutex_lock(&self->lock);
    self->is_woken = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void host_set_timer(leat_operator_context *context, int64_t at_us)
{
    ((test_host *)context)->timer_us = at_us;
}

typedef struct counted {
    leat_job job;
    leat_job *inner;
    test_host *host;
} counted;

static void run_counted(leat_job *job, leat_env *env)
{
    counted *self = (counted *)job;
    self->inner->run(self->inner, env);
}

static void done_counted(leat_job *job, leat_env *env)
{
    counted *self = (counted *)job;
    test_host *host = self->host;
    self->inner->done(self->inner, env);
    leat_free(self);
    pthread_mutex_lock(&host->lock);
    host->jobs--;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

static leat_code host_spawn(leat_operator_context *context, leat_job *job, leat_error *error)
{
    test_host *self = (test_host *)context;
    counted *wrapped = leat_alloc(sizeof *wrapped);
    if (!wrapped) return leat_fail_no_memory(error);
    *wrapped = (counted){.job = {.run = run_counted, .done = done_counted}, .inner = job, .host = self};
    pthread_mutex_lock(&self->lock);
    self->jobs++;
    pthread_mutex_unlock(&self->lock);
    return leat_env_spawn(context->env, &wrapped->job, error);
}

static leat_code host_send_event(leat_operator_context *context, const uint8_t *event, size_t size, leat_error *error)
{
    test_host *self = (test_host *)context;
    return self->on_event ? self->on_event(self, event, size, error) : LEAT_OK;
}

static leat_code host_collect(leat_operator_context *context, leat_batch *batch, bool is_end, leat_error *error)
{
    (void)context;
    (void)batch;
    (void)is_end;
    (void)error;
    return LEAT_OK;
}

static void host_set_gauge(leat_operator_context *context, const char *name, int64_t value)
{
    (void)context;
    (void)name;
    (void)value;
}

static void host_follow(leat_operator_context *context, const char *topic)
{
    (void)context;
    (void)topic;
}

static const leat_operator_host host_vtable = {.emit = host_emit,
                                               .emit_watermark = host_emit_watermark,
                                               .wake = host_wake,
                                               .set_timer = host_set_timer,
                                               .spawn = host_spawn,
                                               .send_event = host_send_event,
                                               .collect = host_collect,
                                               .set_gauge = host_set_gauge,
                                               .follow = host_follow};

void test_host_init(test_host *self, leat_env *env)
{
    static const leat_config no_config;
    *self = (test_host){.timer_us = INT64_MAX};
    self->context = (leat_operator_context){.host = &host_vtable,
                                            .env = env,
                                            .config = &no_config,
                                            .job_id = "00000000000000000000000000000000",
                                            .job_name = "test",
                                            .operator_uid = "uid",
                                            .operator_name = "operator",
                                            .parallelism = 1,
                                            .max_parallelism = 128,
                                            .has_checkpoints = true,
                                            .memory_bytes = 64 << 20};
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
}

leat_code test_host_open(test_host *self, const leat_operator_factory *factory, const leat_bytes *config,
                         const leat_bytes *state, leat_error *error)
{
    LEAT_TRY(factory->create(&self->context, config->data, config->size, &self->op, error));
    self->op->context = &self->context;
    leat_restored_part part = {.subtask = self->context.subtask, .parallelism = self->context.parallelism};
    leat_restored restored = {.checkpoint_id = 1, .parts = &part, .parts_count = 1};
    if (state) part.state = state->data, part.state_size = state->size;
    self->status = LEAT_SOURCE_MORE;
    return self->op->vtable->open(self->op, state ? &restored : NULL, error);
}

static bool take_wake(test_host *self, int wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)wait_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&self->lock);
    if (!self->is_woken && wait_ms > 0) pthread_cond_timedwait(&self->changed, &self->lock, &until);
    bool was_woken = self->is_woken;
    self->is_woken = false;
    pthread_mutex_unlock(&self->lock);
    return was_woken;
}

leat_code test_host_turn(test_host *self, int wait_ms, leat_error *error)
{
    const leat_operator_vtable *vtable = self->op->vtable;
    leat_progress progress = LEAT_DONE;
    bool is_busy = vtable->produce && self->status == LEAT_SOURCE_MORE;
    bool did_wake = take_wake(self, is_busy ? 0 : wait_ms);
    if (did_wake && vtable->on_wake) LEAT_TRY(vtable->on_wake(self->op, &progress, error));
    int64_t now_us = leat_env_mono_us(self->context.env);
    if (self->timer_us <= now_us) {
        self->timer_us = INT64_MAX;
        did_wake = true;
        if (vtable->on_timer) LEAT_TRY(vtable->on_timer(self->op, now_us, &progress, error));
    }
    if (did_wake && self->status == LEAT_SOURCE_IDLE) self->status = LEAT_SOURCE_MORE;
    if (vtable->produce && self->status == LEAT_SOURCE_MORE) return vtable->produce(self->op, &self->status, error);
    return LEAT_OK;
}

leat_code test_host_snapshot(test_host *self, int64_t id, leat_bytes *state, leat_error *error)
{
    const leat_operator_vtable *vtable = self->op->vtable;
    leat_operator_snapshot snapshot = {.checkpoint_id = id};
    leat_progress progress = LEAT_DONE;
    leat_code code = vtable->snapshot(self->op, &snapshot, &progress, error);
    while (code == LEAT_OK && progress == LEAT_AGAIN) {
        if (take_wake(self, 10) && vtable->on_wake) {
            leat_progress woken = LEAT_DONE;
            code = vtable->on_wake(self->op, &woken, error);
        }
        if (code == LEAT_OK) code = vtable->snapshot_resume(self->op, &snapshot, &progress, error);
    }
    leat_bytes_done(state);
    *state = snapshot.state;
    return code;
}

void test_host_close(test_host *self)
{
    pthread_mutex_lock(&self->lock);
    while (self->jobs > 0)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
    if (self->op) self->op->vtable->close(self->op);
    self->op = NULL;
    self->is_woken = false;
    self->timer_us = INT64_MAX;
}
