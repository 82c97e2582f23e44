#include "taskmanager/subtask.h"

#include <inttypes.h>
#include <string.h>

#include "columnar/hash.h"
#include "common/log.h"
#include "common/memory.h"
#include "taskmanager/job.h"
#include "taskmanager/taskmanager.h"

/* A run handles up to this many elements before others get the worker. */
enum { STEPS_PER_RUN = 16 };
enum { LEASE_LOOK_US = 10000 };
/* What the chain's operators may follow; who is left out looks from time to time anyway. */
enum { TOPICS_MAX = 16 };

int64_t leat_subtask_now_us(leat_subtask *subtask)
{
    return leat_env_mono_us(subtask->job->taskmanager->env);
}

leat_mail *leat_mail_new(leat_mail_kind kind, int64_t number, const void *data, size_t size)
{
    leat_mail *mail = leat_alloc(sizeof *mail + size);
    if (!mail) return NULL;
    *mail = (leat_mail){.kind = kind, .number = number, .size = size};
    if (size) memcpy(mail->data, data, size);
    return mail;
}

static void schedule(leat_subtask *subtask)
{
    leat_executor *executor = subtask->job->taskmanager->executor;
    executor->schedule(executor, &subtask->runnable);
}

bool leat_subtask_post(leat_subtask *subtask, leat_mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&subtask->lock);
    bool is_open = !subtask->is_closed;
    if (is_open) {
        *subtask->mail_last = mail;
        subtask->mail_last = &mail->next;
    }
    pthread_mutex_unlock(&subtask->lock);
    if (is_open)
        schedule(subtask);
    else
        leat_free(mail);
    return is_open;
}

void leat_subtask_deliver(leat_subtask *subtask, int32_t channel_index, leat_element *element)
{
    leat_input_channel *channel = &subtask->inputs[channel_index];
    leat_error error = {0};
    element->next = NULL;
    pthread_mutex_lock(&subtask->lock);
    bool is_taken = !subtask->is_closed;
    leat_code code = LEAT_OK;
    if (is_taken) {
        code = leat_channel_in_receive(&channel->machine, element->sequence, element->kind, &error);
        if (code == LEAT_OK) {
            *channel->last = element;
            channel->last = &element->next;
        }
    }
    pthread_mutex_unlock(&subtask->lock);
    if (is_taken && code == LEAT_OK) {
        schedule(subtask);
        return;
    }
    leat_element_free(element);
    if (code != LEAT_OK) {
        leat_mail *mail = leat_mail_new(LEAT_MAIL_FAIL, code, error.text, strlen(error.text) + 1);
        if (mail) (void)leat_subtask_post(subtask, mail);
    }
}

void leat_subtask_grant(leat_subtask *subtask, int32_t output, int32_t channel_index, int64_t bytes)
{
    leat_output_channel *channel = &subtask->outputs[output].channels[channel_index];
    leat_error error = {0};
    pthread_mutex_lock(&subtask->lock);
    /* The limit bounds what can be outstanding in all; the machine's exact check needs its owner, see have_room. */
    bool is_sane = bytes >= 0 && bytes <= INT64_MAX / 4 && channel->granted_bytes <= INT64_MAX / 4;
    if (is_sane) channel->granted_bytes += bytes;
    pthread_mutex_unlock(&subtask->lock);
    if (is_sane) {
        schedule(subtask);
        return;
    }
    leat_code code = leat_fail(&error, LEAT_CORRUPT, "grant of %" PRId64 " bytes", bytes);
    leat_mail *mail = leat_mail_new(LEAT_MAIL_FAIL, code, error.text, strlen(error.text) + 1);
    if (mail) (void)leat_subtask_post(subtask, mail);
}

static void report(leat_subtask *subtask, Leat__Pb__TaskState state, bool is_at_end, const leat_error *error)
{
    leat_task_job *job = subtask->job;
    Leat__Pb__TaskStateChanged message = LEAT__PB__TASK_STATE_CHANGED__INIT;
    message.job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, job->id};
    message.attempt = job->attempt;
    message.vertex = (uint32_t)subtask->vertex;
    message.subtask = (uint32_t)subtask->index;
    message.state = state;
    message.has_is_at_end = is_at_end;
    message.is_at_end = is_at_end;
    char *topics[TOPICS_MAX];
    message.topics = topics;
    for (int32_t i = 0; state == LEAT__PB__TASK_STATE__TASK_RUNNING && i < subtask->chain_count; i++) {
        const char *topic = subtask->chain[i].topic;
        if (topic && message.n_topics < TOPICS_MAX) topics[message.n_topics++] = (char *)(uintptr_t)topic;
    }
    if (error) {
        message.has_code = message.has_error = message.has_hint = true;
        message.code = (uint32_t)error->code;
        message.error = (ProtobufCBinaryData){strlen(error->text), (uint8_t *)(uintptr_t)error->text};
        message.hint = (ProtobufCBinaryData){strlen(error->hint), (uint8_t *)(uintptr_t)error->hint};
    }
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_TASK_STATE;
    envelope.task_state = &message;
    leat_taskmanager_send(job->taskmanager, &envelope);
}

static void begin_close(leat_subtask *subtask, Leat__Pb__TaskState final_state)
{
    if (subtask->state >= LEAT_SUBTASK_CLOSING) return;
    subtask->state = LEAT_SUBTASK_CLOSING;
    subtask->final_state = final_state;
}

static leat_code finish(leat_subtask *subtask, leat_error *error)
{
    LEAT_TRY(leat_outputs_broadcast(subtask, LEAT_ELEMENT_END, 0, error));
    begin_close(subtask, LEAT__PB__TASK_STATE__TASK_FINISHED);
    return LEAT_OK;
}

/* --- mail --- */

static leat_mail *take_mail(leat_subtask *subtask)
{
    pthread_mutex_lock(&subtask->lock);
    leat_mail *mail = subtask->mail_first;
    if (mail) {
        subtask->mail_first = mail->next;
        if (!subtask->mail_first) subtask->mail_last = &subtask->mail_first;
    }
    pthread_mutex_unlock(&subtask->lock);
    return mail;
}

static leat_code on_complete(leat_subtask *subtask, int64_t checkpoint_id, leat_error *error)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        leat_operator *operator= subtask->chain[i].operator;
        if (operator->vtable->checkpoint_complete) {
            LEAT_TRY(operator->vtable->checkpoint_complete(operator, checkpoint_id, error));
        }
    }
    bool is_last = subtask->final_checkpoint_id && checkpoint_id >= subtask->final_checkpoint_id;
    return is_last ? finish(subtask, error) : LEAT_OK;
}

static leat_code on_aborted(leat_subtask *subtask, int64_t checkpoint_id, leat_error *error)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        leat_operator *operator= subtask->chain[i].operator;
        if (operator->vtable->checkpoint_aborted) {
            LEAT_TRY(operator->vtable->checkpoint_aborted(operator, checkpoint_id, error));
        }
    }
    leat_subtask_snapshots_abort(subtask, checkpoint_id);
    /* The final checkpoint may be the one that was aborted: then a later one is. */
    if (subtask->final_checkpoint_id == checkpoint_id) subtask->final_checkpoint_id = 0;
    return LEAT_OK;
}

static leat_code handle_mail(leat_subtask *subtask, const leat_mail *mail, leat_error *error)
{
    bool is_open = subtask->state == LEAT_SUBTASK_RUNNING || subtask->state == LEAT_SUBTASK_ENDED;
    switch (mail->kind) {
    case LEAT_MAIL_START:
        if (subtask->state == LEAT_SUBTASK_READY) subtask->state = LEAT_SUBTASK_RUNNING;
        return LEAT_OK;
    case LEAT_MAIL_CANCEL: begin_close(subtask, LEAT__PB__TASK_STATE__TASK_CANCELED); return LEAT_OK;
    case LEAT_MAIL_STOP: subtask->is_stopped = true; return LEAT_OK;
    case LEAT_MAIL_FAIL: return leat_fail(error, (leat_code)mail->number, "%s", (const char *)mail->data);
    case LEAT_MAIL_TRIGGER:
        return is_open && subtask->is_source ? leat_subtask_cut(subtask, mail->number, 0, error) : LEAT_OK;
    case LEAT_MAIL_COMPLETE: return is_open ? on_complete(subtask, mail->number, error) : LEAT_OK;
    case LEAT_MAIL_ABORTED: return is_open ? on_aborted(subtask, mail->number, error) : LEAT_OK;
    case LEAT_MAIL_COLLECT_ACK:
        if ((uint64_t)mail->number > subtask->collect_acked) subtask->collect_acked = (uint64_t)mail->number;
        for (int32_t i = 0; i < subtask->chain_count; i++)
            leat_context_wake(&subtask->chain[i].context);
        return LEAT_OK;
    case LEAT_MAIL_NEWS: /* taken up when nothing is pending, see leat_chain_fire */
        for (int32_t i = 0; i < subtask->chain_count; i++) {
            leat_chain_link *link = &subtask->chain[i];
            if (link->topic && strcmp(link->topic, (const char *)mail->data) == 0) link->has_news = true;
        }
        return LEAT_OK;
    case LEAT_MAIL_SPLIT:
    case LEAT_MAIL_NO_MORE_SPLITS:
    case LEAT_MAIL_EVENT: break;
    }
    if (subtask->state < LEAT_SUBTASK_READY || subtask->state > LEAT_SUBTASK_RUNNING) return LEAT_OK;
    if (subtask->source_status == LEAT_SOURCE_IDLE) subtask->source_status = LEAT_SOURCE_MORE;
    leat_operator *head = subtask->chain[0].operator;
    const leat_operator_vtable *vtable = head->vtable;
    if (mail->kind == LEAT_MAIL_SPLIT && vtable->add_split)
        return vtable->add_split(head, mail->data, mail->size, error);
    if (mail->kind == LEAT_MAIL_NO_MORE_SPLITS && vtable->no_more_splits) return vtable->no_more_splits(head, error);
    if (mail->kind == LEAT_MAIL_EVENT && vtable->on_event) return vtable->on_event(head, mail->data, mail->size, error);
    return LEAT_OK;
}

static leat_code handle_all_mail(leat_subtask *subtask, leat_error *error)
{
    for (leat_mail *mail; (mail = take_mail(subtask));) {
        leat_code code = handle_mail(subtask, mail, error);
        leat_free(mail);
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

/* --- steps --- */

/* All input has been handled: emit what operators hold, tell the next tasks, and wait for (or take) the final cut. */
static leat_code end_of_data(leat_subtask *subtask, leat_error *error)
{
    LEAT_TRY(leat_chain_end_input(subtask, error));
    LEAT_TRY(leat_outputs_broadcast(subtask, LEAT_ELEMENT_END_OF_DATA, 0, error));
    subtask->state = LEAT_SUBTASK_ENDED;
    if (subtask->job->has_checkpoints) {
        report(subtask, LEAT__PB__TASK_STATE__TASK_RUNNING, true, NULL);
        return LEAT_OK;
    }
    return leat_subtask_cut(subtask, INT64_MAX, 0, error);
}

static bool has_ended(const leat_subtask *subtask)
{
    if (subtask->is_source) return subtask->source_status == LEAT_SOURCE_END || subtask->is_stopped;
    return subtask->inputs_count == subtask->ended_data_count;
}

/* One bounded piece of work on the stream. */
static leat_code stream_step(leat_subtask *subtask, bool *did_work, leat_error *error)
{
    *did_work = true;
    bool had_pending;
    LEAT_TRY(leat_chain_resume(subtask, &had_pending, error));
    if (had_pending) return LEAT_OK;
    if (subtask->state == LEAT_SUBTASK_RUNNING && has_ended(subtask) && !leat_chain_is_waiting(subtask)) {
        return end_of_data(subtask, error);
    }
    if (subtask->is_source) {
        bool may_produce = subtask->state == LEAT_SUBTASK_RUNNING && subtask->source_status == LEAT_SOURCE_MORE;
        if (!may_produce || !leat_chain_has_room(subtask)) {
            *did_work = false;
            return LEAT_OK;
        }
        leat_operator *head = subtask->chain[0].operator;
        leat_code code = head->vtable->produce(head, &subtask->source_status, error);
        return code == LEAT_OK ? code : leat_fail_in(error, code, "%s", subtask->chain[0].context.operator_name);
    }
    return leat_inputs_step(subtask, did_work, error);
}

static int64_t min64(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

static leat_code run_stream(leat_subtask *subtask, bool *has_more, int64_t *deadline_us, leat_error *error)
{
    *has_more = false;
    int64_t now_us = leat_subtask_now_us(subtask);
    int64_t timer_us, flush_us;
    bool did_work;
    LEAT_TRY(leat_chain_fire(subtask, now_us, &timer_us, &did_work, error));
    if (did_work && subtask->is_source && subtask->source_status == LEAT_SOURCE_IDLE) {
        subtask->source_status = LEAT_SOURCE_MORE;
    }
    *has_more = did_work;
    subtask->was_backpressured = false;
    for (int i = 0; i < STEPS_PER_RUN; i++) {
        if (subtask->state != LEAT_SUBTASK_RUNNING && subtask->state != LEAT_SUBTASK_ENDED) break;
        if (!leat_outputs_have_room(subtask)) {
            subtask->was_backpressured = true;
            break;
        }
        LEAT_TRY(stream_step(subtask, &did_work, error));
        if (!did_work) break;
        *has_more = i + 1 == STEPS_PER_RUN || *has_more;
        /* A step of the snapshot beside each of the stream: neither holds up the other for long. */
        bool did_acknowledge;
        if (i + 1 < STEPS_PER_RUN) LEAT_TRY(leat_subtask_snapshots_step(subtask, &did_acknowledge, error));
    }
    LEAT_TRY(leat_subtask_snapshots_step(subtask, &did_work, error));
    *has_more = *has_more || did_work;
    LEAT_TRY(leat_outputs_flush(subtask, now_us, &flush_us, error));
    /* Without checkpoints the end comes once the last acknowledgement is on its way. */
    bool is_out =
        subtask->state == LEAT_SUBTASK_ENDED && !subtask->job->has_checkpoints && subtask->snapshots_count == 0;
    if (is_out && atomic_load_explicit(&subtask->jobs_running, memory_order_acquire) == 0) {
        LEAT_TRY(finish(subtask, error));
        *has_more = true;
    }
    /* Timers set during the steps above count too. */
    for (int32_t i = 0; i < subtask->chain_count; i++)
        timer_us = min64(timer_us, subtask->chain[i].timer_us);
    *deadline_us = min64(timer_us, flush_us);
    return LEAT_OK;
}

static leat_code open_all(leat_subtask *subtask, leat_error *error)
{
    report(subtask, LEAT__PB__TASK_STATE__TASK_INITIALIZING, false, NULL);
    LEAT_TRY(leat_chain_create(subtask, error));
    LEAT_TRY(leat_chain_open(subtask, error));
    subtask->state = LEAT_SUBTASK_READY;
    report(subtask, LEAT__PB__TASK_STATE__TASK_RUNNING, false, NULL);
    return LEAT_OK;
}

static leat_run_status close_step(leat_subtask *subtask)
{
    if (atomic_load_explicit(&subtask->jobs_running, memory_order_acquire) > 0) return LEAT_RUN_WAIT;
    leat_chain_close(subtask); /* before its snapshots, which operators may be filling */
    leat_subtask_snapshots_drop(subtask);
    if (atomic_load_explicit(&subtask->jobs_running, memory_order_acquire) > 0) return LEAT_RUN_WAIT;
    pthread_mutex_lock(&subtask->lock);
    subtask->is_closed = true;
    pthread_mutex_unlock(&subtask->lock);
    subtask->state = LEAT_SUBTASK_CLOSED;
    if (subtask->final_state != LEAT__PB__TASK_STATE__TASK_FAILED) report(subtask, subtask->final_state, false, NULL);
    return LEAT_RUN_CLOSED;
}

static void fail(leat_subtask *subtask, const leat_error *error)
{
    const Leat__Pb__Vertex *plan = subtask->plan;
    leat_log(LEAT_LOG_WARN, "task", "%s (%d/%d) of job %s, attempt %u, failed: %s", plan->name, subtask->index + 1,
             subtask->parallelism, subtask->job->id_text, subtask->job->attempt, error->text);
    report(subtask, LEAT__PB__TASK_STATE__TASK_FAILED, false, error);
    begin_close(subtask, LEAT__PB__TASK_STATE__TASK_FAILED);
}

static void count_time(leat_subtask *subtask, int64_t started_us)
{
    if (subtask->last_run_end_us) {
        uint64_t waited = (uint64_t)(started_us - subtask->last_run_end_us);
        leat_counter_add(subtask->was_backpressured ? &subtask->metrics.backpressured_us : &subtask->metrics.idle_us,
                         waited);
    }
    subtask->last_run_end_us = leat_subtask_now_us(subtask);
    /* release: a heartbeat that sees a busy subtask sees its chain. */
    uint64_t busy_us = atomic_load_explicit(&subtask->metrics.busy_us, memory_order_relaxed);
    atomic_store_explicit(&subtask->metrics.busy_us, busy_us + (uint64_t)(subtask->last_run_end_us - started_us) + 1,
                          memory_order_release);
}

static leat_run_status run(leat_runnable *runnable, int64_t *deadline_us)
{
    leat_subtask *subtask = (leat_subtask *)runnable;
    int64_t started_us = leat_subtask_now_us(subtask);
    leat_error error = {0};
    bool has_more = false;
    leat_code code = LEAT_OK;
    /* Mail first: a cancellation, or a restore that failed, comes before the operators are opened. */
    if (subtask->state < LEAT_SUBTASK_CLOSING) code = handle_all_mail(subtask, &error);
    if (code == LEAT_OK && subtask->state == LEAT_SUBTASK_DEPLOYED) code = open_all(subtask, &error);
    bool is_live = subtask->state == LEAT_SUBTASK_RUNNING || subtask->state == LEAT_SUBTASK_ENDED;
    if (code == LEAT_OK && is_live && !leat_taskmanager_has_lease(subtask->job->taskmanager)) {
        *deadline_us = started_us + LEASE_LOOK_US; /* until the leader is heard again, or all is cancelled */
        return LEAT_RUN_WAIT;
    }
    if (code == LEAT_OK && is_live) code = run_stream(subtask, &has_more, deadline_us, &error);
    if (code != LEAT_OK) {
        error.code = code;
        fail(subtask, &error);
    }
    if (subtask->state == LEAT_SUBTASK_CLOSING) {
        *deadline_us = INT64_MAX;
        return close_step(subtask);
    }
    count_time(subtask, started_us);
    return has_more ? LEAT_RUN_AGAIN : LEAT_RUN_WAIT;
}

static void closed(leat_runnable *runnable)
{
    leat_subtask *subtask = (leat_subtask *)runnable;
    leat_task_job *job = subtask->job;
    if (atomic_fetch_sub_explicit(&job->open_subtasks, 1, memory_order_acq_rel) == 1) {
        leat_taskmanager_forget(job->taskmanager, job);
    }
}

leat_code leat_subtask_init(leat_subtask *subtask, leat_task_job *job, int32_t vertex, int32_t index, leat_error *error)
{
    *subtask =
        (leat_subtask){.runnable = {.run = run, .closed = closed, .home = vertex + index, .deadline_us = INT64_MAX},
                       .job = job,
                       .vertex = vertex,
                       .index = index,
                       .plan = job->graph->vertices[vertex],
                       .last_watermark_ms = INT64_MIN};
    subtask->parallelism = (int32_t)subtask->plan->parallelism;
    subtask->max_parallelism = subtask->plan->has_max_parallelism ? (int32_t)subtask->plan->max_parallelism
                                                                  : leat_default_max_parallelism(subtask->parallelism);
    subtask->is_source = subtask->plan->is_source;
    subtask->mail_last = &subtask->mail_first;
    atomic_init(&subtask->metrics.watermark_ms, INT64_MIN);
    pthread_mutex_init(&subtask->lock, NULL);
    LEAT_TRY(leat_inputs_init(subtask, error));
    return leat_outputs_init(subtask, error);
}

void leat_subtask_done(leat_subtask *subtask)
{
    if (!subtask->job) return;
    leat_chain_close(subtask);
    leat_inputs_done(subtask);
    leat_outputs_done(subtask);
    leat_free(subtask->chain);
    for (leat_mail *mail; (mail = take_mail(subtask));)
        leat_free(mail);
    pthread_mutex_destroy(&subtask->lock);
}
