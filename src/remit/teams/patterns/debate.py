"""Debate: two sides argue in turn, a judge decides."""

from __future__ import annotations

from typing import Any, Final, Unpack

from msgspec import Struct

from remit.teams.members import name_of
from remit.teams.patterns._shared import (
    CLAIMS,
    Measure,
    MemberName,
    TeamOptions,
    calls,
    measure_of,
    measured,
    named,
    needed,
    prompt,
    refuse,
    section,
)  # fmt: skip
from remit.teams.team import Team
from remit.teams.values import Answer, Dissent, Estimate, text_of
from remit.teams.work import Work

MAX_ROUNDS: Final = 3  # Source: spec/teams.md 3
AGREED: Final = 0.9  # share of claims on which both sides take the same stance


class Debate(Team):
    """Alternating arguments, then a verdict.

    When: a question has two sides and a wrong answer is dear (designs, risks, disputed facts).
    When not: facts can be looked up or checked (one agent with tools), or a vote of peers is enough (Ensemble).
    Cost: 2 x rounds + 1 model calls; fewer when the sides agree before the last round.

    Args:
        proponent, opponent: two members; not the same one.
        judge: who decides from the transcript.
        max_rounds: rounds at most.
        agreement: a function that measures agreement on claims; `claims` = the room's own, None = none;
            from AGREED on the debate goes to the judge at once.
        on_failure: continue by default: a side that fails a turn is silent in it.
    """

    def __init__(
        self,
        *,
        proponent: Any,
        opponent: Any,
        judge: Any,
        max_rounds: int = MAX_ROUNDS,
        agreement: Measure | str | None = CLAIMS,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "debate")
        if proponent is opponent:
            raise refuse(f"debate {name}", "proponent and opponent are one member", "Give two.")
        if not 1 <= max_rounds <= 100:
            raise refuse(f"debate {name}", f"max_rounds={max_rounds}", "From 1 to 100.")
        self.proponent, self.opponent, self.judge = proponent, opponent, judge
        self.max_rounds, self.agreement = max_rounds, measure_of(agreement)
        members = {"proponent": proponent, "opponent": opponent, "judge": judge}
        super().__init__(name, self._work, members=members, kind="debate", **given_options)

    def estimate(self) -> Estimate:
        """2 x rounds + 1."""
        fewest = self.max_rounds if self.agreement is None else 1
        sides = [(side, fewest, self.max_rounds) for side in (self.proponent, self.opponent)]
        return calls([*sides, (self.judge, 1, 1)], f"2 x {self.max_rounds} rounds + 1")

    async def _work(self, work: Work, task: Any) -> Any:
        progress, question = work.progress, section("Question", text_of(task))
        progress.total = self.max_rounds + 1
        sides = {"for": self.proponent, "against": self.opponent}
        said: list[tuple[str, Answer]] = []
        for number in range(1, self.max_rounds + 1):
            for stance, member in sides.items():
                ask = f"Round {number} of {self.max_rounds}. Argue {stance}; answer what the other side said."
                asked = prompt(question, _transcript(said), ask)
                answer = await work.ask(member, asked, key=f"round/{number}/{stance}", reads=[a for _, a in said])
                if answer.ok:
                    said.append((stance, answer))
                    progress.artifacts[f"round {number} {stance}"] = answer.output
                    progress.output = answer.output
            progress.done += 1
            progress.notes["rounds"] = number
            if self._agreed(work, said):
                break
        if not said:
            raise needed(list(work.answers.values()))[0].problem()
        ask = "Decide the question from these arguments, and say why."
        verdict = await work.ask(self.judge, prompt(question, _transcript(said), ask), key="judge",
                                 reads=[a for _, a in said])  # fmt: skip
        if not verdict.ok:
            raise verdict.problem()
        progress.done, progress.total = progress.done + 1, progress.done + 1
        return verdict.output

    def _agreed(self, work: Work, said: list[tuple[str, Answer]]) -> bool:
        """Whether both sides' last arguments take the same stance on their claims."""
        last = dict(said)
        if len(last) < 2:
            return False
        names = {"for": f"for: {name_of(self.proponent)}", "against": f"against: {name_of(self.opponent)}"}
        score = measured(work, {names[stance]: answer.text for stance, answer in last.items()}, self.agreement)
        if score is None:
            return False
        work.progress.consensus_reached = score >= AGREED
        if score < AGREED and not work.progress.dissent:
            work.progress.dissent = [Dissent(names["against"], last["against"].text[:2000])]
        return score >= AGREED


def _transcript(said: list[tuple[str, Answer]]) -> str:
    return "\n\n".join(section(f"{answer.member} ({stance})", answer.text) for stance, answer in said)


class Spec(Struct, forbid_unknown_fields=True):
    """Of a workflow file."""

    proponent: MemberName
    opponent: MemberName
    judge: MemberName
    max_rounds: int = MAX_ROUNDS


PATTERN, SPEC = Debate, Spec
