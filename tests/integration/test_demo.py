"""./dev demo as a newcomer runs it, without a terminal."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab.cluster import ROOT, wait_until


def start(build: Path, seconds: int, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "deploy/demo.py"), *arguments],
        env={**os.environ, "LEAT_BUILD": str(build), "DEMO_SECONDS": str(seconds), "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.mark.parametrize("storage", ["file", "s3"])
def test_all_checks_hold(build: Path, tmp_path: Path, storage: str) -> None:
    demo = start(build, 30, tmp_path, "--storage", storage)
    output, _ = demo.communicate(timeout=240)
    assert demo.returncode == 0, output
    assert "FAIL" not in output
    assert output.rstrip().endswith("demo: all holds")
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_a_storage_that_is_not_known_is_told(build: Path, tmp_path: Path) -> None:
    demo = start(build, 30, tmp_path, "--storage", "tape")
    output, _ = demo.communicate(timeout=20)
    assert demo.returncode == 2
    assert "invalid choice: 'tape' (choose from 'file', 's3')" in output


@pytest.mark.parametrize("after_s", [0.2, 2, 8])
def test_ctrl_c_leaves_nothing(build: Path, tmp_path: Path, after_s: float) -> None:
    demo = start(build, 60, tmp_path)
    time.sleep(after_s)
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode != 0, output
    wait_until("all processes have ended", 5, lambda: not processes_of(tmp_path))
    assert list(tmp_path.iterdir()) == []
