"""A circuit breaker: after failures in a row it refuses at once, and tries a few calls again after a while.

    closed --failures--> open --open_s passed--> half_open --successes--> closed
                           ^---------------------- failure

It judges the provider, so only failures of its doing count: timeouts, lost connections, 5xx, broken streams.
Source of the presets: spec/models.md 9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from remit.ports.clock import Clock

State = Literal["closed", "open", "half_open"]
COUNTED: Final = frozenset(
    (
        "model_server_error",
        "model_overloaded",
        "model_timeout",
        "model_connection",
        "model_stream_cut",
        "model_bad_reply",
    )
)
"""error codes that speak against the provider; a rate limit asks for patience, and other 4xx are ours"""


class BreakerRules(Struct, frozen=True):
    """When it opens, and how it closes."""

    failures: int = 5
    """in a row, to open"""
    successes: int = 3
    """in a row, to close again"""
    open_s: float = 30.0
    trials: int = 3
    """calls that may be under way while half open"""


PRESETS: Final[dict[str, BreakerRules]] = {
    "default": BreakerRules(5, 3, 30.0, 3),
    "strict": BreakerRules(3, 5, 60.0, 1),
    "lenient": BreakerRules(10, 2, 15.0, 5),
    "llm": BreakerRules(3, 2, 45.0, 1),
    "tools": BreakerRules(5, 3, 20.0, 2),
}


class Breaker:
    """One breaker. `changed(before, after)` is called at each transition."""

    def __init__(
        self, rules: BreakerRules, clock: Clock, changed: Callable[[State, State], None] | None = None
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._changed = changed
        self._state: State = "closed"
        self._failures = self._successes = self._trials = 0
        self._opened = 0.0

    def state_label(self) -> State:
        """closed, open or half_open, as of now."""
        if self._state == "open" and self._clock.monotonic() - self._opened >= self.rules.open_s:
            self._to("half_open")
        return self._state

    def failure_count(self) -> int:
        """Failures in a row."""
        return self._failures

    def ready(self) -> bool:
        """Whether a call would be let through; takes nothing."""
        state = self.state_label()
        return state == "closed" or (state == "half_open" and self._trials < self.rules.trials)

    def allow(self) -> bool:
        """Let a call through, or refuse; every True needs `success`, `failure` or `unknown`."""
        if not self.ready():
            return False
        self._trials += self._state == "half_open"
        return True

    def success(self) -> None:
        """The call went well."""
        self._failures = 0
        if self._state == "half_open":
            self._trials = max(0, self._trials - 1)
            self._successes += 1
            if self._successes >= self.rules.successes:
                self._to("closed")

    def failure(self) -> None:
        """The provider failed."""
        self._failures += 1
        if self._state == "half_open" or (self._state == "closed" and self._failures >= self.rules.failures):
            self._to("open")

    def unknown(self) -> None:
        """The call ended without saying anything about the provider: cancelled, refused, a bad request."""
        if self._state == "half_open":
            self._trials = max(0, self._trials - 1)

    def _to(self, state: State) -> None:
        before, self._state = self._state, state
        self._successes = self._trials = 0
        if state == "open":
            self._opened = self._clock.monotonic()
        elif state == "closed":
            self._failures = 0
        if self._changed is not None:
            self._changed(before, state)
