"""Novelty by meaning: what an embedder is asked for, how its answers are checked and put on one scale."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import pytest

import remit
from remit import Invalid
from remit.teams.coordination.meanings import ANCHORS, cosine, meaning, parts, rest, scale_of
from remit.teams.coordination.novelty import NoveltyTracker

A = "The minister resigned on Friday."
B = "On Friday the minister stepped down."


class Words:
    """Vectors of words, the first letters of each; with something that all texts have where `shift` is not 0."""

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(tuple(texts))
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        found = [0.0] * 512
        for word in text.lower().split():
            found[1 + zlib.crc32(word.strip(".,")[:4].encode()) % 511] += 1
        found[0] = self.shift * math.hypot(*found)
        return found


def test_one_call_a_pair_and_the_scale_once() -> None:
    """The first pair also measures the embedder; further ones ask for the pair and what each says alone."""
    embed = Words()
    meaning(A, B, embed)
    meaning(A, B, embed)
    assert [len(asked) for asked in embed.asked] == [10, 4]
    assert embed.asked[1] == (A, B, "stepped down", "resigned on")
    assert sorted(parts(A, B)) == sorted([*embed.asked[1], *ANCHORS])
    low, high = scale_of(embed)
    assert low < high
    assert len(embed.asked) == 2


def test_an_embedder_of_which_all_is_near_is_put_on_the_same_scale() -> None:
    """What all vectors have in common says nothing."""
    plain, shifted = Words(), Words(2.0)
    far = "Whales sing across whole oceans."
    for embed in (plain, shifted):
        assert meaning(A, B, embed).whole > meaning(A, far, embed).whole + 0.2
    raw = shifted((A, far))
    assert cosine(*raw) > 0.7
    assert meaning(A, far, shifted).whole < 0.1


def test_a_table_that_knows_the_two_texts_is_enough() -> None:
    """A table made beforehand may lack the parts; another error of an embedder comes through."""
    known = dict(zip((A, B), Words()((A, B)), strict=True))

    def table(texts: Sequence[str]) -> list[list[float]]:
        if any(text not in known for text in texts):
            raise Invalid("value_invalid", "no vector was made of it")
        return [known[text] for text in texts]

    found = meaning(A, B, table)
    assert (found.whole > 0.5, found.new, found.old) == (True, None, None)
    assert 0 <= remit.novelty(A, B, embed=table) <= 1
    with pytest.raises(Invalid, match="no vector"):
        remit.novelty(A, "Else.", embed=table)

    def broken(texts: Sequence[str]) -> list[list[float]]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        remit.novelty(A, B, embed=broken)


@pytest.mark.parametrize("bad", [[], [[1.0]], [[]] * 10, [[1.0], [1.0, 2.0]] * 5, [[math.nan]] * 10, [[math.inf]] * 10])
def test_what_is_no_row_of_vectors_is_refused(bad: list[list[float]]) -> None:
    """Another count, another length, nothing in it, or values that are no finite numbers."""
    with pytest.raises(Invalid, match="the embedder made") as caught:
        remit.novelty(A, B, embed=lambda texts: bad)
    assert caught.value.code == "value_invalid"
    with pytest.raises(Invalid, match="the embedder made"):
        NoveltyTracker(embed=lambda texts: bad).add("ada", A)


def test_zero_vectors_and_an_embedder_that_tells_nothing_apart() -> None:
    """Vectors without a length are near nothing, equal ones near everything; neither is an error."""
    for vector in ([0.0, 0.0], [1.0, 1.0], [1e308, 1e308]):
        assert 0 <= remit.novelty(A, B, embed=lambda texts, v=vector: [v] * len(texts)) <= 1


def test_long_texts_are_bounded() -> None:
    """A megabyte is cut before it is compared, and of long texts no parts are asked for."""
    embed = Words()
    long = " ".join(f"word{n % 977} stands here" for n in range(60_000))
    assert remit.novelty(long, long + " more", embed=embed) < 0.2
    assert max(len(text) for asked in embed.asked for text in asked) <= 100_000
    assert [len(asked) for asked in embed.asked] == [2 + len(ANCHORS)]
    assert len(rest(long, "").split()) <= 400


def test_a_text_without_words() -> None:
    """It has no words of its own; all beside it is new, and it is itself less so."""
    assert rest("", A) == rest("?!", A) == ""
    for nothing in ("", "?!"):
        assert 0.5 < remit.novelty(nothing, A, embed=Words()) <= 1
        assert 0 <= remit.novelty(A, nothing, embed=Words()) < remit.novelty(nothing, A, embed=Words())


def test_the_tracker_judges_with_parts() -> None:
    """With an embedder the answers nearest by their vectors are compared part by part, as novelty does."""
    embed = Words()
    tracker = NoveltyTracker(embed=embed)
    for n, text in enumerate([A, "Whales sing.", "Bread is baked at dawn.", "Steel rusts in salt water."]):
        tracker.add(f"agent {n}", text)
    found = tracker.judge(B)
    assert found.most_similar is not None
    assert found.most_similar.agent == "agent 0"
    assert found.score == pytest.approx(remit.novelty(A, B, embed=embed), abs=0.2)
