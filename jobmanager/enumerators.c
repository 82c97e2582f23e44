#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/internal.h"

/* An enumerator's functions run one at a time on I/O threads. The loop queues calls; a call collects what the
 * enumerator says (assignments, events, timers) and brings it back through the inbox, where the gates are. */

typedef enum call_kind {
    CALL_START,
    CALL_REQUEST,
    CALL_EVENT,
    CALL_POLL,
    CALL_SNAPSHOT,
    CALL_COMPLETE,
    CALL_CLOSE
} call_kind;

typedef struct saying {
    struct saying *next;
    int32_t subtask;
    bool is_split, is_no_more;
    size_t size;
    uint8_t data[];
} saying;

typedef struct call {
    leat_job job;            /* of the env; first */
    leat_jm_message message; /* to the loop */
    struct call *next;       /* in the enumerator's queue */
    leat_jm_enumerator *enumerator;
    call_kind kind;
    int64_t number; /* checkpoint id, subtask */
    leat_bytes data;
    leat_code code;
    leat_error error;
    saying *said, **said_last;
    int64_t poll_after_ms; /* -1: no */
} call;

typedef struct gate {
    int64_t checkpoint_id; /* 0: open */
    saying *held, **held_last;
} gate;

struct leat_jm_enumerator {
    leat_enumerator_context context; /* first */
    leat_jm_job *job;
    int32_t vertex;
    uint32_t attempt;
    leat_enumerator *enumerator; /* touched by the running call only */
    const char *topic;           /* the enumerator's, once it has started; NULL: none */
    bool is_poll_queued;         /* and has not begun */
    bool is_stopping, has_ended, is_running;
    call *first, **last; /* calls to come */
    call *current;       /* whose sayings are being collected */
    gate *gates;         /* one a subtask */
    /* Checkpoints to cut once every reader has cut the one before: else a split assigned between the two cuts would be
     * held behind the second barrier while the second snapshot takes it for delivered. */
    int64_t waiting[LEAT_COORDINATOR_PENDING_MAX];
    int waiting_count;
    bool is_cutting;
    int64_t poll_at_ms;
};

static void add_saying(leat_enumerator_context *context, int32_t subtask, bool is_split, bool is_no_more,
                       const uint8_t *data, size_t size)
{
    leat_jm_enumerator *self = (leat_jm_enumerator *)context;
    call *current = self->current;
    saying *said = leat_alloc(sizeof *said + size);
    if (!said) { /* a lost split would be lost rows */
        current->code = leat_fail_no_memory(&current->error);
        return;
    }
    *said = (saying){.subtask = subtask, .is_split = is_split, .is_no_more = is_no_more, .size = size};
    if (size) memcpy(said->data, data, size);
    *current->said_last = said;
    current->said_last = &said->next;
}

static void say_assign(leat_enumerator_context *context, int32_t subtask, const uint8_t *split, size_t size)
{
    add_saying(context, subtask, true, false, split, size);
}

static void say_no_more(leat_enumerator_context *context, int32_t subtask)
{
    add_saying(context, subtask, false, true, NULL, 0);
}

static void say_event(leat_enumerator_context *context, int32_t subtask, const uint8_t *event, size_t size)
{
    add_saying(context, subtask, false, false, event, size);
}

static void say_poll_after(leat_enumerator_context *context, int64_t ms)
{
    ((leat_jm_enumerator *)context)->current->poll_after_ms = ms;
}

static leat_code create_and_start(leat_jm_enumerator *self, call *current)
{
    const Leat__Pb__Vertex *vertex = self->job->graph->vertices[self->vertex];
    const leat_enumerator_factory *factory;
    leat_error *error = &current->error;
    LEAT_TRY(leat_registry_find_enumerator(self->job->jobmanager->registry, vertex->enumerator, &factory, error));
    LEAT_TRY(factory->create(&self->context, vertex->enumerator_config.data, vertex->enumerator_config.len,
                             &self->enumerator, error));
    self->enumerator->context = &self->context;
    bool is_fresh = current->number == 0;
    return self->enumerator->vtable->start(self->enumerator, is_fresh ? NULL : current->data.data,
                                           is_fresh ? 0 : current->data.size, error);
}

static leat_code perform(leat_jm_enumerator *self, call *current)
{
    if (current->kind == CALL_START) return create_and_start(self, current);
    leat_enumerator *enumerator = self->enumerator;
    if (!enumerator) return LEAT_OK; /* it could not be made; that error was told */
    const leat_enumerator_vtable *vtable = enumerator->vtable;
    switch (current->kind) {
    case CALL_START: break;
    case CALL_REQUEST: return vtable->on_request(enumerator, (int32_t)current->number, &current->error);
    case CALL_EVENT:
        if (!vtable->on_event) return LEAT_OK;
        return vtable->on_event(enumerator, (int32_t)current->number, current->data.data, current->data.size,
                                &current->error);
    case CALL_POLL: return vtable->poll ? vtable->poll(enumerator, &current->error) : LEAT_OK;
    case CALL_SNAPSHOT: return vtable->snapshot(enumerator, current->number, &current->data, &current->error);
    case CALL_COMPLETE:
        if (!vtable->checkpoint_complete) return LEAT_OK;
        return vtable->checkpoint_complete(enumerator, current->number, &current->error);
    case CALL_CLOSE:
        vtable->close(enumerator);
        self->enumerator = NULL;
        break;
    }
    return LEAT_OK;
}

static void run_call(leat_job *job, leat_env *env)
{
    (void)env;
    call *current = (call *)job;
    leat_code code = perform(current->enumerator, current);
    if (code != LEAT_OK) current->code = current->error.code = code;
}

static void done_call(leat_job *job, leat_env *env)
{
    (void)env;
    call *current = (call *)job;
    leat_jobmanager_post(current->enumerator->job->jobmanager, &current->message);
}

static void free_call(call *current)
{
    while (current->said) {
        saying *next = current->said->next;
        leat_free(current->said);
        current->said = next;
    }
    leat_bytes_done(&current->data);
    leat_free(current);
}

static void run_next(leat_jm_enumerator *self)
{
    if (self->is_running || !self->first) return;
    call *next = self->first;
    self->first = next->next;
    if (!self->first) self->last = &self->first;
    self->is_running = true;
    self->current = next;
    if (next->kind == CALL_POLL) self->is_poll_queued = false;
    leat_error error = {0};
    self->job->io_running++;
    if (leat_env_spawn(self->context.env, &next->job, &error) == LEAT_OK) return;
    next->code = next->error.code = error.code;
    next->error = error;
    leat_jobmanager_post(self->job->jobmanager, &next->message);
}

static void on_call_done(leat_jobmanager *self, leat_jm_message *message);

/* False: no memory; the job was failed. Takes data. */
static bool queue_call(leat_jm_enumerator *self, call_kind kind, int64_t number, leat_bytes *data)
{
    call *queued = leat_calloc(1, sizeof *queued);
    if (!queued) {
        if (data) leat_bytes_done(data);
        leat_error error = {0};
        (void)leat_fail_no_memory(&error);
        leat_jm_fail(self->job, "split enumerator", &error);
        return false;
    }
    queued->job = (leat_job){.run = run_call, .done = done_call};
    queued->message.handle = on_call_done;
    queued->enumerator = self;
    queued->kind = kind;
    queued->number = number;
    queued->said_last = &queued->said;
    queued->poll_after_ms = -1;
    if (data) {
        queued->data = *data;
        *data = (leat_bytes){0};
    }
    *self->last = queued;
    self->last = &queued->next;
    run_next(self);
    return true;
}

static void send_saying(leat_jm_enumerator *self, const saying *said)
{
    leat_jm_job *job = self->job;
    leat_jm_task *task = leat_jm_find_task(job, (uint32_t)self->vertex, (uint32_t)said->subtask);
    if (!task || task->taskmanager < 0) return;
    Leat__Pb__AssignSplits message = LEAT__PB__ASSIGN_SPLITS__INIT;
    message.job = leat_jm_job_id(job);
    message.attempt = self->attempt;
    message.vertex = (uint32_t)self->vertex;
    message.subtask = (uint32_t)said->subtask;
    message.no_more = said->is_no_more;
    ProtobufCBinaryData data = {said->size, (uint8_t *)(uintptr_t)said->data};
    if (said->is_split) {
        message.n_splits = 1;
        message.splits = &data;
    } else if (!said->is_no_more) {
        message.has_event = true;
        message.event = data;
    }
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_ASSIGN;
    envelope.assign = &message;
    leat_jm_send(job->jobmanager, task->taskmanager, &envelope);
}

/* Through the gate: held back while the reader has not cut the checkpoint that the enumerator has. */
static void pass_sayings(leat_jm_enumerator *self, call *current)
{
    int32_t parallelism = self->context.parallelism;
    for (saying *said = current->said; said;) {
        saying *next = said->next;
        said->next = NULL;
        gate *reader = said->subtask >= 0 && said->subtask < parallelism ? &self->gates[said->subtask] : NULL;
        if (reader && reader->checkpoint_id) {
            *reader->held_last = said;
            reader->held_last = &said->next;
        } else {
            if (reader) send_saying(self, said);
            leat_free(said);
        }
        said = next;
    }
    current->said = NULL;
}

/* From here on, what is assigned is not in the enumerator's state of this checkpoint. A reader that has finished cuts
 * nothing any more, so nothing would open its gate again. */
static void close_gates(leat_jm_enumerator *self, int64_t checkpoint_id)
{
    for (int32_t i = 0; i < self->context.parallelism; i++) {
        const leat_jm_task *reader = leat_jm_find_task(self->job, (uint32_t)self->vertex, (uint32_t)i);
        bool has_finished = reader && reader->state == LEAT__PB__TASK_STATE__TASK_FINISHED;
        if (!has_finished) self->gates[i].checkpoint_id = checkpoint_id;
    }
}

static void on_call_done(leat_jobmanager *manager, leat_jm_message *message)
{
    call *current = (call *)((char *)message - offsetof(call, message));
    leat_jm_enumerator *self = current->enumerator;
    leat_jm_job *job = self->job;
    self->is_running = false;
    self->current = NULL;
    job->io_running--;
    bool is_live = !self->is_stopping;
    if (current->kind == CALL_CLOSE) self->has_ended = true;
    if (is_live) {
        pass_sayings(self, current);
        if (current->poll_after_ms >= 0) self->poll_at_ms = leat_jm_mono_ms(manager) + current->poll_after_ms;
        if (current->kind == CALL_START && self->enumerator) self->topic = self->enumerator->topic;
        if (current->kind == CALL_SNAPSHOT) {
            self->is_cutting = false;
            if (current->code == LEAT_OK) close_gates(self, current->number);
            leat_jm_on_enumerator_snapshot(job, current->number, self->vertex, current->code == LEAT_OK,
                                           &current->data);
        }
        if (current->code != LEAT_OK)
            leat_jm_fail_region(job, leat_jm_region_of_vertex(job, self->vertex), "split enumerator", &current->error);
    }
    free_call(current);
    run_next(self);
    leat_jm_check_ended(job); /* the last I/O job may have been this one; `self` may be gone after it */
}

static leat_code start_one(leat_jm_job *job, int32_t vertex, leat_jm_enumerator *self, leat_error *error)
{
    leat_jobmanager *manager = job->jobmanager;
    int32_t parallelism = (int32_t)job->graph->vertices[vertex]->parallelism;
    *self = (leat_jm_enumerator){.context = {.env = manager->env,
                                             .config = &job->config,
                                             .job_id = job->id_text,
                                             .parallelism = parallelism,
                                             .assign = say_assign,
                                             .no_more_splits = say_no_more,
                                             .send_event = say_event,
                                             .poll_after = say_poll_after},
                                 .job = job,
                                 .vertex = vertex,
                                 .attempt = job->regions[leat_jm_region_of_vertex(job, vertex)].attempt,
                                 .poll_at_ms = INT64_MAX};
    self->last = &self->first;
    self->gates = leat_calloc((size_t)parallelism, sizeof *self->gates);
    if (!self->gates) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < parallelism; i++)
        self->gates[i].held_last = &self->gates[i].held;
    const Leat__Pb__VertexSnapshot *restored = leat_jm_restored_vertex(job, vertex);
    leat_bytes state = {0};
    bool has_state = restored && restored->has_enumerator;
    if (has_state) leat_bytes_put(&state, restored->enumerator.data, restored->enumerator.len);
    LEAT_TRY(leat_bytes_check(&state, error));
    return queue_call(self, CALL_START, has_state, &state) ? LEAT_OK : leat_fail_no_memory(error);
}

/* What has not begun is not needed any more. */
static void drop_calls(leat_jm_enumerator *self)
{
    while (self->first) {
        call *dropped = self->first;
        self->first = dropped->next;
        free_call(dropped);
    }
    self->last = &self->first;
}

static void free_one(leat_jm_enumerator *self)
{
    drop_calls(self);
    if (self->enumerator) self->enumerator->vtable->close(self->enumerator);
    for (int32_t g = 0; self->gates && g < self->context.parallelism; g++) {
        while (self->gates[g].held) {
            saying *next = self->gates[g].held->next;
            leat_free(self->gates[g].held);
            self->gates[g].held = next;
        }
    }
    leat_free(self->gates);
    *self = (leat_jm_enumerator){0};
}

static leat_code make_places(leat_jm_job *job, leat_error *error)
{
    if (job->enumerators) return LEAT_OK;
    job->enumerators = leat_calloc(job->graph->n_vertices, sizeof *job->enumerators);
    if (!job->enumerators) return leat_fail_no_memory(error);
    for (size_t v = 0; v < job->graph->n_vertices; v++) {
        if (!job->graph->vertices[v]->enumerator) continue;
        job->enumerators[job->enumerators_count++] =
            (leat_jm_enumerator){.vertex = (int32_t)v, .is_stopping = true, .has_ended = true};
    }
    return LEAT_OK;
}

leat_code leat_jm_enumerators_start(leat_jm_job *job, leat_error *error)
{
    LEAT_TRY(make_places(job, error));
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        int32_t vertex = self->vertex;
        if (!leat_jm_is_down(job, vertex)) continue;
        free_one(self);
        leat_code code = start_one(job, vertex, self, error);
        if (code == LEAT_OK) continue;
        self->vertex = vertex;
        self->has_ended = self->is_stopping = true;
        return code;
    }
    return LEAT_OK;
}

void leat_jm_enumerators_stop(leat_jm_job *job)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        if (self->is_stopping || !leat_jm_is_down(job, self->vertex)) continue;
        self->is_stopping = true;
        self->topic = NULL;
        drop_calls(self);
        (void)queue_call(self, CALL_CLOSE, 0, NULL);
    }
}

bool leat_jm_enumerators_have_ended(const leat_jm_job *job)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        bool is_needed = !leat_jm_is_down(job, job->enumerators[i].vertex);
        if (!job->enumerators[i].has_ended && !is_needed) return false;
    }
    return true;
}

void leat_jm_enumerators_free(leat_jm_job *job)
{
    for (int32_t i = 0; i < job->enumerators_count; i++)
        free_one(&job->enumerators[i]);
    leat_free(job->enumerators);
    job->enumerators = NULL;
    job->enumerators_count = 0;
}

static void cut_next(leat_jm_enumerator *self)
{
    if (self->is_stopping || self->is_cutting || self->waiting_count == 0) return;
    for (int32_t i = 0; i < self->context.parallelism; i++) {
        if (self->gates[i].checkpoint_id) return;
    }
    int64_t checkpoint_id = self->waiting[0];
    memmove(&self->waiting[0], &self->waiting[1], (size_t)--self->waiting_count * sizeof self->waiting[0]);
    self->is_cutting = true;
    (void)queue_call(self, CALL_SNAPSHOT, checkpoint_id, NULL);
}

void leat_jm_enumerators_snapshot(leat_jm_job *job, int64_t checkpoint_id)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        LEAT_ASSERT(self->waiting_count < LEAT_COORDINATOR_PENDING_MAX);
        self->waiting[self->waiting_count++] = checkpoint_id;
        cut_next(self);
    }
}

void leat_jm_enumerators_complete(leat_jm_job *job, int64_t checkpoint_id)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        if (!job->enumerators[i].is_stopping)
            (void)queue_call(&job->enumerators[i], CALL_COMPLETE, checkpoint_id, NULL);
    }
}

static void open_gate(leat_jm_enumerator *self, int32_t subtask)
{
    gate *reader = &self->gates[subtask];
    reader->checkpoint_id = 0;
    while (reader->held) {
        saying *said = reader->held;
        reader->held = said->next;
        send_saying(self, said);
        leat_free(said);
    }
    reader->held_last = &reader->held;
    cut_next(self);
}

/* The checkpoint was aborted: nobody waits for its barrier any more. */
void leat_jm_enumerators_open_gates(leat_jm_job *job, int64_t checkpoint_id)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        for (int w = 0; w < self->waiting_count; w++) {
            if (self->waiting[w] != checkpoint_id) continue;
            memmove(&self->waiting[w], &self->waiting[w + 1],
                    (size_t)(--self->waiting_count - w) * sizeof self->waiting[0]);
            break;
        }
        for (int32_t g = 0; g < self->context.parallelism; g++) {
            if (self->gates[g].checkpoint_id == checkpoint_id) open_gate(self, g);
        }
    }
}

void leat_jm_enumerators_task_finished(leat_jm_job *job, const leat_jm_task *task)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        if (self->vertex == task->vertex && !self->is_stopping) open_gate(self, task->subtask);
    }
}

static leat_jm_enumerator *find_enumerator(leat_jobmanager *manager, ProtobufCBinaryData job_id, uint32_t attempt,
                                           uint32_t vertex, uint32_t subtask)
{
    leat_jm_job *job = job_id.len == LEAT_JM_JOB_ID_BYTES ? leat_jobmanager_find(manager, job_id.data) : NULL;
    if (!job) return NULL;
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        bool is_it = self->vertex == (int32_t)vertex && self->attempt == attempt &&
                     subtask < (uint32_t)self->context.parallelism;
        if (is_it && !self->is_stopping) return self;
    }
    return NULL;
}

void leat_jm_on_source_event(leat_jobmanager *manager, const Leat__Pb__SourceEvent *message)
{
    leat_jm_enumerator *self =
        find_enumerator(manager, message->job, message->attempt, message->vertex, message->subtask);
    if (!self) return;
    leat_bytes event = {0};
    if (message->has_event) leat_bytes_put(&event, message->event.data, message->event.len);
    if (event.failed) return;
    (void)queue_call(self, message->has_event ? CALL_EVENT : CALL_REQUEST, (int64_t)message->subtask, &event);
}

void leat_jm_on_source_barrier(leat_jobmanager *manager, const Leat__Pb__SourceBarrier *message)
{
    leat_jm_enumerator *self =
        find_enumerator(manager, message->job, message->attempt, message->vertex, message->subtask);
    if (!self) return;
    if ((int64_t)message->checkpoint >= self->gates[message->subtask].checkpoint_id)
        open_gate(self, (int32_t)message->subtask);
}

/* One that waits in the queue will see all that was committed until it begins. */
static void queue_poll(leat_jm_enumerator *self)
{
    if (self->is_poll_queued) return;
    self->is_poll_queued = true;
    (void)queue_call(self, CALL_POLL, 0, NULL);
}

void leat_jm_enumerators_news(leat_jm_job *job, const char *topic)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        if (self->topic && strcmp(self->topic, topic) == 0) queue_poll(self);
    }
}

void leat_jm_enumerators_tick(leat_jm_job *job, int64_t now_ms, int64_t *next_ms)
{
    for (int32_t i = 0; i < job->enumerators_count; i++) {
        leat_jm_enumerator *self = &job->enumerators[i];
        if (self->is_stopping) continue;
        if (self->poll_at_ms <= now_ms) {
            self->poll_at_ms = INT64_MAX;
            queue_poll(self);
        }
        if (self->poll_at_ms < *next_ms) *next_ms = self->poll_at_ms;
    }
}
