"""A proxy before a server, whose line can be made bad (tests/services/toxiproxy)."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.cluster import ROOT, LabError

SCRIPT = ROOT / "tests/services/toxiproxy"


@dataclass
class Toxiproxy:
    folder: Path

    def service(self, verb: str, *args: str) -> str:
        done = subprocess.run(
            [str(SCRIPT), verb, str(self.folder), *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise LabError(f"toxiproxy {verb}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def start(self) -> None:
        self.service("start")

    def add(self, name: str, port: int) -> int:
        """The port through which the server at this one is reached."""
        return int(self.service("add", name, str(port)))

    def toxic(self, name: str, kind: str, **attributes: int) -> None:
        self.service("toxic", name, kind, *(f"{key}={value}" for key, value in attributes.items()), "--as", kind)

    def untoxic(self, name: str, kind: str) -> None:
        self.service("untoxic", name, kind)

    def cut(self, name: str) -> None:
        self.service("cut", name)

    def heal(self, name: str) -> None:
        self.service("heal", name)

    def clean(self) -> None:
        if self.folder.exists():
            self.service("clean")
