"""`Work`: what a team's body does its work with. Everything it starts is recorded under a structural key.

    answer = await work.ask(member, prompt, key="round/1/pro")   an agent, a team or an async function
    answers = await work.ask_all([...], at_once=4)               side by side, in the order asked
    value = await work.step("split", fn, *arguments)             computed once, read back on resume

A member's run is a child run: its intent names the child's id before the child begins, so that a resumed
team goes on with exactly that child. What a member read (labels) reaches those who read its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from remit.agents.run import Run
from remit.core.effects import measure_arguments
from remit.core.events import EffectDone, EffectFailed, EffectIntent
from remit.core.ids import new_id
from remit.core.labels import Label, join
from remit.core.schema import encode_foreign
from remit.errors import Exhausted, Invalid, NonDeterminism
from remit.ports.deadline import Deadline
from remit.ports.runtime import Call, current_call
from remit.ports.user_code import user_code
from remit.teams.member_runs import record, replayed, start
from remit.teams.members import name_of, own_ceiling
from remit.teams.outcome import Parked, TeamEnd, code_failed
from remit.teams.values import Answer, Progress, text_of

if TYPE_CHECKING:
    from remit.agents.runner import Runner
    from remit.gate.scope import Scope
    from remit.teams.activation import Options
    from remit.teams.coordination.waits import WaitGraph

AT_ONCE: Final = 4  # members of one team that run at once. Source: spec/teams.md 4, max_concurrency
_encode: Final = msgspec.json.Encoder(enc_hook=encode_foreign).encode


class Place(Call):
    """Where in a team's run code is: whatever it starts gets a key below `key`."""

    __slots__ = ("seen",)

    def __init__(self, scope: Scope, key: str) -> None:
        super().__init__(scope, key, scope.label)
        self.seen: dict[str, int] = {}

    def next(self, name: str) -> str:
        """The key of the next thing called `name`: `place/name#0`, `place/name#1` ..."""
        number = self.seen.get(name, 0)
        self.seen[name] = number + 1
        return f"{self.key}/{name}#{number}" if self.key else f"{name}#{number}"


class Policy(Struct, frozen=True):
    """What happens when a member does not answer."""

    on_failure: str = "continue"
    """fail: the team ends | continue: without its answer | replace: `replacement` is asked instead"""
    replacement: Any = None
    retries: int = 1
    timeout_s: float | None = None
    """of one attempt of one member; None = the team's own time only"""


class Work:
    """One activation of a team's run."""

    __slots__ = (
        "_graph", "_sent", "answers", "channels", "label", "mailboxes", "members", "options", "policy", "progress",
        "recorded", "runtime", "scope", "task",
    )  # fmt: skip

    def __init__(self, runtime: Runner, scope: Scope, task: Any, options: Options) -> None:
        self.runtime = runtime
        self.scope = scope
        self.task = task
        self.options = options
        self.recorded: Any = scope.recorded
        self.progress = Progress()
        self.policy = Policy()
        self.answers: dict[str, Answer] = {}
        self.label: Label = scope.label
        """trust of everything that any member answered"""
        self.members: dict[str, Any] = {}
        """of the team by role"""
        self.channels: dict[str, Any] = {}
        """recorded channels of this team by name"""
        self.mailboxes: Any = None
        """of the team's members, where its body made some; their tools find them here"""
        self._graph: WaitGraph | None = None
        self._sent: dict[str, int] = {}

    @property
    def waits(self) -> WaitGraph:
        """Who waits for whom in this team; made on first use."""
        if self._graph is None:
            from remit.teams.coordination.waits import WaitGraph

            self._graph = WaitGraph()
        return self._graph

    def message_key(self, party: str) -> str:
        """The key of the next thing that a party does with channels, from where it does it: what is not run again on
        resume (a member that has answered, a tool call that is done) does not count there either."""
        if not party or "/" in party:
            raise Invalid("value_invalid", f"party {party!r:.60}: a name without /")
        call = current_call.get()
        at = "" if call is None else call.key if call.scope is self.scope else f"{call.scope.run_id}/{call.key}"
        place = f"message/{party}/{at}" if at else f"message/{party}"
        number = self._sent[place] = self._sent.get(place, -1) + 1
        return f"{place}/{number}"

    # --- members ---------------------------------------------------------------------------------

    async def ask(
        self, member: Any, prompt: Any, *, key: str, reads: Sequence[Answer] | None = None, policy: Policy | None = None
    ) -> Answer:
        """Ask one member; the answer may say that it failed (`answer.ok`), as the failure policy has it.

        Args:
            member: an Agent, a team, or an async function of the prompt.
            prompt: what it is asked.
            key: structural, the same in every activation: `stage/2`, `round/1/pro`.
            reads: answers that the prompt was made from; None = of all members so far.
            policy: what happens on failure; the team's own by default.

        Raises:
            TeamEnd: the policy is `fail`, or the team's own budget is used up.
            Parked: the member waits for a person.
        """
        policy = policy or self.policy
        label = self.label if reads is None else self.scope.label
        for answer in reads or ():
            label = join(label, answer.label)
        answer = await self._attempts(member, prompt, key, label, policy)
        if not answer.ok and policy.on_failure == "replace" and policy.replacement is not None:
            answer = await self._attempts(policy.replacement, prompt, f"{key}/replacement", label, policy)
        if answer.ok or policy.on_failure == "continue":
            return answer
        raise TeamEnd("denied" if answer.status == "denied" else "failed", answer.problem())

    async def ask_all(
        self, asked: Sequence[Callable[[], Awaitable[Any]]], *, at_once: int = AT_ONCE
    ) -> list[Any]:  # fmt: skip
        """What each of `asked` returns, at most `at_once` under way, in order; one that waits lets the others finish.

        Raises: the first error; what is under way then is cancelled. Parked: when all others have finished.
        """
        if len(asked) == 1:
            return [await asked[0]()]
        places = asyncio.Semaphore(at_once)
        found: dict[int, Any] = {}
        items: list[str] = []

        over = False

        async def one(i: int) -> None:
            nonlocal over
            async with places:
                if over:
                    return  # a sibling has ended the team in this very turn of the loop
                try:
                    found[i] = await asked[i]()
                except Parked as parked:
                    items.extend(parked.items)
                except BaseException:
                    over = True
                    raise

        try:
            async with asyncio.TaskGroup() as group:
                for i in range(len(asked)):
                    group.create_task(one(i))
        except BaseExceptionGroup as e:
            raise first_error(e) from None
        if items:
            raise Parked(tuple(items))
        return [found[i] for i in range(len(asked))]

    async def _attempts(self, member: Any, prompt: Any, key: str, label: Label, policy: Policy) -> Answer:
        attempt = 0
        while True:
            place = Place(self.scope, key)
            place.label = join(place.label, label)
            this = f"{key}#{attempt}" if attempt else key
            await self.child(this, member, prompt, place, policy.timeout_s)
            answer = self.answers[this]
            if answer.ok:
                return answer
            self._must_have_budget(member, answer)
            if attempt >= policy.retries or answer.status in ("denied", "exhausted", "cancelled"):
                return answer
            attempt += 1

    def _must_have_budget(self, member: Any, answer: Answer) -> None:
        """The team's own ceilings end the team; a member's own only that member."""
        code = (answer.error or {}).get("code", "")
        if code in ("budget_exceeded", "deadline_exceeded") and answer.status != "timeout" and not own_ceiling(member):
            raise TeamEnd("exhausted", answer.problem())

    async def child(
        self, key: str, member: Any, prompt: Any, place: Place, timeout_s: float | None = None
    ) -> tuple[Run, bool]:
        """The member's run under `key`, and whether it passed its time; read from the journal when it was done before.

        Raises: Parked, NonDeterminism.
        """
        name, text = name_of(member), text_of(prompt)
        digest = measure_arguments(name, text)[1]
        child_id = ""
        known = self.recorded.get(key) if self.recorded is not None else None
        if known is not None:
            check_digest(key, known, name, digest)
            if known.state == "done":
                return self._noted(key, name, place, *replayed(self, known, member, place))
            child_id = known.arguments["run"]
        else:
            child_id = new_id("run", self.runtime.clock.now_ms(), self.runtime.clock.random_bits(80))
            self.scope.emit(EffectIntent(key, "member", name, digest, "idempotent", {"run": child_id}, (), place.label))
        late = False
        token = current_call.set(place)
        try:
            if timeout_s is None:
                run = await start(self, member, child_id, prompt, place, resumed=known is not None)
            else:
                with Deadline(timeout_s) as limit:
                    run = await start(self, member, child_id, prompt, place, resumed=known is not None)
                late = limit.expired
        except TimeoutError:
            run, late = Run(child_id, "cancelled"), True
        finally:
            current_call.reset(token)
        if run.status == "waiting":
            raise Parked(run.waiting_for)
        task = asyncio.current_task()
        if run.status == "cancelled" and not late and task is not None and task.cancelling():
            task.uncancel()  # somebody stopped this member alone; with us it would have raised (ADR 0002)
        if late:
            run.error = Exhausted("deadline_exceeded", f"{name} passed its {timeout_s:g} s")
        record(self, key, run, name, place, late)
        return self._noted(key, name, place, run, late)

    def _noted(
        self, key: str, name: str, place: Place, run: Run, late: bool
    ) -> tuple[Run, bool]:  # what one answer is made of
        error = None if run.error is None else run.error.for_user()
        status = "timeout" if late else run.status
        self.answers[key] = Answer(name, key, status, run.output, error, run.id, run.usage, run.cost_nano, place.label)
        self.label = join(self.label, place.label)
        return run, late

    def has(self, key: str) -> bool:
        """Whether the journal of a resumed run holds the end of `key`."""
        record = self.recorded.get(key) if self.recorded is not None else None
        return record is not None and record.state == "done"

    # --- steps -----------------------------------------------------------------------------------

    async def step(self, key: str, fn: Callable[..., Any], *arguments: Any) -> Any:
        """What `fn(*arguments)` returns (JSON values), computed once: for reading and computing.

        What changes the world is a tool, so that the gate sees it. Raises what `fn` raises; NonDeterminism.
        """
        name = getattr(fn, "__name__", "step")
        digest = measure_arguments(name, text_of(list(arguments)))[1]
        record = self.recorded.get(key) if self.recorded is not None else None
        if record is not None:
            check_digest(key, record, name, digest)
            if record.state == "done":
                return msgspec.json.decode(record.done.result)
        self.scope.emit(EffectIntent(key, "step", name, digest))
        value: Any = None
        with user_code(TeamEnd) as code:
            value = fn(*arguments)
            if hasattr(value, "__await__"):
                value = await value
        if code.error is not None:
            e = code_failed(name, code.error)
            self.scope.emit(EffectFailed(key, e.code, e.message, e.hint, e.retryable))
            raise code.error
        body = _encode(value)
        self.scope.emit(EffectDone(key, msgspec.Raw(body), self.scope.label))
        return msgspec.json.decode(body)  # the same value now as after a resume


def check_digest(key: str, record: Any, name: str, digest: str) -> None:
    """Refuse a replay that asks for another thing under this key."""
    if record.digest and record.digest != digest:
        raise NonDeterminism(
            "nondeterminism",
            f"{key}: the journal holds {record.name} {record.digest[:12]}, the code asks for {name} {digest[:12]}",
        )


def first_error(group: BaseExceptionGroup[Any]) -> BaseException:
    """The first plain error of a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
