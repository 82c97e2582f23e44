#include "columnar/wire.h"
#include "common/memory.h"
#include "taskmanager/job.h"
#include "taskmanager/subtask.h"
#include "taskmanager/taskmanager.h"

leat_code leat_inputs_init(leat_subtask *subtask, leat_error *error)
{
    leat_task_job *job = subtask->job;
    const Leat__Pb__JobGraph *graph = job->graph;
    int32_t count = 0;
    for (size_t i = 0; i < graph->n_edges; i++) {
        const Leat__Pb__Edge *edge = graph->edges[i];
        if ((int32_t)edge->target != subtask->vertex) continue;
        bool is_forward = edge->exchange == LEAT__PB__EXCHANGE__FORWARD;
        count += is_forward ? 1 : (int32_t)graph->vertices[edge->source]->parallelism;
    }
    subtask->inputs = leat_calloc((size_t)count, sizeof *subtask->inputs);
    if (!subtask->inputs) return leat_fail_no_memory(error);
    for (size_t i = 0; i < graph->n_edges; i++) {
        const Leat__Pb__Edge *edge = graph->edges[i];
        if ((int32_t)edge->target != subtask->vertex) continue;
        bool is_forward = edge->exchange == LEAT__PB__EXCHANGE__FORWARD;
        int32_t sources = is_forward ? 1 : (int32_t)graph->vertices[edge->source]->parallelism;
        for (int32_t s = 0; s < sources; s++) {
            leat_input_channel *channel = &subtask->inputs[subtask->inputs_count++];
            channel->edge = (int32_t)i;
            channel->source_subtask = is_forward ? subtask->index : s;
            channel->input = (int32_t)edge->input;
            channel->watermark_ms = INT64_MIN;
            channel->last = &channel->first;
            leat_channel_in_init(&channel->machine, job->credit_bytes);
        }
    }
    return leat_aligner_init(&subtask->aligner, subtask->inputs_count, error);
}

void leat_inputs_done(leat_subtask *subtask)
{
    for (int32_t i = 0; subtask->inputs && i < subtask->inputs_count; i++) {
        for (leat_element *element = subtask->inputs[i].first; element;) {
            leat_element *next = element->next;
            leat_element_free(element);
            element = next;
        }
    }
    leat_free(subtask->inputs);
    subtask->inputs = NULL;
    leat_aligner_done(&subtask->aligner);
}

/* Round robin over channels that have something and are not blocked by a barrier, or by a chain without room. */
static leat_element *take_element(leat_subtask *subtask, int32_t *channel_index)
{
    leat_element *taken = NULL;
    bool has_room = leat_chain_has_room(subtask);
    pthread_mutex_lock(&subtask->lock);
    for (int32_t i = 0; i < subtask->inputs_count && !taken; i++) {
        int32_t at = (subtask->next_input + i) % subtask->inputs_count;
        leat_input_channel *channel = &subtask->inputs[at];
        if (!channel->first || leat_aligner_is_blocked(&subtask->aligner, at)) continue;
        if (channel->first->kind == LEAT_ELEMENT_BATCH && !has_room) continue;
        taken = channel->first;
        channel->first = taken->next;
        if (!channel->first) channel->last = &channel->first;
        *channel_index = at;
        subtask->next_input = (at + 1) % subtask->inputs_count;
    }
    pthread_mutex_unlock(&subtask->lock);
    return taken;
}

static leat_code decode(leat_subtask *subtask, const leat_input_channel *channel, leat_element *element,
                        leat_error *error)
{
    if (!element->body) return LEAT_OK;
    const Leat__Pb__Edge *edge = subtask->job->graph->edges[channel->edge];
    leat_reader reader;
    leat_reader_init(&reader, edge->schema.data, edge->schema.len);
    leat_arena arena;
    leat_arena_init(&arena, 1 << 20);
    leat_schema schema;
    leat_code code = leat_schema_read(&reader, &arena, &schema, error);
    leat_layout *layouts =
        code == LEAT_OK ? leat_arena_take(&arena, (size_t)schema.fields_count * sizeof *layouts) : NULL;
    if (code == LEAT_OK && !layouts) code = leat_fail_no_memory(error);
    for (int32_t i = 0; code == LEAT_OK && i < schema.fields_count; i++) {
        layouts[i] = leat_type_layout(&schema.fields[i].type);
    }
    if (code == LEAT_OK)
        code = leat_batch_wire_read(element->body, layouts, schema.fields_count, &element->batch, error);
    leat_arena_done(&arena);
    leat_buffer_unref(element->body);
    element->body = NULL;
    return code;
}

static void give_back(leat_subtask *subtask, int32_t channel_index, int64_t bytes)
{
    leat_input_channel *channel = &subtask->inputs[channel_index];
    int64_t granted = leat_channel_in_consume(&channel->machine, bytes);
    if (granted == 0) return;
    leat_task_job *job = subtask->job;
    if (channel->peer.local) {
        leat_subtask *source = channel->peer.local;
        for (int32_t i = 0; i < source->outputs_count; i++) {
            if (source->outputs[i].edge != channel->edge) continue;
            bool is_forward = source->outputs[i].exchange == LEAT__PB__EXCHANGE__FORWARD;
            leat_subtask_grant(source, i, is_forward ? 0 : subtask->index, granted);
        }
        return;
    }
    leat_frame frame = {.kind = LEAT_FRAME_CREDIT,
                        .attempt = job->attempt,
                        .edge = (uint32_t)channel->edge,
                        .source = (uint32_t)channel->source_subtask,
                        .target = (uint32_t)subtask->index,
                        .value = granted};
    memcpy(frame.job, job->id, sizeof frame.job);
    leat_transport *transport = job->taskmanager->transport;
    transport->send_data(transport, job->deploy->locations[channel->peer.location]->data_endpoint, &frame, NULL);
}

static leat_code on_watermark(leat_subtask *subtask, leat_input_channel *channel, int64_t watermark_ms,
                              leat_error *error)
{
    if (watermark_ms > channel->watermark_ms) channel->watermark_ms = watermark_ms;
    int64_t least = INT64_MAX;
    for (int32_t i = 0; i < subtask->inputs_count; i++) {
        if (subtask->inputs[i].watermark_ms < least) least = subtask->inputs[i].watermark_ms;
    }
    if (least <= subtask->last_watermark_ms) return LEAT_OK;
    subtask->last_watermark_ms = least;
    atomic_store_explicit(&subtask->metrics.watermark_ms, least, memory_order_relaxed);
    return leat_chain_watermark(subtask, least, error);
}

static leat_code decline(leat_subtask *subtask, int64_t checkpoint_id)
{
    leat_task_job *job = subtask->job;
    Leat__Pb__CheckpointDecline message = LEAT__PB__CHECKPOINT_DECLINE__INIT;
    message.job = (ProtobufCBinaryData){LEAT_JOB_ID_BYTES, job->id};
    message.attempt = job->attempt;
    message.checkpoint = (uint64_t)checkpoint_id;
    message.vertex = (uint32_t)subtask->vertex;
    message.subtask = (uint32_t)subtask->index;
    static const char reason[] = "a newer barrier overtook it";
    message.reason = (ProtobufCBinaryData){sizeof reason - 1, (uint8_t *)(uintptr_t)reason};
    Leat__Pb__Envelope envelope = LEAT__PB__ENVELOPE__INIT;
    envelope.body_case = LEAT__PB__ENVELOPE__BODY_DECLINE;
    envelope.decline = &message;
    leat_taskmanager_send(job->taskmanager, &envelope);
    return LEAT_OK;
}

static leat_code on_align(leat_subtask *subtask, const leat_align_effect *effect, leat_error *error)
{
    if (effect->given_up_id) LEAT_TRY(decline(subtask, effect->given_up_id));
    if (effect->kind != LEAT_ALIGN_CUT) return LEAT_OK;
    return leat_subtask_cut(subtask, effect->checkpoint_id, leat_subtask_now_us(subtask) - effect->aligned_since_us,
                            error);
}

static leat_code handle(leat_subtask *subtask, int32_t channel_index, leat_element *element, leat_error *error)
{
    leat_input_channel *channel = &subtask->inputs[channel_index];
    switch (element->kind) {
    case LEAT_ELEMENT_BATCH: {
        LEAT_TRY(decode(subtask, channel, element, error));
        uint64_t rows = (uint64_t)element->batch->selected;
        leat_counter_add(&subtask->metrics.records_in, rows);
        leat_counter_add(&subtask->metrics.bytes_in, (uint64_t)element->cost_bytes);
        return leat_chain_process(subtask, channel->input, &element->batch, error);
    }
    case LEAT_ELEMENT_WATERMARK: return on_watermark(subtask, channel, element->value, error);
    case LEAT_ELEMENT_BARRIER: {
        leat_align_effect effect =
            leat_aligner_on_barrier(&subtask->aligner, channel_index, element->value, leat_subtask_now_us(subtask));
        return on_align(subtask, &effect, error);
    }
    case LEAT_ELEMENT_END_OF_DATA:
        if (!channel->has_ended_data) subtask->ended_data_count++;
        channel->has_ended_data = true;
        return on_watermark(subtask, channel, INT64_MAX, error);
    case LEAT_ELEMENT_END: {
        leat_align_effect effect = leat_aligner_on_end(&subtask->aligner, channel_index, leat_subtask_now_us(subtask));
        return on_align(subtask, &effect, error);
    }
    }
    return leat_fail(error, LEAT_CORRUPT, "element of kind %d", (int)element->kind);
}

leat_code leat_inputs_step(leat_subtask *subtask, bool *did_work, leat_error *error)
{
    *did_work = false;
    int32_t channel_index;
    leat_element *element = subtask->inputs_count ? take_element(subtask, &channel_index) : NULL;
    if (!element) return LEAT_OK;
    *did_work = true;
    int64_t cost = element->cost_bytes;
    leat_code code = handle(subtask, channel_index, element, error);
    leat_element_free(element);
    if (cost) give_back(subtask, channel_index, cost);
    return code;
}
