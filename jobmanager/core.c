#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"

enum { CONTROL_VERSION = 1, CONTROL_BYTES_MAX = 64 << 20 };

const char *leat_job_state_name(leat_job_state state)
{
    static const char *const names[] = {"CREATED",    "INITIALIZING", "RUNNING", "RESTARTING", "FAILING",
                                        "CANCELLING", "FINISHED",     "FAILED",  "CANCELED"};
    return names[state];
}

int64_t leat_jm_now_ms(leat_jobmanager *self)
{
    return leat_env_now_ms(self->env);
}

int64_t leat_jm_mono_ms(leat_jobmanager *self)
{
    return leat_env_mono_us(self->env) / 1000;
}

leat_code leat_jobmanager_init(leat_jobmanager *self, leat_error *error)
{
    int failed = pthread_mutex_init(&self->inbox_lock, NULL);
    if (failed) return leat_fail_errno(error, LEAT_LIMIT, failed, "mutex");
    self->inbox_last = &self->inbox;
    self->started_ms = leat_jm_now_ms(self);
    self->leader_epoch = self->store ? self->store->epoch : 1;
    leat_env_uuid(self->env, self->cluster_id);
    return LEAT_OK;
}

static void free_taskmanager(leat_jm_taskmanager *taskmanager)
{
    leat_free(taskmanager->id);
    leat_free(taskmanager->data_endpoint);
    leat_free(taskmanager->host);
    leat_free(taskmanager->version);
    leat_metrics_done(&taskmanager->metrics);
}

void leat_jobmanager_done(leat_jobmanager *self)
{
    leat_jobmanager_handle_inbox(self);
    for (leat_jm_job *job = self->jobs; job;) {
        leat_jm_job *next = job->next;
        leat_jm_job_free(job);
        job = next;
    }
    for (size_t i = 0; i < self->taskmanagers_count; i++)
        free_taskmanager(&self->taskmanagers[i]);
    leat_free(self->taskmanagers);
    leat_metrics_done(&self->metrics);
    pthread_mutex_destroy(&self->inbox_lock);
}

void leat_jobmanager_post(leat_jobmanager *self, leat_jm_message *message)
{
    message->next = NULL;
    pthread_mutex_lock(&self->inbox_lock);
    *self->inbox_last = message;
    self->inbox_last = &message->next;
    pthread_mutex_unlock(&self->inbox_lock);
    self->transport->wake(self->transport);
}

void leat_jobmanager_handle_inbox(leat_jobmanager *self)
{
    pthread_mutex_lock(&self->inbox_lock);
    leat_jm_message *message = self->inbox;
    self->inbox = NULL;
    self->inbox_last = &self->inbox;
    pthread_mutex_unlock(&self->inbox_lock);
    while (message) {
        leat_jm_message *next = message->next;
        message->handle(self, message);
        message = next;
    }
}

void leat_jm_send_to(leat_jobmanager *self, const char *task_manager, Leat__Pb__Envelope *envelope)
{
    envelope->version = CONTROL_VERSION;
    envelope->leader_epoch = self->leader_epoch;
    self->transport->send(self->transport, task_manager, envelope);
}

void leat_jm_send(leat_jobmanager *self, int32_t taskmanager, Leat__Pb__Envelope *envelope)
{
    const leat_jm_taskmanager *to = &self->taskmanagers[taskmanager];
    if (to->is_alive) leat_jm_send_to(self, to->id, envelope);
}

void leat_jm_send_region(leat_jm_job *job, int32_t region, Leat__Pb__Envelope *envelope)
{
    leat_jobmanager *self = job->jobmanager;
    for (size_t i = 0; i < self->taskmanagers_count; i++) {
        bool is_part = false;
        for (int32_t t = 0; t < job->tasks_count && !is_part; t++)
            is_part = job->tasks[t].region == region && job->tasks[t].taskmanager == (int32_t)i;
        if (is_part) leat_jm_send(self, (int32_t)i, envelope);
    }
}

void leat_jm_send_job(leat_jm_job *job, Leat__Pb__Envelope *envelope, uint32_t *attempt, leat_jm_whom whom)
{
    for (int32_t r = 0; r < job->regions_count; r++) {
        if (whom != LEAT_JM_ALL && job->regions[r].is_down != (whom == LEAT_JM_DOWN)) continue;
        *attempt = job->regions[r].attempt;
        leat_jm_send_region(job, r, envelope);
    }
}

ProtobufCBinaryData leat_jm_job_id(leat_jm_job *job)
{
    return (ProtobufCBinaryData){LEAT_JM_JOB_ID_BYTES, job->id};
}

void leat_jm_changed(leat_jm_job *job)
{
    if (job->on_change) job->on_change(job, job->on_change_arg);
}

void leat_jm_set_state(leat_jm_job *job, leat_job_state state)
{
    if (job->state == state) return;
    int64_t now_ms = leat_jm_now_ms(job->jobmanager);
    leat_log(LEAT_LOG_INFO, "jobmanager", "job %s (%s): %s -> %s", job->id_text, job->graph->name,
             leat_job_state_name(job->state), leat_job_state_name(state));
    job->state = state;
    job->state_since_ms[state] = now_ms;
    if (leat_job_state_is_terminal(state)) {
        job->ended_ms = now_ms;
        leat_jm_clean_up(job);
    }
    leat_jm_changed(job);
}

leat_jm_job *leat_jobmanager_find(leat_jobmanager *self, const uint8_t *job_id)
{
    leat_jm_job *job = self->jobs;
    while (job && memcmp(job->id, job_id, LEAT_JM_JOB_ID_BYTES) != 0)
        job = job->next;
    return job;
}

leat_jm_job *leat_jobmanager_find_text(leat_jobmanager *self, const char *job_id)
{
    leat_jm_job *job = self->jobs;
    while (job && strcmp(job->id_text, job_id) != 0)
        job = job->next;
    return job;
}

/* --- collected rows --- */

enum { COLLECTED_ROWS_MAX = 64 * 1024 };

static void on_collect_rows(leat_jobmanager *self, const Leat__Pb__CollectRows *message)
{
    leat_jm_job *job = message->job.len == LEAT_JM_JOB_ID_BYTES ? leat_jobmanager_find(self, message->job.data) : NULL;
    if (!job || leat_jm_region_of_attempt(job, message->attempt) < 0) return;
    if (message->attempt != job->collected_attempt) { /* a restarted sink counts from 0 again */
        job->collected_attempt = message->attempt;
        job->collected_base = job->collected_next;
    }
    uint64_t sequence = job->collected_base + message->sequence;
    if (sequence != job->collected_next) return; /* told twice */
    if (message->rows) {
        leat_jm_collected *batch = leat_calloc(1, sizeof *batch);
        if (!batch) return; /* not acknowledged: it would come again after a restart only, so fail below */
        batch->sequence = sequence;
        batch->rows = message->rows;
        leat_bytes_put(&batch->batch, message->batch.data, message->batch.len);
        *job->collected_last = batch;
        job->collected_last = &batch->next;
        job->collected_next += message->rows;
        job->collected_rows += message->rows;
    }
    if (message->is_end) job->has_collect_ended = true;
    leat_jm_changed(job);
}

void leat_jobmanager_collect_ack(leat_jobmanager *self, leat_jm_job *job, uint64_t sequence)
{
    (void)self;
    while (job->collected && job->collected->sequence + job->collected->rows <= sequence) {
        leat_jm_collected *read = job->collected;
        job->collected = read->next;
        if (!job->collected) job->collected_last = &job->collected;
        job->collected_rows -= read->rows;
        leat_bytes_done(&read->batch);
        leat_free(read);
    }
    Leat__Pb__CollectAck message = LEAT__PB__COLLECT_ACK__INIT;
    message.job = leat_jm_job_id(job);
    message.sequence = sequence > job->collected_base ? sequence - job->collected_base : 0;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_COLLECT_ACK;
    envelope.collect_ack = &message;
    leat_jm_send_job(job, &envelope, &message.attempt, LEAT_JM_ALL);
}

/* --- messages and timers --- */

static void dispatch(leat_jobmanager *self, const char *from, const Leat__Pb__Envelope *envelope)
{
    switch (envelope->body_case) {
    case LEAT__PB__ENVELOPE__BODY_REGISTER_: leat_jm_on_register(self, from, envelope->register_); break;
    case LEAT__PB__ENVELOPE__BODY_HEARTBEAT: leat_jm_on_heartbeat(self, from, envelope->heartbeat); break;
    case LEAT__PB__ENVELOPE__BODY_TASK_STATE: leat_jm_on_task_state(self, envelope->task_state); break;
    case LEAT__PB__ENVELOPE__BODY_ACK: leat_jm_on_ack(self, envelope->ack); break;
    case LEAT__PB__ENVELOPE__BODY_DECLINE: leat_jm_on_decline(self, envelope->decline); break;
    case LEAT__PB__ENVELOPE__BODY_SOURCE_BARRIER: leat_jm_on_source_barrier(self, envelope->source_barrier); break;
    case LEAT__PB__ENVELOPE__BODY_SOURCE_EVENT: leat_jm_on_source_event(self, envelope->source_event); break;
    case LEAT__PB__ENVELOPE__BODY_COLLECT_ROWS: on_collect_rows(self, envelope->collect_rows); break;
    default:
        leat_log(LEAT_LOG_WARN, "jobmanager", "message of unknown kind %d from %s", (int)envelope->body_case, from);
    }
}

void leat_jobmanager_on_control(leat_jobmanager *self, const char *from, const uint8_t *data, size_t size)
{
    Leat__Pb__Envelope *envelope = size <= CONTROL_BYTES_MAX ? leat__pb__envelope__unpack(NULL, size, data) : NULL;
    if (!envelope || envelope->version != CONTROL_VERSION) {
        leat_log(LEAT_LOG_WARN, "jobmanager", "dropped a message of %zu bytes from %s that does not parse", size, from);
    } else {
        int32_t sender = leat_jm_find_taskmanager(self, from);
        if (sender >= 0) leat_jm_heard(self, &self->taskmanagers[sender]);
        bool is_known = sender >= 0 && self->taskmanagers[sender].is_alive;
        /* One that was given up must register again before anything it says counts. */
        if (is_known || envelope->body_case == LEAT__PB__ENVELOPE__BODY_REGISTER_ ||
            envelope->body_case == LEAT__PB__ENVELOPE__BODY_HEARTBEAT) {
            dispatch(self, from, envelope);
        }
    }
    if (envelope) leat__pb__envelope__free_unpacked(envelope, NULL);
}

void leat_jobmanager_on_disconnect(leat_jobmanager *self, const char *task_manager)
{
    int32_t lost = leat_jm_find_taskmanager(self, task_manager);
    if (lost >= 0) leat_jm_taskmanager_lost(self, lost, "its connection closed");
}

enum { TICK_MS_MAX = 1000 };

int64_t leat_jobmanager_on_tick(leat_jobmanager *self)
{
    int64_t now_ms = leat_jm_mono_ms(self), next_ms = now_ms + TICK_MS_MAX;
    int64_t timeout_ms = leat_config_duration_ms(self->config, LEAT_OPTION_HEARTBEAT_TIMEOUT);
    /* Who was still itself has heard nobody: what they said meanwhile is yet to be read. */
    bool was_still = self->ticked_ms && now_ms - self->ticked_ms > 2 * TICK_MS_MAX;
    self->ticked_ms = now_ms;
    for (size_t i = 0; i < self->taskmanagers_count; i++) {
        leat_jm_taskmanager *taskmanager = &self->taskmanagers[i];
        if (was_still) taskmanager->heard_mono_ms = now_ms;
        if (taskmanager->is_alive && now_ms - taskmanager->heard_mono_ms > timeout_ms) {
            leat_jm_taskmanager_lost(self, (int32_t)i, "its heartbeats stopped");
        }
    }
    for (leat_jm_job *job = self->jobs; job; job = job->next) {
        if (!leat_job_state_is_terminal(job->state)) leat_jm_tick_job(job, now_ms, &next_ms);
    }
    leat_jm_try_schedule(self);
    return next_ms;
}
