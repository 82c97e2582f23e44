/* The task manager's network loop: one thread owns all ZeroMQ sockets (DESIGN 4).
 *
 *   control  DEALER ── connects to ──▶ the job manager's ROUTER
 *   data     ROUTER ◀── others' DEALERs; receives elements and credits
 *            DEALER a peer ──▶ its ROUTER; sends elements and credits
 *
 * Other threads hand messages over by a lock-free stack and an eventfd. A closed connection to a peer is noticed at
 * once by a socket monitor. */
#pragma once

#include "taskmanager/taskmanager.h"

typedef struct leat_net leat_net;

typedef struct leat_net_options {
    const char *id;               /* the task manager's; its identity on the control socket */
    const char *control_endpoint; /* "tcp://127.0.0.1:6123" */
    const char *bind_address;     /* "127.0.0.1" */
    const char *advertised_address;
} leat_net_options;

/* Binds the data socket to a free port. The task manager is given with leat_net_run. */
LEAT_CHECKED leat_code leat_net_new(const leat_net_options *options, leat_net **out, leat_error *error);
leat_transport *leat_net_transport(leat_net *net);
const char *leat_net_data_endpoint(const leat_net *net);
/* Serves until `stop_fd` (or, if >= 0, `parent_fd`: end of file) is readable, then until all jobs have ended. */
LEAT_CHECKED leat_code leat_net_run(leat_net *net, leat_taskmanager *taskmanager, int stop_fd, int parent_fd,
                                    leat_error *error);
void leat_net_free(leat_net *net);
