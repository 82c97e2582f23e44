"""A big keyed state: snapshots beside the stream, and a restore in the middle."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import tables
from lab.cluster import Cluster, wait_until

KEYS = 2_000_000
TIMES = 6
ROWS = KEYS * TIMES

# Every key's count and sum are in the result's one row: a change that is lost or there twice shows in it.
SUMS = f"""CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = '${{WAREHOUSE}}');
USE CATALOG house;
CREATE TABLE sums (id INT PRIMARY KEY NOT ENFORCED, k BIGINT, n BIGINT, least BIGINT, most BIGINT, s BIGINT,
    squares BIGINT) WITH ('bucket' = '1');
CREATE TEMPORARY TABLE made (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1200000',
    'number-of-rows' = '{ROWS}', 'fields.id.kind' = 'sequence', 'fields.id.start' = '0',
    'fields.id.end' = '{ROWS - 1}');
SET 'execution.checkpointing.interval' = '500 ms';
SET 'execution.checkpointing.write-buffer-size' = '1 mb';
SET 'parallelism.default' = '2';
SET 'restart-strategy.type' = 'fixed-delay';
SET 'restart-strategy.fixed-delay.attempts' = '10';
INSERT INTO sums SELECT 1, COUNT(*), SUM(n), MIN(n), MAX(n), SUM(s), SUM(n * n) FROM
    (SELECT k, COUNT(*) AS n, SUM(id) AS s FROM (SELECT id, MOD(id, {KEYS}) AS k FROM made) AS keyed GROUP BY k)
    AS by_key;
"""


@pytest.fixture
def roomy(build: Path, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(build, tmp_path / "cluster", {"WAREHOUSE": f"file:{tmp_path}/house"})
    try:
        made.start(2, 4, "-D", "taskmanager.memory.process.size=4gb")
        yield made
    finally:
        assert not made.stop()


def has_big_checkpoints(cluster: Cluster, job: str) -> bool:
    checkpoints = cluster.checkpoints(job)
    newest = checkpoints["latest"]["completed"]
    return checkpoints["counts"]["completed"] >= 3 and newest["state_size"] > 20_000_000


def test_a_task_manager_with_millions_of_groups_is_killed_and_the_sums_are_exact(
    roomy: Cluster, tmp_path: Path
) -> None:
    script = tmp_path / "sums.sql"
    script.write_text(SUMS)
    roomy.leat("run", str(script), "--detach")
    job = str(roomy.jobs()[0]["jid"])
    wait_until("checkpoints of many groups", 120, lambda: has_big_checkpoints(roomy, job))
    roomy.kill_task_manager(0)
    roomy.add_task_manager()
    roomy.wait_for_state(job, "FINISHED", 300)
    assert roomy.checkpoints(job)["counts"]["restored"] > 0
    assert tables.read(tmp_path / "house", "default.sums") == [
        {
            "id": 1,
            "k": KEYS,
            "n": ROWS,
            "least": TIMES,
            "most": TIMES,
            "s": ROWS * (ROWS - 1) // 2,
            "squares": KEYS * TIMES * TIMES,
        }
    ]


TWO_JOBS = """CREATE TEMPORARY TABLE bounded (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '100000',
    'number-of-rows' = '100000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '100000');
CREATE TEMPORARY TABLE endless (id INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
CREATE TEMPORARY TABLE nowhere (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole');
CREATE TEMPORARY TABLE void (id INT) WITH ('connector' = 'blackhole');
SET 'execution.checkpointing.interval' = '200 ms';
EXECUTE STATEMENT SET BEGIN
INSERT INTO nowhere SELECT id, COUNT(*) FROM bounded GROUP BY id;
INSERT INTO void SELECT * FROM endless;
END;
"""


def test_what_finished_tasks_left_outlives_their_last_checkpoint(roomy: Cluster, tmp_path: Path) -> None:
    script = tmp_path / "two.sql"
    script.write_text(TWO_JOBS)
    roomy.leat("run", str(script), "--detach")
    job = str(roomy.jobs()[0]["jid"])

    def finished() -> int:
        return sum(vertex["status"] == "FINISHED" for vertex in roomy.rest(f"/jobs/{job}")["vertices"])

    wait_until("the bounded half has finished", 60, lambda: finished() >= 2)
    before = roomy.checkpoints(job)["counts"]["completed"]
    wait_until("checkpoints after it", 60, lambda: roomy.checkpoints(job)["counts"]["completed"] >= before + 5)
    for _ in range(2):
        roomy.kill_task_manager(0)
        roomy.add_task_manager()
    wait_until("the endless half was restored", 60, lambda: roomy.checkpoints(job)["counts"]["restored"] > 0)
    restored = roomy.checkpoints(job)["counts"]["completed"]
    wait_until("and goes on", 60, lambda: roomy.checkpoints(job)["counts"]["completed"] >= restored + 3)
    roomy.kill_job_manager()  # the next one restores both halves
    roomy.start_again()
    wait_until("both halves were restored", 60, lambda: roomy.checkpoints(job)["counts"]["restored"] > 0)
    wait_until("and go on", 60, lambda: roomy.checkpoints(job)["counts"]["completed"] >= 3)
    assert roomy.job_state(job) == "RUNNING"


SPLITS_AND_ENDLESS = """CREATE TEMPORARY TABLE files (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{folder}',
    'format' = 'csv');
CREATE TEMPORARY TABLE endless (id INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
CREATE TEMPORARY TABLE nowhere (k BIGINT) WITH ('connector' = 'blackhole');
CREATE TEMPORARY TABLE void (id INT) WITH ('connector' = 'blackhole');
SET 'execution.checkpointing.interval' = '200 ms';
SET 'parallelism.default' = '2';
EXECUTE STATEMENT SET BEGIN
INSERT INTO nowhere SELECT id FROM files;
INSERT INTO void SELECT * FROM endless;
END;
"""


def test_checkpoints_go_on_when_readers_of_splits_have_finished(roomy: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    for name in ("a.csv", "b.csv", "c.csv"):
        (folder / name).write_text("1\n2\n3\n")
    script = tmp_path / "splits.sql"
    script.write_text(SPLITS_AND_ENDLESS.format(folder=folder))
    roomy.leat("run", str(script), "--detach")
    job = str(roomy.jobs()[0]["jid"])

    def finished() -> int:
        return sum(vertex["status"] == "FINISHED" for vertex in roomy.rest(f"/jobs/{job}")["vertices"])

    wait_until("the readers have finished", 60, lambda: finished() >= 1)
    before = roomy.checkpoints(job)["counts"]["completed"]
    wait_until("checkpoints after it", 30, lambda: roomy.checkpoints(job)["counts"]["completed"] >= before + 5)
