"""Projection: the audit record of every decision and outcome, in one canonical form.

Each event that decides something, or says what became of it, is one `Decision`: who, under which remit, what, with
which arguments (their digest), how far what the agent had read is trusted, what was decided, by which rule. An event
names only its key, so the intent's name, digest and tier are looked up in the fold.

Levels: info (done as asked), warning (refused, asked, in doubt, cancelled), error (failed), and critical for a refusal
by the flow check: data was about to go where its label forbids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core import events
from remit.core.grants import parse_denial, parse_grant
from remit.core.labels import SYSTEM, Label
from remit.core.needs import parse_need
from remit.core.remit import Remit
from remit.errors import RemitError
from remit.journal.chain import decode_event
from remit.ports.journal import Entry

KINDS: Final = (
    *("agent_lifecycle", "approval_decision", "error", "llm_request", "llm_response", "scope_denied", "security"),
    *("tool_call", "tool_result"),
)
LEVELS: Final = ("info", "warning", "error", "critical")
MAX_TEXT: Final = 10 * 1024
"""characters of a reason; what is longer stands in the journal"""


class Decision(Struct, frozen=True):
    """One decision or outcome."""

    run_id: str
    seq: int
    time_ms: int
    kind: str
    """one of KINDS"""
    level: str
    """one of LEVELS"""
    actor: str
    """agent:NAME, or person:NAME"""
    grant: str
    """id of the remit that the run holds: the first 16 hex digits of its SHA-256"""
    effect: str
    """tool or model; "" for the run's own events"""
    key: str
    """where in the run"""
    digest: str
    """SHA-256 of the arguments"""
    needs: tuple[str, ...]
    """what the effect touches, as verb:resource"""
    label: Label
    """of all that the agent had read"""
    decision: str
    """started | resumed | allow | deny | ask | approved | denied | edited | done | failed | in_doubt | ..."""
    rule: str
    """check:code of a refusal, code of a failure"""
    reason: str
    prev: str
    """hash of the entry before, hex"""
    hash: str
    grants: tuple[str, ...] = ()
    """ids of the grants that allowed the effect, or of the denial that refused it"""


class Effect(Struct, frozen=True):
    """What later events of a key refer to."""

    name: str
    kind: str
    digest: str
    needs: tuple[str, ...] = ()
    label: Label = SYSTEM


class Decisions(Struct, frozen=True):
    """The decisions of one run so far, and what the next ones need to know."""

    agent: str = ""
    grant: str = ""
    remit: dict[str, Any] = {}
    effects: dict[str, Effect] = {}
    """open ones by key"""
    found: tuple[Decision, ...] = ()


EMPTY: Final = Decisions()


def fold(state: Decisions, entries: Iterable[Entry]) -> Decisions:
    """`state` after `entries` of the same run. Raises chain_broken, journal_format."""
    reader = Reader(state)
    found = [decision for decision in map(reader.read, entries) if decision is not None]
    return Decisions(reader.agent, reader.grant, reader.remit, dict(reader.effects), (*state.found, *found))


class Reader:
    """The same fold, one entry at a time: for whoever follows the log."""

    def __init__(self, state: Decisions = EMPTY) -> None:
        self.agent = state.agent
        self.grant = state.grant
        self.effects = dict(state.effects)
        self.remit = state.remit
        self._ruled: dict[str, str] = {}

    def read(self, entry: Entry) -> Decision | None:
        """The decision of an entry; None when it holds none. Raises chain_broken, journal_format."""
        event = decode_event(entry.body)
        make = _READERS.get(type(event))
        facts = make(self, event) if make is not None else None
        return None if facts is None else self._decision(entry, facts)

    def skip(self, entry: Entry, error: RemitError) -> Decision:
        """The record of an entry that cannot be read (its content was dropped, or is sealed)."""
        return self._decision(entry, _Facts("error", "error", "unreadable", rule=error.code, reason=error.message))

    def _decision(self, entry: Entry, facts: _Facts) -> Decision:
        effect = facts.effect
        return Decision(
            entry.run_id,
            entry.seq,
            entry.at_ms,
            facts.kind,
            facts.level,
            facts.actor or f"agent:{self.agent}",
            self.grant,
            effect.name,
            facts.key,
            effect.digest,
            effect.needs,
            effect.label,
            facts.decision,
            facts.rule,
            facts.reason[:MAX_TEXT],
            entry.prev.hex(),
            entry.hash.hex(),
            facts.grants,
        )

    # ---- one kind of event each

    def _started(self, event: events.RunStarted) -> _Facts:
        self.agent = event.agent
        self.remit, self._ruled = event.remit, {}
        text = msgspec.json.encode(event.remit, order="deterministic")
        self.grant = sha256(text).hexdigest()[:16]
        return _Facts("agent_lifecycle", "info", "started", reason=f"child of {event.parent}" if event.parent else "")

    def _resumed(self, event: events.RunResumed) -> _Facts:
        return _Facts("agent_lifecycle", "info", "resumed", reason=f"activation {event.epoch}")

    def _ended(self, event: events.RunDone) -> _Facts:
        level = "info" if event.status == "ok" else "warning"
        code = str((event.error or {}).get("code", ""))
        return _Facts("agent_lifecycle", level, event.status, rule=code)

    def _cancelled(self, event: events.CancelRequested) -> _Facts:
        return _Facts("agent_lifecycle", "warning", "cancel", actor=f"person:{event.by}", reason=event.reason)

    def _revoked(self, event: events.GrantRevoked) -> _Facts:
        what = f"grant {event.grant} in {event.run or 'every run'}: {event.reason}"
        return _Facts("security", "warning", "revoked", actor=f"person:{event.by}", rule=event.grant, reason=what)

    def _intent(self, event: events.EffectIntent) -> _Facts:
        effect = Effect(event.name, event.kind, event.digest, event.needs, event.label)
        self.effects[event.key] = effect
        kind = "llm_request" if event.kind == "model" else "tool_call"
        rules = event.rules or self._rules(event)
        return _Facts(kind, "info", "allow", effect, event.key, "; ".join(rules), grants=ids_of(rules))

    def _rules(self, event: events.EffectIntent) -> tuple[str, ...]:
        """What the run's remit says of the needs, where nothing else was asked: the same algebra as at the gate."""
        if "layers" not in self.remit:
            return ()  # a run that holds nothing of its own, or one that was written before remits were
        needs = event.needs or ((f"model:{event.name}",) if event.kind == "model" else ())
        missing = [need for need in needs if need not in self._ruled]
        if missing:
            try:
                remit = Remit.from_data(self.remit)
                self._ruled |= {need: remit.ruling(parse_need(need), 0).rule for need in missing}
            except RemitError:  # a remit or a need of a form that is not read any more: the event still stands
                self._ruled |= dict.fromkeys(missing, "")
        return tuple(dict.fromkeys(self._ruled[need] for need in needs if self._ruled[need]))

    def _done(self, event: events.EffectDone) -> _Facts:
        effect = self._close(event.key, event.label)
        kind = "llm_response" if effect.kind == "model" else "tool_result"
        return _Facts(kind, "info", "done", effect, event.key)

    def _failed(self, event: events.EffectFailed) -> _Facts:
        effect = self._close(event.key, event.label)
        return _Facts("error", "error", "failed", effect, event.key, event.code, event.message)

    def _denied(self, event: events.EffectDenied) -> _Facts:
        known = self.effects.pop(event.key, Effect("", "tool", ""))
        effect = Effect(event.name, known.kind, event.digest or known.digest, known.needs, known.label)
        kind, level = ("security", "critical") if event.check == "flow" else ("scope_denied", "warning")
        rule = f"{event.check}:{event.code}" + (f": {event.rule}" if event.rule else "")
        grants = ids_of((event.rule,) if event.rule else ())
        return _Facts(kind, level, "deny", effect, event.key, rule, event.why, grants=grants)

    def _doubt(self, event: events.EffectInDoubt) -> _Facts:
        effect = self.effects.get(event.key, Effect(event.name, "tool", event.digest))
        return _Facts("error", "warning", "in_doubt", effect, event.key, reason=event.item)

    def _resolved(self, event: events.EffectResolved) -> _Facts:
        effect = self._close(event.key, None)
        actor = f"person:{event.by}"
        return _Facts("approval_decision", "info", event.resolution, effect, event.key, "", event.reason, actor)

    def _asked(self, event: events.WaitOpened) -> _Facts:
        effect = Effect(event.name, "tool", event.digest)
        self.effects.setdefault(event.key, effect)
        return _Facts("approval_decision", "warning", "ask", effect, event.key, reason=event.question)

    def _answered(self, event: events.WaitClosed) -> _Facts:
        known = self.effects.get(event.key, Effect("", "tool", ""))
        effect = Effect(known.name, known.kind, event.digest, known.needs, known.label)
        level = "info" if event.decision == "approved" else "warning"
        actor = f"person:{event.by}"
        return _Facts("approval_decision", level, event.decision, effect, event.key, "", event.reason, actor)

    def _forked(self, event: events.Forked) -> _Facts:
        reason = f"{event.origin} seq {event.seq}: {', '.join(sorted(event.edits)) or 'no edits'}"
        return _Facts("agent_lifecycle", "warning", "forked", actor=f"person:{event.by}", reason=reason)

    def _received(self, event: events.MessageReceived) -> _Facts:
        return _Facts("agent_lifecycle", "info", "signal", actor=f"person:{event.by}", reason=event.name)

    def _sent(self, event: events.MessageSent) -> _Facts:
        effect = Effect(event.channel, "message", event.digest, (), event.label)
        return _Facts("agent_lifecycle", "info", "sent", effect, event.key, reason=f"by {event.sender}")

    def _taken(self, event: events.MessageTaken) -> _Facts:
        effect = Effect(event.channel, "message", "")
        return _Facts("agent_lifecycle", "info", "taken", effect, event.key, reason=f"by {event.receiver}")

    def _screened(self, event: events.Screened) -> _Facts:
        effect = self.effects.get(event.key, Effect("", "tool", ""))
        level = {"block": "critical", "redact": "info", "log": "info"}.get(event.severity, "warning")
        return _Facts("security", level, event.severity, effect, event.key, f"guardrail:{event.rule}", event.why)

    def _close(self, key: str, label: Label | None) -> Effect:
        known = self.effects.pop(key, Effect("", "tool", ""))
        return known if label is None else msgspec.structs.replace(known, label=label)


class _Facts(Struct):
    """What an event says, before its place is added."""

    kind: str
    level: str
    decision: str
    effect: Effect = Effect("", "", "")
    key: str = ""
    rule: str = ""
    reason: str = ""
    actor: str = ""
    grants: tuple[str, ...] = ()


def ids_of(rules: Iterable[str]) -> tuple[str, ...]:
    """The ids of those rules that are grants or denials; a policy's own rule has none."""
    found = []
    for rule in (each.removeprefix("deny ") for each in rules):
        try:
            found.append(parse_grant(rule).id)
        except RemitError:
            found += _id_of_denial(rule)
    return tuple(found)


def _id_of_denial(rule: str) -> list[str]:
    try:
        return [parse_denial(rule).id]
    except RemitError:
        return []


_READERS: Final[dict[type, Callable[[Reader, Any], _Facts]]] = {
    events.RunStarted: Reader._started,
    events.RunResumed: Reader._resumed,
    events.RunDone: Reader._ended,
    events.CancelRequested: Reader._cancelled,
    events.GrantRevoked: Reader._revoked,
    events.EffectIntent: Reader._intent,
    events.EffectDone: Reader._done,
    events.EffectFailed: Reader._failed,
    events.EffectDenied: Reader._denied,
    events.EffectInDoubt: Reader._doubt,
    events.EffectResolved: Reader._resolved,
    events.WaitOpened: Reader._asked,
    events.Forked: Reader._forked,
    events.MessageReceived: Reader._received,
    events.MessageSent: Reader._sent,
    events.MessageTaken: Reader._taken,
    events.Screened: Reader._screened,
    events.WaitClosed: Reader._answered,
}
