"""Block 6, approval: a person answers, once, for exactly these arguments.

The question and the answer are journalled. An answer counts for the digest it was given for; an
edit changes the arguments, and the call goes back to block 1 with them. Without anybody to ask,
the call stays waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.core.effects import Ask, Deny, Refusal, Waiting, measure_arguments
from remit.core.events import EffectInDoubt, WaitClosed, WaitOpened
from remit.core.ids import new_id
from remit.gate.scope import Scope
from remit.ports.journal import InboxRow

if TYPE_CHECKING:
    from remit.gate.door import Gate
    from remit.gate.resolve import Action
    from remit.ports.clock import Clock


class Edited(Exception):  # not an error: control flow back to block 1
    """The person changed the arguments; perform the call again with `answer.arguments`."""

    def __init__(self, answer: WaitClosed) -> None:
        super().__init__("edited")
        self.answer = answer


async def settle(ask: Ask, action: Action, scope: Scope, answer: WaitClosed | None, gate: Gate) -> Waiting | None:
    """None = approved; raises Refusal. `answer` is what the journal already holds for this key."""
    approver, clock = gate.approver, gate._clock
    if answer is not None and answer.digest == action.digest:
        _refused(answer)
        return None
    recorded = scope.recorded.get(action.key) if scope.recorded is not None else None
    if recorded is not None and recorded.state == "waiting" and answer is None and recorded.digest == action.digest:
        row = _row(recorded.item, action, scope, ask, clock.now_ms())
        due_ms = recorded.wait.due_ms
        if due_ms and clock.now_ms() >= due_ms:  # nobody answered in time: no
            closed = WaitClosed(action.key, row.id, "expired", action.digest, "clock", "nobody answered in time")
            scope.emit(closed)
            _refused(closed)
    else:
        row = _row(new_id("ask", clock.now_ms(), clock.random_bits(80)), action, scope, ask, clock.now_ms())
        due_ms = 0 if gate.approval_s is None else clock.now_ms() + round(gate.approval_s * 1000)
        question = (action.name, action.digest, ask.question, action.arguments)
        scope.emit(WaitOpened(action.key, row.id, *question, due_ms=due_ms))
    scope.due_ms = min(scope.due_ms or due_ms, due_ms or scope.due_ms)
    if approver is None:
        return Waiting(row.id)
    await scope.log.flush()
    given = await approver.ask(row)
    if given is None:
        return Waiting(row.id)
    edited = given.decision == "edited" and given.arguments is not None
    digest = measure_arguments(action.name, given.arguments)[1] if edited else action.digest
    closed = WaitClosed(action.key, row.id, given.decision, digest, given.by, given.reason, given.arguments)
    scope.emit(closed)
    if edited:
        raise Edited(closed)
    _refused(closed)
    return None


def _refused(answer: WaitClosed) -> None:
    """Raise Refusal for an answer that was no."""
    if answer.decision not in ("approved", "edited"):
        who = "nobody answered" if answer.decision == "expired" else "a person refused this call"
        why = f"{who}: {answer.reason or 'no reason given'}"
        raise Refusal(Deny("approval_refused", "approval", why))


def _row(item: str, action: Action, scope: Scope, ask: Ask, now_ms: int) -> InboxRow:
    return InboxRow(
        item, "approval", scope.run_id, action.name, action.arguments, action.key, action.digest, ask.question, now_ms
    )


def open_doubt(action: Action, scope: Scope, record: Any, clock: Clock) -> Waiting:
    """Put an interrupted effect into the inbox (once), and wait."""
    item = record.item
    if not item:
        item = new_id("doubt", clock.now_ms(), clock.random_bits(80))
        scope.emit(EffectInDoubt(action.key, item, action.name, action.digest, action.arguments))
    return Waiting(item, "in_doubt")
