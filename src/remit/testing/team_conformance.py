"""What every team must keep, a shipped pattern or an outsider's: `await check_team(make, task)` raises AssertionError.

it ends, with the same output each time, within its estimate
it keeps its budget: with fewer model calls than it needs it ends exhausted or ok, never beyond them
it survives a failing member, at each place, as its policy says
it ends when its time is over, whichever model call never answers, with what it has
it can be cancelled at any model call, with a valid partial result and without anything left running
a member that is refused ends it or is left out; nothing raises
after a crash at every journal append it goes on: same output, no finished model call is made again
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from remit.agents.agent import Agent
from remit.core.budget import Budget
from remit.core.model import ModelRequest
from remit.core.remit import Remit
from remit.errors import ModelError
from remit.runtime import Runtime
from remit.testing.clock import FakeClock
from remit.testing.crash import Crash, CrashJournal
from remit.testing.function import FunctionModel

ENDS: Final = ("ok", "denied", "failed", "cancelled", "exhausted")
TIME_S: Final = 0.15  # what a team has whose time is to be over; the other calls take none
Answering = Callable[[ModelRequest], Any]


class Cast:
    """Agents for a team under test: all use one model, which answers with `answer(request)`.

    `calls` counts model calls; number `fail_at` (from 1) and all its retries fail; number `stop_at` never answers.
    """

    def __init__(self, answer: Answering, *, fail_at: int = 0, stop_at: int = 0) -> None:
        self._answer = answer
        self.fail_at, self.stop_at = fail_at, stop_at
        self.calls = 0
        self.stopped = asyncio.Event()
        self._failing: set[str] = set()
        self.model = FunctionModel(self._reply, name="function:cast")

    async def _reply(self, request: ModelRequest) -> Any:
        self.calls += 1
        asked = f"{request.messages[0].text}\n{request.messages[-1].text}"
        if self.calls == self.fail_at:
            self._failing.add(asked)
        if asked in self._failing:
            raise ModelError("model_bad_request", "this member fails", retryable=False)
        if self.calls == self.stop_at:
            self.stopped.set()
            await asyncio.Event().wait()
        return self._answer(request)

    def agent(self, name: str, **options: Any) -> Agent:
        """One of the cast; its instructions are its name."""
        return Agent(name, self.model, instructions=f"You are {name}.", **options)


Make = Callable[[Cast], Any]


async def check_team(make: Make, task: Any, answer: Answering) -> None:
    """All of the above. `make(cast)` builds the team from `cast.agent(name)`; raises AssertionError."""
    calls, output = await check_success(make, task, answer)
    await check_failures(make, task, answer, calls)
    await check_budget(make, task, answer, calls)
    await check_timeout(make, task, answer, calls)
    await check_cancellation(make, task, answer, calls)
    await check_denial(make, task, answer)
    await check_crashes(make, task, answer, calls, output)


async def check_success(make: Make, task: Any, answer: Answering) -> tuple[int, Any]:
    """It ends ok twice with one output, and its model calls lie within the estimate; returns (calls, output)."""
    runs = []
    for _ in range(2):
        cast = Cast(answer)
        team = make(cast)
        async with Runtime(clock=FakeClock(), tune_gc=False) as runtime:
            run = await team.run(task)
            assert run.status == "ok", (run.status, run.error)
            estimate = team.estimate()
            assert estimate.least <= cast.calls <= estimate.most, estimate.of(cast.calls)
            assert run.model_calls == cast.calls
            assert run.progress.done <= max(run.progress.total, run.progress.done)
            children = [row for row in runtime.journal.runs() if row.parent]
            assert all(row.status in ENDS for row in children)
            assert runtime.journal.verify() == []
            runs.append((cast.calls, run.output))
    assert runs[0] == runs[1], "two runs differ"
    return runs[0]


async def check_failures(make: Make, task: Any, answer: Answering, calls: int) -> None:
    """A member that fails at place 1, 2, ... `calls`: the team ends with a status of its own, and keeps the rest."""
    for place in range(1, calls + 1):
        cast = Cast(answer, fail_at=place)
        async with Runtime(clock=FakeClock(), tune_gc=False):
            run = await make(cast).run(task)
        assert run.status in ENDS, run.status
        assert run.status == "ok" or run.error is not None, f"member {place} failed, and nothing says so"
        assert any(not a.ok for a in run.answers), f"member {place} failed, and no answer shows it"
        if place > 1:
            assert any(a.ok for a in run.answers), f"member {place} failed, and the answers before it are lost"


async def check_budget(make: Make, task: Any, answer: Answering, calls: int) -> None:
    """With 0, 1, ... calls - 1 model calls allowed it makes no more, and ends."""
    for allowed in range(calls):
        cast = Cast(answer)
        team = make(cast)
        team.budget = Budget(model_calls=allowed)
        async with Runtime(clock=FakeClock(), tune_gc=False):
            run = await team.run(task)
        assert cast.calls <= allowed, f"{cast.calls} model calls with {allowed} allowed"
        assert run.status == "exhausted", (allowed, run.status)
        assert run.error is not None
        assert run.error.code == "budget_exceeded"


async def check_timeout(make: Make, task: Any, answer: Answering, calls: int) -> None:
    """Call 1, 2, ... never answers: the team ends exhausted when its own time is over, and keeps what it has."""
    for place in range(1, calls + 1):
        cast = Cast(answer, stop_at=place)
        team = make(cast)
        team.timeout_s = TIME_S
        async with Runtime(tune_gc=False) as runtime:
            async with asyncio.timeout(30):
                run = await team.run(task)
            assert cast.stopped.is_set(), "the time was over before the call that never answers"
            assert run.status == "exhausted", (place, run.status, run.error)
            assert run.error is not None
            assert run.error.code == "deadline_exceeded"
            _keeps(run, place)
            assert all(row.status in ENDS for row in runtime.journal.runs()), "a member's run has no end"
            assert runtime.journal.verify() == []


def _keeps(run: Any, place: int) -> None:
    """What was answered before call `place` is there."""
    assert place == 1 or any(a.ok for a in run.answers), f"call {place} did not end, and the answers before it are lost"


async def check_cancellation(make: Make, task: Any, answer: Answering, calls: int) -> None:
    """Cancelled while call 1, 2, ... is under way it returns, cancelled, with what it has; nothing is left running."""
    for place in range(1, calls + 1):
        cast = Cast(answer, stop_at=place)
        async with Runtime(tune_gc=False) as runtime:
            before = len(asyncio.all_tasks())
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                task_of_team = group.create_task(make(cast).run(task))
                await cast.stopped.wait()
                root = next(row.run_id for row in runtime.journal.runs() if not row.parent)
                assert runtime.cancel(root, "test", "enough")
                run = await task_of_team
            assert run.status == "cancelled", run.status
            assert run.error is not None
            _keeps(run, place)
            assert len(asyncio.all_tasks()) == before, "tasks are left"
            assert all(row.status in ENDS for row in runtime.journal.runs()), "a member's run has no end"
            assert runtime.journal.verify() == []


async def check_denial(make: Make, task: Any, answer: Answering) -> None:
    """A team whose remit grants no model ends without one model call, and says why."""
    cast = Cast(answer)
    team = make(cast)
    team.remit = Remit.deny("model:*")
    async with Runtime(tune_gc=False):
        run = await team.run(task)
    assert cast.calls == 0, "a denied model was called"
    assert run.status in ("denied", "failed"), run.status
    assert run.error is not None


async def check_crashes(make: Make, task: Any, answer: Answering, calls: int, output: Any) -> None:
    """A crash before every journal append: the resumed run has the same output and repeats no finished model call."""
    at = 1
    while True:
        cast = Cast(answer)
        journal = CrashJournal(FakeClock(), at)
        if await _crashed(journal, make(cast), task):
            assert at > 1, "nothing was journalled"
            return
        done = journal.models_done()
        journal.revive()
        roots = [row.run_id for row in journal.runs() if not row.parent]
        cast.calls = 0
        async with Runtime(journal, tune_gc=False):
            run = await make(cast).resume(roots[0]) if roots else await make(cast).run(task)
        assert run.status == "ok", (at, run.status, run.error)
        assert run.output == output, f"crash before event {at}: another output"
        assert cast.calls == calls - done, f"crash before event {at}: {cast.calls} calls, {calls - done} were open"
        assert journal.verify() == []
        at += 1


async def _crashed(journal: CrashJournal, team: Any, task: Any) -> bool:
    """Whether the run came to its end without meeting the crash."""
    ended = False
    try:
        async with Runtime(journal, tune_gc=False):
            await team.run(task)
        ended = True
    except* Crash:
        pass  # this is what the journal is for
    return ended
