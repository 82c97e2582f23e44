/* Which cluster a command talks to: --jobmanager URL, else $LEAT_JOBMANAGER, else the one that `leat cluster start`
 * wrote down in the folder, else, for `run` and `action`, an embedded one: a job manager and a task manager as children
 * of this process with ports of their own, in a temporary folder. They end when the pipe to them does: on
 * leat_connection_done, and when this process dies in whatever way. */
#pragma once

#include "cli/client.h"
#include "cli/process.h"

typedef struct leat_connection {
    leat_client *client;
    bool is_embedded;
    char dir[4096]; /* embedded: the temporary folder */
    int pipe;       /* embedded: held open; -1 */
    leat_process_id children[2];
    size_t children_count;
} leat_connection;

/* `options`: -D of an embedded cluster's processes too; NULL: an embedded cluster is refused (NOT_FOUND). */
LEAT_CHECKED leat_code leat_connection_open(const leat_cli_place *place, const leat_config *options,
                                            leat_connection *out, leat_error *error);
/* Ends an embedded cluster and removes its folder. */
void leat_connection_done(leat_connection *connection);
