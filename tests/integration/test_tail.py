"""`leat tail`: a table's rows as they are, and as they become."""

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab.cluster import Cluster, LabError

HOUSE = "CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = '${WAREHOUSE}'); USE CATALOG house;"
STOCK = HOUSE + (
    "CREATE TABLE stock (item STRING PRIMARY KEY NOT ENFORCED, amount DECIMAL(10, 2), pieces INT)"
    " WITH ('changelog-producer' = 'input', 'bucket' = '1', 'continuous.discovery-interval' = '100 ms');"
)
TABLE = "house.default.stock"


def put(cluster: Cluster, values: str) -> None:
    cluster.leat("run", "-e", HOUSE + f"INSERT INTO stock VALUES {values}")


@contextmanager
def watching(cluster: Cluster, *args: str) -> Iterator["queue.Queue[str]"]:
    """The lines that `leat tail` prints; it ends well by Ctrl-C."""
    process = subprocess.Popen(
        cluster.command("tail", TABLE, *args), env=cluster.environment(), stdout=subprocess.PIPE, text=True
    )
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield lines
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
        reader.join()
    assert code == 0


@pytest.fixture
def stock(cluster: Cluster) -> Cluster:
    cluster.leat("run", "-e", STOCK)
    put(cluster, "('pen', 1.50, 3), ('ink', CAST(NULL AS DECIMAL(10, 2)), 10)")
    return cluster


def test_once_shows_the_rows_as_they_are(stock: Cluster) -> None:
    rows = [json.loads(line) for line in stock.leat("tail", TABLE, "--once", "--format", "json").splitlines()]
    assert sorted(rows, key=lambda row: row["item"]) == [
        {"item": "ink", "amount": None, "pieces": 10},
        {"item": "pen", "amount": "1.50", "pieces": 3},
    ]
    assert "| item | amount | pieces |" in stock.leat("tail", TABLE, "--once")


def test_changes_come_with_their_kinds(stock: Cluster) -> None:
    with watching(stock, "--format", "changelog") as lines:
        first = sorted(json.loads(lines.get(timeout=15)) for _ in range(2))
        assert first == [["+I", "ink", None, "10"], ["+I", "pen", "1.50", "3"]]
        put(stock, "('pen', 2.00, 4)")
        kind, *row = json.loads(lines.get(timeout=15))
        assert kind in ("+I", "+U")  # changelog-producer = input passes on what came
        assert row == ["pen", "2.00", "4"]


def test_the_table_is_painted_again_when_it_changes(stock: Cluster) -> None:
    with watching(stock) as lines:
        while "1.50" not in lines.get(timeout=15):
            pass
        put(stock, "('pen', 2.00, 4)")
        line = ""
        while "2.00" not in line:
            line = lines.get(timeout=15)
            assert "1.50" not in line


def test_names_that_are_not_there(stock: Cluster) -> None:
    for name, words in (("house.default.stok", "stok"), ("hause.default.stock", "hause"), ("stock", "full name")):
        with pytest.raises(LabError, match=words):
            stock.leat("tail", name, "--once")
