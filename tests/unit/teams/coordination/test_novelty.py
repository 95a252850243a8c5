"""Novelty and agreement: the specification's examples."""

from __future__ import annotations

from pathlib import Path

import pytest

import remit
from remit import Invalid
from remit.teams.coordination.claims import agreement
from remit.teams.coordination.novelty import PRESETS, NoveltyTracker
from remit.teams.coordination.number_words import plain_numbers
from remit.teams.coordination.quantities import quantities

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("amount", ["$500,000", "500000 dollars", "0.5 million dollars", "$0.5M", "$505K"])
def test_one_amount_in_many_ways_is_not_new(amount: str) -> None:
    """The same sentence with the same amount, written otherwise, is a duplicate; ten times the amount is not."""
    said = "The budget for the launch is $500K."
    assert remit.novelty(said, f"The budget for the launch is {amount}.") == pytest.approx(0, abs=1e-6)
    assert remit.novelty(said, "The budget for the launch is $5M.") >= 0.3
    assert remit.novelty("a" * 9, "a" * 9) == 0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("It takes half an hour.", "It takes 30 minutes."), ("It takes an hour and a half.", "It takes 90 minutes."),
        ("A quarter of them left.", "25% of them left."), ("Nine out of ten people agree.", "90% of people agree."),
        ("It is 6.5 m wide.", "It is 650 cm wide."), ("The fee is 20 basis points.", "The fee is 0.2%."),
        ("Two thirds of the money is gone.", "66.7% of the money is gone."),
        ("It costs EUR 30m.", "It costs €30 million."),
    ],
)  # fmt: skip
def test_amounts_without_a_number_of_their_own(a: str, b: str) -> None:
    """Fractions, shares, mixed amounts, currency codes and short units are numbers like others."""
    first, second = (quantities(plain_numbers(text)) for text in (a, b))
    assert [(pytest.approx(q.value, rel=0.01), q.unit) for q in first] == [(q.value, q.unit) for q in second]


@pytest.mark.parametrize(
    ("earlier", "same", "other"),
    [
        ("Copper conducts better than iron.", "Iron is a worse conductor than copper.",
         "Iron conducts better than copper."),
        ("Rates rose from 3% to 40%.", "Rates went up to 40 percent, from 3.", "Rates fell from 40% to 3%."),
        ("The witness did not know him.", "He was not known to the witness.", "The witness did know him."),
        ("Delete the app, then install it.", "Install the app after you have deleted it.",
         "Delete the app, then install it; save your photos first, for they are kept on the phone."),
    ],
)  # fmt: skip
def test_words_alone_do_not_decide(earlier: str, same: str, other: str) -> None:
    """The same in other words is less new than another claim in the same words."""
    assert remit.novelty(earlier, same) < remit.novelty(earlier, other)
    assert remit.novelty(earlier, earlier) == 0


def test_the_labelled_sets() -> None:
    """The figures that bench/novelty.py prints, a little lower: what they reach cannot be lost unseen."""
    sets = {"fresh": 0.94, "final": 0.96, "kept": 0.9, "styles": 0.87, "mixed": 0.86, "second": 0.87}
    for name, least in sets.items():
        lines = (ROOT / "bench" / f"novelty_pairs_{name}.txt").read_text().splitlines()
        rows = [line.split("|") for line in lines]
        scores = [(label, remit.novelty(earlier, new)) for _, label, earlier, new in rows]
        same, new = ([s for label, s in scores if label == each] for each in "=+")
        assert len(same) == len(new) >= 50
        won = sum((a < b) + (a == b) / 2 for a in same for b in new)
        assert won / len(same) / len(new) > least, name


def test_another_subject_is_new() -> None:
    """Texts that have nothing in common are more likely to be new than not."""
    texts = (
        "The train to Oslo was late.",
        "Whales sing across oceans.",
        "Bread is baked at dawn.",
        "Use a queue here.",
    )
    for a in texts:
        for b in texts:
            assert a == b or remit.novelty(a, b) > 0.5


@pytest.mark.parametrize(("a", "b"), [(1, None), ("a", None), (b"a", "a"), (["a"], "a"), ("a", 2.5)])
def test_what_is_no_text_is_refused(a: object, b: object) -> None:
    """Before anything is compared, with what to give instead."""
    with pytest.raises(Invalid, match="no text") as caught:
        remit.novelty(a, b)  # type: ignore[arg-type]
    assert caught.value.code == "value_invalid"
    assert "str" in caught.value.hint
    with pytest.raises(Invalid, match="text is NoneType"):
        NoveltyTracker().add("ada", None)  # type: ignore[arg-type]


def test_the_same_beginning_tells_nothing_where_nothing_else_follows() -> None:
    """Of two texts that begin alike, the one that goes on with other words says something else."""
    earlier = "The old harbour of the town is closed."
    assert remit.novelty(earlier, "The old harbour of the town is shut.") < 0.3
    assert remit.novelty(earlier, "The old harbour of the town smells of herring and tar.") > 0.7


def test_units_count() -> None:
    """Values are in the base unit of their dimension; a year is a year."""
    assert [(q.value, q.unit) for q in quantities("2 hours, 120 min, 50%, in 2024")] == [
        (7200.0, "s"), (7200.0, "s"), (0.5, "ratio"), (2024.0, "year")]  # fmt: skip
    assert not quantities("2023")[0].agrees(quantities("2024")[0])
    assert not quantities("5 km")[0].agrees(quantities("5 kg")[0])


def test_the_tracker_says_what_is_new() -> None:
    """A repeated answer is not novel, names whom it repeats, and gets suggestions; a new one brings topics."""
    tracker = NoveltyTracker()
    first = tracker.add("ada", "Postgres handles concurrent writers with row locks.")
    assert (first.score, first.is_novel, first.most_similar, first.diversity) == (1.0, True, None, 1.0)
    again = tracker.add("bob", "Postgres handles concurrent writers with row locks!")
    assert not again.is_novel
    assert again.most_similar is not None
    assert again.most_similar.agent == "ada"
    assert again.suggestions
    assert again.diversity < 0.1
    third = tracker.judge("Postgres handles concurrent writers with row locks, again.")
    assert "row locks" in third.redundant_topics
    other = tracker.judge("Whales sing to one another across whole oceans.")
    assert other.is_novel
    assert other.new_topics
    assert other.coverage == 0.0


def test_presets() -> None:
    """The thresholds of the specification."""
    found = {name: (t.novelty, t.similarity, t.min_topics, t.tolerance) for name, t in PRESETS.items()}
    assert found == {"default": (0.3, 0.7, 2, 0.05), "strict": (0.5, 0.5, 3, 0.05), "lenient": (0.2, 0.8, 1, 0.05)}
    with pytest.raises(Invalid, match="preset"):
        NoveltyTracker("lax")


def test_agreement_is_on_claims_not_on_words() -> None:
    """Synonyms and units support a claim; a denial, an opposite or another figure opposes it."""
    assert agreement({"a": "Revenue grew 5%.", "b": "Sales rose by 5 percent."}).score == 1.0
    for other in ("Revenue did not grow 5%.", "Revenue fell 5%.", "Revenue grew 25%."):
        found = agreement({"a": "Revenue grew 5%.", "b": other})
        assert found.score == 0.0, other
        assert (found.claims[0].supporters, found.claims[0].opponents) == (("a",), ("b",))
    assert _code_of_nothing() == "no_answers"


def _code_of_nothing() -> str:
    with pytest.raises(Invalid) as caught:
        agreement({})
    return caught.value.code
