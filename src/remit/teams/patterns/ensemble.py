"""Ensemble: the same task to all, then one answer from theirs."""

from __future__ import annotations

from collections.abc import Callable
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
from remit.teams.values import Answer, Dissent, Estimate, text_of
from remit.teams.work import AT_ONCE, Work

AGGREGATES: Final = ("majority_vote", "best_of_n", "concatenate", "llm_synthesize")
AGREED: Final = 0.9


class Ensemble(Peers):
    """Independent answers, aggregated.

    When: one answer may be wrong by chance, and several are affordable (classification, numbers, drafts to choose of).
    When not: members share their mistakes (the same model and prompt at temperature 0), or the parts of a task differ.
    Cost: n model calls, and 1 for llm_synthesize.

    Args:
        members: at least two.
        aggregate: majority_vote (equal answers; a tie goes to the one that came first in the order of members) |
            best_of_n (highest `metric`) | concatenate | llm_synthesize (by `synthesizer`).
        metric: a function of an output -> number, for best_of_n.
        agreement: a function that measures agreement on claims; `claims` = the room's own, None = none.
        at_once: members under way.
        on_failure: continue by default: the answers that came are aggregated.
    """

    def __init__(
        self,
        *members: Any,
        aggregate: str = "majority_vote",
        metric: Callable[[Any], float] | None = None,
        synthesizer: Any = None,
        **options: Unpack[PeerOptions],
    ) -> None:
        others = {} if synthesizer is None else {"synthesizer": synthesizer}
        super().__init__("ensemble", "member", members, options, others=others)
        if aggregate not in AGGREGATES:
            raise refuse(self.where, f"aggregate={aggregate!r}", f"One of: {', '.join(AGGREGATES)}")
        for option, value, wants in (("metric", metric, "best_of_n"), ("synthesizer", synthesizer, "llm_synthesize")):
            if (aggregate == wants) != (value is not None):
                why = f"aggregate={aggregate} {option}={value!r:.60}"
                raise refuse(self.where, why, f"{wants} needs {option}=, the others none.")
        self.aggregate, self.metric, self.synthesizer = aggregate, metric, synthesizer

    def estimate(self) -> Estimate:
        """n, and 1 for a synthesis."""
        pairs = [(m, 1, 1) for m in self.members.values()]
        return calls(pairs, f"{len(self.peers)} members" + (" + 1" if self.synthesizer is not None else ""))

    async def _work(self, work: Work, task: Any) -> Any:
        progress = work.progress
        progress.total = len(self.peers) + 1

        async def one(i: int, member: Any) -> Answer:
            answer = await work.ask(member, task, key=f"member[{i}]", reads=[])
            if answer.ok:
                progress.done += 1
                progress.artifacts[f"{i + 1} {answer.member}"] = answer.output
            return answer

        answers = await work.ask_all([partial(one, i, m) for i, m in enumerate(self.peers)], at_once=self.at_once)
        there = needed(answers)
        progress.output = there[0].output
        score = measured(work, {f"{i + 1} {a.member}": a.text for i, a in enumerate(answers) if a.ok}, self.agreement)
        if score is not None:
            progress.consensus_reached = score >= AGREED
        output = await self._aggregate(work, task, there)
        progress.done += 1
        return output

    async def _aggregate(self, work: Work, task: Any, there: list[Answer]) -> Any:
        if self.aggregate == "majority_vote":
            return self._majority(work, there)
        if self.metric is not None:
            scores = [float(self.metric(a.output)) for a in there]
            work.progress.notes["scores"] = {a.key: s for a, s in zip(there, scores, strict=True)}
            return there[max(range(len(there)), key=lambda i: (scores[i], -i))].output
        if self.aggregate == "concatenate":
            return "\n\n".join(section(a.member, a.text) for a in there)
        ask = "Make one answer of these; keep what they share, say where they differ."
        parts = [section(f"Answer {i}", a.text) for i, a in enumerate(there, 1)]
        made = await work.ask(self.synthesizer, prompt(section("Task", text_of(task)), *parts, ask), key="synthesis",
                              reads=there)  # fmt: skip
        if not made.ok:
            raise made.problem()
        return made.output

    def _majority(self, work: Work, there: list[Answer]) -> Any:
        groups: dict[str, list[Answer]] = {}
        for answer in there:
            groups.setdefault(normal(answer.text), []).append(answer)
        best = max(groups.values(), key=len)  # of equals the first one
        progress = work.progress
        progress.notes["votes"] = {g[0].text[:200]: len(g) for g in groups.values()}
        if progress.consensus_reached is None:
            progress.consensus_reached = 2 * len(best) > len(there)
        if not progress.dissent:
            progress.dissent = [Dissent(a.member, a.text[:2000]) for g in groups.values() if g is not best for a in g]
        return best[0].output


class Spec(Struct, forbid_unknown_fields=True):
    """Of a workflow file; best_of_n needs a function, so it is for code only."""

    members: list[MemberName]
    aggregate: str = "majority_vote"
    synthesizer: MemberName | None = None
    at_once: int = AT_ONCE


PATTERN, SPEC = Ensemble, Spec
