"""mysql_sync_table with real processes: a table is read while it changes, task managers are killed in between; in the
end pypaimon reads what MariaDB has."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from lab import tables
from lab.cluster import Cluster, LabError, wait_until
from lab.mariadb import MariaDB

KEYS = 20000
CREATE = """
DROP DATABASE IF EXISTS bank; CREATE DATABASE bank; USE bank;
CREATE TABLE accounts (
  note TEXT, balance DECIMAL(12, 2), account INT UNSIGNED NOT NULL, branch SMALLINT NOT NULL,
  region VARCHAR(8) CHARACTER SET latin1, seen DATETIME(3), level ENUM('low', 'high'), PRIMARY KEY (account, branch)
);
INSERT INTO accounts SELECT IF(seq % 3, CONCAT('note ', seq), NULL), seq / 7, seq, CAST(seq % 5 AS SIGNED) - 2,
  ELT(seq % 3 + 1, 'n', 'S', 'é'),
  '2024-02-29 12:00:00.123' + INTERVAL seq SECOND, IF(seq % 2, 'low', NULL) FROM bank_seq.numbers;
"""


def change(mariadb: MariaDB, rng: random.Random) -> None:
    key, span = rng.randrange(KEYS), rng.randrange(40)
    statements = [
        f"UPDATE accounts SET balance = balance + 0.01 WHERE account BETWEEN {key} AND {key + span}",
        f"DELETE FROM accounts WHERE account BETWEEN {key} AND {key + span // 10}",
        f"REPLACE INTO accounts VALUES ('again', NULL, {key}, {key % 5 - 2}, 'é', NOW(3), 'high')",
        f"UPDATE IGNORE accounts SET branch = 9 WHERE account = {key}",
    ]
    rng.shuffle(statements)
    end = rng.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])
    mariadb.sql("USE bank; START TRANSACTION; " + "; ".join(statements[: rng.randrange(1, 4)]) + f"; {end};")


@contextmanager
def changes(mariadb: MariaDB, seed: int) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        rng = random.Random(seed)
        while not stop.is_set():
            change(mariadb, rng)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def sync(cluster: Cluster, mariadb: MariaDB, house: Path, *more: str) -> str:
    conf = {
        "hostname": "127.0.0.1",
        "port": str(mariadb.port),
        "username": "cdc",
        "password": "cdc",
        "database-name": "bank",
        "table-name": "acc.*",
        "scan.incremental.snapshot.chunk.size": "500",
    }
    words = [word for key, value in conf.items() for word in ("--mysql_conf", f"{key}={value}")]
    cluster.leat(
        "action",
        "mysql_sync_table",
        f"--warehouse=file:{house}",
        "--database=copy",
        "--table=accounts",
        *words,
        "--detach",
        *more,
    )
    return str(cluster.job("MySQL-Paimon Table Sync: copy.accounts")["jid"])


def of_mariadb(mariadb: MariaDB) -> set[tuple[str, ...]]:
    rows = mariadb.sql(
        "SET NAMES utf8mb4; SELECT IFNULL(note, '-'), IFNULL(balance, '-'), account, branch, "
        "IFNULL(region, '-'), IFNULL(seen, '-'), "
        "IFNULL(level, '-') FROM bank.accounts;"
    )
    return {tuple(row) for row in rows}


def of_paimon(house: Path) -> list[tuple[str, ...]]:
    def text(value: object) -> str:
        if value is None:
            return "-"
        if hasattr(value, "isoformat"):
            return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"  # type: ignore[attr-defined]
        return str(value)

    columns = ("note", "balance", "account", "branch", "region", "seen", "level")
    return [tuple(text(row[column]) for column in columns) for row in tables.read(house, "copy.accounts")]


def differences(mariadb: MariaDB, house: Path) -> list[str]:
    ours, theirs = of_paimon(house), of_mariadb(mariadb)
    twice = len(ours) - len(set(ours))
    found = [f"too many: {row}" for row in set(ours) - theirs] + [f"missing: {row}" for row in theirs - set(ours)]
    keys = [row[2:4] for row in ours]
    found += [f"{twice} rows twice"] * (twice > 0)
    return found + [f"{len(keys) - len(set(keys))} keys twice"] * (len(keys) > len(set(keys)))


def wait_until_equal(mariadb: MariaDB, house: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while found := differences(mariadb, house):
        if time.monotonic() > end:
            pytest.fail(f"{len(found)} differences: " + "; ".join(found[:5] + found[-5:]))
        time.sleep(0.5)


@pytest.mark.parametrize("parallelism", [1, 3])
def test_the_copy_is_exact_whatever_is_killed(
    cluster: Cluster, mariadb: MariaDB, tmp_path: Path, parallelism: int
) -> None:
    house = tmp_path / "house"
    mariadb.sql(
        "CREATE DATABASE IF NOT EXISTS bank_seq; CREATE OR REPLACE TABLE bank_seq.numbers "
        f"SELECT seq FROM mysql.seq_1_to_{KEYS};"
    )
    mariadb.sql(CREATE)
    rng = random.Random(parallelism)
    with changes(mariadb, parallelism):
        job = sync(
            cluster,
            mariadb,
            house,
            f"--table_conf=sink.parallelism={parallelism}",
            "-D",
            f"parallelism.default={parallelism}",
            "--table_conf=changelog-producer=input",
            "-D",
            "execution.checkpointing.interval=500 ms",
        )
        for i in range(5):
            time.sleep(rng.uniform(0.2, 1.5))
            cluster.kill_task_manager(i % 2)
            cluster.add_task_manager()
            wait_until("the job runs again", 30, lambda: cluster.all_tasks_run(job))
        wait_until("the table is there", 30, lambda: tables.snapshot_id(house, "copy.accounts") > 2)
    wait_until_equal(mariadb, house, 60)
    balances = [row["balance"] for row in tables.read(house, "copy.accounts")]
    assert any(isinstance(balance, Decimal) for balance in balances)
    assert any(balance is None for balance in balances)
    cluster.cancel(job)


def test_what_is_wrong_is_said(cluster: Cluster, mariadb: MariaDB, tmp_path: Path) -> None:
    mariadb.sql("DROP DATABASE IF EXISTS bank; CREATE DATABASE bank; CREATE TABLE bank.accounts (a INT);")
    with pytest.raises(LabError, match="can't infer primary keys"):
        sync(cluster, mariadb, tmp_path / "house")
    with pytest.raises(LabError, match="tabel"):
        sync(cluster, mariadb, tmp_path / "house", "--tabel_conf=x=y")
