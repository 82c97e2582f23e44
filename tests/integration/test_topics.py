"""What one job commits, others of the cluster read at once: here nobody else would look for an hour."""

import time
from pathlib import Path

import pytest
from lab import tables
from lab.cluster import Cluster, wait_until

CATALOG = "CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = '${WAREHOUSE}'); USE CATALOG house;"
PATIENT = "'continuous.discovery-interval' = '1 h'"
SETTINGS = "SET 'execution.checkpointing.interval' = '100 ms'; SET 'parallelism.default' = '1';"
ORDERS = (
    "CREATE TEMPORARY TABLE made (id INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100',"
    " 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '1000000');"
)


def start(cluster: Cluster, sql: str) -> None:
    cluster.leat("run", "--detach", "-e", CATALOG + SETTINGS + sql)


def test_a_source_reads_what_another_job_commits(cluster: Cluster, tmp_path: Path) -> None:
    house = tmp_path / "house"
    start(cluster, f"CREATE TABLE orders (id INT) WITH ({PATIENT}); {ORDERS} INSERT INTO orders SELECT * FROM made;")
    start(cluster, "CREATE TABLE copies (id INT); INSERT INTO copies SELECT * FROM orders;")
    wait_until("copies come", 20, lambda: tables.snapshot_id(house, "default.copies") > 3)
    before = len(tables.read(house, "default.copies"))
    wait_until("they go on", 20, lambda: len(tables.read(house, "default.copies")) > before + 100)
    copied = sorted(row["id"] for row in tables.read(house, "default.copies"))
    assert copied == list(range(1, len(copied) + 1))


@pytest.mark.parametrize("cache", ["auto", "full"])  # from files, from a copy
def test_a_lookup_sees_what_another_job_commits(cluster: Cluster, tmp_path: Path, cache: str) -> None:
    house = tmp_path / "house"
    start(
        cluster,
        f"CREATE TABLE names (id INT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('bucket' = '1', {PATIENT},"
        f" 'lookup.cache' = '{cache}');"
        "CREATE TABLE named (id INT, name STRING);" + ORDERS + "INSERT INTO named"
        " SELECT /*+ LOOKUP('table' = 'n', 'retry-predicate' = 'lookup_miss', 'retry-strategy' = 'fixed_delay',"
        " 'fixed-delay' = '1 h', 'max-attempts' = '100') */ o.id, n.name"
        " FROM (SELECT id, PROCTIME() AS seen FROM made WHERE id < 4) AS o"
        " JOIN names FOR SYSTEM_TIME AS OF o.seen AS n ON o.id = n.id;",
    )
    job = str(cluster.jobs()[0]["jid"])
    wait_until("it runs", 10, lambda: cluster.checkpoints(job)["counts"]["completed"] > 5)
    assert tables.snapshot_id(house, "default.named") == 0
    added = "INSERT INTO names VALUES (1, 'one'), (2, 'two'), (3, 'three');"
    cluster.leat("run", "-D", "execution.runtime-mode=batch", "-e", CATALOG + added)
    since = time.monotonic()
    wait_until("a row comes", 20, lambda: tables.snapshot_id(house, "default.named") > 0)
    wait_until("all come", 20, lambda: len(tables.read(house, "default.named")) == 3)
    assert time.monotonic() - since < 10
    rows = sorted((row["id"], row["name"]) for row in tables.read(house, "default.named"))
    assert rows == [(1, "one"), (2, "two"), (3, "three")]
