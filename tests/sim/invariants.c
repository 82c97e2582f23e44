#include <inttypes.h>
#include <string.h>

#include "common/memory.h"
#include "flow/state_path.h"
#include "jobmanager/metadata.h"
#include "tests/sim/world.h"

/* --- channels: what was granted, used and is under way adds up, in bytes and in elements --- */

enum { OVERDRAFT_BYTES_MAX = 256 << 10, MAIL_MAX = 10000 };

static bool is_open(const leat_subtask *subtask)
{
    return subtask && subtask->state >= LEAT_SUBTASK_READY && subtask->state <= LEAT_SUBTASK_ENDED;
}

static bool has_lost(const sim_world *world, const leat_task_job *job)
{
    for (size_t i = 0; i < world->lost_count; i++) {
        const sim_lost *lost = &world->lost[i];
        if (lost->attempt == job->attempt && memcmp(lost->job, job->id, sizeof lost->job) == 0) return true;
    }
    return false;
}

/* The same attempt where the endpoint is. */
static leat_task_job *find_there(const sim_world *world, const leat_task_job *job, const char *endpoint)
{
    int index = endpoint[4] - '0'; /* "sim-N" */
    if (index >= world->taskmanagers_count || world->taskmanagers[index]->is_dead) return NULL;
    leat_task_job *there = world->taskmanagers[index]->taskmanager.jobs;
    while (there && (there->attempt != job->attempt || memcmp(there->id, job->id, sizeof job->id) != 0))
        there = there->next;
    return there;
}

typedef struct channel_sum {
    int64_t bytes; /* credit that is neither the sender's nor lost */
    uint64_t elements;
} channel_sum;

static void add_packets(const sim_world *world, const leat_subtask *source, int32_t edge, int32_t target,
                        channel_sum *sum)
{
    for (const sim_packet *packet = world->under_way; packet; packet = packet->next) {
        const leat_frame *frame = &packet->frame;
        bool is_its = frame->edge == (uint32_t)edge && frame->source == (uint32_t)source->index &&
                      frame->target == (uint32_t)target && frame->attempt == source->job->attempt;
        if (!is_its || memcmp(frame->job, source->job->id, sizeof frame->job) != 0) continue;
        bool is_credit = frame->kind == LEAT_FRAME_CREDIT;
        sum->bytes += is_credit ? frame->value : (int64_t)frame->bytes;
        sum->elements += !is_credit;
    }
}

static void check_ends(sim_world *world, const leat_subtask *source, const leat_output_edge *output,
                       const leat_output_channel *channel, const leat_subtask *target)
{
    const leat_input_channel *input = NULL;
    for (int32_t i = 0; i < target->inputs_count && !input; i++) {
        if (target->inputs[i].edge == output->edge && target->inputs[i].source_subtask == source->index)
            input = &target->inputs[i];
    }
    SIM_REQUIRE(world, input, "edge %d has no end at subtask %d", output->edge, target->index);
    if (!input) return;
    channel_sum sum = {.bytes = channel->machine.credit_bytes + channel->granted_bytes + input->machine.consumed_bytes};
    add_packets(world, source, output->edge, target->index, &sum);
    for (const leat_element *element = input->first; element; element = element->next)
        sum.bytes += element->cost_bytes;
    SIM_REQUIRE(world, sum.bytes == channel->machine.limit_bytes,
                "edge %d from subtask %d to %d: credits add up to %" PRId64 " of %" PRId64, output->edge, source->index,
                target->index, sum.bytes, channel->machine.limit_bytes);
    SIM_REQUIRE(world, input->machine.expected_sequence + sum.elements == channel->machine.next_sequence,
                "edge %d from subtask %d to %d: %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " under way",
                output->edge, source->index, target->index, channel->machine.next_sequence,
                input->machine.expected_sequence, sum.elements);
}

static void check_output(sim_world *world, const leat_subtask *source, const leat_output_edge *output)
{
    leat_task_job *job = source->job;
    int32_t vertex = (int32_t)job->graph->edges[output->edge]->target;
    for (int32_t c = 0; c < output->channels_count; c++) {
        const leat_output_channel *channel = &output->channels[c];
        SIM_REQUIRE(world, channel->machine.credit_bytes >= -OVERDRAFT_BYTES_MAX,
                    "edge %d: %" PRId64 " bytes more than allowed are under way", output->edge,
                    -channel->machine.credit_bytes);
        int32_t index = output->exchange == LEAT__PB__EXCHANGE__FORWARD ? source->index : c;
        leat_subtask *target = channel->peer.local;
        leat_task_job *there =
            target ? NULL : find_there(world, job, job->deploy->locations[channel->peer.location]->data_endpoint);
        if (there) target = leat_task_job_find(there, vertex, index);
        if (is_open(target)) check_ends(world, source, output, channel, target);
    }
}

static void check_subtask(sim_world *world, const leat_subtask *subtask)
{
    int mails = 0;
    for (const leat_mail *mail = subtask->mail_first; mail; mail = mail->next)
        mails++;
    SIM_REQUIRE(world, mails <= MAIL_MAX, "%d messages wait for a subtask", mails);
    for (int32_t i = 0; i < subtask->outputs_count && !world->failure[0]; i++)
        check_output(world, subtask, &subtask->outputs[i]);
}

void sim_check_channels(sim_world *world)
{
    world->counts.checks++;
    for (int i = 0; i < world->taskmanagers_count; i++) {
        const sim_process *process = world->taskmanagers[i];
        if (process->is_dead) continue;
        for (const leat_task_job *job = process->taskmanager.jobs; job; job = job->next) {
            if (has_lost(world, job)) continue;
            for (int32_t s = 0; s < job->subtasks_count; s++) {
                if (is_open(&job->subtasks[s])) check_subtask(world, &job->subtasks[s]);
            }
        }
    }
}

/* --- checkpoints --- */

static int64_t id_of(const Leat__Pb__CheckpointMetadata *metadata)
{
    return metadata ? (int64_t)metadata->checkpoint : 0;
}

void sim_check_job(sim_world *world, const leat_jm_job *job)
{
    int pending = 0;
    for (int i = 0; job->has_coordinator && i < LEAT_COORDINATOR_PENDING_MAX; i++)
        pending += job->coordinator.pending[i].phase != LEAT_CHECKPOINT_NONE;
    SIM_REQUIRE(world, !job->has_coordinator || pending <= job->coordinator.options.concurrent_max,
                "%d checkpoints are under way, %d may be", pending, job->coordinator.options.concurrent_max);
    SIM_REQUIRE(world, id_of(job->completed) < job->next_checkpoint_id,
                "checkpoint %" PRId64 " is done, %" PRId64 " is next", id_of(job->completed), job->next_checkpoint_id);
    SIM_REQUIRE(world, !job->committing || id_of(job->committing) > id_of(job->completed),
                "checkpoint %" PRId64 " is committed after %" PRId64, id_of(job->committing), id_of(job->completed));
    SIM_REQUIRE(world, !job->uncertain || id_of(job->uncertain) > id_of(job->completed),
                "checkpoint %" PRId64 " is in doubt after %" PRId64, id_of(job->uncertain), id_of(job->completed));
    int64_t kept = leat_config_int(&job->config, LEAT_OPTION_CHECKPOINT_RETAINED);
    bool has_kept = id_of(job->completed) > job->resumed_id; /* what a job manager before left is more */
    SIM_REQUIRE(world, !has_kept || (int64_t)job->retained_count <= (kept > 1 ? kept : 1), "%zu checkpoints are kept",
                job->retained_count);
    for (size_t i = 1; i < job->retained_count; i++)
        SIM_REQUIRE(world, job->retained[i - 1] < job->retained[i], "checkpoint %" PRId64 " is kept after %" PRId64,
                    job->retained[i], job->retained[i - 1]);
}

static void check_part(sim_world *world, const leat_jm_job *job, int64_t checkpoint_id,
                       const Leat__Pb__OperatorSnapshot *part)
{
    if (!part->path) return;
    char *path = leat_state_path(job->checkpoint_dir, (uint64_t)checkpoint_id, part->path);
    LEAT_ASSERT(path);
    uint64_t size = 0;
    leat_code code = leat_storage_size(world->objects, path, &size, NULL);
    SIM_REQUIRE(world, code == LEAT_OK && size == part->size,
                "checkpoint %" PRId64 " refers to %s of %" PRIu64 " bytes: %" PRIu64 " are there", checkpoint_id, path,
                part->size, size);
    leat_free(path);
}

static void check_metadata(sim_world *world, const leat_jm_job *job, const Leat__Pb__CheckpointMetadata *metadata)
{
    for (size_t v = 0; v < metadata->n_vertices; v++) {
        const Leat__Pb__VertexSnapshot *vertex = metadata->vertices[v];
        for (size_t s = 0; s < vertex->n_subtasks; s++) {
            for (size_t o = 0; o < vertex->subtasks[s]->n_operators; o++)
                check_part(world, job, (int64_t)metadata->checkpoint, vertex->subtasks[s]->operators[o]);
        }
    }
}

void sim_check_checkpoints(sim_world *world, const leat_jm_job *job)
{
    if (leat_job_state_is_terminal(job->state) || !job->has_checkpoints) return;
    if (job->completed) check_metadata(world, job, job->completed);
    if (job->uncertain) check_metadata(world, job, job->uncertain);
    for (size_t i = 0; i < job->retained_count && !world->failure[0]; i++) {
        if (job->retained[i] < job->resumed_id) continue; /* it may never have been whole */
        leat_error error = {0};
        Leat__Pb__CheckpointMetadata *metadata = NULL;
        char *path = leat_format("%s/chk-%" PRId64 "/_metadata", job->checkpoint_dir, job->retained[i]);
        LEAT_ASSERT(path);
        leat_code code = leat_metadata_load(world->objects, path, &metadata, &error);
        SIM_REQUIRE(world, code == LEAT_OK, "a kept checkpoint can't be read: %s", error.text);
        if (metadata) check_metadata(world, job, metadata);
        leat_metadata_free(metadata);
        leat_free(path);
    }
}
