"""Running agents: start, resume, cancel, and single model calls.

    Runner.run -> Session.drive (pure loop) -> Gate.call_tool -> the tool's body
                                            -> Gate.call_model -> a provider's adapter
                                    |-> journal (intent, outcome)

What a run touches comes from `Outside`, which the composition root (runtime.py) implements.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from remit.agents.agent import Agent
from remit.agents.collector import Collector
from remit.agents.control import Control
from remit.agents.driver import Ended, Session, cut_short
from remit.agents.prepare import Prepared, agent_of, collect_tools
from remit.agents.run import Run
from remit.agents.turns import Turns
from remit.core.budget import Budget
from remit.core.effects import Done, Failed, Refused
from remit.core.events import RunDone, RunStarted
from remit.core.ids import child_id, new_id
from remit.core.labels import join
from remit.core.messages import Message, as_messages
from remit.core.model import ModelRequest, Reply
from remit.core.partial import as_json
from remit.core.remit import Remit
from remit.core.schema import encode_foreign
from remit.core.tools import Tool
from remit.errors import Conflict, Exhausted, Invalid, RemitError
from remit.gate.door import Gate
from remit.gate.scope import Scope
from remit.guard.handles import Handles, Lease
from remit.guard.ledger import Ledger
from remit.guard.policy_admission import Authority, authority_of
from remit.models.attempt import ask
from remit.ports.runtime import Call, current_call

if TYPE_CHECKING:
    from remit.agents.snapshots import LoopSnapshots
    from remit.guard.policy import Rulebook
    from remit.guard.policy_meter import Meter, Revocations
    from remit.journal.replay import Recorded
    from remit.ports.journal import RunLog
    from remit.ports.model import Model


class Outside(Protocol):
    """Adapters, as the runner asks for them; each is made on first use."""

    def model(self, given: Any) -> Model:
        """The model that `provider:name`, a handle or a test double stands for."""
        ...

    def named_model(self, name: str, base_url: str) -> Any:
        """What a journal kept of a model, as something `model` takes."""
        ...

    def tool(self, name: str) -> Tool:
        """A built-in tool; raises tool_unknown."""
        ...

    def any_tool(self, name: str) -> Tool | None:
        """A built-in tool, or None."""
        ...

    def tool_names(self) -> tuple[str, ...]:
        """All built-in tools."""
        ...

    def handles(self, remit: Remit, lease: Lease, now_ms: Callable[[], int], folder: str) -> Handles:
        """The handles of one call."""
        ...


class RunOptions(NamedTuple):
    """What a caller may add to one run."""

    deps: Any = None
    listener: Callable[[Any, Any], None] | None = None
    priority: str = "normal"
    deltas: bool = True


class Runner(Control):
    """Runs agents through one gate into one journal."""

    gate: Gate
    collector: Collector
    outside: Outside
    ceiling: Remit
    revocations: Revocations
    rulebook: Rulebook | None
    root_meter: Meter
    """counts the ceiling's bounded grants over all runs"""
    workspace: str
    """absolute path of the folder for runs that name none"""
    agents: dict[str, Any]
    """agents and teams that tools may delegate to, by name"""

    def __init__(self) -> None:
        super().__init__()
        self._turns: Turns | None = None

    async def run(  # noqa: PLR0913  # public: every option is a keyword with a default
        self,
        agent: Agent,
        task: Any,
        *,
        deps: Any = None,
        workspace: str = "",
        listener: Callable[[Any, Any], None] | None = None,
        priority: str = "normal",
        deltas: bool = True,
        subject: str = "",
        run_id: str = "",
    ) -> Run:
        """Run `agent` on `task` to its end, or to where it waits for a person; never raises for the agent's failure.

        Args:
            agent: the definition.
            task: text, or messages.
            deps: what `Context[Deps].deps` gives to tools.
            workspace: the folder that paths are relative to.
            listener: called with (journal entry or None, event) as things happen.
            priority: critical | high | normal | low, where a rate limit makes calls wait.
            deltas: whether the listener wants the pieces of a reply too (then replies are streamed).
            subject: whose data the run holds, for erasure ([encryption] mode = "full"); sub-agents' runs as well.
            run_id: the run's id, for whoever has journalled it before the run begins; a new one by default.
        """
        if not isinstance(agent, Agent):  # a workflow, or whatever else can be run
            given = {"deps": deps, "workspace": workspace, "listener": listener, "priority": priority,
                     "deltas": deltas, "subject": subject, "run_id": run_id}  # fmt: skip
            started_elsewhere: Run = await agent.start_in(self, task, **given)
            return started_elsewhere
        self.gate.screening.admit()
        await self._my_turns().take()
        prepared = self._prepare(agent)
        folder = self._folder(workspace)
        messages = as_messages(task)
        text = task if isinstance(task, str) else "\n".join([m.text for m in messages])
        call = current_call.get()
        if call is not None:
            run_id = run_id or self._child(call, prepared, agent.name)
            if run_id and call.parks and call.scope.recorded is not None and self._exists(run_id):
                return await self.resume(run_id, agent, deps=deps, listener=listener, deltas=deltas)
        run_id = run_id or new_id("run", self.clock.now_ms(), self.clock.random_bits(80))
        started = RunStarted(
            agent.name,
            text,
            prepared.model.name,
            prepared.spec if isinstance(task, str) else with_messages(prepared.spec, messages),
            prepared.remit_data,
            prepared.budget_data,
            folder,
            call.scope.run_id if call is not None else "",
            subject,
        )
        log = self.journal.create(run_id, started)
        scope = self._scope(prepared, agent.name, log, folder, RunOptions(deps, listener, priority, deltas))
        if listener is not None:
            await log.flush()  # a journal reads back only what is durable
            listener(self.journal.read(run_id)[0], started)
        return await self._drive(prepared, agent, scope, messages)

    async def resume(
        self,
        run_id: str,
        agent: Any = None,
        *,
        deps: Any = None,
        listener: Callable[[Any, Any], None] | None = None,
        deltas: bool = True,
        control: Any = None,
    ) -> Run:
        """Go on with a run after a crash or a wait: what was done is read, not done again. An ended run is returned.

        Args:
            agent: the program's own definition; without it the journalled one is used (built-in tools only).
            control: breakpoints (agents/breakpoints.py); the run parks before an effect that they name.

        Raises:
            Invalid: run_unknown; usage_invalid when the run needs its program.
            Conflict: run_active, chain_broken, nondeterminism.
        """
        from remit.agents.reopened import Reopened  # only a resumed run needs it

        reopened = Reopened(self.journal, run_id)
        started = reopened.first.started
        if reopened.first.done is not None:
            return reopened.ended(self._events)
        if "workflow" in started.spec:
            from remit.agents.flow_run import reopen

            given = {"deps": deps, "listener": listener, "deltas": deltas, "control": control}
            return await reopen(self, reopened, agent, given)
        if "team" in started.spec and agent is not None:
            team_run: Run = await agent.resume(run_id, deps=deps, listener=listener, deltas=deltas)
            return team_run
        self.gate.screening.admit()
        remit = Remit.from_data(started.remit)
        if agent is None:
            spec = started.spec
            model = self.outside.named_model(started.model, spec.get("base_url", ""))
            agent = agent_of(started.agent, model, spec, remit, Budget(**started.budget))
        prepared = self._prepare(agent)
        log = await self.journal.activate(run_id)
        scope = self._scope(prepared, agent.name, log, started.workspace, RunOptions(deps, listener, deltas=deltas))
        scope.forked, scope.control = scope.forked or reopened.first.forked is not None, control
        start = reopened.start(prepared, scope)
        self.remember(scope, reopened.recorded)
        messages = msgspec.convert(started.spec["messages"], tuple[Message, ...]) if "messages" in started.spec else ()
        return await self._drive(prepared, agent, scope, messages or as_messages(started.task), start)

    def remember(self, scope: Scope, recorded: Recorded) -> None:
        """What an activation takes over from those before it: grants taken back, guardrails that found something."""
        spec = recorded.started.spec
        if "tokens" in spec or "by" in spec:  # what was not given to whoever asked, no answer of a person adds
            self.revocations.hold(spec.get("tokens", ()), scope.remit, self.clock.now_ms(), scope.run_id)
            scope.authority.fixed = len(scope.remit.layers)
        for each in recorded.revoked:
            self.revocations.revoke(each.grant, self.clock.now_ms(), scope.run_id)
        if recorded.screened:
            scope.screen = self.gate.screening.again(scope.screen, scope.emit, recorded.screened)

    async def call_model(
        self, handle: Any, request: ModelRequest, listener: Callable[[Any, Any], None] | None
    ) -> Reply:
        """One model call outside a loop: inside a tool's body part of the tool's run, else a run of its own."""
        model = self._model(handle)
        request = msgspec.structs.replace(request, model=model.name.partition(":")[2])
        call = current_call.get()
        if call is not None:
            call.children += 1
            outcome = await ask(self.gate, f"{call.key}/model/{call.children}", model, request, call.scope, self.clock)
            return _reply_of(outcome)
        self.gate.screening.admit()
        run_id = new_id("run", self.clock.now_ms(), self.clock.random_bits(80))
        spec = {"messages": request.messages, "tools": [t.name for t in request.tools], "base_url": handle_url(handle)}
        names: tuple[str, ...] = getattr(model, "names", ())  # a policy's models
        remit, remit_data, cleared = only_model(self.ceiling, model.name, names)
        started = RunStarted(
            "", request.messages[-1].text[:200] if request.messages else "", model.name, spec, remit_data
        )
        log = self.journal.create(run_id, started)
        ledger = Ledger(remit.limits, started=self.clock.monotonic())
        scope = Scope(
            run_id,
            "",
            remit=remit,
            log=log,
            ledger=ledger,
            tools={},
            find_tool=lambda _: None,
            handles=_no_handles,
            listener=listener,
            authority=self._authority(remit, run_id),
            cleared=cleared,
        )
        scope.screen = self.gate.screening.begin(scope.emit)
        status, error = "failed", None
        try:
            reply = _reply_of(await ask(self.gate, "model", model, request, scope, self.clock))
            status = "ok"
            return reply
        except RemitError as e:
            error = e.for_user()
            raise
        except asyncio.CancelledError:
            status = "cancelled"
            raise
        finally:
            scope.emit(RunDone(status, None, error))
            await log.release(status)

    def revoke(self, grant_id: str, run_id: str = "") -> int:
        """Take a grant back, in a run and all that it started, or ("") in every run; returns how many effects it stops.

        A grant's id stands in its `Grant.id`, and `remit policy explain RUN` prints it.
        """
        return self.revocations.revoke(grant_id, self.clock.now_ms(), run_id)

    def _authority(self, remit: Remit, run_id: str) -> Authority:
        return authority_of(
            remit, run_id, self.revocations, rulebook=self.rulebook, root=self.root_meter, ceiling=self.ceiling
        )

    # --- one run ---------------------------------------------------------------------------------

    async def _drive(
        self, prepared: Prepared, agent: Agent, scope: Scope, messages: tuple[Message, ...], start: Any = None
    ) -> Run:
        session = Session(self.gate, scope, prepared.model, self.clock, agent.max_parallel, self._my_turns())
        session.snapshots = self._snapshots(prepared, scope, start)
        call = current_call.get()
        self._enter(scope, call, agent.cancel)
        self.collector.watch(len(self._active))
        seconds = scope.ledger.budget.seconds
        try:
            if seconds is None:
                ended = await session.drive(prepared.plan, messages)
            else:
                async with asyncio.timeout(seconds):
                    ended = await session.drive(prepared.plan, messages)
        except TimeoutError:
            ended = Ended("exhausted", session.partial or None, _out_of_time(seconds))
        except asyncio.CancelledError:
            # The run ends here with what it has (docs/adr/0002-cancellation.md); the caller gets its Run.
            scope.emit(self._why(scope.run_id))
            ended = Ended("cancelled", session.partial or None, Exhausted("cancelled", "the run was cancelled"))
        except Conflict:
            # Two truths: the journal stays as it is, so that the run can be resumed with the code that began it.
            await scope.log.release("waiting")
            raise
        except RemitError as e:
            ended = Ended("failed", session.partial or None, e)
        finally:
            self._leave(scope.run_id, call)
            self.collector.watch(len(self._active))
        if call is not None:  # what a child learned, the tool that started it may tell
            call.label = join(call.label, scope.label)
        if ended.status != "ok":
            session.messages = cut_short(session, ended.status)
        run = await self._end(scope, session, ended, call)
        if ended.status in ("waiting", "cancelled"):
            self._upwards(run, call)
        if self._answered and call is None and self._came_meanwhile(run.waiting_for):
            return await self.resume(run.id, agent, deps=scope.deps, listener=scope.listener)
        return run

    async def _end(self, scope: Scope, session: Session, ended: Ended, call: Call | None) -> Run:
        run = Run(scope.run_id, ended.status, ended.output, ended.error)
        try:
            if ended.status != "waiting":
                error = None if ended.error is None else ended.error.for_user()
                if ended.status != "ok" or call is not None or self._partials:
                    self._ended(scope.agent, run, call)
                scope.emit(
                    RunDone(
                        ended.status, _plain(ended.output), error, as_json(run.partials, _plain) if run.partials else ()
                    )
                )
            await scope.log.release(ended.status)
            if session.snapshots is not None and ended.status != "waiting":
                session.snapshots.end()
        except RemitError as e:  # the journal itself failed: the run cannot be called done
            run.status, run.error = "failed", e
        run.usage = scope.ledger.usage
        run.cost_nano = scope.ledger.cost_nano
        run.tool_calls, run.denied = scope.tool_calls, scope.denied
        run.messages, run.waiting_for, run.due_ms = session.messages, ended.waiting_for, scope.due_ms
        run._read = self._events
        return run

    def _snapshots(self, prepared: Prepared, scope: Scope, start: Any) -> LoopSnapshots | None:
        if getattr(self.journal, "snapshots", None) is None:
            return None
        from remit.agents.snapshots import keeps  # a journal in memory has none

        return keeps(self.journal, prepared, scope, start)

    def _events(self, run_id: str) -> list[Any]:
        from remit.journal.chain import decode_event

        return [decode_event(entry.body) for entry in self.journal.read(run_id)]

    # --- what a run needs ------------------------------------------------------------------------

    def _prepare(self, agent: Agent) -> Prepared:
        prepared = agent.prepared
        if prepared is None or prepared.owner is not self:
            tools = collect_tools(agent, self.outside.tool, self.outside.tool_names)
            prepared = agent.prepared = Prepared(self, agent, self._model(agent.model), tools, agent.remit)
        return prepared  # type: ignore[no-any-return]  # the slot holds whatever a runtime put there

    def _scope(
        self,
        prepared: Prepared,
        name: str,
        log: RunLog,
        folder: str,
        options: RunOptions,
    ) -> Scope:
        remit, parent, label, cleared = prepared.remit, None, None, getattr(prepared, "cleared", None)
        forked = False
        call = current_call.get()
        if call is not None:  # started inside a tool: a child of that run, under its ceiling and its counters
            remit = call.scope.remit.hand_down(remit, name, self.clock.now_ms())
            parent, label, cleared = call.scope.ledger, call.scope.label, None
            forked = call.scope.forked
            authority = call.scope.authority.child(remit, log.run_id)
        else:
            if self.ceiling.layers:
                remit, cleared = self.ceiling.meet(remit), None
            authority = self._authority(remit, log.run_id)
        ledger = Ledger(prepared.ledger_budget, started=self.clock.monotonic(), parent=parent)

        def handles(scope: Scope, lease: Lease) -> Handles:
            return self.outside.handles(scope.remit, lease, self.clock.now_ms, folder)

        scope = Scope(
            log.run_id,
            name,
            remit=remit,
            log=log,
            ledger=ledger,
            tools=prepared.tools,
            find_tool=self.outside.any_tool if prepared.open_tools else _no_tool,
            handles=handles,
            deps=options.deps,
            listener=options.listener,
            priority=options.priority,
            authority=authority,
            cleared=cleared,
        )
        scope.forked = forked
        scope.streaming = options.listener is not None and options.deltas
        scope.screen = self.gate.screening.begin(scope.emit)
        if label is not None:
            scope.label = label
        return scope

    def _child(self, call: Call, prepared: Prepared, name: str) -> str:
        """May this agent be started from here? Then its run's id in a tool's body, "" for a new one elsewhere."""
        call.scope.remit.hand_down(prepared.remit, name, self.clock.now_ms())
        if not call.parks:
            return ""
        call.children += 1
        return child_id(call.scope.run_id, f"{call.key}/run/{call.children}")

    def _model(self, given: Any) -> Model:
        if given is None:
            raise Invalid("model_unknown", "the agent has no model")
        return self.outside.model(given)

    def _my_turns(self) -> Turns:
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns.loop is not loop:
            self._turns = Turns(loop)
        return self._turns

    def _folder(self, workspace: str) -> str:
        return os.path.abspath(workspace) if workspace else self.workspace


@lru_cache(maxsize=256)
def only_model(ceiling: Remit, name: str, names: tuple[str, ...]) -> tuple[Remit, Any, set[Any] | None]:
    """What a model call outside a loop may do, as it is journalled, and what was ruled: naming a model grants it."""
    also = [f"model:{each}" for each in names] + ([f"model:cache:{name}"] if names else [])
    remit = ceiling.meet(Remit().with_implied([f"model:{name}", *also]))
    return remit, msgspec.Raw(msgspec.json.encode(remit.data())), set() if remit.timeless else None


def with_messages(spec: Any, messages: tuple[Message, ...]) -> Any:
    """The spec with the task's own messages, when it was more than a text."""
    return {**msgspec.json.decode(spec), "messages": messages}


def handle_url(handle: Any) -> str:
    """The base_url that a handle names; "" for the provider's own."""
    return str(getattr(handle, "base_url", ""))


def _reply_of(outcome: Any) -> Reply:
    if type(outcome) is Done:
        reply: Reply = outcome.value
        return reply
    if type(outcome) is Failed:
        raise outcome.error
    assert type(outcome) is Refused
    raise outcome.deny.error()


def _plain(output: Any) -> Any:
    """A typed answer as JSON values, for the journal."""
    if output is None or isinstance(output, str):
        return output
    return msgspec.to_builtins(output, enc_hook=encode_foreign)


def _no_tool(_: str) -> Tool | None:
    return None


def _no_handles(_: Scope, __: Lease) -> Any:
    raise Invalid("usage_invalid", "a model call outside an agent has no handles")


def _out_of_time(seconds: float | None) -> RemitError:
    return Exhausted("deadline_exceeded", f"the run passed its {seconds:g} s" if seconds else "out of time")
