"""content_search: lines of files that match a regular expression."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from remit.adapters.tools._text import is_binary, some, tidy
from remit.core.globs import compile_glob
from remit.core.linear_regex import Bounded, compile_bounded
from remit.core.needs import fs_read
from remit.core.tools import tool
from remit.errors import Exhausted, Invalid, RemitError
from remit.ports.tool import Context, FileInfo

_COMPILED: Final = (".pyc", ".so", ".o", ".a", ".class", ".dll", ".exe")  # half the files of a built tree
_MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_MAX_RESULTS: Final = 1000
_MAX_LINE_CHARS: Final = 400  # of a shown line
_MAX_OUTPUT_CHARS: Final = 60_000
_TURN: Final = threading.Lock()
_TURN_S: Final = 0.25
"""Two searches at once only fight for the interpreter (a third slower, measured), so a short one waits its turn; behind
a long one it waits no longer than this."""
SEARCH_S: Final = 15.0  # half of the default deadline of a tool, so that the partial result still arrives


class _Search(Struct):
    """What was found, and what was not looked at and why."""

    wanted: Bounded
    limit: int
    until: float
    lines: list[str] = []
    chars: int = 0
    files: int = 0
    large: list[str] = []
    binary: int = 0
    unread: list[str] = []
    costly: list[str] = []
    stopped: str = ""

    def add(self, path: str, number: int, line: str) -> None:
        text = line if len(line) <= _MAX_LINE_CHARS else f"{line[:_MAX_LINE_CHARS]} [line cut]"
        entry = f"{path}:{number}: {text}"
        self.lines.append(entry)
        self.chars += len(entry)
        if len(self.lines) >= self.limit or self.chars >= _MAX_OUTPUT_CHARS:
            self.stopped = f"stopped after {len(self.lines)} lines; there may be more"

    def over(self, place: str) -> bool:
        """Whether the search ends at this place."""
        if not self.stopped and time.monotonic() > self.until:
            self.stopped = f"stopped after {SEARCH_S:g} s at {place}"
        return bool(self.stopped)

    def report(self) -> str:
        lines = self.lines or [f"[no match in {self.files} files]"]
        gaps = [
            self.stopped,
            self.large and f"larger than 4 MiB: {some(self.large)}",
            self.binary and f"{self.binary} binary files",
            self.unread and f"could not be read: {some(self.unread)}",
            self.costly and f"lines too costly for this pattern: {some(self.costly)}",
        ]
        said = "; ".join(str(gap) for gap in gaps if gap)
        return "\n".join([*lines, f"[not searched: {said}]"] if said else lines)


@tool(
    effect="read",
    returns="untrusted",
    builtin=True,
    verbs=("fs.read",),
    needs=lambda path=".", **_: (fs_read(tidy(path)),),
)
def content_search(
    ctx: Context[Any],
    pattern: str,
    path: str = ".",
    glob: str = "**",
    ignore_case: bool = False,
    limit: int = 200,
) -> str:
    """Search the lines of text files by regular expression; each result is `path:line: text`.

    `.git`, links, binary files and files that may not be read are left out; what was not searched is said.

    Args:
        pattern: Python regular expression, matched within each line
        path: file or folder to search, relative to the workspace
        glob: only files whose path below `path` fits, for example **/*.py
        ignore_case: letters match in either case
        limit: most results, up to 1,000
    """
    if not 1 <= limit <= _MAX_RESULTS:
        raise Invalid("value_invalid", f"limit is 1 to {_MAX_RESULTS}")
    wanted = compile_bounded(pattern, re.IGNORECASE if ignore_case else 0)
    try:
        fits = compile_glob(glob)
    except Invalid as e:
        raise Invalid("value_invalid", e.message, hint=e.hint) from None
    folder = tidy(path)
    skip = 0 if folder == "." else len(folder) + 1
    alone = _TURN.acquire(timeout=_TURN_S)
    try:
        search = _Search(wanted, limit, time.monotonic() + SEARCH_S)
        info = ctx.files.info(path)
        if info is not None and info.kind == "file":
            _search_file(ctx, info, search)
        else:
            inside = (e for e in ctx.files.walk(path) if e.kind == "cut" or fits.fullmatch(e.path[skip:]))
            _search_files(ctx, inside, search)
        return search.report()
    finally:
        if alone:
            _TURN.release()


def _search_files(ctx: Context[Any], entries: Iterator[FileInfo], search: _Search) -> None:
    for entry in entries:
        if entry.kind == "cut":
            search.unread.append(entry.path or ".")
        else:
            _search_file(ctx, entry, search)
        if search.over(entry.path):
            return


def _text_of(ctx: Context[Any], entry: FileInfo, search: _Search) -> str | None:
    """The text of a file; None where it is not searched, which is then noted."""
    if entry.path.endswith(_COMPILED):
        search.binary += 1
        return None
    if entry.size_bytes > _MAX_FILE_BYTES:
        search.large.append(entry.path)
        return None
    try:
        data = ctx.files.read(entry.path, 0, _MAX_FILE_BYTES)
    except RemitError as e:
        if e.code == "revoked":
            raise
        search.unread.append(entry.path)
        return None
    if is_binary(data):
        search.binary += 1
        return None
    search.files += 1
    return data.decode(errors="replace")


def _search_file(ctx: Context[Any], entry: FileInfo, search: _Search) -> None:
    wanted = search.wanted
    text = _text_of(ctx, entry, search)
    if text is None or wanted.absent_from(text):
        return
    for number, line in enumerate(text.split("\n"), 1):
        try:
            hit = None if wanted.lacks(line) else wanted.search(line.removesuffix("\r"))
        except Exhausted:
            search.costly.append(f"{entry.path}:{number}")
            hit = None
        if hit is not None:
            search.add(entry.path, number, line.removesuffix("\r"))
        # One line is bounded in work, so looking at the clock between lines bounds the whole.
        if search.over(f"{entry.path}:{number}"):
            return
