"""A private MariaDB server (tests/services/mariadb) in a folder of its own."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.cluster import ROOT, LabError

SCRIPT = ROOT / "tests/services/mariadb"


@dataclass
class MariaDB:
    folder: Path
    port: int = 0
    is_durable: bool = False  # what was committed outlives a kill

    def service(self, verb: str, *args: str, text: str | None = None) -> str:
        done = subprocess.run(
            [str(SCRIPT), verb, str(self.folder), *args],
            env={**os.environ, "DURABLE": str(int(self.is_durable))},
            input=text,
            stdin=None if text is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise LabError(f"mariadb {verb}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def start(self, *options: str) -> None:
        for line in self.service("start", *options).splitlines():
            if line.startswith("MYSQL_PORT="):
                self.port = int(line.removeprefix("MYSQL_PORT="))

    def sql(self, text: str) -> list[list[str]]:
        """Runs statements as root; the rows of their results, as texts."""
        answer = self.service("sql", "--batch", "--skip-column-names", text=text)
        return [line.split("\t") for line in answer.splitlines()]

    def clean(self) -> None:
        if self.folder.exists():
            self.service("clean")
