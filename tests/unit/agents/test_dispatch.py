"""Submitted runs: written and nobody's, found by a sweep, advanced by a worker, abandoned without a trace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from remit import Agent, Flow, Runtime, tool, workflow
from remit.adapters.dispatchers.local import LocalDispatcher
from remit.agents.dispatch import Sweep, Worker, started_of, submit
from remit.agents.workflow import _KNOWN
from remit.core.events import CancelRequested, TimerSet
from remit.core.messages import Text, ToolCall
from remit.errors import RemitError
from remit.journal.bus import LocalBus
from remit.ports.bus import READY
from remit.ports.dispatcher import Parked, Step
from remit.testing import FunctionModel

hold = asyncio.Event()


@tool(effect="idempotent")
async def slow() -> str:
    """Wait until the test says so."""
    await hold.wait()
    return "waited"


def _reply(request: Any) -> Any:
    return Text("done") if any(m.role == "tool" for m in request.messages) else ToolCall("c", "slow", {})


AGENT = Agent("slow one", FunctionModel(_reply, name="function:slow"), tools=[slow])
QUICK = Agent("quick one", FunctionModel(lambda _: "hello", name="function:quick"))
AGENTS = {agent.name: agent for agent in (AGENT, QUICK)}


def run(tmp_path: Path, case: Callable[[Runtime], Awaitable[None]]) -> None:
    """Run `case` in a runtime with a journal in a file."""

    async def opened() -> None:
        global hold
        hold = asyncio.Event()
        async with asyncio.timeout(60), Runtime(f"sqlite:{tmp_path}/journal.db", workspace=str(tmp_path)) as runtime:
            await case(runtime)

    asyncio.run(opened())


def test_a_submitted_run_is_nobodys_and_can_be_finished(tmp_path: Path) -> None:
    """submit writes the first event with the pool, holds nothing; a worker advances it to its end, once."""

    async def case(runtime: Runtime) -> None:
        run_id = await submit(runtime, QUICK, "greet", pool="p1")
        assert runtime.journal.holder(run_id) == ""
        assert runtime.journal.parked() == [run_id]
        worker = Worker(runtime, AGENTS, runtime.journal.me)
        assert await worker.advance(run_id) == Step(True, "ok")
        assert await worker.advance(run_id) == Step(True, "ok")
        assert [row.status for row in runtime.journal.runs()] == ["ok"]
        assert list(runtime.journal.verify()) == []

    run(tmp_path, case)


def test_a_submitted_workflow_is_finished_by_its_worker(tmp_path: Path) -> None:
    """The input and the pool stand in the first event; a worker with the code ends it; one without leaves it alone."""
    done: list[int] = []

    @workflow
    async def add_up(flow: Flow, numbers: list[int]) -> int:
        return await flow.step(total, numbers)

    async def total(numbers: list[int]) -> int:
        """Add."""
        done.append(sum(numbers))
        return sum(numbers)

    async def case(runtime: Runtime) -> None:
        run_id = await submit(runtime, add_up, [1, 2, 3], pool="p1")
        assert runtime.journal.parked() == [run_id]
        assert started_of(runtime.journal, run_id).spec["pool"] == "p1"
        worker = Worker(runtime, {add_up.name: add_up}, runtime.journal.me)
        assert await worker.advance(run_id) == Step(True, "ok")
        assert await worker.advance(run_id) == Step(True, "ok")
        assert (await runtime.resume(run_id)).output == 6
        assert done == [6]
        stranger = await submit(runtime, add_up, [4], pool="p1")
        _KNOWN.pop(add_up.name)
        with pytest.raises(RemitError, match="needs the workflow add_up"):
            await Worker(runtime, {}, runtime.journal.me).advance(stranger)
        assert (done, runtime.journal.parked()) == ([6], [stranger])

    run(tmp_path, case)


def test_an_abandoned_run_is_parked_and_not_cancelled(tmp_path: Path) -> None:
    """abandon fences first: the journal knows of no cancellation, the run is interrupted, and goes on later."""

    async def case(runtime: Runtime) -> None:
        run_id = await submit(runtime, AGENT, "work", pool="p1")
        worker = Worker(runtime, AGENTS, runtime.journal.me)
        working = asyncio.ensure_future(worker.advance(run_id))
        while not runtime.journal.holder(run_id):
            await asyncio.sleep(0.01)
        await worker.abandon(run_id)
        with pytest.raises(Parked):
            await working
        bodies = b"".join(entry.body for entry in runtime.journal.read(run_id))
        assert b"cancel" not in bodies
        assert runtime.journal.parked() == [run_id]
        hold.set()
        assert await worker.advance(run_id) == Step(True, "ok")

    run(tmp_path, case)


def test_a_lost_attempt_of_the_same_process_is_replaced(tmp_path: Path) -> None:
    """An attempt that the dispatcher gave up is ended before the next begins; without that word it is run_active."""

    async def case(runtime: Runtime) -> None:
        run_id = await submit(runtime, AGENT, "work", pool="p1")
        worker = Worker(runtime, AGENTS, runtime.journal.me)
        first = asyncio.ensure_future(worker.advance(run_id))
        while not runtime.journal.holder(run_id):
            await asyncio.sleep(0.01)
        with pytest.raises(RemitError) as caught:
            await worker.advance(run_id)
        assert caught.value.code == "run_active"
        second = asyncio.ensure_future(worker.advance(run_id, (worker.me,)))
        with pytest.raises(Parked):
            await first
        hold.set()
        assert await second == Step(True, "ok")
        assert list(runtime.journal.verify()) == []

    run(tmp_path, case)


def test_a_run_that_was_ended_elsewhere_is_let_go(tmp_path: Path) -> None:
    """Somebody takes the run and ends it: the worker stops at its next look, and what it does then is not written."""

    async def case(runtime: Runtime) -> None:
        journal = runtime.journal
        worker = Worker(runtime, AGENTS, journal.me)
        sweep = Sweep(runtime, LocalBus(), LocalDispatcher(runtime.clock), "p1")
        sweep.worker = worker
        run_id = await submit(runtime, AGENT, "work", pool="p2")
        working = asyncio.ensure_future(worker.advance(run_id))
        while not journal.holder(run_id):
            await asyncio.sleep(0.01)
        await sweep.look()
        assert worker.busy == 1
        assert await journal.fence(run_id, journal.me)
        log = await journal.activate(run_id)
        log.append(CancelRequested("ann", "wrong task"))
        await log.release("cancelled")
        await sweep.look()
        with pytest.raises(Parked):
            await working
        assert worker.busy == 0
        assert b'"reason":"wrong task"' in journal.read(run_id)[-2].body
        assert [row.status for row in journal.runs()] == ["cancelled"]
        assert list(journal.verify()) == []

    run(tmp_path, case)


def test_cancelling_ends_a_run_wherever_it_stands(tmp_path: Path) -> None:
    """A run under way returns as cancelled; one that waits is ended in the journal; one that has ended stays."""

    async def case(runtime: Runtime) -> None:
        worker = Worker(runtime, AGENTS, runtime.journal.me)
        busy = await submit(runtime, AGENT, "work")
        parked = await submit(runtime, AGENT, "work")
        working = asyncio.ensure_future(worker.advance(busy))
        while not runtime.journal.holder(busy):
            await asyncio.sleep(0.01)
        await worker.cancel(busy, "enough")
        assert (await working).status == "cancelled"
        await worker.cancel(parked, "enough")
        await worker.cancel(parked, "again")
        assert {row.status for row in runtime.journal.runs()} == {"cancelled"}

    run(tmp_path, case)


def test_a_sleeping_run_is_submitted_at_its_moment(tmp_path: Path) -> None:
    """A parked run that waits for a time is left alone until then, also by a worker that never saw it before."""

    async def case(runtime: Runtime) -> None:
        run_id = await submit(runtime, QUICK, "greet", pool="p1")
        log = await runtime.journal.activate(run_id)
        due_ms = runtime.clock.now_ms() + 400
        log.append(TimerSet("turn/1/sleep", "timer_1", due_ms))
        await log.release("waiting")
        dispatcher = LocalDispatcher(runtime.clock)
        sweep = Sweep(runtime, LocalBus(), dispatcher, "p1")
        assert (await sweep.look(), await sweep.ready()) == (0, [])
        await asyncio.sleep(0.5)
        assert await sweep.look() == 1
        await dispatcher.aclose()

    run(tmp_path, case)


def test_a_sweep_finds_the_runs_of_its_pool(tmp_path: Path) -> None:
    """Parked runs of the pool are submitted once; those of other pools and of no pool are left alone."""

    async def case(runtime: Runtime) -> None:
        mine = await submit(runtime, QUICK, "greet", pool="p1")
        await submit(runtime, QUICK, "greet", pool="p2")
        bus, dispatcher = LocalBus(), LocalDispatcher(runtime.clock)
        sweep = Sweep(runtime, bus, dispatcher, "p1", every_s=30)
        worker = Worker(runtime, AGENTS, runtime.journal.me)
        assert (await sweep.look(), await sweep.look()) == (1, 0)
        assert await sweep.ready() == [mine]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(dispatcher.serve("p1", {"default": worker})), group.create_task(sweep.run())]
            await asyncio.sleep(0.2)
            later = await submit(runtime, QUICK, "greet", pool="p1")
            bus.tell(READY)
            while {row.run_id for row in runtime.journal.runs() if row.status == "ok"} != {mine, later}:
                await asyncio.sleep(0.02)
            for task in tasks:
                task.cancel()
        await dispatcher.aclose()

    run(tmp_path, case)
