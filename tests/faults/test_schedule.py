"""The CI share: one schedule on files, one on S3. `./dev soak` runs more of them, and longer."""

from pathlib import Path

import pytest

from faults.run import run

FAULTS = 8


@pytest.mark.parametrize(("seed", "is_on_s3"), [(1, False), (2, True)])
def test_every_order_is_counted_once_and_clients_are_the_servers(
    build: Path, tmp_path: Path, seed: int, is_on_s3: bool
) -> None:
    outcome = run(build, tmp_path, print, seed=seed, faults_count=FAULTS, is_on_s3=is_on_s3)
    assert outcome.trouble == []
