#include "taskmanager/taskmanager.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memory.h"

enum { CONTROL_VERSION = 1, CONTROL_BYTES_MAX = 64 << 20 };

leat_code leat_taskmanager_init(leat_taskmanager *self, leat_error *error)
{
    int failed = pthread_mutex_init(&self->lock, NULL);
    if (failed) return leat_fail_errno(error, LEAT_LIMIT, failed, "mutex");
    leat_leader_begin(self);
    return LEAT_OK;
}

void leat_taskmanager_done(leat_taskmanager *self)
{
    LEAT_ASSERT(self->jobs == NULL);
    pthread_mutex_destroy(&self->lock);
}

void leat_taskmanager_send(leat_taskmanager *self, Leat__Pb__Envelope *envelope)
{
    envelope->version = CONTROL_VERSION;
    envelope->leader_epoch = self->leader_epoch;
    self->transport->send_control(self->transport, envelope);
}

void leat_taskmanager_register(leat_taskmanager *self)
{
    Leat__Pb__Register message = LEAT__PB__REGISTER__INIT;
    char host[256] = "localhost";
    (void)gethostname(host, sizeof host - 1);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    message.task_manager = (char *)(uintptr_t)self->id;
    message.data_endpoint = (char *)(uintptr_t)self->data_endpoint;
    message.slots = (uint32_t)self->slots;
    message.pid = (uint32_t)getpid();
    message.host = host;
    message.version = LEAT_VERSION;
    message.cores = cores > 0 ? (uint32_t)cores : 1;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_REGISTER_;
    envelope.register_ = &message;
    self->registered_us = leat_env_mono_us(self->env);
    leat_taskmanager_send(self, &envelope);
}

/* The job's attempt with one more reference, or NULL. */
static leat_task_job *find_job(leat_taskmanager *self, const uint8_t *id, uint32_t attempt)
{
    pthread_mutex_lock(&self->lock);
    leat_task_job *job = self->jobs;
    while (job && (job->attempt != attempt || memcmp(job->id, id, LEAT_JOB_ID_BYTES) != 0))
        job = job->next;
    if (job) leat_task_job_ref(job);
    pthread_mutex_unlock(&self->lock);
    return job;
}

void leat_taskmanager_forget(leat_taskmanager *self, leat_task_job *job)
{
    pthread_mutex_lock(&self->lock);
    for (leat_task_job **at = &self->jobs; *at; at = &(*at)->next) {
        if (*at != job) continue;
        *at = job->next;
        break;
    }
    pthread_mutex_unlock(&self->lock);
    leat_task_job_unref(job);
}

int leat_taskmanager_jobs_count(leat_taskmanager *self)
{
    int count = 0;
    pthread_mutex_lock(&self->lock);
    for (leat_task_job *job = self->jobs; job; job = job->next)
        count++;
    pthread_mutex_unlock(&self->lock);
    return count;
}

/* A deployment that can't be made: each of its subtasks here is told to have failed. */
static void refuse_deploy(leat_taskmanager *self, const uint8_t *job_id, uint32_t attempt, const leat_error *error)
{
    leat_log(LEAT_LOG_ERROR, "taskmanager", "%s", error->text);
    Leat__Pb__TaskStateChanged message = LEAT__PB__TASK_STATE_CHANGED__INIT;
    message.job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, (uint8_t *)(uintptr_t)job_id};
    message.attempt = attempt;
    message.state = LEAT__PB__TASK_STATE__TASK_FAILED;
    message.has_code = message.has_error = message.has_hint = true;
    message.code = (uint32_t)error->code;
    message.error = (ProtobufCBinaryData){strlen(error->text), (uint8_t *)(uintptr_t)error->text};
    message.hint = (ProtobufCBinaryData){strlen(error->hint), (uint8_t *)(uintptr_t)error->hint};
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_TASK_STATE;
    envelope.task_state = &message;
    leat_taskmanager_send(self, &envelope);
}

static void on_deploy(leat_taskmanager *self, Leat__Pb__Envelope *envelope)
{
    uint8_t id[LEAT_JOB_ID_BYTES] = {0};
    uint32_t attempt = envelope->deploy->attempt;
    if (envelope->deploy->job.len == sizeof id) memcpy(id, envelope->deploy->job.data, sizeof id);
    leat_task_job *known = find_job(self, id, attempt);
    if (known) { /* told twice */
        leat_task_job_unref(known);
        leat__pb__envelope__free_unpacked(envelope, NULL);
        return;
    }
    leat_task_job *job;
    leat_error error = {0};
    if (leat_task_job_new(self, envelope, &job, &error) != LEAT_OK) {
        refuse_deploy(self, id, attempt, &error);
        return;
    }
    if (job->subtasks_count == 0) {
        leat_task_job_unref(job);
        return;
    }
    leat_log(LEAT_LOG_INFO, "taskmanager", "deploying %d subtasks of job %s (%s), attempt %u", job->subtasks_count,
             job->id_text, job->graph->name, attempt);
    leat_task_job_ref(job);
    pthread_mutex_lock(&self->lock);
    job->next = self->jobs;
    self->jobs = job;
    pthread_mutex_unlock(&self->lock);
    leat_task_job_restore(job);
    leat_task_job_unref(job);
}

static void post(leat_subtask *subtask, leat_mail_kind kind, int64_t number, const void *data, size_t size)
{
    leat_mail *mail = leat_mail_new(kind, number, data, size);
    if (mail)
        (void)leat_subtask_post(subtask, mail); /* closed subtasks need no mail */
    else
        leat_log(LEAT_LOG_ERROR, "taskmanager", "no memory for a message to a subtask");
}

/* Before the subtasks hear of it: what their jobs on I/O threads have not begun to write stays unwritten. */
static void fence(leat_task_job *job)
{
    atomic_store_explicit(&job->is_fenced, true, memory_order_relaxed);
}

static void post_all(leat_taskmanager *self, ProtobufCBinaryData id, uint32_t attempt, leat_mail_kind kind,
                     int64_t number)
{
    leat_task_job *job = id.len == LEAT_JOB_ID_BYTES ? find_job(self, id.data, attempt) : NULL;
    if (!job) return;
    if (kind == LEAT_MAIL_CANCEL) fence(job);
    for (int32_t i = 0; i < job->subtasks_count; i++)
        post(&job->subtasks[i], kind, number, NULL, 0);
    leat_task_job_unref(job);
}

static void on_assign(leat_taskmanager *self, const Leat__Pb__AssignSplits *message)
{
    bool is_id = message->job.len == LEAT_JOB_ID_BYTES;
    leat_task_job *job = is_id ? find_job(self, message->job.data, message->attempt) : NULL;
    leat_subtask *subtask = job ? leat_task_job_find(job, (int32_t)message->vertex, (int32_t)message->subtask) : NULL;
    for (size_t i = 0; subtask && i < message->n_splits; i++) {
        post(subtask, LEAT_MAIL_SPLIT, 0, message->splits[i].data, message->splits[i].len);
    }
    if (subtask && message->has_event) post(subtask, LEAT_MAIL_EVENT, 0, message->event.data, message->event.len);
    if (subtask && message->no_more) post(subtask, LEAT_MAIL_NO_MORE_SPLITS, 0, NULL, 0);
    leat_task_job_unref(job);
}

static void on_news(leat_taskmanager *self, const Leat__Pb__News *message)
{
    bool is_id = message->job.len == LEAT_JOB_ID_BYTES;
    leat_task_job *job = is_id ? find_job(self, message->job.data, message->attempt) : NULL;
    leat_subtask *subtask = job ? leat_task_job_find(job, (int32_t)message->vertex, (int32_t)message->subtask) : NULL;
    if (subtask) post(subtask, LEAT_MAIL_NEWS, 0, message->topic, strlen(message->topic) + 1);
    leat_task_job_unref(job);
}

static void dispatch(leat_taskmanager *self, const Leat__Pb__Envelope *envelope)
{
    switch (envelope->body_case) {
    case LEAT__PB__ENVELOPE__BODY_START:
        post_all(self, envelope->start->job, envelope->start->attempt, LEAT_MAIL_START, 0);
        break;
    case LEAT__PB__ENVELOPE__BODY_CANCEL:
        post_all(self, envelope->cancel->job, envelope->cancel->attempt, LEAT_MAIL_CANCEL, 0);
        break;
    case LEAT__PB__ENVELOPE__BODY_STOP:
        post_all(self, envelope->stop->job, envelope->stop->attempt, LEAT_MAIL_STOP, 0);
        break;
    case LEAT__PB__ENVELOPE__BODY_TRIGGER:
        post_all(self, envelope->trigger->job, envelope->trigger->attempt, LEAT_MAIL_TRIGGER,
                 (int64_t)envelope->trigger->checkpoint);
        break;
    case LEAT__PB__ENVELOPE__BODY_COMPLETE:
        post_all(self, envelope->complete->job, envelope->complete->attempt, LEAT_MAIL_COMPLETE,
                 (int64_t)envelope->complete->checkpoint);
        break;
    case LEAT__PB__ENVELOPE__BODY_ABORTED:
        post_all(self, envelope->aborted->job, envelope->aborted->attempt, LEAT_MAIL_ABORTED,
                 (int64_t)envelope->aborted->checkpoint);
        break;
    case LEAT__PB__ENVELOPE__BODY_COLLECT_ACK:
        post_all(self, envelope->collect_ack->job, envelope->collect_ack->attempt, LEAT_MAIL_COLLECT_ACK,
                 (int64_t)envelope->collect_ack->sequence);
        break;
    case LEAT__PB__ENVELOPE__BODY_NEWS: on_news(self, envelope->news); break;
    case LEAT__PB__ENVELOPE__BODY_ASSIGN: on_assign(self, envelope->assign); break;
    case LEAT__PB__ENVELOPE__BODY_REGISTERED: leat_leader_on_registered(self, envelope->registered); break;
    case LEAT__PB__ENVELOPE__BODY_REGISTER_AGAIN: leat_leader_on_register_again(self); break;
    default: leat_log(LEAT_LOG_WARN, "taskmanager", "control message of unknown kind %d", (int)envelope->body_case);
    }
}

void leat_taskmanager_on_control(leat_taskmanager *self, const uint8_t *data, size_t size)
{
    leat_leader_on_heard(self);
    Leat__Pb__Envelope *envelope = size <= CONTROL_BYTES_MAX ? leat__pb__envelope__unpack(NULL, size, data) : NULL;
    if (!envelope || envelope->version != CONTROL_VERSION) {
        leat_log(LEAT_LOG_WARN, "taskmanager", "dropped a control message of %zu bytes that does not parse", size);
        if (envelope) leat__pb__envelope__free_unpacked(envelope, NULL);
        return;
    }
    if (envelope->leader_epoch > self->leader_epoch) {
        bool had_leader = self->leader_epoch > 0;
        self->leader_epoch = envelope->leader_epoch;
        if (had_leader) { /* it deploys its jobs anew; what the one before deployed is nobody's any more */
            leat_log(LEAT_LOG_WARN, "taskmanager", "a new job manager leads: ending the tasks of the one before");
            leat_taskmanager_cancel_all(self);
        }
    }
    if (envelope->leader_epoch < self->leader_epoch) { /* a leader of old: it may not command any more */
        leat__pb__envelope__free_unpacked(envelope, NULL);
        return;
    }
    if (envelope->body_case == LEAT__PB__ENVELOPE__BODY_DEPLOY) {
        on_deploy(self, envelope); /* takes it */
        return;
    }
    dispatch(self, envelope);
    leat__pb__envelope__free_unpacked(envelope, NULL);
}

void leat_taskmanager_on_data(leat_taskmanager *self, const uint8_t *header, size_t header_size, leat_buffer *body)
{
    leat_frame frame;
    leat_error error = {0};
    leat_code code = leat_frame_read(header, header_size, &frame, &error);
    if (code == LEAT_OK) {
        leat_task_job *job = find_job(self, frame.job, frame.attempt);
        if (job)
            code = leat_task_job_on_frame(job, &frame, &body, &error);
        else
            atomic_fetch_add_explicit(&self->stale_frames, 1, memory_order_relaxed);
        leat_task_job_unref(job);
    }
    if (code != LEAT_OK) leat_log(LEAT_LOG_WARN, "taskmanager", "dropped a data frame: %s", error.text);
    leat_buffer_unref(body);
}

static bool has_subtasks_at(const leat_task_job *job, const char *endpoint)
{
    const Leat__Pb__Deploy *deploy = job->deploy;
    for (size_t i = 0; i < deploy->n_placements; i++) {
        if (strcmp(deploy->locations[deploy->placements[i]->location]->data_endpoint, endpoint) == 0) return true;
    }
    return false;
}

void leat_taskmanager_on_peer_lost(leat_taskmanager *self, const char *endpoint)
{
    leat_log(LEAT_LOG_WARN, "taskmanager", "lost the connection to the task manager at %s", endpoint);
    char text[256];
    snprintf(text, sizeof text, "lost the connection to the task manager at %s", endpoint);
    pthread_mutex_lock(&self->lock);
    for (leat_task_job *job = self->jobs; job; job = job->next) {
        bool is_part = has_subtasks_at(job, endpoint);
        for (int32_t i = 0; is_part && i < job->subtasks_count; i++) {
            post(&job->subtasks[i], LEAT_MAIL_FAIL, LEAT_UNAVAILABLE, text, strlen(text) + 1);
        }
    }
    pthread_mutex_unlock(&self->lock);
}

void leat_taskmanager_cancel_all(leat_taskmanager *self)
{
    pthread_mutex_lock(&self->lock);
    for (leat_task_job *job = self->jobs; job; job = job->next) {
        fence(job);
        for (int32_t i = 0; i < job->subtasks_count; i++)
            post(&job->subtasks[i], LEAT_MAIL_CANCEL, 0, NULL, 0);
    }
    pthread_mutex_unlock(&self->lock);
}
