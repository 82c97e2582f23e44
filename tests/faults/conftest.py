"""Fixtures; LEAT_BUILD names the build folder whose programs are tested (build/ when not set)."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "deploy"))


@pytest.fixture(scope="session")
def build() -> Path:
    return Path(os.environ.get("LEAT_BUILD", ROOT / "build")).resolve()
