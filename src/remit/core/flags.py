"""Enable flags: a fallback for a root that was given no grants, and what each of them stands for.

Idea: a flag is never looked at when an effect is checked. `explicit` turns a root that flags govern into a remit with
ordinary grants before anything is handed down, so a child's narrow list narrows it like any other.

Invariant: only a root without grants is turned; its denials stay; a remit with grants, or one that was handed down,
comes back as it was. Source: spec/security.md 1, the enable-flag map.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import structs

from remit.core.grants import parse_grant
from remit.core.remit import Remit
from remit.errors import Invalid

_ONE_TO_ONE: Final = (
    "web_search", "browser", "browser_open", "http_request", "web_fetch", "url_check", "agents_ipc", "html_extract",
    "pushover", "code_interpreter", "agent_manage",
)  # fmt: skip
FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "write_file": ("tool:write_file", "fs.write:**"),
    "git": ("tool:git", "shell:git"),
    "cron": ("tool:cron_*", "tool:schedule"),
    "autopilot": ("tool:proposal_*", "tool:mission_*", "tool:trigger_fire"),
    "mcp": ("tool:mcp__*",),
    "self_config": ("tool:config_manage", "tool:skill_manage"),
    "wasm_plugins": ("tool:wasm_*",),
    "domain_tools": ("tool:domain_*",),
    "dynamic_tools": ("tool:tool_create",),
    "a2a": ("tool:a2a",),
    **{name: (f"tool:{name}",) for name in _ONE_TO_ONE},
}
"""flag -> grants; a tool that reads files or sends requests needs the grants of those verbs as well"""


def explicit(remit: Remit, flags: Iterable[str]) -> Remit:
    """The root `remit`, with the grants of its flags where it names none; raises config_invalid for an unknown flag."""
    texts: list[str] = []
    for flag in flags:
        if flag not in FLAGS:
            raise Invalid("config_invalid", f"{flag!r:.60} is no flag; they are {', '.join(sorted(FLAGS))}")
        texts += FLAGS[flag]
    if not remit.unset or len(remit.layers) != 1:
        return remit
    grants = tuple(parse_grant(text) for text in texts)
    return structs.replace(remit, layers=(structs.replace(remit.layers[0], grants=grants),))
