"""Partial results: one an agent, the last one counts, and what is left out when there are too many."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.partial import MAX_PARTIALS, PartialResult, Partials, as_json


def test_the_last_one_of_an_agent_counts() -> None:
    """It replaces the one before, and is the newest."""
    found = Partials()
    found.put(PartialResult("a", 1, 0.1), PartialResult("b", 2, 0.2), PartialResult("a", 3, 1.0, True))
    assert found.all() == (PartialResult("b", 2, 0.2), PartialResult("a", 3, 1.0, True))
    assert found.trimmed == 0


def test_incomplete_ones_are_left_out_first() -> None:
    """The least complete, the oldest among equals; complete ones only when there are no others."""
    found = Partials(limit=3)
    found.put(*[PartialResult(name, name, share, whole) for name, share, whole in
                [("w", 1.0, True), ("half", 0.5, False), ("old", 0.1, False), ("new", 0.1, False)]])  # fmt: skip
    assert [each.agent for each in found.all()] == ["w", "half", "new"]
    found.put(PartialResult("x", 0, 1.0, True), PartialResult("y", 0, 1.0, True))
    assert [each.agent for each in found.all()] == ["w", "x", "y"]
    found.put(PartialResult("late", 0, 0.9))
    assert [each.agent for each in found.all()] == ["w", "x", "y"]
    found.put(PartialResult("z", 0, 1.0, True))
    assert [each.agent for each in found.all()] == ["x", "y", "z"]
    assert found.trimmed == 5


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1), st.booleans()), max_size=400))
def test_the_number_is_bounded_and_whole_results_outlast_others(given_: list[tuple[int, float, bool]]) -> None:
    """At most 100, no agent twice; nothing complete is left out while something incomplete is kept."""
    found = Partials()
    newest: dict[str, PartialResult] = {}
    for name, share, whole in given_:
        made = PartialResult(str(name), None, share, whole)
        newest[made.agent] = made
        found.put(made)
    kept = found.all()
    assert len(kept) == len({each.agent for each in kept}) <= MAX_PARTIALS
    assert all(newest[each.agent] == each for each in kept)
    if any(not each.is_complete for each in kept):
        assert found.trimmed == 0 or sum(each.is_complete for each in kept) < MAX_PARTIALS


def test_what_is_no_json_is_shown_as_text() -> None:
    """The journal takes JSON only; a partial result never keeps a run from ending."""

    def convert(value: Any) -> Any:
        if isinstance(value, complex):
            raise TypeError
        return value

    found = as_json([PartialResult("a", 1j, 0.5), PartialResult("b", [1], 1.0, True)], convert)
    assert found == (
        {"agent": "a", "data": "1j", "completion": 0.5, "is_complete": False},
        {"agent": "b", "data": [1], "completion": 1.0, "is_complete": True},
    )
