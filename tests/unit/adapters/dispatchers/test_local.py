"""The local dispatcher: fair share between tenants, timers, bounds; what all dispatchers do is in the port's suite."""

from __future__ import annotations

import asyncio

import pytest

from remit.adapters.clock import SystemClock
from remit.adapters.dispatchers import local
from remit.adapters.dispatchers.local import FairQueue, LocalDispatcher
from remit.errors import RemitError
from remit.ports.conformance.dispatcher import Double


def test_tenants_take_turns() -> None:
    """A tenant with one run is served after at most one run of each other tenant, whoever came first."""
    queue = FairQueue()
    for number in range(1000):
        queue.put("big", f"run_{number}")
    queue.put("small", "run_a")
    queue.put("other", "run_b")
    order = [queue.take({"big": 0, "small": 0, "other": 0}) for _ in range(5)]
    assert order == [("big", "run_0"), ("small", "run_a"), ("other", "run_b"), ("big", "run_1"), ("big", "run_2")]
    queue.put("small", "run_c")
    assert queue.take({"big": 0, "small": 0}) in (("big", "run_3"), ("small", "run_c"))
    assert len(queue) == 997


def test_equal_demand_gets_equal_shares() -> None:
    """Three tenants that always want get the same number of turns."""
    queue = FairQueue()
    for tenant, count in (("a", 500), ("b", 300), ("c", 200)):
        for number in range(count):
            queue.put(tenant, f"{number}")
    taken = [queue.take({"a": 0, "b": 0, "c": 0}) for _ in range(300)]
    assert [sum(key is not None and key[0] == tenant for key in taken) for tenant in "abc"] == [100, 100, 100]


def test_a_tenant_that_is_not_served_keeps_its_runs() -> None:
    """take gives only runs of tenants that are allowed; the others stay, once each, and can be dropped."""
    queue = FairQueue()
    for _ in range(3):
        queue.put("a", "run_1")
    queue.put("b", "run_2")
    assert queue.take({"b": 0}) == ("b", "run_2")
    assert queue.take({"b": 0}) is None
    assert len(queue) == 1
    assert queue.drop("a", "run_1")
    assert not queue.drop("a", "run_1")
    assert queue.take({"a": 0}) is None


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue refuses with queue_full."""
    monkeypatch.setattr(local, "MAX_QUEUED", 2)
    queue = FairQueue()
    queue.put("a", "1")
    queue.put("a", "2")
    with pytest.raises(RemitError) as caught:
        queue.put("b", "3")
    assert caught.value.code == "queue_full"


def test_a_run_is_advanced_again_at_its_moment() -> None:
    """A step that names a moment is advanced then, without being submitted; submitting it before goes at once."""

    async def case() -> None:
        double = Double({"run_1": [0.3], "run_2": [3600.0]})
        dispatcher = LocalDispatcher(SystemClock())
        await dispatcher.submit("run_1", "p", "t")
        await dispatcher.submit("run_2", "p", "t")
        serving = asyncio.ensure_future(dispatcher.serve("p", {"t": double}))
        await asyncio.sleep(0.1)
        assert double.calls == [("advance", "run_1"), ("advance", "run_2")]
        await dispatcher.submit("run_2", "p", "t")
        await asyncio.sleep(0.1)
        assert double.count("advance", "run_2") == 2
        async with asyncio.timeout(20):
            while double.count("advance", "run_1") < 2:
                await asyncio.sleep(0.02)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await dispatcher.aclose()

    asyncio.run(case())
