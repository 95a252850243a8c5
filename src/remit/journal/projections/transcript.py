"""Projection: one run as a person reads it: steps with phase, decision and reason; and its messages.

Phases: think (a model call), act (a tool call that was decided on), observe (what came back), reflect
(the loop's view of its own progress), run (start, resume, cancel, end). One step per event, in order.
Decisions: allowed | asked | approved | denied | edited | failed | in_doubt | resolved | routed | "", and the kinds
of `ModelNote`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

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
from remit.core.labels import USER, Label
from remit.core.messages import Message, Text, ToolResult
from remit.core.model import Reply
from remit.journal.chain import decode_event
from remit.ports.journal import Entry

Phase = Literal["run", "think", "act", "observe", "reflect"]
_reply: Final = msgspec.json.Decoder(Reply)
_any: Final = msgspec.json.Decoder()


class Step(Struct, frozen=True, omit_defaults=True):
    """One line of the timeline."""

    seq: int
    at_ms: int
    phase: Phase
    key: str = ""
    name: str = ""
    """tool or model"""
    decision: str = ""
    reason: str = ""
    """why it was decided so: the check and its text, a person's reason, an error's code and message"""
    hint: str = ""
    text: str = ""
    """task, answer, tool output, finding"""
    arguments: Any = None
    item: str = ""
    label: Label | None = None
    cost_nano: int | None = None
    duration_ms: int = 0


class Transcript(Struct, frozen=True):
    """One run's steps and messages so far."""

    steps: tuple[Step, ...] = ()
    messages: tuple[Message, ...] = ()
    names: dict[str, tuple[str, str]] = {}
    """key -> (kind, name) of the newest intent or question"""
    calls: dict[str, tuple[str, ...]] = {}
    """turn (`turn/3`) -> the provider's call ids of that turn's reply, in order"""


EMPTY: Final = Transcript()


def fold(state: Transcript, entries: Iterable[Entry]) -> Transcript:
    """`state` after `entries` of one run, in order."""
    steps, messages = list(state.steps), list(state.messages)
    names, calls = dict(state.names), dict(state.calls)
    for entry in entries:
        event = decode_event(entry.body)
        if isinstance(event, EffectIntent):
            names[event.key] = (event.kind, event.name)
        elif isinstance(event, EffectInDoubt) or (isinstance(event, WaitOpened) and event.kind == "approval"):
            names[event.key] = ("tool", event.name)
        kind, name = names.get(getattr(event, "key", ""), ("", ""))
        reply = _reply_of(event) if kind == "model" and isinstance(event, EffectDone) else None
        steps.append(_step(event, entry, name, reply))
        if reply is not None and isinstance(event, EffectDone):
            calls[_turn(event.key)] = tuple(call.id for call in reply.tool_calls)
            messages.append(Message("assistant", reply.parts, event.label))
        else:
            message = _message(event, kind, name, calls)
            if message is not None:
                messages.append(message)
    return Transcript(tuple(steps), tuple(messages), names, calls)


def _step(event: Event, entry: Entry, name: str, reply: Reply | None) -> Step:
    seq, at = entry.seq, entry.at_ms
    match event:
        case EffectIntent():
            phase: Phase = "think" if event.kind == "model" else "act"
            return Step(seq, at, phase, event.key, event.name, "allowed", arguments=event.arguments, label=event.label)
        case EffectDone():
            text = reply.text if reply is not None else _text(event.result)
            phase = "think" if reply is not None else "observe"
            return Step(
                seq, at, phase, event.key, name, text=text, label=event.label,
                cost_nano=event.cost_nano, duration_ms=event.duration_ms,
            )  # fmt: skip
        case EffectFailed():
            reason = f"{event.code}: {event.message}"
            return Step(
                seq, at, "observe", event.key, name, "failed", reason, event.hint, duration_ms=event.duration_ms
            )
        case EffectDenied():
            reason = f"{event.check}: {event.why}"
            return Step(seq, at, "act", event.key, event.name, "denied", reason, event.hint, arguments=event.arguments)
        case _:
            return _waiting_step(event, seq, at, name)


def _waiting_step(event: Event, seq: int, at: int, name: str) -> Step:
    match event:
        case WaitOpened():
            return Step(
                seq,
                at,
                "act",
                event.key,
                event.name,
                "asked",
                event.question,
                arguments=event.arguments,
                item=event.item,
            )
        case WaitClosed():
            return Step(
                seq, at, "act", event.key, name, event.decision, _by(event), arguments=event.arguments, item=event.item,
                text=_json(event.value),
            )  # fmt: skip
        case EffectInDoubt():
            reason = "nobody can say whether it happened"
            return Step(
                seq,
                at,
                "observe",
                event.key,
                event.name,
                "in_doubt",
                reason,
                arguments=event.arguments,
                item=event.item,
            )
        case EffectResolved():
            return Step(
                seq, at, "observe", event.key, name, "resolved", _by(event), text=event.resolution, item=event.item
            )
        case Screened():
            reason = f"{event.severity} {event.rule}: {event.why}"
            return Step(seq, at, "reflect", event.key, decision=event.severity, reason=reason)
        case Reflected():
            return Step(seq, at, "reflect", decision=event.action, text=event.finding)
        case EffectParked():
            return Step(seq, at, "act", event.key, name, "parked", "its own code waits", item=event.item)
        case TimerSet():
            return Step(seq, at, "act", event.key, "sleep", "asked", f"until {event.due_ms} ms", item=event.item)
        case Noted():
            return Step(seq, at, "observe", event.key, text=_json(event.value))
        case _:
            return _message_step(event, seq, at) or _run_step(event, seq, at)


def _model_step(event: Routed | ModelNote, seq: int, at: int) -> Step:
    if isinstance(event, ModelNote):
        return Step(seq, at, "think", event.key, event.name, event.kind, event.reason)
    seen = [
        f"{c.model}: {c.out}" if c.out else f"{c.model} p={c.success:.2f} score={c.score:.3f}" for c in event.candidates
    ]
    reason = f"{event.strategy}: {event.reason}" if event.reason else event.strategy
    return Step(seq, at, "think", event.key, event.model, "routed", reason, text="; ".join(seen))


def _message_step(event: Event, seq: int, at: int) -> Step | None:
    """A message between parties of a team; None for other events."""
    match event:
        case MessageSent():
            return Step(seq, at, "act", event.key, event.channel, "sent", f"by {event.sender}", text=_json(event.value))
        case MessageTaken():
            return Step(seq, at, "observe", event.key, event.channel, "taken", f"by {event.receiver}: {event.message}")
        case _:
            return None


def _run_step(event: Event, seq: int, at: int) -> Step:
    match event:
        case RunStarted():
            return Step(seq, at, "run", name=event.agent, decision="started", text=event.task)
        case RunResumed():
            return Step(seq, at, "run", decision="resumed", reason=f"epoch {event.epoch}")
        case CancelRequested():
            return Step(seq, at, "run", decision="cancel", reason=_by(event))
        case GrantRevoked():
            return Step(seq, at, "run", name=event.grant, decision="revoked", reason=_by(event))
        case RunDone():
            error = event.error or {}
            reason = f"{error.get('code', '')}: {error.get('message', '')}" if error else ""
            output = event.output if isinstance(event.output, str) else _json(event.output)
            output = output or (_json(event.partials) if event.partials else "")
            return Step(seq, at, "run", decision=event.status, reason=reason, text=output)
        case Forked():
            edits = f", edited {', '.join(sorted(event.edits))}" if event.edits else ""
            return Step(seq, at, "run", decision="forked", reason=f"from {event.origin}@{event.seq}{edits}")
        case MessageReceived():
            return Step(seq, at, "run", name=event.name, decision="signal", reason=event.by, text=_json(event.value))
        case Routed() | ModelNote():
            return _model_step(event, seq, at)
        case Patched():
            return Step(seq, at, "run", name=event.name, decision="patched" if event.active else "unpatched")
        case _:
            raise AssertionError(f"an event without a step: {type(event).__name__}")


def _message(event: Event, kind: str, name: str, calls: dict[str, tuple[str, ...]]) -> Message | None:
    """The message that an event other than a model's reply adds; None for most."""
    match event:
        case RunStarted():
            return Message("user", (Text(event.task),), USER)
        case EffectDone() if kind != "model":
            result = ToolResult(_call_id(event.key, calls), name, _text(event.result))
            return Message("tool", (result,), event.label)
        case EffectFailed() if kind != "model":
            result = ToolResult(_call_id(event.key, calls), name, f"error {event.code}: {event.message}", True)
            return Message("tool", (result,), event.label)
        case EffectDenied() if kind != "model":
            text = f"error {event.code}: {event.check}: {event.why}"
            return Message("tool", (ToolResult(_call_id(event.key, calls), event.name, text, True),))
        case _:
            return None


def _turn(key: str) -> str:
    """`turn/3` of `turn/3/model#1` or `turn/3/call/0`."""
    return "/".join(key.split("/")[:2])


def _call_id(key: str, calls: dict[str, tuple[str, ...]]) -> str:
    """The provider's id of the call at `turn/N/call/M`; the key itself where there is none."""
    ids = calls.get(_turn(key), ())
    index = key.split("/")[3:4]
    if index and index[0].isascii() and index[0].isdigit() and len(index[0]) < 6 and int(index[0]) < len(ids):
        return ids[int(index[0])] or key
    return key


def _reply_of(event: EffectDone) -> Reply | None:
    try:
        return _reply.decode(event.result)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None  # shown as its JSON text; the chain holds what was written


def _text(result: msgspec.Raw) -> str:
    value = _any.decode(result)
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()


def _by(event: WaitClosed | EffectResolved | CancelRequested | GrantRevoked) -> str:
    return f"{event.by}: {event.reason}" if event.reason else event.by
