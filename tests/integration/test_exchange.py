"""Rows between two task manager processes, over ZeroMQ."""

import subprocess
from pathlib import Path

import pytest

ROWS = 2_000_000


@pytest.mark.threads
@pytest.mark.parametrize("shape", [[], ["chained"]])
def test_all_rows_arrive(build: Path, shape: list[str]) -> None:
    done = subprocess.run(
        [str(build / "bench/bench-exchange"), str(build / "leat-taskmanager"), str(ROWS), *shape],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"rows {ROWS} "), done.stderr
    assert "ThreadSanitizer" not in done.stderr
