/* What sessions do on their threads: create, scripts, statements, tables. */
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "jobmanager/sessions_internal.h"

/* Most answers: the error, or `output`. */
void leat_session_answer_output(leat_session_work *work)
{
    if (work->code != LEAT_OK) {
        leat_rest_error(work->request, &work->error);
        return;
    }
    leat_rest_json(work->request, 200, work->output ? work->output : json_object());
    work->output = NULL;
}

/* --- create --- */

static leat_code make_session(leat_session_work *work, leat_error *error)
{
    leat_session_entry *session = work->session;
    leat_sessions *owner = session->owner;
    leat_session_options options = {.env = owner->options.manager->env,
                                    .config = owner->options.manager->config,
                                    .catalogs = owner->catalogs,
                                    .time_zone = owner->options.time_zone};
    LEAT_TRY(leat_session_new(&options, &session->sql, error));
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(work->input, "config"), key, value)
    {
        const char *text = json_string_value(value);
        if (!text) return leat_fail(error, LEAT_INVALID, "the value of '%s' in \"config\" is no text", key);
        LEAT_TRY(leat_session_set(session->sql, key, text, error));
    }
    return LEAT_OK;
}

static leat_code run_create(leat_session_work *work, leat_error *error)
{
    LEAT_TRY(make_session(work, error));
    work->output = json_pack("{s:s}", "session", work->session->id);
    return LEAT_OK;
}

static void finish_create(leat_session_work *work)
{
    bool failed = work->code != LEAT_OK;
    leat_session_answer_output(work);
    if (failed) leat_session_end(work->session);
}

void leat_sessions_create(leat_rest_call *call)
{
    leat_session_work *work;
    leat_session_entry *session = leat_session_start(call, &work);
    if (!session) return;
    work->run = run_create;
    work->finish = finish_create;
    leat_session_post(session, work);
}

/* --- scripts --- */

static leat_code run_begin(leat_session_work *work, leat_error *error)
{
    const char *name = json_string_value(json_object_get(work->input, "name"));
    const json_t *text = json_object_get(work->input, "text");
    if (!json_is_string(text)) return leat_fail(error, LEAT_INVALID, "the request's body has no \"text\"");
    json_t *variables = json_object_get(work->input, "variables");
    size_t count = 0;
    leat_sql_variable *list = leat_calloc(json_object_size(variables) + 1, sizeof *list);
    if (!list) return leat_fail_no_memory(error);
    const char *key;
    json_t *value;
    json_object_foreach(variables, key, value)
    {
        if (json_is_string(value)) list[count++] = (leat_sql_variable){key, json_string_value(value)};
    }
    leat_code code = leat_session_begin(work->session->sql, name ? name : "SQL", json_string_value(text),
                                        json_string_length(text), list, count, error);
    leat_free(list);
    return code;
}

static void post(leat_rest_call *call, leat_code (*run)(leat_session_work *work, leat_error *error),
                 void (*finish)(leat_session_work *work))
{
    leat_session_entry *session = leat_sessions_find(call);
    leat_session_work *work = session ? leat_session_work_new(call) : NULL;
    if (!work) return;
    work->run = run;
    work->finish = finish;
    leat_session_post(session, work);
}

void leat_sessions_begin(leat_rest_call *call)
{
    post(call, run_begin, leat_session_answer_output);
}

/* --- statements --- */

static json_t *texts_json(const leat_session_result *result)
{
    json_t *rows = json_array();
    for (int32_t r = 0; r < result->rows_count; r++) {
        json_t *row = json_array();
        for (int32_t c = 0; c < result->schema.fields_count; c++) {
            const char *text = result->texts[(size_t)r * (size_t)result->schema.fields_count + (size_t)c];
            json_array_append_new(row, text ? leat_rest_text(text) : json_null());
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

/* Two jobs can't go on from one checkpoint. */
leat_code leat_session_prepare(leat_session_work *work, leat_error *error)
{
    leat_session_entry *session = work->session;
    LEAT_TRY(leat_jobmanager_prepare(session->owner->options.manager, &work->result.graph, &work->submission, error));
    if (!work->submission.restored) return LEAT_OK;
    int64_t checkpoint_id = (int64_t)work->submission.restored->checkpoint;
    if (session->restored_id == checkpoint_id) {
        leat_code code = leat_fail(error, LEAT_INVALID, "a job of this session goes on from checkpoint %lld already",
                                   (long long)checkpoint_id);
        leat_fail_hint(error, "RESET 'execution.state-recovery.path' after the job that begins from it");
        return code;
    }
    session->restored_id = checkpoint_id;
    return LEAT_OK;
}

static leat_code run_next(leat_session_work *work, leat_error *error)
{
    leat_session_result *result = &work->result;
    LEAT_TRY(leat_session_next(work->session->sql, result, &work->has_result, error));
    if (!work->has_result) {
        work->output = json_pack("{s:s}", "kind", "end");
        return LEAT_OK;
    }
    static const char *const kinds[] = {"ok", "rows", "job", "query"};
    work->output = json_pack("{s:s,s:o,s:i}", "kind", kinds[result->kind], "statement",
                             leat_rest_text(result->statement ? result->statement : ""), "line", (int)result->line);
    if (!work->output) return leat_fail_no_memory(error);
    if (result->message) json_object_set_new(work->output, "message", leat_rest_text(result->message));
    if (result->warning) json_object_set_new(work->output, "warning", leat_rest_text(result->warning));
    if (result->kind == LEAT_RESULT_ROWS) {
        json_object_set_new(work->output, "columns", leat_query_columns(&result->schema));
        json_object_set_new(work->output, "rows", texts_json(result));
    }
    if (result->kind == LEAT_RESULT_JOB || result->kind == LEAT_RESULT_QUERY) {
        json_object_set_new(work->output, "name", leat_rest_text(result->job_name ? result->job_name : ""));
        json_object_set_new(work->output, "bounded", json_boolean(result->is_bounded));
        json_object_set_new(work->output, "batch", json_boolean(result->is_batch));
        json_object_set_new(work->output, "waits", json_boolean(result->waits));
    }
    if (result->kind != LEAT_RESULT_JOB) return LEAT_OK; /* a query ends with its reader */
    return leat_session_prepare(work, error);
}

/* The thread has planned; the loop submits. */
static leat_code submit(leat_session_work *work, leat_error *error)
{
    leat_jobmanager *manager = work->session->owner->options.manager;
    if (work->session->is_closing) return leat_fail(error, LEAT_CANCELED, "the session was closed");
    leat_jm_job *job = NULL;
    if (work->result.kind == LEAT_RESULT_QUERY)
        LEAT_TRY(leat_jobmanager_submit(manager, NULL, &work->result.graph, &job, error));
    else
        LEAT_TRY(leat_jobmanager_submit_prepared(manager, &work->submission, &job, error));
    json_object_set_new(work->output, "job", json_string(job->id_text));
    if (work->result.kind != LEAT_RESULT_QUERY) return LEAT_OK;
    bool is_changelog = !work->result.is_batch && work->result.changes != LEAT_CHANGES_INSERT;
    json_object_set_new(work->output, "changelog", json_boolean(is_changelog));
    json_object_set_new(work->output, "columns", leat_query_columns(&work->result.schema));
    leat_query *query = leat_query_new(work->session, job, &work->result);
    if (!query) {
        LEAT_TRY(leat_jobmanager_cancel(manager, job, error));
        return leat_fail(error, LEAT_LIMIT, "the session has too many queries; close it and open another");
    }
    work->has_result = false; /* the query has it */
    json_object_set_new(work->output, "number", json_integer(query->number));
    return LEAT_OK;
}

static void finish_next(leat_session_work *work)
{
    bool has_graph = work->code == LEAT_OK && work->has_result &&
                     (work->result.kind == LEAT_RESULT_JOB || work->result.kind == LEAT_RESULT_QUERY);
    if (has_graph) work->code = submit(work, &work->error);
    leat_session_answer_output(work);
}

void leat_sessions_next(leat_rest_call *call)
{
    post(call, run_next, finish_next);
}

/* --- tables --- */

enum { TABLE_ARENA_BYTES_MAX = 4 << 20 };

static json_t *table_json(const leat_table *table)
{
    json_t *keys = json_array(), *options = json_object();
    for (int32_t i = 0; i < table->primary_key_count; i++) {
        json_array_append_new(keys, leat_rest_text(table->schema.fields[table->primary_key[i]].name));
    }
    for (size_t i = 0; table->options && i < table->options->count; i++) {
        const leat_config_entry *entry = &table->options->entries[i];
        json_object_set_new(options, entry->key,
                            leat_rest_text(leat_option_is_secret(entry->key) ? "******" : entry->value));
    }
    return json_pack("{s:o,s:o,s:o}", "columns", leat_query_columns(&table->schema), "primary-key", keys, "options",
                     options);
}

static leat_code run_table(leat_session_work *work, leat_error *error)
{
    leat_arena arena;
    leat_arena_init(&arena, TABLE_ARENA_BYTES_MAX);
    leat_table table;
    leat_code code = leat_session_find_table(work->session->sql, work->table[0], work->table[1], work->table[2], &arena,
                                             &table, error);
    if (code == LEAT_OK) work->output = table_json(&table);
    leat_arena_done(&arena);
    return code;
}

void leat_sessions_table(leat_rest_call *call)
{
    leat_session_entry *session = leat_sessions_find(call);
    leat_session_work *work = session ? leat_session_work_new(call) : NULL;
    if (!work) return;
    for (int i = 0; i < 3; i++)
        memcpy(work->table[i], call->parameters[1 + i], LEAT_REST_PARAMETER_BYTES);
    work->run = run_table;
    work->finish = leat_session_answer_output;
    leat_session_post(session, work);
}
