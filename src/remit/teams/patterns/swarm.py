"""Swarm: roles work on a shared state, round after round, until they converge."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Unpack

from msgspec import Struct

from remit.teams.patterns._peers import PeerOptions, Peers
from remit.teams.patterns._shared import (
    MemberName,
    calls,
    measured,
    needed,
    normal,
    prompt,
    refuse,
    section,
)  # fmt: skip
from remit.teams.team import LONG_TIMEOUT_S
from remit.teams.values import Answer, Estimate, text_of
from remit.teams.work import AT_ONCE, Work

MAX_ITERATIONS: Final = 10  # Source: spec/teams.md 3
MAX_ROLES: Final = 200
CONVERGENCE: Final = 0.9  # Source: spec/teams.md 3


class Swarm(Peers):
    """All roles see what all of them said last, and say it better.

    When: a result must satisfy several views at once, and nobody is in charge (plans, designs, trade-offs).
    When not: an order or a judge is known (Pipeline, Debate), or money is tight: it is the dearest pattern.
    Cost: roles x iterations model calls; fewer when they converge.

    Args:
        roles: at least two members.
        max_iterations: rounds at most.
        convergence: in (0, 1]; the share of claims on which roles take the same stance (`agreement`), or without a
            measure the share of roles that repeat what they said in the round before.
        on_failure: continue by default: the others go on, and a role that fails a round may come back.
    """

    def __init__(
        self,
        *roles: Any,
        max_iterations: int = MAX_ITERATIONS,
        convergence: float = CONVERGENCE,
        **options: Unpack[PeerOptions],
    ) -> None:
        super().__init__("swarm", "role", roles, options, timeout_s=LONG_TIMEOUT_S)
        if len(self.peers) > MAX_ROLES:
            why = f"{len(self.peers)} roles, and each reads what all of them say"
            raise refuse(self.where, why, f"At most {MAX_ROLES}.")
        if not 1 <= max_iterations <= 1_000 or not 0 < convergence <= 1:
            raise refuse(self.where, f"max_iterations={max_iterations} convergence={convergence}",
                         "max_iterations from 1 to 1000, convergence above 0 and at most 1.")  # fmt: skip
        self.max_iterations, self.convergence = max_iterations, convergence

    def estimate(self) -> Estimate:
        """Roles x iterations."""
        fewest = 1 if self.agreement is not None else min(2, self.max_iterations)
        pairs = [(role, fewest, self.max_iterations) for role in self.peers]
        return calls(pairs, f"{len(self.peers)} roles x {self.max_iterations} iterations")

    async def _work(self, work: Work, task: Any) -> Any:
        progress = work.progress
        progress.total = self.max_iterations
        shared: dict[int, Answer] = {}
        for number in range(1, self.max_iterations + 1):
            before = dict(shared)
            asked = [partial(self._one, work, task, number, i, before) for i in range(len(self.peers))]
            answers: list[Answer] = await work.ask_all(asked, at_once=self.at_once)
            if not before:
                needed(answers)
            shared |= {i: a for i, a in enumerate(answers) if a.ok}
            progress.done = number
            progress.artifacts = {f"{i + 1} {a.member}": a.output for i, a in sorted(shared.items())}
            progress.output = self._joined(shared)
            progress.notes["iterations"] = number
            score = self._convergence(work, shared, before)
            progress.notes["convergence"] = score
            progress.consensus_reached = score >= self.convergence
            if progress.consensus_reached:
                progress.total = number
                break
        return self._joined(shared)

    async def _one(self, work: Work, task: Any, number: int, i: int, before: dict[int, Answer]) -> Answer:
        others = [section(f"{a.member} said", a.text) for _, a in sorted(before.items())]
        ask = "Give your own answer; take over what convinces you, and keep what you still hold." if others else ""
        asked = prompt(section("Task", text_of(task)), *others, ask)
        return await work.ask(self.peers[i], asked, key=f"iteration/{number}/role[{i}]", reads=list(before.values()))

    def _convergence(self, work: Work, shared: dict[int, Answer], before: dict[int, Answer]) -> float:
        if self.agreement is not None and len(shared) > 1:
            answers = {f"{i + 1} {a.member}": a.text for i, a in sorted(shared.items())}
            return measured(work, answers, self.agreement) or 0.0
        same = [i for i, a in shared.items() if i in before and normal(before[i].text) == normal(a.text)]
        return len(same) / len(self.peers)

    def _joined(self, shared: dict[int, Answer]) -> Any:
        """One answer when all say the same, else all of them."""
        texts = {normal(a.text) for a in shared.values()}
        if len(texts) == 1:
            return next(iter(shared.values())).output
        return "\n\n".join(section(f"{i + 1} {a.member}", a.text) for i, a in sorted(shared.items()))


class Spec(Struct, forbid_unknown_fields=True):
    """Of a workflow file."""

    roles: list[MemberName]
    max_iterations: int = MAX_ITERATIONS
    convergence: float = CONVERGENCE
    at_once: int = AT_ONCE


PATTERN, SPEC = Swarm, Spec
