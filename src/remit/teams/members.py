"""What is true of any member of a team: its name, its budget, its answer type, the model calls it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import msgspec

from remit.agents.agent import Agent
from remit.core.budget import UNLIMITED, Budget, meet_budgets
from remit.core.grants import parse_grant
from remit.core.remit import TOP, Layer, Remit


def name_of(member: Any) -> str:
    """The name under which a member stands in journal and results."""
    name = getattr(member, "name", None) or getattr(member, "__name__", None)
    return str(name or type(member).__name__)


def own_ceiling(member: Any) -> bool:
    """Whether the member has a budget of its own."""
    budget, remit = getattr(member, "budget", None), getattr(member, "remit", None)
    ceilings = [c for c in (budget, getattr(remit, "limits", None)) if c is not None]
    return any(getattr(c, f) is not None for c in ceilings for f in c.__struct_fields__)


def typed(member: Any, output: Any) -> Any:
    """A journalled output in the member's own answer type."""
    kind = getattr(member, "output", None)
    if output is None or kind is None or kind is str:
        return output
    from remit.core.schema import decode_as

    try:
        return decode_as(kind, output)
    except (ValueError, TypeError):
        return output  # the partial text of a member that failed


def members_of(members: Mapping[str, Any]) -> tuple[str, ...]:
    """What naming these members implies: their models, and their own tools."""
    found: list[str] = []
    for member in members.values():
        if isinstance(member, Agent):
            model = getattr(member.model, "name", member.model)
            found += [f"model:{model}"] if model else []
            found += [f"tool:{t.name}" for t in member.tools or () if not isinstance(t, str) and not t.builtin]
        elif hasattr(member, "implied"):
            found += member.implied()
    return tuple(dict.fromkeys(found))


def narrowed(
    member: Any, *, ceiling: Remit | None = None, tools: Sequence[Any] | None = None, budget: Budget = UNLIMITED,
    max_turns: int = 0,
) -> Any:  # fmt: skip
    """The same member with less: under a ceiling as well, with fewer tools, a smaller budget, fewer turns.

    What naming its models and own tools implies stays implied; a plain function has nothing that could be taken away.
    """
    if not isinstance(member, Agent) and not hasattr(member, "carry_out"):
        return member
    less = copy_of(member, tools)
    less.budget = meet_budgets(member.budget, budget)
    if ceiling is not None:
        implied = members_of({"": less})
        inherits = member.remit.unset and not isinstance(member, Agent)  # a team that names no grants
        own = as_ceiling(member.remit) if inherits else member.remit.with_implied(implied)
        less.remit = own.meet(ceiling.with_implied(implied))
    if max_turns and isinstance(less, Agent):
        less.max_turns = min(less.max_turns, max_turns)
    return less


def copy_of(member: Any, tools: Sequence[Any] | None = None) -> Any:
    """A definition of its own, for changes."""
    less = copy(member)
    if isinstance(less, Agent):
        less.prepared = None
        less.tools = member.tools if tools is None else tuple(tools)
    return less


def as_ceiling(remit: Remit) -> Remit:
    """A remit that names no grants, as a ceiling: its denials, limits and expiry, and nothing else."""
    denials = remit.layers[0].denials
    layers = (Layer((), denials, verbs=()),) if denials else TOP.layers
    return msgspec.structs.replace(remit, layers=layers)


def write_ceiling(scopes: Iterable[str]) -> Remit:
    """A ceiling that leaves of all writing only what lies in these places; of other verbs it takes nothing away."""
    return Remit((Layer(tuple(parse_grant(f"fs.write:{scope}") for scope in scopes), verbs=("fs.write",)),))


def own_calls(members: Iterable[Any]) -> tuple[int, int]:
    """Model calls of these members asked once each, (least, most): a function 0, a team its own estimate, an agent 1
    and, with tools or a typed answer, up to its turns."""
    least = most = 0
    for member in members:
        if hasattr(member, "estimate"):
            its = member.estimate()
            least, most = least + its.least, most + its.most
        elif isinstance(member, Agent):
            once = member.tools == () and member.output in (None, str)
            least, most = least + 1, most + (1 if once else member.max_turns)
    return least, most
