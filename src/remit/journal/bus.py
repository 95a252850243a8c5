"""The wake-up bus of one process, which the one between machines (postgres_bus.py) builds on; and following the log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from remit.errors import Invalid
from remit.journal.log_reader import PAGE, Record, read_log
from remit.ports.bus import LOG, MAX_TOPIC, Bus

if TYPE_CHECKING:
    from remit.journal.sqlite import StoredJournal

FOLLOW_S = 1.0
"""a follower looks this often, whatever the bus says"""


class LocalWatch:
    """See ports.bus.Watch."""

    def __init__(self, bus: LocalBus, topic: str) -> None:
        self._bus = bus
        self._topic = topic
        self._told = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def wait(self, timeout_s: float) -> bool:
        """See ports.bus.Watch."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True

    def wake(self) -> None:
        """Called from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._told.set)
        except RuntimeError:
            pass  # that loop is closed; nobody waits there any more

    def __enter__(self) -> LocalWatch:
        self._bus.add(self._topic, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.remove(self._topic, self)


class Listener:
    """Calls a function in the loop in which it was made, whenever its topic is told."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._ended = False
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Called from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._tell)
        except RuntimeError:
            pass  # that loop is closed

    def end(self) -> None:
        """Call no more; also not for a wake-up that is on its way."""
        self._ended = True

    def _tell(self) -> None:
        if not self._ended:
            self._call()


class LocalBus:
    """See ports.bus.Bus: wake-ups within this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: dict[str, set[LocalWatch | Listener]] = {}

    def tell(self, topic: str) -> None:
        """See ports.bus.Bus."""
        self.wake(check_topic(topic))

    def watch(self, topic: str) -> LocalWatch:
        """See ports.bus.Bus."""
        return LocalWatch(self, check_topic(topic))

    async def aclose(self) -> None:
        """See ports.bus.Bus."""
        with self._lock:
            self._watches.clear()

    def wake(self, topic: str) -> None:
        """Wake the watches of this process; "" = all of them, because something was lost."""
        with self._lock:
            found = [w for name, watches in self._watches.items() if topic in ("", name) for w in watches]
        for watch in found:
            watch.wake()

    def add(self, topic: str, watch: LocalWatch | Listener) -> None:
        """Begin to wake `watch`."""
        with self._lock:
            self._watches.setdefault(topic, set()).add(watch)

    def remove(self, topic: str, watch: LocalWatch | Listener) -> None:
        """Wake it no more."""
        with self._lock:
            self._watches.get(topic, set()).discard(watch)
            if not self._watches.get(topic):
                self._watches.pop(topic, None)


def check_topic(topic: str) -> str:
    """`topic` itself when it is short printable ASCII, else value_invalid."""
    if not (0 < len(topic) <= MAX_TOPIC and topic.isascii() and topic.isprintable()):
        raise Invalid("value_invalid", f"not a topic: {topic!r:.80}")
    return topic


async def follow(journal: StoredJournal, bus: Bus, after: int = 0) -> AsyncIterator[list[Record]]:
    """The records of the log after a position, in order, in pages; goes on as the log grows. Ends when it is closed.

    Each record comes once, whatever the bus loses: a position is visible only after all smaller ones.
    """
    with bus.watch(LOG) as watch:
        while True:
            page: list[Record] = await asyncio.to_thread(_page, journal, after)
            if page:
                after = page[-1].position
                yield page
            if len(page) < PAGE:
                await watch.wait(FOLLOW_S)


def _page(journal: StoredJournal, after: int) -> list[Any]:
    with journal.reading() as connection:
        found = []
        for record in read_log(connection, after):
            found.append(record)
            if len(found) == PAGE:
                break
        return found
