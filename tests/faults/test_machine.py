"""A disk, descriptors and a clock that fail: bounded, said once, recovered from; nothing is lost or doubled."""

import errno
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import tables
from lab.cluster import Cluster, wait_until

from faults.shim import JOB_MANAGER, TASK_MANAGERS, Shim, compile_shim

ROWS = 6000
JOB = f"""
CREATE CATALOG house WITH ('type' = 'paimon', 'warehouse' = '${{WAREHOUSE}}');
USE CATALOG house;
CREATE TEMPORARY TABLE made (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '300',
  'number-of-rows' = '{ROWS}', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{ROWS}');
CREATE TABLE numbers (id BIGINT) WITH ('bucket' = '-1');
SET 'execution.checkpointing.interval' = '500 ms';
SET 'execution.checkpointing.tolerable-failed-checkpoints' = 'TOLERATED';
SET 'pipeline.name' = 'numbers';
INSERT INTO numbers SELECT id FROM made;
"""
FAULT_S = 4
LINES_MAX = 60  # of all processes, for a fault of FAULT_S: some restarts, each with some lines


class Machine:
    def __init__(self, build: Path, folder: Path) -> None:
        disk = folder / "disk"
        disk.mkdir()
        self.house = disk / "house"
        self.cluster = Cluster(build, disk / "cluster")
        self.shim = Shim(compile_shim(build), folder / "shim", disk, self.cluster.folder / "log")
        self.cluster.variables = {"WAREHOUSE": f"file:{self.house}", **self.shim.environment()}

    def start(self, tolerated: int) -> str:
        self.cluster.start(2, 8, "-D", "heartbeat.timeout=3s", "-D", "jobmanager.lease=2s")
        self.cluster.leat("run", "--detach", "-e", JOB.replace("TOLERATED", str(tolerated)))
        self.job = str(self.cluster.job("numbers")["jid"])
        wait_until("checkpoints", 30, lambda: self.completed() >= 3)
        return self.job

    def completed(self) -> int:
        return int(self.cluster.checkpoints(self.job)["counts"]["completed"])

    def lines(self) -> list[str]:
        logs = sorted((self.cluster.folder / "log").glob("*"))
        return [line for path in logs for line in path.read_text(errors="replace").splitlines()]

    def goes_on(self) -> None:
        """By itself, and in a time that has nothing to do with that of the fault."""
        before = self.completed()
        wait_until("checkpoints again", 30, lambda: self.completed() > before + 1)

    def ends_well(self) -> None:
        self.cluster.wait_for_state(self.job, "FINISHED", 120)
        assert sorted(row["id"] for row in tables.read(self.house, "default.numbers")) == list(range(1, ROWS + 1))


@pytest.fixture
def machine(build: Path, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(build, tmp_path)
    try:
        yield made
    finally:
        made.shim.heal()
        assert not made.cluster.stop()


@pytest.mark.parametrize(
    ("kind", "tolerated"),
    [
        ("ENOSPC", 0),
        ("EIO", 1000),
        *(
            pytest.param(kind, tolerated, marks=pytest.mark.long)
            for kind, tolerated in (("ENOSPC", 1000), ("EDQUOT", 0), ("EDQUOT", 1000), ("EROFS", 0), ("EROFS", 1000))
        ),
        pytest.param("EIO", 0, marks=pytest.mark.long),
    ],
)
def test_a_disk_that_fails_for_a_while_is_outlasted(machine: Machine, kind: str, tolerated: int) -> None:
    machine.start(tolerated)
    said = len(machine.lines())
    machine.shim.fail_writes(getattr(errno, kind))
    time.sleep(FAULT_S)
    assert machine.shim.refused(TASK_MANAGERS) > 0
    new = machine.lines()[said:]
    assert len(new) < LINES_MAX, Counter(line[24:90] for line in new).most_common(5)
    machine.shim.fail_writes(0)
    machine.goes_on()
    machine.ends_well()


def test_checkpoints_that_fail_on_a_full_disk_are_tolerated_as_was_asked_for(machine: Machine) -> None:
    machine.start(1000)
    machine.shim.fail_writes(errno.ENOSPC, (JOB_MANAGER,))
    wait_until("checkpoints fail", 30, lambda: machine.cluster.checkpoints(machine.job)["counts"]["failed"] >= 2)
    machine.shim.fail_writes(0)
    machine.goes_on()
    assert machine.cluster.checkpoints(machine.job)["counts"]["restored"] == 0
    machine.ends_well()


def test_no_descriptors_for_a_while_is_outlasted_by_checkpoints_and_rest(machine: Machine) -> None:
    machine.start(0)
    said = len(machine.lines())
    machine.shim.fail_descriptors(errno.EMFILE)
    start = time.monotonic()
    while time.monotonic() < start + FAULT_S:
        answers(machine)  # it may be refused, or late; below it is there again
        time.sleep(0.2)
    machine.shim.fail_descriptors(0)
    assert machine.shim.refused(JOB_MANAGER) > 0
    wait_until("REST answers", 30, lambda: answers(machine))
    machine.goes_on()
    assert len(machine.lines()[said:]) < LINES_MAX
    machine.ends_well()


def answers(machine: Machine) -> bool:
    try:
        with urllib.request.urlopen(machine.cluster.rest_url + "/overview", timeout=0.5) as answer:
            return bool(answer.read())
    except OSError:
        return False


@pytest.mark.parametrize("seconds", [86400, -86400])
def test_a_clock_that_jumps_stops_nothing(machine: Machine, seconds: int) -> None:
    machine.start(0)
    for jump in (seconds, 0):
        machine.shim.move_clock(jump)
        machine.goes_on()
    assert machine.cluster.checkpoints(machine.job)["counts"]["restored"] == 0
    assert all("is lost" not in line for line in machine.lines())
    machine.ends_well()
