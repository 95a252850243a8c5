"""The built-in tools: one a file. The folder is the registry; a tool is imported when it is first asked for."""

from __future__ import annotations

import importlib
import os
from typing import Final

from remit.core.tools import Tool
from remit.errors import Invalid

# Former name -> name. Source: spec/tools.md 5; the arguments are those of the new name.
ALIASES: Final[dict[str, str]] = {
    "agents_ipc": "agent_message",
    "base64": "encode_decode",
    "current_time": "datetime",
    "date_calculator": "datetime",
    "delegate_to_agent": "delegate",
    "file_read": "read_file",
    "file_write": "write_file",
    "git_operations": "git",
    "http_fetch": "web_fetch",
    "list_available_agents": "agent_list",
    "parse_date": "datetime",
    "url_encode": "encode_decode",
}


def names() -> tuple[str, ...]:
    """Names of all built-in tools, sorted: the public files of this folder."""
    found = {file.partition(".")[0] for file in os.listdir(__path__[0]) if file.endswith((".py", ".pyc"))}
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load(name: str) -> Tool:
    """The tool called `name`, or formerly called so.

    Raises:
        Invalid: tool_unknown, with the nearest names.
    """
    known = names()
    current = ALIASES.get(name, name)
    if current not in known:
        # Only now: difflib costs an import that no successful call needs.
        from difflib import get_close_matches

        near = get_close_matches(name[:64], [*known, *ALIASES], n=3, cutoff=0.5)
        said = f"; did you mean {' or '.join(dict.fromkeys(ALIASES.get(n, n) for n in near))}?" if near else ""
        raise Invalid(
            "tool_unknown", f"there is no built-in tool {name[:64]!r}{said}", hint=f"Tools: {', '.join(known)}"
        )
    found = getattr(importlib.import_module(f"{__name__}.{current}"), current, None)
    if not isinstance(found, Tool):
        raise Invalid("tool_unknown", f"the file of the built-in tool {current!r} defines no tool of that name")
    return found
