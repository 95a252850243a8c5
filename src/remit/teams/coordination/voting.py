"""A vote on answers: who may vote, what a vote is worth, when it counts, and who has won.

    voting = Voting(strategy="weighted_average").set_weight("lead", 2).enable_veto().add_veto_agent("security")
    voting.add_answer("a", "Use Postgres.", author="ada"); voting.add_answer("b", "Use SQLite.", author="bob")
    voting.cast(Vote("cleo", "a", "approve")); voting.cast(Vote("dan", "b", "score", 0.4, reasoning="too small"))
    result = voting.close()          result.winner(), result.ranked, result.consensus_points

Invariants: a vetoed answer scores 0 and cannot win; only named agents veto; one vote a voter and answer, the last one
counts; nobody votes for an answer of its own unless that is allowed, whichever way it names it; no answer passes
without votes. Ties: more weight behind it, then the answer that was added first. The clock is the caller's: nothing
here waits.

Source of values and defaults: spec/teams.md 6.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from remit.errors import Conflict, Denied, Exhausted, Invalid
from remit.teams.coordination import ranking
from remit.teams.coordination.ballots import Ballot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remit.teams.coordination.claims import Claim

Kind = Literal["approve", "reject", "abstain", "score", "veto"]
VALUES: Final[dict[str, float]] = {"approve": 1.0, "reject": 0.0, "abstain": 0.5, "veto": 0.0}
STRATEGIES: Final = (
    "majority",
    "weighted_average",
    "highest_score",
    "consensus",
    "ranked_choice",
    "borda",
    "condorcet",
)
RANKED: Final = frozenset(STRATEGIES[4:])
NO_VOTES: Final = 0.5  # the score of an answer that nobody voted on; it does not pass
MAX_VOTES: Final = 100_000


class Vote(Struct, frozen=True):
    """One voter's word on one answer."""

    voter: str
    target: str
    """id of an answer, or of the agent that gave it"""
    kind: Kind = "approve"
    score: float | None = None
    """for `score`: 0 to 1, clamped"""
    confidence: float = 1.0
    """0 to 1"""
    reasoning: str = ""

    @property
    def value(self) -> float:
        """0 to 1."""
        return min(max(self.score or 0.0, 0.0), 1.0) if self.kind == "score" else VALUES[self.kind]


class Ranked(Struct, frozen=True):
    """One answer in the result."""

    id: str
    author: str
    score: float
    passing: bool
    vetoed: bool
    votes: tuple[Vote, ...]


class VotingResult(Struct, frozen=True):
    """How a vote ended."""

    ranked: tuple[Ranked, ...]
    """answers, best first; vetoed ones last"""
    strategy: str
    voters: int
    consensus_points: tuple[Claim, ...]
    """claims that at least two answers share and none opposes, with who makes them"""
    dissent: tuple[Vote, ...]
    """votes against the winner"""

    def winner(self) -> Ranked | None:
        """The first answer that passes and was not vetoed."""
        return next((each for each in self.ranked if each.passing and not each.vetoed), None)

    @property
    def passing(self) -> tuple[Ranked, ...]:
        """All answers that pass."""
        return tuple(each for each in self.ranked if each.passing)

    @property
    def vetoed(self) -> tuple[Ranked, ...]:
        """All answers that somebody vetoed."""
        return tuple(each for each in self.ranked if each.vetoed)


class Voting:
    """One vote, from its first answer to its result.

    Args:
        strategy: one of STRATEGIES.
        quorum: how many different voters it takes.
        min_score: what an answer needs to pass.
        timeout_s: how long votes are taken after `opened_s`; None = for ever.
        opened_s: when it was opened, by the clock whose times `cast` and `close` are given.
        self_vote: whether an agent may vote on its own answer.
        reasons: whether a rejection needs a reason.

    Raises: vote_invalid.
    """

    def __init__(  # noqa: PLR0913  # public: every option is a keyword with a default
        self,
        strategy: str = "weighted_average",
        *,
        quorum: int = 2,
        min_score: float = 0.5,
        timeout_s: float | None = 30.0,
        opened_s: float = 0.0,
        self_vote: bool = False,
        reasons: bool = True,
    ) -> None:
        if strategy not in STRATEGIES:
            raise Invalid("vote_invalid", f"no strategy {strategy!r:.40}; one of {', '.join(STRATEGIES)}")
        if quorum < 1 or not 0 <= min_score <= 1:
            raise Invalid("vote_invalid", f"quorum={quorum}, min_score={min_score}: from 1 on, and from 0 to 1")
        self.strategy, self.quorum, self.min_score = strategy, quorum, min_score
        self.self_vote, self.reasons = self_vote, reasons
        self._until = math.inf if timeout_s is None else opened_s + timeout_s
        self._weights: dict[str, float] = {}
        self._vetoers = {"strategic_director"}
        self._veto = True
        self._texts: dict[str, str] = {}
        self._authors: dict[str, str] = {}
        self._votes: dict[tuple[str, str], Vote] = {}
        self._closed = False

    def set_weight(self, voter: str, weight: float) -> Voting:
        """How much a voter's votes count, 1 by default; raises vote_invalid."""
        if not math.isfinite(weight) or weight < 0:
            raise Invalid("vote_invalid", f"the weight of {voter} is {weight!r:.40}; a number from 0 on is needed")
        self._weights[voter] = weight
        return self

    def enable_veto(self, on: bool = True) -> Voting:
        """Whether anybody may veto at all."""
        self._veto = on
        return self

    def add_veto_agent(self, voter: str) -> Voting:
        """Let an agent veto, besides `strategic_director`."""
        self._vetoers.add(voter)
        return self

    def add_answer(self, answer: str, text: str = "", *, author: str = "") -> Voting:
        """Put an answer to the vote; raises vote_invalid for an id twice, voting_complete."""
        self._open()
        if not answer or answer in self._texts:
            raise Invalid("vote_invalid", f"an answer needs an id of its own, not {answer!r:.60}")
        self._texts[answer], self._authors[answer] = text, author
        return self

    def cast(self, vote: Vote, now_s: float = 0.0) -> None:
        """Take a vote; a later one of the same voter on the same answer replaces it.

        Raises: voting_complete, voting_timeout, answer_not_found, vote_invalid, unauthorized_veto.
        """
        self._open()
        if now_s > self._until:
            raise Exhausted("voting_timeout", f"{vote.voter} voted after the time was over")
        answer = self._answer(vote.target)
        if vote.kind not in ("score", *VALUES):
            raise Invalid("vote_invalid", f"no kind of vote: {vote.kind!r:.40}")
        numbers = (vote.confidence, vote.score if vote.kind == "score" else 0.0)
        if not vote.voter or any(n is None or not math.isfinite(n) for n in numbers) or not 0 <= vote.confidence <= 1:
            raise Invalid("vote_invalid", "a vote needs a voter, a confidence from 0 to 1, and a score where it scores")
        if vote.voter == self._authors[answer] and not self.self_vote:
            raise Invalid("vote_invalid", f"{vote.voter} may not vote on its own answer {answer}")
        if vote.kind == "veto" and not (self._veto and vote.voter in self._vetoers):
            raise Denied("unauthorized_veto", f"{vote.voter} may not veto")
        if vote.kind == "reject" and self.reasons and not vote.reasoning.strip():
            raise Invalid("vote_invalid", f"{vote.voter} rejects {answer} without a reason")
        if len(self._votes) >= MAX_VOTES:
            raise Invalid("vote_invalid", f"more than {MAX_VOTES} votes")
        self._votes[vote.voter, answer] = vote

    def close(self, now_s: float = 0.0) -> VotingResult:
        """Count. Raises no_answers, quorum_not_reached (it stays open until its time is over), voting_timeout,
        voting_complete."""
        self._open()
        if not self._texts:
            raise Invalid("no_answers", "nothing was put to the vote")
        voters = {each.voter for each in self._votes.values() if self._weight(each)}
        if len(voters) < self.quorum:
            missing = f"{len(voters)} of {self.quorum} voters have voted"
            if now_s > self._until:
                raise Exhausted("voting_timeout", f"the time is over, and {missing}")
            raise Conflict("quorum_not_reached", missing)
        self._closed = True
        by_answer: dict[str, list[Vote]] = {answer: [] for answer in self._texts}
        for (_, answer), vote in self._votes.items():
            by_answer[answer].append(vote)
        scores = self._scores(by_answer)
        ranked = [self._ranked(answer, votes, scores[answer]) for answer, votes in by_answer.items()]
        behind = {each.id: sum(self._weight(v) * v.value for v in each.votes) for each in ranked}
        ranked.sort(key=lambda each: (each.vetoed, -each.score, -behind[each.id]))
        first = next((each for each in ranked if each.passing and not each.vetoed), None)
        against = (
            () if first is None else tuple(v for v in first.votes if v.kind in ("reject", "veto") or v.value < 0.5)
        )
        return VotingResult(tuple(ranked), self.strategy, len(voters), self._shared(), against)

    def _open(self) -> None:
        if self._closed:
            raise Conflict("voting_complete", "the vote was counted")

    def _answer(self, target: str) -> str:
        if target in self._texts:
            return target
        by_author = [answer for answer, author in self._authors.items() if author == target and author]
        if len(by_author) != 1:
            raise Invalid("answer_not_found", f"no answer {target!r:.60}, and no agent with exactly one answer")
        return by_author[0]

    def _weight(self, vote: Vote) -> float:
        return self._weights.get(vote.voter, 1.0)

    def _ranked(self, answer: str, votes: Sequence[Vote], score: float) -> Ranked:
        vetoed = any(vote.kind == "veto" for vote in votes)
        counted = [vote for vote in votes if self._weight(vote)]
        passing = bool(counted) and not vetoed and score >= self.min_score
        if self.strategy == "majority":
            passing = passing and score > 0.5
        return Ranked(answer, self._authors[answer], 0.0 if vetoed else score, passing, vetoed, tuple(votes))

    def _scores(self, by_answer: Mapping[str, Sequence[Vote]]) -> dict[str, float]:
        if self.strategy in RANKED:
            return self._by_rank(by_answer)
        count: Any = {"majority": self._majority, "weighted_average": self._average,
                      "highest_score": self._highest, "consensus": self._consensus}[self.strategy]  # fmt: skip
        counted = {a: [v for v in votes if self._weight(v)] for a, votes in by_answer.items()}
        return {answer: count(votes) if votes else NO_VOTES for answer, votes in counted.items()}

    def _majority(self, votes: Sequence[Vote]) -> float:
        """Share of the weight that is for it; who abstains is in neither part."""
        told = [vote for vote in votes if vote.kind != "abstain"]
        total = sum(map(self._weight, told))
        return sum(self._weight(v) for v in told if v.value >= 0.5) / total if total else NO_VOTES

    def _average(self, votes: Sequence[Vote]) -> float:
        total = sum(self._weight(v) * v.confidence for v in votes)
        return sum(self._weight(v) * v.confidence * v.value for v in votes) / total if total else NO_VOTES

    def _highest(self, votes: Sequence[Vote]) -> float:
        return max(vote.value for vote in votes)

    def _consensus(self, votes: Sequence[Vote]) -> float:
        return float(all(v.kind == "abstain" or v.value >= ranking.AGREES for v in votes))

    def _by_rank(self, by_answer: Mapping[str, Sequence[Vote]]) -> dict[str, float]:
        """Each voter's values as an order of the answers; the place among all as a score from 1 to 0."""
        orders: dict[str, dict[str, float]] = {}
        vetoed = {a for a, votes in by_answer.items() if any(v.kind == "veto" for v in votes)}
        for answer, votes in by_answer.items():
            for vote in votes:
                if answer not in vetoed:  # somebody who cannot win takes nobody's place
                    orders.setdefault(vote.voter, {})[answer] = vote.value
        ballots = [_ballot(voter, values, self._weights.get(voter, 1.0)) for voter, values in orders.items()]
        standing = [answer for answer in by_answer if answer not in vetoed]
        if not standing or not any(ballot.weight for ballot in ballots):
            return dict.fromkeys(by_answer, NO_VOTES)
        groups = ranking.vote(ballots, self.strategy, standing).groups
        below = max(len(groups) - 1, 1)
        return {**dict.fromkeys(vetoed, 0.0), **{a: 1 - i / below for i, group in enumerate(groups) for a in group}}

    def _shared(self) -> tuple[Claim, ...]:
        from remit.teams.coordination.claims import agreement  # only a vote with texts has claims

        texts = {self._authors[a] or a: text for a, text in self._texts.items() if text}
        if len(texts) < 2:
            return ()
        return tuple(c for c in agreement(texts).claims if len(c.supporters) > 1 and not c.opponents)


def _ballot(voter: str, values: Mapping[str, float], weight: float) -> Ballot:
    groups: dict[float, list[str]] = {}
    for answer, value in values.items():
        groups.setdefault(value, []).append(answer)
    order = tuple(tuple(groups[value]) for value in sorted(groups, reverse=True))
    return Ballot(order, weight, voter)
