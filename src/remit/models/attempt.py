"""Attempts of one model call: each is an effect of its own, with its own key and its own line of cost.

Retried: what the error says is retryable (429, 5xx, 529, timeouts, resets). The wait is full
jitter below 1, 2, 4 ... s; a wait that the provider asked for on an error status replaces it, capped.
Source: spec/models.md 9; "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from remit.core.effects import Done, Failed, Outcome
from remit.core.model import ModelRequest, StreamReset
from remit.errors import InternalError, ModelError
from remit.gate.door import Gate
from remit.gate.scope import Scope

if TYPE_CHECKING:
    from remit.ports.clock import Clock
    from remit.ports.model import Model

RETRIES: Final = 3
BASE_S: Final = 1.0
CAP_S: Final = 30.0


class Compound:
    """Several models under one name (compound.py): it makes its attempts itself."""

    names: tuple[str, ...] = ()
    """every model that it may ask"""

    async def ask(self, gate: Gate, key: str, request: ModelRequest, scope: Scope, clock: Clock) -> Outcome:
        """The outcome of its last attempt."""
        raise InternalError("internal", "a compound model without attempts")


async def ask(gate: Gate, key: str, model: Model, request: ModelRequest, scope: Scope, clock: Clock) -> Outcome:
    """The outcome of the last attempt."""
    if isinstance(model, Compound):
        return await model.ask(gate, key, request, scope, clock)
    attempt = 0
    while True:
        outcome = await gate.call_model(f"{key}#{attempt}" if attempt else key, model, request, scope)
        if type(outcome) is not Failed:
            if type(outcome) is Done and (outcome.value.stop_reason == "other" or outcome.value.usage.estimated):
                from remit.models.unusual import tell

                tell(key, model.name, outcome, scope)
            return outcome
        if not _again(outcome, attempt):
            from remit.models.known_names import with_names

            return with_names(outcome, model.name)
        attempt += 1
        if outcome.error.code == "model_timeout":
            # The first byte of a whole reply comes when all of it is made; a stream shows its first at once.
            scope.streaming = True
        if scope.listener is not None:
            scope.listener(None, StreamReset(attempt, str(outcome.error)))
        recorded = scope.recorded is not None and scope.recorded.get(f"{key}#{attempt}") is not None
        if not recorded:  # a replayed attempt has waited before
            await clock.sleep(delay_s(outcome, attempt, clock))


def _again(outcome: Failed, attempt: int) -> bool:
    return attempt < RETRIES and outcome.error.retryable


def delay_s(outcome: Failed, attempt: int, clock: Clock) -> float:
    """Seconds before attempt number `attempt` (1 = the first retry)."""
    asked = outcome.error.retry_after_s if isinstance(outcome.error, ModelError) else None
    if asked is not None:
        return min(max(asked, 0.0), CAP_S)
    ceiling: float = min(CAP_S, BASE_S * 2 ** (attempt - 1))
    return ceiling * clock.random_bits(32) / 2**32
