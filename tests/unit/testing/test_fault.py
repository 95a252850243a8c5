"""FaultModel and FakeClock: each fault is the error that a provider's fault is."""

from __future__ import annotations

import asyncio

import pytest

from remit import Agent, ModelRequest, Reply, Runtime
from remit.core.messages import as_messages
from remit.core.model import StreamEnd
from remit.errors import Invalid, ModelError
from remit.testing import FakeClock, Fault, FaultModel, FunctionModel

REQUEST = ModelRequest(as_messages("hello"))
TEXT = "a text that is streamed in several pieces"


def model(*faults: Fault | None) -> FaultModel:
    """A model that says TEXT, with faults."""
    return FaultModel(FunctionModel(lambda request: TEXT, name="f:x"), *faults)


async def streamed(faulty: FaultModel) -> tuple[int, str]:
    """(events that arrived, the error's code or "")."""
    events = 0
    try:
        async for _ in faulty.stream(REQUEST):
            events += 1
    except ModelError as e:
        return events, e.code
    return events, ""


@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        (Fault("status", 429), "model_rate_limited", True),
        (Fault("status", 500), "model_server_error", True),
        (Fault("status", 401), "model_auth", False),
        (Fault("timeout"), "model_timeout", True),
        (Fault("truncation"), "model_bad_reply", True),
        (Fault("mid_stream"), "model_server_error", True),
        (Fault("connection"), "model_connection", True),
    ],
)
def test_a_fault_is_raised_once(fault: Fault, code: str, retryable: bool) -> None:
    """The first request has the fault, with code and retryable; the second works."""
    faulty = model(fault)
    with pytest.raises(ModelError) as caught:
        asyncio.run(faulty.request(REQUEST))
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert asyncio.run(faulty.request(REQUEST)).text == TEXT


@pytest.mark.parametrize("position", [0, 1, 2, 99])
def test_a_stream_breaks_where_it_is_told(position: int) -> None:
    """`position` events arrive (never the end), then the error: a cut is not a server's error frame."""
    pieces = 3
    arrived = min(position, pieces)
    assert asyncio.run(streamed(model(Fault("truncation", position=position)))) == (arrived, "model_stream_cut")
    assert asyncio.run(streamed(model(Fault("mid_stream", position=position)))) == (arrived, "model_server_error")
    assert asyncio.run(streamed(model(Fault("status", 503)))) == (0, "model_overloaded")


def test_slowness_changes_nothing_but_time() -> None:
    """A slow answer is the same answer, whole and streamed; without a fault the wrapped model answers."""
    faulty = model(Fault("slow", delay_s=0.001), Fault("slow", delay_s=0.001), None)
    assert asyncio.run(faulty.request(REQUEST)) == Reply(TEXT, model="x")

    async def last() -> object:
        return [event async for event in faulty.stream(REQUEST)][-1]

    assert asyncio.run(last()) == StreamEnd(Reply(TEXT, model="x"))
    assert asyncio.run(last()) == StreamEnd(Reply(TEXT, model="x"))


def test_retry_after_is_obeyed_by_the_real_loop() -> None:
    """The wait that a 429 asks for is the wait of the run; the time is the fake clock's."""
    clock = FakeClock()

    async def main() -> str:
        async with Runtime(clock=clock) as runtime:
            run = await runtime.run(Agent("a", model=model(Fault("status", 429, retry_after_s=11))), "x")
            return str(run.status)

    assert asyncio.run(main()) == "ok"
    assert clock.slept == [11.0]


@pytest.mark.parametrize("wrong", [{"kind": "meteor"}, {"kind": "status", "status": 200}])
def test_a_wrong_fault_is_refused(wrong: dict[str, object]) -> None:
    """An unknown kind and a status that is no error are value_invalid."""
    with pytest.raises(Invalid, match="value_invalid"):
        Fault(**wrong)  # type: ignore[arg-type]


def test_the_fake_clock_moves_only_when_told() -> None:
    """Sleeping and advancing move both clocks; bits repeat with the seed and differ without it."""
    clock = FakeClock(1_000)
    asyncio.run(clock.sleep(2.5))
    clock.advance(0.5)
    assert (clock.now_ms(), clock.monotonic(), clock.slept) == (4_000, 3.0, [2.5])
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    one, same, other = FakeClock(seed=1), FakeClock(seed=1), FakeClock(seed=2)
    drawn = [one.random_bits(bits) for bits in (1, 80, 300)]
    assert drawn == [same.random_bits(bits) for bits in (1, 80, 300)]
    assert drawn != [other.random_bits(bits) for bits in (1, 80, 300)]
    assert all(value < 2**bits for value, bits in zip(drawn, (1, 80, 300), strict=True))
