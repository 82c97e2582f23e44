"""`leat cluster` and the REST API, with nothing running on it."""

import subprocess
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
    for command in ("run", "tail", "action", "cluster", "list", "show", "cancel", "version"):
        done = subprocess.run([str(build / "leat"), command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        assert "leat" in done.stdout
    version = subprocess.run([str(build / "leat"), "version"], capture_output=True, text=True)
    assert version.stdout.startswith("leat ")
