"""./dev soak [--hours N] [--faults N] [--seed S]: many runs, one after the other, by turns on files and on S3.

Looks at the memory of each of Leat's processes and at the number of files in house and checkpoints all the time; fails
when an oracle does, or when one of them grows without bound. Writes build/soak.json, and a table.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import asdict
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "deploy"), str(ROOT / "tests")]

from faults.run import Outcome, run  # noqa: E402
from faults.world import World  # noqa: E402

FAULTS_A_RUN = 50
# What the last quarter of a run may have more than its second: these, and half as much again.
ROOM = {"memory": 64 << 20, "files": 200}
GROWTH_MAX = 1.5
SAMPLES_MIN = 16
LOOK_EVERY_S = 2.0


class Meter:
    """Samples of one run, by what they are of: memory by process, files by folder."""

    def __init__(self) -> None:
        self.samples: dict[str, list[float]] = defaultdict(list)
        self.next_look = 0.0

    def look(self, world: World) -> None:
        if time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + LOOK_EVERY_S
        for pid in world.cluster.pids:
            role = self.role(pid)
            if role:
                self.samples[f"memory {role} {pid}"].append(self.resident_bytes(pid))
        for name, folder in (("house", world.house), ("checkpoints", world.checkpoints)):
            self.samples[f"files {name}"].append(sum(len(files) for _, _, files in os.walk(folder)))

    @staticmethod
    def role(pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip().removeprefix("leat-")
        except OSError:
            return ""

    @staticmethod
    def resident_bytes(pid: int) -> float:
        try:
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0.0

    def quarters(self) -> dict[str, tuple[float, float]]:
        """Medians of the second quarter and of the last one, of what was there long enough."""
        found = {}
        for name, samples in self.samples.items():
            quarter = len(samples) // 4
            if len(samples) >= SAMPLES_MIN:
                found[name] = (statistics.median(samples[quarter : 2 * quarter]), statistics.median(samples[-quarter:]))
        return found

    def grown(self) -> list[str]:
        return [
            f"{name} grows: {before:.0f}, then {after:.0f}"
            for name, (before, after) in self.quarters().items()
            if after > before * GROWTH_MAX + ROOM[name.split()[0]]
        ]


def say(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text + "\n")


def one(build: Path, seed: int, faults: int, is_on_s3: bool) -> tuple[Outcome, Meter]:
    meter = Meter()
    folder = Path(tempfile.mkdtemp(prefix="leat-soak-"))
    outcome = run(
        build,
        folder,
        partial(say, folder / "schedule"),
        seed=seed,
        faults_count=faults,
        is_on_s3=is_on_s3,
        watch=meter.look,
    )
    outcome.trouble += meter.grown()
    if outcome.trouble:
        print(f"soak: what is left of seed {seed}: {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome, meter


def highest(meter: Meter, prefix: str) -> float:
    return max((max(samples) for name, samples in meter.samples.items() if name.startswith(prefix)), default=0)


COLUMNS = (6, 6, 7, 8, 10, 8, 8, 8, 12)
HEAD = ("seed", "on", "faults", "seconds", "caught up", "JM, MiB", "TM, MiB", "files", "checkpoints")


def line(words: tuple[str, ...], last: str) -> str:
    return " ".join(word.rjust(width) for word, width in zip(words, COLUMNS, strict=True)) + "  " + last


def row_of(outcome: Outcome, meter: Meter) -> str:
    words = (
        str(outcome.seed),
        "s3" if outcome.is_on_s3 else "files",
        str(outcome.faults.total()),
        f"{outcome.seconds:.0f}",
        f"{outcome.caught_up_s:.1f} s",
        f"{highest(meter, 'memory jobmanager') / 2**20:.0f}",
        f"{highest(meter, 'memory taskmanager') / 2**20:.0f}",
        f"{highest(meter, 'files house'):.0f}",
        f"{highest(meter, 'files checkpoints'):.0f}",
    )
    return line(words, "; ".join(outcome.trouble)[:300] or "good")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev soak", description="Runs the lab under faults for a long time.")
    parser.add_argument("--hours", type=float, help="go on for so long, whatever the number of faults")
    parser.add_argument("--faults", type=int, default=300, help="how many in all (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next ones count on (1)")
    given = parser.parse_args()
    build = Path(os.environ.get("LEAT_BUILD", ROOT / "build")).resolve()
    start, done, seed = time.monotonic(), 0, given.seed
    rows, kinds, failed = [], Counter[str](), 0
    print(line(HEAD, "what was found"), flush=True)
    while time.monotonic() - start < given.hours * 3600 if given.hours else done < given.faults:
        faults = FAULTS_A_RUN if given.hours else min(FAULTS_A_RUN, given.faults - done)
        outcome, meter = one(build, seed, faults, is_on_s3=seed % 2 == 0)
        print(row_of(outcome, meter), flush=True)
        rows.append({**asdict(outcome), "quarters": meter.quarters()})
        kinds += outcome.faults
        failed += bool(outcome.trouble)
        done, seed = done + faults, seed + 1
        (build / "soak.json").write_text(json.dumps({"faults": kinds, "runs": rows}, indent=2) + "\n")
    print("\n" + ", ".join(f"{kind}: {times}" for kind, times in sorted(kinds.items())))
    print(f"soak: {done} faults in {(time.monotonic() - start) / 60:.0f} min, {failed} of {len(rows)} runs failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
