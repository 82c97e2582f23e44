/* Passwords and keys of a job. A plan, which may be printed, holds "${secret:n}" in their place; the values travel
 * apart (JobGraph.secrets), lie in the job's configuration under that name, and are asked for when a connection is
 * made. */
#pragma once

#include "common/arena.h"
#include "common/config.h"
#include "proto/graph.pb-c.h"

/* Those of one plan, in its arena. Zeroed: none. */
typedef struct leat_secrets {
    const char **values;
    int32_t count, capacity;
} leat_secrets;

/* *out: what the plan may hold in place of `value` (NULL: NULL). Equal values share a name. `self` NULL: the value. */
LEAT_CHECKED leat_code leat_secrets_add(leat_secrets *self, leat_arena *arena, const char *value, const char **out,
                                        leat_error *error);
LEAT_CHECKED leat_code leat_secrets_pack(const leat_secrets *self, leat_arena *arena, Leat__Pb__JobGraph *graph,
                                         leat_error *error);
/* Puts a graph's secrets into the job's configuration. */
LEAT_CHECKED leat_code leat_secrets_unpack(const Leat__Pb__JobGraph *graph, leat_config *config, leat_error *error);

/* *text: "${secret:n}" becomes its value, borrowed from the configuration; other texts stay. LEAT_CORRUPT: it is not
 * there.
 */
LEAT_CHECKED leat_code leat_secret_reveal(const leat_config *config, const char **text, leat_error *error);
