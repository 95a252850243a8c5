"""agno as its users write it: one Agent with an OpenAI-compatible model and one function as tool, run with `arun`.

Agent and HTTP client are shared by all runs. Telemetry is off, because a benchmark must not call out. The client gets
no connection limit: the default of 1,000 would make ten thousand waiting agents take turns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import drive
from agno.agent import Agent
from agno.models.openai import OpenAILike


async def population(city: str) -> int:
    """How many people live in `city`."""
    return drive.count_tool_call()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[drive.Run]:
    """Yield the run of one shared agent."""
    import httpx2
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    unlimited = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    client = AsyncOpenAI(base_url=url, api_key="k", http_client=DefaultAsyncHttpxClient(limits=unlimited))
    model = OpenAILike(id="mock", base_url=url, api_key="k", async_client=client)
    agent = Agent(model=model, tools=[population], telemetry=False)

    async def run() -> str:
        return str((await agent.arun("How many people live in Rome?")).content)

    yield run
    await client.close()


def idle(count: int) -> list[Agent]:
    """Return `count` agents, each with a tool of its own and one shared model."""
    model = OpenAILike(id="mock", base_url="http://127.0.0.1:9/v1", api_key="k")

    def make(index: int) -> Agent:
        async def lookup(city: str) -> int:
            return index

        return Agent(model=model, tools=[lookup], telemetry=False, instructions=f"agent {index}")

    return [make(index) for index in range(count)]


if __name__ == "__main__":
    drive.main(connect, idle)
