"""Writes the documents that are made from sources: docs/configuration.md from common/options.inc.

--check writes nothing and fails when a document is not what its source makes of it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTION = re.compile(r'LEAT_OPTION\((\w+), "([^"]*)", (\w+), "([^"]*)",\s*"((?:[^"\\]|\\.)*)"\)')
TYPES = {
    "STRING": "text",
    "INT": "number",
    "DOUBLE": "number",
    "BOOL": "true or false",
    "DURATION": "duration",
    "MEMORY": "size",
}
HEAD = """# Configuration

Made from `common/options.inc` by `./dev docs`; do not edit.

Options are set, later ones winning, in `conf/leat.yaml` (flat or nested keys), with `-D key=value` on the command
line, and with `SET 'key' = 'value'` in SQL. An unknown key is kept, and warned about with the nearest known one.
Durations are `10 s`, `500 ms`, `1 min` (a bare number: milliseconds); sizes are `64 kb`, `1 gb` (a bare number: bytes).

| option | type | default | what it does |
|---|---|---|---|
"""


def configuration() -> str:
    source = re.sub(r"/\*.*?\*/", "", (ROOT / "common/options.inc").read_text(), flags=re.S)
    options = OPTION.findall(source)
    if len(options) != source.count("LEAT_OPTION("):
        sys.exit("docs: common/options.inc has an option that this tool cannot read")
    rows = []
    for _, key, kind, fallback, doc in sorted(options, key=lambda option: option[1].lower()):
        text = doc.replace("|", "\\|").replace('\\"', '"')
        rows.append(f"| `{key}` | {TYPES[kind]} | {f'`{fallback}`' if fallback else ''} | {text} |\n")
    return HEAD + "".join(rows)


def main() -> int:
    documents = {ROOT / "docs/configuration.md": configuration()}
    stale = 0
    for path, text in documents.items():
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} is not current (./dev docs)")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
