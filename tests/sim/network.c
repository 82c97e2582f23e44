#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "tests/sim/world.h"

/* --- packets --- */

static sim_process *process_at(const sim_world *world, int index)
{
    return index == SIM_JOBMANAGER ? &world->master->process : world->taskmanagers[index];
}

static void unlink_packet(sim_packet *packet)
{
    if (!packet->link) return;
    *packet->link = packet->next;
    if (packet->next) packet->next->link = packet->link;
    packet->link = NULL;
}

static void link_packet(sim_world *world, sim_packet *packet)
{
    packet->next = world->under_way;
    if (packet->next) packet->next->link = &packet->next;
    packet->link = &world->under_way;
    world->under_way = packet;
}

static void free_packet(sim_packet *packet)
{
    unlink_packet(packet);
    leat_buffer_unref(packet->body);
    leat_bytes_done(&packet->bytes);
    leat_free(packet);
}

/* Its attempt's channels do not add up any more. */
static void lose(sim_world *world, const sim_packet *packet)
{
    if (!packet->is_data) return;
    for (size_t i = 0; i < world->lost_count; i++) {
        const sim_lost *known = &world->lost[i];
        if (known->attempt == packet->frame.attempt && memcmp(known->job, packet->frame.job, sizeof known->job) == 0)
            return;
    }
    leat_code code = leat_grow(&world->lost, &world->lost_capacity, world->lost_count + 1, sizeof *world->lost, NULL);
    LEAT_ASSERT(code == LEAT_OK);
    sim_lost *added = &world->lost[world->lost_count++];
    added->attempt = packet->frame.attempt;
    memcpy(added->job, packet->frame.job, sizeof added->job);
}

/* --- broken connections --- */

/* An end learns that its connection to the other is gone. */
typedef struct breakage {
    int end, other;
    uint64_t epoch; /* of the connection that is gone */
    sim_process *process;
} breakage;

static void on_broken(sim_world *world, void *arg)
{
    breakage broken = *(breakage *)arg;
    leat_free(arg);
    if (world->is_ending || broken.process->is_dead) return;
    char other[16];
    if (broken.end == SIM_JOBMANAGER && !sim_master_is_up(world)) return;
    if (broken.end == SIM_JOBMANAGER) {
        /* Something has come over the next connection already: the job manager knows which is which. */
        if (world->links[broken.other][broken.end].seen > broken.epoch) return;
        snprintf(other, sizeof other, "tm-%d", broken.other);
        leat_jobmanager_on_disconnect(world->manager, other);
        return;
    }
    if (broken.other == SIM_JOBMANAGER) { /* it connects again by itself */
        if (sim_master_is_up(world)) leat_taskmanager_register(&broken.process->taskmanager);
        return;
    }
    snprintf(other, sizeof other, "sim-%d", broken.other);
    leat_taskmanager_on_peer_lost(&broken.process->taskmanager, other);
}

static void tell_broken(sim_world *world, int end, int other, int64_t after_us)
{
    breakage *broken = leat_alloc(sizeof *broken);
    LEAT_ASSERT(broken);
    *broken = (breakage){end, other, world->links[other][end].epoch - 1, process_at(world, end)};
    sim_after_in(broken->process, after_us, on_broken, broken);
}

static void cut(sim_world *world, int from, int to, int64_t after_us)
{
    sim_link *link = &world->links[from][to];
    link->epoch++;
    link->cut_us = world->now_us + after_us;
    link->until_us = 0; /* a stall ends */
}

static void break_connection(sim_world *world, int left, int right)
{
    cut(world, left, right, 0);
    cut(world, right, left, 0);
    /* The job manager hears of it before the task manager registers anew, as that goes over the next connection. */
    int first = left == SIM_JOBMANAGER ? left : right, second = first == left ? right : left;
    int64_t first_us = (int64_t)sim_below(world, 2000);
    tell_broken(world, first, second, first_us);
    tell_broken(world, second, first, first_us + 1 + (int64_t)sim_below(world, 5000));
}

/* What it has sent may still arrive for a moment: it was the kernel's already. */
void sim_disconnect(sim_world *world, int index)
{
    enum { LATE_US_MAX = 3000 };
    for (int other = 0; other <= SIM_JOBMANAGER; other++) {
        bool is_there = other == SIM_JOBMANAGER || other < world->taskmanagers_count;
        if (other == index || !is_there) continue;
        int64_t late_us = (int64_t)sim_below(world, LATE_US_MAX);
        cut(world, index, other, late_us);
        cut(world, other, index, 0);
        if (!process_at(world, other)->is_dead) tell_broken(world, other, index, late_us + 1);
    }
}

/* --- delivery --- */

static void hand_over(sim_world *world, sim_packet *packet)
{
    sim_link *link = &world->links[packet->from][packet->to];
    if (packet->epoch > link->seen) link->seen = packet->epoch;
    world->counts.messages++;
    if (packet->to == SIM_JOBMANAGER) {
        char from[16];
        snprintf(from, sizeof from, "tm-%d", packet->from);
        leat_jobmanager_on_control(world->manager, from, packet->bytes.data, packet->bytes.size);
        return;
    }
    leat_taskmanager *to = &packet->receiver->taskmanager;
    unlink_packet(packet);
    if (packet->is_data)
        leat_taskmanager_on_data(to, packet->bytes.data, packet->bytes.size, leat_buffer_ref(packet->body));
    else
        leat_taskmanager_on_control(to, packet->bytes.data, packet->bytes.size);
}

static void deliver(sim_world *world, void *arg)
{
    sim_packet *packet = arg;
    const sim_link *link = &world->links[packet->from][packet->to];
    uint64_t breaks = link->epoch - packet->epoch;
    bool was_cut = breaks > 1 || (breaks == 1 && packet->at_us > link->cut_us);
    bool is_deaf = packet->to == SIM_JOBMANAGER && !((sim_master *)packet->receiver)->is_up;
    bool is_lost = world->is_ending || was_cut || packet->receiver->is_dead || is_deaf;
    if (!is_lost && breaks == 0 && sim_strikes(world, SIM_BREAK, world->weather.break_chance)) {
        break_connection(world, packet->from, packet->to);
        is_lost = true;
    }
    if (is_lost)
        lose(world, packet);
    else
        hand_over(world, packet);
    free_packet(packet);
}

static void post(sim_world *world, int from, int to, sim_packet *packet)
{
    sim_link *link = &world->links[from][to];
    packet->from = from;
    packet->to = to;
    packet->epoch = link->epoch;
    packet->receiver = process_at(world, to);
    if (packet->is_data) link_packet(world, packet);
    int64_t delay_us = 1 + (int64_t)sim_below(world, (uint64_t)(world->is_healed ? 200 : world->weather.delay_us_max));
    if (sim_strikes(world, SIM_STALL, world->weather.stall_chance))
        delay_us += (int64_t)sim_fault_below(world, SIM_STALL, (uint64_t)world->weather.stall_us_max);
    delay_us += packet->receiver->slow_us_max; /* all of its: they keep their order */
    int64_t at_us = world->now_us + delay_us;
    if (at_us <= link->until_us) at_us = link->until_us + 1; /* TCP keeps the order */
    packet->at_us = link->until_us = at_us;
    int slow_us = packet->receiver->slow_us_max;
    packet->receiver->slow_us_max = 0;
    sim_after_in(packet->receiver, at_us - world->now_us, deliver, packet);
    packet->receiver->slow_us_max = slow_us;
}

static sim_packet *pack(Leat__Pb__Envelope *envelope)
{
    sim_packet *packet = leat_calloc(1, sizeof *packet);
    LEAT_ASSERT(packet);
    uint8_t *room = leat_bytes_extend(&packet->bytes, leat__pb__envelope__get_packed_size(envelope));
    LEAT_ASSERT(room);
    leat__pb__envelope__pack(envelope, room);
    return packet;
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
    sim_packet *packet = leat_calloc(1, sizeof *packet);
    LEAT_ASSERT(packet);
    packet->is_data = true;
    packet->frame = *frame;
    packet->body = leat_buffer_ref(body);
    uint8_t *room = leat_bytes_extend(&packet->bytes, LEAT_FRAME_BYTES);
    LEAT_ASSERT(room);
    leat_frame_write(frame, room);
    post(world, from, to, packet);
}

static void jm_send(leat_jm_transport *transport, const char *task_manager, Leat__Pb__Envelope *envelope)
{
    sim_master *master = (sim_master *)((char *)transport - offsetof(sim_master, transport));
    if (master->process.is_dead) return;
    post(master->process.world, SIM_JOBMANAGER, task_manager[3] - '0', pack(envelope)); /* "tm-N" */
}

void sim_connect_master(sim_master *master)
{
    master->transport.send = jm_send;
}

void sim_connect_taskmanager(sim_process *process)
{
    process->transport = (leat_transport){tm_send_control, tm_send_data};
}
