"""agent_message: the mailboxes of the team that an agent is a member of."""

from __future__ import annotations

from typing import Any, Literal

from remit.core.effects import Need
from remit.core.tools import tool
from remit.ports.tool import Context


def _needs(action: str, to: str = "", **_: Any) -> tuple[Need, ...]:
    """Sending starts work of another; reading one's own mailbox needs nothing."""
    return (Need("delegate", "1", (to or "*",)),) if action in ("send", "request") else ()


@tool(effect="idempotent", builtin=True, serial=True, verbs=("delegate",), timeout_s=600.0, needs=_needs)
async def agent_message(
    ctx: Context[Any],
    action: Literal["send", "request", "receive", "answer"],
    to: str = "",
    text: str = "",
    route: Literal["", "broadcast", "round_robin", "load_balanced", "priority"] = "",
    correlation: str = "",
) -> str:
    """Send a message to an agent of your team, ask one and wait for its answer, take your next message, or answer one.

    Args:
        action: send, request (waits for the answer), receive (waits for a message) or answer
        to: for send and request, the agent
        text: what you say
        route: for send without `to`, who gets it
        correlation: for answer, what the request said
    """
    return await ctx.agents.message(ctx, action, to=to, text=text, route=route, correlation=correlation)
