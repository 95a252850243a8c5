"""`remit code plan`: a tree and a task in, a checked plan out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from remit.cli import _output
from remit.cli._code_patch import read_text
from remit.code.planner.drafting import completed, draft
from remit.code.planner.judging import markdown
from remit.code.planner.values import decode
from remit.errors import Invalid

MAX_FILES: Final = 20_000
MAX_FILE_BYTES: Final = 512 * 1024
_ENDINGS: Final = (".py", ".pyi", ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".go", ".rs", ".md", ".rst")
_SKIPPED: Final = frozenset(
    ("venv", "node_modules", "site-packages", "vendor", "target", "dist", "build", "__pycache__")
)


def show(args: Any) -> int:
    """Print the plan."""
    plan = completed(decode(read_text(args.check))) if args.check else draft(args.task, _files(args.dir))
    if args.json:
        _output.json_line(plan)
    else:
        _output.data(markdown(plan).rstrip("\n"))
    return 0


def _files(folder: str) -> dict[str, str]:
    """Source and text files below the folder: path -> text."""
    from remit.runtime import Adapters

    if not Path(folder).is_dir():
        raise Invalid("usage_invalid", f"not a folder: {folder}")
    files = Adapters().workspace(str(Path(folder).resolve())).files(lambda verb, path: True, lambda: False)
    found: dict[str, str] = {}
    for info in files.walk("."):
        if info.kind != "file" or not info.path.endswith(_ENDINGS) or info.size_bytes > MAX_FILE_BYTES:
            continue
        parts = info.path.split("/")
        if _SKIPPED.isdisjoint(parts) and not any(part.startswith(".") for part in parts):
            found[info.path] = files.read(info.path).decode("utf-8", "replace")
        if len(found) >= MAX_FILES:
            _output.say(f"only the first {MAX_FILES} files were read")
            break
    return found
