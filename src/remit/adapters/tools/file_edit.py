"""file_edit: replace an exact piece of a text file."""

from __future__ import annotations

from typing import Any, Final

from remit.adapters.tools._text import tidy
from remit.core.needs import fs_read, fs_write
from remit.core.tools import tool
from remit.errors import Invalid, RemitError
from remit.ports.tool import Context

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_SHOWN_PLACES: Final = 5


def _reconcile(ctx: Context[Any], path: str, old: str, new: str, **_: Any) -> str:
    """After a crash: done when the old text is gone and the new one there, not done when it is the other way round."""
    try:
        text = _load(ctx, path)
    except RemitError:
        return "unknown"
    old, new = _as_in(text, old), _as_in(text, new)
    has_old, has_new = old in text, new in text
    if has_old and not has_new:
        return "not-done"
    if has_new and not has_old:
        return "done"
    return "unknown"


@tool(
    effect="write",
    returns="system",
    builtin=True,
    verbs=("fs.write",),
    needs=lambda path, **_: (fs_read(tidy(path)), fs_write(tidy(path))),
    reconcile=_reconcile,
)
def file_edit(ctx: Context[Any], path: str, old: str, new: str, replace_all: bool = False) -> str:
    """Replace `old` by `new` in a text file. `old` must be in the file exactly once, unless replace_all.

    Args:
        path: file, relative to the workspace
        old: exact text, with its whitespace; several lines give a unique place
        new: text that takes its place
        replace_all: replace every place instead of one
    """
    if not old:
        raise Invalid("value_invalid", "old is empty", hint="Create a file with write_file.")
    if old == new:
        raise Invalid("value_invalid", "old and new are the same text")
    text = _load(ctx, path)
    old, new = _as_in(text, old), _as_in(text, new)
    places = text.count(old)
    if places == 0:
        raise Invalid("value_invalid", f"old is not in {path}{_nearest(text, old)}")
    if places > 1 and not replace_all:
        raise Invalid(
            "value_invalid",
            f"old is {places} times in {path} (lines {_line_numbers(text, old)})",
            hint="Give more lines around it, or replace_all=true.",
        )
    data = text.replace(old, new).encode()
    if len(data) > MAX_FILE_BYTES:
        raise Invalid("value_invalid", f"{path} would grow to {len(data)} bytes; at most {MAX_FILE_BYTES}")
    ctx.files.write(path, data)
    times = "1 place" if places == 1 else f"{places} places"
    return f"edited {tidy(path)}: {times} replaced (line {_line_numbers(text, old)})"


def _load(ctx: Context[Any], path: str) -> str:
    data = ctx.files.read(path, 0, MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise Invalid("value_invalid", f"{path} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        raise Invalid("value_invalid", f"{path} is not UTF-8 text (byte {e.start}); it is not edited") from None


def _as_in(text: str, piece: str) -> str:
    """`piece` with the line ends of the file, where those are all CRLF and its own are not."""
    if "\r" in piece or "\n" not in piece or text.count("\n") != text.count("\r\n") or "\r\n" not in text:
        return piece
    return piece.replace("\n", "\r\n")


def _line_numbers(text: str, old: str) -> str:
    found: list[str] = []
    at = text.find(old)
    while at >= 0 and len(found) < _SHOWN_PLACES:
        found.append(str(text.count("\n", 0, at) + 1))
        at = text.find(old, at + len(old))
    return ", ".join(found) + (", ..." if at >= 0 else "")


def _nearest(text: str, old: str) -> str:
    """Where the first line of `old` would fit if whitespace did not count."""
    wanted = next((line.split() for line in old.splitlines() if line.strip()), [])
    for number, line in enumerate(text.splitlines(), 1):
        if wanted and line.split() == wanted:
            return f"; line {number} differs from its first line only in whitespace or in what follows"
    return ""
