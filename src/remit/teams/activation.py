"""A run of its own for a team: from RunStarted to RunDone, and again after a crash or a wait.

A team is a plain async function over `Work` (work.py). What it does is recorded under structural keys,
so that a resumed team reads its finished members from the journal and runs nothing twice:

    Team.run -> carry_out -> body(work) -> work.child(key, member, task) -> the member's own run (a child)
                    |-> journal: RunStarted, member intents and outcomes, the result, RunDone

Invariants: a team's members run under its remit, its ledger and its label; a member that waits for a
person parks the team once its siblings have finished; whatever happens, the run ends with one status.
This is the only module of the room that reaches into the runner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from msgspec import Struct

from remit.agents.runner import RunOptions
from remit.core.budget import UNLIMITED, Budget, meet_budgets
from remit.core.events import EffectDone, RunDone, RunStarted
from remit.core.ids import new_id
from remit.core.labels import USER, join
from remit.core.partial import as_json
from remit.core.remit import UNSET, Remit
from remit.core.schema import encode_foreign
from remit.errors import Conflict, Exhausted, RemitError
from remit.ports.deadline import Deadline
from remit.ports.runtime import current, current_call, reset_current, set_current
from remit.ports.user_code import user_code
from remit.teams.members import as_ceiling
from remit.teams.outcome import OF_THE_TEAM, Parked, TeamEnd, code_failed
from remit.teams.recording import Recording, as_task
from remit.teams.values import Progress, TeamRun
from remit.teams.work import Place, Work

if TYPE_CHECKING:
    from remit.agents.runner import Runner
    from remit.core.tools import Tool
    from remit.gate.scope import Scope

RESULT: Final = "result"  # key of the record that keeps what a Run has no field for
SPEC_SIZE: Final = 1_000_000  # bytes of a definition that is journalled


class Job(Struct, frozen=True):
    """What the runtime must know of a team to give it a run."""

    name: str
    kind: str
    remit: Remit = UNSET
    """a ceiling for all members; unset = none but the caller's"""
    budget: Budget = UNLIMITED
    tools: tuple[Tool, ...] = ()
    """own tools that the team itself calls"""
    implied: tuple[str, ...] = ()
    """grants that naming its members' models and own tools implies"""
    spec: dict[str, Any] = {}
    timeout_s: float | None = None


class Options(Struct, frozen=True):
    """What a caller may add to one run of a team."""

    deps: Any = None
    workspace: str = ""
    listener: Callable[[Any, Any], None] | None = None
    priority: str = "normal"
    deltas: bool = True
    subject: str = ""
    run_id: str = ""
    """the id of a new run; a new one by default"""
    resume: str = ""
    """go on with this run"""


class _Held:
    """What `Runner._scope` asks of an agent that was prepared."""

    __slots__ = ("cleared", "ledger_budget", "open_tools", "remit", "tools")

    def __init__(self, job: Job) -> None:
        own = [f"tool:{t.name}" for t in job.tools if not t.builtin]
        self.remit = as_ceiling(job.remit) if job.remit.unset else job.remit.with_implied([*job.implied, *own])
        self.ledger_budget = meet_budgets(job.budget, job.remit.limits)
        self.tools = {t.name: t for t in job.tools}
        self.open_tools = True
        self.cleared: set[Any] | None = None  # a team is no hot path: every effect of its own is judged anew


def real_runtime() -> Runner:
    """The current runtime, also from inside a team."""
    runtime = current()
    return cast("Runner", getattr(runtime, "real", runtime))


async def carry_out(job: Job, task: Any, body: Callable[[Work], Awaitable[Any]], options: Options) -> TeamRun:
    """Run `body` under a run of its own, or go on with one; never raises for the team's own failure.

    Raises:
        Invalid: run_unknown. Conflict: run_active, chain_broken, nondeterminism. Denied: delegation_denied, estop.
    """
    runtime = real_runtime()
    runtime.gate.screening.admit()
    if options.resume:
        from remit.teams.resuming import finished, reopen  # only a resumed team needs it

        ended = finished(runtime, job, options.resume)
        if ended is not None:
            return ended
        scope, task = await reopen(runtime, job, options, _Held(job))
    else:
        scope, task = await _begin(runtime, job, task, options), as_task(task)[0]
    work = Work(runtime, scope, task, options)
    return await _drive(runtime, job, work, body, options)


async def _begin(runtime: Runner, job: Job, task: Any, options: Options) -> Scope:
    held = _Held(job)
    call = current_call.get()
    if call is not None:
        call.scope.remit.hand_down(held.remit, job.name, runtime.clock.now_ms())
    value, label = as_task(task)
    shown = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=encode_foreign).decode()
    run_id = options.run_id or new_id("run", runtime.clock.now_ms(), runtime.clock.random_bits(80))
    spec = {"team": job.kind, "own_tools": [f"the definition of {job.kind} {job.name}"], **job.spec}
    if label is not USER:
        spec["label"] = msgspec.to_builtins(label)
    if not isinstance(value, str):
        spec["input"] = msgspec.Raw(shown.encode())
    folder = runtime._folder(options.workspace)
    budget = {k: v for k, v in msgspec.structs.asdict(held.ledger_budget).items() if v is not None}
    parent = call.scope.run_id if call is not None else ""
    started = RunStarted(job.name, shown, f"team:{job.kind}", spec, held.remit.data(), budget, folder, parent,
                         options.subject)  # fmt: skip
    log = runtime.journal.create(run_id, started)
    scope = runtime._scope(held, job.name, log, folder, _run_options(options))  # type: ignore[arg-type]  # reads these fields only
    scope.label = join(scope.label, label)
    if options.listener is not None:
        await log.flush()  # a journal reads back only what is durable
        options.listener(runtime.journal.read(run_id)[0], started)
    return scope


def _run_options(options: Options) -> RunOptions:
    return RunOptions(options.deps, options.listener, options.priority, options.deltas)


async def _drive(
    runtime: Runner, job: Job, work: Work, body: Callable[[Work], Awaitable[Any]], options: Options
) -> TeamRun:
    scope = work.scope
    caller = current_call.get()
    runtime._enter(scope, caller)
    token = current_call.set(Place(scope, ""))
    runtime_token = set_current(Recording(runtime, work))
    seconds = scope.ledger.budget.seconds if job.timeout_s is None else job.timeout_s
    if scope.ledger.budget.seconds is not None and job.timeout_s is not None:
        seconds = min(seconds or job.timeout_s, scope.ledger.budget.seconds)
    try:
        run = await _attempt(runtime, work, body, seconds)
    except Conflict:
        await scope.log.release("waiting")
        raise
    finally:
        reset_current(runtime_token)
        current_call.reset(token)
        runtime._leave(scope.run_id, caller)
    if caller is not None:
        caller.label = join(caller.label, work.label)
    run.name, run.kind, run.progress, run.answers = job.name, job.kind, work.progress, tuple(work.answers.values())
    if run.status != "waiting":
        runtime._ended(job.name, run, caller)
    run = await _end(runtime, scope, run)
    if run.status in ("waiting", "cancelled"):
        runtime._upwards(run, caller)
    return run


async def _attempt(
    runtime: Runner, work: Work, body: Callable[[Work], Awaitable[Any]], seconds: float | None
) -> TeamRun:
    """The body under its deadline; every end as a TeamRun."""
    scope, partial = work.scope, work.progress
    limit = None if seconds is None else Deadline(seconds)
    output: Any = None
    try:
        with user_code(TeamEnd) as code:
            if limit is None:
                output = await body(work)
            else:
                with limit:
                    output = await body(work)
    except Parked as parked:
        run = TeamRun(scope.run_id, "waiting", partial.output)
        run.waiting_for = parked.items
        return run
    except TeamEnd as end:
        return TeamRun(scope.run_id, end.status, partial.output, end.error)
    except asyncio.CancelledError:
        # The run ends here with what it has (docs/adr/0002-cancellation.md); the caller gets its result.
        scope.emit(runtime._why(scope.run_id))
        return TeamRun(scope.run_id, "cancelled", partial.output, Exhausted("cancelled", "the team was cancelled"))
    error = code.error
    if limit is not None and limit.expired and (isinstance(error, TimeoutError) or error is None):
        late = Exhausted("deadline_exceeded", f"the team passed its {seconds:g} s")
        return TeamRun(scope.run_id, "exhausted", partial.output, late)
    if error is not None:
        failure = code_failed("the team", error)
        if isinstance(failure, Conflict) and failure.code not in OF_THE_TEAM:
            raise failure
        status = {"Exhausted": "exhausted", "Denied": "denied"}.get(failure.family, "failed")
        return TeamRun(scope.run_id, status, partial.output, failure)
    partial.output = output
    return TeamRun(scope.run_id, "ok", output)


async def _end(runtime: Runner, scope: Scope, run: TeamRun) -> TeamRun:
    try:
        if run.status != "waiting":
            error = None if run.error is None else run.error.for_user()
            kept = {"progress": run.progress, "usage": scope.ledger.usage, "cost_nano": scope.ledger.cost_nano}
            scope.emit(EffectDone(RESULT, msgspec.Raw(msgspec.json.encode(kept, enc_hook=encode_foreign))))
            scope.emit(RunDone(run.status, plain(run.output), error, as_json(run.partials, plain)))
        await scope.log.release(run.status)
    except RemitError as e:  # the journal itself failed: the run cannot be called done
        run.status, run.error = "failed", e
    run.usage, run.cost_nano = scope.ledger.usage, scope.ledger.cost_nano
    run.tool_calls, run.denied = scope.tool_calls, scope.denied
    run._read = runtime._events
    return run


def plain(output: Any) -> Any:
    """An output as JSON values, for the journal."""
    if output is None or isinstance(output, str):
        return output
    return msgspec.to_builtins(output, enc_hook=encode_foreign)


__all__ = ["RESULT", "Job", "Options", "Progress", "as_task", "carry_out", "plain", "real_runtime"]
