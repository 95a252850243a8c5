"""Whether an agent answers again, because something new has come: contexts, triggers, policies, limits.

    decision = restarts.decide("ada", NewContext("user_input", "in metres"), now_s=...)
    if decision.should_restart: given = restarts.begin("ada", context, now_s=...)     what was said before, what is new

Checked in this order: trigger, limit, cooldown, relevance.

A context's effective relevance is its relevance less .1 for each restart so far. The clock is the caller's.

Source of values and defaults: spec/teams.md 9.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from remit.errors import Conflict, Invalid

RELEVANCE: Final = {
    "peer_answer": 0.6, "user_input": 1.0, "external_data": 0.5, "dependency_complete": 0.7,
    "validation_feedback": 0.8, "error_recovery": 0.9, "custom": 0.7,
}  # fmt: skip
LESS_PER_RESTART: Final = 0.1
# Trigger -> the kind of context it takes; `always` takes all, `never` none, `custom` asks the policy's function.
TRIGGERS: Final = {"on_peer_answer": "peer_answer", "on_user_input": "user_input",
                   "on_validation_feedback": "validation_feedback", "on_error": "error_recovery"}  # fmt: skip
Trigger = Literal["always", "on_peer_answer", "on_user_input", "on_validation_feedback", "on_error", "never", "custom"]


class NewContext(Struct, frozen=True):
    """What has come."""

    kind: str
    """a key of RELEVANCE"""
    text: str = ""
    """the answer, input, data, feedback or error"""
    source: str = ""
    """the peer, validator or dependency"""
    suggestions: tuple[str, ...] = ()
    relevance: float | None = None
    """0 to 1; None = the kind's own"""

    def effective(self, restarts: int) -> float:
        """Relevance after so many restarts, 0 to 1."""
        own = RELEVANCE[self.kind] if self.relevance is None else self.relevance
        return max(round(own - LESS_PER_RESTART * restarts, 9), 0.0)


class Policy(Struct, frozen=True):
    """When one agent restarts."""

    triggers: tuple[Trigger, ...] = ("always",)
    max_restarts: int = 3
    cooldown_s: float = 5.0
    preserve_previous_answer: bool = True
    min_relevance: float = 0.5
    count_against_rate_limit: bool = True
    """whether its restarts count against the global limit"""
    wants: Callable[[NewContext], bool] | None = None
    """for the trigger `custom`"""

    @classmethod
    def never(cls) -> Policy:
        """It does not restart."""
        return cls(("never",), 0)

    @classmethod
    def on_error_only(cls, max_restarts: int = 5) -> Policy:
        """It restarts to recover from errors."""
        return cls(("on_error",), max_restarts)

    @classmethod
    def validator(cls, max_restarts: int = 2, cooldown_s: float = 2.0) -> Policy:
        """It restarts when a validator says what is wrong."""
        return cls(("on_validation_feedback",), max_restarts, cooldown_s)

    def triggered(self, context: NewContext) -> bool:
        """Whether this kind of context may restart it at all."""
        if "never" in self.triggers:
            return False
        if "always" in self.triggers or any(TRIGGERS.get(t) == context.kind for t in self.triggers):
            return True
        return "custom" in self.triggers and self.wants is not None and self.wants(context)


class Decision(Struct, frozen=True):
    """Whether, and why."""

    should_restart: bool
    reason: str


class RestartContext(Struct, frozen=True):
    """What a restarted agent is given."""

    previous_answer: str | None
    new_context: NewContext
    restart_number: int
    """1 = the first"""
    remaining: int
    suggestions: tuple[str, ...]


class _Agent:
    """One agent's restarts so far."""

    def __init__(self, policy: Policy, contexts: int, answers: int) -> None:
        self.policy, self.count, self.last_s = policy, 0, float("-inf")
        self.contexts: deque[NewContext] = deque(maxlen=contexts)
        self.answers: deque[str] = deque(maxlen=answers)


class Restarts:
    """All agents of a team.

    Args:
        max_total: restarts of all agents together.
        cooldown_s: between any two restarts.
        keep_contexts, keep_answers: how many of the last ones are kept for each agent.
    """

    def __init__(
        self, *, max_total: int = 10, cooldown_s: float = 1.0, keep_contexts: int = 20, keep_answers: int = 5
    ) -> None:
        self.max_total, self.cooldown_s = max_total, cooldown_s
        self._keep = (keep_contexts, keep_answers)
        self._agents: dict[str, _Agent] = {}
        self._total = 0
        self._last_s = float("-inf")

    def register(self, agent: str, policy: Policy | None = None) -> None:
        """Say when an agent restarts; its counts stay."""
        self._of(agent).policy = policy or Policy()

    def answered(self, agent: str, answer: str) -> None:
        """Keep an answer, for what the agent is given when it restarts."""
        self._of(agent).answers.append(answer)

    def answers(self, agent: str) -> tuple[str, ...]:
        """The answers that are kept, oldest first."""
        return tuple(self._of(agent).answers)

    def contexts(self, agent: str) -> tuple[NewContext, ...]:
        """The contexts that are kept, oldest first."""
        return tuple(self._of(agent).contexts)

    def decide(self, agent: str, context: NewContext, *, now_s: float) -> Decision:
        """Whether this context restarts the agent: trigger, then limit, then cooldown, then relevance.

        Raises: value_invalid for a context of no known kind.
        """
        if context.kind not in RELEVANCE or not 0 <= (context.relevance or 0) <= 1:
            raise Invalid("value_invalid", f"context {context.kind!r:.40}, relevance {context.relevance}; kinds: "
                          f"{', '.join(RELEVANCE)}; from 0 to 1")  # fmt: skip
        mine = self._of(agent)
        policy, relevance = mine.policy, context.effective(mine.count)
        if not policy.triggered(context):
            return Decision(False, f"trigger: {context.kind} is none of {', '.join(policy.triggers)}")
        if mine.count >= policy.max_restarts:
            return Decision(False, f"limit: {mine.count} of {policy.max_restarts} restarts")
        if policy.count_against_rate_limit and self._total >= self.max_total:
            return Decision(False, f"limit: {self._total} of {self.max_total} restarts of all agents")
        wait = max(mine.last_s + policy.cooldown_s, self._last_s + self.cooldown_s) - now_s
        if wait > 0:
            return Decision(False, f"cooldown: {wait:.3g} s more")
        if relevance < policy.min_relevance:
            return Decision(False, f"relevance: {relevance:.3g}, {policy.min_relevance:.3g} is needed")
        return Decision(True, f"{context.kind} of relevance {relevance:.3g}")

    def begin(self, agent: str, context: NewContext, *, now_s: float) -> RestartContext:
        """Count a restart. Raises restart_refused with the reason when `decide` says no."""
        decision = self.decide(agent, context, now_s=now_s)
        if not decision.should_restart:
            raise Conflict("restart_refused", f"{agent}: {decision.reason}")
        mine = self._of(agent)
        mine.count, mine.last_s, self._last_s = mine.count + 1, now_s, now_s
        self._total += mine.policy.count_against_rate_limit
        mine.contexts.append(context)
        previous = mine.answers[-1] if mine.answers and mine.policy.preserve_previous_answer else None
        left = mine.policy.max_restarts - mine.count
        return RestartContext(previous, context, mine.count, left, context.suggestions)

    def _of(self, agent: str) -> _Agent:
        return self._agents.setdefault(agent, _Agent(Policy(), *self._keep))
