"""Supervisor: workers do the task, a supervisor reviews their answers and has them done again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from typing import Any, Final, Unpack

from msgspec import Struct

from remit.teams.patterns._shared import MemberName, TeamOptions, calls, named, needed, prompt, refuse, section
from remit.teams.team import Team
from remit.teams.values import Answer, Dissent, Estimate, text_of
from remit.teams.work import AT_ONCE, Work

_APPROVED: Final = re.compile(r"^\W*(approved?|accept(ed)?|ok|yes)\b", re.IGNORECASE)
_SAMPLE: Final = re.compile(r"sample\((0?\.\d+|0|1|1\.0)\)")
REVIEWS: Final = ("always", "sample(P)", "on_error", "never")


class Supervisor(Team):
    """Workers side by side, each answer reviewed.

    When: work can be given away whole, and somebody able to judge it is dearer or fewer than those who do it.
    When not: nobody can judge the answer better than its author (Debate, Ensemble), or checks can be run as code.
    Cost: workers + reviews; every redo is one more of each, `max_redo` at most.

    Args:
        supervisor: reviews; answers `approve`, or what must be done better.
        workers: at least one; a mapping gives each its own part of the task: {member name: what to do} goes with
            `parts`.
        review: always | sample(P) (share of answers, chosen by the run's id) | on_error (what failed is done again with
            the supervisor's advice) | never.
        max_redo: times that an answer is done again. An answer that is still not approved is kept, as dissent.
        parts: worker's place -> what it is to do beside the task.
        on_failure: continue by default: the answers that came are handed on.
    """

    def __init__(
        self,
        *,
        supervisor: Any,
        workers: list[Any] | tuple[Any, ...],
        review: str = "always",
        max_redo: int = 1,
        parts: Mapping[int, str] | None = None,
        at_once: int = AT_ONCE,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "supervisor")
        where = f"supervisor {name}"
        sample = _SAMPLE.fullmatch(review)
        if not workers:
            raise refuse(where, "no workers", "Give at least one.")
        if sample is None and review not in REVIEWS:
            raise refuse(where, f"review={review!r}", f"One of: {', '.join(REVIEWS)}, P from 0 to 1")
        if not 0 <= max_redo <= 10:
            raise refuse(where, f"max_redo={max_redo}", "From 0 to 10.")
        self.supervisor, self.workers, self.review = supervisor, tuple(workers), review
        self.share = float(sample[1]) if sample else None
        self.max_redo, self.parts, self.at_once = max_redo, dict(parts or {}), at_once
        members = {"supervisor": supervisor, **{f"worker {i}": w for i, w in enumerate(workers, 1)}}
        super().__init__(name, self._work, members=members, kind="supervisor", **given_options)

    def estimate(self) -> Estimate:
        """Workers + reviews, and as many again for each redo."""
        count = len(self.workers)
        reviewed = 0 if self.review == "never" else count
        again = self.max_redo if reviewed else 0
        least = count if self.review == "always" else 0
        pairs = [(w, 1, 1 + again) for w in self.workers]
        return calls([*pairs, (self.supervisor, least, reviewed * (1 + again))],
                     f"{count} workers + {reviewed} reviews, at most {again} redo each")  # fmt: skip

    async def _work(self, work: Work, task: Any) -> Any:
        progress = work.progress
        progress.total = len(self.workers)
        asked = [partial(self._one, work, task, i, w) for i, w in enumerate(self.workers)]
        answers = await work.ask_all(asked, at_once=self.at_once)
        there = needed(answers)
        if len(self.workers) == 1:
            return there[0].output
        return "\n\n".join(section(f"{i + 1} {a.member}", a.text) for i, a in enumerate(answers) if a.ok)

    async def _one(self, work: Work, task: Any, i: int, worker: Any) -> Answer:
        """One worker's answer, after its reviews."""
        part = self.parts.get(i, "")
        feedback = ""
        reads: list[Answer] = []
        answer = None
        for attempt in range(self.max_redo + 1):
            asked = prompt(text_of(task), section("Your part", part) if part else "", feedback)
            answer = await work.ask(worker, asked, key=f"worker[{i}]/{attempt}", reads=reads)
            if not self._reviewed(work, i, answer):
                break
            shown = section("Answer", answer.text) if answer.ok else section("It failed", str(answer.problem()))
            ask = "Review it. Begin with `approve`, or say what must be done better."
            verdict = await work.ask(self.supervisor, prompt(section("Task", asked), shown, ask),
                                     key=f"worker[{i}]/{attempt}/review", reads=[answer])  # fmt: skip
            if not verdict.ok or (answer.ok and _APPROVED.match(verdict.text)):
                break
            feedback, reads = section("Your last answer was not approved", verdict.text), [answer, verdict]
        else:
            work.progress.dissent.append(Dissent("supervisor", feedback[:2000], f"worker {i + 1}"))
        assert answer is not None
        if answer.ok:
            work.progress.done += 1
            work.progress.artifacts[f"{i + 1} {answer.member}"] = answer.output
            work.progress.output = answer.output
        return answer

    def _reviewed(self, work: Work, i: int, answer: Answer) -> bool:
        if self.share is not None:
            drawn = int.from_bytes(sha256(f"{work.scope.run_id}/{i}".encode()).digest()[:8], "big") / 2**64
            return answer.ok and drawn < self.share
        return {"always": True, "on_error": not answer.ok}.get(self.review, False)


class Spec(Struct, forbid_unknown_fields=True):
    """Of a workflow file."""

    supervisor: MemberName
    workers: list[MemberName]
    review: str = "always"
    max_redo: int = 1
    at_once: int = AT_ONCE


PATTERN, SPEC = Supervisor, Spec
