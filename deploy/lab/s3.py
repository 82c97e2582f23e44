"""A private S3 server (tests/services/s3) in a folder of its own."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from lab.cluster import ROOT, LabError

SCRIPT = ROOT / "tests/services/s3"


@dataclass
class S3:
    folder: Path
    bucket: str = ""
    environment: dict[str, str] = field(default_factory=dict)  # what a client needs: endpoint, keys, region

    def service(self, verb: str) -> str:
        done = subprocess.run(
            [str(SCRIPT), verb, str(self.folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise LabError(f"s3 {verb}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def start(self) -> None:
        pairs = [line.split("=", 1) for line in self.service("start").splitlines() if line.split("=")[0].isupper()]
        told = dict(pairs)
        self.bucket = told["S3_BUCKET"]
        self.environment = {key: value for key, value in told.items() if key.startswith("AWS_")}
        self.environment["AWS_ENDPOINT_URL"] = told["S3_ENDPOINT"]

    def local(self, path: str) -> Path:
        """Where the server keeps s3://bucket/path: its objects are plain files."""
        return self.folder / "data" / self.bucket / path

    def clean(self) -> None:
        if self.folder.exists():
            self.service("clean")
