"""Prices as the gate asks for them: by `provider:model`."""

from __future__ import annotations

from typing import Final

from remit.core.usage import Usage
from remit.guard.ledger import Pricing
from remit.models.prices import price_nano, worst_case_nano


def _cost(model: str, usage: Usage, at_ms: int) -> int | None:
    provider, _, name = model.partition(":")
    return price_nano(provider, name, usage, at_ms)


def _worst(model: str, input_tokens: int, output_tokens: int, at_ms: int) -> int | None:
    provider, _, name = model.partition(":")
    return worst_case_nano(provider, name, input_tokens, output_tokens, at_ms)


PRICING: Final = Pricing(_cost, _worst)
