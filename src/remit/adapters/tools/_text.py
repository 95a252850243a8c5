"""What every tool does with text: show bytes as text, name a path one way, and cut with a word about it."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Final

PAGE_BYTES: Final = 64 * 1024
"""most that one read or write moves. Source: spec/security.md 4"""


# Longer than any character's number; the interpreter refuses to read numbers of thousands of digits.
_NO_CHARACTER: Final = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?")


def unescaped(text: str) -> str:
    """`text` with HTML character references resolved; impossible ones become U+FFFD."""
    return html.unescape(_NO_CHARACTER.sub("\ufffd", text))


def tidy(path: str) -> str:
    """`path` as the Files handle names it (`./a//b/` is `a/b`, `` is `.`), so that grants match what is opened.

    What the handle refuses (absolute, `..`) is left as it is: it fits no honest grant, and the handle refuses it.
    """
    if path.startswith("/"):
        return path
    return "/".join(name for name in path.split("/") if name not in ("", ".")) or "."


def clip(text: str, limit: int, advice: str = "") -> str:
    """At most `limit` characters of `text`, and a last line that says what was cut."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut: {limit} of {len(text)} characters shown{advice and '; ' + advice}]"


def decoded(data: bytes) -> tuple[str, str]:
    """Text of UTF-8 bytes, and a note where some were not UTF-8."""
    try:
        return data.decode(), ""
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        return text, "[not all of it is UTF-8: bytes that are not are shown as \ufffd]"


def is_binary(data: bytes) -> bool:
    """Whether the bytes are no text: a null byte among the first 8,192 (as git and grep decide it)."""
    return b"\0" in data[:8192]


def notes(*lines: str) -> str:
    """The given lines that are not empty, each on a line of its own, after a line break."""
    kept = [line for line in lines if line]
    return "\n" + "\n".join(kept) if kept else ""


def some(items: Sequence[str], shown: int = 5) -> str:
    """`a, b, c and 7 more`."""
    head = ", ".join(items[:shown])
    return head if len(items) <= shown else f"{head} and {len(items) - shown} more"
