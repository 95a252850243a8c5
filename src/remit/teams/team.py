"""A team: members, a body, and what holds for all of them. Patterns, crews and graphs are teams.

An outsider's own pattern is a function of (work, task), given to `Team`:

    async def relay(work, task):
        first = await work.ask(writer, task, key="write")
        return (await work.ask(editor, first.text, key="edit", reads=[first])).output

    team = Team("relay", relay, members={"writer": writer, "editor": editor}, calls=Estimate(2, 2, "one each"))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from remit.core.budget import UNLIMITED, Budget
from remit.core.remit import UNSET, Remit
from remit.core.tools import Tool
from remit.errors import Invalid
from remit.ports.runtime import current, current_call
from remit.teams.activation import Job, Options, carry_out, real_runtime
from remit.teams.members import members_of, name_of, own_calls
from remit.teams.recording import Recording
from remit.teams.values import Estimate, TeamRun
from remit.teams.work import Place, Policy, Work

TIMEOUT_S: Final = 300.0  # Source: spec/teams.md 3
LONG_TIMEOUT_S: Final = 600.0  # map_reduce and swarm. Source: spec/teams.md 3
MAX_MEMBERS: Final = 10_000
ON_FAILURE: Final = ("fail", "continue", "replace")

Body = Callable[[Work, Any], Awaitable[Any]]


class Team:
    """Several members at one task, under one run.

    Args:
        name: the team's name in journal and audit.
        body: an async function of (work, task); what it returns is the output.
        members: by role: agents, teams, or async functions of the prompt.
        calls: the estimate of model calls; by default what the members' own estimates sum up to.
        kind: what sort of team it is, for the journal and results.
        remit: a ceiling over all members; unset = each member's own remit and whatever the caller holds.
        budget: ceilings of the whole team.
        timeout_s: of the whole team.
        on_failure: what a member's failure means: fail, continue, or replace (by `replacement`).
        retries: further attempts of a member that failed.
        member_timeout_s: of one attempt of one member.
        tools: own functions that the body itself calls with `work.call`.
    """

    def __init__(  # noqa: PLR0913  # a definition: every option is a keyword with a default
        self,
        name: str,
        body: Body,
        *,
        members: Mapping[str, Any],
        calls: Estimate | None = None,
        kind: str = "team",
        remit: Remit = UNSET,
        budget: Budget = UNLIMITED,
        timeout_s: float | None = TIMEOUT_S,
        on_failure: str = "continue",
        replacement: Any = None,
        retries: int = 1,
        member_timeout_s: float | None = None,
        tools: tuple[Any, ...] = (),
    ) -> None:
        if not name:
            raise Invalid("value_invalid", f"a {kind} needs a name")
        where = f"{kind} {name}"
        self.name = name
        self.kind = kind
        self.body = body
        self.members = dict(members)
        if len(self.members) > MAX_MEMBERS:
            raise Invalid("team_invalid", f"{where}: {len(self.members)} members", hint=f"At most {MAX_MEMBERS}.")
        for role, member in self.members.items():
            check_member(f"{where}, {role}", member)
        self.calls = calls
        self.remit = remit
        self.budget = budget
        self.timeout_s = positive(where, "timeout_s", timeout_s)
        self.tools = tuple(t if isinstance(t, Tool) else Tool(t) for t in tools)
        if on_failure not in ON_FAILURE:
            raise Invalid(
                "team_invalid", f"{where}: on_failure={on_failure!r}", hint=f"One of: {', '.join(ON_FAILURE)}"
            )
        if on_failure == "replace" and replacement is None:
            raise Invalid("team_invalid", f"{where}: on_failure=replace", hint="Name the replacement=AGENT.")
        if replacement is not None:
            check_member(f"{where}, replacement", replacement)
        if not 0 <= retries <= 10:
            raise Invalid("team_invalid", f"{where}: retries={retries}", hint="From 0 to 10.")
        self.policy = Policy(on_failure, replacement, retries, positive(where, "member_timeout_s", member_timeout_s))

    def estimate(self) -> Estimate:
        """Model calls that a run makes, before it runs."""
        if self.calls is not None:
            return self.calls
        return Estimate(*own_calls(self.members.values()), f"members {len(self.members)}")

    def implied(self) -> list[str]:
        """The grants that naming its members implies."""
        extra = {} if self.policy.replacement is None else {"~": self.policy.replacement}
        return [*members_of({**self.members, **extra}), *(f"tool:{t.name}" for t in self.tools if not t.builtin)]

    def job(self) -> Job:
        """What the runtime must know of it."""
        spec = {"members": {role: name_of(m) for role, m in self.members.items()}}
        return Job(self.name, self.kind, self.remit, self.budget, self.tools, tuple(self.implied()), spec,
                   self.timeout_s)  # fmt: skip

    async def run(self, task: Any, **options: Any) -> TeamRun:
        """Run to the end (or to where it waits for a person); options as of Agent.run.

        Inside another team's own code it becomes a recorded child of that team.
        """
        run: TeamRun = await joined(self, task, options)
        return run

    async def carry_out(self, task: Any, **options: Any) -> TeamRun:
        """As `run`, under a run that this call owns; `run_id` names it, `resume` goes on with one."""

        async def body(work: Work) -> Any:
            work.policy, work.members = self.policy, self.members
            return await self.body(work, work.task)

        run = await carry_out(self.job(), task, body, Options(**options))
        run.estimate = self.estimate()
        if run.status == "waiting" and current_call.get() is None and real_runtime()._came_meanwhile(run.waiting_for):
            return await self.resume(run.id, **{k: v for k, v in options.items() if k not in ("run_id", "resume")})
        return run

    async def start_in(self, runtime: Any, task: Any, **options: Any) -> TeamRun:
        """What a runtime, a workflow or a host calls for a definition that is no agent."""
        return await self.carry_out(task, **options)

    async def resume(self, run_id: str, **options: Any) -> TeamRun:
        """Go on with a run after a crash or a wait: finished members are read from the journal, not run again."""
        return await self.carry_out("", resume=run_id, **options)

    def run_sync(self, task: Any, **options: Any) -> TeamRun:
        """`run` for code without an event loop."""
        from remit.ports.stream import run_loop

        run: TeamRun = run_loop(self.run(task, **options))
        return run

    def stream(self, task: Any, **options: Any) -> AsyncIterator[Any]:
        """Events of the team and of its members as they happen, then the TeamRun as the last item."""
        from remit.ports.stream import EventStream

        return EventStream(lambda listen: self.run(task, listener=listen, **options))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {', '.join(self.members)})"


async def joined(team: Any, task: Any, options: dict[str, Any]) -> Any:
    """Run a team: on its own, or as a recorded child when another team's code has called it."""
    runtime, place = current(), current_call.get()
    if isinstance(runtime, Recording) and type(place) is Place and place.scope is runtime.work.scope:
        return await runtime.run(team, task)
    return await team.carry_out(task, **options)


def check_member(where: str, member: Any) -> None:
    """Refuse what can be no member."""
    from remit.agents.agent import Agent

    if isinstance(member, Agent) or hasattr(member, "carry_out"):
        return
    code = getattr(member, "__code__", None) or getattr(getattr(member, "__func__", None), "__code__", None)
    if code is None or not code.co_flags & 0x80:  # Source: CPython Include/cpython/code.h, CO_COROUTINE
        raise Invalid(
            "team_invalid",
            f"{where}: {type(member).__name__} is no member",
            hint="Give an Agent, a team, or an async function of the prompt.",
        )


def positive(where: str, name: str, seconds: float | None) -> float | None:
    """A number of seconds above 0, or None."""
    if seconds is not None and not 0 < seconds < 1e9:
        raise Invalid("team_invalid", f"{where}: {name}={seconds!r}", hint="A number of seconds above 0.")
    return seconds
