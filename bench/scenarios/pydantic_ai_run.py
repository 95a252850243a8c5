"""pydantic-ai as its users write it: one Agent with OpenAIChatModel, OpenAIProvider(base_url) and one plain tool.

Agent and HTTP client are shared by all runs. The client gets no connection limit: the default would make ten thousand
waiting agents take turns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import drive
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


async def population(city: str) -> int:
    """How many people live in `city`."""
    return drive.count_tool_call()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[drive.Run]:
    """Yield the run of one shared agent."""
    import httpx2
    from openai import DefaultAsyncHttpxClient

    unlimited = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    client = DefaultAsyncHttpxClient(limits=unlimited)
    model = OpenAIChatModel("mock", provider=OpenAIProvider(base_url=url, api_key="k", http_client=client))
    agent = Agent(model, tools=[population])

    async def run() -> str:
        return (await agent.run("How many people live in Rome?")).output

    yield run
    await client.aclose()


def idle(count: int) -> list[Agent]:
    """Return `count` agents, each with a tool of its own and one shared model."""
    model = OpenAIChatModel("mock", provider=OpenAIProvider(base_url="http://127.0.0.1:9/v1", api_key="k"))

    def make(index: int) -> Agent:
        async def lookup(city: str) -> int:
            return index

        return Agent(model, tools=[lookup], instructions=f"agent {index}")

    return [make(index) for index in range(count)]


if __name__ == "__main__":
    drive.main(connect, idle)
