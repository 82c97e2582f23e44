/* Rows of SELECTs: from the job's collected batches to lines of text. */
#include <stdlib.h>
#include <string.h>

#include "columnar/wire.h"
#include "common/memory.h"
#include "jobmanager/sessions_internal.h"

enum {
    FETCH_BATCHES_MAX = 32,
    FETCH_BYTES_MAX = 1 << 20,
    QUERIES_MAX = 64,
    READER_SILENT_MS = 60000,
    READER_GONE_MS = 3000,
    FIRST_ASK_MS = 10000
};

/* One answer in the making: batches are copied on the loop and formatted on an I/O thread. */
typedef struct fetch {
    leat_jm_message message; /* first */
    leat_job job;
    leat_jobmanager *manager;
    leat_query *query;
    leat_http_request *request;
    leat_row_format format;
    uint64_t from, next;
    leat_buffer *batches[FETCH_BATCHES_MAX];
    uint64_t skips; /* rows of the first batch that the reader has already */
    int batches_count;
    leat_bytes lines;
    leat_code code;
    leat_error error;
} fetch;

json_t *leat_query_columns(const leat_schema *schema)
{
    json_t *columns = json_array();
    for (int32_t c = 0; c < schema->fields_count; c++) {
        leat_bytes type = {0};
        leat_type_print(&schema->fields[c].type, true, &type);
        json_array_append_new(columns, json_pack("{s:o,s:s}", "name", leat_rest_text(schema->fields[c].name), "type",
                                                 type.data ? (const char *)type.data : ""));
        leat_bytes_done(&type);
    }
    return columns;
}

static void release(leat_query *query)
{
    if (--query->references) return;
    leat_session_result_done(&query->result);
    leat_free(query);
}

static bool has_kinds(const leat_query *query)
{
    return !query->result.is_batch && query->result.changes != LEAT_CHANGES_INSERT;
}

static bool is_gone(const leat_http_request *request)
{
    return atomic_load_explicit(&request->is_gone, memory_order_relaxed);
}

/* --- answers --- */

/* The line about the answer, then the rows. */
static void answer_lines(leat_http_request *request, json_t *about, leat_bytes *lines)
{
    leat_bytes body = {0};
    char *text = about ? json_dumps(about, JSON_COMPACT) : NULL;
    leat_bytes_text(&body, text ? text : "{}");
    leat_bytes_put_u8(&body, '\n');
    if (lines) leat_bytes_put(&body, lines->data, lines->size);
    free(text); /* Jansson's allocation */
    json_decref(about);
    leat_http_answer(request, body.failed ? 500 : 200, "application/x-ndjson; charset=UTF-8", &body);
}

static void answer_state(leat_query *query, leat_http_request *request, uint64_t from, const leat_jm_job *job)
{
    bool has_ended = !job || (leat_job_state_is_terminal(job->state) && !job->collected);
    query->was_read_up = has_ended;
    json_t *about = json_pack("{s:I,s:i,s:b,s:s}", "next", (json_int_t)from, "rows", 0, "end", has_ended, "state",
                              job ? leat_job_state_name(job->state) : "CANCELED");
    if (job && job->state == LEAT_JOB_FAILED && job->exceptions_count) {
        const leat_jm_exception *last = &job->exceptions[job->exceptions_count - 1];
        json_object_set_new(about, "error", leat_rest_text(last->text));
        json_object_set_new(about, "task", leat_rest_text(last->task));
        json_object_set_new(about, "hint", leat_rest_text(last->hint));
    }
    leat_bytes lines = {0};
    bool is_first_csv = query->waiting_format == LEAT_ROW_FORMAT_CSV && from == 0 && has_ended;
    if (is_first_csv) leat_row_format_csv_header(&query->result.schema, has_kinds(query), &lines);
    answer_lines(request, about, &lines);
    leat_bytes_done(&lines);
}

/* --- formatting, on an I/O thread --- */

static leat_code format_batch(fetch *self, leat_buffer *body, uint64_t skips, leat_error *error)
{
    const leat_schema *schema = &self->query->result.schema;
    leat_layout layouts[1024];
    if (schema->fields_count > 1024) return leat_fail(error, LEAT_UNSUPPORTED, "a result of more than 1024 columns");
    for (int32_t c = 0; c < schema->fields_count; c++)
        layouts[c] = leat_type_layout(&schema->fields[c].type);
    leat_batch *batch = NULL;
    LEAT_TRY(leat_batch_wire_read(body, layouts, schema->fields_count, &batch, error));
    uint16_t rest[LEAT_BATCH_ROWS_MAX];
    if (skips > 0 && skips < (uint64_t)batch->selected) { /* written without a selection, so rows are in order */
        batch->selected = 0;
        for (int32_t row = (int32_t)skips; row < batch->rows; row++)
            rest[batch->selected++] = (uint16_t)row;
        batch->selection = rest;
    }
    leat_code code = leat_row_format_write(self->format, schema, batch, has_kinds(self->query),
                                           self->query->result.time_zone, &self->lines, error);
    batch->selection = NULL; /* was ours, on the stack */
    leat_batch_free(batch);
    return code;
}

static void run_fetch(leat_job *job, leat_env *env)
{
    (void)env;
    fetch *self = (fetch *)((char *)job - offsetof(fetch, job));
    if (self->format == LEAT_ROW_FORMAT_CSV && self->from == 0) {
        leat_row_format_csv_header(&self->query->result.schema, has_kinds(self->query), &self->lines);
    }
    for (int i = 0; i < self->batches_count && self->code == LEAT_OK; i++) {
        self->code = format_batch(self, self->batches[i], i == 0 ? self->skips : 0, &self->error);
    }
}

static void finish_fetch(leat_jobmanager *manager, leat_jm_message *message)
{
    fetch *self = (fetch *)message;
    self->query->read_ms = leat_env_mono_us(manager->env) / 1000;
    if (is_gone(self->request)) self->query->abandoned_ms = self->query->read_ms;
    if (self->code == LEAT_OK) {
        json_t *about = json_pack("{s:I,s:I,s:b,s:s}", "next", (json_int_t)self->next, "rows",
                                  (json_int_t)(self->next - self->from), "end", 0, "state", "RUNNING");
        answer_lines(self->request, about, &self->lines);
    } else {
        leat_rest_error(self->request, &self->error);
    }
    for (int i = 0; i < self->batches_count; i++)
        leat_buffer_unref(self->batches[i]);
    leat_bytes_done(&self->lines);
    release(self->query);
    leat_free(self);
}

static void fetch_is_done(leat_job *job, leat_env *env)
{
    (void)env;
    fetch *self = (fetch *)((char *)job - offsetof(fetch, job));
    self->message.handle = finish_fetch;
    leat_jobmanager_post(self->manager, &self->message);
}

/* --- on the loop --- */

static leat_code take_batches(fetch *self, const leat_jm_job *job, leat_error *error)
{
    size_t bytes = 0;
    for (const leat_jm_collected *batch = job->collected; batch; batch = batch->next) {
        if (batch->sequence + batch->rows <= self->from) continue;
        if (self->batches_count == FETCH_BATCHES_MAX || (bytes && bytes + batch->batch.size > FETCH_BYTES_MAX)) break;
        leat_buffer *copy = leat_buffer_new(batch->batch.size);
        if (!copy) return leat_fail_no_memory(error);
        memcpy(copy->data, batch->batch.data, batch->batch.size);
        if (!self->batches_count) self->skips = self->from > batch->sequence ? self->from - batch->sequence : 0;
        self->batches[self->batches_count++] = copy;
        self->next = batch->sequence + batch->rows;
        bytes += batch->batch.size;
    }
    return LEAT_OK;
}

static leat_code start_fetch(leat_query *query, leat_jm_job *job, leat_error *error)
{
    fetch *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->manager = job->jobmanager;
    self->query = query;
    self->request = query->waiting;
    self->format = query->waiting_format;
    self->from = self->next = query->waiting_from;
    self->job.run = run_fetch;
    self->job.done = fetch_is_done;
    leat_code code = take_batches(self, job, error);
    query->references++;
    if (code == LEAT_OK) code = leat_env_spawn(job->jobmanager->env, &self->job, error);
    if (code != LEAT_OK) {
        query->references--;
        for (int i = 0; i < self->batches_count; i++)
            leat_buffer_unref(self->batches[i]);
        leat_free(self);
    }
    return code;
}

static void serve(leat_query *query, leat_jm_job *job)
{
    if (!query->waiting) return;
    bool has_rows = job && job->collected_next > query->waiting_from && job->collected;
    bool has_ended = !job || leat_job_state_is_terminal(job->state);
    leat_http_request *request = query->waiting;
    if (has_rows) {
        leat_error error = {0};
        leat_code code = start_fetch(query, job, &error);
        query->waiting = NULL;
        if (code != LEAT_OK) leat_rest_error(request, &error);
    } else if (has_ended) {
        query->waiting = NULL;
        answer_state(query, request, query->waiting_from, job);
    }
}

static void on_job_changed(leat_jm_job *job, void *arg)
{
    serve(arg, job);
}

leat_query *leat_query_new(leat_session_entry *session, leat_jm_job *job, leat_session_result *result)
{
    if (session->queries_count == QUERIES_MAX) return NULL;
    leat_query *query = leat_calloc(1, sizeof *query);
    if (!query) return NULL;
    query->session = session;
    query->references = 1;
    query->number = ++session->queries_count;
    query->read_ms = leat_env_mono_us(job->jobmanager->env) / 1000;
    memcpy(query->job_id, job->id_text, sizeof query->job_id);
    query->result = *result;
    *result = (leat_session_result){0};
    query->next = session->queries;
    session->queries = query;
    job->on_change = on_job_changed;
    job->on_change_arg = query;
    return query;
}

void leat_query_close(leat_query *query)
{
    leat_jobmanager *manager = query->session->owner->options.manager;
    leat_jm_job *job = leat_jobmanager_find_text(manager, query->job_id);
    if (job) {
        job->on_change = NULL;
        leat_jobmanager_collect_ack(manager, job, job->collected_next); /* nobody reads them any more */
        leat_error error = {0};
        /* One that has ended refuses, which is as good. */
        if (!leat_job_state_is_terminal(job->state) && leat_jobmanager_cancel(manager, job, &error) != LEAT_OK)
            job = NULL;
    }
    if (query->waiting) answer_state(query, query->waiting, query->waiting_from, NULL);
    query->waiting = NULL;
    release(query);
}

bool leat_query_was_abandoned(const leat_query *query, int64_t now_ms)
{
    if (query->waiting) return is_gone(query->waiting);
    bool is_left = query->abandoned_ms && now_ms - query->abandoned_ms > READER_GONE_MS;
    return !query->was_read_up &&
           (is_left || now_ms - query->read_ms > (query->was_asked ? READER_SILENT_MS : FIRST_ASK_MS));
}

static leat_query *find_query(leat_rest_call *call, leat_session_entry *session)
{
    int64_t number = 0;
    leat_query *query = session->queries;
    if (leat_parse_int(call->parameters[1], &number, NULL) != LEAT_OK) query = NULL;
    while (query && query->number != number)
        query = query->next;
    return query;
}

/* Rows were sent to nobody: whoever read this query does not any more. */
static void on_reader_lost(leat_jobmanager *manager, leat_jm_message *message)
{
    leat_http_request *request = (leat_http_request *)message;
    const leat_rest *rest = request->handler_data;
    leat_rest_call place = {0};
    if (leat_rest_match("/leat/v1/sessions/:session/statements/:statement/rows", request->path, &place)) {
        for (leat_session_entry *session = rest->sessions->sessions; session; session = session->next) {
            leat_query *query = strcmp(session->id, place.parameters[0]) == 0 ? find_query(&place, session) : NULL;
            if (query && !query->waiting) query->abandoned_ms = leat_env_mono_us(manager->env) / 1000;
        }
    }
    leat_http_forget(request);
}

static void reader_is_lost(leat_http_request *request)
{
    request->message.handle = on_reader_lost;
    leat_jobmanager_post(((leat_rest *)request->handler_data)->manager, &request->message);
}

void leat_sessions_rows(leat_rest_call *call)
{
    leat_session_entry *session = leat_sessions_find(call);
    if (!session) return;
    leat_error error = {0};
    const char *from_text = leat_http_query(call->request, "from"),
               *format_text = leat_http_query(call->request, "format");
    const char *wait_text = leat_http_query(call->request, "wait");
    int64_t from = 0;
    leat_row_format format = LEAT_ROW_FORMAT_ROWS;
    leat_query *query = find_query(call, session);
    leat_code code = LEAT_OK;
    if (!query)
        code = leat_fail(&error, LEAT_NOT_FOUND, "the session has no query %s", call->parameters[1]);
    else if (from_text && (leat_parse_int(from_text, &from, NULL) != LEAT_OK || from < 0)) {
        code = leat_fail(&error, LEAT_INVALID, "'from=%s' is no row number", from_text);
    } else if (format_text && !leat_row_format_parse(format_text, &format)) {
        code = leat_fail(&error, LEAT_INVALID, "'format=%s' is none of rows, json, csv", format_text);
    }
    if (code != LEAT_OK) {
        leat_rest_error(call->request, &error);
        return;
    }
    leat_jm_job *job = leat_jobmanager_find_text(call->manager, query->job_id);
    if (query->waiting) answer_state(query, query->waiting, query->waiting_from, job); /* one reader: the newer one */
    query->abandoned_ms = 0;
    query->was_asked = true;
    query->read_ms = leat_env_mono_us(call->manager->env) / 1000;
    query->waiting = call->request;
    call->request->on_lost = reader_is_lost;
    query->waiting_from = (uint64_t)from;
    query->waiting_format = format;
    if (job && from > 0 && (uint64_t)from <= job->collected_next)
        leat_jobmanager_collect_ack(call->manager, job, (uint64_t)from);
    serve(query, job);
    if (query->waiting == call->request && wait_text && strcmp(wait_text, "false") == 0) {
        query->waiting = NULL;
        answer_state(query, call->request, (uint64_t)from, job);
    }
}
