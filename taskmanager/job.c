#include "taskmanager/job.h"

#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "taskmanager/taskmanager.h"

enum { ARENA_BYTES_MAX = 64 << 20, VERTICES_MAX = 4096, PARALLELISM_MAX = 4096 };

/* Everything that later code indexes with is checked here once. */
static leat_code check_graph(const Leat__Pb__JobGraph *graph, leat_error *error)
{
    if (graph->version != 1) return leat_fail(error, LEAT_UNSUPPORTED, "job graph of version %u", graph->version);
    if (graph->n_vertices == 0 || graph->n_vertices > VERTICES_MAX) {
        return leat_fail(error, LEAT_CORRUPT, "job graph of %zu vertices", graph->n_vertices);
    }
    for (size_t i = 0; i < graph->n_vertices; i++) {
        const Leat__Pb__Vertex *vertex = graph->vertices[i];
        if (vertex->parallelism == 0 || vertex->parallelism > PARALLELISM_MAX || vertex->n_operators == 0) {
            return leat_fail(error, LEAT_CORRUPT, "vertex %zu: parallelism %u, %zu operators", i, vertex->parallelism,
                             vertex->n_operators);
        }
    }
    for (size_t i = 0; i < graph->n_edges; i++) {
        const Leat__Pb__Edge *edge = graph->edges[i];
        if (edge->target >= graph->n_vertices || edge->source >= edge->target) {
            return leat_fail(error, LEAT_CORRUPT, "edge %zu goes from vertex %u to %u", i, edge->source, edge->target);
        }
        bool is_forward = edge->exchange == LEAT__PB__EXCHANGE__FORWARD;
        if (is_forward && graph->vertices[edge->source]->parallelism != graph->vertices[edge->target]->parallelism) {
            return leat_fail(error, LEAT_CORRUPT, "forward edge %zu between different parallelisms", i);
        }
        if (edge->exchange == LEAT__PB__EXCHANGE__CUSTOM && edge->n_key_columns != 1) {
            return leat_fail(error, LEAT_CORRUPT, "custom edge %zu without its column", i);
        }
    }
    return LEAT_OK;
}

static leat_code check_deploy(const Leat__Pb__Deploy *deploy, const Leat__Pb__JobGraph *graph, leat_error *error)
{
    if (deploy->job.len != LEAT_JOB_ID_BYTES)
        return leat_fail(error, LEAT_CORRUPT, "job id of %zu bytes", deploy->job.len);
    for (size_t i = 0; i < deploy->n_placements; i++) {
        const Leat__Pb__SubtaskPlacement *placement = deploy->placements[i];
        if (placement->vertex >= graph->n_vertices || placement->location >= deploy->n_locations ||
            placement->subtask >= graph->vertices[placement->vertex]->parallelism) {
            return leat_fail(error, LEAT_CORRUPT, "placement %zu names what is not there", i);
        }
    }
    return LEAT_OK;
}

static leat_code read_options(leat_task_job *job, leat_error *error)
{
    for (size_t i = 0; i < job->deploy->n_config; i++) {
        const Leat__Pb__ConfigEntry *entry = job->deploy->config[i];
        char *value = leat_strndup((const char *)entry->value.data, entry->value.len);
        if (!value) return leat_fail_no_memory(error);
        leat_code code = leat_config_set(&job->config, entry->key, value, error);
        leat_free(value);
        if (code != LEAT_OK) return code;
    }
    job->has_checkpoints =
        !job->graph->is_batch && leat_config_duration_ms(&job->config, LEAT_OPTION_CHECKPOINT_INTERVAL) > 0;
    job->buffer_timeout_us = leat_config_duration_ms(&job->config, LEAT_OPTION_BUFFER_TIMEOUT) * 1000;
    job->credit_bytes = leat_config_memory_bytes(job->taskmanager->config, LEAT_OPTION_CREDIT_BYTES);
    job->batch_bytes = leat_config_memory_bytes(job->taskmanager->config, LEAT_OPTION_BATCH_BYTES);
    job->state_inline_bytes = leat_config_memory_bytes(&job->config, LEAT_OPTION_STATE_INLINE_BYTES);
    /* What may still travel inside the acknowledgement is not uploaded. */
    int64_t part_bytes = leat_config_memory_bytes(&job->config, LEAT_OPTION_STATE_PART_BYTES);
    if (part_bytes <= job->state_inline_bytes) part_bytes = job->state_inline_bytes + 1;
    if (job->has_checkpoints && job->deploy->checkpoint_dir[0]) job->state_part_bytes = (size_t)part_bytes;
    return LEAT_OK;
}

static leat_code make_subtasks(leat_task_job *job, leat_error *error)
{
    const Leat__Pb__Deploy *deploy = job->deploy;
    job->subtasks = leat_calloc(deploy->n_placements, sizeof *job->subtasks);
    if (!job->subtasks) return leat_fail_no_memory(error);
    for (size_t i = 0; i < deploy->n_placements; i++) {
        const Leat__Pb__SubtaskPlacement *placement = deploy->placements[i];
        if ((int32_t)placement->location != job->here) continue;
        leat_subtask *subtask = &job->subtasks[job->subtasks_count++];
        leat_code code =
            leat_subtask_init(subtask, job, (int32_t)placement->vertex, (int32_t)placement->subtask, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "%s", job->graph->vertices[placement->vertex]->name);
    }
    return LEAT_OK;
}

static leat_code find_peer(leat_task_job *job, uint32_t vertex, int32_t index, leat_peer *out, leat_error *error)
{
    out->local = leat_task_job_find(job, (int32_t)vertex, index);
    out->location = leat_task_job_locate(job, (int32_t)vertex, index);
    if (out->location >= 0) return LEAT_OK;
    return leat_fail(error, LEAT_CORRUPT, "subtask %d of vertex %u is placed nowhere", index, vertex);
}

static leat_code connect_peers(leat_task_job *job, leat_error *error)
{
    for (int32_t i = 0; i < job->subtasks_count; i++) {
        leat_subtask *subtask = &job->subtasks[i];
        for (int32_t c = 0; c < subtask->inputs_count; c++) {
            leat_input_channel *channel = &subtask->inputs[c];
            uint32_t source = job->graph->edges[channel->edge]->source;
            LEAT_TRY(find_peer(job, source, channel->source_subtask, &channel->peer, error));
        }
        for (int32_t e = 0; e < subtask->outputs_count; e++) {
            leat_output_edge *output = &subtask->outputs[e];
            bool is_forward = output->exchange == LEAT__PB__EXCHANGE__FORWARD;
            uint32_t target = job->graph->edges[output->edge]->target;
            for (int32_t c = 0; c < output->channels_count; c++) {
                int32_t index = is_forward ? subtask->index : c;
                LEAT_TRY(find_peer(job, target, index, &output->channels[c].peer, error));
            }
        }
    }
    return LEAT_OK;
}

static leat_code fill(leat_task_job *job, leat_error *error)
{
    const Leat__Pb__Deploy *deploy = job->deploy;
    job->graph = leat__pb__job_graph__unpack(NULL, deploy->graph.len, deploy->graph.data);
    if (!job->graph) return leat_fail(error, LEAT_CORRUPT, "the job graph does not parse");
    LEAT_TRY(check_graph(job->graph, error));
    LEAT_TRY(check_deploy(deploy, job->graph, error));
    memcpy(job->id, deploy->job.data, sizeof job->id);
    for (int i = 0; i < LEAT_JOB_ID_BYTES; i++)
        snprintf(job->id_text + 2 * i, 3, "%02x", job->id[i]);
    job->attempt = deploy->attempt;
    job->here = -1;
    for (size_t i = 0; i < deploy->n_locations; i++) {
        if (strcmp(deploy->locations[i]->task_manager, job->taskmanager->id) == 0) job->here = (int32_t)i;
    }
    LEAT_TRY(read_options(job, error));
    LEAT_TRY(make_subtasks(job, error));
    atomic_store_explicit(&job->open_subtasks, job->subtasks_count, memory_order_relaxed);
    return connect_peers(job, error);
}

leat_code leat_task_job_new(leat_taskmanager *taskmanager, Leat__Pb__Envelope *envelope, leat_task_job **out,
                            leat_error *error)
{
    leat_task_job *job = leat_calloc(1, sizeof *job);
    if (!job) {
        leat__pb__envelope__free_unpacked(envelope, NULL);
        return leat_fail_no_memory(error);
    }
    atomic_init(&job->references, 1);
    job->taskmanager = taskmanager;
    job->envelope = envelope;
    job->deploy = envelope->deploy;
    leat_arena_init(&job->arena, ARENA_BYTES_MAX);
    leat_code code = fill(job, error);
    if (code != LEAT_OK) {
        leat_task_job_unref(job);
        return leat_fail_in(error, code, "deploy");
    }
    *out = job;
    return LEAT_OK;
}

leat_task_job *leat_task_job_ref(leat_task_job *job)
{
    atomic_fetch_add_explicit(&job->references, 1, memory_order_relaxed);
    return job;
}

void leat_task_job_unref(leat_task_job *job)
{
    if (!job || atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel) != 1) return;
    for (int32_t i = 0; i < job->subtasks_count; i++)
        leat_subtask_done(&job->subtasks[i]);
    leat_free(job->subtasks);
    leat_config_done(&job->config);
    leat_arena_done(&job->arena);
    if (job->graph) leat__pb__job_graph__free_unpacked(job->graph, NULL);
    leat__pb__envelope__free_unpacked(job->envelope, NULL);
    leat_free(job);
}

leat_subtask *leat_task_job_find(leat_task_job *job, int32_t vertex, int32_t index)
{
    for (int32_t i = 0; i < job->subtasks_count; i++) {
        if (job->subtasks[i].vertex == vertex && job->subtasks[i].index == index) return &job->subtasks[i];
    }
    return NULL;
}

int32_t leat_task_job_locate(const leat_task_job *job, int32_t vertex, int32_t index)
{
    for (size_t i = 0; i < job->deploy->n_placements; i++) {
        const Leat__Pb__SubtaskPlacement *placement = job->deploy->placements[i];
        if ((int32_t)placement->vertex == vertex && (int32_t)placement->subtask == index) {
            return (int32_t)placement->location;
        }
    }
    return -1;
}

static leat_code on_credit(leat_task_job *job, const leat_frame *frame, leat_error *error)
{
    const Leat__Pb__Edge *edge = job->graph->edges[frame->edge];
    leat_subtask *source = leat_task_job_find(job, (int32_t)edge->source, (int32_t)frame->source);
    for (int32_t i = 0; source && i < source->outputs_count; i++) {
        leat_output_edge *output = &source->outputs[i];
        if (output->edge != (int32_t)frame->edge) continue;
        bool is_forward = output->exchange == LEAT__PB__EXCHANGE__FORWARD;
        uint32_t channel = is_forward ? 0 : frame->target;
        if (channel >= (uint32_t)output->channels_count) break;
        leat_subtask_grant(source, i, (int32_t)channel, frame->value);
        return LEAT_OK;
    }
    return leat_fail(error, LEAT_CORRUPT, "credit for subtask %u of edge %u, which is not here", frame->source,
                     frame->edge);
}

leat_code leat_task_job_on_frame(leat_task_job *job, const leat_frame *frame, leat_buffer **body, leat_error *error)
{
    if (frame->edge >= job->graph->n_edges) return leat_fail(error, LEAT_CORRUPT, "frame for edge %u", frame->edge);
    if (frame->kind == LEAT_FRAME_CREDIT) return on_credit(job, frame, error);
    const Leat__Pb__Edge *edge = job->graph->edges[frame->edge];
    leat_subtask *target = leat_task_job_find(job, (int32_t)edge->target, (int32_t)frame->target);
    for (int32_t i = 0; target && i < target->inputs_count; i++) {
        const leat_input_channel *input = &target->inputs[i];
        if (input->edge != (int32_t)frame->edge || input->source_subtask != (int32_t)frame->source) continue;
        if ((frame->kind == LEAT_ELEMENT_BATCH) != (*body != NULL) ||
            frame->bytes != (*body ? (*body)->size_bytes : 0)) {
            return leat_fail(error, LEAT_CORRUPT, "element of kind %u with the wrong body", frame->kind);
        }
        leat_element *element = leat_calloc(1, sizeof *element);
        if (!element) return leat_fail_no_memory(error);
        element->kind = (leat_element_kind)frame->kind;
        element->sequence = frame->sequence;
        element->value = frame->value;
        element->cost_bytes = (int64_t)frame->bytes;
        element->body = *body;
        *body = NULL;
        leat_subtask_deliver(target, i, element);
        return LEAT_OK;
    }
    return leat_fail(error, LEAT_CORRUPT, "element for subtask %u of edge %u, which is not here", frame->target,
                     frame->edge);
}
