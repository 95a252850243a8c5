"""The program of worker_faults.py: agents whose runs take STEPS steps of STEP_S seconds, told by the environment."""

from __future__ import annotations

import asyncio
import os

from remit import Agent, Message, ModelRequest, Text, ToolCall, tool
from remit.testing import FunctionModel

STEPS = int(os.environ.get("FAULT_STEPS", "12"))
STEP_S = float(os.environ.get("FAULT_STEP_S", "0.3"))


@tool(effect="idempotent")
async def work(number: int) -> str:
    """Do one step."""
    await asyncio.sleep(STEP_S)
    return f"step {number}"


def _reply(request: ModelRequest) -> list[Text | ToolCall]:
    """The next step, or the end; the number of steps is in the history, so any process can go on."""
    done = sum(_is_result(message) for message in request.messages)
    return [Text(f"done after {done}")] if done >= STEPS else [ToolCall(f"call_{done}", "work", {"number": done})]


def _is_result(message: Message) -> bool:
    return message.role == "tool"


agents = [Agent("steps", FunctionModel(_reply, name="function:steps"), tools=[work], max_turns=STEPS + 2)]
