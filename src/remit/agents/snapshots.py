"""Snapshots of an agent's loop: taken at the start of a turn every EVERY events, used when the run is resumed.

What is kept is what replaying the events before that place would bring back and cannot be had from them cheaply: the
messages, where the repeat check stands, the last text, the context's label, two counters. Everything else (usage, what
tripped, what was revoked, signals, what is open) is read from the journal, with a snapshot as without one.

A run keeps none where a replay does more than that: its tools have labelled fields, its grants or its site's policy
count effects, its model is a policy over several, or it is a fork. Workflows keep none: their code must run again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from remit.agents.loop import Plan, State
from remit.core.labels import Label, join
from remit.core.messages import Message
from remit.core.usage import Usage
from remit.journal.snapshots import Place, Snapshots
from remit.models.attempt import Compound

if TYPE_CHECKING:
    from remit.agents.driver import Session
    from remit.agents.prepare import Prepared
    from remit.gate.scope import Scope
    from remit.ports.journal import Entry

EVERY: Final = 200  # events. Source: spec/teams.md 12
FORM: Final = 1  # of `Part`, and of how it is used: raise it with either
_OF_MODEL: Final = re.compile(rb'\{"type":"effect_(?:done|failed)","key":"turn/[0-9]+/model')
_encode: Final = msgspec.json.Encoder().encode


class Part(Struct, frozen=True, omit_defaults=True):
    """What came since the part before, and where the loop stands."""

    before: int
    """messages in the parts before"""
    messages: tuple[Message, ...]
    turn: int
    repeats: int
    last: tuple[tuple[str, bytes, str], ...]
    partial: str
    label: Label
    tool_calls: int
    denied: int


class _Outcome(Struct):
    """What an effect's outcome says that a replay takes notice of."""

    key: str
    usage: Usage | None = None
    cost_nano: int | None = None
    code: str = ""


class Start(Struct, frozen=True):
    """Where a resumed loop begins."""

    seq: int
    """the entry that it follows"""
    last: Part
    messages: tuple[Message, ...]
    digest: bytes
    """of the stored parts"""

    def begin(self, session: Session, plan: Plan) -> State:
        """The loop's state there; the session and its scope get what the turns before had left."""
        part, scope = self.last, session.scope
        session.partial = part.partial
        scope.label = join(scope.label, part.label)
        scope.tool_calls, scope.denied = part.tool_calls, part.denied
        return State(plan, self.messages, turn=part.turn, repeats=part.repeats, last=part.last)


class LoopSnapshots:
    """The snapshots of one activation."""

    __slots__ = ("_after", "_before", "_log", "_prepared", "_scope", "_seq", "_store", "start", "written")

    def __init__(self, store: Snapshots, prepared: Prepared, scope: Scope, start: Start | None) -> None:
        self._store = store
        self._prepared = prepared
        self._scope = scope
        self._log: Any = scope.log
        self.start = start
        self.written = start is not None
        self._seq = 0 if start is None else start.seq
        self._after = b"" if start is None else start.digest
        self._before = 0 if start is None else len(start.messages)

    def look(self, state: State, partial: str) -> None:
        """A turn begins: keep where it stands when enough has happened since."""
        seq, digest = self._log.place
        if seq - self._seq < EVERY:
            return
        scope = self._scope
        self._seq = seq
        part = Part(
            self._before, state.messages[self._before :], state.turn, state.repeats, state.last, partial, scope.label,
            scope.tool_calls, scope.denied,
        )  # fmt: skip
        try:
            body, code = _encode(part), code_of(self._prepared)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return  # the journal refuses such a value, too; it says so
        seal = self._log.seal
        place = Place(scope.run_id, seq, digest, code)
        self._after = self._store.add(place, body, "" if seal is None else seal.subject, self._after)
        self._before = len(state.messages) if self._after else 0  # else the next one says all again
        self.written = True

    def end(self) -> None:
        """The run has ended: nobody will need them."""
        if self.written:
            self._store.drop(self._scope.run_id)


def keeps(journal: Any, prepared: Prepared, scope: Scope, start: Start | None = None) -> LoopSnapshots | None:
    """The snapshots of a run; None where it keeps none."""
    store = getattr(journal, "snapshots", None)
    if store is None or getattr(scope.log, "place", None) is None:
        return None
    if prepared.plan.labels is not None or scope.forked or not scope.authority.quiet:
        return None
    return None if isinstance(prepared.model, Compound) else LoopSnapshots(store, prepared, scope, start)


def find(journal: Any, prepared: Prepared, scope: Scope, entries: Sequence[Entry]) -> Start | None:
    """Where the loop of a run may begin; None = at its beginning.

    Args:
        entries: of the run, checked by its activation.
    """
    if len(entries) <= EVERY or keeps(journal, prepared, scope) is None:
        return None
    parts = journal.snapshots.read(scope.run_id)
    if parts is None or parts.place.seq > len(entries) or parts.place.code != code_of(prepared):
        return None
    entry = entries[parts.place.seq - 1]
    if (entry.run_id, entry.seq, entry.hash) != (scope.run_id, parts.place.seq, parts.place.hash):
        return None
    try:
        found = [_parts().decode(body) for body in parts.bodies]
    except (ValueError, RecursionError):
        return None
    messages: list[Message] = []
    for part in found:
        if part.before != len(messages):
            return None
        messages += part.messages
    return Start(parts.place.seq, found[-1], tuple(messages), parts.digest)


def settle(scope: Scope, entries: Sequence[Entry]) -> None:
    """Take notice of the model calls in `entries` as a replay does: what they took, and whether one was too slow."""
    done: dict[str, _Outcome] = {}
    decode, of_model = _outcomes().decode, _OF_MODEL.match
    for entry in entries:
        if of_model(entry.body):
            outcome = decode(entry.body)
            if not outcome.code:
                done[outcome.key] = outcome
            elif outcome.code == "model_timeout":
                scope.streaming = True  # as models/attempt.py
    for outcome in done.values():
        scope.ledger.settle(None, outcome.usage, outcome.cost_nano)


def code_of(prepared: Prepared) -> bytes:
    """A digest of what decides how the loop goes on; raises TypeError for a definition that is not data."""
    if prepared.code is None:
        plan = prepared.plan
        said = [plan.instructions, plan.tools, plan.output.spec, plan.settings, plan.max_turns, prepared.model.name]
        release = getattr(sys.modules["remit"], "__version__", "")
        prepared.code = sha256(_encode([release, FORM, *said])).digest()
    return prepared.code


@cache
def _parts() -> msgspec.json.Decoder[Part]:
    return msgspec.json.Decoder(Part)


@cache
def _outcomes() -> msgspec.json.Decoder[_Outcome]:
    return msgspec.json.Decoder(_Outcome)
