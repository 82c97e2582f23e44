/* SQL sessions behind the REST API, /leat/v1/sessions: each has a thread that parses, plans and asks catalogs; what it
 * makes goes to the job manager's loop, which submits the jobs and owns the list of sessions.
 *
 *   POST   /leat/v1/sessions             {"config":{k:v}} → {"session":id}
 *
 *   POST   …/:session/scripts            {"name","text","variables":{n:v}} → {}
 *
 *   POST   …/:session/statements         runs the next one → {"kind":"ok"|"rows"|"job"|"query"|"end",…}
 *
 *   GET    …/:session/statements/:n/rows?from=N&format=json|csv|rows[&wait=false]
 *                                        a line of JSON about the answer, then the rows as lines
 *
 *   GET    …/:session/tables/:catalog/:database/:table
 *
 *   DELETE …/:session                    cancels its queries; jobs of INSERTs run on
 *
 *   POST   /leat/v1/actions/:name        {"arguments":[[k,v]],"config":{k:v}} → {"job":id}
 *
 * A query's rows are acknowledged to its task by the next `from`; a reader that asks again with the same `from` gets
 * them again. One reader a query. A session is closed when nobody used it for ten minutes, when a query's reader closed
 * its connection, or did not ask for rows for a minute. All functions run on the loop, but for _new, _free and _tick.
 */
#pragma once

#include "jobmanager/rest.h"
#include "sql/session.h"

typedef struct leat_sessions_options {
    leat_jobmanager *manager;
    const char *time_zone; /* of the machine; NULL: UTC */
} leat_sessions_options;

LEAT_CHECKED leat_code leat_sessions_new(const leat_sessions_options *options, leat_sessions **out, leat_error *error);
/* After the loop has ended: waits for the threads. */
void leat_sessions_free(leat_sessions *self);
/* Any thread, once a second: closes what is idle. */
void leat_sessions_tick(leat_sessions *self);

/* The paths above, for leat_rest. */
extern const leat_rest_route leat_sessions_routes[];

void leat_sessions_create(leat_rest_call *call);
void leat_sessions_close(leat_rest_call *call);
void leat_sessions_begin(leat_rest_call *call);
void leat_sessions_next(leat_rest_call *call);
void leat_sessions_rows(leat_rest_call *call);
void leat_sessions_table(leat_rest_call *call);
void leat_sessions_action(leat_rest_call *call);
void leat_sessions_inspect(leat_rest_call *call);
