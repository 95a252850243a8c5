"""Orchestra: perspectives on one task, and a synthesis that says how far they agree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Unpack

from msgspec import Struct

from remit.agents.agent import Agent
from remit.errors import Unavailable
from remit.teams.members import name_of
from remit.teams.outcome import TeamEnd
from remit.teams.patterns._shared import (
    CLAIMS,
    Measure,
    TeamOptions,
    calls,
    measure_of,
    measured,
    named,
    needed,
    normal,
    prompt,
    refuse,
    section,
)  # fmt: skip
from remit.teams.team import Team
from remit.teams.values import Answer, Dissent, Estimate, text_of
from remit.teams.work import AT_ONCE, Work

MODES: Final = ("parallel", "sequential", "wave")
SYNTHESES: Final = ("comprehensive", "consensus", "best_of", "weighted", "debate", "none")
MAX_PARTS: Final = 5  # of a decomposition. Source: spec/teams.md 5
TIMEOUT_S: Final = 60.0  # Source: spec/teams.md 5
AGREED: Final = 0.9
_PART: Final = re.compile(r"^\s*(?:\d+[.)]|[-*])\s+(.+)$", re.MULTILINE)


class Perspective(Struct, frozen=True):
    """One view of the task."""

    member: Any
    weight: float = 1.0
    """how much it counts in best_of and weighted, from 0"""
    focus: str = ""
    """what it looks at, said in its prompt"""


class Orchestra(Team):
    """Perspectives answer, then one answer is made of theirs.

    When: a question has several sides that different experts see (reviews, strategy, trade-offs).
    When not: one right answer exists (Ensemble), or the sides must answer each other (Debate).
    Cost: one model call a perspective; 1 for a synthesis by a member (comprehensive, weighted, best_of, debate); one
    more a perspective for debate; 1 for a decomposition.

    Args:
        perspectives: at least one Perspective, agent or team.
        mode: parallel | sequential (each sees those before) | wave (`wave_size` at once, each wave sees those before).
        synthesis: comprehensive (all views in one answer) | consensus (only claims that all share) | best_of (the
            conductor names the best; without one the highest weight) | weighted (views by weight) | debate (all see
            all and answer again, then a synthesis) | none (all answers).
        conductor: who synthesises and decomposes; needed by comprehensive, weighted, debate and `decompose`.
        decompose: the task is first split into at most 5 parts that every perspective answers.
        min_responses: answers that must come; fewer fail the orchestra.
        agreement: measures agreement on claims.
    """

    def __init__(  # noqa: PLR0913  # a definition: every option is a keyword with a default
        self,
        perspectives: Sequence[Any],
        *,
        mode: str = "parallel",
        synthesis: str = "comprehensive",
        conductor: Any = None,
        decompose: bool = False,
        wave_size: int = 2,
        min_responses: int = 1,
        agreement: Measure | str | None = CLAIMS,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "orchestra", timeout_s=TIMEOUT_S)
        where = f"orchestra {name}"
        self.perspectives = tuple(p if isinstance(p, Perspective) else Perspective(p) for p in perspectives)
        if not self.perspectives or mode not in MODES or synthesis not in SYNTHESES:
            raise refuse(where, f"{len(self.perspectives)} perspectives, mode={mode!r}, synthesis={synthesis!r}",
                         f"At least one; modes {', '.join(MODES)}; syntheses {', '.join(SYNTHESES)}.")  # fmt: skip
        if conductor is None and (decompose or synthesis in ("comprehensive", "weighted", "debate")):
            raise refuse(where, f"synthesis={synthesis} without a conductor", "Name one: conductor=AGENT.")
        if not 1 <= min_responses <= len(self.perspectives) or wave_size < 1:
            raise refuse(where, f"min_responses={min_responses} wave_size={wave_size}", "From 1 to all perspectives.")
        if any(p.weight < 0 for p in self.perspectives):
            raise refuse(where, "a weight below 0", "Give weights from 0.")
        self.mode, self.synthesis, self.conductor, self.decompose = mode, synthesis, conductor, decompose
        self.wave_size, self.min_responses, self.agreement = wave_size, min_responses, measure_of(agreement)
        members = {f"perspective {i}": p.member for i, p in enumerate(self.perspectives, 1)}
        if conductor is not None:
            members["conductor"] = conductor
        super().__init__(name, self._work, members=members, kind="orchestra", **given_options)

    def estimate(self) -> Estimate:
        """Perspectives (twice for debate), synthesis, decomposition."""
        rounds = 2 if self.synthesis == "debate" else 1
        pairs = [(p.member, 1, rounds) for p in self.perspectives]
        own = int(self._conducted()) + int(self.decompose)
        if self.conductor is not None:
            pairs.append((self.conductor, own, own))
        return calls(pairs, f"{len(self.perspectives)} perspectives x {rounds} + {own}")

    def _conducted(self) -> bool:
        return self.conductor is not None and self.synthesis not in ("none", "consensus")

    async def _work(self, work: Work, task: Any) -> Any:
        progress = work.progress
        progress.total = len(self.perspectives) + 1
        question = text_of(task)
        reads: list[Answer] = []
        if self.decompose:
            question, reads = await self._parts(work, question)
        answers = await self._round(work, question, reads)
        there = [a for a in answers if a.ok]
        if len(there) < self.min_responses:
            needed(answers)
            few = f"{len(there)} of {len(answers)} perspectives answered; {self.min_responses} are needed"
            raise TeamEnd("failed", Unavailable("team_failed", few))
        if self.synthesis == "debate" and len(there) > 1:
            answers = await self._again(work, question, answers)
            there = [a for a in answers if a.ok]
        progress.output = "\n\n".join(section(a.member, a.text) for a in there)
        self._measure(work, answers)
        output = await self._synthesis(work, question, answers)
        progress.done += 1
        return output

    async def _parts(self, work: Work, question: str) -> tuple[str, list[Answer]]:
        ask = f"Split this into at most {MAX_PARTS} questions, one numbered line each; nothing else."
        answer = await work.ask(self.conductor, prompt(section("Task", question), ask), key="decompose", reads=[])
        found = [part.strip() for part in _PART.findall(answer.text)][:MAX_PARTS] if answer.ok else []
        work.progress.notes["parts"] = found
        if not found:  # its text may still help; what cannot be read as parts is never silently dropped
            return prompt(question, section("Guidance", answer.text) if answer.ok else ""), [answer]
        return prompt(question, "Answer each:", "\n".join(f"{i}. {p}" for i, p in enumerate(found, 1))), [answer]

    async def _round(self, work: Work, question: str, reads: list[Answer]) -> list[Answer]:
        size = {"parallel": len(self.perspectives), "sequential": 1}.get(self.mode, self.wave_size)
        answers: list[Answer] = []
        for start in range(0, len(self.perspectives), size):
            before = [a for a in answers if a.ok]
            wave = range(start, min(start + size, len(self.perspectives)))
            asked = [partial(self._one, work, question, i, before, [*reads, *before]) for i in wave]
            answers += await work.ask_all(asked, at_once=max(AT_ONCE, size))
        return answers

    async def _one(self, work: Work, question: str, i: int, before: list[Answer], reads: list[Answer]) -> Answer:
        view = self.perspectives[i]
        said = [section(f"{a.member} said", a.text) for a in before]
        focus = section("Your focus", view.focus) if view.focus else ""
        answer = await work.ask(view.member, prompt(question, focus, *said), key=f"perspective[{i}]", reads=reads)
        if answer.ok:
            work.progress.done += 1
            work.progress.artifacts[f"{i + 1} {answer.member}"] = answer.output
        return answer

    async def _again(self, work: Work, question: str, answers: list[Answer]) -> list[Answer]:
        there = [a for a in answers if a.ok]
        said = [section(f"{a.member} said", a.text) for a in there]
        ask = "Answer again: say what convinces you, and what you still hold."

        async def one(i: int) -> Answer:
            if not answers[i].ok:
                return answers[i]
            member = self.perspectives[i].member
            answer = await work.ask(member, prompt(question, *said, ask), key=f"perspective[{i}]/again", reads=there)
            return answer if answer.ok else answers[i]

        return list(await work.ask_all([partial(one, i) for i in range(len(answers))], at_once=max(AT_ONCE, 8)))

    def _measure(self, work: Work, answers: list[Answer]) -> None:
        said = {f"{i + 1} {a.member}": a.text for i, a in enumerate(answers) if a.ok}
        score = measured(work, said, self.agreement)
        if score is None and len(said) > 1:
            groups: dict[str, list[str]] = {}
            for name, text in said.items():
                groups.setdefault(normal(text), []).append(name)
            if len(groups) == 1:
                work.progress.consensus_reached = True
            return
        if score is not None:
            work.progress.consensus_reached = score >= AGREED

    async def _synthesis(self, work: Work, question: str, answers: list[Answer]) -> Any:
        views = [(self.perspectives[i], a) for i, a in enumerate(answers) if a.ok]
        if self.synthesis == "none":
            return {f"{i + 1} {a.member}": a.output for i, a in enumerate(answers) if a.ok}
        if self.synthesis == "consensus":
            shared = work.progress.notes.get("consensus_points", [])
            return "\n".join(str(point["claim"]) for point in shared) or (
                views[0][1].output if self._same(views) else ""
            )
        if self.synthesis == "best_of" and self.conductor is None:
            return max(views, key=lambda view: view[0].weight)[1].output
        parts = [section(f"{i}. {a.member}{self._weight(v)}", a.text) for i, (v, a) in enumerate(views, 1)]
        ask = {
            "best_of": "Answer with the number of the best answer, and nothing else.",
            "weighted": "Make one answer; let the views count by their weights.",
        }.get(self.synthesis, "Make one answer of these views: what they share, what only one sees, where they differ.")
        made = await work.ask(self.conductor, prompt(section("Task", question), *parts, ask), key="synthesis",
                              reads=[a for _, a in views])  # fmt: skip
        if not made.ok:
            raise made.problem()
        if self.synthesis != "best_of":
            return made.output
        number = re.search(r"\d+", made.text)
        chosen = int(number[0]) - 1 if number is not None and 1 <= int(number[0]) <= len(views) else None
        if chosen is None:  # no number of the list: the highest weight, and the conductor's words are kept
            work.progress.dissent.append(Dissent(name_of(self.conductor), made.text[:2000]))
            return max(views, key=lambda view: view[0].weight)[1].output
        return views[chosen][1].output

    def _same(self, views: list[tuple[Perspective, Answer]]) -> bool:
        return len({normal(a.text) for _, a in views}) == 1

    def _weight(self, view: Perspective) -> str:
        return f" (weight {view.weight:g})" if self.synthesis == "weighted" else ""


_PRESETS: Final[dict[str, tuple[tuple[str, float, float, str], ...]]] = {  # Source: spec/teams.md 5
    "balanced": (
        ("analyst", 0.3, 1.0, "facts, numbers, what follows from them"),
        ("critic", 0.5, 0.8, "what is wrong, risky or missing"),
        ("creative", 0.9, 0.7, "other ways that nobody named"),
        ("pragmatist", 0.4, 1.0, "what can be done now, and at what cost"),
    ),
    "technical_review": (
        ("architect", 0.3, 1.0, "structure, interfaces, what later changes will cost"),
        ("security", 0.3, 1.0, "what can be abused, leaked or bypassed"),
        ("performance", 0.3, 1.0, "time, memory, what grows with load"),
    ),
    "business_strategy": (
        ("strategist", 0.5, 1.0, "position, competitors, timing"),
        ("financial", 0.3, 1.0, "cost, return, cash, what it depends on"),
        ("customer", 0.5, 1.0, "what users need and will pay for"),
    ),
}


def preset(name: str, model: Any, **options: Any) -> Orchestra:
    """One of the presets on one model: balanced, technical_review, business_strategy; options as of Orchestra."""
    if name not in _PRESETS:
        raise refuse("orchestra", f"preset {name!r:.60}", f"One of: {', '.join(_PRESETS)}")
    views = []
    for role, warm, weight, focus in _PRESETS[name]:
        asked = f"You are the {role}. You look at: {focus}."
        views.append(Perspective(Agent(role, model, instructions=asked, settings={"temperature": warm}), weight, focus))
    conductor = Agent("conductor", model, instructions="You make one answer of several views.")
    return Orchestra(views, conductor=conductor, **{"name": name, **options})
