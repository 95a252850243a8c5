"""guard/spending.py: caps of a day and a month hold over processes and crashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remit.core.budget import SpendCap
from remit.core.effects import Deny
from remit.core.usage import NANO
from remit.errors import Conflict
from remit.guard.spending import LEASE_MS, Spending
from remit.testing.clock import FakeClock

KEYS = ("model:openai:m", "provider:openai", "agent:coder")


def spend(spending: Spending, nano: int, real: int | None = None) -> Any:
    """One call; the refusal, or None."""
    hold = spending.reserve("openai:m", KEYS, nano)
    if isinstance(hold, Deny):
        return hold
    spending.settle(hold, "k", nano if real is None else real, lambda _: None)
    return None


def test_a_cap_is_hard_over_two_processes(tmp_path: Path) -> None:
    """Two processes that share a folder together spend at most the cap."""
    caps = {"*": SpendCap(day_usd=1.0)}
    both = [Spending(caps, FakeClock(seed=i), str(tmp_path)) for i in (1, 2)]
    spent = 0
    for i in range(400):
        if spend(both[i % 2], NANO // 100) is None:
            spent += NANO // 100
    assert 0.9 * NANO <= spent <= NANO
    for each in both:
        each.close()
    assert next(iter(both[0].spent().values()))[0] == spent


def test_reservations_count_before_they_are_settled(tmp_path: Path) -> None:
    """Calls under way hold their worst case: the third of 40 cents does not go under a cap of a dollar."""
    spending = Spending({"agent:coder": SpendCap(day_usd=1.0)}, FakeClock(), str(tmp_path))
    holds = [spending.reserve("m", KEYS, NANO * 4 // 10) for _ in range(3)]
    assert [isinstance(h, Deny) for h in holds] == [False, False, True]
    assert spending.reserve("m", ("agent:tester",), NANO * 100) == ((), 0)


def test_a_day_ends_and_alerts_come_once() -> None:
    """At 80 % and 100 % one note each; the next day begins at nothing."""
    clock, notes = FakeClock(), []
    spending = Spending({"*": SpendCap(day_usd=1.0)}, clock)
    for _ in range(10):
        hold = spending.reserve("m", KEYS, NANO // 10)
        assert not isinstance(hold, Deny)
        spending.settle(hold, "k", NANO // 10, notes.append)
    assert [n.data["percent"] for n in notes] == [80, 100]
    assert isinstance(spending.reserve("m", KEYS, 1), Deny)
    clock.advance(86_400)
    assert not isinstance(spending.reserve("m", KEYS, NANO // 10), Deny)


def test_a_lease_of_a_dead_process_counts_as_spent(tmp_path: Path) -> None:
    """What a process held when it died is not given out again."""
    caps = {"*": SpendCap(day_usd=1.0)}
    dead = Spending(caps, FakeClock(seed=1), str(tmp_path))
    assert spend(dead, NANO // 2, 0) is None
    clock = FakeClock(seed=2)
    clock.advance(LEASE_MS / 1000 + 1)
    alive = Spending(caps, clock, str(tmp_path))
    assert spend(alive, NANO * 6 // 10) is not None
    assert spend(alive, NANO * 4 // 10) is None


def test_an_unknown_price_is_refused_and_a_damaged_file_told(tmp_path: Path) -> None:
    """Under a money cap a model without a price is refused; a file that is no file of ours is an error."""
    spending = Spending({"*": SpendCap(month_usd=1.0)}, FakeClock(), str(tmp_path))
    refused = spending.reserve("x:y", KEYS, None)
    assert isinstance(refused, Deny) and refused.code == "budget_unpriced"
    assert spend(spending, 5) is None
    spending.close()
    assert spending.reset() == 1
    (tmp_path / "spending.json").write_text("[]", encoding="utf-8")
    with pytest.raises(Conflict):
        spending.spent()
