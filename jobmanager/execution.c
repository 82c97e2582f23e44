#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"

/* --- deployment --- */

static leat_code fill_deploy(leat_jm_job *job, int32_t region, Leat__Pb__Deploy *deploy, leat_arena *arena,
                             leat_error *error)
{
    leat_jobmanager *self = job->jobmanager;
    deploy->job = leat_jm_job_id(job);
    deploy->attempt = job->regions[region].attempt;
    deploy->graph = (ProtobufCBinaryData){job->graph_bytes.size, job->graph_bytes.data};
    deploy->checkpoint_dir = job->checkpoint_dir;
    size_t tms = self->taskmanagers_count, tasks = (size_t)job->tasks_count;
    Leat__Pb__Location *locations = leat_arena_take(arena, tms * sizeof *locations);
    deploy->locations = leat_arena_take(arena, tms * sizeof *deploy->locations);
    Leat__Pb__SubtaskPlacement *placements = leat_arena_take(arena, tasks * sizeof *placements);
    deploy->placements = leat_arena_take(arena, tasks * sizeof *deploy->placements);
    Leat__Pb__ConfigEntry *entries = leat_arena_take(arena, job->config.count * sizeof *entries);
    deploy->config = leat_arena_take(arena, job->config.count * sizeof *deploy->config);
    if (!locations || !deploy->locations || !placements || !deploy->placements || !entries || !deploy->config) {
        return leat_fail_no_memory(error);
    }
    for (size_t i = 0; i < job->config.count; i++) {
        const leat_config_entry *entry = &job->config.entries[i];
        leat__pb__config_entry__init(&entries[i]);
        entries[i].key = entry->key;
        entries[i].value = (ProtobufCBinaryData){strlen(entry->value), (uint8_t *)(uintptr_t)entry->value};
        deploy->config[deploy->n_config++] = &entries[i];
    }
    for (size_t i = 0; i < tms; i++) {
        leat__pb__location__init(&locations[i]);
        locations[i].task_manager = self->taskmanagers[i].id;
        locations[i].data_endpoint = self->taskmanagers[i].data_endpoint;
        deploy->locations[deploy->n_locations++] = &locations[i];
    }
    for (size_t i = 0; i < tasks; i++) {
        if (job->tasks[i].region != region) continue;
        leat__pb__subtask_placement__init(&placements[i]);
        placements[i].vertex = (uint32_t)job->tasks[i].vertex;
        placements[i].subtask = (uint32_t)job->tasks[i].subtask;
        placements[i].location = (uint32_t)job->tasks[i].taskmanager;
        deploy->placements[deploy->n_placements++] = &placements[i];
    }
    return leat_jm_fill_restored(job, deploy, error);
}

enum { DEPLOY_ARENA_BYTES_MAX = 64 << 20 };

static leat_code deploy(leat_jm_job *job, int32_t region, leat_error *error)
{
    leat_arena arena;
    leat_arena_init(&arena, DEPLOY_ARENA_BYTES_MAX);
    Leat__Pb__Deploy message = LEAT__PB__DEPLOY__INIT;
    leat_code code = fill_deploy(job, region, &message, &arena, error);
    if (code == LEAT_OK) {
        Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
        envelope.body_case = LEAT__PB__ENVELOPE__BODY_DEPLOY;
        envelope.deploy = &message;
        leat_jm_send_region(job, region, &envelope);
    }
    leat_jm_free_restored(&message);
    leat_arena_done(&arena);
    return code;
}

static void reset_task(leat_jm_job *job, leat_jm_task *task)
{
    task->state = LEAT__PB__TASK_STATE__TASK_DEPLOYING;
    task->is_at_end = false;
    task->started_ms = leat_jm_now_ms(job->jobmanager);
    task->ended_ms = 0;
    task->records_in = task->records_out = task->bytes_in = task->bytes_out = 0;
    task->busy_us = task->idle_us = task->backpressured_us = 0;
    leat_metrics_done(&task->metrics);
    leat_jm_forget_topics(task);
    leat_jm_free_final_snapshot(task);
}

/* Deploys what is down. */
static void start_attempt(leat_jm_job *job)
{
    for (int32_t r = 0; r < job->regions_count; r++) {
        if (job->regions[r].is_down) job->regions[r].attempt = ++job->attempt;
    }
    for (int32_t i = 0; i < job->tasks_count; i++) {
        if (job->regions[job->tasks[i].region].is_down) reset_task(job, &job->tasks[i]);
    }
    job->has_attempt = true;
    if (job->completed) {
        job->counts.restored++;
        job->counts.restored_id = (int64_t)job->completed->checkpoint;
        job->counts.restored_ms = leat_jm_now_ms(job->jobmanager);
    }
    leat_error error = {0};
    leat_jm_set_state(job, LEAT_JOB_INITIALIZING);
    leat_code code = leat_jm_enumerators_start(job, &error);
    for (int32_t r = 0; code == LEAT_OK && r < job->regions_count; r++) {
        if (job->regions[r].is_down) code = deploy(job, r, &error);
    }
    if (code != LEAT_OK) leat_jm_fail(job, "deployment", &error);
}

bool leat_jobmanager_waits_for_slots(const leat_jm_job *job)
{
    int64_t now_ms = leat_jm_mono_ms(job->jobmanager);
    bool is_due = job->state == LEAT_JOB_CREATED || (job->state == LEAT_JOB_RESTARTING && job->restart_at_ms <= now_ms);
    return is_due && !job->has_attempt && !job->committing && !job->is_examining;
}

enum { WAIT_LOG_MS = 1000 }; /* task managers that start with the job register sooner */

static void log_wait(leat_jm_job *job)
{
    int64_t now_ms = leat_jm_mono_ms(job->jobmanager);
    if (!job->waiting_since_ms) job->waiting_since_ms = now_ms;
    if (job->was_wait_logged || now_ms - job->waiting_since_ms < WAIT_LOG_MS) return;
    job->was_wait_logged = true;
    leat_log(LEAT_LOG_WARN, "jobmanager",
             "job %s (%s) waits for slots: it needs %d, %d are free; 'leat cluster add-taskmanager' adds some",
             job->id_text, job->graph->name, leat_jobmanager_slots_needed(job),
             leat_jobmanager_slots_free(job->jobmanager));
}

void leat_jm_try_schedule(leat_jobmanager *self)
{
    /* Oldest first; the list is newest first, so look for the oldest that waits, as often as one could be placed. */
    for (;;) {
        leat_jm_job *waiting = NULL;
        for (leat_jm_job *job = self->jobs; job; job = job->next) {
            if (leat_jobmanager_waits_for_slots(job)) waiting = job;
        }
        if (!waiting) return;
        if (leat_jm_examine_suspect(waiting) || leat_jm_commit_uncertain(waiting)) continue;
        bool placed = false;
        leat_error error = {0};
        leat_code code = leat_jm_place(waiting, &placed, &error);
        if (code != LEAT_OK) leat_log(LEAT_LOG_ERROR, "jobmanager", "%s", error.text);
        if (!placed) {
            log_wait(waiting);
            return;
        }
        waiting->waiting_since_ms = 0;
        waiting->was_wait_logged = false;
        waiting->restart_at_ms = INT64_MAX;
        start_attempt(waiting);
    }
}

/* --- the attempt's life --- */

leat_jm_task *leat_jm_find_task(leat_jm_job *job, uint32_t vertex, uint32_t subtask)
{
    for (int32_t i = 0; i < job->tasks_count; i++) {
        leat_jm_task *task = &job->tasks[i];
        if (task->vertex == (int32_t)vertex && task->subtask == (int32_t)subtask) return task;
    }
    return NULL;
}

bool leat_jm_task_is_over(const leat_jm_task *task)
{
    return task->state == LEAT__PB__TASK_STATE__TASK_FINISHED || task->state == LEAT__PB__TASK_STATE__TASK_CANCELED ||
           task->state == LEAT__PB__TASK_STATE__TASK_FAILED;
}

static bool all_tasks(const leat_jm_job *job, bool (*holds)(const leat_jm_task *task))
{
    for (int32_t i = 0; i < job->tasks_count; i++) {
        if (!holds(&job->tasks[i])) return false;
    }
    return true;
}

static bool all_tasks_down(const leat_jm_job *job, bool (*holds)(const leat_jm_task *task))
{
    for (int32_t i = 0; i < job->tasks_count; i++) {
        if (job->regions[job->tasks[i].region].is_down && !holds(&job->tasks[i])) return false;
    }
    return true;
}

static void set_all(leat_jm_job *job, bool is_down)
{
    for (int32_t r = 0; r < job->regions_count; r++)
        job->regions[r].is_down = is_down;
}

static bool task_is_running(const leat_jm_task *task)
{
    return task->state == LEAT__PB__TASK_STATE__TASK_RUNNING;
}

static bool task_is_finished(const leat_jm_task *task)
{
    return task->state == LEAT__PB__TASK_STATE__TASK_FINISHED;
}

static bool task_is_at_end(const leat_jm_task *task)
{
    return task->is_at_end || task_is_finished(task);
}

static void send_stop(leat_jm_job *job)
{
    Leat__Pb__Stop message = LEAT__PB__STOP__INIT;
    message.job = leat_jm_job_id(job);
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_STOP;
    envelope.stop = &message;
    leat_jm_send_job(job, &envelope, &message.attempt, LEAT_JM_ALL);
}

static void start_running(leat_jm_job *job)
{
    leat_error error = {0};
    if (leat_jm_checkpoints_start(job, &error) != LEAT_OK) {
        leat_jm_fail(job, "checkpoint coordinator", &error);
        return;
    }
    Leat__Pb__Start message = LEAT__PB__START__INIT;
    message.job = leat_jm_job_id(job);
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_START;
    envelope.start = &message;
    leat_jm_send_job(job, &envelope, &message.attempt, LEAT_JM_DOWN);
    set_all(job, false);
    leat_jm_set_state(job, LEAT_JOB_RUNNING);
    if (job->is_stopping) send_stop(job);
}

void leat_jm_remember(leat_jm_job *job, const char *task, const leat_error *error)
{
    if (job->exceptions_count == LEAT_JM_EXCEPTIONS_MAX) {
        memmove(&job->exceptions[0], &job->exceptions[1], (LEAT_JM_EXCEPTIONS_MAX - 1) * sizeof job->exceptions[0]);
        job->exceptions_count--;
    }
    leat_jm_exception *exception = &job->exceptions[job->exceptions_count++];
    exception->at_ms = leat_jm_now_ms(job->jobmanager);
    exception->code = error->code;
    snprintf(exception->task, sizeof exception->task, "%s", task);
    snprintf(exception->text, sizeof exception->text, "%s", error->text);
    snprintf(exception->hint, sizeof exception->hint, "%s", error->hint);
}

/* To what is down: it is to end. */
static void send_cancel(leat_jm_job *job)
{
    Leat__Pb__Cancel message = LEAT__PB__CANCEL__INIT;
    message.job = leat_jm_job_id(job);
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_CANCEL;
    envelope.cancel = &message;
    leat_jm_send_job(job, &envelope, &message.attempt, LEAT_JM_DOWN);
}

/* Which errors no restart can mend: the same input would meet them again. */
static bool is_permanent(leat_code code)
{
    return code == LEAT_UNSUPPORTED || code == LEAT_NOT_FOUND;
}

/* Whether an attempt before this one got as far as to run. */
static bool was_started(const leat_jm_job *job)
{
    return job->restarts > 0 || job->completed || job->resumed_id;
}

/* Takes what has failed down; false: nothing of it was up, so its end is under way already. */
static bool take_down(leat_jm_job *job, int32_t region)
{
    /* What is being deployed beside it has not come to anything yet. */
    bool was_up = job->state == LEAT_JOB_INITIALIZING || job->state == LEAT_JOB_CREATED;
    for (int32_t r = 0; r < job->regions_count; r++) {
        if (region >= 0 && r != region) continue;
        was_up = was_up || !job->regions[r].is_down;
        job->regions[r].is_down = true;
    }
    return was_up;
}

static bool may_restart(leat_jm_job *job, const leat_error *error)
{
    leat_env *env = job->jobmanager->env;
    return !job->is_doomed &&
           leat_restart_on_failure(&job->restart, leat_env_mono_us(env) / 1000, leat_env_random(env),
                                   &job->restart_delay_ms) &&
           !(is_permanent(error->code) && !was_started(job));
}

static void fail(leat_jm_job *job, int32_t region, const char *task, const leat_error *error)
{
    if (leat_job_state_is_terminal(job->state)) return;
    bool is_ending = job->state == LEAT_JOB_FAILING || job->state == LEAT_JOB_CANCELLING;
    bool is_new = !is_ending && take_down(job, region);
    if (is_new || (!is_ending && job->is_doomed)) {
        leat_log(LEAT_LOG_WARN, "jobmanager", "job %s (%s), attempt %u, failed: %s: %s", job->id_text, job->graph->name,
                 job->attempt, task, error->text);
        leat_jm_remember(job, task, error);
        bool restarts = may_restart(job, error);
        if (restarts) job->restarts++;
        bool is_restoring = job->state == LEAT_JOB_INITIALIZING && job->completed;
        bool is_suspect = is_restoring && (error->code == LEAT_CORRUPT || error->code == LEAT_NOT_FOUND);
        job->is_suspect = job->is_suspect || is_suspect;
        if (!restarts) set_all(job, true);
        job->has_attempt = job->slots_count > 0;
        job->restart_at_ms = INT64_MAX;
        leat_jm_checkpoints_stop(job);
        leat_jm_set_state(job, restarts ? LEAT_JOB_RESTARTING : LEAT_JOB_FAILING);
        leat_jm_enumerators_stop(job);
        send_cancel(job);
    }
    if (job->slots_count == 0 && job->state == LEAT_JOB_FAILING) leat_jm_set_state(job, LEAT_JOB_FAILED);
    leat_jm_check_ended(job);
}

void leat_jm_fail_region(leat_jm_job *job, int32_t region, const char *task, const leat_error *error)
{
    fail(job, region, task, error);
}

void leat_jm_fail(leat_jm_job *job, const char *task, const leat_error *error)
{
    fail(job, -1, task, error);
}

void leat_jm_fail_for_good(leat_jm_job *job, const char *task, const leat_error *error)
{
    job->is_doomed = true;
    bool is_ending = job->state == LEAT_JOB_FAILING || job->state == LEAT_JOB_CANCELLING;
    if (is_ending) leat_jm_remember(job, task, error); /* it must be seen, whatever else ended the job */
    leat_jm_fail(job, task, error);
}

void leat_jm_check_ended(leat_jm_job *job)
{
    if (leat_job_state_is_terminal(job->state)) return;
    if (!job->has_attempt) return; /* nothing was deployed, or it was handled already */
    bool is_restart = job->state == LEAT_JOB_RESTARTING;
    if (is_restart ? !all_tasks_down(job, leat_jm_task_is_over) : !all_tasks(job, leat_jm_task_is_over)) return;
    bool is_success = all_tasks(job, task_is_finished) && job->state == LEAT_JOB_RUNNING;
    if (!is_restart) set_all(job, true);
    /* No checkpoint is worth beginning any more; else there would always be one on its way to storage. */
    leat_jm_checkpoints_stop(job);
    /* A commit under way must come to its end first: restore commits before it restores, and a job's end means
     * "visible". */
    bool is_whole = leat_jm_all_down(job);
    if (leat_jm_committers_are_busy(job) || (is_whole && job->io_running > 0)) return;
    if (!leat_jm_enumerators_have_ended(job)) {
        leat_jm_enumerators_stop(job);
        if (!leat_jm_enumerators_have_ended(job)) return;
    }
    job->has_attempt = false;
    if (is_whole) leat_jm_release_slots(job);
    switch (job->state) {
    case LEAT_JOB_RESTARTING: job->restart_at_ms = leat_jm_mono_ms(job->jobmanager) + job->restart_delay_ms; break;
    case LEAT_JOB_FAILING: leat_jm_set_state(job, LEAT_JOB_FAILED); break;
    case LEAT_JOB_CANCELLING: leat_jm_set_state(job, LEAT_JOB_CANCELED); break;
    default: leat_jm_set_state(job, is_success ? LEAT_JOB_FINISHED : LEAT_JOB_FAILED); break;
    }
    leat_jm_try_schedule(job->jobmanager);
}

static void take_error(const Leat__Pb__TaskStateChanged *message, leat_error *out)
{
    out->code = message->has_code ? (leat_code)message->code : LEAT_IO;
    snprintf(out->text, sizeof out->text, "%.*s", (int)message->error.len, (const char *)message->error.data);
    snprintf(out->hint, sizeof out->hint, "%.*s", (int)message->hint.len, (const char *)message->hint.data);
}

static void on_failed(leat_jm_job *job, const leat_jm_task *task, const Leat__Pb__TaskStateChanged *message)
{
    leat_error error = {0};
    if (message->has_error) take_error(message, &error);
    char name[256];
    const Leat__Pb__Vertex *vertex = job->graph->vertices[task->vertex];
    snprintf(name, sizeof name, "%.200s (%d/%u)", vertex->name, task->subtask + 1, vertex->parallelism);
    leat_jm_fail_region(job, task->region, name, &error);
}

/* A task manager cancels its tasks unasked when it ends, or when it heard nothing for `jobmanager.lease`. */
static void on_canceled(leat_jm_job *job, const leat_jm_task *task)
{
    const char *where = task->taskmanager >= 0 ? job->jobmanager->taskmanagers[task->taskmanager].id : "";
    leat_error error = {0};
    (void)leat_fail(&error, LEAT_UNAVAILABLE,
                    "task manager %s ended its tasks: it shuts down, or heard nothing from the job manager for "
                    "jobmanager.lease",
                    where);
    leat_jm_fail_region(job, task->region, where, &error);
}

void leat_jm_on_task_state(leat_jobmanager *self, const Leat__Pb__TaskStateChanged *message)
{
    leat_jm_job *job = message->job.len == LEAT_JM_JOB_ID_BYTES ? leat_jobmanager_find(self, message->job.data) : NULL;
    leat_jm_task *task = job ? leat_jm_find_task(job, message->vertex, message->subtask) : NULL;
    if (!task || message->attempt != leat_jm_task_attempt(job, task) || leat_jm_task_is_over(task)) return;
    task->state = message->state;
    task->is_at_end = task->is_at_end || (message->has_is_at_end && message->is_at_end);
    if (message->n_topics) leat_jm_take_topics(task, message);
    if (leat_jm_task_is_over(task)) {
        task->ended_ms = leat_jm_now_ms(self);
        leat_jm_forget_topics(task);
    }
    if (message->state == LEAT__PB__TASK_STATE__TASK_FAILED) {
        on_failed(job, task, message);
        return;
    }
    if (message->state == LEAT__PB__TASK_STATE__TASK_CANCELED) {
        on_canceled(job, task); /* where it was asked for, only looks whether all have ended */
        leat_jm_changed(job);
        return;
    }
    if (job->state == LEAT_JOB_INITIALIZING && all_tasks_down(job, task_is_running)) start_running(job);
    if (task_is_finished(task)) {
        leat_jm_checkpoints_task_finished(job, task);
        leat_jm_enumerators_task_finished(job, task);
    }
    if (job->state == LEAT_JOB_RUNNING && task->is_at_end && all_tasks(job, task_is_at_end))
        leat_jm_checkpoints_request(job);
    leat_jm_check_ended(job);
    leat_jm_changed(job);
}

leat_code leat_jobmanager_cancel(leat_jobmanager *self, leat_jm_job *job, leat_error *error)
{
    (void)self;
    if (leat_job_state_is_terminal(job->state)) {
        return leat_fail(error, LEAT_INVALID, "job %s is %s already", job->id_text, leat_job_state_name(job->state));
    }
    if (job->state == LEAT_JOB_CANCELLING) return LEAT_OK;
    leat_jm_checkpoints_stop(job);
    set_all(job, true);
    leat_jm_enumerators_stop(job);
    leat_jm_set_state(job, LEAT_JOB_CANCELLING);
    job->has_attempt = job->slots_count > 0;
    if (job->slots_count == 0) { /* nothing runs */
        leat_jm_set_state(job, LEAT_JOB_CANCELED);
        return LEAT_OK;
    }
    send_cancel(job);
    leat_jm_check_ended(job);
    return LEAT_OK;
}

leat_code leat_jobmanager_stop(leat_jobmanager *self, leat_jm_job *job, leat_error *error)
{
    (void)self;
    if (leat_job_state_is_terminal(job->state) || job->state == LEAT_JOB_FAILING || job->state == LEAT_JOB_CANCELLING)
        return leat_fail(error, LEAT_INVALID, "job %s is %s already", job->id_text, leat_job_state_name(job->state));
    if (job->is_stopping) return LEAT_OK;
    leat_log(LEAT_LOG_INFO, "jobmanager", "job %s (%s): its sources end", job->id_text, job->graph->name);
    job->is_stopping = true;
    leat_jm_store_again(job);
    if (job->state == LEAT_JOB_RUNNING) send_stop(job);
    return LEAT_OK;
}

void leat_jm_tick_job(leat_jm_job *job, int64_t now_ms, int64_t *next_ms)
{
    if (job->state == LEAT_JOB_RESTARTING && job->restart_at_ms < *next_ms && !job->has_attempt) {
        if (job->restart_at_ms > now_ms) *next_ms = job->restart_at_ms;
    }
    leat_jm_enumerators_tick(job, now_ms, next_ms);
    leat_jm_checkpoints_tick(job, now_ms, next_ms);
}
