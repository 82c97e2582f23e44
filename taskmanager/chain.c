#include <string.h>

#include "columnar/wire.h"
#include "common/memory.h"
#include "taskmanager/job.h"
#include "taskmanager/subtask.h"
#include "taskmanager/taskmanager.h"

static leat_chain_link *link_of(leat_operator_context *context)
{
    return (leat_chain_link *)context; /* the context is the link's first member */
}

static leat_code call_process(leat_chain_link *link, int32_t input, leat_batch **batch, leat_error *error)
{
    LEAT_ASSERT(!link->is_pending); /* the caller emitted twice in a step, or did not wait for its successor */
    leat_progress progress = LEAT_DONE;
    leat_counter_add(&link->records_in, (uint64_t)(*batch)->selected);
    leat_code code = link->operator->vtable->process_batch(link->operator, input, batch, &progress, error);
    link->is_pending = progress == LEAT_AGAIN;
    leat_batch_free(*batch);
    *batch = NULL;
    return code == LEAT_OK ? code : leat_fail_in(error, code, "%s", link->context.operator_name);
}

static leat_code host_emit(leat_operator_context *context, leat_batch **batch, leat_error *error)
{
    leat_chain_link *link = link_of(context);
    if ((*batch)->selected == 0) {
        leat_batch_free(*batch);
        *batch = NULL;
        return LEAT_OK;
    }
    leat_counter_add(&link->records_out, (uint64_t)(*batch)->selected);
    if (link->index + 1 < link->subtask->chain_count) return call_process(link + 1, 0, batch, error);
    return leat_outputs_emit(link->subtask, batch, error);
}

static leat_code pass_watermark(leat_chain_link *link, int64_t watermark_ms, leat_error *error)
{
    if (link->index == link->subtask->chain_count) {
        return leat_outputs_broadcast(link->subtask, LEAT_ELEMENT_WATERMARK, watermark_ms, error);
    }
    atomic_store_explicit(&link->input_watermark_ms, watermark_ms, memory_order_relaxed);
    const leat_operator_vtable *vtable = link->operator->vtable;
    if (vtable->process_watermark) return vtable->process_watermark(link->operator, watermark_ms, error);
    return link->context.host->emit_watermark(&link->context, watermark_ms, error);
}

static leat_code host_emit_watermark(leat_operator_context *context, int64_t watermark_ms, leat_error *error)
{
    leat_chain_link *link = link_of(context);
    atomic_store_explicit(&link->output_watermark_ms, watermark_ms, memory_order_relaxed);
    if (link->index + 1 == link->subtask->chain_count) {
        return leat_outputs_broadcast(link->subtask, LEAT_ELEMENT_WATERMARK, watermark_ms, error);
    }
    return pass_watermark(link + 1, watermark_ms, error);
}

static void host_wake(leat_operator_context *context)
{
    leat_chain_link *link = link_of(context);
    /* release: what the waker wrote is seen by the worker that takes the flag. */
    atomic_store_explicit(&link->is_woken, true, memory_order_release);
    leat_executor *executor = link->subtask->job->taskmanager->executor;
    executor->schedule(executor, &link->subtask->runnable);
}

static void host_set_timer(leat_operator_context *context, int64_t at_us)
{
    link_of(context)->timer_us = at_us;
}

/* A spawned job is wrapped so that the subtask knows when it may close. */
typedef struct counted_job {
    leat_job job;
    leat_job *inner;
    leat_subtask *subtask;
} counted_job;

static void run_counted(leat_job *job, leat_env *env)
{
    counted_job *counted = (counted_job *)job;
    counted->inner->run(counted->inner, env);
}

static void done_counted(leat_job *job, leat_env *env)
{
    counted_job *counted = (counted_job *)job;
    leat_subtask *subtask = counted->subtask;
    leat_task_job *owner = leat_task_job_ref(subtask->job); /* the subtask may close once the count is down */
    counted->inner->done(counted->inner, env);
    leat_free(counted);
    atomic_fetch_sub_explicit(&subtask->jobs_running, 1, memory_order_acq_rel);
    leat_executor *executor = owner->taskmanager->executor;
    executor->schedule(executor, &subtask->runnable);
    leat_task_job_unref(owner);
}

static leat_code host_spawn(leat_operator_context *context, leat_job *job, leat_error *error)
{
    leat_chain_link *link = link_of(context);
    counted_job *counted = leat_alloc(sizeof *counted);
    if (!counted) return leat_fail_no_memory(error);
    *counted = (counted_job){.job = {.run = run_counted, .done = done_counted}, .inner = job, .subtask = link->subtask};
    atomic_fetch_add_explicit(&link->subtask->jobs_running, 1, memory_order_relaxed);
    leat_code code = leat_env_spawn(context->env, &counted->job, error);
    if (code != LEAT_OK) {
        atomic_fetch_sub_explicit(&link->subtask->jobs_running, 1, memory_order_relaxed);
        leat_free(counted);
    }
    return code;
}

static leat_code host_send_event(leat_operator_context *context, const uint8_t *event, size_t size, leat_error *error)
{
    (void)error;
    leat_subtask *subtask = link_of(context)->subtask;
    leat_task_job *job = subtask->job;
    Leat__Pb__SourceEvent message = LEAT__PB__SOURCE_EVENT__INIT;
    message.job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, job->id};
    message.attempt = job->attempt;
    message.vertex = (uint32_t)subtask->vertex;
    message.subtask = (uint32_t)subtask->index;
    message.has_event = event != NULL;
    message.event = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)event};
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_SOURCE_EVENT;
    envelope.source_event = &message;
    leat_taskmanager_send(job->taskmanager, &envelope);
    return LEAT_OK;
}

enum { COLLECT_ROWS_MAX = 64 * 1024 }; /* rows under way to the job manager */

static leat_code host_collect(leat_operator_context *context, leat_batch *batch, bool is_end, leat_error *error)
{
    leat_subtask *subtask = link_of(context)->subtask;
    leat_task_job *job = subtask->job;
    uint64_t rows = batch ? (uint64_t)batch->selected : 0;
    if (rows && subtask->collect_sent - subtask->collect_acked + rows > COLLECT_ROWS_MAX) {
        return leat_fail(error, LEAT_LIMIT, "%d rows wait to be fetched", COLLECT_ROWS_MAX);
    }
    Leat__Pb__CollectRows message = LEAT__PB__COLLECT_ROWS__INIT;
    leat_buffer *body = batch ? leat_buffer_new(leat_batch_wire_bytes(batch)) : NULL;
    if (batch && !body) return leat_fail_no_memory(error);
    if (batch) leat_batch_wire_write(batch, body->data);
    message.job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, job->id};
    message.attempt = job->attempt;
    message.sequence = subtask->collect_sent;
    message.rows = (uint32_t)rows;
    message.batch = (ProtobufCBinaryData){body ? body->size_bytes : 0, body ? body->data : NULL};
    message.is_end = is_end;
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_COLLECT_ROWS;
    envelope.collect_rows = &message;
    leat_taskmanager_send(job->taskmanager, &envelope);
    leat_buffer_unref(body);
    subtask->collect_sent += rows;
    return LEAT_OK;
}

static void host_set_gauge(leat_operator_context *context, const char *name, int64_t value)
{
    leat_chain_link *link = link_of(context);
    int count = atomic_load_explicit(&link->gauges_count, memory_order_relaxed);
    int at = 0;
    while (at < count && strcmp(link->gauge_names[at], name) != 0)
        at++;
    if (at == LEAT_GAUGES_MAX) return;
    link->gauge_names[at] = name;
    atomic_store_explicit(&link->gauges[at], value, memory_order_relaxed);
    /* release: the heartbeat thread reads names up to the count. */
    if (at == count) atomic_store_explicit(&link->gauges_count, count + 1, memory_order_release);
}

static void host_follow(leat_operator_context *context, const char *topic)
{
    link_of(context)->topic = topic;
}

static bool host_may_write(leat_operator_context *context)
{
    leat_task_job *job = link_of(context)->subtask->job;
    return !atomic_load_explicit(&job->is_fenced, memory_order_relaxed) && leat_taskmanager_has_lease(job->taskmanager);
}

static const leat_operator_host chain_host = {.emit = host_emit,
                                              .emit_watermark = host_emit_watermark,
                                              .wake = host_wake,
                                              .set_timer = host_set_timer,
                                              .spawn = host_spawn,
                                              .send_event = host_send_event,
                                              .collect = host_collect,
                                              .set_gauge = host_set_gauge,
                                              .follow = host_follow,
                                              .may_write = host_may_write};

leat_code leat_chain_create(leat_subtask *subtask, leat_error *error)
{
    leat_task_job *job = subtask->job;
    leat_taskmanager *taskmanager = job->taskmanager;
    subtask->chain = leat_calloc(subtask->plan->n_operators, sizeof *subtask->chain);
    if (!subtask->chain) return leat_fail_no_memory(error);
    int64_t slot_bytes = leat_config_memory_bytes(taskmanager->config, LEAT_OPTION_PROCESS_MEMORY) * 6 / 10 /
                         (taskmanager->slots > 0 ? taskmanager->slots : 1);
    for (size_t i = 0; i < subtask->plan->n_operators; i++) {
        const Leat__Pb__Operator *plan = subtask->plan->operators[i];
        leat_chain_link *link = &subtask->chain[i];
        *link = (leat_chain_link){.subtask = subtask, .index = (int32_t)i, .timer_us = INT64_MAX};
        atomic_init(&link->input_watermark_ms, INT64_MIN);
        atomic_init(&link->output_watermark_ms, INT64_MIN);
        link->context = (leat_operator_context){
            .host = &chain_host,
            .env = taskmanager->env,
            .config = &job->config,
            .registry = taskmanager->registry,
            .job_id = job->id_text,
            .job_name = job->graph->name,
            .operator_uid = plan->uid,
            .operator_name = plan->name,
            .attempt = (int32_t)job->attempt,
            .subtask = subtask->index,
            .parallelism = subtask->parallelism,
            .max_parallelism = subtask->max_parallelism,
            .is_batch = job->graph->is_batch,
            .has_checkpoints = job->has_checkpoints,
            .memory_bytes = slot_bytes,
        };
        const leat_operator_factory *factory;
        LEAT_TRY(leat_registry_find_operator(taskmanager->registry, plan->type, &factory, error));
        leat_code code = factory->create(&link->context, plan->config.data, plan->config.len, &link->operator, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "create operator %s", plan->name);
        link->operator->context = & link->context;
        subtask->chain_count++;
    }
    return LEAT_OK;
}

enum { PARTS_MAX = 65536 };

static leat_code open_link(leat_chain_link *link, const leat_restored_part *parts, size_t count, leat_error *error)
{
    const Leat__Pb__Deploy *deploy = link->subtask->job->deploy;
    leat_restored restored = {(int64_t)deploy->restored_checkpoint, parts, count};
    const leat_restored *given = deploy->has_restored_checkpoint && count ? &restored : NULL;
    leat_code code = link->operator->vtable->open(link->operator, given, error);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "open %s", link->context.operator_name);
}

/* With unchanged parallelism an operator gets its own part only. State in files was fetched by the job manager's side
 * of restore into `state`, see leat_task_job_new. */
static leat_code open_with_parts(leat_chain_link *link, leat_error *error)
{
    const leat_subtask *subtask = link->subtask;
    const Leat__Pb__Deploy *deploy = subtask->job->deploy;
    leat_restored_part *parts = leat_alloc((deploy->n_restored + 1) * sizeof *parts);
    if (!parts) return leat_fail_no_memory(error);
    size_t count = 0;
    for (size_t i = 0; i < deploy->n_restored; i++) {
        const Leat__Pb__RestoredPart *part = deploy->restored[i];
        if (strcmp(part->snapshot->uid, link->context.operator_uid) != 0) continue;
        bool is_same = (int32_t)part->parallelism == subtask->parallelism;
        if (is_same && (int32_t)part->subtask != subtask->index) continue;
        parts[count++] = (leat_restored_part){(int32_t)part->subtask, (int32_t)part->parallelism,
                                              part->snapshot->state.data, part->snapshot->state.len};
    }
    leat_code code = open_link(link, parts, count, error);
    leat_free(parts);
    return code;
}

leat_code leat_chain_open(leat_subtask *subtask, leat_error *error)
{
    /* Last first: nothing can be emitted into an operator that is not open. */
    for (int32_t i = subtask->chain_count - 1; i >= 0; i--) {
        LEAT_TRY(open_with_parts(&subtask->chain[i], error));
    }
    return LEAT_OK;
}

void leat_chain_close(leat_subtask *subtask)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        leat_operator *operator= subtask->chain[i].operator;
        if (operator) operator->vtable->close(operator);
        subtask->chain[i].operator= NULL;
        subtask->chain[i].topic = NULL;
    }
}

leat_code leat_chain_process(leat_subtask *subtask, int32_t input, leat_batch **batch, leat_error *error)
{
    return call_process(&subtask->chain[0], input, batch, error);
}

leat_code leat_chain_watermark(leat_subtask *subtask, int64_t watermark_ms, leat_error *error)
{
    return pass_watermark(&subtask->chain[0], watermark_ms, error);
}

bool leat_chain_is_pending(const leat_subtask *subtask)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        if (subtask->chain[i].is_pending) return true;
    }
    return false;
}

bool leat_chain_has_room(const leat_subtask *subtask)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        const leat_operator *operator= subtask->chain[i].operator;
        if (operator->vtable->has_room && !operator->vtable->has_room(operator)) return false;
    }
    return true;
}

bool leat_chain_is_waiting(const leat_subtask *subtask)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        const leat_operator *operator= subtask->chain[i].operator;
        if (operator->vtable->is_waiting && operator->vtable->is_waiting(operator)) return true;
    }
    return false;
}

leat_code leat_chain_resume(leat_subtask *subtask, bool *had_pending, leat_error *error)
{
    *had_pending = false;
    for (int32_t i = subtask->chain_count - 1; i >= 0; i--) {
        leat_chain_link *link = &subtask->chain[i];
        if (!link->is_pending) continue;
        *had_pending = true;
        leat_progress progress = LEAT_DONE;
        leat_code code = link->operator->vtable->resume(link->operator, & progress, error);
        link->is_pending = progress == LEAT_AGAIN;
        return code == LEAT_OK ? code : leat_fail_in(error, code, "%s", link->context.operator_name);
    }
    return LEAT_OK;
}

leat_code leat_chain_drain(leat_subtask *subtask, leat_error *error)
{
    bool had_pending;
    do {
        LEAT_TRY(leat_chain_resume(subtask, &had_pending, error));
    } while (had_pending);
    return LEAT_OK;
}

/* News, the wake or the timer of one operator. Nothing below it is pending: the caller resumed all of that first. */
static leat_code fire_link(leat_chain_link *link, int64_t now_us, bool *did_work, leat_error *error)
{
    const leat_operator_vtable *vtable = link->operator->vtable;
    leat_progress progress = LEAT_DONE;
    leat_code code = LEAT_OK;
    if (link->has_news) {
        *did_work = true;
        link->has_news = false;
        if (vtable->on_news) code = vtable->on_news(link->operator, & progress, error);
        /* acquire: pairs with the release in host_wake. */
    } else if (atomic_exchange_explicit(&link->is_woken, false, memory_order_acquire)) {
        *did_work = true;
        if (vtable->on_wake) code = vtable->on_wake(link->operator, & progress, error);
    } else if (link->timer_us <= now_us) {
        *did_work = true;
        link->timer_us = INT64_MAX;
        if (vtable->on_timer) code = vtable->on_timer(link->operator, now_us, &progress, error);
    }
    link->is_pending = progress == LEAT_AGAIN;
    return code == LEAT_OK ? code : leat_fail_in(error, code, "%s", link->context.operator_name);
}

leat_code leat_chain_fire(leat_subtask *subtask, int64_t now_us, int64_t *deadline_us, bool *did_work,
                          leat_error *error)
{
    *did_work = false;
    *deadline_us = INT64_MAX;
    for (int32_t i = subtask->chain_count - 1; i >= 0; i--) {
        leat_chain_link *link = &subtask->chain[i];
        if (!leat_chain_is_pending(subtask)) LEAT_TRY(fire_link(link, now_us, did_work, error));
        if (link->timer_us < *deadline_us) *deadline_us = link->timer_us;
    }
    return LEAT_OK;
}

leat_code leat_chain_end_input(leat_subtask *subtask, leat_error *error)
{
    for (int32_t i = 0; i < subtask->chain_count; i++) {
        leat_chain_link *link = &subtask->chain[i];
        LEAT_TRY(leat_chain_drain(subtask, error));
        if (!link->operator->vtable->end_input) continue;
        leat_progress progress = LEAT_DONE;
        leat_code code = link->operator->vtable->end_input(link->operator, & progress, error);
        link->is_pending = progress == LEAT_AGAIN;
        if (code != LEAT_OK) return leat_fail_in(error, code, "%s", link->context.operator_name);
    }
    return leat_chain_drain(subtask, error);
}
