"""Giving work away from inside: an agent or team as a tool, one task to several, and two that converse.

researcher = agent_tool(Agent("researcher", ...), "Finds facts.")     # in another agent's tools=
Delegation([fast, careful], strategy="fallback")                      # a team
Conversation(buyer, seller, turns=10)                                 # a team
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Unpack

from remit.core.tools import Tool
from remit.ports.tool import Context
from remit.teams.delegates import hand_over
from remit.teams.members import name_of
from remit.teams.patterns._shared import TeamOptions, calls, named, needed, prompt, refuse, section
from remit.teams.team import Team, check_member
from remit.teams.values import Answer, Estimate, text_of
from remit.teams.work import AT_ONCE, Work

TOOL_TIMEOUT_S: Final = 60.0  # Source: spec/teams.md 4
STRATEGIES: Final = ("first_success", "all", "fallback", "best_confidence")
_CONFIDENCE: Final = re.compile(r"confidence\D{0,3}(\d+(?:\.\d+)?)\s*(%?)", re.IGNORECASE)


def agent_tool(member: Any, description: str = "", *, timeout_s: float = TOOL_TIMEOUT_S) -> Tool:
    """An agent or a team as a tool of one text argument, `task`; its run is a child of the caller's.

    The child's id follows from the caller's run and the call's key, so that after a crash the same child goes on. A
    member that waits for a person makes its caller wait; one that failed is an error of the tool.

    Args:
        member: the agent or team.
        description: what the calling model reads; by default the agent's instructions.
    """
    check_member("agent_tool", member)
    name = re.sub(r"\W+", "_", name_of(member)).strip("_").lower()

    async def give(ctx: Context[Any], task: str) -> Any:
        return await hand_over(ctx, member, task)

    give.__name__ = name
    give.__doc__ = description or getattr(member, "instructions", "") or f"Give {name_of(member)} a task."
    return Tool(give, effect="idempotent", timeout_s=timeout_s)


class Delegation(Team):
    """One task to several members, as a strategy.

    When: members may fail or be slow, and any good answer will do.
    When not: answers should be joined (Ensemble), or one member is known to be right (Router).
    Cost: fallback 1 to n model calls, the others n.

    Args:
        members: at least one.
        strategy: fallback (in order, until one answers) | first_success (all at once, the first answer counts, the
            others are stopped) | all (every answer) | best_confidence (`confidence`, or what the answer says:
            "confidence: 0.8").
        confidence: a function of an output -> 0..1.
    """

    def __init__(
        self,
        members: Sequence[Any],
        *,
        strategy: str = "fallback",
        confidence: Callable[[Any], float] | None = None,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "delegation", retries=0)
        if not members or strategy not in STRATEGIES:
            raise refuse(f"delegation {name}", f"{len(members)} members, strategy={strategy!r}",
                         f"At least one member; strategies {', '.join(STRATEGIES)}.")  # fmt: skip
        self.asked, self.strategy, self.confidence = tuple(members), strategy, confidence or stated_confidence
        known = {f"member {i}": m for i, m in enumerate(members, 1)}
        super().__init__(name, self._work, members=known, kind="delegation", **given_options)

    def estimate(self) -> Estimate:
        """1 to n."""
        least = 0 if self.strategy in ("fallback", "first_success") else 1
        pairs = [(m, 1 if i == 0 else least, 1) for i, m in enumerate(self.asked)]
        return calls(pairs, f"{len(self.asked)} members, {self.strategy}")

    async def _work(self, work: Work, task: Any) -> Any:
        progress = work.progress
        progress.total = len(self.asked)
        ask = [partial(work.ask, m, task, key=f"member[{i}]", reads=[]) for i, m in enumerate(self.asked)]
        if self.strategy == "fallback":
            answers: list[Answer] = []
            for one in ask:
                answers.append(await one())
                if answers[-1].ok:
                    break
        elif self.strategy == "first_success":
            answers = await self._first(work, ask)
        else:
            answers = await work.ask_all(ask, at_once=max(AT_ONCE, len(ask)))
        there = needed(answers)
        progress.done = len(there)
        progress.artifacts = {f"{a.key} {a.member}": a.output for a in there}
        if self.strategy == "all":
            return {f"{i + 1} {a.member}": a.output for i, a in enumerate(answers) if a.ok}
        if self.strategy == "best_confidence":
            scores = [self.confidence(a.output) for a in there]
            progress.notes["confidence"] = {a.key: s for a, s in zip(there, scores, strict=True)}
            return there[max(range(len(there)), key=lambda i: (scores[i], -i))].output
        return there[0].output

    async def _first(self, work: Work, ask: list[Any]) -> list[Answer]:
        """The first that answers; a resumed run keeps the one that had answered before."""
        known = [i for i in range(len(ask)) if work.has(f"member[{i}]")]
        for i in known:
            answer: Answer = await ask[i]()
            if answer.ok:
                return [answer]
        failed: list[Answer] = []

        async def one(i: int) -> None:
            answer = await ask[i]()
            if answer.ok:
                raise _Found(answer)
            failed.append(answer)

        try:
            await work.ask_all([partial(one, i) for i in range(len(ask))], at_once=len(ask))
        except _Found as found:
            return [found.answer]
        return failed


class _Found(Exception):  # not an error: an answer, on its way past those that are stopped
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.member)
        self.answer = answer


def stated_confidence(output: Any) -> float:
    """What an answer says of its own confidence: `confidence: 0.8`, `confidence 80%`; 0 where it says nothing."""
    if isinstance(output, dict) and isinstance(output.get("confidence"), int | float):
        return min(1.0, max(0.0, float(output["confidence"])))
    found = _CONFIDENCE.search(text_of(output))
    if found is None:
        return 0.0
    number = float(found[1]) / (100 if found[2] or float(found[1]) > 1 else 1)
    return min(1.0, number)


class Conversation(Team):
    """Two members in turn, until one ends it or the turns are used up.

    When: two roles must come to terms (interview, negotiation, tutor and pupil).
    When not: a third must decide (Debate).
    Cost: at most `turns` model calls.

    Args:
        first, second: two members; the first one gets the task.
        turns: turns at most, of both together.
        end: a word that ends the conversation when a turn holds it as a line of its own.
    """

    def __init__(
        self, first: Any, second: Any, *, turns: int = 10, end: str = "DONE", **options: Unpack[TeamOptions]
    ) -> None:
        given_options, name = named(options, "conversation", timeout_s=120.0, on_failure="fail")
        if first is second or not 1 <= turns <= 1_000 or not end:
            raise refuse(f"conversation {name}", f"turns={turns} end={end!r}, or one member twice", "Two members.")
        self.pair, self.turns, self.end = (first, second), turns, end
        super().__init__(
            name, self._work, members={"first": first, "second": second}, kind="conversation", **given_options
        )

    def estimate(self) -> Estimate:
        """Turns."""
        half = self.turns // 2
        pairs = [(self.pair[0], 1, self.turns - half), (self.pair[1], 0, half)]
        return calls(pairs, f"at most {self.turns} turns")

    async def _work(self, work: Work, task: Any) -> Any:
        said: list[Answer] = []
        work.progress.total = self.turns
        how = f"Say {self.end} on a line of its own when there is nothing left to say."
        for turn in range(self.turns):
            talk = "\n\n".join(section(a.member, a.text) for a in said)
            asked = prompt(section("Subject", text_of(task)), talk, how)
            answer = await work.ask(self.pair[turn % 2], asked, key=f"turn/{turn}", reads=said)
            if not answer.ok:
                raise answer.problem()
            said.append(answer)
            work.progress.done, work.progress.output = turn + 1, answer.output
            work.progress.artifacts[f"{turn + 1} {answer.member}"] = answer.output
            if any(line.strip() == self.end for line in answer.text.splitlines()):
                work.progress.total = turn + 1
                break
        return said[-1].output
