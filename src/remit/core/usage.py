"""Token counts and money. Money is integer nano-dollars, rounded once a call."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

NANO: Final = 1_000_000_000  # nano-dollars in a dollar


class Usage(Struct, frozen=True, gc=False, omit_defaults=True):
    """Tokens of one or more model calls."""

    input_tokens: int = 0
    """all input tokens, cached and cache-written ones included"""
    cached_tokens: int = 0
    """of the input: read from the provider's cache"""
    cache_write_tokens: int = 0
    """of the input: written to the provider's cache"""
    output_tokens: int = 0
    """all output tokens, reasoning included"""
    reasoning_tokens: int = 0
    """of the output: reasoning"""
    requests: int = 1
    """how many calls these counts are the sum of"""
    cache_write_1h_tokens: int = 0
    """of the cache-written: kept for an hour, which costs more"""
    input_audio_tokens: int = 0
    """of the input: sound"""
    cached_audio_tokens: int = 0
    """of the cached: sound"""
    output_audio_tokens: int = 0
    """of the output: sound"""
    output_image_tokens: int = 0
    """of the output: pictures"""
    billed_input_tokens: int = 0
    """what the price counts, where a provider bills other numbers than it counts; 0 with billed_output_tokens = same"""
    billed_output_tokens: int = 0
    estimated: bool = False
    """whether the provider gave no counts of a call, and these are made from its characters"""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.requests + other.requests,
            self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            self.input_audio_tokens + other.input_audio_tokens,
            self.cached_audio_tokens + other.cached_audio_tokens,
            self.output_audio_tokens + other.output_audio_tokens,
            self.output_image_tokens + other.output_image_tokens,
            self.billed_input_tokens + other.billed_input_tokens,
            self.billed_output_tokens + other.billed_output_tokens,
            self.estimated or other.estimated,
        )


NO_USAGE: Final = Usage(requests=0)


def usd(nano: int | None) -> float | None:
    """Dollars of nano-dollars; None (unknown) stays None."""
    return None if nano is None else nano / NANO


def nano_of(dollars: float) -> int:
    """Nano-dollars of dollars, rounded half to even."""
    return round(dollars * NANO)
