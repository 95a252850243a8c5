"""Conformance suite of the bus port: what a wake-up bus does when nothing is lost, and that a loss only costs time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from remit.errors import RemitError
from remit.ports.bus import MAX_TOPIC, Bus

Make = Callable[[], Bus]
SOON_S: Final = 10.0
NEVER_S: Final = 0.1


def check_a_watch_is_woken(make: Make) -> None:
    """Whoever watches the topic is woken, also by a `tell` from another thread; others are not."""

    async def case(bus: Bus) -> None:
        with bus.watch("log") as first, bus.watch("log") as second, bus.watch("ready") as other:
            await _settled(first, second, other)
            teller = threading.Thread(target=bus.tell, args=("log",))
            teller.start()
            assert await first.wait(SOON_S)
            assert await second.wait(SOON_S)
            assert not await other.wait(NEVER_S)
            teller.join()

    _run(make, case)


def check_what_was_told_before_waiting_counts(make: Make) -> None:
    """A `tell` between reading and waiting is not lost, many of them are one, and waiting again times out."""

    async def case(bus: Bus) -> None:
        with bus.watch("log") as watch:
            await _settled(watch)
            for _ in range(100):
                bus.tell("log")
            await asyncio.sleep(NEVER_S)
            assert await watch.wait(SOON_S)
            await _settled(watch)
            assert not await watch.wait(NEVER_S)

    _run(make, case)


def check_topics_are_bounded(make: Make) -> None:
    """A topic is short printable ASCII; others are refused by both ends."""

    async def case(bus: Bus) -> None:
        for bad in ("", "a\n", "é", "x" * (MAX_TOPIC + 1)):
            for call in (bus.tell, bus.watch):
                try:
                    call(bad)
                except RemitError as error:
                    assert error.code == "value_invalid"
                else:
                    raise AssertionError(f"{bad!r} was taken")

    _run(make, case)


def check_a_closed_bus_costs_only_time(make: Make) -> None:
    """After aclose nothing fails: `tell` is lost, a wait times out, closing again does nothing."""

    async def case(bus: Bus) -> None:
        with bus.watch("log") as watch:
            await bus.aclose()
            bus.tell("log")
            await watch.wait(NEVER_S)
            await bus.aclose()

    _run(make, case)


CHECKS: Final = tuple(value for name, value in sorted(globals().items()) if name.startswith("check_"))


async def _settled(*watches: Any) -> None:
    """A bus wakes everybody when it (again) has a connection; wait until that is over."""
    for watch in watches:
        while await watch.wait(NEVER_S * 3):
            pass


def _run(make: Make, case: Callable[[Bus], Coroutine[Any, Any, None]]) -> None:
    async def opened() -> None:
        bus = make()
        try:
            async with asyncio.timeout(60):
                await case(bus)
        finally:
            await bus.aclose()

    asyncio.run(opened())
