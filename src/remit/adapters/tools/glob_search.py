"""glob_search: files by name."""

from __future__ import annotations

from typing import Any, Final

from remit.adapters.tools._text import some, tidy
from remit.core.globs import compile_glob
from remit.core.needs import fs_read
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context

_MAX_SHOWN: Final = 1000


@tool(
    effect="read",
    returns="untrusted",
    builtin=True,
    verbs=("fs.read",),
    needs=lambda path=".", **_: (fs_read(tidy(path)),),
)
def glob_search(ctx: Context[Any], pattern: str, path: str = ".", limit: int = 500) -> str:
    """Find files whose path fits a glob; `.git`, links and files that may not be read are left out.

    Args:
        pattern: for example *.py (this folder), **/*.py (any depth), src/**/test_*; relative to `path`
        path: folder to search, relative to the workspace
        limit: most results, up to 1,000
    """
    if not 1 <= limit <= _MAX_SHOWN:
        raise Invalid("value_invalid", f"limit is 1 to {_MAX_SHOWN}")
    try:
        fits = compile_glob(pattern)
    except Invalid as e:
        raise Invalid("value_invalid", e.message, hint=e.hint) from None
    folder = tidy(path)
    skip = 0 if folder == "." else len(folder) + 1
    found: list[str] = []
    unread: list[str] = []
    total = 0
    for entry in ctx.files.walk(path):
        if entry.kind == "cut":
            unread.append(entry.path or ".")
        elif fits.fullmatch(entry.path[skip:]):
            total += 1
            if total <= limit:
                found.append(entry.path)
    if total > limit:
        found.append(f"[cut: {limit} of {total} files shown]")
    if unread:
        found.append(f"[not searched: {some(unread)}]")
    return "\n".join(found) or "[no file fits]"
