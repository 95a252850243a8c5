"""Events of something that runs, as an async iterator; and a loop for synchronous callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from remit.errors import Invalid


class EventStream:
    """Starts `make(listen)` on first use and yields what it says to `listen`, then its result.

    Leaving the loop early (break, or the end of `async with`) cancels it; a cancelled model call
    closes its socket.
    """

    def __init__(self, make: Callable[[Callable[[Any, Any], None]], Awaitable[Any]]) -> None:
        self._make = make
        self._queue: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Any:
        if self._ended:
            raise StopAsyncIteration
        if self._task is None:
            self._task = asyncio.create_task(self._work())  # noqa: TID251  # this class owns the task and waits for it
        try:
            last, item = await self._queue.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if last:
            self._ended = True
            if isinstance(item, BaseException):
                raise item
        return item

    async def _work(self) -> None:
        try:
            result = await self._make(lambda entry, event: self._queue.put_nowait((False, Shown(entry, event))))
        except asyncio.CancelledError as e:
            self._queue.put_nowait((True, e))
            raise
        except Exception as e:  # carried to whoever iterates
            self._queue.put_nowait((True, e))
        else:
            self._queue.put_nowait((True, result))

    async def aclose(self) -> None:
        """Cancel what runs, and wait until it has cleaned up."""
        self._ended = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def __aenter__(self) -> EventStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Shown:
    """One event of a stream: a journal event (then `entry` says where it stands) or a delta that is not journalled."""

    __slots__ = ("entry", "event")

    def __init__(self, entry: Any, event: Any) -> None:
        self.entry = entry
        self.event = event

    def __getattr__(self, name: str) -> Any:
        return getattr(self.event, name)

    @property
    def type(self) -> str:
        """The event's tag, for example effect_done or text_delta."""
        return str(self.event.__struct_config__.tag)

    def __repr__(self) -> str:
        return repr(self.event)


def run_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on uvloop (asyncio where it is absent); not from inside a running loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        work.close()
        raise Invalid("value_invalid", "run_sync was called inside a running event loop; use `await agent.run(...)`")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


def loop_factory() -> Any:
    """uvloop's, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
