"""Callbacks of one process that are told when a run was parked or answered, each in the event loop it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Listener = Callable[[str], None]


class Listeners:
    """Callbacks of one process, each called in the loop that it came from."""

    def __init__(self) -> None:
        self._all: dict[int, tuple[Any, Listener]] = {}
        self._next = 0

    def add(self, listener: Listener) -> Callable[[], None]:
        """Add one; returns what removes it."""
        number, self._next = self._next, self._next + 1
        from asyncio import get_running_loop  # a journal in memory is used without a loop too

        self._all[number] = (get_running_loop(), listener)
        return lambda: self._all.pop(number, None) and None

    def __len__(self) -> int:
        return len(self._all)

    def tell(self, run_id: str) -> None:
        """Call all, from any thread."""
        for loop, listener in list(self._all.values()):
            try:
                loop.call_soon_threadsafe(listener, run_id)
            except RuntimeError:
                continue  # that loop is closed
