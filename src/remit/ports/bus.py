"""Port: the wake-up bus. It says that something may have happened, never what; it may lose anything.

Whoever waits reads the truth (the journal) by cursor: after every wake-up and after every timeout. So a lost message
costs time, never an event.

    with bus.watch("log") as watch:
        while True:
            read what is new            # first: what came before the watch is not told again
            await watch.wait(1.0)
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Protocol, Self

READY: Final = "ready"
"""a run was submitted, or a question was answered"""
LOG: Final = "log"
"""the log has new records"""
MAX_TOPIC: Final = 200  # characters


class Watch(Protocol):
    """One who waits for a topic; belongs to the event loop that opened it."""

    async def wait(self, timeout_s: float) -> bool:
        """True once the topic was told since the last `wait` (or since the watch began), False after a timeout."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the watch."""
        ...


class Bus(Protocol):
    """Wake-ups within a process, or between machines."""

    def tell(self, topic: str) -> None:
        """Wake whoever watches `topic`. Never blocks and never fails; from any thread. Raises value_invalid (topic)."""
        ...

    def watch(self, topic: str) -> Watch:
        """Begin to watch; call it inside an event loop."""
        ...

    async def aclose(self) -> None:
        """Stop; watches still time out."""
        ...
