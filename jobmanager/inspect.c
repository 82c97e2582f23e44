/* POST /leat/v1/checkpoints/inspect {"path"}: what a checkpoint holds, and whether all of it is as it was written.
 * Reads the whole of it, on a thread of its own. */
#include <string.h>

#include "common/memory.h"
#include "jobmanager/metadata.h"
#include "jobmanager/sessions_internal.h"

static uint64_t bytes_of(const Leat__Pb__OperatorSnapshot *snapshot)
{
    return snapshot->path ? snapshot->size : snapshot->state.len;
}

static json_t *subtask_json(const Leat__Pb__SubtaskSnapshot *subtask)
{
    json_t *operators = json_array();
    for (size_t i = 0; i < subtask->n_operators; i++) {
        const Leat__Pb__OperatorSnapshot *snapshot = subtask->operators[i];
        json_t *json = json_pack("{s:o,s:I,s:I}", "uid", leat_rest_text(snapshot->uid), "state-bytes",
                                 (json_int_t)bytes_of(snapshot), "committables", (json_int_t)snapshot->n_committables);
        if (snapshot->path) json_object_set_new(json, "object", leat_rest_text(snapshot->path));
        json_array_append_new(operators, json);
    }
    return json_pack("{s:i,s:b,s:o}", "subtask", (int)subtask->subtask, "finished", subtask->is_finished, "operators",
                     operators);
}

static json_t *vertex_json(const Leat__Pb__VertexSnapshot *vertex)
{
    json_t *subtasks = json_array();
    for (size_t s = 0; s < vertex->n_subtasks; s++)
        json_array_append_new(subtasks, subtask_json(vertex->subtasks[s]));
    json_t *json = json_pack("{s:o,s:I,s:I,s:o}", "uid", leat_rest_text(vertex->uid), "parallelism",
                             (json_int_t)vertex->parallelism, "max-parallelism", (json_int_t)vertex->max_parallelism,
                             "subtasks", subtasks);
    if (vertex->has_enumerator)
        json_object_set_new(json, "enumerator-bytes", json_integer((json_int_t)vertex->enumerator.len));
    return json;
}

/* What several objects may lack: all are named. */
static leat_code find_problems(leat_storage *storage, const char *dir, const Leat__Pb__CheckpointMetadata *metadata,
                               json_t *problems, leat_error *error)
{
    leat_error found = {0};
    leat_code code = leat_checkpoint_verify(storage, dir, metadata, LEAT_CHECKPOINT_BYTES, &found);
    if (code == LEAT_CORRUPT || code == LEAT_NOT_FOUND) {
        json_array_append_new(problems, leat_rest_text(found.text));
        return LEAT_OK;
    }
    if (code != LEAT_OK) *error = found;
    return code;
}

static json_t *metadata_json(const char *dir, const Leat__Pb__CheckpointMetadata *metadata, json_t *problems)
{
    char id[LEAT_JM_JOB_ID_TEXT_BYTES] = "";
    if (metadata->job.len == LEAT_JM_JOB_ID_BYTES) leat_jm_print_job_id(metadata->job.data, id);
    json_t *vertices = json_array();
    for (size_t v = 0; v < metadata->n_vertices; v++)
        json_array_append_new(vertices, vertex_json(metadata->vertices[v]));
    return json_pack("{s:o,s:I,s:s,s:o,s:I,s:s,s:i,s:o,s:o}", "path",
                     json_sprintf("%s/chk-%llu", dir, (unsigned long long)metadata->checkpoint), "checkpoint",
                     (json_int_t)metadata->checkpoint, "job", id, "name", leat_rest_text(metadata->job_name),
                     "timestamp", (json_int_t)metadata->timestamp_ms, "commit-user", metadata->commit_user, "version",
                     (int)metadata->version, "vertices", vertices, "problems", problems);
}

static leat_code run_inspect(leat_session_work *work, leat_error *error)
{
    leat_storage *storage = work->session->owner->options.manager->env->storage;
    const char *path = json_string_value(json_object_get(work->input, "path"));
    if (!path || !path[0]) return leat_fail(error, LEAT_INVALID, "the request's body has no \"path\"");
    char *dir = NULL;
    int64_t checkpoint_id = 0;
    LEAT_TRY(leat_checkpoint_locate(storage, path, &dir, &checkpoint_id, error));
    Leat__Pb__CheckpointMetadata *metadata = NULL;
    json_t *problems = json_array();
    leat_code code = leat_checkpoint_load(storage, dir, checkpoint_id, &metadata, error);
    if (code == LEAT_OK) code = find_problems(storage, dir, metadata, problems, error);
    if (code == LEAT_OK) {
        work->output = metadata_json(dir, metadata, json_incref(problems));
        if (!work->output) code = leat_fail_no_memory(error);
    }
    json_decref(problems);
    leat_metadata_free(metadata);
    leat_free(dir);
    return code;
}

void leat_sessions_inspect(leat_rest_call *call)
{
    leat_session_work *work;
    leat_session_entry *session = leat_session_start(call, &work);
    if (!session) return;
    session->is_single = true;
    work->run = run_inspect;
    work->finish = leat_session_answer_output;
    leat_session_post(session, work);
}
