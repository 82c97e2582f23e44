/* HTTP to a job manager: one connection, kept open; a call waits for its answer or a signal. */
#pragma once

#include "cli/cli.h"

typedef struct leat_client leat_client;

/* `url`: "http://host:port". Does not connect yet. */
LEAT_CHECKED leat_code leat_client_new(const char *url, leat_client **out, leat_error *error);
void leat_client_free(leat_client *client);
/* After an interrupt, for cleaning up: calls no longer stop at signals, and give up after some seconds. */
void leat_client_finish(leat_client *client);

/* `body` NULL: none; a reference is taken. The answer's bytes go to `out` (NUL-terminated). A status of 400 and more is
 * an error made of the answer's text, code and hint. UNAVAILABLE: nobody listens there; CANCELED: a signal came. */
LEAT_CHECKED leat_code leat_client_call(leat_client *client, const char *method, const char *path, json_t *body,
                                        leat_bytes *out, leat_error *error);
/* The same, for answers that are one JSON value; *out is the caller's (NULL: not wanted). A GET gives up after half a
 * minute: what it asks for lies ready. */
LEAT_CHECKED leat_code leat_client_json(leat_client *client, const char *method, const char *path, json_t *body,
                                        json_t **out, leat_error *error);
/* Part of a path, percent-encoded, for building paths; appended. */
void leat_client_escape(const char *text, leat_bytes *out);
