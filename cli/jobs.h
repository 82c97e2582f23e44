/* What several commands ask about jobs. */
#pragma once

#include "cli/client.h"

/* A job by its id, the beginning of its id, or its name (the newest of that name that has not ended, else the newest):
 * the id goes to `out`. NOT_FOUND, or INVALID when the beginning fits several. */
LEAT_CHECKED leat_code leat_jobs_find(leat_client *client, const char *given, char out[33], leat_error *error);
bool leat_jobs_has_ended(const char *state);
/* "it needs 4 slots, 1 is free" of a job (as of /jobs/overview or /jobs/:id) that waits for some; else false. */
bool leat_jobs_print_wait(const json_t *job, char *out, size_t size);
/* Asks that it be cancelled; fine if it has ended meanwhile. */
LEAT_CHECKED leat_code leat_jobs_cancel(leat_client *client, const char *id, leat_error *error);
/* Why a job failed, made an error: its newest exception with task, cause and hint; or why that could not be asked. */
void leat_jobs_explain(leat_client *client, const char *id, const char *name, leat_error *error);
