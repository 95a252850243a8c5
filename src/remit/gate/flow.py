"""Block 3, flow: what untrusted data in the context may lead to.

Rule: once anything untrusted (a file, a program's output, a web page) is in the context, the model
may have been taken over by it. HTTP calls and the user's own tools that are not declared `read`
then ask a person. Model calls, writes under a granted root and sandboxed programs without network
do not ask: they cannot send anything out; their results keep the joined label.
"""

from __future__ import annotations

from remit.core.effects import Ask, Need
from remit.core.labels import Label


def check_tool(label: Label, name: str, *, own: bool, effect: str, needs: tuple[Need, ...]) -> Ask | None:
    """Whether a person must look at this call first."""
    if not label.untrusted:
        return None
    sources = ", ".join(label.sources[:4]) or "untrusted data"
    if any(need.verb == "net" for need in needs):
        return Ask(f"{name} would send a request while the context holds data of {sources}. Allow it?")
    if own and effect != "read":
        return Ask(f"{name} ({effect}) would run while the context holds data of {sources}. Allow it?")
    return None
