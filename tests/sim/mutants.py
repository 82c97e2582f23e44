"""./dev mutants: deliberate bugs in production source, and the seed of the simulation that finds each.

mutants.py [--check] [--write] [--seeds N] [NAME…]

tests/sim/mutants/NAME.patch says in its first lines what is broken and which program shall find it ("breaks: …",
"scenario: sim-…"); a unified diff follows. Each is applied to a copy of the tree in build-mutants/, the simulations are
built, and the program runs from seed 1 on until it fails. A failure is a broken invariant, missing progress after
healing, or an assertion; a program that hangs has found nothing.

--check only says whether each patch still fits the sources. --write puts the table into docs/correctness.md.
Exit status 1: a patch does not fit or does not build, or a mutant was not found within the seeds.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "tests/sim/mutants"
PLACE = ROOT / "build-mutants"
TREE = PLACE / "tree"
BUILD = PLACE / "build"
RESULTS = PLACE / "results.json"
DOCUMENT = ROOT / "docs/correctness.md"
BEGIN, END = "<!-- mutants -->", "<!-- /mutants -->"

SEEDS_MAX = 5000
PIECE_SEEDS = 100
PIECE_SECONDS_MAX = 1200  # a guard: who reaches it has found nothing
MESSAGE_CHARS = 150


@dataclass
class Mutant:
    name: str
    breaks: str
    scenario: str
    diff: str


@dataclass
class Finding:
    seed: int  # 0: not found
    message: str
    seconds: float


def read_mutant(path: Path) -> Mutant:
    head, mark, diff = path.read_text().partition("\n--- a/")
    fields = dict(line.split(": ", 1) for line in head.split("\n") if ": " in line)
    if not mark or set(fields) != {"breaks", "scenario"}:
        sys.exit(f"{path}: wants the lines 'breaks: …', 'scenario: …', and a diff")
    return Mutant(path.stem, fields["breaks"], fields["scenario"], "--- a/" + diff)


def run_patch(mutant: Mutant, folder: Path, *options: str) -> str:
    """What patch complains of; empty: nothing. Lines may have moved, but what is around them must be there."""
    command = ["patch", "-p1", "--fuzz=0", "--force", "--no-backup-if-mismatch", "-r", "-", "-d", str(folder), *options]
    done = subprocess.run(command, input=mutant.diff, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{mutant.name}: {(done.stdout + done.stderr).strip()}"


def check(mutants: list[Mutant]) -> list[str]:
    return [said for mutant in mutants if (said := run_patch(mutant, ROOT, "--dry-run"))]


def copy_tree() -> None:
    """Only what differs is written, so that little is compiled anew."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for path in sorted(TREE.rglob("*")):
        if path.is_file() and str(path.relative_to(TREE)) not in names:
            path.unlink()
    for name in names:
        source, target = ROOT / name, TREE / name
        content = source.read_bytes()
        if target.exists() and target.read_bytes() == content:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        shutil.copymode(source, target)


def programs(mutants: list[Mutant]) -> list[str]:
    return [f"tests/sim/{name}" for name in sorted({mutant.scenario for mutant in mutants})]


def compile_tree(targets: list[str]) -> str:
    done = subprocess.run(["ninja", "-C", str(BUILD), "--quiet", *targets], capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-2000:]


def prepare(mutants: list[Mutant]) -> None:
    copy_tree()
    if not (BUILD / "build.ninja").exists():
        environment = dict(os.environ)
        if shutil.which("ccache"):
            environment |= {"CC": "ccache gcc", "CXX": "ccache g++"}
        options = ["-Dbuildtype=release", "-Dwerror=false", f"-Dpython={ROOT}/.venv/bin/python3"]
        command = ["meson", "setup", str(BUILD), str(TREE), *options]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    if said := compile_tree(programs(mutants)):
        sys.exit(f"the unchanged tree does not build:\n{said}")


def run_piece(program: Path, first: int, count: int) -> tuple[int, str]:
    """The seed that failed and what was said of it; 0: none did, -1: it hung."""
    command = [
        str(program),
        "--plain",
        "--jobs",
        str(os.cpu_count() or 1),
        "--first",
        str(first),
        "--seeds",
        str(count),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIECE_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return -1, "hangs, and nothing is found"
    if found := re.search(r"^seed (\d+), t = \d+ ms: broken: (.*)$", done.stdout, re.M):
        return int(found[1]), found[2]
    if found := re.search(r"^seed (\d+): the program crashed$", done.stdout, re.M):
        return int(found[1]), done.stderr.strip().split("\n")[-1] or "crash"
    return 0, ""


def hunt(mutant: Mutant, seeds: int) -> Finding:
    started = time.monotonic()
    for first in range(1, seeds + 1, PIECE_SEEDS):
        seed, said = run_piece(BUILD / "tests/sim" / mutant.scenario, first, min(PIECE_SEEDS, seeds + 1 - first))
        if seed:
            return Finding(max(seed, 0), said, time.monotonic() - started)
    return Finding(0, f"not found in {seeds} seeds", time.monotonic() - started)


def try_mutant(mutant: Mutant, seeds: int) -> Finding:
    if said := run_patch(mutant, TREE):
        return Finding(0, said, 0)
    try:
        said = compile_tree(programs([mutant]))
        return Finding(0, f"does not build: {said}", 0) if said else hunt(mutant, seeds)
    finally:
        if said := run_patch(mutant, TREE, "-R"):
            sys.exit(said)


def short(text: str) -> str:
    return text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 1] + "…"


def write_document(mutants: list[Mutant], findings: dict[str, Finding]) -> None:
    text = DOCUMENT.read_text()
    lines = ["| mutant | what is broken | found by | seed | what the simulation says |", "|---|---|---|---|---|"]
    for mutant in mutants:
        finding = findings.get(mutant.name)
        seed = str(finding.seed) if finding and finding.seed else "–"
        said = short(finding.message).replace("|", "\\|") if finding else ""
        lines.append(f"| `{mutant.name}` | {mutant.breaks} | {mutant.scenario} | {seed} | {said} |")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


def load_findings() -> dict[str, Finding]:
    if not RESULTS.exists():
        return {}
    return {name: Finding(**fields) for name, fields in json.loads(RESULTS.read_text()).items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev mutants")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--check", action="store_true", help="only whether each patch fits")
    parser.add_argument("--write", action="store_true", help="put the table into docs/correctness.md")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX)
    asked = parser.parse_args()
    known = [read_mutant(path) for path in sorted(FOLDER.glob("*.patch"))]
    mutants = [mutant for mutant in known if not asked.names or mutant.name in asked.names]
    if unknown := set(asked.names) - {mutant.name for mutant in known}:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}")
    if asked.check:
        wrong = check(mutants)
        print(*wrong, sep="\n", end="\n" if wrong else "")
        return 1 if wrong else 0
    TREE.mkdir(parents=True, exist_ok=True)
    prepare(mutants)
    findings = load_findings()
    for mutant in mutants:
        finding = findings[mutant.name] = try_mutant(mutant, asked.seeds)
        what = f"seed {finding.seed}" if finding.seed else "NOT FOUND"
        print(
            f"{what:>10}  {finding.seconds:6.1f} s  {mutant.name} ({mutant.scenario}): {short(finding.message)}",
            flush=True,
        )
        RESULTS.write_text(json.dumps({name: asdict(one) for name, one in findings.items()}, indent=1))
    if asked.write:
        write_document(known, findings)
    found = sum(findings[mutant.name].seed > 0 for mutant in mutants)
    print(f"{found} of {len(mutants)} mutants found, each within {asked.seeds} seeds")
    return 0 if found == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
