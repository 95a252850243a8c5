"""`CancelScope`: runs that live no longer than a block of code.

    async with runtime.cancel_scope(reason="the user left") as scope:
        review = scope.start(reviewer, "Review the change.")
        notes = scope.start(writer, "Write the notes.")
        print((await review).output)
    # whatever happened above: no run of the scope is under way any more, and none of what they started

However the block is left, what is still under way is cancelled as its policy says, and waited for: until its effects
are done, failed or in doubt, its programs are killed, and its end is journalled. What it had comes back in
`partials`. A run whose definition says `never` is waited for instead.

Invariants: after the block no task of the scope is left; nothing can be started in it any more; an error of the block
is raised as it is; when the task that leaves the block is cancelled meanwhile, the runs are cut at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from remit.agents.run import Run
from remit.core.ids import new_id
from remit.core.partial import PartialResult, Partials
from remit.errors import Invalid, RemitError

if TYPE_CHECKING:
    from remit.agents.runner import Runner


class CancelScope:
    """See the module's text. Made by `runtime.cancel_scope(...)`.

    Args:
        by, reason, kind: as of `runtime.cancel`, for what is still under way at the end of the block.
        policy: the same; "" = what each definition says.
        grace_s: how long what must not be cut may take at the end of the block; then it is cut, and is in doubt.
    """

    def __init__(  # made by the runtime only
        self, runner: Runner, by: str, reason: str, kind: str, policy: Any, grace_s: float
    ) -> None:
        self._runner = runner
        self._by, self._reason, self._kind = by, reason, kind
        self._policy = policy
        self._grace_s = grace_s
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[Run]] = {}
        self._ended: list[Run] = []

    async def __aenter__(self) -> CancelScope:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        assert group is not None
        self.cancel()
        timer = asyncio.get_running_loop().call_later(self._grace_s, self._cut)
        try:
            await group.__aexit__(None, None, None)
        finally:
            timer.cancel()

    def start(self, definition: Any, task: Any = None, *, run_id: str = "", **options: Any) -> asyncio.Task[Run]:
        """Begin a run in the background.

        Args:
            definition: an agent, a workflow or a team.
            options: as of `runtime.run`.

        Returns: the task of the run; awaiting it gives the Run. Raises usage_invalid outside the block.
        """
        if self._group is None:
            raise Invalid("usage_invalid", "a cancel scope starts runs inside its `async with` block only")
        clock = self._runner.clock
        run_id = run_id or new_id("run", clock.now_ms(), clock.random_bits(80))
        made = self._tasks[run_id] = self._group.create_task(self._carry(definition, task, run_id, options))
        return made

    def cancel(self, reason: str = "") -> int:
        """Cancel all that is under way, without leaving the block; returns how many runs that were."""
        count = 0
        for run_id, task in self._tasks.items():
            if task.done():
                continue
            if self._runner.cancel(
                run_id,
                self._by,
                reason or self._reason,
                kind=self._kind,
                policy=self._policy,
                grace_s=self._grace_s,
            ):
                count += 1
            elif not self._runner.under_way(run_id):
                task.cancel()  # it has not begun
                count += 1
        return count

    @property
    def runs(self) -> tuple[Run, ...]:
        """Those that have ended, in that order."""
        return tuple(self._ended)

    @property
    def counts(self) -> dict[str, int]:
        """How many runs ended with each status; `started` = all, `unbegun` = cancelled before they had begun."""
        found = Counter(run.status for run in self._ended)
        gone = sum(task.cancelled() for task in self._tasks.values())
        return {"started": len(self._tasks), **({"unbegun": gone} if gone else {}), **found}

    @property
    def partials(self) -> tuple[PartialResult, ...]:
        """What the runs that ended early had, each with its agents."""
        found = Partials()
        for run in self._ended:
            found.put(*run.partials)
        return found.all()

    def _cut(self) -> None:
        """The grace is over: nothing more is waited for, but what is never cancelled."""
        for run_id in [run_id for run_id, task in self._tasks.items() if not task.done()]:
            self._runner.cancel(run_id, self._by, self._reason, kind=self._kind, policy="immediate")

    async def _carry(self, definition: Any, task: Any, run_id: str, options: dict[str, Any]) -> Run:
        try:
            run = await self._runner.run(definition, task, run_id=run_id, **options)
        except RemitError as e:  # a definition that cannot be run: the others go on
            run = Run(run_id, "failed", None, e)
        self._ended.append(run)
        return run
