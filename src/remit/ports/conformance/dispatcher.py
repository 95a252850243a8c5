"""Conformance suite of the dispatcher port: what every dispatcher does with runs, whoever keeps its queue.

Each `check_*` gets `make`, which opens a dispatcher, and works in a pool of its own, so a server may be shared. The
advancer is a double: a run is a list of steps, and what was called is written down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import uuid4

from remit.errors import Unavailable
from remit.ports.dispatcher import Advancer, Dispatcher, Parked, Step

Make = Callable[[], Dispatcher]
DONE: Final = Step(True, "ok")
WAITS: Final = Step(False, "waiting")
SOON_S: Final = 60.0
Act = Step | Exception | float | None
"""what one `advance` does: return, raise, wake after seconds, or (None) go on until it is stopped"""


class Double:
    """An Advancer whose runs do what `script` says, one item an `advance`; then they end."""

    def __init__(self, script: dict[str, list[Act]] | None = None, work_s: float = 0.0) -> None:
        self.script = script or {}
        self.work_s = work_s
        self.calls: list[tuple[str, str]] = []
        """(what, run id)"""
        self.under_way: dict[str, asyncio.Event] = {}
        self.most = 0
        self._outcomes: dict[str, Step | None] = {}

    @property
    def me(self) -> str:
        """One holder."""
        return "double"

    async def advance(self, run_id: str, lost: tuple[str, ...] = ()) -> Step:
        """Do the next item."""
        self.calls.append(("advance", run_id))
        act = self.script[run_id].pop(0) if self.script.get(run_id) else DONE
        self.under_way[run_id] = stop = asyncio.Event()
        self.most = max(self.most, len(self.under_way))
        try:
            if act is None:
                await stop.wait()
                act = self._outcomes.pop(run_id) or Parked("abandoned")
            elif self.work_s:
                await asyncio.sleep(self.work_s)
        finally:
            del self.under_way[run_id]
        if isinstance(act, Exception):
            raise act
        return (
            act
            if isinstance(act, Step)
            else Step(False, "waiting", round((time.clock_gettime(time.CLOCK_REALTIME) + act) * 1000))
        )

    async def abandon(self, run_id: str) -> None:
        """Stop it; `advance` raises Parked."""
        self.calls.append(("abandon", run_id))
        self._stop(run_id, None)

    async def cancel(self, run_id: str, reason: str) -> None:
        """End it; `advance` returns."""
        self.calls.append(("cancel", run_id))
        self._stop(run_id, Step(True, "cancelled"))

    def was_cancelled(self, run_id: str) -> bool:
        """Whether it was cancelled, once."""
        return self.count("cancel", run_id) == 1

    def count(self, what: str, run_id: str) -> int:
        """How often it was called."""
        return self.calls.count((what, run_id))

    def _stop(self, run_id: str, outcome: Step | None) -> None:
        if run_id in self.under_way:
            self._outcomes[run_id] = outcome
            self.under_way[run_id].set()


class Case:
    """One dispatcher, one pool, one double."""

    def __init__(self, dispatcher: Dispatcher, double: Double) -> None:
        self.dispatcher = dispatcher
        self.double = double
        self.pool = f"pool-{uuid4().hex}"
        self.tenants = (f"t{uuid4().hex[:12]}",)

    def run_id(self, name: str) -> str:
        """A run id that no other check uses."""
        return f"run_{self.pool[5:13]}_{name}"

    async def submit(self, *names: str) -> list[str]:
        """Submit runs; returns their ids."""
        ids = [self.run_id(name) for name in names]
        for run_id in ids:
            await self.dispatcher.submit(run_id, self.pool, self.tenants[0])
        return ids

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`."""
        async with asyncio.timeout(SOON_S):
            while not holds():
                await asyncio.sleep(0.01)

    async def serving(self, work: Callable[[], Awaitable[None]], concurrency: int = 100) -> None:
        """Serve the pool while `work` runs."""
        advancers: dict[str, Advancer] = dict.fromkeys(self.tenants, self.double)
        async with asyncio.TaskGroup() as group:
            server = group.create_task(self.dispatcher.serve(self.pool, advancers, concurrency))
            try:
                await work()
            finally:
                server.cancel()
                with suppress(asyncio.CancelledError):
                    await server


def check_a_submitted_run_is_advanced_to_its_end(make: Make) -> None:
    """Runs submitted before and while somebody serves are advanced, each once, and not again when they have ended."""

    async def case(c: Case) -> None:
        early = await c.submit("early")

        async def work() -> None:
            late = await c.submit("late")
            await c.until(lambda: len(c.double.calls) == 2)
            await asyncio.sleep(0.2)
            assert sorted(c.double.calls) == sorted(("advance", run) for run in early + late)

        await c.serving(work)

    _run(make, case)


def check_submitting_twice_is_one_run(make: Make) -> None:
    """A run that is queued three times is advanced by one worker at a time, and ends once."""

    async def case(c: Case) -> None:
        await c.submit("a")
        await c.submit("a")
        (run,) = await c.submit("a")

        async def work() -> None:
            await c.until(lambda: c.double.count("advance", run) >= 1)
            await asyncio.sleep(0.3)
            assert c.double.count("advance", run) == 1

        await c.serving(work)

    _run(make, case)


def check_a_waiting_run_goes_on_when_it_is_submitted(make: Make) -> None:
    """A run that waits is not looked at until it is submitted again; a submit while it is under way is not lost."""

    async def case(c: Case) -> None:
        run = c.run_id("a")
        c.double.script[run] = [WAITS, None, WAITS]
        await c.submit("a")

        async def work() -> None:
            await c.until(lambda: c.double.count("advance", run) == 1)
            await asyncio.sleep(0.3)
            assert c.double.count("advance", run) == 1
            await c.submit("a")
            await c.until(lambda: run in c.double.under_way)
            await c.submit("a")  # it may already have looked
            c.double._stop(run, WAITS)
            await c.until(lambda: c.double.count("advance", run) == 3)
            await c.submit("a")
            await c.until(lambda: c.double.count("advance", run) == 4)

        await c.serving(work)

    _run(make, case)


def check_a_failure_is_tried_again(make: Make) -> None:
    """An advance that fails for now is repeated after a pause; one that cannot go on here is not."""

    async def case(c: Case) -> None:
        run, hopeless = c.run_id("a"), c.run_id("b")
        c.double.script[run] = [Unavailable("network_failed", "away", retryable=True)] * 2
        c.double.script[hopeless] = [Unavailable("extra_missing", "never")] * 5
        await c.submit("a", "b")

        async def work() -> None:
            await c.until(lambda: c.double.count("advance", run) == 3)
            assert c.double.count("advance", hopeless) == 1

        await c.serving(work)

    _run(make, case)


def check_a_cancelled_run_is_ended(make: Make) -> None:
    """Cancelling ends the run that is under way, and one that waits; an unknown run is False."""

    async def case(c: Case) -> None:
        busy, waiting = c.run_id("busy"), c.run_id("waiting")
        c.double.script[busy] = [None]
        c.double.script[waiting] = [3600.0]
        await c.submit("busy", "waiting")

        async def work() -> None:
            await c.until(lambda: busy in c.double.under_way and c.double.count("advance", waiting) == 1)
            await asyncio.sleep(0.1)
            for run in (busy, waiting):
                assert await c.dispatcher.cancel(run, "enough", c.tenants[0])
                await c.until(partial(c.double.was_cancelled, run))
            await c.until(lambda: busy not in c.double.under_way)
            assert not await c.dispatcher.cancel(c.run_id("none"), "", c.tenants[0])
            assert c.double.count("abandon", busy) == 0

        await c.serving(work)

    _run(make, case)


def check_a_worker_that_stops_parks_its_runs(make: Make) -> None:
    """When serving is cancelled its runs are abandoned, not cancelled, and the next worker goes on with them."""

    async def case(c: Case) -> None:
        run = c.run_id("a")
        c.double.script[run] = [None]
        await c.submit("a")

        async def begun() -> None:
            await c.until(lambda: run in c.double.under_way)

        await c.serving(begun)
        assert (c.double.count("abandon", run), c.double.count("cancel", run)) == (1, 0)
        await c.submit("a")

        async def again() -> None:
            await c.until(lambda: c.double.count("advance", run) == 2)

        await c.serving(again)

    _run(make, case)


def check_concurrency_is_bounded(make: Make) -> None:
    """Of 30 runs at most 4 are under way at once, and all of them end."""

    async def case(c: Case) -> None:
        c.double.work_s = 0.1  # longer than a slow machine takes to hand out the next one
        runs = await c.submit(*(str(number) for number in range(30)))

        async def work() -> None:
            await c.until(lambda: {run for _, run in c.double.calls} == set(runs) and not c.double.under_way)
            assert 2 <= c.double.most <= 4

        await c.serving(work, concurrency=4)

    _run(make, case)


CHECKS: Final = tuple(value for name, value in sorted(globals().items()) if name.startswith("check_"))


def _run(make: Make, case: Callable[[Case], Coroutine[Any, Any, None]]) -> None:
    async def opened() -> None:
        dispatcher = make()
        try:
            async with asyncio.timeout(120):
                await case(Case(dispatcher, Double()))
        finally:
            await dispatcher.aclose()

    asyncio.run(opened())
