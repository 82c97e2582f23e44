"""The lab in a folder of its own, with a proxy before each server and the shim in each process, and what ends well."""

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.cluster import Cluster, LabError, is_alive, wait_until
from lab.mariadb import MariaDB
from lab.s3 import S3
from lab.toxiproxy import Toxiproxy

from faults.schedule import HEARTBEAT_TIMEOUT_S, Fault
from faults.shim import Shim, compile_shim

DAY_S = 86400
RESIDENTS = 40  # never move
MOVERS = 10  # move between two countries of their own
GUESTS = range(1000, 1040)  # come and go, and order nothing
PROXIES = ("database", "s3")

CATALOG = "CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = '{warehouse}');\nUSE CATALOG house;\n"
KEEP_FEW = "'snapshot.time-retained' = '60s', 'snapshot.num-retained.min' = '1', 'snapshot.num-retained.max' = '5'"
# The job that sums goes on from a snapshot of its last checkpoint: orders must keep them for longer than faults last.
INGEST = """
CREATE TEMPORARY TABLE made (order_id BIGINT, amount INT, client_id INT) WITH (
  'connector' = 'datagen', 'rows-per-second' = '{rate}', 'number-of-rows' = '{orders}',
  'fields.order_id.kind' = 'sequence', 'fields.order_id.start' = '1', 'fields.order_id.end' = '{orders}',
  'fields.amount.min' = '10', 'fields.amount.max' = '1000',
  'fields.client_id.min' = '1', 'fields.client_id.max' = '{clients}'
);
CREATE TABLE orders (order_id BIGINT, amount INT, client_id INT, proc_time AS PROCTIME())
WITH ('bucket' = '-1', 'snapshot.time-retained' = '5min', 'snapshot.num-retained.max' = '1000');
SET 'pipeline.name' = 'orders';
INSERT INTO orders SELECT * FROM made;
"""
AGGREGATE = """
CREATE TABLE country_sales (country STRING, revenue BIGINT, orders_count BIGINT, PRIMARY KEY (country) NOT ENFORCED)
WITH (
  'merge-engine' = 'aggregation', 'fields.revenue.aggregate-function' = 'sum',
  'fields.orders_count.aggregate-function' = 'sum', 'changelog-producer' = 'full-compaction',
  'full-compaction.delta-commits' = '2', {keep}
);
SET 'pipeline.name' = 'sales';
INSERT INTO country_sales
SELECT c.country, CAST(o.amount AS BIGINT), CAST(1 AS BIGINT)
FROM orders AS o
JOIN clients /*+ OPTIONS('lookup.async' = 'true'), LOOKUP('table' = 'c', 'retry-predicate' = 'lookup_miss',
  'output-mode' = 'allow_unordered', 'retry-strategy' = 'fixed_delay', 'fixed-delay' = '1s', 'max-attempts' = '600') */
  FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.client_id = c.client_id;
"""
JOBS = ("orders", "sync", "sales")


@dataclass
class Setting:
    """What a run is made of besides its schedule; drawn from the seed too."""

    is_on_s3: bool
    parallelism: int = 2
    tolerated_checkpoints: int = 0
    rate: int = 200  # orders a second
    orders: int = 2000


@dataclass
class World:
    build: Path
    folder: Path
    setting: Setting
    say: Callable[[str], None]
    jobs: dict[str, str] = field(default_factory=dict)  # ids
    ends: dict[int, str] = field(default_factory=dict)  # processes that were killed, and why
    trouble: list[str] = field(default_factory=list)  # what must not have happened

    def __post_init__(self) -> None:
        self.mariadb = MariaDB(self.folder / "mariadb", is_durable=True)
        self.s3 = S3(self.folder / "s3")
        self.proxy = Toxiproxy(self.folder / "proxy")
        self.cluster = Cluster(self.build, self.folder / "cluster")
        self.ended = threading.Event()
        self.stopped = threading.Event()
        self.changer = threading.Thread(target=self.change_clients)
        self.supervisor = threading.Thread(target=self.supervise)
        self.paused: set[int] = set()
        self.away: set[str] = set()  # roles of which one was killed, and is not to come back yet

    # Beginning and end

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.proxy.start()
        self.mariadb.start()
        self.database_port = self.proxy.add("database", self.mariadb.port)
        self.make_clients()
        # The folder of checkpoints, and the house: what is on a disk that fails.
        disk = self.folder / "disk"
        disk.mkdir()
        shim = self.folder / "shim"
        self.shim = Shim(compile_shim(self.build), shim, disk, disk / "spared")
        self.cluster.variables = self.shim.environment()
        self.house, self.warehouse, checkpoints = disk / "house", f"file:{disk}/house", f"file:{disk}/checkpoints"
        self.checkpoints = disk / "checkpoints"
        if self.setting.is_on_s3:
            self.s3.start()
            port = self.proxy.add("s3", int(self.s3.environment["AWS_ENDPOINT_URL"].rsplit(":", 1)[1]))
            environment = {**self.s3.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
            self.cluster.variables |= environment
            self.warehouse, checkpoints = f"s3://{self.s3.bucket}/house", f"s3://{self.s3.bucket}/checkpoints"
            self.house, self.checkpoints = self.s3.local("house"), self.s3.local("checkpoints")
        options = {
            "execution.checkpointing.dir": checkpoints,
            "high-availability.storageDir": checkpoints.replace("checkpoints", "ha"),
            "execution.checkpointing.interval": "1 s",
            "execution.checkpointing.timeout": "20 s",
            "execution.checkpointing.tolerable-failed-checkpoints": self.setting.tolerated_checkpoints,
            "parallelism.default": self.setting.parallelism,
            "heartbeat.interval": "300 ms",
            "heartbeat.timeout": f"{int(HEARTBEAT_TIMEOUT_S * 1000)} ms",
            "jobmanager.lease": "2 s",
            "io.tmp.dirs": disk / "tmp",
            "s3.retry.budget": "15 s",
            "s3.connection.timeout": "5 s",
        }
        (disk / "tmp").mkdir()
        # In the file, so that processes that are started later have them too.
        configuration = self.cluster.folder / "conf/leat.yaml"
        configuration.parent.mkdir(parents=True)
        configuration.write_text("".join(f"{key}: {value}\n" for key, value in options.items()))
        self.cluster.start(2, 8)
        self.start_jobs()
        self.changer.start()
        self.supervisor.start()

    def make_clients(self) -> None:
        rows = [f"({i}, 'Client {i}', 'Country {i % 7}', '0')" for i in range(1, RESIDENTS + 1)]
        rows += [f"({i}, 'Client {i}', 'Here', '0')" for i in range(RESIDENTS + 1, RESIDENTS + MOVERS + 1)]
        self.mariadb.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.clients (client_id INT PRIMARY KEY, full_name VARCHAR(64), "
            f"country VARCHAR(64), zip VARCHAR(6)); INSERT INTO shop.clients VALUES {', '.join(rows)};"
        )

    def start_jobs(self) -> None:
        mysql = {
            "hostname": "127.0.0.1",
            "port": self.database_port,
            "username": "root",
            "password": "root",
            "database-name": "shop",
            "table-name": "clients",
        }
        conf = [word for key, value in mysql.items() for word in ("--mysql-conf", f"{key}={value}")]
        keep = [
            word for pair in KEEP_FEW.replace("'", "").split(", ") for word in ("--table-conf", pair.replace(" ", ""))
        ]
        self.cluster.leat(
            "action",
            "mysql-sync-table",
            "--warehouse",
            self.warehouse,
            *("--database", "default", "--table", "clients", "--primary-keys", "client_id"),
            *conf,
            *("--table-conf", "changelog-producer=input"),
            *keep,
            "--detach",
        )
        self.jobs["sync"] = self.cluster.jobs()[0]["jid"]
        catalog = CATALOG.format(warehouse=self.warehouse)
        numbers = {"rate": self.setting.rate, "orders": self.setting.orders, "clients": RESIDENTS + MOVERS}
        for name, text in (("orders", INGEST), ("sales", AGGREGATE)):
            self.cluster.leat("run", "--detach", "-e", catalog + text.format(keep=KEEP_FEW, **numbers))
            self.jobs[name] = self.cluster.job(name)["jid"]
        for job in self.jobs.values():
            wait_until(f"a checkpoint of {job}", 60, lambda: self.cluster.checkpoints(job)["counts"]["completed"] > 0)  # noqa: B023
        wait_until("a sum", 60, lambda: list((self.house / "default.db/country_sales/snapshot").glob("snapshot-*")))

    def stop(self) -> None:
        """All processes end; those that do not when asked to are told of in `trouble`."""
        self.ended.set()
        self.stopped.set()
        for thread in (self.changer, self.supervisor):
            if thread.is_alive():
                thread.join()
        for pid in self.paused:
            if is_alive(pid):
                os.kill(pid, signal.SIGCONT)
        stubborn = self.cluster.stop()
        self.trouble += [f"process {pid} did not end when asked to" for pid in stubborn]
        self.proxy.clean()
        self.s3.clean()
        self.mariadb.clean()

    def state(self, name: str) -> str:
        try:
            return self.cluster.job_state(self.jobs[name])
        except LabError:
            return "unknown"  # no job manager answers

    # The clients change all the time

    def change_clients(self) -> None:
        number = 0
        while not self.ended.wait(0.25):
            number += 1
            resident, mover, guest = (
                number % RESIDENTS + 1,
                RESIDENTS + 1 + number % MOVERS,
                GUESTS[number % len(GUESTS)],
            )
            try:
                self.mariadb.sql(
                    f"UPDATE shop.clients SET zip = '{number % 1000000}' WHERE client_id = {resident};"
                    "UPDATE shop.clients SET country = IF(country = 'Here', 'There', 'Here') "
                    f"WHERE client_id = {mover}; DELETE FROM shop.clients WHERE client_id = {guest - 7};"
                    f"REPLACE INTO shop.clients VALUES ({guest}, 'Guest {number}', 'Abroad', '{number % 97}');"
                )
            except LabError:
                continue  # it is down; this change may have been made or not

    # Processes

    def process(self, role: str, choice: int = 0) -> int | None:
        pids = [process["pid"] for process in self.cluster.look() if process["role"] == role and process["alive"]]
        return pids[choice % len(pids)] if pids else None

    def kill(self, role: str, choice: int) -> Callable[[], None]:
        pid = self.process(role, choice)
        self.away.add(role)
        if pid is not None:
            self.ends[pid] = "kill -9"
            os.kill(pid, signal.SIGKILL)
        return lambda: self.away.discard(role)

    def supervise(self) -> None:
        """As many processes as there were. Under faults one may fail to come: then it is tried again."""
        while not self.stopped.wait(0.5):
            try:
                self.revive()
            except (LabError, subprocess.TimeoutExpired) as error:
                self.say(f"  not whole yet: {str(error).splitlines()[0]}")

    def revive(self) -> None:
        processes = self.cluster.look()
        for process in processes:
            if not process["alive"] and process["pid"] not in self.ends:
                self.ends[process["pid"]] = "by itself"
                self.trouble.append(f"{process['id']} (pid {process['pid']}) ended, and nobody killed it")
        alive = [process["role"] for process in processes if process["alive"]]
        if "jobmanager" not in alive:
            if "jobmanager" not in self.away:
                self.cluster.leat("cluster", "start")
        elif alive.count("taskmanager") < 2 and "taskmanager" not in self.away:
            self.cluster.add_task_manager()

    def pause(self, role: str, choice: int) -> Callable[[], None]:
        pid = self.process(role, choice)
        if pid is None:
            return lambda: None
        self.paused.add(pid)
        os.kill(pid, signal.SIGSTOP)

        def go_on() -> None:
            self.paused.discard(pid)
            if is_alive(pid):
                os.kill(pid, signal.SIGCONT)

        return go_on

    # Faults: each begins now, and returns what ends it

    def begin(self, fault: Fault) -> Callable[[], None]:
        what, how = fault.kind.split(" ", 1)
        match what:
            case "kill":
                return self.kill(how.replace("-", ""), fault.choice)
            case "pause":
                return self.pause(how.split()[0].replace("-", ""), fault.choice)
            case "disk":
                self.shim.fail_writes(getattr(errno, how))
                return lambda: self.shim.fail_writes(0)
            case "descriptors":
                self.shim.fail_descriptors(getattr(errno, how))
                return lambda: self.shim.fail_descriptors(0)
            case "clock":
                self.shim.move_clock(DAY_S if how == "day-on" else -DAY_S)
                return lambda: self.shim.move_clock(0)
        return self.restart_server(what) if how == "restart" else self.spoil_line(what, how, fault.choice)

    def restart_server(self, what: str) -> Callable[[], None]:
        server: MariaDB | S3 = self.mariadb if what == "database" else self.s3
        server.service("crash")
        return server.start

    def spoil_line(self, name: str, how: str, choice: int) -> Callable[[], None]:
        if how == "cut":
            self.proxy.cut(name)
            return lambda: self.proxy.heal(name)
        kind, attributes = {
            "slow": ("latency", {"latency": 50 + choice % 1000, "jitter": choice % 50}),
            "narrow": ("bandwidth", {"rate": 5 + choice % 100}),
            "silent": ("timeout", {"timeout": 0}),
            "reset": ("reset_peer", {"timeout": choice % 300}),
            "torn": ("limit_data", {"bytes": 100 + choice % 20000}),
        }[how]
        self.proxy.toxic(name, kind, **attributes)
        return lambda: self.proxy.untoxic(name, kind)
