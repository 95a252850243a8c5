"""Ballots: one voter's order of the candidates, read strictly from what people write.

    "A"                       one choice
    ["A", "B", "C"]           best first; an inner list or set is a tie: ["A", ["B", "C"]]
    {"A": 0.9, "B": 0.2}      scores, higher is better; equal scores are a tie
    Ballot(order, weight, voter)

A candidate that a ballot leaves out stands below all it names, tied with the others that it leaves out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from remit.errors import Invalid

MAX_BALLOTS: Final = 1_000_000
MAX_CANDIDATES: Final = 256
MAX_WEIGHT: Final = 1e15


class Ballot(Struct, frozen=True):
    """One voter's order."""

    order: tuple[tuple[str, ...], ...]
    """groups of candidates, best first; a group is a tie"""
    weight: float = 1.0
    """how much it counts; 0 = not at all"""
    voter: str = ""
    scores: dict[str, float] | None = None
    """what the voter gave each candidate, where it gave scores"""

    def values(self) -> dict[str, float]:
        """Candidate -> score: the voter's own, or its place as a number from 1 (first) to 0 (last)."""
        if self.scores is not None:
            return self.scores
        below = max(len(self.order) - 1, 1)
        return {c: 1 - at / below for at, group in enumerate(self.order) for c in group}


def as_ballot(given: Any) -> Ballot:
    """One ballot; raises vote_invalid."""
    weight: Any
    if isinstance(given, Ballot):
        order, weight, voter, scores = given.order, given.weight, given.voter, given.scores
    else:
        order, weight, voter = _order(given), 1.0, ""
        scores = {str(c): float(v) for c, v in given.items()} if isinstance(given, Mapping) else None
    if not isinstance(weight, int | float) or not 0 <= weight <= MAX_WEIGHT:
        raise _invalid(f"the weight of a ballot is {weight!r:.40}; a number from 0 to 1e15 is needed")
    seen = [c for group in order for c in group]
    if len(set(seen)) != len(seen):
        raise _invalid("a ballot names a candidate twice")
    if not seen:
        raise _invalid("a ballot names nobody")
    return Ballot(order, weight, voter, scores)


def as_ballots(given: Iterable[Any], candidates: Sequence[str] | None = None) -> tuple[list[Ballot], list[str]]:
    """(ballots, candidates in order of their names); raises vote_invalid, no_answers.

    Args:
        candidates: who stands; None = everybody whom a ballot names.
    """
    ballots: list[Ballot] = []
    for each in given:
        if len(ballots) >= MAX_BALLOTS:
            raise _invalid(f"more than {MAX_BALLOTS} ballots")
        ballots.append(as_ballot(each))
    named = {c for ballot in ballots for group in ballot.order for c in group}
    standing = named if candidates is None else set(candidates)
    if named - standing:
        raise Invalid("answer_not_found", f"a ballot names {sorted(named - standing)[0]!r:.60}, who does not stand")
    if not standing:
        raise Invalid("no_answers", "there is nobody to vote for")
    if len(standing) > MAX_CANDIDATES:
        raise _invalid(f"{len(standing)} candidates; at most {MAX_CANDIDATES}")
    return ballots, sorted(standing)


def _order(given: Any) -> tuple[tuple[str, ...], ...]:
    if isinstance(given, str):
        return ((_name(given),),)
    if isinstance(given, Mapping):
        return _by_score(given)
    if isinstance(given, Sequence):
        return tuple(_group(each) for each in given)
    raise _invalid(f"a ballot is a name, a list of names or a mapping of scores, not {type(given).__name__}")


def _by_score(given: Mapping[Any, Any]) -> tuple[tuple[str, ...], ...]:
    groups: dict[float, list[str]] = {}
    for name, score in given.items():
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise _invalid(f"the score of {name!r:.40} is {score!r:.40}; a number is needed")
        groups.setdefault(float(score), []).append(_name(name))
    return tuple(tuple(sorted(groups[score])) for score in sorted(groups, reverse=True))


def _group(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (_name(given),)
    if isinstance(given, list | tuple | set | frozenset) and given:
        return tuple(sorted(_name(each) for each in given))
    raise _invalid(f"a place of a ballot is a name or a tie of names, not {given!r:.40}")


def _name(given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise _invalid(f"a candidate is a text, not {given!r:.40}")
    return given


def _invalid(why: str) -> Invalid:
    return Invalid("vote_invalid", why)
