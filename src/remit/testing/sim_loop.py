"""`SimLoop`: an asyncio event loop with virtual time and seeded scheduling. One seed, one history, byte for byte.

Idea: an asyncio program depends on the outside in four ways: the order in which ready callbacks run, when timers fire,
threads, and I/O. This loop decides the first by its seed, moves its own clock to the next timer when nothing is ready,
runs what is given to a thread at once, in the loop, and has no I/O at all. So a week of waiting takes a millisecond,
and a failure is seen again by its seed.

Limits: callbacks are reordered, as far as asyncio promises no order: those of different tasks. No sockets, no
subprocesses, no signals; what needs them is replaced by a double. A program that waits for something that never comes
ends with DeadlockError, which asyncio would wait for for ever.

Source: FoundationDB's and TigerBeetle's simulations; trio's deterministic scheduling hook.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, Final

from remit.ports.user_code import user_code
from remit.testing.workloads import Dice

START_MS: Final = 1_767_225_600_000  # 2026-01-01
MAX_STEPS: Final = 5_000_000


class Deadlock(RuntimeError):
    """Nothing is ready, no timer is set, and the program has not ended."""


class SimLoop(asyncio.BaseEventLoop):
    """See the module's text.

    Args:
        seed: of the order of callbacks.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self._dice = Dice(f"loop {seed}")
        self._now = 0.0
        self.tasks = 0
        """tasks that were made"""
        self.steps = 0
        """callbacks that were run"""
        self._inline = _Inline()
        self.set_default_executor(self._inline)
        self.set_task_factory(_task)

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._now

    def now_ms(self) -> int:
        """Virtual wall clock."""
        return START_MS + round(self._now * 1000)

    def run(self, program: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end, clean up, and close the loop; raises what the program raises."""
        try:
            return self.run_until_complete(program)
        finally:
            leftover = asyncio.all_tasks(self)
            for task in leftover:
                task.cancel()
            if leftover:
                self.run_until_complete(asyncio.gather(*leftover, return_exceptions=True))
            self.close()

    def set_default_executor(self, executor: Any) -> None:
        """Only the loop's own executor, which is no thread."""
        self._default_executor = executor

    def _run_once(self) -> None:
        """One callback, chosen by the dice, after the timers that are due; else on to the next timer."""
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]  # BaseEventLoop's own
        ready: deque[Any] = self._ready  # type: ignore[attr-defined]  # BaseEventLoop's own
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready and not self._stopping:  # type: ignore[attr-defined]  # BaseEventLoop's own
            if not scheduled:
                raise Deadlock(f"nothing is ready and no timer is set (seed {self.seed}, step {self.steps})")
            self._now = max(self._now, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            if not timer._cancelled:
                ready.append(timer)
        if not ready:
            return
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Deadlock(f"{MAX_STEPS} callbacks and no end (seed {self.seed})")
        ready.rotate(-self._dice.below(len(ready)))
        handle = ready.popleft()
        if not handle._cancelled:
            handle._run()

    def _process_events(self, event_list: Any) -> None:
        """No I/O, no events: whoever calls this has made a selector of its own."""
        assert not event_list

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector, so there is nobody to wake."""
        return None


class _Task(asyncio.Task[Any]):
    """A task whose place in a set follows from when it was made, not from where it lies in memory.

    asyncio keeps tasks in sets, and cancels a group's tasks in the order of its set.
    """

    number = 0

    def __hash__(self) -> int:
        return self.number


def _task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> _Task:
    assert isinstance(loop, SimLoop)
    loop.tasks += 1
    _Task.number = loop.tasks  # asyncio asks for the hash while the task is being made
    task = _Task(coro, loop=loop, **options)
    task.number = loop.tasks
    return task


class _Inline(Executor):
    """Runs what is given to a thread at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future that is done."""
        future: Future[Any] = Future()
        with user_code() as code:
            future.set_result(fn(*args, **kwargs))
        if code.error is not None:
            future.set_exception(code.error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """There is no thread to stop."""
        return None


class SimClock:
    """`ports.clock.Clock` of a SimLoop; random bits follow from its seed."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._dice = Dice(f"clock {loop.seed}")

    def now_ms(self) -> int:
        """Virtual wall clock."""
        return self._loop.now_ms()

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    def random_bits(self, bits: int) -> int:
        """The next number below 2**bits."""
        found = 0
        for _ in range(0, bits, 32):
            found = (found << 32) | self._dice.below(1 << 32)
        return found & ((1 << bits) - 1)

    async def sleep(self, seconds: float) -> None:
        """Virtual time."""
        await asyncio.sleep(seconds)
