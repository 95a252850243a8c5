"""converse: talk with another agent, turn by turn."""

from __future__ import annotations

from typing import Any

from remit.core.effects import Need
from remit.core.tools import tool
from remit.ports.tool import Context


@tool(
    effect="idempotent", builtin=True, verbs=("delegate",), timeout_s=120.0,
    needs=lambda name, **_: (Need("delegate", "1", (name,)),),
)  # fmt: skip
async def converse(ctx: Context[Any], name: str, message: str, conversation: str = "") -> dict[str, Any]:
    """Say something to an agent and hear its answer; a conversation has at most ten turns.

    Args:
        name: the agent
        message: what you say
        conversation: what an earlier turn returned, to go on with it; empty begins a new one
    """
    known, reply, left = await ctx.agents.converse(ctx, name, message, conversation)
    return {"conversation": known, "reply": reply, "turns_left": left}
