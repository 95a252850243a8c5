"""Going on with a team's run: what its journal holds, and a result that had been reached before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.core.budget import Budget
from remit.core.events import EffectDone
from remit.core.labels import Label, join
from remit.core.remit import Remit
from remit.core.usage import Usage
from remit.errors import Invalid, error_of
from remit.journal.replay import Recorded
from remit.teams.values import Progress, TeamRun

if TYPE_CHECKING:
    from remit.agents.runner import Runner
    from remit.gate.scope import Scope
    from remit.teams.activation import Job, Options

_RESULT: Final = "result"


def finished(runtime: Runner, job: Job, run_id: str) -> TeamRun | None:
    """The result of a run that has ended; None while it has not. Raises run_unknown, usage_invalid."""
    recorded = Recorded(runtime.journal.read(run_id))
    kind = recorded.started.spec.get("team")
    if kind != job.kind:
        what = f"a {kind}" if kind else "an agent's"
        raise Invalid("usage_invalid", f"{run_id} is {what} run, not one of {job.kind} {job.name}")
    done = recorded.done
    if done is None:
        return None
    e = done.error
    error = None if e is None else error_of(e["code"], e["message"], e["hint"], e["retryable"])
    run = TeamRun(run_id, done.status, done.output, error)
    run.name, run.kind, run._read = job.name, job.kind, runtime._events
    record = recorded.get(_RESULT)
    if record is not None and isinstance(record.done, EffectDone):
        kept = msgspec.json.decode(record.done.result)
        run.progress = msgspec.convert(kept["progress"], Progress)
        run.usage, run.cost_nano = msgspec.convert(kept["usage"], Usage), kept["cost_nano"]
    return run


async def reopen(runtime: Runner, job: Job, options: Options, held: Any) -> tuple[Scope, Any]:
    """The scope of a run that goes on, with all that it did before; and its task."""
    from remit.teams.activation import _run_options

    recorded = Recorded(runtime.journal.read(options.resume))
    started = recorded.started
    before = Remit.from_data(started.remit)
    if before.layers:  # a run keeps the authority that it began with
        held.remit = before if held.remit.layers == before.layers else held.remit.meet(before)
    if started.budget:
        held.ledger_budget = Budget(**started.budget)
    log = await runtime.journal.activate(options.resume)
    scope = runtime._scope(held, job.name, log, started.workspace, _run_options(options))
    scope.recorded = recorded = Recorded(runtime.journal.read(options.resume))  # again: an answer may have come before
    if "label" in started.spec:
        scope.label = join(scope.label, msgspec.convert(started.spec["label"], Label))
    return scope, started.spec.get("input", started.task)
