"""remit as its users write it: one Agent with an OpenAI-compatible model and one declared tool, run by one Runtime.

The gate is on, as always. The journal is in memory unless BENCH_JOURNAL names another (`sqlite:PATH`).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import drive

import remit
from remit import Agent, Runtime, tool


@tool(effect="read")
async def population(city: str) -> int:
    """How many people live in `city`."""
    return drive.count_tool_call()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[drive.Run]:
    """Yield the run of one shared agent in one runtime."""
    model = remit.model("openai-chat:mock", base_url=url, api_key="k")
    agent = Agent("bench", model=model, tools=[population])
    async with Runtime(journal=os.environ.get("BENCH_JOURNAL", "memory:")) as runtime:

        async def run() -> str:
            return str((await runtime.run(agent, "How many people live in Rome?")).output)

        yield run


def idle(count: int) -> list[Agent]:
    """Return `count` agents, each with a tool of its own and one shared model."""
    model = remit.model("openai-chat:mock", base_url="http://127.0.0.1:9/v1", api_key="k")

    def make(index: int) -> Agent:
        @tool(effect="read")
        async def lookup(city: str) -> int:
            """Look `city` up."""
            return index

        return Agent(f"agent-{index}", model=model, tools=[lookup])

    return [make(index) for index in range(count)]


if __name__ == "__main__":
    drive.main(connect, idle)
