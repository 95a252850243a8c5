"""What others do to a run: answer it, send it a signal, cancel it, host it while it waits.

A run that is under way in this process is reached directly; one that is parked, or was interrupted, through the
journal. A run of another live process raises run_active: its own program, or `remit cancel`, reaches it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from remit.core.effects import Parked
from remit.core.events import CancelRequested, EffectResolved, Event, MessageReceived, WaitClosed
from remit.core.partial import PartialResult, Partials
from remit.errors import Conflict, Invalid
from remit.guard.waits import closing
from remit.ports.journal import InboxRow

if TYPE_CHECKING:
    from remit.agents.cancel_scope import CancelScope
    from remit.agents.host import Host
    from remit.agents.run import Run
    from remit.agents.runner import Runner
    from remit.gate.scope import Scope
    from remit.ports.clock import Clock
    from remit.ports.journal import Journal
    from remit.ports.runtime import Call

TRIES: Final = 400
BETWEEN_S: Final = 0.005
_Done = TypeVar("_Done")
GRACE_S: Final = 30.0  # Source: spec/teams.md 8
REASONS: Final = (
    *("user_request", "timeout", "parent_cancelled", "dependency_failed", "resource_limit", "error", "shutdown"),
    "custom",
)
Policy = Literal["", "immediate", "graceful", "graceful_with_timeout", "never"]


async def _cut(task: asyncio.Task[Any]) -> None:
    """Cancel a run at this moment: nothing of it goes on behind the effect that had to end first."""
    task.cancel()
    await asyncio.sleep(0)


class Cancellations(Struct):
    """How often runs of this runtime were cancelled."""

    asked: dict[str, int] = {}
    """reason (one of REASONS) -> runs, those that were cancelled with another one included"""
    ended: int = 0
    """runs that ended as cancelled"""


class Control:
    """The part of a runtime that is about runs of others."""

    clock: Clock
    journal: Journal

    def __init__(self) -> None:
        self._active: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: dict[str, CancelRequested] = {}
        self._scopes: dict[str, Scope] = {}
        """of workflows under way: they can be answered meanwhile"""
        self._answered: set[str] = set()
        """items that were answered while their run was under way"""
        self._policies: dict[str, str] = {}
        """how runs under way may be cancelled, where their definition says so"""
        self._children: dict[str, list[str]] = {}
        self._partials: dict[str, Partials] = {}
        """what ended runs that a run started had"""
        self.cancellations = Cancellations()

    async def answer(
        self, item: str, value: Any = None, *, decision: str = "", by: str = "user", reason: str = ""
    ) -> str:
        """Answer an item of the inbox, once; returns the id of its run, which a host wakes.

        Args:
            item: its id.
            value: what the form of an `input` or a `signal` asks for.
            decision: denied refuses to answer; for an approval approved (default), denied or edited with the new
                arguments as `value`; for an effect in doubt done | not-done | retry.

        Raises:
            Invalid: item_unknown, answer_invalid. Conflict: approval_used, run_active.
        """
        from remit.core.effects import measure_arguments

        def make(row: InboxRow) -> Event:
            if row.kind == "in_doubt":
                if decision not in ("done", "not-done", "retry") or not reason.strip():
                    raise Invalid("answer_invalid", f"{row.id} is in doubt: done, not-done or retry, with a reason")
                return EffectResolved(row.key, row.id, decision, by, reason)
            if row.kind != "approval":
                return closing(row, decision, value, by, reason)
            if decision not in ("", "approved", "denied", "edited") or (decision == "edited") != isinstance(
                value, dict
            ):
                raise Invalid("answer_invalid", f"{row.id} is approved, denied, or edited with its arguments")
            digest = row.digest if value is None else measure_arguments(row.tool, value)[1]
            return WaitClosed(row.key, row.id, decision or "approved", digest, by, reason, value)

        return await self._settled(partial(self._answer, item, make), lambda: self._row_of(item))

    def _row_of(self, item: str) -> InboxRow | None:
        return next((row for row in self.journal.inbox() if row.id == item), None)

    async def _settled(self, act: Callable[[], Awaitable[_Done]], about: Callable[[], InboxRow | str | None]) -> _Done:
        """Act on a run once it is either parked or under way: this process may be taking it up, or letting it go."""
        for _ in range(TRIES):
            try:
                return await act()
            except Conflict as error:
                found = about()
                run_id = found.run_id if isinstance(found, InboxRow) else found
                if error.code != "run_active" or not run_id or not self._between(run_id):
                    raise
            await asyncio.sleep(BETWEEN_S)
        return await act()

    def _between(self, run_id: str) -> bool:
        if run_id in self._active or self.journal.holder(run_id) not in ("", self.journal.me):
            return False
        return b'"type":"run_done"' not in self.journal.read(run_id)[-1].body

    async def _answer(self, item: str, make: Callable[[InboxRow], Event]) -> str:
        row = self._row_of(item)
        scope = None if row is None else self._scopes.get(row.run_id)
        if row is None or scope is None:
            return await self.journal.answer(item, make)
        if item in self._answered:
            raise Conflict("approval_used", f"{item} was answered")
        event = make(row)
        scope.emit(event)
        self._answered.add(item)
        await scope.log.flush()
        return row.run_id

    async def signal(self, run_id: str, name: str, value: Any = None, *, by: str = "user") -> None:
        """Give a run what its `wait_for(name)` waits for, now or later; each signal is taken once.

        Raises: run_unknown, answer_invalid (not JSON), run_active (another process holds it, or it has ended).
        """
        await self._settled(partial(self._signal, run_id, name, value, by), lambda: run_id)

    async def _signal(self, run_id: str, name: str, value: Any, by: str) -> None:
        scope = self._scopes.get(run_id)
        rows = [row for row in self.journal.inbox() if (row.run_id, row.kind, row.tool) == (run_id, "signal", name)]
        rows = [row for row in rows if row.id not in self._answered]
        if rows:
            await self.answer(rows[0].id, value, by=by)
        elif scope is not None:
            message = MessageReceived(name, by, value)
            scope.emit(message)
            if scope.recorded is not None:
                cast("Any", scope.recorded).messages.append(message)
            await scope.log.flush()
        else:
            log = await self.journal.activate(run_id)
            try:
                log.append(MessageReceived(name, by, value))
            finally:
                await log.release("waiting")

    def cancel(  # noqa: PLR0913  # public: every option is a keyword with a default
        self,
        run_id: str,
        by: str = "user",
        reason: str = "",
        *,
        kind: str = "user_request",
        policy: Policy = "",
        cascade: bool = True,
        grace_s: float = GRACE_S,
    ) -> bool:
        """Stop a run of this runtime; its `run()` returns with the partial result. False = it does not run here.

        Args:
            by, reason: who, and why in words; both are journalled.
            kind: one of REASONS.
            policy: immediate: now; what may not be repeated and is under way becomes in doubt.
                graceful: models, streams and reads are cut now, an effect that must not be cut ends first.
                graceful_with_timeout: the same, at most `grace_s` long.
                never: only noted. "" = what the run's definition says, graceful by default for workflows and
                immediate for agents. A definition that says never is not cancelled by another policy.
            cascade: whether the runs that it started are cancelled by it, too; else they go on as far as they
                have tasks of their own.
        """
        if kind not in REASONS:
            raise Invalid("value_invalid", f"kind={kind!r:.40}; one of {', '.join(REASONS)}")
        task = self._active.get(run_id)
        if task is None or task.done():
            return False
        own = self._policies.get(run_id, "")
        chosen = own if own == "never" else policy or own or "immediate"
        if chosen == "never":
            return False
        self._cancelled[run_id] = CancelRequested(by, reason, kind)
        self.cancellations.asked[kind] = self.cancellations.asked.get(kind, 0) + 1
        if cascade:
            for child in self._children.get(run_id, ()):
                self.cancel(child, "parent", reason, kind="parent_cancelled", policy=policy, grace_s=grace_s)
        scopes = [s for s in (self._scopes.get(run_id),) if s is not None and s.acting]
        if chosen == "immediate" or not scopes:
            task.cancel()
            return True
        scopes[0].calm = partial(_cut, task)
        if chosen == "graceful_with_timeout":
            task.get_loop().call_later(grace_s, task.cancel)
        return True

    def under_way(self, run_id: str) -> bool:
        """Whether the run is under way in this runtime."""
        task = self._active.get(run_id)
        return task is not None and not task.done()

    def cancel_scope(
        self,
        by: str = "user",
        reason: str = "",
        *,
        kind: str = "parent_cancelled",
        policy: Policy = "",
        grace_s: float = GRACE_S,
    ) -> CancelScope:
        """Runs that end with a block: `async with runtime.cancel_scope() as scope: scope.start(agent, task)`."""
        from remit.agents.cancel_scope import CancelScope  # few programs need one

        if kind not in REASONS:
            raise Invalid("value_invalid", f"kind={kind!r:.40}; one of {', '.join(REASONS)}")
        return CancelScope(cast("Runner", self), by, reason, kind, policy, grace_s)

    def host(self, *definitions: Any) -> Host:
        """Keep waiting runs of these agents and workflows alive: `async with runtime.host(deploy) as host: ...`."""
        from remit.agents.host import Host  # only a program that hosts runs needs it

        return Host(cast("Runner", self), definitions)

    def _enter(self, scope: Scope, call: Call | None, policy: str = "") -> None:
        """A run is under way in the current task."""
        task = asyncio.current_task()
        assert task is not None
        self._active[scope.run_id] = task
        self._scopes[scope.run_id] = scope
        if policy:
            self._policies[scope.run_id] = policy
        if call is not None:
            self._children.setdefault(call.scope.run_id, []).append(scope.run_id)

    def _leave(self, run_id: str, call: Call | None) -> None:
        """It is under way no more."""
        for held in (self._active, self._scopes, self._policies, self._children):
            held.pop(run_id, None)
        if call is not None and run_id in (beside := self._children.get(call.scope.run_id, [])):
            beside.remove(run_id)

    # --- for whoever drives a run ----------------------------------------------------------------

    def _why(self, run_id: str) -> CancelRequested:
        """Why a run is cancelled: what was asked of it, else what its caller did."""
        return self._cancelled.get(run_id) or CancelRequested("caller", kind="parent_cancelled")

    def _upwards(self, run: Run, call: Call | None) -> None:
        """What a run's end means to whoever started it: it waits too, or is cancelled with it."""
        aimed = self._cancelled.pop(run.id, None)
        if call is None:
            return
        if run.status == "cancelled" and (aimed is None or aimed.kind == "parent_cancelled"):
            raise asyncio.CancelledError
        if run.status == "waiting" and call.parks:
            raise Parked(run.waiting_for, run.due_ms)

    def _ended(self, name: str, run: Run, call: Call | None, own: Iterable[PartialResult] = ()) -> None:
        """A run is about to end: it gets the partial results of all below it, and whoever started it gets them, too.

        Args:
            own: what it said of itself; by default its output.
        """
        held = self._partials.pop(run.id, None)
        if call is None and run.status == "ok":
            return
        if run.status == "cancelled":
            self.cancellations.ended += 1
        where, good = name if call is None else f"{name}:{call.key}", run.status == "ok"
        kept = Partials() if held is None or good else held
        if not good:
            kept.put(*[replace(each, agent=each.agent.replace(name, where, 1)) for each in own])
        if run.output is not None:
            kept.put(PartialResult(where, run.output, float(good), good))
        if not good:
            run.partials = kept.all()
        if call is not None and call.scope.run_id in self._active:
            self._partials.setdefault(call.scope.run_id, Partials()).put(*kept.all())

    def _came_meanwhile(self, items: tuple[str, ...]) -> bool:
        """Whether one of them was answered while the run was still under way; forgets it."""
        found = self._answered & set(items)
        self._answered -= found
        return bool(found)

    def _exists(self, run_id: str) -> bool:
        try:
            return bool(self.journal.read(run_id))
        except Invalid:
            return False

    async def revoke_lastingly(self, grant_id: str, run_id: str = "", *, by: str = "user", reason: str = "") -> int:
        """`revoke` that outlives this process: every process of the user obeys it, and the journal holds it.

        Returns: how many effects of this runtime it stopped. Raises: run_unknown, disk_failed, record_altered.
        """
        from remit.agents.lasting import journal_revocation
        from remit.core.events import GrantRevoked
        from remit.core.folders import state_path
        from remit.guard.revoked import Revoked, add

        runner = cast("Runner", self)
        await journal_revocation(runner, GrantRevoked(grant_id, by, reason, run_id))
        add(state_path(), Revoked(grant_id, run_id, by, reason, runner.clock.now_ms()))
        return runner.revoke(grant_id, run_id)

    async def judge(self, run_id: str, ok: bool, *, by: str = "user", reason: str = "") -> int:
        """Tell the router whether an ended run's outcome was right; returns how many routed calls it learnt from.

        The judgement is journalled as a run of its own, once a run, and what was learnt is written at once.
        Raises: run_unknown; value_invalid, the run has not ended; run_active, it was judged before.
        """
        from remit.models.judging import judge

        runner: Any = self
        return await judge(runner.journal, runner.outside.policies.routes, run_id, ok, (by, reason))
