"""What ./dev lint checks: clang-format, the order of folders, sizes of files and functions, words, ruff; "deep" adds
clang-tidy and mypy.

Prints a line for each finding and one for each check; exit status 1 when there was a finding.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# ARCHITECTURE.md: a folder may include from itself and from those below it in this list.
FOLDERS = [
    "cli",
    "web",
    "jobmanager",
    "taskmanager",
    "sql",
    "connectors",
    "paimon",
    "formats",
    "operators",
    "flow",
    "columnar",
    "storage",
    "proto",
    "common",
]
# Above each other in the list, and yet strangers: two programs that speak by messages alone.
STRANGERS = {("jobmanager", "taskmanager")}
# Their clients are above everything.
FREE = {"tests", "bench"}

# An independent reader of tables, kept as it came.
FOREIGN = ROOT / "tests/paimon_check"

LINES_MAX = 600
FUNCTION_LINES_MAX = 70
SHOWN_MAX = 40  # lines of a check's findings
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
TODO = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")


def sources(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    paths = [ROOT / name for name in listed if name]
    return [path for path in paths if path.is_file() and FOREIGN not in path.parents]


def included_wrongly(from_folder: str, to_folder: str) -> bool:
    if from_folder in FREE or to_folder not in FOLDERS or from_folder not in FOLDERS:
        return False
    if (from_folder, to_folder) in STRANGERS:
        return True
    return FOLDERS.index(to_folder) < FOLDERS.index(from_folder)


def check_folders() -> list[str]:
    found = []
    for path in sources("*.c", "*.h", "*.cc", "*.y", "*.l"):
        name = path.relative_to(ROOT)
        for number, line in enumerate(path.read_text().split("\n"), 1):
            match = INCLUDE.match(line)
            if match and "/" in match[1] and included_wrongly(name.parts[0], match[1].split("/")[0]):
                found.append(f"{name}:{number}: {name.parts[0]}/ must not include {match[1]}")
    return found


def check_sizes() -> list[str]:
    found = []
    for path in sources("*.c", "*.h", "*.cc", "*.py"):
        name = path.relative_to(ROOT)
        lines = path.read_text().split("\n")
        if len(lines) > LINES_MAX:
            found.append(f"{name}: {len(lines)} lines; more than {LINES_MAX} want to be two files")
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{" and path.suffix != ".py":
                start = number
            elif line.startswith("}") and start is not None:
                if number - start > FUNCTION_LINES_MAX:
                    found.append(f"{name}:{start}: a function of {number - start} lines; at most {FUNCTION_LINES_MAX}")
                start = None
    return found


def check_words() -> list[str]:
    found = []
    for path in sources("*.c", "*.h", "*.cc", "*.py", "*.md", "*.sql", "*.y", "*.l", "*.inc", "*.proto"):
        if path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text().split("\n"), 1):
            if TODO.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: names no issue: {line.strip()}")
    return found


def check_format() -> list[str]:
    names = [str(path) for path in sources("*.c", "*.h", "*.cc")]
    done = subprocess.run(["clang-format-14", "--dry-run", *names], cwd=ROOT, capture_output=True, text=True)
    places = {line.split(": warning:")[0] for line in done.stderr.split("\n") if ": warning:" in line}
    first: dict[str, str] = {}
    for place in sorted(places):
        first.setdefault(place.rsplit(":", 2)[0], place)
    return [f"{os.path.relpath(place, ROOT)}: not formatted (./dev format)" for place in first.values()]


def run_tool(command: list[str]) -> list[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).strip().split("\n")


def check_python() -> list[str]:
    return run_tool(["ruff", "check", "--quiet", "--output-format", "concise", "."])


def check_documents() -> list[str]:
    return run_tool([sys.executable, "deploy/docs.py", "--check"])


def check_mutants() -> list[str]:
    return run_tool([sys.executable, "tests/sim/mutants.py", "--check"])


def check_mypy() -> list[str]:
    return run_tool(
        [
            "mypy",
            "--ignore-missing-imports",
            "--no-error-summary",
            "deploy",
            "bench",
            "tests/lint",
            "tests/integration",
            "tests/faults",
            "tests/sim",
        ]
    )


def check_tidy() -> list[str]:
    database = ROOT / "build-asan" / "compile_commands.json"
    if not database.exists():
        return ["there is no build-asan/ to read compile commands from: ./dev test unit makes it"]
    known = {(database.parent / entry["file"]).resolve() for entry in json.loads(database.read_text())}
    names = [str(path) for path in sources("*.c") if path.resolve() in known]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for found in pool.map(partial(tidy_one, str(database.parent)), names) for line in found]


def tidy_one(folder: str, name: str) -> list[str]:
    # The first: gcc's options, which clang does not know. The second: see common/error.h.
    extra = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-unused-value"]
    done = subprocess.run(
        ["clang-tidy-14", "--quiet", *extra, "-p", folder, name], cwd=ROOT, capture_output=True, text=True
    )
    found = [line for line in done.stdout.split("\n") if " error: " in line]
    return found or ([f"{name}: clang-tidy ended with status {done.returncode}"] if done.returncode else [])


CHECKS = {
    "format": check_format,
    "folders": check_folders,
    "sizes": check_sizes,
    "words": check_words,
    "documents": check_documents,
    "mutants": check_mutants,
    "python": check_python,
}
DEEP_CHECKS = {"mypy": check_mypy, "tidy": check_tidy}


def main() -> int:
    checks = {**CHECKS, **(DEEP_CHECKS if "deep" in sys.argv[1:] else {})}
    failed = 0
    for name, check in checks.items():
        found = check()
        failed += bool(found)
        for line in found[:SHOWN_MAX]:
            print(f"  {line}")
        if len(found) > SHOWN_MAX:
            print(f"  … and {len(found) - SHOWN_MAX} more lines")
        print(f"{'FAILED' if found else 'ok    '} lint {name}", flush=True)
    print(f"lint: {len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
