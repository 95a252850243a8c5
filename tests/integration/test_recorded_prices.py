"""What every recorded reply cost, against genai-prices for the same token counts, to the nano-dollar."""

from __future__ import annotations

import datetime
import json
from decimal import ROUND_HALF_EVEN, Decimal
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest

from integration.recorded_expected import body_bytes
from integration.test_recorded import DATA, OK, _name
from remit.core.usage import Usage
from remit.errors import ModelError
from remit.models.prices import price_nano, table_version

genai = pytest.importorskip("genai_prices")
pytestmark = [
    pytest.mark.skipif(not DATA.exists(), reason=f"recorded exchanges not found: {DATA.name}; set REMIT_SHARED"),
    pytest.mark.skipif(version("genai-prices") not in table_version(), reason="another genai-prices is installed"),
]
# provider of the recording -> (remit's, genai-prices')
PROVIDERS = {
    "google-vertex": ("vertex", "google"),
    "bedrock": ("bedrock", "aws"),
    "bedrock-mantle": ("bedrock-mantle", "aws"),
    **{name: (name, name) for name in ("openai", "anthropic", "google", "groq", "openrouter", "mistral", "deepseek")},
    **{name: (name, name) for name in ("cohere", "cerebras", "zai", "azure")},
}
MOMENT = datetime.datetime.fromisoformat(table_version().split("; ")[1] + "T12:00:00+00:00")
FIELDS = {
    "cached_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "cached_audio_tokens": "cache_audio_read_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "output_image_tokens": "output_image_tokens",
}


def usage_of(row: dict[str, Any]) -> tuple[str, Usage] | None:
    """(model, counts) of a recorded reply."""
    codec = import_module(f"remit.wire.{row['wire'].replace('-', '_')}").CODEC
    response = row["response"]
    try:
        if "body" in response:
            reply = codec.decode(json.dumps(response["body"]).encode())
        else:
            decoder = codec.stream()
            decoder.feed(body_bytes(response))
            reply = decoder.finish()
    except ModelError:
        return None  # the two recorded errors inside a stream
    named = reply.model or (row["request"]["body"] or {}).get("model")
    return named or row["request"]["path"].split("/model/")[1].split("/")[0].replace("%3A", ":"), reply.usage


def peer_nano(provider: str, model: str, usage: Usage) -> int | None:
    """genai-prices' cost of these counts; None where it has no price."""
    if usage.billed_input_tokens or usage.billed_output_tokens:
        given = {"input_tokens": usage.billed_input_tokens, "output_tokens": usage.billed_output_tokens}
    else:
        given = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        given |= {theirs: value for ours, theirs in FIELDS.items() if (value := getattr(usage, ours))}
    try:
        cost = genai.calc_price(genai.Usage(**given), model, provider_id=provider, genai_request_timestamp=MOMENT)
    except (LookupError, ValueError):  # ValueError: its counts overlap (tokens both read and written)
        return None
    return int((cost.total_price * Decimal(10**9)).to_integral_value(ROUND_HALF_EVEN))


def test_every_recorded_cost_is_equal() -> None:
    """All replies that genai-prices has a price for; what it lists without any price is unknown here, not zero."""
    compared, unpriced = 0, []
    for row in OK:
        found = usage_of(row)
        if found is None or row["provider"] not in PROVIDERS:
            continue
        ours, theirs = PROVIDERS[row["provider"]]
        expected = peer_nano(theirs, *found)
        if expected is None:
            continue
        cost = price_nano(ours, *found, int(MOMENT.timestamp() * 1000))
        if cost is None and expected == 0:
            unpriced.append(found[0])
            continue
        assert (_name(row), cost) == (_name(row), expected)
        compared += 1
    assert compared >= 180
    assert set(unpriced) <= {"qwen-3-coder-480b"}


@pytest.mark.parametrize(
    ("provider", "theirs", "model", "usage"),
    [
        ("anthropic", "anthropic", "claude-sonnet-4-5", Usage(300_000, 1000, 5000, 10, cache_write_1h_tokens=4000)),
        ("google", "google", "gemini-2.5-flash", Usage(1000, 200, 0, 10, 3, 1, 0, 300, 100)),
        ("google", "google", "gemini-2.5-flash-image", Usage(1000, 0, 0, 1290, output_image_tokens=1290)),
        ("openai", "openai", "gpt-4o-audio-preview", Usage(1000, 0, 0, 90, 0, 1, 0, 300, 0, 50)),
        (
            "cohere",
            "cohere",
            "command-r7b-12-2024",
            Usage(496, 0, 0, 11, billed_input_tokens=1, billed_output_tokens=9),
        ),
        ("perplexity", "perplexity", "sonar", Usage(1000, 0, 0, 90)),
    ],
)
def test_counts_with_rates_of_their_own(provider: str, theirs: str, model: str, usage: Usage) -> None:
    """Writes for an hour above a tier, sound, cached sound, pictures, billed units, a price a request."""
    expected = peer_nano(theirs, model, usage)
    assert expected and price_nano(provider, model, usage) == expected


def test_the_routers_price_follows_who_serves() -> None:
    """Hugging Face's router names the inference provider after the model."""
    assert price_nano("huggingface", "openai/gpt-oss-120b:groq", Usage(1000)) == peer_nano(
        "huggingface_groq", "openai/gpt-oss-120b", Usage(1000)
    )
    assert price_nano("huggingface", "openai/gpt-oss-120b", Usage(1000)) is None
