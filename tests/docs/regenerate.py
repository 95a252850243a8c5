"""Rewrite the generated pages and the README's recorded output: python tests/docs/regenerate.py"""

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
    if output := generated.demo_output().strip():
        generated.README.write_text(generated.readme_with(output + "\n"), encoding="utf-8")
        print("wrote the output in README.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
