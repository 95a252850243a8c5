"""Deadline: the promises of asyncio.timeout, each compared with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from remit.ports.deadline import Deadline


class Standard:
    """asyncio.timeout in the form of Deadline's users."""

    def __init__(self, seconds: float) -> None:
        self._block = asyncio.timeout(seconds)

    async def run(self, work: Any) -> Any:
        async with self._block:
            return await work


class Own:
    """Deadline in the same form."""

    def __init__(self, seconds: float) -> None:
        self._block = Deadline(seconds)

    async def run(self, work: Any) -> Any:
        with self._block:
            return await work


@pytest.fixture(params=[Own, Standard])
def limit(request: pytest.FixtureRequest) -> Callable[[float], Any]:
    return request.param  # type: ignore[no-any-return]  # one of the two classes


def test_in_time_returns_and_raises_what_the_work_does(limit: Callable[[float], Any]) -> None:
    """A value comes back; an error of the work's own is its own, also a TimeoutError."""

    async def fails() -> None:
        raise TimeoutError("own")

    async def work() -> None:
        assert await limit(5).run(asyncio.sleep(0, "value")) == "value"
        with pytest.raises(TimeoutError, match="own"):
            await limit(5).run(fails())

    asyncio.run(work())


def test_too_late_is_a_timeout_and_leaves_the_task_uncancelled(limit: Callable[[float], Any]) -> None:
    """After the deadline the task goes on normally."""

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await limit(0.01).run(asyncio.sleep(30))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    asyncio.run(work())


def test_a_cancellation_from_outside_wins(limit: Callable[[float], Any]) -> None:
    """Cancelled by somebody else while the deadline also passes: the cancellation goes on."""

    async def work() -> None:
        async def inner() -> None:
            await limit(0.01).run(asyncio.sleep(30))

        early = asyncio.ensure_future(inner())
        await asyncio.sleep(0)
        early.cancel()
        both = asyncio.ensure_future(inner())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.01, both.cancel)
        results = await asyncio.gather(early, both, return_exceptions=True)
        assert [type(r) for r in results] == [asyncio.CancelledError, asyncio.CancelledError]

    asyncio.run(work())
