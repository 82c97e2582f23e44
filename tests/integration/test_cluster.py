"""`leat cluster` and the REST API, with nothing running on it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.cluster import Cluster, LabError, is_alive, wait_until


def test_start_status_stop(cluster: Cluster) -> None:
    roles = sorted(process["role"] for process in cluster.look())
    assert roles == ["jobmanager", "taskmanager", "taskmanager"]
    wait_until("both register", 10, lambda: cluster.rest("/overview")["taskmanagers"] == 2)
    overview = cluster.rest("/overview")
    assert overview["slots-total"] == 16
    assert overview["slots-available"] == 16
    assert cluster.jobs() == []
    assert cluster.stop() == []
    assert not any(is_alive(pid) for pid in cluster.pids)


def test_a_killed_task_manager_is_noticed_at_once_and_can_be_replaced(cluster: Cluster) -> None:
    wait_until("both register", 10, lambda: cluster.rest("/overview")["taskmanagers"] == 2)
    cluster.kill_task_manager(1)
    wait_until("it is noticed", 3, lambda: cluster.rest("/overview")["taskmanagers"] == 1)
    cluster.add_task_manager()
    wait_until("another registers", 10, lambda: cluster.rest("/overview")["taskmanagers"] == 2)
    assert len(cluster.task_managers()) == 2


def test_a_second_cluster_in_the_same_folder_is_refused(cluster: Cluster) -> None:
    with pytest.raises(LabError, match="exit status 1"):
        cluster.leat("cluster", "start")


ENDLESS = """SET 'execution.checkpointing.interval' = '200 ms'; SET 'parallelism.default' = '4';
CREATE TEMPORARY TABLE made (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TEMPORARY TABLE hole (a INT) WITH ('connector' = 'blackhole'); INSERT INTO hole SELECT a FROM made"""


@pytest.fixture
def short_lease(build: Path, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(build, tmp_path / "cluster")
    try:
        made.start(2, 8, "-D", "jobmanager.lease=1s", "-D", "heartbeat.timeout=2s")
        yield made
    finally:
        assert not made.stop()


def start_endless(cluster: Cluster) -> str:
    cluster.leat("run", "--detach", "-e", ENDLESS)
    job = str(cluster.jobs()[0]["jid"])
    cluster.wait_for_state(job, "RUNNING", 10)
    wait_until("a checkpoint", 10, lambda: cluster.checkpoints(job)["counts"]["completed"] > 0)
    return job


def is_restored(cluster: Cluster, job: str) -> bool:
    return cluster.checkpoints(job)["counts"]["restored"] > 0 and cluster.all_tasks_run(job)


def test_a_job_outlives_a_job_manager_that_was_still_for_longer_than_the_lease(short_lease: Cluster) -> None:
    job = start_endless(short_lease)
    pid = next(process["pid"] for process in short_lease.look() if process["role"] == "jobmanager")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)
    os.kill(pid, signal.SIGCONT)
    wait_until("the job is restored", 15, lambda: is_restored(short_lease, job))
    assert "jobmanager.lease" in short_lease.rest(f"/jobs/{job}/exceptions")["root-exception"]


def test_a_task_manager_that_was_still_for_longer_than_the_timeout_is_taken_in_again(short_lease: Cluster) -> None:
    job = start_endless(short_lease)
    pid = short_lease.task_managers()[0]
    os.kill(pid, signal.SIGSTOP)
    wait_until("it is given up", 15, lambda: short_lease.rest("/overview")["taskmanagers"] == 1)
    wait_until("the job is restored elsewhere", 15, lambda: is_restored(short_lease, job))
    os.kill(pid, signal.SIGCONT)
    wait_until("it is there again", 15, lambda: short_lease.rest("/overview")["taskmanagers"] == 2)
    wait_until("its slots are free again", 15, lambda: short_lease.rest("/overview")["slots-available"] == 12)
    assert short_lease.checkpoints(job)["counts"]["restored"] == 1


def test_a_job_moves_on_when_a_task_manager_is_asked_to_end(cluster: Cluster) -> None:
    job = start_endless(cluster)
    os.kill(cluster.task_managers()[0], signal.SIGTERM)
    wait_until("the job is restored", 15, lambda: is_restored(cluster, job))


def test_what_is_left_of_a_cluster_is_told_from_one_that_runs(cluster: Cluster) -> None:
    cluster.kill_job_manager()
    with pytest.raises(LabError, match="has ended"):
        cluster.leat("list")
    cluster.start_again()
    assert len(cluster.task_managers()) == 2
    wait_until("both register", 10, lambda: cluster.rest("/overview")["taskmanagers"] == 2)


def test_without_a_cluster_list_says_so(build: Path, tmp_path: Path) -> None:
    nothing = Cluster(build, tmp_path)
    with pytest.raises(LabError, match="exit status 1"):
        nothing.leat("list")


def test_wrong_usage_is_two(build: Path) -> None:
    for args in (["frobnicate"], ["cluster"], ["cancel"], ["list", "--no-such-option"]):
        done = subprocess.run([str(build / "leat"), *args], capture_output=True, text=True)
        assert done.returncode == 2, (args, done.stderr)
        assert done.stdout == ""


def test_help_and_version_go_to_standard_output(build: Path) -> None:
    for command in ("run", "tail", "action", "cluster", "list", "show", "stop", "cancel", "checkpoint", "version"):
        done = subprocess.run([str(build / "leat"), command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        assert "leat" in done.stdout
    version = subprocess.run([str(build / "leat"), "version"], capture_output=True, text=True)
    assert version.stdout.startswith("leat ")
