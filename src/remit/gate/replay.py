"""Replay: what the journal already knows of an effect, after a crash or a wait.

    done, failed, denied   the recorded outcome; nothing is done again
    intent, nothing after  pure and idempotent run again; others ask the tool's reconcile(), then a person
    in_doubt               waits, or follows the person: done | not-done | retry
    waiting                the question stays the same; its answer counts for its digest

The recorded digest must equal the one asked for now; otherwise the code changed in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from remit.core.effects import Deny, Done, Failed, Outcome, Refused, Waiting
from remit.core.events import EffectDone, EffectResolved
from remit.core.ids import new_id
from remit.core.model import Reply
from remit.errors import NonDeterminism, RemitError, error_of
from remit.gate import flow
from remit.gate.approval import open_doubt
from remit.gate.resolve import Action
from remit.gate.scope import Scope
from remit.guard.handles import Lease
from remit.ports.clock import Clock

_reply: Final = msgspec.json.Decoder(Reply)
_text: Final = msgspec.json.Decoder(str)


async def answer(
    action: Action, scope: Scope, lend: Callable[[Action, Scope, Lease], Any], clock: Clock
) -> Outcome | bool:
    """The recorded outcome; False = perform it now; True = perform it, a person already agreed to exactly this."""
    assert scope.recorded is not None
    record = scope.recorded.get(action.key)
    found = False if record is None else await _known(record, action, scope, lend, clock)
    if isinstance(found, bool) and scope.control is not None and scope.control.stops(action.key, action.name):
        return Waiting("", "breakpoint")
    return found


async def _known(
    record: Any, action: Action, scope: Scope, lend: Callable[[Action, Scope, Lease], Any], clock: Clock
) -> Outcome | bool:
    edited = record.answer is not None and record.answer.digest == action.digest
    if record.digest and record.digest != action.digest and not edited:
        raise NonDeterminism(
            "nondeterminism",
            f"{action.key}: the journal holds {record.name} {record.digest[:12]}, the code asks for "
            f"{action.name} {action.digest[:12]}",
        )
    match record.state:
        case "done":
            return _recorded_done(record.done, action, scope)
        case "failed" if not _try_again(record, action, scope):
            f = record.failed
            if action.flow is not None and f.code == "tool_failed":
                flow.failed(action, scope, f.message)
            return Failed(error_of(f.code, f.message, f.hint, f.retryable), f.label)
        case "denied":
            d = record.denied
            scope.denied += 1
            return Refused(Deny(d.code, d.check, d.why, d.hint))
        case "in_doubt":
            return _resolved(record, action, scope) if record.resolution else open_doubt(action, scope, record, clock)
        case "intent" if action.tier == "unsafe" or (scope.forked and action.tier == "idempotent"):
            return await _reconcile(record, action, scope, lend, clock)
    return False


def _try_again(record: Any, action: Action, scope: Scope) -> bool:
    """A model attempt that was cut off, or that failed for the moment as the last of its row, is made again."""
    if record.failed.code == "cancelled":
        return action.tier != "unsafe"
    base, _, number = action.key.partition("#")
    following = f"{base}#{int(number or 0) + 1}"
    newest = scope.recorded is not None and scope.recorded.get(following) is None
    return action.model is not None and record.failed.retryable and newest


def _recorded_done(done: EffectDone, action: Action, scope: Scope) -> Outcome:
    if action.tool is not None:
        return Done(flow.taken(action, scope, _text.decode(done.result))[0], done.label, True)
    scope.ledger.settle(None, done.usage, done.cost_nano)
    action.nano = done.cost_nano or 0
    withheld = None if scope.screen is None else scope.screen.withheld.pop(action.key, None)
    if withheld is not None:
        return Refused(withheld)
    return Done(_reply.decode(done.result), done.label, True)


def _resolved(record: Any, action: Action, scope: Scope) -> Outcome | bool:
    """What a person said of an effect in doubt."""
    if record.resolution == "done":
        return Done(
            "done: a person confirmed that this happened before the crash; its output is lost", scope.label, True
        )
    return True


async def _reconcile(
    record: Any, action: Action, scope: Scope, lend: Callable[[Action, Scope, Lease], Any], clock: Clock
) -> Outcome | bool:
    """Ask the tool itself; without a certain answer, the person."""
    tool = action.tool
    verdict = "unknown"
    if tool is not None and tool.reconcile is not None:
        lease = Lease(action.needs, builtin=tool.builtin, tainted=scope.label.untrusted, timeout_s=tool.timeout_s)
        try:
            found = tool.reconcile(lend(action, scope, lease), **action.values)
            verdict = found if isinstance(found, str) else await found
        except RemitError:
            verdict = "unknown"
        finally:
            lease.revoked = True
    if verdict not in ("done", "not-done"):
        return open_doubt(action, scope, record, clock)
    item = new_id("doubt", clock.now_ms(), clock.random_bits(80))
    scope.emit(EffectResolved(action.key, item, verdict, "reconcile", f"{action.name} looked at the result itself"))
    if verdict == "not-done":
        return True
    return Done("done: this happened before the crash; the tool found its result in place", scope.label, True)
