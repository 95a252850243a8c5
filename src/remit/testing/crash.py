"""A journal that loses its process: the n-th event of all runs is not written, nor is anything after it.

journal = CrashJournal(clock, at=7)
try:
    ... run something in Runtime(journal) ...
except BaseException: ...      # Crash, or a group that holds it
journal.revive()               # another process takes the file over
... resume in another Runtime(journal) ...
"""

from __future__ import annotations

from typing import Any

from remit.core.events import EffectDone, EffectIntent, Event, RunStarted
from remit.journal.chain import decode_event
from remit.journal.memory import MemoryJournal, MemoryRunLog
from remit.ports.clock import Clock
from remit.ports.journal import Entry


class Crash(BaseException):
    """The process is gone. No error: code that catches errors must not see it."""


class CrashJournal(MemoryJournal):
    """A journal in memory that stops before event number `at` (1 = nothing is written; 0 = never)."""

    def __init__(self, clock: Clock, at: int = 0) -> None:
        super().__init__(clock)
        self.at = at
        self.written = 0
        self.dead = False

    def count(self) -> None:
        """One more event is to be written; raises Crash."""
        if self.dead or self.written + 1 == self.at:
            self.dead = True
            raise Crash
        self.written += 1

    def create(self, run_id: str, event: RunStarted) -> Any:
        """See ports.journal.Journal."""
        self.count()
        return CrashLog(self, super().create(run_id, event))

    async def activate(self, run_id: str) -> Any:
        """See ports.journal.Journal."""
        self.count()
        return CrashLog(self, await super().activate(run_id))

    def revive(self) -> None:
        """Another process takes over: nobody holds a run, and nothing crashes any more."""
        self.dead, self.at = False, 0
        for run in self._runs.values():
            run.log = None

    def models_done(self) -> int:
        """Model calls whose outcome is written."""
        found = 0
        for run_id in self._runs:
            kinds: dict[str, str] = {}
            for entry in self.read(run_id):
                event = decode_event(entry.body)
                if isinstance(event, EffectIntent):
                    kinds[event.key] = event.kind
                found += isinstance(event, EffectDone) and kinds.get(event.key) == "model"
        return found


class CrashLog:
    """One activation of a run in such a journal."""

    def __init__(self, journal: CrashJournal, log: MemoryRunLog) -> None:
        self._journal, self._log = journal, log
        self.run_id, self.epoch = log.run_id, log.epoch

    def append(self, event: Event) -> Entry:
        """See ports.journal.RunLog; raises Crash."""
        self._journal.count()
        return self._log.append(event)

    def note(self, event: Event) -> None:
        """See ports.journal.RunLog; raises Crash."""
        self._journal.count()
        self._log.note(event)

    async def flush(self) -> None:
        """See ports.journal.RunLog; raises Crash."""
        if self._journal.dead:
            raise Crash
        await self._log.flush()

    async def release(self, status: str) -> None:
        """See ports.journal.RunLog; raises Crash."""
        if self._journal.dead:
            raise Crash
        await self._log.release(status)
