"""How far a team is: who works, who waits for whom, what is slow, when it will be done.

The clock is the caller's: every call takes `now_s`; `tick(now_s)` enforces timeouts and finds bottlenecks.
Ready = pending with all dependencies completed. A dependency that failed blocks its dependents, or cancels them.

Source: spec/teams.md 7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from remit.errors import Invalid

Status = Literal["pending", "starting", "working", "blocked", "completed", "failed", "cancelled", "paused"]
Role = Literal["primary", "support", "validator", "synthesizer", "coordinator", "observer"]
STATUSES: Final = ("pending", "starting", "working", "blocked", "completed", "failed", "cancelled", "paused")
ROLES: Final = ("primary", "support", "validator", "synthesizer", "coordinator", "observer")
EVENTS: Final = ("agent_registered", "status_changed", "agent_completed", "agent_failed", "dependency_resolved",
                 "all_completed", "bottleneck_detected")  # fmt: skip
ENDED: Final = frozenset(["completed", "failed", "cancelled"])
ACTIVE: Final = frozenset(["starting", "working"])
TIMELINE: Final = 1_000
MAX_AGENTS: Final = 10_000


class Event(Struct, frozen=True):
    """Something that happened."""

    kind: str
    agent: str
    at_s: float
    details: dict[str, Any] = {}


class Tracked(Struct):
    """One agent as it stands."""

    name: str
    role: Role
    depends_on: tuple[str, ...]
    status: Status = "pending"
    progress: float = 0.0
    """0 to 1"""
    waiting_for: tuple[str, ...] = ()
    summary: str = ""
    started_s: float | None = None
    ended_s: float | None = None
    reported: bool = False


class Summary(Struct, frozen=True):
    """The team as it stands."""

    overall_progress: float
    active: tuple[str, ...]
    blocked: tuple[str, ...]
    counts: dict[str, int]
    eta_s: float | None
    """seconds from now at the pace so far; None = nothing has moved"""
    bottlenecks: tuple[str, ...]
    complete: bool
    successful: bool


class Tracker:
    """One team's progress.

    Args:
        timeout_s: how long an agent may be active.
        auto_cancel: what to call with the name of an agent whose time is over; None = nobody is cancelled.
        on_failed_dependency: blocked | cancelled: what becomes of those who wait for an agent that did not complete.
        check_s: bottlenecks are looked for at most so often.
        threshold_s: active for longer, with dependents that wait = a bottleneck.
    """

    def __init__(
        self, *, timeout_s: float = 300.0, auto_cancel: Callable[[str], None] | None = None,
        on_failed_dependency: Literal["blocked", "cancelled"] = "blocked", check_s: float = 5.0,
        threshold_s: float = 30.0,
    ) -> None:  # fmt: skip
        self.timeout_s, self.check_s, self.threshold_s = timeout_s, check_s, threshold_s
        self.agents: dict[str, Tracked] = {}
        self.timeline: deque[Event] = deque(maxlen=TIMELINE)
        self._auto_cancel = auto_cancel
        self._on_failed: Status = on_failed_dependency
        self._subscribers: list[tuple[frozenset[str], Callable[[Event], None]]] = []
        self._checked_s = float("-inf")
        self._all_done = False

    def subscribe(self, listener: Callable[[Event], None], *kinds: str) -> Callable[[], None]:
        """Hear of events of these kinds (none = all); returns what ends it. Raises value_invalid."""
        if set(kinds) - set(EVENTS):
            raise Invalid("value_invalid", f"events are {', '.join(EVENTS)}, not {kinds}")
        entry = (frozenset(kinds or EVENTS), listener)
        self._subscribers.append(entry)
        return lambda: self._subscribers.remove(entry)

    def register(
        self, name: str, role: Role = "primary", depends_on: Sequence[str] = (), *, now_s: float = 0.0
    ) -> None:
        """Add an agent; raises value_invalid for a name twice, an unknown role or dependency (so there is no cycle)."""
        if not name or name in self.agents or role not in ROLES or len(self.agents) >= MAX_AGENTS:
            raise Invalid("value_invalid", f"agent {name!r:.60} as {role!r:.40}: known already, or no such role")
        unknown = [each for each in depends_on if each not in self.agents]
        if unknown:
            raise Invalid("value_invalid", f"{name} waits for {unknown[0]!r:.60}, which is not registered")
        self.agents[name] = Tracked(name, role, tuple(depends_on))
        self._all_done = False
        self._tell("agent_registered", name, now_s, role=role)
        for each in depends_on:
            if self.agents[each].status in ("failed", "cancelled"):
                self._lose(self.agents[name], each, now_s)

    def ready(self) -> list[str]:
        """Who can start: pending, with all dependencies completed."""
        done = {name for name, agent in self.agents.items() if agent.status == "completed"}
        return [a.name for a in self.agents.values() if a.status == "pending" and done.issuperset(a.depends_on)]

    def update(
        self, name: str, status: Status, *, now_s: float, progress: float | None = None, summary: str = "",
        waiting_for: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Note how an agent stands. Raises value_invalid: unknown, no such status, or it has ended."""
        agent = self.agents.get(name)
        if agent is None or status not in STATUSES or agent.status in ENDED:
            stands = "not registered" if agent is None else agent.status
            raise Invalid("value_invalid", f"{name!r:.60} cannot become {status!r:.40}: it is {stands}")
        if progress is not None and not 0 <= progress <= 1:
            raise Invalid("value_invalid", f"the progress of {name} is {progress}; from 0 to 1")
        before, agent.status = agent.status, status
        agent.progress = 1.0 if status == "completed" else agent.progress if progress is None else progress
        agent.waiting_for, agent.summary = tuple(waiting_for), summary or agent.summary
        if status in ACTIVE and agent.started_s is None:
            agent.started_s = now_s
        self._tell("status_changed", name, now_s, before=before, status=status, progress=agent.progress)
        if status in ENDED:
            agent.ended_s = now_s
            self._ended(agent, now_s)

    def tick(self, now_s: float) -> list[str]:
        """Enforce timeouts, look for bottlenecks; returns who was cancelled."""
        late = [name for name, a in self.agents.items() if self._active_s(a, now_s) > self.timeout_s]
        if self._auto_cancel is not None:
            for name in late:
                self._auto_cancel(name)
                if self.agents[name].status not in ENDED:
                    self.update(name, "cancelled", now_s=now_s, summary=f"timeout after {self.timeout_s:g} s")
        if now_s - self._checked_s >= self.check_s:
            self._checked_s = now_s
            for name in self.bottlenecks(now_s):
                if not self.agents[name].reported:
                    self.agents[name].reported = True
                    self._tell("bottleneck_detected", name, now_s, dependents=self._dependents(name))
        return late if self._auto_cancel is not None else []

    def bottlenecks(self, now_s: float) -> list[str]:
        """Who is active for longer than the threshold while others wait for it."""
        return [
            a.name
            for a in self.agents.values()
            if self._active_s(a, now_s) > self.threshold_s and self._dependents(a.name)
        ]

    def summary(self, now_s: float) -> Summary:
        """The team as it stands."""
        agents = list(self.agents.values())
        counts = {status: sum(a.status == status for a in agents) for status in STATUSES}
        done = sum(1.0 if a.status in ENDED else a.progress for a in agents) / len(agents) if agents else 0.0
        begun = min((a.started_s for a in agents if a.started_s is not None), default=None)
        eta = 0.0 if done == 1 else None if begun is None or not done else (now_s - begun) * (1 - done) / done
        complete = bool(agents) and all(a.status in ENDED for a in agents)
        return Summary(
            overall_progress=done,
            active=tuple(a.name for a in agents if a.status in ACTIVE),
            blocked=tuple(a.name for a in agents if a.status == "blocked"),
            counts=counts,
            eta_s=eta,
            bottlenecks=tuple(self.bottlenecks(now_s)),
            complete=complete,
            successful=complete and counts["completed"] == len(agents),
        )

    def _active_s(self, agent: Tracked, now_s: float) -> float:
        return now_s - agent.started_s if agent.status in ACTIVE and agent.started_s is not None else 0.0

    def _dependents(self, name: str) -> list[str]:
        return [a.name for a in self.agents.values() if name in a.depends_on and a.status not in ENDED]

    def _ended(self, agent: Tracked, now_s: float) -> None:
        if agent.status == "completed":
            lasted = round(1000 * (now_s - (now_s if agent.started_s is None else agent.started_s)))
            self._tell("agent_completed", agent.name, now_s, duration_ms=lasted, summary=agent.summary)
        elif agent.status == "failed":
            self._tell("agent_failed", agent.name, now_s, summary=agent.summary)
        for name in self._dependents(agent.name):
            waiting = self.agents[name]
            if agent.status != "completed":
                self._lose(waiting, agent.name, now_s)
            elif all(self.agents[each].status == "completed" for each in waiting.depends_on):
                self._tell("dependency_resolved", name, now_s, by=agent.name)
        if not self._all_done and all(a.status in ENDED for a in self.agents.values()):
            self._all_done = True
            self._tell("all_completed", "", now_s)

    def _lose(self, agent: Tracked, dependency: str, now_s: float) -> None:
        """A dependency will never complete."""
        if agent.status in ("pending", "blocked", "paused"):
            self.update(agent.name, self._on_failed, now_s=now_s, waiting_for=(dependency,))

    def _tell(self, kind: str, agent: str, now_s: float, **details: Any) -> None:
        event = Event(kind, agent, now_s, details)
        self.timeline.append(event)
        for kinds, listener in list(self._subscribers):
            if kind in kinds:
                listener(event)
