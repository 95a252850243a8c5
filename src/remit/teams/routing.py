"""Routing: which member a task is for. A model chooses; without one, or when it fails, learned keywords do.

The keywords are learned from labelled examples (naive Bayes over words, add-one smoothing), and from every task that
a person or a model has assigned. What was learned changes only the choice, never what a member may do.
Source: McCallum and Nigam, "A Comparison of Event Models for Naive Bayes Text Classification" (1998), multinomial.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Unpack

from msgspec import Struct

from remit.teams.members import own_calls
from remit.teams.patterns._shared import TeamOptions, first_named, named, prompt, refuse, section
from remit.teams.team import Team
from remit.teams.values import Estimate, text_of
from remit.teams.work import Policy, Work

_WORD: Final = re.compile(r"\w{2,}")
MAX_WORDS: Final = 50_000  # known words a route; the rarest go first


class Choice(Struct, frozen=True):
    """Where a task goes."""

    route: str
    confidence: float
    """0..1, the posterior of the route"""
    by: str
    """model | keywords | default"""


class KeywordRouter:
    """A task's words -> a route, learned from examples."""

    def __init__(self, routes: Iterable[str]) -> None:
        self.words: dict[str, Counter[str]] = {route: Counter() for route in routes}
        self.seen: Counter[str] = Counter()
        if len(self.words) < 1:
            raise refuse("router", "no routes", "Name at least one.")

    def learn(self, text: str, route: str) -> None:
        """One example; an unknown route raises team_invalid."""
        if route not in self.words:
            raise refuse("router", f"there is no route {route!r:.60}", f"Routes: {', '.join(self.words)}")
        self.words[route].update(_WORD.findall(text.casefold()))
        self.seen[route] += 1
        if len(self.words[route]) > MAX_WORDS:
            self.words[route] = Counter(dict(self.words[route].most_common(MAX_WORDS * 9 // 10)))

    def choose(self, text: str) -> Choice:
        """The likeliest route; without any known word the first one, with confidence 0."""
        words = _WORD.findall(text.casefold())
        known = {w for counts in self.words.values() for w in counts}
        words = [w for w in words if w in known]
        if not words:
            return Choice(next(iter(self.words)), 0.0, "default")
        scores = {route: self._log(route, words, len(known)) for route in self.words}
        top = max(scores.values())
        total = sum(math.exp(score - top) for score in scores.values())
        best = max(scores, key=lambda route: scores[route])
        return Choice(best, 1 / total, "keywords")

    def _log(self, route: str, words: list[str], known: int) -> float:
        counts = self.words[route]
        size = counts.total()
        prior = math.log((self.seen[route] + 1) / (self.seen.total() + len(self.words)))
        return prior + sum(math.log((counts[w] + 1) / (size + known)) for w in words)

    def data(self) -> dict[str, Any]:
        """What was learned, as JSON values; `KeywordRouter.of` reads it."""
        return {"words": {r: dict(c) for r, c in self.words.items()}, "seen": dict(self.seen)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> KeywordRouter:
        """A router that has learned before."""
        made = cls(data["words"])
        made.words = {str(r): Counter({str(w): int(n) for w, n in c.items()}) for r, c in data["words"].items()}
        made.seen = Counter({str(r): int(n) for r, n in data["seen"].items()})
        return made


class Router(Team):
    """A task goes to one of several members.

    When: tasks of different kinds arrive in one place (support, triage).
    When not: every member should answer (Ensemble), or a member finds out itself whom it needs (handoff).
    Cost: 1 model call to choose, where a `chooser` is given and the keywords are unsure; 1 for the member.

    Args:
        members: route -> member.
        describe: route -> what it is for; the chooser reads it, and the keywords begin with its words.
        chooser: an agent that answers with a route's name; None = keywords only.
        examples: (text, route) to learn from.
        sure: confidence from which the keywords decide without the chooser.
    """

    def __init__(
        self,
        members: Mapping[str, Any],
        *,
        describe: Mapping[str, str] | None = None,
        chooser: Any = None,
        examples: Iterable[tuple[str, str]] = (),
        sure: float = 0.95,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "router")
        self.routes, self.chooser, self.sure = dict(members), chooser, sure
        self.describe = dict(describe or {})
        self.keywords = KeywordRouter(members)
        for route, text in [*((r, t) for r, t in self.describe.items()), *((r, t) for t, r in examples)]:
            self.keywords.learn(text, route)
        known = {**members, **({} if chooser is None else {"chooser": chooser})}
        super().__init__(name, self._work, members=known, kind="router", **given_options)

    def estimate(self) -> Estimate:
        """The member, and the chooser where one is asked."""
        single = [own_calls([m]) for m in self.routes.values()]
        extra = 0 if self.chooser is None else own_calls([self.chooser])[1]
        return Estimate(min(s[0] for s in single), max(s[1] for s in single) + extra, f"1 member + {extra} to choose")

    async def _work(self, work: Work, task: Any) -> Any:
        text = text_of(task)
        work.progress.total = 2
        choice = await self._choose(work, text)
        work.progress.done = 1
        work.progress.notes["route"] = {"to": choice.route, "by": choice.by, "confidence": choice.confidence}
        answer = await work.ask(self.routes[choice.route], task, key=f"route/{choice.route}")
        if not answer.ok:
            raise answer.problem()
        work.progress.done = 2
        self.keywords.learn(text, choice.route)
        return answer.output

    async def _choose(self, work: Work, text: str) -> Choice:
        kept = await work.step("keywords", lambda: self.keywords.choose(text))
        choice = Choice(kept["route"], kept["confidence"], kept["by"])
        if self.chooser is None or (choice.by == "keywords" and choice.confidence >= self.sure):
            return choice
        listed = "\n".join(f"{route}: {self.describe.get(route, '')}" for route in self.routes)
        ask = "Who is this task for? Answer with one name, and nothing else."
        asked = prompt(section("Task", text), section("Names", listed), ask)
        answer = await work.ask(self.chooser, asked, key="choose", reads=[], policy=Policy(retries=0))
        found = first_named(answer.text, self.routes) if answer.ok else ""
        return Choice(found, 1.0, "model") if found else choice
