"""SimLoop: virtual time, seeded order, no threads, and a deadlock that is reported."""

from __future__ import annotations

import asyncio

import pytest

from remit.testing import SimClock, SimLoop
from remit.testing.sim_loop import Deadlock
from remit.testing.simulate import simulate


def order(seed: int) -> list[int]:
    """The order in which eight tasks finish five steps."""
    found: list[int] = []

    async def one(number: int) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        found.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(one(number))

    SimLoop(seed).run(main())
    return found


def test_the_seed_decides_the_order() -> None:
    """The same seed gives the same order; different seeds give many."""
    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 15


def test_a_week_passes_at_once() -> None:
    """Timers fire in their order at their virtual moment; the clock agrees."""

    async def main() -> tuple[float, int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        clock = SimClock(loop)
        begun = clock.now_ms()
        async with asyncio.timeout(8 * 86_400):
            await clock.sleep(7 * 86_400)
        assert await asyncio.to_thread(lambda: 3) == 3
        return loop.time(), clock.now_ms() - begun

    assert SimLoop().run(main()) == (7 * 86_400, 7 * 86_400_000)


def test_what_can_never_go_on_is_reported() -> None:
    """A future that nobody will set ends the program instead of waiting for ever; an endless timer is honoured."""

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match="seed 7"):
        SimLoop(7).run(main())


@pytest.mark.parametrize("seed", [3, 50, 77])
def test_a_simulation_holds_and_is_the_same_twice(seed: int) -> None:
    """No violation in generated runs over dying processes; one seed gives the same bytes."""
    found = simulate(seed)
    assert found.problems == ()
    assert simulate(seed) == found
