"""What one effect asks of the limits: its keys, the worst that it can take, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from remit.core.events import ModelNote
from remit.guard.admission import Ticket
from remit.guard.ledger import Pricing
from remit.guard.rate_bucket import Amounts

if TYPE_CHECKING:
    from remit.core.model import Reply

BYTES_PER_TOKEN: Final = 3  # an estimate for pacing, between prose (about 4) and code (about 3)
WORST_BYTES_PER_TOKEN: Final = 2  # as gate/budget.py
DEFAULT_MAX_OUTPUT: Final = 4096  # as gate/budget.py sets on a call that names no maximum
NOTHING: Final = Amounts(1, 0, 0)
# Source: OpenAI guide "Rate limits" (headers; most openai-chat providers use the same), Anthropic API "Rate limits".
_LEFT_CALLS: Final = ("x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining")
_LEFT_TOKENS: Final = ("x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining")


def keys_of(action: Any, agent: str, tenant: str) -> tuple[str, ...]:
    """The keys of an effect, the narrowest first: the model or tool, its provider, its agent, its tenant."""
    keys = [action.rate_name]
    if action.request is not None:
        keys.append(f"provider:{action.name.partition(':')[0]}")
        keys.append(f"agent:{agent}")
        if tenant:
            keys.append(f"tenant:{tenant}")
    return tuple(keys)


class Worst(NamedTuple):
    """What one effect can take."""

    amounts: Amounts
    """for pacing: estimated input and all allowed output"""
    nano: int | None
    """for caps: every two bytes of the input as a token; None = the price is unknown"""


def worst_of(action: Any, pricing: Pricing, now_ms: int) -> Worst:
    """What the effect can take at most."""
    if action.request is None:
        return Worst(NOTHING, 0)
    given = action.size // BYTES_PER_TOKEN
    made = action.request.settings.max_tokens or DEFAULT_MAX_OUTPUT
    nano = pricing.worst(action.name, action.size // WORST_BYTES_PER_TOKEN, made, now_ms)
    return Worst(Amounts(1, given + made, nano or 0), nano)


def used_by(action: Any, reply: Reply | None) -> Amounts:
    """What the effect took; a call that failed used nothing that anybody can count."""
    if reply is None or action.request is None:
        return NOTHING
    return Amounts(1, reply.usage.input_tokens + reply.usage.output_tokens, action.nano)


def left_in(headers: Mapping[str, str]) -> tuple[float | None, float | None]:
    """(calls, tokens) that a provider's answer says are left; None = it does not say. Header names are lower case."""
    return _first(headers, _LEFT_CALLS), _first(headers, _LEFT_TOKENS)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        text = headers.get(name, "").strip()
        if text.isascii() and text.isdigit() and len(text) <= 12:
            return float(text)
    return None


def waited(key: str, ticket: Ticket) -> ModelNote:
    """The note of a call that stood in a queue."""
    names = ", ".join(bucket.name for bucket in ticket.buckets)
    return ModelNote(key, "waited", names, f"{ticket.wait_time:.3f} s")
