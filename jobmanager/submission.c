#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "flow/secrets.h"
#include "jobmanager/internal.h"
#include "jobmanager/metadata.h"

/* How a job comes in: from a session, with or without a checkpoint to begin from; from the store, after a restart. */

leat_code leat_jm_read_graph(const leat_bytes *packed, Leat__Pb__JobGraph **out, leat_error *error)
{
    *out = leat__pb__job_graph__unpack(NULL, packed->size, packed->data);
    bool is_good = *out && (*out)->n_vertices > 0;
    return is_good ? LEAT_OK : leat_fail(error, LEAT_CORRUPT, "the job graph does not parse");
}

leat_code leat_jm_read_config(const leat_config *cluster, const Leat__Pb__JobGraph *graph, leat_config *out,
                              leat_error *error)
{
    LEAT_TRY(leat_config_merge(out, cluster, error));
    for (size_t i = 0; i < graph->n_config; i++) {
        const Leat__Pb__ConfigEntry *entry = graph->config[i];
        char *value = leat_strndup((const char *)entry->value.data, entry->value.len);
        if (!value) return leat_fail_no_memory(error);
        leat_code code = leat_config_set(out, entry->key, value, error);
        leat_free(value);
        if (code != LEAT_OK) return code;
    }
    return leat_secrets_unpack(graph, out, error);
}

void leat_jm_submission_done(leat_jm_submission *submission)
{
    leat_free(submission->checkpoint_dir);
    leat_free(submission->given_dir);
    leat_bytes_done(&submission->graph);
    leat_metadata_free(submission->restored);
    leat_checkpoint_ids_done(&submission->found);
    *submission = (leat_jm_submission){0};
}

void leat_jobmanager_drop_prepared(leat_jobmanager *self, leat_jm_submission *submission)
{
    if (submission->is_stored) leat_jm_forget_stored(self, submission->job_id);
    leat_jm_submission_done(submission);
}

static leat_code place_checkpoints(const leat_jobmanager *self, const Leat__Pb__JobGraph *graph,
                                   const leat_config *config, leat_jm_submission *out, leat_error *error)
{
    char id[LEAT_JM_JOB_ID_TEXT_BYTES];
    leat_jm_print_job_id(out->job_id, id);
    bool is_periodic = leat_config_duration_ms(config, LEAT_OPTION_CHECKPOINT_INTERVAL) > 0;
    const char *dir = leat_config_string(config, LEAT_OPTION_CHECKPOINT_DIR);
    out->checkpoint_dir = graph->is_batch || !is_periodic ? leat_strdup("")
                          : dir[0]                        ? leat_format("%s/%s", dir, id)
                                                          : leat_format("%s/checkpoints/%s", self->cluster_dir, id);
    return out->checkpoint_dir ? LEAT_OK : leat_fail_no_memory(error);
}

/* What a submission says besides the graph, with the graph and its configuration unpacked. */
static leat_code make(leat_jobmanager *self, const uint8_t *job_id, leat_bytes *packed, leat_jm_submission *out,
                      Leat__Pb__JobGraph **graph, leat_config *config, leat_error *error)
{
    uint64_t random[2] = {leat_env_random(self->env), leat_env_random(self->env)};
    memcpy(out->job_id, job_id ? job_id : (const uint8_t *)random, sizeof out->job_id);
    leat_env_uuid(self->env, out->commit_user);
    out->submitted_ms = leat_env_now_ms(self->env);
    out->graph = *packed;
    *packed = (leat_bytes){0};
    LEAT_TRY(leat_jm_read_graph(&out->graph, graph, error));
    LEAT_TRY(leat_jm_read_config(self->config, *graph, config, error));
    return place_checkpoints(self, *graph, config, out, error);
}

leat_code leat_jm_submission_make(leat_jobmanager *self, const uint8_t *job_id, leat_bytes *packed,
                                  leat_jm_submission *out, leat_error *error)
{
    Leat__Pb__JobGraph *graph = NULL;
    leat_config config = {0};
    leat_code code = make(self, job_id, packed, out, &graph, &config, error);
    leat_config_done(&config);
    if (graph) leat__pb__job_graph__free_unpacked(graph, NULL);
    return code;
}

/* --- a checkpoint to begin from --- */

static leat_code load_given(leat_jobmanager *self, const char *path, const Leat__Pb__JobGraph *graph,
                            leat_jm_submission *out, leat_error *error)
{
    leat_storage *storage = self->env->storage;
    char *dir = NULL;
    int64_t id = 0;
    LEAT_TRY(leat_checkpoint_locate(storage, path, &dir, &id, error));
    out->given_dir = dir;
    leat_code code = leat_checkpoint_load(storage, dir, id, &out->restored, error);
    if (code == LEAT_OK) code = leat_checkpoint_verify(storage, dir, out->restored, LEAT_CHECKPOINT_SIZES, error);
    if (code == LEAT_CORRUPT || code == LEAT_NOT_FOUND)
        leat_fail_hint(error, "'leat checkpoint inspect %s' shows what is there; an older checkpoint may be whole",
                       path);
    LEAT_TRY(code);
    return leat_metadata_match(out->restored, graph, error);
}

static leat_code begin_from(leat_jobmanager *self, const leat_config *config, const Leat__Pb__JobGraph *graph,
                            leat_jm_submission *out, leat_error *error)
{
    const char *path = leat_config_string(config, LEAT_OPTION_RECOVERY_PATH);
    if (!path[0]) return LEAT_OK;
    if (!out->checkpoint_dir[0]) {
        leat_code code = leat_fail(error, LEAT_INVALID, "a job without checkpoints can't begin from one");
        leat_fail_hint(error, "SET 'execution.checkpointing.interval' = '…'");
        return code;
    }
    leat_code code = load_given(self, path, graph, out, error);
    if (code != LEAT_OK) return leat_fail_in(error, code, "begin from checkpoint %s", path);
    /* Rows that were committed must be known again as the same ones. */
    memcpy(out->commit_user, out->restored->commit_user, strnlen(out->restored->commit_user, 36) + 1);
    return LEAT_OK;
}

static leat_code store(leat_jobmanager *self, leat_jm_submission *submission, leat_error *error)
{
    if (!self->store) return LEAT_OK;
    Leat__Pb__JobRecord record = LEAT__PB__JOB_RECORD__INIT;
    record.job = (ProtobufCBinaryData){sizeof submission->job_id, submission->job_id};
    record.graph = (ProtobufCBinaryData){submission->graph.size, submission->graph.data};
    record.commit_user = submission->commit_user;
    record.submitted_ms = submission->submitted_ms;
    record.checkpoint_dir = submission->checkpoint_dir;
    if (submission->restored) {
        record.restored_path =
            leat_format("%s/chk-%llu", submission->given_dir, (unsigned long long)submission->restored->checkpoint);
        if (!record.restored_path) return leat_fail_no_memory(error);
    }
    leat_code code = leat_job_store_put(self->store, &record, error);
    leat_free(record.restored_path);
    submission->is_stored = code == LEAT_OK;
    return code;
}

leat_code leat_jobmanager_prepare(leat_jobmanager *self, leat_bytes *packed, leat_jm_submission *out, leat_error *error)
{
    *out = (leat_jm_submission){0};
    Leat__Pb__JobGraph *graph = NULL;
    leat_config config = {0};
    leat_code code = make(self, NULL, packed, out, &graph, &config, error);
    if (code == LEAT_OK) code = begin_from(self, &config, graph, out, error);
    if (code == LEAT_OK) code = store(self, out, error);
    leat_config_done(&config);
    if (graph) leat__pb__job_graph__free_unpacked(graph, NULL);
    if (code != LEAT_OK) leat_jm_submission_done(out);
    return code;
}

/* --- after a restart of the job manager --- */

static leat_code find_checkpoint(leat_storage *storage, const Leat__Pb__JobRecord *record, leat_jm_submission *out,
                                 leat_error *error)
{
    if (!record->checkpoint_dir[0]) return LEAT_OK;
    LEAT_TRY(leat_checkpoint_list(storage, record->checkpoint_dir, &out->found, error));
    LEAT_TRY(leat_checkpoint_find(storage, record->checkpoint_dir, &out->found, INT64_MAX, LEAT_CHECKPOINT_SIZES,
                                  &out->restored, &out->damage, error));
    if (out->restored || !record->restored_path) return LEAT_OK;
    int64_t id;
    LEAT_TRY(leat_checkpoint_locate(storage, record->restored_path, &out->given_dir, &id, error));
    return leat_checkpoint_load(storage, out->given_dir, id, &out->restored, error);
}

static leat_code load_record(leat_storage *storage, const Leat__Pb__JobRecord *record, leat_jm_submission *out,
                             leat_error *error)
{
    memcpy(out->job_id, record->job.data, sizeof out->job_id);
    memcpy(out->commit_user, record->commit_user, strnlen(record->commit_user, 36) + 1);
    out->submitted_ms = record->submitted_ms;
    out->is_stored = out->is_resumed = true;
    out->is_stopping = record->has_is_stopping && record->is_stopping;
    out->checkpoint_dir = leat_strdup(record->checkpoint_dir);
    leat_bytes_put(&out->graph, record->graph.data, record->graph.len);
    if (!out->checkpoint_dir) return leat_fail_no_memory(error);
    LEAT_TRY(leat_bytes_check(&out->graph, error));
    LEAT_TRY(find_checkpoint(storage, record, out, error));
    if (!out->restored) return LEAT_OK;
    Leat__Pb__JobGraph *graph = NULL;
    LEAT_TRY(leat_jm_read_graph(&out->graph, &graph, error));
    leat_code code = leat_metadata_match(out->restored, graph, error);
    leat__pb__job_graph__free_unpacked(graph, NULL);
    return code;
}

leat_code leat_jobmanager_load(const leat_job_store *store, leat_jm_recovery *out, leat_error *error)
{
    *out = (leat_jm_recovery){0};
    leat_job_records records;
    LEAT_TRY(leat_job_store_load(store, &records, error));
    out->list = leat_calloc(records.count + 1, sizeof *out->list);
    leat_code code = out->list ? LEAT_OK : leat_fail_no_memory(error);
    for (size_t i = 0; code == LEAT_OK && i < records.count; i++) {
        const Leat__Pb__JobRecord *record = records.list[i];
        if (record->has_ended_as) {
            code = leat_jm_finish_clean_up(store, record, error);
            continue;
        }
        leat_jm_submission *loaded = &out->list[out->count++];
        leat_error found = {0};
        code = load_record(store->env->storage, record, loaded, &found);
        if (code == LEAT_OK) continue;
        if (leat_code_is_transient(code)) {
            if (error) *error = found;
            break;
        }
        char id[LEAT_JM_JOB_ID_TEXT_BYTES];
        leat_jm_print_job_id(loaded->job_id, id);
        leat_log(LEAT_LOG_ERROR, "jobmanager", "job %s can't be gone on with: %s", id, found.text);
        leat_jm_submission_done(loaded);
        out->count--;
        code = LEAT_OK;
    }
    leat_job_records_done(&records);
    if (code == LEAT_OK) return code;
    for (size_t i = 0; i < out->count; i++)
        leat_jm_submission_done(&out->list[i]);
    leat_free(out->list);
    *out = (leat_jm_recovery){0};
    return leat_fail_in(error, code, "go on with the jobs of the job manager before");
}

void leat_jobmanager_resume(leat_jobmanager *self, leat_jm_recovery *recovery)
{
    for (size_t i = 0; i < recovery->count; i++) {
        leat_error error = {0};
        char id[LEAT_JM_JOB_ID_TEXT_BYTES];
        leat_jm_print_job_id(recovery->list[i].job_id, id);
        if (leat_jobmanager_submit_prepared(self, &recovery->list[i], NULL, &error) != LEAT_OK)
            leat_log(LEAT_LOG_ERROR, "jobmanager", "job %s can't be gone on with: %s", id, error.text);
    }
    leat_free(recovery->list);
    *recovery = (leat_jm_recovery){0};
}
