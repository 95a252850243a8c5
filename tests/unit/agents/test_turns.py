"""Runs begin in groups, first come, first served."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from remit import Agent, Runtime, tool
from remit.agents.turns import GROUP, Turns
from remit.core.messages import Text, ToolCall
from remit.core.model import ModelRequest, Reply
from remit.testing import FunctionModel


def test_between_two_groups_the_loop_serves_others() -> None:
    """However many want to begin at once, at most one group begins between two turns of the event loop."""

    async def main() -> list[int]:
        turns, begun, seen = Turns(asyncio.get_running_loop()), 0, [0]

        async def one() -> None:
            nonlocal begun
            await turns.take()
            begun += 1

        async def watch() -> None:
            while begun < 10 * GROUP:
                seen.append(begun)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for _ in range(10 * GROUP):
                group.create_task(one())
            group.create_task(watch())
        return seen

    seen = asyncio.run(main())
    assert max(b - a for a, b in pairwise(seen)) == GROUP
    assert seen[-1] >= 8 * GROUP


def test_first_come_first_served() -> None:
    """Nobody overtakes, also not one who comes while others wait."""

    async def main() -> list[int]:
        turns, order = Turns(asyncio.get_running_loop()), []

        async def one(number: int) -> None:
            await turns.take()
            order.append(number)
            if number == 0:
                group.create_task(one(3 * GROUP))

        async with asyncio.TaskGroup() as group:
            for number in range(3 * GROUP):
                group.create_task(one(number))
        return order

    assert asyncio.run(main()) == list(range(3 * GROUP + 1))


def test_who_is_cancelled_while_waiting_takes_no_place() -> None:
    """The cancelled are skipped; all others begin, and nothing is left waiting."""

    async def main() -> tuple[int, bool]:
        turns, begun = Turns(asyncio.get_running_loop()), 0

        async def one() -> None:
            nonlocal begun
            await turns.take()
            begun += 1

        tasks = [asyncio.ensure_future(one()) for _ in range(3 * GROUP)]
        await asyncio.sleep(0)
        for task in tasks[GROUP : 2 * GROUP]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        return begun, turns.busy

    assert asyncio.run(main()) == (2 * GROUP, False)


def test_one_runtime_on_two_loops() -> None:
    """A burst on a second event loop begins as well; nobody waits for the loop that has ended."""
    agent = Agent("a", model=FunctionModel(_hello), tools=[])
    runtime = Runtime()

    async def burst() -> int:
        runs = await asyncio.gather(*[runtime.run(agent, "go") for _ in range(2 * GROUP)])
        return sum(run.status == "ok" for run in runs)

    assert [asyncio.run(burst()), asyncio.run(burst())] == [2 * GROUP, 2 * GROUP]
    asyncio.run(runtime.aclose())


def test_the_first_runs_ask_their_models_before_the_last_begin() -> None:
    """A burst is worked on depth first, and a run with an answer waits for those that asked before it."""
    order: list[str] = []

    @tool(effect="read")
    async def look(city: str) -> str:
        """Look `city` up."""
        order.append("tool")
        return "sunny"

    async def answer(request: ModelRequest) -> Reply:
        await asyncio.sleep(0)
        if request.messages[-1].role == "tool":
            return Reply((Text("done"),))
        order.append("asked")
        return Reply((ToolCall("1", "look", {"city": "Rome"}),), "tool_use")

    async def main() -> list[str]:
        async with Runtime() as runtime:
            agent = Agent("a", model=FunctionModel(answer), tools=[look])
            runs = await asyncio.gather(*[runtime.run(agent, "go", listener=_note) for _ in range(5 * GROUP)])
            return [run.status for run in runs]

    started: list[int] = []

    def _note(entry: object, event: object) -> None:
        if type(event).__name__ == "RunStarted":
            started.append(len(order))

    assert asyncio.run(main()) == ["ok"] * 5 * GROUP
    assert started[-1] >= 3 * GROUP  # models that were asked before the last run began
    assert order.index("tool") > 4 * GROUP  # the tools of the first run waited for their turn


async def _hello(request: ModelRequest) -> Reply:
    return Reply((Text("hello"),))
