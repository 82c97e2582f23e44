"""The lab with other tables than its own: renamed, other column orders, a DECIMAL amount, many clients; under kills."""

import random
import time
from collections import defaultdict
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from lab import tables
from lab.cluster import Cluster, wait_until
from lab.mariadb import MariaDB

PEOPLE = 5000
COUNTRIES = ["Norway", "Côte d'Ivoire", "Bosnia and Herzegovina", "日本", "Peru", "", "Chad"]

INGEST = """
CREATE TEMPORARY TABLE made (amount DECIMAL(10, 2), person BIGINT, note STRING) WITH (
  'connector' = 'datagen', 'rows-per-second' = '2000',
  'fields.person.min' = '1', 'fields.person.max' = '5000',
  'fields.note.length' = '20', 'fields.note.null-rate' = '0.3'
);
CREATE TABLE purchases (
  note STRING, amount DECIMAL(10, 2), person BIGINT, at_time AS PROCTIME()
) WITH ('bucket' = '-1');
SET 'execution.checkpointing.interval' = '1 s';
SET 'pipeline.name' = 'purchases';
INSERT INTO purchases SELECT note, amount, person FROM made;
"""

AGGREGATE = """
CREATE TABLE by_land (
  total DECIMAL(38, 2), land STRING, n BIGINT, PRIMARY KEY (land) NOT ENFORCED
) WITH (
  'merge-engine' = 'aggregation', 'fields.total.aggregate-function' = 'sum', 'fields.n.aggregate-function' = 'sum',
  'changelog-producer' = 'full-compaction', 'full-compaction.delta-commits' = '2'
);
SET 'execution.checkpointing.interval' = '1 s';
SET 'pipeline.name' = 'by_land';
INSERT INTO by_land
SELECT CAST(p.amount AS DECIMAL(38, 2)), q.land, CAST(1 AS BIGINT)
FROM purchases AS p
JOIN people /*+ OPTIONS('lookup.cache-rows' = '1000', 'lookup.async' = 'true'),
             LOOKUP('table' = 'q', 'retry-predicate' = 'lookup_miss', 'output-mode' = 'allow_unordered',
             'retry-strategy' = 'fixed_delay', 'fixed-delay' = '1s', 'max-attempts' = '600') */
  FOR SYSTEM_TIME AS OF p.at_time AS q ON p.person = q.id;
"""


def make_people(mariadb: MariaDB) -> dict[int, str]:
    lands = {i: random.Random(i).choice(COUNTRIES) for i in range(1, PEOPLE + 1)}
    quoted = {land: "'" + land.replace("'", "''") + "'" for land in COUNTRIES}
    rows = ", ".join(f"({quoted[land]}, {i}, {i % 97})" for i, land in lands.items())
    mariadb.sql(
        "DROP DATABASE IF EXISTS register; CREATE DATABASE register; USE register;"
        "CREATE TABLE people (land VARCHAR(40), id BIGINT PRIMARY KEY, age INT);"
        f"INSERT INTO people VALUES {rows};"
    )
    return lands


def sync(cluster: Cluster, mariadb: MariaDB, house: Path) -> None:
    mysql = [
        "hostname=127.0.0.1",
        f"port={mariadb.port}",
        "username=root",
        "password=root",
        "database-name=register",
        "table-name=people",
    ]
    conf = [word for pair in mysql for word in ("--mysql-conf", pair)]
    cluster.leat(
        "action",
        "mysql-sync-table",
        f"--warehouse=file:{house}",
        "--database=default",
        "--table=people",
        "--primary-keys=id",
        *conf,
        "--table-conf=changelog-producer=input",
        "-D",
        "execution.checkpointing.interval=1 s",
        "--detach",
    )


def totals(house: Path) -> dict[str, tuple[Decimal, int]]:
    return {row["land"]: (row["total"], row["n"]) for row in tables.read(house, "default.by_land")}


def recount(house: Path, lands: dict[int, str]) -> dict[str, tuple[Decimal, int]]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    counts: dict[str, int] = defaultdict(int)
    for row in tables.read(house, "default.purchases"):
        sums[lands[row["person"]]] += row["amount"]
        counts[lands[row["person"]]] += 1
    return {land: (sums[land], counts[land]) for land in counts}


@pytest.mark.parametrize("parallelism", [1, 3])
def test_sums_are_exact_whatever_is_killed(
    cluster: Cluster, mariadb: MariaDB, tmp_path: Path, parallelism: int
) -> None:
    house = tmp_path / "house"
    catalog = f"CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = 'file:{house}');\nUSE CATALOG house;\n"
    lands = make_people(mariadb)
    options = ["--detach", "-D", f"parallelism.default={parallelism}"]
    sync(cluster, mariadb, house)
    cluster.leat("run", *options, "-e", catalog + INGEST)
    cluster.leat("run", *options, "-e", catalog + AGGREGATE)
    wait_until("first sums", 60, lambda: totals(house), pause=0.5)
    for i in range(4):
        time.sleep(random.Random(parallelism * 10 + i).uniform(0.5, 2.5))
        cluster.kill_task_manager(i % 2)
        cluster.add_task_manager()
        for name in ("purchases", "by_land"):
            job = cluster.job(name)["jid"]
            wait_until(f"{name} runs again", 30, partial(cluster.all_tasks_run, job))
    before = len(tables.read(house, "default.purchases"))
    wait_until("rows come again", 30, lambda: len(tables.read(house, "default.purchases")) > before, pause=0.5)
    cluster.cancel(cluster.job("purchases")["jid"])
    expected = recount(house, lands)
    assert sum(count for _, count in expected.values()) > 2000
    wait_until("the sums are those of the purchases", 60, lambda: totals(house) == expected, pause=0.5)
    time.sleep(3)
    assert totals(house) == expected
