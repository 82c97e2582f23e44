#include "tests/unit.h"

#include "tests/unit/jobmanager/cluster.h"

static const char *shown(const leat_metrics *metrics, const char *name)
{
    static char text[128];
    const leat_metric *metric = leat_metrics_find(metrics, name);
    if (!metric) return "";
    leat_metric_print(metric, text, sizeof text);
    return text;
}

#define EXPECT(metrics, name, value) assert_string_equal(shown(metrics, name), value)

/* Two heartbeats of the task of vertex 1, a second apart. */
static void beat(cluster *test, const leat_jm_job *job, uint64_t rows, int64_t gauge)
{
    Leat__Pb__OperatorMetrics head = LEAT__PB__OPERATOR_METRICS__INIT, stray = LEAT__PB__OPERATOR_METRICS__INIT;
    Leat__Pb__OperatorMetrics *operators[] = {&head, &stray};
    char *names[] = {(char[]){"lookup.waitingRows"}};
    stray.index = 7; /* is not there */
    head.records_in = rows;
    head.records_out = 2 * rows;
    head.has_input_watermark_ms = true;
    head.input_watermark_ms = 1234;
    head.gauges = &gauge;
    head.gauge_names = names;
    head.n_gauges = head.n_gauge_names = 1;
    Leat__Pb__SubtaskMetrics subtask = LEAT__PB__SUBTASK_METRICS__INIT, *subtasks[] = {&subtask};
    subtask.vertex = 1;
    subtask.records_in = rows;
    subtask.bytes_in = 10 * rows;
    subtask.busy_us = 1000 * rows;
    subtask.idle_us = 3000 * rows;
    subtask.operators = operators;
    subtask.n_operators = 2;
    Leat__Pb__JobMetrics metrics = LEAT__PB__JOB_METRICS__INIT, *jobs[] = {&metrics};
    metrics.job = (ProtobufCBinaryData){LEAT_JM_JOB_ID_BYTES, (uint8_t *)(uintptr_t)job->id};
    metrics.attempt = job->attempt;
    metrics.subtasks = subtasks;
    metrics.n_subtasks = 1;
    Leat__Pb__Heartbeat message = LEAT__PB__HEARTBEAT__INIT;
    message.task_manager = (char[]){"tm"};
    message.memory_bytes = 5 << 20;
    message.cpu_us = 100 * rows;
    message.threads = 3;
    message.jobs = jobs;
    message.n_jobs = 1;
    test->now_ms += 1000;
    cluster_say(test, LEAT__PB__ENVELOPE__BODY_HEARTBEAT, &message);
}

static void a_heartbeat_tells_of_tasks_and_operators(void **state)
{
    (void)state;
    cluster test;
    cluster_start(&test);
    cluster_register(&test, 4);
    leat_jm_job *job = cluster_submit(&test, (cluster_vertex[]){{.name = "Source: s[1]"}, {.name = "Join [2]"}}, 2);
    cluster_run(&test, job);
    beat(&test, job, 0, 0);
    beat(&test, job, 100, 17);
    const leat_metrics *task = &job->tasks[1].metrics;
    EXPECT(task, "numRecordsIn", "100");
    EXPECT(task, "numRecordsInPerSecond", "100.0");
    EXPECT(task, "numBytesIn", "1000");
    EXPECT(task, "busyTimeMsPerSecond", "250");
    EXPECT(task, "idleTimeMsPerSecond", "750");
    EXPECT(task, "backPressuredTimeMsPerSecond", "0");
    EXPECT(task, "currentInputWatermark", "-9223372036854775808");
    EXPECT(task, "Join__2].numRecordsOut", "");
    EXPECT(task, "Join_[2].numRecordsOut", "200");
    EXPECT(task, "Join_[2].currentInputWatermark", "1234");
    EXPECT(task, "Join_[2].lookup.waitingRows", "17");
    assert_null(leat_metrics_find(&job->tasks[0].metrics, "currentInputWatermark")); /* a source */
    const leat_metrics *process = &test.manager.taskmanagers[0].metrics;
    EXPECT(process, "Status.JVM.Memory.Heap.Used", "5242880");
    EXPECT(process, "Status.JVM.CPU.Time", "10000000");
    EXPECT(process, "Status.JVM.Threads.Count", "3");
    cluster_stop(&test);
}

static void a_job_has_its_times_and_checkpoints(void **state)
{
    (void)state;
    cluster test;
    cluster_start(&test);
    cluster_register(&test, 4);
    leat_jm_job *job = cluster_submit(&test, (cluster_vertex[]){{.name = "a"}, {.name = "b"}}, 2);
    leat_jobmanager_measure_job(job);
    EXPECT(&job->metrics, "lastCheckpointDuration", "-1");
    cluster_run(&test, job);
    cluster_checkpoint(&test, job);
    leat_jobmanager_measure_job(job);
    EXPECT(&job->metrics, "uptime", "1000");
    EXPECT(&job->metrics, "downtime", "0");
    EXPECT(&job->metrics, "numRestarts", "0");
    EXPECT(&job->metrics, "numberOfCompletedCheckpoints", "1");
    EXPECT(&job->metrics, "numberOfInProgressCheckpoints", "0");
    EXPECT(&job->metrics, "lastCompletedCheckpointId", "1");
    beat(&test, job, 100, 1);
    cluster_report(&test, job, 1, LEAT__PB__TASK_STATE__TASK_FAILED, NULL);
    test.now_ms += 70;
    leat_jobmanager_measure_job(job);
    EXPECT(&job->metrics, "uptime", "0");
    EXPECT(&job->metrics, "downtime", "70");
    EXPECT(&job->metrics, "numRestarts", "1");
    cluster_cancel_tasks(&test, job);
    cluster_settle(&test, 2000);
    assert_int_equal(job->attempt, 2);
    assert_int_equal(job->tasks[1].metrics.count, 0); /* a new attempt counts from 0 */
    leat_jobmanager_measure(&test.manager);
    EXPECT(&test.manager.metrics, "numRunningJobs", "1");
    EXPECT(&test.manager.metrics, "numRegisteredTaskManagers", "1");
    EXPECT(&test.manager.metrics, "taskSlotsTotal", "4");
    EXPECT(&test.manager.metrics, "taskSlotsAvailable", "3");
    cluster_stop(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heartbeat_tells_of_tasks_and_operators),
        cmocka_unit_test(a_job_has_its_times_and_checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
