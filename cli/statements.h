/* A session of the job manager, as a client sees it. */
#pragma once

#include "cli/client.h"

typedef struct leat_cli_session {
    leat_client *client; /* borrowed */
    char id[64];         /* empty: none is open */
} leat_cli_session;

LEAT_CHECKED leat_code leat_cli_session_open(leat_cli_session *session, leat_client *client, const leat_config *config,
                                             leat_error *error);
/* Cancels its queries; nothing is said about errors. */
void leat_cli_session_close(leat_cli_session *session);

/* Starts a script. `variables` are those of --var; the environment's are added for the names the text uses. */
LEAT_CHECKED leat_code leat_cli_session_begin(leat_cli_session *session, const char *name, const leat_bytes *text,
                                              const leat_config *variables, leat_error *error);
/* Runs the next statement; *out (the caller's) has "kind": "end" after the last. Its warning goes to stderr. */
LEAT_CHECKED leat_code leat_cli_session_next(leat_cli_session *session, json_t **out, leat_error *error);

/* A whole file. LEAT_LIMIT beyond 8 MB. */
LEAT_CHECKED leat_code leat_cli_read_file(const char *path, leat_bytes *out, leat_error *error);
/* A JSON object of a config's entries. */
json_t *leat_cli_config_json(const leat_config *config);
/* Says on stderr which keys nobody knows, with the nearest one that is known. */
void leat_cli_check_keys(const leat_config *config);
