"""What is known of a run that is to go on: its entries, read once before it is ours, and only the new ones after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.agents.run import Run
from remit.agents.snapshots import Start, find, settle
from remit.core.partial import PartialResult
from remit.errors import error_of
from remit.journal.fork import forked_of, lineage
from remit.journal.replay import Recorded

if TYPE_CHECKING:
    from remit.agents.prepare import Prepared
    from remit.gate.scope import Scope
    from remit.ports.journal import Journal


_ENDS: Final = b'{"type":"run_done"'


class Reopened:
    """The journal of one run, as resuming it needs it. Raises what `lineage` raises."""

    def __init__(self, journal: Journal, run_id: str) -> None:
        self._journal = journal
        self.run_id = run_id
        self._entries = lineage(journal, run_id)
        entries = self._entries
        self._own = not entries or (entries[-1].seq == len(entries) and forked_of(entries) is None)
        """whether it is no fork: no other run's past is among them"""
        self.first = self._glance() if self._own else self.whole()
        """how it began, and whether it has ended, before it was ours"""
        self.recorded = self.first

    def _renew(self) -> None:
        if self._own:
            self._entries += self._journal.read(self.run_id, self._entries[-1].seq)
        else:
            self._entries = lineage(self._journal, self.run_id)

    def _glance(self) -> Recorded:
        ends = [entry for entry in self._entries[1:] if entry.body.startswith(_ENDS)]
        return Recorded([*self._entries[:1], *ends])

    def whole(self) -> Recorded:
        """With all its effects."""
        return Recorded(self._entries)

    def ended(self, read: Callable[[str], list[Any]]) -> Run:
        """What the run was, when it has ended; `read` gives its events."""
        recorded = self.whole()
        done = recorded.done
        assert done is not None
        e = done.error
        error = None if e is None else error_of(e["code"], e["message"], e["hint"], e["retryable"])
        run = Run(self.run_id, done.status, done.output, error)
        run.partials = msgspec.convert(done.partials, tuple[PartialResult, ...])
        run._read = read
        for record in recorded:
            if record.done is not None and record.done.usage is not None:
                run.usage = run.usage + record.done.usage
                cost = record.done.cost_nano
                run.cost_nano = None if cost is None or run.cost_nano is None else run.cost_nano + cost
            run.tool_calls += "/call/" in record.key
            run.denied += record.state == "denied"
        return run

    def renewed(self) -> Recorded:
        """The whole, once the run is ours: an answer may have come before it was."""
        self._renew()
        self.recorded = self.whole()
        return self.recorded

    def start(self, prepared: Prepared, scope: Scope) -> Start | None:
        """Called once an agent's run is ours: take in what came meanwhile, and find where its loop begins."""
        self._renew()
        start = find(self._journal, prepared, scope, self._entries) if self._own else None
        if start is None:
            self.recorded = self.whole()
        else:
            self.recorded = Recorded.skimmed(self._entries, start.seq)
            settle(scope, self._entries[: start.seq])
        recorded: Any = self.recorded
        scope.recorded = recorded
        return start
