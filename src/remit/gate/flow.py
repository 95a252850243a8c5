"""Block 3, flow: what untrusted data in the context may lead to.

Rule: once anything untrusted (a file, a program's output, a web page) is in the context, the model
may have been taken over by it. HTTP calls and the user's own tools that are not declared `read`
then ask a person. Model calls, writes under a granted root and sandboxed programs without network
do not ask: they cannot send anything out; their results keep the joined label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.core.effects import Ask
from remit.core.labels import Label

if TYPE_CHECKING:
    from remit.gate.resolve import Action


def check(action: Action, label: Label) -> Ask | None:
    """Whether a person must look at this action first, given the label of the context."""
    tool = action.tool
    if tool is None or not label.untrusted:
        return None
    sources = ", ".join(label.sources[:4]) or "untrusted data"
    if any(need.verb == "net" for need in action.needs):
        return Ask(f"{tool.name} would send a request while the context holds data of {sources}. Allow it?")
    if not tool.builtin and tool.effect != "read":
        return Ask(f"{tool.name} ({tool.effect}) would run while the context holds data of {sources}. Allow it?")
    return None
