"""breaker.py, credentials.py and shown.py: states, rests, and streams that go on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.model import StreamReset, TextDelta
from remit.models.breaker import PRESETS, Breaker, BreakerRules
from remit.models.credentials import LIMITED_S, REFUSED_S, CredentialPool
from remit.models.shown import Continued
from remit.testing.clock import FakeClock


def test_a_breaker_opens_tries_and_closes() -> None:
    """Closed -> open after failures in a row -> half open after its time -> closed after successes; each is told."""
    clock, told = FakeClock(), []
    breaker = Breaker(BreakerRules(3, 2, 30.0, 1), clock, lambda before, after: told.append((before, after)))
    for _ in range(2):
        breaker.failure()
    breaker.success()
    for _ in range(3):
        assert breaker.allow()
        breaker.failure()
    assert (breaker.state_label(), breaker.failure_count(), breaker.allow()) == ("open", 3, False)
    clock.advance(30.0)
    assert breaker.allow() and not breaker.allow()  # one trial at a time
    breaker.success()
    assert breaker.state_label() == "half_open" and breaker.allow()
    breaker.success()
    assert (breaker.state_label(), breaker.failure_count()) == ("closed", 0)
    assert told == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]


def test_a_trial_that_fails_opens_again_and_a_cancelled_one_gives_its_place_back() -> None:
    """A failure while half open opens at once; a call that says nothing frees the trial."""
    clock = FakeClock()
    breaker = Breaker(PRESETS["strict"], clock)
    for _ in range(3):
        breaker.failure()
    clock.advance(60.0)
    assert breaker.allow()
    breaker.unknown()
    assert breaker.allow()
    breaker.failure()
    assert breaker.state_label() == "open"


@pytest.mark.parametrize(
    ("order", "taken"),
    [("fill_first", [0, 0, 0, 0]), ("round_robin", [0, 1, 2, 0]), ("least_used", [0, 1, 2, 0])],
)
def test_keys_are_taken_in_the_order_asked_for(order: Any, taken: list[int]) -> None:
    """Fill-first stays, round-robin and least-used go on."""
    pool = CredentialPool(3, FakeClock(), order)
    assert [pool.take() for _ in range(4)] == taken


def test_random_keys_follow_the_clocks_chance() -> None:
    """The same seed gives the same keys, and all of them come up."""
    first, again = (CredentialPool(3, FakeClock(seed=4), "random") for _ in range(2))
    taken = [first.take() for _ in range(50)]
    assert taken == [again.take() for _ in range(50)] and set(taken) == {0, 1, 2}


def test_a_limited_key_rests_an_hour_and_a_refused_one_a_day() -> None:
    """The next key is used meanwhile; none is left when all rest; other errors rest nothing."""
    clock = FakeClock()
    pool = CredentialPool(2, clock)
    assert not pool.failed(0, "model_server_error")
    assert pool.failed(0, "model_rate_limited") and pool.take() == 1
    assert pool.failed(1, "model_auth") and pool.take() is None
    clock.advance(LIMITED_S)
    assert pool.ready() == [0]
    clock.advance(REFUSED_S)
    assert pool.ready() == [0, 1]


def test_a_daily_quota_ends_with_the_utc_day() -> None:
    """Two calls a day and key; the next day there are two again."""
    clock = FakeClock()
    pool = CredentialPool(1, clock, daily_quota=2)
    assert [pool.take(), pool.take(), pool.take()] == [0, 0, None]
    clock.advance(86_400)
    assert pool.take() == 0


def screen(events: list[Any]) -> str:
    """What a user sees after these events."""
    text = ""
    for event in events:
        text = "" if type(event) is StreamReset else text + event.text
    return text


def play(attempts: list[list[str]]) -> list[Any]:
    """Attempts of one call, all but the last one dying after their pieces."""
    events: list[Any] = []
    shown = Continued(lambda _, event: events.append(event))
    for number, pieces in enumerate(attempts):
        for piece in pieces:
            shown(None, TextDelta(piece))
        if number < len(attempts) - 1:
            shown.again("cut")
    shown.ended("".join(attempts[-1]))
    return events


def test_the_same_text_goes_on_without_a_reset() -> None:
    """A second attempt that says the same continues: no reset, nothing twice."""
    events = play([["Hello ", "wor"], ["Hel", "lo world", "!"]])
    assert [type(e).__name__ for e in events] == ["TextDelta"] * 4
    assert screen(events) == "Hello world!"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.text(alphabet="ab", max_size=3), max_size=5), min_size=1, max_size=4))
def test_whatever_dies_the_user_ends_with_exactly_the_last_text(attempts: list[list[str]]) -> None:
    """For any pieces and deaths, what stands on the screen at the end is the last attempt's text."""
    assert screen(play(attempts)) == "".join(attempts[-1])
