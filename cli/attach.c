#include "cli/attach.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cli/jobs.h"

enum { POLL_MIN_MS = 10, POLL_MAX_MS = 500, CANCEL_PATIENCE_MS = 20000 };

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

leat_code leat_attached_add(leat_attached *self, const json_t *job, leat_error *error)
{
    if (self->count == LEAT_ATTACHED_MAX)
        return leat_fail(error, LEAT_LIMIT, "a run has at most %d jobs", LEAT_ATTACHED_MAX);
    leat_attached_job *added = &self->jobs[self->count++];
    snprintf(added->id, sizeof added->id, "%s", text_of(job, "job"));
    snprintf(added->name, sizeof added->name, "%s", text_of(job, "name"));
    added->submitted_ms = leat_cli_now_ms();
    leat_cli_say("job %s submitted: %s", added->id, added->name);
    return LEAT_OK;
}

static void count_records(const json_t *answer, int64_t *read, int64_t *written)
{
    const json_t *vertices = json_object_get(answer, "vertices");
    for (size_t v = 0; v < json_array_size(vertices); v++) {
        const json_t *metrics = json_object_get(json_array_get(vertices, v), "metrics");
        int64_t in = json_integer_value(json_object_get(metrics, "read-records"));
        int64_t out = json_integer_value(json_object_get(metrics, "write-records"));
        if (in > *read) *read = in;
        if (out > *written) *written = out;
    }
}

enum { WAIT_SAID_MS = 1000 }; /* a cluster that is starting gets its slots sooner */

/* On a line of its own whenever it changes. */
static void say_wait(const leat_attached *self, leat_attached_job *job, const json_t *answer)
{
    char wait[sizeof job->wait] = "";
    (void)leat_jobs_print_wait(answer, wait, sizeof wait);
    if (leat_cli_now_ms() - job->submitted_ms < WAIT_SAID_MS || strcmp(wait, job->wait) == 0) return;
    memcpy(job->wait, wait, sizeof wait);
    if (!wait[0]) return;
    leat_cli_say("job %s waits for slots: %s", job->id, wait);
    leat_cli_say("hint: %s", self->is_embedded ? "-D taskmanager.numberOfTaskSlots=N gives the run more slots"
                                               : "leat cluster add-taskmanager");
}

/* One look at a job. */
static leat_code look(leat_attached *self, leat_attached_job *job, leat_client *client, leat_error *error)
{
    char path[64];
    snprintf(path, sizeof path, "/jobs/%s", job->id);
    json_t *answer = NULL;
    LEAT_TRY(leat_client_json(client, "GET", path, NULL, &answer, error));
    const char *state = text_of(answer, "state");
    char duration[32];
    leat_cli_print_duration(leat_cli_now_ms() - job->submitted_ms, duration, sizeof duration);
    if (strcmp(state, job->state) != 0) {
        snprintf(job->state, sizeof job->state, "%s", state);
        leat_cli_say("job %s is %s (%s): %s", job->id, state, duration, job->name);
        leat_error cause = {0};
        if (strcmp(state, "RESTARTING") == 0) {
            leat_jobs_explain(client, job->id, job->name, &cause);
            leat_cli_say("  %s", cause.text);
        }
        if (strcmp(state, "FAILED") == 0) {
            self->failed++;
            leat_jobs_explain(client, job->id, job->name, &cause);
            (void)leat_cli_failed(&cause);
        }
        if (strcmp(state, "CANCELED") == 0) self->failed++;
    } else {
        int64_t read = 0, written = 0;
        count_records(answer, &read, &written);
        leat_cli_progress("%s · %s · %s · %" PRId64 " records", job->name, state, duration,
                          read > written ? read : written);
    }
    say_wait(self, job, answer);
    json_decref(answer);
    return LEAT_OK;
}

leat_code leat_attached_wait(leat_attached *self, leat_client *client, leat_error *error)
{
    for (int64_t pause_ms = POLL_MIN_MS;; pause_ms = pause_ms * 3 / 2 < POLL_MAX_MS ? pause_ms * 3 / 2 : POLL_MAX_MS) {
        int running = 0;
        for (int i = 0; i < self->count; i++) {
            leat_attached_job *job = &self->jobs[i];
            if (leat_jobs_has_ended(job->state)) continue;
            LEAT_TRY(look(self, job, client, error));
            running += !leat_jobs_has_ended(job->state);
        }
        if (!running) break;
        LEAT_TRY(leat_cli_sleep(pause_ms, error));
    }
    leat_cli_progress_end();
    return LEAT_OK;
}

void leat_attached_cancel(leat_attached *self, leat_client *client)
{
    leat_client_finish(client);
    leat_error ignored = {0};
    int running = 0;
    for (int i = 0; i < self->count; i++) {
        leat_attached_job *job = &self->jobs[i];
        if (leat_jobs_has_ended(job->state)) continue;
        if (leat_jobs_cancel(client, job->id, &ignored) == LEAT_OK) running++;
    }
    if (running) leat_cli_say("cancelling %d job%s", running, running == 1 ? "" : "s");
    int64_t until_ms = leat_cli_now_ms() + CANCEL_PATIENCE_MS;
    while (running && leat_cli_now_ms() < until_ms) {
        running = 0;
        for (int i = 0; i < self->count; i++) {
            leat_attached_job *job = &self->jobs[i];
            if (leat_jobs_has_ended(job->state)) continue;
            if (look(self, job, client, &ignored) != LEAT_OK) return; /* the job manager is gone */
            running += !leat_jobs_has_ended(job->state);
        }
        if (running && poll(NULL, 0, POLL_MIN_MS) < 0) return;
    }
}
