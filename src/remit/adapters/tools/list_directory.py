"""list_directory: the entries of one folder."""

from __future__ import annotations

from typing import Any, Final

from remit.adapters.tools._text import tidy
from remit.core.needs import fs_read
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context, FileInfo

_MAX_SHOWN: Final = 1000


@tool(
    effect="read",
    returns="untrusted",
    builtin=True,
    verbs=("fs.read",),
    needs=lambda path=".", **_: (fs_read(tidy(path)),),
)
def list_directory(ctx: Context[Any], path: str = ".", offset: int = 0) -> str:
    """List a folder, one entry a line: folders end in /, links in @, files show their size in bytes.

    Entries that may not be read are left out; at most 1,000 a call.

    Args:
        path: folder, relative to the workspace
        offset: entries to skip
    """
    if offset < 0:
        raise Invalid("value_invalid", "offset is 0 or more")
    entries = ctx.files.list(path)
    shown = entries[offset : offset + _MAX_SHOWN]
    lines = [_line(entry) for entry in shown]
    last = offset + len(shown)
    if last < len(entries):
        lines.append(f"[cut: entries {offset + 1}-{last} of {len(entries)} shown; go on with offset={last}]")
    return "\n".join(lines) or ("[empty]" if not entries else f"[no more: the folder has {len(entries)} entries]")


def _line(entry: FileInfo) -> str:
    name = entry.path.rpartition("/")[2]
    match entry.kind:
        case "dir":
            return f"{name}/"
        case "link":
            return f"{name}@ (link, not followed)"
        case "file":
            return f"{name}  {entry.size_bytes}"
        case _:
            return f"{name}  (not a file)"
