"""Counting ballots: published elections, an independent brute force, and what each method promises."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import remit
from remit import Conflict, Denied, Exhausted, Invalid
from remit.teams.coordination.ballots import Ballot
from remit.teams.coordination.voting import STRATEGIES, Vote, Voting
from simulation.votes import check

ORDERS = st.lists(st.permutations("abcd"), min_size=1, max_size=9)
RANKED = ("schulze", "irv", "borda")


def cast(text: str) -> list[Ballot]:
    """Ballots of "5 ACBED, 5 ADECB": weight, then candidates by their letters."""
    return [Ballot(tuple((c,) for c in order), float(n)) for n, order in (part.split() for part in text.split(","))]


SCHULZE = cast("5 ACBED, 5 ADECB, 8 BEDAC, 3 CABED, 7 CAEBD, 2 CBADE, 7 DCEBA, 8 EBADC")
TENNESSEE = cast("42 MNCK, 26 NCKM, 15 CKNM, 17 KCNM")


def test_published_elections() -> None:
    """Schulze (2011), example 1: E, A, C, B, D. Tennessee: Nashville, but Knoxville by run-off."""
    assert "".join(remit.vote(SCHULZE, "schulze")) == "EACBD"
    assert remit.vote(TENNESSEE, "schulze").winner == "N"
    assert remit.vote(TENNESSEE, "irv").winner == "K"
    borda = remit.vote(TENNESSEE, "borda")
    assert borda.winner == "N"
    assert borda.scores == {"M": 126.0, "N": 194.0, "C": 173.0, "K": 107.0}
    assert remit.vote(TENNESSEE, "majority").winner == "M"


@pytest.mark.parametrize("seed", range(150))
def test_a_brute_force_agrees(seed: int) -> None:
    """Small count of tests/simulation/votes.py."""
    assert check(seed) == []


@settings(max_examples=60, deadline=None)
@given(ORDERS, st.randoms(use_true_random=False))
def test_neither_order_nor_names_nor_absent_voters_count(orders: list[Any], dice: Any) -> None:
    """Shuffled ballots, fractions of weights, renamed candidates and ballots of weight 0 change nothing."""
    weights = [dice.choice([0.1, 0.2, 0.3, 1.0]) for _ in orders]
    ballots = [Ballot(tuple((c,) for c in order), w) for order, w in zip(orders, weights, strict=True)]
    mixed = [*ballots, Ballot((("d",), ("c",)), 0.0)]
    dice.shuffle(mixed)
    other = {"a": "c", "b": "d", "c": "a", "d": "b"}
    renamed = [Ballot(tuple((other[c],) for (c,) in b.order), b.weight) for b in ballots]
    for method in RANKED:
        found = remit.vote(ballots, method)
        again = remit.vote(mixed, method)
        assert (again.groups, again.scores) == (found.groups, found.scores)
        if not found.tied and method != "irv":
            assert remit.vote(renamed, method).winner == other[found.winner]


@settings(max_examples=60, deadline=None)
@given(ORDERS)
def test_schulze_and_borda_keep_their_promises(orders: list[Any]) -> None:
    """A Condorcet winner wins by Schulze; to be raised on one ballot never harms a winner; clones change no winner."""
    ballots = [list(order) for order in orders]
    found = remit.vote(ballots, "schulze")
    for c in "abcd":
        if all(2 * sum(b.index(c) < b.index(o) for b in ballots) > len(ballots) for o in "abcd" if o != c):
            assert found.groups[0] == (c,)
    for method in ("schulze", "borda"):
        before = remit.vote(ballots, method)
        best = before.winner
        raised = [[best, *(c for c in ballots[0] if c != best)], *ballots[1:]]
        assert best in remit.vote(raised, method).groups[0]
    cloned = [list(itertools.chain.from_iterable(("d", "e") if c == "d" else (c,) for c in b)) for b in ballots]
    for method in ("schulze", "irv"):
        plain, more = remit.vote(ballots, method), remit.vote(cloned, method)
        if method == "schulze":
            assert {c for c in more.groups[0] if c != "e"} | ({"d"} if "e" in more.groups[0] else set()) == set(
                plain.groups[0]
            )


def test_clones_do_not_split_a_run_off() -> None:
    """Two clones of the winner share its first choices, and one of them still wins."""
    assert remit.vote([*["xyb"] * 0, *[["x", "y", "b"]] * 3, *[["y", "x", "b"]] * 3, *[["b", "x", "y"]] * 5],
                      "irv").winner in "xy"  # fmt: skip


@pytest.mark.parametrize("bad", [[], [7], [["a", "a"]], {"a": "x"}, [["a"], ["b", 3]], Ballot((("a",),), -1.0)])
def test_bad_ballots_are_refused(bad: Any) -> None:
    """What is no ballot says why."""
    with pytest.raises(Invalid) as caught:
        remit.vote([bad])
    assert caught.value.code == "vote_invalid"
    assert [_code(lambda: remit.vote([])), _code(lambda: remit.vote(["a"], "luck"))] == ["no_answers", "vote_invalid"]
    assert _code(lambda: remit.vote(["a"], candidates=["b"])) == "answer_not_found"


def _code(call: Any) -> str:
    with pytest.raises(remit.RemitError) as caught:
        call()
    return caught.value.code


def opened(strategy: str = "weighted_average", **options: Any) -> Voting:
    """A vote on two answers."""
    voting = Voting(strategy, **options)
    voting.add_answer("one", "Use Postgres. It scales.", author="ada")
    return voting.add_answer("two", "Use Postgres. It is cheap.", author="bob")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_vetoed_answer_cannot_win(strategy: str) -> None:
    """Under every strategy the vetoed answer scores 0, stands last and does not win."""
    voting = opened(strategy)
    for voter in ("cleo", "dan"):
        voting.cast(Vote(voter, "one"))
        voting.cast(Vote(voter, "two", "score", 0.9))
    voting.cast(Vote("strategic_director", "ada", "veto"))
    result = voting.close()
    assert [(each.id, each.score) for each in result.vetoed] == [("one", 0.0)]
    winner = result.winner()
    assert winner is not None
    assert (winner.id, result.ranked[-1].id) == ("two", "one")


def test_the_weighted_average_and_its_defaults() -> None:
    """A later vote replaces; weight 0 is absent, for the quorum too; an answer without votes has .5 and fails."""
    voting = opened().set_weight("cleo", 3).set_weight("ghost", 0)
    voting.cast(Vote("cleo", "one", "reject", reasoning="slow"))
    voting.cast(Vote("cleo", "one", "score", 0.8, confidence=0.5))
    voting.cast(Vote("ghost", "one", "reject", reasoning="no"))
    assert _code(voting.close) == "quorum_not_reached"
    voting.cast(Vote("dan", "one", "abstain"))
    result = voting.close()
    assert result.ranked[0].score == pytest.approx((3 * 0.5 * 0.8 + 0.5) / (1.5 + 1))
    assert (result.ranked[1].score, result.ranked[1].passing) == (0.5, False)
    assert [claim.text for claim in result.consensus_points] == ["Use Postgres."]
    assert set(result.consensus_points[0].supporters) == {"ada", "bob"}


def test_every_wrong_vote_has_its_error() -> None:
    """The errors of the specification, each by its code."""
    voting = opened(timeout_s=30)
    wrong = {
        Vote("ada", "one"): (Invalid, "vote_invalid"),
        Vote("ada", "ada"): (Invalid, "vote_invalid"),
        Vote("cleo", "three"): (Invalid, "answer_not_found"),
        Vote("cleo", "one", "reject"): (Invalid, "vote_invalid"),
        Vote("cleo", "one", "score", float("nan")): (Invalid, "vote_invalid"),
        Vote("cleo", "one", "veto"): (Denied, "unauthorized_veto"),
    }
    for vote, (kind, code) in wrong.items():
        with pytest.raises(kind) as caught:
            voting.cast(vote)
        assert caught.value.code == code
    with pytest.raises(Exhausted, match="after the time"):
        voting.cast(Vote("cleo", "one"), 31)
    assert _code(lambda: voting.close(31)) == "voting_timeout"
    assert _code(Voting().close) == "no_answers"
    done = opened(quorum=1)
    done.cast(Vote("cleo", "one"))
    done.close()
    with pytest.raises(Conflict) as caught:
        done.cast(Vote("cleo", "two"))
    assert caught.value.code == "voting_complete"
