"""Makes a C file that holds a file's bytes: embed.py INPUT OUTPUT NAME."""

import sys
from pathlib import Path


def main() -> None:
    data = Path(sys.argv[1]).read_bytes()
    name = sys.argv[3]
    lines = [",".join(str(byte) for byte in data[at : at + 32]) for at in range(0, len(data), 32)]
    Path(sys.argv[2]).write_text(
        f'#include "jobmanager/{name.removeprefix("leat_")}.h"\n\n'
        f"const unsigned char {name}[] = {{\n" + ",\n".join(lines) + f"\n}};\n"
        f"const size_t {name}_bytes = sizeof {name};\n"
    )


if __name__ == "__main__":
    main()
