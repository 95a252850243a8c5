"""What a run already did, by structural key: the index that answers the gate on resume.

`Recorded` is a fold over the run's entries. Of each key it keeps one `Record`: the newest intent
and whatever followed it. The gate compares name and digest (another one is NonDeterminism), then
acts on `state`.

    intent    the effect may or may not have happened; the tier decides (DESIGN 6)
    done, failed, denied    the outcome; `done`, `failed`, `denied` holds the event
    in_doubt  `item` waits for a person; `resolution` "" = open, else done | not-done | retry
    waiting   `wait` asks a person; `answer` is None = open, else the decision
    parked    the tool's own code waits; it runs again
    timer     `due_ms` is the moment; `answer` is None until it came
    noted     `value` is what the code took from outside
    sent, taken    a message of a channel (`name`): its `value`; the key of its send

A new intent of the same key replaces outcome, doubt and resolution and keeps the answered wait (the
approval came before the intent). A new wait replaces the older wait and its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from remit.core.events import (
    CancelRequested,
    EffectDenied,
    EffectDone,
    EffectFailed,
    EffectInDoubt,
    EffectIntent,
    EffectParked,
    EffectResolved,
    Event,
    Forked,
    GrantRevoked,
    MessageReceived,
    MessageSent,
    MessageTaken,
    ModelNote,
    Noted,
    Patched,
    Reflected,
    Routed,
    RunDone,
    RunResumed,
    RunStarted,
    Screened,
    TimerSet,
    WaitClosed,
    WaitOpened,
)
from remit.core.labels import SYSTEM, Label
from remit.core.messages import Text
from remit.core.model import Reply
from remit.errors import Conflict, Invalid
from remit.journal.chain import decode_event
from remit.ports.journal import Entry

encode: Final = msgspec.json.Encoder().encode
_EFFECTS: Final = tuple(
    f'{{"type":"effect_{what}",'.encode() for what in ("intent", "done", "failed", "denied", "parked")
)
State = Literal[
    "intent", "done", "failed", "denied", "in_doubt", "waiting", "parked", "timer", "noted", "sent", "taken"
]


class Record(Struct, frozen=True):
    """The newest truth of one key."""

    key: str
    state: State
    kind: str = ""
    """model | tool | run | message; "" before the first intent"""
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
    due_ms: int = 0
    """of a timer"""
    value: Any = None
    """what was noted"""


class Recorded:
    """The records of one run, and what is known of the run as a whole.

    Attributes: started (the RunStarted event), cancel (CancelRequested or None), done (RunDone or None),
    reflections, screened, revoked and messages (their events, in order; a message is a signal that came before anybody
    waited for it), routed (key -> Routed), patches (name -> whether its new path is taken), forked (Forked or None),
    epoch, seq and time of the last entry.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._records: dict[str, Record] = {}
        self._started: RunStarted | None = None
        self.cancel: CancelRequested | None = None
        self.done: RunDone | None = None
        self.reflections: list[Reflected] = []
        self.patches: dict[str, bool] = {}
        self.messages: list[MessageReceived] = []
        self.taken: set[int] = set()
        """numbers of messages that this activation has taken"""
        self.forked: Forked | None = None
        self.routed: dict[str, Routed] = {}
        self.screened: list[Screened] = []
        self.revoked: list[GrantRevoked] = []
        self._kept: dict[type, list[Any]] = {
            Reflected: self.reflections,
            Screened: self.screened,
            GrantRevoked: self.revoked,
            MessageReceived: self.messages,
        }
        self.epoch = 0
        self.seq = 0
        self.at_ms = 0
        for entry in entries:
            self.add(decode_event(entry.body), entry)

    @classmethod
    def skimmed(cls, entries: Sequence[Entry], upto: int) -> Recorded:
        """What is known of the run as a whole; of single effects only what came after the first `upto` entries.

        For whoever does not ask for the effects before. Not of a fork, whose edits need them.
        """
        self = cls()
        for entry in entries[:upto]:
            if not entry.body.startswith(_EFFECTS):
                self.add(decode_event(entry.body), entry)
        for entry in entries[upto:]:
            self.add(decode_event(entry.body), entry)
        return self

    @property
    def started(self) -> RunStarted:
        """The run's first event; chain_broken when the entries do not begin with it."""
        if self._started is None:
            raise Conflict("chain_broken", "the run has no run_started event")
        return self._started

    def begin(self, event: RunStarted) -> None:
        """Begin without entries: a new run whose own events are not read again."""
        self._started = event

    def get(self, key: str) -> Record | None:
        """The record of `key`, or None when nothing was written for it."""
        return self._records.get(key)

    def known_digest(self, key: str, messages: int) -> str:
        """The digest of a model call that need not be computed again; "" = compute it.

        A request holds all messages before it, so the digest of a later one proves this one, too: the last recorded
        turn is always computed, and those at powers of two on the way. So a replay costs in all what its longest
        request costs, instead of the sum of all of them.
        """
        turn, _, rest = key.removeprefix("turn/").partition("/")
        if rest != "model" or not turn.isdigit() or int(turn) & (int(turn) - 1) == 0:
            return ""
        record, later = self._records.get(key), self._records.get(f"turn/{int(turn) + 1}/model")
        if record is None or later is None or record.state != "done" or later.state != "done":
            return ""
        return record.digest if record.arguments == messages else ""

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """All records, in the order in which their keys first appeared."""
        return iter(self._records.values())

    def add(self, event: Event, entry: Entry) -> None:
        """Fold one more event in."""
        self.epoch, self.seq, self.at_ms = entry.epoch, entry.seq, entry.at_ms
        match event:
            case RunStarted():
                self._started = event
            case CancelRequested():
                self.cancel = event
            case RunDone():
                self.done = event
            case Reflected() | Screened() | GrantRevoked() | MessageReceived():
                self._kept[type(event)].append(event)
            case Routed():
                self.routed[event.key] = event
            case RunResumed() | ModelNote():
                pass
            case Patched():
                self.patches.setdefault(event.name, event.active)
            case Forked():
                self._fork(event)
            case _:
                old = self._records.get(event.key) or Record(event.key, "intent")
                self._records[event.key] = _next(old, event)

    def _fork(self, event: Forked) -> None:
        """The past of another run becomes this one's: how that one ended does not."""
        self.forked, self.done, self.cancel = event, None, None
        for key, value in event.edits.items():
            self._records[key] = edited(self._records.get(key), key, value)


def edited(record: Record | None, key: str, value: Any) -> Record:
    """The record with another result; raises value_invalid when nothing with a result stands at `key`."""
    if record is not None and record.wait is not None and record.answer is not None:
        return replace(record, answer=replace(record.answer, value=value))
    if record is not None and record.state in ("noted", "sent"):
        return replace(record, value=value)
    if record is None or not record.kind:
        raise Invalid("value_invalid", f"there is no result at {key!r:.80} that could be edited")
    if record.kind == "model":
        result = encode(Reply((Text(as_json(value)),), "end"))
    elif record.kind == "tool":
        result = encode(as_json(value))
    else:
        result = encode({"status": "ok", "output": value})
    done = EffectDone(key, msgspec.Raw(result), record.label)
    return replace(record, state="done", done=done, failed=None, denied=None)


def as_json(value: Any) -> str:
    """A text as it is, everything else as its JSON."""
    return value if isinstance(value, str) else encode(value).decode()


_KeyedEvent = (
    EffectIntent
    | EffectParked
    | EffectDone
    | EffectFailed
    | EffectDenied
    | EffectInDoubt
    | EffectResolved
    | WaitOpened
    | WaitClosed
    | TimerSet
    | Noted
    | MessageSent
    | MessageTaken
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
        case EffectParked():
            return replace(old, state="parked", item=event.item)
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
        case _:
            return _waits(old, event)


def _waits(old: Record, event: WaitOpened | WaitClosed | TimerSet | Noted | MessageSent | MessageTaken) -> Record:
    match event:
        case MessageSent():
            sent = Record(event.key, "sent", "message", event.channel, event.digest, arguments=event.priority)
            return replace(sent, label=event.label, value=event.value, item=event.sender)
        case MessageTaken():
            return Record(event.key, "taken", "message", event.channel, value=event.message, item=event.receiver)
        case WaitOpened():
            fresh = Record(event.key, "waiting", old.kind, event.name, event.digest, old.tier, event.arguments)
            return replace(fresh, item=event.item, wait=event, attempts=old.attempts)
        case WaitClosed():
            return replace(old, state=_closed(old), item=event.item, answer=event)
        case TimerSet():
            return replace(old, state="timer", item=event.item, due_ms=event.due_ms, answer=None)
        case Noted():
            return replace(old, state="noted", value=event.value)


def _closed(old: Record) -> State:
    return "timer" if old.state == "timer" else "waiting"


def _or(new: Any, old: Any) -> Any:
    return old if new is None else new
