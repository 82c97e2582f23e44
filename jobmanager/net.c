#include "jobmanager/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "common/log.h"
#include "common/memory.h"

enum { CONNECTIONS_MAX = 4096, MESSAGE_BYTES_MAX = 64 << 20, IDENTITY_BYTES_MAX = 64 };

/* Which connection (by its file descriptor) is which task manager: so that a closed one is known at once. */
typedef struct connection {
    int fd;
    char identity[IDENTITY_BYTES_MAX];
} connection;

struct leat_jm_net {
    leat_jm_transport transport; /* first */
    void *context, *router, *monitor;
    int wake_fd;
    char endpoint[128];
    connection connections[CONNECTIONS_MAX];
    int connections_count;
    leat_jobmanager *jobmanager;
};

static void net_wake(leat_jm_transport *transport)
{
    leat_jm_net *net = (leat_jm_net *)transport;
    uint64_t one = 1;
    ssize_t wrote = write(net->wake_fd, &one, sizeof one);
    (void)wrote; /* a full counter is a wake too */
}

static void net_send(leat_jm_transport *transport, const char *task_manager, Leat__Pb__Envelope *envelope)
{
    leat_jm_net *net = (leat_jm_net *)transport;
    size_t size = leat__pb__envelope__get_packed_size(envelope);
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, size) != 0) {
        leat_log(LEAT_LOG_ERROR, "net", "no memory for a message of %zu bytes", size);
        return;
    }
    leat__pb__envelope__pack(envelope, zmq_msg_data(&message));
    bool sent = zmq_send(net->router, task_manager, strlen(task_manager), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                zmq_msg_send(&message, net->router, ZMQ_DONTWAIT) >= 0;
    if (sent) return;
    /* EHOSTUNREACH: the peer is gone; the monitor or the heartbeat tells the rest. */
    leat_log(LEAT_LOG_DEBUG, "net", "send to %s: %s", task_manager, zmq_strerror(zmq_errno()));
    zmq_msg_close(&message);
}

static void remember(leat_jm_net *net, int fd, const char *identity)
{
    for (int i = 0; i < net->connections_count; i++) {
        if (strcmp(net->connections[i].identity, identity) == 0) {
            net->connections[i].fd = fd;
            return;
        }
    }
    if (net->connections_count == CONNECTIONS_MAX) return; /* the heartbeat will do */
    connection *added = &net->connections[net->connections_count++];
    added->fd = fd;
    snprintf(added->identity, sizeof added->identity, "%s", identity);
}

static void on_closed(leat_jm_net *net, int fd)
{
    for (int i = 0; i < net->connections_count; i++) {
        if (net->connections[i].fd != fd) continue;
        char identity[IDENTITY_BYTES_MAX];
        snprintf(identity, sizeof identity, "%s", net->connections[i].identity);
        net->connections[i] = net->connections[--net->connections_count];
        leat_jobmanager_on_disconnect(net->jobmanager, identity);
        return;
    }
}

static bool receive(leat_jm_net *net)
{
    zmq_msg_t identity, body;
    zmq_msg_init(&identity);
    zmq_msg_init(&body);
    bool got = zmq_msg_recv(&identity, net->router, ZMQ_DONTWAIT) >= 0;
    bool is_whole = got && zmq_msg_more(&identity) && zmq_msg_recv(&body, net->router, 0) >= 0;
    size_t length = zmq_msg_size(&identity);
    bool is_named =
        is_whole && length > 0 && length < IDENTITY_BYTES_MAX && *(const char *)zmq_msg_data(&identity) != '\0';
    while (is_whole && zmq_msg_more(&body)) { /* one frame a message; more is not ours */
        is_named = false;
        if (zmq_msg_recv(&body, net->router, 0) < 0) break;
    }
    if (is_named) {
        char name[IDENTITY_BYTES_MAX] = {0};
        memcpy(name, zmq_msg_data(&identity), length);
        remember(net, zmq_msg_get(&body, ZMQ_SRCFD), name);
        leat_jobmanager_on_control(net->jobmanager, name, zmq_msg_data(&body), zmq_msg_size(&body));
    } else if (got) {
        leat_log(LEAT_LOG_WARN, "net", "dropped a message that is not of a task manager");
    }
    zmq_msg_close(&identity);
    zmq_msg_close(&body);
    return got;
}

static void read_monitor(leat_jm_net *net)
{
    for (;;) {
        zmq_msg_t first, second;
        zmq_msg_init(&first);
        if (zmq_msg_recv(&first, net->monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&first);
            return;
        }
        uint16_t event = 0;
        uint32_t value = 0;
        if (zmq_msg_size(&first) >= 6) {
            memcpy(&event, zmq_msg_data(&first), sizeof event);
            memcpy(&value, (const char *)zmq_msg_data(&first) + 2, sizeof value);
        }
        if (zmq_msg_more(&first)) {
            zmq_msg_init(&second);
            (void)zmq_msg_recv(&second, net->monitor, 0);
            zmq_msg_close(&second);
        }
        zmq_msg_close(&first);
        if (event == ZMQ_EVENT_DISCONNECTED) on_closed(net, (int)value);
    }
}

leat_code leat_jm_net_new(const char *address, int port, leat_jm_net **out, leat_error *error)
{
    leat_jm_net *net = leat_calloc(1, sizeof *net);
    if (!net) return leat_fail_no_memory(error);
    net->transport = (leat_jm_transport){net_send, net_wake};
    net->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    net->context = zmq_ctx_new();
    net->router = net->context ? zmq_socket(net->context, ZMQ_ROUTER) : NULL;
    net->monitor = net->context ? zmq_socket(net->context, ZMQ_PAIR) : NULL;
    char bound[128];
    snprintf(bound, sizeof bound, port ? "tcp://%s:%d" : "tcp://%s:*", address, port);
    int zero = 0, one = 1;
    int64_t largest = MESSAGE_BYTES_MAX;
    size_t length = sizeof net->endpoint;
    bool ok = net->wake_fd >= 0 && net->router && net->monitor &&
              zmq_setsockopt(net->router, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
              zmq_setsockopt(net->router, ZMQ_SNDHWM, &zero, sizeof zero) == 0 &&
              zmq_setsockopt(net->router, ZMQ_RCVHWM, &zero, sizeof zero) == 0 &&
              zmq_setsockopt(net->router, ZMQ_ROUTER_MANDATORY, &one, sizeof one) == 0 &&
              zmq_setsockopt(net->router, ZMQ_ROUTER_HANDOVER, &one, sizeof one) == 0 &&
              zmq_setsockopt(net->router, ZMQ_MAXMSGSIZE, &largest, sizeof largest) == 0 &&
              zmq_socket_monitor(net->router, "inproc://monitor", ZMQ_EVENT_DISCONNECTED) == 0 &&
              zmq_connect(net->monitor, "inproc://monitor") == 0 && zmq_bind(net->router, bound) == 0 &&
              zmq_getsockopt(net->router, ZMQ_LAST_ENDPOINT, net->endpoint, &length) == 0;
    if (!ok) {
        leat_code code = leat_fail(error, LEAT_UNAVAILABLE, "bind %s: %s", bound, zmq_strerror(zmq_errno()));
        leat_jm_net_free(net);
        return code;
    }
    *out = net;
    return LEAT_OK;
}

leat_jm_transport *leat_jm_net_transport(leat_jm_net *net)
{
    return &net->transport;
}

const char *leat_jm_net_endpoint(const leat_jm_net *net)
{
    return net->endpoint;
}

enum { ROUTER, MONITOR, WAKE, STOP, PARENT, ITEMS_COUNT, RECEIVE_AT_ONCE = 256 };

leat_code leat_jm_net_run(leat_jm_net *net, leat_jobmanager *jobmanager, int stop_fd, int parent_fd, leat_error *error)
{
    net->jobmanager = jobmanager;
    for (;;) {
        int64_t next_ms = leat_jobmanager_on_tick(jobmanager);
        int64_t wait_ms = next_ms - leat_env_mono_us(jobmanager->env) / 1000;
        zmq_pollitem_t items[ITEMS_COUNT] = {
            [ROUTER] = {.socket = net->router, .events = ZMQ_POLLIN},
            [MONITOR] = {.socket = net->monitor, .events = ZMQ_POLLIN},
            [WAKE] = {.fd = net->wake_fd, .events = ZMQ_POLLIN},
            [STOP] = {.fd = stop_fd, .events = ZMQ_POLLIN},
            [PARENT] = {.fd = parent_fd >= 0 ? parent_fd : stop_fd, .events = ZMQ_POLLIN},
        };
        if (zmq_poll(items, ITEMS_COUNT, wait_ms > 0 ? (long)wait_ms : 0) < 0 && zmq_errno() != EINTR) {
            return leat_fail(error, LEAT_IO, "poll: %s", zmq_strerror(zmq_errno()));
        }
        if (items[WAKE].revents & ZMQ_POLLIN) {
            uint64_t wakes;
            ssize_t got = read(net->wake_fd, &wakes, sizeof wakes);
            (void)got; /* only resets the counter */
        }
        leat_jobmanager_handle_inbox(jobmanager);
        for (int i = 0; i < RECEIVE_AT_ONCE && receive(net); i++) {
        }
        read_monitor(net);
        if (jobmanager->is_deposed) return leat_fail(error, LEAT_CANCELED, "another job manager leads");
        if ((items[STOP].revents | items[PARENT].revents) & (ZMQ_POLLIN | ZMQ_POLLERR)) return LEAT_OK;
    }
}

void leat_jm_net_free(leat_jm_net *net)
{
    if (!net) return;
    if (net->monitor) zmq_close(net->monitor);
    if (net->router) zmq_close(net->router);
    if (net->context) zmq_ctx_term(net->context);
    if (net->wake_fd >= 0) close(net->wake_fd);
    leat_free(net);
}
