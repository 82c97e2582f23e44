"""Metrics have Flink's names, scopes and JSON; what they say is what happened."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lab.cluster import Cluster, wait_until

JOB = (
    "SET 'pipeline.name' = 'Measured'; SET 'parallelism.default' = '2';"
    "SET 'execution.checkpointing.interval' = '200 ms';"
    "CREATE TEMPORARY TABLE made (id INT, k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000',"
    " 'fields.k.min' = '1', 'fields.k.max' = '5');"
    "CREATE TEMPORARY TABLE hole (k INT, n BIGINT) WITH ('connector' = 'blackhole');"
    "INSERT INTO hole SELECT k, COUNT(*) FROM made GROUP BY k"
)


@pytest.fixture
def quick(build: Path, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(build, tmp_path / "cluster")
    try:
        made.start(2, 4, "-D", "heartbeat.interval=200ms")
        yield made
    finally:
        assert not made.stop()


def status_of(cluster: Cluster, path: str) -> tuple[int, Any]:
    place = urlsplit(cluster.rest_url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def names(cluster: Cluster, path: str) -> set[str]:
    listed = cluster.rest(path)
    assert all(set(metric) == {"id"} for metric in listed)
    return {metric["id"] for metric in listed}


def values(cluster: Cluster, path: str, *wanted: str) -> dict[str, str]:
    answer = cluster.rest(f"{path}?get={','.join(wanted)},nope")
    assert all(set(metric) == {"id", "value"} and isinstance(metric["value"], str) for metric in answer)
    return {metric["id"]: metric["value"] for metric in answer}


def start(cluster: Cluster) -> tuple[str, list[dict[str, Any]]]:
    cluster.leat("run", "--detach", "-e", JOB)
    job = str(cluster.jobs()[0]["jid"])
    wait_until("a checkpoint", 15, lambda: cluster.checkpoints(job)["counts"]["completed"] > 1)
    return job, cluster.rest(f"/jobs/{job}")["vertices"]


def test_the_cluster_and_its_processes(quick: Cluster) -> None:
    start(quick)
    cluster = values(
        quick,
        "/jobmanager/metrics",
        *("numRegisteredTaskManagers", "numRunningJobs", "taskSlotsTotal", "taskSlotsAvailable"),
        *("Status.JVM.CPU.Load", "Status.JVM.CPU.Time", "Status.JVM.Memory.Heap.Used", "Status.JVM.Threads.Count"),
    )
    assert (cluster["numRegisteredTaskManagers"], cluster["numRunningJobs"]) == ("2", "1")
    assert (cluster["taskSlotsTotal"], cluster["taskSlotsAvailable"]) == ("8", "6")
    assert 1 << 20 < int(cluster["Status.JVM.Memory.Heap.Used"]) < 1 << 30
    assert int(cluster["Status.JVM.CPU.Time"]) > 0
    assert int(cluster["Status.JVM.Threads.Count"]) > 1
    manager = quick.rest("/taskmanagers")["taskmanagers"][0]["id"]
    assert "Status.JVM.Memory.Heap.Used" in names(quick, f"/taskmanagers/{manager}/metrics")
    both = quick.rest("/taskmanagers/metrics?get=Status.JVM.Memory.Heap.Used")[0]
    assert both["sum"] == pytest.approx(both["avg"] * 2)
    one = quick.rest(f"/taskmanagers/metrics?get=Status.JVM.Memory.Heap.Used&taskmanagers={manager}")[0]
    assert one["min"] == one["max"] == one["sum"]
    assert one["skew"] == 0


def test_a_job(quick: Cluster) -> None:
    job, _ = start(quick)
    path = f"/jobs/{job}/metrics"
    measured = {key: value for key, value in values(quick, path, *names(quick, path)).items()}
    assert int(measured["uptime"]) > 0
    assert (measured["downtime"], measured["numRestarts"]) == ("0", "0")
    assert int(measured["numberOfCompletedCheckpoints"]) >= 2
    assert int(measured["lastCheckpointDuration"]) >= 0
    assert int(measured["lastCheckpointSize"]) > 0
    assert measured["lastCheckpointExternalPath"].endswith(f"/chk-{measured['lastCompletedCheckpointId']}")
    assert set(measured) >= {"numberOfFailedCheckpoints", "numberOfInProgressCheckpoints", "totalNumberOfCheckpoints"}
    assert quick.rest("/jobs/metrics?get=numRestarts&agg=max,min") == [{"id": "numRestarts", "min": 0.0, "max": 0.0}]
    assert status_of(quick, f"/jobs/{'0' * 32}/metrics") == (200, [])
    status, answer = status_of(quick, "/jobs/metrics?get=uptime&agg=median")
    assert status == 400
    assert 'query parameter (agg) from value "median"' in answer["errors"][0]
    assert status_of(quick, "/jobs/metrics?get=uptime&agg=max&jobs=none") == (200, [])
    quick.cancel(job)


def test_tasks_and_operators(quick: Cluster) -> None:
    job, vertices = start(quick)
    source, last = vertices[0]["id"], vertices[-1]["id"]
    task = f"/jobs/{job}/vertices/{last}/subtasks/0/metrics"
    wait_until("rows are counted", 10, lambda: values(quick, task, "numRecordsIn").get("numRecordsIn", "0") != "0")
    listed = names(quick, task)
    for name in ("numRecordsIn", "numRecordsOut", "numBytesIn", "numBytesOut"):
        assert {name, name + "PerSecond"} <= listed
    assert "currentInputWatermark" in listed
    assert "currentInputWatermark" not in names(quick, f"/jobs/{job}/vertices/{source}/subtasks/0/metrics")
    times = ("busyTimeMsPerSecond", "idleTimeMsPerSecond", "backPressuredTimeMsPerSecond")
    assert 990 <= sum(int(value) for value in values(quick, task, *times).values()) <= 1000
    groups = next(name for name in listed if name.endswith(".aggregate.groups"))
    assert groups.startswith("GroupAggregate[")
    assert groups.replace("aggregate.groups", "numRecordsIn") in listed

    of_vertex = f"/jobs/{job}/vertices/{last}/metrics"
    assert names(quick, of_vertex) >= {f"{subtask}.{name}" for subtask in (0, 1) for name in listed}
    found = values(quick, of_vertex, f"0.{groups}", f"1.{groups}")
    assert sum(int(value) for value in found.values()) == 5
    total = quick.rest(f"/jobs/{job}/vertices/{last}/subtasks/metrics?get={groups}&agg=sum")
    assert total == [{"id": groups, "sum": 5.0}]
    first = quick.rest(f"/jobs/{job}/vertices/{last}/subtasks/metrics?get={groups}&agg=sum&subtasks=0")
    assert first[0]["sum"] == float(found[f"0.{groups}"])

    rate = f"/jobs/{job}/vertices/{source}/subtasks/metrics?get=numRecordsOutPerSecond&agg=sum"
    wait_until("the rate is seen", 15, lambda: 0 < quick.rest(rate)[0]["sum"] < 3000)
    status, answer = status_of(quick, f"/jobs/{job}/vertices/{last}/subtasks/7/metrics")
    assert status == 404
    assert "Invalid subtask index for vertex" in answer["errors"][0]
