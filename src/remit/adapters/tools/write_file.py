"""write_file: create, replace or extend a text file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from remit.adapters.tools._text import PAGE_BYTES, tidy
from remit.core.effects import Need
from remit.core.needs import fs_read, fs_write
from remit.core.tools import tool
from remit.errors import Invalid, RemitError
from remit.ports.tool import Context

MAX_FILE_BYTES: Final = 4 * 1024 * 1024


def _needs(path: str, append: bool = False, **_: Any) -> Sequence[Need]:
    path = tidy(path)
    # Extending a file means reading it first.
    return (fs_write(path), fs_read(path)) if append else (fs_write(path),)


def _reconcile(ctx: Context[Any], path: str, content: str, append: bool = False, **_: Any) -> str:
    """After a crash: the write happened when the file holds exactly this content."""
    if append:
        return "unknown"
    try:
        return "done" if ctx.files.read(path, 0, MAX_FILE_BYTES) == content.encode() else "not-done"
    except RemitError as e:
        # A file that is not there was not written; one that may not be read cannot be judged.
        return "not-done" if e.code == "tool_failed" else "unknown"


@tool(effect="write", returns="system", builtin=True, verbs=("fs.write",), needs=_needs, reconcile=_reconcile)
def write_file(ctx: Context[Any], path: str, content: str, append: bool = False) -> str:
    """Write a text file atomically, at most 64 KiB a call; missing folders are made.

    Args:
        path: file, relative to the workspace
        content: the whole new text (or the text to add)
        append: add to the end of an existing file instead of replacing it; for files larger than one call
    """
    try:
        data = content.encode()
    except UnicodeEncodeError:
        raise Invalid("value_invalid", "content holds half of a surrogate pair") from None
    if len(data) > PAGE_BYTES:
        raise Invalid(
            "value_invalid",
            f"content has {len(data)} bytes; one call writes at most {PAGE_BYTES}",
            hint="Write the first part, then the others with append=true.",
        )
    if not append:
        ctx.files.write(path, data)
        return f"wrote {len(data)} bytes to {tidy(path)}"
    before = b"" if ctx.files.info(path) is None else ctx.files.read(path, 0, MAX_FILE_BYTES + 1)
    if len(before) + len(data) > MAX_FILE_BYTES:
        raise Invalid("value_invalid", f"{path} would grow beyond {MAX_FILE_BYTES} bytes")
    ctx.files.write(path, before + data)
    return f"added {len(data)} bytes to {tidy(path)}; it now has {len(before) + len(data)}"
