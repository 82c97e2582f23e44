/* Bytes of a client on the HTTP port: parsing, routing, bodies, sessions. The server, the job manager and its sessions
 * are the production ones, made anew for each input; there are no task managers, and storage is memory. */
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/memory.h"
#include "connectors/registry.h"
#include "jobmanager/sessions.h"
#include "paimon/registry.h"
#include "storage/storage.h"
#include "tests/fuzz/fuzz.h"

enum { PATIENCE_MS = 30, IO_THREADS = 1, IO_QUEUE_MAX = 64 };

typedef struct server {
    leat_jm_transport transport; /* first */
    int wake_fd;
    leat_env *env;
    leat_config config;
    leat_registry registry;
    leat_jobmanager manager;
    leat_sessions *sessions;
    leat_rest rest;
    leat_http *http;
} server;

static void send_nowhere(leat_jm_transport *self, const char *task_manager, Leat__Pb__Envelope *envelope)
{
    (void)self;
    (void)task_manager;
    (void)envelope;
}

static void wake(leat_jm_transport *self)
{
    const uint64_t one = 1;
    ssize_t wrote = write(((server *)self)->wake_fd, &one, sizeof one);
    (void)wrote; /* its counter can't overflow here */
}

static void start(server *self)
{
    *self = (server){.transport = {send_nowhere, wake}, .wake_fd = eventfd(0, EFD_NONBLOCK)};
    leat_connectors_register(&self->registry);
    leat_paimon_register(&self->registry);
    leat_code code = leat_env_system_new(IO_THREADS, IO_QUEUE_MAX, &self->env, NULL);
    if (code == LEAT_OK) code = leat_storage_memory_new(&self->env->storage, NULL);
    self->manager = (leat_jobmanager){.env = self->env,
                                      .config = &self->config,
                                      .registry = &self->registry,
                                      .transport = &self->transport,
                                      .cluster_dir = "mem:/cluster"};
    if (code == LEAT_OK) code = leat_jobmanager_init(&self->manager, NULL);
    leat_sessions_options options = {.manager = &self->manager};
    if (code == LEAT_OK) code = leat_sessions_new(&options, &self->sessions, NULL);
    self->rest = (leat_rest){&self->manager, self->sessions, leat_sessions_routes, leat_sessions_tick};
    leat_http_options http = {.address = "127.0.0.1", .handle = leat_rest_handle, .tick = leat_rest_tick};
    http.arg = &self->rest;
    if (code == LEAT_OK) code = leat_http_new(&http, &self->http, NULL);
    LEAT_ASSERT(code == LEAT_OK);
}

static void stop(server *self)
{
    leat_http_stop(self->http);
    leat_sessions_free(self->sessions);
    struct leat_storage *storage = self->env->storage;
    leat_env_system_free(self->env);
    leat_jobmanager_done(&self->manager);
    leat_http_free(self->http);
    leat_storage_free(storage);
    leat_config_done(&self->config);
    close(self->wake_fd);
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    LEAT_ASSERT(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* The job manager's loop, until the server has closed the connection or has nothing more to say. */
static void talk(server *self, int fd, const uint8_t *data, size_t size)
{
    struct pollfd polled[2] = {{.fd = fd, .events = POLLIN}, {.fd = self->wake_fd, .events = POLLIN}};
    size_t sent = 0;
    for (bool is_open = true; is_open;) {
        ssize_t wrote = sent < size ? send(fd, data + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (wrote > 0) sent += (size_t)wrote;
        if (poll(polled, 2, PATIENCE_MS) <= 0) break;
        uint64_t count;
        if (polled[1].revents && read(self->wake_fd, &count, sizeof count) > 0)
            leat_jobmanager_handle_inbox(&self->manager);
        char answer[4096];
        if (polled[0].revents) is_open = recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0;
    }
    close(fd);
    leat_jobmanager_handle_inbox(&self->manager);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static server self;
    leat_log_set_level(LEAT_LOG_OFF);
    start(&self);
    talk(&self, connect_to(leat_http_port(self.http)), data, size);
    stop(&self);
    return 0;
}
