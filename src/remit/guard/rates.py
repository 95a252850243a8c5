"""Block 4, rate: calls, tokens, money and places per model, provider, agent, tenant and tool (guard/admission.py),
and budgets of a day, a month, an agent, a team or a tenant (guard/spending.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from remit.core.budget import Limit
from remit.core.effects import Deny, Done, Failed, Outcome, Refusal

if TYPE_CHECKING:
    from remit.guard.admission import Admission
    from remit.guard.ledger import Pricing
    from remit.guard.rate_shared import SharedLimits
    from remit.guard.spending import Spending
    from remit.ports.clock import Clock
    from remit.ports.limits import LimitStore


class Rates:
    """All limits and long-lived budgets of one runtime; nothing is asked while `limited` is False."""

    def __init__(
        self,
        limits: Mapping[str, Limit],
        clock: Clock,
        spending: Spending | None = None,
        shared: Callable[[], LimitStore] | None = None,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self.shared: SharedLimits | None = None
        """call rates of all processes of a store, where there is one"""
        if shared is not None and limits:
            from remit.guard.rate_shared import SharedLimits

            self.shared = SharedLimits(limits, clock, shared())
        self.spending = spending
        self.limited = bool(limits) or spending is not None

    @cached_property
    def admission(self) -> Admission:
        """Rates and places; made when something is limited."""
        from remit.guard.admission import Admission

        return Admission(self._limits, self._clock)

    async def acquire(self, action: Any, scope: Any, pricing: Pricing, now_ms: int) -> Any:
        """Wait for a place and reserve the worst case; raises Refusal. What it returns is for `release`.

        `action` and `scope` are the gate's own, one floor above.
        """
        from remit.guard import call_amounts
        from remit.guard.admission import Full

        keys = call_amounts.keys_of(action, scope.agent, self.spending.tenant if self.spending else "")
        worst = call_amounts.worst_of(action, pricing, now_ms)
        ticket = await self.admission.acquire(keys, worst.amounts, scope.priority)
        if isinstance(ticket, Full):
            why = f"{ticket.queue} calls already wait for this limit: {ticket.key}"
            raise Refusal(Deny("queue_full", "rate", why))
        if (
            self.shared is not None
            and (deny := await self.shared.acquire(action.rate_name, scope.priority)) is not None
        ):
            self.admission.release(ticket, call_amounts.NOTHING)
            raise Refusal(deny)
        if ticket.was_queued:
            scope.emit(call_amounts.waited(action.key, ticket))
        hold = None
        if self.spending is not None and action.request is not None:
            hold = self.spending.reserve(action.name, keys, worst.nano)
            if isinstance(hold, Deny):
                self.admission.release(ticket, call_amounts.NOTHING)
                raise Refusal(hold)
        return ticket, hold

    def release(self, held: Any, action: Any, scope: Any, outcome: Outcome | None) -> None:
        """The call is over: what it used replaces what was reserved; a wait that a provider asked for is kept.

        What its answer's headers say is left narrows the model's own limits.
        """
        from remit.guard import call_amounts

        ticket, hold = held
        self.admission.release(ticket, call_amounts.used_by(action, outcome.value if type(outcome) is Done else None))
        if hold is not None and self.spending is not None:
            self.spending.settle(hold, action.key, action.nano, scope.emit)
        asked = getattr(outcome.error, "retry_after_s", None) if type(outcome) is Failed else None
        if asked:
            self.admission.pause((action.rate_name,), asked)
        headers = getattr(action.model, "answered", None) if type(outcome) is Done else None
        if headers:
            calls, tokens = call_amounts.left_in(headers)
            self.admission.left((action.rate_name,), calls=calls, tokens=tokens)
