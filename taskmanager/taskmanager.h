/* The task manager without its threads and sockets: what it does with each control message and data frame, and what it
 * sends. Production gives it a ZeroMQ transport and a pool of workers (main.c); tests/sim a simulated network and loop.
 *
 * leat_taskmanager_on_control and leat_taskmanager_on_tick are called by one thread; leat_taskmanager_on_data by any;
 * the transport's functions are called by any. */
#pragma once

#include <pthread.h>

#include "common/config.h"
#include "flow/registry.h"
#include "taskmanager/executor.h"
#include "taskmanager/job.h"

typedef struct leat_transport leat_transport;
struct leat_transport {
    /* To the job manager; the envelope is packed during the call. Never blocks. */
    void (*send_control)(leat_transport *self, Leat__Pb__Envelope *envelope);
    /* To a task manager's data endpoint. Takes a reference of body, which may be NULL. Never blocks; what can't be sent
     * comes back as a lost connection. */
    void (*send_data)(leat_transport *self, const char *endpoint, const leat_frame *frame, leat_buffer *body);
};

struct leat_taskmanager {
    const char *id;
    const char *data_endpoint;
    leat_env *env;
    const leat_config *config;
    const leat_registry *registry;
    leat_executor *executor;
    leat_transport *transport;
    int32_t slots;
    pthread_mutex_t lock;
    leat_task_job *jobs;       /* under lock */
    atomic_llong stale_frames; /* of attempts that are not here (any more) */
    atomic_ullong leader_epoch;
    atomic_llong lease_until_us; /* 0: without end */
    /* leader.c's; of the thread that ticks. Monotonic times. */
    int64_t heard_us, told_us, registered_us;
    int64_t lease_us, heartbeat_interval_us;
    bool is_cut_off; /* the lease ran out: told once */
};

/* The fields above `lock` are filled in by the caller; pointers are borrowed. */
LEAT_CHECKED leat_code leat_taskmanager_init(leat_taskmanager *self, leat_error *error);
/* All jobs must have ended (leat_taskmanager_cancel_all, then wait for leat_taskmanager_jobs_count to be 0). */
void leat_taskmanager_done(leat_taskmanager *self);
/* Heartbeats; the end of all tasks when the job manager was silent for longer than the lease. Returns when to call
 * again (monotonic us). */
int64_t leat_taskmanager_on_tick(leat_taskmanager *self);
/* Registration message, again after each (re)connection. */
void leat_taskmanager_register(leat_taskmanager *self);
void leat_taskmanager_heartbeat(leat_taskmanager *self);
/* An Envelope from the job manager, untrusted bytes. What is wrong is logged and dropped. */
void leat_taskmanager_on_control(leat_taskmanager *self, const uint8_t *data, size_t size);
/* A header and a body (taken; may be NULL) from another task manager, untrusted. */
void leat_taskmanager_on_data(leat_taskmanager *self, const uint8_t *header, size_t header_size, leat_buffer *body);
/* The connection to a peer is gone: every job that has subtasks there fails here too. */
void leat_taskmanager_on_peer_lost(leat_taskmanager *self, const char *endpoint);
/* Whether tasks may go on: the job manager was heard not long ago. A process that was stopped finds the lease out when
 * it wakes, before it works on: somebody else may do its work by now. Any thread. */
bool leat_taskmanager_has_lease(leat_taskmanager *self);
/* Ends all tasks. */
void leat_taskmanager_cancel_all(leat_taskmanager *self);
int leat_taskmanager_jobs_count(leat_taskmanager *self);

/* For the task manager's own parts. */
void leat_leader_begin(leat_taskmanager *self);
void leat_leader_on_heard(leat_taskmanager *self);
void leat_leader_on_registered(leat_taskmanager *self, const Leat__Pb__Registered *message);
void leat_leader_on_register_again(leat_taskmanager *self);
void leat_taskmanager_send(leat_taskmanager *self, Leat__Pb__Envelope *envelope);
void leat_taskmanager_forget(leat_taskmanager *self, leat_task_job *job);
