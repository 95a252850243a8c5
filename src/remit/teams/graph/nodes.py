"""Nodes: async functions and agents, and what wraps them.

node(fn, writes=..., timeout_s=...)         an async function of (state) or (state, ctx)
node(agent, prompt="Review {draft}", writes="review")   an agent or a team; its output becomes a field
each(fn, over="items", into="results")      fn(item) for every item of a list field, side by side
loop(x, until=..., most=100)                a node or graph again and again
retry(x, times=3)                           again after an error, with growing waits
subgraph(graph, input=..., output=...)      a graph as a node, with its own state
gate(x, "Publish?", fields=["draft"])       a person looks at what x wrote
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from remit.agents.agent import Agent
from remit.errors import Invalid
from remit.teams.members import name_of
from remit.teams.values import text_of

if TYPE_CHECKING:
    from remit.teams.graph.definition import Graph

_FIELD: Final = re.compile(r"\{(\w+)\}")
MODES: Final = ("mapping", "passthrough", "merge_all", "prefix")


class Node:
    """One node of a graph, as it was defined.

    `kind`: function | agent | each | loop | retry | subgraph | gate. `inner` is what a wrapper wraps.
    """

    __slots__ = ("fn", "inner", "kind", "member", "name", "options", "takes_context", "timeout_s", "writes")

    def __init__(  # noqa: PLR0913  # made by the functions below only
        self,
        name: str,
        kind: str,
        *,
        fn: Any = None,
        member: Any = None,
        inner: Any = None,
        writes: Sequence[str] | None = None,
        timeout_s: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not re.fullmatch(r"\w[\w.-]{0,63}", name):
            raise Invalid("graph_invalid", f"{name!r:.80} is no name for a node",
                          hint="Letters, digits, _ . and -, at most 64; give one with node(fn, name=...).")  # fmt: skip
        self.name = name
        self.kind = kind
        self.fn = fn
        self.member = member
        self.inner: Node | Graph | None = inner
        self.writes = None if writes is None else tuple(writes)
        self.timeout_s = timeout_s
        self.options = dict(options or {})
        self.takes_context = fn is not None and kind in ("function", "each") and takes_two(name, fn)

    def members(self) -> list[Any]:
        """Agents and teams within it."""
        if self.member is not None:
            return [self.member]
        if isinstance(self.inner, Node):
            return self.inner.members()
        return list(self.inner.members.values()) if self.inner is not None else []

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.kind})"


def node(
    what: Any,
    *,
    name: str = "",
    prompt: Any = None,
    writes: str | Sequence[str] | None = None,
    timeout_s: float | None = None,
) -> Node:
    """A node with options.

    Args:
        what: an async function of (state) or (state, ctx), an Agent, a team, or a Node.
        name: by default the function's or agent's own.
        prompt: for an agent: text with `{field}` in it, or a function of the state; by default the state as JSON.
        writes: the fields it writes; for an agent the one that gets its output (by default the field of its name).
        timeout_s: of one execution.
    """
    fields = (writes,) if isinstance(writes, str) else writes
    if isinstance(what, Node):
        made = Node(name or what.name, what.kind, fn=what.fn, member=what.member, inner=what.inner,
                    writes=what.writes if fields is None else fields, timeout_s=timeout_s or what.timeout_s,
                    options=what.options)  # fmt: skip
        return made
    if isinstance(what, Agent) or hasattr(what, "carry_out"):
        own = name or re.sub(r"\W+", "_", name_of(what))
        return Node(own, "agent", member=what, writes=fields or (own,), timeout_s=timeout_s, options={"prompt": prompt})
    if prompt is not None:
        raise Invalid("graph_invalid", f"node {name or name_of(what)}: only an agent has a prompt")
    if not is_async(what):
        raise Invalid("graph_invalid", f"node {name or name_of(what)}: it is not an async function",
                      hint="Write it with async def; a plain function before a mapping is a router.")  # fmt: skip
    return Node(name or function_name(what), "function", fn=what, writes=fields, timeout_s=timeout_s)


def each(what: Any, *, over: str, into: str, name: str = "", at_once: int = 4, most: int = 10_000) -> Node:
    """Every item of the list field `over`, side by side; the list of results becomes the field `into`.

    Args:
        what: an async function of (item) or (item, ctx), an Agent or a team.
        at_once: items under way. most: items at all; more are refused.
    """
    agent = isinstance(what, Agent) or hasattr(what, "carry_out")
    if not agent and not is_async(what):
        raise Invalid("graph_invalid", f"each {name_of(what)}: it is not an async function",
                      hint="Write it with async def, or give an agent.")  # fmt: skip
    own = name or (re.sub(r"\W+", "_", name_of(what)) if agent else function_name(what))
    return Node(own, "each", fn=None if agent else what, member=what if agent else None, writes=(into,),
                options={"over": over, "into": into, "at_once": at_once, "most": most})  # fmt: skip


def loop(what: Any, *, until: Callable[[Any], bool], name: str = "", most: int = 100) -> Node:
    """A node or a graph of the same state again and again, until `until(state)` holds, at most `most` times."""
    return Node(*_wrapped(what, name, "loop"), inner=as_inner(what), options={"until": until, "most": most})


def retry(what: Any, *, name: str = "", times: int = 3, delay_s: float = 0.1, factor: float = 2.0) -> Node:
    """A node again after an error: at most `times` further attempts, waiting `delay_s`, then `factor` times longer.

    Source: spec/teams.md 11 (3, 100 ms, x2).
    """
    if not 1 <= times <= 100 or delay_s < 0 or factor < 1:
        raise Invalid("graph_invalid", f"retry {name_of(what)}: times={times} delay_s={delay_s} factor={factor}",
                      hint="times from 1 to 100, delay_s from 0, factor from 1.")  # fmt: skip
    options = {"times": times, "delay_s": delay_s, "factor": factor}
    return Node(*_wrapped(what, name, "retry"), inner=as_inner(what), options=options)


def subgraph(
    graph: Graph,
    *,
    name: str = "",
    input: Mapping[str, str] | None = None,
    output: Mapping[str, str] | None = None,
    mode: str = "mapping",
    prefix: str = "",
) -> Node:
    """A graph as a node, with a state of its own.

    Args:
        input: field of the subgraph -> field of this graph; None = fields of the same name.
        output: field of this graph -> field of the subgraph; None = as `mode` says.
        mode: mapping (as `output`, else fields of the same name) | passthrough (nothing comes back) |
            merge_all (all fields of the same name) | prefix (each field as PREFIX + its name).
    """
    if mode not in MODES or (mode == "prefix") != bool(prefix):
        raise Invalid("graph_invalid", f"subgraph {name or graph.name}: mode={mode!r} prefix={prefix!r}",
                      hint=f"mode is one of {', '.join(MODES)}; prefix goes with a prefix.")  # fmt: skip
    options = {"input": None if input is None else dict(input), "output": None if output is None else dict(output),
               "mode": mode, "prefix": prefix}  # fmt: skip
    return Node(name or re.sub(r"[^\w.-]+", "_", graph.name), "subgraph", inner=graph, options=options)


def gate(what: Any, question: str, *, fields: Sequence[str] = (), allow_edit: bool = True, name: str = "") -> Node:
    """A node whose update a person must approve before it counts.

    The person sees the update (or only `fields` of it) and approves it, approves it with changes of these fields
    (`allow_edit`), refuses it (the graph ends, denied), or answers {"retry": "what to do better"}: then the node runs
    again, with that text in `ctx.feedback`.
    """
    options = {"question": question, "fields": tuple(fields), "allow_edit": allow_edit}
    return Node(*_wrapped(what, name, "gate"), inner=as_inner(what), options=options)


def _wrapped(what: Any, name: str, kind: str) -> tuple[str, str]:
    inner = as_inner(what)
    return name or re.sub(r"[^\w.-]+", "_", inner.name), kind


def as_inner(what: Any) -> Any:
    """A Node, or a Graph as it is."""
    if isinstance(what, Node) or hasattr(what, "state_type"):
        return what
    return node(what)


def is_async(fn: Any) -> bool:
    """Whether calling it gives a coroutine."""
    if inspect.isfunction(fn) or inspect.ismethod(fn):
        return inspect.iscoroutinefunction(fn)
    inner = getattr(fn, "func", None) or type(fn).__dict__.get("__call__")  # a partial, or an object that is called
    return inspect.iscoroutinefunction(inner)


def function_name(fn: Any) -> str:
    """The name of a function; lambdas and partials of functions have their function's."""
    return re.sub(r"[^\w.-]+", "_", name_of(getattr(fn, "func", fn)).strip("<>"))


def takes_two(name: str, fn: Any) -> bool:
    """Whether the function takes a context after the state; raises graph_invalid for another number of parameters."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return False
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    possible = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)]
    if not possible or len(needed) > 2 or keyword:
        raise Invalid("graph_invalid", f"node {name} takes {len(parameters)} parameters",
                      hint="A node takes the state, and after it the context if it wants one.")  # fmt: skip
    return len(needed) == 2 or (len(possible) > 1 and possible[1].name in ("ctx", "context"))


def fill(prompt: Any, state: Any, values: dict[str, Any]) -> str:
    """An agent's prompt: `{field}` replaced, or what a function of the state returns, or the state as JSON."""
    if prompt is None:
        return text_of(values)
    if callable(prompt):
        return text_of(prompt(state))
    return _FIELD.sub(lambda found: text_of(values.get(found[1], "")), str(prompt))


def fields_of(prompt: Any) -> list[str]:
    """The fields that a prompt names."""
    return _FIELD.findall(prompt) if isinstance(prompt, str) else []
