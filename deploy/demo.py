"""./dev demo: the lab. An online shop's clients live in MySQL, orders stream in, revenue by country is always current.

On a terminal it shows the view until Ctrl-C. Without one, or with DEMO_SECONDS=N (60 if unset), it runs by itself for
N seconds with a checkpoint every 2 s and 50 orders a second, makes the scenario's changes, kills a task manager in the
middle, stops the orders, and checks what must then be true; the exit status is 0 only if all holds.

With --storage s3 the house and the checkpoints are on a private S3 server instead of in files; all else is the same.

Everything lives in one fresh folder below $TMPDIR and is gone at the end, however it ends.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from lab import tables
from lab.cluster import ROOT, Cluster, LabError, is_alive, wait_until
from lab.mariadb import MariaDB
from lab.s3 import S3

SQL = ROOT / "demo"
MOVING_CLIENT = 7
NEW_COUNTRY = "China"
SANTA = (11, "Santa", "North Pole", "000001")


def say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


class Interrupted(BaseException):
    """A signal asks us to end."""


def on_signal(number: int, _: object) -> None:
    raise Interrupted(signal.Signals(number).name)


def country_rows(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    return {row["country"]: (int(row["revenue"]), int(row["orders_count"])) for row in rows}


class Demo:
    def __init__(self, folder: Path, is_on_s3: bool, interval_s: int, rate: int) -> None:
        self.interval_s = interval_s
        self.is_on_s3 = is_on_s3
        self.house = folder / "house"  # where it can be read as files
        self.warehouse = f"file:{self.house}"
        self.s3 = S3(folder / "s3")
        self.mariadb = MariaDB(folder / "mariadb")
        self.cluster = Cluster(Path(os.environ.get("LEAT_BUILD", ROOT / "build")), folder / "cluster")
        self.cluster.variables = {
            "WAREHOUSE": self.warehouse,
            "INTERVAL": f"{interval_s} s",
            "RATE": str(rate),
        }
        self.failed = 0

    def clean_up(self) -> None:
        for pid in self.cluster.stop():
            self.check(f"process {pid} ends when asked to", False)
        self.mariadb.clean()
        self.s3.clean()

    # The scenario's steps, demo/*.sql

    def start_database(self) -> None:
        say("starting a private MariaDB")
        self.mariadb.start()
        self.mariadb.sql((SQL / "1-mysql.sql").read_text())
        self.cluster.variables["MYSQL_PORT"] = str(self.mariadb.port)

    def start_s3(self) -> None:
        say("a private S3 server: the first time it is built, which takes minutes")
        self.s3.service("install")
        self.s3.start()
        self.house, self.warehouse = self.s3.local("house"), f"s3://{self.s3.bucket}/house"
        self.cluster.variables |= {**self.s3.environment, "WAREHOUSE": self.warehouse}
        say(f"S3 at {self.s3.environment['AWS_ENDPOINT_URL']}, the house is {self.warehouse}")

    def start_cluster(self) -> None:
        say("starting a cluster: one job manager, two task managers")
        checkpoints = f"s3://{self.s3.bucket}/checkpoints"
        options = ["-D", f"execution.checkpointing.dir={checkpoints}"] if self.is_on_s3 else []
        self.cluster.start(2, 8, *options)
        say(f"web page and REST API: {self.cluster.rest_url}")

    def run_sql(self, name: str) -> None:
        self.cluster.leat("run", "--detach", "-i", str(SQL / "0-catalog.sql"), str(SQL / name))

    def ingest(self) -> None:
        say("demo/2-ingest.sql: made-up clients go into MySQL, orders stream into the house")
        self.run_sql("2-ingest.sql")
        self.cluster.wait_for_state(self.cluster.job("Fill MySQL clients")["jid"], "FINISHED", 60)
        say(f"MySQL has {self.mariadb.sql('SELECT COUNT(*) FROM shop.clients')[0][0]} clients")

    def mirror(self) -> None:
        say("leat action mysql_sync_table: the clients are mirrored into the house")
        before = {job["jid"] for job in self.cluster.jobs()}
        mysql = {
            "hostname": "localhost",
            "port": self.mariadb.port,
            "username": "root",
            "password": "root",
            "database-name": "shop",
            "table-name": "clients",
        }
        options = [word for key, value in mysql.items() for word in ("--mysql_conf", f"{key}={value}")]
        self.cluster.leat(
            "action",
            "mysql_sync_table",
            "--warehouse",
            self.warehouse,
            "--database",
            "default",
            "--table",
            "clients",
            "--primary_keys",
            "client_id",
            *options,
            "--table_conf",
            "changelog-producer=input",
            "--table_conf",
            "sink.parallelism=4",
            "-D",
            f"execution.checkpointing.interval={self.interval_s} s",
            "--detach",
        )
        self.sync_job = next(job["jid"] for job in self.cluster.jobs() if job["jid"] not in before)

    def aggregate(self) -> None:
        say("demo/4-aggregate.sql: each order looks its client up, revenue is summed by country")
        before = {job["jid"] for job in self.cluster.jobs()}
        self.run_sql("4-aggregate.sql")
        self.sales_job = next(job["jid"] for job in self.cluster.jobs() if job["jid"] not in before)
        self.orders_job = self.cluster.job("Make orders")["jid"]

    # Looking at it

    def orders(self) -> list[dict[str, Any]]:
        return tables.read(self.house, "default.orders")

    def clients(self) -> dict[int, dict[str, Any]]:
        return {row["client_id"]: row for row in tables.read(self.house, "default.clients")}

    def sales(self) -> dict[str, tuple[int, int]]:
        return country_rows(tables.read(self.house, "default.country_sales"))

    def tail_once(self) -> dict[str, tuple[int, int]]:
        text = self.cluster.leat("tail", "house.default.country_sales", "--once", "--format", "json")
        return country_rows([json.loads(line) for line in text.splitlines() if line.strip()])

    def show(self) -> None:
        sales = self.tail_once()  # pypaimon does not add up what is not compacted yet
        revenue, count = (sum(column) for column in zip(*sales.values(), strict=True)) if sales else (0, 0)
        say(f"country_sales: {len(sales)} countries, {count} orders, revenue {revenue}")

    def first_rows(self) -> bool:
        """Whether country_sales has rows; LabError when a job that should make them has ended."""
        for job in self.cluster.jobs():
            if job["state"] == "FAILED":
                cause = self.cluster.rest(f"/jobs/{job['jid']}/exceptions").get("root-exception", "")
                raise LabError(f"job '{job['name']}' failed: {cause}")
        return bool(self.sales())

    # By itself

    def check(self, text: str, holds: bool, found: str = "") -> None:
        self.failed += not holds
        print(f"{'ok  ' if holds else 'FAIL'} {text}{f' ({found})' if found else ''}", flush=True)

    def pause_until(self, when: float) -> None:
        while time.monotonic() < when:
            time.sleep(min(5.0, max(0.0, when - time.monotonic())))
            self.show()

    def change_clients(self) -> None:
        self.old_country = self.clients()[MOVING_CLIENT]["country"]
        say(f"UPDATE clients: client {MOVING_CLIENT} moves from {self.old_country} to {NEW_COUNTRY}; INSERT: Santa")
        self.mariadb.sql(
            f"UPDATE shop.clients SET country = '{NEW_COUNTRY}' WHERE client_id = {MOVING_CLIENT};"
            f"INSERT INTO shop.clients VALUES {SANTA};"
        )
        self.changed_at = time.monotonic()

    def remember_old_country(self) -> None:
        """Once the move is in the house, its old country must stand still if nobody else lives there."""
        wait_until(
            "the move is in the house",
            10 * self.interval_s,
            lambda: self.clients()[MOVING_CLIENT]["country"] == NEW_COUNTRY,
        )
        say("the move is in the house")

    def kill_task_manager(self) -> None:
        self.snapshot_at_kill = tables.snapshot_id(self.house, "default.country_sales")
        pid = self.cluster.kill_task_manager(0)
        say(f"kill -9 {pid}: a task manager is gone")
        time.sleep(2)
        self.cluster.add_task_manager()
        say("leat cluster add-taskmanager: another one has joined")
        for job in (self.orders_job, self.sync_job, self.sales_job):
            wait_until(f"job {job} runs again", 30, partial(self.cluster.all_tasks_run, job))
        say("all jobs run again")

    def wait_for_stillness(self) -> None:
        """country_sales stands still for two intervals, within at most ten."""
        say("waiting until country_sales stands still")
        start = changed = time.monotonic()
        last = self.sales()
        while time.monotonic() - changed < 2 * self.interval_s + 0.5:
            time.sleep(0.2)
            now = self.sales()
            if now != last:
                last, changed = now, time.monotonic()
            if time.monotonic() - start > 10 * self.interval_s:
                self.check("country_sales stands still within ten intervals after the orders stopped", False)
                return
        self.check("country_sales stands still within ten intervals after the orders stopped", True)

    def run_by_itself(self, seconds: int) -> None:
        start = time.monotonic()
        wait_until("country_sales has its first rows", 60, self.first_rows, pause=0.5)
        say(f"country_sales has its first rows after {time.monotonic() - start:.1f} s")
        self.pause_until(start + seconds * 0.3)
        self.change_clients()
        self.remember_old_country()
        self.pause_until(start + seconds * 0.5)
        self.kill_task_manager()
        self.pause_until(start + seconds)
        say("cancelling 'Make orders'")
        self.cluster.cancel(self.orders_job)
        self.wait_for_stillness()
        self.check_all()

    def check_all(self) -> None:
        orders, sales, clients = self.orders(), self.sales(), self.clients()
        say("what must be true:")
        for name, job, wanted in (
            ("Make orders", self.orders_job, "CANCELED"),
            ("mysql_sync_table", self.sync_job, "RUNNING"),
            ("country_sales", self.sales_job, "RUNNING"),
        ):
            state = self.cluster.job_state(job)
            self.check(f"job {name} is {wanted}", state == wanted, state)
        snapshot = tables.snapshot_id(self.house, "default.country_sales")
        self.check("country_sales went on after the kill", snapshot > self.snapshot_at_kill, f"snapshot {snapshot}")
        in_mysql = self.mariadb.sql("SELECT client_id, full_name, country, zip FROM shop.clients")
        in_house = [[str(value) for value in row.values()] for row in clients.values()]
        self.check("clients in the house = clients in MySQL", sorted(in_house) == sorted(in_mysql), f"{len(in_house)}")
        counted = sum(count for _, count in sales.values())
        self.check("sum of orders_count = COUNT(*) of orders", counted == len(orders) > 0, f"{counted}, {len(orders)}")
        summed, paid = sum(revenue for revenue, _ in sales.values()), sum(row["amount"] for row in orders)
        self.check("sum of revenue = SUM(amount) of orders", summed == paid, f"{summed}, {paid}")
        self.check_countries(orders, sales, clients)
        self.check("leat tail shows the same rows as pypaimon reads", self.tail_once() == sales)
        for name in ("clients", "orders", "country_sales"):
            self.check_files(name)

    def check_countries(
        self, orders: list[dict[str, Any]], sales: dict[str, tuple[int, int]], clients: dict[int, dict[str, Any]]
    ) -> None:
        """Countries that the move did not touch are recounted exactly; the two that it did, together."""
        revenue: Counter[str] = Counter()
        count: Counter[str] = Counter()
        for row in orders:
            country = clients[row["client_id"]]["country"]
            revenue[country] += row["amount"]
            count[country] += 1
        moved = {self.old_country, NEW_COUNTRY}
        recounted = {country: (revenue[country], count[country]) for country in count if country not in moved}
        found = {country: row for country, row in sales.items() if country not in moved}
        self.check("each other country's row = recount of the orders", found == recounted, f"{len(found)} countries")
        together = sum(sales.get(country, (0, 0))[1] for country in moved)
        self.check(f"{self.old_country} and {NEW_COUNTRY} together = recount", together == sum(count[c] for c in moved))
        moved_orders = sales.get(NEW_COUNTRY, (0, 0))[1]
        self.check(
            f"{NEW_COUNTRY} has orders since client {MOVING_CLIENT} moved there", moved_orders > 0, f"{moved_orders}"
        )
        kept = sales.get(self.old_country, (0, 0))[1]
        self.check(f"{self.old_country} keeps what it had", kept > 0, f"{kept}")

    def check_files(self, name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "paimon_check", "verify", str(self.house / "default.db" / name), "--deep"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
            capture_output=True,
            text=True,
        )
        words = (done.stdout + done.stderr).strip().split("\n")
        self.check(f"the files of {name} are a sound Paimon table", done.returncode == 0, words[-1])
        if done.returncode != 0:
            print("\n".join(f"     {word}" for word in words[:20]))

    # On a terminal

    def watch(self) -> None:
        client = "mariadb -h 127.0.0.1 -u root -proot --port " + str(self.mariadb.port) + " shop"
        say("try, from another terminal:")
        say(f"  {client} -e \"UPDATE clients SET country = 'China' WHERE client_id = 7\"")
        say(f"  LEAT_DIR={self.cluster.folder} {self.cluster.build}/leat list")
        say("waiting for the first rows (some checkpoints); Ctrl-C ends the demo")
        wait_until("country_sales has its first rows", 180, self.first_rows, pause=0.5)
        shown = subprocess.Popen(
            self.cluster.command("tail", "house.default.country_sales"), env=self.cluster.environment()
        )
        try:
            if shown.wait() != 0:
                raise LabError("leat tail ended")
        finally:
            if shown.poll() is None:
                shown.terminate()
                shown.wait(timeout=5)


def show_logs(folder: Path) -> None:
    for path in sorted(folder.rglob("*.log"))[:8]:
        lines = path.read_text(errors="replace").splitlines()[-25:]
        print(f"--- {path.name}", *lines, sep="\n", file=sys.stderr)


def run(folder: Path, is_on_s3: bool, seconds: int | None) -> int:
    interval, rate = (10, 1) if seconds is None else (2, 50)
    demo = Demo(folder, is_on_s3, interval, rate)
    try:
        demo.start_database()
        if is_on_s3:
            demo.start_s3()
        demo.start_cluster()
        demo.ingest()
        demo.mirror()
        demo.aggregate()
        if seconds is None:
            demo.watch()
        else:
            demo.run_by_itself(seconds)
    except Interrupted as interrupted:
        say(f"{interrupted}: ending")
        demo.failed += seconds is not None
    except (LabError, subprocess.TimeoutExpired, StopIteration, KeyError) as error:
        demo.check(f"{error or type(error).__name__}", False)
        show_logs(folder / "cluster")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        demo.clean_up()
    left = [pid for pid in demo.cluster.pids if is_alive(pid)]
    if seconds is not None:
        demo.check("no process is left", not left)
        print("demo: all holds" if not demo.failed else f"demo: {demo.failed} checks failed", flush=True)
    return 1 if demo.failed or left else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev demo", description="The lab: orders stream in, revenue by country.")
    parser.add_argument(
        "--storage", choices=["file", "s3"], default="file", help="where house and checkpoints are (file)"
    )
    return parser.parse_args()


def main() -> int:
    is_on_s3 = parse().storage == "s3"
    given = os.environ.get("DEMO_SECONDS")
    by_itself = given is not None or not sys.stdout.isatty()
    try:
        seconds = max(10, int(given or 60)) if by_itself else None
    except ValueError:
        say(f"DEMO_SECONDS is not a number: '{given}'")
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    folder = Path(tempfile.mkdtemp(prefix="leat-demo-"))
    try:
        return run(folder, is_on_s3, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
