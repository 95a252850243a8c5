"""Rendering: what reaches a terminal or a pipe. Nothing else in this room writes to stdout or stderr.

What models, tools and files say is hostile: control characters, escape sequences and direction marks
are shown as visible text, never sent (a terminal would obey them). JSON is escaped the same way.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from remit.errors import RemitError

# C0 without tab and newline, DEL, C1 (0x9b alone is a control sequence introducer), direction marks (UAX 9), line ends.
_UNSAFE: Final = (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F),
                  *range(0x2066, 0x206A), 0xFEFF)  # fmt: skip
_VISIBLE: Final = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _UNSAFE}
_IN_JSON: Final = re.compile("[" + "".join(re.escape(chr(code)) for code in _UNSAFE if code > 0x1F) + "]")
_STYLES: Final = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}


def clean(text: str) -> str:
    """`text` with everything that a terminal would obey made visible; newlines and tabs stay."""
    return text.translate(_VISIBLE)


def one_line(text: str, width: int = 200) -> str:
    """`text` in one line of at most `width` characters; what is cut is marked."""
    flat = clean(" ".join(text[: width * 8].split()))
    return flat if len(flat) <= width and len(text) <= width * 8 else flat[: width - 1] + "…"


def data(text: str) -> None:
    """A line of data to stdout."""
    _write(sys.stdout, clean(text) + "\n")


def json_line(value: Any) -> None:
    """One JSON value as a line of stdout, at once (whoever follows a run reads line by line)."""
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    text = _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", raw.decode())
    _write(sys.stdout, text + "\n")
    sys.stdout.flush()


def say(text: str, style: str = "") -> None:
    """A line for people, to stderr; never fails a command."""
    line = clean(text)
    if style and colour():
        line = f"\x1b[{_STYLES[style]}m{line}\x1b[0m"
    try:
        _write(sys.stderr, line + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody reads stderr; the data on stdout still counts


def say_error(error: RemitError) -> None:
    """An error and its hint, as every verb shows them."""
    say(f"error {error.code}: {error.message}", "red")
    say(f"hint: {error.hint}")


def colour() -> bool:
    """Whether stderr takes colours. Source: no-color.org (NO_COLOR set and not empty)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")


def interactive() -> bool:
    """Whether somebody can be asked: stdin and stderr are both a terminal."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False  # closed, or there is none


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns to stdout, padded; the last one is not."""
    lines = [header, *([one_line(cell, 100) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line[:-1], widths[:-1], strict=True)]
        data("  ".join([*cells, line[-1]]).rstrip())


def money(nano: int | None) -> str:
    """Dollars of nano-dollars, for people."""
    return "unknown cost" if nano is None else f"${nano / 1e9:.6f}"


def _write(stream: Any, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # a terminal that is not UTF-8 gets escapes
        stream.write(text.encode("ascii", "backslashreplace").decode())
