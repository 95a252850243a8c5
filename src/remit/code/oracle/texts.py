"""Output of programs as lines: without colours, bounded; and paths as the project sees them."""

from __future__ import annotations

import re
from typing import Final

MAX_OUTPUT_CHARS: Final = 32 * 1024 * 1024
MAX_LINE_CHARS: Final = 4_000  # patterns may take the square of it
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)")
_FOREIGN: Final = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|\.cargo|rustlib|rustc|pkg/mod|lib/go[^/]*|lib/python[\d.]+)/"
)


def lines_of(text: str) -> list[str]:
    """Lines without colours and line ends; of a giant output its first and last half."""
    if len(text) > MAX_OUTPUT_CHARS:
        text = text[: MAX_OUTPUT_CHARS // 2] + "\n" + text[-MAX_OUTPUT_CHARS // 2 :]
    return [line[:MAX_LINE_CHARS].rstrip("\r") for line in _COLOUR.sub("", text).split("\n")]


def own_path(path: str, root: str = "") -> str | None:
    """The path relative to the project; None when it is not the project's own code."""
    path = path.strip().removeprefix("file://")
    if not path or path.startswith(("<", "node:", "internal/", "../")) or _FOREIGN.search(path):
        return None
    if root and path.startswith(root.rstrip("/") + "/"):
        return path[len(root.rstrip("/")) + 1 :]
    if path.startswith("/"):
        return None if root else path
    return path.removeprefix("./")


def number(text: str | None) -> int | None:
    """A printed number; None when there is none."""
    return int(text) if text is not None and text.isdigit() and len(text) < 10 else None
