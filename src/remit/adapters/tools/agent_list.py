"""agent_list: which agents there are."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from remit.core.tools import tool
from remit.ports.tool import Context


@tool(effect="read", returns="system", builtin=True, verbs=("delegate",))
async def agent_list(ctx: Context[Any]) -> list[dict[str, Any]]:
    """Which agents can be given a task (delegate, converse) or a message (agent_message), and what they are for."""
    return [to_builtins(row) for row in ctx.agents.rows(ctx)]
