#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/world.h"

typedef struct packet {
    int from, to;
    uint64_t epoch, from_generation, to_generation;
    bool is_data;
    leat_buffer *body;
    leat_bytes bytes;
} packet;

static uint64_t generation_of(const sim_world *world, int index)
{
    return index == SIM_JOBMANAGER ? 0 : world->taskmanagers[index]->generation;
}

static void free_packet(packet *sent)
{
    leat_buffer_unref(sent->body);
    leat_bytes_done(&sent->bytes);
    leat_free(sent);
}

/* An end learns that its connection to the other is gone. */
typedef struct breakage {
    int end, other;
    uint64_t generation;
} breakage;

static void on_broken(sim_world *world, void *arg)
{
    breakage broken = *(breakage *)arg;
    leat_free(arg);
    if (world->taskmanagers_count == 0) return; /* the world is being taken down */
    char other[16];
    if (broken.end == SIM_JOBMANAGER) {
        snprintf(other, sizeof other, "tm-%d", broken.other);
        leat_jobmanager_on_disconnect(&world->manager, other);
        return;
    }
    sim_process *process = world->taskmanagers[broken.end];
    if (process->is_dead || process->generation != broken.generation) return;
    snprintf(other, sizeof other, "sim-%d", broken.other);
    if (broken.other == SIM_JOBMANAGER)
        leat_taskmanager_register(&process->taskmanager); /* it connects again by itself */
    else
        leat_taskmanager_on_peer_lost(&process->taskmanager, other);
}

static void tell_broken(sim_world *world, int end, int other, int64_t after_us)
{
    breakage *broken = leat_alloc(sizeof *broken);
    LEAT_ASSERT(broken);
    *broken = (breakage){end, other, generation_of(world, end)};
    sim_after(world, after_us, on_broken, broken);
}

static void break_connection(sim_world *world, int left, int right)
{
    world->counts.breaks++;
    world->link_epoch[left][right]++;
    world->link_epoch[right][left]++;
    /* The job manager hears of it before the task manager registers anew, as that goes over the next connection. */
    int first = left == SIM_JOBMANAGER ? left : right, second = first == left ? right : left;
    int64_t first_us = (int64_t)sim_below(world, 2000);
    tell_broken(world, first, second, first_us);
    tell_broken(world, second, first, first_us + 1 + (int64_t)sim_below(world, 5000));
}

void sim_disconnect(sim_world *world, int index)
{
    for (int other = 0; other <= SIM_TASKMANAGERS_MAX; other++) {
        if (other == index) continue;
        world->link_epoch[index][other]++;
        world->link_epoch[other][index]++;
        bool is_there =
            other == SIM_JOBMANAGER || (other < world->taskmanagers_count && !world->taskmanagers[other]->is_dead);
        if (is_there) tell_broken(world, other, index, (int64_t)sim_below(world, 3000));
    }
}

static void hand_over(sim_world *world, const packet *sent)
{
    if (sent->to == SIM_JOBMANAGER) {
        leat_jobmanager_on_control(&world->manager, world->taskmanagers[sent->from]->id, sent->bytes.data,
                                   sent->bytes.size);
        return;
    }
    leat_taskmanager *to = &world->taskmanagers[sent->to]->taskmanager;
    if (sent->is_data)
        leat_taskmanager_on_data(to, sent->bytes.data, sent->bytes.size, leat_buffer_ref(sent->body));
    else
        leat_taskmanager_on_control(to, sent->bytes.data, sent->bytes.size);
}

static void deliver(sim_world *world, void *arg)
{
    packet *sent = arg;
    bool is_lost = world->taskmanagers_count == 0 || sent->epoch != world->link_epoch[sent->from][sent->to] ||
                   sent->to_generation != generation_of(world, sent->to) ||
                   sent->from_generation != generation_of(world, sent->from);
    /* Sent after the other end died and before this one noticed. */
    is_lost = is_lost || (sent->to != SIM_JOBMANAGER && world->taskmanagers[sent->to]->is_dead);
    if (!is_lost && sim_chance(world, world->weather.break_chance)) {
        break_connection(world, sent->from, sent->to);
        is_lost = true;
    }
    if (!is_lost) {
        world->counts.messages++;
        hand_over(world, sent);
    }
    free_packet(sent);
}

static void post(sim_world *world, int from, int to, packet *sent)
{
    sent->from = from;
    sent->to = to;
    sent->epoch = world->link_epoch[from][to];
    sent->to_generation = generation_of(world, to);
    sent->from_generation = generation_of(world, from);
    int64_t delay_us = 1 + (int64_t)sim_below(world, (uint64_t)(world->is_healed ? 200 : world->weather.delay_us_max));
    int64_t at_us = world->now_us + delay_us;
    if (at_us <= world->link_until_us[from][to]) at_us = world->link_until_us[from][to] + 1; /* TCP keeps the order */
    world->link_until_us[from][to] = at_us;
    sim_after(world, at_us - world->now_us, deliver, sent);
}

static packet *pack(Leat__Pb__Envelope *envelope)
{
    packet *sent = leat_calloc(1, sizeof *sent);
    LEAT_ASSERT(sent);
    uint8_t *room = leat_bytes_extend(&sent->bytes, leat__pb__envelope__get_packed_size(envelope));
    LEAT_ASSERT(room);
    leat__pb__envelope__pack(envelope, room);
    return sent;
}

static sim_process *process_of(leat_transport *transport)
{
    return (sim_process *)((char *)transport - offsetof(sim_process, transport));
}

static void tm_send_control(leat_transport *transport, Leat__Pb__Envelope *envelope)
{
    sim_process *process = process_of(transport);
    int from = sim_index_of(process->world, process);
    if (!process->is_dead && from >= 0) post(process->world, from, SIM_JOBMANAGER, pack(envelope));
}

static void tm_send_data(leat_transport *transport, const char *endpoint, const leat_frame *frame, leat_buffer *body)
{
    sim_process *process = process_of(transport);
    sim_world *world = process->world;
    int from = sim_index_of(world, process), to = endpoint[4] - '0'; /* "sim-N" */
    if (process->is_dead || from < 0) return;
    packet *sent = leat_calloc(1, sizeof *sent);
    LEAT_ASSERT(sent);
    sent->is_data = true;
    sent->body = leat_buffer_ref(body);
    uint8_t *room = leat_bytes_extend(&sent->bytes, LEAT_FRAME_BYTES);
    LEAT_ASSERT(room);
    leat_frame_write(frame, room);
    post(world, from, to, sent);
}

static sim_world *world_of(leat_jm_transport *transport)
{
    return (sim_world *)((char *)transport - offsetof(sim_world, jm_transport));
}

static void jm_send(leat_jm_transport *transport, const char *task_manager, Leat__Pb__Envelope *envelope)
{
    sim_world *world = world_of(transport);
    if (world->taskmanagers_count == 0) return;
    post(world, SIM_JOBMANAGER, task_manager[3] - '0', pack(envelope)); /* "tm-N" */
}

static void handle_inbox(sim_world *world, void *arg)
{
    (void)arg;
    leat_jobmanager_handle_inbox(&world->manager);
}

static void jm_wake(leat_jm_transport *transport)
{
    sim_world *world = world_of(transport);
    sim_after(world, (int64_t)sim_below(world, 100), handle_inbox, NULL);
}

void sim_connect(sim_world *world)
{
    world->jm_transport = (leat_jm_transport){jm_send, jm_wake};
}

void sim_connect_taskmanager(sim_process *process)
{
    process->transport = (leat_transport){tm_send_control, tm_send_data};
}
