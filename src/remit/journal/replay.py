"""What a run already did, by structural key: the index that answers the gate on resume.

`Recorded` is a fold over the run's entries. Of each key it keeps one `Record`: the newest intent
and whatever followed it. The gate compares name and digest (another one is NonDeterminism), then
acts on `state`.

    intent    the effect may or may not have happened; the tier decides (DESIGN 6)
    done, failed, denied    the outcome; `done`, `failed`, `denied` holds the event
    in_doubt  `item` waits for a person; `resolution` "" = open, else done | not-done | retry
    waiting   `wait` asks a person; `answer` is None = open, else the decision

A new intent of the same key replaces outcome, doubt and resolution and keeps the answered wait (the
approval came before the intent). A new wait replaces the older wait and its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.events import (
    CancelRequested,
    EffectDenied,
    EffectDone,
    EffectFailed,
    EffectInDoubt,
    EffectIntent,
    EffectResolved,
    Event,
    ModelNote,
    Reflected,
    Routed,
    RunDone,
    RunResumed,
    RunStarted,
    Screened,
    WaitClosed,
    WaitOpened,
)
from remit.core.labels import SYSTEM, Label
from remit.errors import Conflict
from remit.journal.chain import decode_event
from remit.ports.journal import Entry

State = Literal["intent", "done", "failed", "denied", "in_doubt", "waiting"]


class Record(Struct, frozen=True):
    """The newest truth of one key."""

    key: str
    state: State
    kind: str = ""
    """model | tool; "" before the first intent"""
    name: str = ""
    digest: str = ""
    """of the newest intent, wait, doubt or denial"""
    tier: str = ""
    arguments: Any = None
    label: Label = SYSTEM
    """of the outcome where there is one, else of the intent"""
    done: EffectDone | None = None
    failed: EffectFailed | None = None
    denied: EffectDenied | None = None
    item: str = ""
    """inbox item of the newest wait or doubt"""
    resolution: str = ""
    """of the doubt: "" | done | not-done | retry"""
    wait: WaitOpened | None = None
    answer: WaitClosed | None = None
    attempts: int = 0
    """how many intents were written"""


class Recorded:
    """The records of one run, and what is known of the run as a whole.

    Attributes: started (the RunStarted event), cancel (CancelRequested or None), done (RunDone or None),
    reflections (Reflected, in order), routed (key -> Routed), epoch and seq of the last entry.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._records: dict[str, Record] = {}
        self._started: RunStarted | None = None
        self.cancel: CancelRequested | None = None
        self.done: RunDone | None = None
        self.reflections: list[Reflected] = []
        self.routed: dict[str, Routed] = {}
        self.epoch = 0
        self.seq = 0
        for entry in entries:
            self.add(decode_event(entry.body), entry)

    @property
    def started(self) -> RunStarted:
        """The run's first event; chain_broken when the entries do not begin with it."""
        if self._started is None:
            raise Conflict("chain_broken", "the run has no run_started event")
        return self._started

    def get(self, key: str) -> Record | None:
        """The record of `key`, or None when nothing was written for it."""
        return self._records.get(key)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """All records, in the order in which their keys first appeared."""
        return iter(self._records.values())

    def add(self, event: Event, entry: Entry) -> None:
        """Fold one more event in."""
        self.epoch, self.seq = entry.epoch, entry.seq
        match event:
            case RunStarted():
                self._started = event
            case CancelRequested():
                self.cancel = event
            case RunDone():
                self.done = event
            case Reflected():
                self.reflections.append(event)
            case Routed():
                self.routed[event.key] = event
            case RunResumed() | Screened() | ModelNote():
                pass
            case _:
                old = self._records.get(event.key) or Record(event.key, "intent")
                self._records[event.key] = _next(old, event)


_KeyedEvent = (
    EffectIntent | EffectDone | EffectFailed | EffectDenied | EffectInDoubt | EffectResolved | WaitOpened | WaitClosed
)


def _next(old: Record, event: _KeyedEvent) -> Record:
    match event:
        case EffectIntent():
            return Record(
                event.key,
                "intent",
                event.kind,
                event.name,
                event.digest,
                event.tier,
                event.arguments,
                event.label,
                wait=old.wait,
                answer=old.answer,
                attempts=old.attempts + 1,
            )
        case EffectDone():
            return replace(old, state="done", done=event, failed=None, denied=None, label=event.label)
        case EffectFailed():
            return replace(old, state="failed", failed=event, done=None, denied=None, label=event.label)
        case EffectDenied():
            named = replace(old, name=event.name or old.name, digest=event.digest or old.digest)
            return replace(
                named,
                state="denied",
                denied=event,
                done=None,
                failed=None,
                arguments=_or(event.arguments, old.arguments),
            )
        case EffectInDoubt():
            arguments = _or(event.arguments, old.arguments)
            doubt = replace(old, name=event.name, digest=event.digest, arguments=arguments)
            return replace(doubt, state="in_doubt", item=event.item, resolution="")
        case EffectResolved():
            return replace(old, state="in_doubt", item=event.item, resolution=event.resolution)
        case WaitOpened():
            fresh = Record(event.key, "waiting", old.kind, event.name, event.digest, old.tier, event.arguments)
            return replace(fresh, item=event.item, wait=event, attempts=old.attempts)
        case WaitClosed():
            return replace(old, state="waiting", item=event.item, answer=event)


def _or(new: Any, old: Any) -> Any:
    return old if new is None else new
