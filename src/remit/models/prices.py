"""Prices of model calls, in integer nano-dollars.

The table (prices.json) is generated from the genai-prices data by bench/make_prices.py and names
its source, version and date. It is read at the first question, a provider at a time. A model that
is not in it has no price: the answer is None, never 0. Servers on the user's own machine and the
built-in model cost nothing.

Rates are integers, in pico-dollars per million tokens, because some published prices have more
than nine decimals; the sum is rounded once, half to even. A tier's rate counts for all tokens of a
call whose input is above the tier's start. Where a provider bills other numbers than it counts (Cohere),
the billed ones are priced. Prices by service tier, and what is not counted in tokens (searches, audio
hours), are not in the table.
"""

from __future__ import annotations

import os.path
import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core.patterns import lazy
from remit.core.usage import Usage

FREE: Final = frozenset(("builtin", "gguf", "ollama", "vllm", "llamacpp", "lmstudio", "sglang", "cache"))
# remit's provider names -> names of the table, where they differ
_ALIASES: Final = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "anthropic-messages": "anthropic",
    "gemini": "google",
    "vertex": "google",
    "bedrock": "aws",
    "bedrock-converse": "aws",
    "bedrock-mantle": "aws",
    "cohere-v2": "cohere",
    "azure-chat": "azure",
    "openrouter-responses": "openrouter",
    "xai": "x-ai",
    "xai-responses": "x-ai",
    "deepseek-responses": "deepseek",
    "moonshot": "moonshotai",
}
# pico-dollars per million tokens, over tokens, are 10**-18 dollars: 10**9 of them are a nano-dollar
_UNITS: Final = 10**9
_PER_REQUEST: Final = 1000  # "q" is per thousand requests, the token rates per million tokens
_START: Final = lazy(r"\^((?:[a-z0-9/-]|\\\.)+)(?=\\d|\$|\[)")  # up to what is certainly no quantifier
_DAY: Final = lazy(r"-(\d{4})(\d{2})(\d{2})(?!\d)")
_MAX_KNOWN: Final = 4096  # models that are remembered; names may come from outside

Rate = int | list[Any]
Prices = dict[str, Rate]


class _Provider(Struct):
    models: list[tuple[list[Any], Any]]
    fallback: list[str] = []


class _Table(Struct):
    source: str
    date: str
    providers: dict[str, msgspec.Raw]


_table: _Table | None = None
_providers: dict[str, _Provider] = {}
_known: dict[tuple[str, str], list[Any] | None] = {}


def price_nano(provider: str, model: str, usage: Usage, at_ms: int | None = None) -> int | None:
    """What `usage` cost, in nano-dollars; None when the model's price is unknown.

    `at_ms` (Unix time) chooses among prices that change with the date or the hour of the day; None
    = the table's date, outside special hours.
    """
    if provider in FREE:
        return 0
    prices = _prices(provider, model, at_ms)
    if prices is None:
        return None
    if usage.billed_input_tokens or usage.billed_output_tokens:
        usage = Usage(usage.billed_input_tokens, output_tokens=usage.billed_output_tokens, requests=usage.requests)
    level = usage.input_tokens
    total = 0
    fresh = usage.input_tokens
    made = usage.output_tokens
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    # What has a rate of its own is taken out of the whole; what has none is billed as the whole.
    if (
        usage.cache_write_1h_tokens
        or usage.input_audio_tokens
        or usage.output_audio_tokens
        or usage.output_image_tokens
    ):
        for key, tokens, within in (
            ("h", min(usage.cache_write_1h_tokens, written), "w"),
            ("b", min(usage.cached_audio_tokens, cached), "c"),
            ("a", usage.input_audio_tokens - usage.cached_audio_tokens, "i"),
            ("p", usage.output_audio_tokens, "o"),
            ("m", usage.output_image_tokens, "o"),
        ):
            if tokens > 0 and key in prices:
                total += _rate(prices[key], level) * tokens
                fresh -= tokens if within != "o" else 0
                made -= tokens if within == "o" else 0
                cached -= tokens if within == "c" else 0
                written -= tokens if within == "w" else 0
    for key, tokens in (("c", cached), ("w", written)):
        if tokens and key in prices:
            fresh -= tokens
            total += _rate(prices[key], level) * tokens
    if usage.reasoning_tokens and "r" in prices:
        made -= usage.reasoning_tokens
        total += _rate(prices["r"], level) * usage.reasoning_tokens
    # A provider may count written tokens that were read as well; nothing is billed below zero.
    total += _rate(prices.get("i", 0), level) * max(fresh, 0)
    total += _rate(prices.get("o", 0), level) * max(made, 0)
    total += _rate(prices.get("q", 0), level) * _PER_REQUEST * usage.requests
    return _nano(total)


def worst_case_nano(
    provider: str, model: str, input_tokens: int, max_output_tokens: int, at_ms: int | None = None
) -> int | None:
    """The most that such a call can cost, in nano-dollars; None when the price is unknown.

    Every input token is taken at the dearest input rate (a cache write costs more than a fresh
    token), every output token at the dearest output rate, both at their dearest tier that
    `input_tokens` reaches.
    """
    if provider in FREE:
        return 0
    worst = 0
    variants = _variants(provider, model)
    if variants is None:
        return None
    chosen = [_choose(variants, at_ms)] if at_ms is not None else [prices for _, prices in variants]
    for prices in chosen:
        given = max(_rate(prices.get(key, 0), input_tokens) for key in "icwhab")
        made = max(_rate(prices.get(key, 0), input_tokens) for key in "orpm")
        asked = _rate(prices.get("q", 0), input_tokens) * _PER_REQUEST
        worst = max(worst, given * input_tokens + made * max_output_tokens + asked)
    return -(-worst // _UNITS)


def priced_models(provider: str) -> int:
    """How many models of a provider the table knows; 0 = none."""
    known = _provider(_ALIASES.get(provider, provider))
    return 0 if known is None else sum(1 for _, prices in known.models if prices)


def listed_names(provider: str) -> list[str]:
    """Names, and parts of names, that the table has for a provider; each once."""
    known = _provider(_ALIASES.get(provider, provider))
    found: dict[str, None] = {}
    pending = [clause for clause, _ in known.models] if known is not None else []
    while pending:
        sign, operand = pending.pop()
        if sign in ("|", "&"):
            pending += operand
        elif sign != "r":
            found[operand] = None
    return list(found)


def table_version() -> str:
    """Source, version and date of the table."""
    table = _load()
    return f"{table.source}; {table.date}"


def _nano(total: int) -> int:
    whole, rest = divmod(total, _UNITS)
    if rest * 2 > _UNITS or (rest * 2 == _UNITS and whole % 2):
        whole += 1
    return whole


def _rate(rate: Rate, input_tokens: int) -> int:
    if isinstance(rate, int):
        return rate
    applied: int = rate[0]
    for start, price in rate[1:]:
        if input_tokens > start:
            applied = price
    return applied


def _prices(provider: str, model: str, at_ms: int | None) -> Prices | None:
    variants = _variants(provider, model)
    return None if variants is None else _choose(variants, at_ms)


def _choose(variants: list[Any], at_ms: int | None) -> Prices:
    chosen: Prices = variants[0][1]
    if at_ms is None or len(variants) == 1:
        return chosen
    days, day_ms = divmod(at_ms, 86_400_000)
    second = day_ms // 1000
    for condition, prices in variants:
        if condition is None:
            holds = True
        elif len(condition) == 1:
            holds = days >= condition[0]
        else:
            start, end = condition
            holds = start <= second < end if start <= end else second >= start or second < end
        if holds:
            chosen = prices
    return chosen


def _load() -> _Table:
    global _table
    if _table is None:
        # Not importlib.resources: importing it costs more than reading the table.
        with open(os.path.join(os.path.dirname(__file__), "prices.json"), "rb") as file:
            _table = msgspec.json.decode(file.read(), type=_Table)
    return _table


def _provider(name: str) -> _Provider | None:
    known = _providers.get(name)
    if known is None:
        raw = _load().providers.get(name)
        if raw is None:
            return None
        known = _providers[name] = msgspec.json.decode(raw, type=_Provider)
    return known


def _variants(provider: str, model: str) -> list[Any] | None:
    """[[condition, prices], ...] of a model, the first without a condition; None = unknown."""
    key = (provider, model)
    if key not in _known:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[key] = _find(_ALIASES.get(provider, provider), model.lower())
    return _known[key]


def _find(name: str, model: str) -> list[Any] | None:
    if name == "huggingface":  # the router names who serves a model after its name
        model, _, served_by = model.partition(":")
        name = f"huggingface_{served_by}"
    provider = _provider(name)
    if provider is None or len(model) > 300:
        return None
    found = _search(provider, model)
    # gpt-5.2-20251211 is gpt-5.2-2025-12-11 where the short form is not listed.
    dashed = _DAY.sub(r"-\1-\2-\3", model) if found is None else model
    return _search(provider, dashed) if dashed != model else found


def _search(provider: _Provider, model: str) -> list[Any] | None:
    for candidate in (provider, *map(_provider, provider.fallback)):
        for clause, prices in candidate.models if candidate is not None else ():
            if _matches(clause, model):
                if not prices:
                    return None  # listed, but not priced by text tokens
                return prices if isinstance(prices, list) else [[None, prices]]
    return None


def _matches(clause: list[Any], model: str) -> bool:
    sign, operand = clause
    if sign == "=":
        return bool(model == operand)
    if sign == "^":
        return model.startswith(operand)
    if sign == "~":
        return operand in model
    if sign == "$":
        return model.endswith(operand)
    if sign == "r":
        # Most begin with the plain start of a name: a model with another start is not worth a compilation.
        start = _START.match(operand) if "|" not in operand else None
        return (start is None or model.startswith(start[1].replace("\\.", "."))) and bool(re.search(operand, model))
    return (any if sign == "|" else all)(_matches(part, model) for part in operand)
