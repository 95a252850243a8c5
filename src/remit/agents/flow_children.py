"""Children of a workflow: runs of agents, teams and workflows, each found again by an id of its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.agents.agent import Agent
from remit.agents.run import Run
from remit.core.effects import Parked, measure_arguments
from remit.core.events import EffectDone, EffectIntent
from remit.core.ids import child_id
from remit.core.labels import join
from remit.core.schema import decode_as, encode_foreign
from remit.core.usage import Usage
from remit.errors import Invalid, NonDeterminism, error_of
from remit.ports.runtime import Call, current_call

if TYPE_CHECKING:
    from remit.agents.flow_run import Session

_encode: Final = msgspec.json.Encoder(enc_hook=encode_foreign).encode


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the parent's journal keeps of a child's end."""

    run: str = ""
    status: str = "ok"
    output: Any = None
    error: dict[str, Any] | None = None
    usage: Usage = Usage()
    cost_nano: int | None = 0


_decoder: Final = msgspec.json.Decoder(Ended)


async def run_child(session: Session, key: str, agent: Any, task: Any, options: dict[str, Any]) -> Run:
    """The child's run: read where it has ended, resumed where it began, begun otherwise.

    Raises Parked while it waits, nondeterminism when another agent or task stands at this place.
    """
    plain = msgspec.to_builtins(task, enc_hook=encode_foreign)
    digest = measure_arguments(agent.name, plain)[1]
    record = session.recorded.get(key)
    if record is not None and record.digest != digest:
        both = f"the journal holds {record.name} {record.digest[:12]}, the code asks for {agent.name} {digest[:12]}"
        raise NonDeterminism("nondeterminism", f"{key}: {both}")
    if record is not None and record.done is not None:
        return _read(session, record.done, agent)
    run_id = child_id(session.scope.run_id, key)
    if record is None:
        session.scope.emit(EffectIntent(key, "run", agent.name, digest, "idempotent", {"run": run_id}))
    token = current_call.set(call := Call(session.caller, key, session.scope.label))
    try:
        run = await _go_on(session, run_id, agent, task, options)
    finally:
        current_call.reset(token)
        session.scope.label = join(session.scope.label, call.label)
    if run.status == "waiting":
        raise Parked(run.waiting_for, getattr(run, "due_ms", 0))
    error = None if run.error is None else run.error.for_user()
    output = msgspec.Raw(_encode(run.output))
    kept = Ended(run.id, run.status, output, error, run.usage, run.cost_nano)
    session.scope.emit(EffectDone(key, msgspec.Raw(_encode(kept)), session.scope.label))
    return run


async def _go_on(session: Session, run_id: str, agent: Any, task: Any, options: dict[str, Any]) -> Run:
    runtime = session.runtime
    deps = options.pop("deps", session.scope.deps)
    if session.resumed:
        try:
            found: Run = await runtime.resume(run_id, agent, deps=deps, listener=session.scope.listener)
            return found
        except Invalid as e:
            if e.code != "run_unknown":
                raise
    options.setdefault("workspace", session.folder)
    options.setdefault("listener", session.scope.listener)
    begun: Run = await runtime.run(agent, task, deps=deps, run_id=run_id, **options)
    return begun


def _read(session: Session, done: EffectDone, agent: Any) -> Run:
    kept = _decoder.decode(done.result)
    error = None
    if kept.error is not None:
        e = kept.error
        error = error_of(e["code"], e["message"], e["hint"], e["retryable"])
    output = kept.output
    if isinstance(agent, Agent) and agent.output not in (None, str) and kept.status == "ok":
        output = decode_as(agent.output, output)
    run = Run(kept.run, kept.status, output, error)
    run.usage, run.cost_nano = kept.usage, kept.cost_nano
    run._read = session.runtime._events
    session.scope.ledger.settle(None, kept.usage, kept.cost_nano)
    session.scope.label = join(session.scope.label, done.label)
    return run
