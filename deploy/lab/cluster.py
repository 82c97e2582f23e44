"""A cluster of Leat's programs in a folder of its own, driven by the `leat` command and the REST API."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
ENDED = {"FINISHED", "FAILED", "CANCELED"}


class LabError(Exception):
    """Something did not happen; the text says what."""


def wait_until(what: str, seconds: float, is_so: Callable[[], Any], pause: float = 0.1) -> Any:
    """The first true value of is_so(); LabError when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = is_so()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


@dataclass
class Cluster:
    build: Path  # where the programs are
    folder: Path  # of this cluster: state file, logs, checkpoints
    variables: dict[str, str] = field(default_factory=dict)  # for ${NAME} in SQL files
    rest_url: str = ""
    pids: set[int] = field(default_factory=set)  # every process that was ever ours

    def command(self, *args: str) -> list[str]:
        return [str(self.build / "leat"), *args]

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables, "LEAT_DIR": str(self.folder)}

    def leat(self, *args: str, timeout: float = 120, check: bool = True, text: str | None = None) -> str:
        """Runs `leat`; its standard output. LabError with what it said when it fails."""
        done = subprocess.run(
            self.command(*args),
            env=self.environment(),
            input=text,
            stdin=None if text is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            start_new_session=True,
        )
        if check and done.returncode != 0:
            words = (done.stderr or done.stdout).strip()
            raise LabError(f"leat {' '.join(args)}: exit status {done.returncode}: {words}")
        return done.stdout

    def start(self, task_managers: int = 2, slots: int = 8, *options: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.leat(
            "cluster",
            "start",
            "--task-managers",
            str(task_managers),
            "--slots",
            str(slots),
            "--rest-port",
            "0",
            *options,
        )
        self.look()

    def look(self) -> list[dict[str, Any]]:
        """The processes as `leat cluster status --json` tells them, also when the job manager has ended."""
        status = json.loads(self.leat("cluster", "status", "--json", check=False) or "{}")
        if not status:
            raise LabError(f"there is no cluster in {self.folder}")
        self.rest_url = status["rest"].rstrip("/")
        self.pids |= {process["pid"] for process in status["processes"]}
        return status["processes"]

    def task_managers(self) -> list[int]:
        return [
            process["pid"] for process in self.look() if process["role"] == "taskmanager" and is_alive(process["pid"])
        ]

    def add_task_manager(self) -> None:
        self.leat("cluster", "add-taskmanager")
        self.look()

    def kill_task_manager(self, index: int = 0) -> int:
        pid = self.task_managers()[index]
        os.kill(pid, signal.SIGKILL)
        return pid

    def job_manager(self) -> int:
        return int(next(process["pid"] for process in self.look() if process["role"] == "jobmanager"))

    def kill_job_manager(self) -> None:
        pid = self.job_manager()
        os.kill(pid, signal.SIGKILL)
        wait_until("the job manager has ended", 5, lambda: not is_alive(pid), 0.01)

    def start_again(self) -> None:
        """The job manager comes back where the task managers look for it; or all of it, after stop()."""
        self.leat("cluster", "start", "--rest-port", "0")
        self.look()

    def stop(self) -> list[int]:
        """Stops all; kills what does not end. Returns the processes that had to be killed."""
        if (self.build / "leat").exists() and self.folder.exists():
            try:
                self.leat("cluster", "stop", timeout=30, check=False)
            except (LabError, subprocess.TimeoutExpired):
                pass
        stubborn = []
        end = time.monotonic() + 5
        for pid in self.pids:
            while is_alive(pid) and time.monotonic() < end:
                time.sleep(0.05)
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
                stubborn.append(pid)
        return stubborn

    def rest(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self.rest_url + path, timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.URLError, json.JSONDecodeError) as error:
            raise LabError(f"{self.rest_url}{path}: {error}") from error

    def jobs(self) -> list[dict[str, Any]]:
        return self.rest("/jobs/overview")["jobs"]

    def job(self, name: str) -> dict[str, Any]:
        """The newest job of this name."""
        found = [job for job in self.jobs() if job["name"] == name]
        if not found:
            raise LabError(f"there is no job '{name}'; there are: {', '.join(job['name'] for job in self.jobs())}")
        return max(found, key=lambda job: job["start-time"])

    def job_state(self, job_id: str) -> str:
        return self.rest(f"/jobs/{job_id}")["state"]

    def wait_for_state(self, job_id: str, wanted: str, seconds: float) -> None:
        def is_there() -> bool:
            state = self.job_state(job_id)
            if state in ENDED and state != wanted:
                cause = self.rest(f"/jobs/{job_id}/exceptions").get("root-exception", "")
                raise LabError(f"job {job_id} is {state}, not {wanted}: {cause}")
            return state == wanted

        wait_until(f"job {job_id} {wanted}", seconds, is_there)

    def all_tasks_run(self, job_id: str) -> bool:
        job = self.rest(f"/jobs/{job_id}")
        if job["state"] in ENDED:
            raise LabError(f"job {job['name']} is {job['state']}")
        return job["state"] == "RUNNING" and all(vertex["status"] == "RUNNING" for vertex in job["vertices"])

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        return self.rest(f"/jobs/{job_id}/checkpoints")

    def cancel(self, job_id: str) -> None:
        self.leat("cancel", job_id)
        self.wait_for_state(job_id, "CANCELED", 60)
