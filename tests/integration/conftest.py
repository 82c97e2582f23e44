"""Fixtures of the integration tests: real programs, a real MariaDB, pypaimon as the reader.

LEAT_BUILD names the build folder whose programs are tested (build/ when not set).
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "deploy"))

from lab.cluster import Cluster  # noqa: E402
from lab.mariadb import MariaDB  # noqa: E402


@pytest.fixture(scope="session")
def build() -> Path:
    return Path(os.environ.get("LEAT_BUILD", ROOT / "build")).resolve()


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    server = MariaDB(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.clean()


@pytest.fixture
def cluster(build: Path, tmp_path: Path) -> Iterator[Cluster]:
    """Two task managers of eight slots, and a warehouse for ${WAREHOUSE}. One that does not end fails the test."""
    made = Cluster(build, tmp_path / "cluster", {"WAREHOUSE": f"file:{tmp_path}/house"})
    try:
        made.start()
        yield made
    finally:
        assert not made.stop()
