#include <string.h>

#include "columnar/hash.h"
#include "columnar/wire.h"
#include "common/memory.h"
#include "taskmanager/job.h"
#include "taskmanager/subtask.h"
#include "taskmanager/taskmanager.h"

void leat_element_free(leat_element *element)
{
    if (!element) return;
    leat_batch_free(element->batch);
    leat_buffer_unref(element->body);
    leat_free(element);
}

static leat_code init_edge(leat_subtask *subtask, leat_output_edge *output, int32_t edge_index, leat_error *error)
{
    leat_task_job *job = subtask->job;
    const Leat__Pb__Edge *edge = job->graph->edges[edge_index];
    const Leat__Pb__Vertex *target = job->graph->vertices[edge->target];
    output->edge = edge_index;
    output->exchange = edge->exchange;
    leat_reader reader;
    leat_reader_init(&reader, edge->schema.data, edge->schema.len);
    LEAT_TRY(leat_schema_read(&reader, &job->arena, &output->schema, error));
    int32_t columns = output->schema.fields_count;
    output->layouts = leat_arena_take(&job->arena, (size_t)(columns + 1) * sizeof *output->layouts);
    output->key_columns = leat_arena_take(&job->arena, (edge->n_key_columns + 1) * sizeof *output->key_columns);
    output->key_types = leat_arena_take(&job->arena, (edge->n_key_columns + 1) * sizeof *output->key_types);
    if (!output->layouts || !output->key_columns || !output->key_types) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < columns; i++) {
        if (!leat_type_has_column(&output->schema.fields[i].type)) {
            return leat_fail(error, LEAT_UNSUPPORTED, "column '%s': its type has no columns yet",
                             output->schema.fields[i].name);
        }
        output->layouts[i] = leat_type_layout(&output->schema.fields[i].type);
    }
    for (size_t i = 0; i < edge->n_key_columns; i++) {
        output->key_columns[i] = (int32_t)edge->key_columns[i];
        if (edge->exchange == LEAT__PB__EXCHANGE__CUSTOM) continue; /* its column is not part of the edge's schema */
        if (output->key_columns[i] >= columns) return leat_fail(error, LEAT_CORRUPT, "edge %d: key column", edge_index);
        output->key_types[i] = output->schema.fields[output->key_columns[i]].type;
    }
    output->key_columns_count = (int32_t)edge->n_key_columns;
    output->max_parallelism = target->has_max_parallelism ? (int32_t)target->max_parallelism
                                                          : leat_default_max_parallelism((int32_t)target->parallelism);
    bool is_forward = edge->exchange == LEAT__PB__EXCHANGE__FORWARD;
    output->channels_count = is_forward ? 1 : (int32_t)target->parallelism;
    output->is_whole = edge->exchange != LEAT__PB__EXCHANGE__HASH && edge->exchange != LEAT__PB__EXCHANGE__CUSTOM;
    output->channels = leat_calloc((size_t)output->channels_count, sizeof *output->channels);
    if (!output->channels) return leat_fail_no_memory(error);
    output->next_channel = subtask->index % output->channels_count;
    for (int32_t i = 0; i < output->channels_count; i++) {
        leat_channel_out_init(&output->channels[i].machine, job->credit_bytes);
        LEAT_TRY(leat_batch_builder_init(&output->channels[i].builder, output->layouts, columns, LEAT_BATCH_ROWS_MAX,
                                         error));
    }
    return LEAT_OK;
}

leat_code leat_outputs_init(leat_subtask *subtask, leat_error *error)
{
    const Leat__Pb__JobGraph *graph = subtask->job->graph;
    subtask->outputs = leat_calloc(graph->n_edges, sizeof *subtask->outputs);
    if (!subtask->outputs) return leat_fail_no_memory(error);
    for (size_t i = 0; i < graph->n_edges; i++) {
        if ((int32_t)graph->edges[i]->source != subtask->vertex) continue;
        leat_output_edge *output = &subtask->outputs[subtask->outputs_count++];
        leat_code code = init_edge(subtask, output, (int32_t)i, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "edge %zu", i);
    }
    return LEAT_OK;
}

void leat_outputs_done(leat_subtask *subtask)
{
    for (int32_t i = 0; subtask->outputs && i < subtask->outputs_count; i++) {
        leat_output_edge *output = &subtask->outputs[i];
        for (int32_t c = 0; output->channels && c < output->channels_count; c++) {
            leat_batch_builder_done(&output->channels[c].builder);
        }
        leat_free(output->channels);
    }
    leat_free(subtask->outputs);
    subtask->outputs = NULL;
}

bool leat_outputs_have_room(leat_subtask *subtask)
{
    bool has_room = true;
    pthread_mutex_lock(&subtask->lock);
    for (int32_t i = 0; i < subtask->outputs_count; i++) {
        leat_output_edge *output = &subtask->outputs[i];
        for (int32_t c = 0; c < output->channels_count; c++) {
            leat_output_channel *channel = &output->channels[c];
            /* Grants were checked against the limit when they arrived. */
            channel->machine.credit_bytes += channel->granted_bytes;
            channel->granted_bytes = 0;
            has_room = has_room && leat_channel_out_has_room(&channel->machine);
        }
    }
    pthread_mutex_unlock(&subtask->lock);
    return has_room;
}

static leat_code send_local(leat_subtask *subtask, leat_output_edge *output, leat_output_channel *channel,
                            leat_element_kind kind, int64_t value, leat_batch **batch, int64_t cost, leat_error *error)
{
    leat_element *element = leat_calloc(1, sizeof *element);
    if (!element) return leat_fail_no_memory(error);
    element->kind = kind;
    element->value = value;
    element->cost_bytes = cost;
    element->sequence = leat_channel_out_send(&channel->machine, cost);
    if (batch) {
        element->batch = *batch;
        *batch = NULL;
    }
    leat_subtask *target = channel->peer.local;
    for (int32_t i = 0; i < target->inputs_count; i++) {
        const leat_input_channel *input = &target->inputs[i];
        if (input->edge == output->edge && input->source_subtask == subtask->index) {
            leat_subtask_deliver(target, i, element);
            return LEAT_OK;
        }
    }
    leat_element_free(element);
    return leat_fail(error, LEAT_CORRUPT, "edge %d has no input channel from subtask %d", output->edge, subtask->index);
}

static leat_code send(leat_subtask *subtask, leat_output_edge *output, int32_t channel_index, leat_element_kind kind,
                      int64_t value, leat_batch **batch, leat_error *error)
{
    leat_output_channel *channel = &output->channels[channel_index];
    size_t wire_bytes = batch ? leat_batch_wire_bytes(*batch) : 0;
    leat_counter_add(&subtask->metrics.bytes_out, wire_bytes);
    if (channel->peer.local) {
        return send_local(subtask, output, channel, kind, value, batch, (int64_t)wire_bytes, error);
    }
    leat_task_job *job = subtask->job;
    leat_buffer *body = NULL;
    if (batch) {
        body = leat_buffer_new(wire_bytes);
        if (!body) return leat_fail_no_memory(error);
        leat_batch_wire_write(*batch, body->data);
        leat_batch_free(*batch);
        *batch = NULL;
    }
    leat_frame frame = {
        .kind = (uint8_t)kind,
        .attempt = job->attempt,
        .edge = (uint32_t)output->edge,
        .source = (uint32_t)subtask->index,
        .target = (uint32_t)(output->exchange == LEAT__PB__EXCHANGE__FORWARD ? subtask->index : channel_index),
        .sequence = leat_channel_out_send(&channel->machine, (int64_t)wire_bytes),
        .value = value,
        .bytes = wire_bytes};
    memcpy(frame.job, job->id, sizeof frame.job);
    leat_transport *transport = job->taskmanager->transport;
    transport->send_data(transport, job->deploy->locations[channel->peer.location]->data_endpoint, &frame, body);
    leat_buffer_unref(body);
    return LEAT_OK;
}

static leat_code flush_channel(leat_subtask *subtask, leat_output_edge *output, int32_t channel_index,
                               leat_error *error)
{
    leat_output_channel *channel = &output->channels[channel_index];
    if (channel->builder.rows == 0) return LEAT_OK;
    leat_batch *batch;
    LEAT_TRY(leat_batch_builder_finish(&channel->builder, &batch, error));
    leat_code code = send(subtask, output, channel_index, LEAT_ELEMENT_BATCH, 0, &batch, error);
    leat_batch_free(batch);
    return code;
}

static leat_code append_to_channel(leat_subtask *subtask, leat_output_edge *output, int32_t channel_index,
                                   const leat_batch *batch, const uint16_t *rows, int32_t count, leat_error *error)
{
    leat_output_channel *channel = &output->channels[channel_index];
    while (count > 0) {
        int32_t room = channel->builder.capacity_rows - channel->builder.rows;
        int32_t taken = count < room ? count : room;
        if (channel->builder.rows == 0) channel->builder_since_us = leat_subtask_now_us(subtask);
        LEAT_TRY(leat_batch_builder_append_rows(&channel->builder, batch, rows, taken, error));
        if (leat_batch_builder_is_full(&channel->builder) ||
            (int64_t)leat_batch_builder_bytes(&channel->builder) >= subtask->job->batch_bytes) {
            LEAT_TRY(flush_channel(subtask, output, channel_index, error));
        }
        rows += taken;
        count -= taken;
    }
    return LEAT_OK;
}

/* The channel of each selected row. */
static leat_code targets_of(const leat_output_edge *output, const leat_batch *batch, uint16_t *targets,
                            leat_error *error)
{
    if (output->exchange == LEAT__PB__EXCHANGE__CUSTOM) {
        const int32_t *wanted = batch->columns[output->key_columns[0]].values;
        for (int32_t i = 0; i < batch->selected; i++) {
            int32_t target = wanted[leat_batch_row(batch, i)];
            if (target < 0 || target >= output->channels_count) {
                return leat_fail(error, LEAT_CORRUPT, "row goes to subtask %d of %d", target, output->channels_count);
            }
            targets[i] = (uint16_t)target;
        }
        return LEAT_OK;
    }
    static _Thread_local uint64_t hashes[LEAT_BATCH_ROWS_MAX];
    leat_hash_rows(batch, output->key_columns, output->key_types, output->key_columns_count, hashes);
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t group = leat_key_group(hashes[i], output->max_parallelism);
        targets[i] = (uint16_t)leat_key_group_subtask(group, output->max_parallelism, output->channels_count);
    }
    return LEAT_OK;
}

/* Counting sort of the rows by channel, then one gather a channel. */
static leat_code partition(leat_subtask *subtask, leat_output_edge *output, const leat_batch *batch, leat_error *error)
{
    static _Thread_local uint16_t targets[LEAT_BATCH_ROWS_MAX], sorted[LEAT_BATCH_ROWS_MAX];
    int32_t first[257], *starts = first;
    if (output->channels_count > 256) {
        starts = leat_alloc(((size_t)output->channels_count + 1) * sizeof *starts);
        if (!starts) return leat_fail_no_memory(error);
    }
    leat_code code = targets_of(output, batch, targets, error);
    if (code == LEAT_OK) {
        memset(starts, 0, ((size_t)output->channels_count + 1) * sizeof *starts);
        for (int32_t i = 0; i < batch->selected; i++)
            starts[targets[i] + 1]++;
        for (int32_t c = 0; c < output->channels_count; c++)
            starts[c + 1] += starts[c];
        for (int32_t i = 0; i < batch->selected; i++)
            sorted[starts[targets[i]]++] = (uint16_t)leat_batch_row(batch, i);
    }
    int32_t begin = 0; /* starts[c] is now the end of channel c */
    for (int32_t c = 0; code == LEAT_OK && c < output->channels_count; c++) {
        code = append_to_channel(subtask, output, c, batch, sorted + begin, starts[c] - begin, error);
        begin = starts[c];
    }
    if (starts != first) leat_free(starts);
    return code;
}

static leat_code emit_to_edge(leat_subtask *subtask, leat_output_edge *output, leat_batch **batch, leat_error *error)
{
    if (!output->is_whole) {
        if (output->exchange == LEAT__PB__EXCHANGE__CUSTOM && output->channels_count == 1 &&
            output->key_columns[0] == (*batch)->columns_count - 1) { /* one place to go to: nothing needs copying */
            (*batch)->columns_count--;
            leat_column_clear(&(*batch)->columns[(*batch)->columns_count]);
            return send(subtask, output, 0, LEAT_ELEMENT_BATCH, 0, batch, error);
        }
        if (output->channels_count > 1 || output->exchange == LEAT__PB__EXCHANGE__CUSTOM) {
            return partition(subtask, output, *batch, error);
        }
        return send(subtask, output, 0, LEAT_ELEMENT_BATCH, 0, batch, error);
    }
    if (output->exchange == LEAT__PB__EXCHANGE__BROADCAST) {
        for (int32_t c = 0; c + 1 < output->channels_count; c++) {
            leat_batch *shared = leat_batch_share(*batch);
            if (!shared) return leat_fail_no_memory(error);
            leat_code code = send(subtask, output, c, LEAT_ELEMENT_BATCH, 0, &shared, error);
            leat_batch_free(shared);
            if (code != LEAT_OK) return code;
        }
        return send(subtask, output, output->channels_count - 1, LEAT_ELEMENT_BATCH, 0, batch, error);
    }
    int32_t channel = 0; /* FORWARD, GLOBAL */
    if (output->exchange == LEAT__PB__EXCHANGE__REBALANCE) {
        channel = output->next_channel;
        output->next_channel = (channel + 1) % output->channels_count;
    }
    return send(subtask, output, channel, LEAT_ELEMENT_BATCH, 0, batch, error);
}

leat_code leat_outputs_emit(leat_subtask *subtask, leat_batch **batch, leat_error *error)
{
    uint64_t rows = (uint64_t)(*batch)->selected;
    leat_counter_add(&subtask->metrics.records_out, rows);
    leat_code code = LEAT_OK;
    for (int32_t i = 0; code == LEAT_OK && i < subtask->outputs_count; i++) {
        if (i + 1 == subtask->outputs_count) {
            code = emit_to_edge(subtask, &subtask->outputs[i], batch, error);
            break;
        }
        leat_batch *shared = leat_batch_share(*batch);
        if (!shared) return leat_fail_no_memory(error);
        code = emit_to_edge(subtask, &subtask->outputs[i], &shared, error);
        leat_batch_free(shared);
    }
    leat_batch_free(*batch);
    *batch = NULL;
    return code;
}

leat_code leat_outputs_broadcast(leat_subtask *subtask, leat_element_kind kind, int64_t value, leat_error *error)
{
    for (int32_t i = 0; i < subtask->outputs_count; i++) {
        leat_output_edge *output = &subtask->outputs[i];
        for (int32_t c = 0; c < output->channels_count; c++) {
            LEAT_TRY(flush_channel(subtask, output, c, error));
            LEAT_TRY(send(subtask, output, c, kind, value, NULL, error));
        }
    }
    return LEAT_OK;
}

leat_code leat_outputs_flush(leat_subtask *subtask, int64_t now_us, int64_t *deadline_us, leat_error *error)
{
    *deadline_us = INT64_MAX;
    for (int32_t i = 0; i < subtask->outputs_count; i++) {
        leat_output_edge *output = &subtask->outputs[i];
        for (int32_t c = 0; !output->is_whole && c < output->channels_count; c++) {
            leat_output_channel *channel = &output->channels[c];
            if (channel->builder.rows == 0) continue;
            int64_t due_us = channel->builder_since_us + subtask->job->buffer_timeout_us;
            if (due_us <= now_us)
                LEAT_TRY(flush_channel(subtask, output, c, error));
            else if (due_us < *deadline_us)
                *deadline_us = due_us;
        }
    }
    return LEAT_OK;
}
