"""What a provider's headers say is left narrows the limits of its model, and only where there are limits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit import Agent
from remit.core.budget import Limit
from remit.guard.call_amounts import left_in
from remit.runtime import Runtime
from remit.testing import FunctionModel
from remit.testing.clock import FakeClock


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-remaining-tokens": "900"}, (7.0, 900.0)),
        ({"anthropic-ratelimit-requests-remaining": " 0 "}, (0.0, None)),
        ({"anthropic-ratelimit-tokens-remaining": "12000"}, (None, 12000.0)),
        ({"x-ratelimit-remaining-requests": "-1", "x-ratelimit-remaining-tokens": "nan"}, (None, None)),
        ({"x-ratelimit-remaining-requests": "9" * 400, "x-ratelimit-remaining-tokens": "²"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_headers_are_read_strictly(headers: dict[str, str], left: Any) -> None:
    """Plain digits of a bounded length count; anything else says nothing."""
    assert left_in(headers) == left


@pytest.mark.parametrize(("remaining", "waits"), [("0", True), ("1000", False)])
def test_an_empty_account_at_the_provider_makes_the_next_call_wait(remaining: str, waits: bool) -> None:
    """None left at the provider holds the next call back; many left change nothing."""
    clock = FakeClock()
    model: Any = FunctionModel(lambda _: "x", name="openai:gpt-4o")
    model.answered = {"x-ratelimit-remaining-requests": remaining}

    async def main() -> list[Any]:
        limits = {"model:openai:gpt-4o": Limit(calls=60, period_s=60.0, burst=10)}
        async with Runtime(clock=clock, tune_gc=False, limits=limits) as runtime:
            assert (await Agent("a", model=model).run("one")).status == "ok"
            admission = runtime.gate._rates.admission
            return [admission.try_acquire(("model:openai:gpt-4o",))]

    assert (asyncio.run(main()) == [None]) is waits
