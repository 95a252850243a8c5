"""The run of a workflow: from run_started to run_done, and again after a crash or a wait.

    Workflow.run -> Runner.run -> begin -> the function -> flow.step -> Gate.call_tool -> the step's body
                    Runner.resume -> reopen ----^            flow.run -> the child's own run

Invariants: everything the function does goes through the gate and stands in the journal before it is relied on; a
wait leaves nothing in memory; a run whose code asks for other things than its journal holds stays as it is.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from remit.agents.flow import Flow, as_step, hints
from remit.agents.flow_keys import ROOT, Keys, here
from remit.agents.run import Run
from remit.agents.workflow import Workflow, known
from remit.core.budget import Budget, budget_data, meet_budgets
from remit.core.effects import Parked
from remit.core.events import RunDone, RunStarted
from remit.core.ids import new_id
from remit.core.partial import PartialResult, as_json
from remit.core.remit import TOP, Remit
from remit.core.schema import decode_as, encode_foreign
from remit.core.tools import Tool
from remit.errors import Conflict, Exhausted, Invalid, RemitError, Unavailable
from remit.journal.replay import Recorded
from remit.ports.runtime import current_call
from remit.ports.user_code import user_code

if TYPE_CHECKING:
    from remit.agents.reopened import Reopened
    from remit.agents.runner import Runner
    from remit.gate.scope import Scope
    from remit.ports.journal import RunLog

MAX_SHOWN: Final = 500  # characters of an input that lists show
_encode: Final = msgspec.json.Encoder(enc_hook=encode_foreign).encode


class Options(Struct, frozen=True):
    """What a caller may add to one run; as of Runner.run."""

    deps: Any = None
    workspace: str = ""
    listener: Callable[[Any, Any], None] | None = None
    priority: str = "normal"
    deltas: bool = True
    subject: str = ""
    run_id: str = ""


class _Held:
    """What `Runner._scope` asks of a definition."""

    open_tools: Final = False
    cleared: Final = None

    def __init__(self, definition: Workflow, remit: Remit, budget: Budget, tools: dict[str, Tool]) -> None:
        self.remit = TOP if remit.unset else remit.with_implied(["tool:*"])
        self.ledger_budget = meet_budgets(budget, remit.limits)
        self.tools = tools


class Session:
    """One activation of a workflow's run, for its `Flow`."""

    def __init__(self, runtime: Runner, definition: Workflow, caller: Scope, recorded: Recorded, folder: str) -> None:
        self.runtime = runtime
        self.gate = runtime.gate
        self.clock = runtime.clock
        self.definition = definition
        self.caller = caller
        """the scope that children are started under"""
        self.scope = copy.copy(caller)
        """the scope that steps are performed under"""
        if definition.remit.unset:
            self.scope.remit = caller.remit.meet(Remit.allow("tool:*"))
        self.scope.cleared = set() if self.scope.remit.timeless else None  # of this run's steps, whose remit stays
        self.recorded = self.scope.recorded = caller.recorded = recorded
        self.resumed = recorded.seq > 0
        self.version = recorded.started.version
        self.folder = folder
        self.partials: dict[str, PartialResult] = {}
        self._steps: dict[Any, tuple[Tool, Any]] = {}

    def tool(self, fn: Callable[..., Any]) -> tuple[Tool, Any]:
        """The tool that a step is, and its return type; raises tool_clash for two steps of one name."""
        found = self._steps.get(fn)
        if found is None:
            found = self._steps[fn] = as_step(fn)
            tools: dict[str, Tool] = self.scope.tools  # type: ignore[assignment]  # made in `begin` and `reopen`
            held = tools.setdefault(found[0].name, found[0])
            if held is not found[0]:
                raise Invalid("tool_clash", f"workflow {self.definition.name} has two steps named {held.name}")
        return found

    def partial(self, data: Any, completion: float, complete: bool) -> None:
        """Keep what there is so far, by branch; the last one counts."""
        if not 0 <= completion <= 1:
            raise Invalid("value_invalid", f"completion={completion!r:.20}: a number from 0 to 1")
        branch = here.get().prefix
        self.partials[branch] = PartialResult(f"{self.definition.name}:{branch}", data, completion, complete)


async def begin(runtime: Runner, definition: Workflow, value: Any, **given: Any) -> Run:
    """Run a workflow to its end, or to where it waits; never raises for its own failure."""
    options = msgspec.convert(given, Options, strict=False) if given else Options()
    runtime.gate.screening.admit()
    call = current_call.get()
    held = _Held(definition, definition.remit, definition.budget, {})
    if call is not None:  # before there is a run of it: may it be started from here?
        call.scope.remit.hand_down(held.remit, definition.name, runtime.clock.now_ms())
    run_id = options.run_id or new_id("run", runtime.clock.now_ms(), runtime.clock.random_bits(80))
    parent = "" if call is None else call.scope.run_id
    started = first_event(definition, value, runtime._folder(options.workspace), options.subject, parent=parent)
    log = runtime.journal.create(run_id, started)
    recorded = Recorded()
    recorded.begin(started)
    session = _session(runtime, definition, held, (log, recorded, started.workspace), options)
    if options.listener is not None:
        await log.flush()  # a journal reads back only what is durable
        options.listener(runtime.journal.read(run_id)[0], started)
    return await _drive(session, msgspec.json.decode(started.spec["input"]), log)


def first_event(
    definition: Workflow, value: Any, folder: str, subject: str = "", *, parent: str = "", **more: Any
) -> RunStarted:
    """What a workflow's run begins with; `more` is kept beside its name and input. Raises value_invalid."""
    text = _input(definition, value)
    return RunStarted(
        definition.name,
        text[:MAX_SHOWN],
        spec={"workflow": definition.name, "input": msgspec.Raw(text.encode()), **more},
        remit={} if definition.remit.unset else definition.remit.data(),
        budget=budget_data(meet_budgets(definition.budget, definition.remit.limits)),
        workspace=folder,
        parent=parent,
        subject=subject,
        version=definition.version,
    )


async def reopen(runtime: Runner, reopened: Reopened, definition: Any, given: dict[str, Any]) -> Run:
    """Go on with a workflow's run. Raises usage_invalid when this program has not its code; as Runner.resume."""
    started = reopened.first.started
    name = started.spec["workflow"]
    found = definition if definition is not None else known(name)
    if not isinstance(found, Workflow) or found.name != name:
        hint = "Resume it in its program: import the module that defines it, or runtime.resume(run_id, WORKFLOW)."
        raise Invalid("usage_invalid", f"this run needs the workflow {name} of its program", hint=hint)
    control = given.pop("control", None)
    options = msgspec.convert(given, Options, strict=False)
    remit = found.remit
    if started.remit:  # a run keeps the authority that it began with; a program may only narrow it
        before = Remit.from_data(started.remit)
        remit = before if remit.unset or remit.layers == before.layers else remit.meet(before)
    held = _Held(found, remit, Budget(**started.budget), {})
    log = await runtime.journal.activate(reopened.run_id)
    recorded = reopened.renewed()
    session = _session(runtime, found, held, (log, recorded, started.workspace), options)
    session.scope.control = session.caller.control = control
    return await _drive(session, started.spec["input"], log)


def _session(
    runtime: Runner, definition: Workflow, held: _Held, place: tuple[RunLog, Recorded, str], options: Options
) -> Session:
    from remit.agents.runner import RunOptions

    log, recorded, folder = place
    chosen = RunOptions(options.deps, options.listener, options.priority, options.deltas)
    caller = runtime._scope(held, definition.name, log, folder, chosen)  # type: ignore[arg-type]  # it has the same fields
    caller.forked = caller.forked or recorded.forked is not None
    runtime.remember(caller, recorded)
    return Session(runtime, definition, caller, recorded, folder)


def _input(definition: Workflow, value: Any) -> str:
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, RecursionError) as e:
        raise Invalid("value_invalid", f"the input of {definition.name} is not JSON: {str(e)[:200]}") from None


async def _drive(session: Session, value: Any, log: RunLog) -> Run:
    runtime, scope = session.runtime, session.scope
    call = current_call.get()
    runtime._enter(scope, call, session.definition.cancel)
    keys = Keys(session.recorded)
    token = here.set(keys.branch(ROOT))
    parked: Parked | None = None
    error: BaseException | None = None
    run = Run(scope.run_id, "ok")
    try:
        with user_code() as code:
            try:
                async with asyncio.timeout(scope.ledger.budget.seconds):
                    run.output = await session.definition.fn(Flow(session), _typed(session.definition, value))
                keys.finish()
            except Parked as e:
                parked = e
        error = code.error
    except asyncio.CancelledError:
        scope.emit(runtime._why(scope.run_id))
        run.status, run.error = "cancelled", Exhausted("cancelled", "the run was cancelled")
    finally:
        here.reset(token)
        runtime._leave(scope.run_id, call)
    if isinstance(error, Conflict):
        # Two truths: the journal stays as it is, so that the run can be resumed with the code that began it.
        await log.release("waiting")
        raise error
    if parked is not None:
        run.status, run.waiting_for, run.due_ms = "waiting", parked.items, parked.due_ms
    elif error is not None:
        _failed(run, error, scope.ledger.budget.seconds)
    return await _end(session, run, log)


def _failed(run: Run, error: BaseException, seconds: float | None) -> None:
    run.status = "failed"
    if isinstance(error, TimeoutError) and seconds is not None:
        run.status, run.error = "exhausted", Exhausted("deadline_exceeded", f"the run passed its {seconds:g} s")
    elif isinstance(error, RemitError):
        run.error = error
    else:
        what = f"{type(error).__name__}: {str(error)[:500]}"
        run.error = Unavailable("workflow_failed", what)


async def _end(session: Session, run: Run, log: RunLog) -> Run:
    scope, runtime = session.scope, session.runtime
    call = current_call.get()
    run.partials = tuple(session.partials.values())
    try:
        if run.status != "waiting":
            runtime._ended(session.definition.name, run, call, run.partials)
            error = None if run.error is None else run.error.for_user()
            output = _builtins(run.output)
            scope.emit(RunDone(run.status, output, error, as_json(run.partials, _builtins)))
        await log.release(run.status)
    except RemitError as e:  # the journal itself failed: the run cannot be called done
        run.status, run.error = "failed", e
    except (TypeError, ValueError) as e:
        run.status, run.error = "failed", Invalid("value_invalid", f"the workflow's result is not JSON: {e}")
        scope.emit(RunDone(run.status, None, run.error.for_user()))
        await log.release(run.status)
    run.usage, run.cost_nano = scope.ledger.usage, scope.ledger.cost_nano
    run.tool_calls, run.denied = scope.tool_calls, scope.denied
    run._read = runtime._events
    if run.status == "cancelled" or (run.status == "waiting" and call is not None):
        runtime._upwards(run, call)
    if run.status == "waiting" and call is None and runtime._came_meanwhile(run.waiting_for):
        return await runtime.resume(run.id, session.definition, deps=scope.deps, listener=scope.listener)
    return run


def _builtins(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=encode_foreign)


def _typed(definition: Workflow, value: Any) -> Any:
    """The input as the function's second parameter wants it."""
    second = _second(definition.fn)
    if not second:
        raise Invalid("usage_invalid", f"the workflow {definition.name} takes (flow, value)")
    try:
        kind = hints(definition.fn).get(second, Any)
    except (NameError, TypeError):
        return value  # a type that cannot be found: the value comes as plain JSON
    try:
        return value if kind is Any else decode_as(kind, value)
    except (ValueError, TypeError) as e:
        raise Invalid("value_invalid", f"the input of {definition.name}: {str(e)[:300]}") from None


@lru_cache(maxsize=4096)
def _second(fn: Callable[..., Any]) -> str:
    """The name of a function's second parameter; "" when it has none."""
    return ([*inspect.signature(fn).parameters, "", ""])[1]
