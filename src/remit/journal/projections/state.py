"""Projection: where one run stood at a moment, as data: what `remit scrub --state` shows and `remit diff` compares.

Only what a resumed run would find counts: keys with their newest outcome, open waits, notes, patches. Times and ids of
items are left out of comparison by `plain`, because two runs of the same code differ in them and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

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
    MessageSent,
    MessageTaken,
    Noted,
    Patched,
    RunDone,
    RunResumed,
    RunStarted,
    TimerSet,
    WaitClosed,
    WaitOpened,
)
from remit.journal.chain import decode_event
from remit.ports.journal import Entry

_decode: Final = msgspec.json.Decoder().decode


class Place(Struct, frozen=True, omit_defaults=True):
    """What stands at one structural key."""

    state: str
    """intent | done | failed | denied | in_doubt | resolved | asked | answered | parked | timer | noted | sent |
    taken"""
    name: str = ""
    kind: str = ""
    digest: str = ""
    arguments: Any = None
    value: Any = None
    """result, answer, note; code and message of a failure or denial"""
    item: str = ""
    due_ms: int = 0


class State(Struct, frozen=True):
    """One run at one moment."""

    agent: str = ""
    task: str = ""
    model: str = ""
    status: str = "running"
    """running | waiting (an open question or timer) | the final status"""
    seq: int = 0
    at_ms: int = 0
    activations: int = 1
    output: Any = None
    error: Any = None
    cost_nano: int = 0
    """of calls whose price is known"""
    tokens: int = 0
    places: dict[str, Place] = {}
    """structural key -> what stands there, in the order in which the keys first appeared"""
    patches: dict[str, bool] = {}


EMPTY: Final = State()


def fold(state: State, entries: Iterable[Entry]) -> State:
    """`state` after `entries` of one run (or of a fork's lineage), in order."""
    places, patches = dict(state.places), dict(state.patches)
    for entry in entries:
        event = decode_event(entry.body)
        key = getattr(event, "key", "")
        if key:
            found = _place(places.get(key, Place("")), event)
            if found is not None:
                places[key] = found
        elif isinstance(event, Patched):
            patches.setdefault(event.name, event.active)
        state = _run(replace(state, seq=entry.seq, at_ms=entry.at_ms), event)
        if isinstance(event, Forked):
            for name, value in event.edits.items():
                places[name] = replace(places.get(name, Place("done")), value=value)
    if state.status in ("running", "waiting"):
        waits = any(place.state in ("asked", "in_doubt", "timer") for place in places.values())
        state = replace(state, status="waiting" if waits else "running")
    return replace(state, places=places, patches=patches)


def _run(state: State, event: Event) -> State:
    match event:
        case RunStarted():
            return replace(state, agent=event.agent, task=event.task, model=event.model)
        case RunResumed():
            return replace(state, activations=state.activations + 1)
        case Forked():
            return replace(state, status="running", output=None, error=None)
        case CancelRequested():
            return replace(state, error={"cancelled by": event.by, "reason": event.reason, "kind": event.kind})
        case RunDone():
            return replace(state, status=event.status, output=event.output, error=event.error)
        case EffectDone() if event.usage is not None:
            tokens = event.usage.input_tokens + event.usage.output_tokens
            return replace(state, tokens=state.tokens + tokens, cost_nano=state.cost_nano + (event.cost_nano or 0))
        case _:
            return state


def _place(old: Place, event: Event) -> Place | None:
    match event:
        case EffectIntent():
            return Place("intent", event.name, event.kind, event.digest, event.arguments)
        case EffectDone():
            return replace(old, state="done", value=_decode(event.result))
        case EffectFailed():
            return replace(old, state="failed", value=f"{event.code}: {event.message}")
        case EffectDenied():
            name = old.name or event.name
            return replace(old, state="denied", name=name, value=f"{event.check} {event.code}: {event.why}")
        case EffectInDoubt():
            return replace(old, state="in_doubt", name=event.name, item=event.item)
        case EffectResolved():
            return replace(old, state="resolved", value=event.resolution)
        case _:
            return _wait(old, event)


def _wait(old: Place, event: Event) -> Place | None:
    match event:
        case WaitOpened():
            return Place("asked", event.name, event.kind, event.digest, event.arguments, event.question, event.item,
                         event.due_ms)  # fmt: skip
        case WaitClosed():
            value = event.decision if event.value is None else event.value
            return replace(old, state="answered", value=value, due_ms=0)
        case EffectParked():
            return replace(old, state="parked", item=event.item)
        case TimerSet():
            return Place("timer", "sleep", item=event.item, due_ms=event.due_ms)
        case Noted():
            return replace(old, state="noted", value=event.value)
        case MessageSent():
            return Place("sent", event.channel, "message", event.digest, value=event.value)
        case MessageTaken():
            return Place("taken", event.channel, "message", value=event.message)
        case _:
            return None


def plain(state: State) -> dict[str, Any]:
    """The state as JSON values, for comparison: without times, ids of items, and places in the log."""
    found: dict[str, Any] = msgspec.to_builtins(state)
    for name in ("seq", "at_ms", "activations"):
        del found[name]
    for place in found["places"].values():
        place.pop("item", None)
        place.pop("due_ms", None)
    return found
