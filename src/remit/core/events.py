"""Journal events: one tagged struct a kind. State is a fold over them.

Keys are structural (`turn/3/call/0`, `turn/3/model#1`), never a provider's call id. A new field gets a
default; a renamed or changed one gets a new tag and an upcaster. Unknown tags fail closed.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

from remit.core.labels import SYSTEM, Label
from remit.core.usage import Usage


class RunStarted(Struct, frozen=True, tag="run_started", tag_field="type", omit_defaults=True):
    """A run begins; `spec` is all that another process needs to build the agent again."""

    agent: str
    task: str
    model: str = ""
    spec: dict[str, Any] = {}
    remit: dict[str, Any] = {}
    budget: dict[str, Any] = {}
    workspace: str = ""
    parent: str = ""
    """run id of the parent"""
    subject: str = ""
    """whose data the run holds, for erasure; "" = nobody's in particular"""
    version: int = 0
    """of the workflow's code; 0 = none was given, or the run is an agent's"""


class RunResumed(Struct, frozen=True, tag="run_resumed", tag_field="type", omit_defaults=True):
    """A new activation took the run over."""

    epoch: int


class EffectIntent(Struct, frozen=True, tag="effect_intent", tag_field="type", omit_defaults=True):
    """Written before the effect; durable before it unless the tier is pure."""

    key: str
    kind: str
    """model | tool | run (a child; `arguments` name it)"""
    name: str
    digest: str
    """SHA-256 (hex) of the canonical arguments"""
    tier: str = "pure"
    arguments: Any = None
    """the tool's arguments; for a model call the number of messages it saw"""
    needs: tuple[str, ...] = ()
    label: Label = SYSTEM
    """the context's label at that moment"""
    rules: tuple[str, ...] = ()
    """what allowed it, where more than the remit was asked; () = the run's remit alone, which its start holds"""


class EffectParked(Struct, frozen=True, tag="effect_parked", tag_field="type", omit_defaults=True):
    """The tool's own code waits for `item`; it runs again from its start once the answer is there."""

    key: str
    item: str


class EffectDone(Struct, frozen=True, tag="effect_done", tag_field="type", omit_defaults=True):
    """The effect's result as JSON: a Reply for a model, a tool's text for a tool."""

    key: str
    result: Raw
    label: Label = SYSTEM
    usage: Usage | None = None
    cost_nano: int | None = None
    """None = unknown price, or no model call"""
    duration_ms: int = 0
    touched: tuple[str, ...] = ()
    """what an own tool used through its handles, at most 64 needs"""


class EffectFailed(Struct, frozen=True, tag="effect_failed", tag_field="type", omit_defaults=True):
    """The effect was tried and failed."""

    key: str
    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    label: Label = SYSTEM
    duration_ms: int = 0
    touched: tuple[str, ...] = ()
    """what the call's handles had used before it failed"""


class EffectDenied(Struct, frozen=True, tag="effect_denied", tag_field="type", omit_defaults=True):
    """The gate refused: which check, and why."""

    key: str
    name: str
    check: str
    code: str
    why: str
    hint: str = ""
    digest: str = ""
    arguments: Any = None
    rule: str = ""
    """the denial or grant that decided, as text; its id is that of the text (core/grants.py)"""


class EffectInDoubt(Struct, frozen=True, tag="effect_in_doubt", tag_field="type", omit_defaults=True):
    """After a crash nobody can say whether the effect happened; `item` waits in the inbox."""

    key: str
    item: str
    name: str
    digest: str
    arguments: Any = None


class EffectResolved(Struct, frozen=True, tag="effect_resolved", tag_field="type", omit_defaults=True):
    """The doubt is gone: done | not-done | retry, by a person or by the tool's reconcile()."""

    key: str
    item: str
    resolution: str
    by: str
    reason: str = ""


class WaitOpened(Struct, frozen=True, tag="wait_opened", tag_field="type", omit_defaults=True):
    """A question to a person, bound to the digest of the arguments; or a signal that the run waits for."""

    key: str
    item: str
    name: str
    digest: str
    question: str
    arguments: Any = None
    kind: str = "approval"
    """approval | input | signal"""
    form: dict[str, Any] = {}
    """what an answer must be like (core/forms.py); {} for an approval"""
    due_ms: int = 0
    """wall clock at which nobody answers any more; 0 = never"""


class WaitClosed(Struct, frozen=True, tag="wait_closed", tag_field="type", omit_defaults=True):
    """The end of a wait, once: approved | denied | edited (`arguments` are the new ones) | answered | expired | due.

    `answered` brings `value`; `expired` = the deadline of a question passed; `due` = a timer's moment came.
    """

    key: str
    item: str
    decision: str
    digest: str
    by: str
    reason: str = ""
    arguments: dict[str, Any] | None = None
    value: Any = None


class TimerSet(Struct, frozen=True, tag="timer_set", tag_field="type", omit_defaults=True):
    """The run waits until a moment; a wait_closed event of `item` says that it came."""

    key: str
    item: str
    due_ms: int
    """wall clock"""


class MessageReceived(Struct, frozen=True, tag="message_received", tag_field="type", omit_defaults=True):
    """A signal that came before the run waited for one of its name."""

    name: str
    by: str
    value: Any = None


class MessageSent(Struct, frozen=True, tag="message_sent", tag_field="type", omit_defaults=True):
    """A party of a team put a message into a channel; it stands there until a message_taken names its key."""

    key: str
    channel: str
    sender: str
    value: Any = None
    digest: str = ""
    """SHA-256 (hex) of channel and value"""
    priority: int = 128
    label: Label = SYSTEM
    """trust of the message; it joins that of whoever takes it"""


class MessageTaken(Struct, frozen=True, tag="message_taken", tag_field="type", omit_defaults=True):
    """A party of a team took a message out of a channel, once."""

    key: str
    channel: str
    receiver: str
    message: str
    """key of its message_sent"""


class Noted(Struct, frozen=True, tag="noted", tag_field="type", omit_defaults=True):
    """A value that a workflow took from outside (the time, a random number), so that a replay takes the same."""

    key: str
    value: Any = None


class Patched(Struct, frozen=True, tag="patch", tag_field="type", omit_defaults=True):
    """Whether a run takes the new path of changed workflow code; decided once a run and name."""

    name: str
    active: bool


class Forked(Struct, frozen=True, tag="fork", tag_field="type", omit_defaults=True):
    """This run continues another one from a moment on: all that `origin` did up to `seq` is its past, by reference."""

    origin: str
    seq: int
    hash: str
    """of the origin's entry at `seq`, hex"""
    edits: dict[str, Any] = {}
    """structural key -> the result that takes the place of the recorded one"""
    by: str = ""


class Reflected(Struct, frozen=True, tag="reflected", tag_field="type", omit_defaults=True):
    """The loop looked at its own progress: what it saw and what it does about it."""

    turn: int
    finding: str
    action: str
    """none | warn | steer | stop"""


class Screened(Struct, frozen=True, tag="screened", tag_field="type", omit_defaults=True):
    """A guardrail found something, or personal data was kept from a remote model; never the text itself."""

    key: str
    stage: str
    """input | call | result | output; request for what a remote model was not shown"""
    rule: str
    severity: str
    """block | sanitize | warn | log | redact"""
    level: str = "info"
    why: str = ""
    confidence: float = 1.0
    count: int = 1


class Candidate(Struct, frozen=True, gc=False, omit_defaults=True):
    """One model that a choice looked at; `out` says why it could not be taken, "" = it could."""

    model: str
    tier: str = ""
    success: float = 0.0
    """estimated probability that its answer is accepted"""
    score: float = 0.0
    """the strategy's score; the highest is taken"""
    nano: int | None = None
    """estimated cost of the call, None = unknown"""
    out: str = ""
    capability: float = 0.0
    """the difficulty that it masters"""


class Routed(Struct, frozen=True, tag="routed", tag_field="type", omit_defaults=True):
    """A model was chosen for one call: from which, by what, and why."""

    key: str
    strategy: str
    model: str
    difficulty: float = 0.0
    reason: str = ""
    candidates: tuple[Candidate, ...] = ()
    explored: bool = False
    """taken to learn, not because it was the best"""
    plan: tuple[str, ...] = ()
    """the models in the order in which they are asked; `model` is the first"""
    check: str = ""
    """what judges an answer before it is taken; "" = nothing"""
    ablest_nano: int | None = None
    """estimated cost of the ablest model that could be taken: what savings are told against"""
    features: tuple[int, ...] = ()
    """what the choice saw of the task, hashed: a judgement that comes later is learnt from these"""


class ModelNote(Struct, frozen=True, tag="model_note", tag_field="type", omit_defaults=True):
    """What happened around model calls: nothing that replay depends on.

    kind: fallback | escalated | hedged | breaker | cached | judged | waited | usage | budget | unusual
    """

    key: str
    kind: str
    name: str = ""
    """the model, provider, limit or budget"""
    reason: str = ""
    data: dict[str, Any] = {}


class CancelRequested(Struct, frozen=True, tag="cancel_requested", tag_field="type", omit_defaults=True):
    """Somebody asked the run to stop."""

    by: str
    reason: str = ""
    kind: str = "user_request"
    """user_request | timeout | parent_cancelled | dependency_failed | resource_limit | error | shutdown | custom"""


class GrantRevoked(Struct, frozen=True, tag="grant_revoked", tag_field="type", omit_defaults=True):
    """Somebody took a grant back, in this run and all that it starts, or (`run` = "") in every run."""

    grant: str
    """id, as `remit policy explain` prints it"""
    by: str
    reason: str = ""
    run: str = ""


class RunDone(Struct, frozen=True, tag="run_done", tag_field="type", omit_defaults=True):
    """The run ended with `status`: ok | denied | failed | cancelled | exhausted."""

    status: str
    output: Any = None
    error: dict[str, Any] | None = None
    partials: tuple[dict[str, Any], ...] = ()
    """PartialResults of a run that ended early"""


Event = (
    RunStarted
    | RunResumed
    | EffectIntent
    | EffectParked
    | EffectDone
    | EffectFailed
    | EffectDenied
    | EffectInDoubt
    | EffectResolved
    | WaitOpened
    | WaitClosed
    | TimerSet
    | MessageReceived
    | MessageSent
    | MessageTaken
    | Noted
    | Patched
    | Forked
    | Reflected
    | Screened
    | Routed
    | ModelNote
    | CancelRequested
    | GrantRevoked
    | RunDone
)
