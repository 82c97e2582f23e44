"""The shim's control file: makes disk, descriptors and clock of Leat's processes fail (shim.c)."""

import mmap
import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

LAYOUT = struct.Struct("iiqQ")
SOURCE = Path(__file__).with_name("shim.c")
JOB_MANAGER, TASK_MANAGERS = 0, 1
ROLES = (JOB_MANAGER, TASK_MANAGERS)


def compile_shim(build: Path) -> Path:
    library = build / "faults-shim.so"
    if not library.exists() or library.stat().st_mtime < SOURCE.stat().st_mtime:
        made = library.with_suffix(f".{os.getpid()}")
        flags = ["-std=c17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden"]
        subprocess.run(["cc", *flags, "-o", str(made), str(SOURCE)], check=True)
        made.rename(library)
    return library


@dataclass
class Shim:
    """`below` is the folder whose files fail, but for those in `spared`."""

    library: Path
    control: Path
    below: Path
    spared: Path

    def __post_init__(self) -> None:
        self.control.write_bytes(bytes(2 * LAYOUT.size))
        with self.control.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 2 * LAYOUT.size)

    def environment(self) -> dict[str, str]:
        # The sanitizer's library is not the first one any more, which it otherwise complains of.
        asan = os.environ.get("ASAN_OPTIONS", "")
        return {
            "LD_PRELOAD": str(self.library),
            "LEAT_FAULTS": str(self.control),
            "LEAT_FAULTS_BELOW": str(self.below),
            "LEAT_FAULTS_NOT_BELOW": str(self.spared),
            "ASAN_OPTIONS": f"{asan}:verify_asan_link_order=0".lstrip(":"),
        }

    def change(self, role: int, at: int, value: int) -> None:
        fields = list(LAYOUT.unpack_from(self.memory, role * LAYOUT.size))
        fields[at] = value
        LAYOUT.pack_into(self.memory, role * LAYOUT.size, *fields)

    def fail_writes(self, errno_value: int, roles: tuple[int, ...] = ROLES) -> None:
        for role in roles:
            self.change(role, 0, errno_value)

    def fail_descriptors(self, errno_value: int, roles: tuple[int, ...] = ROLES) -> None:
        for role in roles:
            self.change(role, 1, errno_value)

    def move_clock(self, seconds: int) -> None:
        for role in ROLES:
            self.change(role, 2, seconds)

    def refused(self, role: int) -> int:
        """How many calls have failed."""
        return int(LAYOUT.unpack_from(self.memory, role * LAYOUT.size)[3])

    def heal(self) -> None:
        self.fail_writes(0)
        self.fail_descriptors(0)
        self.move_clock(0)
