"""Channels: types, bounds, priorities, closing, select; deadlocks named and broken, and none where there is none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit import RemitError
from remit.teams.coordination.channels import Channel, select
from remit.teams.coordination.waits import DeadlockError, WaitGraph
from simulation.deadlocks import one
from unit.teams.in_loop import in_loop


@pytest.mark.parametrize("seed", range(30))
def test_planted_cycles_are_found_and_slow_peers_are_none(seed: int) -> None:
    """Small count of tests/simulation/deadlocks.py."""
    assert asyncio.run(one(seed)) == []


@in_loop
async def test_a_full_channel_suspends_its_sender_and_the_wait_is_seen() -> None:
    """The third value waits for room, whatever its priority; of those inside the higher priority is first."""
    graph = WaitGraph()
    channel = Channel(int, bound=2, graph=graph, senders=["a"], receivers=["b"])
    await channel.send(1, party="a")
    await channel.send(2, party="a", priority=200)
    async with asyncio.TaskGroup() as group:
        group.create_task(channel.send(3, party="a", priority=200))
        await asyncio.sleep(0)
        assert list(graph.waits) == ["a"]
        assert list(graph.waits["a"][0].wakers()) == ["b"]
        assert "full" in graph.waits["a"][0].why
        assert [await channel.receive(party="b") for _ in range(3)] == [2, 1, 3]
    assert graph.waits == {}


@in_loop
async def test_wrong_values_parties_and_closed_ends() -> None:
    """Each has its code; what is in a closed channel can still be received."""
    channel: Channel[Any] = Channel(int, senders=["a"], receivers=["b"])
    assert channel.try_send(1, party="a")
    wrong = {
        "type": lambda: channel.send("x", party="a"),
        "sender": lambda: channel.send(1, party="b"),
        "receiver": lambda: channel.receive(party="a"),
        "priority": lambda: channel.send(1, party="a", priority=256),
    }
    for call in wrong.values():
        with pytest.raises(RemitError) as caught:
            await call()
        assert caught.value.code == "value_invalid"
    channel.close()
    assert await channel.receive(party="b") == 1
    for closed in (channel.receive(party="b"), channel.send(1, party="a"), select(channel, party="b")):
        with pytest.raises(RemitError) as caught:
            await closed
        assert caught.value.code == "channel_closed"
    with pytest.raises(RemitError) as caught:
        await Channel(int).receive(timeout_s=0.001)
    assert caught.value.code == "deadline_exceeded"


@in_loop
async def test_select_takes_from_whichever_has_one_and_a_cancelled_turn_goes_on() -> None:
    """A select is woken by either channel; the turn of a receiver that was cancelled goes to the next."""
    one_, two = Channel(int, name="one"), Channel(str, name="two")
    async with asyncio.TaskGroup() as group:
        picked = group.create_task(select(one_, two))
        await asyncio.sleep(0)
        await two.send("x")
        channel, value = await picked
        assert (channel.name, value) == ("two", "x")
        first, second = group.create_task(one_.receive()), group.create_task(one_.receive())
        await asyncio.sleep(0)
        await one_.send(7)
        first.cancel()
        assert await second == 7
    assert two.drain() == []


@in_loop
async def test_the_least_important_gives_way_and_the_rest_goes_on() -> None:
    """Two that ask each other: the one of lower priority gets the error with the whole cycle."""
    told: list[DeadlockError] = []
    graph = WaitGraph(on_deadlock=told.append)
    graph.add("boss", 200)
    graph.add("aid", 100)
    down = Channel(int, graph=graph, senders=["boss"], receivers=["aid"])
    up = Channel(int, graph=graph, senders=["aid"], receivers=["boss"])

    async def aid() -> None:
        with pytest.raises(DeadlockError) as caught:
            await down.receive(party="aid")
        assert (caught.value.code, set(caught.value.cycle)) == ("deadlock", {"aid", "boss"})
        assert len(caught.value.details["waits"]) == 2
        await up.send(1, party="aid")

    async with asyncio.TaskGroup() as group:
        boss = group.create_task(up.receive(party="boss"))
        group.create_task(aid())
    assert boss.result() == 1
    assert [error.victim for error in told] == ["aid"]


@in_loop
async def test_joins_need_all_and_a_person_is_outside() -> None:
    """A join on a stuck party is stuck; a wait that names nobody never is, nor is whoever waits for it."""
    graph = WaitGraph()
    for name in "abc":
        graph.add(name)
    async with asyncio.TaskGroup() as group:
        group.create_task(graph.wait("a", []))
        group.create_task(graph.wait("b", ["a"]))
        await asyncio.sleep(0)
        assert graph.found == []
        with pytest.raises(DeadlockError):
            await graph.wait("c", ["a", "c"], every=True)
        with pytest.raises(RemitError, match="is no party"):
            await graph.wait("z", [])
        graph.wake("a")
        graph.wake("b")
