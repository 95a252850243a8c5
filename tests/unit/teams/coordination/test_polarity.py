"""Denials by scope, words that changed places, wordings that deny."""

from __future__ import annotations

import pytest

import remit
from remit.teams.coordination.polarity import against, direction, exchanged, polarities
from remit.teams.coordination.quantities import crossed, ends, quantities
from remit.teams.coordination.similarity import Text
from remit.teams.coordination.wording import plain_wording


@pytest.mark.parametrize(
    ("a", "b", "denied"),
    [
        ("Dogs are not allowed here.", "Dogs are forbidden here.", False),
        ("Dogs are allowed here.", "Dogs are forbidden here.", True),
        ("It is legal.", "It is illegal.", True),
        ("The coating is harmless.", "The coating does no harm.", False),
        ("The gate isn't open.", "The gate is open.", True),
    ],
)
def test_a_word_is_denied_by_what_stands_before_it_or_by_its_opposite(a: str, b: str, denied: bool) -> None:
    """Negations have a scope; the opposite of a word is the word denied."""
    first, second = Text(a).tokens, Text(b).tokens
    assert (against(polarities(first, second), polarities(second, first)) > 0) is denied


@pytest.mark.parametrize(
    ("a", "b", "changed"),
    [
        ("Nora pays the bank in cash.", "The bank pays Nora in cash.", True),
        ("Nora pays the bank.", "The bank is paid by Nora.", False),
        ("Tea, not coffee.", "Coffee, not tea.", True),
        ("Eat, then sleep.", "Sleep, then eat.", True),
        ("On Monday the shop opens.", "The shop opens on Monday.", False),
        ("One.", "One.", False), ("", "", False), ("Nora.", "Bank.", False),
    ],
)  # fmt: skip
def test_sides_that_changed_places(a: str, b: str, changed: bool) -> None:
    """Who does what to whom is another claim when the sides change places; a passive and a moved adverb are not."""
    assert exchanged(Text(a).tokens, Text(b).tokens) is changed


def test_directions_and_ends() -> None:
    """Less for more, and from and to changed over."""
    assert direction(Text("It needs more salt.").tokens, Text("It needs less salt.").tokens)
    assert not direction(Text("It needs more salt.").tokens, Text("More salt is needed.").tokens)
    up, down = "from 3 to 40", "from 40 to 3"
    assert crossed(ends(up), ends(down), quantities(down))
    assert not crossed(ends(up), ends("to 40, from 3"), quantities("to 40, from 3"))


def test_phrases_that_deny() -> None:
    """They become one plain word."""
    assert plain_wording("It isn\u2019t free of errors, it failed to start, nobody but Ann can't.") == (
        "It is not no errors, it not start, only Ann can not."
    )
    assert plain_wording("It is illegal for a minor to drive.") == "It is not drive."


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("The plant makes 1.2 terawatt hours.", "The plant makes 1,200 GWh."),
        ("It flies at 17 kilometres per second.", "It flies at 17,000 m/s."),
        ("Prices doubled.", "Prices grew 2 times."), ("One percent of calls fail.", "1% of calls fail."),
        ("Between one and four people came.", "Between 1 and 4 people came."),
    ],
)  # fmt: skip
def test_more_ways_to_write_amounts(a: str, b: str) -> None:
    """Energy, speed, factors and lone number words."""
    said = [q for q in Text(a).numbers if q.value != 1.0 or q.unit]
    assert said
    assert all(any(q.agrees(other) for other in Text(b).numbers) for q in said)
    assert remit.novelty(a, b) < 0.5
