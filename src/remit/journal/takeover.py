"""Taking a run over, and answering its questions, across processes: one IMMEDIATE transaction each.

Both raise the epoch, so whoever still believes to hold the run is fenced from that commit on. Both check
first: the whole chain before a run is continued, the question's own entry before it is answered.
"""

from __future__ import annotations

from typing import Any, Final

import apsw

from remit.core.events import RunResumed
from remit.errors import Conflict, Invalid
from remit.journal import owner
from remit.journal.chain import Tip, decode_event, fault_of, is_run_id
from remit.journal.commit import apply_change
from remit.journal.heads import FINAL, change_of, check_answer, inbox_row
from remit.journal.log import SignedLog
from remit.journal.schema import move_heads, read_entries, unbroken
from remit.journal.sealed import Seal, Sealing
from remit.journal.snapshots import Snapshots
from remit.journal.verify import RunCheck, blob_fault
from remit.ports.clock import Clock
from remit.ports.journal import Entry, InboxRow

FEWEST: Final = 200  # entries of a run that can have a snapshot


class Takeover:
    """One attempt to activate a run: `check` on any thread, then `take` in the writer's transaction."""

    def __init__(self, run_id: str, clock: Clock, live: owner.Held, snapshots: Snapshots | None = None) -> None:
        self._run_id = run_id
        self._clock = clock
        self._live = live
        self._snapshots = snapshots
        self._checked: tuple[int, bytes] = (0, b"")
        self._taken = False
        self._given_up = False

    def check(self, connection: apsw.Connection) -> None:
        """Check the whole chain up to the run's anchors.

        Up to a snapshot its hashes alone: this journal has read every event before it, and signed the last hash.

        Raises run_unknown, run_active (ended), chain_broken, journal_format.
        """
        run_id = self._run_id
        row = connection.execute("SELECT seq, hash, status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise unknown(run_id)
        if row[2] in FINAL:
            raise Conflict("run_active", f"run {run_id} has ended: {row[2]}")
        check = RunCheck(run_id, strict=True)
        known = self._known(connection, row[0])
        if known is not None:
            check.go_on(known)
        after = 0 if known is None else known.seq
        for entry, blob, gone in read_entries(connection, run_id, after, row[0] - after):
            check.stored(entry, blob, gone)
        problems = check.finish()
        if not problems and (check.last is None or (check.last.seq, check.last.hash) != row[:2]):
            problems = [f"run {run_id}: the last events are not the ones that were written"]
        if problems:
            raise Conflict("chain_broken", problems[0])
        self._checked = (row[0], row[1])

    def _known(self, connection: apsw.Connection, seq: int) -> Entry | None:
        """The entry at the place of the run's last snapshot, when the chain holds up to it."""
        place = None if self._snapshots is None or seq < FEWEST else self._snapshots.glance(self._run_id)
        if place is None or place.seq > seq:
            return None
        last = unbroken(connection, self._run_id, place.seq)
        return last if last is not None and last.hash == place.hash else None

    def take(self, connection: apsw.Connection, log: SignedLog) -> tuple[Tip, int] | None:
        """(tip, at_ms) of the new activation; None when the run went on since `check`."""
        run_id = self._run_id
        row = connection.execute(
            "SELECT seq, hash, epoch, status, owner FROM runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        if row is None:
            raise unknown(run_id)
        seq, digest, epoch, status, holder = row
        if status in FINAL:
            raise Conflict("run_active", f"run {run_id} has ended: {status}")
        _check_free(run_id, holder, self._live)
        if (seq, digest) != self._checked:
            return None
        tip = Tip(run_id, epoch=epoch + 1, seq=seq, last=digest)
        entry = tip.extend(RunResumed(epoch + 1), self._clock.now_ms())
        _move(connection, log, entry, ("running", self._live.me))
        self._live.add(run_id)
        self._taken = True
        if self._given_up:
            self.give_back()
            raise Conflict("run_active", f"the activation of run {run_id} was cancelled")
        return tip, entry.at_ms

    def give_back(self) -> None:
        """The caller was cancelled or failed: this process does not hold the run (before or after `take`)."""
        self._given_up = True
        if self._taken:
            self._taken = False
            self._live.discard(self._run_id)


def answer(  # noqa: PLR0913, PLR0917  # what the writer's transaction, the journal and the caller each know
    connection: apsw.Connection,
    log: SignedLog,
    clock: Clock,
    live: owner.Held,
    item: str,
    make: Any,
    sealing: Sealing | None = None,
) -> str:
    """Answer `item` inside the caller's transaction; see ports.journal.Journal.answer."""
    found = None
    if is_text(item):
        found = connection.execute("SELECT run_id, seq, open FROM inbox WHERE item = ?", (item,)).fetchone()
    if found is None:
        raise Invalid("item_unknown", f"no inbox item {item!r:.80}")
    run_id, asked, is_open = found
    if not is_open:
        raise Conflict("approval_used", f"{item} was answered or its run has ended")
    row = connection.execute("SELECT seq, hash, epoch, owner FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise Conflict("chain_broken", f"the run {run_id} of {item} is missing")
    seq, digest, epoch, holder = row
    _check_free(run_id, holder, live)
    asked_row = question(connection, item, run_id, asked, sealing)
    event = make(asked_row)
    check_answer(asked_row, event)
    tip = Tip(run_id, epoch=epoch + 1, seq=seq, last=digest)
    tip.seal = seal_of(connection, run_id, sealing)
    entry = tip.extend(event, clock.now_ms())
    _move(connection, log, entry, (None, ""))
    change = change_of(event)
    if change is not None:
        apply_change(connection, run_id, change, entry.seq)
    return str(run_id)


def fence(connection: apsw.Connection, log: SignedLog, clock: Clock, live: owner.Held, what: tuple[str, str]) -> bool:
    """End the activation that `what` = (run id, holder) names; see ports.journal.Journal.fence."""
    run_id, holder = what
    row = connection.execute("SELECT seq, hash, epoch, status, owner FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise unknown(run_id)
    seq, digest, epoch, status, found = row
    if status in FINAL or not holder or found != holder:
        return False
    tip = Tip(run_id, epoch=epoch + 1, seq=seq, last=digest)
    _move(connection, log, tip.extend(RunResumed(epoch + 1), clock.now_ms()), (None, ""))
    live.discard(run_id)
    return True


def seal_of(connection: apsw.Connection, run_id: str, sealing: Sealing | None) -> Seal | None:
    """The seal of a run that goes on; raises key_destroyed once its subject was erased."""
    if sealing is not None:
        for entry, _, _ in read_entries(connection, run_id, 0, 1):
            return sealing.resume(run_id, entry.body)
    return None


def question(connection: apsw.Connection, item: str, run_id: str, seq: int, sealing: Sealing | None = None) -> InboxRow:
    """The question at (run_id, seq), its hash checked: what a person answers must be what the run asked."""
    for entry, blob, gone in read_entries(connection, run_id, seq - 1, 1):
        fault = blob_fault(entry, blob, gone) or fault_of(entry, seq - 1, entry.prev, 1)
        body = entry.body if sealing is None else sealing.opened(run_id, seq, entry.body)
        row = inbox_row(decode_event(body), entry)
        if not fault and row.id == item:
            return row
    raise Conflict("chain_broken", f"run {run_id} seq {seq}: the question of {item} was altered")


def holds(holder: str, run_id: str, live: owner.Held, known: dict[str, bool]) -> bool:
    """Whether a live activation holds the run; `known` keeps the answers of one listing."""
    if holder == live.me:
        return run_id in live
    if holder not in known:
        known[holder] = live.alive(holder)
    return known[holder]


def known_name(run_id: str) -> str:
    """`run_id`; run_unknown when no run can have it (SQLite is never asked for text that it cannot hold)."""
    if not is_run_id(run_id):
        raise unknown(run_id)
    return run_id


def is_text(value: str) -> bool:
    """Whether a store can hold `value`: text with a lone surrogate is not UTF-8, and Postgres takes no U+0000."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def unknown(run_id: str) -> Invalid:
    """The error of a run that is not there."""
    return Invalid("run_unknown", f"no run {run_id!r:.80}")


def _check_free(run_id: str, holder: str, live: owner.Held) -> None:
    if holds(holder, run_id, live, {}):
        raise Conflict("run_active", f"run {run_id} is active in process {holder.partition(':')[0]}")


def _move(connection: apsw.Connection, log: SignedLog, entry: Entry, shown: tuple[str | None, str]) -> None:
    """Raise the epoch and write `entry` as the run's last; `shown` = (status, owner)."""
    run_id, epoch, seq = entry.run_id, entry.epoch, entry.seq
    connection.execute("UPDATE runs SET epoch = ? WHERE run_id = ?", (epoch, run_id))
    move_heads(connection, [(run_id, epoch, seq - 1, seq, entry.hash, entry.at_ms, *shown)])
    log.insert(connection, [[entry]])
