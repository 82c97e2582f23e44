"""./dev bench [NAME…]: the benchmark table. Prints it, and writes build/bench.json: a list of
{name, value, unit, bare, ratio}.

Figures are rows a CPU-second of the task managers (all threads, user and system), parallelism 1, the median of RUNS;
beside each stands the bare loop's (bench/bare/), a single-threaded program without any engine, and their ratio.
BENCH_SCALE=0.1 makes all inputs smaller. --record puts the table into docs/benchmarks.md.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy"))

from lab import tables  # noqa: E402
from lab.cluster import Cluster, LabError, wait_until  # noqa: E402

BUILD = Path(os.environ.get("LEAT_BUILD", ROOT / "build")).resolve()
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
TICKS = os.sysconf("SC_CLK_TCK")
ALL_SPEED = "9223372036854775807"
CPU = re.compile(r"cpu_s ([0-9.]+)")

ORDERS = (
    "'fields.order_id.min' = '1', 'fields.order_id.max' = '100', "
    "'fields.amount.min' = '10', 'fields.amount.max' = '1000', "
    "'fields.client_id.min' = '1', 'fields.client_id.max' = '10'"
)


def rows_of(millions: float) -> int:
    return max(100_000, int(millions * 1e6 * SCALE))


def generator(name: str, rows: int, speed: str = ALL_SPEED) -> str:
    return (
        f"CREATE TEMPORARY TABLE {name} (order_id INT, amount INT, client_id INT) WITH ('connector' = 'datagen', "
        f"'rows-per-second' = '{speed}', 'number-of-rows' = '{rows}', {ORDERS});\n"
    )


def cpu_s(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_mb(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
        total += int(match[1]) if match else 0
    return total / 1024


def bare(program: str, rows: int, *args: str) -> float:
    """Rows a CPU-second of a bare loop, median."""
    seconds = []
    for _ in range(RUNS):
        done = subprocess.run([str(BUILD / "bench" / program), *args], capture_output=True, text=True, check=True)
        match = CPU.search(done.stdout)
        assert match, done.stdout
        seconds.append(float(match[1]))
    return rows / statistics.median(seconds)


class World:
    """A fresh cluster with one task manager, and a house."""

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.options = options
        self.house = folder / "house"
        self.cluster = Cluster(BUILD, folder / "cluster", {"WAREHOUSE": f"file:{self.house}"})
        self.catalog = (
            f"CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = 'file:{self.house}');\nUSE CATALOG house;\n"
        )

    def __enter__(self) -> "World":
        self.cluster.start(1, 8, *self.options)
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, text: str, *options: str) -> str:
        script = self.folder / "bench.sql"
        script.write_text(self.catalog + text)
        return self.cluster.leat("run", str(script), *options, timeout=600)

    def cpu_of(self, what: Callable[[], object]) -> float:
        pids = self.cluster.task_managers()
        before = cpu_s(pids)
        what()
        return cpu_s(pids) - before


@dataclass
class Figure:
    name: str
    value: float
    unit: str
    bare: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.bare if self.bare else None


def fresh() -> World:
    return World(Path(tempfile.mkdtemp(prefix="leat-bench-")))


RATE_UNIT = "rows/CPU-s"


def datagen_blackhole() -> Figure:
    rows = rows_of(300)
    statements = generator("g", rows) + (
        "CREATE TEMPORARY TABLE b (order_id INT, amount INT, client_id INT) WITH ('connector' = 'blackhole');\n"
        "INSERT INTO b SELECT * FROM g;\n"
    )
    with fresh() as world:
        seconds = [world.cpu_of(lambda: world.sql(statements)) for _ in range(RUNS)]
    value = rows / statistics.median(seconds)
    return Figure("datagen_blackhole", value, RATE_UNIT, bare("bare-datagen-blackhole", rows, str(rows)))


def datagen_append() -> Figure:
    rows = rows_of(40)
    seconds = []
    for _ in range(RUNS):
        with fresh() as world:
            statements = generator("g", rows) + (
                "CREATE TABLE orders (order_id INT, amount INT, client_id INT) WITH ('bucket' = '-1');\n"
                "SET 'execution.checkpointing.interval' = '10 s';\nINSERT INTO orders SELECT * FROM g;\n"
            )
            seconds.append(world.cpu_of(partial(world.sql, statements)))
    file = Path(tempfile.mkstemp(prefix="leat-bench-")[1])
    loop = bare("bare-datagen-append", rows, str(rows), str(file))
    file.unlink()
    return Figure("datagen_append", rows / statistics.median(seconds), RATE_UNIT, loop)


SALES = (
    "CREATE TABLE country_sales (country STRING, revenue BIGINT, orders_count BIGINT, "
    "PRIMARY KEY (country) NOT ENFORCED) WITH ('merge-engine' = 'aggregation', "
    "'fields.revenue.aggregate-function' = 'sum', "
    "'fields.orders_count.aggregate-function' = 'sum', 'changelog-producer' = '{producer}'{more});\n"
)
JOIN = (
    "INSERT INTO country_sales SELECT c.country, CAST(o.amount AS BIGINT), CAST(1 AS BIGINT) FROM orders AS o "
    "JOIN clients FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.client_id = c.client_id;\n"
)


def make_lab(world: World, rows: int) -> None:
    """20 M orders and 10 clients in the house."""
    clients = ", ".join(f"({i}, 'Client {i}', 'Country {i % 7}', '{100000 + i}')" for i in range(1, 11))
    world.sql(
        generator("g", rows) + "CREATE TABLE clients (client_id INT PRIMARY KEY NOT ENFORCED, full_name STRING, "
        "country STRING, zip STRING) WITH ('changelog-producer' = 'input');\n"
        "CREATE TABLE orders (order_id INT, amount INT, client_id INT, proc_time AS PROCTIME()) "
        "WITH ('bucket' = '-1');\n"
        "SET 'execution.checkpointing.interval' = '10 s';\n"
        f"INSERT INTO clients VALUES {clients};\nINSERT INTO orders SELECT * FROM g;\n"
    )


def counted(world: World) -> int:
    return sum(int(row["orders_count"]) for row in tables.read(world.house, "default.country_sales"))


def bare_lab(world: World, rows: int) -> float:
    files = sorted(str(path) for path in (world.house / "default.db/orders").glob("bucket-0/*.parquet"))
    return bare("bare-lab", rows, *files)


def lab_batch() -> Figure:
    rows = rows_of(20)
    seconds = []
    with fresh() as world:
        make_lab(world, rows)
        for _ in range(RUNS):
            world.sql("DROP TABLE IF EXISTS country_sales;\n" + SALES.format(producer="none", more=""))
            statements = "SET 'execution.runtime-mode' = 'batch';\n" + JOIN
            seconds.append(world.cpu_of(partial(world.sql, statements)))
            if counted(world) != rows:
                raise LabError(f"country_sales counts {counted(world)} orders of {rows}")
        loop = bare_lab(world, rows)
    return Figure("lab_batch", rows / statistics.median(seconds), RATE_UNIT, loop)


def lab_stream() -> Figure:
    rows = rows_of(20)
    seconds = []
    with fresh() as world:
        make_lab(world, rows)
        for _ in range(RUNS):
            more = ", 'full-compaction.delta-commits' = '2'"
            world.sql("DROP TABLE IF EXISTS country_sales;\n" + SALES.format(producer="full-compaction", more=more))
            statements = "SET 'execution.checkpointing.interval' = '1 s';\nSET 'pipeline.name' = 'lab';\n" + JOIN
            seconds.append(world.cpu_of(partial(stream_once, world, statements, rows)))
            world.cluster.cancel(world.cluster.job("lab")["jid"])
        loop = bare_lab(world, rows)
    return Figure("lab_stream", rows / statistics.median(seconds), RATE_UNIT, loop)


def stream_once(world: World, statements: str, rows: int) -> None:
    world.sql(statements, "--detach")
    wait_until("all orders are counted", 300, lambda: counted(world) == rows, pause=0.3)


CLIENTS = 1_000_000


def make_clients(world: World) -> None:
    world.sql(
        "CREATE TEMPORARY TABLE g (client_id INT) WITH ('connector' = 'datagen', "
        f"'number-of-rows' = '{CLIENTS}', 'rows-per-second' = '{ALL_SPEED}', 'fields.client_id.kind' = 'sequence', "
        f"'fields.client_id.start' = '1', 'fields.client_id.end' = '{CLIENTS}');\n"
        "CREATE TABLE clients (client_id INT PRIMARY KEY NOT ENFORCED, country STRING, zip STRING) "
        "WITH ('bucket' = '4');\n"
        "INSERT INTO clients SELECT client_id, CONCAT('Country ', CAST(client_id % 200 AS STRING)), "
        "CAST(99999 + client_id AS STRING) FROM g;\n"
    )


def lookup(name: str, cache: str) -> Figure:
    rows = rows_of(50)
    statements = (
        "CREATE TEMPORARY TABLE o (order_id INT, amount INT, client_id INT, proc_time AS PROCTIME()) "
        f"WITH ('connector' = 'datagen', 'rows-per-second' = '{ALL_SPEED}', 'number-of-rows' = '{rows}', "
        + ORDERS.replace("'fields.client_id.max' = '10'", f"'fields.client_id.max' = '{CLIENTS}'")
        + ");\nCREATE TEMPORARY TABLE b (order_id INT, amount INT, country STRING, zip STRING) "
        "WITH ('connector' = 'blackhole');\n"
        "INSERT INTO b SELECT o.order_id, o.amount, c.country, c.zip FROM o JOIN clients "
        f"/*+ OPTIONS('lookup.cache' = '{cache}') */ FOR SYSTEM_TIME AS OF o.proc_time AS c "
        "ON o.client_id = c.client_id;\n"
    )
    with fresh() as world:
        make_clients(world)
        seconds = [world.cpu_of(lambda: world.sql(statements)) for _ in range(RUNS)]
    return Figure(name, rows / statistics.median(seconds), RATE_UNIT, bare("bare-lookup", rows, str(rows)))


def lookup_copy() -> Figure:
    return lookup("lookup_copy", "full")


def lookup_files() -> Figure:
    return lookup("lookup_files", "auto")


def exchange() -> Figure:
    rows = rows_of(100)
    rates = []
    for _ in range(RUNS):
        done = subprocess.run(
            [str(BUILD / "bench/bench-exchange"), str(BUILD / "leat-taskmanager"), str(rows)],
            capture_output=True,
            text=True,
            timeout=300,
        )
        match = CPU.search(done.stdout)
        if not match:
            raise LabError(f"bench-exchange: {done.stderr.strip()}")
        rates.append(rows / float(match[1]))
    return Figure("exchange", statistics.median(rates), RATE_UNIT, bare("bare-exchange", rows, str(rows)))


def start_s() -> Figure:
    """From exec of `leat run` with an embedded cluster until its job runs, which it says on standard error."""
    statement = (
        generator("g", 1) + "CREATE TEMPORARY TABLE b (order_id INT, amount INT, client_id INT) "
        "WITH ('connector' = 'blackhole');\nINSERT INTO b SELECT * FROM g;\n"
    )
    seconds = []
    for _ in range(max(RUNS, 5)):
        with tempfile.TemporaryDirectory(prefix="leat-bench-") as folder:
            environment = {**os.environ, "LEAT_DIR": folder}
            start = time.monotonic()
            done = subprocess.run(
                [str(BUILD / "leat"), "run", "-e", statement],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            seconds.append(time.monotonic() - start)
            if done.returncode != 0:
                raise LabError(f"leat run: {done.stderr.strip()}")
    return Figure("start_s", statistics.median(seconds), "s, exec to the end of a job of one row")


def idle_mb() -> Figure:
    with fresh() as world:
        world.sql(
            generator("g", 1_000_000)
            + "CREATE TEMPORARY TABLE b (order_id INT, amount INT, client_id INT) WITH ('connector' = 'blackhole');\n"
            "INSERT INTO b SELECT * FROM g;\n"
        )
        time.sleep(1)
        return Figure("idle_mb", pss_mb([process["pid"] for process in world.cluster.look()]), "MiB PSS, JM + TM")


MAKE_ORDERS = (
    generator("g", 10_000_000, "1000")
    + "CREATE TABLE orders (order_id INT, made TIMESTAMP(3)) WITH ('bucket' = '-1');\n"
    "SET 'table.local-time-zone' = 'UTC';\nSET 'execution.checkpointing.interval' = '1 s';\n"
    "SET 'pipeline.name' = 'lag';\n"
    "INSERT INTO orders SELECT order_id, CAST(PROCTIME() AS TIMESTAMP(3)) FROM g;\n"
)


def lag_s(world: World, table: str) -> float:
    """Rows carry the time when they were made; it is compared with the time when a snapshot that has them is seen."""
    lags: list[float] = []
    wait_until("a first snapshot", 60, lambda: tables.snapshot_id(world.house, table) > 0)
    seen, newest = tables.snapshot_id(world.house, table), 0.0
    end = time.monotonic() + max(5.0, 20 * SCALE)
    while time.monotonic() < end:
        time.sleep(0.01)
        now_id = tables.snapshot_id(world.house, table)
        if now_id == seen:
            continue
        now, seen = time.time(), now_id
        made = [row["made"].replace(tzinfo=UTC).timestamp() for row in tables.read(world.house, table)]
        lags += [now - when for when in made if when > newest and newest]
        newest = max(made)
    return statistics.median(lags)


def snapshot_lag_s() -> Figure:
    with fresh() as world:
        world.sql(MAKE_ORDERS, "--detach")
        return Figure("snapshot_lag_s", lag_s(world, "default.orders"), "s, median; interval 1 s")


def chained_lag_s() -> Figure:
    """The same through a second job, which reads what the first one commits and writes it on, every 0.1 s: the first
    job's interval, half of it on average, and the way from table to table."""
    with fresh() as world:
        world.sql(MAKE_ORDERS, "--detach")
        wait_until("a first snapshot", 60, lambda: tables.snapshot_id(world.house, "default.orders") > 0)
        world.sql(
            "CREATE TABLE copies (order_id INT, made TIMESTAMP(3)) WITH ('bucket' = '-1');\n"
            "SET 'execution.checkpointing.interval' = '100 ms';\nSET 'pipeline.name' = 'chained';\n"
            "INSERT INTO copies SELECT * FROM orders;\n",
            "--detach",
        )
        return Figure("chained_lag_s", lag_s(world, "default.copies"), "s, median; intervals 1 s and 0.1 s")


STATE_KEYS = 5_000_000
STATE_OPTIONS = ("-D", "taskmanager.memory.process.size=16gb", "-D", "heartbeat.interval=10ms")


def grouped(interval: str) -> tuple[float, float]:
    """CPU-seconds of a GROUP BY over STATE_KEYS keys, and its longest stop once all keys are there, as heartbeats every
    10 ms tell it: the longest time in which no row was read."""
    rows = rows_of(60)
    statements = (
        f"CREATE TEMPORARY TABLE g (k INT, v INT) WITH ('connector' = 'datagen', 'rows-per-second' = '{ALL_SPEED}', "
        f"'number-of-rows' = '{rows}', 'fields.k.min' = '1', 'fields.k.max' = '{int(STATE_KEYS * SCALE)}');\n"
        "CREATE TEMPORARY TABLE b (k INT, n BIGINT, s BIGINT) WITH ('connector' = 'blackhole');\n"
        f"SET 'execution.checkpointing.interval' = '{interval}';\nSET 'pipeline.name' = 'grouped';\n"
        "INSERT INTO b SELECT k, COUNT(*), SUM(v) FROM g GROUP BY k;\n"
    )
    longest, seen, since = 0.0, 0, time.monotonic()

    def look(cluster: Cluster) -> bool:
        nonlocal longest, seen, since
        job = cluster.rest(f"/jobs/{cluster.job('grouped')['jid']}")
        now, read = time.monotonic(), sum(vertex["metrics"]["read-records"] for vertex in job["vertices"])
        if rows // 2 < seen < rows * 0.95:
            longest = max(longest, now - since)
        if read != seen:
            seen, since = read, now
        return job["state"] == "FINISHED"

    with World(Path(tempfile.mkdtemp(prefix="leat-bench-")), STATE_OPTIONS) as world:

        def run() -> None:
            world.sql(statements, "--detach")
            wait_until("all rows are grouped", 600, lambda: look(world.cluster), pause=0.003)

        return world.cpu_of(run), longest


def state_snapshot() -> Figure:
    runs = [(grouped("2 s")[0], grouped("0 s")[0]) for _ in range(RUNS)]
    rates = [rows_of(60) / statistics.median(seconds) for seconds in zip(*runs, strict=True)]
    return Figure("state_snapshot", rates[0], RATE_UNIT, rates[1])


def state_snapshot_stop_ms() -> Figure:
    stops = [grouped("2 s")[1] * 1000 for _ in range(RUNS)]
    return Figure("state_snapshot_stop_ms", statistics.median(stops), "ms, heartbeats every 10 ms")


FIGURES = [
    datagen_blackhole,
    datagen_append,
    lab_batch,
    lab_stream,
    lookup_copy,
    lookup_files,
    exchange,
    start_s,
    idle_mb,
    snapshot_lag_s,
    chained_lag_s,
    state_snapshot,
    state_snapshot_stop_ms,
]


def shown(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{number:.3g}"


# What Flink 1.20.5 with Paimon 1.3.1 was measured to do, and what is to be reached here; issue 5 §6.
PEER = {
    "datagen_blackhole": ("3.0 M", "≥ 60 M"),
    "datagen_append": ("1.57 M", "≥ 8 M"),
    "lab_batch": ("0.148 M", "≥ 8 M"),
    "lab_stream": ("0.092 M", "≥ 3 M"),
    "lookup_copy": ("", ""),
    "lookup_files": ("", ""),
    "exchange": ("", "≥ 25 M"),
    "start_s": ("11.8", "≤ 0.3"),
    "idle_mb": ("930", "≤ 40"),
    "snapshot_lag_s": ("", "≤ 1.3"),
    "chained_lag_s": ("", ""),
    "state_snapshot": ("", ""),
    "state_snapshot_stop_ms": ("", "≤ 100"),
}
DOCUMENT = ROOT / "docs/benchmarks.md"
MARK = "<!-- the table: ./dev bench --record -->\n"


def record(results: list[Figure]) -> None:
    """Replaces what is behind the mark."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    lines = [
        f"Measured {time.strftime('%Y-%m-%d')} at {commit.strip()}, {os.cpu_count()} cores of "
        f"{processor[1] if processor else 'an unknown processor'}.\n\n",
        "| figure | unit | Flink + Paimon | to reach | Leat | bare loop | ratio |\n|---|---|---|---|---|---|---|\n",
    ]
    for result in results:
        flink, goal = PEER[result.name]
        ratio = f"{result.ratio:.2f}" if result.ratio else ""
        lines.append(
            f"| {result.name} | {result.unit} | {flink} | {goal} | {shown(result.value)} | {shown(result.bare)} "
            f"| {ratio} |\n"
        )
    head = DOCUMENT.read_text().split(MARK)[0]
    DOCUMENT.write_text(head + MARK + "\n" + "".join(lines))


def main() -> int:
    wanted = [word for word in sys.argv[1:] if word != "--record"]
    unknown = set(wanted) - {figure.__name__ for figure in FIGURES}
    if unknown:
        print(f"bench: no such figure: {', '.join(unknown)}", file=sys.stderr)
        return 2
    results: list[Figure] = []
    failed = 0
    print(f"{'figure':<20} {'value':>10} {'bare loop':>10} {'ratio':>6}  unit", flush=True)
    for figure in FIGURES:
        if wanted and figure.__name__ not in wanted:
            continue
        try:
            result = figure()
        except (LabError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"{figure.__name__:<20} failed: {error}", flush=True)
            continue
        results.append(result)
        ratio = f"{result.ratio:.2f}" if result.ratio else ""
        print(
            f"{result.name:<20} {shown(result.value):>10} {shown(result.bare):>10} {ratio:>6}  {result.unit}",
            flush=True,
        )
    rows = [
        {"name": r.name, "value": round(r.value, 4), "unit": r.unit, "bare": r.bare, "ratio": r.ratio} for r in results
    ]
    (BUILD / "bench.json").write_text(json.dumps(rows, indent=2) + "\n")
    if "--record" in sys.argv[1:]:
        record(results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
