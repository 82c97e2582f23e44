/* Ready-made jobs by name: POST /leat/v1/actions/:name. Planned on a thread of its own, submitted by the loop. */
#include <string.h>

#include "common/memory.h"
#include "connectors/mysql/sync_table.h"
#include "jobmanager/sessions_internal.h"
#include "paimon/option_names.h"

enum { ACTION_ARENA_BYTES_MAX = 64 << 20 };

static leat_code read_arguments(const json_t *list, leat_action_argument **out, size_t *count, leat_error *error)
{
    *out = leat_calloc(json_array_size(list) + 1, sizeof **out);
    if (!*out) return leat_fail_no_memory(error);
    *count = 0;
    size_t index;
    json_t *pair;
    json_array_foreach(list, index, pair)
    {
        const char *key = json_string_value(json_array_get(pair, 0)),
                   *value = json_string_value(json_array_get(pair, 1));
        if (!key || !value) return leat_fail(error, LEAT_INVALID, "\"arguments\" is no list of [key, value]");
        (*out)[(*count)++] = (leat_action_argument){key, value};
    }
    return LEAT_OK;
}

static leat_code read_config(leat_session_work *work, leat_config *out, leat_error *error)
{
    LEAT_TRY(leat_config_merge(out, work->session->owner->options.manager->config, error));
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(work->input, "config"), key, value)
    {
        const char *text = json_string_value(value);
        if (!text) return leat_fail(error, LEAT_INVALID, "the value of '%s' in \"config\" is no text", key);
        LEAT_TRY(leat_config_set(out, key, text, error));
    }
    return LEAT_OK;
}

/* Of table_conf: a line for each option that no Paimon table has. */
static leat_code add_warnings(json_t *output, const leat_action_argument *arguments, size_t count, leat_error *error)
{
    leat_config options = {0};
    leat_bytes text = {0};
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < count; i++)
        if (strcmp(arguments[i].key, "table_conf") == 0)
            code = leat_config_set_pair(&options, arguments[i].value, error);
    if (code == LEAT_OK) leat_paimon_warn_of_options(&options, &text);
    if (code == LEAT_OK) code = leat_bytes_check(&text, error);
    if (code == LEAT_OK && text.size > 0)
        json_object_set_new(output, "warning", json_stringn((const char *)text.data, text.size - 1));
    leat_bytes_done(&text);
    leat_config_done(&options);
    return code;
}

static leat_code plan_sync_table(leat_session_work *work, leat_error *error)
{
    const leat_sessions_options *options = &work->session->owner->options;
    leat_session_result *result = &work->result;
    *result = (leat_session_result){.kind = LEAT_RESULT_JOB};
    leat_arena_init(&result->arena, ACTION_ARENA_BYTES_MAX);
    work->has_result = true;
    leat_config config = {0};
    leat_action_argument *arguments = NULL;
    size_t count = 0;
    leat_code code = read_config(work, &config, error);
    if (code == LEAT_OK) code = read_arguments(json_object_get(work->input, "arguments"), &arguments, &count, error);
    if (code == LEAT_OK) {
        code = leat_mysql_sync_table(options->manager->env, &config, options->time_zone, arguments, count,
                                     &result->arena, &result->graph, &result->job_name, error);
    }
    if (code == LEAT_OK) {
        work->output = json_pack("{s:o}", "name", leat_rest_text(result->job_name));
        code = work->output ? add_warnings(work->output, arguments, count, error) : leat_fail_no_memory(error);
    }
    if (code == LEAT_OK) code = leat_session_prepare(work, error);
    leat_free(arguments);
    leat_config_done(&config);
    return code;
}

static void submit_action(leat_session_work *work)
{
    leat_jm_job *job = NULL;
    if (work->code == LEAT_OK) {
        leat_jobmanager *manager = work->session->owner->options.manager;
        work->code = leat_jobmanager_submit_prepared(manager, &work->submission, &job, &work->error);
    }
    if (work->code != LEAT_OK) {
        leat_rest_error(work->request, &work->error);
        return;
    }
    json_object_set_new(work->output, "job", json_string(job->id_text));
    leat_rest_json(work->request, 200, work->output);
    work->output = NULL;
}

void leat_sessions_action(leat_rest_call *call)
{
    if (strcmp(call->parameters[0], "mysql_sync_table") != 0) {
        leat_error error = {0};
        (void)leat_fail(&error, LEAT_UNSUPPORTED, "there is no action '%s'", call->parameters[0]);
        leat_fail_hint(&error, "mysql_sync_table is one");
        leat_rest_error(call->request, &error);
        return;
    }
    leat_session_work *work;
    leat_session_entry *session = leat_session_start(call, &work);
    if (!session) return;
    session->is_single = true;
    work->run = plan_sync_table;
    work->finish = submit_action;
    leat_session_post(session, work);
}
