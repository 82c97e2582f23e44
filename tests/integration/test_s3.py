"""Checkpoints and a warehouse on S3: jobs survive a killed task manager, and other readers find what the jobs wrote."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import tables
from lab.cluster import ROOT, Cluster, LabError, wait_until
from lab.s3 import S3
from pypaimon import CatalogFactory

CATALOG = """
CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = 's3://test/house');
USE CATALOG house;
"""
JOB = f"""{CATALOG}
CREATE TEMPORARY TABLE made (id BIGINT, amount DECIMAL(10, 2), note STRING) WITH (
  'connector' = 'datagen', 'rows-per-second' = '2000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',
  'fields.id.end' = '20000', 'fields.note.length' = '40'
);
CREATE TABLE appended (id BIGINT, amount DECIMAL(10, 2), note STRING) WITH ('bucket' = '-1');
CREATE TABLE by_key (k BIGINT, id BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'bucket' = '2', 'merge-engine' = 'aggregation', 'fields.id.aggregate-function' = 'sum'
);
SET 'execution.checkpointing.interval' = '500 ms';
SET 'parallelism.default' = '2';
SET 'pipeline.name' = 'to_s3';
EXECUTE STATEMENT SET BEGIN
  INSERT INTO appended SELECT id, amount, note FROM made;
  INSERT INTO by_key SELECT MOD(id, CAST(100 AS BIGINT)), id FROM made;
END;
"""
ROWS = 20000


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    server = S3(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.clean()


@pytest.fixture
def cluster(build: Path, tmp_path: Path, s3: S3) -> Iterator[Cluster]:
    made = Cluster(build, tmp_path / "cluster", s3.environment)
    try:
        made.start(2, 8, "-D", "execution.checkpointing.dir=s3://test/checkpoints")
        yield made
    finally:
        assert not made.stop()


def read_over_s3(s3: S3, name: str) -> list[dict[str, Any]]:
    catalog = CatalogFactory.create(
        {
            "warehouse": f"s3://{s3.bucket}/house",
            "fs.s3.endpoint": s3.environment["AWS_ENDPOINT_URL"],
            "fs.s3.accessKeyId": s3.environment["AWS_ACCESS_KEY_ID"],
            "fs.s3.accessKeySecret": s3.environment["AWS_SECRET_ACCESS_KEY"],
            "fs.s3.region": s3.environment["AWS_REGION"],
        }
    )
    builder = catalog.get_table(name).new_read_builder()
    splits = builder.new_scan().plan().splits()
    return builder.new_read().to_arrow(splits).to_pylist() if splits else []


def check(command: str, table: Path, *args: str) -> str:
    """By the reader that shares no code with Leat."""
    done = subprocess.run(
        [sys.executable, "-m", "paimon_check", command, str(table), *args],
        cwd=ROOT / "tests",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_sums(table: Path) -> None:
    """Each id was added once; pypaimon 1.3 does not aggregate."""
    rows = [json.loads(line) for line in check("read", table, "--json").splitlines()]
    sums = {row[1]: row[2] for row in rows}
    assert sums == {k: sum(range(k or 100, ROWS + 1, 100)) for k in range(100)}


def test_tables_and_checkpoints_on_s3_survive_a_killed_task_manager(cluster: Cluster, s3: S3) -> None:
    cluster.leat("run", "--detach", "-e", JOB)
    job = cluster.job("to_s3")["jid"]
    wait_until("checkpoints", 60, lambda: cluster.checkpoints(job)["counts"]["completed"] >= 3)
    assert list(s3.local(f"checkpoints/{job}").glob("chk-*/_metadata"))
    for index in range(2):
        cluster.kill_task_manager(index)
        cluster.add_task_manager()
        before = cluster.checkpoints(job)["counts"]["completed"]
        wait_until("it goes on", 60, lambda: cluster.checkpoints(job)["counts"]["completed"] > before + 1)  # noqa: B023
    assert cluster.checkpoints(job)["counts"]["restored"] > 0
    cluster.wait_for_state(job, "FINISHED", 120)
    rows = read_over_s3(s3, "default.appended")
    assert sorted(row["id"] for row in rows) == list(range(1, ROWS + 1))
    assert_sums(s3.local("house/default.db/by_key"))
    for name in ("appended", "by_key"):
        check("verify", s3.local(f"house/default.db/{name}"), "--deep")
    wait_until("its checkpoints are removed", 20, lambda: not list(s3.local(f"checkpoints/{job}").glob("chk-*")))
    query = CATALOG + "SET 'execution.runtime-mode' = 'batch'; SELECT COUNT(*) FROM appended;"
    assert str(ROWS) in cluster.leat("run", "-e", query)


def test_what_s3_refuses_is_told_with_a_hint(build: Path, tmp_path: Path, s3: S3) -> None:
    wrong = {**s3.environment, "AWS_SECRET_ACCESS_KEY": "no-such-secret"}
    made = Cluster(build, tmp_path / "wrong", wrong)
    try:
        made.start(1, 1)
        with pytest.raises(LabError) as told:
            made.leat("run", "-e", CATALOG)
        text = str(told.value)
        assert "SignatureDoesNotMatch" in text
        assert "the secret key is wrong" in text
        assert "no-such-secret" not in text
        logs = "".join(path.read_text() for path in (tmp_path / "wrong").rglob("*.log"))
        assert "no-such-secret" not in logs
    finally:
        assert not made.stop()


def test_an_outage_of_s3_is_outlasted(cluster: Cluster, s3: S3) -> None:
    script = JOB.replace("s3://test/house", "s3://test/outage").replace("to_s3", "outage")
    cluster.leat("run", "--detach", "-e", script)
    job = cluster.job("outage")["jid"]
    wait_until("checkpoints", 60, lambda: cluster.checkpoints(job)["counts"]["completed"] >= 2)
    s3.service("crash")
    time.sleep(3)
    s3.start()
    cluster.wait_for_state(job, "FINISHED", 120)
    rows = tables.read(s3.local("outage"), "default.appended")
    assert sorted(row["id"] for row in rows) == list(range(1, ROWS + 1))
    assert_sums(s3.local("outage/default.db/by_key"))
