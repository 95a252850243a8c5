"""Prices: integer money, unknown is never free."""

from __future__ import annotations

import pytest

from remit.core.usage import Usage
from remit.models import prices
from remit.models.prices import price_nano, worst_case_nano


@pytest.mark.parametrize(
    ("provider", "model", "usage", "nano"),
    [
        # $0.15 in, $0.075 cached, $0.60 out a million
        ("openai", "gpt-4o-mini", Usage(1000, 0, 0, 100), 150_000 + 60_000),
        ("openai", "gpt-4o-mini-2024-07-18", Usage(1000, 400, 0, 100), 90_000 + 30_000 + 60_000),
        ("openai-chat", "gpt-4o-mini", Usage(1000), 150_000),
        ("openai-responses", "GPT-4o-Mini", Usage(1000), 150_000),
        # $3 in, $0.30 read, $3.75 written, $15 out
        ("anthropic", "claude-sonnet-4-5", Usage(1000, 200, 300, 10), 500 * 3000 + 200 * 300 + 300 * 3750 + 10 * 15000),
        ("anthropic-messages", "claude-sonnet-4-5-20250929", Usage(1, 0, 0, 1), 18_000),
        ("openai", "gpt-4o-mini", Usage(0), 0),
        ("ollama", "anything", Usage(10**9, 0, 0, 10**9), 0),
        ("builtin", "surveyor", Usage(5), 0),
        ("openai", "no-such-model", Usage(1), None),
        ("no-such-provider", "gpt-4o-mini", Usage(1), None),
        ("openai-compatible", "gpt-4o-mini", Usage(1), None),
        ("openai", "x" * 10_000, Usage(1), None),
    ],
)
def test_prices(provider: str, model: str, usage: Usage, nano: int | None) -> None:
    """Known calls cost what the list says; unknown ones have no price; local ones are free."""
    assert price_nano(provider, model, usage) == nano


def test_a_tier_counts_for_the_whole_call() -> None:
    """Above the start of a tier every token has the tier's rate."""
    below = price_nano("anthropic", "claude-sonnet-4-5", Usage(200_000, 0, 0, 0))
    above = price_nano("anthropic", "claude-sonnet-4-5", Usage(200_001, 0, 0, 0))
    assert below == 200_000 * 3000
    assert above == 200_001 * 6000


def test_rounding_happens_once_and_half_to_even() -> None:
    """A half nano-dollar goes to the even side."""
    assert [prices._nano(value * 5 * 10**8) for value in (1, 2, 3, 4, 5)] == [0, 1, 2, 2, 2]


def test_counts_that_overlap_are_not_billed_below_zero() -> None:
    """A provider that counts cached tokens as written ones too does not get money back."""
    cost = price_nano("anthropic", "claude-sonnet-4-5", Usage(100, 100, 100, 0))
    assert cost == 100 * 300 + 100 * 3750


def test_prices_of_an_hour() -> None:
    """Where a price depends on the hour, the time decides; without a time the plain price counts."""
    variants = [[None, {"i": 10}], [[3600, 7200], {"i": 5}], [[82800, 1800], {"i": 3}], [[20_000], {"i": 7}]]
    day = 86_400_000
    assert prices._choose(variants, None) == {"i": 10}
    assert prices._choose(variants, 3_600_000) == {"i": 5}
    assert prices._choose(variants, 7_200_000) == {"i": 10}
    assert prices._choose(variants, 83_000_000) == {"i": 3}
    assert prices._choose(variants, 1_000_000) == {"i": 3}
    assert prices._choose(variants, 20_000 * day + 10_000_000) == {"i": 7}


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-5", "o3", "gpt-4.1"])
def test_the_worst_case_is_never_below_the_cost(model: str) -> None:
    """Whatever a call of that size turns out to be, it costs at most what was reserved."""
    for input_tokens in (0, 7, 999, 300_000):
        worst = worst_case_nano("openai", model, input_tokens, 500)
        assert worst is not None
        for cached, written, output in ((0, 0, 500), (input_tokens, 0, 0), (0, input_tokens, 500)):
            cost = price_nano("openai", model, Usage(input_tokens, cached, written, output, output))
            assert cost is not None and cost <= worst


def test_the_worst_case_of_what_is_unknown_or_free() -> None:
    """Unknown stays unknown, free stays free."""
    assert worst_case_nano("openai", "no-such-model", 1, 1) is None
    assert worst_case_nano("ollama", "x", 10**9, 10**9) == 0


def test_the_table_names_its_source() -> None:
    """Version and date of the data are in the table."""
    assert "genai-prices" in prices.table_version() and "MIT" in prices.table_version()


def test_equal_to_the_source_where_it_is_installed() -> None:
    """Every listed model costs the same as genai-prices says, to the nano-dollar."""
    genai = pytest.importorskip("genai_prices")
    import datetime
    from decimal import ROUND_HALF_EVEN, Decimal
    from importlib.metadata import version

    if version("genai-prices") not in prices.table_version():
        pytest.skip("another version of genai-prices is installed")
    from genai_prices.data import providers

    moment = datetime.datetime.fromisoformat(prices.table_version().split("; ")[1] + "T12:00:00+00:00")
    compared = 0
    for provider in providers:
        for model in provider.models:
            for counts in ((1234, 34, 200, 56, 7), (300_001, 1, 0, 1000, 999)):
                usage = genai.Usage(
                    **dict(
                        zip(
                            ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
                            counts,
                            strict=False,
                        )
                    ),
                    output_reasoning_tokens=counts[4],
                )
                try:
                    cost = genai.calc_price(usage, model.id, provider_id=provider.id, genai_request_timestamp=moment)
                except (LookupError, ValueError):
                    continue
                expected = int((cost.total_price * Decimal(10**9)).to_integral_value(ROUND_HALF_EVEN))
                found = price_nano(provider.id, model.id, Usage(*counts), int(moment.timestamp() * 1000))
                if found is None and expected == 0:
                    continue  # listed without a price in text tokens
                assert (provider.id, model.id, found) == (provider.id, model.id, expected)
                compared += 1
    assert compared > 1000
