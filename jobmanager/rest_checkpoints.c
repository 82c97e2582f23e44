#include <stdlib.h>
#include <string.h>

#include "jobmanager/rest.h"

enum { HISTORY_MAX = 10 };

static const char *status_name(leat_jm_checkpoint_status status)
{
    static const char *const names[] = {"IN_PROGRESS", "COMPLETED", "FAILED"};
    return names[status];
}

static const char *class_name(leat_jm_checkpoint_status status)
{
    static const char *const names[] = {"in_progress", "completed", "failed"};
    return names[status];
}

static json_t *checkpoint_json(const leat_jm_job *job, const leat_jm_checkpoint_stats *stats)
{
    bool is_completed = stats->status == LEAT_JM_CHECKPOINT_COMPLETED;
    json_int_t duration = stats->ended_ms ? (json_int_t)(stats->ended_ms - stats->triggered_ms) : -1;
    json_t *json = json_pack(
        "{s:s,s:I,s:s,s:b,s:n,s:I,s:I,s:I,s:I,s:I,s:i,s:i,s:i,s:i,s:i,s:s,s:{}}", "className",
        class_name(stats->status), "id", (json_int_t)stats->checkpoint_id, "status", status_name(stats->status),
        "is_savepoint", 0, "savepointFormat", "trigger_timestamp", (json_int_t)stats->triggered_ms,
        "latest_ack_timestamp", (json_int_t)(is_completed ? stats->ended_ms : -1), "checkpointed_size",
        (json_int_t)stats->state_bytes, "state_size", (json_int_t)stats->state_bytes, "end_to_end_duration", duration,
        "alignment_buffered", 0, "processed_data", 0, "persisted_data", 0, "num_subtasks", (int)job->tasks_count,
        "num_acknowledged_subtasks", (int)stats->acks_count, "checkpoint_type", "CHECKPOINT", "tasks");
    if (!json) return NULL;
    if (is_completed) {
        json_object_set_new(json, "external_path", leat_rest_text(stats->path ? stats->path : ""));
        json_object_set_new(json, "discarded", json_false());
    }
    if (stats->status == LEAT_JM_CHECKPOINT_FAILED) {
        json_object_set_new(json, "failure_timestamp", json_integer((json_int_t)stats->ended_ms));
        json_object_set_new(json, "failure_message",
                            leat_rest_text(stats->failure ? stats->failure : "Checkpoint failed."));
    }
    return json;
}

static int compare_numbers(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* As Flink's: between two values the quantile is interpolated at (n + 1) · q. */
static double quantile(const double *sorted, int count, double q)
{
    double at = q * (count + 1);
    if (at < 1) return sorted[0];
    if (at >= count) return sorted[count - 1];
    int below = (int)at;
    return sorted[below - 1] + (at - below) * (sorted[below] - sorted[below - 1]);
}

static json_t *summary_of(double *values, int count)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};
    qsort(values, (size_t)count, sizeof *values, compare_numbers);
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    json_t *json = json_pack("{s:I,s:I,s:I}", "min", (json_int_t)(count ? values[0] : 0), "max",
                             (json_int_t)(count ? values[count - 1] : 0), "avg", (json_int_t)(count ? sum / count : 0));
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        json_t *value = count ? json_real(quantile(values, count, quantiles[i].q)) : json_string("NaN");
        json_object_set_new(json, quantiles[i].name, value);
    }
    return json;
}

static json_t *summary(const leat_jm_job *job)
{
    double sizes[LEAT_JM_CHECKPOINTS_MAX], durations[LEAT_JM_CHECKPOINTS_MAX], zeros[1] = {0};
    int count = 0;
    for (int32_t i = 0; i < job->checkpoints_count; i++) {
        const leat_jm_checkpoint_stats *stats = &job->checkpoints[i];
        if (stats->status != LEAT_JM_CHECKPOINT_COMPLETED) continue;
        sizes[count] = (double)stats->state_bytes;
        durations[count++] = (double)(stats->ended_ms - stats->triggered_ms);
    }
    int one = count ? 1 : 0;
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "checkpointed_size", summary_of(sizes, count), "state_size",
                     summary_of(sizes, count), "end_to_end_duration", summary_of(durations, count),
                     "alignment_buffered", summary_of(zeros, one), "processed_data", summary_of(zeros, one),
                     "persisted_data", summary_of(zeros, one));
}

static json_t *latest(const leat_jm_job *job, leat_jm_checkpoint_status status)
{
    for (int32_t i = job->checkpoints_count; i-- > 0;) {
        if (job->checkpoints[i].status == status) return checkpoint_json(job, &job->checkpoints[i]);
    }
    return json_null();
}

static json_t *restored(const leat_jm_job *job)
{
    if (!job->counts.restored) return json_null();
    return json_pack("{s:I,s:I,s:b,s:o}", "id", (json_int_t)job->counts.restored_id, "restore_timestamp",
                     (json_int_t)job->counts.restored_ms, "is_savepoint", 0, "external_path",
                     json_sprintf("%s/chk-%lld", job->checkpoint_dir, (long long)job->counts.restored_id));
}

void leat_rest_checkpoints(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    json_t *history = json_array();
    for (int32_t i = job->checkpoints_count; i-- > 0 && json_array_size(history) < HISTORY_MAX;) {
        json_array_append_new(history, checkpoint_json(job, &job->checkpoints[i]));
    }
    int64_t pending = job->counts.triggered - job->counts.completed - job->counts.failed;
    json_t *counts =
        json_pack("{s:I,s:I,s:I,s:I,s:I}", "restored", (json_int_t)job->counts.restored, "total",
                  (json_int_t)job->counts.triggered, "in_progress", (json_int_t)(pending > 0 ? pending : 0),
                  "completed", (json_int_t)job->counts.completed, "failed", (json_int_t)job->counts.failed);
    json_t *newest = json_pack("{s:o,s:n,s:o,s:o}", "completed", latest(job, LEAT_JM_CHECKPOINT_COMPLETED), "savepoint",
                               "failed", latest(job, LEAT_JM_CHECKPOINT_FAILED), "restored", restored(job));
    leat_rest_json(call->request, 200,
                   json_pack("{s:o,s:o,s:o,s:o}", "counts", counts, "summary", summary(job), "latest", newest,
                             "history", history));
}

void leat_rest_checkpoints_config(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    const leat_config *config = &job->config;
    json_int_t interval = (json_int_t)leat_config_duration_ms(config, LEAT_OPTION_CHECKPOINT_INTERVAL);
    leat_rest_json(
        call->request, 200,
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:{s:b,s:b},s:s,s:s,s:b,s:I,s:i,s:b,s:b}", "mode", "exactly_once", "interval",
                  interval, "timeout", (json_int_t)leat_config_duration_ms(config, LEAT_OPTION_CHECKPOINT_TIMEOUT),
                  "min_pause", (json_int_t)leat_config_duration_ms(config, LEAT_OPTION_CHECKPOINT_MIN_PAUSE),
                  "max_concurrent", (json_int_t)leat_config_int(config, LEAT_OPTION_CHECKPOINT_MAX_CONCURRENT),
                  "externalization", "enabled", 0, "delete_on_cancellation", 1, "state_backend", "HashMapStateBackend",
                  "checkpoint_storage", "FileSystemCheckpointStorage", "unaligned_checkpoints", 0,
                  "tolerable_failed_checkpoints",
                  (json_int_t)leat_config_int(config, LEAT_OPTION_CHECKPOINT_TOLERABLE_FAILURES),
                  "aligned_checkpoint_timeout", 0, "checkpoints_after_tasks_finish", 1, "state_changelog_enabled", 0));
}

void leat_rest_checkpoint(leat_rest_call *call)
{
    leat_jm_job *job = leat_rest_find_job(call);
    if (!job) return;
    int64_t id;
    if (leat_parse_int(call->parameters[1], &id, NULL) != LEAT_OK) {
        leat_rest_fail(
            call->request, 400,
            "org.apache.flink.runtime.rest.handler.RestHandlerException: Bad request, could not parse parameters: "
            "Cannot resolve path parameter (checkpointid) from value \"%s\".",
            call->parameters[1]);
        return;
    }
    for (int32_t i = 0; i < job->checkpoints_count; i++) {
        if (job->checkpoints[i].checkpoint_id != id) continue;
        leat_rest_json(call->request, 200, checkpoint_json(job, &job->checkpoints[i]));
        return;
    }
    leat_rest_fail(
        call->request, 404,
        "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not find checkpointing statistics for "
        "checkpoint %lld.",
        (long long)id);
}
