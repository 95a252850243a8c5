"""Counting ballots: instant run-off, Borda, Schulze, majority, averages, consensus, each its own algorithm.

A `Ranking` is the tuple of candidates, best first, with what led to it. Candidates that a method leaves equal share a
group in `groups`; within the tuple they stand in the order of `TIES`, which is the same for every run and machine.

Source: Schulze, "A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent single-winner
election method", Social Choice and Welfare 36 (2011), winning votes; de Borda (1784), ties and omissions share their
points; instant run-off with ties for elimination broken backwards (the round before, and so on), then by Borda.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from msgspec import structs

from remit.errors import Invalid
from remit.teams.coordination.ballots import Ballot, as_ballots

AGREES: Final = 0.8  # a score from here on is agreement; Source: spec/teams.md 6
AVERAGES: Final = frozenset(["weighted_average", "highest_score", "consensus"])  # no weight in their scores
TIES: Final = "first the candidate with more Borda points, then the one whose name comes first"


Counter = Callable[[Sequence[Ballot], list[str]], "Ranking"]


class Ranking(tuple[str, ...]):
    """Candidates, best first. `groups` are the real places; `scores` what the method counted; `rounds` run-offs."""

    method: str
    groups: tuple[tuple[str, ...], ...]
    scores: dict[str, float]
    rounds: tuple[dict[str, float], ...]

    @property
    def winner(self) -> str:
        """The first candidate."""
        return self[0]

    @property
    def tied(self) -> bool:
        """Whether the first place is shared, and `TIES` decided."""
        return len(self.groups[0]) > 1


def vote(ballots: Iterable[Any], method: str = "schulze", candidates: Sequence[str] | None = None) -> Ranking:
    """The candidates in the order that the ballots give them.

    Args:
        ballots: see ballots.py.
        method: schulze (condorcet) | irv (ranked_choice) | borda | majority (first choices) | weighted_average |
            highest_score | consensus (1 where every voter gives at least .8, else 0).
        candidates: who stands; None = everybody whom a ballot names.

    Raises:
        Invalid: vote_invalid (a ballot, or the method), no_answers, answer_not_found.
    """
    method = method.lower().replace("-", "_")
    count = METHODS.get(method)
    if count is None:
        raise Invalid("vote_invalid", f"no method {method!r:.40}; one of {', '.join(sorted(METHODS))}")
    cast, standing = as_ballots(ballots, candidates)
    whole, unit = _in_units([ballot for ballot in cast if ballot.weight])
    found = count(whole, standing)
    if unit != 1 and method not in AVERAGES:
        found.scores = {c: float(score / unit) for c, score in found.scores.items()}
        found.rounds = tuple({c: float(n / unit) for c, n in counts.items()} for counts in found.rounds)
    return found


def _in_units(ballots: list[Ballot]) -> tuple[list[Ballot], int]:
    """The ballots with whole weights, and what 1 became: sums are exact, so the order of ballots cannot matter."""
    if all(ballot.weight == 1 for ballot in ballots):
        return [structs.replace(ballot, weight=1) for ballot in ballots], 1
    exact = [Fraction(repr(ballot.weight)) for ballot in ballots]  # as it was written: .1 and .2 are .3
    unit = math.lcm(*(each.denominator for each in exact))
    return [structs.replace(b, weight=int(each * unit)) for b, each in zip(ballots, exact, strict=True)], unit


def borda_points(ballots: Sequence[Ballot], standing: Sequence[str]) -> dict[str, float]:
    """n-1 points for the first of n places, down to 0; a tie, and all who are left out, share theirs."""
    points: dict[str, float] = dict.fromkeys(standing, 0)
    for ballot in ballots:
        at = 0
        for group in _whole(ballot, standing):
            twice = 2 * (len(standing) - 1 - at) - (len(group) - 1)
            for candidate in group:
                points[candidate] += twice * ballot.weight
            at += len(group)
    return {candidate: twice / 2 for candidate, twice in points.items()}


def _borda(ballots: Sequence[Ballot], standing: list[str]) -> Ranking:
    points = borda_points(ballots, standing)
    return _ranking("borda", _grouped(standing, points), points)


def _schulze(ballots: Sequence[Ballot], standing: list[str]) -> Ranking:
    beats = _pairwise(ballots, standing)
    n = range(len(standing))
    path = [[beats[a][b] if beats[a][b] > beats[b][a] else 0.0 for b in n] for a in n]
    for via in n:
        through = path[via]
        for a in n:
            first, row = path[a][via], path[a]
            if a == via or not first:
                continue
            for b in n:
                reach = first if first < through[b] else through[b]
                if reach > row[b] and a != b:
                    row[b] = reach
    wins = {standing[a]: float(sum(path[a][b] > path[b][a] for b in n)) for a in n}
    return _ranking("schulze", _layers(standing, path), wins, ballots)


def _majority(ballots: Sequence[Ballot], standing: list[str]) -> Ranking:
    counts = _first_choices(ballots, standing)
    return _ranking("majority", _grouped(standing, counts), counts, ballots)


def _scored(method: str, of: Callable[[list[tuple[float, float]]], float]) -> Counter:
    """A method that asks only what each candidate was given; `of` = the (weight, score) pairs -> its score."""

    def count(ballots: Sequence[Ballot], standing: list[str]) -> Ranking:
        given: dict[str, list[tuple[float, float]]] = {c: [] for c in standing}
        for ballot in ballots:
            for candidate, value in ballot.values().items():
                given[candidate].append((ballot.weight, value))
        scores = {c: of(pairs) if pairs else 0.0 for c, pairs in given.items()}
        return _ranking(method, _grouped(standing, scores), scores, ballots)

    return count


def _average(pairs: list[tuple[float, float]]) -> float:
    return sum(w * v for w, v in pairs) / sum(w for w, _ in pairs)


def _highest(pairs: list[tuple[float, float]]) -> float:
    return max(v for _, v in pairs)


def _unanimous(pairs: list[tuple[float, float]]) -> float:
    return float(all(v >= AGREES for _, v in pairs))


def _layers(standing: list[str], path: list[list[float]]) -> list[list[str]]:
    """Places: who is beaten by nobody that is left, again and again (the relation is transitive)."""
    left, groups = list(range(len(standing))), []
    while left:
        top = [a for a in left if not any(path[b][a] > path[a][b] for b in left)]
        groups.append([standing[a] for a in top])
        left = [a for a in left if a not in top]
    return groups


def _irv(ballots: Sequence[Ballot], standing: list[str]) -> Ranking:
    borda = borda_points(ballots, standing)
    left, out, rounds = list(standing), [], []
    while left:
        counts = _first_choices(ballots, left)
        rounds.append(counts)
        last = _last(left, rounds, borda)
        left.remove(last)
        out.append(last)
    found = _ranking("irv", [[c] for c in reversed(out)], rounds[0])
    found.rounds = tuple(rounds)
    return found


def _first_choices(ballots: Sequence[Ballot], left: Sequence[str]) -> dict[str, float]:
    """Votes of a round; a ballot that ties several at its top is shared, one that names none of them is exhausted."""
    counts: dict[str, Any] = dict.fromkeys(left, 0)
    for ballot in ballots:
        for group in ballot.order:
            top = [c for c in group if c in counts]
            if top:
                for candidate in top:
                    counts[candidate] += ballot.weight if len(top) == 1 else Fraction(int(ballot.weight), len(top))
                break
    return counts


def _last(left: Sequence[str], rounds: Sequence[dict[str, float]], borda: dict[str, float]) -> str:
    """Who goes out: the fewest votes; tied ones by the rounds before, backwards, then Borda, then the later name."""
    tied = list(left)
    for counts in reversed(rounds):
        fewest = min(counts[c] for c in tied)
        tied = [c for c in tied if _same(counts[c], fewest)]
        if len(tied) == 1:
            return tied[0]
    return max(tied, key=lambda c: (-borda[c], c))


def _pairwise(ballots: Sequence[Ballot], standing: Sequence[str]) -> list[list[float]]:
    """[a][b]: the weight of the ballots that put a before b."""
    index = {c: i for i, c in enumerate(standing)}
    beats: list[list[float]] = [[0] * len(standing) for _ in standing]
    for ballot in ballots:
        below: list[int] = []
        for group in reversed(_whole(ballot, standing)):
            here = [index[c] for c in group]
            for a in here:
                row = beats[a]
                for b in below:
                    row[b] += ballot.weight
            below += here
    return beats


def _whole(ballot: Ballot, standing: Sequence[str]) -> list[tuple[str, ...]]:
    """The ballot's groups, with those whom it leaves out as the last one."""
    named = {c for group in ballot.order for c in group}
    rest = tuple(c for c in standing if c not in named)
    return [*ballot.order, rest] if rest else list(ballot.order)


def _grouped(standing: Sequence[str], scores: dict[str, float]) -> list[list[str]]:
    groups: list[list[str]] = []
    for candidate in sorted(standing, key=lambda c: (-scores[c], c)):
        if groups and _same(scores[groups[-1][0]], scores[candidate]):
            groups[-1].append(candidate)
        else:
            groups.append([candidate])
    return groups


def _ranking(
    method: str, groups: Sequence[Sequence[str]], scores: dict[str, float], ballots: Sequence[Ballot] = ()
) -> Ranking:
    standing = [c for group in groups for c in group]
    borda = borda_points(ballots, standing) if ballots else dict.fromkeys(standing, 0.0)
    places = tuple(tuple(sorted(group, key=lambda c: (-borda[c], c))) for group in groups)
    found = Ranking(c for group in places for c in group)
    found.method, found.groups, found.scores, found.rounds = method, places, scores, ()
    return found


def _same(a: float, b: float) -> bool:
    """Equal but for the rounding of shared fractions."""
    return abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))


METHODS: Final[dict[str, Counter]] = {
    "schulze": _schulze,
    "condorcet": _schulze,
    "irv": _irv,
    "instant_runoff": _irv,
    "ranked_choice": _irv,
    "borda": _borda,
    "majority": _majority,
    "weighted_average": _scored("weighted_average", _average),
    "highest_score": _scored("highest_score", _highest),
    "consensus": _scored("consensus", _unanimous),
}
