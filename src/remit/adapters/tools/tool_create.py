"""tool_create: a new tool, written by a model as code for T1 or T2."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from remit.core.effects import Need
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.made_tool import MadeTool
from remit.ports.tool import Context


@tool(
    effect="unsafe", returns="system", builtin=True, verbs=("tool",), needs=lambda **_: (Need("tool", "tool_create"),)
)
async def tool_create(  # noqa: PLR0913, PLR0917 - a model names each of them, nobody passes them by place
    ctx: Context[Any],
    name: str,
    description: str,
    code: str,
    input_schema: dict[str, Any] | None = None,
    tier: Literal["T1", "T2"] = "T2",
    example: dict[str, Any] | None = None,
) -> str:
    """Make a tool out of Python that only computes: no files, no network, no other tools.

    The code finds its arguments in the dict `arguments`; the value of its last expression is the result. The tool is
    kept and can be called as made_NAME by whoever is granted tool:made_NAME.

    Args:
        name: what it is called, without made_
        description: what it does, for the model that will call it
        code: Python source
        input_schema: JSON Schema of the arguments, an object
        tier: T2 (CPython) or T1 (a small interpreter that starts faster)
        example: arguments to try it with before it is kept
    """
    schema = {"type": "object", "properties": {}, **(input_schema or {})}
    made = MadeTool(f"made_{name}", description, schema, code, tier, ctx.run_id)
    if example is not None:
        tried = await ctx.code.run(code, tier=tier, inputs={"arguments": example})
        if tried.error or tried.killed:
            last = tried.error.strip().rsplit("\n", 1)[-1][:300]
            raise Invalid("value_invalid", f"it was not kept; with the example it fails: {tried.killed or last}")
    digest = await asyncio.to_thread(ctx.made_tools.save, made)
    return f"{made.name} is kept, sha256 {digest}; calling it needs the grant tool:{made.name}"
