"""Reads what a test tool left behind and prints lines "passed failed name" for tests/run.sh: one a file of tests.

report.py meson BUILD-FOLDER | junit FILE.xml | lint FILE.txt. A skipped test counts as failed.
The last words of each test that failed go to stderr: what they say must be readable at the end of a long log.
"""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

CMOCKA_PASSED = re.compile(r"^\[ {2}PASSED {2}\] (\d+) test", re.M)
CMOCKA_FAILED = re.compile(r"^\[ {2}(?:FAILED|SKIPPED) {1,2}\] (\d+) test", re.M)
CMOCKA_GOOD = re.compile(r"^\[( RUN      |       OK )\]")
LAST_LINES = 12


def tell(name: str, output: str) -> None:
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and not CMOCKA_GOOD.match(line)]
    print(f"── {name}", *lines[-LAST_LINES:], sep="\n", file=sys.stderr)


def meson(folder: str) -> None:
    """A meson test is a program; one by cmocka says on stderr how many tests it had."""
    log = Path(folder) / "meson-logs/testlog.json"
    if not log.exists():
        print(0, 1, folder, "no test ran")
        return
    for line in log.read_text().splitlines():
        test = json.loads(line)
        output = test.get("stdout", "") + test.get("stderr", "")
        passed = sum(int(count) for count in CMOCKA_PASSED.findall(output))
        failed = sum(int(count) for count in CMOCKA_FAILED.findall(output))
        is_good = test["result"] in ("OK", "EXPECTEDFAIL")
        if not is_good:
            failed = max(failed, 1)
            tell(f"{folder} {test['name']} {test['result']}", output)
        elif passed + failed == 0:
            passed = 1
        print(passed, failed, folder, test["name"], "" if is_good else test["result"])


def junit(path: str) -> None:
    if not Path(path).exists():
        print(0, 1, Path(path).stem, "pytest wrote no report")
        return
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        files: dict[str, list[int]] = {}
        for case in suite.iter("testcase"):
            counts = files.setdefault(case.get("classname", "pytest"), [0, 0])
            bad = [part for word in ("failure", "error", "skipped") for part in case.findall(word)]
            counts[1 if bad else 0] += 1
            for part in bad:
                tell(f"{case.get('classname')} {case.get('name')}", f"{part.text or ''}\n{part.get('message', '')}")
        for name, (passed, failed) in files.items():
            print(passed, failed, Path(path).stem, name)
        if not files:
            print(0, 1, Path(path).stem, "no test ran")


def lint(path: str) -> None:
    for line in Path(path).read_text().splitlines():
        if line.startswith("ok     lint "):
            print(1, 0, line.removeprefix("ok     "))
        elif line.startswith("FAILED lint "):
            print(0, 1, line.removeprefix("FAILED "))


if __name__ == "__main__":
    {"meson": meson, "junit": junit, "lint": lint}[sys.argv[1]](sys.argv[2])
