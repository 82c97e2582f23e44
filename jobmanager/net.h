/* The job manager's loop: one thread owns its ZeroMQ ROUTER (control) and all coordination state. */
#pragma once

#include "jobmanager/jobmanager.h"

typedef struct leat_jm_net leat_jm_net;

/* Binds "tcp://<address>:<port>"; port 0: any free one. */
LEAT_CHECKED leat_code leat_jm_net_new(const char *address, int port, leat_jm_net **out, leat_error *error);
leat_jm_transport *leat_jm_net_transport(leat_jm_net *net);
const char *leat_jm_net_endpoint(const leat_jm_net *net);
/* Serves until `stop_fd` (or, if >= 0, `parent_fd`: end of file) is readable. */
LEAT_CHECKED leat_code leat_jm_net_run(leat_jm_net *net, leat_jobmanager *jobmanager, int stop_fd, int parent_fd,
                                       leat_error *error);
void leat_jm_net_free(leat_jm_net *net);
