"""Block 1, resolve: the tool or model exists, and the arguments decode against its schema.

The result is an `Action`: all that the other blocks look at. Its digest stands for the arguments
everywhere: in the intent, in approvals, on replay.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.core.effects import Deny, Need, Tier, measure_arguments
from remit.core.events import EffectIntent
from remit.core.labels import USER, Label
from remit.core.messages import ToolCall
from remit.core.model import ModelRequest
from remit.core.tools import Tool
from remit.errors import RemitError
from remit.gate.scope import Scope
from remit.guard.policy_meter import NO_DRAW, Draw

if TYPE_CHECKING:
    from remit.core.decisions import Facts
    from remit.guard.policy_admission import Admitted
    from remit.guard.provenance import Call, Leaf
    from remit.ports.model import Model

_encode: Final = msgspec.json.Encoder().encode
MAX_ARGUMENT_BYTES: Final = 1024 * 1024


class Action:
    """One effect, resolved."""

    # Defaults of the class, not of each object: most effects never change most of them.
    needs: tuple[Need, ...] = ()
    clearing = ""
    """names its needs when they are the same for all arguments; "" = they are not"""
    size = 0
    tool: Tool | None = None
    values: dict[str, Any] = {}
    model: Model | None = None
    request: ModelRequest | None = None
    facts: Facts | None = None  # these three only where more than the remit's own ruling counts
    admitted: Admitted | None = None
    draw: Draw = NO_DRAW
    touched: tuple[str, ...] = ()  # what the call's handles used
    tried = False
    nano = 0  # what it really cost
    flow: Call | None = None  # the call as the flow rule sees it, when its tool has labels
    brought = USER  # trust of what a tool's handles and children brought in

    def __init__(self, key: str, kind: str, name: str, tier: Tier, digest: str, arguments: Any) -> None:
        self.key = key
        self.kind = kind
        self.name = name
        self.tier = tier
        self.digest = digest
        self.arguments = arguments

    @property
    def rate_name(self) -> str:
        """What limits of rate are looked up by."""
        return f"{self.kind}:{self.name}"

    def intent(self, label: Label) -> EffectIntent:
        """The event that says what is about to happen."""
        needs = () if self.tool is None else tuple([str(n) for n in self.needs])
        rules = () if self.admitted is None else self.admitted.rules
        return EffectIntent(self.key, self.kind, self.name, self.digest, self.tier, self.arguments, needs, label, rules)


def tool_action(key: str, call: ToolCall, scope: Scope) -> Action | Deny:
    """The action of a tool call; a Deny says what is wrong with it."""
    if call.invalid:
        return Deny("arguments_invalid", "resolve", f"the arguments are not a JSON object: {call.invalid[:200]!a}")
    arguments: dict[str, Any] = call.arguments
    handed: list[Leaf] = []  # what handles in the arguments stood for
    try:
        if scope.values is not None:
            arguments = scope.values.resolve(arguments, handed)
        size, digest = measure_arguments(call.name, arguments)
    except (ValueError, TypeError, RecursionError) as e:
        return Deny("arguments_invalid", "resolve", f"the arguments are not plain JSON: {e}")
    except RemitError as e:
        return Deny(e.code, "resolve", e.message, e.hint)
    if size > MAX_ARGUMENT_BYTES:
        return Deny("arguments_invalid", "resolve", f"the arguments have {size} bytes; at most {MAX_ARGUMENT_BYTES}")
    tool = scope.tools.get(call.name) or scope.find_tool(call.name)
    if tool is None:
        names = ", ".join(sorted(scope.tools)[:40]) or "none"
        return Deny("tool_unknown", "resolve", f"there is no tool {call.name[:64]!a}; the tools are: {names}")
    action = Action(key, "tool", tool.name, tool.tier, digest, arguments)
    action.tool = tool
    action.size = size
    if scope.values is not None and tool.labels is not None:
        from remit.guard.provenance import Call  # only runs with labels need it

        action.flow = Call(tool.name, tool.labels, arguments, handed, digest)
    try:
        action.values = tool.signature.decode(arguments)
        own = () if tool.needs is None else tuple(tool.needs(**action.values))
    except RemitError as e:
        return Deny(e.code, "resolve", f"{tool.name}: {e.message}", e.hint)
    # An own tool needs tool:NAME; a built-in needs the grants of what it touches (none for pure computing).
    if tool.builtin:
        action.needs = own
    else:
        action.needs = (Need("tool", tool.name), *own)
        action.clearing = "" if own else action.rate_name
    return action


def model_action(key: str, model: Model, request: ModelRequest, known: str = "") -> Action:
    """The action of a model call; `known` is its digest where a replay need not compute it."""
    text = b"" if known else _encode(request)
    action = Action(key, "model", model.name, "pure", known or sha256(text).hexdigest(), len(request.messages))
    action.model = model
    action.request = request
    action.size = len(text)
    action.needs = (Need("model", model.name),)
    action.clearing = f"{model.name} {model.url}"
    return action
