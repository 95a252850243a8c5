"""delegate: give another agent a task."""

from __future__ import annotations

from typing import Any

from remit.core.effects import Need
from remit.core.tools import tool
from remit.ports.agents import Less
from remit.ports.tool import Context


@tool(
    effect="idempotent", builtin=True, verbs=("delegate",), timeout_s=600.0,
    needs=lambda name, **_: (Need("delegate", "1", (name,)),),
)  # fmt: skip
async def delegate(  # noqa: PLR0913, PLR0917 - a model names each of them, nobody passes them by place
    ctx: Context[Any],
    name: str,
    task: str,
    tools: list[str] | None = None,
    within: list[str] | None = None,
    usd: float | None = None,
    tokens: int | None = None,
) -> Any:
    """Give an agent a task and wait for its answer. It can do no more than you can; agent_list says whom there is.

    Args:
        name: the agent
        task: what it is to do, with all that it needs to know: it has not read what you have
        tools: of its tools only these
        within: grants that it stays within, for example fs.read:docs/**
        usd: money that it may spend at most
        tokens: tokens that it may use at most
    """
    less = Less(None if tools is None else tuple(tools), tuple(within or ()), usd, tokens)
    return await ctx.agents.delegate(ctx, name, task, less)
