"""autoagents-py as its users write it: one shared model, one tool, a ReAct agent.

A run gets an agent of its own, because an autoagents agent owns its memory: runs that share one would read each other's
messages. The model (and with it the HTTP client) and the tool are shared. The backend is `openrouter`, because this
version's `openai` backend speaks Responses only; `openrouter` speaks chat completions to any base_url, the wire that
all other systems here use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import autoagents_py as autoagents
import drive

BACKEND = "openrouter"


@autoagents.tool(description="How many people live in `city`.")
async def population(city: str) -> int:
    """How many people live in `city`."""
    return drive.count_tool_call()


def _model(url: str) -> autoagents.LLMProvider:
    return autoagents.LLMBuilder(BACKEND).api_key("k").base_url(url).model("mock").build()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[drive.Run]:
    """Yield the run over one shared model."""
    model = _model(url)

    async def run() -> str:
        executor = autoagents.ReActAgent("bench", "You answer.").tools([population])
        agent = autoagents.Agent(executor, llm=model, memory=autoagents.SlidingWindowMemory(window_size=10))
        return str((await agent.run("How many people live in Rome?"))["response"])

    yield run


def idle(count: int) -> list[object]:
    """Return `count` built agents, each with a tool of its own."""
    import asyncio

    model = _model("http://127.0.0.1:9/v1")

    async def make(index: int) -> object:
        @autoagents.tool(description="look up")
        async def lookup(city: str) -> int:
            return index

        executor = autoagents.ReActAgent(f"agent {index}", "You answer.").tools([lookup])
        return await autoagents.Agent(
            executor, llm=model, memory=autoagents.SlidingWindowMemory(window_size=10)
        ).build()

    async def make_all() -> list[object]:
        return [await make(index) for index in range(count)]

    return asyncio.run(make_all())


if __name__ == "__main__":
    drive.main(connect, idle)
