"""A host: keeps parked runs alive without keeping anything of them.

    async with runtime.host(deploy, analyst) as host:
        run_id = await host.start(deploy, "v2")
        run = await host.ended(run_id)

A parked run is a row of the journal; the host holds at most its next moment. It sleeps on two things: the journal's
bell (somebody answered or parked a run, in any process) and one timer for the earliest moment. So ten thousand waiting
runs cost no thread, no task and no poll. What rings is only looked at: whether a run can go on is read from its events.

Invariants: a run is resumed from its root, so that a child that was answered goes on inside its parent; two hosts of
one journal never run the same run (the journal gives it to one of them); what a host does not know it leaves alone.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from remit.core.events import EffectResolved, Forked, MessageReceived, RunStarted, TimerSet, WaitClosed, WaitOpened
from remit.core.ids import new_id
from remit.errors import Conflict, Invalid, RemitError
from remit.journal.chain import decode_event
from remit.ports.runtime import reset_current, set_current

if TYPE_CHECKING:
    from remit.agents.run import Run
    from remit.agents.runner import Runner
    from remit.ports.journal import Entry

MAX_RUNS: Final = 10_000_000  # that one look at the journal lists
MAX_SLEEP_S: Final = 3600.0  # a wall clock that is set forward is noticed within this time
MAX_CLIMB: Final = 100  # parents of a run
LATE_S: Final = 30.0  # how long a host waits for its runs to end when it is closed


class Host:
    """See the module's text. Made by `runtime.host(...)`.

    Args:
        definitions: agents and workflows whose runs it wakes, by name.
    """

    def __init__(self, runtime: Runner, definitions: Iterable[Any]) -> None:
        self._runtime = runtime
        self._known: dict[str, Any] = {each.name: each for each in definitions}
        self._due: list[tuple[int, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._group = asyncio.TaskGroup()
        self._live: set[str] = set()
        self._again: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Run]] = {}
        self._stop: Any = None
        self._token: Any = None
        self.wakes = 0
        """how often a run was resumed"""

    async def __aenter__(self) -> Host:
        self._token = set_current(self._runtime)
        await self._group.__aenter__()
        self._stop = self._runtime.journal.follow(self._rang)
        self._look_at_all()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._stop()
        if self._timer is not None:
            self._timer.cancel()
        for run_id in list(self._live):
            self._runtime.cancel(run_id, "host", "the host ends", kind="shutdown")
        for future in self._waiting.values():
            future.cancel()
        await self._group.__aexit__(*error)
        reset_current(self._token)

    async def start(self, definition: Any, task: Any = None, *, run_id: str = "", **options: Any) -> str:
        """Begin a run in the background; returns its id."""
        self._known[definition.name] = definition
        clock = self._runtime.clock
        run_id = run_id or new_id("run", clock.now_ms(), clock.random_bits(80))
        self._begin(run_id, partial(self._runtime.run, definition, task, run_id=run_id, **options))
        return run_id

    async def ended(self, run_id: str) -> Run:
        """The run once it has ended, through all its waits. Raises run_unknown, and what resuming it raises."""
        future = self._waiting.get(run_id)
        if future is None:
            future = self._waiting[run_id] = asyncio.get_running_loop().create_future()
            if run_id not in self._live:
                self._look(run_id)
        return await asyncio.shield(future)

    def adopt(self, *definitions: Any) -> None:
        """Know further definitions, and wake their runs."""
        self._known.update({each.name: each for each in definitions})
        self._look_at_all()

    # --- what wakes ------------------------------------------------------------------------------

    def _rang(self, run_id: str) -> None:
        if not run_id:
            self._look_at_all()
        elif run_id in self._live:
            self._again.add(run_id)
        else:
            self._look(run_id)

    def _look_at_all(self) -> None:
        for row in self._runtime.journal.runs(MAX_RUNS):
            if row.status in ("waiting", "interrupted") and row.run_id not in self._live:
                self._look(row.run_id, interrupted=row.status == "interrupted")

    def _look(self, run_id: str, *, interrupted: bool = False) -> None:
        """Resume the run when it can go on, else remember its next moment."""
        try:
            root, entries = self._root(run_id)
        except RemitError:
            return  # it is gone, or cannot be read: `remit audit verify` says why
        name = _name(entries)
        if name not in self._known or root in self._live:
            self._again |= {root} & self._live
            return
        ended = entries[-1].body.startswith(b'{"type":"run_done"')
        own = entries if root == run_id else self._runtime.journal.read(run_id)
        due_ms = next_moment(own)
        if ended or interrupted or can_go_on(own) or (due_ms and due_ms <= self._runtime.clock.now_ms()):
            definition = self._known[name]
            self.wakes += not ended
            self._begin(root, partial(self._runtime.resume, root, definition))
        elif due_ms:
            self._remember(due_ms, run_id)

    def _root(self, run_id: str) -> tuple[str, list[Entry]]:
        for _ in range(MAX_CLIMB):
            entries = self._runtime.journal.read(run_id)
            started = decode_event(entries[0].body)
            assert isinstance(started, RunStarted)
            if not started.parent:
                return run_id, entries
            run_id = started.parent
        raise Invalid("run_unknown", f"run {run_id} has more than {MAX_CLIMB} parents")

    def _remember(self, due_ms: int, run_id: str) -> None:
        heapq.heappush(self._due, (due_ms, run_id))
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            left_s = max(0.0, (self._due[0][0] - self._runtime.clock.now_ms()) / 1000)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(left_s, MAX_SLEEP_S), self._moment)

    def _moment(self) -> None:
        self._timer = None
        now_ms = self._runtime.clock.now_ms()
        while self._due and self._due[0][0] <= now_ms:
            _, run_id = heapq.heappop(self._due)
            self._rang(run_id)
        self._set_timer()

    # --- one activation --------------------------------------------------------------------------

    def _begin(self, run_id: str, work: Callable[[], Awaitable[Run]]) -> None:
        self._live.add(run_id)
        self._group.create_task(self._carry(run_id, work))

    async def _carry(self, run_id: str, work: Callable[[], Awaitable[Run]]) -> None:
        error: RemitError | None = None
        run: Run | None = None
        try:
            run = await work()
        except RemitError as e:
            error = e
        finally:
            self._live.discard(run_id)
        if run is not None and run.status == "waiting":
            if run.due_ms:
                self._remember(run.due_ms, run_id)
            if run_id in self._again:
                self._again.discard(run_id)
                self._look(run_id)
            return
        future = self._waiting.pop(run_id, None)
        if future is None or future.done():
            return  # nobody asked how it ended; the journal knows
        if run is not None:
            future.set_result(run)
        elif isinstance(error, Conflict) and error.code == "run_active":
            self._waiting[run_id] = future  # another host has it; its bell will be heard
        elif error is not None:
            future.set_exception(error)


def can_go_on(entries: list[Entry]) -> bool:
    """Whether a parked run's last event is what it waited for."""
    return isinstance(decode_event(entries[-1].body), WaitClosed | EffectResolved | MessageReceived | Forked)


def next_moment(entries: list[Entry]) -> int:
    """The earliest moment at which a parked run goes on by itself (wall clock in ms); 0 = never."""
    due: dict[str, int] = {}
    for entry in entries:
        if b'"due_ms"' in entry.body or entry.body.startswith(b'{"type":"wait_closed"'):
            event = decode_event(entry.body)
            if isinstance(event, TimerSet | WaitOpened):
                due[event.item] = event.due_ms
            elif isinstance(event, WaitClosed):
                due.pop(event.item, None)
    return min((at for at in due.values() if at), default=0)


def _name(entries: list[Entry]) -> str:
    started = decode_event(entries[0].body)
    return started.agent if isinstance(started, RunStarted) else ""
