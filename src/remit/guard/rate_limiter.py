"""The rate limiter as a thing of its own: limits a model, and one for all others, over the admission controller.

    limiter = RateLimiter({"openai:o1": PRESETS["high"]}, default=Limit(calls=20, concurrent=5), clock=clock)
    ticket = await limiter.acquire_with_priority("openai:o1", "high", tokens=2_000)
    ...
    limiter.record_usage("openai:o1", tokens=1_200, cents=0.4, ticket=ticket)
    limiter.release(ticket)

Programs that call models without an agent use it; the gate uses the controller itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from remit.core.budget import Limit
from remit.errors import Exhausted
from remit.guard.admission import PRIORITIES, Admission, Full, Report, Ticket
from remit.guard.rate_bucket import NANO_PER_CENT, Amounts, Usage

if TYPE_CHECKING:
    from remit.ports.clock import Clock

DEFAULT_LIMIT: Final = Limit(calls=20, period_s=60.0, concurrent=5, tokens=100_000, cents=500.0)
"""Source: spec/models.md 8, reference configuration."""


class RateLimiter:
    """See the module's text.

    Args:
        limits: model (or a pattern of models) -> its limit.
        default: for every other model.
        clock: time.
        enable_queuing: False = whoever may not go at once is refused.
        report: told of queueing and of use from `warn_percent` on.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit] | None = None,
        *,
        default: Limit = DEFAULT_LIMIT,
        clock: Clock,
        enable_queuing: bool = True,
        report: Report | None = None,
    ) -> None:
        every = {**(limits or {}), "*": default}
        self._admission = Admission({f"model:{k}": _filled(v) for k, v in every.items()}, clock, report)
        self.enable_queuing = enable_queuing

    def try_acquire(self, model: str, *, tokens: int = 0, cents: float = 0.0) -> Ticket | None:
        """A ticket if the call may go now, else None; it never waits."""
        return self._admission.try_acquire((f"model:{model}",), _amounts(tokens, cents))

    async def acquire_with_priority(
        self, model: str, priority: str = "normal", *, tokens: int = 0, cents: float = 0.0
    ) -> Ticket:
        """A ticket with `wait_time` (s) and `was_queued`; low < normal < high < critical.

        Raises: queue_full; value: an unknown priority is a KeyError of PRIORITIES.
        """
        if not self.enable_queuing and priority != "critical":
            found = self.try_acquire(model, tokens=tokens, cents=cents)
            if found is None:
                raise Exhausted("queue_full", f"the limit of {model} is reached, and queueing is off")
            return found
        PRIORITIES[priority]
        got = await self._admission.acquire((f"model:{model}",), _amounts(tokens, cents), priority)
        if isinstance(got, Full):
            raise Exhausted("queue_full", f"{got.queue} calls already wait for {got.key}")
        return got

    def record_usage(self, model: str, tokens: int, cents: float = 0.0, *, ticket: Ticket | None = None) -> None:
        """What a call really used: in place of the ticket's reservation, or on top where there is none."""
        used = _amounts(tokens, cents)
        if ticket is None:
            self._admission.record((f"model:{model}",), used)
        else:
            self._admission.settle(ticket, used)

    def release(self, ticket: Ticket) -> None:
        """The call is over."""
        self._admission.release(ticket)

    def get_usage(self, model: str) -> Usage:
        """`request_utilization` and its kind, in percent of the limit's amount; calls under way, and queued."""
        found = self._admission.usage(f"model:{model}")
        assert found is not None  # "*" matches every model
        return found


def _filled(limit: Limit) -> Limit:
    """Places that nobody named are half of the calls. Source: spec/models.md 8."""
    return limit if limit.concurrent or not limit.calls else replace(limit, concurrent=max(1, limit.calls // 2))


def _amounts(tokens: int, cents: float) -> Amounts:
    return Amounts(1, tokens, round(cents * NANO_PER_CENT))
