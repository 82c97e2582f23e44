"""What outlives the processes: jobs, checkpoints, and each row's being counted once."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.cluster import Cluster, LabError, is_alive, wait_until

ROWS = 24000
TABLES = f"""
CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = '${{WAREHOUSE}}');
USE CATALOG house;
CREATE TABLE IF NOT EXISTS numbers (k INT, n BIGINT);
CREATE TEMPORARY TABLE made (k INT, n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '4000',
    'number-of-rows' = '{ROWS}', 'fields.k.min' = '1', 'fields.k.max' = '2000',
    'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '{ROWS}');
CREATE TEMPORARY TABLE hole (k INT, c BIGINT) WITH ('connector' = 'blackhole');
SET 'execution.checkpointing.interval' = '300 ms';
SET 'execution.checkpointing.num-retained' = '3';
"""
COPY = "SET 'pipeline.name' = 'copy'; INSERT INTO numbers SELECT k, n FROM made;"
COUNT = "SET 'pipeline.name' = 'count'; INSERT INTO hole SELECT k, count(*) FROM made GROUP BY k;"
TOTALS = "SELECT count(*) AS rows_there, count(DISTINCT n) AS numbers_there, sum(n) AS total FROM numbers"


def submit(cluster: Cluster, text: str, *options: str) -> str:
    """Starts the job; its id once it has a checkpoint."""
    cluster.leat("run", "--detach", *options, "-e", TABLES + text)
    job = str(cluster.jobs()[0]["jid"])
    wait_until("a checkpoint", 30, lambda: cluster.checkpoints(job)["counts"]["completed"] > 0)
    return job


def totals(cluster: Cluster) -> tuple[int, int, int]:
    text = cluster.leat("run", "--format", "json", "-e", TABLES + "SET 'execution.runtime-mode' = 'batch';" + TOTALS)
    row = json.loads(text.splitlines()[0])
    return row["rows_there"], row["numbers_there"], row["total"]


ALL_ONCE = (ROWS, ROWS, ROWS * (ROWS + 1) // 2)


def newest_checkpoint(cluster: Cluster, job: str) -> Path:
    wait_until("a checkpoint", 30, lambda: cluster.checkpoints(job)["latest"]["completed"])
    return Path(cluster.checkpoints(job)["latest"]["completed"]["external_path"])


def spoil(path: Path) -> None:
    """Flips a bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def stored_jobs(cluster: Cluster) -> list[str]:
    return [at.name for at in (cluster.folder / "ha").glob("jobs/*")]


def failure(cluster: Cluster, job: str) -> str:
    return str(cluster.rest(f"/jobs/{job}/exceptions")["root-exception"])


def test_a_job_goes_on_under_the_next_job_manager(cluster: Cluster) -> None:
    job = submit(cluster, COPY)
    for _ in range(3):
        time.sleep(0.7)
        cluster.kill_job_manager()
        cluster.start_again()
        wait_until("it runs again", 30, lambda: cluster.job_state(job) in ("RUNNING", "FINISHED"))
    cluster.wait_for_state(job, "FINISHED", 60)
    assert totals(cluster) == ALL_ONCE
    wait_until("it is forgotten", 10, lambda: not stored_jobs(cluster))
    assert not list((cluster.folder / "checkpoints").iterdir())


def test_all_processes_die_at_once(cluster: Cluster) -> None:
    job = submit(cluster, COPY)
    for pid in [cluster.job_manager(), *cluster.task_managers()]:
        os.kill(pid, signal.SIGKILL)
    wait_until("all have ended", 5, lambda: not any(is_alive(pid) for pid in cluster.pids))
    cluster.start_again()
    cluster.wait_for_state(job, "FINISHED", 60)
    assert totals(cluster) == ALL_ONCE


def test_a_batch_job_is_begun_anew_and_commits_once(cluster: Cluster) -> None:
    cluster.leat("run", "--detach", "-e", TABLES + "SET 'execution.runtime-mode' = 'batch';" + COPY)
    job = str(cluster.jobs()[0]["jid"])
    cluster.wait_for_state(job, "RUNNING", 30)
    cluster.kill_job_manager()
    cluster.start_again()
    cluster.wait_for_state(job, "FINISHED", 60)
    assert totals(cluster) == ALL_ONCE


def test_a_stopped_cluster_goes_on_when_it_is_started_and_a_cancelled_job_does_not(cluster: Cluster) -> None:
    job = submit(cluster, COPY)
    other = submit(cluster, COUNT)
    cluster.leat("cancel", other)
    wait_until("it is forgotten", 10, lambda: stored_jobs(cluster) == [job])
    assert cluster.stop() == []
    cluster.start_again()
    assert [found["jid"] for found in cluster.jobs()] == [job]
    cluster.wait_for_state(job, "FINISHED", 60)
    assert totals(cluster) == ALL_ONCE


def test_a_stored_job_is_nobody_elses_to_read(cluster: Cluster) -> None:
    submit(cluster, COUNT)
    assert (cluster.folder / "ha").stat().st_mode & 0o777 == 0o700


def test_stop_works_off_what_is_on_its_way_and_the_rest_can_follow(cluster: Cluster) -> None:
    retain = ("-D", "execution.checkpointing.externalized-checkpoint-retention=RETAIN_ON_CANCELLATION")
    job = submit(cluster, COPY, *retain)
    cluster.leat("stop", job)
    assert cluster.job_state(job) == "FINISHED"
    there, numbers, total = totals(cluster)
    assert 0 < there < ROWS
    assert (numbers, total) == (there, there * (there + 1) // 2)  # from the first on, without a gap


def test_a_job_begins_from_the_checkpoint_of_another(cluster: Cluster) -> None:
    retain = ("-D", "execution.checkpointing.externalized-checkpoint-retention=RETAIN_ON_CANCELLATION")
    first = submit(cluster, COPY, *retain)
    cluster.leat("cancel", first)
    kept = sorted((cluster.folder / "checkpoints" / first).glob("chk-*"), key=lambda path: int(path.name[4:]))
    assert kept
    newest = kept[-1]
    shown = json.loads(cluster.leat("checkpoint", "inspect", "--json", str(newest)))
    assert shown["problems"] == []
    assert shown["job"] == first
    second = submit(cluster, COPY, "--from-checkpoint", str(newest.parent))
    assert second != first
    assert cluster.checkpoints(second)["latest"]["restored"]["id"] == shown["checkpoint"]
    cluster.kill_job_manager()  # also when it has to be found again
    cluster.start_again()
    cluster.wait_for_state(second, "FINISHED", 60)
    assert totals(cluster) == ALL_ONCE
    assert newest.exists()  # it is not the second job's to remove


@pytest.mark.parametrize(
    ("path", "said"),
    [("nothing", "has no checkpoint"), ("chk-7", "chk-7/_metadata"), ("spoiled", "is not a whole checkpoint")],
)
def test_a_checkpoint_that_is_not_there_starts_nothing(cluster: Cluster, tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "spoiled" / "chk-3").mkdir(parents=True)
    (tmp_path / "spoiled" / "chk-3" / "_metadata").write_bytes(b"no checkpoint at all" * 9)
    with pytest.raises(LabError, match=said):
        cluster.leat("run", "--detach", "--from-checkpoint", str(tmp_path / path), "-e", TABLES + COPY)
    assert cluster.jobs() == []
    assert stored_jobs(cluster) == []


def test_the_checkpoint_of_another_statement_is_refused(cluster: Cluster) -> None:
    retain = ("-D", "execution.checkpointing.externalized-checkpoint-retention=RETAIN_ON_CANCELLATION")
    job = submit(cluster, COPY, *retain)
    cluster.leat("cancel", job)
    with pytest.raises(LabError, match="paimon-append-writer"):
        cluster.leat(
            "run", "--detach", "--from-checkpoint", f"{cluster.folder}/checkpoints/{job}", "-e", TABLES + COUNT
        )


def test_a_damaged_checkpoint_is_passed_over_when_the_job_manager_comes_back(cluster: Cluster) -> None:
    job = submit(cluster, COUNT)
    wait_until("three of them", 30, lambda: cluster.checkpoints(job)["counts"]["completed"] >= 3)
    cluster.kill_job_manager()
    kept = sorted(
        (cluster.folder / "checkpoints" / job).glob("chk-*/_metadata"), key=lambda at: int(at.parent.name[4:])
    )
    spoil(kept[-1])
    inspected = subprocess.run(
        cluster.command("checkpoint", "inspect", str(kept[-1].parent)),
        env={key: value for key, value in cluster.environment().items() if key != "LEAT_DIR"}
        | {"HOME": "/nonexistent"},
        capture_output=True,
        text=True,
    )
    assert inspected.returncode == 1
    assert str(kept[-1]) in inspected.stderr
    cluster.start_again()
    cluster.wait_for_state(job, "RUNNING", 30)
    assert cluster.checkpoints(job)["latest"]["restored"]["id"] == int(kept[-2].parent.name[4:])
    assert str(kept[-1]) in failure(cluster, job)
    cluster.wait_for_state(job, "FINISHED", 60)


def test_rows_are_not_written_twice_from_an_older_checkpoint(cluster: Cluster) -> None:
    job = submit(cluster, COPY)
    wait_until("two of them", 30, lambda: cluster.checkpoints(job)["counts"]["completed"] >= 2)
    cluster.kill_job_manager()
    kept = sorted(
        (cluster.folder / "checkpoints" / job).glob("chk-*/_metadata"), key=lambda at: int(at.parent.name[4:])
    )
    spoil(kept[-1])
    cluster.start_again()
    wait_until("it gives up", 30, lambda: cluster.job_state(job) == "FAILED")
    assert "would write them twice" in failure(cluster, job)
    there, numbers, _ = totals(cluster)
    assert there == numbers  # and nothing was
    assert kept[-2].exists()  # a person may still go on from it


def test_a_damaged_state_object_is_passed_over_when_tasks_are_restored(cluster: Cluster) -> None:
    job = submit(cluster, COUNT, "-D", "state.storage.fs.memory-threshold=1b")
    wait_until("two of them", 30, lambda: cluster.checkpoints(job)["counts"]["completed"] >= 2)
    used = [index for index, pid in enumerate(cluster.task_managers()) if pid]
    newest = newest_checkpoint(cluster, job)
    for at in newest.iterdir():
        if at.name != "_metadata":
            spoil(at)
    for index in reversed(used):
        cluster.kill_task_manager(index)
    cluster.add_task_manager()
    wait_until("it is restored", 60, lambda: cluster.checkpoints(job)["counts"]["restored"] > 1)
    entries = cluster.rest(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
    said = [entry["stacktrace"] for entry in entries if "goes on from checkpoint" in entry["stacktrace"]]
    assert len(said) == 1 and str(newest) in said[0]
    cluster.wait_for_state(job, "FINISHED", 90)


@pytest.fixture
def quick(build: Path, tmp_path: Path) -> Iterator[Cluster]:
    """Task managers are given up after two silent seconds."""
    made = Cluster(build, tmp_path / "cluster", {"WAREHOUSE": f"file:{tmp_path}/house"})
    try:
        made.start(2, 8, "-D", "heartbeat.timeout=2s")
        yield made
    finally:
        assert not made.stop()


def test_a_task_manager_that_wakes_too_late_writes_nothing(quick: Cluster) -> None:
    job = submit(quick, COPY)
    stopped = quick.task_managers()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    wait_until("it is noticed", 20, lambda: quick.rest("/overview")["taskmanagers"] == 0)
    quick.add_task_manager()
    wait_until("the job goes on elsewhere", 30, lambda: quick.checkpoints(job)["counts"]["restored"] > 0)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    quick.wait_for_state(job, "FINISHED", 60)
    assert totals(quick) == ALL_ONCE
    logs = "".join(path.read_text() for path in (quick.folder / "log").glob("tm-*.log"))
    assert "ending all tasks" in logs


TWO = """
CREATE TABLE IF NOT EXISTS others (k INT, n BIGINT);
SET 'pipeline.name' = 'two';
EXECUTE STATEMENT SET BEGIN
INSERT INTO numbers SELECT k, n FROM made;
INSERT INTO others SELECT k, n FROM made;
END;
"""


def attempts(cluster: Cluster, job: str) -> list[int]:
    """Of the first subtask of each vertex, in the order of the plan."""
    vertices = cluster.rest(f"/jobs/{job}")["vertices"]
    return [int(cluster.rest(f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"][0]["attempt"]) for vertex in vertices]


def test_the_part_of_a_job_that_has_not_failed_runs_on(cluster: Cluster) -> None:
    job = submit(cluster, TWO)
    assert attempts(cluster, job) == [0, 1]  # two regions
    hosts = [
        cluster.rest(f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"][0]["taskmanager-id"]
        for vertex in cluster.rest(f"/jobs/{job}")["vertices"]
    ]
    assert sorted(hosts) == ["tm-1", "tm-2"]
    cluster.kill_task_manager(1)
    failed = hosts.index("tm-2")
    wait_until("it goes on", 30, lambda: cluster.checkpoints(job)["counts"]["restored"] == 1)
    wait_until("all of it runs", 30, lambda: cluster.all_tasks_run(job))
    after = attempts(cluster, job)
    assert after[failed] == 2  # a new one
    assert after[1 - failed] == 1 - failed  # which was not touched
    cluster.add_task_manager()
    cluster.kill_task_manager(0)  # where both are by now
    wait_until("it goes on", 30, lambda: cluster.checkpoints(job)["counts"]["restored"] == 2)
    cluster.wait_for_state(job, "FINISHED", 60)
    assert totals(cluster) == ALL_ONCE
    text = cluster.leat(
        "run",
        "--format",
        "json",
        "-e",
        TABLES
        + "SET 'execution.runtime-mode' = 'batch';"
        + TOTALS.replace("numbers\n", "").replace("FROM numbers", "FROM others"),
    )
    row = json.loads(text.splitlines()[0])
    assert (row["rows_there"], row["numbers_there"], row["total"]) == ALL_ONCE
