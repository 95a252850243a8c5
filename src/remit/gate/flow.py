"""Block 3, flow: what untrusted data in the context may lead to.

A tool that has labels is judged value by value (guard/flow.py). For every other one the rule is the
context's: once anything untrusted (a file, a program's output, a web page) is in it, the model may have
been taken over by it. HTTP calls and the user's own tools that are not declared `read` then ask a
person. Model calls, writes under a granted root and sandboxed programs without network do not ask: they
cannot send anything out; their results keep the joined label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.core.effects import Ask, Verdict
from remit.core.labels import Label, join

if TYPE_CHECKING:
    from remit.gate.resolve import Action
    from remit.gate.scope import Scope


def check(action: Action, scope: Scope) -> Verdict:
    """Whether this action may happen, a person must look at it first, or it is refused."""
    tool, label, values = action.tool, scope.label, scope.values
    if action.flow is not None and values is not None:
        from remit.guard.flow import judge  # only runs with labels need it

        values.context = join(values.context, label)
        return judge(values, action.flow)
    if tool is None or not label.untrusted:
        return None
    sources = ", ".join(label.sources[:4]) or "untrusted data"
    if any(need.verb == "net" for need in action.needs):
        return Ask(f"{tool.name} would send a request while the context holds data of {sources}. Allow it?")
    if not tool.builtin and tool.effect != "read":
        return Ask(f"{tool.name} ({tool.effect}) would run while the context holds data of {sources}. Allow it?")
    return None


def taken(action: Action, scope: Scope, text: str) -> tuple[str, Label]:
    """A result of the world, new or replayed: what the model reads of it, and the label of that."""
    tool, values = action.tool, scope.values
    assert tool is not None
    if values is None:
        return text, join(tool.label, action.brought)
    if action.flow is None:
        return text, values.take_whole(tool.name, text, join(tool.label, action.brought))
    values.performed(action.flow)
    shown, label = values.take(action.flow, text, action.key)
    return shown, join(label, action.brought)


def failed(action: Action, scope: Scope, text: str) -> Label:
    """The label of what a labelled tool said when it failed: no field, so untrusted as a whole."""
    label = Label("untrusted", None, (f"tool:{action.name}",))
    return label if scope.values is None else scope.values.take_whole(action.name, text, label)
