"""Forks: a run that continues another one from a moment on, sharing its past by reference.

A fork's chain begins with its own run_started (the same definition and task) and a `fork` event, which names the
origin, the moment and the hash of the origin's entry there. Nothing is copied: `lineage` reads the origin's entries up
to that moment, then the fork's own. So the past is verified by the origin's chain, cannot be changed afterwards
without breaking the reference, and costs a fork nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from remit.core.events import Forked, RunStarted
from remit.core.ids import new_id
from remit.errors import Conflict, Invalid
from remit.journal.chain import check_chain, decode_event
from remit.journal.replay import Recorded, edited
from remit.ports.clock import Clock
from remit.ports.journal import Entry, Journal

MAX_DEPTH: Final = 100  # forks of forks
EDITABLE: Final = ("task", "input", "instructions", "model", "version")
"""what an edit may name besides a structural key; only at a fork's first moment"""
_TAG: Final = b'"type":"fork"'


class Fork(Struct, frozen=True):
    """One run in the tree of forks."""

    run_id: str
    origin: str
    seq: int
    """of the origin, up to which the past is shared"""
    edits: tuple[str, ...] = ()


def lineage(journal: Journal, run_id: str, upto: int | None = None) -> list[Entry]:
    """All entries that make the run's state: those it shares, then its own; seq is of whichever run wrote it.

    Raises run_unknown; chain_broken when the origin does not hold what the fork refers to.
    """
    return _lineage(journal, run_id, upto, 0)


def forked_of(entries: list[Entry]) -> Forked | None:
    """The fork event of a run's own entries (its second one), or None."""
    if len(entries) > 1 and _TAG in entries[1].body[:64]:
        event = decode_event(entries[1].body)
        return event if isinstance(event, Forked) else None
    return None


def _lineage(journal: Journal, run_id: str, upto: int | None, depth: int) -> list[Entry]:
    own = journal.read(run_id)
    if upto is not None:
        own = own[:upto]
    event = forked_of(own)
    if event is None:
        return own
    if depth >= MAX_DEPTH:
        raise Invalid("value_invalid", f"run {run_id} is a fork of forks, more than {MAX_DEPTH} deep")
    shared = _lineage(journal, event.origin, event.seq, depth + 1)
    last = shared[-1] if shared else None
    if last is None or (last.run_id, last.seq, last.hash.hex()) != (event.origin, event.seq, event.hash):
        raise Conflict("chain_broken", f"run {run_id} is a fork of {event.origin} seq {event.seq}, which was altered")
    for _ in check_chain(entry for entry in shared if entry.run_id == event.origin):
        pass
    # Its own run_started comes first: it may hold another task or model than the origin's.
    return [own[0], *[e for e in shared if e.seq > 1 or e.run_id != event.origin], *own[1:]]


async def fork(
    journal: Journal, clock: Clock, run_id: str, seq: int, edits: Mapping[str, Any], by: str = "user"
) -> str:
    """Make a fork of `run_id` after its entry `seq`; returns the id of the new run, which waits to be resumed.

    Raises:
        Invalid: run_unknown; value_invalid for a moment that the run has not, or an edit that fits nothing there.
    """
    own = journal.read(run_id)
    if not 1 <= seq <= len(own):
        raise Invalid("value_invalid", f"run {run_id} has the moments 1 to {len(own)}, not {seq}")
    for _ in check_chain(own[:seq]):
        pass
    recorded = Recorded(lineage(journal, run_id, seq))
    results = {key: value for key, value in edits.items() if key not in EDITABLE}
    for key, value in results.items():
        edited(recorded.get(key), key, value)
    started = _started(recorded, {key: value for key, value in edits.items() if key in EDITABLE})
    new = new_id("run", clock.now_ms(), clock.random_bits(80))
    log = journal.create(new, started)
    log.append(Forked(run_id, seq, own[seq - 1].hash.hex(), dict(results), by))
    await log.release("waiting")
    return new


def _started(recorded: Recorded, edits: dict[str, Any]) -> RunStarted:
    started = replace(recorded.started, parent="")
    if not edits:
        return started
    if any(record.attempts for record in recorded):
        names = ", ".join(sorted(edits))
        raise Invalid("value_invalid", f"{names} can be edited before the first effect only; fork at 1")
    spec = dict(started.spec)
    for name, value in edits.items():
        if name == "task":
            spec.pop("messages", None)
            started = replace(started, task=str(value))
        elif name in ("model", "version"):
            started = replace(started, **{name: value})
        else:
            spec[name] = value
    return replace(started, spec=spec)


def seq_of(entries: list[Entry], key: str) -> int:
    """The seq of the last entry about `key`; value_invalid where there is none."""
    for entry in reversed(entries):
        if getattr(decode_event(entry.body), "key", None) == key:
            return entry.seq
    raise Invalid("value_invalid", f"nothing of {key!r:.80} stands in the run")


def forks(journal: Journal, limit: int = 100_000) -> list[Fork]:
    """All forks of the journal, newest first."""
    found = []
    for row in journal.runs(limit):
        if row.events < 2:
            continue
        event = forked_of(journal.read(row.run_id)[:2])
        if event is not None:
            found.append(Fork(row.run_id, event.origin, event.seq, tuple(sorted(event.edits))))
    return found
