"""The journal in memory: the same chain and rules as on disk, for as long as the process lives.

The hot path of a run without a store: `note` is one JSON encoding and one list append; the chain
over what was noted is computed when somebody looks. Flush returns at once. Nothing here survives the
process, so effects that must not be done twice are safe only within it.

Invariants: the oldest *finished* runs are forgotten once more than `max_runs` are held, so a server
does not grow; running and parked runs are never forgotten. One `MemoryRunLog` belongs to one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from remit.core.events import Event, RunDone, RunResumed, RunStarted
from remit.core.tools import Tool
from remit.errors import Conflict, Invalid
from remit.journal.chain import Tip, check_chain, check_run_id, decode_event, encode_event
from remit.journal.heads import CHANGES, FINAL, PARKED, Change, Head, change_of, check_answer, check_status, inbox_row
from remit.journal.listeners import Listeners
from remit.journal.owner import this_process
from remit.ports.clock import Clock
from remit.ports.journal import Entry, InboxRow, RunRow

if TYPE_CHECKING:
    from remit.ports.bus import Bus


class _Run:
    __slots__ = ("_chained", "_tip", "head", "log", "noted")

    def __init__(self, head: Head) -> None:
        self._chained: list[Entry] | None = None
        self.noted: list[Any] = []
        """wall clock and body, by turns, of events that are not in the chain yet: nothing for the collector"""
        self._tip: Tip | None = None
        self.head = head
        self.log: MemoryRunLog | None = None

    @property
    def tip(self) -> Tip:
        """The end of the chain; made when somebody first looks."""
        if self._tip is None:
            self._tip = Tip(self.head.run_id, epoch=1)
        return self._tip

    @tip.setter
    def tip(self, tip: Tip) -> None:
        self._tip = tip

    @property
    def entries(self) -> list[Entry]:
        """All events in their chain."""
        if self._chained is None:
            self._chained = []
        if self.noted:
            noted = iter(self.noted)
            self._chained += [self.tip.add(body, at_ms) for at_ms, body in zip(noted, noted, strict=True)]
            self.noted.clear()
        return self._chained

    @property
    def count(self) -> int:
        """How many events there are."""
        return len(self._chained or ()) + len(self.noted) // 2


class MemoryRunLog:
    """One activation of a run in memory."""

    __slots__ = ("_journal", "_now_ms", "_open", "_run", "epoch", "run_id")

    def __init__(self, journal: MemoryJournal, run: _Run, epoch: int) -> None:
        self.run_id = run.head.run_id
        self.epoch = epoch
        self._journal = journal
        self._run = run
        self._now_ms = journal.clock.now_ms
        self._open = True

    def append(self, event: Event) -> Entry:
        """See ports.journal.RunLog; raises value_invalid, and stale_epoch once released."""
        self.note(event)
        return self._run.entries[-1]

    def note(self, event: Event) -> None:
        """See ports.journal.RunLog; raises as `append`."""
        if not self._open:
            raise Conflict("stale_epoch", f"the activation {self.epoch} of run {self.run_id} has ended")
        run = self._run
        change = change_of(event) if type(event) in CHANGES else None
        run.noted += self._now_ms(), encode_event(event)
        if change is not None:
            self._journal._apply(run, change, run.count)

    async def flush(self) -> None:
        """Return at once: memory has nothing to wait for."""
        return

    async def release(self, status: str) -> None:
        """See ports.journal.RunLog; an ending `status` without a run_done event writes one."""
        if not self._open:
            return
        check_status(status)
        if status in FINAL and self._run.head.status not in FINAL:
            self.append(RunDone(status))
        self._open = False
        self._journal._released(self._run, status)


class MemoryJournal:
    """See ports.journal.Journal.

    Args:
        clock: wall time of the entries.
        max_runs: how many runs are held; beyond it the oldest finished ones go.
    """

    def __init__(self, clock: Clock, max_runs: int = 10_000) -> None:
        self.clock = clock
        self._max_runs = max_runs
        self._runs: dict[str, _Run] = {}
        self._finished: deque[str] = deque()
        self._items: dict[str, str] = {}
        """inbox item -> run that holds it"""
        self._listeners = Listeners()
        self._transactions: Any = None

    def create(self, run_id: str, event: RunStarted) -> MemoryRunLog:
        """See ports.journal.Journal; raises value_invalid (run id), run_active (it exists)."""
        if run_id in self._runs:
            raise Conflict("run_active", f"run {run_id} exists")
        run = _Run(Head(check_run_id(run_id), event, 0))
        run.log = MemoryRunLog(self, run, 1)
        run.log.note(event)
        run.head.started_ms = run.noted[0]
        self._runs[run_id] = run
        while len(self._runs) > self._max_runs and self._finished:
            self._forget(self._finished.popleft())
        return run.log

    async def activate(self, run_id: str) -> MemoryRunLog:
        """See ports.journal.Journal."""
        run = self._run(run_id)
        if run.log is not None:
            raise Conflict("run_active", f"run {run_id} is active in this process")
        if run.head.status in FINAL:
            raise Conflict("run_active", f"run {run_id} has ended: {run.head.status}")
        for entry in check_chain(run.entries):
            decode_event(entry.body)
        last = run.entries[-1]
        run.tip = Tip(run_id, epoch=last.epoch + 1, seq=last.seq, last=last.hash)
        run.log = MemoryRunLog(self, run, last.epoch + 1)
        run.log.append(RunResumed(last.epoch + 1))
        run.head.status = "running"
        return run.log

    async def fence(self, run_id: str, holder: str) -> bool:
        """See ports.journal.Journal."""
        run = self._run(run_id)
        if run.log is None or holder != this_process():
            return False
        run.log._open = False
        run.log = None
        last = run.entries[-1]
        run.tip = Tip(run_id, epoch=last.epoch + 1, seq=last.seq, last=last.hash)
        run.noted += self.clock.now_ms(), encode_event(RunResumed(last.epoch + 1))
        return True

    def parked(self, limit: int = 10_000) -> list[str]:
        """See ports.journal.Journal."""
        found = [
            (run.head.started_ms, run_id)
            for run_id, run in self._runs.items()
            if run.log is None
            and not run.head.parent
            and run.head.status in PARKED
            and not any(is_open for _, is_open in run.head.items.values())
        ]
        return [run_id for _, run_id in sorted(found)[: max(limit, 0)]]

    def read(self, run_id: str, after_seq: int = 0, limit: int = -1) -> list[Entry]:
        """See ports.journal.Journal."""
        found = self._run(run_id).entries[max(after_seq, 0) :]
        return found if limit < 0 else found[:limit]

    @property
    def me(self) -> str:
        """See ports.journal.Journal."""
        return this_process()

    def bus(self) -> Bus:
        """See ports.journal.Journal."""
        from remit.journal.bus import LocalBus  # only workers need it

        return LocalBus()

    def runs(self, limit: int = 100) -> list[RunRow]:
        """See ports.journal.Journal."""
        rows = [run.head.row(run.entries[-1], _shown(run)) for run in self._runs.values()]
        rows.sort(key=lambda row: (row.started_ms, row.run_id), reverse=True)
        return rows[: max(limit, 0)]

    def holder(self, run_id: str) -> str:
        """See ports.journal.Journal."""
        return this_process() if self._run(run_id).log is not None else ""

    def inbox(self) -> list[InboxRow]:
        """See ports.journal.Journal."""
        rows = []
        for item, run_id in self._items.items():
            seq, is_open = self._runs[run_id].head.items[item]
            if is_open:
                rows.append(self._question(run_id, seq))
        rows.sort(key=lambda row: (row.opened_ms, row.id))
        return rows

    async def answer(self, item: str, make: Any) -> str:
        """See ports.journal.Journal."""
        run_id = self._items.get(item)
        if run_id is None:
            raise Invalid("item_unknown", f"no inbox item {item!r:.80}")
        run = self._runs[run_id]
        seq, is_open = run.head.items[item]
        if not is_open:
            raise Conflict("approval_used", f"{item} was answered or its run has ended")
        if run.log is not None:
            raise Conflict("run_active", f"run {run_id} is active in this process")
        row = self._question(run_id, seq)
        event = make(row)
        check_answer(row, event)
        last = run.entries[-1]
        run.tip = Tip(run_id, epoch=last.epoch + 1, seq=last.seq, last=last.hash)
        run.noted += self.clock.now_ms(), encode_event(event)
        change = change_of(event)
        if change is not None:
            self._apply(run, change, run.count)
        self._listeners.tell(run_id)
        return run_id

    def follow(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """See ports.journal.Journal."""
        return self._listeners.add(listener)

    async def transact(self, key: str, tool: Tool, values: dict[str, Any], context: Any) -> str:
        """Perform a transactional tool (transactions.py), in a database that lives as long as this journal."""
        if self._transactions is None:
            import apsw  # only such a tool needs SQLite

            from remit.journal.transactions import Transactions

            self._transactions = Transactions(lambda: apsw.Connection(":memory:"))
        text: str = await self._transactions.perform(key, tool, values, context)
        return text

    def verify(self, *run_ids: str) -> list[str]:
        """See ports.journal.Journal."""
        from remit.journal.verify import RunCheck  # nobody else pays for it

        chosen = [self._run(run_id) for run_id in run_ids] or list(self._runs.values())
        problems: list[str] = []
        for run in chosen:
            check = RunCheck(run.head.run_id)
            for entry in run.entries:
                check.entry(entry)
            problems += check.finish()
        return problems

    async def aclose(self) -> None:
        """Nothing to write; unreleased runs stay readable."""
        for run in self._runs.values():
            if run.log is not None:
                run.log._open = False
                run.log = None

    def _run(self, run_id: str) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise Invalid("run_unknown", f"no run {run_id!r:.80}")
        return run

    def _question(self, run_id: str, seq: int) -> InboxRow:
        entry = self._runs[run_id].entries[seq - 1]
        return inbox_row(decode_event(entry.body), entry)

    def _apply(self, run: _Run, change: Change, seq: int) -> None:
        # The first run that opens an item id keeps it: another run must not take over its question.
        if change.opens and self._items.setdefault(change.opens, run.head.run_id) != run.head.run_id:
            return
        run.head.apply(change, seq)

    def _released(self, run: _Run, status: str) -> None:
        run.log = None
        if run.head.status in FINAL:
            self._finished.append(run.head.run_id)
        else:
            run.head.status = status
            self._listeners.tell(run.head.run_id)

    def _forget(self, run_id: str) -> None:
        for item in self._runs.pop(run_id).head.items:
            self._items.pop(item, None)


def _shown(run: _Run) -> str:
    return "interrupted" if run.head.status == "running" and run.log is None else run.head.status
