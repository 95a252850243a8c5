"""Counters and revocation: no bound is passed, a child draws on its parent, a revoked grant stops what runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit.core import needs
from remit.core.effects import Need
from remit.core.grants import parse_grant
from remit.core.remit import Remit
from remit.errors import Denied
from remit.guard.handles import Lease
from remit.guard.policy_meter import Counter, InFlight, Meter, Revocations

TOOL = Need("tool", "t")


def use(meter: Meter, remit: Remit, now_ms: int = 0, **options: Any) -> bool:
    """Check and take one use, as the gate does."""
    ruling = meter.ruling(remit, TOOL, now_ms, **options)
    if ruling.allowed:
        meter.take(ruling.charged, now_ms, options.get("size_bytes", 0), options.get("nano", 0))
    return ruling.allowed


def meter_of(text: str) -> tuple[Meter, Remit]:
    remit = Remit.allow(text)
    return Meter(remit, revocations=Revocations()), remit


def test_a_use_count_ends_the_grant() -> None:
    """Exactly so many uses pass; the refusal says why."""
    meter, remit = meter_of("tool:t where uses=2")
    assert [use(meter, remit) for _ in range(4)] == [True, True, False, False]
    assert "all 2 uses" in meter.ruling(remit, TOOL, 0).spent


def test_bytes_count_before_and_after() -> None:
    """Arguments are counted before the effect, results after it."""
    meter, remit = meter_of("tool:t where bytes=100")
    draw = meter.take(meter.ruling(remit, TOOL, 0, size_bytes=40).charged, 0, 40)
    draw.end(done=True, size_bytes=50)
    assert meter.left(parse_grant("tool:t where bytes=100")) == {"uses": 1, "bytes": 90, "nano": 0}
    assert not meter.ruling(remit, TOOL, 0, size_bytes=11).allowed
    assert meter.ruling(remit, TOOL, 0, size_bytes=10).allowed


def test_money_is_held_at_its_worst_and_settled_at_its_cost() -> None:
    """Two calls side by side cannot pass the bound; an unknown price is refused."""
    remit = Remit.allow("model:m where usd=1")
    meter, need = Meter(remit, revocations=Revocations()), Need("model", "m")
    first = meter.take(meter.ruling(remit, need, 0, nano=600_000_000).charged, 0, 0, 600_000_000)
    assert not meter.ruling(remit, need, 0, nano=600_000_000).allowed
    first.end(done=True, nano=100_000_000)
    assert meter.ruling(remit, need, 0, nano=600_000_000).allowed
    assert "no known price" in meter.ruling(remit, need, 0, nano=None).spent


def test_a_rate_holds_in_every_window() -> None:
    """Never more than its calls in any period of its length, wherever the period begins."""
    meter, remit = meter_of("tool:t where rate=3/1s")
    passed = [now for now in range(0, 5000, 90) if use(meter, remit, now)]
    assert all(sum(start <= t < start + 1000 for t in passed) <= 3 for start in range(0, 5000, 7))
    assert len(passed) >= 13


def test_what_never_began_is_given_back_and_what_began_is_not() -> None:
    """A refused call costs nothing; a failed one does, once, however often it is settled."""
    meter, remit = meter_of("tool:t where uses=1 and rate=1/h and bytes=9")
    draw = meter.take(meter.ruling(remit, TOOL, 0).charged, 0, 9)
    draw.end(done=False)
    draw.end(done=False)
    assert meter.left(remit.counted[0]) == {"uses": 0, "bytes": 0, "nano": 0}
    assert use(meter, remit)
    assert not use(meter, remit)


def test_a_child_draws_on_its_parents_counters() -> None:
    """Parent and children together stay within the parent's bound; a child's own grant has a counter of its own."""
    remit = Remit.allow("tool:t where uses=3")
    parent = Meter(remit, revocations=Revocations(), run_id="p")
    bounds = remit.meet(Remit.allow("tool:* where uses=2"))
    one, two = (Meter(bounds, revocations=parent.revocations, run_id=n, parent=parent) for n in ("c1", "c2"))
    assert [use(one, bounds) for _ in range(3)] == [True, True, False]
    assert [use(two, bounds), use(two, bounds), use(parent, remit)] == [True, False, False]


def test_a_counter_that_nobody_keeps_refuses() -> None:
    """A bounded grant outside the meter's remit covers nothing (fail closed)."""
    meter, _ = meter_of("tool:t where uses=1")
    assert not meter.ruling(Remit.allow("tool:t where uses=5"), TOOL, 0).allowed


def test_the_bound_is_what_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged (a counter that never lacks), a use count stops nothing."""
    meter, remit = meter_of("tool:t where uses=1")
    monkeypatch.setattr(Counter, "lacks", lambda *_: "")
    assert [use(meter, remit) for _ in range(3)] == [True] * 3


def test_a_revoked_grant_is_gone_for_the_run_and_all_below() -> None:
    """Other runs keep it, unless it was revoked everywhere."""
    remit, revocations = Remit.allow("tool:t", "fs.read:**"), Revocations()
    parent = Meter(remit, revocations=revocations, run_id="p")
    child = Meter(remit, revocations=revocations, run_id="c", parent=parent)
    other = Meter(remit, revocations=revocations, run_id="o")
    revocations.revoke(parse_grant("tool:t").id, 0, "p")
    assert [m.ruling(remit, TOOL, 0).allowed for m in (parent, child, other)] == [False, False, True]
    assert child.ruling(remit, needs.fs_read("x"), 0).allowed
    revocations.revoke(parse_grant("tool:t").id, 0)
    assert not other.ruling(remit, TOOL, 0).allowed


def flight(remit: Remit, held: tuple[Need, ...], body: Any, *, lease: Lease | None = None, run_id: str = "r") -> Any:
    """Run `body(revocations)` inside an effect, beside a task that it may start."""

    async def main() -> Any:
        meter = Meter(remit, revocations=Revocations(), run_id=run_id)
        with InFlight(meter, remit, held, lease):
            return await body(meter.revocations)

    return asyncio.run(main())


def soon(revocations: Revocations, text: str) -> None:
    asyncio.get_running_loop().call_soon(revocations.revoke, parse_grant(text).id, 0)


def test_revoking_stops_a_call_in_flight() -> None:
    """The waiting call ends as `revoked`, its lease is dead, and the task is not left cancelled."""
    lease = Lease((TOOL,), builtin=False, tainted=False, timeout_s=5)

    async def main() -> str:
        remit = Remit.allow("tool:t")
        meter = Meter(remit, revocations=Revocations(), run_id="r")
        with pytest.raises(Denied) as caught, InFlight(meter, remit, (TOOL,), lease):
            soon(meter.revocations, "tool:t")
            await asyncio.sleep(3600)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0
        assert meter.revocations.running == set()
        return caught.value.code

    assert asyncio.run(main()) == "revoked"
    assert lease.revoked


def test_revoking_stops_what_a_handle_waits_for() -> None:
    """A call whose own need keeps its cover is stopped while a handle of it uses the revoked grant."""
    lease = Lease((TOOL,), builtin=False, tainted=False, timeout_s=5)

    async def body(revocations: Revocations) -> None:
        with lease.using(needs.shell(("sleep", "9"))):
            soon(revocations, "shell:sleep *")
            await asyncio.sleep(3600)

    with pytest.raises(Denied, match="revoked"):
        flight(Remit.allow("tool:t", "shell:sleep *"), (TOOL,), body, lease=lease)


def test_a_call_with_other_cover_goes_on() -> None:
    """Only what lost its cover is stopped: another grant that covers the need keeps it."""

    async def body(revocations: Revocations) -> str:
        assert revocations.revoke(parse_grant("tool:t").id, 0) == 0
        await asyncio.sleep(0)
        return "done"

    assert flight(Remit.allow("tool:t", "tool:*"), (TOOL,), body) == "done"


def test_somebody_elses_cancellation_stays_a_cancellation() -> None:
    """A cancelled run is cancelled, also when its grant is revoked in the same moment."""

    async def main() -> str:
        async def inside() -> None:
            remit = Remit.allow("tool:t")
            meter = Meter(remit, revocations=Revocations())
            with InFlight(meter, remit, (TOOL,)):
                soon(meter.revocations, "tool:t")
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)
                await asyncio.sleep(3600)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(inside())
        return "cancelled" if task.cancelled() else "went on"

    assert asyncio.run(main()) == "cancelled"
