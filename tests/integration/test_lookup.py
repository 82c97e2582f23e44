"""Lookup joins with primary-key tables of fixed buckets: rows come by key from the files, each read once."""

from pathlib import Path

import pytest
from lab import tables
from lab.cluster import Cluster, wait_until

HOUSE = "CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = '${WAREHOUSE}'); USE CATALOG house;"
CLIENTS = "CREATE TABLE clients (client_id INT PRIMARY KEY NOT ENFORCED, full_name STRING, visits INT) WITH "
JOIN = HOUSE + (
    "SET 'execution.checkpointing.interval' = '300 ms'; SET 'pipeline.name' = 'join';"
    "CREATE TEMPORARY TABLE orders (order_id INT, client_id INT, proc_time AS PROCTIME()) WITH ("
    " 'connector' = 'datagen', 'rows-per-second' = '2000', 'fields.order_id.kind' = 'sequence',"
    " 'fields.order_id.start' = '1', 'fields.order_id.end' = '100000000',"
    " 'fields.client_id.min' = '1', 'fields.client_id.max' = '60');"
    "CREATE TABLE joined (order_id INT, client_id INT, full_name STRING, visits INT) WITH ('bucket' = '-1');"
    "INSERT INTO joined SELECT o.order_id, o.client_id, c.full_name, c.visits FROM orders AS o"
    " LEFT JOIN clients FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.client_id = c.client_id;"
)


def put(cluster: Cluster, ids: range, name: str, before: str = "") -> None:
    rows = ", ".join(f"({i}, '{name} {i}', 1)" for i in ids)
    cluster.leat("run", "-e", f"{HOUSE}{before}INSERT INTO clients VALUES {rows}")


def gauge(cluster: Cluster, name: str) -> int:
    """Of the lookup, over all of its subtasks; -1: not there yet."""
    job = cluster.job("join")["jid"]
    total, is_there = 0, False
    for vertex in cluster.rest(f"/jobs/{job}")["vertices"]:
        path = f"/jobs/{job}/vertices/{vertex['id']}/metrics"
        ids = [metric["id"] for metric in cluster.rest(path) if metric["id"].endswith("." + name)]
        for found in ids:
            total += int(cluster.rest(f"{path}?get={found}")[0]["value"])
            is_there = True
    return total if is_there else -1


def newest_names(house: Path, after: int = 0) -> dict[int, str | None]:
    """What the last order of each client met."""
    rows = sorted(tables.read(house, "default.joined"), key=lambda row: row["order_id"])
    return {row["client_id"]: row["full_name"] for row in rows if row["order_id"] > after}


def test_rows_follow_the_table_and_files_are_read_once(cluster: Cluster, tmp_path: Path) -> None:
    house = tmp_path / "house"
    options = "'bucket' = '2', 'lookup.continuous-discovery-interval' = '300 ms'"
    put(cluster, range(1, 41), "first", f"{CLIENTS} ({options});")
    cluster.leat("run", "-e", JOIN, "--detach", "-D", "parallelism.default=1")

    expected: dict[int, str | None] = {i: f"first {i}" if i <= 40 else None for i in range(1, 61)}
    wait_until("all clients were met", 30, lambda: newest_names(house) == expected)
    # A bucket's one file each, however many batches there were.
    wait_until("the gauge is there", 10, lambda: gauge(cluster, "lookup.filesOpened") == 2)

    put(cluster, range(31, 51), "second")
    expected.update({i: f"second {i}" for i in range(31, 51)})
    wait_until("the changed clients are met", 30, lambda: newest_names(house) == expected)
    wait_until("the gauge is there", 10, lambda: gauge(cluster, "lookup.filesOpened") == 4)

    put(cluster, range(1, 2), "third")
    expected[1] = "third 1"
    wait_until("the changed client is met", 30, lambda: newest_names(house) == expected)
    wait_until("the gauge is there", 10, lambda: gauge(cluster, "lookup.filesOpened") == 5)
    before = max(row["order_id"] for row in tables.read(house, "default.joined"))
    wait_until("more orders", 30, lambda: len(newest_names(house, before)) == 60)
    assert gauge(cluster, "lookup.filesOpened") == 5
    cluster.cancel(cluster.job("join")["jid"])


@pytest.mark.parametrize("cache", ["auto", "full"])
def test_sums_are_looked_up_merged(cluster: Cluster, tmp_path: Path, cache: str) -> None:
    house = tmp_path / "house"
    options = (
        "'bucket' = '2', 'merge-engine' = 'aggregation', 'fields.visits.aggregate-function' = 'sum', "
        f"'lookup.continuous-discovery-interval' = '300 ms', 'lookup.cache' = '{cache}', "
        "'changelog-producer' = 'full-compaction', 'full-compaction.delta-commits' = '1'"
    )
    put(cluster, range(1, 61), "client", f"{CLIENTS} ({options});")
    for _ in range(2):
        put(cluster, range(1, 31), "client")
    cluster.leat("run", "-e", JOIN, "--detach", "-D", "parallelism.default=1")

    def visits() -> dict[int, int]:
        return {row["client_id"]: row["visits"] for row in tables.read(house, "default.joined")}

    wait_until("all sums were met", 30, lambda: visits() == {i: 3 if i <= 30 else 1 for i in range(1, 61)})
    wait_until("a gauge is there", 10, lambda: gauge(cluster, "lookup.waitingRows") >= 0)
    assert (gauge(cluster, "lookup.filesOpened") > 0) == (cache == "auto")
    cluster.cancel(cluster.job("join")["jid"])
