"""Runs that another process carries out: submitting them, advancing them, and finding those that could go on.

A submitted run is a run whose first event is written and whose activation was released: nobody holds it, so it shows as
interrupted until a worker takes it. Its pool stands in its first event (`spec.pool`), so runs of `remit run` and of
programs are never taken by a worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from remit.agents.agent import Agent
from remit.agents.flow_run import first_event
from remit.agents.host import can_go_on, next_moment
from remit.agents.runner import Runner, with_messages
from remit.agents.workflow import Workflow
from remit.core.budget import Budget
from remit.core.events import CancelRequested, RunStarted
from remit.core.ids import new_id
from remit.core.messages import as_messages
from remit.core.remit import Remit
from remit.errors import Conflict, RemitError
from remit.journal.chain import decode_event
from remit.ports.bus import READY, Bus
from remit.ports.dispatcher import DEFAULT_POOL, DEFAULT_TENANT, Dispatcher, Parked, Step

if TYPE_CHECKING:
    from remit.ports.journal import Journal

SWEEP_S: Final = 5.0
RESUBMIT_S: Final = 60.0
"""a run that is still parked is submitted again after this long: a dispatcher may have lost it"""
WAIT_S: Final = 10.0
MAX_WAITING: Final = 1_000_000  # runs that one look lists


async def submit(  # noqa: PLR0913  # public: every option is a keyword with a default
    runner: Runner,
    agent: Agent | Workflow,
    task: Any,
    *,
    pool: str = DEFAULT_POOL,
    workspace: str = "",
    subject: str = "",
    by: str = "",
) -> str:
    """Write a run's first event and leave the run to the workers of `pool`; returns its id, durable.

    A workflow's workers need its code (`remit worker --app`); `task` is its input. Tell a dispatcher then, or a bus
    (`READY`); a worker's sweep finds it in any case.

    `by` = whose run it is, where somebody else than the runtime's own user asked for an agent's: then workers keep it
    to the remit that was journalled, whatever their own definition of the agent grants.
    """
    runner.gate.screening.admit()
    folder = runner._folder(workspace)
    if isinstance(agent, Workflow):
        started = first_event(agent, task, folder, subject, pool=pool)
    else:
        started = _first_event(runner, agent, task, folder, {"pool": pool, **({"by": by} if by else {})})
        started = replace(started, subject=subject)
    run_id = new_id("run", runner.clock.now_ms(), runner.clock.random_bits(80))
    log = runner.journal.create(run_id, started)
    await log.release("running")
    return run_id


def _first_event(runner: Runner, agent: Agent, task: Any, folder: str, more: dict[str, str]) -> RunStarted:
    prepared = runner._prepare(agent)
    messages = as_messages(task)
    text = task if isinstance(task, str) else "\n".join([m.text for m in messages])
    spec = prepared.spec if isinstance(task, str) else with_messages(prepared.spec, messages)
    spec = {**(msgspec.json.decode(spec) if isinstance(spec, msgspec.Raw) else spec), **more}
    remit, budget = msgspec.json.decode(prepared.remit_data), prepared.budget_data
    return RunStarted(agent.name, text, prepared.model.name, spec, remit, budget, folder)


class Worker:
    """See ports.dispatcher.Advancer: advances runs of one runtime.

    Args:
        runner: the runtime.
        agents: the program's own agents and workflows by name; without an agent the journalled definition is used.
        me: the holder's name in the journal.
    """

    def __init__(self, runner: Runner, agents: Mapping[str, Agent | Workflow], me: str) -> None:
        self._runner = runner
        self._agents = agents
        self._me = me
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._given_up: set[str] = set()

    @property
    def me(self) -> str:
        """See ports.dispatcher.Advancer."""
        return self._me

    @property
    def busy(self) -> int:
        """How many runs are under way."""
        return len(self._tasks)

    async def advance(self, run_id: str, lost: tuple[str, ...] = ()) -> Step:
        """See ports.dispatcher.Advancer."""
        journal = self._runner.journal
        if run_id in self._tasks:
            if self._me not in lost:
                raise Conflict("run_active", f"run {run_id} is under way in this process")
            await self.abandon(run_id)
        for holder in lost:
            await journal.fence(run_id, holder)
        task = asyncio.current_task()
        assert task is not None
        self._tasks[run_id] = task
        try:
            started = started_of(journal, run_id)
            agent = self._agents.get(started.agent)
            if isinstance(agent, Agent) and "by" in started.spec:
                agent = bound_to(agent, started)
            run = await self._runner.resume(run_id, agent, deltas=False)
        finally:
            del self._tasks[run_id]
            given_up = run_id in self._given_up
            self._given_up.discard(run_id)
        if given_up or (run.error is not None and run.error.code == "stale_epoch"):
            raise Parked(f"run {run_id} was taken over")
        return Step(run.status != "waiting", run.status, run.due_ms if run.status == "waiting" else 0)

    async def abandon(self, run_id: str) -> None:
        """See ports.dispatcher.Advancer."""
        task = self._tasks.get(run_id)
        if task is None:
            return
        # Fenced first: what the stopped run still says of itself (that it was cancelled) is not written.
        self._given_up.add(run_id)
        try:
            await self._runner.journal.fence(run_id, self._me)
        finally:
            task.cancel()
        await asyncio.wait({task}, timeout=WAIT_S)

    async def let_go(self) -> None:
        """Stop working on runs that were ended elsewhere: nothing that is done for them would be kept."""
        journal = self._runner.journal
        for run_id in [run_id for run_id in self._tasks if not journal.holder(run_id)]:
            if await asyncio.to_thread(is_ended, journal, run_id) and (task := self._tasks.get(run_id)) is not None:
                self._given_up.add(run_id)
                task.cancel()

    async def cancel(self, run_id: str, reason: str) -> None:
        """See ports.dispatcher.Advancer."""
        if run_id in self._tasks:
            if not self._runner.cancel(run_id, "dispatcher", reason):
                self._tasks[run_id].cancel()  # it has not begun yet
            return
        try:
            log = await self._runner.journal.activate(run_id)
        except Conflict as error:
            if error.code == "run_active" and is_ended(self._runner.journal, run_id):
                return
            raise
        log.append(CancelRequested("dispatcher", reason))
        await log.release("cancelled")


class Sweep:
    """Submits the parked runs of a pool: when the bus says that there may be some, and every SWEEP_S in any case.

    Args:
        runner: one tenant's runtime.
        bus: of its journal.
        dispatcher: who gets them.
        pool, tenant: whose runs.
        every_s: seconds between two looks.
    """

    worker: Worker | None = None
    """of this process, if any: at each look it lets go of runs that were ended elsewhere"""

    def __init__(
        self,
        runner: Runner,
        bus: Bus,
        dispatcher: Dispatcher,
        pool: str = DEFAULT_POOL,
        tenant: str = DEFAULT_TENANT,
        every_s: float = SWEEP_S,
    ) -> None:
        self._journal = runner.journal
        self._now_ms = runner.clock.now_ms
        self._bus = bus
        self._dispatcher = dispatcher
        self._pool = pool
        self._tenant = tenant
        self._every_s = every_s
        self._submitted: dict[str, float] = {}
        self._others: set[str] = set()
        """parked runs of other pools, and of no pool"""
        self._due: dict[str, int] = {}
        """moments of runs that sleep, milliseconds since 1970"""
        self._seen: dict[str, int] = {}
        self._next_look = 0.0

    async def run(self) -> None:
        """Look until cancelled; a journal or dispatcher that fails is tried again at the next look."""
        with self._bus.watch(READY) as watch:
            while True:
                try:
                    await self.look()
                except RemitError as error:
                    if not (error.retryable or error.code in ("disk_failed", "network_failed")):
                        raise
                await watch.wait(self._every_s)

    async def look(self) -> int:
        """Submit what is parked and was not submitted lately; returns how many."""
        if self.worker is not None:
            await self.worker.let_go()
        ready = await self.ready()
        now = asyncio.get_running_loop().time()
        known = set(ready)
        self._submitted = {run: at for run, at in self._submitted.items() if run in known and now - at < RESUBMIT_S}
        fresh = [run_id for run_id in ready if run_id not in self._submitted]
        for run_id in fresh:
            await self._dispatcher.submit(run_id, self._pool, self._tenant)
            self._submitted[run_id] = now
        return len(fresh)

    async def ready(self) -> list[str]:
        """The pool's runs that can go on: parked ones, and waiting ones whose moment has come."""
        parked = await asyncio.to_thread(self._journal.parked)
        self._others &= set(parked)
        fresh = [
            run_id for run_id in parked if not (self._others | self._submitted.keys() | self._due.keys()) & {run_id}
        ]
        waiting = await self._waiting() if fresh else {}
        for run_id in fresh:
            if not self._is_mine(run_id):
                self._others.add(run_id)
            elif run_id in waiting and (due_ms := self._moment(run_id)):
                self._due[run_id] = due_ms
        await self._look_at_waiting()
        now_ms = self._now_ms()
        asleep = {run_id for run_id, due_ms in self._due.items() if due_ms > now_ms}
        due = [run_id for run_id in self._due if run_id not in asleep]
        self._due = {run_id: self._due[run_id] for run_id in asleep}
        found = [run_id for run_id in parked if run_id not in self._others and run_id not in asleep]
        return [*found, *(run_id for run_id in due if run_id not in found)]

    async def _look_at_waiting(self) -> None:
        """Find questions with a deadline, whose worker may be gone. Each waiting run is read once a change."""
        now = asyncio.get_running_loop().time()
        if now < self._next_look:
            return
        self._next_look = now + RESUBMIT_S
        seen, self._seen = self._seen, await self._waiting()
        for run_id, events in self._seen.items():
            if seen.get(run_id) != events and run_id not in self._others and self._is_mine(run_id):
                due_ms = self._moment(run_id)
                if due_ms:
                    self._due[run_id] = due_ms

    async def _waiting(self) -> dict[str, int]:
        """{run: how many events it has} of the waiting runs."""
        rows = await asyncio.to_thread(self._journal.runs, MAX_WAITING)
        return {row.run_id: row.events for row in rows if row.status == "waiting" and not row.parent}

    def _is_mine(self, run_id: str) -> bool:
        return bool(started_of(self._journal, run_id).spec.get("pool") == self._pool)

    def _moment(self, run_id: str) -> int:
        """When the run goes on by itself; 0 = it can go on now, or only when it is answered."""
        entries = self._journal.read(run_id)
        return 0 if can_go_on(entries) else next_moment(entries)


def bound_to(agent: Agent, started: RunStarted) -> Agent:
    """The program's definition with the remit and budget that the run began with."""
    bound = copy(agent)
    bound.remit, bound.budget = Remit.from_data(started.remit), Budget(**started.budget)
    bound.tokens, bound.prepared = tuple(started.spec.get("tokens", ())), None
    return bound


def started_of(journal: Journal, run_id: str) -> RunStarted:
    """The run's first event; raises run_unknown, chain_broken."""
    entries = journal.read(run_id, 0, 1)
    event = decode_event(entries[0].body) if entries else None
    if not isinstance(event, RunStarted):
        raise Conflict("chain_broken", f"run {run_id} does not begin with run_started")
    return event


def is_ended(journal: Journal, run_id: str) -> bool:
    """Whether the run's last event is its end."""
    entries = journal.read(run_id)
    return bool(entries) and b'"type":"run_done"' in entries[-1].body
