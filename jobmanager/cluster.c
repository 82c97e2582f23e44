#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"

int32_t leat_jm_find_taskmanager(leat_jobmanager *self, const char *id)
{
    for (size_t i = 0; i < self->taskmanagers_count; i++) {
        if (strcmp(self->taskmanagers[i].id, id) == 0) return (int32_t)i;
    }
    return -1;
}

static void reply_registered(leat_jobmanager *self, int32_t taskmanager)
{
    Leat__Pb__Registered message = LEAT__PB__REGISTERED__INIT;
    message.task_manager = self->taskmanagers[taskmanager].id;
    message.heartbeat_interval_ms = (uint64_t)leat_config_duration_ms(self->config, LEAT_OPTION_HEARTBEAT_INTERVAL);
    message.heartbeat_timeout_ms = (uint64_t)leat_config_duration_ms(self->config, LEAT_OPTION_HEARTBEAT_TIMEOUT);
    message.cluster = self->cluster_id;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_REGISTERED;
    envelope.registered = &message;
    leat_jm_send(self, taskmanager, &envelope);
}

enum { TASKMANAGERS_MAX = 4096, SLOTS_MAX = 4096 };

static leat_jm_taskmanager *add_taskmanager(leat_jobmanager *self, const char *id)
{
    if (self->taskmanagers_count == TASKMANAGERS_MAX ||
        leat_grow(&self->taskmanagers, &self->taskmanagers_capacity, self->taskmanagers_count + 1,
                  sizeof *self->taskmanagers, NULL) != LEAT_OK) {
        return NULL;
    }
    char *copy = leat_strdup(id);
    if (!copy) return NULL;
    leat_jm_taskmanager *added = &self->taskmanagers[self->taskmanagers_count++];
    *added = (leat_jm_taskmanager){.id = copy};
    return added;
}

static void replace_text(char **to, const char *text)
{
    char *copy = leat_strdup(text);
    if (!copy) return;
    leat_free(*to);
    *to = copy;
}

void leat_jm_on_register(leat_jobmanager *self, const char *from, const Leat__Pb__Register *message)
{
    if (strcmp(from, message->task_manager) != 0 || message->slots > SLOTS_MAX) {
        leat_log(LEAT_LOG_WARN, "jobmanager", "refused the registration of '%s'", from);
        return;
    }
    if (strcmp(message->version, LEAT_VERSION) != 0) {
        leat_log(LEAT_LOG_WARN, "jobmanager", "refused task manager %s of version %s; this is " LEAT_VERSION, from,
                 message->version);
        return;
    }
    int32_t known = leat_jm_find_taskmanager(self, from);
    /* It comes back: what ran there is gone or unreachable, so its tasks are lost first. */
    if (known >= 0 && self->taskmanagers[known].is_alive) leat_jm_taskmanager_lost(self, known, "it registered again");
    leat_jm_taskmanager *taskmanager = known >= 0 ? &self->taskmanagers[known] : add_taskmanager(self, from);
    if (!taskmanager) return;
    replace_text(&taskmanager->data_endpoint, message->data_endpoint);
    replace_text(&taskmanager->host, message->host);
    replace_text(&taskmanager->version, message->version);
    taskmanager->slots = (int32_t)message->slots;
    taskmanager->slots_used = 0;
    taskmanager->pid = message->pid;
    taskmanager->cores = message->cores;
    taskmanager->is_alive = true;
    leat_jm_heard(self, taskmanager);
    taskmanager->registered_ms = taskmanager->heard_ms;
    leat_log(LEAT_LOG_INFO, "jobmanager", "task manager %s registered: %d slots, pid %u, data at %s", from,
             taskmanager->slots, taskmanager->pid, taskmanager->data_endpoint);
    reply_registered(self, leat_jm_find_taskmanager(self, from));
    leat_jm_try_schedule(self);
}

void leat_jm_heard(leat_jobmanager *self, leat_jm_taskmanager *taskmanager)
{
    taskmanager->heard_ms = leat_jm_now_ms(self);
    taskmanager->heard_mono_ms = leat_jm_mono_ms(self);
}

static void ask_to_register(leat_jobmanager *self, const char *task_manager)
{
    Leat__Pb__RegisterAgain message = LEAT__PB__REGISTER_AGAIN__INIT;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_REGISTER_AGAIN;
    envelope.register_again = &message;
    leat_jm_send_to(self, task_manager, &envelope);
}

void leat_jm_on_heartbeat(leat_jobmanager *self, const char *from, const Leat__Pb__Heartbeat *message)
{
    int32_t index = leat_jm_find_taskmanager(self, from);
    if (index < 0 || !self->taskmanagers[index].is_alive) { /* given up, or never seen: this job manager is new */
        ask_to_register(self, from);
        return;
    }
    leat_jm_take_heartbeat(self, &self->taskmanagers[index], message);
    reply_registered(self, index); /* the answer keeps the lease */
}

/* Its slots of the job are gone, and its tasks. Those of one region fail it once, whatever becomes of the job. */
static void lose_tasks(leat_jm_job *job, int32_t taskmanager, const char *why)
{
    leat_jobmanager *self = job->jobmanager;
    const char *id = self->taskmanagers[taskmanager].id;
    for (int32_t i = 0; i < job->slots_count; i++) {
        if (job->slots[i] == taskmanager) job->slots[i] = -1; /* they went with it */
    }
    for (int32_t i = 0; i < job->tasks_count; i++) {
        leat_jm_task *task = &job->tasks[i];
        if (task->taskmanager != taskmanager || leat_jm_task_is_over(task)) continue;
        task->state = LEAT__PB__TASK_STATE__TASK_FAILED;
        task->ended_ms = leat_jm_now_ms(self);
        task->is_lost = true;
    }
    leat_error error = {0};
    (void)leat_fail(&error, LEAT_UNAVAILABLE, "task manager %s is lost: %s", id, why);
    for (int32_t i = 0; i < job->tasks_count; i++) {
        if (!job->tasks[i].is_lost) continue;
        job->tasks[i].is_lost = false;
        leat_jm_fail_region(job, job->tasks[i].region, id, &error);
    }
}

void leat_jm_taskmanager_lost(leat_jobmanager *self, int32_t taskmanager, const char *why)
{
    leat_jm_taskmanager *lost = &self->taskmanagers[taskmanager];
    if (!lost->is_alive) return;
    lost->is_alive = false;
    lost->slots_used = 0;
    leat_log(LEAT_LOG_WARN, "jobmanager", "task manager %s (pid %u) is lost: %s", lost->id, lost->pid, why);
    for (leat_jm_job *job = self->jobs; job; job = job->next) {
        if (!leat_job_state_is_terminal(job->state)) lose_tasks(job, taskmanager, why);
    }
}

int32_t leat_jobmanager_slots_free(const leat_jobmanager *self)
{
    int32_t free_slots = 0;
    for (size_t i = 0; i < self->taskmanagers_count; i++) {
        const leat_jm_taskmanager *taskmanager = &self->taskmanagers[i];
        if (taskmanager->is_alive) free_slots += taskmanager->slots - taskmanager->slots_used;
    }
    return free_slots;
}

int32_t leat_jobmanager_slots_needed(const leat_jm_job *job)
{
    int32_t needed = 1; /* a slot takes one subtask of each vertex */
    for (size_t i = 0; i < job->graph->n_vertices; i++) {
        if ((int32_t)job->graph->vertices[i]->parallelism > needed)
            needed = (int32_t)job->graph->vertices[i]->parallelism;
    }
    return needed;
}

/* The task manager for the next slot: with SLOTS the one that this job uses least (then the one with most free slots),
 * else the first that has room. */
static int32_t choose(const leat_jm_job *job, const int32_t *used_here, bool spread)
{
    const leat_jobmanager *self = job->jobmanager;
    int32_t best = -1;
    for (size_t i = 0; i < self->taskmanagers_count; i++) {
        const leat_jm_taskmanager *candidate = &self->taskmanagers[i];
        if (!candidate->is_alive || candidate->slots_used >= candidate->slots) continue;
        if (best < 0) {
            best = (int32_t)i;
        } else if (spread) {
            const leat_jm_taskmanager *current = &self->taskmanagers[best];
            int32_t free_here = candidate->slots - candidate->slots_used,
                    free_best = current->slots - current->slots_used;
            bool is_better =
                used_here[i] < used_here[best] || (used_here[i] == used_here[best] && free_here > free_best);
            if (is_better) best = (int32_t)i;
        }
    }
    return best;
}

/* Subtask i of a vertex shares slot i with the others', shifted by one after each exchange that is not FORWARD: so the
 * subtasks of a job of parallelism 1 are spread too, and rows are not carried over the network along forward edges. By
 * one more with each region, so that not all of them die together. */
static void assign_slots(leat_jm_job *job)
{
    const Leat__Pb__JobGraph *graph = job->graph;
    for (int32_t t = 0; t < job->tasks_count; t++) {
        leat_jm_task *task = &job->tasks[t];
        if (!job->regions[task->region].is_down) continue;
        int32_t depth = 0;
        int32_t at = task->vertex;
        for (bool has_moved = true; has_moved;) {
            has_moved = false;
            for (size_t e = 0; e < graph->n_edges && !has_moved; e++) {
                if ((int32_t)graph->edges[e]->target != at) continue;
                depth += graph->edges[e]->exchange != LEAT__PB__EXCHANGE__FORWARD;
                at = (int32_t)graph->edges[e]->source;
                has_moved = true;
            }
        }
        task->taskmanager = job->slots[(task->subtask + depth + task->region) % job->slots_count];
    }
}

/* A part of the job runs on: what is down gets its slots again, and others for those that were lost. */
static leat_code place_again(leat_jm_job *job, bool spread, bool *placed, leat_error *error)
{
    leat_jobmanager *self = job->jobmanager;
    int32_t lost = 0;
    int32_t *used_here = leat_calloc(self->taskmanagers_count, sizeof *used_here);
    if (!used_here) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < job->slots_count; i++) {
        lost += job->slots[i] < 0;
        if (job->slots[i] >= 0) used_here[job->slots[i]]++;
    }
    *placed = leat_jobmanager_slots_free(self) >= lost;
    for (int32_t i = 0; *placed && i < job->slots_count; i++) {
        if (job->slots[i] >= 0) continue;
        job->slots[i] = choose(job, used_here, spread);
        LEAT_ASSERT(job->slots[i] >= 0);
        used_here[job->slots[i]]++;
        self->taskmanagers[job->slots[i]].slots_used++;
    }
    leat_free(used_here);
    if (*placed) assign_slots(job);
    return LEAT_OK;
}

leat_code leat_jm_place(leat_jm_job *job, bool *placed, leat_error *error)
{
    leat_jobmanager *self = job->jobmanager;
    *placed = false;
    int32_t needed = leat_jobmanager_slots_needed(job), alive = 0;
    bool spread = strcasecmp(leat_config_string(self->config, LEAT_OPTION_LOAD_BALANCE), "SLOTS") == 0;
    if (job->slots_count) return place_again(job, spread, placed, error);
    for (size_t i = 0; i < self->taskmanagers_count; i++) {
        alive += self->taskmanagers[i].is_alive && self->taskmanagers[i].slots_used < self->taskmanagers[i].slots;
    }
    int32_t free_slots = leat_jobmanager_slots_free(self);
    if (free_slots < needed) return LEAT_OK;
    int32_t wanted = needed;
    if (spread && wanted < alive) wanted = alive < job->tasks_count ? alive : job->tasks_count;
    if (wanted > free_slots) wanted = free_slots;
    if (wanted < needed) wanted = needed;
    int32_t *used_here = leat_calloc(self->taskmanagers_count, sizeof *used_here);
    int32_t *slots = leat_calloc((size_t)wanted, sizeof *slots);
    if (!used_here || !slots) {
        leat_free(used_here);
        leat_free(slots);
        return leat_fail_no_memory(error);
    }
    for (int32_t i = 0; i < wanted; i++) {
        slots[i] = choose(job, used_here, spread);
        LEAT_ASSERT(slots[i] >= 0);
        used_here[slots[i]]++;
        self->taskmanagers[slots[i]].slots_used++;
    }
    leat_free(used_here);
    job->slots = slots;
    job->slots_count = wanted;
    assign_slots(job);
    *placed = true;
    return LEAT_OK;
}

void leat_jm_release_slots(leat_jm_job *job)
{
    leat_jobmanager *self = job->jobmanager;
    for (int32_t i = 0; i < job->slots_count; i++) {
        if (job->slots[i] < 0) continue;
        leat_jm_taskmanager *taskmanager = &self->taskmanagers[job->slots[i]];
        LEAT_ASSERT(taskmanager->slots_used > 0);
        taskmanager->slots_used--;
    }
    leat_free(job->slots);
    job->slots = NULL;
    job->slots_count = 0;
}
