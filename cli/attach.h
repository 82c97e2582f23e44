/* Staying with jobs until they have ended. */
#pragma once

#include "cli/client.h"

enum { LEAT_ATTACHED_MAX = 256 };

typedef struct leat_attached_job {
    char id[33], name[256], state[32];
    int64_t submitted_ms; /* monotonic */
    char wait[96];        /* for slots: what was said last */
} leat_attached_job;

typedef struct leat_attached {
    leat_attached_job jobs[LEAT_ATTACHED_MAX];
    int count;
    bool is_embedded; /* the cluster is this run's own */
    int failed;       /* how many did not finish well; their causes were said */
} leat_attached;

/* Says on stderr that it was submitted. */
LEAT_CHECKED leat_code leat_attached_add(leat_attached *self, const json_t *job, leat_error *error);
/* Until all have ended, with their progress on stderr. Failures are said as they come, and counted. CANCELED at a
 * signal. */
LEAT_CHECKED leat_code leat_attached_wait(leat_attached *self, leat_client *client, leat_error *error);
/* Cancels those that run, and waits some seconds for their end. */
void leat_attached_cancel(leat_attached *self, leat_client *client);
