"""A member's own run: begun or gone on with, written down with what it cost, and read back when it was done before.

An agent or a team has a run of its own, a child of the team's; a plain function has none. What could not begin is an
answer that failed, and so is an answer that cannot be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.agents.agent import Agent
from remit.agents.run import Run
from remit.core.events import EffectDone
from remit.core.labels import join
from remit.core.messages import Message
from remit.core.schema import encode_foreign
from remit.core.usage import Usage
from remit.errors import Exhausted, Invalid, RemitError, error_of
from remit.ports.user_code import user_code
from remit.teams.members import name_of, typed
from remit.teams.outcome import OF_THE_TEAM, TeamEnd, code_failed

if TYPE_CHECKING:
    from remit.teams.work import Place, Work

MAX_ANSWER_BYTES: Final = 4_000_000  # of one member, as JSON
_encode: Final = msgspec.json.Encoder(enc_hook=encode_foreign).encode


async def start(work: Work, member: Any, child_id: str, prompt: Any, place: Place, *, resumed: bool) -> Run:
    """Begin the member's run, or go on with the one that was begun; raises Conflict, disk_failed, estop."""
    if not isinstance(member, Agent) and not hasattr(member, "carry_out"):
        return await _function(member, prompt)
    options = work.options
    if resumed and _exists(work, child_id):
        return await _resume(work, member, child_id)
    task: Any = prompt
    if place.label is not work.scope.label and isinstance(prompt, str):
        task = Message("user", prompt, place.label)  # type: ignore[arg-type]  # a string is parts to a Message
    given: dict[str, Any] = {"deps": options.deps, "listener": options.listener, "priority": options.priority}
    given |= {"deltas": options.deltas, "subject": options.subject, "workspace": options.workspace}
    try:
        if isinstance(member, Agent):
            return await work.runtime.run(member, task, run_id=child_id, **given)
        run: Run = await member.carry_out(task, run_id=child_id, **given)
        return run
    except RemitError as e:  # it could not begin: a tool it has not, a model nobody knows, a delegation denied
        if e.family == "Conflict" or e.code in ("disk_failed", "estop"):
            raise
        return Run(child_id, "denied" if e.family == "Denied" else "failed", None, e)


async def _resume(work: Work, member: Any, child_id: str) -> Run:
    options = work.options
    run: Run
    if isinstance(member, Agent):
        before = work.runtime.journal.read(child_id)
        run = await work.runtime.resume(child_id, member, deps=options.deps, listener=options.listener,
                                        deltas=options.deltas)  # fmt: skip
        if b'"run_done"' in before[-1].body[:40]:
            _settle(work, run.usage, run.cost_nano)  # it had ended before: nothing drew on our ledger now
            run.output = typed(member, run.output)
        return run
    run = await member.resume(child_id, deps=options.deps, listener=options.listener, deltas=options.deltas)
    return run


async def _function(fn: Any, prompt: Any) -> Run:
    """A plain async function as a member: `fn(prompt)`."""
    output: Any = None
    with user_code(TeamEnd) as code:
        output = await fn(prompt)
    if code.error is None:
        return Run("", "ok", output)
    if isinstance(code.error, TimeoutError):
        raise code.error
    error = code_failed(name_of(fn), code.error)
    if error.family == "Conflict" and error.code not in OF_THE_TEAM:
        raise error
    return Run("", "denied" if error.family == "Denied" else "failed", None, error)


def _exists(work: Work, run_id: str) -> bool:
    try:
        return bool(work.runtime.journal.read(run_id))
    except RemitError:
        return False


def record(work: Work, key: str, run: Run, name: str, place: Place, late: bool) -> Run:
    """Write how the member ended; an answer that cannot be kept is a member that failed."""
    try:
        body = _encode(run.output)
        if len(body) > MAX_ANSWER_BYTES:
            why = f"{name} answered with {len(body)} bytes; at most {MAX_ANSWER_BYTES}"
            raise Exhausted("output_too_large", why)
    except (ValueError, TypeError, RecursionError, Exhausted) as e:
        why = f"the answer of {name} cannot be kept: {str(e)[:200]}"
        error = e if isinstance(e, Exhausted) else Invalid("value_invalid", why)
        run.status, run.output, run.error, body = "failed", None, error, b"null"
    kept = {"run": run.id, "status": run.status, "output": msgspec.Raw(body), "late": late}
    kept["cost_nano"] = run.cost_nano
    kept["error"] = None if run.error is None else run.error.for_user()
    kept["usage"] = run.usage
    work.scope.emit(EffectDone(key, msgspec.Raw(_encode(kept)), place.label))
    return run


def replayed(work: Work, record: Any, member: Any, place: Place) -> tuple[Run, bool]:
    """A run that had ended before, as its record holds it, and whether it passed its time; its cost counts again."""
    kept = msgspec.json.decode(record.done.result)
    e = kept["error"]
    error = None if e is None else error_of(e["code"], e["message"], e["hint"], e["retryable"])
    run = Run(kept["run"], kept["status"], typed(member, kept["output"]), error)
    run.usage, run.cost_nano = msgspec.convert(kept["usage"], Usage), kept["cost_nano"]
    if run.id:
        _settle(work, run.usage, run.cost_nano)
    place.label = join(place.label, record.done.label)
    return run, kept["late"]


def _settle(work: Work, usage: Usage, nano: int | None) -> None:
    work.scope.ledger.settle(None, usage, nano)
    for ledger in work.scope.ledger.chain:
        ledger.model_calls += usage.requests
