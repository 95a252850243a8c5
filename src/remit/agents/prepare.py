"""From an agent's definition to what a run needs: the plan, its tools, and a spec that another process can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs

from remit.agents.agent import Agent
from remit.agents.loop import Plan
from remit.core.budget import meet_budgets
from remit.core.effects import Need
from remit.core.model import Settings
from remit.core.output import NO_OUTPUT, Output
from remit.core.remit import Remit
from remit.core.tools import Tool
from remit.errors import Invalid

if TYPE_CHECKING:
    from remit.core.label_file import LabelFile
    from remit.ports.model import Model

READER: Final = "read_value"  # the tool that an agent which conceals untrusted fields gets


class Prepared:
    """All that stays the same between runs of one agent in one runtime."""

    __slots__ = (
        "budget_data",
        "cleared",
        "code",
        "ledger_budget",
        "model",
        "open_tools",
        "owner",
        "plan",
        "remit",
        "remit_data",
        "spec",
        "tools",
    )

    def __init__(self, owner: Any, agent: Agent, model: Model, tools: dict[str, Tool], remit: Remit) -> None:
        self.owner = owner
        self.model = model
        self.tools = tools
        self.open_tools = agent.tools is None
        """whether built-in tools that are not shown may be called too (the gate still asks for their grants)"""
        own = [f"tool:{t.name}" for t in tools.values() if not t.builtin]
        names: tuple[str, ...] = getattr(model, "names", ())  # a policy's models; naming it names them
        also = [f"model:{name}" for name in names] + ([f"model:cache:{model.name}"] if names else [])
        self.remit = remit.with_implied([f"model:{model.name}", *also, *own])
        self.cleared: set[Any] | None = set() if self.remit.timeless else None
        """what the gate has ruled of `remit` for good"""
        output = NO_OUTPUT if agent.output in (None, str) else Output(agent.output)
        self.plan = Plan(
            agent.instructions,
            tuple([t.spec for t in tools.values()]),
            output,
            agent.settings,
            agent.max_turns,
            model.name.partition(":")[2],
            labels_of(agent, tools),
            agent.conceal,
        )
        self.ledger_budget = meet_budgets(agent.budget, remit.limits)
        self.remit_data: Any = msgspec.Raw(msgspec.json.encode(self.remit.data()))
        self.budget_data = {k: v for k, v in structs.asdict(self.ledger_budget).items() if v is not None}
        self.spec: Any = msgspec.Raw(msgspec.json.encode(spec_data(agent, tools)))
        self.code: bytes | None = None
        """digest of what snapshots are made with (snapshots.py); made when one is"""


def spec_data(agent: Agent, tools: dict[str, Tool]) -> dict[str, Any]:
    """What is journalled of a definition; no secrets are in it."""
    return {
        "instructions": agent.instructions,
        "tools": None if agent.tools is None else [name for name in tools if name != READER],
        "own_tools": [t.name for t in tools.values() if not t.builtin],
        "typed_output": agent.output not in (None, str),
        "base_url": getattr(agent.model, "base_url", ""),
        "settings": agent.settings,
        "max_turns": agent.max_turns,
        "max_parallel": agent.max_parallel,
        **({} if agent.labels is None else {"labels": agent.labels}),
        **({"conceal": True} if agent.conceal else {}),
        **({"tokens": agent.tokens} if agent.tokens else {}),
    }


def collect_tools(agent: Agent, load: Callable[[str], Tool], names: Callable[[], tuple[str, ...]]) -> dict[str, Tool]:
    """The tools an agent is shown, by name; raises tool_unknown or tool_clash."""
    if agent.tools is None:
        found = [load(n) for n in names()]
        # Showing is not granting: what could never be granted is only left out of the prompt.
        shown = {t.name: t for t in found if all(agent.remit.granted(v) for v in t.verbs) and _own_grant(agent, t)}
        return _labelled(agent, shown)
    tools: dict[str, Tool] = {}
    for each in agent.tools:
        tool = load(each) if isinstance(each, str) else each
        if tool.name in tools:
            raise Invalid("tool_clash", f"agent {agent.name} has two tools named {tool.name}")
        tools[tool.name] = tool
    return _labelled(agent, tools)


def _own_grant(agent: Agent, tool: Tool) -> bool:
    """A tool that is granted by its own name (of a server) is shown where that name is granted."""
    return "tool" not in tool.verbs or agent.remit.ruling(Need("tool", tool.name), 0).allowed


def _labelled(agent: Agent, tools: dict[str, Tool]) -> dict[str, Tool]:
    """The tools with what the agent's label file says of them, and the reader of handles where it needs one."""
    if agent.labels is not None:
        for name, labels in agent.labels.tools.items():
            if name in tools:
                tools[name] = tools[name].with_labels(labels)
    if agent.conceal:
        from remit.agents.quarantine import reader  # most agents read for themselves

        tools[READER] = reader(agent.model)
    return tools


def labels_of(agent: Agent, tools: dict[str, Tool]) -> LabelFile | None:
    """The labels that the tools of an agent carry; None where none does."""
    labels = {name: tool.labels for name, tool in tools.items() if tool.labels is not None}
    if not labels:
        return None
    from remit.core.label_file import LabelFile  # most agents have none

    return LabelFile(labels, values=() if agent.labels is None else agent.labels.values)


def agent_of(name: str, model: Any, spec: dict[str, Any], remit: Remit, budget: Any) -> Agent:
    """The agent of a journalled run, when nothing of it lives only in a program."""
    if spec.get("own_tools") or spec.get("typed_output"):
        what = ", ".join(spec.get("own_tools", [])) or "a typed output"
        raise Invalid(
            "usage_invalid",
            f"this run needs {what} of its program",
            hint="Resume it there: runtime.resume(run_id, agent)",
        )
    agent = Agent(
        name,
        model,
        instructions=spec.get("instructions", ""),
        tools=spec.get("tools"),
        remit=remit,
        budget=budget,
        settings=msgspec.convert(spec.get("settings", {}), Settings),
        max_turns=spec.get("max_turns", 10),
        max_parallel=spec.get("max_parallel", 4),
        labels=msgspec.json.encode(spec["labels"]) if "labels" in spec else None,
        conceal=spec.get("conceal", False),
    )
    agent.tokens = tuple(spec.get("tokens", ()))
    return agent
