"""Rewrite the generated pages and the README's recorded output: python tests/docs/regenerate.py

With a file that holds what `make test` printed, the README's closing lines of it are rewritten too:
`make test > FILE; python tests/docs/regenerate.py FILE`.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]

from docs import generated  # noqa: E402  the two folders must be importable first


def main() -> int:
    """Write what differs, and name it."""
    for path, text in generated.pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.name}")
    outputs = {"make demo": generated.demo_output()}
    if sys.argv[1:]:
        outputs["make test"] = generated.closing_lines(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for command, output in outputs.items():
        generated.README.write_text(generated.readme_with(command, output), encoding="utf-8")
        print(f"wrote the output of {command} in README.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
