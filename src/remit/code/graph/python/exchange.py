"""Modules that talk to each other until all is said: sweeps in a fixed order, each remembered, so that after an edit
only those run again whose input is not what it was.

Time is (sweep, place in the order). What a module says in a sweep reaches those after it in the same sweep and those
before it in the next. What it reads of another for the first time it sees at once, as it is by then. A module is a
deterministic machine: the same facts and the same input in the same sweeps give the same output. So a module whose
recorded input still holds need not run: its record is its output. One whose input differs is run again from its first
sweep with the recorded input, up to the sweep that differs, and goes on from there. A cold run is the same with no
records, hence incremental and cold say the same by construction.

Rejected: keeping one global solution and deleting what an edit contributed. The meaning of Python is not monotone here
(first class of an order that has a name, built-in when the module has none), so what would be left depends on history.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from remit.code.graph.calls import Call
from remit.code.graph.python.program import Unit

MAX_SWEEPS: Final = 60
"""Sweeps over all modules; what is said later is dropped, and the module that said it is reported as cut."""
Time = tuple[int, int]


class Record(Struct, array_like=True):
    """What a module heard and said: (sweep, module, messages) and (sweep, module, digest of the messages)."""

    heard: list[tuple[int, str, bytes]]
    said: list[tuple[int, str, bytes]]
    pulled: list[tuple[int, str, list[tuple[bytes, list[bytes]]]]]
    """(sweep, module, (place, what it held))"""
    looked: list[str]
    """dotted names that it asked for"""
    cut: bool

    def partners(self) -> set[str]:
        """Every module that it talked with."""
        return {row[1] for row in self.heard} | {row[1] for row in self.said}


class Live:
    """A module that runs."""

    def __init__(self, unit: Unit, start: Time, record: Record | None) -> None:
        self.unit = unit
        self.start = start
        """what it said and read before is as recorded"""
        self.done = -1
        self.behind = start > (0, -1)
        """whether recorded input before `start` is still to be given to it"""
        self.heard: dict[int, list[tuple[str, bytes]]] = {}
        self.said: dict[int, dict[str, bytes]] = {}
        self.seen: dict[tuple[int, str, bytes], list[bytes]] = {}
        self.log = Record([], [], [], [], False)
        self._pulled: dict[str, list[tuple[bytes, list[bytes]]]] = {}
        for sweep, sender, raw in record.heard if record is not None else ():
            self.heard.setdefault(sweep, []).append((sender, raw))
        for sweep, target, digest in record.said if record is not None else ():
            self.said.setdefault(sweep, {})[target] = digest
        for sweep, path, rows in record.pulled if record is not None else ():
            for place, values in rows:
                self.seen[sweep, path, place] = values

    def activate(self, sweep: int, inbox: list[tuple[str, bytes]]) -> dict[str, bytes]:
        """One sweep; what was heard, read and said is noted."""
        self.done = sweep
        said = self.unit.activate(inbox, modules_only=sweep == 0)
        self.log.heard.extend((sweep, sender, raw) for sender, raw in inbox)
        self.log.said.extend((sweep, target, digest_of(raw)) for target, raw in sorted(said.items()))
        self.log.pulled.extend((sweep, path, rows) for path, rows in sorted(self._pulled.items()))
        self._pulled.clear()
        return said

    def note(self, path: str, place: bytes, values: list[bytes]) -> list[bytes]:
        """What it read of another module."""
        self._pulled.setdefault(path, []).append((place, values))
        return values

    def record(self) -> Record:
        """The record of all sweeps."""
        self.log.looked = sorted(self.unit.cells.looked)
        self.log.cut = self.unit.cut
        return self.log


def digest_of(raw: bytes) -> bytes:
    """Tells messages apart."""
    return hashlib.blake2b(raw, digest_size=12).digest()


class Exchange:
    """All modules, those that run and those that need not."""

    def __init__(
        self, order: Sequence[str], unit_of: Callable[[str], Unit], record_of: Callable[[str], Record | None]
    ) -> None:
        self._order = order
        self._rank = {path: at for at, path in enumerate(order)}
        self._unit_of = unit_of
        self._record_of = record_of
        self._live: dict[str, Live] = {}
        self._pending: dict[tuple[str, int], dict[str, bytes]] = {}
        self._heap: list[tuple[int, int, bool]] = []
        """(sweep, rank, whether it runs then or is only checked)"""
        self._checks: dict[Time, list[tuple[str, bytes]]] = {}
        """what others, by their records, read at a time of a module that runs: (that module, messages)"""

    def run(self, fresh: Iterable[str]) -> dict[str, tuple[Record, list[Call]]]:
        """{path: (record, calls)} of every module that ran; `fresh` must run, others run where their input changed."""
        for path in fresh:
            self._wake(path, (0, -1))
        while self._heap:
            sweep, rank, runs = heapq.heappop(self._heap)
            path = self._order[rank]
            if not runs:
                self._check(path, (sweep, rank))
            elif self._live[path].done < sweep:
                self._catch_up(self._live[path], rank, (sweep, rank))
                self._step(path, sweep)
        made = {path: (live.record(), live.unit.calls()) for path, live in self._live.items()}
        for live in self._live.values():
            live.unit.cells.make.clear()
        return made

    def _wake(self, path: str, start: Time) -> Live:
        """Let a module run: up to `start` with the recorded input."""
        live = self._live[path] = Live(self._unit_of(path), start, self._record_of(path))
        live.unit.source = lambda other, place: self._read(path, other, place)
        rank = self._rank[path]
        self._plan(live, rank, start)
        for sweep, rows in live.heard.items():
            for sender, raw in rows:
                at = self._rank.get(sender, -1)
                time = (sweep if at < rank else sweep - 1, at)
                if at >= 0 and time > start:
                    self._checks.setdefault(time, []).append((path, raw))
                    heapq.heappush(self._heap, (*time, False))
        return live

    def _plan(self, live: Live, rank: int, start: Time) -> None:
        for sweep in {0, 1, *live.heard}:
            if (sweep, rank) >= start:
                heapq.heappush(self._heap, (sweep, rank, True))
        if start[1] == rank:
            heapq.heappush(self._heap, (*start, True))

    def _check(self, path: str, now: Time) -> None:
        """Wake a module that would read something else now than its record says."""
        live = self._live.get(path)
        if live is not None and live.start <= now:
            return
        for other, raw in self._checks.pop(now, ()):
            if not self._live[other].unit.shows(raw):
                if live is None:
                    self._wake(path, now)
                else:
                    live.start = now
                    self._plan(live, now[1], now)
                return

    def _catch_up(self, live: Live, rank: int, now: Time) -> None:
        """Give it the recorded input of all times before `now` and before its start."""
        if not live.behind:
            return
        for sweep in sorted({0, 1, *live.heard}):
            if live.done < sweep and (sweep, rank) < min(now, live.start):
                live.activate(sweep, sorted(live.heard.get(sweep, ())))
        live.behind = now < live.start

    def _read(self, reader: str, path: str, place: bytes) -> list[bytes]:
        """What a cell of a module holds at the time of its reader, which is at work."""
        live = self._live[reader]
        now = (live.done, self._rank[reader])
        rank = self._rank.get(path)
        if rank is None:
            return []
        other = self._live.get(path)
        if now < live.start or other is None or now < other.start:
            seen = live.seen.get((live.done, path, place))
            if seen is not None:
                return live.note(path, place, seen)
        if other is None:
            other = self._wake(path, now)
        self._catch_up(other, rank, now)
        return live.note(path, place, other.unit.peek(place))

    def _holds(self, sender: str, path: str, sweep: int) -> bool:
        """Whether a recorded message is still what its sender says."""
        rank = self._rank.get(sender)
        if rank is None:
            return False
        other = self._live.get(sender)
        return other is None or (sweep if rank < self._rank[path] else sweep - 1, rank) < other.start

    def _step(self, path: str, sweep: int) -> None:
        live = self._live[path]
        inbox = [(s, raw) for s, raw in live.heard.get(sweep, ()) if self._holds(s, path, sweep)]
        inbox += self._pending.pop((path, sweep), {}).items()
        live.done = sweep
        said = live.activate(sweep, sorted(inbox)) if inbox or sweep <= 1 else {}
        before = live.said.get(sweep, {})
        rank = self._rank[path]
        for target in sorted({*said, *before}):
            at = self._rank.get(target)
            if at is None:
                continue
            time = (sweep if at > rank else sweep + 1, at)
            raw = said.get(target)
            if time[0] > MAX_SWEEPS:
                live.unit.cut = True
                continue
            if raw is not None:
                self._pending.setdefault((target, time[0]), {})[path] = raw
            if target in self._live:
                heapq.heappush(self._heap, (*time, True))
            elif raw is None or digest_of(raw) != before.get(target):
                self._wake(target, time)
