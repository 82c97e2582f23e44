#include "taskmanager/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "common/log.h"
#include "common/memory.h"

#if defined(__SANITIZE_THREAD__)
#define LEAT_HAS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEAT_HAS_THREAD_SANITIZER 1
#endif
#endif
#ifndef LEAT_HAS_THREAD_SANITIZER
#define LEAT_HAS_THREAD_SANITIZER 0
#else
#include <sanitizer/tsan_interface.h>
#endif

enum { PEERS_MAX = 1024, MESSAGE_BYTES_MAX = 64 << 20, STOP_WAIT_MS = 5000 };

typedef struct outgoing outgoing;
struct outgoing {
    outgoing *next;
    leat_buffer *body;
    bool is_control, has_body;
    char endpoint[128];
    size_t size;
    uint8_t data[]; /* the control message, or the header frame */
};

typedef struct peer {
    char endpoint[128];
    void *socket, *monitor;
} peer;

struct leat_net {
    leat_transport transport; /* first */
    leat_net_options options;
    void *context, *control, *control_monitor, *data;
    int wake_fd;
    _Atomic(outgoing *) outbox; /* a stack, newest first; taken whole */
    peer peers[PEERS_MAX];
    int peers_count;
    char endpoint[128];
    leat_taskmanager *taskmanager;
};

/* --- handing over --- */

static void push(leat_net *net, outgoing *message)
{
    outgoing *head = atomic_load_explicit(&net->outbox, memory_order_relaxed);
    do {
        message->next = head;
        /* release: pairs with the acquire in take_outbox. */
    } while (!atomic_compare_exchange_weak_explicit(&net->outbox, &head, message, memory_order_release,
                                                    memory_order_relaxed));
    if (head) return; /* the one who found it empty has woken the loop */
    uint64_t one = 1;
    ssize_t wrote = write(net->wake_fd, &one, sizeof one);
    (void)wrote; /* the counter can't overflow in practice, and a full one is a wake too */
}

static outgoing *take_outbox(leat_net *net)
{
    outgoing *taken = atomic_exchange_explicit(&net->outbox, NULL, memory_order_acquire), *in_order = NULL;
    while (taken) {
        outgoing *next = taken->next;
        taken->next = in_order;
        in_order = taken;
        taken = next;
    }
    return in_order;
}

static void send_control(leat_transport *transport, Leat__Pb__Envelope *envelope)
{
    size_t size = leat__pb__envelope__get_packed_size(envelope);
    outgoing *message = leat_alloc(sizeof *message + size);
    if (!message) {
        leat_log(LEAT_LOG_ERROR, "net", "no memory for a control message of %zu bytes", size);
        return;
    }
    *message = (outgoing){.is_control = true, .size = size};
    leat__pb__envelope__pack(envelope, message->data);
    push((leat_net *)transport, message);
}

static void send_data(leat_transport *transport, const char *endpoint, const leat_frame *frame, leat_buffer *body)
{
    outgoing *message = leat_alloc(sizeof *message + LEAT_FRAME_BYTES);
    if (!message) { /* the receiver sees the gap in the sequence and fails the attempt */
        leat_log(LEAT_LOG_ERROR, "net", "no memory for a data message");
        return;
    }
    *message = (outgoing){.size = LEAT_FRAME_BYTES, .body = leat_buffer_ref(body), .has_body = body != NULL};
    snprintf(message->endpoint, sizeof message->endpoint, "%s", endpoint);
    leat_frame_write(frame, message->data);
    push((leat_net *)transport, message);
}

/* --- sockets --- */

static leat_code fail_zmq(leat_error *error, const char *what, const char *endpoint)
{
    return leat_fail(error, LEAT_UNAVAILABLE, "%s %s: %s", what, endpoint, zmq_strerror(zmq_errno()));
}

static void set_int(void *socket, int option, int value)
{
    int failed = zmq_setsockopt(socket, option, &value, sizeof value);
    LEAT_ASSERT(failed == 0); /* our constants */
}

static void *open_socket(leat_net *net, int kind)
{
    void *socket = zmq_socket(net->context, kind);
    if (!socket) return NULL;
    int64_t largest = MESSAGE_BYTES_MAX;
    set_int(socket, ZMQ_LINGER, 0);
    set_int(socket, ZMQ_SNDHWM, 0); /* our credits bound */
    set_int(socket, ZMQ_RCVHWM, 0);
    (void)zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    return socket;
}

static void *open_monitor(leat_net *net, void *socket, const char *name)
{
    char address[64];
    snprintf(address, sizeof address, "inproc://monitor-%s", name);
    if (zmq_socket_monitor(socket, address, ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECTED) != 0) return NULL;
    void *monitor = zmq_socket(net->context, ZMQ_PAIR);
    if (monitor && zmq_connect(monitor, address) != 0) {
        zmq_close(monitor);
        return NULL;
    }
    return monitor;
}

/* The event's number, or 0 when there is none. */
static int read_monitor(void *monitor)
{
    zmq_msg_t first, second;
    zmq_msg_init(&first);
    if (zmq_msg_recv(&first, monitor, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&first);
        return 0;
    }
    uint16_t event = 0;
    if (zmq_msg_size(&first) >= sizeof event) memcpy(&event, zmq_msg_data(&first), sizeof event);
    if (zmq_msg_more(&first)) {
        zmq_msg_init(&second);
        (void)zmq_msg_recv(&second, monitor, 0); /* the address; not needed */
        zmq_msg_close(&second);
    }
    zmq_msg_close(&first);
    return event;
}

static peer *find_peer(leat_net *net, const char *endpoint)
{
    for (int i = 0; i < net->peers_count; i++) {
        if (strcmp(net->peers[i].endpoint, endpoint) == 0) return &net->peers[i];
    }
    if (net->peers_count == PEERS_MAX) return NULL;
    peer *added = &net->peers[net->peers_count];
    static unsigned monitors; /* the network thread's own */
    char name[32];
    snprintf(name, sizeof name, "%u", ++monitors);
    *added = (peer){.socket = open_socket(net, ZMQ_DEALER)};
    snprintf(added->endpoint, sizeof added->endpoint, "%s", endpoint);
    if (!added->socket) return NULL;
    added->monitor = open_monitor(net, added->socket, name);
    if (!added->monitor || zmq_connect(added->socket, endpoint) != 0) {
        leat_log(LEAT_LOG_ERROR, "net", "connect to %s: %s", endpoint, zmq_strerror(zmq_errno()));
        if (added->monitor) zmq_close(added->monitor);
        zmq_close(added->socket);
        return NULL;
    }
    net->peers_count++;
    return added;
}

static void drop_peer(leat_net *net, int at)
{
    peer lost = net->peers[at];
    net->peers[at] = net->peers[--net->peers_count];
    zmq_close(lost.monitor);
    zmq_close(lost.socket);
    leat_taskmanager_on_peer_lost(net->taskmanager, lost.endpoint);
}

/* ZeroMQ hands a message from this thread to one of its own, through a queue that the thread sanitizer does not see,
 * for the library is not built with it: it is told here. */
static void tell_given(leat_buffer *buffer)
{
#if LEAT_HAS_THREAD_SANITIZER
    __tsan_release(buffer);
#else
    (void)buffer;
#endif
}

static void tell_taken(leat_buffer *buffer)
{
#if LEAT_HAS_THREAD_SANITIZER
    __tsan_acquire(buffer);
#else
    (void)buffer;
#endif
}

static void unref_body(void *data, void *hint)
{
    (void)data;
    tell_taken(hint);
    leat_buffer_unref(hint);
}

static void send_outgoing(leat_net *net, outgoing *message)
{
    void *socket = net->control;
    if (!message->is_control) {
        peer *target = find_peer(net, message->endpoint);
        if (!target) {
            leat_taskmanager_on_peer_lost(net->taskmanager, message->endpoint);
            return;
        }
        socket = target->socket;
    }
    int flags = ZMQ_DONTWAIT | (message->has_body ? ZMQ_SNDMORE : 0);
    bool sent = zmq_send(socket, message->data, message->size, flags) >= 0;
    if (sent && message->has_body) {
        zmq_msg_t body;
        leat_buffer *buffer = message->body;
        message->body = NULL; /* the free callback's, on ZeroMQ's thread */
        tell_given(buffer);
        zmq_msg_init_data(&body, buffer->data, buffer->size_bytes, unref_body, buffer);
        sent = zmq_msg_send(&body, socket, ZMQ_DONTWAIT) >= 0;
        if (!sent) zmq_msg_close(&body);
    }
    if (!sent) leat_log(LEAT_LOG_WARN, "net", "send: %s", zmq_strerror(zmq_errno()));
}

static void flush_outbox(leat_net *net)
{
    for (outgoing *message = take_outbox(net); message;) {
        outgoing *next = message->next;
        send_outgoing(net, message);
        leat_buffer_unref(message->body);
        leat_free(message);
        message = next;
    }
}

/* --- receiving --- */

static void release_message(leat_buffer *buffer)
{
    zmq_msg_close(buffer->owner);
    leat_free(buffer->owner);
    leat_free(buffer);
}

/* The body as a 64-byte aligned buffer: ZeroMQ's memory where that is aligned, else a copy. NULL: no memory. */
static leat_buffer *take_body(zmq_msg_t *message)
{
    size_t size = zmq_msg_size(message);
    if ((uintptr_t)zmq_msg_data(message) % 64 != 0) {
        leat_buffer *copy = leat_buffer_new(size);
        if (copy && size) memcpy(copy->data, zmq_msg_data(message), size);
        return copy;
    }
    zmq_msg_t *kept = leat_alloc(sizeof *kept);
    leat_buffer *buffer = leat_alloc(sizeof *buffer);
    if (!kept || !buffer) {
        leat_free(kept);
        leat_free(buffer);
        return NULL;
    }
    zmq_msg_init(kept);
    zmq_msg_move(kept, message);
    *buffer = (leat_buffer){.data = zmq_msg_data(kept), .size_bytes = size, .release = release_message, .owner = kept};
    atomic_init(&buffer->references, 1);
    return buffer;
}

/* Identity, header and, for batches, a body. False: nothing there. */
static bool receive_data(leat_net *net)
{
    zmq_msg_t parts[3];
    int count = 0;
    bool has_more = true;
    for (int i = 0; i < 3; i++)
        zmq_msg_init(&parts[i]);
    while (has_more) {
        zmq_msg_t extra, *into = count < 3 ? &parts[count] : &extra;
        if (count >= 3) zmq_msg_init(&extra);
        if (zmq_msg_recv(into, net->data, count ? 0 : ZMQ_DONTWAIT) < 0) break;
        has_more = zmq_msg_more(into);
        if (count >= 3) zmq_msg_close(&extra);
        count++;
    }
    if (count == 2 || count == 3) {
        leat_buffer *body = count == 3 ? take_body(&parts[2]) : NULL;
        leat_taskmanager_on_data(net->taskmanager, zmq_msg_data(&parts[1]), zmq_msg_size(&parts[1]), body);
    } else if (count) {
        leat_log(LEAT_LOG_WARN, "net", "dropped a data message of %d frames", count);
    }
    for (int i = 0; i < 3; i++)
        zmq_msg_close(&parts[i]);
    return count > 0;
}

static int64_t mono_us(leat_net *net)
{
    return leat_env_mono_us(net->taskmanager->env);
}

static bool receive_control(leat_net *net)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    bool got = zmq_msg_recv(&message, net->control, ZMQ_DONTWAIT) >= 0;
    if (got) leat_taskmanager_on_control(net->taskmanager, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
    return got;
}

/* --- the loop --- */

enum { CONTROL, CONTROL_MONITOR, DATA, WAKE, STOP, PARENT, FIXED_COUNT, RECEIVE_AT_ONCE = 64 };

static void on_control_event(leat_net *net)
{
    for (int event; (event = read_monitor(net->control_monitor));) {
        if (event == ZMQ_EVENT_CONNECTED)
            leat_taskmanager_register(net->taskmanager);
        else
            leat_log(LEAT_LOG_WARN, "net", "lost the connection to the job manager at %s",
                     net->options.control_endpoint);
    }
}

static void on_peer_events(leat_net *net, zmq_pollitem_t *items, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        if (!(items[FIXED_COUNT + i].revents & ZMQ_POLLIN)) continue;
        for (int event; (event = read_monitor(net->peers[i].monitor));) {
            if (event != ZMQ_EVENT_DISCONNECTED) continue;
            drop_peer(net, i); /* the last one takes its place; it was looked at already */
            break;
        }
    }
}

static int fill_items(leat_net *net, zmq_pollitem_t *items, int stop_fd, int parent_fd)
{
    items[CONTROL] = (zmq_pollitem_t){.socket = net->control, .events = ZMQ_POLLIN};
    items[CONTROL_MONITOR] = (zmq_pollitem_t){.socket = net->control_monitor, .events = ZMQ_POLLIN};
    items[DATA] = (zmq_pollitem_t){.socket = net->data, .events = ZMQ_POLLIN};
    items[WAKE] = (zmq_pollitem_t){.fd = net->wake_fd, .events = ZMQ_POLLIN};
    items[STOP] = (zmq_pollitem_t){.fd = stop_fd, .events = ZMQ_POLLIN};
    /* A negative descriptor is not ignored by zmq_poll: without a parent, watch the stop twice. */
    items[PARENT] = (zmq_pollitem_t){.fd = parent_fd >= 0 ? parent_fd : stop_fd, .events = ZMQ_POLLIN};
    for (int i = 0; i < net->peers_count; i++) {
        items[FIXED_COUNT + i] = (zmq_pollitem_t){.socket = net->peers[i].monitor, .events = ZMQ_POLLIN};
    }
    return FIXED_COUNT + net->peers_count;
}

static void serve(leat_net *net, zmq_pollitem_t *items, int count)
{
    if (items[WAKE].revents & ZMQ_POLLIN) {
        uint64_t wakes;
        ssize_t got = read(net->wake_fd, &wakes, sizeof wakes);
        (void)got; /* only resets the counter */
    }
    flush_outbox(net);
    on_control_event(net);
    for (int i = 0; i < RECEIVE_AT_ONCE && receive_control(net); i++) {
    }
    for (int i = 0; i < RECEIVE_AT_ONCE && receive_data(net); i++) {
    }
    on_peer_events(net, items, count - FIXED_COUNT);
}

leat_code leat_net_run(leat_net *net, leat_taskmanager *taskmanager, int stop_fd, int parent_fd, leat_error *error)
{
    static zmq_pollitem_t items[FIXED_COUNT + PEERS_MAX];
    net->taskmanager = taskmanager;
    if (zmq_setsockopt(net->control, ZMQ_ROUTING_ID, net->options.id, strlen(net->options.id)) != 0) {
        return fail_zmq(error, "set the identity of", net->options.id);
    }
    if (zmq_connect(net->control, net->options.control_endpoint) != 0) {
        return fail_zmq(error, "connect to", net->options.control_endpoint);
    }
    bool is_stopping = false;
    int64_t stop_until_us = 0, tick_us = 0;
    for (;;) {
        int count = fill_items(net, items, stop_fd, parent_fd);
        int64_t wait_us = tick_us - mono_us(net);
        long wait_ms = is_stopping ? 10 : wait_us > 0 ? (long)(wait_us / 1000) + 1 : 0;
        if (zmq_poll(items, count, wait_ms) < 0 && zmq_errno() != EINTR) return fail_zmq(error, "poll", "sockets");
        serve(net, items, count);
        tick_us = leat_taskmanager_on_tick(taskmanager);
        if (!is_stopping && ((items[STOP].revents | items[PARENT].revents) & (ZMQ_POLLIN | ZMQ_POLLERR))) {
            is_stopping = true;
            stop_until_us = mono_us(net) + STOP_WAIT_MS * INT64_C(1000);
            leat_taskmanager_cancel_all(taskmanager);
        }
        bool is_done = leat_taskmanager_jobs_count(taskmanager) == 0 || mono_us(net) > stop_until_us;
        if (is_stopping && is_done) {
            flush_outbox(net);
            return LEAT_OK;
        }
    }
}

leat_code leat_net_new(const leat_net_options *options, leat_net **out, leat_error *error)
{
    leat_net *net = leat_calloc(1, sizeof *net);
    if (!net) return leat_fail_no_memory(error);
    net->transport = (leat_transport){send_control, send_data};
    net->options = *options;
    net->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    net->context = zmq_ctx_new();
    if (net->wake_fd < 0 || !net->context) {
        leat_net_free(net);
        return leat_fail_errno(error, LEAT_LIMIT, errno, "start the network");
    }
    net->control = open_socket(net, ZMQ_DEALER);
    net->data = open_socket(net, ZMQ_ROUTER);
    net->control_monitor = net->control ? open_monitor(net, net->control, "control") : NULL;
    char bound[128];
    snprintf(bound, sizeof bound, "tcp://%s:*", options->bind_address);
    size_t length = sizeof bound;
    if (!net->control || !net->data || !net->control_monitor || zmq_bind(net->data, bound) != 0 ||
        zmq_getsockopt(net->data, ZMQ_LAST_ENDPOINT, bound, &length) != 0) {
        leat_code code = fail_zmq(error, "bind", bound);
        leat_net_free(net);
        return code;
    }
    snprintf(net->endpoint, sizeof net->endpoint, "tcp://%s:%s", options->advertised_address, strrchr(bound, ':') + 1);
    *out = net;
    return LEAT_OK;
}

leat_transport *leat_net_transport(leat_net *net)
{
    return &net->transport;
}

const char *leat_net_data_endpoint(const leat_net *net)
{
    return net->endpoint;
}

void leat_net_free(leat_net *net)
{
    if (!net) return;
    for (outgoing *message = take_outbox(net); message;) {
        outgoing *next = message->next;
        leat_buffer_unref(message->body);
        leat_free(message);
        message = next;
    }
    for (int i = 0; i < net->peers_count; i++) {
        zmq_close(net->peers[i].monitor);
        zmq_close(net->peers[i].socket);
    }
    if (net->control_monitor) zmq_close(net->control_monitor);
    if (net->control) zmq_close(net->control);
    if (net->data) zmq_close(net->data);
    if (net->context) zmq_ctx_term(net->context);
    if (net->wake_fd >= 0) close(net->wake_fd);
    leat_free(net);
}
